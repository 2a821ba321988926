"""Shifting: from parts in force to parts within limits, few nodes moving; sets of parts are annealed side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import ANY_COST
from gridopt.solvers.table import Table

__all__ = ["Shifting", "Worth", "warm"]

Worth = tuple[int, int, int]
"""Violation in millionths, weight away from home, cost: compared in this order."""
LARGEST = 2**59
"""Greatest sum of prices: gains are differences of a few of them."""


@dataclass(frozen=True)
class Shifting:
    """
    Large neighbourhood search (Shaw, CP 1998) that starts from the plan in force and asks first that limits are kept.

    Broken parts, then parts that have changed, are taken with some around each. Their nodes are put back where they
    started, and annealed from hot, where workload moves freely, to cold, where borders settle; a set that is worse than
    before is put back as it was. Worse is more violation, then more weight away from home, then a higher cost.

    Parameters
    ----------
    price : float
        What the typical load of a node costs away from home, in typical edges, while annealing.
    hot, cold : float
        First and last temperature: in typical changes of a move, and in typical edges.
    give, firm : float
        Price of one per cent of violation at first and in the end, in typical changes.
    swell : float
        See `gridopt.solvers.refine.annealing.Annealing`.
    longest, span : int
        Moves in a chain, and nodes looked at for each of them.
    rounds : int
        Temperatures of one annealing.
    steps_per_node : int
        Of one annealing.
    least_parts, most_parts : int
        Parts in a set of a broken part.
    sizes : tuple of int
        Parts in a set where limits are kept, in turn.
    growth : float
        By how much sets grow when no limit was mended in a round.
    at_once : int
        Sets at most in a round.
    patience : int
        Rounds without a notable improvement before the search ends, where there are `at_once` sets.
    most_patience : int
        How many times as many where there are fewer sets.
    notable : int
        An improvement by less than one such part of what moves is not notable.
    strict_share : float
        Share of the budget at most for moving less; the rest spends the spare weight.
    spare : int
        Weight by which plans may differ and still count as equal in what moves: then the cheaper one is better.
    dearer, cheapest : float
        How `price` changes from round to round while the spare weight is spent, and where that ends.
    """

    price: float = 30.0
    hot: float = 1.0
    cold: float = 0.2
    give: float = 3.0
    firm: float = 3000.0
    swell: float = 5e-6
    longest: int = 3
    span: int = 24
    rounds: int = 12
    steps_per_node: int = 60
    least_parts: int = 4
    most_parts: int = 10
    sizes: tuple[int, ...] = (4, 6, 8, 14)
    growth: float = 1.5
    at_once: int = 64
    patience: int = 2
    most_patience: int = 4
    notable: int = 200
    strict_share: float = 0.6
    spare: int = 0
    dearer: float = 1.7
    cheapest: float = 0.5

    def __call__(
        self,
        piece: Piece,
        start: NDArray[np.int32],
        home: NDArray[np.int32],
        weight: NDArray[np.int64],
        clock: Clock,
        seed: int,
        watch: Callable[[Worth], bool] | None = None,
        labels: NDArray[np.int32] | None = None,
        pool: Executor | None = None,
    ) -> NDArray[np.int32]:
        """
        Return labels no worse than `start`.

        Parameters
        ----------
        piece : Piece
            Its own prices of leaving home do not count.
        start : ndarray of int32, shape (n,)
            Contiguous labels to change as little as possible.
        home : ndarray of int32, shape (n,)
            Part in which each node does not count as moved, -1 where it is all the same.
        weight : ndarray of int64, shape (n,)
            What counts when a node is not at home.
        clock : Clock
        seed : int
        watch : callable, optional
            Looked at after each round with what the plan is worth; True stops.
        labels : ndarray of int32, optional
            Better labels than `start` to go on from.
        pool : Executor, optional
            Anneals sets side by side.
        """
        work = _Work(self, piece, start, home, weight, labels, pool)
        wanted, idle, attempt = float(self.least_parts), 0, 0
        best = work.worth()
        share = self.strict_share if self.spare else 1.0
        patience = self.patience
        while clock.fraction() < share and idle < patience:
            order, bad = work.agenda(np.random.SeedSequence([seed, attempt]))
            if not len(order):
                break
            size = int(wanted) if bad else self.sizes[attempt % len(self.sizes)]
            clock.tick(work.round(order, min(size, piece.n_parts), seed + 7919 * attempt, clock))
            patience = self.patience * max(1, min(self.most_patience, self.at_once // work.n_sets))
            now = work.worth()
            if bad and now[0] == best[0]:
                wanted = min(wanted * self.growth, max(self.most_parts, piece.n_parts / (1 + attempt % 4)))
            better = now[0] < best[0] or now[1] < best[1] - best[1] // self.notable
            idle = 0 if better else idle + 1
            if best[0] and not now[0]:
                wanted = float(self.least_parts)
            best, attempt = now, attempt + 1
            if watch is not None and watch(now):
                return np.array(work.table.board.labels)
        if self.spare and not best[0]:
            self._spend(work, clock, seed, best[1] + self.spare, watch)
        return np.array(work.table.board.labels)

    def _spend(self, work: _Work, clock: Clock, seed: int, most: int, watch: Callable[[Worth], bool] | None) -> None:
        """Let a little more move, `most` in all, where that lowers the cost: moving becomes cheaper round by round."""
        typical, failures, attempt = self.price / 4, 0, 0
        while not clock.expired() and failures < self.patience and typical > self.cheapest:
            order, _ = work.agenda(np.random.SeedSequence([seed, 77, attempt]))
            if not len(order):
                return
            before, was = np.array(work.table.board.labels), work.worth()
            work.reprice(typical, plain=False)
            size = min(self.sizes[attempt % len(self.sizes)], work.piece.n_parts)
            clock.tick(work.round(order, size, seed + 7919 * attempt + 77, clock))
            now = work.worth()
            if (now[0], now[2]) >= (was[0], was[2]) or now[1] > most:
                work.table.put(before)
                failures += 1
                typical *= self.dearer if now[1] > most else 1 / self.dearer
            else:
                typical /= self.dearer
            attempt += 1
            if watch is not None and watch(work.worth()):
                return


@cache
def warm() -> None:
    """Load the kernels that only rebalancing needs, or compile them."""
    four, none = np.arange(0, 9, 2, dtype=np.int64), np.full(4, -1, dtype=np.int32)
    ones, two = np.ones((4, 1), dtype=np.int64), np.full((2, 1), 2, dtype=np.int64)
    ring = Piece(
        indptr=four, indices=np.array([1, 3, 0, 2, 1, 3, 0, 2], dtype=np.int32), weights=np.ones(8, dtype=np.int64),
        workload=ones, lo=two, hi=two, target=two, fixed=none, apart_indptr=np.zeros(5, dtype=np.int64),
        apart_indices=none[:0], unit_cost=np.empty((0, 0), dtype=np.int64), home=none,
        away_cost=np.zeros(4, dtype=np.int64), xy=np.empty((0, 2), dtype=np.int64),
    )  # fmt: skip
    start = np.array([0, 0, 0, 1], dtype=np.int32)
    Shifting()(ring, start, start, ones[:, 0], Budget(steps=1).start(), 0)


class _Work:
    """The state of one search."""

    def __init__(
        self,
        how: Shifting,
        piece: Piece,
        start: NDArray[np.int32],
        home: NDArray[np.int32],
        weight: NDArray[np.int64],
        labels: NDArray[np.int32] | None,
        pool: Executor | None,
    ) -> None:
        self.how, self.start, self.pool = how, start, pool
        self.home, self.weight = np.array(home, dtype=np.int32), np.array(weight, dtype=np.int64)
        self.edge = max(1.0, float(piece.weights.mean()) if len(piece.weights) else 1.0)
        self.piece = replace(piece, home=self.home, away_cost=self.weight)
        self.table = Table(
            self.piece, start if labels is None else labels, min(how.at_once, max(1, piece.n_parts // 3))
        )
        self.reprice(how.price, plain=True)

    def reprice(self, typical: float, plain: bool) -> None:
        """
        Let the typical node cost so many typical edges away from home.

        `plain`: what moves counts before the cost; else it is one price among others.
        """
        price = _price(self.piece, self.weight, typical * self.edge)
        if len(self.table.terms.away_cost):
            self.table.terms.away_cost[:] = self.weight * price
        self.exchange = 0 if plain else price
        self.scale = self.table.scale()

    def worth(self) -> Worth:
        """What the plan on the table is worth, from scratch."""
        table = self.table
        violation, cost = table.price()
        away = (self.home >= 0) & (table.board.labels != self.home)
        extra = int(table.terms.away_cost[away].sum()) if len(table.terms.away_cost) else 0
        return violation, int(self.weight[away].sum()), cost - extra

    def agenda(self, stream: Any) -> tuple[NDArray[np.int64], bool]:
        """Parts to look at, in random order: those outside their limits, else those that have changed."""
        table = self.table
        loads, limits, labels = table.board.loads, table.limits, table.board.labels
        bad = np.asarray(((loads > limits.hi) | (loads < limits.lo)).any(axis=1))
        if len(table.terms.apart_indices):
            rows = np.repeat(np.arange(len(labels)), np.diff(table.terms.apart_indptr))
            same = labels[rows] == labels[table.terms.apart_indices]
            bad[labels[rows[same]]] = True
        broken = bool(bad.any())
        if not broken:
            moved = np.flatnonzero(labels != self.start)
            bad[labels[moved]] = True
            bad[self.start[moved]] = True
        return np.random.default_rng(stream).permutation(np.flatnonzero(bad)), broken

    def round(self, order: NDArray[np.int64], wanted: int, seed: int, clock: Clock) -> int:
        """Anneal sets of parts around those in `order`, put back what is worse; return the steps made."""
        table = self.table
        sets = _sets_around(table, order, wanted)
        self.n_sets = len(sets)
        before = np.array(table.board.labels)
        nodes = table.gather(sets)
        old = self._weigh(len(sets))
        self._go_back(nodes, len(sets))
        steps = self._anneal(sets, nodes, seed, clock)
        nodes = table.gather(sets, nodes)
        new = self._weigh(len(sets))
        if self.exchange:
            for worth in (old, new):
                worth[:, 2] += worth[:, 1] * self.exchange
                worth[:, 1] = 0
        worse = np.array([tuple(b) > tuple(a) for a, b in zip(old.tolist(), new.tolist())], dtype=bool)
        group = table.groups.group_of[table.board.labels[nodes]]
        labels = np.array(table.board.labels)
        back = nodes[worse[group]]
        labels[back] = before[back]
        table.put(labels)
        return steps

    def _weigh(self, n_sets: int) -> NDArray[np.int64]:
        from gridopt._kernels.sets import weigh_sets

        out, table = np.zeros((n_sets, 3), dtype=np.int64), self.table
        weigh_sets(table.csr, table.limits, table.terms, table.board, table.groups, n_sets, self.home, self.weight, out)
        return out

    def _go_back(self, nodes: NDArray[np.int64], n_sets: int) -> None:
        """Put the nodes of a set back where they started, where nothing of these parts is elsewhere."""
        table = self.table
        labels, group_of = table.board.labels, table.groups.group_of
        group, origin = group_of[labels], group_of[self.start]
        mixed = np.zeros(n_sets + 1, dtype=bool)
        odd = group != origin
        mixed[group[odd]] = True
        mixed[origin[odd]] = True
        back = nodes[~mixed[group[nodes]]]
        new = np.array(labels)
        new[back] = self.start[back]
        table.put(new)

    def _anneal(self, sets: list[NDArray[np.int64]], nodes: NDArray[np.int64], seed: int, clock: Clock) -> int:
        """Anneal each set from hot to cold; return the steps made."""
        from gridopt._kernels.search import Pace

        how, table, total = self.how, self.table, 0
        streams = np.random.SeedSequence([seed, 77]).generate_state(how.rounds * len(sets), np.uint64)
        hot, cold = how.hot * self.scale, how.cold * self.edge
        for r in range(how.rounds):
            fraction = r / max(1, how.rounds - 1)
            heat = hot * min(1.0, cold / hot) ** fraction
            strain = self.scale / 10_000 * how.give * (how.firm / how.give) ** fraction
            pace = Pace(heat, heat, how.longest, how.span, 1.0, strain, how.swell, ANY_COST)
            nodes = table.gather(sets, nodes)
            sizes = np.diff(table.groups.group_first[: len(sets) + 1])
            steps = np.maximum(50, sizes * how.steps_per_node // how.rounds)

            def run(g: int, r: int = r, steps: Any = steps, pace: Any = pace) -> None:
                table.anneal(g, streams[r * len(sets) + g], int(steps[g]), pace)

            list(map(run, range(len(sets))) if self.pool is None else self.pool.map(run, range(len(sets))))
            table.new_marks(int(steps.max()))
            total += max(1, int(table.out[: len(sets), 2].sum()))
            if clock.expired():
                break
        return total


def _price(piece: Piece, weight: NDArray[np.int64], typical: float) -> int:
    """Price of one unit of weight away from home, so that the typical weight costs `typical`; all in 64 bits."""
    some = weight[weight > 0]
    if not len(some):
        return 0
    total = int(weight.sum())
    room = (LARGEST - int(piece.weights.sum())) // max(1, total)
    return max(1, min(room, round(typical / float(np.median(some)))))


def _sets_around(table: Table, order: NDArray[np.int64], wanted: int) -> list[NDArray[np.int64]]:
    """Each part in `order` with those nearest by borders crossed, `wanted` in all; no part is in two of them."""
    labels, csr, k = table.board.labels, table.csr, len(table.limits.lo)
    rows, cols = labels[table.borders.source], labels[csr.indices]
    cut = rows != cols
    beside = sparse.csr_matrix((np.ones(int(cut.sum()), np.int8), (rows[cut], cols[cut])), shape=(k, k))
    taken = np.zeros(k, dtype=bool)
    found: list[NDArray[np.int64]] = []
    for part in order.tolist():
        if taken[part]:
            continue
        near, ring = [part], [part]
        inside = {part}
        while len(near) < wanted and ring:
            around = sorted(
                {
                    q
                    for p in ring
                    for q in beside.indices[beside.indptr[p] : beside.indptr[p + 1]].tolist()
                    if q not in inside and not taken[q]
                }
            )
            near += around
            inside.update(around)
            ring = around
        parts = np.array(sorted(near), dtype=np.int64)
        taken[parts] = True
        found.append(parts)
        if len(found) == table.n_groups:
            break
    return found
