"""Relays: none is missed, none makes anything worse, and load comes from one end of a territory to the other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import gridopt as go
from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.decompose.regions import decompose
from gridopt.solvers.refine import relays
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.relays import Relays
from gridopt.solvers.table import Table
from tests import naive
from tests.unit.solvers.test_levelling import lattice_piece


def relayed(piece, labels, budget=None, watch=None):
    """
    The plan after the relays, with its violation and cost, and how many moves were looked at.

    What is on the table is judged, not the best plan of the search, which never is worse than the first.
    """
    table, clock = Table(piece, labels), (budget or Budget()).start()
    best = Best(labels.copy(), *table.price())
    made = Relays()(table, clock, best, watch)
    assert made == (best.labels != labels).any() == (table.board.labels != labels).any()
    assert table.board.labels.tolist() == best.labels.tolist()
    assert (best.violation, best.cost) == table.price()
    return best, clock.steps


def narrowed(piece, width):
    return dataclasses.replace(piece, lo=np.maximum(0, piece.target - width), hi=piece.target + width)


def single_moves(piece, labels):
    """All labels that differ by one node that goes to a neighbouring part, and leave all parts connected."""
    for u in np.flatnonzero(piece.fixed < 0).tolist():
        for part in sorted({int(labels[v]) for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]]}):
            moved = np.array(labels)
            moved[u] = part
            if part != labels[u] and naive.is_contiguous(piece, moved):
                yield moved


def misses(piece, labels):
    """Millionths of its targets by which each part breaks its limits."""
    limits = zip(piece.lo.tolist(), piece.hi.tolist(), piece.target.tolist())
    return [
        sum(max(0, x - hi, lo - x) * naive.MILLION // aim for x, lo, hi, aim in zip(row, *own))
        for row, own in zip(naive.loads(piece, labels), limits)
    ]


@pytest.mark.parametrize("terms", [{}, {"fixed": True}, {"attributes": 2}, {"unequal": 3.0}, {"apart": True}])
def test_no_single_move_is_left_that_lessens_what_a_part_misses_and_harms_no_other(terms):
    """Every such move is a relay; after two moves it may be another part that is better off, so one is enough here."""
    mended, broken = 0, 0
    for seed in range(25):
        piece = narrowed(naive.random_piece(300 + seed, n=24, k=4, **terms), 6)
        labels = Bisection()(piece, seed)
        if labels is None:
            continue
        best, _ = relayed(piece, labels)
        assert naive.is_contiguous(piece, best.labels)
        assert (best.violation, best.cost) == (naive.violation(piece, best.labels), naive.cost(piece, best.labels))
        before, after = naive.violation(piece, labels), best.violation
        assert after <= before
        mended += after < before
        broken += after > 0
        now = misses(piece, best.labels)
        assert all(a <= b for a, b in zip(now, misses(piece, labels)))
        for moved in single_moves(piece, best.labels):
            then = misses(piece, moved)
            if all(a <= b for a, b in zip(then, now)) and not terms.get("apart"):
                assert then == now
    assert mended >= 8
    assert broken >= 3


@pytest.mark.parametrize("parts", [2, 12, 60])
def test_load_is_carried_from_one_end_to_the_other(parts):
    """A strip of two rows in parts of three columns, each taking one unit of the next: the ends are off by one."""
    piece = lattice_piece(2, 3 * parts, parts)
    exact = np.full((parts, 1), 6, dtype=np.int64)
    piece = dataclasses.replace(piece, lo=exact, hi=exact, target=exact)
    labels = np.tile(np.arange(3 * parts) // 3, 2).astype(np.int32)
    labels[3 * np.arange(1, parts)] -= 1
    assert naive.is_contiguous(piece, labels)
    assert [row[0] for row in naive.loads(piece, labels)] == [7] + [6] * (parts - 2) + [5]
    best, looked = relayed(piece, labels)
    assert best.violation == 0
    assert naive.is_contiguous(piece, best.labels)
    assert looked <= 2 * len(piece.indices)


def test_held_units_stay_and_a_relay_goes_round_them():
    """A ring of six parts of two units: one part has three and the one before it one; between them all is fixed."""
    n = 12
    piece = naive.random_piece(1, n=n, k=6)
    ring = {
        "indptr": np.arange(0, 2 * n + 1, 2, dtype=np.int64),
        "indices": np.array([sorted(((u - 1) % n, (u + 1) % n)) for u in range(n)], dtype=np.int32).ravel(),
        "weights": np.ones(2 * n, dtype=np.int64),
        "workload": np.ones((n, 1), dtype=np.int64),
        **{name: np.full((6, 1), 2, dtype=np.int64) for name in ("lo", "hi", "target")},
    }
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5], dtype=np.int32)
    assert relayed(dataclasses.replace(piece, **ring), labels)[0].labels.tolist() == [5, *labels[1:].tolist()]
    fixed = np.where(np.arange(n) == 0, labels, -1).astype(np.int32)
    found = relayed(dataclasses.replace(piece, **ring, fixed=fixed), labels)[0]
    assert found.violation == 0
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_relays_end_with_the_budget_and_when_told(monkeypatch):
    """Every part is broken and nothing can be mended: the limits are those of other loads. One look is always taken."""
    piece = lattice_piece(30, 30, 30)
    far = np.full((30, 1), 1000, dtype=np.int64)
    hopeless = dataclasses.replace(piece, lo=far, hi=far, target=far)
    labels = Bisection()(piece, 1)
    monkeypatch.setattr(relays, "LOOKS_AT_ONCE", 100)
    looked = relayed(hopeless, labels)[1]
    assert looked > 1_000
    assert 0 < relayed(hopeless, labels, Budget(seconds=0.0))[1] < looked / 2
    assert relayed(hopeless, labels, watch=lambda: True)[1] == 0
    assert 0 < relayed(hopeless, labels, Budget(steps=100))[1] <= 110


def test_a_node_with_many_edges_counts_as_many_looks():
    """A hub beside all others: a look at its moves costs as much as its edges."""
    n = 4_000
    graph = go.Graph.from_edges(n, [(i, i + 1) for i in range(n - 1)] + [(0, i) for i in range(2, n)])
    problem = go.build_problem(graph, workload=np.ones(n), n_grids=4, tolerance=0)
    piece = decompose(problem).piece(0)
    labels = np.repeat(np.arange(4), [n // 4 + 1, n // 4 - 1, n // 4, n // 4]).astype(np.int32)
    best, looked = relayed(piece, labels, Budget(steps=100_000))
    assert best.violation in (0, naive.violation(piece, labels))
    assert looked <= 100_000 + n
