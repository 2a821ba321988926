"""Clustering: nodes that belong together become one node of a coarser graph, each cluster connected."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.graph import draw
from gridopt._kernels.jit import kernel

__all__ = ["cluster_nodes"]


@kernel
def cluster_nodes(csr, load, most_load, most_nodes, kind, order, cluster, mass, count, seed):
    """
    Let each node that is alone join the neighbouring cluster it is tied to best, in random order. O(m).

    The tie is the weight of an edge over the load of the cluster, so that light clusters grow first.

    Parameters
    ----------
    csr : Csr
    load : float64 (n,), most_load : float
        Load of each node as one number, and what a cluster may hold.
    most_nodes : int
        Nodes of a cluster at most.
    kind : int32 (n,)
        Only nodes of one kind are joined; those of a negative kind stay alone.
    order : int32 (n,)
        Scratch.
    cluster : int32 (n,)
        Written: the cluster of each node, numbered by first node.
    mass : float64 (n,), count : int32 (n,)
        Written, at the first node of each cluster while joining: its load and its number of nodes.
    seed : uint64

    Returns
    -------
    int
        Number of clusters.
    """
    n = load.shape[0]
    for u in range(n):
        order[u] = u
        cluster[u] = u
        mass[u] = load[u]
        count[u] = 1
    state = seed
    for i in range(n - 1, 0, -1):
        state, bits = draw(state)
        j = np.int64(bits % np.uint64(i + 1))
        order[i], order[j] = order[j], order[i]
    for i in range(n):
        u = order[i]
        if kind[u] < 0 or cluster[u] != u or count[u] > 1:
            continue
        best, best_tie = -1, 0.0
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            v = csr.indices[e]
            c = cluster[v]
            if kind[v] != kind[u] or count[c] >= most_nodes or mass[c] + load[u] > most_load:
                continue
            tie = csr.weights[e] / (mass[c] + load[u] + 1e-9)
            if tie > best_tie:
                best, best_tie = c, tie
        if best >= 0:
            cluster[u] = best
            mass[best] += load[u]
            count[best] += 1
    found = 0
    for u in range(n):
        order[u] = -1
    for u in range(n):
        c = cluster[u]
        if order[c] < 0:
            order[c] = found
            found += 1
        count[u] = order[c]
    for u in range(n):
        cluster[u] = count[u]
    return found
