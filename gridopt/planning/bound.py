"""What has to move at least, whatever the plan within the limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import maximum_flow

from gridopt.model import Problem
from gridopt.model.graph import components, first_places
from gridopt.planning.attached import corridors, least_attached, least_sum
from gridopt.planning.force import InForce, regions_of
from gridopt.planning.relaxed import Area, least_relaxed
from gridopt.planning.torn import least_joined

__all__ = ["least_moved"]

LARGEST_FLOW = 2**30
"""Capacities of the flow fit in 32 bits."""


def least_moved(
    problem: Problem,
    force: InForce,
    weight: NDArray[np.int64],
    proved: Mapping[int, int] | None = None,
    enough: int | None = None,
) -> int:
    """
    Weight that moves in every plan within the limits of `problem` that has as many grids.

    Parameters
    ----------
    problem : Problem
        Its rows are the grids of `force`.
    force : InForce
    weight : ndarray of int64, shape (n,)
        What counts as moved.
    proved : mapping of int to int, optional
        What is known of regions by other means.
    enough : int, optional
        What moves in a plan: nothing dearer is tried once that is reached.

    Notes
    -----
    Grids that are too heavy must give, grids that are too light must take. A unit may do both at once, where it goes
    straight from one to the other. See *Rebalancing* in the chapter on methods.
    """
    facts = _Facts.of(problem, force, weight)
    least = {}
    for region in facts.at_work():
        known = (proved or {}).get(region, 0)
        least[region] = max(_plain(facts, region), _paired(facts, region), _torn(facts, region), known)
    for region in sorted(set(least) - set(proved or {})):
        if enough is not None and facts.forced + sum(least.values()) >= enough:
            break
        least[region] = max(least[region], _relaxed(facts, region))
    return _wherever_kept(force, weight, facts.forced + sum(least.values()))


def _wherever_kept(force: InForce, weight: NDArray[np.int64], least: int) -> int:
    """
    What moves at least, wherever grids in force that lie in several regions are kept, `least` being that as it is.

    Where one is kept in another region than here, no more stays than it has outside the region here, and all it has
    within moves. The best choice of such grids, taken in parts, is a fractional knapsack.
    """
    known = force.before >= 0
    k, grid = len(force.old_ids), force.before[known]
    region, _ = regions_of(force.problem, force.before, k)
    outside = force.problem.nesting.region[known] != region[grid]
    there = np.bincount(grid[outside], weights=weight[known][outside], minlength=k)
    here = np.bincount(grid[~outside], weights=weight[known][~outside], minlength=k)
    stays, moves = float(least), 0.0
    order = np.flatnonzero(there > 0)
    for g in order[np.argsort(-there[order] / (there[order] + here[order]), kind="stable")].tolist():
        part = min(1.0, (stays - moves) / (there[g] + here[g]))
        if part <= 0:
            break
        stays, moves = stays - part * there[g], moves + part * here[g]
    return min(least, int(np.ceil(stays - 1e-6)))


@dataclass(frozen=True, eq=False)
class _Facts:
    """Loads and weights of grids in force."""

    problem: Problem
    home: NDArray[np.int32]
    weight: NDArray[np.int64]
    loads: NDArray[np.int64]
    order: NDArray[np.int64]
    first: NDArray[np.int64]
    opened: NDArray[np.bool_]
    newcomers: NDArray[np.bool_]
    gone: NDArray[np.int64]
    forced: int
    torn: NDArray[np.bool_]
    ratios: dict[tuple[int, int], float] = field(default_factory=dict)

    @classmethod
    def of(cls, problem: Problem, force: InForce, weight: NDArray[np.int64]) -> _Facts:
        home, k = force.home, problem.n_grids
        loads = np.zeros_like(problem.lo)
        known = home >= 0
        np.add.at(loads, home[known], problem.workload[known])
        order = np.argsort(home, kind="stable")
        opened = np.zeros(k, dtype=bool)
        opened[force.opened] = True
        newcomers = np.zeros(problem.nesting.n_regions, dtype=bool)
        newcomers[problem.nesting.region[~known]] = True
        gone = _gone(problem, force)
        return cls(
            problem, home, weight, loads, order, np.searchsorted(home[order], np.arange(k + 1)), opened, newcomers,
            gone, _forced(problem, force, weight), _in_pieces(problem, home),
        )  # fmt: skip

    def at_work(self) -> list[int]:
        """Regions with a grid outside its limits or in pieces: in others nothing has to move."""
        outside = ((self.loads < self.problem.lo) | (self.loads > self.problem.hi)).any(axis=1)
        return np.unique(self.problem.nesting.grid_region[outside | self.torn]).tolist()

    def least_ratio(self, region: int, attribute: int) -> float:
        """Least weight for each work unit of an attribute, over the units of a region; 0 where none has any."""
        key = region, attribute
        if key not in self.ratios:
            work = self.problem.workload[:, attribute]
            some = (self.problem.nesting.region == region) & (work > 0)
            self.ratios[key] = float((self.weight[some] / work[some]).min()) if some.any() else 0.0
        return self.ratios[key]

    def units(self, grid: int) -> NDArray[np.int64]:
        """Units of a grid in force."""
        return self.order[self.first[grid] : self.first[grid + 1]]

    def pieces(self, units: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Units of a grid, piece by piece."""
        left, found = set(units.tolist()), []
        for u in units.tolist():
            if u not in left:
                continue
            line = [u]
            left.discard(u)
            for v in line:
                grown = [x for x in self.near(v) if x in left]
                left.difference_update(grown)
                line += grown
            found.append(np.array(sorted(line), dtype=np.int64))
        return found

    def near(self, u: int) -> list[int]:
        """Neighbours of a unit in its region."""
        graph, region = self.problem.graph, self.problem.nesting.region
        return [v for v in graph.indices[graph.indptr[u] : graph.indptr[u + 1]].tolist() if region[v] == region[u]]


def _in_pieces(problem: Problem, home: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether each grid in force lies in several pieces."""
    edges = problem.graph.edges
    same = (home[edges[:, 0]] == home[edges[:, 1]]) & (home[edges[:, 0]] >= 0)
    piece = components(problem.n_units, edges[same])
    roots = home[first_places(piece, int(piece.max(initial=-1)) + 1)]
    return np.asarray(np.bincount(roots[roots >= 0], minlength=problem.n_grids) > 1)


def _gone(problem: Problem, force: InForce) -> NDArray[np.int64]:
    """Number of grids that go in each region."""
    region, _ = regions_of(problem, force.before, len(force.old_ids))
    return np.bincount(region[force.closed], minlength=problem.nesting.n_regions)


def _forced(problem: Problem, force: InForce, weight: NDArray[np.int64]) -> int:
    """
    Weight of units that lie outside the region of their grid, and of the grids that go, had the lightest been chosen.

    What a grid loses by going is what it has in its region: the rest is lost anyway.
    """
    region, _ = regions_of(problem, force.before, len(force.old_ids))
    known = np.flatnonzero(force.before >= 0)
    inside = problem.nesting.region[known] == region[force.before[known]]
    total = int(weight[known[~inside]].sum())
    mass = np.zeros(len(region), dtype=np.int64)
    np.add.at(mass, force.before[known[inside]], weight[known[inside]])
    for r in np.unique(region[force.closed]).tolist():
        gone = np.isin(np.flatnonzero(region == r), force.closed).sum()
        total += int(np.sort(mass[region == r])[:gone].sum())
    return total


def _plain(facts: _Facts, region: int) -> int:
    """What grids give, or what grids take, each by itself: holds for every plan."""
    problem = facts.problem
    rows = np.flatnonzero(problem.nesting.grid_region == region)
    give = [_least_given(facts, j) for j in rows.tolist()]
    if facts.newcomers[region]:  # other grids might have gone instead: those that give most
        return sum(sorted(give)[: max(0, len(give) - int(facts.gone[region]))])
    return max(sum(give), sum(_least_taken(facts, j, region) for j in rows.tolist()))


def _least_given(facts: _Facts, grid: int) -> int:
    units, problem = facts.units(grid), facts.problem
    return max(
        least_sum(problem.workload[units, a], facts.weight[units], int(facts.loads[grid, a] - problem.hi[grid, a]))
        for a in range(problem.n_attributes)
    )


def _least_taken(facts: _Facts, grid: int, region: int) -> int:
    problem = facts.problem
    least = 0
    for a in range(problem.n_attributes):
        lack = int(problem.lo[grid, a] - facts.loads[grid, a])
        if lack <= 0:
            continue
        ratio = facts.least_ratio(region, a)
        least = max(least, int(np.ceil(lack * ratio * (1 - 1e-9) - 1e-6)))
    return least


def _paired(facts: _Facts, region: int) -> int:
    """
    What is given, and what is taken, less what may be both; 0 where the argument does not hold.

    It holds where every grid is heavier than what could be saved by giving all of it away.
    """
    problem, weight = facts.problem, facts.weight
    if facts.newcomers[region]:
        return 0
    rows = np.flatnonzero(problem.nesting.grid_region == region)
    give = {j: g for j in rows.tolist() if (g := _given_by_border(facts, j))}
    take = {j: t for j in rows.tolist() if (t := _taken_by_border(facts, j, region))}
    price = np.array(weight)
    price[np.isin(facts.home, list(give))] = 0
    savings: dict[tuple[int, int], int] = {}
    mass = {j: int(weight[facts.units(j)].sum()) for j in rows.tolist()}
    useful = dict.fromkeys(rows.tolist(), 0)
    for j, wanted in take.items():
        if facts.opened[j]:
            reached = dict.fromkeys(rows.tolist(), 0)
        else:
            reached = corridors(facts.near, facts.home, facts.units(j), price, wanted)
        for other, over in reached.items():
            if other == j or other < 0:
                continue
            useful[other] += wanted - over
            if other in give:
                savings[other, j] = wanted - over if over else max(give[other], wanted)
    most_given = max(give.values(), default=0)
    for j in rows.tolist():
        if not facts.opened[j] and mass[j] < most_given + give.get(j, 0) + 2 * take.get(j, 0) + useful[j]:
            return 0
    return sum(give.values()) + sum(take.values()) - _most_saved(give, take, savings)


def _torn(facts: _Facts, region: int) -> int:
    """What the grid in pieces that is hardest to join gives and takes; 0 where another might have gone instead."""
    problem, weight = facts.problem, facts.weight
    if facts.newcomers[region]:
        return 0
    least = 0
    for j in np.flatnonzero(facts.torn & (problem.nesting.grid_region == region)).tolist():

        def lacking(kept: NDArray[np.int64], j: int = j) -> int:
            left = problem.lo[j] - problem.workload[kept].sum(axis=0)
            ratios = [facts.least_ratio(region, a) for a in range(problem.n_attributes)]
            return max(0, *(int(np.ceil(x * r * (1 - 1e-9) - 1e-6)) for x, r in zip(left.tolist(), ratios)))

        least = max(least, least_joined(facts.near, facts.pieces(facts.units(j)), weight, lacking))
    return least


def _relaxed(facts: _Facts, region: int) -> int:
    """By a linear program; 0 where another grid might have gone instead of one that did."""
    problem = facts.problem
    if facts.gone[region]:
        return 0
    units = np.flatnonzero(problem.nesting.region == region)
    rows = np.flatnonzero(problem.nesting.grid_region == region)
    unit, row = np.full(problem.n_units, -1), np.full(problem.n_grids + 1, -1, dtype=np.int32)
    unit[units], row[rows] = np.arange(len(units)), np.arange(len(rows))
    edges = unit[problem.graph.edges]
    torn = rows[facts.torn[rows]].tolist()
    area = Area(
        edges[(edges >= 0).all(axis=1)], problem.workload[units], problem.lo[rows], problem.hi[rows],
        row[facts.home[units]], facts.weight[units], row[problem.fixed[units]],
        {int(row[j]): [unit[piece] for piece in facts.pieces(facts.units(j))] for j in torn},
    )  # fmt: skip
    return least_relaxed(area)


def _given_by_border(facts: _Facts, grid: int) -> int:
    """
    Least weight a grid that is too heavy gives: units that leave hang together with what is around it.

    A new grid may begin inside it: then units may leave from anywhere.
    """
    least, problem = _least_given(facts, grid), facts.problem
    if not least:
        return 0
    inside = set(facts.units(grid).tolist())
    anywhere = bool(facts.opened[problem.nesting.grid_region == problem.nesting.grid_region[grid]].any())
    edge = [u for u in sorted(inside) if anywhere or any(v not in inside for v in facts.near(u))]
    for a in range(problem.n_attributes):
        excess = int(facts.loads[grid, a] - problem.hi[grid, a])
        if excess > 0:
            found = least_attached(facts.near, edge, inside.__contains__, problem.workload[:, a], facts.weight, excess)
            least = max(least, found)
    return least


def _taken_by_border(facts: _Facts, grid: int, region: int) -> int:
    """Least weight a grid that is too light takes: units that join hang together with it."""
    least, problem = _least_taken(facts, grid, region), facts.problem
    if not least or facts.opened[grid]:
        return least
    inside = set(facts.units(grid).tolist())
    edge = sorted({v for u in inside for v in facts.near(u) if v not in inside})

    def allowed(v: int) -> bool:
        return v not in inside

    for a in range(problem.n_attributes):
        lack = int(problem.lo[grid, a] - facts.loads[grid, a])
        if lack > 0:
            least = max(least, least_attached(facts.near, edge, allowed, problem.workload[:, a], facts.weight, lack))
    return least


def _most_saved(give: dict[int, int], take: dict[int, int], savings: dict[tuple[int, int], int]) -> int:
    """Most that may be given and taken at once: a flow from givers to takers; an upper bound of it."""
    if not savings:
        return 0
    givers, takers = sorted({g for g, _ in savings}), sorted({t for _, t in savings})
    source, sink = len(givers) + len(takers), len(givers) + len(takers) + 1
    at = {("g", g): i for i, g in enumerate(givers)} | {("t", t): len(givers) + i for i, t in enumerate(takers)}
    arcs = [(source, at["g", g], give[g]) for g in givers] + [(at["t", t], sink, take[t]) for t in takers]
    arcs += [(at["g", g], at["t", t], amount) for (g, t), amount in savings.items()]
    scale = max(1, -(-(sum(give.values()) + sum(take.values())) // LARGEST_FLOW))
    rows, cols, amounts = (np.array(x) for x in zip(*arcs))
    whole = -(-amounts // scale)
    matrix = sparse.csr_matrix((whole.astype(np.int32), (rows, cols)), shape=(sink + 1, sink + 1))
    return int(maximum_flow(matrix, source, sink).flow_value) * scale
