"""`gridopt rebalance` as a person runs it, and a year of changes through files."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

import gridopt as go
from gridopt.planning.lineage import Lineage
from tests.end_to_end.towns import BRIEF, SOLVE, Run, contents, squares, town

STEPS = ("--steps", 60_000)


@pytest.fixture
def plan(run: Run) -> Run:
    """A plan of the town in plan.gpkg."""
    assert run(*SOLVE, *BRIEF, "--out", "plan.gpkg").code == 0
    return run


def grids(path: str) -> pd.Series:
    return go.read_plan(path).plan.to_series()


def lineage(path: str) -> Lineage:
    return Lineage.from_dict(go.read_plan(path).document["lineage"])


def heavier(unit: str, persons: float) -> None:
    """The town a month later: one unit has grown."""
    units = town()
    units.loc[units["code"] == unit, "persons"] = persons
    units.to_file("later.gpkg", layer="units")


def test_a_town_that_grew_is_balanced_again(plan: Run):
    heavier("001", 40.0)
    ended = plan("rebalance", "plan.gpkg", "--units", "later.gpkg", *STEPS, "--date", "2026-03-01", "--out", "new.gpkg")
    assert ended.code == 0, ended
    before, after = grids("plan.gpkg"), grids("new.gpkg")
    moved = before.index[before != after]
    assert 1 <= len(moved) <= 4
    assert f"moved       {len(moved)} of 16 units" in ended.out
    assert "had to move" in ended.out
    assert plan("verify", "new.gpkg").code == 0
    layer = pyogrio.read_dataframe("new.gpkg", layer="moves")
    assert sorted(layer["unit"]) == sorted(moved)
    assert dict(zip(layer["unit"], layer["to"])) == after[moved].to_dict()
    assert (layer["reason"] != "").all()
    history = lineage("new.gpkg")
    assert history.generation == 1
    assert {(r.operation, r.date) for r in history.records} == {("move", "2026-03-01")}
    assert sum(r.units for r in history.records) == len(moved)
    compared = plan("compare", "plan.gpkg", "new.gpkg")
    assert f"moved       {len(moved)} of 16 units" in compared.out


def test_nothing_moves_where_nothing_has_to(plan: Run):
    ended = plan("rebalance", "plan.gpkg", *STEPS, "--out", "new.gpkg")
    assert ended.code == 0, ended
    assert "moved       0 of 16 units" in ended.out
    assert grids("plan.gpkg").equals(grids("new.gpkg"))
    assert lineage("new.gpkg").family == lineage("plan.gpkg").family


def test_ids_are_never_given_again(plan: Run):
    """Four grids, five, four, five: the grid that ended leaves its number behind."""
    seen: list[set[str]] = [set(grids("plan.gpkg"))]
    for step, k in enumerate((5, 3, 5), start=1):
        old = "plan.gpkg" if step == 1 else f"p{step - 1}.gpkg"
        ended = plan("rebalance", old, "--grids", k, "--tolerance", "0.3", *STEPS, "--out", f"p{step}.gpkg")
        assert ended.code == 0, ended
        seen.append(set(grids(f"p{step}.gpkg")))
        assert len(seen[-1]) == k
    assert seen[1] - seen[0] == {"G005"}
    ended_ids = seen[1] - seen[2]
    assert len(ended_ids) == 2
    assert seen[3] - seen[2] == {"G006", "G007"}
    history = lineage("p3.gpkg")
    assert set(history.retired) == ended_ids
    operations = [r.operation for r in history.records]
    assert operations.count("new") == 3
    assert operations.count("retired") == 2
    assert {"split", "merge"} <= set(operations)


def test_units_that_changed_inherit_their_grids(plan: Run):
    """001 is cut in two, 006 and 007 become one, 016 is pulled down, 017 is built beside 013."""
    units = town().set_index("code", drop=False)
    rows = {
        "001a": (0, 0, 40, 100, 4.0),
        "001b": (40, 0, 100, 100, 6.0),
        "0067": (100, 100, 300, 200, 31.0),
        "017": (0, 400, 100, 500, 9.0),
    }
    more = gpd.GeoDataFrame(
        {"code": list(rows), "persons": [r[4] for r in rows.values()], "ward": "x"},
        geometry=[shapely.box(*r[:4]) for r in rows.values()],
        crs=units.crs,
    )
    kept = units.drop(index=["001", "006", "007", "016"]).reset_index(drop=True)
    pd.concat([kept, more]).to_file("later.gpkg", layer="units")
    args = ("--units", "later.gpkg", "--tolerance", "0.3", *STEPS, "--map", "moves.png", "--out", "new.gpkg")
    ended = plan("rebalance", "plan.gpkg", *args)
    assert ended.code == 0, ended
    assert "new units   1" in ended.out
    before, after = grids("plan.gpkg"), grids("new.gpkg")
    assert set(after.index) == set(kept["code"]) | set(rows)
    found = pyogrio.read_dataframe("new.gpkg", layer="findings", read_geometry=False)
    told = found[found["code"] == "ambiguous-grid"]["ids"].tolist()
    assert told == (["0067"] if before["006"] != before["007"] else [])
    assert found[found["code"] == "unit-gone"]["ids"].tolist() == ["016"]
    assert found[found["code"] == "unit-new"]["ids"].tolist() == ["017"]
    moves = set(pyogrio.read_dataframe("new.gpkg", layer="moves")["unit"])
    for unit, was in {**{u: u for u in kept["code"]}, "001a": "001", "001b": "001"}.items():
        assert (unit in moves) == (after[unit] != before[was])
    assert Path("moves.png").read_bytes()[:4] == b"\x89PNG"


def test_points_decide_where_merged_units_belong(plan: Run):
    """A unit made of two halves, of two grids, goes where nine of its ten households are."""
    before = grids("plan.gpkg")
    pair = next(
        (a, b) for a, b in (("001", "005"), ("002", "006"), ("003", "004"), ("006", "007")) if before[a] != before[b]
    )
    units = town().set_index("code", drop=False)
    shape = units.loc[list(pair)].union_all()
    both = units.loc[[pair[0]]].assign(code="both", persons=units.loc[list(pair), "persons"].sum(), geometry=[shape])
    pd.concat([units.drop(index=list(pair)), both], ignore_index=True).to_file("later.gpkg", layer="units")
    for home, other in (pair, pair[::-1]):
        at = [units.geometry[home].centroid] * 9 + [units.geometry[other].centroid]
        gpd.GeoDataFrame(geometry=at, crs=units.crs).to_file("homes.gpkg")
        args = ("--units", "later.gpkg", "--points", "homes.gpkg", "--tolerance", "0.6", *STEPS, "--out", "new.gpkg")
        assert plan("rebalance", "plan.gpkg", *args).code == 0
        assert grids("new.gpkg")["both"] == before[home]


@pytest.mark.parametrize("key", ["unit", "code"])
def test_a_table_of_workloads_is_brought_to_the_units_by_the_line_the_error_gives(plan: Run, key: str):
    """What a person does: the table itself is refused with the two commands, and these work as they are."""
    today = town().set_index("code")["persons"] + 1
    today["001"] = 40.0
    today.rename_axis(key).to_csv("march.csv")
    ended = plan("rebalance", "plan.gpkg", "--units", "march.csv", *STEPS, "--out", "next.gpkg")
    assert ended.code == 2
    line = ended.err.partition("first: ")[2].partition("; then give --units new.gpkg")[0]
    assert line.startswith("gridopt count ")
    assert f"units@{key} " in line
    ended = plan(*shlex.split(line)[1:])
    assert ended.code == 0, ended.err
    assert "in units, 0 outside" in ended.out
    assert "column-emptied" not in ended.out
    ended = plan("rebalance", "plan.gpkg", "--units", "new.gpkg", *STEPS, "--out", "next.gpkg")
    assert ended.code in (0, 3), ended.err
    assert "moved " in ended.out
    assert go.read_plan("next.gpkg").units["persons"].to_dict() == today.to_dict()
    today.iloc[:3].rename_axis(key).to_csv("march.csv")  # only those that changed
    assert "warning column-emptied: '004', " in plan(*shlex.split(line)[1:]).out


def test_frozen_grids_keep_their_units(plan: Run):
    heavier("001", 60.0)
    before = grids("plan.gpkg")
    frozen = next(name for name in sorted(set(before)) if name != before["001"])
    args = ("rebalance", "plan.gpkg", "--units", "later.gpkg", *STEPS)
    plan(*args, "--frozen", frozen, "--out", "new.gpkg")
    after = grids("new.gpkg")
    assert set(after.index[after == frozen]) == set(before.index[before == frozen])


def test_what_moves_is_capped(plan: Run):
    """One unit at most, though more would be needed: the best plan under the cap is written, sound or not."""
    heavier("001", 60.0)
    before = grids("plan.gpkg")
    args = ("rebalance", "plan.gpkg", "--units", "later.gpkg", *STEPS)
    free = plan(*args, "--out", "free.gpkg")
    assert (grids("free.gpkg") != before).sum() > 1
    capped = plan(*args, "--max-moved", "1", "--trade-off", "--out", "one.gpkg")
    assert " 0.00%: 0.00% in 0 units; " in capped.out
    assert (grids("one.gpkg") != before).sum() <= 1
    assert (free.code, capped.code) == (plan("verify", "free.gpkg").code, plan("verify", "one.gpkg").code)
    plan(*args, "--max-moved", "5%", "--out", "share.gpkg")
    moved = before.index[grids("share.gpkg") != before]
    persons = go.read_plan("share.gpkg").units["persons"]
    assert persons[moved].sum() <= 0.05 * persons.sum()


def test_a_trigger_leaves_grids_outside_their_limits_and_says_so(plan: Run):
    """Grown by a third, a grid starts no change within 40 per cent: nothing moves, and verify still names it."""
    heavier("001", 40.0)
    args = ("rebalance", "plan.gpkg", "--units", "later.gpkg", "--trigger", "0.4", *STEPS, "--out", "new.gpkg")
    ended = plan(*args)
    assert ended.code == 0, ended
    assert "moved       0 of 16 units" in ended.out
    assert "grids outside their limits; gridopt verify will name them" in ended.out
    assert plan("verify", "new.gpkg").code == 3


def test_the_same_steps_write_the_same_plan(plan: Run):
    heavier("001", 40.0)
    for out in ("a.gpkg", "b.gpkg"):
        assert plan("rebalance", "plan.gpkg", "--units", "later.gpkg", *STEPS, "--out", out).code == 0
    first, second = (go.read_plan(p).document for p in ("a.gpkg", "b.gpkg"))
    assert first["lineage"] == second["lineage"]
    assert first["digests"] == second["digests"]


def test_what_was_made_with_parents_and_locks_is_so_again(run: Run):
    Path("locks.csv").write_text("unit,kind,group\n001,together,school\n002,together,school\n016,fixed,G004\n")
    made = run(*SOLVE, *BRIEF, "--parent", "ward", "--locks", "locks.csv", "--out", "plan.gpkg")
    assert made.code == 0, made
    heavier("005", 30.0)
    args = ("rebalance", "plan.gpkg", "--units", "later.gpkg", "--tolerance", "0.4", *STEPS, "--out", "new.gpkg")
    ended = run(*args)
    assert ended.code == 0, ended
    after = go.read_plan("new.gpkg")
    assert after.problem.nesting.parents.tolist() == go.read_plan("plan.gpkg").problem.nesting.parents.tolist()
    grid = after.plan.to_series()
    assert grid["001"] == grid["002"]
    assert grid["016"] == "G004"
    assert (after.problem.fixed >= 0).sum() == 1


def test_streets_and_parents_are_those_of_the_plan_or_asked_for(run: Run):
    """Files the plan was made with are read again, wherever it lies with them; what is not known is asked for."""
    line = shapely.LineString([(0, 200), (400, 200)])
    gpd.GeoDataFrame({"kind": ["primary"]}, geometry=[line], crs=32651).to_file("roads.gpkg", layer="streets")
    made = (*SOLVE, *BRIEF, "--parent", "ward", "--streets", "roads.gpkg", "--class-column", "kind")
    assert run(*made, "--out", "plan.gpkg").code == 0
    heavier("005", 26.0)
    args = ("rebalance", "plan.gpkg", "--units", "later.gpkg", "--tolerance", "0.3", *STEPS, "--out", "new.gpkg")
    ended = run(*args)
    assert ended.code == 0, ended
    assert "on streets" in ended.out
    classes = go.read_plan("plan.gpkg").problem.graph.classes
    assert go.read_plan("new.gpkg").problem.graph.classes == classes
    assert run("rebalance", "plan.gpkg", "--tolerance", "0.3", *STEPS, "--out", "between.gpkg").code == 0
    assert run("rebalance", "between.gpkg", *args[2:]).code == 0
    assert go.read_plan("new.gpkg").problem.graph.classes == classes, "streets were forgotten on the way"
    Path("roads.gpkg").rename("elsewhere.gpkg")
    ended = run(*args)
    assert ended.code == 2
    assert "give --streets" in ended.err
    assert run(*args, "--streets", "elsewhere.gpkg").code == 0

    beside = Path("plan.json")
    document = json.loads(beside.read_text(encoding="utf-8"))
    del document["options"], document["lineage"]
    document["schema_version"] = 1
    beside.write_text(json.dumps(document), encoding="utf-8")
    ended = run(*args, "--streets", "elsewhere.gpkg", "--class-column", "kind")
    assert ended.code == 2
    assert "--parent COL" in ended.err
    more = ("--streets", "elsewhere.gpkg", "--class-column", "kind", "--parent", "ward", "--id", "code")
    assert run(*args, *more).code == 0
    assert lineage("new.gpkg").generation == 1


def test_a_community_is_given_other_units_and_a_new_one_is_made(run: Run):
    """Two units go from the south to the north, then the east is cut out of both: no grid crosses a boundary after."""
    units = squares(6, 6)
    units.to_file("u0.gpkg", layer="units")
    units.loc[units["code"].isin(["013", "014"]), "ward"] = "north"
    units.to_file("u1.gpkg", layer="units")
    units.loc[[i for i in range(36) if i % 6 >= 4], "ward"] = "east"
    units.to_file("u2.gpkg", layer="units")
    asked = ("--id", "code", "--workload", "persons", "--parent", "ward", "--grids", 6, "--tolerance", "0.25")
    assert run("solve", "u0.gpkg", *asked, "--steps", 50_000, "--out", "p0.gpkg").code == 0
    for old, new in ((0, 1), (1, 2)):
        args = ("--units", f"u{new}.gpkg", "--steps", 50_000, "--out", f"p{new}.gpkg")
        ended = run("rebalance", f"p{old}.gpkg", *args)
        assert ended.code == 0, ended
        file = go.read_plan(f"p{new}.gpkg")
        wards = pd.crosstab(file.plan.to_series(), file.units["ward"])
        assert ((wards > 0).sum(axis=1) == 1).all()
        before = grids(f"p{old}.gpkg")
        moved = (file.plan.to_series() != before).sum()
        assert f"moved       {moved} of 36 units" in ended.out
    assert wards.columns.tolist() == ["east", "north", "south"]


def test_bad_requests_are_refused_and_change_nothing(plan: Run, tmp_path: Path):
    heavier("001", 40.0)
    files = contents(tmp_path)
    base = ("rebalance", "plan.gpkg", "--units", "later.gpkg", *STEPS)
    for more, told in (
        (("--out", "plan.gpkg"), "plan.gpkg"),
        (("--out", "new.gpkg", "--max-moved", "lots"), "no amount"),
        (("--out", "new.gpkg", "--max-moved", "0.5"), "Write 0.5% or 50%."),
        (("--out", "new.gpkg", "--max-moved", "1.0"), "Write 1.0% or 100% or 1 (an amount)."),
        (("--out", "new.gpkg", "--max-moved", "persons=12.5"), "Write persons=12.5% or persons=12 (an amount)."),
        (("--out", "new.gpkg", "--date", "1 March"), "2026-03-01"),
        (("--out", "new.gpkg", "--frozen", "G099"), "G099"),
        (("--out", "new.gpkg", "--tolerance", "0.1", "--band", "1", "2"), "--band"),
        (("--out", "new.gpkg", "--workload", "people"), "people"),
        (("--out", "new.gpkg", "--map", "moves.jpeg"), "--map draws"),
        (("--out", "new.gpkg", "--points-weight", "people"), "--points"),
        (("--out", "new.gpkg", "--grids", "5", "--trade-off"), "--trade-off"),
    ):
        ended = plan(*base, *more)
        assert ended.code == 2, (more, ended)
        assert told in ended.err
        assert contents(tmp_path) == files
    ended = plan("rebalance", "plan.gpkg", "--streets", "later.gpkg", "--out", "new.gpkg")
    assert ended.code == 2
    assert "add --units" in ended.err


def test_ctrl_c_writes_a_sound_plan_or_nothing(plan: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The first Ctrl-C stops the search; a plan that is not sound by then is not written."""
    from gridopt.workflow import follow as module

    heavier("001", 40.0)
    files = contents(tmp_path)
    search = module.rebalance

    def interrupted(*args: Any, on_progress: Any, **more: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        assert on_progress(None)
        return search(*args, on_progress=lambda _: True, **more)

    monkeypatch.setattr(module, "rebalance", interrupted)
    ended = plan("rebalance", "plan.gpkg", "--units", "later.gpkg", *STEPS, "--out", "new.gpkg")
    assert ended.code == 130, ended
    if "nothing was written" in ended.err:
        assert contents(tmp_path) == files
    else:
        assert plan("verify", "new.gpkg").code == 0


# ---- a year ---------------------------------------------------------------------------------------------------------


def _month(units: gpd.GeoDataFrame, month: int, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """A month of a town: a few units grow or shrink, one is cut in two, one falls to its neighbour, one is built."""
    units = units.copy()
    some = rng.choice(len(units), 6, replace=False)
    units.iloc[some, units.columns.get_loc("persons")] *= rng.uniform(0.6, 1.5, 6)
    units["persons"] = units["persons"].round(2)
    cut = units.iloc[int(rng.integers(len(units)))]
    x0, y0, x1, y1 = cut.geometry.bounds
    middle = (x0 + x1) / 2
    new = [
        (f"m{month}a", cut["persons"] / 2, shapely.box(x0, y0, middle, y1)),
        (f"m{month}b", cut["persons"] / 2, shapely.box(middle, y0, x1, y1)),
        (f"m{month}c", 12.0, shapely.box(100 * month - 100, 800, 100 * month, 900)),
    ]
    more = gpd.GeoDataFrame(
        {"code": [n[0] for n in new], "persons": [n[1] for n in new], "ward": "x"},
        geometry=[n[2] for n in new],
        crs=units.crs,
    )
    return pd.concat([units[units["code"] != cut["code"]], more], ignore_index=True)


def test_twelve_months_keep_ids_and_lineage(run: Run):
    """Ids, history and moved workload are consistent through twelve generations of files, grids added and taken."""
    rng = np.random.default_rng(11)
    units = squares(8, 9)
    units.to_file("u0.gpkg", layer="units")
    solve = ("solve", "u0.gpkg", "--id", "code", "--workload", "persons", "--grids", 8, "--tolerance", "0.25")
    assert run(*solve, "--steps", 200_000, "--out", "p0.gpkg").code == 0
    ever = set(grids("p0.gpkg"))
    living = set(ever)
    for month in range(1, 13):
        units = _month(units, month, rng)
        units.to_file(f"u{month}.gpkg", layer="units")
        k = {4: ("--grids", 9), 8: ("--grids", 8), 10: ("--grids", 9)}.get(month, ())
        old, new = f"p{month - 1}.gpkg", f"p{month}.gpkg"
        date = f"2026-{month:02d}-01"
        args = ("--units", f"u{month}.gpkg", *k, "--steps", 150_000, "--date", date, "--out", new)
        ended = run("rebalance", old, *args)
        assert ended.code == 0, ended
        file = go.read_plan(new)
        assert go.verify(file.problem, file.plan) == []
        history = Lineage.from_dict(file.document["lineage"])
        assert history.generation == month
        mine = [r for r in history.records if r.generation == month]
        assert {r.date for r in mine} <= {date}
        born = {r.new for r in mine if r.operation == "new"}
        died = {r.old for r in mine if r.operation == "retired"}
        assert not born & ever, "an id was given twice"
        now = set(file.plan.to_series())
        assert now == (living - died) | born
        living, ever = now, ever | now
        moves = pyogrio.read_dataframe(new, layer="moves", read_geometry=False)
        passed = [r for r in mine if r.operation in ("move", "split", "merge")]
        assert sum(r.units for r in passed) == len(moves)
        assert sum(r.workload["persons"] for r in passed) == pytest.approx(moves["load_persons"].sum())
        assert moves["load_persons"].sum() < 0.15 * units["persons"].sum()
    assert len(living) == 9
    assert set(history.retired) == ever - living
    records = json.loads(Path("p12.json").read_text(encoding="utf-8"))["lineage"]["records"]
    assert [r["generation"] for r in records] == sorted(r["generation"] for r in records)


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00" + bytes(4000), None])
def test_damaged_units_are_refused_in_one_line(run: Run, content: bytes | None) -> None:
    """They are looked at for what was converted before they are read: a file cut short ended in a traceback there."""
    assert run(*SOLVE, *BRIEF, "--out", "plan.gpkg").code == 0
    whole = Path("town.gpkg").read_bytes()
    Path("today.gpkg").write_bytes(whole[: len(whole) // 3] if content is None else content)
    ended = run("rebalance", "plan.gpkg", "--units", "today.gpkg", *BRIEF, "--out", "new.gpkg")
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "today.gpkg cannot be read as GeoPackage" in ended.err
    assert not Path("new.gpkg").exists()
