"""Tiny regions solved outright: optimum and infeasibility are what the oracle finds that looks at all plans."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from brute import broken_pairs, is_connected, neighbours, problem_plans, problem_violation, solve_piece, solve_problem
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import graphs, problems

import gridopt as go
from gridopt.solvers.decompose.regions import decompose
from gridopt.solvers.proofs import price_of
from gridopt.solvers.tiny import INFEASIBLE, OPEN, OPTIMAL, lay_out

MOST = 100_000


@st.composite
def tiny_problems(draw):
    """A problem that has regions to solve outright: locks, several workloads, terms, perhaps a plan in force."""
    problem = draw(problems(max_units=8).filter(lambda p: (np.bincount(p.nesting.grid_region) > 1).any()))
    if draw(st.integers(0, 2)) == 0:
        n, k = problem.n_units, problem.n_grids
        before = np.array(draw(st.lists(st.integers(-1, k - 1), min_size=n, max_size=n)), dtype=np.int32)
        terms = {**problem.objective, "moved": draw(st.integers(1, 3))}
        problem = replace(problem, incumbent=before, objective=terms, interchangeable=False)
    return problem


def solved(problem, start=None, most=MOST):
    regions = decompose(problem)
    tiny = lay_out(regions)
    if tiny is None:
        return regions, None
    if start is not None:
        tiny.begin_with(regions.all_local_labels(start))
    tiny.solve(np.arange(len(tiny)), np.full(len(tiny), most))
    return regions, tiny


@settings(max_examples=300)
@given(tiny_problems())
def test_optimum_and_infeasibility_are_those_of_the_oracle(problem):
    regions, tiny = solved(problem)
    if tiny is None:
        return
    labels, first = tiny.labels_of(), tiny.atlas.first_node
    for i, region in enumerate(tiny.regions.tolist()):
        piece = regions.piece(region)
        best = solve_piece(piece)
        event(f"feasible {best.feasible}")
        assert tiny.found.status[i] == (OPTIMAL if best.feasible else INFEASIBLE)
        if best.feasible:
            assert tiny.found.cost[i] + tiny.base[i] == tiny.found.bound[i] + tiny.base[i] == best.cost
            assert price_of(piece, labels[first[i] : first[i + 1]]) == (0, best.cost)


@settings(max_examples=100)
@given(tiny_problems(), st.data())
def test_a_sound_start_is_priced_right_and_kept_where_nothing_is_cheaper(problem, data):
    best = solve_problem(problem)
    if not best.feasible:
        return
    start = np.array(best.labels, dtype=np.int32)
    regions = decompose(problem)
    tiny = lay_out(regions)
    if tiny is None or problem.interchangeable:
        return
    own = regions.all_local_labels(start)
    tiny.begin_with(own)
    for i, region in enumerate(tiny.regions.tolist()):
        local = own[regions.first_node[region] : regions.first_node[region + 1]]
        assert price_of(regions.piece(region), local) == (0, tiny.found.cost[i] + tiny.base[i])
    tiny.solve(np.arange(len(tiny)), np.full(len(tiny), MOST))
    found = tiny.labels_of()
    inside = np.isin(np.repeat(np.arange(len(regions.first_node) - 1), regions.node_counts()), tiny.regions)
    assert found.tolist() == own[inside].tolist()


@settings(max_examples=150)
@given(tiny_problems(), st.data())
def test_any_sound_start_ends_at_the_same_optimum(problem, data):
    """Sets too dear for the first listing may hide that a node is in none of those listed: no proof of the start."""
    sound = [p for p in islice(problem_plans(problem), 3000) if problem_violation(problem, p) == 0]
    sound = [p for p in sound if broken_pairs(problem, p) == 0]
    if not sound:
        return
    start = np.array(data.draw(st.sampled_from(sound)), dtype=np.int32)
    regions, tiny = solved(problem, start)
    for i, region in enumerate([] if tiny is None else tiny.regions.tolist()):
        assert tiny.found.status[i] == OPTIMAL
        assert tiny.found.cost[i] + tiny.base[i] == solve_piece(regions.piece(region)).cost


@settings(max_examples=100)
@given(tiny_problems(), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_a_start_that_breaks_anything_is_not_taken_for_a_plan(problem, draws):
    start = np.array(draws[: problem.n_units], dtype=np.int32) % problem.n_grids
    regions = decompose(problem)
    tiny = lay_out(regions)
    if tiny is None:
        return
    own = regions.all_local_labels(start)
    tiny.begin_with(own)
    for i, region in enumerate(tiny.regions.tolist()):
        piece = regions.piece(region)
        local = own[regions.first_node[region] : regions.first_node[region + 1]]
        if tiny.found.cost[i] < 2**62:
            assert price_of(piece, local) == (0, tiny.found.cost[i] + tiny.base[i])


@settings(max_examples=100)
@given(tiny_problems(), st.integers(1, 60))
def test_what_is_left_open_after_few_steps_claims_nothing_false(problem, most):
    regions, tiny = solved(problem, most=most)
    if tiny is None:
        return
    for i, region in enumerate(tiny.regions.tolist()):
        best = solve_piece(regions.piece(region))
        event(f"status {tiny.found.status[i]}")
        if tiny.found.status[i] != OPEN:
            assert (tiny.found.status[i] != INFEASIBLE) == best.feasible == tiny.has_plan()[i]
        if tiny.found.status[i] == OPTIMAL:
            assert tiny.found.cost[i] + tiny.base[i] == best.cost
        if best.feasible:
            assert tiny.found.bound[i] + tiny.base[i] <= best.cost
        if tiny.has_plan()[i]:
            assert best.feasible
            assert tiny.found.cost[i] + tiny.base[i] >= best.cost


@settings(max_examples=25)
@given(graphs(min_units=10, max_units=12), st.integers(0, 10_000))
def test_larger_graphs_with_zero_workloads_are_solved_as_the_oracle_does(graph, seed):
    rng = np.random.default_rng(seed)
    work = rng.integers(0, 6, graph.n_units)
    work[0] += 1
    problem = go.build_problem(graph, work, n_grids=3, tolerance=0.4, heavy="strict")
    best = solve_problem(problem)
    regions, tiny = solved(problem)
    assert regions.narrowed == frozenset()
    assert tiny.found.status.tolist() == [OPTIMAL if best.feasible else INFEASIBLE]
    if best.feasible:
        assert (tiny.found.cost + tiny.base).tolist() == [best.cost]


@settings(max_examples=100)
@given(tiny_problems(), st.integers(0, 300), st.integers(0, 1000))
def test_a_sketch_is_contiguous_keeps_locks_and_is_priced_right(problem, most, seed):
    regions = decompose(problem)
    tiny = lay_out(regions)
    if tiny is None:
        return
    tiny.sketch(np.arange(len(tiny)), np.full(len(tiny), most), seed)
    labels, first, found = tiny.labels_of(), tiny.atlas.first_node, tiny.found
    for i, region in enumerate(tiny.regions.tolist()):
        piece, own = regions.piece(region), labels[first[i] : first[i + 1]]
        if own[0] < 0:
            event("nodes fixed to one grid lie apart, or no node is free for one")
            assert (piece.fixed >= 0).any()
            assert found.miss[i] == found.cost[i] == 2**62
            continue
        near = neighbours(piece.n_nodes, [(u, v) for u in range(piece.n_nodes) for v in edges_of(piece, u)])
        assert all(is_connected(np.flatnonzero(own == j).tolist(), near) for j in range(piece.n_parts))
        assert (own[piece.fixed >= 0] == piece.fixed[piece.fixed >= 0]).all()
        cost = found.cost[i] if tiny.has_plan()[i] else found.paid[i]
        assert price_of(piece, own) == (found.miss[i], cost + tiny.base[i])
        assert tiny.has_plan()[i] == (found.miss[i] == 0)


def edges_of(piece, u):
    return piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist()


@settings(max_examples=60)
@given(tiny_problems(), st.integers(1, 200))
def test_going_on_again_and_again_ends_at_the_optimum(problem, most):
    """What a call leaves behind, prices above all, is all the next one needs."""
    regions = decompose(problem)
    tiny = lay_out(regions)
    if tiny is None:
        return
    for turn in range(12):
        tiny.sketch(np.arange(len(tiny)), np.full(len(tiny), turn), turn)
        tiny.solve(np.arange(len(tiny)), np.full(len(tiny), most * 2**turn), prove=turn > 2)
    for i, region in enumerate(tiny.regions.tolist()):
        best = solve_piece(regions.piece(region))
        assert tiny.found.status[i] == (OPTIMAL if best.feasible else INFEASIBLE)
        if best.feasible:
            assert tiny.found.cost[i] + tiny.base[i] == best.cost
