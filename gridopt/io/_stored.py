"""Graph and problem of a plan, back from its layers and ``plan.json``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import positions_of, to_work_units
from gridopt.errors import InputError
from gridopt.io._layers import along
from gridopt.model.graph import KINDS, Graph
from gridopt.model.problem import Nesting, Problem

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["digest", "document_of", "graph_from", "problem_from"]


def document_of(problem: Problem, grids: NDArray[Any]) -> dict[str, Any]:
    """
    All of a problem that is not one value per unit or edge, as plain JSON values; loads are in work units.

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[5, 5], n_grids=2)
    >>> document_of(problem, go.model.grid_ids(2))["grids"][0]
    {'id': 'G001', 'region': 0, 'lo': [5], 'hi': [5], 'target': [5.0]}
    """
    nesting, ids = problem.nesting, problem.graph.ids
    return {
        "attributes": [{"name": a, "resolution": str(r)} for a, r in zip(problem.attributes, problem.resolution)],
        "grids": [
            {"id": str(name), "region": region, "lo": lo, "hi": hi, "target": target}
            for name, region, lo, hi, target in zip(
                grids, nesting.grid_region.tolist(), problem.lo.tolist(), problem.hi.tolist(), problem.target.tolist()
            )
        ],
        "regions": [
            {"parent": parent, "reason": reason}
            for parent, reason in zip(nesting.region_parent.tolist(), nesting.reason)
        ],
        "parents": nesting.parents.tolist(),
        "classes": list(problem.graph.classes),
        "apart": ids[problem.apart].tolist() if len(problem.apart) else [],
        "objective": {k: int(v) for k, v in problem.objective.items()},
        "interchangeable": bool(problem.interchangeable),
        "soft": bool(problem.soft),
        "parameters": dict(problem.parameters),
    }


def graph_from(adjacency: pd.DataFrame, table: pd.DataFrame, classes: list[str]) -> Graph:
    """Rebuild the graph from the layers `adjacency` and `problem`; ids are those of `problem`, in its order."""
    ids = ids_of(table["unit"])
    n = len(ids)
    ends = [_positions(adjacency[side], ids) for side in "uv"]
    names = {name: i for i, name in enumerate(KINDS)}
    odd = sorted(set(adjacency["kind"]) - set(names), key=str)
    if odd:
        raise InputError(f"layer adjacency has edges of the kind {odd[0]!r}; kinds are {', '.join(KINDS)}.")
    streets = None
    if "streets" in adjacency.columns:
        streets = [v if isinstance(v, str) else "" for v in adjacency["streets"]]
    return Graph.from_edges(
        n,
        np.column_stack(ends),
        adjacency["length"].to_numpy(),
        adjacency["cost"].to_numpy(),
        kinds=[names[k] for k in adjacency["kind"]],
        ids=ids,
        xy=table[["x", "y"]].to_numpy() if "x" in table.columns else None,
        class_lengths=np.column_stack([adjacency[along(c)].to_numpy() for c in classes]) if classes else None,
        classes=classes,
        streets=streets,
    )


def problem_from(
    document: Mapping[str, Any],
    graph: Graph,
    table: pd.DataFrame,
    adjacency: pd.DataFrame,
    units: pd.DataFrame,
) -> Problem:
    """Rebuild the problem; workload comes from the columns of `units`, which is in the order of the graph."""
    stored = document["grids"]
    grids = np.array([grid["id"] for grid in stored], dtype=object)
    names = tuple(a["name"] for a in document["attributes"])
    sizes = tuple(Fraction(a["resolution"]) for a in document["attributes"])
    columns = [a["column"] for a in document["attributes"]]
    workload = [to_work_units(units[c].to_numpy(), graph.ids, c, size, "zero") for c, size in zip(columns, sizes)]
    a = len(names)
    order = _edge_order(adjacency, graph)
    terms = {k: int(v) for k, v in document["objective"].items() if k != "unit_cost"}
    problem = Problem(
        graph=graph,
        workload=np.column_stack(workload),
        attributes=names,
        resolution=sizes,
        lo=np.array([grid["lo"] for grid in stored], dtype=np.int64).reshape(-1, a),
        hi=np.array([grid["hi"] for grid in stored], dtype=np.int64).reshape(-1, a),
        target=np.array([grid["target"] for grid in stored], dtype=np.float64).reshape(-1, a),
        nesting=Nesting(
            table["region"].to_numpy(dtype=np.int32),
            np.array([grid["region"] for grid in stored], dtype=np.int32),
            np.array([region["parent"] for region in document["regions"]], dtype=np.int32),
            ids_of(document["parents"]),
            tuple(region["reason"] for region in document["regions"]),
        ),
        fixed=_labels(table["fixed"], grids),
        together=table["together"].to_numpy(dtype=np.int32),
        apart=np.array(
            [positions_of(pair, graph.ids, "plan.json (apart)") for pair in document["apart"]], dtype=np.int32
        ).reshape(-1, 2),
        interchangeable=document["interchangeable"],
        objective=terms,
        edge_cost=adjacency["edge_cost"].to_numpy(dtype=np.int64)[order] if "edge_cost" in adjacency.columns else None,
        incumbent=_labels(table["incumbent"], grids) if "incumbent" in table.columns else None,
        soft=document["soft"],
        parameters=dict(document.get("parameters", {})),
    )
    nesting = problem.nesting
    for what, numbers, n in (
        ("region", nesting.region, nesting.n_regions),
        ("region of a grid", nesting.grid_region, nesting.n_regions),
        ("parent", nesting.region_parent, max(1, len(nesting.parents))),
    ):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < n:
            raise ValueError(f"a {what} lies outside 0 … {n - 1}")
    return problem


def digest(*arrays: Any) -> str:
    """
    SHA-256 over arrays of numbers or text, for telling whether anything changed; independent of dtype and machine.

    Examples
    --------
    >>> digest([1, 2]) == digest([1, 2]), digest([1, 2]) == digest([2, 1])
    (True, False)
    """
    total = hashlib.sha256()
    for array in arrays:
        total.update("\x1f".join(map(str, np.asarray(array).ravel().tolist())).encode() + b"\x1e")
    return total.hexdigest()


def ids_of(values: Any) -> NDArray[Any]:
    """Ids as int64 or as text, the way `Graph` holds them."""
    array = np.asarray(values, dtype=object)
    if len(array) and all(isinstance(v, int | np.integer) for v in array):
        return array.astype(np.int64)
    return array


def _labels(column: Any, grids: NDArray[Any]) -> NDArray[np.int32]:
    row = {name: j for j, name in enumerate(grids)}
    return np.array([row.get(v, -1) if isinstance(v, str) else -1 for v in column], dtype=np.int32)


def _positions(column: Any, ids: NDArray[Any]) -> NDArray[np.int64]:
    if not len(column):
        return np.empty(0, dtype=np.int64)
    return positions_of(ids_of(column), ids, "layer adjacency")


def _edge_order(adjacency: pd.DataFrame, graph: Graph) -> NDArray[np.int64]:
    """Order that sorts the rows of the layer the way the graph sorts its edges."""
    ends = [_positions(adjacency[side], graph.ids) for side in "uv"]
    pairs = np.sort(np.column_stack(ends), axis=1)
    return np.lexsort((pairs[:, 1], pairs[:, 0]))
