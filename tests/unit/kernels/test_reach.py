"""Connected sets around a node, against their plain twin and against all subsets."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest

from gridopt._kernels.reach import look_around
from tests import naive


def drawn(seed: int):
    """A random graph with loads, room, pairs apart, and what a set has to hold."""
    rng = np.random.default_rng(seed)
    n, width = int(rng.integers(2, 11)), int(rng.integers(1, 4))
    graph = nx.gnp_random_graph(n, 0.35, seed=seed)
    apart = [set() for _ in range(n)]
    for u, v in rng.integers(0, n, (int(rng.integers(0, 4)), 2)).tolist():
        if u != v:
            apart[u].add(v)
            apart[v].add(u)
    load = rng.integers(0, 9, (n, width))
    room = load.max(axis=0) + rng.integers(4, 16, (n, 1))
    return graph, apart, load, room.astype(np.int64) + np.zeros_like(load), rng.integers(5, 20, width)


def rows(sets) -> tuple[np.ndarray, np.ndarray]:
    first = np.concatenate([[0], np.cumsum([len(s) for s in sets])]).astype(np.int64)
    return first, np.array([v for s in sets for v in sorted(s)], dtype=np.int32)


def look(graph, apart, load, room, lo, root, most):
    n, width = load.shape
    inside, mark = np.empty(most, np.int64), np.zeros(n, np.int8)
    near = np.empty((2, width), np.int64)
    looked, size = look_around(
        *rows([list(graph[u]) for u in range(n)]), *rows(apart), load, room, lo, root, inside,
        np.empty((most, width), np.int64), np.empty((most, width), np.int64), np.empty((most, 3), np.int64), mark,
        np.empty(n, np.int64), near,
    )  # fmt: skip
    assert not mark.any(), "the marks are as they were"
    return looked, inside[:size].tolist(), *([] if row[0] < 0 else row.tolist() for row in near)


@pytest.mark.parametrize("seed", range(60))
def test_the_same_sets_in_the_same_order_as_in_plain_python(seed):
    graph, apart, load, room, lo = drawn(seed)
    for root in graph:
        for most in (1, 7, 400):
            near = [sorted(graph[u]) for u in graph]
            wanted = naive.look_around(near, apart, load.tolist(), room.tolist(), lo.tolist(), root, most)
            assert look(graph, apart, load, room, lo, root, most) == wanted


@pytest.mark.parametrize("seed", range(20))
def test_a_set_is_found_where_there_is_one(seed):
    graph, apart, load, room, lo = drawn(seed)
    for root in graph:
        looked, found, _, _ = look(graph, apart, load, room, lo, root, 5000)
        assert looked < 5000
        there = any(
            nx.is_connected(graph.subgraph(s))
            and (load[list(s)].sum(axis=0) >= lo).all()
            and (load[list(s)].sum(axis=0) <= room[list(s)].min(axis=0)).all()
            and not any(v in apart[u] for u in s for v in s)
            for size in range(1, len(graph) + 1)
            for s in combinations(graph, size)
            if root in s
        )
        assert bool(found) == there
