"""How a plan looks in QGIS: grids and their units in the colours of the map, deviations, borders on and off streets."""

from __future__ import annotations

import numpy as np

from gridopt.io.qgis import Line, Range, Style, categorised, graduated
from gridopt.model.graph import BORDER
from gridopt.model.plan import Plan
from gridopt.viz.colours import PALETTE, colour_parts

__all__ = ["plan_styles"]

BELOW, NEAR, ABOVE = ("#3f7fb5", "#a9cbe3"), "#f2efe4", ("#f0b48a", "#b5432a")
INK, PAPER = "#1d2733", "#ffffff"
OFF, PARTLY, ON = "#b5432a", "#d9a441", "#3b4a5a"
FAR = 1e9
"""Further than any deviation, as a share of the target."""


def plan_styles(plan: Plan) -> list[Style]:
    """
    Make the styles of the layers ``grids``, ``units`` and ``borders`` of a plan.

    Parameters
    ----------
    plan : Plan
        Its grids get the six colours of the map, neighbours different ones.

    Returns
    -------
    list of Style
        Grids and units by grid (units follow when their column ``grid`` is edited), grids by the deviation of each
        workload, borders by how much of them runs on streets.

    Examples
    --------
    >>> import gridopt as go
    >>> plan = go.Plan(go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[1, 1], n_grids=2), [0, 1])
    >>> [(style.layer, style.name) for style in plan_styles(plan)]
    [('grids', 'grids'), ('grids', 'deviation of workload'), ('units', 'units by grid'), ('borders', 'on streets')]
    """
    graph, problem = plan.problem.graph, plan.problem
    ends = plan.labels[graph.edges[graph.kind == BORDER]]
    colour = colour_parts(problem.n_grids, ends[ends[:, 0] != ends[:, 1]])
    colours = {str(name): PALETTE[c] for name, c in zip(plan.grid_ids, colour)}
    styles = [Style("grids", "grids", categorised("grid", colours, outline=Line(INK, 0.5), label="grid"))]
    for a, name in enumerate(problem.attributes):
        qml = graduated(
            f"deviation_{name}", _deviations(problem.lo, problem.hi, problem.target, a), outline=Line(INK, 0.3)
        )
        styles.append(Style("grids", f"deviation of {name}"[:30], qml, "Blue is light, red is heavy."))
    styles.append(Style("units", "units by grid", categorised("grid", colours, outline=Line(PAPER, 0.1))))
    on_streets = [
        Range(0, 0.5, OFF, "mostly off streets"),
        Range(0.5, 0.95, PARTLY, "partly"),
        Range(0.95, 1, ON, "on"),
    ]
    styles.append(Style("borders", "on streets", graduated("on_streets", on_streets, width=0.8)))
    return styles


def _deviations(lo: np.ndarray, hi: np.ndarray, target: np.ndarray, a: int) -> list[Range]:
    """Five ranges: beyond the limits, and in thirds of them within."""
    bound = target[:, a] > 0
    allowed = 0.05
    if bound.any():
        widest = np.maximum(hi[bound, a] / target[bound, a] - 1, 1 - lo[bound, a] / target[bound, a])
        allowed = float(np.clip(np.median(widest), 1e-6, 1.0))
    near = allowed / 3
    return [
        Range(-FAR, -allowed, BELOW[0], f"below -{allowed:.1%}"),
        Range(-allowed, -near, BELOW[1], f"-{allowed:.1%} to -{near:.1%}"),
        Range(-near, near, NEAR, f"within {near:.1%}"),
        Range(near, allowed, ABOVE[0], f"{near:.1%} to {allowed:.1%}"),
        Range(allowed, FAR, ABOVE[1], f"above {allowed:.1%}"),
    ]
