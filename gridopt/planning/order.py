"""Order: single moves from one plan to another, one after the other, no grid in pieces in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.model import Graph

__all__ = ["Board", "Ordered", "bundles_of", "order_moves"]

MOST_STATES = 4_000
"""Intermediate plans looked at where moves block each other."""
MOST_TESTS = 200_000
"""Moves looked at in all while such blocks are sorted out, about a second; what is blocked then stays blocked."""
MOST_BLOCKED = 12
"""Bundles that block each other and are sorted out by looking at all ways; more of them stay blocked."""

Step = tuple[int, int, int]
"""Unit, grid it leaves, grid it joins."""


@dataclass(frozen=True, eq=False)
class Ordered:
    """
    Moves in order, and what no order was found for.

    Parameters
    ----------
    steps : tuple of (int, int, int)
        Unit, grid it leaves, grid it joins. A unit may move twice where others stand in its way.
    blocked : tuple of int
        Units that could not be moved without breaking a grid in between.
    """

    steps: tuple[Step, ...]
    blocked: tuple[int, ...]


def order_moves(
    graph: Graph,
    start: NDArray[np.int32],
    goal: NDArray[np.int32],
    urgent: NDArray[np.int64] | None = None,
    bundle: NDArray[np.int32] | None = None,
) -> Ordered:
    """
    Order the moves that lead from `start` to `goal`, each leaving all grids connected.

    Parameters
    ----------
    graph : Graph
    start, goal : ndarray of int32, shape (n,)
        Grid of each unit. A grid that is in several pieces at the start has to be no more than that.
    urgent : ndarray of int64, shape (grids,), optional
        Grids of greater value are left first.
    bundle : ndarray of int32, shape (n,), optional
        Units of one bundle (not -1) move together.

    Notes
    -----
    Greedy: of the moves that are possible the most urgent is made. Where all are blocked, the units concerned are moved
    among the grids concerned by breadth-first search, detours included. O(moves x degree), times the grids that have to
    be searched to see whether they stay connected.

    Examples
    --------
    >>> path = Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)])
    >>> order_moves(path, np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])).steps
    ((2, 0, 1), (1, 0, 1))
    """
    board = Board(graph, start, goal)
    sets = bundles_of(start, goal, bundle)
    rank = np.zeros(int(max(start.max(initial=0), goal.max(initial=0))) + 1, dtype=np.int64)
    if urgent is not None:
        rank[: len(urgent)] = urgent
    pending = sorted(sets, key=lambda units: (-int(rank[start[units[0]]]), units))
    steps: list[Step] = []
    while pending:
        left = []
        for units in pending:
            to = int(goal[units[0]])
            if board.can_move(units, to):
                steps += board.move(units, to)
            else:
                left.append(units)
        if len(left) == len(pending):
            freed = _search(board, left, goal)
            if freed is None:
                return Ordered(tuple(steps), tuple(sorted(u for units in left for u in units)))
            steps += freed
            left = [units for units in left if any(board.label(u) != goal[u] for u in units)]
        pending = left
    return Ordered(tuple(steps), ())


def bundles_of(
    start: NDArray[np.int32], goal: NDArray[np.int32], bundle: NDArray[np.int32] | None
) -> list[tuple[int, ...]]:
    """Units that move together: those of one bundle between the same two grids, others alone."""
    found: dict[tuple[int, int, int], list[int]] = {}
    for u in np.flatnonzero(start != goal).tolist():
        own = -1 if bundle is None else int(bundle[u])
        key = (own, int(start[u]), int(goal[u])) if own >= 0 else (-1 - u, -1, -1)
        found.setdefault(key, []).append(u)
    return [tuple(units) for units in found.values()]


class Board:
    """Labels that change, and whether grids stay whole."""

    def __init__(self, graph: Graph, labels: NDArray[np.int32], goal: NDArray[np.int32]) -> None:
        self.graph, self.labels = graph, np.array(labels)
        k = int(max(labels.max(initial=0), goal.max(initial=0))) + 1
        self.sizes = np.bincount(self.labels, minlength=k).tolist()
        self.stays = np.bincount(goal, minlength=k) > 0
        self.tests = 0

    def label(self, u: int) -> int:
        """Grid of a unit."""
        return int(self.labels[u])

    def near(self, u: int) -> list[int]:
        """Neighbours of a unit."""
        graph = self.graph
        found: list[int] = graph.indices[graph.indptr[u] : graph.indptr[u + 1]].tolist()
        return found

    def can_move(self, units: Sequence[int], to: int) -> bool:
        """Whether `units`, all of one grid, may join grid `to`: they touch it, or it is empty; the rest stays whole."""
        here, inside = self.label(units[0]), set(units)
        if here == to or (self.sizes[here] == len(inside) and self.stays[here]):
            return False
        empty = self.sizes[to] == 0
        if not empty and not all(self._reaches(piece, to) for piece in self._pieces(inside)):
            return False
        if empty and len(self._pieces(inside)) > 1:
            return False
        edge = sorted({v for u in units for v in self.near(u) if v not in inside and self.labels[v] == here})
        return self._hang_together(edge, here, inside)

    def _pieces(self, inside: set[int]) -> list[set[int]]:
        left, found = set(inside), []
        while left:
            piece, todo = set(), [min(left)]
            while todo:
                u = todo.pop()
                if u in left:
                    left.discard(u)
                    piece.add(u)
                    todo += [v for v in self.near(u) if v in left]
            found.append(piece)
        return found

    def _reaches(self, piece: Iterable[int], to: int) -> bool:
        return any(self.labels[v] == to for u in piece for v in self.near(u))

    def _hang_together(self, edge: list[int], grid: int, without: set[int]) -> bool:
        """Whether the units in `edge` reach each other in `grid`, those in `without` left out; searched in turn."""
        if len(edge) <= 1:
            return True
        owner = {u: i for i, u in enumerate(edge)}
        parent = list(range(len(edge)))
        pending, apart = [1] * len(edge), len(edge) - 1
        line = deque(edge)

        def root(i: int) -> int:
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        while line:
            u = line.popleft()
            mine = root(owner[u])
            for v in self.near(u):
                if self.labels[v] != grid or v in without:
                    continue
                if v not in owner:
                    owner[v] = mine
                    pending[mine] += 1
                    line.append(v)
                elif (other := root(owner[v])) != mine:
                    parent[other] = mine
                    pending[mine] += pending[other]
                    apart -= 1
                    if apart == 0:
                        return True
            pending[mine] -= 1
            if pending[mine] == 0:
                return False
        return False

    def move(self, units: Sequence[int], to: int) -> list[Step]:
        """Move units that may; return the steps."""
        steps = [(u, self.label(u), to) for u in units]
        for u, here, _ in steps:
            self.labels[u] = to
            self.sizes[here] -= 1
            self.sizes[to] += 1
        return steps


def _search(board: Board, blocked: list[tuple[int, ...]], goal: NDArray[np.int32]) -> list[Step] | None:
    """
    Free some of the bundles that block each other, by breadth-first search over where each of them is.

    Bundles whose grids have to do with each other are looked at by themselves; None where none of them can be freed.
    """
    for group in _entangled(board, blocked, goal):
        if len(group) > MOST_BLOCKED:
            continue
        steps = _free(board, group, goal)
        if steps is not None:
            return steps
    return None


def _entangled(board: Board, blocked: list[tuple[int, ...]], goal: NDArray[np.int32]) -> list[list[tuple[int, ...]]]:
    """Bundles in groups that share no grid."""
    groups: list[tuple[set[int], list[tuple[int, ...]]]] = []
    for units in blocked:
        grids, own = {board.label(units[0]), int(goal[units[0]])}, [units]
        rest = []
        for other_grids, members in groups:
            if grids & other_grids:
                grids, own = grids | other_grids, members + own
            else:
                rest.append((other_grids, members))
        groups = [*rest, (grids, own)]
    return [members for _, members in groups]


def _free(board: Board, group: list[tuple[int, ...]], goal: NDArray[np.int32]) -> list[Step] | None:
    """Shortest way to have every bundle of the group where it belongs; the board is left there."""
    begin = tuple(board.label(units[0]) for units in group)
    wanted = tuple(int(goal[units[0]]) for units in group)
    around = {board.label(v) for units in group for u in units for v in board.near(u)}
    choices = sorted(set(begin) | set(wanted) | around)
    came: dict[tuple[int, ...], tuple[tuple[int, ...], int] | None] = {begin: None}
    line, at = deque([begin]), begin

    def put(state: tuple[int, ...]) -> None:
        nonlocal at
        for i, (old, new) in enumerate(zip(at, state)):
            if old != new:
                board.move(group[i], new)
        at = state

    while line and len(came) < MOST_STATES and board.tests < MOST_TESTS:
        state = line.popleft()
        put(state)
        for i, units in enumerate(group):
            for to in choices:
                following = (*state[:i], to, *state[i + 1 :])
                board.tests += 1
                if to == state[i] or following in came or not board.can_move(units, to):
                    continue
                came[following] = (state, i)
                if following == wanted:
                    return _retrace(board, group, came, following, put, begin)
                line.append(following)
    put(begin)
    return None


def _retrace(board: Board, group, came, last, put, begin) -> list[Step]:  # type: ignore[no-untyped-def]
    """Go from the beginning to `last` step by step."""
    way = [last]
    while came[way[-1]] is not None:
        way.append(came[way[-1]][0])
    put(begin)
    steps: list[Step] = []
    for state in way[-2::-1]:
        i = came[state][1]
        steps += board.move(group[i], state[i])
    return steps
