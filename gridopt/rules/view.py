"""View: a problem with units that must share a grid merged into clusters, as the certificates look at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Severity
from gridopt.model import Problem
from gridopt.model.graph import components, first_places

__all__ = ["NO_LIMIT", "View"]

NO_LIMIT = 1 << 62
"""Upper limit where there is none."""


@dataclass(frozen=True, eq=False)
class View:
    """A problem with units that must share a grid (compounds, units fixed to one grid) merged into clusters."""

    problem: Problem
    cluster: NDArray[np.int64]  # (n,), numbered by smallest unit
    first: NDArray[np.int64]  # (c,) smallest unit of each cluster
    load: NDArray[np.int64]  # (c, a)
    size: NDArray[np.int64]  # (c,) units
    grid: NDArray[np.int64]  # (c,) grid it is fixed to, or -1
    region: NDArray[np.int64]  # (c,) region of the smallest unit
    by_limits: Severity  # severity of proofs that rest on limits
    by_locks: Severity  # severity of proofs that rest on locks, and on clusters

    @classmethod
    def of(cls, problem: Problem) -> View:
        """Merge what locks put into one grid."""
        n, k = problem.n_units, problem.n_grids
        compound = np.where(problem.together >= 0, problem.together.astype(np.int64), -1)
        n_compounds = int(compound.max(initial=-1)) + 1
        units = np.arange(n)
        tied = [np.column_stack([units[compound >= 0], n + compound[compound >= 0]])]
        bound = problem.fixed >= 0
        tied.append(np.column_stack([units[bound], n + n_compounds + problem.fixed[bound].astype(np.int64)]))
        cluster = components(n + n_compounds + k, np.concatenate(tied))[:n].astype(np.int64)
        c = int(cluster.max(initial=-1)) + 1
        first = first_places(cluster, c)
        load = np.zeros((c, problem.n_attributes), dtype=np.int64)
        np.add.at(load, cluster, problem.workload)
        grid = np.full(c, -1, dtype=np.int64)
        grid[cluster[bound]] = problem.fixed[bound]
        severity: Severity = "warning" if problem.soft else "error"
        size = np.bincount(cluster, minlength=c)
        return cls(
            problem, cluster, first, load, size, grid, problem.nesting.region[first].astype(np.int64), severity, "error"
        )

    def merged(self, pairs: NDArray[np.int64]) -> View:
        """Return the view with clusters that limits force into one grid merged; of several grids the last counts."""
        onto = components(len(self.first), pairs).astype(np.int64)
        c = int(onto.max(initial=-1)) + 1
        load, size, grid = (
            np.zeros((c, self.load.shape[1]), dtype=np.int64),
            np.zeros(c, dtype=np.int64),
            np.full(c, -1),
        )
        np.add.at(load, onto, self.load)
        np.add.at(size, onto, self.size)
        np.maximum.at(grid, onto, self.grid)
        first = first_places(onto, c)
        return replace(
            self,
            cluster=onto[self.cluster],
            first=self.first[first],
            load=load,
            size=size,
            grid=grid,
            region=self.region[first],
            by_locks=self.by_limits,
        )

    def limits(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Least lower and greatest upper limit of the grids of each region, (r, a), and their number, (r,)."""
        problem, r = self.problem, self.problem.nesting.n_regions
        lo = np.full((r, problem.n_attributes), NO_LIMIT)
        hi = np.zeros((r, problem.n_attributes), dtype=np.int64)
        np.minimum.at(lo, problem.nesting.grid_region, problem.lo)
        np.maximum.at(hi, problem.nesting.grid_region, problem.hi)
        exempt = problem.nesting.region_exempt
        lo[exempt], hi[exempt] = 0, NO_LIMIT
        return lo, hi, np.bincount(problem.nesting.grid_region, minlength=r)

    @cached_property
    def room(self) -> NDArray[np.int64]:
        """Greatest load of a grid that may hold each cluster, (c, a)."""
        room = self.limits()[1][self.region]
        bound = self.grid >= 0
        room[bound] = np.where(self.problem.nesting.exempt[:, None], NO_LIMIT, self.problem.hi)[self.grid[bound]]
        return room

    @cached_property
    def edges(self) -> NDArray[np.int64]:
        """Pairs of clusters that border each other within a region, (m, 2); parallel ones may occur."""
        edges, region = self.problem.graph.edges, self.problem.nesting.region
        inner = edges if len(self.problem.nesting.reason) == 1 else edges[region[edges[:, 0]] == region[edges[:, 1]]]
        pairs = self.cluster[inner]
        return pairs[pairs[:, 0] != pairs[:, 1]]

    def shareable(self, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the two ends of each edge may share a grid, by locks and by their load."""
        room, u, v = self.room, edges[:, 0], edges[:, 1]
        barred = np.zeros(len(edges), dtype=bool)
        for load, most in zip(self.load.T, room.T):
            barred |= load[u] + load[v] > np.minimum(most[u], most[v])
        if (self.grid >= 0).any():
            barred |= (self.grid[u] >= 0) & (self.grid[v] >= 0) & (self.grid[u] != self.grid[v])
        if len(self.problem.apart):
            c = len(self.first)
            apart = np.sort(self.cluster[self.problem.apart], axis=1) @ np.array([c, 1])
            barred |= np.isin(np.sort(edges, axis=1) @ np.array([c, 1]), apart)
        return ~barred

    def ids(self, units: Any) -> tuple[Any, ...]:
        """The user's ids of units, plain, at most 50."""
        return tuple(i.item() if hasattr(i, "item") else i for i in self.problem.graph.ids[np.asarray(units)][:50])

    def members(self, clusters: Any) -> NDArray[np.int64]:
        """Units of some clusters, ascending."""
        wanted = np.zeros(len(self.first), dtype=bool)
        wanted[np.asarray(clusters, dtype=np.int64)] = True
        return np.flatnonzero(wanted[self.cluster])

    def rows(self, region: int) -> NDArray[np.int64]:
        """Grids of a region."""
        order, first = self._rows
        return order[first[region] : first[region + 1]]

    @cached_property
    def _rows(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Grids sorted by region, and where each region begins."""
        nesting = self.problem.nesting
        counts = np.bincount(nesting.grid_region, minlength=nesting.n_regions)
        return np.argsort(nesting.grid_region, kind="stable"), np.concatenate([[0], np.cumsum(counts)])

    def clusters(self) -> list[NDArray[np.int64]]:
        """Clusters of each region, ascending."""
        order, first = self._clusters
        return [order[a:b] for a, b in pairwise(first)]

    @cached_property
    def _clusters(self) -> tuple[NDArray[np.int64], list[int]]:
        """Clusters sorted by region, and where each region begins."""
        counts = np.bincount(self.region, minlength=self.problem.nesting.n_regions)
        return np.argsort(self.region, kind="stable"), [0, *np.cumsum(counts).tolist()]

    def by_region(self, values: NDArray[Any], region: NDArray[Any] | None = None) -> NDArray[np.int64]:
        """Sums by region, (r, a), of values of clusters, (c, a), or of whatever lies in `region`."""
        total = np.zeros((self.problem.nesting.n_regions, values.shape[1]), dtype=np.int64)
        np.add.at(total, self.region if region is None else region, values)
        return total

    def where(self, region: int) -> tuple[Any, ...]:
        """Id that tells a region: its parent, else its first unit where there are several regions, else none."""
        nesting = self.problem.nesting
        if len(nesting.parents):
            parent = nesting.parents[nesting.region_parent[region]]
            return (parent.item() if hasattr(parent, "item") else parent,)
        return self.ids(np.flatnonzero(nesting.region == region)[:1]) if nesting.n_regions > 1 else ()

    def user(self, load: Any, attribute: int) -> Any:
        """Return a load in the user's units."""
        return self.problem.in_user_units(int(load), attribute)

    def ordinary(
        self, chosen: NDArray[np.bool_] | None = None
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Region, its clusters and its rows, for each (or each chosen) region whose grids have limits."""
        regular = ~self.problem.nesting.region_exempt
        if chosen is not None:
            regular &= chosen
        order, first = self._clusters
        for r in np.flatnonzero(regular).tolist():
            rows = self.rows(r)
            if len(rows):
                yield r, order[first[r] : first[r + 1]], rows
