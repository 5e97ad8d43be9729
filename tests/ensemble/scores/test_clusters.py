"""Scores of clusters: by hand, as scikit-learn's, with intervals that hold the truth."""

import math

import numpy as np
import pytest
from sklearn import metrics

from ensemble.scores.clusters import MEASURES, mean, score, value
from tests.support.each import each


def test_by_hand():
    # identities a a a b b c, clusters 0 0 1 1 1 alone
    found = score([1, 1, 1, 2, 2, 3], [0, 0, 1, 1, 1, -1]).values
    assert found["pair_precision"] == pytest.approx(2 / 4)  # 01 and 34 of 01, 23, 24, 34
    assert found["pair_recall"] == pytest.approx(2 / 4)  # of 01, 02, 12, 34
    assert found["pair_f1"] == pytest.approx(1 / 2)
    assert found["bcubed_precision"] == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3 + 1) / 6)
    assert found["bcubed_recall"] == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1 + 1) / 6)
    assert found["purity"] == pytest.approx(5 / 6)  # the third is a stranger in its cluster
    # 2 right pairs, 4 and 4 of 15: (2 - 16/15) / (4 - 16/15)
    assert found["ari"] == pytest.approx((2 - 16 / 15) / (4 - 16 / 15))


@each(
    ("pid", "clusters"),
    [
        (np.arange(6), np.arange(6)),
        (np.zeros(5, int), np.zeros(5, int)),
        (np.zeros(5, int), np.arange(5)),
        (np.arange(5), np.zeros(5, int)),
        (np.arange(300) // 3, np.arange(300) // 4),
        (np.random.default_rng(0).integers(0, 90, 500), np.random.default_rng(1).integers(0, 200, 500)),
        (np.random.default_rng(2).zipf(1.5, 400) % 50, np.random.default_rng(3).zipf(1.7, 400) % 40),
    ],
)
def test_as_scikit_learn_has_them(pid, clusters):
    found = score(pid, clusters).values
    assert found["ari"] == pytest.approx(metrics.adjusted_rand_score(pid, clusters), abs=1e-10)
    assert found["ami"] == pytest.approx(metrics.adjusted_mutual_info_score(pid, clusters), abs=1e-9)
    assert found["nmi"] == pytest.approx(metrics.normalized_mutual_info_score(pid, clusters), abs=1e-10)
    both = metrics.cluster.pair_confusion_matrix(pid, clusters)
    if both[1].sum():
        assert found["pair_recall"] == pytest.approx(both[1, 1] / both[1].sum())
    if both[:, 1].sum():
        assert found["pair_precision"] == pytest.approx(both[1, 1] / both[:, 1].sum())
    for name in MEASURES:
        one = value(name, np.asarray(pid), np.asarray(clusters))
        assert one == pytest.approx(found[name], nan_ok=True), name


def test_names_of_clusters_and_order_of_images_mean_nothing():
    rng = np.random.default_rng(4)
    pid, clusters = rng.integers(0, 9, 80), rng.integers(-1, 12, 80)
    wanted = score(pid, clusters).values
    order, names = rng.permutation(80), rng.permutation(12)
    renamed = np.where(clusters < 0, -1, names[clusters] + 5)
    found = score(pid[order], renamed[order]).values
    assert found == pytest.approx(wanted)


def test_images_that_are_alone_are_no_cluster_together():
    assert score([1, 1, 2], [-1, -1, -1]).values == pytest.approx(score([1, 1, 2], [0, 1, 2]).values, nan_ok=True)


def test_unknown_images_are_left_out():
    found = score([1, 1, -1, 2, -1], [0, 0, 0, 1, 1])
    assert found.values == pytest.approx(score([1, 1, 2], [0, 0, 1]).values, nan_ok=True)
    assert (found.images, found.identities, found.unknown) == (3, 2, 2)


def test_nothing_to_score():
    found = score([-1, -1], [0, 0])
    assert all(math.isnan(one) for one in found.values.values())
    assert found.as_json()["ari"] is None


def test_intervals_hold_the_scores_of_many_more_identities():
    """Clusters that lose each image of an identity with one chance in five: what an interval is about is known."""
    rng = np.random.default_rng(5)

    def world(people):
        pid = np.repeat(np.arange(people), 4)
        lost = rng.random(len(pid)) < 0.2
        return pid, np.where(lost, -1, pid)

    truth = score(*world(20_000)).values
    held = 0
    for seed in range(40):
        found = score(*world(60), resamples=300, seed=seed)
        low, high = found.intervals["bcubed_f1"]
        held += low <= truth["bcubed_f1"] <= high
    assert 33 <= held <= 40  # 95 % of 40 are 38


def test_the_same_seed_gives_the_same_interval():
    pid, clusters = np.arange(60) // 3, np.arange(60) // 4
    one, other = (score(pid, clusters, resamples=200, seed=7).intervals for _ in range(2))
    assert one == other
    assert one != score(pid, clusters, resamples=200, seed=8).intervals
    assert set(one) == set(MEASURES)
    assert score([1, 1], [0, 0], resamples=200).intervals == {}  # of one identity


def test_the_mean_counts_each_set_once():
    small, large = (
        score([1, 1], [0, 0], resamples=200),
        score(np.arange(90) // 3, np.zeros(90, int), resamples=200),
    )
    assert mean([small, large]).values["purity"] == pytest.approx((1 + 3 / 90) / 2)
    assert mean([large, large]).images == 180
    low, high = mean([large, large]).intervals["bcubed_recall"]
    assert low == high == 1.0


@each(
    ("settings", "message"),
    [({"resamples": 3}, "resamples: wanted"), ({"resamples": 200, "level": 1.0}, "level: wanted")],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        score([1, 1, 2, 2], [0, 0, 1, 1], **settings)
