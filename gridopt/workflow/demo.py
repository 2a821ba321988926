"""`run`: the main job from raw lines to a verified plan, its map and its table, on shipped or generated data."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gridopt.errors import Finding, InputError
from gridopt.io._atomic import check_writable
from gridopt.model.plan import Plan
from gridopt.model.result import Result
from gridopt.workflow._demo_cases import Case, generated, geodanet, line

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

__all__ = ["DemoReport", "run"]

LEAST_STEPS, STEPS_PER_BLOCK = 2_000_000, 5_000
"""Budget of the search when no time is given: a second for the town, half a minute for 10,000 blocks."""
PLAN, PICTURES = "plan.gpkg", ("map.png", "map.svg")
MARK = Finding("demo-data", "info", ("gridopt demo",), None, None, "Only files with this note are written over by it.")
"""Finding that tells a plan of the demo from any other."""
LONGEST_TABLE = 40
"""Grids listed one by one; of more, the ten furthest from their target."""


@dataclass(frozen=True, eq=False)
class DemoReport:
    """
    What the demo did.

    Parameters
    ----------
    lines : tuple of str
        The story for people, in order; the last line is the verdict of `verify` on the files.
    result : Result
        The outcome of `solve`.
    files : tuple of Path
        Files written: the plan (GeoPackage, CSV, JSON) and the map (PNG, SVG).
    findings : tuple of Finding
        What `verify` says of the plan as read back from the files; empty when it is sound.
    """

    lines: tuple[str, ...]
    result: Result
    files: tuple[Path, ...]
    findings: tuple[Finding, ...]


def run(
    out: str | os.PathLike[str],
    *,
    city: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    on_progress: Callable[[Any], bool | None] | None = None,
) -> DemoReport:
    """
    Cut a town into blocks, count its work, divide it into grids, check the plan and draw it. No network is asked.

    Parameters
    ----------
    out : str or path
        Folder for the files; made if it does not exist.
    city : int, optional
        Number of blocks of a generated city (at least 16). Default: the streets, incidents and schools of libpysal's
        example ``geodanet``.
    seconds : float, optional
        Time for the search. Default: a number of steps, so that the same plan comes out each time.
    seed : int
        Seed of the search, and of the generated city.
    on_progress : callable, optional
        Given to `solve`.

    Returns
    -------
    DemoReport

    Raises
    ------
    InputError
        If `out` cannot be a folder or has files of these names that no demo wrote, or `city` is too small.
    NoPlanError
        If the time ended before there was a plan; nothing is written.

    Examples
    --------
    >>> report = run("demo", city=100)  # doctest: +SKIP
    >>> report.lines[-1]  # doctest: +SKIP
    'verified: 0 errors'
    """
    from gridopt.io.plan_file import read_plan
    from gridopt.rules.verify import verify
    from gridopt.solvers.solve import solve
    from gridopt.solvers.warm import compile
    from gridopt.workflow.plan_files import save_plan

    with _folder(out) as folder:
        case = geodanet() if city is None else generated(city, seed)
        steps = max(LEAST_STEPS, STEPS_PER_BLOCK * len(case.blocks))
        budget: dict[str, Any] = {"steps": steps} if seconds is None else {"seconds": seconds}
        compile(processes=2)
        result = solve(case.problem, seed=seed, on_progress=on_progress, **budget)
        plan = result.require_plan()
        files = save_plan(folder / PLAN, result, case.blocks, findings=(*case.findings, MARK))
        pictures = _draw(folder, case, result)
    stored = read_plan(files[0])
    findings = tuple(verify(stored.plan.problem, stored.plan))
    lines = (
        case.title,
        *case.lines,
        *_tell_result(result),
        "",
        *_tell_grids(plan, case.blocks),
        "",
        *(f"wrote {file}" for file in (*files, *pictures)),
        *(str(finding) for finding in findings),
        f"verified: {len(findings)} errors",
    )
    return DemoReport(lines, result, (*files, *pictures), findings)


@contextlib.contextmanager
def _folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """Make the folder, and take it away again when nothing comes of it; files of others are not written over."""
    folder = Path(out)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {folder}: {error.strerror}. Choose another one with --out."
        ) from error
    try:
        _check_own(folder)
        yield folder
    finally:
        with contextlib.suppress(OSError):  # a folder with files in it stays
            for path in made:
                path.rmdir()


def _check_own(folder: Path) -> None:
    """Refuse a folder with files of our names, unless an earlier demo wrote them."""
    there = [folder / name for name in (PLAN, "plan.csv", "plan.json", *PICTURES) if (folder / name).exists()]
    for path in there:
        check_writable(path)
    if not there:
        return
    try:
        told = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["findings"]
        is_own = any(finding["code"] == MARK.code for finding in told)
    except (OSError, ValueError, LookupError, TypeError):
        is_own = False
    if not is_own:
        cure = "Choose another folder with --out."
        raise InputError(
            f"{there[0]} is not of an earlier demo and would be lost. {cure}",
            [Finding("output-not-writable", "error", tuple(map(str, there)), None, None, cure)],
        )


def _draw(folder: Path, case: Case, result: Result) -> tuple[Path, ...]:
    from gridopt.viz.map import draw_map, save_map

    figure = draw_map(
        result.require_plan(),
        case.blocks,
        streets=case.streets,
        barriers=case.barriers,
        title=case.title,
        status=str(result.status),
    )
    return tuple(save_map(figure, folder / name) for name in PICTURES)


def _tell_result(result: Result) -> list[str]:
    k = result.require_plan().problem.n_grids
    found = f"{k:,} grids, {result.status}"
    if result.cost is not None:
        found += f", cost {result.cost:,}"
    if result.bound is not None and result.gap is not None:
        found += f", proved to be at least {result.bound:,}"
    times = result.timings
    spent = f"searched {times.get('search', 0.0):.1f} s"
    if times.get("compile", 0.0) > 1.0:
        spent += f", after compiling for {times['compile']:.1f} s (once)"
    warnings = [finding for finding in result.exceptions if finding.severity == "warning"]
    lines = [line("plan", f"{found}; {spent}"), *(line("", str(finding)) for finding in warnings[:5])]
    return [*lines, line("", f"and {len(warnings) - 5} more, in the files")] if len(warnings) > 5 else lines


def _tell_grids(plan: Plan, blocks: GeoDataFrame) -> list[str]:
    """Return the load table as text: every grid, or the furthest from their targets when there are many."""
    from gridopt.rules.metrics import plan_metrics
    from gridopt.workflow.grids import to_grids

    name = plan.problem.attributes[0]
    grids = to_grids(plan, blocks)
    metrics = plan_metrics(plan)
    deviation = grids[f"deviation_{name}"]
    shown = np.arange(len(grids))
    head = f"{'grid':<8}{'blocks':>8}{name:>12}{'deviation':>12}{'hectares':>11}"
    lines = [head]
    if len(grids) > LONGEST_TABLE:
        shown = np.argsort(-deviation.abs().fillna(0).to_numpy(), kind="stable")[:10]
        lines = ["the ten furthest from their targets", head]
    for j in shown:
        row = grids.iloc[j]
        load, area = row[f"load_{name}"], row["area_m2"] / 1e4
        away = row["exempt"] or f"{100 * deviation.iloc[j]:+.1f} %"
        lines.append(f"{grids.index[j]:<8}{row['n_units']:>8,}{load:>12,.1f}{away:>12}{area:>11,.1f}")
    balance = metrics["balance"][name]
    lines.append(f"deviations from {-100 * balance['worst_under']:+.1f} % to {100 * balance['worst_over']:+.1f} %")
    if "on_streets" in metrics:
        told = f"{100 * metrics['on_streets']:.0f} % of the borders between grids follow streets"
        if metrics["arterial_inside"] is not None:
            told += f"; {100 * metrics['arterial_inside']:.0f} % of arterials run inside grids"
        lines.append(told)
    return lines
