"""`draw_map`: a plan on one page, the map on the left and the loads beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import InputError
from gridopt.model.plan import Plan
from gridopt.model.result import Result
from gridopt.viz.colours import PALETTE, colour_parts
from gridopt.viz.fonts import quiet_glyphs, warn_unseen
from gridopt.viz.labels import draw_labels
from gridopt.viz.loads import MANY_GRIDS, Loads, draw_deviations, draw_table
from gridopt.viz.page import (
    MARGIN,
    checked_path,
    draw_grids,
    draw_legend,
    line_scale,
    metres_per_unit,
    new_page,
    path_of,
    projected,
    same_crs,
)
from gridopt.viz.shapes import align_units, dissolve, lines_between, touching_pairs
from gridopt.viz.style import INK, MUTED, STREETS, WATER, drawn_class, write_text, write_title

if TYPE_CHECKING:
    from geopandas import GeoDataFrame, GeoSeries
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_barriers", "draw_lines", "draw_map", "draw_streets", "plan_of", "save_map"]

CLASS_COLUMNS = ("class", "highway", "fclass")
"""Where the class of a street is looked for."""


def plan_of(given: Plan | Result) -> Plan:
    """
    Return the plan of a result, or the plan that was given.

    Raises
    ------
    NoPlanError
        If the result has no plan.
    InputError
        If it is neither a plan nor a result.

    Examples
    --------
    >>> plan_of("plan.gpkg")
    Traceback (most recent call last):
    gridopt.errors.InputError: give a Plan or a Result, not a str. Of what read_plan returns, give its .plan.
    """
    given = getattr(given, "result", given)  # of `rebalance`
    if isinstance(given, Result):
        return given.require_plan()
    if not isinstance(given, Plan):
        cure = "Of what read_plan returns, give its .plan."
        raise InputError(f"give a Plan or a Result, not a {type(given).__name__}. {cure}")
    return given


def draw_map(
    plan: Plan | Result,
    units: GeoDataFrame,
    *,
    streets: GeoDataFrame | GeoSeries | None = None,
    barriers: GeoDataFrame | GeoSeries | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    status: str | None = None,
    attribute: str | None = None,
    class_column: str | None = None,
    dpi: int = 150,
) -> Figure:
    """
    Draw a plan: grids on a map, with the load of each grid beside it.

    Parameters
    ----------
    plan : Plan or Result
        Grid of each unit.
    units : GeoDataFrame
        Polygons of the same units, indexed by unit id. Degrees are drawn in the UTM zone they lie in.
    streets : GeoDataFrame or GeoSeries, optional
        Street lines, in any coordinate system; wider ones of higher class.
    barriers : GeoDataFrame or GeoSeries, optional
        Rivers, lakes, rail: drawn in blue.
    path : str or path, optional
        Where to save the picture; ``.png``, ``.svg`` or ``.pdf`` decides the format. Written whole or not at all.
    title : str, optional
        First line. Default: how many grids and units.
    status : str, optional
        Status of the result, for the second line. Default: that of `plan`, if it is a Result.
    attribute : str, optional
        Workload shown beside the map. Default: the first.
    class_column : str, optional
        Column of `streets` that holds ``"arterial"``, ``"collector"``, ``"local"``, ``"path"``, or OpenStreetMap's
        values. Default: ``class``, ``highway`` or ``fclass``, whichever there is. Others are drawn as local streets.
    dpi : int
        Dots per inch of a PNG.

    Returns
    -------
    matplotlib.figure.Figure
        Not registered with pyplot: it needs no closing, and drawing in threads is safe.

    Raises
    ------
    InputError
        If `units` and the plan are not about the same ids, the attribute or the suffix does not exist, or the picture
        cannot be written.
    NoPlanError
        If the result has no plan.
    GeometryError
        If a unit is no polygon.

    Notes
    -----
    Grids that share a line differ in colour (`colour_parts`). Up to 40 grids are listed in a table; more are shown as
    sorted deviations. North is up: the grid north of the coordinate system. O(v log v) in the vertices of the units.

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, shapely
    >>> graph = go.Graph.from_edges(2, [(0, 1)], ids=["a", "b"])
    >>> units = gpd.GeoDataFrame(index=["a", "b"], geometry=shapely.box([0, 1], 0, [1, 2], 1), crs=32650)
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 1], n_grids=2), [0, 1])
    >>> len(draw_map(plan, units).axes)
    3
    """
    target = None if path is None else checked_path(path)
    status = str(plan.status) if status is None and isinstance(plan, Result) else status
    plan = plan_of(plan)
    loads = Loads.of(plan, _attribute_position(plan, attribute))
    aligned = projected(align_units(units, plan.problem.graph.ids))
    grids = dissolve(aligned.geometry.to_numpy(), plan.labels, plan.problem.n_grids)
    pairs, lines = lines_between(grids)
    touching = touching_pairs(grids)
    colours = np.array(PALETTE, dtype=object)[colour_parts(len(grids), pairs, touching)]

    figure, axes, legend, panel = new_page(aligned.total_bounds, len(grids))
    scale = line_scale(axes, aligned, len(grids))
    draw_grids(axes, grids, colours)
    if streets is None:
        draw_lines(axes, aligned.boundary.to_numpy(), "#ffffff", 0.7 * scale, zorder=2)
    handles = [] if barriers is None else [draw_barriers(axes, same_crs(barriers, aligned), scale)]
    if streets is not None:
        handles += draw_streets(axes, same_crs(streets, aligned), class_column, scale)
    outline = np.concatenate([lines, dissolve(grids, np.zeros(len(grids), dtype=np.int64), 1)])
    draw_lines(axes, outline, INK, 2.0 * scale, zorder=6)
    draw_labels(axes, grids, plan.grid_ids)
    draw_legend(legend, axes, handles, metres_per_unit(aligned.crs))
    if len(grids) > MANY_GRIDS:
        draw_deviations(panel, loads)
    else:
        draw_table(panel, loads, colours)
    _draw_title(figure, loads, title, status)
    if target is not None:
        save_map(figure, target, dpi)
    return figure


def _attribute_position(plan: Plan, attribute: str | None) -> int:
    names = plan.problem.attributes
    if attribute is None:
        return 0
    if attribute not in names:
        raise InputError(f"attribute {attribute!r} is no workload of the plan. {nearest_names(attribute, names)}")
    return names.index(attribute)


# ---- layers of the map ----------------------------------------------------------------------------------------------


def draw_lines(axes: Axes, shapes: NDArray[Any], colour: str, width: float, zorder: float, **style: Any) -> Any:
    """Draw the lines of `shapes` (the outlines of polygons) in one collection."""
    import shapely
    from matplotlib.collections import LineCollection

    shapes = np.asarray(shapes, dtype=object)
    areal = np.isin(shapely.get_type_id(shapes), (3, 6))
    shapes = np.where(areal, shapely.boundary(shapes), shapes)
    parts = shapely.get_parts(shapely.get_parts(shapes))
    parts = parts[np.isin(shapely.get_type_id(parts), (1, 2)) & ~shapely.is_empty(parts)]
    coords, index = shapely.get_coordinates(parts, return_index=True)
    runs = np.split(coords, np.searchsorted(index, np.arange(1, len(parts)))) if len(parts) else []
    lines = LineCollection(runs, colors=colour, linewidths=width, zorder=zorder, **style)
    lines.set_capstyle("round")
    lines.set_rasterized(len(coords) > 200_000)
    axes.add_collection(lines, autolim=False)
    return lines


def draw_barriers(axes: Axes, barriers: Any, scale: float) -> tuple[Any, str]:
    """Water areas are filled, rivers and rail drawn as lines; return a handle for the legend."""
    import shapely
    from matplotlib.collections import PathCollection
    from matplotlib.lines import Line2D

    shapes = barriers.geometry.to_numpy()
    areal = np.isin(shapely.get_type_id(shapes), (3, 6))
    fills = PathCollection([path_of(s) for s in shapes[areal]], facecolors=WATER, edgecolors="none", zorder=3)
    axes.add_collection(fills, autolim=False)
    draw_lines(axes, shapes[~areal], WATER, 5.0 * scale, zorder=3)
    return Line2D([], [], color=WATER, linewidth=4.0), "barrier"


def _class_columns(streets: Any, class_column: str | None) -> tuple[str, ...]:
    if class_column is None:
        return CLASS_COLUMNS
    if streets.ndim != 2 or class_column not in streets.columns:
        columns = streets.columns if streets.ndim == 2 else ()
        raise InputError(
            f"class_column={class_column!r} is no column of streets. {nearest_names(class_column, columns)}"
        )
    return (class_column,)


def draw_streets(axes: Axes, streets: Any, class_column: str | None, scale: float) -> list[tuple[Any, str]]:
    """Draw streets class by class, the smallest first; return handles for the legend."""
    from matplotlib.lines import Line2D

    columns = [c for c in _class_columns(streets, class_column) if streets.ndim == 2 and c in streets.columns]
    raw = streets[columns[0]].tolist() if columns else ["local"] * len(streets)
    table = {value: drawn_class(value) for value in set(map(str, raw))}
    names = np.array([table[str(value)] for value in raw], dtype=object)
    handles = []
    for rank, (name, looks) in enumerate(STREETS.items()):
        shapes = streets.geometry.to_numpy()[names == name]
        if not len(shapes):
            continue
        for layer, look in enumerate(looks):
            z = 3.5 + 0.2 * rank + 0.1 * layer
            draw_lines(axes, shapes, look.colour, look.width * scale, z, linestyles=look.dashes)
        handles.append(
            (tuple(Line2D([], [], color=w.colour, linewidth=w.width, linestyle=w.dashes) for w in looks), name)
        )
    return handles[::-1]


def _draw_title(figure: Figure, loads: Loads, title: str | None, status: str | None) -> None:
    width, height = figure.get_size_inches()
    facts = [loads.worst_text(), loads.outside_text()]
    if status is not None:
        facts.append(str(status))
    first = title if title is not None else f"{loads.n_grids:,} grids of {loads.n_units:,} units"
    if title is not None:
        facts.insert(0, f"{loads.n_grids:,} grids of {loads.n_units:,} units")
    place: dict[str, Any] = {"transform": figure.transFigure, "ha": "left", "va": "top"}
    write_title(figure, MARGIN / width, 1 - MARGIN / height, first)
    y = 1 - (MARGIN + 0.40) / height
    write_text(figure, MARGIN / width, y, "  ·  ".join(f for f in facts if f), size=10.5, colour=MUTED, **place)


def save_map(figure: Figure, path: str | os.PathLike[str], dpi: int = 150) -> Path:
    """
    Save a picture, whole or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From `draw_map`.
    path : str or path
        ``.png``, ``.svg`` or ``.pdf`` decides the format.
    dpi : int
        Dots per inch of a PNG.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        If the suffix is another one, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from matplotlib.figure import Figure
    >>> save_map(Figure(), Path(tempfile.mkdtemp()) / "empty.png").name
    'empty.png'
    """
    import matplotlib as mpl

    target = checked_path(path)
    temporary = target.with_name(f".{target.stem}-{os.getpid()}{target.suffix}")
    date = {"Date": None} if target.suffix.lower() == ".svg" else {}
    if target.suffix.lower() == ".pdf":
        date = {"CreationDate": None}
    try:
        if target.suffix.lower() != ".svg":
            warn_unseen(figure)
        with mpl.rc_context({"svg.hashsalt": "gridopt", "svg.fonttype": "none"}), quiet_glyphs():
            figure.savefig(temporary, dpi=dpi, metadata=date)
        os.replace(temporary, target)
    except OSError as error:
        raise InputError(f"cannot write {target}: {error.strerror}. Choose another place.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target
