"""Command lines the fuzzer starts from: each succeeds on the sound inputs, with options drawn by chance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.random import Generator

BUDGET = ("--steps", "200", "--seed", "1", "--workers", "1")
FILES = (
    *("town.gpkg", "streets.gpkg", "river.gpkg", "shops.gpkg", "shops.csv", "tracts.gpkg", "boundary.gpkg"),
    *("wards.gpkg", "yards.gpkg", "bridge.gpkg", "today.gpkg", "locks.csv", "links.csv", "pairs.csv", "records.csv"),
    *("classes.csv", "g.graph", "g.part", "g.gal", "dual.json", "plan.gpkg"),
)
"""Files that words of a command line name."""
SHARES = {
    **{"solve": 0.22, "check": 0.06, "blocks": 0.14, "count": 0.12, "metis": 0.04, "dual": 0.04, "verify": 0.07},
    **{"part": 0.02, "export": 0.06, "rebalance": 0.08, "compare": 0.04, "repair": 0.06, "why": 0.04, "gal": 0.01},
}
"""How often each command is drawn."""


class _Chance:
    """Words that a command line has now and then."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng

    def some(self, chance: float, *words: str) -> list[str]:
        """Return the words, or none."""
        return list(words) if self._rng.random() < chance else []

    def one(self, *words: str) -> str:
        """Return one of the words."""
        return words[int(self._rng.integers(len(words)))]


def draw_command(rng: Generator) -> tuple[str, list[str], list[str]]:
    """Draw a command line that succeeds on the sound inputs, and the files it reads."""
    name = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    args = LINES[name](_Chance(rng))
    used = [f for f in FILES if any(f in word and not word.startswith("out/") for word in args)]
    return name, args, [*used, *(["plan.json"] * 2 if "plan.gpkg" in used else [])]


def _limits(chance: _Chance) -> list[str]:
    limits = ["--workload", "persons", "--grids", chance.one("2", "3", "4", "5")]
    limits += ["--band", "30", "90"] if chance.some(0.1, "x") else ["--tolerance", chance.one("0.3", "0.6", "0.9")]
    some = chance.some
    return [
        *limits,
        *some(0.1, "--workload", "homes"),
        *some(0.1, "--heavy", "strict"),
        *some(0.1, "--islands", "link"),
    ]


def _shapes(chance: _Chance, is_named: float = 0.6) -> list[str]:
    """Options of a territory of polygons."""
    some = chance.some
    words = [
        *some(is_named, "--id", "code"),
        *some(0.25, "--streets", "streets.gpkg"),
        *some(0.2, "--barriers", "river.gpkg"),
    ]
    if "--barriers" in words:
        words += some(0.4, "--crossings", "bridge.gpkg")
    if "--streets" in words:
        words += [*some(0.2, "--street-tolerance", "12"), *some(0.2, "--source-datum", "streets=gcj02")]
        words += _classes(chance)
    parents = ["--parent", "ward", *some(0.6, "--parents", "wards.gpkg")]
    words += some(0.3, *parents)
    if "--parents" in words:
        words += some(0.3, "--parent-share", "0.9")
    words += [
        *some(0.1, "--snap", chance.one("0", "0.5", "3")),
        *some(0.08, "--crs", chance.one("EPSG:32651", "EPSG:3826")),
    ]
    if "--id" in words:
        words += [*some(0.2, "--locks", "locks.csv"), *some(0.2, "--links", "links.csv")]
        words += some(0.2, "--overrides", "pairs.csv")
    return words


def _classes(chance: _Chance) -> list[str]:
    """Classes of the values of a column of streets."""
    given = chance.one("primary=arterial,residential=local,footway=path", "classes.csv")
    return chance.some(0.3, "--class-column", "highway", "--classes", given)


def _objects(chance: _Chance) -> list[str]:
    some = chance.some
    how = [*some(0.1, "--by", "share"), *some(0.1, "--ties", "even"), *some(0.1, "--edge", "keep")]
    how += [*some(0.1, "--missing", "zero"), *some(0.1, "--null", "-999"), *some(0.1, "--snap", "5")]
    pick = chance.one("layers", "layers", "table", "xy", "at")
    if pick == "layers":
        words = ["--objects", "shops=shops.gpkg", "--spread", "people=tracts.gpkg", *some(0.3, "--class", "shops=risk")]
        return [*words, *some(0.2, "--column", "shops=staff"), *some(0.2, "--proxy", "shops"), *how]
    if pick == "table":
        return ["--objects", "shops=shops.csv", *how]
    if pick == "xy":
        return ["--objects", "shops=shops.csv", "--xy", "shops=lon,lat" + chance.one("", "@EPSG:4326"), *how]
    return [
        "--objects",
        "goods=records.csv",
        "--at",
        "goods=town.gpkg@code",
        *some(0.5, "--column", "goods=amount"),
        *how,
    ]


def _solve(chance: _Chance) -> list[str]:
    return ["solve", "town.gpkg", *_limits(chance), *_shapes(chance), *BUDGET, "--out", "out/plan.gpkg"]


def _check(chance: _Chance) -> list[str]:
    words = ["check", "town.gpkg", *chance.some(0.7, *_limits(chance)), *_shapes(chance)]
    if "--parents" in words:
        words += chance.some(0.4, "--parent-table", "out/parents.csv")
    return words + chance.some(0.3, "--defects", chance.one("out/defects.gpkg", "out/defects.csv"))


def _blocks(chance: _Chance) -> list[str]:
    some = chance.some
    words = [
        "blocks",
        "--boundary",
        "boundary.gpkg",
        "--streets",
        "streets.gpkg",
        *some(0.3, "--barriers", "river.gpkg"),
    ]
    if some(0.1, "x"):
        words += some(0.3, "--source-datum", "streets=gcj02")
    words += some(0.25, "--parents", "wards.gpkg", *some(0.5, "--parent", "ward"))
    words += [*some(0.25, "--compounds", "yards.gpkg"), *some(0.15, "--raw")]
    words += [*some(0.2, "--gap", chance.one("0", "20", "150")), *some(0.2, "--median-width", chance.one("0", "60"))]
    words += [
        *some(0.2, "--sliver-width", chance.one("0", "40")),
        *some(0.2, "--min-area", chance.one("0", "9000", "1e6")),
    ]
    words += [*some(0.15, "--keep", "primary"), *(_classes(chance) or some(0.15, "--class-column", "highway"))]
    if some(0.1, "x"):
        return [*words, "--check"]
    return [*words, *(_objects(chance) if some(0.5, "x") else []), "--out", "out/u.gpkg"]


def _count(chance: _Chance) -> list[str]:
    out = "out/u" + chance.one(".gpkg", ".csv", ".geojson", ".parquet", ".xlsx")
    return ["count", "town.gpkg", *chance.some(0.5, "--id", "code"), *_objects(chance), "--out", out]


def _metis(chance: _Chance) -> list[str]:
    return ["solve", "g.graph", "--grids", "2", "--tolerance", "0.5", *BUDGET, "--out", "out/g.part"]


def _dual(chance: _Chance) -> list[str]:
    words = ["solve", "dual.json", "--workload", "pop", "--grids", "2", "--tolerance", "0.6", *BUDGET]
    return [*words, *chance.some(0.2, "--parent", "ward"), "--out", "out/plan.gpkg"]


def _export(chance: _Chance) -> list[str]:
    suffix = chance.one(".xlsx", ".geojson", ".parquet", ".csv", ".graph", ".json", ".gal")
    return ["export", "plan.gpkg", *chance.some(0.4, "--layer", "grids"), "--out", f"out/e{suffix}"]


def _rebalance(chance: _Chance) -> list[str]:
    some = chance.some
    words = ["rebalance", "plan.gpkg"]
    if some(0.6, "x"):
        words += ["--units", "today.gpkg", *_shapes(chance, 0.3), *some(0.3, "--points", "shops.gpkg")]
    words += [*some(0.4, "--tolerance", chance.one("0.3", "0.6")), *some(0.2, "--grids", chance.one("2", "4"))]
    words += [*some(0.3, "--max-moved", chance.one("30%", "4", "homes=9")), *some(0.2, "--count", "units")]
    words += [
        *some(0.2, "--frozen", "G001"),
        *some(0.2, "--stepwise"),
        *some(0.1, "--trade-off"),
        *some(0.2, "--trigger", "0.7"),
    ]
    return [*words, *some(0.1, "--date", "2026-01-31"), *BUDGET, "--out", "out/plan.gpkg"]


def _compare(chance: _Chance) -> list[str]:
    words = ["compare", "plan.gpkg", "plan2.gpkg", *chance.some(0.3, "--match", chance.one("ids", "overlap"))]
    return [*words, *chance.some(0.2, "--clear", "0.6"), *chance.some(0.5, "--out", "out/moves.csv")]


def _repair(chance: _Chance) -> list[str]:
    some = chance.some
    words = ["repair", "town.gpkg", *some(0.6, "--id", "code"), *some(0.3, "--gap-width", chance.one("0", "5", "40"))]
    words += [*some(0.2, "--spike-width", chance.one("0", "3")), *some(0.3, "--workload", "persons")]
    return [*words, *some(0.1, "--crs", "EPSG:3826"), *some(0.3, "--split-multipart"), "--out", "out/u.gpkg"]


def _why(chance: _Chance) -> list[str]:
    pair = [chance.one("001", "002", "005", "009") for _ in "uv"]
    return ["why", "town.gpkg", *pair, *_shapes(chance, 0.95)]


LINES: dict[str, Callable[[_Chance], list[Any]]] = {
    **{"solve": _solve, "check": _check, "blocks": _blocks, "count": _count, "metis": _metis, "dual": _dual},
    "verify": lambda chance: ["verify", "plan.gpkg"],
    "part": lambda chance: ["verify", "g.part", "--graph", "g.graph", "--tolerance", "0.9"],
    **{"export": _export, "rebalance": _rebalance, "compare": _compare, "repair": _repair, "why": _why},
    "gal": lambda chance: ["read-gal", "g.gal"],
}
"""What draws a command line of each name."""
