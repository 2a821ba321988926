"""Bad input at the command line: exit 2, one message with ids, limit and cure, and not a byte written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
import shapely.affinity

from gridopt.cli import main
from tests.end_to_end.towns import contents, town

Run = Callable[..., str]


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that must be refused; returns the message, after making sure that nothing else happened."""
    (tmp_path / "out").mkdir()
    for name in ("plan.gpkg", "plan.json", "plan.csv", "g.part"):
        (tmp_path / "out" / name).write_text("old")

    def run(*args: object) -> str:
        before = contents(tmp_path)
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in args])
        told = capsys.readouterr()
        assert end.value.code == 2, told
        assert told.out == ""
        assert "Traceback" not in told.err
        message = told.err.strip()
        assert message.startswith("gridopt"), message
        assert message.count("\n") == 0, message
        assert contents(tmp_path) == before
        return message

    return run


@pytest.fixture
def solve(tmp_path: Path, refused: Run) -> Callable[..., str]:
    """Solve a changed town; returns the refusal."""

    def run(units: gpd.GeoDataFrame | None = None, *args: object, **files: str) -> str:
        path = tmp_path / "town.gpkg"
        (town() if units is None else units).to_file(path)
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        base = [] if "--workload" in args else ["--workload", "persons"]
        base += [] if {"--grids", "--band"} & set(args) else ["--grids", 4]
        base += [] if "--id" in args else ["--id", "code"]
        return refused("solve", path, *base, *args, "--out", tmp_path / "out" / "plan.gpkg")

    return run


def changed(row: int, **values: object) -> gpd.GeoDataFrame:
    """The town with other values in one row."""
    units = town()
    for column, value in values.items():
        if isinstance(value, str) and units[column].dtype.kind == "f":
            units[column] = units[column].astype(str)
        units.loc[row, column] = value
    return units


def says(message: str, *patterns: str) -> None:
    """All patterns stand in the message."""
    for pattern in patterns:
        assert re.search(pattern, message), f"{pattern!r} not in {message!r}"


# ---- files, layers, columns ----------------------------------------------------------------------------------------


def test_missing_file(tmp_path: Path, refused: Run) -> None:
    """The nearest file of the folder is offered."""
    town().to_file(tmp_path / "town.gpkg")
    out = tmp_path / "out" / "plan.gpkg"
    told = refused("solve", tmp_path / "twon.gpkg", "--workload", "persons", "--grids", 4, "--out", out)
    says(told, r"units file .*twon\.gpkg does not exist", r"Did you mean 'town\.gpkg'\?")


def test_missing_layer(tmp_path: Path, refused: Run) -> None:
    """The nearest layer of the file is offered."""
    town().to_file(tmp_path / "city.gpkg", layer="blocks")
    out = tmp_path / "out" / "plan.gpkg"
    told = refused("solve", f"{tmp_path}/city.gpkg:block", "--workload", "persons", "--grids", 4, "--out", out)
    says(told, "no layer 'block'", r"Did you mean 'blocks'\?")


@pytest.mark.parametrize(
    ("args", "name", "nearest"),
    [
        (("--workload", "person"), "person", "persons"),
        (("--id", "Code"), "Code", "code"),
        (("--parent", "wards"), "wards", "ward"),
    ],
)
def test_missing_column(solve: Callable[..., str], args: tuple[str, str], name: str, nearest: str) -> None:
    """The nearest column of the layer is offered."""
    says(solve(None, *args), f"no column '{name}'", rf"Did you mean '{nearest}'\?")


def test_empty_layer(solve: Callable[..., str], tmp_path: Path, refused: Run) -> None:
    """Units, streets and boundaries without rows."""
    empty = town().head(0)
    empty.to_file(tmp_path / "empty.gpkg", geometry_type="Polygon")
    says(solve(None, "--streets", tmp_path / "empty.gpkg"), r"streets layer .*empty\.gpkg is empty: it has no rows")
    out = tmp_path / "out" / "plan.gpkg"
    told = refused("solve", tmp_path / "empty.gpkg", "--workload", "persons", "--grids", 4, "--out", out)
    says(told, r"units layer .*empty\.gpkg is empty", "fill this one")


def test_file_cut_short(tmp_path: Path, refused: Run) -> None:
    """Half a file is no file."""
    path = tmp_path / "town.gpkg"
    town().to_file(path)
    path.write_bytes(path.read_bytes()[:-5000])
    out = tmp_path / "out" / "plan.gpkg"
    says(refused("solve", path, "--workload", "persons", "--grids", 4, "--out", out), "cannot be read as GeoPackage")


def test_wrong_geometry_type(solve: Callable[..., str], tmp_path: Path) -> None:
    """Polygons are no streets."""
    town().to_file(tmp_path / "areas.gpkg")
    says(solve(None, "--streets", tmp_path / "areas.gpkg"), "16 of 16 rows are Polygon", "not lines")


# ---- geometry and ids ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "pattern"),
    [
        (None, "005"),
        (shapely.Polygon(), "005"),
        (shapely.Polygon([(0, 100), (100, 200), (100, 100), (0, 200)]), "005"),
    ],
    ids=["null", "empty", "invalid"],
)
def test_bad_geometry(solve: Callable[..., str], shape: object, pattern: str) -> None:
    """The unit is named by its own id, not by a row."""
    units = town()
    units["geometry"] = [shape if i == 4 else g for i, g in enumerate(units.geometry)]
    says(solve(units), pattern)


def test_duplicate_ids(solve: Callable[..., str]) -> None:
    """A unit has one row."""
    says(solve(changed(3, code="003")), r"1 unit ids occur more than once \(first: '003'\)", "dissolve the rows")


def test_null_ids(solve: Callable[..., str]) -> None:
    """A unit without an id cannot be told of."""
    says(solve(changed(3, code=None)), r"1 units have no id \(first: row 3\)", "Fill the id column")


# ---- workload ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "patterns"),
    [
        (-3.0, ["negative", "'004'", r"-3", "at least 0"]),
        (np.inf, ["infinite", "'004'"]),
        ("many", ["not numeric", "'004'", "'many'"]),
        (np.nan, ["1 values", "'004'", "--missing zero"]),
    ],
    ids=["negative", "infinite", "text", "missing"],
)
def test_bad_workload(solve: Callable[..., str], value: object, patterns: list[str]) -> None:
    """The first offender is named with its value, and the cure is one the command line has."""
    says(solve(changed(3, persons=value)), "'persons'", *patterns)


def test_total_workload_zero(solve: Callable[..., str]) -> None:
    """There is nothing to share out."""
    says(solve(town().assign(persons=0)), "'persons'", "0")


# ---- limits --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grids", [0, -1, 17])
def test_number_of_grids_outside_one_to_units(solve: Callable[..., str], grids: int) -> None:
    """No grid is empty."""
    says(solve(None, "--grids", grids), rf"--grids is {grids}, for 16 units", "Choose 1 to 16")


@pytest.mark.parametrize("tolerance", ["-0.1", "1", "1.5", "nan", "much"])
def test_tolerance_outside_zero_to_one(solve: Callable[..., str], tolerance: str) -> None:
    """1 would allow empty grids."""
    says(solve(None, "--tolerance", tolerance), "tolerance", re.escape(tolerance))


@pytest.mark.parametrize(("lo", "hi"), [(80, 60), (-5, 60), (0, 0), ("few", 60)])
def test_band_upside_down(solve: Callable[..., str], lo: object, hi: object) -> None:
    """The lower limit comes first."""
    says(solve(None, "--band", lo, hi), "band", str(lo))


def test_parent_with_fewer_units_than_grids(solve: Callable[..., str]) -> None:
    """Two wards of eight units have room for sixteen grids."""
    units = town()
    units["ward"] = ["alone" if i == 0 else "rest" for i in range(16)]
    told = solve(units.assign(persons=[1000.0] + [1.0] * 15), "--parent", "ward", "--grids", 1)
    says(told, r"1 grids cannot be shared among 2 parents", "at least 2")


def test_parent_missing(solve: Callable[..., str]) -> None:
    """A unit without a parent belongs nowhere."""
    says(solve(changed(3, ward=None), "--parent", "ward"), "'004'", "parent")


# ---- tables beside the units ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("locks", "patterns"),
    [
        ("unit,kind,group\n001,together,a\n002,together,a\n001,apart,b\n002,apart,b\n", ["contradict", "'001', '002'"]),
        ("unit,kind,group\n001,fixed,G001\n001,fixed,G002\n", ["row 2 fixes unit '001' to G002", "Drop one"]),
        ("unit,kind,group\n001,dedicated,a\n001,dedicated,b\n", ["contradict", "'001'"]),
        ("unit,kind,group\n001,dedicated,a\n016,dedicated,a\n", ["'001', '016'", "not connected"]),
        ("unit,kind,group\n0001,together,a\n002,together,a\n", ["not units", "'0001'", "Did you mean '001'"]),
        ("unit,kind,group\n001,togehter,a\n", ["row 1 has the kind 'togehter'", "Did you mean 'together'"]),
        ("unit,kind,group\n001,together,\n", ["row 1 has no group"]),
        ("unit,kind\n001,together\n", ["no column 'group'"]),
        ("unit,kind,group\n001,fixed,G009\n", ["G009|grid 8", "4 grids"]),
        ("unit,kind,group\n001,fixed,north\n", ["'north' .*names no grid"]),
    ],
)
def test_locks_that_cannot_be_kept(solve: Callable[..., str], tmp_path: Path, locks: str, patterns: list[str]) -> None:
    """Which units, and which of the locks."""
    says(solve(None, "--locks", tmp_path / "locks.csv", locks=locks), *patterns)


def test_locks_across_parents(solve: Callable[..., str], tmp_path: Path) -> None:
    """No grid crosses its parent's boundary, so no compound may."""
    locks = "unit,kind,group\n001,together,a\n016,together,a\n"
    told = solve(None, "--parent", "ward", "--locks", tmp_path / "locks.csv", locks=locks)
    says(told, "'001', '016'", "different parents")


def test_links_to_unknown_units(solve: Callable[..., str], tmp_path: Path) -> None:
    """A table that does not match the units names its strangers."""
    told = solve(None, "--links", tmp_path / "links.csv", links="a,b\n001,0016\n")
    says(told, "not units", "'0016'", "Did you mean '016'")


def test_messages_name_flags_as_they_are_typed(solve: Callable[..., str], tmp_path: Path) -> None:
    """What the library suggests can be pasted: `--class-column 'nope'`, `--islands link`."""
    lines = gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[shapely.LineString([(0, 100), (400, 100)])], crs=32651)
    lines.to_file(tmp_path / "lines.gpkg")
    told = solve(None, "--streets", tmp_path / "lines.gpkg", "--class-column", "nope")
    says(told, "--class-column 'nope' is not a column")
    apart = town()
    apart["geometry"] = [g if i < 8 else shapely.affinity.translate(g, 0, 500) for i, g in enumerate(apart.geometry)]
    says(solve(apart, "--grids", 1), "join them with --links or --islands link")


# ---- METIS ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "patterns"),
    [
        ("4 3\n2\n1 3\n2 4\n", ["line 1", "announces 4 nodes, but 3 lines"]),
        ("4 4\n2\n1 3\n2 4\n3\n", ["line 1", "announces 4 edges, but the lists hold 3"]),
        ("4 3\n2\n1 3\n2 4\n\n", ["line 4", "node 4 does not list node 3"]),
        ("4 3 1\n2 5\n1 5 3 1\n2 1 4 1\n3 2\n", ["line 4", "the other end says 2"]),
        ("4 3\n2\n1 3 2\n2 4\n3\n", ["line 3", "lists itself"]),
    ],
    ids=["nodes", "edges", "one-sided", "weights", "loop"],
)
def test_bad_metis_graph(tmp_path: Path, refused: Run, text: str, patterns: list[str]) -> None:
    """The line is named as an editor counts it."""
    (tmp_path / "g.graph").write_text(text)
    told = refused("solve", tmp_path / "g.graph", "--grids", 2, "--out", tmp_path / "out" / "g.part")
    says(told, r"g\.graph", *patterns)


def test_metis_partition_of_another_graph(tmp_path: Path, refused: Run) -> None:
    """Counts are compared before anything is said about soundness."""
    (tmp_path / "g.graph").write_text("4 3\n2\n1 3\n2 4\n3\n")
    (tmp_path / "g.part").write_text("0\n0\n1\n")
    told = refused("verify", tmp_path / "g.part", "--graph", tmp_path / "g.graph")
    says(told, "3 part numbers, the graph has 4 nodes")


# ---- output --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "patterns"),
    [
        ("nowhere/plan.gpkg", ["folder .*nowhere does not exist", "Create the folder"]),
        ("out", ["written to a GeoPackage", r"out\.gpkg"]),
        ("out/plan.shp", ["written to a GeoPackage", r"plan\.gpkg"]),
        ("folder.gpkg", ["it is a folder"]),
        ("kept.gpkg", ["write-protected"]),
    ],
)
def test_output_that_cannot_be_written(tmp_path: Path, refused: Run, out: str, patterns: list[str]) -> None:
    """It is found before the search, not after; even before the input is read."""
    (tmp_path / "folder.gpkg").mkdir()
    (tmp_path / "kept.gpkg").write_text("kept")
    (tmp_path / "kept.gpkg").chmod(0o444)
    told = refused("solve", tmp_path / "absent.gpkg", "--workload", "n", "--grids", 4, "--out", tmp_path / out)
    says(told, *patterns)


def test_output_of_blocks_that_cannot_be_written(tmp_path: Path, refused: Run) -> None:
    """The same for units."""
    args = ["blocks", "--boundary", "b.gpkg", "--streets", "s.gpkg", "--out"]
    says(refused(*args, tmp_path / "nowhere" / "u.gpkg"), r"nowhere does not exist\. Create the folder")
    says(refused(*args, tmp_path / "u.shp"), r"name it u\.gpkg")


def taken(tmp_path: Path) -> None:
    """Inputs that some output could be named after."""
    town().to_file(tmp_path / "town.gpkg", layer="units")
    (tmp_path / "locks.csv").write_text("unit,kind,group\n001,together,a\n002,together,a\n")
    lines = gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[shapely.LineString([(0, 100), (400, 100)])], crs=32651)
    lines.to_file(tmp_path / "lines.gpkg", layer="lines")
    nodes = [{"id": i, "persons": 1} for i in range(3)]
    (tmp_path / "dual.json").write_text(
        json.dumps(
            {
                "directed": False,
                "multigraph": False,
                "graph": [],
                "nodes": nodes,
                "adjacency": [[{"id": 1}], [{"id": 0}, {"id": 2}], [{"id": 1}]],
            }
        )
    )
    (tmp_path / "g.graph").write_text("3 2\n2\n1 3\n2\n")
    (tmp_path / "link.gpkg").symlink_to("town.gpkg")
    (tmp_path / "g.part").symlink_to("g.graph")
    (tmp_path / "hard.gpkg").hardlink_to(tmp_path / "lines.gpkg")


TOWN = ("--id", "code", "--workload", "persons", "--grids", 4, "--steps", 1000)


@pytest.mark.parametrize(
    ("args", "lost"),
    [
        (("solve", "town.gpkg", *TOWN, "--out", "town.gpkg"), "town.gpkg"),
        (("solve", "town.gpkg:units", *TOWN, "--out", "../{folder}/town.gpkg"), "town.gpkg"),
        (("solve", "town.gpkg", *TOWN, "--out", "link.gpkg"), "link.gpkg"),
        (("solve", "link.gpkg", *TOWN, "--out", "town.gpkg"), "town.gpkg"),
        (("solve", "town.gpkg", *TOWN, "--locks", "locks.csv", "--out", "locks.gpkg"), "locks.csv"),
        (("solve", "town.gpkg", *TOWN, "--streets", "lines.gpkg:lines", "--out", "lines.gpkg"), "lines.gpkg"),
        (("solve", "town.gpkg", *TOWN, "--barriers", "lines.gpkg", "--out", "hard.gpkg"), "hard.gpkg"),
        (("solve", "town.gpkg", *TOWN, "--crossings", "lines.gpkg", "--out", "lines.gpkg"), "lines.gpkg"),
        (("solve", "town.gpkg", *TOWN, "--links", "lines.gpkg", "--out", "lines.gpkg"), "lines.gpkg"),
        (("solve", "dual.json", "--workload", "persons", "--grids", 2, "--out", "dual.gpkg"), "dual.json"),
        (("solve", "g.graph", "--grids", 2, "--out", "g.part"), "g.part"),
        (("blocks", "--boundary", "town.gpkg", "--streets", "lines.gpkg", "--out", "lines.gpkg"), "lines.gpkg"),
        (("blocks", "--boundary", "town.gpkg", "--streets", "lines.gpkg", "--out", "town.gpkg"), "town.gpkg"),
        (
            ("blocks", "--boundary", "town.gpkg", "--streets", "x", "--objects", "n=lines.gpkg", "--out", "lines.gpkg"),
            "lines.gpkg",
        ),
    ],
)
def test_an_input_is_never_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Run, args: tuple[object, ...], lost: str
) -> None:
    """Of all files that would be written, under whatever name or link; people cannot get their data back."""
    taken(tmp_path)
    monkeypatch.chdir(tmp_path)
    told = refused(*(str(a).format(folder=tmp_path.name) for a in args))
    says(told, rf"cannot write \S*{re.escape(lost)}: it is an input", "Choose another name for the output")


def test_the_demo_writes_over_nothing_but_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Run
) -> None:
    """Somebody's plan in the folder stays, whichever of its files are there."""
    monkeypatch.chdir(tmp_path)
    says(refused("demo", "--out", "out"), r"out/plan\.gpkg is not of an earlier demo", "Choose another folder")
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "map.png").write_bytes(b"mine")
    says(refused("demo", "--out", "maps"), r"maps/map\.png is not of an earlier demo")


def test_a_demo_that_fails_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Run) -> None:
    """Whether the option is out of range or the generator refuses."""
    monkeypatch.chdir(tmp_path)
    says(refused("demo", "--city", 3, "--out", "new/folder"), "3 is not in the range x>=16")
    monkeypatch.setattr("gridopt.territory.synthetic.MIN_CITY", 1000)
    says(refused("demo", "--city", 20, "--out", "new/folder"), "give n of at least 1000")


# ---- usage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "patterns"),
    [
        (["solve", "u.gpkg", "--grids", "4", "--out", "p.gpkg"], ["--workload COL"]),
        (["solve", "u.gpkg", "--workload", "n", "--out", "p.gpkg"], ["--grids K", "--band LO HI"]),
        (["solve", "u.gpkg", "--workload", "n", "--grids", "four", "--out", "p.gpkg"], ["'four'"]),
        (
            ["solve", "u.gpkg", "--workload", "n", "--grids", "4", "--steps", "5", "--seconds", "1", "--out", "p.gpkg"],
            ["--seconds and --steps"],
        ),
        (
            ["solve", "u.gpkg", "--workload", "n", "--band", "1", "2", "--tolerance", "0.1", "--out", "p.gpkg"],
            ["--band is absolute"],
        ),
        (["solve", "g.graph", "--workload", "n", "--grids", "4", "--out", "g.part"], ["--workload cannot go with"]),
        (["solve", "g.graph", "--grids", "4", "--out", "g.txt"], [r"name it g\.part"]),
        (["verify", "g.part"], ["add --graph FILE"]),
        (["verify", "plan.gpkg", "--tolerance", "0.1"], [r"plan\.json"]),
        (
            ["blocks", "--boundary", "b.gpkg", "--streets", "s.gpkg", "--objects", "shops", "--out", "u.gpkg"],
            ["NAME=FILE"],
        ),
        (
            ["blocks", "--boundary", "b.gpkg", "--streets", "s.gpkg", "--objects", "unit=x.gpkg", "--out", "u.gpkg"],
            ["'unit' is taken"],
        ),
        (["slove"], ["slove"]),
        (
            [
                "solve",
                "u.gpkg",
                "--workload",
                "n",
                "--grids",
                "4",
                "--seed",
                "99999999999999999999999",
                "--out",
                "p.gpkg",
            ],
            ["--seed", "99999999999999999999999", "0<=x<=9223372036854775807"],
        ),
        (["solve", "g.graph", "--grids", "4", "--islands", "link", "--out", "g.part"], ["--islands link cannot go"]),
        (["solve", "g.graph", "--grids", "4", "--crossings", "x", "--out", "g.part"], ["--crossings cannot go with"]),
    ],
)
def test_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Run, args: list[str], patterns: list[str]
) -> None:
    """Options that do not go together are told apart from bad files."""
    monkeypatch.chdir(tmp_path)
    says(refused(*args), *patterns)
