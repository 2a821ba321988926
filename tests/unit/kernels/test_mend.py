"""Mending: violation falls by the best move or pair of moves, parts stay whole, locks and prices hold."""

from __future__ import annotations

import numpy as np
import pytest

from gridopt._kernels.mend import mend_parts
from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.repair import Repair
from gridopt.solvers.table import Table
from tests import naive


def mend(table, parts, price):
    n, k = len(table.fixed), len(table.limits.lo)
    anchor = np.empty(k, dtype=np.int64)
    anchor[table.board.labels] = np.arange(n)
    found = mend_parts(
        table.csr, table.limits, table.terms, table.fixed, table.board, table.scratch, np.empty(n, np.int32), anchor,
        np.array(parts, dtype=np.int64), price, table.stamp,
    )  # fmt: skip
    table.stamp = found[2]
    assert (table.board.labels[anchor] == np.arange(k)).all()
    return found[0]


def value(piece, labels, price):
    return naive.cost(piece, labels) + price * naive.violation(piece, labels)


def single_moves(piece, labels, part):
    """Every sound plan one move of a node into or out of `part` away."""
    for u in np.flatnonzero(piece.fixed < 0).tolist():
        for b in {int(labels[v]) for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]]} - {int(labels[u])}:
            moved = labels.copy()
            moved[u] = b
            if part in (labels[u], b) and naive.is_contiguous(piece, moved):
                yield moved


@pytest.mark.parametrize("seed", range(30))
def test_mending_is_at_least_as_good_as_any_single_move_and_as_any_swap(seed):
    piece = naive.random_piece(seed, n=24, k=4, fixed=seed % 2 == 0, **(naive.EVERY_TERM if seed % 3 == 0 else {}))
    labels = Bisection()(piece, seed)
    if labels is None:
        pytest.skip("fixed nodes that cannot be joined")
    loads, price = np.array(naive.loads(piece, labels)), 0.01
    bad = np.flatnonzero(((loads > piece.hi) | (loads < piece.lo)).any(axis=1))
    if not len(bad):
        pytest.skip("within limits")
    part, before = int(bad[0]), naive.violation(piece, labels)
    table = Table(piece, labels)
    changed = mend(table, [part], price)
    after = table.board.labels
    assert naive.is_contiguous(piece, after)
    assert (after[piece.fixed >= 0] == piece.fixed[piece.fixed >= 0]).all()
    assert table.board.loads.tolist() == naive.loads(piece, after)
    assert (after != labels).sum() <= 2
    assert (naive.violation(piece, after) < before) == bool(changed)
    reached = [value(piece, labels, price)]
    for first in single_moves(piece, labels, part):
        for plan in (first, *single_moves(piece, first, part)):
            if naive.violation(piece, plan) < before:
                reached.append(value(piece, plan, price))
    assert value(piece, after, price) <= min(reached) + 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_repair_lowers_violation_and_never_breaks_a_part(seed):
    piece = naive.random_piece(seed, n=300, k=30)
    labels = Bisection()(piece, seed)
    table = Table(piece, labels)
    best = Best(labels.copy(), *table.price())
    before = best.violation
    Repair()(table, Budget().start(), best)
    assert before > 0
    assert best.violation < before
    assert naive.is_contiguous(piece, best.labels)
    assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
