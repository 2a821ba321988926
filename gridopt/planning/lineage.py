"""Who grids descend from: ids that are never given twice, and what became of each grid, from file to file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gridopt.errors import InputError

__all__ = ["OPERATIONS", "Lineage", "Record"]

OPERATIONS = ("move", "split", "merge", "new", "retired")
"""
What happened to grids: units moved between two that stay, units of a grid began a new one, units of a grid that ends
went to one that stays; a grid began, a grid ended.
"""


class Record(NamedTuple):
    """
    One thing that happened to one or two grids.

    Parameters
    ----------
    generation : int
        Of the plan it led to; the first plan of a line is generation 0.
    date : str or None
        As the planner gave it, ``YYYY-MM-DD``.
    old, new : str or None
        Grid before and after; None where there was none, or is none any more.
    operation : str
        One of `OPERATIONS`.
    units : int
        Number of units that changed hands; of a grid that begins or ends, its units.
    workload : mapping of str to number
        Their workload by attribute, in the user's units.

    Examples
    --------
    >>> Record(1, None, "G003", "G025", "split", 14, {"homes": 410}).operation
    'split'
    """

    generation: int
    date: str | None
    old: str | None
    new: str | None
    operation: str
    units: int
    workload: Mapping[str, Any]


@dataclass(frozen=True)
class Lineage:
    """
    The history of the grids of a plan.

    Parameters
    ----------
    family : str
        Digest of the plan the line began with: plans of one family share their grid ids.
    generation : int
        How many times the plan was changed since.
    retired : tuple of str
        Ids of grids that ended, in the order they did. They are never given again.
    records : tuple of Record
        All that happened, the oldest first.

    Examples
    --------
    >>> Lineage("2f0c").after([Record(1, None, "G007", None, "retired", 3, {})]).retired
    ('G007',)
    """

    family: str
    generation: int = 0
    retired: tuple[str, ...] = ()
    records: tuple[Record, ...] = field(default=())

    def after(self, records: Iterable[Record]) -> Lineage:
        """Return the lineage of the next generation, in which `records` happened."""
        told = tuple(records)
        ended = [r.old for r in told if r.operation == "retired" and r.old is not None and r.old not in self.retired]
        return Lineage(self.family, self.generation + 1, (*self.retired, *ended), (*self.records, *told))

    def as_dict(self) -> dict[str, Any]:
        """
        Return plain values for JSON.

        Examples
        --------
        >>> Lineage.from_dict(Lineage("2f0c", 1, ("G007",)).as_dict()) == Lineage("2f0c", 1, ("G007",))
        True
        """
        return {
            "family": self.family,
            "generation": self.generation,
            "retired": list(self.retired),
            "records": [{**r._asdict(), "workload": dict(r.workload)} for r in self.records],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Lineage:
        """
        Read back what `as_dict` gave.

        Raises
        ------
        InputError
            If something is missing or of another kind.
        """
        try:
            records = tuple(Record(**record) for record in stored["records"])
            odd = [r.operation for r in records if r.operation not in OPERATIONS]
            if odd:
                raise InputError(f"lineage has the operation {odd[0]!r}; operations are {', '.join(OPERATIONS)}.")
            return cls(str(stored["family"]), int(stored["generation"]), tuple(map(str, stored["retired"])), records)
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            why = f"{type(error).__name__}: {error}"
            raise InputError(f"the lineage of plan.json cannot be read ({why}). Restore the file.") from error
