"""``plan.json``: what is said of a plan besides its units and edges, written and read back."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gridopt.errors import Finding, InputError
from gridopt.io._atomic import sha256_of
from gridopt.io._stored import digest
from gridopt.io.tables import split_layer
from gridopt.model.plan import Plan
from gridopt.model.result import Result

__all__ = ["SCHEMA_VERSION", "begin_lineage", "digests_of", "make_document", "read_json", "write_json"]

SCHEMA = "gridopt-plan"
SCHEMA_VERSION = 2
READABLE = (1, 2)
"""Version 1 has no lineage: its grids begin with it."""


def make_document(
    result: Result,
    findings: Sequence[Finding],
    inputs: Mapping[str, str | os.PathLike[str]] | None,
    metrics: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "status": str(result.status),
        "reason": result.reason,
        "cost": result.cost,
        "bound": result.bound,
        "gap": result.gap,
        "imbalance": result.imbalance,
        "imbalance_bound": result.imbalance_bound,
        "seed": result.seed,
        "parameters": dict(result.parameters),
        "versions": dict(result.versions),
        "timings": dict(result.timings),
        "metrics": dict(metrics or {}),
        "inputs": [_input(role, source) for role, source in (inputs or {}).items()],
        "exceptions": [f.as_dict() for f in result.exceptions],
        "findings": [f.as_dict() for f in findings],
        "trace": [step._asdict() for step in result.trace],
    }


def _input(role: str, source: str | os.PathLike[str]) -> dict[str, Any]:
    path, layer = split_layer(source)
    return {"role": role, "path": str(path), "layer": layer, "sha256": sha256_of(path)}


def digests_of(plan: Plan) -> dict[str, str]:
    problem, graph, nesting = plan.problem, plan.problem.graph, plan.problem.nesting
    locks = (problem.fixed, problem.together, problem.apart)
    return {
        "labels": digest(graph.ids, plan.labels),
        "workload": digest(graph.ids, problem.workload),
        "limits": digest(problem.lo, problem.hi, nesting.region, nesting.grid_region, nesting.reason, *locks),
        "adjacency": digest(graph.ids, graph.edges, graph.length, graph.cost, graph.kind),
    }


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(_plain(document), ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Numbers of numpy, fractions, paths and mappings as JSON knows them; what is not finite is null."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def read_json(path: Path, gpkg: Path) -> dict[str, Any]:
    if not path.is_file():
        cure = "Keep the two together: it holds the limits the plan was solved for."
        raise InputError(
            f"there is no {path.name} beside {gpkg}. {cure}",
            [Finding("file-missing", "error", (str(path),), None, None, cure)],
        )
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        cure = "Restore it, or solve again."
        raise InputError(
            f"{path} cannot be read: {error}. {cure}",
            [Finding("file-unreadable", "error", (str(path),), str(error), None, cure)],
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise InputError(f"{path} is not the plan.json of gridopt. Restore it, or solve again.")
    if document.get("schema_version") not in READABLE:
        raise InputError(
            f"{path} has schema version {document.get('schema_version')}, this gridopt reads up to {SCHEMA_VERSION}. "
            "Use the version of gridopt that wrote it, or solve again."
        )
    if "problem" not in document:
        raise InputError(
            f"{path} tells of a run that found no plan ({document.get('status')}: {document.get('reason')}); "
            f"{gpkg.name} is from before. Solve again."
        )
    if "lineage" not in document:
        digests = document.get("digests")
        document["lineage"] = begin_lineage(digests if isinstance(digests, dict) else {})
    return document


def begin_lineage(digests: Mapping[str, str]) -> dict[str, Any]:
    """
    Lineage of a plan that nothing precedes: its family is named by its labels.

    Examples
    --------
    >>> begin_lineage({"labels": "2f0c"})
    {'family': '2f0c', 'generation': 0, 'retired': [], 'records': []}
    """
    return {"family": digests.get("labels", ""), "generation": 0, "retired": [], "records": []}
