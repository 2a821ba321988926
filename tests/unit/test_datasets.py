"""Data sets: figures mean something only while everyone runs the same instance."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

import gridopt as go
from gridopt.workflow import _dataset_table, datasets

SMALL = [name for name in datasets.names("generated") if "00000" not in name]
FOLDER = Path(__file__).resolve().parents[2] / "datasets"


@pytest.mark.parametrize("name", SMALL)
def test_generated_sets_have_not_drifted(name: str) -> None:
    """`load` compares the arrays with the recorded checksum; published figures are for exactly these."""
    loaded = datasets.load(name)
    assert loaded.graph is not None
    assert loaded.workload is not None
    assert loaded.workload.shape == (loaded.graph.n_units, 1)


def test_one_changed_value_changes_the_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    from gridopt.territory import synthetic

    original = synthetic.plain_city

    def drifted(n: int, seed: int) -> tuple[go.Graph, np.ndarray]:
        graph, workload = original(n, seed)
        workload[17] += 1
        return graph, workload

    monkeypatch.setattr(synthetic, "plain_city", drifted)
    with pytest.raises(go.InputError, match="has checksum"):
        datasets.load("plain-city-300-12")
    assert datasets.load("plain-city-300-12", verify=False).graph is not None


def test_digest_tells_values_names_shapes_and_kinds_apart() -> None:
    base = {"a": np.arange(6)}
    others = [
        {"a": np.arange(6)[::-1]},
        {"b": np.arange(6)},
        {"a": np.arange(6).reshape(2, 3)},
        {"a": np.arange(6, dtype=np.int32)},
        {"a": np.arange(6), "b": np.arange(0)},
        {"a": np.array(list("012345"), dtype=object)},
    ]
    seen = {datasets.digest(arrays) for arrays in [base, *others]}
    assert len(seen) == 7
    assert datasets.digest({"a": np.arange(12)[::2] // 2}) == datasets.digest(base)
    assert datasets.digest({"a": np.arange(6).astype(">i8")}) == datasets.digest(base)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(go.InputError, match="plain-city-1000-40"):
        datasets.load("plain-city-1000")


def test_sets_beside_say_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDOPT_DATA", str(tmp_path))
    assert not datasets.is_available("taipei")
    with pytest.raises(go.InputError, match="GRIDOPT_DATA"):
        datasets.load("taipei")


@pytest.mark.parametrize("name", datasets.names("beside"))
def test_sets_beside_are_the_recorded_files(name: str, data_dir: Path) -> None:
    if not datasets.is_available(name):
        pytest.skip(f"{name} is not in {data_dir}")
    loaded = datasets.load(name)
    assert loaded.graph is not None or loaded.layers


def test_geodanet_needs_no_files_and_no_network() -> None:
    loaded = datasets.load("geodanet")
    assert {name: len(layer) for name, layer in loaded.layers.items()} == {"streets": 293, "crimes": 287, "schools": 8}
    with pytest.raises(go.InputError, match="only layers"):
        loaded.to_problem()


def test_instances_state_their_problem() -> None:
    nested = datasets.load("city-10000-1000-nested")
    problem = nested.to_problem()
    assert problem.n_grids == 1000
    assert len(problem.nesting.parents) == len(nested.layers["communities"])
    plain = datasets.load("plain-city-1000-40").to_problem(tolerance=0.1)
    target = plain.workload.sum() / 40
    assert plain.hi[0, 0] == int(1.1 * target)


def test_a_published_instance_states_its_own_limits(data_dir: Path) -> None:
    if not datasets.is_available("districting-county-NE"):
        pytest.skip(f"districting is not in {data_dir}")
    problem = datasets.load("districting-county-NE").to_problem()
    assert (problem.n_units, problem.n_grids, problem.graph.n_edges) == (93, 3, 231)
    assert (problem.lo[0, 0], problem.hi[0, 0]) == (605737, 611824)
    best = datasets.best_known("districting-county-NE")
    assert best is not None
    assert (best.value, best.optimal) == (19, True)


# ---- the folders beside the package -----------------------------------------------------------------------------


def test_each_set_has_a_folder_and_each_folder_a_set() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_dir()} == set(datasets.names())


@pytest.mark.parametrize("name", datasets.names())
def test_readmes_tell_source_licence_and_checksum(name: str) -> None:
    text = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    about = datasets.about(name)
    for fact in (about.title, about.source, about.licence, about.checksum):
        assert fact in text
    assert len(about.checksum) == 64


@pytest.mark.parametrize("name", [n for n in datasets.names() if (FOLDER / n / "best_known.json").exists()])
def test_best_known_records_are_complete_and_their_plans_sound(name: str) -> None:
    record = json.loads((FOLDER / name / "best_known.json").read_text(encoding="utf-8"))
    assert record["instance"] == name
    best = datasets.best_known(name)
    if best is None:
        return
    assert best.who
    assert best.verified
    assert best.bound is None or best.bound <= best.value
    assert best.optimal == (best.bound == best.value)
    if best.labels is None or not datasets.is_available(name):
        return
    with gzip.open(best.labels, "rt") as file:
        labels = np.array(file.read().split(), dtype=np.int32)
    problem = datasets.load(name).to_problem()
    assert [f for f in go.verify(problem, labels) if f.severity == "error"] == []
    ends = labels[problem.graph.edges]
    assert int(problem.graph.cost[ends[:, 0] != ends[:, 1]].sum()) == best.value


def test_an_installed_package_has_no_best_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets, "FOLDER", tmp_path)
    assert datasets.best_known("districting-county-NE") is None


def test_the_table_names_each_set_once() -> None:
    listed = [entry.about.name for entry in _dataset_table.TABLE]
    assert len(set(listed)) == len(listed)
