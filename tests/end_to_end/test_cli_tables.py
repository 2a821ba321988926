"""Tables as offices have them, from the command line: Chinese encodings, Excel, street classes that are numbers."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import gridopt.io.tables as tables
from tests.end_to_end.towns import BRIEF, SOLVE, Run, town


def shops() -> pd.DataFrame:
    """Four shops in the units 001, 001, 006 and 016; one outside."""
    x, y = [20, 80, 150, 350, 900], [20, 80, 150, 350, 900]
    return pd.DataFrame(
        {"编号": ["007", "008", "009", "010", "011"], "x": x, "y": y, "风险": ["高", "低", "低", "高", "高"]}
    )


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_objects_of_a_table_in_gb18030(run: Run, encoding: str) -> None:
    shops().to_csv("shops.csv", index=False, encoding=encoding)
    args = ("count", "town.gpkg", "--id", "code", "--objects", "shops=shops.csv", "--xy", "shops=x,y@EPSG:32651")
    ended = run(*args, "--class", "shops=风险", "--out", "counted.gpkg")
    assert ended.code == 0, ended.err
    assert ("was read as GB18030" in ended.out) == (encoding != "utf-8")
    units = gpd.read_file("counted.gpkg", layer="units").set_index("unit")
    assert units.loc[["001", "006", "016"], ["shops:高", "shops:低"]].values.tolist() == [[1, 1], [0, 1], [1, 0]]
    outside = gpd.read_file("counted.gpkg", layer="outside")
    assert outside["record"].tolist() == ["编号=011, x=900, y=900, 风险=高"]
    stated = run(*args, "--class", "shops=风险", "--encoding", encoding, "--out", "again.gpkg")
    assert "was read as" not in stated.out
    assert gpd.read_file("again.gpkg", layer="units")["shops:低"].sum() == 2
    wrong = run(*args, "--encoding", "ascii", "--out", "no.gpkg")
    assert (wrong.code, Path("no.gpkg").exists()) == (2, False)
    assert "or say its --encoding, such as cp1252" in wrong.err


def test_objects_of_an_excel_sheet(run: Run) -> None:
    pytest.importorskip("openpyxl")
    shops().to_excel("shops.xlsx", sheet_name="店铺", index=False)
    ended = run(
        *("count", "town.gpkg", "--id", "code", "--objects", "shops=shops.xlsx:店铺"),
        *("--xy", "shops=x,y@EPSG:32651", "--out", "counted.gpkg"),
    )
    assert ended.code == 0, ended.err
    assert "4 of 5 in units, 1 outside" in ended.out
    assert gpd.read_file("counted.gpkg", layer="outside")["record"].str.contains("编号=011").all()


def test_overrides_and_locks_in_gb18030(run: Run) -> None:
    Path("pairs.csv").write_bytes("u,v,action,reason\n001,002,part,铁路围墙\n".encode("gb18030"))
    Path("locks.csv").write_bytes("unit,kind,group\n005,together,中学\n006,together,中学\n".encode("gb18030"))
    asked = (*SOLVE, "--overrides", "pairs.csv", "--locks", "locks.csv", *BRIEF, "--out", "plan.gpkg")
    ended = run(*asked)
    assert ended.code == 0, ended.err
    assert ended.out.count("was read as GB18030") == 2
    told = run("why", "town.gpkg", "001", "002", "--id", "code", "--overrides", "pairs.csv")
    assert "铁路围墙" in told.out
    assert run(*asked[:-1], "plan2.gpkg", "--encoding", "gb18030").out.count("was read as") == 0


def streets() -> gpd.GeoDataFrame:
    """North-south lines every 100 m: rank 1, 2, 3 and a row without."""
    lines = [shapely.LineString([(x, -10), (x, 410)]) for x in (100, 200, 300)]
    lines += [shapely.LineString([(-10, 200), (410, 200)])]
    return gpd.GeoDataFrame({"rank": [1, 2, 3, None]}, geometry=lines, crs="EPSG:32651")


@pytest.mark.parametrize("classes", ["1=arterial,2=collector,3=path,=local", "classes.csv"])
def test_street_classes_that_are_numbers(run: Run, classes: str) -> None:
    """The same figures as `classes=` gives in Python: 400 m along each line, in decimetres, by class."""
    streets().to_file("streets.gpkg")
    Path("classes.csv").write_text("rank,class\n1,arterial\n2,collector\n3,path\n,local\n")
    asked = (*SOLVE, "--streets", "streets.gpkg", "--class-column", "rank")
    refused = run(*asked, *BRIEF, "--out", "plan.gpkg")
    assert refused.code == 2
    assert "Translate each with --classes" in refused.err
    ended = run(*asked, "--classes", classes, *BRIEF, "--out", "plan.gpkg", "--map", "plan.png")
    assert ended.code == 0, ended.err
    edges = gpd.read_file("plan.gpkg", layer="adjacency")
    sums = {c: int(edges[f"along_{c}"].sum()) for c in ("arterial", "collector", "local", "path")}
    assert sums == {"arterial": 4000, "collector": 4000, "local": 4000, "path": 4000}
    again = run("rebalance", "plan.gpkg", "--units", "town.gpkg", *BRIEF, "--out", "next.gpkg")
    assert again.code == 0, again.err
    edges = gpd.read_file("next.gpkg", layer="adjacency")
    assert {c: int(edges[f"along_{c}"].sum()) for c in sums} == sums


def test_blocks_of_streets_whose_classes_are_numbers(run: Run) -> None:
    streets().to_file("streets.gpkg")
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 400, 400)], crs="EPSG:32651").to_file("boundary.gpkg")
    asked = ("blocks", "--boundary", "boundary.gpkg", "--streets", "streets.gpkg", "--class-column", "rank")
    ended = run(*asked, "--classes", "1=arterial,2=collector,3=path,=local", "--out", "units.gpkg")
    assert ended.code == 0, ended.err
    assert len(gpd.read_file("units.gpkg", layer="units")) == 6  # the path does not cut
    for classes, says in (
        ("1=motorway,2=local,3=path,=local", "--classes 1=motorway: 'motorway' is no class"),
        ("1:arterial,2:local", "is written 1=arterial,2=local"),
        ("1=arterial,2=local,=local", "not in --classes (first: 3). Translate each with --classes, such as 3=local;"),
    ):
        ended = run(*asked, "--classes", classes, "--out", "u.gpkg")
        assert (ended.code, says in ended.err) == (2, True), ended.err
    ended = run(*asked, "--classes", "1=path,2=path,3=path,=path", "--out", "u.gpkg")
    assert "in --keep (arterial, collector, local)" in ended.err
    streets().rename(columns={"rank": "highway"}).to_file("streets.gpkg")  # the column needs no naming
    ended = run(*asked[:-2], "--classes", "1=arterial,2=local,=local", "--out", "u.gpkg")
    assert (ended.code, "'highway' are not in --classes (first: 3)" in ended.err) == (2, True), ended.err
    streets().to_file("streets.gpkg")
    for odd, says in (
        ("1arterial,2=x", "such as 1=arterial"),
        ("1=local,1=path", "names '1' twice"),
        ("no.csv", "no.csv"),
    ):
        ended = run(*asked, "--classes", odd, "--out", "u.gpkg")
        assert (ended.code, says in ended.err) == (2, True), ended.err


# ---- ids -----------------------------------------------------------------------------------------------------------


def test_rows_that_are_numbered_though_a_column_has_ids_are_told(run: Run) -> None:
    """Plans by row number are of no use to somebody whose blocks have codes: the column is named, others too."""
    coded = town().rename(columns={"code": "blk_code"})
    n = len(coded)
    coded["length"], coded["remark"] = [0.5 * i for i in range(n)], [f"r{i}" for i in range(n)]
    coded["people"] = range(100, 100 + n)
    coded.to_file("coded.gpkg", layer="units")
    ended = run("check", "coded.gpkg")
    assert ended.code == 0, ended.err
    (line,) = [line for line in ended.out.splitlines() if "ids-numbered" in line]
    assert "--id blk_code takes its values" in line
    assert "Others without repeats: remark." in line
    assert "ids-numbered" not in run("check", "coded.gpkg", "--id", "blk_code").out
    assert run("repair", "coded.gpkg", "--out", "mended.gpkg").out.count("ids-numbered") == 1


def test_ids_that_repeat_are_refused_and_a_column_that_would_do_is_named(run: Run) -> None:
    ended = run("check", "town.gpkg", "--id", "ward")
    assert ended.code == 2
    assert "occur more than once" in ended.err
    assert "Column 'ward' was read; without repeats or gaps are code: --id code." in ended.err


def test_a_table_of_locks_is_read_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its encoding is guessed: that is told once, and the locks hold."""
    real, read = tables.read_csv, []
    monkeypatch.setattr(tables, "read_csv", lambda path, *more: (read.append(path.name), real(path, *more))[1])
    text = "unit,kind,group\n001,together,福田区景田社区\n002,together,福田区景田社区\n"
    Path("locks.csv").write_bytes(text.encode("gb18030"))
    ended = run(*SOLVE, *BRIEF, "--locks", "locks.csv", "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    assert read == ["locks.csv"]
    assert ended.out.count("encoding-guessed") == 1
    grids = gpd.read_file("plan.gpkg", layer="units").set_index("unit")["grid"]
    assert grids["001"] == grids["002"]


def test_a_table_of_classes_in_gb18030_is_told_of_by_blocks_too(run: Run) -> None:
    lines = [shapely.LineString([(0, 200), (400, 200)]), shapely.LineString([(200, 0), (200, 400)])]
    gpd.GeoDataFrame({"等级": ["主干道", "支路"]}, geometry=lines, crs=32651).to_file("streets.gpkg")
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 400, 400)], crs=32651).to_file("boundary.gpkg")
    Path("classes.csv").write_bytes("等级,类别\n主干道,arterial\n支路,local\n".encode("gb18030"))
    classes = ("--class-column", "等级", "--classes", "classes.csv")
    ended = run("blocks", "--boundary", "boundary.gpkg", "--streets", "streets.gpkg", *classes, "--out", "u.gpkg")
    assert ended.code == 0, ended.err
    assert ended.out.count("encoding-guessed") == 1
