"""Exact answers for small pieces, by CP-SAT: the cheapest plan, that there is none, or the least violation."""

from gridopt.solvers.exact.model import (
    BUILDING,
    Proof,
    least_violation,
    nearest_plan,
    prove_piece,
    seconds_to_build,
    too_large,
)

__all__ = ["BUILDING", "Proof", "least_violation", "nearest_plan", "prove_piece", "seconds_to_build", "too_large"]
