"""Styles of a plan: as QGIS keeps them, with one colour a grid, and neighbours that differ."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from xml.etree import ElementTree as xml

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import shapely

import gridopt as go
from gridopt.io.qgis import Line, Range, categorised, graduated
from gridopt.io.tables import read_units


def parsed(qml: str) -> xml.Element:
    assert qml.startswith("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>")
    return xml.fromstring(qml.split("\n", 1)[1])


def symbols(root: xml.Element) -> dict[str, dict[str, str]]:
    """Options of the first layer of each symbol; both forms in which they are written must say the same."""
    found = {}
    for symbol in root.iterfind("renderer-v2/symbols/symbol"):
        layer = symbol.find("layer")
        options = {o.get("name"): o.get("value") for o in layer.iterfind("Option/Option")}
        assert options == {p.get("k"): p.get("v") for p in layer.iterfind("prop")}
        found[symbol.get("name")] = options
    return found


def test_each_value_has_a_category_and_a_symbol_of_its_own() -> None:
    """QGIS takes a symbol away when a category has used it, so none may be shared."""
    root = parsed(
        categorised("grid", {"G001": "#010203", "G<2>&": "#0a0b0c"}, outline=Line("#ffffff", 0.1), label="grid")
    )
    categories = root.findall("renderer-v2/categories/category")
    assert [c.get("value") for c in categories] == ["G001", "G<2>&"]
    told = symbols(root)
    assert [told[c.get("symbol")]["color"] for c in categories] == ["1,2,3,255", "10,11,12,255"]
    assert root.find("labeling/settings/text-style").get("fieldName") == "grid"
    assert root.get("labelsEnabled") == "1"


def test_too_many_values_are_coloured_by_an_expression() -> None:
    colours = {f"G{i:05d}": ("#010203", "#0a0b0c")[i % 2] for i in range(2000)}
    qml = categorised("grid", colours, outline=Line("#ffffff", 0.1))
    assert len(qml) < 4000
    options = parsed(qml).iterfind(".//data_defined_properties//Option")
    expression = next(o.get("value") for o in options if o.get("name") == "expression")
    assert expression == "array_get(array('#010203', '#0a0b0c'), to_int(regexp_substr(\"grid\", '(\\\\d+)$')) % 2)"


def test_ranges_follow_each_other() -> None:
    root = parsed(graduated("load", [Range(0, 1, "#010203", "a"), Range(1, 2, "#0a0b0c", "b")]))
    steps = root.findall("renderer-v2/ranges/range")
    assert [(float(s.get("lower")), float(s.get("upper")), s.get("label")) for s in steps] == [(0, 1, "a"), (1, 2, "b")]
    assert symbols(root)["1"]["line_color"] == "10,11,12,255"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    at = [(c, r) for r in range(4) for c in range(4)]
    units = gpd.GeoDataFrame(
        {"homes": range(10, 26), "geom": "taken"},
        index=[f"{i:03d}" for i in range(16)],
        geometry=[shapely.box(100 * c, 100 * r, 100 * c + 100, 100 * r + 100) for c, r in at],
        crs=32651,
    )
    problem = go.build_problem(go.build_graph(units), units["homes"], n_grids=4, tolerance=0.2)
    go.save_plan(tmp_path / "plan.gpkg", go.solve(problem, steps=2000), units)
    return tmp_path / "plan.gpkg"


def test_a_plan_opens_coloured(plan: Path) -> None:
    """`layer_styles` is registered, names geometry columns that exist, and has one default style a layer."""
    with sqlite3.connect(plan) as base:
        kinds = dict(base.execute("SELECT table_name, data_type FROM gpkg_contents"))
        geometry = dict(base.execute("SELECT table_name, column_name FROM gpkg_geometry_columns"))
        rows = base.execute(
            "SELECT f_table_name, f_geometry_column, styleName, styleQML, useAsDefault FROM layer_styles ORDER BY id"
        ).fetchall()
    assert kinds["layer_styles"] == "attributes"
    assert geometry["units"] == "geom_"
    assert [(layer, column) for layer, column, *_ in rows] == [(r[0], geometry[r[0]]) for r in rows]
    assert [(layer, name) for layer, _, name, _, default in rows if default] == [
        ("grids", "grids"),
        ("units", "units by grid"),
        ("borders", "on streets"),
    ]
    for layer, _, _, qml, _ in rows:
        root = parsed(qml)
        column = root.find("renderer-v2").get("attr")
        table = gpd.read_file(plan, layer=layer)
        assert column in table.columns
        if layer == "units":
            assert {c.get("value") for c in root.iter("category")} == set(table["grid"])
        if (steps := root.findall(".//range")) and layer == "grids":
            values = table[column].to_numpy()
            bounds = np.array([[float(s.get("lower")), float(s.get("upper"))] for s in steps])
            assert ((values[:, None] >= bounds[:, 0]) & (values[:, None] <= bounds[:, 1])).any(axis=1).all()


def test_neighbouring_grids_differ_and_units_have_their_grids_colour(plan: Path) -> None:
    colours = {}
    with sqlite3.connect(plan) as base:
        for layer, qml in base.execute("SELECT f_table_name, styleQML FROM layer_styles WHERE useAsDefault"):
            root = parsed(qml)
            told = symbols(root)
            colours[layer] = {c.get("value"): told[c.get("symbol")]["color"] for c in root.iter("category")}
    assert colours["grids"] == colours["units"]
    borders = gpd.read_file(plan, layer="borders")
    assert all(colours["grids"][a] != colours["grids"][b] for a, b in zip(borders["grid_a"], borders["grid_b"]))


def test_styles_are_no_layer_of_units(plan: Path, tmp_path: Path) -> None:
    """A file that QGIS has styled has one layer still; a styled plan reads and verifies as before."""
    read = go.read_plan(plan)
    assert go.verify(read.problem, read.plan) == []
    assert read.findings == ()
    styled = tmp_path / "styled.gpkg"
    pyogrio.write_dataframe(gpd.read_file(plan, layer="units").drop(columns="geom"), styled, layer="blocks")
    table = gpd.pd.DataFrame({"f_table_name": ["blocks"], "styleName": ["mine"], "styleQML": ["<qgis/>"]})
    pyogrio.write_dataframe(table, styled, layer="layer_styles")
    assert len(read_units(styled)) == 16
