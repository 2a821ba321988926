"""verify: an independent check of any labels, from the facts of the problem alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError, name_ids
from gridopt.model import Plan, Problem, Result
from gridopt.rules.constraints import broken_limits, broken_locks, broken_shape
from gridopt.rules.locks import grid_number
from gridopt.rules.tables import align

__all__ = ["labels_from", "verify"]


def verify(problem: Problem, labels: Any) -> list[Finding]:
    """
    Check any labels against a problem, without the kernels and solvers that may have made them.

    Checked are: exactly k grids, none empty; each connected; none across a parent, component or unit that stands
    alone; loads within limits (unless the problem is soft); every lock. O((n + m) log n).

    Parameters
    ----------
    problem : Problem
        What the plan must keep.
    labels : array_like of int, Series of grid ids by unit id, Plan, or Result with a plan
        Grid of each unit. A Series is aligned by index; text ids such as ``"G003"`` are understood. Findings about a
        plan name its own grid ids.

    Returns
    -------
    list of Finding
        What is wrong, all of severity "error"; empty when the plan is sound.

    Raises
    ------
    InputError
        If `labels` do not give one grid in ``[0, k)`` for each unit.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    >>> problem = go.build_problem(graph, workload=[1, 1, 1, 1], n_grids=2)
    >>> verify(problem, [0, 0, 1, 1])
    []
    >>> [finding.code for finding in verify(problem, [0, 1, 0, 1])]
    ['not-contiguous', 'not-contiguous']
    """
    labels = getattr(labels, "result", labels)
    given = labels_from(problem, labels)
    plan = labels.plan if isinstance(labels, Result) else labels
    names = plan.grid_ids if isinstance(plan, Plan) and plan.problem.n_grids == problem.n_grids else None
    found = broken_shape(problem, given, names) + broken_locks(problem, given, names)
    return found if problem.soft else found + broken_limits(problem, given, names)


def labels_from(problem: Problem, labels: Any) -> NDArray[np.int32]:
    """Return `labels` as an int32 array in the order of the units, refusing what is no complete assignment."""
    ids, k = problem.graph.ids, problem.n_grids
    labels = getattr(labels, "result", labels)  # of `rebalance`
    if isinstance(labels, Result):
        labels = labels.require_plan()
    if isinstance(labels, Plan):
        labels = labels.labels
    if hasattr(labels, "index") and hasattr(labels, "to_numpy"):
        labels = np.asarray(labels, dtype=object)[align(labels, ids, "labels")]
    values = np.asarray(labels)
    if values.dtype == object or values.dtype.kind in "US":
        absent = [i for i, v in enumerate(values) if v is None or v != v or v == ""]
        if absent:
            raise InputError(
                f"{len(absent)} units have no grid (first: {name_ids(ids[absent[:1]])}). Every unit is in one grid."
            )
        values = np.array([grid_number(v) for v in values], dtype=np.int64)
    if values.shape != (problem.n_units,) or values.dtype.kind not in "iu":
        raise InputError(
            f"labels are {values.dtype} of shape {values.shape}; give one whole number for each of the "
            f"{problem.n_units} units."
        )
    bad = np.flatnonzero((values < 0) | (values >= k))
    if len(bad):
        raise InputError(
            f"{len(bad)} units are in grids that do not exist (first: unit {name_ids(ids[bad[:1]])} in "
            f"{values[bad[0]]}); there are {k} grids, 0 … {k - 1}."
        )
    return values.astype(np.int32)
