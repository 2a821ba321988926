"""Graphs of other libraries: what of theirs is read, and what of ours is written, without importing them to read."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from gridopt.errors import GraphError
from gridopt.model._columns import KINDS

__all__ = ["from_networkx", "from_pysal", "to_networkx", "to_pysal", "with_lengths"]


def from_networkx(graph: Any, length: str, cost: str) -> dict[str, Any]:
    """Read arguments of `Graph.from_edges` off an undirected networkx graph."""
    if graph.is_directed() or graph.is_multigraph():
        raise GraphError("the networkx graph is directed or has parallel edges; convert it with networkx.Graph(g).")
    nodes = list(graph.nodes)
    if not all(isinstance(v, str | int) for v in nodes) or len({isinstance(v, str) for v in nodes}) > 1:
        nodes = [str(v) for v in nodes]
    where = {v: i for i, v in enumerate(graph.nodes)}
    data = list(graph.edges(data=True))
    columns = {
        name: [d[name] for *_, d in data] if data and all(name in d for *_, d in data) else None
        for name in (length, cost, "kind")
    }
    number = {name: i for i, name in enumerate(KINDS)}
    kinds = columns["kind"]
    kinds = [number[k] for k in kinds] if kinds and all(k in number for k in map(str, kinds)) else None
    edges = [(where[u], where[v]) for u, v, _ in data]
    return {
        "n": len(nodes),
        "edges": edges,
        "lengths": columns[length],
        "costs": columns[cost],
        "kinds": kinds,
        "ids": nodes,
    }


def with_lengths(graph: Any) -> Any:
    """Copy of a GerryChain graph whose metres ``shared_perim`` are decimetres ``length`` too."""
    plain = graph.copy()
    data = list(plain.edges(data=True))
    if data and all("shared_perim" in d for *_, d in data):
        for *_, d in data:
            d["length"] = round(float(d["shared_perim"]) * 10)
    return plain


def from_pysal(graph: Any) -> dict[str, Any]:
    """Read arguments of `Graph.from_edges` off a libpysal graph."""
    ids = list(graph.unique_ids)
    matrix = sparse.csr_matrix(graph.sparse)
    if abs(matrix - matrix.T).max() > 1e-6 if matrix.nnz else False:
        raise GraphError("the libpysal graph is not symmetric; symmetrise it before.")
    upper = sparse.triu(matrix, k=0).tocoo()
    upper.eliminate_zeros()
    pairs = np.column_stack([upper.row, upper.col])
    binary = bool((upper.data == 1).all())
    lengths = None if binary else np.rint(upper.data * 10).astype(np.int64)
    return {"n": len(ids), "edges": pairs, "lengths": lengths, "ids": ids}


def to_networkx(graph: Any) -> Any:
    """Make a networkx graph of a `Graph`, with all edge columns."""
    import networkx as nx

    ids = graph.ids.tolist()
    made: Any = nx.Graph()
    made.add_nodes_from(ids)
    columns: dict[str, list[Any]] = {
        "length": graph.length.tolist(),
        "shared_perim": (graph.length / 10).tolist(),
        "cost": graph.cost.tolist(),
        "kind": [KINDS[k] for k in graph.kind.tolist()],
    }
    for c, name in enumerate(graph.classes):
        columns[f"along_{name}"] = graph.class_length[:, c].tolist()
    names = list(columns)
    for (u, v), values in zip(graph.edges.tolist(), zip(*columns.values())):
        made.add_edge(ids[u], ids[v], **dict(zip(names, values)))
    return made


def to_pysal(graph: Any) -> Any:
    """Make a libpysal graph of a `Graph`, weighted by metres of border, or by 1 where some edge has no length."""
    from libpysal.graph import Graph as PysalGraph

    metres = graph.length / 10 if graph.n_edges and (graph.length > 0).all() else np.ones(graph.n_edges)
    alone = np.flatnonzero(np.diff(graph.indptr) == 0)
    u, v = graph.edges[:, 0], graph.edges[:, 1]
    focal = np.concatenate([u, v, alone])
    order = np.lexsort((np.concatenate([v, u, alone]), focal))
    return PysalGraph.from_arrays(
        graph.ids[focal[order]],
        graph.ids[np.concatenate([v, u, alone])[order]],
        np.concatenate([metres, metres, np.zeros(len(alone))])[order],
    )
