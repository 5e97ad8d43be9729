"""The heavy techniques on a device against their definitions in plain NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=44, d=8, people=8, cameras=3, seed=4)
QUERY, GALLERY = DATA["query"], DATA["gallery"]
CAM = np.concatenate([DATA["query_cam"], DATA["gallery_cam"]])


@pytest.fixture
def sides(on_device):
    return on_device.up(QUERY), on_device.up(GALLERY)


@each(("k1", "k2", "lambda_value", "power"), [(20, 6, 0.3, 2), (5, 1, 0.0, 4), (3, 2, 0.8, 1)])
def test_rerank(on_device, sides, k1, k2, lambda_value, power):
    found = postproc.rerank(*sides, k1=k1, k2=k2, lambda_value=lambda_value, power=power)
    wanted = reference.reciprocal.rerank(QUERY, GALLERY, k1, k2, lambda_value, power)
    assert_allclose(on_device.down(found), wanted, atol=2e-6)


def test_rerank_with_a_camera_penalty(on_device, sides):
    labels = [DATA[name] for name in ("query_cam", "gallery_cam", "query_track", "gallery_track")]
    images = np.concatenate([QUERY, GALLERY])
    track = np.concatenate(labels[2:])
    every = reference.basic.sqeuclidean(images, images) + 0.4 * reference.basic.same_camera(CAM, track)
    np.fill_diagonal(every, 0)
    same = (images[:, None] == images).all(axis=-1) & (CAM[:, None] == CAM) & (track[:, None] == track)
    every[same] = 0
    found = postproc.rerank(*sides, *labels, k1=6, k2=3, camera_penalty=0.4)
    assert_allclose(
        on_device.down(found), reference.reciprocal.rerank_matrix(every, len(QUERY), 6, 3, 0.3), atol=2e-6
    )


def test_neighbours(on_device, sides):
    found = postproc.rank(postproc.distances(*sides))
    assert_array_equal(on_device.down(found), reference.ranking.rank(reference.basic.sqeuclidean(QUERY, GALLERY)))


def test_ca_jaccard(on_device, sides):
    found = postproc.ca_jaccard(*sides, DATA["query_cam"], DATA["gallery_cam"])
    wanted = reference.cameras.ca_jaccard(QUERY, GALLERY, CAM, (5, 20), (3, 3), 0.0)
    assert_allclose(on_device.down(found), wanted, atol=2e-6)


def test_gnn_rerank(on_device, sides):
    found = postproc.gnn_rerank(*sides, k1=9, k2=4)
    assert_allclose(on_device.down(found), reference.propagation.gnn_rerank(QUERY, GALLERY, 9, 4, 0.3), atol=2e-6)


@each("measure", ["rank_lists", "cosine"])
def test_ecn(on_device, sides, measure):
    found = postproc.ecn(*sides, k=9, t=3, q=4, measure=measure)
    assert_allclose(
        on_device.down(found), reference.cross_neighbours.ecn(QUERY, GALLERY, 9, 3, 4, measure), atol=2e-6
    )


def test_query_expansion(on_device, sides):
    found, same = postproc.query_expansion(*sides, k=5, alpha=3.0, include_self=True)
    assert_allclose(on_device.down(found), reference.expansion.query_expansion(QUERY, GALLERY, 5, 3.0), atol=2e-6)
    assert_array_equal(on_device.down(same), GALLERY)


def test_camera_whitening(on_device, sides):
    found = postproc.camera_whitening(*sides, DATA["query_cam"], DATA["gallery_cam"])
    wanted = reference.whitening.camera_whitening(QUERY, GALLERY, DATA["query_cam"], DATA["gallery_cam"], 0.18)
    for one, other in zip(found, wanted, strict=True):
        assert_allclose(on_device.down(one), other, atol=2e-6)


def test_diffusion(on_device, sides):
    found = postproc.diffusion(*sides, k=9, k_query=4, alpha=0.9, iterations=10)
    wanted = reference.diffusion.diffusion(QUERY, GALLERY, 9, 4, 0.9, 3.0, 3.0, 10)
    assert_allclose(np.maximum(-on_device.down(found), 0), np.maximum(wanted, 0), rtol=1e-5, atol=5e-6)


def test_spatio_temporal(on_device, sides):
    cams, frames = ([DATA[f"{side}_{what}"] for side in ("query", "gallery")] for what in ("cam", "frame"))
    train = [DATA[name] for name in ("train_pid", "train_cam", "train_frame")]
    setting = {"alpha": 5.0, "bin_frames": 100, "bins": 40, "sigma": 3.0}
    found = postproc.spatio_temporal(*sides, *cams, *frames, *train, **setting)
    prior = reference.spatio_temporal.time_prior(*train, 100, 40, 3.0)
    wanted = reference.spatio_temporal.spatio_temporal(QUERY, GALLERY, cams, frames, prior, 100, 5.0)
    assert_allclose(on_device.down(found), wanted, atol=2e-6)


@each("level", ["image", "track"])
def test_exclude(on_device, level):
    far, track, kind = DATA["distances"], DATA["gallery_track"], DATA["gallery_cam"]
    table = np.eye(3, dtype=np.float32)
    found = postproc.exclude_kinds(on_device.up(far), track, kind, table, depth=9, level=level)
    assert_allclose(
        on_device.down(found), reference.exclusion.exclude(far, track, kind, table, 9, level), rtol=1e-6
    )


def test_csls(on_device, sides):
    far = reference.basic.sqeuclidean(reference.basic.unit(QUERY), reference.basic.unit(GALLERY))
    found = postproc.csls_distances(on_device.up(far.astype(np.float32)), k=4)
    assert_allclose(on_device.down(found), reference.hubness.csls(far, 4), atol=2e-6)


def test_rerank_tracks(on_device, sides):
    track = DATA["gallery_track"]
    found = postproc.rerank_tracks(*sides, track, k1=5, k2=2, order="row")
    means = reference.tracks.track_mean(GALLERY, track, track, None)
    wanted = reference.tracks.rerank_tracks(QUERY, means, track, k1=5, k2=2, lambda_value=0.6, twice=False)
    assert_allclose(on_device.down(found), wanted, atol=2e-6)
