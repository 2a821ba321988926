"""Given polygons: every gap, overlap, spike, invalid ring, duplicate and unit in pieces, measured, with coordinates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_ids
from gridopt.errors import Finding, GeometryError, name_ids
from gridopt.territory._anatomy import Anatomy, check_width, examine
from gridopt.territory._faces import LEAST_AREA
from gridopt.territory._layers import POLYGONS, as_layer
from gridopt.territory.crs import to_metric

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["KINDS_OF_DEFECT", "inspect_units", "list_defects", "read_polygons"]

COVERED = 0.5
"""Share of a gap that units covered before their spikes were cut, from which it is no gap."""

KINDS_OF_DEFECT = (
    Finding("no-geometry", "error", cure="Fill or drop these rows."),
    Finding("invalid-geometry", "error", cure="Outlines cross or touch themselves; repair_units() mends them."),
    Finding("duplicate-polygon", "warning", cure="The same ground twice; repair_units() keeps the first."),
    Finding("overlap", "warning", cure="Ground in several units; repair_units() gives it to one."),
    Finding("gap", "warning", cure="Narrow ground between units, in none; repair_units() fills it."),
    Finding("pin-hole", "warning", cure="Narrow holes in one unit; repair_units() fills them."),
    Finding("spike", "warning", cure="Outlines that run out and back; repair_units() cuts them."),
    Finding("hole", "info", cure="Enclosed ground in no unit, wider than gap_width=: it stays as it is."),
    Finding(
        "several-parts",
        "info",
        cure="Units in pieces that do not touch: each is one unit, unless split_multipart= makes more of them.",
    ),
)
"""What is told of each kind of defect, in the order they are listed."""

Array = NDArray[Any]


def inspect_units(
    units: gpd.GeoDataFrame | gpd.GeoSeries, *, gap_width: float = 1.0, spike_width: float = 0.1, crs: Any = None
) -> gpd.GeoDataFrame:
    """
    List what is wrong with polygons that should tile a territory. Nothing is changed.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        Polygons or multipolygons; the index holds their ids (text or integers). They may be invalid, empty or missing.
    gap_width : float
        Metres. Ground between units is a gap up to this width, open or enclosed; enclosed ground wider than it is a
        hole: streets between parcels, an enclave.
    spike_width : float
        Metres. Spikes are at most this wide at the foot, sharper than 3 degrees, and ten times longer than wide.
    crs : optional
        Projected system in metres to measure in; default that of `units`, or the local UTM zone for degrees.

    Returns
    -------
    GeoDataFrame
        One row per defect, by kind, the largest first; in projected metres. Columns ``kind``, ``units`` (a tuple of
        ids), ``area_m2``, ``width_m``, ``x``, ``y``, ``note``; the geometry is the ground in question, or a point.
        Kinds: ``no-geometry``, ``invalid-geometry``, ``duplicate-polygon``, ``overlap``, ``gap``, ``pin-hole``,
        ``spike``, ``hole``, ``several-parts``. ``attrs["findings"]`` sums them up, one `Finding` for each kind.

    Raises
    ------
    GeometryError
        If the layer has no rows, or rows that are no polygons, or coordinates that are infinite.

    Notes
    -----
    The outlines of all units are noded once and the ground is cut into faces, each looked up in all units: O(s log s)
    for s segments. Faces below 1 cm2 are rounding and not listed.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> boxes = shapely.box([0, 9, 20.5], 0, [10, 20, 30], 10)
    >>> found = inspect_units(gpd.GeoSeries(boxes, index=list("abc"), crs="EPSG:3826"))
    >>> found[["kind", "units", "area_m2", "width_m", "x", "y"]].round(1).values.tolist()
    [['overlap', ('a', 'b'), 10.0, 1.0, 9.5, 5.0], ['gap', ('b', 'c'), 5.0, 0.5, 20.2, 5.0]]
    """
    layer, ids, said = read_polygons(units, crs)
    anatomy = examine(
        layer.geometry.to_numpy(), check_width("gap_width", gap_width), check_width("spike_width", spike_width)
    )
    table = list_defects(anatomy, ids, layer.crs)
    table.attrs["findings"] = (*said, *table.attrs["findings"])
    return table


def read_polygons(units: Any, crs: Any) -> tuple[Any, Array, tuple[Finding, ...]]:
    """The layer in metres, its ids, and what was converted; refuse what no repair can help."""
    import shapely

    layer = as_layer(units, "units", crs)
    if len(layer) == 0:
        raise GeometryError("units has no rows. Check the file, the layer name, or the filter that made it.")
    ids = as_ids(layer.index)
    shapes = layer.geometry.to_numpy()
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    for bad, fault, code in (
        (
            there & ~np.isin(layer.geometry.geom_type.to_numpy().astype(str), POLYGONS),
            "are no polygons",
            "not-a-polygon",
        ),
        (there & ~np.isfinite(shapely.bounds(shapes)).all(axis=1), "have infinite coordinates", "not-finite"),
    ):
        if bad.any():
            names = tuple(ids[bad].tolist())
            raise GeometryError(
                f"{len(names)} of {len(ids)} units {fault} (first: {name_ids(names)}). Drop or convert them.",
                [Finding(code, "error", names[:50], None, None, "Drop or convert them.")],
            )
    if not there.any():
        raise GeometryError("no unit has a polygon. Check the file and the layer name.")
    metric, _, said = to_metric(layer, crs, what="units")
    return metric, ids, said


def list_defects(anatomy: Anatomy, ids: Array, crs: Any) -> gpd.GeoDataFrame:
    """One row per defect, as `inspect_units` returns them, with the findings that sum them up."""
    import geopandas as gpd

    rows = [*_of_rings(anatomy), *_of_faces(anatomy), *_of_spikes(anatomy), *_of_parts(anatomy)]
    order = [f.code for f in KINDS_OF_DEFECT]
    rows.sort(key=lambda r: (order.index(r["kind"]), -r["area_m2"], r["units"]))
    for row in rows:
        row["units"] = tuple(ids[u].item() if hasattr(ids[u], "item") else ids[u] for u in row["units"])
    columns = ("kind", "units", "area_m2", "width_m", "x", "y", "note")
    data = {c: [r[c] for r in rows] for c in columns}
    table = gpd.GeoDataFrame(data, geometry=[r["geometry"] for r in rows], crs=crs)
    table.attrs["findings"] = tuple(_sum_up(rows))
    return table


def _row(
    kind: str, units: Any, area: float, width: float, at: Any, note: str = "", shape: Any = None
) -> dict[str, Any]:
    """One row; `at` is a point, or None where there is no place."""
    import shapely

    x, y = (float(at.x), float(at.y)) if at is not None else (np.nan, np.nan)
    shape = shapely.Point(x, y) if shape is None and at is not None else shape
    units = tuple(int(u) for u in units)
    return {
        **{"kind": kind, "units": units, "area_m2": float(area), "width_m": float(width), "x": x, "y": y},
        **{"note": note, "geometry": shape},
    }


def _of_rings(anatomy: Anatomy) -> list[dict[str, Any]]:
    """Missing polygons, and invalid ones with the place and the reason."""
    import shapely

    given, rows = anatomy.given, []
    none = shapely.is_missing(given) | shapely.is_empty(given)
    rows += [_row("no-geometry", (u,), 0, 0, None, "no polygon") for u in np.flatnonzero(none)]
    for u in np.flatnonzero(~none & ~shapely.is_valid(given)):
        reason, _, place = shapely.is_valid_reason(given[u]).partition("[")
        at = shapely.Point(*map(float, place.rstrip("]").split()[:2])) if place else shapely.Point(given[u].bounds[:2])
        change = shapely.area(anatomy.valid[u]) - shapely.area(given[u])
        note = f"{reason.strip().lower()}; mended, its area changes by {change:+.2f} m2"
        rows.append(_row("invalid-geometry", (u,), abs(change), 0, at, note))
    for u in np.flatnonzero(~none & shapely.is_empty(anatomy.valid)):
        rows.append(_row("no-geometry", (u,), 0, 0, shapely.Point(given[u].bounds[:2]), "no area"))
    return rows


def _of_faces(anatomy: Anatomy) -> list[dict[str, Any]]:
    """Twins, overlaps, gaps, pin holes and holes."""
    import shapely

    faces, rows = anatomy.faces, []
    for v in np.flatnonzero(anatomy.twin_of >= 0):
        shape = anatomy.trimmed[v]
        pair = (anatomy.twin_of[v], v)
        rows.append(_row("duplicate-polygon", pair, shape.area, 0, shapely.point_on_surface(shape), "", shape))
    claims = faces.claims
    seen = faces.area >= LEAST_AREA
    for f in np.flatnonzero((claims > 1) & seen).tolist():
        width = 2 * shapely.length(shapely.maximum_inscribed_circle(faces.shape[f]))
        rows.append(_row("overlap", faces.units_of(f), faces.area[f], width, *_place(faces.shape[f])))
    free = np.flatnonzero((claims == 0) & seen)
    free = free[~_was_covered(anatomy, faces.shape[free])]
    around = _neighbours_of(faces, free)
    for f, units in zip(free.tolist(), around):
        kind = ("pin-hole" if len(units) == 1 else "gap") if anatomy.is_narrow[f] else "hole"
        rows.append(_row(kind, units, faces.area[f], anatomy.gap_width[f], *_place(faces.shape[f])))
    return rows


def _was_covered(anatomy: Anatomy, shapes: Array) -> NDArray[np.bool_]:
    """Whether each shape, ground in no unit, is where a spike was cut: units covered it, and the spike is listed."""
    import shapely

    if not len(shapes) or not anatomy.spikes:
        return np.zeros(len(shapes), dtype=bool)
    valid = anatomy.valid
    i, j = shapely.STRtree(valid).query(shapes, predicate="intersects")
    covered = np.zeros(len(shapes))
    np.add.at(covered, i, shapely.area(shapely.intersection(shapes[i], valid[j])))
    return covered > COVERED * shapely.area(shapes)


def _place(shape: Any) -> tuple[Any, str, Any]:
    import shapely

    return shapely.point_on_surface(shape), "", shape


def _neighbours_of(faces: Any, wanted: Array) -> list[Array]:
    """Units that border each of some faces along a line, the longest border first."""
    import shapely

    if not len(wanted):
        return []
    i, j = shapely.STRtree(faces.shape).query(faces.shape[wanted], predicate="touches")
    metres = shapely.length(shapely.intersection(faces.shape[wanted[i]], faces.shape[j]))
    found = []
    for k in range(len(wanted)):
        total: dict[int, float] = {}
        for f, length in zip(j[i == k].tolist(), metres[i == k].tolist()):
            for u in faces.units_of(f).tolist() if length > 0 else ():
                total[u] = total.get(u, 0.0) + length
        found.append(np.array(sorted(total, key=lambda u: (-round(total[u], 6), u)), dtype=np.int64))
    return found


def _of_spikes(anatomy: Anatomy) -> list[dict[str, Any]]:
    import shapely

    return [
        _row("spike", (s.unit,), s.area_m2, s.width_m, shapely.Point(s.x, s.y))
        for s in anatomy.spikes
        if s.area_m2 >= LEAST_AREA
    ]


def _of_parts(anatomy: Anatomy) -> list[dict[str, Any]]:
    """Units in several pieces: how many, and the share of the largest."""
    import shapely

    rows = []
    for u in np.flatnonzero(shapely.get_num_geometries(anatomy.valid) > 1):
        parts = shapely.get_parts(anatomy.valid[u])
        area = shapely.area(parts)
        note = f"{len(parts)} parts, the largest has {area.max() / area.sum():.2%}"
        rows.append(
            _row(
                "several-parts", (u,), area.sum() - area.max(), 0, shapely.point_on_surface(parts[area.argmin()]), note
            )
        )
    return rows


def _sum_up(rows: list[dict[str, Any]]) -> list[Finding]:
    """One finding for each kind that occurs: the units, how many places and square metres, where the largest is."""
    said = []
    for finding in KINDS_OF_DEFECT:
        kind = finding.code
        here = [r for r in rows if r["kind"] == kind]
        if not here:
            continue
        ids = tuple(dict.fromkeys(u for r in here for u in r["units"]))
        area = sum(r["area_m2"] for r in here)
        value = f"{len(here):,}" if kind in ("no-geometry", "several-parts") else f"{len(here):,}, {area:,.2f} m2"
        largest = here[0]
        where = f" The largest is at ({largest['x']:.1f}, {largest['y']:.1f})." if largest["x"] == largest["x"] else ""
        said.append(finding._replace(ids=ids, value=value, cure=f"{finding.cure}{where}"))
    return said
