"""Tables in Excel files, written by openpyxl as a person's cells are: text, numbers, formats, errors, sheets."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridopt.errors import InputError
from gridopt.io.tables import read_layer, read_table
from gridopt.io.write import write_workbook
from gridopt.territory.places import place

openpyxl = pytest.importorskip("openpyxl")


def book(path: Path, rows: list[list[Any]], formats: dict[str, str] | None = None, sheet: str = "Sheet1") -> Path:
    made = openpyxl.Workbook()
    page = made.active
    page.title = sheet
    for row in rows:
        page.append(row)
    for cell, number_format in (formats or {}).items():
        page[cell].number_format = number_format
    made.save(path)
    return path


def test_ids_stay_what_is_seen_and_numbers_are_numbers(tmp_path: Path) -> None:
    """Text cells stay text, all digits or not; a 7 shown as 007 is '007'; whole floats are whole numbers."""
    rows = [
        ["code", "shown", "n", "hours", "mixed", "gap"],
        ["007", 7, 3.0, 1.5, "B1", None],
        ["012", 12, 4, 2, 12, 5],
    ]
    path = book(tmp_path / "t.xlsx", rows, {"B2": "000", "B3": "000"})
    table = read_table(path)
    assert table["code"].tolist() == ["007", "012"]
    assert table["shown"].tolist() == ["007", "012"]
    assert (table["n"].dtype, table["n"].tolist()) == (np.int64, [3, 4])
    assert table["hours"].tolist() == [1.5, 2.0]
    assert table["mixed"].tolist() == ["B1", "12"]
    assert str(table["gap"].dtype) == "Int64"
    assert table["gap"].isna().tolist() == [True, False]
    text = read_table(path, as_text=True)
    assert text["n"].tolist() == ["3", "4"]
    assert text["shown"].tolist() == ["007", "012"]


def test_dates_blank_lines_and_blank_edges(tmp_path: Path) -> None:
    rows = [
        [None] * 3,
        ["when", "名称", None],
        [datetime.date(2026, 3, 1), " 景田 ", None],
        [None] * 3,
        [True, "x", None],
    ]
    table = read_table(book(tmp_path / "网格.xlsx", rows))
    assert table["when"].tolist() == ["2026-03-01T00:00:00", "True"]
    assert table["名称"].tolist() == ["景田", "x"]


def test_sheets_are_named_like_layers(tmp_path: Path) -> None:
    path = tmp_path / "two.xlsx"
    write_workbook(path, {"shops": pd.DataFrame({"unit": ["001"], "x": [3.5]}), "notes": pd.DataFrame({"a": [1]})})
    assert read_table(f"{path}:notes")["a"].tolist() == [1]
    assert read_table(path, what="shops")["unit"].tolist() == ["001"]
    with pytest.raises(InputError, match=r"has 2 sheets\. Say which: .*two\.xlsx:shops\. There are: shops, notes"):
        read_table(path)
    with pytest.raises(InputError, match=r"no sheet 'shop'\. Did you mean 'shops'"):
        read_table(f"{path}:shop")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([["a", "a"], [1, 2]], "column 'a' more than once"),
        ([["a", None], [1, 2]], "column 2 has no name"),
        ([], "is empty"),
        ([["a"]], "no rows"),
        ([["a"], ["#N/A"]], "cell A2 holds the error #N/A"),
    ],
)
def test_defects_are_named(tmp_path: Path, rows: list[list[Any]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_table(book(tmp_path / "t.xlsx", rows))


@pytest.mark.parametrize("keep", [0, 1, 100, 2000, -30])
def test_files_cut_short_or_of_another_kind_are_refused(tmp_path: Path, keep: int) -> None:
    path = book(tmp_path / "t.xlsx", [["a"], *[[i] for i in range(500)]])
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="cannot be read as Excel"):
        read_table(path)


def test_objects_come_from_sheets(tmp_path: Path) -> None:
    """Columns x and y, or lon and lat, are places as in any table."""
    path = book(tmp_path / "shops.xlsx", [["name", "lon", "lat"], ["A", 121.5, 25.1], ["B", 121.6, 25.2]])
    assert place(read_table(path)).geometry.x.tolist() == [121.5, 121.6]
    assert read_layer(path, what="shops", shapes=("point",)).crs.to_epsg() == 4326


@given(st.lists(st.text(alphabet="0123456789abc网格=+-. ", min_size=1, max_size=8), min_size=1, max_size=5))
@settings(max_examples=25)
def test_what_we_write_we_read(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    path = tmp_path_factory.mktemp("x") / "t.xlsx"
    write_workbook(path, {"t": pd.DataFrame({"unit": values, "n": range(len(values))})})
    kept = read_table(path)
    assert kept["unit"].tolist() == [v.strip() or None for v in values]
    assert kept["n"].tolist() == list(range(len(values)))
