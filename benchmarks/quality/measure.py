"""Figures of any labels, from the arrays of the case alone: independent of gridopt's kernels and rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from benchmarks.quality.case import Case

__all__ = ["Figures", "measure"]


@dataclass(frozen=True)
class Figures:
    """
    What a partition is worth.

    Parameters
    ----------
    cut : int
        Cost of the edges between grids.
    parts, pieces : int
        Grids that have units; connected pieces they are in. A contiguous plan has as many of both as grids are wanted.
    over, under : float
        Largest share by which a grid exceeds its target, and by which one falls short of it, exempt grids apart.
    violation_over, violation : int
        Sum over grids of what lies above `hi` (and, two-sided, below `lo`), in millionths of the target.
    """

    cut: int
    parts: int
    pieces: int
    over: float
    under: float
    violation_over: int
    violation: int

    def is_contiguous(self, n_grids: int) -> bool:
        return self.parts == self.pieces == n_grids

    def is_sound(self, n_grids: int) -> bool:
        return self.is_contiguous(n_grids) and self.violation == 0


def measure(case: Case, labels: NDArray[np.int32]) -> Figures:
    """
    Measure `labels`, int32 of shape (n,).

    Grids may come in another order than the case's rows, as gridopt numbers them by their first unit: a grid is held
    against the limits of the region it lies in.
    """
    k, n = case.n_grids, case.n_units
    labels = _in_rows(case, labels)
    u, v = labels[case.edges[:, 0]], labels[case.edges[:, 1]]
    within = case.edges[u == v]
    matrix = sparse.csr_matrix((np.ones(len(within), np.int8), (within[:, 0], within[:, 1])), shape=(n, n))
    loads = np.stack([np.bincount(labels, column, k) for column in case.workload.T.astype(np.float64)], axis=1)
    bound = ~case.exempt
    share = loads[bound] / case.target[bound]
    millionths = 10**6 / np.maximum(case.target, 1)
    above = (np.maximum(loads - case.hi, 0) * millionths)[bound].sum()
    below = (np.maximum(case.lo - loads, 0) * millionths)[bound].sum()
    return Figures(
        cut=int(case.cost[u != v].sum()),
        parts=len(np.unique(labels)),
        pieces=int(csgraph.connected_components(matrix, directed=False, return_labels=False)),
        over=float(share.max() - 1) if share.size else 0.0,
        under=float(1 - share.min()) if share.size else 0.0,
        violation_over=int(np.ceil(above)),
        violation=int(np.ceil(above + below)),
    )


def _in_rows(case: Case, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Renumber grids so that each has a row of its own region; as they are where grids do not fit the regions."""
    used, first = np.unique(labels, return_index=True)
    lies_in = case.region[first]
    if len(used) < case.n_grids or np.array_equal(lies_in, case.grid_region):
        return labels
    wanted, rows = np.argsort(lies_in, kind="stable"), np.argsort(case.grid_region, kind="stable")
    if not np.array_equal(lies_in[wanted], case.grid_region[rows]):
        return labels
    row = np.empty(case.n_grids, dtype=np.int32)
    row[wanted] = rows
    return row[labels]
