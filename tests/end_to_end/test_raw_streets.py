"""Raw ways of five places: few tiny blocks, no median left, no block across an arterial, in little time."""

from __future__ import annotations

import time

import geopandas as gpd
import numpy as np
import pytest
import shapely

import gridopt as go
from gridopt.territory.streets import CUTTING, classify, is_cutting, is_tunnel

PLACES = {
    "porto_alegre": ("porto_alegre/porto_alegre.gpkg", "highways", 32722),
    "shenzhen_futian": ("shenzhen_futian/shenzhen_futian.gpkg", "streets_directed", 32650),
    "helsinki": ("osm_small/helsinki_centre.gpkg", "highways", 32635),
    "monaco": ("osm_small/monaco.gpkg", "highways", 32632),
    "daan": ("taipei/taipei.gpkg", "streets_daan", 3826),
}
MEDIAN_M = 20.0
"""A block with no room for a circle of this diameter, with one street on most of its outline, is a median."""
ALONG, WITHIN_M = 0.75, 1.0
FAR_M, PIECE_M = 30.0, 120.0
"""An arterial is inside a block where so much of it in one piece is further than this from the block's outline."""


class Place:
    """Streets that cut, their hull, the faces they enclose, and the time that noding and enclosing took."""

    def __init__(self, path, layer, epsg):
        self.streets = gpd.read_file(path, layer=layer).to_crs(epsg)
        self.hull = gpd.GeoSeries([self.streets.union_all().convex_hull], crs=epsg)
        classes, raw, _ = classify(self.streets)
        cuts = is_cutting(classes, raw, CUTTING) & ~is_tunnel(self.streets)
        self.cutting, self.classes = self.streets[cuts], classes[cuts]
        start = time.process_time()
        lines = [*self.cutting.geometry, self.hull.iloc[0].exterior]
        self.faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(shapely.union_all(lines))))
        self.faces = self.faces[shapely.within(shapely.point_on_surface(self.faces), self.hull.iloc[0])]
        self.noding_seconds = time.process_time() - start
        start = time.process_time()
        self.blocks = go.build_blocks(self.hull, self.streets)
        self.seconds = time.process_time() - start


@pytest.fixture(scope="module", params=PLACES)
def place(request, real_data):
    path, layer, epsg = PLACES[request.param]
    return Place(real_data(path), layer, epsg)


def test_blocks_are_seamless_and_hardly_any_is_tiny(place):
    shapes = place.blocks.geometry.to_numpy()
    assert (shapely.area(place.faces) < 500).mean() > 0.05
    assert (place.blocks["area_m2"] < 500).mean() < 0.01
    assert shapely.coverage_is_valid(shapes)
    assert shapely.union_all(shapes).symmetric_difference(place.hull.iloc[0]).area < 1e-3
    assert place.blocks["area_m2"].sum() == pytest.approx(place.hull.area.iloc[0], rel=1e-12)


def test_no_median_of_a_dual_carriageway_is_left(place):
    assert medians(place.faces, place.cutting) > 10
    assert medians(place.blocks.geometry.to_numpy(), place.cutting) == 0


def medians(shapes, streets):
    """How many narrow polygons have one-way streets (any, where none is known) of one name or class around them."""
    one_way = np.ones(len(streets), dtype=bool)
    if "oneway" in streets:
        one_way = streets["oneway"].astype(str).str.casefold().isin(["yes", "true", "1", "-1"]).to_numpy()
    keys = [streets[c].astype(str).to_numpy() for c in ("name", "highway") if c in streets]
    tree = shapely.STRtree(streets.geometry.to_numpy())
    width = 2 * shapely.length(shapely.maximum_inscribed_circle(shapes, 0.5))
    count = 0
    for ring in shapely.boundary(shapes[width < MEDIAN_M]):
        points = shapely.line_interpolate_point(ring, np.arange(0, ring.length, 5.0))
        at, street = tree.query(points, predicate="dwithin", distance=WITHIN_M)
        at, street = at[one_way[street]], street[one_way[street]]
        shares = [0.0]
        for key in keys:
            known = set(key[street]) - {"nan", "None", ""}
            shares += [len(np.unique(at[key[street] == k])) / len(points) for k in known]
        count += max(shares) >= ALONG
    return count


def test_no_block_spans_an_arterial(place):
    """Slip roads and ends that enclose nothing are no arterials; half the width of a large junction is near enough."""
    kinds = place.cutting["highway"].astype(str) if "highway" in place.cutting else place.cutting["name"].astype(str)
    main = place.cutting[(place.classes == "arterial") & ~kinds.str.contains("_link")]
    pieces = shapely.get_parts(shapely.union_all([*place.cutting.geometry, place.hull.iloc[0].exterior]))
    middle = shapely.line_interpolate_point(pieces, 0.5, normalized=True)
    of_main, _ = shapely.STRtree(main.geometry.to_numpy()).query(middle, predicate="dwithin", distance=0.01)
    enclosing, _ = shapely.STRtree(shapely.boundary(place.faces)).query(middle, predicate="dwithin", distance=0.01)
    lines = pieces[np.intersect1d(of_main, enclosing)]
    core = shapely.buffer(place.blocks.geometry.to_numpy(), -FAR_M)
    line, block = shapely.STRtree(core).query(lines, predicate="intersects")
    inside = shapely.get_parts(shapely.intersection(lines[line], core[block]))
    joined = shapely.get_parts(shapely.line_merge(shapely.union_all(inside)))
    assert shapely.length(joined).max(initial=0.0) < PIECE_M


def test_what_was_merged_is_on_record(place):
    """Area by area: the faces that are no blocks lie in the records, and the findings count them all."""
    gone = go.merged_faces(place.blocks)
    told = {f.code: f.value for f in place.blocks.attrs["findings"]}
    names = ("medians", "roundabouts", "slip-roads", "slivers", "small-faces")
    assert sum(told.get(f"{name}-merged", 0) for name in names) == len(gone) > 0
    assert gone["unit"].isin(place.blocks.index).all()
    home = place.blocks.geometry.loc[gone["unit"]].to_numpy()
    assert shapely.covers(shapely.buffer(home, 0.01), gone.geometry.to_numpy()).all()
    assert shapely.union_all(gone.geometry.to_numpy()).area == pytest.approx(gone["area_m2"].sum(), rel=1e-3)


def test_it_takes_little_time(place):
    """CPU time beside noding the same lines and polygonising them; two seconds are little in any case."""
    assert place.seconds < max(4 * place.noding_seconds, 2.0)
