"""Reach: connected sets around one node, until one has a load within limits."""

from __future__ import annotations

from gridopt._kernels.jit import kernel

__all__ = ["look_around"]


@kernel
def look_around(
    indptr, indices, apart_indptr, apart_indices, load, room, lo, root, inside, loads, rooms, at, mark, barred, near
):
    """
    Go through connected sets with `root`, each at most once; return how many, and the size of one within limits, or 0.

    Parameters
    ----------
    indptr, indices : int64 (n + 1,), int32 (2 m,)
        Nodes that may be neighbours in a set, in ascending order.
    apart_indptr, apart_indices : int64 (n + 1,), int32
        Nodes no set may hold together.
    load, room : int64 (n, a)
        Load of each node, and what a set with it may hold at most.
    lo : int64 (a,)
        What a set has to hold.
    root : int
    inside : int64 (s,)
        Written: the nodes of the set found. No more than s sets are looked at.
    loads, rooms, at : int64 (s, a), (s, a), (s, 3)
        Scratch.
    mark : int8 (n,)
        0, and again 0 afterwards.
    barred : int64 (n,)
        Scratch.
    near : int64 (2, a)
        Written: the heaviest set looked at that is not within limits, -1 without one; the lightest that is too heavy.

    Notes
    -----
    Depth first; a node that was tried beside a set is in none of the sets tried later at the same place.
    """
    width, most = lo.shape[0], inside.shape[0]
    for a in range(width):
        loads[0, a], rooms[0, a] = load[root, a], room[root, a]
        near[0, a] = near[1, a] = -1
    inside[0], mark[root] = root, 2
    at[0, 0], at[0, 1], at[0, 2] = 0, indptr[root], 0
    depth, looked, n_barred, found = 0, 1, 0, 0
    entered = True
    while depth >= 0:
        if entered:
            entered = False
            if looked >= most:
                break
            if (loads[depth] >= lo).all():
                found = depth + 1
                break
            if _is_before(near[0], loads[depth]):
                near[0] = loads[depth]
        i, e = at[depth, 0], at[depth, 1]
        if e == indptr[inside[i] + 1]:  # all neighbours of this node were tried: the next one, or one node fewer
            if i < depth:
                at[depth, 0], at[depth, 1] = i + 1, indptr[inside[i + 1]]
                continue
            while n_barred > at[depth, 2]:
                n_barred -= 1
                if mark[barred[n_barred]] == 1:
                    mark[barred[n_barred]] = 0
            if depth > 0:
                mark[inside[depth]] = 1  # barred by the set it was tried beside
            else:
                mark[inside[0]] = 0
            depth -= 1
            continue
        at[depth, 1] = e + 1
        v = indices[e]
        if mark[v] != 0:
            continue
        mark[v], barred[n_barred] = 1, v
        n_barred += 1
        if _add(loads, rooms, depth, load, room, v):
            if near[1, 0] < 0 or _is_before(loads[depth + 1], near[1]):
                near[1] = loads[depth + 1]
            continue
        if _clashes(apart_indptr, apart_indices, v, mark):
            continue
        depth += 1
        inside[depth], mark[v] = v, 2
        at[depth, 0], at[depth, 1], at[depth, 2] = 0, indptr[inside[0]], n_barred
        looked += 1
        entered = True
    for d in range(depth + 1):
        mark[inside[d]] = 0
    for x in range(n_barred):
        mark[barred[x]] = 0
    return looked, found


@kernel
def _is_before(first, second):
    """Whether one row of numbers comes before another."""
    for a in range(first.shape[0]):
        if first[a] != second[a]:
            return first[a] < second[a]
    return False


@kernel
def _add(loads, rooms, depth, load, room, v):
    """Write what the set at `depth` and `v` hold, and may hold, one row further; whether that is too much."""
    heavy = False
    for a in range(loads.shape[1]):
        loads[depth + 1, a] = loads[depth, a] + load[v, a]
        rooms[depth + 1, a] = min(rooms[depth, a], room[v, a])
        heavy = heavy or loads[depth + 1, a] > rooms[depth + 1, a]
    return heavy


@kernel
def _clashes(apart_indptr, apart_indices, v, mark):
    """Whether `v` is apart from a node of the set."""
    clash = False
    for x in range(apart_indptr[v], apart_indptr[v + 1]):
        clash = clash or mark[apart_indices[x]] == 2
    return clash
