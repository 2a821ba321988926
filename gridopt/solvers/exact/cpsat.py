"""The only door to OR-Tools CP-SAT: parameters, workers, seed, hints, callbacks, and what its statuses mean."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gridopt.errors import InternalError

__all__ = ["Answer", "new_model", "run", "weighted_sum"]

LOOK = 0.05
"""Seconds between two looks at whether to stop."""
PORTFOLIO_WORKERS = 8
"""Fewest workers that make CP-SAT's portfolio worth it; with fewer, one thread with a full linear relaxation wins."""


@dataclass(frozen=True)
class Answer:
    """
    What one run of CP-SAT said.

    Parameters
    ----------
    status : {"optimal", "feasible", "infeasible", "unknown"}
        Of the model as it stands, which may be a relaxation.
    plans : tuple of tuple of int
        The last labels found, best last; empty where none were.
    bound : int or None
        Proved lower bound of the objective.
    effort : float
        Deterministic seconds spent.
    """

    status: str
    plans: tuple[tuple[int, ...], ...]
    bound: int | None
    effort: float


def new_model() -> Any:
    """Return an empty CP-SAT model."""
    from ortools.sat.python import cp_model

    return cp_model.CpModel()


def weighted_sum(variables: Sequence[Any], weights: Sequence[int]) -> Any:
    """Return ``sum(weights[i] * variables[i])`` as one linear expression."""
    from ortools.sat.python import cp_model

    return cp_model.LinearExpr.weighted_sum(list(variables), [int(w) for w in weights])


def run(
    model: Any,
    x: Sequence[Sequence[Any]],
    *,
    hint: Sequence[int] | None,
    seconds: float,
    effort: float | None,
    workers: int,
    seed: int,
    stop: Callable[[], bool] | None = None,
    keep: int = 5,
) -> Answer:
    """
    Solve a model and read labels off its variables `x`.

    Parameters
    ----------
    model : CpModel
        With its objective, minimised. Its hints are replaced.
    x : sequence of sequences of literals, n rows of k
        ``x[u][j]``: node u lies in part j.
    hint : labels to try first, or None
    seconds : float
        Wall time allowed.
    effort : float or None
        Deterministic seconds allowed. When given, one worker is used, and equal calls give equal answers.
    workers, seed : int
        Threads, and the seed of the search.
    stop : callable, optional
        Asked some twenty times a second, from another thread; True ends the run with what it has. What it raises is
        raised here.
    keep : int
        How many of the last plans to return.

    Raises
    ------
    InternalError
        If CP-SAT calls the model invalid.
    """
    from ortools.sat.python import cp_model

    class Keeper(cp_model.CpSolverSolutionCallback):
        def __init__(self) -> None:
            super().__init__()
            self.plans: list[tuple[int, ...]] = []

        def on_solution_callback(self) -> None:
            self.plans.append(tuple(next(j for j, lit in enumerate(row) if self.boolean_value(lit)) for row in x))
            del self.plans[:-keep]

    model.clear_hints()
    if hint is not None:
        for row, label in zip(x, hint):
            for j, literal in enumerate(row):
                model.add_hint(literal, int(j == label))
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.num_workers = workers if workers >= PORTFOLIO_WORKERS and effort is None else 1
    solver.parameters.linearization_level = 2
    solver.parameters.catch_sigint_signal = False  # its handler would stay, and end the process at the next Ctrl-C
    solver.parameters.max_time_in_seconds = max(0.01, seconds)
    if effort is not None:
        solver.parameters.max_deterministic_time = max(1e-3, effort)
    keeper = Keeper()
    with _watched(solver, stop):
        status = solver.solve(model, keeper)
    if status == cp_model.MODEL_INVALID:
        raise InternalError(f"CP-SAT calls the exact model invalid: {model.validate()}")
    names = {cp_model.OPTIMAL: "optimal", cp_model.FEASIBLE: "feasible", cp_model.INFEASIBLE: "infeasible"}
    name = names.get(status, "unknown")
    bound = None if name == "infeasible" else _whole(solver.best_objective_bound)
    return Answer(name, tuple(keeper.plans), bound, float(solver.response_proto.deterministic_time))


@contextmanager
def _watched(solver: Any, stop: Callable[[], bool] | None) -> Iterator[None]:
    """
    Stop `solver` as soon as `stop` says so; an error of `stop` ends the run too, and is raised when it has ended.

    Asked again and again: CP-SAT forgets a stop that comes before its search begins.
    """
    if stop is None:
        yield
        return
    over = threading.Event()

    def watch() -> None:
        failed = True
        try:
            while not over.wait(LOOK):
                if stop():
                    solver.stop_search()
            failed = False
        finally:
            while failed and not over.wait(LOOK):
                solver.stop_search()

    with ThreadPoolExecutor(1, thread_name_prefix="gridopt-watch") as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            over.set()
        watching.result()


def _whole(bound: float) -> int | None:
    """A bound on whole-numbered costs, rounded up but for the error of doubles; None where there is none."""
    if not abs(bound) < 2**62:
        return None
    nearest = round(bound)
    return nearest if abs(bound - nearest) < 1e-6 * max(1.0, abs(bound)) * 1e-3 + 1e-6 else -int(-bound // 1)
