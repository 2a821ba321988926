"""The record: a CSV row for each run and view; beside it, a line of JSON for each run tells how the cut fell."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.quality.runs import COLUMNS

__all__ = ["Record", "read_rows", "read_traces", "traces_path"]

NUMBERS = ("cut", "over", "under", "pieces", "wall_s", "cpu_s", "peak_mb", "seconds", "runs", "median_cut", "least_cut")
KEY = ("instance", "digest", "solver", "seed", "seconds", "steps", "date")


def traces_path(path: Path) -> Path:
    """Where the traces of a CSV file are."""
    return path.with_suffix(".traces.jsonl")


class Record:
    """
    Opened for appending; every row is on disk when `add` returns.

    Raises
    ------
    SystemExit
        If the file is there already with other columns: figures of two versions do not mix.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size:
            with path.open(encoding="utf-8") as file:
                found = tuple(next(csv.reader(file)))
            if found != COLUMNS:
                raise SystemExit(f"{path} has other columns than this version writes: name another file with --csv")
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self._file = path.open("a", newline="", encoding="utf-8")
        self._traces = traces_path(path).open("a", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, COLUMNS, restval="", extrasaction="ignore")
        if self._file.tell() == 0:
            self._writer.writeheader()

    def add(self, row: dict[str, Any]) -> None:
        """Write one row, and its trace where it brings one (the first view of a run does)."""
        self._writer.writerow(row)
        self._file.flush()
        if row.get("trace") and row["view"] in ("plan", "claim"):
            line = {name: row.get(name) for name in KEY} | {"trace": row["trace"]}
            self._traces.write(json.dumps(line) + "\n")
            self._traces.flush()
        self.rows.append(row)

    def __enter__(self) -> Record:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        self._traces.close()


def read_rows(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Read CSV files back: numbers as numbers, absent ones as None, `sound` as a truth value, traces if there are."""
    rows: list[dict[str, Any]] = []
    for path in paths:
        traces = read_traces(path)
        with path.open(encoding="utf-8") as file:
            for raw in csv.DictReader(file):
                row: dict[str, Any] = dict(raw)
                row.update({name: float(row[name]) if row.get(name) else None for name in NUMBERS})
                row["sound"] = row.get("sound") == "True"
                row["trace"] = traces.get(_key(row)) if row["view"] in ("plan", "claim") else None
                rows.append(row)
    return rows


def read_traces(path: Path) -> dict[tuple[str, ...], list[tuple[float, float, float]]]:
    """Traces of a CSV file by run; empty where there is no file of them."""
    beside = traces_path(path)
    if not beside.exists():
        return {}
    lines = [json.loads(line) for line in beside.read_text(encoding="utf-8").splitlines()]
    return {_key(line): line["trace"] for line in lines}


def _key(row: dict[str, Any]) -> tuple[str, ...]:
    """Text of what names a run; 10 and 10.0 seconds are the same."""
    values = [row.get(name) for name in KEY]
    return tuple("" if v in (None, "") else f"{v:g}" if isinstance(v, float) else str(v) for v in values)
