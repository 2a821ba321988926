"""Bisection: a piece is halved along edges of spanning trees until each set is one part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.construct.cores import contract, find_cores, masses
from gridopt.solvers.piece import Piece

__all__ = ["Bisection"]


@dataclass(frozen=True)
class Bisection:
    """
    Recursive bisection by spanning-tree cuts, after DeFord, Duchin & Solomon (Harvard Data Sci. Rev. 3.1, 2021).

    Trees are breadth-first, so that parts come out compact; several are tried where few parts are left, and the
    cheapest cut that fits the loads is made. O((n + m) log k).

    Parameters
    ----------
    tries : int
        Trees looked at for a cut of at most 12 parts.
    visits_per_call : int
        Node visits between two looks at the world outside the kernel.
    """

    tries: int = 8
    visits_per_call: int = 20_000_000

    def __call__(self, piece: Piece, seed: int) -> NDArray[np.int32] | None:
        """Return contiguous labels with exactly k parts that honour `fixed`; None where that cannot be."""
        from gridopt._kernels.graph import Csr
        from gridopt._kernels.tree import Splitting, split

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
        order = np.arange(n, dtype=np.int32)
        work = Splitting(
            order,
            order.copy(),
            np.empty(n, np.int32),
            np.full(n, -1, np.int32),
            np.zeros(n, np.int8),
            np.zeros(n, np.int8),
            np.empty(n, np.float64),
            np.empty(n, np.int64),
            np.empty(n, np.int64),
        )
        stack = np.zeros((k + 1, 4), dtype=np.int64)
        stack[0] = 0, n, 0, k
        sets = np.zeros(n, dtype=np.int32)
        depth, state = 1, np.uint64(seed)
        running = np.concatenate([[0.0], np.cumsum(share)])
        while depth:
            depth, state = split(
                csr, mass, running, core, sets, work, stack, depth, np.uint64(state), self.tries, self.visits_per_call
            )
        labels = _name_sets(sets, core, k)
        return labels if cluster is None else labels[cluster]


def _name_sets(sets: NDArray[np.int32], core: NDArray[np.int32], k: int) -> NDArray[np.int32]:
    """Turn set numbers into parts: a set with a core is the part of the core, the others take the parts left over."""
    bound = np.flatnonzero(core >= 0)
    if not len(bound):
        return sets
    part_of = np.full(k, -1, dtype=np.int32)
    part_of[sets[bound]] = core[bound]
    part_of[part_of < 0] = np.setdiff1d(np.arange(k), core[bound])
    return part_of[sets]
