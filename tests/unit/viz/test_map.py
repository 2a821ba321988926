"""The picture of a plan: every grid is on it, in words and in colour, and the file is whole."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pytest
import shapely
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex

import gridopt as go
from gridopt.errors import InputError
from gridopt.viz.loads import MANY_GRIDS, Loads
from gridopt.viz.map import draw_map
from gridopt.viz.page import round_length

Town = Callable[..., tuple[go.Plan, gpd.GeoDataFrame]]


@pytest.fixture
def town() -> Town:
    """Square units of 100 m in `rows` x `columns`, each row a grid, workload 1 to `columns` from west to east."""

    def build(rows: int = 3, columns: int = 4, **limits: object) -> tuple[go.Plan, gpd.GeoDataFrame]:
        at = np.arange(rows * columns).reshape(rows, columns)
        edges = [*zip(at[:, :-1].ravel(), at[:, 1:].ravel()), *zip(at[:-1].ravel(), at[1:].ravel())]
        ids = [f"B{i:03d}" for i in range(at.size)]
        graph = go.Graph.from_edges(at.size, edges, [1000] * len(edges), ids=ids)
        x, y = 100 * (np.arange(at.size) % columns), 100 * (np.arange(at.size) // columns)
        units = gpd.GeoDataFrame(index=ids, geometry=shapely.box(x, y, x + 100, y + 100), crs=32650)
        work = np.tile(np.arange(1, columns + 1), rows)
        problem = go.build_problem(graph, workload={"calls": work}, n_grids=rows, **limits)
        return go.Plan(problem, np.repeat(np.arange(rows), columns)), units

    return build


def words(figure: object) -> list[str]:
    return [t.get_text() for owner in [figure, *figure.axes] for t in owner.texts]


def map_axes(figure: object) -> Axes:
    return figure.axes[0]


def fills(figure: object) -> list[str]:
    drawn = [c for c in map_axes(figure).collections if isinstance(c, PathCollection) and c.get_gid() == "grids"]
    return [to_hex(c) for c in drawn[0].get_facecolors()]


def test_every_grid_is_named_and_neighbours_differ(town: Town) -> None:
    plan, units = town(5, 4)
    figure = draw_map(plan, units)
    on_map = [t.get_text() for t in map_axes(figure).texts]
    assert on_map == plan.grid_ids.tolist()
    colours = fills(figure)
    assert all(a != b for a, b in itertools.pairwise(colours))


def test_a_grid_too_small_for_its_name_has_it_beside_with_a_line() -> None:
    """A hut in a district: its name stands beside it, apart from all others, and a line leads to the hut."""
    hut = shapely.box(150, 148, 152, 150)
    rest = shapely.box(0, 0, 400, 400) - hut
    parts = [hut, *(rest.intersection(shapely.box(x, y, x + 200, y + 200)) for x in (0, 200) for y in (0, 200))]
    shapes = parts[:4]
    graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (1, 3)], ids=list("abcd"))
    units = gpd.GeoDataFrame(index=list("abcd"), geometry=shapes, crs=32650)
    plan = go.Plan(go.build_problem(graph, workload=[1, 1, 1, 1], n_grids=4), np.arange(4))
    axes = map_axes(draw_map(plan, units))
    at = {t.get_text(): shapely.Point(t.get_position()) for t in axes.texts}
    assert set(at) == set(plan.grid_ids)
    assert not hut.contains(at["G001"])
    assert all(shapes[k].contains(at[f"G00{k + 1}"]) for k in (1, 2, 3))
    leaders = [shapely.LineString(line.get_xydata()) for line in axes.lines]
    assert len(leaders) == 1
    assert hut.contains(shapely.Point(leaders[0].coords[0]))
    assert shapely.Point(leaders[0].coords[1]).equals(at["G001"])
    figure = axes.figure
    figure.draw_without_rendering()
    boxes = [shapely.box(*t.get_window_extent().extents) for t in axes.texts]
    assert not any(a.intersects(b) for a, b in itertools.combinations(boxes, 2))
    assert all(shapely.box(*axes.get_window_extent().extents).contains(b) for b in boxes)


def test_labels_lie_inside_their_grids(town: Town) -> None:
    """A grid shaped like a U has its centre outside itself; its label has not."""
    plan, units = town(3, 3)
    plan = go.Plan(plan.problem, [0, 0, 0, 0, 1, 0, 0, 2, 0])
    figure = draw_map(plan, units)
    grid = units.geometry[plan.labels == 0].union_all()
    assert not grid.contains(shapely.Point(150, 150)), "its centre is not in it"
    label = next(t for t in map_axes(figure).texts if t.get_text() == "G001")
    assert grid.contains(shapely.Point(label.get_position()))


def test_the_rows_of_units_may_be_shuffled(town: Town) -> None:
    plan, units = town(4, 4)
    shuffled = units.sample(frac=1, random_state=3)
    assert shuffled.index.tolist() != units.index.tolist()
    places = [[t.get_position() for t in map_axes(draw_map(plan, u)).texts] for u in (units, shuffled)]
    assert places[0] == places[1]


def test_the_table_tells_loads_in_the_users_units(town: Town) -> None:
    plan, units = town(2, 4)
    plan = go.Plan(plan.problem, [0, 0, 0, 0, 0, 1, 1, 1])
    said = words(draw_map(plan, units, status="VIOLATED"))
    assert {"calls", "11", "9", "20", "+10.0 %", "−10.0 %", "target 10"} <= set(said)
    assert any("worst deviation +10.0 % (G001)" in s and "VIOLATED" in s for s in said)


def test_grids_outside_their_limits_are_counted(town: Town) -> None:
    plan, units = town(2, 4, tolerance=0.05)
    plan = go.Plan(plan.problem, [0, 0, 0, 0, 0, 1, 1, 1])
    assert any("2 outside their limits" in s for s in words(draw_map(plan, units)))


def test_exempt_grids_say_why_and_do_not_count(town: Town) -> None:
    """A dedicated tower is bound by no limits: it has no deviation, and is never the worst."""
    plan, units = town(3, 4, locks=go.Locks(dedicated=[["B000"]]))
    tower, *others = np.argsort(~plan.problem.nesting.exempt, kind="stable")
    plan = go.Plan(plan.problem, [tower, *[others[0]] * 5, *[others[1]] * 6])
    loads = Loads.of(plan, 0)
    assert np.isnan(loads.deviation).tolist() == plan.problem.nesting.exempt.tolist()
    said = words(draw_map(plan, units))
    assert "own grid: dedicated" in said
    assert any("1 exempt" in s for s in said)


def test_many_grids_become_a_chart(town: Town) -> None:
    plan, units = town(MANY_GRIDS + 1, 3)
    figure = draw_map(plan, units)
    assert any("deviation of each grid, sorted" in s for s in words(figure))
    chart = figure.axes[2].child_axes[0]
    assert sum(patch.get_width() == 1.0 for patch in chart.patches) == MANY_GRIDS + 1


def test_streets_are_drawn_by_class(town: Town) -> None:
    """Arterials are wider than collectors, collectors wider than local streets; unknown classes are local."""
    plan, units = town(3, 3)
    lines = [shapely.LineString([(0, y), (300, y)]) for y in (100, 200, 50, 250)]
    streets = gpd.GeoDataFrame({"class": ["arterial", "collector", "local", "odd"]}, geometry=lines, crs=32650)
    figure = draw_map(plan, units, streets=streets.to_crs(4326))
    width = {}
    for drawn in map_axes(figure).collections:
        if isinstance(drawn, LineCollection) and len(drawn.get_segments()) <= 2:
            for run in drawn.get_segments():
                if len(run) == 2 and np.ptp(run[:, 1]) < 1:
                    width[round(run[0, 1])] = max(width.get(round(run[0, 1]), 0), drawn.get_linewidth()[0])
    assert width[100] > width[200] > width[50] == width[250]
    said = [t.get_text() for t in figure.axes[1].get_legend().get_texts()]
    assert said == ["grid border", "arterial", "collector", "local"]


def test_openstreetmap_classes_are_understood_and_wrong_columns_refused(town: Town) -> None:
    plan, units = town(3, 3)
    lines = [shapely.LineString([(0, y), (300, y)]) for y in (50, 100, 150)]
    streets = gpd.GeoDataFrame({"highway": ["trunk_link", "residential", None]}, geometry=lines, crs=32650)
    figure = draw_map(plan, units, streets=streets)
    assert [t.get_text() for t in figure.axes[1].get_legend().get_texts()] == ["grid border", "arterial", "local"]
    draw_map(plan, units, streets=streets.geometry)
    with pytest.raises(InputError, match=r"Did you mean 'highway'"):
        draw_map(plan, units, streets=streets, class_column="highways")


def test_barriers_are_filled_or_drawn(town: Town) -> None:
    plan, units = town(3, 3)
    water = gpd.GeoSeries([shapely.box(10, 10, 20, 20), shapely.LineString([(0, 0), (9, 9)])], crs=32650)
    figure = draw_map(plan, units, barriers=water)
    assert [t.get_text() for t in figure.axes[1].get_legend().get_texts()] == ["grid border", "barrier"]


@pytest.mark.parametrize(("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_pictures_are_saved_by_suffix_and_reproduce(town: Town, tmp_path: Path, suffix: str, magic: bytes) -> None:
    """The same plan gives the same bytes, and no temporary file stays."""
    plan, units = town(4, 4)
    path = tmp_path / f"plan{suffix}"
    draw_map(plan, units, path=path, title="Town")
    first = path.read_bytes()
    assert first.startswith(magic)
    draw_map(plan, units, path=path, title="Town")
    assert path.read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.filterwarnings("ignore:Glyph")
def test_svg_keeps_words_as_words(town: Town, tmp_path: Path) -> None:
    """Ids can be searched and translated; dollars and Chinese are text like any other."""
    plan, units = town(4, 4)
    draw_map(plan, units, path=tmp_path / "plan.svg", title="街道 $1$ & co")
    texts = [e.text for e in ElementTree.parse(tmp_path / "plan.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert "街道 $1$ & co" in texts
    assert set(plan.grid_ids) <= set(texts)


def test_degrees_are_drawn_in_metres(town: Town) -> None:
    """A map in degrees would be squeezed, and its scale bar wrong."""
    plan, units = town(3, 3)
    figure = draw_map(plan, units.to_crs(4326))
    low, high = map_axes(figure).get_xlim()
    assert high - low == pytest.approx(306, abs=1)


def test_the_scale_bar_has_its_length(town: Town) -> None:
    plan, units = town(10, 10)
    figure = draw_map(plan, units)
    figure.canvas.draw()
    axes, strip = figure.axes[:2]
    label = strip.texts[0].get_text()
    bar = max(c.get_paths()[0].get_extents().x1 for c in strip.collections)
    pixels = strip.transData.transform([(bar, 0), (0, 0)])
    ground = axes.transData.inverted().transform(pixels)[:, 0]
    assert label.endswith(" m")
    assert ground[0] - ground[1] == pytest.approx(float(label.split()[0]), rel=0.01)


@pytest.mark.parametrize(("length", "rounded"), [(1, 1), (1.99, 1), (3, 2), (7, 5), (10, 10), (49, 20), (1234, 1000)])
def test_scale_bars_have_round_lengths(length: float, rounded: float) -> None:
    assert round_length(length) == rounded


def test_bad_requests_are_refused_before_drawing(town: Town, tmp_path: Path) -> None:
    plan, units = town(2, 2)
    with pytest.raises(InputError, match=r"must be one of .pdf, .png, .svg"):
        draw_map(plan, units, path=tmp_path / "plan.jpeg")
    with pytest.raises(InputError, match=r"folder .*no-folder does not exist"):
        draw_map(plan, units, path=tmp_path / "no-folder" / "plan.png")
    with pytest.raises(InputError, match=r"Did you mean 'calls'"):
        draw_map(plan, units, attribute="call")
    with pytest.raises(InputError, match="1 units are not in the units table"):
        draw_map(plan, units.iloc[1:])


def test_drawing_leaves_pyplot_alone(town: Town) -> None:
    """No figure is left open behind the caller's back."""
    from matplotlib import pyplot

    plan, units = town(2, 2)
    draw_map(plan, units)
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("letters", [10, 50, 150, 600])
def test_a_title_of_any_length_stays_within_the_picture(town: Town, letters: int) -> None:
    plan, units = town(4, 4)
    figure = draw_map(plan, units, title="m" * letters)
    drawn = next(t for t in figure.texts if t.get_text().startswith("mmm"))
    box = drawn.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
    assert (drawn.get_text() == "m" * letters) == (letters <= 50)
