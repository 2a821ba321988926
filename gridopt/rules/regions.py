"""Territory -> regions: connected sets of units with grids and limits of their own. See `build_regions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError, name_ids
from gridopt.model import Graph
from gridopt.model.graph import components, first_places
from gridopt.rules.limits import apportion, fewest_grids, limits_around, most_grids
from gridopt.rules.locks import ResolvedLocks

__all__ = ["Demand", "Regions", "build_regions"]


@dataclass(frozen=True)
class Demand:
    """
    How many grids, and how heavy.

    Parameters
    ----------
    n_grids : int, list of int (one for each parent) or None
        Grids in all, or in each parent; None derives the fewest from `band`.
    tolerance : tuple of Fraction, length a, or None
        Imbalance allowed in each attribute, where limits are relative.
    band : tuple of (lo, hi), length a, or None
        Absolute limits in work units, where given.
    scope : {"parent", "global"}
        Whether a target is a region's own mean or that of the whole territory.
    heavy : {"own_grid", "strict"}
        What becomes of a unit above its upper limit.
    n_per_parent : (int, int) or None
        Fewest and most grids of a parent.

    """

    n_grids: int | list[int] | None
    tolerance: tuple[Fraction, ...] | None
    band: tuple[tuple[int, int], ...] | None
    scope: str = "parent"
    heavy: str = "own_grid"
    n_per_parent: tuple[int, int] | None = None


@dataclass(eq=False)
class Regions:
    """Region of each unit, and of each region: parent, reason, grids, limits and target by attribute."""

    region: NDArray[np.int64]
    parent: list[int] = field(default_factory=list)
    reason: list[str] = field(default_factory=list)
    n_grids: list[int] = field(default_factory=list)
    lo: list[list[int]] = field(default_factory=list)
    hi: list[list[int]] = field(default_factory=list)
    target: list[list[float]] = field(default_factory=list)
    frozen_grid: list[int] = field(default_factory=list)


def build_regions(
    graph: Graph,
    workload: NDArray[np.int64],
    parent: NDArray[np.int64],
    parents: NDArray[Any],
    locks: ResolvedLocks,
    demand: Demand,
) -> Regions:
    """
    Split the territory into regions and share the grids out among them.

    Dedicated sets and frozen grids come out first. What is left of each parent falls into components; each gets its
    share of grids by workload, and its target and limits. Units above their upper limit become grids of their own,
    the rest is shared out again, until none is left. A pocket cut off by such a unit and too light for a grid joins
    it; any other piece too light for a grid is one exempt grid.

    Returns
    -------
    Regions
        Numbered by their smallest unit position.

    Raises
    ------
    InputError
        If there are fewer grids than pieces, or more grids than units, in a parent or in all.

    """
    work = _Work(graph, workload, parent, parents, locks, demand)
    while True:
        work.find_pieces()
        work.absorb_pockets()
        work.share_out()
        if demand.heavy == "strict" or not work.set_heavy_apart():
            return work.finish()


class _Work:
    """State of one `build_regions` call: which units stand alone, and the pieces the rest falls into."""

    def __init__(
        self,
        graph: Graph,
        workload: NDArray[np.int64],
        parent: NDArray[np.int64],
        parents: NDArray[Any],
        locks: ResolvedLocks,
        demand: Demand,
    ) -> None:
        self.graph, self.workload, self.parent, self.parents = graph, workload, parent, parents
        self.locks, self.demand = locks, demand
        self.n_parents = max(1, len(parents))
        n = graph.n_units
        self.alone = np.full(n, -1, dtype=np.int64)
        self.alone_reason: list[str] = []
        self.frozen_grid: list[int] = []
        for group in locks.dedicated:
            self._set_apart(group, "dedicated")
        for grid, group in locks.frozen.items():
            self._set_apart(group, "frozen", grid)
        self.cluster = np.arange(n, dtype=np.int64)
        inside = locks.together >= 0
        first = np.unique(locks.together[inside], return_index=True)[1]
        self.cluster[inside] = np.flatnonzero(inside)[first][locks.together[inside]]
        self.cluster_load = np.zeros_like(workload)
        np.add.at(self.cluster_load, self.cluster, workload)

    def _set_apart(self, group: NDArray[np.int64], reason: str, frozen_grid: int = -1) -> None:
        self.alone[group] = len(self.alone_reason)
        self.alone_reason.append(reason)
        self.frozen_grid.append(frozen_grid)

    # ---- pieces -------------------------------------------------------------------------------------------------

    def find_pieces(self) -> None:
        """Components of each parent without the units that stand alone."""
        rest = self.alone < 0
        u, v = self.graph.edges[:, 0], self.graph.edges[:, 1]
        inside = rest[u] & rest[v] & (self.parent[u] == self.parent[v])
        comp = components(self.graph.n_units, self.graph.edges[inside])
        first = first_places(np.where(rest, comp, comp.max() + 1), int(comp.max()) + 2)[:-1]
        there = first < len(comp)
        self.piece = np.where(rest, (np.cumsum(there) - 1)[comp], -1)
        self.n_pieces = int(there.sum())
        self.piece_parent = self.parent[first[there]].astype(np.int64)
        self._measure()

    def _measure(self) -> None:
        inside = self.piece >= 0
        self.load = np.zeros((self.n_pieces, self.workload.shape[1]), dtype=np.int64)
        np.add.at(self.load, self.piece[inside], self.workload[inside])
        leads = inside & (self.cluster == np.arange(len(inside)))
        self.n_nodes = np.bincount(self.piece[leads], minlength=self.n_pieces)
        self.present = self.n_nodes > 0
        self.alone_parent = np.zeros(len(self.alone_reason), dtype=np.int64)
        self.alone_parent[self.alone[~inside]] = self.parent[~inside]
        self.alone_count = np.bincount(self.alone_parent, minlength=self.n_parents)

    def _reference_lo(self) -> list[list[int]]:
        """Least load worth a grid, for each parent and attribute."""
        demand, n_attributes = self.demand, self.workload.shape[1]
        if demand.band is not None:
            return [[low for low, _ in demand.band]] * self.n_parents
        loads = np.zeros((self.n_parents, n_attributes), dtype=np.int64)
        np.add.at(loads, self.piece_parent, self.load)
        if isinstance(demand.n_grids, list):
            grids = np.array(demand.n_grids) - self.alone_count
        else:
            loads = loads.sum(axis=0, keepdims=True)
            grids = np.array([(demand.n_grids or 0) - self.alone_count.sum()])
        tolerance = demand.tolerance or (Fraction(0),) * n_attributes
        lo = [
            [limits_around(w, max(1, k), t)[0] for w, t in zip(row, tolerance)]
            for row, k in zip(loads.tolist(), grids.tolist())
        ]
        return lo if len(lo) == self.n_parents else lo * self.n_parents

    def absorb_pockets(self) -> None:
        """Let pockets too light for a grid, or too many for the grids there are, join the heavy unit beside them."""
        heavy = np.array([reason == "heavy" for reason in self.alone_reason], dtype=bool)
        if not heavy.any() or not self.n_pieces:
            return
        u, v = self.graph.edges[:, 0], self.graph.edges[:, 1]
        ends = np.concatenate([np.column_stack([u, v]), np.column_stack([v, u])])
        beside = (self.piece[ends[:, 0]] >= 0) & (self.alone[ends[:, 1]] >= 0)
        beside &= self.parent[ends[:, 0]] == self.parent[ends[:, 1]]
        ends = ends[beside]
        ends = ends[heavy[self.alone[ends[:, 1]]]]
        host = np.full(self.n_pieces, len(heavy), dtype=np.int64)
        np.minimum.at(host, self.piece[ends[:, 0]], self.alone[ends[:, 1]])
        lo = self._reference_lo()
        pieces_of = np.bincount(self.piece_parent, minlength=self.n_parents)
        spare = self._spare_pieces(pieces_of)
        joined = np.zeros(self.n_pieces, dtype=bool)
        for i in sorted(np.flatnonzero(host < len(heavy)), key=lambda i: (self.load[i].sum(), i)):
            p = self.piece_parent[i]
            light = any(w < low for w, low in zip(self.load[i], lo[p]))
            if (light or spare[p] < 0) and pieces_of[p] > 1:
                joined[i] = True
                pieces_of[p] -= 1
                spare[p] += 1
        moved = (self.piece >= 0) & joined[np.maximum(self.piece, 0)]
        self.alone[moved] = host[self.piece[moved]]
        self.piece[moved] = -1
        self._measure()

    def _spare_pieces(self, pieces_of: NDArray[np.int64]) -> NDArray[np.int64]:
        if isinstance(self.demand.n_grids, list):
            return np.array(self.demand.n_grids) - self.alone_count - pieces_of
        if self.demand.n_grids is None:
            return np.zeros(self.n_parents, dtype=np.int64)
        total = self.demand.n_grids - self.alone_count.sum() - pieces_of.sum()
        return np.full(self.n_parents, total)

    # ---- grids and limits ---------------------------------------------------------------------------------------

    def share_out(self) -> None:
        """Grids, target and limits of each piece."""
        self.light = self._light_pieces()
        regular = np.flatnonzero(self.present & ~self.light)
        self.grids = np.where(self.present, 1, 0)
        least, most = self._bounds(regular)
        if isinstance(self.demand.n_grids, list):
            for p, k in enumerate(self.demand.n_grids):
                mine = regular[self.piece_parent[regular] == p]
                taken = self._exempt_in(p)
                self._apportion(k - taken, mine, least, most, f"pieces of parent {self._name(p)}", taken)
        elif self.n_parents == 1:
            n_grids = self.demand.n_grids
            taken = self._exempt_in(0)
            total = sum(least.values()) if n_grids is None else int(n_grids) - taken
            self._apportion(total, regular, least, most, "pieces", taken)
        else:
            self._share_among_parents(regular, least, most)
        self._set_limits()

    def _exempt_in(self, p: int) -> int:
        return int(self.alone_count[p]) + int((self.light & (self.piece_parent == p)).sum())

    def _name(self, p: int) -> str:
        return name_ids(self.parents[p : p + 1]) if len(self.parents) else "territory"

    def _light_pieces(self) -> NDArray[np.bool_]:
        """Pieces too light for a grid; none where a parent has its number of grids and nothing else is left."""
        lo = self._reference_lo()
        light = np.zeros(self.n_pieces, dtype=bool)
        for i in np.flatnonzero(self.present):
            light[i] = any(w < low for w, low in zip(self.load[i], lo[self.piece_parent[i]])) or not self.load[i].any()
        left = np.bincount(self.piece_parent[self.present & ~light], minlength=self.n_parents)
        bounds = self.demand.n_per_parent
        if isinstance(self.demand.n_grids, list) or (bounds is not None and bounds[0] > 1):
            light &= left[self.piece_parent] > 0
        elif not left.any():
            light[:] = False
        return light

    def _bounds(self, regular: NDArray[np.int64]) -> tuple[dict[int, int], dict[int, int]]:
        """Fewest and most grids of each regular piece."""
        least = {int(i): 1 for i in regular}
        most = {int(i): int(self.n_nodes[i]) for i in regular}
        limits = self._global_limits(regular)
        if limits is None:
            return least, most
        lo, hi = [low for low, _ in limits], [high for _, high in limits]
        tight_least = {i: min(most[i], fewest_grids(self.load[i].tolist(), hi)) for i in least}
        tight_most = {i: max(tight_least[i], most_grids(self.load[i].tolist(), lo, most[i])) for i in least}
        k = self.demand.n_grids
        if k is None:
            return tight_least, tight_most
        total = (sum(k) if isinstance(k, list) else k) - len(self.alone_reason) - int(self.light.sum())
        if sum(tight_least.values()) <= total <= sum(tight_most.values()):
            return tight_least, tight_most
        return least, most

    def _global_limits(self, regular: NDArray[np.int64]) -> list[tuple[int, int]] | None:
        """The one band of the whole territory, where there is one."""
        demand = self.demand
        if demand.band is not None:
            return list(demand.band)
        if demand.scope == "parent" or demand.tolerance is None:
            return None
        k = sum(demand.n_grids) if isinstance(demand.n_grids, list) else int(demand.n_grids or 0)
        k = max(1, k - len(self.alone_reason) - int(self.light.sum()))
        total = self.load[regular].sum(axis=0)
        return [limits_around(w, k, t) for w, t in zip(total.tolist(), demand.tolerance)]

    def _apportion(
        self, k: int, pieces: NDArray[np.int64], least: dict[int, int], most: dict[int, int], what: str, taken: int = 0
    ) -> None:
        """Share `k` grids out among pieces; `taken` more belong to units and pieces that stand alone."""
        if not len(pieces) and k == 0:
            return
        if len(pieces) == 1 and 1 <= k <= int(self.n_nodes[pieces[0]]):
            self.grids[pieces] = k
            return
        low, high = [least[int(i)] for i in pieces], [most[int(i)] for i in pieces]
        if sum(low) > k >= len(low):
            low = [1] * len(low)
        if sum(high) < k:
            high = [int(self.n_nodes[i]) for i in pieces]
        if not len(pieces) <= k <= sum(high):
            raise self._too_few_or_many(k, pieces, sum(high), what, taken)
        self.grids[pieces] = apportion(k, self._shares(pieces), low, high, what)

    def _too_few_or_many(self, k: int, pieces: NDArray[np.int64], most: int, what: str, alone: int) -> InputError:
        taken = f" ({alone} of them for units that stand alone)" if alone else ""
        if k > most:
            cure = f"No grid is empty: ask for at most {most + alone}{taken}."
        else:
            cure = f'Ask for at least {len(pieces) + alone}{taken}, or join them with links= or islands="link".'
        some = [int(np.flatnonzero(self.piece == i)[0]) for i in pieces[:5]]
        limit = most + alone if k > most else len(pieces) + alone
        finding = Finding(
            "too-few-or-many-grids", "error", tuple(self.graph.ids[some].tolist()), k + alone, limit, cure
        )
        beside = f" beside {alone} that stand alone" if alone else ""
        return InputError(
            f"{k + alone} grids for {len(pieces)} {what}{beside}, of {most} units in all (with units "
            f"{name_ids(self.graph.ids[some])}). {cure}",
            [finding],
        )

    def _shares(self, pieces: NDArray[np.int64]) -> list[float]:
        total = np.maximum(self.load.sum(axis=0), 1)
        return (self.load[pieces] / total).mean(axis=1).tolist()

    def _share_among_parents(self, regular: NDArray[np.int64], least: dict[int, int], most: dict[int, int]) -> None:
        low = [0] * self.n_parents
        high = [0] * self.n_parents
        share = [0.0] * self.n_parents
        for i, s in zip(regular.tolist(), self._shares(regular)):
            p = int(self.piece_parent[i])
            low[p] += least[i]
            high[p] += most[i]
            share[p] += s
        if self.demand.n_per_parent is not None:
            fewest, greatest = self.demand.n_per_parent
            for p in range(self.n_parents):
                taken, nodes = self._exempt_in(p), high[p]
                if high[p] == 0:
                    continue
                low[p] = max(low[p], fewest - taken)
                high[p] = max(low[p], min(high[p], greatest - taken))
                if low[p] > nodes:
                    raise InputError(
                        f"parent {self._name(p)} has room for {nodes + taken} grids, n_per_parent asks for at least "
                        f"{fewest}. Lower n_per_parent, or merge the parent with a neighbour."
                    )
        exempt = len(self.alone_reason) + int(self.light.sum())
        k = sum(low) if self.demand.n_grids is None else int(self.demand.n_grids) - exempt  # type: ignore[arg-type]
        if not sum(low) <= k <= sum(high):
            raise InputError(
                f"{k + exempt} grids cannot be shared among {self.n_parents} parents: together they need at least "
                f"{sum(low) + exempt} and can take at most {sum(high) + exempt} (each parent and each piece of one "
                f"needs a grid). Choose n_grids between these, or change n_per_parent."
            )
        of_parent: list[list[int]] = [[] for _ in range(self.n_parents)]
        for i in regular.tolist():
            of_parent[self.piece_parent[i]].append(i)
        for p, given in enumerate(apportion(k, share, low, high, "parents")):
            mine = np.array(of_parent[p], dtype=np.int64)
            self._apportion(given, mine, least, most, f"pieces of parent {self._name(p)}")

    def _set_limits(self) -> None:
        a = self.workload.shape[1]
        self.lo = np.zeros((self.n_pieces, a), dtype=np.int64)
        self.hi = self.load.copy()
        self.target = np.ones((self.n_pieces, a))
        shared = self._global_limits(np.flatnonzero(self.present & ~self.light))
        for i in np.flatnonzero(self.present):
            k = int(self.grids[i])
            self.target[i] = self.load[i] / max(1, k)
            if self.light[i]:
                continue
            for c in range(a):
                if shared is not None:
                    self.lo[i, c], self.hi[i, c] = shared[c]
                elif self.demand.tolerance is not None:
                    load = int(self.load[i, c])
                    self.lo[i, c], self.hi[i, c] = limits_around(load, k, self.demand.tolerance[c])

    def set_heavy_apart(self) -> bool:
        """Make units (or compounds) above the upper limit of their piece grids of their own; say whether any was."""
        units = np.flatnonzero(self.piece >= 0)
        units = units[~self.light[self.piece[units]]]
        units = units[self.grids[self.piece[units]] > 1] if self.demand.band is None else units
        over = (self.cluster_load[self.cluster[units]] > self.hi[self.piece[units]]).any(axis=1)
        any_set = False
        for c in np.unique(self.cluster[units[over]]):
            group = np.flatnonzero(self.cluster == c) if self.locks.together[c] >= 0 else np.array([c])
            if len(group) > 1 and self.graph.subgraph(group).components().max() > 0:
                continue
            self._set_apart(group, "heavy")
            any_set = True
        return any_set

    # ---- the answer ---------------------------------------------------------------------------------------------

    def finish(self) -> Regions:
        """Number the regions by their smallest unit position and say what was decided."""
        n_alone = len(self.alone_reason)
        raw = np.where(self.alone >= 0, self.alone, self.piece + n_alone)
        first = first_places(raw, n_alone + self.n_pieces)
        first[first == len(raw)] = -1  # a piece that joined a heavy unit is no region
        order = np.argsort(first, kind="stable")[int((first < 0).sum()) :]
        rank = np.empty_like(first)
        rank[order] = np.arange(len(order))
        found = Regions(rank[raw])
        several = self.present.sum() > 1
        alone_load = np.zeros((n_alone, self.workload.shape[1]), dtype=np.int64)
        np.add.at(alone_load, self.alone[self.alone >= 0], self.workload[self.alone >= 0])
        for old in order.tolist():
            if old < n_alone:
                load = alone_load[old].tolist()
                row = (self.alone_reason[old], 1, [0] * len(load), load, [max(1, w) for w in load])
                found.parent.append(int(self.alone_parent[old]))
                found.frozen_grid.append(self.frozen_grid[old])
            else:
                i = int(old - n_alone)
                reason = "light" if self.light[i] else "parent" if len(self.parents) else "whole"
                if reason == "whole" and several:
                    reason = "component"
                row = (reason, int(self.grids[i]), self.lo[i].tolist(), self.hi[i].tolist(), self.target[i].tolist())
                found.parent.append(int(self.piece_parent[i]))
                found.frozen_grid.append(-1)
            for name, value in zip(("reason", "n_grids", "lo", "hi", "target"), row):
                getattr(found, name).append(value)
        return found
