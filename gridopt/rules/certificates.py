"""Cheap proofs that no plan exists: arithmetic of loads, locks that exclude each other, narrow necks of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from math import gcd

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.model import Problem
from gridopt.model.graph import components
from gridopt.rules.necks import force, necks
from gridopt.rules.reach import separate, unfitting
from gridopt.rules.view import View

__all__ = ["find", "nearest_sums"]

SHOWN = 20
"""Findings of one code; further ones of that code are left out."""
LARGEST_SUM_TABLE = 2_000_000_000
"""Bits handled (units times upper limit) when all sums of workloads are listed; above it that proof is not tried."""


def find(problem: Problem, thorough: bool = True) -> list[Finding]:
    """
    Look for reasons why no plan can keep the limits and locks of a problem.

    Each finding of severity "error" is a proof by itself: as long as it stands, no sound plan exists. None found
    proves nothing. Reasons that rest on limits are warnings when the problem is soft.

    Parameters
    ----------
    problem : Problem
        As built.
    thorough : bool
        Whether to list sums of workloads and sets of units too, which takes longest.

    Returns
    -------
    list of Finding
        ``too-little-workload``, ``too-much-workload`` (limits of all grids of a region against its load),
        ``too-few-units``, ``no-grid``, ``heavy-unit``, ``heavy-compound`` (more than any grid may hold),
        ``no-load-fits`` (no sum of workloads lies within them), ``too-many-large-units``, ``too-many-apart``,
        ``apart-together``, ``wrong-region``, ``cut-off`` (units of one grid cannot be joined), ``narrow-neck`` (what
        hangs on one unit neither forms grids nor fits with it), ``forced-together`` (it must go with the unit, but
        locks forbid), ``hemmed-in`` (units that can share grids only with one another, to no avail), ``fits-no-grid``
        (no connected set with one unit has a load within the limits), ``too-many-separate``. Of the reasons that rest
        on limits only the simplest is given for each region. At most `SHOWN` of a kind; values in the user's units.

    Notes
    -----
    O((n + m) log n), and the table of sums: O(n hi / 64). Units that limits force into one grid are merged first: what
    hangs on one unit and is too light for a grid goes with it, and where the two are too heavy for one grid they border
    each other no longer; this repeats until nothing changes.

    Examples
    --------
    >>> import gridopt as go
    >>> star = go.Graph.from_edges(4, [(0, 1), (0, 2), (0, 3)], ids=["hub", "a", "b", "c"])
    >>> problem = go.build_problem(star, workload=[1, 3, 3, 3], n_grids=2, tolerance=0.1)
    >>> print(find(problem)[0])
    error too-many-large-units: 'a', 'b', 'c' (value 3, limit 2). No two of these 3 fit in one grid, and there are 2 \
grids: raise the upper limit to 6, or split some of them.
    """
    view = View.of(problem)
    found: list[Finding] = []
    for proof in (_wrong_regions, _few_units, _apart, _cut_off):
        found.extend(islice(proof(view), SHOWN))
    explained: set[int] = set()

    def tell(proof: Iterable[tuple[int, Finding]]) -> None:
        new = [(r, finding) for r, finding in proof if r not in explained]
        explained.update(r for r, _ in new)
        found.extend(finding for _, finding in new[:SHOWN])

    locked_out = bool(found)
    for proof_of_loads in (_sums_of_limits, _heavy, _large_units):
        tell(proof_of_loads(view))
    if locked_out:
        return found
    forced = force(view)
    tell(forced.findings)
    tell(necks(forced))
    if len(forced.view.first) < len(view.first) and not found:
        found.extend(islice(_few_units(forced.view), SHOWN))
        found.extend(islice(_apart(forced.view), SHOWN))
        tell(_large_units(forced.view))
    if not thorough:
        return found
    tell(_no_load_fits(forced.view))
    tell(unfitting(forced.view))
    tell(separate(forced.view))
    return found


# ---- locks and regions --------------------------------------------------------------------------------------------


def _wrong_regions(view: View) -> Iterator[Finding]:
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


def _few_units(view: View) -> Iterator[Finding]:
    """Fewer clusters than grids: some grid would stay empty; or no grid at all for a piece of the territory."""
    for r, clusters in enumerate(view.clusters()):
        k = len(view.rows(r))
        if not k:
            cure = "This piece has no grid of its own: ask for more grids, or join it to another piece by a link."
            yield Finding(
                "no-grid", view.by_locks, view.ids(np.flatnonzero(view.problem.nesting.region == r)), 0, 1, cure
            )
            continue
        if len(clusters) < k:
            cure = f"No grid is empty: ask for at most {len(clusters)} grids here, or lock fewer units together."
            yield Finding("too-few-units", view.by_locks, view.where(r), len(clusters), k, cure)


def _apart(view: View) -> Iterator[Finding]:
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
            yield Finding("too-many-apart", view.by_locks, view.ids(view.first[sorted(clique)]), len(clique), k, cure)


def _cut_off(view: View) -> Iterator[Finding]:
    """Units that must share a grid, but cannot be joined through units that may be in it."""
    problem = view.problem
    if len(view.first) == problem.n_units:
        return
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


def _sums_of_limits(view: View) -> Iterator[tuple[int, Finding]]:
    """Lower limits of all grids of a region need more, or upper limits hold less, than its load."""
    problem, load = view.problem, view.by_region(view.load)
    need_of, room_of = (view.by_region(limit, problem.nesting.grid_region) for limit in (problem.lo, problem.hi))
    outside = (load < need_of) | (load > room_of)
    for r, _, rows in view.ordinary(np.any(outside, axis=1)):
        for a in range(problem.n_attributes):
            need, room, k = int(need_of[r, a]), int(room_of[r, a]), len(rows)
            have, name = int(load[r, a]), problem.attributes[a]
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


def _heavy(view: View) -> Iterator[tuple[int, Finding]]:
    """A unit, or units that must share a grid, above every upper limit."""
    problem, hi = view.problem, view.limits()[1]
    doubtful = (view.load > hi[view.region]).any(axis=1) | (view.grid >= 0)
    for r, clusters, _ in view.ordinary(_has(view, doubtful)):
        most = hi[r]
        for c in clusters[doubtful[clusters]]:
            bound = int(view.grid[c])
            limit = problem.hi[bound] if bound >= 0 else most
            for a in np.flatnonzero(view.load[c] > limit)[:1]:
                value, code = view.user(view.load[c, a], a), "heavy-unit" if view.size[c] == 1 else "heavy-compound"
                how = "split it" if view.size[c] == 1 else "release some of these units"
                own = ' or give it a grid of its own (heavy="own_grid")' if bound < 0 else ""
                cure = f"No grid may hold it: raise the upper limit to {value}, {how}{own}."
                yield r, Finding(code, view.by_limits, view.ids(view.members([c])), value, view.user(limit[a], a), cure)


def _no_load_fits(view: View) -> Iterator[tuple[int, Finding]]:
    """No set of units of a region sums to a load within the limits of one of its grids."""
    problem = view.problem
    for r, clusters, rows in view.ordinary(~_some_load_fits(view)):
        for a in range(problem.n_attributes):
            work = view.load[clusters, a]
            total = int(work.sum())
            limits = sorted({(int(problem.lo[g, a]), int(problem.hi[g, a])) for g in rows})
            for low, high in limits:
                if low <= 0 or low > total:
                    continue
                below, above = nearest_sums(work[work > 0].tolist(), low, min(high, total))
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


def _some_load_fits(view: View) -> NDArray[np.bool_]:
    """Whether the lightest clusters of a region, so many of them, have a load within the limits of any grid; (r,)."""
    problem, r = view.problem, view.problem.nesting.n_regions
    least, most = np.full((r, problem.n_attributes), -1), np.full((r, problem.n_attributes), np.iinfo(np.int64).max)
    np.maximum.at(least, problem.nesting.grid_region, problem.lo)
    np.minimum.at(most, problem.nesting.grid_region, problem.hi)
    fits = np.ones(r, dtype=bool)
    for a in range(problem.n_attributes):
        order = np.lexsort((view.load[:, a], view.region))
        region, sums = view.region[order], np.cumsum(view.load[order, a])
        begins = np.searchsorted(region, np.arange(r))
        before = np.concatenate([[0], sums])[begins]
        sums = sums - before[region]
        fits &= _has(view, (sums >= least[region, a]) & (sums <= most[region, a]), region)
    return fits


def _has(view: View, chosen: NDArray[np.bool_], region: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Whether each region has a cluster (or whatever lies in `region`) that is chosen; (r,)."""
    own = view.region if region is None else region
    return np.bincount(own[chosen], minlength=view.problem.nesting.n_regions) > 0


def nearest_sums(work: list[int], low: int, high: int, most: int = LARGEST_SUM_TABLE) -> tuple[int, int | None]:
    """
    Greatest sum of a subset below `low`, least sum from `low` on, None where there is none.

    Multiples of the gcd instead, no further away, where the table has more than `most` bits, or a sum from `low` to
    `high` was found.
    """
    step = gcd(*work) if work else 1
    first = -(-low // step) * step
    if first > high:
        return first - step, first
    low, high = -(-low // step), high // step
    if len(work) * (high + 1) > most:
        return first - step, first
    work = sorted(w // step for w in work)
    sums, full = 1, (1 << (max(work, default=0) + high + 1)) - 1
    for w in work:
        sums |= (sums << w) & full
        if sums >> low & ((1 << (high - low + 1)) - 1):
            return first - step, first
    above = sums >> low
    least = low + (above & -above).bit_length() - 1 if above else None
    return ((sums & ((1 << low) - 1)).bit_length() - 1) * step, None if least is None else least * step


def _large_units(view: View) -> Iterator[tuple[int, Finding]]:
    """More units above half of the largest upper limit than grids: two of them share no grid."""
    problem, (_, hi, n_rows) = view.problem, view.limits()
    is_large = view.load > hi[view.region] // 2  # of whole numbers: twice it is above
    too_many = view.by_region(is_large) > n_rows[:, None]
    for r, clusters, rows in view.ordinary(np.any(too_many, axis=1)):
        for a in range(problem.n_attributes):
            large = clusters[is_large[clusters, a]]
            if len(large) > len(rows):
                two = np.sort(view.load[large, a])[:2].sum()
                cure = (
                    f"No two of these {len(large)} fit in one grid, and there are {len(rows)} grids: raise the upper "
                    f"limit to {view.user(two, a)}, or split some of them."
                )
                ids = view.ids(view.first[large])
                yield r, Finding("too-many-large-units", view.by_limits, ids, len(large), len(rows), cure)
                break
