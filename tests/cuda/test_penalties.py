"""What is known of cameras, scenes, sides and parts, put on finished distances."""

import numpy as np
import pytest

from postproc import (
    apply_topology,
    camera_penalty,
    camera_topology,
    expected_camera_penalty,
    mask_same_camera,
    orientation_rule,
    part_penalty,
    scene_gate,
    subtract_auxiliary,
)
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=37, d=8, people=8, cameras=3)
DATA["query_cam"][[1, 4]] = DATA["gallery_cam"][[3, 8, 20]] = -1
FAR = DATA["distances"].copy()
FAR[2, 3] = FAR[:, 7] = np.inf
AUX = DATA["query_aux"], DATA["gallery_aux"]
CAMS = DATA["query_cam"], DATA["gallery_cam"]


@each("step", [camera_penalty, mask_same_camera, scene_gate])
def test_by_labels(step, on_device):
    same_step(on_device, step, FAR, *CAMS)


@each("up", [True, False])  # side models on the device, or on the host
def test_camera_penalty_by_groups_and_directions(on_device, up):
    groups = DATA["query_cam_group"], DATA["gallery_cam_group"]
    aux = [on_device.up(side) for side in AUX] if up else AUX
    settings = {"penalty": 0.5, "group": 0.25, "direction": 2.0, "alike": 0.5}
    found = camera_penalty(on_device.up(FAR), *CAMS, *groups, *aux, **settings)
    np.testing.assert_allclose(
        on_device.down(found), camera_penalty(FAR, *CAMS, *groups, *AUX, **settings), rtol=1e-6
    )


def test_expected_camera_penalty(on_device):
    same_step(
        on_device, expected_camera_penalty, FAR, DATA["query_cam_prob"], DATA["gallery_cam_prob"], penalty=-3.0
    )


def test_camera_topology(on_device):
    same_step(on_device, camera_topology, FAR, *CAMS, DATA["train_pid"], DATA["train_cam"], weight=0.5)
    table = np.random.default_rng(0).random((3, 3)).astype(np.float32)
    found = apply_topology(on_device.up(FAR), *CAMS, table)
    np.testing.assert_allclose(on_device.down(found), apply_topology(FAR, *CAMS, table), rtol=1e-6)


@each("metric", ["sqeuclidean", "euclidean", "cosine"])
def test_subtract_auxiliary(on_device, metric):
    same_step(on_device, subtract_auxiliary, FAR, *AUX, metric=metric)


def test_orientation_rule(on_device):
    track = DATA["gallery_track"]
    assert (orientation_rule(FAR, *AUX, track, near=0.2, far=5.0) != FAR).any()
    same_step(on_device, orientation_rule, FAR, *AUX, track, near=0.2, far=5.0)


@each("views", [(), (1,)])
def test_part_penalty(on_device, views):
    unseen = AUX[0].copy(), AUX[1].copy()
    unseen[0][2], unseen[1][5] = 0, 0
    same_step(on_device, part_penalty, FAR, *unseen, DATA["gallery_track"], views=views)


def test_side_models_on_a_device_want_distances_there(on_device):
    with pytest.raises(TypeError, match=r"query_aux: .*give query_aux.cpu\(\).numpy\(\)"):
        subtract_auxiliary(FAR, *(on_device.up(side) for side in AUX))
