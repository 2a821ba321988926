"""The lines between grids: how long, along which streets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.model.plan import Plan
from gridopt.territory.crs import to_metric
from gridopt.viz.shapes import align_units, dissolve, lines_between

if TYPE_CHECKING:
    import pandas as pd
    from geopandas import GeoDataFrame

__all__ = ["borders"]


def borders(plan: Plan, units: GeoDataFrame) -> GeoDataFrame:
    """
    Lines between grids, one row for each two grids that share one.

    Parameters
    ----------
    plan : Plan
        Grid of each unit.
    units : GeoDataFrame
        Polygons of the same units, indexed by unit id.

    Returns
    -------
    GeoDataFrame
        Rows in the order of the grids; columns

        - ``grid_a``, ``grid_b``: ids of the two grids, ``grid_a`` the smaller;
        - ``length_m``: length of the drawn line in metres (degrees and feet are projected to measure, with a warning);
        - ``cost``: what the graph charges for it, in cost units, links between the two grids included;
        - ``streets``: names of the streets along it, the longest first, joined by ``"; "`` (where the graph knows any);
        - ``on_streets``: share of the length along streets of any class, in ``[0, 1]``; ``share_<class>`` for each
          class. Missing where the graph has no edge along the line, as at a barrier nobody crosses.

    Raises
    ------
    InputError
        If `units` and the plan are not about the same ids.
    GeometryError
        If a unit is no polygon, or its coordinates do not fit the coordinate system.

    Notes
    -----
    The drawn line comes from the polygons, everything about streets from the edges of the graph. Grids joined by a link
    alone share no line and have no row. Only lines that two polygons really share are found, so where layers were
    digitised apart (gaps, overlaps) a line is shorter than people would say. O(b log b) in border vertices.

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go, shapely
    >>> graph = go.Graph.from_edges(2, [(0, 1)], [10], ids=["a", "b"])
    >>> units = gpd.GeoDataFrame(index=["a", "b"], geometry=shapely.box([0, 1], 0, [1, 2], 1), crs=32650)
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 1], n_grids=2), [0, 1])
    >>> borders(plan, units)[["grid_a", "grid_b", "length_m"]].values.tolist()
    [['G001', 'G002', 1.0]]
    """
    import geopandas as gpd

    aligned = align_units(units, plan.problem.graph.ids)
    k = plan.problem.n_grids
    pairs, lines = lines_between(dissolve(aligned.geometry.to_numpy(), plan.labels, k))
    drawn = gpd.GeoSeries(lines, crs=aligned.crs)
    columns: dict[str, Any] = {
        "grid_a": plan.grid_ids[pairs[:, 0]],
        "grid_b": plan.grid_ids[pairs[:, 1]],
        "length_m": to_metric(drawn, what="units")[0].length.to_numpy() if len(drawn) else np.empty(0),
    }
    known = _edge_columns(plan).reindex(pairs @ np.array([k, 1]))
    known["cost"] = known["cost"].fillna(0).astype(np.int64)
    known["streets"] = known["streets"].fillna("")
    columns.update({name: known[name].to_numpy() for name in known.columns})
    return gpd.GeoDataFrame(columns, geometry=drawn)


def _edge_columns(plan: Plan) -> pd.DataFrame:
    """Cost, streets and class shares of the edges between each two grids, indexed by ``a * k + b``."""
    import pandas as pd

    graph, k = plan.problem.graph, plan.problem.n_grids
    ends = np.sort(plan.labels[graph.edges], axis=1).astype(np.int64)
    cut = ends[:, 0] != ends[:, 1]
    key = (ends @ np.array([k, 1]))[cut]
    table = pd.DataFrame({"cost": graph.cost[cut]}).groupby(key).sum()
    length = pd.Series(graph.length[cut]).groupby(key).sum().astype(float)
    length = length.where(length > 0)
    by_class = pd.DataFrame(graph.class_length[cut], columns=list(graph.classes)).groupby(key).sum()
    table["streets"] = _street_names(graph.streets, cut, key, graph.length).reindex(table.index, fill_value="")
    table["on_streets"] = by_class.sum(axis=1) / length
    for name in graph.classes:
        table[f"share_{name}"] = by_class[name] / length
    return table


def _street_names(
    streets: NDArray[Any] | None, cut: NDArray[np.bool_], key: NDArray[np.int64], length: NDArray[np.int64]
) -> pd.Series[Any]:
    """Street names of the edges between two grids, longest first; an edge's length counts for each of its names."""
    import pandas as pd

    if streets is None:
        return pd.Series([], index=pd.Index([], dtype=np.int64), dtype=object)
    rows = pd.DataFrame({"key": key, "length": length[cut], "name": [str(s).split("; ") for s in streets[cut]]})
    rows = rows.explode("name")
    named = rows[rows["name"] != ""].groupby(["key", "name"])["length"].sum().reset_index()
    rows = named.sort_values(["key", "length", "name"], ascending=[True, False, True])
    return rows.groupby("key")["name"].agg("; ".join)
