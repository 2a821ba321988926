"""Plans in use: what changed between two of them, and who their grids descend from."""
