"""Ground with hardly a street: blocks so large that grids made of them cannot be fine, named before anybody plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import Finding

__all__ = ["LARGE", "tell_large"]

LARGE = 500_000.0
"""
Square metres of a large block, 700 m across. Of the ground of a dense city that has all its streets 16 % lies in larger
blocks (Cambridge, Massachusetts), of a city with mountains in it 36 % (Taipei).
"""
SOME = 0.1
"""Share of the ground in large blocks below which nothing is said."""
MOST = 0.5
"""Share of the ground in large blocks above which it is a warning."""
SHOWN = 50
"""Blocks that are named, the largest first."""


def tell_large(
    areas: NDArray[np.float64], ids: Sequence[Any], crowded: Literal["warning", "info"] = "warning"
) -> list[Finding]:
    """
    Say how much of the ground lies in blocks above 0.5 km2, and which they are, the largest first.

    Parameters
    ----------
    areas : ndarray of float64, shape (n,)
        Square metres; water and other barriers left out.
    ids : sequence, shape (n,)
    crowded : str
        Severity where that is more than half; from a tenth on it is ``"info"``.

    Examples
    --------
    >>> [(f.severity, f.ids, f.value) for f in tell_large(np.array([2.6e6, 2.4e6, 1e4]), ["B1", "B2", "B3"])]
    [('warning', ('B1', 'B2'), '99.8 % of the area in 2 of 3')]
    """
    total, order = float(areas.sum()), np.argsort(-areas, kind="stable")
    large = order[areas[order] > LARGE]
    share = float(areas[large].sum()) / total if total > 0 else 0.0
    if share < SOME:
        return []
    cure = (
        "Hardly a street cuts them. Give more streets (keep=, paths too), rivers and rail as barriers=, or parents=; "
    )
    cure += "where there is nothing else, as in mountains, they stay."
    value = f"{share:.1%} of the area in {len(large):,} of {len(areas):,}".replace("%", " %")
    severity: Literal["warning", "info"] = crowded if share > MOST else "info"
    return [Finding("large-blocks", severity, tuple(ids[i] for i in large[:SHOWN].tolist()), value, LARGE, cure)]
