"""Neighbours differ, the palette suffices for maps, and colour-blind readers can tell fills apart."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from gridopt.errors import InputError
from gridopt.viz.colours import PALETTE, colour_parts

VISION = {
    "full": np.eye(3),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
"""Linear RGB as seen with each deficiency at full severity (Machado, Oliveira & Fernandes 2009, table 1)."""


def conflicts(colours: np.ndarray, edges: np.ndarray) -> int:
    return sum(int(colours[u] == colours[v]) for u, v in edges)


def test_neighbours_differ_on_random_maps() -> None:
    """Delaunay graphs are maps in the plane: six colours always suffice here."""
    for seed in range(5):
        points = np.random.default_rng(seed).random((400, 2))
        triangles = Delaunay(points).simplices
        edges = np.unique(np.sort(np.concatenate([triangles[:, p] for p in ([0, 1], [1, 2], [0, 2])]), axis=1), axis=0)
        colours = colour_parts(400, edges)
        assert conflicts(colours, edges) == 0
        assert np.bincount(colours, minlength=6).min() > 30, "no colour is left aside"


def test_a_chain_and_a_wheel_need_two_and_four_colours() -> None:
    """DSATUR is exact on bipartite graphs and wheels (Brélaz 1979)."""
    chain = np.array([(i, i + 1) for i in range(9)])
    assert conflicts(colour_parts(10, chain, n_colours=2), chain) == 0
    wheel = np.array([(i, (i + 1) % 5) for i in range(5)] + [(i, 5) for i in range(5)])
    assert conflicts(colour_parts(6, wheel, n_colours=4), wheel) == 0
    assert conflicts(colour_parts(6, wheel, n_colours=3), wheel) == 1, "an odd wheel has no three colours: one clash"


def test_more_neighbours_than_colours_clash_as_little_as_possible() -> None:
    """Eight parts that all touch, six colours: two pairs must share one, and no more do."""
    edges = np.array(list(combinations(range(8), 2)))
    assert conflicts(colour_parts(8, edges), edges) == 2


def test_corners_differ_where_it_costs_nothing() -> None:
    """Four squares around one point: two colours satisfy the sides, the corners ask for four."""
    sides, corners = [(0, 1), (1, 2), (2, 3), (0, 3)], [(0, 2), (1, 3)]
    assert len(set(colour_parts(4, sides, corners).tolist())) == 4
    tight = colour_parts(4, sides, corners, n_colours=2)
    assert conflicts(tight, np.array(sides)) == 0


@given(st.integers(0, 12), st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=40))
def test_any_edges_are_accepted_in_any_order(n: int, pairs: list[tuple[int, int]]) -> None:
    """Loops, repeats and the order of the edges do not matter; every part gets a colour of the palette."""
    edges = [(u, v) for u, v in pairs if u < n and v < n]
    colours = colour_parts(n, edges)
    assert colours.shape == (n,)
    assert ((colours >= 0) & (colours < len(PALETTE))).all()
    swapped = [(v, u) for u, v in reversed(edges)]
    np.testing.assert_array_equal(colours, colour_parts(n, swapped))


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="numbered 0 … 1"):
        colour_parts(2, [(0, 2)])
    with pytest.raises(InputError, match="at least 1"):
        colour_parts(2, [(0, 1)], n_colours=0)


@pytest.mark.parametrize("vision", VISION)
def test_fills_can_be_told_apart(vision: str) -> None:
    """Any two fills differ by 15 or more in CIE L*a*b*, several times what the eye can just see."""
    rgb = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in PALETTE])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = _lab(np.clip(linear @ VISION[vision].T, 0, 1))
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 15
    assert seen[:, 0].min() > 55, "dark letters stay readable on every fill"


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(np.maximum(linear @ to_xyz.T / [0.9505, 1.0, 1.089], 0.008856)).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
