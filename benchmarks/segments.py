"""
Time the way from streets to a plan, as CSV on standard output: ``python -m benchmarks.segments [--tiny]``.

A generated city's streets are cut at every crossing into about 40,000 segments, as centre lines come from an office;
then blocks are built of them, households located, neighbours found, 500 grids searched for and the plan verified. Each
step has its wall time and its processor time (of all threads): on a machine that others use too, only the second tells.
`--points N` also locates N points in the blocks.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import shapely

from benchmarks._setting import point_kernel_cache, setting

COLUMNS = ("step", "wall_s", "processor_s", "result")
SEGMENTS, GRIDS, TOLERANCE = 40_000, 500, 0.05
BLOCKS = 15_700
"""Blocks of a generated city whose streets are about 40,000 segments."""


def segments_of(streets: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Cut streets at every crossing; each piece keeps the class of the street it is of."""
    pieces = shapely.get_parts(shapely.union_all(streets.geometry.to_numpy()))
    middle = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    (piece, street) = shapely.STRtree(streets.geometry.to_numpy()).query_nearest(middle, all_matches=False)
    highway = np.empty(len(pieces), dtype=object)
    highway[piece] = streets["highway"].to_numpy()[street]
    return gpd.GeoDataFrame({"highway": highway}, geometry=pieces, crs=streets.crs)


def measure(n_blocks: int, n_grids: int, seconds: float, points: int) -> list[dict[str, Any]]:
    """One row for each step, and one for all of them."""
    import gridopt as go

    rows: list[dict[str, Any]] = []

    def timed(step: str, do: Callable[[], Any], say: Callable[[Any], str]) -> Any:
        wall, own = time.perf_counter(), time.process_time()
        made = do()
        took = time.perf_counter() - wall, time.process_time() - own
        rows.append({"step": step, "wall_s": took[0], "processor_s": took[1], "result": say(made)})
        return made

    city = go.synthetic.city(n_blocks, seed=0)
    segments = segments_of(city.streets)
    homes = city.units.set_geometry(city.units.representative_point())
    go.compile()
    blocks = timed(
        "blocks",
        lambda: go.build_blocks(city.boundary, segments),
        lambda b: f"{len(segments)} segments, {len(b)} blocks",
    )
    found = timed(
        "locate", lambda: go.locate(blocks, homes, weight="households"), lambda f: f"{int(f.counts.sum())} households"
    )
    graph = timed("graph", lambda: go.build_graph(blocks, streets=segments), lambda g: f"{g.n_edges} pairs")
    problem = timed(
        "problem",
        lambda: go.build_problem(graph, found.counts, n_grids=n_grids, tolerance=TOLERANCE),
        lambda p: f"{p.n_grids} grids within {TOLERANCE:.0%}",
    )
    result = timed(
        "solve", lambda: go.solve(problem, seconds=seconds, seed=1, workers=2), lambda r: f"{r.status}, cost {r.cost}"
    )
    timed("verify", lambda: go.verify(problem, result.plan), lambda f: f"{len(f)} findings")
    whole = {c: sum(row[c] for row in rows) for c in ("wall_s", "processor_s")}
    rows.append({"step": "all", **whole, "result": str(setting()["machine"])})
    if points:
        west, south, east, north = blocks.total_bounds
        rng = np.random.default_rng(0)
        drawn = shapely.points(rng.uniform(west, east, points), rng.uniform(south, north, points))
        objects = gpd.GeoSeries(drawn, crs=blocks.crs)
        say = f"{points} points"
        timed("points", lambda: go.locate(blocks, objects), lambda f: f"{say}, {len(f.outside)} outside")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="a small town, for the ordinary test run")
    parser.add_argument("--seconds", type=float, default=10.0, help="time for the search (default 10)")
    parser.add_argument("--points", type=int, default=1_000_000, help="points to locate (default 1,000,000)")
    options = parser.parse_args()
    point_kernel_cache()
    warnings.simplefilter("ignore")
    size = (60, 4, 0.2, 500) if options.tiny else (BLOCKS, GRIDS, options.seconds, options.points)
    out = csv.DictWriter(sys.stdout, COLUMNS)
    out.writeheader()
    for row in measure(*size):
        out.writerow({c: f"{v:.3f}" if isinstance(v, float) else v for c, v in row.items()})


if __name__ == "__main__":
    main()
