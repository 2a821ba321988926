"""Territory as planners have it, from the command line: polygons that do not fit, layers that do not match."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from tests.end_to_end.towns import BRIEF, Run, contents, squares


def dirty_town() -> gpd.GeoDataFrame:
    """Sixteen squares: 002 reaches 1 m into 003, a crack of 0.4 m before 006, 016 drawn twice (as 017)."""
    town = squares(4, 4)
    shapes = town.geometry.to_numpy().copy()
    shapes[1] = shapely.box(100, 0, 201, 100)
    shapes[5] = shapely.box(100.4, 100, 200, 200)
    town = town.set_geometry(gpd.GeoSeries(shapes, crs=town.crs))
    twin = town.iloc[[15]].assign(code="017")
    return pd.concat([town, twin], ignore_index=True)


def test_repair_makes_units_fit_and_says_what_moved(run: Run) -> None:
    """Overlap 100 m2, gap 40 m2, a duplicate of 10,000 m2: the account adds up, and a plan can be made."""
    dirty_town().to_file("dirty.gpkg", layer="units")
    ended = run("repair", "dirty.gpkg", "--id", "code", "--workload", "persons", "--out", "clean.gpkg")
    assert ended.code == 0, ended.err
    assert "units       16 of 17; 4 changed" in ended.out
    account = gpd.read_file("clean.gpkg", layer="account").set_index("step")["area_m2"].round(6).to_dict()
    assert account == {
        **{"as given": 170_060, "rings mended": 0, "spikes cut": 0, "duplicates dropped": -10_000},
        **{"overlaps removed": -100, "gaps filled": 40, "crumbs handed over": 0, "after": 160_000, "unexplained": 0},
    }
    units = gpd.read_file("clean.gpkg", layer="units").set_index("unit")
    assert shapely.coverage_is_valid(units.geometry.to_numpy())
    assert units.at["016", "persons"] == 50
    defects = gpd.read_file("clean.gpkg", layer="defects")
    assert defects["kind"].tolist() == ["duplicate-polygon", "overlap", "gap"]
    assert set(defects.geom_type) == {"Point"}
    solved = run("solve", "clean.gpkg:units", "--workload", "persons", "--grids", 4, "--tolerance", "0.2", *BRIEF)
    assert solved.code == 2  # no --out
    ended = run(
        *("solve", "clean.gpkg:units", "--workload", "persons", "--grids", 4, "--tolerance", "0.2"),
        *(*BRIEF, "--out", "plan.gpkg"),
    )
    assert ended.code == 0, ended.err
    assert run("verify", "plan.gpkg").code == 0


def test_units_in_pieces_become_units_when_asked(run: Run) -> None:
    """One unit on both sides of another: listed by default, two units with `--split-multipart`, persons shared out."""
    town = gpd.read_file("town.gpkg")
    town = town.dissolve(by=town["code"].replace("003", "001"), aggfunc={"persons": "sum"}).reset_index()
    persons = int(town["persons"].sum())
    town.to_file("pieces.gpkg", layer="units")
    ended = run("repair", "pieces.gpkg", "--id", "code", "--out", "whole.gpkg")
    assert "several-parts: '001' (value 1)" in ended.out
    assert "unless --split-multipart makes more of them" in ended.out
    assert "parts" not in gpd.list_layers("whole.gpkg")["name"].tolist()
    ended = run(
        "repair", "pieces.gpkg", "--id", "code", "--workload", "persons", "--split-multipart", "--out", "u.gpkg"
    )
    assert ended.code == 0, ended.err
    assert "parts       2 pieces, each a unit now, of 1 units in pieces" in ended.out
    units = gpd.read_file("u.gpkg", layer="units").set_index("unit")
    assert len(units) == 16
    assert units.index[:3].tolist() == ["001-1", "001-2", "002"]
    assert units["persons"].sum() == persons
    parts = gpd.read_file("u.gpkg", layer="parts")
    assert parts[["part", "unit", "share"]].values.tolist() == [["001-1", "001", 0.5], ["001-2", "001", 0.5]]


def test_check_lists_every_defect_with_its_place(run: Run) -> None:
    """The table names kind, units, square metres, metres and degrees; a layer that fits has none."""
    dirty_town().to_file("dirty.gpkg", layer="units")
    ended = run("check", "dirty.gpkg", "--id", "code", "--defects", "defects.csv")
    assert ended.code == 0, ended.err
    assert "overlap: '002', '003' (value 1, 100.00 m2). Ground in several units; gridopt repair" in ended.out
    table = pd.read_csv("defects.csv", dtype={"units": str}).set_index("kind")
    assert table.loc["gap", "units"] == "005; 006; 002; 010"
    assert table.loc["gap", ["area_m2", "width_m", "x", "y"]].tolist() == pytest.approx([40, 0.4, 100.2, 150], abs=0.01)
    place = gpd.GeoSeries([shapely.Point(table.loc["gap", ["lon", "lat"]])], crs=4326).to_crs(32651)[0]
    assert place.distance(shapely.Point(100.2, 150)) < 0.05
    clean = run("check", "town.gpkg", "--id", "code", "--defects", "none.gpkg")
    assert clean.code == 0, clean.err
    assert len(gpd.read_file("none.gpkg", layer="defects")) == 0


def test_check_says_where_invalid_rings_are_before_it_refuses_them(run: Run) -> None:
    """Exit code 2 and one message, as for any input that cannot be used; the places stand above it."""
    town = squares(4, 4)
    shapes = town.geometry.to_numpy().copy()
    shapes[0] = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    town.set_geometry(gpd.GeoSeries(shapes, crs=town.crs)).to_file("bow.gpkg", layer="units")
    ended = run("check", "bow.gpkg", "--id", "code")
    assert ended.code == 2
    assert "error invalid-geometry: '001'" in ended.out
    assert "at (50.0, 50.0)" in ended.out
    assert "gridopt repair" in ended.err
    assert run("repair", "bow.gpkg", "--id", "code", "--out", "mended.gpkg").code == 0
    assert run("check", "mended.gpkg:units").code == 0


def test_repair_refuses_what_it_cannot_write(run: Run) -> None:
    """Another suffix, or the input itself: nothing is touched."""
    before = contents(Path())
    assert "GeoPackage" in run("repair", "town.gpkg", "--out", "clean.csv").err
    assert "is an input" in run("repair", "town.gpkg", "--out", "town.gpkg").err
    assert (
        "--crs EPSG:4326 measures in degree" in run("repair", "town.gpkg", "--crs", "EPSG:4326", "--out", "c.gpkg").err
    )
    assert contents(Path()) == before


# ---- who borders whom ------------------------------------------------------------------------------------------------


def test_why_answers_with_the_options_of_solve(run: Run) -> None:
    """A river between 001 and 002, and a row that joins them again, with its reason."""
    river = gpd.GeoDataFrame(
        {"name": ["Mill Brook"]}, geometry=[shapely.LineString([(100, -9), (100, 409)])], crs=32651
    )
    river.to_file("river.gpkg", layer="barriers")
    asked = ("town.gpkg", "001", "002", "--id", "code", "--barriers", "river.gpkg")
    ended = run("why", *asked, "--workload", "persons", "--grids", 4)
    assert ended.code == 0, ended.err
    assert "'001' and '002' are not neighbours." in ended.out
    assert "The barrier 'Mill Brook' runs along 100.0 m of it." in ended.out
    Path("overrides.csv").write_text("u,v,action,reason\n001,002,join,footbridge since May\n", encoding="utf-8")
    ended = run("why", *asked, "--overrides", "overrides.csv")
    assert "'001' and '002' are neighbours." in ended.out
    assert "Row 1 of --overrides joins them: footbridge since May." in ended.out
    assert run("why", "town.gpkg", "001", "999", "--id", "code").code == 2


def test_overrides_reach_the_plan(run: Run) -> None:
    """Two pairs are parted, so that the town falls in two: each half gets grids of its own."""
    rows = [f"{a:03d},{a + 4:03d},part,motorway" for a in range(5, 9)]
    Path("overrides.csv").write_text("\n".join(["u,v,action,reason", *rows]) + "\n", encoding="utf-8")
    ended = run("check", "town.gpkg", "--id", "code", "--overrides", "overrides.csv")
    assert "override (value 4). Rows of --overrides joined 0 pairs of units and parted 4." in ended.out
    assert "several-components" in ended.out
    solve = ("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 2, "--tolerance", "0.3", *BRIEF)
    ended = run(*solve, "--overrides", "overrides.csv", "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    units = gpd.read_file("plan.gpkg", layer="units")
    assert units.groupby("grid")["code"].agg(sorted).tolist() == [
        [f"{i:03d}" for i in range(1, 9)],
        [f"{i:03d}" for i in range(9, 17)],
    ]
    assert run("verify", "plan.gpkg").code == 0


# ---- layers that do not match ----------------------------------------------------------------------------------------


def wards() -> gpd.GeoDataFrame:
    """Two wards, their boundary 30 m off the row of units it should follow."""
    shapes = [shapely.box(0, 0, 400, 230), shapely.box(0, 230, 400, 400)]
    return gpd.GeoDataFrame({"ward": ["south", "north"]}, geometry=shapes, crs=32651)


def test_parents_come_from_a_layer_digitised_apart(run: Run) -> None:
    """Units of the third row lie to 70 % in the north: listed with both shares, and grids keep to the wards."""
    wards().to_file("wards.gpkg", layer="parents")
    asked = ("town.gpkg", "--id", "code", "--parents", "wards.gpkg", "--parent", "ward")
    ended = run("check", *asked, "--parent-table", "parents.csv")
    assert ended.code == 0, ended.err
    assert "parents     2; 12 of 16 units clear" in ended.out
    assert "009: north 70.0%, south 30.0%, outside 0.0%" in ended.out
    assert "doubtful-parent: '009', '010', '011', '012' (value 4 of 16, limit 0.95)" in ended.out
    table = pd.read_csv("parents.csv", dtype={"unit": str}).set_index("unit")
    assert table.loc["009", ["parent", "share", "second"]].tolist() == ["north", 0.7, "south"]
    assert "16 of 16 units clear" in run("check", *asked, "--parent-share", "0.7").out
    solve = ("--workload", "persons", "--grids", 4, "--tolerance", "0.3", *BRIEF, "--out", "plan.gpkg")
    ended = run("solve", *asked, *solve)
    assert ended.code == 0, ended.err
    units = gpd.read_file("plan.gpkg", layer="units")
    assert units.groupby("grid")["parent"].nunique().tolist() == [1, 1, 1, 1]
    assert units.loc[units["unit"] == "009", "parent_share"].tolist() == [pytest.approx(0.7)]
    assert run("verify", "plan.gpkg").code == 0


def test_parents_ask_for_what_they_need(run: Run) -> None:
    """A column of the layer, a table for which there are parents, a CSV."""
    wards().to_file("wards.gpkg", layer="parents")
    asked = ("check", "town.gpkg", "--id", "code", "--parents", "wards.gpkg")
    assert "--parent COL" in run(*asked).err
    ended = run(*asked, "--parent", "wrad")
    assert (ended.code, "'ward'" in ended.err) == (2, True)
    assert "--parents" in run("check", "town.gpkg", "--parent-table", "t.csv").err
    assert "CSV" in run(*asked, "--parent", "ward", "--parent-table", "t.gpkg").err


def test_seams_are_crossed_when_asked(run: Run) -> None:
    """The northern half is 3 m off: two components, one with --snap."""
    town = squares(4, 4)
    town["geometry"] = [g if i < 8 else shapely.affinity.translate(g, 0, 3) for i, g in enumerate(town.geometry)]
    town.to_file("apart.gpkg", layer="units")
    ended = run("check", "apart.gpkg", "--id", "code")
    assert "several-components: '009' (value 2, limit 1)" in ended.out
    assert "raise --snap" in ended.out or "--snap join parts" in ended.out
    ended = run("check", "apart.gpkg", "--id", "code", "--snap", 4)
    assert "16, 24 pairs of neighbours" in ended.out
    assert "several-components" not in ended.out


def test_why_offers_the_snap_that_closes_a_crack(run: Run) -> None:
    """Two halves 0.4 m apart: the flag that is offered makes neighbours."""
    town = squares(2, 1)
    town["geometry"] = [town.geometry[0], shapely.affinity.translate(town.geometry[1], 0, 0.4)]
    town.to_file("apart.gpkg", layer="units")
    asked = ("why", "apart.gpkg", "001", "002", "--id", "code")
    told = run(*asked).out
    assert "With --snap 0.41 the gap counts as a border." in told
    assert "are neighbours" in run(*asked, "--snap", "0.41").out


def test_web_map_streets_are_recognised_and_converted(run: Run) -> None:
    """Streets of a generated town in GCJ-02: check names the cause and the flag; with it they fit."""
    import numpy as np

    import gridopt as go
    from gridopt.territory.datum import wgs84_to_gcj02

    city = go.synthetic.city(300, seed=3)
    city.units.reset_index().to_file("units.gpkg", layer="units")
    degrees = city.streets.to_crs(4326)
    moved = shapely.transform(degrees.geometry.to_numpy(), lambda c: np.column_stack(wgs84_to_gcj02(*c.T)))
    degrees.set_geometry(gpd.GeoSeries(moved, crs=4326)).to_file("streets.gpkg", layer="streets")
    asked = ("check", "units.gpkg", "--streets", "streets.gpkg")
    ended = run(*asked)
    assert "shifted-gcj02: 'streets', 'units'" in ended.out
    assert "--source-datum" in ended.out
    ended = run(*asked, "--source-datum", "streets=gcj02")
    assert ended.code == 0, ended.err
    assert "shifted" not in ended.out
    assert "LAYER=DATUM" in run(*asked, "--source-datum", "gcj02").err


def test_what_was_converted_is_not_converted_again(run: Run) -> None:
    """Units of a web map: a plan of them lies in WGS 84, and so do blocks cut from a converted boundary."""
    import numpy as np

    from gridopt.territory.datum import wgs84_to_gcj02

    town = squares(4, 4).assign(geometry=lambda t: t.translate(400_000, 3_500_000)).to_crs(4326)
    moved = shapely.transform(town.geometry.to_numpy(), lambda c: np.column_stack(wgs84_to_gcj02(*c.T)))
    web = town.set_geometry(gpd.GeoSeries(moved, crs=4326))
    web.to_file("web.gpkg", layer="units")
    asked = ("--workload", "persons", "--grids", 4, "--tolerance", "0.2", *BRIEF, "--source-datum", "units=gcj02")
    ended = run("solve", "web.gpkg", "--id", "code", *asked, "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    assert "datum-converted: 'units' (value gcj02)" in ended.out
    plan = gpd.read_file("plan.gpkg", layer="units").to_crs(4326)
    assert plan.geometry.iloc[0].centroid.distance(town.geometry.iloc[0].centroid) < 1e-6
    ended = run("solve", "plan.gpkg:units", *asked, "--out", "twice.gpkg")
    assert (ended.code, Path("twice.gpkg").exists()) == (2, False)
    assert "was made from units that were converted to WGS 84" in ended.err
    assert run("rebalance", "plan.gpkg", *BRIEF, "--out", "next.gpkg").code == 0
    after = gpd.read_file("next.gpkg", layer="units")
    assert after.total_bounds.tolist() == gpd.read_file("plan.gpkg", layer="units").total_bounds.tolist()
    after[["unit", "persons"]].drop(columns="geometry", errors="ignore").to_csv("table.csv", index=False)
    counted = ("--objects", "persons=table.csv", "--at", "persons=next.gpkg:units@unit", "--column", "persons=persons")
    assert run("count", "next.gpkg", *counted, "--out", "counted.gpkg").code == 0
    assert run("repair", "counted.gpkg", "--out", "mended.gpkg").code == 0
    for source in ("next.gpkg:units", "counted.gpkg:units", "mended.gpkg:units"):  # what was converted two files ago
        ended = run("check", source, "--source-datum", "units=gcj02")
        assert "was made from units that were converted" in ended.err, source
    assert run("rebalance", "plan.gpkg", "--units", "counted.gpkg", *BRIEF, "--out", "third.gpkg").code == 0
    third = gpd.read_file("third.gpkg", layer="units")  # the plan's units=gcj02 is not for units made of the plan
    assert third.to_crs(4326).total_bounds == pytest.approx(town.total_bounds, abs=1e-6)
    again = run("rebalance", "plan.gpkg", "--units", "web.gpkg", *BRIEF, "--out", "next2.gpkg")
    assert again.code == 0, again.err
    web.dissolve().to_file("boundary.gpkg")
    line = gpd.GeoDataFrame(geometry=web.boundary.iloc[[5]].to_list(), crs=4326)
    line.to_file("streets.gpkg")
    datums = ("--source-datum", "boundary=gcj02", "--source-datum", "streets=gcj02")
    ended = run("blocks", "--boundary", "boundary.gpkg", "--streets", "streets.gpkg", *datums, "--out", "blocks.gpkg")
    assert ended.code == 0, ended.err
    ended = run("check", "blocks.gpkg:units", "--source-datum", "units=gcj02")
    assert "was made from boundary, streets that were converted" in ended.err
    town.dissolve().to_file("true.gpkg")
    made = ("blocks", "--boundary", "true.gpkg", "--streets", "streets.gpkg", "--source-datum", "streets=GCJ-02")
    ended = run(*made, "--out", "blocks2.gpkg")
    assert ended.code == 0, ended.err
    ended = run("check", "blocks2.gpkg:units", "--source-datum", "units=gcj02")
    assert ended.code == 2
    assert "was made from streets that were converted" in ended.err


def test_degrees_that_are_labelled_as_metres_are_one_clear_error(run: Run) -> None:
    """A file whose system was set, not converted."""
    town = squares(2, 2)
    there = town.set_geometry(town.translate(400_000, 2_770_000))
    town = there.to_crs(4326).set_crs(32651, allow_override=True)
    town.to_file("wrong.gpkg", layer="units")
    ended = run("check", "wrong.gpkg", "--id", "code")
    assert ended.code == 2
    assert "are degrees" in ended.err
    assert "Traceback" not in ended.err


def test_messages_name_the_flags_that_this_command_has(run: Run) -> None:
    """--crs and --snap are flags of check, not of blocks: errors and findings say so."""
    ended = run("check", "town.gpkg", "--crs", "EPSG:4326")
    assert (ended.code, "--crs EPSG:4326 measures in degree" in ended.err) == (2, True)
    town = squares(2, 2)
    town.to_crs(4326).to_file("degrees.gpkg", layer="boundary")
    line = gpd.GeoDataFrame(geometry=[shapely.LineString([(-9, 100), (209, 100)])], crs=32651)
    line.to_crs(4326).to_file("streets.gpkg", layer="streets")
    ended = run("blocks", "--boundary", "degrees.gpkg", "--streets", "streets.gpkg", "--out", "blocks.gpkg")
    assert ended.code == 0, ended.err
    assert "--crs" not in ended.out or "crs" in run("blocks", "--help").out


def test_why_reads_ids_as_the_units_have_them(run: Run) -> None:
    """Rows without an id column are numbered: 2 is a number, 99 is none of them."""
    assert "1 and 2 are neighbours" in run("why", "town.gpkg", "1", "2").out
    ended = run("why", "town.gpkg", "1", "99")
    assert (ended.code, "99" in ended.err, "convert" in ended.err) == (2, True, False)
