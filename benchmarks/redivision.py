"""
What dividing parts of a good plan anew gains: ``python -m benchmarks.redivision [--tiny] [--seconds S] [--sets N]``.

A plan is searched for without the last search, then pairs and triples of adjacent grids drawn at random are divided
anew by each way, from the same plan: branch and bound over all divisions (`redivide`), CP-SAT with the exact model,
spanning trees (the best of many), annealing of the set. Rows: instance, parts of a set, way, sets, how many got better
and were proved best, what all together gained as a share of the cut within them, processor time for each.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._setting import point_kernel_cache

SEED, TREES, STEPS_PER_NODE = 1, 200, 400
Way = Callable[[Any, NDArray[np.int32]], tuple[int, int, bool]]
"""Piece and labels to violation, cost, and whether these are proved best."""


def cut_out(piece: Any, labels: NDArray[np.int32], parts: list[int]) -> tuple[Any, NDArray[np.int32]]:
    """Some parts of a plain piece as a piece of their own, and its labels."""
    from gridopt.solvers.construct.members import Members

    members = Members(piece, labels)
    nodes = np.sort(np.concatenate([members.nodes[p] for p in parts]))
    graph, n = members.graph(nodes), len(nodes)
    own = replace(
        piece,
        indptr=np.asarray(graph.indptr), indices=graph.indices, weights=graph.weights, workload=piece.workload[nodes],
        lo=piece.lo[parts], hi=piece.hi[parts], target=piece.target[parts], fixed=piece.fixed[nodes],
        apart_indptr=np.zeros(n + 1, np.int64), apart_indices=np.empty(0, np.int32), home=np.full(n, -1, np.int32),
        away_cost=np.zeros(n, np.int64), xy=None, spread=None, moment=None,
    )  # fmt: skip
    return own, np.searchsorted(np.sort(parts), labels[nodes]).astype(np.int32)


def by_branch_and_bound(states: int) -> Way:
    """Look at so many states at most."""
    from gridopt.solvers.budget import Budget
    from gridopt.solvers.refine.annealing import Best
    from gridopt.solvers.refine.redivision import STEPS_PER_STATE, Redivision
    from gridopt.solvers.table import Table

    def run(piece: Any, labels: NDArray[np.int32]) -> tuple[int, int, bool]:
        table, k = Table(piece, labels), piece.n_parts
        best, clock = Best(np.array(labels), *table.price()), Budget().start()
        Redivision(sizes=(k,), states=(states,), few_nodes=10**6)(table, clock, SEED, best)
        return best.violation, best.cost, clock.steps < STEPS_PER_STATE * states and piece.n_nodes <= 64

    return run


def by_cpsat(seconds: float) -> Way:
    """The exact model, for so many seconds at most."""
    from gridopt.solvers.exact import prove_piece

    def run(piece: Any, labels: NDArray[np.int32]) -> tuple[int, int, bool]:
        proof = prove_piece(piece, start=labels, seconds=seconds)
        found = labels if proof.labels is None else proof.labels
        return (*_price(piece, found), proof.status == "optimal")

    return run


def by_trees(piece: Any, labels: NDArray[np.int32]) -> tuple[int, int, bool]:
    """The best of many divisions along spanning trees."""
    from gridopt.solvers.construct.members import Members

    members, parts, nodes = Members(piece, labels), list(range(piece.n_parts)), np.arange(piece.n_nodes)
    graph = members.graph(nodes)
    best = _price(piece, labels)
    for seed in range(TREES):
        best = min(best, _price(piece, members.divide(parts, nodes, graph, seed, tries=1)))
    return (*best, False)


def by_annealing(piece: Any, labels: NDArray[np.int32]) -> tuple[int, int, bool]:
    """The search of small pieces, from the plan at hand."""
    from gridopt.solvers.budget import Budget
    from gridopt.solvers.refine.annealing import Best
    from gridopt.solvers.refine.restarts import Restarts
    from gridopt.solvers.table import Table

    table = Table(piece, labels)
    best = Best(np.array(labels), *table.price())
    Restarts(steps_per_node=STEPS_PER_NODE)(
        piece, table, Budget(steps=STEPS_PER_NODE * piece.n_nodes).start(), SEED, best, True
    )
    return best.violation, best.cost, False


def _price(piece: Any, labels: NDArray[np.int32]) -> tuple[int, int]:
    from gridopt.solvers.table import Table

    return Table(piece, labels).price()


def plan_of(name: str, steps_per_unit: int) -> tuple[Any, NDArray[np.int32]]:
    """The largest piece of an instance, and a plan of it without the last search."""
    from gridopt.solvers.budget import Budget
    from gridopt.solvers.decompose.regions import decompose
    from gridopt.solvers.pieces import Effort, solve_piece
    from gridopt.solvers.refine.redivision import Redivision
    from gridopt.workflow import datasets

    regions = decompose(datasets.load(name).to_problem())
    piece = regions.piece(int(max(regions.searched, key=lambda r: regions.first_node[r + 1] - regions.first_node[r])))
    effort = Effort(redivision=Redivision(sizes=(), states=()))
    found = solve_piece(piece, Budget(steps=steps_per_unit * piece.n_nodes), SEED, effort)
    assert found.labels is not None
    return piece, found.labels


def rows_of(name: str, steps_per_unit: int, n_sets: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Compare the ways on one instance."""
    from gridopt.solvers.refine.redivision import adjacent_sets
    from gridopt.solvers.table import Table

    piece, labels = plan_of(name, steps_per_unit)
    ways: dict[str, Way] = {
        "branch and bound, 1,000 states": by_branch_and_bound(1000),
        "branch and bound, 100,000 states": by_branch_and_bound(100_000),
        f"CP-SAT, {seconds:g} s": by_cpsat(seconds),
        f"{TREES} spanning trees": by_trees,
        "annealing": by_annealing,
    }
    for size in (2, 3):
        sets = adjacent_sets(Table(piece, labels), size)[:, :size]
        chosen = np.random.default_rng(SEED).permutation(len(sets))[:n_sets]
        cases = [cut_out(piece, labels, sets[i].tolist()) for i in chosen.tolist()]
        start = [_price(*case) for case in cases]
        for way, run in ways.items():
            run(*cases[0])  # warm
            began = time.process_time()
            found = [run(*case) for case in cases]
            spent = time.process_time() - began
            gains = [b - a if v <= w else 0 for (v, a, _), (w, b) in zip(found, start, strict=True)]
            yield {
                "instance": name,
                "parts": size,
                "way": way,
                "sets": len(cases),
                "better": sum(f[:2] < s for f, s in zip(found, start, strict=True)),
                "proved": sum(f[2] for f in found),
                "violation": f"{sum(s[0] for s in start)} -> {sum(f[0] for f in found)}",
                "gain_percent": round(100 * sum(gains) / max(1, sum(s[1] for s in start)), 2),
                "ms_each": round(1000 * spent / max(1, len(cases)), 2),
            }


def main() -> None:
    """Write rows as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("--tiny", action="store_true", help="one small instance, for the tests")
    parser.add_argument("--seconds", type=float, default=5.0, help="for CP-SAT, each set")
    parser.add_argument("--sets", type=int, default=40, help="pairs, and triples, of each instance")
    parser.add_argument("--steps-per-unit", type=int, default=1000, help="of the plan")
    args = parser.parse_args()
    point_kernel_cache()
    names = ["city-300-12"] if args.tiny else ["plain-city-10000-400", "taiwan-24521-2392", "lattice-40x40-20"]
    writer = None
    for name in names:
        steps, sets = (50, 3) if args.tiny else (args.steps_per_unit, args.sets)
        for row in rows_of(name, steps, sets, 0.5 if args.tiny else args.seconds):
            if writer is None:
                writer = csv.DictWriter(sys.stdout, list(row))
                writer.writeheader()
            writer.writerow(row)
            sys.stdout.flush()


if __name__ == "__main__":
    main()
