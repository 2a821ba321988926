"""Standard output whose reader may leave: the command goes on, for its files matter more than its words."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["heard_or_not"]


@contextlib.contextmanager
def heard_or_not(owns_process: bool = False) -> Iterator[None]:
    """
    Let the block print although nobody may read it any more, as in ``gridopt solve … | head -3``.

    Without this the first line after the reader has left would end the command, before it has written its files.

    Parameters
    ----------
    owns_process : bool
        The process ends with the block: its output is led to nowhere for good, so that Python's own last flush does
        not complain.

    Examples
    --------
    >>> with heard_or_not():
    ...     print("heard")
    heard
    """
    before = sys.stdout
    if before is None:
        yield
        return
    sys.stdout = _Pipe(before, owns_process)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout = before


class _Pipe:
    """A stream that falls silent when its reader leaves; in all else the stream it stands for."""

    def __init__(self, stream: Any, owns_process: bool) -> None:
        self._stream = stream
        self._owns_process = owns_process
        self._is_silent = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        if not self._is_silent:
            try:
                return int(self._stream.write(text) or 0)
            except BrokenPipeError:
                self._fall_silent()
        return len(text)

    def flush(self) -> None:
        if not self._is_silent:
            try:
                self._stream.flush()
            except BrokenPipeError:
                self._fall_silent()

    def _fall_silent(self) -> None:
        self._is_silent = True
        if self._owns_process:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
