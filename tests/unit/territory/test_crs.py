"""Coordinate systems: true metres come out, whatever comes in, or an error that says how to mend it."""

from __future__ import annotations

import warnings

import geopandas as gpd
import pyproj
import pytest
from shapely import Point, box

from gridopt.errors import GeometryError
from gridopt.territory.crs import to_crs_of, to_metric, to_same_metric

METRES = gpd.GeoSeries([box(233_000, 902_000, 234_000, 902_500)], crs="EPSG:26986", index=["campus"])


@pytest.mark.parametrize("epsg", [26986, 32619])
def test_true_metres_stay_as_they_are_without_a_word(epsg):
    layer = METRES.to_crs(epsg)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        projected, crs, findings = to_metric(layer)
    assert projected is layer
    assert crs.to_epsg() == epsg
    assert findings == ()


@pytest.mark.parametrize("epsg", [4326, 2249, 3857], ids=["degrees", "US feet", "Web Mercator"])
def test_everything_else_is_projected_with_a_warning(epsg):
    with pytest.warns(UserWarning, match=f"layer is in EPSG:{epsg}. It is projected to EPSG:32619"):
        projected, crs, (told,) = to_metric(METRES.to_crs(epsg))
    assert projected.area.iloc[0] == pytest.approx(500_000, rel=0.002)
    assert (crs.to_epsg(), told.code, told.value) == (32619, "reprojected", f"EPSG:{epsg}")


def test_asked_for_system_is_used_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        projected, crs, (told,) = to_metric(METRES.to_crs(4326), "EPSG:26986")
    assert projected.area.iloc[0] == pytest.approx(500_000, rel=1e-6)
    assert (crs.to_epsg(), told.severity) == (26986, "info")


def test_city_system_without_a_place_on_earth_is_kept_but_not_mixed():
    """Survey systems of cities often are plain metres from a secret origin."""
    local = pyproj.CRS.from_wkt(
        'ENGCRS["city",EDATUM["city"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
    )
    layer = gpd.GeoSeries([Point(1, 2)], crs=local)
    assert to_metric(layer)[0] is layer
    with pytest.raises(GeometryError, match="no known place on the earth"):
        to_same_metric({"boundary": METRES, "streets": layer})


def test_heights_are_dropped():
    layer = gpd.GeoDataFrame({"a": [1]}, geometry=[Point(1, 2, 3)], crs="EPSG:26986")
    projected, _, _ = to_metric(layer)
    assert not projected.has_z.any()
    assert layer.has_z.all()


def test_layers_meet_in_the_system_of_the_first_that_has_one():
    bare = METRES.set_crs(None, allow_override=True)
    with pytest.warns(UserWarning, match="bare has no coordinate system"):
        projected, crs, findings = to_same_metric({"none": None, "bare": bare, "a": METRES, "b": METRES.to_crs(4326)})
    assert crs.to_epsg() == 26986
    assert projected["none"] is None
    assert {name: layer.crs for name, layer in projected.items() if name != "none"} == dict.fromkeys(
        ["bare", "a", "b"], crs
    )
    assert [(f.code, f.ids) for f in findings] == [("no-crs", ("bare",)), ("reprojected", ("b",))]


@pytest.mark.parametrize(
    ("layers", "crs", "message"),
    [
        ({"a": METRES}, "EPSG:2249", "measures in US survey foot"),
        ({"a": METRES}, "EPSG:4326", "measures in degree"),
        ({"a": METRES}, "metres", "is not a coordinate system"),
        ({"a": METRES.set_crs(4326, allow_override=True)}, None, r"outside the degrees of EPSG:4326 \(first: 'campus'"),
        ({"a": METRES, "b": gpd.GeoSeries([Point(-71, 42)])}, None, "b has no coordinate system.*look like degrees"),
    ],
)
def test_what_cannot_be_right_is_refused(layers, crs, message):
    with pytest.raises(GeometryError, match=message):
        to_same_metric(layers, crs)


def test_layer_joins_another_system_even_in_degrees():
    moved, _ = to_crs_of(METRES, "EPSG:4326")
    assert moved.crs.to_epsg() == 4326
    with pytest.raises(GeometryError, match="layer is in EPSG:26986, but the layer it is to meet has no"):
        to_crs_of(METRES, None)
