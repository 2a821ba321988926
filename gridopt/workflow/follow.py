"""`follow`: a plan in its files and what has changed since -> the next plan of its line, with moves and lineage."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.errors import Finding, InputError
from gridopt.io.plan_file import PlanFile
from gridopt.model.problem import Locks, Problem
from gridopt.planning.compare import Comparison, compare
from gridopt.planning.lineage import Lineage
from gridopt.planning.rebalance import rebalance
from gridopt.planning.rebalanced import Rebalanced
from gridopt.rules.build import build_problem
from gridopt.workflow.inherit import grids_before
from gridopt.workflow.plan_files import save_plan
from gridopt.workflow.plan_pairs import match_units, same_units

if TYPE_CHECKING:
    import pandas as pd

    from gridopt.model.graph import Graph

__all__ = ["Followed", "Matched", "follow", "locks_like", "match", "problem_like"]

CARRIED = ("n_grids", "tolerance", "band", "n_per_parent", "scope", "islands", "heavy", "missing", "objective", "soft")
"""What a plan was asked for that holds for the next one too."""


@dataclass(frozen=True, eq=False)
class Matched:
    """
    The units of today, as the plan in force knows them.

    Parameters
    ----------
    before : Series of text
        Grid in force of each unit, by unit id; None where it is new.
    main : Series
        Old unit each unit comes from; missing where it is new.
    findings : tuple of Finding
        What the crosswalk has to say, every ambiguous unit with its shares.
    """

    before: pd.Series[Any]
    main: pd.Series[Any]
    findings: tuple[Finding, ...] = ()


def match(file: PlanFile, units: pd.DataFrame, *, clear: float = 0.8, **more: Any) -> Matched:
    """
    Match the units of today with those of a plan in force.

    Parameters
    ----------
    file : PlanFile
        As `read_plan` returns it.
    units : GeoDataFrame or DataFrame
        Units of today, indexed by id.
    clear, **more
        As in `crosswalk`.

    Returns
    -------
    Matched
        Where ids and shapes are all the same, units are taken as they are.
    """
    import pandas as pd

    if same_units(file.units, units):
        before = file.plan.to_series().astype(object)
        return Matched(before, pd.Series(before.index, index=before.index, dtype=object))
    walk = match_units(file.units, units, clear=clear, **more)
    before, said = grids_before(file.plan, walk, walk.new.index.to_numpy())
    return Matched(before, walk.new["main"].astype(object), (*walk.findings, *said))


def locks_like(file: PlanFile, main: pd.Series[Any]) -> Locks:
    """
    Return the locks of a plan in force, for the units of today: a unit has the locks of the one it comes from.

    Parameters
    ----------
    file : PlanFile
        As `read_plan` returns it.
    main : Series
        Old unit each unit comes from, see `Matched`.
    """
    import pandas as pd

    problem, nesting = file.plan.problem, file.plan.problem.nesting
    row = {u: i for i, u in enumerate(problem.graph.ids.tolist())}
    heirs: dict[int, list[Any]] = {}
    for unit, old in main.items():
        if not pd.isna(old):
            heirs.setdefault(row[old], []).append(unit)

    def units(rows: Any) -> list[Any]:
        return [unit for i in np.asarray(rows).tolist() for unit in heirs.get(i, [])]

    together = [units(np.flatnonzero(problem.together == c)) for c in range(int(problem.together.max(initial=-1)) + 1)]
    alone: dict[str, list[tuple[int, list[Any]]]] = {"dedicated": [], "frozen": []}
    for r, reason in enumerate(nesting.reason):
        if reason in alone and (members := units(np.flatnonzero(nesting.region == r))):
            alone[reason].append((int(np.flatnonzero(nesting.grid_region == r)[0]), members))
    return Locks(
        together=[group for group in together if len(group) > 1],
        apart=[[a, b] for i, j in problem.apart.tolist() for a in heirs.get(i, []) for b in heirs.get(j, [])],
        fixed={u: int(problem.fixed[i]) for i in np.flatnonzero(problem.fixed >= 0).tolist() for u in heirs.get(i, [])},
        dedicated=[members for _, members in alone["dedicated"]],
        frozen=dict(alone["frozen"]),
    )


def problem_like(
    file: PlanFile, graph: Graph, workload: Any, *, parent: Any = None, locks: Locks | None = None, **changes: Any
) -> Problem:
    """
    Build the problem of today with what the plan in force was asked for, except for `changes`.

    Parameters
    ----------
    file : PlanFile
        As `read_plan` returns it.
    graph, workload, parent, locks
        As in `build_problem`.
    **changes
        Other arguments of `build_problem`. A new band replaces number of grids and tolerance, a new tolerance the band.

    Raises
    ------
    InputError
        If the plan was made with costs or targets of the user's own, which no file holds for new units.
    """
    stored = file.document["problem"].get("parameters", {})
    own = [name for name in ("targets",) if name in stored]
    own += [name for name in ("edge_cost", "unit_cost") if name in file.document["problem"]["objective"]]
    if own:
        raise InputError(
            f"the plan was made with {', '.join(f'{name}=' for name in own)}, which cannot be carried over to what has "
            "changed. Build the problem in Python, and call rebalance()."
        )
    asked = {name: stored[name] for name in CARRIED if stored.get(name) is not None}
    given = {name: value for name, value in changes.items() if value is not None}
    if "band" in given:
        asked = {name: value for name, value in asked.items() if name not in ("n_grids", "tolerance")}
    if "tolerance" in given:
        asked.pop("band", None)
    asked |= given
    if "n_grids" not in asked and "band" not in asked:
        asked["n_grids"] = file.plan.problem.n_grids
    if "band" in asked and isinstance(asked["band"], list):
        asked["band"] = tuple(asked["band"])
    return build_problem(graph, workload, parent=parent, locks=locks, **asked)


@dataclass(frozen=True, eq=False)
class Followed:
    """
    The next plan of a line.

    Parameters
    ----------
    rebalanced : Rebalanced
        The plan, and how much had to move at least.
    comparison : Comparison
        What moved since the plan in force; its moves are in an order in which they can be made.
    lineage : Lineage
        History of the grids, this step included.
    findings : tuple of Finding
        What there is to say about the units.
    """

    rebalanced: Rebalanced
    comparison: Comparison
    lineage: Lineage
    findings: tuple[Finding, ...] = ()

    def save(
        self,
        path: str | os.PathLike[str],
        units: pd.DataFrame,
        *,
        inputs: Mapping[str, str | os.PathLike[str]] | None = None,
        findings: Sequence[Finding] = (),
        options: Mapping[str, Any] | None = None,
    ) -> tuple[Path, ...]:
        """Write the files of the plan, with its moves and its lineage; arguments as in `save_plan`."""
        return save_plan(
            path,
            self.rebalanced.result,
            units,
            inputs=inputs,
            findings=(*self.findings, *findings),
            moves=self.comparison.moves,
            lineage=self.lineage,
            options=options,
        )


def follow(
    file: PlanFile,
    problem: Problem,
    matched: Matched,
    *,
    date: str | None = None,
    retired: Iterable[str] = (),
    **options: Any,
) -> Followed:
    """
    Rebalance a plan in force over the units of today.

    Parameters
    ----------
    file : PlanFile
        The plan in force, as `read_plan` returns it.
    problem : Problem
        Limits, locks and workload of today.
    matched : Matched
        The units of today, as the plan in force knows them.
    date : str, optional
        ``YYYY-MM-DD``, for the lineage. Without it none is recorded: equal input gives equal files.
    retired : iterable of str
        Ids that are never given again, besides those the lineage knows.
    **options
        As in `rebalance`.

    Raises
    ------
    InputError
        If the date is none, or as in `rebalance`.

    Examples
    --------
    >>> import gridopt as go, pandas as pd, tempfile
    >>> graph = go.Graph.from_edges(4, [(0, 1), (1, 2), (2, 3)], ids=list("abcd"))
    >>> units = pd.DataFrame({"homes": [2, 2, 2, 2]}, index=list("abcd"))
    >>> plan = go.Plan(go.build_problem(graph, units, n_grids=2), [0, 0, 1, 1])
    >>> path = Path(tempfile.mkdtemp()) / "plan.gpkg"
    >>> read = go.read_plan(save_plan(path, plan, units)[0])
    >>> today = pd.DataFrame({"homes": [4, 3, 2, 1]}, index=list("abcd"))
    >>> problem = problem_like(read, graph, today, tolerance="0.2")
    >>> done = follow(read, problem, match(read, today), date="2026-03-01")
    >>> [(r.old, r.new, r.operation, r.date) for r in done.lineage.records]
    [('G001', 'G002', 'move', '2026-03-01')]
    """
    if date is not None:
        _check_date(date)
    lineage = Lineage.from_dict(file.document["lineage"])
    kept = (*file.plan.grid_ids.tolist(), *lineage.retired, *retired)
    done = rebalance(problem, matched.before, retired=kept, **options)
    reasons = {move.unit: move.reason for move in done.moves}
    found = compare(file.plan, done.plan, before=matched.before, match="ids", reasons=reasons)
    place = {move.unit: i for i, move in enumerate(done.moves)}
    order = sorted(range(len(found.moves)), key=lambda i: place.get(found.moves["unit"].iloc[i], len(place)))
    found = replace(found, moves=found.moves.iloc[order].reset_index(drop=True))
    records = found.lineage(lineage.generation + 1, date)
    return Followed(done, found, lineage.after(records), (*matched.findings, *_tell_joined(matched, found)))


def _tell_joined(matched: Matched, found: Comparison) -> list[Finding]:
    """Where each new unit was put."""
    grid = found.new.to_series()
    fresh = [unit for unit in grid.index.tolist() if matched.before[unit] is None]
    cure = "A new unit: it went where the limits and the least moves want it."
    return [Finding("unit-joined", "info", (unit, grid[unit]), None, None, cure) for unit in fresh]


def _check_date(date: str) -> None:
    try:
        plain = datetime.date.fromisoformat(date).isoformat() == date
    except (TypeError, ValueError):
        plain = False
    if not plain:
        raise InputError(f"date {date!r} is none. Write it as 2026-03-01.")
