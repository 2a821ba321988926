"""A few parts divided anew: branch and bound over all ways to split their nodes into as many connected parts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.bits import ALL, NONE, ONE, lowest
from gridopt._kernels.jit import folded, helper, inlined, kernel
from gridopt._kernels.layout import MOST_LUMPS, find_cores, lay_out, number_lumps

__all__ = ["DEEPEST", "MOST_PARTS", "Desk", "redivide"]

MOST_PARTS = 4
DEEPEST = 64 * (MOST_PARTS - 1) + 2 * MOST_PARTS
"""States that wait at most, and room to copy one."""
MILLION = 1_000_000
DEAD = np.int64(-1)


class Desk(NamedTuple):
    """
    Room for the search of one thread. Lumps, nodes that stay together, are numbered as `lay_out` writes them.

    Of each lump: `near` uint64 (64, 2), neighbours and what is to be kept apart; `pairs` int64 (64, 64), how many such
    pairs of nodes there are with each other lump; `load` int64 (64, a); `first` int64
    (65,), where its edges begin; `open` int64 (64,), the parts it may still join, as bits; `bound` int64 (64,), the
    position of the part it is fixed to, or -1. Of each part: `parts` int64 (4,), which they are; `alike` int64 (4,),
    earlier ones it may swap names with, as bits; `limits` int64 (4, 4, a), lo, hi, target, and load in reach; `within`
    int64 (2, 4, a), least and most load where all limits are kept; `total` int64 (a,) of all. Stacks: `words` uint64
    (deepest, 4), the parts as far as decided; `sums` int64 (deepest, 4, a), their loads; `paid` int64 (deepest, 2),
    cost and broken pairs; `price` int64 (deepest, 64, 4), what each lump will cost in each part.
    """

    near: NDArray[np.uint64]
    pairs: NDArray[np.int64]
    load: NDArray[np.int64]
    first: NDArray[np.int64]
    open: NDArray[np.int64]
    bound: NDArray[np.int64]
    parts: NDArray[np.int64]
    alike: NDArray[np.int64]
    limits: NDArray[np.int64]
    within: NDArray[np.int64]
    total: NDArray[np.int64]
    words: NDArray[np.uint64]
    sums: NDArray[np.int64]
    paid: NDArray[np.int64]
    price: NDArray[np.int64]


@helper
def assign(near, pairs, load, first, ends, weights, words, sums, paid, price, q, at, u, p):
    """Put lump `u` into part `p` of the state at `at` of the stack."""
    words[at, p] |= ONE << np.uint64(u)
    paid[at, 0] += price[at, u, p]
    with_it = near[u, 1] & words[at, p]
    while with_it != NONE:
        paid[at, 1] += pairs[u, lowest(with_it)]
        with_it &= with_it - ONE
    for e in range(first[u], first[u + 1]):
        w = weights[e]
        v = ends[e]
        for other in range(q):
            price[at, v, other] += w
        price[at, v, p] -= w
    for c in range(sums.shape[2]):
        sums[at, p, c] += load[u, c]


@inlined
def copy_state(words, sums, paid, price, q, count, source, to):
    """Copy a state of the stack to another place on it."""
    paid[to, 0], paid[to, 1] = paid[source, 0], paid[source, 1]
    for p in range(q):
        words[to, p] = words[source, p]
        for c in range(sums.shape[2]):
            sums[to, p, c] = sums[source, p, c]
        for u in range(count):
            price[to, u, p] = price[source, u, p]


@inlined
def reach(near, load, word, free, into):
    """
    The lumps a part may still come to hold, `word` being those it has; `NONE` where these can never hang together.

    Writes the load of all of them to `into` (a,).
    """
    for c in range(into.shape[0]):
        into[c] = 0
    front = word & (~word + ONE)
    seen = front
    if word == NONE:
        seen = front = free
    inside = word | free
    while front != NONE:
        v = lowest(front)
        front &= front - ONE
        more = near[v, 0] & inside & ~seen
        seen |= more
        front |= more
        for c in range(into.shape[0]):
            into[c] += load[v, c]
    return seen if word & ~seen == NONE else NONE


@inlined
def over(load, limit, target):
    """What a load is above a limit, in millionths of the target."""
    return max(load - limit, 0) * MILLION // target


@helper
def bound_loads(limits, total, sums, at, q, uneven):
    """
    What all divisions that go on from a state miss their limits by at least, and what deviations cost at least.

    But for rounding, in which each part may be better by a millionth. Exact where nothing is left to decide.
    """
    miss, cost = np.int64(0), np.int64(0)
    for c in range(sums.shape[2]):
        room, need, off, goal, largest = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(1)
        for p in range(q):
            low, high, target = sums[at, p, c], limits[p, 3, c], limits[p, 2, c]
            miss += over(low, limits[p, 1, c], target) + over(limits[p, 0, c], high, target)
            off += over(low, target, target) + over(target, high, target)
            room += max(low, limits[p, 1, c])
            need += min(high, limits[p, 0, c])
            goal += target
            largest = max(largest, target)
        miss += (max(0, total[c] - room) + max(0, need - total[c])) * MILLION // largest
        if uneven > 0:
            cost += uneven * max(off, abs(total[c] - goal) * MILLION // largest - q)
    return miss, cost


@folded
def narrow(near, load, words, sums, price, limits, within, opened, q, at, free, strict):
    """
    Find the parts each free lump may still join, and the load each part may still come to, into `opened` and `limits`.

    Returns what the free lumps cost at least, `DEAD` where a part cannot hang together or one lump can join none.
    """
    for u in range(opened.shape[0]):
        opened[u] = 0
    for p in range(q):
        inside = reach(near, load, words[at, p], free, limits[p, 3])
        if inside == NONE:
            return DEAD
        for c in range(sums.shape[2]):
            if strict and limits[p, 3, c] < within[0, p, c]:
                return DEAD
        left = inside & free
        while left != NONE:
            u = lowest(left)
            left &= left - ONE
            fits = True
            for c in range(sums.shape[2]):
                fits &= not strict or sums[at, p, c] + load[u, c] <= within[1, p, c]
            opened[u] |= np.int64(fits) << p
    least, left = np.int64(0), free
    while left != NONE:
        u = lowest(left)
        left &= left - ONE
        cheapest = np.int64(2**62)
        for p in range(q):
            if (opened[u] >> p) & 1:
                cheapest = min(cheapest, price[at, u, p])
        if cheapest == 2**62:
            return DEAD
        least += cheapest
    return least


@folded
def settle(near, pairs, load, first, ends, weights, words, sums, paid, price, opened, q, at, free, room):
    """
    Take from `opened` what is too dear, and put lumps that may join one part only into it; return those left.

    `room` is what may be paid beside what each lump costs at least.
    """
    left = free
    while left != NONE:
        u = lowest(left)
        left &= left - ONE
        cheapest = np.int64(2**62)
        for p in range(q):
            if (opened[u] >> p) & 1:
                cheapest = min(cheapest, price[at, u, p])
        only = 0
        for p in range(q):
            if (opened[u] >> p) & 1 and price[at, u, p] - cheapest > room:
                opened[u] &= ~(1 << p)
            elif (opened[u] >> p) & 1:
                only = p
        if opened[u] == 1 << only:
            assign(near, pairs, load, first, ends, weights, words, sums, paid, price, q, at, u, only)
            free &= ~(ONE << np.uint64(u))
    return free


@folded
def next_lump(near, words, q, at, free):
    """The free lump to decide next: the one beside most parts, to follow borders; of equal ones the first."""
    chosen, most = np.int64(-1), -1
    left = free
    while left != NONE:
        u = lowest(left)
        left &= left - ONE
        beside = 0
        for p in range(q):
            beside += near[u, 0] & words[at, p] != NONE
        if beside > most:
            most, chosen = beside, u
    return chosen


@folded
def settle_all(desk, ends, weights, q, at, count, miss, cost, ceiling, uneven):
    """
    Decide what follows from a state, so far as it can be told.

    Returns
    -------
    (int, int, uint64)
        Violation at least, cost at least, lumps left; `ALL` where nothing better can come of the state.
    """
    free = (ALL >> np.uint64(64 - count)) & ~(
        desk.words[at, 0] | desk.words[at, 1] | desk.words[at, 2] | desk.words[at, 3]
    )
    while True:
        least = narrow(
            desk.near, desk.load, desk.words, desk.sums, desk.price, desk.limits, desk.within, desk.open, q,
            at, free, miss == 0,
        )  # fmt: skip
        if least == DEAD:
            return miss, cost, ALL
        lower, bound = bound_loads(desk.limits, desk.total, desk.sums, at, q, uneven)
        lower, bound = lower + MILLION * desk.paid[at, 1], bound + desk.paid[at, 0] + least
        room = (min(cost - 1, ceiling) if lower == miss else ceiling) - bound
        if lower > miss or room < 0:
            return miss, cost, ALL
        before = free
        free = settle(
            desk.near, desk.pairs, desk.load, desk.first, ends, weights, desk.words, desk.sums, desk.paid, desk.price,
            desk.open, q, at, free, room,
        )  # fmt: skip
        if free == before:
            return lower, bound, free


@helper
def branch_and_bound(desk, ends, weights, q, count, miss, cost, ceiling, most, uneven, kept):
    """
    Search for a division better than (`miss`, `cost`), from the state at 0 on.

    Writes the best to `kept` uint64 (q,), and returns its violation and cost, and how many states were looked at.
    """
    depth, steps = 1, 0
    while depth > 0 and steps < most:
        depth -= 1
        steps += 1
        lower, bound, free = settle_all(desk, ends, weights, q, depth, count, miss, cost, ceiling, uneven)
        if free == ALL:
            continue
        if free == NONE:
            miss, cost = lower, bound
            for p in range(q):
                kept[p] = desk.words[depth, p]
            continue
        u = next_lump(desk.near, desk.words, q, depth, free)
        choices, base = desk.open[u], depth
        for p in range(q):
            for other in range(p):
                if (desk.alike[p] >> other) & 1 and desk.words[base, p] == NONE and desk.words[base, other] == NONE:
                    choices &= ~(1 << p)
        spare = base + q
        copy_state(desk.words, desk.sums, desk.paid, desk.price, q, count, base, spare)
        while choices != 0:
            dearest = -1
            for p in range(q):
                if (choices >> p) & 1 and (dearest < 0 or desk.price[spare, u, p] > desk.price[spare, u, dearest]):
                    dearest = p
            choices &= ~(1 << dearest)
            copy_state(desk.words, desk.sums, desk.paid, desk.price, q, count, spare, depth)
            assign(
                desk.near, desk.pairs, desk.load, desk.first, ends, weights, desk.words, desk.sums, desk.paid,
                desk.price, q, depth, u, dearest,
            )  # fmt: skip
            depth += 1
    return miss, cost, steps


@folded
def set_parts(limits, terms, desk, q, count):
    """Write limits, totals, what keeps all limits, and which parts may swap names, of the parts on the desk."""
    plain = terms.unit_cost.shape[0] == 0 and terms.home.shape[0] == 0
    held = 0
    for u in range(count):
        if desk.bound[u] >= 0:
            held |= 1 << desk.bound[u]
    for c in range(desk.total.shape[0]):
        desk.total[c] = 0
        for u in range(count):
            desk.total[c] += desk.load[u, c]
        lo, hi = np.int64(0), np.int64(0)
        for i in range(q):
            p = desk.parts[i]
            desk.limits[i, 0, c], desk.limits[i, 1, c] = limits.lo[p, c], limits.hi[p, c]
            desk.limits[i, 2, c] = limits.target[p, c]
            lo, hi = lo + limits.lo[p, c], hi + limits.hi[p, c]
        for i in range(q):
            low, high = desk.limits[i, 0, c], desk.limits[i, 1, c]
            desk.within[0, i, c] = max(low, desk.total[c] - (hi - high))
            desk.within[1, i, c] = min(high, desk.total[c] - (lo - low))
    for i in range(q):
        desk.alike[i] = 0
        for j in range(i):
            same = plain and (held >> i) & 1 == 0 and (held >> j) & 1 == 0
            for c in range(desk.total.shape[0]):
                for what in range(3):
                    same &= desk.limits[i, what, c] == desk.limits[j, what, c]
            desk.alike[i] |= np.int64(same) << j


@folded
def price_as_it_is(desk, ends, weights, labels, nodes, lump, q, count, uneven):
    """Write the state at 0, where fixed lumps alone are decided; return violation and cost of the division as it is."""
    words, sums, paid, price = desk.words, desk.sums, desk.paid, desk.price
    paid[0, 0], paid[0, 1] = 0, 0
    for at in range(words.shape[0]):
        for p in range(words.shape[1]):
            words[at, p] = NONE
    for p in range(q):
        for c in range(sums.shape[2]):
            sums[0, p, c] = 0
    copy_state(words, sums, paid, price, q, count, 0, 1)
    done = 0
    for i in range(nodes.shape[0]):
        u = lump[nodes[i]]
        if u < done:
            continue
        done += 1
        for p in range(q):
            if labels[nodes[i]] == desk.parts[p]:
                assign(
                    desk.near, desk.pairs, desk.load, desk.first, ends, weights, words, sums, paid, price, q, 1, u, p
                )
    for p in range(q):
        for c in range(sums.shape[2]):
            desk.limits[p, 3, c] = sums[1, p, c]
    miss, cost = bound_loads(desk.limits, desk.total, sums, 1, q, uneven)
    miss, cost = miss + MILLION * paid[1, 1], cost + paid[1, 0]
    for u in range(count):
        if desk.bound[u] >= 0:
            p = desk.bound[u]
            assign(desk.near, desk.pairs, desk.load, desk.first, ends, weights, words, sums, paid, price, q, 0, u, p)
    return miss, cost


@folded
def redivide_set(csr, limits, terms, fixed, board, groups, parts, q, lump, core, depth, desk, allowance, most, out):
    """Divide one set of parts anew; see `redivide`."""
    labels, total, edges = board.labels, 0, 0
    for i in range(q):
        desk.parts[i] = parts[i]
        total += board.sizes[parts[i]]
    nodes = np.empty(total, np.int32)
    total = 0
    for i in range(q):
        for j in range(board.sizes[parts[i]]):
            u = groups.members[groups.first[parts[i]] + j]
            nodes[total] = u
            core[u] = -1
            edges += csr.indptr[u + 1] - csr.indptr[u]
            total += 1
    if total > MOST_LUMPS:
        find_cores(csr, labels, board.sizes, desk.parts, q, nodes, depth, core)
    count = number_lumps(csr, labels, desk.parts, q, nodes, core, lump)
    out[0], out[1], out[2], out[3] = 0, 0, 0, 0
    if count == 0:
        return
    placed = 0
    for i in range(total):  # parts in the order of their first lumps: few change their names
        for j in range(placed, q):
            if desk.parts[j] == labels[nodes[i]]:
                desk.parts[j], desk.parts[placed] = desk.parts[placed], desk.parts[j]
                placed += 1
                break
    ends, weights = np.empty(edges, np.int64), np.empty(edges, np.int64)
    lay_out(csr, limits, terms, fixed, labels, desk.parts, q, nodes, lump, desk, ends, weights)
    set_parts(limits, terms, desk, q, count)
    uneven = terms.prices[0]
    miss, cost = price_as_it_is(desk, ends, weights, labels, nodes, lump, q, count, uneven)
    ceiling = cost + np.int64(allowance * abs(cost))
    kept = np.zeros(MOST_PARTS, np.uint64)
    now_miss, now_cost, steps = branch_and_bound(desk, ends, weights, q, count, miss, cost, ceiling, most, uneven, kept)
    out[0], out[1], out[2], out[3] = now_miss - miss, now_cost - cost, steps, steps < most
    if kept[0] == NONE:
        return
    for i in range(total):
        u = nodes[i]
        for j in range(q):
            p, before = desk.parts[j], labels[u]
            if (kept[j] >> np.uint64(lump[u])) & ONE and before != p:
                labels[u] = p
                board.sizes[p] += 1
                board.sizes[before] -= 1
                for c in range(desk.total.shape[0]):
                    board.loads[p, c] += limits.workload[u, c]
                    board.loads[before, c] -= limits.workload[u, c]


@kernel
def redivide(
    csr, limits, terms, fixed, board, groups, sets, begin, end, lump, core, depth, desk, allowance, most, out
):  # fmt: skip
    """
    Divide sets of parts anew where a division of less violation, or of equal violation and less cost, is found.

    Exact for sets of up to 64 nodes: what is left is the best there is, but for a violation of a millionth for each
    part, unless the search ended early. In larger sets the inmost nodes of each part stay together. All locks and
    terms count but inertia; weights must not be negative.

    Parameters
    ----------
    csr, limits, terms, fixed, board, groups : Csr, Limits, Terms, int32 (n,), Board, Groups
        Labels, loads and sizes are written; members of parts that were changed are not up to date afterwards.
    sets : int32 (s, 4)
        Parts of each set, from two to four, then -1. No part is in two of them; what does not hang together stays.
    begin, end : int
        The sets to divide. Others may be divided at the same time with another desk.
    lump, core, depth : int32 (n,)
        Scratch; written at the nodes of the sets only.
    desk : Desk
    allowance : float
        How much more than before a division of less violation may cost, as a share of cut and cost of the set.
    most : int
        States to look at in each set.
    out : int64 (s, 4)
        Written: change in violation and in cost, states looked at, whether these were all.
    """
    for s in range(begin, end):
        q = 0
        while q < MOST_PARTS and sets[s, q] >= 0:
            q += 1
        redivide_set(
            csr, limits, terms, fixed, board, groups, sets[s], q, lump, core, depth, desk, allowance, most, out[s]
        )
