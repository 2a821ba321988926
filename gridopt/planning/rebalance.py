"""rebalance: a plan in force and a problem it no longer fits -> a plan within limits, changed as little as possible."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError, InternalError
from gridopt.model import Plan, Problem, Status
from gridopt.model.result import Step
from gridopt.planning.bound import least_moved
from gridopt.planning.capped import within_caps
from gridopt.planning.count import Cap, Count, read_caps, read_count
from gridopt.planning.force import InForce, read_force
from gridopt.planning.moves import describe_moves
from gridopt.planning.order import order_moves
from gridopt.planning.rebalanced import Rebalanced
from gridopt.planning.regional import Regional
from gridopt.rules.balance import imbalance
from gridopt.rules.constraints import broken_limits, total_violation
from gridopt.rules.objective import cost as cost_of
from gridopt.rules.verify import verify
from gridopt.solvers.budget import Budget
from gridopt.solvers.solve import Request
from gridopt.solvers.stages import OnProgress
from gridopt.solvers.warm import compile as load_kernels

__all__ = ["rebalance"]


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
        Ids of grids that keep exactly their units.
    trigger : float, optional
        Grids within this tolerance of their targets do not start a change; grids that are changed aim at the limits.
    stepwise : bool
        Ask for moves in an order that leaves every grid connected after each single one.
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
    timings = {"compile": load_kernels()}
    force = read_force(problem, plan, retired, dissolve)
    asked = _Asked(read_count(problem, count), read_caps(problem, max_moved), _margin(margin), stepwise)
    rows = _rows_named(force, frozen)
    budget = request.budget(spent=time.perf_counter() - began - timings["compile"])
    clock = budget.start()
    loose = _within_trigger(force, trigger, rows)
    while True:
        today = _limits_for(force, loose, rows)
        search = Regional(today, force, asked.count.weight, rows, asked.margin)
        left = Budget(None if budget.seconds is None else max(1e-3, clock.seconds_left()), clock.steps_left())
        labels, trace = search.run(left, request.seed, request.n_workers(), on_progress)
        clock.tick(search.clock.steps)
        late = loose & _is_touched(force, labels)
        if not late.any() or search.stopped or clock.expired():
            break
        loose &= ~late
    labels = _under_caps(search, today, force, labels, asked.caps)
    timings["search"] = time.perf_counter() - began - sum(timings.values())
    return _judge(request, asked, force, today, labels, trace, search.proved, began, timings)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What the caller wants moved, and how."""

    count: Count
    caps: tuple[Cap, ...]
    margin: float
    stepwise: bool


def _margin(margin: Any) -> float:
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 <= margin < 1:
        raise InputError(f"margin is {margin!r}; give a share of what is counted, such as 0.0005, or 0.")
    return float(margin)


def _rows_named(force: InForce, names: Iterable[str]) -> NDArray[np.int64]:
    """Rows of grids named by their ids."""
    if isinstance(names, str):
        raise InputError(f"frozen is {names!r}; give a list of grid ids.")
    rows = {name: j for j, name in enumerate(force.grid_ids)}
    for name in names:
        if name not in rows:
            raise InputError(f"frozen names grid {name!r}, which there is not. {nearest_names(str(name), rows)}")
    return np.array(sorted({rows[name] for name in names}), dtype=np.int64)


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


def _judge(
    request: Request,
    asked: _Asked,
    force: InForce,
    today: Problem,
    labels: NDArray[np.int32],
    trace: tuple[Step, ...],
    proved: Mapping[int, int],
    began: float,
    timings: dict[str, float],
) -> Rebalanced:
    """Check the plan against the facts, and say what moved and what had to."""
    plan = Plan(force.problem, labels, force.grid_ids)
    broken = verify(today, Plan(today, labels, force.grid_ids))
    shape = [f for f in broken if f.code not in ("under-limit", "over-limit", "not-apart")]
    if shape:
        raise InternalError(f"rebalancing returned an unsound plan: {shape[0]}", broken)
    old = {name: i for i, name in enumerate(force.old_ids)}
    now = np.array([old.get(name, len(old) + j) for j, name in enumerate(force.grid_ids)], dtype=np.int32)[labels]
    moved = (force.before >= 0) & (force.before != now)
    amount = int(asked.count.weight[moved].sum())
    violation = total_violation(today, labels)
    bound = least_moved(today, force, asked.count.weight, proved) if not violation else None
    if bound is not None and bound > amount:
        raise InternalError(f"at least {bound} should have to move, but a sound plan moves {amount}.")
    status, reason = _status(plan, broken, violation, bound == amount and not asked.caps)
    wishes = broken_limits(force.problem, labels, force.grid_ids) if force.problem.soft else []
    told = broken + [f._replace(severity="warning") for f in wishes]
    if today is not force.problem and not force.problem.soft:
        known = {f.ids for f in broken}
        cure = "It may stay as it is: it is frozen, or within the tolerance that starts a change."
        outside = broken_limits(force.problem, labels, force.grid_ids)
        told += [f._replace(severity="warning", cure=cure) for f in outside if f.ids not in known]
    moves, in_steps, more = _moves(asked, force, labels, now, moved)
    timings["judge"] = time.perf_counter() - began - sum(timings.values())
    problem = force.problem
    result = request.result(
        problem, status, reason, began, timings, plan=plan, cost=cost_of(problem, labels),
        imbalance=imbalance(plan), trace=trace, exceptions=(*told, *more, *problem.findings),
    )  # fmt: skip
    return Rebalanced(
        result=result,
        moved=moved,
        moved_amount=asked.count.shown(amount),
        bound=None if bound is None else asked.count.shown(bound),
        share=amount / asked.count.total(),
        moved_workload={
            name: problem.in_user_units(int(problem.workload[moved, a].sum()), a)
            for a, name in enumerate(problem.attributes)
        },
        count=asked.count.name,
        moves=moves,
        in_steps=in_steps,
        opened=tuple(force.grid_ids[force.opened]),
        closed=tuple(force.old_ids[force.closed]),
    )


def _status(plan: Plan, broken: list[Finding], violation: int, proved: bool) -> tuple[Status, str]:
    if broken:
        return Status.VIOLATED, f"The best plan found breaks {len(broken)} limits or locks; first, {broken[0]}"
    if violation:
        return Status.FEASIBLE, f"Contiguous; limits are wishes, missed by {violation / 1e4:.2f} % of a target in all."
    if proved:
        return Status.OPTIMAL, "Within limits; no plan within limits moves less: proved."
    return Status.FEASIBLE, "Contiguous, and every grid is within its limits."


def _moves(
    asked: _Asked, force: InForce, labels: NDArray[np.int32], now: NDArray[np.int32], moved: NDArray[np.bool_]
) -> tuple[Any, bool, tuple[Finding, ...]]:
    """Moves in order with reasons; whether each leaves all grids connected; a finding where it should and does not."""
    problem = force.problem
    k_old = len(force.old_ids)
    names = [*force.old_ids, *force.grid_ids]
    start = np.where(force.before >= 0, force.before, now).astype(np.int32)
    ordered = order_moves(problem.graph, start, now, bundle=problem.together)
    rest = tuple((u, int(start[u]), int(now[u])) for u in ordered.blocked)
    row = {name: j for j, name in enumerate(force.grid_ids)}
    at = np.array([row.get(name, 0) for name in force.old_ids] + list(range(problem.n_grids)), dtype=np.int64)
    limits = problem.lo[at], problem.hi[at], problem.target[at]
    moves = describe_moves(
        problem,
        (*ordered.steps, *rest),
        start,
        names,
        limits,
        opened=[k_old + j for j in force.opened.tolist()],
        closed=force.closed.tolist(),
    )
    if not rest or not asked.stepwise:
        return moves, not rest, ()
    units = problem.graph.ids[list(ordered.blocked)]
    cure = "Their moves block each other: make them at once, or ask for another plan with another seed."
    finding = Finding("moves-blocked", "warning", tuple(units[:50].tolist()), len(units), 0, cure)
    return moves, False, (finding,)
