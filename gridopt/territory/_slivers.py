"""Slivers: faces that drawing makes and no planner means, told by shape and by the streets around them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.territory._mesh import Mesh
from gridopt.territory._ways import Ways
from gridopt.territory.segments import explode

__all__ = ["KINDS", "Segments", "Traits", "find_slivers", "trace_pieces", "widths"]

KINDS = ("", "median", "roundabout", "slip", "sliver")
"""What a face is, by number; 0 is land."""
BOTH_ONE_WAY, BOTH_THE_SAME = 0.6, 0.55
"""Least shares of the outline of a median along one-way streets, and along streets of one name or class: one long side
alone is less than half."""
LINKS, TAGGED = 0.2, 0.8
"""Least shares along slip roads, and along ways tagged as roundabouts."""
ROUND, CIRCLE = 0.9, 0.8
"""Without tags: least share along one-way streets, least compactness (4 pi area / perimeter^2; a square has 0.79)."""
ON_LINE = 0.01
"""Metres within which a noded line lies on the line it was made of."""

Array = NDArray[Any]


class Traits(NamedTuple):
    """What each piece of the mesh is made of: its way (-1: none), and its traffic (1 as the piece runs, -1, 0)."""

    way: Array
    flow: Array


class Segments(NamedTuple):
    """Straight segments of ways, with a tree to find them by."""

    owner: Array
    start: Array
    end: Array
    tree: Any

    @classmethod
    def of(cls, ways: Ways) -> Segments:
        """Break ways into segments."""
        owner, start, end = explode(ways.shape)
        return cls(owner, start, end, shapely.STRtree(shapely.linestrings(np.stack([start, end], axis=1))))


def trace_pieces(pieces: Array, ways: Ways, segments: Segments) -> Traits:
    """
    Find the way each noded piece is a part of; of several on one line, the most important.

    Parameters
    ----------
    pieces : ndarray of LineString, shape (p,)
    ways : Ways
    segments : Segments
        Of the ways.
    """
    way = np.full(len(pieces), -1, dtype=np.int64)
    flow = np.zeros(len(pieces), dtype=np.int64)
    if not len(pieces) or not len(ways):
        return Traits(way, flow)
    xy, line = shapely.get_coordinates(pieces, return_index=True)
    first = np.flatnonzero(np.r_[True, line[1:] != line[:-1]])
    start, end = xy[first], xy[first + 1]
    owner, a, b, tree = segments
    i, s = tree.query(shapely.points((start + end) / 2), predicate="dwithin", distance=ON_LINE)
    order = np.lexsort((ways.name[owner[s]], ways.oneway[owner[s]] != 0, ways.factor[owner[s]], i))
    i, s = i[order], s[order]
    one = np.flatnonzero(np.r_[True, i[1:] != i[:-1]]) if len(i) else i
    i, s = i[one], s[one]
    way[i] = owner[s]
    along = ((end - start)[i] * (b - a)[s]).sum(axis=1)
    flow[i] = np.sign(along) * ways.oneway[owner[s]]
    return Traits(way, flow)


def find_slivers(mesh: Mesh, traits: Traits, ways: Ways, median_width: float, thin_width: float) -> NDArray[np.int64]:
    """
    Tell which faces are medians of dual carriageways, roundabouts, between slip roads, or slivers of drawing.

    The box where two dual carriageways cross counts as a median.

    Returns
    -------
    ndarray of int64, shape (f,)
        Position in `KINDS`.
    """
    n = len(mesh.faces)
    around = shapely.length(mesh.faces)
    width = widths(mesh.faces)
    length = mesh.lengths()
    known = traits.way >= 0
    way = np.where(known, traits.way, 0)
    is_told = bool(ways.oneway.any())
    oneway = known & ((traits.flow != 0) | (not is_told))
    share = lambda chosen: _share(mesh, length, chosen, around)  # noqa: E731
    one = share(oneway)
    same = np.zeros(n)
    named = ways.name[way]
    classes = np.where(traits.flow == 0, -1, 2 * ways.factor[way] + ways.is_link[way])
    for key in (named, classes):
        same = np.maximum(same, _largest_share(mesh, length, np.where(oneway, key, -1), around))
    compact = 4 * np.pi * shapely.area(mesh.faces) / around**2
    kind = np.zeros(n, dtype=np.int64)
    kind[width < thin_width] = KINDS.index("sliver")
    kind[(width < median_width) & (share(known & ways.is_link[way]) > LINKS)] = KINDS.index("slip")
    kind[is_told & (one > ROUND) & (compact > CIRCLE) & (width < 2 * median_width)] = KINDS.index("roundabout")
    kind[(share(known & ways.is_round[way]) > TAGGED) & (width < 3 * median_width)] = KINDS.index("roundabout")
    kind[(width < median_width) & (one >= BOTH_ONE_WAY) & (same >= BOTH_THE_SAME)] = KINDS.index("median")
    is_box = is_told & (one > ROUND) & (shapely.area(mesh.faces) < median_width**2)
    kind[is_box] = KINDS.index("median")
    return kind


def widths(faces: Array) -> NDArray[np.float64]:
    """
    Width of each face: the shorter side of the rectangle of the same area and perimeter.

    Examples
    --------
    >>> ring = shapely.Point(0, 0).buffer(10)
    >>> widths(np.array([shapely.box(0, 0, 4, 90), shapely.box(0, 0, 8, 8), ring])).round(1).tolist()
    [4.0, 8.0, 17.7]
    """
    area, half = shapely.area(faces), shapely.length(faces) / 2
    return np.asarray(
        np.where(half * half > 4 * area, (half - np.sqrt(np.maximum(half * half - 4 * area, 0))) / 2, np.sqrt(area))
    )


def _share(mesh: Mesh, length: Array, chosen: Array, around: Array) -> NDArray[np.float64]:
    total = np.zeros(len(mesh.faces))
    for side in mesh.sides.T:
        here = chosen & (side >= 0)
        total += np.bincount(side[here], length[here], minlength=len(total))
    return np.asarray(total / around)


def _largest_share(mesh: Mesh, length: Array, key: Array, around: Array) -> NDArray[np.float64]:
    """Share of the outline of each face that the most frequent key (at least 0) makes."""
    face = mesh.sides.T.ravel()
    keys, metres = np.tile(key, 2), np.tile(length, 2)
    use = (face >= 0) & (keys >= 0)
    size = int(keys.max(initial=0)) + 1
    pair, where = np.unique(face[use] * size + keys[use], return_inverse=True)
    total = np.bincount(where, metres[use], minlength=len(pair))
    best = np.zeros(len(mesh.faces))
    np.maximum.at(best, pair // size, total)
    return np.asarray(best / around)
