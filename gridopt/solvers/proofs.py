"""Proofs: what the exact solver says of regions, each within a share of what is left of the budget."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt.errors import InternalError
from gridopt.rules.limits import MILLION
from gridopt.solvers.decompose.regions import Regions
from gridopt.solvers.outright import RegionOutcome
from gridopt.solvers.piece import Piece

__all__ = ["NO_TIME", "Prover", "price_of"]

LEAST_SECONDS = 0.05
"""The least time worth a proof."""
NO_TIME = "out of time: none was left for a proof"
NARROWED = "joined compounds: they leave out plans, so nothing can be proved"


@dataclass(frozen=True, eq=False)
class Prover:
    """
    Hands regions of a problem to the exact solver.

    Parameters
    ----------
    regions : Regions
    seed : int
    stop : callable
        Asked often; True ends a proof with what it has.
    """

    regions: Regions
    seed: int
    stop: Callable[[], bool]

    def size(self, region: int) -> tuple[int, int, int]:
        """Nodes, edges and parts of a region."""
        a, b = (int(x) for x in self.regions.first_node[region : region + 2])
        edges = int(self.regions.indptr[b] - self.regions.indptr[a]) // 2
        return b - a, edges, int(self.regions.first_row[region + 1] - self.regions.first_row[region])

    def least_seconds(self, region: int) -> float:
        """Return the least time a proof of the region is begun with; larger models take more."""
        from gridopt.solvers.exact import BUILDING, seconds_to_build

        return max(2 * LEAST_SECONDS, 1.05 * seconds_to_build(*self.size(region)) / BUILDING)

    def refusal(self, region: int, seconds: float, for_cost: bool = True) -> str:
        """Why a region is not worth a model; empty where it is."""
        from gridopt.solvers.exact import too_large

        if region in self.regions.narrowed:
            return NARROWED
        if for_cost and self.regions.problem.objective.get("inertia"):
            return "inertia: it is no part of the exact model"
        size = self.size(region)
        return too_large(*size, float("inf")) or (NO_TIME if seconds < LEAST_SECONDS else too_large(*size, seconds))

    def prove(self, found: RegionOutcome, seconds: float, effort: float | None, workers: int = 1) -> RegionOutcome:
        """
        Look for the cheapest plan with proof; where there is none within limits, for the nearest to them.

        Parameters
        ----------
        found : RegionOutcome
            What the search found; kept where it is better.
        seconds : float
            Wall time; infinite where `effort` counts.
        effort : float or None
            Deterministic seconds, where the budget is in steps.
        """
        if found.status == "infeasible":
            return self.nearest(found, seconds, effort, workers)
        refused = self.refusal(found.region, seconds)
        if refused:
            return replace(found, unproved=refused)
        from gridopt.solvers.exact import prove_piece

        began, piece = time.perf_counter(), self.regions.piece(found.region)
        proof = prove_piece(
            piece,
            start=found.labels,
            seconds=seconds,
            workers=1 if effort else workers,
            seed=self.seed,
            deterministic_seconds=effort,
            stop=self.stop,
        )
        found = self._better(piece, found, proof.labels, began)
        bounds = [b for b in (found.bound, proof.bound) if b is not None]
        found = replace(found, bound=max(bounds) if bounds else None, reason=proof.reason)
        if proof.status == "optimal":
            return replace(found, status="optimal", least=0, unproved="")
        if proof.status != "infeasible":
            return replace(found, unproved=proof.reason)
        if found.labels is not None and found.violation == 0:
            raise InternalError(f"region {found.region} was proved to have no plan, but has one: {proof.reason}")
        found = replace(found, status="infeasible", unproved="")
        return self.nearest(found, seconds - (time.perf_counter() - began), effort, workers)

    def nearest(self, found: RegionOutcome, seconds: float, effort: float | None, workers: int = 1) -> RegionOutcome:
        """
        Look for the plan that breaks its limits least and, where limits are wishes, costs least of those.

        Where limits are wishes and both are proved the region is ``"optimal"``; else ``least`` and ``unproved`` say how
        far the proof came.
        """
        soft = self.regions.problem.soft
        refused = self.refusal(found.region, seconds, for_cost=False)
        if refused:
            return self._widened(replace(found, unproved=refused))
        from gridopt.solvers.exact import least_violation, nearest_plan

        began, piece = time.perf_counter(), self.regions.piece(found.region)
        given: dict[str, Any] = {
            "start": found.labels,
            "seconds": seconds,
            "workers": 1 if effort else workers,
            "seed": self.seed,
            "deterministic_seconds": effort,
            "stop": self.stop,
        }
        least, cheapest = (
            nearest_plan(piece, **given, keep_apart=True) if soft else (least_violation(piece, **given), None)
        )
        if soft and least.status == "infeasible" and len(piece.apart_indices):  # every plan breaks a pair apart
            given["seconds"] = max(0.0, seconds - (time.perf_counter() - began))
            least, cheapest = nearest_plan(piece, **given)
        for proof in (least, cheapest):
            if proof is not None:
                found = self._better(piece, found, proof.labels, began)
        if least.status == "infeasible" and found.labels is not None:
            raise InternalError(f"region {found.region} was proved to have no contiguous plan, but has one.")
        proved = least.status == "optimal"
        found = replace(found, least=found.violation if proved else None, unproved="" if proved else least.reason)
        if cheapest is not None:
            optimal = cheapest.status == "optimal"
            found = replace(
                found,
                status="optimal" if optimal else "infeasible",
                unproved="" if optimal else f"{cheapest.reason}; that it misses the limits least is proved",
            )
        return self._widened(found)

    def _widened(self, found: RegionOutcome) -> RegionOutcome:
        """Say in the reason how far the limits have to give way before some plan keeps them, as far as it is known."""
        if found.labels is None or found.status != "infeasible":
            return found
        that = "" if found.least == found.violation else " that was found"
        pairs = _broken_pairs(self.regions.piece(found.region), found.labels) if self.regions.apart.nnz else 0
        by = f"{(found.violation - pairs * MILLION) / 1e4:.4g} % of a target in all"
        by += f", and breaks {pairs} pairs apart" if pairs else ""
        return replace(found, reason=f"{found.reason} Widen the limits: the nearest plan{that} misses them by {by}.")

    def _better(
        self, piece: Piece, found: RegionOutcome, labels: NDArray[np.int32] | None, began: float
    ) -> RegionOutcome:
        """Take `labels` where they are better than what was found."""
        if labels is None:
            return found
        price = price_of(piece, np.asarray(labels, dtype=np.int32))
        if found.labels is not None:
            soft = self.regions.problem.soft  # there a plan that keeps pairs apart is sound, whatever limits it misses
            broken = [_broken_pairs(piece, x) if soft else 0 for x in (np.asarray(labels), found.labels)]
            if (broken[0], *price) >= (broken[1], found.violation, found.cost):
                return found
        last = found.trace[-1][1] if found.trace else 0.0
        when = last + time.perf_counter() - began
        return replace(
            found,
            labels=np.asarray(labels, dtype=np.int32),
            violation=price[0],
            cost=price[1],
            trace=[*found.trace, (found.steps, when, price[1], price[0])],
            first=found.first if found.labels is not None else price,
        )


def _broken_pairs(piece: Piece, labels: NDArray[np.int32]) -> int:
    """Pairs apart that share a part."""
    first = np.repeat(np.arange(piece.n_nodes), np.diff(piece.apart_indptr))
    return int((labels[first] == labels[piece.apart_indices]).sum()) // 2


def price_of(piece: Piece, labels: NDArray[np.int32]) -> tuple[int, int]:
    """Violation and cost of labels of a piece, from scratch."""
    from gridopt.solvers.table import Table

    return Table(piece, labels).price()
