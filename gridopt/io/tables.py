"""Vector layers and tables, by suffix, with ``FILE[:layer]``; what is missing is named, and the nearest offered."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt._validate import as_ids, listed, nearest_names
from gridopt.errors import Finding, GeometryError, InputError
from gridopt.io._csv import read_csv
from gridopt.io._encoding import BYTES, decoded, encoding_of
from gridopt.io._excel import read_excel
from gridopt.io._formats import EXCEL, KNOWN, TEXT, VECTOR, no_layers, suffix_of, unreadable
from gridopt.io._ids import could_be_ids, tell_numbered

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["existing_file", "has_layer", "read_layer", "read_table", "read_units", "resolved", "split_layer"]

STYLES = ("layer_styles",)
"""Tables in which QGIS keeps how layers look: no layers."""
SHAPES = {
    "polygon": {"Polygon", "MultiPolygon"},
    "line": {"LineString", "MultiLineString", "LinearRing"},
    "point": {"Point", "MultiPoint"},
}
KIND_OF = {
    "units": "Polygon", "boundary": "Polygon", "parents": "Polygon", "compounds": "Polygon",
    "streets": "LineString", "barriers": "LineString", "links": "LineString",
}  # fmt: skip
"""Geometry that a layer of this name most likely has: where there are several layers, one of these is offered."""


def split_layer(source: str | os.PathLike[str]) -> tuple[Path, str | None]:
    """
    Split ``FILE[:layer]``; a file whose own name has the colon wins, and so does a drive letter.

    Examples
    --------
    >>> split_layer("city.gpkg:streets")
    (PosixPath('city.gpkg'), 'streets')
    >>> split_layer("city.gpkg")
    (PosixPath('city.gpkg'), None)
    """
    text = os.fspath(source)
    head, colon, tail = text.rpartition(":")
    if not colon or not tail or len(head) < 2 or "/" in tail or "\\" in tail or os.path.exists(text):
        return Path(text), None
    return Path(head), tail


def resolved(source: str | os.PathLike[str], what: str) -> str:
    """Return ``FILE:layer`` for what `read_table` reads of a GeoPackage, and the source itself for other formats."""
    import pyogrio

    path, layer = split_layer(source)
    if layer is not None or path.suffix.lower() != ".gpkg" or not path.is_file():
        return os.fspath(source)
    layers = {str(name): str(kind) for name, kind in pyogrio.list_layers(path) if name not in STYLES}
    return f"{path}:{_choose_layer(path, layers, None, what)}"


def has_layer(path: Path, layer: str, what: str = "units") -> bool:
    """Whether a GeoPackage has a layer of this name; raises `InputError` where it cannot be read."""
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        return layer in pyogrio.list_layers(existing_file(path, what))[:, 0].tolist()
    except (DataSourceError, DataLayerError, OSError, ValueError) as error:
        unreadable(path, what, error)


def existing_file(path: str | os.PathLike[str], what: str) -> Path:
    """
    Return `path` when it is a file that exists.

    Raises
    ------
    InputError
        If it does not exist (the nearest names of its folder are offered) or is a folder.
    """
    file = Path(path)
    try:
        if file.is_file():
            return file
        why, cure = _why_not(file)
    except OSError as error:
        why, cure = f"cannot be looked for ({error.strerror})", "Correct the path, or its permissions."
    raise InputError(
        f"{what} file {file} {why}. {cure}", [Finding("file-missing", "error", (str(file),), None, None, cure)]
    )


def _why_not(file: Path) -> tuple[str, str]:
    """Why a path is no file, and what to do."""
    if file.is_dir():
        return "is a folder", "Name a file in it."
    if not file.parent.is_dir():
        return f"does not exist: there is no folder {file.parent}", "Correct the path."
    names = sorted(p.name for p in file.parent.iterdir() if p.is_file() and not p.name.startswith("."))
    same = [n for n in names if Path(n).suffix == file.suffix]
    cure = nearest_names(file.name, same or names) if names else f"The folder {file.parent} holds no files."
    return "does not exist", cure


def read_table(
    source: str | os.PathLike[str],
    *,
    what: str = "table",
    columns: Sequence[str] = (),
    may_be_empty: bool = False,
    as_text: bool = False,
    encoding: str | None = None,
) -> pd.DataFrame:
    r"""
    Read a layer or table as it is; the format follows from the suffix.

    Parameters
    ----------
    source : str or path
        ``FILE`` or ``FILE:layer``. GeoPackage, GeoJSON, GeoParquet, Shapefile, CSV (also packed, ``.csv.gz``), Excel
        (``FILE.xlsx:sheet``).
    what : str
        What the table is for, in messages: ``"units"``, ``"streets"``.
    columns : sequence of str
        Columns that must be there.
    may_be_empty : bool
        Whether a table without rows is no error.
    as_text : bool
        Whether the columns of a CSV or a sheet all stay text, as they are written: for tables of ids.
    encoding : str, optional
        Of a CSV. Default UTF-8, or, where the text is not, GB18030 or Big5 if it looks like Chinese.

    Returns
    -------
    GeoDataFrame or DataFrame
        A GeoDataFrame where there is geometry (of a CSV: columns ``lon`` and ``lat``). A CSV may start with a byte
        order mark; its columns stay text unless every value is a number without leading zeros. ``attrs["findings"]``
        holds what was guessed of the encoding of a shapefile or a CSV.

    Raises
    ------
    InputError
        If the file, layer or a column does not exist (the nearest are offered), the layer is empty, or the file
        cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.csv"
    >>> _ = path.write_text("id,n\n007,5\n")
    >>> read_table(path).to_dict("records")
    [{'id': '007', 'n': 5}]
    """
    path, layer = split_layer(source)
    suffix = suffix_of(path)
    if suffix not in VECTOR | TEXT | EXCEL:
        existing_file(path, what)
        cure = f"Use {KNOWN}; the format follows from the suffix."
        raise InputError(
            f"{what} file {path} has the suffix {suffix!r}, which is not a known table format. {cure}",
            [Finding("format-unknown", "error", (str(path),), suffix, None, cure)],
        )
    existing_file(path, what)
    if suffix in TEXT:
        no_layers(path, layer, what)
        table = read_csv(path, what, as_text, encoding)
    elif suffix in EXCEL:
        table = read_excel(path, layer, what, as_text)
    elif suffix in (".parquet", ".geoparquet"):
        no_layers(path, layer, what)
        table = _read_parquet(path, what)
    else:
        table = _read_vector(path, layer, what)
    name = f"{path}:{layer}" if layer else str(path)
    if not len(table) and not may_be_empty:
        cure = "Choose another layer, or fill this one."
        raise InputError(
            f"{what} layer {name} is empty: it has no rows. {cure}",
            [Finding("layer-empty", "error", (name,), 0, 1, cure)],
        )
    need_columns(table, columns, what, name)
    return table


def read_layer(
    source: str | os.PathLike[str], *, what: str, shapes: Sequence[str], columns: Sequence[str] = ()
) -> gpd.GeoDataFrame:
    r"""
    Read a layer that must have geometry of one of the kinds ``"polygon"``, ``"line"``, ``"point"``.

    Missing, empty and invalid geometry passes, and so does a missing coordinate system: what these mean is decided
    where the shapes are used.

    Raises
    ------
    GeometryError
        If the table has no geometry, or geometry of other kinds.
    InputError
        As `read_table`.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "shops.csv"
    >>> _ = path.write_text("name,lon,lat\nA,121.5,25.1\n")
    >>> read_layer(path, what="objects", shapes=("point",)).geometry[0].x
    121.5
    """
    import geopandas as gpd

    table = read_table(source, what=what, columns=columns)
    if not isinstance(table, gpd.GeoDataFrame):
        cure = f"Give a layer of {_or(shapes)}s" + (
            ", or a CSV with the columns lon and lat." if "point" in shapes else "."
        )
        raise GeometryError(
            f"{what} {source} has no geometry, only the columns {', '.join(map(str, table.columns[:12]))}. {cure}",
            [Finding("geometry-missing", "error", (str(source),), None, None, cure)],
        )
    kinds = table.geometry.geom_type
    allowed = set().union(*(SHAPES[s] for s in shapes))
    odd = table[kinds.notna() & ~kinds.isin(allowed)]
    if len(odd):
        found = ", ".join(sorted(set(odd.geometry.geom_type)))
        cure = f"Give {_or(shapes)}s here; filter or convert the others."
        raise GeometryError(
            f"{what} {source}: {len(odd)} of {len(table)} rows are {found} (first: row {odd.index[0]}), "
            f"not {_or(shapes)}s. {cure}",
            [Finding("geometry-kind", "error", (str(source),), found, _or(shapes), cure)],
        )
    return table


def read_units(
    source: str | os.PathLike[str], *, id_column: str | None = None, columns: Sequence[str] = ()
) -> gpd.GeoDataFrame:
    """
    Read polygons as units: the index ``"unit"`` holds their ids, all columns stay.

    Parameters
    ----------
    source : str or path
        ``FILE`` or ``FILE:layer``; a plan or a result of ``gridopt blocks`` may be given without ``:units``.
    id_column : str, optional
        Column of unit ids, text or integers. Default: the column ``unit``; without it rows are numbered from 1, and
        a finding names columns that could be ids.
    columns : sequence of str
        Columns that must be there.

    Raises
    ------
    InputError
        As `read_layer`; also if ids are missing or repeated, named by row or id.

    Examples
    --------
    >>> import geopandas as gpd, shapely, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "units.gpkg"
    >>> gpd.GeoDataFrame({"block": ["007"]}, geometry=[shapely.box(0, 0, 9, 9)], crs=32651).to_file(path)
    >>> read_units(path, id_column="block").index.tolist()
    ['007']
    """
    name = "unit" if id_column is None else id_column
    table = read_layer(
        source, what="units", shapes=("polygon",), columns=[*([id_column] if id_column else []), *columns]
    )
    if name in table.columns:
        table.index = _index(_read_ids(table, name, columns))
        return table.drop(columns="unit") if name == "unit" else table
    table.attrs["findings"] = (*table.attrs.get("findings", ()), *tell_numbered(table, columns))
    table.index = _index(np.arange(1, len(table) + 1, dtype=np.int64))
    return table


def _read_ids(table: pd.DataFrame, name: str, columns: Sequence[str]) -> Any:
    """Ids of a column; where they will not do, columns that would are offered."""
    try:
        return as_ids(_whole(table[name]))
    except InputError as error:
        others = could_be_ids(table, columns)
        if not others:
            raise
        how = f"Column {name!r} was read; without repeats or gaps are {listed(others)}: --id {others[0]}."
        raise InputError(f"{error} {how}", error.findings) from error


def need_columns(table: pd.DataFrame, columns: Sequence[str], what: str, name: str) -> None:
    """Raise `InputError` that offers the nearest names when `table` lacks a column."""
    known = [str(c) for c in table.columns if c != getattr(table, "_geometry_column_name", None)]
    for column in columns:
        if column not in known:
            cure = nearest_names(column, known)
            raise InputError(
                f"{what} {name} has no column {column!r}. {cure}",
                [Finding("column-missing", "error", (column,), None, None, cure)],
            )


# ---- formats --------------------------------------------------------------------------------------------------------


def _read_vector(path: Path, layer: str | None, what: str) -> pd.DataFrame:
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError
    from shapely.errors import ShapelyError

    is_shapefile = path.suffix.lower() == ".shp"
    if is_shapefile:
        _check_shapefile(path, what)
    try:
        layers = {str(name): str(kind) for name, kind in pyogrio.list_layers(path) if name not in STYLES}
    except (DataSourceError, DataLayerError, OSError, ValueError) as error:
        unreadable(path, what, error)
    if not layers:
        cure = "Choose another file."
        raise InputError(
            f"{what} file {path} has no layers. {cure}", [Finding("layer-empty", "error", (str(path),), 0, 1, cure)]
        )
    chosen = _choose_layer(path, layers, layer, what)
    try:
        if is_shapefile:
            return _with_text(path, pyogrio.read_dataframe(path, layer=chosen, encoding=BYTES))
        return pyogrio.read_dataframe(path, layer=chosen)
    except (DataSourceError, DataLayerError, OSError, ValueError, RuntimeError, ShapelyError) as error:
        unreadable(path, what, error)


def _with_text(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Decode the text of a shapefile that was read byte by byte."""
    geometry = getattr(table, "_geometry_column_name", None)
    columns = [c for c in table.columns if c != geometry and not is_numeric(table[c])]
    texts = {str(v) for c in columns for v in table[c].dropna().unique() if isinstance(v, str)}
    encoding, findings = encoding_of(path, [t.encode(BYTES) for t in [*map(str, table.columns), *sorted(texts)]])
    for column in columns:
        known = {v: decoded(v, encoding.codec) for v in table[column].dropna().unique()}
        if any(k is not v for k, v in known.items()):
            table[column] = table[column].map(known)
    table = table.rename(columns={c: decoded(c, encoding.codec) for c in table.columns if c != geometry})
    table.attrs["findings"] = tuple(findings)
    return table


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers, truth values or times: no text."""
    return column.dtype.kind in "biufmM"


def _check_shapefile(path: Path, what: str) -> None:
    """Hold the parts of a shapefile against the sizes in their headers: GDAL reads one cut short in silence."""
    for suffix in (".shp", ".shx", ".dbf"):
        part = next((p for p in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if p.is_file()), None)
        if part is None:
            unreadable(path, what, OSError(f"{path.stem}{suffix} is not beside it; a shapefile has several parts"))
        with open(part, "rb") as file:
            head = file.read(32)
        if suffix == ".dbf":
            rows, header, width = (int.from_bytes(head[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12)))
            size = header + rows * width
        else:
            size = 2 * int.from_bytes(head[24:28], "big")
        if len(head) < 32 or part.stat().st_size < size:
            unreadable(path, what, OSError(f"{part.name} has {part.stat().st_size} bytes of {size}"))


def _choose_layer(path: Path, layers: dict[str, str], layer: str | None, what: str) -> str:
    """Return the name of the layer to read; `layers` maps names to kinds of geometry as GDAL names them."""
    if layer is not None:
        if layer in layers:
            return layer
        cure = nearest_names(layer, layers)
        raise InputError(
            f"{what} file {path} has no layer {layer!r}. {cure}",
            [Finding("layer-missing", "error", (layer,), None, None, cure)],
        )
    if len(layers) == 1:
        return next(iter(layers))
    if what in layers:
        return what
    kind = KIND_OF.get(what, "")
    fitting = [name for name, is_of in layers.items() if kind in is_of] or list(layers)
    cure = f"Say which: {path}:{_nearest_layer(what, fitting)}. There are: {listed(layers)}."
    raise InputError(
        f"{what} file {path} has {len(layers)} layers. {cure}",
        [Finding("layer-ambiguous", "error", (str(path),), len(layers), 1, cure)],
    )


def _nearest_layer(what: str, layers: list[str]) -> str:
    """Return the layer named most like what is looked for; of equals the first."""
    word = what.casefold()

    def likeness(layer: str) -> tuple[bool, float]:
        name = layer.casefold()
        return word in name or name in word, difflib.SequenceMatcher(None, word, name).ratio()

    return max(layers, key=likeness)


def _read_parquet(path: Path, what: str) -> pd.DataFrame:
    import pandas as pd

    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        cure = "Install pyarrow, or convert it to GeoPackage."
        raise InputError(f"{what} file {path} is Parquet, and pyarrow is not installed. {cure}") from error
    import geopandas as gpd
    from shapely.errors import ShapelyError

    try:
        if b"geo" in (parquet.read_schema(path).metadata or {}):
            table: pd.DataFrame = gpd.read_parquet(path)
        else:
            table = pd.read_parquet(path)
    except (OSError, ValueError, KeyError, TypeError, ShapelyError) as error:
        unreadable(path, what, error)
    named = [n for n in table.index.names if n is not None]
    return table.reset_index() if named else table.reset_index(drop=True)


def _whole(column: pd.Series) -> Any:
    """Ids that a format stored as floating point, back as integers where all are whole."""
    values = column.to_numpy()
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        return values.astype(np.int64)
    return column.astype(object).where(column.notna(), None).to_numpy()


def _index(ids: Any) -> pd.Index:
    import pandas as pd

    return pd.Index(ids, name="unit")


def _or(words: Sequence[str]) -> str:
    return " or ".join(words)
