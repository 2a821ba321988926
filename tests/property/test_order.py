"""The order of rows changes nothing but the order of rows; a start is understood in any numbering of its grids."""

import numpy as np
import pytest

import gridopt as go


@pytest.fixture(scope="module")
def city():
    return go.synthetic.plain_city(200, seed=3)


def problem_of(city, order, **kwargs):
    graph, work = city
    n = graph.n_units
    back = np.argsort(order)
    ids = np.array([f"u{i:04d}" for i in range(n)], dtype=object)
    rows = go.Graph.from_edges(n, back[graph.edges], graph.length, graph.cost, ids=ids[order], xy=graph.xy[order])
    half = np.where(graph.xy[order, 0] > graph.xy[:, 0].mean(), "east", "west")
    return go.build_problem(rows, work[order], n_grids=10, tolerance=0.1, parent=half, **kwargs)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("objective", [{"cut": 1}, {"cut": 1, "imbalance": 1, "inertia": 1}])
def test_the_plan_does_not_depend_on_the_order_of_rows(city, seed, objective):
    n = city[0].n_units
    locks = go.Locks(together=[["u0000", "u0001"]], apart=[["u0005", "u0006"]])
    plain = go.solve(problem_of(city, np.arange(n), objective=objective, locks=locks), steps=60_000, seed=4)
    order = np.random.default_rng(seed).permutation(n)
    mixed_problem = problem_of(city, order, objective=objective, locks=locks)
    mixed = go.solve(mixed_problem, steps=60_000, seed=4, workers=1 + seed)
    assert go.verify(mixed_problem, mixed.plan) == []
    assert (mixed.status, mixed.cost, mixed.bound) == (plain.status, plain.cost, plain.bound)
    assert [(s.step, s.cost, s.bound) for s in mixed.trace] == [(s.step, s.cost, s.bound) for s in plain.trace]
    pairs = set(zip(plain.plan.to_series().sort_index(), mixed.plan.to_series().sort_index()))
    assert len(pairs) == 10
    _, first = np.unique(mixed.plan.labels, return_index=True)
    assert (np.diff(first) > 0).all()


def test_a_start_is_understood_in_any_numbering(city):
    n = city[0].n_units
    problem = problem_of(city, np.arange(n))
    best = go.solve(problem, steps=200_000, seed=1)
    names = np.random.default_rng(2).permutation(10)
    again = go.solve(problem, steps=10, seed=1, start=names[best.plan.labels])
    assert again.cost <= best.cost
    assert go.verify(problem, again.plan) == []


def test_a_soft_grid_that_no_search_can_mend_is_told():
    graph = go.Graph.from_edges(3, [(0, 1), (1, 2)])
    result = go.solve(go.build_problem(graph, [1, 1, 5], band=(2, 2), n_grids=1, soft=True, heavy="strict"), steps=10)
    assert result.plan is not None
    assert [f.severity for f in result.exceptions if f.code == "over-limit"] == ["warning"]


def test_proofs_within_steps_reproduce():
    graph, work = go.synthetic.plain_city(24, seed=1)
    problem = go.build_problem(graph, work, n_grids=3, tolerance=0.3)
    first, second = (go.solve(problem, steps=20_000, prove=True, workers=w) for w in (1, 2))
    assert first.status == second.status == "OPTIMAL"
    assert first.plan.labels.tolist() == second.plan.labels.tolist()
    assert [(s.step, s.cost, s.bound) for s in first.trace] == [(s.step, s.cost, s.bound) for s in second.trace]
