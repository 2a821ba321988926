"""The command line, run inside the test process."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridopt.cli import main
from tests.end_to_end.towns import Ended, Run, town


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a folder that holds `town.gpkg`."""
    monkeypatch.chdir(tmp_path)
    town().to_file("town.gpkg", layer="units")

    def call(*args: object) -> Ended:
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in args])
        told = capsys.readouterr()
        return Ended(int(end.value.code or 0), told.out, told.err)

    return call
