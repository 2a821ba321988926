"""What peers are handed: one region of a case at a time, as the arrays they want."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.case import Case

__all__ = ["Part", "parts_of"]


@dataclass(frozen=True, eq=False)
class Part:
    """
    One region as peers want it: CSR arrays, k, and how much a part may exceed its share.

    Parameters
    ----------
    units, grids : ndarray of int64
        Positions in the case.
    indptr, indices : ndarray of int32
    weights, workload : ndarray of int64
    lo, hi : int
        Limits of a part's load: the narrowest of the region's grids.
    tolerance : float
        One-sided: a part may weigh up to (1 + tolerance) times the mean.
    under : float
        How far it may fall short of the mean, as a share of it.
    """

    units: NDArray[np.int64]
    grids: NDArray[np.int64]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    weights: NDArray[np.int64]
    workload: NDArray[np.int64]
    lo: int
    hi: int
    tolerance: float
    under: float

    @property
    def n(self) -> int:
        return len(self.workload)

    @property
    def k(self) -> int:
        return len(self.grids)

    def edges(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Each edge once, its lower end first: pairs of shape (m, 2), and weights."""
        lower = np.repeat(np.arange(self.n), np.diff(self.indptr))
        once = lower < self.indices
        return np.column_stack([lower[once], self.indices[once]]).astype(np.int64), self.weights[once]


def parts_of(case: Case) -> list[Part]:
    """Cut the case into its regions that have something to decide. O(m + n log n), however many regions there are."""
    if case.workload.shape[1] != 1:
        raise ValueError("peers are given instances with one workload only")
    n = case.n_units
    by_region = np.argsort(case.region, kind="stable")
    position = np.empty(n, dtype=np.int64)
    position[by_region] = np.arange(n)
    inside = case.region[case.edges[:, 0]] == case.region[case.edges[:, 1]]
    ends = position[case.edges[inside]]
    matrix = sparse.coo_matrix((case.cost[inside], ends.T), shape=(n, n))
    matrix = (matrix + matrix.T).tocsr()
    matrix.sort_indices()
    last = int(case.region.max()) + 1
    unit_ends = np.searchsorted(case.region[by_region], np.arange(last + 1))
    grids_of = np.argsort(case.grid_region, kind="stable")
    grid_ends = np.searchsorted(case.grid_region[grids_of], np.arange(last + 1))
    made = []
    for region in range(last):
        first, stop = unit_ends[region], unit_ends[region + 1]
        grids = grids_of[grid_ends[region] : grid_ends[region + 1]]
        if case.exempt[grids].any() or len(grids) < 2:
            continue
        units = by_region[first:stop]
        indptr = matrix.indptr[first : stop + 1]
        row = slice(indptr[0], indptr[-1])
        lo, hi, target = case.lo[grids, 0], case.hi[grids, 0], case.target[grids, 0]
        made.append(
            Part(
                units,
                grids,
                (indptr - indptr[0]).astype(np.int32),
                (matrix.indices[row] - first).astype(np.int32),
                matrix.data[row].astype(np.int64),
                case.workload[units, 0],
                lo=int(lo.max()),
                hi=int(hi.min()),
                tolerance=float((hi / target).min() - 1),
                under=float(1 - (lo / target).max()),
            )
        )
    return made
