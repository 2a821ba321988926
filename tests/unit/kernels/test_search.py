"""Annealing: parts stay whole, locks hold, prices add up, groups do not touch each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gridopt._kernels.borders import fill_borders
from gridopt._kernels.graph import group_parts
from gridopt._kernels.search import Pace
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.table import Table
from tests import naive


def table_of(piece, n_groups=1, seed=0):
    table = Table(piece, Bisection()(piece, seed), n_groups)
    group_parts(table.csr, table.board.labels, table.board.sizes, n_groups, 0, *table.groups)
    return table


def run(table, group, seed, steps=400, heat=30.0, strain=1e-3, longest=3, journal=None, dear=1e12):
    table.anneal(group, np.uint64(seed), steps, Pace(heat, heat, longest, 24, 1.0, strain, 5e-6, dear), journal)
    table.new_marks(steps)


@pytest.mark.parametrize("seed", range(40))
def test_parts_stay_contiguous_and_the_change_in_cost_is_exact(seed):
    piece = naive.random_piece(seed, attributes=1 + seed % 2, fixed=True, **naive.EVERY_TERM)
    labels = Bisection()(piece, seed)
    if labels is None:
        pytest.skip("fixed nodes that cannot be joined")
    table = Table(piece, labels)
    group_parts(table.csr, table.board.labels, table.board.sizes, 1, 0, *table.groups)
    for r in range(5):
        before = naive.cost(piece, table.board.labels)
        run(table, 0, seed + r, heat=100.0)
        assert naive.is_contiguous(piece, table.board.labels)
        assert table.out[0, 0] == naive.cost(piece, table.board.labels) - before
        assert table.board.loads.tolist() == naive.loads(piece, table.board.labels)
        held = piece.fixed >= 0
        assert (table.board.labels[held] == piece.fixed[held]).all()


@pytest.mark.parametrize("seed", range(10))
def test_hard_limits_are_never_left_once_they_are_met(seed):
    piece = naive.random_piece(seed, n=36, k=3)
    table = table_of(piece)
    run(table, 0, seed, steps=20_000, heat=10.0, strain=1.0)
    if naive.violation(piece, table.board.labels):
        pytest.skip("no start within limits")
    made = 0
    for r in range(20):
        run(table, 0, 100 + r, heat=50.0, strain=1e6)
        made += table.out[0, 1]
        assert naive.violation(piece, table.board.labels) == 0
    assert made > 0


@pytest.mark.parametrize("longest", [1, 2, 4])
@pytest.mark.parametrize("seed", range(12))
def test_candidates_and_gains_stay_what_they_are_from_scratch(seed, longest):
    piece = naive.random_piece(seed, n=40, k=6, fixed=True, **naive.EVERY_TERM)
    labels = Bisection()(piece, seed)
    if labels is None:
        pytest.skip("fixed nodes that cannot be joined")
    table = Table(piece, labels, 2)
    group_parts(table.csr, table.board.labels, table.board.sizes, 2, 0, *table.groups)
    groups, borders, board = table.groups, table.borders, table.board
    for g in (0, 1):
        run(table, g, 5 + g, heat=60.0, longest=longest)
    for g in (0, 1):
        group_of = groups.group_of[board.labels]
        expected = {
            e: _gain(piece, board.labels, int(borders.source[e]), int(board.labels[piece.indices[e]]))
            for e in np.flatnonzero(group_of[borders.source] == g).tolist()
            if piece.fixed[borders.source[e]] < 0
            and group_of[piece.indices[e]] == g
            and board.labels[piece.indices[e]] != board.labels[borders.source[e]]
        }
        base = groups.edge_first[g]
        kept = {e: int(borders.gain[e]) for e in range(len(piece.indices)) if _is_listed(borders, base, e, group_of, g)}
        assert kept == expected
        count = fill_borders(table.csr, table.terms, table.fixed, board.labels, groups, borders, g)
        assert {e: int(borders.gain[e]) for e in borders.listed[base : base + count].tolist()} == expected


def _is_listed(borders, base, e, group_of, g):
    return group_of[borders.source[e]] == g and borders.place[e] >= 0 and borders.listed[base + borders.place[e]] == e


def _gain(piece, labels, u, part):
    """Cost before less cost after, without what parts cost as wholes."""
    plain = dataclasses.replace(piece, imbalance_weight=0, inertia_weight=0)
    moved = labels.copy()
    moved[u] = part
    return naive.cost(plain, labels) - naive.cost(plain, moved)


@pytest.mark.parametrize("seed", range(20))
def test_with_a_journal_the_best_state_is_left(seed):
    piece = naive.random_piece(seed, n=40, k=5, apart=True, imbalance_weight=1)
    best = None
    for steps in range(0, 300, 7):  # the same moves, seen at many moments
        table = table_of(piece, seed=seed)
        run(table, 0, seed, steps=steps, heat=80.0)
        now = naive.violation(piece, table.board.labels), naive.cost(piece, table.board.labels)
        best = now if best is None else min(best, now)
    table = table_of(piece, seed=seed)
    start = naive.cost(piece, table.board.labels)
    run(table, 0, seed, steps=300, heat=80.0, journal=np.empty((1000, 2), np.int32))
    found = naive.violation(piece, table.board.labels), naive.cost(piece, table.board.labels)
    assert found <= best
    assert table.out[0, 0] == found[1] - start
    assert table.board.loads.tolist() == naive.loads(piece, table.board.labels)
    assert naive.is_contiguous(piece, table.board.labels)


@pytest.mark.parametrize("seed", range(5))
def test_order_of_groups_does_not_matter(seed):
    piece = naive.random_piece(seed, n=120, k=16)
    outcomes = []
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        table = table_of(piece, 3)
        for g in order:
            run(table, g, 17 * g + seed, steps=2000)
            table.stamp = 0  # marks of another group may look like one's own
        outcomes.append(table.board.labels.tolist())
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0] != table_of(piece, 3).board.labels.tolist()


def test_groups_cover_all_parts_once_and_are_of_similar_size():
    piece = naive.random_piece(1, n=300, k=30)
    table = table_of(piece, 4)
    groups = table.groups
    assert sorted(groups.order.tolist()) == list(range(30))
    assert groups.group_first.tolist() == [0, *np.cumsum([_nodes(table, g) for g in range(4)]).tolist()]
    assert min(_nodes(table, g) for g in range(4)) > 30


def _nodes(table, group):
    return int((table.groups.group_of[table.board.labels] == group).sum())


@pytest.mark.parametrize("dear", [0.0, 1e-4, 1e-2, 1e12])
@pytest.mark.parametrize("seed", range(6))
def test_the_best_state_is_that_of_least_cost_and_violation_at_its_price(seed, dear):
    piece = naive.random_piece(seed, n=40, k=5, apart=True, imbalance_weight=1)

    def price(table):
        labels = table.board.labels
        return dear * naive.violation(piece, labels) + naive.cost(piece, labels)

    passed = []
    for steps in range(0, 300, 7):
        table = table_of(piece, seed=seed)
        run(table, 0, seed, steps=steps, heat=80.0)
        passed.append(price(table))
    table = table_of(piece, seed=seed)
    run(table, 0, seed, steps=300, heat=80.0, journal=np.empty((1000, 2), np.int32), dear=dear)
    assert price(table) <= min(passed) * (1 + 1e-12)
    assert len(set(passed)) > 1
