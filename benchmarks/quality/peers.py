"""Other partitioners behind one call; they run in child processes alone: a crash there ends one run only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.case import Case

__all__ = ["PEERS", "Part", "partition", "parts_of"]


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
    tolerance : float
        One-sided: a part may weigh up to (1 + tolerance) times the mean.
    """

    units: NDArray[np.int64]
    grids: NDArray[np.int64]
    indptr: NDArray[np.int32]
    indices: NDArray[np.int32]
    weights: NDArray[np.int64]
    workload: NDArray[np.int64]
    tolerance: float


def parts_of(case: Case) -> list[Part]:
    """Cut the case into its regions that have something to decide."""
    if case.workload.shape[1] != 1:
        raise ValueError("peers are given instances with one workload only")
    matrix = sparse.coo_matrix((case.cost, case.edges.T), shape=(case.n_units, case.n_units))
    matrix = (matrix + matrix.T).tocsr()
    by_region = np.argsort(case.region, kind="stable")
    ends = np.searchsorted(case.region[by_region], np.arange(case.region.max() + 2))
    made = []
    for region in range(int(case.region.max()) + 1):
        units = by_region[ends[region] : ends[region + 1]]
        grids = np.flatnonzero(case.grid_region == region)
        if case.exempt[grids].any() or len(grids) < 2:
            continue
        inside = matrix[units][:, units].tocsr()
        inside.sort_indices()
        workload = case.workload[units, 0]
        tolerance = float((case.hi[grids, 0] / case.target[grids, 0]).min() - 1)
        arrays = inside.indptr.astype(np.int32), inside.indices.astype(np.int32), inside.data.astype(np.int64)
        made.append(Part(units, grids, *arrays, workload, tolerance))
    return made


def partition(case: Case, parts: list[Part], peer: str, seed: int) -> NDArray[np.int32]:
    """Let a peer partition every region once; labels are positions of grids in the case."""
    labels = np.full(case.n_units, -1, dtype=np.int32)
    single = np.flatnonzero(np.bincount(case.grid_region, minlength=int(case.region.max()) + 1) == 1)
    first_grid = np.unique(case.grid_region, return_index=True)[1]
    alone = np.isin(case.region, single)
    labels[alone] = first_grid[case.region[alone]]
    for part in parts:
        labels[part.units] = part.grids[PEERS[peer](part, seed)]
    return labels


def _metis(part: Part, seed: int) -> NDArray[np.int64]:
    """METIS 5 k-way: contiguous, tolerance in thousandths."""
    import pymetis

    options = pymetis.Options(contig=True, ufactor=max(1, round(part.tolerance * 1000)), seed=seed)
    found = pymetis.part_graph(
        len(part.grids),
        adjacency=pymetis.CSRAdjacency(part.indptr, part.indices),
        vweights=part.workload,
        eweights=part.weights,
        options=options,
        recursive=False,
    )
    return np.asarray(found[1], dtype=np.int64)


def _kahip(part: Part, seed: int) -> NDArray[np.int64]:
    """KaHIP, preconfiguration strong; it knows no contiguity."""
    import kahip

    workload, indptr, weights, indices = (
        array.tolist() for array in (part.workload, part.indptr, part.weights, part.indices)
    )
    found = kahip.kaffpa(workload, indptr, weights, indices, len(part.grids), part.tolerance, True, seed, kahip.STRONG)
    return np.asarray(found[1], dtype=np.int64)


PEERS: dict[str, Callable[[Part, int], NDArray[np.int64]]] = {"metis": _metis, "kahip": _kahip}
DISTRIBUTION = {"metis": "pymetis", "kahip": "kahip"}
"""Package each peer comes in: one that is not installed is skipped with a note."""
