"""Levelling and recombination: whole parts move to where load is, which no single moves achieve."""

from __future__ import annotations

import numpy as np

import gridopt as go
from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.construct.levelling import Levelling
from gridopt.solvers.construct.members import Members
from gridopt.solvers.decompose.regions import decompose
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.recombination import Recombination
from gridopt.solvers.table import Table
from tests import naive
from tests.conftest import lattice


def lattice_piece(rows, columns, k, tolerance=0.2):
    problem = go.build_problem(lattice(rows, columns), workload=np.ones(rows * columns), n_grids=k, tolerance=tolerance)
    return decompose(problem).piece(0)


def spread(piece, labels):
    load = np.bincount(labels, weights=piece.workload[:, 0], minlength=piece.n_parts)
    return float(((load / piece.target[:, 0] - 1) ** 2).sum())


def test_parts_of_one_node_in_a_corner_are_needed_elsewhere():
    """Six single nodes in one corner of a 20 x 20 lattice, and six parts twice as full as they should be."""
    piece = lattice_piece(20, 20, 16)
    even = Bisection()(piece, 1)
    labels = even.copy()
    for part in range(10, 16):  # of six parts one node is left, in a row along one edge, the rest joins the others
        labels[labels == part] = -1
    free = np.flatnonzero(labels < 0)
    while len(free):  # the parts left grow over what is free
        for u in free:
            near = labels[piece.indices[piece.indptr[u] : piece.indptr[u + 1]]]
            if (near >= 0).any():
                labels[u] = near[near >= 0][0]
        free = np.flatnonzero(labels < 0)
    edge = [u for u in range(20) if (labels == labels[u]).sum() > 3][:6]
    labels[edge] = np.arange(10, 16, dtype=np.int32)
    assert naive.is_contiguous(piece, labels)
    levelled = Levelling()(piece, labels.astype(np.int32), 1)
    assert naive.is_contiguous(piece, levelled)
    assert np.bincount(levelled, minlength=16).min() >= 8
    assert spread(piece, levelled) < spread(piece, labels) / 10


def test_nothing_light_leaves_the_labels_as_they_are():
    piece = lattice_piece(12, 12, 9)
    labels = Bisection()(piece, 1)
    assert Levelling()(piece, labels, 1) is labels or (Levelling()(piece, labels, 1) == labels).all()


def test_levelling_never_spreads_loads_worse():
    for seed in range(40):
        piece = naive.random_piece(seed, n=60, k=8, fixed=seed % 2 == 0)
        labels = Bisection()(piece, seed)
        if labels is None:
            continue
        fill = Members(piece, labels).fill
        after = Members(piece, Levelling(light=0.95)(piece, labels, seed)).fill
        assert ((after - 1) ** 2).sum() <= ((fill - 1) ** 2).sum() + 1e-9


def test_members_agree_with_labels_after_parts_were_divided():
    piece = naive.random_piece(3, n=80, k=8, attributes=2)
    members = Members(piece, Bisection()(piece, 3))
    parts = [0, int(members.beside([0])[0][0])]
    nodes = np.concatenate([members.nodes[p] for p in parts])
    members.give(parts, nodes, members.divide(parts, nodes, members.graph(nodes), 5))
    again = Members(piece, members.labels)
    assert all((np.sort(a) == np.sort(b)).all() for a, b in zip(members.nodes, again.nodes))
    assert (members.loads == again.loads).all()
    assert np.allclose(members.fill, again.fill)
    assert naive.is_contiguous(piece, members.labels)


def test_a_part_behind_an_empty_corridor_is_filled_by_recombination():
    """A heavy node at the end of a path of empty ones: each single move of the corridor gains nothing."""
    workload = np.array([4, 0, 0, 0, 6, 5, 5, 10, 10])
    graph = go.Graph.from_edges(9, [(u, u + 1) for u in range(8)] + [(4, 6)])
    problem = go.build_problem(graph, workload=workload, n_grids=4, band=(9, 11))
    piece = decompose(problem).piece(0)
    labels = np.array([0, 1, 1, 1, 1, 1, 1, 2, 3], dtype=np.int32)
    table = Table(piece, labels)
    best = Best(labels.copy(), *table.price())
    assert best.violation > 0
    Recombination()(piece, table, Budget(steps=100_000).start(), 1, best)
    assert best.violation == 0
    assert naive.violation(piece, best.labels) == 0
    assert naive.is_contiguous(piece, best.labels)
