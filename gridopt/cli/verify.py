"""``gridopt verify``: check a plan again from its files, edited or not, or a METIS partition of any origin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import SOUND, VIOLATED
from gridopt.cli._options import limit_options
from gridopt.errors import Finding, InputError

if TYPE_CHECKING:
    from gridopt.model import Plan, Problem

__all__ = ["command"]

OF_LIMITS = ("n_grids", "tolerance", "band", "heavy")


@click.command("verify", short_help="Check a plan again, edited or not.")
@click.argument("plan", metavar="PLAN")
@click.option("--graph", metavar="FILE", help="METIS graph that a .part belongs to.")
@limit_options
def command(
    plan: str, graph: str | None, grids: int | None, band: tuple[str, str] | None, tolerance: str | None
) -> int:
    """
    Check PLAN (plan.gpkg, or g.part with --graph) without the solver that made it.

    A plan's limits are those in the plan.json beside it; its column `grid` may have been edited. A partition is held
    against the limits given, else those it was solved for (g.part.json), else only its pieces are checked.
    """
    from gridopt.cli._show import quiet_library, show_findings, show_plan
    from gridopt.io.plan_file import read_plan
    from gridopt.rules.verify import verify

    asked = {k: v for k, v in (("n_grids", grids), ("band", band), ("tolerance", tolerance)) if v is not None}
    with quiet_library():
        if graph is not None:
            found_plan, told = _read_partition(plan, graph, asked)
        elif plan.endswith(".part"):
            raise click.UsageError("a .part file is checked against its graph: add --graph FILE.")
        elif asked:
            raise click.UsageError(
                "a plan's limits are those in its plan.json; --grids, --band, --tolerance are for .part."
            )
        else:
            file = read_plan(plan)
            found_plan, told = file.plan, list(file.findings)
        broken = verify(found_plan.problem, found_plan)
    show_plan(found_plan)
    show_findings("notes", told)
    if broken:
        show_findings("broken", broken)
        click.echo(f"NOT SOUND: {len(broken)} findings")
        return VIOLATED
    unread = [str(f.ids[0]) for f in told if f.code == "edits-elsewhere"]
    if unread:
        click.echo(f"EDITS NOT VERIFIED: layer units is sound, but the edits are in layer {', '.join(unread)}")
        return VIOLATED
    click.echo("sound")
    return SOUND


def _read_partition(part: str, graph: str, asked: dict[str, Any]) -> tuple[Plan, list[Any]]:
    from gridopt.io.metis import read_graph, read_partition
    from gridopt.model import Plan
    from gridopt.rules.build import build_problem

    read = read_graph(graph)
    labels = read_partition(part, read.graph.n_units)
    names = ["weight"] if read.workload.shape[1] == 1 else [f"weight{c + 1}" for c in range(read.workload.shape[1])]
    workload = {name: read.workload[:, c] for c, name in enumerate(names)}
    limits = _limits(Path(part), asked)
    told = list(read.findings)
    if not limits:
        cure = "Loads are not checked; give --tolerance or --band."
        told.append(Finding("no-limits", "info", (part,), None, None, cure))
        limits["band"] = (0, max(1, int(read.workload.sum(axis=0).max())))
    limits.setdefault("n_grids", int(labels.max()) + 1 if len(labels) else 1)
    problem = build_problem(read.graph, workload, **limits)
    if len(labels) and labels.max() >= problem.n_grids:
        raise InputError(
            f"{part} has parts up to {labels.max()}, for {problem.n_grids} grids (parts are counted from 0). "
            "Say how many with --grids, or give the partition that belongs to these limits."
        )
    return Plan(_rows_like(problem, labels), labels), told


def _limits(part: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Limits asked for, else those beside the partition, else none."""
    beside = part.with_name(part.name + ".json")
    if asked or not beside.is_file():
        return dict(asked)
    try:
        stored = json.loads(beside.read_text(encoding="utf-8"))["problem"]["parameters"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{beside} cannot be read: it is not what gridopt writes beside a partition. "
            "Remove it, or give the limits with --tolerance or --band."
        ) from error
    limits = {name: stored[name] for name in OF_LIMITS if stored.get(name) is not None}
    if stored.get("locks"):
        from gridopt.model import Locks

        limits["locks"] = Locks(**stored["locks"])
    return limits


def _rows_like(problem: Problem, labels: Any) -> Problem:
    """Put the rows of the limits in the order of the labels: part j belongs to the region of its first node."""
    import numpy as np

    if not problem.interchangeable or problem.nesting.n_regions == 1:
        return problem
    region_of = problem.nesting.grid_region.tolist()
    used, first = np.unique(labels, return_index=True)
    order = np.full(problem.n_grids, -1, dtype=np.int64)
    for part, node in zip(used.tolist(), first.tolist()):
        region = int(problem.nesting.region[node])
        if region in region_of:
            row = region_of.index(region)
            region_of[row] = -1
            order[part] = row
    left = [row for row in range(problem.n_grids) if row not in set(order.tolist())]
    order[order < 0] = left
    return replace(problem.permuted(order), interchangeable=False)
