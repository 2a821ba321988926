"""Construction: a piece -> contiguous labels."""
