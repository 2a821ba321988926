"""Ctrl-C at the command line, in every phase: what is written, what stays, and the exit code."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gridopt.io.plan_file import read_plan
from gridopt.model import Problem, Result, Status
from tests.end_to_end.towns import BRIEF, SOLVE, Run, contents, fake, quarters


@pytest.fixture
def before(run: Run, tmp_path: Path) -> Iterator[dict[str, bytes | None]]:
    """Files of an older plan; Ctrl-C does again what it did, whatever the test did."""
    run(*SOLVE, *BRIEF, "--out", "plan.gpkg")
    yield contents(tmp_path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_first_ctrl_c_stops_the_search_and_writes(
    run: Run, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes | None]
) -> None:
    """The search is asked to stop, its best sound plan is written, exit 130."""
    stopped = []

    def search(problem: Problem, on_progress: Callable[..., Any]) -> Result:
        stopped.append(on_progress(None))
        signal.raise_signal(signal.SIGINT)
        stopped.append(on_progress(None))
        return quarters(problem)

    fake(monkeypatch, search)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 130, ended
    assert stopped == [False, True]
    assert read_plan("plan.gpkg").document["reason"] == "made by hand"


def test_ctrl_c_before_a_sound_plan_writes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes | None], tmp_path: Path
) -> None:
    """A violated plan never takes the place of an old one by an interruption."""

    def search(problem: Problem, _: object) -> Result:
        signal.raise_signal(signal.SIGINT)
        return quarters(problem, Status.VIOLATED)

    fake(monkeypatch, search)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 130, ended
    assert "nothing was written" in ended.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("is_swallowed", [False, True])
def test_second_ctrl_c_aborts(
    run: Run, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes | None], tmp_path: Path, is_swallowed: bool
) -> None:
    """Old files stay, even where the search takes the second signal for a wish to stop."""

    def search(problem: Problem, _: object) -> Result:
        signal.raise_signal(signal.SIGINT)
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            if not is_swallowed:
                raise
        return quarters(problem)

    fake(monkeypatch, search)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 130, ended
    assert contents(tmp_path) == before


def test_the_command_line_takes_any_number_of_ctrl_c(
    run: Run, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes | None], tmp_path: Path
) -> None:
    """A third and fourth while the half-written files are removed change neither exit code nor files."""

    def search(problem: Problem, _: object) -> Result:
        signal.raise_signal(signal.SIGINT)
        return quarters(problem)

    def write(path: Path, _: object) -> None:
        path.write_bytes(b"half")
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    fake(monkeypatch, search)
    monkeypatch.setattr("gridopt.io.plan_file.write_layers", write)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 130, ended
    assert "files are the old ones" in ended.err
    assert contents(tmp_path) == before


def test_ctrl_c_after_the_files_are_written_changes_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only saying so is left: the plan is whole, and its exit code is that of the plan."""
    real = __import__("gridopt.cli", fromlist=["_"])._gridopt.main

    def main_and_signal(*args: object, **more: object) -> object:
        code = real(*args, **more)
        signal.raise_signal(signal.SIGINT)
        return code

    monkeypatch.setattr("gridopt.cli._gridopt.main", main_and_signal)
    assert run(*SOLVE, *BRIEF, "--out", "plan.gpkg").code == 0
    assert run("verify", "plan.gpkg").code == 130


def test_ctrl_c_before_the_search_writes_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes | None], tmp_path: Path
) -> None:
    """One is enough while files are read, even where the reader swallows the exception."""
    from gridopt.cli import solve as module

    real = module.read_territory

    def read(request: object) -> object:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return real(request)

    monkeypatch.setattr(module, "read_territory", read)
    assert run(*SOLVE, "--out", "plan.gpkg").code == 130
    assert contents(tmp_path) == before


def test_ctrl_c_while_writing_leaves_the_old_files(
    run: Run, monkeypatch: pytest.MonkeyPatch, before: dict[str, bytes | None], tmp_path: Path
) -> None:
    """First Ctrl-C in the search, second while layers are written: nothing half is left."""

    def search(problem: Problem, _: object) -> Result:
        signal.raise_signal(signal.SIGINT)
        return quarters(problem)

    def write(path: Path, _: object) -> None:
        path.write_bytes(b"half")
        signal.raise_signal(signal.SIGINT)

    fake(monkeypatch, search)
    monkeypatch.setattr("gridopt.io.plan_file.write_layers", write)
    ended = run(*SOLVE, "--out", "plan.gpkg")
    assert ended.code == 130, ended
    assert contents(tmp_path) == before
