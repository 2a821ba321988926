"""Who belongs where in a generated city: communities within streets (街道) within districts, and gated compounds."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.territory._city_mesh import COLLECTOR, LANE, LIVING, PRIMARY, RIVER, Mesh

__all__ = ["Parents", "build_compounds", "build_parents"]

LEAST_FIELD, LEAST_COMMUNITY = 30, 9
"""Fewest blocks of a field between arterials, and of a community; smaller ones join a neighbour."""
COMMUNITIES_A_STREET, STREETS_A_DISTRICT = 12, 10
"""Wanted numbers of children; Beijing's Dongcheng has 205 communities in 17 streets."""
COMPOUND_SEEDS, COMPOUND_MEMBERS = 0.03, 3


@dataclass(frozen=True, eq=False)
class Parents:
    """Community of each block; street (街道) of each community; district of each street; int64, numbered from 0."""

    community: NDArray[np.int64]
    street_of: NDArray[np.int64]
    district_of: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Borders:
    """Borders between blocks: the two blocks, metres, edge class."""

    pairs: NDArray[np.int64]
    metres: NDArray[np.float64]
    highway: NDArray[np.int8]

    def where(self, mask: NDArray[np.bool_]) -> _Borders:
        return _Borders(self.pairs[mask], self.metres[mask], self.highway[mask])

    def between(self, group: NDArray[np.int64]) -> sparse.csr_matrix:
        """Metres of border between each two groups, symmetric, without the inside."""
        ends = group[self.pairs]
        apart = ends[:, 0] != ends[:, 1]
        u, v, n = ends[apart, 0], ends[apart, 1], int(group.max()) + 1
        half = sparse.coo_matrix((self.metres[apart], (u, v)), shape=(n, n))
        return (half + half.T).tocsr()


def build_parents(mesh: Mesh) -> Parents:
    """
    Group blocks between collectors into communities, these into streets, these into districts; none spans the river.

    Notes
    -----
    Land between arterials is a field; communities never leave their field, so that streets and districts, unions of
    fields, end at arterials wherever a field is large enough to stand alone. All groups are connected on
    one bank.
    """
    inner = (mesh.sides >= 0).all(axis=1) & (mesh.sides[:, 0] != mesh.sides[:, 1])
    step = mesh.xy[mesh.ends[inner, 0]] - mesh.xy[mesh.ends[inner, 1]]
    everywhere = _Borders(mesh.sides[inner], np.hypot(step[:, 0], step[:, 1]), mesh.highway[inner])
    land = everywhere.where(everywhere.highway != RIVER)
    one_each = np.ones(mesh.n_blocks, dtype=np.int64)
    field = _absorb(_joined(mesh.n_blocks, land.where(land.highway < PRIMARY)), one_each, land, LEAST_FIELD)
    within = land.where(field[land.pairs[:, 0]] == field[land.pairs[:, 1]])
    community = _joined(mesh.n_blocks, within.where(within.highway < COLLECTOR))
    community = _absorb(community, one_each, within, LEAST_COMMUNITY)
    first = np.unique(community, return_index=True)[1]
    n_communities = np.bincount(field[first])
    street = _grow(land.between(field), n_communities, COMMUNITIES_A_STREET)
    n_streets = int(street.max()) + 1
    district = _grow(land.between(street[field]), np.ones(n_streets, dtype=np.int64), STREETS_A_DISTRICT)
    return Parents(community, street[field[first]], district)


def _joined(n: int, borders: _Borders) -> NDArray[np.int64]:
    """Blocks joined by `borders`, in groups numbered by their first block."""
    u, v = borders.pairs.T
    ones = np.ones(len(u), dtype=np.int8)
    return _by_first(csgraph.connected_components(sparse.csr_matrix((ones, (u, v)), shape=(n, n)), False)[1])


def _by_first(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Renumber groups by their first member."""
    names, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(names))
    return rank[inverse]


def _absorb(group: NDArray[np.int64], weight: NDArray[np.int64], borders: _Borders, least: int) -> NDArray[np.int64]:
    """Join each group lighter than `least` to the neighbour it shares the longest border with, until none can."""
    while True:
        size = np.bincount(group, weight)
        touching = borders.between(group)
        small = np.flatnonzero((size < least) & (np.diff(touching.indptr) > 0))
        if not len(small):
            return _by_first(group)
        target = np.asarray(touching[small].argmax(axis=1)).ravel()
        waits = (size[target] < least) & (target > small) & np.isin(target, small)
        source = small[~waits] if (~waits).any() else small[:1]
        target = target[~waits] if (~waits).any() else target[:1]
        n = len(size)
        links = sparse.csr_matrix((np.ones(len(source)), (source, target)), shape=(n, n))
        group = csgraph.connected_components(links, directed=False)[1][group].astype(np.int64)


def _grow(touching: sparse.csr_matrix, weight: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """
    Gather connected groups of about `wanted` weight, one after the other from the first free member.

    Each takes the free neighbour that shares most of its own border with the group: compact, nothing left behind. What
    ends below half of `wanted` joins the neighbouring group with the longest border.
    """
    n = len(weight)
    group = np.full(n, -1, dtype=np.int64)
    around = np.asarray(touching.sum(axis=1)).ravel()
    count = 0
    for start in range(n):
        if group[start] >= 0:
            continue
        shared: dict[int, float] = {start: 0.0}
        queue, load = [(0.0, start)], 0
        while queue and load < wanted:
            _, member = heapq.heappop(queue)
            if group[member] >= 0:
                continue
            group[member] = count
            load += int(weight[member])
            for at in range(touching.indptr[member], touching.indptr[member + 1]):
                other = int(touching.indices[at])
                if group[other] < 0:
                    shared[other] = shared.get(other, 0.0) + float(touching.data[at])
                    heapq.heappush(queue, (-shared[other] / around[other], other))
        count += 1
    edges = touching.tocoo()
    all_borders = _Borders(np.column_stack([edges.row, edges.col]), edges.data, np.zeros(edges.nnz, dtype=np.int8))
    return _absorb(group, weight, all_borders, max(wanted // 2, 1))


def build_compounds(
    mesh: Mesh, community: NDArray[np.int64], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """
    Gather gated compounds: two or three blocks of one community around a lane, which becomes a living street.

    Returns the compound of each block (-1: none), numbered by their first block, and the classes of the edges.
    """
    seed = rng.random(mesh.n_blocks) < COMPOUND_SEEDS
    turn = rng.permutation(mesh.n_blocks)
    u, v = mesh.sides.T
    lanes = (mesh.highway == LANE) & (u >= 0) & (v >= 0) & (u != v)
    u, v = np.concatenate([mesh.sides[lanes], mesh.sides[lanes][:, ::-1]]).T
    fits = seed[u] & ~seed[v] & (community[u] == community[v])
    u, v = u[fits], v[fits]
    order = np.lexsort((turn[u], v))
    u, v = u[order], v[order]
    once = np.append(True, v[1:] != v[:-1]) if len(v) else np.zeros(0, dtype=bool)
    u, v = u[once], v[once]
    order = np.lexsort((turn[v], u))
    u, v = u[order], v[order]
    rank = np.arange(len(u)) - np.searchsorted(u, u)
    u, v = u[rank < COMPOUND_MEMBERS - 1], v[rank < COMPOUND_MEMBERS - 1]
    compound = np.full(mesh.n_blocks, -1, dtype=np.int64)
    compound[v] = u
    compound[u] = u
    gated = compound >= 0
    compound[gated] = _by_first(compound[gated])
    pair = np.append(compound, -1)[mesh.sides]
    highway = mesh.highway.copy()
    highway[(mesh.highway == LANE) & (pair[:, 0] >= 0) & (pair[:, 0] == pair[:, 1])] = LIVING
    return compound, highway
