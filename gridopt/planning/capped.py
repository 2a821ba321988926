"""The best of the moves that a cap allows, and what each cap would buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding, InputError
from gridopt.model import Problem
from gridopt.model.graph import components, first_places
from gridopt.planning.bound import least_moved
from gridopt.planning.count import Cap
from gridopt.planning.force import InForce
from gridopt.planning.order import Board, bundles_of
from gridopt.rules.constraints import broken_limits, total_violation
from gridopt.rules.limits import MILLION

__all__ = ["capped_findings", "within_caps"]


def within_caps(problem: Problem, force: InForce, labels: NDArray[np.int32], caps: Sequence[Cap]) -> NDArray[np.int32]:
    """
    Take of the moves towards `labels` those that mend most for what they move, as far as the caps allow.

    Moves that have no grid to do with each other are taken as a whole where they fit, the most violation mended for its
    share of the caps first; of what does not fit, single moves that mend something and leave grids connected.

    Parameters
    ----------
    problem : Problem
        Limits, by the rows of `force`.
    force : InForce
    labels : ndarray of int32, shape (n,)
        A contiguous plan.
    caps : sequence of Cap

    Raises
    ------
    InputError
        If what cannot stay as it is (units of grids that go, grids that are not connected) exceeds a cap.
    """
    work = _Capped(problem, force, labels, caps)
    if not work.exceeds(work.moved):
        return labels
    must = work.must_move()
    if work.exceeds(must):
        cap = next(c for c in caps if int(c.weight[must].sum()) > c.most)
        most, least = (float(amount * cap.scale) for amount in (cap.most, int(cap.weight[must].sum())))
        raise InputError(
            f"max_moved allows {most:g} of {cap.name}, but what cannot stay in force (grids that go or come, or that "
            f"are not connected) moves {least:g} already. Allow more."
        )
    work.take(must)
    for units in work.by_worth():
        trial = work.taken.copy()
        trial[units] = True
        if not work.exceeds(trial):
            work.take(units)
        else:
            work.take_single(units)
    return work.labels


def capped_findings(
    problem: Problem,
    force: InForce,
    labels: NDArray[np.int32],
    uncapped: NDArray[np.int32] | None,
    caps: Sequence[Cap],
    proved: Mapping[str, Mapping[int, int]],
) -> list[Finding]:
    """
    Tell of each cap that keeps the plan from breaking its limits less: what it leaves broken, and what would suffice.

    Parameters
    ----------
    problem : Problem
        Limits that were aimed at.
    labels, uncapped : ndarray of int32, shape (n,)
        The plan under the caps, and the one that was found without; None where the caps allow all of it.
    proved : mapping of str to mapping of int to int
        By the name of what is capped: what has to move of it in a region, where that is proved.
    """
    violation = total_violation(problem, labels)
    if uncapped is None or (rest := total_violation(problem, uncapped)) >= violation:
        return []
    grids = tuple(dict.fromkeys(f.ids[0] for f in broken_limits(problem, labels, force.grid_ids)))
    moved = (force.before >= 0) & (force.home != uncapped)
    found = []
    for cap in caps:
        total, amount = max(1, int(cap.weight.sum())), int(cap.weight[moved].sum())
        if amount <= cap.most:
            continue
        allowed, needed = float(cap.most * cap.scale), float(amount * cap.scale)
        what = f"{needed:g} of {cap.name} ({amount / total:.2%})"
        if rest:
            enough = f"the best plan found without a cap moves {what}, and breaks limits less"
        else:
            least = least_moved(problem, force, cap.weight, proved.get(cap.name))
            enough = f"{what} {'is the least that suffices' if least == amount else 'suffices'}"
            if cap.most < least < amount:
                enough += f", less than {float(least * cap.scale):g} does not"
        cure = (
            f"max_moved allows {allowed:g} of {cap.name} ({cap.most / total:.2%}): {enough}. Allow it, or accept this."
        )
        found.append(Finding("capped", "warning", grids[:50], allowed, needed, cure))
    return found


@dataclass(eq=False)
class _Capped:
    """Moves in groups that share no grid, and which are taken."""

    problem: Problem
    force: InForce
    goal: NDArray[np.int32]
    caps: Sequence[Cap]

    def __post_init__(self) -> None:
        force, goal = self.force, self.goal
        self.counted = force.before >= 0
        self.changes = (force.home != goal) & self.counted
        self.moved = self.changes
        self.taken = np.zeros(len(goal), dtype=bool)
        self.labels = np.where(force.home >= 0, force.home, goal).astype(np.int32)
        k = self.problem.n_grids
        source = np.where(force.home >= 0, force.home, goal)
        pairs = np.column_stack([source[self.changes], goal[self.changes]])
        group = components(k, pairs.astype(np.int64)) if len(pairs) else np.arange(k)
        self.group_of_grid = np.asarray(group)
        self.group = self.group_of_grid[goal]

    def exceeds(self, moved: NDArray[np.bool_]) -> bool:
        """Whether moving these units exceeds a cap."""
        chosen = moved & self.counted
        return any(int(cap.weight[chosen].sum()) > cap.most for cap in self.caps)

    def must_move(self) -> NDArray[np.bool_]:
        """Units of groups in which something cannot stay as it is in force."""
        force, problem = self.force, self.problem
        odd = np.zeros(problem.n_grids, dtype=bool)
        odd[force.opened] = True
        odd[self.goal[force.home < 0]] = True
        edges = problem.graph.edges
        same = (force.home[edges[:, 0]] == force.home[edges[:, 1]]) & (force.home[edges[:, 0]] >= 0)
        piece = components(problem.n_units, edges[same])
        first = first_places(piece, int(piece.max(initial=-1)) + 1)
        roots = force.home[first]
        pieces = np.bincount(roots[roots >= 0], minlength=problem.n_grids)
        odd |= pieces > 1
        known = force.home >= 0
        astray = known & (problem.fixed >= 0) & (problem.fixed != force.home)
        bound = np.flatnonzero(known & (problem.together >= 0))
        pairs = np.unique(np.column_stack([problem.together[bound], force.home[bound]]), axis=0)
        cut = np.flatnonzero(np.bincount(pairs[:, 0]) > 1)
        astray |= known & np.isin(problem.together, cut)
        odd[force.home[astray]] = True
        odd[self.goal[astray]] = True
        wanted = np.zeros(int(self.group_of_grid.max(initial=0)) + 1, dtype=bool)
        wanted[self.group_of_grid[odd]] = True
        return self.changes & wanted[self.group]

    def take(self, units: NDArray[np.bool_] | NDArray[np.int64]) -> None:
        """Make moves."""
        self.taken[units] = True
        self.labels[self.taken] = self.goal[self.taken]

    def violation(self, labels: NDArray[np.int32]) -> NDArray[np.int64]:
        """Violation of each grid, in millionths."""
        problem = self.problem
        loads = np.zeros_like(problem.lo)
        np.add.at(loads, labels, problem.workload)
        excess = np.maximum(0, np.maximum(loads - problem.hi, problem.lo - loads))
        whole = np.maximum(1, np.rint(problem.target)).astype(np.int64)
        return np.asarray((excess * MILLION // whole).sum(axis=1))

    def share(self, units: NDArray[np.int64]) -> float:
        """Largest share of a cap that units take."""
        return max(int(cap.weight[units].sum()) / max(1, cap.most) for cap in self.caps)

    def by_worth(self) -> list[NDArray[np.int64]]:
        """Groups of moves not taken yet that mend something, those that mend most for their share first."""
        left = np.flatnonzero(self.changes & ~self.taken)
        mended = self.violation(self.labels) - self.violation(np.where(self.changes, self.goal, self.labels))
        gain = np.bincount(self.group_of_grid, weights=mended)
        groups = [left[self.group[left] == g] for g in np.unique(self.group[left]).tolist()]
        worth = [(-gain[self.group[units[0]]] / (self.share(units) + 1e-12), int(units[0])) for units in groups]
        order = sorted(range(len(groups)), key=lambda i: worth[i])
        return [groups[i] for i in order if gain[self.group[groups[i][0]]] > 0]

    def take_single(self, units: NDArray[np.int64]) -> None:
        """Of a group that does not fit as a whole, take single moves that mend most, one after the other."""
        goal = np.array(self.labels)
        goal[units] = self.goal[units]
        board = Board(self.problem.graph, self.labels, goal)
        pending = bundles_of(self.labels, goal, self.problem.together)
        while pending:
            now = int(self.violation(self.labels).sum())
            best: tuple[float, tuple[int, ...]] | None = None
            for bundle in pending:
                chosen = np.array(bundle, dtype=np.int64)
                trial = self.taken.copy()
                trial[chosen] = True
                if self.exceeds(trial) or not board.can_move(bundle, int(goal[bundle[0]])):
                    continue
                labels = np.array(self.labels)
                labels[chosen] = goal[chosen]
                gain = now - int(self.violation(labels).sum())
                worth = (-gain / (self.share(chosen) + 1e-12), bundle)
                if gain > 0 and (best is None or worth < best):
                    best = worth
            if best is None:
                return
            board.move(best[1], int(goal[best[1][0]]))
            self.take(np.array(best[1], dtype=np.int64))
            pending.remove(best[1])
