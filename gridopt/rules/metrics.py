"""Measures of a plan, one function each, and their summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InputError
from gridopt.model import Plan
from gridopt.rules.constraints import total_violation
from gridopt.rules.objective import cost_by_term

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["border_shares", "deviations", "gini", "imbalance", "plan_metrics", "straddled_share", "summary"]

ARTERIAL = "arterial"


def imbalance(loads: NDArray[np.int64]) -> float:
    """
    Largest relative deviation of a grid from the mean, ``max(abs(loads / mean(loads) - 1))``.

    Parameters
    ----------
    loads : ndarray of int64, shape (k,)
        Workload of each grid, in work units. Not modified.

    Returns
    -------
    float
        Dimensionless; 0 is perfect balance, 0.5 is a grid half above or half below its share.

    Raises
    ------
    InputError
        If `loads` is empty or sums to zero: there is no fair share to compare with.

    Examples
    --------
    >>> imbalance(np.array([50, 125, 125]))
    0.5
    """
    loads = np.asarray(loads)
    if not loads.size or not loads.sum():
        raise InputError("loads are empty or sum to 0: there is no fair share to compare with.")
    return float(np.abs(loads / loads.mean() - 1).max())


def gini(loads: NDArray[np.int64]) -> float:
    """
    Gini coefficient of the loads: 0 when all are equal, towards 1 when one grid has everything.

    Half the relative mean absolute difference (Gini 1912), by the sorted form. O(k log k).

    Examples
    --------
    >>> gini(np.array([1, 1, 1, 1]))
    0.0
    """
    ordered = np.sort(np.asarray(loads)).astype(np.float64)
    k = len(ordered)
    if not k or not ordered.sum():
        raise InputError("loads are empty or sum to 0: there is no fair share to compare with.")
    return float((2 * np.arange(1, k + 1) - k - 1) @ ordered / (k * ordered.sum()))


def deviations(plan: Plan) -> NDArray[np.float64]:
    """
    ``load / target - 1`` of each grid and attribute, shape (k, a); NaN for exempt grids and where the target is 0.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(3, [(0, 1), (1, 2)])
    >>> deviations(go.Plan(go.build_problem(graph, workload=[1, 1, 2], n_grids=2), [0, 0, 1])).tolist()
    [[0.0], [0.0]]
    """
    target = plan.problem.target
    share = plan.loads / np.where(target > 0, target, np.nan) - 1
    share[plan.problem.nesting.exempt] = np.nan
    return share


def border_shares(plan: Plan) -> dict[str, float]:
    """
    Share of the length of borders between grids that runs along each street class, and along ``"none"``.

    Returns
    -------
    dict of str to float
        Shares in [0, 1] that sum to 1; empty where no street classes are known or grids share no border.
    """
    graph = plan.problem.graph
    if not graph.classes:
        return {}
    cut = plan.labels[graph.edges[:, 0]] != plan.labels[graph.edges[:, 1]]
    total = int(graph.length[cut].sum())
    if not total:
        return {}
    along = graph.class_length[cut].sum(axis=0)
    shares = {name: int(v) / total for name, v in zip(graph.classes, along)}
    shares["none"] = (total - int(along.sum())) / total
    return shares


def straddled_share(plan: Plan, street_class: str = ARTERIAL) -> float | None:
    """Share of the length of borders along `street_class` that runs inside grids; None where there is none."""
    graph = plan.problem.graph
    if street_class not in graph.classes:
        return None
    length = graph.class_length[:, graph.classes.index(street_class)]
    if not length.sum():
        return None
    inside = plan.labels[graph.edges[:, 0]] == plan.labels[graph.edges[:, 1]]
    return float(length[inside].sum() / length.sum())


def plan_metrics(plan: Plan) -> dict[str, Any]:
    """
    Quality of a plan, always the same figures: balance on both sides, pieces, cost by term, borders on streets.

    Returns
    -------
    dict
        JSON-able. Balance is over grids that are not exempt: ``worst_over`` and ``worst_under`` are the largest
        deviation above and below target. ``on_streets`` is the share of border length along any street.
    """
    problem = plan.problem
    bound = ~problem.nesting.exempt
    metrics: dict[str, Any] = {
        "n_units": problem.n_units,
        "n_grids": problem.n_grids,
        "n_exempt": int((~bound).sum()),
        "pieces": int(plan.pieces().sum()),
        "violation": total_violation(problem, plan.labels) / 1e6,
    }
    share = deviations(plan)
    balance = {}
    for a, name in enumerate(problem.attributes):
        loads = plan.loads[bound, a]
        if not len(loads) or not loads.sum():
            continue
        mean = loads.mean()
        balance[name] = {
            "total": problem.in_user_units(int(plan.loads[:, a].sum()), a),
            "min": problem.in_user_units(int(loads.min()), a),
            "mean": problem.in_user_units(float(mean), a) if problem.resolution[a] != 1 else float(mean),
            "max": problem.in_user_units(int(loads.max()), a),
            "worst_over": max(0.0, float(np.nanmax(share[:, a]))),
            "worst_under": max(0.0, -float(np.nanmin(share[:, a]))),
            "cv": float(loads.std() / mean),
            "gini": gini(loads),
        }
    metrics["balance"] = balance
    metrics["cost"] = cost_by_term(problem, plan.labels)
    shares = border_shares(plan)
    if shares:
        metrics["border_shares"] = shares
        metrics["on_streets"] = 1 - shares["none"]
        metrics["arterial_inside"] = straddled_share(plan)
    return metrics


def summary(plan: Plan) -> pd.DataFrame:
    """
    One row per grid: parent, units, load and deviation by attribute, border on streets; plan-wide figures in ``attrs``.

    Parameters
    ----------
    plan : Plan
        Any plan.

    Returns
    -------
    DataFrame
        Indexed by grid id. ``load_*`` in the user's units; ``deviation_*`` is ``load / target - 1``, NaN where exempt;
        ``exempt`` is the reason, or empty. ``attrs["metrics"]`` holds `plan_metrics`.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    >>> problem = go.build_problem(graph, workload=[1, 2, 2, 1], n_grids=2)
    >>> summary(go.Plan(problem, [0, 0, 1, 1]))["load_workload"].tolist()
    [3, 3]
    """
    import pandas as pd

    problem = plan.problem
    nesting = problem.nesting
    table = pd.DataFrame(index=pd.Index(plan.grid_ids, name="grid"))
    if len(nesting.parents):
        table["parent"] = nesting.parents[nesting.region_parent[nesting.grid_region]]
    table["units"] = plan.sizes
    share = deviations(plan)
    for a, name in enumerate(problem.attributes):
        table[f"load_{name}"] = problem.in_user_units(plan.loads[:, a], a)
        table[f"deviation_{name}"] = share[:, a]
    table["border_m"] = _border_lengths(plan) / 10
    reasons = [nesting.reason[r] if e else "" for r, e in zip(nesting.grid_region, nesting.exempt)]
    table["exempt"] = reasons
    table.attrs["metrics"] = plan_metrics(plan)
    return table


def _border_lengths(plan: Plan) -> NDArray[np.int64]:
    """Length of the borders each grid shares with others, in decimetres, shape (k,)."""
    graph = plan.problem.graph
    u, v = plan.labels[graph.edges[:, 0]], plan.labels[graph.edges[:, 1]]
    cut = u != v
    total = np.zeros(plan.problem.n_grids, dtype=np.int64)
    np.add.at(total, u[cut], graph.length[cut])
    np.add.at(total, v[cut], graph.length[cut])
    return total
