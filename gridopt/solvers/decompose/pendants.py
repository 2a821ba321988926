"""Pendants: what hangs on one node and is too light for a part goes with that node, wherever it goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.decompose.coarsen import contract_piece, kinds
from gridopt.solvers.piece import Piece

__all__ = ["join_pendants"]


def join_pendants(piece: Piece) -> tuple[Piece, NDArray[np.int32]] | None:
    """
    Join every piece that hangs on a cut vertex, and is lighter than any part may be, with that vertex.

    No plan within limits parts them: such a piece could only be split off as whole parts. A search that moves single
    nodes could never move the vertex, since it would break its part. Pieces that hold nodes bound elsewhere stay.

    Returns
    -------
    (Piece, int32 (n,)) or None
        The joined piece and the new node of each node; None where nothing hangs so lightly. O((n + m) log n).

    Notes
    -----
    Cut vertices by low points (Hopcroft & Tarjan, Comm. ACM 16, 1973). What lies above the first node of the search is
    not looked at: at most the pieces that hold it stay as they are.
    """
    from gridopt._kernels.necks import low_points

    n = piece.n_nodes
    enter, last, low, at = (np.full(n, -1, dtype=np.int64) for _ in range(4))
    parent, order = np.full(n, -1, np.int32), np.zeros(n, np.int32)
    low_points(piece.indptr, piece.indices, enter, last, low, parent, order, at)
    child = np.flatnonzero(parent >= 0)
    child = child[low[child] >= enter[parent[child]]]
    kind = kinds(piece)
    foreign = np.zeros(n, dtype=np.int64)
    foreign[parent >= 0] = (kind[parent >= 0] != kind[parent[parent >= 0]]) | (kind[parent >= 0] < 0)
    sums = np.zeros((n + 1, piece.workload.shape[1] + 1), dtype=np.int64)
    np.cumsum(np.column_stack([piece.workload, foreign])[order], axis=0, out=sums[1:])
    held = sums[last[child]] - sums[enter[child]]
    light = (held[:, :-1] < piece.lo.min(axis=0)).any(axis=1) & (held[:, -1] == 0)
    change = np.zeros(n + 1, dtype=np.int64)
    np.add.at(change, enter[child[light]], 1)
    np.add.at(change, last[child[light]], -1)
    tied = order[np.cumsum(change)[:-1] > 0]
    if not len(tied):
        return None
    head = np.arange(n)
    head[tied] = parent[tied]
    while (head[head] != head).any():
        head = head[head]
    is_head = head == np.arange(n)
    cluster = (np.cumsum(is_head) - 1)[head].astype(np.int32)
    return contract_piece(piece, cluster, int(is_head.sum())), cluster
