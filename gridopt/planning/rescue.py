"""rescue: a plan that stays outside its limits near the one in force, searched as `solve` would."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gridopt.planning.mended import components_of
from gridopt.planning.parts import Cutout
from gridopt.solvers.budget import Clock
from gridopt.solvers.piece import Piece
from gridopt.solvers.pieces import solve_piece

__all__ = ["MOST_AFRESH", "rescue"]

MOST_AFRESH = 2000
"""Pieces of at most so many nodes are searched afresh too, where nothing near helps; larger ones would move much."""
FIRST = 0.5
"""Share of the budget for a search from the plan so far, where one afresh may follow."""
AWAY = 60.0
"""Price of leaving home for a node of mean weight, in borders between two nodes."""


def rescue(
    piece: Piece,
    home: NDArray[np.int32],
    weight: NDArray[np.int64],
    labels: NDArray[np.int32],
    clock: Clock,
    seed: int,
    pool: Executor | None = None,
    workers: int = 1,
    stop: Callable[[], bool] | None = None,
) -> NDArray[np.int32]:
    """
    Return labels that break limits less than `labels`, or `labels`.

    From `labels` on, at a price for leaving home, then a small piece afresh; parts that are found afresh take the
    places of those they share most weight with.

    Parameters
    ----------
    piece : Piece
        Its own prices of leaving home do not count.
    home : ndarray of int32, shape (n,)
        Part each node comes from, -1 where it is all the same.
    weight : ndarray of int64, shape (n,)
        What counts when a node is not at home.
    labels : ndarray of int32, shape (n,)
        Contiguous.
    clock : Clock
        What is spent is counted.
    pool, workers
        As for `solve_piece`.
    stop : callable, optional
        True ends the search.

    Notes
    -----
    `solve_piece` is for connected pieces: each component is searched by itself, where it breaks something.
    """
    component = components_of(piece)
    count = int(component.max()) + 1
    if count == 1:
        return _connected(piece, home, weight, labels, clock, seed, pool, workers, stop)
    best = np.array(labels)
    for c in range(count):
        parts = np.unique(labels[component == c]).astype(np.int64)
        cut = Cutout.of(piece, labels, parts)
        if len(parts) > 1 and len(cut.nodes) == (component == c).sum():
            args = cut.inner(home), weight[cut.nodes], cut.inner(labels)
            best = cut.put(best, _connected(cut.piece, *args, clock, seed, pool, workers, stop))
    return best


def _connected(
    piece: Piece,
    home: NDArray[np.int32],
    weight: NDArray[np.int64],
    labels: NDArray[np.int32],
    clock: Clock,
    seed: int,
    pool: Executor | None,
    workers: int,
    stop: Callable[[], bool] | None,
) -> NDArray[np.int32]:
    """Rescue a connected piece."""
    best, least = labels, excess(piece, labels)
    tries: list[NDArray[np.int32] | None] = [labels]
    if piece.n_nodes <= MOST_AFRESH:
        tries = [labels, None]
    near = _priced(piece, home, weight)
    for i, start in enumerate(tries):
        if not least or clock.expired() or (stop is not None and stop()):
            break
        budget = clock.left(FIRST if i + 1 < len(tries) else 1.0)
        found = solve_piece(
            piece if start is None else near, budget, seed, start=start, pool=pool, workers=workers,
            watch=None if stop is None else (lambda *_: stop()),
        )  # fmt: skip
        clock.tick(found.steps)
        if found.labels is None:
            continue
        other = found.labels if start is not None else _named(piece, found.labels, home, weight)
        if (worth := excess(piece, other)) < least:
            best, least = other, worth
    return best


def _priced(piece: Piece, home: NDArray[np.int32], weight: NDArray[np.int64]) -> Piece:
    """The same with a price on leaving home, so that a search from the plan in force stays near it."""
    heavy = weight[weight > 0]
    if not len(heavy) or not len(piece.weights):
        return piece
    price = max(1, round(AWAY * float(piece.weights.mean()) / float(heavy.mean())))
    return replace(piece, home=home, away_cost=weight * price)


def excess(piece: Piece, labels: NDArray[np.int32]) -> int:
    """How far parts are outside their limits, in millionths of their targets, and a target for each pair not apart."""
    loads = np.zeros_like(piece.lo)
    np.add.at(loads, labels, piece.workload)
    over = np.maximum(0, np.maximum(loads - piece.hi, piece.lo - loads))
    rows = np.repeat(np.arange(len(labels)), np.diff(piece.apart_indptr))
    same = int((labels[rows] == labels[piece.apart_indices]).sum()) // 2
    return int((over * 1_000_000 // piece.target).sum()) + 1_000_000 * same


def _named(
    piece: Piece, labels: NDArray[np.int32], home: NDArray[np.int32], weight: NDArray[np.int64]
) -> NDArray[np.int32]:
    """The same parts, named after those they share most weight with, as long as that breaks no limit more."""
    k, known = piece.n_parts, home >= 0
    if (piece.fixed >= 0).any() or len(piece.unit_cost):
        return labels
    shared = np.zeros((k, k))
    np.add.at(shared, (labels[known], home[known]), weight[known] + 1e-9)
    _, name = linear_sum_assignment(-shared)
    other = name[labels].astype(np.int32)
    return other if excess(piece, other) <= excess(piece, labels) else labels
