"""``gridopt demo``: the main job on shipped real data."""

from __future__ import annotations

from pathlib import Path

import click

from gridopt.cli import SOUND

__all__ = ["command"]


@click.command("demo", short_help="Run the main job on shipped real data.")
@click.option("--out", default="demo", show_default=True, metavar="DIR", help="Folder for the files.")
def command(out: str) -> int:
    """Build grids on real streets and incidents that ship with a dependency; no network is needed."""
    from gridopt.cli._show import quiet_library
    from gridopt.workflow.demo import run

    with quiet_library():
        run(Path(out))
    return SOUND
