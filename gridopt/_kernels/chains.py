"""Chains: moves that follow on one another, so that what the first carries does not leave a part outside its limits."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.borders import refresh_around
from gridopt._kernels.jit import helper, inlined
from gridopt._kernels.moves import (
    MILLION,
    apart_gain,
    local_gain,
    part_price,
    part_strain,
    part_violation,
    shift,
    stays_connected,
)

__all__ = [
    "LONGEST",
    "extend_chain",
    "leaves_parts_whole",
    "make_moves",
    "note",
    "price_of_move",
    "take_back",
    "weigh_group",
]

LONGEST = 4
"""Moves in a chain at most."""


@helper
def weigh_parts(lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, a, b):
    """Write the price of violation and the cost as wholes of parts `a` and `b`."""
    burden[a] = part_strain(lo, hi, per, strain, swell, loads, workload, a, 0, 0)
    burden[b] = part_strain(lo, hi, per, strain, swell, loads, workload, b, 0, 0)
    if prices[0] > 0 or prices[1] > 0:
        worth[a] = part_price(target, prices, loads, moments, workload, inertia, a, 0, 0)
        worth[b] = part_price(target, prices, loads, moments, workload, inertia, b, 0, 0)


@inlined
def price_of_move(
    apart_indptr, apart_indices, lo, hi, per, strain, swell, target, prices, labels, loads, moments, workload, inertia,
    burden, worth, u, a, b,
):  # fmt: skip
    """
    Change in the cost of wholes (int) and in the price of violation (float) when `u` moves from part `a` to `b`.

    Nothing is written.
    """
    over = part_strain(lo, hi, per, strain, swell, loads, workload, a, u, -1) - burden[a]
    over += part_strain(lo, hi, per, strain, swell, loads, workload, b, u, 1) - burden[b]
    extra = 0
    if prices[0] > 0 or prices[1] > 0:
        extra = part_price(target, prices, loads, moments, workload, inertia, a, u, -1) - worth[a]
        extra += part_price(target, prices, loads, moments, workload, inertia, b, u, 1) - worth[b]
    if apart_indices.shape[0] > 0:
        over -= strain * MILLION * apart_gain(apart_indptr, apart_indices, labels, u, a, b)
    return extra, over


@helper
def best_step(
    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, strain, swell,
    target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of, group, gain, twin,
    seen, stale, queue, at, mark, fresh, part, root, outward, span, room, relief,
):  # fmt: skip
    """
    Move that makes up best for too much (`outward`) or too little load of `part`, near `root` of it.

    Looks at moves out of, or into, the first `span` nodes of `part` that a search from `root` meets; only those that
    cost at most `room`, and `relief` of the violation of a part not touched yet, are taken. Nodes with ``stale`` at
    `fresh` lie next to one that has moved since gains were brought up to date; at ``fresh + 1`` they have moved.

    Returns
    -------
    (int, int, int, float)
        Node (-1: none lowers the price), the part it goes to, change in cost and in the price of violation.
    """
    quick = prices[0] == 0 and prices[1] == 0 and apart_indices.shape[0] == 0
    best_v, best_d, best_extra, best_over, best = np.int64(-1), np.int64(-1), np.int64(0), 0.0, 0.0
    queue[at] = root
    seen[root] = mark
    head, tail = at, at + 1
    while head < tail and head < at + span:
        y = np.int64(queue[head])
        head += 1
        for e in range(indptr[y], indptr[y + 1]):
            z = np.int64(indices[e])
            p = np.int64(labels[z])
            if p == part:
                if seen[z] != mark:
                    seen[z] = mark
                    queue[tail] = z
                    tail += 1
                continue
            if group_of[p] != group:
                continue
            v, c, d, f = y, part, p, np.int64(e)
            if not outward:
                v, c, d, f = z, p, part, np.int64(twin[e])
            if fixed[v] >= 0 or stale[v] == fresh + 1 or sizes[c] == 1:
                continue
            if stale[v] == fresh:
                g = local_gain(indptr, indices, weights, unit_cost, home, away_cost, labels, v, c, d)
            else:
                g = gain[f]
            spare = room + relief * burden[d if outward else c]
            if quick and (-g > spare or -g - burden[c] - burden[d] >= best):
                continue
            whole, over = price_of_move(
                apart_indptr, apart_indices, lo, hi, per, strain, swell, target, prices, labels, loads, moments,
                workload, inertia, burden, worth, v, c, d,
            )  # fmt: skip
            if whole - g <= spare and whole - g + over < best:
                best_v, best_d, best_extra, best_over = v, d, whole - g, over
                best = best_extra + over
    return best_v, best_d, best_extra, best_over


@inlined
def mark_stale(indptr, indices, labels, group_of, group, stale, fresh, u):
    """Mark `u` as moved, and its neighbours in the group as lying next to what has moved."""
    for e in range(indptr[u], indptr[u + 1]):
        v = indices[e]
        if group_of[labels[v]] == group and stale[v] != fresh + 1:
            stale[v] = fresh
    stale[u] = fresh + 1


@inlined
def part_to_mend(indptr, indices, labels, hi, loads, burden, chain, n_moves):
    """
    Part touched by a chain that has the greatest burden: (part, whether it is too heavy, node to look from).

    The part is -1 where none has a burden, or none of its nodes is at hand.
    """
    part, root, most = np.int64(-1), np.int64(-1), 0.0
    for i in range(n_moves):
        u, a, b = chain[i, 0], chain[i, 1], chain[i, 2]
        if burden[b] > most and labels[u] == b:
            part, root, most = b, u, burden[b]
        if burden[a] > most:
            for e in range(indptr[u], indptr[u + 1]):
                if labels[indices[e]] == a:
                    part, root, most = a, np.int64(indices[e]), burden[a]
                    break
    heavy = False
    if part >= 0:
        for c in range(loads.shape[1]):
            heavy |= loads[part, c] > hi[part, c]
    return part, heavy, root


@inlined
def carry(
    lo, hi, per, strain, swell, target, prices, workload, inertia, labels, loads, sizes, moments, burden, worth, u, a, b
):
    """Move `u` from part `a` to part `b`, and weigh both again; the list of candidates is not touched."""
    shift(workload, prices, inertia, labels, loads, sizes, moments, u, a, b)
    weigh_parts(lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, a, b)


@helper
def weigh_group(limits, terms, board, groups, scratch, strain, swell, group):
    """Write the price of violation and the cost as a whole of each part of the group."""
    for i in range(groups.chunk[group], groups.chunk[group + 1]):
        p = np.int64(groups.order[i])
        weigh_parts(
            limits.lo, limits.hi, limits.per, strain, swell, limits.target, terms.prices, board.loads, board.moments,
            limits.workload, terms.inertia, scratch.burden, scratch.worth, p, p,
        )  # fmt: skip


@inlined
def extend_chain(
    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, strain, swell,
    target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of, group, gain, twin,
    seen, stale, queue, at, chain, stamp, longest, span, relief, extra, total, worst, room,
):  # fmt: skip
    """
    Add moves to the chain that begins with ``chain[0]`` until its price is at most `worst`; none of them is made.

    Parameters
    ----------
    extra : int, total : float
        Change in cost by the first move, and that with the price of violation.
    worst, room : float
        Price to get down to; what the moves may cost, their violation apart.

    Returns
    -------
    (int, int, float)
        Moves in the chain, and the change in cost and in the price by all of them.
    """
    moves = 1
    u, a, b = chain[0, 0], chain[0, 1], chain[0, 2]
    carry(
        lo, hi, per, strain, swell, target, prices, workload, inertia, labels, loads, sizes, moments, burden, worth,
        u, a, b,
    )  # fmt: skip
    while total > worst and moves < longest:
        mark_stale(indptr, indices, labels, group_of, group, stale, stamp, u)
        part, heavy, root = part_to_mend(indptr, indices, labels, hi, loads, burden, chain, moves)
        if part < 0:
            break
        u, b, more, over = best_step(
            indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, strain,
            swell, target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of,
            group, gain, twin, seen, stale, queue, at, stamp + moves, stamp, part, root, heavy, span, room - extra,
            relief,
        )  # fmt: skip
        if u < 0:
            break
        a = np.int64(labels[u])
        chain[moves, 0], chain[moves, 1], chain[moves, 2] = u, a, b
        moves += 1
        extra += more
        total += more + over
        carry(
            lo, hi, per, strain, swell, target, prices, workload, inertia, labels, loads, sizes, moments, burden, worth,
            u, a, b,
        )  # fmt: skip
    for i in range(moves - 1, -1, -1):
        carry(
            lo, hi, per, strain, swell, target, prices, workload, inertia, labels, loads, sizes, moments, burden, worth,
            chain[i, 0], chain[i, 2], chain[i, 1],
        )  # fmt: skip
    return moves, extra, total


@inlined
def leaves_parts_whole(
    indptr, indices, labels, chain, seen, owner, queue, at, parent, pending, stamp, nodes, moves
):  # fmt: skip
    """Whether the moves of the chain, made one after the other, leave each part connected at each step."""
    whole, tested = True, 0
    while whole and tested < moves:
        u = chain[tested, 0]
        whole = stays_connected(
            indptr, indices, labels, u, chain[tested, 1], seen, owner, queue, at, parent, pending, stamp + tested, nodes
        )
        labels[u] = chain[tested, 2]
        tested += 1
    for i in range(tested - 1, -1, -1):
        labels[chain[i, 0]] = chain[i, 1]
    return whole


@inlined
def make_moves(
    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, strain, swell,
    target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of, group, listed,
    place, gain, pull, base, chain, moves, count, counted,
):  # fmt: skip
    """Make the moves of the chain; return the length of the candidate list and, where `counted`, the new violation."""
    miss = 0
    for i in range(moves):
        u, a, b = chain[i, 0], chain[i, 1], chain[i, 2]
        if counted:
            miss -= part_violation(lo, hi, target, loads, a) + part_violation(lo, hi, target, loads, b)
            if apart_indices.shape[0] > 0:
                miss -= MILLION * apart_gain(apart_indptr, apart_indices, labels, u, a, b)
        carry(
            lo, hi, per, strain, swell, target, prices, workload, inertia, labels, loads, sizes, moments, burden, worth,
            u, a, b,
        )  # fmt: skip
        if counted:
            miss += part_violation(lo, hi, target, loads, a) + part_violation(lo, hi, target, loads, b)
        count = refresh_around(
            indptr, indices, weights, unit_cost, home, away_cost, fixed, labels, group_of, listed, place, gain, pull,
            base, group, u, a, b, count,
        )  # fmt: skip
    return count, miss


@helper
def note(journal, chain, moves, noted):
    """Write the moves of a chain into the journal; return how many it holds."""
    for i in range(moves):
        journal[noted, 0] = chain[i, 0]
        journal[noted, 1] = chain[i, 1]
        noted += 1
    return noted


@helper
def take_back(journal, noted, labels, loads, sizes, moments, workload, prices, inertia):
    """Take back the moves in the journal, the last first."""
    for i in range(noted - 1, -1, -1):
        u, a = np.int64(journal[i, 0]), np.int64(journal[i, 1])
        shift(workload, prices, inertia, labels, loads, sizes, moments, u, np.int64(labels[u]), a)
