"""The next plan of a line: locks and limits of the plan in force hold for the units that come from its units."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.errors import InputError
from gridopt.planning.lineage import Lineage
from gridopt.workflow.follow import follow, locks_like, match, problem_like

IDS = [f"u{i}" for i in range(8)]


def row(**widths: int) -> gpd.GeoDataFrame:
    """Units side by side, of these widths."""
    ends = np.concatenate([[0], np.cumsum(list(widths.values()))])
    return gpd.GeoDataFrame(index=list(widths), geometry=shapely.box(ends[:-1], 0, ends[1:], 100), crs=32650)


EIGHT = row(**dict.fromkeys(IDS, 100))
SPLIT = row(u0=100, u1a=50, u1b=50, u2=100, u3=100, u4=100, u5=100, u6=100, u7=100)
"""u1 is cut in two."""


def stored(folder: Path, labels: list[int], **asked):
    problem = go.build_problem(go.build_graph(EIGHT), {"homes": [1] * 8}, **asked)
    return go.read_plan(go.save_plan(folder / "plan.gpkg", go.Plan(problem, labels), EIGHT)[0])


def test_locks_go_to_the_units_that_come_from_those_locked(tmp_path: Path) -> None:
    locks = go.Locks(together=[["u1", "u2"]], apart=[["u1", "u6"]], fixed={"u7": "G002"}, dedicated=[["u4"]])
    file = stored(tmp_path, [0, 0, 0, 0, 2, 1, 1, 1], n_grids=3, tolerance="0.9", locks=locks)
    now = locks_like(file, match(file, SPLIT).main)
    assert now.together == [["u1a", "u1b", "u2"]]
    assert now.apart == [["u1a", "u6"], ["u1b", "u6"]]
    assert now.fixed == {"u7": int(file.plan.labels[7])}
    assert now.dedicated == [["u4"]]
    problem = problem_like(file, go.build_graph(SPLIT), {"homes": [1] * 9}, locks=now)
    done = follow(file, problem, match(file, SPLIT), steps=2_000)
    grid = done.rebalanced.plan.to_series()
    assert grid["u1a"] == grid["u1b"] == grid["u2"] != grid["u6"]
    assert grid["u7"] == file.plan.to_series()["u7"]
    assert (grid == grid["u4"]).sum() == 1


def test_limits_are_those_of_the_plan_but_for_what_changes(tmp_path: Path) -> None:
    file = stored(tmp_path, [0] * 4 + [1] * 4, n_grids=2, tolerance="0.25")
    graph = go.build_graph(EIGHT)
    same = problem_like(file, graph, {"homes": [1] * 8})
    assert (same.n_grids, same.lo[0, 0], same.hi[0, 0]) == (2, 3, 5)
    assert problem_like(file, graph, {"homes": [1] * 8}, n_grids=4).hi[0, 0] == 2
    banded = problem_like(file, graph, {"homes": [1] * 8}, band=(1, 2))
    assert (banded.n_grids, banded.hi[0, 0]) == (4, 2)


def test_costs_of_ones_own_cannot_be_carried_over(tmp_path: Path) -> None:
    file = stored(tmp_path, [0] * 4 + [1] * 4, n_grids=2, tolerance="0.25", edge_cost=[3] * 7)
    with pytest.raises(InputError, match="edge_cost="):
        problem_like(file, go.build_graph(EIGHT), {"homes": [1] * 8})


def test_history_goes_on_and_dates_are_dates(tmp_path: Path) -> None:
    file = stored(tmp_path, [0] * 4 + [1] * 4, n_grids=2, tolerance="0.25")
    matched = match(file, SPLIT)
    assert matched.before["u1b"] == "G001"
    three = problem_like(file, go.build_graph(SPLIT), {"homes": [1] * 9}, n_grids=3)
    for wrong in ("March", "2026-3-1", "20260301"):
        with pytest.raises(InputError, match="2026-03-01"):
            follow(file, three, matched, date=wrong, steps=2_000)
    done = follow(file, three, matched, date="2026-03-01", retired=["G003"], steps=20_000)
    assert [(r.new, r.date) for r in done.lineage.records if r.operation == "new"] == [("G004", "2026-03-01")]
    again = go.read_plan(done.save(tmp_path / "next.gpkg", SPLIT)[0])
    assert Lineage.from_dict(again.document["lineage"]) == done.lineage
    assert again.plan.to_series().equals(done.rebalanced.plan.to_series())
