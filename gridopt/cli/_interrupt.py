"""Ctrl-C: the first stops a running search and the second aborts; without a search the first aborts."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interrupt"]

SAY = b"\ngridopt: stopping; the best plan so far is written. Ctrl-C again aborts and leaves the old files.\n"
ENDED_BY_CTRL_C = 130
PATIENCE = 2.0
"""Seconds an aborted run has for removing what it was writing before a further Ctrl-C ends it on the spot."""


class Interrupt:
    """
    What Ctrl-C means during one run of the command line: exactly one of them raises, and none when all is done.

    A signal during the last steps of a process would kill it with another exit code; so it is heeded from the first
    line of `main` to the last.

    Parameters
    ----------
    owns_process : bool
        The process ends with the run: Ctrl-C stays ignored after it. Otherwise it means again what it meant before.

    Examples
    --------
    >>> with Interrupt() as interrupt, interrupt.searching():
    ...     interrupt.asked, interrupt.aborted
    (False, False)
    """

    def __init__(self, owns_process: bool = False) -> None:
        self.asked = False
        self.aborted = False
        self._owns_process = owns_process
        self._is_searching = False
        self._is_over = False
        self._when = 0.0
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        if self._before is not None:
            signal.signal(signal.SIGINT, signal.SIG_IGN if self._owns_process else self._before)

    @contextlib.contextmanager
    def searching(self) -> Iterator[None]:
        """Search and write: the first Ctrl-C only asks to stop. What follows is saying so, and is not interrupted."""
        self.heed()
        self._is_searching = True
        try:
            yield
        finally:
            self._is_over = True

    def heed(self) -> None:
        """Abort if that was asked, even where the work took the signal for its own."""
        if self.aborted:
            raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.aborted and self._owns_process and time.monotonic() - self._when > PATIENCE:
            os._exit(ENDED_BY_CTRL_C)
        if self.aborted or self._is_over:
            return
        if self._is_searching and not self.asked:
            self.asked = True
            os.write(2, SAY)
            return
        self.aborted, self._when = True, time.monotonic()
        raise KeyboardInterrupt
