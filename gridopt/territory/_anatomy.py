"""What is wrong with polygons that should tile a territory, found in one pass: `defects` lists, `repair` mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError
from gridopt.territory._faces import Faces, cut_into_faces, inner_widths, mouths
from gridopt.territory._spikes import Spike, cut_spikes

__all__ = ["SAME", "Anatomy", "check_width", "examine"]

SAME = 0.99
"""Share of the larger of two polygons that both cover, from which they are one polygon drawn twice."""
SLACK = 1.01
"""Gaps count as narrow up to this many times the width asked for: circles and closing are drawn with few vertices."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Anatomy:
    """
    Polygons and what was found about them; all arrays by position, areas in square metres.

    Parameters
    ----------
    given : ndarray, shape (n,)
        As they came, in metres; None or empty where there is no polygon.
    valid : ndarray, shape (n,)
        With rings mended; what was no area is gone.
    trimmed : ndarray, shape (n,)
        Without spikes.
    spikes : list of Spike
    faces : Faces
        Of `trimmed`, with the claims of duplicates made by the unit that stays.
    twin_of : ndarray of int64, shape (n,)
        The earlier unit that covers the same ground, else -1.
    twin_area : float
        Ground that duplicates and the units that stay both cover.
    gap_width : ndarray of float64, shape (f,)
        Widest place of each face that no unit claims, in metres; 0 for other faces.
    is_narrow : ndarray of bool, shape (f,)
        Faces that no unit claims, at most as wide as asked for.
    """

    given: Array
    valid: Array
    trimmed: Array
    spikes: list[Spike]
    faces: Faces
    twin_of: NDArray[np.int64]
    twin_area: float
    gap_width: NDArray[np.float64]
    is_narrow: NDArray[np.bool_]


def check_width(name: str, value: Any) -> float:
    """Refuse what is no width in metres."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
        raise InputError(f"{name}={value!r} must be a number of metres, at least 0.")
    return float(value)


def examine(given: Array, gap_width: float, spike_width: float) -> Anatomy:
    """
    Take polygons apart.

    Parameters
    ----------
    given : ndarray of Polygon, MultiPolygon or None, shape (n,)
        In metres; they may be invalid, empty, or missing.
    gap_width, spike_width : float
        Metres.

    Returns
    -------
    Anatomy

    Notes
    -----
    A gap is narrow when no circle wider than `gap_width` fits in; open ends of gaps are closed by straight lines first.
    Twins: the ground both cover is at least 99 % of the larger one.
    """
    import shapely

    valid = _mend_rings(given)
    trimmed, spikes = cut_spikes(valid, spike_width) if spike_width > 0 else (valid, [])
    lines = mouths(trimmed, gap_width) if gap_width > 0 else None
    faces = cut_into_faces(trimmed, lines)
    area = np.nan_to_num(shapely.area(trimmed))
    twin_of = _find_twins(faces, area)
    faces, twin_area = _merge_twins(faces, twin_of)
    free = np.flatnonzero(faces.claims == 0)
    widths = np.zeros(len(faces.shape))
    widths[free] = inner_widths(faces.shape[free])
    is_narrow = np.zeros(len(faces.shape), dtype=bool)
    is_narrow[free] = widths[free] <= SLACK * gap_width
    return Anatomy(given, valid, trimmed, spikes, faces, twin_of, twin_area, widths, is_narrow)


def _mend_rings(given: Array) -> Array:
    """Valid polygons that cover what the given ones do; empty ones for none."""
    import shapely

    valid = given.copy()
    none = shapely.is_missing(valid) | shapely.is_empty(valid)
    valid[none] = shapely.MultiPolygon()
    bad = ~shapely.is_valid(valid)
    if bad.any():
        valid[bad] = shapely.make_valid(valid[bad], method="structure", keep_collapsed=False)
    return valid


def _find_twins(faces: Faces, area: Array) -> NDArray[np.int64]:
    """The first earlier unit that covers nearly the same ground as each unit, else -1."""
    n = len(area)
    twin_of = np.full(n, -1, dtype=np.int64)
    claims = faces.claims
    many = np.flatnonzero(claims[faces.face] > 1)
    keys, common = [], []
    if not len(many):
        return twin_of
    step = 1
    while True:  # pairs `step` apart in the list of claims on one face
        i = many[many + step < len(faces.face)]
        i = i[faces.face[i] == faces.face[np.minimum(i + step, len(faces.face) - 1)]]
        if not len(i):
            break
        keys.append(faces.unit[i] * n + faces.unit[i + step])
        common.append(faces.area[faces.face[i]])
        step += 1
    key, place = np.unique(np.concatenate(keys), return_inverse=True)
    shared = np.bincount(place, weights=np.concatenate(common))
    u, v = key // n, key % n
    is_twin = shared >= SAME * np.maximum(area[u], area[v])
    for first, second in zip(u[is_twin].tolist(), v[is_twin].tolist()):  # sorted: the first in row order stays
        if twin_of[first] < 0 and twin_of[second] < 0:
            twin_of[second] = first
    return twin_of


def _merge_twins(faces: Faces, twin_of: NDArray[np.int64]) -> tuple[Faces, float]:
    """Let the unit that stays make the claims of its twins, each once; and the area that was claimed twice."""
    if not (twin_of >= 0).any():
        return faces, 0.0
    n = len(twin_of)
    heir = np.where(twin_of >= 0, twin_of, np.arange(n))
    key = np.unique(faces.face * n + heir[faces.unit])
    once = Faces(faces.shape, faces.area, key // n, key % n)
    return once, float(faces.area[faces.face].sum() - faces.area[once.face].sum())
