"""Opening: where a new part disturbs least, and what it begins with."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.piece import Piece

__all__ = ["disturbance", "open_part"]

PLACES = 6
"""Places tried for a new part."""


def open_part(
    piece: Piece,
    labels: NDArray[np.int32],
    part: int,
    barred: NDArray[np.bool_],
    judge: Callable[[NDArray[np.int32]], tuple[int, ...]],
) -> NDArray[np.int32] | None:
    """
    Give the empty `part` nodes of others, where these have most to spare.

    Parameters
    ----------
    piece : Piece
    labels : ndarray of int32, shape (n,)
        Contiguous; -1 nowhere.
    part : int
        Has no node yet.
    barred : ndarray of bool, shape (k,)
        Parts that give nothing.
    judge : callable
        What labels with the new part are worth, the less the better; of several places the best is taken.

    Returns
    -------
    ndarray of int32, or None
        None where no part can spare a node.
    """
    loads = np.zeros_like(piece.lo)
    np.add.at(loads, labels, piece.workload)
    rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
    beside = sparse.csr_matrix(
        (np.ones(len(rows), np.int64), (labels[rows], labels[piece.indices])), shape=(piece.n_parts, piece.n_parts)
    )
    spare = np.maximum(0, loads[:, 0] - piece.lo[:, 0]).astype(np.float64)
    spare[barred] = 0.0
    around = np.asarray((beside > 0).astype(np.float64) @ spare).ravel()
    around[barred | (np.bincount(labels, minlength=piece.n_parts) < 2)] = -1.0
    best: tuple[tuple[int, ...], NDArray[np.int32]] | None = None
    for place in np.argsort(-around, kind="stable")[:PLACES].tolist():
        if around[place] < 0:
            break
        grown = _grow(piece, labels, part, place, spare, loads[:, 0], barred)
        if grown is None:
            continue
        worth = judge(grown)
        if best is None or worth < best[0]:
            best = (worth, grown)
    return None if best is None else best[1]


def _grow(
    piece: Piece,
    labels: NDArray[np.int32],
    part: int,
    place: int,
    spare: NDArray[np.float64],
    loads: NDArray[np.int64],
    barred: NDArray[np.bool_],
) -> NDArray[np.int32] | None:
    """Grow the new part from a corner of `place`, node by node, out of the parts that have most to spare."""
    labels, left, wanted = np.array(labels), np.array(loads), int(piece.lo[part, 0])
    sizes = np.bincount(labels, minlength=piece.n_parts)

    def near(u: int) -> list[int]:
        found: list[int] = piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist()
        return found

    nodes = np.flatnonzero((labels == place) & (piece.fixed < 0)).tolist()
    corners = sorted(nodes, key=lambda u: (-len({int(labels[v]) for v in near(u)}), u))
    first = next((u for u in corners if sizes[place] > 1 and _is_loose(near, labels, u)), None)
    if first is None:
        return None
    load, heap, joined = 0, [(0.0, first)], False
    while heap and load < wanted:
        _, u = heapq.heappop(heap)
        own = int(labels[u])
        if own == part or barred[own] or piece.fixed[u] >= 0 or sizes[own] < 2 or not _is_loose(near, labels, u):
            continue
        rest = left[own] - piece.workload[u, 0]
        if joined and load and rest < piece.lo[own, 0] and own != place:
            continue
        labels[u], joined = part, True
        sizes[own] -= 1
        sizes[part] += 1
        load += int(piece.workload[u, 0])
        left[own] = rest
        for v in near(u):
            giver = int(labels[v])
            if giver != part:
                heapq.heappush(heap, (-float(left[giver] - piece.lo[giver, 0]), v))
    return labels if sizes[part] else None


def _is_loose(near: Callable[[int], list[int]], labels: NDArray[np.int32], u: int) -> bool:
    """Whether the part of `u` stays connected without it."""
    own = int(labels[u])
    edge = [v for v in near(u) if labels[v] == own]
    if len(edge) <= 1:
        return bool(edge)
    wanted, seen, line = set(edge[1:]), {u, edge[0]}, [edge[0]]
    for v in line:
        for x in near(v):
            if labels[x] == own and x not in seen:
                seen.add(x)
                wanted.discard(x)
                if not wanted:
                    return True
                line.append(x)
    return False


def disturbance(near: sparse.csr_matrix, loads: NDArray[np.int64], hi: NDArray[np.int64]) -> NDArray[np.float64]:
    """
    What dissolving each grid would move, roughly: its load, and that its neighbours have to pass on.

    Parameters
    ----------
    near : csr_matrix, shape (k, k)
        Which grids border each other.
    loads, hi : ndarray of int64, shape (k,)

    Examples
    --------
    >>> pair = sparse.csr_matrix(np.array([[0, 1], [1, 0]]))
    >>> disturbance(pair, np.array([4, 9]), np.array([10, 10])).tolist()
    [7.0, 12.0]
    """
    room = np.maximum(0, hi - loads).astype(np.float64)
    beside = (near > 0).astype(np.float64).tolil()
    beside.setdiag(0)
    taken = np.asarray(beside.tocsr() @ room).ravel()
    return loads + np.maximum(0.0, loads - taken)
