"""Steps that look at one image, one camera or all images at a time."""

import numpy as np

from postproc import (
    camera_whitening,
    distances,
    l2_normalize,
    learned_whitening,
    query_mean,
    rank,
    signed_power,
    whiten,
)
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=40, d=8, people=8, cameras=3)
QUERY, GALLERY, TRAIN = DATA["query"], DATA["gallery"], DATA["train"]
SIDES = l2_normalize(QUERY), l2_normalize(GALLERY)


def with_zero(rows):
    rows = rows.copy()
    rows[3] = 0
    return rows


def test_l2_normalize(on_device):
    same_step(on_device, l2_normalize, with_zero(GALLERY))


@each("exponent", [0, 0.5, 1])
def test_signed_power(on_device, exponent):
    same_step(on_device, signed_power, with_zero(GALLERY), exponent=exponent)


@each("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_distances(on_device, metric):
    same_step(on_device, distances, QUERY, GALLERY, metric=metric)
    same_step(on_device, distances, QUERY, GALLERY, metric=metric, top_k=5)


@each("top_k", [None, 3, 17])
def test_rank(on_device, top_k):
    values = distances(QUERY, GALLERY)
    values[1, ::2], values[2] = np.inf, np.inf
    same_step(on_device, rank, values, top_k=top_k)


@each(
    "settings",
    [
        {},
        {"whiten": False},
        {"center": False},
        {"per_camera": False},
        {"min_images": 14},
        {"min_images": 1, "ridge": 1e-3},
    ],
)
def test_camera_whitening(on_device, settings):
    gallery_cam = DATA["gallery_cam"].copy()
    gallery_cam[:4] = -1
    gallery_cam[4:8] = 7  # fewer images than dimensions
    same_step(on_device, camera_whitening, *SIDES, DATA["query_cam"], gallery_cam, **settings)


@each("settings", [{}, {"components": 3, "power": 0.5}, {"power": 0, "renormalize": False}])
def test_whiten(on_device, settings):
    same_step(on_device, whiten, QUERY, GALLERY, **settings)
    same_step(on_device, whiten, QUERY, GALLERY, TRAIN[:6], **settings)  # fewer images than dimensions


@each("settings", [{}, {"components": 3}])
def test_learned_whitening(on_device, settings):
    same_step(on_device, learned_whitening, QUERY, GALLERY, TRAIN, DATA["train_pid"], **settings)


@each(
    "settings",
    [
        {},
        {"threshold": 0.5, "keep": 1.0, "add": 0.5},
        {"group": "clusters", "eps": 1.2, "renormalize": False},
        {"group": "clusters", "eps": 1.2, "min_samples": 4},
    ],
)
def test_query_mean(on_device, settings):
    track, quality = DATA["gallery_track"], DATA["gallery_quality"]
    same_step(on_device, query_mean, GALLERY, track, quality, **settings)
