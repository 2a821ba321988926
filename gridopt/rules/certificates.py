"""Cheap proofs that no plan exists: arithmetic of loads, locks that exclude each other, narrow necks of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, Severity
from gridopt.model import Problem
from gridopt.model.graph import components

__all__ = ["find"]

SHOWN = 20
"""Findings of one code; further ones of that code are left out."""
LARGEST_SUM_TABLE = 2_000_000_000
"""Bits handled (units times upper limit) when all sums of workloads are listed; above it that proof is not tried."""
LARGEST_NECK_SEARCH = 300_000
"""Units up to which narrow necks are looked for: a search in plain Python, about 2 s for so many."""


def find(problem: Problem) -> list[Finding]:
    """
    Look for reasons why no plan can keep the limits and locks of a problem.

    Each finding of severity "error" is a proof by itself: as long as it stands, no sound plan exists. None found
    proves nothing. Reasons that rest on limits are warnings when the problem is soft.

    Parameters
    ----------
    problem : Problem
        As built.

    Returns
    -------
    list of Finding
        ``too-little-workload``, ``too-much-workload`` (limits of all grids of a region against its load),
        ``too-few-units``, ``no-grid``, ``heavy-unit``, ``heavy-compound`` (more than any grid may hold),
        ``no-load-fits`` (no sum of workloads lies within them), ``too-many-large-units``, ``too-many-apart``,
        ``apart-together``, ``wrong-region``, ``cut-off`` (units of one grid cannot be joined), ``narrow-neck`` (what
        hangs on one unit neither forms grids nor fits with it). Of the reasons that rest on limits only the simplest is
        given for each region. At most `SHOWN` of a kind; values in the user's units.

    Notes
    -----
    O((n + m) log n), and the table of sums: O(n hi / 64).

    Examples
    --------
    >>> import gridopt as go
    >>> star = go.Graph.from_edges(4, [(0, 1), (0, 2), (0, 3)], ids=["hub", "a", "b", "c"])
    >>> problem = go.build_problem(star, workload=[1, 3, 3, 3], n_grids=2, tolerance=0.1)
    >>> print(find(problem)[0])
    error too-many-large-units: 'a', 'b', 'c' (value 3, limit 2). No two of these 3 fit in one grid, and there are 2 \
grids: raise the upper limit to 6, or split some of them.
    """
    view = _View.of(problem)
    found: list[Finding] = []
    for proof in (_wrong_regions, _few_units, _apart, _cut_off):
        found.extend(islice(proof(view), SHOWN))
    explained: set[int] = set()
    for proof_of_loads in (_sums_of_limits, _heavy, _large_units, _necks, _no_load_fits):
        new = [(r, finding) for r, finding in proof_of_loads(view) if r not in explained]
        explained.update(r for r, _ in new)
        found.extend(finding for _, finding in new[:SHOWN])
    return found


@dataclass(frozen=True, eq=False)
class _View:
    """A problem with units that must share a grid (compounds, units fixed to one grid) merged into clusters."""

    problem: Problem
    cluster: NDArray[np.int64]  # (n,), numbered by smallest unit
    first: NDArray[np.int64]  # (c,) smallest unit of each cluster
    load: NDArray[np.int64]  # (c, a)
    size: NDArray[np.int64]  # (c,) units
    grid: NDArray[np.int64]  # (c,) grid it is fixed to, or -1
    region: NDArray[np.int64]  # (c,) region of the smallest unit
    by_limits: Severity  # severity of proofs that rest on limits

    @classmethod
    def of(cls, problem: Problem) -> _View:
        n, k = problem.n_units, problem.n_grids
        compound = np.where(problem.together >= 0, problem.together.astype(np.int64), -1)
        n_compounds = int(compound.max(initial=-1)) + 1
        units = np.arange(n)
        tied = [np.column_stack([units[compound >= 0], n + compound[compound >= 0]])]
        bound = problem.fixed >= 0
        tied.append(np.column_stack([units[bound], n + n_compounds + problem.fixed[bound].astype(np.int64)]))
        cluster = components(n + n_compounds + k, np.concatenate(tied))[:n].astype(np.int64)
        c = int(cluster.max(initial=-1)) + 1
        first = np.unique(cluster, return_index=True)[1]
        load = np.zeros((c, problem.n_attributes), dtype=np.int64)
        np.add.at(load, cluster, problem.workload)
        grid = np.full(c, -1, dtype=np.int64)
        grid[cluster[bound]] = problem.fixed[bound]
        severity: Severity = "warning" if problem.soft else "error"
        size = np.bincount(cluster, minlength=c)
        return cls(problem, cluster, first, load, size, grid, problem.nesting.region[first].astype(np.int64), severity)

    def ids(self, units: Any) -> tuple[Any, ...]:
        """The user's ids of units, plain, at most 50."""
        return tuple(i.item() if hasattr(i, "item") else i for i in self.problem.graph.ids[np.asarray(units)][:50])

    def members(self, clusters: Any) -> NDArray[np.int64]:
        """Units of some clusters, ascending."""
        wanted = np.zeros(len(self.first), dtype=bool)
        wanted[np.asarray(clusters, dtype=np.int64)] = True
        return np.flatnonzero(wanted[self.cluster])

    def rows(self, region: int) -> NDArray[np.int64]:
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
        order = np.argsort(self.region, kind="stable")
        cuts = np.searchsorted(self.region[order], np.arange(1, self.problem.nesting.n_regions))
        return np.split(order, cuts)

    def where(self, region: int) -> tuple[Any, ...]:
        """Id that tells a region: its parent, else its first unit where there are several regions, else none."""
        nesting = self.problem.nesting
        if len(nesting.parents):
            parent = nesting.parents[nesting.region_parent[region]]
            return (parent.item() if hasattr(parent, "item") else parent,)
        return self.ids(np.flatnonzero(nesting.region == region)[:1]) if nesting.n_regions > 1 else ()

    def user(self, load: Any, attribute: int) -> Any:
        return self.problem.in_user_units(int(load), attribute)

    def ordinary(self) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Region, its clusters and its rows, for each region whose grids have limits."""
        exempt = self.problem.nesting.region_exempt
        for r, clusters in enumerate(self.clusters()):
            rows = self.rows(r)
            if len(rows) and not exempt[r]:
                yield r, clusters, rows


# ---- locks and regions --------------------------------------------------------------------------------------------


def _wrong_regions(view: _View) -> Iterator[Finding]:
    """Units that must share a grid lie in different regions, or are fixed to a grid of another region."""
    region, grid_region = view.problem.nesting.region, view.problem.nesting.grid_region
    astray = region != view.region[view.cluster]
    for c in np.unique(view.cluster[astray]):
        units = view.members([c])
        some = [view.first[c], units[astray[units]][0]]
        cure = "They must share a grid, but lie in different parents or pieces: release one, or join the pieces."
        yield Finding("wrong-region", "error", view.ids(some), None, None, cure)
    fixed = view.problem.fixed
    for u in np.flatnonzero(fixed >= 0):
        if grid_region[fixed[u]] != region[u]:
            cure = "The grid it is fixed to lies in another parent or piece: fix it to a grid of its own."
            yield Finding("wrong-region", "error", view.ids([u]), int(fixed[u]), None, cure)


def _few_units(view: _View) -> Iterator[Finding]:
    """Fewer clusters than grids: some grid would stay empty; or no grid at all for a piece of the territory."""
    for r, clusters in enumerate(view.clusters()):
        k = len(view.rows(r))
        if not k:
            cure = "This piece has no grid of its own: ask for more grids, or join it to another piece by a link."
            yield Finding("no-grid", "error", view.ids(np.flatnonzero(view.problem.nesting.region == r)), 0, 1, cure)
            continue
        if len(clusters) < k:
            cure = f"No grid is empty: ask for at most {len(clusters)} grids here, or lock fewer units together."
            yield Finding("too-few-units", "error", view.where(r), len(clusters), k, cure)


def _apart(view: _View) -> Iterator[Finding]:
    """Pairs apart that must share a grid, and sets of which every two are apart that outnumber the grids."""
    problem = view.problem
    near: dict[int, set[int]] = {}
    for u, v in problem.apart.tolist():
        a, b = int(view.cluster[u]), int(view.cluster[v])
        if a == b:
            cure = "They are locked apart, and into one grid: drop one of the two locks."
            yield Finding("apart-together", "error", view.ids([u, v]), None, None, cure)
        elif view.region[a] == view.region[b]:
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
    told: set[int] = set()
    for start in sorted(near, key=lambda c: (-len(near[c]), c)):
        clique, rest = [start], set(near[start])
        while rest:
            best = min(rest, key=lambda c: (-len(near[c] & rest), c))
            clique.append(best)
            rest &= near[best]
        k = len(view.rows(int(view.region[start])))
        if len(clique) > k and told.isdisjoint(clique):
            told.update(clique)
            cure = f"No two of them may share a grid: release {len(clique) - k} of them, or ask for more grids here."
            yield Finding("too-many-apart", "error", view.ids(view.first[sorted(clique)]), len(clique), k, cure)


def _cut_off(view: _View) -> Iterator[Finding]:
    """Units that must share a grid, but cannot be joined through units that may be in it."""
    problem = view.problem
    edges, region = problem.graph.edges, problem.nesting.region
    inner = edges[region[edges[:, 0]] == region[edges[:, 1]]]
    same = inner[view.cluster[inner[:, 0]] == view.cluster[inner[:, 1]]]
    piece = components(problem.n_units, same)
    n_pieces = np.bincount(view.cluster[np.unique(piece, return_index=True)[1]], minlength=len(view.first))
    enemies: dict[int, list[int]] = {}
    for u, v in problem.apart.tolist():
        enemies.setdefault(int(view.cluster[u]), []).append(int(view.cluster[v]))
        enemies.setdefault(int(view.cluster[v]), []).append(int(view.cluster[u]))
    fixed_any = view.grid[view.cluster] >= 0
    for c in np.flatnonzero(n_pieces > 1):
        units = view.members([c])
        if (region[units] != region[units[0]]).any():
            continue
        barred = np.isin(view.cluster, enemies.get(int(c), []))
        if view.grid[c] >= 0:
            barred |= fixed_any & (view.cluster != c)
        open_ = inner[~barred[inner[:, 0]] & ~barred[inner[:, 1]]]
        reach = components(problem.n_units, open_)
        other = units[reach[units] != reach[units[0]]]
        if len(other):
            cure = "They must share a grid, but other locks close every way between them: release one of these locks."
            yield Finding("cut-off", "error", view.ids([units[0], other[0]]), None, None, cure)


# ---- loads --------------------------------------------------------------------------------------------------------


def _sums_of_limits(view: _View) -> Iterator[tuple[int, Finding]]:
    """Lower limits of all grids of a region need more, or upper limits hold less, than its load."""
    problem = view.problem
    for r, clusters, rows in view.ordinary():
        load = view.load[clusters].sum(axis=0)
        for a in range(problem.n_attributes):
            need, room, k = int(problem.lo[rows, a].sum()), int(problem.hi[rows, a].sum()), len(rows)
            have, name = int(load[a]), problem.attributes[a]
            value = view.user(have, a)
            if have < need:
                cure = (
                    f"{k} grids need more {name} than there is: lower the lower limit to {view.user(have // k, a)}, "
                    f"or ask for fewer grids here."
                )
                yield r, Finding("too-little-workload", view.by_limits, view.where(r), value, view.user(need, a), cure)
            if have > room:
                cure = (
                    f"{k} grids cannot hold that much {name}: raise the upper limit to {view.user(-(-have // k), a)}, "
                    f"or ask for more grids here."
                )
                yield r, Finding("too-much-workload", view.by_limits, view.where(r), value, view.user(room, a), cure)


def _heavy(view: _View) -> Iterator[tuple[int, Finding]]:
    """A unit, or units that must share a grid, above every upper limit."""
    problem = view.problem
    for r, clusters, rows in view.ordinary():
        most = problem.hi[rows].max(axis=0)
        for c in clusters[(view.load[clusters] > most).any(axis=1) | (view.grid[clusters] >= 0)]:
            bound = int(view.grid[c])
            limit = problem.hi[bound] if bound >= 0 else most
            for a in np.flatnonzero(view.load[c] > limit)[:1]:
                value, code = view.user(view.load[c, a], a), "heavy-unit" if view.size[c] == 1 else "heavy-compound"
                how = "split it" if view.size[c] == 1 else "release some of these units"
                own = ' or give it a grid of its own (heavy="own_grid")' if bound < 0 else ""
                cure = f"No grid may hold it: raise the upper limit to {value}, {how}{own}."
                yield r, Finding(code, view.by_limits, view.ids(view.members([c])), value, view.user(limit[a], a), cure)


def _no_load_fits(view: _View) -> Iterator[tuple[int, Finding]]:
    """No set of units of a region sums to a load within the limits of one of its grids."""
    problem = view.problem
    for r, clusters, rows in view.ordinary():
        for a in range(problem.n_attributes):
            work = view.load[clusters, a]
            total = int(work.sum())
            limits = sorted({(int(problem.lo[g, a]), int(problem.hi[g, a])) for g in rows})
            for low, high in limits:
                if low <= 0 or low > total:
                    continue
                below, above = _nearest_sums(work[work > 0], low, min(high, total))
                if above is not None and above <= high:
                    continue
                near = [view.user(x, a) for x in (below, above) if x is not None]
                words = f"loads are {near[0]} and {near[1]}" if len(near) > 1 else f"load is {near[0]}"
                cure = (
                    f"No set of units has a load between these limits: the nearest {words}. "
                    "Widen the limits to one of them, or split units."
                )
                limit = f"{view.user(low, a)} to {view.user(high, a)}"
                smallest = view.user(work[work > 0].min(initial=total), a)
                yield r, Finding("no-load-fits", view.by_limits, view.where(r), smallest, limit, cure)


def _nearest_sums(work: NDArray[np.int64], low: int, high: int) -> tuple[int, int | None]:
    """Greatest sum of a subset below `low`, least sum from `low` on: exact where affordable, else multiples of gcd."""
    step = int(np.gcd.reduce(work)) if len(work) else 1
    first = -(-low // step) * step
    if first > high:
        return first - step, first
    work, low, high = work // step, -(-low // step), high // step
    if len(work) * (high + 1) > LARGEST_SUM_TABLE:
        return first - step, first
    sums, full = 1, (1 << (int(work.max(initial=0)) + high + 1)) - 1
    for w in np.sort(work).tolist():
        sums |= (sums << w) & full
        if sums >> low & ((1 << (high - low + 1)) - 1):
            return first - step, first
    above = sums >> low
    least = low + (above & -above).bit_length() - 1 if above else None
    return ((sums & ((1 << low) - 1)).bit_length() - 1) * step, None if least is None else least * step


def _large_units(view: _View) -> Iterator[tuple[int, Finding]]:
    """More units above half of the largest upper limit than grids: two of them share no grid."""
    problem = view.problem
    for r, clusters, rows in view.ordinary():
        half = problem.hi[rows].max(axis=0)
        for a in range(problem.n_attributes):
            large = clusters[2 * view.load[clusters, a] > half[a]]
            if len(large) > len(rows):
                two = np.sort(view.load[large, a])[:2].sum()
                cure = (
                    f"No two of these {len(large)} fit in one grid, and there are {len(rows)} grids: raise the upper "
                    f"limit to {view.user(two, a)}, or split some of them."
                )
                ids = view.ids(view.first[large])
                yield r, Finding("too-many-large-units", view.by_limits, ids, len(large), len(rows), cure)
                break


# ---- narrow necks -------------------------------------------------------------------------------------------------


def _necks(view: _View) -> Iterator[tuple[int, Finding]]:
    """
    Clusters that cut their region, with what hangs on them.

    Every grid but that of the neck v lies within one hanging piece. A piece of load L holds at most
    ``t = L // lo`` grids (and no more than it has units), so at least ``L - t hi`` of it goes with v. No plan exists if
    v and these leavings exceed hi, or if ``1 + sum t`` is below the number of grids.
    """
    problem = view.problem
    if problem.n_units > LARGEST_NECK_SEARCH:
        return
    lo, hi, k = _limits_by_region(view)
    exempt = problem.nesting.region_exempt
    for neck, loads, counts, firsts in _hanging(view):
        r = int(view.region[neck])
        if exempt[r] or k[r] == 0:
            continue
        most = counts.copy()
        for a in range(problem.n_attributes):
            if lo[r, a] > 0:
                most = np.minimum(most, loads[:, a] // lo[r, a])
        rest = np.maximum(0, loads - most[:, None] * hi[r])
        together = rest.sum(axis=0) + view.load[neck]
        over = np.flatnonzero(together > hi[r])
        if len(over):
            a = int(over[0])
            stuck = firsts[rest[:, a] > 0]
            ids = (*view.ids([view.first[neck]]), *view.ids(view.first[stuck]))
            value = view.user(together[a], a)
            cure = (
                "What hangs on the first unit (beginning with the others) is too light for grids of its own and too "
                f"heavy to join it: raise the upper limit to {value}, lower the lower limit, or declare a link."
            )
            yield r, Finding("narrow-neck", view.by_limits, ids, value, view.user(hi[r, a], a), cure)
        elif 1 + int(most.sum()) < k[r]:
            cure = (
                "Grids without this unit lie within one of the pieces it cuts its region into, and these hold no more: "
                "ask for fewer grids, lower the lower limit, or declare a link."
            )
            ids = view.ids([view.first[neck]])
            yield r, Finding("narrow-neck", view.by_limits, ids, 1 + int(most.sum()), int(k[r]), cure)


def _limits_by_region(view: _View) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Least lower limit, greatest upper limit and number of the grids of each region."""
    problem, r = view.problem, view.problem.nesting.n_regions
    lo = np.full((r, problem.n_attributes), np.iinfo(np.int64).max)
    hi = np.zeros((r, problem.n_attributes), dtype=np.int64)
    np.minimum.at(lo, problem.nesting.grid_region, problem.lo)
    np.maximum.at(hi, problem.nesting.grid_region, problem.hi)
    return lo, hi, np.bincount(problem.nesting.grid_region, minlength=r)


def _hanging(view: _View) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """
    Yield each cut vertex of the clusters within their regions, with the load, clusters and first cluster of each piece.

    Depth-first search with low points (Hopcroft & Tarjan, Comm. ACM 16, 1973).
    """
    edges, region = view.problem.graph.edges, view.problem.nesting.region
    inner = view.cluster[edges[region[edges[:, 0]] == region[edges[:, 1]]]]
    indptr, indices = _adjacency(len(view.first), inner[inner[:, 0] != inner[:, 1]])
    whole = np.zeros((view.problem.nesting.n_regions, view.load.shape[1]), dtype=np.int64)
    np.add.at(whole, view.region, view.load)
    whole_count = np.bincount(view.region, minlength=len(whole))
    load, count = view.load.copy(), np.ones(len(view.first), dtype=np.int64)
    for node, parent, cut_children in _tarjan(indptr, indices):
        children = np.array(cut_children, dtype=np.int64)
        loads, counts = load[children], count[children]
        r = view.region[node]
        above = whole_count[r] - 1 - counts.sum()
        if len(children) + (above > 0) > 1:
            if above > 0:
                up = (whole[r] - view.load[node] - loads.sum(axis=0))[None]
                yield (
                    node,
                    np.concatenate([loads, up]),
                    np.append(counts, above),
                    np.append(children, parent if parent >= 0 else node),
                )
            else:
                yield node, loads, counts, children
        if parent >= 0:
            load[parent] += load[node]
            count[parent] += count[node]


def _adjacency(n: int, edges: NDArray[Any]) -> tuple[list[int], list[int]]:
    both = np.concatenate([edges, edges[:, ::-1]])
    order = np.lexsort((both[:, 1], both[:, 0]))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(both[:, 0], minlength=n))])
    return indptr.tolist(), both[order, 1].tolist()


def _tarjan(indptr: Sequence[int], indices: Sequence[int]) -> Iterator[tuple[int, int, list[int]]]:
    """Yield (node, parent, children it cuts off) when the search leaves each node, children before parents."""
    n = len(indptr) - 1
    enter, low, parent, at = [-1] * n, [0] * n, [-1] * n, list(indptr[:n])
    cut: dict[int, list[int]] = {}
    clock = 0
    for root in range(n):
        if enter[root] >= 0:
            continue
        stack = [root]
        enter[root] = low[root] = clock
        clock += 1
        while stack:
            u = stack[-1]
            if at[u] < indptr[u + 1]:
                v = indices[at[u]]
                at[u] += 1
                if enter[v] < 0:
                    parent[v] = u
                    enter[v] = low[v] = clock
                    clock += 1
                    stack.append(v)
                elif v != parent[u]:
                    low[u] = min(low[u], enter[v])
                continue
            stack.pop()
            p = parent[u]
            yield u, p, cut.pop(u, [])
            if p >= 0:
                low[p] = min(low[p], low[u])
                if low[u] >= enter[p]:
                    cut.setdefault(p, []).append(u)
