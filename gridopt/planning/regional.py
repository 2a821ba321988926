"""Regional: the regions of a plan in force that no longer fit, searched one by one; the others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from gridopt.model import Problem
from gridopt.model.graph import components, first_places
from gridopt.model.result import Step
from gridopt.planning.afresh import solved_afresh, violation_of_regions
from gridopt.planning.count import Cap
from gridopt.planning.force import InForce
from gridopt.planning.joining import joinings, torn_parts
from gridopt.planning.local import Local, homes
from gridopt.planning.mended import mend
from gridopt.planning.opening import open_part
from gridopt.planning.parts import near_parts, places_of
from gridopt.planning.rescue import MOST_AFRESH, rescue
from gridopt.planning.shifting import Shifting, Worth
from gridopt.solvers.budget import Budget, Clock
from gridopt.solvers.construct.mending import Mending
from gridopt.solvers.decompose.regions import Regions, decompose
from gridopt.solvers.exact.changed import least_changed
from gridopt.solvers.piece import Piece
from gridopt.solvers.stages import OnProgress, Progress

__all__ = ["Regional"]

MOST_LITERALS = 600
"""Regions of at most so many nodes times grids are solved exactly after the search."""
MOST_SECONDS = 5.0
"""Longest that takes."""
SECONDS_A_STEP = 2e-8
"""Deterministic seconds of CP-SAT for each step of a budget of steps."""
TRIAL, TRIAL_RINGS = 0.05, 2
"""Share of what is left of a budget for trying a place for a new grid, and how far around it."""
MOST_TORN, WAYS, JOINING = 12, 6, 0.25
"""Parts in pieces, the heaviest, for which several ways to join them are tried; how many for each; and the share of a
budget after which no further one is."""
AGAIN, MOST_AGAIN, SALT = 4, 2000, 15_485_863
"""Searches of a region of at most so many nodes, with seeds so far apart, of which the best is kept."""
LEAST_STEPS = 100
"""Steps for each node that `rescue` has, whatever a round before it has left over; one round may take as many."""
RINGS = (2, 4)
"""Grids within so many borders of one that has to change may be changed with it; all, where that mends too little."""
WHILE_BROKEN, RESCUE, AFRESH = 0.5, 0.5, 0.1
"""Share of a budget after which a search that leaves limits broken gives way to `rescue`; its share of the rest; and
the share of all that `solve` has, from the plan in force and once more afresh, where that has not helped."""


class Regional:
    """
    The search of `rebalance`: one call, one state.

    Parameters
    ----------
    problem : Problem
        Limits to be kept.
    force : InForce
    weight : ndarray of int64, shape (n,)
        What counts as moved.
    frozen : ndarray of int64
        Rows of grids that keep exactly their units.
    margin : float
        Share of all weight by which plans may differ and still count as equal in what moves.
    """

    def __init__(
        self, problem: Problem, force: InForce, weight: NDArray[np.int64], frozen: NDArray[np.int64], margin: float
    ) -> None:
        self.problem, self.force, self.weight, self.frozen = problem, force, weight, frozen
        self.spare = int(margin * int(weight.sum()))
        self.regions: Regions = decompose(problem)
        self.home = homes(self.regions, force, weight)
        region = problem.nesting.region
        order = np.argsort(region, kind="stable")
        self.units = np.split(order, np.searchsorted(region[order], np.arange(1, problem.nesting.n_regions)))
        self.trace: list[Step] = []
        self.proved: dict[int, int] = {}
        self.least: set[int] = set()

    def run(
        self, budget: Budget, seed: int, workers: int, on_progress: OnProgress | None
    ) -> tuple[NDArray[np.int32], tuple[Step, ...]]:
        """Return labels of all units, contiguous, and how they improved."""
        self.seed, self.on_progress, self.clock, self.workers = seed, on_progress, budget.start(), workers
        regions, of_node = self.regions, np.array(self.home)
        affected = self._affected(of_node)
        todo = [r for r in regions.searched.tolist() if affected[r]]
        left = int(regions.node_counts()[todo].sum())
        of_node[np.repeat(np.diff(regions.first_row) == 1, regions.node_counts())] = 0
        self.done, self.n_regions, self.stopped = 0, len(todo), False
        self.affected, self.unmended = todo, False
        self.starts: dict[int, NDArray[np.int32]] = {}
        with ThreadPoolExecutor(workers, thread_name_prefix="gridopt") as pool:
            self.pool = pool if workers > 1 else None
            for r in todo:
                nodes = slice(regions.first_node[r], regions.first_node[r + 1])
                size = nodes.stop - nodes.start
                of_node[nodes] = self._region(self._local(r), size / left)
                left -= size
                self.done += 1
            offset = np.repeat(regions.first_row[:-1], regions.node_counts())
            labels = regions.rows[of_node + offset][regions.node_of].astype(np.int32)
            labels = labels if self.unmended or self.stopped else self._no_worse_than_afresh(labels)
        return labels, tuple(self.trace)

    def _no_worse_than_afresh(self, labels: NDArray[np.int32]) -> NDArray[np.int32]:
        """Take regions from what `solve` finds with a share of the budget, where they break limits less; move back."""
        held = self.problem.nesting.grid_region[self.frozen]
        wanted = np.isin(np.arange(self.problem.nesting.n_regions), list(self.least) + held.tolist(), invert=True)
        now = violation_of_regions(self.problem, labels)
        if not (now[wanted] > 0).any():
            return labels
        part, chosen = self.clock.budget.share(AFRESH), np.zeros(len(now), dtype=bool)
        best, region = np.array(labels), self.problem.nesting.region
        for other in solved_afresh(
            self.problem, self.force.home, labels, self.weight, part, self.seed, self.workers, lambda: self.stopped
        ):
            self.clock.tick(part.steps or 0)
            worth = violation_of_regions(self.problem, other)
            better = wanted & (worth < now)
            best[better[region]] = other[better[region]]
            now, chosen = np.where(better, worth, now), chosen | better
        for r in np.flatnonzero(chosen).tolist():
            local = self._local(r)
            own = self.regions.local_labels(r, best)
            own = self._shift(local, self.starts[r], own, local.piece.n_parts, self.clock.left(1.0).start())
            best[local.units] = local.rows[own[local.node]]
        return best

    def _local(self, region: int) -> Local:
        nodes = slice(self.regions.first_node[region], self.regions.first_node[region + 1])
        home, units = self.home[nodes], self.units[region]
        return Local.of(self.regions, region, units, self.force, home, self.weight, self.frozen)

    def _affected(self, of_node: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Whether the plan in force breaks anything in each region. O(n + m), for all at once."""
        problem, home, regions = self.problem, self.force.home, self.regions
        region, k = problem.nesting.region, problem.n_grids
        bad = np.zeros(problem.nesting.n_regions, dtype=bool)
        row = regions.rows[regions.first_row[region] + np.maximum(of_node[regions.node_of], 0)]
        bad[region[(home < 0) | (row != home) | ((problem.fixed >= 0) & (problem.fixed != home))]] = True
        known = home >= 0
        loads = np.zeros_like(problem.lo)
        np.add.at(loads, home[known], problem.workload[known])
        outside = ((loads < problem.lo) | (loads > problem.hi)).any(axis=1)
        u, v = problem.graph.edges[:, 0], problem.graph.edges[:, 1]
        piece = components(problem.n_units, problem.graph.edges[(home[u] == home[v]) & known[u]])
        first = first_places(piece, int(piece.max(initial=-1)) + 1)
        pieces = np.bincount(home[first][home[first] >= 0], minlength=k)
        bad[problem.nesting.grid_region[outside | (pieces != 1)]] = True
        pairs = problem.apart
        bad[region[pairs[home[pairs[:, 0]] == home[pairs[:, 1]], 0]]] = True
        return bad

    def _region(self, local: Local, share: float) -> NDArray[np.int32]:
        """Search one region; return the part of each node."""
        piece, clock = local.piece, self.clock.left(share).start()
        start = self._begin(local, clock)
        self.starts[local.region] = start
        labels = np.array(start)
        for rings in (*RINGS, piece.n_parts):
            if self.unmended:
                return labels
            labels = self._shift(local, start, labels, rings, clock, WHILE_BROKEN)
            if not _broken(piece, labels).any() or clock.fraction() >= WHILE_BROKEN or self.stopped:
                break
        if _broken(piece, labels).any() and not self.stopped:
            labels = self._rescue(local, labels, clock)
            labels = self._shift(local, start, labels, piece.n_parts, clock, 1 - 2.5 * AFRESH)
        labels = self._exactly(local, self._again(local, start, labels, clock), clock)
        self.clock.tick(clock.steps)
        return labels

    def _again(
        self, local: Local, start: NDArray[np.int32], labels: NDArray[np.int32], clock: Clock
    ) -> NDArray[np.int32]:
        """
        Search a small region with other seeds; of plans that move as much but for the spare weight, take the cheapest.

        The smallest are solved exactly in a moment anyway.
        """
        piece, found = local.piece, [labels]
        exact = piece.n_nodes * piece.n_parts <= MOST_LITERALS // 3
        if exact or piece.n_nodes > MOST_AGAIN or np.array_equal(labels, local.home) or _broken(piece, labels).any():
            return labels
        for i in range(1, AGAIN):
            if self.stopped or clock.fraction() + 1.5 * clock.fraction() / i > 1:
                break
            found.append(self._shift(local, start, start, piece.n_parts, clock, salt=i))
        sound = [(*self._worth(local, own)[1:], i) for i, own in enumerate(found) if not _broken(piece, own).any()]
        least = min(sound)[0] + self.spare
        return found[min((cost, away, i) for away, cost, i in sound if away <= least)[2]]

    def _rescue(self, local: Local, labels: NDArray[np.int32], clock: Clock) -> NDArray[np.int32]:
        """Search all but the frozen parts as `solve` would; the rest of the budget is kept to move less."""
        if len(local.loose) < 2:
            return labels
        cut = local.cut(labels, local.loose)
        left, least = clock.steps_left(), min(local.piece.n_nodes, MOST_AFRESH) * LEAST_STEPS
        part = Budget(
            None if clock.budget.seconds is None else clock.seconds_left() * RESCUE,
            None if left is None else max(least, int(left * RESCUE)),
        ).start()
        found = rescue(
            cut.piece, cut.inner(local.home), local.weight[cut.nodes], cut.inner(labels), part, self.seed, self.pool,
            self.workers, lambda: self.stopped,
        )  # fmt: skip
        clock.tick(part.steps)
        return cut.put(labels, found)

    def again(self, labels: NDArray[np.int32], caps: Sequence[Cap]) -> NDArray[np.int32]:
        """Solve exactly under caps, where one small region is concerned; `labels` are within them."""
        if len(self.affected) != 1 or self.stopped:
            return labels
        local = self._local(self.affected[0])
        if not self._counts_exactly(local):
            return labels
        own = self.regions.local_labels(local.region, labels)
        found = self._exactly(local, own, self.clock.left(1.0).start(), caps)
        labels = np.array(labels)
        labels[local.units] = local.rows[found[local.node]]
        return labels

    def _begin(self, local: Local, clock: Clock) -> NDArray[np.int32]:
        """Contiguous labels with all parts, near those in force: new parts open where that disturbs least."""
        piece, home = local.piece, local.home
        missing = np.setdiff1d(np.arange(piece.n_parts), home).tolist()
        barred = np.zeros(piece.n_parts, dtype=bool)
        barred[local.frozen] = True
        known = np.setdiff1d(np.arange(piece.n_parts), missing)
        if missing and len(known):
            rank = places_of(known, piece.n_parts)
            bare = replace(
                piece, lo=piece.lo[known], hi=piece.hi[known], target=piece.target[known], fixed=rank[piece.fixed],
                unit_cost=piece.unit_cost[:, known] if len(piece.unit_cost) else piece.unit_cost,
            )  # fmt: skip
            inner = replace(local, piece=bare, home=rank[home], frozen=rank[local.frozen].astype(np.int64))
            mended = self._mended(inner)
            labels = None if mended is None else known[mended].astype(np.int32)
            for i, part in enumerate(missing):
                if labels is None:
                    break

                def judge(grown: NDArray[np.int32], last: bool = i == len(missing) - 1) -> tuple[int, ...]:
                    return self._try(local, grown, clock) if last else (0,)

                labels = open_part(piece, labels, part, barred, judge)
            if labels is not None and (whole := self._whole(local, labels)) is not None:
                return whole
        start = self._mended(local)
        start = None if start is None else self._whole(local, start)
        self.unmended |= start is None
        return home if start is None else self._joined(local, start, clock)

    def _joined(self, local: Local, start: NDArray[np.int32], clock: Clock) -> NDArray[np.int32]:
        """Return a better start where parts in force lie in pieces: joined as moves least after a short search."""
        piece, begin = local.piece, np.array(local.home)
        torn = torn_parts(piece, begin, local.weight)
        by_weight = sorted(torn, key=lambda part: (-int(local.weight[torn[part][1]].sum()), part))
        steps = clock.left(TRIAL).steps
        for part in by_weight[:MOST_TORN]:
            near = near_parts(piece, start, np.array([part]), TRIAL_RINGS)
            if steps is not None and steps < Shifting.steps_per_node * np.isin(start, near).sum():
                break  # too few to tell
            barred = np.isin(begin, local.frozen) | ((piece.fixed >= 0) & (piece.fixed != part))
            around, chosen = np.array([part]), begin
            least = self._try(local, start, clock, around)
            for other in islice(joinings(piece, begin, part, torn[part], local.weight, barred), WAYS):
                if clock.fraction() >= JOINING or self.stopped:
                    return start
                labels = self._mended(replace(local, home=other))
                labels = None if labels is None else self._whole(local, labels)
                if labels is None or np.array_equal(labels, start):
                    continue
                if (worth := self._try(local, labels, clock, around)) < least:
                    least, start, chosen = worth, labels, other
            begin = chosen
        return start

    def _whole(self, local: Local, labels: NDArray[np.int32]) -> NDArray[np.int32] | None:
        """Labels that are contiguous and honour what is fixed, frozen parts as they were; None where there are none."""
        mended, frozen = Mending(labels)(local.piece, self.seed), local.frozen
        if mended is None:
            return None
        touched = mended != labels
        return None if np.isin(labels[touched], frozen).any() or np.isin(mended[touched], frozen).any() else mended

    def _mended(self, local: Local) -> NDArray[np.int32] | None:
        """Contiguous labels near those in force, frozen parts left as they are; None where there are none."""
        home, parts = local.home, local.loose
        if not len(local.frozen):
            return mend(local.piece, home, self.seed)
        if not len(parts):
            return np.array(home) if (home >= 0).all() else None
        begin = np.where(home < 0, parts[0], home).astype(np.int32)
        cut = local.cut(begin, parts)
        if len(cut.nodes) < len(parts):
            return None
        mended = mend(cut.piece, cut.inner(home), self.seed)
        return None if mended is None else cut.put(home, mended)

    def _try(
        self, local: Local, labels: NDArray[np.int32], clock: Clock, around: NDArray[np.int64] | None = None
    ) -> Worth:
        """What labels are worth after a short search near what has changed, or near some parts."""
        part = clock.left(TRIAL).start()
        found = self._shift(local, labels, labels, TRIAL_RINGS, part, quiet=True, around=around)
        clock.tick(part.steps)
        return self._worth(local, found)

    def _worth(self, local: Local, found: NDArray[np.int32]) -> Worth:
        """Violation in millionths, weight away from home, length of borders."""
        piece, home = local.piece, local.home
        away = (home >= 0) & (found != home)
        excess = np.zeros_like(piece.lo)
        np.add.at(excess, found, piece.workload)
        excess = np.maximum(0, np.maximum(excess - piece.hi, piece.lo - excess))
        rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
        cut = int(piece.weights[found[rows] != found[piece.indices]].sum()) // 2
        return int((excess * 1_000_000 // piece.target).sum()), int(local.weight[away].sum()), cut

    def _exactly(
        self, local: Local, labels: NDArray[np.int32], clock: Clock, caps: Sequence[Cap] = ()
    ) -> NDArray[np.int32]:
        """Solve a small region exactly, as far as time allows, and note what is proved."""
        parts = local.loose
        if local.piece.n_nodes * len(parts) > MOST_LITERALS or len(parts) < 2 or self.stopped:
            return labels
        cut, steps = local.cut(labels, parts), clock.budget.steps
        found, _, bound = least_changed(
            cut.piece,
            cut.inner(local.home),
            local.prices(self.weight)[np.ix_(cut.nodes, parts)],
            cut.inner(labels),
            caps=[(local.prices(cap.weight)[np.ix_(cut.nodes, parts)], cap.most) for cap in caps],
            spare=self.spare,
            seconds=max(0.05, min(clock.seconds_left(), MOST_SECONDS)),
            deterministic_seconds=None if steps is None else max(0.1, steps * SECONDS_A_STEP),
            seed=self.seed,
        )
        if bound is not None and not caps:
            self.least.add(local.region)
            if self._counts_exactly(local):
                self.proved[local.region] = bound
        return cut.put(labels, found)

    def _counts_exactly(self, local: Local) -> bool:
        """Whether no plan of a region moves less than one of its piece, whichever of its grids had to go."""
        return (
            local.region not in self.regions.narrowed
            and not np.isin(self.force.before[local.units], self.force.closed).any()
        )

    def _shift(
        self,
        local: Local,
        start: NDArray[np.int32],
        labels: NDArray[np.int32],
        rings: int,
        clock: Clock,
        until: float = 1.0,
        quiet: bool = False,
        around: NDArray[np.int64] | None = None,
        salt: int = 0,
    ) -> NDArray[np.int32]:
        """
        Search the parts within `rings` borders of those that have to change, or of `around`.

        Where limits stay broken, the search ends when the share `until` of the budget is spent.
        """
        piece, home = local.piece, local.home
        changed = (labels != home) | (labels != start)
        bad = _broken(piece, labels)
        bad[labels[changed]] = True
        bad[home[changed & (home >= 0)]] = True
        bad[start[changed]] = True
        begin = np.flatnonzero(bad) if around is None else around
        parts = np.setdiff1d(near_parts(piece, labels, begin, rings), local.frozen)
        if len(parts) < 2:
            return labels
        cut, shifting = local.cut(labels, parts), Shifting(spare=0 if quiet else self.spare)
        if around is not None:
            shifting = replace(shifting, patience=1, most_patience=2)

        def watch(worth: Worth) -> bool:
            return (not quiet and self._watch(worth)) or (worth[0] > 0 and clock.fraction() >= until)

        found = shifting(
            cut.piece, cut.inner(start), cut.inner(home), local.weight[cut.nodes], clock, self.seed + salt * SALT,
            watch, labels=cut.inner(labels), pool=self.pool,
        )  # fmt: skip
        return cut.put(labels, found)

    def _watch(self, worth: Worth) -> bool:
        """Note an improvement, tell of it; True stops."""
        step, seconds = self.clock.steps, self.clock.seconds()
        self.trace.append(Step(step, seconds, worth[2], worth[0], None))
        if self.on_progress is not None:
            told = Progress(step, seconds, worth[2], worth[0], self.clock.fraction(), self.done, self.n_regions)
            self.stopped = bool(self.on_progress(told))
        return self.stopped


def _broken(piece: Piece, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Parts outside their limits, or with nodes that should be apart."""
    loads = np.zeros_like(piece.lo)
    np.add.at(loads, labels, piece.workload)
    bad = np.asarray(((loads < piece.lo) | (loads > piece.hi)).any(axis=1))
    rows = np.repeat(np.arange(len(labels)), np.diff(piece.apart_indptr))
    same = labels[rows] == labels[piece.apart_indices]
    bad[labels[rows[same]]] = True
    return bad
