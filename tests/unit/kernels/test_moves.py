"""Moves: prices, gains and the connectivity test agree with their slow twins."""

from __future__ import annotations

import numpy as np
import pytest

from gridopt._kernels.graph import Csr, label_pieces
from gridopt._kernels.moves import apart_gain, local_gain, part_price, shift, stays_connected
from gridopt.solvers.table import Table
from tests import naive


def random_labels(piece, seed):
    return np.random.default_rng(seed).integers(0, piece.n_parts, piece.n_nodes).astype(np.int32)


@pytest.mark.parametrize("seed", range(30))
def test_price_from_scratch_is_that_of_the_slow_twin(seed):
    piece = naive.random_piece(seed, attributes=1 + seed % 3, **naive.EVERY_TERM)
    labels = random_labels(piece, seed)
    assert Table(piece, labels).price() == (naive.violation(piece, labels), naive.cost(piece, labels))


@pytest.mark.parametrize("seed", range(30))
def test_gain_is_cost_before_minus_cost_after(seed):
    piece = naive.random_piece(seed, k=3, n=12, attributes=1 + seed % 2, **naive.EVERY_TERM)
    labels = random_labels(piece, seed)
    table = Table(piece, labels)
    board, terms = table.board, table.terms
    for u in range(piece.n_nodes):
        a = int(board.labels[u])
        b = (a + 1) % 3
        before, before_apart = naive.cost(piece, board.labels), naive.violation(piece, board.labels)
        gain = local_gain(*table.csr, terms.unit_cost, terms.home, terms.away_cost, board.labels, u, a, b)
        mended = apart_gain(terms.apart_indptr, terms.apart_indices, board.labels, u, a, b)
        known = table.limits.target, terms.prices, board.loads, board.moments, table.limits.workload, terms.inertia
        whole = [part_price(*known, p, 0, 0) for p in (a, b)]
        foreseen = [part_price(*known, a, u, -1), part_price(*known, b, u, 1)]
        loads_before = naive.loads(piece, board.labels)
        shift(table.limits.workload, terms.prices, terms.inertia, *board, u, a, b)
        after = [part_price(*known, p, 0, 0) for p in (a, b)]
        assert after == foreseen
        assert gain + sum(whole) - sum(after) == before - naive.cost(piece, board.labels)
        assert board.loads.tolist() == naive.loads(piece, board.labels)
        assert board.sizes.tolist() == np.bincount(board.labels, minlength=3).tolist()
        within = _limits_violation(piece, loads_before) - _limits_violation(piece, board.loads.tolist())
        assert naive.MILLION * mended + within == before_apart - naive.violation(piece, board.labels)


def _limits_violation(piece, loads):
    total = 0
    for p, row in enumerate(loads):
        for a, load in enumerate(row):
            excess = max(0, load - int(piece.hi[p, a]), int(piece.lo[p, a]) - load)
            total += excess * naive.MILLION // int(piece.target[p, a])
    return total


@pytest.mark.parametrize("seed", range(40))
def test_connected_without_a_node_is_what_removing_it_shows(seed):
    piece = naive.random_piece(seed, k=2)
    n = piece.n_nodes
    labels = random_labels(piece, seed)
    comp, queue = np.empty(n, np.int32), np.empty(n, np.int32)
    label_pieces(Csr(piece.indptr, piece.indices, piece.weights), labels, comp, queue)
    seen, owner, room = np.zeros(n, np.int64), np.empty(n, np.int32), np.empty((2, n), np.int32)
    for u in range(n):
        without = comp.copy()
        without[u] = -1  # the piece u lies in, and whether it holds together without it
        others = [v for v in range(n) if v != u and comp[v] == comp[u]]
        left = {v for v in others if v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]]}
        reached, todo = set(), list(left)[:1]
        while todo:
            v = todo.pop()
            reached.add(v)
            todo += [
                x
                for x in piece.indices[piece.indptr[v] : piece.indptr[v + 1]]
                if without[x] == comp[u] and x not in reached
            ]
        found = stays_connected(
            piece.indptr, piece.indices, labels, u, labels[u], seen, owner, queue, 0, room[0], room[1], u + 1, n
        )
        assert found == (left <= reached)


def test_search_that_may_not_look_far_says_no():
    n = 12
    ring = naive.random_piece(0, n=2, k=1)
    indptr = np.arange(0, 2 * n + 1, 2, dtype=np.int64)
    indices = np.array([[(i - 1) % n, (i + 1) % n] for i in range(n)], dtype=np.int32).ravel()
    labels = np.zeros(n, dtype=np.int32)
    room = np.empty((2, 3), np.int32)

    def asked(limit, stamp):
        scratch = np.zeros(n, np.int64), np.empty(n, np.int32), np.empty(n, np.int32)
        return stays_connected(indptr, indices, labels, 0, 0, *scratch, 0, room[0], room[1], stamp, limit)

    assert ring.n_nodes == 2
    assert asked(n, 1)
    assert not asked(3, 2)
