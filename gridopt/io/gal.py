"""GAL files: who neighbours whom, as GeoDa, libpysal and R's spdep read and write them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import numpy as np

from gridopt.errors import Finding, GraphError, InputError
from gridopt.io._atomic import replacing
from gridopt.io.tables import existing_file
from gridopt.model.graph import Graph

__all__ = ["read_gal", "write_gal"]


def read_gal(path: str | os.PathLike[str]) -> Graph:
    r"""
    Read neighbours from a GAL file; every edge costs 1, for the format has no lengths.

    Parameters
    ----------
    path : str or path
        A header (``n``, or ``0 n layer key`` as GeoDa writes it), then two lines for each unit: its id and how many
        neighbours it has, and their ids.

    Returns
    -------
    Graph
        Ids are whole numbers where all are written as such, else text: ``007`` stays ``007``.

    Raises
    ------
    InputError
        If the file does not exist or is no text.
    GraphError
        If counts disagree, an id is unknown or repeated, a unit neighbours itself, or an edge has one end only. Names
        the line.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.gal"
    >>> _ = path.write_text("3\n007 1\n8\n8 2\n007 9\n9 1\n8\n")
    >>> graph = read_gal(path)
    >>> graph.ids.tolist(), graph.edges.tolist()
    (['007', '8', '9'], [[0, 1], [1, 2]])
    """
    file = existing_file(path, "graph")
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        cure = "A GAL file is text in UTF-8."
        raise InputError(
            f"graph file {file} cannot be read: {' '.join(str(error).split())[:120]}. {cure}",
            [Finding("file-unreadable", "error", (str(file),), None, None, cure)],
        ) from error
    head = lines[0].split() if lines else []
    count = head[1] if len(head) > 1 else head[0] if head else ""
    if not count.isdecimal() or len(count) > 18:
        _refuse(file, 1, f"is {lines[0][:40]!r} where the number of units should stand" if lines else "is missing")
    n = int(count)
    if len(lines) < 1 + 2 * n:
        _refuse(file, len(lines), f"is the last, of {1 + 2 * n} that {n} units take")
    where: dict[str, int] = {}
    for i in range(n):
        words = lines[1 + 2 * i].split()
        if len(words) != 2 or words[1] != str(len(lines[2 + 2 * i].split())):
            _refuse(file, 2 + 2 * i, "does not have an id and the number of ids on the next line")
        if where.setdefault(words[0], i) != i:
            _refuse(file, 2 + 2 * i, f"has the id {words[0]!r} again")
    ends = []
    for i in range(n):
        for word in lines[2 + 2 * i].split():
            if word not in where or where[word] == i:
                _refuse(
                    file, 3 + 2 * i, f"names {word!r}, which is {'no unit' if word not in where else 'the unit itself'}"
                )
            ends.append((i, where[word]))
    return Graph.from_edges(n, _both_ways(file, ends), ids=_ids(list(where)))


def write_gal(path: str | os.PathLike[str], graph: Graph) -> None:
    """
    Write the neighbours of each unit as a GAL file; lengths, costs and kinds are not part of the format.

    Parameters
    ----------
    path : str or path
        The file; written whole or not at all.
    graph : Graph
        Its ids may hold no blanks: these separate them.

    Raises
    ------
    InputError
        If an id is empty or has a blank in it, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.gal"
    >>> write_gal(path, Graph.from_edges(3, [(0, 1)], ids=["007", "8", "9"]))
    >>> print(path.read_text(), end="")
    3
    007 1
    8
    8 1
    007
    9 0
    <BLANKLINE>
    """
    ids = [str(v) for v in graph.ids.tolist()]
    odd = [v for v in ids if len(v.split()) != 1]
    if odd:
        raise InputError(
            f"{len(odd)} unit ids are empty or have blanks (first: {odd[0]!r}), which separate ids in a GAL file. "
            "Use other ids, or another format."
        )
    rows = [str(graph.n_units)]
    for i, name in enumerate(ids):
        near = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
        rows += [f"{name} {len(near)}", " ".join(ids[j] for j in near)]
    with replacing(path) as (temporary,):
        temporary.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _both_ways(file: Path, ends: list[tuple[int, int]]) -> np.ndarray:
    """Each edge once, after making sure that it was given from both ends, and no end twice."""
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    unique, counts = np.unique(pairs, axis=0, return_counts=True)
    if (counts > 1).any():
        i = int(unique[counts > 1][0, 0])
        _refuse(file, 3 + 2 * i, "names one neighbour twice")
    back, times = np.unique(np.sort(unique, axis=1), axis=0, return_counts=True)
    if (times < 2).any():
        lone = back[times < 2][0]
        at = int(unique[(np.sort(unique, axis=1) == lone).all(axis=1)][0, 0])
        _refuse(file, 3 + 2 * at, "names a neighbour that does not name it: the graph is not symmetric")
    return back


def _ids(names: list[str]) -> list[int] | list[str]:
    numbers = [int(v) for v in names if v.removeprefix("-").isdecimal() and len(v) <= 18]
    return numbers if [str(v) for v in numbers] == names else names


def _refuse(file: Path, line: int, why: str) -> NoReturn:
    cure = "Write it again with GeoDa, libpysal or spdep."
    raise GraphError(
        f"graph file {file}: line {line} {why}. {cure}",
        [Finding("gal-line", "error", (str(file),), f"line {line}", None, cure)],
    )
