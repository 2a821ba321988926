"""Text of shapefiles: what encoding it is in, from ``.cpg``, from the table's own mark, or from the text itself."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gridopt.errors import Finding

__all__ = ["BYTES", "Encoding", "decoded", "encoding_of", "guess"]

BYTES = "ISO-8859-1"
"""Read under this name every byte becomes one character, so that nothing is lost before the encoding is known."""
MARKS = {
    **{0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x13: "cp932", 0x4D: "gb18030", 0x4E: "cp949", 0x4F: "cp950"},
    **{0x50: "cp874", 0x78: "cp950", 0x79: "cp949", 0x7A: "gb18030", 0x7B: "cp932", 0xC8: "cp1250", 0xC9: "cp1251"},
    **{0xCA: "cp1254", 0xCB: "cp1253"},
}
"""Language driver of a ``.dbf`` (byte 29) -> codec; 0x57 means "as on the machine it was made on" and says nothing."""
SAME = {"936": "gb18030", "gbk": "gb18030", "cp936": "gb18030", "gb2312": "gb18030", "950": "cp950", "big5": "cp950"}
MOST = 20_000
"""Texts looked at when the encoding is guessed."""
CHINESE = 0.4
"""Least share of high bytes among the letters of Chinese text; in western text letters with accents are few."""


class Encoding(NamedTuple):
    """A codec of Python, and whether it was stated (``.cpg``, mark) or guessed."""

    codec: str
    is_stated: bool


def encoding_of(path: Path, texts: Sequence[bytes]) -> tuple[Encoding, list[Finding]]:
    """
    Find the encoding of a shapefile; where none is stated, or not the true one, it is guessed and said.

    Parameters
    ----------
    path : Path
        The ``.shp``; its ``.cpg`` and ``.dbf`` lie beside it.
    texts : sequence of bytes
        Names and values of its columns.
    """
    high = [t for t in texts if not t.isascii()][:MOST]
    stated = _stated(path)
    if stated is not None and all(_fits(t, stated) for t in high):
        return Encoding(stated, True), []
    codec = guess(high)
    if not high:
        return Encoding(codec, False), []
    name = path.with_suffix(".cpg").name
    why = f"{name} says {stated}, which its text is not" if stated else f"there is no {name} that says it"
    cure = f"Its text was read as {codec.upper()}: {why}. If names look wrong, write the true one into {name}."
    return Encoding(codec, False), [Finding("encoding-guessed", "warning", (str(path),), codec.upper(), None, cure)]


def guess(texts: Iterable[bytes]) -> str:
    """
    Guess the codec of texts: UTF-8 where all are, else GB18030 or Big5 where they look like Chinese, else CP1252.

    Examples
    --------
    >>> guess(["景田社区".encode("gbk"), "福田区".encode("gbk")]), guess(["大安區".encode("big5")])
    ('gb18030', 'cp950')
    >>> guess(["Åland".encode("cp1252")]), guess(["大安".encode()])
    ('cp1252', 'utf-8')
    """
    texts = [t for t in texts if not t.isascii()]
    if all(_fits(t, "utf-8") for t in texts):
        return "utf-8"
    letters = b"".join(texts)
    plain = sum(65 <= b <= 90 or 97 <= b <= 122 for b in letters)
    high = sum(b >= 0x80 for b in letters)
    if high < CHINESE * (high + plain):
        return "cp1252"
    scores = {
        codec: _common(texts, codec, leads, low)
        for codec, leads, low in (("gb18030", range(0xB0, 0xD8), 0xA1), ("cp950", range(0xA4, 0xC7), 0x40))
        if all(_fits(t, codec) for t in texts)
    }
    best = max(scores, key=lambda codec: scores[codec], default="cp1252")
    return best if scores.get(best, 0) > 0.5 else "cp1252"


def decoded(text: Any, codec: str) -> Any:
    """Decode a text read as `BYTES`; a character cut in half at its end, as short columns do, is dropped."""
    if not isinstance(text, str) or text.isascii():
        return text
    raw = text.encode(BYTES)
    whole = _without_half(raw, codec)
    return raw.decode(codec, errors="replace") if whole is None else whole


def _stated(path: Path) -> str | None:
    for suffix in (".cpg", ".CPG"):
        file = path.with_suffix(suffix)
        if file.is_file():
            name = file.read_bytes()[:64].decode("ascii", errors="replace").strip().lower()
            name = name.removeprefix("ansi ").replace("oem ", "").strip()
            codec = SAME.get(name, f"cp{name}" if name.isdigit() and name != "65001" else name)
            try:
                return codecs.lookup("utf-8" if codec in ("65001", "utf8") else codec).name
            except (LookupError, ValueError):
                return None
    for suffix in (".dbf", ".DBF"):
        file = path.with_suffix(suffix)
        if file.is_file():
            with open(file, "rb") as table:
                head = table.read(32)
            return MARKS.get(head[29]) if len(head) == 32 else None
    return None


def _fits(text: bytes, codec: str) -> bool:
    """Whether a text is one of `codec`, but for a character cut in half at its end."""
    return _without_half(text, codec) is not None


def _without_half(text: bytes, codec: str) -> str | None:
    """Decode a text that may end in the first bytes of a character; None if it is not of `codec`."""
    for n in range(4):
        if any(byte < 0x80 for byte in text[len(text) - n :]):
            return None
        try:
            return text[: len(text) - n].decode(codec)
        except UnicodeDecodeError:
            continue
    return None


def _common(texts: Sequence[bytes], codec: str, leads: range, low: int) -> float:
    """Share of the characters of two bytes that are among the common ones, as the tables order them."""
    common = total = 0
    for text in texts:
        at = 0
        while at < len(text) - 1:
            if text[at] < 0x80:
                at += 1
                continue
            total += 1
            common += text[at] in leads and text[at + 1] >= low
            at += 2
    return common / total if total else 0.0
