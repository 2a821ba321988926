"""`to_grids`: a plan and the polygons of its units -> one polygon per grid, with what there is to say about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.model.plan import Plan
from gridopt.model.result import Result
from gridopt.rules.metrics import deviations
from gridopt.territory.crs import to_metric
from gridopt.viz.map import plan_of
from gridopt.viz.shapes import align_units, dissolve

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["to_grids"]


def to_grids(plan: Plan | Result, units: GeoDataFrame) -> GeoDataFrame:
    """
    Dissolve the units of each grid.

    Parameters
    ----------
    plan : Plan or Result
        Grid of each unit.
    units : GeoDataFrame
        Polygons of the same units, indexed by unit id (rows in any order).

    Returns
    -------
    GeoDataFrame
        One row per grid, indexed by its text id (``grid``), in the coordinate system of `units`; columns

        - ``parent``: id of the parent it lies in, where the problem has parents;
        - ``exempt``: why no limits bind it (``"heavy"``, ``"light"``, ``"dedicated"``, ``"frozen"``), else ``""``;
        - ``n_units``: number of units;
        - for each workload ``x``, ``load_x`` in the user's units and ``deviation_x``, ``load / target - 1`` (missing
          for exempt grids);
        - ``area_m2``: square metres (degrees, feet and Web Mercator are projected for measuring, with a warning);
        - ``polsby_popper``: compactness, ``4 π area / perimeter²``, 1 for a circle.

    Raises
    ------
    InputError
        If `units` and the plan are not about the same ids.
    NoPlanError
        If the result has no plan.
    GeometryError
        If a unit is no polygon, or its coordinates do not fit the coordinate system.

    Notes
    -----
    Where units are a valid coverage, grids are one too, and cover exactly what the units cover: no coordinate changes.
    A grid whose units hang together by a link alone is a MultiPolygon. Plans over abstract graphs (rooms, tunnels,
    equipment) have no polygons; for them ``plan.to_series()`` and `summary` say everything. O(v log v) in vertices.

    Polsby & Popper (1991), "The third criterion", Yale Law & Policy Review 9.

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, shapely
    >>> graph = go.Graph.from_edges(3, [(0, 1), (1, 2)], ids=["a", "b", "c"])
    >>> units = gpd.GeoDataFrame(index=["a", "b", "c"], geometry=shapely.box([0, 1, 2], 0, [1, 2, 4], 1), crs=32650)
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 1, 2], n_grids=2), [0, 0, 1])
    >>> to_grids(plan, units)[["n_units", "load_workload", "area_m2"]].values.tolist()
    [[2.0, 2.0, 2.0], [1.0, 2.0, 2.0]]
    """
    import geopandas as gpd
    import pandas as pd

    plan = plan_of(plan)
    problem, nesting = plan.problem, plan.problem.nesting
    aligned = align_units(units, problem.graph.ids)
    index = pd.Index(plan.grid_ids, name="grid")
    shapes = dissolve(aligned.geometry.to_numpy(), plan.labels, problem.n_grids)
    metric = to_metric(gpd.GeoSeries(shapes, index=index, crs=aligned.crs), what="units")[0]
    area, perimeter = metric.area.to_numpy(), metric.length.to_numpy()
    share = np.where(problem.target > 0, deviations(plan), np.nan)
    columns: dict[str, Any] = {}
    if len(nesting.parents):
        columns["parent"] = nesting.parents[nesting.region_parent[nesting.grid_region]]
    reason = np.array(nesting.reason, dtype=object)[nesting.grid_region]
    columns["exempt"] = np.where(nesting.exempt, reason, "")
    columns["n_units"] = plan.sizes
    for a, name in enumerate(problem.attributes):
        columns[f"load_{name}"] = problem.in_user_units(plan.loads[:, a], a)
        columns[f"deviation_{name}"] = share[:, a]
    columns["area_m2"] = area
    columns["polsby_popper"] = 4 * np.pi * area / np.where(perimeter > 0, perimeter, np.inf) ** 2
    return gpd.GeoDataFrame(pd.DataFrame(columns, index=index), geometry=shapes, crs=aligned.crs)
