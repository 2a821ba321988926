"""Rebalancing where locks, frozen grids, new grids and torn plans meet: promises hold, or the request is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import gridopt as go
from gridopt.planning import rebalance
from gridopt.rules.constraints import total_violation
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
