"""Kernel benchmarks share the kernel cache with everything else, and run in a tiny mode on request."""

from __future__ import annotations

import os

import pytest

from benchmarks._setting import point_kernel_cache

point_kernel_cache()


@pytest.fixture(scope="session")
def n() -> int:
    """Number of units: GRIDOPT_BENCH_UNITS, 10,000 unless set."""
    return int(os.environ.get("GRIDOPT_BENCH_UNITS", "10000"))
