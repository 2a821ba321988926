"""`crosswalk`: an old and a new layer of units -> which new unit comes from which old ones, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_ids, as_list
from gridopt.errors import Finding, InputError
from gridopt.workflow._overlap import find_overlaps

if TYPE_CHECKING:
    import pandas as pd
    from geopandas import GeoDataFrame

__all__ = ["FATES", "KINDS", "Crosswalk", "crosswalk"]

KINDS = ("same", "reshaped", "split", "merged", "new")
"""What a new unit is: unchanged, changed in outline, a part of an old one, several old ones, or on new land."""
FATES = ("same", "reshaped", "split", "merged", "divided", "gone")
"""What became of an old unit; divided: shared out among units that come from others."""
SAME = 0.98
"""Common area over joint area above which two shapes are one, drawn twice."""
AGREE = 0.5
"""Common area over joint area above which a shape may keep its id: the greater part of both."""
MOSTLY = 0.5
LEAST = 0.001
"""Pairs below this share of both their units are slivers of digitising: counted in the mass, not in the pairs."""
EVIDENCE = ("id", "area")


@dataclass(frozen=True, eq=False)
class Crosswalk:
    """
    Which old units each new unit comes from.

    Parameters
    ----------
    pairs : DataFrame
        One row for each old and new unit that have something in common: ``old``, ``new``, ``area_m2``,
        ``share_of_old``, ``share_of_new``; with points also ``weight``. Shares are those of the weight in units that
        hold points, else those of the area.
    new : DataFrame
        One row per new unit, indexed by id: ``kind`` (`KINDS`), ``main`` (the old unit it comes from, missing where
        new), ``share`` (of the new unit that comes from there), ``by`` (``"id"``, ``"area"``, ``"points"`` or ``""``),
        ``ambiguous``.
    old : DataFrame
        One row per old unit, indexed by id: ``fate`` (`FATES`), ``heir`` (the new unit that has most of it), ``share``
        (of the old unit that lies there).
    mass : DataFrame
        ``old - gone + old_twice = carried = new - added + new_twice``, in square metres and, with points, in their
        weight. The rows ``…_twice`` are what a layer that overlaps itself counts more than once.
    clear : float
        Share of a new unit from which on its origin is taken to be clear.
    findings : tuple of Finding
        Every ambiguous unit with its shares, ids that stand for another place now, units that are new or gone.

    Examples
    --------
    Made by `crosswalk`.

    >>> KINDS
    ('same', 'reshaped', 'split', 'merged', 'new')
    """

    pairs: pd.DataFrame
    new: pd.DataFrame
    old: pd.DataFrame
    mass: pd.DataFrame
    clear: float
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Crosswalk({len(self.old)} old, {len(self.new)} new units, {int(self.new['ambiguous'].sum())} ambiguous)"
        )

    def counts(self) -> dict[str, dict[str, int]]:
        """
        Return how many new units are of each kind, and how many old ones met each fate: none is lost.

        Examples
        --------
        >>> import geopandas as gpd, shapely
        >>> unit = gpd.GeoDataFrame(index=["a"], geometry=shapely.box([0], 0, [2], 1), crs=32650)
        >>> crosswalk(unit, unit).counts()["old"]
        {'same': 1, 'reshaped': 0, 'split': 0, 'merged': 0, 'divided': 0, 'gone': 0}
        """
        return {
            "new": {kind: int((self.new["kind"] == kind).sum()) for kind in KINDS},
            "old": {fate: int((self.old["fate"] == fate).sum()) for fate in FATES},
        }


def crosswalk(
    old_units: GeoDataFrame,
    new_units: GeoDataFrame,
    *,
    by: Sequence[str] = EVIDENCE,
    points: Any = None,
    weight: str | None = None,
    clear: float = 0.8,
    crs: Any = None,
) -> Crosswalk:
    """
    Match an old and a new layer of units.

    Parameters
    ----------
    old_units, new_units : GeoDataFrame
        Polygons, indexed by unit id. Tables without geometry are matched by id alone, with ``by=("id",)``.
    by : sequence of {"id", "area"}
        Evidence. ``"id"``: a unit that keeps its id and the greater part of its shape comes from the old unit of that
        id, however coarsely one of the layers was drawn. ``"area"``: a unit comes from the old units below it.
    points : GeoDataFrame or GeoSeries, optional
        Objects such as households, indexed by id: in units that hold some, shares are shares of them, not of area.
    weight : str, optional
        Column of `points` to sum instead of counting them.
    clear : float
        Share of a new unit, in (0.5, 1], that has to come from one old unit; below it, and where the id does not
        decide, the unit is ambiguous.
    crs : optional
        Projected system in metres to measure in.

    Returns
    -------
    Crosswalk

    Raises
    ------
    InputError
        If ids repeat, a parameter is out of range, or tables without geometry are to be matched by area.
    GeometryError
        If a unit is no polygon, or an invalid one.

    Notes
    -----
    Two or more old units that lie mostly in a new one make it ``merged``; two or more new units that come mostly from
    an old one make them ``split``; less than half of a unit on old land, and no old unit of its id below it, makes it
    ``new``. O((n + p) log n) for p pairs
    of units that changed; unchanged ones cost a look-up.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> old = gpd.GeoDataFrame(index=["a", "b"], geometry=shapely.box([0, 4], 0, [4, 6], 1), crs=32650)
    >>> new = gpd.GeoDataFrame(index=["a1", "a2", "b"], geometry=shapely.box([0, 1, 4], 0, [1, 4, 6], 1), crs=32650)
    >>> crosswalk(old, new).new[["kind", "main"]].values.tolist()
    [['split', 'a'], ['split', 'a'], ['same', 'b']]
    """
    wanted = [str(name) for name in as_list(by, "by", 'evidence such as ["id", "area"]')]
    if not wanted or set(wanted) - set(EVIDENCE):
        raise InputError(f'by={by!r} names evidence that is none; there are "id" and "area".')
    if isinstance(clear, bool) or not isinstance(clear, int | float) or not 0.5 < clear <= 1:
        raise InputError(f"clear={clear!r} must be a share above 0.5 and at most 1.")
    old_ids, new_ids = as_ids(old_units.index), as_ids(new_units.index)
    namesakes = _namesakes(old_ids, new_ids)
    if wanted == ["id"] and not (hasattr(old_units, "geometry") and hasattr(new_units, "geometry")):
        links = _links_by_id(namesakes, len(old_ids))
    else:
        links = _links_by_area(old_units, new_units, namesakes, crs)
        if points is not None:
            links = links.weighed(*_points_in_both(old_units, new_units, points, weight))
    if not len(links.old):
        cure = "Check that both are of one place and in the right coordinate systems."
        raise InputError(
            f"none of {len(new_ids)} new units has anything in common with any of {len(old_ids)} old ones. {cure}",
            [Finding("elsewhere", "error", tuple(new_ids[:50].tolist()), 0, None, cure)],
        )
    return _conclude(links, old_ids, new_ids, namesakes if "id" in wanted else np.full(len(new_ids), -1), clear)


@dataclass(frozen=True, eq=False)
class _Links:
    """
    Pairs with something in common: `area` and `weight` of each pair, `of_old` and `of_new` its shares, `likeness`
    common over joint area; `tell` is the evidence behind the shares of each new unit; `mass` and `said` for people.
    """

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    area: NDArray[np.float64]
    of_old: NDArray[np.float64]
    of_new: NDArray[np.float64]
    likeness: NDArray[np.float64]
    weight: NDArray[np.float64] | None
    tell: NDArray[Any]
    mass: dict[str, dict[str, float]]
    said: tuple[Finding, ...] = ()

    def weighed(self, table: pd.DataFrame, outside: int) -> _Links:
        """Take shares of points where units have any; `table` has a row for each pair of positions with points."""
        import pandas as pd

        mine = pd.DataFrame({"old": self.old, "new": self.new, "row": np.arange(len(self.old))})
        both = table[(table["old"] >= 0) & (table["new"] >= 0)]
        joined = mine.merge(both, on=["old", "new"], how="outer").sort_values(["new", "old"], kind="stable")
        row = joined["row"].fillna(-1).to_numpy(dtype=np.int64)
        old, new = joined["old"].to_numpy(dtype=np.int64), joined["new"].to_numpy(dtype=np.int64)
        weight = joined["weight"].fillna(0.0).to_numpy()
        columns = {
            name: np.where(row >= 0, np.append(getattr(self, name), 0.0)[row], 0.0)
            for name in ("area", "of_old", "of_new", "likeness")
        }
        tell = self.tell.copy()
        for share, side, key in (("of_old", "old", old), ("of_new", "new", new)):
            total = table[table[side] >= 0].groupby(side)["weight"].sum()
            whole = total.reindex(key, fill_value=0.0).to_numpy()
            columns[share] = np.where(whole > 0, weight / np.where(whole > 0, whole, 1.0), columns[share])
            if side == "new":
                tell[total.index[total > 0]] = "points"
        mass = {**self.mass, "weight": _mass_of_points(table)}
        said = self.said
        if outside:
            cure = "They lie in no old and no new unit, and say nothing about either."
            said += (Finding("points-outside", "warning", (), outside, 0, cure),)
        return _Links(old, new, **columns, weight=weight, tell=tell, mass=mass, said=said)


def _namesakes(old_ids: NDArray[Any], new_ids: NDArray[Any]) -> NDArray[np.int64]:
    """Position of the old unit of the same id, -1 where there is none; numbers and text are compared as text."""
    if old_ids.dtype == new_ids.dtype:
        where = {u: i for i, u in enumerate(old_ids.tolist())}
        return np.array([where.get(u, -1) for u in new_ids.tolist()], dtype=np.int64)
    where = {str(u): i for i, u in enumerate(old_ids.tolist())}
    return np.array([where.get(str(u), -1) for u in new_ids.tolist()], dtype=np.int64)


def _links_by_id(namesakes: NDArray[np.int64], n_old: int) -> _Links:
    new = np.flatnonzero(namesakes >= 0)
    one = np.ones(len(new))
    return _Links(namesakes[new], new, 0 * one, one, one, one, None, np.full(len(namesakes), "", dtype=object), mass={})


def _links_by_area(old_units: Any, new_units: Any, namesakes: NDArray[np.int64], crs: Any) -> _Links:
    from gridopt.territory._layers import POLYGONS, check_layer
    from gridopt.territory.crs import to_same_metric

    named = {"old units": old_units, "new units": new_units}
    for what, layer in named.items():
        if not hasattr(layer, "geometry"):
            raise InputError(f'the {what} have no geometry: match them with by=("id",), or give both layers polygons.')
        check_layer(layer, what, POLYGONS)
    layers, _, said = to_same_metric(named, crs)
    for what, layer in layers.items():
        check_layer(layer, what, POLYGONS, valid=True)
    shapes = [layers[what].geometry.to_numpy() for what in named]
    found = find_overlaps(shapes[0], shapes[1], namesakes)
    of_old = found.area / found.old_area[found.old]
    of_new = found.area / found.new_area[found.new]
    joint = found.old_area[found.old] + found.new_area[found.new] - found.area
    mass = _mass(found.old_area, found.new_area, found.old, found.new, found.area)
    real = (of_old >= LEAST) | (of_new >= LEAST)
    tell = np.full(len(found.new_area), "", dtype=object)
    tell[found.new[real]] = "area"
    return _Links(
        found.old[real],
        found.new[real],
        found.area[real],
        of_old[real],
        of_new[real],
        (found.area / joint)[real],
        None,
        tell,
        {"area_m2": mass},
        tuple(f for f in said if f.severity == "warning"),
    )


def _points_in_both(old_units: Any, new_units: Any, points: Any, weight: str | None) -> tuple[pd.DataFrame, int]:
    """Weight of the points in each pair of positions, -1 where outside; and how many are outside of both layers."""
    import pandas as pd

    from gridopt.territory.locate import locate

    positions = []
    for layer in (old_units, new_units):
        found = locate(layer, points, weight=weight)
        unit_of = found.unit_of.reindex(points.index)
        positions.append(np.where(unit_of.isna(), -1, pd.Index(layer.index).get_indexer(unit_of)))
    amount = points[weight].to_numpy(dtype=np.float64) if weight is not None else np.ones(len(points))
    table = pd.DataFrame({"old": positions[0], "new": positions[1], "weight": amount})
    lost = (table["old"] < 0) & (table["new"] < 0)
    return table[~lost].groupby(["old", "new"])["weight"].sum().reset_index(), int(lost.sum())


def _mass(
    old: NDArray[np.float64], new: NDArray[np.float64], o: NDArray[np.int64], n: NDArray[np.int64], area: Any
) -> dict[str, float]:
    """How the masses of the two layers hang together; see `Crosswalk`."""
    left = old - np.bincount(o, weights=area, minlength=len(old))
    more = new - np.bincount(n, weights=area, minlength=len(new))
    return {
        "old": float(old.sum()),
        "gone": float(np.maximum(left, 0).sum()),
        "old_twice": float(np.maximum(-left, 0).sum()),
        "carried": float(np.sum(area)),
        "new_twice": float(np.maximum(-more, 0).sum()),
        "added": float(np.maximum(more, 0).sum()),
        "new": float(new.sum()),
    }


def _mass_of_points(table: pd.DataFrame) -> dict[str, float]:
    in_old, in_new = table["old"] >= 0, table["new"] >= 0

    def total(rows: Any) -> float:
        return float(table.loc[rows, "weight"].sum())

    return {
        "old": total(in_old),
        "gone": total(in_old & ~in_new),
        "old_twice": 0.0,
        "carried": total(in_old & in_new),
        "new_twice": 0.0,
        "added": total(in_new & ~in_old),
        "new": total(in_new),
    }


# ---- what the shares mean -------------------------------------------------------------------------------------------


def _conclude(
    links: _Links, old_ids: NDArray[Any], new_ids: NDArray[Any], namesakes: NDArray[np.int64], clear: float
) -> Crosswalk:
    import pandas as pd

    n_old, n_new = len(old_ids), len(new_ids)
    by_id = (namesakes[links.new] == links.old) & (links.likeness >= AGREE)
    best = _best(links.new, n_new, by_id.astype(float), links.of_new, links.area)
    share = np.where(best >= 0, links.of_new[best], 0.0)
    sure = np.zeros(n_new, dtype=bool)
    sure[links.new[by_id]] = True
    covered = np.bincount(links.new, weights=links.of_new, minlength=n_new)
    known = np.zeros(n_new, dtype=bool)
    known[links.new[namesakes[links.new] == links.old]] = True
    fresh = ~sure & ~known & (covered < MOSTLY)
    main = np.where(fresh | (best < 0), -1, links.old[best])
    kind = _kinds(links, best, main, n_old, n_new)
    ambiguous = ~sure & ~fresh & (share < clear)
    heir = _best(links.old, n_old, links.of_old, links.of_new, links.area)
    tell = np.where(sure, "id", np.where(fresh, "", links.tell))
    new = pd.DataFrame(
        {"kind": kind, "main": _ids_or_none(main, old_ids), "share": share, "by": tell, "ambiguous": ambiguous},
        index=pd.Index(new_ids, name="unit"),
    )
    kept = np.where(heir >= 0, links.new[heir], -1)
    old = pd.DataFrame(
        {
            "fate": _fates(links, heir, main, kind, n_old, n_new),
            "heir": _ids_or_none(kept, new_ids),
            "share": np.where(heir >= 0, links.of_old[heir], 0.0),
        },
        index=pd.Index(old_ids, name="unit"),
    )
    table = {"old": old_ids[links.old], "new": new_ids[links.new], "area_m2": links.area}
    table |= {"share_of_old": links.of_old, "share_of_new": links.of_new}
    if links.weight is not None:
        table["weight"] = links.weight
    pairs = pd.DataFrame(table)
    said = (*links.said, *_tell_reused(links, namesakes, new_ids), *_tell_ends(old, new))
    findings = (*said, *_tell_ambiguous(links, np.flatnonzero(ambiguous), old_ids, new_ids, clear))
    return Crosswalk(pairs, new, old, pd.DataFrame(links.mass), clear, findings)


def _best(key: NDArray[np.int64], n: int, *worth: NDArray[np.float64]) -> NDArray[np.int64]:
    """Row of the worthiest pair of each unit, by the first worth, then the next, then the first row; -1 if none."""
    order = np.lexsort((np.arange(len(key)), *(-w for w in reversed(worth)), key))
    units, first = np.unique(key[order], return_index=True)
    best = np.full(n, -1, dtype=np.int64)
    best[units] = order[first]
    return best


def _ids_or_none(positions: NDArray[np.int64], ids: NDArray[Any]) -> NDArray[Any]:
    plain = ids.tolist()
    out = np.empty(len(positions), dtype=object)
    out[:] = [plain[i] if i >= 0 else None for i in positions.tolist()]
    return out


def _kinds(links: _Links, best: NDArray[np.int64], main: NDArray[np.int64], n_old: int, n_new: int) -> NDArray[Any]:
    inside = np.bincount(links.new[links.of_old >= MOSTLY], minlength=n_new)
    parts = np.bincount(links.old[links.of_new >= MOSTLY], minlength=n_old)
    alike = np.where(best >= 0, links.likeness[best], 0.0) >= SAME
    kind = np.full(n_new, "reshaped", dtype=object)
    kind[(main >= 0) & (parts[main] > 1)] = "split"
    kind[inside > 1] = "merged"
    kind[alike] = "same"
    kind[main < 0] = "new"
    return kind


def _fates(
    links: _Links, heir: NDArray[np.int64], main: NDArray[np.int64], kind: NDArray[Any], n_old: int, n_new: int
) -> NDArray[Any]:
    fate = np.full(n_old, "divided", dtype=object)
    inside = np.bincount(links.new[links.of_old >= MOSTLY], minlength=n_new)
    parts = np.bincount(links.old[links.of_new >= MOSTLY], minlength=n_old)
    there, unit = heir >= 0, links.new[heir]
    goes_on = there & (main[unit] == np.arange(n_old))
    fate[goes_on] = "reshaped"
    fate[there & (links.of_old[heir] >= MOSTLY) & (inside[unit] > 1)] = "merged"
    fate[parts > 1] = "split"
    fate[goes_on & (kind[unit] == "same")] = "same"
    covered = np.bincount(links.old, weights=links.of_old, minlength=n_old)
    fate[(covered < MOSTLY) & ~np.isin(np.arange(n_old), main)] = "gone"
    return fate


def _tell_reused(links: _Links, namesakes: NDArray[np.int64], new_ids: NDArray[Any]) -> list[Finding]:
    """Ids that stand for another place now: neither unit has the greater part of the other."""
    mine = namesakes[links.new] == links.old
    stays = mine & ((links.of_old >= MOSTLY) | (links.of_new >= MOSTLY))
    moved = np.setdiff1d(np.flatnonzero(namesakes >= 0), links.new[stays])
    if not len(moved):
        return []
    cure = "Less than half of the old shape and of the new one is common: these were matched by place, not by id."
    return [Finding("id-reused", "warning", tuple(new_ids[moved].tolist()), len(moved), None, cure)]


def _tell_ends(old: pd.DataFrame, new: pd.DataFrame) -> list[Finding]:
    said = []
    fresh, gone = new.index[new["kind"] == "new"].tolist(), old.index[old["fate"] == "gone"].tolist()
    if fresh:
        said.append(Finding("unit-new", "info", tuple(fresh), len(fresh), None, "No old unit was there."))
    if gone:
        said.append(Finding("unit-gone", "info", tuple(gone), len(gone), None, "No new unit is there."))
    return said


def _tell_ambiguous(
    links: _Links, units: NDArray[np.int64], old_ids: NDArray[Any], new_ids: NDArray[Any], clear: float
) -> list[Finding]:
    order = np.lexsort((links.old, -links.of_new, links.new))
    start, end = np.searchsorted(links.new, units), np.searchsorted(links.new, units, side="right")
    said = []
    for n, s, e in zip(units.tolist(), start.tolist(), end.tolist()):
        rows = order[s:e]
        shares = ", ".join(f"{old_ids[links.old[r]]} {links.of_new[r]:.1%}" for r in rows.tolist())
        cure = f"It comes from {shares}."
        top = round(float(links.of_new[rows[0]]), 4)
        said.append(Finding("ambiguous-origin", "info", (new_ids.tolist()[n],), top, clear, cure))
    return said
