"""Towns small enough for a napkin, for the tests of the command line."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import shapely


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
