"""Every kind of problem through its files: the same problem, the same findings, the same cost, from the files alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely.affinity

from gridopt.io.plan_file import read_plan
from gridopt.model import Locks, Plan, Problem, Result, Status
from gridopt.rules import objective
from gridopt.rules.build import build_problem
from gridopt.rules.verify import verify
from gridopt.solvers.solve import solve
from gridopt.territory.adjacency import build_graph
from gridopt.workflow.plan_files import save_plan
from tests.unit.io.conftest import squares
from tests.unit.io.test_plan_file import same_problem

Units = gpd.GeoDataFrame
Make = Callable[[Units], Problem]


def several_attributes(units: Units) -> Problem:
    """Two workloads, one with fractions, each with a tolerance and an own resolution."""
    return build_problem(
        build_graph(units),
        units[["persons", "hours"]],
        n_grids=3,
        tolerance={"persons": 0.3, "hours": "0.4"},
        resolution={"hours": 0.05},
        objective={"cut": 3, "imbalance": 2},
    )


def band(units: Units) -> Problem:
    """Absolute limits, and the number of grids that follows from them."""
    return build_problem(build_graph(units), units["persons"], band=(60, 110))


def parents_and_locks(units: Units) -> Problem:
    """No grid crosses its ward; compounds, rivals, a fixed unit, a tower, a frozen grid."""
    locks = Locks(
        together=[["001", "002"]],
        apart=[["003", "008"]],
        fixed={"004": "G001"},
        dedicated=[["016"]],
        frozen={"G002": ["009", "010"]},
    )
    return build_problem(
        build_graph(units), units["persons"], n_grids=6, tolerance=0.7, parent=units["ward"], locks=locks
    )


def heavy_unit(units: Units) -> Problem:
    """One unit above the upper limit is a grid of its own."""
    units.loc["006", "persons"] = 900
    return build_problem(build_graph(units), units["persons"], n_grids=4, tolerance=0.3)


def heavy_strictly(units: Units) -> Problem:
    """The same, and no plan may exist: every plan has findings."""
    units.loc["006", "persons"] = 900
    return build_problem(build_graph(units), units["persons"], n_grids=4, tolerance=0.3, heavy="strict", soft=True)


def links(units: Units) -> Problem:
    """The north lies across a bay; a ferry with a cost of its own joins it."""
    moved = [shapely.affinity.translate(g, 0, 500 if i >= 8 else 0) for i, g in enumerate(units.geometry)]
    units["geometry"] = moved
    graph = build_graph(units, links=[("008", "012", 7)])
    return build_problem(graph, units["persons"], n_grids=3, tolerance=0.3)


def islands(units: Units) -> Problem:
    """The same, without a ferry: grids of their own."""
    units["geometry"] = [shapely.affinity.translate(g, 0, 500 if i >= 8 else 0) for i, g in enumerate(units.geometry)]
    return build_problem(build_graph(units), units["persons"], n_grids=4, tolerance=0.3)


def plan_in_force(units: Units) -> Problem:
    """Moving a person costs; two units are new and have no grid yet; own prices of edges; a compact shape is wanted."""
    graph = build_graph(units)
    before = pd.Series(["G001", "G002"] * 7, index=units.index[:14])
    return build_problem(
        graph,
        units["persons"],
        n_grids=2,
        tolerance=0.3,
        incumbent=before,
        edge_cost=np.arange(graph.n_edges) * 3,
        objective={"cut": 1, "moved": 5, "edge_cost": 2, "inertia": 1},
    )


def unequal_targets(units: Units) -> Problem:
    """Grids of different size: labels name rows of limits."""
    return build_problem(build_graph(units), units["persons"], n_grids=3, tolerance=0.4, targets=[1, 2, 3])


CASES: list[Make] = [
    several_attributes,
    band,
    parents_and_locks,
    heavy_unit,
    heavy_strictly,
    links,
    islands,
    plan_in_force,
    unequal_targets,
]


@pytest.fixture
def units() -> Units:
    """The town, indexed by its block codes; hours differ."""
    town = squares().set_index("block", drop=False).rename_axis("unit")
    town["hours"] = [0.5 + 0.35 * (i % 5) for i in range(len(town))]
    return town


def told(problem: Problem, labels: Any) -> list[tuple[Any, ...]]:
    """All that `verify` says."""
    return [tuple(finding) for finding in verify(problem, labels)]


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_solved_and_spoilt_plans_come_back(tmp_path: Path, units: Units, make: Make) -> None:
    """The plan as solved, and plans with units in other grids: labels, cost and every finding are the same."""
    result = solve(make(units), steps=20_000, seed=3)
    problem = result.require_plan().problem
    rng = np.random.default_rng(5)
    spoilt = [result.require_plan().labels.copy() for _ in range(3)]
    for i, labels in enumerate(spoilt, start=1):
        labels[rng.permutation(problem.n_units)[:i]] = rng.integers(problem.n_grids, size=i)
    for labels in (result.require_plan().labels, *spoilt):
        plan = Plan(problem, labels)
        cost = objective.cost(problem, plan.labels)
        written = Result(Status.FEASIBLE, "made by hand", plan, cost=cost)
        read = read_plan(save_plan(tmp_path / "plan.gpkg", written, units)[0])
        same_problem(read.problem, problem)
        assert read.findings == ()
        assert np.array_equal(read.plan.labels, labels)
        assert read.plan.to_series().to_dict() == plan.to_series().to_dict()
        assert told(read.problem, read.plan.labels) == told(problem, labels)
        assert objective.cost(read.problem, read.plan.labels) == cost
    assert any(told(problem, labels) for labels in spoilt)


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_the_cost_in_the_document_follows_from_the_files(tmp_path: Path, units: Units, make: Make) -> None:
    """What `solve` reports is what anybody computes from plan.gpkg and plan.json, and what the metrics add up to."""
    result = solve(make(units), steps=20_000, seed=3)
    path = save_plan(tmp_path / "plan.gpkg", result, units)[0]
    read = read_plan(path)
    document = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert document["cost"] is not None
    assert document["cost"] == objective.cost(read.problem, read.plan.labels)
    again = solve(read.problem, steps=20_000, seed=3)
    assert again.cost == result.cost
    assert np.array_equal(again.require_plan().labels, result.require_plan().labels)


def test_own_ids_of_grids_come_back(tmp_path: Path) -> None:
    """Ids that are not those of always stand in every layer and table, and come back with locks and incumbent."""
    import gridopt as go

    graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)], ids=list("abcd"))
    problem = go.build_problem(
        graph, workload=[1, 1, 1, 1], n_grids=2, locks=go.Locks(fixed={"a": 0}), incumbent=[0, 0, 1, 1]
    )
    plan = go.Plan(problem, [0, 0, 1, 1], ["G005", "G002"])
    units = pd.DataFrame({"workload": [1, 1, 1, 1]}, index=list("abcd"))
    path = tmp_path / "plan.gpkg"
    go.save_plan(path, plan, units)
    back = go.read_plan(path)
    assert back.plan.to_series().to_dict() == {"a": "G005", "b": "G005", "c": "G002", "d": "G002"}
    assert back.plan.grid_ids.tolist() == ["G005", "G002"]
    assert back.problem.fixed.tolist() == problem.fixed.tolist()
    assert back.problem.incumbent is not None
    assert back.problem.incumbent.tolist() == [0, 0, 1, 1]
    assert not back.findings
