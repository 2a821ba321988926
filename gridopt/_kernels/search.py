"""Annealing of a group of parts: moves of single border nodes, and pairs of moves that keep loads where they were."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.borders import fill_borders
from gridopt._kernels.chains import (
    LONGEST,
    extend_chain,
    leaves_parts_whole,
    make_moves,
    note,
    price_of_move,
    take_back,
    weigh_group,
)
from gridopt._kernels.graph import draw
from gridopt._kernels.jit import inlined, kernel

__all__ = ["MARKS", "Board", "Groups", "Pace", "Scratch", "anneal"]

S32, LOW_10 = np.uint64(32), np.uint64(0x3FF)
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
    dear : float
        With a journal: what a millionth less of violation may cost where states are compared; may be infinite.
    """

    heat: float
    reach: float
    longest: int
    span: int
    relief: float
    strain: float
    swell: float
    dear: float


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


@inlined
def propose(
    indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, target, prices,
    workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of, group, source, twin, listed,
    place, gain, pull, base, seen, stale, owner, queue, at, nodes, parent, pending, chain, quantiles, count, state,
    stamp, steps, heat, reach, longest, span, relief, strain, swell, dear, journal,
):  # fmt: skip
    """
    The proposals of `anneal`, the bundles unpacked: reading a bundle over and over again costs a third of the time.

    Returns
    -------
    (int, int, int, int)
        Change in cost and in violation, moves and chains made, steps made.
    """
    quick = prices[0] == 0 and prices[1] == 0 and apart_indices.shape[0] == 0
    cost, made, done, miss, noted = 0, 0, 0, 0, 0
    best = (0, 0)
    for _ in range(steps):
        if count == 0 or 0 < journal.shape[0] < noted + LONGEST:
            break
        done += 1
        state, bits = draw(state)
        e = listed[base + np.int64((bits >> S32) * np.uint64(count) >> S32)]
        u = np.int64(source[e])
        a, b = np.int64(labels[u]), np.int64(labels[indices[e]])
        worst = heat * quantiles[np.int64(bits & LOW_10)]
        if (quick and -gain[e] - burden[a] - burden[b] > worst + reach) or sizes[a] == 1:
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
        moves = 1
        if total > worst:
            moves, extra, total = extend_chain(
                indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, strain,
                swell, target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of,
                group, gain, twin, seen, stale, queue, at, chain, stamp, longest, span, relief, extra, total, worst,
                room,
            )  # fmt: skip
        if total > worst or not leaves_parts_whole(
            indptr, indices, labels, chain, seen, owner, queue, at, parent, pending, stamp + LONGEST, nodes, moves
        ):
            continue
        count, change = make_moves(
            indptr, indices, weights, unit_cost, home, away_cost, apart_indptr, apart_indices, lo, hi, per, strain,
            swell, target, prices, workload, inertia, fixed, labels, loads, sizes, moments, burden, worth, group_of,
            group, listed, place, gain, pull, base, chain, moves, count, journal.shape[0] > 0,
        )  # fmt: skip
        cost, miss, made = cost + extra, miss + change, made + 1
        if journal.shape[0] > 0:
            noted = note(journal, chain, moves, noted)
            less, cheaper = miss - best[0], cost - best[1]
            if cheaper < 0 if less == 0 else dear * less + cheaper < 0:
                best, noted = (miss, cost), 0
    if journal.shape[0] > 0:
        miss, cost = best
        take_back(journal, noted, labels, loads, sizes, moments, workload, prices, inertia)
    return cost, miss, made, done


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
        Where ``j > 0``, the group is left in the best state it was in, by cost and violation at its price: moves made
        since then are kept here and taken back. The search ends early where there is no room left.
    out : int64 (groups, 4)
        Row `group` is written: change in cost, moves and chains made, steps made, change in violation (with a journal).
    """
    count = fill_borders(csr, terms, fixed, board.labels, groups, borders, group)
    weigh_group(limits, terms, board, groups, scratch, pace.strain, pace.swell, group)
    at = groups.group_first[group]
    cost, miss, made, done = propose(
        csr.indptr, csr.indices, csr.weights, terms.unit_cost, terms.home, terms.away_cost, terms.apart_indptr,
        terms.apart_indices, limits.lo, limits.hi, limits.per, limits.target, terms.prices, limits.workload,
        terms.inertia, fixed, board.labels, board.loads, board.sizes, board.moments, scratch.burden, scratch.worth,
        groups.group_of, group, borders.source, borders.twin, borders.listed, borders.place, borders.gain, borders.pull,
        groups.edge_first[group], scratch.seen, scratch.stale, scratch.owner, scratch.queue, at,
        groups.group_first[group + 1] - at, scratch.parent[group], scratch.pending[group], scratch.chain[group],
        quantiles, count, seed, stamp, steps, pace.heat, pace.reach, pace.longest, pace.span, pace.relief, pace.strain,
        pace.swell, pace.dear, journal,
    )  # fmt: skip
    out[group, 0], out[group, 1], out[group, 2], out[group, 3] = cost, made, done, miss
