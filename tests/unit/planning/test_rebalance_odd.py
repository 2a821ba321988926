"""Rebalancing where locks, frozen grids, new grids and torn plans meet: promises hold, or the request is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import gridopt as go
from gridopt.planning import afresh, rebalance
from gridopt.planning.afresh import solved_afresh
from gridopt.rules.check import check
from gridopt.rules.constraints import total_violation
from gridopt.solvers.budget import Budget
from tests.brute import is_connected, neighbours
from tests.conftest import lattice


def quartered(**options: Any) -> tuple[go.Problem, pd.Series]:
    """Four squares of four units on a lattice, in force; a problem of today over the same units."""
    graph = lattice(4, 4)
    plan = pd.Series([f"G{1 + (i // 8) * 2 + i % 4 // 2:03d}" for i in range(16)], index=graph.ids)
    options = {"workload": [10] * 16, "n_grids": 4, "tolerance": "0.5"} | options
    return go.build_problem(graph, **options), plan


def test_a_frozen_grid_in_pieces_is_refused() -> None:
    """It cannot keep exactly its units and be one grid: the message names it."""
    problem, plan = quartered()
    plan.iloc[15] = "G001"
    with pytest.raises(go.InputError, match="'G001', but it lies in pieces"):
        rebalance(problem, plan, frozen=["G001"])


@pytest.mark.parametrize(
    ("locks", "why"),
    [
        ({"together": [[1, 2]]}, "joins units of other grids"),
        ({"apart": [[0, 1]]}, "keeps units of it apart"),
        ({"fixed": {0: 1}}, "put units elsewhere"),
        ({"dedicated": [[0]]}, "another region"),
    ],
)
def test_a_lock_against_a_frozen_grid_is_refused(locks: Any, why: str) -> None:
    """Neither of the two is broken silently."""
    problem, plan = quartered(locks=go.Locks(**locks), n_grids=5 if "dedicated" in locks else 4)
    with pytest.raises(go.InputError, match=f"frozen names grid .*{why}"):
        rebalance(problem, plan, frozen=["G001"])


def test_frozen_grids_are_the_last_to_go() -> None:
    """The lightest grid would be dissolved first; frozen, it stays, and another one goes."""
    problem, plan = quartered(workload=[1, 1, 9, 9, 1, 1, 9, 9, *[9] * 8], n_grids=3, tolerance="0.9")
    assert rebalance(problem, plan, steps=20_000).closed == ("G001",)
    new = rebalance(problem, plan, frozen=["G001"], steps=20_000)
    after = new.plan.to_series()
    assert after.index[after == "G001"].tolist() == plan.index[plan == "G001"].tolist()
    assert len(new.closed) == 1
    one, plan = quartered(n_grids=1)
    with pytest.raises(go.InputError, match=r"'G00\d', but it has to go"):
        rebalance(one, plan, frozen=["G001", "G002"])
    with pytest.raises(go.InputError, match="the only grid of its region"):
        rebalance(one, plan, frozen=["G001"])


def test_all_is_frozen_and_a_grid_is_to_be_opened() -> None:
    """No unit is left for it: said in words."""
    problem, plan = quartered(n_grids=5)
    with pytest.raises(go.NoPlanError, match="no contiguous plan"):
        rebalance(problem, plan, frozen=["G001", "G002", "G003", "G004"])


def test_a_new_grid_may_begin_inside_a_heavy_one() -> None:
    """Two work units too many, and two in the middle of the grid: the bound is two, not the ten at its border."""
    graph = lattice(3, 4)
    work = [10, 10, 10, 10, 10, 2, 10, 10, 10, 10, 10, 10]
    plan = pd.Series(["S-2" if i % 4 == 3 else "S-1" for i in range(12)], index=graph.ids)
    problem = go.build_problem(graph, work, n_grids=3, band=(2, 80))
    new = rebalance(problem, plan, margin=0)
    assert (new.moved_amount, new.bound, new.opened) == (2, 2, ("S-3",))


def test_a_plan_outside_limits_is_searched_as_solve_would() -> None:
    """Two attributes at ten per cent: near the plan in force there is nothing, far from it there is."""
    rng = np.random.default_rng(0)
    graph, work = go.synthetic.plain_city(150, seed=329)
    n, half = graph.n_units, np.where(graph.xy[:, 0] < graph.xy[:, 0].mean(), "w", "e")
    both = np.column_stack([work, rng.integers(0, 20, n)])
    before = go.build_problem(graph, {"a": both[:, 0], "b": both[:, 1]}, n_grids=11, tolerance="0.1", parent=half)
    plan = go.solve(before, steps=20_000, seed=1).require_plan()
    changed = np.where(rng.random((n, 1)) < 0.5, np.rint(both * rng.uniform(0, 2, (n, 1))), both).astype(int)
    today = go.build_problem(graph, {"a": changed[:, 0], "b": changed[:, 1]}, n_grids=11, tolerance="0.1", parent=half)
    afresh = [total_violation(today, go.solve(today, steps=30_000, seed=s).require_plan().labels) for s in range(3)]
    new = [total_violation(today, rebalance(today, plan, steps=30_000, seed=s).plan.labels) for s in range(3)]
    assert sorted(new)[1] <= max(sorted(afresh)[1], 20_000)


MISSED = (34, 39, 52, 59)
"""Limits stayed broken by up to a per cent where `solve` keeps them, or nearly, with a tenth of the budget."""


def crowded(seed: int) -> tuple[go.Problem, go.Plan | None, int]:
    """Few units in each grid, a third of them changed by far: often there is no plan within limits; and a budget."""
    if seed in MISSED:
        graph, work = go.synthetic.plain_city(400, seed=seed)
        rng = np.random.default_rng(seed)
        changed = np.where(rng.random(400) < 0.3, work * rng.uniform(0.2, 3, 400), work)
        before, today = (
            go.build_problem(graph, np.maximum(1, w).astype(int), n_grids=26, tolerance="0.02") for w in (work, changed)
        )
        return today, go.solve(before, steps=40_000, seed=seed).plan, 80_000
    rng = np.random.default_rng(seed)
    n = int(rng.choice([60, 100]))
    k, tolerance = int(rng.integers(n // 6, n // 3)), str(rng.choice(["0.05", "0.1"]))
    graph, work = go.synthetic.plain_city(n, seed=seed)
    both = np.column_stack([work, rng.integers(1, 20, graph.n_units)][: 1 + seed % 2])
    half = np.where(graph.xy[:, 0] < graph.xy[:, 0].mean(), "w", "e") if seed % 3 == 0 else None
    options = {"n_grids": k, "tolerance": tolerance, "parent": half}
    plan = go.solve(go.build_problem(graph, both, **options), steps=50 * n, seed=seed).plan
    changed = np.where(rng.random((n, 1)) < 0.3, both * rng.uniform(0.2, 3, (n, 1)), both)
    today = go.build_problem(graph, np.maximum(1, changed).astype(int), **options)
    return today, plan, int(rng.choice([10, 60])) * n


def test_limits_are_never_broken_more_than_solve_breaks_them_with_a_tenth_of_the_budget() -> None:
    """From the plan in force, and afresh; where `solve` is better, grids keep the ids of those they share most with."""
    broken = 0
    for seed in (*range(4), *MISSED):
        today, plan, steps = crowded(seed)
        if plan is None:
            continue
        new = rebalance(today, plan, steps=steps, seed=seed, workers=1)
        violation = total_violation(today, new.plan.labels)
        if not violation:
            continue
        broken += 1
        for start in (plan, None):
            other = go.solve(today, steps=steps // 10, seed=seed, start=start, workers=1).plan
            assert other is None or violation <= total_violation(today, other.labels), (seed, start)
    assert broken >= 3, "limits are kept: nothing is tried here"


def test_what_solve_finds_keeps_the_ids_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the search near the plan in force fails, and that of `solve` does not, most stays under its id."""
    graph, work = go.synthetic.plain_city(400, seed=39)
    problem = go.build_problem(graph, work, n_grids=26, tolerance="0.02")
    plan = go.solve(problem, steps=40_000, seed=39).require_plan()
    shuffled = np.random.default_rng(0).permutation(26)[plan.labels].astype(np.int32)
    weight = problem.workload[:, 0]
    checked = []
    monkeypatch.setattr(afresh, "check", lambda problem: checked.append(problem) or check(problem))
    found = list(solved_afresh(problem, plan.labels, plan.labels, weight, Budget(steps=4000), 39, 1, lambda: False))
    assert len(checked) == 1, "what is known of the problem is found once for both searches"
    assert weight[found[0] != plan.labels].sum() < 0.5 * weight.sum()
    for labels in found:
        assert len(np.unique(labels)) == 26
        kept = weight[labels == plan.labels].sum()
        best = max(weight[np.random.default_rng(s).permutation(26)[labels] == plan.labels].sum() for s in range(50))
        assert kept >= best
    again = list(solved_afresh(problem, shuffled, shuffled, weight, Budget(steps=4000), 39, 1, lambda: False))
    assert weight[again[0] != shuffled].sum() < 0.5 * weight.sum(), "grids keep names, whatever their numbers"


def draw(seed: int) -> tuple[go.Problem, pd.Series, list[set[int]], dict[str, Any], Any]:
    """A small territory, a plan in force over it, perhaps partial or torn, and what is asked today."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(6, 26))
    edges = sorted({(int(rng.integers(0, v)), v) for v in range(1, n)} | {(v - 3, v) for v in range(3, n)})
    ids = [f"{i:03d}" for i in range(n)]
    graph = go.Graph.from_edges(n, np.array(edges), costs=rng.integers(1, 9, len(edges)), ids=ids)
    k = int(rng.integers(2, 6))
    wide = go.build_problem(graph, rng.integers(0, 20, n) + 1, n_grids=k, tolerance="0.9", soft=True)
    plan = go.solve(wide, steps=2000, seed=seed, workers=1).require_plan().to_series()
    locks = None
    if seed % 3 == 0:
        a, b = edges[int(rng.integers(len(edges)))]
        locks = [go.Locks(together=[[ids[a], ids[b]]]), go.Locks(apart=[[ids[a], ids[b]]])][seed % 2]
    if seed % 4 == 1:
        plan = plan.drop(plan.index[rng.random(n) < 0.15])
    if seed % 4 == 2:
        plan.iloc[rng.integers(0, len(plan), 2)] = plan.iloc[0]
    problem = go.build_problem(
        graph,
        {"a": rng.integers(0, 20, n) + 1, "b": rng.integers(0, 9, n) + 1},
        n_grids=max(1, k + int(rng.integers(-3, 4))),
        tolerance=str(rng.choice(["0.2", "0.5"])),
        parent=np.where(np.arange(n) < n // 2, "w", "e") if seed % 5 == 0 else None,
        locks=locks,
    )
    asked: dict[str, Any] = {"stepwise": bool(seed % 2), "count": ["units", "b", "workload"][seed % 3]}
    if seed % 6 == 1:
        asked["frozen"] = [plan.iloc[0]]
    if seed % 7 == 3:
        asked["max_moved"] = {"units": n // 3, "b": 0.4}
    return problem, plan, neighbours(n, edges), asked, locks


def test_promises_hold_in_random_small_cases() -> None:
    """Whatever is asked: grids whole, as many as asked for, frozen and joined units kept, caps, ids, moves, bound."""
    done = 0
    for seed in range(36):
        try:
            problem, plan, near, asked, locks = draw(seed)
            new = rebalance(problem, plan, steps=4000, seed=seed, workers=1, **asked)
        except (go.InputError, go.NoPlanError):
            continue
        done += 1
        ids = problem.graph.ids.tolist()
        before, after = plan.to_dict(), new.plan.to_series().to_dict()
        grids = {g: [i for i, u in enumerate(ids) if after[u] == g] for g in set(after.values())}
        assert len(grids) == problem.n_grids, seed
        assert all(is_connected(units, near) for units in grids.values()), seed
        assert set(new.opened) == set(grids) - set(before.values()), seed
        assert set(new.closed) == set(before.values()) - set(grids), seed
        moved = [i for i, u in enumerate(ids) if u in before and before[u] != after[u]]
        assert moved == np.flatnonzero(new.moved).tolist(), seed
        weight = {"units": np.ones(len(ids), int), "workload": problem.workload[:, 0], "b": problem.workload[:, 1]}
        assert new.moved_amount == weight[asked["count"]][moved].sum(), seed
        assert new.bound is None or new.bound <= new.moved_amount, seed
        for grid in asked.get("frozen", ()):
            assert {u for u, g in before.items() if g == grid} == {u for u, g in after.items() if g == grid}, seed
        if "max_moved" in asked:
            assert len(moved) <= asked["max_moved"]["units"], seed
            assert weight["b"][moved].sum() <= 0.4 * weight["b"].sum(), seed
        for compound in locks.together if locks else ():
            assert len({after[u] for u in compound}) == 1, seed
        for move in reversed(new.moves):
            assert after[move.unit] == move.target, seed
            after[move.unit] = move.source
        assert {u: after[u] for u in before} == before, seed
    assert done > 18


def test_of_all_grids_that_may_go_the_one_goes_whose_going_moves_least() -> None:
    """Each choice is asked for by name; with none named, no more moves than with the best of them."""
    tried = 0
    for seed in range(4):
        graph, work = go.synthetic.plain_city(20, seed=seed)
        before = go.build_problem(graph, work, n_grids=5, tolerance="0.4")
        plan = go.solve(before, steps=5_000, seed=seed, workers=1).plan
        today = go.build_problem(graph, work, n_grids=4, tolerance="0.3")
        if plan is None:
            continue
        asked: dict[str, Any] = {"steps": 100_000, "seed": seed, "workers": 1, "margin": 0.0}
        each = [rebalance(today, plan, dissolve=[name], **asked) for name in plan.grid_ids]
        sound = [e.moved_amount for e in each if e.status in (go.Status.FEASIBLE, go.Status.OPTIMAL)]
        free = rebalance(today, plan, **asked)
        if sound:
            tried += 1
            assert free.status in (go.Status.FEASIBLE, go.Status.OPTIMAL)
            assert free.moved_amount <= min(sound), seed
    assert tried >= 3
