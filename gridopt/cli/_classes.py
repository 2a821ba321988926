"""Classes of streets that the command line gives: values and classes in words, or in a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gridopt.errors import Finding

__all__ = ["CLASSES", "drawn_streets", "read_classes"]

CLASSES = "Class of each value of --class-column: 1=arterial,2=collector,… or a table of value, class."


def read_classes(given: str, encoding: str | None = None) -> tuple[dict[str | None, str], tuple[Finding, ...]]:
    """
    Values of a column of streets and their classes: ``VALUE=CLASS,…``, or a table of two columns; what was guessed.

    Examples
    --------
    >>> read_classes("1=arterial, 2=collector,=local")[0]
    {'1': 'arterial', '2': 'collector', None: 'local'}
    """
    from gridopt.io.tables import read_table

    told: tuple[Finding, ...] = ()
    if "=" in given:
        pairs = [[part.strip() for part in pair.rpartition("=")] for pair in given.split(",")]
        odd = next((pair for pair in pairs if not pair[1] or not pair[2]), None)
        if odd is not None:
            said = f"got {''.join(odd)!r}"
            raise click.UsageError(f"--classes is VALUE=CLASS,…, such as 1=arterial,2=collector, or a table; {said}.")
        rows = [(value, name) for value, _, name in pairs]
    else:
        _refuse_colons(given)
        table = read_table(given, what="classes", as_text=True, encoding=encoding)
        told = table.attrs.get("findings", ())
        if table.shape[1] < 2:
            raise click.UsageError(f"--classes {given} has one column; it takes two: value, class.")
        rows = list(zip(table.iloc[:, 0].tolist(), table.iloc[:, 1].tolist()))
    twice = [value for k, (value, _) in enumerate(rows) if value in [v for v, _ in rows[:k]]]
    if twice:
        raise click.UsageError(f"--classes names {twice[0]!r} twice.")
    return {value or None: name for value, name in rows}, told


def _refuse_colons(given: str) -> None:
    """Values and classes with colons between them are no file and layer."""
    from gridopt.territory.streets import FACTORS

    pairs = [pair.partition(":") for pair in given.split(",")]
    if all(colon and name.strip() in FACTORS for _, colon, name in pairs) and not Path(pairs[0][0]).exists():
        cure = ",".join(f"{value.strip()}={name.strip()}" for value, _, name in pairs)
        raise click.UsageError(f"--classes {given} is no file: VALUE=CLASS is written {cure}.")


def drawn_streets(options: dict[str, Any]) -> Any:
    """Streets as maps show them: with the classes that a table gives them."""
    from gridopt.territory.streets import classify

    streets = options.get("streets")
    if streets is None or "classes" not in options:
        return streets
    column = options.get("class_column") or next(c for c in ("highway", "fclass") if c in streets.columns)
    return streets.assign(**{column: classify(streets, column, options["classes"])[0]})
