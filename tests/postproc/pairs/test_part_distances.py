"""Parts with visibility: by hand, against the definition, on occluded images, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores import score
from postproc import distances, part_distances, rank
from postproc.kernels import reference
from postproc.pairs.part_distances import FAR

Q, G = np.array([[1, 0, 3, 4]], np.float32), np.array([[2, 0, 0, 1], [0, 1, 3, 4]], np.float32)


def test_by_hand():
    # parts are at 0 and 2 - 2 * .8 = .4 from the first, at 2 and 0 from the second
    wanted = [[(1 * 0 + 0.5 * 0.4) / 1.5, (0 * 2 + 1 * 0) / 1]]
    found = part_distances(Q, G, [[1.0, 1.0]], [[1.0, 0.25], [0.0, 1.0]])
    assert_allclose(found, wanted, atol=1e-6)
    found = part_distances(Q, G, [[0.5, 0.6]], [[0.7, 0.5], [0.4, 0.4]], seen=0.5)
    assert_allclose(found, [[(0 + 0.4) / 2, FAR]], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.sampled_from([0, 0.5]), st.integers(1, 9))
def test_equals_the_definition(seed, parts, seen, top_k):
    rng = np.random.default_rng(seed)
    sides = [rng.normal(size=(n, 3 * parts)).astype(np.float32) for n in (5, 9)]
    shown = [rng.choice([0, 0.25, 0.5, 1], (n, parts)).astype(np.float32) for n in (5, 9)]
    found = part_distances(*sides, *shown, seen=seen)
    assert_allclose(found, reference.parts.part_distances(*sides, shown, seen, FAR), atol=5e-6)
    assert_array_equal(part_distances(*sides, *shown, seen=seen, top_k=top_k).rows, rank(found, top_k=top_k))


def test_images_of_which_parts_are_hidden_are_found():
    rng = np.random.default_rng(0)
    who, people = rng.normal(size=(60, 4, 16)), np.repeat(np.arange(60), 4)
    sides, shown = [], []
    for _ in range(2):
        seen = rng.random((240, 4)) > 0.4
        x = np.where(seen[:, :, None], who[people] + 1.2 * rng.normal(size=(240, 4, 16)), 2 * rng.normal(size=16))
        sides.append(x.reshape(240, 64).astype(np.float32))
        shown.append(seen.astype(np.float32))
    cams = np.zeros(240, int), np.ones(240, int)
    plain, found = (
        score(far, people, people, *cams).mAP
        for far in (distances(*sides, metric="cosine"), part_distances(*sides, *shown))
    )
    assert found > plain + 0.1


def test_refuses_what_are_no_parts():
    with pytest.raises(ValueError, match=r"^query: wanted parts of one width, 3 as query_aux has columns, got 4 "):
        part_distances(Q, G, np.ones((1, 3)), np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"^gallery_aux: wanted visibilities of 0 or more, got -1"):
        part_distances(Q, G, np.ones((1, 2)), -np.ones((2, 2)))
