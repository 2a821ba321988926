"""
Small territories by the thousand, as CSV on standard output: ``python -m benchmarks.communities [--tiny]``.

Communities are plain cities (`gridopt.synthetic.plain_city`) of `--units` units in `--grids` grids. One row for each
way: ``nested`` solves one problem with parents, ``many`` gives `solve_many` a problem for each community. Times are
those of the solving alone, problems being built and kernels loaded. `share_proved` is that of the communities with a
plan proved optimal, `refuted` those proved to have none within the limits; `ratio` is the mean cost over the optimum
proved with HiGHS on a sample of `--sample` communities, and `open` how many of these it could not decide in a minute.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

import gridopt as go
from benchmarks._setting import point_kernel_cache, setting

COLUMNS = (
    "way", "communities", "units", "grids", "tolerance", "effort", "seconds", "workers", "status", "sound", "refuted",
    "violated", "share_proved", "cost", "steps", "wall_s", "cpu_s", "per_second", "cpu_ms_each", "sample", "ratio",
    "open", "machine", "processors", "system", "python", "numpy", "numba", "commit", "date",
)  # fmt: skip

MOST_SETS = 5_000_000
"""Sets grown in plain Python at most, which takes some ten seconds."""


def build(count: int, units: int, seed: int) -> tuple[list[go.Graph], list[np.ndarray]]:
    """Graphs and workloads of the communities."""
    cities = [go.synthetic.plain_city(units, seed=seed + i) for i in range(count)]
    return [graph for graph, _ in cities], [work for _, work in cities]


def nested(graphs: list[go.Graph], works: list[np.ndarray], grids: int, tolerance: float) -> go.Problem:
    """One problem, each community a parent with `grids` grids."""
    sizes = [graph.n_units for graph in graphs]
    first = np.concatenate([[0], np.cumsum(sizes)])
    edges = np.concatenate([graph.edges + start for graph, start in zip(graphs, first)])
    costs = np.concatenate([graph.cost for graph in graphs])
    whole = go.Graph.from_edges(int(first[-1]), edges, costs=costs)
    parent = np.repeat(np.arange(len(graphs)), sizes)
    return go.build_problem(
        whole,
        workload=np.concatenate(works),
        n_grids=grids * len(graphs),
        tolerance=tolerance,
        parent=parent,
        n_per_parent=(grids, grids),
    )


def judge_nested(problem: go.Problem, result: go.Result, count: int) -> dict[str, Any]:
    """Communities that are sound, refuted, and neither; by the plan and the findings alone."""
    parent = problem.nesting.region_parent[problem.nesting.region]
    refuted = {parent[problem.graph.ids == f.ids[0]][0] for f in result.exceptions if f.code == "infeasible-region"}
    broken: set[int] = set(refuted)
    if result.plan is not None:
        grid_parent = np.empty(problem.n_grids, dtype=np.int64)
        grid_parent[result.plan.labels] = parent
        names = {name: j for j, name in enumerate(result.plan.grid_ids)}
        found = go.verify(problem, result.plan)
        broken |= {int(grid_parent[names[f.ids[0]]]) for f in found}
    sound = count - len(broken) if result.plan is not None else 0
    return {"sound": sound, "refuted": len(refuted), "violated": count - sound - len(refuted)}


def sets_within(problem: go.Problem, lo: int, hi: int, own: int, others: int) -> Iterator[tuple[int, int]]:
    """
    All connected sets of units that load a grid with `lo` to `hi`, and their borders.

    Sets of units are the bits of an integer. They contain all of `own` and none of `others`. OverflowError if more than
    `MOST_SETS` sets have to be grown.
    """
    n, work = problem.n_units, problem.workload[:, 0].tolist()
    near, cost = [0] * n, [[0] * n for _ in range(n)]
    for (u, v), price in zip(problem.graph.edges.tolist(), problem.graph.cost.tolist()):
        near[u] |= 1 << v
        near[v] |= 1 << u
        cost[u][v] = cost[v][u] = price
    grown = 0
    for first in [(own & -own).bit_length() - 1] if own else range(n):
        # members, neighbours that may still join, units decided, load, border: a set grows from its first unit
        decided = others | ((1 << first) if own else (2 << first) - 1)
        stack = [(1 << first, near[first] & ~decided, decided, work[first], sum(cost[first]))]
        while stack:
            members, front, decided, load, border = stack.pop()
            grown += 1
            if grown > MOST_SETS:
                raise OverflowError(f"more than {MOST_SETS} sets")
            if lo <= load <= hi and members & own == own:
                yield members, border
            while front:
                bit = front & -front
                front, u = front ^ bit, bit.bit_length() - 1
                decided |= bit
                if load + work[u] <= hi:
                    inner = sum(price for v, price in enumerate(cost[u]) if members >> v & 1)
                    wider = (front | near[u]) & ~decided
                    stack.append((members | bit, wider, decided, load + work[u], border + sum(cost[u]) - 2 * inner))


def optimum(problem: go.Problem, cost: int, seconds: float = 60.0) -> int | None:
    """
    Least cost of a plan that costs no more than `cost`, proved with HiGHS; None where that takes too long.

    It chooses among all sets of units that a grid may have: each unit lies in one, and of each kind of grid, its limits
    and the units fixed to it, there are as many as the problem has. Sets whose reduced cost in the linear program is
    above what `cost` leaves are in no such plan. Nothing of the search is used. Only the first attribute
    counts, and units kept together or apart are not known here: communities of this benchmark have none.
    """
    n = problem.n_units
    held = [sum(1 << u for u in np.flatnonzero(problem.fixed == g).tolist()) for g in range(problem.n_grids)]
    kinds = Counter(zip(problem.lo[:, 0].tolist(), problem.hi[:, 0].tolist(), held))
    try:
        listed = [
            (members | 1 << (n + i), border)
            for i, (lo, hi, own) in enumerate(kinds)
            for members, border in sets_within(problem, lo, hi, own, sum(held) & ~own)
        ]
    except OverflowError:
        return None
    bits = [[u for u in range(n + len(kinds)) if members >> u & 1] for members, _ in listed]
    columns = np.repeat(np.arange(len(bits)), [len(own) for own in bits])
    shape = (n + len(kinds), len(bits))
    matrix = sparse.csc_matrix((np.ones(len(columns)), (np.concatenate(bits), columns)), shape=shape)
    prices = np.array([border for _, border in listed]) / 2
    needed = np.array([1] * n + list(kinds.values()))
    relaxed = linprog(prices, A_eq=matrix, b_eq=needed, method="highs")
    if relaxed.status:
        return None
    reduced = prices - matrix.T @ relaxed.eqlin.marginals
    near = np.flatnonzero(reduced <= cost - relaxed.fun + 1e-6)
    found = milp(
        prices[near], integrality=np.ones(len(near)), bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix[:, near], needed, needed),
        options={"time_limit": seconds, "mip_rel_gap": 0.0},
    )  # fmt: skip
    return round(found.fun) if found.status == 0 else None


def run(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Both ways on the same communities, and the sample solved exactly."""
    graphs, works = build(arguments.communities, arguments.units, arguments.seed)
    asked = {"seconds": arguments.seconds, "workers": arguments.workers, "effort": arguments.effort}
    whole = nested(graphs, works, arguments.grids, arguments.tolerance)
    each = [
        go.build_problem(graph, work, n_grids=arguments.grids, tolerance=arguments.tolerance)
        for graph, work in zip(graphs, works)
    ]
    go.compile()
    rows = []
    for way in ("nested", "many"):
        began, spent = time.perf_counter(), time.process_time()
        found = [go.solve(whole, **asked)] if way == "nested" else go.solve_many(each, **asked)
        wall, cpu = time.perf_counter() - began, time.process_time() - spent
        if way == "nested":
            judged = judge_nested(whole, found[0], len(graphs))
            status, proved = str(found[0].status), None
        else:
            kinds = [result.status for result in found]
            sound = sum(kind in (go.Status.OPTIMAL, go.Status.FEASIBLE) for kind in kinds)
            refuted = kinds.count(go.Status.INFEASIBLE)
            judged = {"sound": sound, "refuted": refuted, "violated": len(kinds) - sound - refuted}
            status, proved = "", kinds.count(go.Status.OPTIMAL) / len(kinds)
        rows.append({
            "way": way, **{name: getattr(arguments, name) for name in ("communities", "units", "grids", "tolerance")},
            **asked, "status": status, **judged, "share_proved": proved,
            "cost": sum(result.cost for result in found if result.cost is not None),
            "steps": sum(result.trace[-1].step for result in found if result.trace), "wall_s": round(wall, 3),
            "cpu_s": round(cpu, 3), "per_second": round(len(graphs) / wall, 1),
            "cpu_ms_each": round(1e3 * cpu / len(graphs), 3), **setting(),
        })  # fmt: skip
    ratios, undecided = [], 0
    for i in range(0, len(each), -(-len(each) // arguments.sample)) if arguments.sample else ():
        if found[i].status in (go.Status.OPTIMAL, go.Status.FEASIBLE):
            best = optimum(each[i], found[i].cost)
            undecided += best is None
            ratios += [] if best is None else [found[i].cost / best if best else 1.0]
    rows[-1] |= {"sample": len(ratios), "ratio": float(np.mean(ratios)) if ratios else None, "open": undecided}
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run, and write the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.communities", description=__doc__)
    parser.add_argument("--communities", type=int, default=20_000)
    parser.add_argument("--units", type=int, default=30)
    parser.add_argument("--grids", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=0.1)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=200)
    parser.add_argument("--tiny", action="store_true", help="a few communities, for the tests")
    given = parser.parse_args(arguments)
    if given.tiny:
        given.communities, given.units, given.grids, given.sample = 12, 12, 3, 4
    point_kernel_cache()
    writer = csv.DictWriter(sys.stdout, COLUMNS, restval="")
    writer.writeheader()
    writer.writerows(run(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
