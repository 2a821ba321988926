"""Naming: which part is which, where parts differ in limits, or in what their nodes cost in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.piece import Piece

__all__ = ["name_cheaply"]

MOST_PARTS = 2_000
"""Parts up to which they are renamed: the assignment takes some seconds for so many."""


def name_cheaply(piece: Piece, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """
    Exchange the names of whole parts for less violation, then less cost: a linear assignment, never for the worse.

    No search that moves single nodes could: between two namings of one division lie plans that break every limit. Parts
    with fixed nodes keep their names.
    """
    k = piece.n_parts
    differ = any((rows != rows[:1]).any() for rows in (piece.lo, piece.hi, piece.target))
    if not (piece.unit_cost.size or (piece.home >= 0).any() or differ) or k > MOST_PARTS:
        return labels
    from scipy.optimize import linear_sum_assignment

    miss, cost = _misses_and_costs(piece, labels)
    held = np.unique(piece.fixed[piece.fixed >= 0])
    free = np.setdiff1d(np.arange(k), held)
    both = np.ix_(free, free)
    miss, cost = miss[both], cost[both]
    span = float(np.ptp(cost)) * len(free) + 1.0 if len(free) else 1.0
    rows, names = linear_sum_assignment(miss * span + cost)
    if (miss[rows, names].sum(), cost[rows, names].sum()) >= (np.trace(miss), np.trace(cost)):  # floats may round
        return labels
    part = np.arange(k, dtype=np.int32)
    part[free] = free[names]
    return part[labels]


def _misses_and_costs(piece: Piece, labels: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Violation of limits, and what depends on the name in the cost, of each part under each name, (k, k)."""
    k = piece.n_parts
    miss, cost = np.zeros((k, k), dtype=np.int64), np.zeros((k, k), dtype=np.int64)
    if piece.unit_cost.size:
        np.add.at(cost, labels, piece.unit_cost)
    known = np.flatnonzero(piece.home >= 0)
    np.add.at(cost, (labels[known], piece.home[known]), -piece.away_cost[known])
    for work, lo, hi, target in zip(piece.workload.T, piece.lo.T, piece.hi.T, piece.target.T):
        load = np.zeros((k, 1), dtype=np.int64)
        np.add.at(load[:, 0], labels, work)
        miss += np.maximum(0, np.maximum(load - hi, lo - load)) * 1_000_000 // target
        cost += piece.imbalance_weight * (np.abs(load - target) * 1_000_000 // target)
    return miss, cost
