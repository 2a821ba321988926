"""compile: load the kernels, or compile them where they are not in the cache yet."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import time

import numpy as np

__all__ = ["compile"]

logger = logging.getLogger(__name__)
_done: list[float] = []


def compile(processes: int = 1) -> float:
    """
    Load all kernels of the search; the first time on a machine this compiles them, which takes most of a minute.

    `solve` does this by itself, before its clock starts. Later calls return at once.

    Parameters
    ----------
    processes : int
        With 2, what is not cached yet is compiled in two processes, which takes about half the time.

    Returns
    -------
    float
        Seconds it took.

    Examples
    --------
    >>> import gridopt as go
    >>> go.compile() >= 0
    True
    """
    began = time.perf_counter()
    if not _done:
        from gridopt._kernels.compiling import when_compiling

        told: list[str] = []
        beside: list[subprocess.Popen[bytes]] = []

        def tell() -> None:
            told.append("compiling the kernels, which this machine has not cached yet: some seconds")
            logger.info(told[0])
            if processes > 1 and sys.executable:
                with contextlib.suppress(OSError):  # no other process can be had here
                    beside.append(_fill_cache(1))

        with when_compiling(tell):
            try:
                HALVES[0]()
                for process in beside:
                    process.wait()
            finally:
                for process in beside:
                    process.terminate()
            HALVES[1]()
        _done.append(time.perf_counter() - began)
        if told:
            logger.info("kernels are ready after %.1f s, now cached", _done[0])
    return time.perf_counter() - began


def _fill_cache(half: int) -> subprocess.Popen[bytes]:
    """Compile a half of the kernels into the cache, in another process; where that fails nothing is lost but time."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from gridopt.solvers.warm import HALVES; HALVES[{half}]()"
    return subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _search() -> None:
    """Load the kernels of every search."""
    from gridopt.solvers.budget import Budget
    from gridopt.solvers.pieces import Effort, solve_piece

    for fixed in (False, True):
        start = np.array([0, 1, -1, 1], np.int32) if fixed else None
        solve_piece(_tiny(fixed), Budget(steps=50), seed=0, start=start)
    solve_piece(_tiny(False), Budget(steps=50), seed=0, effort=Effort(small=0))  # the way large pieces go


def _rest() -> None:
    """Load what only some problems need, and what is done once."""
    from gridopt.rules.necks import load_kernels
    from gridopt.solvers import bounds
    from gridopt.solvers.decompose.coarsen import Coarsening

    load_kernels()
    _list_sets()
    _redivide()
    _relay()
    Coarsening()(_tiny(False), 0)
    bounds.warm()


HALVES = _search, _rest
"""About equally long to compile."""


def _tiny(fixed: bool):
    """Return a ring of four nodes in two parts."""
    from gridopt.solvers.piece import Piece

    return Piece(
        indptr=np.arange(0, 9, 2, dtype=np.int64),
        indices=np.array([1, 3, 0, 2, 1, 3, 0, 2], dtype=np.int32),
        weights=np.ones(8, dtype=np.int64),
        workload=np.ones((4, 1), dtype=np.int64),
        lo=np.full((2, 1), 2, dtype=np.int64),
        hi=np.full((2, 1), 2, dtype=np.int64),
        target=np.full((2, 1), 2, dtype=np.int64),
        fixed=np.array([0 if fixed else -1, -1, -1, -1], dtype=np.int32),
        apart_indptr=np.zeros(5, dtype=np.int64),
        apart_indices=np.empty(0, dtype=np.int32),
        unit_cost=np.empty((0, 0), dtype=np.int64),
        home=np.array([0 if fixed else -1, -1, -1, -1], dtype=np.int32),
        away_cost=np.ones(4, dtype=np.int64),
        imbalance_weight=int(fixed),
        xy=np.empty((0, 2), dtype=np.int64),
    )


def _redivide() -> None:
    """Load the kernels that divide parts anew."""
    from gridopt.solvers.budget import Budget
    from gridopt.solvers.refine.annealing import Best
    from gridopt.solvers.refine.redivision import Redivision
    from gridopt.solvers.table import Table

    table = Table(_tiny(False), np.array([0, 0, 1, 1], dtype=np.int32))
    Redivision()(table, Budget().start(), 0, Best(np.array(table.board.labels), *table.price()))


def _relay() -> None:
    """Load the kernels that hand load on."""
    from gridopt.solvers.budget import Budget
    from gridopt.solvers.refine.annealing import Best
    from gridopt.solvers.refine.relays import Relays
    from gridopt.solvers.table import Table

    table = Table(_tiny(False), np.array([0, 0, 0, 1], dtype=np.int32))
    Relays()(table, Budget().start(), Best(np.array(table.board.labels), *table.price()))


def _list_sets() -> None:
    """Load the kernels that solve tiny regions outright."""
    from gridopt.model.graph import Graph
    from gridopt.rules.build import build_problem
    from gridopt.solvers.decompose.regions import decompose
    from gridopt.solvers.tiny import lay_out

    tiny = lay_out(decompose(build_problem(Graph.from_edges(2, [(0, 1)]), workload=[1, 1], n_grids=2)))
    if tiny is not None:
        tiny.sketch(np.arange(1), np.full(1, 50), seed=0)
        tiny.solve(np.arange(1), np.full(1, 50))
