"""Generated territories: a plain city (graph and workload only), and a city of streets, parents, people and objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.errors import InputError
from gridopt.model.graph import BORDER, CROSSING, Graph

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["City", "city", "plain_city"]

SPACING_M = 100.0
JITTER_M = 38.0
LONGEST_M = 220.0
REMOVED = 0.2
MIN_CITY = 16


@dataclass(frozen=True, eq=False)
class City:
    """
    A generated city, all layers in one projected system in metres (`EPSG:4549`), nested and seamless by construction.

    Parameters
    ----------
    boundary : GeoDataFrame, one row
        Outline of the territory.
    streets : GeoDataFrame
        Lines; `highway` as OpenStreetMap has it (``"trunk"`` … ``"residential"``, ``"living_street"`` inside
        compounds, ``"service"`` ways that bound no block), `name` (None for service ways). Dead ends occur.
    rivers, bridges : GeoDataFrame
        Lines; the river bounds blocks and parts neighbours, a bridge joins the blocks on both banks beside it.
    districts, subdistricts, communities : GeoDataFrame
        Polygons, index the code (6, 9 and 12 digits, each beginning with its parent's); `parent` except in districts.
        A subdistrict is a 街道; units call that column `street`.
    compounds : GeoDataFrame
        Polygons of gated compounds, two or three units each, never to be cut; index the id, `community`.
    households : GeoDataFrame
        Residential buildings: points with `households`, `persons`, and `unit`, where they lie.
    services : GeoDataFrame
        Objects: points with `kind` (``"shop"``, ``"restaurant"``, ``"pharmacy"``, ``"market"`` are market entities;
        ``"clinic"``, ``"school"``), `risk` (``"A"`` lowest … ``"D"``), and `unit`.
    units : GeoDataFrame
        The blocks between streets: polygons, index `unit` (text), `area_m2`, `community`, `street`, `district`,
        `compound` (None outside), `households`, `persons`, `shops` (market entities).
    borders : DataFrame
        Who borders whom: `unit_a`, `unit_b`, `highway` along the border (empty: none), `river`, `bridged`, `length_m`.

    Notes
    -----
    ``build_blocks(boundary, streets, barriers=rivers)`` gives back the polygons of `units`;
    ``build_graph(units, streets=streets, barriers=rivers, crossings=bridges)`` the edges of `to_graph()`.
    """

    boundary: gpd.GeoDataFrame
    streets: gpd.GeoDataFrame
    rivers: gpd.GeoDataFrame
    bridges: gpd.GeoDataFrame
    districts: gpd.GeoDataFrame
    subdistricts: gpd.GeoDataFrame
    communities: gpd.GeoDataFrame
    compounds: gpd.GeoDataFrame
    households: gpd.GeoDataFrame
    services: gpd.GeoDataFrame
    units: gpd.GeoDataFrame
    borders: pd.DataFrame

    def __repr__(self) -> str:
        return f"City({len(self.units)} units, {len(self.communities)} communities, {len(self.streets)} streets)"

    def to_graph(self) -> Graph:
        """
        Make the graph of the units from `borders`, without looking at shapes: an independent answer to `build_graph`.

        Returns
        -------
        Graph
            Length in decimetres, cost by street class, kind `CROSSING` where only a bridge joins two units; units
            parted by the river are not neighbours. ``xy`` is the centroid of each unit.

        Examples
        --------
        >>> graph = city(200, seed=1).to_graph()
        >>> graph.n_units, len(set(graph.components())), graph.classes
        (205, 1, ('arterial', 'collector', 'local', 'path'))
        """
        return _graph_of(self)


def city(n: int = 10_000, seed: int = 0) -> City:
    """
    Generate a city: outline, streets, river, bridges, parents, compounds, people, service objects, and its blocks.

    Parameters
    ----------
    n : int
        Wanted number of blocks, at least 16; the city has about as many (within some percent).
    seed : int
        Equal seeds give equal cities.

    Returns
    -------
    City

    Raises
    ------
    InputError
        If `n` is below 16.

    Notes
    -----
    A lattice of about 90 m, denser in the middle, bent by waves of some kilometres and shaken: arterials every 8 to 14
    lines, some ending at another, cut by diagonal avenues; collectors of its own in each field between them; lanes
    taken away so that they meet in T junctions; some rectangles (parks, campuses) without any; a winding river.
    Households are lognormal from block to block and denser in the middle; one block in fifteen has none. About two
    seconds at n = 10,000.

    Examples
    --------
    >>> made = city(200, seed=1)
    >>> made
    City(205 units, 9 communities, 208 streets)
    >>> made.units.loc["B-00001", ["community", "street", "district"]].tolist()
    ['990101001001', '990101001', '990101']
    """
    if n < MIN_CITY:
        raise InputError(f"a city of n={n} blocks: give n of at least {MIN_CITY}, or use plain_city.")
    from gridopt.territory import _city_frames as draw
    from gridopt.territory._city_mesh import build_mesh
    from gridopt.territory._city_parents import build_compounds, build_parents

    rng = np.random.default_rng(seed)
    mesh = build_mesh(n, rng)
    parents = build_parents(mesh)
    compound, highway = build_compounds(mesh, parents.community, rng)
    people = draw.draw_people(mesh, rng)
    objects = draw.draw_objects(mesh, highway, people, rng)
    return City(**draw.assemble(mesh, parents, compound, highway, people, objects, rng))


def _graph_of(city: City) -> Graph:
    from gridopt.territory.streets import FACTORS, OSM_HIGHWAYS

    ids, borders = city.units.index, city.borders
    ends = np.column_stack([ids.get_indexer(borders[name]) for name in ("unit_a", "unit_b")]).astype(np.int64)
    river, bridged = borders["river"].to_numpy(), borders["bridged"].to_numpy()
    length = np.rint(borders["length_m"].to_numpy() * 10).astype(np.int64)
    classes = tuple(name for name in FACTORS if name != "none")
    street_class = np.array([OSM_HIGHWAYS.get(h, "none") for h in borders["highway"]], object)
    factor = np.array([FACTORS[c] for c in street_class])
    factor[bridged] = min(FACTORS.values())
    open_ = ~river | bridged
    key, row = np.unique(np.sort(ends[open_], axis=1) @ np.array([len(ids), 1]), return_inverse=True)
    total = [np.bincount(row, values[open_]).astype(np.int64) for values in (length, length * factor)]
    by_class = [np.bincount(row, (length * (street_class == c))[open_]).astype(np.int64) for c in classes]
    land = np.bincount(row, (~river)[open_]) > 0
    centre = city.units.geometry.centroid
    return Graph.from_edges(
        len(ids),
        np.column_stack([key // len(ids), key % len(ids)]),
        total[0],
        np.maximum(total[1], 1),
        kinds=np.where(land, BORDER, CROSSING),
        ids=ids,
        xy=np.column_stack([centre.x, centre.y]),
        class_lengths=np.column_stack(by_class),
        classes=classes,
    )


def plain_city(n: int = 10_000, seed: int = 0) -> tuple[Graph, NDArray[np.int64]]:
    """
    Generate a connected planar graph of `n` units with uneven workload: the benchmark instance, without geometry.

    Parameters
    ----------
    n : int
        Number of units, at least 1.
    seed : int
        Equal seeds give equal cities.

    Returns
    -------
    graph : Graph
        ``graph.length`` in decimetres, ``graph.cost`` in whole metres (at least 1), ``graph.xy`` in metres.
    workload : ndarray of int64, shape (n,)
        Workload of each unit, at least 1.

    Raises
    ------
    InputError
        If `n` is below 1.

    Notes
    -----
    Points lie on a square lattice of 100 m, each moved by up to 38 m along both axes. Neighbours are the Delaunay edges
    shorter than 220 m, less a fifth of those that a random spanning tree does not need. Border lengths are
    gamma(3, 30) m, independent of position; workload is lognormal(3, 0.8), rounded. O(n log n): about a tenth of a
    second at n = 10,000, some ten seconds at a million.

    Examples
    --------
    >>> graph, workload = plain_city(1000, seed=1)
    >>> graph.n_units, graph.n_edges, int(workload.min()), len(set(graph.components()))
    (1000, 2527, 2, 1)
    """
    if n < 1:
        raise InputError(f"a plain city of n={n} units: give n of at least 1.")
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    position = np.arange(n)
    lattice = np.column_stack([position % side, position // side]) * SPACING_M
    xy = np.round(lattice + rng.uniform(-JITTER_M, JITTER_M, (n, 2)), 2)
    edges = _short_delaunay_edges(xy)
    spare = np.flatnonzero(~_spanning_tree(n, edges, rng))
    keep = np.ones(len(edges), dtype=bool)
    keep[rng.permutation(spare)[: int(REMOVED * len(spare))]] = False
    edges = edges[keep]
    border_m = rng.gamma(3.0, 30.0, len(edges))
    length = np.maximum(np.rint(border_m * 10), 1).astype(np.int64)
    cost = np.maximum(np.rint(border_m), 1).astype(np.int64)
    workload = np.maximum(np.rint(rng.lognormal(3.0, 0.8, n)), 1).astype(np.int64)
    return Graph.from_edges(n, edges, length, cost, xy=xy), workload


def _short_delaunay_edges(xy: NDArray[np.float64]) -> NDArray[np.int64]:
    """Delaunay edges below `LONGEST_M`, lexicographic. Jitter keeps lattice neighbours nearer, so all hang together."""
    if len(xy) < 3:
        return np.array([[0, 1]][: len(xy) - 1], dtype=np.int64).reshape(-1, 2)
    from scipy.spatial import Delaunay

    corners = Delaunay(xy).simplices.astype(np.int64)
    pairs = np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1)
    key = np.unique(pairs[:, 0] * len(xy) + pairs[:, 1])
    edges = np.column_stack([key // len(xy), key % len(xy)])
    step = xy[edges[:, 0]] - xy[edges[:, 1]]
    return edges[(step**2).sum(axis=1) < LONGEST_M**2]


def _spanning_tree(n: int, edges: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which edges are in the spanning tree of least random weight. bool of shape (m,)."""
    rank = rng.permutation(len(edges)) + 1
    matrix = sparse.csr_matrix((rank.astype(np.float64), (edges[:, 0], edges[:, 1])), shape=(n, n))
    chosen = csgraph.minimum_spanning_tree(matrix).data.astype(np.int64)
    by_rank = np.empty(len(edges) + 1, dtype=np.int64)
    by_rank[rank] = np.arange(len(edges))
    tree = np.zeros(len(edges), dtype=bool)
    tree[by_rank[chosen]] = True
    return tree
