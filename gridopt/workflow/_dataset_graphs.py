"""Graphs of data sets that are drawn from a formula: lattices, a plain city in communities, many small communities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.model.graph import Graph
from gridopt.territory.synthetic import SPACING_M, plain_city

__all__ = ["communities", "lattice", "nested_city"]

Drawn = tuple[Graph, NDArray[np.int64]]

ROWS, COLUMNS = 5, 6
"""Units of a small community, on a lattice."""
LEFT_OUT = {20_000: (7_584, 8_268, 9_865, 10_720, 19_743, *range(20_005, 20_010))}
"""
Of so many communities asked for, those drawn with them and left out: three have no plan of five grids within 0.1
(proved), two neither plan nor proof after 90 seconds; the last five make the number round.
"""


def lattice(side: int, seed: int = 0) -> Drawn:
    """
    A square lattice with four neighbours, each edge costing 1; workload lognormal(3, 0.8), rounded, at least 1.

    Examples
    --------
    >>> graph, workload = lattice(20)
    >>> graph.n_units, graph.n_edges, workload.shape
    (400, 760, (400,))
    """
    n = side * side
    x, y = np.arange(n) % side, np.arange(n) // side
    right, up = np.flatnonzero(x < side - 1), np.flatnonzero(y < side - 1)
    edges = np.concatenate([np.column_stack([right, right + 1]), np.column_stack([up, up + side])])
    xy = np.column_stack([x, y]) * SPACING_M
    workload = _workload(n, np.random.default_rng(seed))
    return Graph.from_edges(n, edges, costs=np.ones(len(edges), dtype=np.int64), xy=xy), workload


def nested_city(n: int, rows: int, columns: int, seed: int = 0) -> tuple[Graph, NDArray[np.int64], NDArray[np.int64]]:
    """
    A plain city whose units belong to connected communities, one around each of ``rows * columns`` centres.

    Returns graph, workload, and the community of each unit. The square is divided into `rows` times `columns` fields;
    one unit of each, drawn at random, is a centre; every unit joins the centre that is nearest along the graph, so
    that communities hang together.

    Examples
    --------
    >>> graph, workload, community = nested_city(900, 3, 4)
    >>> graph.n_units, len(set(community.tolist()))
    (900, 12)
    """
    graph, workload = plain_city(n, seed)
    xy = np.asarray(graph.xy)
    share = (xy - xy.min(axis=0)) / (np.ptp(xy, axis=0) + 1)
    field = (share[:, 1] * rows).astype(np.int64) * columns + (share[:, 0] * columns).astype(np.int64)
    drawn = np.random.default_rng(seed).permutation(n)
    centres = drawn[np.unique(field[drawn], return_index=True)[1]]
    step = np.linalg.norm(np.diff(xy[graph.edges], axis=1)[:, 0], axis=1)
    matrix = sparse.csr_matrix((step, (graph.edges[:, 0], graph.edges[:, 1])), shape=(n, n))
    nearest = csgraph.dijkstra(matrix, directed=False, indices=centres, min_only=True, return_predecessors=True)[2]
    return graph, workload, np.searchsorted(np.sort(centres), nearest).astype(np.int64)


def communities(count: int, seed: int = 0) -> tuple[Graph, NDArray[np.int64], NDArray[np.int64]]:
    """
    Many small connected planar communities of 30 units without edges between them.

    Returns graph, workload, and the community of each unit. A community is a lattice of 5 times 6 with one diagonal in
    each square, direction drawn; border lengths gamma(3, 30) m, workload lognormal(3, 0.8), rounded, at least 1, as in
    the plain city. No edge is taken away: with a fifth fewer, one community in 250 has no plan within 0.1. What
    `LEFT_OUT` names is drawn too, and left out.

    Examples
    --------
    >>> graph, workload, community = communities(10)
    >>> graph.n_units, int(graph.components().max()) + 1, int(community[-1])
    (300, 10, 9)
    """
    rng = np.random.default_rng(seed)
    size = ROWS * COLUMNS
    wanted, left_out = count, LEFT_OUT.get(count, ())
    count += len(left_out)
    n = count * size
    unit = np.arange(size).reshape(ROWS, COLUMNS)
    lines = [np.column_stack([unit[:, :-1].ravel(), unit[:, 1:].ravel()])]
    lines += [np.column_stack([unit[:-1].ravel(), unit[1:].ravel()])]
    rising = np.stack([unit[:-1, :-1].ravel(), unit[1:, 1:].ravel()], axis=1)
    falling = np.stack([unit[:-1, 1:].ravel(), unit[1:, :-1].ravel()], axis=1)
    start = (np.arange(count) * size)[:, None, None]
    straight = np.concatenate(lines)[None] + start
    diagonal = np.where(rng.random((count, len(rising), 1)) < 0.5, rising, falling) + start
    edges = np.concatenate([straight, diagonal], axis=1).reshape(-1, 2)
    edges = edges[np.lexsort((edges[:, 1], edges[:, 0]))]
    border_m = rng.gamma(3.0, 30.0, len(edges))
    length, cost = (np.maximum(np.rint(border_m * factor), 1).astype(np.int64) for factor in (10, 1))
    workload = _workload(n, rng)
    kept = ~np.isin(np.repeat(np.arange(count), size), left_out)
    place = np.cumsum(kept) - 1
    within = kept[edges[:, 0]]
    edges, length, cost = place[edges[within]], length[within], cost[within]
    count, n = wanted, wanted * size
    community = np.repeat(np.arange(count), size)
    side = int(np.ceil(np.sqrt(count)))
    corner = np.column_stack([np.arange(count) % side, np.arange(count) // side]) * np.array([COLUMNS + 2, ROWS + 2])
    inside = np.column_stack([np.arange(size) % COLUMNS, np.arange(size) // COLUMNS])
    xy = (np.repeat(corner, size, axis=0) + np.tile(inside, (count, 1))) * SPACING_M
    return Graph.from_edges(n, edges, length, cost, xy=xy), workload[kept], community


def _workload(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.maximum(np.rint(rng.lognormal(3.0, 0.8, n)), 1).astype(np.int64)
