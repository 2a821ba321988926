"""Every certificate of infeasibility is a proof: where one is given, looking at all plans finds none."""

from __future__ import annotations

from brute import solve_problem
from hypothesis import event, given, settings
from strategies import problems

from gridopt.rules.certificates import find


@settings(max_examples=300)
@given(problems(max_units=7))
def test_no_plan_exists_where_a_certificate_says_so(problem):
    proofs = [finding for finding in find(problem) if finding.severity == "error"]
    for finding in proofs:
        event(finding.code)
    if proofs:
        assert not solve_problem(problem).feasible, [str(finding) for finding in proofs]
