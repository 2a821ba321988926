"""
Knapsack-tree inequalities: what the limits alone say about how much must be cut, found by rounds of linear programs.

For a tree T with root r whose nodes weigh more than the largest upper limit, ``beta = w(T) - hi > 0``: the part of r
leaves at least beta of T outside, so ``sum_e min(beta, w(below e)) cut[e] >= beta`` over the edges of T. The most
violated trees are shortest-path trees by the present values of `cut` (Ferreira, Martin, de Souza, Weismantel & Wolsey,
Math. Programming 81, 1998, sect. 3). Without them the linear relaxation is worthless: x = 1/k cuts nothing.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from gridopt.solvers.exact.variables import Facts

__all__ = ["CutBound", "TreeCut", "find_tree_cuts"]

VIOLATED = 1e-5
"""Least violation, as a share of the right side, worth a cut."""
SLACK = 0.15
"""Cuts with more slack than this share of their right side are dropped between rounds."""
UNLIMITED = 1e6
"""From so many seconds on linear programs have no limit of time, so that equal calls give equal cuts."""
SCALE = 2**24
"""Duals are rounded to this fraction before the bound is computed from them in whole numbers."""


@dataclass(frozen=True)
class TreeCut:
    """``sum_e coefficient[e] cut[e] >= least``, in whole numbers. A cycle is one too: ``path - edge >= 0``."""

    edges: tuple[int, ...]
    coefficients: tuple[int, ...]
    least: int

    @property
    def scale(self) -> int:
        """What the row is divided by in the linear program."""
        return max(1, self.least)


@dataclass(frozen=True)
class CutBound:
    """Cuts that are tight at the end, and the bound on the price of cut edges that they prove."""

    cuts: tuple[TreeCut, ...]
    bound: int


def find_tree_cuts(
    facts: Facts, *, rounds: int = 40, seconds: float = 5.0, stop: Callable[[], bool] | None = None
) -> CutBound:
    """
    Find knapsack-tree and cycle inequalities that bound the price of all cut edges from below.

    Parameters
    ----------
    facts : Facts
        Edge prices are at least 0.
    rounds : int
        Most linear programs solved.
    seconds : float
        Wall time.
    stop : callable, optional
        Asked between roots and linear programs; True ends the search for cuts.

    Returns
    -------
    CutBound
        The bound is computed from rounded duals in whole numbers, so no error of doubles is in it.
    """
    price, ends = np.array(facts.price, dtype=np.float64), time.monotonic() + seconds

    def over() -> bool:
        return time.monotonic() > ends or (stop is not None and stop())

    cuts: list[TreeCut] = []
    value, bound = np.zeros(len(price)), 0
    around = _around(facts)
    for _ in range(rounds if len(price) else 0):
        known = set(cuts)
        new = [c for c in dict.fromkeys(_violated(facts, around, value, over)) if c not in known]
        if not new or over():
            break
        cuts = [*(c for c in cuts if _slack(c, value) < SLACK), *new]
        matrix, right = _rows(cuts, len(price))
        limit = {"time_limit": max(0.01, ends - time.monotonic())} if seconds < UNLIMITED else {}
        answer = linprog(price, A_ub=-matrix, b_ub=-right, bounds=(0, 1), method="highs", options=limit)
        if answer.status != 0:
            break
        value = np.clip(answer.x, 0, 1)
        bound = max(bound, _safe_bound(facts, cuts, -answer.ineqlin.marginals))
    return CutBound(tuple(c for c in cuts if _slack(c, value) < 1e-4), bound)


def _around(facts: Facts) -> list[list[tuple[int, int]]]:
    """Neighbour and edge, for each node."""
    around: list[list[tuple[int, int]]] = [[] for _ in range(facts.n)]
    for e, (u, v) in enumerate(facts.edges):
        around[u].append((v, e))
        around[v].append((u, e))
    return around


def _violated(
    facts: Facts, around: list[list[tuple[int, int]]], value: NDArray[np.float64], over: Callable[[], bool]
) -> list[TreeCut]:
    """Inequalities that `value` breaks: a tree for each root and attribute, and the shortest cycle of each edge."""
    most = [max(row[a] for row in facts.hi) for a in range(facts.width)]
    price = value.tolist()
    found = []
    for root in range(facts.n):
        if over():
            break
        distance, before, order = _shortest_tree(around, price, root)
        for a in range(facts.width):
            held = sum(facts.work[u][a] * (1 - distance[u]) for u in order)
            if held > most[a] * (1 + VIOLATED) + VIOLATED:
                cut = _tree_cut(facts, a, most[a], order, before)
                if _slack(cut, value) < -VIOLATED:
                    found.append(cut)
        for v, e in around[root]:
            if v > root and v in distance and price[e] > distance[v] + VIOLATED:
                path = []
                while v != root:
                    v, step = before[v]
                    path.append(step)
                found.append(TreeCut((*path, e), (1,) * len(path) + (-1,), 0))
    return found


def _shortest_tree(
    around: list[list[tuple[int, int]]], price: list[float], root: int
) -> tuple[dict[int, float], dict[int, tuple[int, int]], list[int]]:
    """Distances below 1 from `root`, the node and edge before each, and the nodes in order of distance (Dijkstra)."""
    distance, before = {root: 0.0}, {}
    done: set[int] = set()
    order, heap = [], [(0.0, root)]
    while heap:
        d, u = heapq.heappop(heap)
        if u in done:
            continue
        done.add(u)
        order.append(u)
        for v, e in around[u]:
            new = d + price[e]
            if new < 1 - 1e-9 and v not in done and new < distance.get(v, 2.0) - 1e-12:
                distance[v], before[v] = new, (u, e)
                heapq.heappush(heap, (new, v))
    return distance, before, order


def _tree_cut(facts: Facts, a: int, most: int, order: list[int], before: dict[int, tuple[int, int]]) -> TreeCut:
    below = {u: facts.work[u][a] for u in order}
    beta = sum(below.values()) - most
    coefficient = {}
    for u in reversed(order[1:]):
        up, e = before[u]
        below[up] += below[u]
        if below[u]:
            coefficient[e] = min(below[u], beta)
    edges = tuple(sorted(coefficient))
    return TreeCut(edges, tuple(coefficient[e] for e in edges), beta)


def _slack(cut: TreeCut, value: NDArray[np.float64]) -> float:
    return float(value[list(cut.edges)] @ np.array(cut.coefficients) - cut.least) / cut.scale


def _rows(cuts: list[TreeCut], m: int) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    columns = [e for cut in cuts for e in cut.edges]
    values = [c / cut.scale for cut in cuts for c in cut.coefficients]
    indptr = np.concatenate([[0], np.cumsum([len(cut.edges) for cut in cuts])])
    right = np.array([cut.least / cut.scale for cut in cuts])
    return sparse.csr_matrix((values, columns, indptr), shape=(len(cuts), m)), right


def _safe_bound(facts: Facts, cuts: list[TreeCut], duals: NDArray[np.float64]) -> int:
    """
    Bound that rounded duals y prove: ``y b + sum_e min(0, c_e - (y A)_e)``, since 0 <= cut[e] <= 1.

    Valid for any y >= 0; whole numbers throughout.
    """
    reduced = [p * SCALE for p in facts.price]
    total = 0
    for cut, dual in zip(cuts, duals.tolist()):
        y = int(dual / cut.scale * SCALE)
        if y > 0:
            total += y * cut.least
            for e, c in zip(cut.edges, cut.coefficients):
                reduced[e] -= y * c
    total += sum(r for r in reduced if r < 0)
    return max(0, -(-total // SCALE))
