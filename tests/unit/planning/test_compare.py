"""Comparisons of plans against counts by hand and brute-force matching."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gridopt as go
from gridopt.errors import InputError
from gridopt.planning.compare import compare
from gridopt.planning.lineage import Lineage, Record
from tests.conftest import lattice


def path_problem(work, k: int, **more) -> go.Problem:
    n = len(work)
    ids = [f"u{i}" for i in range(n)]
    streets = ["Main St" if i % 2 == 0 else "" for i in range(n - 1)]
    graph = go.Graph.from_edges(n, [(i, i + 1) for i in range(n - 1)], [100] * (n - 1), ids=ids, streets=streets)
    return go.build_problem(graph, pd.DataFrame({"homes": work}, index=ids), n_grids=k, tolerance=0.1, **more)


SIX = path_problem([1, 2, 3, 3, 2, 1], 2)


def test_one_unit_moves():
    old, new = go.Plan(SIX, [0, 0, 0, 0, 1, 1], ["A", "B"]), go.Plan(SIX, [0, 0, 0, 1, 1, 1], ["A", "B"])
    found = compare(old, new)
    assert found.moves.values.tolist() == [["u3", "A", "B", 3, "relieves A by 50.0 %, border now along Main St"]]
    assert found.figures["workload"] == {"homes": 0.25}
    assert found.figures["moved_workload"] == {"homes": 3}
    assert found.figures["units"] == pytest.approx(1 / 6)
    grids = found.grids
    assert grids["state"].tolist() == ["kept", "kept"]
    assert grids[["n_units_before", "n_units", "units_in", "units_out"]].values.tolist() == [[4, 3, 0, 1], [2, 3, 1, 0]]
    assert grids[["load_homes_before", "load_homes"]].values.tolist() == [[9, 6], [3, 6]]
    assert grids[["deviation_homes_before", "deviation_homes"]].values.tolist() == [[0.5, 0.0], [-0.5, 0.0]]


def test_borders_that_moved_are_named():
    found = compare(go.Plan(SIX, [0, 0, 0, 0, 1, 1], ["A", "B"]), go.Plan(SIX, [0, 0, 0, 1, 1, 1], ["A", "B"]))
    assert found.borders.values.tolist() == [
        ["u2", "u3", "new", "A", "B", 10.0, "Main St"],
        ["u3", "u4", "gone", "A", "B", 10.0, ""],
    ]
    assert (found.figures["new_border_m"], found.figures["gone_border_m"]) == (10.0, 10.0)


def test_numbers_of_unrelated_plans_are_matched_and_not_believed():
    old, new = go.Plan(SIX, [0, 0, 0, 1, 1, 1]), go.Plan(SIX, [1, 1, 0, 0, 0, 0])
    found = compare(old, new)
    assert found.match == {"G001": "G002", "G002": "G001"}
    assert found.moves["unit"].tolist() == ["u2"]
    assert compare(old, new, match="ids").moves["unit"].tolist() == ["u0", "u1", "u3", "u4", "u5"]


def test_ids_of_their_own_are_believed():
    old, new = go.Plan(SIX, [0, 0, 0, 1, 1, 1], ["A", "B"]), go.Plan(SIX, [1, 1, 0, 0, 0, 0], ["A", "B"])
    assert compare(old, new).figures["n_moved"] == 5
    assert compare(old, new, match="overlap").figures["n_moved"] == 1


def test_units_are_matched_by_id_not_by_position():
    backwards = SIX.reordered(np.arange(6)[::-1])
    old, new = go.Plan(SIX, [0, 0, 0, 1, 1, 1], ["A", "B"]), go.Plan(backwards, [1, 1, 1, 0, 0, 0], ["A", "B"])
    assert compare(old, new).figures["n_moved"] == 0


def test_a_split_and_a_merge_are_told():
    three = path_problem([1] * 6, 3)
    old = go.Plan(SIX, [0, 0, 0, 0, 1, 1], ["G001", "G002"])
    new = go.Plan(three, [0, 0, 2, 2, 1, 1], ["G001", "G002", "G003"])
    found = compare(old, new)
    assert found.grids["state"].tolist() == ["kept", "kept", "new"]
    assert [(r.old, r.new, r.operation, r.units) for r in found.lineage(4, "2026-03-01")] == [
        (None, "G003", "new", 2),
        ("G001", "G003", "split", 2),
    ]
    back = compare(new, old, match="ids")
    told = back.lineage(5)
    assert [(r.old, r.new, r.operation, r.units) for r in told] == [
        ("G003", "G001", "merge", 2),
        ("G003", None, "retired", 2),
    ]
    assert back.moves["reason"].tolist() == ["G003 is dissolved, border now along Main St", "G003 is dissolved"]
    assert Lineage("f", 4).after(told).retired == ("G003",)


def test_units_of_another_layer_come_through_before():
    old = go.Plan(path_problem([2, 2], 2), [0, 1], ["A", "B"])
    new = go.Plan(path_problem([1, 1, 2, 1], 2), [0, 0, 1, 0], ["A", "B"])
    with pytest.raises(InputError, match="crosswalk"):
        compare(old, new)
    found = compare(old, new, before=pd.Series(["A", "B", "B", None], index=["u0", "u1", "u2", "u3"]))
    assert found.moves["unit"].tolist() == ["u1"]
    assert found.figures["n_new_units"] == 1
    assert found.grids["units_in"].tolist() == [2, 0]
    with pytest.raises(InputError, match="'Z'"):
        compare(old, new, before=pd.Series(["Z", "B", "B", None], index=["u0", "u1", "u2", "u3"]))


def test_another_workload_has_no_before():
    graph = SIX.graph
    other = go.build_problem(graph, pd.DataFrame({"shops": [1] * 6}, index=graph.ids), n_grids=2)
    found = compare(go.Plan(SIX, [0, 0, 0, 1, 1, 1]), go.Plan(other, [0, 0, 0, 1, 1, 1]))
    assert found.grids["load_shops_before"].isna().all()
    assert found.grids["load_shops"].tolist() == [3, 3]


def test_outcomes_are_taken_for_their_plans():
    result = go.solve(SIX, steps=500)
    assert compare(result, result.plan).figures["n_moved"] == 0
    with pytest.raises(InputError, match="old is a str"):
        compare("plan.gpkg", result)


def test_history_survives_json():
    record = Record(1, "2026-03-01", "G003", "G025", "split", 14, {"homes": 410})
    lineage = Lineage("f").after([record, Record(1, None, "G001", None, "retired", 2, {"homes": 1.5})])
    assert Lineage.from_dict(lineage.as_dict()) == lineage
    assert lineage.generation == 1
    with pytest.raises(InputError, match="lineage"):
        Lineage.from_dict({"family": "f"})


labels = st.lists(st.integers(0, 3), min_size=8, max_size=8)


@settings(max_examples=50, deadline=None)
@given(labels, labels, st.lists(st.integers(0, 9), min_size=8, max_size=8))
def test_matching_keeps_the_most_workload(before, after, work):
    """No renaming of the new grids keeps more workload in place: all 24 are tried."""
    problem = path_problem([w + 1 for w in work], 4)
    found = compare(go.Plan(problem, before), go.Plan(problem, after), match="overlap")
    load = problem.workload[:, 0]
    most = max(load[np.array(before) == np.array(order)[after]].sum() for order in permutations(range(4)))
    assert load.sum() - found.figures["moved_workload"]["homes"] == most


@settings(max_examples=40, deadline=None)
@given(labels, labels)
def test_loads_before_and_after_differ_by_the_moves(before, after):
    problem = path_problem([1, 5, 2, 8, 3, 1, 4, 7], 4)
    found = compare(go.Plan(problem, before), go.Plan(problem, after), match="ids")
    moves, grids = found.moves, found.grids
    into = moves.groupby("to")["load_homes"].sum().reindex(grids.index, fill_value=0)
    out = moves.groupby("from")["load_homes"].sum().reindex(grids.index, fill_value=0)
    assert (grids["load_homes_before"] + into - out).tolist() == grids["load_homes"].tolist()
    assert (grids["n_units_before"] + grids["units_in"] - grids["units_out"]).tolist() == grids["n_units"].tolist()
    records = found.lineage(1)
    assert sum(r.units for r in records if r.operation == "move") == len(moves)


def test_reasons_are_those_of_rebalance() -> None:
    """Move for move the same words, where both plans are given and nothing else is known."""
    graph = lattice(8, 8)
    labels = (np.arange(64) // 8 // 4) * 2 + np.arange(64) % 8 // 4
    work = np.random.default_rng(2).integers(5, 30, 64)
    problem = go.build_problem(graph, workload=work, n_grids=4, tolerance="0.02")
    old = go.Plan(problem, labels.astype(np.int32))
    new = go.rebalance(problem, old, steps=100_000, workers=1)
    found = go.compare(old, new, match="ids").moves.set_index("unit")["reason"]
    assert len(new.moves) > 2
    assert found.to_dict() == {move.unit: move.reason for move in new.moves}
