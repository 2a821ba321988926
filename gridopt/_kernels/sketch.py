"""Plans of tiny regions at once: parts grown from seeds, then annealed, all sets of nodes being words of 64 bits."""

from __future__ import annotations

import numpy as np

from gridopt._kernels.bits import NONE, ONE, lowest
from gridopt._kernels.cover import MILLION
from gridopt._kernels.graph import draw
from gridopt._kernels.jit import helper, kernel

__all__ = ["sketch_tiny"]

S32 = np.uint64(32)
SPREAD = 2.0**-53
FIRM, HOT, COLD = 70.0, 4.0, 0.5
"""Price of missing limits by a target, heat at the beginning and at the end, in mean weights of an edge. Of 2,000
communities of 30 units in 5 grids, +-10 %, 2,000 moves bring 95 % within limits; with half the price or an eighth of
the heat 80 %, with twice the price as many at 2 % more cut."""
AT_ONCE = 32
"""Moves between two coolings."""


@helper
def below(bits, n):
    """A number in [0, n) from 64 random bits, of which the upper half is used."""
    return np.int64(((bits >> S32) * np.uint64(n)) >> S32)


@helper
def count_bits(word):
    """How many bits of a word are set."""
    found = 0
    while word != NONE:
        word &= word - ONE
        found += 1
    return found


@helper
def pick(word, bits):
    """A random bit of a word that has any."""
    for _ in range(below(bits, count_bits(word))):
        word &= word - ONE
    return lowest(word)


@helper
def hangs_together(near, members):
    """Whether a set of nodes is connected and not empty."""
    if members == NONE:
        return False
    seen = members & (~members + ONE)
    front = seen
    while front != NONE:
        v = lowest(front)
        front &= front - ONE
        more = near[v, 0] & members & ~seen
        seen |= more
        front |= more
    return seen == members


@helper
def touching(near, members):
    """All nodes beside those of a set."""
    found = NONE
    while members != NONE:
        found |= near[lowest(members), 0]
        members &= members - ONE
    return found


@helper
def farthest(near, taken, free):
    """Free nodes in the last ring around `taken` that has any."""
    full, seen, last = ~NONE >> np.uint64(64 - near.shape[0]), taken, free
    while True:
        ring = touching(near, seen) & ~seen & full
        if ring == NONE:
            return last
        seen |= ring
        if (ring & free) != NONE:
            last = ring & free


@helper
def best_tied(indptr, indices, weights, inside, beside, free):
    """Node of `beside` with most weight into `inside` above that into `free`."""
    tied, best = -np.inf, -1
    while beside != NONE:
        u = lowest(beside)
        beside &= beside - ONE
        inner = weight_into(indptr, indices, weights, u, inside)
        outer = weight_into(indptr, indices, weights, u, free)
        if inner - outer > tied:
            tied, best = inner - outer, u
    return best


@helper
def weight_into(indptr, indices, weights, u, members):
    """Weight of the edges from a node into a set."""
    total = 0
    for e in range(indptr[u], indptr[u + 1]):
        total += weights[e] * np.int64((members >> np.uint64(indices[e])) & ONE)
    return total


@helper
def misses(limits, loads):
    """Millionths of the targets by which loads of a part miss its limits."""
    total = 0
    for c in range(loads.shape[0]):
        excess = max(0, loads[c] - limits[1, c], limits[0, c] - loads[c])
        if excess > 0:
            total += excess * MILLION // limits[2, c]
    return total


@helper
def unevenness(limits, loads, uneven):
    """Price of the deviations of a part from its targets."""
    total = 0
    if uneven > 0:
        for c in range(loads.shape[0]):
            total += uneven * (abs(loads[c] - limits[2, c]) * MILLION // limits[2, c])
    return total


@helper
def grow_parts(near, work, indptr, indices, weights, limits, bound, members, loads, labels, state):
    """
    Grow parts from nodes far from one another, the lightest first, each by the node it is tied to best.

    Nodes that are bound to a part are where it begins. Writes `members` uint64 (k,), `loads` int64 (k, a) and `labels`;
    returns the state of the random numbers, and whether all nodes are in connected parts.
    """
    n, k = near.shape[0], limits.shape[0]
    free = ~NONE >> np.uint64(64 - n)
    for j in range(k):
        free &= ~bound[j]
    for j in range(k):
        members[j] = bound[j]
        if members[j] != NONE and not hangs_together(near, members[j]):
            return state, False
    taken = ~free & (~NONE >> np.uint64(64 - n))
    for j in range(k):
        if members[j] != NONE:
            continue
        if free == NONE:
            return state, False
        state, bits = draw(state)
        if taken == NONE:
            u = pick(free, bits)
            taken = ONE << np.uint64(u)
        u = pick(farthest(near, taken, free), bits)
        members[j] = ONE << np.uint64(u)
        taken |= members[j]
        free &= ~members[j]
    for j in range(k):
        for c in range(work.shape[1]):
            loads[j, c] = 0
        rest = members[j]
        while rest != NONE:
            u = lowest(rest)
            rest &= rest - ONE
            labels[u] = j
            for c in range(work.shape[1]):
                loads[j, c] += work[u, c]
    while free != NONE:
        lightest, share, beside = -1, np.inf, NONE
        for j in range(k):
            if loads[j, 0] / limits[j, 2, 0] < share:
                touched = touching(near, members[j])
                if (touched & free) != NONE:
                    lightest, share, beside = j, loads[j, 0] / limits[j, 2, 0], touched & free
        if lightest < 0:
            return state, False
        best = best_tied(indptr, indices, weights, members[lightest], beside, free)
        members[lightest] |= ONE << np.uint64(best)
        free &= ~(ONE << np.uint64(best))
        labels[best] = lightest
        for c in range(work.shape[1]):
            loads[lightest, c] += work[best, c]
    return state, True


@helper
def price_plan(near, indptr, indices, weights, limits, extra, row, uneven, members, loads):
    """Violation and cost of parts, from scratch."""
    k = limits.shape[0]
    violation, cost = 0, 0
    for j in range(k):
        violation += misses(limits[j], loads[j])
        cost += 2 * unevenness(limits[j], loads[j], uneven)
        rest = members[j]
        while rest != NONE:
            u = lowest(rest)
            rest &= rest - ONE
            violation += MILLION * count_bits(near[u, 1] & rest)
            cost += weight_into(indptr, indices, weights, u, ~members[j])
            if extra.shape[0] > 0:
                cost += 2 * extra[row + u * k + j]
    return violation, cost // 2


@helper
def shift_prices(near, indptr, indices, weights, limits, extra, row, uneven, members, loads, moved, trial, u, w, p, q):
    """
    Change in violation and cost when `u` goes from part `p` to `q` and, unless it is -1, `w` from `q` to `p`.

    `moved` int64 (a,) is the load that `q` gains; `trial` int64 (a,) is scratch.
    """
    k, width = limits.shape[0], loads.shape[1]
    violation = -misses(limits[p], loads[p]) - misses(limits[q], loads[q])
    cost = -unevenness(limits[p], loads[p], uneven) - unevenness(limits[q], loads[q], uneven)
    for c in range(width):
        trial[c] = loads[p, c] - moved[c]
    violation += misses(limits[p], trial)
    cost += unevenness(limits[p], trial, uneven)
    for c in range(width):
        trial[c] = loads[q, c] + moved[c]
    violation += misses(limits[q], trial)
    cost += unevenness(limits[q], trial, uneven)
    own, other = members[p] & ~(ONE << np.uint64(u)), members[q]
    if w >= 0:
        other &= ~(ONE << np.uint64(w))
        for e in range(indptr[w], indptr[w + 1]):
            x = np.uint64(indices[e])
            cost += weights[e] * (np.int64((other >> x) & ONE) - np.int64((own >> x) & ONE))
        violation += MILLION * (count_bits(near[w, 1] & own) - count_bits(near[w, 1] & other))
        if extra.shape[0] > 0:
            cost += extra[row + w * k + p] - extra[row + w * k + q]
    for e in range(indptr[u], indptr[u + 1]):
        x = np.uint64(indices[e])
        cost += weights[e] * (np.int64((own >> x) & ONE) - np.int64((other >> x) & ONE))
    violation += MILLION * (count_bits(near[u, 1] & other) - count_bits(near[u, 1] & own))
    if extra.shape[0] > 0:
        cost += extra[row + u * k + q] - extra[row + u * k + p]
    return violation, cost


@helper
def anneal(
    near, work, indptr, indices, weights, limits, extra, row, uneven, held, most, members, loads, own, moved, trial,
    best, now, paid, state,
):  # fmt: skip
    """
    Anneal parts of violation `now` and cost `paid` by `most` moves, see `sketch_tiny`; nodes of `held` stay.

    Changes `members`, `loads` and `own` (labels); writes the best parts to `best` uint64 (k,), and returns violation
    and cost of these. `moved` and `trial` int64 (a,) are scratch.
    """
    n, k, width, total = near.shape[0], limits.shape[0], work.shape[1], 0
    for e in range(indptr[0], indptr[n]):
        total += weights[e]
    edge = max(1.0, total / max(1, indptr[n] - indptr[0]))  # mean weight
    firm = FIRM * edge / MILLION
    violated, cheapest = now, paid
    best[:k] = members[:k]
    heat, cooling = HOT * edge, (COLD / HOT) ** (AT_ONCE / max(AT_ONCE, most))
    for step in range(most):
        if step % AT_ONCE == 0:
            heat *= cooling
        state, bits = draw(state)
        u = below(bits, n)
        state, bits = draw(state)
        p, count = np.int64(own[u]), indptr[u + 1] - indptr[u]
        if count == 0 or ((held >> np.uint64(u)) & ONE) != NONE:
            continue
        q = np.int64(own[indices[indptr[u] + below(bits, count)]])
        if p == q:
            continue
        left, w = members[p] & ~(ONE << np.uint64(u)), -1
        if (bits & ONE) != NONE:
            touched = touching(near, left) & members[q] & ~held
            if touched == NONE:
                continue
            w = pick(touched, bits << S32)
        for c in range(width):
            moved[c] = work[u, c] - (work[w, c] if w >= 0 else 0)
        worse, dearer = shift_prices(
            near, indptr, indices, weights, limits, extra, row, uneven, members, loads, moved, trial, u, w, p, q
        )
        change = worse * firm + dearer
        if change > 0:
            state, bits = draw(state)
            if change >= -heat * np.log((np.float64(bits >> np.uint64(11)) + 0.5) * SPREAD):
                continue
        taken = members[q] | (ONE << np.uint64(u))
        if w >= 0:
            left |= ONE << np.uint64(w)
            taken &= ~(ONE << np.uint64(w))
        if not hangs_together(near, left) or not hangs_together(near, taken):
            continue
        members[p], members[q], own[u] = left, taken, q
        if w >= 0:
            own[w] = p
        for c in range(width):
            loads[p, c] -= moved[c]
            loads[q, c] += moved[c]
        now += worse
        paid += dearer
        if now < violated or (now == violated and paid < cheapest):
            violated, cheapest = now, paid
            best[:k] = members[:k]
    return violated, cheapest


@kernel
def sketch_tiny(atlas, regions, uneven, seed, most, found):
    """
    Find a plan of each region, within its limits if it can be had at once: parts are grown, then annealed.

    Random moves of a node to a neighbouring part, half of them with one back, are taken if both parts stay connected
    and what they cost, violations being priced, is no more than a random amount that falls. The best plan is kept.

    Parameters
    ----------
    atlas : Atlas
    regions : int64 (b,)
        Regions to sketch. Different regions may be sketched at once.
    uneven : int
        Price of a millionth of deviation from the targets.
    seed : uint64
    most : int64 (r,)
        Moves to try in each region.
    found : Found
        Written for `regions` where the plan is better than the one known: `labels`, and `cost` where it is sound,
        `miss` and `paid` elsewhere. Also `steps`: nodes placed and moves tried.
    """
    width = atlas.work.shape[1]
    members, best, own = np.empty(64, np.uint64), np.empty(64, np.uint64), np.empty(64, np.int32)
    loads, moved, trial = np.empty((64, width), np.int64), np.empty(width, np.int64), np.empty(width, np.int64)
    for at in range(regions.shape[0]):
        r = regions[at]
        a, b = atlas.first_node[r], atlas.first_node[r + 1]
        p0, p1 = atlas.first_part[r], atlas.first_part[r + 1]
        n, k = b - a, p1 - p0
        near, work, indptr, limits = atlas.near[a:b], atlas.work[a:b], atlas.indptr[a : b + 1], atlas.limits[p0:p1]
        indices, weights, extra = atlas.indices, atlas.weights, atlas.extra
        row = atlas.first_extra[r] if extra.shape[0] > 0 else 0
        state = seed + (np.uint64(r) << S32)
        state, grown = grow_parts(
            near, work, indptr, indices, weights, limits, atlas.bound[p0:p1], members, loads, own, state
        )
        found.steps[r] += n + most[r]
        if not grown:
            continue
        now, paid = price_plan(near, indptr, indices, weights, limits, extra, row, uneven, members[:k], loads)
        violated, cheapest = anneal(
            near, work, indptr, indices, weights, limits, extra, row, uneven, atlas.anchored[r], most[r], members,
            loads, own, moved, trial, best, now, paid, state,
        )  # fmt: skip
        before = found.cost[r] if violated == 0 else found.paid[r]
        if violated < found.miss[r] or (violated == found.miss[r] and cheapest < before):
            found.miss[r], found.paid[r] = violated, cheapest
            if violated == 0:
                found.cost[r] = cheapest
            for j in range(k):
                rest = best[j]
                while rest != NONE:
                    found.labels[a + lowest(rest)] = j
                    rest &= rest - ONE
