"""Regions: pieces hold what the problem says, and labels come back where they belong."""

from __future__ import annotations

import numpy as np

import gridopt as go
from gridopt.rules.objective import cost
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.decompose.regions import decompose
from gridopt.solvers.table import Table
from tests.conftest import lattice


def test_piece_of_a_plain_problem_is_the_problem(path6):
    problem = go.build_problem(path6, workload=[1, 2, 3, 3, 2, 1], n_grids=2, objective={"cut": 3})
    regions = decompose(problem)
    piece = regions.piece(0)
    assert piece.indptr.tolist() == path6.indptr.tolist()
    assert piece.indices.tolist() == path6.indices.tolist()
    assert set(piece.weights.tolist()) == {300}
    assert piece.workload.tolist() == problem.workload.tolist()
    assert (piece.lo.tolist(), piece.hi.tolist()) == (problem.lo.tolist(), problem.hi.tolist())


def test_compound_is_one_node_and_its_borders_are_summed():
    problem = go.build_problem(
        lattice(2, 3), workload=[1, 2, 4, 8, 16, 32], n_grids=2, tolerance=0.9, locks=go.Locks(together=[[1, 4]])
    )
    piece = decompose(problem).piece(0)
    assert piece.n_nodes == 5
    assert piece.workload[:, 0].tolist() == [1, 18, 4, 8, 32]
    assert piece.indices[piece.indptr[1] : piece.indptr[2]].tolist() == [0, 2, 3, 4]


def test_parents_become_pieces_and_labels_come_back(two_islands):
    problem = go.build_problem(two_islands, workload=[1] * 7, n_grids=4)
    regions = decompose(problem)
    pieces = {int(r): regions.piece(int(r)) for r in regions.searched}
    assert sorted(p.n_nodes for p in pieces.values()) == [3, 4]
    parts = {r: np.arange(p.n_nodes, dtype=np.int32)[::-1] * p.n_parts // p.n_nodes for r, p in pieces.items()}
    labels = regions.stitch(parts)
    assert go.verify(problem, labels) == []


def test_costs_of_a_piece_and_the_constant_make_the_cost_of_the_plan():
    rng = np.random.default_rng(0)
    for seed in range(20):
        n, k = 24, 6
        terms = {"cut": 2, "imbalance": 1, "inertia": 1, "moved": 3, "unit_cost": 2}
        problem = go.build_problem(
            lattice(4, 6),
            workload=rng.integers(1, 9, n),
            n_grids=k,
            tolerance=0.9,
            parent=np.repeat([0, 0, 1, 1], 6) if seed % 2 else None,
            objective=terms,
            incumbent=rng.integers(-1, k, n),
            unit_cost=rng.integers(0, 50, (n, k)),
            locks=go.Locks(together=[[0, 1], [12, 13, 14]]),
        )
        regions = decompose(problem)
        parts = {int(r): Bisection()(regions.piece(int(r)), seed) for r in regions.searched}
        labels = regions.stitch(parts)
        inside = sum(Table(regions.piece(r), regions.local_labels(r, labels)).price()[1] for r in parts)
        assert inside + regions.constant_cost(labels) == cost(problem, labels)
        assert regions.constant_cost(None) == regions.constant_cost(labels)


def test_path_that_joins_a_compound_goes_around_what_may_not_share_its_grid():
    graph = lattice(3, 3)
    near = dict(workload=np.ones(9), n_grids=2, tolerance=0.9)
    apart = go.build_problem(graph, **near, locks=go.Locks(together=[[3, 5]], apart=[[3, 4]]))
    joined = decompose(apart)
    assert joined.node_of[4] != joined.node_of[3] == joined.node_of[5]
    assert [f.code for f in joined.findings] == ["compound-joined"]
    fixed = go.build_problem(graph, **near, locks=go.Locks(together=[[3, 5]], fixed={3: 0, 4: 1}))
    assert decompose(fixed).node_of[4] != decompose(fixed).node_of[3]
    assert go.solve(fixed, steps=20_000).status == "FEASIBLE"


def test_compound_that_nothing_can_join_is_no_plan(path6):
    locks = go.Locks(together=[["b", "d"]], apart=[["b", "c"]])
    problem = go.build_problem(path6, workload=[1] * 6, n_grids=3, tolerance=0.9, locks=locks)
    result = go.solve(problem, steps=100)
    assert result.plan is None
    assert result.status in ("NO_PLAN", "INFEASIBLE")
