"""Names of grids on a map: inside where there is room, beside with a thin line where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.viz.style import INK, PAPER, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LABEL_POINTS", "draw_labels", "points_per_metre"]

LABEL_POINTS = (4.5, 12.0)
"""Labels that would be smaller stand beside their grid, larger ones do not occur."""
LETTER = 0.68
"""Width of a letter over the height of the type."""
BESIDE = 6.0
"""Points of labels that stand beside their grid."""
MOST_BESIDE = 0.3
"""Share of the grids up to which labels stand beside: more would cover the map, and small ones are left out."""
REACHES = (9.0, 14.0, 20.0, 28.0, 38.0)
"""Points from the grid to the label beside it, the nearest free place first."""
DIRECTIONS = 16

Array = NDArray[Any]


def points_per_metre(axes: Axes) -> float:
    """Points on paper per coordinate unit of the map."""
    axes.apply_aspect()
    return float(axes.get_window_extent().width / axes.figure.dpi * 72 / np.diff(axes.get_xlim())[0])


def draw_labels(axes: Axes, grids: Array, ids: Array) -> None:
    """Grid ids at the centre of the largest circle inside each grid, as large as it allows; else beside it."""
    import shapely
    from matplotlib.patheffects import withStroke

    live = np.flatnonzero(shapely.area(grids) > 0)
    if not len(live):
        return
    tolerance = np.sqrt(shapely.area(grids[live])) / 50
    radius = shapely.maximum_inscribed_circle(grids[live], tolerance)
    scale = points_per_metre(axes)
    centre = shapely.get_coordinates(shapely.get_point(radius, 0))
    n_letters = np.array([len(str(i)) for i in ids[live]])
    typical = np.median(np.sqrt(shapely.area(grids[live]))) * scale
    largest = np.clip(0.25 * typical, LABEL_POINTS[0] + 1, LABEL_POINTS[1])
    size = np.minimum(2.0 * shapely.length(radius) * scale / np.hypot(LETTER * n_letters, 1.0), largest)
    fits = size >= LABEL_POINTS[0]
    at = centre.copy()
    if 0 < (~fits).sum() <= max(MOST_BESIDE * len(live), 1):
        size = np.where(fits, size, BESIDE)
        half = np.column_stack([LETTER * n_letters, np.full(len(size), 1.3)]) * size[:, None] / 2 / scale
        window = np.array([axes.get_xlim(), axes.get_ylim()])
        at, fits = _beside(centre, half, fits, window, 1 / scale)
        for k in np.flatnonzero((at != centre).any(axis=1)).tolist():
            axes.plot(*np.stack([centre[k], at[k]]).T, color=INK, lw=0.5, zorder=7, scalex=False, scaley=False)
    halo = [withStroke(linewidth=2.0, foreground=PAPER, alpha=0.75)]
    for k in np.flatnonzero(fits).tolist():
        (x, y), label = at[k], str(ids[live[k]])
        text = write_text(axes, x, y, label, size=float(size[k]), weight="bold", ha="center", va="center")
        text.set(path_effects=halo, zorder=8)


def _beside(
    centre: Array, half: Array, fits: NDArray[np.bool_], window: Array, point: float
) -> tuple[Array, NDArray[np.bool_]]:
    """Places of the labels that do not fit inside: the nearest free one of each; without one it is left out."""
    at, shown = centre.copy(), fits.copy()
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    ways = np.column_stack([np.cos(angle), np.sin(angle)])
    for k in np.flatnonzero(~fits).tolist():
        for reach in REACHES:
            places = centre[k] + ways * (reach * point + half[k])
            free = ((places - half[k] >= window[:, 0]) & (places + half[k] <= window[:, 1])).all(axis=1)
            apart = np.abs(places[:, None] - at[shown]) >= half[k] + half[shown]
            free &= apart.any(axis=2).all(axis=1)
            if free.any():
                at[k], shown[k] = places[int(free.argmax())], True
                break
    return at, shown
