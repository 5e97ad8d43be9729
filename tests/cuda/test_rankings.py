"""Exclusion and whole tracks, on matrices of distances."""

import numpy as np

from postproc import exclude, exclude_kinds, one_track_per_camera, rewrite_tracks
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=5, ng=40, d=8, people=8, cameras=3)
DATA["gallery_cam"][[3, 8, 20]] = -1
FAR = np.round(DATA["distances"] / 4) / 8  # with ties
FAR[2, 3] = FAR[:, 7] = FAR[4] = np.inf
CAM, TRACK, GROUP = DATA["gallery_cam"], DATA["gallery_track"], DATA["gallery_cam_group"]


@each("level", ["image", "track"])
@each("settings", [{}, {"group": 0.5, "direction": 0.25}])
def test_exclude(on_device, level, settings):
    same_step(on_device, exclude, FAR, CAM, TRACK, GROUP, DATA["gallery_aux"], depth=9, level=level, **settings)


def test_exclude_kinds(on_device):
    table = np.random.default_rng(0).random((3, 3)).astype(np.float32)
    found = exclude_kinds(on_device.up(FAR), TRACK, CAM, table, depth=9)
    np.testing.assert_allclose(on_device.down(found), exclude_kinds(FAR, TRACK, CAM, table, depth=9), rtol=1e-6)


def test_one_track_per_camera(on_device):
    same_step(on_device, one_track_per_camera, FAR, CAM, TRACK)


@each("by", ["first_hit", "vote"])
@each("inside", ["nearest", "listed"])
def test_rewrite_tracks(on_device, by, inside):
    same_step(on_device, rewrite_tracks, FAR, TRACK, DATA["gallery_order"], by=by, inside=inside, depth=9)
