"""`gridopt export`: a plan in other programs' formats, ids as they were."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

from gridopt.io import read_gal, read_gerrychain, read_graph, read_partition, read_plan
from tests.end_to_end.towns import BRIEF, SOLVE, Run, contents


@pytest.fixture
def plan(run: Run) -> dict[str, str]:
    """Unit -> grid of a solved town."""
    assert run(*SOLVE, *BRIEF, "--out", "plan.gpkg").code == 0
    return read_plan("plan.gpkg").plan.to_series().to_dict()


@pytest.mark.parametrize("suffix", [".geojson", ".parquet", ".csv"])
def test_tables_hold_units_and_grids(run: Run, plan: dict[str, str], suffix: str) -> None:
    read = {".csv": lambda f: pd.read_csv(f, dtype=str), ".parquet": gpd.read_parquet}.get(suffix, gpd.read_file)
    assert run("export", "plan.gpkg", "--out", f"u{suffix}").code == 0
    assert dict(zip(read(f"u{suffix}")["unit"], read(f"u{suffix}")["grid"])) == plan
    assert run("export", "plan.gpkg", "--layer", "grids", "--out", f"g{suffix}").code == 0
    assert read(f"g{suffix}")["grid"].tolist() == sorted(set(plan.values()))


def test_excel_has_ids_as_text_and_no_formulas(run: Run, plan: dict[str, str]) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    ended = run("export", "plan.gpkg", "--out", "方案.xlsx")
    assert ended.code == 0, ended.err
    book = openpyxl.load_workbook("方案.xlsx")
    assert book.sheetnames == ["grids", "units", "borders", "findings"]
    rows = list(book["units"].iter_rows())
    names = [cell.value for cell in rows[0]]
    unit, grid, persons = (names.index(n) for n in ("unit", "grid", "persons"))
    assert {r[unit].value: r[grid].value for r in rows[1:]} == plan
    assert {(r[unit].data_type, r[unit].number_format, r[persons].data_type) for r in rows[1:]} == {("s", "@", "n")}
    assert "geometry" not in names


def test_excel_keeps_text_that_looks_like_a_formula(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    from gridopt.io import write_workbook

    odd = ["=1+1", "007", "a\x00b", "x" * 40_000, None]
    table = pd.DataFrame({"unit": [1, 2, 3, 4, 5], "note": odd, "n": [1.5, float("inf"), float("nan"), True, 2]})
    write_workbook(tmp_path / "a.xlsx", {"t": table})
    rows = list(openpyxl.load_workbook(tmp_path / "a.xlsx")["t"].iter_rows(values_only=True))
    assert [r[0] for r in rows[1:]] == ["1", "2", "3", "4", "5"]
    assert [r[1] for r in rows[1:]] == ["=1+1", "007", "ab", "x" * 32_767, None]
    assert [r[2] for r in rows[1:]] == [1.5, None, None, True, 2]


def test_graphs_are_those_of_the_plan(run: Run, plan: dict[str, str]) -> None:
    own = read_plan("plan.gpkg")
    graph = own.problem.graph
    assert run("export", "plan.gpkg", "--out", "g.graph").code == 0
    metis = read_graph("g.graph")
    assert metis.graph.edges.tolist() == graph.edges.tolist()
    assert metis.graph.cost.tolist() == graph.cost.tolist()
    assert read_partition("g.part", graph.n_units).tolist() == own.plan.labels.tolist()
    assert run("export", "plan.gpkg", "--out", "g.gal").code == 0
    assert read_gal("g.gal").edges.tolist() == graph.edges.tolist()
    assert run("export", "plan.gpkg", "--out", "dual.json").code == 0
    dual, table = read_gerrychain("dual.json")
    assert dual.ids.tolist() == graph.ids.tolist()
    assert dual.length.tolist() == graph.length.tolist()
    assert table["grid"].to_dict() == plan
    assert json.loads(Path("dual.json").read_text(encoding="utf-8"))["multigraph"] is False
    again = run(
        "solve", "dual.json", "--workload", "persons", "--grids", 4, "--tolerance", "0.15", *BRIEF, "--out", "p.gpkg"
    )
    assert again.code == 0, again.err
    assert run("export", "p.gpkg", "--out", "again.csv").code == 0
    assert run("export", "p.gpkg", "--layer", "grids", "--out", "p.geojson").code == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("plan.gpkg", "--out", "p.dxf"), "Use .xlsx, .geojson"),
        (("plan.gpkg", "--out", "plan.csv"), "it is an input"),
        (("plan.gpkg", "--out", "plan.json"), "it is an input"),
        (("town.gpkg", "--out", "p.csv"), "there is no town.json"),
        (("no.gpkg", "--out", "p.csv"), "does not exist"),
    ],
)
def test_what_cannot_be_exported_leaves_no_file(
    run: Run, plan: dict[str, str], args: tuple[str, ...], says: str
) -> None:
    before = contents(Path())
    ended = run("export", *args)
    assert ended.code == 2
    assert says in ended.err
    assert contents(Path()) == before
