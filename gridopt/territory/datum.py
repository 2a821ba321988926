"""Chinese web-map coordinates (GCJ-02, BD-09) to WGS 84, which differs from CGCS2000 by centimetres only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, GeometryError, InputError
from gridopt.territory._layers import as_layer
from gridopt.territory.crs import converted

if TYPE_CHECKING:
    import geopandas as gpd

    Layer = TypeVar("Layer", gpd.GeoDataFrame, gpd.GeoSeries)

__all__ = ["CONVERTED", "DATUMS", "gcj02_to_wgs84", "is_in_china", "to_wgs84", "wgs84_to_gcj02"]

DATUMS = ("gcj02", "bd09")
"""Source datums that `to_wgs84` converts."""
CONVERTED = "source_datum"
"""Key of ``attrs`` under which a converted layer says what it was: nothing is converted twice."""
SEMI_AXIS = 6378245.0
ECCENTRICITY2 = 0.00669342162296594323
"""Krasovsky 1940, on which GCJ-02 is computed."""
CHINA = (73.66, 3.86, 135.05, 53.55)
"""West, south, east, north in degrees: outside of it GCJ-02 is WGS 84. Hong Kong, Macao and Taiwan are not shifted."""
EXACT = 1e-11
"""Degrees at which the inverse stops: a micrometre."""

Array = NDArray[Any]


def wgs84_to_gcj02(lon: Array, lat: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Shift WGS 84 coordinates as Chinese web maps do.

    Parameters
    ----------
    lon, lat : ndarray of float
        Degrees.

    Returns
    -------
    lon, lat : ndarray of float64
        Degrees of GCJ-02; unchanged outside of the bounds of China.

    Notes
    -----
    GCJ-02 is not published officially. The formula is the one in general use, made public around 2013 in
    ``Converter.java`` of the project "emq" and in "on4wp7", and kept with test points in googollee/eviltransform.

    Examples
    --------
    >>> lon, lat = wgs84_to_gcj02(np.array([116.377817]), np.array([39.911954]))
    >>> lon.round(5).tolist(), lat.round(5).tolist()
    ([116.38405], [39.91335])
    """
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    x, y = lon - 105.0, lat - 35.0
    waves = 20 * np.sin(6 * np.pi * x) + 20 * np.sin(2 * np.pi * x)
    root = np.sqrt(np.abs(x))
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root
    north += (waves + 20 * np.sin(np.pi * y) + 40 * np.sin(np.pi / 3 * y)) * 2 / 3
    north += (160 * np.sin(np.pi / 12 * y) + 320 * np.sin(np.pi / 30 * y)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root
    east += (waves + 20 * np.sin(np.pi * x) + 40 * np.sin(np.pi / 3 * x)) * 2 / 3
    east += (150 * np.sin(np.pi / 12 * x) + 300 * np.sin(np.pi / 30 * x)) * 2 / 3
    squeeze = 1 - ECCENTRICITY2 * np.sin(np.radians(lat)) ** 2
    meridian = SEMI_AXIS * (1 - ECCENTRICITY2) / squeeze**1.5
    parallel = SEMI_AXIS / np.sqrt(squeeze) * np.cos(np.radians(lat))
    inside = is_in_china(lon, lat)
    return (
        np.where(inside, lon + np.degrees(east / parallel), lon),
        np.where(inside, lat + np.degrees(north / meridian), lat),
    )


def gcj02_to_wgs84(lon: Array, lat: Array) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Undo the shift of Chinese web maps, by iteration.

    Parameters
    ----------
    lon, lat : ndarray of float
        Degrees of GCJ-02.

    Returns
    -------
    lon, lat : ndarray of float64
        Degrees of WGS 84 that `wgs84_to_gcj02` takes to the given ones, to a micrometre.

    Examples
    --------
    >>> lon, lat = gcj02_to_wgs84(np.array([116.38404722455657]), np.array([39.91334545536069]))
    >>> lon.round(6).tolist(), lat.round(6).tolist()
    ([116.377817], [39.911954])
    """
    lon, lat = np.asarray(lon, dtype=float), np.asarray(lat, dtype=float)
    x, y = lon.copy(), lat.copy()
    for _ in range(30):  # the shift changes by 1 in 1,000 at most from point to point: three digits a step
        shifted_x, shifted_y = wgs84_to_gcj02(x, y)
        off_x, off_y = shifted_x - lon, shifted_y - lat
        x, y = x - off_x, y - off_y
        if max(np.abs(off_x).max(initial=0), np.abs(off_y).max(initial=0)) < EXACT:
            break
    return x, y


def is_in_china(lon: Array, lat: Array) -> NDArray[np.bool_]:
    """Whether points lie within the bounds in which web maps shift coordinates (a rectangle, not the border)."""
    west, south, east, north = CHINA
    found: NDArray[np.bool_] = (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)
    return found


def to_wgs84(layer: Layer, source_datum: str) -> Layer:
    """
    Bring a layer drawn on a Chinese web map to WGS 84, where surveys (CGCS2000) and OpenStreetMap are.

    Parameters
    ----------
    layer : GeoDataFrame or GeoSeries
        In degrees (EPSG:4326, 4490 or none), or in any system whose degrees are really GCJ-02 or BD-09. Not modified.
    source_datum : {"gcj02", "bd09"}
        ``gcj02``: Amap (Gaode), Tencent, Google in China; ``bd09``: Baidu.

    Returns
    -------
    GeoDataFrame or GeoSeries
        In EPSG:4326, whatever the system was; ``attrs["source_datum"]`` says that it was converted.

    Raises
    ------
    InputError
        If the datum is another one, or the layer was converted before.
    GeometryError
        If a coordinate lies outside of the bounds of China, where nothing is shifted.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> moved = to_wgs84(gpd.GeoSeries([shapely.Point(116.384047, 39.913345)], crs="EPSG:4326"), "gcj02")
    >>> moved.x.round(4).tolist(), moved.y.round(4).tolist()
    ([116.3778], [39.912])
    """
    import shapely

    if source_datum not in DATUMS:
        raise InputError(f"source_datum={source_datum!r} is not known. {nearest_names(str(source_datum), DATUMS)}")
    layer = as_layer(layer, "layer")
    if layer.attrs.get(CONVERTED):
        raise InputError(
            f"the layer was converted from {layer.attrs[CONVERTED]} before: source_datum={source_datum!r} would shift "
            "it once more. Convert each layer once."
        )
    degrees = layer if layer.crs is None or layer.crs.is_geographic else converted("the layer", layer, "EPSG:4326")
    geometry = degrees.geometry
    xy = shapely.get_coordinates(geometry.to_numpy())
    outside = ~is_in_china(xy[:, 0], xy[:, 1])
    if outside.any():
        x, y = xy[np.flatnonzero(outside)[0]]
        raise GeometryError(
            f"{int(outside.sum())} coordinates lie outside of China (first: {x:.6g}, {y:.6g}), where there is no "
            f"{source_datum}. Leave source_datum out, or correct the coordinate system.",
            [Finding("not-in-china", "error", (), int(outside.sum()), None, "Leave source_datum out.")],
        )
    back = _bd09_to_gcj02 if source_datum == "bd09" else lambda x, y: (x, y)
    shapes = shapely.transform(
        geometry.to_numpy(), lambda c: np.column_stack(gcj02_to_wgs84(*back(c[:, 0], c[:, 1]))).reshape(-1, 2)
    )
    moved = type(geometry)(shapes, index=geometry.index, crs="EPSG:4326", name=geometry.name)
    result: Layer = moved if layer.ndim == 1 else degrees.set_geometry(moved)
    result.attrs = {**layer.attrs, CONVERTED: source_datum}
    return result


def _bd09_to_gcj02(lon: Array, lat: Array) -> tuple[Array, Array]:
    """Undo Baidu's own turn and stretch, by iteration on the published forward formula."""
    x, y = lon - 0.0065, lat - 0.006
    for _ in range(30):
        radius = np.hypot(x, y) + 0.00002 * np.sin(y * np.pi * 3000 / 180)
        angle = np.arctan2(y, x) + 0.000003 * np.cos(x * np.pi * 3000 / 180)
        off_x, off_y = radius * np.cos(angle) + 0.0065 - lon, radius * np.sin(angle) + 0.006 - lat
        x, y = x - off_x, y - off_y
        if max(np.abs(off_x).max(initial=0), np.abs(off_y).max(initial=0)) < EXACT:
            break
    return x, y
