"""
Inner steps, timed with pytest-benchmark: ``python -m pytest benchmarks/micro``.

All are warmed before timing, so that no compilation is measured. ``GRIDOPT_BENCH_UNITS=300`` in the environment with
``--benchmark-disable`` is the tiny mode. ``extra_info`` holds what the time is to be divided by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import gridopt as go
from gridopt.rules import objective
from gridopt.territory.synthetic import City, city, plain_city

SEED = 1


@pytest.fixture(scope="module")
def problem(n: int) -> go.Problem:
    graph, workload = plain_city(n, SEED)
    return go.build_problem(graph, workload, n_grids=max(n // 25, 2), tolerance=0.1)


@pytest.fixture(scope="module")
def labels(problem: go.Problem) -> Any:
    return go.solve(problem, steps=20 * problem.n_units, seed=SEED, workers=1).require_plan().labels


@pytest.fixture(scope="module")
def town(n: int) -> City:
    return city(max(n // 5, 100), SEED)


def test_annealing_proposals(benchmark: Any, problem: go.Problem, labels: Any) -> None:
    """
    `solve` with steps from a plan. A step is a proposal: a unit on a border, a grid beside it, gain, and decision.

    ``proposals_per_second`` divides all steps by the least wall time, preparation and judging included;
    ``proposals_per_cpu_second`` is the price of one more step, in CPU time: what the search itself does.
    """
    steps = 200 * problem.n_units

    def run(steps: int) -> go.Result:
        return go.solve(problem, steps=steps, seed=SEED, workers=1, start=labels)

    result = benchmark.pedantic(run, args=(steps,), rounds=3, warmup_rounds=1)
    assert result.plan is not None
    benchmark.extra_info["steps"] = steps
    if benchmark.stats is not None:  # timed, not only carried out once
        benchmark.extra_info["proposals_per_second"] = round(steps / benchmark.stats.stats.min)
        more = min(cpu_seconds(run, steps) for _ in range(3)) - min(cpu_seconds(run, steps // 2) for _ in range(3))
        benchmark.extra_info["proposals_per_cpu_second"] = round((steps - steps // 2) / more)


def cpu_seconds(run: Callable[[int], Any], steps: int) -> float:
    began = time.process_time()
    run(steps)
    return time.process_time() - began


def test_first_plan(benchmark: Any, problem: go.Problem) -> None:
    """`solve` with hardly any steps: construction by spanning-tree cuts."""
    result = benchmark.pedantic(lambda: go.solve(problem, steps=1, seed=SEED, workers=1), rounds=3, warmup_rounds=1)
    assert result.plan is not None


def test_cost_from_scratch(benchmark: Any, problem: go.Problem, labels: Any) -> None:
    cost = benchmark(objective.cost, problem, labels)
    ends = labels[problem.graph.edges]
    assert cost == problem.graph.cost[ends[:, 0] != ends[:, 1]].sum()


def test_verify(benchmark: Any, problem: go.Problem, labels: Any) -> None:
    assert isinstance(benchmark(go.verify, problem, labels), list)


def test_build_problem(benchmark: Any, problem: go.Problem) -> None:
    made = benchmark(go.build_problem, problem.graph, problem.workload[:, 0], n_grids=problem.n_grids, tolerance=0.1)
    assert made.n_grids == problem.n_grids


def test_graph_from_edges(benchmark: Any, problem: go.Problem) -> None:
    graph = problem.graph
    made = benchmark(go.Graph.from_edges, graph.n_units, graph.edges, graph.length, graph.cost)
    assert np.array_equal(made.indices, graph.indices)


def test_components(benchmark: Any, problem: go.Problem) -> None:
    assert benchmark(problem.graph.components).max() == 0


def test_summary(benchmark: Any, problem: go.Problem, labels: Any) -> None:
    plan = go.Plan(problem, labels)
    assert len(benchmark(go.summary, plan)) == problem.n_grids


def test_build_blocks(benchmark: Any, town: City) -> None:
    blocks = benchmark(go.build_blocks, town.boundary, town.streets, barriers=town.rivers)
    assert len(blocks) == len(town.units)


def test_build_graph(benchmark: Any, town: City) -> None:
    made = benchmark(go.build_graph, town.units, streets=town.streets, barriers=town.rivers, crossings=town.bridges)
    assert made.n_edges == town.to_graph().n_edges


def test_locate(benchmark: Any, town: City) -> None:
    found = benchmark(go.locate, town.units, town.households)
    assert found.unit_of.tolist() == town.households["unit"].tolist()


def test_generate_plain_city(benchmark: Any, n: int) -> None:
    assert benchmark(plain_city, n, SEED)[0].n_units == n
