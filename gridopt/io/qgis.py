"""How layers look in QGIS: QML styles, kept in the GeoPackage itself, so that a plan opens coloured."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as xml

__all__ = ["Line", "Range", "Style", "categorised", "graduated", "write_styles"]

VERSION = "3.22.0"
"""QGIS whose form the styles have; later ones read it."""
TABLE = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
  styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT(15000), owner TEXT(30),
  ui TEXT(30), update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))
"""
"""As QGIS itself makes it."""


class Style(NamedTuple):
    """A style of one layer; of several for a layer the first is what QGIS shows."""

    layer: str
    name: str
    qml: str
    description: str = ""


class Line(NamedTuple):
    """Colour and width in millimetres of a line or outline."""

    colour: str
    width: float


class Range(NamedTuple):
    """Values from `lower` to `upper` and how they look."""

    lower: float
    upper: float
    colour: str
    label: str


def categorised(
    column: str, colours: Mapping[str, str], *, outline: Line, label: str | None = None, most: int = 1000
) -> str:
    """
    QML of polygons with one colour for each value of a column.

    Parameters
    ----------
    column : str
        Text column.
    colours : mapping of str to str
        Value -> ``"#rrggbb"``. Above `most` values there is one entry in the legend and an expression that colours:
        a symbol for each of 40,000 grids would be 30 MB.
    outline : Line
        Outline of the polygons.
    label : str, optional
        Column written on the polygons.

    Examples
    --------
    >>> qml = categorised("grid", {"G001": "#f3e7a9"}, outline=Line("#ffffff", 0.1))
    >>> xml.fromstring(qml.partition(">")[2]).find("renderer-v2").get("attr")
    'grid'
    """
    root = _root(label)
    if len(colours) > most:
        renderer = xml.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0", enableorderby="0")
        symbols = xml.SubElement(renderer, "symbols")
        _fill(symbols, "0", "#cccccc", outline, _by_expression(column, colours))
        return _text(root)
    renderer = xml.SubElement(
        root, "renderer-v2", type="categorizedSymbol", attr=column, symbollevels="0", enableorderby="0"
    )
    categories = xml.SubElement(renderer, "categories")
    symbols = xml.SubElement(renderer, "symbols")
    for i, (value, colour) in enumerate(colours.items()):
        xml.SubElement(categories, "category", value=value, label=value, symbol=str(i), render="true", type="string")
        _fill(symbols, str(i), colour, outline)
    return _text(root)


def graduated(column: str, ranges: Sequence[Range], *, outline: Line | None = None, width: float = 0.6) -> str:
    """
    QML of polygons, or of lines where there is no outline, coloured by ranges of a number.

    Examples
    --------
    >>> qml = graduated("on_streets", [Range(0, 0.5, "#b5432a", "off streets")])
    >>> xml.fromstring(qml.partition(">")[2]).find("renderer-v2/ranges/range").get("upper")
    '0.500000000000000'
    """
    root = _root(None)
    renderer = xml.SubElement(
        root,
        "renderer-v2",
        type="graduatedSymbol",
        attr=column,
        graduatedMethod="GraduatedColor",
        symbollevels="0",
        enableorderby="0",
    )
    steps = xml.SubElement(renderer, "ranges")
    symbols = xml.SubElement(renderer, "symbols")
    for i, step in enumerate(ranges):
        ends = {"lower": f"{step.lower:.15f}", "upper": f"{step.upper:.15f}"}
        xml.SubElement(steps, "range", {**ends, "symbol": str(i), "label": step.label, "render": "true"})
        if outline is None:
            _line(symbols, str(i), step.colour, width)
        else:
            _fill(symbols, str(i), step.colour, outline)
    return _text(root)


def write_styles(gpkg: Path, styles: Iterable[Style]) -> None:
    """
    Put styles into a GeoPackage; layers it does not have are passed over. The file is one of ours, not yet in use.

    Raises
    ------
    OSError
        If the file is no GeoPackage.
    """
    with contextlib.closing(sqlite3.connect(gpkg)) as base:
        try:
            with base:
                _insert(base, list(styles))
        except sqlite3.Error as error:
            raise OSError(f"styles cannot be written into {gpkg}: {error}") from error


def _insert(base: sqlite3.Connection, styles: list[Style]) -> None:
    columns = dict(base.execute("SELECT table_name, column_name FROM gpkg_geometry_columns"))
    base.execute(TABLE)
    base.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', 'styles of QGIS')"
    )
    seen: set[str] = set()
    for style in styles:
        if style.layer not in columns:
            continue
        base.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
            "styleQML, styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, ?, ?, '', ?, ?, 'gridopt')",
            (style.layer, columns[style.layer], style.name, style.qml, style.layer not in seen, style.description),
        )
        seen.add(style.layer)


# ---- parts of QML ----------------------------------------------------------------------------------------------------


def _root(label: str | None) -> xml.Element:
    root = xml.Element(
        "qgis", version=VERSION, styleCategories="Symbology|Labeling", labelsEnabled=str(int(bool(label)))
    )
    if label is not None:
        labeling = xml.SubElement(root, "labeling", type="simple")
        settings = xml.SubElement(labeling, "settings", calloutType="simple")
        style = {"fieldName": label, "isExpression": "0", "fontSize": "8", "fontSizeUnit": "Point"}
        text = xml.SubElement(settings, "text-style", {**style, "textColor": "29,39,51,255", "fontWeight": "50"})
        buffer = {"bufferDraw": "1", "bufferSize": "0.7", "bufferSizeUnits": "MM", "bufferColor": "255,255,255,255"}
        xml.SubElement(text, "text-buffer", {**buffer, "bufferOpacity": "0.8"})
        xml.SubElement(settings, "placement", placement="1", centroidInside="1", priority="5")
        xml.SubElement(settings, "rendering", obstacle="1", scaleVisibility="0", drawLabels="1")
    return root


def _fill(symbols: xml.Element, name: str, colour: str, outline: Line, expression: str | None = None) -> None:
    values = {
        "color": _rgba(colour),
        "style": "solid",
        "outline_color": _rgba(outline.colour),
        "outline_style": "solid",
        "outline_width": f"{outline.width:g}",
        "outline_width_unit": "MM",
        "joinstyle": "round",
    }
    layer = _symbol(symbols, name, "fill", "SimpleFill", values)
    if expression is not None:
        whole = xml.SubElement(xml.SubElement(layer, "data_defined_properties"), "Option", type="Map")
        xml.SubElement(whole, "Option", name="name", value="", type="QString")
        properties = xml.SubElement(whole, "Option", name="properties", type="Map")
        fill = xml.SubElement(properties, "Option", name="fillColor", type="Map")
        xml.SubElement(fill, "Option", name="active", value="true", type="bool")
        xml.SubElement(fill, "Option", name="expression", value=expression, type="QString")
        xml.SubElement(fill, "Option", name="type", value="3", type="int")
        xml.SubElement(whole, "Option", name="type", value="collection", type="QString")


def _line(symbols: xml.Element, name: str, colour: str, width: float) -> None:
    values = {"line_color": _rgba(colour), "line_style": "solid", "line_width": f"{width:g}", "line_width_unit": "MM"}
    _symbol(symbols, name, "line", "SimpleLine", {**values, "capstyle": "round", "joinstyle": "round"})


def _symbol(symbols: xml.Element, name: str, kind: str, layer: str, values: Mapping[str, str]) -> xml.Element:
    """Write the values twice: as versions from 3.20 on read them, and as those before did."""
    symbol = xml.SubElement(symbols, "symbol", type=kind, name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    inner = xml.SubElement(symbol, "layer", {"class": layer, "pass": "0", "locked": "0", "enabled": "1"})
    options = xml.SubElement(inner, "Option", type="Map")
    for key, value in values.items():
        xml.SubElement(options, "Option", name=key, value=value, type="QString")
    for key, value in values.items():
        xml.SubElement(inner, "prop", k=key, v=value)
    return inner


def _by_expression(column: str, colours: Mapping[str, str]) -> str:
    """Colour by the digits of the value: neighbours mostly differ, and the style stays small."""
    palette = sorted(set(colours.values()))
    quoted = column.replace('"', '""')
    listed = ", ".join(f"'{c}'" for c in palette)
    return f"array_get(array({listed}), to_int(regexp_substr(\"{quoted}\", '(\\\\d+)$')) % {len(palette)})"


def _rgba(colour: str) -> str:
    return ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5)) + ",255"


def _text(root: xml.Element) -> str:
    return "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + xml.tostring(root, encoding="unicode")
