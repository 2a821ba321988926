"""``gridopt why``: two units, and the reason why they are neighbours, or are not."""

from __future__ import annotations

from typing import Any

import click

from gridopt.cli import SOUND
from gridopt.cli._options import (
    Request,
    exception_options,
    is_metis,
    limit_options,
    read_shapes,
    territory_options,
)

__all__ = ["command"]


@click.command("why", short_help="Why two units are neighbours, or are not.")
@click.argument("units", metavar="UNITS")
@click.argument("u", metavar="U")
@click.argument("v", metavar="V")
@territory_options
@limit_options
@exception_options
def command(units: str, u: str, v: str, **asked: Any) -> int:
    """
    Tell why the units U and V of UNITS are neighbours, or why they are not.

    Takes the options of `gridopt check` and `gridopt solve`, so that the question is about the same graph; those that
    are not about the territory are passed over.
    """
    from gridopt.cli._show import in_flags, quiet_library
    from gridopt.io.gerrychain import is_gerrychain
    from gridopt.territory.why import why

    if is_metis(units) or is_gerrychain(units):
        raise click.UsageError("the reasons are in the shapes, and a graph has none: give polygons.")
    request = Request(units, **asked)
    with quiet_library():
        shapes, options = read_shapes(request)
        first, second = (_as_id(text, shapes.index) for text in (u, v))
        answer = why(shapes, first, second, **options)
    click.echo(in_flags(str(answer)))
    return SOUND


def _as_id(text: str, ids: Any) -> Any:
    """An id as the units have it: whole numbers where theirs are."""
    if ids.dtype.kind in "iu" and text.lstrip("-").isdigit():
        return int(text)
    return {str(i): i for i in ids}.get(text, text)
