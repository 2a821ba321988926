"""Places for rows of a table: from two columns of coordinates, or from another layer by a key they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt._validate import nearest_names
from gridopt.errors import Finding, GeometryError, InputError, name_ids
from gridopt.territory._layers import as_layer

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["place", "place_at"]

IN_DEGREES = (
    *(("lon", "lat"), ("longitude", "latitude"), ("lng", "lat"), ("long", "lat"), ("lon", "latitude")),
    *(("经度", "纬度"), ("經度", "緯度")),
)
"""Pairs of columns, longitude first, whose values are degrees."""
IN_PLANE = (
    *(("x", "y"), ("easting", "northing"), ("e", "n"), ("point_x", "point_y"), ("coord_x", "coord_y")),
    *(("x_coord", "y_coord"), ("xcoord", "ycoord"), ("x_m", "y_m"), ("tm_x", "tm_y"), ("横坐标", "纵坐标")),
)
"""Pairs of columns, east first, whose values may be anything."""
HOW = " (x, y, crs; on the command line --xy NAME=X,Y@CRS)"


def place(table: pd.DataFrame, *, x: str | None = None, y: str | None = None, crs: Any = None) -> gpd.GeoDataFrame:
    """
    Make points of the rows of a table.

    Parameters
    ----------
    table : DataFrame
        Any index. Not modified.
    x, y : str, optional
        Columns of coordinates, east (longitude) first. Default: what is called as such columns are: ``lon`` and
        ``lat``, ``x`` and ``y``, ``easting`` and ``northing``, 经度 and 纬度 …, in any case.
    crs : optional
        Their coordinate system. Default: degrees (EPSG:4326) where the names say longitude and latitude, or all values
        are possible as such; any other system has to be named.

    Returns
    -------
    GeoDataFrame
        The same rows. Those whose coordinates are no finite numbers have no geometry, so `locate` lists them.
        ``attrs["findings"]`` holds what was guessed.

    Raises
    ------
    InputError
        If there are no such columns, or none of the values is a number, or the system is not known.

    Examples
    --------
    >>> import pandas as pd
    >>> shops = place(pd.DataFrame({"name": ["A", "B"], "X": [305000, None], "Y": [2770000, 1]}), crs="EPSG:3826")
    >>> shops.geometry.iloc[0].x, shops.geometry.iloc[1] is None
    (305000.0, True)
    """
    import geopandas as gpd
    import pandas as pd
    import shapely

    east, north, degrees = _columns(table, x, y)
    at = np.column_stack([pd.to_numeric(table[c], errors="coerce").to_numpy(np.float64) for c in (east, north)])
    known = np.isfinite(at).all(axis=1)
    if len(table) and not known.any():
        raise InputError(
            f"none of the {len(table)} rows has two numbers in {east!r} and {north!r} "
            f"(first: {str(table[east].iloc[0])!r}, {str(table[north].iloc[0])!r}). "
            f"Name the columns of coordinates{HOW}. "
            f"{nearest_names(str(east), table.columns)}"
        )
    findings = []
    if crs is None:
        if not degrees and not (np.abs(at[known]) <= (180, 90)).all():
            raise GeometryError(
                f"columns {east!r} and {north!r} are no degrees (first: {at[known][0].tolist()}), and their "
                f'coordinate system is not known. Name it: "EPSG:3826", for one{HOW}.'
            )
        crs = "EPSG:4326"
        if not degrees:
            cure = f"{east!r} and {north!r} were taken for degrees of longitude and latitude; name their system if not."
            findings.append(Finding("assumed-degrees", "warning", (str(east), str(north)), None, None, cure))
    system = _system(crs)
    shapes = np.full(len(table), None, dtype=object)
    shapes[known] = shapely.points(at[known])
    placed = gpd.GeoDataFrame(table.copy(), geometry=gpd.GeoSeries(shapes, index=table.index, crs=system))
    placed.attrs["findings"] = (*table.attrs.get("findings", ()), *findings)
    return placed


def place_at(table: pd.DataFrame, places: gpd.GeoDataFrame, on: str, places_on: str | None = None) -> gpd.GeoDataFrame:
    """
    Give each row of a table the geometry of the place that has the same key: property records of parcels, for one.

    Parameters
    ----------
    table : DataFrame
        Many rows may have one key. Not modified.
    places : GeoDataFrame
        Layer with a key; of several rows with one key the first that has a geometry is taken, and it is said.
    on : str
        Column of `table`. Keys are compared as text: ``7`` and ``"7"`` are the same, ``"07"`` is another.
    places_on : str, optional
        Column of `places`; default `on`.

    Returns
    -------
    GeoDataFrame
        The same rows; those without a place have no geometry, so `locate` lists them. ``attrs["findings"]`` says how
        many keys have no place, or several.

    Raises
    ------
    InputError
        If a column does not exist, or no key of the table is one of the places.

    Examples
    --------
    >>> import geopandas as gpd, pandas as pd, shapely
    >>> parcels = gpd.GeoDataFrame({"lot": ["7-1", "7-2"]}, geometry=shapely.box([0, 9], 0, [9, 18], 9))
    >>> records = pd.DataFrame({"lot": ["7-1", "7-1", "8-9"], "use": ["shop", "flat", "flat"]})
    >>> found = place_at(records, parcels, on="lot")
    >>> found.geometry.isna().tolist(), found.attrs["findings"][0].ids
    ([False, False, True], ('8-9',))
    """
    import geopandas as gpd
    import pandas as pd

    layer = as_layer(places, "places")
    other = on if places_on is None else places_on
    for name, frame, what in ((on, table, "the table"), (other, layer, "places")):
        if name not in getattr(frame, "columns", ()):
            raise InputError(
                f"{name!r} is not a column of {what}. {nearest_names(name, getattr(frame, 'columns', ()))}"
            )
    there = pd.Series(layer.geometry.to_numpy(), index=_text(layer[other]), dtype=object)
    there = there[there.notna().to_numpy() & there.index.notna()]
    keys = _text(table[on])
    findings = []
    double = there.index.duplicated()
    used = double & there.index.isin(keys)
    if used.any():
        who = tuple(there.index[used].unique().tolist())
        cure = "Several places have this key; the first was taken. Dissolve them by the key to keep all."
        findings.append(Finding("place-not-unique", "warning", who[:50], len(who), 1, cure))
    there = there[~double]
    found = pd.Index(there.index).get_indexer(keys)
    lost = pd.unique(keys[(found < 0) & keys.notna()]).tolist()
    if len(table) and (found < 0).all():
        raise InputError(
            f"none of the {len(table)} rows has a place: no key of column {on!r} (first: {name_ids(lost[:1])}) is in "
            f"column {other!r} of the places (first: {name_ids(there.index[:1].tolist())})."
        )
    if (found < 0).any():
        cure = f"{int((found < 0).sum())} rows have a key that no place has, or none; they count as outside."
        findings.insert(0, Finding("no-place", "warning", tuple(lost[:50]), len(lost), None, cure))
    shapes = np.append(there.to_numpy(), [None])[found]
    placed = gpd.GeoDataFrame(table.copy(), geometry=gpd.GeoSeries(shapes, index=table.index, crs=layer.crs))
    placed.attrs["findings"] = (*table.attrs.get("findings", ()), *findings)
    return placed


def _system(crs: Any) -> Any:
    import pyproj
    from pyproj.exceptions import CRSError

    try:
        return pyproj.CRS.from_user_input(crs)
    except CRSError as error:
        raise InputError(f'{crs!r} is not a coordinate system. Name one, such as "EPSG:3826".') from error


def _columns(table: Any, x: str | None, y: str | None) -> tuple[Any, Any, bool]:
    """Find the columns of coordinates, and whether their names say degrees."""
    if (x is None) != (y is None):
        raise InputError(f"x={x!r} and y={y!r}: name both columns, or neither.")
    folded: dict[str, Any] = {}
    for column in table.columns:
        folded.setdefault(str(column).strip().casefold(), column)
    if x is not None and y is not None:
        for name in (x, y):
            if name not in table.columns:
                raise InputError(f"{name!r} is not a column of the table. {nearest_names(name, table.columns)}")
        return x, y, (x.casefold(), y.casefold()) in IN_DEGREES
    for pairs in (IN_DEGREES, IN_PLANE):
        for east, north in pairs:
            if east in folded and north in folded:
                return folded[east], folded[north], pairs is IN_DEGREES
    raise InputError(
        "no columns are called as coordinates are (lon and lat, x and y, easting and northing …). "
        f"Name them{HOW}. {nearest_names('x', table.columns)}"
    )


def _text(column: Any) -> Any:
    """Keys as text without blanks around, whole numbers without a decimal point, None where there is none."""
    import pandas as pd

    if column.dtype.kind == "f":
        whole = column.dropna()
        if (whole == np.rint(whole)).all() and (whole.abs() < 2**53).all():
            column = column.astype("Int64")
    return pd.Index([None if v is None or v is pd.NA or v != v else str(v).strip() for v in column], dtype=object)
