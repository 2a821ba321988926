"""Objects of real cities: every one is in one unit or listed, and every amount adds up."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from gridopt.io.tables import read_table
from gridopt.territory.blocks import build_blocks
from gridopt.territory.locate import locate
from gridopt.territory.places import place, place_at
from gridopt.territory.spread import cells_around, spread


def test_cambridge_parcels_and_property_records_are_located_or_listed(real_data):
    """13,116 parcels, 34 of them invalid and one empty; 27,528 records of 13,021 lots."""
    city = real_data("cambridge_ma/cambridge.gpkg")
    blocks = build_blocks(*(gpd.read_file(city, layer=name) for name in ("boundary", "streets")), crs="EPSG:26986")
    parcels = gpd.read_file(city, layer="parcels_2014")
    found = locate(blocks, parcels)
    assert (len(parcels), len(found.unit_of) + len(found.outside)) == (13_116, 13_116)
    assert {f.code: f.value for f in found.findings}["no-geometry"] == 1
    records = read_table(real_data("cambridge_ma/parcels_2014_cama.csv.gz"))
    placed = place_at(records, parcels, on="ML")
    told = {f.code: f for f in placed.attrs["findings"]}
    assert told["no-place"].value == len(set(records["ML"]) - set(parcels["ML"]))
    found = locate(blocks, placed, class_column="UseDescription")
    assert (len(records), len(found.unit_of) + len(found.outside)) == (27_528, 27_528)
    assert found.conservation["given"].to_dict() == records["UseDescription"].fillna("(none)").value_counts().to_dict()
    assert (found.conservation["given"] == found.conservation["located"] + found.conservation["outside"]).all()
    assert len(found.outside) < 100


def test_chicago_incidents_per_place_and_those_at_the_lake(real_data):
    """148,636 incidents: 91 outside every beat, each within 6 m of one; 98 % in the district they were recorded in."""
    beats = gpd.read_file(real_data("chicago/chicago.gpkg"), layer="police_beats").to_crs("EPSG:26916")
    incidents = read_table(real_data("chicago/aggravated_assaults_2010_2019.csv.gz"))
    found = locate(beats, incidents, class_column="loc_cat")
    assert found.conservation["given"].sum() == len(incidents) == 148_636
    assert found.conservation["given"].to_dict() == incidents["loc_cat"].value_counts().to_dict()
    assert len(found.outside) == 91
    snapped = locate(beats, incidents, snap=6, ties="even")
    assert snapped.outside == ()
    district = beats["district"].astype(int).reindex(found.unit_of).to_numpy()
    assert (district == incidents.loc[found.unit_of.index, "district"].to_numpy()).mean() > 0.98


def test_chicago_tracts_bring_persons_to_beats(real_data):
    """-999 is no number of persons: four tracts say so, and are refused until somebody decides."""
    city = real_data("chicago/chicago.gpkg")
    beats = gpd.read_file(city, layer="police_beats").to_crs("EPSG:26916")
    tracts = gpd.read_file(city, layer="tracts_2010")
    with pytest.raises(ValueError, match=r"4 values of weight column 'E_TOTPOP'.*-999"):
        spread(beats, tracts, "E_TOTPOP")
    tracts["E_TOTPOP"] = tracts["E_TOTPOP"].mask(tracts["E_TOTPOP"] < 0)
    found = spread(beats, tracts, {"persons": "E_TOTPOP"}, missing="zero")
    given, located, outside = found.conservation.loc["persons"]
    assert given == located + outside == int(tracts["E_TOTPOP"].sum())
    assert found.counts["persons"].dtype == np.int64
    assert 0.96 < located / given < 0.98
    kept = spread(beats, tracts, {"persons": "E_TOTPOP"}, missing="zero", edge="keep").conservation.loc["persons"]
    assert kept["outside"] == 0


def test_porto_alegre_hexagons_bring_people_to_blocks(real_data):
    """1,227 centres of hexagons: people crowd into few blocks as points, and spread over all as cells."""
    streets = gpd.read_file(real_data("porto_alegre/porto_alegre.gpkg"), layer="highways").to_crs("EPSG:32722")
    blocks = build_blocks(gpd.GeoSeries([streets.union_all().convex_hull], crs=streets.crs), streets)
    table = pd.read_csv(real_data("porto_alegre/hexgrid.csv.gz"), index_col="id")
    centres = place(table)
    with pytest.warns(UserWarning, match="projected"):
        cells = cells_around(centres)
    columns = ["population", "schools", "jobs", "healthcare"]
    found = spread(blocks, cells, columns, missing="zero")
    assert [(f.code, f.value) for f in found.findings][:1] == [("no-amount", 5)]
    assert found.conservation["given"].to_dict() == table[columns].sum().to_dict()
    assert found.conservation.loc["population", "given"] == 812_935
    assert (found.conservation["given"] == found.conservation["located"] + found.conservation["outside"]).all()
    assert (found.counts.dtypes == np.int64).all()
    overlap = cells.geometry.area.sum() - shapely.union_all(cells.geometry.to_numpy()).area
    assert overlap < 1
    as_points = locate(blocks, centres, weight="population").counts
    assert (as_points > 0).sum() < 0.25 * len(blocks)
    assert (found.counts["population"] > 0).sum() > 0.6 * len(blocks)
    middle = cells.to_crs(4326).geometry.iloc[0]
    assert middle.contains(centres.geometry.iloc[0])


def test_taipei_welfare_facilities_per_village(real_data):
    """578 facilities in 456 villages, two of them invalid in degrees: 3 on the river or over the border."""
    city = real_data("taipei/taipei.gpkg")
    villages = gpd.read_file(city, layer="villages").set_index("NPTVID")
    facilities = gpd.read_file(city, layer="welfare_facilities")
    found = locate(villages.to_crs("EPSG:3826"), facilities, class_column="main_type")
    assert found.conservation["given"].sum() == 578
    assert found.conservation["outside"].sum() == len(found.outside) == 3
    assert found.conservation["given"].to_dict() == facilities["main_type"].value_counts().to_dict()


def test_taipei_blocks_bring_households_to_villages(real_data):
    """Blocks and villages were digitised apart: households are divided, none is lost inside the city."""
    city = real_data("taipei/taipei.gpkg")
    villages = gpd.read_file(city, layer="villages").to_crs("EPSG:3826").set_index("NPTVID")
    blocks = gpd.read_file(city, layer="bsa").to_crs("EPSG:3826")
    found = spread(villages, blocks, ["H_CNT", "P_CNT"], missing="zero", edge="keep")
    assert found.conservation["given"].tolist() == [1_048_986, 2_689_272]
    assert found.conservation["outside"].tolist() == [0, 0]
    assert {f.code: f.value for f in found.findings}["no-amount"] == 630
