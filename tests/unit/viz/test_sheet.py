"""The contact sheet: six panels, what was merged in its colour, the same file each time."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex

import gridopt as go
from benchmarks.sheets import draw, raw_town
from gridopt.viz.sheet import REASONS, draw_sheet

CRS = "EPSG:3826"


@pytest.fixture
def blocks():
    lines = shapely.linestrings([[(200, -9), (200, 409)], [(206, -9), (206, 409)], [(-9, 150), (409, 150)]])
    streets = gpd.GeoDataFrame({"highway": ["residential"] * 3}, geometry=lines, crs=CRS)
    return go.build_blocks(gpd.GeoSeries([shapely.box(0, 0, 400, 400)], crs=CRS), streets), streets


def test_every_merged_face_is_drawn_in_the_colour_of_its_reason(blocks):
    made, streets = blocks
    merged = go.merged_faces(made)
    sheet = draw_sheet(made, streets, merged)
    filled = [c for c in sheet.axes[0].collections if isinstance(c, PathCollection)]
    assert [to_hex(c) for c in filled[0].get_facecolors()] == [REASONS[r] for r in merged["reason"]]
    assert len(filled[0].get_paths()) == len(merged) == 2


def test_findings_are_spelled_out(blocks):
    made, streets = blocks
    sheet = draw_sheet(made, streets, go.merged_faces(made))
    words = " ".join(text.get_text() for text in sheet.axes[3].texts)
    assert all(f.code in words for f in made.attrs["findings"])
    text = (go.Finding("large-blocks", "info", (), "51.0 % of the area", None, "Few streets."),)
    sheet = draw_sheet(made, streets, go.merged_faces(made), findings=text)
    assert sheet.axes[3].texts[1].get_text() == "large-blocks: 51.0 % of the area"


def test_lines_of_text_do_not_run_into_each_other(blocks):
    """Headings of panels, with thousands of pieces, stay within their panel."""
    made, streets = blocks
    merged = go.merged_faces(made)
    many = merged.loc[merged.index.repeat(6000)].reset_index(drop=True)
    sheet = draw_sheet(made, streets, many)
    sheet.draw_without_rendering()
    for axes in sheet.axes[:5]:
        assert axes.texts[0].get_window_extent().x1 < axes.get_position().x1 * sheet.bbox.width + 0.2 * sheet.dpi


def test_a_raw_town_is_drawn_from_streets_to_plan(tmp_path):
    """What `python -m benchmarks.sheets` does, on a small town; the picture in docs is small."""
    told = draw(raw_town(40)._replace(n_grids=3), tmp_path / "town.png", 40)
    assert "below 500 m2" in told
    assert 10_000 < (tmp_path / "town.png").stat().st_size < 400_000


def test_legends_stand_where_they_cover_the_fewest_blocks():
    """Blocks in the west and south: the corner that is free is the one in the north-east."""
    shapes = [shapely.box(x, y, x + 100, y + 100) for x, y in [(0, 0), (0, 100), (0, 200), (100, 0), (200, 0)]]
    made = gpd.GeoDataFrame({"area_m2": 1e4}, index=list("abcde"), geometry=shapes, crs=CRS)
    made.attrs["findings"] = ()
    streets = gpd.GeoDataFrame(geometry=[shapely.LineString([(100, 0), (100, 300)])], crs=CRS)
    merged = gpd.GeoDataFrame({"reason": ["median"], "area_m2": [1.0]}, geometry=[shapely.box(0, 0, 1, 1)], crs=CRS)
    sheet = draw_sheet(made, streets, merged)
    sheet.draw_without_rendering()
    for panel in (0, 4):
        axes = sheet.axes[panel]
        box = axes.get_legend().get_window_extent().transformed(axes.transData.inverted())
        assert not shapely.union_all(shapes).intersects(shapely.box(*box.extents))
