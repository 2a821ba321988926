"""Hours a year: the formula by hand, the calibration its preset claims, and no silent misreading."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gridopt.errors import InputError
from gridopt.territory.workload import CAPACITY_HOURS, TASKS, Task, hours


def test_formula_by_hand():
    table = {"shop": Task(visits=6, minutes=20, access=4, persons=2, success=0.8), "event": Task(1, 30)}
    counts = pd.DataFrame({"shop": [3, 0], "event": [10, 2]}, index=["a", "b"])
    found = hours(counts, table, patrol_km=pd.Series({"b": 1.0, "a": 2.0}), passes=100, km_per_hour=5, fixed=7)
    assert found["a"] == pytest.approx(3 * 6 * (20 + 4 / 0.8) * 2 / 60 + 10 * 30 / 60 + 2 * 100 / 5 + 7)
    assert found["b"] == pytest.approx(2 * 30 / 60 + 1 * 100 / 5 + 7)
    assert (found.name, found.dtype, found.index.tolist()) == ("hours", np.float64, ["a", "b"])


def test_preset_fills_one_working_year_as_its_sources_do():
    """400 market entities for an officer; 250 households, two hours of patrol a day and 250 events for a manager."""
    officer = hours(pd.Series([300, 400, 500], name="market_entity"))
    assert officer.tolist() == pytest.approx([900, CAPACITY_HOURS, 1500])
    manager = hours(pd.DataFrame({"household": [250], "event": [250]}), patrol_km=8, passes=250)
    assert manager.iloc[0] == pytest.approx(417 + 500 + 188, abs=1)
    fortnightly = Task(24, 15, 5, success=0.5)
    assert hours(pd.Series([672], name="h"), {"h": fortnightly}).iloc[0] == pytest.approx(6700, rel=0.01)


def test_hours_add_up_over_units_and_classes():
    rng = np.random.default_rng(3)
    counts = pd.DataFrame({name: rng.integers(0, 50, 20) for name in TASKS})
    parts = sum(hours(counts[[name]]) for name in TASKS)
    assert hours(counts).to_numpy() == pytest.approx(parts.to_numpy())
    assert hours(counts.sum().to_frame().T).iloc[0] == pytest.approx(hours(counts).sum())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hours(pd.Series([1], name="housholds")), "no task is known.*Did you mean 'household'"),
        (lambda: hours(pd.Series([1, None], name="event", index=["a", "b"])), "in 1 units .*first: 'b', value nan"),
        (lambda: hours(pd.Series([-1], name="event", index=["a"])), "negative in 1 units .*first: 'a', value -1"),
        (lambda: hours(pd.Series(["x"], name="event")), "not a number"),
        (lambda: hours(pd.Series([1], name="event"), patrol_km=pd.Series({9: 1.0})), "no value for 1 units .*first: 0"),
        (lambda: hours(pd.Series([1], name="event"), km_per_hour=0), "km_per_hour is 0"),
        (lambda: Task(1, 1, success=0), "success of a task is 0"),
        (lambda: Task(-1, 1), "visits of a task is -1"),
    ],
)
def test_senseless_numbers_are_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()
