"""The linear program's bound is below every plan within the limits, and joins grids in pieces."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from gridopt.planning import relaxed
from gridopt.planning.relaxed import Area, least_relaxed


def is_joined(edges: np.ndarray, units: set[int]) -> bool:
    """Whether units hang together, by walking."""
    seen, line = {min(units)}, [min(units)]
    for u in line:
        for a, b in edges.tolist():
            for v, x in ((a, b), (b, a)):
                if v == u and x in units and x not in seen:
                    seen.add(x)
                    line.append(x)
    return seen == units


def least_by_force(area: Area) -> int | None:
    """Least weight away from home over all labellings."""
    n, k = len(area.home), len(area.lo)
    best = None
    for labels in product(range(k), repeat=n):
        at = np.array(labels)
        if any((at != j).all() for j in range(k)) or ((area.fixed >= 0) & (at != area.fixed)).any():
            continue
        loads = np.array([area.workload[at == j].sum(axis=0) for j in range(k)])
        if (loads < area.lo).any() or (loads > area.hi).any():
            continue
        if not all(is_joined(area.edges, set(np.flatnonzero(at == j).tolist())) for j in range(k)):
            continue
        away = int(area.weight[(area.home >= 0) & (at != area.home)].sum())
        best = away if best is None else min(best, away)
    return best


def drawn(seed: int) -> Area:
    """A small lattice whose homes are drawn, so that grids lie in pieces; some units new, some bound."""
    rng = np.random.default_rng(seed)
    at = np.arange(8).reshape(2, 4)
    edges = np.concatenate(
        [np.column_stack([at[:, :-1].ravel(), at[:, 1:].ravel()]), np.column_stack([at[:-1].ravel(), at[1:].ravel()])]
    )
    k, width = int(rng.integers(2, 4)), int(rng.integers(1, 3))
    work = rng.integers(0, 9, (8, width))
    home = rng.integers(0, k, 8).astype(np.int32)
    home[rng.random(8) < 0.1] = -1
    fixed = np.full(8, -1, dtype=np.int32)
    if rng.random() < 0.3:
        fixed[rng.integers(8)] = rng.integers(k)
    slack, fair = rng.uniform(0.1, 0.6), work.sum(axis=0) / k
    lo, hi = (np.tile(np.floor(fair * f).astype(np.int64), (k, 1)) for f in (1 - slack, 1 + slack))
    pieces = {}
    for j in range(k):
        units, own = set(np.flatnonzero(home == j).tolist()), []
        while units:
            piece = next(p for p in _grown(edges, units))
            own.append(np.array(sorted(piece)))
            units -= piece
        if len(own) > 1:
            pieces[j] = own
    weight = work[:, 0] if rng.random() < 0.5 else rng.integers(0, 5, 8)
    return Area(edges, work, lo, hi, home, weight, fixed, pieces)


def _grown(edges: np.ndarray, units: set[int]):
    piece = {min(units)}
    while True:
        more = {b for a, b in [*edges.tolist(), *edges[:, ::-1].tolist()] if a in piece and b in units} - piece
        if not more:
            yield piece
            return
        piece |= more


@pytest.mark.parametrize("seed", range(16))
def test_no_plan_moves_less(seed):
    area = drawn(seed)
    least = least_by_force(area)
    if least is not None:
        assert least_relaxed(area) <= least


def test_whoever_gives_a_corridor_is_filled_up_again():
    """Joining the ends of grid 0 takes unit 1, of 6; grid 1 then lacks 3, and takes a unit of 5."""
    edges = np.array([[0, 1], [1, 2], [1, 3], [3, 4], [4, 5], [5, 6]])
    load = np.array([[12], [6], [12], [6], [5], [5], [4]])
    home = np.array([0, 1, 0, 1, 2, 2, 2], np.int32)
    lo, hi = np.full((3, 1), 9), np.full((3, 1), 30)
    pieces = {0: [np.array([0]), np.array([2])]}
    area = Area(edges, load, lo, hi, home, load[:, 0], np.full(7, -1, np.int32), pieces)
    assert least_relaxed(area) == 9
    assert least_by_force(area) == 11


def test_large_areas_are_left_alone(monkeypatch):
    monkeypatch.setattr(relaxed, "MOST_PAIRS", 8)
    assert least_relaxed(drawn(0)) == 0
