"""Low points, against the articulation points of networkx."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from gridopt._kernels.necks import low_points


def search(n, edges):
    graph = nx.Graph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from(edges)
    near = [sorted(graph[u]) for u in range(n)]
    indptr = np.concatenate([[0], np.cumsum([len(v) for v in near])]).astype(np.int64)
    indices = np.array([v for row in near for v in row], dtype=np.int32)
    enter, last, low, at = np.full(n, -1), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
    parent, order = np.zeros(n, np.int32), np.zeros(n, np.int32)
    low_points(indptr, indices, enter, last, low, parent, order, at)
    return graph, enter, last, low, parent, order


@pytest.mark.parametrize("seed", range(30))
def test_cut_vertices_are_those_of_networkx(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 25))
    edges = [tuple(e) for e in rng.integers(0, n, size=(int(rng.integers(0, 30)), 2)).tolist() if e[0] != e[1]]
    graph, enter, _, low, parent, _ = search(n, edges)
    children = np.bincount(parent[parent >= 0], minlength=n)
    cut = set()
    for v in range(n):
        p = int(parent[v])
        if p >= 0 and low[v] >= enter[p] and (parent[p] >= 0 or children[p] > 1):
            cut.add(p)
    assert cut == set(nx.articulation_points(graph))


@pytest.mark.parametrize("seed", range(10))
def test_what_lies_below_a_node_is_entered_right_after_it(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 25))
    _, enter, last, _, parent, order = search(n, [(u, int(rng.integers(0, u))) for u in range(1, n)])
    assert sorted(order.tolist()) == list(range(n))
    for u in range(n):
        below = {u}
        for v in order[enter[u] : last[u]].tolist()[1:]:
            assert int(parent[v]) in below
            below.add(v)
        assert not [v for v in range(n) if int(parent[v]) in below and v not in below]
