"""Pairs and triples of parts divided anew, against enumeration of all contiguous plans."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import networkx as nx
import numpy as np
import pytest

from gridopt._kernels.layout import MOST_LUMPS, find_cores, number_lumps
from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.redivision import Redivision
from gridopt.solvers.table import Table
from tests import brute, naive

CASES = {
    "plain": {},
    "fixed": {"fixed": True},
    "apart": {"apart": True},
    "unit_cost": {"unit_cost": True},
    "home": {"home": True},
    "imbalance": {"imbalance_weight": 1},
    "attributes": {"attributes": 3},
    "targets": {"unequal": 3.0},
    "all": {"fixed": True, "attributes": 2, "unequal": 2.0, **naive.EVERY_TERM, "inertia_weight": 0},
}


def redivided(piece, search, seed=0, pool=None, steps=None):
    """Redivide a bisection that knows neither loads nor weights; return (violation, cost) before, and the best plan."""
    even = {"workload": np.ones_like(piece.workload), "weights": np.ones_like(piece.weights)}
    labels = Bisection()(dataclasses.replace(piece, **even), seed)
    if labels is None:
        return None, None
    table = Table(piece, labels)
    best = Best(labels.copy(), *table.price())
    start = best.violation, best.cost
    search(table, Budget(steps=steps).start(), seed, best, pool=pool)
    return start, best


def narrowed(piece, share):
    width = np.maximum(1, piece.target * share).astype(np.int64)
    return dataclasses.replace(piece, lo=np.maximum(0, piece.target - width), hi=piece.target + width)


@pytest.mark.parametrize("share", [0.3, 0.02])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("k", [2, 3])
def test_a_set_is_divided_as_enumeration_would(k, case, share):
    """All of a piece being one set, nothing is better; what limits are missed by is least, but for rounding."""
    whole = Redivision(sizes=(k,), states=(10**7,), allowances=(1e9,))
    improved = 0
    for seed in range(10 - 2 * k):
        piece = narrowed(naive.random_piece(500 + seed, n=10, k=k, **CASES[case]), share)
        start, best = redivided(piece, whole, seed)
        if best is None:
            continue
        table = Table(piece, best.labels)
        rows, cols = best.labels[table.borders.source], best.labels[table.csr.indices]
        if k == 3 and len(set(zip(rows[rows < cols].tolist(), cols[rows < cols].tolist()))) < 3:
            continue  # a path of parts is no triple
        oracle = brute.solve_piece(piece)
        assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
        assert naive.is_contiguous(piece, best.labels)
        if oracle.feasible:
            assert (best.violation, best.cost) == (0, oracle.cost)
        else:
            assert 0 <= best.violation - oracle.least < k * piece.workload.shape[1]
            assert best.violation > oracle.least or best.cost >= oracle.least_cost
        improved += (best.violation, best.cost) < start
    assert improved


def test_no_pair_left_behind_could_be_divided_better():
    for seed in range(3):
        piece = naive.random_piece(700 + seed, n=20, k=5)
        _, best = redivided(piece, Redivision(states=(10**6, 10**6), allowances=(1e9,)), seed)
        for a in range(5):
            for b in range(a):
                nodes = np.flatnonzero((best.labels == a) | (best.labels == b))
                pair = _cut_out(piece, nodes, [b, a])
                if nx.is_connected(_graph(pair)):
                    inside = np.where(best.labels[nodes] == a, 1, 0)
                    oracle = brute.solve_piece(pair)
                    mine = brute.piece_violation(pair, inside), brute.piece_cost(pair, inside)
                    assert mine == ((0, oracle.cost) if oracle.feasible else (oracle.least, oracle.least_cost))


def test_neither_workers_nor_runs_change_the_outcome():
    piece = narrowed(naive.random_piece(3, n=400, k=30, attributes=2), 0.1)
    search = Redivision(states=(300, 100))
    _, alone = redivided(piece, search, 1)
    _, again = redivided(piece, search, 1)
    with ThreadPoolExecutor(2) as pool:
        _, beside = redivided(piece, search, 1, pool)
    for other in (again, beside):
        assert (other.labels == alone.labels).all()
        assert [(r[0], r[2], r[3]) for r in other.trace] == [(r[0], r[2], r[3]) for r in alone.trace]
    assert len(alone.trace) > 1


@pytest.mark.parametrize("terms", [{}, {"fixed": True, "attributes": 2, **naive.EVERY_TERM, "inertia_weight": 0}])
def test_large_sets_are_divided_near_their_borders(terms):
    """Parts of a hundred nodes: plans stay sound, cost what is claimed, and most get cheaper."""
    improved = 0
    for seed in range(4):
        piece = narrowed(naive.random_piece(40 + seed, n=400, k=4, **terms), 0.1)
        start, best = redivided(piece, Redivision(states=(2000, 500), few_nodes=400), seed)
        if best is None:
            continue
        assert naive.is_contiguous(piece, best.labels)
        held = piece.fixed >= 0
        assert (best.labels[held] == piece.fixed[held]).all()
        assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
        improved += (best.violation, best.cost) < start
    assert improved >= 2


@pytest.mark.parametrize("seed", range(6))
def test_lumps_are_single_nodes_and_one_core_of_each_part(seed):
    piece = naive.random_piece(seed, n=150, k=3)
    labels = Bisection()(piece, seed)
    table = Table(piece, labels)
    nodes = np.arange(150, dtype=np.int32)
    depth, core, lump = (np.full(150, -1, dtype=np.int32) for _ in range(3))
    find_cores(table.csr, table.board.labels, table.board.sizes, np.arange(3), 3, nodes, depth, core)
    count = number_lumps(table.csr, table.board.labels, np.arange(3), 3, nodes, core, lump)
    assert 3 < count <= MOST_LUMPS
    assert sorted(nodes.tolist()) == list(range(150))
    assert (np.diff(lump[nodes]) >= 0).all()
    assert set(lump.tolist()) == set(range(count))
    graph = _graph(piece)
    for number in range(count):
        inside = np.flatnonzero(lump == number)
        assert len(set(labels[inside].tolist())) == 1
        assert nx.is_connected(graph.subgraph(inside.tolist()))
        assert len(inside) == 1 or (core[inside] == labels[inside]).all()
    assert len({int(c) for c in core if c >= 0}) == 3


def test_a_budget_of_steps_ends_the_search_early():
    piece = naive.random_piece(5, n=300, k=25)
    _, best = redivided(piece, Redivision(), 0)
    _, cut_short = redivided(piece, Redivision(), 0, steps=50)
    assert (best.violation, best.cost) < (cut_short.violation, cut_short.cost)


def _graph(piece):
    graph = nx.Graph()
    graph.add_nodes_from(range(piece.n_nodes))
    rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
    graph.add_edges_from(zip(rows.tolist(), piece.indices.tolist()))
    return graph


def _cut_out(piece, nodes, parts):
    """The piece that some nodes are, of plain terms, with the limits of some parts."""
    graph = _graph(piece).subgraph(nodes.tolist())
    place = {int(u): i for i, u in enumerate(nodes)}
    weight = {}
    for u in nodes.tolist():
        for e in range(int(piece.indptr[u]), int(piece.indptr[u + 1])):
            weight[u, int(piece.indices[e])] = int(piece.weights[e])
    near = [sorted(graph[u]) for u in nodes.tolist()]
    n = len(nodes)
    return dataclasses.replace(
        piece,
        indptr=np.cumsum([0] + [len(row) for row in near]),
        indices=np.array([place[v] for row in near for v in row], dtype=np.int32),
        weights=np.array([weight[u, v] for u, row in zip(nodes.tolist(), near) for v in row]),
        workload=piece.workload[nodes],
        lo=piece.lo[parts],
        hi=piece.hi[parts],
        target=piece.target[parts],
        fixed=np.full(n, -1, dtype=np.int32),
        apart_indptr=np.zeros(n + 1, dtype=np.int64),
        apart_indices=np.empty(0, dtype=np.int32),
        home=np.full(n, -1, dtype=np.int32),
        away_cost=np.zeros(n, dtype=np.int64),
        xy=piece.xy[nodes],
    )


def test_what_it_leaves_of_a_budget():
    """Nothing is kept where it would not get far, nor where inertia has a price; no more than the work takes."""
    piece = naive.random_piece(5, n=300, k=25)
    search = Redivision(sizes=(2,), states=(1000,), share=0.1, steps_per_node=100)
    assert [search.leave(Budget(steps=steps), piece).steps for steps in (70_000, 200_000, 10**6)] == [
        70_000,
        180_000,
        970_000,
    ]
    assert search.leave(Budget(seconds=10.0, stall=7), piece) == Budget(seconds=10.0 - 0.012, stall=7)
    priced = naive.random_piece(5, n=300, k=25, inertia_weight=1)
    assert search.leave(Budget(steps=10**6), priced).steps == 10**6


@pytest.mark.parametrize("seed", [7, 33, 44])
def test_what_is_told_of_large_sets_with_many_pairs_to_keep_apart_is_true(seed):
    rng = np.random.default_rng(seed)
    n, k = 140, 2
    piece = naive.random_piece(seed, n=n, k=k)
    pairs = {tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(2 * n)}
    partners = [sorted([v for u, v in pairs if u == x] + [u for u, v in pairs if v == x]) for x in range(n)]
    piece = dataclasses.replace(
        piece,
        apart_indptr=np.cumsum([0] + [len(row) for row in partners]).astype(np.int64),
        apart_indices=np.array([v for row in partners for v in row], dtype=np.int32),
    )
    _, best = redivided(piece, Redivision(), seed)
    assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
