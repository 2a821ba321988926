"""Polygons that should tile a territory, cut into faces: each piece of ground once, with all units that claim it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.territory.segments import explode

__all__ = ["LEAST_AREA", "Faces", "average_widths", "cut_into_faces", "inner_widths", "mouths"]

LEAST_AREA = 1e-4
"""Square metres below which a face is rounding: one square centimetre. Smaller ones are mended, but not listed."""
GRIDS = (None, 1e-6, 1e-5, 1e-4)
"""Metres to which crossings of outlines are rounded, coarser where nearly parallel lines defeat the finer."""
MOST_MISSED = 1e-3
"""Square metres by which the faces may miss the areas of the polygons; more is a failure of noding."""
MANY_CORNERS = 100_000
"""Corners of an outline above which overlay with nearly the same outline slows down."""
BACK_WITHIN = 2.6e-4
"""
Share of the width by which a corner is off after growing and shrinking by half of it: GEOS makes one corner of two that
are closer than a thousandth of what it grows by.
"""
REACH_OF_MOUTH = 1e-3
"""Metres by which the line across the open end of a gap is drawn into the units on both sides, to meet them."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Faces:
    """
    The ground of polygons, cut along all their outlines.

    Parameters
    ----------
    shape : ndarray of Polygon, shape (f,)
        Disjoint; neighbours share their borders vertex by vertex.
    area : ndarray of float64, shape (f,)
        Square metres.
    face, unit : ndarray of int64, shape (q,)
        Who claims what: unit ``unit[i]`` covers face ``face[i]``; sorted by face, then unit.
    """

    shape: Array
    area: Array
    face: Array
    unit: Array

    @property
    def claims(self) -> NDArray[np.int64]:
        """How many units cover each face: 0 in gaps, 1 where all is well, more in overlaps."""
        return np.bincount(self.face, minlength=len(self.shape))

    def units_of(self, face: int) -> NDArray[np.int64]:
        """Positions of the units that cover a face."""
        low, high = np.searchsorted(self.face, [face, face + 1])
        found: NDArray[np.int64] = self.unit[low:high]
        return found


def cut_into_faces(polygons: Array, lines: Array | None = None) -> Faces:
    """
    Cut the ground of polygons, and what they enclose, along their outlines.

    Parameters
    ----------
    polygons : ndarray of Polygon or MultiPolygon, shape (n,)
        Valid, in metres.
    lines : ndarray of LineString, optional
        Further lines to cut along.

    Returns
    -------
    Faces

    Notes
    -----
    One noding of all outlines and one look at a point inside each face, O(s log s) for s segments. The areas of the
    polygons are the sums of the areas of their faces, up to rounding.

    Examples
    --------
    >>> import shapely
    >>> faces = cut_into_faces(shapely.box([0, 2], 0, [3, 5], 1))
    >>> sorted(zip(faces.area.tolist(), faces.claims.tolist()))
    [(1.0, 2), (2.0, 1), (2.0, 1)]
    """
    import shapely

    outlines = shapely.boundary(polygons)
    lines = outlines if lines is None else np.concatenate([outlines, lines])
    total = shapely.area(polygons).sum()
    best, least = Faces(np.empty(0, dtype=object), *(np.empty(0),) * 3), np.inf
    for grid in GRIDS:
        noded = shapely.union_all(lines, grid_size=grid)
        shape = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
        face, unit = shapely.STRtree(polygons).query(shapely.point_on_surface(shape), predicate="intersects")
        area = shapely.area(shape)
        missed = abs(area[face].sum() - total)
        if missed < least:
            order = np.lexsort((unit, face))
            best, least = Faces(shape, area, face[order], unit[order]), missed
        if missed <= MOST_MISSED:
            break
    return best


def average_widths(shapes: Array) -> NDArray[np.float64]:
    """Twice the area over the perimeter: the width of a strip, half the side of a square. Metres."""
    import shapely

    width: NDArray[np.float64] = 2 * shapely.area(shapes) / np.maximum(shapely.length(shapes), 1e-9)
    return width


def inner_widths(shapes: Array) -> NDArray[np.float64]:
    """
    Diameter of the largest circle inside each polygon, in metres; infinite where a strip is surely wider than 50 m.

    Examples
    --------
    >>> import shapely
    >>> inner_widths(shapely.box([0, 0], 0, [10, 4], [2, 4])).round(1).tolist()
    [2.0, 4.0]
    """
    import shapely

    width = np.full(len(shapes), np.inf)
    near = average_widths(shapes) < 25.0
    width[near] = 2 * shapely.length(shapely.maximum_inscribed_circle(shapes[near]))
    return width


def mouths(polygons: Array, width: float) -> NDArray[Any]:
    """
    Lines across the open ends of gaps between polygons that are at most `width` metres wide.

    Parameters
    ----------
    polygons : ndarray of Polygon or MultiPolygon, shape (n,)
    width : float

    Returns
    -------
    ndarray of LineString

    Notes
    -----
    Where the union of the polygons grows by half the width and shrinks again, narrow gaps close; what bounds them then,
    away from the polygons, are their mouths.

    Examples
    --------
    >>> import shapely
    >>> squares = shapely.box([0, 10.4], 0, [10, 20], 10)
    >>> shapely.length(mouths(squares, 1.0)).round(2).tolist()
    [0.4, 0.4]
    """
    import shapely

    ground = shapely.union_all(polygons)
    how = {"join_style": "mitre", "mitre_limit": 2.0}
    closed = _onto(shapely.buffer(shapely.buffer(ground, width / 2, **how), -width / 2, **how), ground, width)
    filled = shapely.get_parts(shapely.difference(closed, ground))
    filled = filled[shapely.area(filled) > LEAST_AREA]
    rings = shapely.get_rings(filled)
    _, start, end = explode(rings)
    sides = shapely.linestrings(np.stack([start, end], axis=1))
    middle = shapely.line_interpolate_point(sides, 0.5, normalized=True)
    outline = shapely.STRtree(shapely.linestrings(np.stack(explode(shapely.get_rings(ground))[1:], axis=1)))
    beside = np.unique(outline.query(middle, predicate="dwithin", distance=REACH_OF_MOUTH / 2)[0])
    free = np.ones(len(sides), dtype=bool)
    free[beside] = False
    start, end = start[free], end[free]
    length = np.linalg.norm(end - start, axis=1)
    along = REACH_OF_MOUTH * (end - start) / length[:, None]
    corners = shapely.points(shapely.get_coordinates(ground))
    tree = shapely.STRtree(corners)
    start, end = _to_corner(start, start - along, tree), _to_corner(end, end + along, tree)
    lines = shapely.linestrings(np.stack([start, end], axis=1))
    mouth: NDArray[Any] = lines[length <= 2 * width]
    return mouth


def _onto(closed: Any, ground: Any, width: float) -> Any:
    """
    Move corners of one shape that lie beside corners of the other onto these.

    Growing and shrinking by half the width brings a corner back to within a quarter of a thousandth of it. Where a
    million sides are nearly the same, overlay takes minutes; where they are exactly the same, seconds. Outlines of
    fewer than `MANY_CORNERS` are left alone: overlay copes with them.
    """
    import shapely
    from scipy.spatial import cKDTree

    at, known = shapely.get_coordinates(closed), shapely.get_coordinates(ground)
    if len(known) < MANY_CORNERS:
        return closed
    reach = min(BACK_WITHIN * width, REACH_OF_MOUTH / 2)
    far, row = cKDTree(known).query(at, distance_upper_bound=reach)
    at[np.isfinite(far)] = known[row[np.isfinite(far)]]
    moved = shapely.set_coordinates(closed, at)
    return moved if shapely.is_valid(moved) else closed


def _to_corner(xy: Array, beyond: Array, tree: Any) -> Array:
    """The corner at each point, exactly, else the point a little further on, inside the polygon whose side is met."""
    import shapely

    i, j = tree.query_nearest(shapely.points(xy), max_distance=REACH_OF_MOUTH / 2, all_matches=False)
    ends = beyond.copy()
    ends[i] = shapely.get_coordinates(tree.geometries[j])
    return ends
