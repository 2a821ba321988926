"""Annealing and the search of one piece: never worse, reproducible, within limits where that is possible."""

from __future__ import annotations

import numpy as np
import pytest

from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.pieces import solve_piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.table import Table
from tests import naive


@pytest.mark.parametrize("seed", range(15))
def test_best_plan_is_never_worse_than_the_start(seed):
    piece = naive.random_piece(seed, attributes=2, fixed=seed % 2 == 0, **naive.EVERY_TERM)
    labels = Bisection()(piece, seed)
    if labels is None:
        pytest.skip("fixed nodes that cannot be joined")
    table = Table(piece, labels)
    start = table.price()
    best = Best(labels.copy(), *start)
    Annealing()(table, Budget(steps=5000).start(), seed, best)
    assert (best.violation, best.cost) <= start
    assert naive.is_contiguous(piece, best.labels)
    assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))


def test_groups_side_by_side_find_the_same_as_one_after_the_other():
    from concurrent.futures import ThreadPoolExecutor

    piece = naive.random_piece(7, n=2000, k=120)
    annealing = Annealing(nodes_per_group=300)
    with ThreadPoolExecutor(3) as pool:
        found = [solve_piece(piece, Budget(steps=100_000), 1, pool=used).labels.tolist() for used in (None, pool)]
        groups = annealing.n_groups(2000, 120)
        outcomes = []
        for used in (None, pool):
            table = Table(piece, Bisection()(piece, 1), groups)
            best = Best(table.board.labels.copy(), *table.price())
            annealing(table, Budget(steps=100_000).start(), 5, best, used)
            outcomes.append((best.labels.tolist(), best.violation, best.cost))
    assert groups > 1
    assert found[0] == found[1]
    assert outcomes[0] == outcomes[1]


def test_steps_are_not_exceeded_by_much_and_are_counted():
    piece = naive.random_piece(2, n=200, k=10)
    outcome = solve_piece(piece, Budget(steps=50_000), 3)
    assert 45_000 <= outcome.steps <= 55_000
    assert outcome.trace[0][0] == 0
    steps = [row[0] for row in outcome.trace]
    assert steps == sorted(steps)
    best = [(row[3], row[2]) for row in outcome.trace]
    assert best == sorted(best, reverse=True)


def test_budget_shares_and_clocks():
    clock = Budget(steps=10, stall=4).start()
    clock.tick(4)
    assert clock.expired()
    assert Budget(seconds=2, steps=10).share(0.5) == Budget(1.0, 5)
    assert np.isinf(Budget().start().seconds_left())
    assert not Budget().start().expired()
