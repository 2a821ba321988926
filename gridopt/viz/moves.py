"""`draw_moves`: what moved between two plans, on one page: arrows on the map, the list of flows beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.errors import InputError, name_ids
from gridopt.model.plan import Plan
from gridopt.viz.colours import PALETTE, colour_parts
from gridopt.viz.labels import draw_labels, points_per_metre
from gridopt.viz.loads import number
from gridopt.viz.map import draw_barriers, draw_lines, draw_streets, save_map
from gridopt.viz.page import (
    MARGIN,
    checked_path,
    draw_grids,
    draw_legend,
    line_scale,
    metres_per_unit,
    new_page,
    projected,
    same_crs,
)
from gridopt.viz.shapes import align_units, dissolve, lines_between, touching_pairs
from gridopt.viz.style import BAD, INK, MUTED, PAPER, write_text, write_title

if TYPE_CHECKING:
    from geopandas import GeoDataFrame, GeoSeries
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_moves"]

PALE = 0.62
"""How much white is in the colour of a grid: units that moved stand out in the full colour of where they went."""
MOST_ROWS = 24
ARROW_POINTS = (1.1, 4.5)
"""Width of the arrow of the lightest and of the heaviest flow."""
SHORTEST_POINTS = 9.0
ARROW_COLOUR = "#7a1f12"


class _Flow(NamedTuple):
    """Units that went from one grid to another."""

    source: str
    target: str
    n_units: int
    load: int


def draw_moves(
    plan: Plan,
    before: Any,
    units: GeoDataFrame,
    *,
    streets: GeoDataFrame | GeoSeries | None = None,
    barriers: GeoDataFrame | GeoSeries | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    class_column: str | None = None,
    dpi: int = 150,
) -> Figure:
    """
    Draw what moved: units in the colour of their new grid, arrows from them into it, lines that are gone dashed.

    Parameters
    ----------
    plan : Plan
        The plan after, with the ids that are compared.
    before : Series of text
        Grid each unit was in, indexed by unit id; missing where it is new.
    units : GeoDataFrame
        Polygons of the units of `plan`, indexed by unit id.
    streets, barriers, path, class_column, dpi
        As in `draw_map`.
    title : str, optional
        First line. Default: how many units moved.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    InputError
        If `units`, `before` and the plan are not about the same ids, or the picture cannot be written.
    GeometryError
        If a unit is no polygon.

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, pandas as pd, shapely
    >>> graph = go.Graph.from_edges(2, [(0, 1)], ids=["a", "b"])
    >>> units = gpd.GeoDataFrame(index=["a", "b"], geometry=shapely.box([0, 1], 0, [1, 2], 1), crs=32650)
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 1], n_grids=2), [0, 1])
    >>> len(draw_moves(plan, pd.Series(["G001", "G001"], index=["a", "b"]), units).axes)
    3
    """
    target = None if path is None else checked_path(path)
    aligned = projected(align_units(units, plan.problem.graph.ids))
    was = _read_before(before, plan)
    now = plan.grid_ids[plan.labels]
    shapes = aligned.geometry.to_numpy()
    moved = np.array([a is not None and a != b for a, b in zip(was.tolist(), now.tolist())], dtype=bool)
    fresh = np.array([a is None for a in was.tolist()], dtype=bool)
    grids = dissolve(shapes, plan.labels, plan.problem.n_grids)
    pairs, lines = lines_between(grids)
    colours = np.array(PALETTE, dtype=object)[colour_parts(len(grids), pairs, touching_pairs(grids))]
    figure, axes, legend, panel = new_page(aligned.total_bounds, 1)
    scale = line_scale(axes, aligned, len(grids))
    draw_grids(axes, grids, np.array([_paler(c) for c in colours], dtype=object))
    draw_grids(axes, shapes[moved], colours[plan.labels[moved]])
    draw_lines(axes, shapes, PAPER, 0.5 * scale, zorder=2)
    handles = [] if barriers is None else [draw_barriers(axes, same_crs(barriers, aligned), scale)]
    if streets is not None:
        handles += draw_streets(axes, same_crs(streets, aligned), class_column, scale)
    draw_lines(axes, np.concatenate([lines, dissolve(grids, np.zeros(len(grids), dtype=int), 1)]), INK, 1.6 * scale, 6)
    draw_lines(axes, shapes[moved], INK, 0.8 * scale, 6.1)
    if fresh.any():
        draw_lines(axes, shapes[fresh], INK, 0.9 * scale, 6.2, linestyles=(0, (1, 1)))
        handles.append((_line(INK, ":", 1.2), "new unit"))
    handles.append((_draw_gone(axes, shapes, was, plan, scale), "border before"))
    flows = _flows(plan, was, now, moved)
    short = SHORTEST_POINTS / points_per_metre(axes)
    _draw_arrows(axes, _arrows(shapes, moved, was, plan, short), max(scale, 0.5))
    draw_labels(axes, grids, plan.grid_ids)
    draw_legend(legend, axes, handles, metres_per_unit(aligned.crs))
    _draw_list(panel, flows, plan)
    _draw_facts(figure, plan, moved, fresh, flows, title)
    if target is not None:
        save_map(figure, target, dpi)
    return figure


def _read_before(before: Any, plan: Plan) -> NDArray[Any]:
    """Grid before of each unit of the plan, None where new."""
    import pandas as pd

    known = dict(zip(before.index.tolist(), before.tolist()))
    ids = plan.problem.graph.ids.tolist()
    absent = [u for u in ids if u not in known]
    if absent:
        raise InputError(f"before has no row for {len(absent)} units of the plan (first: {name_ids(absent)}).")
    out = np.empty(len(ids), dtype=object)
    out[:] = [None if pd.isna(known[u]) else str(known[u]) for u in ids]
    return out


def _paler(colour: Any) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    r, g, b = to_rgb(colour)
    return (r + (1 - r) * PALE, g + (1 - g) * PALE, b + (1 - b) * PALE)


def _line(colour: str, style: Any, width: float) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linestyle=style, linewidth=width)


def _draw_gone(axes: Axes, shapes: NDArray[Any], was: NDArray[Any], plan: Plan, scale: float) -> Any:
    """Borders of the plan before that lie inside grids now, dashed; return a handle for the legend."""
    import shapely

    names = {name: i for i, name in enumerate(dict.fromkeys(was.tolist()))}
    label = np.array([names[name] for name in was.tolist()], dtype=np.int64)
    old = dissolve(shapes, label, len(names))
    pairs, lines = lines_between(old)
    new = names.get(None, -1)
    lines = lines[(pairs != new).all(axis=1)]
    still = shapely.union_all(lines_between(dissolve(shapes, plan.labels, plan.problem.n_grids))[1])
    gone = shapely.difference(lines, still) if len(lines) else lines
    gone = gone[~shapely.is_empty(gone)]
    dashes = (0, (3, 1.5))
    draw_lines(axes, gone, BAD, 1.8 * scale, 6.5, linestyles=dashes)
    return _line(BAD, dashes, 1.6)


class _Arrow(NamedTuple):
    """From units that moved together to the grid that has them now."""

    start: tuple[float, float]
    end: tuple[float, float]
    load: int


def _arrows(
    shapes: NDArray[Any], moved: NDArray[np.bool_], was: NDArray[Any], plan: Plan, short: float
) -> list[_Arrow]:
    """One arrow for each group of adjacent units that went the same way; none is shorter than `short`."""
    rows = np.flatnonzero(moved)
    pairs = touching_pairs(shapes[rows])
    same = np.array([was[rows[i]] == was[rows[j]] for i, j in pairs], dtype=bool)
    same &= plan.labels[rows[pairs[:, 0]]] == plan.labels[rows[pairs[:, 1]]]
    pairs = pairs[same]
    near = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(rows), len(rows)))
    n_groups, group = sparse.csgraph.connected_components(near, directed=False)
    groups = dissolve(shapes[rows], group, n_groups)
    arrows = []
    for g in range(n_groups):
        mine = rows[group == g]
        there = np.flatnonzero((plan.labels == plan.labels[mine[0]]) & ~np.isin(np.arange(len(shapes)), mine))
        here = np.flatnonzero((was == was[mine[0]]) & ~moved)
        inside = np.array(_inside(groups[g]))
        if len(there):  # into the units the grid has besides
            start, end = inside, _nearest(shapes[there], groups[g], inside)
        elif len(here):  # out of the units that stayed: the grid is new, or has nothing else
            start, end = _nearest(shapes[here], groups[g], inside), inside
        else:
            continue
        length = float(np.hypot(*(end - start)))
        if length < short:
            end = start + (end - start) * (short / length if length else 0.0)
        load = int(plan.problem.workload[mine, 0].sum())
        arrows.append(_Arrow((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), load))
    return arrows


def _nearest(shapes: NDArray[Any], group: Any, inside: NDArray[np.float64]) -> NDArray[np.float64]:
    """A point inside that one of the units which has most border with a group, or is nearest to it."""
    import shapely

    shared = shapely.length(shapely.intersection(shapes, group))
    apart = shapely.distance(shapes, shapely.Point(inside))
    pick = int(np.lexsort((apart, -np.round(shared, 3)))[0])
    return np.array(_inside(shapes[pick]))


def _inside(shape: Any) -> tuple[float, float]:
    import shapely

    circle = shapely.maximum_inscribed_circle(shape, np.sqrt(shapely.area(shape)) / 50)
    x, y = shapely.get_coordinates(shapely.get_point(circle, 0))[0].tolist()
    return x, y


def _flows(plan: Plan, was: NDArray[Any], now: NDArray[Any], moved: NDArray[np.bool_]) -> list[_Flow]:
    """Flows between grids, the heaviest first."""
    total: dict[tuple[str, str], list[int]] = {}
    for u in np.flatnonzero(moved).tolist():
        flow = total.setdefault((was[u], now[u]), [0, 0])
        flow[0] += 1
        flow[1] += int(plan.problem.workload[u, 0])
    return sorted((_Flow(*key, *flow) for key, flow in total.items()), key=lambda f: (-f.load, -f.n_units, f[:2]))


def _draw_arrows(axes: Axes, arrows: list[_Arrow], scale: float) -> None:
    from matplotlib.patches import FancyArrowPatch

    heaviest = max((arrow.load for arrow in arrows), default=0) or 1
    for arrow in arrows:
        width = ARROW_POINTS[0] + (ARROW_POINTS[1] - ARROW_POINTS[0]) * np.sqrt(arrow.load / heaviest)
        width *= scale
        drawn = FancyArrowPatch(
            arrow.start,
            arrow.end,
            arrowstyle=f"-|>,head_length={2.5 * scale + 0.6 * width:.2f},head_width={1.4 * scale + 0.4 * width:.2f}",
            connectionstyle="arc3,rad=0.15",
            linewidth=width,
            color=ARROW_COLOUR,
            alpha=0.85,
            shrinkA=0,
            shrinkB=0,
            zorder=7,
        )
        axes.add_patch(drawn)


def _draw_list(panel: Axes, flows: list[_Flow], plan: Plan) -> None:
    """List the flows, the heaviest first."""
    name = plan.problem.attributes[0]
    for x, text, side in (
        (0.0, "from", "left"),
        (1.2, "to", "left"),
        (2.9, "units", "right"),
        (4.1, name[:12], "right"),
    ):
        write_text(panel, x, 0.14, text, size=8.5, colour=MUTED, ha=side)
    panel.plot([0, 4.4], [0.27, 0.27], color=INK, lw=0.8)
    for i, flow in enumerate(flows[:MOST_ROWS]):
        y = 0.42 + 0.21 * i
        write_text(panel, 0.0, y, flow.source, size=8.5, weight="bold")
        write_text(panel, 0.95, y, "→", size=8.5, colour=MUTED, ha="center")
        write_text(panel, 1.2, y, flow.target, size=8.5, weight="bold")
        write_text(panel, 2.9, y, f"{flow.n_units:,}", size=8.5, ha="right")
        write_text(panel, 4.1, y, number(plan.problem.in_user_units(flow.load)), size=8.5, ha="right")
    rest = flows[MOST_ROWS:]
    if rest:
        units = sum(flow.n_units for flow in rest)
        told = f"and {len(rest)} more flows, {units:,} units"
        write_text(panel, 0.0, 0.42 + 0.21 * MOST_ROWS, told, size=8.5, colour=MUTED)
    if not flows:
        write_text(panel, 0.0, 0.42, "nothing moved", size=8.5, colour=MUTED)


def _draw_facts(
    figure: Figure,
    plan: Plan,
    moved: NDArray[np.bool_],
    fresh: NDArray[np.bool_],
    flows: list[_Flow],
    title: str | None,
) -> None:
    width, height = figure.get_size_inches()
    total = max(1, int(plan.problem.workload[:, 0].sum()))
    share = sum(flow.load for flow in flows) / total
    first = f"{int(moved.sum()):,} of {len(moved):,} units moved"
    facts = [f"{100 * share:.2f} % of {plan.problem.attributes[0]}"]
    touched = {name for flow in flows for name in flow[:2]}
    everything = touched | set(plan.grid_ids.tolist())
    facts.append(f"{len(touched):,} of {len(everything):,} grids touched")
    if fresh.any():
        facts.append(f"{int(fresh.sum()):,} new unit{'s' if fresh.sum() > 1 else ''}")
    if title is not None:
        facts.insert(0, first)
    place: dict[str, Any] = {"transform": figure.transFigure, "ha": "left", "va": "top"}
    write_title(figure, MARGIN / width, 1 - MARGIN / height, title or first)
    y = 1 - (MARGIN + 0.40) / height
    write_text(figure, MARGIN / width, y, "  ·  ".join(facts), size=10.5, colour=MUTED, **place)
