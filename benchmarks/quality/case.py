"""A case: the arrays of one problem, handed to every solver alike and recognised by their digest. Needs numpy alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gridopt import Problem

__all__ = ["Case", "write_arrays"]

FIELDS = ("edges", "cost", "workload", "lo", "hi", "target", "region", "grid_region", "exempt")


@dataclass(frozen=True, eq=False)
class Case:
    """
    One problem as arrays.

    Parameters
    ----------
    edges : ndarray of int32, shape (m, 2)
    cost : ndarray of int64, shape (m,)
    workload : ndarray of int64, shape (n, a)
    lo, hi : ndarray of int64, shape (k, a)
    target : ndarray of float64, shape (k, a)
    region : ndarray of int32, shape (n,)
        Connected part of the territory each unit lies in: regions are partitioned separately, by peers too.
    grid_region : ndarray of int32, shape (k,)
        Region of each grid.
    exempt : ndarray of bool, shape (k,)
        Grids of one given set of units, such as a heavy unit; nothing to decide there.
    """

    edges: NDArray[np.int32]
    cost: NDArray[np.int64]
    workload: NDArray[np.int64]
    lo: NDArray[np.int64]
    hi: NDArray[np.int64]
    target: NDArray[np.float64]
    region: NDArray[np.int32]
    grid_region: NDArray[np.int32]
    exempt: NDArray[np.bool_]

    @classmethod
    def from_problem(cls, problem: Problem) -> Case:
        """Take the arrays of a problem whose objective is the cut."""
        nesting = problem.nesting
        return cls(
            edges=problem.graph.edges,
            cost=problem.graph.cost,
            workload=problem.workload,
            lo=problem.lo,
            hi=problem.hi,
            target=problem.target,
            region=nesting.region,
            grid_region=nesting.grid_region,
            exempt=nesting.exempt,
        )

    @classmethod
    def read(cls, path: str | Path) -> Case:
        """Read a case written by `write`."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in FIELDS})

    def write(self, path: str | Path) -> None:
        """Write the arrays, uncompressed."""
        write_arrays(path, {name: getattr(self, name) for name in FIELDS})

    def digest(self) -> str:
        """SHA-256 of all arrays: what two solvers must agree on before their figures may be compared."""
        state = hashlib.sha256()
        for name in FIELDS:
            array = np.ascontiguousarray(getattr(self, name))
            state.update(f"{name}:{array.dtype.str}:{array.shape}:".encode() + array.tobytes())
        return state.hexdigest()

    @property
    def n_units(self) -> int:
        return len(self.workload)

    @property
    def n_grids(self) -> int:
        return len(self.lo)

    def facts(self) -> dict[str, Any]:
        """Columns that describe the case."""
        return {
            "digest": self.digest()[:16],
            "n_units": self.n_units,
            "n_edges": len(self.edges),
            "n_grids": self.n_grids,
            "n_regions": int(self.region.max()) + 1,
            "n_exempt": int(self.exempt.sum()),
        }


def write_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by their names, uncompressed."""
    by_name: dict[str, Any] = {**arrays}
    np.savez(path, **by_name)
