"""A constant shift between two layers, found by laying their lines over each other; and its usual cause, named."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.territory._anatomy import check_width
from gridopt.territory._layers import as_layer
from gridopt.territory.crs import to_same_metric
from gridopt.territory.datum import CONVERTED, is_in_china, wgs84_to_gcj02

__all__ = ["Shift", "find_shift", "tell_shift"]

WINDOW = 1024
"""Cells of the picture of lines, each way."""
LONGEST = 1e7
"""Metres above which a line is a mistake and no street: it would take too many points."""
LEAST_CELL = 4.0
"""Metres of a cell at least: drawing noise of layers digitised apart."""
LEAST_PEAK = 8.0
"""How many standard deviations above the other displacements the best one must be."""
LEAST_MET = 0.25
"""Share of the lines of the sparser layer that must meet lines of the other one."""
BETTER = 1.5
"""How many times better than no displacement the best one must be."""
NEAR = 40.0
"""Metres between a shift found and one computed, up to which they are the same."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Shift:
    """
    A constant shift of one layer against another.

    Parameters
    ----------
    east_m, north_m : float
        What to add to the first layer's coordinates so that its lines lie on the second's. Metres, to some 2 m.
    cause : str
        ``"gcj02"``: the first layer is in GCJ-02 and the second is not; ``"gcj02-reference"``: the other way round;
        ``"unknown"``.
    strength : float
        How far the displacement stands out, in standard deviations of all displacements.

    Examples
    --------
    >>> Shift(-350.0, 290.0, "gcj02", 80.0).finding("streets", "units").code
    'shifted-gcj02'
    """

    east_m: float
    north_m: float
    cause: str
    strength: float

    @property
    def metres(self) -> float:
        """Length of the shift."""
        return float(np.hypot(self.east_m, self.north_m))

    def finding(self, what: str, reference: str, converted: Collection[str] = ()) -> Finding:
        """Say it of two layers by their names; `converted` are those that `to_wgs84` has converted."""
        value = f"{self.east_m:+.0f} m east, {self.north_m:+.0f} m north"
        if self.cause == "unknown":
            cure = f"This would lay {what} on {reference}: check the coordinate systems of both."
            return Finding("shifted", "warning", (what, reference), value, None, cure)
        which, other = (what, reference) if self.cause == "gcj02" else (reference, what)
        if other in converted:
            cure = (
                f"That is GCJ-02, and {other} were converted: either they lay right before (leave source_datum= out), "
            )
            cure += f"or {which} come from a web map too."
            return Finding("shifted-gcj02", "warning", (what, reference), value, None, cure)
        cure = f"That is GCJ-02 against WGS 84 or CGCS2000: {which} come from a web map; convert with source_datum=."
        return Finding("shifted-gcj02", "warning", (what, reference), value, None, cure)


def find_shift(layer: Any, reference: Any, *, reach: float = 1000.0, crs: Any = None) -> Shift | None:
    """
    Find a constant shift between two layers that should lie on each other.

    Parameters
    ----------
    layer, reference : GeoDataFrame or GeoSeries
        Lines or polygons: streets and blocks, blocks and communities, an old and a new state. Not modified.
    reach : float
        Largest shift looked for, each way, in metres.
    crs : optional
        Projected system in metres; default that of `layer`, or the local UTM zone for degrees.

    Returns
    -------
    Shift or None
        None where the layers lie on each other as well as under any displacement, or have nothing in common.

    Raises
    ------
    GeometryError
        If coordinates do not fit their coordinate system.

    Notes
    -----
    The lines of both layers are drawn into pictures of up to 1024 cells each way, at least 4 m wide, around the middle
    of where both are, and correlated by fast Fourier transform at all displacements up to `reach`. A shift is told when
    the best displacement is eight standard deviations above the mean of all, lets a quarter of the sparser layer's
    lines meet, is 1.5 times better than none, and three cells away from none. Where the region lies in China, the
    shift is compared with that of GCJ-02 there (`gridopt.territory.datum.wgs84_to_gcj02`).

    Examples
    --------
    >>> import geopandas as gpd, gridopt as go
    >>> streets = go.synthetic.city(200, seed=1).streets
    >>> moved = streets.set_geometry(streets.geometry.translate(120, -80))
    >>> shift = find_shift(moved, streets)
    >>> round(shift.east_m, -1), round(shift.north_m, -1), shift.cause
    (-120.0, 80.0, 'unknown')
    """
    check_width("reach", reach)
    layers, target, _ = to_same_metric(
        {"layer": as_layer(layer, "layer"), "reference": as_layer(reference, "reference")}, crs
    )
    first, second = (_points(layers[name]) for name in ("layer", "reference"))
    if not len(first) or not len(second):
        return None
    middle, cell = _window(first, second, reach)
    if middle is None:
        return None
    pictures = _draw(first, middle, cell), _draw(second, middle, cell)
    surface, size = _correlate(*pictures, int(reach / cell))
    peak = np.unravel_index(int(surface.argmax()), surface.shape)
    centre = surface[size - 2 : size + 3, size - 2 : size + 3].max()
    strength = float((surface[peak] - surface.mean()) / max(surface.std(), 1e-9))
    offset = np.array(peak) - size
    is_better = surface[peak] >= BETTER * centre and surface[peak] >= LEAST_MET * min(p.sum() for p in pictures)
    if strength < LEAST_PEAK or not is_better or np.abs(offset).max() <= 2:
        return None
    north, east = (offset + _centroid(surface, peak)) * cell
    return Shift(float(east), float(north), _cause(middle, float(east), float(north), target), strength)


def tell_shift(layers: Mapping[str, Any], what: str, reference: str) -> list[Finding]:
    """Tell of a shift between two of the layers, if there is one, minding which were converted."""
    shift = find_shift(layers[what], layers[reference])
    converted = [name for name in (what, reference) if layers[name].attrs.get(CONVERTED)]
    return [] if shift is None else [shift.finding(what, reference, converted)]


def _points(layer: Any) -> NDArray[np.float64]:
    """Points along all lines and outlines, close enough to touch every cell on the way."""
    import shapely

    shapes = np.asarray(layer.geometry)
    lines = np.where(shapely.get_dimensions(shapes) == 2, shapely.boundary(shapes), shapes)
    length = shapely.length(lines)
    lines = lines[(length > 0) & (length < LONGEST)]  # null and empty have none
    found: NDArray[np.float64] = shapely.get_coordinates(shapely.segmentize(lines, LEAST_CELL))
    return found[np.isfinite(found).all(axis=1)]


def _window(first: Array, second: Array, reach: float) -> tuple[Array | None, float]:
    """Middle of the ground both layers have in common, and the width of a cell; None where they are far apart."""
    low = np.maximum(first.min(axis=0), second.min(axis=0)) - reach
    high = np.minimum(first.max(axis=0), second.max(axis=0)) + reach
    if (low >= high).any():
        return None, LEAST_CELL
    inside = first[((first >= low) & (first <= high)).all(axis=1)]
    if not len(inside):
        return None, LEAST_CELL
    extent = float((high - low).max())
    return np.median(inside, axis=0), float(np.clip(extent / WINDOW, LEAST_CELL, 2 * LEAST_CELL))


def _draw(points: Array, middle: Array, cell: float) -> NDArray[np.float64]:
    """Picture of 1 where a line passes, rows from south to north, with the mean taken off."""
    at = np.floor((points - middle) / cell).astype(np.int64) + WINDOW // 2
    at = at[((at >= 0) & (at < WINDOW)).all(axis=1)]
    picture = np.zeros((WINDOW, WINDOW))
    picture[at[:, 1], at[:, 0]] = 1.0
    return picture


def _correlate(first: Array, second: Array, reach: int) -> tuple[NDArray[np.float64], int]:
    """For each displacement of the first picture up to `reach` cells, how many cells of lines meet; rows north."""
    from scipy import fft

    size = fft.next_fast_len(WINDOW + reach)
    product = np.conj(fft.rfft2(first, (size, size))) * fft.rfft2(_blurred(second), (size, size))
    whole = fft.irfft2(product, (size, size))
    index = np.arange(-reach, reach + 1)
    return whole[np.ix_(index, index)], reach


def _blurred(picture: Array) -> NDArray[np.float64]:
    """Lines a cell wider: layers digitised apart meet only nearly."""
    from scipy import ndimage

    return np.asarray(ndimage.maximum_filter(picture, 3), dtype=float)


def _centroid(surface: Array, peak: Any) -> NDArray[np.float64]:
    """Where the top of the peak lies within its cells."""
    row, column = (int(p) for p in peak)
    low_r, low_c = max(row - 2, 0), max(column - 2, 0)
    patch = surface[low_r : row + 3, low_c : column + 3]
    weight = np.maximum(patch - np.median(surface), 0) ** 2
    rows, columns = np.mgrid[low_r : low_r + patch.shape[0], low_c : low_c + patch.shape[1]]
    total = weight.sum()
    return np.array([(weight * rows).sum() / total - row, (weight * columns).sum() / total - column])


def _cause(middle: Array, east: float, north: float, crs: Any) -> str:
    """Whether the shift is the one that Chinese web maps make at this place."""
    import pyproj

    if crs is None or crs.geodetic_crs is None:
        return "unknown"
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    lon, lat = (np.array([v]) for v in to_degrees.transform(*middle))
    if not np.isfinite([lon, lat]).all() or not is_in_china(lon, lat)[0]:
        return "unknown"
    x, y = to_degrees.transform(*wgs84_to_gcj02(lon, lat), direction="INVERSE")
    made = np.array([x[0], y[0]]) - middle
    found = np.array([east, north])
    if np.hypot(*(made + found)) <= NEAR:
        return "gcj02"
    return "gcj02-reference" if np.hypot(*(made - found)) <= NEAR else "unknown"
