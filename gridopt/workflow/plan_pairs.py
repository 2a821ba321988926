"""Two plans from files: the same units or not, the same line of plans or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gridopt.errors import Finding, InputError
from gridopt.planning.compare import Comparison, compare
from gridopt.workflow.crosswalk import EVIDENCE, Crosswalk, crosswalk
from gridopt.workflow.inherit import grids_before

if TYPE_CHECKING:
    import pandas as pd

    from gridopt.io.plan_file import PlanFile

__all__ = ["compare_files", "match_units", "same_units"]

SNAP = 0.01
"""Metres a vertex may have shifted in files: the unit is the same."""


def compare_files(
    old: PlanFile,
    new: PlanFile,
    *,
    match: Literal["auto", "ids", "overlap"] = "auto",
    clear: float = 0.8,
) -> tuple[Comparison, tuple[Finding, ...]]:
    """
    Compare two plans read from files, over the same units or over layers that differ.

    Parameters
    ----------
    old, new : PlanFile
        As `read_plan` returns them.
    match : {"auto", "ids", "overlap"}
        As in `compare`; ``"auto"`` believes ids where both files belong to one line of plans (`Lineage.family`).
    clear : float
        As in `crosswalk`.

    Returns
    -------
    Comparison
    tuple of Finding
        What the crosswalk has to say; empty where the units are the same.

    Examples
    --------
    >>> found, _ = compare_files(go.read_plan("before.gpkg"), go.read_plan("after.gpkg"))  # doctest: +SKIP
    """
    if match == "auto":
        families = [_family(file.document.get("lineage")) for file in (old, new)]
        match = "ids" if families[0] and families[0] == families[1] else "overlap"
    if same_units(old.units, new.units):
        return compare(old.plan, new.plan, match=match), ()
    walk = match_units(old.units, new.units, clear=clear)
    before, said = grids_before(old.plan, walk, new.plan.problem.graph.ids)
    told = [f for f in walk.findings if f.code != "ambiguous-origin"]
    return compare(old.plan, new.plan, before=before, match=match), (*told, *said)


def same_units(old: Any, new: Any) -> bool:
    """
    Tell whether two layers hold the same units: the same ids, each with the same shape.

    Examples
    --------
    >>> import pandas as pd
    >>> same_units(pd.DataFrame(index=["a", "b"]), pd.DataFrame(index=["b", "a"]))
    True
    """
    if len(old) != len(new) or set(old.index.tolist()) != set(new.index.tolist()):
        return False
    shaped = [hasattr(layer, "geometry") for layer in (old, new)]
    if not all(shaped):
        return not any(shaped)
    if old.crs is not None and new.crs is not None and old.crs != new.crs:
        new = new.to_crs(old.crs)
    import shapely

    degrees = old.crs is not None and old.crs.is_geographic
    again = new.geometry.loc[old.index.tolist()].to_numpy()
    equal = shapely.equals_exact(old.geometry.to_numpy(), again, tolerance=SNAP / 1e5 if degrees else SNAP)
    return bool(np.all(equal))


def match_units(old: pd.DataFrame, new: pd.DataFrame, *, clear: float = 0.8, **more: Any) -> Crosswalk:
    """Make the crosswalk of two layers, by id alone where neither has shapes."""
    shaped = [hasattr(layer, "geometry") for layer in (old, new)]
    if any(shaped) != all(shaped):
        raise InputError("one of the plans has polygons and the other has none: their units cannot be matched.")
    return crosswalk(old, new, by=EVIDENCE if all(shaped) else ("id",), clear=clear, **more)


def _family(lineage: Any) -> Any:
    """What plans that descend from one another have in common; None where the file says nothing of it."""
    return lineage.get("family") if isinstance(lineage, dict) else None
