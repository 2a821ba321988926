"""Request: what a caller asked of the search, checked, and what every result says of it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from gridopt._validate import nearest_names
from gridopt.errors import InputError
from gridopt.model import Problem
from gridopt.model.result import Result, Status
from gridopt.rules.balance import least_imbalance
from gridopt.solvers.bounds import Packing
from gridopt.solvers.budget import Budget
from gridopt.solvers.pieces import Effort
from gridopt.solvers.refine.annealing import Annealing

__all__ = ["DEFAULT_SECONDS", "EFFORTS", "Request"]

EFFORTS: Mapping[str, Effort] = {
    "fast": Effort(steps_per_node=2_000),
    "balanced": Effort(),
    "thorough": Effort(steps_per_node=200_000, annealing=Annealing(hot=1.3)),
}
"""What the names of efforts stand for."""

DEFAULT_SECONDS = 10.0
VISITS, MOST_VISITS = 25.0, 100.0
VISITS_A_SECOND, STEPS_A_VISIT = 150_000, 200
"""How long bounds are looked for, in nodes visited for each node there is: about 3 % of the time, see `Packing`."""
MOST = 2**62
"""Largest seed and number of steps."""


@dataclass(frozen=True)
class Request:
    """What the caller asked for; `ends` is when his seconds are over, by `time.perf_counter`."""

    seconds: float | None
    steps: int | None
    seed: int
    workers: int | None
    effort: str
    prove: bool
    default_seconds: float | None = DEFAULT_SECONDS
    ends: float | None = None

    def validate(self) -> None:
        """Refuse what makes no sense."""
        if self.seconds is not None and not (_is_real(self.seconds) and 0 < self.seconds < float("inf")):
            raise InputError(f"seconds is {self.seconds!r}; give a number above 0, such as seconds=10.")
        for name, value, least in (("steps", self.steps, 1), ("workers", self.workers, 1), ("seed", self.seed, 0)):
            if value is None and name != "seed":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"{name} is {value!r}; give a whole number of at least {least}.")
            if value > MOST:
                raise InputError(f"{name} is {value}; give at most {MOST}.")
        if self.effort not in EFFORTS:
            raise InputError(f"effort is {self.effort!r}. {nearest_names(str(self.effort), EFFORTS)}")

    def begun(self, began: float) -> Request:
        """Return the same request with its end set, where it is in seconds."""
        neither = self.seconds is None and self.steps is None
        seconds = self.default_seconds if neither else self.seconds
        return self if seconds is None else replace(self, ends=began + float(seconds))

    def seconds_left(self) -> float | None:
        """Seconds until the end; None where there is none."""
        return None if self.ends is None else self.ends - time.perf_counter()

    def budget(self, spent: float) -> Budget:
        """Return the budget of the search, after `spent` seconds of preparation."""
        neither = self.seconds is None and self.steps is None
        seconds = self.default_seconds if neither else None if self.seconds is None else float(self.seconds)
        return Budget(
            None if seconds is None else max(1e-3, seconds - spent), None if self.steps is None else int(self.steps)
        )

    def packing(self, n: int) -> Packing:
        """Return how hard to look for a bound: a few hundredths of the time, a fixed share of the steps."""
        if self.seconds is None and self.steps is not None:
            return Packing(min(MOST_VISITS, max(VISITS, self.steps / (STEPS_A_VISIT * n))))
        seconds = self.seconds or self.default_seconds
        return Packing(MOST_VISITS if seconds is None else min(MOST_VISITS, VISITS_A_SECOND * float(seconds) / n))

    def n_workers(self) -> int:
        """Return the number of threads."""
        if self.workers is not None:
            return int(self.workers)
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def parameters(self) -> dict[str, Any]:
        """Return what was asked for, for the record."""
        asked = {name: getattr(self, name) for name in ("seconds", "steps", "workers", "effort", "prove")}
        if self.seconds is None and self.steps is None:
            asked["seconds"] = self.default_seconds
        return asked

    def result(
        self,
        problem: Problem,
        status: Status,
        reason: str,
        began: float,
        timings: dict[str, float],
        least: float | None = None,
        **found: Any,
    ) -> Result:
        """
        Return a result with everything that is the same whatever was found, and how even a plan can be.

        `least` is a bound on the imbalance of all plans, where one is known already that will do if time is short.
        """
        sound = status in (Status.FEASIBLE, Status.OPTIMAL)
        if any(f.code == "not-apart" for f in found.get("exceptions", ())):  # what holds if pairs are kept apart
            problem = replace(problem, apart=problem.apart[:0])
        thorough, left = self.prove or not sound, self.seconds_left()
        if least is None or (thorough and (left is None or left > 0)):
            least = least_imbalance(problem, thorough, left)
        timings["total"] = time.perf_counter() - began
        return Result(
            status=status,
            reason=reason,
            imbalance_bound=least,
            seed=int(self.seed),
            parameters=self.parameters(),
            versions=dict(_versions()),
            timings=timings,
            **found,
        )


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@cache
def _versions() -> dict[str, str]:
    from gridopt import __version__

    names = ("numpy", "numba", "scipy", "ortools")
    return {"gridopt": __version__, "python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in names
    }
