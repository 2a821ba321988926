"""Colours, widths and letters of the pictures, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from gridopt.viz.fonts import font_families

__all__ = [
    "BAD",
    "BAND",
    "BAR",
    "INK",
    "MUTED",
    "PAPER",
    "STREETS",
    "WATER",
    "Line",
    "drawn_class",
    "write_text",
    "write_title",
]

INK, MUTED, PAPER = "#1d2733", "#5c6670", "#ffffff"
WATER = "#2f6db3"
BAR, BAD, BAND = "#54708c", "#b5432a", "#e7ecf0"
"""A deviation inside its limits, one outside, and the room the limits leave."""


class Line(NamedTuple):
    """Colour, width in points and dashes of a line."""

    colour: str
    width: float
    dashes: Any = "-"


STREETS: Mapping[str, tuple[Line, ...]] = MappingProxyType(
    {
        "path": (Line("#a8a8a8", 0.4, (0, (2, 2))),),
        "local": (Line("#8f8f8f", 0.55),),
        "collector": (Line("#6f6f6f", 1.5),),
        "arterial": (Line("#6f6f6f", 4.2), Line("#ffffff", 3.0)),
    }
)
"""How streets of each class are drawn, the smallest first; several lines are drawn one on the other."""

_OSM = MappingProxyType(
    {
        **dict.fromkeys(("motorway", "trunk", "primary"), "arterial"),
        **dict.fromkeys(("secondary", "tertiary"), "collector"),
        **dict.fromkeys(("service", "pedestrian", "busway", "track", "footway", "cycleway", "bridleway"), "path"),
        **dict.fromkeys(("steps", "trail", "corridor", "platform"), "path"),
    }
)
"""How OpenStreetMap's ``highway`` values are drawn; others are local streets."""


def drawn_class(value: Any) -> str:
    """
    Class a street is drawn as: its own, or what an OpenStreetMap value means, or local.

    Examples
    --------
    >>> [drawn_class(v) for v in ("collector", "primary_link", "residential", None)]
    ['collector', 'arterial', 'local', 'local']
    """
    name = str(value).removesuffix("_link")
    return name if name in STREETS else _OSM.get(name, "local")


TITLE_SIZE = 17


def write_text(where: Any, x: float, y: float, text: str, *, size: float, colour: str = INK, **style: Any) -> Any:
    """Write on axes or a figure, taking the text as it is (no ``$`` formulas)."""
    style.setdefault("va", "center")
    return where.text(x, y, text, fontsize=size, color=colour, family=font_families(), parse_math=False, **style)


def write_title(figure: Any, x: float, y: float, text: str) -> Any:
    """Write a title from `x`, `y` of a figure on, smaller where it would not fit, down to half; then cut short."""
    place = {"transform": figure.transFigure, "ha": "left", "va": "top", "weight": "bold"}
    drawn = write_text(figure, x, y, text, size=TITLE_SIZE, **place)
    room = figure.bbox.width * (1 - 2 * x)
    drawn.set_fontsize(TITLE_SIZE * min(1.0, max(0.5, room / max(1.0, drawn.get_window_extent().width))))
    kept = text
    while drawn.get_window_extent().width > room and len(kept) > 1:
        kept = kept[: min(len(kept) - 1, int(len(kept) * room / drawn.get_window_extent().width))]
        drawn.set_text(kept.rstrip() + "…")
    return drawn
