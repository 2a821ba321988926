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
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.stages import OnProgress, Progress

__all__ = ["Campaign", "RegionOutcome"]

LEAST_PROOF_SECONDS, PROVABLE_NODES = 0.8, 80
"""Regions that stay outside their limits are handed to the exact solver if they are small and so much time is left."""
BROKEN_EFFORT, MOST_BROKEN = 2.0, 20
"""Where the budget is in steps: deterministic seconds for each such region, and how many of them are handed over."""
SECONDS_AFTER_STOP = 1.5
"""Seconds a stopped search may still take to bring its plan within limits."""
RETRIES, LEAST_RETRY_SECONDS, MOST_POLISHED = 3, 0.01, 500
"""Searches again of a region among several that breaks its limits; the least time worth one; up to how many regions
what is left of the time goes to all of them."""
HOPELESS_STEPS_PER_NODE = 2000
"""Annealing of a region that is proved to have no plan within limits, so that the plan misses them by little."""
LISTED = "No plan exists: proved by listing every part it could have."
MOST_EXPLAINED, LONGEST_EXPLANATION = 20, 10.0
"""Where there are no more regions than this, the least violation of those without a plan is looked for, for so many
seconds at most each; elsewhere the violation of the plan that was found has to do."""
LEAST_SECONDS_OF_A_PROOF = 0.05
PROOF_SECONDS, PROOF_EFFORT = 60.0, 10.0
"""Seconds, and the solver's own deterministic seconds, for the proof of a region where the budget is in steps."""


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

    def _search(self, start: NDArray[np.int32] | None) -> None:
        sizes = self.regions.node_counts()
        self._total = max(1, int(self.regions.sizes().sum()))
        local = None if start is None else self.regions.all_local_labels(start)
        with ThreadPoolExecutor(self.workers, thread_name_prefix="gridopt") as pool:
            found = solve_outright(
                self.regions, self._clock, self.effort, self.prove, self.workers, local, self._watch_outright
            )
            if found is not None:
                self._done, self._known, self._steps = found
            rest = [int(r) for r in self.regions.searched if int(r) not in self._done]
            rest.sort(key=lambda r: (-sizes[r], r))
            self._total = max(1, int(sizes[rest].sum()))
            large = [r for r in rest if self._is_large(int(sizes[r]))]
            small = [r for r in rest if not self._is_large(int(sizes[r]))]
            self._left = self._total
            self._budget_left = max(1, (self.budget.steps or 1) - self._steps)
            for region in large:
                self._one(region, local, pool, 1)
            self._side_by_side(small, local, pool)
            self._again(pool)
            self._prove_broken()
            self._explain_refuted()
            if self.stopped:
                self._mend_after_stop()

    def _again(self, pool: Executor) -> None:
        """Spend what was held back, and what others left, on regions that break their limits; then on all."""
        if len(self.regions.searched) == 1:
            return
        for attempt in range(RETRIES):
            broken = [
                r for r, o in sorted(self._done.items()) if o.violation and o.labels is not None and o.status == "open"
            ]
            if not broken or self._cancel.is_set():
                break
            self._retry_all(broken, pool, attempt, 1 / (RETRIES - attempt))
        rest = [r for r, o in sorted(self._done.items()) if o.status == "open" and o.labels is not None]
        if self.budget.seconds is not None and not self.prove and len(rest) <= MOST_POLISHED:
            self._retry_all(rest, pool, 1, 1.0)

    def _retry_all(self, regions: list[int], pool: Executor, attempt: int, part: float) -> None:
        """Search some regions again within a part of what is left of the budget."""
        sizes = {r: int(self.regions.first_node[r + 1] - self.regions.first_node[r]) for r in regions}
        total, steps, seconds = sum(sizes.values()), None, None
        if self.budget.steps is not None:
            steps = int(part * max(0, self.budget.steps - self._steps))
        if self.budget.seconds is not None:
            seconds = part * self._clock.seconds_left()
        tasks = []
        for r in regions:
            share = sizes[r] / total
            own = None if steps is None else int(steps * share)
            wall = None if seconds is None else seconds * min(1.0, self.workers * share)
            if own != 0 and (wall is None or wall > LEAST_RETRY_SECONDS) and not self._cancel.is_set():
                tasks.append(pool.submit(self._retry, r, Budget(wall, own), attempt))
        for task in tasks:
            task.result()

    def _prove_broken(self) -> None:
        """Hand small regions that still break their limits to the exact solver, while the budget lasts."""
        tried = 0
        for region, outcome in sorted(self._done.items()):
            nodes = int(self.regions.first_node[region + 1] - self.regions.first_node[region])
            if not outcome.violation or outcome.status != "open" or nodes > PROVABLE_NODES or self._cancel.is_set():
                continue
            left = None if self.budget.seconds is None else self._clock.seconds_left()
            if tried == MOST_BROKEN if left is None else left < LEAST_PROOF_SECONDS:
                return
            tried += 1
            effort = BROKEN_EFFORT if left is None else None
            self._done[region] = self._proved(self.regions.piece(region), outcome, Budget(left), self.workers, effort)

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

    def _retry(self, region: int, budget: Budget, attempt: int) -> None:
        """Search a region again, afresh and from its plan in turn; keep the better plan."""
        before = self._done[region]
        piece = self.regions.piece(region)
        seed = self.seed + 104_729 * region + 1 + attempt
        start = before.labels if attempt % 2 else None
        outcome = solve_piece(piece, budget, seed, self.effort, start, None, self._watch)
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
            piece = self.regions.piece(region)
            budget = self._share(piece.n_nodes, lanes)
            known = self._known.get(region, Known())
            if known.refuted:
                most = HOPELESS_STEPS_PER_NODE * piece.n_nodes
                budget = replace(budget, steps=most if budget.steps is None else min(budget.steps, most))
            local = known.labels
            if local is None and start is not None:
                local = start[self.regions.first_node[region] : self.regions.first_node[region + 1]]
            outcome = solve_piece(
                piece, budget, self.seed + 104_729 * region, self.effort, local, pool, self._watch,
                workers=1 if pool is None else self.workers,
            )  # fmt: skip
            self._finish(region, piece, outcome, budget, known)
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
            hold = PROOF_SHARE if self.prove else 1.0
            seconds = max(1e-3, rest * hold * min(1.0, lanes * nodes / max(1, left)))
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

    def _finish(self, region: int, piece: Piece, outcome: Outcome, budget: Budget, known: Known) -> None:
        bounds = [simple_bound(piece)] + ([] if known.bound is None else [known.bound])
        found = RegionOutcome(
            region,
            outcome.labels,
            outcome.violation,
            outcome.cost,
            [(known.steps + step, when, cost, violation) for step, when, cost, violation in outcome.trace],
            known.steps + outcome.steps,
            outcome.first,
            None if region in self.regions.narrowed or known.refuted else max(bounds),
            "infeasible" if known.refuted else "open",
            LISTED if known.refuted else "",
        )
        if known.refuted and found.labels is not None and not found.violation:
            raise InternalError(f"region {region} was proved to have no plan, but has one.")
        if self.prove and not known.refuted and not self._cancel.is_set():
            workers = self.workers if len(self.regions.searched) == 1 else 1
            found = self._proved(piece, found, budget, workers, PROOF_EFFORT if budget.seconds is None else None)
        with self._lock:
            self._steps += outcome.steps
            self._done[region] = found

    def _explain_refuted(self) -> None:
        """Say of regions without a plan within limits how far these have to give way, while the budget lasts."""
        refuted = [r for r, o in sorted(self._done.items()) if o.status == "infeasible"]
        for region in refuted:
            if self._done[region].reason != LISTED:
                continue
            outcome, text = self._done[region], ""
            left = min(LONGEST_EXPLANATION, self._clock.seconds_left())
            if (
                len(self.regions.searched) <= MOST_EXPLAINED
                and left >= LEAST_PROOF_SECONDS
                and not self._cancel.is_set()
            ):
                effort = BROKEN_EFFORT if self.budget.seconds is None else None
                text = _relaxation(self.regions.piece(region), outcome.labels, left, effort, self.seed)
            if not text and outcome.labels is not None:
                text = _widen(outcome.violation, " that was found")
            self._done[region] = replace(outcome, reason=LISTED + text)

    def _proved(
        self, piece: Piece, found: RegionOutcome, budget: Budget, workers: int, effort: float | None
    ) -> RegionOutcome:
        """Hand the region to the exact solver; keep what it proves, and its plan where that is better."""
        from gridopt.solvers.exact import prove_piece

        if found.region in self.regions.narrowed:
            return replace(found, reason="A compound was joined by a path, so nothing is proved.")
        seconds = PROOF_SECONDS if budget.seconds is None else self._clock.seconds_left()
        if seconds < LEAST_SECONDS_OF_A_PROOF or self._cancel.is_set():
            return replace(found, reason="No time was left for a proof.")
        began = time.perf_counter()
        proof = prove_piece(
            piece,
            start=found.labels,
            seconds=seconds,
            workers=1 if effort else workers,
            seed=self.seed,
            deterministic_seconds=effort,
        )
        labels, violation, cost = found.labels, found.violation, found.cost
        trace = found.trace
        if proof.labels is not None:
            price = price_of(piece, np.asarray(proof.labels, dtype=np.int32))
            if labels is None or price < (violation, cost):
                labels, (violation, cost) = np.asarray(proof.labels, dtype=np.int32), price
                when = (trace[-1][1] if trace else 0.0) + time.perf_counter() - began
                trace = [*trace, (found.steps, when, cost, violation)]
        bounds = [b for b in (found.bound, proof.bound) if b is not None]
        status = {"optimal": "optimal", "infeasible": "infeasible"}.get(proof.status, "open")
        if status == "infeasible" and labels is not None and violation == 0:
            raise InternalError(f"region {found.region} was proved to have no plan, but has one: {proof.reason}")
        reason = proof.reason
        if status == "infeasible":
            left = seconds if budget.seconds is None else max(0.2, self._clock.seconds_left())
            reason += _relaxation(piece, labels, left, effort, self.seed)
        return RegionOutcome(
            found.region,
            labels,
            violation,
            cost,
            trace,
            found.steps,
            found.first,
            max(bounds) if bounds else None,
            status,
            reason,
        )


def _relaxation(piece: Piece, start: NDArray[np.int32] | None, seconds: float, effort: float | None, seed: int) -> str:
    """Say how far the limits have to give way before some plan keeps them, as far as that is known."""
    from gridopt.solvers.exact import least_violation

    nearest = least_violation(piece, start=start, seconds=seconds / 2, seed=seed, deterministic_seconds=effort)
    if nearest.cost is None:
        return ""
    return _widen(nearest.cost, "" if nearest.status == "optimal" else " that was found")


def _widen(violation: int, found: str) -> str:
    return f" Widen the limits: the nearest plan{found} misses them by {violation / 1e4:.4g} % of a target in all."


def price_of(piece: Piece, labels: NDArray[np.int32]) -> tuple[int, int]:
    """Violation and cost of labels of a piece, from scratch."""
    from gridopt.solvers.table import Table

    return Table(piece, labels).price()


def simple_bound(piece: Piece) -> int:
    """Lower bound on the cost of any plan that costs nothing to find; `solve` knows better ones (`cost_bounds`)."""
    return unit_bound(piece)
