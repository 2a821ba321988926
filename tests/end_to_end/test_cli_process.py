"""The command line in a process of its own: start-up, exit codes, a terminal, Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gridopt.io.plan_file import read_plan
from gridopt.rules.verify import verify
from tests.end_to_end.towns import squares, town

ROOT = Path(__file__).resolve().parent.parent.parent
GRIDOPT = [sys.executable, "-m", "gridopt"]
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def process(folder: Path, *args: object, **more: object) -> subprocess.CompletedProcess[str]:
    """Run gridopt as a shell would."""
    command = [*GRIDOPT, *map(str, args)]
    return subprocess.run(
        command, cwd=folder, env=ENV, capture_output=True, text=True, check=False, timeout=300, **more
    )


def test_help_answers_at_once(tmp_path: Path) -> None:
    """All commands are named; the best of three starts takes less than 0.6 s (0.1 s on an idle machine)."""
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        ended = process(tmp_path, "--help")
        spent.append(time.perf_counter() - began)
        assert ended.returncode == 0
        assert all(name in ended.stdout for name in ("demo", "blocks", "solve", "check", "verify"))
    assert min(spent) < 0.6, spent


@pytest.mark.parametrize("name", ["demo", "blocks", "solve", "check", "verify"])
def test_each_command_explains_its_options(tmp_path: Path, name: str) -> None:
    """`gridopt solve --help` loads nothing that a bare installation could lack."""
    ended = process(tmp_path, name, "--help")
    assert ended.returncode == 0
    assert "--help" in ended.stdout


def test_version(tmp_path: Path) -> None:
    """One line, for bug reports."""
    assert re.fullmatch(r"gridopt \d+\.\d+\.\d+\S*\n", process(tmp_path, "--version").stdout)


def test_exit_codes_reach_the_shell(tmp_path: Path) -> None:
    """0 with results on stdout alone, 2 with the message on stderr alone."""
    town().to_file(tmp_path / "town.gpkg")
    args = ["solve", "town.gpkg", "--id", "code", "--workload", "persons", "--tolerance", "0.15", "--steps", 20000]
    good = process(tmp_path, *args, "--grids", 4, "--out", "plan.gpkg")
    assert good.returncode == 0, good
    assert "written     plan.gpkg" in good.stdout
    assert "\r" not in good.stderr
    bad = process(tmp_path, *args, "--grids", 40, "--out", "other.gpkg")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert "for 16 units" in bad.stderr
    assert not (tmp_path / "other.gpkg").exists()
    assert process(tmp_path, "verify", "plan.gpkg").returncode == 0


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    """`gridopt check … | head -1` ends quietly."""
    town().to_file(tmp_path / "town.gpkg")
    command = f"{' '.join(GRIDOPT)} check town.gpkg --id code | head -c 1 > /dev/null"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, env=ENV, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_ctrl_c_at_a_terminal_stops_the_search_and_keeps_its_plan(tmp_path: Path) -> None:
    """Progress shows on a terminal; Ctrl-C then ends a search of ten minutes with its best sound plan, exit 130."""
    squares(20, 20).to_file(tmp_path / "town.gpkg")
    args = ["solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", "12", "--tolerance", "0.1"]
    ours, theirs = os.openpty()
    running = subprocess.Popen(
        [*GRIDOPT, *args, "--seconds", "600", "--out", "plan.gpkg"],
        cwd=tmp_path,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    try:
        seen = b""
        while b"cost" not in seen:
            seen += os.read(ours, 4096)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    finally:
        running.kill()
        os.close(ours)
    assert running.returncode == 130, out
    assert "written     plan.gpkg" in out
    read = read_plan(tmp_path / "plan.gpkg")
    assert verify(read.problem, read.plan.labels) == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plan.csv", "plan.gpkg", "plan.json", "town.gpkg"]


@pytest.mark.parametrize(("first", "gap"), [(0.6, 0.05), (1.2, 0.2), (2.0, 0.1), (2.6, 0.05), (2.8, 0.02)])
def test_two_ctrl_c_end_with_130_whenever_they_come(tmp_path: Path, first: float, gap: float) -> None:
    """Loading, searching, writing, leaving: never death by the signal, a traceback, or a mixture of old and new."""
    squares(20, 20).to_file(tmp_path / "town.gpkg")
    for name in ("plan.gpkg", "plan.csv", "plan.json"):
        (tmp_path / name).write_text("old")
    args = ["solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", "12", "--tolerance", "0.1"]
    running = subprocess.Popen(
        [*GRIDOPT, *args, "--seconds", "1", "--out", "plan.gpkg"],
        cwd=tmp_path,
        env=ENV,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for pause in (first, gap):
            time.sleep(pause)
            running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == (0 if "written" in out and "stopping" not in err else 130), (out, err)
    assert "Traceback" not in err
    left = {p.name: p.read_bytes() == b"old" for p in tmp_path.iterdir() if p.name != "town.gpkg"}
    assert left.keys() == {"plan.gpkg", "plan.csv", "plan.json"}
    assert len(set(left.values())) == 1, left


def test_a_generated_city(tmp_path: Path) -> None:
    """`gridopt demo --city N`, twice into the same folder: the second writes over the first."""
    for _ in range(2):
        ended = process(tmp_path, "demo", "--city", 100, "--out", "city")
        assert ended.returncode == 0, ended
        assert ended.stdout.startswith("Generated city")
        assert ended.stdout.rstrip().endswith("verified: 0 errors")


def test_demo_needs_nothing_but_the_installation(tmp_path: Path) -> None:
    """The first command a newcomer runs ends with a verified plan and its files, soon (3 s once compiled)."""
    process(tmp_path, "demo", "--out", "first")
    began = time.perf_counter()
    ended = process(tmp_path, "demo", "--out", "first")
    assert time.perf_counter() - began < 15
    assert ended.returncode == 0, ended
    assert ended.stdout.rstrip().endswith("verified: 0 errors")
    assert {"plan.gpkg", "plan.json", "plan.csv"} <= {p.name for p in (tmp_path / "first").iterdir()}
