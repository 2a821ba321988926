"""Annealing: parts stay whole, locks hold, prices add up, groups do not touch each other."""

from __future__ import annotations

import numpy as np
import pytest

from gridopt._kernels.graph import group_parts
from gridopt._kernels.search import anneal, fill_border
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.table import Table, quantiles
from tests import naive


def table_of(piece, n_groups=1, seed=0):
    table = Table(piece, Bisection()(piece, seed), n_groups)
    group_parts(table.csr, table.board.labels, table.board.sizes, n_groups, 0, *table.groups)
    return table


def run(table, group, seed, steps=400, heat=30.0, strain=1e-3):
    table.rate[:] = strain * 1e6 / table.limits.target
    state = np.uint64(seed)
    anneal(
        table.csr, table.limits, table.terms, table.fixed, table.board, table.groups, table.scratch, quantiles(), group,
        state, table.stamp, steps, heat, heat, table.rate, strain * 1e6, table.out,
    )  # fmt: skip
    table.stamp += 2 * steps


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


def test_border_list_holds_exactly_the_nodes_that_may_move():
    piece = naive.random_piece(3, n=40, k=6, fixed=True)
    table = table_of(piece, 2)
    labels, group_of = table.board.labels, table.groups.group_of
    for g in (0, 1):
        run(table, g, 5 + g)
    for g in (0, 1):
        count = fill_border(table.csr, labels, table.fixed, table.groups, table.scratch, g)
        base = table.groups.group_first[g]
        expected = {
            u
            for u in range(piece.n_nodes)
            if piece.fixed[u] < 0
            and group_of[labels[u]] == g
            and any(
                labels[v] != labels[u] and group_of[labels[v]] == g
                for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]]
            )
        }
        assert set(table.scratch.border[base : base + count].tolist()) == expected


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
