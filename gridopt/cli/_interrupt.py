"""Ctrl-C: the first stops the search, the second aborts."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interrupt"]

SAY = b"\ngridopt: stopping; the best plan so far is written. Ctrl-C again aborts and leaves the old files.\n"


class Interrupt:
    """
    Catch Ctrl-C while a search runs and its plan is written.

    Examples
    --------
    >>> with Interrupt() as interrupt:
    ...     interrupt.asked
    False
    """

    def __init__(self) -> None:
        self.asked = False
        self.aborted = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            self.aborted = True
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, SAY)

    def heed(self) -> None:
        """Abort if that was asked, even where the search took the second Ctrl-C for its own."""
        if self.aborted:
            raise KeyboardInterrupt
