"""What the commands say, draw and record: each of these once misled somebody."""

from __future__ import annotations

import json
import re
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from gridopt.cli._show import in_flags, show_result
from gridopt.errors import Finding
from gridopt.model import Plan, Problem, Result, Status
from gridopt.rules.verify import verify
from tests.end_to_end.towns import BRIEF, SOLVE, Run, fake, quarters


def streets() -> gpd.GeoDataFrame:
    """One street through the middle of the town."""
    line = shapely.LineString([(0, 200), (400, 200)])
    return gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[line], crs=32651)


# ---- maps ----------------------------------------------------------------------------------------------------------


def test_solve_draws_a_map_with_the_streets(run: Run) -> None:
    """--map writes a picture beside the plan, by its suffix, with streets where given."""
    streets().to_file("streets.gpkg", layer="streets")
    ended = run(*SOLVE, *BRIEF, "--streets", "streets.gpkg", "--map", "plan.svg", "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    assert "plan.json, plan.svg" in ended.out
    svg = Path("plan.svg").read_text(encoding="utf-8")
    assert "arterial" in svg
    assert "FEASIBLE" in svg or "OPTIMAL" in svg
    assert run(*SOLVE, *BRIEF, "--map", "plan.png", "--out", "plan.gpkg").code == 0
    assert Path("plan.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        ("plan.gif", r"--map draws .*\.png"),
        ("nowhere/plan.png", "the folder nowhere does not exist"),
        ("town.svg", "it is an input"),
    ],
)
def test_a_map_that_cannot_be_written_is_refused_before_the_search(
    run: Run, monkeypatch: pytest.MonkeyPatch, picture: str, says: str
) -> None:
    """Nothing is read or written first."""
    Path("town.svg").symlink_to("town.gpkg")
    monkeypatch.setattr("gridopt.cli.solve.read_territory", lambda _: pytest.fail("was read"))
    ended = run(*SOLVE, *BRIEF, "--map", picture, "--out", "plan.gpkg")
    assert ended.code == 2
    assert re.search(says, ended.err)
    assert not Path("plan.gpkg").exists()


def test_a_graph_has_no_map(run: Run) -> None:
    """Graphs have no polygons."""
    Path("g.graph").write_text("2 1\n2\n1\n", encoding="utf-8")
    ended = run("solve", "g.graph", "--grids", 2, "--map", "m.png", "--out", "g.part")
    assert (ended.code, "--map needs polygons" in ended.err) == (2, True)


# ---- blocks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "units"), [((), 2), (("--min-area", 10_000), 1)])
def test_small_pieces_are_merged_below_the_area_given(run: Run, more: tuple[object, ...], units: int) -> None:
    """A strip of 400 m by 20 m is a unit of its own, unless units of a hectare are asked for."""
    lines = [shapely.LineString([(-10, 20), (410, 20)])]
    gpd.GeoDataFrame({"highway": ["primary"]}, geometry=lines, crs=32651).to_file("lines.gpkg", layer="streets")
    outline = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 400, 400)], crs=32651)
    outline.to_file("outline.gpkg", layer="boundary")
    given = ("--boundary", "outline.gpkg", "--streets", "lines.gpkg", *more, "--out", "units.gpkg")
    ended = run("blocks", *given)
    assert ended.code == 0, ended.err
    assert len(gpd.read_file("units.gpkg", layer="units")) == units


# ---- figures -------------------------------------------------------------------------------------------------------


def test_broken_limits_are_listed_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status tells how many, the list which."""

    def search(problem: Problem, _: object) -> Result:
        broken = tuple(verify(problem, quarters(problem).plan))
        reason = f"The best plan found breaks {len(broken)} limits or locks: {'; '.join(map(str, broken[:2]))}."
        return Result(Status.VIOLATED, reason, quarters(problem).plan, exceptions=broken)

    fake(monkeypatch, search)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 3
    first = "status      VIOLATED: The best plan found breaks 2 limits or locks, listed below."
    assert ended.out.splitlines()[0] == first
    assert ended.out.count("under-limit") == 1
    assert ".." not in ended.out


def test_shares_of_nothing_have_no_sign_and_a_simple_bound_says_so(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """-0.00% is 0.00%; a bound below half the cost is called a simple one; a good bound is not."""
    plans: list[Plan] = []

    def search(problem: Problem, _: object) -> Result:
        plan = Plan(problem, [0] * 16)
        plans.append(plan)
        return Result(Status.FEASIBLE, "made by hand", plan, cost=100, bound=49)

    fake(monkeypatch, search)
    ended = run("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 1, "--out", "plan.gpkg")
    assert "worst deviation 0.00% and 0.00% of the target" in ended.out
    assert "(gap 51.00%: a simple bound, far below this plan: says little)" in ended.out
    show_result(Result(Status.FEASIBLE, "made by hand", plans[0], cost=100, bound=50))
    assert "(gap 50.00%)" in capsys.readouterr().out


def test_parents_are_told_in_one_line(run: Run) -> None:
    """Two wards of 108 and 172 persons: means differ, grids are shared out by work."""
    ended = run(*SOLVE[:-1], "0.4", *BRIEF, "--parent", "ward", "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    assert "parents     2, each with its own mean; 2 to 2 grids each\n" in ended.out


def test_notes_are_no_exceptions(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """A projected layer is worth a note; what is exempt from limits is an exception."""
    gpd.read_file("town.gpkg", layer="units").to_crs(4326).to_file("town.gpkg", layer="units")
    ended = run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    assert "exceptions:" not in ended.out
    assert re.search(r"notes:\n(  .*\n)*  \w+ reprojected", ended.out)
    heavy, note = Finding("heavy-unit", "warning", ("007",)), Finding("rounded", "info", ("persons",))
    show_result(Result(Status.NO_PLAN, "made by hand", exceptions=(heavy, note)), [note])
    assert capsys.readouterr().out.splitlines()[1:] == [
        "exceptions:",
        "  warning heavy-unit: '007'",
        "notes:",
        "  info rounded: 'persons'",
    ]


# ---- messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--band", "500", "--out", "p.gpkg"], "--band takes two numbers, such as --band 300 500."),
        (["--band", "518", "--seconds", "2", "--out", "p.gpkg"], "--band takes two numbers"),
        (["--grids", "4", "--tolerance", "5%", "--out", "p.gpkg"], "write 0.05 for 5 %."),
        (["--grids", "4", "--tolerance", "2.5 %", "--out", "p.gpkg"], "write 0.025 for 2.5 %."),
        (["--band", "-5", "50", "--out", "p.gpkg"], "-5"),
    ],
)
def test_slips_with_numbers_are_told_as_such(run: Run, args: list[str], says: str) -> None:
    """Not as a missing option somewhere else."""
    ended = run(*SOLVE[:6], *args)
    assert ended.code == 2
    assert says in ended.err


def test_locks_without_a_header(run: Run) -> None:
    """The first row is no header: the message quotes the one that is wanted."""
    Path("locks.csv").write_text("001,together,school\n002,together,school\n", encoding="utf-8")
    ended = run(*SOLVE, *BRIEF, "--locks", "locks.csv", "--out", "plan.gpkg")
    assert ended.code == 2
    assert "The first line must be unit,kind,group." in ended.err


def test_the_layer_offered_is_the_nearest(run: Run) -> None:
    """Of several layers, not the first but the one named like the objects."""
    units = gpd.read_file("town.gpkg", layer="units")
    for layer in ("blocks_2010", "parcels_2014", "roads"):
        units.to_file("city.gpkg", layer=layer)
    streets().to_file("streets.gpkg")
    given = ("--boundary", "town.gpkg", "--streets", "streets.gpkg", "--objects", "parcels=city.gpkg")
    ended = run("blocks", *given, "--out", "u.gpkg")
    assert ended.code == 2
    assert "Say which: city.gpkg:parcels_2014." in ended.err


def test_arguments_without_a_flag_are_marked() -> None:
    """What can only be set in Python says so; what has a flag names it."""
    told = in_flags('Give factors=, n_per_parent={"a": 2, "b": 3}, min_border=5 or min_area=.')
    wanted = (
        'Give factors= (in Python), n_per_parent={"a": 2, "b": 3} (in Python), min_border=5 (in Python) or --min-area.'
    )
    assert told == wanted


# ---- plan.json -----------------------------------------------------------------------------------------------------


def test_the_document_records_what_was_used(run: Run) -> None:
    """The default time, and the layers read, named or not."""
    units = gpd.read_file("town.gpkg", layer="units")
    units.head(2).to_file("town.gpkg", layer="parks")
    streets().to_file("city.gpkg", layer="roads")
    ended = run(*SOLVE, "--streets", "city.gpkg:roads", "--out", "plan.gpkg")
    assert ended.code == 0, ended.err
    document = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert (document["parameters"]["seconds"], document["parameters"]["steps"]) == (10.0, None)
    read = [(i["role"], i["path"], i["layer"]) for i in document["inputs"]]
    assert read == [("units", "town.gpkg", "units"), ("streets", "city.gpkg", "roads")]
    assert run(*SOLVE, *BRIEF, "--out", "plan.gpkg").code == 0
    document = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert (document["parameters"]["seconds"], document["parameters"]["steps"]) == (None, 20_000)
