"""Plans as shapes: units in the order of the graph, grids dissolved from them, the lines between grids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, GeometryError, InputError, name_ids

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["align_units", "dissolve", "lines_between", "touching_pairs"]

AREAL = (3, 6)
"""shapely type numbers of Polygon and MultiPolygon."""


def align_units(units: GeoDataFrame, ids: NDArray[Any]) -> GeoDataFrame:
    """
    Return the rows of `units` in the order of `ids`: tables are matched by index, never by position.

    Parameters
    ----------
    units : GeoDataFrame
        Polygons, indexed by unit id.
    ids : ndarray of int64 or object (text), shape (n,)
        Unit ids of a graph.

    Raises
    ------
    InputError
        If an id repeats, or `units` and the graph do not hold the same ids.
    GeometryError
        If a unit is no polygon, or an invalid one.

    Examples
    --------
    >>> import geopandas as gpd, numpy as np, shapely
    >>> units = gpd.GeoDataFrame(index=["b", "a"], geometry=shapely.box([1, 0], 0, [2, 1], 1))
    >>> align_units(units, np.array(["a", "b"], dtype=object)).index.tolist()
    ['a', 'b']
    """
    import shapely

    _same_ids(units.index, ids)
    aligned = units.loc[list(ids)]
    shapes = aligned.geometry.to_numpy()
    empty = ~np.isin(shapely.get_type_id(shapes), AREAL) | shapely.is_empty(shapes)
    bad = np.flatnonzero(empty | ~shapely.is_valid(shapes))
    if len(bad):
        cure = "Grids are dissolved from valid polygons: mend or leave out these units before solving."
        raise GeometryError(
            f"{len(bad)} units are no polygons (first: {name_ids(aligned.index[bad[:5]].tolist())}, "
            f"{_what_is_wrong(shapes[bad[0]])}). {cure}",
            [Finding("not-a-polygon", "error", tuple(aligned.index[bad[:50]]), None, None, cure)],
        )
    return aligned


def _what_is_wrong(shape: Any) -> str:
    import shapely

    if shape is None:
        return "missing"
    if shape.is_empty:
        return f"an empty {shape.geom_type}"
    return str(shapely.is_valid_reason(shape)) if shapely.get_type_id(shape) in AREAL else str(shape.geom_type)


def _same_ids(index: Any, ids: NDArray[Any]) -> None:
    twice = index[index.duplicated()].unique()
    if len(twice):
        raise InputError(
            f"{len(twice)} unit ids occur more than once in the units table (first: {name_ids(twice)}). "
            "Give each unit one row.",
            [Finding("duplicate-id", "error", tuple(twice[:50]), None, None, "Give each unit one row.")],
        )
    missing = [i for i in ids.tolist() if i not in index]
    extra = index[~index.isin(ids)].tolist()
    for code, odd, where in (("missing-unit", missing, "the units table"), ("unknown-unit", extra, "the plan")):
        if odd:
            hint = "Give the units the plan was made for, indexed by unit id."
            if len(missing) == len(ids):
                ours, theirs = type(ids.tolist()[0]).__name__, type(extra[0]).__name__ if extra else "nothing"
                hint = f"No id matches: the plan has {ours}, the index has {theirs}. Set the index to the unit ids."
            raise InputError(
                f"{len(odd)} units are not in {where} (first: {name_ids(odd)}). {hint}",
                [Finding(code, "error", tuple(odd[:50]), None, None, hint)],
            )


def dissolve(geometry: NDArray[Any], labels: NDArray[Any], k: int) -> NDArray[Any]:
    """
    Union of the polygons of each of `k` groups; exact where the polygons are a valid coverage.

    Parameters
    ----------
    geometry : ndarray of shapely Polygon or MultiPolygon, shape (n,)
        Not modified.
    labels : ndarray of int, shape (n,)
        Group of each polygon, in ``[0, k)``.
    k : int
        Number of groups. A group without polygons gives an empty polygon.

    Returns
    -------
    ndarray of shapely Polygon or MultiPolygon, shape (k,)

    Notes
    -----
    In a valid coverage (no overlaps, shared borders vertex by vertex the same) shared border lines are left out and
    everything else is kept vertex by vertex, so the result is again a valid coverage and no coordinate changes.
    Otherwise the general union is taken. O(v log v) in the number of vertices.

    Examples
    --------
    >>> import numpy as np, shapely
    >>> dissolve(shapely.box([0, 1, 2], 0, [1, 2, 3], 1), np.array([0, 0, 1]), 2)[0].area
    2.0
    """
    import shapely

    union = shapely.coverage_union_all if shapely.coverage_is_valid(geometry) else shapely.union_all
    order = np.argsort(labels, kind="stable")
    groups = np.split(geometry[order], np.searchsorted(labels[order], np.arange(1, k)))
    return np.array([_areal(union(g)) if len(g) else shapely.Polygon() for g in groups], dtype=object)


def _areal(shape: Any) -> Any:
    """Lines and points that a union of untidy polygons leaves behind are no part of a grid."""
    import shapely

    if shapely.get_type_id(shape) != 7:
        return shape
    parts = shapely.get_parts(shape)
    return shapely.union_all(parts[np.isin(shapely.get_type_id(parts), AREAL)])


def touching_pairs(polygons: NDArray[Any]) -> NDArray[np.int64]:
    """
    Pairs of polygons that touch or overlap, the smaller position first, in lexicographic order, shape (m, 2).

    Examples
    --------
    >>> import shapely
    >>> touching_pairs(shapely.box([0, 1, 5], 0, [1, 2, 6], 1)).tolist()
    [[0, 1]]
    """
    import shapely

    pairs = shapely.STRtree(polygons).query(polygons, predicate="intersects").T
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int64)


def lines_between(polygons: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """
    Lines shared by the boundaries of two polygons.

    Parameters
    ----------
    polygons : ndarray of shapely Polygon or MultiPolygon, shape (k,)

    Returns
    -------
    pairs : ndarray of int64, shape (m, 2)
        Positions of the two polygons, the smaller first, in lexicographic order; contacts in points are left out.
    lines : ndarray of shapely LineString or MultiLineString, shape (m,)
        The shared line of each pair, merged into as few parts as possible.

    Examples
    --------
    >>> import shapely
    >>> pairs, lines = lines_between(shapely.box([0, 1, 2], [0, 0, 1], [1, 2, 3], [1, 1, 2]))
    >>> pairs.tolist(), lines[0].length
    ([[0, 1]], 1.0)
    """
    import shapely

    pairs = touching_pairs(polygons)
    outline = shapely.boundary(polygons)
    shared = shapely.intersection(outline[pairs[:, 0]], outline[pairs[:, 1]])
    parts, pair_idx = shapely.get_parts(shared, return_index=True)
    parts, inner = shapely.get_parts(parts, return_index=True)
    pair_idx = pair_idx[inner]
    linear = shapely.get_type_id(parts) == 1
    kept, new = np.unique(pair_idx[linear], return_inverse=True)
    lines = shapely.multilinestrings(parts[linear], indices=new) if len(kept) else np.empty(0, dtype=object)
    return pairs[kept], shapely.line_merge(lines)
