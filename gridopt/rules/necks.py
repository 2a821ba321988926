"""Necks: what hangs on one unit and is too light for a grid goes with it; what follows, until nothing changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from gridopt.errors import Finding, name_ids
from gridopt.model.graph import components, first_places
from gridopt.rules.view import View

__all__ = ["Forced", "force", "load_kernels", "necks"]

MOST_ROUNDS = 20
"""Rounds of merging; each needs a search of the whole graph, and few problems need a third."""


@dataclass(frozen=True, eq=False)
class Forced:
    """
    What limits force: the view with merged clusters, contradictions found on the way, and what hangs on necks.

    Parameters
    ----------
    view : View
        Clusters that must share a grid are one.
    findings : list of (region, Finding)
    before : View
        The view the hanging pieces are about: merged, but for what hangs lightly.
    hanging : Hanging or None
    """

    view: View
    findings: list[tuple[int, Finding]]
    before: View
    hanging: Hanging | None = None


def force(view: View) -> Forced:
    """
    Merge clusters that limits force into one grid, and look for contradictions, until nothing changes.

    Grids are connected by edges whose ends may share a grid, so what hangs on a cut vertex of the graph of these edges
    lies, but for the grid of that vertex, in whole grids. Where it is lighter than any grid may be, all of it goes with
    the vertex.
    """
    for _ in range(MOST_ROUNDS):
        edges = view.edges
        edges = edges[view.shareable(edges)]
        found = list(_hemmed_in(view, edges))
        if found:
            return Forced(view, found, view)
        hanging = Hanging.of(view, edges)
        pairs, heads = hanging.light()
        if not len(pairs):
            return Forced(view, [], view, hanging)
        merged = view.merged(pairs)
        found = list(_contradictions(view, merged, pairs, heads))
        left = merged.cluster[view.first[edges]]
        left = left[left[:, 0] != left[:, 1]]
        if found or merged.shareable(left).all():
            return Forced(merged, found, view, hanging)
        view = merged
    return Forced(view, [], view)


# ---- sets that share no grid --------------------------------------------------------------------------------------


def _hemmed_in(view: View, edges: NDArray[np.int64]) -> Iterator[tuple[int, Finding]]:
    """Sets of clusters that share no grid with others, and hold no whole number of grids, or together not k."""
    lo, hi, k = view.limits()
    piece = components(len(view.first), edges)
    count = int(piece.max(initial=-1)) + 1
    first = first_places(piece, count)
    region = view.region[first]
    if count == len(np.unique(region)):
        return
    load, clusters = np.zeros((count, lo.shape[1]), dtype=np.int64), np.bincount(piece, minlength=count)
    np.add.at(load, piece, view.load)
    least = np.maximum(1, -(-load // np.maximum(1, hi[region])).max(axis=1))
    most = np.minimum(
        clusters, np.where(lo[region] > 0, load // np.maximum(1, lo[region]), clusters[:, None]).min(axis=1)
    )
    told = set()
    for i in np.flatnonzero(least > most).tolist():
        r = int(region[i])
        if r in told:
            continue
        told.add(r)
        yield r, _about_set(view, piece == i, load[i], lo[r], hi[r], int(least[i]), int(most[i]))
    fewest, greatest = np.zeros_like(k), np.zeros_like(k)
    np.add.at(fewest, region, least)
    np.add.at(greatest, region, most)
    sets = np.bincount(region, minlength=len(k))
    for r in np.flatnonzero((sets > 1) & ((fewest > k) | (greatest < k))).tolist():
        if r in told:
            continue
        some = view.ids(view.first[first[region == r]])
        short = bool(fewest[r] > k[r])
        limit = int(fewest[r] if short else greatest[r])
        cure = (
            f"Limits and locks part this piece into {sets[r]} sets that share no grid (beginning with these units), "
            f"{'which need at least' if short else 'which fill at most'} {limit} {_grids(limit)} in all: ask for "
            f"{limit} here, widen the limits, or release locks."
        )
        yield r, Finding("hemmed-in", view.by_limits, some, int(k[r]), limit, cure)


def _about_set(
    view: View,
    inside: NDArray[np.bool_],
    load: NDArray[np.int64],
    lo: NDArray[np.int64],
    hi: NDArray[np.int64],
    least: int,
    most: int,
) -> Finding:
    narrow = [
        a for a in range(len(load)) if (lo[a] > 0 and load[a] // lo[a] < least) or -(-load[a] // max(1, hi[a])) > most
    ]
    a = narrow[0] if narrow else 0
    edges = view.edges
    beside = np.unique(edges[inside[edges[:, ::-1]] & ~inside[edges]])
    others = name_ids(view.ids(view.first[beside]), shown=3)
    much = f"too much for {most} {_grids(most)} and not enough for one more" if most else "not enough for a grid"
    cure = (
        f"These units can share grids only with one another (what lies beside them, {others}, is locked elsewhere or "
        f"too heavy together with them), and their load is {much}. Widen the limits, release locks, or declare a link."
    )
    limit = f"{view.user(lo[a], a)} to {view.user(hi[a], a)}"
    return Finding(
        "hemmed-in", view.by_limits, view.ids(view.members(np.flatnonzero(inside))), view.user(load[a], a), limit, cure
    )


def _grids(count: int) -> str:
    return "grid" if count == 1 else "grids"


# ---- what hangs on one cluster ------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Hanging:
    """
    Pieces that hang on single clusters, each once: below a child in a depth-first search, or all that lies above.

    Parameters
    ----------
    neck : ndarray of int64, shape (h,)
        The cluster each hangs on.
    begin : ndarray of int64, shape (h,)
        A cluster of the piece beside the neck.
    load, count : ndarray of int64, shape (h, a), (h,)
    above : ndarray of bool, shape (h,)
    """

    view: View
    neck: NDArray[np.int64]
    begin: NDArray[np.int64]
    load: NDArray[np.int64]
    count: NDArray[np.int64]
    above: NDArray[np.bool_]
    enter: NDArray[np.int64] = field(repr=False)
    last: NDArray[np.int64] = field(repr=False)
    order: NDArray[np.int64] = field(repr=False)
    parent: NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(cls, view: View, edges: NDArray[np.int64]) -> Hanging:
        """Search the graph of clusters along some edges."""
        from gridopt._kernels.necks import low_points

        n = len(view.first)
        both = np.concatenate([edges, edges[:, ::-1]])
        matrix = sparse.coo_matrix((np.ones(len(both), dtype=np.int8), (both[:, 0], both[:, 1])), shape=(n, n)).tocsr()
        enter, last, low, at = np.full(n, -1), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        parent, order = np.full(n, -1, np.int32), np.zeros(n, np.int32)
        low_points(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), enter, last, low, parent, order, at)
        up_from, entered = parent.astype(np.int64), order.astype(np.int64)
        sums = np.zeros((n + 1, view.load.shape[1]), dtype=np.int64)
        np.cumsum(view.load[entered], axis=0, out=sums[1:])
        child = np.flatnonzero(up_from >= 0)
        child = child[low[child] >= enter[up_from[child]]]
        children = np.bincount(up_from[child], minlength=n)
        is_root = up_from < 0
        child = child[~is_root[up_from[child]] | (children[up_from[child]] > 1)]
        neck = up_from[child]
        load, count = sums[last[child]] - sums[enter[child]], last[child] - enter[child]
        below, below_count = view.load.copy(), np.ones(n, dtype=np.int64)
        np.add.at(below, neck, load)
        np.add.at(below_count, neck, count)
        up = np.unique(neck[~is_root[neck]])
        root = entered[is_root[entered]][(np.cumsum(is_root[entered]) - 1)[enter[up]]]
        up_load = sums[last[root]] - sums[enter[root]] - below[up]
        up_count = last[root] - enter[root] - below_count[up]
        return cls(
            view,
            np.append(neck, up),
            np.append(child, up_from[up]),
            np.concatenate([load, up_load]),
            np.append(count, up_count),
            np.append(np.zeros(len(child), dtype=bool), np.ones(len(up), dtype=bool)),
            enter,
            last,
            entered,
            up_from,
        )

    def light(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """
        Pairs of clusters that tie what is too light for a grid to its neck, and the rows of the pieces tied whole.

        Of the pieces above only the one of the last neck of each component is tied: it holds the others.
        """
        lo = self.view.limits()[0]
        light = (self.load < lo[self.view.region[self.neck]]).any(axis=1)
        down = np.flatnonzero(light & ~self.above)
        change = np.zeros(len(self.order) + 1, dtype=np.int64)
        np.add.at(change, self.enter[self.begin[down]], 1)
        np.add.at(change, self.last[self.begin[down]], -1)
        tied = self.order[np.flatnonzero(np.cumsum(change)[:-1] > 0)]
        pairs = [np.column_stack([tied, self.parent[tied]])]
        covered = np.zeros(len(self.order), dtype=bool)
        covered[tied] = True
        down = down[~covered[self.neck[down]]]
        up = np.flatnonzero(light & self.above)
        up = up[np.argsort(self.enter[self.neck[up]])[::-1]]
        starts = self.order[self.parent[self.order] < 0]
        component = np.searchsorted(self.enter[starts], self.enter[self.neck[up]], side="right") - 1
        up = up[np.unique(component, return_index=True)[1]]
        for row in up.tolist():
            pairs.append(self._all_above(int(self.neck[row]), starts))
        return np.concatenate(pairs), np.append(down, up)

    def _all_above(self, neck: int, starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pairs of `neck` with each cluster of its component that does not hang below it."""
        root = starts[np.searchsorted(self.enter[starts], self.enter[neck], side="right") - 1]
        above = np.zeros(len(self.order), dtype=bool)
        above[self.enter[root] : self.last[root]] = True
        above[self.enter[neck]] = False
        for child in self.begin[(self.neck == neck) & ~self.above].tolist():
            above[self.enter[child] : self.last[child]] = False
        others = self.order[above]
        return np.column_stack([others, np.full_like(others, neck)])


def _contradictions(
    view: View, merged: View, pairs: NDArray[np.int64], heads: NDArray[np.int64]
) -> Iterator[tuple[int, Finding]]:
    """Merged clusters above their upper limit, fixed to two grids, or with two units that must be apart."""
    onto = merged.cluster[view.first]
    room = merged.room
    grids = np.unique(np.column_stack([onto, view.grid])[view.grid >= 0], axis=0)
    several = np.flatnonzero(np.bincount(grids[:, 0], minlength=len(merged.first)) > 1)
    for c in np.flatnonzero((merged.load > room).any(axis=1)):
        members = np.flatnonzero(onto == c)
        a = int(np.flatnonzero(merged.load[c] > room[c])[0])
        value, limit = view.user(merged.load[c, a], a), view.user(room[c, a], a)
        cure = (
            "What hangs on the first unit (beginning with the others) is too light for grids of its own and too heavy "
            f"to join it: raise the upper limit to {value}, lower the lower limit, or declare a link."
        )
        ids = _neck_ids(view, members, pairs)
        yield int(merged.region[c]), Finding("narrow-neck", view.by_limits, ids, value, limit, cure)
    text = "They must share a grid, because what hangs on one unit is too light for a grid; but locks keep them apart: "
    cure = f"{text}lower the lower limit, or release one of the locks."
    for group in several.tolist():
        first = [int(np.flatnonzero((onto == group) & (view.grid == g))[0]) for g in grids[grids[:, 0] == group, 1][:2]]
        yield (
            int(merged.region[group]),
            Finding("forced-together", view.by_limits, view.ids(view.first[first]), None, None, cure),
        )
    for u, v in view.problem.apart.tolist():
        if view.cluster[u] != view.cluster[v] and merged.cluster[u] == merged.cluster[v]:
            region = int(merged.region[merged.cluster[u]])
            yield region, Finding("forced-together", view.by_limits, view.ids([u, v]), None, None, cure)


def _neck_ids(view: View, members: NDArray[np.int64], pairs: NDArray[np.int64]) -> tuple[str | int, ...]:
    """First unit of the neck that some clusters hang on, then of what borders it among them."""
    inside = np.isin(pairs[:, 0], members)
    hung = pairs[inside]
    tops = np.setdiff1d(members, hung[:, 0])
    neck = int(tops[0]) if len(tops) else int(np.bincount(hung[:, 1]).argmax())
    beside = hung[hung[:, 1] == neck, 0]
    return (*view.ids([view.first[neck]]), *view.ids(view.first[np.sort(beside)]))


def necks(forced: Forced) -> Iterator[tuple[int, Finding]]:
    """
    Clusters that cut their region, with what hangs on them.

    Every grid but that of the neck v lies within one hanging piece. A piece of load L holds at most ``t = L // lo``
    grids (and no more than it has clusters), so at least ``L - t hi`` of it goes with v. No plan exists if v and these
    leavings exceed hi, or if ``1 + sum t`` is below the number of grids.
    """
    hanging = forced.hanging
    if hanging is None or not len(hanging.neck):
        return
    view, (lo, hi, k) = forced.before, forced.before.limits()
    region = view.region[hanging.neck]
    low, high = lo[region], hi[region]
    most = np.where(low > 0, hanging.load // np.maximum(1, low), hanging.count[:, None]).min(axis=1)
    most = np.minimum(most, hanging.count)
    full = most[:, None] >= -(-hanging.load // np.maximum(1, high))
    rest = np.where(full, 0, hanging.load - np.where(full, 0, most[:, None]) * np.where(full, 0, high))
    n = len(view.first)
    together, whole = view.load.copy(), np.ones(n, dtype=np.int64)
    np.add.at(together, hanging.neck, rest)
    np.add.at(whole, hanging.neck, most)
    room = view.room
    is_neck = np.bincount(hanging.neck, minlength=n) > 0
    over = is_neck & (together > room).any(axis=1)
    several = _in_several_sets(view, hanging)
    few = is_neck & (whole < k[view.region]) & ~several[view.region]
    for v in np.flatnonzero(over | few):
        r = int(view.region[v])
        if over[v]:
            a = int(np.flatnonzero(together[v] > room[v])[0])
            mine = np.flatnonzero((hanging.neck == v) & (rest[:, a] > 0))
            ids = (*view.ids([view.first[v]]), *view.ids(view.first[hanging.begin[mine]]))
            value = view.user(together[v, a], a)
            cure = (
                "What hangs on the first unit (beginning with the others) is too light for grids of its own and too "
                f"heavy to join it: raise the upper limit to {value}, lower the lower limit, or declare a link."
            )
            yield r, Finding("narrow-neck", view.by_limits, ids, value, view.user(room[v, a], a), cure)
        else:
            cure = (
                "Grids without this unit lie within one of the pieces it cuts its region into, and these hold no more: "
                "ask for fewer grids, lower the lower limit, or declare a link."
            )
            yield r, Finding("narrow-neck", view.by_limits, view.ids([view.first[v]]), int(whole[v]), int(k[r]), cure)


def _in_several_sets(view: View, hanging: Hanging) -> NDArray[np.bool_]:
    """Whether each region falls into several sets that share no grid."""
    return np.bincount(view.region[hanging.parent < 0], minlength=view.problem.nesting.n_regions) > 1


def load_kernels() -> float:
    """Load the kernels of `check`, or compile them where this machine has not cached them; return the seconds."""
    began = time.perf_counter()
    from gridopt._kernels.necks import low_points
    from gridopt.rules import reach

    reach.load_kernel()

    enter, last, low, at = (np.full(1, -1, np.int64) for _ in range(4))
    parent, order = np.zeros(1, np.int32), np.zeros(1, np.int32)
    low_points(np.zeros(2, np.int64), np.empty(0, np.int32), enter, last, low, parent, order, at)
    return time.perf_counter() - began
