"""Excursions: short searches around each part in turn, taken back to the best plan they came by."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.refine.focus import broken_parts, neighbourhoods
from gridopt.solvers.table import Table

__all__ = ["Excursions"]

STEPS_PER_STEP = 3
"""A step with chains takes about as long as so many without."""
AT_ONCE, SLICE_SECONDS = 32, 0.1
"""Excursions made, and about how long they may take, before the clock is looked at."""
STEPS_PER_SECOND = 2e5
"""Steps a slow core makes at least: an excursion that would not end in time at that speed is not begun."""
MOST_NODES = 200_000
"""Larger pieces have not enough steps for each node that annealing would be done with them."""
LONGEST = 4
"""Moves in a chain at most."""


@dataclass(frozen=True)
class Excursions:
    """
    Large neighbourhood search (Shaw, CP 1998) by annealing at a constant temperature, undone after the best plan.

    Each part with those around it is searched for a short while, moves for the worse and breaks of limits included,
    and put back to the best state passed. What is best is weighed anew in each place, where annealing as a whole
    keeps the good places of a plan only together with its bad ones. Chains make up for the load a move carries, so
    that limits far closer than the load of a node can be kept.

    Parameters
    ----------
    hot, cold : float
        First and last temperature, in typical changes (`Table.scale`).
    give : float
        Price of one per cent of violation on the way, in temperatures.
    cheap, dear, lenient : float
        Price of a millionth of violation where states are compared, in typical changes, at first and at the end of the
        first `lenient` of the budget. From then on, and throughout by default, less violation is better at any cost.
    only_broken : bool
        Only around parts outside their limits.
    least_parts : int
        Parts in a neighbourhood at least.
    steps_per_node : int
        Of one excursion.
    most_nodes : int
        Mean nodes of a part up to which excursions pay: they are too short for larger parts.
    """

    hot: float = 0.8
    cold: float = 0.4
    give: float = 4.0
    cheap: float = 0.001
    dear: float = 0.03
    lenient: float = 0.0
    only_broken: bool = False
    least_parts: int = 4
    steps_per_node: int = 30
    most_nodes: int = 200

    def pays(self, piece: Piece) -> bool:
        """Whether a neighbourhood is small beside the piece, and the piece small enough to be annealed to the end."""
        n, k = piece.n_nodes, piece.n_parts
        return k >= 4 * self.least_parts and n <= min(MOST_NODES, self.most_nodes * k) and len(piece.indices) > 0

    def __call__(
        self,
        table: Table,
        clock: Clock,
        seed: int,
        best: Best,
        watch: Callable[[], bool] | None = None,
        pool: Executor | None = None,
    ) -> None:
        """Search around the parts of the plan on `table` until the clock expires; `best` takes better plans."""
        k, turn, speed = len(table.limits.lo), 0, STEPS_PER_SECOND
        rng = np.random.default_rng([seed, 911])
        violation, cost = table.price()
        while not clock.expired():
            among = broken_parts(table) if self.only_broken else np.arange(k)
            if not len(among):
                return
            sets = neighbourhoods(table, rng.permutation(among), min(k, self.least_parts))
            table.gather(sets)
            streams = np.random.SeedSequence([seed, 911, turn]).generate_state(len(sets), np.uint64)
            begin, steps = 0, np.diff(table.groups.group_first[: len(sets) + 1]) * self.steps_per_node
            while begin < len(sets):
                count, entered, before = _how_many(steps[begin:], speed, clock), clock.seconds(), clock.steps
                if not count:
                    return
                change = self._excursions(table, range(begin, begin + count), streams, clock, pool)
                speed = (clock.steps - before) / max(1e-6, clock.seconds() - entered) / STEPS_PER_STEP
                violation, cost = violation + change[0], cost + change[1]
                best.offer(table.board.labels, violation, cost, clock)
                if clock.expired() or (watch is not None and watch()):
                    return
                begin += count
            turn += 1

    def _excursions(
        self, table: Table, some: range, streams: NDArray[Any], clock: Clock, pool: Executor | None
    ) -> tuple[int, int]:
        """Make one excursion in each of some of the groups; return the change in violation and in cost."""
        sizes = np.diff(table.groups.group_first)
        pace = self._pace(clock.fraction(), table.scale())

        def run(g: int) -> None:
            room = table.journal(int(sizes[g]))
            table.anneal(g, streams[g], int(sizes[g]) * self.steps_per_node, pace, room)

        list(map(run, some) if pool is None else pool.map(run, some))
        table.new_marks(int(sizes[some.start : some.stop].max()) * self.steps_per_node)
        change = table.out[some.start : some.stop].sum(axis=0)
        idle = int(sizes[some.start : some.stop].sum()) * self.steps_per_node
        clock.tick(STEPS_PER_STEP * (int(change[2]) or idle))
        return int(change[3]), int(change[0])

    def _pace(self, fraction: float, scale: float) -> Any:
        """Return the `Pace` after a fraction of the budget, a typical change being `scale`."""
        heat = self.hot * (self.cold / self.hot) ** fraction
        annealing = Annealing(hot=heat, cold=heat, give=self.give, longest=LONGEST, chains_from=0.0)
        pace = annealing.pace(0.0, scale)
        if fraction >= self.lenient:
            return pace
        return pace._replace(dear=self.cheap * (self.dear / self.cheap) ** (fraction / self.lenient) * scale)


def _how_many(steps: NDArray[np.int64], speed: float, clock: Clock) -> int:
    """How many excursions of so many steps each to make before the clock is looked at; none where none would end."""
    spent = np.cumsum(steps[:AT_ONCE])
    left = clock.steps_left()
    if left is not None:
        spent = spent[STEPS_PER_STEP * spent <= left]
    if clock.budget.seconds is not None:
        in_time = int((spent <= speed * clock.seconds_left()).sum())
        spent = spent[: min(in_time, max(1, int((spent <= speed * SLICE_SECONDS).sum())))]
    return len(spent)
