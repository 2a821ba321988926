"""Proofs keep to the time, heed a stop, leave no region without its search, and say when they prove nothing."""

import time

import numpy as np
import pytest
from brute import problem_violation, solve_problem

import gridopt as go
from gridopt.solvers.exact import too_large


def city(n, k, **options):
    graph, work = go.synthetic.plain_city(n, seed=2)
    return go.build_problem(graph, work, n_grids=k, **({"tolerance": 0.05} | options))


def towns(count, n, k, **options):
    """Some plain cities side by side, each a parent with its own grids."""
    parts = [go.synthetic.plain_city(n, seed=i) for i in range(count)]
    edges = np.concatenate([graph.edges + n * i for i, (graph, _) in enumerate(parts)])
    graph = go.Graph.from_edges(n * count, edges, costs=np.concatenate([graph.cost for graph, _ in parts]))
    given = {"tolerance": 0.05, "parent": np.repeat(np.arange(count), n), "n_per_parent": (k, k)} | options
    return go.build_problem(graph, np.concatenate([work for _, work in parts]), n_grids=k * count, **given)


def codes(result):
    return [f.code for f in result.exceptions]


@pytest.fixture(scope="module", autouse=True)
def loaded():
    """OR-Tools and the kernels are loaded before any clock starts."""
    go.solve(city(30, 3), steps=100, prove=True)


def test_a_model_too_large_for_the_time_is_not_begun():
    """160,000 literals and 1.4 million clauses take half a minute to write down."""
    problem = city(4000, 40)
    began = time.process_time()  # which a busy machine does not stretch
    result = go.solve(problem, seconds=1.2, prove=True, workers=1)
    assert time.process_time() - began < 1.5
    (finding,) = [f for f in result.exceptions if f.code == "not-proved"]
    assert "too large: 4,000 nodes in 40 parts" in finding.cure


def test_proofs_of_some_regions_leave_time_to_bring_the_others_within_limits():
    problem = towns(10, 90, 6)
    began = time.process_time()
    result = go.solve(problem, seconds=2, prove=True, workers=1)
    assert time.process_time() - began < 2.3
    assert result.status == "FEASIBLE"
    assert go.verify(problem, result.plan) == []
    (finding,) = [f for f in result.exceptions if f.code == "not-proved"]
    assert (finding.severity, finding.value, finding.limit, len(finding.ids)) == ("warning", 10, 10, 5)


def test_a_stop_reaches_the_exact_solver():
    asked = []

    def stop_soon(progress):
        if progress.seconds > 1.6:
            asked.append(time.perf_counter())
        return bool(asked)

    began = time.perf_counter()
    result = go.solve(city(150, 6), seconds=20, prove=True, workers=1, on_progress=stop_soon)
    ended = time.perf_counter()
    assert ended - asked[0] < 2.0  # a tenth of a second, where the machine is idle
    assert ended - began < 10
    assert (result.status, "stopped" in result.reason) == ("FEASIBLE", True)
    assert ["stopped" in f.cure for f in result.exceptions if f.code == "not-proved"] == [True]


def test_an_error_in_the_callback_ends_a_proof_and_reaches_the_caller():
    def fail(progress):
        if progress.seconds > 1.2:
            raise RuntimeError("of the caller")

    began = time.perf_counter()
    with pytest.raises(RuntimeError, match="of the caller"):
        go.solve(city(150, 6), seconds=20, prove=True, workers=1, on_progress=fail)
    assert time.perf_counter() - began < 10


@pytest.mark.parametrize(
    ("options", "budget", "why"),
    [
        ({}, {"seconds": 0.5}, "out of time"),
        ({"objective": {"cut": 1, "inertia": 1}}, {"steps": 1000}, "inertia"),
        ({"locks": go.Locks(together=[[0, 99]])}, {"steps": 1000}, "joined compounds"),
    ],
)
def test_what_is_not_proved_is_said_with_the_reason(options, budget, why):
    result = go.solve(city(100, 6, **options), prove=True, workers=1, **budget)
    (finding,) = [f for f in result.exceptions if f.code == "not-proved"]
    assert why in finding.cure
    assert "not-proved" not in codes(go.solve(city(100, 6, **options), **budget))


def test_each_of_many_says_what_is_not_proved():
    first, second = go.solve_many([city(150, 6), city(20, 2)], seconds=0.5, prove=True, workers=1)
    assert ("not-proved" in codes(first), "not-proved" in codes(second)) == (True, False)
    assert second.status == "OPTIMAL"


def test_explaining_what_is_infeasible_is_bounded_by_the_steps():
    """Twelve towns whose limits are refuted by listing: the exact solver would take seconds for each."""
    edges = [(u, v) for u in range(30) for v in range(u + 1, 30) if v - u in (1, 5)]
    graph = go.Graph.from_edges(360, [(u + 30 * i, v + 30 * i) for i in range(12) for u, v in edges])
    work = np.tile(1 + np.arange(30) * 7 % 13, 12)
    options = {"n_grids": 84, "parent": np.repeat(np.arange(12), 30), "n_per_parent": (7, 7), "heavy": "strict"}
    problem = go.build_problem(graph, work, tolerance=0.01, **options)
    began = time.process_time()
    result = go.solve(problem, steps=1, workers=1)
    assert time.process_time() - began < 1.5
    assert result.status in ("INFEASIBLE", "VIOLATED", "FEASIBLE")


def test_the_size_of_a_model_is_known_before_it_is_built():
    assert too_large(50, 130, 4, 1.0) == ""
    assert too_large(200, 560, 2, 0.2) == ""
    assert "0.01 s are left" in too_large(50, 130, 4, 0.01)
    assert "up to 20,000" in too_large(3000, 9000, 7, float("inf"))


STAR = go.Graph.from_edges(5, [(0, 1), (0, 2), (0, 3), (0, 4)], costs=[3, 1, 4, 2])


def test_where_limits_are_wishes_the_least_violation_is_proved_before_the_cost():
    """A hub of 1 and leaves of 3 in two grids of 6.5: a leaf alone misses by 3.5, whichever; the cheapest is cut."""
    problem = go.build_problem(STAR, [1, 3, 3, 3, 3], n_grids=2, tolerance=0, soft=True)
    result = go.solve(problem, steps=2000, prove=True)
    assert (result.status, result.cost, result.bound) == ("OPTIMAL", 1, 1)
    assert "No plan misses the limits less, and none of these costs less: proved" in result.reason


def test_a_violation_that_is_proved_without_the_cost_is_said():
    problem = go.build_problem(
        go.Graph.from_edges(5, STAR.edges, costs=STAR.cost, xy=np.arange(10).reshape(5, 2)),
        [1, 3, 3, 3, 3], n_grids=2, tolerance=0, soft=True, objective={"cut": 1, "inertia": 1},
    )  # fmt: skip
    result = go.solve(problem, steps=2000, prove=True)
    best = solve_problem(go.build_problem(STAR, [1, 3, 3, 3, 3], n_grids=2, tolerance=0, soft=True))
    assert problem_violation(problem, result.plan.labels) == best.least
    assert result.status == "FEASIBLE"
    assert "inertia" in next(f.cure for f in result.exceptions if f.code == "not-proved")
