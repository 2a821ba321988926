"""A table of medians over seeds, with the ratio of cuts to METIS, for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

__all__ = ["format_table"]

HEADER = (
    "solver",
    "view",
    "seeds",
    "sound",
    "cut",
    "/claim",
    "/repaired",
    "over %",
    "under %",
    "pieces",
    "wall s",
    "MB",
)


def format_table(rows: Sequence[dict[str, Any]]) -> str:
    """
    Lay out rows by instance and budget: medians over seeds, ``sound`` the number of seeds with a sound plan.

    ``/claim`` and ``/repaired`` are median cut over that of METIS: what it returns, whatever its balance; the same made
    contiguous and put within both limits. Below 1 is better than METIS.
    """
    groups: dict[tuple[Any, ...], dict[tuple[str, str], list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row["instance"], row["seconds"], row["steps"]][row["solver"], row["view"]].append(row)
    return "\n\n".join(_one(key, views) for key, views in groups.items())


def _one(key: tuple[Any, ...], views: dict[tuple[str, str], list[dict[str, Any]]]) -> str:
    instance, seconds, steps = key
    budget = f"{seconds:g} s" if seconds is not None else f"{steps:,} steps"
    first = next(iter(views.values()))[0]
    lines = [
        f"{instance}: {first['n_units']:,} units, {first['n_edges']:,} edges, {first['n_grids']:,} grids; {budget}",
        "  ".join([f"{HEADER[0]:<8}", f"{HEADER[1]:<8}", *(f"{name:>9}" for name in HEADER[2:])]),
    ]
    against = [_median(views.get(("metis", view), []), "cut") for view in ("claim", "repaired")]
    for (solver, view), rows in views.items():
        cut = _median(rows, "cut")
        cells = [
            str(len(rows)),
            str(sum(bool(row["sound"]) for row in rows)),
            f"{cut:,.0f}" if cut is not None else "-",
            *(f"{cut / other:.4f}" if cut is not None and other else "-" for other in against),
            *(_text(_median(rows, name), 100, ".2f") for name in ("over", "under")),
            _text(_median(rows, "pieces"), 1, ",.0f"),
            _text(_median(rows, "wall_s"), 1, ".2f"),
            _text(_median(rows, "peak_mb"), 1, ",.0f"),
        ]
        lines.append("  ".join([f"{solver:<8}", f"{view:<8}", *(f"{cell:>9}" for cell in cells)]))
        told = sorted({str(row["status"]) for row in rows if row.get("cut") is None})
        lines += [f"  {solver} {view}: {status}" for status in told]
    return "\n".join(lines)


def _median(rows: Sequence[dict[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return median(values) if values else None


def _text(value: float | None, factor: float, form: str) -> str:
    return "-" if value is None else format(value * factor, form)
