"""Members: the nodes of each part of a plan, kept while some parts are divided anew by spanning-tree cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.construct.cores import masses
from gridopt.solvers.piece import Piece

__all__ = ["Members"]


class Members:
    """
    A plan as lists of nodes.

    Parameters
    ----------
    piece : Piece
    labels : ndarray of int32, shape (n,)
        Contiguous; copied.

    Attributes
    ----------
    labels : ndarray of int32, shape (n,)
    nodes : list of ndarray of int64
        Nodes of each part.
    loads : ndarray of int64, shape (k, a)
    fill : ndarray of float64, shape (k,)
        Load of each part over its share, all attributes weighing the same: 1 is what it should hold.
    free : ndarray of bool, shape (k,)
        Whether a part may be dissolved or divided: no node is bound to it.
    """

    def __init__(self, piece: Piece, labels: NDArray[np.int32]) -> None:
        k = piece.n_parts
        self.piece, self.labels = piece, np.array(labels, dtype=np.int32)
        self.mass, self.share = masses(piece)
        order = np.argsort(labels, kind="stable")
        self.nodes = np.split(order, np.searchsorted(labels[order], np.arange(1, k)))
        self.loads = np.zeros((k, piece.workload.shape[1]), dtype=np.int64)
        np.add.at(self.loads, labels, piece.workload)
        self.fill = np.bincount(labels, weights=self.mass, minlength=k) / self.share
        self.free = np.ones(k, dtype=bool)
        self.free[piece.fixed[piece.fixed >= 0]] = False
        self._local = np.full(piece.n_nodes, -1, dtype=np.int64)

    def beside(self, parts: list[int]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Free parts that border `parts`, ascending, and the weight of the border to each."""
        edges = self._edges(np.concatenate([self.nodes[p] for p in parts]))
        other = self.labels[self.piece.indices[edges]]
        out = self.free[other] & ~np.isin(other, parts)
        found, where = np.unique(other[out], return_inverse=True)
        border = np.bincount(where, weights=self.piece.weights[edges[out]], minlength=len(found))
        return found, border.astype(np.float64)

    def graph(self, nodes: NDArray[np.int64]) -> Any:
        """Csr of the graph that `nodes` induce, in their order."""
        from gridopt._kernels.graph import Csr

        self._local[nodes] = np.arange(len(nodes))
        edges = self._edges(nodes)
        to = self._local[self.piece.indices[edges]]
        self._local[nodes] = -1
        rows = np.repeat(np.arange(len(nodes)), self.piece.indptr[nodes + 1] - self.piece.indptr[nodes])
        inside = to >= 0
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows[inside], minlength=len(nodes)))])
        return Csr(indptr, to[inside].astype(np.int32), self.piece.weights[edges[inside]])

    def divide(
        self, parts: list[int], nodes: NDArray[np.int64], graph: Any, seed: int, tries: int = 3
    ) -> NDArray[np.int32]:
        """Divide `nodes`, which hang together, among `parts`: the position in `parts` of the part of each."""
        unbound = np.full(len(nodes), -1, dtype=np.int32)
        mass, share = np.ascontiguousarray(self.mass[nodes]), np.ascontiguousarray(self.share[parts])
        return Bisection(tries=tries).divide(graph, mass, share, unbound, seed)

    def give(self, parts: list[int], nodes: NDArray[np.int64], sets: NDArray[np.int32]) -> None:
        """Give `nodes` to `parts` as `divide` says; what the parts held before is forgotten."""
        for j, part in enumerate(parts):
            mine = nodes[sets == j]
            self.nodes[part], self.labels[mine] = mine, part
            self.loads[part] = self.piece.workload[mine].sum(axis=0)
            self.fill[part] = self.mass[mine].sum() / self.share[part]

    def _edges(self, nodes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of the half-edges from `nodes`, in their order."""
        first, count = self.piece.indptr[nodes], self.piece.indptr[nodes + 1] - self.piece.indptr[nodes]
        start = np.cumsum(count) - count
        return np.repeat(first - start, count) + np.arange(int(count.sum()))
