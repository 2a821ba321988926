"""Raw streets: what is no block becomes part of one, and what is one stays."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, Point, box

from gridopt.errors import InputError
from gridopt.territory.blocks import build_blocks, check_streets
from gridopt.territory.merged import merged_faces

CRS = "EPSG:26986"
SQUARE = box(0, 0, 400, 400)


def lines(*shapes, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(shapes), crs=CRS)


def area(*shapes, index=None):
    return gpd.GeoSeries(list(shapes), crs=CRS, index=index)


def across(y, west=-10, east=410):
    return LineString([(west, y), (east, y)])


def upright(x, south=-10, north=410):
    return LineString([(x, south), (x, north)])


def codes(blocks):
    return [f.code for f in blocks.attrs["findings"]]


def assert_seamless(blocks, territory=SQUARE):
    shapes = blocks.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert set(blocks.geom_type) == {"Polygon"}
    assert shapely.union_all(shapes).symmetric_difference(territory).area <= 1e-6
    assert blocks["area_m2"].sum() == pytest.approx(territory.area, rel=1e-12)


def dual(x, width, **more):
    """Two carriageways of one street, north on the east and south on the west, and their columns."""
    shapes = [upright(x + width), upright(x).reverse()]
    return shapes, {"highway": ["primary"] * 2, "name": ["Main Street"] * 2, "oneway": ["yes"] * 2, **more}


def test_median_goes_to_the_blocks_on_one_side_cut_where_their_streets_meet_it():
    """A street from the east ends at the dual carriageway: there the median is cut."""
    shapes, columns = dual(200, 16)
    side = {"highway": ["residential"], "name": ["Side Street"], "oneway": [None]}
    table = {k: [*columns[k], *side[k]] for k in columns}
    blocks = build_blocks(area(SQUARE), lines(*shapes, across(150, 216, 410), **table))
    assert sorted(blocks["area_m2"]) == [200 * 150.0, 200 * 250.0, 200 * 400.0]
    assert_seamless(blocks)
    gone = merged_faces(blocks)
    assert set(gone["reason"]) == {"median"}
    assert gone["area_m2"].sum() == pytest.approx(16 * 400)
    assert gone.union_all().symmetric_difference(box(200, 0, 216, 400)).area < 1e-6
    assert set(gone["across"]) == {"arterial"}


@pytest.mark.parametrize("width", [26, 40])
def test_wide_strip_between_carriageways_is_a_block(width):
    shapes, columns = dual(200, width)
    assert len(build_blocks(area(SQUARE), lines(*shapes, **columns))) == 3
    assert len(build_blocks(area(SQUARE), lines(*shapes, **columns), median_width=width + 1)) == 2


def test_narrow_block_between_two_streets_of_different_names_stays():
    table = {"name": ["One Street", "Another Street"], "oneway": ["yes", "yes"], "highway": ["residential", "primary"]}
    blocks = build_blocks(area(SQUARE), lines(upright(200), upright(218), **table))
    assert len(blocks) == 3
    assert len(build_blocks(area(SQUARE), lines(upright(200), upright(208), **table))) == 2


def test_without_one_way_data_carriageways_are_told_by_name():
    shapes, _ = dual(200, 16)
    assert len(build_blocks(area(SQUARE), lines(*shapes, name=["Main Street"] * 2))) == 2
    assert len(build_blocks(area(SQUARE), lines(*shapes, name=[None] * 2))) == 3


def test_crossing_of_two_dual_carriageways_leaves_four_blocks():
    (east, west), columns = dual(200, 16)
    table = {k: v * 2 for k, v in columns.items()} | {"name": ["Main Street"] * 2 + ["High Street"] * 2}
    blocks = build_blocks(area(SQUARE), lines(east, west, across(200), across(212).reverse(), **table))
    assert sorted(blocks["area_m2"]) == [200 * 200.0] * 4
    assert_seamless(blocks)


def test_roundabout_becomes_part_of_a_block():
    ring = Point(200, 200).buffer(15).exterior
    arms = [across(200, -10, 185), across(200, 215, 410), upright(200, -10, 185), upright(200, 215, 410)]
    table = {"highway": ["tertiary"] * 5, "junction": ["roundabout"] + [None] * 4, "oneway": ["yes"] + [None] * 4}
    blocks = build_blocks(area(SQUARE), lines(LineString(ring.coords), *arms, **table))
    assert len(blocks) == 4
    assert "roundabouts-merged" in codes(blocks)
    assert_seamless(blocks)


def test_wedge_beside_a_slip_road_goes_across_the_slip_road():
    """The wedge borders the arterial, the collector and the link between them: the link is the one to lose."""
    link = LineString([(170, 200), (200, 170)])
    table = {"highway": ["primary", "secondary", "primary_link"], "oneway": ["yes", None, "yes"]}
    blocks = build_blocks(area(SQUARE), lines(across(200), upright(200), link, **table))
    assert sorted(blocks["area_m2"]) == [40_000.0] * 4
    assert merged_faces(blocks)["reason"].tolist() == ["slip"]


def test_parallel_footway_goes_and_its_sliver_falls_to_the_side_of_the_footway():
    streets = lines(across(200), across(206), highway=["primary", "footway"])
    blocks = build_blocks(area(SQUARE), streets, keep=("arterial", "path"))
    assert sorted(blocks["area_m2"]) == [80_000.0, 80_000.0]
    assert merged_faces(blocks)[["reason", "across"]].to_numpy().tolist() == [["sliver", "path"]]


def test_small_face_crosses_the_minor_street_though_the_arterial_is_longer():
    """20 m by 22 m: 22 m of arterial on two sides, 20 m of lane on the others."""
    table = {"highway": ["primary", "primary", "residential", "residential"]}
    shapes = [upright(100), upright(122), across(100, 100, 122), across(120, 100, 122)]
    blocks = build_blocks(area(SQUARE), lines(*shapes, **table), sliver_width=0)
    assert len(blocks) == 4
    (gone,) = merged_faces(blocks)[["reason", "across"]].to_numpy().tolist()
    assert gone == ["small", "local"]


def test_nothing_is_merged_across_water_or_a_parent():
    """A strip of 6 m between a street and the river, another between a street and the line of two communities."""
    river = box(-10, 206, 410, 260)
    blocks = build_blocks(area(SQUARE), lines(across(200)), barriers=area(river))
    assert sorted(blocks["area_m2"]) == [54 * 400.0, 140 * 400.0, 206 * 400.0]
    communities = area(box(0, 0, 400, 194), box(0, 194, 400, 400), index=["south", "north"])
    blocks = build_blocks(area(SQUARE), lines(across(200)), parents=communities)
    assert dict(zip(blocks["parent"], blocks["area_m2"])) == {"south": 194 * 400.0, "north": 206 * 400.0}
    assert_seamless(blocks)


def test_small_face_between_water_and_outline_stays():
    blocks = build_blocks(area(SQUARE), lines(across(200)), barriers=area(box(-10, 1, 410, 50)))
    assert blocks["area_m2"].min() == 400.0
    assert_seamless(blocks)


def test_streets_in_a_compound_do_not_cut_but_an_arterial_does():
    streets = lines(upright(200), across(100), across(250, 200, 410), highway=["primary", "tertiary", "residential"])
    gate = area(box(202, 102, 398, 398), index=["garden"])
    assert len(build_blocks(area(SQUARE), streets)) == 5
    blocks = build_blocks(area(SQUARE), streets, compounds=gate)
    assert len(blocks) == 4
    assert "compounds-kept" in codes(blocks)
    crossed = build_blocks(area(SQUARE), streets, compounds=area(box(110, 110, 390, 390), index=["works"]))
    told = {f.code: f.ids for f in crossed.attrs["findings"]}
    assert told["compound-crossed"] == told["compound-divided"] == ("works",)


def test_a_compound_stays_whole_where_streets_have_no_class():
    """Of streets that are all alike none is of the highest class: the outline decides."""
    gate = area(box(210, 110, 390, 390), index=["garden"])
    cross = lines(upright(300), across(250), highway=["residential", "residential"])
    for streets in (cross, cross.drop(columns="highway")):
        blocks = build_blocks(area(SQUARE), streets, compounds=gate)
        assert codes(blocks).count("compounds-kept") == 1
        assert not {"compound-crossed", "compound-divided"} & set(codes(blocks))
        assert shapely.within(gate.geometry.iloc[0], blocks.geometry.to_numpy()).sum() == 1


def test_no_gap_is_closed_through_a_compound():
    """A street cuts the corner of a compound: what is left of it ends at both sides, 4 m apart, and stays so."""
    garden = area(box(198, 300, 202, 500).buffer(5, join_style="mitre"), index=["alley"])
    blocks = build_blocks(area(SQUARE), lines(across(350), upright(100)), compounds=garden)
    assert_seamless(blocks)
    inner = box(198, 300, 202, 400)
    shares = shapely.area(shapely.intersection(blocks.geometry.to_numpy(), inner))
    assert shares.max() == inner.area
    assert "compound-divided" not in codes(blocks)


def test_a_neck_divides_a_compound_and_it_is_told():
    """Two halls joined by a passage of 6 m, over which a street runs: 5 m inside the outline there is nothing."""
    halls = shapely.union_all([box(50, 100, 150, 200), box(150, 147, 250, 153), box(250, 100, 350, 200)])
    blocks = build_blocks(area(SQUARE), lines(upright(200)), compounds=area(halls, index=["works"]))
    assert {f.code: f.ids for f in blocks.attrs["findings"]}["compound-divided"] == ("works",)


def test_gap_in_a_street_is_closed_and_dead_ends_stay_open():
    halves = [across(200, -10, 196), across(200, 200, 410)]
    blocks = build_blocks(area(SQUARE), lines(*halves))
    assert len(blocks) == 2
    assert [f.value for f in blocks.attrs["findings"] if f.code == "gaps-bridged"] == [1]
    assert len(build_blocks(area(SQUARE), lines(*halves), gap=3)) == 1
    assert len(build_blocks(area(SQUARE), lines(across(200, -10, 196), across(230, 200, 410)))) == 1


def test_end_that_points_at_a_street_is_joined_to_it():
    short = lines(across(200, -10, 396.5))
    assert len(build_blocks(area(SQUARE), short)) == 2
    assert len(build_blocks(area(SQUARE), short, gap=3)) == 1


def test_street_that_ends_under_a_bridge_does_not_cut():
    """On the ground it would: bridge and lane cross, and enclose the corner."""
    shapes = [
        across(200),
        upright(200, -10, 230),
        LineString([(100, 200), (100, 300), (300, 300), (300, 220), (150, 220)]),
    ]
    flat = lines(*shapes, highway=["primary", "primary", "residential"])
    raised = flat.assign(bridge=[None, "yes", None], layer=[None, "1", None])
    assert len(build_blocks(area(SQUARE), raised)) == len(build_blocks(area(SQUARE), flat)) - 2
    assert_seamless(build_blocks(area(SQUARE), raised))


def test_a_model_of_a_town_keeps_its_blocks():
    """Streets 2 m apart: the usual widths are for towns, and shrink with the faces."""
    small = box(0, 0, 10, 10)
    cuts = [LineString([(i, -1), (i, 11)]) for i in (2, 4, 6, 8)] + [
        LineString([(-1, i), (11, i)]) for i in (2, 4, 6, 8)
    ]
    assert build_blocks(area(small), lines(*cuts))["area_m2"].tolist() == [4.0] * 25


@pytest.mark.parametrize("name", ["gap", "median_width", "sliver_width"])
def test_widths_are_at_least_zero(name):
    with pytest.raises(InputError, match=f"{name} is -1"):
        build_blocks(area(SQUARE), lines(across(200)), **{name: -1})


def test_blocks_without_record_are_refused():
    with pytest.raises(InputError, match="no record"):
        merged_faces(build_blocks(area(SQUARE), lines(across(200)), clean=False))


def test_record_survives_parquet(tmp_path):
    shapes, columns = dual(200, 16)
    blocks = build_blocks(area(SQUARE), lines(*shapes, **columns))
    blocks.to_parquet(tmp_path / "b.parquet")
    read = gpd.read_parquet(tmp_path / "b.parquet")
    assert merged_faces(read)["area_m2"].tolist() == merged_faces(blocks)["area_m2"].tolist() == [6400.0]


positions = st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True).map(sorted)


@settings(max_examples=40)
@given(positions, positions, st.integers(4, 22), st.booleans())
def test_a_city_of_dual_carriageways_has_the_blocks_of_its_plain_twin(columns, rows, width, both):
    """Law: streets drawn as two carriageways give as many blocks as drawn once, each around the core of its twin."""
    square = box(0, 0, 720, 720)
    plain = [upright(120 * c, -10, 730) for c in columns] + [across(120 * r, -10, 730) for r in rows]
    names = [f"Avenue {c}" for c in columns] + [f"Street {r}" for r in rows]
    twice = [s for c in columns for s in (upright(120 * c + width, -10, 730), upright(120 * c, -10, 730).reverse())]
    if both:
        twice += [s for r in rows for s in (across(120 * r, -10, 730), across(120 * r + width, -10, 730).reverse())]
    else:
        twice += plain[len(columns) :]
    called = [n for n in names[: len(columns)] for _ in (0, 1)]
    called += [n for n in names[len(columns) :] for _ in range(1 + both)]
    oneway = ["yes"] * (2 * len(columns)) + (["yes"] * (2 * len(rows)) if both else [None] * len(rows))
    streets = lines(*twice, name=called, oneway=oneway, highway=["primary"] * len(twice))
    blocks = build_blocks(area(square), streets)
    once = build_blocks(area(square), lines(*plain))
    assert len(blocks) == len(once) == (len(columns) + 1) * (len(rows) + 1)
    assert_seamless(blocks, square)
    cores = once.geometry.to_numpy()
    i, j = shapely.STRtree(blocks.geometry.to_numpy()).query(shapely.buffer(cores, -width - 1), predicate="intersects")
    assert len(i) == len(np.unique(i)) == len(np.unique(j))


@settings(max_examples=30)
@given(positions, positions, st.floats(0, 8))
def test_clean_lines_come_out_as_they_are(columns, rows, lean):
    """Law: where there is nothing to clean, cleaning changes nothing."""
    square = box(0, 0, 720, 720)
    streets = lines(
        *[LineString([(120 * c, -10), (120 * c + lean, 730)]) for c in columns],
        *[LineString([(-10, 120 * r), (730, 120 * r - lean)]) for r in rows],
    )
    cleaned, raw = build_blocks(area(square), streets), build_blocks(area(square), streets, clean=False)
    assert shapely.equals(cleaned.geometry.to_numpy(), raw.geometry.to_numpy()).all()
    assert cleaned.attrs["merged"] == ()


grid_points = st.tuples(st.integers(0, 24), st.integers(0, 24))
drawn_streets = st.lists(
    st.tuples(
        grid_points,
        grid_points,
        st.sampled_from(["primary", "primary_link", "residential", "footway"]),
        st.sampled_from(["yes", "-1", None]),
        st.sampled_from(["A", "B", None]),
        st.sampled_from([None, None, "1", "-1"]),
    ).filter(lambda s: s[0] != s[1]),
    min_size=1,
    max_size=30,
)


@settings(max_examples=80)
@given(drawn_streets, st.sampled_from([5, 15, 60]), st.booleans(), st.randoms(use_true_random=False))
def test_whatever_is_drawn_nothing_is_lost_and_order_does_not_matter(drawn, step, bounded, random):
    """Law: any lines give a valid coverage of the boundary, the same for any order and direction of the lines."""
    square = box(-step, -step, 25 * step, 25 * step)
    water = {"barriers": area(box(0, 7.5 * step, 24 * step, 8.5 * step))} if bounded else {}
    names = ("highway", "oneway", "name", "layer")
    shapes = [LineString([(step * x, step * y) for x, y in row[:2]]) for row in drawn]
    streets = lines(*shapes, **dict(zip(names, map(list, zip(*[row[2:] for row in drawn])))))
    keep = ("arterial", "local", "path")
    blocks = build_blocks(area(square), streets, keep=keep, **water)
    assert_seamless(blocks, square)
    told = {f.code: f.value for f in blocks.attrs["findings"] if f.code.endswith("-merged")}
    assert sum(told.values()) == len(blocks.attrs["merged"])
    mixed = streets.sample(frac=1, random_state=random.randrange(100))
    again = build_blocks(area(square), mixed, keep=keep, **water)
    assert np.allclose(again["area_m2"].to_numpy(), blocks["area_m2"].to_numpy(), rtol=1e-6)
    assert check_streets(area(square), streets, keep=keep)


def test_survey_counts_what_is_drawn():
    shapes, columns = dual(200, 16)
    more = [across(100, -10, 150), across(300, -10, 150), LineString([(150, 300), (150, 305)]), across(350, 60, 90)]
    table = {k: [*v, *[None] * 5] for k, v in columns.items()} | {"highway": ["primary"] * 2 + ["residential"] * 5}
    streets = lines(*shapes, *more, across(100, -10, 150), **table)
    found = {f.code: f.value for f in check_streets(area(SQUARE), streets)}
    assert found["lines-twice"] == 1
    assert found["one-way-streets"] == 2
    assert found["dead-ends"] == 3
    assert found["raw-faces"] == 3
    crossing = lines(across(200), upright(200), upright(300), layer=[None, None, "1"], bridge=[None, None, "yes"])
    found = {f.code: f.value for f in check_streets(area(SQUARE), crossing)}
    assert (found["crossings-without-node"], found["crossings-on-two-levels"], found["bridges"]) == (1, 1, 1)
