"""
Time and memory before any work is done, as CSV on standard output: ``python -m benchmarks.startup [--tiny]``.

One row for each fresh process: what was run, wall seconds, peak MB, modules loaded, which heavy packages among them.
``import`` rows import gridopt alone; ``name`` rows also resolve one public name; ``help`` and ``demo`` run the command
line, the demo once with an empty kernel cache (first) and again with the cache it left (later).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._setting import ROOT, point_kernel_cache, setting

COLUMNS = ("what", "run", "wall_s", "peak_mb", "modules", "heavy", "status", "machine", "python", "commit", "date")
HEAVY = ("numpy", "scipy", "pandas", "numba", "geopandas", "shapely", "ortools", "networkx", "matplotlib", "libpysal")

PROBE = """
import json, sys, time
began = time.perf_counter()
{code}
spent = time.perf_counter() - began
heavy = [name for name in {heavy!r} if name in sys.modules]
modules = len(sys.modules)
from benchmarks._setting import peak_mb
print(json.dumps({{"wall_s": spent, "peak_mb": peak_mb(), "modules": modules, "heavy": " ".join(heavy)}}))
"""

CODES = {
    "import gridopt": "import gridopt",
    "name Graph": "import gridopt; gridopt.Graph",
    "name build_problem": "import gridopt; gridopt.build_problem",
    "name solve": "import gridopt; gridopt.solve",
    "name build_blocks": "import gridopt; gridopt.build_blocks",
}


def probe(code: str) -> dict[str, Any]:
    """Run `code` in a fresh process, which reports time (the interpreter's own start apart), memory and modules."""
    script = PROBE.format(code=code, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"status": f"exit {done.returncode}: {(done.stderr.strip().splitlines() or [''])[-1]}"}
    return {**json.loads(done.stdout.splitlines()[-1]), "status": "ok"}


def command(arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run the command line in a fresh process; wall time includes the interpreter's start."""
    began = time.perf_counter()
    line = [sys.executable, "-c", "import sys; from gridopt.cli import main; sys.exit(main())", *arguments]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    status = "ok" if not done.returncode else f"exit {done.returncode}"
    return {"wall_s": time.perf_counter() - began, "status": status}


def measure(runs: int, with_demo: bool) -> list[dict[str, Any]]:
    """All rows."""
    rows = [{"what": what, "run": run, **probe(code)} for run in range(runs) for what, code in CODES.items()]
    rows += [{"what": "gridopt --help", "run": run, **command(["--help"], dict(os.environ))} for run in range(runs)]
    if with_demo:
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "numba"), "MPLBACKEND": "Agg"}
            for when in ("first", "later"):
                row = command(["demo", "--out", str(Path(folder) / when)], environment)
                rows.append({"what": f"gridopt demo ({when})", "run": 0, **row})
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="one run each, without the demo")
    wish = parser.parse_args(arguments)
    point_kernel_cache()
    where = setting()
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    for row in measure(1 if wish.tiny else wish.runs, with_demo=not wish.tiny):
        shown: dict[str, Any] = {name: round(row[name], 3) for name in ("wall_s", "peak_mb") if name in row}
        writer.writerow({**where, **row, **shown})
    return 0


if __name__ == "__main__":
    sys.exit(main())
