"""Construction kernels: whole parts, all of them, from trees and by growing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gridopt._kernels.graph import Csr, label_pieces
from gridopt._kernels.grow import grow
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.construct.mending import Mending
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
