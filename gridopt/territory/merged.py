"""What became part of a block while streets were cleaned: findings, and a table with shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError

if TYPE_CHECKING:
    import geopandas as gpd

    from gridopt.territory._clean import Cleaned

__all__ = ["Merged", "joined_findings", "merged_faces", "tell_merged"]

_TOUCHING = 1e-6
"""Metres below which an end that is joined is not worth a word: it touched a line between two vertices."""


class Merged(NamedTuple):
    """
    One face that became part of a block.

    Parameters
    ----------
    unit : str
        The block it is part of.
    reason : str
        ``"median"``, ``"roundabout"``, ``"slip"`` (between slip roads), ``"sliver"`` or ``"small"``.
    area_m2, width_m : float
        Its area, and the shorter side of the rectangle of its area and perimeter.
    border_m : float
        Metres of street that do not cut any more because of it.
    across : str
        The most important class of these streets; empty if there is none.
    wkt : str
        Its shape, in the coordinate system of the blocks, to the millimetre.
    """

    unit: str
    reason: str
    area_m2: float
    width_m: float
    border_m: float
    across: str
    wkt: str


def joined_findings(gaps: NDArray[np.float64], snap: float) -> list[Finding]:
    """Say how many ends were joined, and over how far."""
    n_open = int((gaps > _TOUCHING).sum())
    if not n_open:
        return []
    cure = f"They were joined to the nearest line, over up to {gaps.max():.2f} m; snap= sets how far."
    return [Finding("ends-joined", "info", (), n_open, snap, cure)]


def tell_merged(
    done: Cleaned, ids: NDArray[Any], factors: Mapping[str, int]
) -> tuple[tuple[Merged, ...], list[Finding]]:
    """Return the records, and a finding for each kind of thing that was done; `ids` are those of the rows."""
    import shapely

    class_of = {factor: name for name, factor in reversed(list(factors.items()))}
    shapes = shapely.to_wkt(np.array([a.shape for a in done.absorbed], dtype=object), rounding_precision=3)
    records = sorted(
        Merged(
            *(ids[a.row], a.kind, round(a.area_m2, 2), round(a.width_m, 2), round(a.border_m, 2)),
            *(class_of.get(a.factor, ""), str(wkt)),
        )
        for a, wkt in zip(done.absorbed, shapes)
    )
    found = joined_findings(done.joined, done.limits.snap)
    if len(done.bridged):
        cure = f"Gaps in streets of up to {done.bridged.max():.2f} m were closed; gap= sets how far."
        found.append(Finding("gaps-bridged", "info", (), len(done.bridged), done.limits.gap, cure))
    if done.n_under:
        cure = "Pieces of street that end under or on a bridge do not cut: lines of two levels do not meet."
        found.append(Finding("ends-at-bridge", "info", (), done.n_under, None, cure))
    limits = done.limits
    beside = "Each is part of a block beside it"
    for found_here in (
        _told(
            records, "median", "medians-merged", limits.median_width, "median_width", f"{beside}, to the east or north"
        ),
        _told(records, "roundabout", "roundabouts-merged", limits.median_width, "median_width", beside),
        _told(records, "slip", "slip-roads-merged", limits.median_width, "median_width", beside),
        _told(records, "sliver", "slivers-merged", limits.sliver_width, "sliver_width", beside),
        _told(records, "small", "small-faces-merged", limits.min_area, "min_area", beside),
    ):
        found += found_here
    return tuple(records), found


def _told(
    records: list[Merged], reason: str, code: str, limit: float | None, parameter: str, what: str
) -> list[Finding]:
    here = [r for r in records if r.reason == reason]
    if not here:
        return []
    cure = f"{what}: {sum(r.area_m2 for r in here):,.0f} m2 in all; {parameter}= sets the limit."
    units = tuple(dict.fromkeys(r.unit for r in here))
    return [Finding(code, "info", units, len(here), None if limit is None else round(limit, 3), cure)]


def merged_faces(blocks: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """
    Return what `build_blocks` merged, a row for each face that is none any more.

    Parameters
    ----------
    blocks : GeoDataFrame
        As `build_blocks` returned it, with its ``attrs``.

    Returns
    -------
    GeoDataFrame
        Columns of `Merged` but ``wkt``, and ``geometry``; no rows where nothing was merged.

    Raises
    ------
    InputError
        If the table has no record of it.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> from gridopt.territory.blocks import build_blocks
    >>> lines = shapely.linestrings([[(50, -9), (50, 109)], [(54, -9), (54, 109)]])
    >>> blocks = build_blocks(gpd.GeoSeries([shapely.box(0, 0, 100, 100)], crs="EPSG:3826"), lines)
    >>> merged_faces(blocks)[["unit", "reason", "area_m2", "border_m"]].to_numpy().tolist()
    [['B00002', 'sliver', 400.0, 100.0]]
    """
    import geopandas as gpd
    import shapely

    if "merged" not in blocks.attrs:
        raise InputError("these blocks have no record of what was merged: it is in attrs of what build_blocks returns.")
    records = [Merged(*record) for record in blocks.attrs["merged"]]
    columns = {name: [getattr(r, name) for r in records] for name in Merged._fields[:-1]}
    return gpd.GeoDataFrame(columns, geometry=shapely.from_wkt([r.wkt for r in records]), crs=blocks.crs)
