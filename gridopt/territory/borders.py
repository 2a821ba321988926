"""Shared borders of polygons: exact coverages by sorting their segments, the rest by looking beside each segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.territory.segments import explode, intervals_along, merge, near_pairs

__all__ = ["Borders", "Contacts", "find_borders", "join_borders"]

OPPOSITE = -0.8
"""Cosine below which two facing segments count as one border (less than 37 degrees off)."""
SLIVER = 0.05
"""Metres of average width (twice the area over the perimeter) up to which an overlap is drawing noise."""
LEAST_WIDTH = 1e-3
"""Metres of width that count as an overlap even when nothing is snapped: far above rounding."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Borders:
    """
    Straight stretches of border shared by two units.

    Parameters
    ----------
    pair : ndarray of int64, shape (p, 2)
        Positions of the two units, the smaller first.
    start, end : ndarray of float64, shape (p, 2)
        Ends of the stretch, metres.
    share : ndarray of float64, shape (p,)
        1, or 1/2 where the border was measured from both of its sides.
    """

    pair: Array
    start: Array
    end: Array
    share: Array

    def metres(self) -> NDArray[np.float64]:
        """Length of each stretch as drawn."""
        return np.linalg.norm(self.end - self.start, axis=1)

    def take(self, keep: NDArray[np.bool_]) -> Borders:
        """Return the stretches marked in `keep`."""
        return Borders(self.pair[keep], self.start[keep], self.end[keep], self.share[keep])

    def cut(self, owner: Array, low: Array, high: Array) -> Borders:
        """Return the parts ``[low, high]`` (metres from the start) of the stretches at positions `owner`."""
        along = (self.end[owner] - self.start[owner]) / self.metres()[owner][:, None]
        return Borders(
            self.pair[owner],
            self.start[owner] + low[:, None] * along,
            self.start[owner] + high[:, None] * along,
            self.share[owner],
        )


@dataclass(frozen=True, eq=False)
class Contacts:
    """
    Everything found between units.

    Parameters
    ----------
    borders : Borders
    overlaps : ndarray of int64, shape (o, 2)
        Pairs whose areas overlap by more than a sliver.
    overlap_area : ndarray of float64, shape (o,)
        Square metres.
    corners : ndarray of int64, shape (q, 2)
        Pairs that share vertices but no stretch of border.
    """

    borders: Borders
    overlaps: Array
    overlap_area: Array
    corners: Array


def find_borders(polygons: Array, snap: float) -> Contacts:
    """
    Find the borders units share.

    Parameters
    ----------
    polygons : ndarray of Polygon or MultiPolygon, shape (n,)
        Valid and not empty, in metres.
    snap : float
        Gaps and overlaps up to this width, in metres, count as a shared border; 0: identical segments only.

    Returns
    -------
    Contacts

    Notes
    -----
    All rings are turned so that the area lies to their left; a border of an exact coverage is then a segment that
    occurs once each way. One sort of the segments by their two vertices finds them, O(s log s) for s segments. What
    found no partner (the outline, T-junctions, gaps) is compared with what lies within `snap` of it and runs the
    other way; lengths seen from either side are averaged. Areas overlap only if a segment without partner has
    foreign area to its left, so clean coverages are never intersected.

    Examples
    --------
    >>> import shapely
    >>> found = find_borders(shapely.box([0, 10, 10], [0, 0, 6], [10, 20, 20], [10, 6, 10]), snap=0.05)
    >>> found.borders.pair.tolist(), (found.borders.metres() * found.borders.share).tolist()
    ([[1, 2], [0, 1], [0, 2], [0, 1], [0, 2]], [10.0, 3.0, 2.0, 3.0, 2.0])
    """
    import shapely

    n = len(polygons)
    parts, unit_of_part = shapely.get_parts(shapely.orient_polygons(polygons), return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    ring, start, end = explode(rings)
    unit = unit_of_part[part_of_ring][ring]
    tail, head = _number_vertices(ring, start)
    i, j, facing = _same_segments(tail, head, unit)
    lone = np.ones(len(unit), dtype=bool)
    lone[i[facing]] = lone[j[facing]] = False
    exact = Borders(
        _pairs(unit[i[facing]], unit[j[facing]]), start[i[facing]], end[i[facing]], np.ones(int(facing.sum()))
    )
    beside = _borders_beside(unit[lone], start[lone], end[lone], snap)
    suspects = np.concatenate(
        [_pairs(unit[i[~facing]], unit[j[~facing]]), _reaching_in(polygons, unit[lone], start[lone], end[lone], snap)]
    )
    overlaps, area, over = _overlaps(polygons, suspects, snap)
    borders = join_borders([exact, beside, over])
    touching = _corner_pairs(tail, unit, n)  # rings are closed: each vertex is a tail
    bordering = borders.pair @ np.array([n, 1])
    touching = touching[~np.isin(touching, bordering)]
    return Contacts(borders, overlaps, area, np.column_stack([touching // n, touching % n]))


def join_borders(parts: list[Borders]) -> Borders:
    """All stretches in one record."""
    columns = [np.concatenate([getattr(p, name) for p in parts]) for name in ("pair", "start", "end", "share")]
    return Borders(*columns)


def _pairs(u: Array, v: Array) -> NDArray[np.int64]:
    return np.column_stack([np.minimum(u, v), np.maximum(u, v)]).astype(np.int64)


def _number_vertices(ring: Array, start: Array) -> tuple[Array, Array]:
    """Give equal points equal numbers; the number of each segment's start and end, for the segments of closed rings."""
    xy = start + 0.0  # -0.0 becomes 0.0
    order = np.lexsort((xy[:, 1], xy[:, 0]))
    ranked = xy[order]
    tail = np.empty(len(xy), dtype=np.int64)
    tail[order] = np.cumsum(np.r_[False, (ranked[1:] != ranked[:-1]).any(axis=1)])
    first = np.flatnonzero(np.r_[True, ring[1:] != ring[:-1]])
    after = np.arange(1, len(xy) + 1)
    after[np.r_[first[1:], len(xy)] - 1] = first
    return tail, tail[after]


def _same_segments(tail: Array, head: Array, unit: Array) -> tuple[Array, Array, Array]:
    """Pairs (i, j) of identical segments of different units, and whether they run opposite ways (a border)."""
    size = int(max(tail.max(initial=0), head.max(initial=0))) + 1
    key = np.minimum(tail, head) * size + np.maximum(tail, head)
    order = np.argsort(key, kind="stable")
    i, j = _within_groups(key[order])
    i, j = order[i], order[j]
    foreign = unit[i] != unit[j]
    i, j = i[foreign], j[foreign]
    return i, j, tail[i] == head[j]


def _within_groups(key: Array) -> tuple[Array, Array]:
    """All pairs of positions with equal `key`, for a sorted key; as many rounds as the largest group has members."""
    first, second = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    step = 1
    here = np.arange(len(key) - 1)
    while len(here := here[: np.searchsorted(here, len(key) - step)]):
        here = here[key[here] == key[here + step]]
        first.append(here)
        second.append(here + step)
        step += 1
    return np.concatenate(first), np.concatenate(second)


def _corner_pairs(vertex: Array, unit: Array, n: int) -> NDArray[np.int64]:
    """Pairs of units with a vertex in common, as ``u * n + v`` with u < v, each once."""
    seen = _distinct(vertex * n + unit)
    i, j = _within_groups(seen // n)
    return _distinct((seen[i] % n) * n + seen[j] % n)


def _distinct(key: Array) -> Array:
    """Sorted distinct values: as `numpy.unique`, whose hash table is ten times slower here."""
    key = np.sort(key)
    return key[np.concatenate([[True], key[1:] != key[:-1]])] if len(key) else key


def _borders_beside(unit: Array, start: Array, end: Array, snap: float) -> Borders:
    """Borders among segments without an identical partner: other units' segments within `snap`, the other way."""
    empty = np.empty((0, 2))
    if snap <= 0 or not len(unit):
        return Borders(np.empty((0, 2), dtype=np.int64), empty, empty, np.empty(0))
    i, j = near_pairs(start, end, start, end, snap)
    foreign = unit[i] != unit[j]
    i, j = i[foreign], j[foreign]
    low, high, cosine = intervals_along(start[i], end[i], start[j], end[j], snap)
    facing = cosine < OPPOSITE
    n = int(unit.max()) + 1
    group, low, high = merge((i * n + unit[j])[facing], low[facing], high[facing])
    i, other = group // n, group % n
    mine = Borders(_pairs(unit[i], other), start[i], end[i], np.full(len(i), 0.5))
    return mine.cut(np.arange(len(i)), low, high)


def _reaching_in(polygons: Array, unit: Array, start: Array, end: Array, snap: float) -> NDArray[np.int64]:
    """Pairs in which one unit covers ground just inside a lone segment of the other: they may overlap."""
    import shapely

    if not len(unit):
        return np.empty((0, 2), dtype=np.int64)
    along = end - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / length
    shift = _noise(snap)
    inward = shift * np.column_stack([-along[:, 1], along[:, 0]])
    trim = np.minimum(2 * shift, 0.25 * length) * along
    probe = shapely.linestrings(np.stack([start + inward + trim, end + inward - trim], axis=1))
    other, i = shapely.STRtree(probe).query(polygons, predicate="intersects")  # what is asked for is indexed, once
    foreign = unit[i] != other
    return _pairs(unit[i[foreign]], other[foreign])


def _noise(snap: float) -> float:
    return min(max(snap, LEAST_WIDTH), SLIVER)


def _overlaps(polygons: Array, suspects: Array, snap: float) -> tuple[Array, Array, Borders]:
    """Overlapping pairs, their common area, and half of its outline as a border where it is wider than `snap`."""
    import shapely

    pairs, common, width = _common(polygons, _distinct_rows(suspects))
    if (width > _noise(snap)).any():  # one found: list them all, also those between units with partners all around
        i, j = shapely.STRtree(polygons).query(polygons, predicate="intersects")
        pairs, common, width = _common(polygons, _distinct_rows(np.column_stack([i, j])[i < j]))
    told, wide = width > _noise(snap), width > max(snap, LEAST_WIDTH)
    parts, owner = shapely.get_parts(common[wide], return_index=True)
    flat = shapely.get_dimensions(parts) == 2
    rings, part_of_ring = shapely.get_rings(parts[flat], return_index=True)
    line, start, end = explode(rings)
    pair = pairs[wide][owner[flat][part_of_ring][line]]
    return pairs[told], shapely.area(common[told]), Borders(pair, start, end, np.full(len(pair), 0.5))


def _distinct_rows(pairs: Array) -> Array:
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs = pairs[order]
    return pairs[np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)]] if len(pairs) else pairs


def _common(polygons: Array, pairs: Array) -> tuple[Array, Array, Array]:
    """Pairs, the ground they have in common, and its average width in metres."""
    import shapely

    common = shapely.intersection(polygons[pairs[:, 0]], polygons[pairs[:, 1]])
    return pairs, common, 2 * shapely.area(common) / np.maximum(shapely.length(common), LEAST_WIDTH)
