"""Who learns gaps in time is known by what it takes."""

import numpy as np

from ensemble.pipeline import steps
from ensemble.report import gaps


def test_steps_that_learn_gaps():
    found = {name for name, step in steps.catalogue().items() if gaps.learns(step)}
    assert {"spatio_temporal", "rerank_spatio_temporal"} <= found
    assert not {"rerank", "learned_metric", "camera_whitening"} & found


def test_gaps_by_hand():
    settings = {"bin_frames": 10, "bins": 50, "sigma": 1.0}
    # two identities go from camera 1 to 2 in 105 frames, one from 2 to 3 in 205
    columns = {
        "train_pid": np.array([1, 1, 2, 2, 3, 3]),
        "train_cam": np.array([1, 2, 1, 2, 2, 3]),
        "train_frame": np.array([0, 105, 50, 155, 0, 205]),
    }
    found = gaps.learned(columns, settings)
    pairs = [tuple(pair) for pair in found["prior_cameras"].tolist()]
    people = dict(zip(pairs, found["prior_people"].tolist(), strict=True))
    assert people[1, 2] == 2
    assert people[2, 3] == 1
    way = found["prior_shares"][pairs.index((1, 2))]
    assert found["prior_frames"][way.argmax()] == 100
    assert gaps.learned({"train_pid": columns["train_pid"]}, settings) == {}
