"""One call writes a plan with all its layers, and it reads back as it was."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

import gridopt as go
from gridopt.errors import Finding, InputError, NoPlanError
from gridopt.io.plan_file import read_plan
from gridopt.workflow.plan_files import save_plan


@pytest.fixture
def result(lattice4x4: go.Graph) -> go.Result:
    problem = go.build_problem(lattice4x4, workload={"calls": np.arange(1, 17)}, n_grids=2, tolerance=0.5)
    return go.Result(go.Status.FEASIBLE, "by hand", go.Plan(problem, [0] * 8 + [1] * 8))


@pytest.fixture
def units() -> gpd.GeoDataFrame:
    x, y = 100 * (np.arange(16) % 4), 100 * (np.arange(16) // 4)
    boxes = shapely.box(x, y, x + 100, y + 100)
    return gpd.GeoDataFrame({"name": [f"block {i}" for i in range(16)]}, geometry=boxes, crs=32650)


def test_all_layers_are_written_and_read_back(result: go.Result, units: gpd.GeoDataFrame, tmp_path: Path) -> None:
    """A planner opens one file and sees units, grids and borders; the columns of the units are still there."""
    note = Finding("seen", "info", ("x",), None, None, "Kept.")
    files = save_plan(tmp_path / "plan.gpkg", result, units.sample(frac=1, random_state=0), findings=[note])
    assert {f.name for f in files} == {p.name for p in tmp_path.iterdir()} == {"plan.gpkg", "plan.csv", "plan.json"}
    layers = {name for name, _ in pyogrio.list_layers(files[0])}
    assert {"units", "grids", "borders", "adjacency", "findings"} <= layers
    grids, lines = (pyogrio.read_dataframe(files[0], layer=name) for name in ("grids", "borders"))
    assert grids["grid"].tolist() == ["G001", "G002"]
    assert grids["area_m2"].tolist() == [80000.0, 80000.0]
    assert lines["length_m"].tolist() == [400.0]
    assert lines["cost"].tolist() == [4000]
    stored = read_plan(files[0])
    assert stored.plan.labels.tolist() == result.require_plan().labels.tolist()
    assert stored.units["name"].tolist() == units["name"].tolist()
    assert "seen" in set(pyogrio.read_dataframe(files[0], layer="findings")["code"])


def test_abstract_units_have_no_shapes(result: go.Result, tmp_path: Path) -> None:
    """Rooms of a mine have a plan, and no polygons."""
    files = save_plan(tmp_path / "plan.gpkg", result, pd.DataFrame(index=range(16)))
    layers = {name for name, _ in pyogrio.list_layers(files[0])}
    assert not {"grids", "borders"} & layers
    assert read_plan(files[0]).plan.labels.tolist() == result.require_plan().labels.tolist()


def test_nothing_is_written_without_a_plan_or_with_wrong_units(
    result: go.Result, units: gpd.GeoDataFrame, tmp_path: Path
) -> None:
    with pytest.raises(NoPlanError, match="too short"):
        save_plan(tmp_path / "plan.gpkg", go.Result(go.Status.NO_PLAN, "too short"), units)
    with pytest.raises(InputError, match="first: 3"):
        save_plan(tmp_path / "plan.gpkg", result, units.drop(index=3))
    assert not list(tmp_path.iterdir())
