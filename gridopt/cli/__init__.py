"""The command line: parse, call, print, exit code. One command per file; each loads what it needs when it runs."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from gridopt.errors import GridoptError, InputError, NoPlanError

__all__ = ["main"]

COMMANDS = ("demo", "blocks", "solve", "check", "verify")
"""In the order of use; each is the function `command` of the module of its name."""

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
    try:
        code = _gridopt.main(args=None if args is None else list(args), prog_name="gridopt", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = SOUND
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "gridopt"
        click.echo(f"{where}: {error.format_message()} See {where} --help.", err=True)
        code = BAD_INPUT
    except InputError as error:
        _complain(error)
        code = BAD_INPUT
    except NoPlanError as error:
        _complain(error)
        code = NO_PLAN
    except (KeyboardInterrupt, click.Abort):
        click.echo("gridopt: interrupted; nothing was written.", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - the reader left; nobody is told
        code = SOUND
    except GridoptError as error:
        _complain(error)
        code = FAILED
    sys.exit(code or SOUND)


def _complain(error: GridoptError) -> None:
    from gridopt.cli._show import in_flags

    click.echo(f"gridopt: {in_flags(str(error))}", err=True)
