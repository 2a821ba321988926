"""A whole annealing of a small piece in one call: rounds of one group, the best plan kept."""

from __future__ import annotations

from gridopt._kernels.graph import draw, group_parts
from gridopt._kernels.jit import helper, kernel
from gridopt._kernels.moves import MILLION, plan_price
from gridopt._kernels.search import anneal

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
    scratch,
    quantiles,
    seed,
    stamp,
    steps,
    heats,
    strains,
    rate,
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
    rate : float64 (k, a)
        Scratch.
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
        groups.chunk,
    )
    state = seed
    for r in range(heats.shape[0]):
        for p in range(rate.shape[0]):
            for c in range(rate.shape[1]):
                rate[p, c] = strains[r] * MILLION / limits.target[p, c]
        state, bits = draw(state)
        anneal(
            csr,
            limits,
            terms,
            fixed,
            board,
            groups,
            scratch,
            quantiles,
            0,
            bits,
            stamp,
            steps,
            heats[r],
            heats[r],
            rate,
            strains[r] * MILLION,
            out,
        )
        stamp += 2 * steps
        done += out[0, 2]
        new_violation, new_cost = plan_price(csr, limits, terms, board.labels, board.loads, board.moments)
        if new_violation < violation or (new_violation == violation and new_cost < cost):
            violation, cost = new_violation, new_cost
            copy_labels(board.labels, best)
            log[rows, 0], log[rows, 1], log[rows, 2], log[rows, 3] = r + 1, done, violation, cost
            rows += 1
    return rows, done
