"""Plans in files: ``plan.gpkg`` with its layers, ``plan.csv``, and ``plan.json``, which is renamed into place last."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_numbers, nearest_names, to_work_units
from gridopt.errors import Finding, GridoptError, InputError, name_ids
from gridopt.io._atomic import check_no_input, check_writable, replacing, sha256_of
from gridopt.io._document import SCHEMA_VERSION, begin_lineage, digests_of, make_document, read_json, write_json
from gridopt.io._edits import edits_elsewhere, need_layers
from gridopt.io._layers import adjacency_table, findings_table, fit_columns, problem_table, write_layers
from gridopt.io._stored import document_of, graph_from, ids_of, problem_from
from gridopt.io.qgis import Style, write_styles
from gridopt.io.tables import existing_file, need_columns, read_table, split_layer
from gridopt.model.plan import Plan
from gridopt.model.problem import Problem
from gridopt.model.result import Result

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["SCHEMA_VERSION", "PlanFile", "check_outputs", "outputs_of", "read_plan", "write_plan", "write_result"]


@dataclass(frozen=True, eq=False)
class PlanFile:
    """
    A plan read from its files.

    Parameters
    ----------
    path : Path
        The GeoPackage.
    units : GeoDataFrame or DataFrame
        Layer ``units``, indexed by unit id, in the order of the plan; the column ``grid`` as it stands in the file.
    plan : Plan
        Its labels are those of the column ``grid``, edited or not; its problem has the limits of ``plan.json``.
    document : dict
        ``plan.json``.
    findings : tuple of Finding
        What changed since the plan was written.

    Examples
    --------
    Made by `read_plan`; see `write_plan`.

    >>> PlanFile.problem.__doc__
    'The problem the plan belongs to.'
    """

    path: Path
    units: pd.DataFrame
    plan: Plan
    document: Mapping[str, Any]
    findings: tuple[Finding, ...] = ()

    @property
    def problem(self) -> Problem:
        """The problem the plan belongs to."""
        return self.plan.problem

    def __repr__(self) -> str:
        return f"PlanFile({str(self.path)!r}, {self.plan!r}, {len(self.findings)} findings)"


def outputs_of(path: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """
    Return the files of a plan: GeoPackage, CSV, JSON.

    Examples
    --------
    >>> [p.name for p in outputs_of("out/plan.gpkg")]
    ['plan.gpkg', 'plan.csv', 'plan.json']
    """
    target = Path(path)
    if target.suffix.lower() != ".gpkg":
        cure = f"Name it {target.stem or 'plan'}.gpkg."
        finding = Finding("output-suffix", "error", (str(target),), target.suffix, ".gpkg", cure)
        raise InputError(f"a plan is written to a GeoPackage, not to {str(target)!r}. {cure}", [finding])
    return target, target.with_suffix(".csv"), target.with_suffix(".json")


def check_outputs(path: str | os.PathLike[str]) -> tuple[Path, Path, Path]:
    """Like `outputs_of`, after making sure that each can be written; raises `InputError` if not."""
    gpkg, csv, document = outputs_of(path)
    return check_writable(gpkg), check_writable(csv), check_writable(document)


def write_plan(
    path: str | os.PathLike[str],
    result: Result,
    units: pd.DataFrame,
    *,
    grids: gpd.GeoDataFrame | None = None,
    borders: gpd.GeoDataFrame | None = None,
    inputs: Mapping[str, str | os.PathLike[str]] | None = None,
    findings: Sequence[Finding] = (),
    metrics: Mapping[str, Any] | None = None,
    styles: Sequence[Style] = (),
    moves: pd.DataFrame | None = None,
    lineage: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Path, Path, Path]:
    """
    Write the files of a plan: all appear, or the old ones stay.

    Parameters
    ----------
    path : str or path
        The GeoPackage, ``….gpkg``; ``….csv`` (unit, grid) and ``….json`` are written beside it.
    result : Result
        Has a plan.
    units : GeoDataFrame or DataFrame
        The units of the plan, indexed by id; all columns are kept. Workload columns it lacks are added.
    grids, borders : GeoDataFrame, optional
        Dissolved grids, and lines between them, for the layers of these names.
    inputs : mapping of str to path, optional
        Files that were read, ``FILE`` or ``FILE:layer``, by what they are for; their hashes are recorded.
    findings : sequence of Finding
        What else is to be kept in the layer ``findings``, besides those of the problem and the result.
    metrics : mapping, optional
        Figures of the plan, for ``plan.json``.
    styles : sequence of Style
        How its layers look in QGIS.
    moves : GeoDataFrame or DataFrame, optional
        Units that moved from the plan before, for the layer of this name.
    lineage : mapping, optional
        What the grids descend from, as `gridopt.planning.lineage.Lineage.as_dict` gives it. Default: a line of plans
        begins with this one.
    options : mapping, optional
        How the input was read (columns of ids, parents …), for those who read it again.

    Returns
    -------
    tuple of Path
        GeoPackage, CSV, JSON.

    Raises
    ------
    InputError
        If the units are not those of the plan, a column contradicts the plan's workload, or a file cannot be written or
        is one of `inputs`.
    NoPlanError
        If the result has no plan.

    Notes
    -----
    The layer ``units`` has ``unit`` and ``grid`` besides the user's columns; ``adjacency`` (``u, v, length, cost,
    kind``, lengths in decimetres) and ``problem`` (region, locks) hold what checking the plan again takes, with the
    limits in ``plan.json``. These and ``findings`` have no geometry.

    Examples
    --------
    >>> import gridopt as go, pandas as pd, tempfile
    >>> graph = go.Graph.from_edges(2, [(0, 1)], ids=["a", "b"])
    >>> plan = go.Plan(go.build_problem(graph, workload=[1, 1], n_grids=2), [0, 1])
    >>> result = go.Result(go.Status.FEASIBLE, "shown", plan)
    >>> path = Path(tempfile.mkdtemp()) / "plan.gpkg"
    >>> _ = write_plan(path, result, pd.DataFrame({"workload": [1, 1]}, index=["a", "b"]))
    >>> read_plan(path).plan.to_series().to_dict()
    {'a': 'G001', 'b': 'G002'}
    """
    plan = result.require_plan()
    problem = plan.problem
    gpkg, csv, target = outputs_of(path)
    check_no_input((gpkg, csv, target), [split_layer(source)[0] for source in (inputs or {}).values()])
    ordered = _in_order(units, problem.graph.ids)
    ordered = _with_workload(ordered, problem)
    table, names, renamed = fit_columns(ordered, plan.grid_ids[plan.labels])
    told = _distinct((*result.exceptions, *problem.findings, *findings, *renamed))
    layers: dict[str, Any] = {"units": table}
    if grids is not None:
        layers["grids"] = grids.reset_index()
    if borders is not None:
        layers["borders"] = borders
    if moves is not None:
        layers["moves"] = moves
    layers["adjacency"] = adjacency_table(problem.graph, problem.edge_cost)
    layers["problem"] = problem_table(problem, plan.grid_ids)
    layers["findings"] = findings_table(told)
    document = make_document(result, told, inputs, metrics)
    document["problem"] = document_of(problem, plan.grid_ids)
    for attribute in document["problem"]["attributes"]:
        attribute["column"] = names[attribute["name"]]
    document["digests"] = digests_of(plan)
    document["lineage"] = begin_lineage(document["digests"]) if lineage is None else dict(lineage)
    document["options"] = dict(options or {})
    with replacing(gpkg, csv, target) as (new_gpkg, new_csv, new_target):
        write_layers(new_gpkg, layers)
        if styles:
            write_styles(new_gpkg, styles)
        _write_assignment(new_csv, plan)
        document["files"] = {gpkg.name: sha256_of(new_gpkg), csv.name: sha256_of(new_csv)}
        write_json(new_target, document)
    return gpkg, csv, target


def write_result(
    path: str | os.PathLike[str],
    result: Result,
    *,
    inputs: Mapping[str, str | os.PathLike[str]] | None = None,
    findings: Sequence[Finding] = (),
    metrics: Mapping[str, Any] | None = None,
    files: Sequence[str | os.PathLike[str]] = (),
) -> Path:
    """
    Write the JSON file alone: for a result without a plan, or beside a partition.

    Parameters
    ----------
    path : str or path
        The JSON file.
    result, inputs, findings, metrics
        As for `write_plan`.
    files : sequence of path
        Files written before, whose hashes are recorded.
    """
    target = Path(path)
    check_no_input([target], [split_layer(source)[0] for source in (inputs or {}).values()])
    document = make_document(result, _distinct((*result.exceptions, *findings)), inputs, metrics)
    if result.plan is not None:
        document["problem"] = document_of(result.plan.problem, result.plan.grid_ids)
        document["digests"] = digests_of(result.plan)
    document["files"] = {Path(f).name: sha256_of(f) for f in files}
    with replacing(target) as (temporary,):
        write_json(temporary, document)
    return target


def read_plan(path: str | os.PathLike[str]) -> PlanFile:
    """
    Read a plan back, its column ``grid`` edited or not.

    Parameters
    ----------
    path : str or path
        The GeoPackage; ``plan.json`` must lie beside it.

    Returns
    -------
    PlanFile
        Units, plan with problem, the document, and what changed since it was written.

    Raises
    ------
    InputError
        If a file or layer is missing or is of another plan, units were added or removed, or a unit has no grid, or one
        that the plan does not have.

    Examples
    --------
    See `write_plan`.

    >>> read_plan("no-such-folder/plan.gpkg")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gridopt.errors.InputError: plan file no-such-folder/plan.gpkg does not exist: ...
    """
    gpkg = existing_file(path, "plan")
    gpkg, _, beside = outputs_of(gpkg)
    document = read_json(beside, gpkg)
    parts = {
        "units": ("unit", "grid"),
        "adjacency": ("u", "v", "length", "cost", "kind"),
        "problem": ("unit", "region", "fixed", "together"),
    }
    need_layers(gpkg, parts)
    layers = {
        name: read_table(f"{gpkg}:{name}", what=f"plan ({name})", columns=columns, may_be_empty=name == "adjacency")
        for name, columns in parts.items()
    }
    try:
        units, plan = _rebuild(document["problem"], layers, gpkg)
        changes = _changes(plan, document, gpkg)
    except GridoptError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        cure = "Restore both as they were written, or solve again."
        why = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(
            f"{beside} and {gpkg.name} are incomplete or do not fit together ({why}). {cure}",
            [Finding("plan-mismatch", "error", (str(gpkg),), why, None, cure)],
        ) from error
    return PlanFile(gpkg, units, plan, document, (*changes, *edits_elsewhere(gpkg, units["grid"])))


def _rebuild(stored: Mapping[str, Any], layers: Mapping[str, pd.DataFrame], gpkg: Path) -> tuple[pd.DataFrame, Plan]:
    """Units in the order of the plan, and the plan, from the layers and the stored problem."""
    units, table, adjacency = layers["units"], layers["problem"], layers["adjacency"]
    need_columns(units, [a["column"] for a in stored["attributes"]], "plan (units)", str(gpkg))
    graph = graph_from(adjacency, table, stored["classes"])
    units.index = _index(ids_of(units["unit"]))
    units = _in_order(units.drop(columns="unit"), graph.ids)
    problem = problem_from(stored, graph, table, adjacency, units)
    grids = [grid["id"] for grid in stored["grids"]]
    return units, Plan(problem, _labels_of(units["grid"], grids), np.array(grids, dtype=object))


# ---- checks ---------------------------------------------------------------------------------------------------------


def _in_order(units: pd.DataFrame, ids: NDArray[Any]) -> pd.DataFrame:
    """Rows in the order of `ids`; units too many or too few are an error."""
    where = {u: i for i, u in enumerate(units.index.tolist())}
    wanted = ids.tolist()
    absent = [u for u in wanted if u not in where]
    extra = sorted(set(where) - set(wanted), key=str)
    if absent or extra or len(where) != len(units):
        if len(where) != len(units):
            who: list[Any] = sorted(units.index[units.index.duplicated()].unique().tolist(), key=str)
            what = "occur more than once"
        else:
            who, what = (absent, "are missing") if absent else (extra, "are not units of the plan")
        cure = "A plan is about the units it was solved on: restore them, or solve again."
        raise InputError(
            f"units and plan do not match: {len(who)} units {what} (first: {name_ids(who)}). {cure}",
            [Finding("index-mismatch", "error", tuple(who[:50]), len(who), 0, cure)],
        )
    return units.iloc[[where[u] for u in wanted]]


def _with_workload(units: pd.DataFrame, problem: Problem) -> pd.DataFrame:
    """Make sure the workload can be read back from the units' own columns."""
    units = units.copy()
    for column, (name, size) in enumerate(zip(problem.attributes, problem.resolution)):
        work = problem.workload[:, column]
        if name not in units.columns:
            units[name] = problem.in_user_units(work, column)
            continue
        if units[name].dtype == object:  # True among numbers counts as 1, but would be written as text
            units[name] = as_numbers(units[name].to_numpy(), problem.graph.ids, name)
        found = to_work_units(units[name].to_numpy(), problem.graph.ids, name, size, "zero")
        odd = np.flatnonzero(found != work)
        if len(odd):
            cure = "Give the table the plan was solved on, or rename that column."
            who = problem.graph.ids[odd].tolist()
            raise InputError(
                f"column {name!r} of the units is not the plan's workload: {len(odd)} units differ (first: "
                f"{name_ids(who[:1])} has {units[name].iloc[odd[0]]}, the plan "
                f"{problem.in_user_units(int(work[odd[0]]), column)}). {cure}",
                [Finding("workload-mismatch", "error", tuple(who[:50]), len(odd), 0, cure)],
            )
    return units


def _distinct(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding once, in the order told: a problem's own come again among the exceptions of its result."""
    return tuple({repr(f): f for f in reversed(findings)}.values())[::-1]


def _labels_of(column: pd.Series[Any], grids: list[str]) -> NDArray[np.int32]:
    row = {name: j for j, name in enumerate(grids)}
    values = [v.strip() if isinstance(v, str) else v for v in column.tolist()]
    labels = np.array([row.get(v, -1) if isinstance(v, str) else -1 for v in values], dtype=np.int32)
    bad = np.flatnonzero(labels < 0)
    if len(bad):
        who = tuple(column.index[bad].tolist())
        seen = values[bad[0]]
        empty = not isinstance(seen, str) or not seen
        what = "have no grid" if empty else f"have a grid the plan does not have (first: {str(seen)!r})"
        cure = "Fill the column grid. " if empty else ""
        cure += nearest_names(str(seen), grids)
        raise InputError(
            f"{len(bad)} units {what}: {name_ids(who)}. {cure}",
            [Finding("unknown-grid", "error", who[:50], None if empty else str(seen), None, cure)],
        )
    return labels


def _changes(plan: Plan, document: Mapping[str, Any], gpkg: Path) -> list[Finding]:
    """What differs from what was written."""
    now, then = digests_of(plan), document.get("digests", {})
    if now["adjacency"] != then.get("adjacency"):
        cure = "Restore the layer from the file as it was written, or solve again."
        raise InputError(
            f"layer adjacency of {gpkg} is not the one its plan.json tells of: the two files belong to different "
            f"plans, or the layer was edited. {cure}",
            [Finding("plan-mismatch", "error", (str(gpkg),), "adjacency", None, cure)],
        )
    found = []
    if now["labels"] != then.get("labels"):
        cure = (
            "The plan is checked as it now stands. Layers grids and borders, plan.csv, and status, cost and bound in "
            "plan.json are still those of the plan as written; in Python, go.save_plan makes them anew."
        )
        found.append(Finding("grid-edited", "info", (str(gpkg),), None, None, cure))
    if now["limits"] != then.get("limits"):
        cure = "The plan is held against limits and locks as they now stand, not those it was solved for."
        found.append(Finding("limits-edited", "warning", (str(gpkg),), None, None, cure))
    if now["workload"] != then.get("workload"):
        cure = "Loads are those of the columns as they now stand; the limits are those the plan was solved for."
        found.append(Finding("workload-edited", "warning", (str(gpkg),), None, None, cure))
    return found


def _write_assignment(path: Path, plan: Plan) -> None:
    """CSV with the columns unit and grid, UTF-8, text quoted where it has to be."""
    plan.to_series().to_csv(path, index=True, encoding="utf-8", lineterminator="\n")


def _index(ids: Any) -> pd.Index:
    import pandas as pd

    return pd.Index(ids, name="unit")
