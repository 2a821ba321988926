"""The plan that changes least, with proof: least violation, then least weight away from home, then least cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InternalError
from gridopt.solvers.exact import constraints as add
from gridopt.solvers.exact.cpsat import weighted_sum
from gridopt.solvers.exact.model import Proof, _refusal, _Rounds
from gridopt.solvers.exact.objective import add_cost, add_violation, cost_of, violation_of
from gridopt.solvers.exact.variables import Facts, read_facts

__all__ = ["Caps", "least_changed"]

Caps = Sequence[tuple[NDArray[np.int64], int]]
"""Weights of the nodes, and how much of them may be away from home at most."""
LARGEST = 2**53
"""CP-SAT's bound comes as a double."""


@dataclass(frozen=True, eq=False)
class _Goal:
    """What one solve minimises, and what it keeps from those before."""

    piece: Any
    facts: Facts
    weight: list[int]
    caps: Caps
    most_violation: int | None = None
    most_away: int | None = None

    def away(self, labels: Sequence[int], weight: Sequence[int] | None = None) -> int:
        """Weight of the nodes that are not at home."""
        home = self.piece.home.tolist()
        return sum(w for w, h, j in zip(weight or self.weight, home, labels) if h not in (-1, j))

    def keeps(self, labels: Sequence[int]) -> bool:
        """Whether labels are within the caps and no worse than what is kept."""
        if any(self.away(labels, w.tolist()) > most for w, most in self.caps):
            return False
        if self.most_violation is not None and violation_of(self.facts, labels) > self.most_violation:
            return False
        return self.most_away is None or self.away(labels) <= self.most_away

    def measure(self, labels: Sequence[int]) -> int:
        """What is minimised."""
        if self.most_violation is None:
            return violation_of(self.facts, labels)
        if self.most_away is None:
            return self.away(labels)
        return cost_of(self.piece, self.facts, labels)


class _Changes(_Rounds):
    """Rounds of solve and separate towards one goal."""

    def __init__(
        self, goal: _Goal, seconds: float, effort: float | None, seed: int, stop: Callable[[], bool] | None
    ) -> None:
        super().__init__(goal.facts, seconds, effort, 1, seed, strict=False, stop=stop)
        self.goal, self.measure = goal, goal.measure
        self.bound = 0
        facts, variables = goal.facts, self.variables
        add.add_order(self.model, facts, variables, [], tight=False)
        for weight, most in goal.caps:
            self.model.add(self._away(weight.tolist()) <= most)
        violation = add_violation(self.model, facts, variables) if goal.most_violation != 0 else None
        if violation is None:
            add.add_limits(self.model, facts, variables)
            add.add_apart(self.model, facts, variables)
            add.add_neighbours(self.model, facts, variables)
        elif goal.most_violation is None:
            return
        else:
            self.model.add(violation <= goal.most_violation)
        if goal.most_away is None:
            self.model.minimize(self._away(goal.weight))
            return
        self.model.add(self._away(goal.weight) <= goal.most_away)
        add_cost(self.model, goal.piece, facts, variables)

    def _is_plan(self, labels: tuple[int, ...]) -> bool:
        return super()._is_plan(labels) and self.goal.keeps(labels)

    def _away(self, weight: Sequence[int]) -> Any:
        """``sum_u weight[u] (1 - x[u][home[u]])``."""
        terms = [(u, h) for u, h in enumerate(self.goal.piece.home.tolist()) if h >= 0 and weight[u]]
        literals = [~self.variables.x[u][h] for u, h in terms]
        return weighted_sum(literals, [weight[u] for u, _ in terms])


def least_changed(
    piece: Any,
    home: NDArray[np.int32],
    weight: NDArray[np.int64],
    start: NDArray[np.int32],
    *,
    caps: Caps = (),
    spare: int = 0,
    seconds: float = 10.0,
    deterministic_seconds: float | None = None,
    seed: int = 0,
    stop: Callable[[], bool] | None = None,
) -> tuple[NDArray[np.int32], bool, int | None]:
    """
    Find the plan of a piece that breaks its limits least, then moves least, then costs least.

    Parameters
    ----------
    piece : Piece
        Its own prices of leaving home do not count.
    home : ndarray of int32, shape (n,)
        Part each node comes from, -1 where it is all the same.
    weight : ndarray of int64, shape (n,)
        What counts when a node is not at home.
    start : ndarray of int32, shape (n,)
        Contiguous labels within the caps to begin with.
    caps : sequence of (ndarray of int64, int)
        No more than so much of these weights may be away from home.
    spare : int
        Weight by which plans may differ and still count as equal in what moves.
    seconds, deterministic_seconds, seed, stop
        As for `prove_piece`.

    Returns
    -------
    (labels, bool, int or None)
        The best plan found; whether all is proved (violation, weight away, and cost but for inertia); and a lower bound
        on the weight away of plans of that violation, None where the violation is not proved least.
    """
    piece = replace(piece, home=home, away_cost=np.zeros(len(home), dtype=np.int64))
    facts = read_facts(piece)
    refused = _refusal(piece, facts, for_cost=False)
    if refused is not None or int(weight.sum()) >= LARGEST:
        return start, False, None
    goal, best = _Goal(piece, facts, weight.tolist(), caps), tuple(int(j) for j in start)
    left = {"seconds": seconds, "effort": deterministic_seconds}

    def run(goal: _Goal) -> Proof:
        rounds = _Changes(goal, max(0.01, left["seconds"] or 0.0), left["effort"], seed, stop)
        began = rounds.ends
        proof = rounds.run(best)
        if left["effort"] is not None:
            left["effort"] = max(1e-3, float(rounds.effort or 0.0))
        else:
            left["seconds"] = max(0.01, began - time.monotonic())
        if proof.labels is None:
            raise InternalError(f"the exact model lost the plan it began with: {proof.reason}")
        return proof

    violation = violation_of(facts, best)
    if violation:
        proof = run(goal)
        best, violation = tuple(proof.labels.tolist()), int(proof.cost or 0)  # type: ignore[union-attr]
        if proof.status != "optimal":
            return np.array(best, dtype=np.int32), False, None
    proof = run(replace(goal, most_violation=violation))
    best, bound = tuple(proof.labels.tolist()), proof.bound  # type: ignore[union-attr]
    if proof.status == "optimal":
        most = int(proof.cost or 0) + spare
        if _refusal(piece, facts) is None:
            proof = run(replace(goal, most_violation=violation, most_away=most))
            best = tuple(proof.labels.tolist())  # type: ignore[union-attr]
    return np.array(best, dtype=np.int32), proof.status == "optimal", bound
