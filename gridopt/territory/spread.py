"""Spread counts of areas (tracts, hexagons) over the units they overlap: nothing is lost, whole numbers stay whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, GeometryError, InputError, name_ids
from gridopt.territory._layers import POLYGONS, as_layer, check_layer
from gridopt.territory._rounding import whole_shares
from gridopt.territory.crs import to_crs_of, to_metric
from gridopt.territory.locate import check_ids, check_near, conservation_of, weights_of

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["Spread", "cells_around", "spread"]

DOUBLE_COUNTED = 1e-6
"""Share of its area by which units may overlap within one area before it is said."""
SLACK = 1.1
"""Radius of cells over that of regular hexagons: those of a globe (H3) differ by a few per cent."""


@dataclass(frozen=True, eq=False)
class Spread:
    """
    Counts of areas, brought to units.

    Parameters
    ----------
    counts : DataFrame
        Per unit, all units in their order: one column for each column spread, int64 where it was whole numbers.
    conservation : DataFrame
        For each column what was ``given``, ``located`` in units and ``outside``: given = located + outside.
    findings : tuple of Finding
        Areas that lie partly or wholly outside, or where the proxy says nothing.

    Examples
    --------
    See `spread`.

    >>> Spread.__dataclass_fields__["conservation"].name
    'conservation'
    """

    counts: pd.DataFrame
    conservation: pd.DataFrame
    findings: tuple[Finding, ...] = ()


def spread(
    units: gpd.GeoDataFrame | gpd.GeoSeries,
    areas: gpd.GeoDataFrame,
    columns: str | Sequence[str] | Mapping[str, str],
    *,
    proxy: Any = None,
    edge: Literal["cut", "keep"] = "cut",
    missing: Literal["error", "zero"] = "error",
) -> Spread:
    """
    Divide the amounts of each area among the units it overlaps, by area or by a proxy, and add them up per unit.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        Units; valid polygons, index = unit id.
    areas : GeoDataFrame
        Tracts, hexagons, grid cells: valid polygons. Another coordinate system than that of the units is converted.
        Of points, such as centres of hexagons, make cells with `cells_around`.
    columns : str, sequence of str, or mapping of str to str
        Columns of amounts that add up (persons, jobs: not densities or means); a mapping from the name of the result
        to the column.
    proxy : Series or str, optional
        Where in an area the amount is, per unit (aligned by unit id, or a column of `units`): homes, floor area. Each
        unit's proxy is taken as even over the unit. Areas in which it is 0 throughout are divided by area, and it is
        said.
    edge : {"cut", "keep"}
        What becomes of an area that lies partly outside of all units: ``"cut"`` leaves that share outside, ``"keep"``
        brings all of it to the units, as is right where land without people (water) is outside.
    missing : {"error", "zero"}
        What an area without a value means.

    Returns
    -------
    Spread
        Per unit. A column of whole numbers stays whole: the shares are rounded down and the largest remainders (of
        equals the first unit) up, so that given = located + outside to the last person and no unit is 1 or more off.

    Raises
    ------
    InputError
        If a column does not exist or its values are not numbers, missing, infinite or negative.
    GeometryError
        If units or areas are no valid polygons, or do not meet at all.

    Notes
    -----
    ``amount(u) = sum_i amount(i) w(i, u) / sum_v w(i, v)`` with ``w(i, u) = area(i and u)``, times ``proxy(u) /
    area(u)`` with a proxy; the sum over v includes what is outside of all units. Areal weighting and its dasymetric
    form: Goodchild & Lam 1980, Geo-Processing 1. One vectorised pass over the pairs that meet: O(p log p).

    Examples
    --------
    >>> import geopandas as gpd
    >>> from shapely import box
    >>> units = gpd.GeoSeries([box(0, 0, 30, 10), box(30, 0, 40, 10)], index=["B1", "B2"], crs="EPSG:3826")
    >>> tracts = gpd.GeoDataFrame({"persons": [7, 4]}, geometry=[box(0, 0, 40, 10), box(35, 0, 45, 10)], crs=3826)
    >>> found = spread(units, tracts, "persons")
    >>> found.counts["persons"].to_dict(), found.conservation.loc["persons"].to_dict()
    ({'B1': 5, 'B2': 4}, {'given': 11, 'located': 9, 'outside': 2})
    """
    import pandas as pd

    if edge not in ("cut", "keep"):
        raise InputError(f'edge is {edge!r}; say "cut" or "keep".')
    if missing not in ("error", "zero"):
        raise InputError(f'missing is {missing!r}; say "error" or "zero".')
    homes, sources = as_layer(units, "units"), as_layer(areas, "areas")
    check_layer(homes, "units", POLYGONS, valid=True)
    check_layer(sources, "areas", POLYGONS, valid=True)
    check_ids(homes.index, "units")
    wanted = {columns: columns} if isinstance(columns, str) else columns
    wanted = dict(wanted) if isinstance(wanted, Mapping) else {name: name for name in wanted}
    if not wanted:
        raise InputError("columns is empty. Name at least one column to spread.")
    amounts, findings = _amounts(sources, wanted, missing)
    moved, said = to_crs_of(sources, homes.crs, what="areas")
    homes, moved, findings = _measured(homes, moved, [*findings, *said])
    check_near(homes, moved, "areas")
    i, u, part = _parts(homes.geometry.to_numpy(), moved.geometry.to_numpy())
    area = moved.geometry.area.to_numpy()
    inside = np.bincount(i, part, minlength=len(area))
    findings += _coverage(moved.index, area, inside, edge)
    share = _shares(i, u, part, area, inside, _proxy(proxy, units, homes), edge, findings, moved.index)
    sums = {}
    for name, value in amounts.items():
        total = np.bincount(u, share * value[i], minlength=len(homes))
        given = value.sum()
        whole = value.dtype.kind == "i"
        left = np.append(total, max(0.0, float(given) - float(total.sum())))
        sums[name] = whole_shares(left, int(given)) if whole else left
    index = homes.index.rename("unit")
    counts = pd.DataFrame({name: s[:-1] for name, s in sums.items()}, index=index)
    return Spread(counts, conservation_of(sums), tuple(findings))


def cells_around(points: gpd.GeoDataFrame | gpd.GeoSeries, radius: float | None = None) -> gpd.GeoDataFrame:
    """
    Replace points by the cells they stand for: what is nearer to a point than to any other, within `radius`.

    Parameters
    ----------
    points : GeoDataFrame or GeoSeries
        Centres of hexagons or squares, or any points that stand for the land around them.
    radius : float, optional
        Metres. Default: a tenth more than centres of regular hexagons have to their corners, which is the median
        distance to the nearest centre over the square root of 3; inside a honeycomb the cells are the hexagons then,
        at its rim they end in an arc.

    Returns
    -------
    GeoDataFrame
        The same rows with polygons, in the points' own system if that is projected, else in their UTM zone. Points
        at one place each get the whole of its cell.

    Raises
    ------
    GeometryError
        If there are no points, or other geometry, or fewer than two places and no radius.

    Notes
    -----
    Voronoi cells by shapely, cut at the radius. O(p log p).

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> centres = gpd.GeoSeries(shapely.points([(0, 0), (100, 0), (0, 100)]), crs="EPSG:3826")
    >>> cells = cells_around(centres, radius=60)
    >>> cells.geometry.iloc[0].intersects(cells.geometry.iloc[1]), round(float(cells.area.iloc[0]))
    (True, 10398)
    """
    import geopandas as gpd
    import shapely

    layer = as_layer(points, "points")
    check_layer(layer, "points", ("Point",))
    layer, _, _ = to_metric(layer, what="points")
    places, place = np.unique(shapely.get_coordinates(layer.geometry.to_numpy()), axis=0, return_inverse=True)
    place = place.ravel()
    centres = shapely.points(places)
    if radius is None:
        if len(places) < 2:
            raise GeometryError("one place alone says nothing about the size of its cell. Give radius= in metres.")
        tree = shapely.STRtree(centres)
        _, distance = tree.query_nearest(centres, exclusive=True, return_distance=True, all_matches=False)
        radius = SLACK * float(np.median(distance)) / 3**0.5
    elif not 0 < radius < np.inf:
        raise InputError(f"radius is {radius!r}; give metres, over 0.")
    discs = shapely.buffer(centres, radius, quad_segs=16)
    if len(places) > 1:
        frame = shapely.buffer(shapely.multipoints(centres), 2 * radius)
        drawn = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(centres), extend_to=frame))
        centre, cell = shapely.STRtree(drawn).query(centres, predicate="intersects")
        first = np.full(len(centres), len(drawn), dtype=np.int64)
        np.minimum.at(first, centre, cell)
        discs = shapely.intersection(discs, drawn[first])
    cells = gpd.GeoSeries(discs[place], index=layer.index, crs=layer.crs)
    if isinstance(layer, gpd.GeoSeries):
        return gpd.GeoDataFrame(geometry=cells)
    return layer.set_geometry(cells)


def _amounts(areas: Any, columns: Mapping[str, str], missing: str) -> tuple[dict[str, NDArray[Any]], list[Finding]]:
    """Amounts of each area, int64 where all are whole; areas without a value are named."""
    amounts: dict[str, NDArray[Any]] = {}
    findings = []
    for name, column in columns.items():
        if missing == "zero" and column in areas.columns:
            absent = areas[column].isna().to_numpy()
            if absent.any():
                ids = tuple(areas.index[absent].tolist())
                cure = f"They count as 0 in {column!r}."
                findings.append(Finding("no-amount", "warning", ids[:50], int(absent.sum()), None, cure))
            areas = areas.assign(**{str(column): areas[column].fillna(0)})
        values = weights_of(areas, column, "areas")
        if values.dtype.kind == "f" and (values == np.rint(values)).all() and values.sum() < 2**53:
            values = values.astype(np.int64)
        amounts[str(name)] = values
    return amounts, findings


def _measured(homes: Any, areas: Any, findings: list[Finding]) -> tuple[Any, Any, list[Finding]]:
    """Units and areas where areas can be measured: in degrees they would be squeezed."""
    if homes.crs is None or not homes.crs.is_geographic:
        return homes, areas, findings
    metric, crs, said = to_metric(homes, what="units")
    return metric, areas.to_crs(crs), [*findings, *(f._replace(severity="info") for f in said)]


def _parts(units: NDArray[Any], areas: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Area, unit and the area they have in common, of all pairs that have any, sorted."""
    import shapely

    tree = shapely.STRtree(areas)
    u, i = tree.query(units, predicate="intersects")
    common = shapely.area(shapely.intersection(areas[i], units[u]))
    keep = common > 0
    i, u, common = i[keep], u[keep], common[keep]
    order = np.lexsort((u, i))
    return i[order], u[order], common[order]


def _coverage(ids: Any, area: NDArray[Any], inside: NDArray[Any], edge: str) -> list[Finding]:
    findings = []
    apart = inside <= 0
    if apart.all():
        raise GeometryError(
            f"none of the {len(area)} areas overlaps a unit (first: {name_ids(ids[:1].tolist())}). "
            "Check that both cover the same place."
        )
    if apart.any():
        who = tuple(ids[apart].tolist())
        cure = "These areas overlap no unit; their amounts are outside."
        findings.append(Finding("outside", "warning", who[:50], len(who), None, cure))
    partly = ~apart & (inside < area * (1 - DOUBLE_COUNTED))
    if partly.any():
        who = tuple(ids[partly].tolist())
        said = "that share of their amounts is outside" if edge == "cut" else "all of their amounts went to units"
        cure = f"They lie partly in no unit ({(area - inside)[partly].sum():,.0f} m²); {said}."
        findings.append(Finding("partly-outside", "info", who[:50], len(who), None, cure))
    twice = inside > area * (1 + DOUBLE_COUNTED)
    if twice.any():
        who = tuple(ids[twice].tolist())
        cure = f"Units overlap there ({(inside - area)[twice].sum():,.0f} m²); amounts are shared, not doubled."
        findings.append(Finding("overlap", "warning", who[:50], len(who), None, cure))
    return findings


def _proxy(proxy: Any, units: Any, homes: Any) -> NDArray[np.float64] | None:
    """Proxy per square metre of each unit."""
    import pandas as pd

    if proxy is None:
        return None
    if isinstance(proxy, str):
        values = weights_of(units, proxy, "units")
    else:
        if not isinstance(proxy, pd.Series):
            raise InputError("proxy is a Series indexed by unit id, or the name of a column of the units.")
        absent = homes.index.difference(proxy.index).tolist()
        if absent:
            raise InputError(f"proxy has no value for {len(absent)} units (first: {name_ids(absent)}). Add them.")
        values = weights_of(proxy.reindex(homes.index).to_frame("proxy"), "proxy", "units")
    return np.asarray(values / homes.geometry.area.to_numpy(), dtype=np.float64)


def _shares(
    i: NDArray[np.int64],
    u: NDArray[np.int64],
    part: NDArray[Any],
    area: NDArray[Any],
    inside: NDArray[Any],
    density: NDArray[np.float64] | None,
    edge: str,
    findings: list[Finding],
    ids: Any,
) -> NDArray[np.float64]:
    """Share of each area that comes to each unit: what is inside of all, divided by area or by the proxy."""
    covered = np.ones(len(area)) if edge == "keep" else np.minimum(1.0, inside / np.maximum(area, inside))
    weight = part
    if density is not None:
        weight = part * density[u]
        silent = (np.bincount(i, weight, minlength=len(area)) <= 0) & (inside > 0)
        if silent.any():
            who = tuple(ids[silent].tolist())
            cure = "The proxy is 0 in all units of these areas; they were divided by area."
            findings.append(Finding("proxy-silent", "info", who[:50], len(who), None, cure))
        weight = np.where(silent[i], part, weight)
    total = np.bincount(i, weight, minlength=len(area))
    return np.asarray(covered[i] * weight / total[i], dtype=np.float64)
