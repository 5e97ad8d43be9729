"""Temporal lifting: by hand, against the definition, and what it is for."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from postproc import tlift
from postproc.kernels import reference

CAM, WHEN = np.array([2, 2, 2]), np.array([900, 5000, 910])


@st.composite
def passages(draw):
    """Distances with ties and +inf, cameras, some unknown, and times."""
    nq, ng = draw(st.integers(1, 6)), draw(st.integers(1, 9))
    values = st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9, 1.0, 1.2, np.inf])
    cams, frames = (
        tuple(draw(arrays(np.int64, n, elements=st.integers(low, high))) for n in (nq, ng))
        for low, high in ((-1, 2), (-50, 200))
    )
    return draw(arrays(np.float32, (nq, ng), elements=values.map(np.float32))), cams, frames


def test_by_hand():
    far = np.array([[0.2, 0.5, 0.5]], np.float32)
    # the pivot is the first: w is 1, exp(-(4100 / 200)^2) = 0, exp(-(10 / 200)^2)
    lifts = np.array([1, 0, np.exp(-0.0025)])
    wanted = 1 - (1 - far) * (lifts + 0.2) / 1.2
    assert_allclose(tlift(far, [1], CAM, [0], WHEN, k=1), wanted, rtol=1e-6)
    # two pivots, the second of which is far from both others in time
    lifts = np.array([(1 + 0) / 2, (0 + 1) / 2, np.exp(-0.0025) / 2])
    assert_allclose(tlift(far, [1], CAM, [0], WHEN, k=2), 1 - (1 - far) * (lifts + 0.2) / 1.2, rtol=1e-5)


def test_companions_say_when_the_camera_was_passed():
    far = np.array([[0.6, 0.6, 0.6], [0.1, 0.9, 0.9]], np.float32)  # the second query is sure of the first image
    apart = tlift(far, [1, 1], CAM, [0, 100], WHEN, k=1)
    along = tlift(far, [1, 1], CAM, [0, 99], WHEN, k=1)
    assert along[0, 1] > along[0, 2]
    assert np.ptp(along[0, [0, 2]]) < 0.01
    assert_array_equal(apart[0], tlift(far[:1], [1], CAM, [0], WHEN, k=1)[0])
    assert_array_equal(tlift(far, [1, 3], CAM, [0, 0], WHEN, k=1), apart)  # companions are of one camera


@settings(max_examples=80, deadline=None)
@given(
    passages(),
    st.sampled_from([0, 30, 1000]),
    st.sampled_from([20.0, 1e6]),
    st.integers(1, 12),
    st.sampled_from([0, 0.2, 3]),
)
def test_equals_the_definition(data, tau, sigma, k, alpha):
    found = tlift(data[0], *data[1], *data[2], tau=tau, sigma=sigma, k=k, alpha=alpha)
    assert_allclose(found, reference.lifting.tlift(*data, tau, sigma, k, alpha), atol=1e-6)


def test_time_that_tells_nothing_apart_changes_nothing():
    far = np.random.default_rng(0).random((5, 9)).astype(np.float32)
    found = tlift(far, np.arange(5), np.arange(9) % 3, np.arange(5), np.arange(9), sigma=1e12)
    assert_allclose(found, far, atol=1e-6)
