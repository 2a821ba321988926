"""What the commands say: figures and findings on stdout, progress and the log on stderr."""

from __future__ import annotations

import contextlib
import logging
import math
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
    "carry": "--workload",
    "threshold": "--parent-share",
    **{
        name: f"--{name.replace('_', '-')}"
        for name in (
            *(
                "band",
                "barriers",
                "class_column",
                "classes",
                "compounds",
                "crossings",
                "encoding",
                "gap",
                "gap_width",
                "heavy",
                "islands",
            ),
            *("keep", "links", "locks", "median_width", "min_area", "missing", "overrides", "parent", "parents"),
            *("seconds", "seed", "sliver_width", "source_datum", "spike_width", "split_multipart", "steps"),
            *("street_tolerance", "tolerance", "workers"),
        )
    },
}
"""Arguments the library's messages name, and the flags that set them here."""

ARGUMENT = re.compile(r"""(?<![\w'"-])(?:n_grids\b(?!=)|(""" + "|".join(FLAGS) + r""")=(?:"(\w+)"|(?=(['"\w]?))))""")
"""`name=`, `name="choice"`, `name='value'`, or plain `n_grids`, which is no word of the language."""

IN_PYTHON = re.compile(
    r"""(?<![\w'"-])(?:crs|factors|min_border|n_per_parent|radius|resolution|snap|targets)="""
    r"""(?:\{[^}]*\}|\[[^]]*\]|"[^"]*"|'[^']*'|[\w.:]*\w)?"""
)
"""Arguments that no flag sets, with their values."""
OF_SOME = ("crs", "snap")
"""Arguments that only some commands have a flag for."""
MISLEADING_GAP = 0.5
"""A bound further below the plan than this share of its cost is said to tell little."""


def in_flags(text: str, command: click.Command | None = None) -> str:
    """
    Say a message of the library in terms of the command line: of the flags of `command`, or of the one that runs.

    Examples
    --------
    >>> in_flags("how many grids? Give n_grids=, or a band= from which the fewest can be derived.")
    'how many grids? Give --grids, or a --band from which the fewest can be derived.'
    >>> in_flags("class_column='nope' is not a column"), in_flags('join them with islands="link".')
    ("--class-column 'nope' is not a column", 'join them with --islands link.')
    >>> in_flags("Name a system in metres with crs=, or give snap=0.5.")
    'Name a system in metres with crs= (in Python), or give snap=0.5 (in Python).'
    >>> in_flags("classes['1'] is 'road', which is no class."), in_flags('give classes=, such as {3: "local"}')
    ("--classes 1=road: 'road' is no class.", 'give --classes, such as 3=local')
    """
    context = click.get_current_context(silent=True)
    command = command or (context.command if context else None)
    own = {p.name for p in command.params} if command else set()
    if command and command.name == "blocks":
        own.discard("snap")  # there --snap is of objects, snap= of streets
    here = [name for name in OF_SOME if name in own]
    text = IN_PYTHON.sub(lambda m: m[0] if m[0].partition("=")[0] in here else f"{m[0]} (in Python)", text)
    text = re.sub(r"""classes\[(['"]?)(.*?)\1\] is '([^']*)', which is""", r"--classes \2=\3: '\3' is", text)
    text = re.sub(r"""(such as )\{"?([^{}]*?)"?: "(\w+)"\}""", r"\1\2=\3", text)
    text = ARGUMENT.sub(_flag, text)
    for name in here:
        text = re.sub(rf"""(?<![\w'"-]){name}=(?=(['"\w]?))""", lambda m: f"--{m[0][:-1]}{' ' if m[1] else ''}", text)
    return text.replace("repair_units()", "gridopt repair").replace("assign_parents()", "gridopt solve --parents")


def _flag(match: re.Match[str]) -> str:
    name, choice, value = match.groups()
    flag = FLAGS[name or match[0]]
    return f"{flag} {choice}" if choice else f"{flag} " if value else flag


def show_result(result: Result, also: Sequence[Finding] = ()) -> None:
    """Status and reason, the figures of the plan, what is exempt or broken, with its reason, and what is noticed."""
    click.echo(f"status      {result.status}: {_in_brief(result.reason)}")
    if result.plan is not None:
        show_plan(result.plan)
        if result.bound is not None:
            click.echo(f"bound       {result.bound:,}: no sound plan costs less{_gap(result.gap)}")
        if result.imbalance is not None and result.imbalance_bound is not None:
            least = math.floor(result.imbalance_bound * 1e4) / 1e4
            click.echo(f"imbalance   {result.imbalance:.2%} of a target at most; no plan is below {least:.2%}")
    said = [repr(f) for f in also]
    exceptions = [f for f in result.exceptions if f.severity != "info" and repr(f) not in said]
    noticed = {repr(f): f for f in (*also, *result.exceptions) if f not in exceptions}
    show_findings("exceptions", exceptions)
    show_findings("notes", list(noticed.values()))


def _gap(gap: float | None) -> str:
    """How far the plan is above its bound; nothing where it is not sound."""
    if gap is None:
        return ""
    return f" (gap {gap:.2%}{': a simple bound, far below this plan: says little' if gap > MISLEADING_GAP else ''})"


def _in_brief(reason: str) -> str:
    """Leave out the breaches a reason quotes: they are listed below it."""
    quoted = re.match(r"(The best plan found breaks [\d,]+ limits or locks): .*?( The search was stopped\.)?$", reason)
    return f"{quoted[1]}, listed below.{quoted[2] or ''}" if quoted else reason


def show_plan(plan: Plan) -> None:
    """The figures every plan is reported with."""
    import numpy as np

    from gridopt.rules.metrics import plan_metrics

    figures = plan_metrics(plan)
    exempt = f" ({figures['n_exempt']} exempt from limits)" if figures["n_exempt"] else ""
    click.echo(f"grids       {figures['n_grids']:,}{exempt} of {figures['n_units']:,} units")
    nesting = plan.problem.nesting
    if len(nesting.parents):
        counts = np.bincount(nesting.region_parent[nesting.grid_region], minlength=len(nesting.parents))
        own = ", each with its own mean" if len(np.unique(plan.problem.target[~nesting.exempt, 0])) > 1 else ""
        click.echo(f"parents     {len(counts):,}{own}; {counts.min():,} to {counts.max():,} grids each")
    for name, load in figures["balance"].items():
        click.echo(
            f"{name[:11]:<11} {_number(load['total'])} in all; a grid has {_number(load['min'])} to "
            f"{_number(load['max'])}, mean {_number(load['mean'])}"
        )
        under, over = _signed(-load["worst_under"]), _signed(load["worst_over"])
        click.echo(f"            worst deviation {under} and {over} of the target")
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


def show_findings(title: str, findings: Sequence[Finding], rest: str | None = None) -> None:
    """The first findings, the gravest where not all are shown, and how many more there are; `rest` holds all."""
    if not findings:
        return
    shown = sorted(findings, key=lambda f: ("error", "warning", "info").index(f.severity))[:MOST_FINDINGS]
    click.echo(f"{title}:")
    for finding in [f for f in findings if any(f is one for one in shown)]:
        click.echo(f"  {in_flags(str(finding))}")
    if len(findings) > MOST_FINDINGS:
        click.echo(f"  … and {len(findings) - MOST_FINDINGS} more{f': see the {rest}' if rest else ''}")


def show_files(files: Iterable[Path]) -> None:
    """What was written."""
    click.echo(f"written     {', '.join(str(f) for f in files)}")


def _signed(share: float) -> str:
    text = f"{share:+.2%}"
    return "0.00%" if text[1:] == "0.00%" else text


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
