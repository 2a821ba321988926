"""Files of a case in other forms that planners have: Excel, Chinese encodings, shapefiles with any `.cpg`."""

from __future__ import annotations

import gzip
from pathlib import Path

import geopandas as gpd
import pandas as pd
from numpy.random import Generator

NAMES = {"gb18030": ("景田社区", "福田区", "莲花街道"), "big5": ("大安區", "信義區", "龍門里")}
"""Text that each encoding can hold."""
CPG = {
    "true": ("GBK", "936", "GB18030", "cp936"),
    "lying": ("UTF-8", "950", "ISO-8859-1", "1252", "", "nonsense", "\x00\xff"),
}
TEXT_FORMS = ("gb18030", "big5", "bom", "xlsx", "xlsx", "gz")


def dress(folder: Path, args: list[str], used: list[str], rng: Generator, may_lie: bool) -> list[str]:
    """
    Give some files of a command line another form, in place; the command means the same afterwards.

    Parameters
    ----------
    folder : Path
        Where the files are.
    args, used : list of str
        The command line and the files it reads; both are changed where a file has another name now.
    rng : Generator
        Chance.
    may_lie : bool
        Whether the `.cpg` of a shapefile may name another encoding than the one its text is in.

    Returns
    -------
    list of str
        What was done.
    """
    told = []
    for name in dict.fromkeys(used):
        path = folder / name
        if not path.is_file():
            continue
        if path.suffix == ".csv" and rng.random() < 0.45:
            new = _other_table(path, TEXT_FORMS[int(rng.integers(len(TEXT_FORMS)))])
        elif path.suffix == ".gpkg" and name != "plan.gpkg" and rng.random() < 0.12:
            new = _as_shapefile(path, args, rng, may_lie)
        elif path.suffix in (".graph", ".json") and name != "plan.json" and rng.random() < 0.2:
            new = _other_graph(path)
        else:
            continue
        told.append(new.name)
        _rename(args, name, new.name)
        used[:] = [new.name if f == name else f for f in used]
        if new.suffix == ".shp":
            used += [new.with_suffix(suffix).name for suffix in (".dbf", ".shx", ".cpg")]
    return told


def _rename(args: list[str], old: str, new: str) -> None:
    args[:] = [word if word.startswith("out/") else word.replace(old, new) for word in args]


def _other_table(path: Path, form: str) -> Path:
    """Write a table again: with a column of Chinese text, in an encoding, packed, or as Excel."""
    table = pd.read_csv(path, dtype=str)
    names = NAMES.get(form, NAMES["gb18030"])
    table["备注" if form != "big5" else "備註"] = [names[i % len(names)] for i in range(len(table))]
    new = path.with_name(path.stem + {"xlsx": ".xlsx", "gz": ".csv.gz"}.get(form, ".csv"))
    if form == "xlsx":
        numbers = table.assign(**{c: pd.to_numeric(table[c]) for c in ("lon", "lat", "amount", "cost") if c in table})
        numbers.to_excel(new, index=False)
        return new
    text = table.to_csv(index=False)
    raw = text.encode({"gb18030": "gb18030", "big5": "big5", "bom": "utf-8-sig"}.get(form, "utf-8"))
    new.write_bytes(gzip.compress(raw, mtime=0) if form == "gz" else raw)
    return new


def _as_shapefile(path: Path, args: list[str], rng: Generator, may_lie: bool) -> Path:
    """Write a layer as a shapefile in GBK with a Chinese name of its workload, and a `.cpg` that is right or not."""
    layer = gpd.read_file(path)
    names = NAMES["gb18030"]
    layer["街道"] = [names[i % len(names)] for i in range(len(layer))]
    if "--workload" in args and "persons" in layer.columns and rng.random() < 0.5:
        layer = layer.rename(columns={"persons": "人口"})
        args[:] = ["人口" if word == "persons" else word for word in args]
    new = path.with_suffix(".shp")
    layer.to_file(new, engine="pyogrio", encoding="GBK")
    cpg = new.with_suffix(".cpg")
    pick = rng.random()
    if pick < 0.3:
        cpg.unlink(missing_ok=True)
    else:
        says = CPG["lying" if may_lie and pick > 0.6 else "true"]
        cpg.write_bytes(says[int(rng.integers(len(says)))].encode("latin-1"))
    return new


def _other_graph(path: Path) -> Path:
    """A METIS graph packed; a document with a byte order mark."""
    if path.suffix == ".json":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        return path
    new = path.with_name(path.name + ".gz")
    new.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
    return new


def gal_again(folder: Path, name: str) -> None:
    """Read neighbours from a GAL file and write them again: what one reads the other wrote."""
    from gridopt.io import read_gal, write_gal

    graph = read_gal(folder / name)
    write_gal(folder / "out/again.gal", graph)
    again = read_gal(folder / "out/again.gal")
    if again != graph or again.ids.tolist() != graph.ids.tolist():
        raise AssertionError(f"read {graph.ids.tolist()}, written and read {again.ids.tolist()}")
