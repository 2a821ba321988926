"""build_problem: limits, apportionment, regions and locks, against numbers worked out by hand."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gridopt as go
from gridopt.rules.limits import apportion, limits_around
from gridopt.rules.objective import cost


def path(n, ids=None, **kwargs):
    return go.Graph.from_edges(n, [(i, i + 1) for i in range(n - 1)], ids=ids, **kwargs)


ONES = [1] * 6


def test_tolerance_is_read_from_its_decimal_text():
    problem = go.build_problem(path(4), [25, 25, 25, 25], n_grids=1, tolerance=0.29)
    assert (problem.lo[0, 0], problem.hi[0, 0]) == (71, 129)  # 100 * (1 + 0.29) is 128.99999999999998 in floats


@given(st.integers(1, 10**9), st.integers(1, 1000), st.integers(0, 99))
def test_limits_hold_the_two_whole_numbers_around_the_target(total, k, percent):
    target, t = Fraction(total, k), Fraction(percent, 100)
    lo, hi = limits_around(total, k, t)
    assert lo <= math.floor(target) <= math.ceil(target) <= hi
    assert lo >= (1 - t) * target or lo == math.floor(target)
    assert hi <= (1 + t) * target or hi == math.ceil(target)
    assert lo * k <= total <= hi * k


def test_floats_are_rounded_to_a_stated_resolution_and_shown_back():
    problem = go.build_problem(path(2), [1.234, 1.25], n_grids=2, tolerance=0.5)
    assert problem.resolution == (Fraction(1, 100),)
    assert problem.workload[:, 0].tolist() == [123, 125]
    assert problem.in_user_units(248) == 2.48
    assert any(f.code == "rounded" for f in problem.findings)


def test_tables_are_aligned_by_index():
    graph = path(3, ids=["a", "b", "c"])
    problem = go.build_problem(graph, pd.Series([3, 2, 1], index=["c", "b", "a"]), n_grids=1)
    assert problem.workload[:, 0].tolist() == [1, 2, 3]


def test_band_derives_the_fewest_grids():
    problem = go.build_problem(path(6), [10] * 6, band=(15, 25))
    assert problem.n_grids == 3
    assert problem.lo[:, 0].tolist() == [15] * 3
    assert problem.hi[:, 0].tolist() == [25] * 3


def test_band_in_user_units_shrinks_to_whole_work_units():
    problem = go.build_problem(path(2), [1.5, 1.5], band=(1.004, 2.006))
    assert (problem.lo[0, 0], problem.hi[0, 0]) == (101, 200)


def test_several_attributes_have_bands_of_their_own():
    work = pd.DataFrame({"households": ONES, "persons": [2, 3, 2, 1, 2, 2]})
    problem = go.build_problem(path(6), work, band={"households": (1, 3), "persons": (2, 7)})
    assert problem.n_grids == 2
    assert problem.hi.tolist() == [[3, 7]] * 2


def test_grids_are_shared_out_among_parents_by_workload():
    problem = go.build_problem(path(6), [5, 5, 5, 5, 5, 5], n_grids=3, parent=list("PPQQQQ"))
    nesting = problem.nesting
    assert [nesting.parent_of_grid(j) for j in range(3)] == ["P", "Q", "Q"]
    assert problem.target[:, 0].tolist() == [10, 10, 10]


def test_targets_are_each_parents_own_mean_or_the_global_one():
    work, parent = [6, 6, 5, 5, 5, 5], list("PPQQQQ")
    own = go.build_problem(path(6), work, n_grids=4, parent=parent, tolerance=0.1)
    assert own.hi[:, 0].tolist() == [7, 7, 11, 11] or own.target[:, 0].tolist() == [6, 6, 10, 10]
    shared = go.build_problem(path(6), work, n_grids=4, parent=parent, tolerance=0.5, scope="global")
    assert set(shared.hi[:, 0].tolist()) == {12}


def test_n_per_parent_is_respected():
    problem = go.build_problem(path(6), [9, 9, 1, 1, 1, 1], n_grids=4, parent=list("PPQQQQ"), n_per_parent=(2, 2))
    assert np.bincount(problem.nesting.grid_region).tolist() == [2, 2]


def test_grids_by_parent_are_taken_as_given():
    problem = go.build_problem(path(6), ONES, n_grids={"P": 1, "Q": 3}, parent=list("PPPQQQ"))
    assert np.bincount(problem.nesting.grid_region).tolist() == [1, 3]


def test_components_get_their_own_share():
    graph = go.Graph.from_edges(6, [(0, 1), (2, 3), (3, 4), (4, 5)])
    problem = go.build_problem(graph, [5] * 6, n_grids=3)
    assert problem.nesting.reason == ("component", "component")
    assert np.bincount(problem.nesting.grid_region).tolist() == [1, 2]


def test_islands_can_be_linked_to_their_nearest_neighbour():
    graph = go.Graph.from_edges(4, [(0, 1), (2, 3)], xy=[(0, 0), (1, 0), (9, 0), (3, 0)])
    with pytest.warns(UserWarning, match="islands-linked"):
        problem = go.build_problem(graph, [1] * 4, n_grids=2, islands="link")
    assert problem.nesting.n_regions == 1
    assert [1, 3] in problem.graph.edges.tolist()


def test_heavy_unit_is_a_grid_of_its_own_and_the_rest_is_shared_again():
    problem = go.build_problem(path(6), [100, 2, 2, 2, 2, 2], n_grids=3, tolerance=0.2, heavy="own_grid")
    nesting = problem.nesting
    assert nesting.reason == ("heavy", "component") or nesting.reason == ("heavy", "whole")
    assert problem.target[~nesting.exempt, 0].tolist() == [5, 5]
    (finding,) = [f for f in problem.findings if f.code == "heavy-unit"]
    assert finding.ids == (0,)
    assert finding.value == 100


def test_pocket_behind_a_heavy_unit_joins_it():
    problem = go.build_problem(path(6), [1, 100, 10, 10, 10, 10], n_grids=3, tolerance=0.2)
    region = problem.nesting.region
    assert region[0] == region[1]
    assert go.verify(problem, [0, 0, 1, 1, 2, 2]) == []


def test_strict_heavy_is_proved_infeasible():
    problem = go.build_problem(path(6), [100, 2, 2, 2, 2, 2], n_grids=3, tolerance=0.2, heavy="strict")
    assert [f.severity for f in go.check(problem)].count("error") >= 1


def test_parent_too_light_for_a_grid_gets_one_exempt_grid():
    problem = go.build_problem(path(6), [10, 10, 10, 10, 1, 1], n_grids=5, parent=list("PPPPQQ"))
    assert problem.nesting.reason == ("parent", "light")
    assert np.bincount(problem.nesting.grid_region).tolist() == [4, 1]
    assert any(f.code == "light-piece" for f in problem.findings)


def test_dedicated_sets_are_grids_of_their_own():
    problem = go.build_problem(path(6), ONES, n_grids=3, locks=go.Locks(dedicated=[[2, 3]]))
    assert go.verify(problem, [0, 0, 1, 1, 2, 2]) == []
    assert go.verify(problem, [0, 0, 0, 1, 2, 2]) != []


def test_fixed_units_keep_the_numbers_of_their_grids():
    problem = go.build_problem(path(4), [1] * 4, n_grids=2, locks=go.Locks(fixed={0: "G002"}))
    assert not problem.interchangeable
    assert go.verify(problem, [1, 1, 0, 0]) == []
    assert [f.code for f in go.verify(problem, [0, 0, 1, 1])] == ["not-fixed"]


def test_unequal_targets_scale_to_the_whole():
    problem = go.build_problem(path(6), ONES, targets=[1, 2], tolerance=0)
    assert problem.lo[:, 0].tolist() == problem.hi[:, 0].tolist() == [2, 4]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_grids": 0}, "n_grids is 0, for 6 units"),
        ({"n_grids": 7}, "n_grids is 7, for 6 units. Choose 1 to 6"),
        ({"n_grids": 2, "tolerance": 1}, r"outside \[0, 1\)"),
        ({"band": (3, 2)}, "0 <= lo <= hi"),
        ({}, "Give n_grids=, or a band="),
        ({"n_grids": 2, "band": (1, 2), "tolerance": 0.1}, "not both"),
        ({"n_grids": 2, "objective": {"cutt": 1}}, "Did you mean 'cut'"),
        ({"n_grids": 2, "locks": go.Locks(fixed={99: 0})}, "99"),
        ({"n_grids": 2, "locks": go.Locks(fixed={0: 7})}, "name grid 7"),
        ({"n_grids": 2, "locks": go.Locks(together=[[0, 5]], apart=[[5, 0]])}, "apart, and in one compound"),
        ({"n_grids": 2, "locks": go.Locks(fixed={0: 0, 5: 0}), "parent": list("PPPQQQ")}, "another parent"),
        ({"n_grids": {"P": 1, "Q": 4}, "parent": list("PPPQQQ")}, "'Q' has 3 units and is asked for 4"),
        ({"n_grids": 6, "parent": list("PPPQQQ"), "n_per_parent": (4, 5)}, "room for 3 grids"),
        ({"n_grids": 2, "parent": ["P", None] * 3}, "3 units have no parent"),
        ({"n_grids": 2, "edge_cost": [1, 2]}, "edge_cost must be"),
        ({"n_grids": 2, "edge_cost": [[1], [1, 2]]}, "edge_cost cannot be read"),
        ({"n_grids": 2, "parent": list("PPPQQQ"), "n_per_parent": 5}, r"n_per_parent is 5; give \(fewest, most\)"),
        ({"n_grids": 2, "parent": list("PPPQQQ"), "n_per_parent": ("a", "b")}, "n_per_parent is 'a'; give a finite"),
        ({"n_grids": 2, "parent": list("PPPQQQ"), "n_per_parent": (1, 2, 3)}, "n_per_parent has 3 values"),
        ({"n_grids": 2, "parent": 5}, "parent is 5; give a Series by unit id"),
        ({"n_grids": 2, "parent": [1, 2]}, "parent has 2 values for 6 units"),
        ({"n_grids": 2, "objective": "cut"}, "objective is 'cut'; give the weight of each term"),
        ({"n_grids": 2, "objective": ["cut"]}, "give the weight of each term"),
        ({"targets": 5}, "targets is 5; give one number for each grid"),
        ({"band": 5}, r"band is 5; give \(lo, hi\)"),
        ({"band": {1, 3}}, r"give \(lo, hi\)"),
        ({"band": (1, 2, 3)}, "band has 3 values"),
        ({"band": (1, 2**44)}, r"the limit is 2\*\*43"),
        ({"n_grids": 2, "soft": "x"}, "soft is 'x'; give True or False"),
        ({"n_grids": 2, "locks": {}}, "locks is {}; give Locks"),
        ({"n_grids": 2, "incumbent": 5}, "incumbent is 5; give"),
        ({"n_grids": 2, "incumbent": {0: 1}}, "incumbent is {0: 1}; give"),
        ({"n_grids": 2, "incumbent": [0, 1]}, "incumbent has 2 values for 6 units"),
        ({"n_grids": 2, "incumbent": ["a", 0, 0, 1, 1, 1]}, "'a' .incumbent, unit 0. names no grid"),
        ({"n_grids": 2, "incumbent": [0, 0, 0, 1, 1, 7]}, "first: unit 5 in 7.; there are 2 grids"),
        ({"n_grids": 2, "resolution": "1e-400"}, "resolution is 1e-400; give a number above 0"),
    ],
)
def test_bad_wishes_are_refused_with_a_cure(kwargs, message):
    with pytest.raises(go.InputError, match=message):
        go.build_problem(path(6), ONES, **kwargs)


@pytest.mark.parametrize(
    ("locks", "message"),
    [
        ({"dedicated": [[]]}, "locks.dedicated has an empty set, which is no grid"),
        ({"frozen": {0: []}}, "locks.frozen has an empty set, which is no grid"),
        ({"frozen": {0: [0], "G001": [1]}}, "locks.frozen names grid 0 twice"),
        ({"apart": [0, 1]}, "a group of locks.apart is 0; give groups of unit ids"),
        ({"together": ["ab"]}, "a group of locks.together is 'ab'; give groups"),
        ({"together": 5}, "locks.together is 5; give groups"),
        ({"together": [[[0], [1]]]}, r"locks.together names \[0\], which is no id"),
        ({"fixed": [0, 1]}, r"locks.fixed is \[0, 1\]; give a mapping of unit id to grid"),
        ({"frozen": [[0, 1]]}, "give a mapping of grid to unit ids"),
        ({"apart": [[0, 0]]}, "0 is apart from itself"),
        ({"fixed": {0: "west"}}, "'west' .locks.fixed. names no grid"),
    ],
)
def test_malformed_locks_are_refused_by_name(locks, message):
    with pytest.raises(go.InputError, match=message):
        go.build_problem(path(6), ONES, n_grids=3, locks=go.Locks(**locks))


def test_absent_locks_are_none():
    nothing = go.Locks(together=None, apart=None, fixed=None, dedicated=None, frozen=None)
    problem = go.build_problem(path(6), ONES, n_grids=2, locks=nothing)
    assert problem.together.tolist() == problem.fixed.tolist() == [-1] * 6
    assert problem.interchangeable


def test_compounds_of_a_table_skip_every_kind_of_null():
    column = pd.Series(["x", "x", pd.NA, None, float("nan"), ""])
    problem = go.build_problem(path(6), ONES, n_grids=2, locks=go.Locks(together=column))
    assert problem.together.tolist() == [0, 0, -1, -1, -1, -1]


@pytest.mark.parametrize("table", [pd.Series(list("PPPQQQRR")), pd.DataFrame({"w": [1] * 8})])
def test_a_table_of_more_than_the_units_names_the_way_to_cut_it(table):
    """Parents or counts of a whole city, units of one district: one word away, and the word is said."""
    table.index = [*range(6), 90, 91]
    given = {"parent": table, "workload": ONES} if table.ndim == 1 else {"workload": table}
    says = (
        r"2 ids in (parent|workload) are not units \(first: 90, 91\); all 6 units have a row.*\.reindex\(graph\.ids\)"
    )
    with pytest.raises(go.InputError, match=says) as caught:
        go.build_problem(path(6), n_grids=2, **given)
    assert caught.value.findings[0].ids == (90, 91)
    cut = {name: v if name == "workload" and v is ONES else v.reindex(path(6).ids) for name, v in given.items()}
    assert go.build_problem(path(6), n_grids=2, **cut).n_grids == 2


@pytest.mark.parametrize(
    ("parent", "found"),
    [
        ([1.2, 1.2, 1.2, 1.7, 1.7, 1.7], ["1.2", "1.7"]),
        ([1.0, 1.0, 1.0, 2.0, 2.0, 2.0], [1, 2]),
        (np.array([3, 3, 3, 1, 1, 1], np.uint8), [1, 3]),
        ([False, False, False, True, True, True], ["False", "True"]),
        (["P", "P", "P", 1.0, 1, "1"], ["1", "P"]),
        ([2**70] * 3 + [1] * 3, ["1", str(2**70)]),
    ],
)
def test_parents_are_told_apart_whatever_their_kind(parent, found):
    problem = go.build_problem(path(6), ONES, n_grids=2, parent=parent)
    assert problem.nesting.parents.tolist() == found
    assert problem.nesting.region.tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("null", [None, float("nan"), pd.NA, pd.NaT, ""])
def test_units_without_a_parent_are_named(null):
    with pytest.raises(go.InputError, match=r"1 units have no parent .first: 5"):
        go.build_problem(path(6), ONES, n_grids=2, parent=[1, 1, 1, 2, 2, null])


@pytest.mark.parametrize(
    "incumbent",
    [
        [0, 0, "G001", "G002", 1, None],
        [0.0, 0.0, 0.0, 1.0, 1.0, float("nan")],
        pd.Series([0, 0, 0, 1, 1]),
        pd.Series(["G001", "G001", "G001", "G002", "G002", pd.NA]),
        np.array([0, 0, 0, 1, 1, -1]),
    ],
)
def test_plans_in_force_are_numbers_or_ids_of_grids(incumbent):
    assert go.build_problem(path(6), ONES, n_grids=2, incumbent=incumbent).incumbent.tolist() == [0, 0, 0, 1, 1, -1]


@pytest.mark.parametrize("band", [[2, 3], np.array([2, 3]), pd.Series([2, 3])])
def test_bands_are_any_two_numbers_in_a_row(band):
    problem = go.build_problem(path(6), ONES, band=band)
    assert (problem.lo[0, 0], problem.hi[0, 0]) == (2, 3)


def test_a_graph_is_needed():
    with pytest.raises(go.InputError, match="graph is a NoneType; give a Graph"):
        go.build_problem(None, ONES, n_grids=2)


@pytest.mark.parametrize("first", [2**43 - 5, 2**43 - 4, 2**53 + 1, 10**400, 1e308])
def test_total_workload_is_held_against_its_limit_exactly(first):
    work = [first, *[1] * 5]
    if sum(map(Fraction, work)) <= 2**43:
        problem = go.build_problem(path(6), work, n_grids=2)
        assert problem.workload[:, 0].tolist() == work
        assert int(problem.workload.max()) * 10**6 < 2**63
    else:
        with pytest.raises(go.InputError, match=r"coarser resolution=|too large or infinite"):
            go.build_problem(path(6), work, n_grids=2)


def test_missing_values_of_nullable_tables_are_missing():
    work = pd.Series(pd.array([1.5, None, 1, 1, 1, 1], dtype="Float64"))
    with pytest.raises(go.InputError, match=r"no value .first: unit 1"):
        go.build_problem(path(6), work, n_grids=2)
    assert go.build_problem(path(6), work, n_grids=2, missing="zero").workload[:2, 0].tolist() == [150, 0]


FAR = [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]


@pytest.mark.parametrize(
    ("work", "xy", "kwargs", "message"),
    [
        (ONES, None, {"edge_cost": [2**62] * 5}, "most of it by 'edge_cost'.*common factor"),
        (ONES, None, {"edge_cost": np.array([2**63, 1, 1, 1, 1], np.uint64)}, "most of it by 'edge_cost'"),
        (ONES, None, {"unit_cost": [[2**58, 2]] * 6}, "most of it by 'unit_cost'"),
        (ONES, None, {"objective": {"cut": 2**58}}, "most of it by 'cut'"),
        (ONES, None, {"objective": {"moved": 2**58}, "incumbent": [0] * 6}, "most of it by 'moved'"),
        (ONES, None, {"objective": {"imbalance": 2**58}}, "most of it by 'imbalance'"),
        ([10**8] * 6, [*FAR, (4e6, 0)], {"objective": {"inertia": 1}}, "most of it by 'inertia'.*coarser resolution"),
        ([2**30] * 6, [*FAR, (5, 0)], {"objective": {"inertia": 1}}, r"the limit is 2\*\*31"),
        (ONES, [*FAR, (1e300, 0)], {"objective": {"inertia": 1}}, "unit 5 1e.300 m from the origin"),
    ],
)
def test_what_could_leave_64_bits_is_refused(work, xy, kwargs, message):
    with pytest.raises(go.InputError, match=message):
        go.build_problem(path(6, xy=xy), work, n_grids=2, **kwargs)


def test_inertia_at_its_limit_is_the_same_in_kernels_and_from_scratch():
    """Just below the limits of workload and of distance, where int64 would overflow first."""
    graph = path(6, xy=[(i * 5_000, (i % 2) * 20_000) for i in range(6)])
    problem = go.build_problem(graph, [2**31 // 6 - i for i in range(6)], n_grids=2, objective={"inertia": 1})
    result = go.solve(problem, steps=200)
    assert result.cost == cost(problem, result.require_plan().labels) > 2**50


@pytest.mark.parametrize(
    ("work", "message"),
    [
        ([1, 1, -1, 1, 1, 1], "negative .first: unit 'c' .-1.0"),
        ([1, 1, float("nan"), 1, 1, 1], "no value .first: unit 'c'"),
        ([1, 1, float("inf"), 1, 1, 1], "infinite .first: unit 'c'"),
        (list("abcxyz"), "not numeric"),
        ([0] * 6, "zero for every unit"),
        ([1e-9] * 6, "rounds to 0 for every unit .*largest value is 1e-09, the resolution 0.01.*resolution=1e-12"),
        (5, "workload is 5; give a Series"),
        (None, "workload is None; give a Series"),
        ("abcdef", "workload is 'abcdef'; give a Series"),
        ({"hh": 5}, "workload 'hh' is 5; give a Series"),
        ([[1, 2]] * 5, "5 rows for 6 units"),
        ([1, 10**400, 1, 1, 1, 1], "too large or infinite .first: unit 'b'"),
        ([1] * 5, "5 values for 6 units"),
        (pd.Series(ONES, index=list("abcdez"), name="hh"), "not units .first: 'z'"),
        (pd.Series(ONES[:5], index=list("abcde"), name="hh"), "no row for 1 of 6 units .first: 'f'"),
        (pd.Series(ONES, index=list("abcdee"), name="hh"), "seen before .first: 'e'"),
    ],
)
def test_bad_workload_is_refused_by_unit(work, message):
    with pytest.raises(go.InputError, match=message):
        go.build_problem(path(6, ids=list("abcdef")), work, n_grids=2)


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8), st.integers(0, 40))
def test_apportionment_gives_everything_within_bounds_and_favours_the_heavy(shares, extra):
    r = len(shares)
    given_out = apportion(r + extra, [float(s) for s in shares], [1] * r, [r + extra] * r, "parents")
    assert sum(given_out) == r + extra
    assert min(given_out) >= 1
    for i in range(r):
        for j in range(r):
            if shares[i] > shares[j]:
                assert given_out[i] >= given_out[j]


def test_nothing_but_heavy_units_is_a_plan_all_the_same():
    problem = go.build_problem(path(2), [5, 7], band=(0, 3))
    assert problem.nesting.reason == ("heavy", "heavy")
    assert go.verify(problem, [0, 1]) == []


def test_heavy_units_are_told_by_the_workload_that_is_too_heavy():
    work = pd.DataFrame({"shops": [1, 1, 1, 1, 1, 1], "area": [90, 5, 5, 5, 5, 5]})
    problem = go.build_problem(path(6), work, n_grids=3, tolerance=0.4)
    (finding,) = [f for f in problem.findings if f.code == "heavy-unit"]
    assert (finding.ids, finding.value) == ((0,), 90)
    assert finding.limit < 90
    assert finding.cure.startswith("By area")


def test_text_is_no_workload_even_where_it_looks_like_numbers():
    with pytest.raises(go.InputError, match="'code' is text"):
        go.build_problem(path(2), pd.DataFrame({"code": ["63000010", "63000020"]}), n_grids=2)


@pytest.mark.parametrize("parents", [None, [0, 0, 0, 0, 1, 1, 1, 1]])
def test_grids_in_force_stay_where_most_of_their_units_are(parents):
    graph = go.Graph.from_edges(8, [(0, 1), (1, 2), (2, 3), (4, 5), (5, 6), (6, 7)])
    before = [2, 2, 3, 3, 0, 0, 1, 1]  # numbered the other way round than the regions
    extra = {} if parents is None else {"parent": parents}
    terms = {"cut": 1, "moved": 1}
    problem = go.build_problem(graph, workload=[1] * 8, n_grids=4, incumbent=before, objective=terms, **extra)
    result = go.solve(problem, steps=2000)
    assert go.verify(problem, before) == []
    assert result.plan.labels.tolist() == before
    assert result.cost == 2


def test_a_band_beyond_all_floating_point_is_refused():
    """1e400 is a number, exact, and no load."""
    with pytest.raises(go.InputError, match="reaches over 1e300 work units"):
        go.build_problem(path(6), [1] * 6, band=("1", "1e400"))


def test_a_tolerance_below_one_work_unit_is_widened_aloud(path6):
    """Loads of 16 in three grids: 2 % of 5.33 is a tenth of a unit, and limits are 5 and 6."""
    problem = go.build_problem(path6, [1, 3, 3, 3, 3, 3], n_grids=3, tolerance=0.02)
    (finding,) = [f for f in problem.findings if f.code == "tolerance-widened"]
    assert (finding.severity, finding.ids, finding.value) == ("info", ("workload",), 0.02)
    assert finding.limit == pytest.approx(6 / (16 / 3) - 1)
    assert "5 and 6, for 3 grids" in finding.cure


@pytest.mark.parametrize(
    ("work", "options"),
    [
        ([2] * 6, {"tolerance": 0}),
        ([1, 3, 3, 3, 3, 3], {"tolerance": 0.2}),
        ([1, 3, 3, 3, 3, 3], {"band": (5, 6)}),
        ([1.0, 3.5, 3, 3, 3, 2.5], {"tolerance": 0.02}),
        ([20, 1, 3, 3, 3, 2], {"tolerance": 0.1, "scope": "global"}),
    ],
)
def test_limits_as_wide_as_asked_for_are_not_remarked_on(path6, work, options):
    problem = go.build_problem(path6, work, n_grids=3, **options)
    assert "tolerance-widened" not in [f.code for f in problem.findings]


def test_more_units_that_stand_alone_than_grids_are_counted_as_they_are(path6):
    """Two dedicated units and one grid: a grid was asked for, not minus one."""
    with pytest.raises(go.InputError) as caught:
        go.build_problem(path6, [1] * 6, n_grids=1, locks=go.Locks(dedicated=[["a"], ["f"]]))
    assert str(caught.value).startswith("1 grids for 1 pieces beside 2 that stand alone")
    assert "at least 3" in str(caught.value)
    assert (caught.value.findings[0].value, caught.value.findings[0].limit) == (1, 3)
