"""Shared by all tests: the cache of compiled kernels, the way to real data, territories small enough for a napkin."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import settings

from gridopt.model.graph import Graph

ROOT = Path(__file__).resolve().parent.parent


def _kernel_cache() -> str:
    """
    Cache directory named after the kernel sources and the switches they are compiled under.

    Numba's cache misses edits to callees in other files, and answers for a different NUMBA_BOUNDSCHECK; a directory of
    its own for each state can do neither. Tests that run gridopt in another process inherit it.
    """
    digest = hashlib.sha256()
    for path in sorted((ROOT / "gridopt" / "_kernels").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    for switch in ("NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"):
        digest.update(f"{switch}={os.environ.get(switch, '')}".encode())
    name = digest.hexdigest()[:16]
    base = Path(os.environ.get("NUMBA_CACHE_DIR") or ROOT / ".numba_cache")
    return str(base if base.name == name else base / name)


os.environ["NUMBA_CACHE_DIR"] = _kernel_cache()  # read when numba is first imported, which is later
os.environ.setdefault("MPLBACKEND", "Agg")

settings.register_profile("gridopt", derandomize=True, deadline=None, database=None)
settings.load_profile("gridopt")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the kernels before there are workers, in two processes: each worker would compile all of them."""
    if hasattr(session.config, "workerinput") or not getattr(session.config.option, "numprocesses", None):
        return
    subprocess.run([sys.executable, "-c", "import gridopt; gridopt.compile(processes=2)"], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder of the real data sets, ``GRIDOPT_DATA`` or ``../shared/data``; skips where there is none."""
    folder = Path(os.environ.get("GRIDOPT_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"real data are not here: {folder} does not exist (set GRIDOPT_DATA to where they are)")
    return folder


@pytest.fixture(scope="session")
def real_data(data_dir: Path) -> Callable[[str], Path]:
    """Path of one real file, such as ``real_data("taipei/taipei.gpkg")``; skips where it is absent."""

    def find(name: str) -> Path:
        path = data_dir / name
        if not path.exists():
            pytest.skip(f"real data are not here: {path} does not exist (set GRIDOPT_DATA to where they are)")
        return path

    return find


@pytest.fixture
def path6() -> Graph:
    """Six units in a row: a - b - c - d - e - f, 100 m apart, each border 10 m."""
    edges = [(i, i + 1) for i in range(5)]
    return Graph.from_edges(6, edges, [100] * 5, ids=list("abcdef"), xy=[(100 * i, 0) for i in range(6)])


@pytest.fixture
def lattice4x4() -> Graph:
    """Sixteen square units of 100 m, row by row from the south-west; edges along full sides, never across corners."""
    return lattice(4, 4)


@pytest.fixture
def ring() -> Graph:
    """Eight units around a lake: taking out any two that are not neighbours leaves two pieces."""
    angles = [(100, 0), (71, 71), (0, 100), (-71, 71), (-100, 0), (-71, -71), (0, -100), (71, -71)]
    return Graph.from_edges(8, [(i, (i + 1) % 8) for i in range(8)], [200] * 8, xy=angles)


@pytest.fixture
def two_islands() -> Graph:
    """A path of four units (w0 … w3) and a triangle (e0, e1, e2) 1 km east, with water between: two components."""
    edges = [(0, 1), (1, 2), (2, 3), (4, 5), (4, 6), (5, 6)]
    xy = [(0, 0), (100, 0), (200, 0), (300, 0), (1300, 0), (1400, 0), (1350, 80)]
    return Graph.from_edges(7, edges, [500] * 6, ids=["w0", "w1", "w2", "w3", "e0", "e1", "e2"], xy=xy)


def lattice(rows: int, columns: int) -> Graph:
    """Square units of 100 m in `rows` x `columns`; unit ``r * columns + c`` lies in row ``r``, column ``c``."""
    at = [[r * columns + c for c in range(columns)] for r in range(rows)]
    edges = [(u, v) for row in at for u, v in pairwise(row)]
    edges += [(u, v) for south, north in pairwise(at) for u, v in zip(south, north)]
    xy = [(50 + 100 * c, 50 + 100 * r) for r in range(rows) for c in range(columns)]
    return Graph.from_edges(rows * columns, edges, [1000] * len(edges), xy=xy)
