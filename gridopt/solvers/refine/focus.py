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

    Take a part outside its limits and the parts around it, more of them after each failure; anneal these with limits
    that harden; keep the outcome where it is better as a whole, else put the labels back.

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

    annealing: Annealing = Annealing(hot=0.5, cold=0.2, give=1.0, firm=1000.0, bend=1.0)  # noqa: RUF009
    moods: tuple[tuple[float, float], ...] = ((0.5, 1.0), (1.0, 0.3), (2.0, 0.05))
    least_parts: int = 8
    growth: float = 1.5
    rounds: int = 16
    steps_per_node: int = 300
    tries: int = 40

    def __call__(
        self, table: Table, clock: Clock, seed: int, best: Best, watch: Callable[[], bool] | None = None
    ) -> None:
        """Mend the plan on `table` until nothing is broken, nothing helps, or the clock expires."""
        k = len(table.limits.lo)
        if k < 2 or not len(table.csr.indices):
            return
        wanted, failures, attempt = float(self.least_parts), 0, 0
        while not clock.expired() and failures < self.tries:
            bad = _broken_parts(table)
            if not len(bad):
                return
            kept, was = table.board.labels.copy(), table.price()
            near = _around(table, int(bad[attempt % len(bad)]), min(k, int(wanted)))
            hot, give = self.moods[(attempt // max(1, len(bad))) % len(self.moods)]
            self._anneal(table, near, clock, seed + attempt, replace(self.annealing, hot=hot, give=give))
            now = table.price()
            if now < was:
                best.offer(table.board.labels, *now, clock)
                failures = 0
            else:
                table.put(kept)
                failures += 1
                if failures % (len(self.moods) * min(len(bad), 4)) == 0:
                    wanted *= self.growth
            attempt += 1
            if watch is not None and watch():
                return

    def _anneal(self, table: Table, near: NDArray[np.int64], clock: Clock, seed: int, annealing: Annealing) -> None:
        """Anneal the parts `near` as one group; nothing else moves."""
        groups, k = table.groups, len(table.limits.lo)
        groups.group_of[:] = 1
        groups.group_of[near] = 0
        groups.order[: len(near)] = near
        groups.members[:] = np.argsort(table.board.labels, kind="stable")
        groups.first[0] = 0
        groups.first[1:] = np.cumsum(np.bincount(table.board.labels, minlength=k))
        nodes = int(table.board.sizes[near].sum())
        groups.group_first[:2] = 0, nodes
        groups.edge_first[0] = 0
        groups.chunk[:2] = 0, len(near)
        scale = table.scale()
        steps = max(50, nodes * self.steps_per_node // self.rounds)
        streams = np.random.SeedSequence([seed, 77]).generate_state(self.rounds, np.uint64)
        for r in range(self.rounds):
            table.anneal(0, streams[r], steps, annealing.pace(r / self.rounds, scale))
            table.new_marks(steps)
            clock.tick(max(1, int(table.out[0, 2])))


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
    rows = np.repeat(labels, np.diff(csr.indptr))
    cols = labels[csr.indices]
    cut = rows != cols
    rows, cols = rows[cut], cols[cut]
    inside = np.zeros(len(table.limits.lo), dtype=bool)
    inside[part] = True
    while inside.sum() < wanted:
        more = cols[inside[rows] & ~inside[cols]]
        if not len(more):
            break
        inside[more] = True
    return np.flatnonzero(inside)
