"""`save_plan`: a result and its units -> the files of a plan, with the layers `grids` and `borders`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridopt.errors import Finding
from gridopt.io.plan_file import write_plan
from gridopt.model.plan import Plan
from gridopt.model.result import Result, Status
from gridopt.planning.lineage import Lineage
from gridopt.rules.metrics import plan_metrics
from gridopt.rules.objective import cost
from gridopt.rules.verify import verify
from gridopt.viz.map import plan_of
from gridopt.workflow.borders import borders
from gridopt.workflow.grids import to_grids
from gridopt.workflow.styles import plan_styles

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["save_plan"]


def save_plan(
    path: str | os.PathLike[str],
    result: Result | Plan,
    units: pd.DataFrame,
    *,
    inputs: Mapping[str, str | os.PathLike[str]] | None = None,
    findings: Sequence[Finding] = (),
    moves: pd.DataFrame | None = None,
    lineage: Lineage | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Path, ...]:
    """
    Write a plan with everything that belongs to it: units, grids, borders, adjacency, findings, metrics.

    Parameters
    ----------
    path : str or path
        The GeoPackage, ``….gpkg``; ``….csv`` and ``….json`` are written beside it.
    result : Result, Rebalanced or Plan
        A result that has a plan. Of a plan alone, as edited by hand, status and cost are computed here.
    units : GeoDataFrame or DataFrame
        The units of the plan, indexed by unit id, with all columns that are to be kept. Without geometry (an abstract
        graph) the layers ``grids`` and ``borders`` are left out.
    inputs : mapping of str to path, optional
        Files that were read, ``FILE`` or ``FILE:layer``, by what they are for; their hashes are recorded.
    findings : sequence of Finding
        What else is to be kept, besides the findings of the problem and the exceptions of the result.
    moves : DataFrame, optional
        ``compare(before, plan).moves``, for the layer ``moves``: the units that moved, with their polygons.
    lineage : Lineage, optional
        What the grids descend from: ``Lineage.from_dict(read.document["lineage"]).after(compare(…).lineage(1))``.
        Without it a line of plans begins with this one, and ids that were retired before may be given again.
    options : mapping, optional
        How the input was read, for ``plan.json``.

    Returns
    -------
    tuple of Path
        The files written; all appear, or the old ones stay.

    Raises
    ------
    NoPlanError
        If the result has no plan.
    InputError
        If the units are not those of the plan, or a file cannot be written.
    GeometryError
        If a unit is no polygon.

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, shapely, tempfile
    >>> graph = go.Graph.from_edges(2, [(0, 1)], [10], ids=["a", "b"])
    >>> units = gpd.GeoDataFrame(index=["a", "b"], geometry=shapely.box([0, 1], 0, [1, 2], 1), crs=32650)
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 1], n_grids=2), [0, 1])
    >>> files = save_plan(Path(tempfile.mkdtemp()) / "plan.gpkg", go.Result(go.Status.FEASIBLE, "shown", plan), units)
    >>> [file.name for file in files]
    ['plan.gpkg', 'plan.csv', 'plan.json']
    """
    result = getattr(result, "result", result)  # of `rebalance`
    plan = plan_of(result)
    shaped = hasattr(units, "geometry")
    return write_plan(
        path,
        result if isinstance(result, Result) else _as_result(plan),
        units,
        grids=to_grids(plan, units) if shaped else None,
        borders=borders(plan, units) if shaped else None,
        inputs=inputs,
        findings=findings,
        metrics=plan_metrics(plan),
        styles=plan_styles(plan) if shaped else (),
        moves=None if moves is None else _with_shapes(moves, units),
        lineage=None if lineage is None else lineage.as_dict(),
        options=options,
    )


def _with_shapes(moves: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """The moves with the polygons of the units, where they have any; `order` is the order they can be made in."""
    table = moves.reset_index(drop=True)
    if "order" not in table.columns:
        table.insert(0, "order", range(1, len(table) + 1))
    if not hasattr(units, "geometry"):
        return table
    import geopandas as gpd

    shapes = units.geometry.loc[table["unit"].tolist()]
    return gpd.GeoDataFrame(table, geometry=shapes.to_numpy(), crs=units.crs)


def _as_result(plan: Plan) -> Result:
    """Say of a plan that no search made what can be said of it."""
    broken = tuple(verify(plan.problem, plan))
    status = Status.VIOLATED if broken else Status.FEASIBLE
    reason = "Written from a plan, without a search."
    return Result(status, reason, plan, cost(plan.problem, plan.labels), exceptions=broken)
