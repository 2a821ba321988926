"""Multilevel graph partitioners: METIS, KaHIP, KaMinPar, Mt-KaHyPar. All take k and one upper limit."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.peers.part import Part

__all__ = ["kahip", "kaminpar", "metis", "mtkahypar"]

Solve = Callable[[int, float], NDArray[Any]]


def metis(part: Part) -> Solve:
    """METIS 5 k-way: contiguous, tolerance in thousandths. Recursive bisection overfills 400 parts by 18 %."""
    import pymetis

    adjacency = pymetis.CSRAdjacency(part.indptr, part.indices)

    def solve(seed: int, seconds: float) -> NDArray[Any]:
        options = pymetis.Options(contig=True, ufactor=max(1, round(part.tolerance * 1000)), seed=seed)
        found = pymetis.part_graph(
            part.k,
            adjacency=adjacency,
            vweights=part.workload,
            eweights=part.weights,
            options=options,
            recursive=False,
        )
        return np.asarray(found[1])

    return solve


def kahip(part: Part, mode: str) -> Solve:
    """KaHIP's kaffpa; it knows no contiguity."""
    import kahip as package

    workload, indptr, weights, indices = (
        array.tolist() for array in (part.workload, part.indptr, part.weights, part.indices)
    )
    level = getattr(package, mode)

    def solve(seed: int, seconds: float) -> NDArray[Any]:
        found = package.kaffpa(workload, indptr, weights, indices, part.k, part.tolerance, True, seed, level)
        return np.asarray(found[1])

    return solve


def kaminpar(part: Part, context: str) -> Solve:
    """KaMinPar, which reads graphs from files alone; a heavy unit widens its upper limit."""
    import kaminpar as package

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part.graph"
        path.write_text(_metis_text(part), encoding="ascii")
        graph = package.load_graph(str(path), package.GraphFileFormat.METIS)

    def solve(seed: int, seconds: float) -> NDArray[Any]:
        package.reseed(seed)
        solver = package.KaMinPar(1, package.context_by_name(context))
        return np.asarray(solver.compute_partition(graph, part.k, part.tolerance))

    return solve


def mtkahypar(part: Part, preset: str) -> Solve:
    """Mt-KaHyPar for graphs, one thread."""
    import mtkahypar as package

    start = _mtkahypar_threads()
    context = start.context_from_preset(package.PresetType.__members__[preset])
    context.set_partitioning_parameters(part.k, part.tolerance, package.Objective.CUT)
    context.logging = False
    pairs, weights = part.edges()
    edges = list(map(tuple, pairs.tolist()))
    graph = start.create_graph(context, part.n, len(edges), edges, part.workload.tolist(), weights.tolist())

    def solve(seed: int, seconds: float) -> NDArray[Any]:
        package.set_seed(seed)
        return np.asarray(graph.partition(context).get_partition())

    return solve


@cache
def _mtkahypar_threads() -> Any:
    """Its threads are started once in a process."""
    import mtkahypar as package

    return package.initialize(1)


def _metis_text(part: Part) -> str:
    """METIS graph format with unit and edge weights, counted from 1."""
    pairs = np.column_stack([part.indices.astype(np.int64) + 1, part.weights]).ravel().tolist()
    start = (2 * part.indptr.astype(np.int64)).tolist()
    lines = [f"{part.n} {len(part.indices) // 2} 11"]
    lines += [
        f"{load} " + " ".join(map(str, pairs[a:b])) for load, a, b in zip(part.workload.tolist(), start, start[1:])
    ]
    return "\n".join(lines) + "\n"
