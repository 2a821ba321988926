"""Tiny: many regions of up to 64 nodes solved outright, slice by slice, each with proof or left open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.rules.limits import MILLION
from gridopt.solvers.decompose.regions import Regions

__all__ = ["INFEASIBLE", "MOST_NODES", "NEAR", "OPEN", "OPTIMAL", "Tiny", "lay_out"]

OPEN, OPTIMAL, INFEASIBLE, NEAR = 0, 1, 2, 3
"""What is known of a region; the same numbers as in the kernel."""
MOST_NODES = 64
"""Of a region that is solved outright: a set of them is a word."""
NO_COST = 2**62
LARGEST = 2**50
"""Above such costs a float64 no longer tells neighbours apart, and nothing is listed."""
FIRST_REACH = 1.2
"""Border of the first sets listed: so many times the sum of edge weights x sqrt(k / n) / k. On planar patches of 30
nodes in 5 parts 1.2 costs the least time; 0.7 to 1.1 cost up to twice as much, and no other cut comes of it."""
ROUNDS = 4
"""Rounds of raising prices; more raise the bound by 2 % and cost more than they save."""
SETS_PER_STEP, LEAST_SETS = 1 / 8, 4096
"""Room for sets, by the steps allowed: on the same patches one step in nine lists a set where all are listed."""
ONE = np.uint64(1)


@dataclass(frozen=True, eq=False)
class Tiny:
    """
    Regions laid out for the kernels, and what is known of each, which changes in place.

    Parameters
    ----------
    atlas : Atlas
    regions : ndarray of int64, shape (t,)
        Which region of the problem is the i-th here, ascending.
    nodes : ndarray of int64
        Which node of the problem is the i-th here.
    base : ndarray of int64, shape (t,)
        What every plan of a region pays for its nodes; not part of `cost` and `bound`.
    uneven : int
        Price of a millionth of deviation from a target.
    n_searched : int
        Nodes of all regions of the problem with several parts.
    found : Found
    """

    atlas: Any
    regions: NDArray[np.int64]
    nodes: NDArray[np.int64]
    base: NDArray[np.int64]
    uneven: int
    n_searched: int
    found: Any

    def __len__(self) -> int:
        return len(self.regions)

    def solve(self, chosen: NDArray[np.int64], most: NDArray[np.int64], prove: bool = True) -> None:
        """
        Solve the regions at positions `chosen`, within `most` more steps each (t,). Disjoint choices may run at once.

        With `prove` off a region is left as it is when it has the cheapest plan of short borders: that is a third of
        the work, and the plan is hardly ever dearer. Later calls go on from there.
        """
        from gridopt._kernels.cover import solve_tiny

        room = _room(self.atlas.work.shape[1], max(LEAST_SETS, int(most[chosen].max(initial=0) * SETS_PER_STEP)))
        solve_tiny(self.atlas, chosen, room, self.uneven, FIRST_REACH, ROUNDS, prove, most, self.found)

    def sketch(self, chosen: NDArray[np.int64], most: NDArray[np.int64], seed: int) -> None:
        """Give the regions at positions `chosen` some plan, with `most` moves to better each (t,)."""
        from gridopt._kernels.sketch import sketch_tiny

        sketch_tiny(self.atlas, chosen, self.uneven, np.uint64(seed), most, self.found)

    def has_plan(self) -> NDArray[np.bool_]:
        """Whether each region has a plan within its limits, shape (t,)."""
        return self.found.cost < NO_COST

    def may_go_on(self, prove: bool) -> NDArray[np.bool_]:
        """Whether more steps may help each region: it is open, and its parts are not too large to be listed; (t,)."""
        status = self.found.status
        return ((status == OPEN) & (self.found.widened >= 0)) | ((status == NEAR) & prove)

    def labels_of(self) -> NDArray[np.int32]:
        """Labels in the order of the nodes of the problem, region after region; cut by ``atlas.first_node``."""
        arranged = np.empty_like(self.found.labels)
        arranged[np.argsort(np.argsort(self.nodes, kind="stable"), kind="stable")] = self.found.labels
        return arranged

    def begin_with(self, labels: NDArray[np.int32]) -> None:
        """
        Take a plan to begin with, where it is sound: only cheaper plans replace it.

        Parameters
        ----------
        labels : ndarray of int32
            By node of the problem: part in its region, or -1.
        """
        own = labels[self.nodes]
        cost = _price(self, own)
        good = cost < NO_COST
        self.found.cost[good], self.found.miss[good] = cost[good], 0
        at = np.repeat(good, np.diff(self.atlas.first_node))
        self.found.labels[at] = own[at]


def lay_out(regions: Regions) -> Tiny | None:
    """
    Arrange the regions that may be solved outright for the kernel; None where there are none. O((n + m) log n).

    These have up to 64 nodes and no edge whose cutting is a gain, and inertia has no price. Nodes are renumbered by
    the reverse of Cuthill & McKee (1969): what is left over while a region is covered from one end hangs together.
    """
    from gridopt._kernels.cover import Atlas

    chosen, inside = _choose(regions)
    if not len(chosen):
        return None
    problem, width = regions.problem, regions.problem.n_attributes
    nodes, region_of = np.flatnonzero(inside), np.repeat(np.arange(len(chosen)), regions.node_counts()[chosen])
    first_node = np.concatenate([[0], np.cumsum(regions.node_counts()[chosen])])
    counts = np.diff(regions.first_row)[chosen]
    first_part = np.concatenate([[0], np.cumsum(counts)])
    rows = regions.rows[np.repeat(regions.first_row[chosen] - first_part[:-1], counts) + np.arange(first_part[-1])]
    graph = sparse.csr_matrix((regions.weights, regions.indices, regions.indptr), shape=(len(inside),) * 2)[nodes][
        :, nodes
    ]
    order = _order(graph, region_of)
    nodes = nodes[order]
    matrix = graph[order][:, order]
    matrix.sort_indices()
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
    source = np.repeat(np.arange(len(nodes)), np.diff(indptr))
    local = indices - first_node[region_of[source]]
    weights = matrix.data.astype(np.int64)
    part = np.full(problem.n_grids, -1, dtype=np.int64)
    part[rows] = np.arange(len(rows)) - np.repeat(first_part[:-1], counts)
    fixed = regions.fixed[nodes].astype(np.int64)
    bound, anchored, near = _locks(regions, nodes, region_of, first_node, first_part, part, fixed)
    np.bitwise_or.at(near[:, 0], source, ONE << local.astype(np.uint64))
    target = np.maximum(1, np.rint(problem.target[rows])).astype(np.int64)
    limits = np.stack([problem.lo[rows], problem.hi[rows], target], axis=1)
    flat = limits.reshape(len(rows), 3 * width)
    same = (flat == flat[np.repeat(first_part[:-1], counts)]).all(axis=1)
    extra, first_extra, base = _extra(regions, chosen, nodes, region_of, counts, part)
    named = ~np.logical_and.reduceat(same, first_part[:-1]) | (anchored > 0)
    atlas = Atlas(
        first_node=first_node.astype(np.int64),
        first_part=first_part.astype(np.int64),
        indptr=indptr,
        indices=local,
        weights=weights,
        near=near,
        border=np.bincount(source, weights=weights, minlength=len(nodes)).astype(np.int64),
        work=np.array(regions.workload[nodes]),
        limits=limits,
        bound=bound,
        widest=np.stack(
            [np.minimum.reduceat(limits[:, 0], first_part[:-1]), np.maximum.reduceat(limits[:, 1], first_part[:-1])],
            axis=1,
        ),
        anchored=anchored,
        named=(named | bool(len(extra))).astype(np.int64),
        extra=extra,
        first_extra=first_extra,
    )
    uneven = int(problem.objective.get("imbalance", 0))
    if _magnitude(atlas, uneven) >= LARGEST:
        return None
    total = int(regions.sizes().sum())
    return Tiny(atlas, chosen, nodes, base, uneven, total, _nothing_known(len(nodes), len(chosen)))


def _nothing_known(n: int, count: int) -> Any:
    """What is found of `count` regions of `n` nodes in all before anything is done."""
    from gridopt._kernels.cover import Found

    return Found(
        labels=np.full(n, -1, np.int32),
        prices=np.zeros(n),
        pledge=np.zeros(count),
        status=np.full(count, OPEN, np.int64),
        cost=np.full(count, NO_COST, np.int64),
        bound=np.zeros(count, np.int64),
        steps=np.zeros(count, np.int64),
        miss=np.full(count, NO_COST, np.int64),
        paid=np.full(count, NO_COST, np.int64),
        widened=np.full(count, -1, np.int64),
    )


def _choose(regions: Regions) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Regions to solve outright, and whether each node of the problem lies in one of them."""
    objective, sizes = regions.problem.objective, regions.node_counts()
    fit = np.zeros(len(sizes), dtype=bool)
    fit[regions.searched] = True
    fit &= (sizes <= MOST_NODES) & (sizes >= np.diff(regions.first_row))
    if objective.get("inertia") or objective.get("imbalance", 0) < 0:
        fit[:] = False
    region_of = np.repeat(np.arange(len(sizes)), sizes)
    if (regions.weights < 0).any():
        bad = np.flatnonzero(regions.weights < 0)
        fit[region_of[np.searchsorted(regions.indptr, bad, side="right") - 1]] = False
    return np.flatnonzero(fit), fit[region_of]


def _order(graph: Any, region_of: NDArray[np.int64]) -> NDArray[np.int64]:
    """Order of nodes by region, and within each so that neighbours are near each other."""
    rank = np.empty(len(region_of), dtype=np.int64)
    rank[csgraph.reverse_cuthill_mckee(graph, symmetric_mode=True)] = np.arange(len(region_of))
    return np.lexsort((rank, region_of))


def _locks(
    regions: Regions,
    nodes: NDArray[np.int64],
    region_of: NDArray[np.int64],
    first_node: NDArray[np.int64],
    first_part: NDArray[np.int64],
    part: NDArray[np.int64],
    fixed: NDArray[np.int64],
) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Return `bound`, `anchored` and `near` of the atlas, the latter without the neighbours."""
    bound = np.zeros(first_part[-1], dtype=np.uint64)
    anchored = np.zeros(len(first_part) - 1, dtype=np.uint64)
    near = np.zeros((len(nodes), 2), dtype=np.uint64)
    own = ONE << (np.arange(len(nodes)) - first_node[region_of]).astype(np.uint64)
    held = np.flatnonzero(fixed >= 0)
    at = first_part[region_of[held]] + part[fixed[held]]
    np.bitwise_or.at(bound, at, own[held])
    np.bitwise_or.at(anchored, region_of[held], own[held])
    near[held, 1] = anchored[region_of[held]] & ~bound[at]
    if regions.apart.nnz:
        pairs = regions.apart[nodes][:, nodes].tocoo()
        np.bitwise_or.at(near[:, 1], pairs.row, own[pairs.col])
    return bound, anchored, near


def _extra(
    regions: Regions,
    chosen: NDArray[np.int64],
    nodes: NDArray[np.int64],
    region_of: NDArray[np.int64],
    counts: NDArray[np.int64],
    part: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Price of each node in each part above the least of these, where they begin, and the sum of the least."""
    problem, objective = regions.problem, regions.problem.objective
    price, moved = objective.get("unit_cost", 0), objective.get("moved", 0)
    has_cost, has_home = bool(price) and problem.unit_cost is not None, bool(moved) and problem.incumbent is not None
    base = np.zeros(len(chosen), dtype=np.int64)
    if not has_cost and not has_home:
        return np.empty(0, dtype=np.int64), base, base
    width = counts[region_of]
    start = np.concatenate([[0], np.cumsum(width)])
    extra = np.zeros(start[-1], dtype=np.int64)
    place = np.full(len(regions.fixed), -1, dtype=np.int64)
    place[nodes] = np.arange(len(nodes))
    units = np.flatnonzero(place[regions.node_of] >= 0)
    node = place[regions.node_of[units]]
    first_row = regions.first_row[chosen]
    of = np.repeat(np.arange(len(units)), width[node])
    column = np.arange(len(of)) - np.repeat(np.cumsum(width[node]) - width[node], width[node])
    at = start[node[of]] + column
    if has_cost:
        row = regions.rows[first_row[region_of[node[of]]] + column]
        np.add.at(extra, at, price * np.asarray(problem.unit_cost)[units[of], row])
    if has_home:
        home = np.asarray(problem.incumbent)[units]
        known = (home >= 0) & (problem.nesting.grid_region[np.maximum(home, 0)] == problem.nesting.region[units])
        away = known[of] & (part[np.maximum(home[of], 0)] != column)
        np.add.at(extra, at[away], moved * problem.workload[units[of[away]], 0])
    least = np.minimum.reduceat(extra, start[:-1])
    np.add.at(base, region_of, least)
    first_node = np.searchsorted(region_of, np.arange(len(chosen)))
    return extra - np.repeat(least, width), start[first_node], base


def _magnitude(atlas: Any, uneven: int) -> float:
    """Bound on all numbers that are added up in any region."""
    loads = float(atlas.work.sum(axis=0).max(initial=0))
    total = 2.0 * float(atlas.weights.astype(np.float64).sum()) + 2.0 * float(atlas.extra.astype(np.float64).sum())
    return total + 2.0 * uneven * MILLION * loads * 64


def _price(tiny: Tiny, labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Cost of the plan `labels` in each region, without `base`; `NO_COST` where it is not sound."""
    atlas = tiny.atlas
    count, n = len(tiny), len(labels)
    region_of = np.repeat(np.arange(count), np.diff(atlas.first_node))
    first, parts = atlas.first_node[region_of], np.diff(atlas.first_part)
    good = np.ones(count, dtype=bool)
    good[region_of[(labels < 0) | (labels >= parts[region_of])]] = False
    row = atlas.first_part[region_of] + np.clip(labels, 0, parts[region_of] - 1)
    source = np.repeat(np.arange(n), np.diff(atlas.indptr))
    target = atlas.indices + first[source]
    inside = row[source] == row[target]
    joined = sparse.coo_matrix((np.ones(int(inside.sum()), bool), (source[inside], target[inside])), shape=(n, n))
    _, piece = csgraph.connected_components(joined, directed=False)
    _, at = np.unique(piece, return_index=True)
    pieces = np.bincount(row[at], minlength=atlas.first_part[-1])
    loads = np.zeros((len(pieces), atlas.work.shape[1]), dtype=np.int64)
    np.add.at(loads, row, atlas.work)
    lo, hi, aim = (atlas.limits[:, i] for i in range(3))
    kept = (pieces == 1) & ((loads >= lo) & (loads <= hi)).all(axis=1)
    good &= np.logical_and.reduceat(kept, atlas.first_part[:-1])
    own = ONE << (np.arange(n) - first).astype(np.uint64)
    members = np.zeros(len(pieces), dtype=np.uint64)
    np.bitwise_or.at(members, row, own)
    good[region_of[(members[row] & atlas.near[:, 1]) != 0]] = False
    held = (atlas.anchored[region_of] & own) != 0
    good[region_of[held & ((atlas.bound[row] & own) == 0)]] = False
    cut = np.bincount(region_of[source[~inside]], weights=atlas.weights[~inside], minlength=count).astype(np.int64) // 2
    if len(atlas.extra):
        at = (
            atlas.first_extra[region_of] + (np.arange(n) - first) * parts[region_of] + row - atlas.first_part[region_of]
        )
        np.add.at(cut, region_of, atlas.extra[at])
    if tiny.uneven:
        each = (np.abs(loads - aim) * MILLION // aim).sum(axis=1)
        cut += tiny.uneven * np.add.reduceat(each, atlas.first_part[:-1])
    return np.where(good, cut, NO_COST)


def _room(width: int, sets: int) -> Any:
    """Scratch for one thread."""
    from gridopt._kernels.cover import Room

    i64, f64, u64 = np.int64, np.float64, np.uint64
    return Room(
        nodes=np.empty(sets, u64),
        cost=np.empty((sets, 2), i64),
        slack=np.empty(sets, f64),
        first=np.empty((65, 2), i64),
        price=np.empty((66, 2), f64),
        curve=np.empty(66, f64),
        load=np.empty(width, i64),
        words=np.empty((66, 3), u64),
        cuts=np.empty((66, 2), i64),
        sums=np.empty((66, width), i64),
        best=np.empty(64, i64),
    )
