"""Columns that hold the area of units, when the shapes of the units change: measured anew, or said to be stale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding

__all__ = ["columns_of_area", "measured_again"]

OWN = "area_m2"
"""The column that gridopt writes."""
UNITS_OF_AREA = {"m2": 1.0, "ha": 1e-4, "km2": 1e-6}
ALIKE, MOST = 0.01, 0.95
"""How near a value is to the area of its unit, and how many are, where a column holds areas."""
CHANGED = 0.01
"""Square metres by which a unit has changed."""
SHOWN = 50


def measured_again(units: Any, given: Any, but: Sequence[str] = ()) -> tuple[Any, list[Finding]]:
    """
    Measure `area_m2` anew where units have changed; other columns of areas stay, and are named.

    Parameters
    ----------
    units, given : GeoDataFrame or GeoSeries
        Units after and before, in metres; ids are the index. Not modified.
    but : sequence of str
        Columns that were seen to already.

    Returns
    -------
    units : GeoDataFrame or GeoSeries
    findings : list of Finding
        ``area-measured`` of the column that gridopt writes, ``area-stale`` of others.

    Notes
    -----
    A column holds areas where 95 % of its values are within 1 % of those of `given`, in square metres, hectares or
    square kilometres. So a column `area_m2` that says something else is left alone.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> given = gpd.GeoDataFrame({"area_m2": [100.0], "ha": [0.01]}, geometry=[shapely.box(0, 0, 10, 10)], index=["a"])
    >>> after = given.set_geometry([shapely.box(0, 0, 10, 8)])
    >>> units, found = measured_again(after, given)
    >>> units["area_m2"].tolist(), units["ha"].tolist(), [f.code for f in found]
    ([80.0], [0.01], ['area-measured', 'area-stale'])
    """
    if units.ndim != 2:
        return units, []
    before, after = given.geometry.area, units.geometry.area
    changed = ~((before.reindex(after.index) - after).abs() <= CHANGED).to_numpy()
    ids = tuple(after.index[changed].tolist())
    names = [name for name in columns_of_area(given) if name not in but]
    if not ids or not names:
        return units, []
    found = []
    if OWN in names:
        units = units.copy()
        column = units[OWN].to_numpy(dtype=np.float64, copy=True)
        column[changed] = after.to_numpy()[changed]
        units[OWN] = column
        cure = f"The shapes of these units changed: {OWN} says their area now."
        found.append(Finding("area-measured", "info", ids[:SHOWN], len(ids), None, cure))
    others = [name for name in names if name != OWN]
    if others:
        cure = f"{', '.join(map(repr, others))} held the area of each unit, and still hold what it was before: "
        cure += "measure them again before you use them, or let pieces share them (carry=)."
        found.append(Finding("area-stale", "warning", ids[:SHOWN], len(ids), None, cure))
    return units, found


def columns_of_area(layer: Any) -> list[str]:
    """Columns that have the area of most units, in metres, hectares or square kilometres."""
    if layer.ndim != 2:
        return []
    area = layer.geometry.area
    return [str(c) for c in layer.columns if c != layer.geometry.name and _holds(layer[c], area)]


def _holds(column: Any, area: Any) -> bool:
    """Whether a column has the area of most units."""
    if column.dtype.kind not in "iuf" or not len(column):
        return False
    values: NDArray[np.float64] = column.to_numpy(dtype=np.float64)
    metres = area.to_numpy()
    return any(
        float((np.abs(values - size * metres) <= ALIKE * size * metres).mean()) >= MOST
        for size in UNITS_OF_AREA.values()
    )
