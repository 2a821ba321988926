"""Spikes: vertices where an outline runs out and comes back along nearly the same line."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spike", "cut_spikes"]

SHARP = 0.9986
"""Cosine of 3 degrees: blunter tips are shapes, not slips of the pen."""
SLENDER = 10.0
"""How many times longer than wide a spike is at least."""

Array = NDArray[Any]


class Spike(NamedTuple):
    """One spike: position of its unit, its tip, its width at the foot (m), the area cut (m2)."""

    unit: int
    x: float
    y: float
    width_m: float
    area_m2: float


def cut_spikes(polygons: Array, width: float) -> tuple[Array, list[Spike]]:
    """
    Cut the spikes off polygons.

    Parameters
    ----------
    polygons : ndarray of Polygon or MultiPolygon, shape (n,)
        Valid, in metres.
    width : float
        Widest spike, in metres. Spikes are sharper than 3 degrees and ten times longer than wide.

    Returns
    -------
    polygons : ndarray
        Unchanged where there are no spikes, and where cutting would leave no valid polygon.
    spikes : list of Spike

    Examples
    --------
    >>> import shapely
    >>> square = shapely.Polygon([(0, 0), (9, 0), (9, 4), (20, 4.02), (9, 4.04), (9, 9), (0, 9)])
    >>> cut, spikes = cut_spikes(np.array([square]), 0.1)
    >>> shapely.area(cut).round(6).tolist(), [(s.x, s.y) for s in spikes]
    ([81.0], [(20.0, 4.02)])
    """
    import shapely

    parts, unit_of_part = shapely.get_parts(shapely.orient_polygons(polygons), return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    suspects = _suspects(rings, width)
    if not len(suspects):
        return polygons, []
    changed = polygons.copy()
    spikes: list[Spike] = []
    for unit in np.unique(unit_of_part[part_of_ring[suspects]]).tolist():
        shape, found = _without_spikes(polygons[unit], unit, width)
        if found:
            changed[unit] = shape
            spikes += found
    return changed, spikes


def _suspects(rings: Array, width: float) -> NDArray[np.int64]:
    """Positions of the rings with a spike at some vertex, or at two vertices close together."""
    import shapely

    xy, ring = shapely.get_coordinates(rings, return_index=True)
    inside = ring[1:] == ring[:-1]
    xy, ring = xy[:-1][inside], ring[:-1][inside]
    if not len(xy):
        return np.empty(0, dtype=np.int64)
    first = np.flatnonzero(np.r_[True, ring[1:] != ring[:-1]])
    size = np.diff(np.r_[first, len(ring)])
    base, place = np.repeat(first, size), np.arange(len(ring)) - np.repeat(first, size)
    size = np.repeat(size, size)

    def at(step: int) -> Array:
        return xy[base + (place + step) % size]

    hit = _is_spike(at(-1), at(0), at(0), at(1), width) | _is_spike(at(-1), at(0), at(1), at(2), width)
    return np.unique(ring[hit & (size > 3)])


def _is_spike(before: Array, tip: Array, tip_end: Array, after: Array, width: float) -> NDArray[np.bool_]:
    """Whether ``before -> tip -> tip_end -> after`` runs out and back, with the area to the left between."""
    out, back = tip - before, after - tip_end
    far, near = np.hypot(*out.T), np.hypot(*back.T)
    leg = np.minimum(far, near)
    with np.errstate(divide="ignore", invalid="ignore"):
        cosine = -(out * back).sum(axis=1) / (far * near)
        turn = (out[:, 0] * back[:, 1] - out[:, 1] * back[:, 0]) / np.maximum(far, near)
        across = after - tip
        foot = np.abs(out[:, 0] * across[:, 1] - out[:, 1] * across[:, 0]) / far
    blunt = np.hypot(*(tip_end - tip).T)
    wide = np.maximum(np.minimum(foot, np.abs(turn) + blunt), blunt)
    side, whole = tip_end - before, after - before
    is_convex = (out[:, 0] * side[:, 1] - out[:, 1] * side[:, 0]) + (
        side[:, 0] * whole[:, 1] - side[:, 1] * whole[:, 0]
    ) > 0
    found: NDArray[np.bool_] = (
        (cosine > SHARP) & is_convex & (wide <= width) & (leg >= SLENDER * wide) & (leg >= SLENDER * width / 2)
    )
    return found


def _without_spikes(polygon: Any, unit: int, width: float) -> tuple[Any, list[Spike]]:
    """Cut one polygon; itself and no spikes where the rest would be no valid polygon."""
    import shapely

    parts, spikes = [], []
    for part in shapely.get_parts(shapely.orient_polygons(polygon)):
        shell, found = _cut_ring(shapely.get_coordinates(part.exterior)[:-1], width, unit)
        holes = []
        for hole in part.interiors:
            cut, more = _cut_ring(shapely.get_coordinates(hole)[:-1], width, unit)
            holes.append(cut)
            found = found + more
        spikes += found
        parts.append(shapely.Polygon(shell, holes) if found else part)
    shape = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    if not spikes or not shape.is_valid or shape.is_empty:
        return polygon, []
    return shape, spikes


def _cut_ring(xy: Array, width: float, unit: int) -> tuple[Array, list[Spike]]:
    """Drop the tips of a ring, one by one, until none is left; vertices without the repeated last one."""
    found: list[Spike] = []
    while len(xy) > 4:
        before, after, after_next = np.roll(xy, 1, axis=0), np.roll(xy, -1, axis=0), np.roll(xy, -2, axis=0)
        single = np.flatnonzero(_is_spike(before, xy, xy, after, width))
        double = np.flatnonzero(_is_spike(before, xy, after, after_next, width))
        if not len(single) and not len(double):
            break
        i, n = (int(single[0]), 1) if len(single) else (int(double[0]), 2)
        gone = [(i + step) % len(xy) for step in range(n)]
        around = np.array([xy[i - 1], *xy[gone], xy[(i + n) % len(xy)]])
        x, y = around[:, 0] - around[0, 0], around[:, 1] - around[0, 1]
        area = 0.5 * float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        tip = xy[gone].mean(axis=0)
        foot = float(np.hypot(*(around[-1] - around[0])))
        found.append(Spike(unit, float(tip[0]), float(tip[1]), min(foot, width), area))
        xy = np.delete(xy, gone, axis=0)
    return xy, found
