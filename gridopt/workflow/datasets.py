"""Data sets by name: generated, shipped with a dependency, or lying beside; each with source, checksum, best known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import frozen, nearest_names
from gridopt.errors import InputError
from gridopt.workflow._dataset_table import TABLE, About, Entry, data_folder

if TYPE_CHECKING:
    import geopandas as gpd

    from gridopt.model import Graph, Problem

__all__ = [
    "About",
    "BestKnown",
    "Dataset",
    "Published",
    "about",
    "best_known",
    "digest",
    "is_available",
    "load",
    "names",
    "published",
]

FOLDER = Path(__file__).resolve().parents[2] / "datasets"
"""READMEs and best known values; there in a checkout, absent in an installed package."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """
    A loaded data set: an instance to solve, map layers, or both.

    Parameters
    ----------
    about : About
    graph : Graph or None
        None where the set has layers only.
    workload : ndarray of int64, shape (n, a), or None
        In the order of ``graph.ids``; columns are `attributes`.
    attributes : tuple of str
    limits : mapping
        What the instance asks for: keywords of `build_problem`, such as ``n_grids`` and ``tolerance``.
    layers : mapping of str to GeoDataFrame
        Map layers by name.
    """

    about: About
    graph: Graph | None = None
    workload: NDArray[np.int64] | None = None
    attributes: tuple[str, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    layers: Mapping[str, gpd.GeoDataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.workload is not None:
            object.__setattr__(self, "workload", frozen(self.workload, np.int64))
        for name in ("limits", "layers"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __repr__(self) -> str:
        parts = [repr(self.graph)] if self.graph is not None else []
        parts += [f"{name}: {len(layer)} rows" for name, layer in self.layers.items()]
        return f"Dataset({self.about.name!r}, {', '.join(parts)})"

    def to_problem(self, **changes: Any) -> Problem:
        """
        Build the problem the instance stands for; `changes` replace or add keywords of `build_problem`.

        Raises
        ------
        InputError
            If the set has map layers only.

        Examples
        --------
        >>> problem = load("plain-city-300-12").to_problem()
        >>> problem.n_units, problem.n_grids
        (300, 12)
        """
        import pandas as pd

        from gridopt.rules.build import build_problem

        if self.graph is None:
            raise InputError(
                f"data set {self.about.name!r} has no graph, only layers {', '.join(self.layers)}. "
                "Build one with build_graph."
            )
        table = pd.DataFrame(self.workload, index=pd.Index(self.graph.ids), columns=list(self.attributes))
        return build_problem(self.graph, table, **{**self.limits, **changes})


@dataclass(frozen=True)
class BestKnown:
    """
    The best value known of an instance.

    Parameters
    ----------
    value : float
        Cost of the best sound plan.
    bound : float or None
        Proved lower bound; `optimal` where it equals `value`.
    who, when, how : str
        Who found it, on which day, and with what.
    verified : str
        How it was checked.
    labels : Path or None
        Where its labels are kept: a METIS partition file, gzipped.
    """

    value: float
    bound: float | None
    optimal: bool
    who: str
    when: str
    how: str
    verified: str
    labels: Path | None = None


@dataclass(frozen=True)
class Published:
    """
    A value from elsewhere that is no sound plan of the instance, or not known to be one: to compare with, no more.

    Parameters
    ----------
    value : float
        Cost.
    who, how : str
        Whose it is, and how it was made and checked.
    contiguous : bool or None
        Whether its parts are connected; None where that is not known.
    pieces : int or None
        Connected pieces its parts are in.
    under, over : float or None
        Largest share by which a part falls short of the mean, and exceeds it.
    """

    value: float
    who: str
    how: str
    contiguous: bool | None = None
    pieces: int | None = None
    under: float | None = None
    over: float | None = None


def names(kind: str | None = None) -> tuple[str, ...]:
    """
    Names of all data sets, sorted; of one `kind` where given (``"generated"``, ``"shipped"``, ``"beside"``).

    Examples
    --------
    >>> names("shipped")
    ('geodanet',)
    """
    return tuple(sorted(entry.about.name for entry in TABLE if kind in (None, entry.about.kind)))


def about(name: str) -> About:
    """
    Say what a data set is, without loading it.

    Raises
    ------
    InputError
        If there is no such data set; the nearest names are offered.

    Examples
    --------
    >>> about("plain-city-10000-400").kind
    'generated'
    """
    return _entry(name).about


def is_available(name: str) -> bool:
    """
    Whether `load` can succeed here: sets of kind ``"beside"`` need their files in the data folder.

    Examples
    --------
    >>> is_available("plain-city-300-12")
    True
    """
    return all((data_folder() / file).is_file() for file in about(name).files)


def load(name: str, *, verify: bool = True) -> Dataset:
    """
    Load a data set and check it against its checksum.

    Parameters
    ----------
    name : str
        One of `names()`.
    verify : bool
        False skips the checksum: figures are then not comparable with recorded ones.

    Raises
    ------
    InputError
        If there is no such data set, its files are not here, or the checksum differs.

    Examples
    --------
    >>> load("city-300-12")
    Dataset('city-300-12', Graph(301 units, 618 edges), units: 301 rows, streets: 263 rows, communities: 17 rows)
    """
    entry = _entry(name)
    if not is_available(name):
        raise InputError(
            f"data set {name!r} needs {', '.join(entry.about.files)} in {data_folder()}. "
            "Set the environment variable GRIDOPT_DATA to the folder that has them."
        )
    parts, arrays = entry.load(entry)
    if verify:
        paths = [data_folder() / file for file in entry.about.files]
        found = digest(arrays) if entry.about.kind == "generated" else digest_files(paths or arrays)
        if found != entry.about.checksum:
            raise InputError(
                f"data set {name!r} has checksum {found[:12]}…, recorded is {entry.about.checksum[:12]}…: it is not "
                "the one that figures were published for. Restore the original, or load it with verify=False."
            )
    return Dataset(entry.about, **parts)


def best_known(name: str) -> BestKnown | None:
    """
    Return the best value known of an instance, None where none is recorded (or the package runs without a checkout).

    Raises
    ------
    InputError
        If there is no such data set.
    """
    record = _record(name).get("best")
    if record is None:
        return None
    labels = record.pop("labels", None)
    return BestKnown(**record, labels=FOLDER / name / labels if labels else None)


def published(name: str) -> Published | None:
    """
    Return a value from elsewhere to compare an instance with, None where none is recorded.

    Raises
    ------
    InputError
        If there is no such data set.
    """
    record = _record(name).get("published")
    return None if record is None else Published(**record)


def _record(name: str) -> dict[str, Any]:
    path = FOLDER / about(name).name / "best_known.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def digest(arrays: Mapping[str, NDArray[Any]]) -> str:
    """
    SHA-256 over named arrays: names, kinds, shapes and values; independent of the machine's byte order.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Integers, floats, booleans, or text (object arrays).

    Examples
    --------
    >>> digest({"a": np.array([1, 2])})[:12]
    '6ec2891a8d8b'
    """
    state = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        if array.dtype == object or array.dtype.kind in "UT":
            kind, content = "text", "\0".join("" if v is None else str(v) for v in array.ravel()).encode()
        else:
            plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
            kind, content = plain.dtype.str, plain.tobytes()
        state.update(f"{name}:{kind}:{array.shape}:".encode() + content)
    return state.hexdigest()


def digest_files(files: Any) -> str:
    """SHA-256 over the bytes of files, one after the other."""
    state = hashlib.sha256()
    for path in files:
        state.update(Path(path).read_bytes())
    return state.hexdigest()


def _entry(name: str) -> Entry:
    found = [entry for entry in TABLE if entry.about.name == name]
    if not found:
        raise InputError(f"there is no data set {name!r}. {nearest_names(name, names())}")
    return found[0]
