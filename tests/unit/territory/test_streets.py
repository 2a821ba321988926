"""Street classes: OpenStreetMap out of the box, any other column through a table, nothing guessed."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import LineString

from gridopt.errors import InputError
from gridopt.territory.streets import CUTTING, FACTORS, OSM_HIGHWAYS, classify, is_cutting, is_tunnel


def streets(**columns):
    n = len(next(iter(columns.values())))
    return gpd.GeoDataFrame(columns, geometry=[LineString([(0, i), (1, i)]) for i in range(n)])


def test_factors_are_the_tenths_of_the_design():
    assert dict(FACTORS) == {"arterial": 1, "collector": 4, "local": 10, "path": 20, "none": 40}
    assert set(OSM_HIGHWAYS.values()) <= set(FACTORS)
    with pytest.raises(TypeError):
        FACTORS["local"] = 2


def test_motor_roads_cut_and_footways_and_service_roads_do_not():
    table = streets(highway=["trunk_link", "tertiary", "living_street", "service", "footway", "proposed", None])
    street_class, raw, findings = classify(table)
    assert street_class.tolist() == ["arterial", "collector", "local", "path", "path", "none", "none"]
    assert raw.tolist()[-2:] == ["proposed", ""]
    assert findings == ()
    assert is_cutting(street_class, raw, CUTTING).tolist() == [True] * 3 + [False] * 4


@pytest.mark.parametrize("value", ["['steps', 'tertiary']", "steps;tertiary", "tertiary, steps", ["steps", "tertiary"]])
def test_of_several_values_the_strongest_counts(value):
    table = streets(highway=["road"])
    table["highway"] = pd.Series([value], dtype=object)
    assert classify(table)[0].tolist() == ["collector"]


def test_unknown_osm_values_are_told_and_cut_nothing():
    street_class, _, (told,) = classify(streets(highway=["residential", "hovercraft"]))
    assert street_class.tolist() == ["local", "none"]
    assert (told.code, told.ids) == ("unknown-street-class", ("hovercraft",))


def test_geofabrik_column_is_understood_and_highway_comes_first():
    assert classify(streets(fclass=["primary"]))[0].tolist() == ["arterial"]
    assert classify(streets(fclass=["primary"], highway=["footway"]))[0].tolist() == ["path"]


def test_without_any_class_every_street_is_local():
    street_class, raw, (told,) = classify(streets(name=["a", "b"]))
    assert (street_class.tolist(), raw.tolist(), told.code) == (["local"] * 2, [""] * 2, "no-street-class")


@pytest.mark.parametrize("dtype", [float, "Int64", object])
def test_numbers_and_missing_values_are_translated(dtype):
    table = streets(rank=[0, 0, 0])
    table["rank"] = pd.Series([1, 2, None], dtype=dtype)
    found, _, _ = classify(table, "rank", {1: "arterial", 2: "path", None: "local"})
    assert found.tolist() == ["arterial", "path", "local"]


def test_own_classes_with_own_factors():
    found, _, _ = classify(streets(kind=["R", "L"]), "kind", {"R": "ring", "L": "lane"}, {"ring": 1, "lane": 8})
    assert found.tolist() == ["ring", "lane"]


def test_class_names_themselves_need_no_table():
    assert classify(streets(grade=["arterial", "none"]), "grade")[0].tolist() == ["arterial", "none"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_column": "Rank"}, "'Rank' is not a column of streets. Did you mean 'rank'"),
        ({"class_column": "rank"}, r"2 values of street column 'rank' are not in .*first: 1, 2"),
        ({"class_column": "rank", "classes": {1: "local"}}, r"1 values of street column 'rank' .*first: 2"),
        ({"class_column": "rank", "classes": {1: "locl", 2: "path"}}, r"classes\[1\] is 'locl'.*Did you mean 'local'"),
        ({"classes": {1: "local"}}, "without class_column="),
    ],
)
def test_what_is_in_no_table_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        classify(streets(rank=[1, 2]), **options)


def test_keep_takes_classes_and_single_values_but_no_typing_errors():
    street_class, raw = np.array(["path", "path"], object), np.array(["service", "footway"], object)
    assert is_cutting(street_class, raw, ["service"]).tolist() == [True, False]
    assert is_cutting(street_class, raw, "path").tolist() == [True, True]
    assert is_cutting(street_class, raw, ["motorway"]).tolist() == [False, False]
    with pytest.raises(InputError, match=r"'pth', which is no street class. Did you mean 'path'"):
        is_cutting(street_class, raw, ["pth"])


def test_tunnels_by_every_spelling():
    values = ["yes", "culvert", True, 1, "no", None, np.nan, False, 0, "building_passage", ""]
    table = streets(name=["x"] * len(values))
    table["tunnel"] = pd.Series(values, dtype=object)
    assert is_tunnel(table).tolist() == [True] * 4 + [False] * 7
    assert not is_tunnel(streets(name=["x"])).any()
    assert not is_tunnel(table.geometry).any()
