"""Repair: broken limits are mended by the cheapest pairs of moves, cheap ones first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gridopt.solvers.budget import Clock
from gridopt.solvers.refine.annealing import Best
from gridopt.solvers.refine.focus import broken_parts
from gridopt.solvers.table import Table

__all__ = ["Repair"]


@dataclass(frozen=True)
class Repair:
    """
    Steepest descent on violation: for each part outside its limits, all moves and pairs of moves around it are looked
    at and the best is made, at a price of violation that rises from sweep to sweep.

    Parameters
    ----------
    prices : tuple of float
        Price of one per cent of violation in each sweep, in typical changes (`Table.scale`). The last is used as long
        as it helps.
    parts_per_call : int
        Parts mended between two looks at the clock.
    """

    prices: tuple[float, ...] = (1.0, 4.0, 16.0, 1e6)
    parts_per_call: int = 8

    def __call__(self, table: Table, clock: Clock, best: Best, watch: Callable[[], bool] | None = None) -> None:
        """Mend the plan on `table` until nothing is broken, nothing helps or the clock expires."""
        from gridopt._kernels.mend import mend_parts

        n, k = len(table.fixed), len(table.limits.lo)
        if k < 2 or not len(table.csr.indices):
            return
        scale = table.scale()
        room, anchor = np.empty(n, dtype=np.int32), np.empty(k, dtype=np.int64)
        anchor[table.board.labels] = np.arange(n)
        level = 0
        while level < len(self.prices):
            bad, changed = broken_parts(table), 0
            for i in range(0, max(1, len(bad)), self.parts_per_call):
                made, looked, table.stamp = mend_parts(
                    table.csr, table.limits, table.terms, table.fixed, table.board, table.scratch, room, anchor,
                    bad[i : i + self.parts_per_call], self.prices[level] * scale / 10_000, table.stamp,
                )  # fmt: skip
                clock.tick(max(1, int(looked)))
                changed += int(made)
                if clock.expired() or (watch is not None and watch()):
                    level = len(self.prices)
                    break
            if level < len(self.prices) - 1 or not changed:
                level += 1
            if not len(bad):
                break
        best.offer(table.board.labels, *table.price(), clock)
