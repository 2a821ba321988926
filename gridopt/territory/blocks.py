"""Blocks: the land that streets, water and rail enclose, seamless over the territory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, GeometryError, InputError
from gridopt.territory._clean import Limits, Scene
from gridopt.territory._layers import LINES, POLYGONS, as_layer, check_layer, clip_long
from gridopt.territory._ways import Ways, as_lines, read_ways
from gridopt.territory.along import read_names
from gridopt.territory.crs import to_same_metric
from gridopt.territory.large import tell_large
from gridopt.territory.merged import joined_findings
from gridopt.territory.streets import CUTTING, FACTORS, classify, is_cutting, is_tunnel

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["build_blocks", "check_streets"]


def build_blocks(
    boundary: Any,
    streets: Any,
    *,
    barriers: Any = None,
    compounds: Any = None,
    parents: Any = None,
    class_column: str | None = None,
    classes: Mapping[Any, str] | None = None,
    factors: Mapping[str, int] = FACTORS,
    keep: Iterable[str] = CUTTING,
    name_column: str | None = None,
    clean: bool = True,
    snap: float = 0.5,
    gap: float = 5.0,
    median_width: float | None = None,
    sliver_width: float | None = None,
    min_area: float | None = None,
    crs: Any = None,
) -> gpd.GeoDataFrame:
    """
    Cut a territory along its streets into blocks, without gap or overlap.

    Raw streets enclose more than blocks: medians of dual carriageways, roundabouts, wedges between slip roads, slivers
    between a street and the footway beside it. These are recognised and become part of a block beside them, each on
    record; ``clean=False`` keeps every face the lines enclose.

    Parameters
    ----------
    boundary : GeoDataFrame, GeoSeries or shapely geometry
        Polygons; their union is the territory. It may have holes and several parts. Lines between rows do not cut:
        give them as `barriers` or `parents` if they should. Shapely geometries are read in the coordinate system of
        `streets`.
    streets : GeoDataFrame, GeoSeries or shapely geometries
        Lines; streets beyond the boundary do no harm. Columns ``tunnel`` (tunnels do not cut), ``bridge``, ``layer``,
        ``oneway`` and ``junction`` are heeded as OpenStreetMap means them.
    barriers : GeoDataFrame, GeoSeries or shapely geometries, optional
        Rivers, rail, walls: lines cut (not in tunnels); the outline of polygons cuts, and what lies within becomes
        blocks of its own, marked in the column ``barrier``, so that the result stays seamless. Nothing is merged
        across them.
    compounds : GeoDataFrame, GeoSeries or shapely geometries, optional
        Outlines of gated compounds, campuses, factories: streets inside do not cut, but for those of the highest class
        of `factors` (arterials).
    parents : GeoDataFrame, GeoSeries or shapely geometries, optional
        Communities, villages, wards: their outlines cut, and nothing is merged across. The column ``parent`` holds the
        index of the parent each block lies in.
    class_column, classes, factors : optional
        How street classes are read, see `gridopt.territory.streets.classify`. OpenStreetMap's ``highway`` is
        understood by itself.
    keep : iterable of str
        Street classes that cut, and single values of the class column, as in ``(*CUTTING, "service")``. By default
        motor roads cut; footpaths and service roads do not. Streets of unknown class are ``"local"`` and cut.
    name_column : str, optional
        Street names; carriageways of one name belong together. Default: ``name`` and the like, if there is one.
    clean : bool
        False leaves the faces as they are: then `gap`, widths, levels, compounds and parents are not looked at, and
        `min_area` is 1.
    snap : float
        Metres. An end that stops this short of another line is joined to it; 0 joins none.
        Ends that meet nothing do not cut.
    gap : float
        Metres. Dead ends that face each other this near, or point at a line this near, are joined; 0 joins none.
    median_width : float, optional
        Metres. Faces narrower than this between carriageways of one street are medians. Default 25. The width is that
        of the rectangle of the same area and perimeter.
    sliver_width : float, optional
        Metres. Faces narrower than this are slivers, whatever is around them. Default 10.
    min_area : float, optional
        Square metres. Smaller faces are merged, smallest first, into the neighbour with the best border to lose (the
        longest, of the most minor class); 0 merges none. Default 500, or 1 with ``clean=False``.
    crs : optional
        Projected coordinate system in metres to work in; see `gridopt.territory.crs.to_metric`.

    Returns
    -------
    GeoDataFrame
        One row per block: index ``unit`` (text ``B00001`` …, numbered in row bands north to south, west to east inside
        a band, whatever the order of the input), ``area_m2`` (float64), ``barrier`` (bool, only with polygon
        `barriers`), ``parent`` (only with `parents`), ``geometry`` (Polygon). ``attrs["findings"]`` is a tuple of
        `Finding`; `gridopt.territory.merged.merged_faces` returns what was merged, as a table with shapes.

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
    (``shapely.coverage_is_valid``). A street and the bridge over it do not meet: what ends under or on a bridge is a
    dead end. Borders stay on one of two carriageways, the one to the west or south. Where the usual widths and areas do
    not fit, because all faces are tiny (less than 2,500 m2 around a point on average), they shrink with the faces.
    O(s log s) for s segments. Row bands follow the rule of unit cells (DB11/T: west to east, north to south); a band is
    as high as the median block. See the methods page for the steps and how they compare with others.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import LineString, box
    >>> streets = [LineString([(100, -10), (100, 210)]), LineString([(-10, 120), (310, 120)])]
    >>> blocks = build_blocks(gpd.GeoSeries([box(0, 0, 300, 200)], crs="EPSG:26986"), streets)
    >>> blocks["area_m2"].to_dict()
    {'B00001': 8000.0, 'B00002': 16000.0, 'B00003': 12000.0, 'B00004': 24000.0}
    """
    limits = _read_limits(snap, gap, median_width, sliver_width, min_area)
    given = {"barriers": barriers, "compounds": compounds, "parents": parents}
    layers, target, findings = _read_layers(boundary, streets, given, crs)
    area = layers["boundary"].union_all()
    cutting, street_class, said = _choose_streets(layers["streets"], class_column, classes, factors, keep)
    findings = [*findings, *said]
    lines = _street_lines(layers["streets"][cutting], area, limits.snap)
    outlines, water = _barrier_lines(layers["barriers"], area, limits.snap)
    if not clean:
        least = 1.0 if limits.min_area is None else limits.min_area
        return _cut(area, [*lines, *outlines], water, limits.snap, least, target, findings)
    _, name = read_names(layers["streets"], name_column)
    factor = np.array([factors[c] for c in street_class[cutting].tolist()], dtype=np.int64)
    ways = _near(read_ways(layers["streets"][cutting], factor, name[cutting]), area, limits.snap)
    scene, kept_whole = _scene(area, ways, outlines, water, layers, min(factors.values()))
    return _cleaned(scene, limits, layers, target, [*findings, *kept_whole], factors)


def check_streets(
    boundary: Any,
    streets: Any,
    *,
    class_column: str | None = None,
    classes: Mapping[Any, str] | None = None,
    factors: Mapping[str, int] = FACTORS,
    keep: Iterable[str] = CUTTING,
    name_column: str | None = None,
    gap: float = 5.0,
    median_width: float = 25.0,
    sliver_width: float = 10.0,
    crs: Any = None,
) -> tuple[Finding, ...]:
    """
    Say what street lines are like before blocks are built of them; nothing is changed.

    Parameters
    ----------
    boundary, streets, class_column, classes, factors, keep, name_column, gap, median_width, sliver_width, crs
        As of `build_blocks`.

    Returns
    -------
    tuple of Finding
        Dead ends, near misses and gaps, lines drawn twice, one-way streets, bridges, crossings without a node and on
        two levels, and how many of the faces that the lines enclose are no blocks.

    Raises
    ------
    GeometryError, InputError
        As `build_blocks`.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import LineString, box
    >>> streets = [LineString([(50, -10), (50, 110)]), LineString([(54, -10), (54, 70)])]
    >>> found = check_streets(gpd.GeoSeries([box(0, 0, 100, 100)], crs="EPSG:3826"), streets)
    >>> {finding.code: finding.value for finding in found}
    {'no-street-class': None, 'dead-ends': 1, 'raw-faces': 2}
    """
    from gridopt.territory.survey import survey_ways

    limits = _read_limits(0.5, gap, median_width, sliver_width, None)
    layers, _, findings = _read_layers(boundary, streets, {}, crs)
    area = layers["boundary"].union_all()
    cutting, street_class, said = _choose_streets(layers["streets"], class_column, classes, factors, keep)
    _street_lines(layers["streets"][cutting], area, limits.snap)
    chosen = layers["streets"][cutting]
    _, name = read_names(layers["streets"], name_column)
    factor = np.array([factors[c] for c in street_class[cutting].tolist()], dtype=np.int64)
    ways = _near(read_ways(chosen, factor, name[cutting]), area, limits.snap)
    widths = (limits.median_width or 0.0, limits.sliver_width or 0.0)
    return (*findings, *said, *survey_ways(ways, area, chosen.index, limits.gap, widths))


def _read_limits(snap: Any, gap: Any, median_width: Any, sliver_width: Any, min_area: Any) -> Limits:
    usual = {"median_width": median_width, "sliver_width": sliver_width, "min_area": min_area}
    told = {what: None if value is None else _at_least_zero(value, what) for what, value in usual.items()}
    return Limits(snap=_at_least_zero(snap, "snap"), gap=_at_least_zero(gap, "gap"), **told)


def _near(ways: Ways, area: Any, snap: float) -> Ways:
    import shapely

    shapely.prepare(area)
    return ways.take(shapely.dwithin(area, ways.shape, snap))


def _scene(
    area: Any, ways: Ways, outlines: Any, water: Any, layers: Any, highest: int
) -> tuple[Scene, tuple[Finding, ...]]:
    """Put together what cuts; compounds take streets away."""
    import shapely

    from gridopt.territory._clean import Scene
    from gridopt.territory._compounds import inner_parts, leave_whole

    said: tuple[Finding, ...] = ()
    whole = np.empty(0, dtype=object)
    if layers["compounds"] is not None:
        whole = inner_parts(layers["compounds"])
        ways, said = leave_whole(ways, layers["compounds"], highest)
    parents = np.empty(0, dtype=object)
    hard = outlines
    if layers["parents"] is not None:
        parents = layers["parents"].geometry.to_numpy()
        rings = shapely.get_rings(shapely.get_parts(parents))
        hard = np.concatenate([outlines, _lines_near(rings, area, 0.0)])
    return Scene(area, ways, hard, water, parents, whole), said


def _cleaned(
    scene: Scene, limits: Limits, layers: Any, crs: Any, findings: list[Finding], factors: Mapping[str, int]
) -> gpd.GeoDataFrame:
    from gridopt.territory._clean import clean_faces
    from gridopt.territory._compounds import divided_compounds
    from gridopt.territory.merged import tell_merged

    done = clean_faces(scene, limits)
    order, ids = _numbered(done.faces)
    columns: dict[str, Any] = {"barrier": done.is_water[order]} if scene.water is not None else {}
    if len(scene.parents):
        index = [*layers["parents"].index.tolist(), None]
        columns["parent"] = [index[p] for p in done.parent[order].tolist()]
    of_row = np.empty(len(ids), dtype=object)
    of_row[order] = ids
    merged, said = tell_merged(done, of_row, factors)
    findings = [*findings, *said]
    if layers["compounds"] is not None:
        findings += divided_compounds(layers["compounds"], done.faces)
    if len(scene.parents) and (none := done.parent[order] < 0).any():
        cure = "They lie in no polygon of parents=. Fill their parent, or let assign_parents() take the nearest."
        lost = [i for i, is_lost in zip(ids, none.tolist()) if is_lost]
        findings.append(Finding("no-parent", "warning", tuple(lost), len(lost), None, cure))
    blocks = _table(done.faces[order], ids, columns, crs, findings)
    blocks.attrs["merged"] = merged
    return blocks


def _cut(
    area: Any,
    lines: list[Any],
    water: Any,
    snap: float,
    min_area: float,
    crs: Any,
    findings: list[Finding],
) -> gpd.GeoDataFrame:
    import shapely

    from gridopt.territory._linework import faces_within, join_near_ends
    from gridopt.territory._merge import merge_small

    linework = np.array([*lines, *shapely.get_rings(shapely.get_parts(area))], dtype=object)
    joints, gaps = join_near_ends(linework, snap)
    findings = [*findings, *joined_findings(gaps, snap)]
    faces = faces_within(np.concatenate([linework, joints]), area)
    inside = shapely.point_on_surface(faces)
    is_water = np.zeros(len(faces), dtype=bool) if water is None else shapely.intersects(water, inside)
    faces, is_water, merges = merge_small(faces, is_water, min_area)
    order, ids = _numbered(faces)
    rank = np.argsort(order)
    for merge in merges:
        cure = f"It was merged along {merge.border_m:.2f} m of shared border; min_area= sets the limit."
        block = ids[rank[merge.row]]
        findings.append(Finding("small-face-merged", "info", (block,), merge.area_m2, min_area, cure))
    columns = {} if water is None else {"barrier": is_water[order]}
    return _table(faces[order], ids, columns, crs, findings)


def _numbered(faces: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Positions of the faces in reading order, and their ids in that order."""
    width = max(5, len(str(len(faces))))
    return _row_band_order(faces), np.array([f"B{i:0{width}d}" for i in range(1, len(faces) + 1)], dtype=object)


def _table(
    faces: NDArray[Any], ids: NDArray[Any], columns: dict[str, Any], crs: Any, findings: list[Finding]
) -> gpd.GeoDataFrame:
    import geopandas as gpd
    import shapely

    named = {"area_m2": shapely.area(faces), **columns}
    blocks = gpd.GeoDataFrame(named, geometry=faces, index=_unit_index(ids), crs=crs)
    land = ~columns["barrier"] if "barrier" in columns else np.ones(len(ids), dtype=bool)
    told = tell_large(named["area_m2"][land], ids[land].tolist())
    blocks.attrs["findings"] = (*findings, *told)
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


def _read_layers(
    boundary: Any, streets: Any, given: Mapping[str, Any], crs: Any
) -> tuple[dict[str, Any], Any, list[Finding]]:
    """Check the layers and bring them to one system in metres."""
    every = (streets, boundary, *given.values())
    own = next((layer.crs for layer in every if getattr(layer, "crs", None) is not None), None)
    layers = {"boundary": as_layer(boundary, "boundary", own), "streets": as_layer(streets, "streets", own)}
    check_layer(layers["boundary"], "boundary", POLYGONS)
    check_layer(layers["streets"], "streets", LINES)
    for name, layer in given.items():
        layers[name] = None if layer is None else as_layer(layer, name, own)
        if layer is not None:
            check_layer(layers[name], name, LINES + POLYGONS if name == "barriers" else POLYGONS)
    projected, target, findings = to_same_metric(layers, crs)
    for name in ("boundary", *given):
        layer = projected[name]
        if layer is not None:
            is_polygon = layer.geom_type.isin(POLYGONS)
            if is_polygon.any():
                check_layer(layer[is_polygon], name, POLYGONS, valid=True)
    for name in ("barriers", "parents"):
        if projected.get(name) is not None:
            projected[name] = clip_long(projected[name], projected["boundary"].total_bounds)
    return projected, target, list(findings)


def _choose_streets(
    streets: Any,
    class_column: str | None,
    classes: Mapping[Any, str] | None,
    factors: Mapping[str, int],
    keep: Iterable[str],
) -> tuple[NDArray[np.bool_], NDArray[Any], list[Finding]]:
    wanted = (keep,) if isinstance(keep, str) else tuple(keep)
    street_class, raw, findings = classify(streets, class_column, classes, factors)
    kept, below = is_cutting(street_class, raw, wanted, factors), is_tunnel(streets)
    if not kept.any():
        seen = ", ".join(
            f"{name} ({count})" for name, count in zip(*np.unique(street_class.astype(str), return_counts=True))
        )
        raise InputError(
            f"none of the {len(streets)} streets is of a class in keep= ({', '.join(wanted)}); there are: {seen}. "
            "Add classes to keep=, or translate the values with class_column= and classes=."
        )
    said = list(findings)
    if not kept.all():
        cure = f"These streets do not cut; {', '.join(wanted)} do. Change it with keep=."
        said.append(Finding("streets-not-cutting", "info", (), int((~kept).sum()), None, cure))
    if (kept & below).any():
        ids = tuple(streets.index[kept & below].tolist())
        said.append(Finding("tunnels-not-cutting", "info", ids, len(ids), None, "Streets in tunnels do not cut."))
    return kept & ~below, street_class, said


def _street_lines(streets: Any, area: Any, snap: float) -> NDArray[Any]:
    lines = _lines_near(clip_long(streets, area.bounds).geometry.to_numpy(), area, snap)
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
    return as_lines(parts[shapely.dwithin(area, parts, snap)])


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
