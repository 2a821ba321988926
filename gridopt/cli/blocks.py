"""``gridopt blocks``: streets in, units out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import SOUND

if TYPE_CHECKING:
    from gridopt.errors import Finding

__all__ = ["command"]

UNITS_LAYER = "units"
SHAPES: dict[str, tuple[str, ...]] = {
    "boundary": ("polygon",),
    "streets": ("line",),
    "barriers": ("line", "polygon"),
    "compounds": ("polygon",),
    "parents": ("polygon",),
}
"""Layers of a territory, and the kinds of shapes each may hold."""


def _metres(flag: str, text: str) -> Callable[..., Any]:
    return click.option(flag, metavar="METRES", type=click.FloatRange(min=0), help=text)


@click.command("blocks", short_help="Streets in, units out.")
@click.option("--boundary", required=True, metavar="F[:layer]", help="Polygons whose union is the territory.")
@click.option("--streets", required=True, metavar="F[:layer]", help="Street lines.")
@click.option("--barriers", metavar="F[:layer]", help="Rivers, rail, walls: they cut as streets do.")
@click.option("--class-column", metavar="COL", help="Column of street classes. Default: highway.")
@click.option("--keep", metavar="CLASS", multiple=True, help="Classes that cut; repeatable. Default: motor roads.")
@click.option("--compounds", metavar="F[:layer]", help="Outlines of compounds: streets inside do not cut.")
@click.option("--parents", metavar="F[:layer]", help="Communities: their outlines cut, nothing is merged across.")
@click.option("--parent", metavar="COL", help="Their column of ids. Default: parent, else rows are numbered from 0.")
@click.option("--raw", is_flag=True, help="Keep every face that the lines enclose: medians, roundabouts, slivers.")
@_metres("--gap", "Gaps in streets up to this are closed. Default 5.")
@_metres("--median-width", "Faces below this between carriageways of one street are medians. Default 25.")
@_metres("--sliver-width", "Faces below this are slivers, whatever is around them. Default 10.")
@click.option(
    "--min-area",
    metavar="M2",
    type=click.FloatRange(min=0),
    help="Smaller pieces join the neighbour with the best border to lose. Default 500; 1 with --raw.",
)
@click.option("--objects", metavar="NAME=F[:layer]", multiple=True, help="Objects to count in each unit; repeatable.")
@click.option("--sum", "sums", metavar="NAME=COL", multiple=True, help="Add up a column of the objects NAME instead.")
@click.option("--check", "only_check", is_flag=True, help="Only say what the streets are like; write nothing.")
@click.option("--out", metavar="FILE", help="units.gpkg.")
def command(objects: tuple[str, ...], sums: tuple[str, ...], only_check: bool, out: str | None, **given: Any) -> int:
    """
    Cut a territory along its streets into units, without gap or overlap, and count objects in each.

    Medians of dual carriageways, roundabouts, land between slip roads and slivers become part of a unit beside them;
    the layer `merged` holds each. With --objects, each NAME becomes a column: how many of these objects lie in the
    unit; with --sum NAME=COL, what the column COL of these adds up to, such as persons.
    """
    from gridopt.cli._show import quiet_library, show_files, show_findings

    named = [_name_and_source(one) for one in objects]
    weights = _weights(sums, [name for name, _ in named])
    if only_check:
        with quiet_library():
            return _check(given)
    target = _target(out)
    with quiet_library():
        units, things, found = _build(given, named, weights, target)
    click.echo(f"units       {len(units):,}, {units['area_m2'].sum() / 1e6:,.2f} km² without gap or overlap")
    for name in things:
        total = things[name][weights[name]].sum() if name in weights else len(things[name])
        click.echo(f"{name[:11]:<11} {units[name].sum():,} of {total:,} in units")
    show_findings("findings", found, rest=f"layer findings of {target}")
    show_files([target])
    return SOUND


def _target(out: str | None) -> Path:
    if out is None:
        raise click.UsageError("say where the units go: --out units.gpkg. With --check nothing is written.")
    target = Path(out)
    if target.suffix.lower() != ".gpkg":
        raise click.UsageError(f"units are written to a GeoPackage: name it {target.stem or 'units'}.gpkg, not {out}.")
    return target


def _check(given: dict[str, Any]) -> int:
    from gridopt.cli._show import show_findings
    from gridopt.territory.blocks import check_streets

    more = _arguments(given, ("class_column", "keep", "gap", "median_width", "sliver_width"))
    found = check_streets(**_layers(given, ("boundary", "streets")), **more)
    show_findings("findings", found)
    return SOUND


def _build(
    given: dict[str, Any], named: list[tuple[str, str]], weights: dict[str, str], target: Path
) -> tuple[Any, dict[str, Any], Any]:
    """Read, cut, count, write; return the units, the objects and what there is to say."""
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.tables import read_layer, split_layer
    from gridopt.territory.blocks import build_blocks

    sources = [given[name] for name in SHAPES if given[name]] + [f for _, f in named]
    check_no_input([check_writable(target)], [split_layer(source)[0] for source in sources])
    layers = _layers(given, tuple(SHAPES))
    if "parents" in layers:
        layers["parents"] = _named(layers["parents"], given["parent"], given["parents"])
    elif given["parent"]:
        raise click.UsageError(f"--parent {given['parent']} is a column of --parents: give that layer too.")
    kinds, columns = ("point", "polygon", "line"), {name: [column] for name, column in weights.items()}
    things = {name: read_layer(f, what=name, shapes=kinds, columns=columns.get(name, ())) for name, f in named}
    names = ("class_column", "keep", "gap", "median_width", "sliver_width", "min_area")
    units = build_blocks(**layers, **_arguments(given, names), clean=not given["raw"])
    found = list(units.attrs.get("findings", ()))
    if things:
        found += _count(units, things, weights)
    _write(target, units, found)
    return units, things, found


def _layers(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    from gridopt.io.tables import read_layer

    return {name: read_layer(given[name], what=name, shapes=SHAPES[name]) for name in names if given[name]}


def _named(parents: Any, column: str | None, source: str) -> Any:
    """Parents under their ids: of the column that was named, or called `parent`; else rows are numbered."""
    from gridopt.io.tables import need_columns

    if column is None and "parent" not in parents.columns:
        return parents
    name = column or "parent"
    need_columns(parents, [name], "parents", source)
    return parents.set_index(name)


def _arguments(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Options that were given; the library knows the defaults of the others."""
    return {name: given[name] for name in names if given[name] not in (None, ())}


def _name_and_source(given: str) -> tuple[str, str]:
    name, equals, source = given.partition("=")
    if not equals or not name or not source:
        raise click.UsageError(f"--objects is NAME=FILE, such as shops=city.gpkg:shops; got {given!r}.")
    if name in ("unit", "area_m2", "barrier", "parent", "geometry", "grid"):
        raise click.UsageError(f"--objects: the name {name!r} is taken by a column of the units; choose another one.")
    return name, source


def _weights(sums: tuple[str, ...], names: list[str]) -> dict[str, str]:
    """Columns to add up, by the name of the objects."""
    found = {}
    for one in sums:
        name, equals, column = one.partition("=")
        if not equals or not column or name not in names:
            known = f" There are: {', '.join(names)}." if names else ""
            raise click.UsageError(f"--sum is NAME=COLUMN, with a NAME of --objects; got {one!r}.{known}")
        found[name] = column
    return found


def _count(units: Any, things: dict[str, Any], weights: dict[str, str]) -> list[Finding]:
    """Add a column of counts, or of sums, for each kind of object."""
    from gridopt.territory.locate import locate

    found: list[Finding] = []
    for name, layer in things.items():
        located = locate(units, layer, weight=weights.get(name))
        units[name] = located.counts
        found += [f._replace(cure=f"{name}: {f.cure}") for f in located.findings]
    return found


def _write(target: Path, units: Any, found: list[Finding]) -> None:
    from gridopt.io._atomic import replacing
    from gridopt.io._layers import findings_table, write_layers
    from gridopt.territory.merged import merged_faces

    layers = {UNITS_LAYER: units.reset_index(), "findings": findings_table(found)}
    if units.attrs.get("merged"):
        layers["merged"] = merged_faces(units)
    with replacing(target) as (temporary,):
        write_layers(temporary, layers)
