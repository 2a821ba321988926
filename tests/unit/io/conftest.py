"""A small town of square units, for reading and writing."""

from __future__ import annotations

import geopandas as gpd
import pytest
import shapely


def squares(rows: int = 4, columns: int = 4, side: float = 100.0) -> gpd.GeoDataFrame:
    """Units of 100 m in rows from the south-west, ids ``U01`` …, with persons 10, 11, … and a parent by half."""
    at = [(r, c) for r in range(rows) for c in range(columns)]
    return gpd.GeoDataFrame(
        {
            "block": [f"{i:03d}" for i in range(1, len(at) + 1)],
            "persons": range(10, 10 + len(at)),
            "hours": [1.25] * len(at),
            "ward": ["south" if r < rows // 2 else "north" for r, _ in at],
        },
        geometry=[shapely.box(c * side, r * side, (c + 1) * side, (r + 1) * side) for r, c in at],
        crs="EPSG:32651",
    )


@pytest.fixture
def town() -> gpd.GeoDataFrame:
    """Sixteen square units, not indexed yet."""
    return squares()
