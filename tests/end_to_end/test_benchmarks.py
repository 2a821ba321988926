"""Benchmarks run, and their figures mean what the tables say. A benchmark nobody runs rots."""

from __future__ import annotations

import csv
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import gridopt as go  # noqa: E402
from benchmarks.quality import best, runs  # noqa: E402
from benchmarks.quality.case import Case  # noqa: E402
from benchmarks.quality.measure import measure  # noqa: E402
from benchmarks.quality.table import format_table  # noqa: E402
from gridopt.workflow import datasets  # noqa: E402

needs_metis = pytest.mark.skipif(find_spec("pymetis") is None, reason="pymetis is missing: pip install .[bench]")


@pytest.fixture
def case(path6: go.Graph) -> Case:
    """a - f with workloads 1 2 3 3 2 1 in two grids within a tenth of 6."""
    return Case.from_problem(go.build_problem(path6, [1, 2, 3, 3, 2, 1], n_grids=2, tolerance=0.1))


def run_module(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_quality_runs_in_its_tiny_mode(tmp_path: Path) -> None:
    out = run_module("benchmarks.quality", "--tiny", "--csv", str(tmp_path / "rows.csv"))
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == runs.COLUMNS
    wanted = {"plan"} | ({"claim", "band", "repaired"} if find_spec("pymetis") else set())
    for name in ("plain-city-300-12", "city-300-12"):
        of = [row for row in rows if row["instance"] == name]
        assert {row["view"] for row in of} == wanted
        assert len({row["digest"] for row in of}) == 1
        plan = next(row for row in of if row["view"] == "plan")
        assert plan["sound"] == "True", plan
        assert plan["pieces"] == plan["n_grids"]
        assert float(plan["over"]) < 0.11
        assert float(plan["peak_mb"]) > 20
        assert name in out


def test_startup_runs_in_its_tiny_mode() -> None:
    rows = {row["what"]: row for row in csv.DictReader(run_module("benchmarks.startup", "--tiny").splitlines())}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["import gridopt"]["heavy"] == ""
    assert float(rows["import gridopt"]["wall_s"]) < 2
    assert "numba" not in rows["name build_problem"]["heavy"]


def test_communities_run_in_their_tiny_mode() -> None:
    nested, many = csv.DictReader(run_module("benchmarks.communities", "--tiny").splitlines())
    assert (nested["way"], many["way"]) == ("nested", "many")
    for row in (nested, many):
        assert int(row["sound"]) + int(row["refuted"]) == int(row["communities"]) == 12
        assert row["violated"] == "0"
    assert nested["cost"] == many["cost"]
    assert (float(many["ratio"]), many["open"]) == (1.0, "0")


# ---- figures ----------------------------------------------------------------------------------------------------


def test_measure_a_sound_plan(case: Case) -> None:
    figures = measure(case, np.array([0, 0, 0, 1, 1, 1], dtype=np.int32))
    assert (figures.cut, figures.parts, figures.pieces) == (100, 2, 2)
    assert (figures.over, figures.under, figures.violation) == (0.0, 0.0, 0)
    assert figures.is_sound(2)


def test_measure_pieces_and_both_sides(case: Case) -> None:
    """Grid 0 = {a, c}, in two pieces, loads 4; grid 1 the rest, in two, loads 8. Limits are 6 and 6 (5.4 … 6.6)."""
    figures = measure(case, np.array([0, 1, 0, 1, 1, 1], dtype=np.int32))
    assert (figures.cut, figures.parts, figures.pieces) == (300, 2, 4)
    assert figures.over == pytest.approx(1 / 3)
    assert figures.under == pytest.approx(1 / 3)
    assert figures.violation_over == pytest.approx(10**6 * 2 / 6, abs=1)
    assert figures.violation == pytest.approx(10**6 * 4 / 6, abs=2)
    assert not figures.is_contiguous(2)


def test_measure_misses_an_empty_grid(case: Case) -> None:
    figures = measure(case, np.zeros(6, dtype=np.int32))
    assert (figures.parts, figures.pieces) == (1, 1)
    assert figures.under == 1.0
    assert not figures.is_contiguous(2)


@pytest.mark.parametrize("seed", range(4))
def test_figures_agree_with_the_rules(seed: int) -> None:
    """Two independent ways to the same verdict: the benchmark's own figures, and `verify`."""
    problem = datasets.load("plain-city-300-12").to_problem()
    labels = np.random.default_rng(seed).integers(0, 12, 300).astype(np.int32)
    figures = measure(Case.from_problem(problem), labels)
    assert not figures.is_sound(12)
    assert any(finding.severity == "error" for finding in go.verify(problem, labels))
    assert figures.cut == go.Plan(problem, labels).problem.graph.cost[_cut_edges(problem, labels)].sum()


def test_measure_holds_a_grid_against_the_limits_of_its_own_region() -> None:
    """A heavy unit is a grid without limits; gridopt may number that grid first, last or between."""
    path = go.Graph.from_edges(5, [(i, i + 1) for i in range(4)])
    problem = go.build_problem(path, [2, 2, 90, 2, 2], n_grids=3, tolerance=0.1)
    found = Case.from_problem(problem)
    assert found.exempt.sum() == 1
    for renumbered in ([0, 0, 1, 2, 2], [1, 1, 0, 2, 2], [0, 0, 2, 1, 1], [2, 2, 0, 1, 1]):
        figures = measure(found, np.array(renumbered, dtype=np.int32))
        assert (figures.over, figures.violation, figures.is_sound(3)) == (0.0, 0, True), renumbered


def _cut_edges(problem: go.Problem, labels: np.ndarray) -> np.ndarray:
    return np.array([labels[u] != labels[v] for u, v in problem.graph.edges.tolist()])


# ---- children ---------------------------------------------------------------------------------------------------


def first_row(run: runs.Run, problem: go.Problem, folder: Path) -> dict[str, Any]:
    rows: Iterator[tuple[dict[str, Any], Any]] = runs.carry_out(run, problem, folder)
    return next(rows)[0]


@pytest.mark.parametrize("solver", ["gridopt", "metis"])
def test_a_child_refuses_other_arrays(path6: go.Graph, tmp_path: Path, solver: str) -> None:
    """Figures must never be compared across different problems: one changed cost, and the child says no."""
    problem = go.build_problem(path6, [1, 2, 3, 3, 2, 1], n_grids=2, tolerance=0.1)
    dearer = go.Graph.from_edges(6, path6.edges, costs=path6.cost + 1)
    other = go.build_problem(dearer, [1, 2, 3, 3, 2, 1], n_grids=2, tolerance=0.1)
    digest = Case.from_problem(problem).digest()[:16]
    Case.from_problem(other).write(tmp_path / f"{digest}.npz")
    (tmp_path / f"{digest}.pickle").write_bytes(pickle.dumps(other))
    row = first_row(runs.Run("path6", solver, 1, 0.1), problem, tmp_path)
    assert row["sound"] is False
    assert "differ from those" in row["status"]


def test_a_crash_in_a_child_becomes_its_status(
    path6: go.Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A peer that dies takes neither the session nor the other rows with it."""
    problem = go.build_problem(path6, [1, 2, 3, 3, 2, 1], n_grids=2, tolerance=0.1)
    die = tmp_path / "dies.py"
    die.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(runs, "WORKER", [str(die)])
    row = first_row(runs.Run("path6", "metis", 1, 0.1), problem, tmp_path)
    assert row["sound"] is False
    assert row["status"].startswith("signal 11")


@needs_metis
def test_peers_are_run_region_by_region(tmp_path: Path) -> None:
    """Communities are parents: METIS gets each alone, so that no grid of its leaves its community."""
    loaded = datasets.load("city-300-12")
    parent = loaded.layers["units"]["community"]
    problem = loaded.to_problem(parent=parent, n_grids=24, tolerance=0.5)
    for _, labels in runs.carry_out(runs.Run("city-300-12", "metis", 1, 0.2), problem, tmp_path):
        if labels is not None:
            communities = {g: set(parent.to_numpy()[labels == g]) for g in np.unique(labels)}
            assert all(len(own) == 1 for own in communities.values())


# ---- tables and records -----------------------------------------------------------------------------------------


def test_the_table_gives_medians_and_ratios_to_metis() -> None:
    base = {"instance": "x", "seconds": 1.0, "steps": None, "n_units": 9, "n_edges": 9, "n_grids": 2, "status": "ok"}
    figures = {"over": 0.02, "under": 0.03, "pieces": 2, "wall_s": 1.0, "peak_mb": 100.0}
    rows = [
        {**base, **figures, "solver": "metis", "view": "claim", "cut": cut, "sound": False} for cut in (100, 200, 300)
    ]
    rows += [{**base, **figures, "solver": "metis", "view": "repaired", "cut": 250, "sound": True}]
    rows += [{**base, **figures, "solver": "gridopt", "view": "plan", "cut": 150, "sound": True}]
    rows += [{**base, "solver": "kahip", "view": "none", "sound": False, "status": "signal 11: no message"}]
    lines = format_table(rows).splitlines()
    plan = next(line for line in lines if line.startswith("gridopt")).split()
    assert plan[2:9] == ["1", "1", "150", "0.7500", "0.6000", "2.00", "3.00"]
    assert any("signal 11" in line for line in lines)


def test_best_known_is_replaced_by_sound_and_lower_plans_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "plain-city-300-12"
    monkeypatch.setattr(datasets, "FOLDER", tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "best_known.json").write_text(json.dumps({"instance": name, "objective": "cut", "best": None}))
    problem = datasets.load(name).to_problem()
    plan = go.solve(problem, steps=20_000, seed=1).require_plan()
    figures = measure(Case.from_problem(problem), plan.labels)
    facts = {"instance": name, "solver": "gridopt", "view": "plan", "version": "0", "seed": 1, "seconds": 1.0}
    row = {**facts, "steps": None, "workers": 1, "machine": "m", "commit": "c", "date": "2026-01-01"}
    row["cut"] = figures.cut
    assert not best.keep_if_better(problem, {**row, "sound": False}, plan.labels)
    assert datasets.best_known(name) is None
    assert not best.keep_if_better(problem, {**row, "sound": True}, np.zeros(300, dtype=np.int32))
    assert best.keep_if_better(problem, {**row, "sound": True}, plan.labels)
    known = datasets.best_known(name)
    assert known is not None
    assert known.value == figures.cut
    assert known.labels is not None
    assert known.labels.exists()
    assert not best.keep_if_better(problem, {**row, "sound": True}, plan.labels)


@pytest.mark.skipif(find_spec("pytest_benchmark") is None, reason="pytest-benchmark is missing: pip install .[test]")
def test_micro_benchmarks_run_in_their_tiny_mode(tmp_path: Path) -> None:
    environment = {**os.environ, "GRIDOPT_BENCH_UNITS": "300"}
    command = [sys.executable, "-m", "pytest", "benchmarks/micro", "--benchmark-disable", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout[-2000:]
