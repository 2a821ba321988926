"""Decomposition: problems into pieces, and plans of pieces into plans."""
