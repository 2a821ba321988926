"""Shared borders against known answers, GEOS intersections and libpysal."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from libpysal.graph import Graph as PysalGraph

import gridopt as go
from gridopt.errors import GeometryError, InputError
from gridopt.territory import _faces
from gridopt.territory.adjacency import build_graph

CRS = "EPSG:3826"


def layer(shapes, ids=None):
    return gpd.GeoSeries(shapes, index=ids, crs=CRS)


def edges(graph):
    """{(id, id): length in dm}."""
    return {tuple(graph.ids[e].tolist()): int(length) for e, length in zip(graph.edges, graph.length)}


def codes(graph):
    return [f.code for f in graph.findings]


def lattice(rows, columns, seed=0, jitter=0.0, step=100.0, cuts=0):
    """Quadrilaterals whose corners are jittered; `cuts` extra vertices bend each side. An exact coverage."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(columns + 1) * step, np.arange(rows + 1) * step)
    corner = np.stack([x, y], axis=2) + rng.uniform(-jitter, jitter, (rows + 1, columns + 1, 2))
    middle = {}

    def side(a, b):
        key = (min(a, b), max(a, b))
        if key not in middle:
            t = np.linspace(0, 1, cuts + 2)[1:-1, None]
            straight = corner[key[0]] * (1 - t) + corner[key[1]] * t
            middle[key] = straight + rng.uniform(-jitter / 4, jitter / 4, straight.shape)
        points = middle[key]
        return [corner[a], *(points if key == (a, b) else points[::-1])]

    shapes = []
    for r in range(rows):
        for c in range(columns):
            ring = [(r, c), (r, c + 1), (r + 1, c + 1), (r + 1, c)]
            shapes.append(shapely.Polygon([p for a, b in zip(ring, ring[1:] + ring[:1]) for p in side(a, b)]))
    return layer(shapes)


def test_squares_border_along_sides_and_never_in_corners():
    graph = build_graph(lattice(2, 2))
    assert edges(graph) == {(0, 1): 1000, (0, 2): 1000, (1, 3): 1000, (2, 3): 1000}
    assert [(f.code, f.value) for f in graph.findings] == [("corner-contact", 2)]
    assert graph.kind.tolist() == [0, 0, 0, 0]
    assert graph.cost.tolist() == graph.length.tolist()


def test_two_small_squares_face_a_big_one_across_a_t_junction():
    big, low, high = shapely.box(0, 0, 100, 100), shapely.box(100, 0, 150, 40), shapely.box(100, 40, 150, 100)
    graph = build_graph(layer([big, low, high], ["big", "low", "high"]))
    assert edges(graph) == {("big", "low"): 400, ("big", "high"): 600, ("low", "high"): 500}


def test_t_junction_on_a_slanted_border():
    turn = shapely.affinity.rotate
    shapes = [shapely.box(0, 0, 100, 100), shapely.box(100, 0, 150, 40), shapely.box(100, 40, 150, 100)]
    graph = build_graph(layer([turn(s, 33.3, origin=(0, 0)) for s in shapes]))
    assert edges(graph) == {(0, 1): 400, (0, 2): 600, (1, 2): 500}


@pytest.mark.parametrize("gap", [0.02, -0.02])
def test_a_gap_or_overlap_of_2_cm_is_a_border(gap):
    graph = build_graph(layer([shapely.box(0, 0, 100, 100), shapely.box(100 + gap, 30, 200, 130)]))
    assert edges(graph) == {(0, 1): 700}
    assert graph.findings == ()


def test_a_gap_wider_than_snap_is_none():
    shapes = layer([shapely.box(0, 0, 100, 100), shapely.box(100.2, 0, 200, 100)])
    graph = build_graph(shapes)
    assert graph.n_edges == 0
    assert codes(graph) == ["no-neighbour", "several-components"]
    assert graph.findings[0].ids == (0, 1)
    assert edges(build_graph(shapes, snap=0.3)) == {(0, 1): 1000}


def test_without_snap_only_identical_segments_count():
    shapes = layer([shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 40), shapely.box(100, 40, 200, 100)])
    assert edges(build_graph(shapes, snap=0)) == {(1, 2): 1000}


def test_wedge_counts_only_where_it_is_narrow_enough():
    wedge = shapely.Polygon([(100, 0), (200, 0), (200, 100), (102, 100)])  # 2 m wide after 100 m: 1 m after 50 m
    graph = build_graph(layer([shapely.box(0, 0, 100, 100), wedge]), snap=1.0)
    assert edges(graph)[0, 1] == pytest.approx(500, abs=1)


def test_borders_not_longer_than_min_border_are_dropped_and_counted():
    shapes = layer([shapely.box(0, 0, 100, 100), shapely.box(100, 99, 200, 199), shapely.box(200, 99, 300, 199)])
    graph = build_graph(shapes)
    assert edges(graph) == {(1, 2): 1000}
    assert ("short-border", 1, 1.0) in [(f.code, f.value, f.limit) for f in graph.findings]
    assert edges(build_graph(shapes, min_border=0.9)) == {(0, 1): 10, (1, 2): 1000}


def test_multiparts_and_holes_border_with_all_their_rings():
    ring = shapely.box(0, 0, 100, 100).difference(shapely.box(40, 40, 60, 60))
    inner, outer = shapely.box(40, 40, 60, 60), shapely.box(100, 0, 130, 100)
    graph = build_graph(layer([ring, shapely.MultiPolygon([inner, outer])], ["ring", "two"]))
    assert edges(graph) == {("ring", "two"): 1800}


def test_orientation_of_rings_does_not_matter():
    shapes = lattice(3, 3, seed=1, jitter=20, cuts=2)
    turned = shapes.copy()
    turned.iloc[::2] = shapely.reverse(np.asarray(shapes.iloc[::2]))
    assert build_graph(turned) == build_graph(shapes)


def test_overlaps_are_listed_each_with_its_area():
    shapes = [shapely.box(0, 0, 100, 100), shapely.box(90, 0, 190, 100), shapely.box(190, 0, 290, 100)]
    graph = build_graph(layer(shapes, list("abc")))
    assert [(f.ids, f.value) for f in graph.findings if f.code == "overlap"] == [(("a", "b"), 1000.0)]
    assert edges(graph)["b", "c"] == 1000
    assert edges(graph)["a", "b"] == 1100  # half the outline of 10 x 100


def test_overlaps_are_listed_however_much_is_snapped():
    shapes = layer([shapely.box(0, 0, 100, 100), shapely.box(98, 0, 190, 100)])
    assert [codes(build_graph(shapes, snap=snap)) for snap in (0, 0.05, 5)] == [["overlap"]] * 3
    assert edges(build_graph(shapes, snap=5)) == {(0, 1): 1000}


def test_duplicates_among_partners_all_around_are_found():
    shapes = [*lattice(3, 3), lattice(3, 3).iloc[4]]
    graph = build_graph(layer(shapes))
    assert [f.ids for f in graph.findings if f.code == "overlap"] == [(4, 9)]
    assert graph.findings[0].value == 10_000


def test_a_unit_inside_another_is_an_overlap():
    graph = build_graph(layer([shapely.box(0, 0, 100, 100), shapely.box(20, 20, 30, 30)]))
    assert next((f.code, f.value) for f in graph.findings) == ("overlap", 100)


def test_two_coverages_on_top_of_each_other_are_listed_in_full():
    below, above = lattice(4, 4), lattice(4, 4).translate(50, 50)
    graph = build_graph(layer([*below, *above]))
    listed = {f.ids for f in graph.findings if f.code == "overlap"}
    tree = shapely.STRtree(above.values)
    want = {
        (i, 16 + int(j))
        for i, shape in enumerate(below)
        for j in tree.query(shape)
        if shape.intersection(above[j]).area
    }
    assert listed == want


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (None, "1 of 3 rows of units have no geometry"),
        (shapely.Polygon(), "empty"),
        (shapely.Point(0, 0), "Point"),
        (shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)]), "Self-intersection"),
    ],
)
def test_bad_geometry_is_refused_by_id_reason_and_cure(bad, words):
    units = layer([shapely.box(0, 0, 9, 9), bad, shapely.box(9, 0, 18, 9)], ["ok", "odd", "fine"])
    with pytest.raises(GeometryError, match=words) as caught:
        build_graph(units)
    assert "'odd'" in str(caught.value)
    assert "'ok'" not in str(caught.value)
    assert caught.value.findings[0].ids == ("odd",)


@pytest.mark.parametrize("option", ["min_border", "snap", "street_tolerance"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1"])
def test_parameters_out_of_range_are_named(option, value):
    with pytest.raises(InputError, match=option):
        build_graph(lattice(1, 2), **{option: value})


def test_repeated_ids_are_refused():
    with pytest.raises(InputError, match="'a'"):
        build_graph(layer([shapely.box(0, 0, 9, 9), shapely.box(9, 0, 18, 9)], ["a", "a"]))


def test_degrees_are_projected_with_one_warning():
    degrees = lattice(2, 3).translate(300_000, 2_770_000).to_crs("EPSG:4326")
    with pytest.warns(UserWarning, match="EPSG:4326"):
        graph = build_graph(degrees)
    np.testing.assert_allclose(graph.length, 1000, rtol=2e-3)
    assert "reprojected" in codes(graph)
    assert build_graph(degrees, crs=CRS).length.tolist() == [1000] * 7


def test_xy_lies_in_each_unit():
    shapes = lattice(3, 4, seed=2, jitter=30)
    graph = build_graph(shapes)
    assert shapely.contains_xy(shapes.values, graph.xy).all()


def test_one_unit_makes_a_graph_without_findings():
    graph = build_graph(layer([shapely.box(0, 0, 9, 9)], ["only"]))
    assert (graph.n_units, graph.n_edges, graph.findings) == (1, 0, ())


def test_public_door():
    assert go.build_graph is build_graph


def test_the_benchmark_runs_in_its_tiny_mode():
    script = Path(__file__).resolve().parents[3] / "benchmarks" / "territory.py"
    command = [sys.executable, str(script), "--tiny", "--runs", "1"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    rows = list(csv.DictReader(run.stdout.splitlines()))
    assert [(r["run"], r["units"], r["edges"]) for r in rows] == [("1", "400", "760"), ("median", "400", "760")]


sizes = st.integers(1, 5)


@given(sizes, sizes, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 10.0, 30.0]), st.integers(0, 3))
def test_lengths_are_perimeters_less_outline_halved(rows, columns, seed, jitter, cuts):
    shapes = lattice(rows, columns, seed, jitter, cuts=cuts)
    graph = build_graph(shapes, min_border=0)
    inner = (shapes.length.sum() - shapely.union_all(shapes.values).length) / 2
    assert graph.length.sum() == pytest.approx(inner * 10, abs=0.5 * graph.n_edges + 1)


@given(sizes, sizes, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 10.0, 30.0]))
def test_pairs_and_lengths_are_those_of_libpysal(rows, columns, seed, jitter):
    shapes = lattice(rows, columns, seed, jitter, cuts=1)
    if len(shapes) == 1:
        return
    peer = go.Graph.from_pysal(PysalGraph.build_contiguity(shapes, rook=True, by_perimeter=True))
    graph = build_graph(shapes, min_border=0)
    assert graph.edges.tolist() == peer.edges.tolist()
    np.testing.assert_allclose(graph.length, peer.length, atol=1)


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.005, 0.015]))
def test_noise_below_snap_changes_no_pair(seed, noise):
    """Each polygon digitised apart: its vertices moved on their own by up to 1.5 cm east and north."""
    rng = np.random.default_rng(seed)
    shapes = lattice(4, 4, seed, 25, cuts=2)
    rings = [shapely.get_coordinates(shape)[:-1] for shape in shapes]
    moved = [shapely.Polygon(ring + rng.uniform(-noise, noise, ring.shape)) for ring in rings]
    clean, rough = build_graph(shapes), build_graph(layer(moved))
    assert rough.edges.tolist() == clean.edges.tolist()
    np.testing.assert_allclose(rough.length, clean.length, atol=6)


@given(st.integers(0, 2**32 - 1))
def test_order_of_rows_does_not_matter(seed):
    shapes = lattice(4, 5, seed, 25, cuts=1)
    order = np.random.default_rng(seed).permutation(len(shapes))
    assert edges_by_name(build_graph(shapes.iloc[order])) == edges_by_name(build_graph(shapes))


def edges_by_name(graph):
    return {tuple(sorted(pair)): length for pair, length in edges(graph).items()}


@given(st.integers(0, 2**32 - 1))
def test_merged_cells_with_t_junctions_against_geos(seed):
    """Random rectangles without common vertices: every border against the intersection of the two outlines."""
    rng = np.random.default_rng(seed)
    cells = [(0.0, 0.0, 200.0, 150.0)]
    for _ in range(12):
        x0, y0, x1, y1 = cells.pop(int(rng.integers(len(cells))))
        t = rng.uniform(0.3, 0.7)
        if x1 - x0 > y1 - y0:
            cut = x0 + t * (x1 - x0)
            cells += [(x0, y0, cut, y1), (cut, y0, x1, y1)]
        else:
            cut = y0 + t * (y1 - y0)
            cells += [(x0, y0, x1, cut), (x0, cut, x1, y1)]
    shapes = layer([shapely.box(*c) for c in cells])
    want = {}
    for i in range(len(shapes)):
        for j in range(i + 1, len(shapes)):
            length = shapes[i].boundary.intersection(shapes[j].boundary).length
            if length > 1.0:
                want[i, j] = length * 10
    got = edges(build_graph(shapes))
    assert got.keys() == want.keys()
    assert all(abs(got[k] - want[k]) <= 0.5 + 1e-6 for k in want)


def coast(n):
    """An indented ring of n vertices around a town of 25 squares."""
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    radius = 20_000 + sum(2000 / k**0.9 * np.cos(k * turn + k) for k in (3, 7, 17, 41, 97, 211, 511))
    land = shapely.Polygon(np.column_stack([radius * np.cos(turn), radius * np.sin(turn)]))
    x, y = (v.ravel() for v in np.meshgrid(np.arange(5) * 2000.0 - 5000, np.arange(5) * 2000.0 - 5000))
    return layer([land.difference(shapely.box(-5000, -5000, 5000, 5000)), *shapely.box(x, y, x + 2000, y + 2000)])


def test_a_coastline_takes_time_in_proportion_to_its_vertices():
    """One unit of a million vertices is a coast, not a mistake: asking it about each of its own sides took minutes."""

    def seconds(n):
        shapes = coast(n)
        began = time.process_time()
        graph = build_graph(shapes)
        assert graph.n_edges == 40 + 16
        return time.process_time() - began

    seconds(100)
    assert seconds(64_000) < 30 * max(seconds(8_000), 0.02)  # 8 in proportion, 64 if every side asks the whole outline


def test_mouths_of_gaps_are_the_same_with_corners_made_one(monkeypatch):
    """Long outlines are compared with their corners put exactly on each other; what is found must not differ."""
    squares = np.array([*shapely.box([0, 10.4], 0, [10, 20], 10), coast(500).iloc[0]])
    plain = _faces.mouths(squares, 1.0)
    monkeypatch.setattr(_faces, "MANY_CORNERS", 0)
    assert shapely.length(_faces.mouths(squares, 1.0)) == pytest.approx(shapely.length(plain), abs=1e-6)
    assert shapely.length(plain) == pytest.approx([0.4, 0.4], abs=3e-3)
