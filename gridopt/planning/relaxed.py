"""What has to move at least by a linear program over units and grids, torn grids taken case by case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

__all__ = ["Area", "least_relaxed"]

MOST_PAIRS = 12_000
"""Units times grids of a region up to which the program is solved."""
MOST_WORK = 100_000
"""Pairs times cases at most: grids in pieces are taken case by case as long as there are no more."""
SAFE = 1e-7
"""Share of the bound given up for the rounding of sums."""


@dataclass(frozen=True, eq=False)
class Area:
    """
    One region of a plan in force, by units and grids of its own.

    Parameters
    ----------
    edges : ndarray of int, shape (m, 2)
    workload : ndarray of int64, shape (n, a)
    lo, hi : ndarray of int64, shape (k, a)
    home : ndarray of int32, shape (n,)
        Grid in force, -1 where a unit has none.
    weight : ndarray of int64, shape (n,)
        What counts when a unit is not at home.
    fixed : ndarray of int32, shape (n,)
        Grid a unit is bound to, -1 where it is free.
    pieces : mapping of int to sequence of ndarray of int64
        Units of each piece of the grids that are in several.
    """

    edges: NDArray[np.int64]
    workload: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    home: NDArray[np.int32]
    weight: NDArray[np.int64]
    fixed: NDArray[np.int32]
    pieces: Mapping[int, Sequence[NDArray[np.int64]]]


def least_relaxed(area: Area) -> int:
    """
    Weight that leaves home in every plan within the limits, at least; 0 for areas that are too large.

    Notes
    -----
    Shares ``x[u, j]`` of units in grids, ``min sum_u w[u] (1 - x[u, home[u]])``: loads are within their limits, and a
    unit that is too light to be a grid has a neighbour in its own. Of a grid in pieces some pieces keep a unit: for
    each set of them, the others leave and a flow of 1 goes from the first of the set to each other one, through units
    that are in the grid as far as that. The least of all cases is the bound, computed from the multipliers, which are
    good for any of their values.

    Examples
    --------
    >>> path = np.array([[0, 1], [1, 2], [2, 3]])
    >>> load, home = np.array([[4], [3], [3], [5]]), np.array([0, 1, 1, 0], np.int32)
    >>> torn = Area(path, load, np.array([[1], [1]]), np.array([[14], [14]]), home, load[:, 0], home * 0 - 1,
    ...             {0: [np.array([0]), np.array([3])]})
    >>> least_relaxed(torn)
    4
    """
    n, k = len(area.home), len(area.lo)
    if n * k > MOST_PAIRS or k < 2:
        return 0
    program, least = _Program(area), None
    cases = [(_leaving(area, case), i, case) for i, case in enumerate(_cases(area, MOST_WORK // max(1, n * k)))]
    for leaving, _, case in sorted(cases, key=lambda entry: entry[:2]):
        if least is not None and leaving >= least:
            break
        found = program.bound(case)
        if found is not None:
            least = found if least is None else min(least, found)
    return 0 if least is None else max(0, ceil(least * (1 - SAFE) - 1e-6))


def _cases(area: Area, most: int) -> Iterator[dict[int, tuple[int, ...]]]:
    """Which pieces keep a unit, for each grid in pieces; grids beyond `most` cases in all are left open."""
    choices: list[list[tuple[int, tuple[int, ...]]]] = []
    for grid in sorted(area.pieces, key=lambda j: (len(area.pieces[j]), j)):
        count = len(area.pieces[grid])
        if 2**count > most:
            break
        most //= 2**count
        choices.append([(grid, kept) for size in range(count + 1) for kept in combinations(range(count), size)])
    for chosen in product(*choices):
        yield dict(chosen)


def _leaving(area: Area, case: Mapping[int, tuple[int, ...]]) -> int:
    """Weight of the pieces that keep no unit."""
    return sum(
        int(area.weight[units].sum())
        for grid, kept in case.items()
        for i, units in enumerate(area.pieces[grid])
        if i not in kept
    )


class _Program:
    """The constraints that all cases share."""

    def __init__(self, area: Area) -> None:
        self.area = area
        n, k = len(area.home), len(area.lo)
        self.n, self.k = n, k
        edges = np.concatenate([area.edges, area.edges[:, ::-1]]).astype(np.int64)
        self.source, self.sink = np.unique(edges, axis=0).T
        self.scale = max(1.0, float(area.weight.max(initial=0)))
        cost = np.repeat((area.weight / self.scale)[:, None], k, axis=1)
        cost[np.arange(n)[area.home >= 0], area.home[area.home >= 0]] = 0.0
        cost[area.home < 0] = 0.0
        self.cost = cost.ravel()
        self.most = np.ones((n, k))
        bound = area.fixed >= 0
        self.most[bound] = 0.0
        self.most[np.flatnonzero(bound), area.fixed[bound]] = 1.0
        every = sparse.identity(k, format="csr")
        self.whole = sparse.kron(sparse.identity(n, format="csr"), np.ones((1, k)), format="csr")
        rows, right = [], []
        for a in range(area.workload.shape[1]):
            unit = max(1.0, float(area.hi[:, a].max()))
            load = sparse.kron((area.workload[:, a] / unit)[None, :], every, format="csr")
            rows += [load, -load]
            right += [area.hi[:, a] / unit, -area.lo[:, a] / unit]
        beside = sparse.csr_matrix((np.ones(len(self.source)), (self.source, self.sink)), shape=(n, n))
        light = (area.workload[:, None, :] < area.lo[None, :, :]).any(axis=2)
        away = light & (area.home[:, None] != np.arange(k))
        rows.append((sparse.identity(n * k, format="csr") - sparse.kron(beside, every, format="csr"))[away.ravel()])
        right.append(np.zeros(int(away.sum())))
        self.rows, self.right = sparse.vstack(rows, format="csr"), np.concatenate(right)

    def bound(self, case: Mapping[int, tuple[int, ...]]) -> float | None:
        """Weight that moves at least where just these pieces keep a unit; None where that cannot be."""
        from scipy.optimize import linprog

        most, flows = self.most.copy(), []
        for grid, kept in case.items():
            pieces = self.area.pieces[grid]
            for i in range(len(pieces)):
                if i not in kept:
                    most[pieces[i], grid] = 0.0
            flows += [self._flow(grid, pieces[kept[0]], pieces[i]) for i in kept[1:]]
        width = self.n * self.k + len(self.source) * len(flows)
        cost = np.concatenate([self.cost, np.zeros(width - len(self.cost))])
        upper = np.concatenate([most.ravel(), *(open_ for *_, open_ in flows)])
        below, below_right = [_wide(self.rows, width)], [self.right]
        equal, equal_right = [_wide(self.whole, width)], [np.ones(self.n)]
        for f, (share, passing, kept_up, wanted, _) in enumerate(flows):
            first = self.n * self.k + f * len(self.source)
            below.append(sparse.hstack([share, *_placed(passing, first - self.n * self.k, width - first)]))
            below_right.append(wanted)
            equal.append(sparse.hstack([sparse.csr_matrix((kept_up.shape[0], first)), _wide(kept_up, width - first)]))
            equal_right.append(np.zeros(kept_up.shape[0]))
        a, b = sparse.vstack(below, format="csr"), np.concatenate(below_right)
        c, d = sparse.vstack(equal, format="csr"), np.concatenate(equal_right)
        found = linprog(cost, a, b, c, d, np.column_stack([np.zeros(width), upper]), method="highs")
        if found.status == 2:
            return None
        if found.status != 0:
            return 0.0
        y, z = np.minimum(0.0, found.ineqlin.marginals), found.eqlin.marginals
        reduced = cost - a.T @ y - c.T @ z
        return float(y @ b + z @ d + np.minimum(0.0, reduced) @ upper) * self.scale

    def _flow(self, grid: int, begin: NDArray[np.int64], end: NDArray[np.int64]) -> tuple:
        """
        Constraints of a flow of 1 from one piece to another, an arc for each neighbour.

        What enters a unit is at most its share in the grid, and goes on; 1 enters the last piece.
        """
        n, m = self.n, len(self.source)
        at = np.arange(m)
        into = sparse.csr_matrix((np.ones(m), (self.sink, at)), shape=(n, m))
        out = sparse.csr_matrix((np.ones(m), (self.source, at)), shape=(n, m))
        first, last = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        first[begin], last[end] = True, True
        between = np.flatnonzero(~first & ~last)
        share = sparse.csr_matrix(
            (-np.ones(len(between)), (np.arange(len(between)), between * self.k + grid)),
            shape=(len(between) + 1, n * self.k),
        )
        arrives = sparse.csr_matrix(-(last[self.sink] & ~last[self.source]).astype(np.float64))
        passing = sparse.vstack([into[between], arrives], format="csr")
        wanted = np.zeros(len(between) + 1)
        wanted[-1] = -1.0
        open_ = (~first[self.sink] & ~last[self.source]).astype(np.float64)
        return share, passing, (into - out)[between], wanted, open_


def _wide(rows: sparse.csr_matrix, width: int) -> sparse.csr_matrix:
    """Rows with columns of zeros behind."""
    return sparse.hstack([rows, sparse.csr_matrix((rows.shape[0], width - rows.shape[1]))], format="csr")


def _placed(rows: sparse.csr_matrix, before: int, width: int) -> list[sparse.csr_matrix]:
    """Rows between columns of zeros, `width` of them from the rows on."""
    return [sparse.csr_matrix((rows.shape[0], before)), _wide(rows, width)]
