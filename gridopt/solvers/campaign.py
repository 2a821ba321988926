"""Campaign: all regions of a problem within one budget, side by side where they are small."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InternalError
from gridopt.solvers.bounds import unit_bound
from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.decompose.regions import Regions
from gridopt.solvers.outright import HELD_BACK, PROOF_SHARE, Known, RegionOutcome, solve_outright
from gridopt.solvers.piece import Piece
from gridopt.solvers.pieces import Effort, Outcome, solve_piece
from gridopt.solvers.proofs import NO_TIME, Prover
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.stages import OnProgress, Progress

__all__ = ["Campaign", "RegionOutcome"]

LEAST_PROOF_SECONDS, PROVABLE_NODES = 0.8, 80
"""Regions that stay outside their limits are handed to the exact solver if they are small and so much time is left."""
BROKEN_EFFORT, MOST_BROKEN = 2.0, 20
"""Where the budget is in steps: deterministic seconds for each such region, and how many of them are handed over."""
STEPS_OF_EFFORT, LEAST_EFFORT = 300_000, 0.01
"""Nor may these regions together take more than a deterministic second for so many steps of the budget; regions that
would get less than the second number are not handed over."""
SECONDS_AFTER_STOP = 0.4
"""Seconds a stopped search may still take to bring its plan within limits."""
RETRIES, MOST_RETRIES, LEAST_SEARCH_SECONDS, MOST_POLISHED = 3, 100, 0.01, 500
"""Searches again of a region that breaks its limits among which what is left is shared, and how many there are at most
where they end by themselves; the least time worth a search of a region that has a plan; up to how many regions what is
left of the time goes to all of them."""
RETRY_SECONDS_PER_NODE = 1e-4
"""No region is searched again where less time is left."""
HOPELESS_STEPS_PER_NODE = 2000
"""Annealing of a region that is proved to have no plan within limits, so that the plan misses them by little."""
LISTED = "No plan exists: proved by listing every part it could have."
MOST_EXPLAINED, LONGEST_EXPLANATION = 20, 10.0
"""Where there are no more regions than this, the least violation of those without a plan is looked for, for so many
seconds at most each; elsewhere the violation of the plan that was found has to do."""
PROOF_EFFORT = 10.0
"""The exact solver's own deterministic seconds for the proof of a region where the budget is in steps."""
SMALL_SHARE = 0.2
"""Where few nodes lie in regions small enough for a proof, they get the share of so many."""
BETWEEN_REPORTS = 0.05
"""Seconds between two reports of progress while proofs are looked for."""


@dataclass
class Campaign:
    """One search of all regions of a problem."""

    regions: Regions
    budget: Budget
    seed: int
    workers: int
    effort: Effort
    prove: bool
    on_progress: OnProgress | None
    stopped: bool = False
    seconds: float = 0.0
    _cancel: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _done: dict[int, RegionOutcome] = field(default_factory=dict)
    _known: dict[int, Known] = field(default_factory=dict)
    _steps: int = 0
    _solved: int = 0
    _looked: float = 0.0
    _hold: float = 1.0
    _refused: dict[int, str] = field(default_factory=dict)

    def run(self, start: NDArray[np.int32] | None) -> dict[int, RegionOutcome]:
        """
        Search every region with several grids; return the outcome of each by region.

        The search runs beside the calling thread, which only waits: a KeyboardInterrupt ends the search, not the work
        in the middle of a round.
        """
        self._clock = self.budget.start()
        with ThreadPoolExecutor(1, thread_name_prefix="gridopt-search") as beside:
            search = beside.submit(self._search, start)
            while not search.done():
                try:
                    wait([search], timeout=0.2)
                except KeyboardInterrupt:
                    again = self._cancel.is_set()
                    self.stopped = True
                    self._cancel.set()
                    if again:
                        raise
            search.result()
        self.seconds = self._clock.seconds()
        return self._done

    def report_last(self, cost: int | None, violation: int) -> None:
        """Tell the final state: exactly once, when the outcomes are judged."""
        if self.on_progress is not None:
            count = len(self.regions.searched)
            steps = sum(o.steps for o in self._done.values())
            self.on_progress(Progress(steps, self._clock.seconds(), cost, violation, 1.0, count, count, is_last=True))

    def _search(self, start: NDArray[np.int32] | None) -> None:
        sizes = self.regions.node_counts()
        self._total = max(1, int(self.regions.sizes().sum()))
        self._prover = Prover(self.regions, self.seed, self._watch_proof)
        self._hold = 1.0 - self._share_of_proofs()
        local = None if start is None else self.regions.all_local_labels(start)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="gridopt") as pool:
            found = solve_outright(
                self.regions, self._clock, self.effort, self.prove, self.workers, self.seed, local, self._watch_outright
            )
            if found is not None:
                self._done, self._known, self._steps = found
            rest = [int(r) for r in self.regions.searched if int(r) not in self._done]
            rest.sort(key=lambda r: (-sizes[r], -self._known.get(r, Known()).violation, r))
            self._total = max(1, int(sizes[rest].sum()))
            large = [r for r in rest if self._is_large(int(sizes[r]))]
            small = [r for r in rest if not self._is_large(int(sizes[r]))]
            self._left = self._total
            self._budget_left = max(1, (self.budget.steps or 1) - self._steps)
            for region in large:
                self._one(region, local, pool, 1)
            self._side_by_side(small, local, pool)
            self._again(pool)
            if self.prove:
                self._prove_all(pool)
            self._prove_broken()
            self._explain_refuted()
            self._polish(pool)
            if self.stopped:
                self._mend_after_stop()

    def _share_of_proofs(self) -> float:
        """Share of a budget of seconds that is kept for proofs: none where no region is small enough for one."""
        if not self.prove or self.budget.seconds is None:
            return 0.0
        sizes = self.regions.node_counts()
        seconds = PROOF_SHARE * self.budget.seconds
        self._refused = {r: self._prover.refusal(r, seconds) for r in self.regions.searched.tolist()}
        small = [r for r, why in self._refused.items() if not why]
        nodes = float(sizes[small].sum()) / self._total
        return PROOF_SHARE * max(nodes, SMALL_SHARE) if small else 0.0

    def _again(self, pool: Executor) -> None:
        """Spend what was held back, and what others left, on regions that break their limits."""
        if self.budget.seconds is None and self.budget.steps is None:
            return
        for attempt in range(MOST_RETRIES):
            broken = [
                r for r, o in sorted(self._done.items()) if o.violation and o.labels is not None and o.status == "open"
            ]
            if not broken or self._cancel.is_set():
                break
            if not self._retry_all(broken, pool, attempt, self._hold / max(1, RETRIES - attempt)):
                break

    def _polish(self, pool: Executor) -> None:
        """Spend what is left on regions that break their limits, or else on all that are not proved."""
        if self.budget.seconds is None or (len(self.regions.searched) == 1 and not self.prove):
            return
        rest = [r for r, o in sorted(self._done.items()) if o.status == "open" and o.labels is not None]
        rest = [r for r in rest if self._done[r].violation] or rest
        if len(rest) <= MOST_POLISHED:
            self._retry_all(rest, pool, 1, 1.0)

    def _retry_all(self, regions: list[int], pool: Executor, attempt: int, part: float) -> int:
        """Search some regions again within a part of what is left of the budget; return how many."""
        sizes = {r: int(self.regions.first_node[r + 1] - self.regions.first_node[r]) for r in regions}
        total, steps, seconds, nodes = sum(sizes.values()), None, None, self.regions.node_counts()
        if self.budget.steps is not None:
            steps = int(part * max(0, self.budget.steps - self._steps))
        if self.budget.seconds is not None:
            seconds = part * self._clock.seconds_left()
        tasks = []
        for r in regions:
            share = sizes[r] / total
            own = None if steps is None else int(steps * share)
            wall = None if seconds is None else seconds * min(1.0, self.workers * share)
            least = max(LEAST_SEARCH_SECONDS, RETRY_SECONDS_PER_NODE * int(nodes[r]))
            if own == 0 or (wall is not None and wall < least) or self._cancel.is_set():
                continue
            if len(regions) == 1:
                self._retry(r, Budget(wall, own), attempt, pool)
                return 1
            tasks.append(pool.submit(self._retry, r, Budget(wall, own), attempt))
        for task in tasks:
            task.result()
        return len(tasks)

    def _prove_all(self, pool: Executor) -> None:
        """
        Look for a proof of every region that is open, a few side by side; where limits are wishes, of the nearest plan.

        Regions that break limits come first, then the smallest models: what these leave is shared by the others.
        """
        soft = self.regions.problem.soft
        least = {
            r: self._prover.least_seconds(r)
            for r, o in sorted(self._done.items())
            if o.status == "open" or (soft and o.status == "infeasible")
        }
        order = sorted(least, key=lambda r: (not self._done[r].violation, least[r], r))
        effort = None if self.budget.seconds is not None else PROOF_EFFORT
        lanes, rest = min(self.workers, len(order)), [sum(least.values())]

        def prove(region: int) -> None:
            with self._lock:
                before = rest[0]
                rest[0] -= least[region]
            left = self._clock.seconds_left()
            share = min(left, max(least[region], left * min(1.0, lanes * least[region] / before)))
            found, finished = self._done[region], False
            try:
                if self._cancel.is_set():
                    found = replace(found, unproved="the search was stopped")
                else:
                    found = self._prover.prove(found, share, effort, self.workers // lanes)
                if found.unproved == NO_TIME:
                    found = replace(found, unproved=self._refused.get(region) or NO_TIME)
                finished = True
            finally:
                if not finished:  # an error, perhaps of the callback: the other proofs need not go on
                    self._cancel.set()
            with self._lock:
                self._done[region] = found

        list(pool.map(prove, order))

    def _effort(self, count: int) -> float | None:
        """Deterministic seconds for each of `count` regions handed over where the budget is in steps."""
        if self.budget.seconds is not None:
            return None
        steps = float("inf") if self.budget.steps is None else self.budget.steps
        return min(BROKEN_EFFORT, steps / STEPS_OF_EFFORT / max(1, count))

    def _prove_broken(self) -> None:
        """Hand small regions that still break their limits to the exact solver, while the budget lasts."""
        sizes = self.regions.node_counts()
        broken = [
            r
            for r, o in sorted(self._done.items())
            if o.violation and o.status == "open" and not o.unproved and sizes[r] <= PROVABLE_NODES
        ][:MOST_BROKEN]
        effort = self._effort(len(broken))
        if effort is not None and effort < LEAST_EFFORT:
            return
        for i, region in enumerate(broken):
            left = self._clock.seconds_left()
            if self._cancel.is_set() or left < LEAST_PROOF_SECONDS:
                return
            share = max(LEAST_PROOF_SECONDS, left / (len(broken) - i))
            found = self._prover.prove(self._done[region], share, effort, self.workers)
            self._done[region] = found if self.prove else replace(found, unproved="")

    def _mend_after_stop(self) -> None:
        """Spend a moment more on regions that break limits when the search is stopped: a sound plan is worth it."""
        began = time.perf_counter()
        for region, before in sorted(self._done.items()):
            left = SECONDS_AFTER_STOP - (time.perf_counter() - began)
            if not before.violation or before.labels is None or before.status != "open" or left < 0.01:
                continue
            seed = self.seed + 104_729 * region + 2
            found = solve_piece(self.regions.piece(region), Budget(left), seed, self.effort, before.labels)
            if found.labels is not None and (found.violation, found.cost) < (before.violation, before.cost):
                last = before.trace[-1][1] if before.trace else 0.0
                self._done[region] = replace(
                    before,
                    labels=found.labels,
                    violation=found.violation,
                    cost=found.cost,
                    trace=[
                        *before.trace,
                        (before.steps + found.steps, last + SECONDS_AFTER_STOP - left, found.cost, found.violation),
                    ],
                    steps=before.steps + found.steps,
                )

    def _retry(self, region: int, budget: Budget, attempt: int, pool: Executor | None = None) -> None:
        """Search a region again, afresh and from its plan in turn; keep the better plan."""
        before = self._done[region]
        piece = self.regions.piece(region)
        seed = self.seed + 104_729 * region + 1 + attempt
        start = before.labels if attempt % 2 else None
        lanes = 1 if pool is None else self.workers
        outcome = solve_piece(piece, budget, seed, self.effort, start, pool, self._watch, lanes)
        was = before.violation, before.cost
        trace = [(before.steps + step, when, c, v) for step, when, c, v in outcome.trace if (v, c) < was]
        if outcome.labels is None or (outcome.violation, outcome.cost) >= was:
            found = replace(before, steps=before.steps + outcome.steps)
        else:
            found = replace(
                before,
                labels=outcome.labels,
                violation=outcome.violation,
                cost=outcome.cost,
                trace=before.trace + trace,
                steps=before.steps + outcome.steps,
            )
        with self._lock:
            self._steps += outcome.steps
            self._done[region] = found

    def _is_large(self, nodes: int) -> bool:
        return nodes >= self.effort.annealing.nodes_per_group // 4 and nodes * self.workers > self._total

    def _side_by_side(self, regions: list[int], start: NDArray[np.int32] | None, pool: Executor) -> None:
        """Search regions at the same time, the largest first, few waiting: each is given its share when it begins."""
        waiting: set[Future[None]] = set()
        for region in regions:
            if len(waiting) >= 2 * self.workers:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    future.result()
            waiting.add(pool.submit(self._one, region, start, None, self.workers))
        for future in waiting:
            future.result()

    def _one(self, region: int, start: NDArray[np.int32] | None, pool: Executor | None, lanes: int) -> None:
        finished = False
        try:
            nodes = int(self.regions.first_node[region + 1] - self.regions.first_node[region])
            budget = self._share(nodes, lanes)
            known = self._known.get(region, Known())
            if known.refuted:
                most = HOPELESS_STEPS_PER_NODE * nodes
                budget = replace(budget, steps=most if budget.steps is None else min(budget.steps, most))
            piece, outcome = None, Outcome(known.labels, known.violation, known.cost, [], 0)
            too_short = budget.seconds is not None and budget.seconds < LEAST_SEARCH_SECONDS
            if known.labels is None or not (too_short or self._cancel.is_set()):
                local = known.start
                if local is None and start is not None:
                    local = start[self.regions.first_node[region] : self.regions.first_node[region + 1]]
                piece = self.regions.piece(region)
                outcome = solve_piece(
                    piece, budget, self.seed + 104_729 * region, self.effort, local, pool, self._watch,
                    workers=1 if pool is None else self.workers,
                )  # fmt: skip
            self._finish(region, piece, outcome, known)
            finished = True
        finally:
            if not finished:  # an error, perhaps of the callback: the other regions need not go on
                self._cancel.set()

    def _share(self, nodes: int, lanes: int) -> Budget:
        """Share of the budget for a region of `nodes` nodes, where `lanes` regions are searched at once."""
        back = HELD_BACK if len(self.regions.searched) > 1 or nodes <= PROVABLE_NODES else 0.0
        steps = None
        if self.budget.steps is not None:
            alone = len(self.regions.searched) == 1
            steps = max(1, int(self._budget_left * (1.0 if alone else 1.0 - back)) * nodes // self._total)
        with self._lock:
            left, self._left = self._left, self._left - nodes
        seconds = None
        if self.budget.seconds is not None:
            rest = self._clock.seconds_left() - self.budget.seconds * back
            share = rest * self._hold * min(1.0, lanes * nodes / max(1, left))
            seconds = max(1e-3, min(rest, max(LEAST_SEARCH_SECONDS, share)))
        return Budget(seconds, steps)

    def _watch_outright(self, steps: int, solved: int) -> bool:
        """Report progress while regions are solved outright; say whether to stop."""
        with self._lock:
            self._solved = solved
            if not self._cancel.is_set():
                self._report(steps, None, 0)
        return self._cancel.is_set()

    def _watch(self, clock: Clock, best: Best) -> bool:
        """Report progress from inside a region; say whether to stop."""
        if self.on_progress is not None and not self._cancel.is_set():
            with self._lock:
                one = len(self.regions.searched) == 1
                self._report(self._steps + clock.steps, best.cost if one else None, best.violation)
        return self._cancel.is_set()

    def _report(self, steps: int, cost: int | None, violation: int) -> None:
        fraction = self._clock.fraction() if self.budget.steps is None else min(1.0, steps / self.budget.steps)
        progress = Progress(
            steps,
            self._clock.seconds(),
            cost,
            violation,
            fraction,
            max(len(self._done), self._solved),
            len(self.regions.searched),
        )
        if self.on_progress is not None and self.on_progress(progress) is True:
            self.stopped = True
            self._cancel.set()

    def _watch_proof(self) -> bool:
        """Report progress while proofs are looked for, some twenty times a second; say whether to stop."""
        with self._lock:
            now = time.perf_counter()
            if self.on_progress is not None and not self._cancel.is_set() and now - self._looked > BETWEEN_REPORTS:
                self._looked = now
                one = len(self.regions.searched) == 1 and len(self._done) == 1
                cost = next(iter(self._done.values())).cost if one else None
                self._report(self._steps, cost, sum(o.violation for o in self._done.values()))
        return self._cancel.is_set()

    def _finish(self, region: int, piece: Piece | None, outcome: Outcome, known: Known) -> None:
        """Record what became of a region; without a piece it is what was known before."""
        bounds = [0 if piece is None else simple_bound(piece)] + ([] if known.bound is None else [known.bound])
        trace = [(known.steps + step, when, cost, violation) for step, when, cost, violation in outcome.trace]
        first, steps = outcome.first, known.steps + outcome.steps
        if piece is None:
            first = outcome.violation, outcome.cost
        elif known.labels is not None and (
            outcome.labels is None or (known.violation, known.cost) < (outcome.violation, outcome.cost)
        ):
            outcome = replace(outcome, labels=known.labels, violation=known.violation, cost=known.cost)
            trace.append((steps, trace[-1][1] if trace else 0.0, known.cost, known.violation))
        found = RegionOutcome(
            region,
            outcome.labels,
            outcome.violation,
            outcome.cost,
            trace,
            steps,
            first,
            None if region in self.regions.narrowed or known.refuted else max(bounds),
            "infeasible" if known.refuted else "open",
            LISTED if known.refuted else "",
        )
        if known.refuted and found.labels is not None and not found.violation:
            raise InternalError(f"region {region} was proved to have no plan, but has one.")
        with self._lock:
            self._steps += outcome.steps
            self._done[region] = found

    def _explain_refuted(self) -> None:
        """Find the nearest plan of regions without one within limits, while the budget lasts."""
        refuted = [r for r, o in sorted(self._done.items()) if o.status == "infeasible" and o.reason == LISTED]
        effort = self._effort(len(refuted))
        for i, region in enumerate(refuted):
            left = self._clock.seconds_left()
            share = min(LONGEST_EXPLANATION, left / (len(refuted) - i))
            few = len(self.regions.searched) <= MOST_EXPLAINED and (effort is None or effort >= LEAST_EFFORT)
            if not few or left < LEAST_PROOF_SECONDS or self._cancel.is_set():
                share = 0.0
            found = self._prover.nearest(self._done[region], share, effort)
            self._done[region] = found if self.prove else replace(found, unproved="")


def simple_bound(piece: Piece) -> int:
    """Lower bound on the cost of any plan that costs nothing to find; `solve` knows better ones (`cost_bounds`)."""
    return unit_bound(piece)
