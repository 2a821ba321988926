"""
Time `gridopt.build_graph` against libpysal on the same polygons, in alternating pairs, as CSV on standard output.

    python benchmarks/territory.py                  # 11,490 blocks of Taipei from the real data
    python benchmarks/territory.py --tiny           # a lattice of 400 squares, for the ordinary test run

Both get the same projected GeoDataFrame and return pairs with border lengths in metres; the pairs must be the same.
`ratio` is gridopt's time over libpysal's in the same pair of runs; the last row holds the medians.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from libpysal.graph import Graph as PysalGraph

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import gridopt as go  # noqa: E402

COLUMNS = ("data", "run", "units", "edges", "gridopt_seconds", "libpysal_seconds", "ratio")


def taipei() -> gpd.GeoDataFrame:
    """Smallest statistical areas of Taipei in EPSG:3826."""
    folder = Path(os.environ.get("GRIDOPT_DATA") or ROOT.parent / "shared" / "data")
    path = folder / "taipei" / "taipei.gpkg"
    if not path.exists():
        sys.exit(f"{path} does not exist; set GRIDOPT_DATA to the folder of the real data, or say --tiny")
    return gpd.read_file(path, layer="bsa").set_index("CODEBASE").to_crs("EPSG:3826")


def lattice(side: int) -> gpd.GeoDataFrame:
    """`side` x `side` squares of 100 m."""
    x, y = (v.ravel() * 100.0 for v in np.meshgrid(np.arange(side), np.arange(side)))
    return gpd.GeoDataFrame(geometry=shapely.box(x, y, x + 100, y + 100), crs="EPSG:3826")


def seconds(build: Callable[[], Any]) -> tuple[float, Any]:
    """Wall time of one call, and its result."""
    start = time.perf_counter()
    result = build()
    return time.perf_counter() - start, result


def measure(name: str, units: gpd.GeoDataFrame, runs: int) -> list[dict[str, Any]]:
    """One row for each pair of runs, whichever goes first alternating, and one of medians."""
    builders = {
        "gridopt": lambda: go.build_graph(units, min_border=0),
        "libpysal": lambda: PysalGraph.build_contiguity(units, rook=True, by_perimeter=True),
    }
    rows = []
    for run in range(runs):
        order = ("gridopt", "libpysal") if run % 2 == 0 else ("libpysal", "gridopt")
        took = {who: seconds(builders[who]) for who in order}
        graph, peer = took["gridopt"][1], go.Graph.from_pysal(took["libpysal"][1])
        if not np.array_equal(graph.edges, peer.edges) or abs(graph.length - peer.length).max() > 1:
            sys.exit(f"{name}: the two graphs differ")
        own, other = took["gridopt"][0], took["libpysal"][0]
        rows.append(dict(zip(COLUMNS, (name, run + 1, graph.n_units, graph.n_edges, own, other, own / other))))
    medians = {c: statistics.median(r[c] for r in rows) for c in COLUMNS[4:]}
    rows.append({**rows[0], "run": "median", **medians})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a small lattice instead of the real data")
    parser.add_argument("--runs", type=int, default=5, help="pairs of runs (default 5)")
    options = parser.parse_args()
    name, units = ("lattice", lattice(20)) if options.tiny else ("taipei", taipei())
    go.build_graph(units.iloc[:50])  # loads what is loaded on first use
    PysalGraph.build_contiguity(units.iloc[:50], rook=True, by_perimeter=True)
    out = csv.DictWriter(sys.stdout, COLUMNS)
    out.writeheader()
    for row in measure(name, units, options.runs):
        out.writerow({c: f"{v:.4f}" if isinstance(v, float) else v for c, v in row.items()})


if __name__ == "__main__":
    main()
