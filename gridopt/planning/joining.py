"""Joining: the ways in which a part that lies in pieces becomes one again, the most promising first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components, dijkstra

from gridopt.solvers.piece import Piece

__all__ = ["joinings", "torn_parts"]

MOST_PIECES = 4
"""Heaviest pieces of a part of which all sets are gone through; further ones are given up."""


def torn_parts(
    piece: Piece, labels: NDArray[np.int32], weight: NDArray[np.int64]
) -> dict[int, list[NDArray[np.int64]]]:
    """
    Nodes of the pieces of each part in several, the heaviest first.

    Parameters
    ----------
    piece : Piece
    labels : ndarray of int32, shape (n,)
        -1 where a node has none.
    weight : ndarray of int64, shape (n,)
    """
    rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
    same = (labels[rows] == labels[piece.indices]) & (labels[rows] >= 0)
    links = np.ones(int(same.sum()), np.int8), (rows[same], piece.indices[same])
    _, comp = connected_components(sparse.csr_matrix(links, shape=(piece.n_nodes,) * 2), directed=False)
    order = np.argsort(comp, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(comp[order])) + 1)
    found: dict[int, list[NDArray[np.int64]]] = {}
    for nodes in groups:
        if (part := int(labels[nodes[0]])) >= 0:
            found.setdefault(part, []).append(nodes)
    return {
        part: sorted(pieces, key=lambda nodes: (-int(weight[nodes].sum()), int(nodes[0])))
        for part, pieces in sorted(found.items())
        if len(pieces) > 1
    }


def joinings(
    piece: Piece,
    labels: NDArray[np.int32],
    part: int,
    pieces: Sequence[NDArray[np.int64]],
    weight: NDArray[np.int64],
    barred: NDArray[np.bool_],
) -> Iterator[NDArray[np.int32]]:
    """
    Yield labels in which some pieces of a part are joined by light corridors, the other pieces having no part (-1).

    Parameters
    ----------
    piece : Piece
    labels : ndarray of int32, shape (n,)
    part : int
    pieces : sequence of ndarray of int64
        As by `torn_parts`.
    weight : ndarray of int64, shape (n,)
        What counts when a node changes its part.
    barred : ndarray of bool, shape (n,)
        Nodes that cannot join the part.

    Notes
    -----
    Sets of pieces come in the order of what leaves, what joins, and what the part and those that give then lack.
    Corridors are found by Dijkstra's algorithm, twice: by weight, and with nodes counting double whose part would fall
    below its limits without them.
    """
    loads = np.zeros_like(piece.lo)
    np.add.at(loads, labels[labels >= 0], piece.workload[labels >= 0])
    giver = np.maximum(labels, 0)
    needed = (labels >= 0) & ((loads[giver] - piece.workload) < piece.lo[giver]).any(axis=1)
    tries: dict[bytes, tuple[int, NDArray[np.int32]]] = {}
    for size in range(1, min(len(pieces), MOST_PIECES) + 1):
        for kept in combinations(range(min(len(pieces), MOST_PIECES)), size):
            for price in (weight, weight * (1 + needed)):
                nodes = _joined(piece, [pieces[i] for i in kept], price, barred)
                if nodes is None:
                    continue
                other = np.array(labels)
                for i in set(range(len(pieces))) - set(kept):
                    other[pieces[i]] = -1
                other[nodes] = part
                tries.setdefault(other.tobytes(), (_worth(piece, labels, other, weight), other))
    for _, other in sorted(tries.values(), key=lambda found: found[0]):
        yield other


def _worth(piece: Piece, labels: NDArray[np.int32], other: NDArray[np.int32], weight: NDArray[np.int64]) -> int:
    """Weight that moves at once, and that parts lack then (first attribute)."""
    loads = np.bincount(other[other >= 0], weights=piece.workload[other >= 0, 0], minlength=piece.n_parts)
    lack = np.maximum(0.0, piece.lo[:, 0] - loads).sum() * float(weight.sum()) / max(1, int(piece.workload[:, 0].sum()))
    return int(weight[other != labels].sum()) + int(lack)


def _joined(
    piece: Piece, pieces: list[NDArray[np.int64]], price: NDArray[np.int64], barred: NDArray[np.bool_]
) -> NDArray[np.int64] | None:
    """Nodes that join pieces, the nearest one after the other to the first; None where there is no way."""
    inside = np.zeros(piece.n_nodes, dtype=bool)
    inside[pieces[0]] = True
    left, chosen = list(pieces[1:]), []
    while left:
        way = _way(piece, inside, np.concatenate(left), price, barred)
        if way is None:
            return None
        reached = next(i for i, nodes in enumerate(left) if way[-1] in nodes)
        chosen += way[:-1]
        inside[[*way, *left.pop(reached)]] = True
    return np.array(sorted(chosen), dtype=np.int64)


def _way(
    piece: Piece,
    inside: NDArray[np.bool_],
    goals: NDArray[np.int64],
    price: NDArray[np.int64],
    barred: NDArray[np.bool_],
) -> list[int] | None:
    """Lightest way from `inside` to a goal, both ends free, the shortest of those: the nodes between, then the goal."""
    goal = np.zeros(piece.n_nodes, dtype=bool)
    goal[goals] = True
    toll = np.where(goal, 1.0, price * float(piece.n_nodes) + 1.0)
    rows, cols = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr)), piece.indices
    free = goal[cols] | ~barred[cols]
    ways = sparse.csr_matrix((toll[cols[free]], (rows[free], cols[free])), shape=(piece.n_nodes,) * 2)
    length, came, _ = dijkstra(ways, indices=np.flatnonzero(inside), return_predecessors=True, min_only=True)
    nearest = int(goals[np.argmin(length[goals])])
    if not np.isfinite(length[nearest]):
        return None
    way = [nearest]
    while not inside[came[way[-1]]]:
        way.append(int(came[way[-1]]))
    return way[::-1]
