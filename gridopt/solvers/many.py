"""solve_many: thousands of small problems as the regions of one, so that none pays for what all share."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError, InternalError
from gridopt.model import Graph, Plan, Problem
from gridopt.model.problem import Nesting, grid_ids
from gridopt.model.result import Result, Step
from gridopt.rules.balance import imbalance, least_by_region
from gridopt.rules.check import check
from gridopt.rules.constraints import broken_limits, broken_locks, broken_shape, total_violation
from gridopt.rules.limits import limits_of
from gridopt.rules.necks import load_kernels
from gridopt.rules.objective import cost as cost_of
from gridopt.rules.view import View
from gridopt.solvers.bounds import CostBounds
from gridopt.solvers.campaign import Campaign
from gridopt.solvers.decompose.regions import Regions, decompose
from gridopt.solvers.judge import bounds_of_open, judge, not_proved, proved_cost, status_of
from gridopt.solvers.outright import RegionOutcome
from gridopt.solvers.request import EFFORTS, Request
from gridopt.solvers.solve import order_by_id, solve
from gridopt.solvers.stages import OnProgress, Progress

__all__ = ["solve_many"]

FOR_RESULTS, MOST_FOR_RESULTS, JUDGING = 0.02, 0.5, 5.0
"""Share of a budget of seconds held back to judge the plans, and at most; and multiples of the time of preparation."""
SOUND, WHOLE = 2, 1
"""What may be sure of a plan, see `_states`."""
SECONDS_TO_CHECK = 0.02
"""Where less is left, a plan outside its limits is not explained by certificates."""


def solve_many(
    problems: Iterable[Problem],
    *,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    effort: str = "balanced",
    prove: bool = False,
    on_progress: OnProgress | None = None,
) -> list[Result]:
    """
    Solve many problems at once: some 500 a second and core where grids have about six units, some ten where more.

    Parameters
    ----------
    problems : iterable of Problem
        From `build_problem`; of any kinds and sizes.
    seconds : float, optional
        Wall time for all together. Default none: each search ends by itself, which takes long where grids have eight
        units or more: 300 problems of 40 units were solved within their limits in 2 s, and took 20 s without a limit.
    steps : int, optional
        Candidate moves to examine for all together, shared out by units. They reproduce, as in `solve`.
    seed, workers, effort, prove, on_progress
        As in `solve`; regions in `Progress` are those of all problems.

    Returns
    -------
    list of Result
        One for each problem, in their order; ``timings`` are those of the whole call.

    Raises
    ------
    InputError
        If one of `problems` is none, naming its position; if budget, seed, workers or effort make no sense.

    Notes
    -----
    Problems that ask for the same terms become regions of one problem: what is done once for it, in numpy, would take
    a millisecond or two for each. Those with inertia or prices by unit and grid are solved one after the other.

    Examples
    --------
    >>> import gridopt as go
    >>> path = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)], costs=[4, 9, 2])
    >>> problems = [go.build_problem(path, workload=[1, w, 1, 1], n_grids=2, tolerance=0.5) for w in (1, 2, 3)]
    >>> [(str(result.status), result.cost) for result in go.solve_many(problems)]
    [('OPTIMAL', 2), ('OPTIMAL', 9), ('OPTIMAL', 9)]
    """
    from gridopt.solvers.warm import compile

    began = time.perf_counter()
    if isinstance(problems, Problem):
        raise InputError("problems is a single Problem; give a list of them, such as [problem], or call solve.")
    given = list(problems)
    for i, problem in enumerate(given):
        if not isinstance(problem, Problem):
            raise InputError(f"problems[{i}] is a {type(problem).__name__}; give Problems, made by build_problem.")
    request = Request(seconds, steps, seed, workers, effort, prove, default_seconds=None)
    request.validate()
    timings = {"compile": load_kernels() + compile()}
    ends = None if seconds is None else began + timings["compile"] + seconds
    found: dict[int, Result] = {}
    kinds: dict[Any, list[int]] = {}
    for i, problem in enumerate(given):
        kinds.setdefault(_kind(problem, i), []).append(i)
    units, total = 0, max(1, sum(p.n_units for p in given))

    def between(progress: Progress) -> bool | None:
        """Pass on all but the last calls of the parts: there is one for all."""
        return None if progress.is_last or on_progress is None else on_progress(progress)

    for members in kinds.values():
        own = sum(given[i].n_units for i in members)
        left = None if ends is None else max(1e-3, (ends - time.perf_counter()) * own / (total - units))
        share = None if steps is None else max(1, int(steps) * own // total)
        part = replace(request, seconds=left, steps=share).begun(time.perf_counter())
        results = _solve_alike([given[i] for i in members], part, None if on_progress is None else between)
        found.update(zip(members, results))
        units += own
    timings["total"] = time.perf_counter() - began
    parameters = request.parameters()
    if on_progress is not None:
        last = [found[i].trace[-1] for i in range(len(given)) if found[i].trace]
        count = sum(int((np.bincount(p.nesting.grid_region) > 1).sum()) for p in given)
        spent = timings["total"] - timings["compile"]
        step, violation = sum(row.step for row in last), sum(row.violation for row in last)
        on_progress(Progress(step, spent, None, violation, 1.0, count, count, is_last=True))
    return [replace(found[i], timings=timings, parameters=parameters) for i in range(len(given))]


def _kind(problem: Problem, position: int) -> Any:
    """Problems of equal kinds can be regions of one problem."""
    return (
        position if _is_alone(problem) else -1,
        problem.n_attributes,
        tuple(sorted(problem.objective.items())),
        problem.soft,
        problem.interchangeable,
        problem.incumbent is not None,
        problem.edge_cost is not None,
    )


def _is_alone(problem: Problem) -> bool:
    """Whether a term rests on the whole territory, or on all its grids."""
    return bool(problem.objective.get("inertia")) or problem.unit_cost is not None


def _solve(problem: Problem, request: Request, on_progress: OnProgress | None = None) -> Result:
    """Solve a problem by itself."""
    return solve(
        problem, seconds=request.seconds, steps=request.steps, seed=request.seed, workers=request.workers,
        effort=request.effort, prove=request.prove, on_progress=on_progress,
    )  # fmt: skip


def _solve_alike(problems: list[Problem], request: Request, on_progress: OnProgress | None) -> list[Result]:
    """Solve problems of one kind as the regions of one problem."""
    if _is_alone(problems[0]):
        return [_solve(problems[0], request, on_progress)]
    began = time.perf_counter()
    orders = [order_by_id(p) for p in problems]
    arranged = [p if order is None else p.reordered(order) for p, order in zip(problems, orders)]
    union = _joined(arranged)
    regions = decompose(union)
    prepared = time.perf_counter() - began
    whole = request.seconds or 0.0
    back = min(MOST_FOR_RESULTS * whole, JUDGING * prepared + FOR_RESULTS * whole)
    campaign = Campaign(
        regions, request.budget(prepared + back), request.seed, request.n_workers(),
        EFFORTS[request.effort], request.prove, on_progress,
    )  # fmt: skip
    unjoined = any(f.severity == "error" for f in regions.findings)
    outcomes = {} if unjoined else campaign.run(None)
    first = np.concatenate([[0], np.cumsum([p.nesting.n_regions for p in problems])])
    of_problem: list[dict[int, RegionOutcome]] = [{} for _ in problems]
    place = np.repeat(np.arange(len(problems)), np.diff(first))
    for r in sorted(outcomes):
        of_problem[place[r]][r - int(first[place[r]])] = outcomes[r]
    joined, state = (
        (np.empty(0, np.int32), np.zeros(len(problems), np.int64))
        if unjoined
        else _states(union, regions, outcomes, place)
    )
    bounds = bounds_of_open(regions, outcomes, request)
    results = []
    by_region = least_by_region(View.of(union), sums=True)
    start = np.concatenate([[0], np.cumsum([p.n_units for p in problems])])
    grids = np.concatenate([[0], np.cumsum([p.n_grids for p in problems])])
    for i, problem in enumerate(problems):
        own, of_own = of_problem[i], slice(first[i], first[i + 1])
        least = CostBounds(bounds.free[of_own], bounds.within[of_own])
        even = max((by_region.get(r, 0.0) for r in range(first[i], first[i + 1])), default=0.0)
        if state[i] == SOUND or (state[i] == WHOLE and _is_hurried(problem, own, request)):
            labels = joined[start[i] : start[i + 1]] - grids[i]
            labels = labels if (order := orders[i]) is None else labels[np.argsort(order)]
            in_order = order is None and problem.nesting.n_regions == 1
            unproved = not_proved(arranged[i], own) if request.prove else ()
            plan = Plan(problem, labels) if in_order else Plan(problem, labels).canonical()
            is_sound, stopped = state[i] == SOUND, campaign.stopped
            results.append(_result(plan, is_sound, own, least, even, request, stopped, unproved))
        else:
            results.append(_one_by_one(problem, arranged[i], orders[i], own, least, request, campaign, unjoined))
    return results


def _joined(problems: list[Problem]) -> Problem:
    """One problem of which these are the regions."""
    units = np.cumsum([0] + [p.n_units for p in problems])
    grids = np.cumsum([0] + [p.n_grids for p in problems])
    regions = np.cumsum([0] + [p.nesting.n_regions for p in problems])
    compounds = np.cumsum([0] + [int(p.together.max(initial=-1)) + 1 for p in problems])

    def stacked(name: str, offsets: NDArray[np.int64]) -> NDArray[Any]:
        """Arrays one below the other; what is not negative moves by the offset of its problem."""
        arrays = [getattr(p, name) for p in problems]
        whole = np.concatenate(arrays).astype(np.int64)
        moved = np.repeat(offsets[:-1], [len(a) for a in arrays])
        return np.where(whole >= 0, whole + moved.reshape((-1,) + (1,) * (whole.ndim - 1)), whole)

    edges = [p.graph.edges.astype(np.int64) + first for p, first in zip(problems, units)]
    graph = Graph(
        edges=np.concatenate(edges),
        length=np.concatenate([p.graph.length for p in problems]),
        cost=np.concatenate([p.graph.cost for p in problems]),
        kind=np.concatenate([p.graph.kind for p in problems]),
        ids=np.arange(units[-1]),
        class_length=np.empty((sum(map(len, edges)), 0), dtype=np.int64),
    )
    nesting = Nesting(
        region=np.concatenate([p.nesting.region + first for p, first in zip(problems, regions)]),
        grid_region=np.concatenate([p.nesting.grid_region + first for p, first in zip(problems, regions)]),
        region_parent=np.zeros(regions[-1], dtype=np.int32),
        parents=np.empty(0, dtype=object),
        reason=tuple(reason for p in problems for reason in p.nesting.reason),
    )
    model = problems[0]
    return replace(
        model,
        graph=graph,
        nesting=nesting,
        workload=np.concatenate([p.workload for p in problems]),
        lo=np.concatenate([p.lo for p in problems]),
        hi=np.concatenate([p.hi for p in problems]),
        target=np.concatenate([p.target for p in problems]),
        fixed=stacked("fixed", grids),
        together=stacked("together", compounds),
        apart=stacked("apart", units),
        edge_cost=None if model.edge_cost is None else np.concatenate([np.asarray(p.edge_cost) for p in problems]),
        incumbent=None if model.incumbent is None else stacked("incumbent", grids),
        findings=(),
        parameters={},
    )


def _states(
    union: Problem, regions: Regions, outcomes: dict[int, RegionOutcome], place: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """
    Labels of all units, and what is sure of the plan of each problem.

    It is `SOUND`, or `WHOLE`: it has the right shape and keeps all locks, but not the limits. Else 0.
    """
    whole, parts = np.ones(int(place[-1]) + 1, dtype=bool), {}
    for r, outcome in outcomes.items():
        nodes = int(regions.first_node[r + 1] - regions.first_node[r])
        parts[r] = np.zeros(nodes, dtype=np.int32) if outcome.labels is None else outcome.labels
        whole[place[r]] &= outcome.labels is not None
    labels = regions.stitch(parts)
    lo, hi, _ = limits_of(union, labels)
    loads = np.zeros_like(lo)
    np.add.at(loads, labels, union.workload)
    region = union.nesting.grid_region.astype(np.int64)
    region[labels] = union.nesting.region
    whole[place[np.array(sorted(regions.narrowed), dtype=np.int64)]] = False
    number = {name: g for g, name in enumerate(grid_ids(union.n_grids))}
    for finding in broken_shape(union, labels) + broken_locks(union, labels):
        about = finding.ids[0]
        whole[place[region[number[about]] if about in number else union.nesting.region[int(about)]]] = False
    within = np.ones(len(whole), dtype=bool)
    within[place[region[((loads < lo) | (loads > hi)).any(axis=1)]]] = False
    return labels, np.where(whole, np.where(within, SOUND, WHOLE), 0)


def _is_hurried(problem: Problem, outcomes: dict[int, RegionOutcome], request: Request) -> bool:
    """Whether a plan outside its limits is told as it is: there is no time for certificates, and nothing is proved."""
    left = request.seconds_left()
    is_late = left is not None and left < SECONDS_TO_CHECK
    return is_late and not problem.soft and all(o.status == "open" for o in outcomes.values())


def _result(
    plan: Plan,
    is_sound: bool,
    outcomes: dict[int, RegionOutcome],
    bounds: CostBounds,
    even: float,
    request: Request,
    stopped: bool,
    unproved: tuple[Finding, ...],
) -> Result:
    """Result of a problem whose plan has the right shape and keeps its locks, and its limits where it is sound."""
    problem = plan.problem
    cost, own = cost_of(problem, plan.labels), outcomes.values()
    bound = cost - sum(o.cost for o in own)  # what no search touches
    for region, outcome in outcomes.items():
        bound += proved_cost(outcome, int(bounds.within[region]))
    if is_sound and bound > cost:
        raise InternalError(f"the search proved a cost of at least {bound}, but its own sound plan costs {cost}.")
    broken = [] if is_sound else broken_limits(problem, plan.labels, plan.grid_ids)
    violation = 0 if is_sound else total_violation(problem, plan.labels)
    proved = is_sound and bound == cost
    status, reason = status_of(problem, broken, violation, proved, stopped)
    trace = (Step(sum(o.steps for o in own), 0.0, cost, violation, bound if proved else None),)
    return request.result(
        problem, status, reason, 0.0, {}, even, plan=plan, cost=cost, bound=bound, imbalance=imbalance(plan),
        trace=trace, exceptions=tuple(broken) + problem.findings + (() if proved else unproved),
    )  # fmt: skip


def _one_by_one(
    problem: Problem,
    arranged: Problem,
    order: NDArray[np.int64] | None,
    outcomes: dict[int, RegionOutcome],
    bounds: CostBounds,
    request: Request,
    campaign: Campaign,
    unjoined: bool,
) -> Result:
    """Judge a problem by itself, as `solve` does; solve it again where the others kept it from being searched."""
    if unjoined:
        return _solve(problem, request)
    left = request.seconds_left()
    findings = list(problem.findings) if left is not None and left < SECONDS_TO_CHECK else check(problem)
    errors = tuple(f for f in findings if f.severity == "error")
    told: tuple[Finding, ...] = tuple(f for f in findings if f.severity != "error")
    regions = decompose(arranged)
    own = {r: replace(o, region=r) for r, o in outcomes.items()}
    began = time.perf_counter()
    told += regions.findings
    return judge(request, problem, order, regions, bounds, campaign.stopped, own, errors, told, began, {})
