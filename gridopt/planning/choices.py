"""Choices: which grids go, where fewer are to be left and nobody said which; the most promising first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, islice

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError, InternalError, NoPlanError
from gridopt.planning.bound import least_moved
from gridopt.planning.force import InForce, disturbances, regions_of
from gridopt.planning.judge import Asked, Found, numbers
from gridopt.rules.constraints import broken_locks, total_violation
from gridopt.rules.objective import cost
from gridopt.solvers.budget import Clock

__all__ = ["best_choice", "other_closings"]

MOST_CHOICES, FEW_CHOICES, SMALL = 60, 3, 2000
"""Other choices tried for each region of at most so many units, and of more; the budget may end that earlier."""


def best_choice(
    force: InForce,
    asked: Asked,
    clock: Clock,
    named: set[str],
    read: Callable[[Iterable[str]], InForce],
    attempt: Callable[[InForce], Found],
) -> tuple[InForce, Found]:
    """
    Search with the grids that go as chosen, then with others, while the budget lasts; return the best.

    Parameters
    ----------
    force : InForce
    asked : Asked
    clock : Clock
        That of `attempt`. No search is begun that would not end in time, were it as long as the longest so far.
    named : set of str
        Ids of grids that have to go, or have to stay.
    read : callable
        The plan in force, these grids going.
    attempt : callable
        Search.

    Raises
    ------
    InputError, NoPlanError
        What the first search raised, where no other found a plan.
    """
    best: tuple[tuple[int, ...], InForce, Found] | None = None
    refused: InputError | NoPlanError | None = None
    longest, floor, must = 0.0, None, sorted(named & set(force.old_ids[force.closed]))
    for closing, mass in [([], 0), *other_closings(force, asked.count.weight, named)]:
        began = clock.fraction()
        if best is not None:
            if best[2].stopped or began + longest > 1 or (not best[0][0] and mass >= best[0][1]):
                continue
            if floor is None:
                floor = least_moved(best[2].widest, best[1], asked.count.weight, enough=0)
            if not best[0][0] and best[0][1] <= floor:
                break
        try:
            other = read([*must, *closing]) if closing else force
            found = attempt(other)
        except (InputError, NoPlanError) as error:
            refused = refused or error
            continue
        longest = max(longest, clock.fraction() - began)
        worth = _worth(asked, other, found)
        if best is None or worth < best[0]:
            best = worth, other, found
    if best is None:
        raise refused or InternalError("no choice of the grids that go was searched.")
    return best[1], best[2]


def _worth(asked: Asked, force: InForce, found: Found) -> tuple[int, ...]:
    """Whether there is no plan, violation, what moves, cost: the less the better."""
    start, now = numbers(force, found.labels)
    moved = int(asked.count.weight[start != now].sum())
    if found.unmended:
        return 2**62, moved, 0
    broken = total_violation(found.today, found.labels) + len(broken_locks(found.today, found.labels))
    return broken, moved, cost(force.problem, found.labels)


def other_closings(force: InForce, weight: NDArray[np.int64], named: set[str]) -> Iterator[tuple[list[str], int]]:
    """
    Yield lists of grids that may go instead of those that do, and what of them counts as moved at least.

    Parameters
    ----------
    force : InForce
        The choice made so far.
    weight : ndarray of int64, shape (n,)
        What counts as moved.
    named : set of str
        Ids of grids that have to go, or have to stay.

    Notes
    -----
    One region is changed at a time. Sets come in the order of what their going disturbs, roughly.
    """
    problem, k = force.problem, len(force.old_ids)
    if not len(force.closed) or not problem.interchangeable:
        return
    region, load = regions_of(problem, force.before, k)
    rank = disturbances(problem, force.before, region, load)
    known = force.before >= 0
    mass = np.bincount(force.before[known], weights=weight[known], minlength=k).astype(np.int64)
    now = set(force.closed.tolist())
    for r in np.unique(region[force.closed]).tolist():
        here = [i for i in np.flatnonzero(region == r).tolist() if force.old_ids[i] not in named]
        going = sorted(i for i in here if i in now)
        here.sort(key=lambda i: (rank[i], i))
        small = int((problem.nesting.region == r).sum()) <= SMALL
        most = MOST_CHOICES if small else FEW_CHOICES
        sets = combinations(here[: max(len(going) + 1, MOST_CHOICES)], len(going)) if going else iter(())
        others = (chosen for chosen in sets if sorted(chosen) != going)
        rest = sorted(now - set(going))
        for chosen in islice(others, most):
            closing = [*chosen, *rest]
            yield force.old_ids[closing].tolist(), int(mass[closing].sum())
