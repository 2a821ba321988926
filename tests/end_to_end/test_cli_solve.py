"""The command line as a person uses it: streets to units, units to a plan, the plan checked, edited, checked again."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
import shapely.affinity

from gridopt.errors import Finding
from gridopt.io.plan_file import read_plan
from gridopt.model import Problem, Result, Status
from gridopt.rules.verify import verify
from tests.end_to_end.towns import BRIEF, SOLVE, Run, contents, fake, quarters, town


def test_solve_writes_a_sound_plan_and_says_so(run: Run) -> None:
    """Exit 0 means: contiguous, within limits, on disk, and the file alone proves it."""
    ended = run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert ended.out.startswith("status      ")
    for part in (
        "grids       4 of 16 units",
        "persons     280 in all",
        "pieces      4",
        "written     plan.gpkg, plan.csv",
    ):
        assert part in ended.out
    read = read_plan("plan.gpkg")
    assert verify(read.problem, read.plan.labels) == []
    assert read.plan.loads.sum() == 280
    assert {"units", "grids", "borders", "adjacency", "findings"} <= set(pyogrio.list_layers("plan.gpkg")[:, 0])
    document = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert document["status"] in ("OPTIMAL", "FEASIBLE")
    assert (document["seed"], document["problem"]["parameters"]["n_grids"]) == (7, 4)
    assert [i["role"] for i in document["inputs"]] == ["units"]
    checked = run("verify", "plan.gpkg")
    assert (checked.code, checked.out.splitlines()[-1]) == (0, "sound")


def test_steps_and_seed_reproduce_the_plan(run: Run) -> None:
    """Two runs, and two numbers of workers, give the same labels."""
    run(*SOLVE, *BRIEF, "--workers", 1, "--out", "a.gpkg")
    run(*SOLVE, *BRIEF, "--workers", 2, "--out", "b.gpkg")
    assert Path("a.csv").read_text() == Path("b.csv").read_text()
    assert Path("a.csv").read_text().startswith("unit,grid\n001,G001\n")


def test_a_plan_edited_elsewhere_is_checked_again(run: Run) -> None:
    """Moving a unit out of reach of its grid breaks the plan; verify names the grid, and exits with 3."""
    run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    grids = read_plan("plan.gpkg").plan.to_series()
    far = grids["016"]
    with sqlite3.connect("plan.gpkg") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.execute("UPDATE units SET grid = ? WHERE unit = '001'", [far])
    ended = run("verify", "plan.gpkg")
    assert ended.code == 3
    assert "grid-edited" in ended.out
    assert f"not-contiguous: '{far}'" in ended.out
    assert "NOT SOUND" in ended.out


def test_parents_locks_and_links_from_tables(run: Run) -> None:
    """Integer-looking ids with leading zeros find their units, and every lock is kept."""
    Path("locks.csv").write_text(
        "unit,kind,group\n001,together,a\n002,together,a\n003,apart,b\n004,apart,b\n016,dedicated,tower\n005,fixed,G001\n",
        encoding="utf-8-sig",
    )
    Path("links.csv").write_text("from,to,cost\n001,011,5\n")
    more = ("--parent", "ward", "--locks", "locks.csv", "--links", "links.csv")
    ended = run(
        *("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 5, "--tolerance", "0.4"),
        *more,
        *BRIEF,
        "--out",
        "plan.gpkg",
    )
    assert ended.code == 0, ended
    grid = pd.read_csv("plan.csv", dtype=str).set_index("unit")["grid"]
    assert grid["001"] == grid["002"]
    assert grid["003"] != grid["004"]
    assert grid["005"] == "G001"
    assert (grid == grid["016"]).sum() == 1
    wards = town().set_index("code")["ward"]
    assert all(wards[grid.index[grid == g]].nunique() == 1 for g in grid.unique())
    adjacency = pyogrio.read_dataframe("plan.gpkg", layer="adjacency", read_geometry=False)
    assert adjacency[adjacency["kind"] == "link"][["u", "v", "cost"]].values.tolist() == [["001", "011", 5]]
    assert run("verify", "plan.gpkg").code == 0


def test_streets_and_barriers_shape_the_borders(run: Run) -> None:
    """An arterial through the middle is cheap to follow; a river without a bridge is never crossed."""
    line = shapely.LineString([(200, -50), (200, 450)])
    gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[line], crs=32651).to_file("lines.gpkg", layer="streets")
    gpd.GeoDataFrame(geometry=[line], crs=32651).to_file("river.geojson")
    base = ("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 2, "--tolerance", "0.3", *BRIEF)
    ended = run(*base, "--streets", "lines.gpkg", "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert "on streets  100.0% of border length (arterial 100%)" in ended.out
    assert "straddled   0.0%" in ended.out
    ended = run(*base, "--barriers", "river.geojson", "--out", "river.gpkg")
    assert ended.code == 0, ended
    grid = pd.read_csv("river.csv", dtype=str)["grid"].to_numpy().reshape(4, 4)
    assert (grid == np.array(["G001", "G001", "G002", "G002"])).all()


def test_several_workloads(run: Run) -> None:
    """--workload may be given twice; both are balanced."""
    units = town()
    units["hours"] = units["persons"] / 4
    units.to_file("town.gpkg", layer="units")
    ended = run(*SOLVE, "--workload", "hours", *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert "hours       70 in all" in ended.out
    assert read_plan("plan.gpkg").problem.attributes == ("persons", "hours")


def test_a_missing_workload_may_count_as_zero(run: Run) -> None:
    """What the message offers is an option here."""
    units = town()
    units.loc[3, "persons"] = np.nan
    units.to_file("town.gpkg", layer="units")
    ended = run(*SOLVE[:-1], "0.4", "--missing", "zero", *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert run("verify", "plan.gpkg").code == 0


def test_band_derives_the_number_of_grids(run: Run) -> None:
    """280 persons, at most 80 in a grid: four grids."""
    base = ("solve", "town.gpkg", "--id", "code", "--workload", "persons")
    ended = run(*base, "--band", 55, 80, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert "grids       4 of 16 units" in ended.out


def parted() -> gpd.GeoDataFrame:
    """The town, its northern half moved 500 m away."""
    units = town()
    units["geometry"] = [g if i < 8 else shapely.affinity.translate(g, 0, 500) for i, g in enumerate(units.geometry)]
    return units


def test_islands_are_linked_when_asked(run: Run) -> None:
    """Two parts of the town: grids of their own, or one territory joined where it is nearest."""
    parted().to_file("town.gpkg", layer="units")
    base = (*SOLVE[:7], 1, "--tolerance", "0.15", *BRIEF, "--out", "plan.gpkg")
    assert run(*base).code == 2
    ended = run(*base, "--islands", "link")
    assert ended.code == 0, ended
    adjacency = pyogrio.read_dataframe("plan.gpkg", layer="adjacency", read_geometry=False)
    joined = adjacency[adjacency["kind"] == "link"]
    assert set(zip(joined["u"], joined["v"])) <= {("005", "009"), ("006", "010"), ("007", "011"), ("008", "012")}
    assert len(joined) == 1
    assert run("verify", "plan.gpkg").code == 0


def test_a_heavy_unit_stands_alone_or_is_refused(run: Run) -> None:
    """1,000 persons in one unit of 280: exempt and told, or, asked strictly, proved impossible; check says the same."""
    units = town()
    units.loc[0, "persons"] = 1000.0
    units.to_file("town.gpkg", layer="units")
    ended = run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    assert (ended.code, "1 exempt from limits" in ended.out) == (0, True), ended
    strict = run(*SOLVE, *BRIEF, "--heavy", "strict", "--out", "plan.gpkg")
    assert strict.code == 3, strict
    assert "'001'" in strict.out
    assert "--heavy own_grid" in strict.out
    assert [run("check", *SOLVE[1:], "--heavy", how).code for how in ("own_grid", "strict")] == [0, 3]


def test_a_strict_partition_is_verified_strictly(run: Run) -> None:
    """What --heavy said is among the limits beside a partition."""
    Path("g.graph").write_text("4 3 10\n9 2\n1 1 3\n1 2 4\n1 3\n")
    assert run("solve", "g.graph", "--grids", 2, "--tolerance", "0.1", *BRIEF, "--out", "g.part").code == 0
    assert run("verify", "g.part", "--graph", "g.graph").code == 0
    document = json.loads(Path("g.part.json").read_text(encoding="utf-8"))
    assert document["problem"]["parameters"]["heavy"] == "own_grid"
    document["problem"]["parameters"]["heavy"] = "strict"
    Path("g.part.json").write_text(json.dumps(document), encoding="utf-8")
    assert run("verify", "g.part", "--graph", "g.graph").code == 3


def test_crossings_join_what_barriers_part(run: Run) -> None:
    """A river through the town parts it; a bridge joins one pair of units again, for solve and for check."""
    river = shapely.LineString([(-50, 200), (450, 200)])
    gpd.GeoDataFrame(geometry=[river], crs=32651).to_file("water.gpkg", layer="rivers")
    bridge = gpd.GeoDataFrame(geometry=[shapely.LineString([(150, 180), (150, 220)])], crs=32651)
    bridge.to_file("water.gpkg", layer="bridges")
    water = ("--barriers", "water.gpkg:rivers")
    bridged = (*water, "--crossings", "water.gpkg:bridges")
    assert "20 pairs" in run("check", "town.gpkg", "--id", "code", *water).out
    assert "21 pairs" in run("check", "town.gpkg", "--id", "code", *bridged).out
    ended = run(*SOLVE[:7], 1, *bridged, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    adjacency = pyogrio.read_dataframe("plan.gpkg", layer="adjacency", read_geometry=False)
    crossed = adjacency[adjacency["kind"] == "crossing"]
    assert crossed[["u", "v"]].values.tolist() == [["006", "010"]]
    roles = [i["role"] for i in json.loads(Path("plan.json").read_text(encoding="utf-8"))["inputs"]]
    assert roles == ["units", "barriers", "crossings"]


def test_names_in_any_script(run: Run, tmp_path: Path) -> None:
    """Folder, files, layers, columns, parents and ids in Chinese, ids with leading zeros: nothing is mangled or cut."""
    folder = tmp_path / "臺北市 大安區"
    folder.mkdir()
    units = town()
    units["門牌"] = [f"{i:03d}" if i % 2 else f"里{i:03d}號" for i in range(1, 17)]
    units["人口"] = units["persons"]
    units["區"] = units["ward"].map({"south": "南區", "north": "北區"})
    units.drop(columns=["code", "persons", "ward"]).to_file(folder / "街廓.gpkg", layer="街廓")
    (folder / "鎖.csv").write_text(
        "unit,kind,group\n001,together,校\n里002號,together,校\n003,fixed,G001\n", "utf-8-sig"
    )
    ended = run(
        *("solve", f"{folder}/街廓.gpkg:街廓", "--id", "門牌", "--workload", "人口", "--parent", "區", "--grids", 4),
        *("--tolerance", "0.3", "--locks", folder / "鎖.csv", *BRIEF, "--out", folder / "網格.gpkg"),
    )
    assert ended.code == 0, ended
    assert "人口" in ended.out
    read = read_plan(folder / "網格.gpkg")
    assert read.plan.problem.graph.ids.tolist() == units["門牌"].tolist()
    grid = pd.read_csv(folder / "網格.csv", dtype=str).set_index("unit")["grid"]
    assert grid.to_dict() == read.plan.to_series().to_dict()
    assert grid["001"] == grid["里002號"]
    assert grid["003"] == "G001"
    assert set(pyogrio.read_dataframe(folder / "網格.gpkg", layer="grids")["parent"]) == {"南區", "北區"}
    assert [Path(i["path"]).name for i in read.document["inputs"]] == ["街廓.gpkg", "鎖.csv"]
    assert run("verify", folder / "網格.gpkg").code == 0


# ---- outcomes other than a sound plan ------------------------------------------------------------------------------


def test_infeasible_writes_findings_and_no_plan(run: Run) -> None:
    """Two grids of at least 200 from 280 persons: exit 3, plan.json says why, no plan.gpkg."""
    base = ("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 2)
    ended = run(*base, "--band", 200, 210, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 3, ended
    assert "INFEASIBLE" in ended.out
    assert not Path("plan.gpkg").exists()
    assert not Path("plan.csv").exists()
    document = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert document["status"] == "INFEASIBLE"
    assert [f for f in document["findings"] if f["severity"] == "error"]


def test_violated_plans_are_written_with_exit_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best plan there is may be wanted all the same; the exit code tells scripts."""

    def violated(problem: Problem, _: object) -> Result:
        result = quarters(problem, Status.VIOLATED)
        object.__setattr__(result, "exceptions", tuple(verify(problem, result.plan.labels)))
        return result

    fake(monkeypatch, violated)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 3, ended
    assert "error under-limit: 'G001' (value 46, limit 60)" in ended.out
    assert read_plan("plan.gpkg").document["status"] == "VIOLATED"
    assert run("verify", "plan.gpkg").code == 3


def test_no_plan_in_time_writes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit 4, and an old plan stays."""
    run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    before = contents(tmp_path)
    fake(monkeypatch, lambda *_: Result(Status.NO_PLAN, "The budget ended before a plan was found."))
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 4, ended
    assert "The budget ended before a plan was found. Nothing was written." in ended.err
    assert contents(tmp_path) == before


# ---- METIS ---------------------------------------------------------------------------------------------------------


LATTICE = "9 12\n2 4\n1 3 5\n2 6\n1 5 7\n2 4 6 8\n3 5 9\n4 8\n5 7 9\n6 8\n"


def test_metis_graph_in_partition_out(run: Run) -> None:
    """The partition is verified against the limits it was solved for, against others, and against none."""
    Path("g.graph").write_text(LATTICE)
    ended = run("solve", "g.graph", "--grids", 3, *BRIEF, "--out", "g.part")
    assert ended.code == 0, ended
    assert "written     g.part, g.part.json" in ended.out
    assert sorted(Path("g.part").read_text().split()) == list("000111222")
    assert run("verify", "g.part", "--graph", "g.graph").code == 0
    Path("g.part").write_text("0\n0\n0\n0\n1\n1\n2\n2\n1\n")
    own = run("verify", "g.part", "--graph", "g.graph")
    assert own.code == 3
    assert "over-limit: 'G001' (value 4, limit 3)" in own.out
    assert run("verify", "g.part", "--graph", "g.graph", "--tolerance", "0.4").code == 0
    Path("g.part.json").unlink()
    free = run("verify", "g.part", "--graph", "g.graph")
    assert free.code == 0
    assert "Loads are not checked" in free.out
    Path("g.part").write_text("0\n1\n0\n1\n1\n1\n2\n2\n2\n")
    torn = run("verify", "g.part", "--graph", "g.graph")
    assert torn.code == 3
    assert "not-contiguous: 'G001'" in torn.out


def test_metis_partition_in_any_numbering_of_parts(run: Run) -> None:
    """Two components: METIS numbers parts as it likes, and the limits follow."""
    Path("g.graph").write_text("6 4 10\n5 2\n5 1 3\n5 2\n2 5\n2 4 6\n2 5\n")
    Path("g.part").write_text("1\n1\n2\n0\n0\n0\n")
    ended = run("verify", "g.part", "--graph", "g.graph", "--grids", 3, "--tolerance", "0.5")
    assert ended.code == 0, ended
    Path("g.part").write_text("1\n1\n1\n0\n0\n2\n")
    assert run("verify", "g.part", "--graph", "g.graph", "--grids", 3, "--tolerance", "0.1").code == 3


def test_gerrychain_graph_in_plan_without_shapes_out(run: Run) -> None:
    """A dual graph has no polygons: plan.gpkg then holds tables, and verifies all the same."""
    dual = nx.grid_2d_graph(4, 4)
    nx.set_node_attributes(dual, {v: {"persons": 10 + i, "code": f"{i:03d}"} for i, v in enumerate(dual)})
    Path("dual.json").write_text(json.dumps(nx.adjacency_data(nx.convert_node_labels_to_integers(dual))))
    base = ("solve", "dual.json", "--workload", "persons", "--grids", 4, "--tolerance", "0.15", "--id", "code")
    ended = run(*base, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert set(pyogrio.list_layers("plan.gpkg")[:, 1]) == {None}
    assert run("verify", "plan.gpkg").code == 0
    refused = run(*base, "--streets", "x.gpkg", "--out", "plan.gpkg")
    assert (refused.code, "--streets cannot go with a dual graph" in refused.err) == (2, True)


# ---- check, blocks, demo -------------------------------------------------------------------------------------------


def test_check_tells_before_solving(run: Run) -> None:
    """Without limits about shapes, with limits about plans; errors are exit 3."""
    plain = run("check", "town.gpkg", "--id", "code")
    assert (plain.code, plain.out.splitlines()[0]) == (0, "units       16, 24 pairs of neighbours")
    stated = run("check", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 4)
    assert stated.code == 0
    assert "a grid may have 67 to 73" in stated.out
    bad = run("check", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 2, "--band", 200, 210)
    assert bad.code == 3
    assert "no sound plan exists" in bad.out


def test_blocks_counts_objects_and_feeds_solve(run: Run) -> None:
    """Streets in, units with counts out, then a plan of them: nothing is lost on the way."""
    ways = [shapely.LineString([(100 * i, -20), (100 * i, 420)]) for i in range(1, 4)]
    ways += [shapely.LineString([(-20, 100 * i), (420, 100 * i)]) for i in range(1, 4)]
    gpd.GeoDataFrame({"highway": "residential"}, index=range(6), geometry=ways, crs=32651).to_file(
        "city.gpkg", layer="streets"
    )
    gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 400, 400)], crs=32651).to_file("city.gpkg", layer="boundary")
    homes = [shapely.Point(50 + 100 * (i % 4), 50 + 100 * (i // 4)) for i in range(16)] + [shapely.Point(900, 900)]
    gpd.GeoDataFrame(geometry=homes, crs=32651).to_file("city.gpkg", layer="homes")
    ended = run(
        "blocks", "--boundary", "city.gpkg", "--streets", "city.gpkg", "--objects", "homes=city.gpkg", "--out", "u.gpkg"
    )
    assert ended.code == 0, ended
    assert "units       16, 0.16 km²" in ended.out
    assert "homes       16 of 17 in units" in ended.out
    assert "outside: 17" in ended.out
    units = gpd.read_file("u.gpkg", layer="units")
    assert units.area.sum() == pytest.approx(160_000)
    assert units["homes"].tolist() == [1] * 16
    solved = run("solve", "u.gpkg", "--workload", "homes", "--grids", 4, *BRIEF, "--out", "plan.gpkg")
    assert solved.code == 0, solved
    assert run("verify", "plan.gpkg").code == 0


def test_degrees_are_projected_and_said_once(run: Run) -> None:
    """Lengths and areas are metres, whatever the file came in."""
    town().to_crs(4326).to_file("town.gpkg", layer="units")
    ended = run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended
    assert (ended.out + ended.err).count("EPSG:4326") == 1
    assert pyogrio.read_info("plan.gpkg", layer="units")["crs"].startswith("EPSG:326")
    findings = pyogrio.read_dataframe("plan.gpkg", layer="findings", read_geometry=False)
    assert "reprojected" in findings["code"].tolist()


def test_many_findings_are_counted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred exceptions do not scroll the figures away; the files have them all."""
    many = tuple(Finding("heavy-unit", "warning", (f"{i:03d}",), i, 1, "Own grid.") for i in range(1, 101))

    def search(problem: Problem, _: object) -> Result:
        result = quarters(problem)
        object.__setattr__(result, "exceptions", many)
        return result

    fake(monkeypatch, search)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert "… and 88 more" in ended.out
    assert len(pyogrio.read_dataframe("plan.gpkg", layer="findings", read_geometry=False)) >= 100


def test_an_old_plan_beside_an_infeasible_one_is_not_taken_for_it(run: Run) -> None:
    """plan.json of the later run says why there is no plan; the older plan.gpkg is refused with it."""
    run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    base = ("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 2)
    assert run(*base, "--band", 200, 210, "--out", "plan.gpkg").code == 3
    ended = run("verify", "plan.gpkg")
    assert ended.code == 2
    assert "found no plan (INFEASIBLE" in ended.err


def test_a_plan_may_be_moved_with_its_json(run: Run, tmp_path: Path) -> None:
    """Plan files hold no path they depend on: the inputs may be gone."""
    run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    (tmp_path / "elsewhere").mkdir()
    for name in ("plan.gpkg", "plan.json"):
        shutil.move(name, tmp_path / "elsewhere" / name)
    Path("town.gpkg").unlink()
    assert run("verify", "elsewhere/plan.gpkg").code == 0
