"""Taipei: 11,490 real blocks to a graph like libpysal's, and to grids of about 1,000 households inside 12 districts."""

from __future__ import annotations

import time

import geopandas as gpd
import numpy as np
import pytest
import shapely
from libpysal.graph import Graph as PysalGraph

import gridopt as go

CRS = "EPSG:3826"
HOUSEHOLDS = 1_000
TOLERANCE = 0.15


@pytest.fixture(scope="module")
def taipei(real_data):
    path = real_data("taipei/taipei.gpkg")
    return lambda layer: gpd.read_file(path, layer=layer).to_crs(CRS)


@pytest.fixture(scope="module")
def blocks(taipei):
    return taipei("bsa").set_index("CODEBASE")


@pytest.fixture(scope="module")
def graph(blocks):
    return go.build_graph(blocks)


def test_pairs_are_libpysals_rook_pairs_with_their_lengths(blocks):
    graph = go.build_graph(blocks, min_border=0)
    peer = go.Graph.from_pysal(PysalGraph.build_contiguity(blocks, rook=True, by_perimeter=True))
    assert graph.n_edges == 31_698
    np.testing.assert_array_equal(graph.edges, peer.edges)
    np.testing.assert_allclose(graph.length, peer.length, atol=1)
    assert graph.ids.tolist() == peer.ids.tolist()


def test_one_component_without_borders_of_a_metre_or_less(graph):
    assert graph.n_edges == 31_644
    assert graph.components().max() == 0
    assert {f.code: f.value for f in graph.findings} == {"corner-contact": 5_222, "short-border": 54}


def test_lengths_are_all_the_perimeters_less_the_outline(blocks):
    graph = go.build_graph(blocks, min_border=0)
    inner = (blocks.length.sum() - shapely.union_all(blocks.geometry.to_numpy()).length) / 2
    assert graph.length.sum() == pytest.approx(inner * 10, rel=1e-5)


@pytest.mark.parametrize("tolerance", [5, 12])
def test_borders_along_the_streets_of_central_daan(taipei, blocks, tolerance):
    """Streets and blocks were digitised apart; points strewn over the borders tell how much can be along a street."""
    streets = taipei("streets_daan")
    inner = blocks[blocks.within(shapely.box(*streets.total_bounds).buffer(-100))]
    graph = go.build_graph(inner, streets=streets, street_tolerance=tolerance)
    assert graph.n_units == 1_116
    shapes = inner.geometry.to_numpy()
    shared = shapely.intersection(shapes[graph.edges[:, 0]], shapes[graph.edges[:, 1]])
    points = shapely.line_interpolate_point(shapely.line_merge(shared), 0.37, normalized=True)
    points = points[~shapely.is_empty(points)]
    near = shapely.STRtree(streets.geometry.to_numpy()).query(points, predicate="dwithin", distance=tolerance)[0]
    near_share = len(np.unique(near)) / len(points)
    along_share = graph.class_length.sum() / graph.length.sum()
    assert 0.8 * near_share < along_share < near_share  # streets across, and their ends, are near but not along
    named = {name for text in graph.streets for name in text.split("; ") if name}
    assert named <= set(streets["name"].dropna().str.strip())
    assert len(named) > 50


def test_villages_digitised_apart_make_one_territory(taipei):
    """Slivers between neighbours part nothing, though two villages are invalid in degrees."""
    graph = go.build_graph(taipei("villages"))
    assert graph.n_units == 456
    assert graph.components().max() == 0


def test_grids_of_1000_households_inside_every_district(blocks, graph):
    start = time.perf_counter()
    households = blocks["H_CNT"].fillna(0)
    in_town = households.groupby(blocks["TOWN_ID"]).sum()
    wanted = (in_town / HOUSEHOLDS).round().astype(int)
    problem = go.build_problem(
        graph,
        workload=blocks["H_CNT"],
        n_grids=wanted.to_dict(),
        tolerance=TOLERANCE,
        parent=blocks["TOWN_ID"],
        missing="zero",
    )
    result = go.solve(problem, seconds=8, seed=7, workers=2)
    plan = result.require_plan()
    took = time.perf_counter() - start
    assert took < 60, f"{took:.1f} s"
    assert go.verify(problem, plan.labels) == []

    grid = plan.to_series()
    towns = blocks["TOWN_ID"].groupby(grid)
    assert (towns.nunique() == 1).all(), "a grid lies in two districts"
    town = towns.first()
    assert town.value_counts().sort_index().to_dict() == wanted.to_dict()
    assert wanted.sum() == 1_051
    _check_contiguous(blocks, grid)

    load = households.groupby(grid).sum()
    limit = (1 + TOLERANCE) * in_town / wanted
    heavy = households[households > blocks["TOWN_ID"].map(limit)]
    exempt = load.index.isin(grid[heavy.index])
    rest = load[~exempt]
    target = town[rest.index].map(rest.groupby(town[rest.index]).mean())  # a district's heavy units aside
    assert ((rest - target).abs() <= TOLERANCE * target + 1).all()
    assert exempt.sum() <= 0.01 * len(load)
    named = {i for f in result.exceptions if f.code == "heavy-unit" and f.cure for i in f.ids}
    assert named == set(heavy.index)


def _check_contiguous(blocks, grid):
    """Dissolved, each grid is one polygon: measured on shapes, not on the graph."""
    shapes = blocks.geometry.to_numpy()
    for members in grid.groupby(grid).indices.values():
        union = shapely.coverage_union_all(shapes[members])
        assert union.geom_type == "Polygon"
