import numpy as np
from numpy.testing import assert_array_equal

from postproc.tracks.grouping import compact, group_by_track
from tests.cuda.twice import twice
from tests.support.each import each

RNG = np.random.default_rng(0)
NG = 30
TRACK, CAM = RNG.integers(-1, 9, NG), compact(RNG.integers(-1, 3, NG))


def far(rows):
    """Distances with ties, on both sides of 0, and some that are no image."""
    found = RNG.integers(-4, 14, (rows, NG)).astype(np.float32) / 8
    found[RNG.random(found.shape) < 0.15] = np.inf
    found[-1] = np.inf
    return found


@each("vote", [True, False])
@each("listed", [True, False])
@each("depth", [5, 100])
@each("own", [False, True])
def test_rewrite_distances(on_device, vote, listed, depth, own):
    place = RNG.integers(0, 4, NG)
    groups = group_by_track(TRACK, place=place)
    layout = groups.offsets, groups.members, compact(TRACK), place
    distances = far(5)
    arguments = (distances, *layout, own, vote, listed, depth, 5.0, 1, 5, np.zeros_like(distances))
    ((cuda, cpu),) = twice(on_device, "rewriting.rewrite_distances", *arguments, written=(12,))
    assert_array_equal(cuda, cpu)


@each("scale", [1, 1e-44, 1e38])  # close to the least and to the largest that there is
@each("own", [False, True])
def test_move_other_tracks(on_device, scale, own):
    distances = far(6) * np.float32(scale)
    arguments = (distances, CAM, compact(TRACK), 3, own, 1, 6, np.zeros_like(distances))
    ((cuda, cpu),) = twice(on_device, "rewriting.move_other_tracks", *arguments, written=(7,))
    assert_array_equal(cuda, cpu)
    assert (cpu[1:5] != distances[1:5]).any()


def test_move_other_tracks_where_no_camera_is_known(on_device):
    distances, nowhere = far(3), np.full(NG, -1, np.int32)
    arguments = (distances, nowhere, compact(TRACK), 0, True, 0, 3, np.zeros_like(distances))
    ((cuda, cpu),) = twice(on_device, "rewriting.move_other_tracks", *arguments, written=(7,))
    assert_array_equal(cuda, cpu)
