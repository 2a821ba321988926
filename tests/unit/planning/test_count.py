"""What counts as moved, and how grids in force are matched with those of a problem."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gridopt as go
from gridopt.model.graph import Graph
from gridopt.planning.count import read_caps, read_count
from gridopt.planning.force import next_ids, read_force


@pytest.fixture
def two_attributes(path6: Graph) -> go.Problem:
    work = {"shops": [1, 2, 3, 1, 2, 3], "hours": [0.5, 1, 1, 1, 1, 0.25]}
    return go.build_problem(path6, pd.DataFrame(work, index=list("abcdef")), n_grids=2, tolerance="0.5")


def test_amounts_are_those_of_the_user(two_attributes: go.Problem) -> None:
    """Whole numbers inside, the user's units outside."""
    assert read_count(two_attributes, "workload").weight.tolist() == [1, 2, 3, 1, 2, 3]
    assert read_count(two_attributes, "workload").name == two_attributes.attributes[0]
    hours = read_count(two_attributes, "hours")
    assert [hours.shown(w) for w in hours.weight.tolist()] == [0.5, 1, 1, 1, 1, 0.25]
    mix = read_count(two_attributes, {"hours": 2, "units": 0.1})
    assert [mix.shown(w) for w in mix.weight.tolist()] == pytest.approx([1.1, 2.1, 2.1, 2.1, 2.1, 0.6])


def test_caps_are_shares_or_amounts(two_attributes: go.Problem) -> None:
    """A float of at most 1 is a share, a whole number an amount."""
    caps = read_caps(two_attributes, {"shops": 0.5, "units": 1, "hours": 2.5})
    assert [cap.most for cap in caps] == [6, 1, 250]


@pytest.mark.parametrize("count", ["people", {"units": -1}, {}, 3, {"shops": "many"}])
def test_what_cannot_be_counted_is_refused(two_attributes: go.Problem, count: object) -> None:
    with pytest.raises(go.InputError):
        read_count(two_attributes, count)


def test_new_ids_go_on_from_the_highest() -> None:
    """Numbers between are never filled up: they may have been given before."""
    assert next_ids(["G007", "G002"], 2) == ["G008", "G009"]
    assert next_ids(["A-9", "A-10", "B-400"], 1) == ["A-11"]
    assert next_ids(["0009"], 1) == ["0010"]
    assert next_ids(["G009", "G999"], 1) == ["G1000"]


def test_grids_stay_in_their_regions() -> None:
    """Each parent keeps its grids, whatever their numbers; a unit in a grid of another parent has no home."""
    graph = Graph.from_edges(6, [(i, i + 1) for i in range(5)])
    parent = ["w", "w", "w", "e", "e", "e"]
    problem = go.build_problem(graph, workload=[1] * 6, n_grids=4, parent=parent, tolerance="0.9")
    force = read_force(problem, ["N2", "N1", "N1", "N1", "N4", "N3"])
    assert set(force.grid_ids) == {"N1", "N2", "N3", "N4"}
    region = force.problem.nesting.grid_region
    ids = list(force.grid_ids)
    assert {name: int(region[ids.index(name)]) for name in ids} == {"N1": 0, "N2": 0, "N3": 1, "N4": 1}
    assert [ids[h] if h >= 0 else None for h in force.home] == ["N2", "N1", "N1", None, "N4", "N3"]


def test_a_unit_in_a_grid_of_another_parent_moves() -> None:
    """A reform moved the boundary: the unit leaves its grid, and that is counted."""
    graph = Graph.from_edges(6, [(i, i + 1) for i in range(5)])
    parent = ["w", "w", "w", "e", "e", "e"]
    problem = go.build_problem(graph, workload=[1] * 6, n_grids=4, parent=parent, tolerance="0.9")
    new = go.rebalance(problem, ["N2", "N1", "N1", "N1", "N4", "N3"])
    assert go.verify(problem, new.plan) == []
    assert new.moved.tolist() == [False, False, False, True, False, False]
    assert (new.moved_amount, new.bound, new.status) == (1, 1, go.Status.OPTIMAL)
    assert new.plan.to_series()[3] == "N4"


def test_plans_that_name_no_grid_are_refused(path6: Graph) -> None:
    problem = go.build_problem(path6, workload=[1] * 6, n_grids=2)
    with pytest.raises(go.InputError, match="puts no unit of the problem in a grid"):
        read_force(problem, pd.Series(["G1"], index=["z"]))
    with pytest.raises(go.InputError, match=r"shape \(2,\)"):
        read_force(problem, np.array([0, 1]))
    with pytest.raises(go.InputError, match=r"calls a grid 1\.5"):
        read_force(problem, [1.5, "a", "a", "a", "b", "b"])
