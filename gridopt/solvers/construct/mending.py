"""Mending: any labels -> contiguous labels with exactly k parts, changed as little as growing allows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.construct.cores import find_cores, masses
from gridopt.solvers.piece import Piece

__all__ = ["Mending"]


@dataclass(frozen=True)
class Mending:
    """
    Make a start usable: of each part its heaviest connected piece stays, the rest is given to growing parts.

    Labels that are contiguous, complete and honour `fixed` come back unchanged.

    Parameters
    ----------
    labels : ndarray of int32, shape (n,)
        Start; -1 where a node has no part.
    """

    labels: NDArray[np.int32]

    def __call__(self, piece: Piece, seed: int) -> NDArray[np.int32] | None:
        """Return contiguous labels with exactly k parts; None where fixed nodes cannot be joined."""
        from gridopt._kernels.graph import Csr, label_pieces
        from gridopt._kernels.grow import grow

        n, k = piece.n_nodes, piece.n_parts
        core = np.asarray(find_cores(piece)) if (piece.fixed >= 0).any() else np.full(n, -1, dtype=np.int32)
        if core.shape != (n,):
            return None
        labels = np.where(core >= 0, core, self.labels).astype(np.int32)
        mass, share = masses(piece)
        comp, queue = np.empty(n, np.int32), np.empty(n, np.int32)
        csr = Csr(piece.indptr, piece.indices, piece.weights)
        count = label_pieces(csr, labels, comp, queue)
        weight = np.bincount(comp, weights=mass + 1e-9, minlength=count)
        weight[comp[core >= 0]] += mass.sum() + 1.0
        part = np.full(count, -1, dtype=np.int64)
        part[comp] = labels
        keep = np.zeros(count, dtype=bool)
        by_weight = np.lexsort((np.arange(count), -weight))
        used, first = np.unique(part[by_weight], return_index=True)
        keep[by_weight[first[used >= 0]]] = True
        labels[~keep[comp]] = -1
        if not _seed_missing(piece, labels, core, mass):
            return None
        lines = np.empty(len(piece.indices), dtype=np.int64)
        heads, tails, heap = (np.empty(k, dtype=np.int64) for _ in range(3))
        free = grow(csr, mass, share, labels, heads, tails, heap, np.empty(k), lines, np.empty_like(lines))
        return labels if free == 0 else None


def _seed_missing(piece: Piece, labels: NDArray[np.int32], core: NDArray[np.int32], mass: NDArray[np.float64]) -> bool:
    """Give each part that has no node one: a free node where there is one, else the far end of a heavy part."""
    missing = np.setdiff1d(np.arange(piece.n_parts), labels)
    free = np.flatnonzero(labels < 0)
    step = max(1, len(free) // max(1, len(missing)))
    spread = free[::step][: len(missing)]
    labels[spread] = missing[: len(spread)]
    for part in missing[len(spread) :].tolist():
        sizes = np.bincount(labels[labels >= 0], minlength=piece.n_parts)
        bound = np.bincount(labels[core >= 0], minlength=piece.n_parts) if (core >= 0).any() else 0
        loads = np.bincount(labels[labels >= 0], weights=mass[labels >= 0], minlength=piece.n_parts)
        loads = np.where((sizes > 1) & (sizes > bound), loads, -1.0)
        if loads.max() < 0:
            return False
        end = _far_end(piece, labels, core, int(loads.argmax()))
        labels[end] = part
    return True


def _far_end(piece: Piece, labels: NDArray[np.int32], core: NDArray[np.int32], part: int) -> int:
    """Return the free node of `part` that a search reaches last: the rest holds together without it."""
    nodes = np.flatnonzero(labels == part)
    bound = nodes[core[nodes] >= 0]
    line = [int(u) for u in (bound if len(bound) else nodes[:1])]
    seen = set(line)
    for u in line:
        for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist():
            if labels[v] == part and v not in seen:
                seen.add(v)
                line.append(v)
    return line[-1]
