"""``python -m benchmarks.quality``: run, write a CSV row for each run and view, print a table, draw pictures."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks._setting import ROOT, point_kernel_cache, setting
from benchmarks.quality.best import keep_if_better
from benchmarks.quality.peers import PEERS, is_installed
from benchmarks.quality.pictures import draw_all
from benchmarks.quality.record import Record
from benchmarks.quality.runs import Run, carry_out
from benchmarks.quality.suite import SUITES, Row, chosen, format_suite
from benchmarks.quality.table import format_table
from gridopt import Problem
from gridopt.errors import InputError
from gridopt.workflow import datasets

ALL = (*PEERS, "gridopt")


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, write, print."""
    wish = _parse(arguments)
    if wish.list:
        rows = [row.name for suite in SUITES for row in SUITES[suite]]
        print("\n".join(["peers:", *(f"  {n}: {p.settings} [{p.promises}]" for n, p in PEERS.items()), "rows:", *rows]))
        return 0
    if wish.tiny:
        wish.instance, wish.seconds, wish.seeds = [row.instance for row in SUITES["tiny"]], [0.3], [1]
    if "all" in wish.solvers:
        wish.solvers = list(ALL)
    for solver in [s for s in wish.solvers if s != "gridopt" and not is_installed(s)]:
        say(f"{solver} is not installed and left out (pip install {PEERS[solver].distribution})")
        wish.solvers.remove(solver)
    suite = chosen(wish.suite, wish.rows) if wish.suite else None
    runs = list(_suite_runs(wish, suite) if suite is not None else _runs(wish))
    point_kernel_cache()
    where = setting()
    bench = Bench(wish, {} if wish.tolerance is None else {"tolerance": wish.tolerance})
    with Record(wish.csv) as record, tempfile.TemporaryDirectory() as scratch:
        for run in _in_order(runs):
            try:
                bench.carry_out(run, where, record, Path(scratch))
            except InputError as error:
                say(str(error))
                return 2
    print(format_suite(suite, record.rows) if suite is not None else format_table(record.rows))
    say(f"rows appended to {wish.csv}")
    if wish.pictures:
        for path in draw_all(record.rows, wish.csv.parent, wish.csv.stem):
            say(f"picture: {path}")
    return 0


@dataclass
class Bench:
    """Carries out runs; holds the problem of the last instance, as building large ones takes time."""

    wish: argparse.Namespace
    changes: dict[str, Any]
    _name: str = ""
    _problem: Problem | None = None

    def carry_out(self, run: Run, where: dict[str, str], record: Record, scratch: Path) -> None:
        """One run and its views."""
        problem = self.problem(run.instance)
        for row, labels in carry_out(run, problem, scratch):
            row.update(where)
            record.add(row)
            keep = self.wish.keep_best and not self.changes
            if keep and labels is not None and keep_if_better(problem, row, labels):
                say(f"{run.instance}: best known is now {row['cut']:,}")
        say(f"{run.instance} {run.solver} seed {run.seed}: {record.rows[-1]['status']}")

    def problem(self, instance: str) -> Problem:
        if instance != self._name:
            self._problem = None
            self._problem = datasets.load(instance).to_problem(**self.changes)
            self._name = instance
        assert self._problem is not None
        return self._problem


def say(text: str) -> None:
    print(text, file=sys.stderr)


def _runs(wish: argparse.Namespace) -> Iterator[Run]:
    """Seeds outermost, so that slow minutes of the machine fall on all solvers alike."""
    budgets = [(seconds, None) for seconds in wish.seconds] if wish.steps is None else [(None, wish.steps)]
    for instance in wish.instance:
        for seed in wish.seeds:
            for seconds, steps in budgets:
                for solver in wish.solvers:
                    if solver == "gridopt" or seconds is not None:
                        yield Run(instance, solver, seed, seconds, steps, wish.workers, wish.effort, wish.cap)


def _suite_runs(wish: argparse.Namespace, rows: Iterable[Row]) -> Iterator[Run]:
    """Runs of a suite, each once: several rows may share one run of METIS. Sets that are not here are left out."""
    runs: dict[Run, None] = {}
    for row in rows:
        absent = [name for name in (row.instance, row.yardstick) if not datasets.is_available(name)]
        if absent:
            say(f"{row.name} is left out: {absent[0]} is not here (set GRIDOPT_DATA to the folder that has it)")
            continue
        for seed in wish.seeds:
            for solver in wish.solvers:
                instance, seconds = row.budget_of(solver)
                runs[Run(instance, solver, seed, float(seconds), None, wish.workers, wish.effort, wish.cap)] = None
    yield from runs


def _in_order(runs: list[Run]) -> list[Run]:
    """By instance in the order of their first run, so that each is built once; otherwise as they are."""
    first: dict[str, int] = {}
    for position, run in enumerate(runs):
        first.setdefault(run.instance, position)
    return sorted(runs, key=lambda run: first[run.instance])


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    parser.add_argument("--instance", nargs="+", default=["plain-city-10000-400"], help="names of data sets")
    parser.add_argument("--seconds", nargs="+", type=float, default=[10.0], help="budgets, wall time within the solver")
    parser.add_argument("--suite", choices=list(SUITES), help="a list of instances and seconds instead of these two")
    parser.add_argument("--rows", nargs="+", default=[], metavar="TEXT", help="only rows of the suite that contain one")
    parser.add_argument("--list", action="store_true", help="list peers with their settings, and rows of suites")
    parser.add_argument("--steps", type=int, help="budget of gridopt that reproduces, instead of seconds; no peers")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--solvers", nargs="+", choices=[*ALL, "all"], default=["metis", "gridopt"])
    parser.add_argument("--workers", type=int, default=1, help="threads for gridopt; peers use one")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--tolerance", help="another tolerance than the instance's own")
    parser.add_argument(
        "--cap", type=float, help="seconds for a peer's first run (default: 120, or 10 times the budget)"
    )
    parser.add_argument("--csv", type=Path, default=ROOT / ".benchmarks" / f"quality-{today}.csv")
    parser.add_argument("--no-pictures", dest="pictures", action="store_false", help="do not draw PNG files")
    parser.add_argument("--keep-best", action="store_true", help="record better plans under datasets/")
    parser.add_argument("--tiny", action="store_true", help="two small instances, one seed, 0.3 s: does it run at all")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
