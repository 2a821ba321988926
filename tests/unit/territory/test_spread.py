"""Counts of areas in units: to the last person, and as a slow twin divides them."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import Point, Polygon, box

from gridopt.errors import GeometryError, InputError
from gridopt.territory.spread import cells_around, spread

CRS = "EPSG:26986"
UNITS = gpd.GeoDataFrame(
    {"homes": [0, 30, 10, 0]},
    geometry=[box(0, 10, 10, 20), box(10, 10, 20, 20), box(0, 0, 10, 10), box(10, 0, 20, 10)],
    index=pd.Index(["NW", "NE", "SW", "SE"], name="unit"),
    crs=CRS,
)


def areas(*shapes, ids=None, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS, index=ids)


def naive(units, tracts, column):
    """The obvious twin: each area's amount by the area it has in common with each unit; the rest is outside."""
    amounts = dict.fromkeys(units.index, 0.0)
    for value, shape in zip(tracts[column], tracts.geometry):
        for unit, home in units.geometry.items():
            amounts[unit] += value * shape.intersection(home).area / shape.area
    return amounts


def test_amounts_are_divided_by_area():
    found = spread(UNITS, areas(box(0, 0, 20, 20), box(5, 5, 15, 10), persons=[400.5, 10.0]), "persons")
    assert found.counts["persons"].to_dict() == {"NW": 100.125, "NE": 100.125, "SW": 105.125, "SE": 105.125}
    assert found.counts.index.equals(UNITS.index)
    assert found.findings == ()


def test_whole_numbers_stay_whole_and_add_up():
    """Seven persons over four equal units: the first three of equals get the remainder."""
    found = spread(UNITS, areas(box(0, 0, 20, 20), persons=[7]), "persons")
    assert found.counts["persons"].tolist() == [2, 2, 2, 1]
    assert found.counts["persons"].dtype == np.int64
    assert found.conservation.loc["persons"].tolist() == [7, 7, 0]


def test_what_is_outside_is_cut_or_kept():
    tract = areas(box(10, 0, 30, 10), ids=["T-1"], persons=[101])
    cut = spread(UNITS, tract, "persons")
    assert cut.counts["persons"].to_dict() == {"NW": 0, "NE": 0, "SW": 0, "SE": 51}
    assert cut.conservation.loc["persons"].to_dict() == {"given": 101, "located": 51, "outside": 50}
    assert [(f.code, f.ids) for f in cut.findings] == [("partly-outside", ("T-1",))]
    kept = spread(UNITS, tract, "persons", edge="keep")
    assert kept.conservation.loc["persons"].tolist() == [101, 101, 0]
    away = spread(UNITS, areas(box(10, 0, 20, 10), box(25, 0, 30, 10), ids=["in", "out"], n=[3, 4]), "n", edge="keep")
    assert away.conservation.loc["n"].tolist() == [7, 3, 4]
    assert [(f.code, f.ids) for f in away.findings] == [("outside", ("out",))]


def test_a_proxy_says_where_people_are_within_an_area():
    """NE has 30 homes, SW 10: three quarters and one quarter; where it says nothing, area decides."""
    found = spread(UNITS, areas(box(0, 0, 20, 20), box(10, 0, 20, 10), ids=["a", "b"], n=[80, 6]), "n", proxy="homes")
    assert found.counts["n"].to_dict() == {"NW": 0, "NE": 60, "SW": 20, "SE": 6}
    assert [(f.code, f.ids) for f in found.findings] == [("proxy-silent", ("b",))]
    by_id = spread(UNITS, areas(box(0, 0, 20, 20), n=[80]), "n", proxy=UNITS["homes"].iloc[::-1])
    assert by_id.counts["n"].to_dict() == {"NW": 0, "NE": 60, "SW": 20, "SE": 0}


def test_units_that_overlap_share_and_do_not_double():
    double = gpd.GeoSeries([box(0, 0, 10, 10), box(0, 0, 10, 10)], index=["a", "b"], crs=CRS)
    found = spread(double, areas(box(0, 0, 10, 10), n=[9]), "n")
    assert found.counts["n"].tolist() == [5, 4]
    assert [f.code for f in found.findings] == ["overlap"]


def test_missing_amounts_are_an_error_or_zero_and_said():
    tracts = areas(box(0, 0, 20, 20), box(0, 0, 10, 10), ids=["a", "b"], n=[4.0, np.nan])
    with pytest.raises(InputError, match=r"1 values of weight column 'n' of areas are missing.*first: 'b'"):
        spread(UNITS, tracts, "n")
    found = spread(UNITS, tracts, {"people": "n"}, missing="zero")
    assert found.counts["people"].tolist() == [1, 1, 1, 1]
    assert [(f.code, f.ids) for f in found.findings] == [("no-amount", ("b",))]


def test_layers_in_degrees_are_measured_in_metres():
    """A degree of longitude at 60° N is half a degree of latitude: shares are those of true areas."""
    units = gpd.GeoSeries([box(24.0, 60.0, 24.1, 60.1), box(24.1, 60.0, 24.2, 60.1)], index=[1, 2], crs=4326)
    tract = gpd.GeoDataFrame({"n": [1000]}, geometry=[box(24.05, 60.0, 24.2, 60.1)], crs=4326)
    with pytest.warns(UserWarning, match="projected"):
        found = spread(units, tract, "n")
    assert found.counts["n"].tolist() == [333, 667]


@pytest.mark.parametrize(
    ("tracts", "options", "message"),
    [
        (areas(box(0, 0, 1, 1), n=[-999], ids=["T"]), {}, r"column 'n' of areas.*first: 'T', -999"),
        (areas(box(0, 0, 1, 1), n=[1]), {"columns": "N"}, "Did you mean 'n'"),
        (areas(Polygon([(0, 0), (9, 9), (9, 0), (0, 9)]), n=[1], ids=["X"]), {}, "are invalid.*'X'"),
        (areas(Point(0, 0), n=[1]), {}, "are Point"),
        (areas(box(22, 0, 23, 1), n=[1], ids=["far"]), {}, "none of the 1 areas overlaps a unit .*'far'"),
        (areas(box(0, 0, 1, 1), n=[1]), {"edge": "trim"}, "edge is 'trim'"),
        (areas(box(0, 0, 1, 1), n=[1]), {"proxy": "rooms"}, "'rooms' is not a column of units"),
        (areas(box(0, 0, 1, 1), n=[1]), {"proxy": pd.Series({"NW": 1})}, "no value for 3 units"),
    ],
)
def test_senseless_requests_are_refused(tracts, options, message):
    with pytest.raises((InputError, GeometryError), match=message):
        spread(UNITS, tracts, **{"columns": "n", **options})


squares = st.tuples(st.integers(-6, 20), st.integers(-6, 20), st.integers(1, 15), st.integers(1, 15))


@given(st.lists(st.tuples(squares, st.integers(0, 1000)), min_size=1, max_size=12))
def test_same_as_the_twin_within_one_and_nothing_lost(drawn):
    """Whole numbers are the twin's, rounded; given = located + outside exactly."""
    tracts = areas(*(box(x, y, x + w, y + h) for (x, y, w, h), _ in drawn), n=[n for _, n in drawn])
    expected = naive(UNITS, tracts, "n")
    try:
        found = spread(UNITS, tracts, "n")
    except GeometryError:
        assert not any(shape.intersection(home).area for shape in tracts.geometry for home in UNITS.geometry)
        return
    counts = found.counts["n"].to_dict()
    assert all(abs(counts[u] - expected[u]) < 1 for u in counts)
    given_, located, outside = found.conservation.loc["n"]
    assert given_ == sum(n for _, n in drawn) == located + outside
    assert abs(located - sum(expected.values())) < 1
    exact = spread(UNITS, tracts.assign(n=tracts["n"] + 0.5), "n").counts["n"]
    assert exact.to_dict() == pytest.approx(naive(UNITS, tracts.assign(n=tracts["n"] + 0.5), "n"))


def test_cells_of_a_honeycomb_are_its_hexagons():
    """Centres 100 m apart: an inner cell has the area of the hexagon, 100² √3 / 2, and six sides."""
    at = [(100 * (c + r % 2 / 2), 100 * r * 3**0.5 / 2) for r in range(7) for c in range(7)]
    cells = cells_around(gpd.GeoDataFrame({"n": range(49)}, geometry=shapely.points(at), crs=CRS))
    inner = cells.geometry.iloc[24]
    assert inner.area == pytest.approx(100**2 * 3**0.5 / 2, rel=1e-6)
    assert len(inner.simplify(0.01).exterior.coords) == 7
    assert cells["n"].tolist() == list(range(49))
    assert cells.geometry.area.max() <= np.pi * (110 / 3**0.5) ** 2
    overlap = shapely.area(cells.geometry.to_numpy()).sum() - shapely.union_all(cells.geometry.to_numpy()).area
    assert overlap == pytest.approx(0, abs=1e-3)


def test_points_at_one_place_have_one_cell_and_one_place_needs_a_radius():
    twice = gpd.GeoSeries(shapely.points([(0, 0), (0, 0), (90, 0)]), crs=CRS)
    cells = cells_around(twice)
    assert cells.geometry.iloc[0].equals(cells.geometry.iloc[1])
    with pytest.raises(GeometryError, match="Give radius="):
        cells_around(twice.iloc[:2])
    assert cells_around(twice.iloc[:1], radius=10).area.iloc[0] == pytest.approx(np.pi * 100, rel=0.01)
