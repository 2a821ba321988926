"""Units that may as well stay where they are in force: moves that buy neither limits nor cost are taken back."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gridopt.model import Problem
from gridopt.planning.order import Board, bundles_of
from gridopt.rules.constraints import broken_locks, total_violation
from gridopt.rules.objective import cost

__all__ = ["settle"]


def settle(problem: Problem, home: NDArray[np.int32], labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """
    Send units home whose moves serve nothing: no limit is kept by them, and no cost saved.

    Parameters
    ----------
    problem : Problem
        Limits that were aimed at.
    home : ndarray of int32, shape (n,)
        Row of each unit in force; -1 where it has none.
    labels : ndarray of int32, shape (n,)
        A contiguous plan. Not modified.

    Returns
    -------
    ndarray of int32, shape (n,)
        A contiguous plan that costs no more than `labels`, violates no more, and moves a subset of its units.

    Notes
    -----
    Units without workload count as nothing when they move, and borders of equal cost are many: the search ends where it
    happens to be. Bundles are tried in the order of their units until none goes home. Those whose load the limits
    need are ruled out in O(1), the others cost O(m) each.

    Examples
    --------
    >>> import gridopt as go
    >>> path = go.Graph.from_edges(5, [(i, i + 1) for i in range(4)])
    >>> problem = go.build_problem(path, workload=[2, 1, 0, 1, 2], n_grids=2)
    >>> settle(problem, np.array([0, 0, 0, 1, 1], np.int32), np.array([0, 0, 1, 1, 1], np.int32)).tolist()
    [0, 0, 0, 1, 1]
    """
    goal = np.where(home >= 0, home, labels).astype(np.int32)
    board = Board(problem.graph, labels, goal)
    board.stays[:] = True  # a new grid keeps a unit
    most = cost(problem, labels), total_violation(problem, labels), len(broken_locks(problem, labels))
    loads = np.zeros_like(problem.lo)
    np.add.at(loads, labels, problem.workload)
    pending, went = bundles_of(board.labels, goal, problem.together), True
    while pending and went:
        left = []
        for units in pending:
            here, to, chosen = board.label(units[0]), int(goal[units[0]]), np.array(units)
            work = problem.workload[chosen].sum(axis=0)
            if not (_fits(problem, loads, here, to, work) and board.can_move(units, to)):
                left.append(units)
                continue
            trial = board.labels.copy()
            trial[chosen] = to
            if _is_no_worse(problem, trial, most):
                board.move(units, to)
                loads[here] -= work
                loads[to] += work
            else:
                left.append(units)
        went, pending = len(left) < len(pending), left
    return np.asarray(board.labels, dtype=np.int32)


def _fits(problem: Problem, loads: NDArray[np.int64], here: int, to: int, work: NDArray[np.int64]) -> bool:
    """Whether two grids are no farther outside their limits after `work` has gone from one to the other."""
    lo, hi = problem.lo, problem.hi
    less, more = loads[here] - work, loads[to] + work
    return bool((~(work > 0) | ((less >= lo[here]) & (more <= hi[to]))).all())


def _is_no_worse(problem: Problem, labels: NDArray[np.int32], most: tuple[int, int, int]) -> bool:
    return (
        cost(problem, labels) <= most[0]
        and total_violation(problem, labels) <= most[1]
        and len(broken_locks(problem, labels)) <= most[2]
    )
