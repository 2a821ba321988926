"""Cores: nodes that must be together because they are fixed to one part, joined and contracted."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.piece import Piece

__all__ = ["contract", "find_cores", "masses"]


def masses(piece: Piece) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """
    Loads as one number: mass of each node (n,) and share of each part (k,), all attributes weighing the same.

    Masses and shares each sum to 1 for every attribute that is not all zero; shares are positive.
    """
    total = piece.workload.sum(axis=0)
    used = total > 0
    if not used.any():
        return np.ones(piece.n_nodes), np.full(piece.n_parts, piece.n_nodes / piece.n_parts)
    mass = (piece.workload[:, used] / total[used]).sum(axis=1)
    share = (piece.target[:, used] / piece.target[:, used].sum(axis=0)).sum(axis=1)
    return np.ascontiguousarray(mass), np.ascontiguousarray(share)


def find_cores(piece: Piece) -> NDArray[np.int32] | None:
    """
    Part each node is bound to, fixed nodes of one part being joined by shortest paths of free nodes; -1 where free.

    Returns None where a path is missing: the fixed nodes of a part are kept apart by those of others.
    """
    from gridopt._kernels.graph import Csr, label_pieces

    core = np.array(piece.fixed, dtype=np.int32)
    comp, queue = np.empty_like(core), np.empty_like(core)
    csr = Csr(piece.indptr, piece.indices, piece.weights)
    while True:
        label_pieces(csr, core, comp, queue)
        bound = np.flatnonzero(core >= 0)
        pairs = np.unique(np.column_stack([core[bound], comp[bound]]), axis=0)
        parts, count = np.unique(pairs[:, 0], return_counts=True)
        broken = parts[count > 1]
        if not len(broken):
            return core
        for part in broken.tolist():
            first = comp[np.flatnonzero(core == part)[0]]
            path = _path(piece, core, part, np.flatnonzero((core == part) & (comp == first)))
            if path is None:
                return None
            core[path] = part


def _path(piece: Piece, core: NDArray[np.int32], part: int, sources: NDArray[Any]) -> list[int] | None:
    """Free nodes on a shortest path from `sources` to another node of `part`; None where there is none."""
    before = {int(u): -1 for u in sources}
    line = deque(before)
    while line:
        u = line.popleft()
        for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist():
            if v in before or core[v] not in (-1, part):
                continue
            before[v] = u
            if core[v] == part:
                path = []
                while before[u] >= 0:
                    path.append(u)
                    u = before[u]
                return path
            line.append(v)
    return None


def contract(csr: Any, mass: NDArray[np.float64], core: NDArray[np.int32]) -> tuple[Any, Any, Any, Any]:
    """
    Make each core one node.

    Returns
    -------
    (Csr, float64 (c,), int32 (c,), int32 (n,))
        Graph, masses and core of the clusters, and the cluster of each node.
    """
    from gridopt._kernels.graph import Csr

    n = len(core)
    key = np.where(core >= 0, n + core.astype(np.int64), np.arange(n))
    _, cluster = np.unique(key, return_inverse=True)
    size = int(cluster.max()) + 1
    rows = cluster[np.repeat(np.arange(n), np.diff(csr.indptr))]
    cols = cluster[csr.indices]
    keep = rows != cols
    matrix = sparse.coo_matrix((csr.weights[keep], (rows[keep], cols[keep])), shape=(size, size)).tocsr()
    matrix.sum_duplicates()
    small = Csr(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.int64))
    bound = np.full(size, -1, dtype=np.int32)
    bound[cluster[core >= 0]] = core[core >= 0]
    return small, np.bincount(cluster, weights=mass, minlength=size), bound, cluster.astype(np.int32)
