"""Laws of carrying a plan over changed units, on lattices that are split, merged and built on at random."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

import gridopt as go

SIDE = 6


def lattice() -> gpd.GeoDataFrame:
    at = [(r, c) for r in range(SIDE) for c in range(SIDE)]
    boxes = [shapely.box(10 * c, 10 * r, 10 * c + 10, 10 * r + 10) for r, c in at]
    return gpd.GeoDataFrame(index=[f"{r}{c}" for r, c in at], geometry=boxes, crs=32650)


def changed(units: gpd.GeoDataFrame, rng: np.random.Generator) -> gpd.GeoDataFrame:
    """Some units cut in two, some joined with the one at their right, some pulled down, two built."""
    shapes = units.geometry.to_dict()
    for u in rng.choice(list(shapes), 4, replace=False).tolist():
        x0, y0, x1, y1 = shapes.pop(u).bounds
        shapes[f"{u}a"], shapes[f"{u}b"] = shapely.box(x0, y0, x0 + 4, y1), shapely.box(x0 + 4, y0, x1, y1)
    for u in rng.choice(list(shapes), 4, replace=False).tolist():
        right = f"{u[0]}{int(u[1]) + 1}"
        if u in shapes and right in shapes and len(u) == 2:
            shapes[f"{u}+"] = shapes.pop(u).union(shapes.pop(right))
    for u in rng.choice(list(shapes), 3, replace=False).tolist():
        del shapes[u]
    shapes["new1"], shapes["new2"] = shapely.box(-10, 0, 0, 30), shapely.box(-20, 0, -10, 30)
    return gpd.GeoDataFrame(index=list(shapes), geometry=list(shapes.values()), crs=units.crs)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.booleans())
def test_what_is_inherited_is_sound_in_shape_and_complete(seed, k, has_parents):
    """Every unit is in one connected grid of one region; what is clear is not changed but where grids fell apart."""
    rng = np.random.default_rng(seed)
    old = lattice()
    problem = go.build_problem(go.build_graph(old), [1] * len(old), n_grids=k, tolerance="0.9")
    plan = go.solve(problem, steps=300, seed=seed % 100).plan
    new = changed(old, rng)
    parent = ["w" if x < 30 else "e" for x in new.centroid.x] if has_parents else None
    work = rng.integers(0, 9, len(new)) + 1
    today = go.build_problem(go.build_graph(new), work, n_grids=8, tolerance="0.9", parent=parent)
    walk = go.crosswalk(old, new)
    start = go.inherit(plan, walk, today)
    assert (start.plan.pieces() == 1).all()
    assert (start.plan.sizes > 0).all()
    region_of = {}
    for label, region in zip(start.plan.labels.tolist(), today.nesting.region.tolist()):
        assert region_of.setdefault(label, region) == region
    assert set(region_of.values()) == set(today.nesting.region.tolist()), "a region has no grid"
    now, told = start.plan.to_series(), {f.ids[0] for f in start.findings}
    for unit, was in start.before.items():
        if now[unit] != was:
            assert unit in told or now[unit] in told, "a change that nobody was told of"
        if unit.startswith("new"):
            assert was is None
        elif unit[:2] in old.index and unit not in told and not unit.endswith("+"):
            assert was == plan.to_series()[unit[:2]]
    assert set(start.retired) == set(plan.grid_ids) - set(start.before.dropna())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nothing_changed_is_nothing_changed(seed):
    """The same units in any order, renamed or not, keep every grid."""
    rng = np.random.default_rng(seed)
    old = lattice()
    problem = go.build_problem(go.build_graph(old), [1] * len(old), n_grids=4, tolerance="0.9")
    plan = go.solve(problem, steps=300, seed=seed % 100).plan
    new = old.iloc[rng.permutation(len(old))]
    named = new.set_axis([f"n{u}" for u in new.index]) if rng.random() < 0.5 else new
    today = go.build_problem(go.build_graph(named), [1] * len(old), n_grids=4, tolerance="0.9")
    start = go.inherit(plan, go.crosswalk(old, named), today)
    before = plan.to_series()
    assert start.plan.to_series().to_dict() == {n: before[o] for n, o in zip(named.index, new.index)}
    assert start.findings == ()
