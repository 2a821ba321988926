"""A whole annealing of a small piece in one call: rounds of one group, the best plan kept."""

from __future__ import annotations

from gridopt._kernels.graph import draw, group_parts
from gridopt._kernels.jit import helper, kernel
from gridopt._kernels.moves import plan_price
from gridopt._kernels.search import MARKS, Pace, anneal

__all__ = ["anneal_rounds"]


@helper
def copy_labels(source, target):
    """Copy labels, element by element: slices compile the machinery of their error messages, too."""
    for u in range(source.shape[0]):
        target[u] = source[u]


@kernel
def anneal_rounds(
    csr,
    limits,
    terms,
    fixed,
    board,
    groups,
    borders,
    scratch,
    quantiles,
    seed,
    stamp,
    steps,
    heats,
    strains,
    longest,
    span,
    swell,
    journal,
    best,
    out,
    log,
):
    """
    Run one round of `steps` proposals for each temperature, all parts in one group, and keep the best plan.

    Parameters
    ----------
    heats, strains : float64 (r,)
        Temperature of each round, and the price of a millionth of violation in it, in units of cost.
    longest, span : int
    swell : float
    journal : int32 (0, 2)
    best : int32 (n,)
        Written: the best plan of all rounds and of the start.
    log : int64 (r + 1, 4)
        Row ``r`` is written for each improvement: round (0: the start), steps so far, violation, cost.

    Returns
    -------
    (int, int)
        Rows of `log` written, and steps made. The other parameters are those of `anneal`.
    """
    violation, cost = plan_price(csr, limits, terms, board.labels, board.loads, board.moments)
    copy_labels(board.labels, best)
    log[0, 0], log[0, 1], log[0, 2], log[0, 3] = 0, 0, violation, cost
    rows, done = 1, 0
    group_parts(
        csr,
        board.labels,
        board.sizes,
        1,
        0,
        groups.members,
        groups.first,
        groups.order,
        groups.group_of,
        groups.group_first,
        groups.edge_first,
        groups.chunk,
    )
    state = seed
    for r in range(heats.shape[0]):
        state, bits = draw(state)
        anneal(
            csr,
            limits,
            terms,
            fixed,
            board,
            groups,
            borders,
            scratch,
            quantiles,
            0,
            bits,
            stamp,
            steps,
            Pace(heats[r], heats[r], longest, span, strains[r], swell),
            journal,
            out,
        )
        stamp += MARKS * (steps + 1)
        done += out[0, 2]
        new_violation, new_cost = plan_price(csr, limits, terms, board.labels, board.loads, board.moments)
        if new_violation < violation or (new_violation == violation and new_cost < cost):
            violation, cost = new_violation, new_cost
            copy_labels(board.labels, best)
            log[rows, 0], log[rows, 1], log[rows, 2], log[rows, 3] = r + 1, done, violation, cost
            rows += 1
    return rows, done
