"""Street classes: OpenStreetMap's `highway` or any column -> arterial, collector, local, path, none; tunnels."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError, name_ids
from gridopt.territory._layers import is_null

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["CUTTING", "FACTORS", "OSM_HIGHWAYS", "classify", "is_cutting", "is_tunnel"]

FACTORS: Mapping[str, int] = MappingProxyType({"arterial": 1, "collector": 4, "local": 10, "path": 20, "none": 40})
"""Cost of a metre of grid border along a street of each class, in tenths; `none` is no street. Our own; replaceable."""

CUTTING: tuple[str, ...] = ("arterial", "collector", "local")
"""Street classes that bound blocks unless the caller says otherwise."""

OSM_HIGHWAYS: Mapping[str, str] = MappingProxyType(
    {
        "motorway": "arterial",
        "motorway_link": "arterial",
        "trunk": "arterial",
        "trunk_link": "arterial",
        "primary": "arterial",
        "primary_link": "arterial",
        "secondary": "collector",
        "secondary_link": "collector",
        "tertiary": "collector",
        "tertiary_link": "collector",
        "unclassified": "local",
        "residential": "local",
        "living_street": "local",
        "road": "local",
        "service": "path",
        "pedestrian": "path",
        "busway": "path",
        "track": "path",
        "footway": "path",
        "path": "path",
        "cycleway": "path",
        "bridleway": "path",
        "steps": "path",
        "trail": "path",
        "corridor": "none",
        "elevator": "none",
        "platform": "none",
        "proposed": "none",
        "construction": "none",
        "abandoned": "none",
        "razed": "none",
        "raceway": "none",
        "rest_area": "none",
        "services": "none",
        "bus_stop": "none",
    }
)
"""OpenStreetMap's ``highway`` values (https://wiki.openstreetmap.org/wiki/Key:highway) -> our classes."""

_OSM_COLUMNS = ("highway", "fclass")
"""Columns that hold OpenStreetMap's values: the tag itself, and the name Geofabrik's shapefiles give it."""
_SURFACE = frozenset(
    {"", "no", "false", "0", "0.0", "f", "n", "none", "nan", "building_passage", "avalanche_protector"}
)
"""Values of `tunnel` that mean: at the surface (a building passage is walked through, a gallery seen from outside)."""


def classify(
    streets: gpd.GeoDataFrame | gpd.GeoSeries,
    class_column: str | None = None,
    classes: Mapping[Any, str] | None = None,
    factors: Mapping[str, int] = FACTORS,
) -> tuple[NDArray[Any], NDArray[Any], tuple[Finding, ...]]:
    """
    Give each street its class.

    Parameters
    ----------
    streets : GeoDataFrame or GeoSeries
        One row per street line. Not modified.
    class_column : str, optional
        The column that tells the kind of street. Without it ``highway`` (or ``fclass``) is read as OpenStreetMap
        means it; where there is neither, every street is ``"local"`` and a finding says so.
    classes : mapping, optional
        Value in `class_column` -> our class; the key None stands for rows without a value. Replaces the
        OpenStreetMap table: a value it lacks is refused.
    factors : mapping of str to int
        The classes there are, with their cost factors in tenths; of several values in one row (``"a;b"``,
        ``"['a', 'b']"``) the one with the smallest factor counts.

    Returns
    -------
    street_class : ndarray of object (text), shape (n,)
    raw : ndarray of object (text), shape (n,)
        The value each class was read from; empty where there is none.
    findings : tuple of Finding

    Raises
    ------
    InputError
        If `class_column` does not exist, a value is in no table, or a class is not in `factors`.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> line = shapely.LineString([(0, 0), (1, 0)])
    >>> streets = gpd.GeoDataFrame({"highway": ["primary", "residential", "['steps', 'footway']"]}, geometry=[line] * 3)
    >>> classify(streets)[0].tolist()
    ['arterial', 'local', 'path']
    >>> streets["rank"] = [1, 2, None]
    >>> classify(streets, "rank", {1: "arterial", 2: "collector", None: "local"})[0].tolist()
    ['arterial', 'collector', 'local']
    """
    columns = streets.columns if streets.ndim == 2 else ()
    column = class_column or next((c for c in _OSM_COLUMNS if c in columns), None)
    if column is None:
        if classes is not None:
            raise InputError("classes= is given without class_column=. Name the column whose values it translates.")
        cure = 'Every street counts as "local"; name the column that tells them apart with class_column=.'
        n = len(streets)
        return np.full(n, "local", object), np.full(n, "", object), (Finding("no-street-class", "info", cure=cure),)
    if column not in columns:
        raise InputError(f"class_column={column!r} is not a column of streets. {nearest_names(column, columns)}")
    codes, values = _unique_values(streets[column].tolist())
    table = _checked_table(classes, factors)
    found, unknown = zip(*(_class_of(value, table, factors) for value in values)) if values else ((), ())
    odd = [_whole(value) for value, is_unknown in zip(values, unknown) if is_unknown]
    findings: list[Finding] = []
    if odd and (class_column is not None or classes is not None):
        _refuse_unknown(odd, column, classes, factors)
    if odd:
        cure = 'These count as "none" and cut nothing; translate them with class_column= and classes=.'
        findings.append(Finding("unknown-street-class", "info", tuple(str(v) for v in odd), len(odd), None, cure))
    street_class = np.array([*found, ""], object)[codes]
    raw = np.array(["" if v is None else str(v) for v in values] + [""], object)[codes]
    return street_class, raw, tuple(findings)


def is_cutting(
    street_class: NDArray[Any], raw: NDArray[Any], keep: Iterable[str], factors: Mapping[str, int] = FACTORS
) -> NDArray[np.bool_]:
    """
    Tell which streets bound blocks.

    Parameters
    ----------
    street_class, raw : ndarray of object (text), shape (n,)
        As `classify` returns them.
    keep : iterable of str
        Classes that cut, and also single values of the class column, such as ``"service"``.
    factors : mapping of str to int
        The classes there are.

    Returns
    -------
    ndarray of bool, shape (n,)

    Raises
    ------
    InputError
        If a name in `keep` is neither a class nor a value in the data or in OpenStreetMap's table.

    Examples
    --------
    >>> street_class, raw = np.array(["local", "path", "path"], object), np.array(["road", "service", "steps"], object)
    >>> is_cutting(street_class, raw, ["local", "service"]).tolist()
    [True, True, False]
    """
    wanted = [keep] if isinstance(keep, str) else list(keep)
    known = {*factors, *OSM_HIGHWAYS, *raw.tolist()}
    for name in wanted:
        if name not in known:
            raise InputError(f"keep= names {name!r}, which is no street class. {nearest_names(str(name), factors)}")
    return np.isin(street_class.astype(str), wanted) | np.isin(raw.astype(str), wanted)


def is_tunnel(streets: gpd.GeoDataFrame | gpd.GeoSeries) -> NDArray[np.bool_]:
    """
    Tell which streets run underground, by their ``tunnel`` column; none where there is no such column.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> line = shapely.LineString([(0, 0), (1, 0)])
    >>> tunnel = ["yes", None, "no", "building_passage"]
    >>> is_tunnel(gpd.GeoDataFrame({"tunnel": tunnel}, geometry=[line] * 4)).tolist()
    [True, False, False, False]
    """
    if streets.ndim != 2 or "tunnel" not in streets.columns:
        return np.zeros(len(streets), dtype=bool)
    text = [_text(value) for value in streets["tunnel"].tolist()]
    return np.array([bool(t) and t.casefold() not in _SURFACE for t in text], dtype=bool)


def _text(value: Any) -> str:
    return "" if is_null(value) else str(value).strip()


def _unique_values(values: list[Any]) -> tuple[NDArray[np.int64], list[Hashable]]:
    """Distinct values in order of appearance, and each row's position among them; missing values become None."""
    where: dict[Hashable, int] = {}
    codes = np.empty(len(values), dtype=np.int64)
    for i, value in enumerate(values):
        key: Any = None if is_null(value) else tuple(value) if isinstance(value, list | set | np.ndarray) else value
        codes[i] = where.setdefault(key, len(where))
    return codes, list(where)


def _checked_table(classes: Mapping[Any, str] | None, factors: Mapping[str, int]) -> Mapping[Any, str]:
    table: dict[Any, str] = {}
    if classes is None:
        table = {**OSM_HIGHWAYS, **{name: name for name in factors}}
        return {value: name for value, name in table.items() if name in factors}
    for value, name in classes.items():
        if name not in factors:
            raise InputError(f"classes[{value!r}] is {name!r}, which is no class. {nearest_names(str(name), factors)}")
        table[None if is_null(value) else value] = name
    return table


def _class_of(value: Any, table: Mapping[Any, str], factors: Mapping[str, int]) -> tuple[str, bool]:
    """Class of one distinct value, and whether the table does not know it."""
    if value in table:
        return table[value], False
    if value is None:
        return "none" if "none" in factors else max(factors, key=lambda name: factors[name]), False
    parts = value if isinstance(value, tuple) else re.findall(r"[^\s,;\[\]'\"|]+", str(value))
    found = [table[p] for p in parts if p in table]
    if not found and isinstance(value, float) and value.is_integer():
        found = [table[key] for key in (str(int(value)), str(value)) if key in table]
    if not found:
        return "none" if "none" in factors else max(factors, key=lambda name: factors[name]), True
    return min(found, key=lambda name: factors[name]), False


def _whole(value: Any) -> Any:
    """A whole number as it is written, where missing values beside it made it a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refuse_unknown(odd: list[Any], column: str, classes: Mapping[Any, str] | None, factors: Mapping[str, int]) -> None:
    where = "classes=" if classes is not None else "the table of street classes"
    some = "local" if "local" in factors else next(iter(factors))
    first = odd[0] if isinstance(odd[0], int) else f'"{odd[0]}"'
    raise InputError(
        f"{len(odd)} values of street column {column!r} are not in {where} (first: {name_ids(odd)}). "
        f'Translate each with classes=, such as {{{first}: "{some}"}}; classes are {", ".join(factors)}.',
        [Finding("unknown-street-class", "error", tuple(str(v) for v in odd), len(odd), None, "Translate each value.")],
    )
