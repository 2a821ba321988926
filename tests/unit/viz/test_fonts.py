"""Text that a machine has no font for is said once; it is found by matplotlib's own warnings."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from gridopt.viz import fonts
from gridopt.viz.map import save_map
from gridopt.viz.style import write_text


def page(*texts: str) -> Figure:
    figure = Figure(figsize=(3, 2))
    for i, text in enumerate(texts):
        write_text(figure, 0.1, 0.2 + 0.3 * i, text, size=10)
    return figure


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a Chinese font."""
    monkeypatch.setattr(fonts, "font_families", lambda: ["DejaVu Sans", "sans-serif"])
    monkeypatch.setattr("gridopt.viz.style.font_families", fonts.font_families)


@pytest.mark.usefixtures("bare")
def test_a_missing_font_is_said_once_and_names_a_font(tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        save_map(page("街道 12", "社区"), tmp_path / "a.png")
    assert len(told) == 1
    said = str(told[0].message)
    assert "text-unseen" in said
    assert "4 characters: 街道社区" in said
    assert "Noto Sans CJK SC" in said


@pytest.mark.usefixtures("bare")
def test_svg_keeps_text_as_text_and_says_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_map(page("街道"), tmp_path / "a.svg")
    assert "街道" in (tmp_path / "a.svg").read_text(encoding="utf-8")


@pytest.mark.usefixtures("bare")
def test_what_is_said_is_what_matplotlib_misses(tmp_path: Path) -> None:
    """The oracle: matplotlib's own warning, one for each character it draws as a box."""
    text = "Zürich Ł→· 街 ½ ก ア"
    figure = page(text)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        figure.savefig(tmp_path / "a.png")
    missed = {c for c in text if any(f"Glyph {ord(c)} " in str(w.message) for w in told)}
    assert missed == set("街กア")
    (finding,) = fonts.unseen_text(figure)
    assert set(str(finding.value).removeprefix("3 characters: ")) == missed


def test_the_first_installed_chinese_font_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.font_manager import fontManager

    def families(*installed: str) -> list[str]:
        monkeypatch.setattr(fontManager, "get_font_names", lambda: ["DejaVu Sans", *installed])
        fonts.font_families.cache_clear()
        found = fonts.font_families()
        fonts.font_families.cache_clear()
        return found

    assert families("SimHei", "WenQuanYi Zen Hei", "PingFang TC")[1] == "PingFang TC"
    assert families("Arial Unicode MS")[1:2] == ["Arial Unicode MS"]
    assert families() == ["DejaVu Sans", "sans-serif"]
