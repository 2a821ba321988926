"""Constraints of the labelling model, one function each, its formula in the docstring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from gridopt.solvers.exact.contiguity import Separator
from gridopt.solvers.exact.cpsat import weighted_sum
from gridopt.solvers.exact.cuts import TreeCut
from gridopt.solvers.exact.variables import Facts, Variables, first_nodes

__all__ = [
    "add_apart",
    "add_fixed",
    "add_limits",
    "add_neighbours",
    "add_order",
    "add_separators",
    "add_tree_cuts",
    "alike_parts",
]


def add_limits(model: Any, facts: Facts, variables: Variables) -> None:
    """``lo[j, a] <= sum_u w[u, a] x[u][j] <= hi[j, a]``."""
    for j in range(facts.k):
        column = [row[j] for row in variables.x]
        for a in range(facts.width):
            load = weighted_sum(column, [w[a] for w in facts.work])
            model.add_linear_constraint(load, facts.lo[j][a], facts.hi[j][a])


def add_fixed(model: Any, facts: Facts, variables: Variables) -> None:
    """``x[u][fixed[u]] = 1``."""
    for u, j in enumerate(facts.fixed):
        if j >= 0:
            model.add_bool_or(variables.x[u][j])


def add_apart(model: Any, facts: Facts, variables: Variables) -> None:
    """``x[u][j] + x[v][j] <= 1`` for each pair apart and part j."""
    for u, v in facts.apart:
        for a, b in zip(variables.x[u], variables.x[v]):
            model.add_bool_or(~a, ~b)


def add_neighbours(model: Any, facts: Facts, variables: Variables) -> None:
    """``x[u][j] <= sum_{v near u} x[v][j]`` where u alone is lighter than part j may be."""
    for u, near in enumerate(facts.near):
        for j in range(facts.k):
            if any(w < low for w, low in zip(facts.work[u], facts.lo[j])):
                model.add_bool_or(~variables.x[u][j], *(variables.x[v][j] for v in near))


def add_order(model: Any, facts: Facts, variables: Variables, alike: Sequence[Sequence[int]], tight: bool) -> None:
    """
    Every part holds one of the first nodes; parts that are alike come in the order of their first nodes.

    With the first nodes f_0, f_1, …: ``sum_i x[f_i][j] >= 1``, and for each part j and the next j' like it
    ``seen[i][j] = max_{h <= i} x[f_h][j]``, ``x[f_i][j'] <= seen[i - 1][j]``, ``x[f_0][j'] = 0``. `tight` says that
    lower limits hold, which makes the first nodes few; otherwise all nodes are.
    """
    first = first_nodes(facts).tolist() if tight else list(range(facts.n))
    for j in range(facts.k):
        model.add_bool_or(*(variables.x[u][j] for u in first))
    for group in alike:
        for j, following in pairwise(group):
            seen = None
            for u in first:
                here, there = variables.x[u][j], variables.x[u][following]
                if seen is None:
                    model.add_bool_or(~there)
                    seen = here
                    continue
                model.add_implication(there, seen)
                now = model.new_bool_var("")
                model.add_implication(seen, now)
                model.add_implication(here, now)
                model.add_bool_or(~now, seen, here)
                seen = now


def alike_parts(piece: Any, facts: Facts) -> list[list[int]]:
    """Groups of parts that nothing tells apart: equal limits and targets, named by no lock, home or unit cost."""
    if len(piece.unit_cost):
        return []
    named = {j for j in facts.fixed if j >= 0} | {int(j) for j in piece.home if j >= 0}
    groups: dict[Any, list[int]] = {}
    for j in range(facts.k):
        if j not in named:
            key = (tuple(facts.lo[j]), tuple(facts.hi[j]), tuple(facts.target[j]))
            groups.setdefault(key, []).append(j)
    return [group for group in groups.values() if len(group) > 1]


def add_separators(model: Any, variables: Variables, separators: Iterable[Separator]) -> None:
    """``x[a][j] + x[b][j] <= 1 + sum_{c in S} x[c][j]`` for each part j, where S separates a from b."""
    for a, b, between in separators:
        for j in range(len(variables.x[a])):
            model.add_bool_or(~variables.x[a][j], ~variables.x[b][j], *(variables.x[c][j] for c in between))


def add_tree_cuts(model: Any, variables: Variables, cuts: Iterable[TreeCut]) -> None:
    """``sum_e coefficient[e] cut[e] >= least``: see `gridopt.solvers.exact.cuts`."""
    for cut in cuts:
        model.add(weighted_sum([variables.cut[e] for e in cut.edges], cut.coefficients) >= cut.least)
