"""``gridopt solve``: units -> plan.gpkg, or a METIS graph -> a METIS partition."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import INTERRUPTED, NO_PLAN, SOUND, VIOLATED
from gridopt.cli._options import (
    Request,
    Territory,
    exception_options,
    is_metis,
    limit_options,
    read_territory,
    state_problem,
    territory_options,
)
from gridopt.cli._pictures import Picture, asked_picture, picture_options, show_unseen

if TYPE_CHECKING:
    from gridopt.cli._interrupt import Interrupt
    from gridopt.errors import Finding
    from gridopt.model import Problem, Result

__all__ = ["command"]


@click.command("solve", short_help="Units in, grids out.")
@click.argument("units", metavar="UNITS")
@territory_options
@limit_options
@exception_options
@click.option(
    "--seconds", metavar="S", type=click.FloatRange(min=0, min_open=True), help="Time for the search. Default 10."
)
@click.option("--steps", metavar="N", type=click.IntRange(min=1), help="Steps for the search: the same plan each time.")
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Randomness."
)
@click.option("--workers", metavar="N", type=click.IntRange(min=1), help="Processor cores to use. Default: all.")
@click.option("--prove", is_flag=True, help="Look for a proof that no plan costs less.")
@picture_options("Draw the plan too: .png, .svg or .pdf.")
@click.option("--out", required=True, metavar="FILE", help="plan.gpkg, or g.part for a METIS graph.")
@click.pass_obj
def command(
    interrupt: Interrupt,
    units: str,
    out: str,
    seconds: float | None,
    steps: int | None,
    seed: int,
    workers: int | None,
    prove: bool,
    picture: str | None,
    title: str | None,
    **asked: Any,
) -> int:
    """
    Divide UNITS into contiguous grids of equal workload.

    UNITS are polygons with workload columns, as `gridopt blocks` makes them, or a METIS graph. Say how many grids
    (--grids), or how heavy (--band), or both.
    """
    from gridopt.cli._show import quiet_library

    request = Request(units, **asked)
    _check_usage(request, seconds, steps)
    drawn = asked_picture(picture, title)
    from gridopt.solvers.solve import DEFAULT_SECONDS

    seconds = DEFAULT_SECONDS if seconds is None and steps is None else seconds
    with quiet_library():
        _check_output(request, out)
        if drawn is not None:
            _check_picture(request, drawn.path, out)
        territory = read_territory(request)
        problem = state_problem(request, territory)
        budget = {"seconds": seconds, "steps": steps, "seed": seed, "prove": prove}
        budget |= {"workers": workers} if workers else {}
        return _search_and_write(problem, territory, request, (Path(out), drawn), budget, interrupt)


def _check_usage(request: Request, seconds: float | None, steps: int | None) -> None:
    if request.grids is None and request.band is None:
        raise click.UsageError("say how many grids (--grids K), or how heavy they may be (--band LO HI).")
    if request.band is not None and request.tolerance is not None:
        raise click.UsageError("--band is absolute and --tolerance relative: give one of them.")
    if seconds is not None and steps is not None:
        raise click.UsageError("--seconds and --steps are two ways to end the search: give one of them.")
    if not is_metis(request.source) and not request.workload:
        raise click.UsageError("say which column is the workload: --workload COL.")


def _check_output(request: Request, out: str) -> None:
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.plan_file import check_outputs

    if not is_metis(request.source):
        check_no_input(check_outputs(out), request.files().values())
        return
    if Path(out).suffix != ".part":
        raise click.UsageError(f"a METIS graph is solved into a partition: name it {Path(out).stem}.part, not {out}.")
    targets = check_writable(out), check_writable(_json_beside(Path(out)))
    check_no_input(targets, request.files().values())


def _check_picture(request: Request, picture: str, out: str) -> None:
    """Make sure, before any work, that the map can be drawn and written."""
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.gerrychain import is_gerrychain
    from gridopt.viz.page import SUFFIXES

    if is_metis(request.source) or is_gerrychain(request.source):
        raise click.UsageError("--map needs polygons: a graph has none.")
    if Path(picture).suffix.lower() not in SUFFIXES:
        raise click.UsageError(f"--map draws {', '.join(SUFFIXES)}: name it {Path(out).stem}.png, not {picture}.")
    check_no_input([check_writable(picture)], request.files().values())


def _json_beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _search_and_write(
    problem: Problem,
    territory: Territory,
    request: Request,
    targets: tuple[Path, Picture | None],
    budget: dict[str, Any],
    interrupt: Interrupt,
) -> int:
    from gridopt.cli._show import ProgressLine, show_files, show_result
    from gridopt.model import Status
    from gridopt.solvers.solve import solve
    from gridopt.solvers.warm import compile

    out, picture = targets
    line = ProgressLine()
    with interrupt.searching():

        def on_progress(progress: Any) -> bool:
            line.show(progress)
            return interrupt.asked

        try:
            compile(processes=2)
            result = solve(problem, on_progress=on_progress, **budget)
        finally:
            line.close()
        interrupt.heed()
        sound = result.status in (Status.OPTIMAL, Status.FEASIBLE)
        show_result(result, (*territory.findings, *problem.graph.findings))
        if interrupt.asked and not sound:
            click.echo("gridopt: interrupted before a sound plan was found; nothing was written.", err=True)
            return INTERRUPTED
        if result.status == Status.NO_PLAN:
            click.echo(f"gridopt: {result.reason} Nothing was written.", err=True)
            return NO_PLAN
        files = _write(out, result, territory, problem.findings, request.options())
        if picture is not None and result.plan is not None:
            files.append(_draw(picture, result, territory, request))
        show_files(files)
    if interrupt.asked:
        return INTERRUPTED
    return SOUND if sound else VIOLATED


def _draw(picture: Picture, result: Result, territory: Territory, request: Request) -> Path:
    from gridopt.io._atomic import undisturbed
    from gridopt.viz.map import draw_map

    with undisturbed():
        figure = draw_map(
            result,
            territory.units,
            streets=territory.streets,
            barriers=territory.barriers,
            class_column=request.class_column if territory.streets is not None else None,
            path=picture.path,
            title=picture.title,
        )
    show_unseen(figure, picture.path)
    return Path(picture.path)


def _write(
    out: Path, result: Result, territory: Territory, told: tuple[Finding, ...], options: dict[str, Any]
) -> list[Path]:
    """Write what there is to write: a plan, a partition, or the findings alone."""
    from gridopt.io._atomic import undisturbed
    from gridopt.io.metis import write_partition
    from gridopt.io.plan_file import outputs_of, write_result
    from gridopt.rules.metrics import plan_metrics
    from gridopt.workflow.plan_files import save_plan

    about: dict[str, Any] = {"inputs": territory.inputs, "findings": territory.findings}
    if territory.units is not None and result.plan is not None:
        return list(save_plan(out, result, territory.units, options=options, **about))
    about["findings"] = (*told, *territory.findings)
    if result.plan is None:
        beside = _json_beside(out) if territory.units is None else outputs_of(out)[2]
        return [write_result(beside, result, **about)]
    about["metrics"] = plan_metrics(result.plan)
    with undisturbed():
        write_partition(out, result.plan.labels)
        return [out, write_result(_json_beside(out), result, files=[out], **about)]
