"""Excursions, and limits that lean: what they may not do, and what they are for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.refine.annealing import SMOOTHINGS, Annealing, Best, leaning
from gridopt.solvers.refine.excursions import Excursions
from gridopt.solvers.table import Table
from tests import naive


def laid_out(piece, seed, groups=4):
    table = Table(piece, Bisection()(piece, seed), groups)
    return table, Best(table.board.labels.copy(), *table.price())


def narrow(piece, share=50):
    width = np.maximum(1, piece.target // share)
    return dataclasses.replace(piece, lo=piece.target - width, hi=piece.target + width)


@pytest.mark.parametrize("seed", range(5))
def test_violation_then_cost_never_rises_from_one_look_at_the_clock_to_the_next(seed):
    piece = narrow(naive.random_piece(seed, n=120, k=12))
    table, best = laid_out(piece, seed)
    seen = [(best.violation, best.cost)]

    def watch():
        seen.append((naive.violation(piece, table.board.labels), naive.cost(piece, table.board.labels)))
        return False

    Excursions()(table, Budget(steps=300_000).start(), seed, best, watch)
    assert seen == sorted(seen, reverse=True)
    assert (best.violation, best.cost) == seen[-1] < seen[0]


def test_while_violation_has_a_price_it_may_rise_and_the_best_plan_is_kept():
    rose = 0
    for seed in range(6):
        piece = narrow(naive.random_piece(seed, n=120, k=12))
        table, best = laid_out(piece, seed)
        Excursions()(table, Budget(steps=60_000).start(), seed, best)
        before = best.violation, best.cost
        table.put(best.labels)
        Excursions(lenient=1.0, cheap=1e-9, dear=2e-9)(table, Budget(steps=60_000).start(), seed, best)
        now = table.price()
        assert (best.violation, best.cost) <= before
        assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
        rose += now[0] > before[0] and now[1] < before[1]
    assert rose > 0


def test_only_surroundings_of_broken_limits_change():
    piece = naive.random_piece(3, n=200, k=20)
    table, best = laid_out(piece, 3)
    start = table.board.labels.copy()
    own = np.array(naive.loads(piece, start))
    hi = 2 * own
    hi[7] = own[7] - 1
    piece = dataclasses.replace(piece, lo=np.zeros_like(own), hi=hi)
    table = Table(piece, start, 4)
    best = Best(start.copy(), *table.price())
    Excursions(only_broken=True, least_parts=2)(table, Budget(steps=20_000).start(), 1, best)
    assert best.violation == 0
    rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
    beside = set(start[piece.indices[start[rows] == 7]].tolist())
    assert set(start[best.labels != start].tolist()) <= beside | {7}


def test_a_plan_that_cannot_move_ends_after_as_many_steps_as_one_that_can():
    piece = naive.random_piece(1, n=60, k=6)
    labels = Bisection()(piece, 1)
    table = Table(dataclasses.replace(piece, fixed=labels), labels, 4)
    best, clock = Best(labels.copy(), *table.price()), Budget(steps=100_000).start()
    Excursions(least_parts=2)(table, clock, 1, best)
    assert 100_000 - 3 * 30 * 60 < clock.steps <= 100_000
    assert (best.labels == labels).all()


def test_they_pay_where_parts_are_many_and_small():
    search = Excursions()
    assert search.pays(naive.random_piece(1, n=200, k=20))
    assert not search.pays(naive.random_piece(1, n=200, k=15))
    assert not dataclasses.replace(search, most_nodes=9).pays(naive.random_piece(1, n=200, k=20))


@pytest.mark.parametrize("attributes", [1, 2])
def test_limits_lean_against_the_mean_of_the_parts_around(attributes):
    piece = naive.random_piece(5, n=80, k=10, attributes=attributes)
    table, _ = laid_out(piece, 5)
    labels, load = table.board.labels, np.array(naive.loads(piece, table.board.labels), dtype=float)
    near = [{j} for j in range(10)]
    for u in range(piece.n_nodes):
        for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist():
            near[labels[u]].add(int(labels[v]))
    off = load / piece.target - 1
    for _ in range(SMOOTHINGS):
        off = np.array([np.mean([off[q] for q in sorted(near[p])], axis=0) for p in range(10)])
    limits = leaning(table, 2.0)
    assert np.abs(limits.lo - piece.lo + 2 * off * piece.target).max() <= 0.5 + 1e-6
    assert ((limits.hi - limits.lo) == piece.hi - piece.lo).all()


def test_a_plan_that_is_balanced_does_not_lean():
    piece = naive.random_piece(2, n=60, k=6)
    labels = Bisection()(piece, 2)
    own = np.array(naive.loads(piece, labels))
    table = Table(dataclasses.replace(piece, target=own, lo=own - 1, hi=own + 1), labels)
    limits = leaning(table, 1.0)
    assert (limits.lo == own - 1).all()


def test_narrow_limits_lean_and_wide_ones_do_not():
    piece = naive.random_piece(2, n=60, k=6)
    assert Annealing().suited_to(narrow(piece, 1000)).lean > 0
    assert Annealing().suited_to(narrow(piece, 1)).lean == 0
