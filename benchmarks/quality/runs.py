"""Runs: a task for each solver, seed and budget, carried out in child processes; a row of figures for each view."""

from __future__ import annotations

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._setting import ROOT
from benchmarks.quality.case import Case, write_arrays
from benchmarks.quality.measure import measure
from benchmarks.quality.peers import PEERS

if TYPE_CHECKING:
    from gridopt import Problem

__all__ = ["COLUMNS", "Run", "carry_out", "repair_seconds"]

COLUMNS = (
    *("instance", "digest", "n_units", "n_edges", "n_grids", "n_regions", "n_exempt", "tolerance"),
    *("solver", "view", "version", "settings", "seed", "seconds", "steps", "workers", "status"),
    *("cut", "parts", "pieces", "over", "under", "violation_over", "violation", "sound"),
    *("runs", "runs_sound", "median_cut", "least_cut", "wall_s", "cpu_s", "compile_s", "peak_mb"),
    *("machine", "processors", "system", "python", "numpy", "numba", "commit", "date"),
)
"""Columns of the CSV, explained in benchmarks/README.md."""

WORKER = ["-m", "benchmarks.quality.worker"]
PATIENCE = (300.0, 6.0)
"""A child may take so many seconds, plus so many times its budget, before it is ended."""
CAP = (120.0, 10.0)
"""A peer's first run may take so many seconds, or so many times the budget if that is more: else it did not finish."""


@dataclass(frozen=True)
class Run:
    """
    One run to carry out.

    Parameters
    ----------
    instance, solver : str
    seed : int
    seconds : float or None
    steps : int or None
        Budget; peers know seconds only.
    workers : int
        Threads for gridopt; peers use one.
    effort : str
    cap : float or None
        Seconds for a peer's first run; `cap_seconds` of the budget unless given.
    """

    instance: str
    solver: str
    seed: int
    seconds: float | None
    steps: int | None = None
    workers: int = 1
    effort: str = "balanced"
    cap: float | None = None


def repair_seconds(solver: str, seconds: float) -> float:
    """
    Part of a peer's budget that goes into the repair of its best result.

    A tenth, at most one second, where the peer keeps contiguity by itself and balance alone is to be mended; a quarter
    where its parts are in pieces: with a tenth, most of those repairs end outside the band at 10,000 units.
    """
    whole = "contiguous" in PEERS[solver].promises
    return min(1.0, 0.1 * seconds) if whole else 0.25 * seconds


def cap_seconds(seconds: float) -> float:
    """What a peer's first run may take before it is recorded as one that did not finish."""
    return max(CAP[0], CAP[1] * seconds)


def carry_out(run: Run, problem: Problem, folder: Path) -> Iterator[tuple[dict[str, Any], NDArray[np.int32] | None]]:
    """
    Carry out a run, and for peers the repair of what it gave; yields a row and the labels for each view.

    Notes
    -----
    The repair hands the peer's best contiguous result, found within the budget less the repair's share, to gridopt as
    `start`: its wall time is the sum of both. It mends pieces and band, and lowers the cut where time is left:
    it flatters the peer.
    """
    case = Case.from_problem(problem)
    digest = case.digest()
    case_file, problem_file = folder / f"{digest[:16]}.npz", folder / f"{digest[:16]}.pickle"
    if not case_file.exists():
        case.write(case_file)
        problem_file.write_bytes(pickle.dumps(problem))
    repair = 0.0 if run.solver == "gridopt" else repair_seconds(run.solver, run.seconds or 0.0)
    early = (run.seconds or 0.0) - repair
    task = asdict(run) | {
        "case": str(case_file),
        "problem": str(problem_file),
        "digest": digest,
        "start": None,
        "early": early,
        "cap": run.cap or cap_seconds(run.seconds or 0.0),
    }
    labels, facts = _in_child(task, folder)
    base = {**case.facts(), **{name: getattr(run, name) for name in ("instance", "solver", "seed", "seconds", "steps")}}
    base["tolerance"] = problem.parameters.get("tolerance", "")
    base["workers"] = run.workers if run.solver == "gridopt" else 1
    if not labels:
        yield {**base, "view": "none", "sound": False, **facts}, None
        return
    for view, found in labels.items():
        if view != "early":
            yield {**base, "view": view, **facts, **_figures(case, found)}, found
    if run.solver == "gridopt":
        return
    start = folder / "start.npz"
    write_arrays(start, labels)
    again = {**task, "solver": "gridopt", "seconds": repair, "workers": 1}
    mended, more = _in_child({**again, "start": str(start), "start_view": "early"}, folder)
    row = {**base, "view": "repaired", **facts, "status": more["status"], "runs_sound": None, "median_cut": None}
    row.update(trace=None, least_cut=None)
    for name, before in (("wall_s", "early_s"), ("cpu_s", "early_cpu_s")):
        row[name] = facts[before] + more[name] if name in more else None
    row["peak_mb"] = max(facts["peak_mb"], more.get("peak_mb", 0.0))
    found_again = mended.get("plan")
    yield {**row, **(_figures(case, found_again) if found_again is not None else {"sound": False})}, found_again


def _figures(case: Case, labels: NDArray[np.int32]) -> dict[str, Any]:
    figures = measure(case, labels)
    return {**asdict(figures), "sound": figures.is_sound(case.n_grids)}


def _in_child(task: dict[str, Any], folder: Path) -> tuple[dict[str, NDArray[np.int32]], dict[str, Any]]:
    """Run one task in a fresh interpreter; what goes wrong there becomes its status."""
    files = {"labels": folder / "labels.npz", "facts": folder / "facts.json"}
    for path in files.values():
        path.unlink(missing_ok=True)
    task_file = folder / "task.json"
    task_file.write_text(json.dumps({**task, **{k: str(v) for k, v in files.items()}}), encoding="utf-8")
    patience = PATIENCE[0] + PATIENCE[1] * (task["seconds"] or 100.0) + task["cap"]
    command = [sys.executable, "-W", "ignore", *WORKER, str(task_file)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=patience, check=False)
    except subprocess.TimeoutExpired:
        return {}, {"status": f"ended after {patience:.0f} s"}
    if done.returncode or not files["facts"].exists():
        if task["solver"] != "gridopt" and -done.returncode == getattr(signal, "SIGALRM", None):
            return {}, {"status": f"did not finish one run within {task['cap']:g} s"}
        said = done.stderr.strip().splitlines()
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        return {}, {"status": f"{how}: {said[-1] if said else 'no message'}"}
    with np.load(files["labels"]) as arrays:
        labels = {name: arrays[name] for name in arrays.files}
    return labels, json.loads(files["facts"].read_text(encoding="utf-8"))
