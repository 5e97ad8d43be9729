"""Labelled training images that order a ranking: by hand, and as lists of names are rewritten."""

from collections import Counter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import label_votes, rank, rewrite_tracks, sort_and_insert
from postproc.base.step import KEPT, PLACES, unit_of
from tests.support.worlds import world


def at(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


TRAIN, PID = at(0, 10, 90, 100, 20), np.array([7, 7, 8, 8, 9])
#           the query is told 7: cos 5 + cos 5 of 3 votes, and cos 15 for 9; scores: .664 of 7
QUERY = at(5)
#            told     7   8   7   8    7    (by the same votes)
GALLERY = at(8, 92, 2, 88, 4)
FAR = np.array([[0.3, 0.1, 0.5, 0.2, 0.4]], np.float32)


def test_by_hand():
    # listed: images 1, 3 and 0; of these 0 is told 7, as the query is, and comes first; 4 and 2 are told 7, too,
    # and come in behind it, the surer first: (cos 4 + cos 6) / 3 of 4 against (cos 2 + cos 8) / 3 of 2; then 1, 3
    found = sort_and_insert(FAR, QUERY, GALLERY, TRAIN, PID, depth=3)
    assert_array_equal(found, [[0, 3, 2, 4, 1]])
    # nothing is so sure that its score and the query's sum to 2: sorted, and the rest by distance
    found = sort_and_insert(FAR, QUERY, GALLERY, TRAIN, PID, depth=3, threshold=2.0)
    assert_array_equal(found, [[0, 1, 4, 2, 3]])
    # images of nobody do not vote: without 7 the query is told 9, as 0, 4 and 2 are
    some = np.where(PID == 7, -1, PID)
    assert_array_equal(sort_and_insert(FAR, QUERY, GALLERY, TRAIN, some, k=1, depth=3), [[0, 3, 2, 4, 1]])


def rewritten(row, labels, scores, label, score, threshold, depth):
    """One list as it is written again: sorted, then with the others of its label put in, then cut nowhere."""
    ranked = np.argsort(row, kind="stable").tolist()
    listed, rest = ranked[:depth], ranked[depth:]
    right = [g for g in listed if labels[g] == label]
    more = [g for g in rest if labels[g] == label and score + scores[g] > threshold]
    more.sort(key=lambda g: -scores[g])
    wrong = [g for g in listed if labels[g] != label]
    return right + more + wrong + [g for g in rest if g not in more]


def told(images, train, pid, k):
    """The label that counts most among the nearest, and its sum / k."""
    found = []
    for cosines in images @ train.T:
        votes: Counter[int] = Counter()
        for t in np.argsort(-cosines, kind="stable")[:k]:
            votes[int(pid[t])] += float(cosines[t])
        label, total = votes.most_common(1)[0]
        found.append((label, total / k))
    return found


@pytest.mark.parametrize(("k", "threshold", "depth"), [(3, 0.6, 10), (1, 1.7, 25), (5, -2.0, 1)])
def test_as_lists_are_rewritten(k, threshold, depth):
    random = np.random.default_rng(3)
    sides = [random.normal(size=(n, 8)) for n in (6, 40, 60)]
    query, gallery, train = ((x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in sides)
    pid, far = random.integers(0, 9, 60), random.random((6, 40), np.float32)
    found = sort_and_insert(far, query, gallery, train, pid, k=k, threshold=threshold, depth=depth)
    labels, scores = zip(*told(gallery, train, pid, k), strict=True)
    wanted = [
        rewritten(row, labels, scores, *one, threshold, depth)
        for row, one in zip(far, told(query, train, pid, k), strict=True)
    ]
    assert_array_equal(rank(found), wanted)


def test_votes_by_hand():
    # the query's votes: cos 5 and cos 5 for 7, cos 15 for 9; of the gallery 0, 2, 4 are nearest to images of 7
    share = 2 * np.cos(np.radians(5)) / (2 * np.cos(np.radians(5)) + np.cos(np.radians(15)))
    wanted = FAR - 0.5 * share * np.array([1, 0, 1, 0, 1])
    assert_allclose(label_votes(FAR, QUERY, GALLERY, TRAIN, PID, weight=0.5), wanted, rtol=1e-6)
    assert_array_equal(label_votes(FAR, QUERY, GALLERY, TRAIN, PID, weight=0.0), FAR)


def test_what_they_refuse():
    data = world(nq=5, ng=41)
    far, sides = np.ones((5, 41), np.float32), (data["query"], data["gallery"])
    for step in (sort_and_insert, label_votes):
        with pytest.raises(ValueError, match="train_pid: wanted images of known identity, found none"):
            step(far, *sides, data["gallery"], np.full(41, -1))
        with pytest.raises(ValueError, match=r"distances: wanted shape \(5, 41\)"):
            step(far[:, :4], *sides, data["gallery"], np.arange(41))


def test_places_are_not_distances():
    """What stands in whole tracks or is sorted by labels is no summand beside distances."""
    for step in (sort_and_insert, rewrite_tracks):
        assert unit_of(step, {}) == PLACES
    assert unit_of(label_votes, {}) == KEPT
