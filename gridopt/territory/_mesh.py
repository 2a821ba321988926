"""The mesh of a territory: noded lines, the faces they enclose, and which line parts which faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Mesh", "build_mesh", "end_points"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Mesh:
    """
    Faces and the noded lines between them.

    Parameters
    ----------
    faces : ndarray of Polygon, shape (f,)
        Sharing their borders vertex by vertex, in an order that depends on nothing but their place.
    pieces : ndarray of LineString, shape (p,)
        Noded lines: each runs between two nodes and has the same faces on its two sides all along.
    sides : ndarray of int64, shape (p, 2)
        Faces on the two sides; -1 outside of the territory.
    """

    faces: Array
    pieces: Array
    sides: Array

    def lengths(self) -> NDArray[np.float64]:
        """Metres of each piece."""
        return np.asarray(shapely.length(self.pieces), dtype=np.float64)

    def borders(self, weight: Array, home: Array | None = None, n: int | None = None) -> sparse.csr_array:
        """
        Weighted border between groups of faces.

        Parameters
        ----------
        weight : ndarray of float64, shape (p,)
            Of each piece; 0 leaves it out.
        home : ndarray of int64, shape (f,), optional
            Group of each face; default each its own.
        """
        size = len(self.faces) if n is None else n
        two = (self.sides >= 0).all(axis=1) & (weight > 0)
        u, v = self.sides[two].T
        if home is not None:
            u, v = home[u], home[v]
        w = weight[two]
        apart = u != v
        u, v, w = u[apart], v[apart], w[apart]
        table = sparse.csr_array((np.r_[w, w], (np.r_[u, v], np.r_[v, u])), shape=(size, size))
        table.sum_duplicates()
        return table


def build_mesh(pieces: Array, area: Any) -> Mesh:
    """
    Enclose faces by noded lines.

    Parameters
    ----------
    pieces : ndarray of LineString, shape (p,)
        Noded; the outline of `area` must be among them. Dangling ends bound nothing and are left out.
    area : Polygon or MultiPolygon
        The territory.

    Examples
    --------
    >>> square = shapely.box(0, 0, 2, 1)
    >>> noded = shapely.get_parts(shapely.union_all([square.exterior, shapely.LineString([(1, -1), (1, 2)])]))
    >>> mesh = build_mesh(noded, square)
    >>> len(mesh.faces), sorted(set(map(tuple, mesh.sides.tolist())))
    (2, [(0, -1), (0, 1), (1, -1)])
    """
    faces = shapely.get_parts(shapely.polygonize(pieces))
    shapely.prepare(area)
    faces = faces[shapely.contains_properly(area, shapely.point_on_surface(faces))]
    bounds = np.round(shapely.bounds(faces), 6)
    faces = shapely.normalize(faces[np.lexsort((np.round(shapely.area(faces), 4), *bounds.T))])
    sides = _sides(pieces, faces)
    used = np.flatnonzero(sides[:, 0] >= 0)
    where = np.round(shapely.bounds(pieces[used]), 6)
    used = used[np.lexsort((np.round(shapely.length(pieces[used]), 6), *where.T))]
    return Mesh(faces, pieces[used], sides[used])


def end_points(lines: Array) -> NDArray[np.float64]:
    """First and last point of each line, shape (n, 2, 2): number, end, coordinate."""
    xy, line = shapely.get_coordinates(lines, return_index=True)
    first = np.flatnonzero(np.r_[True, line[1:] != line[:-1]]) if len(xy) else np.empty(0, dtype=np.int64)
    last = np.r_[first[1:], len(xy)][: len(first)] - 1
    return np.stack([xy[first], xy[last]], axis=1)


def _sides(pieces: Array, faces: Array) -> NDArray[np.int64]:
    """Faces whose rings have the first segment of each piece; the smaller position first, then -1."""
    rings, owner = shapely.get_rings(faces, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    start = np.flatnonzero(ring[1:] == ring[:-1])
    line_xy, line = shapely.get_coordinates(pieces, return_index=True)
    first = np.flatnonzero(np.r_[True, line[1:] != line[:-1]])
    keys = np.concatenate([_keys(xy[start], xy[start + 1]), _keys(line_xy[first], line_xy[first + 1])])
    order = np.lexsort(keys.T)
    ranked = keys[order]
    group = np.empty(len(keys), dtype=np.int64)
    group[order] = np.cumsum(np.r_[0, (ranked[1:] != ranked[:-1]).any(axis=1)])
    of_ring, of_piece = group[: len(start)], group[len(start) :]
    face = owner[ring[start]]
    low = np.full(group.max(initial=-1) + 1, len(faces), dtype=np.int64)
    high = np.full(len(low), -1, dtype=np.int64)
    np.minimum.at(low, of_ring, face)
    np.maximum.at(high, of_ring, face)
    u, v = low[of_piece], high[of_piece]
    u = np.where(v < 0, -1, u)
    return np.stack([u, np.where(v == u, -1, v)], axis=1)


def _keys(start: Array, end: Array) -> NDArray[np.float64]:
    """Coordinates of segments, the same for both directions."""
    swap = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    flat = np.concatenate([start, end], axis=1)
    flat[swap] = flat[swap][:, [2, 3, 0, 1]]
    return flat
