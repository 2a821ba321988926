"""Defects that the descriptions of the real data name and no other test shows: each is told, and nothing is lost."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest

import gridopt as go
from gridopt.io.tables import read_table
from gridopt.territory.blocks import check_streets
from gridopt.territory.streets import FACTORS, OSM_HIGHWAYS, classify


def test_lots_without_record_count_nothing_and_lots_with_many_count_each(real_data):
    """Cambridge: 133 of 13,116 parcels (1.0 %) have no record; 27,528 records share 13,021 lots, 438 on one of them."""
    city = real_data("cambridge_ma/cambridge.gpkg")
    blocks = gpd.read_file(city, layer="census_blocks_2010").set_index("GEOID10").to_crs(26986)
    parcels = gpd.read_file(city, layer="parcels_2014")
    records = read_table(real_data("cambridge_ma/parcels_2014_cama.csv.gz"))
    assert (~parcels["ML"].isin(records["ML"])).sum() == 133
    per_lot = records["ML"].value_counts()
    assert (len(per_lot), per_lot.max()) == (13_021, 438)
    placed = go.place_at(records, parcels, on="ML")
    found = go.locate(blocks, placed)
    of_lot = pd.Series(found.unit_of).groupby(records["ML"].reindex(found.unit_of.index)).nunique()
    assert of_lot.max() == 1  # all records of a lot are in one block
    assert len(found.unit_of) + len(found.outside) == len(records)


def test_parking_spaces_are_polygons_without_a_column(real_data):
    """Cambridge: 3,320 of them, nothing but shapes; one lies outside of the boundary, and is listed."""
    city = real_data("cambridge_ma/cambridge.gpkg")
    boundary = gpd.read_file(city, layer="boundary").to_crs(26986)
    found = go.locate(boundary, gpd.read_file(city, layer="metered_parking"))
    assert (int(found.counts.sum()), len(found.outside)) == (3319, 1)


def test_directed_networks_and_lists_of_tags(real_data):
    """Futian: two-way streets come twice and count once; of ['primary', 'trunk'] the higher class counts."""
    streets = gpd.read_file(real_data("shenzhen_futian/shenzhen_futian.gpkg"), layer="streets_directed").to_crs(32650)
    hull = gpd.GeoSeries([streets.union_all().convex_hull], crs=32650)
    assert {f.code: f.value for f in check_streets(hull, streets)}["lines-twice"] == 577
    several = streets[streets["highway"].str.startswith("[")]
    assert len(several) == 50
    for text, name in zip(several["highway"], classify(several)[0]):
        tags = [tag.strip("[]' ") for tag in text.split(",")]
        assert FACTORS[name] == min(FACTORS[OSM_HIGHWAYS[tag]] for tag in tags)


def test_beats_of_one_number_and_tracts_in_two_parts(real_data):
    """Chicago: number 3100 stands for three enclaves, which is no id; tracts fall into two components, named."""
    city = real_data("chicago/chicago.gpkg")
    beats = gpd.read_file(city, layer="police_beats").to_crs(26916)
    with pytest.raises(go.InputError, match=r"1 unit ids occur more than once \(first: '3100'\).*dissolve"):
        go.build_graph(beats.set_index("beat_num"))
    one = beats.dissolve("beat_num")
    assert [f.ids for f in go.inspect_units(one).attrs["findings"] if f.code == "several-parts"] == [("3100",)]
    apart = go.repair_units(one[["district", "geometry"]], split_multipart=True)
    assert {"3100-1", "3100-2", "3100-3"} <= set(apart.units.index)
    graph = go.build_graph(gpd.read_file(city, layer="tracts_2010").to_crs(26916).set_index("geoid10"))
    assert {f.code: f.value for f in graph.findings}["several-components"] == 2


def test_a_tract_by_itself_is_a_grid_by_itself(real_data):
    """Minnesota: 1,335 tracts, one without a neighbour."""
    data = np.load(real_data("graphs/us_tracts/tract_MN.npz"))
    graph = go.Graph.from_edges(len(data["pop"]), data["edges"], ids=data["geoid"].astype(object))
    problem = go.build_problem(graph, data["pop"], n_grids=8, tolerance=0.2)
    alone = graph.ids[np.diff(graph.indptr) == 0].tolist()
    assert len(alone) == 1
    assert [f.ids for f in problem.findings if f.code == "light-piece"] == [tuple(alone)]


def test_missing_persons_are_an_error_until_somebody_says_what_they_mean(real_data):
    """Northern Taiwan: 20,114 blocks without a figure, all 17,277 of New Taipei among them."""
    data = np.load(real_data("graphs/taiwan_north/graph.npz"))
    graph = go.Graph.from_edges(len(data["population"]), data["edges"], ids=data["codebase"].astype(object))
    with pytest.raises(go.InputError, match=r'20114 values of workload column .* have no value.*missing="zero"'):
        go.build_problem(graph, {"persons": data["population"]}, n_grids=900)
    problem = go.build_problem(graph, {"persons": data["population"]}, n_grids=900, missing="zero")
    assert int(problem.workload.sum()) == 6_648_747
