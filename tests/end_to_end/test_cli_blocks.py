"""`gridopt blocks` on raw streets, as a person runs it."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from tests.end_to_end.towns import Run

CRS = 32651


def write(layer: str, shapes: list, **columns: list) -> str:
    """Write a layer of its own file's name; return the file's name."""
    file = f"{layer}.gpkg"
    gpd.GeoDataFrame(columns, geometry=shapes, crs=CRS).to_file(file, layer=layer)
    return file


@pytest.fixture
def raw(run: Run) -> tuple[str, ...]:
    """A square of 400 m cut by a dual carriageway 16 m wide and by a lane with a footway beside it."""
    lines = [[(216, -9), (216, 409)], [(200, 409), (200, -9)], [(-9, 100), (409, 100)], [(-9, 105), (409, 105)]]
    table = {"highway": ["primary", "primary", "residential", "footway"], "name": ["Main", "Main", "Lane", None]}
    streets = write("streets", list(shapely.linestrings(lines)), oneway=["yes", "yes", None, None], **table)
    boundary = write("boundary", [shapely.box(0, 0, 400, 400)])
    return ("blocks", "--boundary", boundary, "--streets", streets)


def units(file: str = "u.gpkg", layer: str = "units") -> pd.DataFrame:
    return gpd.read_file(file, layer=layer)


def test_medians_and_slivers_are_merged_and_written_down(run: Run, raw: tuple[str, ...]) -> None:
    ended = run(*raw, "--keep", "arterial", "--keep", "local", "--keep", "path", "--out", "u.gpkg")
    assert ended.code == 0, ended.err
    assert len(units()) == 4
    merged = units(layer="merged")
    assert set(merged["reason"]) == {"median", "sliver"}
    assert merged.area.sum() == pytest.approx(16 * 400 + 5 * 384)
    assert set(merged["unit"]) <= set(units()["unit"])
    assert {"medians-merged", "slivers-merged"} <= set(units(layer="findings")["code"])


@pytest.mark.parametrize(
    ("more", "count"),
    [((), 4), (("--raw",), 6), (("--median-width", 10), 6), (("--keep", "arterial"), 2), (("--min-area", 40_000), 2)],
)
def test_what_is_a_block_can_be_said(run: Run, raw: tuple[str, ...], more: tuple[object, ...], count: int) -> None:
    assert run(*raw, *more, "--out", "u.gpkg").code == 0
    assert len(units()) == count


def test_compounds_stay_whole_and_parents_cut(run: Run, raw: tuple[str, ...]) -> None:
    gate = write("compounds", [shapely.box(218, 2, 398, 398)])
    sides = write("parents", [shapely.box(0, 0, 400, 250), shapely.box(0, 250, 400, 400)], code=["south", "north"])
    assert run(*raw, "--compounds", gate, "--out", "u.gpkg").code == 0
    assert len(units()) == 3
    assert run(*raw, "--parents", sides, "--out", "u.gpkg").code == 0
    assert units()["parent"].value_counts().to_dict() == {0: 4, 1: 2}
    assert run(*raw, "--parents", sides, "--parent", "code", "--out", "u.gpkg").code == 0
    assert units()["parent"].value_counts().to_dict() == {"south": 4, "north": 2}


def test_warnings_are_shown_before_what_is_only_told(run: Run, raw: tuple[str, ...]) -> None:
    """More findings than there is room for: the warning that objects lie outside is not among those left out."""
    names = [f"kind{i}" for i in range(13)]
    gpd.GeoDataFrame(geometry=[shapely.Point(50, 50), shapely.Point(50, 900)], crs=CRS).to_crs(4326).to_file("far.gpkg")
    gpd.GeoDataFrame(geometry=[shapely.Point(50, 50)], crs=CRS).to_crs(4326).to_file("near.gpkg")
    given = [text for name in names for text in ("--objects", f"{name}=near.gpkg")]
    ended = run(*raw, *given, "--objects", "last=far.gpkg", "--out", "u.gpkg")
    assert "warning outside: 2 (value 1). last: " in ended.out
    n_told = len(units(layer="findings"))
    assert f"… and {n_told - 12} more: see the layer findings of u.gpkg" in ended.out


def test_blocks_outside_all_parents_are_named(run: Run, raw: tuple[str, ...]) -> None:
    """Parents end before the boundary does: the blocks beyond have none, and are told of before anything is solved."""
    write("parents", [shapely.box(0, 0, 400, 100)], parent=["south"])
    ended = run(*raw, "--parents", "parents.gpkg", "--out", "u.gpkg")
    lost = units()[units()["parent"].isna()]["unit"].tolist()
    assert len(lost) == 2
    assert units()["parent"].dropna().unique().tolist() == ["south"]
    assert f"no-parent: {lost[0]!r}, {lost[1]!r} (value 2)" in ended.out
    assert "let gridopt solve --parents take the nearest" in ended.out
    ended = run(*raw, "--parent", "parent", "--out", "u.gpkg")
    assert (ended.code, "--parents" in ended.err) == (2, True)


def test_check_says_what_the_streets_are_like_and_writes_nothing(run: Run, raw: tuple[str, ...]) -> None:
    before = sorted(Path().iterdir())
    ended = run(*raw, "--check")
    assert ended.code == 0, ended.err
    assert "raw-faces" in ended.out
    assert "2 medians" in ended.out
    assert sorted(Path().iterdir()) == before


def test_a_place_for_the_units_is_asked_for(run: Run, raw: tuple[str, ...]) -> None:
    ended = run(*raw)
    assert (ended.code, "--out units.gpkg" in ended.err) == (2, True)


def test_messages_name_flags(run: Run, raw: tuple[str, ...]) -> None:
    """`gap=` and the like are arguments of the library."""
    ended = run(*raw, "--out", "u.gpkg")
    assert "median_width=" not in ended.out
    assert "--median-width" in ended.out
