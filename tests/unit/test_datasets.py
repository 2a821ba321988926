"""Data sets: figures mean something only while everyone runs the same instance."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csgraph

import gridopt as go
from gridopt.workflow import _dataset_table, datasets

LARGE = {"plain-city-100000-4000", "plain-city-1000000-40000"}
SMALL = [name for name in datasets.names("generated") if name not in LARGE]
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


# ---- drawn from a formula ---------------------------------------------------------------------------------------


def test_communities_are_what_their_names_say() -> None:
    """200 connected patches of 30 units, no edge between two of them, five grids each."""
    loaded = datasets.load("communities-200")
    assert loaded.graph is not None
    edges, community = loaded.graph.edges, np.asarray(loaded.limits["parent"])
    assert np.array_equal(community[edges[:, 0]], community[edges[:, 1]])
    count, piece = csgraph.connected_components(sparse.csr_matrix((np.ones(len(edges)), edges.T), shape=(6000, 6000)))
    assert count == 200
    assert set(np.bincount(piece)) == {30}
    grid_region = loaded.to_problem().nesting.grid_region
    assert len(grid_region) == 1000


def test_patches_are_planar() -> None:
    """Both diagonals of a square would cross: streets do not."""
    graph = datasets.load("communities-200").graph
    assert graph is not None
    first = graph.edges[graph.edges[:, 1] < 30]
    assert len(first) == 69
    assert nx.check_planarity(nx.Graph(first.tolist()))[0]


def test_communities_of_the_nested_city_hang_together() -> None:
    loaded = datasets.load("nested-15000-600")
    assert loaded.graph is not None
    edges, community = loaded.graph.edges, np.asarray(loaded.limits["parent"])
    assert len(np.unique(community)) == 200
    within = edges[community[edges[:, 0]] == community[edges[:, 1]]]
    matrix = sparse.csr_matrix((np.ones(len(within)), within.T), shape=(15_000, 15_000))
    assert csgraph.connected_components(matrix, directed=False)[0] == 200


def test_the_lattice_has_four_neighbours_and_unit_costs() -> None:
    graph = datasets.load("lattice-20x20-8").graph
    assert graph is not None
    assert sorted(map(tuple, graph.edges.tolist())) == sorted(tuple(sorted(e)) for e in _lattice_edges(20))
    assert set(graph.cost.tolist()) == {1}


def _lattice_edges(side: int) -> list[tuple[int, int]]:
    return [(side * y1 + x1, side * y2 + x2) for (y1, x1), (y2, x2) in nx.grid_2d_graph(side, side).edges]


def test_the_taiwan_instance_asks_for_1500_persons_a_grid(data_dir: Path) -> None:
    """Heavy units are grids of their own; the mean of the others is what is left for them."""
    if not datasets.is_available("taiwan-24521-2392"):
        pytest.skip(f"taiwan_north is not in {data_dir}")
    problem = datasets.load("taiwan-24521-2392").to_problem()
    persons, own = problem.workload[:, 0], problem.nesting.exempt
    heavy = persons[persons > 1650]
    assert round(persons.sum() / problem.n_grids) == 1500
    assert (problem.n_units, own.sum(), len(heavy)) == (24_521, 15, 15)
    target = (persons.sum() - heavy.sum()) / (problem.n_grids - 15)
    assert set(problem.hi[~own, 0].tolist()) == {int(1.1 * target)}


def test_classic_graphs_are_those_of_the_archive(data_dir: Path) -> None:
    """Sizes as published; every node weighs 1 and every edge costs 1, so that the cut counts edges."""
    if not datasets.is_available("walshaw-crack-16"):
        pytest.skip(f"walshaw is not in {data_dir}")
    for name, n, m in (("crack", 10_240, 30_380), ("uk", 4_824, 6_837), ("data", 2_851, 15_093)):
        problem = datasets.load(f"walshaw-{name}-64").to_problem()
        assert (problem.n_units, problem.graph.n_edges, problem.n_grids) == (n, m, 64)
        assert set(problem.graph.cost.tolist()) == set(problem.workload[:, 0].tolist()) == {1}


def test_published_values_are_those_of_the_reference_file(data_dir: Path) -> None:
    """`reference_cuts.json` lies beside the graphs; contiguity was found by computing again."""
    path = data_dir / "graphs" / "walshaw" / "reference_cuts.json"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {data_dir}")
    reference = json.loads(path.read_text(encoding="utf-8"))
    for name in (name for name in datasets.names() if name.startswith("walshaw")):
        graph, k = name.removeprefix("walshaw-").rsplit("-", 1)
        known = datasets.published(name)
        assert known is not None
        assert known.value == reference[f"{graph}|{k}"]["cut"]
        assert known.contiguous == (known.pieces == int(k))
    assert datasets.published("plain-city-300-12") is None


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
