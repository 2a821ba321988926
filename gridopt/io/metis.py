"""METIS files: graphs (``.graph``) and partitions (``.part``), read and written; errors name the line."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridopt._validate import frozen
from gridopt.errors import Finding, GraphError, InputError, InternalError
from gridopt.io._atomic import replacing
from gridopt.io.tables import existing_file
from gridopt.model.graph import BORDER, Graph

__all__ = ["MetisGraph", "read_graph", "read_partition", "write_graph", "write_partition"]

FORMATS = {"0", "1", "10", "11", "100", "101", "110", "111"}
MAX_DIGITS = 18
"""Longest number read: anything longer may not fit int64."""
BLANK = np.zeros(256, dtype=bool)
BLANK[[9, 10, 11, 12, 13, 32]] = True
DIGIT = np.zeros(256, dtype=bool)
DIGIT[48:58] = True
NEWLINE, PERCENT = 10, 37


@dataclass(frozen=True, eq=False)
class MetisGraph:
    """
    What a METIS graph file holds.

    Parameters
    ----------
    graph : Graph
        Its ids are ``1 … n``, as the file numbers its nodes; its costs are the edge weights, 1 without.
    workload : ndarray of int64, shape (n, ncon)
        The node weights; one column of ones where the file has none.
    findings : tuple of Finding
        What was in the file and is not used.

    Examples
    --------
    >>> MetisGraph(Graph.from_edges(2, [(0, 1)]), np.ones((2, 1), dtype=np.int64)).findings
    ()
    """

    graph: Graph
    workload: NDArray[np.int64]
    findings: tuple[Finding, ...] = ()


def read_graph(path: str | os.PathLike[str]) -> MetisGraph:
    r"""
    Read a METIS graph: a header ``n m [fmt [ncon]]``, then one line per node with its neighbours, counted from 1.

    Parameters
    ----------
    path : str or path
        The file; a name ending in ``.gz`` is unpacked on the way. Lines starting with ``%`` are comments, a blank
        line is a node without neighbours. All formats are read; vertex sizes (``fmt`` 1xx) are skipped, with a finding.

    Returns
    -------
    MetisGraph
        Graph, node weights and findings.

    Raises
    ------
    InputError
        If the file does not exist or cannot be read.
    GraphError
        If header and lists disagree, an edge or its weight is not the same from both ends, a node lists itself, an
        unknown node, or one neighbour twice, or a number is not a whole one, or out of range. Names the line.

    Notes
    -----
    O(s) numpy operations for a file of s bytes plus one sort of the edges: 10^6 nodes take a few seconds.
    Format: manual of METIS 5.1, section 4.1.1.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "path3.graph"
    >>> _ = path.write_text("% a path\n3 2 10\n5 2\n0 1 3\n7 2\n")
    >>> read = read_graph(path)
    >>> read.graph.edges.tolist(), read.workload[:, 0].tolist()
    ([[0, 1], [1, 2]], [5, 0, 7])
    """
    file = existing_file(path, "graph")
    text = _Lines(file, _read_bytes(file))
    n, m, has_size, has_edge_weight, n_weights = _header(text)
    values, counts = _node_numbers(text, n)
    start = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(counts, out=start[1:])
    lead = int(has_size) + n_weights
    step = 2 if has_edge_weight else 1
    _check_shape(text, counts, lead, step)
    weights = np.ones((n, 1), dtype=np.int64)
    if n_weights:
        columns = start[:-1, None] + int(has_size) + np.arange(n_weights)
        weights = values[columns] if n else np.ones((0, n_weights), dtype=np.int64)
    degree = (counts - lead) // step
    rows = np.repeat(np.arange(n, dtype=np.int64), degree)
    first = np.repeat(start[:-1] + lead, degree)
    within = np.arange(len(rows), dtype=np.int64) - np.repeat(np.cumsum(degree) - degree, degree)
    where = first + step * within
    cost = values[where + 1] if has_edge_weight else np.ones(len(rows), dtype=np.int64)
    edges, cost = _half(text, n, m, rows, values[where] - 1, cost)
    findings: tuple[Finding, ...] = ()
    if has_size:
        cure = "Vertex sizes say what it costs to send a node; gridopt does not use them."
        findings = (Finding("vertex-sizes-ignored", "info", (str(file),), None, None, cure),)
    graph = Graph(
        edges=edges,
        length=np.zeros(m, dtype=np.int64),
        cost=cost,
        kind=np.full(m, BORDER, dtype=np.int8),
        ids=np.arange(1, n + 1, dtype=np.int64),
        class_length=np.zeros((m, 0), dtype=np.int64),
        findings=findings,
    )
    return MetisGraph(graph, frozen(weights, np.int64), findings)


def write_graph(path: str | os.PathLike[str], graph: Graph, workload: ArrayLike | None = None) -> None:
    r"""
    Write a graph as a METIS file: costs become edge weights, workloads node weights; both left out where all are 1.

    Parameters
    ----------
    path : str or path
        The file; a name ending in ``.gz`` is packed. Written whole or not at all.
    graph : Graph
        Node ``i`` of the file is the unit at position ``i - 1``: ids are not part of the format.
    workload : array_like of int, shape (n,) or (n, a), optional
        Work units, at least 0.

    Raises
    ------
    InputError
        If `workload` has another shape or values that are not whole and non-negative, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "pair.graph"
    >>> write_graph(path, Graph.from_edges(2, [(0, 1)], costs=[7]), [3, 4])
    >>> path.read_text()
    '2 1 011 1\n3 2 7\n4 1 7\n'
    """
    n = graph.n_units
    weights = _node_weights(workload, n)
    weighted_edges = bool((graph.cost != 1).any())
    header = f"{n} {graph.n_edges}"
    if weights.shape[1] or weighted_edges:
        header += f" 0{int(weights.shape[1] > 0)}{int(weighted_edges)}"
    if weights.shape[1]:
        header += f" {weights.shape[1]}"
    step = 2 if weighted_edges else 1
    lead = weights.shape[1]
    start = graph.indptr * step + lead * np.arange(n + 1, dtype=np.int64)
    numbers = np.empty(int(start[-1]), dtype=np.int64)
    for column in range(lead):
        numbers[start[:-1] + column] = weights[:, column]
    rows = np.repeat(np.arange(n, dtype=np.int64), np.diff(graph.indptr))
    where = step * np.arange(len(rows), dtype=np.int64) + lead * (rows + 1)
    numbers[where] = graph.indices.astype(np.int64) + 1
    if weighted_edges:
        numbers[where + 1] = graph.cost[graph.edge_idx]
    words = list(map(str, numbers.tolist()))
    ends = start.tolist()
    lines = (" ".join(words[a:b]) for a, b in pairwise(ends))
    _write_lines(path, header, lines)


def read_partition(path: str | os.PathLike[str], n_nodes: int | None = None) -> NDArray[np.int32]:
    """
    Read a METIS partition: one part number per line, counted from 0, in the order of the graph's nodes.

    Parameters
    ----------
    path : str or path
        The file.
    n_nodes : int, optional
        How many nodes the graph has; any other number of lines is an error.

    Returns
    -------
    ndarray of int32, shape (n,)
        Part of each node.

    Raises
    ------
    InputError
        If the file does not exist, or a line is not one whole number of at least 0 (named), or the count is wrong.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.part"
    >>> write_partition(path, [0, 1, 1])
    >>> read_partition(path, 3).tolist()
    [0, 1, 1]
    """
    file = existing_file(path, "partition")
    text = _Lines(file, _read_bytes(file))
    values, counts = _numbers(text, 0, text.n_lines)
    while len(counts) and counts[-1] == 0:
        counts = counts[:-1]
    odd = np.flatnonzero(counts != 1)
    if len(odd):
        text.refuse(
            int(odd[0]), f"holds {counts[odd[0]]} numbers; a partition has one part number per line", InputError
        )
    if n_nodes is not None and len(values) != n_nodes:
        raise InputError(
            f"{file} gives {len(values)} part numbers, the graph has {n_nodes} nodes. Give one line per node: is this "
            "the partition of another graph?",
            [Finding("partition-size", "error", (str(file),), len(values), n_nodes, "Give one line per node.")],
        )
    high = np.flatnonzero(values >= max(len(values), 1))
    if len(high):
        text.refuse(
            int(high[0]),
            f"gives part {values[high[0]]}, but {len(values)} nodes have at most {len(values)} parts",
            InputError,
        )
    return values.astype(np.int32)


def write_partition(path: str | os.PathLike[str], labels: ArrayLike) -> None:
    r"""
    Write one part number per line. The file is written whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.part"
    >>> write_partition(path, [1, 0])
    >>> path.read_text()
    '1\n0\n'
    """
    parts = np.asarray(labels)
    if parts.ndim != 1 or (parts.size and not np.issubdtype(parts.dtype, np.integer)) or (parts < 0).any():
        raise InputError(f"labels must be whole numbers of at least 0, one per node; got {parts.dtype} {parts.shape}.")
    with replacing(path) as (temporary,):
        temporary.write_bytes(b"".join(b"%d\n" % part for part in parts.tolist()))


# ---- lines and numbers ----------------------------------------------------------------------------------------------


class _Lines:
    """The bytes of a file without comment lines, where each other line stood, and which is the `first` of a node."""

    first = 0

    def __init__(self, path: Path, raw: bytes) -> None:
        self.path = path
        if raw.startswith(b"\xef\xbb\xbf"):
            raw = raw[3:]
        if raw and not raw.endswith(b"\n"):
            raw += b"\n"
        data = np.frombuffer(raw, dtype=np.uint8)
        ends = np.flatnonzero(data == NEWLINE).astype(np.int64)
        number = np.arange(1, len(ends) + 1, dtype=np.int64)
        comment = _comment_lines(data, ends)
        if comment.any():
            sizes = np.diff(ends, prepend=-1)
            data = data[np.repeat(~comment, sizes)]
            ends = np.flatnonzero(data == NEWLINE).astype(np.int64)
            number = number[~comment]
        self.data, self.ends, self.number = data, ends, number

    @property
    def n_lines(self) -> int:
        return len(self.ends)

    def text(self, line: int) -> str:
        begin = self.ends[line - 1] + 1 if line else 0
        return self.data[begin : self.ends[line]].tobytes().decode("utf-8", "replace").strip()

    def refuse(self, line: int, why: str, kind: type[InputError] = GraphError) -> NoReturn:
        """Raise an error that names the line as an editor counts it."""
        number = int(self.number[line]) if line < len(self.number) else int(self.number[-1]) + 1
        cure = "Correct that line, or write the file again."
        finding = Finding("metis-line", "error", (str(self.path),), f"line {number}", None, cure)
        raise kind(f"{self.path}, line {number} {why}. {cure}", [finding])


def _comment_lines(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which lines have ``%`` as their first byte that is not blank."""
    comment = np.zeros(len(ends), dtype=bool)
    signs = np.flatnonzero(data == PERCENT)
    if len(signs):
        line, first = np.unique(np.searchsorted(ends, signs), return_index=True)
        for row, sign in zip(line.tolist(), signs[first].tolist()):
            begin = int(ends[row - 1]) + 1 if row else 0
            comment[row] = bool(BLANK[data[begin:sign]].all())
    return comment


def _read_bytes(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rb") as packed:
                return packed.read()
        return path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        cure = "Check that it is complete and may be read."
        finding = Finding("file-unreadable", "error", (str(path),), str(error), None, cure)
        raise InputError(f"{path} cannot be read: {error}. {cure}", [finding]) from error


def _numbers(text: _Lines, first: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """All whole numbers of the lines ``first … stop - 1``, and how many stand on each."""
    begin = int(text.ends[first - 1]) + 1 if first else 0
    data = text.data[begin : int(text.ends[stop - 1]) + 1] if stop > first else text.data[:0]
    blank = BLANK[data]
    starts = np.flatnonzero(~blank & np.concatenate([[True], blank[:-1]])).astype(np.int64)
    line_of_start = np.searchsorted(text.ends[first:stop] - begin, starts)
    regular = bool((blank | DIGIT[data]).all())
    if regular and len(starts):
        stops = np.flatnonzero(blank & np.concatenate([[False], ~blank[:-1]]))
        regular = int((stops - starts).max()) <= MAX_DIGITS
    if not regular:
        _refuse_word(text, first, stop)
    values = np.fromstring(data.tobytes(), dtype=np.int64, sep=" ") if len(starts) else np.empty(0, dtype=np.int64)
    if len(values) != len(starts):
        raise InternalError(f"{text.path}: read {len(values)} of {len(starts)} numbers.")
    return values, np.bincount(line_of_start, minlength=stop - first).astype(np.int64)


def _refuse_word(text: _Lines, first: int, stop: int) -> NoReturn:
    """Find the first word that is not a whole number of reasonable size; slow, for the message only."""
    for line in range(first, stop):
        for word in text.text(line).split():
            if not (word.isascii() and word.isdigit()):
                text.refuse(line, f"holds {word!r}, which is not a whole number of at least 0")
            if len(word) > MAX_DIGITS:
                text.refuse(line, f"holds {word!r}, a number of more than {MAX_DIGITS} digits")
    raise InternalError(f"{text.path}: odd bytes, but no odd word.")


# ---- graphs ---------------------------------------------------------------------------------------------------------


def _header(text: _Lines) -> tuple[int, int, bool, bool, int]:
    """Return n, m, whether sizes and edge weights are there, and the number of weights per node."""
    line = next((i for i in range(text.n_lines) if text.text(i)), None)
    if line is None:
        raise GraphError(f"{text.path} is empty: a METIS graph starts with a line 'nodes edges [fmt [ncon]]'.")
    text.first = line + 1
    words = text.text(line).split()
    if not 2 <= len(words) <= 4 or not all(w.isascii() and w.isdigit() and len(w) <= MAX_DIGITS for w in words):
        text.refuse(line, f"is {text.text(line)[:60]!r}; the header is 'nodes edges [fmt [ncon]]', in whole numbers")
    fmt = words[2].lstrip("0") or "0" if len(words) > 2 else "0"
    if fmt not in FORMATS:
        text.refuse(line, f"has the format {words[2]!r}; a format is up to three digits, each 0 or 1")
    flags = fmt.zfill(3)
    has_weights = flags[1] == "1"
    n_weights = int(words[3]) if len(words) == 4 else int(has_weights)
    if has_weights and n_weights == 0:
        text.refuse(line, "announces node weights (fmt 1x), but 0 of them (ncon)")
    if n_weights and not has_weights:
        text.refuse(line, f"announces {n_weights} node weights (ncon), but its format {words[2]!r} has none")
    return int(words[0]), int(words[1]), flags[0] == "1", flags[2] == "1", n_weights


def _node_numbers(text: _Lines, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of the n node lines, flat, and how many stand on each; the right count of lines is checked."""
    first = text.first
    have = text.n_lines - first
    header = int(text.number[first - 1])
    if have < n:
        text.refuse(
            first - 1,
            f"(the header) announces {n} nodes, but {have} lines follow; a node without neighbours is a blank line",
        )
    for line in range(first + n, text.n_lines):
        if text.text(line):
            text.refuse(line, f"is one more than the {n} nodes that line {header} announces")
    return _numbers(text, first, first + n)


def _check_shape(text: _Lines, counts: NDArray[np.int64], lead: int, step: int) -> None:
    first = text.first
    short = np.flatnonzero(counts < lead)
    if len(short):
        text.refuse(
            first + int(short[0]),
            f"holds {counts[short[0]]} numbers; the header announces {lead} before the neighbours",
        )
    odd = np.flatnonzero((counts - lead) % step)
    if len(odd):
        text.refuse(first + int(odd[0]), "lists a neighbour without its edge weight (the header announces weights)")


def _half(
    text: _Lines, n: int, m: int, rows: NDArray[np.int64], cols: NDArray[np.int64], cost: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Check the lists and keep each edge once, smaller end first, in lexicographic order."""
    first = text.first

    def refuse(bad: NDArray[np.bool_], say: Any) -> None:
        seen = np.flatnonzero(bad)
        if len(seen):
            text.refuse(first + int(rows[seen[0]]), say(int(seen[0])))

    refuse((cols < 0) | (cols >= n), lambda e: f"(node {rows[e] + 1}) lists node {cols[e] + 1}; nodes are 1 … {n}")
    refuse(cols == rows, lambda e: f"(node {rows[e] + 1}) lists itself; a graph to partition has no loops")
    refuse(
        cost < 1,
        lambda e: (
            f"(node {rows[e] + 1}) gives its edge to node {cols[e] + 1} the weight {cost[e]}; "
            "edge weights are at least 1"
        ),
    )
    key = rows * n + cols
    order = np.argsort(key, kind="stable")
    repeated = np.zeros(len(key), dtype=bool)
    repeated[order[1:]] = np.diff(key[order]) == 0
    refuse(repeated, lambda e: f"(node {rows[e] + 1}) lists node {cols[e] + 1} twice")
    backward = np.argsort(cols * n + rows, kind="stable")
    if not np.array_equal(key[order], (cols * n + rows)[backward]):
        refuse(
            ~np.isin(cols * n + rows, key),
            lambda e: (
                f"(node {rows[e] + 1}) lists node {cols[e] + 1}, but node "
                f"{cols[e] + 1} does not list node {rows[e] + 1}"
            ),
        )
    other = np.empty(len(key), dtype=np.int64)
    other[order] = cost[backward]
    refuse(
        other != cost,
        lambda e: (
            f"(node {rows[e] + 1}) gives its edge to node {cols[e] + 1} the weight {cost[e]}, "
            f"the other end says {other[e]}"
        ),
    )
    if len(key) != 2 * m:
        text.refuse(
            first - 1, f"(the header) announces {m} edges, but the lists hold {len(key) // 2}, each from both ends"
        )
    half = order[rows[order] < cols[order]]
    return np.column_stack([rows[half], cols[half]]).astype(np.int32), cost[half]


def _node_weights(workload: ArrayLike | None, n: int) -> NDArray[np.int64]:
    if workload is None:
        return np.empty((n, 0), dtype=np.int64)
    raw = np.asarray(workload)
    table = raw.reshape(n, -1) if raw.ndim == 1 and len(raw) == n else raw
    if table.ndim != 2 or len(table) != n or not table.shape[1]:
        raise InputError(f"workload has shape {raw.shape}; give one row for each of the {n} nodes.")
    whole = table.astype(np.int64)
    if not np.array_equal(whole, table) or (whole < 0).any():
        raise InputError("METIS node weights are whole numbers of at least 0; scale and round the workload first.")
    return whole if whole.shape[1] > 1 or (whole != 1).any() else whole[:, :0]


def _write_lines(path: str | os.PathLike[str], header: str, lines: Iterable[str]) -> None:
    text = "\n".join([header, *lines]) + "\n"
    with replacing(path) as (temporary,):
        if temporary.suffix == ".gz":
            temporary.write_bytes(gzip.compress(text.encode("ascii"), mtime=0))
        else:
            temporary.write_bytes(text.encode("ascii"))
