"""Result: what was found, proved and spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from gridopt.errors import Finding, NoPlanError
from gridopt.model.plan import Plan

__all__ = ["Result", "Status", "Step", "Trace"]


class Status(StrEnum):
    """
    Outcome of a search.

    Examples
    --------
    >>> Status.FEASIBLE == "FEASIBLE"
    True

    """

    OPTIMAL = "OPTIMAL"
    """Sound, and proved to cost least."""
    FEASIBLE = "FEASIBLE"
    """Sound."""
    VIOLATED = "VIOLATED"
    """The best plan found breaks a hard limit; the exceptions say where."""
    INFEASIBLE = "INFEASIBLE"
    """Proved: no sound plan exists; the exceptions name the conflict."""
    NO_PLAN = "NO_PLAN"
    """The budget ended before any plan was found."""


class Step(NamedTuple):
    """
    One improvement of the best plan: when it came, what it cost, by how much it missed limits, what is proved.

    ``violation`` is in millionths of the targets, and a million for each pair that should be apart and is not.

    Examples
    --------
    >>> Step(step=1000, seconds=0.1, cost=42, violation=0, bound=None).cost
    42
    """

    step: int
    seconds: float
    cost: int | None
    violation: int
    bound: int | None


Trace = tuple[Step, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """
    The outcome of `solve`.

    Parameters
    ----------
    status : Status
        What kind of outcome.
    reason : str
        One sentence for people.
    plan : Plan or None
        The best plan, None for ``NO_PLAN``. Its grids are the rows of ``plan.problem``, which may be in another order
        than those of the problem given. For ``INFEASIBLE`` only where several regions are searched and some of them
        have a sound plan.
    cost : int or None
        Objective of the plan.
    bound : int or None
        Proved lower bound on the cost of any sound plan, also where the plan found is not sound; None where nothing was
        looked for. Where limits are wishes: of any plan that misses them no more in any region.
    imbalance : float or None
        Largest ``abs(load / target - 1)`` over attributes and grids of the plan that are not exempt.
    imbalance_bound : float or None
        No plan that keeps the locks, within its limits or not, has a smaller imbalance; where `plan` breaks a pair that
        should be apart, none that keeps the other locks has. None where nothing was looked for.
    trace : tuple of Step
        How the best plan improved.
    exceptions : tuple of Finding
        Grids exempt from or outside their limits, conflicts, and notes about the data (``severity`` "info"), each with
        its reason.
    seed : int
        Seed of the search.
    parameters, versions, timings : mapping
        What was asked, with what, how long it took (seconds).

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[1, 1], n_grids=2)
    >>> result = go.solve(problem, steps=100)
    >>> result.cost, result.require_plan().labels.tolist()
    (1, [0, 1])

    """

    status: Status
    reason: str
    plan: Plan | None = None
    cost: int | None = None
    bound: int | None = None
    imbalance: float | None = None
    imbalance_bound: float | None = None
    trace: Trace = ()
    exceptions: tuple[Finding, ...] = ()
    seed: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def gap(self) -> float | None:
        """``(cost - bound) / cost``; None where cost or bound is unknown, or the plan is not sound."""
        if self.cost is None or self.bound is None or self.status not in (Status.OPTIMAL, Status.FEASIBLE):
            return None
        return (self.cost - self.bound) / self.cost if self.cost else 0.0

    def require_plan(self) -> Plan:
        """
        Return the plan.

        Raises
        ------
        NoPlanError
            If there is none.

        """
        if self.plan is None:
            raise NoPlanError(f"{self.status}: {self.reason}", self.exceptions)
        return self.plan

    def __repr__(self) -> str:
        return f"Result({self.status}, cost={self.cost}, bound={self.bound}: {self.reason})"
