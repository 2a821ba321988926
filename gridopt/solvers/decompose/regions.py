"""Problem -> pieces, one for each region with several grids; labels of pieces -> labels of the plan."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.errors import Finding
from gridopt.model import Problem
from gridopt.rules.limits import MILLION
from gridopt.rules.objective import edge_prices, inertia_xy
from gridopt.solvers.piece import Piece

__all__ = ["Regions", "decompose"]


@dataclass(frozen=True, eq=False)
class Regions:
    """
    The regions of a problem, their units contracted to nodes and sorted by region.

    Parameters
    ----------
    problem : Problem
    node_of : ndarray of int64, shape (n,)
        Node of each unit; nodes of a region are consecutive, in the order of their smallest units.
    first_node, first_row : ndarray of int64, shape (r + 1,)
        Nodes and grids of region ``r`` are ``[first[r], first[r + 1])``, the grids as positions in `rows`.
    rows : ndarray of int64, shape (k,)
        Grids sorted by region.
    searched : ndarray of int64
        Regions with several grids.
    findings : tuple of Finding
        Compounds that had to be joined.
    narrowed : frozenset of int
        Regions in which a compound was joined: their pieces leave out plans, so nothing is proved by them.
    """

    problem: Problem
    node_of: NDArray[np.int64]
    first_node: NDArray[np.int64]
    first_row: NDArray[np.int64]
    rows: NDArray[np.int64]
    searched: NDArray[np.int64]
    findings: tuple[Finding, ...]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    weights: NDArray[np.int64]
    workload: NDArray[np.int64]
    fixed: NDArray[np.int32]
    apart: sparse.csr_matrix
    narrowed: frozenset[int]

    def sizes(self) -> NDArray[np.int64]:
        """Nodes of each region that is searched."""
        return np.diff(self.first_node)[self.searched]

    def node_counts(self) -> NDArray[np.int64]:
        """Nodes of each region, shape (r,)."""
        return np.diff(self.first_node)

    def piece(self, region: int) -> Piece:
        """
        Return the region as arrays.

        Edges are priced by `cut` and `edge_cost`; `moved` becomes `home` and `away_cost`, or unit costs where units of
        one compound come from different grids.
        """
        problem = self.problem
        a, b = self.first_node[region], self.first_node[region + 1]
        rows = self.rows[self.first_row[region] : self.first_row[region + 1]]
        edges = slice(self.indptr[a], self.indptr[b])
        apart_indptr, apart_indices = self._apart(a, b)
        unit_cost, home, away = self._other_costs(region, rows)
        weights = problem.objective
        n = int(b - a)
        inertia = int(weights.get("inertia", 0))
        xy = moment = spread = None
        if inertia:
            xy, moment, spread = self._moments(region)
        return Piece(
            indptr=self.indptr[a : b + 1] - self.indptr[a],
            indices=(self.indices[edges] - a).astype(np.int32),
            weights=self.weights[edges],
            workload=self.workload[a:b],
            lo=problem.lo[rows],
            hi=problem.hi[rows],
            target=np.maximum(1, np.rint(problem.target[rows])).astype(np.int64),
            fixed=_local(self.fixed[a:b], rows),
            apart_indptr=apart_indptr,
            apart_indices=apart_indices,
            unit_cost=unit_cost,
            home=home if len(home) else np.full(n, -1, dtype=np.int32),
            away_cost=away if len(away) else np.zeros(n, dtype=np.int64),
            imbalance_weight=int(weights.get("imbalance", 0)),
            inertia_weight=inertia,
            xy=np.empty((0, 2), dtype=np.int64) if xy is None else xy,
            moment=moment,
            spread=spread,
        )

    def _apart(self, a: int, b: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        if not self.apart.nnz:
            return np.zeros(b - a + 1, dtype=np.int64), np.empty(0, dtype=np.int32)
        own = self.apart[a:b, a:b]
        return own.indptr.astype(np.int64), own.indices.astype(np.int32)

    def _units(self, region: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order, first = self._by_region
        units = order[first[region] : first[region + 1]]
        return units, self.node_of[units] - self.first_node[region]

    @cached_property
    def _by_region(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Units sorted by region, ascending in each, and where each region begins."""
        region = self.problem.nesting.region
        counts = np.bincount(region, minlength=self.problem.nesting.n_regions)
        return np.argsort(region, kind="stable"), np.concatenate([[0], np.cumsum(counts)])

    def _moments(self, region: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        units, node = self._units(region)
        n = int(self.first_node[region + 1] - self.first_node[region])
        xy, mass = inertia_xy(self.problem)[units], self.problem.workload[units, 0]
        moment, spread = np.zeros((n, 2), dtype=np.int64), np.zeros(n, dtype=np.int64)
        np.add.at(moment, node, xy * mass[:, None])
        np.add.at(spread, node, mass * (xy**2).sum(axis=1))
        middle = np.zeros((n, 2), dtype=np.int64)
        np.add.at(middle, node, xy)
        return middle // np.bincount(node, minlength=n)[:, None], moment, spread

    def _other_costs(
        self, region: int, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
        problem, weights = self.problem, self.problem.objective
        price, moved = weights.get("unit_cost", 0), weights.get("moved", 0)
        none = np.empty((0, 0), dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        has_cost = bool(price) and problem.unit_cost is not None
        has_home = bool(moved) and problem.incumbent is not None
        if not has_cost and not has_home:
            return none
        units, node = self._units(region)
        n, k = int(self.first_node[region + 1] - self.first_node[region]), len(rows)
        unit_cost = none[0]
        if has_cost:
            unit_cost = np.zeros((n, k), dtype=np.int64)
            np.add.at(unit_cost, node, price * np.asarray(problem.unit_cost)[np.ix_(units, rows)])
        if not has_home:
            return unit_cost, none[1], none[2]
        home_of_unit = _local(np.asarray(problem.incumbent)[units], rows)
        mass = moved * problem.workload[units, 0]
        home = np.full(n, -1, dtype=np.int32)
        home[node] = home_of_unit
        if (home[node] == home_of_unit).all():
            return unit_cost, home, np.bincount(node, weights=mass, minlength=n).astype(np.int64)
        if not has_cost:
            unit_cost = np.zeros((n, k), dtype=np.int64)
        known = home_of_unit >= 0
        np.add.at(unit_cost, node[known], mass[known, None])
        np.add.at(unit_cost, (node[known], home_of_unit[known]), -mass[known])
        return unit_cost, none[1], none[2]

    def local_labels(self, region: int, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the part of the first unit of each node of a region; -1 where its label is foreign."""
        units, node = self._units(region)
        rows = self.rows[self.first_row[region] : self.first_row[region + 1]]
        found = np.full(int(self.first_node[region + 1] - self.first_node[region]), -1, dtype=np.int32)
        found[node[::-1]] = _local(labels[units], rows)[::-1]
        return found

    def all_local_labels(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """`local_labels` of all regions at once, by node."""
        nesting = self.problem.nesting
        part = np.empty(len(self.rows), dtype=np.int32)
        part[self.rows] = np.arange(len(self.rows)) - np.repeat(self.first_row[:-1], np.diff(self.first_row))
        row = np.maximum(labels, 0)
        own = np.where((labels >= 0) & (nesting.grid_region[row] == nesting.region), part[row], -1)
        found = np.full(len(self.fixed), -1, dtype=np.int32)
        found[self.node_of[::-1]] = own[::-1]
        return found

    def constant_cost(self, labels: NDArray[np.int32] | None) -> int:
        """
        Cost no search of a region touches: edges between regions, unit costs and inertia of regions of one grid, and
        units whose grid in the plan in force lies elsewhere.

        Parameters
        ----------
        labels : ndarray of int32, shape (n,), or None
            A plan, where there is one: its names of the grids of regions of one grid.
        """
        problem = self.problem
        region, graph = problem.nesting.region, problem.graph
        price = edge_prices(problem)
        u, v = graph.edges[:, 0], graph.edges[:, 1]
        total = int(price[region[u] != region[v]].sum())
        alone = np.diff(self.first_row)[region] == 1
        if labels is None:
            labels = np.zeros(problem.n_units, dtype=np.int32)
            labels[alone] = self.rows[self.first_row[region[alone]]].astype(np.int32)
        weights = problem.objective
        rest = np.flatnonzero(alone)
        if weights.get("unit_cost") and problem.unit_cost is not None:
            total += weights["unit_cost"] * int(problem.unit_cost[rest, labels[rest]].sum())
        if weights.get("moved") and problem.incumbent is not None:
            before = problem.incumbent
            foreign = (before >= 0) & (problem.nesting.grid_region[np.maximum(before, 0)] != region)
            away = foreign | (alone & (before >= 0) & (before != np.where(alone, labels, before)))
            total += weights["moved"] * int(problem.workload[away, 0].sum())
        if weights.get("inertia"):
            total += weights["inertia"] * self._inertia_alone(rest)
        if weights.get("imbalance"):
            total += weights["imbalance"] * self._imbalance_alone()
        return total

    def violation_alone(self) -> int:
        """Violation of regions of one grid, which no search can mend: millionths of their targets, pairs apart."""
        problem = self.problem
        alone = np.flatnonzero(np.diff(self.first_row) == 1)
        rows = self.rows[self.first_row[alone]]
        loads = np.zeros((problem.nesting.n_regions, problem.n_attributes), dtype=np.int64)
        np.add.at(loads, problem.nesting.region, problem.workload)
        excess = np.maximum(0, np.maximum(loads[alone] - problem.hi[rows], problem.lo[rows] - loads[alone]))
        target = np.maximum(1, np.rint(problem.target[rows])).astype(np.int64)
        one = np.zeros(problem.nesting.n_regions, dtype=bool)
        one[alone] = True
        ends = problem.nesting.region[problem.apart]
        return int((excess * MILLION // target).sum()) + MILLION * int(
            (one[ends[:, 0]] & (ends[:, 0] == ends[:, 1])).sum()
        )

    def _inertia_alone(self, units: NDArray[np.int64]) -> int:
        region, mass = self.problem.nesting.region[units], self.problem.workload[units, 0]
        xy = inertia_xy(self.problem)[units]
        total = int((mass * (xy**2).sum(axis=1)).sum())
        for r in np.unique(region):
            own = region == r
            load = int(mass[own].sum())
            if load:
                x, y = (int(s) for s in (xy[own] * mass[own, None]).sum(axis=0))
                total -= (x * x + y * y) // load
        return total

    def _imbalance_alone(self) -> int:
        problem, nesting = self.problem, self.problem.nesting
        total = 0
        for r in np.flatnonzero((np.diff(self.first_row) == 1) & ~nesting.region_exempt):
            row = self.rows[self.first_row[r]]
            load = problem.workload[self._units(int(r))[0]].sum(axis=0)
            target = np.maximum(1, np.rint(problem.target[row])).astype(np.int64)
            total += int((np.abs(load - target) * 1_000_000 // target).sum())
        return total

    def stitch(self, parts: Mapping[int, NDArray[np.int32]]) -> NDArray[np.int32]:
        """
        Labels of all units from labels of the nodes of each searched region. O(n log n).

        Where grids are interchangeable, parts of a region take its grids in the order of their smallest unit.
        """
        of_node = np.repeat(self.first_row[:-1], self.node_counts())
        for region, labels in parts.items():
            of_node[self.first_node[region] : self.first_node[region + 1]] += labels
        if self.problem.interchangeable:
            used, first = np.unique(of_node, return_index=True)
            rank = np.empty(len(self.rows), dtype=np.int64)
            rank[used[np.argsort(first)]] = used
            of_node = rank[of_node]
        return self.rows[of_node][self.node_of].astype(np.int32)


def _local(rows: NDArray[np.int32], own: NDArray[np.int64]) -> NDArray[np.int32]:
    """Position of each grid in `own` (ascending), -1 where it is none of them."""
    at = np.searchsorted(own, rows)
    at[at == len(own)] = 0
    return np.where(own[at] == rows, at, -1).astype(np.int32)


def decompose(problem: Problem) -> Regions:
    """
    Contract compounds, price edges and sort everything by region. O((n + m) log n), for all regions at once.

    A compound that is not connected inside its region takes the units of the lightest paths between its pieces along,
    and a finding says so.
    """
    n, region = problem.n_units, problem.nesting.region.astype(np.int64)
    key, findings, narrowed = _compounds(problem)
    _, first, cluster = np.unique(region * n + key, return_index=True, return_inverse=True)
    smallest = np.full(len(first), n, dtype=np.int64)
    np.minimum.at(smallest, cluster, np.arange(n))
    order = np.lexsort((smallest, region[first]))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    node_of = rank[cluster]
    count, n_regions = len(order), problem.nesting.n_regions
    first_node = np.concatenate([[0], np.cumsum(np.bincount(region[first], minlength=n_regions))])
    grid_region = problem.nesting.grid_region
    rows = np.argsort(grid_region, kind="stable")
    first_row = np.concatenate([[0], np.cumsum(np.bincount(grid_region, minlength=n_regions))])
    u, v = problem.graph.edges[:, 0], problem.graph.edges[:, 1]
    inside = (region[u] == region[v]) & (node_of[u] != node_of[v])
    matrix = _symmetric(node_of[u[inside]], node_of[v[inside]], edge_prices(problem)[inside], count)
    p, q = problem.apart[:, 0], problem.apart[:, 1]
    together = (region[p] == region[q]) & (node_of[p] != node_of[q])
    apart = _symmetric(node_of[p[together]], node_of[q[together]], np.ones(int(together.sum()), dtype=np.int64), count)
    workload = np.zeros((count, problem.n_attributes), dtype=np.int64)
    np.add.at(workload, node_of, problem.workload)
    fixed = np.full(count, -1, dtype=np.int32)
    np.maximum.at(fixed, node_of, problem.fixed)
    return Regions(
        problem=problem,
        node_of=node_of,
        first_node=first_node.astype(np.int64),
        first_row=first_row.astype(np.int64),
        rows=rows.astype(np.int64),
        searched=np.flatnonzero(np.diff(first_row) > 1),
        findings=tuple(findings),
        indptr=matrix.indptr.astype(np.int64),
        indices=matrix.indices.astype(np.int64),
        weights=matrix.data.astype(np.int64),
        workload=workload,
        fixed=fixed,
        apart=apart,
        narrowed=narrowed,
    )


def _symmetric(u: NDArray[np.int64], v: NDArray[np.int64], weight: NDArray[np.int64], n: int) -> sparse.csr_matrix:
    matrix = sparse.coo_matrix((np.tile(weight, 2), (np.append(u, v), np.append(v, u))), shape=(n, n)).tocsr()
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix


def _compounds(problem: Problem) -> tuple[NDArray[np.int64], list[Finding], frozenset[int]]:
    """
    Key of the compound of each unit: equal keys are one node. Compounds in pieces are joined by the lightest paths.

    Also returned are what there is to tell, and the regions in which something was joined.
    """
    n = problem.n_units
    key = np.arange(n, dtype=np.int64)
    bound = np.flatnonzero(problem.together >= 0)
    findings: list[Finding] = []
    narrowed: set[int] = set()
    if not len(bound):
        return key, findings, frozenset()
    share = (problem.workload / np.maximum(problem.workload.sum(axis=0), 1)).mean(axis=1)
    _, first, compound = np.unique(problem.together[bound], return_index=True, return_inverse=True)
    key[bound] = bound[first][compound]
    for c in range(len(first)):
        root = int(bound[first[c]])
        added: list[int] = []
        while True:
            members = np.flatnonzero(key == key[root])
            path = _joining_path(problem, share, members, _barred(problem, key, members))
            if path is None:
                break
            if not path:
                ids = tuple(problem.graph.ids[members[:5]].tolist())
                cure = (
                    "Its units do not touch, and no path joins them past units fixed elsewhere or kept apart from it."
                )
                findings.append(Finding("compound-not-joined", "error", ids, len(members), None, cure))
                break
            for unit in path:
                key[key == key[unit]] = key[root]
            added += path
        if added:
            ids = tuple(problem.graph.ids[members[:5]].tolist())
            cure = f"Its units do not touch: {len(added)} units of the lightest paths between them go along."
            findings.append(Finding("compound-joined", "warning", ids, len(members), None, cure))
            narrowed.add(int(problem.nesting.region[root]))
    return key, findings, frozenset(narrowed)


def _barred(problem: Problem, key: NDArray[np.int64], members: NDArray[np.int64]) -> set[int]:
    """Units that cannot share a grid with `members`: their compound is fixed elsewhere, or kept apart from these."""
    own = set(problem.fixed[members].tolist()) - {-1}
    barred = np.zeros(len(key), dtype=bool)
    if own:
        barred[(problem.fixed >= 0) & ~np.isin(problem.fixed, sorted(own))] = True
    inside = np.zeros(len(key), dtype=bool)
    inside[members] = True
    for p, q in ((0, 1), (1, 0)):
        barred[problem.apart[inside[problem.apart[:, p]], q]] = True
    return set(np.flatnonzero(np.isin(key, np.unique(key[barred])) & ~inside).tolist())


def _joining_path(
    problem: Problem, share: NDArray[np.float64], members: NDArray[np.int64], barred: set[int]
) -> list[int] | None:
    """
    Units strictly between two pieces of `members` on the lightest path in their region, past `barred` units.

    None where it is one piece already; empty where there is no path. Dijkstra's algorithm; of paths of one weight the
    one with fewest units is taken.
    """
    graph, region = problem.graph, problem.nesting.region
    mine = set(members.tolist())

    def neighbours(unit: int) -> Iterator[int]:
        for other in graph.indices[graph.indptr[unit] : graph.indptr[unit + 1]].tolist():
            if region[other] == region[unit]:
                yield other

    piece, line = {int(members[0])}, deque([int(members[0])])
    while line:
        for other in neighbours(line.popleft()):
            if other in mine and other not in piece:
                piece.add(other)
                line.append(other)
    if len(piece) == len(mine):
        return None
    heap = [(0.0, 0, unit, -1) for unit in sorted(piece)]
    before: dict[int, int] = {}
    while heap:
        weight, hops, unit, previous = heapq.heappop(heap)
        if unit in before:
            continue
        before[unit] = previous
        if unit in mine and unit not in piece:
            path = []
            while before[previous] >= 0:
                path.append(previous)
                previous = before[previous]
            return path
        for other in neighbours(unit):
            if other not in before and other not in barred:
                extra = 0.0 if other in mine else float(share[other])
                heapq.heappush(heap, (weight + extra, hops + 1, other, unit))
    return []
