"""Files appear whole or not at all."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gridopt.errors import InputError
from gridopt.io._atomic import check_no_input, check_writable, replacing


def test_a_failure_leaves_the_old_files(tmp_path: Path) -> None:
    """Whatever goes wrong while writing, what stood there stays, and no temporary file is left."""
    old = tmp_path / "plan.gpkg"
    old.write_text("old")

    def write_and_stop() -> None:
        with replacing(old, tmp_path / "plan.json") as (first, second):
            first.write_text("new")
            second.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_stop()
    assert old.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["plan.gpkg"]


def test_files_are_renamed_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one is the sign that all are there."""
    seen = []
    real = __import__("os").replace
    monkeypatch.setattr("os.replace", lambda a, b: (seen.append(Path(b).name), real(a, b)))
    with replacing(tmp_path / "a.txt", tmp_path / "b.txt") as pair:
        for temporary in pair:
            temporary.write_text("x")
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".txt"
    assert seen == ["a.txt", "b.txt"]


def test_ctrl_c_between_renames_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New files beside old ones would be a plan nobody made: Ctrl-C comes when all are renamed."""
    real = os.replace
    monkeypatch.setattr("os.replace", lambda a, b: (real(a, b), signal.raise_signal(signal.SIGINT)))
    for name in "ab":
        (tmp_path / name).write_text("old")

    def write() -> None:
        with replacing(tmp_path / "a", tmp_path / "b") as pair:
            for temporary in pair:
                temporary.write_text("new")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "new", "b": "new"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_write_too(tmp_path: Path) -> None:
    """Signals belong to the main thread; a plan may be written from any."""

    def write() -> str:
        with replacing(tmp_path / "a") as (temporary,):
            temporary.write_text("new")
        return (tmp_path / "a").read_text()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(write).result() == "new"


def test_outputs_are_told_from_inputs(tmp_path: Path) -> None:
    """By the file, not by its name; what does not exist yet is no danger."""
    (tmp_path / "in.gpkg").write_text("precious")
    (tmp_path / "link.gpkg").symlink_to(tmp_path / "in.gpkg")
    (tmp_path / "other.gpkg").write_text("precious")
    new, old, link, other = (tmp_path / f"{name}.gpkg" for name in ("new", "in", "link", "other"))
    check_no_input([new, other], [old, link, tmp_path / "absent"])
    check_no_input([new], [new])
    with pytest.raises(InputError, match=r"cannot write .*link\.gpkg: it is an input, .*in\.gpkg, and would be lost"):
        check_no_input([new, link], [old])


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """An error of the system while writing names the file and the cure."""
    with (
        pytest.raises(InputError, match=r"cannot write .*a\.txt: No space left on device\. Free space"),
        replacing(tmp_path / "a.txt"),
    ):
        raise OSError(28, "No space left on device")


def test_what_cannot_be_written_is_found_before(tmp_path: Path) -> None:
    """A missing folder, a folder, a protected file and an open database are found without leaving a trace."""
    with pytest.raises(InputError, match=r"the folder .*nowhere does not exist\. Create the folder"):
        check_writable(tmp_path / "nowhere" / "plan.gpkg")
    with pytest.raises(InputError, match="it is a folder"):
        check_writable(tmp_path)
    kept = tmp_path / "kept.gpkg"
    kept.write_text("kept")
    kept.chmod(0o444)
    with pytest.raises(InputError, match="the file is write-protected"):
        check_writable(kept)
    kept.chmod(0o644)
    (tmp_path / "kept.gpkg-wal").write_text("open")
    with pytest.raises(InputError, match="another program has it open"):
        check_writable(kept)
    (tmp_path / "kept.gpkg-wal").unlink()
    assert check_writable(kept) == kept
    assert [p.name for p in tmp_path.iterdir()] == ["kept.gpkg"]


def test_a_folder_that_takes_no_files_is_found_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rights are tried, not computed: network drives and containers have their own ideas."""

    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"takes no files \(Permission denied\)"):
        check_writable(tmp_path / "plan.gpkg")
