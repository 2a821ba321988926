"""Labels of a plan in force over changed units, with answers known from the drawing."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.errors import InputError
from gridopt.workflow.crosswalk import crosswalk
from gridopt.workflow.inherit import inherit

CRS = 32650
FOUR = {"a": (0, 0, 100, 100), "b": (100, 0, 200, 100), "c": (200, 0, 300, 100), "d": (300, 0, 400, 100)}


def layer(boxes: dict[str, tuple[float, float, float, float]]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(index=list(boxes), geometry=[shapely.box(*b) for b in boxes.values()], crs=CRS)


def problem_of(units: gpd.GeoDataFrame, work=None, n_grids: int = 2, **more) -> go.Problem:
    work = np.ones(len(units), dtype=int) if work is None else work
    return go.build_problem(go.build_graph(units), work, n_grids=n_grids, tolerance=0.9, **more)


def in_force(labels: list[int], boxes=FOUR, names=("G003", "G007")) -> go.Plan:
    return go.Plan(problem_of(layer(boxes), n_grids=len(names)), labels, list(names))


def carried(plan: go.Plan, new: gpd.GeoDataFrame, problem: go.Problem, old=FOUR, **more):
    return inherit(plan, crosswalk(layer(old), new, **more), problem)


def test_unchanged_units_keep_their_grids():
    plan, units = in_force([0, 0, 1, 1]), layer(FOUR).iloc[::-1]
    found = carried(plan, units, problem_of(units))
    assert found.plan.to_series().to_dict() == {"d": "G007", "c": "G007", "b": "G003", "a": "G003"}
    assert found.findings == ()
    assert go.verify(found.plan.problem, found.plan) == []


def test_a_merged_unit_of_two_grids_is_listed_with_its_shares():
    new = layer({"a": FOUR["a"], "bc": (100, 0, 300, 100), "d": FOUR["d"]})
    found = carried(in_force([0, 0, 1, 1]), new, problem_of(new))
    finding = found.findings[0]
    assert (finding.code, finding.ids, finding.value) == ("ambiguous-grid", ("bc",), 0.5)
    assert "G003 50.0%, G007 50.0%" in finding.cure
    assert found.before["bc"] == "G003"


def test_a_unit_of_several_units_of_one_grid_is_not_ambiguous():
    """Most of it comes from c, but three fifths from one grid."""
    boxes = {"a": (0, 0, 30, 9), "b": (30, 0, 60, 9), "c": (60, 0, 100, 9), "d": (100, 0, 200, 9)}
    new = layer({"abc": (0, 0, 100, 9), "d": boxes["d"]})
    found = carried(in_force([0, 0, 1, 1], boxes), new, problem_of(new), boxes, clear=0.55)
    assert found.plan.to_series().to_dict() == {"abc": "G003", "d": "G007"}
    assert [f.code for f in found.findings] == []


def test_new_units_join_the_lightest_grid_beside_them():
    """e borders b (100 m, grid of load 6) and c (100 m, grid of load 2)."""
    new = layer({**FOUR, "e": (100, 100, 300, 200)})
    work = [5, 1, 1, 1, 3]
    found = carried(in_force([0, 0, 1, 1]), new, problem_of(new, work))
    assert found.plan.to_series()["e"] == "G007"
    assert [(f.code, f.ids) for f in found.findings] == [("unit-joined", ("e", "G007"))]


def test_new_units_without_work_join_the_longest_border():
    new = layer({**FOUR, "e": (120, 100, 260, 200)})
    found = carried(in_force([0, 0, 1, 1]), new, problem_of(new, [5, 1, 1, 1, 0]))
    assert found.plan.to_series()["e"] == "G003"


def test_new_units_beyond_new_units_are_reached():
    new = layer({**FOUR, "z": (400, 100, 500, 200), "e": (400, 0, 500, 100)})
    found = carried(in_force([0, 0, 1, 1]), new, problem_of(new))
    assert found.plan.to_series()[["e", "z"]].tolist() == ["G007", "G007"]


def test_a_grid_cut_in_two_by_a_demolition_keeps_its_heavier_piece():
    boxes = {**FOUR, "e": (400, 0, 500, 100), "u": (0, 100, 500, 200)}
    plan = in_force([0, 0, 0, 0, 0, 1], boxes)
    new = layer({name: box for name, box in boxes.items() if name != "c"})
    found = carried(plan, new, problem_of(new, [9, 9, 1, 1, 5]), boxes)
    assert found.plan.to_series().to_dict() == {"a": "G003", "b": "G003", "d": "G007", "e": "G007", "u": "G007"}
    assert [f.ids for f in found.findings if f.code == "unit-cut-off"] == [("d", "G007"), ("e", "G007")]
    assert found.before["d"] == "G003"
    assert found.plan.pieces().tolist() == [1, 1]


def test_a_grid_without_land_is_retired():
    new = layer({"a": FOUR["a"], "b": FOUR["b"]})
    found = carried(in_force([0, 0, 1, 1]), new, problem_of(new, n_grids=1))
    assert found.plan.grid_ids.tolist() == ["G003"]
    assert found.retired == ("G007",)
    assert "grid-gone" in [f.code for f in found.findings]


def test_a_unit_given_to_another_community_leaves_its_grid():
    units = layer(FOUR)
    plan = in_force([0, 0, 1, 1])
    problem = problem_of(units, parent=["x", "y", "y", "y"])
    found = carried(plan, units, problem)
    grids = found.plan.to_series()
    assert grids[["c", "d"]].tolist() == ["G007", "G007"]
    assert grids["a"] != grids["b"]
    assert go.verify(found.plan.problem, found.plan) == []


def test_a_community_cut_out_of_two_gets_grids_of_its_own():
    boxes = {f"u{i}": (100 * i, 0, 100 * i + 100, 100) for i in range(8)}
    plan = in_force([0, 0, 0, 0, 1, 1, 1, 1], boxes)
    units = layer(boxes)
    problem = problem_of(units, n_grids=4, parent=["w", "w", "w", "m", "m", "e", "e", "e"], n_per_parent=(1, 2))
    found = inherit(plan, crosswalk(units, units), problem, retired=["G009"])
    grids = found.plan.to_series()
    assert grids["u0"] == "G003"
    assert grids["u7"] == "G007"
    new = sorted(set(grids) - {"G003", "G007"})
    assert new[0] == "G010"
    assert set(grids[["u3", "u4"]]) <= set(new)
    assert [f.ids[0] for f in found.findings if f.code == "grid-new"] == new
    assert found.plan.pieces().tolist() == [1] * len(found.plan.grid_ids)


def test_a_crosswalk_of_other_units_is_refused():
    units = layer(FOUR)
    with pytest.raises(InputError, match="'d'"):
        inherit(in_force([0, 0, 1, 1]), crosswalk(layer(FOUR), units.iloc[:3]), problem_of(units))
