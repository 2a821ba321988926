"""Columns that could be the ids of units, where none is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gridopt.errors import Finding

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["could_be_ids", "tell_numbered"]

LIKE_ID = re.compile(
    r"(?:^|[_\W])(?:[fgou]?id|code|key|no|num|number|nr|ref)(?:$|[_\W\d])|(?:id|code|key)$|编号|編號|代码|代碼|序号|序號",
    re.IGNORECASE,
)
"""How columns of ids are called: whole numbers without repeats are as often counts or lengths."""
LONGEST = 64
"""Letters of an id; longer texts are remarks."""


def could_be_ids(table: pd.DataFrame, but: Sequence[str] = ()) -> list[str]:
    """
    Columns of text or whole numbers without repeats or gaps, those called as ids are first.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"name": ["a", "b"], "homes": [4, 7], "block_id": [12, 13], "ward": ["x", "x"]})
    >>> could_be_ids(table)
    ['block_id', 'name']
    """
    if len(table) < 2:
        return []
    geometry = getattr(table, "_geometry_column_name", None)
    found = []
    for place, label in enumerate(table.columns):
        if label == geometry or label in but or (table.columns == label).sum() > 1:
            continue
        name, column = str(label), table.iloc[:, place]
        is_like = bool(LIKE_ID.search(name))
        if column.dtype.kind == "O":
            fits = bool(column.map(lambda v: isinstance(v, str) and 0 < len(v) <= LONGEST).all())
        else:
            fits = bool(column.dtype.kind in "iu" and is_like)
        if fits and column.is_unique:
            found.append((not is_like, name))
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def tell_numbered(table: pd.DataFrame, but: Sequence[str] = ()) -> list[Finding]:
    """Say that rows are numbered, where a column could be their ids."""
    names = could_be_ids(table, but)
    if not names:
        return []
    others = f" Others without repeats: {', '.join(names[1:6])}." if names[1:] else ""
    cure = f"No column is named as ids, so rows have the numbers 1 to {len(table):,}. --id {names[0]} takes its values."
    return [Finding("ids-numbered", "info", (), names[0], None, cure + others)]
