"""Polygons with known defects: found where they are, mended, and accounted for to the square metre."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from gridopt.errors import GeometryError, InputError
from gridopt.territory.adjacency import build_graph
from gridopt.territory.defects import inspect_units
from gridopt.territory.repair import repair_units

CRS = "EPSG:3826"


def layer(shapes, **columns):
    ids = [f"U{i}" for i in range(len(shapes))]
    return gpd.GeoDataFrame(columns, geometry=list(shapes), index=ids, crs=CRS)


def kinds(table):
    return table["kind"].value_counts().to_dict()


def step(repaired, name):
    return float(repaired.account.set_index("step").at[name, "area_m2"])


def test_an_exact_coverage_has_no_defects_and_stays_as_it_is():
    tiles = layer(shapely.box(*np.array([(x, y, x + 50, y + 40) for x in (0, 50) for y in (0, 40)]).T))
    assert len(inspect_units(tiles)) == 0
    repaired = repair_units(tiles)
    assert shapely.equals(repaired.units.geometry.to_numpy(), tiles.geometry.to_numpy()).all()
    assert len(repaired.changes) == 0
    assert repaired.account["area_m2"].tolist() == [8000, 0, 0, 0, 0, 0, 0, 8000, 0]


def test_each_kind_of_defect_is_found_where_it_was_put():
    bowtie = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    thorn = shapely.Polygon([(100, 0), (110, 0), (110, 4), (120, 4.02), (110, 4.04), (110, 10), (100, 10)])
    holed = shapely.box(200, 0, 220, 20) - shapely.box(210, 5, 210.5, 15)
    pieces = shapely.MultiPolygon([shapely.box(400, 0, 410, 10), shapely.box(430, 0, 440, 10)])
    ring = [shapely.box(500, 0, 530, 10), shapely.box(500, 20, 530, 30), shapely.box(500, 10, 510, 20)]
    ring += [shapely.box(520, 10, 530, 20)]
    pair = [shapely.box(300, 0, 311, 10), shapely.box(310, 0, 320, 10)]
    crack = [shapely.box(600, 0, 610, 10), shapely.box(610.3, 0, 620, 10)]
    twins = [shapely.box(700, 0, 710, 10), shapely.box(700, 0, 710, 10)]
    shapes = [bowtie, thorn, holed, *pair, pieces, *ring, *crack, *twins, shapely.Polygon()]
    table = inspect_units(layer(shapes))
    assert kinds(table) == dict.fromkeys(
        ("no-geometry", "invalid-geometry", "duplicate-polygon", "overlap", "gap", "pin-hole", "spike", "hole"), 1
    ) | {"several-parts": 2}  # the bow tie is two triangles once its ring is mended
    at = {row.kind: row for row in table.itertuples()}
    assert at["invalid-geometry"].units == ("U0",)
    assert (at["invalid-geometry"].x, at["invalid-geometry"].y) == (5, 5)
    assert "self-intersection" in at["invalid-geometry"].note
    assert at["duplicate-polygon"].units == ("U12", "U13")
    assert at["overlap"].units == ("U3", "U4")
    assert (at["overlap"].area_m2, at["overlap"].width_m) == pytest.approx((10, 1), rel=0.01)
    assert at["gap"].units == ("U10", "U11")
    assert (at["gap"].area_m2, at["gap"].width_m) == pytest.approx((3, 0.3), rel=0.01)
    assert at["pin-hole"].units == ("U2",)
    assert at["pin-hole"].area_m2 == pytest.approx(5)
    assert (at["spike"].units, at["spike"].x, at["spike"].y) == (("U1",), 120, 4.02)
    assert at["hole"].units == ("U6", "U7", "U8", "U9")
    assert at["hole"].area_m2 == pytest.approx(100)
    assert at["no-geometry"].units == ("U14",)
    for row in table.dropna(subset="x").itertuples():
        assert row.geometry.distance(shapely.Point(row.x, row.y)) < 1e-6


def test_findings_sum_up_each_kind_and_name_the_units():
    found = inspect_units(layer(shapely.box([0, 9, 18], 0, [10, 20, 30], 10))).attrs["findings"]
    assert [(f.code, f.severity, f.ids, f.value) for f in found] == [
        ("overlap", "warning", ("U1", "U2", "U0"), "2, 30.00 m2")
    ]


def test_the_account_names_every_square_metre():
    """Each figure is known by hand: 5 units as given have 100 + 110 + 100 + 100 + 200 m2."""
    shapes = [
        shapely.box(0, 0, 10, 10),
        shapely.box(9, 0, 20, 10),  # overlaps the first by 10 m2
        shapely.box(20.5, 0, 30.5, 10),  # a gap of 5 m2 before it
        shapely.box(20.5, 0, 30.5, 10),  # the same again
        shapely.Polygon([(0, 10), (20, 10), (20, 20), (0, 20)]),
    ]
    repaired = repair_units(layer(shapes))
    told = dict(zip(repaired.account["step"], repaired.account["area_m2"].round(6)))
    assert told == {
        **{"as given": 610, "rings mended": 0, "spikes cut": 0, "duplicates dropped": -100, "overlaps removed": -10},
        **{"gaps filled": 5, "crumbs handed over": 0, "after": 505, "unexplained": 0},
    }
    assert repaired.units.index.tolist() == ["U0", "U1", "U2", "U4"]
    assert shapely.coverage_is_valid(repaired.units.geometry.to_numpy())
    assert shapely.union_all(repaired.units.geometry.to_numpy()).area == pytest.approx(505)
    assert [f.ids for f in repaired.findings if f.code == "unit-dropped"] == [("U3",)]


def test_a_bow_tie_is_mended_and_its_area_told():
    repaired = repair_units(layer([shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)]), shapely.box(10, 0, 20, 10)]))
    assert step(repaired, "as given") == pytest.approx(100)  # the two triangles cancel out
    assert step(repaired, "rings mended") == pytest.approx(50)
    assert repaired.units.geometry.is_valid.all()
    assert not [f for f in repaired.findings if f.severity == "error"]


def test_long_gaps_are_shared_out_by_the_units_along_them():
    """A crack of half a metre between two rows of houses: none of them gets a tail along its neighbours."""
    low = [shapely.box(10 * i, 0, 10 * i + 10, 10) for i in range(6)]
    high = [shapely.box(12 * i, 10.5, 12 * i + 12, 20) for i in range(5)]
    repaired = repair_units(layer(low + high))
    assert step(repaired, "gaps filled") == pytest.approx(30)
    gained = repaired.changes["gained_m2"]
    assert len(gained) == 11
    assert gained.max() < 6
    assert build_graph(repaired.units, snap=0).n_edges == 4 + 5 + 10


def test_a_gap_between_two_units_goes_to_one_of_them_so_that_their_border_stays_smooth():
    """A bent gap with many vertices on both sides: the border afterwards is one of the two sides, no saw."""
    y = np.linspace(0, 100, 41)
    left = np.column_stack([50 + 5 * np.sin(y / 15), y])
    west = shapely.Polygon([(0, 0), *left.tolist(), (0, 100)])
    east = shapely.Polygon([(100, 0), *np.add(left, (0.5, 0)).tolist(), (100, 100)])
    repaired = repair_units(layer([west, east]))
    assert step(repaired, "gaps filled") == pytest.approx(50, rel=0.01)
    assert len(repaired.changes) == 1
    border = shapely.intersection(*repaired.units.geometry.to_numpy())
    assert border.length == pytest.approx(shapely.LineString(left).length, rel=0.01)


def test_a_unit_inside_another_one_keeps_its_ground():
    repaired = repair_units(layer([shapely.box(0, 0, 100, 100), shapely.box(40, 40, 50, 50)]))
    assert repaired.units.area.round(6).tolist() == [9900, 100]


def test_a_unit_that_loses_most_of_its_ground_is_named():
    shapes = [shapely.box(0, 0, 100, 100), shapely.box(20, -2, 80, 90)]
    repaired = repair_units(layer(shapes))
    assert [f.ids for f in repaired.findings if f.code == "unit-shrunk"] == [("U1",)]
    assert repaired.units.area.sum() == pytest.approx(shapely.union_all(shapes).area)


def test_crumbs_go_to_the_unit_they_border():
    """A sliver of a unit beyond its neighbour would make it two pieces, and cut the neighbour off."""
    crumbly = shapely.MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(20, 0, 20.4, 10)])
    repaired = repair_units(layer([crumbly, shapely.box(10, 0, 20, 10), shapely.box(20.4, 0, 30, 10)]))
    assert set(repaired.units.geom_type) == {"Polygon"}
    assert repaired.units.area.sum() == pytest.approx(300)
    assert repaired.account.set_index("step").at["crumbs handed over", "places"] == 1


def test_wide_ground_in_no_unit_is_left_alone():
    ring = shapely.box(0, 0, 30, 30) - shapely.box(10, 10, 20, 20)
    repaired = repair_units(layer([ring, shapely.box(30, 0, 60, 30)]))
    assert repaired.units.area.sum() == pytest.approx(1700)
    assert [f.code for f in repaired.findings if f.code == "hole"] == ["hole"]


def test_duplicates_hand_their_numbers_on():
    tiles = layer(shapely.box([0, 0, 10], 0, [10, 10, 20], 10), homes=[3, 4, 5], hours=[1.5, np.nan, 2.0])
    assert repair_units(tiles).units["homes"].tolist() == [3, 5]
    carried = repair_units(tiles, carry=["homes", "hours"]).units
    assert (carried["homes"].tolist(), carried["hours"].tolist()) == ([7, 5], [1.5, 2.0])
    assert tiles["homes"].tolist() == [3, 4, 5]
    with pytest.raises(InputError, match=r"no column 'home'.*homes"):
        repair_units(tiles, carry=["home"])


def in_pieces(**columns):
    """A, in pieces of 100, 300 and 200 m2; B, between them; C, in pieces of 50 and 50 m2. Ids A-2 and C-1 are taken."""
    a = shapely.MultiPolygon([shapely.box(x, 0, x + w, 10) for x, w in ((0, 10), (20, 30), (60, 20))])
    c = shapely.MultiPolygon([shapely.box(x, 0, x + 5, 10) for x in (90, 105)])
    shapes = [a, shapely.box(10, 0, 20, 10), c, shapely.box(50, 0, 60, 10), shapely.box(95, 0, 105, 10)]
    return gpd.GeoDataFrame(columns, geometry=shapes, index=["A", "A-2", "C", "B", "C-1"], crs=CRS)


def test_units_in_pieces_are_listed_and_split_on_request_only():
    given = in_pieces(homes=[7, 1, 3, 2, 4])
    stays = repair_units(given)
    assert stays.units.index.tolist() == given.index.tolist()
    assert [f.ids for f in stays.findings if f.code == "several-parts"] == [("A", "C")]
    assert len(stays.parts) == 0
    done = repair_units(given, split_multipart=True, carry=["homes"])
    assert done.units.index.tolist() == ["A-1", "A-3", "A-4", "A-2", "C-2", "C-3", "B", "C-1"]
    assert set(done.units.geom_type) == {"Polygon"}
    assert done.units.area.round(6).tolist() == [300, 200, 100, 100, 50, 50, 100, 100]
    assert done.units["homes"].tolist() == [4, 2, 1, 1, 2, 1, 2, 4]  # 3.5, 2.33, 1.17: the largest remainder up
    assert done.parts["unit"].to_dict() == {"A-1": "A", "A-3": "A", "A-4": "A", "C-2": "C", "C-3": "C"}
    assert done.parts["share"].groupby(done.parts["unit"]).sum().round(12).to_dict() == {"A": 1, "C": 1}
    told = {f.code: f for f in done.findings}
    assert told["split-into-parts"].ids == ("A", "C")
    assert told["split-into-parts"].value == "2 in 5 parts"
    assert "amount-in-each-part" not in told
    assert step(done, "after") == step(stays, "after") == 1000


def test_numbers_that_are_not_shared_out_are_named():
    done = repair_units(in_pieces(homes=[7, 1, 3, 2, 4], name=list("abcde")), split_multipart=True)
    assert done.units["homes"].iloc[:3].tolist() == [7, 7, 7]
    assert done.units["name"].iloc[:3].tolist() == ["a", "a", "a"]
    told = [f for f in done.findings if f.code == "amount-in-each-part"]
    assert [f.ids for f in told] == [("A", "C")]
    assert "homes" in told[0].cure
    assert "carry=" in told[0].cure


def test_ids_that_are_integers_go_on_from_the_largest():
    given = in_pieces().set_index(pd.Index([5, 900, 7, 8, 9], name="block"))
    done = repair_units(given, split_multipart=True)
    assert done.units.index.tolist() == [901, 902, 903, 900, 904, 905, 8, 9]
    assert done.units.index.name == "block"
    alone = repair_units(given.geometry, split_multipart=True)
    assert alone.units.index.tolist() == done.units.index.tolist()
    assert alone.parts["unit"].tolist() == [5, 5, 5, 7, 7]


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=6),
    st.one_of(st.integers(0, 2**62), st.floats(0, 1e12), st.none()),
)
@settings(max_examples=60)
def test_pieces_share_every_amount_and_keep_its_sum(widths, amount):
    """Law: pieces sum to the whole, exactly for whole numbers; none is off by 1 or more; what is missing stays so."""
    x = np.cumsum([0, *[w + 50 for w in widths[:-1]]])
    unit = shapely.MultiPolygon([shapely.box(a, 0, a + w, 10) for a, w in zip(x.tolist(), widths)])
    table = layer([unit, shapely.box(-100, 0, -50, 10)])
    table["load"] = pd.array([amount, 1], dtype="Float64" if isinstance(amount, float) else "Int64")
    done = repair_units(table, split_multipart=True, carry=["load"])
    shared = done.units["load"].iloc[: len(widths)]
    if amount is None:
        assert shared.isna().all()
    elif isinstance(amount, int):
        assert sum(shared.tolist()) == amount
    else:
        assert shared.sum() == pytest.approx(amount, rel=1e-12)
    if amount is not None and amount < 2**50:
        fair = amount * np.sort(widths)[::-1] / sum(widths)
        assert np.abs(shared.to_numpy(dtype=float) - fair).max() <= 1 + 1e-6


def test_what_no_repair_can_help_is_refused():
    with pytest.raises(GeometryError, match=r"1 of 2 units are no polygons.*'U1'"):
        repair_units(layer([shapely.box(0, 0, 1, 1), shapely.Point(0, 0)]))
    with pytest.raises(GeometryError, match="no unit has a polygon"):
        inspect_units(layer([shapely.Polygon(), None]))
    with pytest.raises(InputError, match="gap_width=-1"):
        repair_units(layer([shapely.box(0, 0, 1, 1)]), gap_width=-1)


@st.composite
def sloppy_tiles(draw):
    """A grid of tiles, each drawn a little wrong on its own: gaps, overlaps, slanted sides."""
    n = draw(st.integers(2, 4))
    slip = st.integers(-12, 12).map(lambda v: v / 16)
    shapes = []
    for x in range(n):
        for y in range(n):
            corners = [(10 * x, 10 * y), (10 * x + 10, 10 * y), (10 * x + 10, 10 * y + 10), (10 * x, 10 * y + 10)]
            shapes.append(shapely.Polygon([(a + draw(slip), b + draw(slip)) for a, b in corners]))
    return shapes


@given(sloppy_tiles())
@settings(max_examples=40)
def test_repair_of_sloppy_tiles_adds_up(shapes):
    """
    Laws: a valid coverage; nothing of the ground lost; the account agrees with areas measured by union and overlay;
    every unit's own account holds.
    """
    repaired = repair_units(layer(shapes), gap_width=1.0, spike_width=0)
    after = repaired.units.geometry.to_numpy()
    ground, whole = shapely.union_all(shapes), shapely.union_all(after)
    assert shapely.coverage_is_valid(after)
    assert shapely.area(after).sum() == pytest.approx(whole.area, abs=1e-6)
    assert ground.difference(whole).area < 1e-6
    overlap = shapely.area(np.array(shapes)).sum() - ground.area
    assert step(repaired, "overlaps removed") == pytest.approx(-overlap, abs=1e-6)
    assert step(repaired, "gaps filled") == pytest.approx(whole.area - ground.area, abs=1e-6)
    assert abs(step(repaired, "unexplained")) < 1e-6
    changes = repaired.changes
    balance = changes["before_m2"] + changes["gained_m2"] - changes["lost_m2"] - changes["after_m2"]
    assert np.abs(balance.to_numpy()).max(initial=0) < 1e-6


@given(sloppy_tiles())
@settings(max_examples=25)
def test_repairing_twice_changes_nothing(shapes):
    once = repair_units(layer(shapes)).units
    again = repair_units(once)
    assert again.account["area_m2"].iloc[1:7].abs().max() < 1e-6
    assert len(again.changes) == 0


def test_ground_under_a_cut_spike_is_no_gap_besides():
    """A tongue of one unit, 5 cm wide, that fits exactly into the other: one spike, no gap; nothing is in no unit."""
    a = shapely.box(0, 0, 10, 10).union(shapely.box(10, 5, 18, 5.05))
    b = shapely.box(10, 0, 20, 10).difference(a)
    units = gpd.GeoDataFrame(geometry=[a, b], index=["a", "b"], crs=3826)
    assert shapely.coverage_is_valid(units.geometry.to_numpy())
    found = inspect_units(units)
    assert found["kind"].tolist() == ["spike"]
    apart = inspect_units(gpd.GeoDataFrame(geometry=[a, shapely.box(10.5, 0, 20, 10)], index=["a", "b"], crs=3826))
    assert "gap" in apart["kind"].tolist()


def test_area_m2_follows_the_shapes_and_other_columns_of_areas_are_named():
    """What gridopt wrote is measured anew; a column of the user stays; one that only looks like areas is no concern."""
    two = shapely.MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(50, 0, 80, 10)])
    shapes = [two, shapely.box(9, 0, 20, 10), shapely.box(0, 20, 10, 30)]
    given = gpd.GeoDataFrame(
        {"area_m2": [400.0, 110.0, 100.0], "hectare": [0.04, 0.011, 0.01], "persons": [40, 11, 300]},
        geometry=shapes,
        index=["a", "b", "c"],
        crs="EPSG:3826",
    )
    repaired = repair_units(given, carry=["persons"], split_multipart=True)
    after = repaired.units
    assert after["area_m2"].to_numpy() == pytest.approx(after.geometry.area.to_numpy())
    assert after.loc["a-1", "hectare"] == after.loc["a-2", "hectare"] == 0.04
    told = {f.code: f for f in repaired.findings}
    assert set(told["area-measured"].ids) == {"a-1", "a-2", "b"}
    assert "'hectare'" in told["area-stale"].cure
    assert "amount-in-each-part" not in told
    sound = repair_units(given.loc[["c"]])
    assert not {"area-measured", "area-stale"} & {f.code for f in sound.findings}


def test_a_column_called_area_m2_that_is_something_else_stays():
    """Floor space, say: it is no area of the ground."""
    given = gpd.GeoDataFrame(
        {"area_m2": [7.0, 1000.0]}, geometry=shapely.box([0, 9], 0, [10, 20], 10), index=["a", "b"], crs="EPSG:3826"
    )
    assert repair_units(given).units["area_m2"].tolist() == [7.0, 1000.0]
