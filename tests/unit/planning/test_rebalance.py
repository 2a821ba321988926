"""A plan in force is brought back within its limits, and no further from what it was than need be."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gridopt as go
from gridopt.model.graph import Graph
from gridopt.planning import rebalance, trade_off
from tests.conftest import lattice


def after(new: Any) -> list[dict[Any, str]]:
    """The plan in force and every plan in between, by unit id, as the moves are made one by one."""
    plan = {u: new.plan.to_series()[u] for u in new.plan.to_series().index}
    for move in reversed(new.moves):
        assert plan[move.unit] == move.target
        plan[move.unit] = move.source
    states = [dict(plan)]
    for move in new.moves:
        plan[move.unit] = move.target
        states.append(dict(plan))
    return states


def n_pieces(graph: Graph, plan: dict[Any, str]) -> dict[str, int]:
    """Connected pieces of each grid, by networkx."""
    import networkx as nx

    net = nx.Graph()
    net.add_nodes_from(graph.ids.tolist())
    net.add_edges_from((a, b) for a, b in graph.ids[graph.edges].tolist() if plan[a] == plan[b])
    found: dict[str, int] = {}
    for piece in nx.connected_components(net):
        grid = plan[next(iter(piece))]
        found[grid] = found.get(grid, 0) + 1
    return found


@pytest.fixture
def quarters(lattice4x4: Graph) -> go.Plan:
    """Four squares of four units, in force under ids of their own."""
    labels = [0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3]
    problem = go.build_problem(lattice4x4, workload=[10] * 16, n_grids=4, tolerance="0.1")
    return go.Plan(problem, labels, ["N1", "N2", "N5", "N3"])


def test_a_plan_within_its_limits_stays(quarters: go.Plan) -> None:
    """Nothing to mend, nothing moves, and that is proved."""
    new = rebalance(quarters.problem, quarters)
    assert new.status == go.Status.OPTIMAL
    assert (new.moved_units, new.moved_amount, new.bound, new.moves) == (0, 0, 0, ())
    assert new.plan.to_series().equals(quarters.to_series())


def test_a_new_tower_moves_one_unit(lattice4x4: Graph, quarters: go.Plan) -> None:
    """One grid has become too heavy by less than a unit: one unit at its border goes, the other grids stay."""
    work = [10] * 16
    work[0] = 25
    today = go.build_problem(lattice4x4, workload=work, n_grids=4, tolerance="0.2", incumbent=quarters)
    new = rebalance(today, quarters)
    assert go.verify(today, new.plan) == []
    assert new.moved_units == 1
    assert new.bound == new.moved_amount == 10
    assert new.moves[0].source == "N1"
    assert new.moves[0].reason.startswith("relieves N1 by ")
    assert sorted(new.plan.grid_ids) == ["N1", "N2", "N3", "N5"]


def test_the_plan_may_come_as_series_or_labels(lattice4x4: Graph, quarters: go.Plan) -> None:
    """What a table holds is as good as a plan: rows in any order, ids as text."""
    work = [10] * 15 + [25]
    today = go.build_problem(lattice4x4, workload=work, n_grids=4, tolerance="0.2")
    by_plan = rebalance(today, quarters)
    by_series = rebalance(today, quarters.to_series().sample(frac=1, random_state=1))
    by_labels = rebalance(today, quarters.labels)
    assert by_plan.moved_amount == by_series.moved_amount == by_labels.moved_amount == 10
    assert set(by_series.plan.grid_ids) == {"N1", "N2", "N3", "N5"}
    assert by_labels.plan.grid_ids.tolist() == ["G001", "G002", "G003", "G004"]


def test_frozen_grids_keep_their_units(lattice4x4: Graph, quarters: go.Plan) -> None:
    """A frozen neighbour is no help: the other one takes the unit."""
    work = [10] * 16
    work[0] = 25
    today = go.build_problem(lattice4x4, workload=work, n_grids=4, tolerance="0.2")
    for neighbour, other in (("N2", "N5"), ("N5", "N2")):
        new = rebalance(today, quarters, frozen=[neighbour])
        assert [m.target for m in new.moves] == [other]


def test_only_regions_that_do_not_fit_are_touched() -> None:
    """Of two parents one is as it was, though its plan is far from the cheapest."""
    graph = lattice(4, 8)
    parent = np.where(np.arange(32) % 8 < 4, "west", "east")
    labels = np.array([[0, 0, 1, 1, 2, 3, 3, 3]] * 3 + [[0, 0, 1, 1, 2, 2, 2, 3]]).ravel()
    work = np.full(32, 10)
    work[0] = 20
    today = go.build_problem(graph, workload=work, n_grids=4, tolerance="0.3", parent=parent)
    plan = pd.Series([f"G{j + 1:03d}" for j in labels], index=graph.ids)
    new = rebalance(today, plan)
    assert go.verify(today, new.plan) == []
    east = parent == "east"
    assert new.plan.to_series()[east].equals(plan[east].rename("grid"))


def test_moves_come_in_an_order_that_keeps_grids_whole() -> None:
    """Each plan in between is contiguous, as networkx sees it."""
    graph = lattice(12, 12)
    rng = np.random.default_rng(3)
    labels = (np.arange(144) // 12 // 3) * 4 + np.arange(144) % 12 // 3
    work = rng.integers(5, 30, 144)
    today = go.build_problem(graph, workload=work, n_grids=16, tolerance="0.05")
    new = rebalance(today, labels, stepwise=True, steps=400_000, seed=2)
    assert new.status in (go.Status.FEASIBLE, go.Status.OPTIMAL)
    assert new.in_steps
    for plan in after(new):
        assert set(n_pieces(graph, plan).values()) == {1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frozen": ["N9"]}, "frozen names grid 'N9'"),
        ({"frozen": "N1"}, "give a list of grid ids"),
        ({"count": "people"}, "count names 'people'"),
        ({"max_moved": 3}, "give what is capped"),
        ({"max_moved": {"units": -1}}, "give a share such as 0.03"),
        ({"margin": 2}, "margin is 2"),
        ({"trigger": 0}, "trigger is 0"),
        ({"seconds": 0}, "seconds is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(quarters: go.Plan, options: dict[str, Any], said: str) -> None:
    """The message names the value and what to give instead."""
    with pytest.raises(go.InputError, match=said):
        rebalance(quarters.problem, quarters, **options)


def test_equal_steps_give_equal_plans_with_any_workers() -> None:
    """A budget of steps reproduces: labels, moves and trace."""
    graph = lattice(12, 12)
    labels = (np.arange(144) // 12 // 3) * 4 + np.arange(144) % 12 // 3
    work = np.random.default_rng(4).integers(5, 30, 144)
    today = go.build_problem(graph, workload=work, n_grids=16, tolerance="0.05")
    one, two = (rebalance(today, labels, steps=200_000, seed=5, workers=w) for w in (1, 2))
    assert one.plan.labels.tolist() == two.plan.labels.tolist()
    assert one.moves == two.moves
    assert [s[:1] + s[2:] for s in one.trace] == [s[:1] + s[2:] for s in two.trace]


def test_one_grid_more_takes_the_next_free_number(lattice4x4: Graph, quarters: go.Plan) -> None:
    """A fifth grid opens under a number that was never given; the others keep their ids and most of their units."""
    today = go.build_problem(lattice4x4, workload=[10] * 16, n_grids=5, tolerance="0.4")
    new = rebalance(today, quarters, retired=["N6"])
    assert go.verify(today, new.plan) == []
    assert new.opened == ("N7",)
    assert sorted(new.plan.grid_ids) == ["N1", "N2", "N3", "N5", "N7"]
    assert new.moved_units == 2  # least: 0.6 of 32 are two units, and the four grids have one or two each to spare
    assert new.status == go.Status.OPTIMAL
    assert all(m.reason.startswith("goes to the new grid N7") for m in new.moves)
    for plan in after(new):
        assert set(n_pieces(lattice4x4, plan).values()) == {1}


def test_one_grid_fewer_dissolves_the_one_that_is_named(lattice4x4: Graph, quarters: go.Plan) -> None:
    """The grid that goes gives all its units away; with no name the choice is free."""
    today = go.build_problem(lattice4x4, workload=[10] * 16, n_grids=3, tolerance="0.2")
    new = rebalance(today, quarters, dissolve=["N5"])
    assert go.verify(today, new.plan) == []
    assert new.closed == ("N5",)
    assert set(new.plan.grid_ids) == {"N1", "N2", "N3"}
    assert sum(m.reason.startswith("N5 is dissolved") for m in new.moves) == 4
    free = rebalance(today, quarters)
    assert go.verify(today, free.plan) == []
    assert free.bound <= free.moved_amount
    with pytest.raises(go.InputError, match="dissolve names grid 'N8'"):
        rebalance(today, quarters, dissolve=["N8"])
    with pytest.raises(go.InputError, match="Name at most 0"):
        rebalance(quarters.problem, quarters, dissolve=["N5"])


def test_units_that_are_new_do_not_count_as_moved(lattice4x4: Graph, quarters: go.Plan) -> None:
    """A unit without a grid in force joins one; that is no move."""
    known = quarters.to_series().drop(5)
    new = rebalance(quarters.problem, known)
    assert go.verify(quarters.problem, new.plan) == []
    assert new.moved_units == 0
    assert new.plan.to_series()[5] == "N1"


def test_only_grids_outside_the_trigger_start_a_change(lattice4x4: Graph, quarters: go.Plan) -> None:
    """Within the wider tolerance nothing happens; outside it, the grids that change aim at the limits."""
    work = [10] * 16
    for corner, name in ((15, "N3"), (0, "N1")):
        work = [10] * 16
        work[corner] = 25
        today = go.build_problem(lattice4x4, workload=work, n_grids=4, tolerance="0.2")
        calm = rebalance(today, quarters, trigger=0.3)
        assert (calm.moved_units, calm.bound) == (0, 0)
        assert calm.status == go.Status.OPTIMAL
        assert f"Within limits, but for '{name}', which may stay" in calm.result.reason
        assert [(f.code, f.severity, f.ids) for f in calm.findings] == [("over-limit", "warning", (name,))]
    stirred = rebalance(today, quarters, trigger=0.25)
    assert stirred.moved_units == 1
    assert stirred.result.reason == "Within limits; no plan within limits moves less: proved."
    assert go.verify(today, stirred.plan) == []


def test_what_more_moves_would_buy() -> None:
    """More may move, less is outside: the curve never rises, each plan keeps its cap and is contiguous."""
    graph = lattice(12, 12)
    labels = (np.arange(144) // 12 // 3) * 4 + np.arange(144) % 12 // 3
    work = np.random.default_rng(4).integers(5, 30, 144)
    today = go.build_problem(graph, workload=work, n_grids=16, tolerance="0.05", incumbent=labels)
    table = trade_off(today, labels, steps=300_000)
    assert table["violation"].is_monotonic_decreasing
    assert (table["moved"] <= table.index).all()
    assert table.loc[0.0, "moved"] == 0.0
    assert table.iloc[-1]["violation"] < table.iloc[0]["violation"]
    assert 0 < table["violation"].nunique() > 2
    for plan in table.attrs["plans"]:
        assert all(f.code in ("over-limit", "under-limit") for f in go.verify(today, plan))
    capped = rebalance(today, labels, max_moved={"units": 9}, steps=300_000)
    assert 0 < capped.moved_units <= 9
    assert capped.status == go.Status.VIOLATED


def test_a_cap_that_leaves_limits_broken_is_named_with_what_would_suffice() -> None:
    """Three units have to move, one may: the finding says so, and with that cap nothing is broken."""
    path = Graph.from_edges(12, [(i, i + 1) for i in range(11)])
    today = go.build_problem(path, workload=[10] * 12, n_grids=2, tolerance="0.01")
    before = [0] * 9 + [1] * 3
    few = rebalance(today, before, max_moved={"units": 1, "workload": 0.9}, steps=5000)
    assert few.status == go.Status.VIOLATED
    said = [f for f in few.findings if f.code == "capped"]
    assert [(f.ids, f.value, f.limit) for f in said] == [(("G002", "G001"), 1.0, 3.0)]
    assert "allows 1 of units (8.33%): 3 of units (25.00%) is the least that suffices" in said[0].cure
    enough = rebalance(today, before, max_moved={"units": 3}, steps=5000)
    assert enough.status == go.Status.OPTIMAL
    assert not [f for f in enough.findings if f.code == "capped"]


def test_a_cap_below_what_must_move_is_refused(lattice4x4: Graph, quarters: go.Plan) -> None:
    """A grid that goes gives all it has: fewer moves cannot be asked for."""
    today = go.build_problem(lattice4x4, workload=[10] * 16, n_grids=3, tolerance="0.2")
    with pytest.raises(go.InputError, match=r"max_moved allows 3 of units.* moves \d+ already"):
        rebalance(today, quarters, max_moved={"units": 3})


def test_the_outcome_can_be_verified_saved_and_pickled(tmp_path: Path, lattice4x4: Graph, quarters: go.Plan) -> None:
    """What `rebalance` returns goes where a result goes, and comes back from files with the ids in force."""
    today = go.build_problem(lattice4x4, workload=[25] + [10] * 15, n_grids=4, tolerance="0.2")
    new = rebalance(today, quarters)
    assert go.verify(today, new) == []
    units = pd.DataFrame({"workload": [25] + [10] * 15}, index=lattice4x4.ids)
    go.save_plan(tmp_path / "plan.gpkg", new, units)
    back = go.read_plan(tmp_path / "plan.gpkg")
    assert back.plan.to_series().to_dict() == new.plan.to_series().to_dict()
    assert rebalance(back.problem, back).moved_units == 0
    again = pickle.loads(pickle.dumps(new))
    assert again.moves == new.moves
    assert not again.moved.flags.writeable


def test_a_search_that_is_stopped_returns_a_contiguous_plan() -> None:
    """Whoever loses patience gets the best plan so far, and is told so."""
    graph = lattice(12, 12)
    labels = (np.arange(144) // 12 // 3) * 4 + np.arange(144) % 12 // 3
    work = np.random.default_rng(4).integers(5, 30, 144)
    today = go.build_problem(graph, workload=work, n_grids=16, tolerance="0.01")
    seen = []
    new = rebalance(today, labels, on_progress=lambda progress: bool(seen.append(progress)) or len(seen) == 2)
    assert len(seen) == 2
    assert all(f.code in ("over-limit", "under-limit") for f in go.verify(today, new.plan))
    assert new.result.reason.endswith("The search was stopped.")


def test_a_grid_that_goes_gives_nothing_to_frozen_ones(lattice4x4: Graph, quarters: go.Plan) -> None:
    """Frozen grids keep exactly their units also where a neighbour is dissolved."""
    today = go.build_problem(lattice4x4, workload=[10] * 16, n_grids=3, tolerance="0.6")
    new = rebalance(today, quarters, dissolve=["N5"], frozen=["N1"])
    kept = new.plan.to_series()
    assert kept[kept == "N1"].index.tolist() == [0, 1, 4, 5]
    assert go.verify(today, new.plan) == []


def test_locks_that_are_broken_in_force_are_kept_under_caps(lattice4x4: Graph, quarters: go.Plan) -> None:
    """A unit fixed elsewhere today has to move, whatever the cap: with no room for that, it is refused."""
    today = go.build_problem(
        lattice4x4, workload=[10] * 16, n_grids=4, tolerance="0.6", locks=go.Locks(fixed={1: 1}), incumbent=quarters
    )
    assert rebalance(today, quarters, max_moved={"units": 1}).moved_units == 1
    with pytest.raises(go.InputError, match="max_moved allows 0 of units"):
        rebalance(today, quarters, max_moved={"units": 0})


def test_no_unit_moves_for_nothing() -> None:
    """Taking any one move back breaks a limit, tears a grid or costs more, also of units without workload."""
    from gridopt.rules.objective import cost

    rng, n = np.random.default_rng(0), 24
    workload = np.where(rng.random(n * n) < 0.4, 0, rng.integers(1, 20, n * n))
    graph = go.Graph.from_edges(n * n, lattice(n, n).edges)
    then = go.build_problem(graph, workload=workload, n_grids=16, tolerance="0.08")
    in_force = go.solve(then, steps=50_000, seed=1).require_plan()
    now = np.where(rng.random(n * n) < 0.15, workload * 2, workload)
    today = go.build_problem(graph, workload=now, n_grids=16, tolerance="0.08")
    new = rebalance(today, in_force, steps=50_000, seed=4)
    assert go.verify(today, new.plan) == []
    home, labels = in_force.labels, new.plan.labels
    assert 0 < new.moved_units == np.count_nonzero(home != labels)
    for u in np.flatnonzero(home != labels):
        back = labels.copy()
        back[u] = home[u]
        assert go.verify(today, back) or cost(today, back) > cost(today, labels)


def test_nothing_is_proved_of_a_grid_in_several_regions_that_another_choice_of_region_would_belie() -> None:
    """The heavy unit is a region of its own and holds most of the grid; that it keeps the id moves three units."""
    graph = go.Graph.from_edges(4, [(0, 1), (0, 2), (0, 3), (2, 3)])
    load = [6, 47, 0, 1]
    old = go.Plan(go.build_problem(graph, workload=load, n_grids=1), [0, 0, 0, 0])
    new = rebalance(
        go.build_problem(graph, workload=load, n_grids=2, tolerance="0.5"), old, count="units", margin=0, steps=1000
    )
    least = 1  # the other three keep the id
    assert new.bound is not None
    assert new.bound <= least <= new.moved_amount
    assert (new.status == "OPTIMAL") == (new.moved_amount == least)
