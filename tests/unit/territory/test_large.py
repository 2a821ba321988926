"""Ground with hardly a street in it is told, with the blocks that are too large for fine grids."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridopt.territory.blocks import build_blocks, check_streets
from gridopt.territory.large import LARGE, tell_large

CRS = "EPSG:3826"


def lines(*shapes):
    return gpd.GeoDataFrame(
        {"highway": ["primary"] * len(shapes)}, geometry=[shapely.LineString(s) for s in shapes], crs=CRS
    )


def large(findings):
    return [(f.severity, f.ids, f.value, f.limit) for f in findings if f.code == "large-blocks"]


def test_one_street_across_five_square_kilometres_is_a_warning():
    area = gpd.GeoSeries([shapely.box(0, 0, 2500, 2000)], crs=CRS)
    street = lines([(1000, -10), (1000, 2010)])
    blocks = build_blocks(area, street)
    found = ("warning", ("B00002", "B00001"), "100.0 % of the area in 2 of 2", LARGE)
    assert large(blocks.attrs["findings"]) == [found]
    assert large(build_blocks(area, street, clean=False).attrs["findings"]) == [found]
    told = [f for f in check_streets(area, street) if f.code == "large-blocks"]
    assert (told[0].severity, told[0].ids, told[0].value) == ("warning", (), "100.0 % of the area in 2 of 2")
    assert "The largest is at (1750, 1000)" in told[0].cure


def test_a_park_among_blocks_is_noted_and_a_lake_is_not():
    """40 blocks of 1 ha on the left, one square of 100 ha on the right: 71 %; as a lake it is no block of land."""
    area = gpd.GeoSeries([shapely.box(0, 0, 1400, 1000)], crs=CRS)
    streets = lines(
        *([(x, 0), (x, 1000)] for x in range(100, 500, 100)), *([(0, y), (400, y)] for y in range(100, 1000, 100))
    )
    blocks = build_blocks(area, streets)
    assert [row[:1] + row[2:3] for row in large(blocks.attrs["findings"])] == [
        ("warning", "71.4 % of the area in 1 of 41")
    ]
    lake = gpd.GeoSeries([shapely.box(400, 0, 1400, 1000)], crs=CRS)
    assert large(build_blocks(area, streets, barriers=lake).attrs["findings"]) == []


@pytest.mark.parametrize(("other", "severity"), [(20e6, None), (3e6, "info"), (0.9e6, "warning")])
def test_the_share_decides(other, severity):
    small = np.full(100, other / 100)
    found = tell_large(np.r_[small, 1e6], [f"B{i}" for i in range(101)])
    assert [(f.severity, f.ids) for f in found] == ([(severity, ("B100",))] if severity else [])
    given = tell_large(np.r_[small, 1e6], [f"B{i}" for i in range(101)], crowded="info")
    assert [f.severity for f in given] == (["info"] if severity else [])


def test_nothing_at_all_is_no_share():
    assert tell_large(np.zeros(0), []) == []
