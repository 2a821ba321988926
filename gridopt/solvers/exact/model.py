"""Proofs about pieces: the cheapest plan within the limits, or that there is none, or the least violation."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InternalError
from gridopt.solvers.exact import constraints as add
from gridopt.solvers.exact import cpsat
from gridopt.solvers.exact.contiguity import pieces_of_parts, separators
from gridopt.solvers.exact.cuts import find_tree_cuts
from gridopt.solvers.exact.objective import MILLION, add_cost, add_violation, cost_of, violation_of
from gridopt.solvers.exact.variables import Facts, Variables, make_variables, read_facts

__all__ = ["BUILDING", "Proof", "least_violation", "nearest_plan", "prove_piece", "seconds_to_build", "too_large"]

LARGEST = 20_000
"""Most literals ``n k`` of a model: 1,000 nodes in 20 parts. A few hundredths of that are what is ever proved."""
SECONDS_PER_CLAUSE, BUILDING = 6e-6, 0.25
"""What a slow core takes to write down a clause; no model is begun that takes more than this share of the time."""
CUT_SHARE = 0.2
"""Share of the time given to knapsack-tree inequalities."""
CUT_ROUNDS = 40
"""Most linear programs solved for them."""
UNLIMITED = 1e9
"""Wall seconds where deterministic seconds are the budget."""


@dataclass(frozen=True, eq=False)
class Proof:
    """
    What is proved about a piece.

    Parameters
    ----------
    status : {"optimal", "feasible", "infeasible", "unknown"}
        ``infeasible`` says that no plan keeps limits, locks and contiguity.
    labels : ndarray of int32, shape (n,), or None
        The best plan known that breaks nothing (of `least_violation`: that breaks least).
    bound : int or None
        No plan costs less (of `least_violation`: breaks less).
    reason : str
        Why it ended so.
    cost : int or None
        Cost of `labels` (of `least_violation`: their violation in millionths).
    """

    status: str
    labels: NDArray[np.int32] | None
    bound: int | None
    reason: str
    cost: int | None = None


def seconds_to_build(n: int, m: int, k: int) -> float:
    """
    Seconds a slow core takes to write down the model of n nodes, m edges and k parts, about.

    Examples
    --------
    >>> round(seconds_to_build(n=900, m=2700, k=20), 2)
    1.4
    """
    return SECONDS_PER_CLAUSE * k * (3 * m + 4 * n)


def too_large(n: int, m: int, k: int, seconds: float) -> str:
    """
    Why a piece is not worth a model: too many nodes and parts, or too little time to write the model down. Else empty.

    Examples
    --------
    >>> too_large(n=40, m=100, k=4, seconds=1.0)
    ''
    >>> too_large(n=5000, m=15000, k=200, seconds=60.0)
    'too large: 5,000 nodes in 200 parts; an exact model takes up to 20,000 pairs of these'
    >>> too_large(n=900, m=2700, k=20, seconds=0.5)
    'out of time: writing down a model of 900 nodes in 20 parts takes about 1.4 s, and 0.5 s are left'
    """
    if n * k > LARGEST:
        return f"too large: {n:,} nodes in {k:,} parts; an exact model takes up to {LARGEST:,} pairs of these"
    needed = seconds_to_build(n, m, k)
    if needed > BUILDING * seconds:
        text = f"writing down a model of {n:,} nodes in {k:,} parts takes about {needed:.2g} s"
        return f"out of time: {text}, and {seconds:.2g} s are left"
    return ""


def prove_piece(
    piece: Any,
    *,
    start: Any = None,
    seconds: float = 10.0,
    workers: int = 1,
    seed: int = 0,
    deterministic_seconds: float | None = None,
    stop: Callable[[], bool] | None = None,
) -> Proof:
    """
    Find the cheapest plan of a piece with proof, or prove that it has none.

    Parameters
    ----------
    piece : Piece
        One connected region; see `gridopt.solvers.piece`. Nothing of it is modified.
    start : array_like of int, shape (n,), optional
        A plan to begin with; ignored where it breaks something.
    seconds : float
        Wall time allowed, without the loading of OR-Tools.
    workers : int
        Threads; from 8 on CP-SAT's portfolio is used, below one thread.
    seed : int
        Seed of CP-SAT.
    deterministic_seconds : float, optional
        Budget that reproduces: equal calls give equal answers on any machine, with any number of workers. `seconds`
        does not count then.
    stop : callable, optional
        Asked some twenty times a second, perhaps from another thread; True ends the proof with what it has.

    Returns
    -------
    Proof
        ``bound`` is None where nothing is proved. With an inertia term the answer is ``unknown``.

    Notes
    -----
    Labelling model (Ferreira et al. 1996) with knapsack-tree inequalities, parts in the order of their first nodes,
    contiguity by rounds of a,b-separators (Validi & Buchanan 2022), solved by CP-SAT on one thread with a full linear
    relaxation. From a good start, two parts of 100 to 200 nodes take about 9 s, three or four of 50 nodes 7 to 11 s;
    six of 40 nodes are beyond it, and end with a bound.

    Examples
    --------
    >>> import numpy as np
    >>> from gridopt.solvers.piece import Piece
    >>> none, zero = np.full(4, -1, dtype=np.int32), np.zeros(4, dtype=np.int64)
    >>> path = Piece(
    ...     indptr=np.array([0, 1, 3, 5, 6]), indices=np.array([1, 0, 2, 1, 3, 2]),
    ...     weights=np.array([5, 5, 3, 3, 4, 4]), workload=np.ones((4, 1), dtype=np.int64),
    ...     lo=np.array([[1], [1]]), hi=np.array([[3], [3]]), target=np.array([[2], [2]]), fixed=none,
    ...     apart_indptr=np.zeros(5, dtype=np.int64), apart_indices=none[:0], home=none, away_cost=zero,
    ...     unit_cost=np.zeros((0, 0), dtype=np.int64))
    >>> proof = prove_piece(path)
    >>> proof.status, proof.labels.tolist(), proof.bound
    ('optimal', [0, 0, 1, 1], 3)
    """
    facts = read_facts(piece)
    refused = _refusal(piece, facts)
    if refused is not None:
        return refused
    rounds = _Rounds(facts, seconds, deterministic_seconds, workers, seed, strict=True, stop=stop)
    rounds.measure = lambda labels: cost_of(piece, facts, labels)
    if any(facts.price) and min(facts.price) >= 0:
        share = UNLIMITED if deterministic_seconds is not None else CUT_SHARE * rounds.seconds_left()
        cuts = find_tree_cuts(facts, rounds=CUT_ROUNDS, seconds=share, stop=stop)
        rounds.bound = cuts.bound + _least_of_nodes(piece)
        add.add_tree_cuts(rounds.model, rounds.variables, cuts.cuts)
    add.add_limits(rounds.model, facts, rounds.variables)
    add.add_apart(rounds.model, facts, rounds.variables)
    add.add_neighbours(rounds.model, facts, rounds.variables)
    add.add_order(rounds.model, facts, rounds.variables, add.alike_parts(piece, facts), tight=True)
    add_cost(rounds.model, piece, facts, rounds.variables)
    return rounds.run(start)


def least_violation(
    piece: Any,
    *,
    start: Any = None,
    seconds: float = 10.0,
    workers: int = 1,
    seed: int = 0,
    deterministic_seconds: float | None = None,
    stop: Callable[[], bool] | None = None,
) -> Proof:
    """
    Find the contiguous plan of a piece that breaks its limits least, with proof: the smallest relaxation that helps.

    Parameters
    ----------
    piece, start, seconds, workers, seed, deterministic_seconds, stop
        As for `prove_piece`. Fixed nodes stay fixed; a broken pair apart counts a million.

    Returns
    -------
    Proof
        ``cost`` and ``bound`` are violations in millionths of the targets; ``infeasible`` says that not even a
        contiguous plan with the fixed nodes exists.
    """
    facts = read_facts(piece)
    refused = _refusal(piece, facts, for_cost=False)
    if refused is not None:
        return refused
    rounds = _Rounds(facts, seconds, deterministic_seconds, workers, seed, strict=False, stop=stop)
    return rounds.least(piece, start)


def nearest_plan(
    piece: Any,
    *,
    start: Any = None,
    seconds: float = 10.0,
    workers: int = 1,
    seed: int = 0,
    deterministic_seconds: float | None = None,
    stop: Callable[[], bool] | None = None,
    keep_apart: bool = False,
) -> tuple[Proof, Proof | None]:
    """
    Find the plan that breaks its limits least and, of those, costs least, with proof.

    Parameters
    ----------
    piece, start, seconds, workers, seed, deterministic_seconds, stop
        As for `least_violation`.
    keep_apart : bool
        Whether no pair apart may be broken; ``infeasible`` then says that every plan breaks one.

    Returns
    -------
    (Proof, Proof or None)
        What `least_violation` says; and, where that is proved, of the cost among the plans of that violation: its
        ``bound`` holds for these alone. None where it is not proved.
    """
    facts = read_facts(piece)
    refused = _refusal(piece, facts, for_cost=False)
    if refused is not None:
        return refused, None
    rounds = _Rounds(facts, seconds, deterministic_seconds, workers, seed, strict=False, stop=stop)
    rounds.keep_apart = keep_apart
    least = rounds.least(piece, start)
    if least.status != "optimal" or least.cost is None:
        return least, None
    refused = _refusal(piece, facts)
    if refused is not None:
        return least, refused
    given = () if start is None else (tuple(int(label) for label in start),)
    return least, rounds.cheapest(piece, least.cost, given)


def _refusal(piece: Any, facts: Facts, for_cost: bool = True) -> Proof | None:
    """An answer without a model: too few nodes, or nothing that could be exact."""
    if facts.k > facts.n:
        return Proof("infeasible", None, None, f"No plan exists: {facts.n} nodes cannot fill {facts.k} parts.")
    if for_cost and int(piece.inertia_weight):
        return Proof("unknown", None, None, "inertia: it is no part of the exact model")
    if facts.n * facts.k > LARGEST:
        return Proof("unknown", None, None, too_large(facts.n, len(facts.edges), facts.k, UNLIMITED))
    total = sum(abs(p) for p in facts.price) + int(np.abs(np.asarray(piece.unit_cost)).sum())
    total += int(np.abs(np.asarray(piece.away_cost)).sum())
    shares = sum(sum(w[a] for w in facts.work) * MILLION // min(t[a] for t in facts.target) for a in range(facts.width))
    total += int(piece.imbalance_weight) * shares * facts.k
    if total >= 2**53 or shares * max(max(t) for t in facts.target) >= 2**60:
        return Proof("unknown", None, None, "costs are too large for exact arithmetic: divide them by a common factor")
    return None


def _least_of_nodes(piece: Any) -> int:
    """What nodes cost at least, wherever they lie: with the bound on cut edges a bound on the whole."""
    least = int(np.asarray(piece.unit_cost).min(axis=1).sum()) if len(piece.unit_cost) else 0
    return least + int(np.minimum(np.asarray(piece.away_cost), 0).sum())


class _Rounds:
    """Solve, separate, solve again; the state of one proof."""

    measure: Callable[[Sequence[int]], int]

    def __init__(
        self,
        facts: Facts,
        seconds: float,
        effort: float | None,
        workers: int,
        seed: int,
        *,
        strict: bool,
        stop: Callable[[], bool] | None,
    ) -> None:
        self.facts, self.workers, self.seed, self.strict, self.stop = facts, workers, seed, strict, stop
        self.effort = effort
        self.known: set[Any] = set()
        self.ends = time.monotonic() + (UNLIMITED if effort is not None else seconds)
        self.model = cpsat.new_model()
        self.variables: Variables = make_variables(self.model, facts)
        add.add_fixed(self.model, facts, self.variables)
        self.bound: int | None = None
        self.best: tuple[int, tuple[int, ...]] | None = None
        self.most: int | None = None
        self.violation: Any = None
        self.keep_apart = strict

    def seconds_left(self) -> float:
        """Seconds until the end."""
        return max(0.0, self.ends - time.monotonic())

    def least(self, piece: Any, start: Any) -> Proof:
        """Look for the least violation."""
        self.measure = lambda labels: violation_of(self.facts, labels)
        self.bound = 0
        add.add_order(self.model, self.facts, self.variables, add.alike_parts(piece, self.facts), tight=False)
        if self.keep_apart:
            add.add_apart(self.model, self.facts, self.variables)
        self.violation = add_violation(self.model, self.facts, self.variables)
        return self.run(start)

    def cheapest(self, piece: Any, violation: int, plans: Sequence[tuple[int, ...]]) -> Proof:
        """After `least`: look for the least cost among the plans of that violation."""
        found = [] if self.best is None else [self.best[1]]
        self.model.add(self.violation <= violation)
        self.bound, self.best, self.most = None, None, violation
        self.measure = lambda labels: cost_of(piece, self.facts, labels)
        add_cost(self.model, piece, self.facts, self.variables)
        for labels in (*found, *plans):
            self._keep(labels)
        return self.run(None)

    def run(self, start: Any) -> Proof:
        """Solve until a connected plan is as cheap as the bound, there is no plan, or time is up."""
        if start is not None:
            self._keep(tuple(int(label) for label in start))
        known = self.known
        n_rounds = 0
        while not self._is_stopped():
            n_rounds += 1
            answer = cpsat.run(
                self.model,
                self.variables.x,
                hint=None if self.best is None else self.best[1],
                seconds=self.ends - time.monotonic(),
                effort=self.effort,
                workers=self.workers,
                seed=self.seed,
                stop=self.stop,
            )
            if self.effort is not None:
                self.effort -= answer.effort
            if answer.status == "infeasible":
                return self._infeasible(n_rounds)
            if answer.bound is not None:
                self.bound = answer.bound if self.bound is None else max(self.bound, answer.bound)
            new = []
            for labels in answer.plans:
                self._keep(labels)
                new += [s for s in separators(self.facts, labels, bounded=self.strict) if s not in known]
                known.update(new)
            add.add_separators(self.model, self.variables, dict.fromkeys(new))
            if self.best is not None and self.bound is not None and self.best[0] <= self.bound:
                return self._proof("optimal", f"Proved in {n_rounds} rounds with {len(known)} separators.")
            if self._is_stopped() or time.monotonic() >= self.ends or (self.effort is not None and self.effort <= 0):
                break
            if answer.status == "unknown" or (answer.status == "optimal" and not new):
                break
        why = "out of time" if self.effort is None else "effort spent"
        why = "the search was stopped" if self._is_stopped() else why
        return self._proof("unknown" if self.best is None else "feasible", why)

    def _is_stopped(self) -> bool:
        return self.stop is not None and self.stop()

    def _keep(self, labels: tuple[int, ...]) -> None:
        """Remember a plan that breaks nothing and is the cheapest so far."""
        if self._is_plan(labels) and (self.best is None or self.measure(labels) < self.best[0]):
            self.best = (self.measure(labels), labels)

    def _is_plan(self, labels: tuple[int, ...]) -> bool:
        """Check labels from the facts alone: every part connected and there, locks and (when strict) limits kept."""
        facts = self.facts
        if len(labels) != facts.n or set(labels) != set(range(facts.k)):
            return False
        if any(j not in (-1, label) for j, label in zip(facts.fixed, labels)):
            return False
        if any(len(part) != 1 for part in pieces_of_parts(facts, labels)):
            return False
        if self.most is not None and violation_of(facts, labels) > self.most:
            return False
        if self.keep_apart and any(labels[u] == labels[v] for u, v in facts.apart):
            return False
        return not self.strict or violates_nothing(facts, labels)

    def _infeasible(self, n_rounds: int) -> Proof:
        if self.best is not None:
            raise InternalError("the exact model calls a piece infeasible that has a plan.")
        return Proof("infeasible", None, None, f"No plan exists: proved in {n_rounds} rounds.")

    def _proof(self, status: str, reason: str) -> Proof:
        if self.best is None:
            return Proof(status, None, self.bound, reason)
        cost, labels = self.best
        bound = cost if status == "optimal" else self.bound
        if bound is not None and bound > cost:
            raise InternalError(f"the exact model proves a bound of {bound}, but a plan costs {cost}.")
        return Proof(status, np.array(labels, dtype=np.int32), bound, reason, cost)


def violates_nothing(facts: Facts, labels: Sequence[int]) -> bool:
    """Whether all loads are within limits and all pairs apart; exact, where millionths would round down."""
    loads = [[0] * facts.width for _ in range(facts.k)]
    for work, j in zip(facts.work, labels):
        for a, w in enumerate(work):
            loads[j][a] += w
    rows = zip(loads, facts.lo, facts.hi)
    within = all(b <= w <= t for load, low, high in rows for w, b, t in zip(load, low, high))
    return within and all(labels[u] != labels[v] for u, v in facts.apart)
