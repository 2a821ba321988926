"""Linework: join ends that nearly touch, node, and collect the faces inside an area."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

__all__ = ["dangling_ends", "faces_within", "join_near_ends"]

OVERSHOOT = 0.001
"""Metres a joint is drawn past the line it meets, so that the two truly cross; the stub is a dangling end."""


def dangling_ends(lines: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """
    Ends of lines at which no other vertex lies.

    Returns
    -------
    xy : ndarray of float64, shape (v, 2)
        Vertices of all lines.
    line : ndarray of int64, shape (v,)
        Line of each vertex.
    end, inner : ndarray of int64, shape (e,)
        Positions of the dangling ends among the vertices, and of the vertex before each.

    Examples
    --------
    >>> lines = shapely.linestrings([[(0, 0), (5, 0)], [(5, 0), (5, 9)]])
    >>> xy, _, end, inner = dangling_ends(lines)
    >>> xy[end].tolist(), xy[inner].tolist()
    ([[0.0, 0.0], [5.0, 9.0]], [[5.0, 0.0], [5.0, 0.0]])
    """
    xy, line = shapely.get_coordinates(lines, return_index=True)
    is_last, is_first = np.r_[line[1:] != line[:-1], True], np.r_[True, line[1:] != line[:-1]]
    _, where, counts = np.unique(xy, axis=0, return_inverse=True, return_counts=True)
    end = np.flatnonzero((counts[where.ravel()] == 1) & (is_first | is_last))
    return xy, line, end, np.where(is_first[end], end + 1, end - 1)


def join_near_ends(
    lines: NDArray[Any], snap: float, level: NDArray[np.int64] | None = None
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """
    Draw the joints between dangling ends and the nearest other line within `snap`.

    Parameters
    ----------
    lines : ndarray of LineString, shape (n,)
        In metres; rings may be among them.
    snap : float
        Metres. 0 draws none.
    level : ndarray of int64, shape (n,), optional
        Ends are joined to lines of their own level only.

    Returns
    -------
    joints : ndarray of LineString, shape (j,)
        One per dangling end that was joined, to be added to `lines`.
    gaps : ndarray of float64, shape (j,)
        Metres between the end and the line it was joined to; 0 where it touched between two vertices.

    Notes
    -----
    An end dangles when no other vertex has its very coordinates. Its own line counts as another one from a
    distance of ``2 * snap`` along it, so a ring that does not quite close is closed. Ties go to the segment that comes
    first. O(v log v) for v vertices.
    """
    if snap <= 0 or len(lines) == 0:
        return np.empty(0, dtype=object), np.empty(0)
    xy, line = shapely.get_coordinates(lines, return_index=True)
    is_last = np.r_[line[1:] != line[:-1], True]
    is_first = np.r_[True, line[1:] != line[:-1]]
    _, where, counts = np.unique(xy, axis=0, return_inverse=True, return_counts=True)
    dangling = np.flatnonzero((counts[where.ravel()] == 1) & (is_first | is_last))
    if len(dangling) == 0:
        return np.empty(0, dtype=object), np.empty(0)
    start = np.flatnonzero(~is_last)
    segments = shapely.linestrings(np.stack([xy[start], xy[start + 1]], axis=1))
    points = shapely.points(xy[dangling])
    i, s = shapely.STRtree(segments).query(points, predicate="dwithin", distance=snap)
    away = _is_elsewhere(xy, line, is_first, is_last, dangling[i], start[s], 2 * snap)
    if level is not None:
        away &= level[line[dangling[i]]] == level[line[start[s]]]
    i, s = i[away], s[away]
    distance = shapely.distance(points[i], segments[s])
    order = np.lexsort((s, distance, i))
    nearest = order[np.r_[True, i[order][1:] != i[order][:-1]]] if len(order) else order
    i, s = i[nearest], s[nearest]
    return _joints(xy, is_first, dangling[i], points[i], segments[s]), distance[nearest]


def _is_elsewhere(
    xy: NDArray[np.float64],
    line: NDArray[np.int64],
    is_first: NDArray[np.bool_],
    is_last: NDArray[np.bool_],
    end: NDArray[np.int64],
    start: NDArray[np.int64],
    near: float,
) -> NDArray[np.bool_]:
    """Whether the segment from vertex `start` is of another line than vertex `end`, or far along its own."""
    step = np.r_[0.0, np.hypot(*np.diff(xy, axis=0).T)]
    step[is_first] = 0.0
    along = np.cumsum(step)
    first, last = np.flatnonzero(is_first)[line], np.flatnonzero(is_last)[line]
    from_first = along[start] - along[first[start]]
    from_last = along[last[start]] - along[start + 1]
    return (line[end] != line[start]) | (np.where(is_first[end], from_first, from_last) >= near)


def _joints(
    xy: NDArray[np.float64],
    is_first: NDArray[np.bool_],
    end: NDArray[np.int64],
    points: NDArray[Any],
    targets: NDArray[Any],
) -> NDArray[Any]:
    """Draw end -> foot on the target -> a little further; ends that touch already go on in their own direction."""
    if len(end) == 0:
        return np.empty(0, dtype=object)
    here = xy[end]
    foot = shapely.get_coordinates(shapely.line_interpolate_point(targets, shapely.line_locate_point(targets, points)))
    ahead = foot - here
    own = here - xy[np.where(is_first[end], end + 1, end - 1)]
    direction = np.where(np.hypot(*ahead.T)[:, None] > 1e-6, ahead, own)
    beyond = foot + OVERSHOOT * direction / np.maximum(np.hypot(*direction.T), 1e-12)[:, None]
    return shapely.linestrings(np.stack([here, foot, beyond], axis=1))


def faces_within(lines: NDArray[Any], area: Any) -> NDArray[Any]:
    """
    Return the faces that `lines` make and that lie in `area`, whose outline must be among them.

    Parameters
    ----------
    lines : ndarray of LineString
        Crossing each other as they please.
    area : Polygon or MultiPolygon
        The territory.

    Returns
    -------
    ndarray of Polygon, shape (f,)
        Sharing their borders vertex by vertex; in canonical form. Dangling ends bound nothing.
    """
    noded = shapely.union_all(lines)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    shapely.prepare(area)
    inside = shapely.contains_properly(area, shapely.point_on_surface(faces))
    return shapely.normalize(faces[inside])
