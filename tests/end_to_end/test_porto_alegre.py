"""Porto Alegre: raw OpenStreetMap streets in, seamless blocks out, people located."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

import gridopt as go
from gridopt.territory.blocks import build_blocks
from gridopt.territory.locate import locate
from gridopt.territory.streets import CUTTING

CRS = "EPSG:32722"


@pytest.fixture(scope="module")
def streets(real_data):
    return gpd.read_file(real_data("porto_alegre/porto_alegre.gpkg"), layer="highways").to_crs(CRS)


@pytest.fixture(scope="module")
def hull(streets):
    return gpd.GeoSeries([streets.union_all().convex_hull], crs=CRS)


@pytest.fixture(scope="module")
def blocks(hull, streets):
    return build_blocks(hull, streets)


def assert_seamless(blocks, hull):
    shapes = blocks.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.union_all(shapes).symmetric_difference(hull.iloc[0]).area < 1e-3
    assert blocks["area_m2"].sum() == pytest.approx(hull.area.iloc[0], rel=1e-12)


@pytest.mark.parametrize(("clean", "count"), [(False, 4250), (True, 3304)])
def test_motor_roads_cut_seamless_blocks(hull, streets, clean, count):
    blocks = build_blocks(hull, streets, clean=clean)
    assert len(blocks) == count
    assert_seamless(blocks, hull)
    told = {f.code for f in blocks.attrs["findings"]}
    assert {"streets-not-cutting", "tunnels-not-cutting"} <= told


def test_with_service_roads_and_tunnels_it_is_the_documented_number_of_faces(hull, streets):
    """6,104 faces from 12,283 motor roads; joining near ends adds a few."""
    flat = streets.drop(columns="tunnel")
    raw = build_blocks(hull, flat, keep=(*CUTTING, "service"), clean=False, snap=0, min_area=0)
    assert len(raw) == 6104
    assert_seamless(raw, hull)


def test_order_of_rows_does_not_matter(blocks, hull, streets):
    again = build_blocks(hull, streets.sample(frac=1, random_state=7))
    assert again.index.equals(blocks.index)
    assert again["area_m2"].to_numpy() == pytest.approx(blocks["area_m2"].to_numpy(), abs=1e-6)


def test_merging_below_2000_m2_leaves_none_and_loses_nothing(hull, streets):
    merged = build_blocks(hull, streets, min_area=2000)
    assert merged["area_m2"].min() >= 2000
    assert_seamless(merged, hull)


def test_population_is_conserved(blocks, real_data):
    table = pd.read_csv(real_data("porto_alegre/hexgrid.csv.gz"), index_col="id")
    cells = gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(table["lon"], table["lat"]), crs="EPSG:4326")
    found = locate(blocks, cells, weight=["population", "schools"])
    lost = table.loc[list(found.outside)]
    assert found.counts["population"].sum() + lost["population"].sum() == table["population"].sum() == 812_935
    assert found.counts["schools"].sum() + lost["schools"].sum() == table["schools"].sum() == 194


def test_raw_streets_become_a_sound_plan_along_streets(hull, streets):
    blocks = build_blocks(hull, streets, min_area=500)
    graph = go.build_graph(blocks, streets=streets)
    problem = go.build_problem(graph, workload=blocks["area_m2"], n_grids=100, tolerance=0.1)
    result = go.solve(problem, steps=5_000_000, seed=1)
    assert result.status == "FEASIBLE"
    assert go.verify(problem, result.plan) == []
    metrics = go.summary(result.plan).attrs["metrics"]
    assert metrics["on_streets"] >= 0.95
    heavy = [finding for finding in result.exceptions if finding.code == "heavy-unit"]
    assert len(heavy) == metrics["n_exempt"]
    assert all(finding.value > finding.limit for finding in heavy)
