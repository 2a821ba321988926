"""Annealing of a group of parts: moves of single border nodes, and pairs of moves that keep loads where they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.graph import draw
from gridopt._kernels.jit import helper, inlined, kernel
from gridopt._kernels.moves import (
    apart_gain,
    local_gain,
    part_price,
    part_strain,
    shift,
    stays_connected,
)

__all__ = ["Board", "Groups", "Scratch", "anneal", "fill_border"]

S12, S24, S28, S40 = np.uint64(12), np.uint64(24), np.uint64(28), np.uint64(40)
LOW_12 = np.uint64(0xFFF)


class Board(NamedTuple):
    """A plan in the making: `labels` int32 (n,), `loads` int64 (k, a), `sizes` int64 (k,), `moments` int64 (k, 4)."""

    labels: NDArray[np.int32]
    loads: NDArray[np.int64]
    sizes: NDArray[np.int64]
    moments: NDArray[np.int64]


class Groups(NamedTuple):
    """Groups of parts as `group_parts` writes them: int32 (n,), int64 (k + 1,), int32 (k,), int32 (k,), 2 x int64."""

    members: NDArray[np.int32]
    first: NDArray[np.int64]
    order: NDArray[np.int32]
    group_of: NDArray[np.int32]
    group_first: NDArray[np.int64]
    chunk: NDArray[np.int64]


class Scratch(NamedTuple):
    """
    Room for searches. Groups touch disjoint stretches, so they may run at once.

    `border` int32 (n,): border nodes of each group, from its `group_first` on; `place` int32 (n,): where a node is in
    that list, or -1; `seen` int64 (n,); `owner`, `queue` int32 (n,); `parent`, `pending` int32 (groups, degree).
    """

    border: NDArray[np.int32]
    place: NDArray[np.int32]
    seen: NDArray[np.int64]
    owner: NDArray[np.int32]
    queue: NDArray[np.int32]
    parent: NDArray[np.int32]
    pending: NDArray[np.int32]


@helper
def is_border(indptr, indices, labels, group_of, group, u):
    """Whether `u` has a neighbour in another part of the same group."""
    for e in range(indptr[u], indptr[u + 1]):
        p = labels[indices[e]]
        if p != labels[u] and group_of[p] == group:
            return True
    return False


@helper
def refresh(indptr, indices, labels, fixed, group_of, border, place, base, group, u, count):
    """Put `u` into the border list of its group, or take it out; return the length of the list."""
    at = place[u]
    if fixed[u] < 0 and is_border(indptr, indices, labels, group_of, group, u):
        if at < 0:
            border[base + count] = u
            place[u] = count
            count += 1
    elif at >= 0:
        count -= 1
        last = border[base + count]
        border[base + at] = last
        place[last] = at
        place[u] = -1
    return count


@helper
def refresh_around(indptr, indices, labels, fixed, group_of, border, place, base, group, u, count):
    """Refresh `u` and its neighbours in the same group; return the length of the border list."""
    count = refresh(indptr, indices, labels, fixed, group_of, border, place, base, group, u, count)
    for e in range(indptr[u], indptr[u + 1]):
        v = np.int64(indices[e])
        if group_of[labels[v]] == group:
            count = refresh(indptr, indices, labels, fixed, group_of, border, place, base, group, v, count)
    return count


@kernel
def fill_border(csr, labels, fixed, groups, scratch, group):
    """List the border nodes of `group`; return how many there are."""
    indptr, indices, group_of, members = csr.indptr, csr.indices, groups.group_of, groups.members
    border, place, base = scratch.border, scratch.place, groups.group_first[group]
    count = 0
    for i in range(groups.chunk[group], groups.chunk[group + 1]):
        p = groups.order[i]
        for j in range(groups.first[p], groups.first[p + 1]):
            place[members[j]] = -1
            count = refresh(
                indptr, indices, labels, fixed, group_of, border, place, base, group, np.int64(members[j]), count
            )
    return count


@helper
def other_part(indptr, indices, labels, group_of, group, u, bits):
    """Edge of `u`, from a random one on, that leads to another part of `group`; -1 where there is none."""
    start, degree = indptr[u], indptr[u + 1] - indptr[u]
    e = start + np.int64((bits & LOW_12) * np.uint64(degree) >> S12)
    for _ in range(degree):
        p = labels[indices[e]]
        if p != labels[u] and group_of[p] == group:
            return e
        e += 1
        if e == start + degree:
            e = start
    return -1


@helper
def wander(indptr, indices, labels, x, avoid, bits):
    """Walk up to three random steps from `x` inside its part, never onto `avoid`; return where it ends."""
    for _ in range(np.int64(bits & np.uint64(3))):
        bits = bits >> np.uint64(2)
        start, degree = indptr[x], indptr[x + 1] - indptr[x]
        y = np.int64(indices[start + np.int64((bits & LOW_12) * np.uint64(degree) >> S12)])
        bits = bits >> S12
        if labels[y] == labels[x] and y != avoid:
            x = y
    return x


@helper
def partner(indptr, indices, hi, labels, loads, sizes, fixed, group_of, group, u, a, b, x, bits):
    """
    Second move, to make up for the load `u` carried from `a` to `b`: out of `b` if that is too full, else into `a`.

    `u` is already in `b`, next to `x` of `b`. Returns the node and the part to move it to, or (-1, -1).
    """
    _, more = draw(bits)
    full = False
    for c in range(loads.shape[1]):
        full |= loads[b, c] > hi[b, c]
    if full:
        v = wander(indptr, indices, labels, x, u, bits)
        e = other_part(indptr, indices, labels, group_of, group, v, more)
        if e < 0 or fixed[v] >= 0 or v == u or sizes[b] == 1:
            return -1, -1
        return v, np.int64(labels[indices[e]])
    start, degree = indptr[u], indptr[u + 1] - indptr[u]
    e = start + np.int64((bits & LOW_12) * np.uint64(degree) >> S12)
    for _ in range(degree):
        if labels[indices[e]] == a:
            y = wander(indptr, indices, labels, np.int64(indices[e]), u, bits >> S12)
            e = other_part(indptr, indices, labels, group_of, group, y, more)
            if e < 0:
                return -1, -1
            v = np.int64(indices[e])
            if fixed[v] >= 0 or v == u or sizes[labels[v]] == 1:
                return -1, -1
            return v, a
        e += 1
        if e == start + degree:
            e = start
    return -1, -1


@helper
def pair_price(lo, hi, rate, target, prices, loads, moments, whole, a, b):
    """Price of violation of parts `a` and `b` (float), and their cost as wholes (int; 0 unless `whole`)."""
    over = part_strain(lo, hi, rate, loads, a) + part_strain(lo, hi, rate, loads, b)
    cost = 0
    if whole:
        cost = part_price(target, prices, loads, moments, a) + part_price(target, prices, loads, moments, b)
    return over, cost


@inlined
def carry(
    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, strain, workload, inertia,
    lo, hi, rate, target, prices, labels, loads, sizes, moments, u, a, b, most,
):  # fmt: skip
    """
    Move `u` from part `a` to part `b` in place, unless its change surely exceeds `most`.

    Returns whether it was moved, the change in cost (int) and that in the price of violation (float).
    """
    whole = prices[0] > 0 or prices[1] > 0
    extra = -local_gain(indptr, indices, weights, unit_cost, home, away_cost, labels, u, a, b)
    strain_0, cost_0 = pair_price(lo, hi, rate, target, prices, loads, moments, whole, a, b)
    over = -strain_0
    if apart_indices.shape[0] > 0:
        over -= strain * apart_gain(apart_indptr, apart_indices, labels, u, a, b)
    if not whole and extra + over > most:
        return False, extra, over
    shift(workload, prices, inertia, labels, loads, sizes, moments, u, a, b)
    strain_1, cost_1 = pair_price(lo, hi, rate, target, prices, loads, moments, whole, a, b)
    return True, extra + cost_1 - cost_0, over + strain_1


@helper
def leave_whole(indptr, indices, labels, u, a, v, c, d, seen, owner, queue, base, parent, pending, stamp, nodes):
    """
    Whether part `a` holds together without `u`, and then, where ``v >= 0``, part `c` without `v`.

    Both are moved already, `v` from `c` to `d`; it is put back for the first question. Uses marks `stamp` and the next.
    """
    if v < 0:
        return stays_connected(indptr, indices, labels, u, a, seen, owner, queue, base, parent, pending, stamp, nodes)
    labels[v] = c
    ok = stays_connected(indptr, indices, labels, u, a, seen, owner, queue, base, parent, pending, stamp, nodes)
    labels[v] = d
    return ok and stays_connected(
        indptr, indices, labels, v, c, seen, owner, queue, base, parent, pending, stamp + 1, nodes
    )


@kernel
def anneal(
    csr,
    limits,
    terms,
    fixed,
    board,
    groups,
    scratch,
    quantiles,
    group,
    seed,
    stamp,
    steps,
    heat,
    reach,
    rate,
    strain,
    out,
):
    """
    Run `steps` proposals of simulated annealing on the parts of one group.

    A random border node of the group moves to a neighbouring part of the group. If that breaks a limit, a second move
    is proposed with it: a swap, or the middle of a chain. No part is ever broken into pieces or emptied.
    Only nodes, parts and scratch of the group are written, and what is read of others never changes a decision: groups
    may run at the same time.

    Parameters
    ----------
    csr, limits, terms : Csr, Limits, Terms
    fixed : int32 (n,)
        Part of nodes that never move, or -1.
    board : Board
        Written in place.
    groups, scratch : Groups, Scratch
    quantiles : float64 (4096,)
        Of the exponential distribution: a change for the worse is taken if it is at most `heat` times a random one.
    group, seed : int, uint64
    stamp : int
        Marks in ``scratch.seen`` are below it; up to ``2 * steps`` marks are used.
    steps : int
    heat : float
        Temperature in units of cost.
    reach : float
        A pair of moves is tried where the first alone is too dear by at most this.
    rate : float64 (k, a)
        Price of violation, in units of cost a work unit over or under.
    strain : float
        Price of a broken `apart` pair.
    out : int64 (groups, 3)
        Row `group` is written: change in cost, moves made, steps made.
    """
    labels, loads, sizes, moments = board.labels, board.loads, board.sizes, board.moments
    indptr, indices, weights = csr.indptr, csr.indices, csr.weights
    workload, lo, hi, target = limits.workload, limits.lo, limits.hi, limits.target
    unit_cost, home, away_cost, prices = terms.unit_cost, terms.home, terms.away_cost, terms.prices
    apart_indptr, apart_indices, inertia = terms.apart_indptr, terms.apart_indices, terms.inertia
    border, place, seen, owner, queue = scratch.border, scratch.place, scratch.seen, scratch.owner, scratch.queue
    group_of, base = groups.group_of, groups.group_first[group]
    parent, pending = scratch.parent[group], scratch.pending[group]
    nodes = groups.group_first[group + 1] - base
    count = fill_border(csr, labels, fixed, groups, scratch, group)
    cost, made, done = 0, 0, 0
    state = seed
    for _ in range(steps):
        if count == 0:
            break
        done += 1
        state, bits = draw(state)
        u = np.int64(border[base + np.int64((bits >> S40) * np.uint64(count) >> S24)])
        a = np.int64(labels[u])
        if sizes[a] == 1:
            continue
        x = np.int64(indices[other_part(indptr, indices, labels, group_of, group, u, bits >> S28)])
        b = np.int64(labels[x])
        worst = heat * quantiles[np.int64(bits & LOW_12)]
        moved, extra, over = carry(
            indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, strain, workload,
            inertia, lo, hi, rate, target, prices, labels, loads, sizes, moments, u, a, b, worst + reach,
        )  # fmt: skip
        if not moved:
            continue
        v, c, d = -1, a, b
        if extra + over > worst and over > 0.0:
            state, bits = draw(state)
            v, d = partner(indptr, indices, hi, labels, loads, sizes, fixed, group_of, group, u, a, b, x, bits)
            if v >= 0:
                c = np.int64(labels[v])
                _, extra_2, over_2 = carry(
                    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, strain, workload,
                    inertia, lo, hi, rate, target, prices, labels, loads, sizes, moments, v, c, d, np.inf,
                )  # fmt: skip
                extra, over = extra + extra_2, over + over_2
        stamp += 2
        if extra + over <= worst and leave_whole(
            indptr, indices, labels, u, a, v, c, d, seen, owner, queue, base, parent, pending, stamp, nodes
        ):
            cost += extra
            made += 1
            count = refresh_around(indptr, indices, labels, fixed, group_of, border, place, base, group, u, count)
            if v >= 0:
                count = refresh_around(indptr, indices, labels, fixed, group_of, border, place, base, group, v, count)
        else:
            if v >= 0:
                shift(workload, prices, inertia, labels, loads, sizes, moments, v, d, c)
            shift(workload, prices, inertia, labels, loads, sizes, moments, u, b, a)
    out[group, 0] = cost
    out[group, 1] = made
    out[group, 2] = done
