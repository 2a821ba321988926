"""``gridopt compare``: what moved between two plans, in tables and on a map."""

from __future__ import annotations

from typing import Literal

import click

from gridopt.cli import SOUND
from gridopt.cli._pictures import asked_picture, picture_options

__all__ = ["command"]


@click.command("compare", short_help="What moved between two plans.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option(
    "--match",
    type=click.Choice(["auto", "ids", "overlap"]),
    default="auto",
    show_default=True,
    help="Grids of one id are one grid, or grids that share most workload. auto: ids where NEW descends from OLD.",
)
@click.option(
    "--clear",
    metavar="SHARE",
    type=click.FloatRange(0.5, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="Share of a changed unit that has to come from one grid; below it the unit is listed.",
)
@picture_options("Draw the moves with arrows: .png, .svg or .pdf.")
@click.option("--out", metavar="CSV", help="Write every move: unit, from, to, workload, reason.")
def command(
    old: str,
    new: str,
    match: Literal["auto", "ids", "overlap"],
    clear: float,
    picture: str | None,
    title: str | None,
    out: str | None,
) -> int:
    """
    Compare plan NEW with plan OLD, both plan.gpkg with its plan.json.

    The units may differ: they are matched by id and by area, and every unit whose grid before is doubtful is listed.
    """
    from gridopt.cli._changes import check_csv, check_map, draw_changes, show_comparison, write_moves
    from gridopt.cli._show import quiet_library, show_files, show_findings
    from gridopt.io.plan_file import outputs_of, read_plan
    from gridopt.workflow.plan_pairs import compare_files

    files = []
    drawn = asked_picture(picture, title)
    with quiet_library():
        inputs = [path for plan in (old, new) for path in outputs_of(plan)]
        if out is not None:
            check_csv(out, inputs)
        if drawn is not None:
            check_map(drawn.path, inputs)
        before, after = read_plan(old), read_plan(new)
        found, said = compare_files(before, after, match=match, clear=clear)
        if drawn is not None:
            files.append(draw_changes(drawn, found, after.units))
        if out is not None:
            files.append(write_moves(out, found))
    show_comparison(found)
    show_findings("notes", (*before.findings, *after.findings, *said))
    if files:
        show_files(files)
    return SOUND
