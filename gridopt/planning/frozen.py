"""frozen: grids that are to keep exactly their units, refused where something else makes that impossible."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import InputError, name_ids
from gridopt.model.graph import components
from gridopt.planning.force import InForce

__all__ = ["frozen_rows"]


def frozen_rows(force: InForce, names: Iterable[str]) -> NDArray[np.int64]:
    """
    Rows of grids named by their ids, ascending.

    Raises
    ------
    InputError
        If there is no such grid, or it cannot keep exactly its units: it lies in pieces, a lock says otherwise, or it
        is the only grid of a region that has other units.
    """
    rows = {name: j for j, name in enumerate(force.grid_ids)}
    chosen = set()
    for name in names:
        if name in force.old_ids[force.closed]:
            raise InputError(f"frozen names grid {name!r}, but it has to go: fewer grids are to be left in its region.")
        if name not in rows:
            raise InputError(f"frozen names grid {name!r}, which there is not. {nearest_names(str(name), rows)}")
        chosen.add(rows[name])
    for row in sorted(chosen):
        _refuse_impossible(force, row)
    return np.array(sorted(chosen), dtype=np.int64)


def _refuse_impossible(force: InForce, row: int) -> None:
    problem, home, name = force.problem, force.home, force.grid_ids[row]
    inside = home == row
    ids = problem.graph.ids

    def refuse(why: str, units: NDArray[np.bool_]) -> None:
        raise InputError(f"frozen names grid {name!r}, but {why} ({name_ids(ids[units])}). Leave it out of frozen.")

    if not inside.any():
        raise InputError(f"frozen names grid {name!r}, which has no units in force. Leave it out of frozen.")
    former = np.flatnonzero(force.old_ids == name)
    astray = np.isin(force.before, former) & ~inside
    if astray.any():
        refuse("it has units in another region", astray)
    edges = problem.graph.edges
    piece = components(problem.n_units, edges[inside[edges].all(axis=1)])
    if len(np.unique(piece[inside])) > 1:
        refuse("it lies in pieces", inside)
    joined = problem.together[inside & (problem.together >= 0)]
    outside = np.isin(problem.together, joined) & (problem.together >= 0) & ~inside
    if outside.any():
        refuse("a lock joins units of other grids to it", outside)
    bound = (problem.fixed >= 0) & ((problem.fixed == row) != inside)
    if bound.any():
        refuse("locks put units elsewhere", bound)
    both = inside[problem.apart].all(axis=1)
    if both.any():
        pair = np.zeros(problem.n_units, dtype=bool)
        pair[problem.apart[both].ravel()] = True
        refuse("a lock keeps units of it apart", pair)
    region = problem.nesting.grid_region[row]
    rest = (problem.nesting.region == region) & ~inside
    if rest.any() and (problem.nesting.grid_region == region).sum() == 1:
        refuse("it is to be the only grid of its region, which has other units", rest)
