"""Proofs about pieces against the brute-force oracle, and by hand where a napkin suffices."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from brute import is_sound_piece, piece_cost, piece_violation, solve_piece
from hypothesis import event, given, settings
from strategies import pieces, plain_piece

from gridopt.solvers.exact import least_violation, prove_piece

PATH = [(i, i + 1) for i in range(5)]


@settings(max_examples=150)
@given(pieces(max_nodes=7))
def test_the_optimum_or_infeasibility_is_what_looking_at_all_plans_finds(piece):
    proof, best = prove_piece(piece), solve_piece(piece)
    event(proof.status)
    assert proof.status == ("optimal" if best.feasible else "infeasible")
    assert (proof.cost, proof.bound) == (best.cost, best.cost)
    if best.feasible:
        assert is_sound_piece(piece, proof.labels)
        assert piece_cost(piece, proof.labels) == best.cost


@settings(max_examples=60)
@given(pieces(max_nodes=7))
def test_the_least_violation_is_what_looking_at_all_plans_finds(piece):
    proof, best = least_violation(piece), solve_piece(piece)
    assert (proof.cost, proof.bound) == (best.least, best.least)
    if best.least is None:
        assert proof.status == "infeasible"
    else:
        assert piece_violation(piece, proof.labels) == best.least


def test_a_piece_may_be_infeasible_only_through_contiguity():
    """Workloads 3 1 3 1 1 3 on a path: 6 + 6 is possible, but not for two connected halves; on a ring it is."""
    piece = plain_piece(6, PATH, [3, 1, 3, 1, 1, 3], [6, 6], [6, 6])
    assert prove_piece(piece).status == "infeasible"
    ring = plain_piece(6, [*PATH, (0, 5)], [3, 1, 3, 1, 1, 3], [6, 6], [6, 6])
    assert prove_piece(ring).status == "optimal"


def test_the_smallest_relaxation_is_told_by_the_least_violation():
    """Halves of 7 and 5 are the best a path offers; target 6, limits 6: two sixths of a million, rounded down."""
    piece = plain_piece(6, PATH, [3, 1, 3, 1, 1, 3], [6, 6], [6, 6])
    proof = least_violation(piece)
    assert proof.cost == 2 * (10**6 // 6)
    assert proof.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_a_start_that_breaks_something_is_ignored():
    piece = plain_piece(6, PATH, [1] * 6, [3, 3], [3, 3])
    for start in ([0, 1, 0, 1, 0, 1], [0] * 6, [0, 0, 1, 1, 1, 1]):
        assert prove_piece(piece, start=start).labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_more_parts_than_nodes_cannot_be():
    piece = plain_piece(2, [(0, 1)], [1, 1], [0] * 3, [2] * 3)
    assert prove_piece(piece).status == "infeasible"


def test_inertia_is_refused_aloud():
    piece = plain_piece(2, [(0, 1)], [1, 1], [0, 0], [2, 2], inertia_weight=1)
    proof = prove_piece(piece)
    assert proof.status == "unknown"
    assert "nertia" in proof.reason


def test_an_excess_below_a_millionth_is_still_an_excess():
    """Load 2 000 001 over a limit of 2 000 000 rounds to 0 millionths; it is no sound plan all the same."""
    piece = plain_piece(2, [(0, 1)], [4_000_001, 3_999_999], [0, 0], [4_000_000, 4_000_000])
    assert prove_piece(piece).status == "infeasible"


def test_equal_deterministic_budgets_give_equal_answers():
    edges = [(r * 6 + c, r * 6 + c + 1) for r in range(6) for c in range(5)]
    edges += [(r * 6 + c, r * 6 + 6 + c) for r in range(5) for c in range(6)]
    work = [1 + (7 * u) % 5 for u in range(36)]
    piece = plain_piece(36, edges, work, [24] * 4, [29] * 4, [1 + (3 * e) % 7 for e in range(len(edges))])
    first, again = (prove_piece(piece, deterministic_seconds=0.5, workers=w) for w in (1, 2))
    assert (first.status, first.bound, first.cost) == (again.status, again.bound, again.cost)
    assert first.labels is again.labels is None or np.array_equal(first.labels, again.labels)


@pytest.mark.parametrize("k", [2, 3])
def test_no_time_is_no_answer_but_a_valid_bound(k):
    """A bound found in little time lies below the optimum found in more."""
    edges = [(r * 5 + c, r * 5 + c + 1) for r in range(5) for c in range(4)]
    edges += [(r * 5 + c, r * 5 + 5 + c) for r in range(4) for c in range(5)]
    piece = plain_piece(25, edges, [4] * 25, [28] * k, [56] * k)
    short, long = prove_piece(piece, seconds=0.05), prove_piece(piece, seconds=30)
    assert long.status == "optimal"
    assert short.bound is None or short.bound <= long.cost


def test_the_interrupt_signal_is_python_s_again_after_a_proof():
    """CP-SAT has a handler of its own that would end the process; run apart, since it would end the tests."""
    script = """
import os, signal, threading, time
import gridopt as go
path = go.Graph.from_edges(12, [(u, u + 1) for u in range(11)] + [(u, u + 3) for u in range(9)])
problem = go.build_problem(path, workload=list(range(1, 13)), n_grids=3, tolerance=0.1)
from gridopt.solvers.decompose.regions import decompose
from gridopt.solvers.exact import prove_piece
prove_piece(decompose(problem).piece(0), seconds=2)
threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
try:
    time.sleep(5)
except KeyboardInterrupt:
    print("as it should be")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "as it should be", done.stderr[-500:]
