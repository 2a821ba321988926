"""Draws for property tests: small connected graphs, workloads, limits, locks, problems, pieces."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

import gridopt as go
from gridopt.errors import InputError


@st.composite
def connected_edges(draw: st.DrawFn, n: int, max_extra: int = 6) -> list[tuple[int, int]]:
    """Edges of a connected graph: a random tree and a few more."""
    edges = {(draw(st.integers(0, v - 1)), v) for v in range(1, n)}
    others = [e for e in combinations(range(n), 2) if e not in edges]
    if others:
        edges |= set(draw(st.lists(st.sampled_from(others), max_size=max_extra, unique=True)))
    return sorted(edges)


@st.composite
def graphs(draw: st.DrawFn, min_units: int = 2, max_units: int = 8, connected: bool = True) -> Any:
    """A Graph with costs of 1 … 9 an edge; with `connected=False` perhaps in two components."""
    n = draw(st.integers(min_units, max_units))
    edges = draw(connected_edges(n))
    if not connected and n >= 4 and draw(st.booleans()):
        edges = [(u, v) for u, v in edges if (u < n // 2) == (v < n // 2)]
    costs = draw(st.lists(st.integers(1, 9), min_size=len(edges), max_size=len(edges)))
    ids = [f"u{i}" for i in range(n)]
    return go.Graph.from_edges(n, np.array(edges, dtype=np.int64).reshape(-1, 2), costs=costs, ids=ids)


@st.composite
def locks(draw: st.DrawFn, ids: list[str], k: int) -> Any:
    """A few locks over units, perhaps contradictory."""
    group = st.lists(st.sampled_from(ids), min_size=2, max_size=3, unique=True)
    kinds = draw(st.lists(st.sampled_from(["together", "apart", "fixed", "dedicated", "frozen"]), max_size=2))
    given: dict[str, Any] = {"together": [], "apart": [], "dedicated": [], "fixed": {}, "frozen": {}}
    for kind in kinds:
        if kind == "fixed":
            for unit in draw(group):
                given["fixed"][unit] = draw(st.integers(0, k - 1))
        elif kind == "dedicated":
            given["dedicated"].append([draw(st.sampled_from(ids))])
        elif kind == "frozen":
            given["frozen"][draw(st.integers(0, k - 1))] = draw(st.lists(st.sampled_from(ids), min_size=1, max_size=2))
        else:
            given[kind].append(draw(group))
    return go.Locks(**given)


@st.composite
def problems(draw: st.DrawFn, max_units: int = 8, locked: bool = True, soft: bool = False) -> Any:
    """A Problem on few units: tolerance or band, perhaps parents, several workloads, locks, terms of the objective."""
    graph = draw(graphs(max_units=max_units, connected=not draw(st.booleans())))
    n, ids = graph.n_units, graph.ids.tolist()
    k = draw(st.integers(1, min(n, 4)))
    width = draw(st.sampled_from([1, 1, 1, 2]))
    work = np.array(draw(st.lists(st.integers(0, 9), min_size=n * width, max_size=n * width))).reshape(n, width)
    work[0] += 1
    options: dict[str, Any] = {"n_grids": k, "heavy": draw(st.sampled_from(["own_grid", "strict"])), "soft": soft}
    if draw(st.booleans()):
        options["tolerance"] = draw(st.sampled_from([0, 0.1, 0.3, 0.6]))
    else:
        low = draw(st.integers(0, 12))
        options["band"] = (low, low + draw(st.integers(0, 9)))
    if draw(st.integers(0, 3)) == 0:
        options["parent"] = np.array([ids[u] < ids[n // 2] for u in range(n)]).astype(int).astype(str)
    if locked:
        options["locks"] = draw(locks(ids, k))
    terms = draw(st.sampled_from([{"cut": 1}, {"cut": 2, "imbalance": 1}, {"cut": 1, "unit_cost": 3}]))
    if "unit_cost" in terms:
        prices = draw(st.lists(st.integers(0, 9), min_size=n * k, max_size=n * k))
        options["unit_cost"] = np.array(prices).reshape(n, k)
    options["objective"] = terms
    workload = work[:, 0] if width == 1 else work
    try:
        return go.build_problem(graph, workload, **options)
    except InputError:
        return go.build_problem(graph, workload, n_grids=graph.components().max() + 1, tolerance=0.5, soft=soft)


@dataclass(frozen=True, eq=False)
class PlainPiece:
    """The fields of a piece and nothing else: what the exact solver and the oracle read."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: NDArray[np.int64]
    workload: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    target: NDArray[np.int64]
    fixed: NDArray[np.int32]
    apart_indptr: NDArray[np.int64]
    apart_indices: NDArray[np.int32]
    unit_cost: NDArray[np.int64]
    home: NDArray[np.int32]
    away_cost: NDArray[np.int64]
    imbalance_weight: int = 0
    inertia_weight: int = 0
    xy: NDArray[np.int64] | None = None


def plain_piece(
    n: int, edges: Any, workload: Any, lo: Any, hi: Any, weights: Any = None, apart: Any = (), **fields: Any
) -> PlainPiece:
    """Build a piece from edges (u, v) once each; `lo` and `hi` of shape (k,) or (k, a)."""
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    price = np.ones(len(pairs), dtype=np.int64) if weights is None else np.asarray(weights, dtype=np.int64)
    indptr, indices, price = _symmetric(n, pairs, price)
    apart_indptr, apart_indices, _ = _symmetric(n, np.asarray(apart, dtype=np.int64).reshape(-1, 2), None)
    work = np.asarray(workload, dtype=np.int64).reshape(n, -1)
    low, high = (np.asarray(x, dtype=np.int64).reshape(-1, work.shape[1]) for x in (lo, hi))
    given = {
        "target": np.maximum(1, np.tile(work.sum(axis=0) // len(low), (len(low), 1))),
        "fixed": np.full(n, -1, dtype=np.int32),
        "unit_cost": np.zeros((0, 0), dtype=np.int64),
        "home": np.full(n, -1, dtype=np.int32),
        "away_cost": np.zeros(n, dtype=np.int64),
        "xy": np.zeros((0, 2), dtype=np.int64),
        **fields,
    }
    return PlainPiece(
        indptr=indptr,
        indices=indices.astype(np.int32),
        weights=price,
        workload=work,
        lo=low,
        hi=high,
        apart_indptr=apart_indptr,
        apart_indices=apart_indices.astype(np.int32),
        **given,
    )


def _symmetric(n: int, pairs: NDArray[Any], values: NDArray[Any] | None) -> tuple[Any, Any, Any]:
    rows = np.concatenate([pairs[:, 0], pairs[:, 1]])
    columns = np.concatenate([pairs[:, 1], pairs[:, 0]])
    order = np.lexsort((columns, rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))]).astype(np.int64)
    return indptr, columns[order], None if values is None else np.concatenate([values, values])[order]


@st.composite
def pieces(draw: st.DrawFn, max_nodes: int = 8) -> PlainPiece:
    """A connected piece of few nodes: limits that may differ by part, fixed and apart nodes, every priced term."""
    n = draw(st.integers(2, max_nodes))
    edges = draw(connected_edges(n))
    k = draw(st.integers(1, min(n, 4)))
    width = draw(st.sampled_from([1, 1, 2]))

    def ints(low: int, high: int, *shape: int) -> NDArray[np.int64]:
        size = int(np.prod(shape))
        return np.array(draw(st.lists(st.integers(low, high), min_size=size, max_size=size))).reshape(shape)

    work = ints(0, 9, n, width)
    mean = work.sum(axis=0) // k
    slack = draw(st.integers(0, 6))
    lo, hi = np.tile(np.maximum(0, mean - slack), (k, 1)), np.tile(mean + slack + 1, (k, 1))
    if draw(st.integers(0, 3)) == 0:
        hi = hi + ints(0, 4, k, width)
    fields: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        fixed = np.full(n, -1, dtype=np.int32)
        fixed[draw(st.integers(0, n - 1))] = draw(st.integers(0, k - 1))
        fixed[draw(st.integers(0, n - 1))] = draw(st.integers(0, k - 1))
        fields["fixed"] = fixed
    if draw(st.integers(0, 3)) == 0:
        fields["unit_cost"] = ints(0, 9, n, k)
    if draw(st.integers(0, 3)) == 0:
        fields["home"], fields["away_cost"] = ints(-1, k - 1, n).astype(np.int32), ints(0, 9, n)
    if draw(st.integers(0, 2)) == 0:
        fields["imbalance_weight"] = draw(st.integers(1, 3))
    pairs = list(combinations(range(n), 2))
    apart = draw(st.lists(st.sampled_from(pairs), max_size=2, unique=True)) if draw(st.booleans()) else []
    return plain_piece(n, edges, work, lo, hi, ints(0, 20, len(edges)), apart, **fields)
