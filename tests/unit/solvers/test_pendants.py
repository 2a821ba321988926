"""Pendants: what hangs on one node and is too light for a part moves with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from gridopt.solvers.budget import Budget
from gridopt.solvers.decompose.pendants import join_pendants
from gridopt.solvers.pieces import solve_piece
from tests import naive


@pytest.mark.parametrize("seed", range(60))
def test_every_plan_within_limits_keeps_pendants_with_their_neck(seed):
    piece = naive.random_piece(seed, n=9, k=3, fixed=seed % 3 == 0, apart=seed % 4 == 0)
    found = join_pendants(piece)
    if found is None:
        return
    joined, cluster = found
    assert joined.n_nodes < piece.n_nodes
    assert joined.workload.sum() == piece.workload.sum()
    for labels in product(range(3), repeat=9):
        if naive.is_contiguous(piece, labels) and naive.violation(piece, labels) == 0:
            for c in range(joined.n_nodes):
                assert len({labels[u] for u in np.flatnonzero(cluster == c)}) == 1


def test_some_random_pieces_have_pendants():
    assert sum(join_pendants(naive.random_piece(seed, n=9, k=3)) is not None for seed in range(60)) >= 10


@pytest.mark.parametrize("seed", range(10))
def test_a_joined_plan_costs_what_it_costs_unjoined(seed):
    piece = naive.random_piece(seed, n=30, k=4, **naive.EVERY_TERM)
    piece = replace(piece, home=np.full(30, -1, dtype=np.int32))
    outcome = solve_piece(piece, Budget(steps=20_000), seed)
    assert naive.is_contiguous(piece, outcome.labels)
    assert (outcome.violation, outcome.cost) == (
        naive.violation(piece, outcome.labels),
        naive.cost(piece, outcome.labels),
    )


def test_a_neck_with_a_leaf_can_change_its_part():
    """Path 0-1-2-3-4 with a leaf on 2: the leaf alone would hold 2 where it starts."""
    edges = [(0, 1, 1), (1, 2, 1), (2, 3, 9), (3, 4, 9), (2, 5, 9)]
    near = [sorted((v, w) for a, b, w in edges for u, v in ((a, b), (b, a)) if u == x) for x in range(6)]
    piece = replace(
        naive.random_piece(0, n=6, k=2),
        indptr=np.cumsum([0] + [len(row) for row in near]).astype(np.int64),
        indices=np.array([v for row in near for v, _ in row], dtype=np.int32),
        weights=np.array([w for row in near for _, w in row], dtype=np.int64),
        workload=np.array([[3], [3], [2], [1], [1], [1]], dtype=np.int64),
        lo=np.full((2, 1), 5, dtype=np.int64),
        hi=np.full((2, 1), 6, dtype=np.int64),
        target=np.full((2, 1), 6, dtype=np.int64),
        fixed=np.full(6, -1, dtype=np.int32),
    )
    outcome = solve_piece(piece, Budget(steps=2_000), 0, start=np.array([0, 1, 1, 1, 1, 1], dtype=np.int32))
    assert (outcome.violation, outcome.cost) == (0, 1)
    assert outcome.labels.tolist() == [0, 0, 1, 1, 1, 1]
