"""User arrays and tables -> checked, frozen arrays. Each message is written once, here."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence, Set
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError, name_ids

__all__ = [
    "MAX_COST",
    "MAX_MASS",
    "MAX_TOTAL",
    "as_array",
    "as_fraction",
    "as_ids",
    "as_list",
    "as_numbers",
    "frozen",
    "is_null",
    "listed",
    "nearest_names",
    "positions_of",
    "sum_of",
    "to_work_units",
]

MAX_TOTAL = 2**43
"""Largest total workload in work units: violation counts millionths, and 10**6 times any load must fit int64."""
MAX_COST = 2**60
"""Largest cost a plan may have, and largest sum of a column of edges: sums and differences of a few fit int64."""
MAX_MASS = 2**31
"""Largest total workload where inertia is measured: kernels square remainders below it, and add two such squares."""


def frozen(values: Any, dtype: Any) -> NDArray[Any]:
    """Return `values` as a C-contiguous read-only array of `dtype`; a read-only array of that dtype is not copied."""
    array = np.asarray(values, dtype=dtype)
    if array.flags.writeable or not array.flags.c_contiguous:
        array = np.array(array, dtype=dtype, order="C")
        array.flags.writeable = False
    return array


def nearest_names(name: str, choices: Iterable[Hashable]) -> str:
    """Say which names exist, the nearest first: ``"Did you mean 'H_CNT'? There are: ..."``."""
    known = [str(c) for c in choices]
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    folded = {k.casefold(): k for k in known}
    if name.casefold() in folded and folded[name.casefold()] not in close:
        close.insert(0, folded[name.casefold()])
    hint = f"Did you mean {' or '.join(repr(c) for c in close)}? " if close else ""
    return f"{hint}There are: {listed(known)}."


def listed(names: Iterable[Hashable]) -> str:
    """Write the first twelve names, and a mark where there are more."""
    known = [str(name) for name in names]
    return f"{', '.join(known[:12])}{' …' if len(known) > 12 else ''}"


def as_ids(values: Any, n: int | None = None, what: str = "unit") -> NDArray[Any]:
    """
    Return ids as a frozen array, int64 or object (text), after checking that none is null and none repeats.

    Raises
    ------
    InputError
        If ids are null, repeated, of mixed kind, neither text nor integers, or not `n` of them.

    """
    raw = as_array(values, f"{what} ids", object)
    if raw.ndim != 1 or (n is not None and len(raw) != n):
        count = str(len(raw)) if raw.ndim == 1 else f"an array of shape {raw.shape} as"
        raise InputError(f"{count} {what} ids{'' if n is None else f' for {n} {what}s'}: give one id per {what}.")
    null = np.flatnonzero(is_null(raw)).tolist()
    if null:
        raise InputError(
            f"{len(null)} {what}s have no id (first: row {null[0]}). Fill the id column, or name another one.",
            [Finding("null-id", "error", tuple(null[:50]), None, None, "Fill the id column.")],
        )
    is_text = [isinstance(v, str) for v in raw]
    if all(is_text):
        ids = frozen(raw, object)
    elif all(_is_whole(v) for v in raw):
        beyond = [v for v in raw if not -(2**63) <= int(v) < 2**63]
        if beyond:
            raise InputError(
                f"{len(beyond)} {what} ids do not fit in 64 bits (first: {beyond[0]}). Convert the id column to text."
            )
        ids = frozen([int(v) for v in raw], np.int64)
    else:
        odd = next(v for v in raw if not (isinstance(v, str) if is_text[0] else _is_whole(v)))
        raise InputError(
            f"{what} ids must be all text or all integers; {odd!r} is {type(odd).__name__}. "
            "Convert the id column to text."
        )
    unique, first, counts = np.unique(ids.astype(str), return_index=True, return_counts=True)
    if len(unique) < len(ids):
        twice = [_plain(ids[i]) for i in sorted(first[counts > 1])]
        raise InputError(
            f"{len(twice)} {what} ids occur more than once (first: {name_ids(twice)}). "
            f"Each {what} needs an id of its own: dissolve the rows that belong together, or name another id column.",
            [Finding("duplicate-id", "error", tuple(twice), int(counts.max()), 1, "Give each unit an id of its own.")],
        )
    return ids


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_null(values: Any) -> NDArray[np.bool_]:
    """Tell which values are none: None, NaN, pandas' NA or NaT. Bool, of the shape of `values`."""
    import pandas as pd

    return np.asarray(pd.isna(np.asarray(values, dtype=object)), dtype=bool)


def as_list(values: Any, what: str, form: str, *, sets: bool = False) -> list[Any]:
    """
    Return the elements of a list, tuple, array, Series or the like; `sets` too, where order means nothing.

    Raises
    ------
    InputError
        If `values` is a single value, text or a mapping: `form` says what to give instead.

    Examples
    --------
    >>> as_list(("a", "b"), "a group", "ids")
    ['a', 'b']

    """
    flat = isinstance(values, Collection) if not hasattr(values, "ndim") else values.ndim == 1
    if not flat or isinstance(values, str | bytes | Mapping) or (isinstance(values, Set) and not sets):
        raise InputError(f"{what} is {reprlib.repr(values)}; give {form}.")
    return list(values)


def as_array(values: Any, what: str, dtype: Any = None, error: type[InputError] = InputError) -> NDArray[Any]:
    """
    Return `values` as an array of `dtype`.

    Raises
    ------
    InputError
        Or `error`, if rows differ in length, or values cannot be converted.

    """
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError, OverflowError) as reason:
        raise error(f"{what} cannot be read. Give numbers, in rows of equal length.") from reason


def sum_of(column: NDArray[Any]) -> int:
    """
    Sum of a column of integers of at least 0, exact where int64 would overflow.

    Examples
    --------
    >>> sum_of(np.array([2**62, 2**62])) == 2**63
    True

    """
    if not len(column) or int(column.max()) * len(column) < 2**63:
        return int(column.sum())
    return sum(column.tolist())


def positions_of(wanted: Sequence[Any] | NDArray[Any], ids: NDArray[Any], what: str) -> NDArray[np.int64]:
    """
    Return the position in `ids` of each wanted id; `what` names the table in the message.

    Raises
    ------
    InputError
        If some wanted id does not exist; the nearest existing id is offered.

    """
    if not len(wanted):
        return np.empty(0, dtype=np.int64)
    import pandas as pd

    values = np.empty(len(wanted), dtype=object)
    for i, value in enumerate(wanted):
        if not isinstance(value, Hashable):
            raise InputError(f"{what} names {reprlib.repr(value)}, which is no id. Give text or an integer.")
        values[i] = value
    found = pd.Index(ids, dtype=object).get_indexer(pd.Index(values, dtype=object))
    missing = [_plain(w) for w in values[found < 0]]
    if missing:
        hint = nearest_names(str(missing[0]), ids)
        if not isinstance(missing[0], type(_plain(ids[0]))):
            kinds = [("text" if isinstance(v, str) else type(v).__name__) for v in (_plain(ids[0]), missing[0])]
            hint = f"Unit ids here are {kinds[0]}, not {kinds[1]}: convert the index."
        raise InputError(
            f"{len(missing)} ids in {what} are not units (first: {name_ids(missing)}). {hint}",
            [Finding("unknown-id", "error", tuple(missing[:50]), None, None, "Use ids of the units.")],
        )
    return np.asarray(found, dtype=np.int64)


def as_fraction(value: Any, what: str) -> Fraction:
    """
    Read a number exactly from its decimal text: ``0.05`` is 1/20, not the nearest binary double.

    Raises
    ------
    InputError
        If `value` is not a finite number.

    Examples
    --------
    >>> as_fraction(0.05, "tolerance")
    Fraction(1, 20)

    """
    try:
        return Fraction(str(value))
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise InputError(f"{what} is {value!r}; give a finite number.") from error


def to_work_units(
    values: NDArray[Any], ids: NDArray[Any], column: str, resolution: Fraction, missing: str = "error"
) -> NDArray[np.int64]:
    """
    Turn one workload column into int64 work units of size `resolution`.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Workload of each unit in the user's units.
    ids : ndarray, shape (n,)
        Unit ids, for messages.
    column : str
        Name of the column, for messages.
    resolution : Fraction
        Size of one work unit, in the user's units. Whole numbers use 1.
    missing : {"error", "zero"}
        What a missing value means.

    Raises
    ------
    InputError
        If values are not numbers, missing, infinite, negative, too large, or all zero.

    """
    numbers = as_numbers(values, ids, column)
    absent = np.isnan(numbers)
    if absent.any() and missing != "zero":
        _refuse("workload-missing", ids, absent, numbers, column, "have no value", 'Fill them, or say missing="zero".')
    numbers = np.where(absent, 0.0, numbers)
    if not np.isfinite(numbers).all():
        cure = "Correct them."
        _refuse("workload-infinite", ids, ~np.isfinite(numbers), numbers, column, "are too large or infinite", cure)
    if (numbers < 0).any():
        cure = "Workload is at least 0: correct these values."
        _refuse("workload-negative", ids, numbers < 0, numbers, column, "are negative", cure)
    with np.errstate(over="ignore"):
        units = np.rint(numbers / float(resolution))
        total = float(units.sum())  # whole numbers: exact up to 2**53, and no rounding brings more below the limit
    if total > MAX_TOTAL:
        raise InputError(
            f"workload column {column!r} sums to {total:.16g} work units of {float(resolution):g}, the limit is "
            f"2**43 = {MAX_TOTAL}. Give it in larger units, or a coarser resolution=."
        )
    return units.astype(np.int64)


def as_numbers(values: Any, ids: NDArray[Any], column: str) -> NDArray[np.float64]:
    """
    Return one workload column as float64: NaN where there is no value, infinity where it is above 1e308.

    Raises
    ------
    InputError
        If values are not numbers, named by unit.

    """
    raw = np.asarray(values)
    if raw.dtype == object:
        raw = np.where(is_null(raw), np.nan, raw)
    texts = np.zeros(len(raw), dtype=bool)
    if raw.dtype.kind in "OU":
        texts = np.array([isinstance(v, str) for v in raw], dtype=bool)
    if texts.any() and all(_is_number(v) for v in raw[texts]):
        first = np.flatnonzero(texts)[:1]
        raise InputError(
            f"workload column {column!r} is text, such as {str(raw[first[0]])!r} (first: unit {name_ids(ids[first])}). "
            "If these are amounts and no codes, convert the column to numbers.",
            [_finding("workload-not-numeric", ids[texts], str(raw[first[0]]), "Convert the column to numbers.")],
        )
    try:
        return raw.astype(np.float64)
    except OverflowError:
        raw = np.array([np.inf if isinstance(v, int) and abs(v) >= 2**1023 else v for v in raw], dtype=object)
        return as_numbers(raw, ids, column)
    except (TypeError, ValueError) as error:
        bad = [i for i, v in enumerate(raw) if not _is_number(v)]
        raise InputError(
            f"workload column {column!r} is not numeric: {len(bad)} values (first: unit {_plain(ids[bad[0]])!r} has "
            f"{raw[bad[0]]!r}). Convert the column to numbers.",
            [_finding("workload-not-numeric", ids[bad], str(raw[bad[0]]), "Convert the column to numbers.")],
        ) from error


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    except OverflowError:
        return True
    return np.ndim(value) == 0


def _finding(code: str, ids: NDArray[Any], value: Any, cure: str) -> Finding:
    return Finding(code, "error", tuple(_plain(i) for i in ids[:50]), _plain(value), None, cure)


def _refuse(
    code: str, ids: NDArray[Any], bad: NDArray[np.bool_], values: NDArray[Any], column: str, what: str, cure: str
) -> None:
    where = ids[bad]
    first = "" if what == "have no value" else f" ({_plain(values[bad][0])})"
    raise InputError(
        f"{len(where)} values of workload column {column!r} {what} (first: unit {_plain(where[0])!r}{first}). {cure}",
        [_finding(code, where, values[bad][0], cure)],
    )
