"""Mended: labels of a piece that need not be connected -> contiguous labels near them, each component with parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from gridopt.planning.parts import Cutout
from gridopt.solvers.construct.mending import Mending
from gridopt.solvers.piece import Piece

__all__ = ["components_of", "mend"]


def mend(piece: Piece, labels: NDArray[np.int32], seed: int) -> NDArray[np.int32] | None:
    """
    Contiguous labels with all parts, near `labels` (-1: none); None where none are found.

    Notes
    -----
    `Mending` grows parts over edges. Where frozen parts are left out, what is left may fall into components, and one of
    them may have no part of its own: then it is given that one, of those it shares, whose going elsewhere moves least.
    """
    found = Mending(labels)(piece, seed)
    if found is not None:
        return found
    component = components_of(piece)
    count = int(component.max(initial=-1)) + 1
    place = _share_out(piece, labels, component, count)
    if count < 2 or place is None:
        return None
    first = np.array([np.flatnonzero(place == c)[0] for c in range(count)])
    begin = np.where((labels >= 0) & (place[labels] == component), labels, first[component]).astype(np.int32)
    found = np.array(begin)
    for c in range(count):
        cut = Cutout.of(piece, begin, np.flatnonzero(place == c))
        own = Mending(cut.inner(labels))(cut.piece, seed) if len(cut.nodes) >= len(cut.parts) else None
        if own is None:
            return None
        found = cut.put(found, own)
    return found


def components_of(piece: Piece) -> NDArray[np.int32]:
    """Connected component of each node."""
    rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
    matrix = sparse.csr_matrix((np.ones(len(rows), np.int8), (rows, piece.indices)), shape=(piece.n_nodes,) * 2)
    return np.asarray(connected_components(matrix, directed=False)[1], dtype=np.int32)


def _share_out(
    piece: Piece, labels: NDArray[np.int32], component: NDArray[np.int32], count: int
) -> NDArray[np.int64] | None:
    """Component of each part: where most of it is, but for those that others need more; None where it cannot be."""
    k, total = piece.n_parts, np.maximum(piece.workload.sum(axis=0), 1)
    mass = (piece.workload / total).sum(axis=1) + 1e-9
    known, bound = labels >= 0, piece.fixed >= 0
    held = np.zeros((k, count))
    np.add.at(held, (labels[known], component[known]), mass[known])
    held[piece.fixed[bound], component[bound]] += 10 * mass.sum()
    place = held.argmax(axis=1)
    for c in np.flatnonzero(np.bincount(place, minlength=count) == 0).tolist():
        spare = np.bincount(place, minlength=count)[place] > 1
        if not spare.any():
            return None
        loss = np.where(spare, held[np.arange(k), place] - held[:, c], np.inf)
        place[int(loss.argmin())] = c
    return place
