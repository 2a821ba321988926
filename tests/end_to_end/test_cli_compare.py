"""`gridopt compare` as a person runs it."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from tests.end_to_end.towns import BRIEF, SOLVE, Run, town


@pytest.fixture
def two_plans(run: Run):
    """A plan, and the same file with one unit moved by hand."""
    assert run(*SOLVE, *BRIEF, "--out", "old.gpkg").code == 0
    for suffix in ("gpkg", "csv", "json"):
        with open(f"old.{suffix}", "rb") as source, open(f"new.{suffix}", "wb") as target:
            target.write(source.read())
    units = gpd.read_file("new.gpkg", layer="units")
    grid = units.set_index("unit")["grid"]
    neighbours = gpd.read_file("new.gpkg", layer="adjacency").query("kind == 'border'")
    pair = next(p for p in neighbours.itertuples() if grid[p.u] != grid[p.v])
    units.loc[units["unit"] == pair.u, "grid"] = grid[pair.v]
    units.to_file("new.gpkg", layer="units")
    return pair.u, grid[pair.u], grid[pair.v]


def test_a_unit_moved_by_hand_is_found(run: Run, two_plans):
    unit, source, target = two_plans
    ended = run("compare", "old.gpkg", "new.gpkg", "--out", "moves.csv")
    assert ended.code == 0, ended.err
    assert "moved       1 of 16 units (6.25%)" in ended.out
    assert f"  {unit} from {source} to {target} (persons" in ended.out
    assert "grids       4 kept, 0 new, 0 retired; 2 untouched" in ended.out
    table = pd.read_csv("moves.csv", dtype={"unit": str})
    assert table[["unit", "from", "to"]].values.tolist() == [[unit, source, target]]


def test_the_map_of_moves_is_drawn(run: Run, two_plans, tmp_path):
    ended = run("compare", "old.gpkg", "new.gpkg", "--map", "moves.png")
    assert ended.code == 0, ended.err
    assert (tmp_path / "moves.png").read_bytes()[:4] == b"\x89PNG"


def test_plans_over_other_units_are_matched_by_place(run: Run):
    """Unit 001 is cut in two with new ids: its parts are not moves, and the rest keeps its grids."""
    assert run(*SOLVE, *BRIEF, "--out", "old.gpkg").code == 0
    units = town()
    first = units.geometry.iloc[0]
    halves = [shapely.box(0, 0, 50, 100), shapely.box(50, 0, 100, 100)]
    assert shapely.union_all(halves).equals(first)
    cut = gpd.GeoDataFrame(
        {"code": ["901", "902"], "persons": [4.0, 6.0], "ward": ["south"] * 2}, geometry=halves, crs=units.crs
    )
    pd.concat([cut, units.iloc[1:]]).to_file("town.gpkg", layer="units")
    assert run(*SOLVE, *BRIEF, "--out", "new.gpkg").code == 0
    ended = run("compare", "old.gpkg", "new.gpkg")
    assert ended.code == 0, ended.err
    assert "of 17 units" in ended.out
    assert "new units" not in ended.out


def test_what_cannot_be_compared_is_refused(run: Run):
    assert run(*SOLVE, *BRIEF, "--out", "old.gpkg").code == 0
    for wrong, told in (
        (("compare", "old.gpkg", "nothing.gpkg"), "nothing.gpkg does not exist"),
        (("compare", "old.gpkg", "old.gpkg", "--out", "old.gpkg"), "name it old.csv"),
        (("compare", "old.gpkg", "old.gpkg", "--out", "old.csv"), "old.csv"),
        (("compare", "old.gpkg", "old.gpkg", "--map", "m.jpeg"), "--map draws"),
    ):
        ended = run(*wrong)
        assert ended.code == 2, wrong
        assert told in ended.err


def test_solve_begins_a_line_and_old_files_are_read(run: Run, tmp_path):
    """A plan.json from before lineage was kept is read, verified and compared like any other."""
    import json

    assert run(*SOLVE, *BRIEF, "--out", "old.gpkg").code == 0
    beside = tmp_path / "old.json"
    document = json.loads(beside.read_text(encoding="utf-8"))
    lineage = document.pop("lineage")
    assert (lineage["generation"], lineage["retired"], lineage["records"]) == (0, [], [])
    assert document.pop("options")["id"] == "code"
    document["schema_version"] = 1
    beside.write_text(json.dumps(document), encoding="utf-8")
    assert run("verify", "old.gpkg").code == 0
    assert "moved       0 of 16 units" in run("compare", "old.gpkg", "old.gpkg").out


def test_plans_that_count_different_columns_are_set_side_by_side_without_gaps(run: Run):
    """One notice names both columns; loads that are not known are left out, not printed as nan."""
    town().assign(homes=lambda t: t["persons"] * 2 + 1).to_file("town.gpkg", layer="units")
    assert run(*SOLVE, *BRIEF, "--out", "old.gpkg").code == 0
    line = [{"persons": "homes"}.get(word, word) for word in SOLVE]
    line[line.index("--grids") + 1] = 3
    assert run(*line, *BRIEF, "--tolerance", "0.3", "--out", "new.gpkg").code == 0
    ended = run("compare", "old.gpkg", "new.gpkg")
    assert ended.code == 0, ended.err
    assert ended.out.count("OLD counts 'persons', NEW counts 'homes'") == 1
    assert "grids that changed: homes after, units out and in" in ended.out
    assert "nan" not in ended.out
