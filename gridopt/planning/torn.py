"""The least that changes hands at a grid whose units do not hang together."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["least_joined"]

MOST_PIECES = 9
"""Grids in more pieces have no bound from here: sets of pieces are gone through one by one."""


def least_joined(
    near: Callable[[int], list[int]],
    pieces: list[NDArray[np.int64]],
    weight: NDArray[np.int64],
    lacking: Callable[[NDArray[np.int64]], int],
) -> int:
    """
    Least weight of units that leave a grid in pieces, or join it, until it is in one; a lower bound.

    Parameters
    ----------
    near : callable
        Neighbours of a unit.
    pieces : list of ndarray of int64
        Units of each piece.
    weight : ndarray of int64, shape (n,)
        What counts as moved.
    lacking : callable
        Least weight that joins the grid where no more of it than these units stays.

    Notes
    -----
    Some pieces keep a unit, the others leave. Those that keep one are joined: at least by the lightest corridor between
    those two of them that are farthest apart.

    Examples
    --------
    >>> path = [[1], [0, 2], [1, 3], [2]]
    >>> ones = np.array([4, 3, 3, 5])
    >>> least_joined(path.__getitem__, [np.array([0]), np.array([3])], ones, lambda units: 0)
    4
    """
    count = len(pieces)
    if not 1 < count <= MOST_PIECES:
        return 0
    piece_of = {u: i for i, units in enumerate(pieces) for u in units.tolist()}
    apart = [_corridors(near, piece_of, i, weight, count) for i in range(count)]
    mass = [int(weight[units].sum()) for units in pieces]
    least = sum(mass) + lacking(np.empty(0, dtype=np.int64))
    for size in range(1, count + 1):
        for kept in combinations(range(count), size):
            joining = max((apart[i][j] for i, j in combinations(kept, 2)), default=0)
            leaving = sum(mass) - sum(mass[i] for i in kept)
            if leaving + joining < least:
                least = min(least, leaving + max(joining, lacking(np.concatenate([pieces[i] for i in kept]))))
    return least


def _corridors(
    near: Callable[[int], list[int]], piece_of: dict[int, int], start: int, weight: NDArray[np.int64], count: int
) -> list[int]:
    """Lightest way from a piece to each of the others, units of the grid counting nothing (Dijkstra's algorithm)."""
    begin = sorted(u for u, i in piece_of.items() if i == start)
    least: dict[int, int] = dict.fromkeys(begin, 0)
    heap, found = [(0, u) for u in begin], {start: 0}
    while heap and len(found) < count:
        total, u = heapq.heappop(heap)
        if total > least[u]:
            continue
        if u in piece_of:
            found.setdefault(piece_of[u], total)
        for v in near(u):
            further = total + (0 if v in piece_of else int(weight[v]))
            if v not in least or further < least[v]:
                least[v] = further
                heapq.heappush(heap, (further, v))
    return [found.get(i, int(weight.sum()) + 1) for i in range(count)]
