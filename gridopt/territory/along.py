"""Which streets a border runs along: metres by street class, and the names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError
from gridopt.territory.borders import Borders
from gridopt.territory.segments import explode, intervals_along, merge, near_pairs, union_length
from gridopt.territory.streets import FACTORS, classify, is_tunnel

__all__ = [
    "NAME_COLUMNS",
    "StreetLines",
    "check_factors",
    "measure_classes",
    "name_borders",
    "read_names",
    "read_streets",
]

PARALLEL = 0.866
"""Cosine above which a street and a border count as running along each other (30 degrees)."""
LEAST_NAMED = 1.0
"""Metres of a border a street must run along to be named."""
NAME_COLUMNS = (
    *("name", "street", "street_name", "streetname", "st_name", "fullname", "road", "road_name"),
    *("label", "路名"),
)
"""Columns that hold street names, most telling first; case does not matter."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class StreetLines:
    """
    Streets as straight segments.

    Parameters
    ----------
    start, end : ndarray of float64, shape (s, 2)
        Ends of each segment, metres.
    rank : ndarray of int64, shape (s,)
        Position in `classes`.
    name : ndarray of int64, shape (s,)
        Position in `names`; -1 for streets without a name.
    classes : tuple of str
        Street classes, the most important (smallest factor) first, without ``"none"``.
    names : tuple of str
        Street names, sorted.
    """

    start: Array
    end: Array
    rank: Array
    name: Array
    classes: tuple[str, ...]
    names: tuple[str, ...]


def check_factors(factors: Mapping[str, int] | None) -> Mapping[str, int]:
    """
    Return the table of class factors, in integer tenths; the usual one for None.

    Raises
    ------
    InputError
        If a factor is no whole number of at least 1, or ``"none"`` is missing.

    Examples
    --------
    >>> check_factors({"road": 1, "none": 30})["road"]
    1
    """
    if factors is None:
        return FACTORS
    for name, factor in factors.items():
        if isinstance(factor, bool) or not isinstance(factor, int | np.integer) or factor < 1:
            raise InputError(f"factors[{name!r}] is {factor!r}; give whole tenths of at least 1, such as 10 for 1.0.")
    if "none" not in factors:
        raise InputError("factors has no 'none', the factor of borders along no street. Add it, such as 40 for 4.0.")
    return factors


def read_streets(
    streets: Any,
    class_column: str | None,
    classes: Mapping[Any, str] | None,
    factors: Mapping[str, int],
    name_column: str | None,
) -> tuple[StreetLines, tuple[Finding, ...]]:
    """
    Read a layer of streets; tunnels and rows of class ``"none"`` are left out.

    Raises
    ------
    InputError
        If a column does not exist, or a class is unknown.
    """
    import shapely

    street_class, _, findings = classify(streets, class_column, classes, factors)
    names, code = read_names(streets, name_column)
    known = tuple(sorted((c for c in factors if c != "none"), key=lambda c: factors[c]))
    rank_of = {name: i for i, name in enumerate(known)}
    rank = np.array([rank_of.get(c, -1) for c in street_class.tolist()], dtype=np.int64)
    lines, row = shapely.get_parts(np.asarray(streets.geometry), return_index=True)
    used = ((rank >= 0) & ~is_tunnel(streets))[row]
    lines, row = lines[used], row[used]
    line, start, end = explode(lines)
    row = row[line]
    return StreetLines(start, end, rank[row], code[row], known, names), findings


def read_names(streets: Any, name_column: str | None) -> tuple[tuple[str, ...], Array]:
    """Return street names, sorted, and each row's position among them (-1: no name)."""
    columns = list(streets.columns) if streets.ndim == 2 else []
    if name_column is None:
        folded = {str(c).casefold(): c for c in reversed(columns)}
        name_column = next((folded[c] for c in NAME_COLUMNS if c in folded), None)
    elif name_column not in columns:
        raise InputError(
            f"name_column={name_column!r} is not a column of streets. {nearest_names(name_column, columns)}"
        )
    if name_column is None:
        return (), np.full(len(streets), -1, dtype=np.int64)
    text = [_as_text(value) for value in streets[name_column].tolist()]
    names = tuple(sorted({t for t in text if t}))
    where = {name: i for i, name in enumerate(names)}
    return names, np.array([where.get(t, -1) for t in text], dtype=np.int64)


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple | np.ndarray):
        return " / ".join(t for t in map(_as_text, value) if t)
    if value is None or type(value).__name__ == "NAType" or value != value:
        return ""
    return str(value).strip()


@dataclass(frozen=True, eq=False)
class _Beside:
    """Where stretch ``i`` of a border runs along street segment ``j``: metres from the start of the stretch."""

    i: Array
    j: Array
    low: Array
    high: Array


def _beside(borders: Borders, lines: StreetLines, tolerance: float) -> _Beside:
    i, j = near_pairs(borders.start, borders.end, lines.start, lines.end, tolerance)
    low, high, cosine = intervals_along(borders.start[i], borders.end[i], lines.start[j], lines.end[j], tolerance)
    keep = (np.abs(cosine) >= PARALLEL) & (high > low)
    return _Beside(i[keep], j[keep], low[keep], high[keep])


def measure_classes(
    borders: Borders, edge: Array, n_edges: int, lines: StreetLines, tolerance: float
) -> tuple[NDArray[np.float64], Array]:
    """
    Metres of each edge's border along each street class, and the names of the streets.

    Parameters
    ----------
    borders : Borders
    edge : ndarray of int64, shape (p,)
        Edge each stretch belongs to.
    n_edges : int
        Number of edges, ``m``.
    lines : StreetLines
    tolerance : float
        Largest distance of a street from the border it runs along, in metres.

    Returns
    -------
    class_metres : ndarray of float64, shape (m, c)
        Where streets of several classes run side by side, the most important counts.
    streets : ndarray of object (text), shape (m,)
        Names, longest first, joined by ``"; "``.

    Notes
    -----
    A street runs along a stretch where it is within `tolerance` and at most 30 degrees off. Lengths are those of the
    union of such intervals, so a street drawn twice counts once.
    """
    beside = _beside(borders, lines, tolerance)
    p, c = len(edge), len(lines.classes)
    upto = np.zeros((n_edges, c + 1))
    for rank in range(c):
        among = lines.rank[beside.j] <= rank
        metres = union_length(beside.i[among], beside.low[among], beside.high[among], p) * borders.share
        upto[:, rank + 1] = np.bincount(edge, weights=metres, minlength=n_edges)
    return np.diff(upto, axis=1), name_borders(borders, edge, n_edges, lines, beside)


def name_borders(borders: Borders, edge: Array, n_edges: int, lines: StreetLines, beside: Any) -> Array:
    """Names of the streets along each edge, longest first; streets of less than a metre are left out."""
    streets = np.full(n_edges, "", dtype=object)
    named = lines.name[beside.j] >= 0
    size = max(len(lines.names), 1)
    group, low, high = merge((beside.i * size + lines.name[beside.j])[named], beside.low[named], beside.high[named])
    stretch = group // size
    key, where = np.unique(edge[stretch] * size + group % size, return_inverse=True)
    metres = np.bincount(where, weights=(high - low) * borders.share[stretch], minlength=len(key))
    keep = metres >= LEAST_NAMED
    owner, name, metres = key[keep] // size, key[keep] % size, metres[keep]
    order = np.lexsort((name, -np.rint(metres * 10), owner))
    owner, name = owner[order], name[order]
    first = np.flatnonzero(np.r_[True, owner[1:] != owner[:-1]]) if len(owner) else owner
    for begin, stop in zip(first, np.r_[first[1:], len(owner)].astype(np.int64)):
        streets[owner[begin]] = "; ".join(lines.names[i] for i in name[begin:stop])
    return streets
