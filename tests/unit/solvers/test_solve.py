"""solve: sound or truthfully not, the same for any number of workers, stoppable, and exact about what it costs."""

from __future__ import annotations

import time

import numpy as np
import pytest

import gridopt as go
from gridopt.rules.constraints import total_violation
from gridopt.rules.objective import cost
from gridopt.solvers import campaign
from gridopt.solvers.budget import Budget
from gridopt.solvers.pieces import solve_piece
from gridopt.solvers.solve import solve
from gridopt.territory.synthetic import plain_city
from tests.conftest import lattice


def random_problem(seed, n=60, k=6, **given):
    rng = np.random.default_rng(seed)
    pairs = {(int(rng.integers(max(0, v - 4), v)), v) for v in range(1, n)}
    pairs |= {(int(u), int(u) + int(d)) for u, d in zip(rng.integers(0, n - 7, 2 * n), rng.integers(1, 7, 2 * n))}
    edges = np.array(sorted(pairs))
    graph = go.Graph.from_edges(n, edges, costs=rng.integers(1, 500, len(edges)), xy=rng.normal(0, 2000, (n, 2)))
    load = np.maximum(1, rng.lognormal(3, 0.6, n)).astype(int)
    given.setdefault("tolerance", 0.2)
    return go.build_problem(graph, workload=load, n_grids=k, **given)


def trace_of(result):
    return [(row.step, row.cost, row.bound) for row in result.trace]


@pytest.mark.parametrize("seed", range(12))
def test_status_says_what_verify_finds(seed):
    problem = random_problem(seed, tolerance=(0.02, 0.1, 0.4)[seed % 3])
    result = solve(problem, steps=30_000, seed=seed)
    plan = result.require_plan()
    wrong = go.verify(plan.problem, plan.labels)
    assert (result.status in ("FEASIBLE", "OPTIMAL")) == (not wrong)
    assert (result.status == "VIOLATED") == (total_violation(plan.problem, plan.labels) > 0)
    assert {f.code for f in wrong} <= {"under-limit", "over-limit"}
    assert result.cost == cost(plan.problem, plan.labels) == result.trace[-1].cost
    assert result.bound is None or result.bound <= result.cost


def test_a_feasible_lattice_is_cut_at_least_cost():
    problem = go.build_problem(lattice(8, 8), workload=np.ones(64), n_grids=4, tolerance=0)
    result = solve(problem, steps=400_000, seed=1)
    assert result.status == "FEASIBLE"
    assert result.cost == 16_000  # four squares: two lines of eight borders of 100 m


@pytest.mark.parametrize("objective", [{"cut": 1}, {"cut": 2, "imbalance": 1, "inertia": 1}])
def test_any_number_of_workers_finds_the_same(objective):
    problem = random_problem(5, n=6000, k=200, objective=objective)
    results = [solve(problem, steps=300_000, seed=3, workers=w) for w in (1, 2, 3)]
    assert len({r.plan.labels.tobytes() for r in results}) == 1
    assert trace_of(results[0]) == trace_of(results[1]) == trace_of(results[2])
    assert len(results[0].trace) > 1
    other = solve(problem, steps=300_000, seed=4, workers=2)
    assert other.plan.labels.tobytes() != results[0].plan.labels.tobytes()


def test_many_regions_at_once_find_the_same_as_one_by_one():
    parent = np.repeat(np.arange(6), 10)
    problem = random_problem(8, n=60, k=18, parent=parent)
    results = [solve(problem, steps=60_000, seed=2, workers=w) for w in (1, 2)]
    assert results[0].plan.labels.tolist() == results[1].plan.labels.tolist()
    assert trace_of(results[0]) == trace_of(results[1])


def test_labels_are_numbered_by_their_smallest_unit():
    labels = solve(random_problem(1), steps=5000).plan.labels
    _, first = np.unique(labels, return_index=True)
    assert (np.diff(first) > 0).all()


@pytest.mark.parametrize("seed", range(8))
def test_locks_hold(seed):
    rng = np.random.default_rng(seed)
    units = rng.permutation(60)
    locks = go.Locks(
        together=[units[:3].tolist()],
        apart=[units[4:6].tolist(), units[6:8].tolist()],
        fixed={int(units[8]): 2, int(units[9]): 4},
    )
    problem = random_problem(seed, locks=locks, tolerance=0.5)
    plan = solve(problem, steps=100_000, seed=seed).require_plan()
    labels = plan.labels
    assert len(set(labels[units[:3]].tolist())) == 1
    assert labels[units[4]] != labels[units[5]]
    assert labels[units[6]] != labels[units[7]]
    assert (labels[units[8]], labels[units[9]]) == (2, 4)


def test_compound_in_two_pieces_is_joined_and_reported(path6):
    problem = go.build_problem(path6, workload=[1] * 6, n_grids=2, tolerance=0.9, locks=go.Locks(together=[["b", "d"]]))
    result = solve(problem, steps=2000)
    labels = result.plan.labels
    assert labels[1] == labels[2] == labels[3]
    assert [f.code for f in result.exceptions] == ["compound-joined"]


@pytest.mark.parametrize(("n_grids", "expected"), [(1, [0] * 6), (6, list(range(6)))])
def test_one_grid_and_as_many_grids_as_units(path6, n_grids, expected):
    problem = go.build_problem(path6, workload=[1] * 6, n_grids=n_grids)
    result = solve(problem, steps=100)
    assert result.plan.labels.tolist() == expected


def test_one_grid_each_is_optimal(two_islands):
    result = solve(go.build_problem(two_islands, workload=[1] * 7, n_grids=2))
    assert result.status == "OPTIMAL"
    assert result.bound == result.cost == 0


def test_grids_of_unequal_targets_get_their_shares():
    problem = go.build_problem(lattice(6, 6), workload=np.ones(36), n_grids=3, targets=[6, 12, 18], tolerance=0)
    plan = solve(problem, steps=200_000).require_plan()
    assert plan.loads[:, 0].tolist() == [6, 12, 18]


def test_what_cannot_be_is_infeasible_with_the_reason(path6):
    problem = go.build_problem(path6, workload=[1, 1, 9, 1, 1, 1], n_grids=2, tolerance=0.1, heavy="strict")
    result = solve(problem)
    assert result.status == "INFEASIBLE"
    assert result.plan is None
    assert any(f.code == "heavy-unit" for f in result.exceptions)


def test_soft_limits_are_wishes(path6):
    problem = go.build_problem(path6, workload=[5, 1, 5, 1, 5, 1], n_grids=2, tolerance=0.05, soft=True)
    result = solve(problem, steps=5000)
    assert result.status == "OPTIMAL"  # halves of 7 and 11 miss the limits least
    assert "missed by" in result.reason
    assert sorted(result.plan.loads[:, 0].tolist()) == [7, 11]


def test_start_is_kept_where_it_is_good_and_mended_where_not():
    problem = go.build_problem(lattice(6, 6), workload=np.ones(36), n_grids=4, tolerance=0)
    best = solve(problem, steps=300_000)
    again = solve(problem, steps=10, start=best.plan)
    assert again.cost <= best.cost
    assert solve(problem, steps=50_000, start=np.arange(36) % 4).status == "FEASIBLE"


def test_plan_in_force_is_left_only_where_it_pays():
    graph = lattice(6, 6)
    before = np.repeat(np.arange(4), 9)  # one and a half rows each: whole, balanced, but dear
    problem = go.build_problem(
        graph, workload=np.ones(36), n_grids=4, tolerance=0.2, incumbent=before, objective={"cut": 1, "moved": 10**6}
    )
    assert solve(problem, steps=100_000, start=before).plan.labels.tolist() == before.tolist()


def test_seconds_are_kept():
    problem = random_problem(2, n=3000, k=100)
    go.compile()
    began = time.perf_counter()
    solve(problem, seconds=1.0, workers=1)
    assert 0.7 < time.perf_counter() - began < 1.6


def test_progress_comes_and_true_stops():
    seen = []

    def watch(progress):
        seen.append(progress)
        return len(seen) >= 3

    problem = random_problem(3, n=2000, k=50)
    result = solve(problem, seconds=60, on_progress=watch)
    assert [p.is_last for p in seen] == [False, False, False, True]
    assert seen[0].n_regions == 1
    assert seen[-1].cost == result.cost
    assert [p.step for p in seen] == sorted(p.step for p in seen)
    assert result.plan is not None
    assert {f.code for f in go.verify(problem, result.plan.labels)} <= {"under-limit", "over-limit"}


def test_error_in_the_callback_reaches_the_caller():
    def broken(progress):
        raise LookupError("no terminal")

    with pytest.raises(LookupError, match="no terminal"):
        solve(random_problem(3), seconds=5, on_progress=broken)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"seconds": 0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"steps": 0}, "steps"),
        ({"steps": 1.5}, "steps"),
        ({"seed": -1}, "seed"),
        ({"workers": 0}, "workers"),
        ({"effort": "balance"}, "balanced"),
        ({"start": [0, 1]}, "labels"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(path6, given, word):
    problem = go.build_problem(path6, workload=[1] * 6, n_grids=2)
    with pytest.raises(go.GridoptError, match=word):
        solve(problem, **given)


def test_trace_counts_what_regions_of_one_grid_miss():
    edges = [(u, u + 1) for u in range(7)] + [(8, 9)]
    graph = go.Graph.from_edges(10, edges, xy=[(100 * u, 0) for u in range(10)])
    work, parent = [2] * 8 + [9, 9], [0] * 8 + [1] * 2
    terms = {"cut": 1, "inertia": 1}
    problem = go.build_problem(
        graph, work, band=(1, 12), n_grids=3, parent=parent, soft=True, objective=terms, heavy="strict"
    )
    trace = go.solve(problem, steps=1000, seed=1, workers=1).trace
    assert {step.violation for step in trace} == {250_000}


@pytest.mark.parametrize("tolerance", ["0.1", "0.001"])
@pytest.mark.parametrize("steps", [1_000, 30_000, 300_000])
def test_no_more_steps_are_made_than_asked_for_but_for_a_round(tolerance, steps):
    graph, workload = plain_city(1500, 3)
    result = solve(go.build_problem(graph, workload, n_grids=100, tolerance=tolerance), steps=steps, seed=3)
    assert result.trace[-1].step <= steps + 2 * graph.n_units


def test_what_is_left_of_a_budget_goes_to_another_search_while_limits_are_broken(monkeypatch):
    graph, workload = plain_city(600, 3)
    problem = go.build_problem(graph, workload, n_grids=24, tolerance=0.01)
    searched = []

    def short_at_first(piece, budget, *how, **more):
        searched.append(budget.steps)
        return solve_piece(piece, Budget(steps=1) if len(searched) == 1 else budget, *how, **more)

    monkeypatch.setattr(campaign, "solve_piece", short_at_first)
    result = solve(problem, steps=300_000)
    assert result.status == "FEASIBLE"
    assert len(searched) >= 2
    assert not go.verify(problem, result.plan)
    assert [row.step for row in result.trace] == sorted(row.step for row in result.trace)


def test_an_attribute_that_a_community_has_nothing_of_says_nothing_of_balance():
    """Its target there is 0: no share can be off by it, and nothing is divided by it."""
    paths = go.Graph.from_edges(4, [(0, 1), (2, 3)])
    workload = {"homes": [1, 1, 2, 2], "shops": [1, 1, 0, 0]}
    problem = go.build_problem(paths, workload=workload, n_grids=2, parent=["a", "a", "b", "b"])
    result = solve(problem, steps=1_000)
    assert result.imbalance == 0.0
    table = go.summary(result.plan)
    assert table["deviation_homes"].tolist() == [0.0, 0.0]
    assert table["deviation_shops"].isna().tolist() == [False, True]
