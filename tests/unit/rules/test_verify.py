"""verify, objective and metrics: each rule broken once, each figure worked out by hand."""

import numpy as np
import pandas as pd
import pytest

import gridopt as go
from gridopt.rules.constraints import total_violation
from gridopt.rules.metrics import border_shares, gini, plan_metrics, straddled_share
from gridopt.rules.objective import cost, cost_by_term


@pytest.fixture
def ring():
    """Six units in a ring, cost of edge (i, i+1) is i + 1."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (0, 5)]
    return go.Graph.from_edges(6, edges, costs=[1, 2, 3, 4, 5, 6], ids=list("abcdef"), xy=[(i, 0) for i in range(6)])


def codes(problem, labels):
    return [f.code for f in go.verify(problem, labels)]


def test_each_broken_rule_is_named(ring):
    problem = go.build_problem(
        ring,
        [1] * 6,
        n_grids=2,
        tolerance=0,
        locks=go.Locks(together=[["a", "b"]], apart=[["a", "d"]], fixed={"f": 1}),
    )
    assert codes(problem, [0, 0, 0, 1, 1, 1]) == []
    assert codes(problem, [1, 0, 0, 0, 1, 1]) == ["compound-cut"]
    assert codes(problem, [1, 1, 1, 0, 0, 0]) == ["not-fixed"]
    assert codes(problem, [0, 0, 1, 0, 1, 1]) == ["not-contiguous", "not-contiguous", "not-apart"]
    assert codes(problem, [0, 0, 1, 1, 1, 1]) == ["under-limit", "over-limit"]
    assert codes(problem, [1] * 6) == ["empty-grid", "not-apart", "under-limit", "over-limit"]


def test_grids_do_not_cross_parents(ring):
    problem = go.build_problem(ring, [1] * 6, n_grids=2, parent=list("PPPQQQ"))
    assert codes(problem, [1, 1, 1, 0, 0, 0]) == []
    assert "crosses-parent" in codes(problem, [0, 0, 1, 1, 1, 0])


def test_labels_may_be_a_series_of_text_ids(ring):
    problem = go.build_problem(ring, [1] * 6, n_grids=2)
    grids = pd.Series(["G002"] * 3 + ["G001"] * 3, index=list("fedcba"))
    assert go.verify(problem, grids) == []
    with pytest.raises(go.InputError, match=r"no row for 1 of 6 units .first: 'a'"):
        go.verify(problem, grids.drop("a"))
    grids["a"] = "G009"
    with pytest.raises(go.InputError, match=r"do not exist .first: unit 'a'"):
        go.verify(problem, grids)


def test_limits_follow_the_region_when_labels_are_permuted():
    graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    problem = go.build_problem(graph, [9, 1, 1, 1], n_grids=2, parent=list("PQQQ"))
    assert codes(problem, [0, 1, 1, 1]) == codes(problem, [1, 0, 0, 0]) == []
    plan = go.Plan(problem, [1, 0, 0, 0])
    assert plan.problem.nesting.parent_of_grid(1) == "P"
    assert plan.canonical().labels.tolist() == [0, 1, 1, 1]


def test_soft_limits_make_no_plan_unsound(ring):
    assert codes(go.build_problem(ring, [1] * 6, n_grids=2, tolerance=0, soft=True), [0, 0, 1, 1, 1, 1]) == []


def test_violation_is_counted_in_millionths_of_the_target(ring):
    problem = go.build_problem(ring, [1] * 6, n_grids=2, tolerance=0)
    assert total_violation(problem, np.array([0, 0, 1, 1, 1, 1])) == 2 * 333_333


def test_cost_term_by_term(ring):
    problem = go.build_problem(
        ring,
        [1] * 6,
        n_grids=2,
        incumbent=[0, 0, 0, 1, 1, 1],
        edge_cost=[10] * 6,
        unit_cost=np.arange(12).reshape(6, 2),
        objective={"cut": 2, "moved": 3, "imbalance": 1, "inertia": 1},
    )
    labels = np.array([0, 0, 1, 1, 1, 1])
    terms = cost_by_term(problem, labels)
    assert terms["cut"] == 2 + 6
    assert terms["edge_cost"] == 20
    assert terms["unit_cost"] == 0 + 2 + 5 + 7 + 9 + 11
    assert terms["moved"] == 1
    assert terms["imbalance"] == 2 * 333_333
    assert terms["inertia"] == 1 + 5  # 0.5 and 5 about the mean, each mean term rounded down
    assert cost(problem, labels) == 2 * 8 + 3 * 1 + 666_666 + 6 + 20 + 34


def test_shares_of_border_along_streets():
    graph = go.Graph.from_edges(
        3,
        [(0, 1), (1, 2)],
        lengths=[100, 300],
        class_lengths=[[100, 0], [50, 150]],
        classes=("arterial", "local"),
    )
    problem = go.build_problem(graph, [1, 1, 1], n_grids=2, tolerance=0.5)
    plan = go.Plan(problem, [0, 0, 1])
    assert border_shares(plan) == {"arterial": 50 / 300, "local": 0.5, "none": pytest.approx(100 / 300)}
    assert straddled_share(plan) == pytest.approx(100 / 150)
    assert plan_metrics(plan)["on_streets"] == pytest.approx(2 / 3)


def test_gini_of_one_taker():
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(0.75)


def test_summary_has_a_row_for_each_grid_in_user_units(ring):
    problem = go.build_problem(ring, [0.5] * 6, n_grids=2, parent=list("PPPQQQ"))
    table = go.summary(go.Plan(problem, [0, 0, 0, 1, 1, 1]))
    assert table["load_workload"].tolist() == [1.5, 1.5]
    assert table["parent"].tolist() == ["P", "Q"]
    assert table.attrs["metrics"]["pieces"] == 2
