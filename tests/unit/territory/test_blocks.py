"""Blocks from streets: what cuts, what does not, and that nothing of the territory is lost."""

from __future__ import annotations

import functools
import warnings
from itertools import pairwise

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiPolygon, Point, Polygon, box

from gridopt.errors import GeometryError, InputError
from gridopt.territory.blocks import build_blocks

CRS = "EPSG:26986"
SQUARE = box(0, 0, 300, 300)
LATTICE = [LineString([(c, -20), (c, 320)]) for c in (100, 200)] + [
    LineString([(-20, c), (320, c)]) for c in (100, 200)
]


raw_blocks = functools.partial(build_blocks, clean=False)
"""Every face the lines enclose, thin ones too: what noding, joining and merging by area do by themselves."""


def lines(*geometries, **columns):
    return gpd.GeoDataFrame(columns, geometry=list(geometries), crs=CRS)


def area(*geometries):
    return gpd.GeoSeries(list(geometries), crs=CRS)


def codes(blocks):
    return [f.code for f in blocks.attrs["findings"]]


def assert_seamless(blocks, territory, tolerance=1e-6):
    """Independent of the builder: nothing missing, nothing twice, shared borders vertex by vertex."""
    shapes = blocks.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.is_valid(shapes).all()
    assert set(blocks.geom_type) == {"Polygon"}
    assert shapely.union_all(shapes).symmetric_difference(territory).area <= tolerance
    assert blocks["area_m2"].sum() == pytest.approx(territory.area, rel=1e-12)


def test_lattice_of_four_streets_makes_nine_blocks_in_reading_order():
    blocks = build_blocks(area(SQUARE), lines(*LATTICE))
    assert blocks.index.tolist() == [f"B{i:05d}" for i in range(1, 10)]
    assert blocks.index.name == "unit"
    assert blocks["area_m2"].tolist() == [10_000.0] * 9
    corners = blocks.bounds[["minx", "miny"]].to_numpy().tolist()
    assert corners == [[x, y] for y in (200, 100, 0) for x in (0, 100, 200)]
    assert blocks.crs == CRS
    assert "barrier" not in blocks
    assert_seamless(blocks, SQUARE)


def test_numbers_run_in_bands_not_by_height_alone():
    """The lower of two blocks side by side comes first when it is the western one."""
    stairs = [[(100, 0), (100, 200)], [(0, 90), (100, 90)], [(100, 110), (200, 110)]]
    blocks = build_blocks(area(box(0, 0, 200, 200)), lines(*map(LineString, stairs)))
    assert blocks.bounds[["minx", "miny"]].to_numpy().tolist() == [[0, 90], [100, 110], [0, 0], [100, 0]]


def test_order_and_direction_of_streets_do_not_matter():
    crooked = [LineString([(0, 40), (130, 77.7), (300, 33.3)]), LineString([(11, 0), (170.1, 300)]), *LATTICE]
    once = build_blocks(area(SQUARE), lines(*crooked))
    again = build_blocks(area(SQUARE), lines(*[line.reverse() for line in crooked[::-1]]))
    assert once.index.equals(again.index)
    assert shapely.equals_exact(once.geometry.to_numpy(), again.geometry.to_numpy(), tolerance=1e-9).all()


def test_ends_that_meet_nothing_do_not_cut():
    spur = LineString([(150, 100), (150, 150), (170, 150)])
    inside = LineString([(20, 20), (60, 60)])
    assert len(build_blocks(area(SQUARE), lines(*LATTICE, spur, inside))) == 9


@pytest.mark.parametrize(
    "street",
    [
        LineString([(100, 150), (199.7, 150)]),
        LineString([(100.3, 150), (199.7, 150)]),
        LineString([(150, 100.4), (150, 199.9)]),
        LineString([(0.3, 150), (100, 150)]),
    ],
    ids=["one end", "both ends", "upright", "at the boundary"],
)
def test_near_miss_is_joined_within_snap_only(street):
    streets = lines(*LATTICE, street)
    joined = raw_blocks(area(SQUARE), streets, snap=0.5)
    assert len(joined) == 10
    assert_seamless(joined, SQUARE)
    assert "ends-joined" in codes(joined)
    assert len(raw_blocks(area(SQUARE), streets, snap=0.05)) == 9
    assert len(raw_blocks(area(SQUARE), streets, snap=0)) == 9


def test_two_streets_that_stop_short_of_each_other_are_joined():
    halves = [LineString([(0, 150), (149.8, 150)]), LineString([(150.1, 150.1), (300, 150)])]
    assert len(raw_blocks(area(SQUARE), lines(*halves))) == 2
    assert len(raw_blocks(area(SQUARE), lines(*halves), snap=0.2)) == 1


def test_ring_that_does_not_quite_close_and_lollipop_enclose_a_block():
    ring = LineString([(150, 150.3), (150, 190), (180, 190), (180, 150), (150, 150)])
    blocks = build_blocks(area(SQUARE), lines(ring))
    assert sorted(blocks["area_m2"].round().tolist()) == [1200, 88800]
    lollipop = LineString([(0, 150), (100, 150), (150, 150), (150, 190), (110, 190), (110, 150.4)])
    assert sorted(build_blocks(area(SQUARE), lines(lollipop))["area_m2"].round().tolist()) == [1600, 88400]


@pytest.mark.parametrize("reach", [0.0, 0.4], ids=["touching", "just short"])
def test_foot_on_a_slanting_street_is_cut_in_spite_of_rounding(reach):
    """T-junctions without a common vertex: in floating point the foot lies beside the street more often than on it."""
    main = LineString([(0, 0.1), (300, 176.2)])
    feet = shapely.line_interpolate_point(main, np.linspace(0.03, 0.97, 41), normalized=True)
    sides = [LineString([(foot.x, foot.y + reach * (i % 5) / 4), (foot.x, 300)]) for i, foot in enumerate(feet)]
    blocks = raw_blocks(area(SQUARE), lines(main, *sides))
    assert len(blocks) == 43
    assert_seamless(blocks, SQUARE)
    assert ("ends-joined" in codes(blocks)) == (reach > 0)


def test_footways_cut_only_when_asked_for():
    streets = lines(*LATTICE, highway=["primary", "residential", "footway", "service"])
    assert len(build_blocks(area(SQUARE), streets)) == 3
    assert len(build_blocks(area(SQUARE), streets, keep=("arterial", "local", "service"))) == 6
    assert len(build_blocks(area(SQUARE), streets, keep=("arterial", "collector", "local", "path"))) == 9
    assert len(build_blocks(area(SQUARE), streets, keep="arterial")) == 2


def test_own_class_column_chooses_what_cuts():
    streets = lines(*LATTICE, rank=[1, 2, 3, None])
    table = {1: "arterial", 2: "local", 3: "path", None: "none"}
    assert len(build_blocks(area(SQUARE), streets, class_column="rank", classes=table)) == 3


def test_streets_without_class_all_cut_and_a_finding_says_so():
    assert "no-street-class" in codes(build_blocks(area(SQUARE), lines(*LATTICE)))


def test_tunnel_does_not_cut():
    streets = lines(*LATTICE, tunnel=["yes", None, "no", "building_passage"])
    blocks = build_blocks(area(SQUARE), streets)
    assert len(blocks) == 6
    (told,) = [f for f in blocks.attrs["findings"] if f.code == "tunnels-not-cutting"]
    assert told.ids == (0,)


def test_river_line_cuts_and_river_polygon_becomes_marked_blocks():
    course = LineString([(-10, 150), (310, 160)])
    assert len(build_blocks(area(SQUARE), lines(*LATTICE), barriers=lines(course))) == 12
    river = box(-50, 140, 350, 160)
    blocks = build_blocks(area(SQUARE), lines(*LATTICE), barriers=area(river))
    assert len(blocks) == 15
    assert blocks.loc[blocks["barrier"], "area_m2"].tolist() == [2000.0] * 3
    assert_seamless(blocks, SQUARE)


def test_water_in_several_rows_is_one_water():
    halves = area(box(0, 140, 50, 160), box(50, 140, 100, 160))
    blocks = build_blocks(area(SQUARE), lines(*LATTICE), barriers=halves)
    assert blocks["barrier"].sum() == 1


def test_culvert_among_barriers_does_not_cut():
    course = lines(LineString([(-10, 150), (310, 150)]), tunnel=["culvert"])
    assert len(build_blocks(area(SQUARE), lines(*LATTICE), barriers=course)) == 9


def test_hole_of_the_boundary_belongs_to_no_block():
    lake = box(120, 120, 180, 180)
    territory = SQUARE.difference(lake)
    blocks = build_blocks(area(territory), lines(*LATTICE))
    assert len(blocks) == 9
    assert not blocks.intersects(Point(150, 150)).any()
    assert_seamless(blocks, territory)


def test_two_islands_keep_their_own_blocks():
    islands = MultiPolygon([box(0, 0, 100, 100), box(400, 0, 500, 100)])
    blocks = build_blocks(area(islands), lines(LineString([(-10, 50), (510, 50)])))
    assert blocks["area_m2"].tolist() == [5000.0] * 4
    assert_seamless(blocks, islands)


def test_rows_of_the_boundary_are_one_territory():
    halves = area(box(0, 0, 150, 300), box(150, 0, 300, 300))
    assert len(build_blocks(halves, lines(*LATTICE))) == 9


def test_block_within_a_block_leaves_a_hole():
    ring = shapely.get_exterior_ring(box(140, 140, 160, 160))
    blocks = raw_blocks(area(SQUARE), lines(*LATTICE, LineString(ring.coords)))
    assert sorted(blocks["area_m2"])[:2] == [400.0, 9600.0]
    assert_seamless(blocks, SQUARE)


def test_small_face_goes_to_the_neighbour_with_the_longest_border():
    """The strip shares 300 m with the one block on its west, 150 m with each of the two on its east."""
    streets = lines(
        LineString([(100, 0), (100, 300)]), LineString([(103, 0), (103, 300)]), LineString([(103, 150), (300, 150)])
    )
    assert sorted(raw_blocks(area(SQUARE), streets)["area_m2"]) == [900.0, 29550.0, 29550.0, 30000.0]
    merged = raw_blocks(area(SQUARE), streets, min_area=1000)
    assert sorted(merged["area_m2"]) == [29550.0, 29550.0, 30900.0]
    assert_seamless(merged, SQUARE)
    (told,) = [f for f in merged.attrs["findings"] if f.code == "small-face-merged"]
    assert (told.value, told.limit) == (900.0, 1000.0)
    assert merged.loc[told.ids[0], "area_m2"] == 30900.0


def test_what_two_small_faces_make_is_merged_on_while_it_is_small():
    """Slices of 10, 10 and 100 m2 on one island: the first two make 20, still below 25."""
    island = box(0, 0, 12, 10)
    cuts = lines(*[LineString([(x, -5), (x, 15)]) for x in (1, 2)])
    assert sorted(raw_blocks(area(island), cuts)["area_m2"]) == [10.0, 10.0, 100.0]
    merged = raw_blocks(area(island), cuts, min_area=25)
    assert merged["area_m2"].tolist() == [120.0]
    assert [f.value for f in merged.attrs["findings"] if f.code == "small-face-merged"] == [10.0, 20.0]


def test_small_land_does_not_merge_into_water_while_there_is_land():
    """A quay of 2 m by 300 m shares 300 m with the river and 150 m with each of the two blocks behind it."""
    river = area(box(100, 0, 200, 300))
    quay = lines(LineString([(202, 0), (202, 300)]), LineString([(202, 150), (300, 150)]))
    merged = raw_blocks(area(SQUARE), quay, barriers=river, min_area=700)
    assert sorted(merged.loc[~merged["barrier"], "area_m2"]) == [14_700.0, 15_300.0, 30_000.0]
    assert merged.loc[merged["barrier"], "area_m2"].tolist() == [30_000.0]
    assert_seamless(merged, SQUARE)


def test_lone_small_island_stays():
    islands = MultiPolygon([box(0, 0, 100, 100), box(400, 0, 401, 1)])
    blocks = build_blocks(area(islands), lines(LineString([(-10, 50), (510, 50)])), min_area=10)
    assert sorted(blocks["area_m2"]) == [1.0, 5000.0, 5000.0]


def test_degrees_and_feet_come_out_in_metres_with_one_warning():
    boundary, streets = area(SQUARE).translate(233_000, 902_000), lines(*LATTICE)
    streets["geometry"] = streets.translate(233_000, 902_000)
    for epsg in (4326, 2249, 3857):
        with pytest.warns(UserWarning, match="EPSG:32619") as said:
            blocks = build_blocks(boundary.to_crs(epsg), streets.to_crs(epsg))
        assert len(said) == 1
        assert said[0].filename == __file__
        assert blocks["area_m2"].to_numpy() == pytest.approx(10_000, rel=0.001)
        assert "reprojected" in codes(blocks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        blocks = build_blocks(boundary.to_crs(4326), streets.to_crs(3857), crs=CRS)
    assert blocks["area_m2"].to_numpy() == pytest.approx(10_000, rel=1e-6)


def test_no_coordinate_system_means_metres_and_warns():
    with pytest.warns(UserWarning, match="no coordinate system"):
        blocks = build_blocks(SQUARE, LATTICE)
    assert len(blocks) == 9
    assert blocks.crs is None


def test_bare_shapely_boundary_is_read_in_the_system_of_the_streets():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build_blocks(SQUARE, lines(*LATTICE)).crs == CRS


BOW_TIE = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])


@pytest.mark.parametrize(
    ("boundary", "streets", "message"),
    [
        (area(), lines(*LATTICE), "boundary has no rows"),
        (area(SQUARE), lines(), "streets has no rows"),
        (
            area(SQUARE, BOW_TIE),
            lines(*LATTICE),
            r"1 of 2 rows of boundary are invalid \(first: 1; 1: Self-intersection",
        ),
        (area(SQUARE, None), lines(*LATTICE), r"1 of 2 rows of boundary have no geometry \(first: 1\)"),
        (area(Polygon()), lines(*LATTICE), "have an empty geometry"),
        (area(Point(0, 0)), lines(*LATTICE), "rows of boundary are Point.*takes Polygon or MultiPolygon"),
        (area(SQUARE), lines(*LATTICE, SQUARE), r"1 of 5 rows of streets are Polygon \(first: 4\)"),
        (area(SQUARE), lines(*LATTICE, None), r"rows of streets have no geometry \(first: 4\)"),
        (area(SQUARE), lines(LineString([(900, 0), (900, 9)])), "none of the 1 streets that cut lies in the boundary"),
        ("city.gpkg", lines(*LATTICE), "boundary is a str"),
    ],
)
def test_unusable_layers_are_refused_by_name(boundary, streets, message):
    with pytest.raises(GeometryError, match=message):
        build_blocks(boundary, streets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"snap": -1}, "snap is -1"),
        ({"min_area": "few"}, "min_area is 'few'"),
        ({"keep": ["arterail"]}, "Did you mean 'arterial'"),
        ({"keep": ["arterial"]}, r"none of the 4 streets is of a class in keep=.*there are: local \(4\)"),
        ({"class_column": "rnak"}, "'rnak' is not a column of streets"),
    ],
)
def test_senseless_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        build_blocks(area(SQUARE), lines(*LATTICE), **options)


def test_invalid_water_is_refused_by_row():
    with pytest.raises(GeometryError, match=r"rows of barriers are invalid.*make_valid"):
        build_blocks(area(SQUARE), lines(*LATTICE), barriers=area(BOW_TIE))


points = st.tuples(st.integers(0, 12), st.integers(0, 12))
segments = st.lists(st.tuples(points, points).filter(lambda s: s[0] != s[1]), min_size=1, max_size=25)


@given(segments)
def test_coverage_in_is_coverage_out_and_faces_follow_euler(drawn):
    """Bounded faces of a plane graph: edges - vertices + components, counted here by networkx on the noded lines."""
    territory = box(-1, -1, 13, 13)
    streets = lines(*[LineString(s) for s in drawn])
    blocks = raw_blocks(area(territory), streets, snap=0, min_area=0)
    noded = shapely.get_parts(shapely.union_all([*streets.geometry, territory.exterior]))
    graph = nx.Graph((line.coords[0], line.coords[-1]) for line in _split(noded))
    faces = graph.number_of_edges() - graph.number_of_nodes() + nx.number_connected_components(graph)
    assert len(blocks) == faces
    assert_seamless(blocks, territory, tolerance=1e-9)


def _split(noded):
    """Pieces of two vertices, so that no edge is a loop or has a twin."""
    for line in noded:
        yield from (LineString(pair) for pair in pairwise(line.coords))


@given(
    st.lists(st.integers(1, 29), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 29), min_size=1, max_size=4, unique=True),
    st.randoms(use_true_random=False),
)
def test_lattice_survives_ends_that_are_off_by_less_than_snap(columns, rows, random):
    """Full streets east to west; upright ones in pieces between them, each end up to 0.3 m short or aside."""
    levels = [0, *sorted(10 * r for r in rows), 300]
    flat = [LineString([(0, y), (300, y)]) for y in levels[1:-1]]
    upright = [
        LineString([(10 * x + random.uniform(-0.3, 0.3), low + random.uniform(0, 0.3)), (10 * x, high - 0.2)])
        for x in columns
        for low, high in pairwise(levels)
    ]
    blocks = raw_blocks(area(SQUARE), lines(*flat, *upright), snap=0.5)
    assert len(blocks) == (len(columns) + 1) * (len(rows) + 1)
    assert_seamless(blocks, SQUARE)


def test_blocks_are_written_to_parquet_with_their_findings(tmp_path):
    blocks = build_blocks(area(SQUARE), lines(*LATTICE))
    assert codes(blocks)
    blocks.to_parquet(tmp_path / "blocks.parquet")
    assert gpd.read_parquet(tmp_path / "blocks.parquet").geometry.geom_equals(blocks.geometry).all()
