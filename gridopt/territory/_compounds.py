"""Compounds: land within an outline that streets do not cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.territory._ways import Ways

__all__ = ["divided_compounds", "inner_parts", "leave_whole"]

MARGIN = 5.0
"""Metres inside the outline where streets may still cut: outline and street of one wall are seldom drawn alike."""
LEAST_THROUGH = 20.0
"""Metres of an important street inside a compound that are worth a warning."""
LEAST_SHARE = 0.01
"""Share of a compound, `MARGIN` inside its outline, in a second block that makes it divided."""

Array = NDArray[Any]


def inner_parts(compounds: Any) -> Array:
    """What of each compound streets may not cut; empty for those too narrow."""
    return np.asarray(shapely.buffer(compounds.geometry.to_numpy(), -MARGIN))


def leave_whole(ways: Ways, compounds: Any, highest: int) -> tuple[Ways, tuple[Finding, ...]]:
    """
    Take out what runs inside compounds, but for streets of the most important class.

    Parameters
    ----------
    ways : Ways
    compounds : GeoDataFrame or GeoSeries
        Polygons, in metres.
    highest : int
        Factor of the highest class there can be: its streets cut all the same. Where all streets are of a lower one, as
        without a column of classes, all give way.
    """
    inner = inner_parts(compounds)
    some = np.flatnonzero(~shapely.is_empty(inner))
    if not len(some) or not len(ways):
        return ways, ()
    shapely.prepare(inner)
    line, compound = shapely.STRtree(inner[some]).query(ways.shape, predicate="intersects")
    important = ways.factor[line] <= highest
    found = []
    if important.any():
        within = shapely.length(shapely.intersection(ways.shape[line[important]], inner[some[compound[important]]]))
        metres = np.bincount(some[compound[important]], within, minlength=len(inner))
        through = metres > LEAST_THROUGH
        if through.any():
            cure = "A street of the highest class runs through these compounds and still cuts; draw them on one side."
            ids = tuple(compounds.index[through].tolist())
            found.append(
                Finding("compound-crossed", "warning", ids, round(float(metres.max()), 1), LEAST_THROUGH, cure)
            )
    crossed = np.unique(line[~important])
    if len(crossed):
        rest = ways.shape.copy()
        rest[crossed] = shapely.difference(ways.shape[crossed], shapely.union_all(inner[some]))
        parts, row = shapely.get_parts(rest, return_index=True)
        is_some = shapely.length(parts) > 0
        ways = ways.take(row[is_some]).reshaped(parts[is_some])
        kept = np.unique(some[compound[~important]])
        cure = "Streets inside these compounds do not cut."
        found.append(Finding("compounds-kept", "info", tuple(compounds.index[kept].tolist()), len(crossed), None, cure))
    return ways, tuple(found)


def divided_compounds(compounds: Any, faces: Array) -> tuple[Finding, ...]:
    """Name the compounds of which more than one block has a share."""
    inner = inner_parts(compounds)
    shapely.prepare(faces)
    i, j = shapely.STRtree(faces).query(inner, predicate="intersects")
    area = shapely.area(shapely.intersection(inner[i], faces[j]))
    total = np.bincount(i, area, minlength=len(inner))
    shared = area >= LEAST_SHARE * total[i]
    count = np.bincount(i[shared & (area > 0)], minlength=len(inner))
    if not (count > 1).any():
        return ()
    ids = tuple(compounds.index[count > 1].tolist())
    cure = "Barriers, parents or streets of the highest class run through these compounds, or past a neck of less than "
    cure += f"{2 * MARGIN:g} m: draw them on one side, or as several."
    return (Finding("compound-divided", "warning", ids, int(count.max()), 1, cure),)
