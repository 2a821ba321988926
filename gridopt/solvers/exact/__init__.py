"""Exact answers for small pieces, by CP-SAT: the cheapest plan, that there is none, or the least violation."""

from gridopt.solvers.exact.model import Proof, least_violation, prove_piece

__all__ = ["Proof", "least_violation", "prove_piece"]
