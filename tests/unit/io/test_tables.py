"""Tables are read as they were meant, and what is missing is named with what there is."""

from __future__ import annotations

import csv
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from gridopt.errors import GeometryError, InputError
from gridopt.io.tables import existing_file, read_layer, read_table, read_units, split_layer


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet", ".shp"])
def test_vector_formats_give_the_same_units(tmp_path: Path, town: gpd.GeoDataFrame, suffix: str) -> None:
    """The suffix decides how a file is read, never what it says."""
    path = tmp_path / f"town{suffix}"
    town.to_parquet(path) if suffix == ".parquet" else town.to_file(path)
    units = read_units(path, id_column="block", columns=["persons"])
    assert units.index.name == "unit"
    assert units.index.tolist()[:2] == ["001", "002"]
    assert units["persons"].tolist() == town["persons"].tolist()
    assert units["block"].tolist() == town["block"].tolist()
    drawn = units.geometry.to_crs(32651).normalize()
    assert drawn.geom_equals_exact(town.geometry.normalize().set_axis(units.index), 1e-6).all()


def test_layers_are_chosen_by_name(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """FILE:layer, the layer named after its use, or the only one; anything else is not guessed."""
    path = tmp_path / "city.gpkg"
    town.to_file(path, layer="units")
    town.head(3).to_file(path, layer="parks")
    assert len(read_units(path)) == 16
    assert len(read_units(f"{path}:parks")) == 3
    with pytest.raises(InputError, match=r"no layer 'park'\. Did you mean 'parks'\? There are: units, parks"):
        read_units(f"{path}:park")
    with pytest.raises(InputError, match=r"streets file .* has 2 layers\. Say which: .*city\.gpkg:units"):
        read_layer(path, what="streets", shapes=("polygon",))

    lines = gpd.GeoDataFrame(geometry=town.geometry.boundary, crs=town.crs)
    lines.to_file(path, layer="highways")
    with pytest.raises(InputError, match=r"Say which: .*city\.gpkg:highways\. There are: units, parks, highways\."):
        read_layer(path, what="streets", shapes=("line",))


def test_a_colon_in_a_path_is_not_always_a_layer(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """Folders and files may have colons; drive letters do."""
    folder = tmp_path / "a:b"
    folder.mkdir()
    town.to_file(folder / "town.gpkg")
    assert len(read_units(folder / "town.gpkg")) == 16
    assert split_layer("C:\\data\\town.gpkg") == (Path("C:\\data\\town.gpkg"), None)
    assert split_layer("x/town.gpkg:streets") == (Path("x/town.gpkg"), "streets")


def test_units_without_ids_are_numbered_from_one(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """A column `unit` is the id; without it rows are counted as people count."""
    town.to_file(tmp_path / "town.gpkg")
    assert read_units(tmp_path / "town.gpkg").index.tolist() == list(range(1, 17))
    town.rename(columns={"block": "unit"}).to_file(tmp_path / "named.gpkg")
    named = read_units(tmp_path / "named.gpkg")
    assert named.index[0] == "001"
    assert "unit" not in named.columns


def test_ids_stored_as_floating_point_become_integers(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """Spreadsheets and shapefiles turn 12 into 12.0."""
    town["code"] = np.arange(16) * 10.0
    town.to_file(tmp_path / "town.gpkg")
    assert read_units(tmp_path / "town.gpkg", id_column="code").index.tolist()[:3] == [0, 10, 20]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a", "a", *"bcdefghijklmno"], r"1 unit ids occur more than once \(first: 'a'\)"),
        (["a", None, *"bcdefghijklmno"], r"1 units have no id \(first: row 1\)"),
        ([float("nan"), *range(15)], r"1 units have no id \(first: row 0\)"),
    ],
)
def test_bad_ids_are_refused(tmp_path: Path, town: gpd.GeoDataFrame, values: list, says: str) -> None:
    """A plan is a statement about ids."""
    town["code"] = values
    town.to_file(tmp_path / "town.gpkg")
    with pytest.raises(InputError, match=says):
        read_units(tmp_path / "town.gpkg", id_column="code")


def test_a_missing_file_offers_the_nearest_of_its_kind(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """Which names exist beats 'no such file'."""
    town.to_file(tmp_path / "town.gpkg")
    with pytest.raises(InputError, match=r"units file .*twon\.gpkg does not exist\. Did you mean 'town\.gpkg'\?"):
        read_units(tmp_path / "twon.gpkg")
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        read_units(tmp_path / "nowhere" / "town.gpkg")
    with pytest.raises(InputError, match=r"is a folder\. Name a file in it"):
        existing_file(tmp_path, "units")


def test_a_missing_column_offers_the_nearest(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """Column names differ by case and spelling; the geometry is not offered as one."""
    town.to_file(tmp_path / "town.gpkg")
    with pytest.raises(InputError, match=r"no column 'Persons'\. Did you mean 'persons'\?") as caught:
        read_units(tmp_path / "town.gpkg", columns=["Persons"])
    assert "geometry" not in str(caught.value)


def test_empty_layers_are_refused(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """No rows is never what was meant."""
    town.head(0).to_file(tmp_path / "none.gpkg", geometry_type="Polygon")
    with pytest.raises(InputError, match=r"none\.gpkg is empty: it has no rows"):
        read_units(tmp_path / "none.gpkg")
    (tmp_path / "none.csv").write_text("a,b\n")
    with pytest.raises(InputError, match="is empty: it has no rows"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "blank.csv").write_text("")
    with pytest.raises(InputError, match="starts with a line of column names"):
        read_table(tmp_path / "blank.csv")


def test_wrong_geometry_is_named(tmp_path: Path, town: gpd.GeoDataFrame) -> None:
    """Lines are not units; one odd row among many is pointed at."""
    mixed = town.copy()
    mixed.loc[5, "geometry"] = shapely.Point(0, 0)
    mixed.to_file(tmp_path / "mixed.geojson")
    with pytest.raises(GeometryError, match=r"1 of 16 rows are Point \(first: row 5\), not polygons"):
        read_units(tmp_path / "mixed.geojson")
    (tmp_path / "plain.csv").write_text("unit,n\na,1\n")
    with pytest.raises(GeometryError, match=r"has no geometry, only the columns unit, n"):
        read_units(tmp_path / "plain.csv")


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".parquet", ".shp"])
def test_damaged_files_are_refused(tmp_path: Path, town: gpd.GeoDataFrame, suffix: str) -> None:
    """A copy cut short gives a message, not a traceback, and never half a town."""
    path = tmp_path / f"town{suffix}"
    town.to_parquet(path) if suffix == ".parquet" else town.to_file(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    with pytest.raises(InputError, match=r"units file .*town\..* cannot be read as .*damaged or cut short"):
        read_units(path)
    path.write_bytes(b"")
    with pytest.raises(InputError):
        read_units(path)


@pytest.mark.parametrize("part", [".shx", ".dbf"])
def test_shapefiles_with_a_part_missing_or_cut_short_are_refused(
    tmp_path: Path, town: gpd.GeoDataFrame, part: str
) -> None:
    """GDAL reads such files in silence, with fewer columns or rows."""
    town.to_file(tmp_path / "town.shp")
    beside = tmp_path / f"town{part}"
    whole = beside.read_bytes()
    beside.write_bytes(whole[:-8])
    with pytest.raises(InputError, match=rf"town\{part} has \d+ bytes of \d+"):
        read_units(tmp_path / "town.shp")
    beside.unlink()
    with pytest.raises(InputError, match=rf"town\{part} is not beside it"):
        read_units(tmp_path / "town.shp")


def test_unknown_suffixes_are_named(tmp_path: Path) -> None:
    """Old spreadsheets are not read, and the message says what is."""
    (tmp_path / "town.xls").write_bytes(b"x")
    with pytest.raises(InputError, match=r"suffix '\.xls', which is not a known table format\. Use \.gpkg"):
        read_table(tmp_path / "town.xls")


def test_csv_keeps_leading_zeros_and_tolerates_a_byte_order_mark(tmp_path: Path) -> None:
    """What a spreadsheet exports: BOM, Windows line ends, quoted text, blank cells."""
    text = '\ufeffunit,n,share,note\r\n007,5,0.5,"a, b"\r\n012,6,,\r\n'
    (tmp_path / "t.csv").write_bytes(text.encode("utf-8"))
    table = read_table(tmp_path / "t.csv", columns=["unit"])
    assert table["unit"].tolist() == ["007", "012"]
    assert table["n"].tolist() == [5, 6]
    assert table["n"].dtype == np.int64
    assert table["share"].tolist()[0] == 0.5
    assert np.isnan(table["share"].tolist()[1])
    assert table["note"].tolist()[0] == "a, b"
    as_text = read_table(tmp_path / "t.csv", as_text=True)
    assert as_text["n"].tolist() == ["5", "6"]


@given(st.lists(st.text('0123456789.-e ,"\n網', min_size=1, max_size=6).filter(str.strip), min_size=1, max_size=8))
def test_text_in_a_csv_comes_back_as_written(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    """As text every value survives; by itself a column becomes numbers only where no value says more than a number."""
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["unit", "n"], *([v, 1] for v in values)])
    stripped = [v.strip() for v in values]
    assert read_table(path, as_text=True)["unit"].tolist() == stripped
    column = read_table(path)["unit"]
    if column.dtype.kind == "i":
        assert [str(v) for v in column] == [v.replace("-0", "0") if int(v) == 0 else v for v in stripped]
    elif column.dtype.kind == "f":
        assert column.tolist() == [float(v) for v in stripped]
    else:
        assert column.tolist() == stripped


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("Gråvägen,n\nå,1\n".encode("cp1252"), r"not UTF-8 text \(byte 0xe5 at position 2\).*\"CSV UTF-8\".*encoding="),
        (b"a;b\n1;2\n", "separated by semicolons"),
        (b"a,b\n1,2\n1,2,3\n", "row 2 has 3 columns, the header has 2"),
        (b"a,b,a\n1,2,3\n", "column 'a' more than once"),
    ],
)
def test_csv_defects_are_named(tmp_path: Path, raw: bytes, says: str) -> None:
    """Encodings that cannot be told apart, and separators, are told, not guessed around."""
    (tmp_path / "t.csv").write_bytes(raw)
    with pytest.raises(InputError, match=says):
        read_table(tmp_path / "t.csv")


def test_csv_with_lon_and_lat_is_points(tmp_path: Path) -> None:
    """Addresses come as coordinates in a table."""
    (tmp_path / "shops.csv").write_text("name,Lon,Lat\nA,121.5,25.1\nB,121.6,25.2\n")
    shops = read_layer(tmp_path / "shops.csv", what="shops", shapes=("point",))
    assert shops.crs.to_epsg() == 4326
    assert shops.geometry.y.tolist() == [25.1, 25.2]


def test_plain_parquet_is_a_table(tmp_path: Path) -> None:
    """Parquet without geometry is read as well, its index as columns."""
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["a", "b"], name="unit"))
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet").columns.tolist() == ["unit", "n"]
