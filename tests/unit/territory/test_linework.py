"""Joints between ends that nearly touch: drawn from dangling ends only, to the nearest line."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely import LineString

from gridopt.territory._linework import join_near_ends


def joints(*lines, snap=0.5):
    return join_near_ends(np.array(lines, dtype=object), snap)


def test_lines_that_share_vertices_need_no_joint_even_beside_others():
    """Two crossings 0.3 m apart, each with its own four arms: nothing dangles near them."""
    star = [LineString([(0, 0), end]) for end in [(9, 0), (-9, 0), (0, 9), (0, -9)]]
    found, gaps = joints(*star, *[shapely.transform(line, lambda xy: xy + np.array([0.2, 0.2])) for line in star])
    ends = {tuple(np.abs(joint.coords[0])) for joint in found}
    assert (0.0, 0.0) not in ends
    assert (0.2, 0.2) not in ends
    assert len(gaps) == len(found)


def test_joint_goes_to_the_nearest_line_and_a_little_further():
    end = LineString([(0, 0), (5, 0)])
    far, near = LineString([(5.4, -9), (5.4, 9)]), LineString([(-9, -0.2), (9, -0.2)])
    (joint,), (gap,) = joints(end.reverse(), far, snap=0.5)
    assert gap == pytest.approx(0.4)
    assert joint.coords[1] == pytest.approx((5.4, 0))
    assert 5.4 < joint.coords[2][0] < 5.41
    found, gaps = joints(far, near, end)
    assert gaps == pytest.approx([0.2, 0.2])
    assert [joint.coords[1] for joint in found] == [pytest.approx((0, -0.2)), pytest.approx((5, -0.2))]


def test_last_bend_of_an_own_line_is_not_another_line():
    hook = LineString([(0, 0), (10, 0), (10, 0.1), (10.1, 0.1)])
    assert len(joints(hook)[0]) == 0


def test_no_lines_and_no_snap_give_no_joints():
    for found, gaps in (joints(), joints(LineString([(0, 0), (1, 0)]), LineString([(1.1, 0), (2, 0)]), snap=0)):
        assert len(found) == len(gaps) == 0
