"""Where commands and options meet: what one says of another's files, and what is refused instead of passed over."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import gridopt as go
from benchmarks._fuzz_cases import sound
from benchmarks.fuzz import Ended, run_here

SOLVE = ("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", "3", "--tolerance", "0.6")
STEPS = ("--steps", "200", "--workers", "1")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Units, streets, wards and the like; villages are the wards, with ids in another column."""
    folder = tmp_path_factory.mktemp("town")
    sound(folder, np.random.default_rng([0, 0]))
    wards = gpd.read_file(folder / "wards.gpkg")
    wards.rename(columns={"ward": "village"}).to_file(folder / "villages.gpkg")
    ended = run_here(
        [*SOLVE, "--parents", "villages.gpkg", "--parent", "village", *STEPS, "--out", "plan.gpkg"], folder, 600
    )
    assert ended.code == 0, ended
    return folder


@pytest.fixture
def run(town: Path) -> Callable[..., Ended]:
    """Run a command line, given as one text, among the files of the town."""
    return lambda line: run_here(line.split(), town, 600)


def test_files_are_written_though_the_reader_of_the_words_has_left(town: Path) -> None:
    """As in `gridopt solve … | head -1`: the files are there, whole, and the exit code is that of the plan."""
    args = ["solve", "g.graph", "--grids", "2", "--tolerance", "0.5", *STEPS, "--out", "left.part"]
    command = [sys.executable, "-m", "gridopt", *args]
    with subprocess.Popen(command, cwd=town, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
        code = process.wait(60)
    assert (code, b"Traceback" in told, b"BrokenPipe" in told) == (0, False, False)
    assert len((town / "left.part").read_text().split()) == 6
    assert json.loads((town / "left.part.json").read_text())


def test_rebalance_reads_the_parents_the_plan_was_made_with(town: Path, run: Callable[..., Ended]) -> None:
    """Their ids are in a column of the parents, which the units do not have."""
    ended = run("rebalance plan.gpkg --units today.gpkg --steps 200 --workers 1 --out next.gpkg")
    assert ended.code in (0, 3), ended
    document = json.loads((town / "next.json").read_text(encoding="utf-8"))
    assert document["options"]["parents"] == "villages.gpkg"
    units = gpd.read_file(town / "next.gpkg", layer="units").set_index("unit")
    expected = go.assign_parents(
        gpd.read_file(town / "today.gpkg").set_index("code"), gpd.read_file(town / "villages.gpkg"), id_column="village"
    )
    assert units["parent"].to_dict() == expected.parent_of.to_dict()
    assert (units.groupby("grid")["parent"].nunique() == 1).all()


def test_a_column_of_parents_replaces_the_polygons_of_before(town: Path, run: Callable[..., Ended]) -> None:
    """--parent alone is a column of the units, as in `solve`."""
    ended = run("rebalance plan.gpkg --units today.gpkg --parent ward --steps 200 --workers 1 --out ward.gpkg")
    assert ended.code in (0, 3), ended
    options = json.loads((town / "ward.json").read_text(encoding="utf-8"))["options"]
    assert (options["parent"], "parents" in options) == ("ward", False)


def test_rebalance_says_which_grids_may_stay_outside_their_limits(run: Callable[..., Ended]) -> None:
    """`verify` names them, so `rebalance` does too, whether a trigger or --frozen lets them stay."""
    assert (
        run("solve town.gpkg --id code --workload persons --grids 3 --tolerance 0.9 --steps 1 --out wide.gpkg").code
        == 0
    )
    for tolerance, grid, is_outside in ((0.05, "G002", True), (0.15, "G002", False)):
        line = f"rebalance wide.gpkg --tolerance {tolerance} --frozen {grid} --steps 300 --workers 1 --out frozen.gpkg"
        ended = run(line)
        assert (ended.code, "\ntolerated " in ended.out) == (0, is_outside), ended.out
        assert run("verify frozen.gpkg").code == (3 if is_outside else 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("check town.gpkg --parent-share 0.5", "--parent-share says something of --parents"),
        ("check town.gpkg --class-column kind", "--class-column says something of --streets"),
        ("why town.gpkg 1 2 --street-tolerance 5", "--street-tolerance says something of --streets or --barriers"),
        ("check town.gpkg --source-datum streets=gcj02", "there is no 'streets' here"),
        ("check town.gpkg --source-datum overrides=gcj02", "there is no 'overrides' here"),
        ("check town.gpkg --source-datum units=gcj02 --source-datum units=bd09", "names units twice"),
        ("rebalance plan.gpkg --snap 4 --id code --out r.gpkg", "--id, --snap: said of units that are read"),
        ("blocks --boundary boundary.gpkg --streets streets.gpkg --raw --gap 3 --out b.gpkg", "--gap would change"),
        ("blocks --boundary boundary.gpkg --streets streets.gpkg --parent ward --out b.gpkg", "a column of --parents"),
        (
            "blocks --boundary boundary.gpkg --streets streets.gpkg --source-datum units=gcj02 --out b.gpkg",
            "no 'units' here, but boundary, streets",
        ),
    ],
)
def test_options_of_a_layer_that_is_not_given_are_refused(line: str, told: str, run: Callable[..., Ended]) -> None:
    """Passing them over in silence would let people believe that they were heeded."""
    ended = run(line)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_a_graph_is_not_exported_without_its_partition(town: Path, run: Callable[..., Ended]) -> None:
    """The two belong together: where one cannot be written the other is not."""
    (town / "e.part").mkdir()
    ended = run("export plan.gpkg --out e.graph")
    assert ended.code == 2
    assert "e.part" in ended.err
    assert not (town / "e.graph").exists()


def test_blocks_carry_the_names_of_their_parents(town: Path, run: Callable[..., Ended]) -> None:
    """So that `solve --parent parent` says them."""
    line = "blocks --boundary boundary.gpkg --streets streets.gpkg --parents villages.gpkg --parent village"
    assert run(f"{line} --out parents.gpkg").code == 0
    blocks = gpd.read_file(town / "parents.gpkg", layer="units")
    villages = gpd.read_file(town / "villages.gpkg").set_index("village").geometry
    for at, name in zip(blocks.representative_point(), blocks["parent"]):
        assert shapely.intersects(villages[name], at)


def test_blocks_read_streets_of_a_web_map(tmp_path: Path) -> None:
    """Streets in GCJ-02 cut where the same streets in WGS 84 do, when their datum is said."""
    from gridopt.territory.datum import wgs84_to_gcj02

    area = gpd.GeoDataFrame(geometry=[shapely.box(118.8, 32.0, 118.81, 32.01)], crs=4326)
    lines = [
        shapely.LineString([(118.795, 32.004), (118.815, 32.004)]),
        shapely.LineString([(118.806, 31.9), (118.806, 32.1)]),
    ]
    streets = gpd.GeoDataFrame({"highway": ["primary", "primary"]}, geometry=lines, crs=4326)
    area.to_file(tmp_path / "area.gpkg")
    streets.to_file(tmp_path / "true.gpkg")
    moved = shapely.transform(streets.geometry.to_numpy(), lambda c: np.column_stack(wgs84_to_gcj02(c[:, 0], c[:, 1])))
    streets.set_geometry(gpd.GeoSeries(moved, crs=4326)).to_file(tmp_path / "web.gpkg")
    areas: list[Any] = []
    for name, more in (("true", []), ("web", ["--source-datum", "streets=gcj02"]), ("web", [])):
        args = ["blocks", "--boundary", "area.gpkg", "--streets", f"{name}.gpkg", *more, "--out", "b.gpkg"]
        assert run_here(args, tmp_path, 600).code == 0
        areas.append(gpd.read_file(tmp_path / "b.gpkg", layer="units")["area_m2"].sort_values().to_numpy())
    assert np.allclose(areas[0], areas[1], rtol=1e-3)
    assert not np.allclose(areas[0], areas[2], rtol=1e-2)


def test_why_answers_where_the_border_is_a_hair() -> None:
    """A millimetre of border across a gap is none; what lies between the two was not looked for, and missed."""
    shapes = [shapely.box(0, 0, 10, 10), shapely.box(10.02, 9.999, 20, 20), shapely.box(10.01, 0, 20, 9.99)]
    units = gpd.GeoDataFrame(index=["000", "001", "002"], geometry=shapes, crs="EPSG:3826")
    for snap in (0.0, 0.005, 0.05, 4.0):
        edges = {tuple(sorted(p)) for p in (lambda g: g.ids[g.edges].tolist())(go.build_graph(units, snap=snap))}
        for pair in (("000", "001"), ("000", "002"), ("001", "002")):
            assert go.why(units, *pair, snap=snap).is_edge == (pair in edges)


@pytest.mark.parametrize(
    ("name", "value"),
    [("inputs", [{"path": "x"}]), ("options", 7), ("options", {"snap": "x"}), ("options", {"workload": [3]})],
)
def test_a_plan_that_says_wrongly_how_it_was_read_is_refused(
    name: str, value: Any, town: Path, tmp_path: Path, run: Callable[..., Ended]
) -> None:
    """A plan.json that was edited ends in a message, not in a traceback."""
    shutil.copy(town / "plan.gpkg", tmp_path / "bad.gpkg")
    document = json.loads((town / "plan.json").read_text(encoding="utf-8"))
    (tmp_path / "bad.json").write_text(json.dumps(document | {name: value}), encoding="utf-8")
    ended = run(f"rebalance {tmp_path}/bad.gpkg --steps 100 --out {tmp_path}/next.gpkg")
    assert (ended.code, ended.out) == (2, "")
    assert "says wrongly how its input was read" in ended.err


def test_the_snap_of_objects_is_not_named_as_that_of_streets(run: Callable[..., Ended]) -> None:
    """--snap of `blocks` brings objects to units; how far ends of streets reach is an argument in Python only."""
    from gridopt.cli._show import in_flags
    from gridopt.cli.blocks import command as blocks
    from gridopt.cli.check import command as check

    assert in_flags("raise snap=.", blocks) == "raise snap= (in Python)."
    assert in_flags("raise snap=.", check) == "raise --snap."


def test_keys_beyond_the_whole_numbers_of_a_float_are_no_traceback() -> None:
    """1e300 is whole, and fits no integer column."""
    parcels = gpd.GeoDataFrame({"lot": [7.0, 1e300]}, geometry=shapely.points([(0, 0), (1, 1)]), crs="EPSG:3826")
    placed = go.place_at(pd.DataFrame({"lot": [7, 8]}), parcels.iloc[:1], on="lot")
    assert placed.geometry.notna().tolist() == [True, False]
    assert go.place_at(pd.DataFrame({"lot": [1e300, 8.0]}), parcels, on="lot").geometry.notna().tolist() == [
        True,
        False,
    ]


def test_a_shift_is_looked_for_past_lines_of_no_length_or_of_no_end() -> None:
    """A line that stands still and one to the moon ended in a message of GEOS."""
    city = go.synthetic.city(60, seed=1)
    odd = [shapely.LineString([(0, 0), (0, 0)]), shapely.LineString([(0, 0), (1e15, 1e15)]), shapely.LineString()]
    moved = [*city.streets.translate(120, -80), *odd]
    shift = go.find_shift(gpd.GeoSeries(moved, crs=city.units.crs), city.streets)
    assert shift is not None
    assert (round(shift.east_m, -1), round(shift.north_m, -1)) == (-120, 80)


def test_repaired_columns_that_differ_in_case_only_are_both_kept(tmp_path: Path) -> None:
    """GeoJSON can have `code` and `CODE`, a GeoPackage cannot."""
    shapes = shapely.box([0, 10], 0, [10, 20], 10)
    gpd.GeoDataFrame({"code": ["a", "b"], "CODE": [1, 2]}, geometry=shapes, crs="EPSG:3826").to_file(
        tmp_path / "u.geojson"
    )
    ended = run_here(["repair", "u.geojson", "--id", "code", "--out", "r.gpkg"], tmp_path, 600)
    assert ended.code == 0, ended
    assert [1, 2] in gpd.read_file(tmp_path / "r.gpkg", layer="units").drop(columns="geometry").T.to_numpy().tolist()


def test_a_lineage_that_is_none_is_no_traceback(town: Path, tmp_path: Path, run: Callable[..., Ended]) -> None:
    """`compare` reads the family of two plans, and goes by units where there is none."""
    shutil.copy(town / "plan.gpkg", tmp_path / "bad.gpkg")
    document = json.loads((town / "plan.json").read_text(encoding="utf-8"))
    (tmp_path / "bad.json").write_text(json.dumps(document | {"lineage": "x"}), encoding="utf-8")
    assert run(f"compare plan.gpkg {tmp_path}/bad.gpkg").code in (0, 2)
