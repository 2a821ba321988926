"""``gridopt demo``: the main job on shipped real data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import INTERRUPTED, SOUND, VIOLATED

if TYPE_CHECKING:
    from gridopt.cli._interrupt import Interrupt

__all__ = ["command"]


@click.command("demo", short_help="Run the main job on shipped real data.")
@click.option("--out", default="demo", show_default=True, metavar="DIR", help="Folder for the files.")
@click.option(
    "--city", metavar="N", type=click.IntRange(min=16), help="A generated city of about N blocks, instead of the town."
)
@click.pass_obj
def command(interrupt: Interrupt, out: str, city: int | None) -> int:
    """
    Divide a town into grids, from streets to map.

    Streets and incidents are real and ship with a dependency; no network is needed. Plan, map and tables go to DIR.
    With --city N a city with districts, compounds and a river is generated first.
    """
    from gridopt.cli._show import ProgressLine, quiet_library
    from gridopt.workflow.demo import run

    line = ProgressLine()
    with quiet_library(), interrupt.searching():

        def on_progress(progress: Any) -> bool:
            line.show(progress)
            return interrupt.asked

        try:
            report = run(out, city=city, on_progress=on_progress)
        finally:
            line.close()
        interrupt.heed()
    for text in report.lines:
        click.echo(text)
    if interrupt.asked:
        return INTERRUPTED
    return VIOLATED if report.findings else SOUND
