"""
How little moves when something changes: ``python -m benchmarks.rebalance [--tiny] [--only CASE] [--csv PATH]``.

Each case is a plan in force and the problem of today. ``gridopt`` rebalances it, with its defaults and asked for the
very least; ``solve`` and the peers partition both problems afresh with the same seed, their grids being matched with
those before by optimal assignment. The plan in force of `gridopt` and ``solve`` is the one `solve` finds before the
change. A table is printed; with `--csv` all columns are written. CPU time stands beside wall time: machines are shared.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linear_sum_assignment

import gridopt as go
from benchmarks._setting import ROOT, point_kernel_cache, setting
from benchmarks.quality.case import Case
from gridopt.planning import rebalance
from gridopt.planning.force import read_force
from gridopt.planning.touched import least_touched
from gridopt.rules.constraints import total_violation
from gridopt.rules.objective import cost as cost_of

COLUMNS = (
    *("case", "method", "units", "grids", "status", "grids_outside", "violation", "pieces_over", "moved_workload"),
    *(
        "moved_units",
        "bound",
        "ratio",
        "cost_ratio",
        "grids_untouched",
        "most_untouched",
        "steps_away",
        "in_steps",
        "wall_s",
        "cpu_s",
    ),
    *("machine", "processors", "system", "python", "numpy", "numba", "commit", "date"),
)
SHOWN = COLUMNS[:19]
PEERS = ("metis", "kahip-eco")
STEPS_PER_UNIT = 1_000
"""Budget of the plans in force and of solving afresh."""


@dataclass(frozen=True)
class Change:
    """A plan in force, and what has become of its problem."""

    name: str
    before: go.Problem
    after: go.Problem


def lattice(side: int, k: int, rng: np.random.Generator) -> Change:
    """Square lattice within 3 %, a twentieth of the weights drawn anew."""
    at = np.arange(side * side).reshape(side, side)
    pairs = [(at[:, :-1], at[:, 1:]), (at[:-1], at[1:])]
    edges = np.concatenate([np.column_stack([a.ravel(), b.ravel()]) for a, b in pairs])
    graph = go.Graph.from_edges(side * side, edges, np.full(len(edges), 1000))
    work = rng.integers(10, 100, side * side)
    new = np.array(work)
    chosen = rng.choice(len(work), len(work) // 20, replace=False)
    new[chosen] = rng.integers(10, 100, len(chosen))
    before, after = (go.build_problem(graph, w, n_grids=k, tolerance="0.03") for w in (work, new))
    return Change(f"lattice {side} x {side}, {k} grids, 3 %: 5 % of weights redrawn", before, after)


def city(n: int, k: int, tolerance: str, share: float, by: float, rng: np.random.Generator, name: str) -> Change:
    """Plain city of which a share of the units changes by up to so much."""
    graph, work = go.synthetic.plain_city(n, seed=0)
    after = changed(work, share, by, rng)
    problems = [go.build_problem(graph, w, n_grids=k, tolerance=tolerance) for w in (work, after)]
    return Change(name, *problems)


def changed(work: NDArray[np.int64], share: float, by: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Workload of which a share of the units has changed by up to so much, at least 1."""
    new = work.astype(np.float64)
    chosen = rng.choice(len(work), int(share * len(work)), replace=False)
    new[chosen] *= rng.uniform(1 - by, 1 + by, len(chosen))
    return np.maximum(1, np.rint(new)).astype(np.int64)


def tower(n: int, k: int, rng: np.random.Generator) -> Change:
    """Plain city in which one unit gains half the load of a grid."""
    graph, work = go.synthetic.plain_city(n, seed=0)
    after = np.array(work)
    after[rng.integers(n)] += work.sum() // k // 2
    problems = [go.build_problem(graph, w, n_grids=k, tolerance="0.05") for w in (work, after)]
    return Change(f"plain city {n} / {k}, 5 %: half a grid's load in one place", *problems)


def other_number(n: int, k: int, more: int) -> Change:
    """Plain city that is to have another number of grids."""
    graph, work = go.synthetic.plain_city(n, seed=0)
    problems = [go.build_problem(graph, work, n_grids=grids, tolerance="0.1") for grids in (k, k + more)]
    return Change(f"plain city {n} / {k}, 10 %: {more:+d} grid", *problems)


def cases(tiny: bool, seed: int) -> dict[str, Callable[[], Change]]:
    """Cases by the name they are asked for."""
    rng = np.random.default_rng(seed)
    n, k, wide = (400, 16, 24) if tiny else (10_000, 400, 600)
    side, parts = (12, 8) if tiny else (40, 20)
    return {
        "lattice": lambda: lattice(side, parts, rng),
        "city": lambda: city(n, k, "0.05", 0.05, 0.5, rng, f"plain city {n} / {k}, 5 %: 5 % of units by up to 50 %"),
        "tower": lambda: tower(n, k, rng),
        "plus": lambda: other_number(n, k, 1),
        "minus": lambda: other_number(n, k, -1),
        "wide": lambda: city(
            wide * 25, wide, "0.05", 0.3, 0.1, rng, f"plain city {wide * 25} / {wide}, 5 %: 30 % of units by up to 10 %"
        ),
    }


# ---- methods --------------------------------------------------------------------------------------------------------


def plan_of(problem: go.Problem, seed: int) -> NDArray[np.int32]:
    """Labels that `solve` finds."""
    result = go.solve(problem, steps=STEPS_PER_UNIT * problem.n_units, seed=seed)
    return result.require_plan().labels


def peer_labels(problem: go.Problem, name: str, seed: int) -> NDArray[np.int32] | None:
    """Labels of a peer, from a process of its own: a crash there ends this run only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        Case.from_problem(problem).write(path)
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.rebalance", "--peer", name, str(path), str(seed)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        out = path.with_suffix(".npy")
        return np.load(out) if done.returncode == 0 and out.exists() else None


def child(name: str, path: str, seed: int) -> None:
    """Partition the case at `path` in this process."""
    from benchmarks.quality.peers import Attempt

    labels = Attempt(Case.read(path), name).labels(seed, 60.0)
    np.save(Path(path).with_suffix(".npy"), labels)


def matched(labels: NDArray[Any], before: NDArray[Any], work: NDArray[np.int64]) -> NDArray[np.int64]:
    """Labels renamed so that as much workload as possible keeps its label (Hungarian method)."""
    k, old = int(labels.max()) + 1, int(before.max()) + 1
    shared = sparse.coo_matrix((work, (labels, before)), shape=(k, old)).toarray()
    rows, cols = linear_sum_assignment(-shared)
    names = np.arange(old, old + k)
    names[rows] = cols
    return names[labels]


# ---- figures --------------------------------------------------------------------------------------------------------


def figures(change: Change, before: NDArray[Any], after: NDArray[Any], moved: NDArray[np.bool_]) -> dict[str, Any]:
    """What a change did, by the rules alone."""
    problem, work = change.after, change.after.workload[:, 0]
    k = problem.n_grids
    loads = np.bincount(after, weights=work, minlength=k)
    plan = go.Plan(problem, after)
    touched = np.zeros(int(before.max()) + 1, dtype=bool)
    touched[before[moved]] = True
    return {
        "units": problem.n_units,
        "grids": k,
        "grids_outside": int(((loads < problem.lo[:, 0]) | (loads > problem.hi[:, 0])).sum()),
        "violation": round(total_violation(problem, after) / 1e6, 4),
        "pieces_over": int(plan.pieces().sum() - k),
        "moved_workload": float(work[moved].sum() / work.sum()),
        "moved_units": float(moved.mean()),
        "cost_ratio": cost_of(problem, after) / cost_of(change.before, before),
    }


def steps_away(change: Change, before: NDArray[Any], changed_grids: NDArray[np.int64]) -> int:
    """Borders between the grids that broke their limits and the farthest grid that changed."""
    problem, k = change.after, int(before.max()) + 1
    loads = np.bincount(before, weights=problem.workload[:, 0], minlength=k)
    bad = np.flatnonzero((loads > problem.hi[0, 0]) | (loads < problem.lo[0, 0]))
    pairs = before[problem.graph.edges]
    near = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(k, k)).tocsr()
    if not len(bad):
        return 0
    distance = sparse.csgraph.dijkstra(near + near.T, unweighted=True, indices=bad, min_only=True)
    return int(distance[changed_grids].max(initial=0))


def rows_of(change: Change, seed: int, seconds: float | None) -> Iterator[dict[str, Any]]:
    """One row for each method."""
    before = plan_of(change.before, seed)
    old = go.Plan(change.before, before)
    least = least_touched(change.after, read_force(change.after, old))
    wishes: dict[str, dict[str, Any]] = {"gridopt": {}, "gridopt, least": {"margin": 0.0}}
    wishes["gridopt, 2 s"] = {"seconds": 2.0}
    for method, options in wishes.items():
        wall, cpu = time.perf_counter(), time.process_time()
        new = rebalance(change.after, old, seed=seed, stepwise=True, **({"seconds": seconds} | options))
        spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        found = figures(change, before, new.plan.labels, new.moved)
        touched = {m.source for m in new.moves} | {m.target for m in new.moves}
        rows = np.array([j for j, name in enumerate(old.grid_ids) if name in touched], dtype=np.int64)
        share = None if new.bound is None else float(new.bound) / float(change.after.workload[:, 0].sum())
        yield {"case": change.name, "method": method, "status": str(new.status), **found, **spent} | {
            "bound": share,
            "ratio": found["moved_workload"] / share if share else None,
            "grids_untouched": 1 - len(rows) / len(old.grid_ids),
            "most_untouched": None if least is None else 1 - least / len(old.grid_ids),
            "steps_away": steps_away(change, before, rows),
            "in_steps": new.in_steps,
        }
    for method in ("solve", *PEERS):
        wall, cpu = time.perf_counter(), time.process_time()
        labels_of = (lambda p: plan_of(p, seed)) if method == "solve" else (lambda p, m=method: peer_labels(p, m, seed))
        pair = [labels_of(change.before), labels_of(change.after)]
        spent = {"wall_s": (time.perf_counter() - wall) / 2, "cpu_s": (time.process_time() - cpu) / 2}
        if pair[0] is None or pair[1] is None:
            yield {"case": change.name, "method": f"{method} afresh", "status": "failed"}
            continue
        first, second = (np.asarray(labels) for labels in pair)
        renamed = matched(second, first, change.after.workload[:, 0])
        moved = renamed != first
        changed_grids = np.union1d(first[moved], renamed[moved])
        row = {"case": change.name, "method": f"{method} afresh", "status": ""} | spent
        untouched = 1 - float(np.isin(np.arange(first.max() + 1), changed_grids).mean())
        yield row | figures(change, first, second, moved) | {"grids_untouched": untouched}


def months(n: int, k: int, seed: int, count: int = 12) -> Iterator[dict[str, Any]]:
    """Months of change in a row, one unit in a hundred by up to a half: rebalanced each month, or solved afresh."""
    rng = np.random.default_rng(seed)
    graph, work = go.synthetic.plain_city(n, seed=0)
    problem = go.build_problem(graph, work, n_grids=k, tolerance="0.05")
    kept: NDArray[Any] = plan_of(problem, seed)
    afresh = kept
    began, moved, spent = cost_of(problem, kept), [0.0, 0.0], 0.0
    worst = 0
    for month in range(count):
        work = changed(work, 0.01, 0.5, rng)
        problem = go.build_problem(graph, work, n_grids=k, tolerance="0.05")
        cpu = time.process_time()
        new = rebalance(problem, kept, seed=seed + month)
        spent += time.process_time() - cpu
        worst += total_violation(problem, new.plan.labels)
        moved[0] += float(work[new.moved].sum() / work.sum())
        kept = new.plan.labels
        other = matched(plan_of(problem, seed + month + 1), afresh, work)
        moved[1] += float(work[other != afresh].sum() / work.sum())
        afresh = other
    name = f"plain city {n} / {k}, 5 %: {count} months of 1 %"
    for method, labels, total in (("gridopt", kept, moved[0]), ("solve afresh", afresh, moved[1])):
        yield {
            "case": name, "method": method, "units": n, "grids": k, "moved_workload": total,
            "cost_ratio": cost_of(problem, np.unique(labels, return_inverse=True)[1].astype(np.int32)) / began,
            "violation": worst / 1e6 if method == "gridopt" else None, "cpu_s": spent if method == "gridopt" else None,
        }  # fmt: skip


def show(row: dict[str, Any]) -> str:
    """One row of the table."""
    parts = []
    for name in SHOWN[2:]:
        value = row.get(name)
        if value is None or value == "":
            continue
        percent = name in ("moved_workload", "moved_units", "bound", "grids_untouched", "most_untouched")
        text = f"{100 * value:.2f} %" if percent else f"{value:.3f}" if isinstance(value, float) else str(value)
        parts.append(f"{name} {text}")
    return f"  {row['method']:<16} " + ", ".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Run, and print or write the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rebalance", description=__doc__)
    parser.add_argument("--only", action="append", help="lattice, city, tower, plus, minus, wide, months")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=None)
    parser.add_argument("--tiny", action="store_true", help="small territories, for the tests")
    parser.add_argument("--peer", nargs=3, metavar=("NAME", "CASE", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.peer:
        child(given.peer[0], given.peer[1], int(given.peer[2]))
        return 0
    point_kernel_cache()
    go.compile()
    known, rows = cases(given.tiny, given.seed), []
    for name in given.only or [*known, "months"]:
        size = (400, 16) if given.tiny else (10_000, 400)
        found = months(*size, given.seed, 3 if given.tiny else 12) if name == "months" else rows_of(
            known[name](), given.seed, given.seconds
        )  # fmt: skip
        last = ""
        for row in found:
            if row["case"] != last:
                last = row["case"]
                print(last, flush=True)
            print(show(row), flush=True)
            rows.append(row | setting())
    if given.csv:
        with given.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
