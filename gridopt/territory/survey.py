"""What raw street lines are like, before anything is built of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from gridopt.errors import Finding
from gridopt.territory._gaps import bridge_gaps
from gridopt.territory._linework import dangling_ends, join_near_ends
from gridopt.territory._mesh import Mesh, build_mesh, end_points
from gridopt.territory._slivers import KINDS, ON_LINE, Segments, find_slivers, trace_pieces
from gridopt.territory._ways import Ways
from gridopt.territory.large import tell_large

__all__ = ["survey_ways"]

SMALL = 500.0
"""Square metres of the smallest faces that are usually blocks."""
NEAR_MISS = 0.5
"""Metres of the near misses that are told apart from gaps."""
SHOWN = 50
"""Ids a finding carries at most."""

Array = NDArray[Any]


def survey_ways(ways: Ways, area: Any, index: Any, gap: float, widths: tuple[float, float]) -> tuple[Finding, ...]:
    """
    Count what is wrong, or merely raw, with street lines.

    Parameters
    ----------
    ways : Ways
        That cut.
    area : Polygon or MultiPolygon
        The territory.
    index : Index
        Ids of the streets the ways are parts of.
    gap : float
        Metres up to which gaps are looked for.
    widths : tuple of float
        Metres below which faces are medians, and slivers.

    Returns
    -------
    tuple of Finding
        All ``"info"``, but for crossings without a node, a warning.
    """
    lines = ways.shape
    found = [*_of_lines(ways, index), *_of_ends(ways, area, gap)]
    pieces = shapely.get_parts(shapely.union_all(np.concatenate([lines, shapely.get_rings(shapely.get_parts(area))])))
    found += _of_crossings(ways, pieces, area, index)
    mesh = build_mesh(pieces, area)
    return (*found, *_of_faces(mesh, ways, widths))


def _of_lines(ways: Ways, index: Any) -> list[Finding]:
    found = []
    normal = shapely.to_wkb(shapely.normalize(ways.shape))
    _, first = np.unique(normal, return_index=True)
    again = np.setdiff1d(np.arange(len(ways)), first)
    if len(again):
        cure = "Lines drawn twice do no harm: they are one line."
        found.append(Finding("lines-twice", "info", _ids(index, ways.row[again]), len(again), None, cure))
    is_up = ways.level > 0
    if is_up.any():
        cure = "Bridges cut where they lead somewhere; they do not meet the streets below."
        found.append(Finding("bridges", "info", _ids(index, ways.row[is_up]), int(is_up.sum()), None, cure))
    one = ways.oneway != 0
    if one.any():
        km = float(shapely.length(ways.shape[one]).sum() / 1000)
        cure = f"{km:,.1f} km of one-way streets, roundabouts among them: medians are looked for between them."
        found.append(Finding("one-way-streets", "info", (), int(one.sum()), None, cure))
    return found


def _of_ends(ways: Ways, area: Any, gap: float) -> list[Finding]:
    rings = shapely.get_rings(shapely.get_parts(area))
    lines = np.concatenate([ways.shape, rings])
    level = np.concatenate([ways.level, np.zeros(len(rings), dtype=np.int64)])
    joints, joined = join_near_ends(lines, NEAR_MISS, level)
    xy, _, end, _ = dangling_ends(lines)
    shapely.prepare(area)
    inside = int(shapely.contains_xy(area, *xy[end].T).sum()) - len(joints)
    found = []
    if inside > 0:
        cure = "Dead ends do not cut."
        found.append(Finding("dead-ends", "info", (), inside, None, cure))
    open_ends = int((joined > 1e-6).sum())
    if open_ends:
        cure = "These ends stop just short of another line; snap= joins them."
        found.append(Finding("near-misses", "info", (), open_ends, NEAR_MISS, cure))
    level = np.concatenate([level, np.zeros(len(joints), dtype=np.int64)])
    bridges, metres = bridge_gaps(np.concatenate([lines, joints]), gap, level)
    within = shapely.covers(area, bridges)
    if within.any():
        x, y = end_points(bridges[within])[-1, 0]
        cure = f"Gaps in streets of up to {metres[within].max():.1f} m, one near ({x:.0f}, {y:.0f}); gap= closes them."
        found.append(Finding("gaps", "info", (), int(within.sum()), gap, cure))
    return found


def _of_crossings(ways: Ways, pieces: Array, area: Any, index: Any) -> list[Finding]:
    """Nodes that noding made: where lines cross and at most one of them has a vertex."""
    xy = shapely.get_coordinates(ways.shape)
    nodes = end_points(pieces).reshape(-1, 2)
    points, count = np.unique(nodes, axis=0, return_counts=True)
    points = points[count >= 4]
    known = np.concatenate([points, xy])
    _, code = np.unique(known, axis=0, return_inverse=True)
    code = code.ravel()
    vertices = np.bincount(code[len(points) :], minlength=int(code.max(initial=-1)) + 1)
    new = points[vertices[code[: len(points)]] == 0]
    new = new[shapely.distance(shapely.boundary(area), shapely.points(new)) > ON_LINE]
    if not len(new):
        return []
    tree = shapely.STRtree(ways.shape)
    i, line = tree.query(shapely.points(new), predicate="dwithin", distance=ON_LINE)
    low, high = np.full(len(new), 99, dtype=np.int64), np.full(len(new), -99, dtype=np.int64)
    np.minimum.at(low, i, ways.level[line])
    np.maximum.at(high, i, ways.level[line])
    same = np.unique(i[(low == high)[i]])
    found = []
    if len(same):
        x, y = new[same[0]]
        told = f"one at ({x:.0f}, {y:.0f}). They count as crossings: give bridges a layer or leave them out with keep="
        cure = f"Streets of one level cross here without a common vertex, {told}."
        ids = _ids(index, ways.row[line[np.isin(i, same)]])
        found.append(Finding("crossings-without-node", "warning", ids, len(same), None, cure))
    under = int((low < high).sum())
    if under:
        cure = "Streets pass over others here: they cut, but do not meet."
        found.append(Finding("crossings-on-two-levels", "info", (), under, None, cure))
    return found


def _of_faces(mesh: Mesh, ways: Ways, widths: tuple[float, float]) -> list[Finding]:
    kind = find_slivers(mesh, trace_pieces(mesh.pieces, ways, Segments.of(ways)), ways, *widths)
    count = dict(zip(KINDS, np.bincount(kind, minlength=len(KINDS)).tolist()))
    area = shapely.area(mesh.faces)
    told = (
        (count["median"], "medians of dual carriageways and boxes where these cross"),
        (count["roundabout"], "roundabouts"),
        (count["slip"], "wedges between slip roads"),
        (count["sliver"], f"other faces narrower than {widths[1]:g} m"),
        (int(((kind == 0) & (area < SMALL)).sum()), f"other faces below {SMALL:g} m2"),
    )
    said = ", ".join(f"{n:,} {what}" for n, what in told if n)
    cure = f"{(area < SMALL).mean():.1%} are below {SMALL:g} m2. "
    cure += f"No blocks are {said}: they are merged." if said else "All look like blocks."
    large = [f._replace(ids=()) for f in tell_large(area, range(len(area)))]
    if large:
        x, y = shapely.get_coordinates(shapely.point_on_surface(mesh.faces[int(area.argmax())]))[0]
        large = [large[0]._replace(cure=f"The largest is at ({x:.0f}, {y:.0f}). {large[0].cure}")]
    return [Finding("raw-faces", "info", (), len(mesh.faces), None, cure), *large]


def _ids(index: Any, rows: Array) -> tuple[Any, ...]:
    return tuple(index[np.unique(rows)[:SHOWN]].tolist())
