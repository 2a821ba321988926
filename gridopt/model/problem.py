"""Problem: a territory, its workload, limits, nesting and locks, and what a plan should cost. Facts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import frozen
from gridopt.errors import Finding
from gridopt.model.graph import Graph

__all__ = ["EXEMPT_REASONS", "TERMS", "Locks", "Nesting", "Problem", "grid_ids"]

TERMS = ("cut", "imbalance", "inertia", "moved", "edge_cost", "unit_cost")
"""Terms of the objective; the last two are the user's own arrays."""

EXEMPT_REASONS = ("dedicated", "frozen", "heavy", "light")
"""Why a region has one grid that is bound by no limits."""


@dataclass(frozen=True)
class Locks:
    """
    What a plan must leave as it is, by unit id. Empty by default; None is empty too.

    Parameters
    ----------
    together : sequence of sequences of ids, or Series / mapping of unit id to compound
        Compounds never cut: the units of one are in one grid. Null in a Series means no compound.
    apart : sequence of sequences of ids
        Units of which no two share a grid.
    fixed : mapping of unit id to grid
        The grid (0 … k - 1, or a text id such as ``"G003"``) a unit belongs to.
    dedicated : sequence of sequences of ids
        Towers, campuses, markets: each is a grid of its own, bound by no limits.
    frozen : mapping of grid to sequence of ids
        Grids that stay exactly as they are, bound by no limits.

    Examples
    --------
    >>> Locks(together=[["A1", "A2"]], fixed={"B7": 0}).together
    [['A1', 'A2']]

    """

    together: Any = ()
    apart: Sequence[Sequence[Any]] = ()
    fixed: Mapping[Any, Any] = field(default_factory=dict)
    dedicated: Sequence[Sequence[Any]] = ()
    frozen: Mapping[Any, Sequence[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, empty in (("together", ()), ("apart", ()), ("fixed", {}), ("dedicated", ()), ("frozen", {})):
            if getattr(self, name) is None:
                object.__setattr__(self, name, empty)


@dataclass(frozen=True, eq=False)
class Nesting:
    """
    Regions: connected sets of units, each with grids of its own, so that a plan is a union of plans of regions.

    Parents, components, heavy units, dedicated sets, frozen grids and pieces too light for a grid are all regions.

    Parameters
    ----------
    region : ndarray of int32, shape (n,)
        Region of each unit; regions are numbered by their smallest unit position.
    grid_region : ndarray of int32, shape (k,)
        Region each grid lies in.
    region_parent : ndarray of int32, shape (r,)
        Position in `parents` of the parent of each region; 0 where there are no parents.
    parents : ndarray of int64 or object (text), shape (p,)
        Ids of the parents; empty where there are none.
    reason : tuple of str, length r
        ``"whole"``, ``"parent"`` or ``"component"`` for ordinary regions; one of `EXEMPT_REASONS` for others.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    >>> nesting = go.build_problem(graph, workload=[1, 1, 9, 1], n_grids=3, tolerance=0.1).nesting
    >>> nesting.region.tolist(), nesting.reason
    ([0, 0, 1, 2], ('component', 'heavy', 'component'))

    """

    region: NDArray[np.int32]
    grid_region: NDArray[np.int32]
    region_parent: NDArray[np.int32]
    parents: NDArray[Any]
    reason: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in ("region", "grid_region", "region_parent"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.int32))
        object.__setattr__(self, "parents", frozen(self.parents, self.parents.dtype))

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    @property
    def n_regions(self) -> int:
        """Number of regions, ``r``."""
        return len(self.reason)

    @property
    def region_exempt(self) -> NDArray[np.bool_]:
        """Whether the one grid of each region is bound by no limits, shape (r,)."""
        return np.array([reason in EXEMPT_REASONS for reason in self.reason], dtype=bool)

    @property
    def exempt(self) -> NDArray[np.bool_]:
        """Whether each grid is bound by no limits, shape (k,)."""
        return self.region_exempt[self.grid_region]

    def parent_of_grid(self, grid: int) -> Any:
        """Id of the parent of a grid, None where there are no parents."""
        if not len(self.parents):
            return None
        parent = self.parents[self.region_parent[self.grid_region[grid]]]
        return parent.item() if hasattr(parent, "item") else parent


@dataclass(frozen=True, eq=False)
class Problem:
    """
    What a plan has to satisfy. Made by `build_problem`; every array is read-only.

    Parameters
    ----------
    graph : Graph
        Who borders whom.
    workload : ndarray of int64, shape (n, a)
        Workload of each unit, in work units.
    attributes : tuple of str, length a
        Names of the workload columns.
    resolution : tuple of Fraction, length a
        Size of a work unit of each attribute, in the user's units.
    lo, hi : ndarray of int64, shape (k, a)
        Least and greatest load of each grid, in work units. Exempt grids have 0 and the total.
    target : ndarray of float64, shape (k, a)
        Fair load of each grid, in work units.
    nesting : Nesting
        Regions and the grids each gets.
    fixed : ndarray of int32, shape (n,)
        Grid each unit is bound to, -1 where free.
    together : ndarray of int32, shape (n,)
        Compound of each unit, -1 where in none.
    apart : ndarray of int32, shape (p, 2)
        Pairs of unit positions that never share a grid.
    interchangeable : bool
        Whether grids of one region may swap labels: nothing names one of them.
    objective : mapping of str to int
        Weight of each term (`TERMS`).
    edge_cost : ndarray of int64, shape (m,), or None
        User's cost of each edge when cut.
    unit_cost : ndarray of int64, shape (n, k), or None
        User's cost of each unit in each grid.
    incumbent : ndarray of int32, shape (n,), or None
        Labels of the plan in force, -1 where a unit is new.
    soft : bool
        Limits are wishes: least violation is sought and no limit makes a plan unsound.
    findings : tuple of Finding
        What was noticed while building.
    parameters : dict
        What the caller asked for, JSON-able.

    Examples
    --------
    >>> import gridopt as go
    >>> go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[1, 1], n_grids=2)
    Problem(2 units, 2 grids, workload)

    """

    graph: Graph
    workload: NDArray[np.int64]
    attributes: tuple[str, ...]
    resolution: tuple[Fraction, ...]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    target: NDArray[np.float64]
    nesting: Nesting
    fixed: NDArray[np.int32]
    together: NDArray[np.int32]
    apart: NDArray[np.int32]
    interchangeable: bool = True
    objective: Mapping[str, int] = field(default_factory=lambda: {"cut": 1})
    edge_cost: NDArray[np.int64] | None = None
    unit_cost: NDArray[np.int64] | None = None
    incumbent: NDArray[np.int32] | None = None
    soft: bool = False
    findings: tuple[Finding, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        types = {
            "workload": np.int64,
            "lo": np.int64,
            "hi": np.int64,
            "target": np.float64,
            "fixed": np.int32,
            "together": np.int32,
            "apart": np.int32,
            "edge_cost": np.int64,
            "unit_cost": np.int64,
            "incumbent": np.int32,
        }
        for name, dtype in types.items():
            if getattr(self, name) is not None:
                object.__setattr__(self, name, frozen(getattr(self, name), dtype))

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    def __repr__(self) -> str:
        return f"Problem({self.n_units} units, {self.n_grids} grids, {', '.join(self.attributes)})"

    @property
    def n_units(self) -> int:
        """Number of units, ``n``."""
        return self.graph.n_units

    @property
    def n_grids(self) -> int:
        """Number of grids, ``k``."""
        return len(self.lo)

    @property
    def n_attributes(self) -> int:
        """Number of workload columns, ``a``."""
        return len(self.attributes)

    def in_user_units(self, loads: Any, attribute: int = 0) -> Any:
        """
        Work units back in the user's units: int where the resolution is 1, else float.

        Examples
        --------
        >>> import gridopt as go
        >>> problem = go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[1.5, 1.5], n_grids=2)
        >>> problem.in_user_units(150)
        1.5

        """
        size = self.resolution[attribute]
        values = np.asarray(loads)
        if int(np.abs(values).max(initial=0)) * size.numerator < 2**63:
            values = values * size.numerator
            values = values // 1 if size.denominator == 1 else values / size.denominator
        else:
            values = np.asarray(values.astype(object) * size.numerator / size.denominator, dtype=np.float64)
        return values.item() if np.ndim(loads) == 0 else values

    def permuted(self, order: NDArray[Any]) -> Problem:
        """Return the same problem with its grids in another order: new grid ``j`` is the old ``order[j]``."""
        order = np.asarray(order, dtype=np.int64)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        moved: dict[str, Any] = {
            name: np.where(labels >= 0, back[np.maximum(labels, 0)], -1)
            for name in ("fixed", "incumbent")
            if (labels := getattr(self, name)) is not None
        }
        return replace(
            self,
            lo=self.lo[order],
            hi=self.hi[order],
            target=self.target[order],
            nesting=replace(self.nesting, grid_region=self.nesting.grid_region[order]),
            unit_cost=None if self.unit_cost is None else self.unit_cost[:, order],
            **moved,
        )

    def reordered(self, order: NDArray[Any]) -> Problem:
        """
        Return the same problem with its units in another order: new unit ``i`` is the old ``order[i]``.

        Regions, compounds and interchangeable grids are numbered anew by their smallest unit, so that equal problems
        become equal arrays in whatever order their rows came. O((n + m) log n).

        Examples
        --------
        >>> import gridopt as go
        >>> graph = go.Graph.from_edges(3, [(0, 1), (1, 2)], ids=["c", "a", "b"])
        >>> go.build_problem(graph, workload=[3, 1, 2], n_grids=2).reordered([1, 2, 0]).workload[:, 0].tolist()
        [1, 2, 3]
        """
        order = np.asarray(order, dtype=np.int64)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        ends = np.sort(back[self.graph.edges], axis=1)
        edge_order = np.lexsort((ends[:, 1], ends[:, 0]))
        region, old_region = _first_seen(self.nesting.region[order])
        rank = np.empty_like(old_region)
        rank[old_region] = np.arange(len(old_region))
        nesting = replace(
            self.nesting,
            region=region.astype(np.int32),
            grid_region=rank[self.nesting.grid_region].astype(np.int32),
            region_parent=self.nesting.region_parent[old_region],
            reason=tuple(self.nesting.reason[r] for r in old_region),
        )
        moved = replace(
            self,
            graph=self.graph.subgraph(order),
            workload=self.workload[order],
            nesting=nesting,
            fixed=self.fixed[order],
            together=_first_seen(self.together[order])[0].astype(np.int32),
            apart=np.unique(np.sort(back[self.apart], axis=1), axis=0),
            edge_cost=None if self.edge_cost is None else self.edge_cost[edge_order],
            unit_cost=None if self.unit_cost is None else self.unit_cost[order],
            incumbent=None if self.incumbent is None else self.incumbent[order],
        )
        if not self.interchangeable:
            return moved
        return moved.permuted(np.argsort(nesting.grid_region, kind="stable"))


def _first_seen(values: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Values numbered by where each is first seen, negative ones left alone; and the old values in that order."""
    known = values >= 0
    old, first = np.unique(values[known], return_index=True)
    old = old[np.argsort(first)].astype(np.int64)
    rank = np.zeros(int(old.max(initial=-1)) + 1, dtype=np.int64)
    rank[old] = np.arange(len(old))
    return np.where(known, rank[np.maximum(values, 0)] if len(rank) else -1, -1), old


@lru_cache(maxsize=16)
def grid_ids(k: int) -> NDArray[Any]:
    """
    Text ids of `k` grids, of equal width: ``G001 … G012``; more digits where k needs them.

    Examples
    --------
    >>> grid_ids(2).tolist()
    ['G001', 'G002']

    """
    width = max(3, len(str(k)))
    return frozen([f"G{j:0{width}d}" for j in range(1, k + 1)], object)
