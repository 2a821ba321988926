"""Tables of the user -> arrays in the order of the units: by index, never by position."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_fraction, as_list, as_numbers, is_null, positions_of, to_work_units
from gridopt.errors import Finding, InputError, name_ids

__all__ = ["align", "per_unit", "read_parents", "read_workload"]

DEFAULT_RESOLUTION = Fraction(1, 100)


def align(table: Any, ids: NDArray[Any], what: str, partial: bool = False) -> Any:
    """Rows of a pandas table in the order of `ids`; by index, never by position."""
    index = np.asarray(table.index, dtype=object)
    repeated = table.index[table.index.duplicated()]
    if len(repeated):
        raise InputError(
            f"{what} has {len(repeated)} rows with an id seen before (first: {repeated[0]!r}). Give one row per unit."
        )
    _refuse_more(index, ids, what)
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


def _refuse_more(index: NDArray[Any], ids: NDArray[Any], what: str) -> None:
    """Refuse a table that has rows for all units and for more, such as that of a whole city, with the way to cut it."""
    known, rows = set(ids.tolist()), index.tolist()
    more = [row for row in rows if row not in known]
    if more and len(rows) - len(more) == len(known):
        cure = "If they lie elsewhere, take the rows of the units alone: .reindex(graph.ids)."
        raise InputError(
            f"{len(more)} ids in {what} are not units (first: {name_ids(more)}); all {len(known)} units have a row. "
            f"{cure}",
            [Finding("unknown-id", "error", tuple(more[:50]), len(more), 0, cure)],
        )


def per_unit(values: Any, ids: NDArray[Any], what: str) -> NDArray[Any]:
    """
    Return one value for each unit as objects, shape (n,): a Series by its index, anything else in the order of `ids`.

    Raises
    ------
    InputError
        If there is not one value for each unit.

    """
    if hasattr(values, "index") and hasattr(values, "to_numpy"):
        return np.asarray(values, dtype=object)[align(values, ids, what)]
    given = as_list(values, what, f"a Series by unit id, or a list of one value for each of the {len(ids)} units")
    if len(given) != len(ids):
        raise InputError(f"{what} has {len(given)} values for {len(ids)} units. Give one for each unit.")
    column = np.empty(len(ids), dtype=object)
    for i, value in enumerate(given):
        column[i] = value
    return column


def read_workload(
    workload: Any, ids: NDArray[Any], resolution: Any, missing: str
) -> tuple[tuple[str, ...], NDArray[np.int64], tuple[Fraction, ...]]:
    """Return names, work units of shape (n, a) and resolutions of the workload columns."""
    columns = _workload_columns(workload, ids)
    arrays, sizes = [], []
    for name, values in columns:
        numbers = as_numbers(values, ids, name)
        size = _resolution_of(name, numbers, resolution)
        arrays.append(to_work_units(numbers, ids, name, size, missing))
        sizes.append(size)
        if not arrays[-1].any():
            raise _all_zero(name, numbers, size, ids)
    return tuple(name for name, _ in columns), np.column_stack(arrays), tuple(sizes)


def _amounts(values: Any, ids: NDArray[Any], what: str) -> NDArray[Any]:
    """`per_unit`, but numbers stay the arrays they are: a million of them need not become objects."""
    plain = values.to_numpy() if hasattr(values, "index") and hasattr(values, "to_numpy") else values
    if not isinstance(plain, np.ndarray) or plain.ndim != 1 or plain.dtype.kind not in "iuf":
        return per_unit(values, ids, what)
    if plain is not values:
        return plain[align(values, ids, what)]
    return plain if len(plain) == len(ids) else per_unit(values, ids, what)


def _workload_columns(workload: Any, ids: NDArray[Any]) -> list[tuple[str, NDArray[Any]]]:
    """Name and values of each workload column, in the order of the units."""
    columns: list[tuple[str, NDArray[Any]]]
    if hasattr(workload, "columns"):
        rows = align(workload, ids, "workload")
        columns = [(str(c), np.asarray(workload[c], dtype=object)[rows]) for c in workload.columns]
    elif hasattr(workload, "index") and hasattr(workload, "to_numpy"):
        columns = [(str(workload.name or "workload"), _amounts(workload, ids, "workload"))]
    elif isinstance(workload, Mapping):
        columns = [(str(name), _amounts(values, ids, f"workload {name!r}")) for name, values in workload.items()]
    else:
        numeric = isinstance(workload, np.ndarray) and workload.dtype.kind in "iuf"
        table = np.asarray(workload, dtype=None if numeric else object)
        if table.ndim != 2:
            table = _amounts(workload, ids, "workload")[:, None]
        if len(table) != len(ids):
            raise InputError(f"workload has {len(table)} rows for {len(ids)} units. Give one for each unit.")
        names = ["workload"] if table.shape[1] == 1 else [f"w{c + 1}" for c in range(table.shape[1])]
        columns = list(zip(names, table.T))
    if not columns:
        raise InputError("workload has no columns. Give at least one.")
    return columns


def _all_zero(name: str, numbers: NDArray[np.float64], size: Fraction, ids: NDArray[Any]) -> InputError:
    largest = float(np.nanmax(numbers, initial=0.0))
    if largest > 0:
        return InputError(
            f"workload {name!r} rounds to 0 for every unit (first: {name_ids(ids[:2])}): the largest value is "
            f"{largest:g}, the resolution {float(size):g}. Give a finer one, such as resolution={largest / 1000:.0g}."
        )
    return InputError(
        f"workload {name!r} is zero for every unit (first: {name_ids(ids[:2])}): there is nothing to share "
        "out. Choose another column, or give every unit 1."
    )


def _resolution_of(name: str, numbers: NDArray[np.float64], resolution: Any) -> Fraction:
    if isinstance(resolution, Mapping):
        resolution = resolution.get(name)
    if resolution is not None:
        size = as_fraction(resolution, "resolution")
        if not Fraction(1, 10**200) <= size <= 10**200:
            raise InputError(f"resolution is {resolution}; give a number above 0, from 1e-200 to 1e200.")
        return size
    numbers = numbers[np.isfinite(numbers)]
    return Fraction(1) if np.array_equal(numbers, np.rint(numbers)) else DEFAULT_RESOLUTION


def read_parents(parent: Any, ids: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Return the position of each unit's parent, and the ids of the parents in order; none given is one parent."""
    if parent is None:
        return np.zeros(len(ids), dtype=np.int64), np.empty(0, dtype=object)
    values = per_unit(parent, ids, "parent")
    null = is_null(values) | np.array([isinstance(v, str) and v == "" for v in values], dtype=bool)
    if null.any():
        raise InputError(
            f"{int(null.sum())} units have no parent (first: {name_ids(ids[null])}). Every unit lies in exactly one: "
            "fill the column, or let assign_parents() take the nearest.",
            [Finding("null-parent", "error", tuple(ids[null][:50].tolist()), None, None, "Fill the parent column.")],
        )
    names = [_parent_id(v) for v in values]
    whole = all(isinstance(v, int) for v in names)
    uniform = np.array(names if whole else [str(v) for v in names], dtype=np.int64 if whole else object)
    unique, inverse = np.unique(uniform, return_inverse=True)
    return inverse.astype(np.int64), unique


def _parent_id(value: Any) -> int | str:
    """Whole numbers, also those a table holds as floats, are integers; all else is text, so that nothing merges."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and -(2**63) <= value < 2**63 else str(value)
