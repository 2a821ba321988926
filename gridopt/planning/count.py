"""What counts as moved: workload, units, or a mix, as whole numbers for each unit; and caps on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_fraction, nearest_names
from gridopt.errors import InputError
from gridopt.model import Problem

__all__ = ["Cap", "Count", "read_caps", "read_count"]

LARGEST = 2**46
"""Largest sum of what counts: prices are multiples of it."""
UNITS, WORKLOAD = "units", "workload"


@dataclass(frozen=True, eq=False)
class Count:
    """
    What counts as moved.

    Parameters
    ----------
    weight : ndarray of int64, shape (n,)
        Of each unit.
    scale : Fraction
        What one unit of weight is, in the user's units.
    name : str
        What it is called.
    """

    weight: NDArray[np.int64]
    scale: Fraction
    name: str

    def total(self) -> int:
        """Sum over all units."""
        return int(self.weight.sum())

    def shown(self, amount: int) -> float | int:
        """Amount in the user's units, int where it is whole."""
        value = amount * self.scale
        return int(value) if value.denominator == 1 else float(value)


@dataclass(frozen=True, eq=False)
class Cap:
    """No more than `most` of `weight` may move; one of it is `scale` in the user's units."""

    weight: NDArray[np.int64]
    most: int
    name: str
    scale: Fraction = Fraction(1)


def read_count(problem: Problem, count: Any, what: str = "count") -> Count:
    """
    Read what counts: the name of an attribute, ``"units"``, ``"workload"`` (the first attribute), or weights of these.

    Raises
    ------
    InputError
        If a name is unknown, a weight is negative, or nothing counts.

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[1.5, 2], n_grids=2)
    >>> mix = read_count(problem, {"workload": 1, "units": 0.1})
    >>> [mix.shown(w) for w in mix.weight.tolist()]
    [1.6, 2.1]
    """
    if isinstance(count, str):
        weight, scale = _amounts(problem, count, what)
        is_first = count == WORKLOAD and WORKLOAD not in problem.attributes
        return _checked(Count(weight, scale, problem.attributes[0] if is_first else count), what)
    if not isinstance(count, Mapping) or not count:
        raise InputError(f"{what} is {count!r}; give a name such as 'workload', or weights such as {{'units': 1}}.")
    terms = []
    for name, factor in count.items():
        share = as_fraction(factor, f"{what}[{name!r}]")
        if share < 0:
            raise InputError(f"{what}[{name!r}] is {factor}; give a weight of at least 0.")
        weight, scale = _amounts(problem, name, what)
        terms.append((weight, share * scale))
    common = Fraction(1, lcm(*(size.denominator for _, size in terms)))
    total = np.zeros(problem.n_units, dtype=object)
    for weight, size in terms:
        total = total + weight.astype(object) * int(size / common)
    if sum(total.tolist()) > LARGEST:
        raise InputError(f"{what} mixes amounts that do not fit together in 64 bits. Round the weights.")
    name = " + ".join(f"{factor} {name}" for name, factor in count.items())
    return _checked(Count(total.astype(np.int64), common, name), what)


def _amounts(problem: Problem, name: Any, what: str) -> tuple[NDArray[np.int64], Fraction]:
    if name in problem.attributes:
        a = problem.attributes.index(name)
        return problem.workload[:, a], problem.resolution[a]
    if name == WORKLOAD:
        return problem.workload[:, 0], problem.resolution[0]
    if name == UNITS:
        return np.ones(problem.n_units, dtype=np.int64), Fraction(1)
    choices = dict.fromkeys([*problem.attributes, WORKLOAD, UNITS])
    raise InputError(f"{what} names {name!r}. {nearest_names(str(name), choices)}")


def _checked(count: Count, what: str) -> Count:
    if not count.total():
        raise InputError(f"{what} is {count.name!r}, of which no unit has any. Count something else, such as 'units'.")
    return count


def read_caps(problem: Problem, max_moved: Any) -> tuple[Cap, ...]:
    """
    Read ``{"workload": 0.03}`` (a share, where a float of at most 1) or ``{"units": 40}`` (an amount) as caps.

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(2, [(0, 1)]), workload=[50, 50], n_grids=2)
    >>> [cap.most for cap in read_caps(problem, {"workload": 0.03, "units": 1})]
    [3, 1]
    """
    if max_moved is None:
        return ()
    if not isinstance(max_moved, Mapping):
        raise InputError(f"max_moved is {max_moved!r}; give what is capped, such as {{'workload': 0.03}}.")
    caps = []
    for name, limit in max_moved.items():
        weight, scale = _amounts(problem, name, "max_moved")
        value = as_fraction(limit, f"max_moved[{name!r}]")
        if value < 0 or isinstance(limit, bool):
            raise InputError(f"max_moved[{name!r}] is {limit!r}; give a share such as 0.03, or a whole amount.")
        is_share = not isinstance(limit, int | np.integer) and value <= 1
        most = value * int(weight.sum()) if is_share else value / scale
        caps.append(Cap(weight, int(most), str(name), scale))
    return tuple(caps)
