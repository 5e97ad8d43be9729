"""AI City 2022's first place: boxes vote. The published formulas, straight, beside ours."""

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.boxes.tables import Window
from ensemble.track import votes
from ensemble.track.value import Shots
from ensemble.track.votes import Way
from tests.ensemble.track.worlds import boxes, world

EACH = 6  # boxes with features of every tracklet


def road(people=5, spread=0.05, seed=0):
    """Everybody passes camera 1 and, ten seconds later, camera 2; six features of boxes each time."""
    random = np.random.default_rng(seed)
    look = random.normal(size=(people, 32))
    tracks = [
        (cam, who, 100 * who + 20 * (cam - 1), 100 * who + 20 * (cam - 1) + 10)
        for cam in (1, 2)
        for who in range(people)
    ]
    of = np.repeat(np.arange(2 * people), EACH)
    shots = look[of % people] + spread * random.normal(size=(len(of), 32))
    shots /= np.linalg.norm(shots, axis=1, keepdims=True)
    return world(boxes(*tracks), windows=[Window(1, 2, 5, 15)], shots=Shots(of, shots.astype(np.float32)))


def test_boxes_find_their_tracklet():
    assert votes.votes(road(), k=7, k1=6, k2=3).tolist() == [0, 1, 2, 3, 4] * 2


def test_pairs_out_of_time_are_dropped():
    """The window is 50 to 60 s, the way takes 10: outside, and with a slack of 45 s inside."""
    here = road().with_windows([Window(1, 2, 50, 60)])
    assert votes.votes(here, k=7, k1=6, k2=3, slack=30.0).tolist() == list(range(10))
    assert votes.votes(here, k=7, k1=6, k2=3, slack=45.0).tolist() == [0, 1, 2, 3, 4] * 2


def test_tracklet_features_are_refused():
    with pytest.raises(InputError, match="wanted those of boxes, since boxes vote"):
        votes.votes(world(boxes((1, 1, 0, 9), (2, 1, 19, 29))))


def test_factors_of_time_by_hand():
    """The window is 10 to 20 s. 5 s: exp(1.1 * 5 / 100); 15 s: 1; 40 s: exp(1.1 * 20 / 50)."""
    here = world(boxes((1, 1, 0, 0), (2, 1, 5, 5), (2, 2, 15, 15), (2, 3, 40, 40)))
    settings = {"alpha": 1.1, "early": 100.0, "late": 50.0}
    found = votes._factor(here, [Window(1, 2, 10, 20)], np.array([0]), np.array([1, 2, 3]), settings)
    np.testing.assert_allclose(found, [[np.exp(0.055), 1, np.exp(0.44)]])


def published(apart, of_out, of_into, topk, rate):
    """``find_pairs`` of the source in its own order of work, with stable sorts."""
    by_row, by_column = apart.argsort(1, kind="stable"), apart.argsort(0, kind="stable")
    matched = {}
    for i in range(len(apart)):
        candidates = of_into[by_row[i]][:topk]
        counts = np.bincount(candidates)
        choice = int(np.argmax(counts))
        if counts[choice] < 2:
            continue
        forward = by_row[i, np.where(candidates == choice)[0]]
        back = sum(i in by_column[:topk, j] for j in forward)
        if back / counts[choice] > rate:
            matched.setdefault(int(of_out[i]), []).append(choice)
    rows = []
    for one in sorted(matched):
        counts = np.bincount(matched[one])
        if counts.max() > 1:
            rows.append((one, int(np.argmax(counts)), int(counts.max())))
    best = {}
    for one, choice, count in rows:
        if choice not in best or count > best[choice][1]:
            best[choice] = (one, count)
    return [(best[choice][0], choice) for choice in sorted(best)]


def test_votes_are_the_published_ones():
    random = np.random.default_rng(1)
    found = 0
    for _ in range(40):
        out, into = 4, 5
        of_out, of_into = np.sort(random.integers(0, out, 20)), np.sort(random.integers(0, into, 24))
        apart = random.random((20, 24)) + 0.6 * (of_out[:, None] != of_into)
        way = Way(np.arange(out), np.arange(into), of_out, of_into, apart)
        for topk, rate in ((7, 0.3), (5, 0.5), (3, 0.8)):
            wanted = published(apart, of_out, of_into, topk, rate)
            assert votes._voted(way, topk, rate) == wanted
            found += len(wanted)
    assert found > 100


def test_settings_of_one_pair_count_there_alone():
    assert votes.votes(road(), k=7, k1=6, k2=3, pairs=[{"from": 1, "to": 2, "share": 1.0}]).tolist() == list(
        range(10)
    )
    assert (
        votes.votes(road(), k=7, k1=6, k2=3, pairs=[{"from": 2, "to": 1, "share": 1.0}]).tolist()
        == [0, 1, 2, 3, 4] * 2
    )


def test_further_rounds_find_those_who_are_left():
    """Nobody is lost by a second round, and the pairs stay one to one."""
    here = road(people=9, spread=0.9)
    once, twice = (votes.votes(here, k=7, k1=6, k2=3, rounds=rounds) for rounds in (1, 2))
    assert len(np.unique(twice)) <= len(np.unique(once))
    assert np.bincount(twice).max() <= 2
