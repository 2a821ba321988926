"""Laws of rebalancing on small territories, held against every plan there is."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gridopt as go
from gridopt.planning.bound import _Facts, _paired, _plain
from gridopt.planning.force import read_force
from gridopt.planning.rebalance import rebalance
from gridopt.rules.constraints import total_violation
from tests.brute import loads_of, partitions, violation_of


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
    from itertools import permutations

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
