"""Judgement: limits, objective, constraints, metrics, verify."""
