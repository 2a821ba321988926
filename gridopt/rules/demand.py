"""What the user wishes for -> checked numbers: grids, tolerance, band, objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_fraction, nearest_names
from gridopt.errors import InputError, name_ids
from gridopt.model import TERMS, Graph, Plan
from gridopt.rules.locks import grid_number
from gridopt.rules.regions import Demand
from gridopt.rules.tables import align

__all__ = ["check_choices", "read_demand", "read_incumbent", "read_objective"]

DEFAULT_TOLERANCE = "0.05"


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
    n_per_parent: tuple[int, int] | None,
    targets: Any,
) -> Demand:
    """Check grids, tolerance, band and bounds against the units and parents there are."""
    if band is not None and tolerance is not None:
        raise InputError("give a tolerance around equal shares, or an absolute band, not both.")
    if n_grids is None and targets is not None:
        n_grids = len(targets)
    if n_grids is None and band is None:
        raise InputError("how many grids? Give n_grids=, or a band= from which the fewest can be derived.")
    limits = None if band is None else tuple(_read_band(band, name, size) for name, size in zip(names, sizes))
    allowed = None
    if band is None:
        allowed = tuple(_read_tolerance(tolerance, name) for name in names)
    if n_per_parent is not None:
        low, high = n_per_parent
        if not 1 <= low <= high:
            raise InputError(f"n_per_parent is {n_per_parent}; give (fewest, most) with 1 <= fewest <= most.")
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
        counts = [_whole(n_grids[p.item() if hasattr(p, "item") else p]) for p in parents]
        units = np.bincount(parent_of, minlength=len(parents))
        for p, k, most in zip(parents, counts, units):
            if not 1 <= k <= most:
                raise InputError(
                    f"parent {name_ids([p])} has {most} units and is asked for {k} grids. Ask for 1 to {most}: "
                    "no grid is empty."
                )
        return counts
    k = _whole(n_grids)
    if not 1 <= k <= n:
        raise InputError(f"n_grids is {k}, for {n} units. Choose 1 to {n}: no grid is empty.")
    return k


def _whole(value: Any) -> int:
    number = as_fraction(value, "n_grids")
    if number.denominator != 1:
        raise InputError(f"n_grids is {value}; give a whole number.")
    return int(number)


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
    if not isinstance(band, Sequence) or len(band) != 2:
        raise InputError(f"band is {band!r}; give (lo, hi), such as (300, 500).")
    lo, hi = (as_fraction(side, "band") for side in band)
    if lo < 0 or lo > hi or hi == 0:
        raise InputError(f"band is ({band[0]}, {band[1]}): give 0 <= lo <= hi with hi above 0, such as (300, 500).")
    low, high = -((-lo) // size), hi // size
    if low > high:
        raise InputError(f"band ({band[0]}, {band[1]}) holds no multiple of the resolution {float(size)}. Widen it.")
    return int(low), int(high)


def read_objective(
    objective: Mapping[str, int] | None, edge_cost: Any, unit_cost: Any, graph: Graph, k: int
) -> tuple[dict[str, int], NDArray[np.int64] | None, NDArray[np.int64] | None]:
    """Return term weights, and the checked cost arrays of the user."""
    terms = dict(objective) if objective is not None else {"cut": 1}
    for name, weight in terms.items():
        if name not in TERMS:
            raise InputError(f"objective has no term {name!r}. {nearest_names(name, TERMS)}")
        if not isinstance(weight, int | np.integer) or isinstance(weight, bool) or weight < 0:
            raise InputError(f"objective[{name!r}] is {weight!r}; weights are whole numbers of at least 0.")
    arrays: list[NDArray[np.int64] | None] = []
    for name, value, shape in (
        ("edge_cost", edge_cost, (graph.n_edges,)),
        ("unit_cost", unit_cost, (graph.n_units, k)),
    ):
        if value is None:
            if terms.get(name):
                raise InputError(f"objective names {name!r}, but {name}= is not given.")
            arrays.append(None)
            continue
        array = np.asarray(value)
        if array.shape != shape or not np.issubdtype(array.dtype, np.integer) or (array < 0).any():
            raise InputError(f"{name} must be whole numbers of at least 0, of shape {shape}; it is {array.shape}.")
        terms.setdefault(name, 1)
        arrays.append(array.astype(np.int64))
    if terms.get("inertia") and graph.xy is None:
        raise InputError("objective 'inertia' needs coordinates: give the graph xy=.")
    return terms, arrays[0], arrays[1]


def read_incumbent(incumbent: Any, ids: NDArray[Any], k: int) -> NDArray[np.int32] | None:
    """Return the grid of each unit in the plan in force, -1 for units it does not know."""
    if incumbent is None:
        return None
    if isinstance(incumbent, Plan):
        incumbent = incumbent.to_series()
    if hasattr(incumbent, "index") and hasattr(incumbent, "to_numpy"):
        known = incumbent[incumbent.index.isin(ids)]
        rows = align(known, ids, "incumbent", partial=True)
        values = [grid_number(known.iloc[r]) if r >= 0 else -1 for r in rows]
    else:
        values = [int(v) for v in incumbent]
    labels = np.asarray(values, dtype=np.int32)
    if labels.shape != ids.shape or labels.max(initial=-1) >= k:
        raise InputError(f"incumbent has {labels.shape} labels up to {labels.max(initial=-1)}, for {k} grids.")
    return labels
