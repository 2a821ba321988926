"""Gaps in streets: two dead ends that face each other, or one that points at a line close by."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.territory._linework import OVERSHOOT, dangling_ends

__all__ = ["bridge_gaps"]

FACING = 0.7
"""Cosine above which an end points at another: 45 degrees."""

Array = NDArray[Any]


def bridge_gaps(lines: Array, gap: float, level: Array | None = None) -> tuple[Array, NDArray[np.float64]]:
    """
    Draw the missing pieces of streets.

    Parameters
    ----------
    lines : ndarray of LineString, shape (n,)
        Joints of ends that nearly touch among them.
    gap : float
        Metres; 0 draws none.
    level : ndarray of int64, shape (n,), optional
        Only lines of one level are joined.

    Returns
    -------
    bridges : ndarray of LineString, shape (b,)
    metres : ndarray of float64, shape (b,)
        Length of each, the shortest first.

    Notes
    -----
    A dead end is joined to the nearest dead end within `gap` that it points at and that points back at it, within 45
    degrees; else to the line its straight continuation meets within `gap`.

    Examples
    --------
    >>> lines = np.array([shapely.LineString([(0, 0), (10, 0)]), shapely.LineString([(14, 1), (30, 1)])])
    >>> bridge_gaps(lines, 5.0)[0].tolist()
    [<LINESTRING (10 0, 14 1)>]
    >>> len(bridge_gaps(lines, 4.0)[0])
    0
    """
    level = np.zeros(len(lines), dtype=np.int64) if level is None else level
    xy, line, end, inner = dangling_ends(lines)
    if gap <= 0 or not len(end):
        return np.empty(0, dtype=object), np.empty(0)
    ahead = xy[end] - xy[inner]
    ahead = ahead / np.maximum(np.hypot(*ahead.T), 1e-12)[:, None]
    i, j = _facing(xy[end], ahead, level[line[end]], line[end], gap)
    pairs = shapely.linestrings(np.stack([xy[end[i]], xy[end[j]]], axis=1))
    rest = np.setdiff1d(np.arange(len(end)), np.r_[i, j])
    tips = _tips(lines, level, xy[end[rest]], ahead[rest], line[end[rest]], gap)
    bridges = np.concatenate([pairs, tips])
    metres = shapely.length(bridges)
    order = np.argsort(metres, kind="stable")
    return bridges[order], metres[order]


def _facing(xy: Array, ahead: Array, level: Array, line: Array, gap: float) -> tuple[Array, Array]:
    """Pairs of ends that are each other's nearest among those they point at."""
    points = shapely.points(xy)
    i, j = shapely.STRtree(points).query(points, predicate="dwithin", distance=gap)
    step = xy[j] - xy[i]
    metres = np.hypot(*step.T)
    use = (i != j) & (metres > 0) & (level[i] == level[j]) & (line[i] != line[j])
    use &= (step * ahead[i]).sum(axis=1) >= FACING * metres
    use &= (-step * ahead[j]).sum(axis=1) >= FACING * metres
    i, j, metres = i[use], j[use], metres[use]
    order = np.lexsort((j, metres, i))
    i, j = i[order], j[order]
    first = np.flatnonzero(np.r_[True, i[1:] != i[:-1]]) if len(i) else i
    best = np.full(len(xy), -1, dtype=np.int64)
    best[i[first]] = j[first]
    mutual = np.flatnonzero((best >= 0) & (best[best] == np.arange(len(xy))) & (best > np.arange(len(xy))))
    return mutual, best[mutual]


def _tips(lines: Array, level: Array, xy: Array, ahead: Array, own: Array, gap: float) -> Array:
    """Straight continuations up to the first line they meet within `gap`, and a hair further."""
    if not len(xy):
        return np.empty(0, dtype=object)
    rays = shapely.linestrings(np.stack([xy + 1e-6 * ahead, xy + gap * ahead], axis=1))
    i, s = shapely.STRtree(lines).query(rays, predicate="intersects")
    use = (level[s] == level[own[i]]) & (s != own[i])
    i, s = i[use], s[use]
    if not len(i):
        return np.empty(0, dtype=object)
    metres = shapely.distance(shapely.points(xy[i]), shapely.intersection(rays[i], lines[s]))
    order = np.lexsort((metres, i))
    i, metres = i[order], metres[order]
    first = np.flatnonzero(np.r_[True, i[1:] != i[:-1]])
    i, metres = i[first], metres[first]
    return shapely.linestrings(np.stack([xy[i], xy[i] + (metres + OVERSHOOT)[:, None] * ahead[i]], axis=1))
