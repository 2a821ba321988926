"""Naming: which part is which, where parts are alike but for what their nodes cost in them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.piece import Piece

__all__ = ["name_cheaply"]

MOST_PARTS = 2_000
"""Parts up to which they are renamed: the assignment takes some seconds for so many."""


def name_cheaply(piece: Piece, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """
    Exchange the names of whole parts so that prices of units and of leaving home are least; a linear assignment.

    No search that moves single nodes could: between two namings of one division lie plans that break every limit. Parts
    keep their names where limits differ or nodes are fixed.
    """
    k = piece.n_parts
    priced, at_home = bool(piece.unit_cost.size), bool((piece.home >= 0).any())
    alike = all((rows == rows[:1]).all() for rows in (piece.lo, piece.hi, piece.target))
    if not (priced or at_home) or not alike or (piece.fixed >= 0).any() or k > MOST_PARTS:
        return labels
    from scipy.optimize import linear_sum_assignment

    cost = np.zeros((k, k), dtype=np.int64)
    if priced:
        np.add.at(cost, labels, piece.unit_cost)
    known = np.flatnonzero(piece.home >= 0)
    np.add.at(cost, (labels[known], piece.home[known]), -piece.away_cost[known])
    return linear_sum_assignment(cost)[1].astype(np.int32)[labels]
