"""Chinese coordinates: the shift of web maps on published points, its inverse, and national systems in metres."""

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridopt.errors import GeometryError, InputError
from gridopt.territory.crs import to_metric, to_same_metric
from gridopt.territory.datum import gcj02_to_wgs84, to_wgs84, wgs84_to_gcj02

PUBLISHED = [
    (31.1774276, 121.5272106, 31.17530398364597, 121.531541859215),
    (22.543847, 113.912316, 22.540796131694766, 113.9171764808363),
    (39.911954, 116.377817, 39.91334545536069, 116.38404722455657),
]
"""lat, lon of WGS 84 and of GCJ-02: Shanghai, Shenzhen, Beijing; test points of googollee/eviltransform."""
PUBLISHED_BAIDU = [
    (116.404, 39.915, 116.41036949371029, 39.92133699351021),
    (121.531541859215, 31.17530398364597, 121.53801568643858, 31.181328606874466),
]
"""lon, lat of GCJ-02 and of BD-09; the first from wandergis/coordtransform."""


@pytest.mark.parametrize(("lat", "lon", "gcj_lat", "gcj_lon"), PUBLISHED)
def test_the_published_points_come_out(lat, lon, gcj_lat, gcj_lon):
    x, y = wgs84_to_gcj02(np.array([lon]), np.array([lat]))
    assert (x[0], y[0]) == pytest.approx((gcj_lon, gcj_lat), abs=1e-10)
    x, y = gcj02_to_wgs84(np.array([gcj_lon]), np.array([gcj_lat]))
    assert (x[0], y[0]) == pytest.approx((lon, lat), abs=1e-9)


@pytest.mark.parametrize(("lon", "lat", "bd_lon", "bd_lat"), PUBLISHED_BAIDU)
def test_published_points_of_baidu_come_back(lon, lat, bd_lon, bd_lat):
    """By iteration, so to the last digits, where the inverse in general use is off by a metre."""
    of_baidu = to_wgs84(gpd.GeoSeries([shapely.Point(bd_lon, bd_lat)], crs="EPSG:4326"), "bd09")
    of_gcj = to_wgs84(gpd.GeoSeries([shapely.Point(lon, lat)], crs="EPSG:4326"), "gcj02")
    assert (of_baidu.x[0], of_baidu.y[0]) == pytest.approx((of_gcj.x[0], of_gcj.y[0]), abs=1e-9)


@given(st.floats(74, 135), st.floats(4, 53))
def test_there_and_back_is_a_micrometre(lon, lat):
    x, y = gcj02_to_wgs84(*wgs84_to_gcj02(np.array([lon]), np.array([lat])))
    assert (x[0], y[0]) == pytest.approx((lon, lat), abs=1e-10)


def test_a_whole_layer_moves_and_keeps_its_columns():
    line = shapely.LineString([(lon, lat) for _, _, lat, lon in PUBLISHED])
    streets = gpd.GeoDataFrame({"name": ["京沪"]}, geometry=[line], crs="EPSG:4490")
    moved = to_wgs84(streets, "gcj02")
    assert moved.crs.to_epsg() == 4326
    assert moved["name"].tolist() == ["京沪"]
    truth = [(lon, lat) for lat, lon, _, _ in PUBLISHED]
    assert shapely.get_coordinates(moved.geometry.to_numpy()) == pytest.approx(np.array(truth), abs=1e-9)
    assert shapely.get_coordinates(streets.geometry.to_numpy())[0, 1] == PUBLISHED[0][2]
    metres = to_wgs84(streets.to_crs("EPSG:4549"), "gcj02")  # degrees that are really GCJ-02, projected as CGCS2000
    assert shapely.get_coordinates(metres.geometry.to_numpy()) == pytest.approx(np.array(truth), abs=1e-7)


def test_what_is_no_web_map_is_refused():
    with pytest.raises(InputError, match=r"source_datum='gcj'.*gcj02"):
        to_wgs84(gpd.GeoSeries([shapely.Point(114, 22)], crs=4326), "gcj")
    with pytest.raises(GeometryError, match="outside of China"):
        to_wgs84(gpd.GeoSeries([shapely.Point(-71, 42)], crs=4326), "gcj02")


# ---- CGCS2000 and local systems --------------------------------------------------------------------------------------

ZONES = range(4513, 4555)


@pytest.mark.parametrize("epsg", [*range(4513, 4555, 5), 4534, 4549, 4554])
def test_every_kind_of_cgcs2000_zone_measures_true_metres(epsg):
    """Zones of 3 degrees with the zone in front of the easting (4513-4533) and without (4534-4554)."""
    crs = pyproj.CRS.from_epsg(epsg)
    middle = (crs.area_of_use.west + crs.area_of_use.east) / 2
    block = shapely.box(middle, 35.0, middle + 0.003, 35.002)
    projected = gpd.GeoSeries([block], crs="EPSG:4490").to_crs(crs)
    kept, target, said = to_metric(projected)
    assert kept is projected
    assert (target.to_epsg(), said) == (epsg, ())
    truth = abs(pyproj.Geod(ellps="GRS80").geometry_area_perimeter(block)[0])
    assert kept.area[0] == pytest.approx(truth, rel=1e-3)


def test_all_cgcs2000_zones_are_known_to_the_projection_library():
    systems = [pyproj.CRS.from_epsg(epsg) for epsg in ZONES]
    assert all("CGCS2000" in crs.name and crs.is_projected for crs in systems)


def test_cgcs2000_in_degrees_is_projected_and_meets_layers_in_metres():
    block = gpd.GeoSeries([shapely.box(114.0, 22.5, 114.003, 22.502)], crs="EPSG:4490")
    with pytest.warns(UserWarning, match="EPSG:4490"):
        projected, target, _ = to_metric(block)
    truth = abs(pyproj.Geod(ellps="GRS80").geometry_area_perimeter(block[0])[0])
    assert target.is_projected
    assert projected.area[0] == pytest.approx(truth, rel=2e-3)
    both, crs, said = to_same_metric({"units": block.to_crs("EPSG:4547"), "streets": block})
    assert crs.to_epsg() == 4547
    assert both["streets"].area[0] == pytest.approx(both["units"].area[0], rel=1e-9)
    assert [f.code for f in said] == ["reprojected"]


def test_a_local_transverse_mercator_without_a_code_is_kept_and_met():
    local = "+proj=tmerc +lat_0=22.5 +lon_0=114.05 +k=1 +x_0=120000 +y_0=30000 +ellps=GRS80 +units=m +no_defs"
    block = gpd.GeoSeries([shapely.box(114.0, 22.5, 114.003, 22.502)], crs="EPSG:4490")
    kept, target, said = to_metric(block.to_crs(local))
    assert target.to_epsg() is None
    assert said == ()
    both, _, _ = to_same_metric({"units": kept, "streets": block})
    assert shapely.hausdorff_distance(both["streets"][0], kept[0]) < 1e-6


@pytest.mark.parametrize(
    ("crs", "box"),
    [("EPSG:4547", (114.0, 22.5, 114.003, 22.502)), ("EPSG:3826", (121.5, 25.0, 121.6, 25.1))],
)
def test_degrees_that_are_labelled_as_metres_are_refused(crs, box):
    with pytest.raises(GeometryError, match=r"units says EPSG.*in metres, but its coordinates .* are degrees.*set_crs"):
        to_metric(gpd.GeoSeries([shapely.box(*box)], crs=crs), what="units")


def test_degrees_that_say_nothing_are_refused_and_small_metres_are_not():
    with pytest.raises(GeometryError, match=r"says nothing about its system, but its coordinates .* are degrees"):
        to_metric(gpd.GeoSeries([shapely.box(114.0, 22.5, 114.003, 22.502)]), what="units")
    with pytest.warns(UserWarning, match="no coordinate system"):
        kept, _, _ = to_metric(gpd.GeoSeries([shapely.box(0, 0, 1, 1)]))
    assert kept.area[0] == 1
    assert to_metric(gpd.GeoSeries([shapely.box(0, 0, 80, 60)], crs="EPSG:4547"))[2] == ()


def test_a_system_without_a_place_on_the_earth_is_refused_in_one_line():
    site = gpd.GeoSeries([shapely.Point(1, 2)], crs='LOCAL_CS["site",UNIT["metre",1]]')
    with pytest.raises(GeometryError, match="cannot be converted to EPSG:4326"):
        to_wgs84(site, "gcj02")
