"""Crosswalks with answers known from the drawing."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridopt.errors import GeometryError, InputError
from gridopt.workflow.crosswalk import crosswalk

CRS = 32650


def layer(**boxes: tuple[float, float, float, float]) -> gpd.GeoDataFrame:
    """Rectangles by id."""
    return gpd.GeoDataFrame(index=list(boxes), geometry=[shapely.box(*b) for b in boxes.values()], crs=CRS)


ROW = layer(a=(0, 0, 100, 100), b=(100, 0, 200, 100), c=(200, 0, 300, 100))


def codes(found) -> list[str]:
    return [finding.code for finding in found.findings]


def test_nothing_changed():
    found = crosswalk(ROW, ROW.iloc[::-1])
    assert found.new["kind"].tolist() == ["same"] * 3
    assert found.new["main"].to_dict() == {"a": "a", "b": "b", "c": "c"}
    assert found.findings == ()


def test_a_block_split_by_a_new_street():
    new = layer(a=(0, 0, 100, 100), b1=(100, 0, 150, 100), b2=(150, 0, 200, 100), c=(200, 0, 300, 100))
    found = crosswalk(ROW, new)
    assert found.new["kind"].to_dict() == {"a": "same", "b1": "split", "b2": "split", "c": "same"}
    assert found.new["main"].tolist() == ["a", "b", "b", "c"]
    assert found.old["fate"].tolist() == ["same", "split", "same"]
    assert not found.new["ambiguous"].any()


def test_the_larger_part_may_keep_the_id():
    new = layer(a=(0, 0, 100, 100), b=(100, 0, 170, 100), b2=(170, 0, 200, 100), c=(200, 0, 300, 100))
    found = crosswalk(ROW, new)
    assert found.new.loc[["b", "b2"], "kind"].tolist() == ["split", "split"]
    assert found.new.loc[["b", "b2"], "by"].tolist() == ["id", "area"]


def test_blocks_merged():
    new = layer(ab=(0, 0, 200, 100), c=(200, 0, 300, 100))
    found = crosswalk(ROW, new)
    assert found.new["kind"].tolist() == ["merged", "same"]
    assert found.old["fate"].tolist() == ["merged", "merged", "same"]
    assert found.old["heir"].tolist() == ["ab", "ab", "c"]
    assert found.new["ambiguous"].tolist() == [True, False]
    assert "a 50.0%, b 50.0%" in next(f for f in found.findings if f.code == "ambiguous-origin").cure


def test_a_demolition_and_a_new_block():
    new = layer(a=(0, 0, 100, 100), b=(100, 0, 200, 100), d=(0, 100, 100, 200))
    found = crosswalk(ROW, new)
    assert found.new["kind"].to_dict() == {"a": "same", "b": "same", "d": "new"}
    assert pd.isna(found.new.loc["d", "main"])
    assert found.old["fate"].to_dict() == {"a": "same", "b": "same", "c": "gone"}
    assert sorted(codes(found)) == ["unit-gone", "unit-new"]
    mass = found.mass["area_m2"]
    assert (mass["old"], mass["gone"], mass["carried"], mass["added"], mass["new"]) == (3e4, 1e4, 2e4, 1e4, 3e4)


def test_a_boundary_moved():
    new = layer(a=(0, 0, 130, 100), b=(130, 0, 200, 100), c=(200, 0, 300, 100))
    for by in (("id", "area"), ("area",)):
        found = crosswalk(ROW, new, by=by, clear=0.75)
        assert found.new["kind"].tolist() == ["reshaped", "reshaped", "same"]
        assert found.new["main"].tolist() == ["a", "b", "c"]
        assert found.new["share"].tolist() == pytest.approx([100 / 130, 1, 1])


def test_an_id_given_to_another_place():
    new = layer(a=(200, 0, 300, 100), b=(100, 0, 200, 100), c=(0, 0, 100, 100))
    found = crosswalk(ROW, new)
    assert found.new["main"].to_dict() == {"a": "c", "b": "b", "c": "a"}
    reused = next(f for f in found.findings if f.code == "id-reused")
    assert reused.ids == ("a", "c")


def test_ids_absorb_coarse_drawing():
    """A layer shifted by a quarter of a unit: by area every unit is doubtful, by id none is."""
    shifted = ROW.set_geometry(ROW.translate(25, 10))
    assert crosswalk(ROW, shifted, by=("area",)).new["ambiguous"].tolist() == [True, True, True]
    found = crosswalk(ROW, shifted)
    assert not found.new["ambiguous"].any()
    assert found.new["by"].tolist() == ["id"] * 3


def test_numbers_in_one_layer_and_text_in_the_other_are_the_same_ids():
    old = ROW.set_axis([7, 8, 9])
    found = crosswalk(old, ROW.set_axis(["7", "8", "9"]))
    assert found.new["main"].tolist() == [7, 8, 9]
    assert found.new["by"].tolist() == ["id"] * 3


def test_points_say_more_than_area():
    """The new block takes 40 of 100 m from a, where all the people are."""
    new = layer(a=(0, 0, 60, 100), n=(60, 0, 200, 100), c=(200, 0, 300, 100))
    homes = gpd.GeoDataFrame(
        {"people": [5.0, 1.0, 2.0]}, geometry=gpd.points_from_xy([80, 150, 250], [50, 50, 50]), crs=CRS
    )
    assert crosswalk(ROW, new).new.loc["n", "main"] == "b"
    found = crosswalk(ROW, new, points=homes, weight="people")
    assert found.new.loc["n", ["main", "by"]].tolist() == ["a", "points"]
    assert found.new.loc["n", "share"] == pytest.approx(5 / 6)
    assert found.new.loc["a", "by"] == "id"
    assert found.mass["weight"].to_dict()["carried"] == 8


def test_points_outside_are_counted():
    homes = gpd.GeoSeries(gpd.points_from_xy([50, 999], [50, 999]), crs=CRS)
    found = crosswalk(ROW, ROW, points=homes)
    assert [(f.code, f.value) for f in found.findings] == [("points-outside", 1)]
    assert found.mass["weight"]["old"] == found.mass["weight"]["carried"] == 1


def test_tables_without_shapes_go_by_id():
    old, new = pd.DataFrame(index=["a", "b"]), pd.DataFrame(index=["b", "c"])
    found = crosswalk(old, new, by=("id",))
    assert found.new["kind"].to_dict() == {"b": "same", "c": "new"}
    assert found.old["fate"].to_dict() == {"a": "gone", "b": "same"}
    with pytest.raises(InputError, match='by=\\("id",\\)'):
        crosswalk(old, new)


def test_degrees_are_measured_in_metres():
    row = ROW.set_geometry(ROW.translate(500_000, 3_000_000))
    with pytest.warns(UserWarning, match="EPSG:4326"):
        found = crosswalk(row.to_crs(4326), row)
    assert found.mass["area_m2"]["old"] == pytest.approx(3e4, rel=1e-6)
    assert found.new["kind"].tolist() == ["same"] * 3


def test_bad_input_is_refused():
    bowtie = gpd.GeoDataFrame(index=["x"], geometry=[shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])], crs=CRS)
    with pytest.raises(GeometryError, match="'x'"):
        crosswalk(ROW, bowtie)
    with pytest.raises(InputError, match="right coordinate systems"):
        crosswalk(ROW, ROW.set_geometry(ROW.translate(5000)), by=("area",))
    with pytest.raises(InputError, match="clear"):
        crosswalk(ROW, ROW, clear=0.5)
    with pytest.raises(InputError, match="evidence"):
        crosswalk(ROW, ROW, by=("name",))


cuts = st.lists(st.integers(1, 99), max_size=6, unique=True).map(sorted)


@settings(max_examples=60, deadline=None)
@given(cuts, cuts, st.integers(50, 100), st.integers(50, 100))
def test_shares_and_mass_are_those_of_intervals(first, second, old_end, new_end):
    """Strips of a street cut anew: overlaps, gone and added are lengths of intervals."""

    def strips(places: list[int], end: int, name: str) -> gpd.GeoDataFrame:
        ends = [0, *(p for p in places if p < end), end]
        shapes = [shapely.box(a, 0, b, 1) for a, b in pairwise(ends)]
        return gpd.GeoDataFrame(index=[f"{name}{i}" for i in range(len(shapes))], geometry=shapes, crs=CRS)

    old, new = strips(first, old_end, "o"), strips(second, new_end, "n")
    found = crosswalk(old, new)
    a, b = old.bounds, new.bounds
    common = np.minimum(a["maxx"].to_numpy()[:, None], b["maxx"].to_numpy()) - np.maximum(
        a["minx"].to_numpy()[:, None], b["minx"].to_numpy()
    )
    expected = {(o, n): v for i, o in enumerate(old.index) for j, n in enumerate(new.index) if (v := common[i, j]) > 0}
    got = {(r.old, r.new): r.area_m2 for r in found.pairs.itertuples()}
    assert got == pytest.approx(expected)
    mass = found.mass["area_m2"]
    assert mass["old"] - mass["gone"] + mass["old_twice"] == pytest.approx(mass["carried"])
    assert mass["new"] - mass["added"] + mass["new_twice"] == pytest.approx(mass["carried"])
    assert mass["carried"] == pytest.approx(min(old_end, new_end))
    counts = found.counts()
    assert sum(counts["new"].values()) == len(new)
    assert sum(counts["old"].values()) == len(old)
    told = [f.ids[0] for f in found.findings if f.code == "ambiguous-origin"]
    assert told == found.new.index[found.new["ambiguous"]].tolist()
