"""Restarts: a small piece annealed again and again from new constructions, each in one kernel call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.table import NO_JOURNAL, Table, quantiles

__all__ = ["Restarts"]

STEPS_PER_SECOND = 2e6
"""What a slow core does; so many steps fit what is left of a budget of seconds."""


@dataclass(frozen=True)
class Restarts:
    """
    Multi-start simulated annealing for pieces of some hundred nodes at most.

    Parameters
    ----------
    annealing : Annealing
        Temperatures and the price of violation.
    rounds : int
        Temperatures of one annealing.
    steps_per_node : int
        Of one annealing.
    patience : int
        Annealings in a row that may find nothing better before the search ends, once limits are kept.
    """

    annealing: Annealing = Annealing(hot=1.0, cold=0.15)  # noqa: RUF009
    rounds: int = 30
    steps_per_node: int = 1000
    patience: int = 8

    def __call__(
        self,
        piece: Piece,
        table: Table,
        clock: Clock,
        seed: int,
        best: Best,
        warm: bool = False,
        watch: Callable[[], bool] | None = None,
    ) -> None:
        """
        Anneal the plan on `table`, then others, until the clock expires or patience ends; `best` takes the best plan.

        A `warm` start is annealed from a low temperature first.
        """
        quiet, run = 0, 0
        build = Bisection(tries=2)
        while not clock.expired() and (quiet < self.patience or best.violation):
            if run:
                labels = build(piece, seed + run)
                table.put(best.labels if labels is None or run % 4 == 3 else labels)
            cool = (warm and run == 0) or run % 4 == 3
            improved = self._anneal(table, clock, seed + run, best, 0.3 if cool else 1.0)
            quiet = 0 if improved else quiet + 1
            run += 1
            if watch is not None and watch():
                return

    def _anneal(self, table: Table, clock: Clock, seed: int, best: Best, warmth: float) -> bool:
        """Anneal once; return whether the best plan became better."""
        from gridopt._kernels.schedule import anneal_rounds

        n, scale = len(table.fixed), table.scale()
        left = clock.steps_left()
        total = n * self.steps_per_node
        total = total if left is None else min(total, left)
        if clock.budget.seconds is not None:
            total = min(total, int(STEPS_PER_SECOND * clock.seconds_left()) + 1)
        heats, strains = (scale * of_one for of_one in _schedule(self.annealing, self.rounds, warmth))
        log = np.empty((self.rounds + 1, 4), dtype=np.int64)
        labels: NDArray[np.int32] = np.empty_like(best.labels)
        steps = max(1, total // self.rounds)
        state = np.random.SeedSequence([seed, 5]).generate_state(1, np.uint64)[0]
        began = clock.steps
        rows, done = anneal_rounds(
            table.csr, table.limits, table.terms, table.fixed, table.board, table.groups, table.borders,
            table.scratch, quantiles(), state, table.stamp, steps, heats, strains,
            self.annealing.longest, self.annealing.span, self.annealing.swell, NO_JOURNAL,
            labels, table.out, log,
        )  # fmt: skip
        table.new_marks((steps + 1) * self.rounds)
        clock.tick(max(int(done), self.rounds))
        last = log[rows - 1]
        if (int(last[2]), int(last[3])) >= (best.violation, best.cost):
            return False
        best.labels[:] = labels
        best.violation, best.cost = int(last[2]), int(last[3])
        best.trace.append((began + int(last[1]), clock.seconds(), best.cost, best.violation))
        return True


@cache
def _schedule(annealing: Annealing, rounds: int, warmth: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Temperature and price of violation of each round, for edges of mean weight 1."""
    fractions = [r / rounds for r in range(rounds)]
    heats = np.array([annealing.cold + (annealing.heat(f) - annealing.cold) * warmth for f in fractions])
    return heats, np.array([annealing.strain(f) for f in fractions])
