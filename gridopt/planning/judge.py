"""judge: what became of a plan in force, checked against the facts, with the moves in order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InternalError, NoPlanError, name_ids
from gridopt.model import Plan, Problem, Status, Trace
from gridopt.planning.bound import least_moved
from gridopt.planning.capped import capped_findings
from gridopt.planning.count import Cap, Count
from gridopt.planning.force import InForce
from gridopt.planning.moves import Move, describe_change, numbered
from gridopt.planning.order import Ordered, order_moves
from gridopt.planning.rebalanced import Rebalanced
from gridopt.rules.balance import imbalance
from gridopt.rules.constraints import broken_limits, total_violation
from gridopt.rules.objective import cost as cost_of
from gridopt.rules.verify import verify
from gridopt.solvers.request import Request

__all__ = ["Asked", "Found", "judge", "misshapen", "numbers", "ordered"]


@dataclass(frozen=True, eq=False)
class Asked:
    """What the caller wants moved, and how."""

    count: Count
    caps: tuple[Cap, ...]
    margin: float
    stepwise: bool


@dataclass(frozen=True, eq=False)
class Found:
    """
    What a search found.

    Parameters
    ----------
    labels : ndarray of int32, shape (n,)
    today : Problem
        Limits that were aimed at: wider than those of the problem for grids that may stay as they are.
    widest : Problem
        The same before grids that were changed had to keep their own limits: no plan that is asked for is outside.
    trace : tuple of Step
    proved : mapping of int to int
        What has to move in a region within the widest limits, where that was proved.
    stopped : bool
        By the caller.
    unmended : bool
        No contiguous plan was found.
    left : tuple of int
        Units that stay only because their moves block others.
    noticed : tuple of Finding
        What there is to tell of the search.
    uncapped : ndarray of int32, shape (n,), optional
        What was found before caps were applied, where they do not allow it.
    """

    labels: NDArray[np.int32]
    today: Problem
    widest: Problem
    trace: Trace
    proved: Mapping[int, int]
    stopped: bool
    unmended: bool
    left: tuple[int, ...] = ()
    noticed: tuple[Finding, ...] = ()
    uncapped: NDArray[np.int32] | None = None


def numbers(force: InForce, labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return grids before and after by one numbering."""
    return numbered(force.before, force.old_ids.tolist(), labels, force.grid_ids.tolist())


def ordered(force: InForce, labels: NDArray[np.int32]) -> Ordered:
    """Moves from the plan in force to `labels`, in order."""
    start, now = numbers(force, labels)
    return order_moves(force.problem.graph, start, now, bundle=force.problem.together)


def judge(
    request: Request, asked: Asked, force: InForce, found: Found, began: float, timings: dict[str, float]
) -> Rebalanced:
    """Check the plan against the facts, and say what moved and what had to."""
    problem, labels, today = force.problem, found.labels, found.today
    plan = Plan(problem, labels, force.grid_ids)
    broken = verify(today, Plan(today, labels, force.grid_ids))
    _refuse_unsound(broken, found)
    start, now = numbers(force, labels)
    moved = start != now
    amount = int(asked.count.weight[moved].sum())
    violation = total_violation(today, labels)
    bound = least_moved(found.widest, force, asked.count.weight, found.proved, amount) if not violation else None
    if bound is not None and bound > amount:
        raise InternalError(f"at least {bound} should have to move, but a sound plan moves {amount}.")
    outside = _tolerated(force, today, plan, broken)
    kept = "" if problem.soft else _but_for(outside)
    status, reason = _status(broken, violation, bound == amount, found.stopped, kept)
    moves, in_steps = _moves(force, labels, start)
    said = (*_told_of_caps(asked, force, found), *outside, *_blocked(force, found))
    told = (*broken, *said, *found.noticed, *problem.findings)
    timings["judge"] = time.perf_counter() - began - sum(timings.values())
    result = request.result(
        problem, status, reason, began, timings, plan=plan, cost=cost_of(problem, labels),
        imbalance=imbalance(plan), trace=found.trace, exceptions=told,
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


def misshapen(broken: list[Finding]) -> list[Finding]:
    """Return what makes labels no plan at all, whatever its limits."""
    return [f for f in broken if f.code not in ("under-limit", "over-limit", "not-apart")]


def _refuse_unsound(broken: list[Finding], found: Found) -> None:
    """Raise where the plan is none: no contiguous one was found, or, a bug, the search broke it."""
    shape = misshapen(broken)
    if found.unmended:
        why = f": {shape[0]}" if shape else ". Freeze fewer grids, or take locks away."
        raise NoPlanError(f"no contiguous plan was found that begins with the plan in force{why}", broken)
    if shape:
        raise InternalError(f"rebalancing returned an unsound plan: {shape[0]}", broken)


def _tolerated(force: InForce, today: Problem, plan: Plan, broken: list[Finding]) -> list[Finding]:
    """Limits that are missed and may be, as warnings: they are wishes, or the grid is frozen or within the trigger."""
    problem, known = force.problem, {f.ids for f in broken}
    if today is problem and not problem.soft:
        return []
    outside = [f for f in broken_limits(problem, plan.labels, force.grid_ids) if f.ids not in known]
    cure = "It may stay as it is: it is frozen, or within the tolerance that starts a change."
    return [f._replace(severity="warning", cure=f.cure if problem.soft else cure) for f in outside]


def _but_for(outside: list[Finding]) -> str:
    """Say which grids may be outside their limits, and are; empty where none is."""
    ids = list(dict.fromkeys(f.ids[0] for f in outside))
    if not ids:
        return ""
    one = len(ids) == 1
    what = "it is" if one else "they are"
    return f", but for {name_ids(ids)}, which may stay: {what} frozen, or within the tolerance that starts a change"


def _told_of_caps(asked: Asked, force: InForce, found: Found) -> list[Finding]:
    alike = [cap.name for cap in asked.caps if np.array_equal(cap.weight, asked.count.weight)]
    proved = dict.fromkeys(alike, found.proved)
    return capped_findings(found.today, force, found.labels, found.uncapped, asked.caps, proved)


def _blocked(force: InForce, found: Found) -> tuple[Finding, ...]:
    if not found.left:
        return ()
    units = force.problem.graph.ids[list(found.left)]
    cure = "They stay: their moves would leave a grid in pieces in between. Make several moves at once, or try a seed."
    return (Finding("moves-blocked", "warning", tuple(units[:50].tolist()), len(units), 0, cure),)


def _status(broken: list[Finding], violation: int, proved: bool, stopped: bool, kept: str) -> tuple[Status, str]:
    ended = " The search was stopped." if stopped else ""
    if broken:
        return Status.VIOLATED, f"The best plan found breaks {len(broken)} limits or locks; first, {broken[0]}{ended}"
    if violation:
        return (
            Status.FEASIBLE,
            f"Contiguous; limits are wishes, missed by {violation / 1e4:.2f} % of a target in all.{ended}",
        )
    if proved:
        if kept:
            return Status.OPTIMAL, f"Within limits{kept}. No plan that may leave them so moves less: proved."
        return Status.OPTIMAL, "Within limits; no plan within limits moves less: proved."
    return Status.FEASIBLE, f"Contiguous, and every grid is within its limits{kept}.{ended}"


def _moves(force: InForce, labels: NDArray[np.int32], start: NDArray[np.int32]) -> tuple[tuple[Move, ...], bool]:
    """Moves in order with reasons; whether each leaves all grids connected."""
    order, (_, now) = ordered(force, labels), numbers(force, labels)
    rest = tuple((u, int(start[u]), int(now[u])) for u in order.blocked)
    ids = force.old_ids.tolist(), force.grid_ids.tolist()
    return describe_change(force.problem, (*order.steps, *rest), start, *ids), not rest
