"""``gridopt count``: objects and areas brought to units that are there."""

from __future__ import annotations

from typing import Any

import click

from gridopt.cli import SOUND
from gridopt.cli._datums import check_datums, from_datum
from gridopt.cli._objects import ObjectsAsked, count, object_options, show_conservation
from gridopt.errors import Finding

__all__ = ["command"]


@click.command("count", short_help="Objects and areas in, columns of units out.")
@click.argument("units", metavar="UNITS")
@click.option("--id", "id_column", metavar="COL", help="Column of unit ids. Default: unit.")
@object_options
@click.option("--out", required=True, metavar="FILE", help="units.gpkg, or .geojson, .parquet, .csv, .xlsx.")
def command(units: str, id_column: str | None, out: str, **asked: Any) -> int:
    """
    Count objects in each of UNITS, and divide the amounts of areas among them.

    Each NAME becomes a column of the units. What is in no unit is listed: given = located + outside, for every column.
    """
    from gridopt.cli._show import quiet_library, show_files, show_findings
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io._layers import findings_table, fit_columns
    from gridopt.io.tables import read_units, split_layer
    from gridopt.io.write import check_suffix, write_table
    from gridopt.territory.crs import to_metric

    wish = ObjectsAsked(**asked)
    wish.check()
    if not wish.objects and not wish.spread:
        raise click.UsageError("say what to bring to the units: --objects NAME=FILE, or --spread NAME=FILE.")
    check_datums(wish.source_datum, ["units", *wish.names()])
    with quiet_library():
        target = check_writable(check_suffix(out))
        sources = [units, *wish.sources().values()]
        check_no_input([target], [split_layer(source)[0] for source in sources])
        table = from_datum(wish.source_datum, "units", read_units(units, id_column=id_column), units)
        metric, _, said = to_metric(table, what="units")
        counted = count(metric, wish)
        found = [*table.attrs.get("findings", ()), *said, *counted.findings]
        replaced = [str(c) for c in counted.columns if c in table.columns]
        if replaced:
            cure = "The units had columns of these names; they were replaced."
            found.append(Finding("column-replaced", "info", tuple(replaced), None, None, cure))
        found += [f for name in replaced for f in _emptied(name, table[name], counted.columns[name])]
        for name in counted.columns:
            table[name] = counted.columns[name].reindex(table.index)
        fitted, _, renamed = fit_columns(table)
        found += renamed
        more = {
            "conservation": counted.conservation.reset_index(),
            "outside": counted.outside,
            "findings": findings_table(found),
        }
        write_table(target, fitted, more)
    click.echo(f"units       {len(table):,}")
    show_conservation(counted.conservation)
    show_findings("findings", found)
    show_files([target])
    return SOUND


def _emptied(name: str, before: Any, now: Any) -> list[Finding]:
    """Units whose amount was replaced by nothing: a table of those that changed would leave the others without."""
    import pandas as pd

    had = pd.to_numeric(before, errors="coerce").fillna(0) != 0
    ids = before.index[had & (now.reindex(before.index) == 0)].tolist()
    if not ids:
        return []
    cure = (
        f"These had an amount of {name!r} and have none now. Units that a table leaves out count 0: give all of them."
    )
    return [Finding("column-emptied", "warning", tuple(ids[:50]), len(ids), None, cure)]
