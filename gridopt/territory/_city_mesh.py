"""The street mesh of a generated city: a warped lattice with classes on its edges, and the blocks between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import csgraph

__all__ = ["COLLECTOR", "CUTS", "HIGHWAYS", "PRIMARY", "RIVER", "Mesh", "build_mesh"]

NONE, SERVICE, LIVING, LANE, COLLECTOR, SECONDARY, PRIMARY, TRUNK, RIVER = range(9)
HIGHWAYS = ("", "service", "living_street", "residential", "tertiary", "secondary", "primary", "trunk", "")
"""OpenStreetMap's `highway` value of each edge class; no street and the river have none."""
CUTS = LIVING
"""Least class that bounds a block."""

SPACING_M = 88.0
ARTERIAL_EVERY = (8, 15)
COLLECTOR_EVERY = 5
CUT_OFF = 0.35
"""Share of arterials that end at a crossing one."""
LOST_LANES, KEPT_AS_PATH = 0.03, 0.3
"""Share of lanes taken away besides those inside pairs of cells; share of all these that stay as service ways."""
BLOCKS_A_CELL = 0.72
DIAGONAL_LANES = 0.025
SUPERBLOCKS = 0.003
"""Number of superblocks (parks, campuses, works) per lattice cell."""
LATTICE_USED = 0.74
"""Share of the lattice's cells inside the outline."""
THIN_M2, SHAKE_LESS = 500.0, 4
"""Cells with a corner triangle below this area are shaken half as much, so many times: all stay convex."""
ORIGIN_M = (500_000.0, 3_400_000.0)


@dataclass(frozen=True, eq=False)
class Mesh:
    """
    Planar straight-line mesh. An edge runs from `ends[:, 0]` to `ends[:, 1]`; blocks are numbered from the north west.

    Parameters
    ----------
    xy : ndarray of float64, shape (v, 2)
        Vertices, metres.
    ends : ndarray of int64, shape (e, 2)
        Vertices of each edge inside the outline or on it.
    sides : ndarray of int64, shape (e, 2)
        Block on either side, -1 outside; equal where the edge only reaches into a block.
    highway : ndarray of int8, shape (e,)
        Class of each edge, position in `HIGHWAYS`.
    line, place : ndarray of int64, shape (e,)
        The street line an edge belongs to, and its place along it.
    triangles : ndarray of int64, shape (t, 3)
        Vertices of the triangles that make up the blocks.
    triangle_block : ndarray of int64, shape (t,)
        Block of each triangle.
    bridges : ndarray of int64, shape (b, 3)
        Where a street crosses the river: its vertex on the south bank, in the river, on the north bank.
    n_blocks : int
        Number of blocks.
    """

    xy: NDArray[np.float64]
    ends: NDArray[np.int64]
    sides: NDArray[np.int64]
    highway: NDArray[np.int8]
    line: NDArray[np.int64]
    place: NDArray[np.int64]
    triangles: NDArray[np.int64]
    triangle_block: NDArray[np.int64]
    bridges: NDArray[np.int64]
    n_blocks: int


@dataclass
class _Lattice:
    """Classes on the lattice while they are being drawn: h along rows, v along columns, d on the cells' diagonals."""

    h: NDArray[np.int8]
    v: NDArray[np.int8]
    d: NDArray[np.int8]
    falling: NDArray[np.bool_]
    """Which diagonals run north west - south east."""
    line: NDArray[np.int64]
    """Street line of each diagonal."""

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.d.shape
        return rows, columns


def build_mesh(n: int, rng: np.random.Generator) -> Mesh:
    """Draw a mesh of about `n` blocks."""
    cells = n / BLOCKS_A_CELL / LATTICE_USED
    columns = max(6, round(np.sqrt(cells * 1.2)))
    rows = max(6, round(cells / columns))
    lattice = _Lattice(
        h=np.full((rows + 1, columns), LANE, np.int8),
        v=np.full((rows, columns + 1), LANE, np.int8),
        d=np.zeros((rows, columns), np.int8),
        falling=rng.random((rows, columns)) < 0.5,
        line=np.full((rows, columns), -1, np.int64),
    )
    by_column, by_row = _draw_arterials(lattice, rng)
    _draw_collectors(lattice, by_column, by_row, rng)
    _lose_lanes(lattice, rng)
    _draw_diagonals(lattice, by_column, by_row, rng)
    river_at = _draw_river(lattice, rng)
    xy = _place_vertices(lattice, rng)
    return _assemble(lattice, xy, river_at, n, rng)


# ---- classes ----------------------------------------------------------------------------------------------------


def _lines(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions of arterials among `count` lattice lines, unevenly apart, none on the rim."""
    first = int(rng.integers(3, 7))
    steps = rng.integers(*ARTERIAL_EVERY, size=count // ARTERIAL_EVERY[0] + 1)
    at = first + np.concatenate([[0], np.cumsum(steps)])
    at = at[at <= count - 2]
    return at if len(at) else np.array([count // 2])


def _draw_arterials(lattice: _Lattice, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, columns = lattice.shape
    by_column, by_row = _lines(columns, rng), _lines(rows, rng)
    for table, at, across, end in ((lattice.v.T, by_column, by_row, rows), (lattice.h, by_row, by_column, columns)):
        for i, position in enumerate(at):
            start, stop = 0, end
            if rng.random() < CUT_OFF and len(at) > 2:
                stop_at = int(across[rng.integers(len(across))])
                start, stop = (0, stop_at) if stop_at > end / 2 else (stop_at, end)
            table[position] = SECONDARY
            table[position, start:stop] = TRUNK if i % 3 == 1 else PRIMARY
    return by_column, by_row


def _draw_collectors(
    lattice: _Lattice, by_column: NDArray[np.int64], by_row: NDArray[np.int64], rng: np.random.Generator
) -> None:
    """Cut each field between arterials by collectors of its own, so that they meet the arterials in T junctions."""
    rows, columns = lattice.shape
    vertical, horizontal = np.r_[0, by_column, columns], np.r_[0, by_row, rows]
    for west, east in pairwise(vertical.tolist()):
        for south, north in pairwise(horizontal.tolist()):
            for c in _cuts(west, east, rng):
                part = lattice.v[south:north, c]
                np.maximum(part, COLLECTOR, out=part)
            for r in _cuts(south, north, rng):
                part = lattice.h[r, west:east]
                np.maximum(part, COLLECTOR, out=part)


def _cuts(low: int, high: int, rng: np.random.Generator) -> NDArray[np.int64]:
    pieces = max(1, round((high - low) / COLLECTOR_EVERY))
    ideal = low + (high - low) * np.arange(1, pieces) / pieces
    cuts = np.rint(ideal + rng.uniform(-1.2, 1.2, pieces - 1)).astype(np.int64)
    return np.unique(cuts[(cuts > low + 1) & (cuts < high - 1)])


def _lose_lanes(lattice: _Lattice, rng: np.random.Generator) -> None:
    """
    Take lanes away (a part stays as service ways): cells join in pairs, so that lanes end in T junctions and blocks are
    oblong; a few more lanes go anywhere; rectangles become parks or campuses.
    """
    chance = [np.where(table == LANE, rng.random(table.shape), -1.0) for table in (lattice.h, lattice.v)]
    best = np.maximum(np.maximum(chance[0][:-1], chance[0][1:]), np.maximum(chance[1][:, :-1], chance[1][:, 1:]))
    around = np.pad(best, 1, constant_values=2.0)
    pairs = (
        (chance[0] >= around[:-1, 1:-1]) & (chance[0] >= around[1:, 1:-1]),
        (chance[1] >= around[1:-1, :-1]) & (chance[1] >= around[1:-1, 1:]),
    )
    for table, paired in zip((lattice.h, lattice.v), pairs):
        lost = (table == LANE) & (paired | (rng.random(table.shape) < LOST_LANES))
        table[lost] = np.where(rng.random(int(lost.sum())) < KEPT_AS_PATH, SERVICE, NONE)
    rows, columns = lattice.shape
    count = rng.poisson(SUPERBLOCKS * rows * columns)
    corners = np.column_stack([rng.integers(0, rows, count), rng.integers(0, columns, count)])
    sizes = rng.integers(2, 5, (count, 2))
    for (south, west), (high, wide) in zip(corners.tolist(), sizes.tolist()):
        for part in (
            lattice.h[south + 1 : south + high, west : west + wide],
            lattice.v[south : south + high, west + 1 : west + wide],
        ):
            part[part == LANE] = NONE


def _draw_diagonals(
    lattice: _Lattice, by_column: NDArray[np.int64], by_row: NDArray[np.int64], rng: np.random.Generator
) -> None:
    rows, columns = lattice.shape
    slanted = rng.random((rows, columns)) < DIAGONAL_LANES
    lattice.d[slanted] = LANE
    lattice.line[slanted] = np.arange(int(slanted.sum()))
    next_line = int(slanted.sum())
    for _ in range(round(rows * columns / 3000)):
        row, column = int(rng.choice(by_row)), int(rng.choice(by_column))
        steps = np.arange(int(rng.integers(10, 30)))
        falls = bool(rng.random() < 0.5)
        r, c = (row - 1 - steps if falls else row + steps), column + steps
        inside = (r >= 0) & (r < rows) & (c < columns)
        r, c = r[inside], c[inside]
        lattice.d[r, c] = PRIMARY
        lattice.falling[r, c] = falls
        lattice.line[r, c] = next_line
        next_line += 1


def _draw_river(lattice: _Lattice, rng: np.random.Generator) -> NDArray[np.int64]:
    """Let a river wind from west to east; returns its row at each column of vertices, shape (columns + 1,)."""
    rows, columns = lattice.shape
    x = np.arange(columns + 1) / columns
    bends = np.zeros(columns + 1)
    for f in (1, 2, 4):
        bends += rng.uniform(0.3, 1.0) / f * np.sin(2 * np.pi * (f * x + rng.random()))
    ideal = rows * (rng.uniform(0.38, 0.62) + 0.09 * bends)
    at = np.empty(columns + 1, dtype=np.int64)
    at[0] = int(np.clip(round(ideal[0]), 1, rows - 1))
    for i in range(1, columns + 1):
        at[i] = np.clip(round(ideal[i]), max(1, at[i - 1] - 1), min(rows - 1, at[i - 1] + 1))
    c = np.arange(columns)
    level, up, down = at[1:] == at[:-1], at[1:] > at[:-1], at[1:] < at[:-1]
    lattice.h[at[:-1][level], c[level]] = RIVER
    for which, falls in ((up, False), (down, True)):
        r = np.minimum(at[:-1], at[1:])[which]
        lattice.d[r, c[which]] = RIVER
        lattice.falling[r, c[which]] = falls
        lattice.line[r, c[which]] = -1
    return at


# ---- places -----------------------------------------------------------------------------------------------------


def _place_vertices(lattice: _Lattice, rng: np.random.Generator) -> NDArray[np.float64]:
    """Coordinates of the vertices, float64 of shape (v, 2): denser in the middle, bent, turned, shaken."""
    rows, columns = lattice.shape
    axes = []
    for count in (columns, rows):
        off_centre = np.abs(np.arange(count) - (count - 1) / 2) / (count / 2)
        step = SPACING_M * np.clip(rng.lognormal(0, 0.18, count), 0.75, 1.5) * (0.8 + 0.45 * off_centre)
        at = np.concatenate([[0.0], np.cumsum(step)])
        axes.append(at - at[-1] / 2)
    x, y = (a.ravel() for a in np.meshgrid(*axes))
    dx, dy = np.zeros_like(x), np.zeros_like(y)
    for wavelength, amplitude in ((5200.0, 210.0), (2300.0, 55.0), (1300.0, 25.0)):
        for shift in (dx, dy):
            angle, phase = rng.uniform(0, 2 * np.pi, 2)
            shift += amplitude * np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength + phase)
    calm = np.zeros((rows + 1, columns + 1), dtype=bool)
    wide_h, wide_v = lattice.h >= SECONDARY, lattice.v >= SECONDARY
    calm[:, :-1] |= wide_h
    calm[:, 1:] |= wide_h
    calm[:-1] |= wide_v
    calm[1:] |= wide_v
    shake = np.clip(rng.normal(0, 1, (len(x), 2)), -2, 2) * np.where(calm.ravel(), 3.0, 8.0)[:, None]
    turn = rng.uniform(-0.35, 0.35)
    bent = np.column_stack([x + dx, y + dy])
    for _ in range(SHAKE_LESS):
        bad = _thinnest_corner((bent + shake).reshape(rows + 1, columns + 1, 2)) < THIN_M2
        touched = np.zeros((rows + 1, columns + 1), dtype=bool)
        for r, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
            touched[r : r + rows, c : c + columns] |= bad
        shake[touched.ravel()] *= 0.5
    px, py = (bent + shake).T
    turned = np.column_stack([px * np.cos(turn) - py * np.sin(turn), px * np.sin(turn) + py * np.cos(turn)])
    return np.round(turned + ORIGIN_M, 2)


def _thinnest_corner(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area of the smallest triangle of three corners of each cell, m2; all positive where a cell is convex."""
    corners = (at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1])
    areas = []
    for i in range(4):
        first, second = corners[i] - corners[i - 1], corners[(i + 1) % 4] - corners[i]
        areas.append((first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]) / 2)
    return np.min(areas, axis=0)


def _inside_outline(rows: int, columns: int, wanted: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose about `wanted` cells: those nearest the middle by a wavy measure of distance, one piece, no holes."""
    r, c = np.meshgrid(
        (np.arange(rows) + 0.5) / rows * 2 - 1, (np.arange(columns) + 0.5) / columns * 2 - 1, indexing="ij"
    )
    bearing = np.arctan2(r, c)
    wavy = sum(rng.uniform(0.4, 1) * 0.07 * np.sin(f * bearing + rng.uniform(0, 2 * np.pi)) for f in (2, 3, 5, 8))
    distance = (np.abs(r) ** 2.4 + np.abs(c) ** 2.4) ** (1 / 2.4) * (1 + wavy)
    inside = np.zeros(rows * columns, dtype=bool)
    inside[np.argsort(distance, axis=None, kind="stable")[: min(wanted, rows * columns)]] = True
    pieces, _ = ndimage.label(inside.reshape(rows, columns))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes(pieces == sizes.argmax())


# ---- assembly ---------------------------------------------------------------------------------------------------


def _assemble(
    lattice: _Lattice, xy: NDArray[np.float64], river_at: NDArray[np.int64], n: int, rng: np.random.Generator
) -> Mesh:
    """Cut the outline out of the lattice, and number what lies between the streets that are left."""
    rows, columns = lattice.shape
    ends, halves, highway, line, place = _edges(lattice)
    whole = _blocks(halves, highway, np.ones(rows * columns, dtype=bool), columns)
    wanted = max(9, round(n * rows * columns / (whole.max() + 1)))
    inside = _inside_outline(rows, columns, wanted, rng).ravel()
    highway, bridges = _build_bridges(lattice, river_at, halves, highway, inside, rng)
    block = _blocks(halves, highway, inside, columns)
    sides = np.append(block, -1)[halves]
    keep = (sides >= 0).any(axis=1) & ~((highway == NONE) & (sides[:, 0] == sides[:, 1]))
    return Mesh(
        xy=xy,
        ends=ends[keep],
        sides=sides[keep],
        highway=highway[keep],
        line=line[keep],
        place=place[keep],
        triangles=_triangles(lattice)[block >= 0],
        triangle_block=block[block >= 0],
        bridges=bridges,
        n_blocks=int(block.max()) + 1,
    )


def _edges(lattice: _Lattice) -> tuple[NDArray[Any], ...]:
    """
    List all edges: vertices, halves of cells on either side (-1: none), class, street line, place along it.

    Half 0 of a cell lies at its southern edge, half 1 at its northern one; a falling diagonal leaves the western edge
    to half 0, a rising one to half 1.
    """
    rows, columns = lattice.shape
    vertex = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    half = 2 * np.arange(rows * columns).reshape(rows, columns)
    falls = lattice.falling.astype(np.int64)
    around = np.full((rows + 2, columns + 2, 4), -1, dtype=np.int64)
    around[1:-1, 1:-1] = np.stack([half, half + 1, half + 1 - falls, half + falls], axis=-1)
    south_of, north_of, west_of, east_of = (around[..., i] for i in range(4))
    low = np.where(lattice.falling, vertex[1:, :-1], vertex[:-1, :-1])
    high = np.where(lattice.falling, vertex[:-1, 1:], vertex[1:, 1:])
    along_h, along_v = np.indices(lattice.h.shape), np.indices(lattice.v.shape)
    place_d = np.indices((rows, columns))[1]
    starts, stops = (vertex[:, :-1], vertex[:-1], low), (vertex[:, 1:], vertex[1:], high)
    left = (south_of[1:, 1:-1], east_of[1:-1, :-1], half)
    right = (north_of[:-1, 1:-1], west_of[1:-1, 1:], half + 1)
    lines = (along_h[0], along_v[1] + rows + 1, lattice.line + rows + columns + 3)
    return (
        np.column_stack([_flat(starts), _flat(stops)]),
        np.column_stack([_flat(left), _flat(right)]),
        _flat((lattice.h, lattice.v, lattice.d)),
        _flat(lines),
        _flat((along_h[1], along_v[0], place_d)),
    )


def _flat(parts: tuple[NDArray[Any], ...]) -> NDArray[Any]:
    return np.concatenate([part.ravel() for part in parts])


def _components(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    ones = np.ones(len(pairs), dtype=np.int8)
    return csgraph.connected_components(sparse.csr_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n)), False)[1]


def _blocks(
    halves: NDArray[np.int64], highway: NDArray[np.int8], inside: NDArray[np.bool_], columns: int
) -> NDArray[np.int64]:
    """Block of each half of a cell, -1 outside: what hangs together without crossing a street that cuts."""
    active = np.repeat(inside, 2)
    joined = halves[(highway < CUTS) & (halves >= 0).all(axis=1)]
    piece = _components(len(active), joined[active[joined].all(axis=1)])
    half = np.flatnonzero(active)
    from_north = half[np.lexsort((half // 2 % columns, -(half // 2 // columns)))]
    pieces, first = np.unique(piece[from_north], return_index=True)
    number = np.full(int(piece.max()) + 1, -1, dtype=np.int64)
    number[pieces[np.argsort(first)]] = np.arange(len(pieces))
    return np.where(active, number[piece], -1)


def _triangles(lattice: _Lattice) -> NDArray[np.int64]:
    """Vertices of each half of a cell, shape (2 * cells, 3)."""
    rows, columns = lattice.shape
    vertex = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    sw, se, nw, ne = (part.ravel() for part in (vertex[:-1, :-1], vertex[:-1, 1:], vertex[1:, :-1], vertex[1:, 1:]))
    falls = lattice.falling.ravel()
    first = np.stack([sw, se, np.where(falls, nw, ne)], axis=1)
    second = np.stack([ne, nw, np.where(falls, se, sw)], axis=1)
    return np.stack([first, second], axis=1).reshape(-1, 3)


def _build_bridges(
    lattice: _Lattice,
    river_at: NDArray[np.int64],
    halves: NDArray[np.int64],
    highway: NDArray[np.int8],
    inside: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """
    Bridge the river where arterials and some collectors meet it; land it cuts off without a bridge is given back.

    Returns the classes, and the three vertices of each bridge.
    """
    rows, columns = lattice.shape
    c = np.arange(1, columns)
    r = river_at[c]
    worth = np.minimum(lattice.v[r - 1, c], lattice.v[r, c])
    cell = inside.reshape(rows, columns)
    built = cell[r - 1, c - 1] & cell[r - 1, c] & cell[r, c - 1] & cell[r, c]
    built = np.asarray(built & ((worth >= PRIMARY) | ((worth >= COLLECTOR) & (rng.random(columns - 1) < 0.5))))
    bridged = np.zeros(columns + 1, dtype=bool)
    bridged[c[built]] = True
    river = np.flatnonzero(highway == RIVER)
    west = (halves[river].max(axis=1) // 2) % columns
    active = np.append(np.repeat(inside, 2), False)
    both = active[halves[:, 0]] & active[halves[:, 1]]
    land = _components(2 * rows * columns, halves[both & (highway != RIVER)])
    crossed = river[both[river] & (bridged[west] | bridged[west + 1])]
    joined = _components(int(land.max()) + 1, land[halves[crossed]])[land]
    sizes = np.bincount(joined[np.flatnonzero(active)])
    cut_off = river[both[river]]
    cut_off = cut_off[(joined[halves[cut_off]] != sizes.argmax()).any(axis=1)]
    highway = highway.copy()
    highway[cut_off] = LANE
    stride = columns + 1
    return highway, (r * stride + c)[built, None] + np.array([-stride, 0, stride])
