"""What the user wishes for -> checked numbers: grids, tolerance, band, objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import (
    MAX_COST,
    MAX_MASS,
    MAX_TOTAL,
    as_array,
    as_fraction,
    as_list,
    is_null,
    nearest_names,
    sum_of,
)
from gridopt.errors import InputError, name_ids
from gridopt.model import TERMS, Graph, Plan, Problem
from gridopt.rules.limits import MILLION
from gridopt.rules.locks import grid_number
from gridopt.rules.objective import inertia_xy
from gridopt.rules.regions import Demand
from gridopt.rules.tables import align, per_unit

__all__ = ["check_choices", "read_demand", "read_incumbent", "read_objective", "refuse_too_costly"]

DEFAULT_TOLERANCE = "0.05"
MAX_METRES = 10**9
"""Farthest a unit may lie from the origin where inertia is measured: squares of twice that fit int64."""


def check_choices(**choices: tuple[Any, tuple[Any, ...]]) -> None:
    """Refuse an option that is none of its choices."""
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise InputError(f"{name} is {value!r}. Choose one of {', '.join(repr(a) for a in allowed if a)}.")


def read_demand(
    graph: Graph,
    names: tuple[str, ...],
    sizes: tuple[Fraction, ...],
    parents: NDArray[Any],
    parent_of: NDArray[np.int64],
    n_grids: Any,
    tolerance: Any,
    band: Any,
    scope: str | None,
    heavy: str,
    n_per_parent: Any,
    targets: list[Any] | None,
) -> Demand:
    """Check grids, tolerance, band and bounds against the units and parents there are."""
    if band is not None and tolerance is not None:
        raise InputError("give a tolerance around equal shares, or an absolute band, not both.")
    if targets is not None and n_grids is None:
        n_grids = len(targets)
    if n_grids is None and band is None:
        raise InputError("how many grids? Give n_grids=, or a band= from which the fewest can be derived.")
    limits = None if band is None else tuple(_read_band(band, name, size) for name, size in zip(names, sizes))
    allowed = None
    if band is None:
        allowed = tuple(_read_tolerance(tolerance, name) for name in names)
    if n_per_parent is not None:
        low, high = (_whole(side, "n_per_parent") for side in _pair(n_per_parent, "n_per_parent", "(fewest, most)"))
        n_per_parent = (low, high)
        if not 1 <= low <= high:
            raise InputError(f"n_per_parent is ({low}, {high}); give (fewest, most) with 1 <= fewest <= most.")
        if not len(parents):
            raise InputError("n_per_parent needs parent=: the parent of each unit.")
    count = _read_count(n_grids, graph, parents, parent_of)
    return Demand(count, allowed, limits, scope or ("global" if band is not None else "parent"), heavy, n_per_parent)


def _read_count(
    n_grids: Any, graph: Graph, parents: NDArray[Any], parent_of: NDArray[np.int64]
) -> int | list[int] | None:
    n = graph.n_units
    if n_grids is None:
        return None
    if hasattr(n_grids, "to_dict"):
        n_grids = n_grids.to_dict()
    if isinstance(n_grids, Mapping):
        if not len(parents):
            raise InputError("n_grids by parent needs parent=: the parent of each unit.")
        known = {p.item() if hasattr(p, "item") else p for p in parents}
        odd, absent = [p for p in n_grids if p not in known], [p for p in known if p not in n_grids]
        if odd or absent:
            which = f"unknown parents {name_ids(odd)}" if odd else f"no entry for parents {name_ids(sorted(absent))}"
            raise InputError(f"n_grids has {which}. {nearest_names(str((odd or absent)[0]), parents)}")
        counts = [_whole(n_grids[p.item() if hasattr(p, "item") else p], "n_grids") for p in parents]
        units = np.bincount(parent_of, minlength=len(parents))
        for p, k, most in zip(parents, counts, units):
            if not 1 <= k <= most:
                raise InputError(
                    f"parent {name_ids([p])} has {most} units and is asked for {k} grids. Ask for 1 to {most}: "
                    "no grid is empty."
                )
        return counts
    k = _whole(n_grids, "n_grids")
    if not 1 <= k <= n:
        raise InputError(f"n_grids is {k}, for {n} units. Choose 1 to {n}: no grid is empty.")
    return k


def _whole(value: Any, what: str) -> int:
    number = as_fraction(value, what)
    if number.denominator != 1:
        raise InputError(f"{what} is {value}; give a whole number.")
    return int(number)


def _pair(value: Any, what: str, form: str) -> list[Any]:
    pair = as_list(value, what, form)
    if len(pair) != 2:
        raise InputError(f"{what} has {len(pair)} values; give {form}.")
    return pair


def _read_tolerance(tolerance: Any, name: str) -> Fraction:
    if isinstance(tolerance, Mapping):
        if name not in tolerance:
            raise InputError(f"tolerance has no entry for workload {name!r}. {nearest_names(name, tolerance)}")
        tolerance = tolerance[name]
    t = as_fraction(DEFAULT_TOLERANCE if tolerance is None else tolerance, "tolerance")
    if not 0 <= t < 1:
        raise InputError(f"tolerance is {tolerance}, outside [0, 1). 0.05 allows 5 % above and below the target.")
    return t


def _read_band(band: Any, name: str, size: Fraction) -> tuple[int, int]:
    if isinstance(band, Mapping):
        if name not in band:
            raise InputError(f"band has no entry for workload {name!r}. {nearest_names(name, band)}")
        band = band[name]
    band = _pair(band, "band", "(lo, hi), such as (300, 500)")
    lo, hi = (as_fraction(side, "band") for side in band)
    if lo < 0 or lo > hi or hi == 0:
        raise InputError(f"band is ({band[0]}, {band[1]}): give 0 <= lo <= hi with hi above 0, such as (300, 500).")
    low, high = -((-lo) // size), hi // size
    if low > high:
        raise InputError(f"band ({band[0]}, {band[1]}) holds no multiple of the resolution {float(size)}. Widen it.")
    if high > MAX_TOTAL:
        many = f"{float(high):.4g}" if high < 2**1000 else "over 1e300"
        raise InputError(
            f"band ({band[0]}, {band[1]}) reaches {many} work units of {float(size):g}, the limit is 2**43 = "
            f"{MAX_TOTAL}. Give a lower upper limit, or a coarser resolution=."
        )
    return int(low), int(high)


def read_objective(
    objective: Mapping[str, int] | None, edge_cost: Any, unit_cost: Any, graph: Graph, k: int
) -> tuple[dict[str, int], NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return term weights, and the checked cost arrays of the user."""
    if objective is not None and not isinstance(objective, Mapping):
        raise InputError(f"objective is {objective!r}; give the weight of each term, such as {{'cut': 1}}.")
    terms = dict(objective) if objective is not None else {"cut": 1}
    for name, weight in terms.items():
        if name not in TERMS:
            raise InputError(f"objective has no term {name!r}. {nearest_names(str(name), TERMS)}")
        if not isinstance(weight, int | np.integer) or isinstance(weight, bool) or weight < 0:
            raise InputError(f"objective[{name!r}] is {weight!r}; weights are whole numbers of at least 0.")
    arrays: dict[str, NDArray[np.int64]] = {}
    for name, value, shape in (
        ("edge_cost", edge_cost, (graph.n_edges,)),
        ("unit_cost", unit_cost, (graph.n_units, k)),
    ):
        if value is None:
            if terms.get(name):
                raise InputError(f"objective names {name!r}, but {name}= is not given.")
            continue
        array = as_array(value, name)
        if array.shape != shape or not np.issubdtype(array.dtype, np.integer) or (array < 0).any():
            raise InputError(f"{name} must be whole numbers of at least 0, of shape {shape}; it is {array.shape}.")
        if array.max(initial=0) > MAX_COST:
            raise _too_costly(int(array.max()), name)
        terms.setdefault(name, 1)
        arrays[name] = array.astype(np.int64)
    if terms.get("inertia") and graph.xy is None:
        raise InputError("objective 'inertia' needs coordinates: give the graph xy=.")
    return {name: int(weight) for name, weight in terms.items()}, arrays.get("edge_cost"), arrays.get("unit_cost")


def refuse_too_costly(problem: Problem) -> None:
    """
    Refuse an objective that could leave int64 in some plan, or on the way to its cost.

    Raises
    ------
    InputError
        If the terms, each at its worst, sum to more than `MAX_COST`, or inertia is asked for with a workload of
        `MAX_MASS` or more.

    """
    worst: dict[str, Callable[[Problem], int]] = {
        "cut": lambda p: sum_of(p.graph.cost),
        "edge_cost": lambda p: 0 if p.edge_cost is None else sum_of(p.edge_cost),
        "unit_cost": lambda p: 0 if p.unit_cost is None else sum_of(p.unit_cost.max(axis=1)),
        "moved": lambda p: 0 if p.incumbent is None else int(p.workload[:, 0].sum()),
        "imbalance": _worst_imbalance,
        "inertia": _worst_inertia,
    }
    cost = {name: weight * worst[name](problem) for name, weight in problem.objective.items() if weight}
    if sum(cost.values()) > MAX_COST:
        raise _too_costly(sum(cost.values()), max(cost, key=lambda name: cost[name]))


def _too_costly(total: int, name: str) -> InputError:
    cure = {
        "imbalance": "Lower its weight.",
        "moved": "Lower its weight, or give a coarser resolution=.",
        "inertia": "Lower its weight, give a coarser resolution=, or look for units far from all others.",
    }.get(name, "Divide costs and weights by a common factor.")
    return InputError(
        f"the objective could reach {total:.4g}, most of it by {name!r}; the limit is 2**60 = {MAX_COST:.4g}. {cure}"
    )


def _worst_imbalance(problem: Problem) -> int:
    rows = ~problem.nesting.exempt
    target = np.maximum(1, np.rint(problem.target[rows])).astype(np.int64).T.tolist()
    total = problem.workload.sum(axis=0).tolist()
    return sum((work + sum(fair)) * MILLION // min(fair) for work, fair in zip(total, target) if fair)


def _worst_inertia(problem: Problem) -> int:
    """Greatest ``sum w d^2``: every unit in one grid, whose centre is the middle of the territory."""
    mass = problem.workload[:, 0]
    if mass.sum() >= MAX_MASS:
        raise InputError(
            f"objective 'inertia' with a workload of {mass.sum()} work units; the limit is 2**31 = {MAX_MASS}. "
            "Give the workload in larger units, or a coarser resolution=."
        )
    reach = np.abs(np.asarray(problem.graph.xy)).max(axis=1)
    if reach.max() >= MAX_METRES:
        far = int(reach.argmax())
        raise InputError(
            f"objective 'inertia' with unit {name_ids(problem.graph.ids[[far]])} {reach[far]:.4g} m from the origin; "
            f"the limit is {MAX_METRES:.0e}. Give the graph xy= in metres of a local system."
        )
    square = (inertia_xy(problem) ** 2).sum(axis=1)
    return sum(int(w) * int(d) for w, d in zip(mass.tolist(), square.tolist()))


def read_incumbent(incumbent: Any, ids: NDArray[Any], k: int) -> NDArray[np.int32] | None:
    """Return the grid of each unit in the plan in force, -1 for units it does not know."""
    if incumbent is None:
        return None
    if isinstance(incumbent, Plan):
        import pandas as pd

        incumbent = pd.Series(incumbent.labels, index=incumbent.problem.graph.ids)
    if hasattr(incumbent, "index") and hasattr(incumbent, "to_numpy"):
        known = incumbent[incumbent.index.isin(ids)]
        rows = align(known, ids, "incumbent", partial=True)
        values = np.full(len(ids), None, dtype=object)
        values[rows >= 0] = np.asarray(known, dtype=object)[rows[rows >= 0]]
    else:
        values = per_unit(incumbent, ids, "incumbent")
    values[is_null(values)] = -1
    labels = np.array(
        [-1 if v == -1 else grid_number(v, f" (incumbent, unit {u!r})") for v, u in zip(values, ids.tolist())],
        dtype=np.int64,
    )
    beyond = np.flatnonzero(labels >= k)
    if len(beyond):
        raise InputError(
            f"incumbent puts {len(beyond)} units in grids beyond the last (first: unit {name_ids(ids[beyond[:1]])} in "
            f"{labels[beyond[0]]}); there are {k} grids, 0 … {k - 1}."
        )
    return labels.astype(np.int32)
