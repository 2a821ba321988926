"""The decorators of all kernels, so that each is compiled the same way."""

from __future__ import annotations

from typing import Any

from numba import njit

__all__ = ["folded", "helper", "inlined", "kernel"]

_plain: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}

kernel = njit(**_plain)
"""Called from Python and from kernels."""
helper = njit(**(_plain | {"no_cpython_wrapper": True}))
"""Called from kernels only: saves compiling the way in from Python."""
inlined = njit(**(_plain | {"no_cpython_wrapper": True, "forceinline": True}))
"""The same, made part of each caller: for what is called millions of times a second with many arguments."""
folded = njit(**(_plain | {"no_cpython_wrapper": True, "inline": "always"}))
"""Folded into its only caller before compilation: with each level of calls all below it is compiled once more."""
