"""What the fuzzer feeds to the command line: a folder of sound inputs, and ways to spoil them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import shapely.affinity
from numpy.random import Generator

from benchmarks._fuzz_commands import draw_command
from benchmarks._fuzz_dress import dress
from benchmarks._fuzz_files import spoil_document, spoil_file, spoil_options, spoil_text

CRS = "EPSG:32651"
LAYERS = ("town", "streets", "river", "shops", "tracts", "boundary", "wards", "yards", "bridge", "today")
FORMATS = (".gpkg", ".gpkg", ".gpkg", ".geojson", ".shp", ".parquet")


class Case(NamedTuple):
    """A command line, the command in it, and what holds files open while it runs."""

    command: str
    args: list[str]
    held: list[Any]
    told: list[str]


def town(rng: Generator) -> gpd.GeoDataFrame:
    """Nine to sixteen four-sided units whose inner corners are moved; ids with leading zeros, persons, two wards."""
    side = int(rng.integers(3, 5))
    at = np.stack(np.meshgrid(np.arange(side + 1), np.arange(side + 1), indexing="ij"), axis=-1) * 100.0
    at[1:-1, 1:-1] += rng.uniform(-25, 25, (side - 1, side - 1, 2))
    cells = [
        shapely.Polygon([at[i, j], at[i + 1, j], at[i + 1, j + 1], at[i, j + 1]])
        for i in range(side)
        for j in range(side)
    ]
    n = len(cells)
    columns = {
        "code": [f"{i:03d}" for i in range(1, n + 1)],
        "persons": rng.integers(5, 30, n).astype(float),
        "homes": rng.integers(1, 9, n),
        "ward": ["south" if i < n // 2 else "north" for i in range(n)],
    }
    return gpd.GeoDataFrame(columns, geometry=cells, crs=CRS)


def sound(folder: Path, rng: Generator) -> None:
    """Write one of everything, all of it sound."""
    units = town(rng)
    side = units.total_bounds[2]
    lines = [[(x, -10), (x, side + 10)] for x in (100, 200)] + [[(-10, y), (side + 10, y)] for y in (100, 200)]
    layers = {
        "town": units,
        "streets": gpd.GeoDataFrame(
            {"highway": ["primary", "residential", "residential", "footway"]}, geometry=shapely.linestrings(lines)
        ),
        "river": gpd.GeoDataFrame({"name": ["Au"]}, geometry=[shapely.LineString([(-10, 250), (side + 10, 240)])]),
        "shops": gpd.GeoDataFrame(
            {"risk": [*"AABBC"] * 4, "staff": rng.integers(1, 9, 20)},
            geometry=shapely.points(rng.uniform(0, side, (20, 2))),
        ),
        "tracts": gpd.GeoDataFrame(
            {"people": [500, 321]}, geometry=[shapely.box(0, 0, side / 2, side), shapely.box(side / 2, 0, side, side)]
        ),
        "boundary": gpd.GeoDataFrame({"name": ["town"]}, geometry=[shapely.box(0, 0, side, side)]),
        "wards": gpd.GeoDataFrame(
            {"ward": ["w1", "w2"]},
            geometry=[shapely.box(-3, -3, side / 2 + 4, side), shapely.box(side / 2, 0, side, side)],
        ),
        "yards": gpd.GeoDataFrame({"name": ["yard"]}, geometry=[shapely.box(60, 60, 140, 140)]),
        "bridge": gpd.GeoDataFrame({"name": ["span"]}, geometry=[shapely.LineString([(150, 200), (150, 280)])]),
        "today": _today(units, rng),
    }
    for name, layer in layers.items():
        write(folder / f"{name}.gpkg", layer.set_crs(CRS, allow_override=True))
    at = layers["shops"].set_crs(CRS).to_crs(4326).geometry
    pd.DataFrame({"id": range(20), "lon": at.x, "lat": at.y}).to_csv(folder / "shops.csv", index=False)
    (folder / "locks.csv").write_text("unit,kind,group\n001,together,a\n002,together,a\n005,fixed,G001\n")
    (folder / "links.csv").write_text("a,b,cost\n001,009,50\n")
    (folder / "pairs.csv").write_text("u,v,action,reason\n001,002,part,wall\n001,009,join,ferry\n")
    (folder / "classes.csv").write_text("highway,class\nprimary,arterial\nresidential,local\nfootway,path\n")
    (folder / "records.csv").write_text("code,amount\n001,5\n001,7\n009,2\n777,1\n")
    (folder / "g.graph").write_text("6 6 011\n3 2 4 6 1\n1 1 4 3 2\n4 2 2 4 5\n1 3 5 5 1\n5 4 1 6 3\n9 5 3 1 1\n")
    (folder / "g.gal").write_text("0 4 town code\n001 2\n002 003\n002 1\n001\n003 1\n001\n4 0\n\n")
    (folder / "g.part").write_text("0\n0\n0\n1\n1\n1\n")
    dual = {"directed": False, "multigraph": False, "graph": []}
    dual["nodes"] = [{"id": i, "pop": i + 1, "ward": "ab"[i > 2]} for i in range(6)]
    dual["adjacency"] = [[{"id": j, "shared_perim": 9.5} for j in (i - 1, i + 1) if 0 <= j < 6] for i in range(6)]
    (folder / "dual.json").write_text(json.dumps(dual))


def _today(units: gpd.GeoDataFrame, rng: Generator) -> gpd.GeoDataFrame:
    """Give the units as they are later: other workloads, one unit in two, two in one."""
    shapes = units.geometry.tolist()
    west, east = (
        shapes[-1].intersection(shapely.box(x, -1e4, x + 1e4, 1e4))
        for x in (shapes[-1].centroid.x - 1e4, shapes[-1].centroid.x)
    )
    table = units.drop(columns="geometry")
    table["persons"] = table["persons"] + rng.integers(0, 6, len(table))
    table = pd.concat([table, table.iloc[[-1]].assign(code="new")], ignore_index=True)
    shapes = [*shapes[:-1], west, east]
    shapes[0] = shapely.union_all(shapes[:2])
    return gpd.GeoDataFrame(table, geometry=shapes, crs=units.crs).drop(index=1).reset_index(drop=True)


def write(path: Path, layer: Any) -> None:
    """Write a layer by its suffix, whatever is in it."""
    if path.suffix == ".parquet":
        layer.to_parquet(path)
    elif path.suffix == ".csv":
        layer.to_csv(path, index=False)
    else:
        layer.to_file(path, engine="pyogrio")


# ---- spoiling layers -------------------------------------------------------------------------------------------------


def spoil_geometry(layer: gpd.GeoDataFrame, rng: Generator) -> gpd.GeoDataFrame:
    """Replace, move, double or drop the shapes of some rows, or their coordinate system."""
    layer = layer.copy()
    if rng.random() < 0.25:
        return _other_crs(layer, rng)
    if rng.random() < 0.2:
        return _other_rows(layer, rng)
    shapes = layer.geometry.to_numpy().copy()
    for _ in range(int(rng.integers(1, 4))):
        row = int(rng.integers(len(shapes)))
        if shapes[row] is not None:
            shapes[row] = _bad_shape(shapes[row], rng)
    return layer.set_geometry(gpd.GeoSeries(shapes, index=layer.index, crs=layer.crs))


def _bad_shape(shape: Any, rng: Generator) -> Any:
    x, y = (float(v) for v in rng.uniform(0, 300, 2))
    choices: list[Callable[[], Any]] = [
        lambda: None,
        lambda: shapely.Polygon(),
        lambda: shapely.Polygon([(x, y), (x + 50, y + 50), (x + 50, y), (x, y + 50)]),
        lambda: shapely.Polygon([(x, y), (x, y), (x, y)]),
        lambda: shapely.Polygon([(x, y), (x + 90, y), (x, y)]),
        lambda: shapely.Point(x, y),
        lambda: shapely.Point(np.nan, y),
        lambda: shapely.LineString([(x, y), (x + 9, y)]),
        lambda: shapely.LineString([(x, y), (x, y)]),
        lambda: shapely.MultiPolygon([shapely.box(x, y, x + 9, y + 9), shapely.box(x + 50, y, x + 60, y + 9)]),
        lambda: shapely.GeometryCollection([shapely.Point(x, y), shapely.box(x, y, x + 9, y + 9)]),
        lambda: shapely.box(-1e15, -1e15, 1e15, 1e15),
        lambda: shapely.LineString([(0, 0), (np.inf, 1)]),
        lambda: shapely.affinity.translate(shape, 1e9, 0),
        lambda: shapely.affinity.translate(shape, float(rng.normal(0, 5)), float(rng.normal(0, 5))),
        lambda: shapely.affinity.scale(shape, 1e-9, 1e-9),
        lambda: shapely.affinity.scale(shape, 1.2, 1.2),
        lambda: shapely.force_3d(shape, 7.0),
        lambda: shapely.reverse(shape),
        lambda: shapely.transform(shape, lambda c: c[:, ::-1]),
        lambda: shapely.segmentize(shape, 0.5),
        lambda: shape.buffer(-20),
        lambda: shape.difference(shapely.box(x, y, x + 20, y + 20)),
        lambda: shapely.union_all([shape, shapely.box(x, y, x + 0.01, y + 300)]),
    ]
    return choices[int(rng.integers(len(choices)))]()


def _other_crs(layer: Any, rng: Generator) -> Any:
    local = 'ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
    label = ("EPSG:4326", "EPSG:4490", "EPSG:3857", "EPSG:2249", "EPSG:4978", "EPSG:3031", local, None)
    pick = label[int(rng.integers(len(label)))]
    if pick is not None and rng.random() < 0.4 and pick not in (local, "EPSG:4978"):
        return layer.to_crs(pick)
    return layer.set_crs(pick, allow_override=True)


def _other_rows(layer: Any, rng: Generator) -> Any:
    pick = int(rng.integers(6))
    if pick == 0:
        return layer.iloc[:0]
    if pick == 1:
        return layer.iloc[:1]
    if pick == 2:
        return pd.concat([layer, layer.iloc[rng.integers(len(layer), size=2)]], ignore_index=True)
    if pick == 3:
        return layer.drop(index=layer.index[int(rng.integers(len(layer)))])
    if pick == 4:
        return layer.set_geometry(gpd.GeoSeries([layer.geometry.iloc[0]] * len(layer), crs=layer.crs))
    return layer.sample(frac=1, random_state=int(rng.integers(1000)))


def spoil_columns(layer: gpd.GeoDataFrame, rng: Generator) -> gpd.GeoDataFrame:
    """Put values of all kinds into a column, or rename, drop, double, add columns."""
    layer = layer.copy()
    names = [c for c in layer.columns if c != layer.geometry.name]
    name = names[int(rng.integers(len(names)))]
    if rng.random() < 0.3:
        to = ["grid", "unit", "fid", "geom", "rowid", "", "人口", "a" * 200, name.upper(), "x\ny", "n,m", 'q"q', "id"]
        pick = to[int(rng.integers(len(to)))]
        if rng.random() < 0.5:
            return layer.rename(columns={name: pick})
        return layer.assign(**{pick: range(len(layer))})
    if rng.random() < 0.1:
        return layer.drop(columns=name)
    odd: list[Any] = [
        None,
        np.nan,
        np.inf,
        -np.inf,
        -1.0,
        0.0,
        1e-300,
        1e300,
        2.5,
        2**53,
        2**62,
        "",
        " ",
        "x",
        "001",
        "1e5",
        "非",
    ]
    odd += ["a" * 5000, "\x00", "'; DROP TABLE", "=1+1", True, b"\xff", "2020-01-01", "NaN", "1,5", "\u202e", "\ud83d"]
    values = layer[name].astype(object).tolist()
    if rng.random() < 0.2:
        values = [odd[int(rng.integers(len(odd)))]] * len(values)
    for _ in range(int(rng.integers(1, 4))):
        if values:
            values[int(rng.integers(len(values)))] = odd[int(rng.integers(len(odd)))]
    column = pd.Series(values, index=layer.index, dtype=object)
    as_kind = rng.random()
    if as_kind < 0.4:
        column = pd.to_numeric(column.astype(str), errors="coerce")
    elif as_kind < 0.8:
        column = column.map(lambda v: v if v is None else str(v)).astype(object)
    return layer.assign(**{name: column})


# ---- cases -----------------------------------------------------------------------------------------------------------


def make_case(base: Path, folder: Path, rng: Generator, spoil: bool = True, dressed: bool = True) -> Case:
    """Copy the sound inputs to a folder, spoil one to three things, and return the command line to run there."""
    shutil.copytree(base, folder)
    command, args, used = draw_command(rng)
    held: list[Any] = []
    told = dress(folder, args, used, rng, may_lie=spoil) if dressed else []
    for _ in range(int(rng.choice([1, 2, 3], p=[0.6, 0.25, 0.15])) if spoil else 0):
        kind = rng.random()
        name = used[int(rng.integers(len(used)))]
        path = folder / name
        is_layer = path.suffix == ".gpkg" and path.stem in LAYERS
        if kind < 0.65 and is_layer and path.is_file() and not held:
            change = spoil_geometry if rng.random() < 0.6 else spoil_columns
            told += _rewrite(folder, name, args, change, rng)
        elif kind < 0.85 and path.is_file():
            if path.suffix == ".json" and rng.random() < 0.7:
                spoil_document_of(path, rng)
                told.append(f"{name}: document")
            elif path.suffix in (".csv", ".graph", ".part", ".gal", ".cpg") and rng.random() < 0.7:
                path.write_text(spoil_text(path.read_text(errors="replace"), rng), errors="replace")
                told.append(f"{name}: text")
            else:
                told.append(spoil_file(path, rng, held))
        else:
            args = spoil_options(args, rng)
            told.append("options")
    return Case(command, args, held, told)


def spoil_document_of(path: Path, rng: Generator) -> None:
    """Spoil a JSON file that may be no JSON any more."""
    try:
        spoil_document(path, rng)
    except (ValueError, KeyError, TypeError):
        path.write_text("{")


def _rewrite(folder: Path, name: str, args: list[str], spoil: Callable[..., Any], rng: Generator) -> list[str]:
    """Spoil a layer and write it again, now and then in another format; what no format can hold is left out."""
    try:
        layer = spoil(gpd.read_file(folder / name, engine="pyogrio"), rng)
        suffix = FORMATS[int(rng.integers(len(FORMATS)))]
        new = f"{Path(name).stem}-{int(rng.integers(100))}{suffix}"
        write(folder / new, layer)
    except Exception as error:  # what GIS software refuses to write is no case
        return [f"{name}: not written ({type(error).__name__})"]
    if suffix == ".shp" and rng.random() < 0.4:
        part = folder / new
        part.with_suffix((".cpg", ".prj", ".dbf", ".shx")[int(rng.integers(4))]).unlink(missing_ok=True)
    for i, word in enumerate(args):
        args[i] = word.replace(name, new)
    return [f"{new}: {spoil.__name__}"]
