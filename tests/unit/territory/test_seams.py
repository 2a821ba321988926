"""Territories that do not hang together: seams, exclaves, islands, units in pieces, corners; answers known by hand."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.territory.adjacency import build_graph

CRS = "EPSG:3826"


def county(x0, y0, columns, rows, size=100.0, name="a", shift=(0.0, 0.0)):
    """Squares of `size` metres, ids such as a00, moved by `shift`."""
    boxes, ids = [], []
    for c in range(columns):
        for r in range(rows):
            x, y = x0 + c * size + shift[0], y0 + r * size + shift[1]
            boxes.append(shapely.box(x, y, x + size, y + size))
            ids.append(f"{name}{c}{r}")
    return gpd.GeoSeries(boxes, index=ids, crs=CRS)


def joined(*layers):
    return gpd.GeoSeries(np.concatenate([layer.to_numpy() for layer in layers]), crs=CRS,
                         index=[i for layer in layers for i in layer.index])  # fmt: skip


def edges(graph):
    return {tuple(sorted(graph.ids[e].tolist())): int(n) for e, n in zip(graph.edges, graph.length)}


# ---- seams -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [2.0, -2.0, 0.8])
def test_a_seam_between_layers_is_crossed_within_the_tolerance(gap):
    """
    Two counties of 3 x 3 squares, 2 m apart (or overlapping) and 37 m along the seam: each square meets two others
    over 37 and 63 m, all five contacts known by hand.
    """
    left, right = county(0, 0, 3, 3, name="l"), county(300 + gap, 37, 3, 3, name="r")
    both = joined(left, right)
    split = build_graph(both, snap=0.05)
    assert split.components().max() == (1 if gap > 0 else 0)
    graph = build_graph(both, snap=2.5)
    assert graph.components().max() == 0
    seam = {pair: n for pair, n in edges(graph).items() if pair[0][0] != pair[1][0]}
    truth = {("l20", "r00"): 630, ("l21", "r00"): 370, ("l21", "r01"): 630, ("l22", "r01"): 370, ("l22", "r02"): 630}
    assert set(seam) == set(truth)
    for pair, length in truth.items():
        assert seam[pair] == pytest.approx(length, abs=30)
    inner = {pair: n for pair, n in edges(graph).items() if pair[0][0] == pair[1][0]}
    assert inner == edges(build_graph(left)) | edges(build_graph(right))


def test_a_seam_drawn_by_two_hands_is_found_all_along():
    """The same winding line digitised twice with other vertices, up to 3 m apart: every neighbour across is found."""
    rng = np.random.default_rng(5)

    def side(n, noise):
        y = np.linspace(0, 1000, n)
        return np.column_stack([500 + 40 * np.sin(y / 90) + noise * rng.uniform(-1, 1, n), y])

    def rows(line, x, name, step):
        shapes = []
        for y in range(0, 1000, step):
            band = shapely.box(-10, y, 1010, y + step)
            half = shapely.Polygon([(x, 0), *line.tolist(), (x, 1000)])
            shapes.append(half.intersection(band))
        return gpd.GeoSeries(shapes, index=[f"{name}{i}" for i in range(len(shapes))], crs=CRS)

    west, east = rows(side(60, 1.2), 0, "w", 100), rows(side(41, 1.2), 1000, "e", 125)
    graph = build_graph(joined(west, east), snap=6)
    across = {pair for pair in edges(graph) if pair[0][0] != pair[1][0]}
    truth = {
        (f"e{j}", f"w{i}")
        for i in range(10)
        for j in range(8)
        if min(100 * i + 100, 125 * j + 125) - max(100 * i, 125 * j) > 10
    }
    assert across == truth
    assert graph.components().max() == 0


# ---- exclaves, islands, pieces, corners ------------------------------------------------------------------------------


def test_exclaves_and_islands_are_told_and_get_grids_of_their_own():
    """Two main parts of 16 and 4 units, an exclave of 2, an island of 1: shares of 8 grids by workload."""
    land = joined(
        *(county(0, 0, 4, 4, name="m"), county(0, 900, 2, 2, name="n")),
        *(county(900, 0, 2, 1, name="x"), county(2000, 2000, 1, 1, name="i")),
    )
    graph = build_graph(land)
    said = {f.code: f for f in graph.findings}
    assert said["several-components"].value == 4
    assert said["no-neighbour"].ids == ("i00",)
    problem = go.build_problem(graph, workload=np.full(graph.n_units, 10), n_grids=8, tolerance=0.35)
    plan = go.solve(problem, steps=2000).require_plan()
    assert go.verify(problem, plan.labels) == []
    letters = [i[0] for i in graph.ids]
    grids = {name: {g for g, c in zip(plan.labels.tolist(), letters) if c == name} for name in "mnxi"}
    assert [len(grids[name]) for name in "mnxi"] == [5, 1, 1, 1]
    assert sum(len(g) for g in grids.values()) == 8


def test_an_enclave_hangs_on_what_surrounds_it():
    ring = shapely.box(0, 0, 300, 300) - shapely.box(100, 100, 200, 200)
    graph = build_graph(gpd.GeoSeries([ring, shapely.box(100, 100, 200, 200)], index=["ring", "core"], crs=CRS))
    assert edges(graph) == {("core", "ring"): 4000}


def test_a_unit_in_pieces_borders_what_each_piece_borders():
    """b lies on both ends of a row of three: it touches a and c, which do not touch each other."""
    b = shapely.MultiPolygon([shapely.box(0, 0, 100, 100), shapely.box(300, 0, 400, 100)])
    units = gpd.GeoSeries([shapely.box(100, 0, 200, 100), b, shapely.box(200, 0, 300, 100)], index=list("abc"), crs=CRS)
    graph = build_graph(units)
    assert edges(graph) == {("a", "b"): 1000, ("a", "c"): 1000, ("b", "c"): 1000}
    table = go.inspect_units(units)
    assert table["units"].tolist() == [("b",)]
    assert table["note"].tolist() == ["2 parts, the largest has 50.00%"]


def test_corners_join_nothing_even_where_four_units_meet():
    board = county(0, 0, 5, 5)
    black = board[[(c + r) % 2 == 0 for c in range(5) for r in range(5)]]
    graph = build_graph(black)
    assert graph.n_edges == 0
    assert {f.code: f.value for f in graph.findings}["corner-contact"] == 16
    full = {f.code: f.value for f in build_graph(board).findings}
    assert full["corner-contact"] == 32
