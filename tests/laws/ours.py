"""Of our own steps, what no declaration can say: with which values something is seen in a world this small."""

from typing import Any

import numpy as np

# Where a camera model's features are grouped, so that there are several groups and some images in none.
FEW = {"eps": 0.05, "min_samples": 6}
COMPLETED = {name: {**FEW, "complete": True} for name in ("query_track", "gallery_track")} | {"complete": FEW}

VALUES: dict[str, dict[str, Any]] = {  # another value of a setting
    "assign_tracks": {"threshold": 20.0},
    "camera_whitening": {"min_images": 25},
    "cluster_gallery_soft": {"classes": (2, 2)},
    "coarse_to_fine": {"shortest": 4, "growth": 2, "code_lengths": (4, 12), "thresholds": (1,)},
    "hamming": {"code_lengths": (4, 12)},
    "orientation_rule": {"far": 20.0},
    "part_penalty": {"views": (1,), "parts": (2, 2)},
    "predict_camera_groups": {**FEW, "shortest": 0.8},
    "predict_cameras": {**FEW, "shortest": 0.8},
    "quality_track_mean": {"threshold": 0.5},
    "rerank_attributes": {"classes": (2, 2), "confusions": [np.eye(4) + 0.1]},
}

BESIDE: dict[str, dict[str, dict[str, Any]]] = {  # where a setting or data matter
    "assign_tracks": {
        "temperature": {"threshold": 20.0, "method": "sinkhorn"},
        "rounds": {"threshold": 20.0, "method": "sinkhorn", "temperature": 9.0},
    },
    "coarse_to_fine": {"start": {"shortest": 2, "growth": 2}},
    "cluster_queries": {"query": {"eps": 1.0}},
    "predict_camera_groups": COMPLETED,
    "predict_cameras": COMPLETED,
    "rerank_constrained": {
        "query_cam": {"camera": 5.0, "k1": 60},
        "query_cam_group": {"group": 0.5},
        "gallery_cam_group": {"group": 0.5},
        "query_aux": {"direction": 5.0, "k1": 60},
        "query_camera": {"k1": 60},
        "between": {"k1": 60},
        "alone": {"camera": 0.5, "k1": 60},
    },
}

SPARE: dict[str, dict[int, set[str]]] = {  # what a law leaves alone
    "rerank_constrained": {number: {"clip"} for number in (2, 13)},  # most, not of unit length, are equally far
    "track_mean": {6: {"chunk"}},  # copies count differently, because they stand at two places of a track
}

ANY_WIDTH = {"learned_metric"}
