"""Coarsening: a coarse plan stands for a fine one of the same price, and nothing that locks tell apart is joined."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.decompose.coarsen import Coarsening
from gridopt.solvers.table import Table
from tests import naive

SEEDS = range(30)


def drawn(seed, **options):
    """A piece with every term, whose nodes are at home in stretches, and the coarse piece."""
    piece = naive.random_piece(
        seed, n=50, k=4, attributes=1 + seed % 3, fixed=seed % 2 == 0, unequal=3.0, **naive.EVERY_TERM
    )
    piece = dataclasses.replace(piece, home=(np.arange(50) // 12 - 1).astype(np.int32))
    return piece, *Coarsening(**{"most_nodes": 4, "share": 0.5, **options})(piece, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_coarse_plan_has_the_price_of_the_fine_plan_it_stands_for(seed):
    """For any labels, contiguous or not: every term, on two levels."""
    piece, coarse, cluster = drawn(seed)
    coarser, again = Coarsening(most_nodes=3, share=0.9)(coarse, seed)
    assert coarser.n_nodes < coarse.n_nodes < piece.n_nodes
    draw = random.Random(seed)
    for level, onto in ((coarse, cluster), (coarser, again[cluster])):
        for _ in range(5):
            labels = np.array([draw.randrange(4) for _ in range(level.n_nodes)], np.int32)
            fine = labels[onto]
            assert Table(level, labels).price() == (naive.violation(piece, fine), naive.cost(piece, fine))


@pytest.mark.parametrize("seed", SEEDS)
def test_totals_are_kept(seed):
    piece, coarse, cluster = drawn(seed)
    for name in ("workload", "unit_cost", "away_cost"):
        assert (getattr(coarse, name).sum(axis=0) == getattr(piece, name).sum(axis=0)).all()
    rows = np.repeat(cluster, np.diff(piece.indptr))
    assert coarse.weights.sum() == piece.weights[rows != cluster[piece.indices]].sum()
    assert len(coarse.apart_indices) == len(piece.apart_indices)
    for name in ("lo", "hi", "target"):
        assert getattr(coarse, name) is getattr(piece, name)


@pytest.mark.parametrize("seed", SEEDS)
def test_only_nodes_that_no_lock_tells_apart_are_joined(seed):
    piece, coarse, cluster = drawn(seed)
    assert len(naive.pieces_of(piece, cluster)) == coarse.n_nodes  # clusters are connected
    assert (coarse.fixed[cluster] == piece.fixed).all()
    assert (coarse.home[cluster] == piece.home).all()
    size = np.bincount(cluster)
    assert (size[cluster[np.diff(piece.apart_indptr) > 0]] == 1).all()
    assert size.max() > 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_contiguous_coarse_plan_is_a_contiguous_fine_plan(seed):
    piece, coarse, cluster = drawn(seed)
    labels = Bisection()(coarse, seed)
    if labels is None:
        pytest.skip("fixed nodes that cannot be joined")
    assert naive.is_contiguous(piece, labels[cluster])
    held = piece.fixed >= 0
    assert (labels[cluster][held] == piece.fixed[held]).all()


@pytest.mark.parametrize("seed", range(10))
def test_clusters_have_few_nodes_and_a_small_share_of_the_lightest_target(seed):
    piece, coarse, cluster = drawn(seed, most_nodes=3, share=0.3)
    size = np.bincount(cluster)
    assert size.max() <= 3
    total = piece.workload.sum(axis=0)
    mass = (coarse.workload[:, total > 0] / total[total > 0]).sum(axis=1)  # as `masses` weighs several attributes
    share = (piece.target / piece.target.sum(axis=0))[:, total > 0].sum(axis=1).min()
    assert (mass[size > 1] <= 0.3 * share + 1e-9).all()
    assert (size > 1).any()


def test_the_same_seed_gives_the_same_clusters_and_another_one_others():
    piece = naive.random_piece(5, n=80, k=3)
    runs = [Coarsening()(piece, seed)[1].tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
