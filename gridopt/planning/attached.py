"""The least that can change hands at one grid: sets of units that hang together with it, lightest first."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["corridors", "least_attached", "least_sum"]

MOST_SETS = 1500
"""Sets looked at for one grid; what is lighter than the next one is a bound all the same."""
MOST_BITS = 1 << 20
"""Loads up to which all sums of workloads are listed."""


def least_attached(
    near: Callable[[int], list[int]],
    roots: Iterable[int],
    allowed: Callable[[int], bool],
    load: NDArray[np.int64],
    weight: NDArray[np.int64],
    wanted: int,
) -> int:
    """
    Least weight of a set of units with a load of `wanted` that grows from `roots`; a lower bound where there are many.

    Parameters
    ----------
    near : callable
        Neighbours of a unit.
    roots : iterable of int
        Units a set may begin with; a unit belongs to a set if it is a root or has a neighbour in it.
    allowed : callable
        Whether a unit may belong to it.
    load, weight : ndarray of int64, shape (n,)
    wanted : int

    Notes
    -----
    Sets come in the order of their weight (Dijkstra's algorithm on sets), each once. Sets are whole numbers, a bit for
    each unit met so far.
    """
    place: dict[int, int] = {}
    masks: list[int] = []
    units: list[tuple[int, int, int]] = []

    def bit(u: int) -> int:
        if u not in place:
            place[u] = len(units)
            units.append((u, int(weight[u]), int(load[u])))
            masks.append(-1)
        return 1 << place[u]

    def beside(i: int) -> int:
        if masks[i] < 0:
            masks[i] = sum(bit(v) for v in set(near(units[i][0])) if allowed(v) and v != units[i][0])
        return masks[i]

    start = sum(bit(u) for u in sorted(set(roots)) if allowed(u))
    heap: list[tuple[int, int, int, int, int]] = [(0, 0, 0, start, 0)]
    looked = 0
    while heap:
        total, got, inside, left, out = heapq.heappop(heap)
        looked += 1
        if -got >= wanted or looked > MOST_SETS:
            return total
        while left:
            own = left & -left
            i = own.bit_length() - 1
            left ^= own
            _, dear, much = units[i]
            grown = beside(i) & ~(inside | out | own)
            heapq.heappush(heap, (total + dear, got - much, inside | own, left | grown, out))
            out |= own
    return int(weight.sum())


def least_sum(load: NDArray[np.int64], weight: NDArray[np.int64], wanted: int) -> int:
    """
    Least weight of any units whose loads add up to `wanted`; a lower bound of it, but where weights are the loads.

    Examples
    --------
    >>> least_sum(np.array([5, 7, 20]), np.array([5, 7, 20]), 9)
    12
    """
    if wanted <= 0:
        return 0
    if np.array_equal(load, weight):
        if int(load.sum()) > MOST_BITS:
            return wanted
        sums = 1
        for w in load.tolist():
            sums |= sums << w
        above = sums >> wanted
        return wanted + (above & -above).bit_length() - 1 if above else int(load.sum()) + 1
    some = load > 0
    if int(load.sum()) < wanted:
        return int(weight.sum()) + 1
    ratio = weight[some] / load[some]
    order = np.argsort(ratio, kind="stable")
    reached = np.cumsum(load[some][order])
    at = int(np.searchsorted(reached, wanted))
    before = int(reached[at - 1]) if at else 0
    least = float(weight[some][order][:at].sum()) + float(ratio[order][at]) * (wanted - before)
    return int(np.ceil(least * (1 - 1e-9) - 1e-6))


def corridors(
    near: Callable[[int], list[int]],
    grid: NDArray[np.int32],
    inside: NDArray[np.int64],
    price: NDArray[np.int64],
    cutoff: int,
) -> dict[int, int]:
    """
    Grids that are reached from the units `inside` over others of less weight than `cutoff`, and the least such weight.

    Parameters
    ----------
    near : callable
        Neighbours of a unit.
    grid : ndarray of int32, shape (n,)
        Grid of each unit, -1 for none.
    inside : ndarray of int64
        Units to start from.
    price : ndarray of int64, shape (n,)
        Weight of a unit on the way.
    cutoff : int
    """
    found: dict[int, int] = {}
    begin = set(inside.tolist())
    heap = [(0, u) for u in sorted(begin)]
    least: dict[int, int] = dict.fromkeys(begin, 0)
    while heap:
        total, u = heapq.heappop(heap)
        if total > least[u]:
            continue
        for v in near(u):
            if v in begin:
                continue
            if total < found.get(int(grid[v]), cutoff):
                found[int(grid[v])] = total
            further = total + int(price[v])
            if further < cutoff and further < least.get(v, cutoff):
                least[v] = further
                heapq.heappush(heap, (further, v))
    return found
