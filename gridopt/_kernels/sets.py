"""Sets of parts that are changed side by side: what each of them is worth."""

from __future__ import annotations

from gridopt._kernels.jit import kernel
from gridopt._kernels.moves import part_price, part_violation

__all__ = ["weigh_sets"]


@kernel
def weigh_sets(csr, limits, terms, board, groups, n_sets, home, weight, out):
    """
    Write violation, weight away from home, and cost of each group of parts. O(edges of the groups).

    Parameters
    ----------
    csr, limits, terms, board, groups : Csr, Limits, Terms, Board, Groups
        Prices of leaving home in `terms` do not count.
    n_sets : int
    home : int32 (n,)
        Part each node comes from, or -1.
    weight : int64 (n,)
        What counts when a node is not at home.
    out : int64 (n_sets, 3)
        Written: violation in millionths, weight of the nodes away, cost. Edges count where both ends lie in the group:
        others are cut whatever becomes of it.
    """
    for g in range(n_sets):
        violation, away, cost = 0, 0, 0
        for i in range(groups.chunk[g], groups.chunk[g + 1]):
            p = groups.order[i]
            violation += part_violation(limits.lo, limits.hi, limits.target, board.loads, p)
            cost += part_price(
                limits.target, terms.prices, board.loads, board.moments, limits.workload, terms.inertia, p, 0, 0
            )
            for j in range(groups.first[p], groups.first[p + 1]):
                u = groups.members[j]
                for e in range(csr.indptr[u], csr.indptr[u + 1]):
                    v = csr.indices[e]
                    q = board.labels[v]
                    if v > u and q != p and groups.group_of[q] == g:
                        cost += csr.weights[e]
                for e in range(terms.apart_indptr[u], terms.apart_indptr[u + 1]):
                    v = terms.apart_indices[e]
                    if v > u and board.labels[v] == p:
                        violation += 1_000_000
                if terms.unit_cost.shape[0] > 0:
                    cost += terms.unit_cost[u, p]
                if home[u] >= 0 and home[u] != p:
                    away += weight[u]
        out[g, 0], out[g, 1], out[g, 2] = violation, away, cost
