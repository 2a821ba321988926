"""A slice of the fuzzing of the command line: ``python -m benchmarks.fuzz`` runs ten thousand cases."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmarks.fuzz as fuzzing
from benchmarks.fuzz import fuzz

SEED = 20


@pytest.fixture(scope="module", autouse=True)
def towns() -> Iterator[list[Path]]:
    """Make the sound inputs and their plans once: they are the same for every number of cases up to 100."""
    real = fuzzing.bases
    with fuzzing._quick_files(), real(SEED, 2) as made, pytest.MonkeyPatch.context() as patch:

        @contextlib.contextmanager
        def bases(seed: int, count: int) -> Iterator[list[Path]]:
            assert (seed, count) == (SEED, len(made))
            yield made

        patch.setattr(fuzzing, "bases", bases)
        yield made


def test_spoiled_inputs_end_in_a_sound_plan_or_in_one_clear_message() -> None:
    """No traceback, no hang, no half-written file; a plan that was written verifies."""
    ends, failed, _ = fuzz(seed=SEED, cases=range(70), patience=60)
    assert failed == []
    codes = [code for _, code in ends.elements()]
    assert codes.count(0) > 15
    assert codes.count(2) > 20


def test_the_fuzzer_sees_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash, a second line, a file written before a refusal, and a plan that is not what was solved are all found."""
    import gridopt.io.plan_file as plans
    import gridopt.io.tables as tables
    from gridopt.errors import InputError

    def crash(*args: object, **options: object) -> None:
        raise KeyError("planted")

    def litter(*args: object, **options: object) -> None:
        open("out/u.csv", "w").close()
        raise InputError("refused")

    def swap(path: object) -> object:
        read = real(path)
        read.plan.labels.flags.writeable = True
        read.plan.labels[:] = read.plan.labels[0]
        return read

    real = plans.read_plan
    for module, name, planted, told in (
        (tables, "read_units", crash, "KeyError: 'planted'"),
        (tables, "read_table", litter, "files changed"),
        (plans, "read_plan", swap, "solve ended with 0, verify with 3"),
    ):
        with monkeypatch.context() as patch:
            bases_made = _patched_after_bases(patch, module, name, planted)
            _, failed, _ = fuzz(seed=SEED, cases=range(16), patience=60)
            assert bases_made
            assert any(told in text for text in failed), told


def _patched_after_bases(patch: pytest.MonkeyPatch, module: object, name: str, planted: object) -> list[bool]:
    """Plant a fault when the sound inputs and their plans have been made."""
    made: list[bool] = []
    real = fuzzing.bases

    @contextlib.contextmanager
    def bases(*args: int):
        with real(*args) as folders:
            patch.setattr(module, name, planted)
            made.append(True)
            yield folders

    patch.setattr(fuzzing, "bases", bases)
    return made
