"""Towns small enough for a napkin, for the tests of the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pytest
import shapely

from gridopt.model import Plan, Problem, Result, Status

SOLVE = ("solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", 4, "--tolerance", "0.15")
BRIEF = ("--steps", 20_000, "--seed", 7)


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


def squares(rows: int, columns: int) -> gpd.GeoDataFrame:
    """Square units of 100 m, codes 001 …, persons 10 to 25 over and over, two wards: south and north."""
    at = [(r, c) for r in range(rows) for c in range(columns)]
    return gpd.GeoDataFrame(
        {
            "code": [f"{i:03d}" for i in range(1, len(at) + 1)],
            "persons": [float(10 + i % 16) for i in range(len(at))],
            "ward": ["south" if r < rows // 2 else "north" for r, _ in at],
        },
        geometry=[shapely.box(c * 100, r * 100, (c + 1) * 100, (r + 1) * 100) for r, c in at],
        crs="EPSG:32651",
    )


def town() -> gpd.GeoDataFrame:
    """Sixteen units, codes 001 … 016, 10 to 25 persons, 280 in all; two wards of eight."""
    return squares(4, 4)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder, with its bytes."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def fake(monkeypatch: pytest.MonkeyPatch, give: Callable[[Problem, Callable[..., Any]], Result]) -> None:
    """Replace the search by one whose outcome is known."""
    monkeypatch.setattr("gridopt.solvers.solve.solve", lambda problem, *, on_progress, **_: give(problem, on_progress))


def quarters(problem: Problem, status: Status = Status.FEASIBLE) -> Result:
    """Rows of the town as grids: contiguous, but 46 persons in the south and 94 in the north."""
    return Result(status, "made by hand", Plan(problem, np.repeat(np.arange(4), 4)), cost=1, seed=7)
