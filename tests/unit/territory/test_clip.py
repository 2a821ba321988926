"""Shapes of very many vertices that reach far beyond a territory: clipped to its surroundings, nothing else changes."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridopt.territory._layers import LONG, clip_long
from gridopt.territory.adjacency import build_graph, read_layers
from gridopt.territory.blocks import build_blocks
from gridopt.territory.why import why

CRS = "EPSG:3826"


@pytest.fixture
def square():
    """2 x 2 squares of 100 m, from the south-west: a b / c d."""
    boxes = shapely.box([0, 100, 0, 100], [0, 0, 100, 100], [100, 200, 100, 200], [100, 100, 200, 200])
    return gpd.GeoSeries(boxes, index=list("abcd"), crs=CRS)


def area(shape, name="Long River"):
    return gpd.GeoDataFrame({"name": [name]}, geometry=[shape], crs=CRS)


RIVER = shapely.box(-40_000, 80, 40_000, 120)
"""80 km long, 40 m wide, along the border of a-b and c-d."""


@pytest.mark.parametrize("shape", [RIVER, RIVER.boundary, shapely.box(-1e6, -1e6, 1e6, 1e6)])
def test_a_vast_barrier_does_what_the_same_barrier_with_few_vertices_does(square, shape):
    """Each unit inside was overlaid with all vertices of it: 16 units and 16 million vertices took a minute."""
    vast = shapely.segmentize(shape, shape.length / 200_000)
    few, many = (build_graph(square, barriers=area(s)) for s in (shape, vast))
    assert few.edges.tolist() == many.edges.tolist()
    assert few.length.tolist() == many.length.tolist()
    assert few.findings == many.findings
    layers, _ = read_layers({"units": square, "barriers": area(vast)}, None)
    assert shapely.get_num_coordinates(layers["barriers"].geometry.iloc[0]) < LONG
    assert str(why(square, "a", "c", barriers=area(vast))) == str(why(square, "a", "c", barriers=area(shape)))


def test_blocks_along_a_vast_river(square):
    outline = gpd.GeoSeries([square.union_all()], crs=CRS)
    street = area(shapely.LineString([(100, -50), (100, 250)]), "Main")
    few, many = (
        build_blocks(outline, street, barriers=area(s))
        for s in (RIVER, shapely.segmentize(RIVER, RIVER.length / 200_000))
    )
    assert few.area.round(3).tolist() == many.area.round(3).tolist() == [8000, 8000, 4000, 4000, 8000, 8000]


def test_only_what_is_long_and_reaches_beyond_is_clipped(square):
    """Short shapes and shapes within 1 km of the units stay as they are; those elsewhere become empty."""
    here = shapely.segmentize(shapely.LineString([(0, 50), (200, 50)]), 0.01)
    away = shapely.transform(here, lambda xy: xy + np.array([90_000, 0]))
    layer = gpd.GeoDataFrame({"name": list("abc")}, geometry=[here, RIVER, away], index=[7, 8, 9], crs=CRS)
    clipped = clip_long(layer, square.total_bounds)
    assert clipped.index.tolist() == [7, 8, 9]
    assert clipped["name"].tolist() == list("abc")
    assert clipped.geometry.iloc[0] == here
    assert clipped.geometry.iloc[1] == RIVER
    assert clipped.geometry.iloc[2].is_empty
    assert layer.geometry.iloc[2] == away
    assert clip_long(layer.iloc[:2], square.total_bounds).geometry.tolist() == [here, RIVER]
    series = clip_long(layer.geometry, square.total_bounds)
    assert isinstance(series, gpd.GeoSeries)
    assert series.is_empty.tolist() == [False, False, True]


def test_area_within_reach_is_kept_to_the_square_metre(square):
    """A ragged lake of 40,000 vertices: within 1 km of the units not a vertex is lost."""
    angle = np.linspace(0, 2 * np.pi, 40_000, endpoint=False)
    radius = 3000 + 40 * np.sin(200 * angle)
    lake = shapely.Polygon(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]))
    clipped = clip_long(area(lake), square.total_bounds).geometry.iloc[0]
    box = shapely.box(-1000, -1000, 1200, 1200)
    assert clipped.symmetric_difference(lake.intersection(box)).area < 1e-3
    shore = area(lake.difference(shapely.box(-500, -500, 500, 500)))
    assert shapely.get_num_coordinates(shore.geometry.iloc[0]) > LONG
    assert clip_long(shore, square.total_bounds).geometry.iloc[0].covers(shapely.box(-999, -999, -501, 1199))
