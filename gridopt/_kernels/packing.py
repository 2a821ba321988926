"""Packing: trees too heavy for one part, laid over the edges as densely as their prices allow; lightest forests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.jit import helper, kernel

__all__ = ["Nearby", "Web", "forest", "number_edges", "pack"]


class Web(NamedTuple):
    """A symmetric graph whose half edges know their edge: prices, what of them is taken, and lengths by edge."""

    indptr: NDArray[np.int64]  # (n + 1,)
    indices: NDArray[np.int64]  # (2 m,)
    edge: NDArray[np.int32]  # (2 m,)
    price: NDArray[np.float64]  # (m,) above 0; edges of other prices are never walked
    taken: NDArray[np.float64]  # (m,)
    length: NDArray[np.float64]  # (m,)


class Nearby(NamedTuple):
    """Scratch of one shortest-path search: all (n,) but the heap."""

    far: NDArray[np.float64]  # distance from the root
    parent: NDArray[np.int32]
    up: NDArray[np.int32]  # edge to the parent
    mark: NDArray[np.int64]  # 2 stamp where seen, 2 stamp + 1 where settled
    order: NDArray[np.int32]  # settled nodes, the nearest first
    below: NDArray[np.int64]
    keys: NDArray[np.float64]  # (heap,)
    nodes: NDArray[np.int32]  # (heap,)


@kernel
def number_edges(indptr, indices, edge, cursor):
    """
    Number the edges of a symmetric graph with ascending neighbours, so that both halves of an edge know its number.

    Writes `edge` int32 (2 m,); `cursor` int64 (n,) is scratch, zeros. Edges come in the order of their smaller end.
    """
    count = 0
    for u in range(indptr.shape[0] - 1):
        for h in range(indptr[u], indptr[u + 1]):
            v = indices[h]
            if v > u:
                edge[h] = count
                edge[indptr[v] + cursor[v]] = count
                cursor[v] += 1
                count += 1
    return count


@helper
def push(near, size, key, node):
    """Put a node into a heap of `size` entries, least key first."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if near.keys[above] <= key:
            break
        near.keys[at] = near.keys[above]
        near.nodes[at] = near.nodes[above]
        at = above
    near.keys[at] = key
    near.nodes[at] = node


@helper
def drop_first(near, size):
    """Take the first entry off a heap; `size` is what is left."""
    key, node = near.keys[size], near.nodes[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and near.keys[child + 1] < near.keys[child]:
            child += 1
        if near.keys[child] >= key:
            break
        near.keys[at] = near.keys[child]
        near.nodes[at] = near.nodes[child]
        at = child
    near.keys[at] = key
    near.nodes[at] = node


@helper
def reach(web, near, load, root, room, stamp):
    """
    Settle nodes by distance from `root` while one more makes ``sum load far / (sum load - room)`` smaller.

    Returns how many were settled, and their load. Dijkstra (1959) with a heap; it ends early where the heap is full.
    """
    near.far[root] = 0.0
    near.mark[root] = 2 * stamp
    near.keys[0], near.nodes[0] = 0.0, root
    size, count, total, moment = 1, 0, 0, 0.0
    while size > 0:
        key, u = near.keys[0], near.nodes[0]
        size -= 1
        drop_first(near, size)
        if near.mark[u] == 2 * stamp + 1:
            continue
        if total > room and key * (total - room) >= moment:
            break
        near.mark[u] = 2 * stamp + 1
        near.order[count] = u
        count += 1
        total += load[u]
        moment += key * load[u]
        for h in range(web.indptr[u], web.indptr[u + 1]):
            v, e = web.indices[h], web.edge[h]
            if near.mark[v] == 2 * stamp + 1 or web.price[e] <= 0.0:
                continue
            far = key + web.length[e]
            if near.mark[v] != 2 * stamp or far < near.far[v]:
                if size == near.keys.shape[0]:
                    return count, total
                near.mark[v] = 2 * stamp
                near.far[v] = far
                near.parent[v] = u
                near.up[v] = e
                push(near, size, far, v)
                size += 1
    return count, total


@kernel
def pack(web, near, load, room, group, gain, first, stride, most, part, power):
    """
    Grow trees from many roots in turn; take of their edges what is left of the prices; add up what that proves.

    A part that holds the root of a tree leaves out a load of at least ``spare = total - room`` of it. Each node left
    out has a cut edge on its way to the root, so ``sum over cut edges of min(spare, load below) >= spare``. Trees that
    share the prices of the edges therefore prove a cut of ``sum weight spare``.

    Parameters
    ----------
    web : Web
        `taken` and `length` are written.
    near : Nearby
        Scratch; `mark` below ``2 first``.
    load, room : int64 (n,)
        Load of each node; greatest load of a part that holds it, -1 where no tree is to begin.
    group : int32 (n,), gain : float64 (groups,)
        What trees prove is added to the group of their root.
    first, stride : int
        Tree ``i`` has the root ``i stride mod n``; the first is number `first`, at least 1.
    most : int
        Ends after so many nodes were settled, or when each node was a root.
    part, power : float
        Share of what is left that a tree takes; how steeply lengths grow with what is taken.

    Returns
    -------
    (trees, nodes) : int
        Roots looked at, nodes settled.
    """
    n = load.shape[0]
    work = i = 0
    while work < most and i < n:
        stamp = first + i
        root = stamp * stride % n
        i += 1
        if room[root] < 0:
            continue
        count, total = reach(web, near, load, root, room[root], stamp)
        work += 1 + count
        spare = total - room[root]
        if spare <= 0:
            continue
        for j in range(count):
            near.below[near.order[j]] = load[near.order[j]]
        weight = np.inf
        for j in range(count - 1, 0, -1):
            v = near.order[j]
            near.below[near.parent[v]] += near.below[v]
            if near.below[v] > 0:
                e = near.up[v]
                weight = min(weight, (web.price[e] - web.taken[e]) / min(spare, near.below[v]))
        if not 0.0 < weight < np.inf:
            continue
        weight *= part
        gain[group[root]] += weight * spare
        for j in range(1, count):
            v = near.order[j]
            if near.below[v] > 0:
                e = near.up[v]
                web.taken[e] += weight * min(spare, near.below[v])
                web.length[e] = np.exp(power * web.taken[e] / web.price[e]) / web.price[e]
    return i, work


@kernel
def forest(order, u, v, price, group, wanted, root, total):
    """
    Lightest forest of each group that has its wanted number of edges (Kruskal 1956); free edges all count.

    Parameters
    ----------
    order : int64 (m,)
        Edges, the lightest first; of equal ones any order.
    u, v : int32 (m,), price : int64 (m,), group : int32 (n,)
    wanted : int64 (groups,)
        Edges still wanted; written.
    root : int64 (n,)
        Scratch: the numbers of the nodes themselves; nodes joined already may share one.
    total : int64 (groups,)
        Written: prices of the edges taken are added.
    """
    for i in range(order.shape[0]):
        e = order[i]
        g = group[u[e]]
        if wanted[g] <= 0:
            continue
        a, b = u[e], v[e]
        while root[a] != a:
            root[a] = root[root[a]]
            a = root[a]
        while root[b] != b:
            root[b] = root[root[b]]
            b = root[b]
        if a == b:
            continue
        root[max(a, b)] = min(a, b)
        total[g] += price[e]
        wanted[g] -= 1
