"""The decorators of all kernels, so that each is compiled the same way."""

from __future__ import annotations

from numba import njit

__all__ = ["helper", "kernel"]

kernel = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
"""Called from Python and from kernels."""
helper = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True, no_cpython_wrapper=True)
"""Called from kernels only: saves compiling the way in from Python."""
