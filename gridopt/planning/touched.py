"""How many grids have to change at least, whatever the plan within the limits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.model import Problem
from gridopt.model.graph import components, first_places
from gridopt.planning.force import InForce

__all__ = ["least_touched"]

NODES = 200
"""Nodes of the search tree at most; the bound reached by then holds."""


def least_touched(problem: Problem, force: InForce, frozen: NDArray[np.int64] | None = None) -> int | None:
    """
    Number of grids that gain or lose a unit in every plan within the limits in which no grid gives up all its units.

    Parameters
    ----------
    problem : Problem
        Its rows are the grids of `force`.
    force : InForce
    frozen : ndarray of int64, optional
        Rows of grids that keep exactly their units.

    Returns
    -------
    int or None
        None where grids are opened or closed, or a unit has no grid in force; or no plan is within the limits.

    Notes
    -----
    Grids outside their limits and grids in pieces are touched. What a grid gives goes to grids that are touched too,
    over borders between two touched grids: workload is taken for a fluid, which leaves out no plan. The fewest grids
    are a mixed integer program, solved by HiGHS; see *Rebalancing* in the chapter on methods.

    Examples
    --------
    >>> import gridopt as go
    >>> from gridopt.planning.force import read_force
    >>> path = go.Graph.from_edges(6, [(i, i + 1) for i in range(5)])
    >>> today = go.build_problem(path, workload=[3, 2, 1, 1, 1, 1], n_grids=3, tolerance=0.2)
    >>> least_touched(today, read_force(today, [0, 0, 1, 1, 2, 2]))
    3
    """
    if len(force.opened) or len(force.closed) or (force.home < 0).any():
        return None
    k, home = problem.n_grids, force.home
    loads = np.zeros_like(problem.lo)
    np.add.at(loads, home, problem.workload)
    u, v = problem.graph.edges[:, 0], problem.graph.edges[:, 1]
    piece = components(problem.n_units, problem.graph.edges[home[u] == home[v]])
    pieces = np.bincount(home[first_places(piece, int(piece.max(initial=-1)) + 1)], minlength=k)
    bad = ((loads < problem.lo) | (loads > problem.hi)).any(axis=1) | (pieces > 1)
    bad[[] if frozen is None else frozen] = False
    if not bad.any():
        return 0
    inside = (home[u] != home[v]) & (problem.nesting.region[u] == problem.nesting.region[v])
    edges = np.unique(np.sort(home[problem.graph.edges[inside]], axis=1), axis=0).astype(np.int64)
    at_work = np.isin(problem.nesting.grid_region, problem.nesting.grid_region[bad])
    edges = edges[at_work[edges].all(axis=1)]
    return _fewest(problem, loads, edges, bad, np.empty(0, np.int64) if frozen is None else frozen)


def _fewest(
    problem: Problem,
    loads: NDArray[np.int64],
    edges: NDArray[np.int64],
    bad: NDArray[np.bool_],
    frozen: NDArray[np.int64],
) -> int | None:
    """
    Solve ``min sum t``: ``lo <= load + A (f - g) <= hi``, ``f + g <= M t`` at both ends of every border, `t` binary.

    One pair of flows, f one way and g the other, for each border and attribute. What mends limits and nothing more adds
    up to what is missed, which is M.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    k, m, n_attributes = problem.n_grids, len(edges), problem.n_attributes
    ones, at = np.ones(m), np.arange(m)
    ends = [sparse.csr_matrix((ones, (at, edges[:, i])), shape=(m, k)) for i in (0, 1)]
    into, both = (ends[1] - ends[0]).T, sparse.hstack([sparse.identity(m), sparse.identity(m)])
    loose, width = np.setdiff1d(np.arange(k), frozen), k + 2 * m * n_attributes
    rows: list[Any] = []
    for a in range(n_attributes):
        lack, room = (problem.lo - loads)[loose, a], (problem.hi - loads)[loose, a]
        most = int(np.maximum(0, lack).sum() + np.maximum(0, -room).sum())
        before, after = 2 * m * a, 2 * m * (n_attributes - a - 1)
        for end in ends:
            linked = [-most * end, sparse.csr_matrix((m, before)), both, sparse.csr_matrix((m, after))]
            rows.append(LinearConstraint(sparse.hstack(linked), -np.inf, 0))
        change = [sparse.csr_matrix((k, k + before)), into, -into, sparse.csr_matrix((k, after))]
        rows.append(LinearConstraint(sparse.hstack(change).tocsr()[loose], lack, room))
    low, high, is_touched = np.zeros(width), np.full(width, np.inf), np.arange(width) < k
    low[:k], high[:k] = bad, 1
    high[frozen] = 0
    found = milp(
        is_touched.astype(np.float64), integrality=is_touched, bounds=Bounds(low, high), constraints=rows,
        options={"node_limit": NODES, "presolve": False},
    )  # fmt: skip
    bound = found.mip_dual_bound
    return None if found.status == 2 or bound is None else int(np.ceil(float(bound) - 1e-6))
