"""Construction kernels: whole parts, all of them, from trees and by growing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from numba import njit

from gridopt._kernels.graph import Csr, label_pieces
from gridopt._kernels.grow import grow
from gridopt._kernels.tree import Splitting, grow_tree, split
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.construct.mending import Mending
from gridopt.solvers.decompose.regions import decompose
from gridopt.workflow import datasets
from tests import naive


@pytest.mark.parametrize("seed", range(40))
def test_bisection_gives_k_whole_parts_for_every_k(seed):
    piece = naive.random_piece(seed, k=1)
    for k in {1, 2, piece.n_nodes // 2 or 1, piece.n_nodes - 1 or 1, piece.n_nodes}:
        sized = naive.random_piece(seed, n=piece.n_nodes, k=k)
        assert naive.is_contiguous(sized, Bisection()(sized, seed))


@pytest.mark.parametrize("seed", range(40))
def test_bisection_keeps_fixed_nodes_in_their_parts(seed):
    piece = naive.random_piece(seed, n=30, k=5, fixed=True)
    twice = np.array(piece.fixed)
    twice[np.flatnonzero(twice < 0)[:1]] = 0
    for fixed in (piece.fixed, twice):
        held = replace(piece, fixed=fixed)
        labels = Bisection()(held, seed)
        if labels is None:
            assert fixed is twice  # two nodes of one part may be kept apart by those of others
            continue
        assert naive.is_contiguous(held, labels)
        assert (labels[fixed >= 0] == fixed[fixed >= 0]).all()


def test_bisection_of_a_large_lattice_is_nearly_balanced():
    side, k = 60, 90
    piece = lattice(side, k)
    loads = np.bincount(Bisection()(piece, 1), minlength=k)
    assert loads.min() > 0.6 * side * side / k
    assert loads.max() < 1.5 * side * side / k


@pytest.mark.parametrize("targets", ["even", "uneven", "extreme"])
def test_large_pieces_fall_into_whole_parts_near_their_targets(targets):
    side, k = 80, 300
    piece = lattice(side, k)
    target = np.ones(k)
    if targets == "uneven":
        target = np.random.default_rng(3).uniform(0.5, 2.0, k)
    elif targets == "extreme":  # one part as heavy as all others: too much for any set that grows from a seed
        target[0] = k - 1
    target = np.maximum(1, np.rint(target * side * side / target.sum())).astype(np.int64)[:, None]
    piece = replace(piece, target=target, lo=target - target // 5, hi=target + target // 5)
    labels = Bisection()(piece, 5)
    assert naive.is_contiguous(piece, labels)
    miss = np.abs(np.bincount(labels, minlength=k) - target[:, 0]) / target[:, 0]
    assert miss.mean() < 0.1
    if targets == "extreme":
        assert miss[0] < 0.1


def test_large_pieces_hold_fixed_nodes_and_even_out_the_sum_of_attributes():
    side, k = 70, 200
    rng = np.random.default_rng(8)
    fixed = np.full(side * side, -1, dtype=np.int32)
    fixed[rng.choice(side * side, k, replace=False)] = rng.permutation(k)
    workload = rng.integers(0, 9, (side * side, 2))
    target = np.maximum(1, np.tile(workload.sum(axis=0) // k, (k, 1)))
    piece = replace(lattice(side, k), workload=workload, target=target, lo=target, hi=target)
    free = Bisection()(piece, 2)
    loads = sum(np.bincount(free, weights=column, minlength=k) / column.sum() for column in workload.T)
    assert np.abs(loads * k / 2 - 1).mean() < 0.1
    held = replace(piece, fixed=fixed)
    labels = Bisection()(held, 2)
    assert naive.is_contiguous(held, labels)
    assert (labels[fixed >= 0] == fixed[fixed >= 0]).all()


def test_workers_do_not_change_the_plan_and_seeds_do():
    piece = lattice(60, 250)
    build = Bisection(nodes_per_call=300)
    alone = build(piece, 4)
    with ThreadPoolExecutor(3) as pool:
        for _ in range(3):
            assert build(piece, 4, pool).tolist() == alone.tolist()
    assert Bisection(nodes_per_call=10**6)(piece, 4).tolist() == alone.tolist()
    assert Bisection(visits_per_call=1)(piece, 4).tolist() == alone.tolist()
    assert build(piece, 5).tolist() != alone.tolist()


def test_a_tree_whose_cuts_fit_whole_parts_is_cut_there():
    # a caterpillar: a spine of 16 nodes, each with 9 leaves; 8 parts of 20 nodes are two stars each, and nothing else
    pairs = [(s, s + 1) for s in range(15)] + [(s, 16 + 9 * s + i) for s in range(16) for i in range(9)]
    near = [sorted([v for u, v in pairs if u == x] + [u for u, v in pairs if v == x]) for x in range(160)]
    piece = replace(
        lattice(4, 8),
        indptr=np.cumsum([0] + [len(row) for row in near]).astype(np.int64),
        indices=np.array([v for row in near for v in row], dtype=np.int32),
        weights=np.ones(2 * len(pairs), dtype=np.int64),
        workload=np.ones((160, 1), dtype=np.int64),
        target=np.full((8, 1), 20, dtype=np.int64),
        fixed=np.full(160, -1, dtype=np.int32),
    )
    for seed in range(20):
        assert np.bincount(Bisection()(piece, seed), minlength=8).tolist() == [20] * 8


def test_a_graph_like_a_tree_starts_near_its_limits(real_data):
    real_data("graphs/walshaw/add32.graph.gz")
    problem = datasets.load("walshaw-add32-16").to_problem()
    regions = decompose(problem)
    piece = regions.piece(int(regions.searched[0]))
    labels = [Bisection()(piece, seed) for seed in range(5)]
    missed = [naive.violation(piece, plan.tolist()) / 1e6 for plan in labels]
    assert naive.is_contiguous(piece, labels[0])
    assert sum(missed) / len(missed) < 0.8  # 1.9 when cuts are chosen by one tree's balance alone


@njit
def call_grow_tree(csr, mass, core, work, begin, end, root, deep, bits):
    grow_tree(csr, mass, core, work, begin, end, root, deep, bits)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("seed", range(15))
def test_trees_span_their_set_and_know_what_each_edge_cuts(seed, deep):
    piece = naive.random_piece(seed, n=40, k=4)
    csr = Csr(piece.indptr, piece.indices, piece.weights)
    order, mass = np.argsort(naive_distance(piece), kind="stable").astype(np.int32), piece.workload[:, 0].astype(float)
    begin, end = 0, 25  # nodes nearest to node 0: a connected set, whose edges to the other nodes count for nothing
    core = np.where(np.arange(40) % 7 == 3, 0, -1).astype(np.int32)
    work = room(order)
    members = set(order[begin:end].tolist())
    root = int(order[begin + seed])
    call_grow_tree(csr, mass, core, work, begin, end, np.int32(root), deep, np.uint64(seed))
    assert work.order[begin] == root
    assert set(work.order[begin:end].tolist()) == members
    below = {i: {i} for i in range(begin, end)}
    for i in range(end - 1, begin, -1):
        assert begin <= work.above[i] < i
        below[int(work.above[i])] |= below[i]
        assert work.order[work.above[i]] in csr.indices[csr.indptr[work.order[i]] : csr.indptr[work.order[i] + 1]]
    assert len(below[begin]) == end - begin
    for i in range(begin, end):
        inside = {int(work.order[j]) for j in below[i]}
        leaving = sum(
            int(csr.weights[e])
            for u in inside
            for e in range(csr.indptr[u], csr.indptr[u + 1])
            if csr.indices[e] in members - inside
        )
        assert work.cut[i] == leaving
        assert work.size[i] == len(inside)
        assert work.load[i] == sum(mass[u] for u in inside)
        assert work.bound[i] == sum(core[u] >= 0 for u in inside)


def naive_distance(piece):
    far, line = [99] * piece.n_nodes, [0]
    far[0] = 0
    for u in line:
        for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist():
            if far[v] == 99:
                far[v] = far[u] + 1
                line.append(v)
    return far


def room(order):
    n = len(order)
    mark = np.empty(n, np.int32)
    mark[order] = 2 * np.arange(n)
    thin = [np.empty(n, np.int32) for _ in range(4)]
    return Splitting(
        order.copy(),
        mark,
        *thin,
        np.empty(n, np.int64),
        np.empty(n),
        thin[0].copy(),
        thin[0].copy(),
        np.empty(n, np.int64),
    )


@pytest.mark.parametrize("seed", range(20))
def test_two_parts_of_a_tree_are_the_best_cut_by_brute_force(seed):
    rng = np.random.default_rng(seed)
    n = 24
    up = [0] + [int(rng.integers(max(0, v - 4), v)) for v in range(1, n)]
    near = [sorted([up[x]] * (x > 0) + [v for v in range(1, n) if up[v] == x]) for x in range(n)]
    csr = Csr(
        np.cumsum([0] + [len(row) for row in near]).astype(np.int64),
        np.array([v for row in near for v in row], np.int32),
        np.ones(2 * (n - 1), np.int64),
    )
    mass = rng.integers(1, 30, n).astype(float)
    below = [{v} for v in range(n)]
    for v in range(n - 1, 0, -1):
        below[up[v]] |= below[v]
    best = min(abs(2 * sum(mass[u] for u in below[v]) - mass.sum()) for v in range(1, n))
    labels, stack = np.zeros(n, np.int32), np.array([[0, n, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0]], np.int64)
    share = mass.sum() / 2 * np.arange(3.0)
    core = np.full(n, -1, np.int32)
    depth, _ = split(
        csr, mass, share, core, labels, room(np.arange(n, dtype=np.int32)), stack, 1, np.empty((2, 4), np.int64), 1,
        np.uint64(seed), 1, 10**6,
    )  # fmt: skip
    assert depth == 0
    assert abs(mass[labels == 0].sum() - mass[labels == 1].sum()) == best


def lattice(side, k):
    at = np.arange(side * side).reshape(side, side)
    pairs = np.concatenate(
        [np.column_stack([at[:, :-1].ravel(), at[:, 1:].ravel()]), np.column_stack([at[:-1].ravel(), at[1:].ravel()])]
    )
    rows, cols = np.append(pairs[:, 0], pairs[:, 1]), np.append(pairs[:, 1], pairs[:, 0])
    order = np.lexsort((cols, rows))
    n = side * side
    small = naive.random_piece(0, n=k, k=k)
    return replace(
        small,
        indptr=np.append(0, np.cumsum(np.bincount(rows, minlength=n))).astype(np.int64),
        indices=cols[order].astype(np.int32),
        weights=np.ones(len(rows), dtype=np.int64),
        workload=np.ones((n, 1), dtype=np.int64),
        target=np.full((k, 1), n // k, dtype=np.int64),
        fixed=np.full(n, -1, dtype=np.int32),
    )


def test_zero_workload_everywhere_still_gives_every_part_a_node():
    piece = naive.random_piece(4, n=20, k=7)
    piece = replace(piece, workload=np.zeros_like(piece.workload))
    assert naive.is_contiguous(piece, Bisection()(piece, 0))


@pytest.mark.parametrize("seed", range(30))
def test_mending_leaves_whole_plans_alone_and_makes_others_whole(seed):
    piece = naive.random_piece(seed, n=30, k=5, fixed=seed % 2 == 0)
    good = Bisection()(piece, seed)
    assert good is not None
    assert Mending(good)(piece, 0).tolist() == good.tolist()
    rng = np.random.default_rng(seed)
    for bad in (rng.integers(-1, 5, 30), np.full(30, -1), np.zeros(30)):
        mended = Mending(bad.astype(np.int32))(piece, 0)
        assert naive.is_contiguous(piece, mended)
        assert (mended[piece.fixed >= 0] == piece.fixed[piece.fixed >= 0]).all()


def test_growing_gives_the_next_node_to_the_lightest_part():
    path = Csr(np.array([0, 1, 3, 5, 7, 8]), np.array([1, 0, 2, 1, 3, 2, 4, 3], np.int32), np.ones(8, np.int64))
    labels = np.array([0, -1, -1, -1, 1], np.int32)
    lines = np.empty((2, 8), np.int64)
    room = np.empty((3, 2), np.int64)
    free = grow(path, np.array([1.0, 5.0, 1.0, 1.0, 1.0]), np.ones(2), labels, *room, np.empty(2), *lines)
    assert free == 0
    assert labels.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_those_of_the_slow_twin(seed):
    piece = naive.random_piece(seed, k=2)
    labels = np.random.default_rng(seed).integers(0, 2, piece.n_nodes).astype(np.int32)
    comp, queue = np.empty_like(labels), np.empty_like(labels)
    count = label_pieces(Csr(piece.indptr, piece.indices, piece.weights), labels, comp, queue)
    found = naive.pieces_of(piece, labels)
    assert count == len(found)
    assert [np.flatnonzero(comp == c).tolist() for c in range(count)] == found


@pytest.mark.parametrize("seed", range(24))
def test_names_of_whole_parts_cost_as_little_as_any(seed):
    """Brute force over all namings of one division."""
    from itertools import permutations

    from gridopt.solvers.construct.naming import name_cheaply

    terms = {"home": seed % 3 != 0, "unit_cost": seed % 3 != 0, "imbalance_weight": seed % 2, "unequal": 1 + seed % 4}
    piece = naive.random_piece(seed, n=16, k=4, attributes=1 + seed % 2, **terms)
    labels = np.random.default_rng(seed).integers(0, 4, 16).astype(np.int32)
    held = seed % 3 - 1  # this part, if any, has a fixed node
    if held in labels:
        piece.fixed[np.flatnonzero(labels == held)[0]] = held

    def price(plan):
        return naive.violation(piece, plan), naive.cost(piece, plan)

    named = name_cheaply(piece, labels)
    namings = [np.array(names) for names in permutations(range(4)) if held < 0 or names[held] == held]
    assert price(named) == min(price(names[labels]) for names in namings)
    assert naive.cut(piece, named) == naive.cut(piece, labels)
    assert (named[piece.fixed >= 0] == piece.fixed[piece.fixed >= 0]).all()
