"""Focus: mend the limits of a few parts by annealing their surroundings, the rest of the plan held still."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.table import Table

__all__ = ["Focus", "broken_parts", "neighbourhoods"]

STEPS_PER_SECOND = 3e5
"""Steps with chains a slow core makes: no round is longer than what is left at that speed."""


@dataclass(frozen=True)
class Focus:
    """
    Large neighbourhood search around parts that break a limit (Shaw, CP 1998), each neighbourhood being annealed.

    Take parts outside their limits and some around each, more of them after each failure; anneal these; keep the best
    plan on the way, by violation, then cost: it is never worse than before.

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
    tries: int = 12

    def __call__(
        self,
        table: Table,
        clock: Clock,
        seed: int,
        best: Best,
        watch: Callable[[], bool] | None = None,
        pool: Executor | None = None,
    ) -> None:
        """Mend the plan on `table` until nothing is broken, nothing helps, or the clock expires."""
        k = len(table.limits.lo)
        if k < 2 or not len(table.csr.indices):
            return
        wanted, failures, attempt = float(self.least_parts), 0, 0
        violation, cost = table.price()
        scale = table.scale()
        while not clock.expired() and failures < self.tries:
            bad = broken_parts(table)
            if not len(bad):
                return
            sets = neighbourhoods(table, np.roll(bad, -attempt), min(k, int(wanted)))
            hot, give = self.moods[(attempt // max(1, len(bad) // len(sets))) % len(self.moods)]
            annealing = replace(self.annealing, hot=hot, give=give)
            change = self._anneal(table, sets, clock, seed + attempt, annealing, scale, pool)
            violation, cost = violation + change[0], cost + change[1]
            if change < (0, 0):
                best.offer(table.board.labels, violation, cost, clock)
            if change[0] < 0:
                failures = 0
            else:
                failures += 1
                if failures % (len(self.moods) * min(len(bad), 4)) == 0:
                    wanted *= self.growth
            attempt += 1
            if watch is not None and watch():
                return

    def _anneal(
        self,
        table: Table,
        sets: list[NDArray[np.int64]],
        clock: Clock,
        seed: int,
        annealing: Annealing,
        scale: float,
        pool: Executor | None,
    ) -> tuple[int, int]:
        """Anneal each set of parts as a group, nothing else moves; return the change in violation and in cost."""
        streams = np.random.SeedSequence([seed, 77]).generate_state(self.rounds * len(sets), np.uint64)
        violation, cost, nodes = 0, 0, None
        for r in range(self.rounds):
            nodes = table.gather(sets, nodes)
            sizes = np.diff(table.groups.group_first[: len(sets) + 1])
            steps = np.maximum(50, sizes * self.steps_per_node // self.rounds)
            left = clock.steps_left()
            if left is not None:
                steps = np.minimum(steps, max(1, left // len(sets)))
            if clock.budget.seconds is not None:
                steps = np.minimum(steps, max(50, int(STEPS_PER_SECOND * clock.seconds_left() / len(sets))))
            pace = annealing.pace(r / self.rounds, scale)

            def run(g: int, r: int = r, steps: Any = steps, sizes: Any = sizes, pace: Any = pace) -> None:
                stream = streams[r * len(sets) + g]
                table.anneal(g, stream, int(steps[g]), pace, table.journal(int(sizes[g])))

            list(map(run, range(len(sets))) if pool is None else pool.map(run, range(len(sets))))
            table.new_marks(int(steps.max()))
            found = table.out[: len(sets)].sum(axis=0)
            clock.tick(max(1, int(found[2])))
            cost, violation = cost + int(found[0]), violation + int(found[3])
            if clock.expired():
                break
        return violation, cost


def broken_parts(table: Table) -> NDArray[np.int64]:
    """Parts outside their limits, or holding nodes that should be apart; ascending."""
    loads, limits, labels = table.board.loads, table.limits, table.board.labels
    bad = np.asarray(((loads > limits.hi) | (loads < limits.lo)).any(axis=1))
    if len(table.terms.apart_indices):
        rows = np.repeat(np.arange(len(labels)), np.diff(table.terms.apart_indptr))
        same = labels[rows] == labels[table.terms.apart_indices]
        bad[labels[rows[same]]] = True
    return np.flatnonzero(bad)


def neighbourhoods(table: Table, bad: NDArray[np.int64], wanted: int) -> list[NDArray[np.int64]]:
    """
    Each part in `bad` with the parts nearest to it by borders crossed, at least `wanted` where there are so many, and
    more, up to eight times that, until all loads together leave a tenth of their limits' span free on both sides.

    No part is in two of them: a bad part whose surroundings are taken waits. At most as many as the table has groups.
    """
    beside, k = table.beside(), len(table.limits.lo)
    taken = np.zeros(k, dtype=bool)
    found: list[NDArray[np.int64]] = []
    for part in bad.tolist():
        near, ring = {part}, [part]
        while ring and len(near) < 8 * wanted and (len(near) < wanted or not _has_room(table, near)):
            around = {q for p in ring for q in beside.indices[beside.indptr[p] : beside.indptr[p + 1]].tolist()}
            ring = sorted(around - near)
            near.update(ring)
        parts = np.array(sorted(near), dtype=np.int64)
        if not taken[parts].any():
            taken[parts] = True
            found.append(parts)
        if len(found) == table.n_groups:
            break
    return found


def _has_room(table: Table, parts: set[int]) -> bool:
    """Whether the loads of `parts` together are within their limits, a tenth of the span left free on both sides."""
    rows = sorted(parts)
    load = table.board.loads[rows].sum(axis=0)
    lo, hi = table.limits.lo[rows].sum(axis=0), table.limits.hi[rows].sum(axis=0)
    spare = (hi - lo) / 10
    return bool(((lo + spare <= load) & (load <= hi - spare)).all())
