"""Units and grids as shapes: matched by id, dissolved without a trace, borders found once."""

from __future__ import annotations

import itertools
from collections import Counter

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridopt.errors import GeometryError, InputError
from gridopt.viz.shapes import align_units, dissolve, lines_between, touching_pairs


def ids(*values: object) -> np.ndarray:
    return np.array(values, dtype=object)


def jittered(side: int, seed: int = 0) -> np.ndarray:
    """`side` x `side` quadrilaterals that share their corners: a valid coverage with awkward coordinates."""
    x, y = np.meshgrid(np.arange(side + 1) * 100.0, np.arange(side + 1) * 100.0)
    p = np.stack([x, y], axis=-1) + np.random.default_rng(seed).uniform(-30, 30, (side + 1, side + 1, 2))
    cells = [[p[i, j], p[i, j + 1], p[i + 1, j + 1], p[i + 1, j]] for i in range(side) for j in range(side)]
    return np.array([shapely.Polygon(c) for c in cells], dtype=object)


def boundary_segments(polygons: np.ndarray) -> Counter[tuple]:
    """Every straight piece of outline, as an unordered pair of exact coordinates: an oracle of its own."""
    found: Counter[tuple] = Counter()
    for shape in polygons:
        for ring in shapely.get_rings(shapely.get_parts(shape)):
            points = [tuple(c) for c in shapely.get_coordinates(ring)]
            found.update(tuple(sorted(pair)) for pair in itertools.pairwise(points))
    return found


def test_units_are_matched_by_index() -> None:
    units = gpd.GeoDataFrame(index=["b", "c", "a"], geometry=shapely.box([1, 2, 0], 0, [2, 3, 1], 1))
    assert align_units(units, ids("a", "b", "c")).bounds["minx"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (["a", "b", "b"], "1 unit ids occur more than once in the units table .first: 'b'"),
        (["a", "b"], "1 units are not in the units table .first: 'c'"),
        (["a", "b", "c", "d"], "1 units are not in the plan .first: 'd'"),
        ([1, 2, 3], "No id matches: the plan has str, the index has int"),
    ],
)
def test_wrong_ids_are_named(index: list, message: str) -> None:
    units = gpd.GeoDataFrame(index=index, geometry=[shapely.box(i, 0, i + 1, 1) for i in range(len(index))])
    with pytest.raises(InputError, match=message):
        align_units(units, ids("a", "b", "c"))


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        (None, "missing"),
        (shapely.Polygon(), "an empty Polygon"),
        (shapely.Point(0, 0), "Point"),
        (shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]), "Self-intersection"),
    ],
)
def test_units_without_area_are_named(shape: object, what: str) -> None:
    units = gpd.GeoDataFrame(index=["a", "b"], geometry=[shapely.box(0, 0, 1, 1), shape])
    with pytest.raises(GeometryError, match=f"1 units are no polygons .first: 'b', {what}"):
        align_units(units, ids("a", "b"))


def test_dissolving_a_coverage_keeps_every_outer_segment_and_no_inner_one() -> None:
    """Exactness, segment by segment: what two units of one group share is gone, all else is there once, unchanged."""
    polygons = jittered(12)
    labels = np.random.default_rng(1).integers(0, 5, len(polygons))
    grids = dissolve(polygons, labels, 5)
    for g in range(5):
        want = {s for s, times in boundary_segments(polygons[labels == g]).items() if times == 1}
        assert set(boundary_segments(grids[[g]])) == want
    assert shapely.coverage_is_valid(grids)
    assert sum(shapely.area(grids)) == pytest.approx(sum(shapely.area(polygons)), rel=1e-12)


def test_dissolving_keeps_holes_and_enclaves() -> None:
    """A grid around another one has a hole exactly there."""
    polygons = jittered(3)
    labels = np.zeros(9, dtype=np.int32)
    labels[4] = 1
    outer, inner = dissolve(polygons, labels, 2)
    assert len(outer.interiors) == 1
    assert shapely.Polygon(outer.interiors[0]).equals(inner)


def test_untidy_units_are_dissolved_by_the_general_union() -> None:
    """Overlaps are no coverage: area counts once, and what is left is a polygon."""
    polygons = shapely.box([0, 0.5, 3], 0, [1, 2, 4], 1)
    grids = dissolve(polygons, np.array([0, 0, 1]), 2)
    assert shapely.area(grids).tolist() == [2.0, 1.0]
    assert {g.geom_type for g in grids} == {"Polygon"}


def test_a_group_without_units_is_an_empty_polygon() -> None:
    grids = dissolve(shapely.box([0, 1], 0, [1, 2], 1), np.array([0, 2]), 3)
    assert [g.is_empty for g in grids] == [False, True, False]


def test_lines_between_are_the_shared_segments() -> None:
    """Same oracle the other way round: the pieces two grids share, in one line each, nothing twice."""
    polygons = jittered(10)
    labels = np.repeat(np.arange(4), 25)
    grids = dissolve(polygons, labels, 4)
    pairs, lines = lines_between(grids)
    assert pairs.tolist() == [[0, 1], [1, 2], [2, 3]]
    for (a, b), line in zip(pairs, lines):
        shared = set(boundary_segments(grids[[a]])) & set(boundary_segments(grids[[b]]))
        points = [[tuple(c) for c in shapely.get_coordinates(part)] for part in shapely.get_parts(line)]
        assert {tuple(sorted(pair)) for run in points for pair in itertools.pairwise(run)} == shared
        assert len(shapely.get_parts(line)) == 1


def test_corner_contacts_touch_but_share_no_line() -> None:
    squares = shapely.box([0, 1, 0, 1], [0, 0, 1, 1], [1, 2, 1, 2], [1, 1, 2, 2])
    assert touching_pairs(squares).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert lines_between(squares)[0].tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]


def test_two_lines_between_the_same_grids_are_one_row() -> None:
    """A lake between two grids parts their border in two: one pair, one MultiLineString."""
    left = shapely.box(0, 0, 5, 9) - shapely.box(4, 3, 5, 6)
    right = shapely.box(5, 0, 9, 9) - shapely.box(5, 3, 6, 6)
    pairs, lines = lines_between(np.array([left, right], dtype=object))
    assert pairs.tolist() == [[0, 1]]
    assert lines[0].geom_type == "MultiLineString"
    assert lines[0].length == 6.0


def test_nothing_shared_gives_nothing() -> None:
    pairs, lines = lines_between(shapely.box([0, 5], 0, [1, 6], 1))
    assert pairs.shape == (0, 2)
    assert len(lines) == 0
