"""``python -m benchmarks.quality``: run, write a CSV row for each run and view, print a table."""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._setting import ROOT, point_kernel_cache, setting
from benchmarks.quality.best import keep_if_better
from benchmarks.quality.peers import DISTRIBUTION
from benchmarks.quality.runs import COLUMNS, Run, carry_out
from benchmarks.quality.table import format_table
from gridopt.workflow import datasets

MODULES = {"pymetis": "pymetis", "kahip": "kahip"}
TINY_INSTANCES = ["plain-city-300-12", "city-300-12"]


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, write, print."""
    wish = _parse(arguments)
    if wish.tiny:
        wish.instance, wish.seconds, wish.seeds = TINY_INSTANCES, [0.3], [1]
    missing = [s for s in wish.solvers if s != "gridopt" and find_spec(MODULES[DISTRIBUTION[s]]) is None]
    for solver in missing:
        print(f"{solver} is not installed and left out (pip install {DISTRIBUTION[solver]})", file=sys.stderr)
    solvers = [s for s in wish.solvers if s not in missing]
    point_kernel_cache()
    where = setting()
    rows: list[dict[str, Any]] = []
    wish.csv.parent.mkdir(parents=True, exist_ok=True)
    changes = {} if wish.tolerance is None else {"tolerance": wish.tolerance}
    with wish.csv.open("a", newline="", encoding="utf-8") as file, tempfile.TemporaryDirectory() as scratch:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if file.tell() == 0:
            writer.writeheader()
        for instance in wish.instance:
            problem = datasets.load(instance).to_problem(**changes)
            for run in _runs(wish, instance, solvers):
                for row, labels in carry_out(run, problem, Path(scratch)):
                    row.update(where)
                    rows.append(row)
                    writer.writerow({name: row.get(name) for name in COLUMNS})
                    file.flush()
                    if wish.keep_best and not changes and labels is not None and keep_if_better(problem, row, labels):
                        print(f"{instance}: best known is now {row['cut']:,}", file=sys.stderr)
                print(f"{instance} {run.solver} seed {run.seed}: done", file=sys.stderr)
    print(format_table(rows))
    print(f"\nrows appended to {wish.csv}", file=sys.stderr)
    return 0


def _runs(wish: argparse.Namespace, instance: str, solvers: list[str]) -> list[Run]:
    """Seeds outermost, so that slow minutes of the machine fall on all solvers alike."""
    budgets = [(seconds, None) for seconds in wish.seconds] if wish.steps is None else [(None, wish.steps)]
    return [
        Run(instance, solver, seed, seconds, steps, wish.workers, wish.effort)
        for seed in wish.seeds
        for seconds, steps in budgets
        for solver in solvers
        if solver == "gridopt" or seconds is not None
    ]


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    parser.add_argument("--instance", nargs="+", default=["plain-city-10000-400"], help="names of data sets")
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0], help="budgets, wall time within the solver")
    parser.add_argument("--steps", type=int, help="budget of gridopt that reproduces, instead of seconds; no peers")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--solvers", nargs="+", choices=[*DISTRIBUTION, "gridopt"], default=["metis", "gridopt"])
    parser.add_argument("--workers", type=int, default=1, help="threads for gridopt; peers use one")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--tolerance", help="another tolerance than the instance's own")
    parser.add_argument("--csv", type=Path, default=ROOT / ".benchmarks" / f"quality-{today}.csv")
    parser.add_argument("--keep-best", action="store_true", help="record better plans under datasets/")
    parser.add_argument("--tiny", action="store_true", help="two small instances, one seed, 0.3 s: does it run at all")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
