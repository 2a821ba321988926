"""Options about objects that several commands share: what is counted in units, and what is spread over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gridopt.cli._datums import from_datum
from gridopt.cli._options import ENCODING
from gridopt.errors import Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Counted", "ObjectsAsked", "count", "object_options", "show_conservation"]

TAKEN = ("unit", "area_m2", "barrier", "parent", "geometry", "grid")
"""Columns of units that are ours."""
FORMS = {
    "--objects": ("NAME=FILE", "shops=city.gpkg:shops"),
    "--spread": ("NAME=FILE", "persons=tracts.gpkg"),
    "--column": ("NAME=COLUMN", "homes=HOUSEHOLDS"),
    "--class": ("NAME=COLUMN", "shops=risk"),
    "--xy": ("NAME=X,Y or NAME=X,Y@CRS", "shops=X,Y@EPSG:3826"),
    "--at": ("NAME=FILE@KEY", "records=parcels.gpkg@LOT"),
}
"""What each option looks like, and an example."""


@dataclass(frozen=True)
class ObjectsAsked:
    """What was asked on the command line about objects."""

    objects: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    column: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    xy: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    by: str = "point"
    ties: str = "first"
    snap: float = 0.0
    proxy: str | None = None
    edge: str = "cut"
    missing: str = "error"
    null: tuple[float, ...] = ()
    encoding: str | None = None
    source_datum: tuple[str, ...] = ()

    def names(self) -> list[str]:
        """Name of everything that is brought to the units."""
        return [*_named(self.objects, "--objects"), *_named(self.spread, "--spread")]

    def sources(self) -> dict[str, str]:
        """Name -> ``FILE`` or ``FILE:layer`` of everything that is read, objects before areas before places."""
        named = {**_named(self.objects, "--objects"), **_named(self.spread, "--spread")}
        places = {f"{name} (places)": _at(value)[0] for name, value in _named(self.at, "--at").items()}
        return named | places

    def check(self) -> None:
        """Refuse, before anything is read, what cannot be meant."""
        names = self.names()
        for name in names:
            if name in TAKEN:
                raise click.UsageError(f"the name {name!r} is taken by a column of the units; choose another one.")
            if names.count(name) > 1:
                raise click.UsageError(f"the name {name!r} is given twice; a column has one name.")
        given = {"--column": self.column, "--class": self.classes, "--xy": self.xy, "--at": self.at}
        for option, values in given.items():
            for name, value in _named(values, option).items():
                _ = _pair(value) if option == "--xy" else _at(value) if option == "--at" else None
                if name not in names:
                    raise click.UsageError(f"{option} {name}=…: there is no {name} among --objects and --spread.")


class Counted(NamedTuple):
    """Columns for units, what became of each amount, what is in no unit, and what was noticed."""

    columns: pd.DataFrame
    conservation: pd.DataFrame
    outside: pd.DataFrame
    findings: list[Finding]


def object_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what is counted in units, and how."""
    options = [*_what_options(), *_how_options()]
    for option in reversed(options):
        command = option(command)
    return command


def _what_options() -> list[Callable[[Any], Any]]:
    texts = {
        ("--objects", "NAME=F[:layer]"): "Objects to count in each unit; repeatable.",
        ("--spread", "NAME=F[:layer]"): "Areas (tracts, hexagons, or centres of these) whose column NAME is divided "
        "among units; repeatable.",
        ("--column", "NAME=COL"): "Sum column COL of NAME, instead of counting rows or looking for a column NAME.",
        ("--class", "NAME=COL"): "Count each value of COL by itself.",
        ("--xy", "NAME=X,Y[@CRS]"): "Columns of coordinates of a table, and their system.",
        ("--at", "NAME=F[:layer]@KEY"): "Rows of NAME lie where the layer has their KEY.",
    }
    names = {"--class": ("--class", "classes")}
    return [
        click.option(*names.get(flag, (flag,)), metavar=form, multiple=True, help=text)
        for (flag, form), text in texts.items()
    ]


def _how_options() -> list[Callable[[Any], Any]]:
    choices = {
        ("--by", "point", "share"): "Where a polygon or line lies: a point on it, or the unit with most of it.",
        ("--ties", "first", "even"): "Objects on a border go to the first unit, or to both sides in turn.",
        ("--edge", "cut", "keep"): "Areas partly in no unit: that share is outside, or all goes to the units.",
        ("--missing", "error", "zero"): "What an area or object without a value means.",
    }
    options = [
        click.option(flag, type=click.Choice(both), default=both[0], show_default=True, help=text)
        for (flag, *both), text in choices.items()
    ]
    snap = "Objects in no unit go to the nearest within this distance. Default 0: they stay outside."
    proxy = "Column that says where in an area its amount is: homes, floors."
    metres = click.FloatRange(min=0)
    return [
        *options,
        click.option("--snap", metavar="METRES", type=metres, default=0.0, help=snap),
        click.option("--proxy", metavar="COL", help=proxy),
        click.option(
            "--null", metavar="VALUE", type=float, multiple=True, help="Number that means no value, such as -999."
        ),
        click.option("--encoding", metavar="NAME", help=ENCODING),
        click.option(
            "--source-datum",
            metavar="LAYER=DATUM",
            multiple=True,
            help="gcj02 or bd09: the layer (streets, units …) or NAME comes from a Chinese web map. Repeatable.",
        ),
    ]


def count(units: Any, asked: ObjectsAsked) -> Counted:
    """Read what was asked for, bring it to the units, and say what became of every part of it."""
    import pandas as pd

    from gridopt.territory.locate import locate
    from gridopt.territory.spread import spread

    weights, classes = _named(asked.column, "--column"), _named(asked.classes, "--class")
    columns, shown, lost, found = [], [], [], []
    for name, source in _named(asked.objects, "--objects").items():
        layer = _filled(_read(name, source, asked), weights.get(name), asked, asked.missing == "zero")
        located = locate(
            units,
            {name: layer},
            weight={name: weights[name]} if name in weights else None,
            class_column={name: classes[name]} if name in classes else None,
            by=asked.by,  # type: ignore[arg-type]
            ties=asked.ties,  # type: ignore[arg-type]
            snap=asked.snap,
        )
        columns.append(located.counts)
        shown.append(located.conservation)
        lost.append(_listed(name, layer, [i for _, i in located.outside]))
        found += _of(name, (*layer.attrs.get("findings", ()), *located.findings))
    for name, source in _named(asked.spread, "--spread").items():
        layer = _cells(_filled(_read(name, source, asked), weights.get(name, name), asked, False))
        done = spread(
            units,
            layer,
            {name: weights.get(name, name)},
            proxy=_proxy(asked.proxy, units, columns),
            edge=asked.edge,  # type: ignore[arg-type]
            missing=asked.missing,  # type: ignore[arg-type]
        )
        columns.append(done.counts)
        shown.append(done.conservation)
        found += _of(name, (*layer.attrs.get("findings", ()), *done.findings))
    outside = pd.concat(lost) if lost else _listed("", None, [])
    return Counted(pd.concat(columns, axis=1), pd.concat(shown), outside, found)


def _filled(layer: Any, column: str | None, asked: ObjectsAsked, zero: bool) -> Any:
    """Take the numbers that mean no value out of a column, and put 0 there if that is what no value means."""
    if column is None or column not in layer.columns or not (asked.null or zero):
        return layer
    told = layer.attrs.get("findings", ())
    values = layer[column].mask(layer[column].isin(asked.null))
    absent = int(values.isna().sum())
    layer = layer.assign(**{column: values.fillna(0) if zero else values})
    if zero and absent:
        told = (*told, Finding("no-amount", "warning", (column,), absent, None, f"They count as 0 in {column!r}."))
    layer.attrs["findings"] = told
    return layer


def _listed(name: str, layer: Any, ids: list[Any]) -> pd.DataFrame:
    """List objects that are in no unit: which layer, which row of it (from 1), and what the row says."""
    import pandas as pd

    columns = ["objects", "row", "record"]
    if layer is None or not ids:
        return pd.DataFrame({c: pd.Series(dtype="int64" if c == "row" else "str") for c in columns})
    from gridopt._validate import is_null

    rows = layer.index.get_indexer(ids)
    flat = layer.drop(columns=layer.geometry.name).iloc[rows]
    records = [
        ", ".join(f"{c}={v}" for c, v, none in zip(flat.columns, row, is_null(row)) if not none)[:500]
        for row in flat.itertuples(index=False, name=None)
    ]
    return pd.DataFrame({"objects": name, "row": rows + 1, "record": records})


def show_conservation(conservation: pd.DataFrame) -> None:
    """One line for each column: located + outside = given."""
    for name, row in conservation.iterrows():
        given, located, outside = (f"{v:,.2f}".rstrip("0").rstrip(".") for v in row)
        click.echo(f"{str(name)[:24]:<11} {located} of {given} in units, {outside} outside")


def _proxy(name: str | None, units: Any, columns: list[Any]) -> Any:
    """Take a column of the units, or one just counted."""
    for table in columns:
        if name is not None and name in table.columns:
            return table[name]
    return name


def _of(name: str, findings: tuple[Finding, ...]) -> list[Finding]:
    return [f._replace(cure=f"{name}: {f.cure}") for f in findings]


def _read(name: str, source: str, asked: ObjectsAsked) -> Any:
    """Objects with a place, in WGS 84 where they are said to come from a web map."""
    at = _named(asked.at, "--at").get(name)
    return from_datum(asked.source_datum, name, _placed(name, source, asked), source if at is None else _at(at)[0])


def _placed(name: str, source: str, asked: ObjectsAsked) -> Any:
    """Objects with a place: of a layer, of a table with coordinates, or of a layer that has the same key."""
    import pandas as pd

    from gridopt.io.tables import read_layer, read_table
    from gridopt.territory.places import place, place_at

    xy, at = _named(asked.xy, "--xy").get(name), _named(asked.at, "--at").get(name)
    table = read_table(source, what=name, encoding=asked.encoding)
    table.index = pd.RangeIndex(1, len(table) + 1)  # findings name rows as the layer `outside` does
    if xy is None and at is None:
        return table if hasattr(table, "geometry") else place(table)
    if at is not None:
        places, key = _at(at)
        return place_at(table, read_layer(places, what="places", shapes=("point", "line", "polygon")), on=key)
    east, north, crs = _pair(str(xy))
    plain = table.drop(columns="geometry") if hasattr(table, "geometry") else table
    return place(plain, x=east, y=north, crs=crs)


def _cells(layer: Any) -> Any:
    """Cells around points; areas as they are."""
    if len(layer) and layer.geometry.geom_type.dropna().eq("Point").all():
        from gridopt.territory.spread import cells_around

        told = layer.attrs.get("findings", ())
        cells = cells_around(layer[layer.geometry.notna()])
        cure = "They are points: what is nearest to each was taken as its area. Give polygons if you have them."
        cells.attrs["findings"] = (*told, Finding("cells-around-points", "info", (), len(cells), None, cure))
        return cells
    return layer


def _named(given: tuple[str, ...], option: str) -> dict[str, str]:
    """``NAME=VALUE`` of an option, each once."""
    named: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise _malformed(option, text)
        if name in named:
            raise click.UsageError(f"{option} names {name!r} twice.")
        named[name] = value
    return named


def _at(value: str) -> tuple[str, str]:
    source, at, key = value.rpartition("@")
    if not at or not source or not key:
        raise _malformed("--at", f"…={value}")
    return source, key


def _pair(value: str) -> tuple[str, str, str | None]:
    pair, _, crs = value.partition("@")
    east, comma, north = pair.partition(",")
    if not comma or not east.strip() or not north.strip():
        raise _malformed("--xy", f"…={value}")
    return east.strip(), north.strip(), crs or None


def _malformed(option: str, text: str) -> click.UsageError:
    form, example = FORMS[option]
    return click.UsageError(f"{option} is {form}, such as {example}; got {text!r}.")
