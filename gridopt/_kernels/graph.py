"""Graph kernels: the `Csr` bundle, pieces of parts, and the order in which parts are visited."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.jit import kernel

__all__ = ["Csr", "draw", "group_parts", "label_pieces"]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
S27, S30, S31, S33 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(33)


class Csr(NamedTuple):
    """A symmetric graph: neighbours of ``u`` are ``indices[indptr[u]:indptr[u + 1]]``, along edges of `weights`."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    weights: NDArray[np.int64]


@kernel
def draw(state):
    """Advance a splitmix64 `state` (uint64); return the new state and 64 random bits (Steele et al., OOPSLA 2014)."""
    state = state + GOLDEN
    z = state
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return state, z ^ (z >> S31)


@kernel
def label_pieces(csr, labels, comp, queue):
    """
    Number the connected pieces of equally labelled nodes; return how many there are.

    Pieces are numbered by their smallest node. Writes `comp` int32 (n,); `queue` int32 (n,) is scratch. O(n + m).
    """
    n = labels.shape[0]
    count = 0
    for u in range(n):
        comp[u] = -1
    for root in range(n):
        if comp[root] >= 0:
            continue
        comp[root] = count
        queue[0] = root
        head, tail = 0, 1
        while head < tail:
            u = queue[head]
            head += 1
            for e in range(csr.indptr[u], csr.indptr[u + 1]):
                v = csr.indices[e]
                if comp[v] < 0 and labels[v] == labels[root]:
                    comp[v] = count
                    queue[tail] = v
                    tail += 1
        count += 1
    return count


@kernel
def group_parts(csr, labels, sizes, n_groups, start, members, first, order, group_of, group_first, edge_first, chunk):
    """
    Put parts into `n_groups` groups of about equally many nodes: a breadth-first tour of the parts, cut into chunks.

    Parameters
    ----------
    csr : Csr
    labels : int32 (n,), sizes : int64 (k,)
    start : int
        Part the tour starts from; another start gives other groups.
    members, first : int32 (n,), int64 (k + 1,)
        Written: nodes of part ``p`` are ``members[first[p]:first[p + 1]]``, ascending.
    order : int32 (k,)
        Written: the tour.
    group_of : int32 (k,), group_first, edge_first : int64 (n_groups + 1,)
        Written: the group of each part, and how many nodes, and half-edges of nodes, lie in earlier groups.
    chunk : int64 (n_groups + 1,)
        Written: the parts of group ``g`` are ``order[chunk[g]:chunk[g + 1]]``.
    """
    n, k = labels.shape[0], sizes.shape[0]
    total = 0
    for p in range(k):
        first[p] = total
        total += sizes[p]
        group_of[p] = -1
    first[k] = total
    for u in range(n):
        members[first[labels[u]]] = u
        first[labels[u]] += 1
    for p in range(k, 0, -1):
        first[p] = first[p - 1]
    first[0] = 0
    head, tail, next_root = 0, 1, 0
    order[0] = start
    group_of[start] = 0
    while True:
        while head < tail:
            p = order[head]
            head += 1
            for i in range(first[p], first[p + 1]):
                u = members[i]
                for e in range(csr.indptr[u], csr.indptr[u + 1]):
                    q = labels[csr.indices[e]]
                    if group_of[q] < 0:
                        group_of[q] = 0
                        order[tail] = q
                        tail += 1
        while next_root < k and group_of[next_root] >= 0:
            next_root += 1
        if next_root == k:
            break
        group_of[next_root] = 0
        order[tail] = next_root
        tail += 1
    group, nodes, edges = 0, 0, 0
    group_first[0] = 0
    edge_first[0] = 0
    chunk[0] = 0
    for i in range(k):
        p = order[i]
        if group + 1 < n_groups and nodes * n_groups >= (group + 1) * n and nodes > group_first[group]:
            group += 1
            group_first[group] = nodes
            edge_first[group] = edges
            chunk[group] = i
        group_of[p] = group
        nodes += sizes[p]
        for j in range(first[p], first[p + 1]):
            edges += csr.indptr[members[j] + 1] - csr.indptr[members[j]]
    for g in range(group + 1, n_groups + 1):
        group_first[g] = nodes
        edge_first[g] = edges
        chunk[g] = k
