"""What the constructors of `Graph` are given -> checked columns, one value for each edge or unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import MAX_COST, as_array, sum_of
from gridopt.errors import GraphError, name_ids

__all__ = ["KINDS", "check_edges", "check_range", "read_column", "read_count", "read_pairs", "read_xy", "shaped"]

KINDS = ("border", "crossing", "link")
"""Name of each edge kind: a shared border, a barrier with a crossing over it, a declared link."""


def read_count(n: Any) -> int:
    """Return the number of units, a whole number of at least 0."""
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
        raise GraphError(f"n is {n!r}; give the number of units, a whole number of at least 0.")
    return int(n)


def read_pairs(edges: Any) -> NDArray[np.int64]:
    """Return the ends of the edges, int64 of shape (m, 2); where they lie is not checked."""
    pairs = as_array(edges, "edges", error=GraphError)
    if pairs.size == 0:
        return np.empty((0, 2), dtype=np.int64)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise GraphError(f"edges have shape {pairs.shape} and type {pairs.dtype}; give integers of shape (m, 2).")
    return pairs.astype(np.int64)


def read_column(values: Any, m: int, what: str, default: int) -> NDArray[np.int64]:
    """Return one whole number for each of `m` edges, `default` where none are given."""
    if values is None:
        return np.full(m, default, dtype=np.int64)
    column = as_array(values, what, error=GraphError)
    if column.shape != (m,):
        raise GraphError(f"{what} have shape {column.shape}; give one value for each of the {m} edges.")
    if np.issubdtype(column.dtype, np.signedinteger):
        return column.astype(np.int64)
    plain = column.tolist()
    odd = next((i for i, v in enumerate(plain) if not _fits(v)), None)
    if odd is not None:
        raise GraphError(
            f"{what} must be whole numbers that fit in 64 bits (first: edge {odd}, {plain[odd]!r}). "
            "Scale and round them first."
        )
    return np.array([int(v) for v in plain], dtype=np.int64)


def _fits(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) or (isinstance(value, float) and value.is_integer())
    return whole and -(2**63) <= value < 2**63


def check_range(
    column: NDArray[np.int64], what: str, least: int, most: int, pairs: NDArray[np.int64], ids: NDArray[Any]
) -> None:
    """Refuse a column of edges with values outside ``[least, most]``, or whose sum exceeds `MAX_COST`."""
    bad = np.flatnonzero((column < least) | (column > most))
    if len(bad):
        u, v = pairs[bad[0]]
        side, limit = ("below", least) if column[bad[0]] < least else ("above", most)
        raise GraphError(
            f"{len(bad)} edges have a {what} {side} {limit} (first: {name_ids(ids[[u]])} - {name_ids(ids[[v]])}: "
            f"{column[bad[0]]}). Give each edge a {what} of at {'least' if limit == least else 'most'} {limit}."
        )
    total = sum_of(column)
    if total > MAX_COST:
        raise GraphError(
            f"the {what}s of the edges sum to {total:.4g}, the limit is 2**60 ({MAX_COST:.4g}). "
            "Divide them by a common factor."
        )


def shaped(values: Any, shape: tuple[int, ...], what: str, dtype: Any) -> NDArray[Any]:
    """Return `values` as an array of that shape and dtype; nothing at all is an array of any empty shape."""
    array = as_array(values, what, dtype, GraphError)
    if array.size == 0 and 0 in shape:
        return array.reshape(shape)
    if array.shape != shape:
        raise GraphError(f"{what} have shape {array.shape}; give one row for each edge or unit, shape {shape} in all.")
    return array


def read_xy(values: Any, ids: NDArray[Any]) -> NDArray[np.float64]:
    """Return the coordinates of the units, float64 of shape (n, 2), all finite."""
    xy = shaped(values, (len(ids), 2), "xy", np.float64)
    odd = np.flatnonzero(~np.isfinite(xy).all(axis=1))
    if len(odd):
        raise GraphError(
            f"{len(odd)} units have no finite coordinates (first: unit {name_ids(ids[odd[:1]])}: "
            f"{xy[odd[0]].tolist()}). Correct them, or leave xy= out."
        )
    return xy


def check_edges(n: int, pairs: NDArray[np.int64], ids: NDArray[Any]) -> NDArray[np.int64]:
    """Refuse ends outside the graph, loops and repeats; return the canonical order of the edges."""
    outside = np.flatnonzero(((pairs < 0) | (pairs >= n)).any(axis=1))
    if len(outside):
        raise GraphError(
            f"{len(outside)} edges have an end outside 0 … {n - 1} (first: edge {outside[0]}, "
            f"{pairs[outside[0]].tolist()}). Edges hold positions of units, not ids."
        )
    loops = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
    if len(loops):
        raise GraphError(
            f"{len(loops)} edges join a unit to itself (first: {name_ids(ids[pairs[loops[0], :1]])}). Remove them."
        )
    low, high = np.minimum(pairs[:, 0], pairs[:, 1]), np.maximum(pairs[:, 0], pairs[:, 1])
    key = low * n + high
    order = np.argsort(key)
    same = np.flatnonzero(np.diff(key[order]) == 0)
    if len(same):
        u, v = ids[low[order[same[:1]]]], ids[high[order[same[:1]]]]
        raise GraphError(
            f"{len(same)} edges are given twice (first: {name_ids(u)} - {name_ids(v)}). Give each pair once."
        )
    return order
