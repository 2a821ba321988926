"""Files appear whole or not at all: written under a temporary name in the same folder, then renamed into place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from gridopt.errors import Finding, InputError

__all__ = ["check_writable", "replacing", "sha256_of"]

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


def _unwritable(target: Path, why: str, cure: str) -> InputError:
    finding = Finding("output-not-writable", "error", (str(target),), why, None, cure)
    return InputError(f"cannot write {target}: {why}. {cure}", [finding])


def _refuse(target: Path, why: str, cure: str) -> None:
    raise _unwritable(target, why, cure)


@contextlib.contextmanager
def replacing(*paths: str | os.PathLike[str]) -> Iterator[Sequence[Path]]:
    """
    Yield one temporary path for each of `paths`, and rename them into place, in that order, when the block succeeds.

    When the block fails or is interrupted, the temporary files are removed and whatever stood at `paths` stays.
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
        for source, target in zip(temporary, targets):
            os.replace(source, target)
    except OSError as error:
        raise _unwritable(targets[0], str(error.strerror or error), "Free space or choose another folder.") from error
    finally:
        for source in temporary:
            for name in (source, *(source.with_name(source.name + end) for end in ("-journal", "-wal", "-shm"))):
                with contextlib.suppress(OSError):
                    name.unlink(missing_ok=True)


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
