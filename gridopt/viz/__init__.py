"""Pictures: maps of plans."""
