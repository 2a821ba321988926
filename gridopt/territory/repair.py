"""Given polygons repaired on request: a seamless coverage, and an account of every square metre that changed hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gridopt._validate import nearest_names
from gridopt.errors import Finding, InputError, InternalError
from gridopt.territory._anatomy import SAME, Anatomy, check_width, examine
from gridopt.territory._areas import columns_of_area, measured_again
from gridopt.territory._faces import LEAST_AREA, Faces, inner_widths
from gridopt.territory._merge import shared_lengths
from gridopt.territory._parts import no_parts, split_parts
from gridopt.territory._spikes import cut_spikes
from gridopt.territory.defects import list_defects, read_polygons

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

__all__ = ["Repaired", "repair_units"]

HALF = 0.5
"""Share of its area that a unit may lose before it is named in a warning."""

LEAST_FACING = 2.0
"""Metres along a gap from which two units face each other across it; less is the end of the gap."""
MOST_ROUNDS = 4
"""Passes over the units; the second finds nothing on nearly all data."""
MOST_UNEXPLAINED = 1.0
"""Square metres the account may miss: far above rounding, and the promise of `repair_units`."""

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Repaired:
    """
    Repaired units, and what it took.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        A coverage: no overlap, no narrow gap, borders that match vertex by vertex; in projected metres. Rows and
        columns as given, without the rows that had no polygon or were duplicates, in pieces where that was asked for.
    account : DataFrame
        Square metres, step by step, from the area as given to the area after: columns ``step``, ``places``,
        ``area_m2`` (signed). The last row is what the steps leave unexplained: rounding.
    changes : DataFrame
        One row for each unit whose ground changed: ``before_m2``, ``after_m2``, ``lost_m2``, ``gained_m2``.
    defects : GeoDataFrame
        What was found, as `gridopt.territory.defects.inspect_units` lists it.
    parts : DataFrame
        One row for each piece that became a unit of its own, index its id: ``unit`` it comes from, ``area_m2``,
        ``share`` of the area of that unit. Empty without `split_multipart`.
    findings : tuple of Finding

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> repaired = repair_units(gpd.GeoSeries(shapely.box([0, 9], 0, [10, 20], 10), index=["a", "b"], crs="EPSG:3826"))
    >>> repaired.changes["lost_m2"].to_dict(), [f.code for f in repaired.findings]
    ({'b': 10.0}, ['overlap', 'repaired'])
    """

    units: Any
    account: pd.DataFrame
    changes: pd.DataFrame
    defects: gpd.GeoDataFrame
    parts: pd.DataFrame
    findings: tuple[Finding, ...]


def repair_units(
    units: gpd.GeoDataFrame | gpd.GeoSeries,
    *,
    gap_width: float = 1.0,
    spike_width: float = 0.1,
    carry: Sequence[str] = (),
    split_multipart: bool = False,
    crs: Any = None,
) -> Repaired:
    """
    Repair polygons that should tile a territory, and account for every square metre.

    Parameters
    ----------
    units : GeoDataFrame or GeoSeries
        Polygons or multipolygons; the index holds their ids (text or integers). Not modified.
    gap_width : float
        Metres. Ground between units, or inside one, is filled up to this width, whether enclosed or open.
    spike_width : float
        Metres. Spikes up to this width are cut; 0: none.
    carry : sequence of str
        Columns of amounts, such as workloads, that a dropped duplicate hands on to the unit that stays, and that pieces
        share by area.
    split_multipart : bool
        Make each piece of a unit in several pieces a unit: ``"B7"`` becomes ``"B7-1"``, ``"B7-2"`` …, the largest first
        (ids that are integers go on from the largest one). Other columns are copied, but `area_m2` is measured anew.
        False: such units are listed.
    crs : optional
        Projected system in metres to work in; default that of `units`, or the local UTM zone for degrees.

    Returns
    -------
    Repaired

    Raises
    ------
    GeometryError
        If the layer has no rows, or rows that are no polygons, or coordinates that are infinite.
    InputError
        If a width is negative, or a column of `carry` does not exist or holds no numbers.

    Notes
    -----
    1. Rings that cross themselves are mended (``make_valid``, structure); rows without an area are dropped.
    2. Spikes are cut.
    3. The outlines are noded and the ground cut into faces. Of units that cover the same ground to 99 % the first
       stays, with the rim that only the other had.
    4. A face that several units claim goes to the one with the longest border to it; a unit that would be left without
       ground gets its faces first, the smallest such unit before the others.
    5. Narrow gaps are cut into triangles between existing vertices. Corridors of triangles along two units go to the
       one they border longest, unless units that face each other would then no longer meet: there each triangle goes
       to the unit it borders longest. So long gaps are shared out by the units along them.
    6. Crumbs (pieces of a unit no wider than `gap_width` and apart from its largest piece) go to the unit they border.
    7. With `split_multipart`, each piece that is left becomes a unit. Whole numbers are shared out in whole numbers,
       the largest remainders up; every sum is kept.

    No vertex moves, except that lines gain vertices where others meet them. O(s log s) for s segments.

    Examples
    --------
    >>> import geopandas as gpd, shapely
    >>> boxes = shapely.box([0, 9, 20.5], 0, [10, 20, 30], 10)
    >>> repaired = repair_units(gpd.GeoSeries(boxes, index=list("abc"), crs="EPSG:3826"))
    >>> repaired.account[["step", "area_m2"]].round(3).values.tolist()[::5]
    [['as given', 305.0], ['gaps filled', 5.0]]
    >>> repaired.units.area.round(3).to_dict(), bool(shapely.coverage_is_valid(repaired.units.to_numpy()))
    ({'a': 100.0, 'b': 105.0, 'c': 95.0}, True)
    """
    import shapely

    gap_width, spike_width = check_width("gap_width", gap_width), check_width("spike_width", spike_width)
    layer, ids, said = read_polygons(units, crs)
    _check_carry(layer, carry)
    shapes = layer.geometry.to_numpy()
    rounds: list[_Round] = []
    while not rounds or (len(rounds) < MOST_ROUNDS and cut_spikes(shapes, spike_width)[1]):
        anatomy = examine(shapes, gap_width, spike_width)
        piece, owner, filled = _share_out(anatomy)
        shapes, crumbs = _hand_over_crumbs(_unite(piece, owner, len(ids)), gap_width)
        rounds.append(_Round(anatomy, filled, crumbs))
    defects = list_defects(rounds[0].anatomy, ids, layer.crs)
    account = _account(rounds, shapes)
    changes = _changes(rounds, shapes, ids)
    found = [f._replace(severity="warning") if f.severity == "error" else f for f in defects.attrs["findings"]]
    told = [*said, *found, *_tell(changes, shapely.is_empty(shapes), ids, account)]
    mended, parts = _with_shapes(layer, shapes, rounds, carry), no_parts()
    if split_multipart:
        mended, parts, more = split_parts(mended, carry, columns_of_area(layer))
        told += more
    mended, more = measured_again(mended, layer, carry)
    told += more
    return Repaired(mended, account, changes, defects, parts, tuple(told))


class _Round(NamedTuple):
    """One pass over all units; filling a gap may leave a spike, which the next one cuts."""

    anatomy: Anatomy
    filled: float
    crumbs: int


def _check_carry(layer: Any, carry: Sequence[str]) -> None:
    columns = list(layer.columns) if layer.ndim == 2 else []
    for name in carry:
        if name not in columns:
            raise InputError(f"carry: there is no column {name!r}. {nearest_names(name, [str(c) for c in columns])}")
        if layer[name].dtype.kind not in "iuf":
            raise InputError(f"carry: column {name!r} holds {layer[name].dtype}, not numbers. Convert it.")


def _share_out(anatomy: Anatomy) -> tuple[Array, NDArray[np.int64], float]:
    """
    Pieces of ground, the unit that gets each (-1: none), and the area of the gaps that are filled.

    What one unit claims stays with it, what several claim goes to one of them; narrow gaps are cut into triangles.
    """
    import shapely

    faces, claims = anatomy.faces, anatomy.faces.claims
    owner = np.full(len(faces.shape), -1, dtype=np.int64)
    lone = claims[faces.face] == 1
    owner[faces.face[lone]] = faces.unit[lone]
    if (claims > 1).any():
        _feed_the_landless(faces, owner, shapely.area(anatomy.trimmed))
        rows = np.flatnonzero((claims > 1) & (owner < 0))
        may = {f: set(faces.units_of(f).tolist()) for f in rows.tolist()}
        _grow(faces.shape, owner, rows, may)
        for f in rows[owner[rows] < 0].tolist():
            owner[f] = min(may[f])
    gaps = shapely.get_parts(shapely.constrained_delaunay_triangles(faces.shape[anatomy.is_narrow]))
    piece = np.concatenate([faces.shape[claims > 0], gaps])
    owner = np.concatenate([owner[claims > 0], np.full(len(gaps), -1, dtype=np.int64)])
    rows = np.arange(len(piece) - len(gaps), len(piece))
    _fill(piece, owner, rows)
    _grow(piece, owner, rows[owner[rows] < 0])
    return piece, owner, float(shapely.area(piece[rows[owner[rows] >= 0]]).sum())


def _feed_the_landless(faces: Faces, owner: NDArray[np.int64], area: Array) -> None:
    """Give units that would end nearly without ground the faces they claim, the smallest first. In place."""
    held = owner >= 0
    ground = np.bincount(owner[held], weights=faces.area[held], minlength=len(area))
    claimed = np.unique(faces.unit)
    landless = claimed[ground[claimed] < (1 - SAME) * area[claimed]]
    for u in landless[np.lexsort((landless, area[landless]))].tolist():
        mine = faces.face[faces.unit == u]
        owner[mine[owner[mine] < 0]] = u


def _borders_of(shape: Array, rows: Array) -> tuple[Array, Array, Array]:
    """Positions (u, v) of pieces that share a border, u among `rows` or beside them, and its length; each both ways."""
    import shapely

    near = np.unique(np.concatenate([rows, shapely.STRtree(shape).query(shape[rows], predicate="intersects")[1]]))
    borders = shared_lengths(shape[near]).tocoo()
    return near[borders.row], near[borders.col], borders.data


def _fill(shape: Array, owner: NDArray[np.int64], rows: Array) -> None:
    """
    Give the triangles of gaps at `rows` to units, so that borders stay smooth. In place.

    Triangles are joined into corridors along at most two units, and each corridor goes to the one it has the longest
    border with. Where two units that face each other across the gap would then no longer meet, the gap is left open.
    """
    if not len(rows):
        return
    u, v, metres = _borders_of(shape, rows)
    is_gap = np.zeros(len(shape), dtype=bool)
    is_gap[rows] = True
    beside: dict[int, dict[int, float]] = {r: {} for r in rows.tolist()}
    outward = is_gap[u] & (owner[v] >= 0)
    for r, unit, length in zip(u[outward].tolist(), owner[v[outward]].tolist(), metres[outward].tolist()):
        beside[r][unit] = beside[r].get(unit, 0.0) + length
    inward = is_gap[u] & is_gap[v] & (u < v)
    inner = sorted(zip(u[inward].tolist(), v[inward].tolist()))
    sides = {r: dict(units) for r, units in beside.items()}
    corridor = _join(beside, inner, 2)
    for r in rows.tolist():
        units = beside[corridor[r]]
        if units:
            owner[r] = min(units, key=lambda unit: (-round(units[unit], 9), unit))
    gap = _join({r: {} for r in sides}, inner, 0)
    facing: dict[tuple[int, int, int], float] = {}
    for a, b in inner:
        for x, y in ((x, y) for x in sides[a] for y in sides[b] if x != y):
            key = (gap[a], min(x, y), max(x, y))
            facing[key] = facing.get(key, 0.0) + min(sides[a][x], sides[b][y])
    edge = is_gap[u]
    ends = np.sort(np.stack([owner[u[edge]], owner[v[edge]]], axis=1), axis=1).tolist()
    meeting = {(gap[a], x, y) for a, (x, y) in zip(u[edge].tolist(), ends)}
    left_open = {key[0] for key, length in facing.items() if length >= LEAST_FACING and key not in meeting}
    owner[[r for r in rows.tolist() if gap[r] in left_open]] = -1


def _join(beside: dict[int, dict[int, float]], inner: Sequence[tuple[int, int]], most: int) -> dict[int, int]:
    """
    First piece of the set each piece is joined into, over inner borders, as long as a set borders at most `most` units.

    Pieces that border the same single unit are joined first. `beside` (unit -> metres) is added up in the first pieces.
    """
    root = {r: r for r in beside}

    def find(r: int) -> int:
        while root[r] != r:
            root[r] = root[root[r]]
            r = root[r]
        return r

    for limit in range(min(1, most), most + 1):
        for a, b in inner:
            first, second = sorted((find(a), find(b)))
            if first != second and len({**beside[first], **beside[second]}) <= limit:
                root[second] = first
                for unit, length in beside[second].items():
                    beside[first][unit] = beside[first].get(unit, 0.0) + length
    return {r: find(r) for r in root}


def _grow(shape: Array, owner: NDArray[np.int64], rows: Array, may: Mapping[int, set[int]] | None = None) -> None:
    """
    Give the pieces at `rows` to the unit they border longest, outwards from pieces that have one. In place.

    `may` names the units each piece may go to; None: any. Ties go to the lowest unit.
    """
    if not len(rows):
        return
    u, v, metres = _borders_of(shape, rows)
    is_open = np.zeros(len(shape), dtype=bool)
    is_open[rows] = True
    while True:
        edge = np.flatnonzero(is_open[u] & (owner[v] >= 0))
        if may is not None:
            edge = np.array([e for e in edge.tolist() if int(owner[v[e]]) in may[int(u[e])]], dtype=np.int64)
        if not len(edge):
            return
        n = int(owner.max()) + 1
        key, place = np.unique(u[edge] * n + owner[v[edge]], return_inverse=True)
        length = np.bincount(place, weights=metres[edge])
        order = np.lexsort((key % n, -length.round(9), key // n))
        piece, first = np.unique((key // n)[order], return_index=True)
        owner[piece] = (key % n)[order[first]]
        is_open[piece] = False


def _unite(piece: Array, owner: NDArray[np.int64], n: int) -> Array:
    """The ground of each unit, from its pieces; empty for units without."""
    import shapely

    shapes = np.full(n, shapely.MultiPolygon(), dtype=object)
    order = np.argsort(owner, kind="stable")
    order = order[owner[order] >= 0]
    unit, first = np.unique(owner[order], return_index=True)
    for u, mine in zip(unit.tolist(), np.split(order, first[1:])):
        shapes[u] = piece[mine[0]] if len(mine) == 1 else shapely.coverage_union_all(piece[mine])
    return shapes


def _hand_over_crumbs(shapes: Array, width: float) -> tuple[Array, int]:
    """Give narrow pieces of a unit that lie apart from its largest piece to the unit they border; and how many."""
    import shapely

    part, unit = shapely.get_parts(shapes, return_index=True)
    area = shapely.area(part)
    order = np.lexsort((-area, unit))
    is_small = np.ones(len(part), dtype=bool)
    is_small[order[np.unique(unit[order], return_index=True)[1]]] = False
    rows = np.flatnonzero(is_small)
    rows = rows[inner_widths(part[rows]) <= width]
    if not len(rows):
        return shapes, 0
    owner = unit.copy()
    owner[rows] = -1
    _grow(part, owner, rows)
    given = rows[owner[rows] >= 0]
    owner[owner < 0] = unit[owner < 0]
    changed = shapes.copy()
    touched = np.unique(np.concatenate([unit[given], owner[given]]))
    mine = np.isin(owner, touched)
    changed[touched] = _unite(part[mine], owner[mine], len(shapes))[touched]
    return changed, len(given)


def _account(rounds: Sequence[_Round], shapes: Array) -> pd.DataFrame:
    """Square metres, step by step; each measured by itself, so that the last row can tell a mistake."""
    import pandas as pd
    import shapely

    given = rounds[0].anatomy.given
    steps: dict[str, tuple[int, float]] = {"as given": (len(given), float(np.nan_to_num(shapely.area(given)).sum()))}
    for a, filled, crumbs in rounds:
        there = ~(shapely.is_missing(a.given) | shapely.is_empty(a.given))
        over = np.maximum(a.faces.claims - 1, 0)
        mended = shapely.area(a.valid).sum() - np.nan_to_num(shapely.area(a.given)).sum()
        for name, places, area in (
            ("rings mended", (there & ~shapely.is_valid(a.given)).sum(), mended),
            ("spikes cut", len(a.spikes), -sum(s.area_m2 for s in a.spikes)),
            ("duplicates dropped", (a.twin_of >= 0).sum(), -a.twin_area),
            ("overlaps removed", (over > 0).sum(), -(a.faces.area * over).sum()),
            ("gaps filled", a.is_narrow.sum(), filled),
            ("crumbs handed over", crumbs, 0.0),
        ):
            before = steps.get(name, (0, 0.0))
            steps[name] = (before[0] + int(places), before[1] + float(area))
    after = float(shapely.area(shapes).sum())
    rest = after - sum(area for _, area in steps.values())
    if abs(rest) > MOST_UNEXPLAINED:
        raise InternalError(f"{rest:,.1f} m2 of {after:,.1f} m2 are unaccounted for after the repair of units.")
    steps |= {"after": (int((~shapely.is_empty(shapes)).sum()), after), "unexplained": (0, rest)}
    return pd.DataFrame([(s, p, a + 0.0) for s, (p, a) in steps.items()], columns=["step", "places", "area_m2"])


def _changes(rounds: Sequence[_Round], shapes: Array, ids: Array) -> pd.DataFrame:
    """What each unit lost and gained, where that is more than a square centimetre."""
    import pandas as pd
    import shapely

    first = rounds[0].anatomy.valid
    seen = np.abs(shapely.area(shapes) - shapely.area(first)) > LEAST_AREA
    for a in (r.anatomy for r in rounds):
        seen |= (a.twin_of >= 0) | (a.valid != a.trimmed) | (shapely.get_num_geometries(a.valid) > 1)
        seen[a.faces.unit[a.faces.claims[a.faces.face] > 1]] = True
    u = np.flatnonzero(seen)
    lost = shapely.area(shapely.difference(first[u], shapes[u]))
    gained = shapely.area(shapely.difference(shapes[u], first[u]))
    columns = {"before_m2": shapely.area(first[u]), "after_m2": shapely.area(shapes[u])}
    table = pd.DataFrame(columns | {"lost_m2": lost, "gained_m2": gained}, index=pd.Index(ids[u], name="unit"))
    return table[(lost > LEAST_AREA) | (gained > LEAST_AREA)]


def _tell(changes: pd.DataFrame, gone: Array, ids: Array, account: pd.DataFrame) -> list[Finding]:
    """The account in one sentence; units that are gone, or lost much of their ground."""
    metres = dict(zip(account["step"], account["area_m2"]))
    signed = [f"{metres[s]:+,.1f} {s}" for s in account["step"][1:-2] if abs(metres[s]) >= 0.05]
    text = (
        f"{metres['as given']:,.1f} m2 as given{', ' if signed else ''}{', '.join(signed)} = {metres['after']:,.1f} m2."
    )
    said = [Finding("repaired", "info", (), f"{len(changes):,} units", None, text)]
    if gone.any():
        cure = "Duplicates and rows without ground are not among the repaired units; carry= hands their numbers on."
        said.append(Finding("unit-dropped", "warning", tuple(ids[gone].tolist()), int(gone.sum()), None, cure))
    shrunk = changes[(changes["lost_m2"] > HALF * changes["before_m2"]) & (changes["after_m2"] > 0)]
    if len(shrunk):
        cure = "They lost more than half of their ground to units they overlap; look at them."
        said.append(Finding("unit-shrunk", "warning", tuple(shrunk.index.tolist()), len(shrunk), None, cure))
    return said


def _with_shapes(layer: Any, shapes: Array, rounds: Sequence[_Round], carry: Sequence[str]) -> Any:
    """The layer with its new shapes, without rows that are gone; numbers of duplicates added to those that stay."""
    import geopandas as gpd
    import shapely

    geometry = gpd.GeoSeries(shapes, index=layer.index, crs=layer.crs)
    kept = ~shapely.is_empty(shapes)
    if layer.ndim == 1:
        return geometry[kept].rename(layer.name)
    mended = layer.set_geometry(geometry)
    twins = [(int(a.twin_of[v]), int(v)) for a, _, _ in rounds for v in np.flatnonzero(a.twin_of >= 0)]
    for name in carry:
        values = mended[name].to_numpy(copy=True)
        for u, v in twins:  # what is missing adds nothing, unless both are
            more = values[v]
            values[u] = more if values[u] != values[u] else values[u] + (0 if more != more else more)
        mended[name] = values
    return mended[kept]
