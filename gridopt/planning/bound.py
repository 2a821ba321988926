"""What has to move at least, whatever the plan within the limits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridopt.model import Problem
from gridopt.planning.force import InForce

__all__ = ["least_moved"]

MOST_BITS = 1 << 22
"""Loads up to which sums of workloads are listed."""


def least_moved(problem: Problem, force: InForce, weight: NDArray[np.int64]) -> int:
    """
    Weight that moves in every plan within the limits of `problem`.

    Parameters
    ----------
    problem : Problem
        Its rows are the grids of `force`.
    force : InForce
    weight : ndarray of int64, shape (n,)
        What counts as moved.
    """
    home = force.home
    forced = int(weight[(force.before >= 0) & (home < 0)].sum())
    loads = np.zeros_like(problem.lo)
    known = home >= 0
    np.add.at(loads, home[known], problem.workload[known])
    order = np.argsort(home, kind="stable")
    first = np.searchsorted(home[order], np.arange(problem.n_grids + 1))
    total = 0
    for j in np.flatnonzero((loads > problem.hi).any(axis=1)).tolist():
        units = order[first[j] : first[j + 1]]
        total += max(
            _least(problem.workload[units, a], weight[units], int(loads[j, a] - problem.hi[j, a]))
            for a in range(problem.n_attributes)
        )
    return forced + total


def _least(load: NDArray[np.int64], weight: NDArray[np.int64], excess: int) -> int:
    """Least weight of units whose loads add up to `excess` at least; a lower bound of it where loads are large."""
    if excess <= 0:
        return 0
    if np.array_equal(load, weight):
        total = int(load.sum())
        if total > MOST_BITS:
            return excess
        sums = 1
        for w in load.tolist():
            sums |= sums << w
        above = sums >> excess
        return excess + (above & -above).bit_length() - 1
    some = load > 0
    ratio = np.sort(weight[some] / load[some])
    order = np.argsort(weight[some] / load[some], kind="stable")
    reached = np.cumsum(load[some][order])
    at = int(np.searchsorted(reached, excess))
    before = reached[at - 1] if at else 0
    least = weight[some][order][:at].sum() + ratio[min(at, len(ratio) - 1)] * (excess - before)
    return int(np.ceil(least * (1 - 1e-12) - 1e-6))
