"""METIS files: what is written is read again, every defect is refused by its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridopt.errors import GraphError, InputError
from gridopt.io.metis import read_graph, read_partition, write_graph, write_partition
from gridopt.model import Graph

# the example graph of the METIS 5.1 manual, figures 2 and 3: 7 nodes, 11 edges
PLAIN = "7 11\n5 3 2\n1 3 4\n5 4 2 1\n2 3 6 7\n1 3 6\n5 4 7\n6 4\n"
EDGE_WEIGHTS = (
    "7 11 001\n5 1 3 2 2 1\n1 1 3 2 4 1\n5 3 4 2 2 2 1 2\n2 1 3 2 6 2 7 5\n1 1 3 3 6 2\n5 2 4 2 7 6\n6 6 4 5\n"
)
BOTH = (
    "7 11 011\n4 5 1 3 2 2 1\n2 1 1 3 2 4 1\n5 5 3 4 2 2 2 1 2\n3 2 1 3 2 6 2 7 5\n1 1 1 3 3 6 2\n6 5 2 4 2 7 6\n"
    "2 6 6 4 5\n"
)
TWO_CONSTRAINTS = (
    "7 11 010 3\n1 2 0 5 3 2\n0 2 2 1 3 4\n4 1 1 5 4 2 1\n2 2 3 2 3 6 7\n1 1 1 1 3 6\n2 2 1 5 4 7\n1 2 1 6 4\n"
)
EDGES = [(0, 1), (0, 2), (0, 4), (1, 2), (1, 3), (2, 3), (2, 4), (3, 5), (3, 6), (4, 5), (5, 6)]


def written(folder: Path, text: str, name: str = "g.graph") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("text", [PLAIN, EDGE_WEIGHTS, BOTH, TWO_CONSTRAINTS])
def test_the_manuals_example_in_every_format_has_the_same_edges(tmp_path: Path, text: str) -> None:
    """The four files of the manual show one graph."""
    graph = read_graph(written(tmp_path, text)).graph
    assert [tuple(e) for e in graph.edges.tolist()] == EDGES
    assert graph.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_weights_of_the_manuals_example(tmp_path: Path) -> None:
    """Node weights and edge weights are not mixed up."""
    read = read_graph(written(tmp_path, BOTH))
    assert read.workload[:, 0].tolist() == [4, 2, 5, 3, 1, 6, 2]
    assert read.graph.cost.tolist() == [1, 2, 1, 2, 1, 2, 3, 2, 5, 2, 6]
    assert read_graph(written(tmp_path, TWO_CONSTRAINTS)).workload[2].tolist() == [4, 1, 1]
    assert read_graph(written(tmp_path, PLAIN)).workload.tolist() == [[1]] * 7


def test_vertex_sizes_are_skipped_and_said(tmp_path: Path) -> None:
    """fmt 1xx has a number more on each line; forgetting it would shift every weight."""
    read = read_graph(written(tmp_path, "3 2 111 2\n9 1 2 2 5\n8 3 4 1 5 3 6\n7 5 6 2 6\n"))
    assert read.workload.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert read.graph.cost.tolist() == [5, 6]
    assert [f.code for f in read.findings] == ["vertex-sizes-ignored"]
    assert read_graph(written(tmp_path, "2 1 100\n4 2\n4 1\n")).graph.n_edges == 1


def test_comments_and_blank_lines(tmp_path: Path) -> None:
    """Comments may stand anywhere, a blank line is a node without neighbours, line ends may be those of Windows."""
    text = "% made by hand\r\n\r\n4 1\r\n2\r\n  % in between\r\n1\r\n\r\n   \r\n\r\n"
    graph = read_graph(written(tmp_path, text)).graph
    assert (graph.n_units, graph.edges.tolist()) == (4, [[0, 1]])
    assert read_graph(written(tmp_path, "2 0\n\n\n")).graph.n_edges == 0
    assert read_graph(written(tmp_path, "1 0 10\n5")).workload.tolist() == [[5]]
    assert read_graph(written(tmp_path, "0 0\n")).graph.n_units == 0


def test_packed_files_are_read_and_written(tmp_path: Path) -> None:
    """Archives keep graphs packed; nobody has to unpack them first."""
    path = tmp_path / "g.graph.gz"
    path.write_bytes(gzip.compress(PLAIN.encode()))
    graph = read_graph(path).graph
    write_graph(path, graph)
    assert read_graph(path).graph == graph
    packed = gzip.compress(PLAIN.encode())
    spoiled = packed[:-12], packed[:10] + bytes([packed[10] ^ 6]) + packed[11:], PLAIN.encode()
    for content in spoiled:  # cut short, a bit of the stream flipped, not packed at all
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"g\.graph\.gz cannot be read"):
            read_graph(path)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", None, "is empty"),
        ("%\n% only comments\n", None, "is empty"),
        ("3\n2\n1\n\n", 1, "nodes edges"),
        ("3 2 12\n2\n1 3\n2\n", 1, "format '12'"),
        ("3 2 0 1\n2\n1 3\n2\n", 1, "announces 1 node weights"),
        ("3 2 10 0\n2\n1 3\n2\n", 1, "0 of them"),
        ("3 2\n2\n1 3\n", 1, "announces 3 nodes, but 2 lines follow"),
        ("3 2\n2\n1 3\n2\n\n1\n", 6, "one more than the 3 nodes that line 1 announces"),
        ("3 3\n2\n1 3\n2\n", 1, "announces 3 edges, but the lists hold 2"),
        ("% c\n3 2\n2\n% c\n1 3 4\n2\n", 5, "lists node 4; nodes are 1 … 3"),
        ("3 2\n2\n1 3 0\n2\n", 3, "lists node 0; nodes are 1 … 3"),
        ("3 2\n2\n1 3 2\n2\n", 3, "(node 2) lists itself"),
        ("3 2\n2 2\n1 3\n2\n", 2, "(node 1) lists node 2 twice"),
        ("3 2\n2 3\n1 3\n2\n", 2, "lists node 3, but node 3 does not list node 1"),
        ("3 2 1\n2 5\n1 5 3 6\n2 7\n", 3, "the weight 6, the other end says 7"),
        ("3 2 1\n2 0\n1 0 3 6\n2 6\n", 2, "the weight 0; edge weights are at least 1"),
        ("3 2 1\n2 5\n1 5 3\n2 6\n", 3, "without its edge weight"),
        ("3 2 10\n1 2\n\n1 2\n", 3, "holds 0 numbers; the header announces 1"),
        ("3 2\n2\n1 3.5\n2\n", 3, "'3.5', which is not a whole number"),
        ("3 2\n2\n1 -3\n2\n", 3, "'-3', which is not a whole number"),
        ("3 2\n2\n1 x\n2\n", 3, "'x', which is not a whole number"),
        ("3 2 10\n1 2\n1 1 3\n-1 2\n", 4, "'-1', which is not a whole number"),
        ("3 2\n2\n1 12345678901234567890\n2\n", 3, "more than 18 digits"),
        ("3 2\n2\n1 ３\n2\n", 3, "not a whole number"),
    ],
)
def test_defects_name_the_line(tmp_path: Path, text: str, line: int | None, says: str) -> None:
    """A planner's colleague mends a file of a million lines only when told which."""
    with pytest.raises(GraphError) as caught:
        read_graph(written(tmp_path, text))
    message = str(caught.value)
    assert says in message
    assert "g.graph" in message
    if line is not None:
        assert f"line {line} " in message
        assert caught.value.findings[0].value == f"line {line}"


def test_one_wrong_weight_among_many_is_found(tmp_path: Path) -> None:
    """The test of symmetry looks at every edge, not at sums."""
    lines = EDGE_WEIGHTS.splitlines()
    lines[6] = "5 2 4 3 7 5"
    with pytest.raises(GraphError, match=r"line 5 \(node 4\) gives its edge to node 6 the weight 2, .* says 3"):
        read_graph(written(tmp_path, "\n".join(lines)))


def test_a_missing_graph_offers_the_nearest_name(tmp_path: Path) -> None:
    """Misspelt names are the commonest mistake."""
    written(tmp_path, PLAIN, "town.graph")
    with pytest.raises(InputError, match=r"twon\.graph does not exist\. Did you mean 'town\.graph'\?"):
        read_graph(tmp_path / "twon.graph")


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda e: e[0] < e[1])),
            st.integers(0, 3),
            st.booleans(),
            st.integers(0, 2**32 - 1),
        )
    )
)
def test_write_read_same(tmp_path_factory: pytest.TempPathFactory, case: tuple) -> None:
    """Whatever graph and weights are written, the same come back."""
    n, edges, n_weights, weighted, seed = case
    rng = np.random.default_rng(seed)
    costs = rng.integers(1, 10**12, len(edges)) if weighted else np.ones(len(edges), dtype=np.int64)
    graph = Graph.from_edges(n, sorted(edges), [0] * len(edges), costs, ids=range(1, n + 1))
    workload = rng.integers(0, 10**9, (n, n_weights)) if n_weights else None
    path = tmp_path_factory.mktemp("metis") / "g.graph"
    write_graph(path, graph, workload)
    read = read_graph(path)
    assert read.graph == graph
    assert np.array_equal(read.workload, np.ones((n, 1)) if workload is None else workload)


def test_a_regular_file_of_many_nodes_is_read_alike(tmp_path: Path) -> None:
    """Numbers of very different length, long lines and empty ones: the fast parser against a plain one."""
    rng = np.random.default_rng(5)
    n = 3000
    pairs = np.unique(np.sort(rng.integers(0, n // 2, (9000, 2)), axis=1), axis=0)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]
    graph = Graph.from_edges(n, pairs, costs=10 ** rng.integers(0, 16, len(pairs)))
    path = tmp_path / "g.graph"
    write_graph(path, graph)
    body = path.read_text().splitlines()[1:]
    plain = {
        (u, int(words[i]) - 1): int(words[i + 1])
        for u, words in enumerate(line.split() for line in body)
        for i in range(0, len(words), 2)
    }
    read = read_graph(path).graph
    assert {tuple(e): c for e, c in zip(read.edges.tolist(), read.cost.tolist())} == {
        (u, v): c for (u, v), c in plain.items() if u < v
    }


@given(st.integers(0, 3), st.integers(0, 200), st.binary(max_size=3), st.integers(0, 3))
def test_damaged_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, which: int, at: int, put: bytes, cut: int
) -> None:
    """Any bytes in the place of any others: a graph that agrees with itself, or an error; never anything else."""
    raw = [PLAIN, EDGE_WEIGHTS, BOTH, TWO_CONSTRAINTS][which].encode()
    path = tmp_path_factory.mktemp("metis") / "g.graph"
    path.write_bytes(raw[:at] + put + raw[at + cut :])
    try:
        read = read_graph(path)
    except InputError:
        return
    words = [line.split() for line in path.read_bytes().splitlines() if not line.strip().startswith(b"%")]
    header = next(w for w in words if w)
    assert (read.graph.n_units, read.graph.n_edges) == (int(header[0]), int(header[1]))


@pytest.mark.parametrize("workload", [[1.5, 1], [-1, 1], [1, 1, 1]])
def test_node_weights_must_be_whole_and_fit(tmp_path: Path, workload: list[float]) -> None:
    """The format has no fractions; silently cutting them off would change the problem."""
    with pytest.raises(InputError):
        write_graph(tmp_path / "g.graph", Graph.from_edges(2, [(0, 1)]), workload)
    assert list(tmp_path.iterdir()) == []


def test_published_graphs_have_the_counts_of_their_headers(real_data) -> None:
    """Seven classic graphs: n, m as published beside them."""
    folder = real_data("graphs/walshaw")
    counts = {"3elt": (4720, 13722), "uk": (4824, 6837), "data": (2851, 15093), "add32": (4960, 9462)}
    for name, (n, m) in counts.items():
        graph = read_graph(folder / f"{name}.graph.gz").graph
        assert (graph.n_units, graph.n_edges) == (n, m)
    assert json.loads((folder / "reference_cuts.json").read_text())


# ---- partitions -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 4), min_size=5, max_size=60))
def test_partition_write_read_same(tmp_path_factory: pytest.TempPathFactory, labels: list[int]) -> None:
    """Write, read, same."""
    path = tmp_path_factory.mktemp("metis") / "g.part"
    write_partition(path, labels)
    assert read_partition(path, len(labels)).tolist() == labels
    assert read_partition(path).dtype == np.int32


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0\n1\n", "gives 2 part numbers, the graph has 3 nodes"),
        ("0\n1\n1\n0\n", "gives 4 part numbers"),
        ("0\n1 1\n", "line 2 holds 2 numbers"),
        ("0\n\n1\n1\n", "line 2 holds 0 numbers"),
        ("0\n-1\n1\n", "line 2 holds '-1'"),
        ("0\nG002\n1\n", "line 2 holds 'G002'"),
        ("0\n7\n1\n", "line 2 gives part 7"),
    ],
)
def test_partition_defects_name_the_line(tmp_path: Path, text: str, says: str) -> None:
    """A partition of another graph, or a broken one, is not verified as if it were right."""
    with pytest.raises(InputError, match=says):
        read_partition(written(tmp_path, text, "g.part"), 3)


def test_negative_labels_are_not_written(tmp_path: Path) -> None:
    """-1 stands for unassigned inside some programs; a file is complete."""
    with pytest.raises(InputError, match="at least 0"):
        write_partition(tmp_path / "g.part", [0, -1])
    assert list(tmp_path.iterdir()) == []
