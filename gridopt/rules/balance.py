"""Balance: how near to their targets the grids of a plan can come at all."""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from gridopt.model import Plan, Problem
from gridopt.rules.certificates import find, nearest_sums
from gridopt.rules.view import View

__all__ = ["imbalance", "least_by_region", "least_imbalance"]

MOST_SUMS, MOST_REGIONS = 50_000_000, 200
"""Bits of a table of sums, and regions, up to which sums of workloads are listed."""
ROUNDING = 2.0**-48
"""Taken off, so that the imbalance of a plan, a float, is never below its bound."""
MOST_UNITS, HALVINGS = 2_000, 7
"""Units up to which certificates are tried on narrower limits, and how often."""
SECONDS_PER_UNIT = 2e-5
"""What certificates take at least for each unit: where less is left they are not tried."""


def imbalance(plan: Plan) -> float | None:
    """
    Largest ``abs(load / target - 1)`` over attributes and grids that are not exempt; None where all are.

    Targets of 0, as those of an attribute that is 0 everywhere, say nothing of balance and are left out.

    Examples
    --------
    >>> import gridopt as go
    >>> problem = go.build_problem(go.Graph.from_edges(3, [(0, 1), (1, 2)]), workload=[1, 1, 2], n_grids=2)
    >>> imbalance(go.Plan(problem, [0, 1, 1]))
    0.5
    """
    problem = plan.problem
    rows = ~problem.nesting.exempt
    if not rows.any():
        return None
    loads, target = plan.loads[rows], problem.target[rows]
    wanted = target > 0
    return float(np.abs(loads[wanted] / target[wanted] - 1).max(initial=0.0))


def least_imbalance(problem: Problem, thorough: bool = True, seconds: float | None = None) -> float:
    """
    Bound the imbalance of every plan that keeps the locks from below: none of these regions and numbers of grids comes
    nearer, within its limits or not.

    The largest of these, over regions and attributes, the target being the same for all grids of a region: the
    heaviest units against the target (``j + 1`` of the ``j k + 1`` heaviest share a grid); the mean load, which some
    grid reaches and some grid does not exceed, rounded to the nearest sums of workloads. Where targets differ, the
    nearest sums to each, and the load of the region against the sum of them. In small problems also the widest limits
    around the targets that a certificate refutes.

    Parameters
    ----------
    problem : Problem
    thorough : bool
        Whether to try certificates, which takes about eight times as long as `check`.
    seconds : float, optional
        Wall time for certificates; those that would take longer are left out.

    Returns
    -------
    float
        Dimensionless, rounded down; 0 where nothing is known.

    Examples
    --------
    >>> import gridopt as go
    >>> path = go.Graph.from_edges(3, [(0, 1), (1, 2)])
    >>> round(least_imbalance(go.build_problem(path, workload=[4, 4, 4], n_grids=2)), 6)
    0.333333
    """
    by_region = least_by_region(View.of(problem))
    least = max(by_region.values(), default=0.0)
    if thorough and problem.n_units <= MOST_UNITS and len(by_region) <= MOST_REGIONS:
        least = max(least, float(_of_certificates(problem, Fraction(least), seconds)) - ROUNDING)
    return least


def least_by_region(view: View, sums: bool | None = None) -> dict[int, float]:
    """
    Bound by loads alone, for each region whose grids have limits: rounded down, and at least 0.

    `sums`: whether to list sums of workloads; None: where there are few regions.
    """
    found = {}
    regions = list(view.ordinary())
    sums = len(regions) <= MOST_REGIONS if sums is None else sums
    targets_of = view.problem.target.tolist()
    for r, clusters, rows in regions:
        found[r] = 0.0
        for a, work in enumerate(view.load[clusters].T.tolist()):
            targets = [targets_of[row][a] for row in rows.tolist()]
            if min(targets) > 0:
                least = _of_loads(work, targets, sums)
                found[r] = max(found[r], least - ROUNDING * (1 + least))
    return found


def _of_loads(work: list[int], targets: list[float], sums: bool) -> float:
    """Bound by the workloads of one region alone, up to rounding."""
    total, k, largest = sum(work), len(targets), max(targets)
    heavy = sorted(work, reverse=True)
    most = max(sum(heavy[j * k - j : j * k + 1]) for j in range(4) if j * k < len(heavy))
    if min(targets) == largest:
        below, above = _around(work, total, -(-total // k), total % k == 0, sums)
        return max(abs(total / (largest * k) - 1), 1 - below / largest, max(most, above) / largest - 1)
    found = [float(abs(total / sum((Fraction(t) for t in targets), Fraction(0)) - 1)), most / largest - 1]
    for target in sorted(set(targets)) if k <= MOST_REGIONS else ():
        below, above = _around(work, total, ceil(target), target == int(target), sums)
        found.append(float(min(1 - below / Fraction(target), above / Fraction(target) - 1)))
    return max(found)


def _around(work: list[int], total: int, low: int, whole: bool, sums: bool) -> tuple[int, int]:
    """
    Greatest sum of workloads up to a load, least sum from it on; where sums are not listed, multiples of the gcd.

    The load is rounded up to `low`; `whole` says whether it was that.
    """
    if low > total:
        return total, total
    below, above = nearest_sums([w for w in work if w > 0], low, low, MOST_SUMS if sums else 0)
    if above is None:
        above = total
    return (above, above) if whole and above == low else (below, above)


def _of_certificates(problem: Problem, least: Fraction, seconds: float | None) -> Fraction:
    """Widest limits, above `least` and within those of the problem, that a certificate refutes."""
    if seconds is not None and seconds <= SECONDS_PER_UNIT * problem.n_units:
        return least
    began = time.perf_counter()
    rows = np.flatnonzero(~problem.nesting.exempt)
    target = problem.target[rows]
    if not len(rows) or target.min() <= 0 or _is_refuted(problem, rows, None):
        return least
    over = np.maximum(problem.hi[rows] / target - 1, 1 - problem.lo[rows] / target).max()
    low, high = least, min(Fraction(1), Fraction(float(over)))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        middle = Fraction(round(middle * 4096), 4096)
        spent = time.perf_counter() - began
        if not low < middle < high or (seconds is not None and 2 * spent > seconds):
            break
        low, high = (middle, high) if _is_refuted(problem, rows, middle) else (low, middle)
    return low


def _is_refuted(problem: Problem, rows: NDArray[np.int64], share: Fraction | None) -> bool:
    """Whether a certificate excludes all plans with grids within a share of their targets; None: without limits."""
    lo, hi = np.array(problem.lo), np.array(problem.hi)
    if share is None:
        lo[rows], hi[rows] = 0, problem.workload.sum(axis=0)
    else:
        for row in rows.tolist():
            for a, target in enumerate(problem.target[row].tolist()):
                fair = Fraction(target)
                lo[row, a], hi[row, a] = ceil(fair * (1 - share)), floor(fair * (1 + share))
    return any(f.severity == "error" for f in find(replace(problem, lo=lo, hi=hi, soft=False), thorough=False))
