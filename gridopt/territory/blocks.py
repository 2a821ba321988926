"""Blocks: the land that streets, water and rail enclose, seamless over the territory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, GeometryError, InputError
from gridopt.territory._layers import LINES, POLYGONS, as_layer, check_layer
from gridopt.territory.crs import to_same_metric
from gridopt.territory.streets import CUTTING, FACTORS, classify, is_cutting, is_tunnel

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["build_blocks"]

_TOUCHING = 1e-6
"""Metres below which an end that is joined is not worth a word: it touched a line between two vertices."""


def build_blocks(
    boundary: Any,
    streets: Any,
    *,
    barriers: Any = None,
    class_column: str | None = None,
    classes: Mapping[Any, str] | None = None,
    factors: Mapping[str, int] = FACTORS,
    keep: Iterable[str] = CUTTING,
    snap: float = 0.5,
    min_area: float = 1.0,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """
    Cut a territory along its streets into blocks, without gap or overlap.

    Parameters
    ----------
    boundary : GeoDataFrame, GeoSeries or shapely geometry
        Polygons; their union is the territory. It may have holes and several parts. Lines between rows do not cut:
        give them as `barriers` if they should. Shapely geometries are read in the coordinate system of `streets`.
    streets : GeoDataFrame, GeoSeries or shapely geometries
        Lines; streets beyond the boundary do no harm. A ``tunnel`` column is heeded: tunnels do not cut.
    barriers : GeoDataFrame, GeoSeries or shapely geometries, optional
        Rivers, rail, walls: lines cut (not in tunnels); the outline of polygons cuts, and what lies within becomes
        blocks of its own, marked in the column ``barrier``, so that the result stays seamless.
    class_column, classes, factors : optional
        How street classes are read, see `gridopt.territory.streets.classify`. OpenStreetMap's ``highway`` is
        understood by itself.
    keep : iterable of str
        Street classes that cut, and single values of the class column, as in ``(*CUTTING, "service")``. By default
        motor roads cut; footpaths and service roads do not. Streets of unknown class are ``"local"`` and cut.
    snap : float
        Metres. An end that stops this short of another line is joined to it; 0 joins none.
        Ends that meet nothing do not cut.
    min_area : float
        Square metres. Smaller faces are merged into the neighbour with the longest shared border (water into water
        first), each with a finding; 0 merges none. The default only removes what drawing errors leave.
    crs : optional
        Projected coordinate system in metres to work in; see `gridopt.territory.crs.to_metric`.

    Returns
    -------
    GeoDataFrame
        One row per block: index ``unit`` (text ``B00001`` …, numbered in row bands north to south, west to east inside
        a band, whatever the order of the input), ``area_m2`` (float64), ``barrier`` (bool, only with polygon
        `barriers`), ``geometry`` (Polygon). ``attrs["findings"]`` is a tuple of `Finding`.

    Raises
    ------
    GeometryError
        If a layer is empty or holds missing, empty or invalid geometry or the wrong kind of it, naming the rows; if no
        street that cuts lies in the boundary.
    InputError
        If a column, class or parameter makes no sense.

    Notes
    -----
    All lines are noded together in floating point, so neighbours share their borders vertex by vertex
    (``shapely.coverage_is_valid``). Streets on two levels cut each other like any others. O(s log s) for s segments.
    Row bands follow the rule of unit cells (DB11/T: west to east, north to south); a band is as high as the median
    block.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import LineString, box
    >>> streets = [LineString([(100, -10), (100, 210)]), LineString([(-10, 120), (310, 120)])]
    >>> blocks = build_blocks(gpd.GeoSeries([box(0, 0, 300, 200)], crs="EPSG:26986"), streets)
    >>> blocks["area_m2"].to_dict()
    {'B00001': 8000.0, 'B00002': 16000.0, 'B00003': 12000.0, 'B00004': 24000.0}
    """
    snap, min_area = _at_least_zero(snap, "snap"), _at_least_zero(min_area, "min_area")
    layers, target, findings = _read_layers(boundary, streets, barriers, crs)
    area = layers["boundary"].union_all()
    cutting, said = _choose_streets(layers["streets"], class_column, classes, factors, keep)
    findings = [*findings, *said]
    lines = _street_lines(layers["streets"][cutting], area, snap)
    outlines, water = _barrier_lines(layers["barriers"], area, snap)
    return _cut(area, [*lines, *outlines], water, snap, min_area, target, findings)


def _cut(
    area: Any,
    lines: list[Any],
    water: Any,
    snap: float,
    min_area: float,
    crs: Any,
    findings: list[Finding],
) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import shapely

    from gridopt.territory._linework import faces_within, join_near_ends
    from gridopt.territory._merge import merge_small

    linework = np.array([*lines, *shapely.get_rings(shapely.get_parts(area))], dtype=object)
    joints, gaps = join_near_ends(linework, snap)
    n_open = int((gaps > _TOUCHING).sum())
    if n_open:
        cure = f"They were joined to the nearest line, over up to {gaps.max():.2f} m; snap= sets how far."
        findings.append(Finding("ends-joined", "info", (), n_open, snap, cure))
    faces = faces_within(np.concatenate([linework, joints]), area)
    inside = shapely.point_on_surface(faces)
    is_water = np.zeros(len(faces), dtype=bool) if water is None else shapely.intersects(water, inside)
    faces, is_water, merges = merge_small(faces, is_water, min_area)
    order = _row_band_order(faces)
    width = max(5, len(str(len(faces))))
    ids = np.array([f"B{i:0{width}d}" for i in range(1, len(faces) + 1)], dtype=object)
    rank = np.argsort(order)
    for merge in merges:
        cure = f"It was merged along {merge.border_m:.2f} m of shared border; min_area= sets the limit."
        block = ids[rank[merge.row]]
        findings.append(Finding("small-face-merged", "info", (block,), merge.area_m2, min_area, cure))
    columns: dict[str, Any] = {"area_m2": shapely.area(faces)[order]}
    if water is not None:
        columns["barrier"] = is_water[order]
    blocks = gpd.GeoDataFrame(columns, geometry=faces[order], index=_unit_index(ids), crs=crs)
    blocks.attrs["findings"] = tuple(findings)
    return blocks


def _unit_index(ids: NDArray[Any]) -> Any:
    import pandas as pd

    return pd.Index(ids, name="unit")


def _at_least_zero(value: Any, what: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} is {value!r}; give a number of at least 0.") from error
    if not (0 <= number < np.inf):
        raise InputError(f"{what} is {value!r}; give a number of at least 0.")
    return number


def _read_layers(boundary: Any, streets: Any, barriers: Any, crs: Any) -> tuple[dict[str, Any], Any, list[Finding]]:
    """Check the three layers and bring them to one system in metres."""
    own = next((layer.crs for layer in (streets, boundary, barriers) if getattr(layer, "crs", None) is not None), None)
    layers = {"boundary": as_layer(boundary, "boundary", own), "streets": as_layer(streets, "streets", own)}
    check_layer(layers["boundary"], "boundary", POLYGONS)
    check_layer(layers["streets"], "streets", LINES)
    layers["barriers"] = None
    if barriers is not None:
        layers["barriers"] = as_layer(barriers, "barriers", own)
        check_layer(layers["barriers"], "barriers", LINES + POLYGONS)
    projected, target, findings = to_same_metric(layers, crs)
    check_layer(projected["boundary"], "boundary", POLYGONS, valid=True)
    if barriers is not None:
        is_polygon = projected["barriers"].geom_type.isin(POLYGONS)
        if is_polygon.any():
            check_layer(projected["barriers"][is_polygon], "barriers", POLYGONS, valid=True)
    return projected, target, list(findings)


def _choose_streets(
    streets: Any,
    class_column: str | None,
    classes: Mapping[Any, str] | None,
    factors: Mapping[str, int],
    keep: Iterable[str],
) -> tuple[NDArray[np.bool_], list[Finding]]:
    wanted = (keep,) if isinstance(keep, str) else tuple(keep)
    street_class, raw, findings = classify(streets, class_column, classes, factors)
    kept, below = is_cutting(street_class, raw, wanted, factors), is_tunnel(streets)
    if not kept.any():
        seen = ", ".join(
            f"{name} ({count})" for name, count in zip(*np.unique(street_class.astype(str), return_counts=True))
        )
        raise InputError(
            f"none of the {len(streets)} streets is of a class in keep={wanted!r}; there are: {seen}. "
            "Add classes to keep=, or translate the values with class_column= and classes=."
        )
    said = list(findings)
    if not kept.all():
        cure = f"These streets do not cut; {', '.join(wanted)} do. Change it with keep=."
        said.append(Finding("streets-not-cutting", "info", (), int((~kept).sum()), None, cure))
    if (kept & below).any():
        ids = tuple(streets.index[kept & below].tolist())
        said.append(Finding("tunnels-not-cutting", "info", ids, len(ids), None, "Streets in tunnels do not cut."))
    return kept & ~below, said


def _street_lines(streets: Any, area: Any, snap: float) -> NDArray[Any]:
    lines = _lines_near(streets.geometry.to_numpy(), area, snap)
    if len(lines) == 0:
        raise GeometryError(
            f"none of the {len(streets)} streets that cut lies in the boundary (boundary {_bounds(area.bounds)}, "
            f"streets {_bounds(streets.total_bounds)}). Check that both are of the same place and coordinate system."
        )
    return lines


def _barrier_lines(barriers: Any, area: Any, snap: float) -> tuple[NDArray[Any], Any]:
    """Lines that cut, and the union of the polygons (None without any)."""
    import shapely

    if barriers is None:
        return np.empty(0, dtype=object), None
    shapes = barriers.geometry.to_numpy()
    is_polygon = np.isin(barriers.geom_type.to_numpy().astype(str), POLYGONS)
    lines = _lines_near(shapes[~is_polygon & ~is_tunnel(barriers)], area, snap)
    if not is_polygon.any():
        return lines, None
    water = shapely.union_all(shapes[is_polygon])
    rings = shapely.get_rings(shapely.get_parts(water))
    return np.concatenate([lines, _lines_near(rings, area, snap)]), water


def _lines_near(shapes: NDArray[Any], area: Any, snap: float) -> NDArray[Any]:
    """Single lines of some length, in or within `snap` of the area; rings become lines."""
    import shapely

    parts = shapely.get_parts(shapes)
    parts = parts[shapely.length(parts) > 0]
    shapely.prepare(area)
    near = parts[shapely.dwithin(area, parts, snap)]
    is_ring = shapely.get_type_id(near) == shapely.GeometryType.LINEARRING
    xy, row = shapely.get_coordinates(near[is_ring], return_index=True)
    if len(row):
        near[is_ring] = shapely.linestrings(xy, indices=row)
    return near


def _row_band_order(faces: NDArray[Any]) -> NDArray[np.int64]:
    """Positions of the faces in reading order: bands as high as the median face, north first, west first inside."""
    import shapely

    bounds = shapely.bounds(faces)
    xy = shapely.get_coordinates(shapely.point_on_surface(faces))
    height = max(float(np.median(bounds[:, 3] - bounds[:, 1])), 1e-9)
    band = np.floor((bounds[:, 3].max() - xy[:, 1]) / height).astype(np.int64)
    return np.lexsort((-xy[:, 1], xy[:, 0], band))


def _bounds(bounds: Any) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in bounds) + ")"
