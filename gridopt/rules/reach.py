"""Reach: units that no connected set within limits holds, and sets of units of which no two can share a grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.errors import Finding
from gridopt.rules.view import NO_LIMIT, View

__all__ = ["separate", "unfitting"]

MOST_SETS, MOST_SETS_IN_ALL = 400, 40_000
"""Connected sets looked at for one unit before it is left open, and for all."""
MOST_CLUSTERS = 5_000
"""Clusters of a region up to which each is looked at."""
MOST_FAR, MOST_REGIONS = 300, 100
"""Clusters of a region up to which all distances are measured, and for how many regions, the first ones."""


def unfitting(view: View) -> Iterator[tuple[int, Finding]]:
    """Units of which no connected set is within the limits, by looking at all connected sets that hold them."""
    lo, hi, _ = view.limits()
    near = _neighbours(_shareable(view, MOST_CLUSTERS), len(view.first))
    room, apart = view.room, _apart(view)
    looked_at = _small(view, MOST_CLUSTERS) & (lo > 0).any(axis=1)
    fits_alone = np.all((view.load >= lo[view.region]) & (view.load <= room), axis=1)
    left = MOST_SETS_IN_ALL
    looked_at &= np.bincount(view.region[~fits_alone], minlength=len(lo)) > 0
    for r, clusters, _ in view.ordinary(looked_at):
        if left <= 0:
            return
        fits = set(clusters[fits_alone[clusters]].tolist())
        loads, rooms = (dict(zip(clusters.tolist(), x[clusters].tolist())) for x in (view.load, room))
        for c in clusters.tolist():
            if c in fits or left <= 0:
                continue
            search = _Search(loads, lo[r].tolist(), rooms, near, apart)
            search.look(c)
            left -= search.looked
            if search.found:
                fits.update(search.found)
            elif search.looked < MOST_SETS:
                yield r, _about_unit(view, c, search, lo[r], hi[r])
                break


class _Search:
    """Connected sets that hold one cluster, one after the other, until one is within limits."""

    def __init__(
        self,
        load: dict[int, list[int]],
        lo: list[int],
        room: dict[int, list[int]],
        near: tuple[list[int], list[int]],
        apart: dict[int, set[int]],
    ) -> None:
        self.load, self.lo, self.room, self.near, self.apart = load, lo, room, near, apart
        self.found: list[int] = []
        self.looked = 0
        self.below: list[int] = []
        self.above: list[int] = []

    def look(self, root: int) -> None:
        """Search from `root`."""
        self._grow([root], self.load[root], self.room[root], set(), {root})

    def _grow(self, inside: list[int], load: list[int], room: list[int], barred: set[int], seen: set[int]) -> None:
        self.looked += 1
        if self.looked >= MOST_SETS:
            return
        if all(w >= low for w, low in zip(load, self.lo)):
            self.found = list(inside)
            return
        if not self.below or load > self.below:
            self.below = load
        barred, (first, others) = set(barred), self.near
        for u in inside:
            for v in others[first[u] : first[u + 1]]:
                if v in seen or v in barred:
                    continue
                barred.add(v)
                more = [a + b for a, b in zip(load, self.load[v])]
                most = [min(a, b) for a, b in zip(room, self.room[v])]
                if any(a > b for a, b in zip(more, most)):
                    if not self.above or more < self.above:
                        self.above = more
                    continue
                if self.apart.get(v) and not self.apart[v].isdisjoint(seen):
                    continue
                self._grow([*inside, v], more, most, barred, {*seen, v})
                if self.found or self.looked >= MOST_SETS:
                    return


def _about_unit(view: View, c: int, search: _Search, lo: NDArray[np.int64], hi: NDArray[np.int64]) -> Finding:
    near = [str(view.user(x[0], 0)) for x in (search.below, search.above) if x]
    reached = f" (the nearest loads are {' and '.join(near)})" if len(lo) == 1 and near else ""
    units = view.members([c])
    what = "it" if len(units) == 1 else "them, which must share a grid,"
    cure = (
        f"No connected set with {what} has a load within the limits{reached}: widen the limits, release locks, declare "
        "a link, or split units beside it."
    )
    limit = f"{view.user(lo[0], 0)} to {view.user(hi[0], 0)}"
    return Finding("fits-no-grid", view.by_limits, view.ids(units), view.user(view.load[c, 0], 0), limit, cure)


def separate(view: View) -> Iterator[tuple[int, Finding]]:
    """
    More units than grids of which no two can share one: locked apart, or too heavy with the lightest way between them.

    The sets are found one unit at a time, the one with most conflicts first.
    """
    edges = _shareable(view, MOST_FAR)
    done = 0
    room, place = view.room, np.zeros(len(view.first), dtype=np.int64)
    for r, clusters, rows in view.ordinary():
        n = len(clusters)
        if not len(rows) < n <= MOST_FAR:
            continue
        if done == MOST_REGIONS:
            return
        done += 1
        place[clusters] = np.arange(n)
        inner = place[edges[view.region[edges[:, 0]] == r]]
        clash = _too_far(inner, view.load[clusters], room[clusters]) | _locked(view, clusters, place, r)
        np.fill_diagonal(clash, False)
        best: list[int] = []
        for start in np.argsort(-clash.sum(axis=1), kind="stable").tolist():
            chosen, rest = [start], clash[start].copy()
            while rest.any():
                nearest = int(np.where(rest, (clash & rest).sum(axis=1), -1).argmax())
                chosen.append(nearest)
                rest &= clash[nearest]
            best = max(best, chosen, key=len)
            if len(best) > len(rows):
                break
        if len(best) > len(rows):
            cure = (
                "No two of them can share a grid: they are locked apart, or too heavy together with whatever joins "
                f"them. Ask for {len(best)} grids here, raise the upper limit, or release locks."
            )
            ids = view.ids(view.first[clusters[sorted(best)]])
            yield r, Finding("too-many-separate", view.by_limits, ids, len(best), len(rows), cure)


def _too_far(edges: NDArray[np.int64], load: NDArray[np.int64], room: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether the lightest connected set of each two clusters is above what a grid with them may hold, (n, n)."""
    n = len(load)
    clash = np.zeros((n, n), dtype=bool)
    both = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    for a in range(load.shape[1]):
        if (room[:, a] >= NO_LIMIT).all():
            continue
        weight = load[both[:, 1], a].astype(np.float64) + 0.25 / (n + 1)  # scipy takes 0 for no edge
        matrix = sparse.csr_matrix((weight, (both[:, 0], both[:, 1])), shape=(n, n))
        far = csgraph.dijkstra(matrix)
        far[np.isinf(far)] = NO_LIMIT
        lightest = np.floor(far) + load[:, None, a]
        clash |= lightest > np.minimum(room[:, None, a], room[None, :, a])
    return clash


def _locked(view: View, clusters: NDArray[np.int64], place: NDArray[np.int64], region: int) -> NDArray[np.bool_]:
    """Whether locks keep each two clusters apart, (n, n)."""
    grid = view.grid[clusters]
    clash = (grid[:, None] >= 0) & (grid[None, :] >= 0) & (grid[:, None] != grid[None, :])
    pairs = view.cluster[view.problem.apart]
    pairs = pairs[(view.region[pairs] == region).all(axis=1)]
    u, v = place[pairs].T
    clash[u, v] = clash[v, u] = True
    return clash


def _small(view: View, most: int) -> NDArray[np.bool_]:
    """Regions with limits of at most so many clusters."""
    nesting = view.problem.nesting
    return (np.bincount(view.region, minlength=nesting.n_regions) <= most) & ~nesting.region_exempt


def _shareable(view: View, most: int) -> NDArray[np.int64]:
    """Edges whose ends may share a grid, in regions of at most so many clusters."""
    small = _small(view, most)
    if not small.any():
        return np.empty((0, 2), dtype=np.int64)
    edges = view.edges[small[view.region[view.edges[:, 0]]]]
    return edges[view.shareable(edges)]


def _neighbours(edges: NDArray[np.int64], n: int) -> tuple[list[int], list[int]]:
    """Neighbours of each of `n` clusters, ascending: where those of each begin, and all of them."""
    keys = np.sort(np.concatenate([edges[:, 0] * n + edges[:, 1], edges[:, 1] * n + edges[:, 0]]))
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return np.searchsorted(keys, n * np.arange(n + 1)).tolist(), (keys % max(1, n)).tolist()


def _apart(view: View) -> dict[int, set[int]]:
    near: dict[int, set[int]] = {}
    for u, v in view.cluster[view.problem.apart].tolist():
        near.setdefault(u, set()).add(v)
        near.setdefault(v, set()).add(u)
    return near
