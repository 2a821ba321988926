"""What a plan must keep: who breaks it, where, and by how much. Plain numpy and Python, independent of the search."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.model import Problem, grid_ids
from gridopt.model.graph import components, first_places
from gridopt.rules.limits import MILLION, limits_of

__all__ = ["broken_limits", "broken_locks", "broken_shape", "total_violation"]


def _loads(problem: Problem, labels: NDArray[np.int32]) -> NDArray[np.int64]:
    loads = np.zeros((problem.n_grids, problem.n_attributes), dtype=np.int64)
    np.add.at(loads, labels, problem.workload)
    return loads


def total_violation(problem: Problem, labels: NDArray[np.int32]) -> int:
    """
    Sum over grids and attributes of excess / target, in whole millionths, and a million for each broken pair apart.

    0 when every load is within its limits and no two units share a grid that may not. Pairs between the same compounds
    are one pair. It is what the search minimises first, and what `Step` and `Progress` tell.

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(3, [(0, 1), (1, 2)]), workload=[4, 4, 4], n_grids=2, tolerance=0)
    >>> total_violation(problem, np.array([0, 0, 1]))
    666666
    """
    lo, hi, target = limits_of(problem, labels)
    loads = _loads(problem, labels)
    excess = np.maximum(0, np.maximum(loads - hi, lo - loads))
    whole = np.maximum(1, np.rint(target)).astype(np.int64)
    return int((excess * MILLION // whole).sum()) + MILLION * _broken_pairs(problem, labels)


def _broken_pairs(problem: Problem, labels: NDArray[np.int32]) -> int:
    """Pairs that share a grid and may not, those between the same compounds counted once."""
    pairs = problem.apart[labels[problem.apart[:, 0]] == labels[problem.apart[:, 1]]]
    if not len(pairs):
        return 0
    key = np.where(problem.together >= 0, problem.n_units + problem.together, np.arange(problem.n_units))
    return len(np.unique(np.sort(key[pairs], axis=1), axis=0))


def broken_limits(problem: Problem, labels: NDArray[np.int32], names: NDArray[Any] | None = None) -> list[Finding]:
    """Grids lighter than ``lo`` or heavier than ``hi``, one finding for each grid and attribute; `names`: their ids."""
    lo, hi, _ = limits_of(problem, labels)
    loads = _loads(problem, labels)
    names = grid_ids(problem.n_grids) if names is None else names
    found = []
    for low, side, code in ((True, lo, "under-limit"), (False, hi, "over-limit")):
        outside = loads < side if low else loads > side
        by_grid = []
        for a, name in enumerate(problem.attributes):
            grids = np.flatnonzero(outside[:, a])
            values, limits = (problem.in_user_units(x[grids, a], a).tolist() for x in (loads, side))
            for j, value, limit in zip(grids.tolist(), values, limits):
                move = f"Give it {limit - value:g} more {name}" if low else f"Take {value - limit:g} {name} from it"
                text = f"{move}, or widen the limits."
                by_grid.append((j, a, Finding(code, "error", (str(names[j]),), value, limit, text)))
        found += [finding for _, _, finding in sorted(by_grid, key=lambda row: row[:2])]
    return found


def broken_shape(problem: Problem, labels: NDArray[np.int32], names: NDArray[Any] | None = None) -> list[Finding]:
    """Grids that are empty, in several pieces, or across regions; regions with too few or too many grids."""
    graph, k = problem.graph, problem.n_grids
    names = grid_ids(k) if names is None else names
    sizes = np.bincount(labels, minlength=k)
    found = [
        Finding("empty-grid", "error", (str(names[j]),), 0, 1, "Every grid has at least one unit.")
        for j in np.flatnonzero(sizes == 0)
    ]
    inside = labels[graph.edges[:, 0]] == labels[graph.edges[:, 1]]
    piece = components(graph.n_units, graph.edges[inside])
    first = first_places(piece, int(piece.max(initial=-1)) + 1)
    pieces = np.bincount(labels[first], minlength=k)
    for j in np.flatnonzero(pieces > 1):
        apart = graph.ids[first[labels[first] == j]][:5]
        ids = (str(names[j]), *(a.item() if hasattr(a, "item") else a for a in apart))
        cure = "A grid is connected: these units of it lie in different pieces."
        found.append(Finding("not-contiguous", "error", ids, int(pieces[j]), 1, cure))
    return found + _across_regions(problem, labels, sizes, names)


def _across_regions(
    problem: Problem, labels: NDArray[np.int32], sizes: NDArray[np.int64], names: NDArray[Any]
) -> list[Finding]:
    nesting, k = problem.nesting, problem.n_grids
    found = []
    pairs = np.unique(labels.astype(np.int64) * nesting.n_regions + nesting.region)
    across = np.bincount(pairs // nesting.n_regions, minlength=k)
    for j in np.flatnonzero(across > 1):
        regions = pairs[pairs // nesting.n_regions == j] % nesting.n_regions
        parents = np.unique(nesting.region_parent[regions])
        if len(parents) > 1:
            ids = (str(names[j]), *(nesting.parents[p] for p in parents[:4]))
            found.append(Finding("crosses-parent", "error", ids, len(parents), 1, "A grid lies in one parent."))
            continue
        alone = [nesting.reason[r] for r in regions if nesting.reason[r] not in ("whole", "parent", "component")]
        what = alone[0] if alone else "component"
        first = [int(np.flatnonzero((nesting.region == r) & (labels == j))[0]) for r in regions[:4]]
        ids = (str(names[j]), *(problem.graph.ids[u] for u in first))
        cure = f"These units may not share a grid: one of them stands alone ({what})."
        found.append(Finding("crosses-region", "error", ids, len(regions), 1, cure))
    if problem.interchangeable:
        grids = np.bincount(pairs % nesting.n_regions, minlength=nesting.n_regions)
        wanted = np.bincount(nesting.grid_region, minlength=nesting.n_regions)
    else:
        home = np.full(k, -1)
        first_unit = first_places(labels, k)
        used = np.flatnonzero(sizes > 0)
        home[used] = nesting.region[first_unit[used]]
        grids, wanted = (home != nesting.grid_region) & (sizes > 0), np.zeros(k, dtype=bool)
        return found + [
            Finding("wrong-region", "error", (str(names[j]),), None, None, "Its units lie in another region than it.")
            for j in np.flatnonzero(grids != wanted)
        ]
    for r in np.flatnonzero(grids != wanted):
        unit = problem.graph.ids[int(np.flatnonzero(nesting.region == r)[0])]
        cure = "Each parent, piece or lone unit has its own number of grids; this is the one with that unit."
        found.append(Finding("grids-in-region", "error", (unit,), int(grids[r]), int(wanted[r]), cure))
    return found


def broken_locks(problem: Problem, labels: NDArray[np.int32], names: NDArray[Any] | None = None) -> list[Finding]:
    """Units outside the grid they are fixed to, compounds that are cut, pairs that should be apart and are not."""
    ids, found = problem.graph.ids, []
    names = grid_ids(problem.n_grids) if names is None else names
    for u in np.flatnonzero((problem.fixed >= 0) & (problem.fixed != labels)):
        cure = "It is fixed there."
        found.append(
            Finding("not-fixed", "error", (ids[u],), str(names[labels[u]]), str(names[problem.fixed[u]]), cure)
        )
    inside = problem.together >= 0
    pairs = np.unique(problem.together[inside].astype(np.int64) * problem.n_grids + labels[inside])
    cut = np.bincount(pairs // problem.n_grids)
    for c in np.flatnonzero(cut > 1):
        units = tuple(ids[np.flatnonzero(problem.together == c)[:5]].tolist())
        found.append(Finding("compound-cut", "error", units, int(cut[c]), 1, "These units belong in one grid."))
    for u, v in problem.apart[labels[problem.apart[:, 0]] == labels[problem.apart[:, 1]]]:
        where = str(names[labels[u]])
        found.append(Finding("not-apart", "error", (ids[u], ids[v]), where, None, "These units may not share a grid."))
    return found
