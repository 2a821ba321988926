"""Outright: small regions solved by listing all parts they could have, slices of them side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.decompose.regions import Regions
from gridopt.solvers.pieces import Effort
from gridopt.solvers.tiny import INFEASIBLE, NEAR, OPTIMAL, Tiny, lay_out

__all__ = ["Known", "RegionOutcome", "solve_outright"]

PROOF_SHARE = 0.5
"""Share of a budget of seconds that is left to proofs, where they are wanted."""
OUTRIGHT_SHARE = 0.95
"""Share of a budget of seconds, or of what proofs leave of it, that is for this."""
HELD_BACK = 0.15
"""Share of a budget kept for regions that break limits: to search them again, or hand them to the exact solver."""
SETS_PER_EFFORT, LEAST_SETS, STEPS_PER_SECOND, TINY_SHARE = 250, 4_000_000, 1e7, 0.5
"""Steps a region may take to be solved outright: so many times the steps a node is given by the effort, at least the
second number, at most this share of a budget; a slow core makes so many a second."""
FIRST_LOOK, LEAST_LOOK = 1 / 16, 20_000
"""Share of these steps after which parts are too large to be listed; where there are some, at least so many steps, but
no more than half of all."""
MOVES, SKETCH_SHARE, FEWEST_MOVES = 2000, 0.25, 100
"""Moves to sketch a region, at most this share of its steps; and where the time is over."""
STEPS_TO_TELL = 2_000_000
"""Steps made after which they tell how fast this machine is."""
FOR_HARD = 0.1
"""Share of the time left to the regions of which no sound plan was found at once."""
SLICE, STEPS_BETWEEN_LOOKS, SHARES = 64, 500_000, 4
"""Regions at most, and steps about, between two looks at the clock; what a region may take where time is short, in
equal shares of what is left for all that wait."""
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
    """What is known of a region not solved outright: a plan and its price, steps made, a bound, that none is sound."""

    labels: NDArray[np.int32] | None = None
    violation: int = 0
    cost: int = 0
    steps: int = 0
    bound: int | None = None
    refuted: bool = False

    @property
    def start(self) -> NDArray[np.int32] | None:
        """A plan worth beginning with: one that is sound."""
        return None if self.violation else self.labels


def solve_outright(
    regions: Regions,
    clock: Clock,
    effort: Effort,
    prove: bool,
    workers: int,
    seed: int,
    start: NDArray[np.int32] | None,
    watch: Callable[[int, int], bool],
) -> tuple[dict[int, RegionOutcome], dict[int, Known], int] | None:
    """
    Solve what can be solved outright; None where there is nothing of the kind.

    Each region is brought near its optimum first; those that are not are given some plan at once; then what is left
    goes to those without a sound plan, and to proofs.

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
        but the problem, the effort, the seed and the start.
    """
    tiny = lay_out(regions)
    if tiny is None:
        return None
    if start is not None:
        tiny.begin_with(start)
    most, found = _most_steps(tiny, clock, effort), tiny.found
    short = (most * FIRST_LOOK).astype(np.int64)
    look = np.where(most < LEAST_LOOK // 4, short, np.minimum(most // 2, np.maximum(LEAST_LOOK, short)))
    moves = np.minimum(MOVES, (most * SKETCH_SHARE).astype(np.int64))
    run = _Passes(tiny, clock, workers, watch, PROOF_SHARE if prove else 1.0)
    run.over(np.arange(len(tiny)), look, lambda chosen, own: tiny.solve(chosen, own, False), MOVES)
    can_be_sketched = moves >= np.diff(tiny.atlas.first_node)
    rest = np.flatnonzero(~tiny.has_plan() & can_be_sketched)
    run.over(rest, moves, lambda chosen, own: tiny.sketch(chosen, own, seed), None)
    patient = prove or effort.steps_per_node >= LEAST_TO_PROVE
    for lacking in (True, False):
        rest = np.flatnonzero(tiny.may_go_on(patient) & (tiny.has_plan() != lacking))
        run.over(rest, most - found.steps, lambda chosen, own: tiny.solve(chosen, own, patient), 0)
    return *_collect(tiny, regions.narrowed, prove), int(found.steps.sum())


@dataclass
class _Passes:
    """
    Passes over regions, slice by slice and side by side, as long as there is time; only sketches are always made.

    How many steps there is time for is told by those made so far, at most `STEPS_PER_SECOND` by each worker: other work
    on the machine slows this down.
    """

    tiny: Tiny
    clock: Clock
    workers: int
    watch: Callable[[int, int], bool]
    share: float
    stopped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    began: float = field(default_factory=time.perf_counter)

    def steps_left(self) -> tuple[float, float]:
        """Steps all workers can make until the time for this is over, and could make in all of it."""
        seconds = self.clock.budget.seconds
        if seconds is None:
            return np.inf, np.inf
        ends = seconds * OUTRIGHT_SHARE * self.share
        rate, made = STEPS_PER_SECOND * self.workers, int(self.tiny.found.steps.sum())
        if made > STEPS_TO_TELL:
            rate = min(rate, made / (time.perf_counter() - self.began))
        return rate * (ends - self.clock.seconds()), rate * ends

    def over(
        self,
        wanted: NDArray[np.int64],
        most: NDArray[np.int64],
        work: Callable[[NDArray[np.int64], NDArray[np.int64]], None],
        reserve: int | None,
    ) -> None:
        """
        Let `work` treat the regions at positions `wanted`, within `most` steps each (t,).

        For each region that has no plan yet, `reserve` steps are left for later, and if it is not 0 `FOR_HARD`; None:
        all are treated, be it with few steps, even where the time is over or the search was stopped.
        """
        chain = self._slices(wanted, most, reserve)

        def treat() -> None:
            finished = False
            try:
                while True:
                    with self.lock:
                        chosen, own = next(chain, (None, most))
                    if chosen is None:
                        break
                    work(chosen, own)
                    with self.lock:
                        self._look()
                finished = True
            finally:
                if not finished:  # an error, perhaps of the callback: the other slices need not go on
                    self.stopped = True

        with ThreadPoolExecutor(self.workers, thread_name_prefix="gridopt") as pool:
            for task in [pool.submit(treat) for _ in range(self.workers)]:
                task.result()

    def _slices(
        self, wanted: NDArray[np.int64], most: NDArray[np.int64], reserve: int | None
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the next regions, and how many steps each may take: a few shares of what is left of the time."""
        at = 0
        while at < len(wanted) and not (self.stopped and reserve is not None):
            (left, whole), own, waiting = self.steps_left(), most, len(wanted) - at
            if reserve is None:
                own = np.minimum(most, int(max(FEWEST_MOVES, min(MOVES, left / waiting))))
            elif left < np.inf:
                if reserve:
                    left -= FOR_HARD * whole + min(whole / 2, reserve * int((~self.tiny.has_plan()).sum()))
                if left <= 0:
                    return
                share = min(TINY_SHARE * left / self.workers, SHARES * left / waiting)
                own = np.minimum(most, int(max(LEAST_LOOK, share)))
            size = max(1, min(SLICE, int(STEPS_BETWEEN_LOOKS / max(1, own[wanted[at]]))))
            chosen = wanted[at : at + size]
            at += len(chosen)
            yield chosen, own

    def _look(self) -> None:
        """Tell the watcher what was done; it may stop what goes on."""
        found = self.tiny.found
        solved = int(((found.status == OPTIMAL) | (found.status == NEAR)).sum())
        self.stopped = self.watch(int(found.steps.sum()), solved) or self.stopped


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
    has_plan, base, found = tiny.has_plan().tolist(), tiny.base.tolist(), tiny.found
    status, cost, bound, steps, miss, paid = (
        x.tolist() for x in (found.status, found.cost, found.bound, found.steps, found.miss, found.paid)
    )
    done, known = {}, {}
    for i, region in enumerate(tiny.regions.tolist()):
        own, certain = labels[first[i] : first[i + 1]], region not in narrowed
        least = bound[i] + base[i] if certain else None
        if has_plan[i] and (status[i] == OPTIMAL or (status[i] == NEAR and not prove)):
            price, state = cost[i] + base[i], "optimal" if certain and status[i] == OPTIMAL else "open"
            done[region] = RegionOutcome(region, own, 0, price, [], steps[i], (0, price), least, state)
        else:
            plan, price = (None, 0) if own[0] < 0 else (own, (cost[i] if has_plan[i] else paid[i]) + base[i])
            refuted = certain and status[i] == INFEASIBLE
            known[region] = Known(plan, miss[i] if own[0] >= 0 else 0, price, steps[i], least, refuted)
    return done, known
