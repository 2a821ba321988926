"""``gridopt check``: what can be said of an input before any search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from gridopt.errors import Finding

__all__ = ["command"]


MOST_DOUBTFUL = 5
"""Units of doubtful parents spelled out; the table holds all."""


@click.command("check", short_help="Check units before solving.")
@click.argument("units", metavar="UNITS")
@territory_options
@limit_options
@exception_options
@click.option("--parent-table", metavar="CSV", help="With --parents: parent, share and second choice of each unit.")
@click.option("--defects", metavar="FILE", help="List every defect of the polygons with its place: .gpkg or .csv.")
def command(units: str, defects: str | None, parent_table: str | None, **asked: Any) -> int:
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
        if parent_table is not None:
            _check_table(request, parent_table)
        seen = _inspect(request, defects)
        territory = read_territory(request)
        graph = territory.graph
        seen += _large(territory)
        found = [*territory.findings, *graph.findings]
        problem = state_problem(request, territory) if is_stated else None
        if problem is not None:
            found = [*territory.findings, *check(problem)]
        click.echo(f"units       {graph.n_units:,}, {graph.n_edges:,} pairs of neighbours")
        if problem is not None:
            _show_limits(problem)
        if territory.parents is not None:
            _show_parents(territory.parents, parent_table)
    told = {f.code for f in seen}
    found = [*seen, *(f for f in found if f.code not in told)]
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


def _check_table(request: Request, target: str) -> None:
    from gridopt.io._atomic import check_no_input, check_writable

    if not request.parents:
        raise click.UsageError("--parent-table needs --parents: polygons that units are given to.")
    if not target.lower().endswith(".csv"):
        raise click.UsageError(f"--parent-table is a CSV: name it {target.rpartition('.')[0] or 'parents'}.csv.")
    check_no_input([check_writable(target)], request.files().values())


def _show_parents(parents: Any, target: str | None) -> None:
    """How clear the choice of parents is; the doubtful units with both shares."""
    from gridopt.io._atomic import replacing

    doubtful = parents.doubtful
    n = len(parents.table)
    click.echo(f"parents     {parents.table['parent'].nunique():,}; {n - len(doubtful):,} of {n:,} units clear")
    for unit, row in doubtful.head(MOST_DOUBTFUL).iterrows():
        other = f", {row['second']!s} {row['second_share']:.1%}" if row["second"] is not None else ""
        click.echo(f"  {unit!s}: {row['parent']!s} {row['share']:.1%}{other}, outside {row['outside']:.1%}")
    if len(doubtful) > MOST_DOUBTFUL:
        click.echo(f"  … and {len(doubtful) - MOST_DOUBTFUL:,} more below {parents.threshold:.0%}")
    if target is not None:
        with replacing(target) as (temporary,):
            parents.table.round(6).to_csv(temporary, encoding="utf-8", lineterminator="\n")
        click.echo(f"written     {target}")


def _large(territory: Any) -> list[Finding]:
    """Units with hardly a street in them; villages may be that large by right."""
    from gridopt.territory.large import tell_large

    if not hasattr(territory.units, "geometry"):
        return []
    return tell_large(territory.units.geometry.area.to_numpy(), territory.units.index.tolist(), crowded="info")


def _inspect(request: Request, target: str | None) -> list[Finding]:
    """Look at the polygons themselves, and say what makes them unusable before anything else can complain of it."""
    from gridopt.cli._show import show_files, show_findings
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.defects import check_suffix, write_defects
    from gridopt.io.gerrychain import is_gerrychain
    from gridopt.io.tables import read_units
    from gridopt.territory.defects import KINDS_OF_DEFECT, inspect_units

    if is_metis(request.source) or is_gerrychain(request.source):
        if target is not None:
            raise click.UsageError("--defects needs polygons: a graph has none.")
        return []
    if target is not None:
        check_no_input([check_writable(check_suffix(target))], request.files().values())
    table = inspect_units(read_units(request.source, id_column=request.id))
    said = [f for f in table.attrs["findings"] if f.code in {k.code for k in KINDS_OF_DEFECT}]
    if target is not None:
        show_files([write_defects(target, table)])
    if any(f.severity == "error" for f in said):
        show_findings("defects", said)
    return said
