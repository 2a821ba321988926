"""Amounts shared out in whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["whole_shares"]


def whole_shares(amounts: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """
    Round to whole numbers that sum to `total`: down, then the largest remainders up, of equals the first.

    Examples
    --------
    >>> whole_shares(np.array([1.5, 1.5, 1.0]), 4).tolist()
    [2, 1, 1]
    """
    near = np.rint(amounts)
    amounts = np.where(np.abs(amounts - near) < 1e-9 * np.maximum(1, near), near, amounts)
    floor = np.floor(amounts).astype(np.int64)
    missing = total - int(floor.sum())
    order = np.argsort(-(amounts - floor), kind="stable")
    if missing >= 0:
        floor[order[:missing]] += 1
    else:  # sums of floating point ran over the total by a hair
        floor[order[floor[order] > 0][missing:]] -= 1
    return floor
