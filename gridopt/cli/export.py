"""``gridopt export``: a plan in the formats of other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import SOUND

if TYPE_CHECKING:
    from gridopt.io.plan_file import PlanFile

__all__ = ["command"]

TABLES = (".xlsx", ".geojson", ".parquet", ".csv")
GRAPHS = (".graph", ".json", ".gal")


@click.command("export", short_help="A plan in formats of other programs.")
@click.argument("plan", metavar="PLAN")
@click.option(
    "--layer", type=click.Choice(["grids", "units"]), default="units", show_default=True, help="What to write."
)
@click.option("--out", required=True, metavar="FILE", help=f"By suffix: {', '.join((*TABLES, *GRAPHS))}.")
def command(plan: str, layer: str, out: str) -> int:
    """
    Write PLAN (plan.gpkg) in another format.

    .xlsx has sheets of grids, units, borders and findings, ids as text. .geojson, .parquet and .csv have the units with
    their grid, or the grids. .graph is METIS (with the plan as .part beside it), .json GerryChain, .gal GeoDa.
    """
    from gridopt.cli._show import quiet_library, show_files
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io._formats import suffix_of
    from gridopt.io.plan_file import outputs_of, read_plan
    from gridopt.io.write import check_suffix

    with quiet_library():
        target = check_writable(check_suffix(out, "plans", (*TABLES, *GRAPHS)))
        targets = [target, *([check_writable(_part_beside(target))] if suffix_of(target) == ".graph" else [])]
        check_no_input(targets, outputs_of(plan) if plan.lower().endswith(".gpkg") else [plan])
        read = read_plan(plan)
        suffix = suffix_of(target)
        written = _write_graph(read, target, suffix) if suffix in GRAPHS else _write_tables(read, target, suffix, layer)
    show_files(written)
    return SOUND


def _write_tables(read: PlanFile, target: Path, suffix: str, layer: str) -> list[Path]:
    from gridopt.io.tables import read_table
    from gridopt.io.write import write_table, write_workbook
    from gridopt.workflow.grids import to_grids

    units = read.units.assign(grid=read.plan.to_series().to_numpy()).reset_index()
    shaped = hasattr(read.units, "geometry")
    grids = to_grids(read.plan, read.units).reset_index() if shaped else None
    if suffix == ".xlsx":
        sheets = {} if grids is None else {"grids": grids}
        sheets["units"] = units
        for name in ("borders", "findings"):
            if name == "findings" or shaped:
                sheets[name] = read_table(f"{read.path}:{name}", what=name, may_be_empty=True)
        return [write_workbook(target, sheets)]
    if layer == "units":
        return [write_table(target, units, {})]
    if grids is None:
        raise click.UsageError("this plan has no shapes, so there are no grids to draw: use --layer units.")
    return [write_table(target, grids, {})]


def _part_beside(graph: Path) -> Path:
    return graph.with_suffix(".part")


def _write_graph(read: PlanFile, target: Path, suffix: str) -> list[Path]:
    from gridopt.io._atomic import undisturbed
    from gridopt.io.gal import write_gal
    from gridopt.io.gerrychain import write_gerrychain
    from gridopt.io.metis import write_graph, write_partition

    graph = read.problem.graph
    if suffix == ".graph":
        part = _part_beside(target)
        with undisturbed():
            write_graph(target, graph, read.problem.workload)
            write_partition(part, read.plan.labels)
        return [target, part]
    nodes = read.units.assign(grid=read.plan.to_series().to_numpy())
    write: dict[str, Callable[[], Any]] = {
        ".gal": lambda: write_gal(target, graph),
        ".json": lambda: write_gerrychain(target, graph, nodes),
    }
    write[suffix]()
    return [target]
