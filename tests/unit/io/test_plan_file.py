"""Plans in files: what is written comes back, GIS programs can read it, edits are seen, mix-ups are refused."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from gridopt.errors import Finding, InputError, NoPlanError
from gridopt.io.plan_file import read_plan, write_plan, write_result
from gridopt.model import Graph, Locks, Plan, Problem, Result, Status, Step
from gridopt.rules.build import build_problem
from gridopt.rules.verify import verify
from tests.conftest import lattice

HALVES = [0, 0, 1, 1] * 4


def town_graph(units: gpd.GeoDataFrame) -> Graph:
    """The 4 x 4 lattice over the ids of the town, with streets and classes."""
    plain = lattice(4, 4)
    m = plain.n_edges
    along = np.column_stack([np.where(np.arange(m) % 3 == 0, 1000, 0), np.where(np.arange(m) % 3 == 1, 400, 0)])
    return Graph.from_edges(
        16,
        plain.edges,
        plain.length,
        1000 + np.arange(m),
        ids=units.index.tolist(),
        xy=plain.xy,
        class_lengths=along,
        classes=("arterial", "local"),
        streets=[f"Street {e}; Lane" if e % 2 else "" for e in range(m)],
    )


def result_of(problem: Problem, labels: list[int]) -> Result:
    """A result as `solve` would return it."""
    return Result(
        Status.FEASIBLE,
        "made by hand",
        Plan(problem, labels),
        cost=4000,
        bound=3000,
        trace=(Step(1, 0.5, 4000, 0, None),),
        exceptions=(Finding("heavy-unit", "warning", ("001",), 9.5, 8, "It is a grid of its own."),),
        seed=7,
        parameters={"seconds": 1.5},
        versions={"gridopt": "0"},
        timings={"solve": 0.25, "nothing": float("nan")},
    )


@pytest.fixture
def units(town: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The town, indexed by its block codes."""
    return town.set_index("block", drop=False).rename_axis("unit")


@pytest.fixture
def result(units: gpd.GeoDataFrame) -> Result:
    """Two halves of the town, west and east, by persons and hours."""
    problem = build_problem(town_graph(units), units[["persons", "hours"]], n_grids=2, tolerance=0.3)
    return result_of(problem, HALVES)


def same_problem(a: Problem, b: Problem) -> None:
    """Everything verify, metrics and a second solve depend on."""
    assert a.graph == b.graph
    for name in ("workload", "lo", "hi", "target", "fixed", "together", "apart"):
        assert np.array_equal(getattr(a, name), getattr(b, name)), name
    for name in ("edge_cost", "incumbent"):
        assert (getattr(a, name) is None) == (getattr(b, name) is None)
        assert getattr(a, name) is None or np.array_equal(getattr(a, name), getattr(b, name)), name
    for name in ("region", "grid_region", "region_parent"):
        assert np.array_equal(getattr(a.nesting, name), getattr(b.nesting, name)), name
    assert a.nesting.parents.tolist() == b.nesting.parents.tolist()
    assert (a.nesting.reason, a.attributes, a.resolution) == (b.nesting.reason, b.attributes, b.resolution)
    assert (dict(a.objective), a.soft, a.interchangeable) == (dict(b.objective), b.soft, b.interchangeable)


def test_write_read_same(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Plan, problem and the units' own columns survive the file."""
    path, csv, document = write_plan(tmp_path / "plan.gpkg", result, units)
    read = read_plan(path)
    same_problem(read.problem, result.plan.problem)
    assert np.array_equal(read.plan.labels, result.plan.labels)
    assert read.findings == ()
    assert read.units.index.tolist() == units.index.tolist()
    for column in ("block", "persons", "hours", "ward"):
        assert read.units[column].tolist() == units[column].tolist()
    assert read.units.geometry.geom_equals_exact(units.geometry, 0).all()
    assert pd.read_csv(csv, dtype=str).set_index("unit")["grid"].to_dict() == result.plan.to_series().to_dict()
    assert document.name == "plan.json"


def test_locks_parents_and_own_costs_survive(tmp_path: Path, units: gpd.GeoDataFrame) -> None:
    """All a plan is checked against comes back, without the input files."""
    graph = town_graph(units)
    problem = build_problem(
        graph,
        units["persons"],
        n_grids=5,
        tolerance=0.9,
        parent=units["ward"],
        locks=Locks(together=[["001", "002"]], apart=[["003", "005"]], fixed={"004": "G001"}, dedicated=[["016"]]),
        edge_cost=np.arange(graph.n_edges),
        incumbent=pd.Series("G001", index=units.index[:8]),
    )
    assert set(problem.nesting.reason) == {"parent", "dedicated"}
    labels = problem.nesting.region.copy()
    labels = np.array([problem.nesting.grid_region.tolist().index(r) for r in labels])
    path = write_plan(tmp_path / "plan.gpkg", result_of(problem, labels), units)[0]
    read = read_plan(path)
    same_problem(read.problem, problem)
    assert [f.code for f in verify(read.problem, read.plan.labels)] == [f.code for f in verify(problem, labels)]


def test_integer_ids_stay_integers(tmp_path: Path, units: gpd.GeoDataFrame) -> None:
    """12 is not '12'."""
    numbered = units.set_axis(pd.RangeIndex(100, 116), axis=0)
    problem = build_problem(town_graph(numbered), numbered["persons"], n_grids=2, tolerance=0.3)
    path = write_plan(tmp_path / "plan.gpkg", result_of(problem, HALVES), numbered)[0]
    assert read_plan(path).problem.graph.ids.tolist() == list(range(100, 116))


def test_layers_are_those_a_gis_expects(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Registered tables with geometry types and coordinate system; tables without geometry are attributes."""
    grids = gpd.GeoDataFrame(
        {"n_units": [8, 8]},
        index=pd.Index(["G001", "G002"], name="grid"),
        geometry=[shapely.box(0, 0, 200, 400), shapely.box(200, 0, 400, 400)],
        crs=units.crs,
    )
    borders = gpd.GeoDataFrame(
        {"length_m": [400.0]}, geometry=[shapely.LineString([(200, 0), (200, 400)])], crs=units.crs
    )
    path = write_plan(tmp_path / "plan.gpkg", result, units, grids=grids, borders=borders)[0]
    layers = dict(pyogrio.list_layers(path).tolist())
    assert layers == {
        "units": "Polygon",
        "grids": "Polygon",
        "borders": "LineString",
        "adjacency": None,
        "problem": None,
        "findings": None,
    }
    assert pyogrio.read_dataframe(path, layer="grids")["grid"].tolist() == ["G001", "G002"]
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kinds = dict(database.execute("SELECT table_name, data_type FROM gpkg_contents"))
        systems = dict(database.execute("SELECT table_name, srs_id FROM gpkg_geometry_columns"))
    assert kinds == {name: "features" if kind else "attributes" for name, kind in layers.items()}
    assert set(systems.values()) == {32651}
    adjacency = pyogrio.read_dataframe(path, layer="adjacency", read_geometry=False)
    assert adjacency.columns.tolist()[:5] == ["u", "v", "length", "cost", "kind"]
    assert adjacency.iloc[0][["u", "v", "length", "cost", "kind"]].tolist() == ["001", "002", 1000, 1000, "border"]
    findings = pyogrio.read_dataframe(path, layer="findings", read_geometry=False)
    assert "heavy-unit" in findings["code"].tolist()


def test_the_document_says_what_was_done(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Status, bound, limits, hashes: enough to trust, or to doubt, a file years later."""
    source = tmp_path / "streets.gpkg"
    source.write_bytes(b"streets")
    path, csv, beside = write_plan(
        tmp_path / "plan.gpkg", result, units, inputs={"streets": source}, metrics={"share": np.float64(0.5)}
    )
    document = json.loads(beside.read_text(encoding="utf-8"))
    assert document["schema_version"] == 2
    assert (document["status"], document["cost"], document["bound"], document["gap"]) == ("FEASIBLE", 4000, 3000, 0.25)
    assert document["seed"] == 7
    assert document["metrics"] == {"share": 0.5}
    assert document["timings"] == {"solve": 0.25, "nothing": None}
    assert document["inputs"][0]["sha256"] == hashlib.sha256(b"streets").hexdigest()
    assert document["files"]["plan.gpkg"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert document["files"]["plan.csv"] == hashlib.sha256(csv.read_bytes()).hexdigest()
    assert document["problem"]["grids"][1]["id"] == "G002"
    assert document["trace"][0]["cost"] == 4000
    assert [f["code"] for f in document["exceptions"]] == ["heavy-unit"]


def edit(path: Path, sql: str, *values: object) -> None:
    """Edit the file as another program would."""
    with sqlite3.connect(path) as database:
        database.execute(sql, values)


def written(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> Path:
    """The files of a plan."""
    return write_plan(tmp_path / "plan.gpkg", result, units)[0]


def attributes_only(path: Path) -> None:
    """Drop the triggers of the spatial index, which plain SQLite cannot run."""
    with sqlite3.connect(path) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'rtree%'")
        for (name,) in names.fetchall():
            database.execute(f'DROP TRIGGER "{name}"')


def test_an_edited_grid_column_is_what_counts(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """A planner moves a unit in a GIS: the plan read is the edited one, and it is said."""
    path = written(tmp_path, units, result)
    attributes_only(path)
    edit(path, "UPDATE units SET grid = 'G001' WHERE unit = '003'")
    read = read_plan(path)
    assert read.plan.to_series()["003"] == "G001"
    assert [f.code for f in read.findings] == ["grid-edited"]
    assert verify(read.problem, read.plan.labels) == []
    edit(path, "UPDATE units SET grid = 'G001' WHERE unit = '004'")
    edit(path, "UPDATE units SET grid = 'G002' WHERE unit = '001'")
    codes = {f.code for f in verify(read_plan(path).problem, read_plan(path).plan.labels)}
    assert "not-contiguous" in codes


def test_an_edited_workload_is_said(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Loads are those of the file, and nobody takes them for those the plan was solved for."""
    path = written(tmp_path, units, result)
    attributes_only(path)
    edit(path, "UPDATE units SET persons = 500 WHERE unit = '003'")
    read = read_plan(path)
    assert [f.code for f in read.findings] == ["workload-edited"]
    assert read.plan.loads[1, 0] == result.plan.loads[1, 0] - 12 + 500


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE units SET grid = NULL WHERE unit = '003'", r"1 units have no grid: '003'\. Fill the column grid"),
        ("UPDATE units SET grid = 'G2' WHERE unit = '003'", r"a grid the plan does not have \(first: 'G2'\): '003'"),
        ("DELETE FROM units WHERE unit = '003'", r"1 units are missing \(first: '003'\)"),
        ("UPDATE units SET unit = '002' WHERE unit = '003'", r"1 units occur more than once \(first: '002'\)"),
        ("UPDATE units SET unit = 'x' WHERE unit = '003'", r"1 units are missing \(first: '003'\)"),
        ("UPDATE adjacency SET cost = 5 WHERE u = '001'", "belong to different plans, or the layer was edited"),
        ("DELETE FROM adjacency WHERE u = '001'", "belong to different plans, or the layer was edited"),
        ("UPDATE adjacency SET v = 'x' WHERE u = '001'", r"are not units \(first: 'x'"),
        ("ALTER TABLE units RENAME COLUMN grid TO gird", r"no column 'grid'\. Did you mean 'gird'"),
        ("ALTER TABLE units RENAME COLUMN persons TO people", "no column 'persons'"),
    ],
)
def test_edits_that_break_a_plan_are_named(
    tmp_path: Path, units: gpd.GeoDataFrame, result: Result, sql: str, says: str
) -> None:
    """What is missing or does not belong is told by unit, with the cure."""
    path = written(tmp_path, units, result)
    attributes_only(path)
    edit(path, sql)
    with pytest.raises(InputError, match=says):
        read_plan(path)


def test_edited_limits_are_said(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """A plan made sound by widening its limits in plan.json is held against them, and nobody is misled."""
    path = written(tmp_path, units, result)
    beside = path.with_suffix(".json")
    document = json.loads(beside.read_text(encoding="utf-8"))
    document["problem"]["grids"][0]["hi"][0] += 100
    beside.write_text(json.dumps(document), encoding="utf-8")
    assert [f.code for f in read_plan(path).findings] == ["limits-edited"]


def leaves(value: object, at: tuple = ()) -> list[tuple]:
    """Paths to everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, part in inner for path in leaves(part, (*at, key)))]


def test_damaged_documents_are_refused_or_said(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Whatever part of the stored problem is lost or of another kind: a message, never a traceback or a silent plan."""
    path = written(tmp_path, units, result)
    beside = path.with_suffix(".json")
    whole = json.loads(beside.read_text(encoding="utf-8"))
    untold = []
    for at in leaves(whole["problem"])[1:]:
        if at[0] in ("parameters", "objective", "parents", "interchangeable", "soft", "attributes", "classes"):
            continue
        for damage in ("drop", None, "x", -7):
            document = json.loads(json.dumps(whole))
            target = document["problem"]
            for key in at[:-1]:
                target = target[key]
            if damage == "drop":
                del target[at[-1]]
            else:
                target[at[-1]] = damage
            beside.write_text(json.dumps(document), encoding="utf-8")
            try:
                read = read_plan(path)
            except InputError:
                continue
            if not read.findings and "target" not in at:
                untold.append((at, damage))
    assert untold == []


@pytest.mark.parametrize("digests", [1.5, None, [], "x"])
def test_a_document_without_lineage_and_with_other_digests_ends_in_no_traceback(
    tmp_path: Path, units: gpd.GeoDataFrame, result: Result, digests: object
) -> None:
    path = written(tmp_path, units, result)
    beside = path.with_suffix(".json")
    document = json.loads(beside.read_text(encoding="utf-8"))
    del document["lineage"]
    document["digests"] = digests
    beside.write_text(json.dumps(document), encoding="utf-8")
    try:
        told = bool(read_plan(path).findings)
    except InputError as error:
        told = "\n" not in str(error)
    assert told


def test_files_of_different_plans_are_not_mixed(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """plan.json of one run beside plan.gpkg of another is refused, and so is none at all."""
    path = written(tmp_path, units, result)
    beside = path.with_suffix(".json")
    whole = beside.read_text(encoding="utf-8")
    beside.unlink()
    with pytest.raises(InputError, match=r"no plan\.json beside .*Keep the two together"):
        read_plan(path)
    beside.write_text(whole[:-40], encoding="utf-8")
    with pytest.raises(InputError, match=r"plan\.json cannot be read"):
        read_plan(path)
    beside.write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match=r"is not the plan\.json of gridopt"):
        read_plan(path)
    beside.write_text(whole.replace('"schema_version": 2', '"schema_version": 99'), encoding="utf-8")
    with pytest.raises(InputError, match="has schema version 99, this gridopt reads up to 2"):
        read_plan(path)
    none = Result(Status.INFEASIBLE, "the total is too small")
    write_result(beside, none)
    with pytest.raises(
        InputError, match=r"found no plan \(INFEASIBLE: the total is too small\); plan\.gpkg is from before"
    ):
        read_plan(path)


def test_nothing_is_written_when_writing_fails(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Old files stay as they were: the right old plan is worth more than half a new one."""
    path = written(tmp_path, units, result)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"1 units are missing \(first: '016'\)"):
        write_plan(path, result, units.iloc[:15])
    with pytest.raises(InputError, match=r"1 units are not units of the plan \(first: 'x'\)"):
        write_plan(path, result, pd.concat([units, units.iloc[:1].set_axis(["x"], axis=0)]))
    with pytest.raises(InputError, match="'persons' of the units is not the plan's workload: 16 units differ"):
        write_plan(path, result, units.assign(persons=units["persons"] * 2))
    with pytest.raises(InputError, match=r"written to a GeoPackage, not to '.*plan\.shp'"):
        write_plan(tmp_path / "plan.shp", result, units)
    with pytest.raises(NoPlanError, match="NO_PLAN: late"):
        write_plan(path, Result(Status.NO_PLAN, "late"), units)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_rows_may_come_in_any_order(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Tables are aligned by id, when writing and when reading."""
    read = read_plan(write_plan(tmp_path / "plan.gpkg", result, units.iloc[::-1])[0])
    same_problem(read.problem, result.plan.problem)
    assert np.array_equal(read.plan.labels, result.plan.labels)


def test_awkward_columns_are_made_fit_and_said(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Names a GeoPackage keeps for itself, names that differ in case, and mixed values do not stop a plan."""
    units["grid"] = "old"
    units["Grid"] = 1
    units["fid"] = "same"
    units["geom"] = 2.5
    units["PERSONS"] = 3
    units["mixed"] = [1, "a", None, [2], *["z"] * 12]
    units["day"] = pd.Timestamp("2024-05-01")
    units["kind"] = pd.Categorical(["x"] * 16)
    read = read_plan(write_plan(tmp_path / "plan.gpkg", result, units)[0])
    assert read.units["grid"].tolist() == result.plan.to_series().tolist()
    assert set(read.units["grid_before"]) == {"old"}
    assert {"Grid_before_2", "fid", "geom", "PERSONS_2"} <= set(read.units.columns)
    assert read.units["mixed"].fillna("").tolist()[:4] == ["1", "a", "", "[2]"]
    assert set(read.units["kind"]) == {"x"}
    findings = pyogrio.read_dataframe(tmp_path / "plan.gpkg", layer="findings", read_geometry=False)
    assert findings["code"].tolist().count("column-renamed") == 3
    assert "column-as-text" in findings["code"].tolist()


def test_a_workload_column_may_have_a_name_of_ours(tmp_path: Path, units: gpd.GeoDataFrame) -> None:
    """Somebody's workload is called `unit`; it is renamed in the file and found again."""
    units["unit"] = units["persons"]
    problem = build_problem(town_graph(units), units["unit"], n_grids=2, tolerance=0.5)
    read = read_plan(write_plan(tmp_path / "plan.gpkg", result_of(problem, HALVES), units)[0])
    same_problem(read.problem, problem)
    assert read.units["unit_before"].tolist() == units["persons"].tolist()


def test_units_without_shapes_are_written_as_a_table(tmp_path: Path, units: gpd.GeoDataFrame, result: Result) -> None:
    """Rooms, equipment and sales areas have no polygons."""
    plain = pd.DataFrame(units.drop(columns=["geometry", "hours"]))
    read = read_plan(write_plan(tmp_path / "plan.gpkg", result, plain)[0])
    assert read.units["hours"].tolist() == [1.25] * 16
    same_problem(read.problem, result.plan.problem)


def test_missing_workload_counts_as_zero_again(tmp_path: Path, units: gpd.GeoDataFrame) -> None:
    """A column with gaps solved with missing="zero" is kept with its gaps, and read as it was solved."""
    gaps = units.assign(persons=units["persons"].astype(float).where(units.index != "003"))
    problem = build_problem(town_graph(units), gaps["persons"], n_grids=2, tolerance=0.5, missing="zero")
    read = read_plan(write_plan(tmp_path / "plan.gpkg", result_of(problem, HALVES), gaps)[0])
    assert read.problem.workload[2, 0] == 0
    assert np.isnan(read.units.loc["003", "persons"])
    assert read.findings == ()


def test_a_graph_without_edges_survives(tmp_path: Path, units: gpd.GeoDataFrame) -> None:
    """Islands everywhere: the layer adjacency is empty, and that is no error."""
    few = units.iloc[:2]
    problem = build_problem(Graph.from_edges(2, [], ids=few.index.tolist()), few["persons"], n_grids=2)
    read = read_plan(write_plan(tmp_path / "plan.gpkg", result_of(problem, [0, 1]), few)[0])
    assert read.problem.graph.n_edges == 0
    assert read.plan.labels.tolist() == [0, 1]
