"""``gridopt check``: what can be said of an input before any search."""

from __future__ import annotations

from typing import Any

import click

from gridopt.cli import SOUND, VIOLATED
from gridopt.cli._options import (
    Request,
    exception_options,
    is_metis,
    limit_options,
    read_territory,
    state_problem,
    territory_options,
)

__all__ = ["command"]


@click.command("check", short_help="Check units before solving.")
@click.argument("units", metavar="UNITS")
@territory_options
@limit_options
@exception_options
def command(units: str, **asked: Any) -> int:
    """
    Check UNITS before solving.

    Without limits, the shapes and the graph are checked; with the options of `gridopt solve`, also whether a plan can
    exist. Findings go to stdout; errors among them give exit code 3.
    """
    from gridopt.cli._show import quiet_library, show_findings
    from gridopt.rules.check import check

    request = Request(units, **asked)
    is_stated = request.grids is not None or request.band is not None
    if is_stated and not is_metis(units) and not request.workload:
        raise click.UsageError("say which column is the workload: --workload COL.")
    with quiet_library():
        territory = read_territory(request)
        graph = territory.graph
        found = [*territory.findings, *graph.findings]
        problem = state_problem(request, territory) if is_stated else None
        if problem is not None:
            found = [*territory.findings, *check(problem)]
        click.echo(f"units       {graph.n_units:,}, {graph.n_edges:,} pairs of neighbours")
        if problem is not None:
            _show_limits(problem)
    errors = [f for f in found if f.severity == "error"]
    show_findings("findings", sorted(found, key=lambda f: ("error", "warning", "info").index(f.severity)))
    if errors:
        click.echo(f"{len(errors)} of these mean that no sound plan exists.")
        return VIOLATED
    click.echo("no errors")
    return SOUND


def _show_limits(problem: Any) -> None:
    bound = ~problem.nesting.exempt
    click.echo(f"grids       {problem.n_grids:,} in {problem.nesting.n_regions:,} regions")
    for a, name in enumerate(problem.attributes):
        lo, hi = problem.lo[bound, a], problem.hi[bound, a]
        total = problem.in_user_units(int(problem.workload[:, a].sum()), a)
        limits = ""
        if len(lo):
            least, most = (problem.in_user_units(int(v), a) for v in (lo.min(), hi.max()))
            limits = f"; a grid may have {least:,} to {most:,}"
        click.echo(f"{name[:11]:<11} {total:,} in all{limits}")
