"""With proof, results are what looking at all plans finds: every mix of terms, locks, targets and workloads."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
from brute import broken_pairs, is_sound, problem_cost, problem_plans, problem_violation
from hypothesis import event, given, settings
from strategies import connected_edges, locks

import gridopt as go
from gridopt.errors import InputError
from gridopt.model import TERMS


@st.composite
def mixed(draw: st.DrawFn, soft: bool = False) -> Any:
    """A small problem with any terms together, one or two workloads, perhaps unequal targets, parents and all locks."""
    n = draw(st.integers(2, 7))
    edges = np.array(draw(connected_edges(n, max_extra=4)))
    if n >= 4 and draw(st.integers(0, 5)) == 0:
        edges = edges[(edges[:, 0] < n // 2) == (edges[:, 1] < n // 2)]

    def ints(low: int, high: int, *shape: int) -> Any:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(st.integers(low, high), min_size=size, max_size=size))).reshape(shape)

    ids = [f"u{i}" for i in range(n)]
    graph = go.Graph.from_edges(n, edges, costs=ints(1, 9, len(edges)), ids=ids, xy=ints(-9, 9, n, 2))
    work = ints(0, 7, n, draw(st.sampled_from([1, 1, 2])))
    work[0] += 1
    k = draw(st.integers(1, min(n, 4)))
    options: dict[str, Any] = {"n_grids": k, "soft": soft, "heavy": draw(st.sampled_from(["own_grid", "strict"]))}
    names = draw(st.lists(st.sampled_from(TERMS), min_size=1, max_size=4, unique=True))
    options["objective"] = {name: draw(st.integers(1, 3)) for name in sorted(names)}
    if "edge_cost" in names:
        options["edge_cost"] = ints(0, 9, graph.n_edges)
    if "unit_cost" in names:
        options["unit_cost"] = ints(0, 9, n, k)
    if "moved" in names:
        options["incumbent"] = ints(-1, k - 1, n)
    how = draw(st.sampled_from(["tolerance", "tolerance", "band", "targets"]))
    if how == "band":
        low = draw(st.integers(0, 8))
        options["band"] = (low, low + draw(st.integers(1, 9)))
    else:
        options["tolerance"] = draw(st.sampled_from([0, 0.2, 0.5, 0.9]))
    if how == "targets":
        options["targets"] = ints(1, 3, k).tolist()
    elif draw(st.integers(0, 4)) == 0:
        options["parent"] = [str(int(u < n // 2)) for u in range(n)]
    if draw(st.integers(0, 1)):
        options["locks"] = draw(locks(ids, k))
    for dropped in ((), ("locks",), ("targets", "parent", "locks")):
        try:
            return go.build_problem(graph, work, **{name: v for name, v in options.items() if name not in dropped})
        except InputError:
            continue
    return go.build_problem(graph, work, n_grids=int(graph.components().max()) + 1, tolerance=0.5, soft=soft)


def joined(result: Any) -> bool:
    """Whether units of a compound did not touch: what is joined to them leaves out plans."""
    return bool({"compound-joined", "compound-not-joined"} & {f.code for f in result.exceptions})


@settings(max_examples=250)
@given(mixed())
def test_with_proof_the_cheapest_sound_plan_is_found_or_there_is_none(problem):
    sound = [p for p in problem_plans(problem) if is_sound(problem, p)]
    least = min((problem_cost(problem, p) for p in sound), default=None)
    result = go.solve(problem, steps=2000, seed=1, workers=1, prove=True)
    event(f"{result.status}, {'+'.join(sorted(problem.objective))}")
    if result.bound is not None and sound:
        assert result.bound <= least
    if result.status in ("OPTIMAL", "FEASIBLE"):
        assert is_sound(problem, result.plan.labels)
        assert result.cost == problem_cost(problem, result.plan.labels) >= least
    if result.status == "OPTIMAL":
        assert result.cost == result.bound == least
    elif not joined(result):
        assert bool(sound) == (result.status == "FEASIBLE")
        assert not sound or problem.objective.get("inertia")


@settings(max_examples=120)
@given(mixed(soft=True))
def test_with_proof_wishes_are_missed_least_and_then_at_least_cost(problem):
    kept = [(problem_violation(problem, p), problem_cost(problem, p)) for p in problem_plans(problem)
            if not broken_pairs(problem, p)]  # fmt: skip
    result = go.solve(problem, steps=2000, seed=1, workers=1, prove=True)
    event(f"{result.status}, wishes kept: {bool(kept) and min(kept)[0] == 0}")
    if result.plan is None or joined(result):
        assert not kept or joined(result)
        return
    violation, cost = problem_violation(problem, result.plan.labels), problem_cost(problem, result.plan.labels)
    assert (result.status == "VIOLATED") == (not kept)
    if result.status == "OPTIMAL":
        assert (violation, cost) == min(kept)
        assert result.bound == cost
    elif kept:
        assert violation == min(kept)[0]
        assert problem.objective.get("inertia")
