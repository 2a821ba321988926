"""rebalance: a plan in force and a problem it no longer fits -> a plan within limits, changed as little as possible."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError, NoPlanError
from gridopt.model import Problem
from gridopt.planning.capped import within_caps
from gridopt.planning.choices import best_choice
from gridopt.planning.count import Cap, read_caps, read_count
from gridopt.planning.force import InForce, read_force
from gridopt.planning.frozen import frozen_rows
from gridopt.planning.judge import Asked, Found, judge, misshapen, ordered
from gridopt.planning.rebalanced import Rebalanced
from gridopt.planning.regional import Regional
from gridopt.planning.settling import settle
from gridopt.planning.shifting import warm
from gridopt.rules.check import check
from gridopt.rules.necks import load_kernels as load_certificates
from gridopt.rules.verify import verify
from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.request import Request
from gridopt.solvers.stages import OnProgress
from gridopt.solvers.warm import compile as load_kernels

__all__ = ["rebalance"]

TRIES = 3
"""Searches for a plan that can be reached move by move."""


def rebalance(
    problem: Problem,
    plan: Any,
    *,
    max_moved: Mapping[str, Any] | None = None,
    count: Any = "workload",
    margin: float = 0.0005,
    frozen: Iterable[str] = (),
    trigger: float | None = None,
    stepwise: bool = False,
    dissolve: Iterable[str] = (),
    retired: Iterable[str] = (),
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Rebalanced:
    """
    Change a plan in force as little as possible, so that it keeps the limits of today.

    Least violation comes first, then what moves, then the cost. Regions whose limits and locks are kept stay as they
    are.

    Parameters
    ----------
    problem : Problem
        Limits, locks and workload of today. It may have more or fewer grids than the plan: then grids are opened, or
        dissolved, where that disturbs least.
    plan : Plan, Series of grid ids by unit id, or array_like of int
        The plan in force. Units it does not know are new, and do not count as moved.
    max_moved : mapping, optional
        Caps on what may move, such as ``{"workload": 0.03}`` (a share) or ``{"units": 40}`` (an amount), by the names
        of attributes, ``"workload"`` (the first of them) or ``"units"``. The best plan under them is returned.
    count : str or mapping
        What counts as moved: ``"workload"``, ``"units"``, the name of an attribute, or weights of these.
    margin : float
        Share of all that is counted by which plans may differ and still count as equal in what moves: then the cheaper
        one is taken. 0 asks for the very least, however dear.
    frozen : iterable of str
        Ids of grids that keep exactly their units. Refused where a grid lies in pieces, or a lock says otherwise.
    trigger : float, optional
        Grids within this tolerance of their targets do not start a change; grids that are changed aim at the limits.
    stepwise : bool
        Return a plan only that can be reached by single moves, each of which leaves every grid connected.
    dissolve : iterable of str
        Ids of grids to dissolve first, where the problem has fewer grids.
    retired : iterable of str
        Ids given before, which no new grid may have.
    seconds, steps, seed, workers, on_progress
        As for `solve`. The search ends by itself when nothing has improved for some rounds.

    Returns
    -------
    Rebalanced
        Plan, moves in order with reasons, and how much had to move at least.

    Raises
    ------
    InputError
        If the plan is about other units, or an option makes no sense.
    NoPlanError
        If locks leave no contiguous plan near the one in force, or there is none at all.

    Notes
    -----
    See *Rebalancing* in the chapter on methods.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(6, [(i, i + 1) for i in range(5)], ids=list("abcdef"))
    >>> before = go.Plan(go.build_problem(graph, workload=[1] * 6, n_grids=2), [0, 0, 0, 1, 1, 1])
    >>> today = go.build_problem(graph, workload=[3, 2, 1, 1, 1, 1], n_grids=2, tolerance="0.2")
    >>> new = rebalance(today, before)
    >>> new.status, new.moved_amount, new.bound
    (<Status.OPTIMAL: 'OPTIMAL'>, 1, 1)
    >>> print(new.moves[0])
    c from G001 to G002: relieves G001 by 22.2 %
    """
    began = time.perf_counter()
    request = Request(seconds, steps, seed, workers, "balanced", False)
    request.validate()
    load_certificates()
    load_kernels()
    warm()
    timings = {"compile": time.perf_counter() - began}
    frozen, dissolve = _ids(frozen, "frozen"), _ids(dissolve, "dissolve")
    force = read_force(problem, plan, retired, dissolve, staying=frozen)
    asked = Asked(read_count(problem, count), read_caps(problem, max_moved), _margin(margin), stepwise)
    _refuse_without_grids(force.problem)
    clock = request.budget(spent=time.perf_counter() - began - timings["compile"]).start()

    def attempt(force: InForce) -> Found:
        rows = frozen_rows(force, frozen)
        loose = _within_trigger(force, trigger, rows)
        found = _search(request, asked, force, rows, loose, clock, 0, on_progress)
        return _in_steps(request, asked, force, rows, loose, clock, found, on_progress) if stepwise else found

    def read(closing: Iterable[str]) -> InForce:
        return read_force(problem, plan, retired, closing, staying=frozen)

    force, found = best_choice(force, asked, clock, {*frozen, *dissolve}, read, attempt)
    timings["search"] = time.perf_counter() - began - sum(timings.values())
    return judge(request, asked, force, found, began, timings)


def _search(
    request: Request,
    asked: Asked,
    force: InForce,
    frozen: NDArray[np.int64],
    loose: NDArray[np.bool_],
    clock: Clock,
    attempt: int,
    on_progress: OnProgress | None,
) -> Found:
    """Search until no grid that changes is left outside its limits for being within the trigger; then apply caps."""
    widest, proved = _limits_for(force, loose, frozen), None
    while True:
        today = _limits_for(force, loose, frozen)
        search = Regional(today, force, asked.count.weight, frozen, asked.margin)
        _refuse_impossible(search.regions.findings)
        seconds = None if clock.budget.seconds is None else max(1e-3, clock.seconds_left())
        left = Budget(seconds, None if clock.budget.steps is None else max(1, clock.steps_left() or 0))
        labels, trace = search.run(left, request.seed + attempt, request.n_workers(), on_progress)
        clock.tick(search.clock.steps)
        proved = search.proved if proved is None else proved
        late = loose & _is_touched(force, labels)
        if not late.any() or search.stopped or clock.expired():
            break
        loose = loose & ~late
    kept = _under_caps(search, today, force, labels, asked.caps)
    uncapped = None if kept is labels else settle(today, force.home, labels)
    return Found(
        settle(today, force.home, kept), today, widest, trace, proved, search.stopped, search.unmended,
        noticed=search.regions.findings, uncapped=uncapped,
    )  # fmt: skip


def _in_steps(
    request: Request,
    asked: Asked,
    force: InForce,
    frozen: NDArray[np.int64],
    loose: NDArray[np.bool_],
    clock: Clock,
    found: Found,
    on_progress: OnProgress | None,
) -> Found:
    """Look for a plan that can be reached move by move; at last, leave units whose moves block each other."""
    blocked = ordered(force, found.labels).blocked
    for attempt in range(1, TRIES):
        if not blocked or found.stopped or clock.expired():
            break
        other = _search(request, asked, force, frozen, loose, clock, attempt, on_progress)
        if len(left := ordered(force, other.labels).blocked) < len(blocked):
            found, blocked = other, left
    units = list(blocked)
    if not units or (force.home[units] < 0).any():
        return found
    labels = np.array(found.labels)
    labels[units] = force.home[units]
    if misshapen(verify(found.today, labels)):
        return found  # without them a compound would be cut, a grid torn, or a new one empty
    return replace(found, labels=labels, left=tuple(units))


def _refuse_without_grids(problem: Problem) -> None:
    """Raise where a region has no grid: units of it can go nowhere."""
    if len(np.unique(problem.nesting.grid_region)) < problem.nesting.n_regions:
        _refuse_impossible(check(problem))


def _refuse_impossible(findings: Iterable[Finding]) -> None:
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise NoPlanError(f"there is no plan, whatever moves: {errors[0]}", errors)


def _ids(names: Iterable[str], what: str) -> tuple[str, ...]:
    if isinstance(names, str):
        raise InputError(f"{what} is {names!r}; give a list of grid ids.")
    return tuple(names)


def _margin(margin: Any) -> float:
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 <= margin < 1:
        raise InputError(f"margin is {margin!r}; give a share of what is counted, such as 0.0005, or 0.")
    return float(margin)


def _within_trigger(force: InForce, trigger: Any, frozen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Grids that may stay outside their limits as long as nothing of them changes."""
    problem = force.problem
    if trigger is None:
        return np.zeros(problem.n_grids, dtype=bool)
    if isinstance(trigger, bool) or not isinstance(trigger, int | float) or not trigger > 0:
        raise InputError(f"trigger is {trigger!r}; give a tolerance, such as 0.1.")
    within = np.abs(_loads_in_force(force) - problem.target) <= trigger * problem.target
    loose = np.asarray(within.all(axis=1))
    loose[force.opened] = False
    loose[frozen] = False
    return loose


def _loads_in_force(force: InForce) -> NDArray[np.int64]:
    loads, known = np.zeros_like(force.problem.lo), force.home >= 0
    np.add.at(loads, force.home[known], force.problem.workload[known])
    return loads


def _limits_for(force: InForce, loose: NDArray[np.bool_], frozen: NDArray[np.int64]) -> Problem:
    """Limits the search keeps: those of the problem, wider for grids that may stay as they are."""
    problem, stay = force.problem, np.array(loose)
    stay[frozen] = True
    if not stay.any():
        return problem
    keep, loads = stay[:, None], _loads_in_force(force)
    return replace(
        problem,
        lo=np.where(keep, np.minimum(problem.lo, loads), problem.lo),
        hi=np.where(keep, np.maximum(problem.hi, loads), problem.hi),
        interchangeable=False,  # each grid has limits of its own now
    )


def _is_touched(force: InForce, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Grids that a unit left or joined."""
    touched = np.zeros(force.problem.n_grids, dtype=bool)
    changed = force.home != labels
    touched[labels[changed]] = True
    touched[force.home[changed & (force.home >= 0)]] = True
    return touched


def _under_caps(
    search: Regional, today: Problem, force: InForce, labels: NDArray[np.int32], caps: tuple[Cap, ...]
) -> NDArray[np.int32]:
    """Take of the moves found those the caps allow; small territories are solved exactly once more."""
    if not caps:
        return labels
    kept = within_caps(today, force, labels, caps)
    return kept if kept is labels else search.again(kept, caps)
