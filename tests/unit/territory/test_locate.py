"""Objects in units: each in exactly one, none lost without being named."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiPoint, Point, Polygon, box

from gridopt.errors import GeometryError, InputError
from gridopt.territory.locate import Located, locate

CRS = "EPSG:26986"
UNITS = gpd.GeoDataFrame(
    {"area_m2": [100.0] * 4},
    geometry=[box(0, 10, 10, 20), box(10, 10, 20, 20), box(0, 0, 10, 10), box(10, 0, 20, 10)],
    index=pd.Index(["NW", "NE", "SW", "SE"], name="unit"),
    crs=CRS,
)


def objects(*geometries, ids=None, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(geometries), crs=CRS, index=ids)


def test_counts_have_every_unit_and_keep_the_order():
    found = locate(UNITS, objects(Point(1, 1), Point(2, 2), Point(15, 15), ids=["a", "b", "c"]))
    assert found.unit_of.to_dict() == {"a": "SW", "b": "SW", "c": "NE"}
    assert found.counts.to_dict() == {"NW": 0, "NE": 1, "SW": 2, "SE": 0}
    assert found.counts.index.equals(UNITS.index)
    assert found.counts.dtype == np.int64
    assert (found.outside, found.findings) == ((), ())


def test_on_a_border_the_first_unit_wins_whatever_the_order_of_objects():
    on_borders = [Point(10, 15), Point(10, 10), Point(10, 5), Point(15, 10), Point(20, 20)]
    found = locate(UNITS, objects(*on_borders))
    assert found.unit_of.tolist() == ["NW", "NW", "SW", "NE", "NE"]
    assert locate(UNITS, objects(*on_borders[::-1])).unit_of.tolist() == ["NE", "NE", "SW", "NW", "NW"]
    assert locate(UNITS.iloc[::-1], objects(*on_borders)).unit_of.tolist() == ["NE", "SE", "SE", "SE", "NE"]
    assert [(f.code, f.value) for f in found.findings] == [("in-several-units", 4)]


def test_who_is_nowhere_is_named():
    found = locate(UNITS, objects(Point(1, 1), Point(99, 99), None, Point(), ids=[11, 12, 13, 14]))
    assert found.outside == (12, 13, 14)
    assert found.unit_of.to_dict() == {11: "SW"}
    assert {f.code: f.ids for f in found.findings} == {"no-geometry": (13, 14), "outside": (12,)}


def test_weights_are_summed_in_their_own_type():
    shops = objects(
        Point(1, 1), Point(2, 2), Point(15, 15), Point(99, 0), staff=[3, 4, 5, 6], area=[0.5, 0.25, 1.5, 9.0]
    )
    one = locate(UNITS, shops, weight="staff").counts
    assert (one.name, one.dtype, one.to_dict()) == ("staff", np.int64, {"NW": 0, "NE": 5, "SW": 7, "SE": 0})
    both = locate(UNITS, shops, weight=["staff", "area"]).counts
    assert both.columns.tolist() == ["staff", "area"]
    assert both["area"].to_dict() == {"NW": 0.0, "NE": 1.5, "SW": 0.75, "SE": 0.0}


def test_classes_get_a_column_each_and_no_object_without_class_is_lost():
    shops = objects(
        Point(1, 1), Point(2, 2), Point(15, 15), Point(3, 3), risk=["B", "A", "B", None], staff=[1, 2, 3, 4]
    )
    found = locate(UNITS, shops, class_column="risk")
    assert found.counts.columns.tolist() == ["(none)", "A", "B"]
    assert found.counts.loc["SW"].tolist() == [1, 1, 1]
    assert found.counts.to_numpy().sum() == 4
    assert [f.code for f in found.findings] == ["no-class"]
    assert locate(UNITS, shops, weight="staff", class_column="risk").counts.loc["SW"].tolist() == [4, 2, 1]
    wide = locate(UNITS, shops.assign(one=1), weight=["staff", "one"], class_column="risk").counts
    assert wide.columns.tolist() == [f"{w}:{c}" for w in ("staff", "one") for c in ("(none)", "A", "B")]


def test_several_layers_share_one_table():
    shops = objects(Point(1, 1), Point(99, 0), ids=["s1", "s2"], staff=[3, 4])
    homes = objects(Point(15, 15), Point(15, 16), Point(1, 1), ids=[1, 2, 3], kind=["x", "y", "x"])
    found = locate(UNITS, {"shops": shops, "homes": homes})
    assert found.counts.columns.tolist() == ["shops", "homes"]
    assert found.counts["homes"].to_dict() == {"NW": 0, "NE": 2, "SW": 1, "SE": 0}
    assert found.unit_of.loc[("homes", 3)] == "SW"
    assert found.unit_of.index.names == ["layer", "object"]
    assert found.outside == (("shops", "s2"),)
    spread = locate(UNITS, {"shops": shops, "homes": homes}, weight={"shops": "staff"}, class_column={"homes": "kind"})
    assert spread.counts.columns.tolist() == ["shops", "homes:x", "homes:y"]
    assert spread.counts.loc["SW"].tolist() == [3, 1, 0]


def test_polygons_by_a_point_on_them_or_by_the_largest_share():
    hook = Polygon([(1, 1), (19, 1), (19, 2), (9, 2), (9, 3), (1, 3)])
    parcels = objects(hook, box(9, 11, 19, 13), box(30, 0, 31, 1), box(8, 2, 12, 4), box(-5, 12, 1, 13))
    found = locate(UNITS, parcels, by="share")
    assert found.unit_of.to_dict() == {0: "SW", 1: "NE", 3: "SW", 4: "NW"}
    assert found.outside == (2,)
    assert len(locate(UNITS, parcels).unit_of) + len(locate(UNITS, parcels).outside) == 5


def test_share_needs_area_not_touch_and_lines_go_by_length():
    neighbours = objects(
        box(20, 0, 30, 10), LineString([(5, 5), (12, 5)]), LineString([(5, 10), (15, 10)]), Point(5, 5)
    )
    found = locate(UNITS, neighbours, by="share")
    assert found.outside == (0,)
    assert found.unit_of.to_dict() == {1: "SW", 2: "NW", 3: "SW"}


def test_invalid_polygons_have_a_place_but_no_share():
    bow_tie = objects(Polygon([(1, 1), (3, 3), (3, 1), (1, 3)]), ids=["P-9"])
    assert locate(UNITS, bow_tie).unit_of.to_dict() == {"P-9": "SW"}
    with pytest.raises(GeometryError, match=r"1 rows of objects are invalid.*first: 'P-9'.*by=\"point\""):
        locate(UNITS, bow_tie, by="share")


def test_multipoint_and_plain_series_are_objects_too():
    assert locate(UNITS, gpd.GeoSeries([MultiPoint([(1, 1), (2, 2)])], crs=CRS)).unit_of.tolist() == ["SW"]
    assert locate(UNITS.geometry, [Point(1, 1)]).unit_of.tolist() == ["SW"]


def test_integer_unit_ids_stay_integers():
    found = locate(UNITS.set_axis([7, 8, 9, 10]), objects(Point(1, 1)))
    assert found.unit_of.tolist() == [9]
    assert found.counts.index.tolist() == [7, 8, 9, 10]


def test_objects_in_degrees_are_moved_to_the_units():
    units = UNITS.set_geometry(UNITS.translate(233_000, 902_000))
    shops = gpd.GeoSeries([Point(233_001, 902_001)], crs=CRS).to_crs(4326)
    assert locate(units, shops).unit_of.tolist() == ["SW"]
    with pytest.raises(GeometryError, match="look like degrees"):
        locate(units, shops.set_crs(None, allow_override=True))


def test_empty_layer_of_objects_counts_nothing():
    found = locate(UNITS, objects())
    assert isinstance(found, Located)
    assert found.counts.tolist() == [0, 0, 0, 0]
    assert len(found.unit_of) == 0


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (
            objects(Point(1, 1), Point(2, 2), ids=["a", "a"]),
            {},
            r"1 ids of objects occur more than once \(first: 'a'\)",
        ),
        (objects(Point(1, 1), w=[1]), {"weight": "W"}, "'W' is not a column of objects. Did you mean 'w'"),
        (objects(Point(1, 1), w=["x"], ids=["a"]), {"weight": "w"}, "weight column 'w' of objects is not numeric"),
        (
            objects(Point(1, 1), w=[-1.0], ids=["a"]),
            {"weight": "w"},
            r"1 values of weight column 'w'.*first: 'a', -1.0",
        ),
        (objects(Point(1, 1), w=[np.nan], ids=["a"]), {"weight": "w"}, "missing, infinite or negative"),
        ({"shops": objects(Point(1, 1))}, {"weight": "w"}, "give a mapping such as {'shops': 'w'}"),
        ({"shops": objects(Point(1, 1))}, {"weight": {"shop": "w"}}, "Did you mean 'shops'"),
        ({}, {}, "empty mapping"),
        (objects(Point(1, 1)), {"by": "area"}, "by is 'area'"),
    ],
)
def test_senseless_requests_are_refused(layer, options, message):
    with pytest.raises(InputError, match=message):
        locate(UNITS, layer, **options)


coordinates = st.one_of(st.integers(-1, 21).map(float), st.floats(-1, 21, allow_nan=False))


@given(st.lists(st.tuples(coordinates, coordinates), max_size=40), st.permutations(range(4)))
def test_same_as_asking_every_unit_in_turn(drawn, order):
    """The obvious twin: the first unit, in the order of the table, that covers the point. Nothing is lost."""
    units = UNITS.iloc[order]
    places = [Point(p) for p in drawn]
    naive = [next((u for u, shape in units.geometry.items() if shapely.covers(shape, p)), None) for p in places]
    found = locate(units, objects(*places))
    assert found.unit_of.to_dict() == {i: u for i, u in enumerate(naive) if u is not None}
    assert found.outside == tuple(i for i, u in enumerate(naive) if u is None)
    assert found.counts.sum() + len(found.outside) == len(places)


def test_a_layer_of_another_place_is_refused():
    import geopandas as gpd
    import shapely

    from gridopt.errors import GeometryError

    units = gpd.GeoSeries(shapely.box([0, 10], 0, [10, 20], 10), index=["a", "b"], crs=32650)
    shops = gpd.GeoSeries(shapely.points([[5000, 3], [6000, 5]]), crs=32650)
    with pytest.raises(GeometryError, match=r"none of the 2 objects is anywhere near.*swapped"):
        locate(units, shops)


# ---- ties, objects nearby, conservation ------------------------------------------------------------------------------


def test_addresses_on_the_street_line_are_dealt_to_both_sides():
    """Ten addresses along the street between NW and NE: five each, west to east and south to north, in any order."""
    street = objects(*(Point(10, 10.5 + i) for i in range(9)), Point(3, 12), ids=list("abcdefghij"))
    even = locate(UNITS, street, ties="even")
    assert even.counts.to_dict() == {"NW": 6, "NE": 4, "SW": 0, "SE": 0}
    assert even.unit_of.tolist() == ["NW", "NE"] * 4 + ["NW", "NW"]
    assert locate(UNITS, street.iloc[::-1], ties="even").unit_of.sort_index().equals(even.unit_of.sort_index())
    assert [f.value for f in even.findings] == [9]
    corner = objects(*[Point(10, 10)] * 6)
    assert locate(UNITS, corner, ties="even").counts.tolist() == [2, 2, 1, 1]


@given(st.lists(st.tuples(st.sampled_from([0.0, 5.0, 10.0]), st.sampled_from([5.0, 10.0, 15.0])), max_size=30))
def test_dealing_is_as_even_as_can_be_among_the_units_that_claim(drawn):
    places = [Point(p) for p in drawn]
    found = locate(UNITS, objects(*places), ties="even")
    claims = [tuple(u for u, shape in UNITS.geometry.items() if shapely.covers(shape, p)) for p in places]
    assert all(unit in claims[i] for i, unit in found.unit_of.items())
    for group in set(claims):
        mine = [found.unit_of[i] for i in range(len(places)) if claims[i] == group]
        counts = [mine.count(u) for u in group]
        assert max(counts) - min(counts) <= 1


def test_objects_beside_the_units_go_to_the_nearest_within_reach():
    beside = objects(Point(21, 15), Point(10, 21), Point(24, 5), Point(5, 5), None, ids=["a", "b", "c", "d", "e"])
    found = locate(UNITS, beside, snap=2)
    assert found.unit_of.to_dict() == {"a": "NE", "b": "NW", "d": "SW"}
    assert found.outside == ("c", "e")
    assert [(f.code, f.value) for f in found.findings if f.code == "snapped"] == [("snapped", 2)]
    with pytest.raises(GeometryError, match="the units are in degrees"):
        locate(
            UNITS.set_crs(4326, allow_override=True), objects(Point(1, 1)).set_crs(4326, allow_override=True), snap=2
        )


def test_conservation_per_class_and_layer():
    shops = objects(Point(1, 1), Point(99, 1), Point(15, 15), risk=["A", "A", "B"], staff=[3, 4, 5])
    found = locate(UNITS, {"shops": shops, "homes": objects(Point(1, 1))}, class_column={"shops": "risk"})
    assert found.conservation.to_dict("index") == {
        "shops:A": {"given": 2, "located": 1, "outside": 1},
        "shops:B": {"given": 1, "located": 1, "outside": 0},
        "homes": {"given": 1, "located": 1, "outside": 0},
    }
    staff = locate(UNITS, shops, weight="staff").conservation.loc["staff"]
    assert staff.tolist() == [12, 8, 4]
    assert staff["outside"] == sum(shops.loc[list(locate(UNITS, shops).outside), "staff"])


def test_infinite_coordinates_are_no_place():
    found = locate(UNITS, objects(Point(1, 1), Point(np.inf, 1)))
    assert found.outside == (1,)
    assert [f.code for f in found.findings] == ["no-geometry"]
