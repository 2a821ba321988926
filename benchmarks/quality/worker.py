"""
One run in a process of its own: ``python -m benchmarks.quality.worker TASK.json``.

The task names the case file and its digest, the solver, seed and budget. The worker reads the arrays, refuses them if
the digest differs, runs, and writes labels (one array for each view) and facts beside the task.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._setting import peak_mb
from benchmarks.quality.case import Case, write_arrays

Found = tuple[dict[str, NDArray[np.int32]], dict[str, Any]]


def main(path: str) -> None:
    """Run the task at `path`."""
    task = json.loads(Path(path).read_text(encoding="utf-8"))
    labels, facts = (run_gridopt if task["solver"] == "gridopt" else run_peer)(task)
    facts["peak_mb"] = peak_mb()
    write_arrays(task["labels"], labels)
    Path(task["facts"]).write_text(json.dumps(facts), encoding="utf-8")


def run_gridopt(task: dict[str, Any]) -> Found:
    """Solve the pickled problem, after comparing its arrays with the case; a `start` makes it a repair."""
    import pickle

    import gridopt as go

    problem = pickle.loads(Path(task["problem"]).read_bytes())
    check_digest(Case.from_problem(problem), task)
    compile_s = go.compile()
    start = np.load(task["start"])[task["start_view"]] if task["start"] else None
    began, cpu_began = time.perf_counter(), time.process_time()
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
        "cpu_s": time.process_time() - cpu_began,
        "compile_s": compile_s,
        "status": str(result.status.value),
        "version": go.__version__,
        "settings": f"effort {task['effort']}",
        "runs": 1,
        "trace": [(step.seconds, step.cost, step.violation) for step in result.trace if step.cost is not None],
    }
    return {} if result.plan is None else {"plan": result.plan.labels}, facts


def run_peer(task: dict[str, Any]) -> Found:
    """
    Run a peer with as many seeds as the time allows, at least one, and keep the best for each view.

    ``claim``: least cut among contiguous results (fewest defects first), the upper limit as the peer itself sees it.
    ``band``: least violation of both limits, then least cut. ``early``: the claim when only `early` seconds were spent.
    What the system does when the alarm goes off ends this process, whatever language the peer is in.
    """
    from benchmarks._setting import version_of
    from benchmarks.quality.measure import measure
    from benchmarks.quality.peers import PEERS, Attempt

    case = Case.read(task["case"])
    check_digest(case, task)
    peer = PEERS[task["solver"]]
    began = time.perf_counter()
    attempt = Attempt(case, task["solver"])
    prepare_s = time.perf_counter() - began
    best: dict[str, tuple[tuple[int, ...], NDArray[np.int32]]] = {}
    cuts: list[int] = []
    trace: list[tuple[float, int, int]] = []
    n_sound, spent, cpu, early = 0, 0.0, 0.0, (0.0, 0.0)
    set_alarm(task["cap"])
    while not cuts or spent + spent / len(cuts) < task["seconds"]:
        began, cpu_began = time.perf_counter(), time.process_time()
        labels = attempt.labels(task["seed"] * 1_009 + len(cuts), task["seconds"])
        spent += time.perf_counter() - began
        cpu += time.process_time() - cpu_began
        set_alarm(0)
        figures = measure(case, labels)
        defects = figures.pieces - figures.parts + abs(case.n_grids - figures.parts)
        keys = {
            "claim": (defects, figures.cut),
            "band": (defects, figures.violation, figures.cut),
        }
        if not cuts or spent <= task["early"]:
            keys["early"] = keys["claim"]
            early = (spent, cpu)
        for view, key in keys.items():
            if view not in best or key < best[view][0]:
                best[view] = (key, labels)
                if view == "claim":
                    trace.append((spent, figures.cut, defects))
        cuts.append(figures.cut)
        n_sound += figures.is_sound(case.n_grids)
    facts = {
        "wall_s": spent,
        "cpu_s": cpu,
        "early_s": early[0],
        "early_cpu_s": early[1],
        "compile_s": prepare_s,
        "status": "ok",
        "version": version_of(peer.distribution),
        "settings": peer.settings,
        "runs": len(cuts),
        "runs_sound": n_sound,
        "median_cut": float(np.median(cuts)),
        "least_cut": min(cuts),
        "trace": trace,
    }
    return {view: labels for view, (_, labels) in best.items()}, facts


def set_alarm(seconds: float) -> None:
    """Let the system end this process after so many seconds; 0 takes that back. Nothing where there are no alarms."""
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def check_digest(case: Case, task: dict[str, Any]) -> None:
    """Refuse arrays that are not the ones all others were given."""
    if case.digest() != task["digest"]:
        raise SystemExit(f"the arrays of {task['instance']} differ from those the other solvers were given")


if __name__ == "__main__":
    main(sys.argv[1])
