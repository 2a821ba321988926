"""``gridopt demo``: the main job on shipped real data."""

from __future__ import annotations

from typing import Any

import click

from gridopt.cli import INTERRUPTED, SOUND, VIOLATED

__all__ = ["command"]


@click.command("demo", short_help="Run the main job on shipped real data.")
@click.option("--out", default="demo", show_default=True, metavar="DIR", help="Folder for the files.")
def command(out: str) -> int:
    """
    Divide a town into grids, from streets to map.

    Streets and incidents are real and ship with a dependency; no network is needed. Plan, map and tables go to DIR.
    """
    from gridopt.cli._interrupt import Interrupt
    from gridopt.cli._show import ProgressLine, quiet_library
    from gridopt.workflow.demo import run

    line = ProgressLine()
    with quiet_library(), Interrupt() as interrupt:

        def on_progress(progress: Any) -> bool:
            line.show(progress)
            return interrupt.asked

        try:
            report = run(out, on_progress=on_progress)
        finally:
            line.close()
        interrupt.heed()
    for text in report.lines:
        click.echo(text)
    if interrupt.asked:
        return INTERRUPTED
    return VIOLATED if report.findings else SOUND
