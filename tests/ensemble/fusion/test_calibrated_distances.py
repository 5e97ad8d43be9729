"""Distances calibrated on labelled pairs: the formula by hand, pairs that a part does not know, refusals."""

import numpy as np
import pytest

from ensemble import fusion
from ensemble.fusion import calibrated_distances
from postproc import distances, l2_normalize
from postproc.base import runtime
from tests.support.each import each

NAN, INF = np.nan, np.inf
STEPS = {"method": "isotonic-steps", "order": 0}


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def labelled(*pairs: tuple[float, int]) -> tuple[np.ndarray, np.ndarray]:
    """(distance, 1 or 0) of some pairs."""
    return np.array([far for far, _ in pairs], np.float32), np.array([hit for _, hit in pairs])


def test_one_minus_the_mean_of_probabilities():
    # of the first part: at 1 two of two are one, at 2 one of two, at 3 none; of the second 10 is one, 20 is none
    first = labelled((1, 1), (1, 1), (2, 1), (2, 0), (3, 0))
    second = labelled((10, 1), (20, 0))
    far, hits = zip(first, second, strict=True)
    parts = [row(1, 2, 3, 2.5, 9), row(10, 20, 10, 15, 99)]
    # 1 - P: first 0, .5, 1, halfway .75, and 1 beyond all; second 0, 1, 0, .5, 1
    found = calibrated_distances(parts, far, hits, **STEPS)
    assert found == pytest.approx(row(0, 0.75, 0.5, 0.625, 1))
    # weights 3 and 1: (3 * .5 + 1) / 4 = .625
    found = calibrated_distances(parts, far, hits, weights=[3, 1], **STEPS)
    assert found == pytest.approx(row(0, 0.625, 0.75, 0.6875, 1))
    assert calibrated_distances(parts, far, hits, weights=[0, 1], **STEPS) == pytest.approx(row(0, 1, 0, 0.5, 1))


def test_pairs_that_a_part_does_not_know_and_pairs_that_are_never_returned():
    far, hits = zip(labelled((1, 1), (2, 0)), labelled((10, 1), (20, 0)), strict=True)
    parts = [row(1, 1, NAN, NAN, INF), row(20, NAN, 20, NAN, 10)]
    found = calibrated_distances(parts, far, hits, **STEPS)[0]
    assert found[:3] == pytest.approx([0.5, 0, 1])  # what the others say
    assert found[3] == np.nextafter(np.float32(1), INF)  # nobody knows it: behind all
    assert found[4] == INF
    # "worst": the first part's farthest known one is at 0, the second's at 1
    found = calibrated_distances(parts, far, hits, missing="worst", **STEPS)[0]
    assert found[:3] == pytest.approx([0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match="found that part 1 lacks 2, part 2 lacks 2 of 5 pairs"):
        calibrated_distances(parts, far, hits, missing="refuse")


def test_an_order_among_equal_probabilities():
    far, hits = zip(labelled((1, 1), (2, 0)), strict=True)
    plain = calibrated_distances([row(5, 3, 4)], far, hits, **STEPS)
    assert plain.tolist() == [[1, 1, 1]]
    found = calibrated_distances([row(5, 3, 4)], far, hits, method="isotonic-steps", order=0.01)
    assert found == pytest.approx(row(1.01, 1, 1.005))


def test_of_all_pairs_of_a_training_set_it_is_the_join_on_features():
    rng = np.random.default_rng(0)
    centres, pid = rng.normal(size=(9, 6)), np.arange(27) % 9
    query, gallery, train = (
        l2_normalize((centres[pid] + 0.7 * rng.normal(size=(27, 6))).astype(np.float32)) for _ in range(3)
    )
    wanted = fusion.calibrated([query], [gallery], [train], pid, method="logistic")
    left, right = np.triu_indices(27, 1)
    among = distances(train, metric="cosine")[left, right]
    found = calibrated_distances(
        [distances(query, gallery, metric="cosine")], [among], [pid[left] == pid[right]], method="logistic"
    )
    assert found == pytest.approx(wanted, abs=1e-4)


@each(("seed", "count"), [(0, 20), (1, 200)])
def test_a_sample_stands_for_all_pairs_and_threads_change_nothing(seed, count):
    rng = np.random.default_rng(seed)
    hits = np.arange(2000) < count
    far = np.where(hits, rng.normal(1, 0.5, 2000), rng.normal(3, 0.5, 2000)).astype(np.float32)
    grid = np.linspace(0, 4, 40, dtype=np.float32)[None]
    whole = calibrated_distances([grid], [far], [hits], method="logistic", order=0)
    some = calibrated_distances([grid], [far], [hits], method="logistic", order=0, pairs=800, seed=seed)
    assert np.abs(whole - some).max() < 0.2
    with runtime.using(threads=3):
        again = calibrated_distances([grid], [far], [hits], method="logistic", order=0, pairs=800, seed=seed)
    assert again.tobytes() == some.tobytes()


@each(
    ("far", "hits", "message"),
    [
        ([1, 2], [1, 1], "train_hits: wanted pairs of one identity and of two, 1 or 0 each, got 2 and 0 of 2"),
        ([1, 2, 3], [1, 0, 2], "got 1 and 1 of 3 for part 1"),
        ([1, NAN], [1, 0], "train_distances: wanted a row of finite numbers"),
        ([1, 2, 3], [1, 0], "train_distances: wanted a row of finite numbers, one for each of (2,) hits"),
        ([], [], "got 0 and 0 of 0"),
    ],
)
def test_pairs_that_teach_nothing_are_refused(far, hits, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        calibrated_distances([row(1, 2)], [np.array(far, np.float32)], [np.array(hits)])
    assert message in str(error.value)
