"""A plan in force, read against the problem it has to fit now: which grids stay, which are new, which go."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt._validate import as_array, is_null, nearest_names
from gridopt.errors import InputError, name_ids
from gridopt.model import Plan, Problem
from gridopt.model.problem import grid_ids as default_ids
from gridopt.planning.opening import disturbance
from gridopt.rules.tables import align

__all__ = ["InForce", "disturbances", "next_ids", "read_force", "regions_of"]


@dataclass(frozen=True, eq=False)
class InForce:
    """
    A plan in force by the rows of a problem.

    Parameters
    ----------
    problem : Problem
        Its rows are those of `grid_ids`.
    home : ndarray of int32, shape (n,)
        Grid of each unit in force, a row of `problem`; -1 where the unit is new, or its grid goes or lies elsewhere.
    before : ndarray of int32, shape (n,)
        Grid of each unit in force, a position in `old_ids`; -1 where the unit is new.
    grid_ids : ndarray of object (text), shape (k,)
        Ids of the grids of the plan to be: those that stay keep theirs.
    old_ids : ndarray of object (text), shape (k in force,)
        Ids of the grids in force.
    opened : ndarray of int64
        Rows of grids that are new.
    closed : ndarray of int64
        Positions in `old_ids` of grids that go.
    """

    problem: Problem
    home: NDArray[np.int32]
    before: NDArray[np.int32]
    grid_ids: NDArray[Any]
    old_ids: NDArray[Any]
    opened: NDArray[np.int64]
    closed: NDArray[np.int64]


def read_force(
    problem: Problem,
    plan: Any,
    retired: Iterable[str] = (),
    closing: Iterable[str] = (),
    rank: Any = None,
    staying: Iterable[str] = (),
) -> InForce:
    """
    Match the grids of a plan in force with the rows of a problem, region by region.

    Parameters
    ----------
    problem : Problem
        What a plan has to keep today.
    plan : Plan, Series of grid ids by unit id, or array_like of int
        In force; units it does not know are new.
    retired : iterable of str
        Ids no new grid may have.
    closing : iterable of str
        Ids of grids to go where a region has too many.
    rank : ndarray of int64, shape (k in force,), optional
        Where a region has too many grids, those of least rank go first. Default: what their going would move.

    staying : iterable of str
        Ids of grids that go last, where a region has too many.

    Raises
    ------
    InputError
        If the plan knows no unit of the problem, or `closing` names grids that are not there or too many of a region.
    """
    before, old_ids = _read_plan(problem, plan)
    names = {name: i for i, name in enumerate(old_ids)}
    gone, kept = list(closing), set(staying)
    for name in gone:
        if name not in names:
            raise InputError(f"dissolve names grid {name!r}, which is not in force. {nearest_names(name, names)}")
    region, load = regions_of(problem, before, len(old_ids))
    order = disturbances(problem, before, region, load) if rank is None else np.asarray(rank)
    row = np.full(len(old_ids), -1, dtype=np.int64)
    free = _keep_named(problem, region, row)
    rows_in, grids_in = _by_region(problem.nesting.grid_region, problem), _by_region(region, problem)
    for all_rows, grids in zip(rows_in, grids_in):
        rows = [j for j in all_rows.tolist() if free[j]]
        here = [i for i in grids.tolist() if row[i] < 0]
        chosen = [i for i in here if old_ids[i] in gone]
        extra = len(here) - len(rows)
        if len(chosen) > max(extra, 0):
            raise InputError(
                f"dissolve names {len(chosen)} grids of a region of {len(here)} that is to have {len(rows)} "
                f"({name_ids(old_ids[chosen])}). Name at most {max(extra, 0)}."
            )
        rest = sorted((i for i in here if i not in chosen), key=lambda i: (old_ids[i] in kept, order[i], i))
        leaving = set(chosen) | set(rest[: max(0, extra - len(chosen))])
        for i, j in zip([i for i in here if i not in leaving], rows):
            row[i] = j
    return _arranged(problem, before, old_ids, row, retired)


def _arranged(
    problem: Problem, before: NDArray[np.int32], old_ids: NDArray[Any], row: NDArray[np.int64], retired: Iterable[str]
) -> InForce:
    """Put the rows of the problem in the order of the grids in force, new ones last."""
    kept = np.flatnonzero(row >= 0)
    opened = np.setdiff1d(np.arange(problem.n_grids), row[kept])
    order = np.concatenate([row[kept], opened]).astype(np.int64)
    named = not problem.interchangeable
    if named:
        order = np.arange(problem.n_grids)
    place = np.empty(problem.n_grids, dtype=np.int64)
    place[order] = np.arange(problem.n_grids)
    arranged = problem if named else problem.permuted(order)
    ids = np.full(problem.n_grids, None, dtype=object)
    ids[place[row[kept]]] = old_ids[kept]
    fresh = np.sort(place[opened])
    ids[fresh] = next_ids([*old_ids, *retired], len(fresh))
    home_of = np.full(len(old_ids), -1, dtype=np.int64)
    home_of[kept] = place[row[kept]]
    home = np.where(before >= 0, home_of[np.maximum(before, 0)] if len(old_ids) else -1, -1)
    foreign = (home >= 0) & (arranged.nesting.grid_region[np.maximum(home, 0)] != arranged.nesting.region)
    home[foreign] = -1
    return InForce(arranged, home.astype(np.int32), before, ids, old_ids, fresh, np.flatnonzero(row < 0))


def next_ids(taken: Iterable[str], count: int) -> list[str]:
    """
    Return `count` ids that were never given: the numbers after the highest one, in the form of the ids taken.

    Examples
    --------
    >>> next_ids(["G001", "G007", "G003"], 2)
    ['G008', 'G009']
    >>> next_ids(["north", "south"], 1)
    ['G001']
    """
    forms: dict[str, list[str]] = {}
    for name in taken:
        found = re.fullmatch(r"(.*?)(\d+)", name)
        if found:
            forms.setdefault(found[1], []).append(found[2])
    if not forms:
        return default_ids(count).tolist() if count else []
    prefix = max(forms, key=lambda p: (len(forms[p]), p))
    digits = forms[prefix]
    width, last = max(len(d) for d in digits), max(int(d) for d in digits)
    return [f"{prefix}{last + i:0{width}d}" for i in range(1, count + 1)]


def regions_of(problem: Problem, before: NDArray[np.int32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """
    Region that holds most of each grid in force, by workload, and its load there.

    Parameters
    ----------
    problem : Problem
    before : ndarray of int32, shape (n,)
        Grid of each unit, -1 where it has none.
    k : int
        Number of grids.
    """
    known = before >= 0
    pair = before[known].astype(np.int64) * problem.nesting.n_regions + problem.nesting.region[known]
    keys, where = np.unique(pair, return_inverse=True)
    share = np.bincount(where, weights=problem.workload[known, 0] + 1e-9)
    region, load = np.full(k, -1, dtype=np.int64), np.zeros(k)
    order = np.lexsort((-keys, share))  # the heaviest last
    region[keys[order] // problem.nesting.n_regions] = keys[order] % problem.nesting.n_regions
    load[keys[order] // problem.nesting.n_regions] = share[order]
    return region, load


def _read_plan(problem: Problem, plan: Any) -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Grid of each unit in force (-1: none) as positions in the ids of the grids that have units, and these ids."""
    ids = problem.graph.ids
    plan = getattr(plan, "plan", plan)
    if isinstance(plan, Plan):
        values, names = plan.labels.astype(np.int64), plan.grid_ids
        if not np.array_equal(plan.problem.graph.ids, ids):
            place = {u: i for i, u in enumerate(plan.problem.graph.ids.tolist())}
            rows = np.array([place.get(u, -1) for u in ids.tolist()], dtype=np.int64)
            values = np.where(rows >= 0, values[np.maximum(rows, 0)], -1)
    elif hasattr(plan, "index") and hasattr(plan, "to_numpy"):
        known = plan[plan.index.isin(ids)]
        rows = align(known, ids, "plan", partial=True)
        given = np.full(len(ids), None, dtype=object)
        given[rows >= 0] = np.asarray(known, dtype=object)[rows[rows >= 0]]
        values, names = _number(given)
    else:
        labels = as_array(plan, "the plan in force", object)
        if labels.shape != (len(ids),):
            raise InputError(f"the plan in force has shape {labels.shape}; give one grid for each of {len(ids)} units.")
        values, names = _number(labels)
    used = np.unique(values[values >= 0])
    if not len(used):
        raise InputError("the plan in force puts no unit of the problem in a grid. Its index must hold the unit ids.")
    place_of = np.full(len(names), -1, dtype=np.int64)
    place_of[used] = np.arange(len(used))
    return np.where(values >= 0, place_of[np.maximum(values, 0)], -1).astype(np.int32), names[used]


def _number(given: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Positions of values among their ids, in natural order; whole numbers are labels, nulls and -1 are no grid."""
    null = is_null(given) | np.array([isinstance(v, str) and not v.strip() for v in given], dtype=bool)
    whole = [_is_whole(v) for v in given[~null]]
    if whole and all(whole):
        values = np.where(null, -1, given).astype(np.int64)
        return np.maximum(values, -1), default_ids(int(values.max(initial=0)) + 1)
    odd = [v for v in given[~null] if not isinstance(v, str)]
    if odd:
        raise InputError(f"the plan in force calls a grid {odd[0]!r}. Give text ids, or labels 0 … k - 1.")
    seen = sorted({v.strip() for v in given[~null]}, key=_natural)
    place = {name: i for i, name in enumerate(seen)}
    values = np.array([-1 if absent else place[v.strip()] for v, absent in zip(given, null)], dtype=np.int64)
    return values, np.array(seen, dtype=object)


def _is_whole(value: Any) -> bool:
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return number and float(value).is_integer()


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(t), t) if t.isdigit() else (1, 0, t) for t in re.findall(r"\d+|\D+", name)]


def _by_region(region: NDArray[Any], problem: Problem) -> list[NDArray[np.int64]]:
    """Positions in each region, ascending."""
    order = np.argsort(region, kind="stable")
    return np.split(order, np.searchsorted(region[order], np.arange(1, problem.nesting.n_regions)))


def disturbances(
    problem: Problem, before: NDArray[np.int32], region: NDArray[np.int64], load: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What dissolving each grid would move, roughly, were the limits those of its region."""
    k, edges = len(load), before[problem.graph.edges]
    edges = edges[(edges >= 0).all(axis=1)]
    edges = edges[region[edges[:, 0]] == region[edges[:, 1]]]
    ones = np.ones(len(edges), dtype=np.int64)
    near = sparse.csr_matrix((ones, (edges[:, 0], edges[:, 1])), shape=(k, k))
    hi = np.full(problem.nesting.n_regions, 0, dtype=np.int64)
    hi[problem.nesting.grid_region] = problem.hi[:, 0]
    whole = np.rint(load).astype(np.int64)
    return disturbance(near + near.T, whole, hi[np.maximum(region, 0)])


def _keep_named(problem: Problem, region: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where rows have names, give grid ``i`` row ``i``, if it lies in its region; return which rows are left."""
    free = np.ones(problem.n_grids, dtype=bool)
    if not problem.interchangeable:
        for i in range(min(len(row), problem.n_grids)):
            if region[i] == problem.nesting.grid_region[i]:
                row[i] = i
                free[i] = False
    return free
