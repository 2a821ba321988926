"""The list of candidate moves of a group of parts, kept with their gains while nodes move."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.jit import helper, inlined, kernel

__all__ = ["Borders", "fill_borders", "refresh_around"]


class Borders(NamedTuple):
    """
    Candidate moves: a half-edge ``e`` from `source` ``u`` to a node of another part stands for moving ``u`` there.

    Only half-edges between parts of one group are candidates; those of group ``g`` lie in `listed` from
    ``edge_first[g]`` of the groups on. Groups touch disjoint stretches, so they may run at once.

    Parameters
    ----------
    source, twin, listed, place : ndarray of int32, shape (2 m,)
        Node each half-edge starts from; the same edge seen from its other end; candidates; where a half-edge is in its
        list, or -1.
    gain : ndarray of int64, shape (2 m,)
        Of a candidate: how much the cost of edges, units and leaving home falls by the move.
    pull : ndarray of int64, shape (k,)
        Scratch, zeros between calls.
    """

    source: NDArray[np.int32]
    twin: NDArray[np.int32]
    listed: NDArray[np.int32]
    place: NDArray[np.int32]
    gain: NDArray[np.int64]
    pull: NDArray[np.int64]


@helper
def refresh(
    indptr, indices, weights, unit_cost, home, away_cost, fixed, labels, group_of, listed, place, gain, pull, base,
    group, u, count,
):  # fmt: skip
    """Bring the candidates of `u` and their gains up to date; return the length of the list. O(degree)."""
    if fixed[u] >= 0:
        return count
    begin, end = indptr[u], indptr[u + 1]
    a = np.int64(labels[u])
    for e in range(begin, end):
        p = labels[indices[e]]
        if group_of[p] == group:
            pull[p] += weights[e]
    stay = pull[a]
    if unit_cost.shape[0] > 0:
        stay -= unit_cost[u, a]
    if home.shape[0] > 0 and home[u] != a:
        stay -= away_cost[u]
    for e in range(begin, end):
        p = labels[indices[e]]
        if p != a and group_of[p] == group:
            go = pull[p] - stay
            if unit_cost.shape[0] > 0:
                go -= unit_cost[u, p]
            if home.shape[0] > 0 and home[u] != p:
                go -= away_cost[u]
            gain[e] = go
            if place[e] < 0:
                listed[base + count] = e
                place[e] = count
                count += 1
        elif place[e] >= 0:
            count -= 1
            last = listed[base + count]
            listed[base + place[e]] = last
            place[last] = place[e]
            place[e] = -1
    pull[a] = 0
    for e in range(begin, end):
        p = labels[indices[e]]
        if group_of[p] == group:
            pull[p] = 0
    return count


@inlined
def follow(
    indptr, indices, weights, unit_cost, home, away_cost, labels, listed, place, gain, base, v, u, w, a, b, count,
):  # fmt: skip
    """
    Bring the candidates of `v` up to date after its neighbour `u`, along an edge of weight `w`, went from `a` to `b`.

    Returns the length of the list. One pass over the edges of `v`.
    """
    m = labels[v]
    all_by = w if m == a else -w if m == b else 0
    back, own, gain_b, has_b = np.int64(-1), np.int64(0), np.int64(0), False
    for e in range(indptr[v], indptr[v + 1]):
        x = indices[e]
        p = labels[x]
        if x == u:
            back = np.int64(e)
        elif p == m:
            own += weights[e]
        elif place[e] >= 0:
            g = gain[e] + all_by
            if p == a:
                g -= w
            elif p == b:
                g += w
                gain_b = g
                has_b = True
            gain[e] = g
    if m == b:
        if place[back] >= 0:
            count -= 1
            last = listed[base + count]
            listed[base + place[back]] = last
            place[last] = place[back]
            place[back] = -1
        return count
    if not has_b:
        gain_b = w - own
        if unit_cost.shape[0] > 0:
            gain_b += unit_cost[v, m] - unit_cost[v, b]
        if home.shape[0] > 0:
            if home[v] == m:
                gain_b -= away_cost[v]
            elif home[v] == b:
                gain_b += away_cost[v]
    gain[back] = gain_b
    if place[back] < 0:
        listed[base + count] = back
        place[back] = count
        count += 1
    return count


@helper
def refresh_around(
    indptr, indices, weights, unit_cost, home, away_cost, fixed, labels, group_of, listed, place, gain, pull, base,
    group, u, a, b, count,
):  # fmt: skip
    """Bring all candidates up to date after `u` went from part `a` to `b`; return the length of the list."""
    count = refresh(
        indptr, indices, weights, unit_cost, home, away_cost, fixed, labels, group_of, listed, place, gain, pull, base,
        group, u, count,
    )  # fmt: skip
    for e in range(indptr[u], indptr[u + 1]):
        v = np.int64(indices[e])
        if group_of[labels[v]] == group and fixed[v] < 0:
            count = follow(
                indptr, indices, weights, unit_cost, home, away_cost, labels, listed, place, gain, base, v, u,
                weights[e], a, b, count,
            )  # fmt: skip
    return count


@kernel
def fill_borders(csr, terms, fixed, labels, groups, borders, group):
    """List the candidate moves of `group` with their gains; return how many there are. O(edges of the group)."""
    indptr, place, members, group_of = csr.indptr, borders.place, groups.members, groups.group_of
    base, count = groups.edge_first[group], 0
    for i in range(groups.chunk[group], groups.chunk[group + 1]):
        p = groups.order[i]
        for j in range(groups.first[p], groups.first[p + 1]):
            u = np.int64(members[j])
            for e in range(indptr[u], indptr[u + 1]):
                place[e] = -1
            count = refresh(
                indptr, csr.indices, csr.weights, terms.unit_cost, terms.home, terms.away_cost, fixed, labels,
                group_of, borders.listed, place, borders.gain, borders.pull, base, group, u, count,
            )  # fmt: skip
    return count
