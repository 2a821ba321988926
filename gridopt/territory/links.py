"""Declared links: pairs of units joined without a border, such as ferries; by id, or as lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import MAX_COST, as_list, positions_of
from gridopt.errors import Finding, GeometryError, GraphError, InputError, name_ids
from gridopt.territory.barriers import REACH, line_ends, nearest_units

__all__ = ["read_links"]

COST = "cost"
"""Column that holds the cost of each link; 1 where it is absent."""

LINK_FORM = "a table of two unit ids, pairs such as [('A1', 'A2')], or lines"

Array = NDArray[Any]


def read_links(links: Any, ids: Array, polygons: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Positions of the two units of each link, and its cost.

    Parameters
    ----------
    links : DataFrame, sequence of tuples, GeoDataFrame or GeoSeries
        Two unit ids each (the first two columns of a table), and a cost, if any (column ``cost``, or the third
        value); or lines whose ends lie in two units.
    ids : ndarray, shape (n,)
    polygons : ndarray of Polygon or MultiPolygon, shape (n,)

    Returns
    -------
    pairs : ndarray of int64, shape (q, 2)
        The smaller position first; sorted, each once with its smallest cost.
    costs : ndarray of int64, shape (q,)

    Raises
    ------
    InputError
        If an id is no unit, or a cost is no whole number of at least 1.
    GraphError
        If a link joins a unit to itself.
    GeometryError
        If the end of a line is too far from every unit.

    Examples
    --------
    >>> pairs, costs = read_links([("b", "a"), ("b", "c", 5)], np.array(["a", "b", "c"], object), np.empty(3, object))
    >>> pairs.tolist(), costs.tolist()
    ([[0, 1], [1, 2]], [1, 5])
    """
    if hasattr(links, "geometry"):
        names = links.index.tolist()
        pairs, costs = _by_shape(links, names, polygons), _cost_column(links)
    else:
        first, second, costs = _columns(links)
        names = list(zip(first, second))
        pairs = np.column_stack([positions_of(side, ids, "links") for side in (first, second)]).reshape(-1, 2)
    loops = np.flatnonzero(pairs[:, 0] == pairs[:, 1])
    if len(loops):
        raise GraphError(
            f"{len(loops)} links join a unit to itself (first: {names[loops[0]]!r}, in unit "
            f"{ids[pairs[loops[0], 0]]!r}). Remove them, or correct their ends."
        )
    for name, cost in zip(names, costs):
        if (
            not isinstance(cost, int | float | np.number)
            or cost != cost
            or not 1 <= cost <= MAX_COST
            or cost != int(cost)
        ):
            raise InputError(f"link {name!r} has cost {cost!r}; give a whole number of at least 1, at most 2**60.")
    cost_of = np.array(costs, dtype=np.int64)
    pairs = np.sort(pairs, axis=1)
    order = np.lexsort((cost_of, pairs[:, 1], pairs[:, 0]))
    pairs, cost_of = pairs[order], cost_of[order]
    fresh = np.r_[True, (pairs[1:] != pairs[:-1]).any(axis=1)] if len(pairs) else np.empty(0, dtype=bool)
    return pairs[fresh], cost_of[fresh]


def _columns(links: Any) -> tuple[list[Any], list[Any], list[Any]]:
    if hasattr(links, "columns"):
        ends = [c for c in links.columns if c != COST][:2]
        if len(ends) < 2:
            raise InputError(f"links have columns {list(links.columns)}; give two columns of unit ids.")
        costs = _cost_column(links)
        return links[ends[0]].tolist(), links[ends[1]].tolist(), costs
    if isinstance(links, Iterator):
        links = list(links)
    if not (isinstance(links, np.ndarray) and links.ndim == 2):
        links = as_list(links, "links", LINK_FORM, sets=True)
    rows = [tuple(row) if isinstance(row, list | tuple | np.ndarray) else (row,) for row in links]
    odd = [row for row in rows if len(row) not in (2, 3)]
    if odd:
        raise InputError(
            f"{len(odd)} links are not pairs of unit ids (first: {odd[0]!r}). Give (id, id), or a cost third."
        )
    return [r[0] for r in rows], [r[1] for r in rows], [r[2] if len(r) == 3 else 1 for r in rows]


def _by_shape(links: Any, names: list[Any], polygons: Array) -> NDArray[np.int64]:
    shapes = np.asarray(links.geometry)
    ends = np.array([point for shape in shapes for point in line_ends(shape)], dtype=object)
    pairs = nearest_units(polygons, ends).reshape(-1, 2)
    lost = [n for n, pair in zip(names, pairs) if pair.min() < 0]
    if lost:
        raise GeometryError(
            f"{len(lost)} links end more than {REACH:g} m from every unit (first: {name_ids(lost)}). "
            "Draw them into the units, or give a table of two unit ids.",
            [Finding("link-nowhere", "error", tuple(lost[:50]), None, REACH, "Draw them into the units.")],
        )
    return pairs


def _cost_column(links: Any) -> list[Any]:
    return links[COST].tolist() if links.ndim == 2 and COST in links.columns else [1] * len(links)
