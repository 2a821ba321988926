"""solve_piece: construct, anneal, mend limits, anneal again; the best plan of one piece within a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.construct.levelling import Levelling
from gridopt.solvers.construct.mending import Mending
from gridopt.solvers.decompose.pendants import join_pendants
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.refine.excursions import Excursions
from gridopt.solvers.refine.focus import Focus
from gridopt.solvers.refine.halves import Halves
from gridopt.solvers.refine.multilevel import Multilevel
from gridopt.solvers.refine.recombination import Recombination
from gridopt.solvers.refine.redivision import Redivision
from gridopt.solvers.refine.relays import Relays
from gridopt.solvers.refine.restarts import STEPS_PER_SECOND, Restarts
from gridopt.solvers.table import Table

__all__ = ["Effort", "Outcome", "solve_piece"]


MANY_NODES, SHARE_OF_MANY = 200_000, 0.84
"""Pieces with more nodes have few steps for each: more is broken after the first annealing, and more time mends it."""
COMPARED = 6
"""Starts from which on two kinds are compared first."""
CLEARLY = 0.95
"""Halves have to cost less than this share of what levels cost, or others are not made like them: less is chance."""
SIDE_BY_SIDE = 512
"""Surroundings of parts searched side by side at most."""
NEVER = 1.001
"""Limits that keep a price to the end: what is broken then is mended at less cost by excursions."""
NARROW = 1.5
"""So many times as many steps are enough where limits are narrow."""
LENIENT = 0.6
"""Share of the first excursions where limits are narrow in which violation has a price only."""
SECONDS_PER_NODE = 1.5e-6
"""What a round of annealing or mending takes beside its steps: none is begun where less time is left. So much, and
a step for each node, is kept for the last relays."""
MENDING_TURNS = 8
"""How often limits are mended by dividing parts anew and by annealing around them, in turn."""
TRIES_LATER = 9
"""Annealings that may fail in a row from the second turn on."""
SECONDS_FOR_MENDING, MOST_FOR_MENDING = 0.15, 0.15
"""Short budgets keep so many seconds back, at most this share, to mend what breaks limits after the first annealing."""


@dataclass(frozen=True)
class Effort:
    """
    How hard to search.

    Parameters
    ----------
    annealing : Annealing
        The main search.
    steps_per_node : int
        The search of a piece ends by itself after so many steps for each of its nodes.
    first_share, narrow_share : float
        Share of a budget the first annealing takes, and where it uses chains; the rest mends limits or polishes.
    enough : int
        Steps for each node after which excursions gain more than the first annealing.
    steps_per_start, most_starts : int
        Where parts have many nodes: steps for each node worth another start, and how many starts at most.
    strict_share, mending_share : float
        Share of what is then left that excursions around broken limits, and mending, take at most.
    small : int
        Pieces of at most so many nodes are annealed from several constructions.
    mended_whole : int
        Pieces without excursions of at most so many nodes are annealed anew where limits stay broken.
    excursions, strict : Excursions
        What polishes the plan of a piece of many parts; the same around broken limits.
    redivision : Redivision
        The last search.
    """

    annealing: Annealing = Annealing()  # noqa: RUF009
    steps_per_node: int = 20_000
    first_share: float = 0.9
    narrow_share: float = 0.6
    enough: int = 4_000
    steps_per_start: int = 1_000
    most_starts: int = 12
    strict_share: float = 0.3
    mending_share: float = 0.6
    small: int = 400
    mended_whole: int = 5000
    excursions: Excursions = Excursions()  # noqa: RUF009
    strict: Excursions = Excursions(only_broken=True, give=30.0, cold=0.8, steps_per_node=200)  # noqa: RUF009
    redivision: Redivision = Redivision()  # noqa: RUF009


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a piece: its best plan (None: none is contiguous), price, improvements and steps made."""

    labels: NDArray[np.int32] | None
    violation: int
    cost: int
    trace: list[tuple[int, float, int, int]]
    steps: int
    first: tuple[int, int] = (0, 0)


def solve_piece(
    piece: Piece,
    budget: Budget,
    seed: int,
    effort: Effort = Effort(),
    start: NDArray[np.int32] | None = None,
    pool: Executor | None = None,
    watch: Callable[[Clock, Best], bool] | None = None,
    workers: int = 1,
) -> Outcome:
    """
    Search for a plan of one piece.

    Parameters
    ----------
    piece : Piece
    budget : Budget
        Of this piece. With `steps` the outcome depends on nothing but the piece, the seed and the effort.
    seed : int
    effort : Effort
    start : ndarray of int32, shape (n,), optional
        Labels to begin with, -1 where unknown; mended where they are not contiguous.
    pool : Executor, optional
        Runs groups of parts of one piece side by side.
    workers : int
        Threads of the pool.
    watch : callable, optional
        Looked at between rounds with the clock and the best plan; True stops the search.
    """
    joined = join_pendants(piece) if piece.n_parts > 1 else None
    if joined is not None and joined[0].n_nodes >= piece.n_parts:
        small, cluster = joined
        begin = None
        if start is not None:
            begin = np.empty(small.n_nodes, dtype=np.int32)
            begin[cluster[::-1]] = start[::-1]
        found = _search(small, budget, seed, effort, begin, pool, watch, workers)
        return found if found.labels is None else replace(found, labels=found.labels[cluster])
    return _search(piece, budget, seed, effort, start, pool, watch, workers)


def _search(
    piece: Piece,
    budget: Budget,
    seed: int,
    effort: Effort,
    start: NDArray[np.int32] | None,
    pool: Executor | None,
    watch: Callable[[Clock, Best], bool] | None,
    workers: int,
) -> Outcome:
    """Search a piece without pendants."""
    stall = effort.steps_per_node * piece.n_nodes
    seconds, steps = budget.seconds, budget.steps
    if seconds is not None:
        seconds -= min(seconds / 2, SECONDS_PER_NODE * piece.n_nodes)
    if steps is not None:
        steps -= min(steps // 4, piece.n_nodes)
    whole = Budget(seconds, steps, stall)
    clock = effort.redivision.leave(whole, piece).start()
    labels = None if start is None else Mending(start)(piece, seed)
    warm = labels is not None
    if labels is None:
        labels = Bisection()(piece, seed, pool)
        if labels is not None and piece.n_nodes < effort.annealing.few_nodes * piece.n_parts:
            labels = Levelling()(piece, labels, seed)
    if labels is None:
        return Outcome(None, 0, 0, [], 0)
    annealing = effort.annealing.suited_to(piece)
    share = effort.narrow_share if annealing.longest > 1 else effort.first_share
    if piece.n_nodes > MANY_NODES:
        share = min(share, SHARE_OF_MANY)
    effort = replace(effort, annealing=annealing, first_share=share)
    groups = annealing.n_groups(piece.n_nodes, piece.n_parts)
    table = Table(piece, labels, max(groups, min(SIDE_BY_SIDE, piece.n_parts // 12)))
    best = Best(np.array(labels), *table.price())
    best.trace.append((0, clock.seconds(), best.cost, best.violation))
    first = (best.violation, best.cost)

    def stop() -> bool:
        return watch is not None and watch(clock, best)

    run = _Run(piece, table, clock, seed, best, effort, pool, stop)
    if piece.n_nodes <= effort.small:
        Restarts()(piece, table, clock, seed, best, warm, stop)
        patient = clock.expired()
        _redivide(run, replace(whole, stall=None))
        clock.budget = whole
        if patient and not stop():
            Restarts()(piece, table, clock, seed + 1, best, True, stop)
        return _end(run, budget, first)
    if warm:
        annealing = replace(annealing, hot=annealing.cold * 1.5)
    elif Multilevel().pays(piece):
        _several_starts(run, workers)
        table.put(best.labels)
        annealing = _next(annealing, best.violation > 0, 0)
    if _anneal(run, annealing, seed) and not stop():
        _improve(run)
    _redivide(run, replace(whole, stall=None))
    clock.budget = whole
    _improve(replace(run, seed=seed + 1))
    return _end(run, budget, first)


@dataclass(frozen=True, eq=False)
class _Run:
    """A search under way. The table holds the plan in `best` between its parts."""

    piece: Piece
    table: Table
    clock: Clock
    seed: int
    best: Best
    effort: Effort
    pool: Executor | None
    stop: Callable[[], bool]

    def part(self, budget: Budget, search: Callable[[Clock, Best], None]) -> int:
        """Search on the table for a part of the budget, take what was found, and return the steps made."""
        clock, found = budget.start(), Best(self.best.labels, self.best.violation, self.best.cost)
        search(clock, found)
        self.best.append(found, clock, self.clock)
        self.table.put(self.best.labels)
        return clock.steps


def _end(run: _Run, budget: Budget, first: tuple[int, int]) -> Outcome:
    """Outcome of a search; what still breaks limits is mended by relays with what was kept of the budget for them."""
    best, clock = run.best, run.clock
    if best.violation:
        clock.budget = budget
        run.table.put(best.labels)
        Relays()(run.table, clock, best, run.stop)
    return Outcome(best.labels, best.violation, best.cost, best.trace, clock.steps, first)


def _improve(run: _Run) -> None:
    """Mend limits and polish in turn, until the clock expires or nothing moves."""
    effort, clock, best, cycle = run.effort, run.clock, run.best, 0
    wanders = effort.excursions.pays(run.piece)
    if wanders and best.violation and effort.annealing.lean and not clock.expired():
        _wander(run, replace(effort.excursions, lenient=LENIENT), clock.left(0.6), run.seed)
    while not clock.expired() and not run.stop():
        seed, cycle = run.seed + 7919 * cycle, cycle + 1
        if best.violation and wanders:
            _wander(run, effort.strict, clock.left(effort.strict_share), seed)
        if best.violation:
            _mend(run, seed)
            effort.redivision(run.table, clock, seed, best, run.stop, run.pool, only_broken=True)
            run.table.put(best.labels)
        if wanders and _wander(run, effort.excursions, clock.left(0.5 if best.violation else 1.0), seed):
            continue
        mend = best.violation > 0 and run.piece.n_nodes <= effort.mended_whole
        if not _anneal(run, _next(effort.annealing, mend, cycle - 1), seed + 7919):
            break


def _wander(run: _Run, excursions: Excursions, budget: Budget, seed: int) -> int:
    """Make excursions for a part of the budget; return the steps made."""
    return run.part(budget, lambda clock, best: excursions(run.table, clock, seed, best, run.stop, run.pool))


def _redivide(run: _Run, budget: Budget) -> None:
    """Divide pairs and triples of parts anew, with what was left for it of the budget."""
    run.clock.budget = budget
    run.table.put(run.best.labels)
    run.effort.redivision(run.table, run.clock, run.seed, run.best, run.stop, run.pool)
    run.table.put(run.best.labels)


def _several_starts(run: _Run, workers: int) -> None:
    """
    Search from several constructions, side by side where there is a pool; `best` takes the best plan.

    Where there are at least `COMPARED`, one goes through all levels, one by halves, and the others go by halves if
    that was clearly better. How many there are depends on the budget and the piece, never on the workers.
    """
    piece, clock, best, effort, pool = run.piece, run.clock, run.best, run.effort, run.pool
    most = clock.most_steps()
    limited = most is not None and (clock.budget.seconds is None or clock.budget.steps is not None)
    steps = float(most or 0) if limited else np.inf
    steps = min(steps, STEPS_PER_SECOND * (clock.budget.seconds or np.inf))
    wanted = round(steps / (effort.steps_per_start * piece.n_nodes))
    runs = 2 * max(1, min(effort.most_starts // 2, wanted // 2))
    levels, halves = Multilevel(effort.annealing), Halves(effort.annealing)
    compared = 2 if runs >= COMPARED and halves.pays(piece) else 0
    turns = -(-compared // workers) - (compared - runs) // workers
    seconds = None if clock.budget.seconds is None else clock.seconds_left() * effort.first_share / turns
    own = Budget(seconds, None if most is None else max(1, int(most * effort.first_share / runs)))

    def make(i: int, search: Multilevel | Halves) -> tuple[float, Best | None, int]:
        began, part = clock.seconds(), own.start()
        return began, None if run.stop() else search(piece, part, run.seed + 7919 * i, run.stop), part.steps

    def take(some: range, searches: Sequence[Multilevel | Halves]) -> list[tuple[float, float]]:
        """Make `some` of the runs; return violation and cost of the plan of each."""
        prices: list[tuple[float, float]] = []
        for began, found, spent in (map if pool is None else pool.map)(make, some, searches):
            prices.append((np.inf, np.inf) if found is None else (found.violation, found.cost))
            if found is not None:
                for step, at, cost, violation in found.trace:
                    if (violation, cost) < (best.violation, best.cost):
                        best.violation, best.cost = violation, cost
                        best.trace.append((clock.steps + step, began + at, cost, violation))
                        best.labels[:] = found.labels
            clock.tick(spent)
        return prices

    search: Multilevel | Halves = levels
    if compared:
        one, other = take(range(compared), (levels, halves))
        search = halves if other[0] <= one[0] and other[1] < CLEARLY * one[1] else levels
    take(range(compared, runs), [search] * (runs - compared))
    best.trace.sort(key=lambda row: row[0])


def _mend(run: _Run, seed: int) -> None:
    """Mend limits for a share of what is left of the budget, so that something is left to polish with."""
    piece, table, stop = run.piece, run.table, run.stop

    def search(clock: Clock, best: Best) -> None:
        table.put(Levelling(light=0.9)(piece, best.labels, seed))
        begun = Best(np.array(table.board.labels), *table.price())
        Relays()(table, clock, begun, stop)
        for turn in range(MENDING_TURNS):
            if not begun.violation or clock.expired() or stop():
                break
            table.put(begun.labels)
            if turn:
                Recombination(most=5 + turn)(piece, table, clock, seed + turn, begun, stop)
            tries = TRIES_LATER if turn else Focus.tries
            Focus(least_parts=4 + 2 * turn, tries=tries)(table, clock, seed + turn, begun, stop, run.pool)
        best.offer(begun.labels, begun.violation, begun.cost, clock)

    if run.clock.seconds_left() > SECONDS_PER_NODE * piece.n_nodes:
        run.part(run.clock.left(run.effort.mending_share), search)


def _next(annealing: Annealing, mend: bool, cycle: int) -> Annealing:
    """Parameters of the next cycle: look for other plans within limits, or polish the best plan."""
    if mend:
        return replace(annealing, hot=annealing.cold * (2.0 + cycle % 3), give=0.5, firm=1000.0, bend=1.0)
    return replace(annealing, hot=annealing.cold, cold=annealing.cold / 3, hard_from=0.0)


def _anneal(run: _Run, annealing: Annealing, seed: int) -> bool:
    """Anneal once, for a share of what is left of the budget; return whether any step was made."""
    clock, effort = run.clock, run.effort
    if clock.seconds_left() < SECONDS_PER_NODE * run.piece.n_nodes:
        return False
    share = effort.first_share if clock.fraction() < 0.5 else 0.5 if run.best.violation else 1.0
    if clock.budget.seconds is not None and share == effort.first_share:
        share = min(share, 1.0 - min(MOST_FOR_MENDING, SECONDS_FOR_MENDING / clock.budget.seconds))
    budget = clock.left(share)
    if effort.excursions.pays(run.piece):
        most = int(effort.enough * run.piece.n_nodes * (NARROW if annealing.lean else 1))
        budget = replace(budget, steps=most if budget.steps is None else min(most, budget.steps))
        if annealing.lean:
            annealing = replace(annealing, hard_from=NEVER)
    return run.part(budget, lambda part, best: annealing(run.table, part, seed, best, run.pool, run.stop)) > 0
