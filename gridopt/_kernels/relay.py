"""Relays: load handed on from part to part, one node at each border, until a part takes it within its limits."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.jit import helper, kernel
from gridopt._kernels.moves import MILLION, apart_gain, local_gain, part_violation, shift, stays_connected

__all__ = ["list_members", "relay"]

FAR = 2**62
FEW_EDGES = 16
"""A move of a node with more edges counts as so many times as many looks."""


@helper
def exchanged(lo, hi, target, loads, workload, p, gained, lost):
    """Violation of part `p` in millionths once it has gained one node and lost another, either of them -1 for none."""
    total = 0
    for c in range(loads.shape[1]):
        load = loads[p, c]
        if gained >= 0:
            load += workload[gained, c]
        if lost >= 0:
            load -= workload[lost, c]
        total += max(load - hi[p, c], lo[p, c] - load, 0) * MILLION // target[p, c]
    return total


@helper
def is_beside(indptr, indices, labels, u, part, without):
    """Whether a neighbour of `u` other than `without` lies in `part`."""
    found = False
    for e in range(indptr[u], indptr[u + 1]):
        found |= labels[indices[e]] == part and indices[e] != without
    return found


@kernel
def list_members(labels, links, parts):
    """
    Link the nodes of each part, in ascending order, and empty the scratch of `relay`.

    Writes `links` int32 (2, n), the nodes after and before each node in its part, or -1, and `parts` int64 (6, k), in
    its first row the first node of each part.
    """
    after, before, head = links[0], links[1], parts[0]
    parts[:] = -1
    for u in range(labels.shape[0] - 1, -1, -1):
        p = labels[u]
        after[u], before[u] = head[p], -1
        if head[p] >= 0:
            before[head[p]] = u
        head[p] = u


@helper
def relink(head, after, before, u, a, b):
    """Take `u` out of the list of part `a`, and put it first in that of part `b`."""
    if before[u] >= 0:
        after[before[u]] = after[u]
    else:
        head[a] = after[u]
    if after[u] >= 0:
        before[after[u]] = before[u]
    after[u], before[u] = head[b], -1
    if head[b] >= 0:
        before[head[b]] = u
    head[b] = u


@helper
def find_relay(
    csr, limits, terms, fixed, board, scratch, head, after, place, came, handed, price, ring, start, gives, stamp, most
):  # fmt: skip
    """
    Look for the shortest relay that lessens the violation of part `start`, and of these for about the cheapest.

    Each part on the way gains one node and loses another and breaks its limits by no more than before; the last one
    only gains (`gives`), or only loses. What a part loses leaves it connected, and what it gains hangs on what stays.

    Returns
    -------
    (int, int, int, int, int, int)
        The last part (-1: there is no relay), the part before it, the node between them; how many parts are in `ring`;
        the last mark used, and moves looked at.
    """
    indptr, indices, labels, sizes = csr.indptr, csr.indices, board.labels, board.sizes
    lo, hi, target, workload, loads = limits.lo, limits.hi, limits.target, limits.workload, board.loads
    came[start], handed[start], price[start], ring[0], place[start] = -1, -1, 0, start, 0
    begin, end, looked = 0, 1, 0
    last, link, node = np.int64(-1), np.int64(-1), np.int64(-1)
    while begin < end and last < 0 and looked < most:
        tail, cheapest = end, FAR
        for i in range(begin, end):
            g = np.int64(ring[i])
            w, broken, u = handed[g], part_violation(lo, hi, target, loads, g), np.int64(head[g])
            while u >= 0:
                for e in range(indptr[u], indptr[u + 1]):
                    v = np.int64(indices[e])
                    q = np.int64(labels[v])
                    if looked >= most:
                        break
                    if q == g or u == w or 0 <= place[q] < end:
                        continue
                    x, a, b = (u, g, q) if gives else (v, q, g)
                    looked += 1 + (indptr[x + 1] - indptr[x]) // FEW_EDGES
                    if fixed[x] >= 0 or sizes[a] == 1:
                        continue
                    less = exchanged(lo, hi, target, loads, workload, g, w if gives else x, x if gives else w)
                    if less > broken or (g == start and less == broken):
                        continue
                    paid = price[g] - local_gain(
                        indptr, indices, csr.weights, terms.unit_cost, terms.home, terms.away_cost, labels, x, a, b
                    )
                    more = exchanged(lo, hi, target, loads, workload, q, x if gives else -1, -1 if gives else x)
                    ends = more <= part_violation(lo, hi, target, loads, q)
                    if (paid >= cheapest) if ends else (place[q] >= 0 and paid >= price[q]):
                        continue
                    if apart_gain(terms.apart_indptr, terms.apart_indices, labels, x, a, b) < 0:
                        continue
                    if gives and w >= 0 and not is_beside(indptr, indices, labels, w, g, u):
                        continue
                    stamp += 1
                    if not stays_connected(
                        indptr, indices, labels, x, a, scratch.seen, scratch.owner, scratch.queue, 0,
                        scratch.parent[0], scratch.pending[0], stamp, sizes[a],
                    ):  # fmt: skip
                        continue
                    if ends:
                        last, link, node, cheapest = q, g, x, paid
                        continue
                    if place[q] < 0:
                        ring[tail], place[q] = q, tail
                        tail += 1
                    came[q], handed[q], price[q] = g, x, paid
                u = np.int64(after[u])
        begin, end = end, tail
    return last, link, node, end, stamp, looked


@kernel
def relay(csr, limits, terms, fixed, board, scratch, broken, links, parts, stamp, most, at_once, in_all):
    """
    Lessen the violation of broken parts by relays, each part as often as there is one, until the looks are used up.

    Parameters
    ----------
    csr, limits, terms : Csr, Limits, Terms
    fixed : int32 (n,)
        Part of nodes that never move, or -1.
    board : Board
        Written in place.
    scratch : Scratch
    broken : int64 (b,)
        Parts to look at; those within their limits are passed over.
    links, parts : int32 (2, n), int64 (6, k)
        As `list_members` writes them; kept up to date.
    stamp : int
        Marks in ``scratch.seen`` are no greater.
    most, at_once, in_all : int
        Moves to look at for one relay, after which no further part is begun, and in all.

    Returns
    -------
    (int, int, int, int)
        Relays made, the last mark used, moves looked at, and parts of `broken` done with.
    """
    after, before = links[0], links[1]
    head, place, came, handed, price, ring = parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]
    made, looked, done = 0, 0, 0
    for start in broken:
        if looked >= min(at_once, in_all):
            break
        done += 1
        for gives in (True, False):
            going = True
            while going and looked < in_all and part_violation(
                limits.lo, limits.hi, limits.target, board.loads, start
            ) > 0:  # fmt: skip
                last, link, node, count, stamp, moves = find_relay(
                    csr, limits, terms, fixed, board, scratch, head, after, place, came, handed, price, ring, start,
                    gives, stamp, min(most, in_all - looked),
                )  # fmt: skip
                looked += moves
                for i in range(count):
                    place[ring[i]] = -1
                going = last >= 0
                made += going
                while link >= 0:
                    a, b = (link, last) if gives else (last, link)
                    shift(
                        limits.workload, terms.prices, terms.inertia, board.labels, board.loads, board.sizes,
                        board.moments, node, a, b,
                    )  # fmt: skip
                    relink(head, after, before, node, a, b)
                    last, node = link, handed[link]
                    link = came[link]
    return made, stamp, looked, done
