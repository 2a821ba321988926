"""``gridopt repair``: polygons with gaps and overlaps in, units that fit together out, and an account of the ground."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from gridopt.cli import SOUND
from gridopt.cli._datums import converted_before

__all__ = ["command"]

MOST_CHANGES = 5
"""Units spelled out on stdout; the file holds all."""


@click.command("repair", short_help="Polygons with defects in, units that fit together out.")
@click.argument("units", metavar="UNITS")
@click.option("--id", "id_column", metavar="COL", help="Column of unit ids. Default: unit, else rows are numbered.")
@click.option(
    "--gap-width",
    metavar="METRES",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="Gaps and pin holes up to this width are filled.",
)
@click.option(
    "--spike-width",
    metavar="METRES",
    type=click.FloatRange(min=0),
    default=0.1,
    show_default=True,
    help="Spikes up to this width are cut.",
)
@click.option(
    "--workload",
    metavar="COL",
    multiple=True,
    help="Column of amounts that a dropped duplicate hands on and pieces share; repeatable.",
)
@click.option(
    "--split-multipart", is_flag=True, help="Make each piece of a unit a unit; --workload is shared out by area."
)
@click.option("--crs", metavar="EPSG:N", help="System in metres to work in. Default: that of UNITS, or UTM.")
@click.option("--out", required=True, metavar="FILE", help="units.gpkg.")
def command(
    units: str,
    id_column: str | None,
    gap_width: float,
    spike_width: float,
    workload: tuple[str, ...],
    split_multipart: bool,
    crs: str | None,
    out: str,
) -> int:
    """
    Repair UNITS: polygons with gaps, overlaps, spikes, invalid rings or duplicates.

    Writes units that fit together, and beside them what was wrong where (defects), what each unit lost and gained
    (changes), an account that adds up to the square metre, and which unit each piece comes from (parts).
    """
    from gridopt.cli._show import quiet_library, show_files, show_findings
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.tables import read_units, split_layer
    from gridopt.territory.repair import repair_units

    target = Path(out)
    if target.suffix.lower() != ".gpkg":
        raise click.UsageError(f"units are written to a GeoPackage: name it {target.stem or 'units'}.gpkg, not {out}.")
    with quiet_library():
        check_no_input([check_writable(target)], [split_layer(units)[0]])
        given = read_units(units, id_column=id_column, columns=list(workload))
        widths = {"gap_width": gap_width, "spike_width": spike_width}
        repaired = repair_units(given, **widths, carry=workload, split_multipart=split_multipart, crs=crs)
        told = *repaired.findings, *given.attrs.get("findings", ()), *converted_before(units)
        repaired = replace(repaired, findings=told)
        _write(target, repaired)
    click.echo(f"units       {len(repaired.units):,} of {len(given):,}; {len(repaired.changes):,} changed")
    click.echo("account     m²")
    for step, places, area in repaired.account.itertuples(index=False):
        if area or places or step == "unexplained":
            shown = f"{places:,}" if step != "unexplained" else ""
            click.echo(f"  {step:<20}{round(area, 2) + 0.0:>18,.2f}  {shown:>8}")
    if len(repaired.parts):
        wholes = repaired.parts["unit"].nunique()
        click.echo(f"parts       {len(repaired.parts):,} pieces, each a unit now, of {wholes:,} units in pieces")
    _show_changes(repaired.changes)
    show_findings("findings", repaired.findings, rest=f"layer findings of {target}")
    show_files([target])
    return SOUND


def _show_changes(changes: Any) -> None:
    """The units that changed most."""
    if not len(changes):
        return
    moved = (changes["lost_m2"] + changes["gained_m2"]).sort_values(ascending=False, kind="stable")
    click.echo("most changed (m² lost, gained):")
    for unit in moved.index[:MOST_CHANGES]:
        click.echo(f"  {unit!s:<20}{changes.at[unit, 'lost_m2']:>12,.2f}{changes.at[unit, 'gained_m2']:>12,.2f}")


def _write(target: Path, repaired: Any) -> None:
    from gridopt.io._atomic import replacing
    from gridopt.io._layers import findings_table, fit_columns, write_layers
    from gridopt.io.defects import defects_table

    fitted, _, renamed = fit_columns(repaired.units)
    layers = {
        "units": fitted,
        "defects": defects_table(repaired.defects),
        "changes": repaired.changes.reset_index(),
        "account": repaired.account,
        **({"parts": repaired.parts.reset_index()} if len(repaired.parts) else {}),
        "findings": findings_table((*repaired.findings, *renamed)),
    }
    with replacing(target) as (temporary,):
        write_layers(temporary, layers)
