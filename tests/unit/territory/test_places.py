"""Rows of tables get a place, or are named."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridopt.errors import GeometryError, InputError
from gridopt.territory.locate import locate
from gridopt.territory.places import place, place_at


@pytest.mark.parametrize(
    ("east", "north"), [("lon", "lat"), ("Longitude", "Latitude"), ("LNG", "LAT"), (" 经度", "纬度"), ("經度", "緯度")]
)
def test_names_of_degrees_are_known(east, north):
    placed = place(pd.DataFrame({north: [25.1], "name": ["A"], east: [121.5]}))
    assert (placed.geometry[0].x, placed.geometry[0].y) == (121.5, 25.1)
    assert placed.crs == "EPSG:4326"
    assert placed.attrs["findings"] == ()


def test_plane_coordinates_need_a_system_and_small_ones_are_said_to_be_degrees():
    table = pd.DataFrame({"X": [305_000.0], "Y": [2_770_000.0]})
    with pytest.raises(GeometryError, match=r"'X' and 'Y' are no degrees .*Name it: .*EPSG:3826"):
        place(table)
    assert place(table, crs=3826).crs == "EPSG:3826"
    small = place(pd.DataFrame({"x": [121.5], "y": [25.1]}))
    assert small.crs == "EPSG:4326"
    assert [f.code for f in small.attrs["findings"]] == ["assumed-degrees"]


def test_rows_without_numbers_have_no_place_and_locate_lists_them():
    table = pd.DataFrame({"E": ["5", "n/a", "", None, "inf"], "N": ["5"] * 5}, index=list("abcde"))
    placed = place(table, x="E", y="N", crs="EPSG:26986")
    found = locate(gpd.GeoSeries([shapely.box(0, 0, 10, 10)], index=["B"], crs=26986), placed)
    assert found.unit_of.to_dict() == {"a": "B"}
    assert found.outside == ("b", "c", "d", "e")


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ({"a": [1], "b": [2]}, {}, r"no columns are called as coordinates are .*There are: a, b"),
        ({"a": [1], "b": [2]}, {"x": "a"}, "name both columns, or neither"),
        ({"a": [1], "b": [2]}, {"x": "a", "y": "B"}, "'B' is not a column of the table. Did you mean 'b'"),
        ({"x": ["Main St"], "y": ["?"]}, {}, "none of the 1 rows has two numbers in 'x' and 'y'"),
    ],
)
def test_tables_without_coordinates_are_refused(table, options, message):
    with pytest.raises(InputError, match=message):
        place(pd.DataFrame(table), **options)


PARCELS = gpd.GeoDataFrame(
    {"ML": ["7-1", "7-2", "7-2", "7-3", None]},
    geometry=[*shapely.box([0, 10, 20], 0, [10, 20, 30], 10), None, shapely.box(0, 0, 1, 1)],
    crs="EPSG:26986",
)


def test_records_take_the_place_of_their_key():
    records = pd.DataFrame({"ML": ["7-1", "7-2", " 7-1", "7-3", None, "9-9"]})
    placed = place_at(records, PARCELS, on="ML")
    assert placed.geometry.isna().tolist() == [False, False, False, True, True, True]
    assert placed.geometry[1].equals(shapely.box(10, 0, 20, 10))
    assert placed.crs == PARCELS.crs
    assert [(f.code, f.ids) for f in placed.attrs["findings"]] == [
        ("no-place", ("7-3", "9-9")),
        ("place-not-unique", ("7-2",)),
    ]


def test_keys_are_compared_as_text():
    """A spreadsheet made 7.0 of 7; leading zeros still tell places apart."""
    places = gpd.GeoDataFrame({"no": ["7", "07"]}, geometry=shapely.points([(1, 1), (2, 2)]))
    placed = place_at(pd.DataFrame({"key": [7.0, np.nan]}), places, on="key", places_on="no")
    assert placed.geometry[0].x == 1
    with pytest.raises(InputError, match=r"none of the 1 rows has a place: .*'0007'.*'7'"):
        place_at(pd.DataFrame({"no": ["0007"]}), places, on="no")
    with pytest.raises(InputError, match=r"'No' is not a column of the table\. Did you mean 'no'"):
        place_at(pd.DataFrame({"no": ["7"]}), places, on="No")
