"""Coordinates: bring every layer of a call to one projected system in metres, with one warning, recorded."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from gridopt.errors import Finding, GeometryError, name_ids

if TYPE_CHECKING:
    import geopandas as gpd
    import pyproj

    Layer = TypeVar("Layer", gpd.GeoDataFrame, gpd.GeoSeries)

__all__ = ["converted", "to_crs_of", "to_metric", "to_same_metric"]

LEAST_UNIT = 0.01
"""Square metres that the largest polygon of a layer has at least; in degrees even a district has less."""
MAX_DISTORTION = 0.02
"""Largest error of areas a projected system may have and still be measured in; Web Mercator has 0.8 at Boston."""


def to_metric(
    layer: Layer, crs: Any = None, *, what: str = "layer"
) -> tuple[Layer, pyproj.CRS | None, tuple[Finding, ...]]:
    """
    Bring one layer to a projected coordinate system in metres.

    Parameters
    ----------
    layer : GeoDataFrame or GeoSeries
        Any coordinate system, or none. Not modified. Heights (z) are dropped.
    crs : optional
        The projected system in metres to use, in any form pyproj reads, such as ``"EPSG:26986"``. Without it the
        layer's own system is kept when it measures in true metres, and the UTM zone of the layer is taken otherwise.
    what : str
        What the layer is called in messages.

    Returns
    -------
    projected : GeoDataFrame or GeoSeries
        The layer in metres; the same object when nothing had to change.
    crs : pyproj.CRS or None
        Its coordinate system; None when nothing is known and the coordinates are taken as metres.
    findings : tuple of Finding
        What was converted or assumed. Unasked conversions are also warned about, once.

    Raises
    ------
    GeometryError
        If `crs` does not measure in metres, or the coordinates do not fit the layer's own system.

    Notes
    -----
    Geographic systems, systems in feet, and projections that distort areas by more than 2 % (Web Mercator) are
    projected. A layer without a system is taken to be in metres, in `crs` if that is given.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> area = gpd.GeoSeries([shapely.box(0, 0, 300, 200)], crs="EPSG:26986")
    >>> projected, crs, findings = to_metric(area)
    >>> projected is area, crs.to_epsg(), findings
    (True, 26986, ())
    """
    projected, target, findings = to_same_metric({what: layer}, crs)
    return projected[what], target, findings


def to_same_metric(
    layers: Mapping[str, Any], crs: Any = None
) -> tuple[dict[str, Any], pyproj.CRS | None, tuple[Finding, ...]]:
    """
    Bring several layers to one projected coordinate system in metres.

    Parameters
    ----------
    layers : mapping of str to GeoDataFrame, GeoSeries or None
        Name in messages -> layer. The first that has a coordinate system decides; None stays None.
    crs : optional
        As in `to_metric`.

    Returns
    -------
    projected : dict
        The same names, all in one system.
    crs : pyproj.CRS or None
    findings : tuple of Finding

    Raises
    ------
    GeometryError
        As `to_metric`; or if a layer without a coordinate system holds degrees while another layer has one.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> area = gpd.GeoSeries([shapely.box(0, 0, 300, 200)], crs="EPSG:26986")
    >>> roads = gpd.GeoSeries([shapely.LineString([(0, 100), (300, 100)])], crs="EPSG:26986").to_crs("EPSG:4326")
    >>> projected, crs, findings = to_same_metric({"boundary": area, "streets": roads, "barriers": None})
    >>> crs.to_epsg(), projected["streets"].total_bounds.round().astype(int).tolist(), findings[0].code
    (26986, [0, 100, 300, 100], 'reprojected')
    """
    known = {name: layer for name, layer in layers.items() if layer is not None}
    target, findings = _choose_target(known, crs)
    projected: dict[str, Any] = dict(layers)
    for name, layer in known.items():
        projected[name], said = _move(name, layer, target)
        findings += [f for f in said if not any(f.ids == g.ids for g in findings)]
    _warn(findings)
    return projected, target, tuple(findings)


def to_crs_of(layer: Layer, crs: Any, *, what: str = "layer") -> tuple[Layer, tuple[Finding, ...]]:
    """
    Bring a layer to the very coordinate system of another one, whatever that measures in.

    Parameters
    ----------
    layer : GeoDataFrame or GeoSeries
        Not modified. Heights (z) are dropped.
    crs : pyproj.CRS or None
        The system of the other layer; None when it has none.
    what : str
        What the layer is called in messages.

    Returns
    -------
    layer : GeoDataFrame or GeoSeries
    findings : tuple of Finding

    Raises
    ------
    GeometryError
        As `to_same_metric`; or if only the other layer has no coordinate system.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> moved, findings = to_crs_of(gpd.GeoSeries([shapely.Point(-71.1, 42.4)], crs="EPSG:4326"), "EPSG:26986")
    >>> moved.crs.to_epsg(), findings[0].severity
    (26986, 'info')
    """
    import pyproj

    target = None if crs is None else pyproj.CRS.from_user_input(crs)
    if target is None and layer.crs is not None:
        raise GeometryError(
            f"{what} is in {_name(layer.crs)}, but the layer it is to meet has no coordinate system. "
            "Set that layer's system with set_crs()."
        )
    if target is None:
        return _flat(layer), ()
    moved, findings = _move(what, layer, target)
    _warn(findings)
    return moved, tuple(findings)


def _move(name: str, layer: Any, target: Any) -> tuple[Any, list[Finding]]:
    _check_metres(name, layer)
    if layer.crs is None:
        finding = _no_crs(name, layer, target)
        return _flat(layer if target is None else layer.set_crs(target)), [finding]
    if layer.crs == target:
        return _flat(layer), []
    return _flat(_reproject(name, layer, target)), [_reprojected(name, layer, target, "info")]


def _warn(findings: list[Finding]) -> None:
    """Warn once, at the line of the caller outside gridopt."""
    said = [f for f in findings if f.severity == "warning"]
    if not said:
        return
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("gridopt."):
        level, frame = level + 1, frame.f_back
    warnings.warn(" ".join(_sentence(f) for f in said), UserWarning, stacklevel=level)


def _choose_target(known: Mapping[str, Any], crs: Any) -> tuple[pyproj.CRS | None, list[Finding]]:
    if crs is not None:
        return _read_target(crs), []
    first = next((name for name, layer in known.items() if layer.crs is not None), None)
    if first is None:
        return None, []
    layer = known[first]
    if _is_true_metres(layer):
        return layer.crs, []
    _check_degrees(first, layer)
    try:
        target = layer.estimate_utm_crs()
    except (RuntimeError, ValueError) as error:
        raise GeometryError(
            f"no local projected system was found for {first} ({_name(layer.crs)}, bounds {_bounds(layer)}). "
            'Name one in metres, such as crs="EPSG:26986".'
        ) from error
    return target, [_reprojected(first, layer, target, "warning")]


def _read_target(crs: Any) -> pyproj.CRS:
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        target = pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise GeometryError(
            f'crs={crs!r} is not a coordinate system. Name one in metres, as in "EPSG:26986".'
        ) from error
    if target.is_geographic or _metres_per_unit(target) != 1.0:
        unit = target.axis_info[0].unit_name if target.axis_info else "unknown unit"
        raise GeometryError(
            f"crs={_name(target)} measures in {unit}, but lengths and areas are needed in metres. "
            "Name a projected system in metres, or leave crs out to get the local UTM zone."
        )
    return target


def _is_true_metres(layer: Any) -> bool:
    """Whether the layer's own system measures metres, and areas truly enough."""
    import pyproj
    from pyproj.exceptions import ProjError

    if layer.crs.is_geographic or _metres_per_unit(layer.crs) != 1.0:
        return False
    if not layer.crs.is_projected or layer.crs.geodetic_crs is None:
        return True
    west, south, east, north = layer.total_bounds
    try:
        to_degrees = pyproj.Transformer.from_crs(layer.crs, layer.crs.geodetic_crs, always_xy=True)
        lon, lat = to_degrees.transform((west + east) / 2, (south + north) / 2)
        scale = pyproj.Proj(layer.crs).get_factors(lon, lat).areal_scale
    except ProjError:
        return True
    return not np.isfinite(scale) or abs(scale - 1.0) <= MAX_DISTORTION


def _metres_per_unit(crs: pyproj.CRS) -> float:
    return float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0


def converted(name: str, layer: Any, target: Any) -> Any:
    """Return a layer in another system, or say that there is no way from one to the other."""
    import pyproj

    try:
        return layer.to_crs(target)
    except pyproj.exceptions.ProjError as error:
        raise GeometryError(
            f"{name} is in {_name(layer.crs)}, which cannot be converted to {_name(pyproj.CRS(target))}: one of them "
            "has no known place on the earth. Give all layers in one system, in metres."
        ) from error


def _reproject(name: str, layer: Any, target: Any) -> Any:
    _check_degrees(name, layer)
    if not (layer.crs.is_geographic or layer.crs.is_projected):
        raise GeometryError(
            f"{name} is in the local system {_name(layer.crs)}, which has no known place on the earth and cannot be "
            f"converted to {_name(target)}. Give all layers in one system, in metres."
        )
    moved = converted(name, layer, target)
    bounds = moved.bounds.to_numpy()
    lost = np.isinf(bounds).any(axis=1)
    if lost.any():
        ids = moved.index[lost].tolist()
        raise GeometryError(
            f"{len(ids)} rows of {name} cannot be projected to {_name(target)} (first: {name_ids(ids)}). "
            "Correct their coordinates, or name a system that fits with crs=.",
            [Finding("not-projectable", "error", tuple(ids[:50]), None, None, "Correct their coordinates.")],
        )
    return moved


def _check_degrees(name: str, layer: Any) -> None:
    """Refuse metres that are labelled as degrees."""
    if not layer.crs.is_geographic or layer.crs.axis_info[0].unit_name != "degree":
        return
    bounds = layer.bounds.to_numpy()
    with np.errstate(invalid="ignore"):
        bad = (np.abs(bounds[:, [0, 2]]) > 360).any(axis=1) | (np.abs(bounds[:, [1, 3]]) > 90).any(axis=1)
    if bad.any():
        ids = layer.index[bad].tolist()
        raise GeometryError(
            f"{len(ids)} rows of {name} have coordinates outside the degrees of {_name(layer.crs)} "
            f"(first: {name_ids(ids)}; bounds {_bounds(layer)}). Set the true system with set_crs(..., "
            "allow_override=True), or swap the axes if they are latitude, longitude.",
            [Finding("not-degrees", "error", tuple(ids[:50]), None, None, "Set the true coordinate system.")],
        )


def _check_metres(name: str, layer: Any) -> None:
    """Refuse degrees that are labelled as metres, or that say nothing and cannot be metres."""
    import shapely

    bounds = layer.total_bounds
    if not np.isfinite(bounds).all() or (layer.crs is not None and layer.crs.is_geographic):
        return
    if np.abs(bounds[[0, 2]]).max() > 180 or np.abs(bounds[[1, 3]]).max() > 90:
        return
    area = layer.crs.area_of_use if layer.crs is not None else None
    if area is not None:
        low, high = np.array([area.west, area.south]), np.array([area.east, area.north])
        is_degrees = bool((bounds[:2] >= low - 1).all() and (bounds[2:] <= high + 1).all() and (low < high).all())
    else:
        shapes = np.asarray(layer.geometry)
        size = shapely.area(shapes[shapely.get_dimensions(shapes) == 2])
        is_degrees = bool(len(size) and size.max() < LEAST_UNIT)
    if is_degrees:
        said = "says nothing about its system" if layer.crs is None else f"says {_name(layer.crs)}, which is in metres"
        cure = 'Set the true system with set_crs("EPSG:4326", allow_override=True); EPSG:4490 is CGCS2000 in degrees.'
        raise GeometryError(
            f"{name} {said}, but its coordinates {_bounds(layer)} are degrees. {cure}",
            [Finding("degrees-as-metres", "error", (name,), _bounds(layer), None, cure)],
        )


def _no_crs(name: str, layer: Any, target: Any) -> Finding:
    bounds = layer.total_bounds
    is_like_degrees = bool(np.all(np.abs(bounds[[0, 2]]) <= 180) and np.all(np.abs(bounds[[1, 3]]) <= 90))
    if is_like_degrees and target is not None and not target.is_geographic:
        raise GeometryError(
            f"{name} has no coordinate system, and its bounds {_bounds(layer)} look like degrees, while the work is "
            f'done in {_name(target)}. Set its system, as in {name}.set_crs("EPSG:4326").',
            [Finding("no-crs", "error", (name,), None, None, "Set the coordinate system of the layer.")],
        )
    where = "metres" if target is None else f"those of {_name(target)}"
    cure = f"Its coordinates are taken as {where}; set its coordinate system if they are not."
    return Finding("no-crs", "warning", (name,), None, None, cure)


def _reprojected(name: str, layer: Any, target: Any, severity: Any) -> Finding:
    cure = f"It is projected to {_name(target)} for measuring; name another system in metres with crs=."
    return Finding("reprojected", severity, (name,), _name(layer.crs), None, cure)


def _sentence(finding: Finding) -> str:
    what = "has no coordinate system" if finding.code == "no-crs" else f"is in {finding.value}"
    return f"{finding.ids[0]} {what}. {finding.cure}"


def _flat(layer: Any) -> Any:
    """Drop heights; the same object when there are none."""
    import shapely

    geometry = layer.geometry
    if not geometry.has_z.any():
        return layer
    flat = shapely.force_2d(geometry.to_numpy())
    flattened = type(geometry)(flat, index=geometry.index, crs=geometry.crs, name=geometry.name)
    return layer.set_geometry(flattened) if layer.ndim == 2 else flattened


def _name(crs: Any) -> str:
    authority = crs.to_authority()
    return ":".join(authority) if authority else str(crs.name)


def _bounds(layer: Any) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in layer.total_bounds) + ")"
