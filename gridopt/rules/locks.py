"""Locks by unit id -> arrays by position, contradictions refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import positions_of
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
    fixed = {}
    for unit, grid in zip(positions_of(list(locks.fixed), ids, "locks.fixed"), locks.fixed.values()):
        fixed[int(unit)] = grid_number(grid)
    apart = sorted(
        {
            (int(min(a, b)), int(max(a, b)))
            for group in locks.apart
            for a, b in combinations(positions_of(list(group), ids, "locks.apart"), 2)
        }
    )
    dedicated = [np.sort(positions_of(list(group), ids, "locks.dedicated")) for group in locks.dedicated]
    frozen = {
        grid_number(grid): np.sort(positions_of(list(group), ids, "locks.frozen"))
        for grid, group in locks.frozen.items()
    }
    resolved = ResolvedLocks(fixed, together, np.asarray(apart, dtype=np.int32).reshape(-1, 2), dedicated, frozen)
    _refuse_contradictions(resolved, graph, parent)
    return resolved


def grid_number(grid: Any) -> int:
    """
    Row of a grid given as a number (from 0) or a text id (``"G001"`` is 0).

    Examples
    --------
    >>> grid_number("G003"), grid_number(2)
    (2, 2)

    """
    if isinstance(grid, str) and grid.startswith("G") and grid[1:].isdigit() and int(grid[1:]) > 0:
        return int(grid[1:]) - 1
    if isinstance(grid, int | np.integer) and not isinstance(grid, bool) and grid >= 0:
        return int(grid)
    if isinstance(grid, str) and grid.isdigit():
        return int(grid)
    raise InputError(f"{grid!r} names no grid. Give its number, from 0, or its id, such as 'G001'.")


def _together(given: Any, ids: NDArray[Any]) -> NDArray[np.int32]:
    """Compound of each unit; groups that share a unit become one compound."""
    if hasattr(given, "index") and hasattr(given, "to_dict"):
        given = given.to_dict()
    if isinstance(given, Mapping):
        groups: dict[Any, list[Any]] = {}
        for unit, compound in given.items():
            if compound is not None and compound == compound and compound != "":
                groups.setdefault(compound, []).append(unit)
        given = list(groups.values())
    compound_of = np.full(len(ids), -1, dtype=np.int32)
    for number, group in enumerate(given):
        positions = positions_of(list(group), ids, "locks.together")
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
