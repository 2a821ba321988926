"""Annealing of a group of parts: moves of single border nodes, and pairs of moves that keep loads where they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.borders import fill_borders, refresh_around
from gridopt._kernels.graph import draw
from gridopt._kernels.jit import helper, inlined, kernel
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

__all__ = ["LONGEST", "MARKS", "Board", "Groups", "Pace", "Scratch", "anneal"]

S32, LOW_10 = np.uint64(32), np.uint64(0x3FF)
LONGEST = 4
"""Moves in a chain at most."""
MARKS = 4 * LONGEST
"""Marks a step may use up: one for each look round and each test of connection, and two for what has moved."""


class Board(NamedTuple):
    """A plan in the making: `labels` int32 (n,), `loads` int64 (k, a), `sizes` int64 (k,), `moments` int64 (k, 4)."""

    labels: NDArray[np.int32]
    loads: NDArray[np.int64]
    sizes: NDArray[np.int64]
    moments: NDArray[np.int64]


class Groups(NamedTuple):
    """
    Groups of parts as `group_parts` writes them.

    `members` int32 (n,), `first` int64 (k + 1,), `order`, `group_of` int32 (k,), `group_first`, `edge_first`, `chunk`
    int64 (groups + 1,).
    """

    members: NDArray[np.int32]
    first: NDArray[np.int64]
    order: NDArray[np.int32]
    group_of: NDArray[np.int32]
    group_first: NDArray[np.int64]
    edge_first: NDArray[np.int64]
    chunk: NDArray[np.int64]


class Pace(NamedTuple):
    """
    How one round anneals.

    Parameters
    ----------
    heat : float
        Temperature in units of cost.
    reach : float
        A chain is tried where the first move, its violation apart, is too dear by at most this.
    longest : int
        Moves in a chain, at most `LONGEST`; 1 for none.
    span : int
        Nodes of a part looked at for the next move of a chain.
    relief : float
        Share of the price of violation of the parts it touches that a chain may cost, beside `reach`.
    strain, swell : float
        Price of violation: see `part_strain`; a broken `apart` pair is a miss of a million, without the swell.
    """

    heat: float
    reach: float
    longest: int
    span: int
    relief: float
    strain: float
    swell: float


class Scratch(NamedTuple):
    """
    Room for searches. Groups touch disjoint stretches, so they may run at once.

    `burden` float64 (k,): price of the violation of each part; `worth` int64 (k,): its cost as a whole; `seen`, `stale`
    int64 (n,); `owner`, `queue` int32 (n,); `parent`, `pending` int32 (groups, degree); `chain` int64 (groups,
    `LONGEST`, 3): node, part it leaves, part it joins.
    """

    burden: NDArray[np.float64]
    worth: NDArray[np.int64]
    seen: NDArray[np.int64]
    stale: NDArray[np.int64]
    owner: NDArray[np.int32]
    queue: NDArray[np.int32]
    parent: NDArray[np.int32]
    pending: NDArray[np.int32]
    chain: NDArray[np.int64]


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


@kernel
def anneal(
    csr,
    limits,
    terms,
    fixed,
    board,
    groups,
    borders,
    scratch,
    quantiles,
    group,
    seed,
    stamp,
    steps,
    pace,
    journal,
    out,
):
    """
    Run `steps` proposals of simulated annealing on the parts of one group.

    A random candidate move of the group is taken where it pays or is cheap enough. Where only the limits stand against
    it, further moves are added that make up for the load it carried: a swap, or a chain along several parts. No part is
    ever broken into pieces or emptied. Only nodes, parts and scratch of the group are written, and what is read of
    others never changes a decision: groups may run at the same time.

    Parameters
    ----------
    csr, limits, terms : Csr, Limits, Terms
    fixed : int32 (n,)
        Part of nodes that never move, or -1.
    board : Board
        Written in place.
    groups, borders, scratch : Groups, Borders, Scratch
    quantiles : float64 (1024,)
        Of the exponential distribution: a change for the worse is taken if it is at most `heat` times a random one.
    group, seed : int, uint64
    stamp : int
        Marks in ``scratch.seen`` and ``scratch.stale`` are below it; up to ``MARKS * (steps + 1)`` marks are used.
    steps : int
    pace : Pace
    journal : int32 (j, 2)
        Where ``j > 0``, the group is left in the best state it was in, by violation, then cost: moves made since then
        are kept here and taken back. The search ends early where there is no room left. One group at a time only.
    out : int64 (groups, 4)
        Row `group` is written: change in cost, moves and chains made, steps made, change in violation (with a journal).
    """
    labels, loads, sizes, moments = board.labels, board.loads, board.sizes, board.moments
    indptr, indices, weights = csr.indptr, csr.indices, csr.weights
    workload, lo, hi, target, per = limits.workload, limits.lo, limits.hi, limits.target, limits.per
    unit_cost, home, away_cost, prices = terms.unit_cost, terms.home, terms.away_cost, terms.prices
    apart_indptr, apart_indices, inertia = terms.apart_indptr, terms.apart_indices, terms.inertia
    heat, reach, longest, span, relief, strain, swell = pace
    source, twin, listed, place = borders.source, borders.twin, borders.listed, borders.place
    gain, pull, burden, worth = borders.gain, borders.pull, scratch.burden, scratch.worth
    seen, stale, owner, queue = scratch.seen, scratch.stale, scratch.owner, scratch.queue
    parent, pending, chain = scratch.parent[group], scratch.pending[group], scratch.chain[group]
    group_of, base, at = groups.group_of, groups.edge_first[group], groups.group_first[group]
    nodes = groups.group_first[group + 1] - at
    count = fill_borders(csr, terms, fixed, labels, groups, borders, group)
    for i in range(groups.chunk[group], groups.chunk[group + 1]):
        p = np.int64(groups.order[i])
        weigh_parts(lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, p, p)
    quick = prices[0] == 0 and prices[1] == 0 and apart_indices.shape[0] == 0
    cost, made, done = np.int64(0), 0, 0
    miss, least_miss, least_cost, noted = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    state = seed
    for _ in range(steps):
        if count == 0:
            break
        done += 1
        state, bits = draw(state)
        e = listed[base + np.int64((bits >> S32) * np.uint64(count) >> S32)]
        u = np.int64(source[e])
        a, b = np.int64(labels[u]), np.int64(labels[indices[e]])
        worst = heat * quantiles[np.int64(bits & LOW_10)]
        if quick and -gain[e] - burden[a] - burden[b] > worst + reach:
            continue
        if sizes[a] == 1:
            continue
        whole, over = price_of_move(
            apart_indptr, apart_indices, lo, hi, per, strain, swell, target, prices, labels, loads, moments, workload,
            inertia, burden, worth, u, a, b,
        )  # fmt: skip
        extra = whole - gain[e]
        total = extra + over
        room = worst + reach + relief * (burden[a] + burden[b])
        if total > worst and (longest == 1 or over <= 0.0 or extra > room):
            continue
        stamp += MARKS
        chain[0, 0], chain[0, 1], chain[0, 2] = u, a, b
        n_moves = 1
        if total > worst:
            shift(workload, prices, inertia, labels, loads, sizes, moments, u, a, b)
            weigh_parts(
                lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, a, b
            )
            while total > worst and n_moves < longest:
                mark_stale(indptr, indices, labels, group_of, group, stale, stamp, u)
                part, heavy, root = part_to_mend(indptr, indices, labels, hi, loads, burden, chain, n_moves)
                if part < 0:
                    break
                u, b, more, over = best_step(
                    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per,
                    strain, swell, target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden,
                    worth, group_of, group, gain, twin, seen, stale, queue, at, stamp + n_moves, stamp, part, root,
                    heavy, span, room - extra, relief,
                )  # fmt: skip
                if u < 0:
                    break
                a = np.int64(labels[u])
                chain[n_moves, 0], chain[n_moves, 1], chain[n_moves, 2] = u, a, b
                n_moves += 1
                extra += more
                total += more + over
                shift(workload, prices, inertia, labels, loads, sizes, moments, u, a, b)
                weigh_parts(
                    lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, a, b
                )
            for i in range(n_moves - 1, -1, -1):  # all back: the moves are tested, and then made, one after the other
                u, a, b = chain[i, 0], chain[i, 1], chain[i, 2]
                shift(workload, prices, inertia, labels, loads, sizes, moments, u, b, a)
                weigh_parts(
                    lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, a, b
                )
            if total > worst:
                continue
        whole_parts = True
        tested = 0
        while whole_parts and tested < n_moves:
            u, a, b = chain[tested, 0], chain[tested, 1], chain[tested, 2]
            whole_parts = stays_connected(
                indptr, indices, labels, u, a, seen, owner, queue, at, parent, pending, stamp + LONGEST + tested, nodes
            )
            labels[u] = b
            tested += 1
        for i in range(tested - 1, -1, -1):
            labels[chain[i, 0]] = chain[i, 1]
        if not whole_parts:
            continue
        for i in range(n_moves):
            u, a, b = chain[i, 0], chain[i, 1], chain[i, 2]
            if journal.shape[0] > 0:
                miss -= part_violation(lo, hi, target, loads, a) + part_violation(lo, hi, target, loads, b)
                if apart_indices.shape[0] > 0:
                    miss -= MILLION * apart_gain(apart_indptr, apart_indices, labels, u, a, b)
            shift(workload, prices, inertia, labels, loads, sizes, moments, u, a, b)
            weigh_parts(
                lo, hi, per, strain, swell, target, prices, loads, moments, workload, inertia, burden, worth, a, b
            )
            if journal.shape[0] > 0:
                miss += part_violation(lo, hi, target, loads, a) + part_violation(lo, hi, target, loads, b)
            count = refresh_around(
                indptr, indices, weights, unit_cost, home, away_cost, fixed, labels, group_of, listed, place, gain,
                pull, base, group, u, a, b, count,
            )  # fmt: skip
        cost += extra
        made += 1
        if journal.shape[0] == 0:
            continue
        for i in range(n_moves):
            journal[noted, 0] = chain[i, 0]
            journal[noted, 1] = chain[i, 1]
            noted += 1
        if miss < least_miss or (miss == least_miss and cost < least_cost):
            least_miss, least_cost, noted = miss, cost, np.int64(0)
        if noted > journal.shape[0] - LONGEST:
            break
    if journal.shape[0] > 0:
        cost, miss = least_cost, least_miss
        for i in range(noted - 1, -1, -1):
            u, b = np.int64(journal[i, 0]), np.int64(journal[i, 1])
            shift(workload, prices, inertia, labels, loads, sizes, moments, u, np.int64(labels[u]), b)
    out[group, 0] = cost
    out[group, 1] = made
    out[group, 2] = done
    out[group, 3] = miss
