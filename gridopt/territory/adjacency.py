"""From polygons to the graph: who borders whom, how long, along which streets; barriers, crossings, links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import as_ids
from gridopt.errors import Finding, InputError
from gridopt.model.graph import BORDER, CROSSING, LINK, Graph
from gridopt.territory._layers import LINES, POLYGONS, as_layer, check_layer, clip_long
from gridopt.territory.along import check_factors, measure_classes, read_streets
from gridopt.territory.barriers import anchors, blocked_intervals, join_over, units_inside
from gridopt.territory.borders import Borders, Contacts, find_borders, join_borders
from gridopt.territory.crs import to_same_metric
from gridopt.territory.links import read_links
from gridopt.territory.overrides import Overrides, read_overrides
from gridopt.territory.segments import complement
from gridopt.territory.shift import tell_shift

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["build_graph", "read_layers"]

BLOCKED_SHARE = 0.5
"""Share of a border along barriers above which the two units are no longer neighbours."""
FEW = 0.2
"""Share of border length along streets below which a shift between the layers is looked for."""
_KINDS = {
    "units": POLYGONS,
    "streets": LINES,
    "barriers": (*LINES, *POLYGONS),
    "crossings": ("Point", "MultiPoint", *LINES),
    "links": LINES,
}
"""What each layer may hold."""

Array = NDArray[Any]


def build_graph(
    units: gpd.GeoDataFrame | gpd.GeoSeries,
    *,
    streets: gpd.GeoDataFrame | None = None,
    barriers: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
    crossings: gpd.GeoDataFrame | gpd.GeoSeries | None = None,
    links: Any = None,
    overrides: Any = None,
    min_border: float = 1.0,
    snap: float = 0.05,
    street_tolerance: float = 1.0,
    class_column: str | None = None,
    classes: Mapping[Any, str] | None = None,
    factors: Mapping[str, int] | None = None,
    name_column: str | None = None,
    crs: Any = None,
) -> Graph:
    """
    Build the graph of units: an edge for each shared border, crossing and link.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        One polygon or multipolygon per unit; the index holds their ids (text or integers). Not modified.
    streets : GeoDataFrame, optional
        Centre lines. Borders along them are measured by street class and named; tunnels do not count.
    barriers : GeoDataFrame or GeoSeries, optional
        Lines or polygons that part neighbours: rivers, railways, expressways. A border of which more than half runs
        along (or inside) a barrier makes no edge; otherwise that part of its length is taken off. Units that lie
        mostly inside a barrier area, such as blocks of water, keep one edge: the longest border with a bank.
    crossings : GeoDataFrame or GeoSeries, optional
        Points or lines, such as bridges, that join again what barriers part, also over gaps between units.
    links : DataFrame, sequence of tuples, GeoDataFrame or GeoSeries, optional
        Units joined without a border: pairs of ids (and a cost), or lines from unit to unit, such as ferries.
    overrides : DataFrame or sequence of tuples, optional
        What people know better: rows of two unit ids, ``join`` or ``part``, and a reason. They come last. A joined pair
        that has a border keeps its length and has its smallest factor; without one its length is 0 and its cost 1.
    min_border : float
        Only borders longer than this many metres count; corners never do.
    snap : float
        Gaps and overlaps up to this width, in metres, are borders too: raise it to the width of the seam where layers
        digitised apart meet. 0: identical segments only.
    street_tolerance : float
        Largest distance, in metres, between a border and the street or barrier it runs along. 1 suits blocks built
        from those very lines; layers digitised apart need 10 to 15.
    class_column, classes : optional
        The street column that tells the class, and its values' classes; see `gridopt.territory.streets.classify`.
    factors : mapping of str to int, optional
        Cost of a metre of border along each street class, in tenths. Default: arterial 1, collector 4, local 10,
        path 20, none (no street) 40.
    name_column : str, optional
        Street names; guessed (``name``, ``Street``, ``label`` …) by default.
    crs : optional
        Projected system in metres to measure in; default that of `units`, or the local UTM zone for degrees.

    Returns
    -------
    Graph
        ``length`` in decimetres; ``cost`` is the sum of length times class factor in tenths, at least 1, or the length
        where no streets are given. Restored crossings have the length of the border and the smallest factor; crossings
        over a gap and links have length 0 and cost 1. ``xy`` is a point inside each unit. ``findings`` tell of
        overlaps, corners, short borders, barriers, unused crossings, overrides, units without neighbour, and
        components.

    Raises
    ------
    GeometryError
        If a unit is null, empty, invalid, or no polygon; if another layer has the wrong kind of geometry.
    InputError
        If ids repeat, a column, class or linked id does not exist, or a parameter is out of range.

    Notes
    -----
    Exact coverages take one sort of all border segments, O(s log s); only what finds no identical partner is compared
    with its surroundings. See `gridopt.territory.borders.find_borders`.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> squares = gpd.GeoSeries(shapely.box([0, 100, 200], 0, [100, 200, 300], 80), index=list("abc"), crs="EPSG:3826")
    >>> main = gpd.GeoDataFrame(
    ...     {"highway": ["primary"], "name": ["Main Street"]},
    ...     geometry=[shapely.LineString([(100, -50), (100, 60)])],
    ...     crs="EPSG:3826",
    ... )
    >>> graph = build_graph(squares, streets=main)
    >>> graph.length.tolist(), graph.cost.tolist(), graph.streets.tolist()
    ([800, 800], [8600, 32000], ['Main Street', ''])
    """
    _check_parameters(min_border, snap, street_tolerance)
    weights = check_factors(factors)
    given = {"units": units, "streets": streets, "barriers": barriers, "crossings": crossings, "links": links}
    layers, said = read_layers(given, crs)
    ids = as_ids(layers["units"].index)
    polygons = np.asarray(layers["units"].geometry)
    contacts = find_borders(polygons, snap)
    said += _tell_contacts(contacts, ids)
    parted = _part(contacts.borders, polygons, layers["barriers"], street_tolerance, min_border, said)
    rows = parted.rows
    known: tuple[str, ...] = ()
    if streets is not None:
        lines, told = read_streets(layers["streets"], class_column, classes, weights, name_column)
        said += told
        known = lines.classes
        _, edge, _ = _measure(parted.borders)
        metres, names = measure_classes(parted.borders, edge, len(rows.pair), lines, street_tolerance)
        said += _tell_streets(metres, rows.length, layers)
        rows = _with_streets(rows, metres, names, [weights[c] for c in known], weights["none"])
    if layers["crossings"] is not None:
        least = min(weights.values()) if streets is not None else 1
        rows = _with_crossings(rows, parted, layers["crossings"], least, said)
    if links is not None:
        pairs, costs = read_links(links if layers["links"] is None else layers["links"], ids, polygons)
        rows = _append(rows, pairs, np.zeros(len(pairs), dtype=np.int64), costs, LINK)
    if overrides is not None:
        least = min(weights.values()) if streets is not None else 1
        rows = _with_overrides(rows, read_overrides(overrides, ids), contacts.borders, least, said)
    return _finish(rows, ids, polygons, known, streets is not None, said)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Columns of edges on their way to a `Graph`, as there."""

    pair: Array
    length: Array
    cost: Array
    kind: Array
    class_length: Array
    streets: Array


@dataclass(frozen=True, eq=False)
class _Parted:
    """
    Borders after barriers: `rows` of kind `BORDER`, the stretches `borders` that make them, the stretches `blocked`
    that barriers took away, and the polygons that crossings may join (None for units inside barriers).
    """

    rows: _Rows
    borders: Borders
    blocked: Borders
    banks: Array


def _check_parameters(min_border: float, snap: float, street_tolerance: float) -> None:
    values = {"min_border": min_border, "snap": snap, "street_tolerance": street_tolerance}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < np.inf:
            raise InputError(f"{name}={value!r} must be a number of metres, at least 0.")


def read_layers(given: Mapping[str, Any], crs: Any) -> tuple[dict[str, Any], list[Finding]]:
    """Check all layers and bring them to one metric system; None for layers without rows and for tables of links."""
    layers: dict[str, Any] = {}
    for name, layer in given.items():
        is_table = name == "links" and not hasattr(layer, "geometry")
        shapes = None if is_table or (layer is None and name != "units") else as_layer(layer, name, crs)
        if shapes is not None and (len(shapes) or name in ("units", "streets")):
            check_layer(shapes, name, _KINDS[name])
        layers[name] = shapes if shapes is not None and len(shapes) else None
    projected, _, findings = to_same_metric(layers, crs)
    for name in ("units", "barriers"):
        if projected[name] is not None:
            check_layer(projected[name], name, _KINDS[name], valid=True)
    for name in ("streets", "barriers"):
        if projected.get(name) is not None:
            projected[name] = clip_long(projected[name], projected["units"].total_bounds)
    return projected, list(findings)


def _part(
    borders: Borders, polygons: Array, barriers: Any, tolerance: float, min_border: float, said: list[Finding]
) -> _Parted:
    """Drop short borders and those that run along barriers."""
    pair, edge, metres = _measure(borders)
    long = metres > min_border
    short = int((~long).sum())
    borders = borders.take(long[edge])
    blocked, banks = borders.take(np.zeros(len(borders.pair), dtype=bool)), polygons
    if barriers is not None:
        inside = units_inside(polygons, barriers)
        borders, blocked = _block(borders, barriers, inside, tolerance, said)
        banks = polygons.copy()
        banks[inside] = None
        pair, edge, metres = _measure(borders)
        long = metres > min_border
        short += int((~long).sum())
        borders = borders.take(long[edge])
    if short:
        cure = "They make no edges; lower min_border= to keep them."
        said.append(Finding("short-border", "info", (), short, min_border, cure))
    m, length = int(long.sum()), _to_dm(metres[long])
    kind, no_class = np.full(m, BORDER, dtype=np.int8), np.zeros((m, 0), dtype=np.int64)
    return _Parted(_Rows(pair[long], length, length, kind, no_class, np.full(m, "", object)), borders, blocked, banks)


def _block(
    borders: Borders, barriers: Any, inside: Array, tolerance: float, said: list[Finding]
) -> tuple[Borders, Borders]:
    """Return what barriers leave of the borders, and the borders between banks that they took away altogether."""
    pair, edge, metres = _measure(borders)
    stretch, low, high = blocked_intervals(borders, barriers, tolerance)
    lost = np.bincount(edge[stretch], weights=(high - low) * borders.share[stretch], minlength=len(pair))
    in_water = inside[pair].any(axis=1)
    kept = anchors(pair, metres, inside)
    gone = ((lost > BLOCKED_SHARE * metres) | in_water) & ~kept
    owner, free_low, free_high = complement(stretch, low, high, borders.metres())
    free = borders.cut(owner, free_low, free_high).take(~(gone | kept)[edge[owner]])
    said += _tell_barriers(int(gone.sum()), int(((lost > 0) & ~gone & ~kept).sum()), int(inside.sum()))
    return join_borders([free, borders.take(kept[edge])]), borders.take((gone & ~in_water)[edge])


def _measure(borders: Borders) -> tuple[Array, Array, Array]:
    """Pairs that share a border (sorted, each once), the pair of each stretch, and metres of each pair's border."""
    size = int(borders.pair.max(initial=0)) + 1
    key, edge = np.unique(borders.pair @ np.array([size, 1]), return_inverse=True)
    metres = np.bincount(edge, weights=borders.metres() * borders.share, minlength=len(key))
    return np.column_stack([key // size, key % size]), edge, metres


def _to_dm(metres: Array) -> NDArray[np.int64]:
    return np.maximum(np.rint(metres * 10), 1).astype(np.int64)


def _with_streets(rows: _Rows, class_metres: Array, names: Array, factors: list[int], none: int) -> _Rows:
    """Add lengths by class, rounded so that they never exceed the whole, and the cost they make."""
    upto = np.minimum(np.rint(np.cumsum(class_metres, axis=1) * 10).astype(np.int64), rows.length[:, None])
    by_class = np.diff(upto, axis=1, prepend=0)
    cost = by_class @ np.array(factors, dtype=np.int64) + none * (rows.length - by_class.sum(axis=1))
    return replace(rows, class_length=by_class, cost=np.maximum(cost, 1), streets=names)


def _with_crossings(rows: _Rows, parted: _Parted, crossings: Any, least: int, said: list[Finding]) -> _Rows:
    """Add edges of kind `CROSSING`: restored borders with their length, and joints over gaps with none."""
    pairs, told = join_over(parted.banks, crossings, parted.blocked)
    said += told
    old, _, metres = _measure(parted.blocked)
    size = np.array([len(parted.banks), 1])
    where = np.searchsorted(old @ size, pairs @ size)
    restored = np.isin(pairs @ size, old @ size)
    length = np.zeros(len(pairs), dtype=np.int64)
    length[restored] = _to_dm(metres[where[restored]])
    before = len(rows.pair)
    rows = _append(rows, pairs, length, np.maximum(length * least, 1), CROSSING)
    if len(rows.pair) > before:
        cure = "They join units that have a barrier or a gap between them."
        said.append(Finding("crossing", "info", (), len(rows.pair) - before, None, cure))
    return rows


def _with_overrides(rows: _Rows, overrides: Overrides, borders: Borders, least: int, said: list[Finding]) -> _Rows:
    """Take the edges of parted pairs away, add those of joined pairs with the length of the border they have."""
    size = np.array(
        [int(max(overrides.pairs.max(initial=0), rows.pair.max(initial=0), borders.pair.max(initial=0))) + 1, 1]
    )
    there, parted = rows.pair @ size, overrides.parted() @ size
    gone = np.isin(there, parted)
    idle = int((~np.isin(parted, there)).sum()) + int(np.isin(overrides.joined() @ size, there).sum())
    rows = _Rows(*(getattr(rows, column)[~gone] for column in _Rows.__dataclass_fields__))
    joined = overrides.joined()[np.argsort(overrides.joined() @ size, kind="stable")]
    beside, _, metres = _measure(borders.take(np.isin(borders.pair @ size, joined @ size)))
    length = np.zeros(len(joined), dtype=np.int64)
    length[np.isin(joined @ size, beside @ size)] = _to_dm(metres)
    before = len(rows.pair)
    rows = _append(rows, joined, length, np.maximum(length * least, 1), LINK)
    cure = f"Rows of overrides= joined {len(rows.pair) - before} pairs of units and parted {int(gone.sum())}."
    said.append(Finding("override", "info", (), len(overrides.pairs), None, cure))
    if idle:
        cure = "Rows of overrides= join units that are neighbours, or part units that are none: they change nothing."
        said.append(Finding("override-idle", "info", (), idle, None, cure))
    return rows


def _append(rows: _Rows, pairs: Array, length: Array, cost: Array, kind: int) -> _Rows:
    """Add edges for those pairs that have none yet."""
    size = np.array([int(max(pairs.max(initial=0), rows.pair.max(initial=0))) + 1, 1])
    new = ~np.isin(pairs @ size, rows.pair @ size)
    more = int(new.sum())
    return _Rows(
        np.concatenate([rows.pair, pairs[new]]),
        np.concatenate([rows.length, length[new]]),
        np.concatenate([rows.cost, cost[new]]),
        np.concatenate([rows.kind, np.full(more, kind, dtype=np.int8)]),
        np.concatenate([rows.class_length, np.zeros((more, rows.class_length.shape[1]), dtype=np.int64)]),
        np.concatenate([rows.streets, np.full(more, "", dtype=object)]),
    )


def _finish(
    rows: _Rows, ids: Array, polygons: Array, classes: tuple[str, ...], has_streets: bool, said: list[Finding]
) -> Graph:
    import shapely

    graph = Graph.from_edges(
        len(ids),
        rows.pair,
        rows.length,
        rows.cost,
        kinds=rows.kind,
        ids=ids,
        xy=shapely.get_coordinates(shapely.point_on_surface(polygons)),
        class_lengths=rows.class_length,
        classes=classes,
        streets=rows.streets if has_streets else None,
    )
    return replace(graph, findings=(*said, *_tell_components(graph)))


def _tell_contacts(contacts: Contacts, ids: Array) -> list[Finding]:
    said = []
    for (u, v), area in zip(ids[contacts.overlaps].tolist(), contacts.overlap_area.tolist()):
        cure = "Half the outline of their common area (m2) counts as border; correct the polygons."
        said.append(Finding("overlap", "warning", (u, v), round(area, 2), 0, cure))
    if len(contacts.corners):
        cure = "Pairs of units that touch in corners only are no neighbours."
        said.append(Finding("corner-contact", "info", (), len(contacts.corners), None, cure))
    return said


def _tell_streets(metres: Array, length: Array, layers: Mapping[str, Any]) -> list[Finding]:
    """Streets that borders do not run along: is there a shift between the layers?"""
    if not len(metres) or 10 * metres.sum() > FEW * length.sum():
        return []
    if told := tell_shift(layers, "streets", "units"):
        return told
    if metres.any():
        return []
    cure = "No border runs along any street: check the coordinate system of the streets, or raise street_tolerance=."
    return [Finding("streets-elsewhere", "warning", (), "0 %", None, cure)]


def _tell_barriers(gone: int, shortened: int, inside: int) -> list[Finding]:
    said = []
    if gone:
        cure = "Borders that run mostly along barriers make no edges; crossings= or links= join the units again."
        said.append(Finding("barrier", "info", (), gone, None, cure))
    if shortened:
        cure = "Borders that run along barriers for a part are shorter by that part."
        said.append(Finding("barrier-beside", "info", (), shortened, None, cure))
    if inside:
        cure = "Units inside barriers keep one border each, the longest with a bank, and connect no two banks."
        said.append(Finding("unit-in-barrier", "info", (), inside, None, cure))
    return said


def _tell_components(graph: Graph) -> list[Finding]:
    said = []
    alone = np.flatnonzero(np.diff(graph.indptr) == 0)
    if len(alone) and graph.n_units > 1:
        cure = "Declare links= that join them, or raise snap= where gaps part them from the rest."
        said.append(Finding("no-neighbour", "warning", tuple(graph.ids[alone].tolist()), len(alone), None, cure))
    component = graph.components()
    count = int(component.max()) + 1
    if count > 1:
        first = np.unique(component, return_index=True)[1]
        main = int(np.bincount(component).argmax())
        others = tuple(graph.ids[np.delete(first, main)].tolist())
        cure = "The ids are the first unit of each part but the largest; links= and snap= join parts."
        said.append(Finding("several-components", "warning", others, count, 1, cure))
    return said
