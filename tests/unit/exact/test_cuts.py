"""The bound of knapsack-tree inequalities against the optimum found by looking at all plans, which it often reaches."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from brute import Best, solve_piece
from strategies import PlainPiece, plain_piece

from gridopt.solvers.exact import cpsat, prove_piece
from gridopt.solvers.exact.cuts import find_tree_cuts
from gridopt.solvers.exact.variables import read_facts

N_PIECES = 300


def random_piece(rng: np.random.Generator) -> PlainPiece:
    """Four to seven nodes, trees as often as not, prices of 1 to 20 an edge, limits that bite from above."""
    n = int(rng.integers(4, 8))
    edges = [(int(rng.integers(v)), v) for v in range(1, n)]
    others = [e for e in combinations(range(n), 2) if e not in edges]
    extra = int(rng.integers(3)) if rng.random() < 0.6 else 0
    edges += [others[i] for i in rng.permutation(len(others))[:extra]]
    k = int(rng.integers(2, 4))
    width = 1 + int(rng.random() < 0.2)
    work = rng.integers(1, 9, (n, width))
    mean = work.sum(axis=0) // k
    slack = rng.integers(1, 5)
    lo, hi = np.tile(np.maximum(0, mean - 2 * slack), (k, 1)), np.tile(mean + slack, (k, 1))
    if rng.random() < 0.3:
        hi = hi + rng.integers(0, 6, (k, 1))
    return plain_piece(n, edges, work, lo, hi, rng.integers(1, 21, len(edges)))


@pytest.fixture(scope="module")
def drawn() -> list[tuple[PlainPiece, Best]]:
    """Pieces with a plan, and the best of each."""
    rng = np.random.default_rng(20)
    found: list[tuple[PlainPiece, Best]] = []
    while len(found) < N_PIECES:
        piece = random_piece(rng)
        best = solve_piece(piece)
        if best.feasible:
            found.append((piece, best))
    return found


def test_the_bound_never_exceeds_the_optimum(drawn: list[tuple[PlainPiece, Best]]) -> None:
    """Edge prices are all of the cost here. A bound that is one too high fails: a third of them reach the optimum."""
    tight = 0
    for i, (piece, best) in enumerate(drawn):
        bound = find_tree_cuts(read_facts(piece)).bound
        assert best.cost is not None
        assert 0 <= bound <= best.cost, (i, bound, best)
        tight += bound == best.cost
    assert tight >= N_PIECES // 5, f"only {tight} bounds are tight: the inequalities do not do their work"


def test_every_cut_holds_for_the_best_plan(drawn: list[tuple[PlainPiece, Best]]) -> None:
    """``sum coefficient cut >= least`` for the edges that the best plan cuts."""
    seen = 0
    for piece, best in drawn:
        facts = read_facts(piece)
        assert best.labels is not None
        cut = [best.labels[u] != best.labels[v] for u, v in facts.edges]
        for row in find_tree_cuts(facts).cuts:
            assert sum(c * cut[e] for e, c in zip(row.edges, row.coefficients)) >= row.least
            seen += row.least > 0
    assert seen > N_PIECES


def priced_piece(rng: np.random.Generator) -> PlainPiece:
    """A random piece where nodes have prices too: in each part, and for leaving home; some are negative."""
    plain = random_piece(rng)
    facts = read_facts(plain)
    prices = {
        "unit_cost": rng.integers(-5, 10, (facts.n, facts.k)),
        "home": rng.integers(-1, facts.k, facts.n).astype(np.int32),
        "away_cost": rng.integers(-3, 9, facts.n),
    }
    return plain_piece(facts.n, facts.edges, facts.work, facts.lo, facts.hi, facts.price, **prices)


def test_a_proof_never_claims_more_than_the_optimum(drawn: list[tuple[PlainPiece, Best]]) -> None:
    """Proved to the end, bound and cost are the optimum; cut off at once, the bound lies below it or is none."""
    rng = np.random.default_rng(21)
    priced = [(piece, solve_piece(piece)) for piece in (priced_piece(rng) for _ in range(60))]
    for piece, best in (*drawn[:60], *priced):
        full = prove_piece(piece)
        assert (full.status, full.bound) == ("optimal" if best.feasible else "infeasible", best.cost)
        short = prove_piece(piece, deterministic_seconds=1e-6)
        assert short.bound is None or not best.feasible or short.bound <= best.cost


def test_without_an_answer_of_the_model_the_bound_is_that_of_the_cuts(
    drawn: list[tuple[PlainPiece, Best]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time is up before CP-SAT says anything: what is then proved rests on the inequalities and the prices of nodes."""
    monkeypatch.setattr(cpsat, "run", lambda *_, **__: cpsat.Answer("unknown", (), None, 0.0))
    rng = np.random.default_rng(22)
    priced = [(piece, solve_piece(piece)) for piece in (priced_piece(rng) for _ in range(100))]
    tight = 0
    for piece, best in (*drawn[:150], *priced):
        proof = prove_piece(piece)
        if best.feasible:
            assert proof.bound <= best.cost
            tight += proof.bound == best.cost
            known = prove_piece(piece, start=best.labels)
            assert (known.status, known.cost, known.bound) in (
                ("optimal", best.cost, best.cost),
                ("feasible", best.cost, proof.bound),
            )
    assert tight > 20
