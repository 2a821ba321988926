"""Necks: nodes that cut a graph, and what hangs on them."""

from __future__ import annotations

from gridopt._kernels.jit import kernel

__all__ = ["low_points"]


@kernel
def low_points(indptr, indices, enter, last, low, parent, order, at):
    """
    Search each component depth first; number the nodes and find their low points (Hopcroft & Tarjan 1973). O(n + m).

    Parameters
    ----------
    indptr, indices : int64 (n + 1,), int32 (2 m,)
        Symmetric CSR.
    enter : int64 (n,)
        -1; written: when each node was entered, from 0.
    last : int64 (n,)
        Written: ``u`` and the nodes below it are ``order[enter[u]:last[u]]``.
    low : int64 (n,)
        Written: the earliest node reached from below by one edge.
    parent, order : int32 (n,)
        Written: the node each was entered from, -1 for roots; the nodes as they were entered.
    at : int64 (n,)
        Scratch.

    Notes
    -----
    What lies below ``u`` hangs on its parent ``p`` where ``low[u] >= enter[p]``, and `p` is no root or has other
    children.
    """
    n = enter.shape[0]
    clock = 0
    for root in range(n):
        if enter[root] >= 0:
            continue
        parent[root] = -1
        u = root
        enter[u] = low[u] = clock
        order[clock] = u
        at[u] = indptr[u]
        clock += 1
        while u >= 0:
            if at[u] < indptr[u + 1]:
                v = indices[at[u]]
                at[u] += 1
                if enter[v] < 0:
                    parent[v] = u
                    enter[v] = low[v] = clock
                    order[clock] = v
                    at[v] = indptr[v]
                    clock += 1
                    u = v
                elif v != parent[u] and enter[v] < low[u]:
                    low[u] = enter[v]
            else:
                last[u] = clock
                p = parent[u]
                if p >= 0 and low[u] < low[p]:
                    low[p] = low[u]
                u = p
