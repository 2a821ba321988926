"""Tables in Excel files: a sheet as a table; text stays text, and so do numbers shown with leading zeros."""

from __future__ import annotations

import datetime
import re
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError
from gridopt.io._csv import with_points
from gridopt.io._formats import unreadable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_excel"]

ZEROS = re.compile(r"0{2,}")
"""Formats such as ``000``, by which Excel shows 7 as 007: an id."""


def read_excel(path: Path, sheet: str | None, what: str, as_text: bool) -> pd.DataFrame:
    """
    Read a sheet whose first line names its columns.

    Cells that are text stay text, ``007`` too; whole numbers shown with leading zeros become the text that is seen;
    formulas count as what they came to when the file was saved. Where a column has text, its numbers are text as well.

    Raises
    ------
    InputError
        If there are several sheets and none is named, a name is missing or occurs twice, or a cell holds an error.
    """
    import pandas as pd

    rows = _cells(path, sheet, what)
    if not rows:
        cure = "A sheet starts with a line of column names."
        raise InputError(
            f"{what} file {path} is empty. {cure}", [Finding("layer-empty", "error", (str(path),), 0, 1, cure)]
        )
    width = max((i + 1 for row in rows for i, v in enumerate(row) if v is not None), default=0)
    header = [str(v).strip() if v is not None else "" for v in (*rows[0], *[None] * width)][:width]
    body = [(*row, *[None] * width)[:width] for row in rows[1:]]
    if "" in header:
        cure = "The first line of a sheet names every column."
        raise InputError(f"{what} file {path}: column {header.index('') + 1} has no name. {cure}")
    if len(set(header)) < len(header):
        twice = sorted({n for n in header if header.count(n) > 1})
        raise InputError(f"{what} file {path} has the column {twice[0]!r} more than once. Rename one of them.")
    columns = list(zip(*body)) if body else [()] * width
    table = pd.DataFrame({name: _column(values, as_text) for name, values in zip(header, columns)})
    return table if as_text else with_points(table)


def _cells(path: Path, sheet: str | None, what: str) -> list[list[Any]]:
    """The values of the rows that hold any."""
    try:
        import openpyxl
    except ImportError as error:
        cure = "Install openpyxl (pip install 'gridopt-partition[excel]'), or save it as CSV UTF-8."
        raise InputError(f"{what} file {path} is Excel, and openpyxl is not installed. {cure}") from error
    damage = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError, SyntaxError)
    try:
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            page = book[_sheet(path, [s.title for s in book.worksheets], sheet, what)]
            page.reset_dimensions()  # some programs write wrong ones
            rows = [[_value(cell, path, what) for cell in row] for row in page.iter_rows()]
    except InputError:
        raise
    except (*damage, zipfile.BadZipFile, zlib.error) as error:
        unreadable(path, what, error)
    return [row for row in rows if any(v is not None for v in row)]


def _sheet(path: Path, names: list[str], sheet: str | None, what: str) -> str:
    if sheet is not None and sheet not in names:
        cure = nearest_names(sheet, names)
        raise InputError(
            f"{what} file {path} has no sheet {sheet!r}. {cure}",
            [Finding("layer-missing", "error", (sheet,), None, None, cure)],
        )
    if sheet is None and len(names) != 1 and what not in names:
        cure = f"Say which: {path}:{names[0] if names else 'SHEET'}. There are: {', '.join(names[:12])}."
        raise InputError(
            f"{what} file {path} has {len(names)} sheets. {cure}",
            [Finding("layer-ambiguous", "error", (str(path),), len(names), 1, cure)],
        )
    return sheet or (what if what in names else names[0])


def _value(cell: Any, path: Path, what: str) -> Any:
    """What a cell says: text, a number, or None."""
    value = cell.value
    if value is None:
        return None
    if cell.data_type == "e":
        cure = "Mend the formula, or clear the cell."
        raise InputError(
            f"{what} file {path}: cell {cell.coordinate} holds the error {value}. {cure}",
            [Finding("file-unreadable", "error", (str(path),), cell.coordinate, None, cure)],
        )
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool | datetime.date | datetime.time | datetime.timedelta):
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    shown = str(cell.number_format)
    if value == int(value) and ZEROS.fullmatch(shown):
        return f"{int(value):0{len(shown)}d}"
    return int(value) if value == int(value) and abs(value) < 2**53 else value


def _column(values: Any, as_text: bool) -> Any:
    """Numbers where every value is one, else text; what is missing stays so."""
    import pandas as pd

    filled = [v for v in values if v is not None]
    if as_text or not filled or any(isinstance(v, str) for v in filled):
        return np.array([None if v is None else str(v) for v in values], dtype=object)
    if all(isinstance(v, int) for v in filled):
        return pd.array(list(values), dtype="Int64") if len(filled) < len(values) else np.array(filled, np.int64)
    return np.array([np.nan if v is None else float(v) for v in values])
