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
"""Weights of the nodes, or of each node in each part, and how much of them may be away from home at most."""
Prices = list[list[int]]
LARGEST = 2**53
"""CP-SAT's bound comes as a double."""


@dataclass(frozen=True, eq=False)
class _Goal:
    """What one solve minimises, and what it keeps from those before."""

    piece: Any
    facts: Facts
    prices: Prices
    caps: Sequence[tuple[Prices, int]]
    most_violation: int | None = None
    most_away: int | None = None

    def away(self, labels: Sequence[int], prices: Prices | None = None) -> int:
        """Weight of the nodes that are not at home."""
        return sum(row[j] for row, j in zip(prices or self.prices, labels))

    def keeps(self, labels: Sequence[int]) -> bool:
        """Whether labels are within the caps and no worse than what is kept."""
        if any(self.away(labels, prices) > most for prices, most in self.caps):
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
        for prices, most in goal.caps:
            self.model.add(self._away(prices) <= most)
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
            self.model.minimize(self._away(goal.prices))
            return
        self.model.add(self._away(goal.prices) <= goal.most_away)
        add_cost(self.model, goal.piece, facts, variables)

    def _is_plan(self, labels: tuple[int, ...]) -> bool:
        return super()._is_plan(labels) and self.goal.keeps(labels)

    def _away(self, prices: Prices) -> Any:
        """``sum_uj prices[u][j] x[u][j]``; ``weight[u] (1 - x[u][home[u]])`` where all others are alike."""
        literals, factors = [], []
        for x, row in zip(self.variables.x, prices):
            if len(row) - row.count(max(row)) == 1:
                literals.append(~x[row.index(0)])
                factors.append(max(row))
                continue
            literals += [x[j] for j, price in enumerate(row) if price]
            factors += [price for price in row if price]
        return weighted_sum(literals, factors)


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
    weight : ndarray of int64, shape (n,) or (n, k)
        What counts when a node is not at home; or when it is in each part, whatever its home.
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
    if refused is not None or int(weight.max(axis=-1).sum() if weight.ndim > 1 else weight.sum()) >= LARGEST:
        return start, False, None
    prices, always = _prices(weight, home, piece.n_parts)
    limits = [(_prices(w, home, piece.n_parts), most) for w, most in caps]
    goal = _Goal(piece, facts, prices, [(own, most - least) for (own, least), most in limits])
    best = tuple(int(j) for j in start)
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
    return np.array(best, dtype=np.int32), proof.status == "optimal", None if bound is None else bound + always


def _prices(weight: NDArray[np.int64], home: NDArray[np.int32], k: int) -> tuple[Prices, int]:
    """What each node counts in each part, more than it does anyway; and what all of them do anyway."""
    if weight.ndim == 1:
        away = (home[:, None] >= 0) & (home[:, None] != np.arange(k))
        weight = np.where(away, weight[:, None], 0)
    least = weight.min(axis=1)
    return (weight - least[:, None]).tolist(), int(least.sum())
