"""Laws of rebalancing on small territories, held against every plan there is."""

from __future__ import annotations

from itertools import combinations, permutations, product
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gridopt as go
from gridopt.planning.bound import _Facts, _paired, _plain, least_moved
from gridopt.planning.force import InForce, read_force
from gridopt.planning.frozen import frozen_rows
from gridopt.planning.rebalance import rebalance
from gridopt.planning.touched import least_touched
from gridopt.rules.constraints import total_violation
from gridopt.solvers.decompose.regions import decompose
from tests.brute import broken_pairs, loads_of, partitions, problem_plans, rows_of, violation_of, whole_targets


@st.composite
def changed(draw: Any) -> tuple[go.Problem, list[int]]:
    """A small connected graph, a contiguous plan of it, and the workload of today."""
    n, k = draw(st.integers(4, 7)), draw(st.integers(2, 3))
    tree = [(draw(st.integers(0, v - 1)), v) for v in range(1, n)]
    more = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=6))
    edges = sorted({(min(p), max(p)) for p in [*tree, *more] if p[0] != p[1]})
    costs = draw(st.lists(st.integers(1, 9), min_size=len(edges), max_size=len(edges)))
    plans = list(partitions(n, edges, k))
    labels = list(plans[draw(st.integers(0, len(plans) - 1))])
    work = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n).filter(any))
    graph = go.Graph.from_edges(n, edges, costs=costs)
    tolerance = draw(st.sampled_from(["0.05", "0.2", "0.4"]))
    return go.build_problem(graph, workload=work, n_grids=k, tolerance=tolerance, incumbent=labels), labels


def best_of(problem: go.Problem, labels: list[int], count: Any, most: float = np.inf) -> tuple[int, int, int]:
    """Violation, weight moved and cost of the best plan of all, grids being told apart."""
    edges, k = problem.graph.edges.tolist(), problem.n_grids
    best = None
    for plan in partitions(problem.n_units, edges, k):
        cost = sum(int(c) for c, (u, v) in zip(problem.graph.cost, edges) if plan[u] != plan[v])
        for names in permutations(range(k)):
            named = [names[j] for j in plan]
            if (problem.nesting.grid_region[named] != problem.nesting.region).any():
                continue
            loads = loads_of(named, problem.workload, k)
            violation = violation_of(loads, problem.lo, problem.hi, np.maximum(1, np.rint(problem.target)).astype(int))
            moved = sum(int(w) for w, a, b in zip(count, labels, named) if a != b)
            if moved <= most and (best is None or (violation, moved, cost) < best):
                best = (violation, moved, cost)
    assert best is not None
    return best


@settings(max_examples=20)
@given(changed(), st.booleans())
def test_moves_the_least_there_is(case: tuple[go.Problem, list[int]], units: bool) -> None:
    """Least violation, then least moved, then least cost: as enumeration finds them; and the bound is no higher."""
    problem, labels = case
    count = np.ones(problem.n_units, dtype=int) if units else problem.workload[:, 0]
    if problem.nesting.n_regions > 1:  # heavy units stand alone: grids in force have no place
        return
    wanted = best_of(problem, labels, count)
    new = rebalance(problem, labels, count="units" if units else "workload", steps=20_000)
    found = (total_violation(problem, new.plan.labels), new.moved_amount, new.cost)
    assert found == wanted
    if wanted[0] == 0:
        assert new.status == go.Status.OPTIMAL
        assert new.bound == wanted[1]
    force = read_force(problem, labels)
    facts = _Facts.of(force.problem, force, np.asarray(count, dtype=np.int64))
    if wanted[0] == 0:
        assert _plain(facts, 0) <= wanted[1]
        assert _paired(facts, 0) <= wanted[1]


@settings(max_examples=10)
@given(changed(), st.integers(0, 3))
def test_caps_are_kept_and_the_best_plan_under_them_is_found(case: tuple[go.Problem, list[int]], most: int) -> None:
    """Never more units than allowed move, and no plan that moves so few is better."""
    problem, labels = case
    if problem.nesting.n_regions > 1:
        return
    new = rebalance(problem, labels, max_moved={"units": most}, count="units", steps=20_000)
    assert new.moved_units <= most
    found = (total_violation(problem, new.plan.labels), new.moved_units, new.cost)
    assert found == best_of(problem, labels, np.ones(problem.n_units, dtype=int), most)


def test_bound_holds_where_grids_are_large() -> None:
    """The bound that pairs givers and takers, which asks for heavy grids, is no higher than the least."""
    rng = np.random.default_rng(0)
    tight = 0
    for _ in range(40):
        n, k = 9, 3
        edges = [(i, i + 1) for i in range(n - 1)] + [(0, 3), (2, 5), (4, 8)]
        plans = list(partitions(n, edges, k))
        labels = list(plans[rng.integers(len(plans))])
        work = rng.integers(0, 12, n)
        graph = go.Graph.from_edges(n, edges)
        problem = go.build_problem(
            graph, workload=np.maximum(work, 1), n_grids=k, tolerance="0.25", heavy="strict", incumbent=labels
        )
        wanted = best_of(problem, labels, problem.workload[:, 0])
        if wanted[0]:
            continue
        force = read_force(problem, labels)
        facts = _Facts.of(force.problem, force, problem.workload[:, 0])
        assert max(_plain(facts, 0), _paired(facts, 0)) <= wanted[1]
        tight += _paired(facts, 0) == wanted[1] > 0
    assert tight, "the bound that pairs givers and takers is never met: it is not tried here"


# ---- everything at once -------------------------------------------------------------------------------------------


class Odd(NamedTuple):
    """A plan in force, whole or not, and a problem of today with anything that may come together."""

    problem: go.Problem
    labels: list[int]
    frozen: tuple[str, ...]
    count: str

    def weight(self) -> list[int]:
        """What counts as moved, of each unit."""
        return [1] * self.problem.n_units if self.count == "units" else self.problem.workload[:, 0].tolist()


@st.composite
def odd(draw: Any) -> Odd | None:
    """
    Several components, attributes, regions; new units, heavy units, locks, frozen grids, more or fewer grids.

    None where such a problem is refused.
    """
    n, n_attributes = draw(st.integers(3, 9)), draw(st.sampled_from([1, 1, 2]))
    gap = draw(st.sampled_from([0, 0, 0, n // 2]))  # the first unit of a second component
    pairs = [(draw(st.integers(gap if v > gap else 0, v - 1)), v) for v in range(1, n) if v != gap]
    pairs += draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=5))
    edges = sorted({(min(p), max(p)) for p in pairs if p[0] != p[1] and (min(p) < gap) == (max(p) < gap)})
    work = [[draw(st.integers(0, 9)) for _ in range(n_attributes)] for _ in range(n)]
    if draw(st.integers(0, 3)) == 0:
        work[draw(st.integers(0, n - 1))][0] += draw(st.integers(10, 40))
    before = draw(st.integers(1, 3))
    k = max(1, before + draw(st.sampled_from([0, 0, 0, 1, -1])))
    labels = [draw(st.integers(0, before - 1)) for _ in range(n)]
    whole = list(partitions(n, edges, max(before, 2 if gap else 1))) if draw(st.integers(0, 4)) else []
    labels = list(draw(st.sampled_from(whole))) if whole else labels
    for u in draw(st.lists(st.integers(0, n - 1), max_size=draw(st.sampled_from([0, 0, 2])))):
        labels[u] = -1
    unit, some = st.integers(0, n - 1), st.lists(st.integers(0, n - 1), min_size=2, max_size=2, unique=True)
    locks: dict[str, Any] = {}
    for name, one in (("fixed", st.tuples(unit, st.integers(0, k - 1))), ("together", some), ("apart", some)):
        if draw(st.integers(0, 3)) == 0:
            locks[name] = dict([draw(one)]) if name == "fixed" else [draw(one)]
    parent = [str(u < n // 2) for u in range(n)] if draw(st.integers(0, 7)) == 0 else None
    used = sorted({j for j in labels if j >= 0})
    frozen = (f"G{draw(st.sampled_from(used)) + 1:03d}",) if used and draw(st.integers(0, 4)) == 0 else ()
    options = {
        "tolerance": draw(st.sampled_from(["0.05", "0.2", "0.4", "0.6"])),
        "heavy": draw(st.sampled_from(["own_grid", "own_grid", "strict"])),
    }
    try:
        graph = go.Graph.from_edges(n, edges)
        problem = go.build_problem(graph, work, n_grids=k, parent=parent, locks=go.Locks(**locks), **options)
        frozen_rows(read_force(problem, labels, staying=frozen), frozen)
    except go.InputError:
        return None
    return Odd(problem, labels, frozen, draw(st.sampled_from(["workload", "units"])))


def named_plans(problem: go.Problem) -> set[tuple[int, ...]]:
    """Every plan, grids of a region being told apart."""
    plans, region = list(problem_plans(problem)), problem.nesting.grid_region
    if (problem.fixed >= 0).any():
        return set(plans)
    groups = [np.flatnonzero(region == r).tolist() for r in np.unique(region)]
    found = set()
    for orders in product(*(permutations(g) for g in groups)):
        name = dict(zip([j for g in groups for j in g], [j for order in orders for j in order]))
        found |= {tuple(name[j] for j in plan) for plan in plans}
    return found


def violation_but(problem: go.Problem, labels: Any, frozen: list[int]) -> int:
    """Violation of all but the frozen grids, and of pairs apart."""
    rows, target = rows_of(problem, labels), whole_targets(problem)
    loads = loads_of(labels, problem.workload, problem.n_grids)
    loose = [j for j in range(problem.n_grids) if j not in frozen]
    limits = ([m[rows[j]] for j in loose] for m in (problem.lo, problem.hi, target))
    return violation_of([loads[j] for j in loose], *limits) + 1_000_000 * broken_pairs(problem, labels)


def least_of(force: InForce, case: Odd) -> tuple[int, int] | None:
    """Least violation, then least weight moved, of plans that leave frozen grids alone; None where there is none."""
    problem, weight = force.problem, case.weight()
    frozen = [j for j, name in enumerate(force.grid_ids) if name in case.frozen]
    found = []
    for plan in named_plans(problem):
        if any((np.equal(plan, j) != (force.home == j)).any() for j in frozen):
            continue
        moved = sum(
            w for w, a, j in zip(weight, force.before, plan) if a >= 0 and force.old_ids[a] != force.grid_ids[j]
        )
        found.append((violation_but(problem, plan, frozen), moved))
    return min(found, default=None)


@settings(max_examples=100)
@given(odd())
def test_bound_least_and_moved_where_anything_comes_together(case: Odd | None) -> None:
    """Bound <= least moved by any plan, whichever grids go; moved = the least, those that go being given."""
    if case is None:
        return
    force = read_force(case.problem, case.labels, staying=case.frozen)
    wanted = least_of(force, case)
    joined = bool(decompose(force.problem).findings)  # a compound in pieces is joined by one path, or not at all
    try:
        new = rebalance(
            case.problem, case.labels, count=case.count, frozen=case.frozen, steps=20_000, margin=0, workers=1
        )
    except go.NoPlanError:
        assert wanted is None or joined, "there is a plan"
        return
    frozen = [j for j, name in enumerate(force.grid_ids) if name in case.frozen]
    found = violation_but(force.problem, new.plan.labels.tolist(), frozen)
    assert wanted is not None
    assert (found, new.moved_amount) == wanted or (joined and (found, new.moved_amount) > wanted)
    if wanted[0] or found:
        assert new.status == go.Status.VIOLATED
        return
    gone = [force.old_ids[list(i)].tolist() for i in combinations(range(len(force.old_ids)), len(force.closed))]
    least = wanted[1]
    for names in gone if len(force.closed) else []:
        try:
            other = least_of(read_force(case.problem, case.labels, closing=names, staying=case.frozen), case)
        except go.InputError:  # so many cannot go in one region
            continue
        least = min(least, other[1]) if other is not None and not other[0] else least
    assert new.bound is not None
    assert new.bound <= least
    assert (new.status == go.Status.OPTIMAL) == (new.bound == new.moved_amount)
    if not frozen:
        assert least_moved(force.problem, force, np.array(case.weight(), dtype=np.int64)) <= least


@settings(max_examples=100)
@given(odd())
def test_no_plan_touches_fewer_grids_than_the_bound(case: Odd | None) -> None:
    """Of plans within limits in which every grid keeps a unit; grids in pieces and frozen ones among them."""
    if case is None:
        return
    force = read_force(case.problem, case.labels, staying=case.frozen)
    frozen = np.flatnonzero(np.isin(force.grid_ids, case.frozen))
    bound = least_touched(force.problem, force, frozen)
    if bound is None:
        return
    found = []
    for plan in named_plans(force.problem):
        changed = {j for pair in zip(force.home.tolist(), plan) if pair[0] != pair[1] for j in pair}
        keeps = all(((force.home == j) & np.equal(plan, j)).any() for j in range(force.problem.n_grids))
        if keeps and not changed & set(frozen.tolist()) and not violation_but(force.problem, plan, frozen.tolist()):
            found.append(len(changed))
    assert bound <= min(found, default=bound)


def test_bound_on_grids_touched_is_met_where_workload_passes_through() -> None:
    """One grid over, one under, three between them: all five change, and so does no sixth."""
    path = go.Graph.from_edges(28, [(i, i + 1) for i in range(27)])
    labels = [0] * 4 + [1] * 6 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 2 + [6] * 4
    today = go.build_problem(path, workload=[10] * 28, n_grids=7, tolerance="0.01")
    new = rebalance(today, labels, steps=20_000)
    touched = {m.source for m in new.moves} | {m.target for m in new.moves}
    assert len(touched) == least_touched(today, read_force(today, labels)) == 5
