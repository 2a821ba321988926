"""Budget: a wish for how long to search; Clock: the same, running."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

__all__ = ["Budget", "Clock"]


@dataclass(frozen=True)
class Budget:
    """
    How long to search: until the first of these is spent.

    Parameters
    ----------
    seconds : float, optional
        Wall time.
    steps : int, optional
        Candidate moves examined. Steps reproduce, wall time does not.
    stall : int, optional
        Steps after which the search of a small piece ends by itself.

    Examples
    --------
    >>> clock = Budget(steps=100).start()
    >>> clock.tick(60)
    >>> clock.steps_left(), clock.expired()
    (40, False)
    """

    seconds: float | None = None
    steps: int | None = None
    stall: int | None = None

    def start(self) -> Clock:
        """Start the clock now."""
        return Clock(self)

    def share(self, part: float) -> Budget:
        """Return a budget of a part of this one; at least one step where steps are limited."""
        return Budget(
            None if self.seconds is None else self.seconds * part,
            None if self.steps is None else max(1, int(self.steps * part)),
            self.stall,
        )


@dataclass
class Clock:
    """A running budget."""

    budget: Budget
    started: float = field(default_factory=time.perf_counter)
    steps: int = 0

    def tick(self, steps: int) -> None:
        """Count steps that were made."""
        self.steps += steps

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self.started

    def seconds_left(self) -> float:
        """Seconds until the end; infinite where seconds are not limited."""
        return float("inf") if self.budget.seconds is None else max(0.0, self.budget.seconds - self.seconds())

    def most_steps(self) -> int | None:
        """Steps after which the budget is spent, None where they are not limited."""
        limits = [s for s in (self.budget.steps, self.budget.stall) if s is not None]
        return min(limits) if limits else None

    def steps_left(self) -> int | None:
        """Steps until the end, None where they are not limited."""
        most = self.most_steps()
        return None if most is None else max(0, most - self.steps)

    def left(self, share: float = 1.0) -> Budget:
        """Return a budget of a share of what is left, for one part of a search; at least one step."""
        steps = self.steps_left()
        return Budget(
            None if self.budget.seconds is None else self.seconds_left() * share,
            None if steps is None else max(1, int(steps * share)),
        )

    def fraction(self) -> float:
        """How much of the budget is spent, in [0, 1]."""
        most = self.most_steps()
        by_steps = 0.0 if most is None else self.steps / max(1, most)
        by_time = 0.0 if self.budget.seconds is None else self.seconds() / max(1e-9, self.budget.seconds)
        return min(1.0, max(by_steps, by_time))

    def expired(self) -> bool:
        """Whether the budget is spent."""
        return self.fraction() >= 1.0
