"""Cost of a plan from scratch, term by term, in plain numpy: what every incremental kernel must agree with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError
from gridopt.model import Problem
from gridopt.rules.limits import MILLION, rows_of

__all__ = ["cost", "cost_by_term", "edge_prices", "inertia_xy"]


def cost(problem: Problem, labels: NDArray[np.int32]) -> int:
    """
    Weighted sum of the terms of the objective. O(n + m).

    Parameters
    ----------
    problem : Problem
        With its objective.
    labels : ndarray of int32, shape (n,)
        Grid of each unit.

    Returns
    -------
    int
        Cost, in the units of the edge costs. Violations are counted apart.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(3, [(0, 1), (1, 2)], costs=[5, 7])
    >>> cost(go.build_problem(graph, workload=[1, 1, 1], n_grids=2), np.array([0, 1, 1]))
    5
    """
    return sum(problem.objective[name] * value for name, value in cost_by_term(problem, labels).items())


def cost_by_term(problem: Problem, labels: NDArray[np.int32]) -> dict[str, int]:
    """
    Value of each term of the objective that has a weight, before weighting.

    Returns
    -------
    dict of str to int
        ``cut``: cost of edges between grids. ``edge_cost``: the user's own. ``unit_cost``: the user's cost of each unit
        in its grid. ``moved``: workload (first attribute) of units outside their grid in the plan in force.
        ``imbalance``: millionths of ``|load - target| / target``, over grids that are not exempt and attributes.
        ``inertia``: ``sum w d^2`` to the grid's mean centre (Hess et al. 1965), d in whole metres.
    """
    labels = np.asarray(labels)
    return {name: _TERMS[name](problem, labels) for name, weight in problem.objective.items() if weight}


def edge_prices(problem: Problem) -> NDArray[np.int64]:
    """Weighted price of each edge when it is cut: ``cut`` and ``edge_cost`` together. int64 of shape (m,)."""
    price = problem.graph.cost * problem.objective.get("cut", 0)
    if problem.edge_cost is not None:
        price = price + problem.edge_cost * problem.objective.get("edge_cost", 0)
    return price.astype(np.int64)


def inertia_xy(problem: Problem) -> NDArray[np.int64]:
    """Coordinates of the units in whole metres from the middle of the territory. int64 of shape (n, 2)."""
    if problem.graph.xy is None:
        raise InputError("objective 'inertia' needs coordinates: give the graph xy=.")
    xy = np.rint(problem.graph.xy).astype(np.int64)
    return xy - (xy.min(axis=0) + xy.max(axis=0)) // 2


def _is_cut(problem: Problem, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    edges = problem.graph.edges
    return labels[edges[:, 0]] != labels[edges[:, 1]]


def _cut(problem: Problem, labels: NDArray[np.int32]) -> int:
    return int(problem.graph.cost[_is_cut(problem, labels)].sum())


def _edge_cost(problem: Problem, labels: NDArray[np.int32]) -> int:
    return 0 if problem.edge_cost is None else int(problem.edge_cost[_is_cut(problem, labels)].sum())


def _unit_cost(problem: Problem, labels: NDArray[np.int32]) -> int:
    return 0 if problem.unit_cost is None else int(problem.unit_cost[np.arange(len(labels)), labels].sum())


def _moved(problem: Problem, labels: NDArray[np.int32]) -> int:
    if problem.incumbent is None:
        return 0
    away = (problem.incumbent >= 0) & (problem.incumbent != labels)
    return int(problem.workload[away, 0].sum())


def _imbalance(problem: Problem, labels: NDArray[np.int32]) -> int:
    loads = np.zeros_like(problem.lo)
    np.add.at(loads, labels, problem.workload)
    rows = rows_of(problem, labels)
    target = np.maximum(1, np.rint(problem.target[rows])).astype(np.int64)
    each = np.abs(loads - target) * MILLION // target
    return int(each[~problem.nesting.exempt[rows]].sum())


def _inertia(problem: Problem, labels: NDArray[np.int32]) -> int:
    xy, weight = inertia_xy(problem), problem.workload[:, 0]
    total = 0
    moments = np.zeros((problem.n_grids, 2), dtype=np.int64)
    loads = np.zeros(problem.n_grids, dtype=np.int64)
    np.add.at(moments, labels, xy * weight[:, None])
    np.add.at(loads, labels, weight)
    total = int(weight.astype(object) @ (xy.astype(object) ** 2).sum(axis=1))
    for (sx, sy), load in zip(moments.tolist(), loads.tolist()):
        if load:
            total -= (sx * sx + sy * sy) // load
    return total


_TERMS: dict[str, Callable[[Problem, NDArray[np.int32]], int]] = {
    "cut": _cut,
    "edge_cost": _edge_cost,
    "unit_cost": _unit_cost,
    "moved": _moved,
    "imbalance": _imbalance,
    "inertia": _inertia,
}
