"""Relays: carry load from grids with too much to grids with room, from neighbour to neighbour, the shortest way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridopt.solvers.budget import Clock
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.focus import broken_parts
from gridopt.solvers.table import Table

__all__ = ["Relays"]

LOOKS_AT_ONCE = 100_000
"""Moves looked at between two looks at the clock: some milliseconds."""


@dataclass(frozen=True)
class Relays:
    """
    Mend limits by handing nodes on from part to part, each part on the way gaining one and losing another.

    A breadth-first search over parts finds the shortest relay from a part that breaks a limit to one that can take the
    load, or spare it; no part on the way breaks its limits by more than before. What it costs is looked at second.

    Parameters
    ----------
    most : int
        Moves to look at for one relay.
    per_node : int
        Moves to look at in all, for each node, if the budget has as many steps left.
    """

    most: int = 100_000
    per_node: int = 50

    def __call__(self, table: Table, clock: Clock, best: Best, watch: Callable[[], bool] | None = None) -> bool:
        """
        Mend the plan on `table` as far as relays go, and the clock or `watch` allow; return whether any was made.

        The first few milliseconds are taken even where the time is over: a sound plan is worth them.
        """
        from gridopt._kernels.relay import list_members, relay

        n, k = len(table.board.labels), len(table.limits.lo)
        links, parts, broken = np.empty((2, n), np.int32), np.empty((6, k), np.int64), broken_parts(table)
        if not len(broken) or k < 2:
            return False
        list_members(table.board.labels, links, parts)
        relays, left = 0, self.per_node * n
        if (steps := clock.steps_left()) is not None:
            left = min(left, steps)
        all_looks, at, made = left, 0, 0
        while left > 0 and (left == all_looks or clock.seconds_left() > 0) and not (watch is not None and watch()):
            found, table.stamp, looked, done = relay(
                table.csr, table.limits, table.terms, table.fixed, table.board, table.scratch, broken[at:], links,
                parts, table.stamp, self.most, LOOKS_AT_ONCE, left,
            )  # fmt: skip
            left -= max(1, int(looked))
            clock.tick(int(looked))
            relays, made, at = relays + found, made + found, at + done
            if at >= len(broken):
                if not made:
                    break
                broken, at, made = broken_parts(table), 0, 0
        if relays:
            best.offer(table.board.labels, *table.price(), clock)
        return bool(relays)
