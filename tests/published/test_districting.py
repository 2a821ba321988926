"""
Published districting optima: plans from the literature are sound here and cost what was published.

Instances and values: Validi & Buchanan, Math. Prog. Comp. 14 (2022), "Political districting to minimize cut edges";
Validi, Buchanan & Lykhovyd, Oper. Res. 70 (2022), "Imposing contiguity constraints in political districting models".
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
import pytest

import gridopt as go
from gridopt.rules.objective import cost
from gridopt.solvers.exact import prove_piece
from gridopt.solvers.exact.cuts import find_tree_cuts
from gridopt.solvers.exact.variables import read_facts

CUT = {
    "ce2010-county-KS": 32,
    "ce2010-county-NE": 19,
    "ce2010-tract-NH": 26,
    "ce2010-tract-MS": 63,  # 62 is published, but the plan shipped cuts 63
}
SOUND = [*CUT, "feas2020-county-KS", "feas2020-county-NE", "hop2020-county-KS", "hop2020-county-NE"]
SOUND += ["moi2010-county-KS", "moi2010-county-NE", "moi2010-tract-MS", "moi2010-tract-NH"]


def problem_of(given: dict[str, Any]) -> go.Problem:
    """Build the problem of an instance: its graph with edges of cost 1, its weights and band."""
    nodes = given["nodes"]
    edges = np.array([edge[:2] for edge in given["edges"]])
    graph = go.Graph.from_edges(len(nodes), edges, xy=[(q["x"], q["y"]) for q in nodes])
    weights = [q["weight"] for q in nodes]
    return go.build_problem(graph, weights, n_grids=given["k"], band=(given["lower"], given["upper"]))


@pytest.fixture
def load(real_data):
    """Instance and published plan by name; skips where the data are absent."""

    def read(name: str) -> tuple[dict[str, Any], np.ndarray | None]:
        path = real_data(f"districting/instances/{name}.json.gz")
        given = json.loads(gzip.decompress(path.read_bytes()))
        plan = path.parent.parent / "solutions" / f"{name}.json"
        if not plan.exists():
            return given, None
        return given, np.unique(json.loads(plan.read_text())["assignment"], return_inverse=True)[1]

    return read


@pytest.mark.parametrize("name", SOUND)
def test_published_plans_are_sound(load, name):
    given, labels = load(name)
    assert go.verify(problem_of(given), labels) == []


@pytest.mark.parametrize(("name", "value"), CUT.items())
def test_published_plans_cut_as_many_edges_as_published(load, name, value):
    given, labels = load(name)
    assert cost(problem_of(given), labels) == value


@pytest.mark.parametrize("name", ["ce2010-county-KS", "ce2010-county-NE", "ce2010-tract-NH"])
def test_a_published_plan_stops_being_sound_when_a_border_unit_changes_sides(load, name):
    """Bands of half a percent leave no room: the checker must see each single move that breaks them."""
    given, labels = load(name)
    problem = problem_of(given)
    edges = problem.graph.edges[labels[problem.graph.edges[:, 0]] != labels[problem.graph.edges[:, 1]]]
    loads = np.bincount(labels, np.array([q["weight"] for q in given["nodes"]]))
    for u, v in edges[:10]:
        moved = labels.copy()
        moved[u] = labels[v]
        weight = given["nodes"][u]["weight"]
        within = loads[labels[u]] - weight >= given["lower"] and loads[labels[v]] + weight <= given["upper"]
        codes = {finding.code for finding in go.verify(problem, moved)}
        assert bool(codes & {"under-limit", "over-limit"}) == (not within)


def piece_of(problem: go.Problem) -> Any:
    """The one region of such a problem, as the exact solver reads it."""
    from strategies import plain_piece

    target = np.maximum(1, np.rint(problem.target)).astype(np.int64)
    arrays = (problem.graph.edges, problem.workload, problem.lo, problem.hi)
    return plain_piece(problem.n_units, *arrays, problem.graph.cost, target=target)


@pytest.mark.parametrize(("name", "least"), [("ce2010-county-NE", 10), ("ce2010-county-KS", 13)])
def test_bounds_lie_below_published_optima(load, name, least):
    """Knapsack-tree inequalities alone bound the number of cut edges: 11 and 14 after ten linear programs."""
    given, _ = load(name)
    bound = find_tree_cuts(read_facts(piece_of(problem_of(given))), rounds=10, seconds=120.0).bound
    assert least <= bound <= CUT[name]


def test_the_search_finds_the_published_optimum_of_nebraska(load):
    """19 cut edges, published as optimal; 1 s here."""
    problem = problem_of(load("ce2010-county-NE")[0])
    result = go.solve(problem, steps=2_000_000, seed=1, workers=1)
    assert go.verify(problem, result.plan) == []
    assert result.cost == 19


def test_the_search_keeps_the_published_optimum_of_kansas(load):
    """32 cut edges, published as optimal: starting there ends there."""
    given, labels = load("ce2010-county-KS")
    problem = problem_of(given)
    result = go.solve(problem, steps=200_000, seed=1, workers=1, start=labels)
    assert go.verify(problem, result.plan) == []
    assert result.cost == 32


def test_a_published_plan_is_never_beaten_by_a_proof(load):
    """Started at the published optimum, the exact solver keeps it: its bound is at most 19, and its plan costs 19."""
    given, labels = load("ce2010-county-NE")
    proof = prove_piece(piece_of(problem_of(given)), start=labels, seconds=3.0)
    assert proof.cost == 19
    assert proof.bound <= 19
    assert proof.status in ("optimal", "feasible")
