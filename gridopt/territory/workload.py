"""Workload: counts of objects -> hours of work a year, by a table of tasks that the user can replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError, name_ids

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CAPACITY_HOURS", "TASKS", "Task", "hours"]

CAPACITY_HOURS = 1200.0
"""What one full-time worker can spend in the field a year: 250 days of 8 hours, of which 0.6 in the field. Our own."""


@dataclass(frozen=True)
class Task:
    """
    What one object of a class asks for in a year.

    Parameters
    ----------
    visits : float
        Visits a year; for events, their number a year is counted, so 1.
    minutes : float
        Minutes on site, per visit that succeeds.
    access : float
        Minutes to get there and ring, per attempt.
    persons : float
        Persons needed together; 2 for enforcement.
    success : float
        Probability that an attempt meets somebody, over 0 and at most 1. Failed attempts cost `access` only.

    Examples
    --------
    >>> Task(visits=4, minutes=15, access=5, success=0.5).hours_per_object
    1.6666666666666667

    """

    visits: float
    minutes: float
    access: float = 0.0
    persons: float = 1.0
    success: float = 1.0

    def __post_init__(self) -> None:
        for name in ("visits", "minutes", "access", "persons"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise InputError(f"{name} of a task is {value!r}; give a finite number of at least 0.")
        if not 0 < self.success <= 1:
            raise InputError(f"success of a task is {self.success!r}; give a probability over 0 and at most 1.")

    @property
    def hours_per_object(self) -> float:
        """Hours a year for one object: ``visits * (minutes + access / success) * persons / 60``."""
        return self.visits * (self.minutes + self.access / self.success) * self.persons / 60.0


TASKS: Mapping[str, Task] = MappingProxyType(
    {
        "household": Task(4, 15, 5, success=0.5),
        "key_person": Task(12, 25, 5, success=0.8),
        "rental": Task(12, 7, 3, success=0.6),
        "market_entity": Task(2, 40, 5, persons=2),
        "food_risk_1": Task(1, 55, 5, persons=2),
        "food_risk_2": Task(1.5, 55, 5, persons=2),
        "food_risk_3": Task(2.5, 55, 5, persons=2),
        "food_risk_4": Task(3.5, 55, 5, persons=2),
        "polluter_village": Task(180, 12, 3),
        "polluter_key": Task(104, 55, 5, persons=2),
        "polluter_other": Task(24, 25, 5, persons=2),
        "fire_place_community": Task(52, 12, 3),
        "fire_place_town": Task(12, 12, 3),
        "tobacco_retailer": Task(52, 4, 1, persons=2),
        "component": Task(250, 0.05),
        "event": Task(1, 45),
    }
)
"""
A preset to start from, not a standard: frequencies as observed in published practice, minutes our own, calibrated so
that 400 market entities, or 250 households with patrol and events, fill about one worker's year (`CAPACITY_HOURS`).
Food risk 4 is the highest. Components are looked at in passing, once each working day.
"""


def hours(
    counts: pd.DataFrame | pd.Series,
    table: Mapping[str, Task] = TASKS,
    *,
    patrol_km: Any = 0.0,
    passes: float = 0.0,
    km_per_hour: float = 4.0,
    fixed: Any = 0.0,
) -> pd.Series:
    """
    Hours of work a year in each unit.

    Parameters
    ----------
    counts : DataFrame or Series
        Objects per unit, index = unit id, one column (or the name of the Series) per class, as `locate` counts them.
    table : mapping of str to Task
        Column -> what one object of it asks for. The default is a preset of our own; pass your own to replace it, as
        in ``{"H_CNT": TASKS["household"]}``.
    patrol_km : Series or float
        Kilometres to patrol in each unit; a Series is aligned by unit id.
    passes : float
        Patrols a year.
    km_per_hour : float
        Speed of patrol; 4 on foot, 10 by e-bike.
    fixed : Series or float
        Further hours a year in each unit.

    Returns
    -------
    Series of float64
        Index as `counts`, name ``"hours"``. Travel between objects is not in it: it does not add up over units.

    Raises
    ------
    InputError
        If a column is not in the table, or numbers are missing, negative or infinite, or units do not match.

    Notes
    -----
    ``H(u) = sum_k n[u, k] visits[k] (minutes[k] + access[k] / success[k]) persons[k] / 60
    + patrol_km[u] passes / km_per_hour + fixed[u]``.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = pd.DataFrame({"household": [250, 0], "event": [250, 4]}, index=["B1", "B2"])
    >>> hours(counts, patrol_km=pd.Series({"B2": 0, "B1": 8}), passes=250).round(1).to_dict()
    {'B1': 1104.2, 'B2': 3.0}

    """
    import pandas as pd

    frame = counts.to_frame() if isinstance(counts, pd.Series) else counts
    for name in frame.columns:
        if name not in table:
            raise InputError(
                f"no task is known for the column {name!r} of counts. {nearest_names(str(name), table)} "
                "Pass table= with a Task for each column."
            )
    speed = float(km_per_hour)
    if not 0 < speed < np.inf:
        raise InputError(f"km_per_hour is {km_per_hour!r}; give a finite number over 0.")
    total = np.zeros(len(frame))
    for name in frame.columns:
        total += _numbers(frame[name], frame.index, f"column {name!r} of counts") * table[name].hours_per_object
    patrol = _numbers(patrol_km, frame.index, "patrol_km")
    total += patrol * _numbers(passes, frame.index, "passes") / speed + _numbers(fixed, frame.index, "fixed")
    return pd.Series(total, index=frame.index, name="hours")


def _numbers(values: Any, index: Any, what: str) -> Any:
    """One float64 per unit, aligned by unit id, finite and at least 0."""
    import pandas as pd

    if isinstance(values, pd.Series):
        absent = index.difference(values.index).tolist()
        if absent:
            raise InputError(f"{what} has no value for {len(absent)} units (first: {name_ids(absent)}). Add them.")
        values = values.reindex(index)
    else:
        values = pd.Series(values, index=index)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(numbers) | (numbers < 0)
    if bad.any():
        ids = index[bad].tolist()
        cure = "Give a finite number of at least 0 for each unit."
        raise InputError(
            f"{what} is missing, not a number, infinite or negative in {len(ids)} units "
            f"(first: {name_ids(ids)}, value {values.to_numpy()[bad][0]}). {cure}",
            [Finding("bad-count", "error", tuple(ids[:50]), None, 0, cure)],
        )
    return numbers
