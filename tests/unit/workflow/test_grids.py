"""From a plan to polygons: exact, matched by id, measured in metres whatever the coordinates."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.errors import GeometryError, InputError
from gridopt.workflow.borders import borders
from gridopt.workflow.grids import to_grids


@pytest.fixture
def quarter() -> tuple[go.Graph, gpd.GeoDataFrame]:
    """
    Six squares of 100 m in two rows of three; an arterial runs between the rows, except at the east end.

        d e f
        a b c
    """
    edges = [(0, 1), (1, 2), (3, 4), (4, 5), (0, 3), (1, 4), (2, 5)]
    along = [[0, 0]] * 4 + [[1000, 0], [1000, 0], [0, 400]]
    names = ["", "", "", "", "North Road", "North Road; Mill Lane", "Mill Lane"]
    ids = list("abcdef")
    graph = go.Graph.from_edges(
        6, edges, [1000] * 7, [5] * 7, ids=ids, class_lengths=along, classes=("arterial", "local"), streets=names
    )
    x, y = [0, 100, 200] * 2, [0] * 3 + [100] * 3
    shapes = shapely.box(x, y, np.add(x, 100), np.add(y, 100))
    return graph, gpd.GeoDataFrame({"homes": range(6)}, index=ids, geometry=shapes, crs=32650)


def plan_of(graph: go.Graph, labels: list[int], **asked: object) -> go.Plan:
    asked = {"workload": {"homes": [1, 2, 3, 1, 2, 3]}, "n_grids": max(labels) + 1, **asked}
    return go.Plan(go.build_problem(graph, **asked), labels)


def test_one_row_per_grid_with_its_figures(quarter: tuple) -> None:
    graph, units = quarter
    grids = to_grids(plan_of(graph, [0, 0, 0, 1, 1, 1]), units)
    assert grids.index.tolist() == ["G001", "G002"]
    assert grids.index.name == "grid"
    assert grids["n_units"].tolist() == [3, 3]
    assert grids["load_homes"].tolist() == [6, 6]
    assert grids["deviation_homes"].tolist() == [0.0, 0.0]
    assert grids["area_m2"].tolist() == [30000.0, 30000.0]
    assert grids["polsby_popper"].tolist() == pytest.approx([4 * np.pi * 30000 / 800**2] * 2)
    assert grids["exempt"].tolist() == ["", ""]
    assert "parent" not in grids
    assert grids.crs == units.crs
    assert grids.geometry["G001"].equals(shapely.box(0, 0, 300, 100))


def test_units_are_matched_by_id_whatever_their_order(quarter: tuple) -> None:
    graph, units = quarter
    plan = plan_of(graph, [0, 0, 0, 1, 1, 1])
    shuffled = units.loc[list("fbadec")]
    assert to_grids(plan, shuffled).geometry.geom_equals(to_grids(plan, units).geometry).all()


def test_wrong_units_are_named(quarter: tuple) -> None:
    graph, units = quarter
    plan = plan_of(graph, [0, 0, 0, 1, 1, 1])
    with pytest.raises(InputError, match=r"2 units are not in the units table \(first: 'b', 'e'\)"):
        to_grids(plan, units.drop(index=["b", "e"]))
    with pytest.raises(InputError, match="No id matches"):
        to_grids(plan, units.reset_index(drop=True))
    with pytest.raises(GeometryError, match=r"1 units are no polygons \(first: 'c', missing\)"):
        to_grids(plan, units.assign(geometry=[None if i == "c" else g for i, g in units.geometry.items()]))


def test_loads_are_in_the_users_units(quarter: tuple) -> None:
    """Hours with two decimals are integers inside, and hours again outside."""
    graph, units = quarter
    plan = plan_of(graph, [0, 0, 0, 1, 1, 1], workload={"hours": [0.25, 1.5, 2.25, 0.5, 1.5, 2.0]})
    grids = to_grids(plan, units)
    assert grids["load_hours"].tolist() == [4.0, 4.0]


def test_parents_and_exempt_grids_are_named(quarter: tuple) -> None:
    graph, units = quarter
    parent = units.index.map({"a": "P2", "b": "P2", "c": "P2", "d": "P1", "e": "P1", "f": "P1"}).to_series(units.index)
    grids = to_grids(plan_of(graph, [0, 0, 0, 1, 1, 1], parent=parent), units)
    assert grids["parent"].tolist() == ["P2", "P1"]
    locks = go.Locks(dedicated=[["a"]])
    problem = go.build_problem(graph, workload={"homes": [1, 2, 3, 1, 2, 3]}, n_grids=3, locks=locks)
    tower, *others = np.argsort(~problem.nesting.exempt, kind="stable")
    grids = to_grids(go.Plan(problem, [tower, others[0], others[0], *[others[1]] * 3]), units)
    own = grids[grids["exempt"] == "dedicated"]
    assert own["n_units"].tolist() == [1]
    assert own["deviation_homes"].isna().all()
    assert grids["deviation_homes"].notna().sum() == 2


def test_a_linked_grid_is_one_row_of_several_parts() -> None:
    """An island joined by a ferry stays one grid."""
    graph = go.Graph.from_edges(2, [(0, 1)], ids=["west", "east"], kinds=[2])
    units = gpd.GeoDataFrame(index=["west", "east"], geometry=shapely.box([0, 50], 0, [10, 60], 10), crs=32650)
    grids = to_grids(plan_of(graph, [0, 0], workload=[1, 1]), units)
    assert grids.geometry["G001"].geom_type == "MultiPolygon"
    assert grids["area_m2"].tolist() == [200.0]


@pytest.mark.parametrize("crs", [4326, 2229])
def test_areas_are_square_metres_in_any_system(quarter: tuple, crs: int) -> None:
    """Degrees and US feet: the shapes stay where they are, the figures are metres."""
    graph, units = quarter
    moved = units.set_crs(26911, allow_override=True)
    moved.geometry = moved.translate(400000, 3700000)
    moved = moved.to_crs(crs)
    plan = plan_of(graph, [0, 0, 0, 1, 1, 1])
    with pytest.warns(UserWarning, match="projected"):
        grids = to_grids(plan, moved)
    assert grids.crs == moved.crs
    assert grids["area_m2"].tolist() == pytest.approx([30000, 30000], rel=0.002)
    with pytest.warns(UserWarning, match="projected"):
        assert borders(plan, moved)["length_m"].tolist() == pytest.approx([300], rel=0.002)


def test_borders_tell_length_streets_and_shares(quarter: tuple) -> None:
    """One row for the two grids: 200 m along an arterial, 40 along a local street, of 300."""
    graph, units = quarter
    found = borders(plan_of(graph, [0, 0, 0, 1, 1, 1]), units)
    assert found[["grid_a", "grid_b", "length_m", "cost"]].to_numpy().tolist() == [["G001", "G002", 300.0, 15]]
    assert found["streets"].tolist() == ["Mill Lane; North Road"]
    assert found["share_arterial"].tolist() == pytest.approx([2000 / 3000])
    assert found["share_local"].tolist() == pytest.approx([400 / 3000])
    assert found["on_streets"].tolist() == pytest.approx([2400 / 3000])
    assert found.geometry[0].equals(shapely.LineString([(0, 100), (300, 100)]))


def test_borders_cost_adds_up_to_the_cut(quarter: tuple) -> None:
    graph, units = quarter
    for labels in ([0, 1, 1, 0, 2, 2], [0, 0, 1, 2, 2, 1], [0, 1, 2, 0, 1, 2]):
        plan = plan_of(graph, labels)
        assert borders(plan, units)["cost"].sum() == 5 * sum(labels[u] != labels[v] for u, v in graph.edges)


def test_a_border_along_an_uncrossed_barrier_is_drawn_without_streets(quarter: tuple) -> None:
    """The graph has no edge across the railway, the map has the line."""
    graph, units = quarter
    keep = [not (u < 3 <= v) for u, v in graph.edges]
    parted = go.Graph.from_edges(
        6, graph.edges[keep], graph.length[keep], ids=graph.ids, class_lengths=np.zeros((4, 1)), classes=("arterial",)
    )
    found = borders(plan_of(parted, [0, 0, 0, 1, 1, 1]), units)
    assert found["length_m"].tolist() == [300.0]
    assert found["cost"].tolist() == [0]
    assert found["streets"].tolist() == [""]
    assert found["on_streets"].isna().all()


def test_one_grid_has_no_borders(quarter: tuple) -> None:
    graph, units = quarter
    found = borders(plan_of(graph, [0] * 6), units)
    assert len(found) == 0
    assert {"grid_a", "grid_b", "length_m", "cost", "streets", "on_streets", "share_arterial"} <= set(found.columns)
