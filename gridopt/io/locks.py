"""Locks from a table: ``unit, kind, group``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError
from gridopt.io.tables import need_columns, read_table
from gridopt.model.problem import Locks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS_OF_LOCK", "read_locks"]

KINDS_OF_LOCK = ("together", "apart", "fixed", "dedicated", "frozen")
COLUMNS = ("unit", "kind", "group")


def read_locks(
    source: str | os.PathLike[str],
    ids: NDArray[Any],
    *,
    encoding: str | None = None,
    table: pd.DataFrame | None = None,
) -> Locks:
    r"""
    Read locks from a table, one row for each unit and lock.

    Parameters
    ----------
    source : str or path
        Table with the columns ``unit`` (its id), ``kind`` and ``group``. Rows of one kind and group belong together:
        ``together`` (a compound never cut), ``apart`` (units of which no two share a grid), ``dedicated`` (a grid of
        their own); of ``fixed`` and ``frozen`` the group is the grid, as ``G003``.
    ids : ndarray, shape (n,)
        Unit ids; where these are integers, ids of the table are read as such.
    encoding : str, optional
        Of a CSV, as `gridopt.io.read_table` takes it.
    table : DataFrame of text, optional
        What `source` holds, where it has been read.

    Returns
    -------
    Locks
        Whether they agree with each other, `build_problem` says.

    Raises
    ------
    InputError
        If a column or a value is missing, or a kind is unknown, or a unit is fixed to two grids; rows are named.

    Examples
    --------
    >>> import numpy as np, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "locks.csv"
    >>> _ = path.write_text("unit,kind,group\na,together,school\nb,together,school\nc,fixed,G002\n")
    >>> locks = read_locks(path, np.array(["a", "b", "c"], dtype=object))
    >>> locks.together, locks.fixed
    ([['a', 'b']], {'c': 'G002'})
    """
    if table is None:
        table = read_table(source, what="locks", as_text=True, encoding=encoding)
    if not set(COLUMNS).intersection(table.columns):
        cure = "The first line must be unit,kind,group."
        finding = Finding("column-missing", "error", COLUMNS, ",".join(map(str, table.columns)), None, cure)
        raise InputError(f"locks {source} start with {','.join(map(str, table.columns))!r}. {cure}", [finding])
    need_columns(table, COLUMNS, "locks", str(source))
    as_written = {str(u): u for u in ids.tolist()}
    groups: dict[str, dict[str, list[Any]]] = {kind: {} for kind in KINDS_OF_LOCK}
    fixed: dict[Any, str] = {}
    for row, (unit, kind, group) in enumerate(zip(*(table[c].tolist() for c in COLUMNS)), start=1):
        for name, value in zip(COLUMNS, (unit, kind, group)):
            if value is None or value != value:
                _refuse(source, row, f"has no {name}", "Fill the columns unit, kind and group.")
        if kind not in KINDS_OF_LOCK:
            _refuse(source, row, f"has the kind {kind!r}", nearest_names(str(kind), KINDS_OF_LOCK))
        unit = as_written.get(str(unit), unit)
        if kind == "fixed":
            if fixed.setdefault(unit, str(group)) != str(group):
                _refuse(
                    source, row, f"fixes unit {unit!r} to {group}, a row before to {fixed[unit]}", "Drop one of them."
                )
            continue
        groups[kind].setdefault(str(group), []).append(unit)
    return Locks(
        together=list(groups["together"].values()),
        apart=list(groups["apart"].values()),
        fixed=fixed,
        dedicated=list(groups["dedicated"].values()),
        frozen=groups["frozen"],
    )


def _refuse(source: str | os.PathLike[str], row: int, why: str, cure: str) -> None:
    finding = Finding("locks-row", "error", (str(source),), f"row {row}", None, cure)
    raise InputError(f"locks {source}: row {row} {why}. {cure}", [finding])
