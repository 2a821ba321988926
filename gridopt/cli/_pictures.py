"""Pictures that a command draws: where, under which title, and what its text lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click

__all__ = ["Picture", "asked_picture", "picture_options", "show_unseen"]


class Picture(NamedTuple):
    """Where a picture goes, and its first line."""

    path: str
    title: str | None


def picture_options(help_: str) -> Any:
    """Decorate a command with ``--map`` and ``--title``."""

    def decorate(command: Any) -> Any:
        command = click.option("--title", metavar="TEXT", help="First line of the picture of --map.")(command)
        return click.option("--map", "picture", metavar="FILE", help=help_)(command)

    return decorate


def asked_picture(path: str | None, title: str | None) -> Picture | None:
    """Return the picture asked for, or None; a title of none is refused."""
    if path is None and title is not None:
        raise click.UsageError("--title says something of --map: give that too.")
    return None if path is None else Picture(path, title)


def show_unseen(figure: Any, path: str) -> None:
    """Say which text of a picture is drawn as boxes; an SVG keeps text as text."""
    from gridopt.cli._show import show_findings
    from gridopt.viz.fonts import unseen_text

    if Path(path).suffix.lower() != ".svg":
        show_findings("picture", unseen_text(figure))
