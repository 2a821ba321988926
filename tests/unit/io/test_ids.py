"""Which columns could hold the ids of units."""

from __future__ import annotations

import pandas as pd

from gridopt.io._ids import could_be_ids


def test_columns_called_alike_and_columns_without_a_name_are_no_trouble():
    twice = pd.DataFrame([["a", "b", "c"], ["d", "e", "f"]], columns=["id", "id", "name"])
    assert could_be_ids(twice) == ["name"]
    assert could_be_ids(pd.DataFrame({0: ["a", "b"], "count": [1, 2]})) == ["0"]
