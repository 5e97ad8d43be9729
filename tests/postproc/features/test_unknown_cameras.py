"""An unknown camera is no other camera, whatever numbers the known ones have."""

import numpy as np
from numpy.testing import assert_array_equal

from postproc.features.metrics.covariance import count_pairs, of_pairs


def test_numbers_of_cameras_do_not_matter() -> None:
    """Four images: an unknown camera was numbered 4 + 0, as the camera 4 of another image is."""
    rows, pid, cam = np.eye(4, dtype=np.float32), np.array([0, 0, 1, 1]), np.array([-1, 0, 1, 0])
    far = np.where(cam < 0, cam, cam + 4)
    assert count_pairs(pid, cam) == count_pairs(pid, far) == (2, 3, 2)  # of 6 pairs, 1 and 3 share camera 0
    for small, large in zip(of_pairs(rows, pid, cam), of_pairs(rows, pid, far), strict=True):
        assert_array_equal(small, large)
