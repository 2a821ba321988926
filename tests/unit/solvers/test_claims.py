"""What a result claims is true: no proof beyond what was searched, no sound plan missed on small graphs, time kept."""

import time

import numpy as np
import pytest

import gridopt as go


def edges(n, pairs, costs=None):
    return go.Graph.from_edges(n, pairs, costs=costs)


RING6 = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]
RING5 = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]


def test_a_compound_in_pieces_is_joined_by_the_lightest_path():
    problem = go.build_problem(
        edges(6, RING6), [1, 5, 1, 1, 1, 1], n_grids=2, band=(5, 5), locks=go.Locks(together=[[0, 2]])
    )
    result = go.solve(problem, seconds=2)
    assert result.status == "FEASIBLE"
    assert go.verify(problem, result.plan) == []


def test_nothing_is_proved_where_a_compound_was_joined():
    graph = edges(5, RING5, costs=[1, 1, 100, 100, 100])
    problem = go.build_problem(graph, [1] * 5, n_grids=2, band=(1, 4), locks=go.Locks(together=[[0, 2]]))
    result = go.solve(problem, seconds=2, prove=True)
    assert go.verify(problem, [0, 1, 0, 0, 0]) == []  # costs 2, which the joined compound cannot reach
    assert result.status == "FEASIBLE"
    assert result.bound <= 2


@pytest.mark.parametrize("budget", [{"steps": 50_000}, {"seconds": 2}])
def test_small_graphs_the_search_cannot_solve_are_handed_to_the_exact_solver(budget):
    star = edges(4, [(0, 1), (0, 2), (0, 3)], costs=[2, 3, 1])
    work = np.array([[5, 0], [2, 5], [5, 3], [2, 0]])
    problem = go.build_problem(star, work, n_grids=2, tolerance=0.3, locks=go.Locks(fixed={1: 0}))
    result = go.solve(problem, **budget)
    assert result.status in ("FEASIBLE", "OPTIMAL")
    assert result.plan.labels.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("effort", ["fast", "balanced", "thorough"])
def test_every_effort_leaves_time_for_that(effort):
    graph = edges(6, [(0, 1), (0, 5), (1, 2), (1, 3), (2, 4)], costs=[17, 3, 15, 12, 5])
    work = np.array([[5, 1], [2, 5], [26, 2], [9, 22], [12, 2], [3, 1]])
    problem = go.build_problem(graph, work, band=(0, 39))
    assert go.solve(problem, seconds=2, effort=effort).status in ("FEASIBLE", "OPTIMAL")


def test_a_stopped_search_still_brings_its_plan_within_limits():
    graph, work = go.synthetic.plain_city(1000, seed=2)
    problem = go.build_problem(graph, work, n_grids=40, tolerance=0.05)
    began = time.perf_counter()
    result = go.solve(problem, seconds=60, on_progress=lambda _: time.perf_counter() - began > 0.5)
    assert time.perf_counter() - began < 30
    assert result.status == "FEASIBLE"
    assert go.verify(problem, result.plan) == []


def test_soft_limits_that_are_missed_are_said_even_of_an_optimum():
    graph = edges(3, [(0, 1), (1, 2)])
    result = go.solve(go.build_problem(graph, [10, 10, 10], n_grids=1, band=(1, 20), soft=True), steps=10)
    assert "missed by" in result.reason


@pytest.mark.parametrize("name", ["seed", "steps"])
def test_numbers_beyond_64_bits_are_refused(name):
    problem = go.build_problem(edges(2, [(0, 1)]), [1, 1], n_grids=2)
    with pytest.raises(go.InputError, match=f"{name} is 1180591620717411303424; give at most"):
        go.solve(problem, **{name: 2**70})
