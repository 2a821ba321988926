"""Piece: one connected region as arrays, the seam between the model and the search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Piece"]


@dataclass(frozen=True, eq=False)
class Piece:
    """
    One connected region with its parts, as arrays; nodes may be compounds of units. Validates nothing.

    A plan of a piece is ``labels`` int32 (n,): exactly k connected, non-empty parts. Its objective is lexicographic:
    violation (millionths of the targets, and a million for each broken `apart` pair), then cost.

    Parameters
    ----------
    indptr, indices, weights : ndarray of int64 (n + 1,), int32 (2 m,), int64 (2 m,)
        Symmetric CSR; the weight of an edge is the price of cutting it.
    workload : ndarray of int64, shape (n, a)
    lo, hi, target : ndarray of int64, shape (k, a)
        Limits of the loads; `target` is at least 1.
    fixed : ndarray of int32, shape (n,)
        Part a node is bound to, -1 where free.
    apart_indptr, apart_indices : ndarray of int64 (n + 1,), int32
        Symmetric CSR of pairs that never share a part.
    unit_cost : ndarray of int64, shape (n, k) or (0, 0)
        Price of each node in each part.
    home, away_cost : ndarray of int32 (n,), int64 (n,)
        Part in the plan in force (-1: none), and the price of leaving it.
    imbalance_weight : int
        Price of each millionth of ``|load - target| / target``, summed over parts and attributes.
    inertia_weight : int
        Price of ``sum w d²`` to the mean centre of each part, w the first workload.
    xy : ndarray of int64, shape (n, 2) or (0, 2)
        Metres from the middle of the territory.
    spread : ndarray of int64, shape (n,) or (0,)
        ``sum w (x² + y²)`` of the units of each node and, in `moment`, ``sum w x`` and ``sum w y``.
    moment : ndarray of int64, shape (n, 2) or (0, 2)
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: NDArray[np.int64]
    workload: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    target: NDArray[np.int64]
    fixed: NDArray[np.int32]
    apart_indptr: NDArray[np.int64]
    apart_indices: NDArray[np.int32]
    unit_cost: NDArray[np.int64]
    home: NDArray[np.int32]
    away_cost: NDArray[np.int64]
    imbalance_weight: int = 0
    inertia_weight: int = 0
    xy: NDArray[np.int64] | None = None
    spread: NDArray[np.int64] | None = None
    moment: NDArray[np.int64] | None = None

    @property
    def n_nodes(self) -> int:
        """Number of nodes, ``n``."""
        return len(self.indptr) - 1

    @property
    def n_parts(self) -> int:
        """Number of parts, ``k``."""
        return len(self.lo)
