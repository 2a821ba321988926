"""judge: outcomes of regions -> a result that says truthfully what the plan is, held against the facts."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InternalError, name_ids
from gridopt.model import Plan, Problem
from gridopt.model.result import Result, Status, Step, Trace
from gridopt.rules.balance import imbalance
from gridopt.rules.constraints import broken_limits, total_violation
from gridopt.rules.objective import cost as cost_of
from gridopt.rules.verify import verify
from gridopt.solvers.bounds import CostBounds, Packing, cost_bounds
from gridopt.solvers.decompose.regions import Regions
from gridopt.solvers.outright import RegionOutcome
from gridopt.solvers.request import Request

__all__ = ["bounds_of_open", "judge", "not_proved", "proved_cost", "status_of"]

MORE_PROOF = {
    "too large": " Proofs are for parts of up to about 200 units in 2 grids, 50 in 4.",
    "out of time": " Give more seconds.",
    "effort spent": " Give seconds instead of steps: proofs use all of them.",
}
"""What helps where a proof did not come, by a word of the reason."""
PROVED_ENOUGH = 0.75
"""Share of the cost of a region above which no better bound is looked for: `cost_bounds` rarely proves so much."""
VISITS_A_SECOND = 1_000_000
"""Nodes visited in a second while bounds are looked for, on a slow core."""


def bounds_of_open(
    regions: Regions, outcomes: dict[int, RegionOutcome], request: Request, known: CostBounds | None = None
) -> CostBounds:
    """Bound the cost of the regions of which little is proved, by `known` bounds or in the time that is left."""
    nothing = np.zeros(len(regions.first_node) - 1, dtype=np.int64)
    known, soft = known or CostBounds(nothing, nothing), regions.problem.soft
    little = [
        r for r, o in sorted(outcomes.items())
        if (o.status == "open" and max(o.bound or 0, known.within[r]) < PROVED_ENOUGH * o.cost)
        or (soft and o.violation > 0)
    ]  # fmt: skip
    little = [r for r in little if not known.within[r]]
    if not little:
        return known
    nodes, left = int(regions.node_counts()[little].sum()), request.seconds_left()
    visits = request.packing(nodes).visits
    if left is not None:
        visits = min(visits, max(0.0, left) * VISITS_A_SECOND / nodes)
    more = cost_bounds(regions, Packing(visits), np.array(little))
    return CostBounds(np.maximum(known.free, more.free), np.maximum(known.within, more.within))


def judge(
    request: Request,
    problem: Problem,
    order: NDArray[np.int64] | None,
    regions: Regions,
    bounds: CostBounds,
    stopped: bool,
    outcomes: dict[int, RegionOutcome],
    errors: tuple[Finding, ...],
    exceptions: tuple[Finding, ...],
    began: float,
    timings: dict[str, float],
) -> Result:
    """Stitch the regions, check the plan against the facts, and say truthfully what it is."""
    refuted = [o for _, o in sorted(outcomes.items()) if o.status == "infeasible" and not problem.soft]
    without = [r for r, o in outcomes.items() if o.labels is None]
    hopeless, unproved = errors, not_proved(regions.problem, outcomes) if request.prove else ()
    if refuted or errors:
        why = [str(f) for f in errors[:1]] + [o.reason for o in refuted]
        hopeless += tuple(_about_region(regions.problem, o.region, "infeasible-region", o.reason) for o in refuted)
        if without or all(o.violation for o in outcomes.values()):
            told = hopeless + exceptions
            return request.result(problem, Status.INFEASIBLE, why[0], began, timings, exceptions=told)
    if without:
        cure = "Units fixed to one grid are kept apart by those of another: review the fixed units."
        found = tuple(_about_region(regions.problem, r, "no-contiguous-plan", cure) for r in without)
        reason = f"No contiguous plan was found for {len(without)} regions: {cure}"
        bound = _bound(regions, bounds, outcomes, problem.soft)
        told = found + unproved + exceptions
        return request.result(problem, Status.NO_PLAN, reason, began, timings, bound=bound, exceptions=told)
    labels = regions.stitch({r: o.labels for r, o in outcomes.items() if o.labels is not None})
    if order is not None:
        labels = labels[np.argsort(order)]
    plan = Plan(problem, labels).canonical()
    broken = verify(problem, plan)
    violation, cost = total_violation(problem, plan.labels), cost_of(problem, plan.labels)
    _compare(plan, broken, violation, cost, regions, outcomes, order)
    proved = all(o.status == "optimal" for o in outcomes.values())
    bound = cost if proved and not broken else _bound(regions, bounds, outcomes, problem.soft, bool(broken))
    if bound > cost and not broken:
        raise InternalError(f"the search proved a cost of at least {bound}, but its own sound plan costs {cost}.")
    proved = proved or (bound == cost and not any(o.violation for o in outcomes.values()))
    nearest = all(o.violation == o.least for o in outcomes.values() if o.violation)
    status, reason = status_of(problem, broken, violation, proved, stopped, nearest)
    if hopeless:
        if not broken:
            raise InternalError(f"a plan keeps all limits, but it was proved that none can: {why[0]}")
        lost = sum(o.violation > 0 for o in outcomes.values())
        kept = f"the plan keeps those of {len(outcomes) - lost} of {len(outcomes)} regions"
        status, reason = Status.INFEASIBLE, f"No plan keeps all limits; {kept}. {why[0]}"
    timings["judge"] = time.perf_counter() - began - sum(timings.values())
    return request.result(
        problem,
        status,
        reason,
        began,
        timings,
        plan=plan,
        cost=cost,
        bound=None if hopeless else bound,
        imbalance=imbalance(plan),
        trace=_trace(regions, outcomes, cost, violation, bound if status is Status.OPTIMAL else None),
        exceptions=hopeless + tuple(broken) + _missed_wishes(plan) + (() if proved else unproved) + exceptions,
    )


def status_of(
    problem: Problem, broken: list[Finding], violation: int, proved: bool, stopped: bool, nearest: bool = False
) -> tuple[Status, str]:
    """Return what a plan is worth, and say it; `nearest`: no plan misses its limits less, which is proved."""
    ended = " The search was stopped." if stopped else ""
    if broken:
        return Status.VIOLATED, f"The best plan found breaks {len(broken)} limits or locks; first, {broken[0]}{ended}"
    wishes = f"limits are wishes, missed by {violation / 1e4:.2f} % of a target in all" if violation else ""
    if proved and wishes:
        return Status.OPTIMAL, f"No plan misses the limits less, and none of these costs less: proved; {wishes}."
    if proved:
        return Status.OPTIMAL, "No sound plan costs less: proved."
    if wishes:
        least = ", the least there is: proved" if nearest else ""
        return Status.FEASIBLE, f"Contiguous; {wishes}{least}.{ended}"
    return Status.FEASIBLE, f"Contiguous, and every grid is within its limits.{ended}"


def not_proved(problem: Problem, outcomes: dict[int, RegionOutcome]) -> tuple[Finding, ...]:
    """Why proofs that were asked for did not come: a finding for each kind of reason, with the first regions."""
    kinds: dict[str, list[int]] = {}
    for region, outcome in sorted(outcomes.items()):
        if outcome.unproved:
            kinds.setdefault(outcome.unproved.partition(":")[0], []).append(region)
    found = []
    for kind, mine in kinds.items():
        some = [int((problem.nesting.region == r).argmax()) for r in mine[:5]] if len(outcomes) > 1 else []
        helps = next((text for word, text in MORE_PROOF.items() if word in kind), "")
        cure = f"No proof, {outcomes[mine[0]].unproved}.{helps}"
        ids = tuple(problem.graph.ids[some].tolist())
        found.append(Finding("not-proved", "warning", ids, len(mine), len(outcomes), cure))
    return tuple(found)


def _missed_wishes(plan: Plan) -> tuple[Finding, ...]:
    """Grids of a soft problem outside their limits, as warnings."""
    if not plan.problem.soft:
        return ()
    return tuple(f._replace(severity="warning") for f in broken_limits(plan.problem, plan.labels, plan.grid_ids))


def _about_region(problem: Problem, region: int, code: str, cure: str) -> Finding:
    units, nesting = np.flatnonzero(problem.nesting.region == region), problem.nesting
    if len(nesting.parents):
        cure = f"In parent {name_ids(nesting.parents[nesting.region_parent[[region]]])}: {cure}"
    return Finding(code, "error", tuple(problem.graph.ids[units[:5]].tolist()), len(units), None, cure)


def _compare(
    plan: Plan,
    broken: list[Finding],
    violation: int,
    cost: int,
    regions: Regions,
    outcomes: dict[int, RegionOutcome],
    order: NDArray[np.int64] | None,
) -> None:
    """Raise InternalError where the judges and the search disagree about the plan."""
    shape = [f for f in broken if f.code not in ("under-limit", "over-limit", "not-apart")]
    if shape:
        raise InternalError(f"the search returned an unsound plan: {shape[0]}", broken)
    claimed = sum(o.violation for o in outcomes.values()) + regions.violation_alone()
    joined = bool(regions.narrowed) and any(f.code == "not-apart" for f in broken)  # joined units count as one there
    if claimed == 0 and (broken and not plan.problem.soft):
        raise InternalError(f"the search took an unsound plan for sound: {broken[0]}", broken)
    if not joined and claimed != violation:
        raise InternalError(f"the search counted a violation of {claimed} millionths, the rules {violation}.")
    outside = cost - sum(o.cost for o in outcomes.values())
    fixed_part = regions.constant_cost(plan.labels if order is None else plan.labels[order])
    if outside != fixed_part:
        raise InternalError(f"the search counted a cost of {cost - outside + fixed_part}, the rules {cost}.")


def _bound(
    regions: Regions, bounds: CostBounds, outcomes: dict[int, RegionOutcome], soft: bool, broken: bool = False
) -> int:
    """Return a proved lower bound: of each region the best there is, and what every plan costs."""
    total = regions.constant_cost(None)
    for region, outcome in outcomes.items():
        outside = outcome.violation or outcome.labels is None
        if soft and outside and (broken or outcome.status != "optimal"):  # plans outside the limits count
            total += int(bounds.free[region])
        else:
            total += proved_cost(outcome, int(bounds.within[region]))
    return total


def proved_cost(outcome: RegionOutcome, within: int) -> int:
    """Return the best lower bound on the cost of a region: of its outcome, or `within`, which is known otherwise."""
    return outcome.cost if outcome.status == "optimal" else max(within, outcome.bound or 0)


def _trace(regions: Regions, outcomes: dict[int, RegionOutcome], cost: int, violation: int, bound: int | None) -> Trace:
    """
    Improvements of the whole plan, regions being taken one after the other, as if they had been searched so.

    The order, steps and prices depend on the outcomes alone, not on which region was searched when.
    """
    ordered = [outcomes[r] for r in sorted(outcomes)]
    outside = cost - sum(o.cost for o in ordered)
    at_cost = outside + sum(o.first[1] for o in ordered)
    at_violation = regions.violation_alone() + sum(o.first[0] for o in ordered)
    rows, step, seconds = [], 0, 0.0
    for o in ordered:
        trace = o.trace if len(ordered) <= 50 else o.trace[-1:]
        was = o.first
        for at, when, new_cost, new_violation in trace:
            at_cost, at_violation = at_cost + new_cost - was[1], at_violation + new_violation - was[0]
            was = (new_violation, new_cost)
            seconds = max(seconds, when)
            rows.append(Step(step + at, seconds, at_cost, at_violation, None))
        step += o.steps
    if not rows or (rows[-1].cost, rows[-1].violation) != (cost, violation) or bound is not None:
        rows.append(Step(step, seconds, cost, violation, bound))
    return tuple(_changes(rows))


def _changes(rows: list[Step]) -> list[Step]:
    """Leave out rows that say the same as the one before."""
    return [row for i, row in enumerate(rows) if i == 0 or row[2:] != rows[i - 1][2:]]
