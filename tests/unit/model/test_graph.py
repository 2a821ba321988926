"""Graph: one canonical form, whatever it was built from, and complaints at the door."""

import copy
import pickle

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from gridopt import Graph, GraphError, InputError


@pytest.fixture
def square():
    return Graph.from_edges(4, [(1, 0), (1, 2), (3, 2), (0, 3)], lengths=[10, 20, 30, 40], ids=list("abcd"))


def test_edges_are_sorted_and_lengths_follow_them(square):
    assert square.edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert square.length.tolist() == [10, 40, 20, 30]


def test_csr_names_every_edge_from_both_ends(square):
    for u in range(4):
        for e in range(square.indptr[u], square.indptr[u + 1]):
            assert sorted((u, square.indices[e])) == square.edges[square.edge_idx[e]].tolist()
    assert np.diff(square.indptr).sum() == 2 * square.n_edges


def test_arrays_are_read_only_even_after_pickling(square):
    again = pickle.loads(pickle.dumps(square))
    assert again == square
    for graph in (square, again, copy.deepcopy(square)):
        with pytest.raises(ValueError, match="read-only"):
            graph.cost[0] = 7


def test_callers_array_stays_writeable():
    mine = np.array([[0, 1], [1, 2]])
    Graph.from_edges(3, mine)
    mine[0, 0] = 2
    assert mine[0, 0] == 2


def test_same_graph_from_every_source(square):
    order = Graph.from_csr(square.indptr, square.indices, square.cost[square.edge_idx], ids=square.ids)
    assert np.array_equal(order.cost, square.cost)
    plain = nx.Graph()
    plain.add_nodes_from("abcd")
    for (u, v), length in zip(square.edges, square.length):
        plain.add_edge("abcd"[u], "abcd"[v], length=int(length))
    assert Graph.from_networkx(plain) == square


def test_from_pysal_reads_perimeters_as_decimetres():
    from libpysal.graph import Graph as PysalGraph

    weights = PysalGraph.from_arrays(["a", "b", "b", "c"], ["b", "a", "c", "b"], [1.25, 1.25, 3.0, 3.0])
    graph = Graph.from_pysal(weights)
    assert graph.ids.tolist() == ["a", "b", "c"]
    assert graph.length.tolist() == [12, 30]


@pytest.mark.parametrize(
    ("edges", "kwargs", "message"),
    [
        ([(0, 4)], {}, r"outside 0 … 3 \(first: edge 0, \[0, 4\]\)"),
        ([(2, 2)], {"ids": list("abcd")}, "join a unit to itself .first: 'c'"),
        ([(0, 1), (1, 0)], {"ids": list("abcd")}, "given twice .first: 'a' - 'b'"),
        ([(0, 1)], {"costs": [0]}, "cost below 1 .first: 0 - 1: 0"),
        ([(0, 1)], {"lengths": [1, 2]}, "one value for each of the 1 edges"),
        ([(0.5, 1)], {}, "give integers of shape"),
        ([(0, 1), (1,)], {}, "edges cannot be read. Give numbers, in rows of equal length"),
        ([(0, 1)], {"kinds": [7]}, "kind above 2 .first: 0 - 1: 7"),
        ([(0, 1)], {"lengths": [2**70]}, "lengths must be whole numbers that fit in 64 bits .first: edge 0"),
        ([(0, 1)], {"lengths": [float("nan")]}, "first: edge 0, nan"),
        ([(0, 1)], {"lengths": ["x"]}, "first: edge 0, 'x'"),
        (
            [(0, 1), (1, 2)],
            {"costs": [2**59, 2**59 + 1]},
            "costs of the edges sum to .* Divide them by a common factor",
        ),
        ([(0, 1), (1, 2)], {"costs": [2**62, 2**62]}, "cost above"),
        ([(0, 1)], {"class_lengths": [[1, 2]], "classes": ["a"]}, r"class_lengths have shape \(1, 2\)"),
        ([(0, 1)], {"streets": ["a", "b"]}, "streets have shape"),
        ([(0, 1)], {"xy": [1, 2, 3]}, "xy have shape"),
        ([(0, 1)], {"xy": [(0, 0), (1,), (2, 2), (3, 3)]}, "xy cannot be read"),
        ([(0, 1)], {"xy": [(0, 0), (1, 0), (2, np.nan), (3, 0)], "ids": list("abcd")}, "first: unit 'c': .2.0, nan"),
        ([(0, 1)], {"xy": [(0, 0), (np.inf, 0), (2, 0), (3, 0)], "ids": list("abcd")}, "first: unit 'b'"),
    ],
)
def test_bad_edges_are_named(edges, kwargs, message):
    with pytest.raises(GraphError, match=message):
        Graph.from_edges(4, edges, **kwargs)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a", "b", "a"], "occur more than once .first: 'a'"),
        (["a", None, "c"], "no id .first: row 1"),
        (["a", 1, "c"], "all text or all integers; 1 is int"),
        (["a", "b"], "2 unit ids for 3 units"),
        (5, "one id per unit"),
        ([True, False, True], "all text or all integers; True is bool"),
        ([1, 2.5, 3], "2.5 is float"),
        ([pd.NA, "a", "b"], "no id .first: row 0"),
        ([pd.NaT, 1, 2], "no id .first: row 0"),
        ([1, 2, 2**70], "1 unit ids do not fit in 64 bits"),
        (np.array([1, 2, 2**63], np.uint64), "1 unit ids do not fit in 64 bits"),
    ],
)
def test_bad_ids_are_named(ids, message):
    with pytest.raises(InputError, match=message):
        Graph.from_edges(3, [(0, 1)], ids=ids)


@pytest.mark.parametrize("n", [-1, 1.5, True, "2", None])
def test_the_number_of_units_is_a_whole_number(n):
    with pytest.raises(GraphError, match="give the number of units"):
        Graph.from_edges(n, [])


@pytest.mark.parametrize("dtype", [np.uint64, np.int16, object])
def test_integer_ids_of_any_width_are_int64(dtype):
    graph = Graph.from_edges(2, [(0, 1)], ids=np.array([7, 9], dtype))
    assert graph.ids.dtype == np.int64
    assert graph.ids.tolist() == [7, 9]


def test_costs_may_sum_to_the_limit():
    graph = Graph.from_edges(3, [(0, 1), (1, 2)], costs=[2**59, 2**59])
    assert int(graph.cost.sum()) == 2**60


def test_leading_zeros_are_kept():
    assert Graph.from_edges(2, [(0, 1)], ids=["007", "070"]).ids.tolist() == ["007", "070"]


def test_asymmetric_csr_is_refused():
    with pytest.raises(GraphError, match=r"not symmetric .first seen at 0 - 1"):
        Graph.from_csr([0, 1, 1], [1])
    with pytest.raises(GraphError, match="not symmetric"):
        Graph.from_csr([0, 1, 2], [1, 0], [3, 4])


def test_contract_adds_up_what_it_merges(square):
    merged = square.contract([0, 0, 1, 1])
    assert merged.n_units == 2
    assert merged.length.tolist() == [60]


def test_components_are_numbered_by_smallest_unit():
    assert Graph.from_edges(5, [(4, 1), (0, 3)]).components().tolist() == [0, 1, 2, 0, 1]


def test_links_join_what_was_apart_and_leave_edges_alone(square):
    linked = square.with_links([(0, 2), (0, 1)], cost=5)
    assert linked.n_edges == 5
    assert linked.kind.tolist().count(2) == 1
    assert linked.length[linked.kind == 2].tolist() == [0]
