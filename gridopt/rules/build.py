"""build_problem: a graph, a workload and wishes -> limits, nesting, locks and objective."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_fraction, as_list
from gridopt.errors import Finding, InputError, name_ids
from gridopt.model import Graph, Locks, Nesting, Problem
from gridopt.model.graph import components
from gridopt.rules.demand import check_choices, read_demand, read_incumbent, read_objective, refuse_too_costly
from gridopt.rules.limits import limits_around
from gridopt.rules.locks import ResolvedLocks, resolve_locks
from gridopt.rules.regions import Demand, Regions, build_regions
from gridopt.rules.tables import read_parents, read_workload

__all__ = ["build_problem"]


def build_problem(
    graph: Graph,
    workload: Any,
    *,
    n_grids: int | Mapping[Any, int] | None = None,
    tolerance: Any = None,
    band: Any = None,
    targets: Any = None,
    parent: Any = None,
    n_per_parent: Sequence[int] | None = None,
    scope: str | None = None,
    islands: str = "own",
    heavy: str = "own_grid",
    locks: Locks | None = None,
    objective: Mapping[str, int] | None = None,
    edge_cost: Any = None,
    unit_cost: Any = None,
    incumbent: Any = None,
    soft: bool = False,
    missing: str = "error",
    resolution: Any = None,
) -> Problem:
    """
    State what a plan must satisfy: so many grids, so equal, inside parents, around locks, at least cost.

    Parameters
    ----------
    graph : Graph
        Who borders whom.
    workload : Series, DataFrame or array_like, shape (n,) or (n, a)
        Workload of each unit, in any units, at least 0. Tables are aligned by index with the graph's ids; plain arrays
        are in the order of the units. Whole numbers are kept; others are rounded to `resolution`.
    n_grids : int or mapping of parent id to int, optional
        Number of grids, ``k``. May be absent where `band` is given: then the fewest that the band allows.
    tolerance : number or mapping of attribute to number, optional
        Imbalance allowed on both sides of the target, in [0, 1); read exactly from its decimal text. Default 0.05.
    band : (lo, hi) or mapping of attribute to (lo, hi), optional
        Absolute limits of loads, in the user's units, instead of a tolerance.
    targets : array_like, shape (k,), optional
        Unequal targets, in any scale: grid ``j`` aims for its share. The territory must be one region.
    parent : Series or array_like, shape (n,), optional
        Parent of each unit; no grid crosses a parent's boundary.
    n_per_parent : (int, int), optional
        Fewest and most grids of each parent.
    scope : {"parent", "global"}, optional
        Targets are each region's own mean load (default with `n_grids`), or one for all (default with `band`).
    islands : {"own", "link"}
        Several components get grids of their own, or each is joined to its nearest neighbour.
    heavy : {"own_grid", "strict"}
        A unit above the upper limit is a grid of its own, exempt from limits; or no plan exists.
    locks : Locks, optional
        What must stay as it is.
    objective : mapping of str to int, optional
        Weight of each term, see `gridopt.model.TERMS`. Default ``{"cut": 1}``.
    edge_cost : array_like of int, shape (m,), optional
        User's own cost of cutting each edge, added with weight ``objective["edge_cost"]`` (default 1).
    unit_cost : array_like of int, shape (n, k), optional
        User's own cost of each unit in each grid, weight ``objective["unit_cost"]`` (default 1).
    incumbent : Plan, Series or array_like, optional
        The plan in force, for the term ``moved``; unknown units (new ones) may be absent.
    soft : bool
        Limits are wishes; the least violation is sought.
    missing : {"error", "zero"}
        What a missing workload means.
    resolution : number or mapping of attribute to number, optional
        Size of a work unit in the user's units. Default 1 for whole numbers, 0.01 for others.

    Returns
    -------
    Problem

    Raises
    ------
    InputError
        If anything is missing, malformed or contradictory; the message names ids, limit and cure.

    Notes
    -----
    With target ``T = W / k``: ``lo = min(ceil((1 - t) T), floor(T))``, ``hi = max(floor((1 + t) T), ceil(T))``, in
    exact rationals. Grids are shared out among parents and components by Webster's method.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    >>> problem = go.build_problem(graph, workload=[10, 10, 10, 10], n_grids=2, tolerance=0.1)
    >>> problem.lo[:, 0].tolist(), problem.hi[:, 0].tolist()
    ([18, 18], [22, 22])

    """
    asked = {k: v for k, v in locals().items() if k not in ("graph", "workload", "parent", "edge_cost", "unit_cost")}
    check_choices(scope=(scope, (None, "parent", "global")), islands=(islands, ("own", "link")))
    check_choices(heavy=(heavy, ("own_grid", "strict")), missing=(missing, ("error", "zero")))
    if not isinstance(graph, Graph):
        raise InputError(f"graph is a {type(graph).__name__}; give a Graph, such as build_graph(units) makes.")
    if not isinstance(locks, Locks | None):
        raise InputError(f"locks is {locks!r}; give Locks(together=..., apart=..., fixed=...).")
    if not isinstance(soft, bool | np.bool_):
        raise InputError(f"soft is {soft!r}; give True or False.")
    if targets is not None:
        targets = as_list(targets, "targets", "one number for each grid, such as [1, 2, 1]")
    if graph.n_units == 0:
        raise InputError("the graph has no units. Give at least one.")
    names, work, sizes = read_workload(workload, graph.ids, resolution, missing)
    parent_of, parents = read_parents(parent, graph.ids)
    if islands == "link":
        graph = _link_islands(graph, parent_of)
    resolved = resolve_locks(locks or Locks(), graph, parent_of)
    demand = read_demand(
        graph, names, sizes, parents, parent_of, n_grids, tolerance, band, scope, heavy, n_per_parent, targets
    )
    regions = build_regions(graph, work, parent_of, parents, resolved, demand)
    before = read_incumbent(incumbent, graph.ids, sum(regions.n_grids))
    rows = _rows(regions, resolved, graph, before)
    lo, hi, target = (np.array(getattr(regions, name))[rows] for name in ("lo", "hi", "target"))
    if targets is not None:
        lo, hi, target = _unequal(targets, work, demand, regions)
    terms, edge_cost, unit_cost = read_objective(objective, edge_cost, unit_cost, graph, len(rows))
    named = bool(resolved.fixed or resolved.frozen or targets is not None or unit_cost is not None)
    fixed = np.full(graph.n_units, -1, dtype=np.int32)
    fixed[list(resolved.fixed)] = list(resolved.fixed.values())
    problem = Problem(
        graph=graph,
        workload=work,
        attributes=names,
        resolution=sizes,
        lo=lo,
        hi=hi,
        target=target,
        nesting=_nesting(regions, rows, parents),
        fixed=fixed,
        together=resolved.together,
        apart=resolved.apart,
        interchangeable=not named and incumbent is None,
        objective=terms,
        edge_cost=edge_cost,
        unit_cost=unit_cost,
        incumbent=before,
        soft=bool(soft),
        parameters=_plain_parameters(asked),
    )
    refuse_too_costly(problem)
    told = [*_tell(problem), *_tell_widened(problem, demand)]
    return replace(problem, findings=(*graph.findings, *told))


def _link_islands(graph: Graph, parent: NDArray[np.int64]) -> Graph:
    """Join the components of each parent to one another by links between their nearest units."""
    if graph.xy is None:
        raise InputError('islands="link" needs coordinates: give the graph xy=, or declare links= yourself.')
    from scipy.spatial import cKDTree

    inside = parent[graph.edges[:, 0]] == parent[graph.edges[:, 1]]
    comp = components(graph.n_units, graph.edges[inside])
    links: list[tuple[int, int]] = []
    for p in np.unique(parent):
        units = np.flatnonzero(parent == p)
        pieces = np.unique(comp[units])
        if len(pieces) < 2:
            continue
        main = pieces[np.argmax(np.bincount(comp[units])[pieces])]
        joined = units[comp[units] == main]
        rest = [units[comp[units] == c] for c in pieces if c != main]
        while rest:
            tree = cKDTree(graph.xy[joined])
            best = min(
                ((*min(zip(*tree.query(graph.xy[g]), range(len(g)))), i) for i, g in enumerate(rest)),
                key=lambda found: (found[0], found[3]),
            )
            _, to, at, i = best
            links.append((int(rest[i][at]), int(joined[to])))
            joined = np.concatenate([joined, rest.pop(i)])
    if not links:
        return graph
    linked = graph.with_links(links, cost=max(1, int(np.median(graph.cost)) if graph.n_edges else 1))
    ids = tuple(graph.ids[u].item() if hasattr(graph.ids[u], "item") else graph.ids[u] for u, _ in links)
    finding = Finding("islands-linked", "warning", ids, len(links), None, "Each was joined to its nearest neighbour.")
    warnings.warn(str(finding), stacklevel=3)
    return replace(linked, findings=(*graph.findings, finding))


def _unequal(
    targets: list[Any], work: NDArray[np.int64], demand: Demand, regions: Regions
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    shares = [as_fraction(v.item() if hasattr(v, "item") else v, "targets") for v in targets]
    if len(regions.reason) != 1 or demand.tolerance is None or len(shares) != regions.n_grids[0]:
        raise InputError(
            f"targets= needs one connected territory without parents, heavy or dedicated units, a tolerance, and one "
            f"target for each grid; here are {len(regions.reason)} regions and {len(shares)} targets for "
            f"{sum(regions.n_grids)} grids. Build one problem for each region."
        )
    if min(shares) <= 0:
        raise InputError(f"targets must be above 0; the least is {float(min(shares))}.")
    scale = sum(shares)
    fair = [[Fraction(int(w)) * share / scale for w in work.sum(axis=0)] for share in shares]
    limits = np.array(
        [[limits_around(t.numerator, t.denominator, tol) for t, tol in zip(row, demand.tolerance)] for row in fair]
    )
    return limits[:, :, 0], limits[:, :, 1], np.array(fair, dtype=np.float64)


def _nesting(regions: Regions, rows: NDArray[np.int32], parents: NDArray[Any]) -> Nesting:
    parent = np.array(regions.parent, dtype=np.int32)
    return Nesting(regions.region.astype(np.int32), rows, parent, parents, tuple(regions.reason))


def _rows(regions: Regions, locks: ResolvedLocks, graph: Graph, before: NDArray[np.int32] | None) -> NDArray[np.int32]:
    """
    Region of each grid: named grids go where their units are, grids in force where most of theirs are, as long as that
    region has grids left; the others follow in order.
    """
    k = sum(regions.n_grids)
    rows = np.full(k, -1, dtype=np.int32)
    left = list(regions.n_grids)
    claims: list[tuple[int, int, Any]] = [
        (grid, r, "frozen") for r, grid in enumerate(regions.frozen_grid) if grid >= 0
    ]
    claims += [(grid, int(regions.region[unit]), graph.ids[unit]) for unit, grid in sorted(locks.fixed.items())]
    for grid, r, who in claims:
        if grid >= k:
            raise InputError(
                f"locks name grid {grid} (for {name_ids([who])}), counted from 0, that is G{grid + 1:03d}; but there "
                f"are {k} grids, 0 … {k - 1} (G001 … G{k:03d}). Ask for more grids, or name one of these."
            )
        if rows[grid] == r:
            continue
        if rows[grid] >= 0 or left[r] == 0:
            raise InputError(
                f"locks contradict each other: unit {name_ids([who])} is fixed to grid {grid}, which "
                f"{'lies in another parent or piece' if rows[grid] >= 0 else 'its region has no grid left for'}. "
                "Units fixed to one grid must lie in one region."
            )
        rows[grid] = r
        left[r] -= 1
    if before is not None:
        _keep_grids_in_force(rows, left, before, regions.region)
    rows[rows < 0] = np.repeat(np.arange(len(left)), left)
    return rows


def _keep_grids_in_force(
    rows: NDArray[np.int32], left: list[int], before: NDArray[np.int32], region: NDArray[Any]
) -> None:
    """Give each grid in force to the region with most of its units, the surest first; writes `rows` and `left`."""
    known = np.flatnonzero(before >= 0)
    pairs, units = np.unique(np.column_stack([before[known], region[known]]), axis=0, return_counts=True)
    for i in np.lexsort((pairs[:, 1], pairs[:, 0], -units)).tolist():
        grid, r = pairs[i].tolist()
        if rows[grid] < 0 and left[r] > 0:
            rows[grid] = r
            left[r] -= 1


def _tell(problem: Problem) -> list[Finding]:
    """What was decided while building, by unit id."""
    told = _tell_exempt(problem)
    n_components = int(problem.graph.components().max(initial=-1)) + 1
    if n_components > 1:
        told.append(Finding("several-components", "info", (), n_components, 1, "Each has its own share of grids."))
    for name, size in zip(problem.attributes, problem.resolution):
        if size != 1:
            cure = "Loads are multiples of the resolution."
            told.append(Finding("rounded", "info", (name,), None, float(size), cure))
    return told


def _tell_widened(problem: Problem, demand: Demand) -> list[Finding]:
    """Tolerances narrower than one work unit: limits are then the whole numbers on either side of the target."""
    rows = np.flatnonzero(~problem.nesting.exempt)
    if demand.tolerance is None or not len(rows):
        return []
    target = problem.target[rows]
    if demand.scope == "global":
        inside = ~problem.nesting.region_exempt[problem.nesting.region]
        target = np.tile(problem.workload[inside].sum(axis=0) / len(rows), (len(rows), 1))
    share = np.array([float(t) for t in demand.tolerance])
    slack = 1e-9 * np.maximum(1.0, target)
    wide = problem.lo[rows] < (1 - share) * target - slack
    wide |= problem.hi[rows] > (1 + share) * target + slack
    told = []
    for a in np.flatnonzero(wide.any(axis=0)).tolist():
        least = int(np.where(wide[:, a], target[:, a], np.inf).argmin())
        low, high = (problem.in_user_units(int(side[rows[least], a]), a) for side in (problem.lo, problem.hi))
        size = problem.resolution[a]
        cure = (
            f"{share[a]:.3g} of a target of {target[least, a] * float(size):.6g} is less than one work unit "
            f"({float(size):g}): limits are the whole numbers of them beside it, {low} and {high}, for "
            f"{int(wide[:, a].sum())} grids. Give a finer resolution=, or a wider tolerance=."
        )
        limit = float(
            max(problem.hi[rows[least], a] / target[least, a] - 1, 1 - problem.lo[rows[least], a] / target[least, a])
        )
        told.append(Finding("tolerance-widened", "info", (problem.attributes[a],), float(share[a]), limit, cure))
    return told


def _tell_exempt(problem: Problem) -> list[Finding]:
    """Regions whose grid is exempt because of its load, the heaviest unit first, by the workload that decided it."""
    nesting, work = problem.nesting, problem.workload
    by_region = np.argsort(nesting.region, kind="stable")
    starts = np.append(np.searchsorted(nesting.region[by_region], np.arange(nesting.n_regions)), len(by_region))
    ordinary = _ordinary_rows(problem)
    told = []
    for r, reason in enumerate(nesting.reason):
        if reason not in ("heavy", "light"):
            continue
        units = by_region[starts[r] : starts[r + 1]]
        units = units[np.lexsort((units, -work[units].max(axis=1)))]
        load = work[units].sum(axis=0)
        row = ordinary.get(int(nesting.region_parent[r]), ordinary.get(-1))
        a, limit = 0, None
        if row is not None:
            side = problem.hi[row] if reason == "heavy" else problem.lo[row]
            share = load / np.maximum(side, 1)
            a = int(share.argmax() if reason == "heavy" else share.argmin())
            limit = problem.in_user_units(int(side[a]), a)
        cure = "It is one exempt grid." + (_tell_joining(problem, units) if reason == "light" else "")
        if reason == "heavy":
            cure = "It is a grid of its own, exempt from limits."
            if len(units) > 1:
                cure = f"With {len(units) - 1} units that belong to it or are cut off by it, it is one exempt grid."
        if problem.n_attributes > 1:
            cure = f"By {problem.attributes[a]}: {cure[0].lower()}{cure[1:]}"
        first = tuple(problem.graph.ids[units[:50]].tolist())
        value = problem.in_user_units(int(load[a]), a)
        told.append(
            Finding(f"{reason}-{'unit' if reason == 'heavy' else 'piece'}", "warning", first, value, limit, cure)
        )
    return told


def _tell_joining(problem: Problem, piece: NDArray[np.int64]) -> str:
    """How a piece too light for a grid can join the rest of its parent, and the nearest unit there; or nothing."""
    nesting, graph = problem.nesting, problem.graph
    mine = nesting.region[piece[0]]
    same = nesting.region_parent[nesting.region] == nesting.region_parent[mine]
    rest = np.flatnonzero(same & (nesting.region != mine) & ~nesting.region_exempt[nesting.region])
    if not len(rest):
        return ""
    ways = ' islands="link" joins such pieces to the nearest part, each by a link'
    if graph.xy is None:
        return f"{ways}; links= those you name."
    far = [float(np.hypot(*(graph.xy[rest] - graph.xy[u]).T).min()) for u in piece]
    u = piece[int(np.argmin(far))]
    v = rest[int(np.argmin(np.hypot(*(graph.xy[rest] - graph.xy[u]).T)))]
    pair = " and ".join(repr(name) for name in graph.ids[[u, v]].tolist())
    return f"{ways}; links= or overrides= join this one alone, such as {pair}, the nearest by their centres."


def _ordinary_rows(problem: Problem) -> dict[int, int]:
    """First grid with limits in each parent; ``-1`` is the first of all."""
    nesting = problem.nesting
    rows = np.flatnonzero(~nesting.exempt)
    parents, first = np.unique(nesting.region_parent[nesting.grid_region[rows]], return_index=True)
    return {**({-1: int(rows[0])} if len(rows) else {}), **dict(zip(parents.tolist(), rows[first].tolist()))}


def _plain_parameters(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the caller asked for, as plain JSON-able values."""

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(k): plain(v) for k, v in value.items()}
        if isinstance(value, Locks):
            return {k: plain(v) for k, v in vars(value).items() if len(v)}
        if hasattr(value, "to_dict"):
            return plain(value.to_dict())
        if isinstance(value, np.ndarray | tuple | list):
            return [plain(v) for v in value]
        if hasattr(value, "item"):
            return value.item()
        return value if isinstance(value, str | int | float | bool | None) else str(value)

    return {k: plain(v) for k, v in asked.items() if v is not None and k != "incumbent"}
