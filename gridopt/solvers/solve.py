"""solve: problem -> result. Split into regions, search each, stitch, judge."""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.model import Problem
from gridopt.model.result import Result, Status
from gridopt.rules.check import check
from gridopt.rules.necks import load_kernels
from gridopt.rules.verify import labels_from
from gridopt.solvers.bounds import cost_bounds
from gridopt.solvers.campaign import Campaign
from gridopt.solvers.decompose.regions import decompose
from gridopt.solvers.judge import bounds_of_open, judge
from gridopt.solvers.request import DEFAULT_SECONDS, EFFORTS, Request
from gridopt.solvers.stages import OnProgress
from gridopt.solvers.tiny import MOST_NODES

__all__ = ["DEFAULT_SECONDS", "EFFORTS", "order_by_id", "solve", "solve_checked"]

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
JUDGING, JUDGING_A_REGION = 1.2, 6e-5
"""Seconds held back to judge the plan: multiples of what it took to decompose the problem, and for each region."""


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
        How soon a search ends by itself, whatever is left of the budget: after 2,000, 20,000 or 200,000 steps for each
        unit. Where the budget is spent first, ``fast`` and ``balanced`` are alike.
    start : Plan, Series of grid ids by unit id, or array_like of int, optional
        Plan to begin with; mended where it is not contiguous.
    prove : bool
        Also try to prove the plan optimal, or that there is none, with CP-SAT, for half the time where some region is
        small enough to hope for it; a finding ``not-proved`` says why a proof did not come. Where limits are wishes
        (`soft`) the least violation is proved first, then the cost. All regions are searched before any is proved.
    on_progress : callable, optional
        Called with a `Progress` between rounds, from the searching threads, one at a time; returning True ends the
        search with the best plan so far. After a search there is exactly one more call, with ``is_last`` and the final
        state.

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
    request = request.begun(began)
    initial = None if start is None else labels_from(problem, start)
    timings = {"compile": load_kernels()}
    return solve_checked(problem, request, check(problem), initial, on_progress, began, timings)


def solve_checked(
    problem: Problem,
    request: Request,
    findings: Sequence[Finding],
    initial: NDArray[np.int32] | None,
    on_progress: OnProgress | None,
    began: float,
    timings: dict[str, float],
) -> Result:
    """
    Solve a problem of which `check` has said what there is to say.

    Parameters
    ----------
    problem : Problem
    request : Request
        Valid, and begun.
    findings : sequence of Finding
        What `check` says.
    initial : ndarray of int32, shape (n,), optional
        Labels to start from.
    on_progress : callable, optional
    began : float
        When the call began, by `time.perf_counter`.
    timings : dict
        Seconds spent so far; "compile" among them. Added to.
    """
    errors = tuple(f for f in findings if f.severity == "error")
    exceptions = tuple(f for f in findings if f.severity != "error")
    if errors and not _worth_a_search(problem, errors):
        reason, told = str(errors[0]), errors + exceptions
        return request.result(problem, Status.INFEASIBLE, reason, began, timings, exceptions=told)
    from gridopt.solvers.warm import compile

    timings["compile"] += compile() + (_load_prover() if request.prove else 0.0)
    request = request.begun(began + timings["compile"])
    order = order_by_id(problem)
    arranged = problem if order is None else problem.reordered(order)
    decomposing = time.perf_counter()
    regions = decompose(arranged)
    decomposing = time.perf_counter() - decomposing
    if any(f.severity == "error" for f in regions.findings):
        reason = str(next(f for f in regions.findings if f.severity == "error"))
        told = regions.findings + exceptions
        return request.result(problem, Status.NO_PLAN, reason, began, timings, exceptions=told)
    large = np.flatnonzero(regions.node_counts() > MOST_NODES)  # others are likely to be proved by the search
    bounds = cost_bounds(regions, request.packing(problem.n_units), large) if len(large) else None
    timings["prepare"] = time.perf_counter() - began - timings["compile"]
    judging = JUDGING * decomposing + JUDGING_A_REGION * len(regions.searched)
    budget = request.budget(spent=timings["prepare"] + judging)
    campaign = Campaign(
        regions, budget, request.seed, request.n_workers(), EFFORTS[request.effort], request.prove, on_progress
    )
    if initial is not None:
        initial = _rows_of_start(arranged, initial if order is None else initial[order])
    outcomes = campaign.run(initial)
    timings["search"] = campaign.seconds
    bounds = bounds_of_open(regions, outcomes, request, bounds)
    told = exceptions + regions.findings
    result = judge(request, problem, order, regions, bounds, campaign.stopped, outcomes, errors, told, began, timings)
    campaign.report_last(result.cost, result.trace[-1].violation if result.trace else 0)
    return result


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
