import numpy as np
from numpy.testing import assert_array_equal

from postproc.kernels.rules import CameraRule, Places, plain
from postproc.tracks.grouping import compact, group_by_track
from tests.cuda.twice import twice
from tests.support.each import each

RNG = np.random.default_rng(0)
NG = 40
CAM, TRACK = compact(RNG.integers(-1, 3, NG)), compact(RNG.integers(-1, 12, NG))
NOBODY = np.empty(0, np.int32)


def raised(on_device, distances, weights, places, rule, depth, heads, kind=CAM):
    groups = group_by_track(TRACK, kind=kind)
    kinds = kind[groups.members[groups.offsets[:-1]]]
    arguments = (
        distances, groups.offsets, groups.members, groups.track, kinds, weights,
        plain(places), plain(rule), depth, heads, 1, len(distances), np.zeros_like(distances),
    )  # fmt: skip
    ((cuda, cpu),) = twice(on_device, "exclusion.raise_excluded", *arguments, written=(12,))
    assert_array_equal(cuda, cpu)
    return cpu


def far(rows):
    """Distances with ties, on both sides of 0, and some that are no image."""
    found = RNG.integers(-2, 9, (rows, NG)).astype(np.float32) / 8
    found[RNG.random(found.shape) < 0.1] = np.inf
    return found


@each(("depth", "heads"), [(0, False), (7, False), (7, True), (99, True)])
def test_raise_excluded_by_a_table(on_device, depth, heads):
    weights = RNG.random((3, 3)) * (RNG.random((3, 3)) < 0.7)
    distances = far(3)
    distances[2] = np.inf
    nowhere = Places(NOBODY, NOBODY, np.empty((0, 1), np.float32))
    found = raised(on_device, distances, weights, nowhere, CameraRule(0.0, 0.0, 0.0, 0.0), depth, heads)
    assert (found[1] > distances[1]).any() == (depth > 0)


def test_raise_excluded_by_rules(on_device):
    orientations = RNG.normal(size=(NG, 2)).astype(np.float32)
    kind = np.arange(NG, dtype=np.int32) % 12
    places = Places(CAM[:12], compact(RNG.integers(-1, 3, 12)), orientations[:12])
    raised(on_device, far(3), np.empty((0, 0)), places, CameraRule(0.5, 0.25, 1.0, 0.3), 6, False, kind)
