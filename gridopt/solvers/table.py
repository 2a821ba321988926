"""Table: a piece laid out for the kernels, with the plan in the making on it. It lives as long as one search."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.solvers.piece import Piece

__all__ = ["Table", "quantiles"]


@cache
def quantiles() -> NDArray[np.float64]:
    """Quantiles of the exponential distribution, float64 (1024,): a table is quicker than a logarithm."""
    return -np.log((np.arange(1024) + 0.5) / 1024)


NO_JOURNAL = np.empty((0, 2), dtype=np.int32)
SAMPLE = 200
"""Moves looked at to measure what a move changes."""


class Table:
    """
    A piece as kernel bundles, with labels, loads and sizes that change in place.

    Parameters
    ----------
    piece : Piece
    labels : ndarray of int32, shape (n,)
        Contiguous labels to begin with; copied.
    n_groups : int
        Groups of parts that are annealed at once.
    """

    def __init__(self, piece: Piece, labels: NDArray[np.int32], n_groups: int = 1) -> None:
        from gridopt._kernels.borders import Borders
        from gridopt._kernels.chains import LONGEST
        from gridopt._kernels.graph import Csr
        from gridopt._kernels.moves import Limits, Terms
        from gridopt._kernels.search import Board, Groups, Scratch

        n, k, a = piece.n_nodes, piece.n_parts, piece.workload.shape[1]
        degree = int(np.diff(piece.indptr).max(initial=0)) + 1
        i32, i64, half_edges = np.int32, np.int64, len(piece.indices)
        self.n_groups = n_groups
        self.csr = Csr(_own(piece.indptr), _own(piece.indices), _own(piece.weights))
        self.limits = Limits(
            _own(piece.workload), _own(piece.lo), _own(piece.hi), _own(piece.target), 1e6 / piece.target.astype(float)
        )
        prices = np.array([piece.imbalance_weight, piece.inertia_weight], dtype=i64)
        known = slice(None if (piece.home >= 0).any() else 0)
        self.terms = Terms(
            _own(piece.unit_cost),
            _own(piece.home[known]),
            _own(piece.away_cost[known]),
            _own(piece.apart_indptr),
            _own(piece.apart_indices),
            prices,
            _inertia(piece),
        )
        self.fixed = _own(piece.fixed)
        self.board = Board(np.array(labels, i32), np.zeros((k, a), i64), np.zeros(k, i64), np.zeros((k, 4), i64))
        self.groups = Groups(
            np.empty(n, i32),
            np.empty(k + 1, i64),
            np.empty(k, i32),
            np.empty(k, i32),
            np.empty(n_groups + 1, i64),
            np.empty(n_groups + 1, i64),
            np.empty(n_groups + 1, i64),
        )
        self.borders = Borders(
            np.repeat(np.arange(n, dtype=i32), np.diff(piece.indptr)),
            np.argsort(piece.indices, kind="stable").astype(i32),
            np.empty(half_edges, i32),
            np.empty(half_edges, i32),
            np.empty(half_edges, i64),
            np.zeros(k, i64),
        )
        self.scratch = Scratch(
            np.empty(k, np.float64),
            np.zeros(k, i64),
            np.zeros(n, i64),
            np.zeros(n, i64),
            np.empty(n, i32),
            np.empty(n, i32),
            np.empty((n_groups, degree), i32),
            np.empty((n_groups, degree), i32),
            np.empty((n_groups, LONGEST, 3), i64),
        )
        self.out = np.zeros((n_groups, 4), i64)
        self.stamp = 0
        self.put(labels)

    def put(self, labels: NDArray[np.int32]) -> None:
        """Lay out other labels."""
        from gridopt._kernels.moves import tally

        self.board.labels[:] = labels
        tally(self.limits, self.terms, *self.board)

    def anneal(
        self,
        group: int,
        seed: Any,
        steps: int,
        pace: Any,
        journal: NDArray[np.int32] | None = None,
        limits: Any = None,
    ) -> None:
        """
        Run the kernel `anneal` on one group with marks that no earlier search has used; see there.

        `limits` are those of the table unless others are given.

        Groups that run at the same time may share marks: call `new_marks` before and after.
        """
        from gridopt._kernels.search import anneal

        anneal(
            self.csr, limits or self.limits, self.terms, self.fixed, self.board, self.groups, self.borders,
            self.scratch, quantiles(), group, seed, self.stamp, steps, pace,
            NO_JOURNAL if journal is None else journal, self.out,
        )  # fmt: skip

    def gather(self, sets: list[NDArray[np.int64]], nodes: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Make each set of parts a group, no part being in two; return their nodes. Give those where they are known."""
        board, groups, n_sets = self.board, self.groups, len(sets)
        order = np.concatenate(sets)
        groups.group_of[:] = n_sets
        groups.group_of[order] = np.repeat(np.arange(n_sets), [len(parts) for parts in sets])
        if nodes is None:
            nodes = np.flatnonzero(groups.group_of[board.labels] < n_sets)
        nodes = nodes[np.argsort(board.labels[nodes], kind="stable")]
        groups.members[: len(nodes)] = nodes
        groups.first[0] = 0
        np.cumsum(np.where(groups.group_of < n_sets, board.sizes, 0), out=groups.first[1:])
        groups.order[: len(order)] = order
        groups.chunk[: n_sets + 1] = np.concatenate([[0], np.cumsum([len(parts) for parts in sets])])
        group = groups.group_of[board.labels[nodes]]
        degrees = self.csr.indptr[nodes + 1] - self.csr.indptr[nodes]
        groups.group_first[0], groups.edge_first[0] = 0, 0
        np.cumsum(np.bincount(group, minlength=n_sets), out=groups.group_first[1 : n_sets + 1])
        edges = np.zeros(n_sets, dtype=np.int64)
        np.add.at(edges, group, degrees)
        np.cumsum(edges, out=groups.edge_first[1 : n_sets + 1])
        return nodes

    def beside(self) -> sparse.csr_matrix:
        """Which parts border each other, (k, k), ones in ascending columns."""
        labels, k = self.board.labels, len(self.limits.lo)
        rows, cols = labels[self.borders.source], labels[self.csr.indices]
        cut = rows != cols
        found = sparse.csr_matrix((np.ones(int(cut.sum())), (rows[cut], cols[cut])), shape=(k, k))
        found.data[:] = 1.0
        return found

    def journal(self, nodes: int) -> NDArray[np.int32]:
        """Return room for the moves a search of so many nodes makes after its best state."""
        return np.empty((200 * nodes + 1000, 2), dtype=np.int32)

    def new_marks(self, steps: int) -> None:
        """Make sure that the marks of a search of so many steps differ from all before."""
        from gridopt._kernels.search import MARKS

        self.stamp += MARKS * (steps + 1)

    def price(self) -> tuple[int, int]:
        """Violation in millionths and cost of the plan on the table, from scratch."""
        from gridopt._kernels.moves import plan_price

        board = self.board
        violation, cost = plan_price(self.csr, self.limits, self.terms, board.labels, board.loads, board.moments)
        return int(violation), int(cost)

    def scale(self) -> float:
        """
        What a move typically changes: the mean edge weight, and the mean change of the other terms over some moves.

        Temperatures are given in this unit. At least 1.
        """
        cut = float(self.csr.weights.mean()) if len(self.csr.weights) else 0.0
        other = 0.0 if self._is_plain() else self._other_change()
        return max(1.0, cut + other)

    def _is_plain(self) -> bool:
        terms = self.terms
        return not (terms.prices.any() or terms.unit_cost.size or terms.home.size)

    def _other_change(self) -> float:
        """Mean change, up or down, of all terms but the cut, over moves of nodes evenly spread."""
        from gridopt._kernels.moves import local_gain, part_price

        csr, terms, board, limits = self.csr, self.terms, self.board, self.limits
        rows = np.repeat(np.arange(len(board.labels)), np.diff(csr.indptr))
        cut = np.flatnonzero(board.labels[rows] != board.labels[csr.indices])
        no_weights = np.zeros_like(csr.weights)
        changes = []
        for e in cut[:: max(1, len(cut) // SAMPLE)].tolist():
            u = int(rows[e])
            a, b = int(board.labels[u]), int(board.labels[csr.indices[e]])
            change = -local_gain(
                csr.indptr, csr.indices, no_weights, terms.unit_cost, terms.home, terms.away_cost, board.labels, u, a, b
            )
            for p, sign in ((a, -1), (b, 1)):
                whole = limits.target, terms.prices, board.loads, board.moments, limits.workload, terms.inertia, p, u
                change += part_price(*whole, sign) - part_price(*whole, 0)
            changes.append(abs(change))
        return float(np.mean(changes)) if changes else 0.0


def _own(array: NDArray[Any]) -> NDArray[Any]:
    """Return a writeable copy: read-only arrays would compile every kernel a second time."""
    return np.array(array, order="C")


def _inertia(piece: Piece) -> NDArray[np.int64]:
    """Mass, mass x, mass y and mass (x² + y²) of each node, int64 (n, 4); (0, 4) where inertia has no price."""
    if not piece.inertia_weight or piece.xy is None:
        return np.empty((0, 4), dtype=np.int64)
    mass = piece.workload[:, 0]
    moment = piece.xy * mass[:, None] if piece.moment is None else piece.moment
    spread = mass * (piece.xy**2).sum(axis=1) if piece.spread is None else piece.spread
    return np.column_stack([mass, moment, spread]).astype(np.int64)
