"""Tables of units written by suffix, whole or not at all: GeoPackage, GeoJSON, GeoParquet, CSV, Excel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.errors import Finding, InputError
from gridopt.io._atomic import replacing
from gridopt.io._formats import suffix_of
from gridopt.io._layers import write_layers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SUFFIXES", "check_suffix", "write_table", "write_workbook"]

SUFFIXES = (".gpkg", ".geojson", ".parquet", ".csv", ".xlsx")
MOST_ROWS = 1_048_575
"""Rows of a sheet of Excel below its line of names."""
LONGEST = 32_767
"""Characters a cell of Excel holds."""


def check_suffix(path: str | os.PathLike[str], what: str = "units", suffixes: tuple[str, ...] = SUFFIXES) -> Path:
    """
    Return `path` when its suffix is that of a format that can be written.

    Raises
    ------
    InputError
        If not, or if it takes a package that is not installed.

    Examples
    --------
    >>> check_suffix("units.xls")
    Traceback (most recent call last):
    gridopt.errors.InputError: units are not written to 'units.xls'. Use .gpkg, .geojson, .parquet, .csv or .xlsx.
    """
    target = Path(path)
    suffix = suffix_of(target)
    if suffix not in suffixes:
        cure = f"Use {' or '.join(filter(None, (', '.join(suffixes[:-1]), suffixes[-1])))}."
        finding = Finding("output-suffix", "error", (str(target),), suffix, ", ".join(suffixes), cure)
        raise InputError(f"{what} are not written to {str(target)!r}. {cure}", [finding])
    needs = {".xlsx": ("openpyxl", "excel"), ".parquet": ("pyarrow", "parquet")}.get(suffix)
    if needs is not None:
        from importlib.util import find_spec

        if find_spec(needs[0]) is None:
            cure = f"Install it (pip install 'gridopt-partition[{needs[1]}]'), or choose another suffix."
            raise InputError(f"writing {suffix} takes {needs[0]}, which is not installed. {cure}")
    return target


def write_table(path: str | os.PathLike[str], table: pd.DataFrame, more: Mapping[str, pd.DataFrame]) -> Path:
    r"""
    Write one table, and where the format has room for several, those of `more` beside it.

    Parameters
    ----------
    path : str or path
        ``.gpkg`` (layer ``units``; `more` as layers), ``.xlsx`` (sheets), ``.geojson``, ``.parquet``, ``.csv`` (the
        table alone; GeoJSON is converted to degrees, as its standard asks; CSV and Excel have no geometry).
    table : DataFrame or GeoDataFrame
        Ids in columns; the index is not written.
    more : mapping of str to DataFrame
        Further tables by name.

    Raises
    ------
    InputError
        If the suffix is not known, or the file cannot be written.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> path = write_table(Path(tempfile.mkdtemp()) / "u.csv", pd.DataFrame({"unit": ["007"], "n": [5]}), {})
    >>> path.read_text()
    'unit,n\n007,5\n'
    """
    target = check_suffix(path)
    write: Callable[[Path], Any] = {
        ".gpkg": lambda file: write_layers(file, {"units": table, **more}),
        ".geojson": lambda file: _as_degrees(table).to_file(file, driver="GeoJSON", engine="pyogrio"),
        ".parquet": lambda file: table.to_parquet(file, index=False),
        ".csv": lambda file: _flat(table).to_csv(file, index=False, encoding="utf-8", lineterminator="\n"),
        ".xlsx": lambda file: _write_sheets(file, {"units": table, **more}),
    }[suffix_of(target)]
    with replacing(target) as (temporary,):
        write(temporary)
    return target


def write_workbook(path: str | os.PathLike[str], sheets: Mapping[str, pd.DataFrame]) -> Path:
    """
    Write tables as sheets of an Excel file; text stays text, also ``007`` and ``=1+1``, numbers are numbers.

    Parameters
    ----------
    path : str or path
        ``….xlsx``. Takes openpyxl (``pip install 'gridopt-partition[excel]'``).
    sheets : mapping of str to DataFrame
        Name of the sheet -> table. Columns of ids are given as text by those who call; geometry is left out.

    Raises
    ------
    InputError
        If a table has more rows than a sheet, or the file cannot be written.

    Examples
    --------
    >>> write_workbook("units.csv", {})
    Traceback (most recent call last):
    gridopt.errors.InputError: workbooks are not written to 'units.csv'. Use .xlsx.
    """
    target = check_suffix(path, "workbooks", (".xlsx",))
    with replacing(target) as (temporary,):
        _write_sheets(temporary, sheets)
    return target


def _as_degrees(table: Any) -> Any:
    import pyproj

    if not hasattr(table, "geometry"):
        raise InputError("GeoJSON holds shapes, and these units have none. Write .csv instead.")
    try:
        return table if table.crs is None else table.to_crs("EPSG:4326")
    except pyproj.exceptions.ProjError as error:
        raise InputError(
            "GeoJSON is in degrees, and the system of these units has no known place on the earth. Write .gpkg instead."
        ) from error


def _flat(table: Any) -> Any:
    """Leave geometry out."""
    name = getattr(table, "_geometry_column_name", None)
    return table.drop(columns=name) if name in table.columns else table


def _write_sheets(path: Path, sheets: Mapping[str, Any]) -> None:
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    for title, table in sheets.items():
        if len(table) > MOST_ROWS:
            raise InputError(f"{len(table):,} rows of {title} do not fit a sheet of Excel ({MOST_ROWS:,}). Write .csv.")
        flat = _flat(table)
        sheet = book.create_sheet(title[:31])
        sheet.freeze_panes = "A2"
        sheet.append([_cell(sheet, str(name), bold=True) for name in flat.columns])
        columns = [flat[name].tolist() for name in flat.columns]
        is_id = [str(name) in ("unit", "grid", "parent", "from", "to") for name in flat.columns]
        for row in zip(*columns):
            sheet.append([_cell(sheet, str(v) if text and not _is_none(v) else v) for v, text in zip(row, is_id)])
    book.save(path)


def _cell(sheet: Any, value: Any, bold: bool = False) -> Any:
    """Make a cell whose text is no formula and no number."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.styles import Font

    if _is_none(value) or (isinstance(value, float) and not np.isfinite(value)):
        return None
    if isinstance(value, bool | int | float):
        return value
    cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", str(value))[:LONGEST])
    cell.data_type = "s"
    cell.number_format = "@"
    if bold:
        cell.font = Font(bold=True)
    return cell


def _is_none(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value
