"""The territories of the demo, from raw lines to a problem: real streets that libpysal ships, and a generated city."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError
from gridopt.model.problem import Locks, Problem

if TYPE_CHECKING:
    from geopandas import GeoDataFrame, GeoSeries

__all__ = ["Case", "generated", "geodanet", "line", "outline_of", "patrol_km"]

PATROL = 365, 10.0
"""Passes along each street in a year, one a day, and km/h on an electric bicycle."""
INCIDENT_HOURS = 1.5
"""Two officers for 45 minutes."""
SCHOOL_HOURS = 40.0
"""Two officers for half an hour, in each of 40 school weeks."""
HOUSEHOLD_HOURS = 4 * (15 + 5 / 0.5) / 60
"""Four visits a year of 15 minutes, each reached by 2 calls of 5 minutes on average."""
ENTITY_HOURS = 2 * 45 / 60 * 2
"""Two inspections a year of 45 minutes, by two officers together."""
WALK = 250, 4.0
"""Passes along each street in a year, one each working day, and km/h on foot."""
TEAM_HOURS = 2 * 1200.0
"""Field hours of a team of two in a year: 250 days of 8 hours, three fifths of them outdoors."""
ACROSS_M = 150.0
"""Objects this near to the outline belong to the streets that form it."""


@dataclass(frozen=True, eq=False)
class Case:
    """A territory ready to be solved, and what was said on the way."""

    title: str
    blocks: GeoDataFrame
    streets: GeoDataFrame
    problem: Problem
    barriers: GeoDataFrame | GeoSeries | None = None
    lines: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def geodanet(n_grids: int = 8, tolerance: str = "0.10") -> Case:
    """
    Make a problem of libpysal's example ``geodanet``: 293 street segments, 287 recorded crimes and 8 schools of a town.

    The data have no boundary: the territory is what the outermost streets enclose. They have no workload either: it is
    patrol along the streets, dealing with incidents, and visits to schools, in hours a year.
    """
    from gridopt.territory.blocks import build_blocks

    streets, incidents, schools = (_read_example(name) for name in ("streets", "crimes", "schools"))
    territory = outline_of(streets)
    blocks = build_blocks(territory, streets)
    objects, across, furthest = _drawn_in({"incidents": incidents, "schools": schools}, territory)
    return _stated(
        title="geodanet: patrol grids of a town",
        blocks=blocks,
        layers={"streets": streets},
        objects=objects,
        hours={"incidents": INCIDENT_HOURS, "schools": SCHOOL_HOURS},
        patrol=PATROL,
        limits={"n_grids": n_grids, "tolerance": tolerance},
        lines=(
            line("streets", f"{len(streets)} lines, {streets.length.sum() / 1000:.1f} km (libpysal's geodanet)"),
            line("boundary", f"what the outermost streets enclose, {territory.area.sum() / 1e6:.2f} km²"),
            line("objects", f"{len(incidents)} incidents, {len(schools)} schools"),
            line("", f"{across} lie up to {furthest:.0f} m across the outermost street and count on its near side"),
        ),
    )


def generated(n: int, seed: int = 0, tolerance: str = "0.10") -> Case:
    """
    Make a problem of the generated city of about `n` blocks: nested in 街道, compounds uncut, a river with bridges.

    The workload is visits to households, inspections of shops and restaurants, and patrol, in hours a year; a grid is
    the work of a team of two.
    """
    from gridopt.territory.blocks import build_blocks
    from gridopt.territory.locate import locate
    from gridopt.territory.synthetic import city

    made = city(n, seed)
    blocks = build_blocks(made.boundary, made.streets, barriers=made.rivers)
    inside = blocks.geometry.representative_point()
    blocks["street"] = locate(made.subdistricts, inside).unit_of.reindex(blocks.index)
    blocks["compound"] = locate(made.compounds, inside).unit_of.reindex(blocks.index)
    entities = made.services[made.services["kind"].isin(["shop", "restaurant", "pharmacy", "market"])]
    return _stated(
        title=f"Generated city of {len(blocks):,} blocks",
        blocks=blocks,
        layers={"streets": made.streets, "barriers": made.rivers, "crossings": made.bridges},
        objects={"households": made.households, "entities": entities},
        weight={"households": "households"},
        hours={"households": HOUSEHOLD_HOURS, "entities": ENTITY_HOURS},
        patrol=WALK,
        limits={"parent": blocks["street"], "locks": Locks(together=blocks["compound"]), "tolerance": tolerance},
        lines=(
            line("streets", f"{len(made.streets):,} lines, {made.streets.length.sum() / 1000:,.0f} km, generated"),
            line("nested in", f"{len(made.subdistricts)} subdistricts; {len(made.compounds)} compounds are not cut"),
        ),
    )


def _stated(
    title: str,
    blocks: GeoDataFrame,
    layers: dict[str, Any],
    objects: dict[str, GeoDataFrame],
    hours: dict[str, float],
    patrol: tuple[int, float],
    limits: dict[str, Any],
    lines: tuple[str, ...],
    weight: dict[str, str] | None = None,
) -> Case:
    """Locate the objects, add up the hours, build the graph, state the problem."""
    from gridopt.rules.build import build_problem
    from gridopt.territory.adjacency import build_graph
    from gridopt.territory.locate import locate

    found = locate(blocks, objects, weight=weight)
    passes, speed = patrol
    work = {f"patrol ({passes} passes at {speed:g} km/h)": patrol_km(blocks, layers["streets"]) * passes / speed}
    for name, each in hours.items():
        blocks[name] = found.counts[name]
        work[f"{name} ({each:.3g} h each)"] = found.counts[name].to_numpy() * each
    blocks["hours"] = np.round(sum(work.values()), 2)
    total = float(blocks["hours"].sum())
    graph = build_graph(blocks, **layers)
    if "n_grids" not in limits:
        limits = {**limits, "n_grids": max(1, round(total / TEAM_HOURS))}
    problem = build_problem(graph, blocks["hours"], **limits)
    parts = [line("", f"{values.sum():,.0f} {name}") for name, values in work.items()]
    outside = [line("", f"{len(found.outside)} objects lie outside and do not count")] if len(found.outside) else []
    said = (
        *lines,
        *outside,
        line("blocks", f"{len(blocks):,}, {blocks['area_m2'].sum() / 1e6:.2f} km², no gaps, no overlaps"),
        line("workload", f"{total:,.0f} hours a year"),
        *parts,
        line("graph", f"{graph.n_units:,} units, {graph.n_edges:,} borders"),
    )
    return Case(
        title=title,
        blocks=blocks,
        streets=layers["streets"],
        problem=problem,
        barriers=layers.get("barriers"),
        lines=said,
        findings=tuple(blocks.attrs.get("findings", ())),
    )


def line(head: str, text: str) -> str:
    """Put a heading before a line of the story."""
    return f"{head:<10}{text}"


def _read_example(name: str) -> GeoDataFrame:
    """One layer of geodanet, in metres; found beside libpysal's code, without importing it or asking the network."""
    from gridopt.io.tables import read_layer

    found = importlib.util.find_spec("libpysal")
    folders = [] if found is None else list(found.submodule_search_locations or ())
    path = next((p for f in folders if (p := Path(f, "examples", "geodanet", f"{name}.shp")).is_file()), None)
    if path is None:
        raise InputError(f"libpysal's example geodanet ({name}.shp) is not installed. Install libpysal again.")
    layer = read_layer(path, what=name, shapes=("line", "point"))
    return layer.to_crs(layer.estimate_utm_crs())


def outline_of(streets: GeoDataFrame) -> GeoSeries:
    """
    What the outermost streets enclose, as one row; streets that enclose nothing are left out.

    Raises
    ------
    InputError
        If the streets enclose nothing.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> roads = [[(-1, 0), (9, 0)], [(0, -1), (0, 5)], [(5, -1), (-1, 5)]]
    >>> outline_of(gpd.GeoDataFrame(geometry=[shapely.LineString(road) for road in roads])).area.tolist()
    [8.0]
    """
    import geopandas as gpd
    import shapely

    lines = shapely.get_parts(shapely.union_all(streets.geometry.to_numpy()))
    faces = shapely.get_parts(shapely.polygonize(lines))
    if not len(faces):
        raise InputError("the streets enclose nothing; give a boundary.")
    return gpd.GeoSeries([shapely.coverage_union_all(faces)], crs=streets.crs)


def _drawn_in(layers: dict[str, GeoDataFrame], territory: GeoSeries) -> tuple[dict[str, GeoDataFrame], int, float]:
    """Move points just across the outline onto its near side; say how many, and how far the furthest was."""
    import shapely

    near_side = shapely.buffer(territory.iloc[0], -0.1)
    moved, count, furthest = {}, 0, 0.0
    for name, layer in layers.items():
        points = layer.geometry.to_numpy()
        distance = shapely.distance(territory.iloc[0], points)
        across = (distance > 0) & (distance <= ACROSS_M)
        points = np.where(across, shapely.get_point(shapely.shortest_line(near_side, points), 0), points)
        moved[name] = layer.set_geometry(points, crs=layer.crs)
        count += int(across.sum())
        furthest = max(furthest, float(distance[across].max(initial=0.0)))
    return moved, count, furthest


def patrol_km(blocks: GeoDataFrame, streets: GeoDataFrame) -> NDArray[np.float64]:
    """
    Kilometres of street each block has to be patrolled along: half of each street beside it, all of one within it.

    Parameters
    ----------
    blocks : GeoDataFrame
        Polygons, metres.
    streets : GeoDataFrame
        Lines, in the same coordinate system.

    Returns
    -------
    ndarray of float64, shape (n,)
        The side of a street on which there is no block counts for the other one, so that the sum is the length of all
        streets that touch a block.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> blocks = gpd.GeoDataFrame(geometry=shapely.box([0, 1000], 0, [1000, 2000], 1000))
    >>> lines = [shapely.LineString([(1000, 0), (1000, 1000)]), shapely.LineString([(0, 0), (1000, 0)])]
    >>> patrol_km(blocks, gpd.GeoDataFrame(geometry=lines)).tolist()
    [1.5, 0.5]
    """
    import shapely

    pieces = shapely.get_parts(shapely.node(shapely.multilinestrings(shapely.get_parts(streets.geometry.to_numpy()))))
    middle, ahead = (
        shapely.get_coordinates(shapely.line_interpolate_point(pieces, t, normalized=True)) for t in (0.5, 0.501)
    )
    along = ahead - middle
    across = np.column_stack([-along[:, 1], along[:, 0]]) / np.maximum(np.hypot(*along.T), 1e-12)[:, None]
    tree = shapely.STRtree(blocks.geometry.to_numpy())
    side = np.full((2, len(pieces)), -1, dtype=np.int64)
    for row, sign in zip(side, (1, -1)):
        piece, block = tree.query(shapely.points(middle + sign * across), predicate="intersects")
        row[piece] = block
    side = np.where(side < 0, side[::-1], side)
    km = shapely.length(pieces) / 2000
    total = np.zeros(len(blocks))
    for row in side:
        np.add.at(total, row[row >= 0], km[row >= 0])
    return total
