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


@pytest.mark.parametrize("soft", [False, True])
def test_limits_only_warn_where_they_are_wishes(soft):
    found = find(path([5, 5, 5], n_grids=2, band=(8, 20), soft=soft))
    assert [finding.severity for finding in found] == ["warning" if soft else "error"]
