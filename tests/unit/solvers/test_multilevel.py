"""Multilevel: sound plans of the piece itself, within the budget, the same with and without a pool."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gridopt.solvers.budget import Budget
from gridopt.solvers.decompose.coarsen import Coarsening
from gridopt.solvers.pieces import Effort, solve_piece
from gridopt.solvers.refine import multilevel
from gridopt.solvers.refine.multilevel import Multilevel
from tests import naive

FINE = Multilevel(nodes_per_part=10)


def levels(monkeypatch):
    """Nodes of each piece that is annealed, in order."""
    seen: list[int] = []

    class Spy(multilevel.Table):
        def __init__(self, piece, *args):
            seen.append(piece.n_nodes)
            super().__init__(piece, *args)

    monkeypatch.setattr(multilevel, "Table", Spy)
    return seen


@pytest.mark.parametrize("seed", range(8))
def test_the_best_plan_is_a_plan_of_the_piece_at_the_price_it_claims(seed, monkeypatch):
    seen = levels(monkeypatch)
    piece = naive.random_piece(seed, n=150, k=4, attributes=1 + seed % 2, unequal=2.0, **naive.EVERY_TERM)
    piece = dataclasses.replace(piece, home=(np.arange(150) // 35 - 1).astype(np.int32))  # in stretches, as plans are
    best = FINE(piece, Budget(steps=20_000).start(), seed)
    assert naive.is_contiguous(piece, best.labels)
    assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
    assert len(seen) > 1
    assert seen == sorted(seen)  # from coarse to fine
    assert seen[-1] == 150


def test_steps_are_kept_and_the_finest_level_has_most_of_them(monkeypatch):
    seen = levels(monkeypatch)
    piece = naive.random_piece(2, n=300, k=6)
    for steps in (2_000, 40_000):
        clock = Budget(steps=steps).start()
        best = FINE(piece, clock, 1)
        assert 0.9 * steps <= clock.steps <= steps + 300 * len(seen)
        at = [row[0] for row in best.trace]
        assert at == sorted(at)
        assert not at or at[-1] <= clock.steps
        assert not at or at[0] > 0.2 * steps  # what the finest level finds comes after the coarse ones


@pytest.mark.parametrize(("fixed", "exists"), [({0: 0, 30: 1, 59: 0}, False), ({0: 0, 59: 1}, True)])
def test_no_plan_where_fixed_nodes_cannot_be_joined(fixed, exists):
    """A path with the ends in one part, and the middle in another."""
    n, ends = 60, np.arange(59)
    rows, cols = np.concatenate([ends, ends + 1]), np.concatenate([ends + 1, ends])
    bound = np.full(n, -1, np.int32)
    bound[list(fixed)] = list(fixed.values())
    piece = dataclasses.replace(
        naive.random_piece(0, n=n, k=2),
        indptr=np.concatenate([[0], np.cumsum(np.bincount(rows))]),
        indices=cols[np.lexsort((cols, rows))].astype(np.int32),
        weights=np.ones(len(rows), np.int64),
        fixed=bound,
    )
    best = FINE(piece, Budget(steps=1000).start(), 1)
    assert (best is not None) == exists


def test_clusters_that_stand_in_the_way_are_left(monkeypatch):
    """Where the coarse piece has no plan, a finer one is begun with."""
    piece = naive.random_piece(1, n=120, k=3)
    real, coarse = multilevel.Bisection.__call__, []

    def construct(self, given, seed):
        if given.n_nodes < 120:
            coarse.append(given.n_nodes)
            return None
        return real(self, given, seed)

    monkeypatch.setattr(multilevel.Bisection, "__call__", construct)
    best = FINE(piece, Budget(steps=5000).start(), 1)
    assert coarse
    assert naive.is_contiguous(piece, best.labels)


def test_small_parts_are_not_coarsened_and_neither_is_what_does_not_shrink(monkeypatch):
    assert not Multilevel().pays(naive.random_piece(1, n=100, k=2))
    assert Multilevel().pays(naive.random_piece(1, n=101, k=2))
    seen = levels(monkeypatch)
    alone = Multilevel(coarsening=Coarsening(most_nodes=1), nodes_per_part=5)
    assert alone(naive.random_piece(1, n=100, k=2), Budget(steps=500).start(), 1) is not None
    assert seen == [100]


@pytest.mark.parametrize("seed", range(3))
def test_several_starts_find_the_same_with_and_without_a_pool(seed):
    piece = naive.random_piece(seed, n=500, k=8, unequal=2.0, apart=True)
    assert Multilevel().pays(piece)
    effort = Effort(steps_per_start=50, most_starts=4)
    runs = []
    with ThreadPoolExecutor(3) as pool:
        for used, workers in ((None, 1), (pool, 3), (pool, 2)):
            found = solve_piece(piece, Budget(steps=150_000), seed, effort, pool=used, workers=workers)
            trace = [(step, cost, violation) for step, _, cost, violation in found.trace]
            runs.append((found.labels.tolist(), found.violation, found.cost, found.steps, trace))
    assert runs[0] == runs[1] == runs[2]
    labels, violation, cost, steps, trace = runs[0]
    assert naive.is_contiguous(piece, labels)
    assert (violation, cost) == (naive.violation(piece, labels), naive.cost(piece, labels))
    assert 135_000 <= steps <= 165_000
    assert [row[0] for row in trace] == sorted(row[0] for row in trace)
    prices = [(row[2], row[1]) for row in trace]
    assert prices == sorted(prices, reverse=True)
