"""
Exact plans of tiny regions: list the connected sets that may be parts, then cover the region with them at least cost.

Costs are doubled here, so that a part pays for its whole border and each cut edge is paid by both its parts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.bits import NONE, ONE, lowest
from gridopt._kernels.jit import helper, kernel

__all__ = ["INFEASIBLE", "NEAR", "NO_COST", "OPEN", "OPTIMAL", "Atlas", "Found", "Room", "solve_tiny"]

OPEN, OPTIMAL, INFEASIBLE, NEAR = 0, 1, 2, 3
NO_COST = 2**62
MILLION = 1_000_000
WIDER, WIDEST, SCAN = 1.5, 2.0, 8
BIG = 1e300


class Atlas(NamedTuple):
    """
    Regions of a problem, nodes and parts sorted by region; within a region neighbours have numbers near each other.

    `first_node`, `first_part` int64 (r + 1,). Of each node: edges as CSR `indptr` int64 (n + 1,), `indices` int64
    (position in its region), `weights` int64, at least 0; `near` uint64 (n, 2), its neighbours and the nodes it may
    share no part with; `border` int64 (n,), weight of all its edges; `work` int64 (n, a). Of each part: `limits` int64
    (k, 3, a), lo, hi and target, the target at least 1; `bound` uint64 (k,), nodes fixed to it. Of each region:
    `widest` int64 (r, 2, a), least lo and greatest hi of its parts; `anchored` uint64 (r,), its fixed nodes; `named`
    (r,), 1 where parts differ. `extra` int64, at least 0: price of each node in each part of its region, row by row
    from `first_extra` int64 (r,) on, or empty.
    """

    first_node: NDArray[np.int64]
    first_part: NDArray[np.int64]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    weights: NDArray[np.int64]
    near: NDArray[np.uint64]
    border: NDArray[np.int64]
    work: NDArray[np.int64]
    limits: NDArray[np.int64]
    bound: NDArray[np.uint64]
    widest: NDArray[np.int64]
    anchored: NDArray[np.uint64]
    named: NDArray[np.int64]
    extra: NDArray[np.int64]
    first_extra: NDArray[np.int64]


class Found(NamedTuple):
    """
    What is known of the regions of an atlas, which kernels write and go on from.

    Of each node: `labels` int32, part in its region, -1 where there is no plan, and `prices` float64, which hold for
    all sets once a region is ``NEAR``; `pledge` float64 (r,) is their sum. Of each region int64 (r,): `status`; `cost`
    of the plan, `NO_COST` where none within limits is known; `bound`, which no plan within limits is cheaper than;
    `steps` made; `miss` and `paid`, violation and cost of `labels` where they are outside limits or do not keep pairs
    apart (`miss` is 0 where they are sound, `NO_COST` where there are none); `widened`, how often the border was
    widened up to which sets are listed, -1 before the first listing.
    """

    labels: NDArray[np.int32]
    prices: NDArray[np.float64]
    pledge: NDArray[np.float64]
    status: NDArray[np.int64]
    cost: NDArray[np.int64]
    bound: NDArray[np.int64]
    steps: NDArray[np.int64]
    miss: NDArray[np.int64]
    paid: NDArray[np.int64]
    widened: NDArray[np.int64]


class Room(NamedTuple):
    """
    Scratch of one thread: the sets of a region, and the searches among them.

    Sets: `nodes` uint64, `cost` int64 (..., 2) with the part, `slack` float64; `first` int64 (65, 2): begin and end of
    the sets of each first node. `price` float64 (66, 2): of each node, and scratch; `curve` float64 (66,), see
    `knapsack`; `load` int64 (a,). Stacks: `words` uint64 (66, 3), `cuts` int64 (66, 2), `sums` int64 (66, a); `best`
    int64 (64,).
    """

    nodes: NDArray[np.uint64]
    cost: NDArray[np.int64]
    slack: NDArray[np.float64]
    first: NDArray[np.int64]
    price: NDArray[np.float64]
    curve: NDArray[np.float64]
    load: NDArray[np.int64]
    words: NDArray[np.uint64]
    cuts: NDArray[np.int64]
    sums: NDArray[np.int64]
    best: NDArray[np.int64]


@helper
def rest_fits(near, work, rest, widest, parts, load):
    """Whether the loads of the pieces of `rest` allow it to be divided into `parts` parts. `load` is scratch (a,)."""
    least, most = 0, 0
    while rest != NONE:
        front = rest & (~rest + ONE)
        seen, nodes = front, 0
        for c in range(load.shape[0]):
            load[c] = 0
        while front != NONE:
            v = lowest(front)
            front &= front - ONE
            nodes += 1
            for c in range(load.shape[0]):
                load[c] += work[v, c]
            more = near[v, 0] & rest & ~seen
            seen |= more
            front |= more
        rest &= ~seen
        fewest, fullest = 1, nodes
        for c in range(load.shape[0]):
            if widest[1, c] > 0:
                fewest = max(fewest, (load[c] + widest[1, c] - 1) // widest[1, c])
            elif load[c] > 0:
                return False
            if widest[0, c] > 0:
                fullest = min(fullest, load[c] // widest[0, c])
        if fewest > fullest:
            return False
        least += fewest
        most += fullest
    return least <= parts and parts <= most


@helper
def price_beside(limits, extra, first, k, uneven, members, loads):
    """Price of a set as one part, beside its border: deviation from the target, and prices of its nodes there."""
    total = 0
    if uneven > 0:
        for c in range(loads.shape[0]):
            total += uneven * (abs(loads[c] - limits[2, c]) * MILLION // limits[2, c])
    if extra.shape[0] > 0:
        while members != NONE:
            total += extra[first + lowest(members) * k]
            members &= members - ONE
    return total


@helper
def list_sets(
    near, weight, work, indptr, indices, weights, limits, bound, widest, anchored, named, extra, row, uneven, nodes,
    cost, first, price, curve, load, words, cuts, sums, spare, most,
):  # fmt: skip
    """
    List all connected sets within limits that cost at most `spare` more than their nodes and whose rest fits, too.

    Sets of which node ``v`` is the first are ``[first[v, 0], first[v + 1, 0])``; where parts differ, a set is there
    once for each part it may be. Grown node by node, each neighbour being taken or left for good; a branch ends where
    what was left for good borders the set by more than it, `spare` and any nodes to come are priced: `curve`.

    Returns
    -------
    (int, int)
        Sets listed, -1 where there is no room or `most` sets were grown; and sets grown.
    """
    n, k, width = near.shape[0], limits.shape[0], work.shape[1]
    full = ~NONE >> np.uint64(64 - n)
    shares = (curve.shape[0] - 2) / max(1, widest[1, 0])
    count, grown = 0, 0
    for v in range(n):
        first[v, 0] = count
        words[0, 0], words[0, 1], words[0, 2] = NONE, ONE << np.uint64(v), (ONE << np.uint64(v)) - ONE
        cuts[0, 0], cuts[0, 1], price[0, 1] = 0, 0, spare
        for c in range(width):
            sums[0, c] = 0
        depth = 1
        while depth > 0:
            depth -= 1
            members, front, left, worth = words[depth, 0], words[depth, 1], words[depth, 2], price[depth, 1]
            cut, border = cuts[depth, 0], cuts[depth, 1]
            allowed = worth + curve[np.int64((widest[1, 0] - sums[depth, 0]) * shares) + 1]
            u = lowest(front)
            front &= front - ONE
            inner, outer = 0, 0
            for e in range(indptr[u], indptr[u + 1]):
                x = np.uint64(indices[e])
                inner += weights[e] * np.int64((members >> x) & ONE)
                outer += weights[e] * np.int64((left >> x) & ONE)
            left |= ONE << np.uint64(u)
            into = depth + (members != NONE and front != NONE and cut + inner <= allowed)  # what is left without u
            outer -= inner  # what is decided includes the members
            worth += price[u, 0]
            light, heavy = (near[u, 1] & members) == NONE, False
            for c in range(width):
                total = sums[depth, c] + work[u, c]
                light &= total <= widest[1, c]
                heavy |= total < widest[0, c]
                sums[into, c] = total
            if into > depth:
                words[depth, 1], words[depth, 2], cuts[depth, 0] = front, left, cut + inner
                depth += 1
            if not light or cut + outer > worth + curve[np.int64((widest[1, 0] - sums[into, 0]) * shares) + 1]:
                continue
            grown += 1
            members |= ONE << np.uint64(u)
            border += weight[u] - 2 * inner
            if not heavy and border <= worth and rest_fits(near, work, full & ~members, widest, k - 1, load):
                for j in range(k if named > 0 else 1):
                    fits = (members & anchored & ~bound[j]) == NONE and (bound[j] & ~members) == NONE
                    for c in range(width):
                        fits &= limits[j, 0, c] <= sums[into, c] and sums[into, c] <= limits[j, 1, c]
                    whole = border + 2 * price_beside(limits[j], extra, row + j, k, uneven, members, sums[into])
                    if fits and whole <= worth and count < nodes.shape[0]:
                        nodes[count], cost[count, 0], cost[count, 1] = members, whole, j if named > 0 else -1
                        count += 1
            if grown > most or count == nodes.shape[0]:
                return -1, grown
            front |= near[u, 0] & ~left
            if front != NONE:
                words[into, 0], words[into, 1], words[into, 2] = members, front, left
                cuts[into, 0], cuts[into, 1], price[into, 1] = cut + outer, border, worth
                depth = into + 1
    first[n, 0] = count
    return count, grown


@helper
def raise_prices(nodes, cost, slack, price, n, count, rounds):
    """
    Price nodes so that no listed set costs less than its nodes do; return the sum of the prices, a bound on all covers.

    In each round each price is raised by the least ratio of cost to prices of the sets the node lies in, which keeps
    all sets dear enough. `BIG` where some node lies in no set. `slack` is written: what a set costs above its nodes.
    """
    total = 0.0
    for r in range(rounds + 1):
        for u in range(n):
            price[u, 1] = BIG
        for i in range(count):
            paid, members = 0.0, nodes[i]
            while members != NONE:
                paid += price[lowest(members), 0]
                members &= members - ONE
            slack[i] = cost[i, 0] - paid
            ratio = cost[i, 0] / paid if paid > 0.0 else 0.0
            members = nodes[i]
            while members != NONE:
                u = lowest(members)
                members &= members - ONE
                price[u, 1] = min(price[u, 1], ratio)
        total = 0.0
        for u in range(n):
            if price[u, 1] == BIG:
                return BIG
            if r < rounds:
                price[u, 0] *= price[u, 1]
            total += price[u, 0]
    return total


@helper
def exchange(nodes, cost, slack, i, j):
    """Swap two listed sets."""
    nodes[i], nodes[j] = nodes[j], nodes[i]
    cost[i, 0], cost[j, 0] = cost[j, 0], cost[i, 0]
    cost[i, 1], cost[j, 1] = cost[j, 1], cost[i, 1]
    slack[i], slack[j] = slack[j], slack[i]


@helper
def cover(near, work, widest, load, nodes, cost, slack, price, first, words, cuts, best, k, bound, below, most):
    """
    Cover the region with `k` listed sets that do not overlap, at a doubled cost less than `below`, the cheapest way.

    The first node left over is covered by each of its sets in turn, the least slack first, as long as what is then left
    may be divided; what a partial cover costs at least is `bound` and the slacks of its sets. `best` takes the sets.

    Returns
    -------
    (int, int, bool)
        Least doubled cost (`below`: none is cheaper), sets looked at, and whether all were looked at that matter.
    """
    n = near.shape[0]
    for v in range(n):
        begin = first[v, 0]
        end = begin
        for i in range(begin, first[v + 1, 0]):
            if bound + slack[i] <= below - 1.0:
                exchange(nodes, cost, slack, i, end)
                end += 1
        first[v, 1] = end
        gap = 1
        while 3 * gap < end - begin:
            gap = 3 * gap + 1
        while gap > 0:
            for i in range(begin + gap, end):
                j = i
                while j >= begin + gap and slack[j - gap] > slack[j]:
                    exchange(nodes, cost, slack, j - gap, j)
                    j -= gap
            gap //= 3
    cuts[0, 0], price[0, 1] = first[0, 0], bound
    words[0, 0], words[0, 1] = ~NONE >> np.uint64(64 - n), NONE
    depth, seen = 0, 0
    while depth >= 0:
        i, rest, used, spent = cuts[depth, 0], words[depth, 0], words[depth, 1], price[depth, 1]
        if i >= first[lowest(rest), 1] or spent + slack[i] > below - 1.0:
            depth -= 1
            continue
        cuts[depth, 0] += 1
        seen += 1
        if seen > most:
            return below, seen, False
        if cost[i, 1] >= 0:
            x = ONE << np.uint64(cost[i, 1])
            if (used & x) != NONE:
                continue
            used |= x
        if (nodes[i] & ~rest) != NONE:
            continue
        cuts[depth, 1] = i
        rest &= ~nodes[i]
        if (rest == NONE) != (depth == k - 1):
            continue
        if rest == NONE:
            below = 0
            for j in range(k):
                best[j] = cuts[j, 1]
                below += cost[cuts[j, 1], 0]
            continue
        if not rest_fits(near, work, rest, widest, k - 1 - depth, load):
            continue
        depth += 1
        words[depth, 0], words[depth, 1] = rest, used
        cuts[depth, 0], price[depth, 1] = first[lowest(rest), 0], spent + slack[i]
    return below, seen, True


@helper
def knapsack(price, work, space, n, curve):
    """
    Most that nodes of so much work can be priced, the last one taken in part: ``curve[i]`` for ``i`` of `space` shares.

    A share is `space` through the length of `curve` less 2; the last two values are the same. Of the first attribute.
    """
    for u in range(n):
        price[u, 1] = price[u, 0] / work[u, 0] if work[u, 0] > 0 else BIG
    total, filled, i, last = 0.0, 0.0, 0, curve.shape[0] - 1
    for _ in range(n):
        top = 0
        for u in range(n):
            if price[u, 1] > price[top, 1]:
                top = u
        while work[top, 0] > 0 and i < last and space * i <= (filled + work[top, 0]) * (last - 1):
            curve[i] = total + price[top, 0] * (space * i / (last - 1) - filled) / work[top, 0]
            i += 1
        total += price[top, 0]
        filled += work[top, 0]
        price[top, 1] = -1.0
    while i < last:
        curve[i] = total
        i += 1
    curve[last] = curve[last - 1]


@helper
def clear(price, curve, n):
    """Set the prices of nodes and their curve to zero."""
    price[:n, 0] = 0.0
    curve[:] = 0.0


@helper
def price_by_load(price, work, widest):
    """Prices to begin with: the shares of each node in the greatest loads."""
    for u in range(work.shape[0]):
        price[u, 0] = 1e-3
        for c in range(work.shape[1]):
            price[u, 0] += work[u, c] / max(1, widest[1, c])


@helper
def write_plan(nodes, cost, best, labels, k):
    """Labels of the cover `best`."""
    for j in range(k):
        members, part = nodes[best[j]], cost[best[j], 1]
        while members != NONE:
            labels[lowest(members)] = part if part >= 0 else j
            members &= members - ONE


@helper
def take_plan(found, r, cost):
    """Note that the labels of region `r` are a plan within limits of this cost."""
    found.cost[r], found.miss[r] = cost, 0
    found.bound[r] = cost if found.status[r] == OPTIMAL else min(found.bound[r], cost)


@helper
def keep_prices(found, r, a, b, price, share, least):
    """Note prices of the nodes ``[a, b)`` of region `r` that hold for all sets, and what follows."""
    found.prices[a:b] = price[: b - a, 0] * share
    found.pledge[r], found.status[r] = least * share, NEAR
    found.bound[r] = max(found.bound[r], np.int64(np.ceil(least * share / 2.0 - 0.01)))


@kernel
def solve_tiny(atlas, regions, room, uneven, first_reach, rounds, prove, most, found):
    """
    Find the cheapest plan within limits of each region, with proof, or prove that there is none; give up after `most`.

    Sets are listed up to some length of border first, and covered. From these follow prices of the nodes that hold for
    all sets: the region is ``NEAR``. With them and a plan, all sets are listed that a cheaper plan could contain, and
    the region is covered again. What was done for a region in one call need not be done again in the next.

    Parameters
    ----------
    atlas : Atlas
    regions : int64 (b,)
        Regions to solve. Different regions may be solved at once, each thread with a room of its own.
    room : Room
    uneven : int
        Price of a millionth of deviation from the targets.
    first_reach : float
        Border of the first sets listed, in typical borders of a part: edge weights x sqrt(parts / nodes) / parts.
    rounds : int
        Of `raise_prices`.
    prove : bool
        Whether to go on when a region is ``NEAR``.
    most : int64 (r,)
        Steps of this call after which a region is left as it is: sets grown, and an eighth of those looked at while
        covering.
    found : Found
        Written for `regions`: status ``OPEN``, ``NEAR`` (the cheapest plan of the sets listed first is known, or a
        cheaper one), ``OPTIMAL`` or ``INFEASIBLE``; labels where a plan is found that costs less than `cost`.
    """
    nodes, listed, slack, first, price, curve, load, words, cuts, sums, best = room
    for at in range(regions.shape[0]):
        r = regions[at]
        a, b = atlas.first_node[r], atlas.first_node[r + 1]
        p, q = atlas.first_part[r], atlas.first_part[r + 1]
        n, k = b - a, q - p
        near, border, work, widest = atlas.near[a:b], atlas.border[a:b], atlas.work[a:b], atlas.widest[r]
        row = atlas.first_extra[r] if atlas.extra.shape[0] > 0 else 0
        total, left = border.sum(), most[r]
        known = 2 * found.cost[r] if found.cost[r] < NO_COST else NO_COST
        typical, space, wide = total * np.sqrt(k / n) / k, float(widest[1, 0]), 1.0
        clear(price, curve, n)
        going = left > 0
        while going:
            sure = found.status[r] == NEAR
            if sure:
                price[:n, 0] = found.prices[a:b]
                knapsack(price, work, space, n, curve)
                spare = known - 1.0 - found.pledge[r]
            else:
                wide = WIDER ** max(0, found.widened[r])
                spare = first_reach * typical * wide + 1.0
            whole = not sure and (spare >= total or wide > WIDEST)
            count, done = list_sets(
                near, border, work, atlas.indptr[a : b + 1], atlas.indices, atlas.weights, atlas.limits[p:q],
                atlas.bound[p:q], widest, atlas.anchored[r], atlas.named[r], atlas.extra, row, uneven, nodes, listed,
                first, price, curve, load, words, cuts, sums, BIG if whole else spare, left,
            )  # fmt: skip
            left -= done
            if count < 0:
                break
            found.widened[r] = max(0, found.widened[r])
            if not sure:
                price_by_load(price, work, widest)
            least = raise_prices(nodes, listed, slack, price, n, count, rounds)
            if least < BIG:
                cheapest, done, all_seen = cover(
                    near, work, widest, load, nodes, listed, slack, price, first, words, cuts, best, k, least, known,
                    SCAN * left,
                )  # fmt: skip
                left -= done // SCAN
                if cheapest < known:
                    known = cheapest
                    write_plan(nodes, listed, best, found.labels[a:b], k)
                if not all_seen:
                    break
            if sure or whole:
                found.status[r] = OPTIMAL if known < NO_COST else INFEASIBLE
                break
            if known == NO_COST or least == BIG:
                found.widened[r] += 1
                clear(price, curve, n)
                continue
            knapsack(price, work, space, n, curve)
            share = min(1.0, spare / max(1.0, curve[-1]))  # then no set that was not listed is worth more than it costs
            keep_prices(found, r, a, b, price, share, least)
            going = prove
        found.steps[r] += most[r] - left
        if known < NO_COST:
            take_plan(found, r, known // 2)
