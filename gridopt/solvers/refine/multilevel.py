"""Multilevel: construct and anneal a coarse piece first, then ever finer ones, each from the plan of the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.decompose.coarsen import Coarsening
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.table import Table

__all__ = ["Multilevel", "anneal_level"]

LEAST_SHRINKING = 0.85
"""A level is worth while if it has at most this share of the nodes below it."""


@dataclass(frozen=True)
class Multilevel:
    """
    Annealing on every level of a hierarchy of coarser pieces, hot on the coarsest and warm on the others.

    One move on a coarse level carries a whole cluster. With some hundred nodes in a part this finds plans that cut 3 %
    less in the same time (means over the classic graphs with 16 parts); with 25 nodes in a part it gains nothing.

    Parameters
    ----------
    annealing : Annealing
        Of the coarsest level.
    coarsening : Coarsening
    nodes_per_part : int
        Coarsen while there are more than so many nodes for each part.
    warm : float
        First temperature of the finer levels, in typical changes.
    decay : float
        Share of the budget of a level against the one below it: most goes to the finest.
    """

    annealing: Annealing = Annealing()  # noqa: RUF009
    coarsening: Coarsening = Coarsening()  # noqa: RUF009
    nodes_per_part: int = 25
    warm: float = 0.3
    decay: float = 0.5

    def pays(self, piece: Piece) -> bool:
        """Whether parts have so many nodes that coarsening pays."""
        return piece.n_nodes > 2 * self.nodes_per_part * piece.n_parts

    def __call__(self, piece: Piece, clock: Clock, seed: int, watch: Callable[[], bool] | None = None) -> Best | None:
        """Return the best plan of the piece found until the clock expires; None where none is contiguous."""
        pieces, clusters = [piece], []
        while self.pays(pieces[-1]):
            coarse, cluster = self.coarsening(pieces[-1], seed)
            if coarse.n_nodes > LEAST_SHRINKING * pieces[-1].n_nodes:
                break
            pieces.append(coarse)
            clusters.append(cluster)
        labels = Bisection()(pieces[-1], seed)
        while labels is None and len(pieces) > 1:  # clusters may stand in the way
            pieces.pop()
            clusters.pop()
            labels = Bisection()(pieces[-1], seed)
        if labels is None:
            return None
        best = None
        for level in range(len(pieces) - 1, -1, -1):
            left = sum(self.decay**i for i in range(level + 1))
            annealing = self.annealing if level == len(pieces) - 1 else replace(self.annealing, hot=self.warm)
            best = anneal_level(pieces[level], labels, clock, self.decay**level / left, annealing, seed, watch)
            if level:
                labels = best.labels[clusters[level - 1]]
        return best


def anneal_level(
    piece: Piece,
    labels: NDArray[np.int32],
    clock: Clock,
    share: float,
    annealing: Annealing,
    seed: int,
    watch: Callable[[], bool] | None,
) -> Best:
    """Anneal one piece for a share of what is left of the budget; return the best plan, `labels` at first."""
    table = Table(piece, labels, 1)
    best = Best(np.array(labels), *table.price())
    best.trace.append((0, 0.0, best.cost, best.violation))  # the plan to begin with may stay the best
    part = clock.left(share).start()
    annealing(table, part, seed, best, None, watch)
    best.trace = [
        (clock.steps + step, clock.seconds() - part.seconds() + at, cost, violation)
        for step, at, cost, violation in best.trace
    ]
    clock.tick(part.steps)
    return best
