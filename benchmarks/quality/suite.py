"""Suites: named lists of (instance, seconds), with the table that the project's README quotes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from gridopt.workflow import datasets

__all__ = ["SUITES", "Row", "chosen", "format_suite"]

METIS_SECONDS = 10.0
"""More time than this hardly helps METIS (0.5 % at most from 1 s to 10 s), so it gets no more."""


@dataclass(frozen=True)
class Row:
    """
    One line of the table.

    Parameters
    ----------
    instance : str
    seconds : float
    against : str
        Instance METIS is run on: the same, or one with a wider band that METIS can keep.
    """

    instance: str
    seconds: float
    against: str = ""

    @property
    def name(self) -> str:
        return f"{self.instance} {self.seconds:g} s"

    @property
    def yardstick(self) -> str:
        return self.against or self.instance

    @property
    def metis_seconds(self) -> float:
        return METIS_SECONDS if self.against else min(self.seconds, METIS_SECONDS)

    def budget_of(self, solver: str) -> tuple[str, float]:
        """Which instance a solver gets, and how many seconds."""
        return (self.yardstick, self.metis_seconds) if solver == "metis" else (self.instance, self.seconds)


PLAIN = "plain-city-10000-400"
TRACTS = ("OK-5", "IA-4", "PA-18", "CT-5", "MN-8")
CLASSICS = ("3elt", "add32", "crack", "cs4", "data", "fe_sphere", "uk")

SUITES: dict[str, tuple[Row, ...]] = {
    "table": (
        *(Row(PLAIN, seconds) for seconds in (1, 10, 60)),
        *(Row("city-10000-400", seconds) for seconds in (1, 10)),
        *(Row("plain-city-100000-4000", seconds) for seconds in (10, 60)),
        Row("plain-city-1000000-40000", 60),
        Row(f"{PLAIN}-tight", 20, against=PLAIN),
        Row(f"{PLAIN}-tightest", 20, against=PLAIN),
        Row("taiwan-24521-2392", 20),
        Row("nested-15000-600", 10),
        Row("communities-20000", 60),
        Row("lattice-20x20-8", 2),
        Row("lattice-40x40-20", 2),
        *(Row(f"tracts-{state}", 5) for state in TRACTS),
        *(Row(f"walshaw-{graph}-{k}", 20) for graph in CLASSICS for k in (16, 64)),
    ),
    "tiny": (Row("plain-city-300-12", 0.3), Row("city-300-12", 0.3)),
}


def chosen(suite: str, wanted: Sequence[str]) -> list[Row]:
    """Rows of a suite whose name contains one of `wanted`; all where nothing is wanted."""
    return [row for row in SUITES[suite] if not wanted or any(text in row.name for text in wanted)]


def format_suite(rows: Sequence[Row], record: Sequence[dict[str, Any]]) -> str:
    """
    Lay out a Markdown table: medians over seeds, ratios of cuts to METIS, and to the best known value or the reference.

    ``sound`` counts sound plans of gridopt among its seeds. ``METIS`` is its claim, ``band`` how far that lies outside
    the band on either side, ``repaired`` the claim made contiguous and put within both limits. ``other`` is the best
    repaired result of any other peer, with its name.
    """
    head = [
        *("instance", "s", "units", "grids", "gridopt", "sound", "METIS", "over %", "under %", "pieces"),
        *("/METIS", "/repaired", "/other", "/known"),
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * 2 + "---:|" * (len(head) - 2)]
    for row in rows:
        own = _of(record, row, "gridopt", "plan")
        if not own:
            continue
        claim, repaired = (_of(record, row, "metis", view) for view in ("claim", "repaired"))
        cut, metis = _median(own), _median(claim)
        cells = [
            row.instance,
            f"{row.seconds:g}",
            f"{own[0]['n_units']:,}",
            f"{own[0]['n_grids']:,}",
            _text(cut, ",.0f"),
            f"{sum(bool(found['sound']) for found in own)}/{len(own)}",
            _text(metis, ",.0f"),
            *(_text(_median(claim, name, 100), ".1f") for name in ("over", "under")),
            _text(_median(claim, "pieces"), ",.0f"),
            _ratio(cut, metis),
            _ratio(cut, _median([found for found in repaired if found["sound"]])),
            _other(record, row, cut),
            _known(row.instance, cut),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _of(record: Sequence[dict[str, Any]], row: Row, solver: str, view: str) -> list[dict[str, Any]]:
    instance, seconds = row.budget_of(solver)
    wanted = (instance, seconds, solver, view)
    return [f for f in record if (f["instance"], f["seconds"], f["solver"], f["view"]) == wanted]


def _other(record: Sequence[dict[str, Any]], row: Row, cut: float | None) -> str:
    """Ratio to the best of the other peers, repaired and sound, and who that is."""
    solvers = sorted({found["solver"] for found in record} - {"gridopt", "metis"})
    cuts = {name: _median([f for f in _of(record, row, name, "repaired") if f["sound"]]) for name in solvers}
    least = min(((value, name) for name, value in cuts.items() if value is not None), default=None)
    return f"{_ratio(cut, least[0])} {least[1]}" if least else "-"


def _known(instance: str, cut: float | None) -> str:
    """Ratio to the best known value; else to a published one, marked *, that need not be a sound plan."""
    best, published = datasets.best_known(instance), datasets.published(instance)
    if best is not None:
        return _ratio(cut, best.value)
    return _ratio(cut, published.value) + "*" if published is not None else "-"


def _median(rows: Sequence[dict[str, Any]], name: str = "cut", factor: float = 1) -> float | None:
    values = [row[name] * factor for row in rows if row.get(name) is not None]
    return median(values) if values else None


def _ratio(cut: float | None, other: float | None) -> str:
    return f"{cut / other:.4f}" if cut is not None and other else "-"


def _text(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
