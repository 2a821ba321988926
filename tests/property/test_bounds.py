"""Bounds are bounds: no plan of a small territory costs less, whatever its limits, locks and terms."""

from __future__ import annotations

import brute
import numpy as np
import pytest
from brute import broken_pairs, problem_cost, problem_plans, problem_violation
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import graphs, problems

import gridopt as go
from gridopt.rules.balance import imbalance, least_imbalance
from gridopt.solvers.bounds import Packing, cost_bounds
from gridopt.solvers.decompose.regions import decompose


def least_costs(problem):
    """Least cost of any plan that keeps the locks, and of any that keeps the limits too, by looking at all plans."""
    free = within = None
    for labels in problem_plans(problem):
        if broken_pairs(problem, labels):
            continue
        cost = problem_cost(problem, labels)
        free = cost if free is None else min(free, cost)
        if not problem_violation(problem, labels):
            within = cost if within is None else min(within, cost)
    return free, within


def assert_below(problem, visits=60.0):
    regions = decompose(problem)
    if any(f.severity == "error" for f in regions.findings):
        return None
    bounds = cost_bounds(regions, Packing(visits))
    outside = regions.constant_cost(None)
    free, within = least_costs(problem)
    assert (bounds.free <= bounds.within).all()
    if free is not None:
        assert outside + int(bounds.free[regions.searched].sum()) <= free
    if within is not None:
        assert outside + int(bounds.within[regions.searched].sum()) <= within
        event(f"tight: {outside + int(bounds.within[regions.searched].sum()) == within}")
    return bounds


@settings(max_examples=400)
@given(problems(max_units=8))
def test_no_plan_costs_less_than_its_bound(problem):
    assert_below(problem)


@st.composite
def tight_problems(draw):
    """Small grids under tight bands, where packings prove most: heavy edges, several workloads, compounds, apart."""
    graph = draw(graphs(min_units=5, max_units=9))
    n = graph.n_units
    k = draw(st.integers(2, n // 2))
    work = np.array(draw(st.lists(st.integers(1, 5), min_size=2 * n, max_size=2 * n))).reshape(n, 2)
    price = draw(st.lists(st.integers(0, 9), min_size=graph.n_edges, max_size=graph.n_edges))
    locks = go.Locks(apart=[["u0", "u1"]]) if draw(st.booleans()) else None
    return go.build_problem(
        graph,
        work if draw(st.booleans()) else work[:, 0],
        n_grids=k,
        tolerance=draw(st.sampled_from([0.2, 0.4])),
        heavy=draw(st.sampled_from(["strict", "own_grid"])),
        locks=locks,
        edge_cost=price,
        objective={"cut": draw(st.integers(0, 2)), "edge_cost": 1},
    )


@settings(max_examples=400)
@given(tight_problems())
def test_no_plan_within_tight_limits_costs_less_than_its_bound(problem):
    assert_below(problem)


@settings(max_examples=100)
@given(problems(max_units=7, soft=True))
def test_bounds_of_results_hold_where_limits_are_wishes(problem):
    best = brute.solve_problem(problem)
    result = go.solve(problem, steps=500, seed=1, workers=1)
    if result.bound is not None and best.least_labels is not None and best.least == 0:
        assert result.bound <= best.least_cost


@settings(max_examples=100)
@given(problems(max_units=7))
def test_every_result_of_a_search_has_a_bound_that_holds(problem):
    result = go.solve(problem, steps=500, seed=1, workers=1)
    if result.status == go.Status.INFEASIBLE:
        return
    best = brute.solve_problem(problem)
    if result.plan is not None:
        assert result.bound is not None
    if result.bound is not None and best.feasible and not problem.soft:
        assert result.bound <= best.cost


@pytest.mark.parametrize(("visits", "least"), [(25, 0.6), (100, 0.7)])
def test_the_packing_proves_most_of_the_cut_of_a_chessboard(visits, least):
    """36 squares of 5 x 5 units: 300 edges are cut at best; the lightest forest proves 35 of them."""
    side = np.arange(900).reshape(30, 30)
    edges = np.concatenate(
        [np.column_stack([a.ravel(), b.ravel()]) for a, b in ((side[:, :-1], side[:, 1:]), (side[:-1], side[1:]))]
    )
    problem = go.build_problem(go.Graph.from_edges(900, edges), np.ones(900, dtype=int), n_grids=36, tolerance=0)
    bounds = cost_bounds(decompose(problem), Packing(visits))
    assert bounds.free.tolist() == [35]
    assert least * 300 <= bounds.within[0] <= 300


def test_edges_that_no_grid_can_hold_are_counted():
    """On a path of loads 3 4 4 3 with at most 7 a grid, only the middle edge must be cut; apart cuts the first too."""
    path = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)], costs=[5, 9, 5])
    problem = go.build_problem(path, [3, 4, 4, 3], n_grids=2, tolerance=0)
    assert cost_bounds(decompose(problem)).within.tolist() == [9]
    locked = go.build_problem(path, [3, 4, 4, 3], n_grids=3, band=(3, 7), locks=go.Locks(apart=[[0, 1]]))
    assert cost_bounds(decompose(locked)).within.tolist() == [14]


@pytest.mark.parametrize("name", ["city-2000-80", "city-300-12", "plain-city-1000-40", "plain-city-300-12"])
def test_bounds_lie_below_the_best_known_plans_and_above_a_third_of_them(name):
    best = go.datasets.best_known(name)
    problem = go.datasets.load(name).to_problem()
    regions = decompose(problem)
    bound = int(cost_bounds(regions, Packing(100.0)).within.sum()) + regions.constant_cost(None)
    assert best.value / 3 <= bound <= best.value


def test_a_bound_does_not_depend_on_how_its_work_is_cut():
    """Deterministic: twice the same; and more work never proves less than the forest."""
    graph, work = go.synthetic.plain_city(300, seed=4)
    regions = decompose(go.build_problem(graph, work, n_grids=12, tolerance=0.05))
    one, two = (cost_bounds(regions, Packing(10.0)).within.tolist() for _ in range(2))
    assert one == two
    assert cost_bounds(regions, Packing(0.0)).within.tolist() <= one


@settings(max_examples=300)
@given(problems(max_units=7))
def test_no_plan_is_more_even_than_its_bound(problem):
    """Limits do not count here: of all contiguous plans that keep the locks, none has a smaller imbalance."""
    bound = least_imbalance(problem)
    plans = [p for p in problem_plans(problem) if not broken_pairs(problem, p)]
    most_even = [imbalance(go.Plan(problem, p)) for p in plans]
    assert bound >= 0
    if plans and most_even[0] is not None:
        assert bound <= min(most_even)
        event(f"tight: {bound > 0.99 * min(most_even)}")


@st.composite
def problems_apart(draw):
    """Small soft problems with more pairs apart than most plans can keep, and perhaps a fixed unit."""
    graph = draw(graphs(min_units=4, max_units=7))
    n, ids = graph.n_units, graph.ids.tolist()
    k = draw(st.integers(2, 3))
    pair = st.lists(st.sampled_from(ids), min_size=2, max_size=2, unique=True)
    apart = draw(st.lists(pair, min_size=2, max_size=4))
    fixed = {draw(st.sampled_from(ids)): draw(st.integers(0, k - 1))} if draw(st.booleans()) else {}
    work = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    locks = go.Locks(apart=apart, fixed=fixed)
    return go.build_problem(
        graph, [work[0] + 1, *work[1:]], n_grids=k, tolerance=draw(st.sampled_from([0.1, 0.6])), heavy="strict",
        locks=locks, soft=draw(st.integers(0, 3)) > 0,
    )  # fmt: skip


@settings(max_examples=150)
@given(problems_apart())
def test_a_plan_that_breaks_a_pair_apart_is_no_more_even_than_its_bound_either(problem):
    result = go.solve(problem, steps=500, seed=1, workers=1)
    if result.plan is not None:
        broken = broken_pairs(problem, result.plan.labels)
        event(f"breaks a pair: {broken > 0}")
        assert result.imbalance_bound <= result.imbalance


def test_what_certificates_say_of_plans_that_keep_pairs_apart_does_not_hold_of_one_that_breaks_them():
    """A path where no two grids keep all three pairs apart: the plan breaks one, and is as even as can be."""
    path = go.Graph.from_edges(6, [(0, 1), (1, 2), (2, 3), (3, 4), (3, 5)])
    locks = go.Locks(apart=[[1, 5], [3, 4], [1, 3]], fixed={4: 0})
    problem = go.build_problem(path, [5, 3, 2, 1, 3, 2], n_grids=2, tolerance=0.6, locks=locks, soft=True)
    result = go.solve(problem, steps=500, seed=1)
    assert "not-apart" in [f.code for f in result.exceptions]
    assert result.imbalance_bound <= result.imbalance
    assert least_imbalance(problem) > result.imbalance  # of plans that keep the pairs apart, of which there are none


@pytest.mark.parametrize(
    ("work", "targets", "least"),
    [([4, 4, 4], None, 1 / 3), ([9, 1, 1, 1], None, 0.5), ([5, 5, 5, 5], [1, 3], 0.0), ([6, 6], [1, 2], 0.5)],
)
def test_workloads_alone_say_how_even_a_plan_can_be(work, targets, least):
    """Three of 4 make 4 and 8; 9 of 12 is half above 6; 5 and 15 fit one to three; 6 and 6 for 4 and 8."""
    path = go.Graph.from_edges(len(work), [(i, i + 1) for i in range(len(work) - 1)])
    problem = go.build_problem(path, work, n_grids=2, tolerance=0.9, heavy="strict", targets=targets)
    assert least_imbalance(problem) == pytest.approx(least, abs=1e-9)


def test_a_neck_makes_plans_uneven():
    """Four leaves of 3 on a hub of 1, in two grids: 3 and 10, 0.54 from 6.5; certificates come within a hundredth."""
    star = go.Graph.from_edges(5, [(0, 1), (0, 2), (0, 3), (0, 4)])
    problem = go.build_problem(star, [1, 3, 3, 3, 3], n_grids=2, tolerance=0.7)
    assert 0.52 < least_imbalance(problem) < 3.5 / 6.5


def test_results_and_files_say_how_even_the_plan_is(path6, tmp_path):
    result = go.solve(go.build_problem(path6, [2, 2, 2, 2, 2, 3], n_grids=2, tolerance=0.2), steps=100)
    assert result.imbalance == pytest.approx(0.5 / 6.5)
    assert result.imbalance_bound == pytest.approx(0.5 / 6.5)
