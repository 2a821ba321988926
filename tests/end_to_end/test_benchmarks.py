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

import networkx as nx
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import gridopt as go  # noqa: E402
from benchmarks import changes, growth  # noqa: E402
from benchmarks.quality import best, pictures, record, runs, suite  # noqa: E402
from benchmarks.quality.case import Case  # noqa: E402
from benchmarks.quality.measure import measure  # noqa: E402
from benchmarks.quality.peers import PEERS, is_installed, parts_of  # noqa: E402
from benchmarks.quality.table import format_table  # noqa: E402
from gridopt.workflow import datasets  # noqa: E402

needs_metis = pytest.mark.skipif(find_spec("pymetis") is None, reason="pymetis is missing: pip install .[test]")


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
        assert (tmp_path / f"rows.time.{name}.png").stat().st_size > 10_000
    again = record.read_rows([tmp_path / "rows.csv"])
    assert [row["cut"] for row in again] == [float(row["cut"]) for row in rows]
    steps = next(row["trace"] for row in again if row["view"] == "plan")
    assert steps[-1][1] == next(row["cut"] for row in again if row["view"] == "plan")
    assert (tmp_path / "rows.profiles.png").exists() == bool(find_spec("pymetis"))


def test_quality_records_the_tolerance_it_ran_with(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    instance = ("--instance", "plain-city-300-12", "--solvers", "gridopt", "--steps", "2000", "--seeds", "1")
    run_module("benchmarks.quality", *instance, "--tolerance", "0.08", "--no-pictures", "--csv", str(path))
    with path.open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["tolerance"] == "0.08"
    problem = datasets.load("plain-city-300-12").to_problem()
    assert str(problem.parameters["tolerance"]) == "0.05"


def test_growth_runs_in_its_tiny_mode(tmp_path: Path) -> None:
    out = run_module("benchmarks.growth", "--tiny", "--csv", str(tmp_path / "growth.csv"))
    with (tmp_path / "growth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["what"], row["n_units"]) for row in rows if row["status"] != "fit"] == [
        (what, n) for n in ("500", "1000") for what in growth.WHATS
    ]
    assert all(float(row["cpu_s"]) > 0 for row in rows if row["status"] != "fit")
    assert "solve: CPU seconds grow as" in out
    assert (tmp_path / "growth.png").stat().st_size > 10_000


def test_an_exponent_of_one_is_n_log_n() -> None:
    n = np.array([10, 100, 1000])
    assert growth.exponent(n.tolist(), (3e-6 * n * np.log(n)).tolist()) == pytest.approx(1.0)
    assert growth.exponent(n.tolist(), (3e-6 * (n * np.log(n)) ** 2).tolist()) == pytest.approx(2.0)


def test_promises_of_rebalance_hold_in_random_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against solve and against every plan; a plan that begins elsewhere is told from the one asked for."""
    assert "10 ran, 0 failed" in run_module("benchmarks.changes", "--count", "10")
    other = changes.rebalance
    monkeypatch.setattr(changes, "rebalance", lambda problem, plan, **o: other(problem, plan.iloc[::-1].values, **o))
    case = changes.drawn(6)
    assert case is not None
    assert list(changes.failures(case))


def test_startup_runs_in_its_tiny_mode() -> None:
    rows = {row["what"]: row for row in csv.DictReader(run_module("benchmarks.startup", "--tiny").splitlines())}
    assert {row["status"] for row in rows.values()} == {"ok"}
    assert rows["import gridopt"]["heavy"] == ""
    assert float(rows["import gridopt"]["wall_s"]) < 2
    assert "numba" not in rows["name build_problem"]["heavy"]


def test_segments_run_in_their_tiny_mode() -> None:
    """From streets to a verified plan, and points in its blocks."""
    rows = {row["step"]: row for row in csv.DictReader(run_module("benchmarks.segments", "--tiny").splitlines())}
    assert list(rows) == ["blocks", "locate", "graph", "problem", "solve", "verify", "all", "points"]
    assert rows["verify"]["result"] == "0 findings"
    assert float(rows["all"]["processor_s"]) > 0


def test_communities_run_in_their_tiny_mode() -> None:
    nested, many = csv.DictReader(run_module("benchmarks.communities", "--tiny").splitlines())
    assert (nested["way"], many["way"]) == ("nested", "many")
    for row in (nested, many):
        assert int(row["sound"]) + int(row["refuted"]) == int(row["communities"]) == 12
        assert row["violated"] == "0"
    assert nested["cost"] == many["cost"]
    assert (float(many["ratio"]), many["open"]) == (1.0, "0")


def test_redivision_runs_in_its_tiny_mode() -> None:
    """Exact ways agree on pairs, and no way makes a set worse. Pairs of more than 64 nodes are not proved."""
    rows = list(csv.DictReader(run_module("benchmarks.redivision", "--tiny").splitlines()))
    assert [row["parts"] for row in rows] == ["2"] * 5 + ["3"] * 5
    assert all(float(row["gain_percent"]) >= 0 for row in rows)
    exact, model = rows[1], rows[2]
    assert 2 <= int(exact["proved"]) <= int(exact["sets"]) == 3
    assert float(model["gain_percent"]) <= float(exact["gain_percent"])


# ---- figures ----------------------------------------------------------------------------------------------------


def test_rebalancing_runs_in_its_tiny_mode(tmp_path: Path) -> None:
    out = run_module(
        "benchmarks.rebalance", "--tiny", "--only", "city", "--only", "months", "--csv", str(tmp_path / "rows.csv")
    )
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ours, theirs = rows[0], next(row for row in rows if row["method"] == "solve afresh")
    assert [ours[name] for name in ("method", "grids_outside", "pieces_over")] == ["gridopt", "0", "0"]
    assert ours["in_steps"] == "True"
    assert float(ours["ratio"]) >= 1
    assert float(ours["moved_workload"]) < 0.1 * float(theirs["moved_workload"])
    assert float(rows[-2]["moved_workload"]) < float(rows[-1]["moved_workload"]) / 3
    assert "months of 1 %" in out


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


def test_a_peer_that_takes_too_long_did_not_finish(
    path6: go.Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever language a peer is written in, the system ends it when its time is up, and the row says so."""
    problem = go.build_problem(path6, [1, 2, 3, 3, 2, 1], n_grids=2, tolerance=0.1)
    slow = tmp_path / "slow.py"
    slow.write_text(
        f"import sys, time\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from benchmarks.quality.worker import set_alarm\nset_alarm(0.05)\ntime.sleep(60)\n"
    )
    monkeypatch.setattr(runs, "WORKER", [str(slow)])
    row = first_row(runs.Run("path6", "metis", 1, 0.1, cap=0.05), problem, tmp_path)
    assert row["status"] == "did not finish one run within 0.05 s"
    assert row["view"] == "none"


@pytest.mark.parametrize(
    "name", ["metis", "kahip-eco", "kaminpar", "kaminpar-4xjet", "mtkahypar-largek", "gerrychain", "spopt"]
)
def test_each_peer_runs_and_keeps_its_promises(name: str, tmp_path: Path) -> None:
    """Once, on a lattice of 64 units in 4 grids; what it promises by itself is held against the figures."""
    if not is_installed(name):
        pytest.skip(f"{PEERS[name].distribution} is missing: pip install .[bench]")
    edges = [(u, u + 1) for u in range(64) if u % 8 < 7] + [(u, u + 8) for u in range(56)]
    problem = go.build_problem(go.Graph.from_edges(64, edges), [1] * 64, n_grids=4, tolerance="0.25")
    row = first_row(runs.Run("lattice8x8", name, 1, 0.05), problem, tmp_path)
    assert row["status"] == "ok", row["status"]
    assert row["settings"] == PEERS[name].settings
    assert row["parts"] == 4
    assert row["cut"] >= 16  # four squares of 16 units: no cut is less
    promised = PEERS[name].promises
    assert row["pieces"] == 4 or "contiguous" not in promised
    assert row["violation_over"] == 0 or not {"upper", "band"} & set(promised.split(", "))
    assert row["violation"] == 0 or "band" not in promised


def test_peers_get_each_region_as_it_is() -> None:
    """Edges, costs and workloads of every community, against networkx; limits are those of its own mean load."""
    loaded = datasets.load("communities-200")
    assert loaded.graph is not None
    problem = loaded.to_problem()
    graph = nx.Graph()
    graph.add_nodes_from(range(problem.n_units))
    graph.add_weighted_edges_from(
        (u, v, cost) for (u, v), cost in zip(problem.graph.edges.tolist(), problem.graph.cost.tolist())
    )
    parts = parts_of(Case.from_problem(problem))
    community = np.asarray(loaded.limits["parent"])
    assert sum(part.n for part in parts) + problem.nesting.exempt.sum() == problem.n_units
    for part in (*parts[:3], *parts[-3:]):
        assert len(set(community[part.units])) == 1
        pairs, weights = part.edges()
        found = {frozenset(part.units[pair].tolist()): int(w) for pair, w in zip(pairs, weights)}
        inside = graph.subgraph(part.units.tolist())
        assert found == {frozenset((u, v)): w for u, v, w in inside.edges(data="weight")}
        assert part.workload.tolist() == problem.workload[part.units, 0].tolist()
        mean = part.workload.sum() / part.k
        assert (part.lo, part.hi) == (int(np.ceil(0.9 * mean)), int(1.1 * mean))


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


def test_profiles_are_those_of_dolan_and_more() -> None:
    """Two solvers on three problems by hand: an unsound result counts in one panel and not in the other."""
    cuts = {"a": ((100, True), (100, True), (300, True)), "b": ((110, True), (50, False), (150, True))}
    base = {"seconds": 1.0, "steps": None, "seed": 1, "digest": "d"}
    rows = [
        {**base, "instance": f"i{i}", "solver": solver, "view": "plan", "cut": cut, "sound": sound}
        for solver, of in cuts.items()
        for i, (cut, sound) in enumerate(of)
    ]
    rows.append(
        {**base, "instance": "i3", "solver": "b", "view": "plan", "cut": 1, "sound": True}
    )  # nothing to compare
    sound = pictures.ratios(rows, ("plan",), sound=True)
    assert sound["a"].tolist() == [1.0, 1.0, 2.0]
    assert sound["b"].tolist() == [1.1, np.inf, 1.0]
    assert pictures.ratios(rows, ("plan",), sound=False)["a"].tolist() == [1.0, 2.0, 2.0]
    tau, share = pictures.profile(sound["b"])
    assert (tau.tolist(), share.tolist()) == ([1.0, 1.1], [1 / 3, 2 / 3])


def test_profiles_take_a_peer_at_the_most_time_it_was_given() -> None:
    """In suites METIS stops at 10 s: its result stands beside gridopt's of 60 s, and is no problem of its own."""
    base = {"instance": "i", "digest": "d", "steps": None, "seed": 1, "view": "plan", "sound": True}
    given = (("gridopt", 1, 300), ("metis", 1, 200), ("metis", 10, 100), ("gridopt", 60, 50))
    rows = [{**base, "solver": solver, "seconds": seconds, "cut": cut} for solver, seconds, cut in given]
    found = pictures.ratios(rows, ("plan",), sound=True)
    assert found["gridopt"].tolist() == [1.5, 1.0]
    assert found["metis"].tolist() == [1.0, 2.0]


def test_a_record_of_other_columns_is_not_mixed_with(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("instance,cut\nx,1\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="other columns"):
        record.Record(tmp_path / "old.csv")
    assert (tmp_path / "old.csv").read_text(encoding="utf-8") == "instance,cut\nx,1\n"


def test_rows_of_the_suite_are_data_sets_and_can_be_chosen() -> None:
    rows = suite.SUITES["table"]
    assert {row.instance for row in rows} | {row.yardstick for row in rows} <= set(datasets.names())
    assert [row.name for row in suite.chosen("table", ["city-10000-400 1 s"])] == [
        "plain-city-10000-400 1 s",
        "city-10000-400 1 s",
    ]
    assert all(row.metis_seconds <= 10 for row in rows)
    tight = next(row for row in rows if row.instance.endswith("tightest"))
    assert tight.budget_of("metis") == ("plain-city-10000-400", 10.0)
    assert tight.budget_of("kahip") == ("plain-city-10000-400-tightest", 20)


def test_the_table_of_a_suite_holds_a_tight_band_against_a_wide_one() -> None:
    """METIS's cut at 3 % beside gridopt's at 0.5 %; unsound repairs do not count, references are marked."""
    row = suite.Row("plain-city-10000-400-tightest", 20, against="plain-city-10000-400")
    base = {"n_units": 10_000, "n_grids": 400, "over": 0.03, "under": 0.07, "pieces": 400}
    found = [
        {
            **base,
            "instance": row.instance,
            "seconds": 20,
            "solver": "gridopt",
            "view": "plan",
            "cut": 90,
            "sound": True,
        },
        {
            **base,
            "instance": row.yardstick,
            "seconds": 10,
            "solver": "metis",
            "view": "claim",
            "cut": 100,
            "sound": False,
        },
        {
            **base,
            "instance": row.yardstick,
            "seconds": 10,
            "solver": "metis",
            "view": "repaired",
            "cut": 80,
            "sound": False,
        },
        {
            **base,
            "instance": row.instance,
            "seconds": 20,
            "solver": "kahip",
            "view": "repaired",
            "cut": 120,
            "sound": True,
        },
    ]
    cells = [cell.strip() for cell in suite.format_suite([row], found).splitlines()[-1].split("|")[1:-1]]
    assert cells[4:] == ["90", "1/1", "100", "3.0", "7.0", "400", "0.9000", "-", "0.7500 kahip", "-"]
    classic = suite.Row("walshaw-uk-64", 20)
    plan = {**base, "instance": classic.instance, "seconds": 20, "solver": "gridopt", "view": "plan", "sound": True}
    assert suite.format_suite([classic], [{**plan, "cut": 433}]).endswith("| 1.0000* |")


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
