"""What the commands say: figures and findings on stdout, progress and the log on stderr."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.errors import Finding

if TYPE_CHECKING:
    from gridopt.model import Plan, Result
    from gridopt.solvers.stages import Progress

__all__ = ["ProgressLine", "in_flags", "quiet_library", "show_files", "show_findings", "show_plan", "show_result"]

MOST_FINDINGS = 12
"""Findings spelled out on stdout; the files hold all."""
SECONDS_BETWEEN = 0.2


FLAGS = {
    "n_grids": "--grids",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *("band", "barriers", "class_column", "crossings", "heavy", "islands", "links", "locks", "missing"),
            *("parent", "seconds", "seed", "steps", "street_tolerance", "tolerance", "workers"),
        )
    },
}
"""Arguments the library's messages name, and the flags that set them here."""

ARGUMENT = re.compile(r"""(?<![\w'"-])(?:n_grids\b(?!=)|(""" + "|".join(FLAGS) + r""")=(?:"(\w+)"|(?=(['"\w]?))))""")
"""`name=`, `name="choice"`, `name='value'`, or plain `n_grids`, which is no word of the language."""


def in_flags(text: str) -> str:
    """
    Say a message of the library in terms of the command line.

    Examples
    --------
    >>> in_flags("how many grids? Give n_grids=, or a band= from which the fewest can be derived.")
    'how many grids? Give --grids, or a --band from which the fewest can be derived.'
    >>> in_flags("class_column='nope' is not a column"), in_flags('join them with islands="link".')
    ("--class-column 'nope' is not a column", 'join them with --islands link.')
    """
    return ARGUMENT.sub(_flag, text)


def _flag(match: re.Match[str]) -> str:
    name, choice, value = match.groups()
    flag = FLAGS[name or match[0]]
    return f"{flag} {choice}" if choice else f"{flag} " if value else flag


def show_result(result: Result, also: Sequence[Finding] = ()) -> None:
    """Status and reason, the figures of the plan, and what is exempt, broken or wants a look, with its reason."""
    click.echo(f"status      {result.status}: {result.reason}")
    if result.plan is not None:
        show_plan(result.plan)
        if result.bound is not None:
            click.echo(f"bound       {result.bound:,}: no sound plan costs less (gap {result.gap or 0:.2%})")
    show_findings("exceptions", [f for f in (*result.exceptions, *also) if f.severity != "info"])


def show_plan(plan: Plan) -> None:
    """The figures every plan is reported with."""
    from gridopt.rules.metrics import plan_metrics

    figures = plan_metrics(plan)
    exempt = f" ({figures['n_exempt']} exempt from limits)" if figures["n_exempt"] else ""
    click.echo(f"grids       {figures['n_grids']:,}{exempt} of {figures['n_units']:,} units")
    for name, load in figures["balance"].items():
        click.echo(
            f"{name[:11]:<11} {_number(load['total'])} in all; a grid has {_number(load['min'])} to "
            f"{_number(load['max'])}, mean {_number(load['mean'])}"
        )
        click.echo(
            f"            worst deviation -{load['worst_under']:.2%} and +{load['worst_over']:.2%} of the target"
        )
    click.echo(
        f"pieces      {figures['pieces']:,}{'' if figures['pieces'] == figures['n_grids'] else ' (NOT CONTIGUOUS)'}"
    )
    terms = ", ".join(f"{name} {value:,}" for name, value in figures["cost"].items())
    click.echo(f"cost        {terms}")
    if "on_streets" in figures:
        shares = {c: v for c, v in figures["border_shares"].items() if c != "none" and v}
        by_class = ", ".join(f"{c} {v:.0%}" for c, v in shares.items())
        click.echo(f"on streets  {figures['on_streets']:.1%} of border length{f' ({by_class})' if by_class else ''}")
        if figures.get("arterial_inside") is not None:
            click.echo(f"straddled   {figures['arterial_inside']:.1%} of arterial border length runs inside grids")


def show_findings(title: str, findings: Sequence[Finding]) -> None:
    """The first findings, a line each, and how many more there are."""
    if not findings:
        return
    click.echo(f"{title}:")
    for finding in findings[:MOST_FINDINGS]:
        click.echo(f"  {in_flags(str(finding))}")
    if len(findings) > MOST_FINDINGS:
        click.echo(f"  … and {len(findings) - MOST_FINDINGS} more")


def show_files(files: Iterable[Path]) -> None:
    """What was written."""
    click.echo(f"written     {', '.join(str(f) for f in files)}")


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")


@contextlib.contextmanager
def quiet_library() -> Iterator[None]:
    """Show gridopt's log on stderr, and no Python warnings: what they say is among the findings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("gridopt: %(message)s"))
    logger = logging.getLogger("gridopt")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


class ProgressLine:
    """One line on stderr that is written over, when stderr is a terminal; silent otherwise."""

    def __init__(self) -> None:
        self.is_on = sys.stderr.isatty()
        self._last = 0.0
        self._width = 0

    def show(self, progress: Progress) -> None:
        """Show where the search is, a few times a second."""
        now = time.monotonic()
        if not self.is_on or now - self._last < SECONDS_BETWEEN:
            return
        self._last = now
        parts = [f"{progress.seconds:6.1f} s  {progress.fraction:4.0%}"]
        parts += [f"cost {progress.cost:,}"] if progress.cost is not None else ["no plan yet"]
        parts += [f"violation {progress.violation / 1e6:.3f}"] if progress.violation else []
        parts += [f"region {progress.regions_done} of {progress.n_regions}"] if progress.n_regions > 1 else []
        self._write("  ".join(parts))

    def close(self) -> None:
        """Clear the line."""
        if self._width:
            self._write("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width))
        sys.stderr.flush()
        self._width = len(text)
