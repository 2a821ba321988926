"""Laws that tie solve, verify and the objective to the oracle that looks at all plans."""

from __future__ import annotations

import numpy as np
from brute import broken_pairs, is_sound, problem_cost, problem_violation, solve_problem
from hypothesis import event, given, settings
from hypothesis import strategies as st
from strategies import problems

import gridopt as go
from gridopt.errors import InputError
from gridopt.model import Problem
from gridopt.rules.constraints import total_violation
from gridopt.rules.objective import cost

STEPS = 2000


@st.composite
def labelled(draw: st.DrawFn) -> tuple[Problem, np.ndarray]:
    """A problem and labels: any, or those of a plan, perhaps one that breaks limits, renamed, or spoilt at one unit."""
    problem = draw(problems(max_units=7))
    n, k = problem.n_units, problem.n_grids
    labels = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    if draw(st.integers(0, 3)):
        best = solve_problem(problem)
        found = best.labels if draw(st.booleans()) and best.feasible else best.least_labels
        labels = labels if found is None else list(found)
        if problem.interchangeable:
            names = draw(st.permutations(range(k)))
            labels = [names[label] for label in labels]
        if draw(st.integers(0, 2)) == 0:
            labels[draw(st.integers(0, n - 1))] = draw(st.integers(0, k - 1))
    return problem, np.array(labels, dtype=np.int32)


@settings(max_examples=200)
@given(labelled())
def test_verify_and_the_oracle_agree_on_any_labels(drawn):
    problem, labels = drawn
    sound = is_sound(problem, labels)
    event(f"sound {sound}")
    assert (not go.verify(problem, labels)) == sound


@settings(max_examples=100)
@given(labelled())
def test_cost_and_violation_are_what_their_definitions_say(drawn):
    problem, labels = drawn
    if any(len(set(problem.nesting.region[labels == g])) != 1 for g in range(problem.n_grids)):
        return  # no grid of one region: nothing says which limits bind it
    assert cost(problem, labels) == problem_cost(problem, labels)
    assert total_violation(problem, labels) == problem_violation(problem, labels) + 10**6 * broken_pairs(
        problem, labels
    )


@settings(max_examples=60)
@given(problems(max_units=7, soft=True))
def test_the_trace_ends_with_the_violation_and_cost_of_the_plan(problem):
    result = go.solve(problem, steps=300, seed=1, workers=1)
    if result.plan is not None:
        labels = result.plan.labels
        event(f"breaks a pair: {broken_pairs(problem, labels) > 0}")
        violation = problem_violation(problem, labels) + 10**6 * broken_pairs(problem, labels)
        assert (result.trace[-1].cost, result.trace[-1].violation) == (problem_cost(problem, labels), violation)


def test_names_of_grids_do_not_change_what_a_plan_costs():
    """A heavy unit is exempt, whatever its grid is called; loads 10 and 11 on targets of 10 and a half."""
    graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    problem = go.build_problem(graph, [10, 100, 6, 5], n_grids=3, tolerance=0.2, objective={"imbalance": 1})
    for labels in ([0, 1, 2, 2], [0, 2, 1, 1], [2, 0, 1, 1]):
        assert cost(problem, np.array(labels, dtype=np.int32)) == 100_000


@settings(max_examples=100)
@given(problems(max_units=7))
def test_solve_returns_sound_plans_and_never_claims_what_the_oracle_denies(problem):
    best = solve_problem(problem)
    result = go.solve(problem, steps=STEPS, seed=1, workers=1)
    event(str(result.status))
    if result.status in (go.Status.OPTIMAL, go.Status.FEASIBLE):
        assert is_sound(problem, result.plan.labels)
        assert result.cost == problem_cost(problem, result.plan.labels) >= best.cost
    if result.status == go.Status.INFEASIBLE:
        assert not best.feasible
    if result.bound is not None and best.feasible:
        assert result.bound <= best.cost


@settings(max_examples=80)
@given(problems(max_units=7))
def test_with_proof_solve_finds_the_optimum_or_proves_that_there_is_no_plan(problem):
    best = solve_problem(problem)
    result = go.solve(problem, steps=STEPS, seed=1, workers=1, prove=True)
    assert result.status == (go.Status.OPTIMAL if best.feasible else go.Status.INFEASIBLE)
    if best.feasible:
        assert (result.cost, result.bound) == (best.cost, best.cost)


@settings(max_examples=40)
@given(problems(max_units=7, soft=True))
def test_a_soft_problem_always_gets_a_contiguous_plan_that_keeps_its_locks(problem):
    best = solve_problem(problem)
    result = go.solve(problem, steps=STEPS, seed=1, workers=1)
    if best.least == 0:
        assert total_violation(problem, result.plan.labels) == 0
    if result.plan is not None:
        assert result.status == go.Status.VIOLATED or is_sound(problem, result.plan.labels)


@settings(max_examples=40)
@given(problems(max_units=7, locked=False), st.randoms(use_true_random=False))
def test_the_order_of_units_and_edges_does_not_change_what_a_plan_costs(problem, random):
    """Shuffle the units; the proved optimum and the loads that come with equal labels stay."""
    if problem.unit_cost is not None or len(problem.nesting.parents):
        return
    graph, n = problem.graph, problem.n_units
    order = list(range(n))
    random.shuffle(order)
    asked = {k: v for k, v in problem.parameters.items() if k in ("n_grids", "tolerance", "band", "heavy", "objective")}
    shuffled = graph.subgraph(order)
    try:
        other = go.build_problem(shuffled, problem.workload[order], **asked)
    except InputError:
        return
    if sorted(map(tuple, other.lo.tolist())) != sorted(map(tuple, problem.lo.tolist())):
        return  # equal claims on one grid: the first comes first
    assert solve_problem(other).cost == solve_problem(problem).cost
    ours, theirs = (go.solve(p, steps=STEPS, seed=1, workers=1, prove=True) for p in (problem, other))
    assert (ours.status, ours.cost) == (theirs.status, theirs.cost)


@settings(max_examples=60)
@given(problems(max_units=8, locked=False), st.data())
def test_contraction_keeps_totals_and_the_cost_of_plans(problem, data):
    """Merging units of one grid changes neither the loads nor what the plan cuts."""
    graph, n = problem.graph, problem.n_units
    raw = data.draw(st.lists(st.integers(0, n - 1), min_size=n, max_size=n))
    cluster = np.unique(raw, return_inverse=True)[1]
    small = graph.contract(cluster)
    between = cluster[graph.edges[:, 0]] != cluster[graph.edges[:, 1]]
    assert small.cost.sum() == graph.cost[between].sum()
    labels = np.array(data.draw(st.lists(st.integers(0, 2), min_size=small.n_units, max_size=small.n_units)))
    fine = labels[cluster]
    cuts = [g.cost[x[g.edges[:, 0]] != x[g.edges[:, 1]]].sum() for g, x in ((graph, fine), (small, labels))]
    assert cuts[0] == cuts[1]


@settings(max_examples=60)
@given(problems(max_units=8, locked=False), st.data())
def test_a_subgraph_has_the_edges_among_its_units_and_no_others(problem, data):
    graph = problem.graph
    keep = data.draw(st.lists(st.integers(0, graph.n_units - 1), min_size=1, unique=True))
    part = graph.subgraph(keep)
    ids = set(part.ids.tolist())
    wanted = {
        (frozenset((graph.ids[u], graph.ids[v])), int(c))
        for (u, v), c in zip(graph.edges, graph.cost)
        if graph.ids[u] in ids and graph.ids[v] in ids
    }
    assert {(frozenset((part.ids[u], part.ids[v])), int(c)) for (u, v), c in zip(part.edges, part.cost)} == wanted
