"""
Feed spoiled inputs to the command line: ``python -m benchmarks.fuzz [--cases 10000] [--seed 0] [--only CASE]``.

Each case takes sound inputs (polygons, streets, tables, graphs, plans), gives some of them another form (Excel,
GB18030, Big5, a byte order mark, a shapefile in GBK with a true, lying or missing `.cpg`), spoils one to three things
in them (geometry, columns, bytes of files, words of the command line) and runs the command in this process, every so
often in a process of its own. It must end

- with exit code 0, 3 or 4 as documented, and where it wrote a plan `verify` comes to the same answer; or
- with exit code 2, one line on standard error, and not a byte written;
- never with a traceback, after more than `--patience` seconds, or with a file that cannot be read again.

``--sound`` spoils nothing: then a command may refuse no file because of the form it has. The same seed gives the same
cases. Prints a table of commands and exit codes, then every failure with its traceback.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from benchmarks._fuzz_cases import Case, make_case, sound
from benchmarks._fuzz_dress import gal_again
from benchmarks._setting import point_kernel_cache

BASES = 12
"""Towns the cases start from."""
PATIENCE = 30.0
CODES = {"solve": (0, 2, 3, 4), "check": (0, 2, 3), "verify": (0, 2, 3), "rebalance": (0, 2, 3, 4)}
CODES |= dict.fromkeys(("blocks", "count", "export", "compare", "repair", "why", "read-gal"), (0, 2))


class Ended(NamedTuple):
    """How a case ended: exit code (None if it did not end as a command does) and what was said."""

    code: int | None
    out: str
    err: str


class TooSlowError(BaseException):
    """Raised by the alarm; no `except Exception` catches it."""


def run_here(args: list[str], folder: Path, patience: float = PATIENCE) -> Ended:
    """Run a command line in this process, in a folder."""
    from gridopt.cli import main

    out, err = io.StringIO(), io.StringIO()

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlowError

    before = os.getcwd()
    os.chdir(folder)
    handler = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            _read_gal(folder, args[1]) if args[0] == "read-gal" else main(args)
    except SystemExit as end:
        return Ended(int(end.code or 0), out.getvalue(), err.getvalue())
    except TooSlowError:
        return Ended(None, out.getvalue(), f"no end after {patience:g} s\n{traceback.format_exc()}")
    except BaseException:
        return Ended(None, out.getvalue(), traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        os.chdir(before)
    return Ended(None, out.getvalue(), "main returned")


def _read_gal(folder: Path, name: str) -> None:
    """Read a GAL file, which no command does, as a command would."""
    from gridopt.errors import GridoptError

    try:
        gal_again(folder, name)
    except GridoptError as error:
        line = " ".join(str(error).split())  # as the command line writes it
        print(f"gridopt: {line}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


def run_apart(args: list[str], folder: Path, patience: float = PATIENCE) -> Ended:
    """Run a command line in a process of its own."""
    root = Path(__file__).resolve().parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gridopt", *args],
            cwd=folder,
            capture_output=True,
            timeout=10 * patience,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, "", "no end")
    err = "".join(line for line in done.stderr.decode(errors="replace").splitlines(True) if "kernels" not in line)
    return Ended(done.returncode, done.stdout.decode(errors="replace"), err)


def faults(case: Case, ended: Ended, before: dict[str, bytes], folder: Path, patience: float) -> list[str]:
    """Say what is wrong with the way a case ended."""
    if ended.code is None or "Traceback" in ended.err:
        return [ended.err]
    found = []
    name = case.args[0] if case.args[0] in CODES else "solve"
    if ended.code not in CODES[name]:
        found.append(f"exit code {ended.code} of {name}: {ended.err}")
    after = files(folder / "out")
    listed = {f: after[f] for f in after if f.startswith("defects.") and name == "check"}  # of polygons not to be used
    if ended.code in (2, 4) and after != before | listed:
        found.append(f"exit code {ended.code}, but files changed: {sorted(set(after) ^ set(before)) or 'contents'}")
    if ended.code == 2:
        lines = ended.err.strip().splitlines()
        if len(lines) != 1 or not lines[0].startswith("gridopt"):
            found.append(f"{len(lines)} lines instead of one message: {ended.err[:2000]}")
        if ended.out and not (name == "check" and ended.out.startswith(("defects:", "written     out/defects"))):
            found.append(f"said on standard output although refused: {ended.out[:500]}")
        if len(ended.err) > 4000:
            found.append(f"a message of {len(ended.err)} characters")
    half = [f for f in after if f.startswith(".") or f.endswith(("-journal", "-wal", "-shm"))]
    if half:
        found.append(f"temporary files left: {half}")
    found += _unsound(case, ended, set(after) - set(before), folder, patience)
    return found


def _unsound(case: Case, ended: Ended, new: set[str], folder: Path, patience: float) -> list[str]:
    """Read again what was written."""
    import geopandas as gpd
    import pyogrio

    found = []
    for name in sorted(new):
        path = folder / "out" / name
        if path.suffix == ".gpkg":
            for layer in pyogrio.list_layers(path)[:, 0]:
                pyogrio.read_dataframe(path, layer=layer)
    if "plan.gpkg" in new and "\ntolerated " not in ended.out:
        again = run_here(["verify", "out/plan.gpkg"], folder, patience)
        if again.code != ended.code:
            found.append(f"solve ended with {ended.code}, verify with {again.code}: {again.out}{again.err}")
    if "g.part" in new and "--graph" not in case.args:
        again = run_here(["verify", "out/g.part", "--graph", case.args[1]], folder, patience)
        if again.code != ended.code:
            found.append(f"solve ended with {ended.code}, verify of the partition with {again.code}: {again.err}")
    if exported := sorted(name for name in new if name.startswith("e.")):
        found += _exported_otherwise(exported, folder, "--layer" in case.args)
    if case.args[0] == "repair" and "u.gpkg" in new:
        account = pyogrio.read_dataframe(folder / "out/u.gpkg", layer="account").set_index("step")["area_m2"]
        if abs(account["unexplained"]) > 0.01 + 1e-9 * account["as given"]:
            found.append(f"ground is lost: {account.to_dict()}")
    for name in sorted(new):
        if name in ("u.gpkg", "u.geojson"):
            layer = {"layer": "units"} if name == "u.gpkg" else {}
            if not len(gpd.read_file(folder / "out" / name, **layer)):
                found.append(f"{name} has no units")
            for line in re.findall(r"^.* of .* in units, .* outside$", ended.out, re.MULTILINE):
                inside, given, outside = (
                    float(v.replace(",", "")) for v in re.findall(r"(?<![\w:])[\d,.]+(?= of| in| out)", line)
                )
                if abs(inside + outside - given) > 0.02 + 1e-6 * given:
                    found.append(f"not conserved: {line}")
    return found


def _exported_otherwise(names: list[str], folder: Path, of_grids: bool) -> list[str]:
    """Compare units and grids of exported files with those of the plan."""
    import geopandas as gpd
    import pandas as pd

    from gridopt.io.gerrychain import read_gerrychain
    from gridopt.io.plan_file import read_plan

    plan = read_plan(folder / "plan.gpkg").plan.to_series()
    want = {str(unit): grid for unit, grid in plan.items()}
    readers: dict[str, Callable[[Path], Any]] = {
        ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
        ".geojson": gpd.read_file,
        ".parquet": gpd.read_parquet,
        ".xlsx": lambda path: pd.read_excel(path, sheet_name="units", dtype=str, keep_default_na=False),
        ".json": lambda path: read_gerrychain(path)[1].rename_axis("unit").reset_index(),
    }
    found = []
    for path in (folder / "out" / name for name in names):
        if path.suffix in readers and not (of_grids and path.suffix in (".csv", ".geojson", ".parquet")):
            table = readers[path.suffix](path)
            if dict(zip(table["unit"].astype(str), table["grid"])) != want:
                found.append(f"{path.name} is not the plan: {table[['unit', 'grid']].to_dict('list')}")
    return found


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


@contextlib.contextmanager
def bases(seed: int, count: int) -> Iterator[list[Path]]:
    """Folders of sound inputs, with a plan of them."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None) as temporary:
        made = []
        for i in range(count):
            folder = Path(temporary) / f"base{i}"
            folder.mkdir()
            sound(folder, np.random.default_rng([seed, i]))
            args = ["solve", "town.gpkg", "--id", "code", "--workload", "persons", "--grids", "3", "--tolerance", "0.6"]
            ended = run_here([*args, "--steps", "300", "--out", "plan.gpkg"], folder, 600)
            if ended.code != 0:
                raise SystemExit(f"base {i} is not sound: {ended}")
            again = ["rebalance", "plan.gpkg", "--units", "today.gpkg", "--steps", "300", "--out", "plan2.gpkg"]
            if (ended := run_here(again, folder, 600)).code not in (0, 3):
                raise SystemExit(f"base {i} cannot be rebalanced: {ended}")
            (folder / "out").mkdir()
            made.append(folder)
        yield made


@contextlib.contextmanager
def _quick_files() -> Iterator[None]:
    """Write without waiting for the disk, for nobody needs these files after a crash, and do not wait for locks."""
    import pyogrio

    options = {"OGR_SQLITE_SYNCHRONOUS": "OFF", "SQLITE_BUSY_TIMEOUT": "50"}
    pyogrio.set_gdal_config_options(options)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(dict.fromkeys(options))


def fuzz(
    seed: int, cases: range, patience: float = PATIENCE, every: int = 0, talk: bool = False, spoil: bool = True
) -> tuple[collections.Counter[tuple[str, int | None]], list[str], int]:
    """
    Run cases; returns how many ended how, what failed, and how many were run in processes of their own too.

    With `spoil` false the inputs are sound, in whatever form they come: exit code 2 is a failure where the same inputs
    in their first form are not refused.
    """
    ends: collections.Counter[tuple[str, int | None]] = collections.Counter()
    failed: list[str] = []
    apart = 0
    began = time.monotonic()
    with _quick_files(), warnings.catch_warnings(), bases(seed, min(BASES, max(2, len(cases) // 50))) as made:
        warnings.simplefilter("ignore")
        for number in cases:
            rng = np.random.default_rng([seed, 1000 + number])
            folder = made[0].parent / "case"
            case = make_case(made[number % len(made)], folder, rng, spoil)
            before = files(folder / "out")
            try:
                can_be_apart = case.command != "gal" and not any("\x00" in word for word in case.args)
                own_process = every and number % every == 0 and can_be_apart
                ended = run_apart(case.args, folder, patience) if own_process else run_here(case.args, folder, patience)
                apart += bool(own_process)
                wrong = faults(case, ended, before, folder, patience)
                if (
                    not spoil
                    and ended.code == 2
                    and not _refused_anyway(made[number % len(made)], folder, seed, number)
                ):
                    wrong.append(f"refused for its form: {ended.err}")
            except Exception:
                ended, wrong = Ended(None, "", ""), [traceback.format_exc()]
            finally:
                for lock in case.held:
                    lock.close()
                shutil.rmtree(folder)
            ends[case.command, ended.code] += 1
            if wrong:
                failed.append(f"case {number}: {case.told}: {' '.join(map(repr, case.args))[:900]}\n{wrong[0]}")
                if talk:
                    print(failed[-1], file=sys.stderr, flush=True)
            if talk and number % 250 == 249:
                print(f"{number + 1} cases, {len(failed)} failed, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return ends, failed, apart


def _refused_anyway(base: Path, folder: Path, seed: int, number: int) -> bool:
    """Whether a command refuses sound inputs in their first form as well: words that do not go together."""
    shutil.rmtree(folder)
    plain = make_case(base, folder, np.random.default_rng([seed, 1000 + number]), spoil=False, dressed=False)
    return run_here(plain.args, folder).code == 2


def show(ends: collections.Counter[Any], failed: list[str], apart: int, seconds: float) -> None:
    """Print a table of commands and exit codes, and the failures."""
    codes = sorted({code for _, code in ends}, key=str)
    print(f"{'command':10}" + "".join(f"{'none' if c is None else f'exit {c}':>9}" for c in codes) + f"{'all':>9}")
    for command in [*sorted({c for c, _ in ends}), "all"]:
        row = [sum(n for (c, k), n in ends.items() if k == code and command in (c, "all")) for code in codes]
        print(f"{command:10}" + "".join(f"{n:9,}" for n in row) + f"{sum(row):9,}")
    print(f"{sum(ends.values()):,} cases, {apart} of them in processes of their own, {seconds:.0f} s of processor time")
    print(f"{len(failed)} failed")
    for text in failed:
        print(f"\n{text}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000, help="how many (default 10000)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (default 0)")
    parser.add_argument("--seed", type=int, default=0, help="other cases (default 0)")
    parser.add_argument("--sound", action="store_true", help="spoil nothing: no file is refused for its form")
    parser.add_argument("--only", type=int, help="run this case alone")
    parser.add_argument(
        "--every", type=int, default=200, help="every so many cases one in its own process (default 200)"
    )
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds a case may take (default 30)")
    options = parser.parse_args()
    point_kernel_cache()
    cases = range(options.first, options.first + options.cases)
    if options.only is not None:
        cases = range(options.only, options.only + 1)
    began = time.process_time()
    ends, failed, apart = fuzz(
        options.seed, cases, options.patience, options.every if options.only is None else 0, True, not options.sound
    )
    show(ends, failed, apart, time.process_time() - began)
    raise SystemExit(bool(failed))


if __name__ == "__main__":
    main()
