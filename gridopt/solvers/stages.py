"""The call shapes of the stages of a search, and the progress they report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.budget import Clock
from gridopt.solvers.piece import Piece

__all__ = ["Construct", "OnProgress", "Progress", "Refine"]


@dataclass(frozen=True)
class Progress:
    """
    What is known between two rounds of a search.

    Parameters
    ----------
    step : int
        Candidate moves examined.
    seconds : float
        Since the search began.
    cost : int or None
        Of the best plan; None before there is one.
    violation : int
        Of the best plan, in millionths of the targets, and a million for each pair apart that it breaks.
    fraction : float
        How much of the budget is spent, in [0, 1].
    regions_done, n_regions : int
        Regions finished, of how many.
    is_last : bool
        True in exactly one call, the last, made when all is judged: cost and violation are those of the result (of
        `solve_many`: no cost, and the sum of the violations), and what the callback returns no longer counts.
    """

    step: int
    seconds: float
    cost: int | None
    violation: int
    fraction: float
    regions_done: int = 0
    n_regions: int = 1
    is_last: bool = False


OnProgress = Callable[[Progress], bool | None]
"""Called between rounds, where True stops the search; and once more when all is done."""


class Construct(Protocol):
    """A piece -> contiguous labels with exactly k parts, or None where there are none."""

    def __call__(self, piece: Piece, seed: int) -> NDArray[np.int32] | None:
        """Return labels of shape (n,)."""


class Refine(Protocol):
    """Labels -> labels that are never worse."""

    def __call__(self, piece: Piece, labels: NDArray[np.int32], clock: Clock, seed: int) -> NDArray[np.int32]:
        """Return labels of shape (n,)."""
