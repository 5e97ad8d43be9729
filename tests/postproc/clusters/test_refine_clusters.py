"""Clusters mended, each way by hand."""

import numpy as np
import pytest

from postproc import refine_clusters
from tests.support.each import each

AT = np.array([0.0, 0.1, 0.2, 1.0, 1.1, 5.0, 9.0])
FAR = np.abs(AT[:, None] - AT)
ONE = [0, 0, 0, 0, 0, -1, -1]


def refined(clusters, cam=None, **settings):
    return refine_clusters(FAR, clusters, cam, **settings).tolist()


def test_nothing_is_done_unless_it_is_asked_for():
    assert refined([4, 4, 4, 2, 2, -7, 3]) == [0, 0, 0, 1, 1, -1, -1]


def test_loose_clusters_are_split():
    # mean of the ten distances: (.1 .2 1 1.1 .1 .9 1 .8 .9 .1) = .62; of the halves .4/3 and .1
    assert refined(ONE, loose=0.63) == [0, 0, 0, 0, 0, -1, -1]
    assert refined(ONE, loose=0.61) == [0, 0, 0, 1, 1, -1, -1]
    assert refined(ONE, loose=0.12)[:5] in ([0, 0, -1, 1, 1], [-1, 0, 0, 1, 1])
    assert refined(ONE, loose=0.01) == [-1] * 7


def test_large_clusters_are_split():
    assert refined(ONE, largest=5) == [0, 0, 0, 0, 0, -1, -1]
    assert refined(ONE, largest=4) == [0, 0, 0, 1, 1, -1, -1]


def test_a_split_tears_no_link():
    assert refined(ONE, loose=0.61, must=[(0, 4)]) == [0, 0, 0, 0, 0, -1, -1]


@each(
    ("settings", "wanted"),
    [
        ({"merge": 0.05}, [0, 0, 0, -1, -1, -1, -1]),
        ({"merge": 0.7}, [0, 0, 0, 1, 1, -1, -1]),  # 3 and 4 are .1 from each other, .8 and .9 from 2
        ({"merge": 0.85}, [0, 0, 0, 0, 0, -1, -1]),  # and are tiny still
        ({"merge": 0.85, "tiny": 1}, [0, 0, 0, 1, 1, -1, -1]),
        ({"merge": 3.95}, [0, 0, 0, 0, 0, 0, -1]),
        ({"merge": 4.5}, [0, 0, 0, 0, 0, 0, 0]),
        ({"merge": 0.85, "cannot": [(4, 0)]}, [0, 0, 0, 1, 1, -1, -1]),
        ({"merge": 0.85, "cannot": [(4, 3)]}, [0, 0, 0, 0, -1, -1, -1]),
    ],
)
def test_tiny_clusters_join_the_nearest(settings, wanted):
    assert refined([0, 0, 0, -1, -1, -1, -1], **settings) == wanted


def test_only_tiny_ones_move():
    assert refined([0, 0, 0, 1, 1, -1, -1], merge=0.85, tiny=1) == [0, 0, 0, 1, 1, -1, -1]
    assert refined([0, 0, 0, 1, 1, -1, -1], merge=0.85, tiny=2) == [0, 0, 0, 0, 0, -1, -1]


def test_weak_members_are_cut():
    # means to the others of 0 .. 5 at 5: 4.9 .. and of the rest at most (5 + .1 + .2) / 3
    assert refined([0, 0, 0, -1, -1, 0, -1], weak=2.0) == [0, 0, 0, -1, -1, -1, -1]
    assert refined([0, 0, 0, -1, -1, 0, -1], weak=2.0, must=[(0, 5)]) == [0, 0, 0, -1, -1, 0, -1]


def test_clusters_of_one_camera_are_dropped():
    assert refined([0, 0, 0, 1, 1, -1, -1], [0, 1, 0, 2, 2, 0, 0], cameras=2) == [0, 0, 0, -1, -1, -1, -1]
    assert refined([0, 0, 0, 1, 1, -1, -1], [0, -1, 0, 2, 3, 0, 0], cameras=2) == [-1, -1, -1, 0, 0, -1, -1]
    with pytest.raises(ValueError, match="cameras: needs query_cam, or None"):
        refined(ONE, cameras=2)


def test_bad_clusters_are_refused():
    with pytest.raises(ValueError, match="clusters: wanted 7 values"):
        refined([0, 1])
