"""Absorb slivers into the land beside them: each into the neighbour whose borders it is best to lose."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["absorb"]


def absorb(is_sliver: NDArray[np.bool_], is_land: NDArray[np.bool_], borders: sparse.csr_array) -> NDArray[np.int64]:
    """
    Give each sliver a face that is land.

    Parameters
    ----------
    is_sliver, is_land : ndarray of bool, shape (f,)
        Faces that are neither neither go nor receive.
    borders : csr_array of float64, shape (f, f)
        What is gained when the border between two faces goes; no entry where it must stay.

    Returns
    -------
    ndarray of int64, shape (f,)
        The face each belongs to afterwards: itself for land, and for slivers that have no land within reach.

    Notes
    -----
    The sliver whose best land has the largest share of its borders comes first; one in the midst of others waits until
    they have land. Ties go to the lowest position. O(b log b) for b borders of slivers.
    """
    home = np.where(is_land, np.arange(len(is_sliver)), -1)
    indptr, indices, data = borders.indptr, borders.indices, borders.data
    heap: list[tuple[float, int, int]] = []

    def offer(face: int) -> None:
        total: dict[int, float] = {}
        every = 0.0
        for e in range(indptr[face], indptr[face + 1]):
            every += data[e]
            land = int(home[indices[e]])
            if land >= 0:
                total[land] = total.get(land, 0.0) + float(data[e])
        if total:
            best = min(total, key=lambda g: (-total[g], g))
            heapq.heappush(heap, (-total[best] / every, face, best))

    for face in np.flatnonzero(is_sliver).tolist():
        offer(face)
    while heap:
        _, face, land = heapq.heappop(heap)
        if home[face] >= 0:
            continue
        home[face] = land
        for other in indices[indptr[face] : indptr[face + 1]].tolist():
            if home[other] < 0 and is_sliver[other]:
                offer(other)
    return np.where(home < 0, np.arange(len(home)), home)
