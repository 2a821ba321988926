"""Locks by unit id -> arrays by position, contradictions refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_list, is_null, positions_of
from gridopt.errors import Finding, InputError, name_ids
from gridopt.model import Graph, Locks

__all__ = ["ResolvedLocks", "resolve_locks"]


@dataclass(frozen=True, eq=False)
class ResolvedLocks:
    """Locks by position: see `Problem`; `dedicated` and `frozen` are lists of position arrays."""

    fixed: dict[int, int]
    together: NDArray[np.int32]
    apart: NDArray[np.int32]
    dedicated: list[NDArray[np.int64]]
    frozen: dict[int, NDArray[np.int64]]


def resolve_locks(locks: Locks, graph: Graph, parent: NDArray[np.int64]) -> ResolvedLocks:
    """
    Look up the units of each lock, and refuse locks that contradict each other.

    Parameters
    ----------
    locks : Locks
        As the user gave them.
    graph : Graph
        The units.
    parent : ndarray of int64, shape (n,)
        Position of the parent of each unit.

    Raises
    ------
    InputError
        If a lock names an unknown unit, or two locks, or a lock and the parents, cannot both be kept.

    """
    ids = graph.ids
    together = _together(locks.together, ids)
    bound = _mapping(locks.fixed, "locks.fixed", "unit id to grid, such as {'A1': 0}")
    units = positions_of(list(bound), ids, "locks.fixed")
    fixed = {int(u): grid_number(grid, " (locks.fixed)") for u, grid in zip(units, bound.values())}
    apart = sorted(
        {
            (int(min(a, b)), int(max(a, b)))
            for group in _groups(locks.apart, "locks.apart")
            for a, b in combinations(positions_of(group, ids, "locks.apart"), 2)
        }
    )
    dedicated = [_alone(group, ids, "locks.dedicated") for group in _groups(locks.dedicated, "locks.dedicated")]
    kept = _mapping(locks.frozen, "locks.frozen", "grid to unit ids, such as {0: ['A1', 'A2']}")
    frozen: dict[int, NDArray[np.int64]] = {}
    for grid, group in zip(kept, _groups(kept.values(), "locks.frozen")):
        number = grid_number(grid, " (locks.frozen)")
        if number in frozen:
            raise InputError(f"locks.frozen names grid {number} twice. Give it once, with all its units.")
        frozen[number] = _alone(group, ids, "locks.frozen")
    resolved = ResolvedLocks(fixed, together, np.asarray(apart, dtype=np.int32).reshape(-1, 2), dedicated, frozen)
    _refuse_contradictions(resolved, graph, parent)
    return resolved


def _groups(given: Any, what: str) -> list[list[Any]]:
    form = "groups of unit ids, such as [['A1', 'A2'], ['B1', 'B2']]"
    return [as_list(group, f"a group of {what}", form, sets=True) for group in as_list(given, what, form, sets=True)]


def _mapping(given: Any, what: str, form: str) -> Mapping[Any, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{what} is {given!r}; give a mapping of {form}.")
    return given


def _alone(group: list[Any], ids: NDArray[Any], what: str) -> NDArray[np.int64]:
    """Positions of the units of one grid of their own."""
    if not group:
        raise InputError(f"{what} has an empty set, which is no grid. Name its units, or leave it out.")
    return np.sort(positions_of(group, ids, what))


def grid_number(grid: Any, where: str = "") -> int:
    """
    Row of a grid given as a number (from 0) or a text id (``"G001"`` is 0); `where` it stands, for the message.

    Examples
    --------
    >>> grid_number("G003"), grid_number(2)
    (2, 2)

    """
    if isinstance(grid, str) and grid.startswith("G") and grid[1:].isdigit() and int(grid[1:]) > 0:
        return int(grid[1:]) - 1
    if isinstance(grid, float | np.floating) and float(grid).is_integer():
        grid = int(grid)
    if isinstance(grid, int | np.integer) and not isinstance(grid, bool) and grid >= 0:
        return int(grid)
    if isinstance(grid, str) and grid.isdigit():
        return int(grid)
    raise InputError(f"{grid!r}{where} names no grid. Give its number, from 0, or its id, such as 'G001'.")


def _together(given: Any, ids: NDArray[Any]) -> NDArray[np.int32]:
    """Compound of each unit; groups that share a unit become one compound."""
    if isinstance(given, Mapping) or hasattr(given, "to_dict"):
        groups: dict[Any, list[Any]] = {}
        rows = list(given.items())
        null = is_null([compound for _, compound in rows])
        for (unit, compound), absent in zip(rows, null):
            if not absent and compound != "":
                groups.setdefault(compound, []).append(unit)
        given = list(groups.values())
    compound_of = np.full(len(ids), -1, dtype=np.int32)
    for number, group in enumerate(_groups(given, "locks.together")):
        positions = positions_of(group, ids, "locks.together")
        for old in {int(c) for c in compound_of[positions]} - {-1}:
            compound_of[compound_of == old] = number
        compound_of[positions] = number
    used, inverse = np.unique(compound_of, return_inverse=True)
    return (inverse - int(len(used) > 0 and used[0] == -1)).astype(np.int32)


def _refuse_contradictions(locks: ResolvedLocks, graph: Graph, parent: NDArray[np.int64]) -> None:
    ids = graph.ids
    owner: dict[int, str] = {}
    alone = [(f"dedicated set {i + 1}", group) for i, group in enumerate(locks.dedicated)]
    alone += [(f"frozen grid {grid}", group) for grid, group in locks.frozen.items()]
    for name, group in alone:
        for unit in group.tolist():
            if unit in owner:
                raise _contradiction(ids[[unit]], f"is in {owner[unit]} and in {name}", "Take it out of one of them.")
            owner[unit] = name
        _one_parent(name, group, parent, ids)
        if graph.subgraph(group).components().max(initial=0) > 0:
            raise _contradiction(
                ids[group],
                f"form {name}, but are not connected",
                "Declare links= that join them, or split the set: a grid is contiguous.",
            )
    for compound in range(int(locks.together.max(initial=-1)) + 1):
        group = np.flatnonzero(locks.together == compound)
        _one_parent("one compound", group, parent, ids)
        owners = {owner.get(int(u)) for u in group}
        if len(owners) > 1:
            raise _contradiction(ids[group], "form one compound, but only some of them are in a set of their own", "")
        grids = sorted({locks.fixed[int(u)] for u in group if int(u) in locks.fixed})
        if len(grids) > 1:
            raise _contradiction(
                ids[group], f"form one compound, but are fixed to grids {grids}", "Fix them to one grid."
            )
        for u in group.tolist():
            if grids:
                locks.fixed[u] = grids[0]
    for u, v in locks.apart.tolist():
        pair = ids[[u, v]]
        if u == v:
            raise _contradiction(pair[:1], "is apart from itself", "Name each unit of a group once.")
        if locks.together[u] >= 0 and locks.together[u] == locks.together[v]:
            raise _contradiction(pair, "are apart, and in one compound", "Drop one of the two locks.")
        if u in locks.fixed and locks.fixed.get(v) == locks.fixed[u]:
            raise _contradiction(pair, f"are apart, and both fixed to grid {locks.fixed[u]}", "Fix them apart.")
        if owner.get(u) is not None and owner.get(u) == owner.get(v):
            raise _contradiction(pair, f"are apart, and both in {owner[u]}", "Drop one of the two locks.")
    for unit, grid in locks.fixed.items():
        if unit in owner and owner[unit] != f"frozen grid {grid}":
            raise _contradiction(ids[[unit]], f"is fixed to grid {grid}, and in {owner[unit]}", "Drop one of the two.")
        if grid in locks.frozen and unit not in owner:
            raise _contradiction(ids[[unit]], f"is fixed to grid {grid}, which is frozen without it", "")


def _one_parent(name: str, group: NDArray[Any], parent: NDArray[np.int64], ids: NDArray[Any]) -> None:
    if len(group) and (parent[group] != parent[group[0]]).any():
        raise _contradiction(
            ids[group], f"form {name}, but lie in different parents", "No grid crosses its parent's boundary: split it."
        )


def _contradiction(ids: Sequence[Any] | NDArray[Any], what: str, cure: str) -> InputError:
    plain = tuple(i.item() if hasattr(i, "item") else i for i in ids)
    verb = what if len(plain) > 1 or not what.startswith("form") else what.replace("form", "forms", 1)
    finding = Finding("locks-contradict", "error", plain, what, None, cure)
    return InputError(f"locks contradict each other: {name_ids(plain)} {verb}. {cure}".rstrip(), [finding])
