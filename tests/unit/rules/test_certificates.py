"""Each certificate on a territory small enough for a napkin: its code, ids, value, limit, and that its cure cures."""

from __future__ import annotations

import pytest

import gridopt as go
from gridopt.rules.certificates import find

STAR = go.Graph.from_edges(5, [(0, 1), (0, 2), (0, 3), (0, 4)], ids=["hub", "a", "b", "c", "d"])


def errors(problem):
    return [finding for finding in find(problem) if finding.severity == "error"]


def path(workload, **options):
    n = len(workload)
    return go.build_problem(go.Graph.from_edges(n, [(i, i + 1) for i in range(n - 1)]), workload, **options)


def test_a_feasible_problem_has_none(path6):
    assert find(go.build_problem(path6, [1] * 6, n_grids=3)) == []


def test_limits_that_need_more_than_there_is():
    (finding,) = errors(path([5, 5, 5, 5], n_grids=2, band=(11, 20)))
    assert (finding.code, finding.value, finding.limit) == ("too-little-workload", 20, 22)
    assert "to 10" in finding.cure
    assert errors(path([5, 5, 5, 5], n_grids=2, band=(10, 20))) == []


def test_limits_that_hold_less_than_there_is():
    (finding,) = errors(path([5, 5, 5], n_grids=2, band=(0, 7)))
    assert (finding.code, finding.value, finding.limit) == ("too-much-workload", 15, 14)


def test_a_heavy_unit_is_named_with_the_limit_that_would_hold_it():
    (finding,) = errors(path([1, 9, 1], n_grids=2, tolerance=0.1, heavy="strict"))
    assert (finding.code, finding.ids, finding.value, finding.limit) == ("heavy-unit", (1,), 9, 6)


def test_leaves_too_light_for_a_grid_all_go_with_the_hub():
    """Four leaves of 3 need grids of 5 at least: none stands alone, together with the hub they weigh 13."""
    problem = go.build_problem(STAR, [1, 3, 3, 3, 3], n_grids=2, band=(5, 8))
    (finding,) = errors(problem)
    assert (finding.code, finding.value, finding.limit) == ("narrow-neck", 13, 8)
    assert finding.ids == ("hub", "a", "b", "c", "d")


def test_limits_between_all_sums_name_the_nearest():
    """Units of 4 around a lake make loads of 8 and 12, nothing between."""
    around = go.Graph.from_edges(5, [(i, (i + 1) % 5) for i in range(5)])
    (finding,) = errors(go.build_problem(around, [4] * 5, n_grids=2, band=(9, 11)))
    assert finding.code == "no-load-fits"
    assert "8 and 12" in finding.cure


def test_more_large_units_than_grids():
    (finding,) = errors(go.build_problem(STAR, [1, 3, 3, 3, 0], n_grids=2, tolerance=0.1))
    assert (finding.code, finding.ids, finding.value, finding.limit) == ("too-many-large-units", ("a", "b", "c"), 3, 2)


def test_more_units_apart_than_grids():
    problem = path([1] * 4, n_grids=2, tolerance=0.9, locks=go.Locks(apart=[[0, 1, 3]]))
    (finding,) = errors(problem)
    assert (finding.code, finding.ids, finding.value, finding.limit) == ("too-many-apart", (0, 1, 3), 3, 2)


def test_units_of_one_grid_that_another_lock_parts():
    """On a path, unit 1 in grid 1 closes the way between units 0 and 2 of grid 0."""
    problem = path([1] * 4, n_grids=2, tolerance=0.9, locks=go.Locks(fixed={0: 0, 1: 1, 2: 0}))
    assert [finding.code for finding in errors(problem)] == ["cut-off"]
    assert errors(problem)[0].ids == (0, 2)


def test_fewer_clusters_than_grids():
    """Three of four units are fixed to one grid: that leaves one unit for two grids."""
    finding = errors(path([1] * 4, n_grids=3, tolerance=0.9, locks=go.Locks(fixed={0: 0, 1: 0, 2: 0})))[0]
    assert (finding.code, finding.value, finding.limit) == ("too-few-units", 2, 3)


def test_a_light_leaf_beside_units_too_heavy_for_it_is_hemmed_in():
    """A leaf of 2 needs 5 at least, but with the unit of 9 it hangs on it would be 11, above 10."""
    problem = path([2, 9, 1, 8], n_grids=2, band=(5, 10))
    (finding,) = errors(problem)
    assert (finding.code, finding.ids, finding.value, finding.limit) == ("hemmed-in", (0,), 2, "5 to 10")
    assert "1," in finding.cure
    assert errors(path([2, 8, 2, 8], n_grids=2, band=(5, 10))) == []


def test_sets_that_share_no_grid_need_more_grids_than_there_are():
    """Pairs too heavy together part a path into three sets of 6, 8 and 6: a grid each."""
    (finding,) = errors(path([6, 8, 6], n_grids=2, band=(0, 10)))
    assert (finding.code, finding.value, finding.limit) == ("too-many-large-units", 3, 2)
    (finding,) = errors(path([3, 4, 8, 4, 3], n_grids=2, band=(1, 11)))
    assert (finding.code, finding.value, finding.limit) == ("hemmed-in", 2, 3)


def test_what_must_go_together_may_not_be_locked_apart():
    """Leaves of 1 go with the hub: locks that keep two of them apart, or in two grids, leave no plan."""
    apart = go.build_problem(STAR, [4, 1, 1, 9, 9], n_grids=3, band=(5, 10), locks=go.Locks(apart=[["a", "b"]]))
    assert [(f.code, f.ids) for f in errors(apart)] == [("forced-together", ("a", "b"))]
    named = go.build_problem(STAR, [4, 1, 1, 9, 9], n_grids=3, band=(5, 10), locks=go.Locks(fixed={"a": 0, "b": 1}))
    assert [(f.code, f.ids) for f in errors(named)] == [("forced-together", ("a", "b"))]


def test_merging_what_is_forced_goes_on_until_nothing_changes():
    """Leaf 1 goes with 4, the two are 5 and too heavy for 6 beside them, which with its leaf of 2 is 8: grids of 5 and
    8 leave nothing for a third."""
    assert errors(path([1, 4, 6, 2], n_grids=2, band=(5, 10))) == []
    (finding,) = errors(path([1, 4, 6, 2], n_grids=3, band=(3, 10)))
    assert finding.code in ("narrow-neck", "hemmed-in", "too-few-units")


def test_a_unit_that_no_set_within_limits_holds():
    """Unit 5 weighs 7: with its neighbours it makes 7, 10, 11 or 14 and more, never 12 or 13; the graph has no neck."""
    graph = go.Graph.from_edges(6, [(0, 1), (0, 4), (1, 2), (2, 3), (2, 5), (3, 4), (4, 5)])
    (finding,) = errors(go.build_problem(graph, [6, 0, 4, 5, 3, 7], n_grids=2, band=(12, 13)))
    assert (finding.code, finding.ids, finding.value, finding.limit) == ("fits-no-grid", (5,), 7, "12 to 13")
    assert "11 and 14" in finding.cure
    assert errors(go.build_problem(graph, [6, 0, 4, 5, 3, 7], n_grids=2, band=(11, 14))) == []


def test_units_too_far_apart_to_share_a_grid_outnumber_the_grids():
    """On a ring of ones and threes no two threes fit in a grid of 6 with the one between them: four for three grids."""
    ring = go.Graph.from_edges(8, [(i, (i + 1) % 8) for i in range(8)])
    problem = go.build_problem(ring, [3, 1] * 4, n_grids=3, band=(1, 6))
    (finding,) = errors(problem)
    assert (finding.code, finding.ids, finding.value, finding.limit) == ("too-many-separate", (0, 2, 4, 6), 4, 3)
    assert errors(go.build_problem(ring, [3, 1] * 4, n_grids=3, band=(1, 7))) == []


@pytest.mark.parametrize("soft", [False, True])
def test_limits_only_warn_where_they_are_wishes(soft):
    found = find(path([5, 5, 5], n_grids=2, band=(8, 20), soft=soft))
    assert [finding.severity for finding in found] == ["warning" if soft else "error"]
