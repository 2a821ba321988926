"""solve: problem -> result. Split into regions, search each, stitch, judge."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError, InternalError, name_ids
from gridopt.model import Plan, Problem
from gridopt.model.result import Result, Status, Step, Trace
from gridopt.rules.balance import imbalance, least_imbalance
from gridopt.rules.check import check
from gridopt.rules.constraints import broken_limits, total_violation
from gridopt.rules.necks import load_kernels
from gridopt.rules.objective import cost as cost_of
from gridopt.rules.verify import labels_from, verify
from gridopt.solvers.bounds import CostBounds, Packing, cost_bounds
from gridopt.solvers.budget import Budget
from gridopt.solvers.campaign import Campaign
from gridopt.solvers.decompose.regions import Regions, decompose
from gridopt.solvers.outright import RegionOutcome
from gridopt.solvers.pieces import Effort
from gridopt.solvers.refine.annealing import Annealing
from gridopt.solvers.stages import OnProgress

__all__ = ["EFFORTS", "Request", "judge", "order_by_id", "proved_cost", "solve", "status_of"]

logger = logging.getLogger(__name__)

EFFORTS: Mapping[str, Effort] = {
    "fast": Effort(steps_per_node=2_000),
    "balanced": Effort(),
    "thorough": Effort(steps_per_node=200_000, annealing=Annealing(hot=1.3)),
}
"""What the names of efforts stand for."""

ABOUT_LIMITS = frozenset(
    {
        "fits-no-grid",
        "forced-together",
        "heavy-compound",
        "heavy-unit",
        "hemmed-in",
        "narrow-neck",
        "no-load-fits",
        "too-little-workload",
        "too-many-large-units",
        "too-many-separate",
        "too-much-workload",
    }
)
"""Codes of findings that prove of one region that no plan keeps its limits and locks; a contiguous plan it may have."""
DEFAULT_SECONDS = 10.0
VISITS, MOST_VISITS = 25.0, 100.0
VISITS_A_SECOND, STEPS_A_VISIT = 150_000, 200
"""How long bounds are looked for, in nodes visited for each node there is: about 3 % of the time, see `Packing`."""
JUDGING = 1.2
"""Seconds held back to judge the plan, in multiples of what it took to decompose the problem."""
MOST = 2**62
"""Largest seed and number of steps."""


def solve(
    problem: Problem,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    effort: str = "balanced",
    start: Any = None,
    prove: bool = False,
    on_progress: OnProgress | None = None,
) -> Result:
    """
    Search for the best plan: contiguous, within limits, at least cost.

    Parameters
    ----------
    problem : Problem
        From `build_problem`.
    seconds : float, optional
        Wall time to spend, kernels being loaded already; 10 where neither `seconds` nor `steps` is given. Small
        problems end before that.
    steps : int, optional
        Candidate moves to examine. Unlike seconds they reproduce: equal problem, steps and seed give equal labels and
        an equal (step, cost, bound) trace with any number of workers.
    seed : int
        Seed of all randomness, at least 0.
    workers : int, optional
        Threads; default one for each processor this process may use.
    effort : {"fast", "balanced", "thorough"}
        How soon a search of a small territory ends by itself.
    start : Plan, Series of grid ids by unit id, or array_like of int, optional
        Plan to begin with; mended where it is not contiguous.
    prove : bool
        Also try to prove the plan optimal, or that there is none, with CP-SAT. Small regions only can hope for it.
    on_progress : callable, optional
        Called with a `Progress` between rounds, from the searching threads, one at a time; returning True ends the
        search with the best plan so far.

    Returns
    -------
    Result
        ``status`` says what it is worth, ``plan`` is checked by `verify`.

    Raises
    ------
    InputError
        If the budget, seed, workers, effort or start make no sense.
    InternalError
        If a plan turns out not to be what the search took it for: a bug.

    Notes
    -----
    Regions of up to 64 nodes (compounds are nodes) with parts of some ten nodes are solved outright, by listing every
    part they could have: proved optimal, or proved to have no plan. Each other region is split by spanning-tree cuts,
    then annealed; regions are searched side by side, large ones group of grids by group of grids. Where some of several
    regions have no plan within limits, the result is ``INFEASIBLE``, names them, and has a plan that keeps the limits
    of the others. A Ctrl-C ends the search with the best plan so far.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)], costs=[1, 9, 2])
    >>> problem = go.build_problem(graph, workload=[1, 1, 1, 1], n_grids=2, tolerance=0.5)
    >>> result = go.solve(problem, steps=1000, seed=7)
    >>> result.cost, result.plan.labels.tolist()
    (1, [0, 1, 1, 1])
    """
    began = time.perf_counter()
    request = Request(seconds, steps, seed, workers, effort, prove)
    request.validate()
    initial = None if start is None else labels_from(problem, start)
    timings = {"compile": load_kernels()}
    findings = check(problem)
    errors = tuple(f for f in findings if f.severity == "error")
    exceptions = tuple(f for f in findings if f.severity != "error")
    if errors and not _worth_a_search(problem, errors):
        reason, told = str(errors[0]), errors + exceptions
        return request.result(problem, Status.INFEASIBLE, reason, began, timings, exceptions=told)
    from gridopt.solvers.warm import compile

    timings["compile"] += compile() + (_load_prover() if prove else 0.0)
    order = order_by_id(problem)
    arranged = problem if order is None else problem.reordered(order)
    decomposing = time.perf_counter()
    regions = decompose(arranged)
    decomposing = time.perf_counter() - decomposing
    if any(f.severity == "error" for f in regions.findings):
        reason = str(next(f for f in regions.findings if f.severity == "error"))
        told = regions.findings + exceptions
        return request.result(problem, Status.NO_PLAN, reason, began, timings, exceptions=told)
    bounds = cost_bounds(regions, request.packing(problem.n_units))
    timings["prepare"] = time.perf_counter() - began - timings["compile"]
    budget = request.budget(spent=timings["prepare"] + JUDGING * decomposing)
    campaign = Campaign(regions, budget, seed, request.n_workers(), EFFORTS[effort], prove, on_progress)
    if initial is not None:
        initial = _rows_of_start(arranged, initial if order is None else initial[order])
    outcomes = campaign.run(initial)
    timings["search"] = campaign.seconds
    told = exceptions + regions.findings
    return judge(request, problem, order, regions, bounds, campaign.stopped, outcomes, errors, told, began, timings)


def _worth_a_search(problem: Problem, errors: tuple[Finding, ...]) -> bool:
    """Whether a plan may be of use all the same: `errors` are about limits only, and there are several regions."""
    several = np.bincount(problem.nesting.grid_region, minlength=problem.nesting.n_regions) > 1
    return several.sum() > 1 and all(f.code in ABOUT_LIMITS for f in errors)


def _load_prover() -> float:
    """Load OR-Tools before the clock starts; return the seconds it took."""
    began = time.perf_counter()
    importlib.import_module("gridopt.solvers.exact.cpsat")
    return time.perf_counter() - began


def order_by_id(problem: Problem) -> NDArray[np.int64] | None:
    """Order of the units by id, None where they are in that order: the search must not depend on the order of rows."""
    ids = problem.graph.ids
    if (ids[:-1] <= ids[1:]).all():
        return None
    return np.argsort(ids, kind="stable")


def _rows_of_start(problem: Problem, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """
    Grid of each unit in a plan to start from, -1 where its region has no grid left for it.

    Where grids are interchangeable, the labels of each region are given its grids in the order they are seen, however
    the plan numbered them.
    """
    if not problem.interchangeable:
        return labels
    k, nesting = problem.n_grids, problem.nesting
    pair = nesting.region.astype(np.int64) * k + labels
    seen, first, inverse = np.unique(pair, return_index=True, return_inverse=True)
    region = seen // k
    order = np.lexsort((first, region))
    starts = np.searchsorted(region, np.arange(nesting.n_regions))
    rank = np.empty(len(seen), dtype=np.int64)
    rank[order] = np.arange(len(seen)) - starts[region[order]]
    rows = np.argsort(nesting.grid_region, kind="stable")
    counts = np.bincount(nesting.grid_region, minlength=nesting.n_regions)
    at = np.minimum((np.cumsum(counts) - counts)[region] + rank, k - 1)
    row = np.where(rank < counts[region], rows[at], -1)
    return row[inverse].astype(np.int32)


@dataclass(frozen=True)
class Request:
    """What the caller asked for."""

    seconds: float | None
    steps: int | None
    seed: int
    workers: int | None
    effort: str
    prove: bool
    default_seconds: float | None = DEFAULT_SECONDS

    def validate(self) -> None:
        """Refuse what makes no sense."""
        if self.seconds is not None and not (_is_real(self.seconds) and 0 < self.seconds < float("inf")):
            raise InputError(f"seconds is {self.seconds!r}; give a number above 0, such as seconds=10.")
        for name, value, least in (("steps", self.steps, 1), ("workers", self.workers, 1), ("seed", self.seed, 0)):
            if value is None and name != "seed":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"{name} is {value!r}; give a whole number of at least {least}.")
            if value > MOST:
                raise InputError(f"{name} is {value}; give at most {MOST}.")
        if self.effort not in EFFORTS:
            raise InputError(f"effort is {self.effort!r}. {nearest_names(str(self.effort), EFFORTS)}")

    def budget(self, spent: float) -> Budget:
        """Return the budget of the search, after `spent` seconds of preparation."""
        neither = self.seconds is None and self.steps is None
        seconds = self.default_seconds if neither else None if self.seconds is None else float(self.seconds)
        return Budget(
            None if seconds is None else max(1e-3, seconds - spent), None if self.steps is None else int(self.steps)
        )

    def packing(self, n: int) -> Packing:
        """Return how hard to look for a bound: a few hundredths of the time, a fixed share of the steps."""
        if self.seconds is None and self.steps is not None:
            return Packing(min(MOST_VISITS, max(VISITS, self.steps / (STEPS_A_VISIT * n))))
        seconds = self.seconds or self.default_seconds
        return Packing(MOST_VISITS if seconds is None else min(MOST_VISITS, VISITS_A_SECOND * float(seconds) / n))

    def n_workers(self) -> int:
        """Return the number of threads."""
        if self.workers is not None:
            return int(self.workers)
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def parameters(self) -> dict[str, Any]:
        """Return what was asked for, for the record."""
        asked = {name: getattr(self, name) for name in ("seconds", "steps", "workers", "effort", "prove")}
        if self.seconds is None and self.steps is None:
            asked["seconds"] = self.default_seconds
        return asked

    def result(
        self,
        problem: Problem,
        status: Status,
        reason: str,
        began: float,
        timings: dict[str, float],
        **found: Any,
    ) -> Result:
        """Return a result with everything that is the same whatever was found, and how even a plan can be."""
        sound = status in (Status.FEASIBLE, Status.OPTIMAL)
        least = least_imbalance(problem, thorough=self.prove or not sound)
        timings["total"] = time.perf_counter() - began
        return Result(
            status=status,
            reason=reason,
            imbalance_bound=least,
            seed=int(self.seed),
            parameters=self.parameters(),
            versions=dict(_versions()),
            timings=timings,
            **found,
        )


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@cache
def _versions() -> dict[str, str]:
    from gridopt import __version__

    names = ("numpy", "numba", "scipy", "ortools")
    return {"gridopt": __version__, "python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in names
    }


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
    hopeless = errors
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
        told = found + exceptions
        return request.result(problem, Status.NO_PLAN, reason, began, timings, bound=bound, exceptions=told)
    labels = regions.stitch({r: o.labels for r, o in outcomes.items() if o.labels is not None})
    if order is not None:
        labels = labels[np.argsort(order)]
    plan = Plan(problem, labels).canonical()
    broken = verify(problem, plan)
    violation, cost = total_violation(problem, plan.labels), cost_of(problem, plan.labels)
    _compare(plan, broken, violation, cost, regions, outcomes, order)
    proved = all(o.status == "optimal" for o in outcomes.values())
    bound = cost if proved and not broken else _bound(regions, bounds, outcomes, problem.soft)
    if bound > cost and not broken:
        raise InternalError(f"the search proved a cost of at least {bound}, but its own sound plan costs {cost}.")
    proved = proved or (bound == cost and not any(o.violation for o in outcomes.values()))
    status, reason = status_of(problem, broken, violation, proved, stopped)
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
        exceptions=hopeless + tuple(broken) + _missed_wishes(plan) + exceptions,
    )


def status_of(
    problem: Problem, broken: list[Finding], violation: int, proved: bool, stopped: bool
) -> tuple[Status, str]:
    """Return what a plan is worth, and say it."""
    ended = " The search was stopped." if stopped else ""
    if broken:
        return Status.VIOLATED, f"The best plan found breaks {len(broken)} limits or locks; first, {broken[0]}{ended}"
    wishes = f"limits are wishes, missed by {violation / 1e4:.2f} % of a target in all" if violation else ""
    if proved:
        return Status.OPTIMAL, f"No sound plan costs less: proved{'; ' if wishes else ''}{wishes}."
    if wishes:
        return Status.FEASIBLE, f"Contiguous; {wishes}.{ended}"
    return Status.FEASIBLE, f"Contiguous, and every grid is within its limits.{ended}"


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
    apart = sum(f.code == "not-apart" for f in broken)
    if claimed == 0 and (broken and not plan.problem.soft):
        raise InternalError(f"the search took an unsound plan for sound: {broken[0]}", broken)
    if not apart and claimed != violation:
        raise InternalError(f"the search counted a violation of {claimed} millionths, the rules {violation}.")
    outside = cost - sum(o.cost for o in outcomes.values())
    fixed_part = regions.constant_cost(plan.labels if order is None else plan.labels[order])
    if outside != fixed_part:
        raise InternalError(f"the search counted a cost of {cost - outside + fixed_part}, the rules {cost}.")


def _bound(regions: Regions, bounds: CostBounds, outcomes: dict[int, RegionOutcome], soft: bool) -> int:
    """Return a proved lower bound: of each region the best there is, and what every plan costs."""
    total = regions.constant_cost(None)
    for region, outcome in outcomes.items():
        if soft and (outcome.violation or outcome.labels is None):  # plans outside the limits count
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
    if not rows or rows[-1].cost != cost or bound is not None:
        rows.append(Step(step, seconds, cost, violation, bound))
    return tuple(_changes(rows))


def _changes(rows: list[Step]) -> list[Step]:
    """Leave out rows that say the same as the one before."""
    return [row for i, row in enumerate(rows) if i == 0 or row[2:] != rows[i - 1][2:]]
