"""
Promises of `rebalance` on random problems: ``python -m benchmarks.changes [--count N] [--first SEED] [--show]``.

Each case is a lattice, a generated city or a random graph with a plan in force and a problem of today: workloads drawn
anew, one grid more or fewer, locks, several workloads, parents, frozen grids, caps, moves one by one. What comes out is
held against `solve` (never more violation), against every plan there is where the territory is tiny (what moves is the
least), and against what was asked. Cases that ran, were refused and failed are counted; the exit code is 1 if one did.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import gridopt as go
from benchmarks._setting import point_kernel_cache
from gridopt.planning import rebalance
from gridopt.rules.constraints import total_violation

STEPS_PER_UNIT = 3_000
TINY = 9
"""Units up to which all plans are gone through."""


@dataclass(frozen=True, eq=False)
class Request:
    """A plan in force, the problem of today, and what is asked."""

    seed: int
    problem: go.Problem
    graph: nx.Graph
    before: NDArray[Any]
    asked: dict[str, Any]
    locks: go.Locks
    is_nested: bool


# ---- drawing --------------------------------------------------------------------------------------------------------


def drawn(seed: int) -> Request | None:
    """Case number `seed`; None where no plan in force was found."""
    rng = np.random.default_rng(seed)
    tiny = seed % 2 == 0
    graph, work = _territory(rng, seed, tiny)
    n = graph.n_units
    k = int(rng.integers(2, 4 if tiny else max(4, n // 8)))
    try:
        base = go.build_problem(graph, work, n_grids=k, tolerance="0.3", soft=True)
        before = go.solve(base, steps=500 * n, seed=seed, workers=1).require_plan()
        parent = None
        if not tiny and rng.random() < 0.25:
            parent = np.where(before.labels < k // 2, "west", "east")
        locks = _locks(rng, graph) if rng.random() < 0.4 else go.Locks()
        columns = {"a": np.maximum(0, work + rng.integers(-6, 7, n)), "b": rng.integers(0, 9, n)}
        wanted = k + (int(rng.choice([-1, 1])) if rng.random() < 0.4 else 0)
        problem = go.build_problem(
            graph, columns if rng.random() < 0.3 else columns["a"], n_grids=max(1, wanted), parent=parent, locks=locks,
            tolerance=str(rng.choice(["0.1", "0.2", "0.4"])),
        )  # fmt: skip
    except (go.InputError, go.NoPlanError):
        return None
    asked: dict[str, Any] = {"stepwise": bool(rng.random() < 0.4), "count": str(rng.choice(["workload", "units"]))}
    names = before.grid_ids[before.labels]
    if rng.random() < 0.2:
        asked["frozen"] = [names[int(rng.integers(n))]]
    if rng.random() < 0.2:
        asked["max_moved"] = {str(rng.choice(["units", "workload"])): float(rng.choice([0.05, 0.2]))}
    nested = len(np.unique(problem.nesting.region)) > 1
    return Request(seed, problem, _as_network(graph), names, asked, locks, nested)


def _territory(rng: np.random.Generator, seed: int, tiny: bool) -> tuple[go.Graph, NDArray[np.int64]]:
    kind = ("lattice", "city", "random")[seed // 2 % 3]
    if kind == "city":
        return go.synthetic.plain_city(TINY if tiny else int(rng.integers(30, 200)), seed=seed)
    rows, cols = (3, 3) if tiny else rng.integers(5, 13, 2).tolist()
    n = rows * cols if kind == "lattice" else int(rng.integers(6, TINY + 1) if tiny else rng.integers(20, 80))
    if kind == "lattice":
        network = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, cols))
    else:
        network = nx.random_labeled_tree(n, seed=seed)
        network.add_edges_from((v - 3, v) for v in range(3, n))
    edges = np.array(sorted(tuple(sorted(e)) for e in network.edges))
    return go.Graph.from_edges(n, edges, costs=rng.integers(1, 9, len(edges))), rng.integers(1, 25, n)


def _locks(rng: np.random.Generator, graph: go.Graph) -> go.Locks:
    ids = graph.ids
    pair = [ids[u].item() for u in graph.edges[int(rng.integers(len(graph.edges)))]]
    others = [ids[u].item() for u in rng.choice(len(ids), 2, replace=False)]
    together = [pair] if rng.random() < 0.6 else []
    return go.Locks(together=together, apart=[others] if rng.random() < 0.6 and set(others) != set(pair) else [])


def _as_network(graph: go.Graph) -> nx.Graph:
    network = nx.empty_graph(graph.n_units)
    network.add_edges_from(graph.edges.tolist())
    return network


# ---- judging --------------------------------------------------------------------------------------------------------


def failures(case: Request) -> Iterator[str]:
    """What a case shows to be broken; "refused" where the request is."""
    problem, n = case.problem, case.problem.n_units
    budget = {"steps": STEPS_PER_UNIT * n, "seed": case.seed, "workers": 1}
    plan = pd.Series(case.before, index=problem.graph.ids)
    other = go.solve(problem, **budget)
    try:
        new = rebalance(problem, plan, margin=0.0, **budget, **case.asked)
    except (go.InputError, go.NoPlanError):
        free = not case.asked.keys() & {"frozen", "max_moved"}
        yield "refused, though solve has a plan" if free and other.plan is not None else "refused"
        return
    after = new.plan.grid_ids[new.plan.labels]
    yield from _broken_promises(case, new, after)
    violation = total_violation(problem, new.plan.labels)
    held = case.asked.keys() & {"frozen", "max_moved"} or case.asked["stepwise"]
    if not held and other.plan is not None and violation > total_violation(problem, other.plan.labels):
        yield f"violation {violation}, where solve has {total_violation(problem, other.plan.labels)}"
    if n <= TINY and not case.is_nested:
        yield from _against_every_plan(case, new.moved_amount, violation)


def _against_every_plan(case: Request, moved: float, violation: int) -> Iterator[str]:
    """The least that moves, within caps, frozen grids kept; steps one by one may need more."""
    least = least_moved(case)
    if least is None:
        if not violation:
            yield "within limits, where no plan is"
    elif violation:
        if not case.asked["stepwise"]:
            yield f"outside limits, where a plan moves {least}"
    elif moved < least or (moved > least and not case.asked["stepwise"]):
        yield f"moved {moved}, where {least} are the least"


def _broken_promises(case: Request, new: Any, after: NDArray[Any]) -> Iterator[str]:
    moved = case.before != after
    weights = {"units": np.ones(len(after), dtype=int), "workload": case.problem.workload[:, 0]}
    for name in np.unique(after):
        if not nx.is_connected(case.graph.subgraph(np.flatnonzero(after == name).tolist())):
            yield f"{name} is not connected"
    if len(np.unique(after)) != case.problem.n_grids:
        yield "another number of grids"
    for name, most in case.asked.get("max_moved", {}).items():
        if weights[name][moved].sum() > most * weights[name].sum():
            yield f"more {name} moved than allowed"
    for name in case.asked.get("frozen", ()):
        if ((case.before == name) != (after == name)).any():
            yield f"{name} was frozen, and has changed"
    if new.bound is not None and new.bound > new.moved_amount:
        yield "the bound is above what moved"
    if case.asked["stepwise"]:
        yield from _broken_steps(case, new, after)


def _broken_steps(case: Request, new: Any, after: NDArray[Any]) -> Iterator[str]:
    """Make the moves one by one: every grid that was connected stays so, but for compounds, which move at once."""
    now, place = np.array(case.before), {u: i for i, u in enumerate(case.problem.graph.ids.tolist())}
    together = case.problem.together
    for i, move in enumerate(new.moves):
        now[place[move.unit]] = move.target
        group = together[place[move.unit]]
        following = new.moves[i + 1] if i + 1 < len(new.moves) else None
        if group >= 0 and following is not None and together[place[following.unit]] == group:
            continue
        for name in (move.source, move.target):
            units = np.flatnonzero(now == name).tolist()
            if new.in_steps and units and not nx.is_connected(case.graph.subgraph(units)):
                yield f"{name} is in pieces after the move of {move.unit}"
    if (now != after).any():
        yield "the moves do not lead to the plan"


# ---- every plan -----------------------------------------------------------------------------------------------------


def least_moved(case: Request) -> int | None:
    """Least weight that moves to a plan within limits, locks and caps, over all plans; None where there is none."""
    problem, k = case.problem, case.problem.n_grids
    ids = {u: i for i, u in enumerate(problem.graph.ids.tolist())}
    groups = [[ids[u] for u in group] for group in case.locks.together]
    apart = [[ids[u] for u in group] for group in case.locks.apart]
    weight = np.ones(problem.n_units, int) if case.asked["count"] == "units" else problem.workload[:, 0]
    caps = [
        (np.ones(problem.n_units, int) if name == "units" else problem.workload[:, 0], share)
        for name, share in case.asked.get("max_moved", {}).items()
    ]
    old, home = np.unique(case.before, return_inverse=True)
    kept = [int(np.flatnonzero(old == name)[0]) for name in case.asked.get("frozen", ())]
    best = None
    for labels in _partitions(case.graph, k):
        loads = np.zeros_like(problem.lo)
        np.add.at(loads, labels, problem.workload)
        if (loads < problem.lo).any() or (loads > problem.hi).any():
            continue
        if any(len(set(labels[g])) > 1 for g in groups) or any(len(set(labels[g])) < len(g) for g in apart):
            continue
        for names in permutations(range(max(k, len(old))), k):
            now = np.array(names)[labels]
            moved = now != home
            if any(((now == j) != (home == j)).any() for j in kept):
                continue
            if any(w[moved].sum() > share * w.sum() for w, share in caps):
                continue
            away = int(weight[moved].sum())
            best = away if best is None else min(best, away)
    return best


def _partitions(graph: nx.Graph, k: int) -> Iterator[NDArray[np.int64]]:
    """Every partition into k connected parts, once (restricted growth strings)."""
    n = len(graph)
    labels = np.zeros(n, dtype=np.int64)

    def fill(u: int, used: int) -> Iterator[NDArray[np.int64]]:
        if n - u < k - used:
            return
        if u == n:
            if all(nx.is_connected(graph.subgraph(np.flatnonzero(labels == j).tolist())) for j in range(k)):
                yield labels.copy()
            return
        for j in range(min(used + 1, k)):
            labels[u] = j
            yield from fill(u + 1, max(used, j + 1))

    yield from fill(0, 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print what failed and how many did."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.changes", description=__doc__)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="name each case as it begins")
    given = parser.parse_args(arguments)
    point_kernel_cache()
    go.compile()
    seen: Counter[str] = Counter()
    for seed in range(given.first, given.first + given.count):
        if given.show:
            print(seed, flush=True)
        case = drawn(seed)
        if case is None:
            seen["no plan in force"] += 1
            continue
        found = list(failures(case))
        if found == ["refused"]:
            seen["refused"] += 1
            continue
        seen["ran"] += 1
        seen["against every plan"] += case.problem.n_units <= TINY and not case.is_nested
        seen["step by step"] += case.asked["stepwise"]
        seen["failed"] += bool(found)
        for line in found:
            print(f"case {seed}: {line}", flush=True)
    print(", ".join(f"{seen[name]} {name}" for name in ("ran", "failed", *sorted(set(seen) - {"ran", "failed"}))))
    return int(seen["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main())
