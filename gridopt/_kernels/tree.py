"""Construction by spanning-tree cuts: connected sets are halved along tree edges until each is one part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.graph import draw
from gridopt._kernels.jit import helper, kernel

__all__ = ["Splitting", "split"]

S32 = np.uint64(32)


class Splitting(NamedTuple):
    """Room for `split`: nodes by set and the inverse, then scratch; each of length n, `parent` filled with -1."""

    order: NDArray[np.int32]
    where: NDArray[np.int32]
    queue: NDArray[np.int32]
    parent: NDArray[np.int32]
    side: NDArray[np.int8]
    kept: NDArray[np.int8]
    sub_mass: NDArray[np.float64]
    sub_size: NDArray[np.int64]
    sub_cores: NDArray[np.int64]


@helper
def grow_tree(csr, where, begin, end, root, queue, parent, bits):
    """
    Breadth-first tree of the nodes at ``where`` in ``[begin, end)``; neighbours are taken from a random one on.

    Writes the visiting order to ``queue[begin:end]`` and `parent` (int32 (n,)) of its nodes; returns the last node.
    """
    parent[root] = root
    queue[begin] = root
    head, tail = begin, begin + 1
    while head < tail:
        u = queue[head]
        head += 1
        start, degree = csr.indptr[u], csr.indptr[u + 1] - csr.indptr[u]
        bits, more = draw(bits)
        turn = np.int64((more >> S32) * np.uint64(degree) >> S32)
        for i in range(degree):
            e = start + (i + turn if i + turn < degree else i + turn - degree)
            v = csr.indices[e]
            if where[v] >= begin and where[v] < end and parent[v] < 0:
                parent[v] = u
                queue[tail] = v
                tail += 1
    return queue[tail - 1]


@helper
def rows_for(share, first, last, mass, total, least, most):
    """How many rows from `first` on fit `mass` of `total` best, within [`least`, `most`]; and by how much they miss."""
    whole = share[last] - share[first]
    low, high = least, most
    while low < high:
        middle = (low + high) // 2
        if (share[first + middle] - share[first]) * total < mass * whole:
            low = middle + 1
        else:
            high = middle
    miss = abs((share[first + low] - share[first]) / whole * total - mass)
    if low > least:
        other = abs((share[first + low - 1] - share[first]) / whole * total - mass)
        if other < miss:
            return low - 1, other
    return low, miss


@helper
def best_edge(queue, parent, mass, core, sub_mass, sub_size, sub_cores, share, begin, end, first, last):
    """
    Tree edge that splits rows [`first`, `last`) best: near the middle where possible, and near a whole number of rows.

    Returns (node below the edge, rows for its side, how far its mass is from theirs).
    """
    nodes, rows = end - begin, last - first
    for i in range(begin, end):
        sub_mass[queue[i]] = mass[queue[i]]
        sub_size[queue[i]] = 1
        sub_cores[queue[i]] = 1 if core[queue[i]] >= 0 else 0
    for i in range(end - 1, begin, -1):
        u = queue[i]
        sub_mass[parent[u]] += sub_mass[u]
        sub_size[parent[u]] += sub_size[u]
        sub_cores[parent[u]] += sub_cores[u]
    total, cores = sub_mass[queue[begin]], sub_cores[queue[begin]]
    best, best_rows, best_miss, best_score = -1, 0, 0.0, np.inf
    for i in range(begin + 1, end):
        u = queue[i]
        least = max(1, rows - (nodes - sub_size[u]), sub_cores[u])
        most = min(rows - 1, sub_size[u], rows - (cores - sub_cores[u]))
        if least > most:
            continue
        count, miss = rows_for(share, first, last, sub_mass[u], total, least, most)
        lopsided = max(0.0, rows / 4.0 - min(count, rows - count))
        score = miss * rows / max(total, 1.0) + lopsided
        if score < best_score:
            best, best_rows, best_miss, best_score = u, count, miss, score
    return best, best_rows, best_miss


@helper
def mark_below(queue, parent, side, begin, end, top):
    """Set ``side`` (int8 (n,)) to 1 for nodes below the tree edge over `top`, to 0 for the rest."""
    for i in range(begin, end):
        u = queue[i]
        side[u] = 1 if u == top or (i > begin and side[parent[u]] == 1) else 0


@kernel
def split(csr, mass, share, core, labels, work, stack, depth, seed, tries, most):
    """
    Halve connected sets of nodes along edges of breadth-first trees until each is one part; parts are never empty.

    Parameters
    ----------
    mass : float64 (n,), share : float64 (k + 1,)
        Load of each node as one number; running sum of the targets of the parts.
    core : int32 (n,)
        Part a node is bound to, or -1; at most one node for each part. Such nodes end in sets of their own.
    labels : int32 (n,)
        Written: for each node of the sets taken from the stack, the number of its set, in ``[0, k)``.
    work : Splitting
        ``order`` and ``where`` hold the sets and are written in place, the rest is scratch.
    stack : int64 (k + 1, 4)
        Sets to do: begin and end in `order`, first part and the one after the last. A set has as many nodes as parts,
        or more.
    depth : int
        Sets on the stack.
    seed : uint64
    tries : int
        Trees looked at for each cut of few parts; the cheapest cut is made.
    most : int
        Stop after about this many visits of nodes.

    Returns
    -------
    (int, uint64)
        Sets left on the stack, and the state of the random stream: call again while there are any.
    """
    order, where, queue, parent, side, kept, sub_mass, sub_size, sub_cores = work
    visits = 0
    state = seed
    while depth > 0 and visits < most:
        depth -= 1
        begin, end, first, last = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
        if last - first == 1:
            for i in range(begin, end):
                labels[order[i]] = first
            continue
        rounds = tries if last - first <= 12 else 2
        best_score, rows, found = np.inf, 0, False
        for t in range(rounds):
            state, bits = draw(state)
            root = order[begin + np.int64((bits >> S32) * np.uint64(end - begin) >> S32)]
            if t % 2 == 0:
                root = grow_tree(csr, where, begin, end, root, queue, parent, bits)
                for i in range(begin, end):
                    parent[order[i]] = -1
            grow_tree(csr, where, begin, end, root, queue, parent, bits + S32)
            top, count, miss = best_edge(
                queue, parent, mass, core, sub_mass, sub_size, sub_cores, share, begin, end, first, last
            )
            mark_below(queue, parent, side, begin, end, top)
            cut = 0
            for i in range(begin, end):
                u = order[i]
                parent[u] = -1
                if side[u] == 1:
                    for e in range(csr.indptr[u], csr.indptr[u + 1]):
                        v = csr.indices[e]
                        if where[v] >= begin and where[v] < end and side[v] == 0:
                            cut += csr.weights[e]
            visits += 3 * (end - begin)
            uneven = miss * (last - first) / max(sub_mass[queue[begin]], 1.0)
            lopsided = max(0.0, 1.0 - 4.0 * min(count, last - first - count) / (last - first))
            score = (cut + 1.0) * (1.0 + 4.0 * uneven + lopsided)
            if top >= 0 and (score < best_score or not found):
                best_score, rows, found = score, count, True
                for i in range(begin, end):
                    kept[order[i]] = side[order[i]]
        if not found:  # every tree kept the cores on one side: try again with others
            depth += 1
            continue
        low, high = begin, end - 1
        while low <= high:
            u = order[low]
            if kept[u] == 1:
                low += 1
            else:
                order[low] = order[high]
                order[high] = u
                high -= 1
        for i in range(begin, end):
            where[order[i]] = i
        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = begin, low, first, first + rows
        depth += 1
        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = low, end, first + rows, last
        depth += 1
    return depth, state
