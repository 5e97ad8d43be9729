"""What callers hold in the place of a NumPy array: tensors, masked arrays, lists, numbers that are too large."""

import re

import numpy as np
import pytest
import torch

import postproc
from postproc import csls_distances, distances, rerank, track_mean
from postproc.base.vocabulary import Nearest
from postproc.testing import small
from postproc.testing.subject import Subject
from tests.support.worlds import of_unit_length

DATA = small()
Q, G, TRACK = DATA["query"], DATA["gallery"], DATA["gallery_track"]


def parts(answer):
    return answer if isinstance(answer, tuple) else (answer,)


def test_tensors_come_back_as_tensors():
    """From every step, with the bits of the arrays; whatever torch has computed them for."""
    data = of_unit_length(DATA)
    for step in postproc.STEPS:
        inputs = Subject(step, data, {}, {}, any_width=False).inputs
        wanted = parts(step(*(data[name] for name in inputs)))
        tensors = [torch.from_numpy(data[name].copy()) for name in inputs]
        tensors = [each.requires_grad_() if each.is_floating_point() else each for each in tensors]
        found = parts(step(*tensors))
        for one, other in zip(found, wanted, strict=True):
            assert isinstance(one, torch.Tensor), step.__name__
            assert one.numpy().tobytes() == other.tobytes(), step.__name__


def test_kinds_of_tensors():
    query, gallery = map(torch.from_numpy, (Q, G))
    for kind in (torch.bfloat16, torch.float16, torch.float64):
        sides = query.to(kind), gallery.to(kind)
        found = rerank(*sides)
        np.testing.assert_array_equal(found, rerank(*(side.float().numpy() for side in sides)))
    for kept in (query.to_sparse(), torch._neg_view(-query)):
        np.testing.assert_array_equal(rerank(kept, gallery), rerank(query, gallery))
    rough = query.to(torch.float8_e5m2)
    np.testing.assert_array_equal(rerank(rough, gallery), rerank(rough.float(), gallery))
    nearest = rerank(query, gallery, top_k=3)
    assert isinstance(nearest, Nearest)
    assert all(isinstance(part, torch.Tensor) for part in nearest)
    labelled = track_mean(G, torch.from_numpy(TRACK))
    assert isinstance(labelled, np.ndarray)
    assert labelled.tobytes() == track_mean(G, TRACK).tobytes()


def test_what_is_no_array_is_refused_by_name():
    masked = np.ma.masked_array(Q, Q > 1)
    cases = [
        (distances, (masked, G), f"query: wanted values everywhere, got {(Q > 1).sum()} of {Q.size} masked"),
        (track_mean, (G, np.ma.masked_array(TRACK, TRACK > 3)), "gallery_track: wanted values everywhere, got "),
        (distances, ([[1, 2], [3]], G), "query: wanted rows of one length, got lengths [1, 2]"),
        (rerank, ([[1, 2], [3]], G, DATA["query_cam"], DATA["gallery_cam"]), "query: wanted rows of one length"),
        (track_mean, (G, [[1], [2, 3]]), "gallery_track: wanted rows of one length, got lengths [1, 2]"),
        (distances, (Q.astype(float) * 1e39, G), "query: wanted numbers that float32 can hold, up to 3.4e38"),
        (csls_distances, ([[1, 1e39]],), "distances: wanted numbers that float32 can hold, up to 3.4e38"),
        (distances, (Q, G.astype(float) * 1e-60), "gallery: wanted numbers that float32 can hold, from 1.2e-38"),
        (track_mean, (G, TRACK.astype(np.uint64)), "gallery_track: wanted whole numbers up to 922"),
    ]  # fmt: skip
    for step, given, message in cases:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            step(*given)
    assert csls_distances(np.array([[1.0, np.inf]]))[0, 1] == np.inf
    assert distances(np.ma.masked_array(Q, False), G).tobytes() == distances(Q, G).tobytes()


def test_distances_that_float32_makes_equal():
    far = distances(Q, G).astype(float)
    np.testing.assert_array_equal(postproc.rank(far * 1e-7), postproc.rank(far))
    with pytest.raises(
        ValueError, match=r"^distances: wanted numbers that float32 tells apart, found that 100% of"
    ):
        postproc.rank(1 + far * 1e-12)
    assert postproc.rank(np.ones((3, 4))).tolist() == [[0, 1, 2, 3]] * 3


def test_distances_in_the_place_of_features():
    everybody = np.concatenate([Q, G])
    square = distances(everybody)
    np.fill_diagonal(square, 0)
    n = len(Q)
    for step in (rerank, distances, postproc.neighbours):
        with pytest.raises(
            ValueError, match=r"^query: wanted features, found a symmetric square with zeros on its"
        ):
            step(square, **({"k": 3} if step is postproc.neighbours else {}))
    with pytest.raises(
        ValueError, match=r"^query_cam: .* got shape .*; matrices of distances are for rerank_dist"
    ):
        rerank(square[:n, n:], square[:n, :n], square[n:, n:])
    assert rerank(square[:4, :4]).shape == (4, 4)  # so few may be features
