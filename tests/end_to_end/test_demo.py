"""The demo: raw streets in, a verified plan, its map and its table out, without a network."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

import gridopt as go
from gridopt.errors import InputError
from gridopt.io.plan_file import read_plan
from gridopt.workflow.demo import DemoReport, run


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoReport]:
    folder = tmp_path_factory.mktemp("town") / "new" / "folder"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _refuse)
        patch.setattr(socket, "getaddrinfo", _refuse)
        return folder, run(folder)


def _refuse(*_: object, **__: object) -> None:
    raise AssertionError("the demo asked the network")


def test_it_ends_with_a_sound_plan(town: tuple[Path, DemoReport]) -> None:
    """The last line is the verdict on the files, not on what is in memory."""
    folder, report = town
    assert report.lines[-1] == "verified: 0 errors"
    assert report.findings == ()
    assert report.result.status in (go.Status.FEASIBLE, go.Status.OPTIMAL)
    stored = read_plan(folder / "plan.gpkg").plan
    assert go.verify(stored.problem, stored.labels) == []
    np.testing.assert_array_equal(stored.labels, report.result.require_plan().labels)


def test_grids_are_equal_whole_and_cover_the_town(town: tuple[Path, DemoReport]) -> None:
    """Checked from the file alone, with no code of ours: 8 grids within 10 %, one piece each, no gap, no overlap."""
    folder, _ = town
    units, grids = (pyogrio.read_dataframe(folder / "plan.gpkg", layer=name) for name in ("units", "grids"))
    loads = units.groupby("grid")["hours"].sum()
    assert len(loads) == 8
    assert loads.between(0.9 * loads.mean() - 0.01, 1.1 * loads.mean() + 0.01).all()
    assert {g.geom_type for g in grids.geometry} <= {"Polygon", "MultiPolygon"}
    assert all(len(shapely.get_parts(g)) == 1 for g in grids.geometry)
    assert shapely.coverage_is_valid(grids.geometry.to_numpy())
    assert grids.union_all().equals(units.union_all())
    assert units["incidents"].sum() == 287
    assert units["schools"].sum() == 8


def test_borders_follow_streets(town: tuple[Path, DemoReport]) -> None:
    """Every metre between two grids lies on a street of the raw data."""
    folder, _ = town
    borders = pyogrio.read_dataframe(folder / "plan.gpkg", layer="borders")
    streets = gpd.read_file(_example("streets.shp")).to_crs(borders.crs)
    away = shapely.difference(borders.union_all(), streets.buffer(0.6).union_all())
    assert away.length < 1e-6 * borders.length.sum()


def test_all_files_are_there_and_told(town: tuple[Path, DemoReport]) -> None:
    folder, report = town
    names = {"plan.gpkg", "plan.csv", "plan.json", "map.png", "map.svg"}
    assert {p.name for p in folder.iterdir()} == {p.name for p in report.files} == names
    assert {line.removeprefix("wrote ") for line in report.lines if line.startswith("wrote ")} == set(
        map(str, report.files)
    )
    document = json.loads((folder / "plan.json").read_text())
    assert document["status"] == report.result.status


def test_the_table_tells_each_grid(town: tuple[Path, DemoReport]) -> None:
    _, report = town
    plan = report.result.require_plan()
    rows = {line.split()[0]: line.split() for line in report.lines if re.match(r"G\d", line)}
    assert list(rows) == plan.grid_ids.tolist()
    loads = [float(rows[g][2].replace(",", "")) for g in plan.grid_ids]
    np.testing.assert_allclose(loads, plan.loads[:, 0] / 100, atol=0.06)


def test_the_same_plan_comes_out_each_time(town: tuple[Path, DemoReport], tmp_path: Path) -> None:
    """Steps, not seconds, by default: figures in texts and slides stay true."""
    _, report = town
    again = run(tmp_path)
    np.testing.assert_array_equal(again.result.require_plan().labels, report.result.require_plan().labels)
    assert (tmp_path / "map.png").read_bytes() == next(f for f in report.files if f.name == "map.png").read_bytes()


def test_a_generated_city_is_nested(tmp_path: Path) -> None:
    """Subdistricts are never crossed, compounds never cut."""
    report = run(tmp_path, city=300, seed=1)
    assert report.lines[-1] == "verified: 0 errors"
    units, grids = (pyogrio.read_dataframe(tmp_path / "plan.gpkg", layer=name) for name in ("units", "grids"))
    assert units.groupby("grid")["street"].nunique().max() == 1
    assert units.dropna(subset="compound").groupby("compound")["grid"].nunique().max() == 1
    assert dict(zip(grids["grid"], grids["parent"])) == units.groupby("grid")["street"].first().to_dict()


def test_a_folder_that_cannot_be_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot make the folder"):
        run(tmp_path / "file")
    with pytest.raises(InputError, match="give n of at least 16"):
        run(tmp_path / "small", city=3)


def _example(name: str) -> str:
    from libpysal import examples

    return str(examples.get_path(name))
