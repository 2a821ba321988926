"""Which way medians lean: across their street, and the same way all along it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.territory._mesh import Mesh, end_points
from gridopt.territory._slivers import Traits
from gridopt.territory._ways import Ways

__all__ = ["sides_to_lean_to"]

TOWARDS = np.array([0.97, 0.26])
"""East by north: of the two sides of a street, medians lean to the one more on this side. No street of a town laid out
by the compass runs across it. Of ten directions it kept most of the City's own blocks in Cambridge, Massachusetts, by
a hair."""

Array = NDArray[Any]


def sides_to_lean_to(mesh: Mesh, traits: Traits, ways: Ways) -> NDArray[np.float64]:
    """
    Return a direction for each face: across the street most of its outline runs along, the same all along the street.

    Parameters
    ----------
    mesh : Mesh
    traits : Traits
        Of the pieces of the mesh.
    ways : Ways

    Returns
    -------
    ndarray of float64, shape (f, 2)
        Unit vectors. Faces along no named street have that across their own longer axis.

    Notes
    -----
    The axis of a street is the mean direction of its pieces, of doubled angles so that both ways along it are one.
    """
    ends = end_points(mesh.pieces)
    step = ends[:, 1] - ends[:, 0]
    length = mesh.lengths()
    double = 2 * np.arctan2(step[:, 1], step[:, 0])
    vector = length[:, None] * np.stack([np.cos(double), np.sin(double)], axis=1)
    own = np.zeros((len(mesh.faces), 2))
    for side in mesh.sides.T:
        np.add.at(own, side[side >= 0], vector[side >= 0])
    name = np.full(len(mesh.pieces), -1, dtype=np.int64)
    known = traits.way >= 0
    name[known] = ways.name[traits.way[known]]
    street = np.zeros((int(name.max(initial=-1)) + 1, 2))
    np.add.at(street, name[name >= 0], vector[name >= 0])
    called = _main_name(mesh, name, length)
    axis = np.where((called >= 0)[:, None], street[called] if len(street) else own, own)
    angle = np.arctan2(axis[:, 1], axis[:, 0]) / 2
    across = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    return np.asarray(across * np.where(across @ TOWARDS < 0, -1.0, 1.0)[:, None])


def _main_name(mesh: Mesh, name: Array, length: Array) -> NDArray[np.int64]:
    """Name most of the outline of each face has; -1 for none."""
    face, names, metres = mesh.sides.T.ravel(), np.tile(name, 2), np.tile(length, 2)
    use = (face >= 0) & (names >= 0)
    size = int(names.max(initial=-1)) + 2
    pair, where = np.unique(face[use] * size + names[use], return_inverse=True)
    total = np.round(np.bincount(where.ravel(), metres[use], minlength=len(pair)), 3)
    order = np.lexsort((-pair, total))
    found = np.full(len(mesh.faces), -1, dtype=np.int64)
    found[pair[order] // size] = pair[order] % size
    return found
