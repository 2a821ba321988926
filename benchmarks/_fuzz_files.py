"""How the fuzzer damages files and command lines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from numpy.random import Generator


def spoil_file(path: Path, rng: Generator, held: list[Any]) -> str:
    """Damage the bytes of a file, or what it is; says what was done."""
    ways = ("cut", "flip", "zero", "append", "empty", "folder", "gone", "utf-16", "gbk", "bom", "crlf", "text", "lock")
    way = ways[int(rng.integers(len(ways)))]
    raw = path.read_bytes()
    if way == "cut":
        path.write_bytes(raw[: int(rng.integers(len(raw) + 1))])
    elif way in ("flip", "zero"):
        bad = bytearray(raw)
        for _ in range(int(rng.integers(1, 20))):
            at = int(rng.integers(max(1, len(bad))))
            bad[at : at + 1] = bytes([int(rng.integers(256)) if way == "flip" else 0]) if bad else b""
        path.write_bytes(bytes(bad))
    elif way == "append":
        path.write_bytes(raw + rng.bytes(int(rng.integers(1, 3000))))
    elif way == "empty":
        path.write_bytes(b"")
    elif way in ("folder", "gone"):
        path.unlink()
        if way == "folder":
            path.mkdir()
    elif way == "lock" and path.suffix == ".gpkg" and not held:
        held.append(_Lock(path))
    elif way == "text":
        path.write_bytes(spoil_text(raw.decode("latin-1"), rng).encode("latin-1", errors="replace"))
    else:
        text = raw.decode("utf-8", errors="replace")
        path.write_bytes(
            {
                "utf-16": lambda: text.encode("utf-16"),
                "gbk": lambda: ("格" + text).encode("gb18030"),
                "bom": lambda: b"\xef\xbb\xbf" + raw,
                "crlf": lambda: raw.replace(b"\n", b"\r\n"),
                "lock": lambda: raw,
            }[way]()
        )
    return f"{path.name}: {way}"


class _Lock:
    """A database locked by another process, until it is closed; nothing where the file is none any more."""

    PROGRAM = """
import sqlite3, sys
try:
    base = sqlite3.connect(sys.argv[1], isolation_level=None)
    base.execute("BEGIN EXCLUSIVE")
except sqlite3.Error:
    pass
print("ready", flush=True)
sys.stdin.read()
"""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-S", "-c", self.PROGRAM, str(path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._process.stdout is not None:
            self._process.stdout.readline()

    def close(self) -> None:
        self._process.communicate()


def spoil_text(text: str, rng: Generator) -> str:
    """Cut, double and replace pieces of a text at the marks that mean something in CSV, JSON and METIS files."""
    bits = [
        ",",
        '"',
        ";",
        "\n",
        "\n\n",
        "%",
        "-",
        "0",
        "1e999",
        "null",
        "{",
        "}",
        "[",
        "]",
        "NaN",
        "\x00",
        " ",
        "9" * 30,
    ]
    bits += ["a" * 140_000, "true", "-1", "''", "\t", "é"]
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(text) + 1))
        to = min(len(text), at + int(rng.integers(0, 12)))
        text = text[:at] + bits[int(rng.integers(len(bits)))] + text[to:]
    return text


def spoil_document(path: Path, rng: Generator) -> None:
    """Drop or replace a value somewhere in a JSON file."""
    document = json.loads(path.read_text(encoding="utf-8"))
    here, depth = document, int(rng.integers(1, 5))
    odd: list[Any] = [None, -1, 0, 10**30, 1.5, "x", [], {}, True, "G001", ["G001"], -(2**63)]
    for level in range(depth):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            break
        key = keys[int(rng.integers(len(keys)))]
        if level == depth - 1 or not isinstance(here[key], dict | list) or not here[key]:
            if rng.random() < 0.4:
                del here[key]
            else:
                here[key] = odd[int(rng.integers(len(odd)))]
            break
        here = here[key]
    path.write_text(json.dumps(document), encoding="utf-8")


def spoil_options(args: list[str], rng: Generator) -> list[str]:
    """Change, drop, double or add a word of a command line, other than the command and where it writes."""
    args = list(args)
    odd = [
        "",
        "-1",
        "0",
        "1",
        "nan",
        "inf",
        "1e309",
        "0.999999999",
        "x",
        "--",
        "-",
        "persons",
        "code",
        "town.gpkg",
        "人",
    ]
    odd += [
        "--prove",
        "--heavy",
        "--islands",
        "link",
        "strict",
        "2",
        "3",
        "99999999999999999999",
        "a=b",
        "=",
        "x" * 3000,
    ]
    odd += [
        "town.gpkg:units",
        "town.gpkg:no",
        ":",
        "a\x00b",
        "../town.gpkg",
        "/dev/null",
        "\n",
        "--help",
        "--seed",
        "1e5",
        "--encoding",
        "gb18030",
        "--classes",
        "primary=arterial,=local",
    ]
    free = [
        i
        for i in range(1, len(args))
        if args[i] not in ("--out", "--steps") and args[i - 1] not in ("--out", "--steps")
    ]
    for _ in range(int(rng.integers(1, 3))):
        at = free[int(rng.integers(len(free)))] if free else 1
        at = min(at, len(args) - 1)
        word = odd[int(rng.integers(len(odd)))]
        pick = rng.random()
        if pick < 0.6:
            args[at] = word
        elif pick < 0.75:
            args.insert(at, word)
        elif pick < 0.9:
            args.insert(at, args[at])
        elif len(args) > 2:
            del args[at]
        free = [i for i in free if i < len(args)]
    return args
