"""`gridopt count`: objects and areas come to units that are there, and nothing is lost without being listed."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from tests.end_to_end.towns import BRIEF, Run, contents, town


def shops() -> gpd.GeoDataFrame:
    """Six shops: three in 001, one on the border of 001 and 002, one outside, one without a place."""
    at = [(10, 10), (20, 20), (30, 30), (100, 50), (-500, 10), None]
    points = [None if p is None else shapely.Point(p) for p in at]
    return gpd.GeoDataFrame({"risk": [*"AABB", "A", None], "staff": [1, 2, 3, 4, 5, 6]}, geometry=points, crs=32651)


def figures(column: str, path: str = "u.gpkg") -> dict[str, float]:
    table = gpd.read_file(path, layer="units")
    return {u: v for u, v in zip(table["unit"], table[column]) if v}


def test_count_adds_columns_and_lists_what_is_outside(run: Run) -> None:
    shops().to_file("shops.gpkg")
    ended = run("count", "town.gpkg", "--id", "code", "--objects", "shops=shops.gpkg", "--out", "u.gpkg")
    assert ended.code == 0, ended.err
    assert "shops       4 of 6 in units, 2 outside" in ended.out
    assert figures("shops") == {"001": 4}
    told = gpd.read_file("u.gpkg", layer="conservation").iloc[0]
    assert (told["column"], told["given"], told["located"], told["outside"]) == ("shops", 6, 4, 2)
    lost = gpd.read_file("u.gpkg", layer="outside")
    assert lost["row"].tolist() == [5, 6]
    assert "outside: 5 (value 1). shops: " in ended.out
    assert "no-geometry: 6 (value 1). shops: " in ended.out
    assert lost["record"].tolist() == ["risk=A, staff=5", "staff=6"]
    units = gpd.read_file("u.gpkg", layer="units")
    assert units["persons"].tolist() == town()["persons"].tolist()
    assert run("solve", "u.gpkg", "--workload", "persons", "--grids", 4, *BRIEF, "--out", "plan.gpkg").code in (0, 3)


def test_classes_sums_ties_and_snapping(run: Run) -> None:
    shops().to_file("shops.gpkg")
    base = ("count", "town.gpkg", "--id", "code", "--objects", "s=shops.gpkg")
    assert "s:A" in run(*base, "--class", "s=risk", "--out", "u.gpkg").out
    assert figures("s:A") == {"001": 2}
    assert "s           10 of 21 in units, 11 outside" in run(*base, "--column", "s=staff", "--out", "u.gpkg").out
    assert "5 of 6 in units, 1 outside" in run(*base, "--snap", 600, "--out", "u.gpkg").out
    assert figures("s") == {"001": 5}
    run(*base, "--ties", "even", "--objects", "t=shops.gpkg", "--out", "u.gpkg")
    assert figures("t") == {"001": 4}  # one tie alone: the first of the two
    assert run(*base, "--objects", "s=shops.gpkg", "--out", "u.gpkg").code == 2


def test_tables_take_their_place_from_columns_or_from_another_layer(run: Run) -> None:
    Path("a.csv").write_text("\ufeffname,E,N\n007,50,50\n8,150,50\n9,,\n", encoding="utf-8")
    base = ("count", "town.gpkg", "--id", "code", "--out", "u.gpkg")
    ended = run(*base, "--objects", "a=a.csv", "--xy", "a=E,N@EPSG:32651")
    assert ended.code == 0, ended.err
    assert figures("a") == {"001": 1, "002": 1}
    told = run(*base, "--objects", "a=a.csv")
    assert (told.code, told.err.count("\n")) == (2, 1)
    Path("b.csv").write_text("lot,rooms\n001,3\n001,4\n016,5\nX,6\n")
    town().rename(columns={"code": "lot"}).to_file("lots.gpkg")
    ended = run(*base, "--objects", "b=b.csv", "--at", "b=lots.gpkg@lot", "--column", "b=rooms")
    assert ended.code == 0, ended.err
    assert figures("b") == {"001": 7, "016": 5}
    assert "no-place: 'X'" in ended.out


def test_areas_and_centres_are_spread(run: Run) -> None:
    wards = town().dissolve("ward").reset_index()
    wards["people"] = [801, 80]
    wards.to_file("wards.gpkg")
    base = ("count", "town.gpkg", "--id", "code", "--out", "u.gpkg")
    ended = run(*base, "--spread", "people=wards.gpkg")
    assert ended.code == 0, ended.err
    assert "people      881 of 881 in units, 0 outside" in ended.out
    assert set(figures("people").values()) == {100, 101, 10}
    ended = run(*base, "--spread", "n=wards.gpkg", "--column", "n=people", "--proxy", "persons")
    assert figures("n")["008"] == round(80 * 17 / 108)
    gpd.GeoDataFrame({"jobs": [160]}, geometry=[shapely.Point(200, 200)], crs=32651).to_file("one.gpkg")
    assert "Give radius=" in run(*base, "--spread", "jobs=one.gpkg").err
    at = shapely.points([(100, 100), (300, 100), (100, 300), (300, 300)])
    gpd.GeoDataFrame({"jobs": [4, 8, 12, 16]}, geometry=at, crs=32651).to_file("four.gpkg")
    assert "cells-around-points" in run(*base, "--spread", "jobs=four.gpkg", "--edge", "keep").out
    assert [figures("jobs")[u] for u in ("001", "003", "009", "011")] == [1, 2, 3, 4]


def test_numbers_that_mean_missing(run: Run) -> None:
    wards = town().dissolve("ward").reset_index()
    wards["people"] = [-999, 80]
    wards.to_file("wards.gpkg")
    base = ("count", "town.gpkg", "--id", "code", "--spread", "people=wards.gpkg", "--out", "u.gpkg")
    assert "-999" in run(*base).err
    ended = run(*base, "--null", -999, "--missing", "zero")
    assert "80 of 80 in units" in ended.out
    assert "no-amount: 1 (value 1)" in ended.out


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet", ".csv"])
def test_formats_out_hold_the_same_counts(run: Run, suffix: str) -> None:
    shops().to_file("shops.gpkg")
    out = f"网格{suffix}"
    ended = run("count", "town.gpkg", "--id", "code", "--objects", "shops=shops.gpkg", "--out", out)
    assert ended.code == 0, ended.err
    read = {".csv": lambda f: pd.read_csv(f, dtype={"unit": str}), ".parquet": gpd.read_parquet}
    table = read.get(suffix, gpd.read_file)(out)
    assert dict(zip(table["unit"], table["shops"])) == {f"{i:03d}": 4 * (i == 1) for i in range(1, 17)}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "--objects NAME=FILE, or --spread NAME=FILE"),
        (("--objects", "s=shops.gpkg", "--xy", "s=E"), "--xy is NAME=X,Y or NAME=X,Y@CRS"),
        (("--objects", "s=shops.gpkg", "--at", "s=lots.gpkg"), "--at is NAME=FILE@KEY"),
        (("--objects", "s=shops.gpkg", "--column", "t=staff"), "there is no t among"),
        (("--objects", "s=shops.gpkg", "--column", "s=Staff"), "Did you mean 'staff'"),
        (("--objects", "s=shops.gpkg", "--spread", "s=shops.gpkg"), "'s' is given twice"),
        (
            (
                "--objects",
                "unit=shops.gpkg",
            ),
            "'unit' is taken",
        ),
        (("--objects", "s=town.gpkg", "--out", "town.gpkg"), "it is an input"),
        (("--objects", "s=shops.gpkg", "--out", "u.xls"), "Use .gpkg, .geojson, .parquet, .csv or .xlsx"),
        (("--objects", "s=shops.gpkg", "--xy", "s=staff,staff@EPSG:1"), "EPSG:1"),
    ],
)
def test_senseless_requests_leave_no_file(run: Run, args: tuple[str, ...], says: str) -> None:
    shops().to_file("shops.gpkg")
    before = contents(Path())
    out = () if "--out" in args else ("--out", "u.gpkg")
    ended = run("count", "town.gpkg", "--id", "code", *args, *out)
    assert ended.code == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1
    assert contents(Path()) == before


def test_a_guessed_encoding_is_said_by_every_command(run: Run) -> None:
    """A shapefile in GBK without .cpg: names are right in the plan, and the guess is among the findings."""
    units = town().assign(名称=[f"第{i}网格" for i in range(1, 17)])
    units.to_file("网格.shp", encoding="gbk")
    Path("网格.cpg").unlink()
    shops().to_file("shops.gpkg")
    ended = run("count", "网格.shp", "--id", "名称", "--objects", "shops=shops.gpkg", "--out", "u.gpkg")
    assert ended.code == 0, ended.err
    assert "encoding-guessed" in ended.out
    assert figures("shops") == {"第1网格": 4}
    ended = run(
        "solve",
        "网格.shp",
        "--id",
        "名称",
        "--workload",
        "persons",
        "--grids",
        4,
        *BRIEF,
        "--tolerance",
        "0.2",
        "--out",
        "p.gpkg",
    )
    assert ended.code == 0, ended.err
    assert "encoding-guessed" in ended.out
    assert gpd.read_file("p.gpkg", layer="units")["unit"].tolist()[0] == "第1网格"
    assert run("verify", "p.gpkg").code == 0


def test_objects_of_a_web_map_are_converted_and_said_to_be(run: Run) -> None:
    """Points in GCJ-02 lie some 500 m off: with their datum said they are counted where they are, by both commands."""
    import numpy as np

    from gridopt.territory.datum import wgs84_to_gcj02

    here = town().set_geometry(town().translate(400_000, 3_500_000))
    here.to_file("here.gpkg", layer="units")
    lon, lat = here.centroid.to_crs(4326).x.to_numpy(), here.centroid.to_crs(4326).y.to_numpy()
    shifted = np.column_stack(wgs84_to_gcj02(lon, lat))
    pd.DataFrame({"lon": shifted[:, 0], "lat": shifted[:, 1]}).to_csv("amap.csv", index=False)
    base = ("count", "here.gpkg", "--id", "code", "--objects", "shops=amap.csv", "--out", "u.gpkg")
    assert "16 of 16 in units" not in run(*base).out
    for datum in ("gcj02", "GCJ-02"):
        ended = run(*base, "--source-datum", f"shops={datum}")
        assert ended.code == 0, ended.err
        assert "16 of 16 in units, 0 outside" in ended.out
        assert "datum-converted: 'shops' (value gcj02)" in ended.out
        assert set(figures("shops").values()) == {1}
    ended = run("check", "u.gpkg:units", "--source-datum", "units=gcj02")
    assert "was made from shops that were converted" in ended.err
    assert "there is no 'streets' here, but units, shops" in run(*base, "--source-datum", "streets=gcj02").err
    assert "such as streets=gcj02" in run(*base, "--source-datum", "shops=gcj").err
    here.dissolve().to_file("outline.gpkg")
    gpd.GeoDataFrame(geometry=here.boundary.iloc[[5]].to_list(), crs=here.crs).to_file("streets.gpkg")
    made = ("blocks", "--boundary", "outline.gpkg", "--streets", "streets.gpkg", "--out", "b.gpkg")
    ended = run(*made, "--objects", "shops=amap.csv", "--source-datum", "shops=gcj02")
    assert "16 of 16 in units, 0 outside" in ended.out, ended.err
    told = gpd.read_file("b.gpkg", layer="findings").set_index("code")
    assert "shops" in told.loc["datum-converted", "ids"]
    ended = run(*made, "--objects", "streets=amap.csv", "--source-datum", "streets=gcj02")
    assert "two layers are called 'streets'" in ended.err
