"""Real units before and after they changed: labels inherited, every doubtful one listed, a sound plan, little moved."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import gridopt as go
from gridopt.workflow.crosswalk import Crosswalk
from gridopt.workflow.inherit import grids_before

SEARCH: dict[str, Any] = {"steps": 100_000, "seed": 1}


class Changed(NamedTuple):
    """A change of units, and the plan after it."""

    walk: Crosswalk
    before: pd.Series
    findings: tuple[go.Finding, ...]
    done: Any
    comparison: Any


def in_force(units: gpd.GeoDataFrame, workload: str, k: int, tolerance: str, parent: str | None = None) -> go.Plan:
    nested = None if parent is None else units[parent]
    problem = go.build_problem(go.build_graph(units), units[workload], n_grids=k, tolerance=tolerance, parent=nested)
    return go.solve(problem, **SEARCH).require_plan()


def change(
    plan: go.Plan,
    old: gpd.GeoDataFrame,
    new: gpd.GeoDataFrame,
    workload: str,
    tolerance: str,
    parent: str | None = None,
    steps: int = SEARCH["steps"],
) -> Changed:
    """Rebalance over the new units, and check what holds for every change of units."""
    walk = go.crosswalk(old, new)
    k, nested = len(plan.grid_ids), None if parent is None else new[parent]
    problem = go.build_problem(go.build_graph(new), new[workload], n_grids=k, tolerance=tolerance, parent=nested)
    before, said = grids_before(plan, walk, problem.graph.ids)
    done = go.rebalance(problem, before, **SEARCH | {"steps": steps})
    assert go.verify(problem, done.plan) == []
    found = go.compare(plan, done.plan, before=before, match="ids")
    counts = walk.counts()
    assert sum(counts["old"].values()) == len(old), "old units were lost"
    assert sum(counts["new"].values()) == len(new), "new units were lost"
    mass = walk.mass["area_m2"]
    assert mass["old"] == pytest.approx(old.area.sum())
    assert mass["old"] - mass["gone"] + mass["old_twice"] == pytest.approx(mass["carried"])
    assert mass["new"] - mass["added"] + mass["new_twice"] == pytest.approx(mass["carried"])
    assert [f.ids[0] for f in walk.findings if f.code == "ambiguous-origin"] == walk.new.index[
        walk.new["ambiguous"]
    ].tolist()
    doubtful = doubtful_by_overlay(plan, walk, old, new)
    assert {f.ids[0] for f in said} == doubtful, "a doubtful unit was not listed, or a clear one was"
    start = go.inherit(plan, walk, problem).plan
    assert (start.pieces() == 1).all()
    assert done.bound is not None
    assert found.figures["n_moved"] == done.moved_units
    assert found.figures["moved_workload"][workload] >= done.bound
    print(
        f"\n{len(old)} -> {len(new)} units, {counts['new']}; doubtful {len(said)}; moved {done.moved_units} units, "
        f"{found.figures['workload'][workload]:.2%} of {workload} ({done.moved_amount}), bound {done.bound}; "
        f"{found.figures['n_untouched']} of {len(plan.grid_ids)} grids untouched"
    )
    return Changed(walk, before, said, done, found)


def doubtful_by_overlay(plan: go.Plan, walk: Crosswalk, old: gpd.GeoDataFrame, new: gpd.GeoDataFrame) -> set[Any]:
    """Units of which no grid has the clear share, by dissolving the old grids and laying them over the new units."""
    grid = plan.to_series()
    dissolved = old.assign(grid=grid[old.index.tolist()].to_numpy()).dissolve("grid").geometry.to_numpy()
    rest = walk.new.index[(walk.new["by"] != "id") & (walk.new["kind"] != "new")].tolist()
    shapes = new.geometry.loc[rest].to_numpy()
    unit, other = shapely.STRtree(dissolved).query(shapes, predicate="intersects")
    common = shapely.area(shapely.intersection(shapes[unit], dissolved[other]))
    top = np.zeros(len(rest))
    np.maximum.at(top, unit, common)
    share = top / shapely.area(shapes)
    return {u for u, s in zip(rest, share) if s < walk.clear}


@pytest.fixture(scope="module")
def cambridge(real_data):
    path = real_data("cambridge_ma/cambridge.gpkg")
    return lambda layer: gpd.read_file(path, layer=layer).to_crs(26986)


@pytest.fixture(scope="module")
def parcels(cambridge):
    """A point in each parcel: what is counted in units of any year."""
    layer = cambridge("parcels_2014")
    return layer.geometry[~layer.geometry.is_empty].representative_point()


def test_taipei_villages_after_the_reform(real_data):
    """448 villages of 12 districts became 456; the old layer is drawn to 12 m, up to 100 m off, so ids have to help."""
    path = real_data("taipei/taipei.gpkg")
    old, new, blocks = (gpd.read_file(path, layer=n).to_crs(3826) for n in ("villages_before", "villages", "bsa"))
    old["unit"], new["unit"] = old["TOWNNAME"] + old["VILLAGENAM"], new["TNAME"] + new["VNAME"]
    old.loc[old["unit"].duplicated(), "unit"] += " (again)"
    old["geometry"] = [polygons(shape) for shape in old.make_valid()]
    old, new = old.set_index("unit"), new.set_index("unit")
    people = gpd.GeoDataFrame(
        {"persons": blocks["P_CNT"].fillna(0)}, geometry=blocks.representative_point(), crs=blocks.crs
    )
    for layer in (old, new):
        layer["persons"] = go.locate(layer, people, weight="persons").counts.round().astype(int)
    old, new = old.rename(columns={"TOWNNAME": "district"}), new.rename(columns={"TNAME": "district"})
    plan = in_force(old, "persons", 60, "0.15", "district")
    found = change(plan, old, new, "persons", "0.15", "district")
    shared = set(old.index) & set(new.index)
    assert len(shared) == 446
    by_id = found.walk.new[found.walk.new["by"] == "id"]
    assert len(by_id) >= 360
    assert by_id["main"].tolist() == by_id.index.tolist()
    assert found.walk.new.loc["萬華區糖蔀里", "main"] == "萬華區糖部里", "renamed by a variant character"
    assert found.comparison.figures["workload"]["persons"] < 0.05


def polygons(shape: Any) -> Any:
    """What of a mended shape has area."""
    parts = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    return shapely.MultiPolygon(parts) if len(parts) != 1 else parts[0]


def test_cambridge_census_blocks_of_four_censuses(cambridge, parcels):
    """Block ids of 2000 stand for other blocks in 2010: places decide, and grids hardly notice."""
    ids = {1990: "TRACTBLK", 2000: "STFID", 2010: "GEOID10", 2020: "GEOID20"}
    layers = {}
    for year, column in ids.items():
        layer = cambridge(f"census_blocks_{year}").set_index(column)
        layers[year] = layer.assign(parcels=go.locate(layer, parcels).counts)
    plan = in_force(layers[1990], "parcels", 24, "0.05")
    years = list(ids)
    for then, now in pairwise(years):
        found = change(plan, layers[then], layers[now], "parcels", "0.05")
        reused = [f for f in found.walk.findings if f.code == "id-reused"]
        assert bool(reused) == (then >= 2000)
        assert found.comparison.figures["workload"]["parcels"] < 0.02
        plan = found.done.plan
    assert plan.grid_ids.tolist() == [f"G{j:03d}" for j in range(1, 25)]


def test_cambridge_precincts_of_two_decades(cambridge):
    """35 rows of 34 precincts became 33, with new numbers of people."""
    old, new = (
        cambridge(f"precincts_{year}").dissolve("WardPrecinct", aggfunc={"TOTALPOP": "sum"}) for year in (2010, 2022)
    )
    assert (len(old), len(new)) == (34, 33)
    found = change(in_force(old, "TOTALPOP", 7, "0.25"), old, new, "TOTALPOP", "0.25")
    assert found.comparison.figures["workload"]["TOTALPOP"] < 0.1


def test_cambridge_without_its_arterials_and_with_them_again(cambridge, parcels):
    """A class of streets leaves the network, blocks merge across it; it returns, and they are split again."""
    streets, boundary = cambridge("streets"), cambridge("boundary")

    def blocks(lines: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
        made = go.build_blocks(boundary, lines)
        return made.assign(parcels=go.locate(made, parcels).counts)

    full, less = blocks(streets), blocks(streets[streets["MajorRoad"] != 1])
    plan = in_force(full, "parcels", 10, "0.15")
    away = change(plan, full, less, "parcels", "0.15", steps=2_000_000)
    kinds = away.walk.new["kind"].value_counts(normalize=True)
    assert kinds["merged"] > 0.02
    assert kinds["same"] + kinds["merged"] > 0.98, "blocks merge, but for a few beside what else goes with an arterial"
    assert away.comparison.figures["workload"]["parcels"] < 0.12
    assert away.done.moved_amount < 1.5 * away.done.bound, "a grid fell into pieces: the bound counts joining them"
    back = change(away.done.plan, less, full, "parcels", "0.15")
    kinds = back.walk.new["kind"].value_counts(normalize=True)
    assert kinds["same"] + kinds["split"] > 0.98
    assert back.findings == (), "a part of a block comes from that block alone"
    assert back.comparison.figures["workload"]["parcels"] < 0.05
