"""check: what can be said of a problem before any search."""

from __future__ import annotations

from gridopt.errors import Finding
from gridopt.model import Problem
from gridopt.rules.certificates import find

__all__ = ["check"]


def check(problem: Problem) -> list[Finding]:
    """
    Say what is worth knowing about a problem before solving it.

    Parameters
    ----------
    problem : Problem
        Built, so free of malformed input.

    Returns
    -------
    list of Finding
        Errors first: each proves that no sound plan exists (unless the problem is soft, then they are warnings).
        Then what was noticed while building: units and pieces that stand alone, components, rounding.

    Examples
    --------
    >>> import gridopt as go
    >>> graph = go.Graph.from_edges(3, [(0, 1), (1, 2)])
    >>> problem = go.build_problem(graph, workload=[1, 9, 1], n_grids=2, tolerance=0.1, heavy="strict")
    >>> [finding.code for finding in check(problem) if finding.severity == "error"]
    ['heavy-unit']
    """
    return [*find(problem), *problem.findings]
