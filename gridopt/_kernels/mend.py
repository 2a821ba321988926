"""Mending of limits: the best single move or pair of moves around a part that breaks them, by looking at all."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.jit import helper, kernel
from gridopt._kernels.moves import MILLION, apart_gain, local_gain, part_price, part_violation, shift, stays_connected

__all__ = ["mend_parts"]


@helper
def list_part(indptr, indices, labels, root, room, seen, stamp):
    """Write the nodes of the part of `root` to `room`, by breadth-first search; return how many there are."""
    room[0] = root
    seen[root] = stamp
    head, tail = 0, 1
    while head < tail:
        v = room[head]
        head += 1
        for e in range(indptr[v], indptr[v + 1]):
            x = indices[e]
            if labels[x] == labels[root] and seen[x] != stamp:
                seen[x] = stamp
                room[tail] = x
                tail += 1
    return tail


@helper
def candidate(indptr, indices, labels, fixed, sizes, v, e, inward):
    """
    Move across edge `e` of `v`: `v` to the other part, or, if `inward`, the other node to the part of `v`.

    Returns (node, from, to); node -1 where there is no such move, or an earlier edge gives the same.
    """
    x, part = np.int64(indices[e]), np.int64(labels[v])
    other = np.int64(labels[x])
    if other == part:
        return -1, part, other
    if inward:
        if fixed[x] >= 0 or sizes[other] == 1:
            return -1, other, part
        i = indptr[x]
        while labels[indices[i]] != part:
            i += 1
        return (x if indices[i] == v else -1), other, part
    if fixed[v] >= 0 or sizes[part] == 1:
        return -1, part, other
    i = indptr[v]
    while labels[indices[i]] != other:
        i += 1
    return (v if i == e else -1), part, other


@helper
def carry_over(csr, limits, terms, board, anchor, u, a, b):
    """Move `u` from part `a` to part `b` in place; return the change in violation and in cost."""
    labels, loads, sizes, moments = board
    prices = terms.prices
    whole = prices[0] > 0 or prices[1] > 0
    violation = -MILLION * apart_gain(terms.apart_indptr, terms.apart_indices, labels, u, a, b)
    cost = -local_gain(
        csr.indptr, csr.indices, csr.weights, terms.unit_cost, terms.home, terms.away_cost, labels, u, a, b
    )
    for p in (a, b):
        violation -= part_violation(limits.lo, limits.hi, limits.target, loads, p)
        if whole:
            cost -= part_price(limits.target, prices, loads, moments, p)
    shift(limits.workload, prices, terms.inertia, labels, loads, sizes, moments, u, a, b)
    for p in (a, b):
        violation += part_violation(limits.lo, limits.hi, limits.target, loads, p)
        if whole:
            cost += part_price(limits.target, prices, loads, moments, p)
    anchor[b] = u
    if anchor[a] == u:
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            if labels[csr.indices[e]] == a:
                anchor[a] = csr.indices[e]
    return violation, cost


@helper
def violation_change(limits, loads, v, c, d):
    """Change in violation of the limits when `v` moves from part `c` to part `d`; nothing is written."""
    total = -part_violation(limits.lo, limits.hi, limits.target, loads, c)
    total -= part_violation(limits.lo, limits.hi, limits.target, loads, d)
    for i in range(loads.shape[1]):
        w = limits.workload[v, i]
        loads[c, i] -= w
        loads[d, i] += w
    total += part_violation(limits.lo, limits.hi, limits.target, loads, c)
    total += part_violation(limits.lo, limits.hi, limits.target, loads, d)
    for i in range(loads.shape[1]):
        w = limits.workload[v, i]
        loads[c, i] += w
        loads[d, i] -= w
    return total


@helper
def best_second(csr, limits, terms, fixed, board, scratch, anchor, part, u, price, violation, cost, best, stamp):
    """
    Best second move into or out of `part` after `u` was moved, which changed `violation` and `cost`.

    Returns (price of both moves, node, from, to, moves looked at, last mark used); the price is `best` and the node -1
    where none is better than that.
    """
    indptr, indices, labels, sizes = csr.indptr, csr.indices, board.labels, board.sizes
    found, at, to, looked = -1, -1, -1, 0
    stamp += 1
    size = list_part(indptr, indices, labels, anchor[part], scratch.border, scratch.seen, stamp)
    for i in range(size):
        y = np.int64(scratch.border[i])
        for e in range(indptr[y], indptr[y + 1]):
            for inward in (False, True):
                v, c, d = candidate(indptr, indices, labels, fixed, sizes, y, e, inward)
                if v < 0 or v == u:
                    continue
                looked += 1
                if not len(terms.apart_indices) and violation + violation_change(limits, board.loads, v, c, d) >= 0:
                    continue
                more, extra = carry_over(csr, limits, terms, board, anchor, v, c, d)
                total = cost + extra + price * (violation + more)
                if violation + more < 0 and total < best:
                    stamp += 1
                    if stays_connected(
                        indptr, indices, labels, v, c, scratch.seen, scratch.owner, scratch.queue, 0,
                        scratch.parent[0], scratch.pending[0], stamp, labels.shape[0],
                    ):  # fmt: skip
                        best, found, at, to = total, v, c, d
                carry_over(csr, limits, terms, board, anchor, v, d, c)
    return best, found, at, to, looked, stamp


@kernel
def mend_parts(csr, limits, terms, fixed, board, scratch, room, anchor, parts, price, stamp):
    """
    For each of some parts, make the best single move or pair of moves that lowers violation at no more than `price`.

    The first move takes a node into the part or out of it, the second does so for the part or for the one across: a
    swap, a chain through a neighbour, or two nodes at once. Parts stay connected.

    Parameters
    ----------
    csr, limits, terms : Csr, Limits, Terms
    fixed : int32 (n,)
    board : Board
        Written in place.
    scratch : Scratch
        Border, place and marks are overwritten.
    room : int32 (n,)
        Scratch.
    anchor : int64 (k,)
        Some node of each part; kept up to date.
    parts : int64 (p,)
        Those to mend; such as keep their limits already are left alone.
    price : float
        Units of cost a millionth of violation is worth.
    stamp : int
        Marks in ``scratch.seen`` are not above it.

    Returns
    -------
    (int, int, int)
        Parts changed, moves looked at, and the last mark used.
    """
    indptr, indices, labels, sizes = csr.indptr, csr.indices, board.labels, board.sizes
    changed, looked = 0, 0
    for t in range(parts.shape[0]):
        p = parts[t]
        best, u, a, b, v, c, d = 0.0, -1, -1, -1, -1, -1, -1
        if len(terms.apart_indices) == 0 and part_violation(limits.lo, limits.hi, limits.target, board.loads, p) == 0:
            continue
        stamp += 1
        size = list_part(indptr, indices, labels, anchor[p], room, scratch.seen, stamp)
        for i in range(size):
            y = np.int64(room[i])
            for e in range(indptr[y], indptr[y + 1]):
                for inward in (False, True):
                    x, f, g = candidate(indptr, indices, labels, fixed, sizes, y, e, inward)
                    if x < 0:
                        continue
                    looked += 1
                    stamp += 1
                    violation, cost = carry_over(csr, limits, terms, board, anchor, x, f, g)
                    if stays_connected(
                        indptr, indices, labels, x, f, scratch.seen, scratch.owner, scratch.queue, 0,
                        scratch.parent[0], scratch.pending[0], stamp, labels.shape[0],
                    ):  # fmt: skip
                        if violation < 0 and cost + price * violation < best:
                            best, u, a, b, v = cost + price * violation, x, f, g, -1
                        for part in (f, g):
                            better, x_2, f_2, g_2, more, stamp = best_second(
                                csr, limits, terms, fixed, board, scratch, anchor, part, x, price, violation, cost,
                                best, stamp,
                            )  # fmt: skip
                            looked += more
                            if x_2 >= 0:
                                best, u, a, b, v, c, d = better, x, f, g, x_2, f_2, g_2
                    carry_over(csr, limits, terms, board, anchor, x, g, f)
        if u >= 0:
            changed += 1
            carry_over(csr, limits, terms, board, anchor, u, a, b)
            if v >= 0:
                carry_over(csr, limits, terms, board, anchor, v, c, d)
    return changed, looked, stamp
