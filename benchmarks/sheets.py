"""
Draw every step from raw streets to a plan, one contact sheet for each data set.

    python -m benchmarks.sheets                                  # docs/sheets: a generated raw town, and geodanet
    python -m benchmarks.sheets --out /tmp porto_alegre monaco   # sets of the real data, which may not be copied

Real data are read from the folder named by GRIDOPT_DATA (default: ../shared/data beside this clone). Prints a line for
each sheet: pieces, blocks, how many of each are below 500 m2, seconds of CPU for the blocks.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import shapely

from benchmarks._setting import ROOT, point_kernel_cache

point_kernel_cache()

import gridopt as go  # noqa: E402
from gridopt.viz.sheet import draw_sheet  # noqa: E402
from gridopt.workflow._demo_cases import geodanet as demo_case  # noqa: E402

REAL = {
    "porto_alegre": ("porto_alegre/porto_alegre.gpkg", "highways", 32722, 60),
    "shenzhen_futian": ("shenzhen_futian/shenzhen_futian.gpkg", "streets_directed", 32650, 20),
    "helsinki_centre": ("osm_small/helsinki_centre.gpkg", "highways", 32635, 8),
    "monaco": ("osm_small/monaco.gpkg", "highways", 32632, 8),
    "daan": ("taipei/taipei.gpkg", "streets_daan", 3826, 24),
    "cambridge_ma": ("cambridge_ma/cambridge.gpkg", "streets", 26986, 24),
}
"""File, layer, coordinate system and number of grids of each set."""
CARRIAGEWAY_M, FOOTWAY_M = 7.0, 6.0
STEPS = 300_000


class Town(NamedTuple):
    """What a sheet is drawn of."""

    title: str
    boundary: Any
    streets: gpd.GeoDataFrame
    n_grids: int
    keep: tuple[str, ...] = ("arterial", "collector", "local")
    barriers: Any = None
    workload: Any = None


def raw_town(n: int = 260, seed: int = 5) -> Town:
    """Generate a city and draw it as raw data do: two carriageways, footways beside collectors, a gap."""
    made = go.synthetic.city(n, seed)
    streets = made.streets
    is_main = streets["highway"].isin(["trunk", "primary"]).to_numpy()
    mains = streets[is_main].dissolve("name")
    merged = shapely.line_merge(mains.geometry.to_numpy())
    rows = []
    for name, highway, line in zip(mains.index, mains["highway"], merged):
        for part in shapely.get_parts(line):
            for side in (CARRIAGEWAY_M, -CARRIAGEWAY_M):
                beside = shapely.offset_curve(part, side, join_style="mitre")
                rows.append({"highway": highway, "name": name, "oneway": "yes", "geometry": beside})
    for row in streets[~is_main].itertuples():
        rows.append({"highway": row.highway, "name": row.name, "oneway": None, "geometry": row.geometry})
        if row.highway in ("secondary", "tertiary"):
            beside = shapely.offset_curve(row.geometry, FOOTWAY_M)
            rows.append({"highway": "footway", "name": None, "oneway": None, "geometry": beside})
    raw = gpd.GeoDataFrame(rows, crs=streets.crs)
    return Town(
        f"Generated town, drawn as raw data are (city({n}, seed={seed}))",
        *(made.boundary, raw, 10, ("arterial", "collector", "local", "path"), made.rivers),
    )


def geodanet() -> Town:
    """The town of the demo: libpysal's geodanet."""
    case = demo_case()
    outline = gpd.GeoSeries([case.blocks.union_all()], crs=case.blocks.crs)
    return Town("geodanet: a town from libpysal", outline, case.streets, 8, workload=case.blocks["hours"])


def real(name: str) -> Town:
    """One of the real data sets; the territory is the hull of its streets, or the boundary it has."""
    file, layer, epsg, n_grids = REAL[name]
    path = Path(os.environ.get("GRIDOPT_DATA") or ROOT.parent / "shared" / "data") / file
    if not path.exists():
        sys.exit(f"{path} does not exist; set GRIDOPT_DATA to the folder of the real data")
    streets = gpd.read_file(path, layer=layer).to_crs(epsg)
    if name == "cambridge_ma":
        boundary = gpd.read_file(path, layer="boundary").to_crs(epsg).geometry
    else:
        boundary = gpd.GeoSeries([streets.union_all().convex_hull], crs=epsg)
    return Town(name, boundary, streets, n_grids)


def draw(town: Town, path: Path, dpi: int) -> str:
    """Blocks, graph, plan and sheet of a town; return the line to print."""
    start = time.process_time()
    blocks = go.build_blocks(town.boundary, town.streets, barriers=town.barriers, keep=town.keep)
    seconds = time.process_time() - start
    raw = go.build_blocks(town.boundary, town.streets, barriers=town.barriers, keep=town.keep, clean=False, min_area=0)
    merged = go.merged_faces(blocks)
    graph = go.build_graph(blocks, streets=town.streets, barriers=town.barriers)
    load = None if town.workload is None else town.workload.reindex(blocks.index).fillna(0)
    problem = go.build_problem(graph, blocks["area_m2"] if load is None else load, n_grids=town.n_grids, tolerance=0.1)
    result = go.solve(problem, steps=STEPS, seed=1)
    plan = result.plan
    cutting = town.streets
    draw_sheet(
        *(blocks, cutting, merged),
        plan=plan,
        workload=load,
        barriers=town.barriers,
        title=town.title,
        path=path,
        dpi=dpi,
    )
    tiny = [f"{100 * float(np.mean(t['area_m2'] < 500)):.1f} % below 500 m2" for t in (raw, blocks)]
    return f"{path}: {len(raw):,} pieces ({tiny[0]}), {len(blocks):,} blocks ({tiny[1]}), {seconds:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", choices=[*REAL, []], help=f"real sets: {', '.join(REAL)}")
    parser.add_argument("--out", type=Path, help="folder of the pictures (default docs/sheets; real sets need one)")
    parser.add_argument("--dpi", type=int, default=80)
    options = parser.parse_args()
    if options.sets and options.out is None:
        parser.error("pictures of real data are not part of the project: say where they go with --out")
    folder = options.out or ROOT / "docs" / "sheets"
    folder.mkdir(parents=True, exist_ok=True)
    towns: dict[str, Callable[[], Town]] = {name: partial(real, name) for name in options.sets}
    towns = towns or {"raw-town": raw_town, "geodanet": geodanet}
    for name, make in towns.items():
        print(draw(make(), folder / f"{name}.png", options.dpi), flush=True)


if __name__ == "__main__":
    main()
