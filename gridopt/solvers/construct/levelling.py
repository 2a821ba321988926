"""Levelling: parts that hold far too little are dissolved, their names given to halves of parts that hold too much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridopt.solvers.construct.members import Members
from gridopt.solvers.piece import Piece

__all__ = ["Levelling"]


@dataclass(frozen=True)
class Levelling:
    """
    Move whole parts from where there are too many to where there are too few.

    No search that moves single nodes can: a part of one node has nothing to give, and loads spread through many parts
    only slowly. A light part joins the neighbour with the dearest border between them; its name goes to the fullest
    part, which is divided by spanning-tree cuts, together with full parts around it where it is not full enough alone.
    Parts with fixed nodes are left alone. A change is kept where the squares of what is missing or over become less.

    Parameters
    ----------
    light : float
        Parts that hold less than this share of their lower limit are dissolved.
    full : float
        Parts are divided together that would then hold at least half of this share of their target.
    most : int
        Parts divided together at most.
    """

    light: float = 0.55
    full: float = 1.3
    most: int = 12

    def __call__(self, piece: Piece, labels: NDArray[np.int32], seed: int) -> NDArray[np.int32]:
        """Return contiguous labels with loads no worse spread, `labels` themselves where there is nothing to do."""
        k = piece.n_parts
        used = piece.workload.any(axis=0)
        if k < 3 or not used.any():
            return labels
        floor = self.light * (piece.lo[:, used] / piece.target[:, used]).min(axis=1)
        if not (np.bincount(labels, minlength=k) < piece.n_nodes).all():
            return labels
        members = Members(piece, labels)
        waiting = members.free & (members.fill < floor)
        for attempt in range(4 * int(waiting.sum())):
            light = int(np.where(waiting, members.fill - floor, np.inf).argmin())
            if not waiting[light] or members.fill[light] >= floor[light]:
                break
            waiting[light] = False
            for part in self._move(members, light, seed + attempt):
                waiting[part] = members.fill[part] < floor[part]
        return members.labels

    def _move(self, members: Members, light: int, seed: int) -> list[int]:
        """Dissolve `light` and divide full parts with its name; return the parts that changed, none if none did."""
        beside, border = members.beside([light])
        if not len(beside):
            return []
        heir = int(beside[border.argmax()])
        was = members.fill.copy()
        joined = (members.fill[[heir, light]] * members.share[[heir, light]]).sum() / members.share[heir]
        members.fill[heir], members.fill[light] = joined, 0.0
        parts = self._full_parts(members, light)
        members.fill[:] = was
        if not parts:
            return []
        changed = sorted({*parts, heir, light})
        whole = [members.nodes[p] for p in parts] + ([members.nodes[light]] if heir in parts else [])
        nodes = np.concatenate(whole)
        if len(nodes) <= len(parts):
            return []
        names = [*parts, light]
        sets = members.divide(names, nodes, members.graph(nodes), seed)
        fill = np.bincount(sets, weights=members.mass[nodes], minlength=len(names)) / members.share[names]
        after = ((fill - 1) ** 2).sum() + (0.0 if heir in parts else (joined - 1) ** 2)
        if after >= ((was[changed] - 1) ** 2).sum():
            return []
        if heir not in parts:
            both = np.concatenate([members.nodes[heir], members.nodes[light]])
            members.give([heir], both, np.zeros(len(both), dtype=np.int32))
        members.give(names, nodes, sets)
        return changed

    def _full_parts(self, members: Members, light: int) -> list[int]:
        """Parts that hang together, from the fullest on, until all and one more would be full enough."""
        fill = np.where(members.free, members.fill, -np.inf)
        fill[light] = -np.inf
        parts = [int(fill.argmax())]
        if fill[parts[0]] == -np.inf:
            return []
        while len(parts) < self.most and fill[parts].sum() < self.full / 2 * (len(parts) + 1):
            beside, _ = members.beside(parts)
            beside = beside[beside != light]
            if not len(beside):
                break
            parts.append(int(beside[fill[beside].argmax()]))
        return parts
