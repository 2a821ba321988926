"""Relays: carry load from grids with too much to grids with room, from neighbour to neighbour, the shortest way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gridopt.solvers.budget import Clock
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.focus import broken_parts
from gridopt.solvers.table import Table

__all__ = ["Relays"]

SLICE = 16
"""Parts looked at between two looks at the clock."""


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
        Moves to look at in all, for each node, where the budget is not in steps.
    """

    most: int = 200_000
    per_node: int = 50

    def __call__(self, table: Table, clock: Clock, best: Best) -> bool:
        """Mend the plan on `table` as far as relays go and the clock allows; return whether any was made."""
        from gridopt._kernels.relay import list_members, relay

        n, k = len(table.board.labels), len(table.limits.lo)
        links, parts, broken = np.empty((2, n), np.int32), np.empty((6, k), np.int64), broken_parts(table)
        if not len(broken) or k < 2:
            return False
        list_members(table.board.labels, links, parts)
        relays, left = 0, self.per_node * n
        if (steps := clock.steps_left()) is not None:
            left = min(left, steps)
        at, made = 0, 0
        while left > 0 and clock.seconds_left() > 0:
            now = broken[at : at + SLICE]
            found, table.stamp, looked = relay(
                table.csr, table.limits, table.terms, table.fixed, table.board, table.scratch, now, links, parts,
                table.stamp, self.most, left,
            )  # fmt: skip
            left -= max(1, int(looked))
            clock.tick(int(looked))
            relays, made, at = relays + found, made + found, at + SLICE
            if at >= len(broken):
                if not made:
                    break
                broken, at, made = broken_parts(table), 0, 0
        if relays:
            best.offer(table.board.labels, *table.price(), clock)
        return bool(relays)
