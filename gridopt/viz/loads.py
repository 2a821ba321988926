"""The panel beside the map: a table of loads for few grids, sorted deviations for many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt.model.plan import Plan
from gridopt.rules.metrics import deviations
from gridopt.viz.style import BAD, BAND, BAR, INK, MUTED, PAPER, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MANY_GRIDS", "Loads", "draw_deviations", "draw_table", "table_height"]

MANY_GRIDS = 40
"""Up to so many grids are listed one by one."""
ROW, HEAD, FOOT = 0.235, 0.34, 0.45
"""Heights in inches of a row, the head and the foot of the table."""


@dataclass(frozen=True, eq=False)
class Loads:
    """Loads of one attribute, in the user's units, with what they are held against."""

    attribute: str
    ids: NDArray[Any]
    sizes: NDArray[np.int64]
    load: NDArray[Any]
    deviation: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    is_outside: NDArray[np.bool_]
    reason: NDArray[Any]
    target: NDArray[np.float64]

    @classmethod
    def of(cls, plan: Plan, attribute: int) -> Loads:
        """Collect the loads of the attribute at that position; exempt grids have deviation NaN."""
        problem, a = plan.problem, attribute
        exempt = problem.nesting.exempt
        reasons = np.array(problem.nesting.reason, dtype=object)[problem.nesting.grid_region]
        load, target = plan.loads[:, a], problem.target[:, a]
        fair = np.where(exempt | (target <= 0), np.nan, target)
        return cls(
            attribute=problem.attributes[a],
            ids=plan.grid_ids,
            sizes=plan.sizes,
            load=problem.in_user_units(load, a),
            deviation=np.where(np.isnan(fair), np.nan, deviations(plan)[:, a]),
            low=problem.lo[:, a] / fair - 1,
            high=problem.hi[:, a] / fair - 1,
            is_outside=~exempt & ((load < problem.lo[:, a]) | (load > problem.hi[:, a])),
            reason=np.where(exempt, reasons, ""),
            target=fair * float(problem.resolution[a]),
        )

    @property
    def n_grids(self) -> int:
        """Number of grids."""
        return len(self.ids)

    @property
    def n_units(self) -> int:
        """Number of units."""
        return int(self.sizes.sum())

    @property
    def reach(self) -> float:
        """Largest distance from zero of any deviation or limit that is drawn; limits far away are not."""
        worst = np.nanmax(np.abs(self.deviation), initial=0.0)
        limits = np.concatenate([np.abs(self.low), np.abs(self.high)])
        near = limits[np.isfinite(limits) & (limits <= max(3 * worst, 0.05))]
        return float(max(worst, near.max(initial=0.0), 1e-3))

    def worst_text(self) -> str:
        """Name the grid furthest from its target."""
        if np.isnan(self.deviation).all():
            return ""
        worst = int(np.nanargmax(np.abs(self.deviation)))
        return f"worst deviation {percent(self.deviation[worst])} ({self.ids[worst]})"

    def outside_text(self) -> str:
        """Say whether all grids are within their limits."""
        bad = int(self.is_outside.sum())
        free = int((self.reason != "").sum())
        text = f"{bad} outside their limits" if bad else "all within their limits"
        return f"{text}, {free} exempt" if free else text


def percent(value: float) -> str:
    """Write a share with its sign: ``+6.3 %``."""
    return f"{100 * value:+.1f} %".replace("-", "−")


def number(value: Any) -> str:
    """Write a load: whole numbers as they are, others with one digit more than people need."""
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:,.2f}"


def table_height(k: int) -> float:
    """Inches the table of `k` grids needs."""
    return HEAD + k * ROW + FOOT


def draw_table(panel: Axes, loads: Loads, colours: NDArray[Any]) -> None:
    """List each grid: its colour and id, units, load, and how far the load is from its target."""
    zero, half = 2.88, 0.72
    unit = half / (1.05 * loads.reach)
    for x, text, side in (
        (0.26, "grid", "left"),
        (1.18, "units", "right"),
        (2.05, _shorten(loads.attribute, 11), "right"),
        (zero, "deviation", "center"),
    ):
        write_text(panel, x, 0.14, text, size=8.5, colour=MUTED, ha=side)
    panel.plot([0, 4.4], [0.27, 0.27], color=INK, lw=0.8)
    for j in range(loads.n_grids):
        y = HEAD + (j + 0.5) * ROW
        _box(panel, 0.0, y - 0.07, 0.16, 0.14, colours[j])
        write_text(panel, 0.26, y, str(loads.ids[j]), size=8.5, weight="bold")
        write_text(panel, 1.18, y, f"{loads.sizes[j]:,}", size=8.5, ha="right")
        write_text(panel, 2.05, y, number(loads.load[j]), size=8.5, ha="right")
        if loads.reason[j]:
            write_text(panel, 4.4, y, f"own grid: {loads.reason[j]}", size=8, colour=MUTED, ha="right")
            continue
        if np.isnan(loads.deviation[j]):
            continue
        low, high = (np.clip(v * unit, -half, half) for v in (loads.low[j], loads.high[j]))
        _box(panel, zero + low, y - ROW / 2, high - low, ROW, BAND)
        length = loads.deviation[j] * unit
        colour = BAD if loads.is_outside[j] else BAR
        _box(panel, zero + min(length, 0), y - 0.065, abs(length), 0.13, colour)
        ink = BAD if loads.is_outside[j] else INK
        write_text(panel, 4.4, y, percent(loads.deviation[j]), size=8.5, colour=ink, ha="right")
    bottom = HEAD + loads.n_grids * ROW
    panel.plot([zero, zero], [0.27, bottom], color=INK, lw=0.7)
    panel.plot([0, 4.4], [bottom + 0.04] * 2, color=INK, lw=0.8)
    write_text(panel, 0.26, bottom + 0.18, "all", size=8.5, weight="bold")
    write_text(panel, 1.18, bottom + 0.18, f"{loads.n_units:,}", size=8.5, ha="right")
    write_text(panel, 2.05, bottom + 0.18, number(loads.load.sum()), size=8.5, ha="right")
    write_text(panel, 4.4, bottom + 0.18, _target_text(loads), size=8.5, colour=MUTED, ha="right")


def draw_deviations(panel: Axes, loads: Loads) -> None:
    """Draw all deviations sorted, with the limits as lines, and the extreme grids in words."""
    width, height = panel.get_xlim()[1], panel.get_ylim()[0]
    rated = np.flatnonzero(~np.isnan(loads.deviation))
    order = rated[np.argsort(loads.deviation[rated], kind="stable")]
    chart = panel.inset_axes((0.52, 0.35, width - 0.52, height * 0.52), transform=panel.transData)
    x = np.arange(len(order))
    reach = 108 * loads.reach
    low, high = (np.clip(100 * v[order], -reach, reach) for v in (loads.low, loads.high))
    chart.fill_between(x, low, high, step="mid", color=BAND, lw=0)
    for edge in (low, high):
        chart.step(x, edge, where="mid", color=MUTED, lw=0.8)
    colours = np.where(loads.is_outside[order], BAD, BAR)
    chart.bar(x, 100 * loads.deviation[order], width=1.0, color=list(colours), lw=0)
    chart.axhline(0, color=INK, lw=0.8)
    seen = np.concatenate([low, high, 100 * loads.deviation[order], [0.0]])
    seen = seen[np.isfinite(seen)]
    room = 0.04 * (seen.max() - seen.min() + 1e-9)
    chart.set(xlim=(-0.5, max(len(order), 1) - 0.5), ylim=(seen.min() - room, seen.max() + room), xticks=[])
    chart.tick_params(labelsize=8, colors=MUTED)
    chart.set_ylabel("deviation, %", fontsize=8, color=MUTED, labelpad=1)
    chart.spines[["top", "right", "bottom"]].set_visible(False)
    head = f"{_shorten(loads.attribute, 24)}: deviation of each grid, sorted"
    write_text(panel, 0, 0.12, head, size=9.5, weight="bold")
    _write_facts(panel, loads, order, height * 0.52 + 0.62)


def _write_facts(panel: Axes, loads: Loads, order: NDArray[np.int64], top: float) -> None:
    facts = [
        ("load, least – mean – most", [loads.load.min(), loads.load.mean(), loads.load.max()]),
        ("units, least – mean – most", [loads.sizes.min(), loads.sizes.mean(), loads.sizes.max()]),
    ]
    lines = [(name, "  –  ".join(number(v) for v in values)) for name, values in facts]
    lines.append(("target", _target_text(loads).removeprefix("target ")))
    y = top
    for name, text in lines:
        write_text(panel, 0, y, name, size=8.5, colour=MUTED)
        write_text(panel, 4.4, y, text, size=8.5, ha="right")
        y += ROW
    y += 0.15
    for name, some in (("lightest", order[:5]), ("heaviest", order[::-1][:5])):
        x = 0.0 if name == "lightest" else 2.35
        write_text(panel, x, y, name, size=8.5, colour=MUTED)
        for i, grid in enumerate(some):
            ink = BAD if loads.is_outside[grid] else INK
            row = y + (i + 1) * ROW
            write_text(panel, x, row, str(loads.ids[grid]), size=8.5, weight="bold", colour=ink)
            write_text(panel, x + 2.05, row, percent(loads.deviation[grid]), size=8.5, ha="right", colour=ink)


def _target_text(loads: Loads) -> str:
    known = loads.target[~np.isnan(loads.target)]
    if not len(known):
        return ""
    low, high = (number(v).removesuffix(".00").removesuffix(".0") for v in (known.min(), known.max()))
    return f"target {low}" if low == high else f"target {low} – {high}"


def _shorten(text: str, n: int) -> str:
    return text if len(text) <= n else text[: n - 1] + "…"


def _box(panel: Axes, x: float, y: float, w: float, h: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    panel.add_patch(Rectangle((x, y), w, h, facecolor=colour, edgecolor="none" if colour != PAPER else INK, lw=0.5))
