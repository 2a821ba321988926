"""Halves: a piece is divided in two by a search, each half again, and so on; then the whole is annealed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.refine.multilevel import Multilevel, anneal_level

__all__ = ["Halves", "halve_limits"]

WHOLE = 2**62
"""More nodes for each part than any piece has: a search of the nodes as they are."""


@dataclass(frozen=True)
class Halves:
    """
    Recursive bisection in which every division is the best of several searches for two parts.

    Where a graph has few good cuts (circuits, trees of blocks, valleys), an annealing of all parts at once freezes with
    some of them in the wrong place, and no move leads away: a whole branch would have to cross a border. Two parts have
    one border between them, which a search finds easily, the more so where few clusters are left. On the 32-bit adder
    of the Walshaw archive with 16 parts this cuts 117 edges with each of eight seeds, in 1,500 steps for each node;
    annealing on all levels cuts 145 to 240 in as many.

    Parameters
    ----------
    annealing : Annealing
    share : float
        Share of the budget that goes to divisions; the rest anneals the whole.
    tries : int
        Searches for each division: with and without coarser levels, in turn.
    levels : Multilevel
        Of every second search for a division.
    warm : float
        First temperature of the whole, in typical changes.
    """

    annealing: Annealing = Annealing()  # noqa: RUF009
    share: float = 0.5
    tries: int = 8
    levels: Multilevel = Multilevel(annealing=Annealing(rounds=30), nodes_per_part=10)  # noqa: RUF009
    warm: float = 0.3

    def pays(self, piece: Piece) -> bool:
        """Whether the cut is all that counts: what parts cost as a whole is not seen while they are together."""
        return piece.n_parts > 2 and not (
            piece.unit_cost.size or piece.imbalance_weight or piece.inertia_weight or (piece.home >= 0).any()
        )

    def __call__(self, piece: Piece, clock: Clock, seed: int, watch: Callable[[], bool] | None = None) -> Best | None:
        """Return the best plan of the piece found until the clock expires; None where none is contiguous."""
        labels = self._halve(piece, clock, seed, watch)
        if labels is None:  # a half got stuck: too few nodes for its parts, or fixed ones that cannot be joined
            labels = Bisection()(piece, seed)
        if labels is None:
            return None
        return anneal_level(piece, labels, clock, 1.0, replace(self.annealing, hot=self.warm), seed, watch)

    def _halve(
        self, piece: Piece, clock: Clock, seed: int, watch: Callable[[], bool] | None
    ) -> NDArray[np.int32] | None:
        """Divide until each set is one part; None where one cannot be divided."""
        labels = np.zeros(piece.n_nodes, dtype=np.int32)
        whole, depth = clock.left(self.share), int(np.ceil(np.log2(piece.n_parts)))
        waiting = [(np.arange(piece.n_nodes), 0, piece.n_parts)]
        while waiting:
            nodes, first, parts = waiting.pop()
            if parts == 1:
                labels[nodes] = first
                continue
            own = whole.share(len(nodes) / (piece.n_nodes * depth))
            side = self._divide(piece, nodes, (first, parts), own, clock, seed + 31 * first + parts, watch)
            if side is None:
                return None
            few = parts // 2
            waiting += [(nodes[side == 0], first, few), (nodes[side == 1], first + few, parts - few)]
        return labels

    def _divide(
        self,
        piece: Piece,
        nodes: NDArray[np.int64],
        parts: tuple[int, int],
        budget: Budget,
        clock: Clock,
        seed: int,
        watch: Callable[[], bool] | None,
    ) -> NDArray[np.int32] | None:
        """Which half each of `nodes` goes to, the best of several; None where none has a node for each part."""
        two, few = _two_parts(piece, nodes, *parts), parts[1] // 2
        best = None
        for attempt in range(self.tries):
            search = self.levels if attempt % 2 else replace(self.levels, nodes_per_part=WHOLE)
            own = budget.share(1 / self.tries).start()
            found = search(two, own, seed + attempt, watch)
            clock.tick(own.steps)
            if found is None or not few <= np.count_nonzero(found.labels == 0) <= len(nodes) - (parts[1] - few):
                continue
            if best is None or (found.violation, found.cost) < (best.violation, best.cost):
                best = found
        return None if best is None else best.labels


def halve_limits(
    piece: Piece, held: NDArray[np.int64], first: int, parts: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """
    Limits and targets of both halves of some parts, int64 (2, a) each, where the parts hold loads `held`.

    A half should hold its share of what there is, as far as both halves can be within the limits of their parts. Limits
    leave it the same part of the room of its parts at every division to come, so that the last ones have some left.
    """
    middle, left = first + parts // 2, int(np.ceil(np.log2(parts)))
    halves = (slice(first, middle), slice(middle, first + parts))
    most = np.minimum(piece.hi, held)
    lo, hi, target = (
        np.array([limit[half].sum(axis=0, dtype=float) for half in halves]) for limit in (piece.lo, most, piece.target)
    )
    fair = held * target / target.sum(axis=0)
    least, highest = np.maximum(lo, held - hi[::-1]), np.minimum(hi, held - lo[::-1])
    fair = np.where(least <= highest, np.clip(fair, least, highest), fair)
    low = np.minimum(np.ceil(fair - np.maximum(0.0, fair - least) / left), np.floor(fair))
    high = np.maximum(np.floor(fair + np.maximum(0.0, highest - fair) / left), np.ceil(fair))
    return low.astype(np.int64), high.astype(np.int64), np.maximum(1, np.rint(fair)).astype(np.int64)


def _two_parts(piece: Piece, nodes: NDArray[np.int64], first: int, parts: int) -> Piece:
    """Piece of `nodes` with two parts, the first and the second half of `parts` parts from `first` on; cut alone."""
    place = np.full(piece.n_nodes, -1, dtype=np.int32)
    place[nodes] = np.arange(len(nodes))
    rows = place[np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))]
    cols = place[piece.indices]
    inside = (rows >= 0) & (cols >= 0)
    n, middle, fixed = len(nodes), first + parts // 2, piece.fixed[nodes]
    lo, hi, target = halve_limits(piece, piece.workload[nodes].sum(axis=0), first, parts)
    return replace(
        piece,
        indptr=np.concatenate([[0], np.cumsum(np.bincount(rows[inside], minlength=n))]).astype(np.int64),
        indices=cols[inside],
        weights=piece.weights[inside],
        workload=piece.workload[nodes],
        lo=lo,
        hi=hi,
        target=target,
        fixed=np.where(fixed < 0, -1, fixed >= middle).astype(np.int32),
        apart_indptr=np.zeros(n + 1, dtype=np.int64),
        apart_indices=np.empty(0, dtype=np.int32),
        unit_cost=np.empty((0, 0), dtype=np.int64),
        home=np.full(n, -1, dtype=np.int32),
        away_cost=np.zeros(n, dtype=np.int64),
        imbalance_weight=0,
        inertia_weight=0,
        xy=None,
        spread=None,
        moment=None,
    )
