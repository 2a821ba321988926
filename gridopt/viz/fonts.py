"""Fonts of the pictures: one with Chinese characters where the machine has one, and what is said where it has none."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gridopt.errors import Finding

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["font_families", "quiet_glyphs", "unseen_text", "warn_unseen"]

_CJK = (
    *("Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans TC"),
    *("Source Han Sans SC", "Source Han Sans CN", "Source Han Sans TC", "Source Han Sans"),
    *("Microsoft YaHei", "Microsoft JhengHei", "PingFang SC", "PingFang TC", "PingFang HK", "Hiragino Sans GB"),
    *("Heiti SC", "Heiti TC", "STHeiti", "SimHei", "DengXian", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei"),
    *("Droid Sans Fallback", "Noto Serif CJK SC", "SimSun", "AR PL UMing CN", "AR PL UKai CN", "Arial Unicode MS"),
)
"""Fonts with Chinese characters, those without serifs first; the first one that is installed is taken."""
LAST_RESORT = "Last Resort"
"""Begins the names of fonts that have a box for every character."""


@functools.cache
def font_families() -> list[str]:
    """Return matplotlib's own font, one with Chinese characters if the machine has one, and any without serifs."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *[name for name in _CJK if name in installed][:1], "sans-serif"]


def unseen_text(figure: Figure) -> list[Finding]:
    """
    Say once which text of a picture no font of this machine can draw, and which font would.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        As `draw_map` and the like return it.

    Returns
    -------
    list of Finding
        None, or one warning, ``text-unseen``: its value shows the characters.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> figure = Figure()
    >>> _ = figure.text(0, 0, "Bronx, 12 %")
    >>> unseen_text(figure)
    []
    """
    from matplotlib.text import Text

    drawn = _drawable(tuple(font_families()))
    written = dict.fromkeys(c for text in figure.findobj(Text) for c in text.get_text())
    unseen = [c for c in written if not c.isspace() and ord(c) not in drawn]
    if not unseen:
        return []
    cure = "Boxes stand in their place. Install a font such as Noto Sans CJK SC (Debian: fonts-noto-cjk), and delete "
    cure += (
        "matplotlib's list of fonts (fontlist*.json in its cache folder); or draw an .svg, which keeps text as text."
    )
    shown = "".join(unseen[:12]) + ("…" if len(unseen) > 12 else "")
    return [Finding("text-unseen", "warning", (), f"{len(unseen)} characters: {shown}", None, cure)]


@functools.cache
def _drawable(families: tuple[str, ...]) -> frozenset[int]:
    """Code points that the fonts of these families have, but for boxes that stand for all."""
    from matplotlib.font_manager import FontProperties, fontManager, get_font

    known: set[int] = set()
    names = set(fontManager.get_font_names())
    for family in families:
        if family != "sans-serif" and family not in names:
            continue
        font = get_font(fontManager.findfont(FontProperties(family=[family])))
        if not font.family_name.startswith(LAST_RESORT):
            known.update(font.get_charmap())
    return frozenset(known)


@contextlib.contextmanager
def quiet_glyphs() -> Iterator[None]:
    """Draw without a warning for each character that no font has: `unseen_text` says it once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from", category=UserWarning)
        yield


def warn_unseen(figure: Any) -> None:
    """Warn of text that no font can draw, for callers in Python; the command line lists the finding instead."""
    for finding in unseen_text(figure):
        warnings.warn(str(finding), UserWarning, stacklevel=3)
