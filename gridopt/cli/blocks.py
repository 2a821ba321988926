"""``gridopt blocks``: streets in, units out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gridopt.cli import SOUND
from gridopt.cli._classes import CLASSES, read_classes
from gridopt.cli._datums import check_datums, from_datum
from gridopt.cli._objects import Counted, ObjectsAsked, count, object_options, show_conservation

if TYPE_CHECKING:
    from gridopt.errors import Finding

__all__ = ["command"]

UNITS_LAYER = "units"
OF_CLEANING = ("gap", "median_width", "sliver_width", "compounds", "parents")
"""Options that raw faces know nothing of."""
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
@click.option("--classes", "street_classes", metavar="V=CLASS,…", help=CLASSES)
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
@object_options
@click.option("--check", "only_check", is_flag=True, help="Only say what the streets are like; write nothing.")
@click.option("--out", metavar="FILE", help="units.gpkg.")
def command(only_check: bool, out: str | None, **given: Any) -> int:
    """
    Cut a territory along its streets into units, without gap or overlap, and count objects in each.

    Medians of dual carriageways, roundabouts, land between slip roads and slivers become part of a unit beside them;
    the layer `merged` holds each. With --objects, each NAME becomes a column: how many of these objects lie in the
    unit; `gridopt count` does the same for units that are there.
    """
    from gridopt.cli._show import quiet_library, show_files, show_findings

    wish = ObjectsAsked(**{f.name: given.pop(f.name) for f in fields(ObjectsAsked)})
    wish.check()
    _refuse_idle(given)
    given["source_datum"] = wish.source_datum
    check_datums(wish.source_datum, [*(name for name in SHAPES if given[name]), *wish.names()])
    told: tuple[Finding, ...] = ()
    given["classes"] = None
    if (classes := given.pop("street_classes")) is not None:
        given["classes"], told = read_classes(classes, wish.encoding)
    if only_check:
        with quiet_library():
            return _check(given)
    target = _target(out)
    with quiet_library():
        units, counted, found = _build(given, wish, target, told)
    click.echo(f"units       {len(units):,}, {units['area_m2'].sum() / 1e6:,.2f} km² without gap or overlap")
    if counted is not None:
        show_conservation(counted.conservation)
    show_findings("findings", found, rest=f"layer findings of {target}")
    show_files([target])
    return SOUND


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse what would be passed over in silence."""
    idle = [f"--{name.replace('_', '-')}" for name in OF_CLEANING if given["raw"] and given[name] is not None]
    if idle:
        raise click.UsageError(f"--raw keeps every face: {', '.join(idle)} would change nothing. Leave one out.")
    if given["parent"] is not None and given["parents"] is None:
        raise click.UsageError(f"--parent {given['parent']} is a column of --parents: give that layer too.")


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

    more = _arguments(given, ("class_column", "classes", "keep", "gap", "median_width", "sliver_width"))
    found = check_streets(**_layers(given, ("boundary", "streets")), **more)
    show_findings("findings", found)
    return SOUND


def _build(
    given: dict[str, Any], wish: ObjectsAsked, target: Path, told: tuple[Finding, ...]
) -> tuple[Any, Counted | None, Any]:
    """Read, cut, count, write; return the units, what was counted and what there is to say."""
    from gridopt.io._atomic import check_no_input, check_writable
    from gridopt.io.tables import split_layer
    from gridopt.territory.blocks import build_blocks

    sources = [given[name] for name in SHAPES if given[name]] + [*wish.sources().values()]
    check_no_input([check_writable(target)], [split_layer(source)[0] for source in sources])
    layers = _layers(given, tuple(SHAPES))
    if "parents" in layers:
        layers["parents"] = _named(layers["parents"], given["parent"], given["parents"])
    names = ("class_column", "classes", "keep", "gap", "median_width", "sliver_width", "min_area")
    units = build_blocks(**layers, **_arguments(given, names), clean=not given["raw"])
    found = [*told, *(f for layer in layers.values() for f in layer.attrs.get("findings", ()))]
    found += units.attrs.get("findings", ())
    counted = count(units, wish) if wish.objects or wish.spread else None
    if counted is not None:
        found += counted.findings
        units[counted.columns.columns] = counted.columns
    _write(target, units, found, counted)
    return units, counted, found


def _layers(given: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    from gridopt.io.tables import read_layer

    layers = {}
    for name in names:
        if given[name]:
            layer = read_layer(given[name], what=name, shapes=SHAPES[name])
            layers[name] = from_datum(given["source_datum"], name, layer, given[name])
    return layers


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


def _write(target: Path, units: Any, found: list[Finding], counted: Counted | None) -> None:
    from gridopt.io._atomic import replacing
    from gridopt.io._layers import findings_table, write_layers
    from gridopt.territory.merged import merged_faces

    layers = {UNITS_LAYER: units.reset_index(), "findings": findings_table(found)}
    if counted is not None:
        layers |= {"conservation": counted.conservation.reset_index(), "outside": counted.outside}
    if units.attrs.get("merged"):
        layers["merged"] = merged_faces(units)
    with replacing(target) as (temporary,):
        write_layers(temporary, layers)
