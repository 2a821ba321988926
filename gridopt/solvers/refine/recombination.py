"""Recombination: parts outside their limits and some around them are divided anew by random spanning trees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridopt.solvers.budget import Clock
from gridopt.solvers.construct.members import Members
from gridopt.solvers.piece import Piece
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.table import Table

__all__ = ["Recombination"]

LARGE = 30_000
"""Millionths of a target a part has to miss: less is mended by annealing, which raises the cost by less."""
NOTICED = 1000
"""Millionths of a target that must be gained to count as success: what is missing can be passed around without end."""


@dataclass(frozen=True)
class Recombination:
    """
    Divide a part far outside its limits and a few random parts around it anew, by the spanning tree that misses least.

    After ReCom (DeFord, Duchin & Solomon, Harvard Data Sci. Rev. 3.1, 2021), which draws; this climbs. It passes where
    single moves do not: all nodes of some parts may change at once. Parts with fixed nodes are left alone. A division
    is kept where it misses less than before, and the plan as a whole where that is better in the end.

    Parameters
    ----------
    fewest, most : int
        Parts divided together.
    greed : float
        Share of parts taken because they have most to give or most room, not at random.
    trees : int
        Divisions looked at for each set of parts.
    tries : int
        Sets of parts that may fail in a row, for each part outside its limits, before the search ends.
    """

    fewest: int = 2
    most: int = 6
    greed: float = 0.5
    trees: int = 20
    tries: int = 24

    def __call__(
        self,
        piece: Piece,
        table: Table,
        clock: Clock,
        seed: int,
        best: Best,
        watch: Callable[[], bool] | None = None,
    ) -> None:
        """Mend the plan on `table`; `best` takes it where it is better. The table then holds the plan in `best`."""
        members = Members(piece, table.board.labels)
        rng = np.random.default_rng([seed, 431])
        failures = turn = 0
        while not clock.expired() and (watch is None or not watch()):
            bad = np.flatnonzero((self._missing(members, members.loads) > LARGE) & members.free)
            if failures >= self.tries * len(bad):
                break
            parts = self._around(members, int(bad[turn % len(bad)]), rng)
            turn += 1
            failures = 0 if self._divide(members, parts, rng, clock) else failures + 1
        table.put(members.labels)
        if not best.offer(members.labels, *table.price(), clock):
            table.put(best.labels)

    def _missing(self, members: Members, loads: np.ndarray, parts: list[int] | slice = slice(None)) -> np.ndarray:
        """What loads miss their limits by, in millionths of the target, of each of `parts`."""
        lo, hi, target = (limit[parts] for limit in (members.piece.lo, members.piece.hi, members.piece.target))
        return np.asarray((np.maximum(0, np.maximum(lo - loads, loads - hi)) * 1_000_000 // target).sum(axis=-1))

    def _around(self, members: Members, part: int, rng: np.random.Generator) -> list[int]:
        """`part` and some that hang together with it, at random, more where their loads could not be within limits."""
        piece, parts, wanted = members.piece, [part], int(rng.integers(self.fewest, self.most + 1))
        while len(parts) < 2 * self.most:
            load = members.loads[parts].sum(axis=0)
            lo, hi = piece.lo[parts].sum(axis=0), piece.hi[parts].sum(axis=0)
            if len(parts) >= wanted and ((lo <= load) & (load <= hi)).all():
                break
            beside, _ = members.beside(parts)
            if not len(beside):
                break
            fill = members.fill[beside]
            helpful = fill.argmin() if (load > hi).any() else fill.argmax()
            parts.append(int(beside[helpful] if rng.random() < self.greed else rng.choice(beside)))
        return parts

    def _divide(self, members: Members, parts: list[int], rng: np.random.Generator, clock: Clock) -> bool:
        """Divide `parts` by several trees; keep the best where it misses less than before, and say whether it did."""
        nodes = np.concatenate([members.nodes[p] for p in parts])
        clock.tick(self.trees * len(nodes))
        if len(parts) < 2 or len(nodes) <= len(parts):
            return False
        work, graph = members.piece.workload[nodes], members.graph(nodes)
        before = int(self._missing(members, members.loads[parts], parts).sum())
        rows = np.repeat(np.arange(len(nodes)), np.diff(graph.indptr))
        least, chosen = (before, np.inf), None
        for tree in rng.integers(2**60, size=self.trees).tolist():
            sets = members.divide(parts, nodes, graph, tree)
            loads = np.zeros((len(parts), work.shape[1]), dtype=np.int64)
            np.add.at(loads, sets, work)
            missing = int(self._missing(members, loads, parts).sum())
            if missing <= least[0]:
                found = missing, float(graph.weights[sets[rows] != sets[graph.indices]].sum())
                if found < least:
                    least, chosen = found, sets
        if chosen is not None:
            members.give(parts, nodes, chosen)
        return least[0] < before - NOTICED
