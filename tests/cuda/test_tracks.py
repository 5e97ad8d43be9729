"""Steps that know the tracks."""

import numpy as np

from postproc import (
    l2_normalize,
    pool_distances,
    quality_track_mean,
    rerank_tracks,
    sqeuclidean,
    track_augmentation,
    track_distances,
    track_mean,
    weighted_track_mean,
)
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=4, ng=24, d=6, people=4, cameras=2)
QUERY, GALLERY = l2_normalize(DATA["query"]), l2_normalize(DATA["gallery"])
TRACK, QUERY_TRACK = DATA["gallery_track"], DATA["query_track"]


@each("settings", [{}, {"chunk": 2}, {"chunk": 2, "renormalize": True}, {"chunk": 1}])
def test_track_mean(on_device, settings):
    same_step(on_device, track_mean, GALLERY, TRACK, DATA["gallery_order"], **settings)


@each("settings", [{}, {"threshold": 0.5, "keep": 0.3, "add": 0.7, "renormalize": False}])
def test_quality_track_mean(on_device, settings):
    same_step(on_device, quality_track_mean, GALLERY, TRACK, DATA["gallery_quality"], **settings)


@each("settings", [{}, {"threshold": 0.0}, {"threshold": 1.5, "renormalize": True}])
def test_weighted_track_mean(on_device, settings):
    same_step(on_device, weighted_track_mean, QUERY, GALLERY, TRACK, **settings)


@each("settings", [{}, {"epsilon": 1.0, "renormalize": False}])
def test_track_augmentation(on_device, settings):
    same_step(on_device, track_augmentation, GALLERY, TRACK, **settings)


@each("settings", [{}, {"reduce": "mean", "k": 2, "query_reduce": "max"}, {"top_k": 5}])
@each("query_track", [None, QUERY_TRACK], ids=["images", "tracks"])
def test_track_distances(on_device, settings, query_track):
    same_step(on_device, track_distances, QUERY, GALLERY, TRACK, query_track, **settings)


def test_track_distances_of_a_pairwise(on_device):
    def step(query, gallery, *tracks):
        return track_distances(sqeuclidean(query, gallery) - 0.1 * sqeuclidean(2 * query, gallery), None, *tracks)

    same_step(on_device, step, QUERY, GALLERY, TRACK, QUERY_TRACK)


@each("settings", [{}, {"reduce": "max", "k": 2}, {"reduce": "mean", "query_reduce": "mean"}])
def test_pool_distances(on_device, settings):
    values = DATA["distances"].copy()
    values[:, ::3], values[2] = np.inf, np.inf
    same_step(on_device, pool_distances, values, TRACK, QUERY_TRACK, **settings)


@each(
    "settings",
    [
        {},
        {"order": "row", "top_k": 5},
        {"pool": "weighted", "threshold": 0.8},
        {"normalize_twice": True, "top_k": 5},
    ],
)
def test_rerank_tracks(on_device, settings):
    same_step(on_device, rerank_tracks, QUERY, GALLERY, TRACK, k1=5, rtol=2e-6, **settings)


def test_rerank_tracks_with_the_gallery_on_the_host(on_device):
    for settings in ({}, {"pool": "weighted"}):
        same_step(on_device, lambda query: rerank_tracks(query, GALLERY, TRACK, **settings), QUERY, rtol=2e-6)  # noqa: B023
