"""Some parts laid out as a graph of up to 64 lumps: single nodes, and for each large part one lump of its inmost."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.bits import NONE, ONE
from gridopt._kernels.jit import helper, inlined, kernel

__all__ = ["MOST_LUMPS", "find_cores", "lay_out", "number_lumps", "price_in"]

MOST_LUMPS = 64


@inlined
def price_in(terms, u, p):
    """Price of node `u` for being in part `p`."""
    total = np.int64(0)
    if terms.unit_cost.shape[0] > 0:
        total += terms.unit_cost[u, p]
    if terms.home.shape[0] > 0 and terms.home[u] >= 0 and terms.home[u] != p:
        total += terms.away_cost[u]
    return total


@inlined
def is_in(parts, q, p):
    """Whether `p` is one of the first `q` parts."""
    found = False
    for i in range(q):
        found |= parts[i] == p
    return found


@kernel
def find_cores(csr, labels, sizes, parts, q, nodes, depth, core):
    """
    Mark in `core` the part of nodes that are to stay together, -1 where single, so that `MOST_LUMPS` lumps are left.

    The core of a part hangs together and lies as far as possible, in edges, from the other parts of the set.

    Parameters
    ----------
    nodes : int32 (nodes of the set,)
    depth, core : int32 (n,)
        Written at these nodes.
    """
    total = nodes.shape[0]
    queue = np.empty(total, np.int32)
    tail = 0
    for i in range(total):
        u = nodes[i]
        core[u], depth[u] = -1, -1
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            p = labels[csr.indices[e]]
            if depth[u] < 0 and p != labels[u] and is_in(parts, q, p):
                depth[u] = 0
                queue[tail] = u
                tail += 1
    head = 0
    while head < tail:
        u = queue[head]
        head += 1
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            v = csr.indices[e]
            if labels[v] == labels[u] and depth[v] < 0:
                depth[v] = depth[u] + 1
                queue[tail] = v
                tail += 1
    if tail < total:  # a part apart from the others
        return
    inside = np.empty(total, np.int32)
    for i in range(q):
        p = parts[i]
        wanted = sizes[p] - (MOST_LUMPS - q) * sizes[p] // total
        last = total - 1
        while labels[queue[last]] != p:
            last -= 1
        inside[0], count = queue[last], 1
        core[queue[last]] = p
        for level in range(depth[queue[last]], -1, -1):
            at = 0
            while at < count < wanted:
                u = inside[at]
                at += 1
                for e in range(csr.indptr[u], csr.indptr[u + 1]):
                    v = csr.indices[e]
                    if count < wanted and labels[v] == p and core[v] < 0 and depth[v] >= level:
                        core[v] = p
                        inside[count] = v
                        count += 1


@inlined
def take_lump(nodes, core, lump, u, number, queue, tail):
    """Number the lump of `u` and put its nodes at the end of the queue, `u` first; return the new end."""
    lump[u] = number
    queue[tail] = u
    tail += 1
    if core[u] >= 0:
        for i in range(nodes.shape[0]):
            v = nodes[i]
            if core[v] == core[u] and lump[v] < 0:
                lump[v] = number
                queue[tail] = v
                tail += 1
    return tail


@kernel
def number_lumps(csr, labels, parts, q, nodes, core, lump):
    """
    Number the lumps of a set breadth first, from the last one that a first tour reaches; return how many there are.

    0 where the set does not hang together.

    Parameters
    ----------
    nodes : int32 (nodes of the set,)
        Written: in the order of their lumps.
    core : int32 (n,)
        As `find_cores` writes it.
    lump : int32 (n,)
        Written at the nodes: their lumps.
    """
    total = nodes.shape[0]
    queue = np.empty(total, np.int32)
    root, count = nodes[0], 0
    for _ in range(2):
        for i in range(total):
            lump[nodes[i]] = -1
        count, head = 1, 0
        tail = take_lump(nodes, core, lump, root, 0, queue, 0)
        while head < tail:
            u = queue[head]
            head += 1
            for e in range(csr.indptr[u], csr.indptr[u + 1]):
                v = csr.indices[e]
                if is_in(parts, q, labels[v]) and lump[v] < 0:
                    tail = take_lump(nodes, core, lump, v, count, queue, tail)
                    count += 1
        if tail < total:
            return 0
        root = queue[tail - 1]
    for i in range(total):
        nodes[i] = queue[i]
    return count


@helper
def lay_out(csr, limits, terms, fixed, labels, parts, q, nodes, lump, desk, ends, weights):
    """
    Write the graph of lumps to the desk: neighbours, edges, loads, what is to be kept apart, and prices at state 0.

    Parameters
    ----------
    parts : int64 (q,)
    nodes, lump : int32 (nodes of the set,), int32 (n,)
        As `number_lumps` writes them.
    ends, weights : int64 (edges of the nodes,)
        Written.
    """
    edges, count = 0, 0
    for i in range(nodes.shape[0]):
        u = nodes[i]
        x = lump[u]
        if x == count:
            desk.first[x], desk.near[x, 0], desk.near[x, 1], desk.bound[x] = edges, NONE, NONE, -1
            for c in range(desk.load.shape[1]):
                desk.load[x, c] = 0
            for j in range(q):
                desk.price[0, x, j] = 0
            if terms.apart_indices.shape[0] > 0:
                desk.pairs[x] = 0
            count += 1
        for j in range(q):
            desk.price[0, x, j] += price_in(terms, u, parts[j])
            if fixed[u] == parts[j]:
                desk.bound[x] = j
        for c in range(desk.load.shape[1]):
            desk.load[x, c] += limits.workload[u, c]
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            v = csr.indices[e]
            if is_in(parts, q, labels[v]) and lump[v] != x:
                ends[edges], weights[edges] = lump[v], csr.weights[e]
                desk.near[x, 0] |= ONE << np.uint64(lump[v])
                edges += 1
        for e in range(terms.apart_indptr[u], terms.apart_indptr[u + 1]):
            v = terms.apart_indices[e]
            if is_in(parts, q, labels[v]) and lump[v] != x:
                desk.near[x, 1] |= ONE << np.uint64(lump[v])
                desk.pairs[x, lump[v]] += 1
    desk.first[count] = edges
