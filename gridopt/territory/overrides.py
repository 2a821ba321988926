"""Overrides: pairs of units that people declare neighbours, or not, whatever the shapes say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_list, is_null, nearest_names, positions_of
from gridopt.errors import Finding, GraphError, InputError

__all__ = ["ACTIONS", "Overrides", "read_overrides"]

ACTIONS = ("join", "part")
FORM = "a table with the columns u, v, action and reason, or tuples such as ('A1', 'A2', 'part', 'wall')"

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Overrides:
    """
    Overrides by position.

    Parameters
    ----------
    pairs : ndarray of int64, shape (q, 2)
        The smaller position first; each pair once, in the order of the rows.
    is_join : ndarray of bool, shape (q,)
        Whether the pair is joined; parted otherwise.
    row : tuple of int
        Row of each, from 1.
    reason : tuple of str
        What the row gives as its reason, or nothing.
    """

    pairs: NDArray[np.int64]
    is_join: NDArray[np.bool_]
    row: tuple[int, ...]
    reason: tuple[str, ...]

    def joined(self) -> NDArray[np.int64]:
        """Pairs to be joined."""
        return self.pairs[self.is_join]

    def parted(self) -> NDArray[np.int64]:
        """Pairs to be parted."""
        return self.pairs[~self.is_join]


def read_overrides(overrides: Any, ids: Array) -> Overrides:
    """
    Read overrides of adjacency.

    Parameters
    ----------
    overrides : DataFrame or sequence of tuples
        Two unit ids, an action (``join`` or ``part``) and a reason, which may be absent. Of a table the columns ``u``,
        ``v``, ``action`` and ``reason``, where it has them, else the first four.
    ids : ndarray, shape (n,)

    Returns
    -------
    Overrides

    Raises
    ------
    InputError
        If an id is no unit, an action is another word, or two rows say different things of a pair; rows are named.
    GraphError
        If a row names one unit twice.

    Examples
    --------
    >>> found = read_overrides([("b", "a", "part", "wall"), ("a", "c", "join")], np.array(["a", "b", "c"], object))
    >>> found.pairs.tolist(), found.is_join.tolist(), found.reason
    ([[0, 1], [0, 2]], [False, True], ('wall', ''))
    """
    rows = _rows(overrides)
    u, v = (positions_of([r[side] for r in rows], ids, "overrides") for side in (0, 1))
    pairs = np.sort(np.column_stack([u, v]).reshape(-1, 2), axis=1)
    seen: dict[tuple[int, int], int] = {}
    kept = []
    for i, (first, second) in enumerate(pairs.tolist()):
        action = rows[i][2]
        if first == second:
            raise GraphError(f"overrides: row {i + 1} names unit {rows[i][0]!r} twice. Give two units.")
        if action not in ACTIONS:
            cure = nearest_names(str(action), ACTIONS)
            raise InputError(
                f"overrides: row {i + 1} ({rows[i][0]!r}, {rows[i][1]!r}) has the action {action!r}. {cure}",
                [Finding("override-row", "error", (rows[i][0], rows[i][1]), f"row {i + 1}", None, cure)],
            )
        before = seen.setdefault((first, second), i)
        if before == i:
            kept.append(i)
        elif rows[before][2] != action:
            cure = "Drop one of them."
            raise InputError(
                f"overrides: rows {before + 1} and {i + 1} join and part {rows[i][0]!r} and {rows[i][1]!r}. {cure}",
                [Finding("override-row", "error", (rows[i][0], rows[i][1]), f"row {i + 1}", None, cure)],
            )
    is_join = np.array([rows[i][2] == "join" for i in kept], dtype=bool)
    return Overrides(pairs[kept], is_join, tuple(i + 1 for i in kept), tuple(rows[i][3] for i in kept))


def _rows(overrides: Any) -> list[tuple[Any, Any, Any, str]]:
    """(u, v, action, reason) of each row, as given."""
    if hasattr(overrides, "columns"):
        columns = list(overrides.columns)
        named = [c for c in ("u", "v", "action", "reason") if c in columns]
        chosen = named if len(named) >= 3 and named[:3] == ["u", "v", "action"] else columns[:4]
        if len(chosen) < 3:
            raise InputError(f"overrides have the columns {columns}. Give {FORM}.")
        given = list(zip(*(overrides[c].tolist() for c in chosen)))
    else:
        given = as_list(list(overrides) if isinstance(overrides, Iterator) else overrides, "overrides", FORM)
    rows = []
    for i, row in enumerate(given, start=1):
        if not isinstance(row, list | tuple | np.ndarray) or len(row) not in (3, 4):
            raise InputError(f"overrides: row {i} is {row!r}. Give {FORM}.")
        reason = row[3] if len(row) == 4 and not bool(is_null([row[3]])[0]) else ""
        rows.append((row[0], row[1], row[2], str(reason)))
    return rows
