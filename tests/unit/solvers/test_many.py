"""solve_many and small regions: what comes of many at once is what comes of each alone; nothing false is claimed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from brute import is_sound, problem_cost, solve_problem
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import problems

import gridopt as go
from tests.conftest import lattice


def town(seed: int, n: int = 30, k: int = 5, **options) -> go.Problem:
    graph, work = go.synthetic.plain_city(n, seed=seed)
    return go.build_problem(graph, work, n_grids=k, **{"tolerance": 0.1, **options})


def figures(result):
    labels = None if result.plan is None else result.plan.labels.tolist()
    return str(result.status), result.cost, result.bound, result.imbalance, result.imbalance_bound, labels


def nested(*parts, chords=(), **options) -> go.Problem:
    """Rows of units with given workloads, each a parent with two grids; chords join units of the second."""
    works = [np.asarray(part) for part in parts]
    first = np.cumsum([0] + [len(work) for work in works])
    edges = [(start + i, start + i + 1) for start, work in zip(first, works) for i in range(len(work) - 1)]
    edges += [(int(first[1]) + a, int(first[1]) + b) for a, b in chords]
    parent = np.repeat([f"P{i}" for i in range(len(works))], [len(work) for work in works])
    graph = go.Graph.from_edges(int(first[-1]), edges)
    return go.build_problem(
        graph, np.concatenate(works), n_grids=2 * len(works), parent=parent, n_per_parent=(2, 2), **options
    )


@settings(max_examples=60)
@given(st.lists(problems(max_units=6), min_size=1, max_size=5))
def test_each_result_is_what_the_oracle_says_of_its_problem(drawn):
    for problem, result in zip(drawn, go.solve_many(drawn, steps=100_000, workers=1), strict=True):
        best = solve_problem(problem)
        event(str(result.status))
        if result.status in (go.Status.OPTIMAL, go.Status.FEASIBLE):
            assert is_sound(problem, result.plan.labels)
            assert result.cost == problem_cost(problem, result.plan.labels) >= best.cost
            assert result.status == go.Status.FEASIBLE or result.cost == best.cost
        if result.status == go.Status.INFEASIBLE:
            assert not best.feasible
        if result.bound is not None and best.feasible:
            assert result.bound <= best.cost


def test_many_at_once_find_the_same_as_each_alone():
    drawn = [town(seed, tolerance=(0.05, 0.1, 0.3)[seed % 3], soft=seed % 4 == 0) for seed in range(20)]
    found = go.solve_many(drawn, workers=2)
    for problem, result in zip(drawn, found, strict=True):
        alone = go.solve(problem, steps=20_000_000)
        assert figures(result) == figures(alone)
        assert result.plan is None or result.plan.problem.graph is problem.graph


@pytest.mark.parametrize("steps", [None, 400_000])
def test_any_number_of_workers_finds_the_same_of_many(steps):
    drawn = [town(seed, n=(30, 80)[seed % 4 == 3], k=4) for seed in range(16)]
    one, two = (go.solve_many(drawn, steps=steps or 4_000_000, workers=w, seed=5) for w in (1, 2))
    assert [figures(r) for r in one] == [figures(r) for r in two]
    assert [[(s.step, s.cost) for s in r.trace] for r in one] == [[(s.step, s.cost) for s in r.trace] for r in two]


def test_order_of_rows_does_not_matter_to_many():
    problem = town(3)
    shuffled = problem.reordered(np.random.default_rng(0).permutation(30))
    one, other = go.solve_many([problem, shuffled])
    assert one.cost == other.cost
    assert go.verify(shuffled, other.plan) == []


def test_objects_that_are_no_problems_are_named_by_position(path6):
    problem = go.build_problem(path6, [1] * 6, n_grids=2)
    with pytest.raises(go.InputError, match=r"problems\[1\] is a str"):
        go.solve_many([problem, "problem"])
    assert go.solve_many([]) == []
    with pytest.raises(go.InputError, match="steps"):
        go.solve_many([problem], steps=0)


def test_one_that_cannot_be_solved_leaves_the_others_alone(path6):
    fine = go.build_problem(path6, [1] * 6, n_grids=2)
    heavy = go.build_problem(path6, [1, 1, 9, 1, 1, 1], n_grids=2, tolerance=0.1, heavy="strict")
    apart = go.Locks(together=[["b", "d"]], apart=[["b", "c"]])
    torn = go.build_problem(path6, [1] * 6, n_grids=3, tolerance=0.9, locks=apart)
    for others in ([heavy], [torn], [heavy, torn]):
        found = go.solve_many([fine, *others, fine])
        assert [str(r.status) for r in (found[0], found[-1])] == ["OPTIMAL", "OPTIMAL"]
        assert {str(r.status) for r in found[1:-1]} <= {"INFEASIBLE", "NO_PLAN"}
        assert all(r.plan is None and r.exceptions for r in found[1:-1])


@pytest.mark.parametrize(
    ("code", "loads", "chords", "apart", "tolerance"),
    [
        ("fits-no-grid", [5, 2, 5, 1, 2, 3], [(0, 5)], None, 0.1),
        ("hemmed-in", [5, 2, 3, 3], [], (6, 7), 0.1),
        ("forced-together", [2, 1, 2, 4], [], (4, 6), 0.1),
        ("too-many-separate", [4, 2, 4, 2, 4], [(0, 3), (1, 4)], None, 0.2),
    ],
)
def test_what_certificates_say_of_the_limits_of_one_region_leaves_the_others_a_plan(
    code, loads, chords, apart, tolerance
):
    locks = None if apart is None else go.Locks(apart=[apart])
    problem = nested([2, 2, 2, 2], loads, [5, 1, 4, 2], tolerance=tolerance, locks=locks, chords=chords)
    assert [f.code for f in go.check(problem) if f.severity == "error"] == [code]
    for result in (go.solve(problem, steps=50_000), go.solve_many([problem, town(1)], steps=200_000, workers=1)[0]):
        assert result.status == "INFEASIBLE"
        assert result.exceptions[0].code == code
        assert result.bound is None
        assert "keeps those of 2 of 3 regions" in result.reason
        loads_found = result.plan.loads[:, 0]
        kept = (problem.lo[:, 0] <= loads_found) & (loads_found <= problem.hi[:, 0])
        assert kept[problem.nesting.grid_region != 1].all()


def test_large_regions_searched_among_many_have_a_bound_that_says_something():
    """Too large to be listed: their trees are packed after the search, and only theirs."""
    drawn = [town(1), town(2, n=120, k=5), town(3)]
    found = go.solve_many(drawn, steps=20_000_000, workers=1)
    assert [str(r.status) for r in found] == ["OPTIMAL", "FEASIBLE", "OPTIMAL"]
    assert 0.4 * found[1].cost < found[1].bound <= found[1].cost
    assert all(r.bound == r.cost for r in (found[0], found[2]))
    assert all(0 <= r.imbalance_bound <= r.imbalance for r in found)


def test_a_region_without_a_plan_is_named_and_the_others_keep_their_limits():
    """Loads 3 3 1 1 1 are halved as 3 | 6 or 6 | 3, never within a tenth of 4.5; the other two parents can be."""
    problem = nested([2, 2, 2, 2], [3, 3, 1, 1, 1], [5, 1, 4, 2], tolerance=0.1)
    result = go.solve(problem, steps=50_000)
    assert result.status == "INFEASIBLE"
    found = [f for f in result.exceptions if f.code == "infeasible-region"]
    assert [f.ids for f in found] == [(4, 5, 6, 7, 8)]
    assert "'P1'" in found[0].cure
    assert {f.code for f in go.verify(problem, result.plan)} <= {"under-limit", "over-limit"}
    loads = result.plan.loads[:, 0].tolist()
    assert loads[:2] == [4, 4]
    assert loads[4:] == [6, 6]


def test_short_of_time_every_small_region_still_gets_a_plan():
    graphs = [go.synthetic.plain_city(30, seed=s) for s in range(60)]
    edges = np.concatenate([graph.edges + 30 * i for i, (graph, _) in enumerate(graphs)])
    costs = np.concatenate([graph.cost for graph, _ in graphs])
    whole = go.Graph.from_edges(1800, edges, costs=costs)
    work = np.concatenate([load for _, load in graphs])
    parent = np.repeat(np.arange(60), 30)
    problem = go.build_problem(whole, work, n_grids=300, tolerance=0.3, parent=parent, n_per_parent=(5, 5))
    short, long = go.solve(problem, seconds=0.02), go.solve(problem, steps=200_000_000)
    assert long.status == "OPTIMAL"
    assert {f.code for f in go.verify(problem, short.plan)} <= {"under-limit", "over-limit"}
    assert short.status != "OPTIMAL" or short.cost == long.cost
    assert short.bound is None or short.bound <= long.cost


def test_progress_of_many_can_stop_them():
    seen = []

    def stop(progress):
        seen.append(progress)
        return True

    found = go.solve_many([town(seed) for seed in range(200)], workers=1, on_progress=stop)
    assert [p.is_last for p in seen] == [False, True]
    assert seen[0].n_regions >= 200
    assert all(r.plan is not None or r.exceptions for r in found)


def test_fast_effort_finds_plans_close_to_the_optimum():
    drawn = [town(seed) for seed in range(40)]
    fast, proved = go.solve_many(drawn, effort="fast"), go.solve_many(drawn)
    both = [(f.cost, p.cost) for f, p in zip(fast, proved, strict=True) if p.status == "OPTIMAL" and f.plan is not None]
    assert len(both) > 30
    assert all(f >= p for f, p in both)
    assert sum(f / p for f, p in both) / len(both) < 1.03


def test_a_start_is_kept_where_no_plan_is_cheaper():
    problem = go.build_problem(lattice(4, 4), np.ones(16), n_grids=4, tolerance=0)
    rows = np.repeat(np.arange(4), 4)
    best = go.solve(problem, steps=100_000)
    assert best.cost < go.Plan(problem, rows).problem.graph.cost.sum()
    assert go.solve(problem, steps=100_000, start=best.plan).plan.labels.tolist() == best.plan.labels.tolist()
    assert go.solve(problem, steps=100_000, start=rows).cost == best.cost


@pytest.mark.parametrize(("count", "n", "k"), [(70, 400, 16), (40, 60, 10)])
def test_many_problems_keep_to_the_seconds_they_share(count, n, k):
    """CPU time, which a busy machine does not stretch: annealed problems, and tight ones that are listed in vain."""
    problems = []
    for i in range(count):
        graph, work = go.synthetic.plain_city(n, seed=i)
        problems.append(go.build_problem(graph, work, n_grids=k, tolerance=0.02))
    began = time.process_time()
    results = go.solve_many(problems, seconds=0.8, workers=1)
    assert time.process_time() - began < 1.3
    assert all(result.plan is not None or result.status == "INFEASIBLE" for result in results)


def test_progress_of_many_kinds_ends_with_one_last_call(path6):
    """Two kinds of problems are searched one after the other, and one has a campaign of its own."""
    seen = []
    plain = go.build_problem(path6, [1] * 6, n_grids=2)
    priced = go.build_problem(path6, [1] * 6, n_grids=2, unit_cost=np.ones((6, 2), dtype=int))
    soft = go.build_problem(path6, [1] * 6, n_grids=3, soft=True)
    go.solve_many([plain, priced, soft], steps=1000, on_progress=seen.append)
    assert [p.is_last for p in seen].count(True) == 1
    assert seen[-1].is_last
    assert (seen[-1].regions_done, seen[-1].n_regions, seen[-1].fraction) == (3, 3, 1.0)


@pytest.mark.parametrize("door", ["many", "nested"])
@pytest.mark.parametrize(("each", "sound"), [(1_000, 38), (10_000, 40), (40_000, 40)])
def test_few_steps_are_kept_and_bring_communities_within_limits(door, each, sound):
    """Steps, not seconds, so that it holds on any machine; `verify` and the oracle's cost say what the plans are."""
    drawn, steps = [town(seed) for seed in range(100, 140)], 40 * each
    if door == "many":
        found = go.solve_many(drawn, steps=steps, workers=2)
        assert sum(result.trace[-1].step for result in found) <= 1.02 * steps
        broken = [go.verify(problem, result.plan) for problem, result in zip(drawn, found, strict=True)]
        assert all(f.code in ("under-limit", "over-limit") for findings in broken for f in findings)
        assert sum(not findings for findings in broken) >= sound
        for problem, result, findings in zip(drawn, found, broken, strict=True):
            assert (result.status == go.Status.VIOLATED) == bool(findings)
            assert result.cost == problem_cost(problem, result.plan.labels)
        return
    problem = side_by_side(drawn)
    result = go.solve(problem, steps=steps, workers=2)
    assert result.trace[-1].step <= 1.02 * steps
    parent = np.empty(problem.n_grids, dtype=int)
    parent[result.plan.labels] = problem.nesting.region
    names = {name: j for j, name in enumerate(result.plan.grid_ids)}
    findings = go.verify(problem, result.plan)
    assert all(f.code in ("under-limit", "over-limit") for f in findings)
    assert len({parent[names[f.ids[0]]] for f in findings}) <= 40 - sound


def side_by_side(towns) -> go.Problem:
    """One problem in which each town of 30 units is a parent with 5 grids."""
    edges = np.concatenate([30 * i + town.graph.edges for i, town in enumerate(towns)])
    costs = np.concatenate([town.graph.cost for town in towns])
    graph = go.Graph.from_edges(30 * len(towns), edges, costs=costs)
    work = np.concatenate([town.workload[:, 0] for town in towns])
    parent = np.repeat(np.arange(len(towns)), 30)
    return go.build_problem(graph, work, n_grids=5 * len(towns), tolerance=0.1, parent=parent, n_per_parent=(5, 5))


@pytest.mark.parametrize(
    ("workload", "n_grids", "apart"), [([1, 1, 1], 1, [[0, 2]]), ([1, 1, 9, 1, 1], 3, [[0, 1]])], ids=["one", "beside"]
)
def test_pairs_apart_in_a_region_of_one_grid_are_broken_even_where_time_is_over(workload, n_grids, apart):
    graph = go.Graph.from_edges(len(workload), [(i, i + 1) for i in range(len(workload) - 1)])
    problem = go.build_problem(graph, workload=workload, n_grids=n_grids, tolerance="0.5", locks=go.Locks(apart=apart))
    for result in (go.solve_many([problem], seconds=0.001)[0], go.solve_many([problem], steps=1)[0]):
        assert result.status in ("VIOLATED", "INFEASIBLE")
        assert result.plan is None or {f.code for f in go.verify(problem, result.plan)} == {"not-apart"}
