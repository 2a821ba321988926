"""CSV tables: text as it was written, numbers where every value is one, points where the columns say so."""

from __future__ import annotations

import csv
import gzip
import io as text_io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.errors import Finding, InputError
from gridopt.io._formats import unreadable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_csv"]

LON_LAT = (("lon", "lat"), ("longitude", "latitude"), ("lng", "lat"))
"""Pairs of columns read as points in EPSG:4326."""
INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
NUMBER = re.compile(r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]\d+)?")
"""Numbers without leading zeros: a column holding ``007`` is text, and so is one of codes such as ``12E3``."""


def read_csv(path: Path, what: str, as_text: bool) -> pd.DataFrame:
    """Read a table whose first line names its columns; raises `InputError` naming the row that breaks the form."""
    import pandas as pd

    try:
        content = path.read_bytes()
        raw = (gzip.decompress(content) if path.suffix.lower() == ".gz" else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        cure = 'Save it as "CSV UTF-8".'
        raise InputError(
            f"{what} file {path} is not UTF-8 text (byte 0x{error.object[error.start]:02x} at position {error.start}). "
            f"{cure}",
            [Finding("file-unreadable", "error", (str(path),), "not UTF-8", None, cure)],
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        unreadable(path, what, error)
    try:
        rows = [row for row in csv.reader(text_io.StringIO(raw, newline="")) if row]
    except csv.Error as error:
        unreadable(path, what, error)
    if not rows:
        cure = "A CSV table starts with a line of column names."
        raise InputError(
            f"{what} file {path} is empty. {cure}", [Finding("layer-empty", "error", (str(path),), 0, 1, cure)]
        )
    header = [name.strip() for name in rows[0]]
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"{what} file {path} is separated by semicolons. Save it with commas between the columns.")
    ragged = next((i for i, row in enumerate(rows) if len(row) != len(header)), None)
    if ragged is not None:
        cure = "Put text that holds commas in double quotes."
        raise InputError(
            f"{what} file {path}: row {ragged} has {len(rows[ragged])} columns, the header has {len(header)}. {cure}",
            [Finding("file-unreadable", "error", (str(path),), f"row {ragged}", None, cure)],
        )
    if len(set(header)) < len(header):
        twice = sorted({n for n in header if header.count(n) > 1})
        raise InputError(f"{what} file {path} has the column {twice[0]!r} more than once. Rename one of them.")
    body = list(zip(*rows[1:])) if len(rows) > 1 else [()] * len(header)
    table = pd.DataFrame({name: _column(values, as_text) for name, values in zip(header, body)})
    return table if as_text else _with_points(table)


def _column(values: Sequence[str], as_text: bool) -> Any:
    """Numbers where every value is one without leading zeros, else text; blank is missing."""
    import pandas as pd

    stripped = [v.strip() for v in values]
    filled = [] if as_text else [v for v in stripped if v]
    if filled and all(INTEGER.fullmatch(v) for v in filled):
        if len(filled) == len(stripped):
            return np.array([int(v) for v in stripped], dtype=np.int64)
        return pd.array([int(v) if v else None for v in stripped], dtype="Int64")
    if filled and all(NUMBER.fullmatch(v) for v in filled):
        return np.array([float(v) if v else np.nan for v in stripped])
    return np.array([v if v else None for v in stripped], dtype=object)


def _with_points(table: pd.DataFrame) -> pd.DataFrame:
    folded = {str(c).casefold(): c for c in table.columns}
    for lon, lat in LON_LAT:
        if lon in folded and lat in folded and all(table[folded[c]].dtype.kind in "if" for c in (lon, lat)):
            import geopandas as gpd

            points = gpd.points_from_xy(table[folded[lon]], table[folded[lat]])
            return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")
    return table
