"""``gridopt blocks``: streets in, units out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import SOUND

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
@click.option("--objects", metavar="NAME=F[:layer]", multiple=True, help="Objects to count in each unit; repeatable.")
@click.option("--out", required=True, metavar="FILE", help="units.gpkg.")
def command(
    boundary: str,
    streets: str,
    barriers: str | None,
    class_column: str | None,
    min_area: float | None,
    objects: tuple[str, ...],
    out: str,
) -> int:
    """
    Cut a territory along its streets into units, without gap or overlap, and count objects in each.

    Each NAME becomes a column: how many of these objects lie in the unit.
    """
    from gridopt.cli._show import quiet_library, show_files, show_findings
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.tables import read_layer, split_layer
    from gridopt.territory.blocks import build_blocks

    named = [_name_and_source(given) for given in objects]
    target = Path(out)
    if target.suffix.lower() != ".gpkg":
        raise click.UsageError(f"units are written to a GeoPackage: name it {target.stem or 'units'}.gpkg, not {out}.")
    with quiet_library():
        sources = [boundary, streets, *([barriers] if barriers else []), *(f for _, f in named)]
        check_no_input([check_writable(target)], [split_layer(source)[0] for source in sources])
        layers = {
            "boundary": read_layer(boundary, what="boundary", shapes=("polygon",)),
            "streets": read_layer(streets, what="streets", shapes=("line",)),
        }
        if barriers is not None:
            layers["barriers"] = read_layer(barriers, what="barriers", shapes=("line", "polygon"))
        things = {name: read_layer(f, what=name, shapes=("point", "polygon", "line")) for name, f in named}
        more: dict[str, Any] = {} if min_area is None else {"min_area": min_area}
        units = build_blocks(**layers, class_column=class_column, **more)
        found = list(units.attrs.get("findings", ()))
        if things:
            found += _count(units, things)
        _write(target, units, found)
    click.echo(f"units       {len(units):,}, {units['area_m2'].sum() / 1e6:,.2f} km² without gap or overlap")
    for name in things:
        click.echo(f"{name[:11]:<11} {int(units[name].sum()):,} of {len(things[name]):,} in units")
    show_findings("findings", found)
    show_files([target])
    return SOUND


def _name_and_source(given: str) -> tuple[str, str]:
    name, equals, source = given.partition("=")
    if not equals or not name or not source:
        raise click.UsageError(f"--objects is NAME=FILE, such as shops=city.gpkg:shops; got {given!r}.")
    if name in ("unit", "area_m2", "barrier", "geometry", "grid"):
        raise click.UsageError(f"--objects: the name {name!r} is taken by a column of the units; choose another one.")
    return name, source


def _count(units: Any, things: dict[str, Any]) -> list[Finding]:
    """Add a column of counts for each kind of object."""
    from gridopt.territory.locate import locate

    found: list[Finding] = []
    for name, layer in things.items():
        located = locate(units, layer)
        units[name] = located.counts
        found += [f._replace(cure=f"{name}: {f.cure}") for f in located.findings]
    return found


def _write(target: Path, units: Any, found: list[Finding]) -> None:
    from gridopt.io._atomic import replacing
    from gridopt.io._layers import findings_table, write_layers

    with replacing(target) as (temporary,):
        write_layers(temporary, {UNITS_LAYER: units.reset_index(), "findings": findings_table(found)})
