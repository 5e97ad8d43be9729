"""One set of images on the device: what it gives in NumPy."""

import numpy as np

from postproc import (
    camera_penalty,
    camera_whitening,
    exclude,
    expected_camera_penalty,
    gcr,
    learned_whitening,
    merge_set_features,
    one_track_per_camera,
    orientation_rule,
    part_penalty,
    pool_distances,
    predict_cameras,
    query_expansion,
    rerank_tracks,
    rewrite_tracks,
    subtract_auxiliary,
    subtract_negatives,
    track_distances,
    weighted_track_mean,
    whiten,
)
from tests.cuda.twice import same_step
from tests.support.alone import far
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=2, ng=31, d=8, people=6, cameras=3)
X, CAM, TRACK, AUX = (DATA[name] for name in ("gallery", "gallery_cam", "gallery_track", "gallery_aux"))
TRAIN = {"train": DATA["train"], "train_pid": DATA["train_pid"]}
FAR = far(X)


@each(
    ("step", "given"),
    [
        (camera_whitening, {"query_cam": CAM, "min_images": 4}),
        (gcr, {"query_cam": CAM, "k1": 4, "rounds": 1}),
        (gcr, {"query_cam": CAM, "k1": 4, "rounds": 1, "graph": "local"}),
        (learned_whitening, TRAIN),
        (merge_set_features, {"k": 3, "rounds": 1}),
        (query_expansion, {"k": 3, "rounds": 2}),
        (query_expansion, {"k": 3, "rounds": 2, "expand": "gallery"}),
        (query_expansion, {"k": 3, "metric": "dot"}),
        (subtract_negatives, {"train": DATA["train"], "k": 3}),
        (whiten, {}),
        (weighted_track_mean, {"gallery_track": TRACK, "threshold": 9.0}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_features(on_device, step, given):
    same_step(on_device, step, X, rtol=1e-4, **given)


@each(
    ("step", "given"),
    [
        (track_distances, {"gallery_track": TRACK, "reduce": "mean", "query_reduce": "mean"}),
        (track_distances, {"gallery_track": TRACK, "top_k": 4}),
        (rerank_tracks, {"gallery_track": TRACK, "order": "row"}),
        (rerank_tracks, {"gallery_track": TRACK, "pool": "weighted"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_distances_to_tracks(on_device, step, given):
    same_step(on_device, step, X, rtol=1e-4, **given)


@each(
    ("step", "given"),
    [
        (pool_distances, {"gallery_track": TRACK, "reduce": "mean", "query_reduce": "mean"}),
        (rewrite_tracks, {"gallery_track": TRACK, "by": "vote"}),
        (one_track_per_camera, {"gallery_cam": CAM, "gallery_track": TRACK}),
        (exclude, {"gallery_cam": CAM, "gallery_track": TRACK, "depth": 5}),
        (camera_penalty, {"query_cam": CAM - 1, "query_aux": AUX, "direction": 0.5, "alike": 0.3}),
        (expected_camera_penalty, {"query_cam_prob": DATA["gallery_cam_prob"], "penalty": -2.0}),
        (orientation_rule, {"query_aux": AUX, "gallery_track": TRACK, "near": 0.4, "far": 9.0}),
        (part_penalty, {"query_aux": AUX, "gallery_track": TRACK, "views": (1,), "parts": (2, 1)}),
        (subtract_auxiliary, {"query_aux": AUX, "metric": "cosine"}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_finished_distances(on_device, step, given):
    same_step(on_device, step, FAR, **given)


def test_cameras_that_are_predicted(on_device):
    settings = {"eps": 0.05, "min_samples": 4}
    found = predict_cameras(on_device.up(AUX), **settings)
    np.testing.assert_array_equal(found, predict_cameras(AUX, **settings))
