"""Problem: the same facts in another order are the same problem."""

import copy
import pickle
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import gridopt as go
from gridopt.rules.objective import cost


def town(order, **kwargs):
    """A ladder of 2 x 6 units with parents, rows in some order; everything else follows the ids."""
    ids = np.array([f"u{i:02d}" for i in range(12)])
    pairs = [(i, i + 1) for i in range(11) if i != 5] + [(i, i + 6) for i in range(6)]
    back = np.argsort(order)
    graph = go.Graph.from_edges(12, back[np.array(pairs)], costs=[3 + i for i in range(len(pairs))], ids=ids[order])
    ends = np.array([[int(graph.ids[u][1:]), int(graph.ids[v][1:])] for u, v in graph.edges])
    price = ends.min(axis=1) * 20 + ends.max(axis=1)
    work = np.array([5, 1, 1, 9, 2, 2, 1, 1, 3, 1, 1, 30])
    parent = np.array(list("PPPQQQPPPQQQ"))
    return go.build_problem(
        graph, work[order], n_grids=5, parent=parent[order], tolerance=0.5, edge_cost=price, **kwargs
    )


@pytest.mark.parametrize("seed", range(5))
def test_sorting_the_units_undoes_any_order(seed):
    order = np.random.default_rng(seed).permutation(12)
    locks = go.Locks(together=[["u00", "u01"], ["u03", "u04"]], apart=[["u02", "u06"]])
    plain = town(np.arange(12), locks=locks)
    mixed = town(order, locks=locks)
    again = mixed.reordered(np.argsort(mixed.graph.ids))
    straight = plain.reordered(np.arange(12))
    assert again.graph.ids.tolist() == plain.graph.ids.tolist()
    assert again.graph.edges.tolist() == plain.graph.edges.tolist()
    assert again.graph.cost.tolist() == plain.graph.cost.tolist()
    assert again.nesting.region.tolist() == straight.nesting.region.tolist()
    assert again.nesting.grid_region.tolist() == straight.nesting.grid_region.tolist()
    assert again.nesting.reason == straight.nesting.reason
    for name in ("workload", "lo", "hi", "target", "fixed", "together", "apart", "edge_cost"):
        assert np.array_equal(getattr(again, name), getattr(straight, name)), name


def test_named_grids_keep_their_rows():
    problem = town(np.arange(12)[::-1], locks=go.Locks(fixed={"u00": 4}))
    again = problem.reordered(np.argsort(problem.graph.ids))
    assert again.fixed.tolist() == [4] + [-1] * 11
    assert again.lo.tolist() == problem.lo.tolist()


def test_plans_of_either_order_are_worth_the_same():
    problem = town(np.arange(12)[::-1])
    order = np.argsort(problem.graph.ids)
    again = problem.reordered(order)
    labels = np.arange(12) % 5
    assert cost(again, labels[order]) == cost(problem, labels)


def arrays(noun, name=""):
    """(name, array) of every array in a noun and the nouns in it."""
    for field in fields(noun):
        value, path = getattr(noun, field.name), f"{name}.{field.name}"
        if isinstance(value, np.ndarray):
            yield path, value
        elif is_dataclass(value):
            yield from arrays(value, path)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda noun: pickle.loads(pickle.dumps(noun))])
@pytest.mark.parametrize("kind", ["graph", "nesting", "problem", "plan", "result"])
def test_copies_are_read_only_too(kind, again):
    problem = town(np.arange(12), incumbent=[0] * 12, unit_cost=np.ones((12, 5), dtype=int))
    plan = go.Plan(problem, np.arange(12) % 5)
    result = go.Result(go.Status.FEASIBLE, "by hand", plan)
    noun = {"graph": problem.graph, "nesting": problem.nesting, "problem": problem, "plan": plan, "result": result}
    before, after = dict(arrays(noun[kind])), dict(arrays(again(noun[kind])))
    assert len(after) >= 4
    assert [name for name, array in after.items() if array.flags.writeable] == []
    assert all(np.array_equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(("resolution", "load"), [("1e30", 3e30), (2**40, 3 * 2**40), ("0.123456789012", 9e9)])
def test_loads_in_user_units_do_not_overflow(resolution, load):
    problem = go.build_problem(go.Graph.from_edges(1, []), [load], n_grids=1, resolution=resolution)
    assert problem.in_user_units(problem.workload[0, 0]) == pytest.approx(load)
    assert problem.in_user_units(problem.workload[:, 0]).tolist() == pytest.approx([load])
