"""The picture of what moved says what moved."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

import gridopt as go
from gridopt.errors import InputError

IDS = [f"u{i}" for i in range(6)]
UNITS = gpd.GeoDataFrame(
    index=IDS, geometry=shapely.box(np.arange(6) * 100, 0, np.arange(6) * 100 + 100, 100), crs=32650
)
PROBLEM = go.build_problem(go.build_graph(UNITS), {"homes": [1, 2, 3, 3, 2, 1]}, n_grids=2, tolerance="0.5")
PLAN = go.Plan(PROBLEM, [0, 0, 0, 1, 1, 1], ["north", "south"])


def texts(figure) -> set[str]:
    return {t.get_text() for axes in figure.axes for t in axes.texts} | {t.get_text() for t in figure.texts}


def test_flows_are_listed_and_drawn() -> None:
    """One unit of 3 homes went from north to south: one arrow, one row."""
    before = pd.Series(["north"] * 4 + ["south"] * 2, index=IDS)
    figure = go.draw_moves(PLAN, before.iloc[::-1], UNITS)
    assert {"1 of 6 units moved", "25.00 % of homes  ·  2 of 2 grids touched"} <= texts(figure)
    arrows = [p for p in figure.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    assert len(arrows) == 1
    (start, end) = arrows[0]._posA_posB
    assert start[0] < end[0], "from the north, at the left, to the south"


def test_nothing_moved_and_new_units() -> None:
    """A new unit is no move; where nothing moved the picture says so."""
    before = pd.Series(["north", "north", "north", "south", "south", None], index=IDS, dtype=object)
    said = texts(go.draw_moves(PLAN, before, UNITS, title="March"))
    assert {"March", "nothing moved"} <= said
    assert any("1 new unit" in text for text in said)


def test_a_grid_that_ended_is_in_the_list() -> None:
    """Its id is only in the plan before."""
    before = pd.Series(["north", "north", "old", "south", "south", "south"], index=IDS)
    assert "old" in texts(go.draw_moves(PLAN, before, UNITS))


def test_the_file_is_the_same_each_time_and_bad_input_is_refused(tmp_path: Path) -> None:
    before = pd.Series(["north"] * 4 + ["south"] * 2, index=IDS)
    for name in ("a.svg", "b.svg"):
        go.draw_moves(PLAN, before, UNITS, path=tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    with pytest.raises(InputError, match="'u5'"):
        go.draw_moves(PLAN, before.iloc[:5], UNITS)
    with pytest.raises(InputError, match="suffix"):
        go.draw_moves(PLAN, before, UNITS, path=tmp_path / "a.gif")


def test_arrows_stay_beside_what_moved() -> None:
    """
    Two long grids change one unit at either end: two short arrows, each from the unit into a neighbour of its new grid.
    """
    n = 40
    ids = [f"{row}{i}" for row in "ab" for i in range(n)]
    x, y = np.tile(np.arange(n) * 100.0, 2), np.repeat([0.0, 100.0], n)
    units = gpd.GeoDataFrame(index=ids, geometry=shapely.box(x, y, x + 100, y + 100), crs=32650)
    problem = go.build_problem(go.build_graph(units), {"homes": np.ones(2 * n, dtype=int)}, n_grids=2)
    before = pd.Series(np.repeat(["low", "high"], n), index=ids)
    labels = np.repeat([0, 1], n)
    labels[[0, 1, n - 1]] = 1  # a0, a1 and a39 go up
    figure = go.draw_moves(go.Plan(problem, labels, ["low", "high"]), before, units)
    arrows = [p._posA_posB for p in figure.axes[0].patches if type(p).__name__ == "FancyArrowPatch"]
    assert len(arrows) == 2
    went = shapely.union_all(units.geometry[["a0", "a1"]].to_numpy()), units.geometry["a39"]
    for (start, end), group in zip(sorted(arrows), went):
        assert group.contains(shapely.Point(start))
        assert shapely.Point(start).distance(shapely.Point(end)) < 400, "not across the town, 4,000 m wide"
        assert end[1] > 100


def test_legend_and_scale_bar_of_a_narrow_map_stay_apart() -> None:
    """A tall narrow town leaves little room below the map."""
    n = 12
    ids = [f"u{i}" for i in range(n)]
    y = np.arange(n) * 100.0
    units = gpd.GeoDataFrame(index=ids, geometry=shapely.box(0, y, 90, y + 100), crs=32650)
    plan = go.Plan(go.build_problem(go.build_graph(units), [1] * n, n_grids=2), [0] * 6 + [1] * 6)
    kinds = ["primary", "tertiary", "residential", "footway"]
    lines = [shapely.LineString([(0, v), (90, v)]) for v in (100, 200, 300, 400)]
    streets = gpd.GeoDataFrame({"highway": kinds}, geometry=lines, crs=32650)
    before = pd.Series(["G001"] * 5 + ["G002"] * 6 + [None], index=ids, dtype=object)
    for figure in (
        go.draw_map(plan, units, streets=streets, barriers=streets.iloc[:1]),
        go.draw_moves(plan, before, units, streets=streets, barriers=streets.iloc[:1]),
    ):
        figure.canvas.draw()
        strip = figure.axes[1]
        legend = strip.get_legend().get_window_extent()
        page = figure.get_window_extent()
        assert 0 <= legend.x0 < legend.x1 <= page.x1
        assert 0 <= legend.y0 < legend.y1 <= strip.get_window_extent().y1
        bars = [c.get_window_extent() for c in strip.collections] + [t.get_window_extent() for t in strip.texts]
        assert not any(legend.overlaps(bar) for bar in bars)
