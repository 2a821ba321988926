"""Why two units are neighbours, or are not: the border, the barrier on it, the row that says so."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import positions_of
from gridopt.errors import InputError, name_ids
from gridopt.model.graph import BORDER, CROSSING, Graph
from gridopt.territory.adjacency import BLOCKED_SHARE, build_graph, read_layers
from gridopt.territory.along import NAME_COLUMNS
from gridopt.territory.barriers import blocked_intervals, join_over, units_inside
from gridopt.territory.borders import Borders, find_borders
from gridopt.territory.overrides import read_overrides

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["Why", "why"]

WIDEST_GAP = 1.0
"""Metres: a wider gap is a street or a strip of land, and no flaw of the drawing."""
MOST_STEPS = 6
"""Units of the way round that are spelled out."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Why:
    """
    The answer to "why are these two units neighbours, or not?".

    Parameters
    ----------
    units : tuple
        The two ids.
    is_edge : bool
        Whether they are neighbours.
    reason : str
        ``border``, ``crossing``, ``link`` or ``override`` for neighbours; else ``override``, ``barrier``,
        ``in-barrier``, ``short-border``, ``corner`` or ``apart``.
    facts : mapping
        What was measured: ``border_m``, ``blocked_m``, ``barriers`` (name -> metres), ``crossings``, ``distance_m``,
        ``between``, ``closing_snap``, ``same_component``, ``steps``, ``row``, ``length_m``, ``cost``, ``streets``;
        those that apply.
    lines : tuple of str
        The same in words, the decisive one first; the last says how to change it.

    Examples
    --------
    >>> print(Why(("a", "b"), False, "corner", {}, ("They touch in corners only.",)))
    'a' and 'b' are not neighbours.
      They touch in corners only.
    """

    units: tuple[Any, Any]
    is_edge: bool
    reason: str
    facts: Mapping[str, Any]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Several lines for people."""
        u, v = self.units
        head = f"{u!r} and {v!r} are {'' if self.is_edge else 'not '}neighbours."
        return "\n  ".join([head, *self.lines])


def why(units: gpd.GeoDataFrame | gpd.GeoSeries, u: Any, v: Any, **options: Any) -> Why:
    """
    Tell why two units are neighbours, or why they are not.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        As for `build_graph`; all of them: what lies around decides, too.
    u, v : str or int
        Ids of the two units.
    **options
        Those of `build_graph`: ``barriers=``, ``crossings=``, ``links=``, ``overrides=``, ``snap=`` …

    Returns
    -------
    Why
        ``str()`` of it is the answer in words.

    Raises
    ------
    InputError
        If an id is no unit, or both are the same; else as `build_graph`.

    Notes
    -----
    The graph is built, so that the answer is what `solve` would see; then the pair is measured by itself.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> squares = gpd.GeoSeries(shapely.box([0, 100], 0, [100, 200], 80), index=["west", "east"], crs="EPSG:3826")
    >>> line = shapely.LineString([(100, 0), (100, 75)])
    >>> brook = gpd.GeoDataFrame({"name": ["Mill Brook"]}, geometry=[line], crs="EPSG:3826")
    >>> answer = why(squares, "west", "east", barriers=brook)
    >>> answer.reason, answer.facts["barriers"]
    ('barrier', {'Mill Brook': 75.0})
    """
    graph = build_graph(units, **options)
    i, j = positions_of([u, v], graph.ids, "the question").tolist()
    if i == j:
        raise InputError(f"{u!r} is one unit. Name two.")
    pair = (min(i, j), max(i, j))
    given = {"units": units} | {n: options.get(n) for n in ("barriers", "crossings")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said by build_graph
        layers, _ = read_layers(given, options.get("crs"))
    facts, lines = _measure(pair, layers, options, graph.ids)
    facts |= _way_round(graph, pair)
    hit = np.flatnonzero((np.sort(graph.edges, axis=1) == pair).all(axis=1))
    row = _override(pair, options.get("overrides"), graph.ids)
    if len(hit):
        facts |= {"length_m": int(graph.length[hit[0]]) / 10, "cost": int(graph.cost[hit[0]])}
        if graph.streets is not None and graph.streets[hit[0]]:
            facts["streets"] = str(graph.streets[hit[0]])
        reason, told = _joined(int(graph.kind[hit[0]]), row, facts)
    else:
        reason, told = _apart(row, facts, options, graph.ids)
    return Why((u, v), bool(len(hit)), reason, facts, tuple(dict.fromkeys([*told[:1], *lines, *told[1:]])))


def _measure(
    pair: tuple[int, int], layers: Mapping[str, Any], options: Mapping[str, Any], ids: Array
) -> tuple[dict[str, Any], list[str]]:
    """What the shapes say of a pair."""
    import shapely

    polygons = np.asarray(layers["units"].geometry)
    first, second = polygons[list(pair)]
    contacts = find_borders(polygons, options.get("snap", 0.05))
    own = contacts.borders.take((contacts.borders.pair == pair).all(axis=1))
    metres = round(float((own.metres() * own.share).sum()), 2)
    facts: dict[str, Any] = {
        "border_m": metres,
        "distance_m": round(float(shapely.distance(first, second)), 3),
    }
    lines = [f"They share a border of {metres:,.1f} m."] if metres else []
    over = shapely.area(shapely.intersection(first, second))
    if (contacts.overlaps == pair).all(axis=1).any():
        facts["overlap_m2"] = round(float(over), 2)
        lines.append(f"They overlap by {over:,.1f} m2.")
    if not metres and facts["distance_m"] > 0:
        line = shapely.shortest_line(first, second)
        crossed = shapely.STRtree(polygons).query(line, predicate="intersects")
        crossed = np.setdiff1d(crossed, pair)
        crossed = crossed[shapely.length(shapely.intersection(polygons[crossed], line)) > 0]
        facts["between"] = tuple(ids[crossed].tolist())
        if facts["distance_m"] <= WIDEST_GAP and not facts["between"]:
            closing = _closing_snap(polygons, pair, facts["distance_m"], options)
            facts |= {} if closing is None else {"closing_snap": closing}
    if layers["barriers"] is not None:
        _measure_barriers(pair, own, polygons, layers, options, facts, lines)
    return facts, lines


def _closing_snap(polygons: Array, pair: tuple[int, int], distance: float, options: Mapping[str, Any]) -> float | None:
    """The least of some round values of snap= that makes a gap a border, found by trying; None where none does."""
    import shapely

    snap, least = options.get("snap", 0.05), options.get("min_border", 1.0)
    both = shapely.union_all(polygons[list(pair)])
    near = np.union1d(np.flatnonzero(shapely.dwithin(polygons, both, 10 * WIDEST_GAP)), pair)
    own = np.searchsorted(near, pair)
    rounded = np.ceil(distance * 1.01 * 100) / 100
    for value in sorted({rounded, 0.1, 0.2, 0.5, WIDEST_GAP}):
        if not max(snap, distance) < value <= WIDEST_GAP:
            continue
        borders = find_borders(polygons[near], float(value)).borders
        borders = borders.take((borders.pair == own).all(axis=1))
        if (borders.metres() * borders.share).sum() > least:
            return float(value)
    return None


def _measure_barriers(
    pair: tuple[int, int],
    own: Borders,
    polygons: Array,
    layers: Mapping[str, Any],
    options: Mapping[str, Any],
    facts: dict[str, Any],
    lines: list[str],
) -> None:
    """Which barriers run along the border, for how many metres; which crossings join the two again."""
    import shapely

    barriers, tolerance = layers["barriers"], options.get("street_tolerance", 1.0)
    inside = units_inside(polygons, barriers)
    facts["in_barrier"] = tuple(bool(x) for x in inside[list(pair)])
    if len(own.pair):
        border = shapely.MultiLineString(np.stack([own.start, own.end], axis=1).tolist())
        near = np.flatnonzero(shapely.dwithin(np.asarray(barriers.geometry), border, tolerance))
        by_name: dict[str, float] = {}
        for k in near.tolist():
            name, blocked = _name(barriers, k), _blocked(own, barriers.iloc[[k]], tolerance)
            if blocked > 0:
                by_name[name] = round(by_name.get(name, 0.0) + blocked, 2)
        facts["barriers"] = by_name
        facts["blocked_m"] = round(_blocked(own, barriers.iloc[near], tolerance), 2) if len(near) else 0.0
        lines += [f"The barrier {name!r} runs along {metres:,.1f} m of it." for name, metres in by_name.items()]
    if layers["crossings"] is None:
        return
    banks = polygons.copy()
    banks[inside] = None
    crossings = layers["crossings"]
    both = shapely.union_all(polygons[list(pair)])
    near = np.flatnonzero(shapely.dwithin(np.asarray(crossings.geometry), both, 500.0))
    joining = [k for k in near.tolist() if pair in map(tuple, join_over(banks, crossings.iloc[[k]], own)[0].tolist())]
    facts["crossings"] = tuple(_name(crossings, k) for k in joining)


def _blocked(own: Borders, barriers: Any, tolerance: float) -> float:
    stretch, low, high = blocked_intervals(own, barriers, tolerance)
    return float(((high - low) * own.share[stretch]).sum())


def _name(layer: Any, row: int) -> str:
    """The name in the layer's name column, if it has one, else the row's index."""
    columns = {str(c).casefold(): c for c in reversed(list(layer.columns))} if layer.ndim == 2 else {}
    column = next((columns[c] for c in NAME_COLUMNS if c in columns), None)
    value = layer[column].iloc[row] if column is not None else None
    return str(value) if isinstance(value, str) and value else str(layer.index[row])


def _override(pair: tuple[int, int], overrides: Any, ids: Array) -> tuple[int, bool, str] | None:
    """Row, whether it joins, and the reason, of the override of a pair."""
    if overrides is None:
        return None
    read = read_overrides(overrides, ids)
    hit = np.flatnonzero((read.pairs == pair).all(axis=1))
    return (read.row[hit[0]], bool(read.is_join[hit[0]]), read.reason[hit[0]]) if len(hit) else None


def _way_round(graph: Graph, pair: tuple[int, int]) -> dict[str, Any]:
    """Whether there is a way between the two over neighbours, and the units on the shortest."""
    from scipy import sparse
    from scipy.sparse.csgraph import breadth_first_order

    n = graph.n_units
    matrix = sparse.csr_array((np.ones(len(graph.indices)), graph.indices, graph.indptr), shape=(n, n))
    _, before = breadth_first_order(matrix, pair[0], directed=False)
    if before[pair[1]] < 0:
        return {"same_component": False}
    path = [pair[1]]
    while path[-1] != pair[0]:
        path.append(int(before[path[-1]]))
    return {"same_component": True, "steps": len(path) - 1, "path": tuple(graph.ids[path[::-1]].tolist())}


def _joined(kind: int, row: tuple[int, bool, str] | None, facts: dict[str, Any]) -> tuple[str, list[str]]:
    """Reason and words for a pair of neighbours."""
    tail = [f"Their edge has a length of {facts['length_m']:,.1f} m and a cost of {facts['cost']:,}."]
    if "streets" in facts:
        tail.append(f"Along it: {facts['streets']}.")
    cure = "A row of overrides= parts them: u,v,part,reason."
    if kind == BORDER:
        if any(facts.get("in_barrier", ())):
            tail.insert(0, "One of them lies inside a barrier and keeps this edge, its longest border with a bank.")
        return "border", [f"They share a border of {facts['border_m']:,.1f} m.", *tail, cure]
    if kind == CROSSING:
        names = ", ".join(repr(c) for c in facts.get("crossings", ()))
        return "crossing", [
            f"The crossing {names} joins them again." if names else "A crossing joins them.",
            *tail,
            cure,
        ]
    if row is not None and row[1]:
        facts["row"] = row[0]
        why_so = f": {row[2]}" if row[2] else ""
        return "override", [f"Row {row[0]} of overrides= joins them{why_so}.", *tail]
    return "link", ["A link of links= joins them.", *tail, cure]


def _apart(
    row: tuple[int, bool, str] | None, facts: dict[str, Any], options: Mapping[str, Any], ids: Array
) -> tuple[str, list[str]]:
    """Reason and words for a pair that are no neighbours."""
    metres, least = facts["border_m"], options.get("min_border", 1.0)
    cure = "A row of overrides= joins them: u,v,join,reason."
    if row is not None and not row[1]:
        facts["row"] = row[0]
        reason, told = "override", [f"Row {row[0]} of overrides= parts them{f': {row[2]}' if row[2] else ''}."]
        cure = "Take the row away to see what the shapes say."
    elif metres and any(facts.get("in_barrier", ())):
        reason, told = (
            "in-barrier",
            ["One of them lies inside a barrier: it keeps one edge only, the longest with a bank."],
        )
    elif metres and metres <= least:
        reason, told = "short-border", [f"Their border is not longer than min_border={least:g} m."]
        cure = f"Lower min_border=. {cure}"
    elif metres:
        share = facts.get("blocked_m", 0.0) / metres
        more = f"more than {BLOCKED_SHARE:.0%}" if share > BLOCKED_SHARE else f"no more than {least:g} m are left"
        reason, told = "barrier", [f"Barriers run along {share:.0%} of their border, {more}."]
        cure = f"crossings= or links= join them again. {cure}"
    elif facts["distance_m"] == 0:
        reason, told = "corner", ["They touch in corners only."]
    else:
        reason, told = "apart", [_distance(facts, options)]
        cure = f"links= joins them. {cure}"
        if "closing_snap" in facts:
            cure = f"With snap={facts['closing_snap']:g} the gap counts as a border. {cure}"
    return reason, [*told, _round(facts), cure]


def _metres(value: float) -> str:
    """Three digits, and never an exponent: 0.0021, 2.62, 1,830."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1e-4 else "less than 0.0001"


def _distance(facts: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    snap = options.get("snap", 0.05)
    verb = "lies" if len(facts["between"]) == 1 else "lie"
    where = f"{name_ids(facts['between'])} {verb} between them" if facts["between"] else "no unit lies between them"
    text = f"They are {_metres(facts['distance_m'])} m apart; {where}."
    return text if facts["between"] else f"{text} Gaps count as borders up to snap={snap:g} m."


def _round(facts: Mapping[str, Any]) -> str:
    if not facts["same_component"]:
        return "They are in different components: no way over neighbours leads from one to the other."
    path = facts["path"]
    via = ", ".join(map(repr, path[1:-1][:MOST_STEPS])) + (" …" if len(path) - 2 > MOST_STEPS else "")
    return f"The shortest way over neighbours has {facts['steps']} steps, by {via}."
