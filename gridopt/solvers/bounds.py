"""Bounds: what no plan of a region can be cheaper than, by quick arguments that need no plan."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.model import Graph
from gridopt.rules.build import build_problem
from gridopt.solvers.decompose.regions import Regions, decompose
from gridopt.solvers.piece import Piece

__all__ = ["CostBounds", "Packing", "cost_bounds", "unit_bound", "warm"]

ROUNDING = 2.0**-26
"""Share of a sum of floats that is given up for rounding: 2**53 ulps to the whole, and far fewer than 2**26 terms."""
LARGEST_HEAP = 1 << 20
"""Entries of the heap of one shortest-path search; a tree that needs more ends where it is."""


@dataclass(frozen=True)
class Packing:
    """
    How hard to pack trees (see `cost_bounds`).

    Parameters
    ----------
    visits : float
        Nodes to settle for each node that trees begin at: 25 prove about half, 100 about two thirds of the cut of a
        good plan of 25 units a grid; a visit takes about 0.4 µs.
    fill : float
        Share of the visits that takes all that is left of the prices.
    """

    visits: float = 25.0
    fill: float = 0.15

    def part(self) -> float:
        """Share of what is left that a tree takes before the filling."""
        return min(0.9, 20.0 / max(1.0, self.visits) + 0.1)

    def power(self) -> float:
        """How steeply edges become longer with what is taken of them."""
        return 4.0 if self.visits < 60 else 8.0


@dataclass(frozen=True, eq=False)
class CostBounds:
    """
    Lower bounds on the cost of each region, edges between regions and regions of one grid left out. int64 (r,).

    Parameters
    ----------
    free : ndarray of int64, shape (r,)
        Of any contiguous plan that keeps the locks.
    within : ndarray of int64, shape (r,)
        Of any that keeps the limits too.
    """

    free: NDArray[np.int64]
    within: NDArray[np.int64]


def cost_bounds(regions: Regions, packing: Packing = Packing(), only: NDArray[np.int64] | None = None) -> CostBounds:
    """
    Bound the cost of every region from below.

    Added up are the edges whose ends can never share a grid (apart, fixed elsewhere, together above every upper limit),
    the cheapest grid of each unit where units have prices, and the better of two bounds on the other edges:

    - the lightest forest that joins as many pieces as there are grids: contracting the grids of a plan leaves a
      connected graph of k nodes, so k - 1 of the cut edges form a forest;
    - a packing of trees. The grid of unit u leaves out a load of at least ``spare = load(T) - hi`` of a tree T with
      root u, and what is left out has a cut edge on its way to u. So ``sum_e min(spare, load below e) cut_e >= spare``
      for every tree, and trees with weights y such that no edge is charged more than its price prove a cut of
      ``sum y spare``: the dual of the spreading metrics of Even, Naor, Rao & Schieber (SIAM J. Comput. 28, 1999).

    Regions that leave out plans (joined compounds) have bounds of 0. Other terms of the objective are at least 0.

    Parameters
    ----------
    regions : Regions
        As decomposed.
    packing : Packing
        How long to pack.
    only : ndarray of int64, optional
        The regions to bound; others have bounds of 0. Default: all.

    Notes
    -----
    O(m log m) for the forest, O(visits n log) for the packing. Deterministic. The weights of the trees are floats; a
    share of `ROUNDING` is taken off, far more than their sums can be wrong by.
    """
    web = _Edges.of(regions)
    chosen = np.ones(len(web.hi), dtype=bool)
    if only is not None:
        chosen[:] = False
        chosen[only] = True
    apart = _apart(regions, web)
    heavy = _too_heavy(regions, web) & ~apart
    units = _unit_costs(regions, chosen)
    locked = _sums(web.group, web.price, apart, len(units))
    forced = locked + _sums(web.group, web.price, heavy, len(units))
    joined = _forests(regions, web, apart | heavy)
    within = forced + np.maximum(joined, _packed(regions, web, apart | heavy, packing, chosen))
    free = forced + joined
    if heavy.any():
        free = locked + _forests(regions, web, apart)
    counted = chosen.copy()
    counted[np.array(sorted(regions.narrowed), dtype=np.int64)] = False
    return CostBounds(np.where(counted, free + units, 0), np.where(counted, within + units, 0))


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges between the nodes of the regions, each once, and the region and limits of nodes."""

    u: NDArray[np.int32]
    v: NDArray[np.int32]
    price: NDArray[np.int64]
    group: NDArray[np.int32]  # region of each edge
    node_group: NDArray[np.int32]
    hi: NDArray[np.int64]  # (r, a) greatest upper limit of a region

    @classmethod
    def of(cls, regions: Regions) -> _Edges:
        count, n_regions = len(regions.indptr) - 1, len(regions.first_node) - 1
        rows = np.repeat(np.arange(count, dtype=np.int32), np.diff(regions.indptr))
        half = rows < regions.indices
        u, v = rows[half], regions.indices[half].astype(np.int32)
        group = np.repeat(np.arange(n_regions, dtype=np.int32), np.diff(regions.first_node))
        hi = np.zeros((n_regions, regions.workload.shape[1]), dtype=np.int64)
        np.maximum.at(hi, regions.problem.nesting.grid_region, regions.problem.hi)
        return cls(u, v, regions.weights[half], group[u], group, hi)


def _sums(group: NDArray[np.int32], price: NDArray[np.int64], where: NDArray[np.bool_], n: int) -> NDArray[np.int64]:
    total = np.zeros(n, dtype=np.int64)
    np.add.at(total, group[where], price[where])
    return total


def _apart(regions: Regions, web: _Edges) -> NDArray[np.bool_]:
    """Whether locks keep the ends of each edge in different grids."""
    a, b = regions.fixed[web.u], regions.fixed[web.v]
    found = (a >= 0) & (b >= 0) & (a != b)
    if regions.apart.nnz:
        n = len(web.node_group)
        pairs = regions.apart.tocoo()
        found |= np.isin(web.u.astype(np.int64) * n + web.v, pairs.row.astype(np.int64) * n + pairs.col)
    return found


def _too_heavy(regions: Regions, web: _Edges) -> NDArray[np.bool_]:
    """Whether the ends of each edge are together above every upper limit that could bind them."""
    found = np.zeros(len(web.u), dtype=bool)
    for a in range(web.hi.shape[1]):
        room = _room(regions, web, a)
        load = regions.workload[:, a]
        found |= load[web.u] + load[web.v] > np.minimum(room[web.u], room[web.v])
    return found


def _room(regions: Regions, web: _Edges, attribute: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Greatest load of a grid that may hold each node; `attribute` is one, or one for each region."""
    by_region = web.hi[np.arange(len(web.hi)), attribute]
    room = by_region[web.node_group]
    fixed = np.flatnonzero(regions.fixed >= 0)
    which = np.broadcast_to(attribute, len(web.hi))[web.node_group[fixed]]
    room[fixed] = regions.problem.hi[regions.fixed[fixed], which]
    return room


def _forests(regions: Regions, web: _Edges, given: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Price of the lightest forest of ``k - 1`` edges of each region, over the edges that are `given`."""
    from gridopt._kernels.packing import forest

    n = len(web.node_group)
    wanted = np.diff(regions.first_row) - 1
    total = np.zeros(len(wanted), dtype=np.int64)
    joined = sparse.coo_matrix((np.ones(int(given.sum()), np.int8), (web.u[given], web.v[given])), shape=(n, n))
    piece = csgraph.connected_components(joined, directed=False)[1] if given.any() else np.arange(n)
    first = np.unique(piece, return_index=True)[1]
    wanted -= np.diff(regions.first_node) - np.bincount(web.node_group[first], minlength=len(wanted))
    root, begin = first[piece].astype(np.int64), 0
    few, count = 4 * int(np.maximum(wanted, 0).sum()), len(web.u)
    if few < count // 4:  # the lightest alone will do where few are wanted
        edges, ends = np.argpartition(web.price, few), [few, count]
    else:
        edges, ends = np.arange(count), [count]
    for end in ends:
        if (wanted > 0).any():
            order = edges[begin:end]
            order = order[np.argsort(web.price[order], kind="stable")]
            forest(order, web.u, web.v, web.price, web.node_group, wanted, root, total)
        begin = end
    return total


def _packed(
    regions: Regions, web: _Edges, given: NDArray[np.bool_], packing: Packing, chosen: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """What a packing of trees proves of each chosen region, over the edges that are `given`."""
    from gridopt._kernels.packing import Nearby, Web, number_edges, pack

    n, n_regions = len(web.node_group), len(web.hi)
    load, room = _loads_and_room(regions, web)
    room[~chosen[web.node_group]] = -1
    gain = np.zeros(n_regions)
    if not (room >= 0).any():
        return gain.astype(np.int64)
    edge = np.empty(len(regions.indices), dtype=np.int32)
    number_edges(regions.indptr, regions.indices, edge, np.zeros(n, dtype=np.int64))
    price = np.where(given, 0.0, web.price.astype(np.float64))
    length = 1.0 / np.where(price > 0, price, 1.0)
    bundle = Web(regions.indptr, regions.indices, edge, price, np.zeros_like(price), length)
    heap = min(LARGEST_HEAP, len(edge) + 1)
    i32, i64 = np.int32, np.int64
    near = Nearby(
        np.empty(n),
        np.empty(n, i32),
        np.empty(n, i32),
        np.zeros(n, i64),
        np.empty(n, i32),
        np.empty(n, i64),
        np.empty(heap),
        np.empty(heap, i32),
    )
    stride, first = _stride(n), 1
    left = int(packing.visits * np.count_nonzero(room >= 0))
    filling = int(left * packing.fill)
    while left > 0:
        part, most = (packing.part(), left - filling) if left > filling else (1.0, left)
        trees, work = pack(bundle, near, load, room, web.node_group, gain, first, stride, most, part, packing.power())
        first += trees
        left -= work
    return np.array([ceil(g * (1.0 - ROUNDING)) for g in gain.tolist()], dtype=np.int64)


def _loads_and_room(regions: Regions, web: _Edges) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Load of each node in the attribute that forces most grids of its region; room of its grid, -1 where all fits."""
    n_regions, parts = len(web.hi), np.diff(regions.first_row)
    total = np.zeros_like(web.hi)
    np.add.at(total, web.node_group, regions.workload)
    attribute = (total / np.maximum(1, web.hi)).argmax(axis=1)
    load = np.ascontiguousarray(regions.workload[np.arange(len(web.node_group)), attribute[web.node_group]])
    step = np.ones(n_regions, dtype=np.int64)
    filled = np.flatnonzero(np.diff(regions.first_node) > 0)
    if len(filled):
        step[filled] = np.maximum(1, np.gcd.reduceat(load, regions.first_node[filled]))
    room = _room(regions, web, attribute)
    room -= room % step[web.node_group]
    idle = (parts < 2)[web.node_group] | (total[np.arange(n_regions), attribute][web.node_group] <= room)
    room[idle] = -1
    return load, room


def _stride(n: int) -> int:
    """Near the golden section of `n`, and coprime to it: multiples of it spread evenly."""
    stride = max(1, round(n * 0.6180339887498949))
    while np.gcd(stride, n) != 1:
        stride += 1
    return stride


def _unit_costs(regions: Regions, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cheapest grid of each node, added up by chosen region."""
    problem = regions.problem
    total = np.zeros(len(regions.first_node) - 1, dtype=np.int64)
    priced = problem.unit_cost is not None and problem.objective.get("unit_cost")
    if priced or (problem.incumbent is not None and problem.objective.get("moved")):
        for region in regions.searched[chosen[regions.searched]].tolist():
            total[region] = unit_bound(regions.piece(region))
    return total


def unit_bound(piece: Piece) -> int:
    """Prices of the nodes of a piece, each in its cheapest part."""
    return int(piece.unit_cost.min(axis=1).sum()) if piece.unit_cost.size else 0


def warm() -> None:
    """Load the kernels, on a path of four units."""
    path = Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    cost_bounds(decompose(build_problem(path, [1, 1, 1, 1], n_grids=2)))
