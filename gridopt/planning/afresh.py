"""Afresh: what `solve` makes of a problem whose limits stay broken near the plan in force, by the names in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gridopt.errors import InputError
from gridopt.model import Problem
from gridopt.rules.check import check
from gridopt.rules.constraints import total_violation
from gridopt.rules.limits import MILLION, limits_of
from gridopt.rules.verify import labels_from
from gridopt.solvers.budget import Budget
from gridopt.solvers.request import Request
from gridopt.solvers.solve import solve_checked
from gridopt.solvers.stages import Progress

__all__ = ["solved_afresh", "violation_of_regions"]


def solved_afresh(
    problem: Problem,
    home: NDArray[np.int32],
    labels: NDArray[np.int32],
    weight: NDArray[np.int64],
    budget: Budget,
    seed: int,
    workers: int,
    stop: Callable[[], bool],
) -> Iterator[NDArray[np.int32]]:
    """
    Yield the plan `solve` finds from the plan in force, then the one it finds afresh, each within `budget`.

    Grids of a region take the names of those they share most weight with, as long as that breaks no limit more.

    Parameters
    ----------
    problem : Problem
    home : ndarray of int32, shape (n,)
        Row of each unit in force, -1 where it has none.
    labels : ndarray of int32, shape (n,)
        The plan so far: units without a home start from there.
    weight : ndarray of int64, shape (n,)
        What counts as moved.
    budget : Budget
    seed, workers
        As for `solve`.
    stop : callable
        True ends the search.

    Notes
    -----
    What `check` says holds for both, and is found once, within the first budget.
    """
    begin = np.where(home >= 0, home, labels)

    def watch(told: Progress) -> bool:
        return not told.is_last and stop()

    request = Request(budget.seconds, budget.steps, seed, workers, "balanced", False)
    began = time.perf_counter()
    findings = check(problem)
    for start in (begin, None):
        if stop():
            return
        begun, timings = request.begun(began), {"compile": 0.0}
        try:
            initial = None if start is None else labels_from(problem, start)
            found = solve_checked(problem, begun, findings, initial, watch, began, timings)
        except InputError:  # a start that names no grid of some region
            continue
        finally:
            began = time.perf_counter()
        if found.plan is not None:
            yield _named(problem, np.asarray(found.plan.labels), home, weight)


def _named(
    problem: Problem, labels: NDArray[np.int32], home: NDArray[np.int32], weight: NDArray[np.int64]
) -> NDArray[np.int32]:
    """The same grids under other names of their region, so that the most weight is at home."""
    if (problem.fixed >= 0).any() or problem.unit_cost is not None:
        return labels
    k, known = problem.n_grids, home >= 0
    region, lies = problem.nesting.grid_region, np.empty(problem.n_grids, dtype=np.int64)
    lies[labels] = problem.nesting.region  # where grids may swap names, rows need not be those of the region
    pair, inverse = np.unique(labels[known].astype(np.int64) * k + home[known], return_inverse=True)
    shared = np.bincount(inverse, weights=weight[known] + 1e-9, minlength=len(pair))
    pair, shared = (x[lies[pair // k] == region[pair % k]] for x in (pair, shared))
    ends = np.searchsorted(np.sort(lies[pair // k]), np.arange(problem.nesting.n_regions + 1))
    by_region = np.argsort(lies[pair // k], kind="stable")
    rows, given = (np.argsort(x, kind="stable") for x in (region, lies))
    first = np.searchsorted(region[rows], np.arange(problem.nesting.n_regions + 1))
    place, name = np.empty((2, k), dtype=np.int64), np.empty(k, dtype=np.int64)
    for r in range(problem.nesting.n_regions):
        own, now = rows[first[r] : first[r + 1]], given[first[r] : first[r + 1]]
        place[0, now], place[1, own] = np.arange(len(now)), np.arange(len(own))
        table, some = np.zeros((len(own), len(own))), by_region[ends[r] : ends[r + 1]]
        table[place[0, pair[some] // k], place[1, pair[some] % k]] = shared[some]
        name[now] = own[linear_sum_assignment(-table)[1]]
    other = name[labels].astype(np.int32)
    named = problem.interchangeable or total_violation(problem, other) <= total_violation(problem, labels)
    return other if named else labels


def violation_of_regions(problem: Problem, labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """
    Return the violation of the grids of each region, in millionths, and a million for each unit that is not apart.

    It is 0 where `total_violation` of the region is.
    """
    lo, hi, target = limits_of(problem, labels)
    loads = np.zeros_like(problem.lo)
    np.add.at(loads, labels, problem.workload)
    excess = np.maximum(0, np.maximum(loads - hi, lo - loads))
    whole = np.maximum(1, np.rint(target)).astype(np.int64)
    found = np.zeros(problem.nesting.n_regions, dtype=np.int64)
    np.add.at(found, problem.nesting.grid_region, (excess * MILLION // whole).sum(axis=1))
    pairs = problem.apart[labels[problem.apart[:, 0]] == labels[problem.apart[:, 1]]]
    np.add.at(found, problem.nesting.region[np.unique(pairs[:, 0])], MILLION)
    return found
