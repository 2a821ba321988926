"""User layers -> checked GeoSeries or GeoDataFrames; each message about geometry is written once, here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, GeometryError, name_ids

__all__ = ["LINES", "POLYGONS", "as_layer", "check_layer", "clip_long", "is_null"]

LINES = ("LineString", "LinearRing", "MultiLineString")
POLYGONS = ("Polygon", "MultiPolygon")
LONG = 10_000
"""Vertices from which a shape that reaches beyond the territory is clipped to its surroundings."""
MARGIN = 1000.0
"""Metres around the territory within which shapes are kept whole, however many vertices they have."""


def as_layer(layer: Any, what: str, crs: Any = None) -> Any:
    """
    Return a GeoDataFrame or GeoSeries as it is; wrap shapely geometries, which have no system of their own, in `crs`.

    Raises
    ------
    GeometryError
        If `layer` is none of these.
    """
    import geopandas as gpd
    from shapely.geometry.base import BaseGeometry

    if isinstance(layer, gpd.GeoDataFrame):
        if layer.active_geometry_name is None:
            raise GeometryError(f"{what} has no geometry column. Set one with set_geometry().")
        return layer
    if isinstance(layer, gpd.GeoSeries):
        return layer
    if isinstance(layer, BaseGeometry):
        return gpd.GeoSeries([layer], crs=crs)
    if isinstance(layer, Sequence | np.ndarray) and all(g is None or isinstance(g, BaseGeometry) for g in layer):
        return gpd.GeoSeries(list(layer), crs=crs)
    raise GeometryError(f"{what} is a {type(layer).__name__}. Give a GeoDataFrame, a GeoSeries, or shapely geometries.")


def check_layer(layer: Any, what: str, kinds: Sequence[str], valid: bool = False) -> None:
    """
    Refuse a layer that has no rows, or geometry that is missing, empty, of another kind, or (`valid`) invalid.

    Raises
    ------
    GeometryError
        Naming the rows by their index, with a cure.
    """
    import shapely

    if len(layer) == 0:
        raise GeometryError(f"{what} has no rows. Check the file, the layer name, or the filter that made it.")
    geometry = layer.geometry
    shapes = geometry.to_numpy()
    _refuse(layer, what, shapely.is_missing(shapes), "have no geometry", "Fill or drop them.", "no-geometry")
    _refuse(layer, what, shapely.is_empty(shapes), "have an empty geometry", "Fill or drop them.", "empty-geometry")
    other = ~np.isin(geometry.geom_type.to_numpy().astype(str), kinds)
    if other.any():
        seen = ", ".join(sorted(set(geometry.geom_type.to_numpy()[other].tolist())))
        cure = f"{what} takes {' or '.join(k for k in kinds if k != 'LinearRing')}: convert or drop them."
        _refuse(layer, what, other, f"are {seen}", cure, "wrong-geometry-type")
    bounds = shapely.bounds(shapes)
    _refuse(layer, what, ~np.isfinite(bounds).all(axis=1), "have infinite coordinates", "Correct them.", "not-finite")
    if valid:
        bad = ~shapely.is_valid(shapes)
        reason = shapely.is_valid_reason(shapes[bad][0]) if bad.any() else ""
        how = "repair_units()" if what == "units" else f"{what}.geometry.make_valid()"
        cure = f"Mend them, for instance with {how}, and look at the result."
        _refuse(layer, what, bad, "are invalid", cure, "invalid-geometry", reason)


def clip_long(layer: Any, bounds: Sequence[float], margin: float = MARGIN) -> Any:
    """
    Clip shapes of very many vertices, such as the river of a whole country, to the surroundings of a territory.

    Parameters
    ----------
    layer : GeoDataFrame or GeoSeries
        Lines and valid polygons, in metres. Not modified.
    bounds : sequence of 4 floats
        West, south, east and north of the territory, in metres.
    margin : float
        Metres around it within which nothing changes.

    Returns
    -------
    GeoDataFrame or GeoSeries
        The same rows; what lies wholly elsewhere becomes empty. `layer` itself where nothing is to be clipped.

    Notes
    -----
    Each overlay of a unit with a polygon reads all of its vertices: a hundred units in one of 16 million take minutes.
    Clipped once, they take what they take with any other river.
    """
    import shapely

    shapes = layer.geometry.to_numpy().copy()
    west, south, east, north = np.asarray(bounds) + margin * np.array([-1, -1, 1, 1])
    beyond = (shapely.bounds(shapes) * [-1, -1, 1, 1] > np.array([-west, -south, east, north])).any(axis=1)
    rows = np.flatnonzero((shapely.get_num_coordinates(shapes) > LONG) & beyond)
    if not len(rows):
        return layer
    kinds = shapely.get_dimensions(shapes[rows])
    near = shapely.intersection(shapes[rows], shapely.box(west, south, east, north))
    for row, kind, shape in zip(rows.tolist(), kinds.tolist(), near):
        parts = shapely.get_parts(shape)
        parts = parts[shapely.get_dimensions(parts) == kind]
        shapes[row] = shapely.multipolygons(parts) if kind == 2 else shapely.multilinestrings(parts)
    return layer.set_geometry(shapes, crs=layer.crs) if layer.ndim == 2 else _series(shapes, layer)


def _series(shapes: NDArray[Any], layer: Any) -> Any:
    import geopandas as gpd

    return gpd.GeoSeries(shapes, index=layer.index, crs=layer.crs, name=layer.name)


def _refuse(layer: Any, what: str, bad: NDArray[np.bool_], fault: str, cure: str, code: str, reason: str = "") -> None:
    if not bad.any():
        return
    ids = layer.index[bad].tolist()
    where = f"; {ids[0]!r}: {reason}" if reason else ""
    raise GeometryError(
        f"{len(ids)} of {len(layer)} rows of {what} {fault} (first: {name_ids(ids)}{where}). {cure}",
        [Finding(code, "error", tuple(ids[:50]), reason or None, None, cure)],
    )


def is_null(value: Any) -> bool:
    """Tell whether a cell has no value: None, NaN, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
