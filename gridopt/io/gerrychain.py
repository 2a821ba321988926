"""GerryChain's dual graphs: JSON that ``gerrychain.Graph.to_json`` writes, nodes with their columns, no shapes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gridopt._validate import as_ids
from gridopt.errors import Finding, GraphError, InputError
from gridopt.io._atomic import replacing
from gridopt.io.tables import existing_file, need_columns
from gridopt.model.graph import Graph

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["is_gerrychain", "read_gerrychain", "write_gerrychain"]

HEAD = 4096
"""Bytes in which GeoJSON says what it is."""


def is_gerrychain(path: str | os.PathLike[str]) -> bool:
    """
    Whether a ``.json`` file holds a graph rather than GeoJSON, by its first bytes.

    Examples
    --------
    >>> is_gerrychain("units.gpkg")
    False
    """
    file = Path(path)
    if file.suffix.lower() != ".json":
        return False
    try:
        with open(file, "rb") as opened:
            head = opened.read(HEAD).lstrip(b"\xef\xbb\xbf \t\r\n")
    except (OSError, ValueError):
        return False
    keys = (b'"directed"', b'"multigraph"', b'"nodes"', b'"adjacency"')
    return head.startswith(b"{") and b"FeatureCollection" not in head and any(key in head for key in keys)


def read_gerrychain(path: str | os.PathLike[str], *, id_column: str | None = None) -> tuple[Graph, pd.DataFrame]:
    r"""
    Read a dual graph and the columns of its nodes.

    Parameters
    ----------
    path : str or path
        JSON in the adjacency format of networkx, as GerryChain reads and writes it.
    id_column : str, optional
        Node attribute that holds the unit ids; default the nodes' own names.

    Returns
    -------
    graph : Graph
        ``shared_perim`` is read as metres of border, where every edge has it.
    table : DataFrame
        One row per unit, its attributes, indexed by unit id, in the order of the graph.

    Raises
    ------
    InputError
        If the file is no such graph, or ids are missing or repeated.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "dual.json"
    >>> _ = path.write_text(
    ...     '{"directed": false, "multigraph": false, "graph": [], '
    ...     '"nodes": [{"pop": 5, "id": 0}, {"pop": 7, "id": 1}], '
    ...     '"adjacency": [[{"id": 1, "shared_perim": 20.5}], [{"id": 0, "shared_perim": 20.5}]]}'
    ... )
    >>> graph, table = read_gerrychain(path)
    >>> graph.length.tolist(), table["pop"].tolist()
    ([205], [5, 7])
    """
    import networkx as nx
    import pandas as pd

    file = existing_file(path, "units")
    try:
        dual = nx.adjacency_graph(json.loads(file.read_text(encoding="utf-8-sig")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, nx.NetworkXError) as error:
        raise _refuse(file, f"{type(error).__name__}: {error}") from error
    if not len(dual):
        raise _refuse(file, "it has no nodes")
    try:
        graph = Graph.from_gerrychain(dual)
    except (GraphError, ValueError, TypeError) as error:
        raise _refuse(file, str(error)) from error
    table = pd.DataFrame([dict(data) for _, data in dual.nodes(data=True)]).drop(columns="id", errors="ignore")
    if id_column is not None:
        need_columns(table, [id_column], "units", str(file))
        ids = as_ids(_plain(table[id_column]))
        graph = replace(graph, ids=ids)
    table.index = pd.Index(graph.ids, name="unit")
    return graph, table


def write_gerrychain(path: str | os.PathLike[str], graph: Graph, table: pd.DataFrame | None = None) -> None:
    """
    Write a dual graph that `gerrychain.Graph.from_json` reads; `read_gerrychain` reads it again.

    Parameters
    ----------
    path : str or path
        The file; written whole or not at all.
    graph : Graph
        Its edges get ``shared_perim`` in metres, ``length`` (dm), ``cost`` and ``kind``.
    table : DataFrame, optional
        Columns for the nodes, indexed by unit id. Geometry is left out, and so is a column ``id``: GerryChain keeps
        the nodes' names there.

    Raises
    ------
    InputError
        If units are missing in the table, or the file cannot be written.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "dual.json"
    >>> graph = Graph.from_edges(2, [(0, 1)], [205], ids=["007", "008"])
    >>> write_gerrychain(path, graph, pd.DataFrame({"pop": [5, 7]}, index=["007", "008"]))
    >>> read, table = read_gerrychain(path)
    >>> read == graph, table["pop"].to_dict()
    (True, {'007': 5, '008': 7})
    """
    import networkx as nx

    dual = graph.to_networkx()
    if table is not None:
        absent = [u for u in graph.ids.tolist() if u not in table.index]
        if absent:
            raise InputError(f"{len(absent)} units are not in the table (first: {absent[0]!r}). Add their rows.")
        shapes = getattr(table, "_geometry_column_name", None)
        for name in [c for c in table.columns if c not in (shapes, "id")]:
            values = dict(zip(table.index.tolist(), _plain(table[name]).tolist()))
            nx.set_node_attributes(dual, {u: values[u] for u in graph.ids.tolist()}, str(name))
    text = json.dumps(nx.adjacency_data(dual), ensure_ascii=False, default=str)
    with replacing(path) as (temporary,):
        temporary.write_text(text, encoding="utf-8")


def _plain(column: Any) -> Any:
    return column.astype(object).where(column.notna(), None).to_numpy()


def _refuse(file: Path, why: str) -> InputError:
    cure = "Write it again with gerrychain.Graph.to_json, or give a layer of polygons."
    why = " ".join(why.split())[:200]
    return InputError(
        f"units file {file} is not a graph as GerryChain writes it: {why}. {cure}",
        [Finding("file-unreadable", "error", (str(file),), why, None, cure)],
    )
