"""
Pictures of a record: ``python -m benchmarks.quality.pictures FILE.csv... [--out DIR]``.

Performance profiles (Dolan and More 2002, Mathematical Programming 91, 201-213): for each solver the share of problems
on which its cut is at most so many times the least cut of all; and, for each instance, how the cut fell with time.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.record import read_rows
from gridopt.workflow import datasets

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

__all__ = ["draw_all", "draw_over_time", "draw_profiles", "profile", "ratios"]

Rows = Sequence[dict[str, Any]]

PANELS = (
    ("as returned, whatever its balance and pieces", ("claim", "plan"), False),
    ("sound: contiguous and within both limits", ("repaired", "plan"), True),
)
"""Title, views that take part, and whether only sound results count."""
COLOURS = {"gridopt": "#000000", "metis": "#d55e00"}
OTHERS = ("#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8c564b", "#9467bd", "#bcbd22", "#17becf")
STYLES = ("-", "--", "-.", ":")
MARKERS = {"-": "o", "--": "s", "-.": "D", ":": "^"}
TICKS = (1.01, 1.02, 1.05, 1.1, 1.2, 1.3, 1.5, 2, 3, 5, 10, 20, 50)
SEEN = 1.4
"""A picture over time shows cuts up to so many times the least; what lies above is named in the legend."""
UNFINISHED = float("inf")


def ratios(rows: Rows, views: Sequence[str], sound: bool) -> dict[str, NDArray[np.float64]]:
    """
    Cut over the least cut of all solvers, by solver; one entry for each problem (instance, budget, seed), in one order.

    A result that does not count, or is absent, is infinite. Budgets are those gridopt was given; a solver that was not
    given as much (in suites METIS gets 10 s at most) counts with the most it was given. Problems that only one solver
    was given, or on which none has a result, are left out.
    """
    groups: dict[tuple[Any, ...], dict[str, dict[float, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        if row["view"] not in (*views, "none"):
            continue
        of_solver = groups[tuple(str(row.get(name)) for name in ("instance", "digest", "steps", "seed"))][row["solver"]]
        counts = row.get("cut") is not None and (row["sound"] or not sound)
        budget = float(row["seconds"] or 0.0)
        of_solver[budget] = min(float(row["cut"]) if counts else UNFINISHED, of_solver.get(budget, UNFINISHED))
    problems = []
    for by_solver in groups.values():
        given = by_solver.get("gridopt") or {budget for found in by_solver.values() for budget in found}
        for budget in sorted(given):
            most = {name: max((b for b in found if b <= budget), default=None) for name, found in by_solver.items()}
            problems.append({name: by_solver[name][b] for name, b in most.items() if b is not None})
    compared = [found for found in problems if len(found) > 1 and min(found.values()) < UNFINISHED]
    solvers = sorted({name for found in compared for name in found}, key=lambda name: (name != "gridopt", name))
    return {
        name: np.array([found.get(name, UNFINISHED) / max(min(found.values()), 1) for found in compared])
        for name in solvers
    }


def profile(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Corners of the step function tau -> share of problems with a ratio of at most tau."""
    finite = np.sort(values[np.isfinite(values)])
    return finite, np.arange(1, len(finite) + 1) / max(len(values), 1)


def draw_profiles(rows: Rows, path: Path) -> Path | None:
    """One panel for results as returned, one for sound results; None where no problem was given to two solvers."""
    found = [(title, ratios(rows, views, sound)) for title, views, sound in PANELS]
    if not any(found_ratios for _, found_ratios in found):
        return None
    figure, axes = plt.subplots(1, len(PANELS), figsize=(12, 4.6), sharey=True, constrained_layout=True)
    looks = _looks({name for _, by_solver in found for name in by_solver})
    for axis, (title, by_solver) in zip(axes, found):
        finite = [values[np.isfinite(values)] for values in by_solver.values()]
        right = max((float(part.max()) for part in finite if len(part)), default=1.0)
        right = 1 + 1.05 * max(right - 1, 0.02)
        for name, values in by_solver.items():
            x, y = profile(values)
            corners_x, corners_y = np.r_[1.0, x, right], np.r_[0.0, y, y[-1] if len(y) else 0.0]
            axis.step(corners_x, corners_y, where="post", label=name, linewidth=1.8, **looks[name])
        problems = len(next(iter(by_solver.values()))) if by_solver else 0
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xticks(_ticks(right))
        axis.set(title=title, xlabel=f"cut / least cut ({problems} problems)", xlim=(1, right), ylim=(0, 1.02))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("share of problems")
    handles = [Line2D([], [], label=name, linewidth=1.8, **looks[name]) for name in looks]
    figure.legend(handles=handles, loc="outside right center", fontsize="small")
    return _save(figure, rows, path)


def draw_over_time(rows: Rows, path: Path) -> Path | None:
    """
    How the cut of one instance fell: gridopt by its trace, peers by their runs, and each peer's repaired result.

    None where no run of the instance has a trace.
    """
    with_trace = [row for row in rows if row.get("trace")]
    if not with_trace:
        return None
    instance = rows[0]["instance"]
    known = datasets.best_known(instance) if instance in datasets.names() else None
    scale = known.value if known is not None else 1.0
    figure, axis = plt.subplots(figsize=(10, 5), constrained_layout=True)
    repaired = [row for row in rows if row["view"] == "repaired" and row["sound"] and row["wall_s"]]
    looks = _looks({row["solver"] for row in with_trace})
    ends = [steps_of(row)[1][-1] for row in with_trace if len(steps_of(row)[1])] + [row["cut"] for row in repaired]
    low, high = min(ends, default=0.0), min(max(ends, default=0.0), SEEN * min(ends, default=0.0))
    room = 0.05 * (high - low) + 0.005 * low
    top = high + 4 * room
    told: set[str] = set()
    for row in with_trace:
        x, y = steps_of(row)
        if not len(x):
            axis.plot([], [], label=_once(told, f"{row['solver']}: no sound plan"), **looks[row["solver"]])
        else:
            kind = "sound" if row["solver"] == "gridopt" else "as returned"
            label = _once(told, f"{row['solver']}: {kind}{' (above)' if y.min() > top else ''}")
            end = max(float(row["wall_s"]), x[-1])
            mark: dict[str, Any] = {"marker": "" if row["solver"] == "gridopt" else "x", "markevery": [-1]}
            axis.step(np.r_[x, end], np.r_[y, y[-1]] / scale, where="post", label=label, **mark, **looks[row["solver"]])
    for row in repaired:
        look = looks.get(row["solver"], {"color": "grey", "linestyle": "-"})
        label = _once(told, f"{row['solver']}: repaired, sound{' (above)' if row['cut'] > top else ''}")
        marker = {"color": look["color"], "marker": MARKERS[look["linestyle"]], "markeredgecolor": "white"}
        axis.plot(row["wall_s"], row["cut"] / scale, linestyle="none", label=label, **marker)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set(title=instance, xlabel="wall seconds within the solver")
    axis.set_ylabel("cut" if known is None else f"cut / best known ({known.value:,.0f})")
    if ends:
        axis.set_ylim((low - room) / scale, top / scale)
    axis.grid(alpha=0.3, which="both")
    figure.legend(loc="outside right center", fontsize="small")
    return _save(figure, rows, path)


def steps_of(row: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and cuts of a trace: of gridopt only sound plans, of peers the best run so far."""
    trace = np.array(row["trace"], dtype=np.float64).reshape(-1, 3)
    if row["solver"] == "gridopt":
        trace = trace[trace[:, 2] == 0]
    return np.maximum(trace[:, 0], 1e-3), trace[:, 1]


def draw_all(rows: Rows, folder: Path, stem: str) -> list[Path]:
    """All pictures of a record, named after it."""
    drawn = [draw_profiles(rows, folder / f"{stem}.profiles.png")]
    by_instance: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_instance[row["instance"]].append(row)
    drawn += [draw_over_time(of, folder / f"{stem}.time.{name}.png") for name, of in by_instance.items()]
    return [path for path in drawn if path is not None]


def _ticks(right: float) -> list[float]:
    """Round ratios up to `right`, those that would touch the last one left out."""
    kept = [1.0]
    for tick in TICKS:
        if tick <= right and np.log(tick / kept[-1]) > 0.07 * np.log(right):
            kept.append(tick)
    return kept


def _looks(solvers: set[str]) -> dict[str, dict[str, Any]]:
    """One colour a package; settings of the same package differ in the style of the line."""
    packages = sorted({name.split("-")[0] for name in solvers} - set(COLOURS))
    colours = {**COLOURS, **{name: OTHERS[i % len(OTHERS)] for i, name in enumerate(packages)}}
    looks = {}
    for package in {name.split("-")[0] for name in solvers}:
        of = sorted(name for name in solvers if name.split("-")[0] == package)
        looks.update({n: {"color": colours[package], "linestyle": STYLES[i % len(STYLES)]} for i, n in enumerate(of)})
    return {name: looks[name] for name in sorted(looks, key=lambda name: (name != "gridopt", name))}


def _once(told: set[str], label: str) -> str:
    """The label the first time, nothing (for matplotlib) after that."""
    if label in told:
        return "_nolegend_"
    told.add(label)
    return label


def _save(figure: Any, rows: Rows, path: Path) -> Path:
    """Write the PNG with machine, versions and day below."""
    versions = sorted({f"{row['solver'].split('-')[0]} {row['version']}" for row in rows if row.get("version")})
    where = sorted({str(row.get("machine", "")) for row in rows})
    days = sorted({str(row.get("date", ""))[:10] for row in rows})
    commits = sorted({str(row.get("commit", "")) for row in rows})
    note = f"{', '.join(versions)}\n{'; '.join(where)}; {', '.join(days)}; commit {', '.join(commits)}"
    figure.supxlabel(note, fontsize=7, color="#555555")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def main(arguments: list[str] | None = None) -> int:
    """Draw what CSV files hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.pictures", description=__doc__)
    parser.add_argument("csv", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="folder (default: that of the first file)")
    wish = parser.parse_args(arguments)
    for path in draw_all(read_rows(wish.csv), wish.out or wish.csv[0].parent, wish.csv[0].stem):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
