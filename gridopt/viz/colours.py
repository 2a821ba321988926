"""Colours: neighbours differ, and people who confuse red with green can still tell them apart."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridopt.errors import InputError

__all__ = ["PALETTE", "colour_parts"]

PALETTE = ("#f3e7a9", "#7fa9dc", "#c590ab", "#97ab70", "#c4ede6", "#f2c571")
"""Muted fills for dark text. Any two differ by at least 17 (CIE 1976) in full vision and under simulated deuteranopia,
protanopia and tritanopia (Machado, Oliveira & Fernandes 2009)."""


def colour_parts(n: int, edges: ArrayLike, corners: ArrayLike = (), n_colours: int = len(PALETTE)) -> NDArray[np.int32]:
    """
    Colour `n` parts so that neighbours differ, each colour used about equally often (DSATUR).

    Parameters
    ----------
    n : int
        Number of parts.
    edges : array_like of int, shape (m, 2)
        Pairs of parts that share a line. They get different colours as long as `n_colours` allow it.
    corners : array_like of int, shape (c, 2)
        Pairs that touch in a point only. They differ where that costs nothing.
    n_colours : int
        Size of the palette, at least 1.

    Returns
    -------
    ndarray of int32, shape (n,)
        Colour of each part, in ``[0, n_colours)``. Equal input gives equal colours.

    Raises
    ------
    InputError
        If `n_colours` is less than 1 or an edge has an end outside ``[0, n)``.

    Notes
    -----
    The part with most colours among its neighbours comes first, then the one with most neighbours, then the one with
    the smallest number (Brélaz 1979, "New methods to color the vertices of a graph", CACM 22). Maps in the plane need
    four colours; DSATUR rarely uses more than five on them. When a part has neighbours of all colours (links make
    graphs that are not planar), it gets the colour that fewest neighbours have. O((n + m) log n).

    Examples
    --------
    >>> colour_parts(3, [(0, 1), (1, 2)], n_colours=2).tolist()
    [1, 0, 1]
    """
    if n_colours < 1:
        raise InputError(f"n_colours is {n_colours}; give at least 1.")
    near, touching = _neighbours(n, edges), _neighbours(n, corners)
    colour = np.full(n, -1, dtype=np.int32)
    used = [0] * n_colours
    seen: list[set[int]] = [set() for _ in range(n)]
    heap = [(0, -len(near[v]), v) for v in range(n)]
    heapify(heap)
    while heap:
        saturation, _, v = heappop(heap)
        if colour[v] >= 0 or -saturation != len(seen[v]):
            continue
        best = _choose(colour[near[v]], colour[touching[v]], used)
        colour[v] = best
        used[best] += 1
        for u in near[v]:
            if colour[u] < 0 and best not in seen[u]:
                seen[u].add(best)
                heappush(heap, (-len(seen[u]), -len(near[u]), u))
    return colour


def _neighbours(n: int, edges: ArrayLike) -> list[NDArray[np.int64]]:
    pairs = np.asarray(edges, dtype=np.int64).reshape(-1, 2)
    if len(pairs) and (pairs.min() < 0 or pairs.max() >= n):
        raise InputError(f"edges join parts {pairs.min()} to {pairs.max()}, but parts are numbered 0 … {n - 1}.")
    both = np.concatenate([pairs, pairs[:, ::-1]])
    both = np.unique(both[both[:, 0] != both[:, 1]], axis=0)
    return np.split(both[:, 1], np.searchsorted(both[:, 0], np.arange(1, n))) if n else []


def _choose(near: NDArray[np.int32], touching: NDArray[np.int32], used: list[int]) -> int:
    """Fewest neighbours of that colour, then fewest corner contacts, then least used, then smallest."""
    lines, points = [0] * len(used), [0] * len(used)
    for count, colours in ((lines, near.tolist()), (points, touching.tolist())):
        for c in colours:
            if c >= 0:
                count[c] += 1
    return min(range(len(used)), key=lambda c: (lines[c], points[c], used[c], c))
