"""The command line: parse, call, print, exit code. One command per file; each loads what it needs when it runs."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import click

from gridopt.errors import GridoptError, InputError, NoPlanError

if TYPE_CHECKING:
    from gridopt.cli._interrupt import Interrupt

__all__ = ["main"]

COMMANDS = ("demo", "blocks", "count", "repair", "check", "why", "solve", "verify", "compare", "rebalance", "export")
"""In the order of use; each is the function `command` of the module of its name."""

LONGEST_WORD, HEAD = 300, 60
"""Characters of a word that is quoted whole, and of the ends of a longer one."""

SOUND, FAILED, BAD_INPUT, VIOLATED, NO_PLAN, INTERRUPTED = 0, 1, 2, 3, 4, 130


class _Commands(click.Group):
    """Commands that are imported when asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gridopt.cli.{cmd_name}").command
        return command


def _show_version(ctx: click.Context, _: Any, wanted: bool) -> None:
    if wanted:
        click.echo(f"gridopt {sys.modules['gridopt'].__version__}")
        ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show version."
)
def _gridopt() -> None:
    """
    Contiguous grids of equal workload whose borders follow streets.

    FILE may be FILE:layer. Formats follow from the suffix: .gpkg, .geojson, .parquet, .shp, .csv; .graph and .part are
    METIS files. Exit codes: 0 sound plan, 2 bad input (nothing written), 3 violated or infeasible, 4 no plan in time,
    130 interrupted (the best sound plan is written).
    """


def main(args: Sequence[str] | None = None) -> NoReturn:
    """
    Run the command line and leave with its exit code.

    Parameters
    ----------
    args : sequence of str, optional
        Arguments; default those of the process.

    Examples
    --------
    >>> try:
    ...     main(["--version"])
    ... except SystemExit as end:
    ...     end.code
    gridopt 0.1.0
    0
    """
    from gridopt.cli._interrupt import Interrupt
    from gridopt.cli._pipe import heard_or_not

    interrupt = Interrupt(owns_process=args is None)
    try:
        with interrupt, heard_or_not(owns_process=args is None):
            code = _run(None if args is None else list(args), interrupt)
    except KeyboardInterrupt:
        click.echo("gridopt: interrupted; files are the old ones, or whole new ones.", err=True)
        code = INTERRUPTED
    if interrupt.aborted and args is None:
        _leave_now()
    sys.exit(code)


def _run(args: list[str] | None, interrupt: Interrupt) -> int:
    """Run the command and return its exit code; what went wrong is said on stderr."""
    try:
        code = _gridopt.main(args=args, prog_name="gridopt", standalone_mode=False, obj=interrupt)
        interrupt.heed()
        sys.stdout.flush()
        return code or SOUND
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return SOUND
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "gridopt"
        click.echo(f"{where}: {_in_a_line(error.format_message())} See {where} --help.", err=True)
        return BAD_INPUT
    except InputError as error:
        _complain(error, args)
        return BAD_INPUT
    except NoPlanError as error:
        _complain(error, args)
        return NO_PLAN
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except GridoptError as error:
        _complain(error, args)
        return FAILED


def _leave_now() -> NoReturn:
    """End an aborted process without waiting for threads that still search."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


def _complain(error: GridoptError, args: list[str] | None) -> None:
    """Say an error on stderr, with the flags of the command that was run; its context is gone by now."""
    from gridopt.cli._show import in_flags

    name = next((a for a in (sys.argv[1:] if args is None else args) if a in COMMANDS), None)
    command = None if name is None else importlib.import_module(f"gridopt.cli.{name}").command
    click.echo(f"gridopt: {_in_a_line(in_flags(str(error), command))}", err=True)


def _in_a_line(text: str) -> str:
    """One line whatever was quoted: names may hold line breaks, and what was taken for a number may have no end."""
    if any(len(word) > LONGEST_WORD for word in text.split(" ")):
        text = " ".join(w if len(w) <= LONGEST_WORD else f"{w[:HEAD]}…{w[-HEAD:]}" for w in text.split(" "))
    return "".join(c if c.isprintable() else " " for c in text)
