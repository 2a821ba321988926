"""Refinement: labels -> better labels, never worse."""
