"""Annealing: simulated annealing with limits that harden, over groups of parts side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.budget import Clock
from gridopt.solvers.piece import Piece
from gridopt.solvers.table import Table

__all__ = ["Annealing", "Best"]

MOST_GROUPS = 256
SLICE_SECONDS, SLICE_SECONDS_PER_NODE = 0.25, 1.5e-6
"""Length of a round at most, where time is limited: each costs some passes over all nodes."""
EARLY = 0.1
"""Chains come so much sooner where limits are closer than the load of a typical node: few single moves keep them."""
USUAL_SPREAD = 1.33
"""Mean square of the weights of edges over the square of their mean: what cities of generated streets have."""
LEAN, LEAN_UNTIL, SMOOTHINGS = 1.0, 0.9, 6
"""Where limits are narrow they lean with this gain in the first part of the budget, against loads averaged over the
parts beside each so many times: else whole stretches end at one side of their limits, and chains cannot bring that load
to the other end of the territory. Gains of 3 oscillate where the price rises soon."""
ANY_COST = float("inf")
"""Price of a millionth of violation for which no cost is too high."""
FIRM = 1e6
"""Price of a millionth of violation, in typical changes, once limits are hard."""


@dataclass
class Best:
    """The best plan seen, and how it improved: rows of (step, seconds, cost, violation)."""

    labels: NDArray[np.int32]
    violation: int
    cost: int
    trace: list[tuple[int, float, int, int]] = field(default_factory=list)

    def offer(self, labels: NDArray[np.int32], violation: int, cost: int, clock: Clock) -> bool:
        """Take a plan if it is better; return whether it was."""
        if (violation, cost) >= (self.violation, self.cost):
            return False
        self.labels[:] = labels
        self.violation, self.cost = violation, cost
        self.trace.append((clock.steps, clock.seconds(), cost, violation))
        return True

    def append(self, found: Best, part: Clock, clock: Clock) -> None:
        """Take what a part of a search found on the same labels, by its own clock `part`, and count its steps."""
        late = clock.seconds() - part.seconds()
        for step, seconds, cost, violation in found.trace:
            self.trace.append((clock.steps + step, late + seconds, cost, violation))
        self.violation, self.cost = found.violation, found.cost
        clock.tick(part.steps)


@dataclass(frozen=True)
class Annealing:
    """
    Simulated annealing of border nodes (Kirkpatrick et al., Science 220, 1983) with limits that harden.

    A load may leave its limits at a price, which rises from a fraction of the temperature until nothing that breaks a
    limit is accepted. On the plain city graph (10,000 nodes, 400 parts, ±3 %) that cuts a fifth less than limits that
    are hard throughout, and a jump from soft to hard costs 4 %: hence the slow rise.

    Parameters
    ----------
    hot, cold : float
        First and last temperature, in units of what a move typically changes (`Table.scale`). Geometric between them.
    give, firm : float
        Price of one per cent of violation, in temperatures: at first, and at the end.
    bend : float
        The price rises geometrically with this power of the fraction of the budget: late, for greater powers.
    hard_from : float
        Fraction of the budget from which on nothing that adds to violation is accepted.
    swell : float
        How much more a miss costs the larger it is: ``1 + swell x`` times for ``x`` millionths of the target.
    longest, span : int
        Moves in a chain, and nodes looked at for each of them.
    relief : float
        Share of the price of violation that a chain may cost: with 0 few plans are paid for, and some violation stays.
    chains_from : float
        Price of one per cent of violation, in temperatures, from which on chains are tried; single moves do before.
    few_nodes : int
        Chains are tried where a part has fewer nodes than this, or limits are closer than the load of a typical node.
    nodes_per_group : int
        Parts are annealed in groups of about so many nodes; pieces of a quarter of that or more in two groups at least.
        Nothing crosses the border of a group in a round: few large groups find better plans than many small ones.
    rounds : int
        Rounds of a budget; a new grouping in each.
    lean : float
        Limits move against what the parts around each are too heavy or too light by in the mean, times this.
    """

    hot: float = 0.9
    cold: float = 0.2
    give: float = 0.2
    firm: float = 100.0
    hard_from: float = 0.99
    bend: float = 3.0
    swell: float = 5e-6
    longest: int = 3
    span: int = 24
    relief: float = 0.0
    chains_from: float = 10.0
    few_nodes: int = 16
    nodes_per_group: int = 4000
    rounds: int = 100
    lean: float = 0.0

    def n_groups(self, n: int, k: int) -> int:
        """Return how many groups a piece of `n` nodes and `k` parts is annealed in; never depends on the workers."""
        fewest = 2 if n >= self.nodes_per_group // 4 else 1
        return int(max(1, min(MOST_GROUPS, max(fewest, n // self.nodes_per_group), k // 12)))

    def suited_to(self, piece: Piece) -> Annealing:
        """
        Return the same for a piece: hotter at first where few borders cost far more than most.

        Without chains where limits are wide, since single moves are quicker; with a price that rises sooner, chains
        sooner, and limits that lean, where they are narrow.
        """
        suited = replace(self, hot=self.hot * max(1.0, _spread(piece) / USUAL_SPREAD))
        room = _room(piece)
        if room < 1.0:
            return replace(suited, lean=LEAN, bend=self.bend - 1, chains_from=self.chains_from * EARLY)
        return suited if piece.n_nodes < self.few_nodes * piece.n_parts else replace(suited, longest=1)

    def heat(self, fraction: float) -> float:
        """Temperature after a fraction of the budget, in typical changes."""
        return float(self.hot * (self.cold / self.hot) ** fraction)

    def strain(self, fraction: float) -> float:
        """Price of a millionth of violation after a fraction of the budget, in typical changes."""
        if fraction >= self.hard_from:
            return FIRM
        give = self.give * (self.firm / self.give) ** ((fraction / self.hard_from) ** self.bend)
        return give * self.heat(fraction) / 10_000

    def pace(self, fraction: float, scale: float) -> Any:
        """Return the `Pace` after a fraction of the budget, a typical change being `scale`."""
        from gridopt._kernels.search import Pace

        heat, strain = self.heat(fraction), self.strain(fraction)
        priced = strain * 10_000 >= self.chains_from * heat
        longest = self.longest if priced else 1
        return Pace(scale * heat, scale * heat, longest, self.span, self.relief, scale * strain, self.swell, ANY_COST)

    def __call__(
        self,
        table: Table,
        clock: Clock,
        seed: int,
        best: Best,
        pool: Executor | None = None,
        watch: Callable[[], bool] | None = None,
    ) -> None:
        """Anneal the plan on `table` until the clock expires or `watch` says stop; `best` takes better plans."""
        from gridopt._kernels.graph import group_parts

        n, k = len(table.fixed), len(table.limits.lo)
        n_groups = min(table.n_groups, self.n_groups(n, k))
        if k < 2 or not len(table.csr.indices):
            return
        scale = table.scale()
        speed, around, round_number = 1e6, 0.0, 0
        while not clock.expired():
            fraction, entered = clock.fraction(), clock.seconds()
            pace = self.pace(fraction, scale)
            group_parts(
                table.csr,
                table.board.labels,
                table.board.sizes,
                n_groups,
                (round_number * 7919 + seed) % k,
                *table.groups,
            )
            steps = self._round_steps(n, clock, speed, around)
            first = table.groups.group_first
            quota = [max(1, int(steps * (first[g + 1] - first[g]) // n)) for g in range(n_groups)]
            streams = np.random.SeedSequence([seed, round_number]).generate_state(n_groups, np.uint64).astype(np.uint64)
            began = clock.seconds()
            limits = leaning(table, self.lean) if self.lean and fraction < LEAN_UNTIL else table.limits
            _anneal_groups(table, quota, streams, pace, limits, pool)
            done = max(int(table.out[:n_groups, 2].sum()), n // 4, 1)
            clock.tick(done)
            spent = clock.seconds() - began
            speed = 0.5 * speed + 0.5 * done / max(1e-6, spent)
            best.offer(table.board.labels, *table.price(), clock)
            around = clock.seconds() - entered - spent
            round_number += 1
            if watch is not None and watch():
                return

    def _round_steps(self, n: int, clock: Clock, speed: float, around: float) -> int:
        """
        Steps of the next round: a fixed share of a budget of steps, or of what the time left allows.

        `around` is what a round takes beside its steps, in seconds.
        """
        most = clock.most_steps()
        by_steps = max(1000, min(20 * n, (most or 0) // self.rounds)) if most is not None else 20 * n
        if clock.budget.seconds is None:
            left = clock.steps_left()
            return max(1, by_steps if left is None else min(by_steps, left))
        longest = max(SLICE_SECONDS, SLICE_SECONDS_PER_NODE * n)
        slice_seconds = min(max(0.002, clock.budget.seconds / self.rounds), longest)
        slice_seconds = max(1e-3, min(max(slice_seconds, 4 * around), clock.seconds_left() - around))
        return max(200, min(by_steps, int(speed * slice_seconds)))


def _room(piece: Piece) -> float:
    """How far apart the limits of a typical part are, in loads of a typical node; of the narrowest attribute."""
    load = piece.workload
    some = (load > 0).any(axis=1)
    typical = np.median(load[some], axis=0) if some.any() else np.zeros(load.shape[1])
    used = typical > 0
    span = np.median(piece.hi - piece.lo, axis=0)
    return float((span[used] / typical[used]).min()) if used.any() else np.inf


def _spread(piece: Piece) -> float:
    """How unequal the weights of edges are: mean square over squared mean, 1 where all are the same."""
    weights = np.asarray(piece.weights, dtype=np.float64)
    mean = float(weights.mean()) if len(weights) else 0.0
    return float((weights**2).mean()) / mean**2 if mean > 0 else 1.0


def _anneal_groups(
    table: Table, quota: list[int], streams: NDArray[Any], pace: Any, limits: Any, pool: Executor | None
) -> None:
    """Anneal each group for its share of steps, side by side where there is a pool: the outcome is the same."""

    def run(g: int) -> None:
        table.anneal(g, streams[g], quota[g], pace, None, limits)

    if pool is None or len(quota) == 1:
        for g in range(len(quota)):
            run(g)
    else:
        list(pool.map(run, range(len(quota))))
    table.new_marks(max(quota))


def leaning(table: Table, gain: float) -> Any:
    """
    Limits moved against what the parts around each are too heavy or too light by in the mean, times `gain`.

    Where a stretch of parts is light, all their limits rise, so that they draw load from the parts around the stretch
    even where none of them is outside its own limits.
    """
    beside = table.beside() + sparse.identity(len(table.limits.lo), format="csr")
    mean = sparse.diags(1.0 / np.asarray(beside.sum(axis=1)).ravel()) @ beside
    limits = table.limits
    off = (table.board.loads - limits.target) / limits.target
    for _ in range(SMOOTHINGS):
        off = mean @ off
    shift = np.rint(-gain * off * limits.target).astype(np.int64)
    return limits._replace(lo=limits.lo + shift, hi=limits.hi + shift)
