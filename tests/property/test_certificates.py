"""Every certificate of infeasibility is a proof: where one is given, looking at all plans finds none."""

from __future__ import annotations

import numpy as np
from brute import broken_pairs, problem_plans, problem_violation, solve_problem
from hypothesis import event, given, settings
from strategies import problems

import gridopt as go
from gridopt.errors import InputError
from gridopt.rules.certificates import find


@settings(max_examples=300)
@given(problems(max_units=7))
def test_no_plan_exists_where_a_certificate_says_so(problem):
    proofs = [finding for finding in find(problem) if finding.severity == "error"]
    for finding in proofs:
        event(finding.code)
    if proofs:
        assert not solve_problem(problem).feasible, [str(finding) for finding in proofs]


def sparse_problems(seed, wanted):
    """Small sparse graphs with tight limits, some with locks: about half of them have no plan."""
    rng = np.random.default_rng(seed)
    while wanted:
        n = int(rng.integers(5, 9))
        edges = {(int(rng.integers(max(0, v - 3), v)), v) for v in range(1, n)}
        edges |= {tuple(sorted(rng.choice(n, 2, replace=False).tolist())) for _ in range(int(rng.integers(0, 4)))}
        ids = [f"u{i}" for i in range(n)]
        work = rng.integers(0, 10, size=(n, int(rng.choice([1, 1, 2]))))
        work[0] += 1
        some = rng.choice(ids, size=3, replace=False).tolist()
        locks = [{}, {}, {}, {"together": [some[:2]]}, {"apart": [some]}, {"fixed": {some[0]: 0, some[1]: 1}}]
        try:
            yield go.build_problem(
                go.Graph.from_edges(n, np.array(sorted(edges)), ids=ids),
                work,
                n_grids=int(rng.integers(2, 5)),
                tolerance=float(rng.choice([0.05, 0.1, 0.2, 0.3, 0.5])),
                heavy=str(rng.choice(["strict", "own_grid"])),
                locks=go.Locks(**locks[int(rng.integers(6))]),
            )
        except InputError:
            continue
        wanted -= 1


def has_plan(problem):
    return any(not broken_pairs(problem, p) and not problem_violation(problem, p) for p in problem_plans(problem))


def test_most_small_problems_without_a_plan_have_a_certificate_and_none_with_one():
    """Nine in ten, where sums of limits, large units and necks alone explained three in four."""
    explained = hopeless = 0
    for problem in sparse_problems(seed=8, wanted=500):
        proofs = [finding for finding in find(problem) if finding.severity == "error"]
        possible = has_plan(problem)
        assert not (proofs and possible), [str(finding) for finding in proofs]
        hopeless += not possible
        explained += bool(proofs)
    assert hopeless > 150
    assert explained >= 0.9 * hopeless, (explained, hopeless)
