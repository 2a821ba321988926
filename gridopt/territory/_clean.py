"""From raw street lines to blocks: node, enclose, recognise slivers, cut corridors, absorb, merge what is small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse

from gridopt.territory._absorb import absorb
from gridopt.territory._cuts import cut_corridors
from gridopt.territory._gaps import bridge_gaps
from gridopt.territory._lean import sides_to_lean_to
from gridopt.territory._levels import drop_dead_ends
from gridopt.territory._linework import join_near_ends
from gridopt.territory._merge import dissolve_groups, group_small
from gridopt.territory._mesh import Mesh, build_mesh, end_points
from gridopt.territory._slivers import KINDS, ON_LINE, Segments, Traits, find_slivers, trace_pieces, widths
from gridopt.territory._ways import Ways

__all__ = ["Absorbed", "Cleaned", "Limits", "Scene", "clean_faces"]

SPECK = 0.01
"""Square metres of what only rounding makes: it goes to any neighbour."""
USUAL_FACE = 2500.0
"""Square metres of the face a point lies in on average, below which the usual widths shrink: toys, models, halls."""
TO_ONE_SIDE = {"median": 2.0, "long": 1.4}
"""How much more a border on that side counts, for medians and for other long slivers."""
LONG = 0.4
"""Compactness (4 pi area / perimeter^2) below which a sliver is long: about 1 : 5."""
LINK, ELEVATED = 3.0, 1.5
"""How much more readily a border goes that is a slip road, or a bridge."""
OVER_MAIN = 0.1
"""The same for streets of the highest class, unless a median goes to the block across one carriageway."""
AT_END = 0.02
"""The same for the street at the end of a median: a median goes to one side and not along its street."""
CUT = 0.01
"""Weight of a metre of cut: hardly any, so that pieces of a corridor go to its sides and not along it."""

Array = NDArray[Any]


class Limits(NamedTuple):
    """Metres and square metres; None is the usual."""

    snap: float
    gap: float
    median_width: float | None
    sliver_width: float | None
    min_area: float | None


@dataclass(frozen=True, eq=False)
class Scene:
    """What cuts: street lines, lines never to be crossed (`hard`), water, parents; what stays whole; the territory."""

    area: Any
    ways: Ways
    hard: Array
    water: Any
    parents: Array
    whole: Array


class Absorbed(NamedTuple):
    """One face that became part of a block: what it was, the block's row, how wide, what is gone between them."""

    kind: str
    row: int
    area_m2: float
    width_m: float
    border_m: float
    factor: int
    shape: Any


@dataclass(frozen=True, eq=False)
class Cleaned:
    """Blocks, whether each is water, its parent (-1: none), what was absorbed, and gaps and ends that were joined."""

    faces: Array
    is_water: NDArray[np.bool_]
    parent: Array
    absorbed: tuple[Absorbed, ...]
    joined: NDArray[np.float64]
    bridged: NDArray[np.float64]
    n_under: int
    limits: Limits


def clean_faces(scene: Scene, limits: Limits) -> Cleaned:
    """Turn lines into blocks. O(v log v) for v vertices."""
    pieces, joined, bridged, n_under = _node(scene, limits)
    mesh = build_mesh(pieces, scene.area)
    limits = _fitted(limits, shapely.area(mesh.faces))
    segments = Segments.of(scene.ways)
    traits = trace_pieces(mesh.pieces, scene.ways, segments)
    kind = find_slivers(mesh, traits, scene.ways, limits.median_width or 0.0, limits.sliver_width or 0.0)
    cuts = cut_corridors(mesh, kind > 0, 1.5 * max(limits.median_width or 0.0, limits.sliver_width or 0.0))
    if len(cuts):
        before = mesh
        mesh = build_mesh(shapely.get_parts(shapely.union_all(np.concatenate([mesh.pieces, cuts]))), scene.area)
        kind = _inherited(mesh, before, kind)
        traits = trace_pieces(mesh.pieces, scene.ways, segments)
    water, parent = _groups(mesh, scene)
    weight = _weights(mesh, traits, scene)
    apart = (water[mesh.sides[:, 0]] != water[mesh.sides[:, 1]]) | (
        parent[mesh.sides[:, 0]] != parent[mesh.sides[:, 1]]
    )
    weight[apart] = 0.0
    is_main = _is_main(traits, scene.ways)
    least = limits.min_area or 0.0
    is_land = (kind == 0) & (shapely.area(mesh.faces) >= least)
    home = absorb(kind > 0, is_land, _gains(mesh, kind, weight, is_main, sides_to_lean_to(mesh, traits, scene.ways)))
    home, small = _merge_small(mesh, home, np.rint(weight * np.where(is_main, OVER_MAIN, 1.0)), water, least)
    kept = np.flatnonzero(home == np.arange(len(home)))
    absorbed = _records(mesh, kind, small, home, traits, scene.ways)
    faces = dissolve_groups(mesh.faces, home)
    return Cleaned(faces, water[kept], parent[kept], absorbed, joined, bridged, n_under, limits)


def _node(scene: Scene, limits: Limits) -> tuple[Array, Array, Array, int]:
    """All lines noded; lengths of joints and bridged gaps; how many pieces end under or over others."""
    rings = shapely.get_rings(shapely.get_parts(scene.area))
    lines = np.concatenate([scene.ways.shape, scene.hard, rings])
    level = np.concatenate([scene.ways.level, np.zeros(len(lines) - len(scene.ways), dtype=np.int64)])
    joints, joined = join_near_ends(lines, limits.snap, level)
    level = np.concatenate([level, np.zeros(len(joints), dtype=np.int64)])
    lines = np.concatenate([lines, joints])
    bridges, metres = bridge_gaps(lines, limits.gap, level)
    middle = shapely.line_interpolate_point(bridges, 0.5, normalized=True)
    inside = shapely.intersects(scene.area, middle)
    inside[np.unique(shapely.STRtree(scene.whole).query(middle, predicate="intersects")[0])] = False
    lines = np.concatenate([lines, bridges[inside]])
    level = np.concatenate([level, np.zeros(int(inside.sum()), dtype=np.int64)])
    pieces = shapely.get_parts(shapely.union_all(lines))
    n_under = 0
    if (level != 0).any():
        alive, n_under = drop_dead_ends(pieces, lines, level)
        pieces = pieces[alive]
    return pieces, joined, metres[inside], n_under


def _fitted(limits: Limits, area: NDArray[np.float64]) -> Limits:
    """Fill in the usual limits, smaller where the whole territory is: a model of a town has no medians of 25 m."""
    usual = float((area * area).sum() / area.sum()) if len(area) else USUAL_FACE
    scale = min(1.0, np.sqrt(usual / USUAL_FACE))
    return limits._replace(
        median_width=25.0 * scale if limits.median_width is None else limits.median_width,
        sliver_width=10.0 * scale if limits.sliver_width is None else limits.sliver_width,
        min_area=500.0 * scale * scale if limits.min_area is None else limits.min_area,
    )


def _inherited(mesh: Mesh, before: Mesh, kind: Array) -> NDArray[np.int64]:
    """Kinds of the faces that the cuts made: those of the faces they were."""
    inside = shapely.point_on_surface(mesh.faces)
    shapely.prepare(before.faces)
    i, j = shapely.STRtree(before.faces).query(inside, predicate="intersects")
    found = np.zeros(len(mesh.faces), dtype=np.int64)
    found[i] = kind[j]
    return found


def _groups(mesh: Mesh, scene: Scene) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each face is water, and the parent it lies in (-1: none)."""
    inside = shapely.point_on_surface(mesh.faces)
    water = np.zeros(len(mesh.faces), dtype=bool)
    if scene.water is not None:
        shapely.prepare(scene.water)
        water = shapely.intersects(scene.water, inside)
    parent = np.full(len(mesh.faces), -1, dtype=np.int64)
    if len(scene.parents):
        shapely.prepare(scene.parents)
        i, j = shapely.STRtree(scene.parents).query(inside, predicate="intersects")
        order = np.lexsort((-j, i))
        parent[i[order]] = j[order]
    return water, parent


def _weights(mesh: Mesh, traits: Traits, scene: Scene) -> NDArray[np.float64]:
    """What is gained when each piece goes: its length, times the cost of a border there; 0 for lines that stay."""
    ways, way = scene.ways, np.maximum(traits.way, 0)
    each = np.full(len(mesh.pieces), CUT)
    if len(ways):
        worth = ways.factor[way] * np.where(ways.is_link[way], LINK, 1.0) * np.where(ways.level[way] > 0, ELEVATED, 1.0)
        each = np.where(traits.way >= 0, worth, CUT)
    weight = np.maximum(np.rint(1000 * mesh.lengths() * each), 1.0)  # whole numbers: sums in any order are the same
    if len(scene.hard):
        middle = shapely.line_interpolate_point(mesh.pieces, 0.5, normalized=True)
        on, _ = shapely.STRtree(scene.hard).query(middle, predicate="dwithin", distance=ON_LINE)
        weight[np.unique(on)] = 0.0
    return np.asarray(weight)


def _is_main(traits: Traits, ways: Ways) -> NDArray[np.bool_]:
    """Tell which pieces are streets of the most important class there is, slip roads not counted."""
    if not len(ways) or ways.factor.min() == ways.factor.max():
        return np.zeros(len(traits.way), dtype=bool)
    way = np.maximum(traits.way, 0)
    return (traits.way >= 0) & (ways.factor[way] == ways.factor.min()) & ~ways.is_link[way]


def _gains(
    mesh: Mesh, kind: Array, weight: Array, is_main: NDArray[np.bool_], side: NDArray[np.float64]
) -> sparse.csr_array:
    """Weights as each face sees them: medians and long slivers lean to one side, so that those of a street agree."""
    n = len(mesh.faces)
    piece = np.flatnonzero((mesh.sides >= 0).all(axis=1) & (weight > 0))
    middle = end_points(mesh.pieces[piece]).mean(axis=1)
    centre = shapely.get_coordinates(shapely.centroid(mesh.faces))
    compact = 4 * np.pi * shapely.area(mesh.faces) / shapely.length(mesh.faces) ** 2
    lean = np.where(compact < LONG, TO_ONE_SIDE["long"], 1.0)
    lean[kind == KINDS.index("median")] = TO_ONE_SIDE["median"]
    capped = _cap_limits(mesh, kind)
    length = mesh.lengths()[piece]
    rows, columns, data = [], [], []
    for own, other in ((0, 1), (1, 0)):
        face, beside = mesh.sides[piece, own], mesh.sides[piece, other]
        is_there = ((middle - centre[face]) * side[face]).sum(axis=1) > 0
        over_main = is_main[piece] & ((kind[beside] > 0) | (kind[face] != KINDS.index("median")))
        _, pair = np.unique(face * n + beside, return_inverse=True)
        is_cap = np.bincount(pair.ravel(), length)[pair.ravel()] < capped[face]
        factor = np.where(is_there, lean[face], 1.0) * np.where(over_main, OVER_MAIN, 1.0)
        rows.append(face)
        columns.append(beside)
        data.append(np.maximum(np.rint(weight[piece] * factor * np.where(is_cap, AT_END, 1.0)), 1.0))
    table = sparse.csr_array((np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n))
    table.sum_duplicates()
    return table


def _cap_limits(mesh: Mesh, kind: Array) -> NDArray[np.float64]:
    """Metres of border below which a neighbour lies at the end of a median or long sliver; 0 for other faces."""
    width = widths(mesh.faces)
    length = shapely.length(mesh.faces) / 2 - width
    is_long = (kind > 0) & ((kind == KINDS.index("median")) | (length > 3 * width))
    return np.where(is_long, np.minimum(1.5 * width, 0.9 * length), 0.0)


def _merge_small(
    mesh: Mesh, home: Array, weight: Array, water: NDArray[np.bool_], min_area: float
) -> tuple[Array, NDArray[np.bool_]]:
    """Merge groups below `min_area`; also tell which faces were in one."""
    n = len(mesh.faces)
    area = np.bincount(home, shapely.area(mesh.faces), minlength=n)
    is_group = home == np.arange(n)
    of_group, _ = group_small(np.where(is_group, area, np.inf), mesh.borders(weight, home), water, min_area)
    small = of_group[home] != home
    home = of_group[home]
    rest = np.bincount(home, weights=shapely.area(mesh.faces), minlength=n).astype(np.float64)
    rest[home != np.arange(n)] = np.inf
    if (rest < SPECK).any():
        of_group, _ = group_small(rest, mesh.borders(mesh.lengths(), home), water, min(SPECK, min_area))
        small |= of_group[home] != home
        home = of_group[home]
    return home, small


def _records(
    mesh: Mesh, kind: Array, small: NDArray[np.bool_], home: Array, traits: Traits, ways: Ways
) -> tuple[Absorbed, ...]:
    """Say of each face that went where it went and across what."""
    kept = np.flatnonzero(home == np.arange(len(home)))
    row = np.full(len(home), -1)
    row[kept] = np.arange(len(kept))
    gone = np.flatnonzero((home != np.arange(len(home))) & ((kind > 0) | small))
    inner = (mesh.sides >= 0).all(axis=1)
    inner &= home[mesh.sides[:, 0]] == home[mesh.sides[:, 1]]
    length = mesh.lengths()
    metres, factor = np.zeros(len(home)), np.full(len(home), 10**6)
    is_way = inner & (traits.way >= 0)
    for side in mesh.sides.T:
        metres += np.bincount(side[is_way], length[is_way], minlength=len(home))
        if len(ways):
            np.minimum.at(factor, side[is_way], ways.factor[traits.way[is_way]])
    area = shapely.area(mesh.faces)
    width = widths(mesh.faces)
    return tuple(
        Absorbed(
            KINDS[kind[f]] or "small",
            int(row[home[f]]),
            float(area[f]),
            float(width[f]),
            float(metres[f]),
            int(factor[f]),
            mesh.faces[f],
        )
        for f in gone.tolist()
    )
