"""Layers that lie beside each other: the shift is found and named, and nothing is found where there is none."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.territory.datum import to_wgs84, wgs84_to_gcj02
from gridopt.territory.shift import find_shift


@pytest.fixture(scope="module")
def city():
    return go.synthetic.city(300, seed=3)


def in_gcj02(layer):
    degrees = layer.to_crs("EPSG:4326")
    shapes = shapely.transform(degrees.geometry.to_numpy(), lambda c: np.column_stack(wgs84_to_gcj02(c[:, 0], c[:, 1])))
    return degrees.set_geometry(gpd.GeoSeries(shapes, index=degrees.index, crs=4326))


@pytest.mark.parametrize(("east", "north"), [(60, 0), (-35, 80), (240, -310)])
def test_a_shift_is_measured_to_a_few_metres(city, east, north):
    """Blocks against the streets they were cut by, moved away."""
    moved = city.streets.set_geometry(city.streets.translate(east, north))
    shift = find_shift(moved, city.units)
    assert (shift.east_m, shift.north_m) == pytest.approx((-east, -north), abs=4)
    assert shift.cause == "unknown"


def test_layers_that_lie_on_each_other_have_none(city):
    assert find_shift(city.streets, city.units) is None
    jittered = city.units.geometry.translate(3, -2)  # drawing noise
    assert find_shift(city.streets, jittered) is None


def test_layers_that_have_nothing_in_common_have_none(city):
    other = go.synthetic.city(300, seed=8).streets
    assert find_shift(other, city.units) is None
    assert find_shift(city.streets.set_geometry(city.streets.translate(50_000, 0)), city.units) is None


def test_web_map_coordinates_are_named_and_conversion_mends_them(city):
    streets = in_gcj02(city.streets)
    shift = find_shift(streets, city.units, crs=city.units.crs)
    assert shift.cause == "gcj02"
    assert "streets come from a web map" in shift.finding("streets", "units").cure
    assert find_shift(to_wgs84(streets, "gcj02"), city.units, crs=city.units.crs) is None
    other_way = find_shift(city.streets, in_gcj02(city.units), crs=city.units.crs)
    assert other_way.cause == "gcj02-reference"


def test_a_layer_converted_by_mistake_is_named(city):
    """Streets in WGS 84, converted all the same, lie off the other way: the cure names both ways out."""
    twice = to_wgs84(city.streets, "gcj02")
    said = {f.code: f for f in go.build_graph(city.units, streets=twice).findings}
    assert "streets were converted: either they lay right before" in said["shifted-gcj02"].cure
    said = {f.code: f for f in go.build_graph(to_wgs84(city.units, "gcj02"), streets=city.streets).findings}
    assert "units were converted: either they lay right before" in said["shifted-gcj02"].cure
    said = {f.code: f for f in go.assign_parents(city.units, to_wgs84(city.units, "gcj02")).findings}
    assert "parents were converted: either they lay right before" in said["shifted-gcj02"].cure
    web = in_gcj02(city.units)
    said = {f.code: f for f in go.build_graph(web, streets=to_wgs84(in_gcj02(city.streets), "gcj02")).findings}
    assert "or units come from a web map too" in said["shifted-gcj02"].cure


@pytest.mark.parametrize("of", [lambda layer: layer, lambda layer: layer.geometry, lambda layer: layer.to_crs(3857)])
def test_nothing_is_converted_twice(city, of):
    once = to_wgs84(in_gcj02(city.streets), "gcj02")
    assert once.attrs["source_datum"] == "gcj02"
    with pytest.raises(go.InputError, match=r"converted from gcj02 before.*Convert each layer once"):
        to_wgs84(of(once), "bd09")


def test_build_graph_says_why_no_street_runs_along_a_border(city):
    graph = go.build_graph(city.units, streets=in_gcj02(city.streets))
    said = {f.code: f for f in graph.findings}
    assert "shifted-gcj02" in said
    mended = go.build_graph(city.units, streets=to_wgs84(in_gcj02(city.streets), "gcj02"))
    assert not {"shifted-gcj02", "shifted", "streets-elsewhere"} & {f.code for f in mended.findings}
    assert mended.class_length.sum() > 10 * graph.class_length.sum()
