"""Focus: mend the limits of a few parts by annealing their surroundings, the rest of the plan held still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.table import Table

__all__ = ["Focus"]


@dataclass(frozen=True)
class Focus:
    """
    Large neighbourhood search around parts that break a limit (Shaw, CP 1998), each neighbourhood being annealed.

    Take a part outside its limits and some around it, more of them after each failure; anneal these; keep the best plan
    on the way, by violation, then cost: it is never worse than before.

    Parameters
    ----------
    annealing : Annealing
        Temperatures and the price of violation; cooler than a search from scratch.
    moods : tuple of (float, float)
        ``hot`` and ``give`` of the annealing, in turn: hot and yielding for heavy nodes that have to leave a part by a
        dear border, into parts that are full.
    least_parts : int
        Parts in the first neighbourhood.
    growth : float
        By how much neighbourhoods grow when none has helped for a round of all bad parts.
    rounds : int
        Temperatures of one annealing.
    steps_per_node : int
        Of one annealing.
    tries : int
        Annealings that may fail in a row before the search ends.
    """

    annealing: Annealing = Annealing(hot=0.5, cold=0.2, firm=100.0, bend=1.0, relief=1.0, chains_from=0.0)  # noqa: RUF009
    moods: tuple[tuple[float, float], ...] = ((0.5, 3.0), (1.0, 0.3), (2.0, 0.05))
    least_parts: int = 4
    growth: float = 1.5
    rounds: int = 8
    steps_per_node: int = 200
    tries: int = 60

    def __call__(
        self, table: Table, clock: Clock, seed: int, best: Best, watch: Callable[[], bool] | None = None
    ) -> None:
        """Mend the plan on `table` until nothing is broken, nothing helps, or the clock expires."""
        k = len(table.limits.lo)
        if k < 2 or not len(table.csr.indices):
            return
        wanted, failures, attempt = float(self.least_parts), 0, 0
        violation, cost = table.price()
        scale = table.scale()
        while not clock.expired() and failures < self.tries:
            bad = _broken_parts(table)
            if not len(bad):
                return
            near = _around(table, int(bad[attempt % len(bad)]), min(k, int(wanted)))
            hot, give = self.moods[(attempt // max(1, len(bad))) % len(self.moods)]
            change = self._anneal(
                table, near, clock, seed + attempt, replace(self.annealing, hot=hot, give=give), scale
            )
            violation, cost = violation + change[0], cost + change[1]
            if change < (0, 0):
                best.offer(table.board.labels, violation, cost, clock)
                failures = 0
            else:
                failures += 1
                if failures % (len(self.moods) * min(len(bad), 4)) == 0:
                    wanted *= self.growth
            attempt += 1
            if watch is not None and watch():
                return

    def _anneal(
        self, table: Table, near: NDArray[np.int64], clock: Clock, seed: int, annealing: Annealing, scale: float
    ) -> tuple[int, int]:
        """Anneal the parts `near` as one group, nothing else moves; return the change in violation and in cost."""
        streams = np.random.SeedSequence([seed, 77]).generate_state(self.rounds, np.uint64)
        violation, cost, nodes = 0, 0, None
        for r in range(self.rounds):
            if clock.expired():
                break
            nodes = table.gather(near, nodes)
            left = clock.steps_left()
            steps = max(50, len(nodes) * self.steps_per_node // self.rounds)
            steps = steps if left is None else min(steps, left)
            table.anneal(0, streams[r], steps, annealing.pace(r / self.rounds, scale), table.journal(len(nodes)))
            table.new_marks(steps)
            clock.tick(max(1, int(table.out[0, 2])))
            cost, violation = cost + int(table.out[0, 0]), violation + int(table.out[0, 3])
        return violation, cost


def _broken_parts(table: Table) -> NDArray[np.int64]:
    """Parts outside their limits, or holding nodes that should be apart; ascending."""
    loads, limits, labels = table.board.loads, table.limits, table.board.labels
    bad = np.asarray(((loads > limits.hi) | (loads < limits.lo)).any(axis=1))
    if len(table.terms.apart_indices):
        rows = np.repeat(np.arange(len(labels)), np.diff(table.terms.apart_indptr))
        same = labels[rows] == labels[table.terms.apart_indices]
        bad[labels[rows[same]]] = True
    return np.flatnonzero(bad)


def _around(table: Table, part: int, wanted: int) -> NDArray[np.int64]:
    """Return `part` and the parts nearest to it by borders crossed, at least `wanted` where there are so many."""
    labels, csr = table.board.labels, table.csr
    inside = np.zeros(len(table.limits.lo), dtype=bool)
    inside[part] = True
    while inside.sum() < wanted:
        nodes = np.flatnonzero(inside[labels])
        ends = np.concatenate([csr.indices[csr.indptr[u] : csr.indptr[u + 1]] for u in nodes.tolist()])
        before = inside.sum()
        inside[labels[ends]] = True
        if inside.sum() == before:
            break
    return np.flatnonzero(inside)
