"""`draw_sheet`: every step from raw streets to a plan on one page."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.viz.colours import PALETTE, colour_parts
from gridopt.viz.labels import draw_labels
from gridopt.viz.map import draw_barriers, draw_lines, draw_streets, plan_of, save_map
from gridopt.viz.page import path_of
from gridopt.viz.shapes import dissolve, lines_between, touching_pairs
from gridopt.viz.style import INK, MUTED, PAPER, write_text

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gridopt.model.plan import Plan
    from gridopt.model.result import Result

__all__ = ["REASONS", "draw_sheet"]

REASONS: Mapping[str, str] = MappingProxyType(
    {"median": "#d7663f", "roundabout": "#7b6fb0", "slip": "#4f9bc4", "sliver": "#e0b21f", "small": "#5f9e6e"}
)
"""Colour of what was merged, by reason."""
PANEL, GAP, HEAD, NOTE = 4.2, 0.25, 0.75, 0.42
"""Inches: side of a panel, room between panels, room for the title of the page and of a panel."""
NEAR, NEAREST, FARTHEST = 0.22, 250.0, 900.0
"""Side of the part that is drawn near: a share of the longer side of the territory, between so many metres."""
SHADES = ("#f4f1ea", "#dbe6d5", "#b4d0b8", "#7fb29a", "#478c80", "#1f5f66")
LINE, MOST_FINDINGS = 84, 10
Corner = Literal["lower left", "lower right", "upper left", "upper right"]
LEGEND_SHARE = (0.3, 0.25)
"""Width and height of a legend in its panel."""


def draw_sheet(
    blocks: GeoDataFrame,
    streets: GeoDataFrame,
    merged: GeoDataFrame,
    *,
    plan: Plan | Result | None = None,
    workload: Any = None,
    findings: Sequence[Finding] | None = None,
    barriers: Any = None,
    title: str = "",
    path: str | os.PathLike[str] | None = None,
    dpi: int = 80,
) -> Figure:
    """
    Draw what became of raw streets: what was merged, blocks, both from near, findings, workload, plan.

    Parameters
    ----------
    blocks : GeoDataFrame
        As `gridopt.build_blocks` returns them.
    streets : GeoDataFrame
        In any coordinate system.
    merged : GeoDataFrame
        As `gridopt.merged_faces` returns it.
    plan : Plan or Result, optional
        Over the blocks; without it the last panel stays empty.
    workload : Series, optional
        Of each block, by id. Default: their areas.
    findings : sequence of Finding, optional
        Default: those of the blocks.
    barriers : GeoDataFrame or GeoSeries, optional
    title : str
    path : str or path, optional
        Where to save the picture; the suffix decides the format.
    dpi : int

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, shapely
    >>> lines = gpd.GeoSeries(shapely.linestrings([[(50, -9), (50, 109)], [(54, -9), (54, 109)]]), crs="EPSG:3826")
    >>> blocks = go.build_blocks(gpd.GeoSeries([shapely.box(0, 0, 100, 100)], crs="EPSG:3826"), lines)
    >>> len(draw_sheet(blocks, lines.to_frame("geometry"), go.merged_faces(blocks)).axes)
    6
    """
    streets = streets if streets.crs is None or streets.crs == blocks.crs else streets.to_crs(blocks.crs)
    if barriers is not None and barriers.crs is not None:
        barriers = barriers.to_crs(blocks.crs)
    figure, panels = _page(title or f"{len(blocks):,} blocks")
    whole, near = _views(blocks, merged)
    faces = f"raw streets; {len(merged):,} pieces between them are no blocks"
    for axes, view, text in zip(
        (panels[0], panels[2]), (whole, near), (faces, "from near: what was merged, and the borders left")
    ):
        _note(axes, text)
        _window(axes, view)
        _draw_merged(axes, merged, 1.5 if view is whole else 0.0)
        _draw_lines_of(axes, streets, barriers, 0.35 if view is whole else 0.8)
        if view is near:
            draw_lines(axes, blocks.geometry.to_numpy(), INK, 1.6, zorder=6)
    corner = _free_corner(blocks, whole)
    _legend(panels[0], merged, corner)
    _note(panels[1], f"{len(blocks):,} blocks over streets")
    _window(panels[1], whole)
    _fill(panels[1], blocks.geometry.to_numpy(), _colours(blocks.geometry.to_numpy()))
    _draw_lines_of(panels[1], streets, barriers, 0.3)
    draw_lines(panels[1], blocks.geometry.to_numpy(), INK, 0.5 * _fineness(len(blocks)), zorder=6)
    _note(panels[3], "findings")
    _list(panels[3], blocks.attrs.get("findings", ()) if findings is None else findings)
    _draw_workload(panels[4], whole, blocks, workload)
    if plan is not None:
        _draw_plan(panels[5], whole, blocks, streets, plan_of(plan))
    if path is not None:
        save_map(figure, path, dpi=dpi)
    return figure


def _page(title: str) -> tuple[Figure, list[Axes]]:
    """Lay out two rows of three panels, each with a line of text above."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = 3 * PANEL + 4 * GAP, 2 * (PANEL + NOTE) + 2 * GAP + HEAD
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    write_text(figure, GAP / width, 1 - 0.42 / height, title, size=15, weight="bold", transform=figure.transFigure)
    panels = []
    for row in range(2):
        for column in range(3):
            x, y = GAP + column * (PANEL + GAP), height - HEAD - (row + 1) * (PANEL + NOTE) - row * GAP
            axes = figure.add_axes((x / width, y / height, PANEL / width, PANEL / height))
            axes.set_axis_off()
            panels.append(axes)
    return figure, panels


def _note(axes: Axes, text: str) -> None:
    write_text(axes, 0, 1.03, text, size=9, transform=axes.transAxes, clip_on=False)


def _window(axes: Axes, view: NDArray[np.float64]) -> None:
    axes.set_xlim(view[0], view[2])
    axes.set_ylim(view[1], view[3])
    axes.set_aspect("equal", anchor="NW")


def _views(blocks: GeoDataFrame, merged: GeoDataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Window of the whole territory, and one where most was merged, both square."""
    import shapely

    bounds = blocks.total_bounds
    side = max(bounds[2] - bounds[0], bounds[3] - bounds[1])
    middle = (bounds[:2] + bounds[2:]) / 2
    whole = np.r_[middle - 0.51 * side, middle + 0.51 * side]
    part = min(max(NEAR * side, NEAREST), FARTHEST, side)
    if len(merged):
        xy = shapely.get_coordinates(shapely.centroid(merged.geometry.to_numpy()))
        cell = np.floor((xy - bounds[:2]) / part).astype(np.int64)
        weight = np.sqrt(merged["area_m2"].to_numpy())
        cells, where = np.unique(cell, axis=0, return_inverse=True)
        best = cells[np.bincount(where.ravel(), weight).argmax()]
        middle = bounds[:2] + (best + 0.5) * part
    return whole, np.r_[middle - part / 2, middle + part / 2]


def _free_corner(blocks: GeoDataFrame, view: NDArray[np.float64]) -> Corner:
    """The corner of a view where a legend covers the fewest blocks; of equals the first."""
    import shapely

    west, south, east, north = view
    width, height = LEGEND_SHARE[0] * (east - west), LEGEND_SHARE[1] * (north - south)
    tree = shapely.STRtree(blocks.geometry.to_numpy())
    corners: dict[Corner, tuple[float, float]] = {
        "lower left": (west, south),
        "lower right": (east - width, south),
        "upper left": (west, north - height),
        "upper right": (east - width, north - height),
    }
    covered = {
        corner: len(tree.query(shapely.box(x, y, x + width, y + height), predicate="intersects"))
        for corner, (x, y) in corners.items()
    }
    return min(covered, key=lambda corner: covered[corner])


def _fineness(n: int) -> float:
    """Line widths beside those for 800 shapes: of many small ones the lines must not be all there is to see."""
    return min(1.0, float(np.sqrt(800 / max(n, 1))))


def _fill(axes: Axes, shapes: NDArray[Any], colours: Any, rim: float = 0.0) -> None:
    """Fill shapes; with a rim of so many points in their colour, even specks are seen."""
    from matplotlib.collections import PathCollection

    edges = list(colours) if rim else "none"
    drawn = PathCollection([path_of(s) for s in shapes], facecolors=list(colours), edgecolors=edges, zorder=1)
    drawn.set_linewidth(rim)
    if rim:
        drawn.set_zorder(5)
    axes.add_collection(drawn, autolim=False)


def _colours(shapes: NDArray[Any]) -> NDArray[Any]:
    pairs = touching_pairs(shapes)
    return np.array(PALETTE, dtype=object)[colour_parts(len(shapes), pairs)]


def _draw_merged(axes: Axes, merged: GeoDataFrame, rim: float) -> None:
    if len(merged):
        _fill(axes, merged.geometry.to_numpy(), [REASONS.get(r, MUTED) for r in merged["reason"]], rim)


def _draw_lines_of(axes: Axes, streets: GeoDataFrame, barriers: Any, scale: float) -> None:
    if barriers is not None:
        draw_barriers(axes, barriers, scale)
    draw_streets(axes, streets, None, scale)


def _legend(axes: Axes, merged: GeoDataFrame, corner: Corner) -> None:
    from matplotlib.patches import Patch

    counts = merged["reason"].value_counts() if len(merged) else {}
    handles = [Patch(color=c, label=f"{name} {counts[name]:,}") for name, c in REASONS.items() if name in counts]
    if handles:
        axes.legend(handles=handles, loc=corner, fontsize=7, frameon=True, framealpha=0.9)


def _list(axes: Axes, findings: Sequence[Finding]) -> None:
    """Codes with what was seen, and the first words of what happened."""
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    y = 0.97
    for code, _, _, value, _, cure in findings[:MOST_FINDINGS]:
        seen = code if value is None else f"{code}: {value}" if isinstance(value, str) else f"{value:,} {code}"
        write_text(axes, 0.0, y, seen, size=8.5, weight="bold")
        told = textwrap.wrap(cure, LINE, max_lines=2, placeholder=" …")
        for i, line in enumerate(told):
            write_text(axes, 0.0, y - 0.030 - 0.026 * i, line, size=7, colour=MUTED)
        y -= 0.046 + 0.026 * len(told)


def _draw_workload(axes: Axes, view: NDArray[np.float64], blocks: GeoDataFrame, workload: Any) -> None:
    values = blocks["area_m2"] / 1e4 if workload is None else workload.reindex(blocks.index)
    name = "hectares" if workload is None else str(workload.name or "workload")
    _note(axes, f"{name} of each block, in six equal classes")
    _window(axes, view)
    ranks = values.fillna(0).rank(method="average").to_numpy()
    shade = np.minimum((ranks / (len(ranks) + 1) * len(SHADES)).astype(np.int64), len(SHADES) - 1)
    _fill(axes, blocks.geometry.to_numpy(), np.array(SHADES, dtype=object)[shade])
    draw_lines(axes, blocks.geometry.to_numpy(), "#ffffff", 0.35 * _fineness(len(blocks)), zorder=2)
    _shades_legend(axes, values.fillna(0).to_numpy(), shade, _free_corner(blocks, view))


def _shades_legend(axes: Axes, values: NDArray[Any], shade: NDArray[np.int64], corner: Corner) -> None:
    """Least and largest value of each class that occurs."""
    from matplotlib.patches import Patch

    handles = []
    for k in np.unique(shade).tolist():
        low, high = (
            f"{v:,.3g}" if v < 1000 else f"{v:,.0f}" for v in (values[shade == k].min(), values[shade == k].max())
        )
        handles.append(Patch(facecolor=SHADES[k], edgecolor=MUTED, linewidth=0.3, label=f"{low} to {high}"))
    axes.legend(handles=handles, loc=corner, fontsize=7, frameon=True, framealpha=0.9)


def _draw_plan(axes: Axes, view: NDArray[np.float64], blocks: GeoDataFrame, streets: GeoDataFrame, plan: Plan) -> None:
    n = plan.problem.n_grids
    _note(axes, f"{n:,} grids")
    _window(axes, view)
    ordered = blocks.loc[list(plan.problem.graph.ids)].geometry.to_numpy()
    grids = dissolve(ordered, plan.labels, n)
    pairs, borders = lines_between(grids)
    colours = np.array(PALETTE, dtype=object)[colour_parts(n, pairs, touching_pairs(grids))]
    _fill(axes, grids, colours)
    _draw_lines_of(axes, streets, None, 0.3)
    outline = dissolve(grids, np.zeros(n, dtype=np.int64), 1)
    draw_lines(axes, np.concatenate([borders, outline]), INK, 1.4, zorder=6)
    draw_labels(axes, grids, plan.grid_ids)
