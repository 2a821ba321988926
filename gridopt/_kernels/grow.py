"""Growth: parts that have a core take neighbouring free nodes, the lightest part first."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.jit import helper, kernel

__all__ = ["grow"]


@helper
def sift_down(heap, keys, size, at):
    """Move the part at position `at` of a heap of `size` parts, least key first, down to where it belongs."""
    item = heap[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and keys[heap[child + 1]] < keys[heap[child]]:
            child += 1
        if keys[heap[child]] >= keys[item]:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = item


@helper
def push_around(csr, labels, u, part, heads, tails, nodes, following, used):
    """Append the free neighbours of `u` to the waiting line of `part`; return how many entries are used."""
    for e in range(csr.indptr[u], csr.indptr[u + 1]):
        v = csr.indices[e]
        if labels[v] >= 0:
            continue
        nodes[used] = v
        following[used] = -1
        if tails[part] < 0:
            heads[part] = used
        else:
            following[tails[part]] = used
        tails[part] = used
        used += 1
    return used


@kernel
def grow(csr, mass, share, labels, heads, tails, heap, keys, nodes, following):
    """
    Give every free node that some part can reach to a part, so that each part stays connected. O((n + m) log k).

    Parameters
    ----------
    mass : float64 (n,), share : float64 (k,)
        Load of each node as one number, and what each part should have.
    labels : int32 (n,)
        Part of each node, -1 where free. Written in place.
    heads, tails : int64 (k,), heap : int64 (k,), keys : float64 (k,)
        Scratch.
    nodes, following : int64 (2 m,)
        Scratch: the waiting lines.

    Returns
    -------
    int
        Number of nodes left free: those no part can reach.
    """
    n, k = labels.shape[0], share.shape[0]
    for p in range(k):
        keys[p] = 0.0
        heads[p] = -1
        tails[p] = -1
    none = np.int64(0)  # a literal 0 would compile the helpers once more
    used, free = none, none
    for u in range(n):
        if labels[u] >= 0:
            keys[labels[u]] += mass[u] / share[labels[u]]
        else:
            free += 1
    for u in range(n):
        if labels[u] >= 0:
            used = push_around(csr, labels, u, np.int64(labels[u]), heads, tails, nodes, following, used)
    size = none
    for p in range(k):
        if heads[p] >= 0:
            heap[size] = p
            size += 1
    for at in range(size // 2, -1, -1):
        if at < size:
            sift_down(heap, keys, size, at)
    while size > 0 and free > 0:
        p = heap[0]
        entry = heads[p]
        while entry >= 0 and labels[nodes[entry]] >= 0:
            entry = following[entry]
        if entry < 0:
            size -= 1
            heap[0] = heap[size]
        else:
            u = nodes[entry]
            heads[p] = following[entry]
            if heads[p] < 0:
                tails[p] = -1
            labels[u] = p
            free -= 1
            keys[p] += mass[u] / share[p]
            used = push_around(csr, labels, u, p, heads, tails, nodes, following, used)
        if size > 0:
            sift_down(heap, keys, size, none)
    return free
