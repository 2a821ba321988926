"""Files in every state that a shared folder knows: cut short, empty, locked, open elsewhere, under Chinese names."""

from __future__ import annotations

import contextlib
import gzip
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest

from tests.end_to_end.towns import BRIEF, Ended, Run, contents, town

LIMITS = ("--id", "code", "--workload", "persons", "--grids", 4, "--tolerance", "0.15")


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Run what must be refused in one line, without a byte written; returns the line."""

    def call(*args: object) -> str:
        before = contents(Path())
        ended = run(*args)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended
        assert contents(Path()) == before
        return ended.err

    return call


@contextlib.contextmanager
def holding(path: str, statements: str) -> Iterator[None]:
    """Hold a database as another process does: locks are between processes."""
    program = f"""
import sqlite3, sys
base = sqlite3.connect({path!r}, isolation_level=None)
for statement in {statements.split("; ")!r}:
    base.execute(statement).fetchall()
print("held", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        yield
        other.stdin.close()


def written(suffix: str) -> Path:
    path = Path(f"社区{suffix}")
    if suffix == ".parquet":
        town().to_parquet(path)
    elif suffix == ".csv.gz":
        path.write_bytes(gzip.compress(b"code,lon,lat\n" + b"001,123.0,0.001\n" * 500))
    else:
        town().to_file(path)
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet", ".shp"])
@pytest.mark.parametrize("state", ["cut", "empty", "something else", "folder"])
def test_damaged_files_are_refused(refused: Callable[..., str], suffix: str, state: str) -> None:
    path = written(suffix)
    raw = path.read_bytes()
    if state == "folder":
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes({"cut": raw[: len(raw) * 2 // 3], "empty": b"", "something else": b"\x89PNG\r\n" * 300}[state])
    told = refused("solve", path, *LIMITS, "--out", "plan.gpkg")
    assert path.name in told
    assert ("is a folder" if state == "folder" else "cannot be read as") in told


def test_packed_tables_that_are_cut_are_refused(refused: Callable[..., str], run: Run) -> None:
    path = written(".csv.gz")
    path.write_bytes(path.read_bytes()[:-9])
    assert "cannot be read as CSV" in refused("count", "town.gpkg", "--objects", f"a={path}", "--out", "u.gpkg")


def test_a_field_without_end_and_a_text_in_another_encoding_are_refused(refused: Callable[..., str]) -> None:
    for name, raw in (
        ("a.csv", b'x,y\n"' + b"1" * 200_000),
        ("b.csv", b"x,y\n1\n"),
        ("c.csv", "Größe\n1\n".encode("cp1252")),
    ):
        Path(name).write_bytes(raw)
        assert name in refused("count", "town.gpkg", "--objects", f"a={name}", "--out", "u.gpkg")


def test_a_locked_geopackage_is_refused_and_an_open_one_is_read(refused: Callable[..., str], run: Run) -> None:
    """A GIS that only looks does not hinder; one that writes at this moment does."""
    pyogrio.set_gdal_config_options({"SQLITE_BUSY_TIMEOUT": "200"})  # else it is tried for 15 s
    with holding("town.gpkg", "BEGIN EXCLUSIVE"):
        told = refused("solve", "town.gpkg", *LIMITS, "--out", "plan.gpkg")
        assert "town.gpkg cannot be read as GeoPackage" in told
        assert "locked" in told
    pyogrio.set_gdal_config_options({"SQLITE_BUSY_TIMEOUT": None})
    with holding("town.gpkg", "PRAGMA journal_mode=WAL; BEGIN; SELECT count(*) FROM gpkg_contents"):
        assert run("solve", "town.gpkg", *LIMITS, *BRIEF, "--out", "plan.gpkg").code == 0


def test_a_plan_open_for_writing_elsewhere_is_not_replaced(refused: Callable[..., str], run: Run) -> None:
    """Its journal would be taken for that of the new file, and spoil it."""
    assert run("solve", "town.gpkg", *LIMITS, *BRIEF, "--out", "plan.gpkg").code == 0
    editor = sqlite3.connect("plan.gpkg", isolation_level=None)
    editor.execute("PRAGMA journal_mode=WAL")
    editor.execute("UPDATE gpkg_contents SET description = 'edited' WHERE table_name = 'units'")
    assert os.path.getsize("plan.gpkg-wal")
    told = refused("solve", "town.gpkg", *LIMITS, *BRIEF, "--out", "plan.gpkg")
    assert "another program has it open (plan.gpkg-wal exists)" in told
    editor.close()
    assert run("solve", "town.gpkg", *LIMITS, *BRIEF, "--out", "plan.gpkg").code == 0


def test_inputs_are_read_from_places_that_cannot_be_written(run: Run) -> None:
    folder = Path("只读")
    folder.mkdir()
    town().to_file(folder / "网格.gpkg")
    (folder / "网格.gpkg").chmod(stat.S_IRUSR)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        before = contents(folder)
        ended = run("solve", folder / "网格.gpkg", *LIMITS, *BRIEF, "--out", "方案.gpkg")
        assert ended.code == 0, ended.err
        assert contents(folder) == before
    finally:
        folder.chmod(stat.S_IRWXU)
    assert run("verify", "方案.gpkg").code == 0
    assert len(gpd.read_file("方案.gpkg", layer="units")) == 16


def test_names_beyond_what_a_file_system_holds(run: Run) -> None:
    def one_line(ended: Ended) -> bool:
        return ended.code == 2 and ended.err.count("\n") == 1 and len(ended.err) < 2000

    long = "长" * 400
    assert one_line(run("solve", f"{long}.gpkg", *LIMITS, "--out", "plan.gpkg"))
    assert one_line(run("solve", "town.gpkg", *LIMITS, "--out", f"{long}.gpkg"))
    assert one_line(run("verify", "a\nb.gpkg"))
    assert one_line(run("count", "town.gpkg", "--objects", f"a={long}.csv", "--out", "u.gpkg"))
