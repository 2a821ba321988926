"""Redivision: pairs and triples of adjacent parts are divided anew, exactly where small, until none gets better."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.focus import broken_parts
from gridopt.solvers.table import Table

__all__ = ["Redivision"]

STEPS_PER_STATE = 4
"""A state of the search takes about as long as so many steps of annealing."""
STEPS_PER_SECOND = 2.5e6
"""What a slow core does."""
STATES_AT_ONCE = 60_000
"""States looked at in a row at most, some tenth of a second, before the clock is looked at."""
SECONDS_PER_NODE = 1e-6
"""What it takes to find the sets of a stage: none is begun where less time is left."""
CHUNKS = 4
"""Parts of a batch that are worked on side by side."""


@dataclass(frozen=True)
class Redivision:
    """
    Large neighbourhood search over pairs, then triples, of adjacent parts: each is divided anew by branch and bound.

    Where searches are not cut short, the plan left is the best of all that differ from it in two parts. Sets come in
    random order, in batches in which no part is twice, and again where one of their parts has changed. Sets around
    what breaks limits come first, and are looked at longer. Never worse than before, by violation, then cost. Inertia
    is not known here: where it has a price nothing is done.

    Parameters
    ----------
    sizes, states : tuple of int
        Parts in the sets of each stage, and states looked at in each of them at most.
    allowances : tuple of float
        How much dearer a division of less violation may be, as a share of what is cut within the set; around what
        breaks limits one after the other, so that what can be mended cheaply is.
    longer : int
        States looked at around what breaks limits: so many times as many.
    few_nodes : int
        Sets of three and more parts are divided where they have at most so many nodes.
    share : float
        Share of a budget it takes at most.
    steps_per_node : int
        Steps for each node it takes at most, in each stage that applies.
    """

    sizes: tuple[int, ...] = (2, 3)
    states: tuple[int, ...] = (1000, 1000)
    allowances: tuple[float, ...] = (0.05, 0.2, 0.5, 1.0, 4.0)
    longer: int = 10
    few_nodes: int = 45
    share: float = 0.12
    steps_per_node: int = 150

    def leave(self, budget: Budget, piece: Piece) -> Budget:
        """
        Return what is left of a budget for other searches of a piece.

        All of it where the share would not do for a quarter of the first stage: other searches gain more from it then.
        """
        n, k = piece.n_nodes, piece.n_parts
        if k < 2 or piece.inertia_weight:
            return budget
        stages = sum(size == 2 or size * n <= self.few_nodes * k for size in self.sizes)
        least, wanted = self.steps_per_node * n / 4, self.steps_per_node * n * stages
        seconds, steps = budget.seconds, budget.steps
        if seconds is not None and self.share * seconds * STEPS_PER_SECOND >= least:
            seconds -= min(self.share * seconds, wanted / STEPS_PER_SECOND)
        if steps is not None and self.share * steps >= least:
            steps -= min(int(self.share * steps), wanted)
        return Budget(seconds, steps, budget.stall)

    def __call__(
        self,
        table: Table,
        clock: Clock,
        seed: int,
        best: Best,
        watch: Callable[[], bool] | None = None,
        pool: Executor | None = None,
        only_broken: bool = False,
    ) -> None:
        """
        Divide sets of the plan on `table` until none gets better or the clock expires; `best` takes the plan.

        With `only_broken`, those alone with a part outside its limits.
        """
        if len(table.limits.lo) < 2 or table.terms.prices[1] or (table.csr.weights < 0).any():
            return

        def stopped() -> bool:
            late = clock.seconds_left() < SECONDS_PER_NODE * len(table.fixed)
            return late or clock.expired() or (watch is not None and watch())

        if stopped():
            return
        room, rng = _Room(table), np.random.default_rng([seed, 907])
        stages = [(True, allowance) for allowance in self.allowances]
        stages += [] if only_broken else [(False, self.allowances[-1])]
        for broken, allowance in stages:
            if stopped():
                return
            if broken and not len(broken_parts(table)):
                continue
            for size, states in zip(self.sizes, self.states, strict=True):
                looks = states * (self.longer if broken else 1)
                self._stage(room, size, looks, broken, allowance, rng, clock, best, stopped, pool)

    def _stage(
        self,
        room: _Room,
        size: int,
        states: int,
        broken: bool,
        allowance: float,
        rng: np.random.Generator,
        clock: Clock,
        best: Best,
        stopped: Callable[[], bool],
        pool: Executor | None,
    ) -> None:
        """Divide sets of one size until none gets better; where `broken`, those with parts outside their limits."""
        table, k = room.table, len(room.table.limits.lo)
        violation, cost = table.price()
        due = np.ones(k + 1, dtype=bool)  # the last stands for no part
        due[k] = False
        while due.any() and not stopped():
            sets = adjacent_sets(table, size, broken_parts(table) if broken else None)
            sets = sets[due[sets].any(axis=1)]
            if size > 2:
                sets = sets[np.where(sets < 0, 0, table.board.sizes[sets]).sum(axis=1) <= self.few_nodes]
            due[:] = False
            for batch in _batches(sets[rng.permutation(len(sets))], k):
                change = room.divide(batch, allowance, states, clock, pool)
                due[batch[(change[:, :2] < 0).any(axis=1)]] = True
                due[k] = False
                violation, cost = violation + int(change[:, 0].sum()), cost + int(change[:, 1].sum())
                best.offer(table.board.labels, violation, cost, clock)
                if clock.expired():
                    return


class _Room:
    """Scratch of one call, and the sets of a batch divided with it."""

    def __init__(self, table: Table) -> None:
        n = len(table.fixed)
        self.table = table
        self.scratch = tuple(np.empty(n, dtype=np.int32) for _ in range(3))
        self.desks = [_desk(table.limits.workload.shape[1]) for _ in range(CHUNKS)]

    def divide(
        self, sets: NDArray[np.int32], allowance: float, states: int, clock: Clock, pool: Executor | None
    ) -> NDArray[np.int64]:
        """Divide disjoint sets until the clock expires; changes in violation and cost, and states, of each."""
        from gridopt._kernels.graph import group_parts
        from gridopt._kernels.redivide import redivide

        table = self.table
        group_parts(table.csr, table.board.labels, table.board.sizes, 1, 0, *table.groups)
        out = np.zeros((len(sets), 4), dtype=np.int64)
        at_once = max(CHUNKS, STATES_AT_ONCE // states)

        def run(job: tuple[int, int, int]) -> None:
            redivide(
                table.csr, table.limits, table.terms, table.fixed, table.board, table.groups, sets, job[1], job[2],
                *self.scratch, self.desks[job[0]], allowance, states, out,
            )  # fmt: skip

        for begin in range(0, len(sets), at_once):
            ends = np.linspace(begin, min(len(sets), begin + at_once), CHUNKS + 1).astype(int).tolist()
            jobs = [(i, ends[i], ends[i + 1]) for i in range(CHUNKS) if ends[i + 1] > ends[i]]
            list(map(run, jobs) if pool is None else pool.map(run, jobs))
            done = out[begin : ends[-1]]
            clock.tick(STEPS_PER_STATE * int(done[:, 2].sum()) + len(done))
            if clock.expired():
                break
        return out


def _desk(width: int) -> Any:
    """Room for the search of one thread."""
    from gridopt._kernels.layout import MOST_LUMPS as LUMPS
    from gridopt._kernels.redivide import DEEPEST, MOST_PARTS, Desk

    i64, u64 = np.int64, np.uint64
    return Desk(
        near=np.empty((LUMPS, 2), u64),
        pairs=np.zeros((LUMPS, LUMPS), i64),
        load=np.empty((LUMPS, width), i64),
        first=np.empty(LUMPS + 1, i64),
        open=np.empty(LUMPS, i64),
        bound=np.empty(LUMPS, i64),
        parts=np.empty(MOST_PARTS, i64),
        alike=np.empty(MOST_PARTS, i64),
        limits=np.empty((MOST_PARTS, 4, width), i64),
        within=np.empty((2, MOST_PARTS, width), i64),
        total=np.empty(width, i64),
        words=np.empty((DEEPEST, MOST_PARTS), u64),
        sums=np.empty((DEEPEST, MOST_PARTS, width), i64),
        paid=np.empty((DEEPEST, 2), i64),
        price=np.empty((DEEPEST, LUMPS, MOST_PARTS), i64),
    )


def adjacent_sets(table: Table, size: int, among: NDArray[np.int64] | None = None) -> NDArray[np.int32]:
    """
    Sets of parts each of which borders each other, int32 (s, 4), ascending, -1 where there are fewer than four.

    Those alone that hold one of `among`, where it is given.
    """
    labels, k = table.board.labels, len(table.limits.lo)
    rows, cols = labels[table.borders.source].astype(np.int64), labels[table.csr.indices]
    wanted = np.ones(k + 1, dtype=bool)
    if among is not None:
        wanted = np.isin(np.arange(k + 1), among)
        near = wanted.copy()
        near[cols[wanted[rows]]] = True
        around = near[rows] & near[cols]
        rows, cols = rows[around], cols[around]
    pairs = np.unique((rows * k + cols)[rows < cols])
    sets = np.stack([pairs // k, pairs % k], axis=1)
    if size > 2:
        sets = _extended(sets, size)
    found = np.full((len(sets), 4), -1, dtype=np.int32)
    found[:, :size] = sets
    wanted[k] = False
    return found[wanted[found].any(axis=1)]


def _extended(pairs: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Sets of `size` all of whose pairs are among `pairs`, which are ascending."""
    later: dict[int, set[int]] = {}
    for a, b in pairs.tolist():
        later.setdefault(a, set()).add(b)
    sets = pairs
    while sets.shape[1] < size:
        more = []
        for row in sets.tolist():
            more += [[*row, c] for c in sorted(set.intersection(*(later.get(a, set()) for a in row)))]
        sets = np.array(more, dtype=np.int64).reshape(len(more), sets.shape[1] + 1)
    return sets


def _batches(sets: NDArray[np.int32], k: int) -> list[NDArray[np.int32]]:
    """Put each set into the first batch after those of all earlier sets it shares a part with."""
    free, which = [0] * (k + 1), []
    for row in sets.tolist():
        at = max(free[p] for p in row if p >= 0)
        which.append(at)
        for p in row:
            if p >= 0:
                free[p] = at + 1
    batch = np.array(which, dtype=np.int64)
    return [sets[batch == i] for i in range(max(which, default=-1) + 1)]
