"""Whether kernels are compiled, and not read from the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core.event import Listener, install_listener

__all__ = ["when_compiling"]


@contextmanager
def when_compiling(tell: Callable[[], None]) -> Iterator[None]:
    """Call `tell` once, as soon as a kernel is compiled within the block; not where all come from the cache."""

    class Teller(Listener):
        told = False

        def on_start(self, event: Any) -> None:
            if not self.told:
                self.told = True
                tell()

        def on_end(self, event: Any) -> None:
            pass

    with install_listener("numba:compile", Teller()):
        yield
