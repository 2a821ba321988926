"""Merge small faces of a coverage into the neighbour they share the longest border with."""

from __future__ import annotations

import heapq
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Merge", "dissolve_groups", "group_small", "merge_small", "shared_lengths"]


class Merge(NamedTuple):
    """One merge: the face that went (its area, m2), the row it is part of afterwards, the border they shared (m)."""

    area_m2: float
    row: int
    border_m: float


def shared_lengths(faces: NDArray[Any]) -> sparse.csr_array:
    """
    Return how much border each two faces of a coverage share.

    Parameters
    ----------
    faces : ndarray of Polygon, shape (n,)
        Sharing their borders vertex by vertex.

    Returns
    -------
    csr_array of float64, shape (n, n)
        Metres, symmetric, no diagonal; faces that touch in points only have no entry.

    Examples
    --------
    >>> shared_lengths(np.array([shapely.box(0, 0, 1, 2), shapely.box(1, 0, 3, 2)])).toarray().tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    rings, owner = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.flatnonzero(ring[1:] == ring[:-1])
    ends = np.stack([xy[start], xy[start + 1]], axis=1)
    swap = (ends[:, 0, 0] > ends[:, 1, 0]) | ((ends[:, 0, 0] == ends[:, 1, 0]) & (ends[:, 0, 1] > ends[:, 1, 1]))
    ends[swap] = ends[swap, ::-1]
    flat = ends.reshape(-1, 4)
    order = np.lexsort(flat.T)
    same = (flat[order][1:] == flat[order][:-1]).all(axis=1)
    a, b = order[:-1][same], order[1:][same]
    length = np.hypot(*(flat[a, :2] - flat[a, 2:]).T)
    u, v = owner[ring[start]][a], owner[ring[start]][b]
    n = len(faces)
    half = sparse.csr_array((np.r_[length, length], (np.r_[u, v], np.r_[v, u])), shape=(n, n))
    half.sum_duplicates()
    half.setdiag(0)
    half.eliminate_zeros()
    return half


def merge_small(
    faces: NDArray[Any], is_water: NDArray[np.bool_], min_area: float
) -> tuple[NDArray[Any], NDArray[np.bool_], list[Merge]]:
    """
    Merge each face below `min_area`, smallest first, into the neighbour with the longest shared border.

    Parameters
    ----------
    faces : ndarray of Polygon, shape (n,)
        A coverage, sharing borders vertex by vertex.
    is_water : ndarray of bool, shape (n,)
        Land goes to land and water to water where there is such a neighbour.
    min_area : float
        Square metres.

    Returns
    -------
    faces, is_water : ndarray
        What is left, in the order of the faces that received others.
    merges : list of Merge
        In the order they happened; a face without neighbours stays and is in none.
    """
    area = shapely.area(faces)
    if not (area < min_area).any():
        return faces, is_water, []
    home, done = group_small(area, shared_lengths(faces), is_water, min_area)
    kept = np.flatnonzero(home == np.arange(len(faces)))
    row = np.full(len(faces), -1)
    row[kept] = np.arange(len(kept))
    faces = dissolve_groups(faces, home)
    return faces, is_water[kept], [Merge(m.area_m2, int(row[home[m.row]]), m.border_m) for m in done]


def group_small(
    area: NDArray[np.float64], borders: sparse.csr_array, is_water: NDArray[np.bool_], min_area: float
) -> tuple[NDArray[np.int64], list[Merge]]:
    """
    Group each face below `min_area`, smallest first, with the neighbour it has most border with.

    Parameters
    ----------
    area : ndarray of float64, shape (n,)
    borders : csr_array of float64, shape (n, n)
        What two faces share; no entry where they must not be merged.
    is_water : ndarray of bool, shape (n,)
        Land goes to land and water to water where there is such a neighbour.
    min_area : float

    Returns
    -------
    home : ndarray of int64, shape (n,)
        The face each one belongs to.
    merges : list of Merge
        In the order they happened; rows are positions of faces at that time.

    Examples
    --------
    >>> chain = sparse.csr_array(np.array([[0, 3.0, 0], [3.0, 0, 2.0], [0, 2.0, 0]]))
    >>> home, done = group_small(np.array([9.0, 1.0, 9.0]), chain, np.zeros(3, dtype=bool), 2.0)
    >>> home.tolist(), done
    ([0, 0, 2], [Merge(area_m2=1.0, row=0, border_m=3.0)])
    """
    members: dict[int, list[int]] = {}
    home = np.arange(len(area))
    heap = [(float(area[s]), int(s)) for s in np.flatnonzero(area < min_area)]
    heapq.heapify(heap)
    done: list[Merge] = []
    area = area.copy()
    while heap:
        size, face = heapq.heappop(heap)
        if home[face] != face or size != area[face]:
            continue
        inside = members.get(face, [face])
        other, border = _best_neighbour(inside, home, borders, is_water)
        if other < 0:
            continue
        members.setdefault(other, [other]).extend(inside)
        home[inside] = other
        done.append(Merge(size, other, border))
        area[other] += size
        if area[other] < min_area:
            heapq.heappush(heap, (float(area[other]), other))
    return home, done


def dissolve_groups(faces: NDArray[Any], home: NDArray[np.int64]) -> NDArray[Any]:
    """Union of each group of faces, in the order of the faces that are their own home."""
    order = np.argsort(home, kind="stable")
    groups, start = np.unique(home[order], return_index=True)
    many = np.flatnonzero(np.diff(np.r_[start, len(home)]) > 1)
    stops = np.r_[start, len(home)]
    merged = faces[groups]
    for g in many:
        merged[g] = shapely.coverage_union_all(faces[order[stops[g] : stops[g + 1]]])
    merged[many] = shapely.normalize(merged[many])
    return merged


def _best_neighbour(
    inside: list[int], home: NDArray[np.int64], borders: sparse.csr_array, is_water: NDArray[np.bool_]
) -> tuple[int, float]:
    """Return the group next to `inside` with the longest border, of the same kind if any; ties to the lowest."""
    own = home[inside[0]]
    total: dict[int, float] = {}
    for face in inside:
        for e in range(borders.indptr[face], borders.indptr[face + 1]):
            other = int(home[borders.indices[e]])
            if other != own:
                total[other] = total.get(other, 0.0) + float(borders.data[e])
    if not total:
        return -1, 0.0
    best = min(total, key=lambda g: (is_water[g] != is_water[own], -total[g], g))
    return best, total[best]
