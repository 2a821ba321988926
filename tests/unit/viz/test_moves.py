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
