"""Variables of the labelling model: which node lies in which part, which edges are cut, which nodes may come first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Facts", "Variables", "first_nodes", "make_variables", "read_facts"]


@dataclass(frozen=True, eq=False)
class Facts:
    """
    A piece as plain Python lists, which is what building a model needs.

    Parameters
    ----------
    n, k : int
        Nodes and parts.
    near : list of lists of int
        Neighbours of each node, ascending.
    edges : list of (int, int)
        Each edge once, the smaller end first.
    price : list of int
        Price of cutting each edge.
    work : list of lists of int
        Workload of each node by attribute.
    lo, hi, target : list of lists of int
        Limits and targets of each part by attribute.
    fixed : list of int
        Part of each node, -1 where free.
    apart : list of (int, int)
        Pairs of nodes that never share a part.
    """

    n: int
    k: int
    near: list[list[int]]
    edges: list[tuple[int, int]]
    price: list[int]
    work: list[list[int]]
    lo: list[list[int]]
    hi: list[list[int]]
    target: list[list[int]]
    fixed: list[int]
    apart: list[tuple[int, int]]

    @property
    def width(self) -> int:
        """Number of attributes."""
        return len(self.lo[0])


def read_facts(piece: Any) -> Facts:
    """Read a piece."""
    n = len(piece.indptr) - 1
    edges, price = _once(piece.indptr, piece.indices, piece.weights)
    apart, _ = _once(piece.apart_indptr, piece.apart_indices, None)
    cuts = np.asarray(piece.indptr)[1:-1]
    near = [part.tolist() for part in np.split(np.asarray(piece.indices), cuts)] if n else []
    plain = {name: np.asarray(getattr(piece, name)).tolist() for name in ("lo", "hi", "target", "fixed")}
    return Facts(n, len(piece.lo), near, edges, price, np.asarray(piece.workload).tolist(), apart=apart, **plain)


def _once(indptr: Any, indices: Any, values: Any) -> tuple[list[tuple[int, int]], list[int]]:
    """Entries of a symmetric CSR matrix above the diagonal."""
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    upper = rows < np.asarray(indices)[: len(rows)]
    pairs = list(zip(rows[upper].tolist(), np.asarray(indices)[: len(rows)][upper].tolist()))
    return pairs, [] if values is None else np.asarray(values)[upper].tolist()


@dataclass(frozen=True, eq=False)
class Variables:
    """
    Literals and integers of one model.

    Parameters
    ----------
    x : list of lists of literals
        ``x[u][j]``: node u lies in part j.
    cut : list of literals
        ``cut[e]``: the ends of edge e lie in different parts.
    price : list of (variable, int)
        Terms of the objective.
    """

    x: list[list[Any]]
    cut: list[Any]
    price: list[tuple[Any, int]] = field(default_factory=list)


def make_variables(model: Any, facts: Facts) -> Variables:
    """
    Make ``x[u][j]`` and ``cut[e]``, tied to each other.

    ``sum_j x[u][j] = 1``;  ``cut[e] >= x[u][j] - x[v][j]`` and back for each part j (Ferreira et al., Math.
    Programming 74, 1996);  ``cut[e] + x[u][j] + x[v][j] <= 2``.
    """
    x = [[model.new_bool_var(f"x_{u}_{j}") for j in range(facts.k)] for u in range(facts.n)]
    for row in x:
        model.add_exactly_one(row)
    cut = [model.new_bool_var(f"cut_{u}_{v}") for u, v in facts.edges]
    for literal, (u, v) in zip(cut, facts.edges):
        for a, b in zip(x[u], x[v]):
            model.add_bool_or(literal, ~a, b)
            model.add_bool_or(literal, a, ~b)
            model.add_bool_or(~literal, ~a, ~b)
    return Variables(x, cut)


def first_nodes(facts: Facts) -> NDArray[np.int64]:
    """
    Nodes of which every part holds at least one, few of them, heaviest first.

    The other nodes hang together in components lighter than every lower limit, so that no part fits among them
    (the B-decreasing order of Validi & Buchanan, Math. Prog. Comp. 14, 2022). Light nodes are left out greedily.
    """
    parent = list(range(facts.n))
    out = [False] * facts.n
    work = [row[0] for row in facts.work]
    load = list(work)
    least = min(row[0] for row in facts.lo)

    def find(u: int) -> int:
        while parent[u] != u:
            parent[u] = parent[parent[u]]
            u = parent[u]
        return u

    for u in sorted(range(facts.n), key=lambda u: (work[u], u)):
        roots = {find(v) for v in facts.near[u] if out[v]}
        total = work[u] + sum(load[r] for r in roots)
        if total < least:
            out[u] = True
            for r in roots:
                parent[r] = u
            load[u] = total
    return np.array(sorted((u for u in range(facts.n) if not out[u]), key=lambda u: (-work[u], u)), dtype=np.int64)
