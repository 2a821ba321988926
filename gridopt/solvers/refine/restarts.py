"""Restarts: a small piece annealed again and again from new constructions, round by round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gridopt.solvers.budget import Clock
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.table import Table

__all__ = ["Restarts"]

STEPS_PER_SECOND = 4e6
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
        n, scale, left = len(table.fixed), table.scale(), clock.steps_left()
        total = n * self.steps_per_node
        total = total if left is None else min(total, left)
        if clock.budget.seconds is not None:
            total = min(total, int(STEPS_PER_SECOND * clock.seconds_left()) + 1)
        steps = max(1, total // self.rounds)
        streams = np.random.SeedSequence([seed, 5]).generate_state(self.rounds, np.uint64)
        cold, hot = self.annealing.cold, self.annealing.hot
        annealing = replace(self.annealing, hot=cold + (hot - cold) * warmth)
        everything, nodes = np.arange(len(table.limits.lo)), np.arange(n)
        improved = False
        for r in range(self.rounds):
            table.gather([everything], nodes)
            table.anneal(0, streams[r], steps, annealing.pace(r / self.rounds, scale))
            table.new_marks(steps)
            clock.tick(max(int(table.out[0, 2]), 1))
            improved |= best.offer(table.board.labels, *table.price(), clock)
        return improved
