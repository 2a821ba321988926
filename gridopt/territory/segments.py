"""Straight segments as arrays: which run along which, from where to where. All lengths and offsets in metres."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["complement", "explode", "intervals_along", "merge", "near_pairs", "union_length"]

NO_LENGTH = 1e-6
"""Metres below which an interval counts as empty: far above rounding of projected coordinates, far below data."""

Array = NDArray[Any]


def explode(lines: Array) -> tuple[Array, Array, Array]:
    """
    Break lines or rings into their straight segments.

    Parameters
    ----------
    lines : ndarray of LineString or LinearRing, shape (l,)

    Returns
    -------
    line : ndarray of int64, shape (s,)
        Position of the line each segment belongs to.
    start, end : ndarray of float64, shape (s, 2)
        No segment is a point: repeated vertices are passed over.

    Examples
    --------
    >>> import shapely
    >>> line, start, end = explode(np.array([shapely.LineString([(0, 0), (9, 0), (9, 0), (9, 5)])]))
    >>> line.tolist(), start.tolist(), end.tolist()
    ([0, 0], [[0.0, 0.0], [9.0, 0.0]], [[9.0, 0.0], [9.0, 5.0]])
    """
    import shapely

    xy, owner = shapely.get_coordinates(lines, return_index=True)
    inside = (owner[1:] == owner[:-1]) & (xy[1:] != xy[:-1]).any(axis=1)
    return owner[:-1][inside], xy[:-1][inside], xy[1:][inside]


def near_pairs(start: Array, end: Array, other_start: Array, other_end: Array, distance: float) -> tuple[Array, Array]:
    """Positions (i, j) of the segments and the other segments at most `distance` metres apart; sorted."""
    import shapely

    if not len(start) or not len(other_start):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    tree = shapely.STRtree(shapely.linestrings(np.stack([other_start, other_end], axis=1)))
    segments = shapely.linestrings(np.stack([start, end], axis=1))
    i, j = tree.query(segments, predicate="dwithin", distance=distance)
    order = np.lexsort((j, i))
    return i[order], j[order]


def intervals_along(
    start: Array, end: Array, other_start: Array, other_end: Array, tolerance: float
) -> tuple[Array, Array, Array]:
    """
    For paired segments, the part of the first along which the second stays within `tolerance`.

    Parameters
    ----------
    start, end, other_start, other_end : ndarray of float64, shape (p, 2)
    tolerance : float
        Largest distance across, in metres.

    Returns
    -------
    low, high : ndarray of float64, shape (p,)
        Metres from `start`; ``high <= low`` where the two do not run along each other.
    cosine : ndarray of float64, shape (p,)
        Of the angle between the two directions: 1 same way, -1 opposite ways.

    Notes
    -----
    Distances are taken square to the first segment. So the segments of a bent line, seen from another line beside it,
    cover that line without gaps or double counts at the bends.

    Examples
    --------
    >>> a, b = np.array([[0., 0.]]), np.array([[10., 0.]])
    >>> low, high, cosine = intervals_along(a, b, np.array([[14., .5]]), np.array([[4., .5]]), tolerance=1.0)
    >>> low.tolist(), high.tolist(), cosine.tolist()
    ([4.0], [10.0], [-1.0])
    """
    length = np.linalg.norm(end - start, axis=1)
    along = (end - start) / length[:, None]
    other = other_end - other_start
    other_along = other / np.linalg.norm(other, axis=1, keepdims=True)
    cosine = (along * other_along).sum(axis=1)
    x0, y0 = _local(other_start - start, along)
    x1, y1 = _local(other_end - start, along)
    back = x1 < x0
    x0, x1, y0, y1 = np.where(back, x1, x0), np.where(back, x0, x1), np.where(back, y1, y0), np.where(back, y0, y1)
    slope = (y1 - y0) / np.maximum(x1 - x0, NO_LENGTH)
    flat = np.abs(slope) < 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = np.sort(np.stack([x0 + (-tolerance - y0) / slope, x0 + (tolerance - y0) / slope]), axis=0)
    beside = np.abs(y0) <= tolerance
    low = np.maximum(np.maximum(x0, 0.0), np.where(flat, np.where(beside, -np.inf, np.inf), cross[0]))
    high = np.minimum(np.minimum(x1, length), np.where(flat, np.inf, cross[1]))
    return low, high, cosine


def _local(offset: Array, along: Array) -> tuple[Array, Array]:
    """Coordinates along and across the direction `along`."""
    return (offset * along).sum(axis=1), offset[:, 1] * along[:, 0] - offset[:, 0] * along[:, 1]


def merge(group: Array, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """
    Unite the intervals of each group into disjoint ones, sorted by group and position. O(p log p).

    Examples
    --------
    >>> group, low, high = merge(np.array([7, 7, 9, 7]), np.array([0., 2., 0., 5.]), np.array([3., 4., 1., 6.]))
    >>> group.tolist(), low.tolist(), high.tolist()
    ([7, 7, 9], [0.0, 5.0, 0.0], [4.0, 6.0, 1.0])
    """
    keep = high - low > NO_LENGTH
    group, low, high = group[keep], low[keep], high[keep]
    if not len(group):
        return group, low, high
    order = np.lexsort((low, group))
    group, low, high = group[order], low[order], high[order]
    rank = np.cumsum(np.r_[0, group[1:] != group[:-1]])
    shift = rank * (high.max() - min(low.min(), 0.0) + 1.0)  # one number line: groups never meet
    reached = np.maximum.accumulate(shift + high)
    first = np.flatnonzero(np.r_[True, (shift + low)[1:] > reached[:-1] + NO_LENGTH])
    return group[first], low[first], np.maximum.reduceat(high, first)


def union_length(group: Array, low: Array, high: Array, n: int) -> NDArray[np.float64]:
    """Length of the union of the intervals of each group ``0 … n - 1``."""
    group, low, high = merge(group, low, high)
    return np.bincount(group, weights=high - low, minlength=n).astype(np.float64)


def complement(group: Array, low: Array, high: Array, length: Array) -> tuple[Array, Array, Array]:
    """
    What the intervals leave free of ``[0, length[g]]`` in each group ``g``, as intervals.

    Examples
    --------
    >>> free = complement(np.array([1]), np.array([2.]), np.array([3.]), np.array([5., 5.]))
    >>> [column.tolist() for column in free]
    [[0, 1, 1], [0.0, 0.0, 3.0], [5.0, 2.0, 5.0]]
    """
    group, low, high = merge(group, low, high)
    every = np.arange(len(length))
    owner = np.concatenate([every, group])
    begins, ends = np.concatenate([np.zeros(len(length)), high]), np.concatenate([length, low])
    first, last = np.lexsort((begins, owner)), np.lexsort((ends, owner))
    free_low, free_high, owner = begins[first], ends[last], owner[first]
    keep = free_high - free_low > NO_LENGTH
    return owner[keep], free_low[keep], free_high[keep]
