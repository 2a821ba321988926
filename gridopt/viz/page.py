"""The page maps are drawn on: map, legend strip and panel; grids, scale bar and north arrow."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError
from gridopt.viz.fonts import font_families
from gridopt.viz.labels import points_per_metre
from gridopt.viz.loads import MANY_GRIDS, table_height
from gridopt.viz.style import INK, PAPER, write_text

if TYPE_CHECKING:
    from geopandas import GeoDataFrame
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "checked_path",
    "draw_grids",
    "draw_legend",
    "line_scale",
    "metres_per_unit",
    "new_page",
    "path_of",
    "projected",
    "round_length",
    "same_crs",
]

SUFFIXES = (".pdf", ".png", ".svg")
MAP_INCHES = (8.6, 8.0)
"""Largest width and height of the map."""
PANEL_INCHES = 4.4
MARGIN, TITLE, LEGEND = 0.3, 0.85, 0.5
"""Inches around everything, above and below the map."""
BAR_SHARE = 0.25
"""Most of the width of a map that its scale bar takes, where that is less than 1.6 inches."""
LETTER_INCHES, ENTRY_INCHES = 0.065, 0.42
"""Widths in a legend of 8 points: a letter, and the line beside a name with the space around it."""
COMFORTABLE_POINTS = 40.0
"""Size of a grid on paper at which lines have their full width; smaller grids get thinner lines."""


def checked_path(path: str | os.PathLike[str]) -> Path:
    """Path to draw to; refused where its suffix or folder will not do."""
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot draw {target.name!r}: the suffix must be one of {', '.join(SUFFIXES)}.")
    if not target.parent.is_dir():
        raise InputError(f"cannot write {target}: the folder {target.parent} does not exist. Create it first.")
    return target


def projected(units: GeoDataFrame) -> GeoDataFrame:
    """Units in metres: degrees are projected to a local system."""
    is_in_degrees = units.crs is not None and units.crs.is_geographic
    return units.to_crs(units.estimate_utm_crs()) if is_in_degrees else units


def metres_per_unit(crs: Any) -> float:
    """Metres in one unit of coordinates."""
    return float(crs.axis_info[0].unit_conversion_factor) if crs is not None and crs.axis_info else 1.0


def same_crs(layer: Any, units: GeoDataFrame) -> Any:
    """A layer in the system of the units."""
    return layer if layer.crs is None or units.crs is None or layer.crs == units.crs else layer.to_crs(units.crs)


def new_page(bounds: NDArray[np.float64], k: int) -> tuple[Figure, Axes, Axes, Axes]:
    """Lay out the figure: map, legend strip under it, panel at the right, title above; all sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = max(bounds[2] - bounds[0], 1e-9), max(bounds[3] - bounds[1], 1e-9)
    inches = min(MAP_INCHES[0] / width, MAP_INCHES[1] / height)
    map_w, map_h = max(width * inches, 4.5), max(height * inches, 2.5)
    panel_h = max(map_h + LEGEND, table_height(k) if k <= MANY_GRIDS else 5.5)
    page_w, page_h = map_w + PANEL_INCHES + 3 * MARGIN, panel_h + TITLE + 2 * MARGIN
    figure = Figure(figsize=(page_w, page_h), facecolor=PAPER)
    FigureCanvasAgg(figure)

    def box(x: float, y: float, w: float, h: float) -> Axes:
        axes = figure.add_axes((x / page_w, y / page_h, w / page_w, h / page_h))
        axes.set_axis_off()
        return axes

    top = page_h - MARGIN - TITLE
    axes = box(MARGIN, top - map_h, map_w, map_h)
    axes.set_aspect("equal")
    pad = 0.01 * max(width, height)
    axes.set_xlim(bounds[0] - pad, bounds[2] + pad)
    axes.set_ylim(bounds[1] - pad, bounds[3] + pad)
    legend = box(MARGIN, top - map_h - LEGEND, map_w, LEGEND)
    panel = box(map_w + 2 * MARGIN, top - panel_h, PANEL_INCHES, panel_h)
    for strip, w, h in ((legend, map_w, LEGEND), (panel, PANEL_INCHES, panel_h)):
        strip.set_xlim(0, w)
        strip.set_ylim(h, 0)
    return figure, axes, legend, panel


def line_scale(axes: Axes, units: GeoDataFrame, k: int) -> float:
    """Share of their full width that lines have: less where grids are small on paper."""
    size = np.sqrt(units.area.sum() / max(k, 1)) * points_per_metre(axes)
    return float(np.clip(size / COMFORTABLE_POINTS, 0.25, 1.0))


def draw_grids(axes: Axes, grids: NDArray[Any], colours: NDArray[Any]) -> None:
    """Fill shapes, one colour each."""
    from matplotlib.collections import PathCollection

    drawn = PathCollection([path_of(g) for g in grids], facecolors=list(colours), edgecolors="none", zorder=1)
    drawn.set_gid("grids")
    axes.add_collection(drawn, autolim=False)


def path_of(shape: Any) -> Any:
    """One compound path of all rings of a polygon or several."""
    import shapely
    from matplotlib.path import Path as Outline

    rings = shapely.get_rings(shapely.get_parts(shape))
    if not len(rings):
        return Outline(np.zeros((0, 2)))
    return Outline.make_compound_path(*[Outline(shapely.get_coordinates(r), closed=True) for r in rings])


def draw_legend(strip: Axes, axes: Axes, handles: list[tuple[Any, str]], metres: float) -> None:
    """Scale bar at the left, what the lines mean in the middle, north at the right."""
    from matplotlib.legend_handler import HandlerTuple
    from matplotlib.lines import Line2D

    width = strip.get_xlim()[1]
    per_inch = 72 / points_per_metre(axes) * metres
    step = round_length(per_inch * min(1.6, BAR_SHARE * width))
    inches = step / per_inch
    for start, colour in ((0.0, INK), (0.5, PAPER)):
        ends = [start * inches, (start + 0.5) * inches]
        strip.fill_between(ends, 0.30, 0.36, facecolor=colour, edgecolor=INK, lw=0.8)
    label = f"{step / 1000:g} km" if step >= 1000 else f"{step:g} m"
    write_text(strip, inches / 2, 0.24, label, size=8, ha="center", va="bottom")
    handles = [(Line2D([], [], color=INK, linewidth=2.0), "grid border"), *handles]
    left, right = inches + 0.2, width - 0.45
    strip.legend(
        [h for h, _ in handles],
        [name for _, name in handles],
        handler_map={tuple: HandlerTuple(ndivide=1)},
        loc="center",
        bbox_to_anchor=((left + right) / 2 / width, 0.36),
        ncols=_columns([name for _, name in handles], right - left),
        frameon=False,
        borderpad=0,
        labelspacing=0.2,
        prop={"family": font_families(), "size": 8},
        handlelength=1.8,
        columnspacing=1.2,
    )
    strip.annotate(
        "", (width - 0.12, 0.10), (width - 0.12, 0.46), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2}
    )
    write_text(strip, width - 0.26, 0.32, "N", size=9, weight="bold", ha="center", va="center")


def _columns(names: list[str], inches: float) -> int:
    """In how many columns entries of a legend fit into a width, as matplotlib aligns them."""
    wide = [LETTER_INCHES * len(name) + ENTRY_INCHES for name in names]

    def taken(n: int) -> float:
        return sum(float(column.max()) for column in np.array_split(wide, n))

    return next((n for n in range(len(wide), 1, -1) if taken(n) <= inches), 1)


def round_length(metres: float) -> float:
    """Largest of 1, 2, 5 times a power of ten that is at most `metres`."""
    power = 10.0 ** np.floor(np.log10(metres))
    return float(max(m * power for m in (1, 2, 5) if m * power <= metres * (1 + 1e-9)))
