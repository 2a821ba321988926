"""What a plan of a piece costs, as linear terms of the model and, apart from it, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gridopt.solvers.exact.cpsat import weighted_sum
from gridopt.solvers.exact.variables import Facts, Variables

__all__ = ["MILLION", "add_cost", "add_violation", "cost_of", "violation_of"]

MILLION = 1_000_000


def add_cost(model: Any, piece: Any, facts: Facts, variables: Variables) -> None:
    """
    Minimise the price of cut edges, of nodes in parts, of leaving home, and of imbalance.

    ``sum_e price[e] cut[e] + sum_uj (unit_cost[u, j] + away[u] (home[u] != j)) x[u][j] + weight sum_ja q[j, a]``
    with ``q[j, a] >= floor(10^6 |load[j, a] - target[j, a]| / target[j, a])``.
    """
    terms = [(literal, price) for literal, price in zip(variables.cut, facts.price) if price]
    for u, row in enumerate(variables.x):
        home = int(piece.home[u])
        for j, literal in enumerate(row):
            price = int(piece.unit_cost[u][j]) if len(piece.unit_cost) else 0
            price += int(piece.away_cost[u]) if home >= 0 and home != j else 0
            if price:
                terms.append((literal, price))
    if int(piece.imbalance_weight):
        for j in range(facts.k):
            for a in range(facts.width):
                goal = facts.target[j][a]
                share = _share(model, facts, variables, j, a, [(1, -goal), (-1, goal)])
                terms.append((share, int(piece.imbalance_weight)))
    _minimise(model, terms)


def add_violation(model: Any, facts: Facts, variables: Variables) -> Any:
    """
    Minimise the excess over the limits in millionths of the targets, and a million for each broken pair; return it.

    ``sum_ja floor(10^6 max(0, lo - load, load - hi) / target) + 10^6 sum_(u,v) broken[u, v]`` with
    ``broken[u, v] >= x[u][j] + x[v][j] - 1`` for each part j.
    """
    terms = []
    for j in range(facts.k):
        for a in range(facts.width):
            sides = [(1, -facts.hi[j][a]), (-1, facts.lo[j][a])]
            terms.append((_share(model, facts, variables, j, a, sides), 1))
    for u, v in facts.apart:
        broken = model.new_bool_var("")
        for a, b in zip(variables.x[u], variables.x[v]):
            model.add_bool_or(broken, ~a, ~b)
        terms.append((broken, MILLION))
    return _minimise(model, terms)


def _share(model: Any, facts: Facts, variables: Variables, j: int, a: int, sides: Sequence[tuple[int, int]]) -> Any:
    """Return q with ``target q + target - 1 >= 10^6 excess`` and ``excess >= sign load + constant`` for each side."""
    goal, total = facts.target[j][a], sum(w[a] for w in facts.work)
    load = weighted_sum([row[j] for row in variables.x], [w[a] for w in facts.work])
    most = max(0, *(max(constant, sign * total + constant) for sign, constant in sides))
    excess = model.new_int_var(0, most, "")
    for sign, constant in sides:
        model.add(excess >= sign * load + constant)
    share = model.new_int_var(0, most * MILLION // goal, "")
    model.add(goal * share + (goal - 1) >= MILLION * excess)
    return share


def _minimise(model: Any, terms: Sequence[tuple[Any, int]]) -> Any:
    total = weighted_sum([v for v, _ in terms], [c for _, c in terms])
    model.minimize(total)
    return total


def cost_of(piece: Any, facts: Facts, labels: Sequence[int]) -> int:
    """Cost of labels, counted anew."""
    cost = sum(price for price, (u, v) in zip(facts.price, facts.edges) if labels[u] != labels[v])
    for u, j in enumerate(labels):
        cost += int(piece.unit_cost[u][j]) if len(piece.unit_cost) else 0
        cost += int(piece.away_cost[u]) if int(piece.home[u]) not in (-1, j) else 0
    if int(piece.imbalance_weight):
        for load, goals in zip(_loads(facts, labels), facts.target):
            cost += int(piece.imbalance_weight) * sum(abs(w - t) * MILLION // t for w, t in zip(load, goals))
    return cost


def violation_of(facts: Facts, labels: Sequence[int]) -> int:
    """Violation of labels in millionths, counted anew; contiguity is not part of it."""
    total = MILLION * sum(labels[u] == labels[v] for u, v in facts.apart)
    for load, low, high, goals in zip(_loads(facts, labels), facts.lo, facts.hi, facts.target):
        total += sum(max(0, b - w, w - t) * MILLION // g for w, b, t, g in zip(load, low, high, goals))
    return total


def _loads(facts: Facts, labels: Sequence[int]) -> list[list[int]]:
    loads = [[0] * facts.width for _ in range(facts.k)]
    for work, j in zip(facts.work, labels):
        for a, w in enumerate(work):
            loads[j][a] += w
    return loads
