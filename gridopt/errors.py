"""The exception tree, and `Finding`: the one record for everything there is to say about data or plans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

__all__ = ["Finding", "GeometryError", "GraphError", "GridoptError", "InputError", "InternalError", "NoPlanError"]

Severity = Literal["error", "warning", "info"]
SHOWN = 5
"""Ids spelled out in a message; the rest are counted."""


class Finding(NamedTuple):
    """
    One thing worth telling about an input or a plan. Plain values in a named tuple, so any format can hold it.

    Parameters
    ----------
    code : str
        What kind of finding, in kebab-case, such as ``"heavy-unit"`` or ``"not-contiguous"``.
    severity : {"error", "warning", "info"}
        An error makes the input unusable or the plan unsound; a warning wants a look; info is worth knowing.
    ids : tuple of str or int
        The user's own ids (units, grids, parents, files) that it is about.
    value, limit : float, int, str or None
        What was seen, and what it was held against; in the user's units.
    cure : str
        One sentence: what happened to it, or how to mend it.

    Examples
    --------
    >>> print(Finding("heavy-unit", "warning", ("B-7",), 1300, 1150, "It is a grid of its own."))
    warning heavy-unit: 'B-7' (value 1300, limit 1150). It is a grid of its own.

    """

    code: str
    severity: Severity
    ids: tuple[str | int, ...] = ()
    value: float | int | str | None = None
    limit: float | int | str | None = None
    cure: str = ""

    def __str__(self) -> str:
        """One line for people."""
        text = f"{self.severity} {self.code}"
        if self.ids:
            text += f": {name_ids(self.ids)}"
        facts = [f"{k} {v}" for k, v in (("value", self.value), ("limit", self.limit)) if v is not None]
        if facts:
            text += f" ({', '.join(facts)})"
        return f"{text}. {self.cure}" if self.cure else text

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON or a table row; ids joined by blanks stay separate in the list."""
        return {
            "code": self.code,
            "severity": self.severity,
            "ids": list(self.ids),
            "value": self.value,
            "limit": self.limit,
            "cure": self.cure,
        }


def name_ids(ids: Any, shown: int = SHOWN) -> str:
    """
    Spell out the first few ids and count the rest.

    Examples
    --------
    >>> name_ids(["a", "b", "c"], shown=2)
    "'a', 'b' and 1 more"

    """
    plain = [i.item() if hasattr(i, "item") else i for i in ids[:shown]]
    text = ", ".join(repr(i) for i in plain)
    rest = len(ids) - len(plain)
    return f"{text} and {rest} more" if rest > 0 else text


class GridoptError(Exception):
    """Base of all errors gridopt raises on purpose. `findings` says the same for programs."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = tuple(findings)


class InputError(GridoptError, ValueError):
    """The input cannot be used; the message names what, where, and how to mend it."""


class GraphError(InputError):
    """Edges, links or ids that do not make a graph."""


class GeometryError(InputError):
    """Geometry that is missing, empty, invalid or of the wrong kind."""


class NoPlanError(GridoptError):
    """Raised by ``result.require_plan()`` when the search returned no plan."""


class InternalError(GridoptError):
    """A bug of gridopt itself: a plan of its own failed `verify`."""
