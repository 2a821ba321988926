"""
How time and memory grow with the number of units: ``python -m benchmarks.growth [--tiny]``.

Plain cities of 10^3 to 10^6 units at 25 units a grid, each measured in a fresh process with its kernels loaded:
``build_problem``; ``construct``, a solve with one step; ``solve`` with 40 steps a unit. One row of CSV for each run of
each, and one with the fitted exponent b of CPU seconds = a (n log n)^b: 1 is n log n. A picture shows the same.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._setting import ROOT, peak_mb, point_kernel_cache, reset_peak, setting

COLUMNS = (
    *("what", "n_units", "n_edges", "n_grids", "steps", "run", "wall_s", "cpu_s", "peak_bytes_per_unit", "exponent"),
    *("cost", "status", "machine", "processors", "system", "python", "numpy", "numba", "commit", "date"),
)
SIZES = [1_000, 10_000, 100_000, 1_000_000]
UNITS_PER_GRID = 25
STEPS_PER_UNIT = 40
SMALL = 100_000
"""Up to this size each is measured three times and the least counts; larger ones are measured once."""
WHATS = ("build_problem", "construct", "solve")


def child(path: str) -> None:
    """Measure the three steps on the arrays at `path`, in this process, and print them as JSON."""
    import gridopt as go
    from gridopt.territory.synthetic import plain_city

    go.compile()
    warm, load = plain_city(100, seed=0)
    go.solve(go.build_problem(warm, load, n_grids=4, tolerance="0.1"), steps=4_000, seed=1, workers=1)
    with np.load(path) as arrays:
        edges, length, cost, workload = (arrays[name] for name in ("edges", "length", "cost", "workload"))
    n = len(workload)
    reset_peak()
    before = peak_mb()
    graph = go.Graph.from_edges(n, edges, length, cost)
    k = max(n // UNITS_PER_GRID, 2)
    rows: list[dict[str, Any]] = []

    def measure(what: str, call: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        made = call()
        spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        rows.append({"what": what, **spent, "peak_bytes_per_unit": round((peak_mb() - before) * 1e6 / n)})
        return made

    problem = measure("build_problem", lambda: go.build_problem(graph, workload, n_grids=k, tolerance="0.1"))
    for what, steps in (("construct", 1), ("solve", STEPS_PER_UNIT * n)):
        result = measure(what, partial(go.solve, problem, steps=steps, seed=1, workers=1))
        rows[-1].update(steps=steps, cost=result.cost, status=str(result.status.value))
    facts = {"n_units": n, "n_edges": graph.n_edges, "n_grids": k}
    print(json.dumps([{"status": "ok", **facts, **row} for row in rows]))


def measure_size(n: int, runs: int) -> list[dict[str, Any]]:
    """Draw a city of `n` units and measure it `runs` times; least CPU time of each step counts."""
    from gridopt.territory.synthetic import plain_city

    graph, workload = plain_city(n, seed=0)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "city.npz"
        np.savez(path, edges=graph.edges, length=graph.length, cost=graph.cost, workload=workload)
        del graph, workload
        for run in range(runs):
            command = [sys.executable, "-W", "ignore", "-m", "benchmarks.growth", "--child", str(path)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                rows.append({"what": "solve", "n_units": n, "run": run, "status": f"exit {done.returncode}"})
                print(done.stderr, file=sys.stderr)
                break
            rows += [{**row, "run": run} for row in json.loads(done.stdout.splitlines()[-1])]
    return rows


def least(rows: Sequence[dict[str, Any]], what: str, column: str) -> tuple[list[int], list[float]]:
    """Sizes, and the least of a column at each."""
    sizes = sorted({row["n_units"] for row in rows if row["what"] == what and row.get(column) is not None})
    return sizes, [min(r[column] for r in rows if (r["what"], r["n_units"]) == (what, n)) for n in sizes]


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """
    Fit b in seconds = a (n log n)^b by least squares on logarithms; nan for fewer than two sizes.

    >>> round(exponent([1000, 10_000], [1.0, 1.0 * 10 * 4 / 3]), 6)
    1.0
    """
    if len(sizes) < 2:
        return float("nan")
    n = np.array(sizes, dtype=np.float64)
    return float(np.polyfit(np.log(n * np.log(n)), np.log(np.maximum(seconds, 1e-9)), 1)[0])


def draw(rows: Sequence[dict[str, Any]], where: dict[str, str], path: Path) -> Path:
    """CPU seconds with n log n for comparison, and peak memory a unit."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), constrained_layout=True)
    colours = dict(zip(WHATS, ("#0072b2", "#009e73", "#d55e00")))
    labels = {"construct": "solve, 1 step", "solve": f"solve, {STEPS_PER_UNIT} steps a unit"}
    for what in WHATS:
        sizes, cpu = least(rows, what, "cpu_s")
        label = f"{labels.get(what, what)}: exponent {exponent(sizes, cpu):.2f}"
        left.loglog(sizes, cpu, "o-", color=colours[what], label=label)
        sizes, held = least(rows, what, "peak_bytes_per_unit")
        right.semilogx(sizes, held, "o-", color=colours[what], label=labels.get(what, what))
    sizes, cpu = least(rows, "solve", "cpu_s")
    if sizes:
        n = np.geomspace(sizes[0], sizes[-1], 50)
        rule = n * np.log(n) * cpu[-1] / (sizes[-1] * np.log(sizes[-1]))
        left.loglog(n, rule, ":", color="grey", label="n log n (exponent 1)")
    left.set(xlabel="units", ylabel="CPU seconds (least of the runs)")
    right.set(xlabel="units", ylabel="peak bytes a unit, graph included")
    right.set_ylim(bottom=0)
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.legend(fontsize="small")
    versions = f"python {where['python']}, numpy {where['numpy']}, numba {where['numba']}"
    note = f"{versions}; {where['machine']}; {where['date'][:10]}; commit {where['commit']}"
    figure.supxlabel(note, fontsize=7, color="#555555")
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Parse, measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES)
    parser.add_argument("--csv", type=Path, default=ROOT / ".benchmarks" / f"growth-{today}.csv", help="overwritten")
    parser.add_argument("--tiny", action="store_true", help="500 and 1,000 units, once")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    wish = parser.parse_args(arguments)
    if wish.child:
        child(wish.child)
        return 0
    point_kernel_cache()
    where = setting()
    sizes = [500, 1_000] if wish.tiny else wish.sizes
    rows: list[dict[str, Any]] = []
    for n in sizes:
        rows += measure_size(n, 1 if wish.tiny or n > SMALL else 3)
        print(f"{n:,} units: {rows[-1]['status']}", file=sys.stderr)
    fits = [{"what": w, "exponent": round(exponent(*least(rows, w, "cpu_s")), 4), "status": "fit"} for w in WHATS]
    wish.csv.parent.mkdir(parents=True, exist_ok=True)
    with wish.csv.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows({**where, **row} for row in [*rows, *fits])
    print(f"{'what':<14}{'units':>10}{'CPU s':>10}{'wall s':>10}{'bytes/unit':>12}")
    for what in WHATS:
        columns = [least(rows, what, name)[1] for name in ("cpu_s", "wall_s", "peak_bytes_per_unit")]
        for n, cpu, wall, held in zip(least(rows, what, "cpu_s")[0], *columns):
            print(f"{what:<14}{n:>10,}{cpu:>10.3f}{wall:>10.3f}{held:>12,.0f}")
    for row in fits:
        print(f"{row['what']}: CPU seconds grow as (n log n)^{row['exponent']:.2f}")
    print(f"rows: {wish.csv}; picture: {draw(rows, where, wish.csv.with_suffix('.png'))}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
