"""Which suffix is which format, and what is said of a file that is not what its suffix says."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from gridopt.errors import Finding, InputError

__all__ = ["EXCEL", "KNOWN", "TEXT", "VECTOR", "no_layers", "suffix_of", "unreadable"]

VECTOR = {
    ".gpkg": "GeoPackage",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".shp": "Shapefile",
    ".parquet": "GeoParquet",
    ".geoparquet": "GeoParquet",
}
TEXT = {".csv": "CSV", ".csv.gz": "CSV"}
EXCEL = {".xlsx": "Excel"}
KNOWN = ".gpkg, .geojson, .parquet, .shp, .csv or .xlsx"


def suffix_of(path: Path) -> str:
    """
    Return the suffix in small letters, both of them of a packed table.

    Examples
    --------
    >>> suffix_of(Path("a.CSV")), suffix_of(Path("2024.events.csv.gz")), suffix_of(Path("g.graph.gz"))
    ('.csv', '.csv.gz', '.gz')
    """
    name = path.name.lower()
    return ".csv.gz" if name.endswith(".csv.gz") else path.suffix.lower()


def no_layers(path: Path, layer: str | None, what: str) -> None:
    """Refuse a layer of a format that has none."""
    if layer is not None:
        cure = f"Give {path} alone."
        raise InputError(
            f"{what} file {path} has no layers, but layer {layer!r} is asked for. {cure}",
            [Finding("layer-missing", "error", (layer,), None, None, cure)],
        )


def unreadable(path: Path, what: str, error: Exception) -> NoReturn:
    """Raise `InputError`: the file is damaged, or not of its kind."""
    suffix = suffix_of(path)
    kind = (VECTOR | TEXT | EXCEL).get(suffix, "file")
    why = " ".join(str(error).split()).rpartition(" failed: ")[2].partition("; ")[0][:200].rstrip(".")
    cure = "It may be damaged or cut short: open it in a GIS, or copy it again."
    raise InputError(
        f"{what} file {path} cannot be read as {kind}: {why}. {cure}",
        [Finding("file-unreadable", "error", (str(path),), why, None, cure)],
    ) from error
