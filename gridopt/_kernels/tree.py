"""Construction by spanning-tree cuts: connected sets are divided along tree edges until each is one part."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._kernels.graph import draw
from gridopt._kernels.jit import helper, kernel

__all__ = ["Splitting", "split"]

S32 = np.uint64(32)
STEP, SHIFT = np.uint64(6364136223846793005), np.uint64(1442695040888963407)
"""Knuth's linear congruential generator (The Art of Computer Programming 2, 3.3.4): cheap, and enough for turns."""
MISS = 0.4
"""How much dearer a cut is for each node, of mean load, that its sides have too much or too little."""
MIDDLE = 0.25
"""A side is large enough, and no longer preferred for its size, from this share of the parts on."""
SEVERAL = 8
"""Several trees are looked at for sets of at most so many parts."""
MANY, CELL, LOSS = 128, 48, 0.02
"""Sets of so many parts fall into sets of about so many, unless more than this share of their load is misplaced."""


class Splitting(NamedTuple):
    """
    Room for `split`. Sets are ranges of positions, and all arrays but `mark` go by position: sets never share entries.

    `order` is the node at each position, `mark` twice the position of each node, plus one while a tree holds the node.
    The others describe the tree at hand: the position above, the depth, a position further up (Myers, Inf. Process.
    Lett. 17, 1983), the weight of the edge above; then of all below: load, nodes, bound nodes, edges that leave.
    """

    order: NDArray[np.int32]
    mark: NDArray[np.int32]
    kept: NDArray[np.int32]
    above: NDArray[np.int32]
    depth: NDArray[np.int32]
    jump: NDArray[np.int32]
    hold: NDArray[np.int64]
    load: NDArray[np.float64]
    size: NDArray[np.int32]
    bound: NDArray[np.int32]
    cut: NDArray[np.int64]


@helper
def meet(above, depth, jump, a, b):
    """Lowest position above both `a` and `b`. O(log depth)."""
    while a != b:
        if depth[a] < depth[b]:
            b = jump[b] if depth[jump[b]] >= depth[a] else above[b]
        elif depth[a] > depth[b]:
            a = jump[a] if depth[jump[a]] >= depth[b] else above[a]
        elif jump[a] != jump[b]:
            a, b = jump[a], jump[b]
        else:
            a, b = above[a], above[b]
    return a


@helper
def grow_tree(csr, mass, core, work, begin, end, root, deep, bits):
    """
    Tree of the set at ``[begin, end)``: the node seen last comes next if `deep`, else the one seen first.

    Nodes hang on their heaviest edge to the level above, as far as that is seen in time. Neighbours are taken from a
    random one on. Afterwards `order` is the order of visits, and `load`, `size`, `bound` and `cut` are those of each
    subtree. O(m log depth).
    """
    order, mark, above, depth, jump = work.order, work.mark, work.above, work.depth, work.jump
    hold, load, size, bound, cut = work.hold, work.load, work.size, work.bound, work.cut
    low, high = 2 * begin, 2 * end
    new = 1 - (mark[root] & 1)
    order[begin], mark[root], above[begin] = root, low + new, begin
    depth[begin], jump[begin], cut[begin] = 0, begin, 0
    head, tail = begin, begin + 1
    while head < tail:
        if deep:  # the one seen last comes next
            at = tail - 1
            order[head], order[at] = order[at], order[head]
            above[head], above[at] = above[at], above[head]
            hold[head], hold[at] = hold[at], hold[head]
            mark[order[at]], mark[order[head]] = 2 * at + new, 2 * head + new
        u, up = order[head], above[head]
        if head > begin:
            depth[head] = depth[up] + 1
            far = jump[up]
            jump[head] = jump[far] if depth[up] - depth[far] == depth[far] - depth[jump[far]] else up
        load[head], size[head], bound[head] = mass[u], 1, 1 if core[u] >= 0 else 0
        start, degree = csr.indptr[u], csr.indptr[u + 1] - csr.indptr[u]
        bits = bits * STEP + SHIFT
        turn = np.int64((bits >> S32) * np.uint64(degree) >> S32)
        for i in range(degree):
            e = start + (i + turn if i + turn < degree else i + turn - degree)
            v = csr.indices[e]
            at = np.int64(mark[v])
            if at < low or at >= high:
                continue
            if at & 1 != new:
                order[tail], mark[v], above[tail] = v, 2 * tail + new, head
                hold[tail], cut[tail] = csr.weights[e], 0
                tail += 1
                continue
            at >>= 1
            weight = csr.weights[e]
            if at > head:
                if weight > hold[at] and depth[above[at]] == depth[head]:
                    above[at], hold[at] = head, weight
            else:
                cut[head] += weight
                cut[at] += weight
                cut[at if at == up else meet(above, depth, jump, np.int64(head), at)] -= 2 * weight
        head += 1
    for i in range(end - 1, begin, -1):
        up = above[i]
        load[up] += load[i]
        size[up] += size[i]
        bound[up] += bound[i]
        cut[up] += cut[i]


@helper
def rows_for(share, first, last, mass, total, least, most):
    """How many rows from `first` on fit `mass` of `total` best, within [`least`, `most`]; and by how much they miss."""
    whole = (share[last] - share[first]) / total
    low, high = least, most
    wanted = share[first] + mass * whole
    guess = min(max(np.int64(mass / total * (last - first)), least), most)
    if share[first + guess] < wanted:
        low = min(guess + 1, most)
        if share[first + low] >= wanted:
            high = low
    else:
        high = guess
    while low < high:
        middle = (low + high) // 2
        if share[first + middle] < wanted:
            low = middle + 1
        else:
            high = middle
    miss = abs(share[first + low] - wanted)
    if low > least:
        other = abs(share[first + low - 1] - wanted)
        if other < miss:
            return low - 1, other / whole
    return low, miss / whole


@helper
def best_edge(work, share, begin, end, first, last):
    """
    Tree edge to cut: cheap, near a whole number of rows of [`first`, `last`), and with much on either side.

    Returns (position below the edge, rows for its side, score; less is better).
    """
    nodes, rows = end - begin, last - first
    load, size, bound, cut = work.load, work.size, work.bound, work.cut
    total, bounds = max(load[begin], 1e-300), bound[begin]
    best, best_rows, best_score = begin, 0, np.inf
    for i in range(begin + 1, end):
        least = max(1, rows - nodes + size[i], bound[i])
        most = min(rows - 1, size[i], rows - bounds + bound[i])
        if least > most:
            continue
        count, miss = rows_for(share, first, last, load[i], total, least, most)
        side = min(load[i], total - load[i]) / total * rows
        score = (cut[i] + 1.0) * (1.0 + MISS * nodes * miss / total)
        score /= max(1e-9, min(side, max(1.0, MIDDLE * rows)))
        if score < best_score or best == begin:
            best, best_rows, best_score = i, count, score
    return best, best_rows, best_score


@helper
def keep_sides(work, begin, end, top):
    """Write to `kept` the nodes below `top`, then the others, each in the order of visits."""
    order, kept, above, jump = work.order, work.kept, work.above, work.jump
    low, high = begin, begin + work.size[top]
    for i in range(begin, end):
        jump[i] = 1 if i == top or (i > begin and jump[above[i]] == 1) else 0
        if jump[i] == 1:
            kept[low] = order[i]
            low += 1
        else:
            kept[high] = order[i]
            high += 1


@helper
def scatter(csr, mass, core, work, share, stack, depth, begin, end, first, last, cells):
    """
    Divide a large set into `cells` sets that grow at once from seeds spread by mass, if rows can be dealt out to them.

    Returns the new depth of the stack: unchanged where the loads of the cells are too far from whole numbers of rows.
    """
    order, mark, kept, cell, room, least = work.order, work.mark, work.kept, work.above, work.depth, work.jump
    load, size, bound = work.load, work.size, work.bound
    new = 1 - (mark[order[begin]] & 1)
    total, passed, count = 0.0, 0.0, 0
    for i in range(begin, end):
        total += mass[order[i]]
    for i in range(begin, end):
        if count < cells and passed * cells >= (count + 0.5) * total:
            kept[begin + count] = order[i]
            count += 1
        passed += mass[order[i]]
    cells = count
    for c in range(cells):
        at = begin + c
        order[at], mark[kept[at]], cell[at] = kept[at], 2 * at + new, c
        load[at], size[at], bound[at] = 0.0, 0, 0
    head, tail = begin, begin + cells
    while head < tail:
        u, c = order[head], cell[head]
        load[begin + c] += mass[u]
        size[begin + c] += 1
        bound[begin + c] += 1 if core[u] >= 0 else 0
        for e in range(csr.indptr[u], csr.indptr[u + 1]):
            v = csr.indices[e]
            at = mark[v]
            if at >= 2 * begin and at < 2 * end and at & 1 != new:
                order[tail], mark[v], cell[tail] = v, 2 * tail + new, c
                tail += 1
        head += 1
    need, spare = 0, 0
    for c in range(cells):
        least[begin + c] = max(1, bound[begin + c])
        need += least[begin + c]
        spare += size[begin + c]
    if need > last - first or cells < 2:
        return depth
    at, row, missed, before = begin, first, 0.0, depth
    for c in range(cells):
        need -= least[begin + c]
        spare -= size[begin + c]
        rows, miss = last - row, 0.0
        if c + 1 < cells:
            fewest = max(np.int64(least[begin + c]), last - row - spare)
            most = min(np.int64(size[begin + c]), last - row - need)
            rows, miss = rows_for(share, row, last, load[begin + c], max(total, 1e-300), fewest, most)
            missed += miss
            total -= load[begin + c]
        stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = at, at + size[begin + c], row, row + rows
        room[begin + c] = at
        at += size[begin + c]
        row += rows
        depth += 1
    if missed > LOSS * passed:
        return before
    for i in range(begin, end):
        c = cell[i]
        kept[room[begin + c]] = order[i]
        room[begin + c] += 1
    return depth


@kernel
def split(csr, mass, share, core, labels, work, stack, depth, done, few, seed, tries, visits):
    """
    Divide connected sets of nodes until none has more than `few` parts; parts are never empty.

    Sets are halved along edges of breadth-first trees; those of many parts fall into many sets at once. What becomes of
    a set depends on the set and the seed, not on others.

    Parameters
    ----------
    mass : float64 (n,), share : float64 (k + 1,)
        Load of each node as one number; running sum of the targets of the parts.
    core : int32 (n,)
        Part a node is bound to, or -1; at most one node for each part. Such nodes end in sets of their own.
    labels : int32 (n,)
        Written: for each node of a set of one part, the number of the set, in ``[0, k)``.
    work : Splitting
        ``order`` and ``mark`` hold the sets and are written in place, the rest is scratch.
    stack : int64 (k + 1, 4)
        Sets to do: begin and end in `order`, first part and the one after the last. A set has as many nodes as parts,
        or more.
    depth : int
        Sets on the stack.
    done : int64 (k, 4)
        Written, if `few` is above 1: the sets of at most so many parts.
    few : int
    seed : uint64
    tries : int
        Trees looked at for each cut of few parts; the cheapest cut is made.
    visits : int
        Stop after about this many visits of nodes.

    Returns
    -------
    (int, int)
        Sets left on the stack: call again while there are any; and sets written to `done`.
    """
    order, mark, kept = work.order, work.mark, work.kept
    finished = 0
    while depth > 0 and visits > 0:
        depth -= 1
        begin, end, first, last = stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3]
        rows = last - first
        if rows <= few:
            done[finished, 0], done[finished, 1], done[finished, 2], done[finished, 3] = begin, end, first, last
            finished += 1
            if rows == 1:
                for i in range(begin, end):
                    labels[order[i]] = first
            continue
        state = seed + (np.uint64(first) << S32) + np.uint64(last)
        before = depth
        if rows >= MANY:
            depth = scatter(csr, mass, core, work, share, stack, depth, begin, end, first, last, rows // CELL)
            visits -= end - begin
        if depth == before:
            root = order[end - 1]
            best_score, best_rows, low = np.inf, 0, begin
            for t in range(tries if rows <= SEVERAL else 1):
                state, bits = draw(state)
                if t % 2 == 1:
                    root = order[begin + np.int64((bits >> S32) * np.uint64(end - begin) >> S32)]
                grow_tree(csr, mass, core, work, begin, end, root, t % 3 == 2, bits)
                root = order[end - 1]
                top, count, score = best_edge(work, share, begin, end, first, last)
                if score < best_score or t == 0:
                    best_score, best_rows, low = score, count, begin + work.size[top]
                    keep_sides(work, begin, end, top)
                visits -= end - begin
            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = begin, low, first, first + best_rows
            depth += 1
            stack[depth, 0], stack[depth, 1], stack[depth, 2], stack[depth, 3] = low, end, first + best_rows, last
            depth += 1
        for i in range(begin, end):
            order[i] = kept[i]
            mark[kept[i]] = 2 * i
    return depth, finished
