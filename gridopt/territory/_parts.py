"""Units in several pieces made several units, on request; numbers shared out by area, each sum kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.territory._rounding import whole_shares

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["no_parts", "split_parts"]

Array = NDArray[Any]


def no_parts() -> pd.DataFrame:
    """The table of parts where no unit was divided: columns ``unit``, ``area_m2``, ``share``."""
    import pandas as pd

    empty = {"unit": np.empty(0, object), "area_m2": np.empty(0), "share": np.empty(0)}
    return pd.DataFrame(empty, index=pd.Index([], dtype=object, name="part"))


def split_parts(layer: Any, carry: Sequence[str], areas: Sequence[str] = ()) -> tuple[Any, pd.DataFrame, list[Finding]]:
    """
    Make a unit of each piece of the units that have several.

    Parameters
    ----------
    layer : GeoDataFrame or GeoSeries
        Valid polygons and multipolygons in metres; the index holds ids, text or integers. Not modified.
    carry : sequence of str
        Columns of amounts, shared out by area: whole numbers in whole numbers, the largest remainders up.
    areas : sequence of str
        Columns of areas, seen to elsewhere: no finding names them as amounts.

    Returns
    -------
    units : GeoDataFrame or GeoSeries
        One polygon per row; the pieces of a unit stand in its place, the largest first.
    parts : DataFrame
        One row for each piece, index its id: ``unit`` it comes from, ``area_m2``, ``share`` of the area of that unit.
    findings : list of Finding

    Notes
    -----
    Pieces of ``"B7"`` are ``"B7-1"``, ``"B7-2"`` …, leaving out what is an id already; where ids are integers, they go
    on from the largest. No piece keeps the id of the whole, so that no table by that id falls on one of them unseen.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> two = shapely.MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(20, 0, 50, 10)])
    >>> layer = gpd.GeoDataFrame({"homes": [5]}, geometry=[two], index=["B7"], crs="EPSG:3826")
    >>> units, parts, _ = split_parts(layer, ["homes"])
    >>> units["homes"].to_dict(), parts["share"].to_dict()
    ({'B7-1': 4, 'B7-2': 1}, {'B7-1': 0.75, 'B7-2': 0.25})
    """
    import pandas as pd
    import shapely

    shape, row = shapely.get_parts(layer.geometry.to_numpy(), return_index=True)
    area = shapely.area(shape)
    order = np.lexsort((-area, row))
    shape, row, area = shape[order], row[order], area[order]
    is_part = np.bincount(row, minlength=len(layer))[row] > 1
    if not is_part.any():
        return layer, no_parts(), []
    ids = _ids(layer.index.tolist(), row, is_part)
    index = pd.Index(ids, name=layer.index.name, dtype=layer.index.dtype)
    share = area / np.bincount(row, weights=area, minlength=len(layer))[row]
    units = layer.iloc[row].set_axis(index)
    units = _with_geometry(units, shape)
    for name in carry:
        units[name] = _shared_out(layer[name], row, share, is_part, index)
    columns = {"unit": layer.index.to_numpy()[row[is_part]], "area_m2": area[is_part], "share": share[is_part]}
    parts = pd.DataFrame(columns, index=index[is_part].rename("part"))
    return units, parts, _tell(layer, parts, carry, areas)


def _ids(ids: list[Any], row: Array, is_part: Array) -> list[Any]:
    """An id for each piece; those of units in one piece stay."""
    taken = set(ids)
    last = max(ids) if not isinstance(ids[0], str) else 0
    made: list[Any] = []
    number = 0
    for k, (u, piece) in enumerate(zip(row.tolist(), is_part.tolist())):
        if not piece:
            made.append(ids[u])
            continue
        if isinstance(ids[u], str):
            number = number + 1 if k and row[k - 1] == u else 1
            while f"{ids[u]}-{number}" in taken:
                number += 1
            made.append(f"{ids[u]}-{number}")
        else:
            last += 1
            made.append(last)
        taken.add(made[-1])
    return made


def _with_geometry(units: Any, shape: Array) -> Any:
    import geopandas as gpd

    geometry = gpd.GeoSeries(shape, index=units.index, crs=units.crs)
    return units.set_geometry(geometry) if units.ndim == 2 else geometry.rename(units.name)


def _shared_out(values: Any, row: Array, share: Array, is_part: Array, index: Any) -> Any:
    """A column of amounts by piece, in proportion to area; what is missing stays missing."""
    import pandas as pd

    whole = values.dtype.kind in "iu"
    shared = values.iloc[row].set_axis(index)
    places = np.flatnonzero(is_part)
    for at in np.split(places, np.flatnonzero(np.diff(row[places])) + 1):
        value = values.iloc[row[at[0]]]
        if pd.isna(value):
            continue
        if whole:
            amounts = whole_shares(abs(int(value)) * share[at], abs(int(value))) * (1 if value >= 0 else -1)
            amounts[0] += int(value) - int(amounts.sum())  # above 2**53 shares are not exact
            shared.iloc[at] = amounts
        else:
            rest = float(value) * share[at[1:]]
            shared.iloc[at] = np.r_[float(value) - rest.sum(), rest]
    return shared


def _tell(layer: Any, parts: pd.DataFrame, carry: Sequence[str], areas: Sequence[str]) -> list[Finding]:
    """Which units were divided, and which numbers their pieces have whole."""
    wholes = tuple(dict.fromkeys(parts["unit"].tolist()))
    how = f"shared out by area: {', '.join(carry)}" if carry else "no column was shared out"
    cure = f"Each piece is a unit, such as {parts.index[0]!r} (the largest first); {how}. Locks, parents and tables by "
    cure += "their old ids need the new ones."
    said = [Finding("split-into-parts", "warning", wholes, f"{len(wholes):,} in {len(parts):,} parts", None, cure)]
    if layer.ndim == 2:
        rest = [c for c in layer.columns if c not in (*carry, *areas)]
        names = [c for c in rest if getattr(layer[c].dtype, "kind", "O") in "iuf"]
        if names:
            cure = (
                f"Every part has the number of the whole in {', '.join(map(str, names))}: if these are amounts, name "
            )
            cure += "them in carry=, or they count several times."
            said.append(Finding("amount-in-each-part", "warning", wholes, len(names), None, cure))
    return said
