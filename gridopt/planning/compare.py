"""`compare`: two plans of one territory -> what moved, which borders moved, each grid before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError, name_ids
from gridopt.model.plan import Plan
from gridopt.model.problem import grid_ids
from gridopt.model.result import Result
from gridopt.planning.force import next_ids
from gridopt.planning.lineage import Record
from gridopt.planning.moves import describe_change, numbered
from gridopt.planning.order import order_moves
from gridopt.rules.metrics import deviations
from gridopt.rules.tables import align

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "compare"]

MOST_ORDERED = 1000
"""Moves that are told in an order in which they can be made; more of them in the order of the units."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """
    What changed between two plans.

    Parameters
    ----------
    old : Plan
        The plan before.
    new : Plan
        The plan after; where labels were matched, its grids bear the ids of those they were matched with.
    before : ndarray of int32, shape (n,)
        Row, in `old`, of the grid each unit of `new` was in; -1 where it is new.
    match : dict of str to str
        Id in `old` of each grid id of the new plan as it was given; grids that have none before are left out.
    moves : DataFrame
        One row for each unit that moved: ``unit``, ``from``, ``to``, ``load_<attribute>`` (what moved with it, in the
        user's units) and ``reason``.
    grids : DataFrame
        One row per grid, indexed by id: ``state`` (``"kept"``, ``"new"``, ``"retired"``), ``n_units_before``,
        ``n_units``, ``units_in``, ``units_out``, and for each attribute ``load_<attribute>_before``,
        ``load_<attribute>``, ``deviation_<attribute>_before``, ``deviation_<attribute>`` (missing where a grid has no
        target, or the old plan no such attribute).
    borders : DataFrame
        One row for each edge that became, or no longer is, a border between grids: ``u``, ``v``, ``change``
        (``"new"``, ``"gone"``), ``grid_a``, ``grid_b`` (those it parts, or parted), ``length_m``, ``streets``.
    figures : dict
        Plan-wide: ``n_moved``, ``units`` (share of units moved), ``workload`` (attribute to share moved),
        ``moved_workload`` (attribute to amount), ``n_new_units``, ``n_kept``, ``n_new``, ``n_retired`` grids,
        ``n_untouched`` grids (the same units as before), ``new_border_m``, ``gone_border_m``.

    Examples
    --------
    Made by `compare`.

    >>> Comparison.__name__
    'Comparison'
    """

    old: Plan
    new: Plan
    before: NDArray[np.int32]
    match: Mapping[str, str]
    moves: pd.DataFrame
    grids: pd.DataFrame
    borders: pd.DataFrame
    figures: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Comparison({self.figures['n_moved']} units moved, {self.figures['n_untouched']} grids untouched)"

    def lineage(self, generation: int, date: str | None = None) -> tuple[Record, ...]:
        """
        Return what happened to grids, one record for each two that units passed between, and for each begin and end.

        Examples
        --------
        See `compare`.
        """
        problem = self.new.problem
        old_ids, new_ids = self.old.grid_ids.tolist(), self.new.grid_ids.tolist()
        kept = set(old_ids) & set(new_ids)

        def record(units: NDArray[Any], old: str | None, new: str | None, operation: str) -> Record:
            return Record(generation, date, old, new, operation, len(units), _amounts(problem, units))

        told = [
            record(np.flatnonzero(self.new.labels == j), None, name, "new")
            for j, name in enumerate(new_ids)
            if name not in kept
        ]
        k = self.new.problem.n_grids
        known = np.flatnonzero(self.before >= 0)
        key = self.before[known].astype(np.int64) * k + self.new.labels[known]
        order = np.argsort(key, kind="stable")
        starts = np.flatnonzero(np.diff(key[order], prepend=-1))
        for first, units in zip(starts.tolist(), np.split(known[order], starts[1:])):
            old, new = old_ids[key[order[first]] // k], new_ids[key[order[first]] % k]
            if old != new:
                operation = "split" if new not in kept else "merge" if old not in kept else "move"
                told.append(record(units, old, new, operation))
        for g, name in enumerate(old_ids):
            if name not in kept:
                units = np.flatnonzero(self.old.labels == g)
                amounts = _amounts(self.old.problem, units)
                told.append(Record(generation, date, name, None, "retired", len(units), amounts))
        return tuple(told)


def compare(
    old: Any,
    new: Any,
    *,
    before: Any = None,
    match: Literal["auto", "ids", "overlap"] = "auto",
    reasons: Mapping[Any, str] | None = None,
) -> Comparison:
    """
    Compare two plans.

    Parameters
    ----------
    old, new : Plan, or what has one: Result, Rebalanced, PlanFile
        Plans of the same units, in any order; of different ones with `before`.
    before : Series of text, optional
        Grid of `old` that each unit of `new` was in, indexed by unit id; missing where a unit is new. Such as
        ``inherit(old, crosswalk, new.problem).before``.
    match : {"auto", "ids", "overlap"}
        Grids of the same id are the same grid; or grids are matched so that as much workload as possible stays.
        ``"auto"``: by ids where one of the plans has other ids than ``G001 …`` in order, or the new one was made from
        a plan in force; else by overlap.
    reasons : mapping of unit id to text, optional
        Why units moved; the others get the reasons `rebalance` would give, moves being made one after the other.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If the units are not the same and `before` is absent, or it names a grid that `old` does not have.

    Notes
    -----
    The matching is a maximum-weight assignment on the workload two grids share (each attribute as a share of its total,
    then the number of units), by the shortest augmenting paths of `scipy.sparse.csgraph`. Moved workload is that of the
    new plan's units. Where units differ, loads before are those of the old units.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)], ids=["a", "b", "c", "d"])
    >>> problem = go.build_problem(graph, workload=[3, 1, 1, 3], n_grids=2, tolerance=0.5)
    >>> found = compare(go.Plan(problem, [0, 0, 1, 1]), go.Plan(problem, [1, 0, 0, 0]))
    >>> found.match, found.moves[["unit", "from", "to"]].values.tolist()
    ({'G001': 'G002', 'G002': 'G001'}, [['b', 'G001', 'G002']])
    >>> [(r.old, r.new, r.operation, r.units) for r in found.lineage(1)]
    [('G001', 'G002', 'move', 1)]
    """
    if match not in ("auto", "ids", "overlap"):
        raise InputError(f'match={match!r} must be "auto", "ids" or "overlap".')
    old, new = _plan_of(old, "old"), _plan_of(new, "new")
    rows = _rows_before(old, new, before)
    if match == "auto":
        match = "ids" if _have_own_ids(old, new) else "overlap"
    given = new.grid_ids.tolist()
    if match == "overlap":
        new = Plan(new.problem, new.labels, _matched_ids(old, new, rows))
    there = set(old.grid_ids.tolist())
    pairs = {a: b for a, b in zip(given, new.grid_ids.tolist()) if b in there}
    moved = _moved(old, new, rows)
    borders = _borders(old, new, rows)
    grids = _grids(old, new, rows)
    figures = _figures(old, new, rows, moved, grids, borders)
    return Comparison(old, new, rows, pairs, _moves(old, new, rows, moved, reasons or {}), grids, borders, figures)


def _plan_of(given: Any, what: str) -> Plan:
    if isinstance(given, Result):
        return given.require_plan()
    plan = getattr(given, "plan", given)
    if not isinstance(plan, Plan):
        raise InputError(f"{what} is a {type(given).__name__}; give a Plan, or the outcome of solve or rebalance.")
    return plan


def _rows_before(old: Plan, new: Plan, before: Any) -> NDArray[np.int32]:
    ids = new.problem.graph.ids
    if before is None:
        where = {u: i for i, u in enumerate(old.problem.graph.ids.tolist())}
        odd = sorted(set(where) ^ set(ids.tolist()), key=str)
        if odd:
            raise InputError(
                f"the plans are about different units: {len(odd)} are in one only (first: {name_ids(odd)}). "
                "Match them with crosswalk() and inherit(), and give before=inherited.before."
            )
        return old.labels[[where[u] for u in ids.tolist()]]
    row = {name: j for j, name in enumerate(old.grid_ids.tolist())}
    values = np.asarray(before, dtype=object)[align(before, ids, "before")]
    rows = np.array([row.get(v, -1) if isinstance(v, str) else -1 for v in values], dtype=np.int32)
    bad = [v for v, j in zip(values, rows) if j < 0 and isinstance(v, str)]
    if bad:
        raise InputError(f"before names {len(bad)} grids the old plan does not have (first: {bad[0]!r}).")
    return rows


def _have_own_ids(old: Plan, new: Plan) -> bool:
    usual = all(np.array_equal(plan.grid_ids, grid_ids(plan.problem.n_grids)) for plan in (old, new))
    return not usual or new.problem.incumbent is not None


def _matched_ids(old: Plan, new: Plan, rows: NDArray[np.int32]) -> NDArray[Any]:
    """Ids of the new grids: those of the old grids they share most workload with, else the next free ones."""
    from scipy import sparse
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    k, k_new = old.problem.n_grids, new.problem.n_grids
    known = rows >= 0
    work = new.problem.workload[known]
    share = (work / np.maximum(new.problem.workload.sum(axis=0), 1)).sum(axis=1) + 1e-6 / max(1, len(rows))
    key, where = np.unique(rows[known].astype(np.int64) * k_new + new.labels[known], return_inverse=True)
    worth = np.bincount(where, weights=share, minlength=len(key))
    most = float(worth.max(initial=0.0)) + 1.0
    old_of = np.concatenate([key // k_new, np.arange(k)])
    new_of = np.concatenate([key % k_new, k_new + np.arange(k)])  # a dummy for each old grid that may end
    price = np.concatenate([most - worth, np.full(k, most)])
    matrix = sparse.csr_matrix((price, (old_of, new_of)), shape=(k, k_new + k))
    a, b = min_weight_full_bipartite_matching(matrix)
    names = np.full(k_new, None, dtype=object)
    real = b < k_new
    names[b[real]] = old.grid_ids[a[real]]
    left = np.flatnonzero(names == None)  # noqa: E711 - elementwise
    names[left] = next_ids(old.grid_ids.tolist(), len(left))
    return names


def _moved(old: Plan, new: Plan, rows: NDArray[np.int32]) -> NDArray[np.int64]:
    known = np.flatnonzero(rows >= 0)
    return known[old.grid_ids[rows[known]] != new.grid_ids[new.labels[known]]]


def _amounts(problem: Any, units: NDArray[Any]) -> dict[str, Any]:
    total = problem.workload[units].sum(axis=0)
    return {name: problem.in_user_units(int(total[a]), a) for a, name in enumerate(problem.attributes)}


def _moves(
    old: Plan, new: Plan, rows: NDArray[np.int32], moved: NDArray[np.int64], reasons: Mapping[Any, str]
) -> pd.DataFrame:
    import pandas as pd

    problem = new.problem
    ids = problem.graph.ids[moved].tolist()
    source, target = old.grid_ids[rows[moved]], new.grid_ids[new.labels[moved]]
    told = {} if all(u in reasons for u in ids) else _reasons(old, new, rows, moved)
    columns: dict[str, Any] = {"unit": ids, "from": source, "to": target}
    for a, name in enumerate(problem.attributes):
        columns[f"load_{name}"] = problem.in_user_units(problem.workload[moved, a], a)
    columns["reason"] = [reasons.get(u) or told[u] for u in ids]
    return pd.DataFrame(columns)


def _reasons(old: Plan, new: Plan, rows: NDArray[np.int32], moved: NDArray[np.int64]) -> dict[Any, str]:
    """What each move does, as `rebalance` says it: in an order that keeps grids connected, where moves are few."""
    problem, ids = new.problem, (old.grid_ids.tolist(), new.grid_ids.tolist())
    start, now = numbered(rows, ids[0], new.labels, ids[1])
    steps: list[tuple[int, int, int]] = []
    if len(moved) <= MOST_ORDERED:
        steps += order_moves(problem.graph, start, now, bundle=problem.together).steps
    made = {u for u, _, _ in steps}
    steps += [(u, int(start[u]), int(now[u])) for u in moved.tolist() if u not in made]
    return {move.unit: move.reason for move in describe_change(problem, steps, start, *ids)}


def _grids(old: Plan, new: Plan, rows: NDArray[np.int32]) -> pd.DataFrame:
    import pandas as pd

    names = [*old.grid_ids.tolist(), *(j for j in new.grid_ids.tolist() if j not in set(old.grid_ids.tolist()))]
    sides = []
    for plan in (old, new):
        off = deviations(plan)
        columns: dict[str, Any] = {"n_units": plan.sizes}
        for a, name in enumerate(plan.problem.attributes):
            columns[f"load_{name}"] = plan.problem.in_user_units(plan.loads[:, a], a)
            columns[f"deviation_{name}"] = off[:, a]
        sides.append(pd.DataFrame(columns, index=pd.Index(plan.grid_ids, name="grid")).reindex(names))
    was, now = sides
    there, here = was["n_units"].notna(), now["n_units"].notna()
    table = pd.DataFrame({"state": np.where(~there, "new", np.where(here, "kept", "retired"))}, index=was.index)
    moved = _moved(old, new, rows)
    joined = np.flatnonzero(rows < 0)
    into = pd.Series(new.grid_ids[new.labels[np.concatenate([moved, joined])]]).value_counts()
    out = pd.Series(old.grid_ids[rows[moved]]).value_counts()
    for side, end in ((was, "_before"), (now, "")):
        table[f"n_units{end}"] = side["n_units"].fillna(0).astype(np.int64)
    for name, count in (("units_in", into), ("units_out", out)):
        table[name] = count.reindex(names, fill_value=0).to_numpy(dtype=np.int64)
    for column in now.columns[1:]:
        filled = 0 if column.startswith("load_") else np.nan
        table[f"{column}_before"] = was[column].fillna(filled) if column in was.columns else np.nan
        table[column] = now[column].fillna(filled)
    return table


def _borders(old: Plan, new: Plan, rows: NDArray[np.int32]) -> pd.DataFrame:
    import pandas as pd

    graph = new.problem.graph
    ends = graph.edges
    known = (rows[ends] >= 0).all(axis=1)
    was = known & (rows[ends[:, 0]] != rows[ends[:, 1]])
    now = new.labels[ends[:, 0]] != new.labels[ends[:, 1]]
    e = np.flatnonzero(known & (was != now))
    sides = np.where(now[e, None], new.grid_ids[new.labels[ends[e]]], old.grid_ids[rows[ends[e]]])
    return pd.DataFrame(
        {
            "u": graph.ids[ends[e, 0]],
            "v": graph.ids[ends[e, 1]],
            "change": np.where(now[e], "new", "gone"),
            "grid_a": sides[:, 0],
            "grid_b": sides[:, 1],
            "length_m": graph.length[e] / 10,
            "streets": "" if graph.streets is None else graph.streets[e],
        }
    )


def _figures(
    old: Plan, new: Plan, rows: NDArray[np.int32], moved: NDArray[np.int64], grids: pd.DataFrame, borders: pd.DataFrame
) -> dict[str, Any]:
    problem = new.problem
    total, part = problem.workload.sum(axis=0), problem.workload[moved].sum(axis=0)
    same = (grids["units_in"] == 0) & (grids["units_out"] == 0) & (grids["state"] == "kept")
    length = borders.groupby("change")["length_m"].sum()
    return {
        "n_moved": len(moved),
        "units": len(moved) / max(1, len(rows)),
        "workload": {name: float(part[a] / max(1, total[a])) for a, name in enumerate(problem.attributes)},
        "moved_workload": _amounts(problem, moved),
        "n_new_units": int((rows < 0).sum()),
        **{f"n_{state}": int((grids["state"] == state).sum()) for state in ("kept", "new", "retired")},
        "n_untouched": int(same.sum()),
        "new_border_m": float(length.get("new", 0.0)),
        "gone_border_m": float(length.get("gone", 0.0)),
    }
