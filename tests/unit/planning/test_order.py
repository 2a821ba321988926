"""Moves in order: no grid is in pieces or empty in between, and the end is the plan that was asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import gridopt as go
from gridopt.model.graph import Graph
from gridopt.planning.order import order_moves
from tests.brute import is_connected, neighbours, partitions


@st.composite
def two_plans(draw: Any) -> tuple[int, list[tuple[int, int]], list[int], list[int]]:
    """A small connected graph, and two contiguous plans of it with as many grids."""
    n, k = draw(st.integers(4, 8)), draw(st.integers(2, 3))
    tree = [(draw(st.integers(0, v - 1)), v) for v in range(1, n)]
    more = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=8))
    edges = sorted({(min(p), max(p)) for p in [*tree, *more] if p[0] != p[1]})
    plans = list(partitions(n, edges, k))
    first, second = (list(plans[draw(st.integers(0, len(plans) - 1))]) for _ in range(2))
    names = draw(st.permutations(range(k)))
    return n, edges, first, [names[j] for j in second]


@settings(max_examples=150)
@given(two_plans())
def test_no_grid_is_ever_in_pieces(case: tuple[int, list[tuple[int, int]], list[int], list[int]]) -> None:
    """Every plan in between is one; units that are not blocked end where they belong."""
    n, edges, start, goal = case
    graph, near = Graph.from_edges(n, edges), neighbours(n, edges)
    done = order_moves(graph, np.array(start, dtype=np.int32), np.array(goal, dtype=np.int32))
    labels = list(start)
    for unit, source, target in done.steps:
        assert labels[unit] == source != target
        labels[unit] = target
        for j in set(start):
            assert is_connected([u for u in range(n) if labels[u] == j], near)
    assert all(labels[u] == goal[u] for u in range(n) if u not in done.blocked)
    if labels == goal:
        assert not done.blocked


def test_a_swap_on_a_ring_goes_round() -> None:
    """Two grids that change places on a ring cannot do so in single moves: this is said, and nothing is broken."""
    ring = Graph.from_edges(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    done = order_moves(ring, np.array([0, 0, 1, 1], np.int32), np.array([1, 1, 0, 0], np.int32))
    labels = [0, 0, 1, 1]
    for unit, _, target in done.steps:
        labels[unit] = target
    assert labels == [1, 1, 0, 0]
    assert not done.blocked
    assert len(done.steps) >= 4


def test_a_bundle_moves_as_one() -> None:
    """Units of a compound follow each other."""
    path = Graph.from_edges(5, [(i, i + 1) for i in range(4)])
    bundle = np.array([-1, 0, 0, -1, -1], np.int32)
    done = order_moves(path, np.array([0, 0, 0, 0, 1], np.int32), np.array([0, 1, 1, 1, 1], np.int32), bundle=bundle)
    assert [unit for unit, _, _ in done.steps] == [3, 1, 2]


def test_reasons_name_the_street_of_the_border() -> None:
    """A planner reads what a move does, and along which street the border then runs."""
    graph = Graph.from_edges(
        4,
        [(0, 1), (1, 2), (2, 3)],
        [10, 10, 10],
        ids=["S-1", "S-2", "S-3", "S-4"],
        streets=["Jianguo Road", "Heping Road; Xueyuan Lane", "Jianguo Road"],
    )
    today = go.build_problem(graph, workload=[30, 20, 20, 30], n_grids=2, tolerance="0.1")
    new = go.rebalance(today, ["G1", "G1", "G1", "G2"])
    assert [str(move) for move in new.moves] == [
        "S-3 from G1 to G2: relieves G1 by 40.0 %, border moves from Jianguo Road to Heping Road"
    ]
    assert new.moves[0].load == (20,)
    wide = go.build_problem(graph, workload=[30, 20, 20, 30], n_grids=2, tolerance="0.5")
    assert go.rebalance(wide, ["G1", "G1", "G1", "G2"]).moves == ()
