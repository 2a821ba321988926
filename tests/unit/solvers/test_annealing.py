"""Annealing and the search of one piece: never worse, reproducible, within limits where that is possible."""

from __future__ import annotations

import numpy as np
import pytest

from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.pieces import solve_piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.refine.focus import Focus
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


def test_focus_moves_only_what_surrounds_a_broken_part():
    piece = naive.random_piece(11, n=400, k=40)
    table = Table(piece, Bisection()(piece, 1))
    best = Best(table.board.labels.copy(), *table.price())
    Annealing()(table, Budget(steps=400_000).start(), 1, best)
    table.put(best.labels)
    before, violation = best.labels.copy(), best.violation
    clock = Budget(steps=200_000).start()
    Focus()(table, clock, 2, best)
    assert (best.violation, naive.is_contiguous(piece, best.labels)) <= (violation, True)
    if violation == 0:
        assert clock.steps == 0
        donor = int(np.bincount(before).argmax())  # break one part: its heaviest neighbour swallows a node
        border = [u for u in range(400) if before[u] != donor and donor in before[_near(piece, u)]]
        broken = _moved(piece, before, border, donor)
        table.put(broken)
        hurt = Best(broken.copy(), *table.price())
        was = hurt.violation
        Focus()(table, Budget(steps=2_000_000).start(), 3, hurt)
        assert hurt.violation < was
        assert naive.is_contiguous(piece, hurt.labels)


def _near(piece, u):
    return piece.indices[piece.indptr[u] : piece.indptr[u + 1]]


def _moved(piece, labels, nodes, part):
    """Labels with the first of `nodes` in `part` that breaks a limit and leaves all parts whole."""
    for u in nodes:
        moved = labels.copy()
        moved[u] = part
        if naive.is_contiguous(piece, moved) and naive.violation(piece, moved):
            return moved
    raise AssertionError("no such node")


def test_ctrl_c_ends_the_search_with_a_sound_plan():
    import _thread
    import threading

    import gridopt as go
    from tests.conftest import lattice

    go.compile()
    problem = go.build_problem(lattice(40, 40), workload=np.ones(1600), n_grids=40, tolerance=0.3)
    threading.Timer(0.8, _thread.interrupt_main).start()
    result = go.solve(problem, seconds=30)
    assert result.timings["search"] < 10
    assert "stopped" in result.reason
    assert result.plan is not None
