"""Dual graphs of GerryChain: nodes keep their order, columns and ids."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest

from gridopt.errors import InputError
from gridopt.io.gerrychain import is_gerrychain, read_gerrychain


def dual() -> nx.Graph:
    """Four precincts around a point, with persons and a county."""
    graph = nx.Graph()
    for name, persons, county in (("p3", 30, "A"), ("p1", 10, "A"), ("p4", 40, "B"), ("p2", 20, "B")):
        graph.add_node(name, persons=persons, county=county, geoid=f"0{persons}")
    for u, v, metres in (("p3", "p1", 100.0), ("p1", "p2", 50.25), ("p2", "p4", 10.0), ("p4", "p3", 0.5)):
        graph.add_edge(u, v, shared_perim=metres)
    return graph


def written(folder: Path, graph: nx.Graph) -> Path:
    """As `gerrychain.Graph.to_json` writes it."""
    path = folder / "dual.json"
    path.write_text(json.dumps(nx.adjacency_data(graph)))
    return path


def test_nodes_edges_and_columns_are_read(tmp_path: Path) -> None:
    """Against the graph they were written from, in its order."""
    path = written(tmp_path, dual())
    assert is_gerrychain(path)
    graph, table = read_gerrychain(path)
    assert graph.ids.tolist() == table.index.tolist() == ["p3", "p1", "p4", "p2"]
    assert table["persons"].tolist() == [30, 10, 40, 20]
    lengths = {frozenset(graph.ids[e]): int(length) for e, length in zip(graph.edges, graph.length)}
    assert lengths == {
        frozenset(("p3", "p1")): 1000,
        frozenset(("p1", "p2")): 502,
        frozenset(("p2", "p4")): 100,
        frozenset(("p4", "p3")): 5,
    }


def test_ids_may_come_from_a_column(tmp_path: Path) -> None:
    """GerryChain numbers nodes; the official code is an attribute, with its leading zero."""
    graph, table = read_gerrychain(written(tmp_path, nx.convert_node_labels_to_integers(dual())), id_column="geoid")
    assert graph.ids.tolist() == table.index.tolist() == ["030", "010", "040", "020"]
    with pytest.raises(InputError, match=r"no column 'geo'\. Did you mean 'geoid'"):
        read_gerrychain(written(tmp_path, dual()), id_column="geo")


@pytest.mark.parametrize(
    "text",
    [
        '{"nodes": 5}',
        '{"directed": false, "nodes": []',
        '{"nodes": [], "adjacency": []}',
        '{"nodes": [1], "adjacency": [[2]]}',
        '{"directed": false, "multigraph": false, "nodes": [{"id": 0}], "adjacency": [[], [{"id": 0}]]}',
        '{"nodes": ' + "[" * 100_000,
    ],
)
def test_what_is_no_graph_is_refused(tmp_path: Path, text: str) -> None:
    """Half a file and other JSON give a message."""
    path = tmp_path / "dual.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"dual\.json is not a graph as GerryChain writes it"):
        read_gerrychain(path)


def test_a_directed_graph_is_refused(tmp_path: Path) -> None:
    """Borders have no direction."""
    with pytest.raises(InputError, match="directed"):
        read_gerrychain(written(tmp_path, dual().to_directed()))


def test_geojson_is_not_taken_for_a_graph(tmp_path: Path) -> None:
    """Both end in .json."""
    path = tmp_path / "units.json"
    path.write_text('{"type": "FeatureCollection", "features": [{"properties": {"nodes": 1}}]}')
    assert not is_gerrychain(path)
    assert not is_gerrychain(tmp_path / "absent.json")


def test_truth_values_among_numbers_are_numbers_in_the_plan_too(tmp_path: Path) -> None:
    """JSON mixes them freely; a plan that was solved reads its workload back."""
    import gridopt as go

    graph = go.Graph.from_edges(2, [(0, 1)], ids=["a", "b"])
    table = pd.DataFrame({"pop": pd.Series([True, 2], dtype=object, index=["a", "b"])})
    problem = go.build_problem(graph, table[["pop"]], n_grids=2, tolerance=0.9)
    files = go.save_plan(tmp_path / "plan.gpkg", go.solve(problem, steps=100), table)
    assert go.read_plan(files[0]).plan.loads.ravel().tolist() == [1, 2]
