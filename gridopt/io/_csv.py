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
from gridopt.io._encoding import guess
from gridopt.io._formats import unreadable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_csv", "with_points"]

LON_LAT = (("lon", "lat"), ("longitude", "latitude"), ("lng", "lat"))
"""Pairs of columns read as points in EPSG:4326."""
CHINESE = ("gb18030", "cp950")
"""Encodings a table without a stated one may be in, besides UTF-8. Western ones are asked for: any bytes fit them."""
INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
NUMBER = re.compile(r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]\d+)?")
"""Numbers without leading zeros: a column holding ``007`` is text, and so is one of codes such as ``12E3``."""


def read_csv(path: Path, what: str, as_text: bool, encoding: str | None = None) -> pd.DataFrame:
    """
    Read a table whose first line names its columns; raises `InputError` naming the row that breaks the form.

    Without `encoding` it is UTF-8, or else Chinese text in GB18030 (GBK) or Big5, which ``attrs["findings"]`` says.
    """
    import pandas as pd

    try:
        content = path.read_bytes()
        raw, told = _decoded(
            gzip.decompress(content) if path.suffix.lower() == ".gz" else content, path, what, encoding
        )
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
    table = table if as_text else with_points(table)
    table.attrs["findings"] = told
    return table


def _decoded(content: bytes, path: Path, what: str, encoding: str | None) -> tuple[str, tuple[Finding, ...]]:
    """The text of a table, and what was guessed about it."""
    try:
        return content.decode(encoding or "utf-8-sig"), ()
    except LookupError as error:
        cure = "Name one that Python knows, such as utf-8, gb18030, big5, cp1252."
        raise InputError(f"encoding={encoding!r} is no encoding. {cure}") from error
    except UnicodeDecodeError as error:
        codec = None if encoding else guess(t for t in re.split(rb"[,;\t\r\n]", content) if not t.isascii())
        if codec in CHINESE:
            try:
                text = content.decode(codec)
            except UnicodeDecodeError:
                codec = None
            else:
                cure = f"It is not UTF-8 and was read as {codec.upper()}. If names look wrong, say the true encoding=."
                return text, (Finding("encoding-guessed", "warning", (str(path),), codec.upper(), None, cure),)
        name = encoding.upper() if encoding else "UTF-8"
        cure = 'Save it as "CSV UTF-8", or say its encoding=, such as cp1252.'
        raise InputError(
            f"{what} file {path} is not {name} text (byte 0x{error.object[error.start]:02x} at position "
            f"{error.start}). {cure}",
            [Finding("file-unreadable", "error", (str(path),), f"not {name}", None, cure)],
        ) from error


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


def with_points(table: pd.DataFrame) -> pd.DataFrame:
    """Points in degrees where columns are called so, else the table as it is."""
    folded = {str(c).casefold(): c for c in table.columns}
    for lon, lat in LON_LAT:
        if lon in folded and lat in folded and all(table[folded[c]].dtype.kind in "if" for c in (lon, lat)):
            import geopandas as gpd

            points = gpd.points_from_xy(table[folded[lon]], table[folded[lat]])
            return gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326")
    return table
