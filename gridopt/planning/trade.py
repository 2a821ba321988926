"""trade_off: what moving more buys, for a planner to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.errors import InputError
from gridopt.model import Plan, Problem
from gridopt.planning.capped import within_caps
from gridopt.planning.count import Cap, read_count
from gridopt.planning.force import read_force
from gridopt.planning.rebalance import rebalance
from gridopt.rules.balance import imbalance
from gridopt.rules.constraints import total_violation
from gridopt.rules.objective import cost

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["trade_off"]


def trade_off(
    problem: Problem,
    plan: Any,
    shares: Sequence[float] = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05, 1.0),
    *,
    count: Any = "workload",
    **options: Any,
) -> pd.DataFrame:
    """
    Show what each share that may move would buy: one search, then the best of its moves under each cap.

    Parameters
    ----------
    problem, plan
        As for `rebalance`. The problem has as many grids as the plan.
    shares : sequence of float
        Caps on what moves, as shares of all that is counted.
    count : str or mapping
        What counts as moved, see `rebalance`.
    **options
        Further options of `rebalance`, but `max_moved`.

    Returns
    -------
    DataFrame
        One row for each share, indexed by it (``most``): ``moved`` (share that moves), ``units`` (that move),
        ``violation`` (in targets), ``grids_outside`` (their limits), ``imbalance``, ``cost``. A larger share never has
        more violation. ``attrs["plans"]`` holds the plans, ``attrs["bound"]`` the share that has to move for a plan
        within the limits, None where none was found.

    Raises
    ------
    InputError
        If a share lies outside [0, 1], or the plan cannot stay as it is.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(6, [(i, i + 1) for i in range(5)])
    >>> today = go.build_problem(graph, workload=[30, 20, 10, 10, 10, 10], n_grids=2, tolerance="0.2")
    >>> trade_off(today, [0, 0, 0, 1, 1, 1], shares=[0, 0.2])[["moved", "grids_outside"]].values.tolist()
    [[0.0, 2.0], [0.1111111111111111, 0.0]]
    """
    import pandas as pd

    for share in shares:
        if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 <= share <= 1:
            raise InputError(f"shares hold {share!r}; give numbers from 0 to 1, such as 0.02.")
    counted = read_count(problem, count)
    full = rebalance(problem, plan, count=count, **options)
    force = read_force(problem, plan, options.get("retired", ()), full.closed)
    rows, plans, last = [], [], None
    for share in sorted(shares):
        cap = Cap(counted.weight, int(share * counted.total()), counted.name)
        labels = within_caps(force.problem, force, full.plan.labels, [cap])
        violation = total_violation(force.problem, labels)
        if last is not None and last[0] < violation:
            violation, labels = last
        last = violation, labels
        moved = (force.before >= 0) & (force.home != labels)
        kept = Plan(force.problem, labels, force.grid_ids)
        outside = ((kept.loads > force.problem.hi) | (kept.loads < force.problem.lo)).any(axis=1)
        plans.append(kept)
        rows.append(
            {
                "most": share,
                "moved": int(counted.weight[moved].sum()) / counted.total(),
                "units": int(moved.sum()),
                "violation": violation / 1e6,
                "grids_outside": int(outside.sum()),
                "imbalance": imbalance(kept),
                "cost": cost(force.problem, labels),
            }
        )
    table = pd.DataFrame(rows).set_index("most")
    table.attrs["plans"] = plans
    table.attrs["bound"] = None if full.bound is None else float(full.bound / counted.shown(counted.total()))
    return table
