"""Every operator of the search honours every lock and counts every term: plans are judged by the naive twins."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest

from gridopt.solvers.budget import Budget
from gridopt.solvers.construct.bisection import Bisection
from gridopt.solvers.construct.levelling import Levelling
from gridopt.solvers.construct.mending import Mending
from gridopt.solvers.refine.annealing import Annealing, Best
from gridopt.solvers.refine.excursions import Excursions
from gridopt.solvers.refine.focus import Focus
from gridopt.solvers.refine.halves import Halves
from gridopt.solvers.refine.multilevel import Multilevel
from gridopt.solvers.refine.recombination import Recombination
from gridopt.solvers.refine.redivision import Redivision
from gridopt.solvers.refine.relays import Relays
from gridopt.solvers.refine.restarts import Restarts
from gridopt.solvers.table import Table
from tests import naive

CASES = {
    "plain": {},
    "fixed": {"fixed": True},
    "apart": {"apart": True},
    "unit_cost": {"unit_cost": True},
    "home": {"home": True},
    "imbalance": {"imbalance_weight": 2},
    "inertia": {"inertia_weight": 1},
    "attributes": {"attributes": 3},
    "targets": {"unequal": 4.0},
    "all": {"fixed": True, "attributes": 2, "unequal": 3.0, **naive.EVERY_TERM},
}
STEPS = 6_000


def constructed(piece, seed, build):
    labels = build(piece, seed)
    return None if labels is None else Best(labels, *Table(piece, labels).price())


def refined(piece, seed, refine, groups=1):
    """Refine the plan of a bisection; `refine(table, clock, best)`."""
    labels = Bisection()(piece, seed)
    if labels is None:
        return None
    table = Table(piece, labels, groups)
    best = Best(labels.copy(), *table.price())
    start = best.violation, best.cost
    refine(table, Budget(steps=STEPS).start(), best)
    assert (best.violation, best.cost) <= start
    return best


def bisection(piece, seed):
    return constructed(piece, seed, Bisection())


def mending(piece, seed):
    """Mend labels at random, some of them missing."""
    draw = np.random.default_rng(seed)
    return constructed(piece, seed, Mending(draw.integers(-1, piece.n_parts, piece.n_nodes).astype(np.int32)))


def levelling(piece, seed):
    """Level a division that disregards loads."""

    def build(piece, seed):
        labels = Bisection()(dataclasses.replace(piece, workload=np.ones_like(piece.workload)), seed)
        return labels if labels is None else Levelling(light=0.9)(piece, labels, seed)

    return constructed(piece, seed, build)


def recombination(piece, seed):
    search = Recombination(most=3)
    return refined(piece, seed, lambda table, clock, best: search(piece, table, clock, seed, best))


def annealing(piece, seed):
    return refined(piece, seed, lambda table, clock, best: Annealing()(table, clock, seed, best), groups=2)


def chains(longest):
    """Annealing with chains of so many moves, from the first round on."""

    def run(piece, seed):
        search = Annealing(longest=longest, chains_from=0.0, give=5.0)
        return refined(piece, seed, lambda table, clock, best: search(table, clock, seed, best))

    return run


def leaning(piece, seed):
    return refined(piece, seed, lambda table, clock, best: Annealing(lean=1.0)(table, clock, seed, best), groups=2)


def excursions(**how):
    """Excursions by groups of two parts and more, side by side."""

    def run(piece, seed):
        search = Excursions(least_parts=2, **how)
        return refined(piece, seed, lambda table, clock, best: search(table, clock, seed, best), groups=3)

    return run


def focus(piece, seed):
    return refined(piece, seed, lambda table, clock, best: Focus()(table, clock, seed, best))


def relays(piece, seed):
    return refined(piece, seed, lambda table, clock, best: Relays()(table, clock, best))


def redivision(piece, seed):
    return refined(piece, seed, lambda table, clock, best: Redivision()(table, clock, seed, best))


def restarts(piece, seed):
    search = Restarts(steps_per_node=50)
    return refined(piece, seed, lambda table, clock, best: search(piece, table, clock, seed, best))


def multilevel(piece, seed):
    return Multilevel(nodes_per_part=3)(piece, Budget(steps=STEPS).start(), seed)


def halves(piece, seed):
    return Halves(tries=2)(piece, Budget(steps=2 * STEPS).start(), seed)


OPERATORS = {
    "bisection": bisection,
    "mending": mending,
    "levelling": levelling,
    "recombination": recombination,
    "annealing": annealing,
    **{f"chains of {longest}": chains(longest) for longest in (1, 2, 3, 4)},
    "annealing with limits that lean": leaning,
    "excursions": excursions(),
    "lenient excursions": excursions(lenient=0.5),
    "strict excursions": excursions(only_broken=True, give=30.0),
    "focus": focus,
    "relays": relays,
    "redivision": redivision,
    "restarts": restarts,
    "multilevel": multilevel,
    "halves": halves,
}
CONSTRUCTIONS = ("bisection", "mending", "levelling")
MENDERS = ("focus", "recombination", "relays", "strict excursions")
"""Those that only mend what breaks limits, and know no price but that."""
SEARCHES = [name for name in OPERATORS if name not in CONSTRUCTIONS]


def pieces(case, count=8):
    """Pieces with narrow limits, so that most plans miss some: violation has to be counted, too."""
    for seed in range(count):
        piece = naive.random_piece(100 + seed, n=36, k=5, **CASES[case])
        width = np.maximum(1, piece.target // 25)
        yield seed, dataclasses.replace(piece, lo=np.maximum(0, piece.target - width), hi=piece.target + width)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", OPERATORS)
def test_plans_are_sound_and_cost_what_is_claimed(name, case):
    """Exactly k contiguous parts, fixed nodes where they belong, violation and cost as the naive twins count them."""
    found, violated = 0, 0
    for seed, piece in pieces(case):
        best = OPERATORS[name](piece, seed)
        if best is None:
            assert (piece.fixed >= 0).any()  # no path joins them; else there always is a plan
            continue
        found += 1
        assert naive.is_contiguous(piece, best.labels)
        held = piece.fixed >= 0
        assert (best.labels[held] == piece.fixed[held]).all()
        assert best.violation == naive.violation(piece, best.labels)
        assert best.cost == naive.cost(piece, best.labels)
        violated += best.violation > 0
    assert found >= 6
    if name in CONSTRUCTIONS:
        assert violated


LIMITS = ["apart", "attributes", "targets"]
PRICES = ["unit_cost", "home", "imbalance", "inertia"]


def _knows(name, case):
    """Menders know limits alone, some of them loads alone, and one that divides parts anew leaves inertia to others."""
    if name == "redivision":
        return case != "inertia"
    return not ((name in MENDERS and case in PRICES) or (name in ("recombination", "relays") and case == "apart"))


@pytest.mark.parametrize(
    ("name", "case"), [(name, case) for name in SEARCHES for case in LIMITS + PRICES if _knows(name, case)]
)
def test_a_search_that_knows_of_a_term_does_better_by_it_than_one_that_does_not(name, case):
    """Over all pieces together; where limits are not in question they are wide. Focus only mends what breaks limits."""
    aware, blind = 0, 0
    for seed, piece in pieces(case, 12):
        if case not in ("attributes", "targets"):
            whole = np.broadcast_to(piece.workload.sum(axis=0), piece.hi.shape)
            piece = dataclasses.replace(piece, lo=np.zeros_like(piece.lo), hi=whole.copy())
        if case == "apart":
            piece = _apart_along_edges(piece)
        if case == "home":
            piece = dataclasses.replace(piece, home=Bisection()(piece, seed + 50), away_cost=10 * piece.away_cost)
        knows, not_ = OPERATORS[name](piece, seed), OPERATORS[name](_without(piece, case), seed)
        aware += _judge(piece, case, knows.labels)
        blind += _judge(piece, case, not_.labels)
    assert aware < blind


def _judge(piece, case, labels):
    if case in LIMITS:
        return naive.violation(piece, labels)
    return naive.cost(piece, labels)


def _apart_along_edges(piece):
    """The ends of the dearest edges apart: who knows nothing of it puts them together."""
    rows = np.repeat(np.arange(piece.n_nodes), np.diff(piece.indptr))
    dear = piece.weights >= np.sort(piece.weights)[-8]
    near = [sorted(piece.indices[(rows == u) & dear].tolist()) for u in range(piece.n_nodes)]
    return dataclasses.replace(
        piece,
        apart_indptr=np.cumsum([0] + [len(row) for row in near]).astype(np.int64),
        apart_indices=np.array([v for row in near for v in row], dtype=np.int32),
    )


def _without(piece, case):
    """The same piece for a search that does not know of a term."""
    n = piece.n_nodes
    if case == "attributes":
        one = {name: getattr(piece, name)[:, :1] for name in ("workload", "lo", "hi", "target")}
        return dataclasses.replace(piece, **one)
    if case == "targets":
        mean = np.rint(np.broadcast_to(piece.target.mean(axis=0), piece.target.shape)).astype(np.int64)
        width = np.maximum(1, mean // 25)
        return dataclasses.replace(piece, target=mean, lo=mean - width, hi=mean + width)
    blind = {
        "apart": {"apart_indptr": np.zeros(n + 1, np.int64), "apart_indices": np.empty(0, np.int32)},
        "unit_cost": {"unit_cost": np.empty((0, 0), np.int64)},
        "home": {"home": np.full(n, -1, np.int32)},
        "imbalance": {"imbalance_weight": 0},
        "inertia": {"inertia_weight": 0},
    }
    return dataclasses.replace(piece, **blind[case])


@pytest.mark.parametrize("case", CASES)
def test_nothing_claims_less_than_the_best_of_all_plans_and_restarts_find_it_or_come_near(case, monkeypatch):
    """
    Brute force over all labels of pieces of 7 nodes in 3 parts, most of which have no plan within limits: the least
    violation is found in all but two of twelve, and half the time at the least cost.
    """
    monkeypatch.setitem(globals(), "STEPS", 20_000)
    solvable, nearest, cheapest = 0, 0, 0
    for seed in range(12):
        piece = naive.random_piece(seed, n=7, k=3, **CASES[case])
        optimum = _optimum(piece)
        if optimum is None:
            continue
        solvable += 1
        for name, operator in OPERATORS.items():
            best = operator(piece, seed)
            if best is not None:
                assert (best.violation, best.cost) >= optimum
            if name == "restarts" and best is not None:
                nearest += best.violation == optimum[0]
                cheapest += (best.violation, best.cost) == optimum
    assert solvable >= 6
    assert nearest >= solvable - 2
    assert 2 * cheapest >= solvable


def _optimum(piece):
    """Least (violation, cost) of all contiguous plans that leave fixed nodes where they are; None: there is none."""
    found = None
    choices = [range(piece.n_parts) if f < 0 else [f] for f in piece.fixed.tolist()]
    joined = {members for size in range(1, piece.n_nodes + 1) for members in _connected_sets(piece, size)}
    for labels in itertools.product(*choices):
        parts = [tuple(u for u, own in enumerate(labels) if own == p) for p in range(piece.n_parts)]
        if not joined.issuperset(parts):
            continue
        price = naive.violation(piece, labels), naive.cost(piece, labels)
        found = price if found is None else min(found, price)
    return found


def _connected_sets(piece, size):
    """Sets of so many nodes that are one piece."""
    for members in itertools.combinations(range(piece.n_nodes), size):
        inside = [int(u in members) for u in range(piece.n_nodes)]
        if sum(nodes[0] in members for nodes in naive.pieces_of(piece, inside)) == 1:
            yield members


@pytest.mark.parametrize("name", SEARCHES)
def test_the_same_seed_gives_the_same_plan_and_trace(name):
    for seed, piece in pieces("all", 3):
        runs = [OPERATORS[name](piece, seed) for _ in range(2)]
        if runs[0] is None:
            continue
        assert runs[0].labels.tolist() == runs[1].labels.tolist()
        assert [(a, c, v) for a, _, c, v in runs[0].trace] == [(a, c, v) for a, _, c, v in runs[1].trace]
