"""Camera whitening: by hand, against the definition, against the released functions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from postproc import camera_whitening, l2_normalize
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world

DATA = world()
INPUTS = [DATA[name] for name in ("query", "gallery", "query_cam", "gallery_cam")]


def with_cameras(rows, width=3):
    images = lattices(rows, width)
    return images.flatmap(lambda x: st.tuples(st.just(x), arrays(np.int64, len(x), elements=st.integers(-1, 3))))


def test_by_hand():
    # camera 0: mean (4, 1), Xᵀ X = [[9 + 25, 3 + 5], [8, 1 + 1]];  n ridge = 2 * 3
    gallery = np.array([[3, 1], [5, 1], [0, 0], [0, 2]], np.float32)
    cams = np.array([0, 0, 1, 1])
    query = np.array([[5, 2]], np.float32)
    found, whitened = camera_whitening(query, gallery, [0], cams, ridge=3, min_images=2)
    #                   [[40, 8], [8, 8]]^-1 = [[8, -8], [-8, 40]] / 256, times (1, 1): (0, 32) / 256
    assert_allclose(found, [[0, 1]], atol=1e-6)
    #  camera 0: (-1, 0) and (1, 0) -> ±(8, -8);   camera 1: mean (0, 1), diag(6, 4 + 6)
    assert_allclose(whitened, [*reference.basic.unit([[-1, 1], [1, -1]]), [0, -1], [0, 1]], atol=1e-6)


def test_centring_alone():
    gallery = np.array([[3, 1], [5, 1], [0, 0], [0, 2]], np.float32)
    cams = np.array([0, 0, 1, 1])
    query = np.array([[4, 3], [5, 1], [2, 3]], np.float32)
    found, centred = camera_whitening(query, gallery, [0, 1, 7], cams, whiten=False, min_images=2)
    #                less the means (4, 1), (0, 1) and, for a camera that nobody knows, that of all, (2, 1)
    assert_allclose(found, [[0, 1], [1, 0], [0, 1]], atol=1e-6)
    assert_allclose(centred, [[-1, 0], [1, 0], [0, -1], [0, 1]], atol=1e-6)


@settings(max_examples=60)
@given(
    query=with_cameras(st.integers(1, 6)),
    gallery=with_cameras(st.integers(1, 20)),
    ridge=st.sampled_from([0.02, 0.18, 3.0]),
    center=st.booleans(),
    whiten=st.booleans(),
    min_images=st.sampled_from([1, 2, 3, 8]),
)
def test_equals_the_definition(query, gallery, ridge, center, whiten, min_images):
    """Cameras of more and of fewer images than there are dimensions."""
    data = query[0], gallery[0], query[1], gallery[1]
    setting = {"ridge": ridge, "center": center, "whiten": whiten, "min_images": min_images}
    found = camera_whitening(*data, **setting)
    for ours, wanted in zip(found, reference.whitening.camera_whitening(*data, **setting), strict=True):
        assert ours.dtype == np.float32
        assert_allclose(ours, wanted, atol=1e-5)


@each("ridge", [1e-6, 5e-4, 0.18, 1e3])
def test_a_camera_of_fewer_images_than_dimensions(ridge):
    """Woodbury, against solving the d by d system, on features of unit length."""
    rng = np.random.default_rng(0)
    gallery = l2_normalize(rng.normal(size=(40, 60)) + 0.5).astype(np.float32)
    query, cams = l2_normalize(rng.normal(size=(9, 60)) + 0.5), np.arange(40) % 3
    data = query, gallery, np.arange(9) % 4, cams
    for ours, wanted in zip(
        camera_whitening(*data, ridge=ridge), reference.whitening.camera_whitening(*data, ridge), strict=True
    ):
        assert_allclose(ours, wanted, rtol=0, atol=1e-6)


def test_cameras_without_enough_images_get_the_whole_gallery():
    query, gallery, query_cam, gallery_cam = INPUTS
    few = np.where(np.arange(len(gallery)) < 3, 9, gallery_cam)  # camera 9 has three images
    everywhere = camera_whitening(query, gallery, query_cam, few, per_camera=False)
    for camera in (-1, 77, 9):  # unknown, not in the gallery, too few images there
        found, _ = camera_whitening(query, gallery, np.full(len(query), camera), few)
        assert_allclose(found, everywhere[0], rtol=0, atol=1e-6)
    _, found = camera_whitening(query, gallery, query_cam, few)
    assert_allclose(found[:3], everywhere[1][:3], rtol=0, atol=1e-6)
    assert (abs(found[3:] - everywhere[1][3:]).max(axis=1) > 1e-3).all()
    found, _ = camera_whitening(query, gallery, np.full(len(query), 9), few, min_images=3)
    assert (abs(found - everywhere[0]).max(axis=1) > 1e-3).all()


def test_queries_count_in_no_statistics():
    query, gallery, query_cam, gallery_cam = INPUTS
    whole, _ = camera_whitening(*INPUTS)
    for i in (0, 5):
        found, _ = camera_whitening(query[i : i + 1], gallery, query_cam[i : i + 1], gallery_cam)
        assert_allclose(found[0], whole[i], rtol=0, atol=1e-6)


def test_a_large_ridge_is_centring():
    wanted = camera_whitening(*INPUTS, whiten=False)
    for ours, side in zip(camera_whitening(*INPUTS, ridge=1e9), wanted, strict=True):
        assert_allclose(ours, side, rtol=0, atol=1e-5)


def test_what_is_its_cameras_mean_has_no_length():
    images = np.tile(np.float32([[0.1, 0.7, 0.3]]), (7, 1))  # their mean is not exactly any of them
    for setting in ({}, {"whiten": False}, {"min_images": 1}):
        for side in camera_whitening(images[:2], images, [0, 1], np.zeros(7, int), **setting):
            assert not side.any()


def test_it_removes_what_a_camera_adds():
    """Two cameras see the same eight images, one with something added: afterwards they are the same."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(8, 5))
    query, gallery = images, np.vstack([images, images + np.array([9, -9, 0, 5, 0])])
    found = camera_whitening(query, gallery, np.zeros(8, int), np.repeat([0, 1], 8), whiten=False)[1]
    assert_allclose(found[8:], found[:8], rtol=0, atol=1e-5)


def golden(shared):
    data = np.load(shared / "golden" / "fic.npz")
    return data, [data[name] for name in ("q", "g", "q_cam", "g_cam")]


@each(
    ("key", "setting"),
    [
        ("dmt21__la=0.02", {"ridge": 0.02}),
        ("dmt21__la=0.18", {}),
        ("dmt21__la=0.0005", {"ridge": 0.0005}),
        ("dmt21__la=3.0", {"ridge": 3}),
        ("vimar_fp32__la=0.02", {"ridge": 0.02}),
        ("pvg_P_neg_intra_camera__la=10.0", {"ridge": 10}),
        ("pvg_neg_intra_camera__la=0.06", {"whiten": False}),
        ("pvg_P_intra_camera__la=0.06", {"ridge": 0.06, "center": False}),
        ("pvg_P_neg_all__la=0.06", {"ridge": 0.06, "per_camera": False}),
    ],
)
def test_released_functions(shared, key, setting):
    data, inputs = golden(shared)
    for side, ours in zip("qg", camera_whitening(*inputs, **setting), strict=True):
        assert_allclose(ours, data[f"f{side}__{key}"], rtol=0, atol=5e-6)


def test_the_one_in_float16(shared):
    """It rounds features, means and products to float16 and so is off by half a thousandth; here nothing is."""
    data, inputs = golden(shared)
    for side, ours in zip("qg", camera_whitening(*inputs, ridge=0.02), strict=True):
        theirs = data[f"f{side}__vimar_fp16__la=0.02"]
        assert_allclose(ours, theirs, rtol=0, atol=2e-3)
        assert abs(ours - theirs).max() > 1e-4


def test_lists_of_cameras_are_refused_by_name():
    with pytest.raises(ValueError, match=r"^gallery_cam: wanted 2 values, one an image"):
        camera_whitening(np.eye(2), np.eye(2), [0, 0], [0])
    with pytest.raises(ValueError, match=r"^query and gallery: wanted the same width, got 2 and 3 numbers"):
        camera_whitening(np.eye(2), np.eye(3), [0, 0], [0, 0, 0])
    with pytest.raises(ValueError, match=r"^ridge: wanted 1e-06 to 1000000000.0, got 0$"):
        camera_whitening(np.eye(2), np.eye(2), [0, 0], [0, 0], ridge=0)
