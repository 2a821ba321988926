"""Sets of up to 64 nodes as the bits of one word."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

__all__ = ["ALL", "NONE", "ONE", "lowest"]

NONE, ONE, ALL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)


def _trailing_zeros(context: Any, word: Any) -> Any:
    """Type of `lowest` and the one instruction it is."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), build


def _lowest(word: Any) -> int:
    """Position of the lowest bit of a word that has any."""
    word = int(word)
    return (word & -word).bit_length() - 1


lowest: Any = _lowest if config.DISABLE_JIT else intrinsic(_trailing_zeros)  # type: ignore[attr-defined]
"""Position of the lowest bit of a word that has any: int64 of uint64."""
