"""Graph: units (or clusters of them) and who borders whom, as symmetric CSR with edge columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt._validate import MAX_COST, as_ids, frozen
from gridopt.errors import Finding, GraphError
from gridopt.model import _exchange
from gridopt.model._columns import KINDS, check_edges, check_range, read_column, read_count, read_pairs, read_xy, shaped

__all__ = ["BORDER", "CROSSING", "KINDS", "LINK", "Graph"]

BORDER, CROSSING, LINK = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Graph:
    """
    An undirected graph of units, without loops or parallel edges. Build it with a ``from_*`` constructor.

    Parameters
    ----------
    edges : ndarray of int32, shape (m, 2)
        Positions of the two ends, the smaller first, rows in lexicographic order.
    length : ndarray of int64, shape (m,)
        Border length in decimetres; 0 for links.
    cost : ndarray of int64, shape (m,)
        What it costs when the two ends lie in different grids; at least 1.
    kind : ndarray of int8, shape (m,)
        `BORDER`, `CROSSING` or `LINK`.
    ids : ndarray of int64 or object (text), shape (n,)
        The user's id of each unit.
    class_length : ndarray of int64, shape (m, c)
        Border length in decimetres along each street class of `classes`; what is along no street is the rest.
    classes : tuple of str
        Names of the street classes.
    streets : ndarray of object (text), shape (m,), or None
        Names of the streets along each edge, longest first, joined by ``"; "``; empty where none is known.
    xy : ndarray of float64, shape (n, 2), or None
        A point inside each unit, metres in a projected system.
    findings : tuple of Finding
        What was noticed while building.
    indptr, indices, edge_idx : ndarray
        The symmetric CSR form, derived: neighbours of ``u`` are ``indices[indptr[u]:indptr[u + 1]]``, ascending, along
        the edges ``edge_idx[...]``. int64 of shape (n + 1,), int32 and int32 of shape (2 m,).

    Examples
    --------
    >>> graph = Graph.from_edges(3, [(0, 1), (1, 2)], lengths=[500, 800], ids=["a", "b", "c"])
    >>> graph.n_units, graph.n_edges, graph.length.tolist()
    (3, 2, [500, 800])

    """

    edges: NDArray[np.int32]
    length: NDArray[np.int64]
    cost: NDArray[np.int64]
    kind: NDArray[np.int8]
    ids: NDArray[Any]
    class_length: NDArray[np.int64]
    classes: tuple[str, ...] = ()
    streets: NDArray[Any] | None = None
    xy: NDArray[np.float64] | None = None
    findings: tuple[Finding, ...] = ()
    indptr: NDArray[np.int64] = field(init=False)
    indices: NDArray[np.int32] = field(init=False)
    edge_idx: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self._freeze()
        indptr, indices, edge_idx = _symmetric_csr(self.n_units, self.edges)
        for name, value in (("indptr", indptr), ("indices", indices), ("edge_idx", edge_idx)):
            object.__setattr__(self, name, value)

    def _freeze(self) -> None:
        types = {"edges": np.int32, "length": np.int64, "cost": np.int64, "kind": np.int8, "class_length": np.int64}
        for name, dtype in types.items():
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
        if self.xy is not None:
            object.__setattr__(self, "xy", frozen(self.xy, np.float64))
        if self.streets is not None:
            object.__setattr__(self, "streets", frozen(self.streets, object))
        object.__setattr__(self, "ids", frozen(self.ids, self.ids.dtype))

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Graph):
            return NotImplemented
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self) if f.name != "findings"]
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a is b or a == b for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    @property
    def n_units(self) -> int:
        """Number of units (nodes), ``n``."""
        return len(self.ids)

    @property
    def n_edges(self) -> int:
        """Number of undirected edges, ``m``."""
        return len(self.edges)

    def __repr__(self) -> str:
        return f"Graph({self.n_units} units, {self.n_edges} edges)"

    # ---- constructors -------------------------------------------------------------------------------------------

    @classmethod
    def from_edges(
        cls,
        n: int,
        edges: ArrayLike,
        lengths: ArrayLike | None = None,
        costs: ArrayLike | None = None,
        *,
        kinds: ArrayLike | None = None,
        ids: Any = None,
        xy: ArrayLike | None = None,
        class_lengths: ArrayLike | None = None,
        classes: Sequence[str] = (),
        streets: ArrayLike | None = None,
        findings: Sequence[Finding] = (),
    ) -> Graph:
        """
        Build a graph from a list of undirected edges, each given once.

        Parameters
        ----------
        n : int
            Number of units.
        edges : array_like of int, shape (m, 2)
            Positions of the ends of each edge, in ``[0, n)``, in any order.
        lengths : array_like of int, shape (m,), optional
            Border lengths in decimetres; 0 where absent.
        costs : array_like of int, shape (m,), optional
            Edge costs, at least 1. Default: `lengths` where given (at least 1), else 1 an edge.
        kinds : array_like of int, shape (m,), optional
            `BORDER` (default), `CROSSING` or `LINK`.
        ids : sequence of str or int, optional
            Unit ids; default ``0 … n - 1``.
        xy : array_like of float, shape (n, 2), optional
            A point inside each unit, projected metres.
        class_lengths, classes, streets, findings
            See the class.

        Raises
        ------
        GraphError
            If an edge has an end outside ``[0, n)``, is a loop, is given twice, or costs less than 1; if a column has
            another shape, numbers that are not whole or sum to more than 2**60, or coordinates that are not finite.
        InputError
            If ids are null or repeated.

        Examples
        --------
        >>> graph = Graph.from_edges(3, [(0, 1), (2, 1)], ids=["a", "b", "c"])
        >>> graph.indices[graph.indptr[1]:graph.indptr[2]].tolist()
        [0, 2]

        """
        n = read_count(n)
        ids = np.arange(n, dtype=np.int64) if ids is None else as_ids(ids, n)
        pairs = read_pairs(edges)
        m = len(pairs)
        order = check_edges(n, pairs, ids)
        pairs = np.sort(pairs, axis=1)[order]
        length = read_column(lengths, m, "lengths", 0)[order]
        cost = np.maximum(length, 1) if costs is None else read_column(costs, m, "costs", 1)[order]
        kind = read_column(kinds, m, "kinds", BORDER)[order]
        check_range(length, "length", 0, MAX_COST, pairs, ids)
        check_range(cost, "cost", 1, MAX_COST, pairs, ids)
        check_range(kind, "kind", BORDER, LINK, pairs, ids)
        by_class = np.zeros((m, len(classes)), dtype=np.int64)
        if class_lengths is not None:
            by_class = shaped(class_lengths, by_class.shape, "class_lengths", np.int64)[order]
        return cls(
            edges=pairs.astype(np.int32),
            length=length,
            cost=cost,
            kind=kind.astype(np.int8),
            ids=ids,
            class_length=by_class,
            classes=tuple(classes),
            streets=None if streets is None else shaped(streets, (m,), "streets", object)[order],
            xy=None if xy is None else read_xy(xy, ids),
            findings=tuple(findings),
        )

    @classmethod
    def from_csr(
        cls, indptr: ArrayLike, indices: ArrayLike, weights: ArrayLike | None = None, ids: Any = None
    ) -> Graph:
        """
        Build a graph from symmetric CSR arrays, as METIS and scipy hold them; `weights` become edge costs.

        Raises
        ------
        GraphError
            If the arrays are inconsistent, or an edge or its weight is not the same in both directions.

        Examples
        --------
        >>> Graph.from_csr([0, 1, 2], [1, 0])
        Graph(2 units, 1 edges)

        """
        ptr, idx = np.asarray(indptr, dtype=np.int64), np.asarray(indices, dtype=np.int64)
        n = len(ptr) - 1
        if n < 0 or ptr[0] != 0 or ptr[-1] != len(idx) or (np.diff(ptr) < 0).any():
            raise GraphError(f"indptr must rise from 0 to {len(idx)}, the number of indices.")
        rows = np.repeat(np.arange(n), np.diff(ptr))
        weight = np.ones(len(idx), dtype=np.int64) if weights is None else read_column(weights, len(idx), "weights", 1)
        if len(idx) and (idx.min() < 0 or idx.max() >= n):
            raise GraphError(f"indices must lie in [0, {n}); found {idx.min()} to {idx.max()}.")
        forward, backward = np.lexsort((idx, rows)), np.lexsort((rows, idx))
        odd = (rows[forward] != idx[backward]) | (idx[forward] != rows[backward])
        odd |= weight[forward] != weight[backward]
        if odd.any():
            e = forward[np.flatnonzero(odd)[0]]
            raise GraphError(
                f"the graph is not symmetric (first seen at {rows[e]} - {idx[e]}): list each edge from both ends, "
                "with the same weight."
            )
        half = rows <= idx
        return cls.from_edges(n, np.column_stack([rows[half], idx[half]]), costs=weight[half], ids=ids)

    @classmethod
    def from_networkx(cls, graph: Any, *, length: str = "length", cost: str = "cost") -> Graph:
        """
        Build a graph from an undirected `networkx.Graph`; node names become ids (integers or text).

        Parameters
        ----------
        graph : networkx.Graph
            Directed graphs and multigraphs are refused.
        length, cost : str
            Edge attributes to read, in decimetres and in cost units; used where every edge has them, and so is
            ``kind``, as `to_networkx` writes it.

        Examples
        --------
        >>> import networkx as nx
        >>> Graph.from_networkx(nx.path_graph(4))
        Graph(4 units, 3 edges)

        """
        return cls.from_edges(**_exchange.from_networkx(graph, length, cost))

    @classmethod
    def from_pysal(cls, graph: Any) -> Graph:
        """
        Build a graph from a `libpysal.graph.Graph`; its weights, rounded, become lengths where they are metres.

        Binary weights give costs of 1. Other weights (``by_perimeter=True``) are read as metres of shared border.

        Examples
        --------
        >>> from libpysal.graph import Graph as PysalGraph
        >>> Graph.from_pysal(PysalGraph.from_dicts({"a": ["b"], "b": ["a"]}))
        Graph(2 units, 1 edges)

        """
        return cls.from_edges(**_exchange.from_pysal(graph))

    @classmethod
    def from_gerrychain(cls, graph: Any) -> Graph:
        """
        Build a graph from a GerryChain graph (a networkx graph); ``shared_perim`` is read as metres of border.

        Examples
        --------
        >>> import networkx as nx
        >>> dual = nx.Graph()
        >>> dual.add_edge(0, 1, shared_perim=12.5)
        >>> Graph.from_gerrychain(dual).length.tolist()
        [125]

        """
        return cls.from_networkx(_exchange.with_lengths(graph))

    def to_networkx(self) -> Any:
        """
        Return a `networkx.Graph`: ids as nodes, ``length`` (dm), ``shared_perim`` (m), ``cost``, ``kind`` on edges.

        Along with ``along_<class>`` (dm) for each street class. `from_networkx` and `from_gerrychain` read it again.

        Examples
        --------
        >>> Graph.from_edges(2, [(0, 1)], [125], ids=["a", "b"]).to_networkx().edges["a", "b"]["shared_perim"]
        12.5

        """
        return _exchange.to_networkx(self)

    def to_pysal(self) -> Any:
        """
        Return a `libpysal.graph.Graph`, weighted by metres of border, or by 1 where some edge has no length.

        Examples
        --------
        >>> Graph.from_edges(3, [(0, 1)], [125], ids=["a", "b", "c"]).to_pysal().isolates.tolist()
        ['c']

        """
        return _exchange.to_pysal(self)

    # ---- measures and derived graphs ----------------------------------------------------------------------------

    def components(self) -> NDArray[np.int32]:
        """
        Component of each unit, numbered by their smallest unit position. int32 of shape (n,); O(n + m).

        Examples
        --------
        >>> Graph.from_edges(4, [(0, 2)]).components().tolist()
        [0, 1, 0, 2]

        """
        return components(self.n_units, self.edges)

    def subgraph(self, positions: ArrayLike) -> Graph:
        """
        Return the graph induced by the units at `positions`, in the order given; edge columns come along.

        Examples
        --------
        >>> Graph.from_edges(3, [(0, 1), (1, 2)]).subgraph([2, 1]).ids.tolist()
        [2, 1]

        """
        keep = np.asarray(positions, dtype=np.int64)
        new = np.full(self.n_units, -1, dtype=np.int64)
        new[keep] = np.arange(len(keep))
        inside = (new[self.edges] >= 0).all(axis=1)
        return Graph.from_edges(
            len(keep),
            new[self.edges[inside]],
            self.length[inside],
            self.cost[inside],
            kinds=self.kind[inside],
            ids=self.ids[keep],
            xy=None if self.xy is None else self.xy[keep],
            class_lengths=self.class_length[inside],
            classes=self.classes,
            streets=None if self.streets is None else self.streets[inside],
        )

    def contract(self, cluster: ArrayLike) -> Graph:
        """
        Merge the units of each cluster into one; lengths and costs between two clusters add up.

        Parameters
        ----------
        cluster : array_like of int, shape (n,)
            Cluster of each unit, ``0 … c - 1``, each used. A cluster's id is that of its smallest unit position.

        Examples
        --------
        >>> Graph.from_edges(3, [(0, 1), (0, 2), (1, 2)]).contract([0, 1, 1]).cost.tolist()
        [2]

        """
        group = np.asarray(cluster, dtype=np.int64)
        n = int(group.max()) + 1 if len(group) else 0
        _, first = np.unique(group, return_index=True)
        if len(first) != n:
            raise GraphError(f"clusters must be numbered 0 … {n - 1} without gaps.")
        pairs = np.sort(group[self.edges], axis=1)
        between = pairs[:, 0] != pairs[:, 1]
        unique, inverse = np.unique(pairs[between] @ np.array([n, 1]), return_inverse=True)
        total = [np.zeros(len(unique), dtype=np.int64) for _ in range(2)]
        by_class = np.zeros((len(unique), len(self.classes)), dtype=np.int64)
        np.add.at(total[0], inverse, self.length[between])
        np.add.at(total[1], inverse, self.cost[between])
        np.add.at(by_class, inverse, self.class_length[between])
        kind = np.full(len(unique), LINK, dtype=np.int8)
        np.minimum.at(kind, inverse, self.kind[between])
        return Graph.from_edges(
            n,
            np.column_stack([unique // n, unique % n]) if n else np.empty((0, 2), dtype=np.int64),
            total[0],
            total[1],
            kinds=kind,
            ids=self.ids[first],
            xy=None if self.xy is None else self.xy[first],
            class_lengths=by_class,
            classes=self.classes,
        )

    def with_links(self, pairs: ArrayLike, cost: int = 1) -> Graph:
        """Return the graph with an edge of kind `LINK` for each pair of positions that is not an edge yet."""
        extra = np.sort(np.asarray(pairs, dtype=np.int64).reshape(-1, 2), axis=1)
        extra = np.unique(extra, axis=0)
        have = self.edges.astype(np.int64) @ np.array([self.n_units, 1])
        extra = extra[~np.isin(extra @ np.array([self.n_units, 1]), have)]
        more = len(extra)
        return Graph.from_edges(
            self.n_units,
            np.concatenate([self.edges, extra]),
            np.concatenate([self.length, np.zeros(more, dtype=np.int64)]),
            np.concatenate([self.cost, np.full(more, cost, dtype=np.int64)]),
            kinds=np.concatenate([self.kind, np.full(more, LINK, dtype=np.int8)]),
            ids=self.ids,
            xy=self.xy,
            class_lengths=np.concatenate([self.class_length, np.zeros((more, len(self.classes)), dtype=np.int64)]),
            classes=self.classes,
            streets=None if self.streets is None else np.concatenate([self.streets, np.full(more, "", dtype=object)]),
            findings=self.findings,
        )


def components(n: int, edges: NDArray[Any]) -> NDArray[np.int32]:
    """Component of each of `n` nodes joined by `edges`, numbered by their smallest node. O(n + m)."""
    if not len(edges):
        return np.arange(n, dtype=np.int32)
    matrix = sparse.coo_matrix((np.ones(len(edges), dtype=np.int8), (edges[:, 0], edges[:, 1])), shape=(n, n))
    count, raw = csgraph.connected_components(matrix, directed=False)
    first = first_places(raw, count)
    if (first[:-1] < first[1:]).all():
        return raw.astype(np.int32)
    return np.argsort(np.argsort(first))[raw].astype(np.int32)


def first_places(labels: NDArray[Any], k: int) -> NDArray[np.int64]:
    """
    Position at which each label ``0 … k - 1`` comes first, the number of labels where it does not. O(n + k).

    Examples
    --------
    >>> first_places(np.array([1, 0, 1]), 3).tolist()
    [1, 0, 3]
    """
    first = np.full(k, len(labels), dtype=np.int64)
    first[labels[::-1]] = np.arange(len(labels) - 1, -1, -1)  # of repeated indices the last one counts
    return first


def _symmetric_csr(n: int, edges: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """CSR of sorted edges: backward halves before forward ones, so that neighbours come out ascending. O(n + m)."""
    m = len(edges)
    rows = np.concatenate([edges[:, 1], edges[:, 0]])
    cols = np.concatenate([edges[:, 0], edges[:, 1]])
    edge_idx = np.tile(np.arange(m, dtype=np.int32), 2)
    matrix = sparse.coo_matrix((edge_idx, (rows, cols)), shape=(n, n)).tocsr()
    return frozen(matrix.indptr, np.int64), frozen(matrix.indices, np.int32), frozen(matrix.data, np.int32)
