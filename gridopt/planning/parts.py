"""Some parts of a piece, by themselves: the rest of the plan is not looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.piece import Piece

__all__ = ["Cutout", "near_parts", "only_parts", "places_of"]


@dataclass(frozen=True, eq=False)
class Cutout:
    """
    Some parts of a piece as a piece of their own, and the way back.

    Parameters
    ----------
    piece : Piece
        The nodes of these parts.
    nodes, parts : ndarray of int64
        Which they are in the whole, ascending.
    rank : ndarray of int32, shape (k + 1,)
        See `places_of`.
    """

    piece: Piece
    nodes: NDArray[np.int64]
    parts: NDArray[np.int64]
    rank: NDArray[np.int32]

    @classmethod
    def of(cls, piece: Piece, labels: NDArray[np.int32], parts: NDArray[np.int64]) -> Cutout:
        """Cut out the nodes that `labels` puts in `parts`."""
        own, nodes = only_parts(piece, labels, parts)
        return cls(own, nodes, parts, places_of(parts, piece.n_parts))

    def inner(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Labels of the whole, of these nodes, by these parts; -1 where a node has another."""
        return self.rank[labels[self.nodes]]

    def put(self, labels: NDArray[np.int32], found: NDArray[np.int32]) -> NDArray[np.int32]:
        """Labels of the whole, these nodes as `found` says."""
        labels = np.array(labels)
        labels[self.nodes] = self.parts[found]
        return labels


def places_of(parts: NDArray[np.int64], k: int) -> NDArray[np.int32]:
    """
    Return the position in `parts` of each of `k` parts, int32 of shape (k + 1,): -1 for others, and for part -1 (none).

    Examples
    --------
    >>> places_of(np.array([1, 3]), 4)[[0, 1, 2, 3, -1]].tolist()
    [-1, 0, -1, 1, -1]
    """
    place = np.full(k + 1, -1, dtype=np.int32)
    place[parts] = np.arange(len(parts))
    return place


def only_parts(piece: Piece, labels: NDArray[np.int32], parts: NDArray[np.int64]) -> tuple[Piece, NDArray[np.int64]]:
    """
    Return the nodes of some parts as a piece of its own, with these parts, and which nodes they are.

    It need not be connected. O(n + m).

    Parameters
    ----------
    piece : Piece
    labels : ndarray of int32, shape (n,)
    parts : ndarray of int64
        Ascending.
    """
    inside = np.zeros(piece.n_parts, dtype=bool)
    inside[parts] = True
    nodes = np.flatnonzero(inside[labels])
    n = piece.n_nodes
    place = np.full(n, -1, dtype=np.int64)
    place[nodes] = np.arange(len(nodes))
    indptr, indices, weights = _induced(piece.indptr, piece.indices, piece.weights, place, nodes)
    apart_indptr, apart_indices, _ = _induced(piece.apart_indptr, piece.apart_indices, None, place, nodes)
    rank = places_of(parts, piece.n_parts)
    some = {
        name: getattr(piece, name)[nodes] if len(getattr(piece, name)) == n else getattr(piece, name)
        for name in ("xy", "moment", "spread")
        if getattr(piece, name) is not None
    }
    own = replace(
        piece,
        indptr=indptr,
        indices=indices,
        weights=weights,
        workload=piece.workload[nodes],
        lo=piece.lo[parts],
        hi=piece.hi[parts],
        target=piece.target[parts],
        fixed=rank[piece.fixed[nodes]],
        apart_indptr=apart_indptr,
        apart_indices=apart_indices,
        unit_cost=piece.unit_cost[np.ix_(nodes, parts)] if len(piece.unit_cost) else piece.unit_cost,
        home=rank[piece.home[nodes]],
        away_cost=piece.away_cost[nodes],
        **some,
    )
    return own, nodes


def _induced(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    values: NDArray[np.int64] | None,
    place: NDArray[np.int64],
    nodes: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """CSR of the entries with both ends in `nodes`."""
    degree = np.diff(indptr)
    rows = np.repeat(place, degree)
    cols = place[indices[: len(rows)]] if len(rows) else np.empty(0, dtype=np.int64)
    keep = (rows >= 0) & (cols >= 0)
    counts = np.bincount(rows[keep], minlength=len(nodes))
    own = np.empty(0, dtype=np.int64) if values is None else values[: len(rows)][keep].astype(np.int64)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), cols[keep].astype(np.int32), own


def near_parts(piece: Piece, labels: NDArray[np.int32], parts: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """Return `parts` and those within so many borders of them, ascending."""
    rows = labels[np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))]
    cols = labels[piece.indices]
    beside = sparse.csr_matrix((np.ones(len(rows), np.int64), (rows, cols)), shape=(piece.n_parts, piece.n_parts))
    inside = np.zeros(piece.n_parts, dtype=bool)
    inside[parts] = True
    for _ in range(steps):
        grown = inside | (beside.T[:, inside].sum(axis=1).A1 > 0 if inside.any() else False)
        if (grown == inside).all():
            break
        inside = grown
    return np.flatnonzero(inside)
