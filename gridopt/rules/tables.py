"""Tables of the user -> arrays in the order of the units: by index, never by position."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_fraction, positions_of, to_work_units
from gridopt.errors import Finding, InputError, name_ids

__all__ = ["align", "read_parents", "read_workload"]

DEFAULT_RESOLUTION = Fraction(1, 100)


def align(table: Any, ids: NDArray[Any], what: str, partial: bool = False) -> Any:
    """Rows of a pandas table in the order of `ids`; by index, never by position."""
    index = np.asarray(table.index, dtype=object)
    repeated = table.index[table.index.duplicated()]
    if len(repeated):
        raise InputError(
            f"{what} has {len(repeated)} rows with an id seen before (first: {repeated[0]!r}). Give one row per unit."
        )
    where = positions_of(index, ids, what) if len(index) else np.empty(0, dtype=np.int64)
    absent = np.ones(len(ids), dtype=bool)
    absent[where] = False
    if absent.any() and not partial:
        raise InputError(
            f"{what} has no row for {int(absent.sum())} of {len(ids)} units (first: {name_ids(ids[absent])}). "
            "Its index must hold the unit ids: add the rows, or reindex with 0.",
            [Finding("index-mismatch", "error", tuple(ids[absent][:50].tolist()), int(absent.sum()), 0, "")],
        )
    rows = np.full(len(ids), -1, dtype=np.int64)
    rows[where] = np.arange(len(index))
    return rows


def read_workload(
    workload: Any, ids: NDArray[Any], resolution: Any, missing: str
) -> tuple[tuple[str, ...], NDArray[np.int64], tuple[Fraction, ...]]:
    """Return names, work units of shape (n, a) and resolutions of the workload columns."""
    columns: list[tuple[str, NDArray[Any]]]
    if hasattr(workload, "columns"):
        rows = align(workload, ids, "workload")
        columns = [(str(c), np.asarray(workload[c], dtype=object)[rows]) for c in workload.columns]
    elif hasattr(workload, "index") and hasattr(workload, "to_numpy"):
        rows = align(workload, ids, "workload")
        columns = [(str(workload.name or "workload"), np.asarray(workload, dtype=object)[rows])]
    elif isinstance(workload, Mapping):
        columns = [(str(name), np.asarray(values, dtype=object)) for name, values in workload.items()]
    else:
        table = np.asarray(workload, dtype=object)
        table = table[:, None] if table.ndim == 1 else table
        labels = ["workload"] if table.ndim == 2 and table.shape[1] == 1 else None
        columns = [(labels[0] if labels else f"w{c + 1}", table[:, c]) for c in range(table.shape[-1])]
    if not columns:
        raise InputError("workload has no columns. Give at least one.")
    arrays, sizes = [], []
    for name, values in columns:
        if values.shape != (len(ids),):
            raise InputError(
                f"workload {name!r} has {len(values)} values for {len(ids)} units. Give one for each unit."
            )
        size = _resolution_of(name, values, resolution)
        arrays.append(to_work_units(values, ids, name, size, missing))
        sizes.append(size)
        if not arrays[-1].any():
            raise InputError(
                f"workload {name!r} is zero for every unit (first: {name_ids(ids[:2])}): there is nothing to share "
                "out. Choose another column, or give every unit 1."
            )
    return tuple(name for name, _ in columns), np.column_stack(arrays), tuple(sizes)


def _resolution_of(name: str, values: NDArray[Any], resolution: Any) -> Fraction:
    if isinstance(resolution, Mapping):
        resolution = resolution.get(name)
    if resolution is not None:
        size = as_fraction(resolution, "resolution")
        if size <= 0:
            raise InputError(f"resolution is {resolution}; it must be above 0.")
        return size
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return Fraction(1)
    numbers = numbers[np.isfinite(numbers)]
    return Fraction(1) if np.array_equal(numbers, np.rint(numbers)) else DEFAULT_RESOLUTION


def read_parents(parent: Any, ids: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the position of each unit's parent, and the ids of the parents in order; none given is one parent."""
    if parent is None:
        return np.zeros(len(ids), dtype=np.int64), np.empty(0, dtype=object)
    if hasattr(parent, "index") and hasattr(parent, "to_numpy"):
        values = np.asarray(parent, dtype=object)[align(parent, ids, "parent")]
    else:
        values = np.asarray(parent, dtype=object)
    if values.shape != (len(ids),):
        raise InputError(f"parent has {values.shape} values for {len(ids)} units. Give one for each unit.")
    null = np.array([v is None or v != v or v == "" for v in values], dtype=bool)
    if null.any():
        raise InputError(
            f"{int(null.sum())} units have no parent (first: {name_ids(ids[null])}). Every unit lies in exactly one: "
            "fill the column.",
            [Finding("null-parent", "error", tuple(ids[null][:50].tolist()), None, None, "Fill the parent column.")],
        )
    kinds = {isinstance(v, str) for v in values}
    if len(kinds) > 1:
        values = np.array([str(v) for v in values], dtype=object)
    uniform = values if isinstance(values[0], str) else values.astype(np.int64)
    unique, inverse = np.unique(uniform, return_inverse=True)
    return inverse.astype(np.int64), unique
