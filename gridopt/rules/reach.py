"""Reach: units that no connected set within limits holds, and sets of units of which no two can share a grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from gridopt.errors import Finding
from gridopt.rules.view import NO_LIMIT, View

__all__ = ["load_kernel", "separate", "unfitting"]

MOST_SETS, MOST_SETS_IN_ALL = 400, 40_000
"""Connected sets looked at for one unit before it is left open, and for all."""
MOST_CLUSTERS = 5_000
"""Clusters of a region up to which each is looked at."""
MOST_FAR, MOST_REGIONS = 300, 100
"""Clusters of a region up to which all distances are measured, and for how many regions, the first ones."""


def unfitting(view: View) -> Iterator[tuple[int, Finding]]:
    """Units of which no connected set is within the limits, by looking at all connected sets that hold them."""
    lo, hi, _ = view.limits()
    fits = np.all((view.load >= lo[view.region]) & (view.load <= view.room), axis=1)
    doubtful = np.bincount(view.region[~fits], minlength=len(lo)) > 0
    left, search = MOST_SETS_IN_ALL, None
    for r, clusters, _ in view.ordinary(_small(view, MOST_CLUSTERS) & (lo > 0).any(axis=1) & doubtful):
        if left <= 0:
            return
        for c in clusters[~fits[clusters]].tolist():
            if fits[c] or left <= 0:
                continue
            search = search or _Search(view)
            looked, found = search.look(c, lo[r])
            left -= looked
            if len(found):
                fits[found] = True
            elif looked < MOST_SETS:
                yield r, _about_unit(view, c, search, lo[r], hi[r])
                break


class _Search:
    """Connected sets that hold one cluster, one after the other, until one is within limits."""

    def __init__(self, view: View) -> None:
        n, width = view.load.shape
        edges = _shareable(view, MOST_CLUSTERS)
        self.graph = (*_rows(n, edges), *_rows(n, view.cluster[view.problem.apart].astype(np.int64)))
        self.load, self.room = np.ascontiguousarray(view.load), np.ascontiguousarray(view.room)
        self.inside = np.empty(MOST_SETS, dtype=np.int64)
        self.loads, self.rooms = np.empty((2, MOST_SETS, width), dtype=np.int64)
        self.at, self.mark = np.empty((MOST_SETS, 3), dtype=np.int64), np.zeros(n, dtype=np.int8)
        self.barred, self.near = np.empty(n, dtype=np.int64), np.empty((2, width), dtype=np.int64)

    def look(self, root: int, lo: NDArray[np.int64]) -> tuple[int, NDArray[np.int64]]:
        """Search from `root`; return the number of sets looked at, and the clusters of one within limits."""
        from gridopt._kernels.reach import look_around

        looked, size = look_around(
            *self.graph, self.load, self.room, lo, root, self.inside, self.loads, self.rooms, self.at, self.mark,
            self.barred, self.near,
        )  # fmt: skip
        return looked, self.inside[:size]


def load_kernel() -> None:
    """Load the kernel, or compile it where this machine has not cached it."""
    from gridopt._kernels.reach import look_around

    none, one = np.empty(0, dtype=np.int32), np.ones((1, 1), dtype=np.int64)
    row = np.zeros(2, dtype=np.int64)
    look_around(
        row, none, row, none, one, one, one[0], 0, row[:1], one.copy(), one.copy(), np.zeros((1, 3), dtype=np.int64),
        np.zeros(1, dtype=np.int8), row[:1].copy(), np.zeros((2, 1), dtype=np.int64),
    )  # fmt: skip


def _about_unit(view: View, c: int, search: _Search, lo: NDArray[np.int64], hi: NDArray[np.int64]) -> Finding:
    near = [str(view.user(x, 0)) for x in search.near[:, 0].tolist() if x >= 0]
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
        both = clash.astype(np.int32)
        for start in np.argsort(-clash.sum(axis=1), kind="stable").tolist():
            chosen, rest = [start], clash[start].copy()
            common = both[rest].sum(axis=0)  # with how many of the rest each clashes
            while rest.any():
                nearest = int(np.where(rest, common, -1).argmax())
                chosen.append(nearest)
                left = rest & clash[nearest]
                common -= both[rest & ~left].sum(axis=0)
                rest = left
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


def _rows(n: int, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Pairs both ways as CSR rows, each pair once, ascending."""
    keys = np.sort(np.concatenate([pairs[:, 0] * n + pairs[:, 1], pairs[:, 1] * n + pairs[:, 0]]))
    keys = keys[np.diff(keys, prepend=-1) > 0]
    return np.searchsorted(keys, n * np.arange(n + 1)), (keys % max(1, n)).astype(np.int32)
