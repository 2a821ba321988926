"""Cambridge, Massachusetts: official streets and boundary in, blocks like the City's own out, every object found."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.territory.blocks import build_blocks
from gridopt.territory.locate import locate

CRS = "EPSG:26986"


@pytest.fixture(scope="module")
def cambridge(real_data):
    path = real_data("cambridge_ma/cambridge.gpkg")
    return lambda layer: gpd.read_file(path, layer=layer)


@pytest.fixture(scope="module")
def blocks(cambridge):
    return build_blocks(cambridge("boundary"), cambridge("streets"), crs=CRS)


@pytest.fixture(scope="module")
def faces(cambridge):
    return build_blocks(cambridge("boundary"), cambridge("streets"), clean=False, crs=CRS)


@pytest.mark.parametrize(("kind", "count"), [("faces", 837), ("blocks", 795)])
def test_blocks_are_seamless_over_the_city(cambridge, request, kind, count):
    blocks = request.getfixturevalue(kind)
    city = cambridge("boundary").to_crs(CRS).union_all()
    shapes = blocks.geometry.to_numpy()
    assert len(blocks) == count
    assert shapely.coverage_is_valid(shapes)
    assert shapely.union_all(shapes).symmetric_difference(city).area < 1e-3
    assert blocks["area_m2"].sum() == pytest.approx(city.area, rel=1e-12)


def test_no_street_runs_through_a_block(cambridge, faces):
    """What lies inside a block, off its outline, is dead ends: streets that enclose nothing."""
    streets = cambridge("streets").to_crs(CRS)
    noded = shapely.get_parts(shapely.union_all(streets.geometry.to_numpy()))
    city = cambridge("boundary").to_crs(CRS).union_all()
    within = noded[shapely.covers(city, noded)]
    length = shapely.length(within).sum()
    middle = shapely.line_interpolate_point(within, 0.5, normalized=True)
    outlines = shapely.STRtree(shapely.boundary(faces.geometry.to_numpy()))
    on_outline = outlines.query(middle, predicate="dwithin", distance=0.01)[0]
    off = np.delete(within, on_outline)
    assert shapely.length(off).sum() < 0.15 * length
    assert shapely.polygonize(off).is_empty


@pytest.mark.parametrize("kind", ["faces", "blocks"])
def test_most_blocks_are_the_citys_own(cambridge, request, kind):
    """Master blocks are bounded by rail and water as well, which the street layer lacks."""
    blocks = request.getfixturevalue(kind)
    own = cambridge("master_blocks").to_crs(CRS).geometry.to_numpy()
    ours = blocks.geometry.to_numpy()
    row, block = shapely.STRtree(ours).query(own, predicate="intersects")
    common = shapely.area(shapely.intersection(own[row], ours[block]))
    likeness = common / (shapely.area(own)[row] + shapely.area(ours)[block] - common)
    best = np.zeros(len(own))
    np.maximum.at(best, row, likeness)
    same = best >= 0.9
    assert shapely.area(own)[same].sum() / shapely.area(own).sum() >= 0.62
    assert same.mean() >= 0.76


def test_merging_small_faces_keeps_the_coverage(cambridge):
    boundary, streets = cambridge("boundary"), cambridge("streets")
    blocks = build_blocks(boundary, streets, clean=False, min_area=1000, crs=CRS)
    assert len(blocks) == 812
    assert blocks["area_m2"].min() >= 1000
    assert shapely.coverage_is_valid(blocks.geometry.to_numpy())
    city = boundary.to_crs(CRS).union_all()
    assert shapely.union_all(blocks.geometry.to_numpy()).symmetric_difference(city).area < 1e-3
    merged = [f for f in blocks.attrs["findings"] if f.code == "small-face-merged"]
    assert len(merged) == 25


def test_major_roads_alone_cut_larger_blocks(cambridge, blocks):
    table = {0: "none", 1: "arterial", 2: "collector", None: "local"}
    ranked = dict(class_column="MajorRoad", classes=table, crs=CRS)
    major = build_blocks(cambridge("boundary"), cambridge("streets"), keep=("arterial", "collector"), **ranked)
    assert 50 < len(major) < 300
    inside = blocks.representative_point()
    assert len(gpd.sjoin(inside.to_frame("geometry"), major, predicate="within")) == len(blocks)


@pytest.mark.parametrize("layer", ["hydrants", "street_lights", "intersections", "parcels_2014"])
def test_every_object_is_in_one_block_or_named(cambridge, blocks, layer):
    objects = cambridge(layer)
    found = locate(blocks, objects)
    assert len(found.unit_of) + len(found.outside) == len(objects)
    assert found.counts.sum() == len(found.unit_of)
    assert len(found.outside) < 0.05 * len(objects)
    assert found.unit_of.isin(blocks.index).all()


def test_lamps_are_summed_over_poles(cambridge, blocks):
    poles = cambridge("street_lights").fillna({"NumLamps": 0})
    found = locate(blocks, {"poles": poles, "lamps": poles}, weight={"lamps": "NumLamps"})
    lost = poles.loc[[i for name, i in found.outside if name == "lamps"], "NumLamps"].sum()
    assert found.counts["lamps"].sum() + lost == poles["NumLamps"].sum()
    assert found.counts["poles"].sum() == len(poles) - len(found.outside) // 2


def test_24_grids_of_equal_parcel_count_follow_streets(cambridge, blocks, tmp_path):
    parcels = cambridge("parcels_2014")
    found = locate(blocks, parcels)
    assert found.counts.sum() + len(found.outside) == len(parcels) == 13_116
    graph = go.build_graph(blocks, streets=cambridge("streets"), crs=CRS)
    problem = go.build_problem(graph, workload=found.counts, n_grids=24, tolerance=0.05)
    result = go.solve(problem, steps=3_000_000, seed=1)
    assert result.status == "FEASIBLE"
    assert go.verify(problem, result.plan) == []
    balance = go.summary(result.plan).attrs["metrics"]
    assert balance["on_streets"] >= 0.95
    assert balance["n_grids"] == 24
    grids = go.to_grids(result.plan, blocks)
    assert shapely.coverage_is_valid(grids.geometry.to_numpy())
    assert grids.area.sum() == pytest.approx(blocks.area.sum(), rel=1e-12)
    go.save_plan(tmp_path / "plan.gpkg", result, blocks)
    plan = go.read_plan(tmp_path / "plan.gpkg").plan
    assert go.verify(plan.problem, plan) == []
    assert plan.labels.tolist() == result.plan.labels.tolist()


def test_parcels_are_repaired_to_the_square_metre(cambridge):
    """The README's figures: 34 invalid, 1 empty, 6,872 m2 overlap; after it a coverage, each square metre told."""
    parcels = cambridge("parcels_2014").to_crs(CRS)
    shapes = parcels.geometry.to_numpy()
    repaired = go.repair_units(parcels)
    told = repaired.account.set_index("step")
    assert told.at["rings mended", "places"] == 34
    assert told.at["as given", "area_m2"] == pytest.approx(shapely.area(shapes).sum())
    valid = shapely.make_valid(shapes, method="structure", keep_collapsed=False)
    ground = shapely.union_all(valid).area
    assert -told.at["overlaps removed", "area_m2"] == pytest.approx(shapely.area(valid).sum() - ground, abs=0.01)
    assert round(-told.at["overlaps removed", "area_m2"]) == 6872
    after = repaired.units.geometry.to_numpy()
    assert len(after) == 13_115
    assert shapely.coverage_is_valid(after)
    assert told.at["after", "area_m2"] == pytest.approx(shapely.area(after).sum())
    assert told.at["gaps filled", "area_m2"] == pytest.approx(shapely.area(after).sum() - ground, abs=0.01)
    assert abs(told.at["unexplained", "area_m2"]) < 0.01
    assert len(repaired.changes) <= 110
