"""Local: one region of a plan in force, by nodes and parts of its own, as its search sees it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gridopt.planning.force import InForce
from gridopt.planning.parts import Cutout
from gridopt.solvers.decompose.regions import Regions
from gridopt.solvers.piece import Piece

__all__ = ["Local", "homes"]


@dataclass(frozen=True, eq=False)
class Local:
    """
    A region and the plan in force in it.

    Parameters
    ----------
    region : int
    piece : Piece
        Without prices of leaving home.
    rows : ndarray of int64, shape (k,)
        Row of the problem of each part.
    units, node : ndarray of int64
        Units of the region, and the node each belongs to.
    part : ndarray of int32
        Part in force of each of `units`, -1 where it has none.
    home : ndarray of int32, shape (n,)
        Part in force of each node: that of most of its weight, -1 where it has none.
    weight : ndarray of int64, shape (n,)
        What counts as moved when a node leaves its home.
    frozen : ndarray of int64
        Parts that keep exactly their nodes.
    """

    region: int
    piece: Piece
    rows: NDArray[np.int64]
    units: NDArray[np.int64]
    node: NDArray[np.int64]
    part: NDArray[np.int32]
    home: NDArray[np.int32]
    weight: NDArray[np.int64]
    frozen: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        regions: Regions,
        region: int,
        units: NDArray[np.int64],
        force: InForce,
        home: NDArray[np.int32],
        weight: NDArray[np.int64],
        frozen: NDArray[np.int64],
    ) -> Local:
        """
        Take a region out.

        Parameters
        ----------
        units : ndarray of int64
            Of the region.
        home : ndarray of int32
            Part in force of each node of the region.
        weight : ndarray of int64
            Of each unit of the problem.
        frozen : ndarray of int64
            Rows of grids.
        """
        piece = regions.piece(region)
        nowhere = np.full(piece.n_nodes, -1, dtype=np.int32)
        piece = replace(piece, home=nowhere, away_cost=np.zeros(piece.n_nodes, dtype=np.int64))
        rows = regions.rows[regions.first_row[region] : regions.first_row[region + 1]]
        place = np.full(len(regions.rows) + 1, -1, dtype=np.int32)
        place[rows] = np.arange(len(rows))
        node = regions.node_of[units] - regions.first_node[region]
        part = place[force.home[units]]
        kept = place[frozen]
        at_home = (part >= 0) & (part == home[node])
        own = np.zeros(piece.n_nodes, dtype=np.int64)
        np.add.at(own, node[at_home], weight[units[at_home]])
        return cls(region, piece, rows, units, node, part, home, own, kept[kept >= 0].astype(np.int64))

    @property
    def loose(self) -> NDArray[np.int64]:
        """Parts that may change."""
        return np.setdiff1d(np.arange(self.piece.n_parts), self.frozen)

    def cut(self, labels: NDArray[np.int32], parts: NDArray[np.int64]) -> Cutout:
        """Some parts by themselves."""
        return Cutout.of(self.piece, labels, parts)

    def prices(self, weight: NDArray[np.int64]) -> NDArray[np.int64]:
        """What counts as moved of `weight` (of each unit of the problem) when a node is in each part, shape (n, k)."""
        known = self.part >= 0
        amount = weight[self.units[known]]
        stays = np.zeros((self.piece.n_nodes, self.piece.n_parts), dtype=np.int64)
        np.add.at(stays, (self.node[known], self.part[known]), amount)
        return np.asarray(stays.sum(axis=1, keepdims=True) - stays)


def homes(regions: Regions, force: InForce, weight: NDArray[np.int64]) -> NDArray[np.int32]:
    """Part of each node in force, local to its region: that of most of its weight; -1 where it has none."""
    k = len(regions.rows)
    part = np.empty(k, dtype=np.int64)
    part[regions.rows] = np.arange(k) - np.repeat(regions.first_row[:-1], np.diff(regions.first_row))
    known = np.flatnonzero(force.home >= 0)
    key = regions.node_of[known] * k + force.home[known]
    keys, where = np.unique(key, return_inverse=True)
    mass = np.bincount(where, weights=weight[known] + 1e-9)
    order = np.lexsort((-keys, mass))
    found = np.full(len(regions.fixed), -1, dtype=np.int32)
    found[keys[order] // k] = part[keys[order] % k]
    return found
