"""Tables of a plan as GeoPackage layers: what the format cannot hold is made fit, and said."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.errors import Finding
from gridopt.model.graph import KINDS, Graph
from gridopt.model.problem import Problem, grid_ids

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["adjacency_table", "along", "findings_table", "fit_columns", "problem_table", "write_layers"]

RESERVED = ("unit", "grid")
"""Columns of the layer `units` that are ours."""
MOST_IDS = 1000
"""Ids of one finding spelled out in a file; its value says how many there are."""


def along(street_class: str) -> str:
    """Column of the layer `adjacency` that holds the decimetres along a street class."""
    return f"along_{street_class}"


def adjacency_table(graph: Graph, edge_cost: Any = None) -> pd.DataFrame:
    """
    One row per edge: ``u``, ``v`` (unit ids), ``length`` (dm), ``cost``, ``kind``, ``streets``, ``along_<class>`` (dm).

    Examples
    --------
    >>> table = adjacency_table(Graph.from_edges(2, [(0, 1)], [40], ids=["a", "b"]))
    >>> table[["u", "v", "length", "cost", "kind"]].values.tolist()
    [['a', 'b', 40, 40, 'border']]
    """
    import pandas as pd

    columns: dict[str, Any] = {
        "u": graph.ids[graph.edges[:, 0]],
        "v": graph.ids[graph.edges[:, 1]],
        "length": graph.length,
        "cost": graph.cost,
        "kind": np.asarray(KINDS, dtype=object)[graph.kind],
    }
    if edge_cost is not None:
        columns["edge_cost"] = edge_cost
    if graph.streets is not None:
        columns["streets"] = graph.streets
    for c, name in enumerate(graph.classes):
        columns[along(name)] = graph.class_length[:, c]
    return pd.DataFrame(columns)


def problem_table(problem: Problem, names: Any = None) -> pd.DataFrame:
    """
    One row per unit, in the order of the problem: region, fixed grid, compound, incumbent grid, point inside.

    Grids are called by `names`, ``G001 …`` where None.

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[1, 1], n_grids=2)
    >>> problem_table(problem)[["unit", "region"]].values.tolist()
    [[0, 0], [1, 0]]
    """
    import pandas as pd

    ids = grid_ids(problem.n_grids) if names is None else names

    def grids(labels: Any) -> Any:
        return [ids[j] if j >= 0 else None for j in labels.tolist()]

    columns: dict[str, Any] = {
        "unit": problem.graph.ids,
        "region": problem.nesting.region,
        "fixed": pd.array(grids(problem.fixed), dtype="str"),
        "together": problem.together,
    }
    if problem.incumbent is not None:
        columns["incumbent"] = pd.array(grids(problem.incumbent), dtype="str")
    if problem.graph.xy is not None:
        columns["x"], columns["y"] = problem.graph.xy[:, 0], problem.graph.xy[:, 1]
    return pd.DataFrame(columns)


def findings_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """
    One row per finding, all text; several ids are joined by ``"; "``.

    Examples
    --------
    >>> findings_table([Finding("heavy-unit", "warning", ("B-7", "B-9"), 1300)])["ids"].tolist()
    ['B-7; B-9']
    """
    import pandas as pd

    rows = [
        {
            "code": f.code,
            "severity": f.severity,
            "ids": "; ".join(map(str, f.ids[:MOST_IDS])) + (" …" if len(f.ids) > MOST_IDS else ""),
            "value": None if f.value is None else str(f.value),
            "limit": None if f.limit is None else str(f.limit),
            "cure": f.cure,
        }
        for f in findings
    ]
    return pd.DataFrame(rows, columns=["code", "severity", "ids", "value", "limit", "cure"], dtype="str")


def fit_columns(units: pd.DataFrame, grid: Any = None) -> tuple[pd.DataFrame, dict[Any, str], list[Finding]]:
    """
    Put the index in a column ``unit`` and a plan in a column ``grid``; columns that are in their way are renamed.

    Returns
    -------
    table : DataFrame or GeoDataFrame
        Ready for a GeoPackage: names differ in more than case, mixed values are text.
    names : dict
        Name in the file of each column.
    findings : list of Finding
        What was renamed or made text.
    """
    geometry = getattr(units, "_geometry_column_name", None)
    reserved = RESERVED if grid is not None else RESERVED[:1]
    taken = set(reserved)
    names: dict[Any, str] = {}
    for column in units.columns:
        name = str(column)
        if column == geometry:
            continue
        while name.casefold() in taken:
            name += "_before" if name.casefold() in reserved else "_2"
        taken.add(name.casefold())
        names[column] = name
    table = units.rename(columns=names)
    renamed = {str(old): new for old, new in names.items() if str(old) != new}
    findings = [
        Finding("column-renamed", "info", (old,), new, None, "A GeoPackage has this name for something else.")
        for old, new in renamed.items()
    ]
    as_text = [c for c in table.columns if c != geometry and _needs_text(table[c])]
    for column in as_text:
        table[column] = [_text(v) for v in table[column]]
    if as_text:
        cure = "They hold values of several kinds, which a GeoPackage cannot hold."
        findings.append(Finding("column-as-text", "info", tuple(as_text), None, None, cure))
    table.insert(0, "unit", table.index.to_numpy())
    if grid is not None:
        table.insert(1, "grid", grid)
    return table.reset_index(drop=True), names, findings


def write_layers(path: Path, layers: Mapping[str, pd.DataFrame]) -> None:
    """
    Write each table as a layer of a new GeoPackage; tables without geometry become attribute tables.

    The file is flushed to the disk once, at the end, and not after each statement: it has a temporary name until then.
    """
    path.unlink(missing_ok=True)
    with _flushed_once(path):
        for name, table in layers.items():
            _write_layer(path, name, table)


@contextlib.contextmanager
def _flushed_once(path: Path) -> Iterator[None]:
    """Leave the flushing of a SQLite file to the end of the block: four times as fast."""
    import pyogrio

    option = "OGR_SQLITE_SYNCHRONOUS"
    before = pyogrio.get_gdal_config_option(option)
    pyogrio.set_gdal_config_options({option: "OFF"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({option: before})
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _write_layer(path: Path, name: str, table: pd.DataFrame) -> None:
    import geopandas as gpd
    import pyogrio

    used = {str(c).casefold() for c in table.columns}
    options = {"FID": _free("fid", used)}
    if not isinstance(table, gpd.GeoDataFrame):
        pyogrio.write_dataframe(table, path, layer=name, driver="GPKG", layer_options=options)
        return
    used -= {str(table.geometry.name).casefold()}
    options["GEOMETRY_NAME"] = _free("geom", used)
    kinds = set(table.geometry.geom_type.dropna())
    multi = any(k.startswith("Multi") for k in kinds) or not (kinds or name == "defects")
    kind = "LineString" if any("Line" in k for k in kinds) or name == "borders" else "Polygon"
    kind = "Point" if any("Point" in k for k in kinds) or name == "defects" else kind
    pyogrio.write_dataframe(
        table,
        path,
        layer=name,
        driver="GPKG",
        layer_options=options,
        promote_to_multi=multi,
        geometry_type=f"Multi{kind}" if multi else kind,
    )


def _free(name: str, used: set[str]) -> str:
    while name in used:
        name += "_"
    return name


def _needs_text(column: pd.Series[Any]) -> bool:
    if column.dtype.kind in "biuf" or column.dtype.name in ("str", "string", "boolean") or column.dtype.kind == "M":
        return False
    if column.dtype.name.lower().startswith(("int", "uint", "float")):
        return False
    if column.dtype == object:
        return not all(v is None or v != v or isinstance(v, str) for v in column)
    return True


def _text(value: Any) -> str | None:
    if value is None or (np.ndim(value) == 0 and value != value):
        return None
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
