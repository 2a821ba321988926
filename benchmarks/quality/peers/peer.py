"""The peers: which package, at which settings, and what each promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.case import Case
from benchmarks.quality.peers import multilevel, spatial
from benchmarks.quality.peers.part import Part, parts_of

__all__ = ["PEERS", "Attempt", "Peer", "is_installed"]

Solve = Callable[[int, float], NDArray[Any]]
"""Called with a seed and seconds; a part of each unit. Only those that never end by themselves look at the seconds."""


@dataclass(frozen=True)
class Peer:
    """
    One peer at one setting.

    Parameters
    ----------
    distribution, module : str
        Package it comes in, and the name to import.
    settings : str
        What it is asked for; kept in every record.
    promises : str
        What it keeps by itself: some of ``upper`` (limit), ``band`` (both limits), ``contiguous``.
    prepare : callable
        Brings a region into the peer's own form, before the clock starts, and returns what solves it.
    """

    distribution: str
    module: str
    settings: str
    promises: str
    prepare: Callable[[Part], Solve]


def _metis(settings: str, promises: str) -> Peer:
    return Peer("pymetis", "pymetis", settings, promises, multilevel.metis)


def _kahip(mode: str) -> Peer:
    settings = f"kaffpa, {mode}, imbalance = tolerance"
    return Peer("kahip", "kahip", settings, "upper", partial(multilevel.kahip, mode=mode))


def _kaminpar(context: str) -> Peer:
    settings = f"context {context}, eps = tolerance, 1 thread"
    return Peer("kaminpar", "kaminpar", settings, "upper", partial(multilevel.kaminpar, context=context))


def _mtkahypar(preset: str) -> Peer:
    settings = f"preset {preset.lower()}, objective cut, epsilon = tolerance, 1 thread"
    return Peer("mtkahypar", "mtkahypar", settings, "upper", partial(multilevel.mtkahypar, preset=preset))


PEERS: dict[str, Peer] = {
    "metis": _metis("k-way, contig, ufactor = tolerance", "upper, contiguous"),
    "kahip": _kahip("STRONG"),
    "kahip-eco": _kahip("ECO"),
    "kaminpar": _kaminpar("largek-strong"),
    "kaminpar-strong": _kaminpar("strong"),
    "kaminpar-4xjet": _kaminpar("4xjet"),
    "mtkahypar": _mtkahypar("QUALITY"),
    "mtkahypar-deterministic": _mtkahypar("DETERMINISTIC_QUALITY"),
    "mtkahypar-highest": _mtkahypar("HIGHEST_QUALITY"),
    "mtkahypar-largek": _mtkahypar("LARGE_K"),
    "gerrychain": Peer(
        "gerrychain",
        "gerrychain",
        "recursive_tree_part, then short bursts of 10 ReCom steps for the cut, epsilon = tolerance",
        "band, contiguous",
        spatial.gerrychain,
    ),
    "spopt": Peer(
        "spopt",
        "spopt",
        "AZP from a random start; objective: distance from the band first, then the cut",
        "contiguous",
        spatial.spopt,
    ),
}
"""By the name a run is asked for by. A name with a suffix is another setting of the same package."""


def is_installed(name: str) -> bool:
    return find_spec(PEERS[name].module) is not None


class Attempt:
    """A peer ready to partition all regions of a case, again and again with other seeds."""

    def __init__(self, case: Case, name: str) -> None:
        self.case = case
        parts = parts_of(case)
        self._solves = [(part, PEERS[name].prepare(part)) for part in parts]
        self._n_units = max(sum(part.n for part in parts), 1)

    def labels(self, seed: int, seconds: float) -> NDArray[np.int32]:
        """Partition every region once; labels are positions of grids in the case. `seconds` are shared out by units."""
        case = self.case
        labels = np.full(case.n_units, -1, dtype=np.int32)
        single = np.flatnonzero(np.bincount(case.grid_region, minlength=int(case.region.max()) + 1) == 1)
        first_grid = np.unique(case.grid_region, return_index=True)[1]
        alone = np.isin(case.region, single)
        labels[alone] = first_grid[case.region[alone]]
        for part, solve in self._solves:
            found = solve(seed, seconds * part.n / self._n_units)
            labels[part.units] = part.grids[np.asarray(found, dtype=np.int64)]
        return labels
