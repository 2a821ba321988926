"""Ways to join a part in pieces: each is offered, the most promising first, and the search takes the best."""

from __future__ import annotations

import numpy as np

import gridopt as go
from gridopt.planning import rebalance
from gridopt.planning.joining import joinings, torn_parts
from tests.unit.planning.test_relaxed import is_joined


def ring(load: list[int]) -> go.Graph:
    """Units in a ring."""
    n = len(load)
    return go.Graph.from_edges(n, [(i, (i + 1) % n) for i in range(n)])


def piece_of(graph: go.Graph, load: list[int], k: int):
    from gridopt.solvers.decompose.regions import decompose

    return decompose(go.build_problem(graph, load, n_grids=k, tolerance=0.9)).piece(0)


def test_every_way_to_join_two_pieces_is_offered_the_cheapest_first():
    load = [9, 1, 1, 8, 2, 3]
    home = np.array([0, 1, 1, 0, 1, 1], np.int32)
    piece, weight = piece_of(ring(load), load, 2), np.array(load)
    torn = torn_parts(piece, home, weight)
    assert [nodes.tolist() for nodes in torn[0]] == [[0], [3]]
    found = [tuple(x.tolist()) for x in joinings(piece, home, 0, torn[0], weight, np.zeros(6, bool))]
    assert found[0] == (0, 0, 0, 0, 1, 1), "over the light side"
    assert (0, 1, 1, -1, 1, 1) in found
    assert (-1, 1, 1, 0, 1, 1) in found


def test_barred_nodes_are_no_corridor():
    load = [9, 1, 1, 8, 2, 3]
    home = np.array([0, 1, 1, 0, 1, 1], np.int32)
    piece, weight = piece_of(ring(load), load, 2), np.array(load)
    barred = np.array([False, True, False, False, False, False])
    for labels in joinings(piece, home, 0, torn_parts(piece, home, weight)[0], weight, barred):
        assert labels[1] == 1
        assert is_joined(np.array([(i, (i + 1) % 6) for i in range(6)]), set(np.flatnonzero(labels == 0).tolist()))


def torn_strips() -> tuple[go.Problem, np.ndarray]:
    """Five strips of 15 x 3 units; the third has a row of heavy units across the second, which is light."""
    side = 15
    at = np.arange(side * side).reshape(side, side)
    edges = [(int(a), int(b)) for x, y in ((at[:, :-1], at[:, 1:]), (at[:-1], at[1:])) for a, b in zip(x.flat, y.flat)]
    home = np.tile(np.repeat(np.arange(5), 3), (side, 1))
    load = np.full((side, side), 2)
    load[:, 3:9] = 1
    home[7, 3:6], load[7, 3:6], load[6:9, 2] = 2, 20, 20
    graph = go.Graph.from_edges(side * side, edges)
    return go.build_problem(graph, load.ravel(), n_grids=5, tolerance="0.6"), home.ravel()


def test_a_torn_grid_is_joined_by_the_heavy_unit_between_its_halves():
    """One unit of 20 joins the halves; giving a half away and filling up again moves twice as much."""
    problem, home = torn_strips()
    new = rebalance(problem, home, steps=3_000_000, seed=1, workers=1, margin=0.0)
    assert new.moved_amount == 20
    assert (new.plan.pieces() == 1).all()
