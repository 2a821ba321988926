"""Levels: a bridge and the street under it do not meet, so a street that ends under a bridge is a dead end."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.territory._mesh import end_points

__all__ = ["drop_dead_ends"]

ON_LINE = 0.01

Array = NDArray[Any]


def drop_dead_ends(pieces: Array, lines: Array, level: Array) -> tuple[NDArray[np.bool_], int]:
    """
    Tell which noded pieces are no dead ends once lines of different levels do not meet where they only cross.

    Parameters
    ----------
    pieces : ndarray of LineString, shape (p,)
        All lines noded together, whatever their level.
    lines : ndarray of LineString, shape (n,)
        What the pieces were made of.
    level : ndarray of int64, shape (n,)
        0 is the ground.

    Returns
    -------
    alive : ndarray of bool, shape (p,)
        False for pieces that hang on one end only, and for those that hang on these.
    n_under : int
        How many of these would be none if all lines met that cross.

    Notes
    -----
    Lines of two levels meet where both have a vertex; crossings without one are no nodes. O(v log v).

    Examples
    --------
    >>> street, bridge = shapely.LineString([(0, 0), (9, 0)]), shapely.LineString([(5, -4), (5, 4)])
    >>> pieces = shapely.get_parts(shapely.union_all([street, bridge]))
    >>> drop_dead_ends(pieces, np.array([street, bridge]), np.array([0, 1]))[0].any()
    np.False_
    """
    of = _levels_of(pieces, lines, level)
    ends = end_points(pieces)
    xy, owner = shapely.get_coordinates(lines, return_index=True)
    points = np.concatenate([ends.reshape(-1, 2), xy])
    _, code = np.unique(points, axis=0, return_inverse=True)
    code = code.ravel()
    node, vertex = code[: 2 * len(pieces)], code[2 * len(pieces) :]
    n = int(code.max(initial=-1)) + 1
    low, high = np.full(n, 99, dtype=np.int64), np.full(n, -99, dtype=np.int64)
    np.minimum.at(low, vertex, level[owner])
    np.maximum.at(high, vertex, level[owner])
    is_shared = (high > low)[node]
    key = np.stack([node, np.where(is_shared, 99, np.repeat(of, 2))], axis=1)
    _, at = np.unique(key, axis=0, return_inverse=True)
    alive = _core(at.ravel().reshape(-1, 2))
    flat = _core(np.unique(node, return_inverse=True)[1].reshape(-1, 2))
    return alive, int((flat & ~alive).sum())


def _levels_of(pieces: Array, lines: Array, level: Array) -> NDArray[np.int64]:
    """Level of each piece: that of the line it lies on; the one nearest to the ground of several."""
    found = np.zeros(len(pieces), dtype=np.int64)
    off = np.flatnonzero(level != 0)
    xy, line = shapely.get_coordinates(pieces, return_index=True)
    first = np.flatnonzero(np.r_[True, line[1:] != line[:-1]])
    middle = shapely.points((xy[first] + xy[first + 1]) / 2)
    i, s = shapely.STRtree(lines[off]).query(middle, predicate="dwithin", distance=ON_LINE)
    order = np.lexsort((-level[off[s]], -np.abs(level[off[s]]), i))
    found[i[order]] = level[off[s[order]]]
    ground = np.unique(i)
    if len(ground):
        on, _ = shapely.STRtree(lines[level == 0]).query(middle[ground], predicate="dwithin", distance=ON_LINE)
        found[ground[np.unique(on)]] = 0
    return found


def _core(ends: Array) -> NDArray[np.bool_]:
    """Edges of the part of a graph in which every node has two edges or more."""
    alive = np.ones(len(ends), dtype=bool)
    degree = np.bincount(ends.ravel(), minlength=int(ends.max(initial=-1)) + 1)
    order = np.argsort(ends.ravel(), kind="stable")
    start = np.r_[0, np.cumsum(degree)]
    queue = np.flatnonzero(degree == 1).tolist()
    while queue:
        node = queue.pop()
        for slot in order[start[node] : start[node + 1]].tolist():
            edge = slot // 2
            if alive[edge]:
                alive[edge] = False
                other = int(ends[edge, 1 - slot % 2])
                degree[node] -= 1
                degree[other] -= 1
                if degree[other] == 1:
                    queue.append(other)
    return alive
