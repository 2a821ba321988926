"""Overlaps of two layers of polygons, in square metres: unchanged shapes are matched, only the rest is intersected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Overlaps", "find_overlaps"]

DECIMALS = 3
"""Shapes equal to the millimetre are the same shape."""


@dataclass(frozen=True, eq=False)
class Overlaps:
    """
    Pairs of an old and a new polygon that have area in common, by new position, then by old one.

    Parameters
    ----------
    old, new : ndarray of int64, shape (p,)
        Positions of the two polygons of each pair.
    area : ndarray of float64, shape (p,)
        Square metres in common.
    old_area, new_area : ndarray of float64
        Square metres of each polygon.
    """

    old: NDArray[np.int64]
    new: NDArray[np.int64]
    area: NDArray[np.float64]
    old_area: NDArray[np.float64]
    new_area: NDArray[np.float64]


def find_overlaps(old: NDArray[Any], new: NDArray[Any], namesakes: NDArray[np.int64]) -> Overlaps:
    """
    Find what two layers of valid polygons have in common. O((n + p) log n) of those that changed.

    Parameters
    ----------
    old, new : ndarray of shapely Polygon or MultiPolygon
        Both in one projected system in metres.
    namesakes : ndarray of int64, shape (n_new,)
        Position of the old polygon of the same id, -1 where there is none: of equal shapes these are paired first.

    Notes
    -----
    A polygon that is the same in both layers, to the millimetre, has no other partner: what else lies over it is the
    fault of a layer that overlaps itself.

    Examples
    --------
    >>> import shapely
    >>> found = find_overlaps(shapely.box([0, 2], 0, [2, 3], 1), shapely.box([0, 1], 0, [1, 3], 1), np.array([-1, -1]))
    >>> found.old.tolist(), found.new.tolist(), found.area.tolist()
    ([0, 0, 1], [0, 1, 1], [1.0, 1.0, 1.0])
    """
    import shapely

    twins = _twins(old, new, namesakes)
    old_left, new_left = np.ones(len(old), dtype=bool), twins < 0
    old_left[twins[~new_left]] = False
    rows, cols = np.flatnonzero(old_left), np.flatnonzero(new_left)
    a, b = shapely.STRtree(new[cols]).query(old[rows], predicate="intersects")
    area = shapely.area(shapely.intersection(old[rows[a]], new[cols[b]]))
    areal = area > 0
    same = np.flatnonzero(~new_left)
    pair_old = np.concatenate([twins[same], rows[a[areal]]])
    pair_new = np.concatenate([same, cols[b[areal]]])
    new_area = shapely.area(new)
    areas = np.concatenate([new_area[same], area[areal]])
    order = np.lexsort((pair_old, pair_new))
    return Overlaps(
        pair_old[order].astype(np.int64), pair_new[order].astype(np.int64), areas[order], shapely.area(old), new_area
    )


def _twins(old: NDArray[Any], new: NDArray[Any], namesakes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of the old polygon of the same shape as each new one, -1 where there is none; each is used once."""
    shapes, wanted = _keys(old), _keys(new)
    places: dict[bytes, list[int]] = {}
    for i, key in enumerate(shapes):
        places.setdefault(key, []).append(i)
    twins = np.full(len(new), -1, dtype=np.int64)
    for n, o in enumerate(namesakes.tolist()):
        if o >= 0 and shapes[o] == wanted[n]:
            twins[n] = o
            places[shapes[o]].remove(o)
    for n in np.flatnonzero(twins < 0).tolist():
        left = places.get(wanted[n])
        if left:
            twins[n] = left.pop(0)
    return twins


def _keys(shapes: NDArray[Any]) -> list[bytes]:
    """One text of bytes for equal shapes, whatever vertex their rings start at."""
    import shapely

    def rounded(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(coordinates, DECIMALS) + 0.0  # no negative zeros

    keys: list[bytes] = shapely.to_wkb(shapely.normalize(shapely.transform(shapes, rounded))).tolist()
    return keys
