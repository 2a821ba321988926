"""
How punctual `solve(seconds=)` is, as CSV on standard output: ``python -m benchmarks.punctual [--tiny]``.

Plain cities of 25 units a grid within 3 %, each solved for 0.2, 1 and 10 seconds. `inside_s` is the wall time inside
`solve` less what the kernels took to load; `over_s` how much of it lies beyond the seconds asked for, `allowed_s` the
larger of a twentieth of these and 0.2 s. `construct_s` is when the first plan was there: no search is shorter than
that. The times of its stages are those that `solve` reports.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks._setting import point_kernel_cache, setting

COLUMNS = (
    "units",
    "grids",
    "seconds",
    "workers",
    "inside_s",
    "over_s",
    "allowed_s",
    "punctual",
    "build_s",
    "prepare_s",
    "construct_s",
    "search_s",
    "judge_s",
    "status",
    "machine",
    "processors",
    "python",
    "commit",
    "date",
)
UNITS_A_GRID = 25


def measure(sizes: list[int], seconds: list[float], workers: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield one row for each size and time."""
    import gridopt as go

    go.compile()
    for n in sizes:
        graph, work = go.synthetic.plain_city(n, seed=0)
        began = time.perf_counter()
        problem = go.build_problem(graph, work, n_grids=n // UNITS_A_GRID, tolerance=0.03)
        build = time.perf_counter() - began
        for wish in seconds:
            began = time.perf_counter()
            result = go.solve(problem, seconds=wish, seed=seed, workers=workers)
            inside = time.perf_counter() - began - result.timings["compile"]
            allowed = max(0.05 * wish, 0.2)
            yield {
                "units": n,
                "grids": problem.n_grids,
                "seconds": wish,
                "workers": workers,
                "inside_s": inside,
                "over_s": max(0.0, inside - wish),
                "allowed_s": allowed,
                "punctual": "yes" if inside - wish <= allowed else "no",
                "build_s": build,
                "prepare_s": result.timings["prepare"],
                "construct_s": result.trace[0].seconds if result.trace else float("nan"),
                "search_s": result.timings["search"],
                "judge_s": result.timings["judge"],
                "status": str(result.status),
            }


def main(arguments: list[str] | None = None) -> int:
    """Parse, measure, print; exit code 1 where some solve was late."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.punctual", description=__doc__)
    parser.add_argument("--units", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.2, 1.0, 10.0])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tiny", action="store_true", help="one small city for a fifth of a second")
    wish = parser.parse_args(arguments)
    sizes, seconds = ([500], [0.2]) if wish.tiny else (wish.units, wish.seconds)
    point_kernel_cache()
    where = setting()
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    late = False
    for row in measure(sizes, seconds, wish.workers, wish.seed):
        late |= row["punctual"] == "no"
        shown = {name: round(value, 3) for name, value in row.items() if isinstance(value, float)}
        writer.writerow({**where, **row, **shown})
        sys.stdout.flush()
    return int(late)


if __name__ == "__main__":
    sys.exit(main())
