"""The layers of a generated city as GeoDataFrames: shapes from the mesh, people and objects drawn inside the blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.territory._city_mesh import COLLECTOR, HIGHWAYS, PRIMARY, RIVER, Mesh
from gridopt.territory._city_parents import Parents

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = [
    "CRS",
    "KINDS",
    "MARKET_KINDS",
    "Codes",
    "Objects",
    "People",
    "assemble",
    "draw_objects",
    "draw_people",
    "frame",
    "give_codes",
    "list_borders",
    "polygons",
    "triangle_areas",
    "ways",
]

CRS = "EPSG:4549"
"""CGCS2000 / 3-degree Gauss-Kruger CM 120E, metres."""
KINDS = ("shop", "restaurant", "pharmacy", "market", "clinic", "school")
MARKET_KINDS = KINDS[:4]
"""Kinds of object that are market entities (市场主体)."""
RISKS = ("A", "B", "C", "D")
STEMS = (
    *("Renmin", "Jiefang", "Jianshe", "Heping", "Xinhua", "Zhongshan", "Guangming", "Dongfeng", "Tuanjie", "Youyi"),
    *("Changjiang", "Huanghe", "Beijing", "Nanjing", "Wenhua", "Tiyu", "Xueyuan", "Keji", "Gongye", "Chengnan"),
    *("Chengbei", "Huancheng", "Binhe", "Hubin", "Qiaotou", "Shizi", "Gulou", "Nanmen", "Ximen", "Beimen", "Meiyuan"),
    *("Lanhua", "Taohua", "Guihua", "Yinxing", "Songbai", "Zhulin", "Liuyin", "Mudan", "Hehua", "Anning", "Fuxing"),
)


# ---- shapes -----------------------------------------------------------------------------------------------------


def frame(columns: dict[str, Any], geometry: Any, index: Any = None, name: str | None = None) -> gpd.GeoDataFrame:
    """Make a GeoDataFrame in `CRS`; its index gets `name`."""
    import geopandas as gpd

    made = gpd.GeoDataFrame(columns, geometry=geometry, index=index, crs=CRS)
    made.index.name = name
    return made


def polygons(mesh: Mesh, group: NDArray[np.int64]) -> NDArray[Any]:
    """Dissolve blocks by `group`, int64 of shape (n_blocks,), numbered without gaps; one polygon a group, in order."""
    sides = np.append(group, -1)[mesh.sides]
    rims = sides[:, 0] != sides[:, 1]
    found = shapely.get_parts(shapely.polygonize(shapely.linestrings(mesh.xy[mesh.ends[rims]])))
    triangle = np.unique(group[mesh.triangle_block], return_index=True)[1]
    inside = shapely.points(mesh.xy[mesh.triangles[triangle]].mean(axis=1))
    which, polygon = shapely.STRtree(found).query(inside, predicate="within")
    return found[polygon[np.argsort(which)]]


def ways(mesh: Mesh, highway: NDArray[np.int8], rng: np.random.Generator) -> tuple[gpd.GeoDataFrame, gpd.GeoDataFrame]:
    """
    Streets as lines from junction to junction of their own rank, and the river's reaches.

    A way ends where its class changes, at the river unless there is a bridge, and, below a primary, at arterials.
    """
    vertex_rank = np.zeros(len(mesh.xy), dtype=np.int8)
    np.maximum.at(vertex_rank, mesh.ends.ravel(), np.repeat(np.where(highway == RIVER, 0, highway), 2))
    wet = np.zeros(len(mesh.xy), dtype=bool)
    wet[mesh.ends[highway == RIVER].ravel()] = True
    wet[mesh.bridges[:, 1]] = False
    street = np.flatnonzero((highway > 0) & (highway < RIVER))
    order = street[np.lexsort((mesh.place[street], mesh.line[street]))]
    new = _breaks(mesh.line[order], mesh.place[order], highway[order])
    start = mesh.ends[order, 0]
    new |= wet[start] | ((vertex_rank[start] >= PRIMARY) & (highway[order] < PRIMARY))
    lines, first = _chains(mesh, order, new)
    rank, line = highway[order][first], mesh.line[order][first]
    names = _street_names(rank, line, rng)
    streets = frame({"name": names, "highway": np.array(HIGHWAYS, object)[rank]}, lines)
    reach = np.flatnonzero(highway == RIVER)
    reach = reach[np.argsort(mesh.xy[mesh.ends[reach, 0], 0], kind="stable")]
    ends = mesh.ends[reach]
    new = np.append(True, ends[1:, 0] != ends[:-1, 1]) if len(reach) else np.zeros(0, bool)
    lines, first = _chains(mesh, reach, new)
    return streets, frame({"name": np.full(len(first), "Qingshui River", object)}, lines)


def _breaks(line: NDArray[np.int64], place: NDArray[np.int64], rank: NDArray[np.int8]) -> NDArray[np.bool_]:
    if not len(line):
        return np.zeros(0, dtype=bool)
    same = (line[1:] == line[:-1]) & (place[1:] == place[:-1] + 1) & (rank[1:] == rank[:-1])
    return np.append(True, ~same)


def _chains(mesh: Mesh, edges: NDArray[np.int64], new: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Join consecutive edges into lines, a fresh one wherever `new`; returns lines and their first edges' places."""
    first = np.flatnonzero(new)
    if not len(first):
        return np.empty(0, dtype=object), first
    chain = np.cumsum(new) - 1
    last = np.append(first[1:], len(edges)) - 1
    vertex = np.concatenate([mesh.ends[edges, 0], mesh.ends[edges[last], 1]])
    owner = np.concatenate([chain, np.arange(len(first))])
    order = np.argsort(owner, kind="stable")
    return shapely.linestrings(mesh.xy[vertex[order]], indices=owner[order]), first


def _street_names(rank: NDArray[np.int8], line: NDArray[np.int64], rng: np.random.Generator) -> NDArray[Any]:
    """Arterials and collectors are named by their line, lanes after a stem and a number; service ways have no name."""
    stems = np.array(STEMS, object)[rng.permutation(len(STEMS))]
    stem, turn = stems[line % len(stems)], line // len(stems)
    suffix = np.where(turn > 0, " " + (turn + 1).astype(str).astype(object), "")
    number = 1 + np.arange(len(rank)) // len(stems)
    lane = stems[np.arange(len(rank)) % len(stems)] + " Lane " + number.astype(str).astype(object)
    wide = np.where(rank >= PRIMARY, stem + suffix + " Avenue", stem + suffix + " Road")
    return np.where(rank >= COLLECTOR, wide, np.where(rank > 1, lane, None))


# ---- people and objects -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class People:
    """Households and persons of each block (int64), and the buildings they live in: block, households, persons, xy."""

    households: NDArray[np.int64]
    persons: NDArray[np.int64]
    block: NDArray[np.int64]
    in_building: NDArray[np.int64]
    persons_in_building: NDArray[np.int64]
    xy: NDArray[np.float64]


def triangle_areas(mesh: Mesh) -> NDArray[np.float64]:
    """Area of each triangle, m2."""
    a, b, c = (mesh.xy[mesh.triangles[:, i]] for i in range(3))
    return np.abs((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / 2


def draw_people(mesh: Mesh, rng: np.random.Generator) -> People:
    """
    Draw households: dense in the middle, heavy-tailed (lognormal 0.75) from block to block, some blocks without any.

    About 30 households share a building; each building is a point well inside its block.
    """
    area = triangle_areas(mesh)
    block_ha = np.bincount(mesh.triangle_block, area, mesh.n_blocks) / 10_000
    middle = mesh.xy[mesh.triangles].mean(axis=1)
    moment = np.stack([np.bincount(mesh.triangle_block, area * middle[:, i]) for i in (0, 1)], axis=1)
    centre = moment / (block_ha[:, None] * 10_000)
    away = np.hypot(*(centre - centre.mean(axis=0)).T)
    density = 18 + 85 * np.exp(-1.6 * (away / max(away.max(), 1.0)) ** 2)
    noise = rng.lognormal(-0.28, 0.75, mesh.n_blocks)
    households = rng.poisson(np.minimum(block_ha, 5.0) * density * noise)
    empty = rng.random(mesh.n_blocks) < np.where(block_ha > 5.0, 0.5, 0.06)
    households[empty] = 0
    size = np.clip(rng.normal(1.4, 0.25, mesh.n_blocks), 0.6, 2.2)
    persons = households + rng.poisson(households * size)
    buildings = -(-households // 30)
    block = np.repeat(np.arange(mesh.n_blocks), buildings)
    turn = np.arange(len(block)) - np.repeat(np.cumsum(buildings) - buildings, buildings)
    in_building, persons_in_building = (
        total[block] // buildings[block] + (turn < total[block] % buildings[block]) for total in (households, persons)
    )
    xy = _points_within(mesh, area, block, rng)
    return People(households, persons, block, in_building, persons_in_building, xy)


@dataclass(frozen=True, eq=False)
class Objects:
    """Service objects: block, kind (position in `KINDS`), risk grade (A is the lowest), place."""

    block: NDArray[np.int64]
    kind: NDArray[np.int64]
    risk: NDArray[Any]
    xy: NDArray[np.float64]


def draw_objects(mesh: Mesh, highway: NDArray[np.int8], people: People, rng: np.random.Generator) -> Objects:
    """Draw market entities where households and busy streets are, clinics and schools where the people are."""
    step = mesh.xy[mesh.ends[:, 0]] - mesh.xy[mesh.ends[:, 1]]
    metres = np.hypot(step[:, 0], step[:, 1])
    busy = (highway >= COLLECTOR) & (highway < RIVER)
    front = np.bincount(mesh.sides[busy].ravel() + 1, np.repeat(metres[busy], 2), mesh.n_blocks + 1)[1:]
    rate = (people.households / 40 + front / 90) * rng.lognormal(-0.4, 0.9, mesh.n_blocks)
    counts = [rng.poisson(rate), rng.poisson(people.persons / 4000), rng.poisson(people.persons / 6000)]
    block = np.concatenate([np.repeat(np.arange(mesh.n_blocks), count) for count in counts])
    n_market = int(counts[0].sum())
    kind = np.repeat([0, 4, 5], [int(count.sum()) for count in counts])
    kind[:n_market] = rng.choice(4, n_market, p=[0.62, 0.28, 0.06, 0.04])
    risk = np.array(RISKS, object)[rng.choice(4, len(block), p=[0.5, 0.3, 0.15, 0.05])]
    return Objects(block, kind, risk, _points_within(mesh, triangle_areas(mesh), block, rng))


def _points_within(
    mesh: Mesh, area: NDArray[np.float64], block: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw a point inside the block named by each entry, evenly over its triangles, a little off their sides."""
    order = np.argsort(mesh.triangle_block, kind="stable")
    upto = np.cumsum(area[order])
    first = np.searchsorted(mesh.triangle_block[order], np.arange(mesh.n_blocks + 1))
    low, high = np.append(0.0, upto)[first[block]], np.append(0.0, upto)[first[block + 1]]
    at = np.searchsorted(upto, low + (high - low) * rng.random(len(block)), side="right")
    at = np.clip(at, first[block], first[block + 1] - 1)
    share = rng.dirichlet((1.0, 1.0, 1.0), len(block)) * 0.85 + 0.05
    corners = mesh.xy[mesh.triangles[order[at]]]
    return np.round((corners * share[:, :, None]).sum(axis=1), 2)


# ---- tables -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Codes:
    """Official-looking codes: 6 digits a district, 9 a street, 12 a community, each beginning with its parent's."""

    district: NDArray[Any]
    street: NDArray[Any]
    community: NDArray[Any]


def give_codes(parents: Parents) -> Codes:
    """Number children within their parent from 001, in order; province 99 is no real one."""
    number = np.arange(len(np.unique(parents.district_of)))
    district = np.array([f"99{i // 99 + 1:02d}{i % 99 + 1:02d}" for i in number.tolist()], object)
    street = _within(district, parents.district_of)
    return Codes(district, street, _within(street, parents.street_of))


def _within(parent_code: NDArray[Any], parent_of: NDArray[np.int64]) -> NDArray[Any]:
    order = np.argsort(parent_of, kind="stable")
    rank = np.empty(len(parent_of), dtype=np.int64)
    rank[order] = np.arange(len(parent_of)) - np.searchsorted(parent_of[order], parent_of[order])
    return np.array([f"{parent_code[p]}{r + 1:03d}" for p, r in zip(parent_of.tolist(), rank.tolist())], object)


def list_borders(mesh: Mesh, highway: NDArray[np.int8], ids: NDArray[Any]) -> pd.DataFrame:
    """Who borders whom: one row for each two units and kind of border between them, metres."""
    import pandas as pd

    crossed_at = np.zeros(len(mesh.xy), dtype=bool)
    crossed_at[mesh.bridges[:, 1]] = True
    shared = (mesh.sides >= 0).all(axis=1) & (mesh.sides[:, 0] != mesh.sides[:, 1])
    sides = np.sort(mesh.sides[shared], axis=1)
    step = mesh.xy[mesh.ends[shared, 0]] - mesh.xy[mesh.ends[shared, 1]]
    rank = highway[shared].astype(np.int64)
    crossed = crossed_at[mesh.ends[shared]].any(axis=1) & (rank == RIVER)
    number = sides[:, 0] * mesh.n_blocks + sides[:, 1]
    crossed = (rank == RIVER) & np.isin(number, number[crossed])
    key = number * 32 + rank * 2 + crossed
    unique, inverse = np.unique(key, return_inverse=True)
    pair, kind = unique // 32, unique % 32 // 2
    return pd.DataFrame(
        {
            "unit_a": ids[pair // mesh.n_blocks],
            "unit_b": ids[pair % mesh.n_blocks],
            "highway": np.array(HIGHWAYS, object)[kind],
            "river": kind == RIVER,
            "bridged": unique % 2 == 1,
            "length_m": np.bincount(inverse, np.hypot(step[:, 0], step[:, 1])),
        }
    )


def assemble(
    mesh: Mesh,
    parents: Parents,
    compound: NDArray[np.int64],
    highway: NDArray[np.int8],
    people: People,
    objects: Objects,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Make all layers of `City`, by name."""
    wide = max(5, len(str(mesh.n_blocks)))
    ids = np.array([f"B-{i:0{wide}d}" for i in range(1, mesh.n_blocks + 1)], object)
    gated = np.array([f"C-{i:04d}" for i in range(1, int(compound.max()) + 2)], object)
    codes = give_codes(parents)
    streets, rivers = ways(mesh, highway, rng)
    market = objects.kind < len(MARKET_KINDS)
    units = frame(
        {
            "area_m2": np.round(np.bincount(mesh.triangle_block, triangle_areas(mesh), mesh.n_blocks), 2),
            "community": codes.community[parents.community],
            "street": codes.street[parents.street_of[parents.community]],
            "district": codes.district[parents.district_of[parents.street_of[parents.community]]],
            "compound": np.array([*gated, None], object)[compound],
            "households": people.households,
            "persons": people.persons,
            "shops": np.bincount(objects.block[market], minlength=mesh.n_blocks),
        },
        polygons(mesh, np.arange(mesh.n_blocks)),
        ids,
        "unit",
    )
    buildings = {"households": people.in_building, "persons": people.persons_in_building, "unit": ids[people.block]}
    services = {"kind": np.array(KINDS, object)[objects.kind], "risk": objects.risk, "unit": ids[objects.block]}
    return {
        "boundary": frame({"name": ["City"]}, polygons(mesh, np.zeros(mesh.n_blocks, dtype=np.int64))),
        "streets": streets,
        "rivers": rivers,
        "bridges": _bridge_lines(mesh),
        **_parent_frames(mesh, parents, codes),
        "compounds": _compound_frame(mesh, compound, gated, codes.community[parents.community]),
        "households": frame(buildings, shapely.points(people.xy)),
        "services": frame(services, shapely.points(objects.xy)),
        "units": units,
        "borders": list_borders(mesh, highway, ids),
    }


def _parent_frames(mesh: Mesh, parents: Parents, codes: Codes) -> dict[str, gpd.GeoDataFrame]:
    street = parents.street_of[parents.community]
    return {
        "districts": frame({}, polygons(mesh, parents.district_of[street]), codes.district, "district"),
        "subdistricts": frame(
            {"parent": codes.district[parents.district_of]}, polygons(mesh, street), codes.street, "street"
        ),
        "communities": frame(
            {"parent": codes.street[parents.street_of]},
            polygons(mesh, parents.community),
            codes.community,
            "community",
        ),
    }


def _compound_frame(
    mesh: Mesh, compound: NDArray[np.int64], ids: NDArray[Any], community: NDArray[Any]
) -> gpd.GeoDataFrame:
    """Compounds are dissolved as groups among single blocks; only the groups are kept."""
    numbers, first = np.unique(compound, return_index=True)
    first = first[numbers >= 0]
    alone = np.flatnonzero(compound < 0)
    group = compound.copy()
    group[alone] = len(ids) + np.arange(len(alone))
    return frame({"community": community[first]}, polygons(mesh, group)[: len(ids)], ids, "compound")


def _bridge_lines(mesh: Mesh) -> gpd.GeoDataFrame:
    """A bridge runs from 0.3 of the street on one bank over the river's vertex to 0.3 of the street on the other."""
    south, at, north = (mesh.xy[mesh.bridges[:, i]] for i in range(3))
    path = np.round(np.stack([0.7 * at + 0.3 * south, at, 0.7 * at + 0.3 * north], axis=1), 2)
    names = np.array([f"Bridge {i + 1}" for i in range(len(at))], object)
    return frame({"name": names}, shapely.linestrings(path) if len(path) else [])
