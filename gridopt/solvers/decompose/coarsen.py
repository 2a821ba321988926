"""Coarsening: a piece -> a smaller piece whose nodes are connected clusters; every plan of it is one of the first."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.construct.cores import masses
from gridopt.solvers.piece import Piece

__all__ = ["Coarsening", "contract_piece", "kinds"]


@dataclass(frozen=True)
class Coarsening:
    """
    Clustering by heavy edges (Karypis & Kumar, SIAM J. Sci. Comput. 20, 1998, sect. 3), light clusters first.

    Nodes are joined only where nothing tells them apart: equal `fixed` and `home`, none in an `apart` pair. Cost and
    violation of a plan of the coarse piece are those of the plan it stands for.

    Parameters
    ----------
    most_nodes : int
        Nodes of a cluster at most.
    share : float
        A cluster holds at most this share of the lightest target.
    """

    most_nodes: int = 3
    share: float = 0.12

    def __call__(self, piece: Piece, seed: int) -> tuple[Piece, NDArray[np.int32]]:
        """Return the coarse piece and the cluster of each node, int32 (n,). O(m log m)."""
        from gridopt._kernels.cluster import cluster_nodes
        from gridopt._kernels.graph import Csr

        n = piece.n_nodes
        load, share = masses(piece)
        cluster, order, count = (np.empty(n, dtype=np.int32) for _ in range(3))
        csr = Csr(piece.indptr, piece.indices, piece.weights)
        n_clusters = cluster_nodes(
            csr, load, float(self.share * share.min()), self.most_nodes, kinds(piece), order, cluster, np.empty(n),
            count, np.random.SeedSequence([seed, 31]).generate_state(1, np.uint64)[0],
        )  # fmt: skip
        return contract_piece(piece, cluster, int(n_clusters)), cluster


def kinds(piece: Piece) -> NDArray[np.int32]:
    """Number nodes that may be joined alike; -1 for those that may not be joined."""
    if not ((piece.fixed >= 0).any() or (piece.home >= 0).any() or len(piece.apart_indices)):
        return np.zeros(piece.n_nodes, dtype=np.int32)
    pairs = np.column_stack([piece.fixed, piece.home])
    kind = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)
    kind[np.diff(piece.apart_indptr) > 0] = -1
    return kind


def contract_piece(piece: Piece, cluster: NDArray[np.int32], n: int) -> Piece:
    """Return the piece whose nodes are the `n` clusters; its plans cost what they cost here."""
    first = np.empty(n, dtype=np.int64)
    first[cluster[::-1]] = np.arange(piece.n_nodes)[::-1]
    indptr, indices, weights = _edges(piece.indptr, piece.indices, piece.weights, cluster, n)
    apart_indptr, apart_indices, _ = _edges(
        piece.apart_indptr, piece.apart_indices, np.ones(len(piece.apart_indices), dtype=np.int64), cluster, n
    )
    moment, spread, xy = piece.moment, piece.spread, piece.xy
    if piece.inertia_weight and xy is not None:
        mass = piece.workload[:, 0]
        moment = xy * mass[:, None] if moment is None else moment
        spread = mass * (xy**2).sum(axis=1) if spread is None else spread
        moment, spread, xy = _sum(moment, cluster, n), _sum(spread, cluster, n), xy[first]
    return replace(
        piece,
        indptr=indptr,
        indices=indices,
        weights=weights,
        workload=_sum(piece.workload, cluster, n),
        fixed=piece.fixed[first],
        apart_indptr=apart_indptr,
        apart_indices=apart_indices,
        unit_cost=_sum(piece.unit_cost, cluster, n) if piece.unit_cost.size else piece.unit_cost,
        home=piece.home[first],
        away_cost=_sum(piece.away_cost, cluster, n),
        xy=xy,
        moment=moment,
        spread=spread,
    )


def _sum(values: NDArray[np.int64], cluster: NDArray[np.int32], n: int) -> NDArray[np.int64]:
    """Sum rows of `values` by cluster."""
    total = np.zeros((n, *values.shape[1:]), dtype=np.int64)
    np.add.at(total, cluster, values)
    return total


def _edges(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    weights: NDArray[np.int64],
    cluster: NDArray[np.int32],
    n: int,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """CSR between clusters, weights of parallel edges added."""
    rows = np.repeat(cluster, np.diff(indptr))
    cols = cluster[indices]
    keep = rows != cols
    matrix = sparse.coo_matrix((weights[keep], (rows[keep], cols[keep])), shape=(n, n)).tocsr()
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.int64)
