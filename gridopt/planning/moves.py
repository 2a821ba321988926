"""Moves: what changes hands, in order, and why, in words a planner can read out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt.model import Problem

__all__ = ["Move", "describe_change", "describe_moves", "numbered"]


class Move(NamedTuple):
    """
    One unit that changes its grid.

    Parameters
    ----------
    unit : str or int
        Id of the unit.
    source, target : str
        Ids of the grid it leaves and the grid it joins.
    load : tuple of int or float
        Workload it takes along, one number for each attribute, in the user's units.
    reason : str
        What the move does.

    Examples
    --------
    >>> print(Move("S-0412", "G003", "G007", (12,), "relieves G003 by 4.1 %"))
    S-0412 from G003 to G007: relieves G003 by 4.1 %
    """

    unit: Any
    source: str
    target: str
    load: tuple[Any, ...]
    reason: str

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.unit} from {self.source} to {self.target}: {self.reason}"


def describe_moves(
    problem: Problem,
    steps: Sequence[tuple[int, int, int]],
    labels: NDArray[np.int32],
    names: Sequence[str],
    limits: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    opened: Sequence[int] = (),
    closed: Sequence[int] = (),
) -> tuple[Move, ...]:
    """
    Say what each step does at the moment it is made.

    Parameters
    ----------
    problem : Problem
        Graph and workload.
    steps : sequence of (int, int, int)
        Unit, grid it leaves, grid it joins, in order.
    labels : ndarray of int32, shape (n,)
        Grid of each unit before the first step.
    names : sequence of str
        Id of each grid.
    limits : (lo, hi, target)
        Of each grid, shape (grids, a).
    opened, closed : sequence of int
        Grids that are new, and that go.
    """
    telling = _Telling(problem, labels, names, limits, set(opened), set(closed))
    return tuple(telling.tell(*step) for step in steps)


def numbered(
    before: NDArray[np.int32], old_ids: Sequence[str], labels: NDArray[np.int32], new_ids: Sequence[str]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """
    Grids before and after by one numbering: those of the plan before first, then the rows of the new plan.

    Parameters
    ----------
    before : ndarray of int32, shape (n,)
        Row, in `old_ids`, of each unit before; -1 where it is new: it begins where it is.
    labels : ndarray of int32, shape (n,)
        Row, in `new_ids`, of each unit after.

    Examples
    --------
    >>> numbered(np.array([0, 1, -1]), ["A", "B"], np.array([0, 0, 1]), ["A", "C"])
    (array([0, 1, 3], dtype=int32), array([0, 0, 3], dtype=int32))
    """
    old = {name: i for i, name in enumerate(old_ids)}
    number = np.array([old.get(name, len(old) + j) for j, name in enumerate(new_ids)], dtype=np.int32)
    now = number[labels]
    return np.where(before >= 0, before, now).astype(np.int32), now


def describe_change(
    problem: Problem,
    steps: Sequence[tuple[int, int, int]],
    start: NDArray[np.int32],
    old_ids: Sequence[str],
    new_ids: Sequence[str],
) -> tuple[Move, ...]:
    """
    Say what each step does on the way from one plan to another.

    Parameters
    ----------
    problem : Problem
        Of the new plan; its rows are `new_ids`.
    steps : sequence of (int, int, int)
        Unit, grid it leaves, grid it joins, in order, by the numbers of `numbered`.
    start : ndarray of int32, shape (n,)
        Grid of each unit before the first step, by the same numbers.
    old_ids, new_ids : sequence of str
        Ids of the grids of both plans.
    """
    row = {name: j for j, name in enumerate(new_ids)}
    there = set(old_ids)
    at = np.array([row.get(name, 0) for name in old_ids] + list(range(problem.n_grids)), dtype=np.int64)
    return describe_moves(
        problem,
        steps,
        start,
        [*old_ids, *new_ids],
        (problem.lo[at], problem.hi[at], problem.target[at]),
        opened=[len(old_ids) + j for j, name in enumerate(new_ids) if name not in there],
        closed=[i for i, name in enumerate(old_ids) if name not in row],
    )


@dataclass(eq=False)
class _Telling:
    """Loads and labels as they change from step to step."""

    problem: Problem
    labels: NDArray[np.int32]
    names: Sequence[str]
    limits: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
    opened: set[int]
    closed: set[int]

    def __post_init__(self) -> None:
        self.labels = np.array(self.labels)
        self.loads = np.zeros((len(self.names), self.problem.n_attributes), dtype=np.int64)
        np.add.at(self.loads, self.labels, self.problem.workload)

    def tell(self, u: int, a: int, b: int) -> Move:
        """Describe one step and make it."""
        border = self._border(u, a, b)
        what = self._purpose(u, a, b)
        work = self.problem.workload[u]
        self.labels[u] = b
        self.loads[a] -= work
        self.loads[b] += work
        load = tuple(self.problem.in_user_units(int(w), c) for c, w in enumerate(work))
        unit = self.problem.graph.ids[u]
        unit = unit.item() if hasattr(unit, "item") else unit
        return Move(unit, self.names[a], self.names[b], load, what + (f", {border}" if border else ""))

    def _purpose(self, u: int, a: int, b: int) -> str:
        lo, hi, target = self.limits
        work = self.problem.workload[u]
        if a in self.closed:
            return f"{self.names[a]} is dissolved"
        over = np.where(work > 0, (self.loads[a] - hi[a]) / np.maximum(target[a], 1), 0.0)
        under = np.where(work > 0, (lo[b] - self.loads[b]) / np.maximum(target[b], 1), 0.0)
        c, d = int(over.argmax()), int(under.argmax())
        if b in self.opened:
            return f"goes to the new grid {self.names[b]}"
        if over[c] > 0 and over[c] >= under[d]:
            return f"relieves {self.names[a]} by {_share(work[c], target[a][c])}{self._of(c)}"
        if under[d] > 0:
            return f"fills up {self.names[b]} by {_share(work[d], target[b][d])}{self._of(d)}"
        if not work.any():
            return f"opens a way between {self.names[a]} and {self.names[b]}, without workload"
        c = int((work / np.maximum(target[a], 1)).argmax())
        return f"makes room in {self.names[a]}: {_share(work[c], target[a][c])}{self._of(c)}"

    def _of(self, attribute: int) -> str:
        return "" if self.problem.n_attributes == 1 else f" of its {self.problem.attributes[attribute]}"

    def _border(self, u: int, a: int, b: int) -> str:
        """Where the border between the two grids runs before and after, by the names or classes of streets."""
        graph = self.problem.graph
        span = slice(graph.indptr[u], graph.indptr[u + 1])
        grid, edge = self.labels[graph.indices[span]], graph.edge_idx[span]
        was, now = self._along(edge[grid == b]), self._along(edge[grid == a])
        if not now or not was:
            return f"border now along {now}" if now else ""
        return f"border stays on {now}" if was == now else f"border moves from {was} to {now}"

    def _along(self, edges: NDArray[np.int32]) -> str:
        """Street most of these edges run along; its class where no name is known; nothing where they run along none."""
        graph = self.problem.graph
        if not len(edges):
            return ""
        if graph.streets is not None:
            length: dict[str, int] = {}
            for e in edges.tolist():
                for name in str(graph.streets[e]).split("; ")[:1]:
                    length[name] = length.get(name, 0) + max(1, int(graph.length[e]))
            length.pop("", None)
            if length:
                return max(length, key=lambda name: (length[name], name))
        if graph.classes:
            by_class = graph.class_length[edges].sum(axis=0)
            if by_class.any():
                return f"a street of class {graph.classes[int(by_class.argmax())]}"
        return ""


def _share(work: Any, target: Any) -> str:
    return f"{100 * int(work) / max(1.0, float(target)):.1f} %"
