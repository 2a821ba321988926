"""Contiguity by rounds of solve, separate, solve again: pieces of a part, and the nodes one of which must join them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from gridopt.solvers.exact.variables import Facts

__all__ = ["Separator", "pieces_of_parts", "separators"]

Separator = tuple[int, int, tuple[int, ...]]
"""Nodes a and b, and the nodes S: a part with a and b holds one of S, too."""


def pieces_of_parts(facts: Facts, labels: Sequence[int]) -> list[list[list[int]]]:
    """Connected pieces of each part, heaviest first (first attribute, then smallest node)."""
    pieces: list[list[list[int]]] = [[] for _ in range(facts.k)]
    seen = [False] * facts.n
    for root in range(facts.n):
        if seen[root]:
            continue
        seen[root], piece = True, [root]
        for u in piece:
            for v in facts.near[u]:
                if not seen[v] and labels[v] == labels[root]:
                    seen[v] = True
                    piece.append(v)
        pieces[labels[root]].append(piece)
    for part in pieces:
        part.sort(key=lambda piece: (-sum(facts.work[u][0] for u in piece), piece[0]))
    return pieces


def separators(facts: Facts, labels: Sequence[int], bounded: bool) -> list[Separator]:
    """
    Constraints that labels break by parts in several pieces; none when every part is connected.

    For each piece but the heaviest of its part, two minimal a,b-separators between the heaviest nodes a, b of the two
    pieces: one close to either. With `bounded`, ways from a to b heavier than the largest upper limit do not count
    (length-bounded separators: Validi & Buchanan, Math. Prog. Comp. 14, 2022, sect. 4.2), so fewer nodes separate.
    """
    found = []
    for part in pieces_of_parts(facts, labels):
        for small in part[1:]:
            for near_side, far_side in ((small, part[0]), (part[0], small)):
                a = max(near_side, key=lambda u: (facts.work[u][0], -u))
                b = max(far_side, key=lambda u: (facts.work[u][0], -u))
                allowed = _on_light_ways(facts, a, b) if bounded else [True] * facts.n
                found.append(_separator(facts, a, b, near_side, allowed))
    return found


def _on_light_ways(facts: Facts, a: int, b: int) -> list[bool]:
    """Nodes on ways from a to b that some part could hold."""
    most = max(row[0] for row in facts.hi)
    from_a, from_b = _distances(facts, a, most), _distances(facts, b, most)
    light = [from_a[u] + from_b[u] - facts.work[u][0] <= most for u in range(facts.n)]
    light[a] = light[b] = True
    return light


def _distances(facts: Facts, source: int, most: int) -> list[int]:
    """Load of the lightest way from `source` to each node, both ends counted; above `most` it is ``most + 1``."""
    work = facts.work
    distance = [most + 1] * facts.n
    distance[source] = min(work[source][0], most + 1)
    heap = [(distance[source], source)]
    while heap:
        d, u = heapq.heappop(heap)
        if d > distance[u]:
            continue
        for v in facts.near[u]:
            new = d + work[v][0]
            if new < distance[v]:
                distance[v] = new
                heapq.heappush(heap, (new, v))
    return distance


def _separator(facts: Facts, a: int, b: int, piece: Sequence[int], allowed: Sequence[bool]) -> Separator:
    """Neighbours of a's piece that b reaches without passing another one: minimal, and close to a."""
    inside = [False] * facts.n
    for u in piece:
        inside[u] = allowed[u]
    reached, todo = {a}, [a]
    around: set[int] = set()
    while todo:
        for v in facts.near[todo.pop()]:
            if inside[v] and v not in reached:
                reached.add(v)
                todo.append(v)
            elif allowed[v] and not inside[v]:
                around.add(v)
    reached, todo = {b}, [b]
    between = set()
    while todo:
        for v in facts.near[todo.pop()]:
            if v in around:
                between.add(v)
            elif allowed[v] and v not in reached:
                reached.add(v)
                todo.append(v)
    return a, b, tuple(sorted(between))
