"""`inherit`: the grids in force, over units that have changed, as the start of a rebalance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import positions_of
from gridopt.errors import Finding, InputError, InternalError, name_ids
from gridopt.model.graph import components
from gridopt.model.plan import Plan
from gridopt.model.problem import Problem
from gridopt.planning.force import next_ids
from gridopt.workflow.crosswalk import Crosswalk

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Inherited", "grids_before", "inherit"]

WORTH_A_GRID = 0.5
"""A piece that lost its grid becomes one where its region needs another, if it has this share of a fair load."""


@dataclass(frozen=True, eq=False)
class Inherited:
    """
    The plan in force over the new units.

    Parameters
    ----------
    plan : Plan
        Contiguous, no grid across regions; its number of grids and its loads may not be what the new problem asks.
    before : Series of text
        Grid that each new unit inherits from the old units it comes from, indexed by unit id; missing where new.
    retired : tuple of str
        Grids none of whose land is left.
    findings : tuple of Finding
        Every unit whose grid is ambiguous, with shares; what joined a grid, and why.

    Examples
    --------
    Made by `inherit`.

    >>> Inherited.__name__
    'Inherited'
    """

    plan: Plan
    before: pd.Series[Any]
    retired: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return f"Inherited({self.plan!r}, {int(self.before.isna().sum())} new units, {len(self.retired)} grids retired)"


def inherit(plan: Plan, crosswalk: Crosswalk, problem: Problem, *, retired: Any = ()) -> Inherited:
    """
    Put the grids in force on new units, changed only where they fall apart.

    Parameters
    ----------
    plan : Plan
        The plan in force, over the old units.
    crosswalk : Crosswalk
        Which new unit comes from which old ones.
    problem : Problem
        The problem over the new units.
    retired : sequence of str
        Grid ids that are never given again, besides those of `plan`.

    Returns
    -------
    Inherited
        Ready for `rebalance`.

    Raises
    ------
    InputError
        If the crosswalk is about other units than the plan or the problem.

    Notes
    -----
    A unit goes to the grid most of it comes from; where its id decides, to the grid of that old unit. Of a grid that
    falls apart, or comes to lie in several regions, the heaviest piece keeps the id. A region without a grid, or with
    fewer than it is to have, makes its heaviest such pieces grids, under the next free ids. All other pieces, and new
    units, join a grid they border in their region, those next to a grid first: a unit with workload joins the grid that
    has the least load, then the one with the longest common border; a unit without workload, the longest border.

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, shapely
    >>> from gridopt.workflow.crosswalk import crosswalk
    >>> old = gpd.GeoDataFrame(index=["a", "b"], geometry=shapely.box([0, 4], 0, [4, 6], 9), crs=32650)
    >>> new = gpd.GeoDataFrame(index=["a1", "a2", "b"], geometry=shapely.box([0, 1, 4], 0, [1, 4, 6], 9), crs=32650)
    >>> plan = go.Plan(go.build_problem(go.build_graph(old), [4, 2], n_grids=2, tolerance=0.5), [0, 1])
    >>> problem = go.build_problem(go.build_graph(new), [1, 3, 2], n_grids=2, tolerance=0.5)
    >>> inherit(plan, crosswalk(old, new), problem).plan.to_series().to_dict()
    {'a1': 'G001', 'a2': 'G001', 'b': 'G002'}
    """
    ids = problem.graph.ids
    _same_units(crosswalk, plan, problem.graph.ids)
    names = plan.grid_ids.tolist()
    before, told = grids_before(plan, crosswalk, ids)
    row = {name: j for j, name in enumerate(names)}
    labels = np.array([-1 if name is None else row[name] for name in before.tolist()], dtype=np.int64)
    said = list(told)
    work = _Work(problem, labels.copy(), names)
    lost = tuple(names[j] for j in np.setdiff1d(np.arange(len(names)), labels).tolist())
    if lost:
        cure = "No unit comes from them: their ids are retired."
        said.append(Finding("grid-gone", "warning", lost, len(lost), None, cure))
    fresh = labels < 0
    pieces = work.detach()
    said += work.promote(pieces, retired)
    alone = ~fresh & (work.labels < 0)
    work.join()
    said += work.tell(fresh, alone, labels)
    return Inherited(work.plan(), before, lost, tuple(said))


def grids_before(plan: Plan, crosswalk: Crosswalk, ids: NDArray[Any]) -> tuple[pd.Series[Any], tuple[Finding, ...]]:
    """
    Grid in force that each new unit comes from, nothing mended, and a finding for each unit where that is ambiguous.

    Parameters
    ----------
    plan : Plan
        The plan in force, over the old units.
    crosswalk : Crosswalk
        Which new unit comes from which old ones.
    ids : ndarray
        Ids of the new units, in the order wanted.

    Returns
    -------
    before : Series of text
        Grid id by unit id; None where the unit is new. For `compare`.
    findings : tuple of Finding
        ``ambiguous-grid``: no grid has the share `crosswalk.clear` of the unit, and its id does not decide.
    """
    import pandas as pd

    _same_units(crosswalk, plan, ids)
    labels, said = _labels_by_share(plan, crosswalk, ids)
    names = plan.grid_ids.tolist()
    values = [names[j] if j >= 0 else None for j in labels.tolist()]
    return pd.Series(values, index=pd.Index(ids, name="unit"), dtype=object), tuple(said)


def _same_units(crosswalk: Crosswalk, plan: Plan, ids: NDArray[Any]) -> None:
    for what, mine, theirs in (
        ("old units of the crosswalk and the units of the plan", crosswalk.old.index, plan.problem.graph.ids),
        ("new units of the crosswalk and the units of the problem", crosswalk.new.index, ids),
    ):
        odd = sorted(set(mine.tolist()) ^ set(theirs.tolist()), key=str)
        if odd:
            cure = "Make all of them from the same layers."
            raise InputError(
                f"the {what} are not the same: {len(odd)} are in one only (first: {name_ids(odd)}). {cure}",
                [Finding("index-mismatch", "error", tuple(odd[:50]), len(odd), 0, cure)],
            )


def _labels_by_share(plan: Plan, crosswalk: Crosswalk, ids: NDArray[Any]) -> tuple[NDArray[np.int64], list[Finding]]:
    """Row of the grid in force of each new unit, -1 where new; a finding for each that is ambiguous."""
    grid_of = dict(zip(plan.problem.graph.ids.tolist(), plan.labels.tolist()))
    pairs = crosswalk.pairs
    unit = positions_of(pairs["new"].to_numpy(), ids, "crosswalk")
    k = plan.problem.n_grids
    key = unit * k + np.array([grid_of[o] for o in pairs["old"].tolist()], dtype=np.int64)
    cell, inverse = np.unique(key, return_inverse=True)
    share = np.bincount(inverse, weights=pairs["share_of_new"].to_numpy(), minlength=len(cell))
    order = np.lexsort((cell % k, -share, cell // k))
    first = np.unique((cell // k)[order], return_index=True)[1]
    labels = np.full(len(ids), -1, dtype=np.int64)
    top = np.zeros(len(ids))
    best = order[first]
    labels[cell[best] // k], top[cell[best] // k] = cell[best] % k, share[best]
    new = crosswalk.new.loc[ids.tolist()]
    main = new["main"].tolist()
    by_id = (new["by"] == "id").to_numpy()
    labels[by_id] = [grid_of[main[u]] for u in np.flatnonzero(by_id).tolist()]
    is_new = (new["kind"] == "new").to_numpy()
    labels[is_new] = -1
    said = []
    for u in np.flatnonzero(~by_id & ~is_new & (top < crosswalk.clear)).tolist():
        rows = order[(cell // k)[order] == u]
        told = ", ".join(f"{plan.grid_ids[cell[r] % k]} {share[r]:.1%}" for r in rows.tolist())
        cure = f"It comes from {told}: it stays with the first. Move it where it belongs, if that is another."
        said.append(
            Finding("ambiguous-grid", "warning", (ids.tolist()[u],), round(float(top[u]), 4), crosswalk.clear, cure)
        )
    return labels, said


class _Work:
    """Labels while they are mended. Grid rows ``0 … k - 1`` are those of the plan in force; new ones follow."""

    def __init__(self, problem: Problem, labels: NDArray[np.int64], names: list[str]) -> None:
        self.problem, self.labels, self.names = problem, labels, list(names)
        self.region = problem.nesting.region.astype(np.int64)
        total = np.maximum(problem.workload.sum(axis=0), 1)
        self.load = (problem.workload / total).sum(axis=1) / problem.n_attributes
        edges = problem.graph.edges.astype(np.int64)
        self.edges = edges[self.region[edges[:, 0]] == self.region[edges[:, 1]]]

    def detach(self) -> list[NDArray[np.int64]]:
        """Take the label of all pieces of a grid but the heaviest; return those pieces, the heaviest first."""
        inner = self.edges[self.labels[self.edges[:, 0]] == self.labels[self.edges[:, 1]]]
        piece = components(len(self.labels), inner).astype(np.int64)
        count = int(piece.max(initial=-1)) + 1
        weight = np.bincount(piece, weights=self.load, minlength=count)
        size = np.bincount(piece, minlength=count)
        members = np.split(np.argsort(piece, kind="stable"), np.cumsum(size)[:-1])
        label = np.array([self.labels[m[0]] for m in members], dtype=np.int64)
        order = np.lexsort((np.arange(count), -size, -weight))
        seen: set[int] = set()
        left = []
        for p in order.tolist():
            grid = int(label[p])
            if grid < 0:
                continue
            if grid in seen:
                left.append(members[p])
            seen.add(grid)
        for units in left:
            self.labels[units] = -1
        return left

    def promote(self, pieces: list[NDArray[np.int64]], retired: Any) -> list[Finding]:
        """Make pieces grids where their region lacks some; a region without any makes one of what there is."""
        nesting = self.problem.nesting
        asked = np.bincount(nesting.grid_region, minlength=nesting.n_regions)
        region_load = np.bincount(self.region, weights=self.load, minlength=nesting.n_regions)
        have = np.zeros(nesting.n_regions, dtype=np.int64)
        used = self.labels >= 0
        for r in np.unique(np.column_stack([self.region[used], self.labels[used]]), axis=0)[:, 0].tolist():
            have[r] += 1
        chosen = []
        for units in pieces:
            r = int(self.region[units[0]])
            fair = region_load[r] / max(1, asked[r])
            if have[r] == 0 or (have[r] < asked[r] and self.load[units].sum() >= WORTH_A_GRID * fair):
                chosen.append(units)
                have[r] += 1
        for r in np.flatnonzero(have == 0).tolist():
            units = np.flatnonzero(self.region == r)
            chosen.append(units[np.lexsort((units, -self.load[units]))[:1]])
        fresh = next_ids((*self.names, *retired), len(chosen))
        said = []
        for name, units in zip(fresh, chosen):
            self.labels[units] = len(self.names)
            self.names.append(name)
            cure = "Its region had no grid, or too few, among those in force."
            said.append(Finding("grid-new", "warning", (name,), len(units), None, cure))
        return said

    def join(self) -> None:
        """Give each unit without a grid to one it borders, round by round; see `inherit`."""
        loads = np.bincount(
            self.labels[self.labels >= 0], weights=self.load[self.labels >= 0], minlength=len(self.names)
        )
        graph = self.problem.graph
        length = np.maximum(graph.length, 1)
        waiting = np.flatnonzero(self.labels < 0)
        while len(waiting):
            settled: list[tuple[int, int]] = []
            for u in waiting.tolist():
                ends = slice(graph.indptr[u], graph.indptr[u + 1])
                around, along = graph.indices[ends], length[graph.edge_idx[ends]]
                near = (self.labels[around] >= 0) & (self.region[around] == self.region[u])
                if near.any():
                    grids, where = np.unique(self.labels[around[near]], return_inverse=True)
                    border = np.bincount(where, weights=along[near])
                    need = loads[grids] if self.load[u] > 0 else np.zeros(len(grids))
                    grid = int(grids[np.lexsort((grids, -border, need))[0]])
                    loads[grid] += self.load[u]
                    settled.append((u, grid))
            if not settled:
                raise InternalError(f"{len(waiting)} units border no grid of their region.")
            for u, grid in settled:
                self.labels[u] = grid
            waiting = np.flatnonzero(self.labels < 0)

    def tell(self, fresh: NDArray[np.bool_], alone: NDArray[np.bool_], before: NDArray[np.int64]) -> list[Finding]:
        """One finding for each unit that joined a grid."""
        ids, said = self.problem.graph.ids.tolist(), []
        for u in np.flatnonzero(fresh).tolist():
            cure = "A new unit: it joined the grid beside it with the least load, or with the longest common border."
            said.append(Finding("unit-joined", "info", (ids[u], self.names[self.labels[u]]), None, None, cure))
        for u in np.flatnonzero(alone & (self.labels != before)).tolist():
            cure = f"What it belongs to fell apart from {self.names[before[u]]}, or lies in another region than that."
            said.append(Finding("unit-cut-off", "warning", (ids[u], self.names[self.labels[u]]), None, None, cure))
        return said

    def plan(self) -> Plan:
        """The plan as it stands: rows of limits are those of the region of each grid."""
        rows, labels = np.unique(self.labels, return_inverse=True)
        problem, nesting = self.problem, self.problem.nesting
        place = np.full(len(rows), len(labels), dtype=np.int64)
        np.minimum.at(place, labels, np.arange(len(labels)))
        grid_region = self.region[place]
        if np.array_equal(np.sort(grid_region), np.sort(nesting.grid_region)):
            order = np.empty(len(rows), dtype=np.int64)
            order[np.argsort(grid_region, kind="stable")] = np.argsort(nesting.grid_region, kind="stable")
            like = problem.permuted(order)
        else:
            first = np.full(nesting.n_regions, -1, dtype=np.int64)
            first[nesting.grid_region[::-1]] = np.arange(problem.n_grids)[::-1]
            of = first[grid_region]
            like = replace(
                problem,
                lo=problem.lo[of],
                hi=problem.hi[of],
                target=problem.target[of],
                nesting=replace(nesting, grid_region=grid_region.astype(np.int32)),
                fixed=np.full(problem.n_units, -1, dtype=np.int32),
                incumbent=None,
                unit_cost=None,
                objective={k: v for k, v in problem.objective.items() if k != "unit_cost"},
            )
        return Plan(like, labels.astype(np.int32), np.array([self.names[j] for j in rows.tolist()], dtype=object))
