"""A plan keeps the ids of its grids through everything that may happen to it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

import gridopt as go
from gridopt.model.graph import Graph


@pytest.fixture
def plan(path6: Graph) -> go.Plan:
    problem = go.build_problem(path6, workload=[1, 1, 1, 1, 1, 1], n_grids=3, tolerance=0)
    return go.Plan(problem, [0, 0, 1, 1, 2, 2], ["G002", "G007", "G004"])


def test_ids_default_to_numbers(plan: go.Plan) -> None:
    """Whoever gives no ids finds those of always."""
    assert go.Plan(plan.problem, plan.labels).grid_ids.tolist() == ["G001", "G002", "G003"]


def test_ids_follow_their_units(plan: go.Plan) -> None:
    """Renumbering, copying with other labels and pickling leave each unit in the grid of the same name."""
    where = plan.to_series().to_dict()
    assert where == {"a": "G002", "b": "G002", "c": "G007", "d": "G007", "e": "G004", "f": "G004"}
    assert plan.relabelled([2, 0, 1]).to_series().to_dict() == where
    assert plan.relabelled([2, 0, 1]).canonical().to_series().to_dict() == where
    assert pickle.loads(pickle.dumps(plan)).to_series().to_dict() == where
    other = replace(plan, labels=[0, 1, 1, 1, 2, 2])
    assert other.to_series()["b"] == "G007"
    assert not pickle.loads(pickle.dumps(plan)).grid_ids.flags.writeable


def test_findings_and_tables_name_own_ids(plan: go.Plan) -> None:
    """A planner reads the ids of the plan in force, not positions in an array."""
    broken = replace(plan, labels=[0, 1, 1, 1, 2, 2])
    found = {(f.code, f.ids) for f in go.verify(broken.problem, broken)}
    assert found == {("under-limit", ("G002",)), ("over-limit", ("G007",))}
    assert go.summary(plan).index.tolist() == ["G002", "G007", "G004"]
    torn = replace(plan, labels=[0, 1, 0, 1, 2, 2])
    assert {f.ids[0] for f in go.verify(torn.problem, torn)} == {"G002", "G007"}


def test_plan_in_force_with_own_ids_is_an_incumbent(plan: go.Plan, path6: Graph) -> None:
    """`incumbent=` takes the labels of a plan, whatever its grids are called."""
    problem = go.build_problem(path6, workload=[1] * 6, n_grids=3, incumbent=plan, objective={"moved": 1})
    assert problem.incumbent is not None
    assert problem.incumbent.tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["G001", "G002"], r"shape \(2,\); give one for each of the 3 grids"),
        (["A", "A", "B"], r"1 grid ids occur more than once \('A'\)"),
        (["A", 2, "B"], r"not text.*first: 2"),
        (["A", "", "B"], r"not text.*first: ''"),
        (["A", " C", "B"], r"first: ' C'"),
    ],
)
def test_ids_that_name_no_grid_are_refused(plan: go.Plan, ids: list[Any], said: str) -> None:
    """Each grid has one name of its own, and files hold it as it is."""
    with pytest.raises(go.InputError, match=said):
        go.Plan(plan.problem, plan.labels, ids)
