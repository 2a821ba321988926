"""
One run in a process of its own: ``python -m benchmarks.quality.worker TASK.json``.

The task names the case file and its digest, the solver, seed and budget. The worker reads the arrays, refuses them if
the digest differs, runs, and writes labels (one array for each view) and facts beside the task.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._setting import peak_mb
from benchmarks.quality.case import Case

Found = tuple[dict[str, NDArray[np.int32]], dict[str, Any]]


def main(path: str) -> None:
    """Run the task at `path`."""
    task = json.loads(Path(path).read_text(encoding="utf-8"))
    labels, facts = (run_gridopt if task["solver"] == "gridopt" else run_peer)(task)
    facts["peak_mb"] = peak_mb()
    np.savez(task["labels"], **labels)
    Path(task["facts"]).write_text(json.dumps(facts), encoding="utf-8")


def run_gridopt(task: dict[str, Any]) -> Found:
    """Solve the pickled problem, after comparing its arrays with the case; a `start` makes it a repair."""
    import pickle

    import gridopt as go

    problem = pickle.loads(Path(task["problem"]).read_bytes())
    check_digest(Case.from_problem(problem), task)
    compile_s = go.compile()
    start = np.load(task["start"])[task["start_view"]] if task["start"] else None
    began = time.perf_counter()
    result = go.solve(
        problem,
        seconds=task["seconds"],
        steps=task["steps"],
        seed=task["seed"],
        workers=task["workers"],
        effort=task["effort"],
        start=start,
    )
    facts = {
        "wall_s": time.perf_counter() - began,
        "compile_s": compile_s,
        "status": str(result.status.value),
        "version": go.__version__,
        "runs": 1,
    }
    return {} if result.plan is None else {"plan": result.plan.labels}, facts


def run_peer(task: dict[str, Any]) -> Found:
    """
    Run a peer with as many seeds as the time allows, at least one, and keep the best for each view.

    ``claim``: least cut among contiguous results (fewest defects first), the upper limit as the peer itself sees it.
    ``band``: least violation of both limits, then least cut. ``early``: the claim when only `early` seconds were spent.
    """
    from benchmarks._setting import version_of
    from benchmarks.quality.measure import measure
    from benchmarks.quality.peers import DISTRIBUTION, partition, parts_of

    case = Case.read(task["case"])
    check_digest(case, task)
    parts = parts_of(case)
    best: dict[str, tuple[tuple[int, ...], NDArray[np.int32]]] = {}
    cuts, n_sound, spent = [], 0, 0.0
    while not cuts or spent + spent / len(cuts) < task["seconds"]:
        began = time.perf_counter()
        labels = partition(case, parts, task["solver"], task["seed"] * 1_000_003 + len(cuts))
        spent += time.perf_counter() - began
        figures = measure(case, labels)
        defects = figures.pieces - figures.parts + abs(case.n_grids - figures.parts)
        keys = {
            "claim": (defects, figures.cut),
            "band": (defects, figures.violation, figures.cut),
        }
        if not cuts or spent <= task["early"]:
            keys["early"] = keys["claim"]
        for view, key in keys.items():
            if view not in best or key < best[view][0]:
                best[view] = (key, labels)
        cuts.append(figures.cut)
        n_sound += figures.is_sound(case.n_grids)
    facts = {
        "wall_s": spent,
        "status": "ok",
        "version": version_of(DISTRIBUTION[task["solver"]]),
        "runs": len(cuts),
        "runs_sound": n_sound,
        "median_cut": float(np.median(cuts)),
    }
    return {view: labels for view, (_, labels) in best.items()}, facts


def check_digest(case: Case, task: dict[str, Any]) -> None:
    """Refuse arrays that are not the ones all others were given."""
    if case.digest() != task["digest"]:
        raise SystemExit(f"the arrays of {task['instance']} differ from those the other solvers were given")


if __name__ == "__main__":
    main(sys.argv[1])
