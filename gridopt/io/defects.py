"""Defects of polygons in files: a point for each, ids as text, coordinates also in degrees."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gridopt.errors import Finding, InputError
from gridopt.io._atomic import replacing
from gridopt.io._layers import write_layers

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["SUFFIXES", "check_suffix", "defects_table", "write_defects"]

SUFFIXES = (".gpkg", ".csv")


def check_suffix(path: str | os.PathLike[str]) -> Path:
    """
    Return the path of a table of defects, when its suffix is known.

    Examples
    --------
    >>> check_suffix("defects.csv")
    PosixPath('defects.csv')
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        cure = f"Name it {target.stem or 'defects'}.gpkg or .csv."
        finding = Finding("output-suffix", "error", (str(path),), target.suffix, ", ".join(SUFFIXES), cure)
        raise InputError(f"defects are written to GeoPackage or CSV, not {target}. {cure}", [finding])
    return target


def defects_table(defects: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """
    One row per defect, as a file holds it: a point, ids joined by ``"; "``, degrees where the system is known.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> row = {"kind": ["gap"], "units": [("a", 7)], "area_m2": [5.0], "width_m": [0.5], "x": [3.0], "y": [4.0]}
    >>> table = defects_table(gpd.GeoDataFrame(row, geometry=[shapely.box(0, 0, 6, 8)]))
    >>> table["units"].tolist(), table.geometry.to_wkt().tolist(), list(table.columns)
    (['a; 7'], ['POINT (3 4)'], ['kind', 'units', 'area_m2', 'width_m', 'x', 'y', 'geometry'])
    """
    import geopandas as gpd

    known = defects["x"].notna().to_numpy()
    points = gpd.GeoSeries([None] * len(defects), index=defects.index, crs=defects.crs)
    points[known] = gpd.points_from_xy(defects["x"], defects["y"], crs=defects.crs)[known]
    table = defects.set_geometry(points)
    table["units"] = ["; ".join(map(str, units)) for units in table["units"]]
    if defects.crs is not None and len(defects):
        degrees = points.to_crs("EPSG:4326")
        at = table.columns.get_loc("y") + 1
        table.insert(at, "lon", np.round(degrees.x.to_numpy(), 7))
        table.insert(at + 1, "lat", np.round(degrees.y.to_numpy(), 7))
    return table


def write_defects(path: str | os.PathLike[str], defects: gpd.GeoDataFrame) -> Path:
    """
    Write every defect with its place: a GeoPackage with the layer ``defects``, or a CSV.

    Raises
    ------
    InputError
        If the suffix is another one, or the file cannot be written.
    """
    target = check_suffix(path)
    table = defects_table(defects)
    with replacing(target) as (temporary,):
        if target.suffix.lower() == ".csv":
            table.drop(columns=table.geometry.name).to_csv(
                temporary, index=False, encoding="utf-8", lineterminator="\n"
            )
        else:
            write_layers(temporary, {"defects": table})
    return target
