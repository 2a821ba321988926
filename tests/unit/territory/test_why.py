"""Every reason why two units are neighbours, or are not, on territories small enough for a napkin; and overrides."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridopt.errors import GraphError, InputError
from gridopt.model.graph import LINK
from gridopt.territory.adjacency import build_graph
from gridopt.territory.why import why

CRS = "EPSG:3826"


def areas(*shapes, ids):
    return gpd.GeoSeries([shapely.box(*s) for s in shapes], index=ids, crs=CRS)


def line(*shape, name):
    return gpd.GeoDataFrame({"name": [name]}, geometry=[shapely.LineString(shape)], crs=CRS)


@pytest.fixture
def town():
    """a b c in a row of squares of 100 m; d touches b at a corner; e lies 30 m east of c; f is an island far away."""
    return areas(
        *((0, 0, 100, 100), (100, 0, 200, 100), (200, 0, 300, 100), (200, 100, 300, 200)),
        *((330, 0, 400, 100), (900, 900, 950, 950)),
        ids=list("abcdef"),
    )


def test_neighbours_share_a_border(town):
    answer = why(town, "a", "b")
    assert (answer.is_edge, answer.reason, answer.facts["border_m"]) == (True, "border", 100)
    assert "share a border of 100.0 m" in str(answer)


def test_corners_are_no_borders(town):
    answer = why(town, "b", "d")
    assert (answer.is_edge, answer.reason) == (False, "corner")
    assert answer.facts["path"] == ("b", "c", "d")


def test_what_lies_between_is_named(town):
    answer = why(town, "a", "c")
    assert (answer.reason, answer.facts["distance_m"], answer.facts["between"]) == ("apart", 100, ("b",))
    assert "They are 100 m apart; 'b' lies between them." in str(answer)
    far = areas((0, 0, 100, 100), (100, 0, 200, 100), (200, 0, 1900, 100), (1900, 0, 2000, 100), ids=list("abcd"))
    assert "They are 1,800 m apart; 'b', 'c' lie between them." in str(why(far, "a", "d"))
    gap = why(town, "c", "e")
    assert (gap.reason, gap.facts["distance_m"], gap.facts["between"]) == ("apart", 30, ())
    assert "snap=0.05" in str(gap)
    assert why(town, "c", "e", snap=30).reason == "border"


def test_the_snap_that_closes_a_gap_is_offered_and_does(town):
    """Gaps of one width and wedges; none is offered where a unit lies between, or the gap is wider than a metre."""
    for near, far in ((0.3, 0.3), (0.07, 0.07), (0.1, 0.6), (0.0, 0.9), (0.98, 0.98), (1.4, 1.4)):
        east = shapely.Polygon([(100 + near, 0), (200, 0), (200, 100), (100 + far, 100)])
        units = gpd.GeoSeries([shapely.box(0, 0, 100, 100), east], index=["a", "b"], crs="EPSG:3826")
        answer = why(units, "a", "b")
        if near == 0 or far > 1:
            assert "closing_snap" not in answer.facts
            continue
        snap = answer.facts["closing_snap"]
        assert near < snap <= 1.0
        assert f"With snap={snap:g} the gap counts as a border." in str(answer)
        assert why(units, "a", "b", snap=snap).is_edge
    assert "closing_snap" not in why(town, "a", "c").facts


def test_components_are_told_apart(town):
    assert why(town, "a", "f").facts["same_component"] is False
    assert "different components" in str(why(town, "a", "f"))
    assert why(town, "a", "d").facts["steps"] == 3


def test_short_borders_are_told(town):
    town["b"] = shapely.box(100, 99.4, 200, 199)
    answer = why(town, "a", "b")
    assert (answer.reason, answer.facts["border_m"]) == ("short-border", 0.6)
    assert why(town, "a", "b", min_border=0.5).is_edge


def test_each_barrier_is_named_with_its_metres(town):
    both = pd.concat([line((100, -5), (100, 40), name="Mill Brook"), line((100, 40), (100, 90), name="Railway")])
    answer = why(town, "a", "b", barriers=both)
    assert (answer.is_edge, answer.reason) == (False, "barrier")
    assert answer.facts["barriers"] == {"Mill Brook": pytest.approx(41, abs=1.1), "Railway": pytest.approx(51, abs=2.1)}
    assert answer.facts["blocked_m"] == pytest.approx(90, abs=1.1)
    assert "'Mill Brook'" in str(answer)
    assert why(town, "b", "c", barriers=both).reason == "border"


def test_a_crossing_that_joins_them_again_is_named(town):
    river = line((100, -5), (100, 105), name="river")
    bridge = line((80, 50), (120, 50), name="Old Bridge")
    answer = why(town, "a", "b", barriers=river, crossings=bridge)
    assert (answer.is_edge, answer.reason, answer.facts["crossings"]) == (True, "crossing", ("Old Bridge",))


def test_units_inside_a_barrier_keep_one_edge(town):
    """The square b is water: it hangs on one bank, a (of equal borders the first), and not on c."""
    lake = areas((99, -1, 201, 101), ids=["lake"])
    assert why(town, "a", "b", barriers=lake).is_edge
    answer = why(town, "b", "c", barriers=lake)
    assert (answer.is_edge, answer.reason) == (False, "in-barrier")


def test_links_and_overrides_are_told_with_their_row(town):
    assert why(town, "c", "f", links=[("c", "f")]).reason == "link"
    table = pd.DataFrame(
        {"u": ["a", "f"], "v": ["b", "e"], "action": ["part", "join"], "reason": ["wall", "summer ferry"]}
    )
    parted = why(town, "a", "b", overrides=table)
    assert (parted.is_edge, parted.reason, parted.facts["row"]) == (False, "override", 1)
    assert "wall" in str(parted)
    joined = why(town, "e", "f", overrides=table)
    assert (joined.is_edge, joined.reason, joined.facts["row"]) == (True, "override", 2)
    assert "summer ferry" in str(joined)


def test_the_answer_agrees_with_the_graph_on_every_pair(town):
    """Whatever the reason, `is_edge` is what `build_graph` made."""
    options = {
        "barriers": line((200, -5), (200, 105), name="river"),
        "links": [("e", "f")],
        "overrides": [("a", "b", "part"), ("b", "d", "join")],
    }
    graph = build_graph(town, **options)
    edges = {frozenset(graph.ids[e].tolist()) for e in graph.edges}
    for i, u in enumerate("abcdef"):
        for v in "abcdef"[i + 1 :]:
            assert why(town, u, v, **options).is_edge == (frozenset((u, v)) in edges)


def test_questions_about_unknown_units_are_refused(town):
    with pytest.raises(InputError, match="'x'"):
        why(town, "a", "x")
    with pytest.raises(InputError, match="one unit"):
        why(town, "a", "a")


# ---- overrides ------------------------------------------------------------------------------------------------------


def test_overrides_come_last(town):
    """Parted pairs lose their edge; joined ones get a link, with the length of the border that a barrier took."""
    river = line((100, -5), (100, 105), name="river")
    graph = build_graph(town, barriers=river, overrides=[("b", "a", "join"), ("c", "b", "part"), ("f", "e", "join")])
    found = {tuple(graph.ids[e].tolist()): (int(k), int(n), int(c)) for e, k, n, c in
             zip(graph.edges, graph.kind, graph.length, graph.cost)}  # fmt: skip
    assert found[("a", "b")] == (LINK, 1000, 1000)
    assert found[("e", "f")] == (LINK, 0, 1)
    assert ("b", "c") not in found
    assert {f.code: f.value for f in graph.findings}["override"] == 3


def test_overrides_that_change_nothing_are_told(town):
    graph = build_graph(town, overrides=[("a", "b", "join"), ("a", "f", "part")])
    assert [f.value for f in graph.findings if f.code == "override-idle"] == [2]
    assert np.array_equal(graph.edges, build_graph(town).edges)


@pytest.mark.parametrize(
    ("rows", "error", "match"),
    [
        ([("a", "b", "cut")], InputError, r"row 1 .*'cut'.*join.*part"),
        ([("a", "b", "join"), ("b", "a", "part")], InputError, "rows 1 and 2 join and part"),
        ([("a", "zz", "join")], InputError, "zz"),
        ([("a", "a", "join")], GraphError, "row 1 names unit 'a' twice"),
        ([("a", "b")], InputError, "row 1 is"),
        (pd.DataFrame({"u": ["a"], "v": ["b"]}), InputError, "columns"),
    ],
)
def test_overrides_that_say_nothing_clear_are_refused(town, rows, error, match):
    with pytest.raises(error, match=match):
        build_graph(town, overrides=rows)
