"""Graphs to and from other programs: what goes out comes in again."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from libpysal.graph import Graph as PysalGraph
from libpysal.graph import read_gal as pysal_read_gal

from gridopt.errors import GraphError, InputError
from gridopt.io.gal import read_gal, write_gal
from gridopt.model.graph import LINK, Graph


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    n = draw(st.integers(1, 8))
    pairs = [(u, v) for u in range(n) for v in range(u + 1, n)]
    edges = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    lengths = [draw(st.integers(0, 1000)) for _ in edges]
    ids = draw(st.sampled_from([list(range(n)), [f"{i:03d}" for i in range(n)], [f"村{i}" for i in range(n)]]))
    kinds = [draw(st.sampled_from([0, LINK])) for _ in edges]
    return Graph.from_edges(n, edges, lengths, kinds=kinds, ids=ids)


@given(graphs())
def test_gal_keeps_ids_and_edges(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    path = tmp_path_factory.mktemp("gal") / "a.gal"
    write_gal(path, graph)
    read = read_gal(path)
    assert read.ids.tolist() == graph.ids.tolist()
    assert read.edges.tolist() == graph.edges.tolist()


@given(graphs())
def test_networkx_keeps_all_columns(graph: Graph) -> None:
    read = Graph.from_networkx(graph.to_networkx())
    assert read == graph
    assert Graph.from_gerrychain(graph.to_networkx()) == graph


@given(graphs())
def test_libpysal_keeps_ids_edges_and_metres(graph: Graph) -> None:
    other = graph.to_pysal()
    read = Graph.from_pysal(other)
    assert sorted(read.ids.tolist()) == sorted(graph.ids.tolist())
    own = {frozenset(graph.ids[e].tolist()): length for e, length in zip(graph.edges, graph.length.tolist())}
    there = {frozenset(read.ids[e].tolist()): length for e, length in zip(read.edges, read.length.tolist())}
    assert set(own) == set(there)
    if own and all(length > 0 and length != 10 for length in own.values()):
        assert own == there


def test_libpysal_reads_what_is_written_and_the_other_way(tmp_path: Path) -> None:
    graph = Graph.from_edges(4, [(0, 1), (1, 2)], ids=["a", "b", "c", "lone"])
    write_gal(tmp_path / "a.gal", graph)
    theirs = pysal_read_gal(tmp_path / "a.gal")
    assert theirs.isolates.tolist() == ["lone"]
    assert sorted(theirs["b"].index) == ["a", "c"]
    PysalGraph.from_dicts({"x": ["y"], "y": ["x"]}).to_gal(tmp_path / "b.gal")
    assert read_gal(tmp_path / "b.gal").ids.tolist() == ["x", "y"]
    (tmp_path / "geoda.gal").write_text("\ufeff0 2 counties FIPS\n10 1\n20\n20 1\n10\n", encoding="utf-8")
    assert read_gal(tmp_path / "geoda.gal").ids.tolist() == [10, 20]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "line 1 is missing"),
        ("x\n", "line 1 is 'x' where the number of units"),
        ("3\na 0\n\n", "line 3 is the last, of 7"),
        ("1\na\n\n", "line 2 does not have an id and the number"),
        ("1\na 2\nb\n", "line 2 does not have an id and the number"),
        ("2\na 0\n\na 0\n\n", "line 4 has the id 'a' again"),
        ("1\na 1\na\n", "line 3 names 'a', which is the unit itself"),
        ("1\na 1\nb\n", "line 3 names 'b', which is no unit"),
        ("2\na 1\nb\nb 0\n\n", "line 3 names a neighbour that does not name it"),
        ("2\na 2\nb b\nb 1\na\n", "line 3 names one neighbour twice"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.gal").write_text(text)
    with pytest.raises(GraphError, match=says):
        read_gal(tmp_path / "a.gal")


def test_ids_with_blanks_and_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"have blanks .*'Old Town'"):
        write_gal(tmp_path / "a.gal", Graph.from_edges(1, [], ids=["Old Town"]))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.gal").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        read_gal(tmp_path / "a.gal")
