"""Moves of single nodes: what they change, and whether the part left behind stays connected. The price of a plan."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.jit import helper, inlined, kernel

__all__ = ["Limits", "Terms", "local_gain", "part_price", "plan_price", "shift", "stays_connected", "tally"]

MILLION = 1_000_000


class Limits(NamedTuple):
    """
    Loads: `workload` int64 (n, a); `lo`, `hi`, `target` int64 (k, a), `target` at least 1; `per` float64 (k, a).

    `per` is a million over the target: millionths for each work unit.
    """

    workload: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    target: NDArray[np.int64]
    per: NDArray[np.float64]


class Terms(NamedTuple):
    """
    What a plan costs beside the cut, and pairs kept apart.

    `unit_cost` int64 (n, k) or (0, 0); `home` int32 (n,) (-1: none) and `away_cost` int64 (n,), or both (0,);
    `apart_indptr` int64 (n + 1,), `apart_indices` int32, symmetric; `prices` int64 (2,): of a millionth of deviation,
    and of one unit of inertia; `inertia` int64 (n, 4): mass, mass x, mass y, mass (x² + y²), or (0, 4).
    """

    unit_cost: NDArray[np.int64]
    home: NDArray[np.int32]
    away_cost: NDArray[np.int64]
    apart_indptr: NDArray[np.int64]
    apart_indices: NDArray[np.int32]
    prices: NDArray[np.int64]
    inertia: NDArray[np.int64]


@kernel
def local_gain(indptr, indices, weights, unit_cost, home, away_cost, labels, u, a, b):
    """Gain in cost (cut, unit costs, leaving home) when `u` moves from part `a` to part `b`. O(degree)."""
    gain = 0
    for e in range(indptr[u], indptr[u + 1]):
        p = labels[indices[e]]
        gain += weights[e] * (np.int64(p == b) - np.int64(p == a))  # no branch: it could not be predicted
    if unit_cost.shape[0] > 0:
        gain += unit_cost[u, a] - unit_cost[u, b]
    if home.shape[0] > 0:
        if home[u] == a:
            gain -= away_cost[u]
        elif home[u] == b:
            gain += away_cost[u]
    return gain


@kernel
def apart_gain(apart_indptr, apart_indices, labels, u, a, b):
    """How many broken `apart` pairs are mended (negative: broken) when `u` moves from part `a` to part `b`."""
    gain = 0
    for e in range(apart_indptr[u], apart_indptr[u + 1]):
        p = labels[apart_indices[e]]
        if p == a:
            gain += 1
        elif p == b:
            gain -= 1
    return gain


@helper
def part_violation(lo, hi, target, loads, p):
    """Violation of the limits of part `p`, in millionths of its targets. O(attributes)."""
    total = 0
    for c in range(loads.shape[1]):
        load = loads[p, c]
        if load > hi[p, c]:
            total += (load - hi[p, c]) * MILLION // target[p, c]
        elif load < lo[p, c]:
            total += (lo[p, c] - load) * MILLION // target[p, c]
    return total


@inlined
def part_strain(lo, hi, per, strain, swell, loads, workload, p, u, sign):
    """
    Price of the violation of part `p`: ``strain x (1 + swell x)`` for each miss of ``x`` millionths. O(attributes).

    As it would be with node `u` added (`sign` 1) or taken out (-1); as it is with 0. That large misses cost more than
    in proportion spreads them over many parts, where they can be mended.
    """
    total = 0.0
    for c in range(loads.shape[1]):
        load = loads[p, c] + sign * workload[u, c]
        miss = max(load - hi[p, c], lo[p, c] - load, 0) * per[p, c]
        total += miss * (1.0 + swell * miss)
    return strain * total


@kernel
def part_price(target, prices, loads, moments, workload, inertia, p, u, sign):
    """
    Cost of part `p` as a whole: deviation from its targets, and inertia. O(attributes).

    As it would be with node `u` added (`sign` 1) or taken out (-1); as it is with 0.
    """
    cost = 0
    if prices[0] > 0:
        for c in range(loads.shape[1]):
            load = loads[p, c] + sign * workload[u, c]
            cost += prices[0] * (abs(load - target[p, c]) * MILLION // target[p, c])
    if prices[1] > 0:
        mass = moments[p, 0] + sign * inertia[u, 0]
        sum_x = moments[p, 1] + sign * inertia[u, 1]
        sum_y = moments[p, 2] + sign * inertia[u, 2]
        cost += prices[1] * (moments[p, 3] + sign * inertia[u, 3])
        if mass > 0:  # (x² + y²) // mass without leaving int64
            x, y = sum_x // mass, sum_y // mass
            dx, dy = sum_x - x * mass, sum_y - y * mass
            cost -= prices[1] * (x * sum_x + y * sum_y + dx * x + dy * y + (dx * dx + dy * dy) // mass)
    return cost


@kernel
def shift(workload, prices, inertia, labels, loads, sizes, moments, u, a, b):
    """Move `u` from part `a` to part `b` in labels, loads, sizes and moments (all written in place)."""
    labels[u] = b
    sizes[a] -= 1
    sizes[b] += 1
    for c in range(loads.shape[1]):
        loads[a, c] -= workload[u, c]
        loads[b, c] += workload[u, c]
    if prices[1] > 0:
        for c in range(4):
            moments[a, c] -= inertia[u, c]
            moments[b, c] += inertia[u, c]


@kernel
def tally(limits, terms, labels, loads, sizes, moments):
    """Compute loads (k, a), sizes (k,) and moments (k, 4) of `labels` from scratch; all are overwritten. O(n)."""
    for p in range(loads.shape[0]):
        sizes[p] = 0
        for c in range(loads.shape[1]):
            loads[p, c] = 0
        for c in range(4):
            moments[p, c] = 0
    for u in range(labels.shape[0]):
        p = labels[u]
        sizes[p] += 1
        for c in range(loads.shape[1]):
            loads[p, c] += limits.workload[u, c]
        if terms.prices[1] > 0:
            for c in range(4):
                moments[p, c] += terms.inertia[u, c]


@kernel
def plan_price(csr, limits, terms, labels, loads, moments):
    """Return (violation, cost) of `labels` from scratch, given their tally. O(n + m)."""
    violation, cost = 0, 0
    for u in range(labels.shape[0]):
        p = labels[u]
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            v = csr.indices[e]
            if v > u and labels[v] != p:
                cost += csr.weights[e]
        for e in range(terms.apart_indptr[u], terms.apart_indptr[u + 1]):
            v = terms.apart_indices[e]
            if v > u and labels[v] == p:
                violation += MILLION
        if terms.unit_cost.shape[0] > 0:
            cost += terms.unit_cost[u, p]
        if terms.home.shape[0] > 0 and terms.home[u] >= 0 and terms.home[u] != p:
            cost += terms.away_cost[u]
    for p in range(loads.shape[0]):
        violation += part_violation(limits.lo, limits.hi, limits.target, loads, p)
        cost += part_price(limits.target, terms.prices, loads, moments, limits.workload, terms.inertia, p, 0, 0)
    return violation, cost


@inlined
def find_root(parent, i):
    """Root of `i` in a union-find forest, halving paths on the way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def stays_connected(indptr, indices, labels, u, part, seen, owner, queue, offset, parent, pending, stamp, limit):
    """
    Whether the neighbours of `u` in `part` reach each other inside `part` without `u`; `u` itself is not in question.

    Searches from all of them in turn, so that a small piece broken off is noticed after a few steps; gives up, and says
    no, after `limit` nodes.

    Parameters
    ----------
    seen : int64 (n,)
        Marks of earlier searches, all different from `stamp`. Written, inside `part` only.
    owner : int32 (n,)
        Scratch beside `seen`: which neighbour a node was reached from.
    queue : int32 (...)
        Scratch from `offset` on, with room for all nodes of `part`.
    parent, pending : int32 (degree,)
        Scratch of at least the degree of `u`.
    """
    sources = 0
    tail = offset
    for e in range(indptr[u], indptr[u + 1]):
        v = indices[e]
        if labels[v] == part:
            seen[v] = stamp
            owner[v] = sources
            parent[sources] = sources
            pending[sources] = 1
            sources += 1
            queue[tail] = v
            tail += 1
    if sources <= 1:
        return True
    apart = sources - 1
    head = offset
    stop = offset + sources + limit
    while head < tail:
        if head >= stop:
            return False
        v = queue[head]
        head += 1
        mine = find_root(parent, owner[v])
        for e in range(indptr[v], indptr[v + 1]):
            x = indices[e]
            if labels[x] != part or x == u:
                continue
            if seen[x] == stamp:
                other = find_root(parent, owner[x])
                if other != mine:
                    parent[other] = mine
                    pending[mine] += pending[other]
                    apart -= 1
                    if apart == 0:
                        return True
            else:
                seen[x] = stamp
                owner[x] = mine
                queue[tail] = x
                tail += 1
                pending[mine] += 1
        pending[mine] -= 1
        if pending[mine] == 0:
            return False
    return False
