"""Rebalanced: the plan that follows on a plan in force, what moved, and what had to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import frozen
from gridopt.errors import Finding
from gridopt.model import Plan, Result, Status, Trace
from gridopt.planning.moves import Move

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Rebalanced"]


@dataclass(frozen=True, eq=False)
class Rebalanced:
    """
    The outcome of `rebalance`. What `solve` would say of the plan is in `result`; its ``OPTIMAL`` says here that no
    plan within the limits moves less.

    Parameters
    ----------
    result : Result
        Plan, status, cost, trace, exceptions; it can be saved and drawn like that of `solve`.
    moved : ndarray of bool, shape (n,)
        Whether each unit changed its grid. Units that were in none have not moved.
    moved_amount, bound : int or float
        What moved, as it was counted (see `count`), in the user's units; and what at least has to, whatever the plan
        within the limits. `bound` is None where limits are broken.
    share : float
        `moved_amount` by the total.
    moved_workload : mapping of str to int or float
        What moved of each attribute, in the user's units.
    count : str
        What was counted.
    moves : tuple of Move
        One move after the other, in an order in which they can be made; see `in_steps`.
    in_steps : bool
        Whether every grid that was connected stays so after each single move.
    opened, closed : tuple of str
        Ids of grids that are new, and that went.

    Examples
    --------
    Made by `rebalance`, see there.

    >>> Rebalanced.moved_units.__doc__
    'Number of units that moved.'
    """

    result: Result
    moved: NDArray[np.bool_]
    moved_amount: int | float
    bound: int | float | None
    share: float
    moved_workload: Mapping[str, int | float]
    count: str
    moves: tuple[Move, ...]
    in_steps: bool
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "moved", frozen(self.moved, bool))

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        self.__post_init__()

    @property
    def plan(self) -> Plan:
        """The plan; its grids keep the ids they had in force."""
        return self.result.require_plan()

    @property
    def status(self) -> Status:
        """What the plan is worth."""
        return self.result.status

    @property
    def cost(self) -> int:
        """Objective of the plan."""
        return int(self.result.cost or 0)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What there is to say about the plan."""
        return self.result.exceptions

    @property
    def trace(self) -> Trace:
        """How the plan improved."""
        return self.result.trace

    @property
    def moved_units(self) -> int:
        """Number of units that moved."""
        return int(self.moved.sum())

    @property
    def moved_share(self) -> float:
        """Share that moved of all that was counted."""
        return self.share

    def to_table(self) -> pd.DataFrame:
        """Moves as a table, one row each, in order: unit, source, target, load of each attribute, reason."""
        import pandas as pd

        names = self.plan.problem.attributes
        rows = [
            {"unit": m.unit, "source": m.source, "target": m.target}
            | {f"load_{name}": load for name, load in zip(names, m.load)}
            | {"reason": m.reason}
            for m in self.moves
        ]
        columns = ["unit", "source", "target", *(f"load_{name}" for name in names), "reason"]
        return pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        return f"Rebalanced({self.status}, {self.moved_units} units moved, {100 * self.share:.2f} % of {self.count})"
