"""Parts: by hand, against the definition, against a winner's similarities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    camera_penalty,
    cluster_queries,
    distances,
    exclude,
    part_penalty,
    quality_track_mean,
    query_mean,
    rank,
)
from postproc.kernels import reference
from tests.support import golden
from tests.support.each import each
from tests.support.realised import baidu_parts


def test_by_hand():
    # columns: view (2), lamp (2), door (1)
    query = [[1, 0, 1, 0, 0]]
    gallery = [
        [1, 0, 1, 0, 1],  # one view, one lamp: 0.5 * 1 * (0.9 - 1)
        [0, 2, 0, 5, 1],  # a view at a right angle, another lamp: 0.5 * 0.5 * (0.9 - 0)
        [-1, 0, 0, 0, 1],  # the opposite view counts nothing
        [1, 0, 0, 0, 1],  # no part on both: 0.5 * 1 * (0.9 - (1 - 0.75))
    ]
    setting = {"views": [2], "parts": [2, 1]}
    far = np.full((1, 4), 0.75, np.float32)
    assert_allclose(part_penalty(far, query, gallery, **setting), [[0.7, 0.975, 0.75, 1.075]], rtol=1e-6)
    # the first and the last are one track, and the best of each image counts
    track = np.array([5, -1, -1, 5])
    assert_allclose(part_penalty(far, query, gallery, track, **setting), [[0.7, 0.975, 0.75, 0.7]], rtol=1e-6)
    far[0, 3] = np.inf
    assert_allclose(part_penalty(far, query, gallery, **setting), [[0.7, 0.975, 0.75, np.inf]], rtol=1e-6)


def test_views_or_parts_alone():
    far, x = np.array([[0.5, 0.5]], np.float32), np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert_allclose(part_penalty(far, x[:1], x[1:]), [[0.45, 0.95]])  # one part of two values
    assert_allclose(part_penalty(far, x[:1], x[1:], views=[2]), [[0.7, 0.6]])  # 0.5 * (0.9 - 0.5), half of it


@settings(max_examples=40, deadline=None)
@given(nq=st.integers(1, 4), ng=st.integers(1, 9), seed=st.integers(0, 99))
def test_equals_the_definition(nq, ng, seed):
    random = np.random.default_rng(seed)
    widths = {"views": [3, 2], "parts": [2, 2, 3]}
    query, gallery = (random.normal(size=(count, 12)).astype(np.float32) for count in (nq, ng))
    for side in (query, gallery):
        for first, last in ((5, 7), (7, 9), (9, 12)):
            side[random.random(len(side)) < 0.5, first:last] = 0
    track, far = random.integers(-1, 3, ng), random.random((nq, ng)).astype(np.float32)
    blocks = [(query[:, a:b], gallery[:, a:b]) for a, b in ((0, 3), (3, 5), (5, 7), (7, 9), (9, 12))]
    wanted = reference.constraints.part_penalty(far, blocks[:2], blocks[2:], track, 0.4, 0.8)
    found = part_penalty(far, query, gallery, track, weight=0.4, enough=0.8, **widths)
    assert_allclose(found, wanted, atol=2e-6)


def test_what_it_refuses():
    far, x = np.zeros((1, 1)), np.ones((1, 4))
    with pytest.raises(ValueError, match=r"^query_aux: wanted 5 columns, views and parts, got 4$"):
        part_penalty(far, x, x, views=[2], parts=[3])
    with pytest.raises(ValueError, match=r"^parts: wanted whole numbers, 1 or more, one a feature, got \[0\]$"):
        part_penalty(far, x, x, parts=[0])
    with pytest.raises(ValueError, match=r"^gallery_aux: wanted 1 rows, one an image"):
        part_penalty(far, x, np.ones((2, 4)))


@each(
    ("key", "weight", "beta"),
    [
        ("scene1_pf0_qg_sim_after_exclusion_beta0.15_clipped", 0.0, 0.15),
        ("scene1_qg_sim_after_exclusion_beta0.15_clipped", 0.5, 0.15),
        ("scene2_pf0.4_area15000_score_after_exclusion_beta0.1", 0.4, 0.1),
    ],
)
def test_runner_up_of_2021(shared, key, weight, beta):
    released = golden.load(shared, "baidu2021")
    track = released["g_track"]
    query = query_mean(
        released["q"], cluster_queries(released["q"], eps=0.6), released["q_area"], threshold=15000, keep=1
    )
    gallery = quality_track_mean(released["g"], track, released["g_area"], add=1)
    far = camera_penalty(distances(query, gallery, metric="cosine"), released["q_cam"], released["g_cam"])
    widths, *parts = baidu_parts(released)
    views = [[released[f"{side}_{name}"] for name in ("direction", "part_cls")] for side in "qg"]
    aux = [np.concatenate([*view, part], axis=1) for view, part in zip(views, parts, strict=True)]
    found = part_penalty(far, *aux, track, weight=weight, views=[view.shape[1] for view in views[0]], parts=widths)
    found = exclude(found, released["g_cam"], track, beta=beta)
    score = np.clip(1 - found, -1, 1) if key.endswith("clipped") else 1 - found
    assert_allclose(score, released[key], rtol=0, atol=1e-6)
    if key.startswith("scene2"):
        assert_array_equal(rank(found, top_k=100), released["scene2_top100_0based"])
