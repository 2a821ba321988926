"""Bisection: a piece is divided along edges of spanning trees until each set is one part."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.construct.cores import contract, find_cores, masses
from gridopt.solvers.construct.naming import name_cheaply
from gridopt.solvers.piece import Piece

__all__ = ["Bisection"]


@dataclass(frozen=True)
class Bisection:
    """
    Recursive bisection by spanning-tree cuts, after DeFord, Duchin & Solomon (Harvard Data Sci. Rev. 3.1, 2021).

    Every edge of a tree is priced by what it cuts and how far the loads of its sides are from whole numbers of parts.
    Trees are breadth-first, so that parts come out compact; every third is nearly depth-first, which offers other
    loads. Sets of 128 parts or more fall into many sets at once, each grown breadth-first around a seed of its own:
    that makes the time nearly linear. Otherwise it is O(m log n) for each level of cuts.

    Parameters
    ----------
    tries : int
        Trees looked at for a cut of at most 8 parts.
    few : int
        Sets of at most so many parts are divided side by side.
    nodes_per_call : int
        Nodes of the sets of one call of the kernel, about.
    visits_per_call : int
        Node visits between two looks at the world outside the kernel.
    starts, small, fat : int
        Pieces of at most `small` nodes and at least `fat` for each part are divided up to `starts` times while limits
        are broken by more than `near` targets for each part: loads can be even there, and a set that lies awkwardly is
        best divided otherwise from the top.
    near : float
    """

    tries: int = 3
    few: int = 96
    nodes_per_call: int = 20_000
    visits_per_call: int = 20_000_000
    starts: int = 8
    small: int = 10_000
    fat: int = 64
    near: float = 0.01

    def __call__(self, piece: Piece, seed: int, pool: Executor | None = None) -> NDArray[np.int32] | None:
        """
        Return contiguous labels with exactly k parts that honour `fixed`; None where that cannot be.

        Sets are divided side by side in the threads of `pool`; the labels are the same without one.
        """
        from gridopt._kernels.graph import Csr

        mass, share = masses(piece)
        csr = Csr(piece.indptr, piece.indices, piece.weights)
        core = np.full(piece.n_nodes, -1, dtype=np.int32)
        cluster = None
        if (piece.fixed >= 0).any():
            core_of = find_cores(piece)
            if core_of is None:
                return None
            csr, mass, core, cluster = contract(csr, mass, core_of)
        n, k = len(mass), piece.n_parts
        if n < k:
            return None
        best, least = None, np.inf
        several = k > 1 and self.fat * k <= n <= self.small
        for start in range(self.starts if several else 1):
            sets = self.divide(csr, mass, share, core, seed + 104_729 * start, pool)
            labels = _name_sets(sets, core, k)
            labels = labels if cluster is None else labels[cluster]
            if not several:
                return name_cheaply(piece, labels)
            missed = _missed(piece, labels)
            if missed < least:
                best, least = labels, missed
            if least <= self.near * k:
                break
        return None if best is None else name_cheaply(piece, best)

    def divide(
        self,
        csr: Any,
        mass: NDArray[np.float64],
        share: NDArray[np.float64],
        core: NDArray[np.int32],
        seed: int,
        pool: Executor | None = None,
    ) -> NDArray[np.int32]:
        """Divide the nodes into as many sets as there are shares; return the set of each."""
        from gridopt._kernels.tree import Splitting, split

        n, k = len(mass), len(share)
        i32, i64, f64 = np.int32, np.int64, np.float64
        work = Splitting(
            np.arange(n, dtype=i32),
            np.arange(0, 2 * n, 2, dtype=i32),
            np.empty(n, i32),
            np.empty(n, i32),
            np.empty(n, i32),
            np.empty(n, i32),
            np.empty(n, i64),
            np.empty(n, f64),
            np.empty(n, i32),
            np.empty(n, i32),
            np.empty(n, i64),
        )
        sets = np.zeros(n, dtype=i32)
        running = np.concatenate([[0.0], np.cumsum(share)])

        def divide(rows: NDArray[np.int64], few: int) -> NDArray[np.int64]:
            """Divide sets until none has more than `few` parts; return those sets."""
            parts = int((rows[:, 3] - rows[:, 2]).sum())
            stack, done = np.empty((parts + 1, 4), dtype=i64), np.empty((parts, 4), dtype=i64)
            stack[: len(rows)] = rows
            depth, count = len(rows), 0
            while depth:
                depth, more = split(
                    csr, mass, running, core, sets, work, stack, depth, done[count:], few,
                    np.uint64(seed), self.tries, self.visits_per_call,
                )  # fmt: skip
                count += more
            return done[:count]

        large = divide(np.array([[0, n, 0, k]], dtype=i64), self.few)
        large = large[large[:, 3] - large[:, 2] > 1]
        run: Callable[..., Any] = map if pool is None else pool.map
        batches = [batch for batch in np.array_split(large, 1 + n // self.nodes_per_call) if len(batch)]
        list(run(lambda batch: divide(batch, 1), batches))
        return sets


def _missed(piece: Piece, labels: NDArray[np.int32]) -> float:
    """By how much loads break limits, in targets."""
    load = np.column_stack(
        [np.bincount(labels, weights=column, minlength=piece.n_parts) for column in piece.workload.T]
    )
    return float((np.maximum(0.0, np.maximum(piece.lo - load, load - piece.hi)) / piece.target).sum())


def _name_sets(sets: NDArray[np.int32], core: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Turn set numbers into parts: a set with a core is the part of the core, the others take the parts left over."""
    bound = np.flatnonzero(core >= 0)
    if not len(bound):
        return sets
    part_of = np.full(k, -1, dtype=np.int32)
    part_of[sets[bound]] = core[bound]
    part_of[part_of < 0] = np.setdiff1d(np.arange(k), core[bound])
    return part_of[sets]
