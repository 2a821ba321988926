"""Targets and limits of grids, in exact rationals."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError
from gridopt.model import Problem
from gridopt.model.graph import first_places

__all__ = ["MILLION", "apportion", "fewest_grids", "limits_around", "limits_of", "most_grids", "rows_of"]

MILLION = 1_000_000
"""Violation and imbalance are counted in whole millionths of the target."""


def limits_around(load: int, k: int, tolerance: Fraction) -> tuple[int, int]:
    """
    Least and greatest load of a grid whose fair share is ``T = load / k``.

    ``lo = min(ceil((1 - t) T), floor(T))`` and ``hi = max(floor((1 + t) T), ceil(T))``: both sides of the band, never
    narrower than the two whole numbers around the target. Whole numbers throughout.

    Examples
    --------
    >>> limits_around(200, 2, Fraction(1, 20))
    (95, 105)
    >>> limits_around(7, 2, Fraction(0))
    (3, 4)
    """
    p, q = tolerance.numerator, tolerance.denominator
    lo = min(-(-(q - p) * load // (q * k)), load // k)
    hi = max((q + p) * load // (q * k), -(-load // k))
    return lo, hi


def fewest_grids(load: Sequence[int], hi: Sequence[int]) -> int:
    """
    Fewest grids that can hold `load` when none may exceed `hi`, over all attributes; at least 1.

    Examples
    --------
    >>> fewest_grids([2500], [1000])
    3

    """
    return max(1, *(-(-w // h) if h else 1 for w, h in zip(load, hi)))


def most_grids(load: Sequence[int], lo: Sequence[int], n_nodes: int) -> int:
    """
    Most grids `load` can fill when each needs `lo`, over all attributes; at most one for each node.

    Examples
    --------
    >>> most_grids([2500], [600], 100)
    4

    """
    return min(n_nodes, *(w // low if low else n_nodes for w, low in zip(load, lo)))


def apportion(n: int, shares: Sequence[float], least: Sequence[int], most: Sequence[int], what: str) -> list[int]:
    """
    Share out `n` grids by highest averages (Webster / Sainte-Laguë), within bounds; ties go to the first.

    Webster's method rounds each quota ``n * share`` to the nearest whole number at the divisor that makes the total
    right (Balinski & Young, *Fair Representation*, 2nd ed. 2001, ch. 4). O(n log r).

    Parameters
    ----------
    n : int
        Grids to share out.
    shares : sequence of float, length r
        Workload of each claimant; any scale.
    least, most : sequence of int, length r
        Fewest and most grids of each claimant.
    what : str
        What the claimants are, for the message.

    Raises
    ------
    InputError
        If `n` is below the sum of `least` or above the sum of `most`.

    Examples
    --------
    >>> apportion(10, [53.0, 24.0, 23.0], [1, 1, 1], [9, 9, 9], "parents")
    [6, 2, 2]

    """
    if not sum(least) <= n <= sum(most):
        raise InputError(
            f"{n} grids cannot be shared among {len(shares)} {what}: together they need at least {sum(least)} and can "
            f"take at most {sum(most)}. Choose n_grids between {sum(least)} and {sum(most)}."
        )
    given = list(least)
    heap = [(-share / (2 * g + 1), i) for i, (share, g) in enumerate(zip(shares, given)) if g < most[i]]
    heapq.heapify(heap)
    for _ in range(n - sum(given)):
        _, i = heapq.heappop(heap)
        given[i] += 1
        if given[i] < most[i]:
            heapq.heappush(heap, (-shares[i] / (2 * given[i] + 1), i))
    return given


def rows_of(problem: Problem, labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Row of the limits that binds each grid as labelled: its own where grids have names, else one of its region."""
    rows = np.arange(problem.n_grids)
    if problem.interchangeable:
        first = first_places(labels, problem.n_grids)
        used = np.flatnonzero(first < len(labels))
        row_of_region = np.zeros(problem.nesting.n_regions, dtype=np.int64)
        row_of_region[problem.nesting.grid_region[::-1]] = rows[::-1]
        rows[used] = row_of_region[problem.nesting.region[first[used]]]
    return rows


def limits_of(problem: Problem, labels: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """
    Limits and target of each grid as labelled, shape (k, a): by row where grids have names, else by region.

    Returns
    -------
    (lo, hi, target) : int64, int64, float64
    """
    rows = rows_of(problem, labels)
    return problem.lo[rows], problem.hi[rows], problem.target[rows]
