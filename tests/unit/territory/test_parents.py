"""Units and parents digitised apart: largest share, the doubtful listed, nobody lost."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import gridopt as go
from gridopt.errors import GeometryError, InputError
from gridopt.territory.parents import assign_parents

CRS = "EPSG:3826"


def layer(boxes, ids=None, **columns):
    shapes = [shapely.box(*b) for b in boxes]
    return gpd.GeoDataFrame(columns, geometry=shapes, index=ids, crs=CRS)


@pytest.fixture
def units():
    return layer([(0, 0, 10, 10), (10, 0, 20, 10), (20, 0, 30, 10), (40, 0, 50, 10)], ids=["007", "b", "c", "d"])


@pytest.fixture
def wards():
    return layer([(-1, -1, 16, 11), (16, -1, 29, 11)], name=["west", "east"])


def test_the_largest_share_wins_and_is_told(units, wards):
    found = assign_parents(units, wards, id_column="name")
    assert found.parent_of.to_dict() == {"007": "west", "b": "west", "c": "east", "d": "east"}
    assert found.table.loc["b", ["share", "second", "second_share", "outside"]].tolist() == [0.6, "east", 0.4, 0]
    assert found.table.loc["c", ["share", "second", "outside"]].tolist() == [0.9, None, pytest.approx(0.1)]
    assert found.doubtful.index.tolist() == ["d", "b", "c"]


def test_what_lies_in_no_parent_goes_to_the_nearest_and_is_told(units, wards):
    found = assign_parents(units, wards, id_column="name")
    said = {f.code: f for f in found.findings}
    assert said["outside-parents"].ids == ("d",)
    assert (said["doubtful-parent"].ids, said["doubtful-parent"].value) == (("d", "b", "c"), "3 of 4")
    assert assign_parents(units, wards, id_column="name", threshold=0.55).doubtful.index.tolist() == ["d"]


def test_parents_in_pieces_are_one_parent(units):
    pieces = layer([(0, 0, 4, 10), (4, 0, 9, 10), (9, 0, 30, 10), (-9, -9, -5, -5)], ward=[1, 1, 2, 3])
    found = assign_parents(units, pieces, id_column="ward")
    assert found.table.loc["007", ["parent", "share"]].tolist() == [1, 0.9]
    assert [f.ids for f in found.findings if f.code == "parent-without-units"] == [(3,)]


def test_invalid_parents_are_measured_mended_and_told(units):
    bow = gpd.GeoDataFrame({"name": ["bow"]}, geometry=[shapely.Polygon([(0, 0), (20, 10), (20, 0), (0, 10)])], crs=CRS)
    found = assign_parents(units, bow, id_column="name")
    assert found.table.at["007", "share"] == pytest.approx(0.5)
    assert [f.ids for f in found.findings if f.code == "parent-mended"] == [("bow",)]


def test_wrong_questions_are_refused(units, wards):
    with pytest.raises(InputError, match=r"no column 'nmae'.*name"):
        assign_parents(units, wards, id_column="nmae")
    with pytest.raises(InputError, match="no id"):
        assign_parents(units, wards.assign(name=["west", None]), id_column="name")
    with pytest.raises(InputError, match="threshold=2"):
        assign_parents(units, wards, threshold=2)
    with pytest.raises(GeometryError, match="Point"):
        assign_parents(units, gpd.GeoSeries([shapely.Point(0, 0)], crs=CRS))


def test_parents_go_straight_into_a_problem(units, wards):
    graph = go.build_graph(units.iloc[:3])
    parent = assign_parents(units.iloc[:3], wards, id_column="name").parent_of
    problem = go.build_problem(graph, pd.Series([2, 2, 4], index=units.index[:3]), n_grids=2, parent=parent)
    assert go.solve(problem, steps=100).plan.labels.tolist() == [0, 0, 1]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(1, 12), st.integers(1, 12)), min_size=1,
                max_size=8), st.integers(1, 29))  # fmt: skip
@settings(max_examples=40)
def test_shares_are_those_of_a_count_of_cells(boxes, cut):
    """Oracle: unit cells counted one by one, two parents left and right of a line, one unit after the other."""
    units = layer([(x, y, x + w, y + h) for x, y, w, h in boxes])
    parents = layer([(0, 0, cut, 50), (cut, 0, 50, 50)], ids=["left", "right"])
    found = assign_parents(units, parents).table
    for (x, _, w, _), (_, row) in zip(boxes, found.iterrows()):
        left = sum(1 for c in range(x, x + w) if c < cut) / w
        best, share = ("left", left) if left >= 1 - left else ("right", 1 - left)
        assert row["parent"] == best
        assert row["share"] == pytest.approx(share)
        assert row["second_share"] == pytest.approx(1 - share)
        assert row["outside"] == pytest.approx(0, abs=1e-12)
        assert row["is_doubtful"] == (share < 0.95)
    assert np.isin(found["parent"], ["left", "right"]).all()
