"""Barriers that part neighbours (rivers, rail, expressways), and crossings that join them again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.territory.along import PARALLEL
from gridopt.territory.borders import Borders
from gridopt.territory.segments import explode, intervals_along, merge, near_pairs

__all__ = ["REACH", "anchors", "blocked_intervals", "join_over", "line_ends", "nearest_units", "units_inside"]

REACH = 50.0
"""Metres from the end of a bridge or ferry to its unit, and from a crossing point to the border it crosses."""
GAP_REACH = 500.0
"""Metres across a gap between units, such as a wide river, that a crossing drawn as a point may span."""

Array = NDArray[Any]


def blocked_intervals(borders: Borders, barriers: Any, tolerance: float) -> tuple[Array, Array, Array]:
    """
    Where borders run along a barrier line or the bank of a barrier area, or inside the area.

    Parameters
    ----------
    borders : Borders
    barriers : GeoDataFrame or GeoSeries
        Lines and polygons, in metres.
    tolerance : float
        Largest distance of a line or bank from the border it runs along, in metres.

    Returns
    -------
    stretch : ndarray of int64, shape (q,)
        Position of the stretch in `borders`.
    low, high : ndarray of float64, shape (q,)
        Metres from its start; disjoint and sorted.
    """
    import shapely

    parts = shapely.get_parts(np.asarray(barriers.geometry))
    areas = parts[shapely.get_dimensions(parts) == 2]
    lines = np.concatenate([parts[shapely.get_dimensions(parts) == 1], shapely.get_rings(areas)])
    _, start, end = explode(lines)
    i, j = near_pairs(borders.start, borders.end, start, end, tolerance)
    low, high, cosine = intervals_along(borders.start[i], borders.end[i], start[j], end[j], tolerance)
    along = np.abs(cosine) >= PARALLEL
    stretch, low, high = merge(i[along], low[along], high[along])
    if not len(areas):
        return stretch, low, high
    inside = _inside(borders, areas, stretch, high - low)
    return merge(*(np.concatenate(columns) for columns in zip((stretch, low, high), inside)))


def _inside(borders: Borders, areas: Array, stretch: Array, done: Array) -> tuple[Array, Array, Array]:
    """Intervals of the stretches that lie inside barrier areas; stretches blocked all along are not looked at again."""
    import shapely

    length = borders.metres()
    rest = np.flatnonzero(np.bincount(stretch, weights=done, minlength=len(length)) < length - 1e-3)
    lines = shapely.linestrings(np.stack([borders.start[rest], borders.end[rest]], axis=1))
    shapely.prepare(areas)
    i, j = shapely.STRtree(areas).query(lines, predicate="intersects")
    pieces, owner = shapely.get_parts(shapely.intersection(lines[i], areas[j]), return_index=True)
    is_line = shapely.get_dimensions(pieces) == 1
    pieces, owner = pieces[is_line], rest[i[owner[is_line]]]
    ends = np.stack([shapely.get_coordinates(shapely.get_point(pieces, at)) for at in (0, -1)])
    metres = np.sort(np.linalg.norm(ends - borders.start[owner], axis=2), axis=0)
    return owner, metres[0], metres[1]


def units_inside(polygons: Array, barriers: Any) -> NDArray[np.bool_]:
    """Tell which units lie mostly inside barrier areas, as blocks made of a river do. bool of shape (n,)."""
    import shapely

    parts = shapely.get_parts(np.asarray(barriers.geometry))
    areas = parts[shapely.get_dimensions(parts) == 2]
    shapely.prepare(areas)
    within, _ = shapely.STRtree(areas).query(shapely.point_on_surface(polygons), predicate="intersects")
    within = np.unique(within)
    i, j = shapely.STRtree(areas).query(polygons[within], predicate="intersects")
    common = np.bincount(i, shapely.area(shapely.intersection(polygons[within[i]], areas[j])), minlength=len(within))
    inside = np.zeros(len(polygons), dtype=bool)
    inside[within] = common > 0.5 * shapely.area(polygons[within])
    return inside


def anchors(pair: Array, metres: Array, inside: Array) -> NDArray[np.bool_]:
    """
    Choose the one border by which each unit inside a barrier belongs to its surroundings.

    Parameters
    ----------
    pair : ndarray of int64, shape (m, 2)
    metres : ndarray of float64, shape (m,)
    inside : ndarray of bool, shape (n,)
        Units that lie inside barriers.

    Returns
    -------
    ndarray of bool, shape (m,)
        The longest border with a unit outside; where there is none, the longest with a unit that is joined already. So
        the units inside hang on the banks like leaves and never connect two of them.

    Examples
    --------
    >>> pair, metres = np.array([[0, 1], [1, 2], [1, 3]]), np.array([5.0, 9.0, 7.0])
    >>> anchors(pair, metres, np.array([False, True, False, True])).tolist()
    [False, True, True]
    """
    joined = ~inside
    chosen = np.zeros(len(pair), dtype=bool)
    while True:
        open_edges = np.flatnonzero(joined[pair].sum(axis=1) == 1)
        if not len(open_edges):
            return chosen
        leaf = np.where(joined[pair[open_edges, 0]], pair[open_edges, 1], pair[open_edges, 0])
        order = np.lexsort((open_edges, -metres[open_edges], leaf))
        leaves, first = np.unique(leaf[order], return_index=True)
        chosen[open_edges[order[first]]] = True
        joined[leaves] = True


def nearest_units(polygons: Array, points: Array, reach: float = REACH) -> NDArray[np.int64]:
    """Position of the unit that holds each point, or the nearest within `reach` metres, else -1; ties: the first."""
    import shapely

    found = np.full(len(points), -1, dtype=np.int64)
    if len(points):
        i, j = shapely.STRtree(polygons).query_nearest(points, max_distance=reach, all_matches=True)
        order = np.lexsort((-j, i))
        found[i[order]] = j[order]
    return found


def line_ends(line: Any) -> list[Any]:
    """First and last point of a line; a line in several pieces is merged where they meet."""
    import shapely

    parts = shapely.get_parts(shapely.line_merge(line))
    return [shapely.get_point(parts[0], 0), shapely.get_point(parts[-1], -1)]


def join_over(polygons: Array, crossings: Any, blocked: Borders) -> tuple[Array, tuple[Finding, ...]]:
    """
    Pairs of units that crossings join.

    Parameters
    ----------
    polygons : ndarray of Polygon, MultiPolygon or None, shape (n,)
        None for units that lie inside barriers and are not to be joined.
    crossings : GeoDataFrame or GeoSeries
        Bridges, tunnels, level crossings: points or lines, in metres.
    blocked : Borders
        Stretches of the borders that barriers took away.

    Returns
    -------
    pairs : ndarray of int64, shape (q, 2)
        The smaller position first; sorted, each once.
    findings : tuple of Finding
        Crossings that join nothing.

    Notes
    -----
    A line joins the units on both sides of each blocked border it crosses, and those at the two ends of each of its
    pieces that lie in no unit; an end may be `REACH` short. A point joins the units on both sides of the nearest
    blocked border within `REACH`, else, when it lies in a gap between units, the nearest unit and the nearest one on
    the other side.
    """
    import shapely

    tree = shapely.STRtree(shapely.linestrings(np.stack([blocked.start, blocked.end], axis=1)))
    units = shapely.STRtree(polygons)
    pairs: list[tuple[int, int]] = []
    unused = []
    for name, shape in zip(crossings.index.tolist(), np.asarray(crossings.geometry)):
        joined = []
        for part in shapely.get_parts(shape):
            if shapely.get_dimensions(part) == 0:
                joined += _nearest_border(part, tree, blocked.pair) or _over_gap(part, units, polygons)
            else:
                joined += _crossed_borders(part, tree, blocked.pair) + _between_banks(part, units, polygons)
        pairs += joined
        if not joined:
            unused.append(name)
    unique = np.unique(np.array(pairs, dtype=np.int64).reshape(-1, 2), axis=0)
    if not unused:
        return unique, ()
    cure = "Draw each crossing as a line whose two ends lie in the units it joins, or declare links=."
    return unique, (Finding("crossing-unused", "warning", tuple(unused), len(unused), None, cure),)


def _crossed_borders(line: Any, tree: Any, pair: Array) -> list[tuple[int, int]]:
    return sorted({(int(u), int(v)) for u, v in pair[tree.query(line, predicate="intersects")]})


def _nearest_border(point: Any, tree: Any, pair: Array) -> list[tuple[int, int]]:
    if not len(tree):
        return []
    return sorted({(int(u), int(v)) for u, v in pair[tree.query_nearest(point, max_distance=REACH)]})[:1]


def _between_banks(line: Any, units: Any, polygons: Array) -> list[tuple[int, int]]:
    """Units at the two ends of each piece of a line that lies in no unit (or in a barrier)."""
    import shapely

    ground = shapely.union_all(polygons[np.sort(units.query(line, predicate="intersects"))])
    pieces = shapely.get_parts(shapely.line_merge(shapely.difference(line, ground)))
    pieces = pieces[~shapely.is_empty(pieces)]
    ends = np.array([point for piece in pieces for point in line_ends(piece)], dtype=object)
    return [(u, v) for u, v in np.sort(nearest_units(polygons, ends).reshape(-1, 2), axis=1).tolist() if 0 <= u < v]


def _over_gap(point: Any, units: Any, polygons: Array) -> list[tuple[int, int]]:
    """Return the nearest unit and the nearest one on the far side of a point that lies in no unit."""
    import shapely

    near = np.sort(units.query(point, predicate="dwithin", distance=GAP_REACH))
    foot = shapely.get_coordinates(shapely.get_point(shapely.shortest_line(point, polygons[near]), -1))
    away = foot - shapely.get_coordinates(point)
    distance = np.linalg.norm(away, axis=1)
    if not len(near) or distance.min() == 0:
        return []
    first = int(distance.argmin())
    far = np.flatnonzero(away @ away[first] < -0.5 * distance * distance[first])
    if not len(far):
        return []
    u, v = sorted((int(near[first]), int(near[far[distance[far].argmin()]])))
    return [(u, v)]
