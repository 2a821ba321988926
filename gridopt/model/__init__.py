"""Nouns: graph, problem, plan, result. Frozen, integer, one representation."""

from gridopt.model.graph import BORDER, CROSSING, KINDS, LINK, Graph
from gridopt.model.plan import Plan
from gridopt.model.problem import EXEMPT_REASONS, TERMS, Locks, Nesting, Problem, grid_ids
from gridopt.model.result import Result, Status, Step, Trace

__all__ = [
    "BORDER",
    "CROSSING",
    "EXEMPT_REASONS",
    "KINDS",
    "LINK",
    "TERMS",
    "Graph",
    "Locks",
    "Nesting",
    "Plan",
    "Problem",
    "Result",
    "Status",
    "Step",
    "Trace",
    "grid_ids",
]
