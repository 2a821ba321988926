"""Streets, barriers, crossings and links on territories small enough for a napkin."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridopt.errors import GeometryError, GraphError, InputError
from gridopt.model.graph import BORDER, CROSSING, LINK
from gridopt.territory.adjacency import build_graph
from gridopt.territory.barriers import nearest_units

CRS = "EPSG:3826"


def lines(*shapes, **columns):
    return gpd.GeoDataFrame(columns, geometry=[shapely.LineString(s) for s in shapes], crs=CRS)


def points(*shapes):
    return gpd.GeoSeries([shapely.Point(s) for s in shapes], crs=CRS)


def areas(*shapes, ids=None):
    return gpd.GeoSeries([shapely.box(*s) for s in shapes], index=ids, crs=CRS)


@pytest.fixture
def row():
    """Three squares of 100 m in a row: west, mid, east."""
    return areas((0, 0, 100, 100), (100, 0, 200, 100), (200, 0, 300, 100), ids=["west", "mid", "east"])


@pytest.fixture
def square():
    """2 x 2 squares of 100 m, from the south-west: a b / c d."""
    return areas((0, 0, 100, 100), (100, 0, 200, 100), (0, 100, 100, 200), (100, 100, 200, 200), ids=list("abcd"))


def table(graph):
    """{(id, id): (kind, length, cost)}."""
    rows = zip(graph.edges, graph.kind.tolist(), graph.length.tolist(), graph.cost.tolist())
    return {tuple(graph.ids[e].tolist()): tuple(rest) for e, *rest in rows}


def codes(graph):
    return {f.code: f.value for f in graph.findings}


# ---- streets ----------------------------------------------------------------------------------------------------


def test_cost_is_length_times_class_factor_and_40_where_there_is_no_street(row):
    streets = lines([(100, -50), (100, 60)], [(200, 0), (200, 100)], highway=["primary", "residential"])
    graph = build_graph(row, streets=streets)
    assert graph.classes == ("arterial", "collector", "local", "path")
    assert graph.class_length.tolist() == [[600, 0, 0, 0], [0, 0, 1000, 0]]
    assert graph.cost.tolist() == [600 * 1 + 400 * 40, 1000 * 10]
    assert graph.length.tolist() == [1000, 1000]


def test_the_most_important_class_counts_where_streets_run_side_by_side(row):
    streets = lines([(100.5, 0), (100.5, 70)], [(100, 50), (100, 100)], highway=["footway", "secondary"])
    graph = build_graph(row, streets=streets)
    assert graph.class_length[0].tolist() == [0, 500, 0, 500]


def test_a_street_drawn_twice_counts_once(row):
    streets = lines([(100, 0), (100, 60)], [(100.2, 20), (100.2, 80)], highway=["primary", "primary"])
    assert build_graph(row, streets=streets).class_length[0].tolist() == [800, 0, 0, 0]


@pytest.mark.parametrize(("x", "told"), [(9000, {"streets-elsewhere": "0 %"}), (100, {})])
def test_a_layer_of_streets_along_no_border_is_told(row, x, told):
    graph = build_graph(row, streets=lines([(x, 0), (x, 100)], highway=["primary"]))
    found = codes(graph)
    assert {code: value for code, value in found.items() if code == "streets-elsewhere"} == told


def test_units_are_needed():
    with pytest.raises(GeometryError, match="units is a NoneType"):
        build_graph(None)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        (5, "links is 5; give a table of two unit ids"),
        (np.array(5), r"links is array\(5\); give a table"),
        ("ab", "links is 'ab'; give a table"),
        ([("west", "east", 2**70)], "at most 2.*60"),
        ([("west", "east", float("inf"))], "at most 2.*60"),
    ],
)
def test_malformed_links_are_refused(row, links, message):
    with pytest.raises(InputError, match=message):
        build_graph(row, links=links)


@pytest.mark.parametrize("shape", [list, tuple, iter, lambda pairs: np.array(pairs, object)])
def test_links_are_pairs_in_any_row(row, shape):
    assert table(build_graph(row, links=shape([("west", "east")])))["west", "east"] == (LINK, 0, 1)


def test_streets_across_and_streets_apart_do_not_count(row):
    streets = lines([(0, 50), (200, 50)], [(60, 10), (140, 90)], [(101.5, 0), (101.5, 100)], highway=["primary"] * 3)
    graph = build_graph(row, streets=streets)
    assert graph.class_length.sum() == 0
    assert build_graph(row, streets=streets, street_tolerance=2).class_length[0].tolist() == [1000, 0, 0, 0]


def test_streets_in_tunnels_do_not_count(row):
    streets = lines([(100, 0), (100, 100)], highway=["primary"], tunnel=["yes"])
    assert build_graph(row, streets=streets).class_length.sum() == 0


def test_names_come_longest_first_and_streets_that_only_cross_are_not_named(row):
    streets = lines(
        [(100, 0), (100, 30)],
        [(100, 30), (100, 100)],
        [(0, 40), (300, 40)],
        [(200, 0), (200, 100)],
        highway=["residential"] * 4,
        name=["Short Lane", "Long Road", "Cross Street", None],
    )
    graph = build_graph(row, streets=streets)
    assert graph.streets.tolist() == ["Long Road; Short Lane", ""]


def test_the_name_column_is_guessed_or_given(row):
    streets = lines([(100, 0), (100, 100)], Street=["Main"], alias=["Old Main"])
    assert build_graph(row, streets=streets).streets[0] == "Main"
    assert build_graph(row, streets=streets, name_column="alias").streets[0] == "Old Main"
    with pytest.raises(InputError, match="alias"):
        build_graph(row, streets=streets, name_column="alais")


@pytest.mark.parametrize("radius", [91, 109])
def test_curved_streets_digitised_apart_leave_no_gaps(radius):
    """A round unit of radius 100 m; its street runs 9 m further in or out, in chords of its own."""
    arc = shapely.Point(0, 0).buffer(100, quad_segs=40)
    street = gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[shapely.Point(0, 0).buffer(radius).exterior], crs=CRS)
    units = gpd.GeoSeries([arc, shapely.box(-200, -200, 200, 200).difference(arc)], crs=CRS)
    graph = build_graph(units, streets=street, street_tolerance=12)
    assert graph.class_length[0, 0] == pytest.approx(graph.length[0], rel=0.01)


def test_own_classes_and_factors(row):
    streets = lines([(100, 0), (100, 100)], kind=["big"])
    graph = build_graph(
        row, streets=streets, class_column="kind", classes={"big": "road"}, factors={"road": 3, "none": 7}
    )
    assert graph.classes == ("road",)
    assert graph.cost.tolist() == [3000, 7000]


@pytest.mark.parametrize("factors", [{"local": 0, "none": 40}, {"local": 1.5, "none": 40}, {"local": 1}])
def test_bad_factors_are_refused(row, factors):
    with pytest.raises(InputError, match="factors"):
        build_graph(row, streets=lines([(100, 0), (100, 100)]), factors=factors)


def test_multilines_do_not_invent_the_line_between_their_parts(row):
    parts = shapely.MultiLineString([[(100, -50), (100, 10)], [(100, 90), (100, 150)]])
    streets = gpd.GeoDataFrame({"highway": ["primary"]}, geometry=[parts], crs=CRS)
    assert build_graph(row, streets=streets).class_length[0].tolist() == [200, 0, 0, 0]


def test_streets_in_degrees_are_brought_to_the_units_system(row):
    here = row.translate(300_000, 2_770_000)
    streets = lines([(300_100, 2_770_000), (300_100, 2_770_100)], highway=["primary"]).to_crs("EPSG:4326")
    assert build_graph(here, streets=streets).class_length[0, 0] == pytest.approx(1000, abs=1)


def test_streets_must_be_lines(row):
    with pytest.raises(GeometryError, match="Point"):
        build_graph(row, streets=gpd.GeoDataFrame(geometry=points((1, 1))))


# ---- barriers and crossings ---------------------------------------------------------------------------------------


def test_a_barrier_along_most_of_a_border_parts_the_neighbours(row):
    graph = build_graph(row, barriers=lines([(100, 0), (100, 60)]))
    assert table(graph) == {("mid", "east"): (BORDER, 1000, 1000)}
    assert codes(graph)["barrier"] == 1
    assert codes(graph)["no-neighbour"] == 1


def test_a_barrier_along_less_than_half_shortens_the_border(row):
    streets = lines([(100, 0), (100, 100)], highway=["primary"])
    graph = build_graph(row, streets=streets, barriers=lines([(100, 0), (100, 40)]))
    assert table(graph)["west", "mid"] == (BORDER, 600, 600)
    assert graph.class_length[0].tolist() == [600, 0, 0, 0]
    assert codes(graph)["barrier-beside"] == 1


def test_a_barrier_across_a_border_leaves_it_alone(row):
    graph = build_graph(row, barriers=lines([(0, 50), (300, 50)]))
    assert graph.length.tolist() == [1000, 1000]


def test_a_border_inside_a_river_is_parted_and_one_that_crosses_it_is_shorter(square):
    river = areas((-10, 80, 210, 120))  # a-c and b-d lie in its middle; a-b and c-d cross its banks
    graph = build_graph(square, barriers=river)
    assert table(graph) == {("a", "b"): (BORDER, 800, 800), ("c", "d"): (BORDER, 800, 800)}


@pytest.mark.parametrize("bridge", [lines([(50, 70), (50, 130)]), points((50, 101))])
def test_a_crossing_joins_the_two_sides_of_the_border_it_crosses(square, bridge):
    graph = build_graph(square, barriers=lines([(0, 100), (200, 100)]), crossings=bridge)
    assert table(graph) == {
        ("a", "b"): (BORDER, 1000, 1000),
        ("a", "c"): (CROSSING, 1000, 1000),
        ("c", "d"): (BORDER, 1000, 1000),
    }
    assert codes(graph)["crossing"] == 1


def test_a_restored_border_costs_like_the_best_street(row):
    streets = lines([(200, 0), (200, 100)], highway=["residential"])
    river, bridge = lines([(100, -10), (100, 110)]), lines([(90, 50), (110, 50)])
    graph = build_graph(row, streets=streets, barriers=river, crossings=bridge)
    assert table(graph)["west", "mid"] == (CROSSING, 1000, 1000)
    assert table(graph)["mid", "east"] == (BORDER, 1000, 10_000)


@pytest.mark.parametrize("bridge", [lines([(95, 50), (165, 50)]), lines([(101, 50), (159, 50)]), points((130, 50))])
def test_a_crossing_joins_the_banks_of_a_gap(bridge):
    banks = areas((0, 0, 100, 100), (160, 0, 260, 100), ids=["left", "right"])
    graph = build_graph(banks, crossings=bridge)
    assert table(graph) == {("left", "right"): (CROSSING, 0, 1)}


def test_a_crossing_that_joins_nothing_is_named(row):
    graph = build_graph(row, barriers=lines([(100, 0), (100, 100)]), crossings=lines([(10, 50), (20, 50)]))
    assert [f.ids for f in graph.findings if f.code == "crossing-unused"] == [(0,)]


def test_blocks_of_water_hang_on_one_bank_and_bridges_join_the_banks():
    units = areas((0, 0, 100, 100), (100, 0, 140, 90), (100, 90, 140, 100), (140, 0, 240, 100), ids=list("awvb"))
    river = areas((100, 0, 140, 100))
    graph = build_graph(units, barriers=river)
    assert table(graph) == {("a", "w"): (BORDER, 900, 900), ("a", "v"): (BORDER, 100, 100)}
    assert codes(graph)["barrier"] == 3
    joined = build_graph(units, barriers=river, crossings=lines([(95, 50), (145, 50)]))
    assert table(joined)["a", "b"] == (CROSSING, 0, 1)
    assert joined.components().tolist() == [0, 0, 0, 0]
    assert codes(joined)["unit-in-barrier"] == 2


def test_a_long_line_joins_only_the_banks_it_crosses_between():
    """A whole avenue given as a crossing: five units in a row, the third of them water."""
    units = areas(*((100 * i, 0, 100 * i + 100, 100) for i in range(5)), ids=list("abwcd"))
    avenue = lines([(10, 50), (490, 50)])
    graph = build_graph(units, barriers=areas((200, 0, 300, 100)), crossings=avenue)
    assert {pair: kind for pair, (kind, *_) in table(graph).items()} == {
        ("a", "b"): BORDER,
        ("b", "w"): BORDER,
        ("b", "c"): CROSSING,
        ("c", "d"): BORDER,
    }


def test_layers_of_barriers_and_crossings_may_have_no_rows(row):
    none = gpd.GeoDataFrame(geometry=[], crs=CRS)
    assert build_graph(row, barriers=none, crossings=none) == build_graph(row)


def test_bad_barriers_and_crossings_are_refused_by_name(row):
    with pytest.raises(GeometryError, match="barriers"):
        build_graph(row, barriers=points((1, 1)))
    with pytest.raises(GeometryError, match="crossings"):
        build_graph(row, crossings=areas((0, 0, 9, 9)))


# ---- links ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def islands():
    """Three squares a kilometre apart."""
    return areas((0, 0, 100, 100), (1000, 0, 1100, 100), (2000, 0, 2100, 100), ids=["x", "y", "z"])


@pytest.mark.parametrize(
    "links",
    [
        [("x", "y"), ("z", "y", 7)],
        pd.DataFrame({"from": ["x", "z"], "to": ["y", "y"], "cost": [1, 7]}),
        lines([(50, 50), (990, 50)], [(2050, 50), (1050, 50)], cost=[1, 7]),
    ],
)
def test_links_join_units_by_id_or_by_line(islands, links):
    graph = build_graph(islands, links=links)
    assert table(graph) == {("x", "y"): (LINK, 0, 1), ("y", "z"): (LINK, 0, 7)}
    assert graph.findings == ()


def test_links_between_neighbours_change_nothing_and_repeated_links_count_once(row):
    graph = build_graph(row, links=[("west", "mid"), ("west", "east"), ("east", "west", 3)])
    assert table(graph)["west", "mid"] == (BORDER, 1000, 1000)
    assert table(graph)["west", "east"] == (LINK, 0, 1)


@pytest.mark.parametrize(
    ("links", "error", "words"),
    [
        ([("x", "yy")], InputError, "'yy'.*Did you mean 'y'"),
        ([("x", "x")], GraphError, "itself"),
        ([("x",)], InputError, "pairs"),
        ([("x", "y", 0)], InputError, "cost 0"),
        (lines([(50, 50), (500, 50)]), GeometryError, "more than 50 m"),
        (lines([(10, 50), (50, 50)]), GraphError, "'x'"),
        (points((1, 1)), GeometryError, "Point"),
    ],
)
def test_bad_links_are_refused(islands, links, error, words):
    with pytest.raises(error, match=words):
        build_graph(islands, links=links)


def test_ends_on_a_border_belong_to_the_first_unit(row):
    ends = np.array([shapely.Point(100, 50), shapely.Point(200, 50), shapely.Point(330, 50), shapely.Point(351, 50)])
    assert nearest_units(row.to_numpy(), ends).tolist() == [0, 1, 2, -1]
    assert nearest_units(row.to_numpy()[::-1], ends).tolist() == [1, 0, 0, -1]


def test_islands_and_components_are_told(islands):
    graph = build_graph(islands, links=[("x", "y")])
    assert [(f.code, f.ids, f.value) for f in graph.findings] == [
        ("no-neighbour", ("z",), 1),
        ("several-components", ("z",), 2),
    ]
