"""``gridopt blocks``: streets in, units out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import SOUND
from gridopt.cli._objects import Counted, ObjectsAsked, count, object_options, show_conservation

if TYPE_CHECKING:
    from gridopt.errors import Finding

__all__ = ["command"]

UNITS_LAYER = "units"


@click.command("blocks", short_help="Streets in, units out.")
@click.option("--boundary", required=True, metavar="F[:layer]", help="Polygons whose union is the territory.")
@click.option("--streets", required=True, metavar="F[:layer]", help="Street lines.")
@click.option("--barriers", metavar="F[:layer]", help="Rivers, rail, walls: they cut as streets do.")
@click.option("--class-column", metavar="COL", help="Column of street classes. Default: highway.")
@click.option(
    "--min-area",
    metavar="M2",
    type=click.FloatRange(min=0),
    help="Pieces below so many square metres join the neighbour with the longest shared border. Default 1.",
)
@object_options
@click.option("--out", required=True, metavar="FILE", help="units.gpkg.")
def command(
    boundary: str,
    streets: str,
    barriers: str | None,
    class_column: str | None,
    min_area: float | None,
    out: str,
    **asked: Any,
) -> int:
    """
    Cut a territory along its streets into units, without gap or overlap, and count objects in each.

    Each NAME becomes a column: how many of these objects lie in the unit. `gridopt count` does the same for units that
    are there.
    """
    from gridopt.cli._show import quiet_library, show_files, show_findings
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.tables import read_layer, split_layer
    from gridopt.territory.blocks import build_blocks

    wish = ObjectsAsked(**asked)
    wish.check()
    target = Path(out)
    if target.suffix.lower() != ".gpkg":
        raise click.UsageError(f"units are written to a GeoPackage: name it {target.stem or 'units'}.gpkg, not {out}.")
    with quiet_library():
        sources = [boundary, streets, *([barriers] if barriers else []), *wish.sources().values()]
        check_no_input([check_writable(target)], [split_layer(source)[0] for source in sources])
        layers = {
            "boundary": read_layer(boundary, what="boundary", shapes=("polygon",)),
            "streets": read_layer(streets, what="streets", shapes=("line",)),
        }
        if barriers is not None:
            layers["barriers"] = read_layer(barriers, what="barriers", shapes=("line", "polygon"))
        more: dict[str, Any] = {} if min_area is None else {"min_area": min_area}
        units = build_blocks(**layers, class_column=class_column, **more)
        found = [f for layer in layers.values() for f in layer.attrs.get("findings", ())]
        found += units.attrs.get("findings", ())
        counted = count(units, wish) if wish.objects or wish.spread else None
        if counted is not None:
            found += counted.findings
            units[counted.columns.columns] = counted.columns
        _write(target, units, found, counted)
    click.echo(f"units       {len(units):,}, {units['area_m2'].sum() / 1e6:,.2f} km² without gap or overlap")
    if counted is not None:
        show_conservation(counted.conservation)
    show_findings("findings", found)
    show_files([target])
    return SOUND


def _write(target: Path, units: Any, found: list[Finding], counted: Counted | None) -> None:
    from gridopt.io._atomic import replacing
    from gridopt.io._layers import findings_table, write_layers

    layers = {UNITS_LAYER: units.reset_index(), "findings": findings_table(found)}
    if counted is not None:
        layers |= {"conservation": counted.conservation.reset_index(), "outside": counted.outside}
    with replacing(target) as (temporary,):
        write_layers(temporary, layers)
