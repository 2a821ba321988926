"""Packages for districting and regions: GerryChain and spopt. Both keep contiguity by themselves; both are Python."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.quality.peers.part import Part

__all__ = ["gerrychain", "spopt"]

Solve = Callable[[int, float], NDArray[Any]]
BURST = 10
"""ReCom steps from the best plan before it is taken up again."""
SLICE = 0.1
"""Share of the seconds that one call spends on bursts: the budget then holds the seed and about ten slices."""


def gerrychain(part: Part) -> Solve:
    """
    GerryChain: a plan by recursive spanning-tree cuts, then short bursts of ReCom that lower the cut within the band.

    One chain: the first call draws the plan, each later one goes on from the best.
    """
    import networkx as nx
    from gerrychain import Graph, Partition
    from gerrychain.constraints import within_percent_of_ideal_population
    from gerrychain.optimization import SingleMetricOptimizer
    from gerrychain.proposals import build_recom_proposal_fn
    from gerrychain.tree import bipartition_tree
    from gerrychain.updaters import Tally

    pairs, weights = part.edges()
    raw: nx.Graph[int] = nx.Graph()
    raw.add_nodes_from((unit, {"load": load}) for unit, load in enumerate(part.workload.tolist()))
    raw.add_edges_from(pairs.tolist())
    graph = Graph.from_networkx(raw)
    price = dict(zip(map(tuple, pairs.tolist()), weights.tolist()))
    price.update({(v, u): cost for (u, v), cost in price.items()})
    epsilon = min(part.tolerance, part.under)
    split = partial(bipartition_tree, max_attempts=100, allow_pair_reselection=True)
    propose = build_recom_proposal_fn("load", part.workload.sum() / part.k, epsilon, bipartition_tree_fn=split)
    updaters: dict[str, Callable[[Partition], Any]] = {
        "load": Tally("load", alias="load"),
        "cut": lambda plan: sum(price[edge] for edge in plan["cut_edges"]),
    }
    chain: list[Any] = []

    def solve(seed: int, seconds: float) -> NDArray[Any]:
        until = time.perf_counter() + SLICE * seconds
        rng = random.Random(seed)
        if not chain:
            chain.append(Partition.from_random_assignment(graph, part.k, epsilon, "load", updaters, rng=rng))
        limits = [within_percent_of_ideal_population(chain[0], epsilon, "load")]
        search = SingleMetricOptimizer(propose, limits, chain[0], lambda plan: plan["cut"], maximize=False, rng=rng)
        for _ in search.short_bursts(BURST, num_bursts=10**9):
            if time.perf_counter() > until:
                break
        chain[0] = search.best_part
        found = chain[0].assignment.mapping
        return np.array([found[unit] for unit in range(part.n)])

    return solve


def spopt(part: Part) -> Solve:
    """
    spopt's AZP (Openshaw and Rao 1995): its only method that takes k, keeps contiguity and takes an objective.

    Max-p takes a lower limit but no k, SKATER and Ward take k but no workload, region-k-means neither workload nor cut,
    random regions only numbers of units. AZP is given this task's objective, with the change of each move in O(n).
    """
    from spopt.region.azp import AZPOrig
    from spopt.region.objective_function import ObjectiveFunction

    n, k = part.n, part.k
    adjacency = sparse.csr_matrix((np.ones(len(part.indices)), part.indices, part.indptr), shape=(n, n))
    row = np.repeat(np.arange(n), np.diff(part.indptr))
    dear = 1000.0 * float(part.weights.max()) * k / float(part.workload.sum())

    def miss(load: Any) -> Any:
        return dear * (np.maximum(load - part.hi, 0) + np.maximum(part.lo - load, 0))

    class Objective(ObjectiveFunction):  # type: ignore[misc]
        """Distance from the band at a price no cut reaches, then the cut."""

        def __init__(self) -> None:
            pass

        def __call__(self, labels: Any, attr: Any) -> float:
            where = np.asarray(labels).astype(np.int64)
            cut = part.weights[where[row] != where[part.indices]].sum() / 2
            return float(miss(np.bincount(where, part.workload, k)).sum() + cut)

        def update(self, moving_area: int, recipient_region: Any, labels: Any, attr: Any) -> float:
            donor, load = labels[moving_area], part.workload[moving_area]
            before = [part.workload[labels == region].sum() for region in (donor, recipient_region)]
            balance = miss(before[0] - load) + miss(before[1] + load) - miss(before[0]) - miss(before[1])
            around = slice(part.indptr[moving_area], part.indptr[moving_area + 1])
            beside, cost = labels[part.indices[around]], part.weights[around]
            return float(balance + cost[beside == donor].sum() - cost[beside == recipient_region].sum())

    def solve(seed: int, seconds: float) -> NDArray[Any]:
        method = AZPOrig(random_state=seed)
        method.fit_from_scipy_sparse_matrix(adjacency, part.workload[:, None], k, objective_func=Objective())
        return np.unique(method.labels_, return_inverse=True)[1]

    return solve
