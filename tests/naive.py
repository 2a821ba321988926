"""The slow, obvious twin of each kernel, in plain Python; and random pieces to try them on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

MILLION = 10**6


def cut(piece: Any, labels: Sequence[int]) -> int:
    """Weight of edges between parts, each edge once."""
    total = 0
    for u in range(piece.n_nodes):
        for e in range(piece.indptr[u], piece.indptr[u + 1]):
            v = piece.indices[e]
            if u < v and labels[u] != labels[v]:
                total += int(piece.weights[e])
    return total


def loads(piece: Any, labels: Sequence[int]) -> list[list[int]]:
    """Sum of workload of each part, by attribute."""
    width = piece.workload.shape[1]
    return [
        [sum(int(piece.workload[u, a]) for u in range(piece.n_nodes) if labels[u] == p) for a in range(width)]
        for p in range(piece.n_parts)
    ]


def violation(piece: Any, labels: Sequence[int]) -> int:
    """Millionths outside the limits, and a million for each pair that should be apart and is not."""
    total = 0
    for p, row in enumerate(loads(piece, labels)):
        for a, load in enumerate(row):
            excess = max(0, load - int(piece.hi[p, a]), int(piece.lo[p, a]) - load)
            total += excess * MILLION // int(piece.target[p, a])
    for u in range(piece.n_nodes):
        for e in range(piece.apart_indptr[u], piece.apart_indptr[u + 1]):
            v = piece.apart_indices[e]
            total += MILLION if u < v and labels[u] == labels[v] else 0
    return total


def cost(piece: Any, labels: Sequence[int]) -> int:
    """Cut, unit costs, leaving home, deviation and inertia."""
    total = cut(piece, labels)
    for u, p in enumerate(labels):
        if piece.unit_cost.size:
            total += int(piece.unit_cost[u, p])
        if piece.home[u] >= 0 and piece.home[u] != p:
            total += int(piece.away_cost[u])
    for p, row in enumerate(loads(piece, labels)):
        for a, load in enumerate(row):
            target = int(piece.target[p, a])
            total += piece.imbalance_weight * (abs(load - target) * MILLION // target)
        if piece.inertia_weight:
            total += piece.inertia_weight * inertia(piece, [u for u in range(piece.n_nodes) if labels[u] == p])
    return total


def inertia(piece: Any, nodes: Sequence[int]) -> int:
    """Sum of w d² to the mean centre, the subtracted square rounded down."""
    mass = [int(piece.workload[u, 0]) for u in nodes]
    at = [(int(piece.xy[u, 0]), int(piece.xy[u, 1])) for u in nodes]
    if not sum(mass):
        return sum(m * (x * x + y * y) for m, (x, y) in zip(mass, at))
    sx, sy = sum(m * x for m, (x, _) in zip(mass, at)), sum(m * y for m, (_, y) in zip(mass, at))
    return sum(m * (x * x + y * y) for m, (x, y) in zip(mass, at)) - (sx * sx + sy * sy) // sum(mass)


def pieces_of(piece: Any, labels: Sequence[int]) -> list[list[int]]:
    """Nodes of each connected piece of equal labels, by smallest node."""
    left, found = set(range(piece.n_nodes)), []
    while left:
        todo, here = [min(left)], []
        left.discard(todo[0])
        while todo:
            u = todo.pop()
            here.append(u)
            for v in piece.indices[piece.indptr[u] : piece.indptr[u + 1]].tolist():
                if v in left and labels[v] == labels[u]:
                    left.discard(v)
                    todo.append(v)
        found.append(sorted(here))
    return found


def is_contiguous(piece: Any, labels: Sequence[int]) -> bool:
    """Whether there are exactly k pieces, one for each part."""
    found = pieces_of(piece, labels)
    return len(found) == piece.n_parts and {int(labels[nodes[0]]) for nodes in found} == set(range(piece.n_parts))


def random_piece(seed: int, n: int | None = None, k: int | None = None, attributes: int = 1, **terms: Any) -> Any:
    """
    A random connected piece: a path-like tree with some more edges, lognormal workload with zeros, limits of ±20 %.

    `terms` may switch on ``fixed``, ``apart``, ``unit_cost``, ``home``; give ``imbalance_weight``, ``inertia_weight``,
    and ``unequal``, how many times the lightest target the heaviest may be.
    """
    from gridopt.solvers.piece import Piece

    draw = random.Random(seed)
    n = draw.randint(2, 40) if n is None else n
    k = draw.randint(1, max(1, n // 3)) if k is None else k
    pairs = {(draw.randint(max(0, v - 5), v - 1), v) for v in range(1, n)}
    for _ in range(2 * n):
        u, v = sorted((draw.randrange(n), draw.randrange(n)))
        if 0 < v - u < 8:
            pairs.add((u, v))
    weight = {pair: draw.randint(1, 50) for pair in sorted(pairs)}
    near: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for (u, v), w in weight.items():
        near[u].append((v, w))
        near[v].append((u, w))
    flat = [pair for row in near for pair in sorted(row)]
    load = np.array(
        [[int(draw.lognormvariate(3, 0.8)) * (draw.random() < 0.9) for _ in range(attributes)] for _ in range(n)]
    )
    load[0] += 1
    most = terms.get("unequal", 1)
    share = np.array([random.Random(f"{seed} {p}").uniform(1, most) if most > 1 else 1.0 for p in range(k)])
    target = np.maximum(1, np.rint(np.outer(share, load.sum(axis=0)) / share.sum())).astype(np.int64)
    apart = sorted({tuple(sorted(draw.sample(range(n), 2))) for _ in range(2)}) if terms.get("apart") and n > 1 else []
    conflicts = [sorted([v for u, v in apart if u == x] + [u for u, v in apart if v == x]) for x in range(n)]
    fixed = np.full(n, -1, dtype=np.int32)
    if terms.get("fixed"):
        for part, u in enumerate(draw.sample(range(n), min(k, 3))):
            fixed[u] = part
    return Piece(
        indptr=np.cumsum([0] + [len(row) for row in near]).astype(np.int64),
        indices=np.array([v for v, _ in flat], dtype=np.int32),
        weights=np.array([w for _, w in flat], dtype=np.int64),
        workload=load.astype(np.int64),
        lo=np.floor(0.8 * target).astype(np.int64),
        hi=np.ceil(1.2 * target).astype(np.int64),
        target=target,
        fixed=fixed,
        apart_indptr=np.cumsum([0] + [len(row) for row in conflicts]).astype(np.int64),
        apart_indices=np.array([v for row in conflicts for v in row], dtype=np.int32),
        unit_cost=np.array([[draw.randint(-9, 99) for _ in range(k)] for _ in range(n)], dtype=np.int64)
        if terms.get("unit_cost")
        else np.empty((0, 0), dtype=np.int64),
        home=np.array([draw.randint(-1, k - 1) if terms.get("home") else -1 for _ in range(n)], dtype=np.int32),
        away_cost=np.array([draw.randint(0, 30) for _ in range(n)], dtype=np.int64),
        imbalance_weight=terms.get("imbalance_weight", 0),
        inertia_weight=terms.get("inertia_weight", 0),
        xy=np.array([[draw.randint(-5000, 5000) for _ in range(2)] for _ in range(n)], dtype=np.int64),
    )


EVERY_TERM: dict[str, Any] = {
    "apart": True,
    "unit_cost": True,
    "home": True,
    "imbalance_weight": 2,
    "inertia_weight": 1,
}


def look_around(
    near: Sequence[Sequence[int]],
    apart: Sequence[set[int]],
    load: Sequence[Sequence[int]],
    room: Sequence[Sequence[int]],
    lo: Sequence[int],
    root: int,
    most: int,
) -> tuple[int, list[int], list[int], list[int]]:
    """Connected sets with `root`, `most` at most: how many, one within limits, the nearest loads below and above."""
    found: list[int] = []
    below: list[int] = []
    above: list[int] = []
    looked = 0

    def grow(inside: list[int], got: list[int], hold: list[int], barred: set[int]) -> None:
        nonlocal found, below, above, looked
        looked += 1
        if looked >= most:
            return
        if all(w >= low for w, low in zip(got, lo)):
            found = inside
            return
        below = max(below, got)
        barred = set(barred)
        for v in [v for u in inside for v in near[u]]:
            if v in inside or v in barred:
                continue
            barred.add(v)
            more = [a + b for a, b in zip(got, load[v])]
            both = [min(a, b) for a, b in zip(hold, room[v])]
            if any(a > b for a, b in zip(more, both)):
                above = min(above or more, more)
            elif apart[v].isdisjoint(inside):
                grow([*inside, v], more, both, barred)
                if found or looked >= most:
                    return

    grow([root], list(load[root]), list(room[root]), set())
    return looked, found, below, above
