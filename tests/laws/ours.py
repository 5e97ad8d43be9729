"""Of our own steps, what no declaration can say: with which values something is seen in a world this small."""

from typing import Any

import numpy as np

from postproc.testing.worlds import known, small, world
from tests.support.worlds import of_unit_length

# Where a camera model's features are grouped, so that there are several groups and some images in none.
FEW = {"eps": 0.05, "min_samples": 6}
COMPLETED = {name: {**FEW, "complete": True} for name in ("query_track", "gallery_track")} | {"complete": FEW}

VALUES: dict[str, dict[str, Any]] = {  # another value of a setting
    "assign_tracks": {"threshold": 20.0},
    "connected_components": {"k": 2},
    "constrained_union": {"windows": [(0, 1, 0, 100)], "count": 20, "must": [(0, 2)], "cannot": [(0, 3)]},
    "refine_clusters": {"must": [(3, 6)], "cannot": [(0, 3)], "cameras": 3, "tiny": 8},
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
    "rerank_multiscale": {"scales": [(4, 2)]},
}

BESIDE: dict[str, dict[str, dict[str, Any]]] = {  # where a setting or data matter
    "assign_tracks": {
        "temperature": {"threshold": 20.0, "method": "sinkhorn"},
        "rounds": {"threshold": 20.0, "method": "sinkhorn", "temperature": 9.0},
    },
    "coarse_to_fine": {"start": {"shortest": 2, "growth": 2}},
    "cluster_queries": {"query": {"eps": 1.0}},
    "connected_components": {"mutual": {"k": 2}},
    "constrained_union": {"count": {"threshold": 2.0}},
    "refine_clusters": {
        "tiny": {"merge": 0.5},
        "query_cam": {"cameras": 3},
        "cannot": {"merge": 0.5},
        "must": {"loose": 0.25},
    },
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

ROWS = {"must", "cannot"}  # they say who is meant by rows
OF_ROWS = {2: ROWS, 3: ROWS, 6: ROWS, 8: {"symmetric"}}
SPARE: dict[str, dict[int, set[str]]] = {  # what a law leaves alone
    "connected_components": {8: {"symmetric"}},  # which matters where a matrix is not
    "constrained_union": OF_ROWS,
    "dbscan": {8: {"symmetric"}},
    "hdbscan": {2: {"min_cluster_size"}, 8: {"symmetric"}},  # of equal reaches scikit-learn takes the first
    "linkage": {8: {"symmetric", "far"}},  # which matters in lists
    "refine_clusters": OF_ROWS,
    "track_mean": {6: {"chunk"}},  # copies count differently, because they stand at two places of a track
}


def _one_set() -> dict[str, Any]:
    """More images than queries usually are, with cosine distances, and times at which tracks overlap."""
    data = known(world(nq=40, people=8))
    unit = data["query"] / np.linalg.norm(data["query"], axis=1, keepdims=True)
    far = np.maximum(1 - unit @ unit.T, 0).astype(np.float32)
    far[np.arange(40), np.arange(40)] = 0
    return {**data, "query_distances": np.maximum(far, far.T), "query_frame": data["query_frame"] // 10}


ONE_SET = _one_set()
DATA: dict[str, dict[str, Any]] = {  # a world of its own
    "connected_components": ONE_SET,
    "constrained_union": ONE_SET,
    "dbscan": ONE_SET,
    "hdbscan": ONE_SET,
    "linkage": ONE_SET,
    "refine_clusters": ONE_SET,
    "rerank": of_unit_length(small()),
    "rerank_constrained": of_unit_length(small()),
    "rerank_one_sided": known(world(seed=3)),  # one in which no list ends between copies
    "tlift": {
        "distances": (known(world())["distances"] / 64).astype(np.float32),
        "query_frame": known(world())["query_frame"] // 40,
    },
}

ANY_WIDTH = {"learned_metric"}
