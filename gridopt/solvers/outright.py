"""Outright: small regions solved by listing all parts they could have, slices of them side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.decompose.regions import Regions
from gridopt.solvers.pieces import Effort
from gridopt.solvers.tiny import INFEASIBLE, NEAR, OPTIMAL, Tiny, lay_out

__all__ = ["Known", "RegionOutcome", "solve_outright"]

PROOF_SHARE = 0.5
"""Share of a budget of seconds that is left to proofs, where they are wanted."""
HELD_BACK = 0.15
"""Share of a budget kept for regions that break limits: to search them again, or hand them to the exact solver."""
SETS_PER_EFFORT, LEAST_SETS, STEPS_PER_SECOND, TINY_SHARE = 250, 4_000_000, 1e7, 0.5
"""Steps a region may take to be solved outright: so many times the steps a node is given by the effort, at least the
second number, at most this share of a budget; a slow core makes so many a second."""
SLICE, HURRY = 64, 0.1
"""Regions solved outright between two looks at the clock; the search may lag behind it by so much before proofs are
left out."""
STEPS_BETWEEN_LOOKS, LEAST_STEPS, SHARES = 2_000_000, 20_000, 4
"""Where time is short: steps between two looks at the clock, about; the least a region may take; and the most, in equal
shares of what is left for all that wait."""
LEAST_TO_PROVE = 10_000
"""Steps for each node from which on an effort is worth proofs: fast is not."""


@dataclass(frozen=True, eq=False)
class RegionOutcome:
    """
    What became of a region: `Outcome`, and what is proved.

    ``status`` is ``"optimal"`` (where limits are wishes: least violation first), ``"infeasible"`` (no plan is within
    limits) or ``"open"``; `least` the proved least violation, None where it is not known; `unproved` why a proof that
    was looked for did not come.
    """

    region: int
    labels: NDArray[np.int32] | None
    violation: int
    cost: int
    trace: list[tuple[int, float, int, int]]
    steps: int
    first: tuple[int, int]
    bound: int | None
    status: str = "open"
    reason: str = ""
    least: int | None = None
    unproved: str = ""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of a region that could not be solved outright: a plan, steps spent, a bound, that there is none."""

    labels: NDArray[np.int32] | None = None
    steps: int = 0
    bound: int | None = None
    refuted: bool = False


def solve_outright(
    regions: Regions,
    clock: Clock,
    effort: Effort,
    prove: bool,
    workers: int,
    start: NDArray[np.int32] | None,
    watch: Callable[[int, int], bool],
) -> tuple[dict[int, RegionOutcome], dict[int, Known], int] | None:
    """
    Solve what can be solved outright; None where there is nothing of the kind.

    Parameters
    ----------
    start : ndarray of int32, optional
        Part of each node in a plan to begin with, or -1.
    watch : callable
        Looked at after each slice with the steps made and the regions solved so far; True stops.

    Returns
    -------
    (dict, dict, int)
        Outcomes of the regions solved; what is known of others; steps. With a budget of steps they depend on nothing
        but the problem, the effort and the start.
    """
    tiny = lay_out(regions)
    if tiny is None:
        return None
    if start is not None:
        tiny.begin_with(start)
    seconds = clock.budget.seconds
    ends = None if seconds is None else seconds * (1 - HELD_BACK) * (PROOF_SHARE if prove else 1.0)
    most, stopped, lock, total = _most_steps(tiny, clock, effort), threading.Event(), threading.Lock(), [0, 0]
    patient = prove or effort.steps_per_node >= LEAST_TO_PROVE
    following = [0]

    def slices() -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the next regions, and how many steps each may take: a few shares of what is left of the time."""
        while following[0] < len(tiny) and not stopped.is_set():
            first, own, size = following[0], most, SLICE
            if ends is not None:
                left = STEPS_PER_SECOND * (ends - clock.seconds())
                if left <= 0:
                    return
                share = int(min(TINY_SHARE * left, SHARES * left * workers / (len(tiny) - first)))
                own = np.minimum(most, max(LEAST_STEPS, share))
                size = max(1, min(SLICE, int(STEPS_BETWEEN_LOOKS / own.max())))
            following[0] = min(first + size, len(tiny))
            yield np.arange(first, following[0]), own

    chain = slices()

    def solve() -> None:
        finished = False
        try:
            while not stopped.is_set():
                with lock:
                    chosen, own = next(chain, (None, most))
                if chosen is None:
                    break
                used = 0.0 if ends is None else clock.seconds() / ends
                tiny.solve(chosen, own, prove or (patient and used <= HURRY + chosen[0] / len(tiny)))
                with lock:
                    total[0] += int(tiny.steps[chosen].sum())
                    total[1] += int(np.isin(tiny.status[chosen], (OPTIMAL, NEAR)).sum())
                    if watch(total[0], total[1]):
                        return
            finished = True
        finally:
            if not finished:  # stopped, or an error, perhaps of the callback: the other slices need not go on
                stopped.set()

    with ThreadPoolExecutor(workers, thread_name_prefix="gridopt") as pool:
        for task in [pool.submit(solve) for _ in range(workers)]:
            task.result()
    return *_collect(tiny, regions.narrowed, prove), total[0]


def _most_steps(tiny: Tiny, clock: Clock, effort: Effort) -> NDArray[np.int64]:
    """Steps each region may take, shape (t,)."""
    most = max(LEAST_SETS, SETS_PER_EFFORT * effort.steps_per_node)
    budget = clock.budget
    if budget.seconds is not None:
        most = min(most, int(STEPS_PER_SECOND * budget.seconds * TINY_SHARE))
    if budget.steps is None:
        return np.full(len(tiny), most, dtype=np.int64)
    nodes = np.diff(tiny.atlas.first_node)
    return np.minimum(most, (budget.steps * TINY_SHARE * nodes / tiny.n_searched).astype(np.int64))


def _collect(tiny: Tiny, narrowed: frozenset[int], prove: bool) -> tuple[dict[int, RegionOutcome], dict[int, Known]]:
    """Sort out what was solved, and what is known of the rest."""
    labels, first = tiny.labels_of(), tiny.atlas.first_node.tolist()
    has_plan, base = tiny.has_plan().tolist(), tiny.base.tolist()
    status, cost, bound, steps = (x.tolist() for x in (tiny.status, tiny.cost, tiny.bound, tiny.steps))
    done, known = {}, {}
    for i, region in enumerate(tiny.regions.tolist()):
        own, certain = labels[first[i] : first[i + 1]], region not in narrowed
        least = bound[i] + base[i] if certain else None
        if has_plan[i] and (status[i] == OPTIMAL or (status[i] == NEAR and not prove)):
            price, state = cost[i] + base[i], "optimal" if certain and status[i] == OPTIMAL else "open"
            done[region] = RegionOutcome(region, own, 0, price, [], steps[i], (0, price), least, state)
        else:
            plan = own if has_plan[i] else None
            known[region] = Known(plan, steps[i], least, certain and status[i] == INFEASIBLE)
    return done, known
