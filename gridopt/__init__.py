"""
Contiguous grids of equal workload whose borders follow streets: build them, check them, prove them.

Names resolve on first use, so that importing gridopt is quick and loads neither numba, geopandas nor OR-Tools.

Examples
--------
>>> import gridopt as go
>>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
>>> problem = go.build_problem(graph, workload=[2, 1, 1, 2], n_grids=2, tolerance=0.05)
>>> go.solve(problem, steps=1000).plan.labels.tolist()
[0, 0, 1, 1]
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Finding": "gridopt.errors",
    "GeometryError": "gridopt.errors",
    "Graph": "gridopt.model.graph",
    "GraphError": "gridopt.errors",
    "GridoptError": "gridopt.errors",
    "InputError": "gridopt.errors",
    "InternalError": "gridopt.errors",
    "Located": "gridopt.territory.locate",
    "Locks": "gridopt.model.problem",
    "NoPlanError": "gridopt.errors",
    "Parents": "gridopt.territory.parents",
    "Plan": "gridopt.model.plan",
    "Problem": "gridopt.model.problem",
    "Repaired": "gridopt.territory.repair",
    "Result": "gridopt.model.result",
    "Shift": "gridopt.territory.shift",
    "Spread": "gridopt.territory.spread",
    "Status": "gridopt.model.result",
    "Why": "gridopt.territory.why",
    "assign_parents": "gridopt.territory.parents",
    "build_blocks": "gridopt.territory.blocks",
    "build_graph": "gridopt.territory.adjacency",
    "build_problem": "gridopt.rules.build",
    "cells_around": "gridopt.territory.spread",
    "check": "gridopt.rules.check",
    "check_streets": "gridopt.territory.blocks",
    "compare": "gridopt.planning.compare",
    "compile": "gridopt.solvers.warm",
    "crosswalk": "gridopt.workflow.crosswalk",
    "draw_map": "gridopt.viz.map",
    "draw_moves": "gridopt.viz.moves",
    "find_shift": "gridopt.territory.shift",
    "inherit": "gridopt.workflow.inherit",
    "inspect_units": "gridopt.territory.defects",
    "locate": "gridopt.territory.locate",
    "merged_faces": "gridopt.territory.merged",
    "place": "gridopt.territory.places",
    "place_at": "gridopt.territory.places",
    "read_plan": "gridopt.io.plan_file",
    "rebalance": "gridopt.planning.rebalance",
    "repair_units": "gridopt.territory.repair",
    "save_plan": "gridopt.workflow.plan_files",
    "solve": "gridopt.solvers.solve",
    "solve_many": "gridopt.solvers.many",
    "spread": "gridopt.territory.spread",
    "summary": "gridopt.rules.metrics",
    "to_grids": "gridopt.workflow.grids",
    "to_wgs84": "gridopt.territory.datum",
    "verify": "gridopt.rules.verify",
    "why": "gridopt.territory.why",
}
_MODULES = {"datasets": "gridopt.workflow.datasets", "synthetic": "gridopt.territory.synthetic"}

__all__ = sorted([*_HOME, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = importlib.import_module(_MODULES[name])
    else:
        raise AttributeError(f"module 'gridopt' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
