"""Ways: single street lines with what cleaning has to know about each, as arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.territory._layers import is_null

__all__ = ["Ways", "as_lines", "read_levels", "read_oneway", "read_ways"]

_FORWARD = frozenset({"yes", "true", "1", "1.0", "t", "y", "ft", "one way", "oneway"})
_BACKWARD = frozenset({"-1", "-1.0", "reverse", "tf"})
_ONEWAY_COLUMNS = ("oneway", "one_way", "direction")
_GROUND = frozenset({"", "no", "none", "nan", "false", "0", "0.0", "f", "n"})

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Ways:
    """
    Street lines, one part each.

    Parameters
    ----------
    shape : ndarray of LineString, shape (w,)
    row : ndarray of int64, shape (w,)
        Position of the street each is a part of.
    factor : ndarray of int64, shape (w,)
        Cost factor of the class, in tenths: small for important streets.
    name : ndarray of int64, shape (w,)
        Number of the street name; -1 for none.
    oneway : ndarray of int8, shape (w,)
        1 where traffic runs as drawn, -1 against it, 0 both ways or unknown.
    is_link, is_round : ndarray of bool, shape (w,)
        Slip roads, and parts of roundabouts.
    level : ndarray of int64, shape (w,)
        0 at the ground; bridges above it.
    """

    shape: Array
    row: Array
    factor: Array
    name: Array
    oneway: Array
    is_link: Array
    is_round: Array
    level: Array

    def __len__(self) -> int:
        """Count them."""
        return len(self.shape)

    def take(self, rows: Array) -> Ways:
        """Return some of them."""
        return Ways(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    def reshaped(self, shape: Array) -> Ways:
        """Return the same ways with other lines."""
        return replace(self, shape=shape)


def read_ways(streets: Any, factor: Array, names: Array) -> Ways:
    """
    Break streets into single lines of some length and read what their columns say.

    Parameters
    ----------
    streets : GeoDataFrame or GeoSeries
    factor, names : ndarray of int64, shape (n,)
        Of each street, see `Ways`.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> line = shapely.LineString([(0, 0), (1, 0)])
    >>> table = {"highway": ["primary_link", "primary"], "oneway": ["-1", None], "bridge": [None, "yes"]}
    >>> ways = read_ways(gpd.GeoDataFrame(table, geometry=[line] * 2), np.array([1, 1]), np.array([-1, -1]))
    >>> ways.oneway.tolist(), ways.is_link.tolist(), ways.level.tolist()
    ([-1, 0], [True, False], [0, 1])
    """
    import shapely

    oneway = read_oneway(streets)
    link = _holds(streets, ("highway", "fclass"), "_link")
    rounds = _holds(streets, ("junction",), "roundabout") | _holds(streets, ("junction",), "circular")
    oneway = np.where(rounds & (oneway == 0), 1, oneway).astype(np.int8)
    level = read_levels(streets)
    parts, row = shapely.get_parts(streets.geometry.to_numpy(), return_index=True)
    some = shapely.length(parts) > 0
    parts, row = as_lines(parts[some]), row[some]
    return Ways(parts, row, factor[row], names[row], oneway[row], link[row], rounds[row], level[row])


def as_lines(parts: Array) -> Array:
    """Rings as lines, lines as they are."""
    import shapely

    is_ring = shapely.get_type_id(parts) == shapely.GeometryType.LINEARRING
    if is_ring.any():
        xy, row = shapely.get_coordinates(parts[is_ring], return_index=True)
        parts = parts.copy()
        parts[is_ring] = shapely.linestrings(xy, indices=row)
    return parts


def read_oneway(streets: Any) -> NDArray[np.int8]:
    """
    Direction of traffic along each line: 1 as drawn, -1 against it, 0 both or unknown.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> line = shapely.LineString([(0, 0), (1, 0)])
    >>> read_oneway(gpd.GeoDataFrame({"oneway": ["yes", "-1", None, "no", True]}, geometry=[line] * 5)).tolist()
    [1, -1, 0, 0, 1]
    """
    column = _column(streets, _ONEWAY_COLUMNS)
    if column is None:
        return np.zeros(len(streets), dtype=np.int8)
    words = [_word(v) for v in column]
    if "b" in words:  # Geofabrik's shapefiles say both, from and to
        words = [{"f": "1", "t": "-1"}.get(w, w) for w in words]
    return np.array([1 if w in _FORWARD else -1 if w in _BACKWARD else 0 for w in words], dtype=np.int8)


def read_levels(streets: Any) -> NDArray[np.int64]:
    """
    Level of each line: its ``layer``, or 1 for a ``bridge`` without one; 0 is the ground.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> line = shapely.LineString([(0, 0), (1, 0)])
    >>> table = {"layer": ["2", None, None], "bridge": ["yes", "viaduct", "no"]}
    >>> read_levels(gpd.GeoDataFrame(table, geometry=[line] * 3)).tolist()
    [2, 1, 0]
    """
    level = np.zeros(len(streets), dtype=np.int64)
    bridge = _column(streets, ("bridge",))
    if bridge is not None:
        level[[_word(v) not in _GROUND for v in bridge]] = 1
    layer = _column(streets, ("layer",))
    if layer is not None:
        numbers = [re.fullmatch(r"([+-]?\d{1,2})(\.0*)?", _word(v)) for v in layer]
        told = np.array([m is not None and int(m[1]) != 0 for m in numbers], dtype=bool)
        level[told] = [int(m[1]) for m in numbers if m is not None and int(m[1]) != 0]
    return level


def _holds(streets: Any, columns: tuple[str, ...], word: str) -> NDArray[np.bool_]:
    column = _column(streets, columns)
    if column is None:
        return np.zeros(len(streets), dtype=bool)
    seen: dict[Any, bool] = {}
    return np.array([seen.setdefault(w, word in w) for w in map(_word, column)], dtype=bool)


def _column(streets: Any, names: tuple[str, ...]) -> list[Any] | None:
    if streets.ndim != 2:
        return None
    folded = {str(c).casefold(): c for c in reversed(list(streets.columns))}
    found = next((folded[n] for n in names if n in folded), None)
    values: list[Any] | None = None if found is None else streets[found].tolist()
    return values


def _word(value: Any) -> str:
    return "" if is_null(value) else str(value).strip().casefold()
