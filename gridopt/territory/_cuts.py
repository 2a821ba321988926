"""Cuts across corridors: borders between blocks go on through the slivers of a street to its other side."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.territory._mesh import Mesh, end_points

__all__ = ["cut_corridors"]

OVERSHOOT = 0.001
"""Metres a cut is drawn past the line it meets, so that the two truly cross; the stub is a dangling end."""
AT_END = 0.5
"""Metres from a node within which a cut goes to the node itself."""
ROUNDS = 6
"""Parallel slivers a cut goes through at most, such as verge, carriageway, median, carriageway, verge."""
SQUARE = 0.6
"""Largest cosine of the angle between a cut and the line it starts from: about 53 degrees and more."""

Array = NDArray[Any]


def cut_corridors(mesh: Mesh, is_sliver: NDArray[np.bool_], reach: float) -> Array:
    """
    Draw cuts through slivers from where the border of two blocks meets them.

    Parameters
    ----------
    mesh : Mesh
    is_sliver : ndarray of bool, shape (f,)
    reach : float
        Metres a cut may be long within one sliver.

    Returns
    -------
    ndarray of LineString, shape (c,)
        To be noded together with the pieces of the mesh. Each runs from a node to the nearest point of the other side
        of the sliver, about square to the side it starts from.
    """
    ends = end_points(mesh.pieces)
    point, face, piece = _starts(mesh, is_sliver, ends)
    cuts = []
    for _ in range(ROUNDS):
        if not len(point):
            break
        foot, next_piece, keep = _across(mesh, ends, point, face, piece, reach)
        point, face, foot, next_piece = point[keep], face[keep], foot[keep], next_piece[keep]
        step = (foot - point) * ~_is_end(foot, ends[next_piece])[:, None]
        beyond = foot + OVERSHOOT * step / np.maximum(np.hypot(*step.T), 1e-9)[:, None]
        cuts.append(shapely.linestrings(np.stack([point, foot, beyond], axis=1)))
        sides = mesh.sides[next_piece]
        other = np.where(sides[:, 0] == face, sides[:, 1], sides[:, 0])
        on = (other >= 0) & is_sliver[other] & (other != face)
        point, face, piece = foot[on], other[on], next_piece[on]
    return np.concatenate(cuts) if cuts else np.empty(0, dtype=object)


def _is_end(foot: Array, ends: Array) -> NDArray[np.bool_]:
    return (foot[:, None, :] == ends).all(axis=2).any(axis=1)


def _starts(mesh: Mesh, is_sliver: NDArray[np.bool_], ends: Array) -> tuple[Array, Array, Array]:
    """Nodes where a line between two blocks meets a sliver, the sliver, and one of its pieces there."""
    sliver = np.zeros((len(mesh.pieces), 2), dtype=bool)
    sliver[mesh.sides >= 0] = is_sliver[mesh.sides[mesh.sides >= 0]]
    between = (mesh.sides >= 0).all(axis=1) & ~sliver.any(axis=1)
    of_blocks = np.flatnonzero(between)
    of_slivers = np.flatnonzero(sliver.any(axis=1))
    block_xy = ends[of_blocks].reshape(-1, 2)
    sliver_xy = ends[of_slivers].reshape(-1, 2)
    _, code = np.unique(np.concatenate([block_xy, sliver_xy]), axis=0, return_inverse=True)
    code = code.ravel()
    met = np.isin(code[len(block_xy) :], code[: len(block_xy)])
    row = np.repeat(of_slivers, 2)[met]
    xy, node = sliver_xy[met], code[len(block_xy) :][met]
    piece = np.concatenate([row, row])
    face = np.concatenate([mesh.sides[row, 0], mesh.sides[row, 1]])
    xy, node = np.concatenate([xy, xy]), np.concatenate([node, node])
    use = (face >= 0) & is_sliver[np.maximum(face, 0)]
    piece, face, xy, node = piece[use], face[use], xy[use], node[use]
    order = np.lexsort((piece, face, node))
    piece, face, xy, node = piece[order], face[order], xy[order], node[order]
    count = np.diff(np.flatnonzero(np.r_[True, (np.diff(node) != 0) | (np.diff(face) != 0), True]))
    first = np.cumsum(np.r_[0, count[:-1]]).astype(np.int64)[count == 2]
    blocks_differ = _other(mesh, piece[first], face[first]) != _other(mesh, piece[first + 1], face[first])
    first = first[blocks_differ]
    return xy[first], face[first], piece[first]


def _other(mesh: Mesh, piece: Array, face: Array) -> NDArray[np.int64]:
    sides = mesh.sides[piece]
    return np.where(sides[:, 0] == face, sides[:, 1], sides[:, 0])


def _across(
    mesh: Mesh, ends: Array, point: Array, face: Array, piece: Array, reach: float
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Nearest point on the other pieces around each face that is about square to the piece the cut starts from."""
    around, owner = _pieces_of(mesh, face)
    at = point[owner]
    line = mesh.pieces[around]
    start = shapely.points(at)
    own = around == piece[owner]
    touches = shapely.distance(line, start) < 1e-6
    foot = shapely.get_coordinates(shapely.line_interpolate_point(line, shapely.line_locate_point(line, start)))
    for end in (0, 1):
        node = ends[around, end]
        foot = np.where((np.hypot(*(foot - node).T) < AT_END)[:, None], node, foot)
    step = foot - at
    distance = np.hypot(*step.T)
    own_way = _direction(ends, piece)[owner]
    square = np.abs((step * own_way).sum(axis=1)) <= SQUARE * distance
    far = own | touches | ~square | (distance > reach)
    distance = np.where(far, np.inf, distance)
    order = np.lexsort((around, np.round(distance, 6), owner))
    first = order[np.r_[True, owner[order][1:] != owner[order][:-1]]] if len(order) else order
    keep = np.isfinite(distance[first])
    return foot[first], around[first], keep


def _direction(ends: Array, piece: Array) -> NDArray[np.float64]:
    step = ends[piece, 1] - ends[piece, 0]
    return np.asarray(step / np.maximum(np.hypot(*step.T), 1e-12)[:, None])


def _pieces_of(mesh: Mesh, face: Array) -> tuple[Array, Array]:
    """Pieces around each of the faces, and the position in `face` they belong to."""
    flat = mesh.sides.T.ravel()
    order = np.argsort(flat, kind="stable")
    low, high = np.searchsorted(flat[order], face), np.searchsorted(flat[order], face, side="right")
    count = high - low
    owner = np.repeat(np.arange(len(face)), count)
    offset = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)
    return order[low[owner] + offset] % len(mesh.pieces), owner
