"""Files appear whole or not at all: written under a temporary name in the same folder, then renamed into place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from gridopt.errors import Finding, InputError

__all__ = ["check_no_input", "check_writable", "replacing", "sha256_of", "undisturbed"]

CHUNK = 1 << 20


def check_writable(path: str | os.PathLike[str]) -> Path:
    """
    Make sure a file can be written at `path`, before any work is done; nothing is left behind.

    Parameters
    ----------
    path : str or path
        The file to write. It may exist already.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    InputError
        If the folder does not exist or takes no files, or `path` is a folder, write-protected, or a database that
        another program has open.

    Examples
    --------
    >>> check_writable("no-such-folder/plan.gpkg")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gridopt.errors.InputError: cannot write no-such-folder/plan.gpkg: ... Create the folder, or choose another one.
    """
    target = Path(path)
    try:
        os.stat(target)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _unwritable(target, f"there can be no such file ({why})", "Choose another name.") from error
    folder = target.parent
    if target.is_dir():
        _refuse(target, "it is a folder", "Give the name of a file in it.")
    if not folder.is_dir():
        _refuse(target, f"the folder {folder} does not exist", "Create the folder, or choose another one.")
    if target.exists() and not target.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        _refuse(target, "the file is write-protected", "Make it writable, or choose another name.")
    journal = target.with_name(target.name + "-wal")
    if journal.exists() and journal.stat().st_size:
        _refuse(
            target, f"another program has it open ({journal.name} exists)", "Close it there, or choose another name."
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(
            target, f"the folder {folder} takes no files ({error.strerror})", "Choose another one."
        ) from error
    return target


def check_no_input(outputs: Iterable[str | os.PathLike[str]], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """
    Make sure no file is about to be written over one that is read, under whatever name or link.

    Parameters
    ----------
    outputs, inputs : iterable of path
        Files to be written and files read, without layers. Those that do not exist are no danger.

    Raises
    ------
    InputError
        If an output is an input.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "streets.gpkg"
    >>> _ = path.write_text("precious")
    >>> check_no_input([path], [path])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    gridopt.errors.InputError: cannot write .../streets.gpkg: it is an input... Choose another name for the output.
    """
    read = [Path(source) for source in inputs if os.path.exists(source)]
    for target in map(Path, outputs):
        same = next((s for s in read if os.path.exists(target) and target.samefile(s)), None)
        if same is not None:
            also = "" if str(same) == str(target) else f", {same},"
            _refuse(target, f"it is an input{also} and would be lost", "Choose another name for the output.")


def _unwritable(target: Path, why: str, cure: str) -> InputError:
    finding = Finding("output-not-writable", "error", (str(target),), why, None, cure)
    return InputError(f"cannot write {target}: {why}. {cure}", [finding])


def _refuse(target: Path, why: str, cure: str) -> None:
    raise _unwritable(target, why, cure)


@contextlib.contextmanager
def replacing(*paths: str | os.PathLike[str]) -> Iterator[Sequence[Path]]:
    """
    Yield one temporary path for each of `paths`, and rename them into place, in that order, when the block succeeds.

    When the block fails or is interrupted, the temporary files are removed and whatever stood at `paths` stays. Ctrl-C
    waits while files are renamed, so that no new file stands beside an old one.
    The temporary names keep their suffix, because some drivers choose the format by it.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with replacing(target) as (temporary,):
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('whole', 1)
    """
    targets = [check_writable(p) for p in paths]
    temporary = [t.with_name(f".{t.stem}-{os.getpid()}{t.suffix}") for t in targets]
    try:
        yield temporary
        with undisturbed():
            for source, target in zip(temporary, targets):
                os.replace(source, target)
    except OSError as error:
        raise _unwritable(targets[0], str(error.strerror or error), "Free space or choose another folder.") from error
    finally:
        for source in temporary:
            for name in (source, *(source.with_name(source.name + end) for end in ("-journal", "-wal", "-shm"))):
                with contextlib.suppress(OSError):
                    name.unlink(missing_ok=True)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """
    Let Ctrl-C wait until the block is done; in other threads than the main one it never disturbs.

    Examples
    --------
    >>> done = []
    >>> try:
    ...     with undisturbed():
    ...         signal.raise_signal(signal.SIGINT)
    ...         done.append("first")
    ... except KeyboardInterrupt:
    ...     done.append("then Ctrl-C")
    >>> done
    ['first', 'then Ctrl-C']
    """
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    for signalled in came:
        handler(*signalled)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """
    SHA-256 of a file's bytes, in hexadecimal.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a"
    >>> _ = path.write_bytes(b"")
    >>> sha256_of(path)[:8]
    'e3b0c442'
    """
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()
