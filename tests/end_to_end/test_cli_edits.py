"""Plans edited in Python or a GIS: what is read, what is not, and what then is stale."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import gridopt as go
from gridopt.errors import InputError, NoPlanError
from tests.end_to_end.towns import BRIEF, SOLVE, Run


@pytest.fixture
def solved(run: Run) -> Run:
    """A folder with plan.gpkg."""
    assert run(*SOLVE, *BRIEF, "--out", "plan.gpkg").code == 0
    return run


def test_edits_saved_to_another_layer_are_not_called_sound(solved: Run) -> None:
    """`to_file` without a layer adds one named after the file; verify must not pass over it."""
    units = gpd.read_file("plan.gpkg", layer="units")
    units.to_file("plan.gpkg")
    same = solved("verify", "plan.gpkg")
    assert (same.code, "edits-elsewhere" in same.out) == (0, False), "a copy without edits is no matter"

    units.loc[0, "grid"] = "G004" if units.loc[0, "grid"] != "G004" else "G001"
    units.to_file("plan.gpkg")
    ended = solved("verify", "plan.gpkg")
    assert ended.code == 3
    assert "edits-elsewhere: 'plan' (value 1 units differ)" in ended.out
    assert "Edits in layer 'plan' are not read: save them to layer='units'" in ended.out
    assert ended.out.splitlines()[-1].startswith("EDITS NOT VERIFIED")

    units.to_file("plan.gpkg", layer="units")
    ended = solved("verify", "plan.gpkg")
    assert "edits-elsewhere" not in ended.out, "saved to layer units, the same edits are read"
    assert "grids and borders, plan.csv" in ended.out, "and what is stale is said"


def test_a_file_that_lost_its_other_layers_says_how_to_edit(solved: Run) -> None:
    """Writing the units into a new file drops the layers a check needs."""
    units = gpd.read_file("plan.gpkg", layer="units")
    Path("plan.gpkg").unlink()
    units.to_file("plan.gpkg", layer="units")
    ended = solved("verify", "plan.gpkg")
    assert ended.code == 2
    assert "has no layer 'adjacency'; there are: units. " in ended.err
    assert "write layer='units' into the original file" in ended.err


def test_an_edited_plan_is_saved_anew(solved: Run) -> None:
    """Edited, read, saved: no layer is stale, and the broken limits are told."""
    units = gpd.read_file("plan.gpkg", layer="units")
    units["grid"] = [f"G{i // 4 + 1:03d}" for i in range(16)]
    units.to_file("plan.gpkg", layer="units")
    read = go.read_plan("plan.gpkg")
    go.save_plan("plan.gpkg", read.plan, read.units.drop(columns="grid"))
    again = go.read_plan("plan.gpkg")
    assert [f.code for f in again.findings] == []
    assert again.document["status"] == "VIOLATED"
    assert again.plan.labels.tolist() == [i // 4 for i in range(16)]
    assert gpd.read_file("plan.gpkg", layer="grids")["load_persons"].tolist() == [46, 62, 78, 94]
    assert pd.read_csv("plan.csv")["grid"].tolist() == units["grid"].tolist()
    assert len(repr(again)) < 100


def test_plans_and_results_are_taken_alike(solved: Run, tmp_path: Path) -> None:
    """to_grids, draw_map and save_plan take a Plan or a Result; anything else is told how to mend."""
    read = go.read_plan("plan.gpkg")
    result = go.Result(go.Status.FEASIBLE, "made by hand", read.plan)
    assert go.to_grids(result, read.units).equals(go.to_grids(read.plan, read.units))
    texts = [t.get_text() for t in go.draw_map(result, read.units).texts]
    assert any("FEASIBLE" in t for t in texts)
    for call in (go.to_grids, go.draw_map, lambda *a: go.save_plan(tmp_path / "p.gpkg", *a)):
        with pytest.raises(InputError, match=r"give a Plan or a Result, not a PlanFile.*\.plan"):
            call(read, read.units)
        with pytest.raises(NoPlanError):
            call(go.Result(go.Status.NO_PLAN, "no time"), read.units)


def test_a_pier_too_light_for_a_grid_is_told_how_it_joins_the_shore(run: Run) -> None:
    """14 x 28 m of planks joined by nothing: the finding names the nearest unit, and both of its cures work."""
    pier = shapely.box(110, -60, 124, -32)
    shore = gpd.read_file("town.gpkg")
    row = gpd.GeoDataFrame({"code": ["pier"], "persons": [1.0], "ward": ["south"]}, geometry=[pier], crs=shore.crs)
    pd.concat([shore, row], ignore_index=True).to_file("port.gpkg", layer="units")
    solve = ("solve", "port.gpkg", "--id", "code", "--workload", "persons", "--grids", 5, "--tolerance", "0.3", *BRIEF)
    alone = run(*solve, "--out", "plan.gpkg")
    (line,) = [line for line in alone.out.splitlines() if "light-piece" in line]
    assert "--islands link joins such pieces" in line
    assert "such as 'pier' and '002'" in line
    assert gpd.read_file("plan.gpkg", layer="units")["grid"].value_counts().min() == 1
    Path("pairs.csv").write_text("u,v,action,reason\npier,002,join,gangway\n")
    for cure in (("--islands", "link"), ("--overrides", "pairs.csv")):
        joined = run(*solve, *cure, "--out", "joined.gpkg")
        assert joined.code == 0, joined.err
        assert "light-piece" not in joined.out
        grids = gpd.read_file("joined.gpkg", layer="units").set_index("unit")["grid"]
        assert (grids == grids["pier"]).sum() > 1
        assert run("verify", "joined.gpkg").code == 0
