"""The hardest pairs of an image in batches as in training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores import hardest
from tests.support.folders import rows


@given(
    st.lists(st.integers(-1, 6), min_size=1, max_size=60), st.integers(2, 4), st.integers(2, 5), st.integers(0, 3)
)
def test_batches_are_whole_groups_of_different_identities(pid, identities, images, seed):
    pid = np.array(pid)
    people, counts = np.unique(pid[pid >= 0], return_counts=True)
    usable = people[counts > 1]
    if len(usable) < identities:
        with pytest.raises(ValueError, match=rf"wanted at most the {len(usable)} with two images or more"):
            hardest.batches(pid, identities=identities, images=images)
        return
    found = hardest.batches(pid, identities=identities, images=images, seed=seed)
    assert found.shape[1] == identities * images
    assert len(found) >= 1
    groups = found.reshape(-1, images)
    assert (pid[groups] == pid[groups[:, :1]]).all()
    assert (np.array([len(set(pid[batch])) for batch in found]) == identities).all()
    used = {int(person): groups[pid[groups[:, 0]] == person] for person in usable}
    for person, own in used.items():
        have = np.flatnonzero(pid == person)
        if len(have) < images:
            assert len(own) <= 1
            assert all(set(group) == set(have) for group in own)
        else:
            assert len(np.unique(own)) == own.size <= len(have)
    assert_array_equal(found, hardest.batches(pid, identities=identities, images=images, seed=seed))
    assert_array_equal(found[:1], hardest.batches(pid, identities=identities, images=images, seed=seed, most=1))


def test_distances_by_hand_and_by_the_published_rule():
    # images at 0, 90, 180 and 60 degrees, of identities 1, 1, 2, 2
    x = np.array([[3, 0], [0, 5], [-1, 0], [0.5, np.sqrt(0.75)]], np.float32)
    found = hardest.hardest(x, [1, 1, 2, 2], np.arange(4)[None])
    assert_allclose(found.positive[0], [np.sqrt(2), np.sqrt(2), np.sqrt(3), np.sqrt(3)], rtol=1e-6)
    second = np.sqrt(2 - np.sqrt(3))  # 30 degrees between images 1 and 3
    assert_allclose(found.negative[0], [1, second, np.sqrt(2), second], rtol=1e-6)
    random = np.random.default_rng(0)
    x, pid = random.normal(size=(48, 6)).astype(np.float32), np.repeat(np.arange(12), 4)
    batches = hardest.batches(pid, identities=4, images=4)
    found = hardest.hardest(x, pid, batches)
    for batch, positive, negative in zip(batches, found.positive, found.negative, strict=True):
        unit = x[batch] / np.linalg.norm(x[batch], axis=1, keepdims=True)
        far = np.linalg.norm(unit[:, None] - unit[None], axis=2)
        same = pid[batch][:, None] == pid[batch][None]
        assert_allclose(positive, far[same].reshape(16, -1).max(axis=1), atol=1e-6)
        assert_allclose(negative, far[~same].reshape(16, -1).min(axis=1), atol=1e-6)


def test_copies_are_at_nothing_and_scale_does_not_count():
    x = np.float32([[1, 2], [1, 2], [4, -1], [4, -1]])
    found = hardest.hardest(x * np.float32([[1], [1000], [0.001], [1]]), [0, 0, 1, 1], np.arange(4)[None])
    assert_allclose(found.positive, 0, atol=1e-6)
    assert (found.negative > 1).all()


def test_the_threshold_with_the_fewest_errors():
    pairs = hardest.Hardest(
        np.zeros((2, 2), int), np.float32([[0.1, 0.5], [0.7, 1.2]]), np.float32([[0.6, 1], [1.1, 1.4]])
    )
    # at 0.5: 2 of 4 positives beyond, no negative; at 0.7: 1 of 4 and 1 of 4; at 1.2: none and 3 of 4
    assert hardest.crossing(pairs) == hardest.Crossing(0.5, 0.5, 0.0)
    assert hardest.crossing(hardest.Hardest(pairs.rows, pairs.negative, pairs.positive - 0.5)) is None
    # bins of 0.025: 0.1 opens the fifth, what is beyond 2 by rounding is in the last
    counts = hardest.histograms(np.float32([[0.11, 0.51], [0.51, 2.0000002]]))
    assert [np.flatnonzero(row).tolist() for row in counts] == [[4, 20], [20, 79]]


def test_train_comes_before_query_and_gallery():
    data = {"query": rows(2), "gallery": rows(3), "query_pid": np.arange(2), "gallery_pid": np.arange(3)}
    found = hardest.labelled(data)
    assert found is not None
    assert (found.what, found.pid.tolist(), len(found.rows)) == ("query and gallery", [0, 1, 0, 1, 2], 5)
    trained = hardest.labelled({**data, "train": rows(1), "train_pid": np.arange(1)})
    assert trained is not None
    assert trained.what == "train"
    unlabelled = hardest.labelled({**data, "train": rows(1)})
    assert unlabelled is not None
    assert unlabelled.what == "query and gallery"
    assert hardest.labelled({"query": rows(2), "gallery": rows(3), "gallery_pid": np.arange(3)}) is None
    alone = hardest.labelled(data, one_set=True)
    assert alone is not None
    assert (alone.what, len(alone.rows)) == ("gallery", 3)
