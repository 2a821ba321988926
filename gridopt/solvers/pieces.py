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
from gridopt.solvers.refine.focus import Focus
from gridopt.solvers.refine.halves import Halves
from gridopt.solvers.refine.multilevel import Multilevel
from gridopt.solvers.refine.recombination import Recombination
from gridopt.solvers.refine.redivision import Redivision
from gridopt.solvers.refine.restarts import STEPS_PER_SECOND, Restarts
from gridopt.solvers.table import Table

__all__ = ["Effort", "Outcome", "solve_piece"]


MANY_NODES, SHARE_OF_MANY = 200_000, 0.84
"""Pieces with more nodes have few steps for each: more is broken after the first annealing, and more time mends it."""
COMPARED = 6
"""Starts from which on two kinds are compared first."""
CLEARLY = 0.95
"""Halves have to cost less than this share of what levels cost, or others are not made like them: less is chance."""
MENDED_AT_ONCE = 64
"""Surroundings of broken limits mended side by side at most."""
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
    steps_per_start, most_starts : int
        Where parts have many nodes: steps for each node worth another start, and how many starts at most.
    mending_share : float
        Share of what is then left that mending takes at most.
    small : int
        Pieces of at most so many nodes are annealed from several constructions.
    mended_whole : int
        Pieces of at most so many nodes are annealed anew where limits stay broken; larger ones only around the breaks.
    redivision : Redivision
        The last search.
    """

    annealing: Annealing = Annealing()  # noqa: RUF009
    steps_per_node: int = 20_000
    first_share: float = 0.9
    narrow_share: float = 0.7
    steps_per_start: int = 1_000
    most_starts: int = 12
    mending_share: float = 0.6
    small: int = 400
    mended_whole: int = 5000
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
    whole = Budget(budget.seconds, budget.steps, stall)
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
    table = Table(piece, labels, max(groups, min(MENDED_AT_ONCE, piece.n_parts // 12)))
    best = Best(np.array(labels), *table.price())
    best.trace.append((0, clock.seconds(), best.cost, best.violation))
    first = (best.violation, best.cost)

    def stop() -> bool:
        return watch is not None and watch(clock, best)

    if piece.n_nodes <= effort.small:
        Restarts()(piece, table, clock, seed, best, warm, stop)
        patient = clock.expired()
        _redivide(table, clock, budget, seed, best, effort, stop, pool)
        clock.budget = whole
        table.put(best.labels)
        if patient and not stop():
            Restarts()(piece, table, clock, seed + 1, best, True, stop)
        return Outcome(best.labels, best.violation, best.cost, best.trace, clock.steps, first)
    if warm:
        annealing = replace(annealing, hot=annealing.cold * 1.5)
    elif Multilevel().pays(piece):
        _several_starts(piece, clock, seed, best, effort, pool, workers, stop)
        table.put(best.labels)
        annealing = _next(annealing, best.violation > 0, 0)
    _in_turn(piece, table, clock, seed, best, annealing, effort, pool, stop)
    _redivide(table, clock, budget, seed, best, effort, stop, pool)
    clock.budget = whole
    table.put(best.labels)
    polish = _next(effort.annealing, False, 0)
    _in_turn(piece, table, clock, seed + 1, best, polish, effort, pool, stop)
    return Outcome(best.labels, best.violation, best.cost, best.trace, clock.steps, first)


def _in_turn(
    piece: Piece,
    table: Table,
    clock: Clock,
    seed: int,
    best: Best,
    annealing: Annealing,
    effort: Effort,
    pool: Executor | None,
    stop: Callable[[], bool],
) -> None:
    """Anneal, mend limits, and anneal again, until the clock expires or nothing moves."""
    cycle = 0
    while not clock.expired():
        spent = _cycle(table, clock, seed + 7919 * cycle, best, annealing, effort, pool, stop)
        table.put(best.labels)
        if not spent or stop():
            break
        if best.violation:
            _mend(piece, table, clock, seed + 7919 * cycle, best, effort, stop, pool)
            table.put(best.labels)
            effort.redivision(table, clock, seed + 7919 * cycle, best, stop, pool, only_broken=True)
            table.put(best.labels)
        mend = best.violation > 0 and piece.n_nodes <= effort.mended_whole
        annealing = _next(effort.annealing, mend, cycle)
        cycle += 1


def _redivide(
    table: Table,
    clock: Clock,
    budget: Budget,
    seed: int,
    best: Best,
    effort: Effort,
    stop: Callable[[], bool],
    pool: Executor | None,
) -> None:
    """Divide pairs and triples of parts anew, with what was left for it of the budget."""
    clock.budget = Budget(budget.seconds, budget.steps)
    table.put(best.labels)
    effort.redivision(table, clock, seed, best, stop, pool)


def _several_starts(
    piece: Piece,
    clock: Clock,
    seed: int,
    best: Best,
    effort: Effort,
    pool: Executor | None,
    workers: int,
    stop: Callable[[], bool],
) -> None:
    """
    Search from several constructions, side by side where there is a pool; `best` takes the best plan.

    Where there are at least `COMPARED`, one goes through all levels, one by halves, and the others go by halves if
    that was clearly better. How many there are depends on the budget and the piece, never on the workers.
    """
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

    def run(i: int, search: Multilevel | Halves) -> tuple[float, Best | None, int]:
        began, part = clock.seconds(), own.start()
        return began, None if stop() else search(piece, part, seed + 7919 * i, stop), part.steps

    def take(some: range, searches: Sequence[Multilevel | Halves]) -> list[tuple[float, float]]:
        """Make `some` of the runs; return violation and cost of the plan of each."""
        prices: list[tuple[float, float]] = []
        for began, found, spent in (map if pool is None else pool.map)(run, some, searches):
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


def _mend(
    piece: Piece,
    table: Table,
    clock: Clock,
    seed: int,
    best: Best,
    effort: Effort,
    stop: Callable[[], bool],
    pool: Executor | None,
) -> None:
    """Mend limits for a share of what is left of the budget, so that something is left to polish with."""
    part = clock.left(effort.mending_share).start()
    inner = Best(best.labels, best.violation, best.cost)
    table.put(Levelling(light=0.9)(piece, best.labels, seed))
    begun = Best(np.array(table.board.labels), *table.price())
    for turn in range(MENDING_TURNS):
        if not begun.violation or part.expired() or stop():
            break
        table.put(begun.labels)
        if turn:
            Recombination(most=5 + turn)(piece, table, part, seed + turn, begun, stop)
        tries = TRIES_LATER if turn else Focus.tries
        Focus(least_parts=4 + 2 * turn, tries=tries)(table, part, seed + turn, begun, stop, pool)
    inner.offer(begun.labels, begun.violation, begun.cost, part)
    best.append(inner, part, clock)


def _next(annealing: Annealing, mend: bool, cycle: int) -> Annealing:
    """Parameters of the next cycle: look for other plans within limits, or polish the best plan."""
    if mend:
        return replace(annealing, hot=annealing.cold * (2.0 + cycle % 3), give=0.5, firm=1000.0, bend=1.0)
    return replace(annealing, hot=annealing.cold, cold=annealing.cold / 3, hard_from=0.0)


def _cycle(
    table: Table,
    clock: Clock,
    seed: int,
    best: Best,
    annealing: Annealing,
    effort: Effort,
    pool: Executor | None,
    stop: Callable[[], bool],
) -> bool:
    """Anneal once, for a share of what is left of the budget; return whether any step was made."""
    share = effort.first_share if clock.fraction() < 0.5 else 0.5 if best.violation else 1.0
    if clock.budget.seconds is not None and share == effort.first_share:
        share = min(share, 1.0 - min(MOST_FOR_MENDING, SECONDS_FOR_MENDING / clock.budget.seconds))
    part = clock.left(share).start()
    inner = Best(best.labels, best.violation, best.cost)
    annealing(table, part, seed, inner, pool, stop)
    best.append(inner, part, clock)
    return part.steps > 0
