"""Generated cities: what benchmarks and other tests lean on must hold exactly, and must not drift."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.territory._city_mesh import build_mesh
from gridopt.territory.synthetic import City, city, plain_city

LEVELS = (("communities", "community"), ("subdistricts", "street"), ("districts", "district"))


@pytest.fixture(scope="module")
def town() -> City:
    return city(1000, seed=3)


def as_networkx(graph: go.Graph) -> nx.Graph:
    made = nx.Graph()
    made.add_nodes_from(range(graph.n_units))
    made.add_edges_from(graph.edges.tolist())
    return made


# ---- the plain city ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 5, 17, 400])
def test_plain_city_has_exactly_n_units_and_is_connected(n: int) -> None:
    graph, workload = plain_city(n, seed=5)
    assert graph.n_units == len(workload) == n
    assert nx.is_connected(as_networkx(graph))
    assert workload.dtype == np.int64
    assert workload.min() >= 1


def test_plain_city_is_the_one_the_published_figures_speak_of() -> None:
    """100 m lattice, jitter 38 m; Delaunay edges under 220 m less a fifth of the dispensable; gamma, lognormal."""
    graph, workload = plain_city(10_000, seed=0)
    offset = graph.xy - 100.0 * np.column_stack([np.arange(10_000) % 100, np.arange(10_000) // 100])
    assert np.abs(offset).max() <= 38.0
    assert np.abs(offset).max() > 37.9
    step = graph.xy[graph.edges[:, 0]] - graph.xy[graph.edges[:, 1]]
    assert np.hypot(*step.T).max() < 220.0
    assert nx.check_planarity(as_networkx(graph))[0]
    all_edges = shapely.get_num_geometries(shapely.delaunay_triangles(shapely.multipoints(graph.xy), only_edges=True))
    assert graph.n_edges == pytest.approx(all_edges - 0.2 * (all_edges - 9_999), rel=0.01)
    metres = graph.length / 10
    assert metres.mean() == pytest.approx(90, rel=0.03)
    assert metres.std() == pytest.approx(30 * 3**0.5, rel=0.03)
    assert np.log(workload).mean() == pytest.approx(3.0, abs=0.03)
    assert np.log(workload).std() == pytest.approx(0.8, abs=0.03)
    assert np.abs(graph.cost - metres).max() <= 1.0
    assert graph.cost.min() >= 1


def test_equal_seeds_give_equal_plain_cities_and_others_do_not() -> None:
    first, again, other = plain_city(300, seed=1), plain_city(300, seed=1), plain_city(300, seed=2)
    assert first[0] == again[0]
    assert np.array_equal(first[1], again[1])
    assert first[0] != other[0]
    assert not np.array_equal(first[1], other[1])


def test_a_plain_city_of_nothing_is_refused() -> None:
    with pytest.raises(go.InputError, match="n=0"):
        plain_city(0)


# ---- the city of streets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "seed"), [(16, 0), (16, 1), (50, 2), (200, 4), (1000, 7), (4000, 0)])
def test_a_city_has_about_n_units(n: int, seed: int) -> None:
    assert len(city(n, seed).units) == pytest.approx(n, rel=0.04, abs=4)


def test_units_cover_the_outline_without_gap_or_overlap(town: City) -> None:
    shapes = np.asarray(town.units.geometry)
    assert shapely.coverage_is_valid(shapes)
    outline = town.boundary.geometry.iloc[0]
    assert shapely.equals(shapely.coverage_union_all(shapes), outline)
    assert outline.geom_type == "Polygon"
    assert shapely.get_num_interior_rings(outline) == 0
    assert np.allclose(shapely.area(shapes), town.units["area_m2"], atol=0.011)
    assert (shapely.get_type_id(shapes) == 3).all()


@pytest.mark.parametrize("seed", range(12))
def test_no_cell_of_the_mesh_is_folded(seed: int) -> None:
    """A folded cell would give blocks that overlap."""
    mesh = build_mesh(3000, np.random.default_rng(seed))
    a, b, c = (mesh.xy[mesh.triangles[:, i]] for i in range(3))
    twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert twice.min() > 400


def test_blocks_from_the_streets_are_the_units(town: City) -> None:
    blocks = np.asarray(go.build_blocks(town.boundary, town.streets, barriers=town.rivers).geometry)
    units = np.asarray(town.units.geometry)
    unit, block = shapely.STRtree(blocks).query(shapely.point_on_surface(units), predicate="within")
    assert unit.tolist() == list(range(len(units)))
    assert sorted(block.tolist()) == list(range(len(blocks)))
    assert shapely.area(shapely.symmetric_difference(units, blocks[block])).max() < 1e-6


def test_the_graph_from_shapes_is_the_graph_from_the_mesh(town: City) -> None:
    """Two ways to the same graph: polygons and lines here, the generator's own book-keeping there."""
    made = go.build_graph(town.units, streets=town.streets, barriers=town.rivers, crossings=town.bridges)
    told = town.to_graph()
    assert made.ids.tolist() == told.ids.tolist()
    assert made.edges.tolist() == told.edges.tolist()
    assert made.kind.tolist() == told.kind.tolist()
    assert made.classes == told.classes
    assert np.abs(made.length - told.length).max() <= 30
    assert made.cost.sum() == pytest.approx(told.cost.sum(), rel=1e-3)


def test_the_city_hangs_together_only_through_its_bridges(town: City) -> None:
    graph = as_networkx(town.to_graph())
    assert nx.is_connected(graph)
    assert len(town.bridges) >= 2
    crossing = town.to_graph().kind == 1
    graph.remove_edges_from(town.to_graph().edges[crossing].tolist())
    assert nx.number_connected_components(graph) == 2


@pytest.mark.parametrize(("layer", "column"), LEVELS)
def test_parents_are_the_union_of_their_units(town: City, layer: str, column: str) -> None:
    parents = getattr(town, layer)
    dissolved = town.units.dissolve(column, method="coverage").geometry
    assert sorted(dissolved.index) == sorted(parents.index)
    assert shapely.area(shapely.symmetric_difference(dissolved.loc[parents.index], parents.geometry)).max() < 1e-6


@pytest.mark.parametrize("seed", range(4))
def test_parents_nest_by_code_and_are_connected(seed: int) -> None:
    made = city(1500, seed)
    units = made.units
    assert (units["community"].str[:9] == units["street"]).all()
    assert (units["street"].str[:6] == units["district"]).all()
    assert set(units["community"].str.len()) == {12}
    graph = as_networkx(made.to_graph())
    for _, column in LEVELS:
        for parent, members in units.reset_index().groupby(column).groups.items():
            assert nx.is_connected(graph.subgraph(members)), (column, parent)


def test_communities_have_a_practical_number_of_blocks() -> None:
    sizes = city(4000, seed=0).units["community"].value_counts()
    assert sizes.min() >= 9
    assert 12 <= sizes.median() <= 30
    assert sizes.max() <= 80


def test_borders_of_communities_follow_collectors_arterials_and_the_river() -> None:
    """No metre of a lane parts two communities."""
    made = city(4000, seed=1)
    where = made.units["community"]
    between = where.loc[made.borders["unit_a"]].to_numpy() != where.loc[made.borders["unit_b"]].to_numpy()
    wide = made.borders["highway"].isin(["tertiary", "secondary", "primary", "trunk"]) | made.borders["river"]
    metres = made.borders["length_m"]
    assert metres[between & wide].sum() == metres[between].sum()


def test_compounds_are_small_connected_and_within_a_community(town: City) -> None:
    gated = town.units.dropna(subset="compound").groupby("compound")
    assert len(gated) == len(town.compounds) > 5
    graph = as_networkx(town.to_graph())
    where = {unit: i for i, unit in enumerate(town.units.index)}
    for name, members in gated:
        assert 2 <= len(members) <= 3
        assert members["community"].unique().tolist() == [town.compounds.loc[name, "community"]]
        assert nx.is_connected(graph.subgraph([where[u] for u in members.index]))
        assert shapely.union_all(members.geometry).equals(town.compounds.geometry.loc[name])
    inside = town.streets["highway"].eq("living_street")
    assert inside.any()


@pytest.mark.parametrize("layer", ["households", "services"])
def test_each_object_lies_well_inside_the_unit_it_names(town: City, layer: str) -> None:
    points = getattr(town, layer)
    homes = town.units.geometry.loc[points["unit"]]
    assert shapely.contains_properly(np.asarray(homes), np.asarray(points.geometry)).all()
    rims = shapely.boundary(np.asarray(homes))
    assert shapely.distance(rims, np.asarray(points.geometry)).min() > 0.05


def test_counts_of_units_are_those_of_the_objects(town: City) -> None:
    units = town.units
    for column in ("households", "persons"):
        counted = town.households.groupby("unit")[column].sum().reindex(units.index, fill_value=0)
        assert counted.tolist() == units[column].tolist()
    market = town.services[town.services["kind"].isin(["shop", "restaurant", "pharmacy", "market"])]
    assert market["unit"].value_counts().reindex(units.index, fill_value=0).tolist() == units["shops"].tolist()
    assert (units["persons"] >= units["households"]).all()
    assert set(town.services["risk"]) == set("ABCD")


def test_households_are_heavy_tailed_and_some_units_have_none() -> None:
    households = city(4000, seed=0).units["households"]
    assert 0.04 < (households == 0).mean() < 0.1
    assert households.max() > 8 * households.mean()
    assert 40 < households.mean() < 110


def test_streets_speak_openstreetmap_and_bear_names(town: City) -> None:
    kinds = Counter(town.streets["highway"])
    assert set(kinds) >= {"primary", "tertiary", "residential", "service"}
    assert town.streets.loc[town.streets["highway"] != "service", "name"].notna().all()
    assert shapely.is_simple(np.asarray(town.streets.geometry)).all()


def test_equal_seeds_give_equal_cities_and_others_do_not() -> None:
    first, again, other = city(120, seed=1), city(120, seed=1), city(120, seed=2)
    for layer in ("boundary", "streets", "rivers", "bridges", "compounds", "households", "services", "units"):
        assert getattr(first, layer).equals(getattr(again, layer)), layer
    assert first.borders.equals(again.borders)
    assert not first.boundary.equals(other.boundary)


def test_a_city_too_small_for_streets_is_refused() -> None:
    with pytest.raises(go.InputError, match="at least 16"):
        city(15)
