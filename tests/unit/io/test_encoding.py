"""Shapefiles as offices have them: GBK without .cpg, a wrong .cpg, names of ten characters, parts that are missing."""

from __future__ import annotations

import warnings
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from gridopt.errors import InputError
from gridopt.io._encoding import guess
from gridopt.io.tables import read_table, read_units

NAMES = ["景田社区居委会", "福田区", "老街", "华强北街道", "莲花山"]


def shapefile(path: Path, encoding: str, names: list[str], column: str = "网格名称") -> Path:
    table = gpd.GeoDataFrame(
        {column: names, "n": range(len(names)), "code": [f"{i:03d}" for i in range(len(names))]},
        geometry=shapely.box([100 * i for i in range(len(names))], 0, [100 * i + 100 for i in range(len(names))], 100),
        crs=32650,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names of more than ten characters are cut, which is what is tested
        table.to_file(path, encoding=encoding, engine="pyogrio")
    return path


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "utf-8"])
@pytest.mark.parametrize("state", ["stated", "no cpg", "wrong cpg"])
def test_chinese_names_are_read_whatever_the_cpg_says(tmp_path: Path, encoding: str, state: str) -> None:
    """Where nothing true is stated, the encoding is found in the text, and it is said how."""
    path = shapefile(tmp_path / "grid.shp", encoding, NAMES, "名称")
    if state == "no cpg":
        path.with_suffix(".cpg").unlink()
    if state == "wrong cpg":
        path.with_suffix(".cpg").write_text("UTF-8" if encoding != "utf-8" else "Big5")
    table = read_table(path)
    assert table["名称"].tolist() == NAMES
    findings = table.attrs["findings"]
    assert [f.code for f in findings] == ([] if state == "stated" else ["encoding-guessed"])
    if state != "stated":
        assert findings[0].value == ("UTF-8" if encoding == "utf-8" else "GB18030")
        assert "grid.cpg" in findings[0].cure
    assert read_units(path, id_column="名称").index.tolist() == NAMES


def test_the_mark_of_the_table_is_heeded_and_ascii_needs_none(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "grid.shp", "gbk", NAMES, "name")
    path.with_suffix(".cpg").unlink()
    raw = bytearray(path.with_suffix(".dbf").read_bytes())
    raw[29] = 0x4D
    path.with_suffix(".dbf").write_bytes(bytes(raw))
    table = read_table(path)
    assert (table["name"].tolist(), table.attrs["findings"]) == (NAMES, ())
    plain = shapefile(tmp_path / "plain.shp", "utf-8", ["a", "b"], "name")
    plain.with_suffix(".cpg").unlink()
    assert read_table(plain).attrs["findings"] == ()


def test_big5_and_western_text_are_told_apart(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "village.shp", "big5", ["糖部里", "大安區", "信義區公所", "萬華"], "里名")
    path.with_suffix(".cpg").unlink()
    table = read_table(path)
    assert table["里名"].tolist() == ["糖部里", "大安區", "信義區公所", "萬華"]
    assert table.attrs["findings"][0].value == "CP950"
    western = shapefile(tmp_path / "western.shp", "ISO-8859-1", ["São João", "Praça Garibaldi", "Länsiväylä"], "name")
    western.with_suffix(".cpg").unlink()
    assert read_table(western)["name"].tolist() == ["São João", "Praça Garibaldi", "Länsiväylä"]


def test_names_cut_in_the_middle_of_a_character_lose_it_alone(tmp_path: Path) -> None:
    """Ten bytes hold three characters of UTF-8 and a third of the next, which GDAL's reader stumbles over."""
    path = shapefile(tmp_path / "grid.shp", "utf-8", NAMES)
    assert "网格名" in read_table(path).columns
    with pytest.raises(InputError, match=r"no column '网格名称'\. Did you mean '网格名'"):
        read_table(path, columns=["网格名称"])


def test_a_name_longer_than_ten_characters_is_offered_as_it_was_cut(tmp_path: Path) -> None:
    path = shapefile(tmp_path / "grid.shp", "utf-8", ["a", "b"], "households_2024")
    with pytest.raises(InputError, match=r"no column 'households_2024'\. Did you mean 'households'\?"):
        read_table(path, columns=["households_2024"])


@pytest.mark.parametrize("part", [".shx", ".dbf"])
def test_missing_parts_are_named(tmp_path: Path, part: str) -> None:
    path = shapefile(tmp_path / "grid.shp", "utf-8", ["a", "b"], "name")
    path.with_suffix(part).unlink()
    with pytest.raises(InputError, match=rf"grid\{part} is not beside it"):
        read_table(path)


def test_a_guess_takes_all_texts_into_account() -> None:
    assert guess([]) == "utf-8"
    assert guess([n.encode("gbk") for n in NAMES] + ["Café".encode("gb18030")]) == "gb18030"
    assert guess(["Москва".encode("cp1251")]) in ("cp1252", "gb18030")  # undecidable: said to be a guess


@pytest.mark.parametrize(
    ("encoding", "says"), [("utf-8", None), ("gbk", "GB18030"), ("gb18030", "GB18030"), ("big5", "CP950")]
)
def test_csv_is_utf_8_or_chinese_and_it_is_said_which(tmp_path: Path, encoding: str, says: str | None) -> None:
    names = ["大安區", "中正區", "信義區"] if encoding == "big5" else NAMES
    path = tmp_path / "表.csv"
    path.write_bytes(
        "\n".join(
            ["编号,名称" if says != "CP950" else "編號,名稱", *(f"00{i},{n}" for i, n in enumerate(names))]
        ).encode(encoding)
    )
    table = read_table(path)
    assert table.iloc[:, 1].tolist() == names
    assert table.iloc[0, 0] == "000"
    findings = table.attrs["findings"]
    assert [(f.code, f.severity, f.value) for f in findings] == (
        [("encoding-guessed", "warning", says)] if says else []
    )
    stated = read_table(path, encoding=encoding)
    assert stated.equals(table)
    assert stated.attrs["findings"] == ()


def test_csv_in_an_encoding_that_was_asked_for(tmp_path: Path) -> None:
    """Western encodings fit any bytes, so they are not guessed; a wrong one, or one nobody knows, is refused."""
    path = tmp_path / "t.csv"
    path.write_bytes("straße,n\nGråvägen,1\n".encode("cp1252"))
    assert read_table(path, encoding="cp1252")["straße"].tolist() == ["Gråvägen"]
    with pytest.raises(InputError, match=r"not UTF-8 text \(byte 0xdf at position 4\)"):
        read_table(path)
    with pytest.raises(InputError, match=r"not ASCII text"):
        read_table(path, encoding="ascii")
    with pytest.raises(InputError, match=r"encoding='klingon' is no encoding"):
        read_table(path, encoding="klingon")


def test_a_damaged_byte_in_utf_8_is_no_other_encoding(tmp_path: Path) -> None:
    """One wrong byte among Chinese in UTF-8 must not turn all of it into other characters."""
    raw = bytearray("\n".join(["name", *NAMES]).encode())
    raw[7] = 0xFF
    (tmp_path / "t.csv").write_bytes(bytes(raw))
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_table(tmp_path / "t.csv")
