"""The territories of the demo: nothing is lost between the raw lines and the problem."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from libpysal import examples

from gridopt.errors import InputError
from gridopt.workflow._demo_cases import Case, generated, geodanet, outline_of, patrol_km


@pytest.fixture(scope="module")
def town() -> Case:
    return geodanet()


@pytest.fixture(scope="module")
def city() -> Case:
    return generated(400, seed=3)


@pytest.mark.parametrize("name", ["town", "city"])
def test_blocks_are_a_coverage_and_all_have_work(name: str, request: pytest.FixtureRequest) -> None:
    case = request.getfixturevalue(name)
    assert shapely.coverage_is_valid(case.blocks.geometry.to_numpy())
    assert case.blocks["hours"].min() > 0, "patrol gives every block some work"
    assert len(set(case.problem.graph.components())) == 1
    total = case.problem.in_user_units(int(case.problem.workload.sum()))
    assert total == pytest.approx(case.blocks["hours"].sum())


def test_the_town_has_all_its_incidents_and_streets(town: Case) -> None:
    """287 incidents, 8 schools and 31.8 km of street come in; none is lost, not even across the boundary."""
    raw = {name: gpd.read_file(examples.get_path(f"{name}.shp")) for name in ("streets", "crimes", "schools")}
    assert town.blocks["incidents"].sum() == len(raw["crimes"]) == 287
    assert town.blocks["schools"].sum() == len(raw["schools"]) == 8
    feet = raw["streets"].length.sum()
    assert patrol_km(town.blocks, town.streets).sum() == pytest.approx(feet * 0.3048 / 1000, rel=0.002)
    assert town.streets.crs.axis_info[0].unit_name == "metre"


def test_hours_are_what_the_parameters_say(town: Case) -> None:
    """Each block: patrol 365 times at 10 km/h, 1.5 h an incident, 40 h a school."""
    want = patrol_km(town.blocks, town.streets) * 36.5 + 1.5 * town.blocks["incidents"] + 40 * town.blocks["schools"]
    np.testing.assert_allclose(town.blocks["hours"], want, atol=0.005)


def test_the_city_nests_and_keeps_compounds_together(city: Case) -> None:
    blocks, nesting = city.blocks, city.problem.nesting
    assert blocks["street"].notna().all()
    assert set(nesting.parents.tolist()) == set(blocks["street"])
    assert len(city.problem.graph.classes) == 4
    named = blocks["compound"].notna().to_numpy()
    assert named.any()
    assert ((city.problem.together >= 0) == (blocks["compound"].map(blocks["compound"].value_counts()) > 1)).all()


def test_cases_are_reproducible(town: Case, city: Case) -> None:
    for old, new in ((town, geodanet()), (city, generated(400, seed=3))):
        assert old.blocks["hours"].equals(new.blocks["hours"])
        assert old.problem.graph == new.problem.graph
        assert old.lines == new.lines


def test_the_outline_is_what_streets_enclose() -> None:
    """A square with a dead end outside and a hole of blocks inside: the square."""
    ring = shapely.LineString([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)])
    dead_end = shapely.LineString([(10, 5), (20, 5)])
    across = shapely.LineString([(5, 0), (5, 10)])
    streets = gpd.GeoDataFrame(geometry=[ring, dead_end, across], crs=32650)
    assert outline_of(streets).iloc[0].equals(shapely.box(0, 0, 10, 10))
    with pytest.raises(InputError, match="enclose nothing"):
        outline_of(streets.iloc[[1]])


def test_patrol_shares_streets_between_their_two_sides() -> None:
    """Between two blocks a half each, on the rim the whole, a dead end inside the whole, far away nothing."""
    blocks = gpd.GeoDataFrame(geometry=shapely.box([0, 1000], 0, [1000, 2000], 1000))
    roads = {
        "between": [(1000, 0), (1000, 1000)],
        "rim": [(0, 0), (0, 1000)],
        "dead end": [(1500, 1000), (1500, 600)],
        "far": [(0, 5000), (1000, 5000)],
    }
    km = {name: patrol_km(blocks, gpd.GeoDataFrame(geometry=[shapely.LineString(c)])) for name, c in roads.items()}
    assert {name: values.round(6).tolist() for name, values in km.items()} == {
        "between": [0.5, 0.5],
        "rim": [1.0, 0.0],
        "dead end": [0.0, 0.4],
        "far": [0.0, 0.0],
    }
