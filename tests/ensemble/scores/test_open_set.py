"""Thresholds: rates by hand, against a released evaluator, fitted on identities that are not judged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores import Labels
from ensemble.scores.open_set import Rates, different_pairs, identification, rates, threshold_at
from postproc import by_identity, using
from tests.support import golden
from tests.support.each import each

NAMES = ("precision", "recall", "f1", "fmr", "miss", "false_alarm", "dir")


def of(far: np.ndarray, *labels: Any, **images: Any) -> tuple[np.ndarray, Labels]:
    """Distances and labels as the functions take them."""
    return far, Labels.checked(far.shape, *labels, **images)


def at(threshold: float, *given: Any, junk: str = "market", **images: Any) -> dict[str, float]:
    found = rates(*of(*given, **images), thresholds=[threshold], junk=junk)
    return {name: float(getattr(found, name)[0]) for name in NAMES}


FAR = np.array(
    [
        [0.1, 0.6, 0.2, 0.9],  # 7: same, same, other, other
        [0.3, 0.8, 0.5, 0.7],  # 8: other, other, same, other
        [0.4, 0.9, 0.9, 0.2],  # 9, whom the gallery lacks
    ],
    np.float32,
)
PIDS = [7, 8, 9], [7, 7, 8, 6]


# By hand


def test_rates_by_hand() -> None:
    found = at(0.45, FAR, *PIDS)
    # accepted: 0.1 same, 0.2, 0.3, 0.4, 0.2 different; pairs: 3 same, 9 different
    assert found == {
        "precision": 1 / 5,
        "recall": 1 / 3,
        "f1": pytest.approx(2 / 5 * 1 / 3 / (1 / 5 + 1 / 3)),
        "fmr": 4 / 9,
        "miss": pytest.approx(2 / 3),
        "false_alarm": 1.0,  # query 9 is told 6
        "dir": 1 / 2,  # query 7 is told 7, query 8 too
    }


def test_nobody_is_accepted_and_everybody_is() -> None:
    none = at(-1, FAR, *PIDS)
    assert np.isnan(none["precision"])
    assert np.isnan(none["f1"])
    assert [none[name] for name in ("recall", "fmr", "miss", "false_alarm", "dir")] == [0, 0, 1, 0, 0]
    whole = at(5, FAR, *PIDS)
    assert [whole[name] for name in ("precision", "recall", "fmr", "miss", "false_alarm", "dir")] == [
        3 / 12, 1, 1, 0, 1, 1 / 2,
    ]  # fmt: skip


def test_a_query_without_a_match_is_told_nobody_below_its_nearest() -> None:
    assert at(0.15, FAR, *PIDS)["false_alarm"] == 0
    assert at(float(np.float32(0.2)), FAR, *PIDS)["false_alarm"] == 1  # at the threshold is accepted


def test_what_is_removed_makes_no_pair() -> None:
    far, pids, cams = np.array([[0.1, 0.2, 0.3]], np.float32), ([7], [7, 7, -1]), ([1], [1, 2, 3])
    assert at(0.5, far, *pids, *cams)["precision"] == 1  # the own camera and -1 are out
    assert at(0.5, far, *pids, *cams, junk="bot")["precision"] == 1 / 2
    assert at(0.5, far, *pids, *cams, junk="none")["precision"] == 2 / 3
    own = {"query_image": [3], "gallery_image": [3, 4, 5]}
    assert at(0.5, far, *pids, junk="self", **own)["precision"] == 1 / 2
    assert_array_equal(different_pairs(*of(far, *pids, *cams), junk="bot"), np.float32([0.3]))


def test_unknown_queries_count_nowhere() -> None:
    far = np.array([[0.1, 0.2], [0.1, 0.2]], np.float32)
    known, both = at(0.15, far[:1], [7], [7, 8]), at(0.15, far, [7, -1], [7, 8])
    assert_array_equal([known[name] for name in NAMES], [both[name] for name in NAMES])
    assert len(different_pairs(*of(far, [7, -1], [7, 8]))) == 1
    assert len(different_pairs(*of(far, [7, -1], [7, 8]), junk="none")) == 1


def test_infinitely_far_is_never_accepted() -> None:
    far = np.array([[np.inf, 0.5]], np.float32)
    found = at(1e30, far, [7], [7, 8])
    assert [found[name] for name in ("recall", "fmr", "dir")] == [0, 1, 0]


def test_thresholds_are_rounded_as_distances_are() -> None:
    for threshold in (0.1, 0.2, 0.3, 0.7, 1 / 3):
        far = np.array([[threshold, 2]], np.float32)
        for other in (threshold, float(np.float32(threshold))):
            found = at(other, far, [7], [7, 8])
            assert [found[name] for name in ("recall", "fmr", "dir")] == [1, 0, 1]
    assert at(1e300, np.array([[np.inf, 2]], np.float32), [7], [7, 8])["recall"] == 0  # not even then


def test_the_order_of_thresholds_is_kept() -> None:
    up, down = (
        rates(*of(FAR, *PIDS), thresholds=[0.15, 0.35, 0.7]),
        rates(*of(FAR, *PIDS), thresholds=[0.7, 0.15, 0.35]),
    )
    for name in NAMES:
        assert_array_equal(getattr(up, name)[[2, 0, 1]], getattr(down, name))
    assert json.loads(json.dumps(down.as_json(), allow_nan=False))[1]["threshold"] == 0.15


# Thresholds at a rate


def test_threshold_by_hand() -> None:
    far = np.float32([0.1, 0.2, 0.3, 0.4, 0.5])
    same = np.array([True, False, False, False, False])
    for fmr, first_rejected in [(0, 0.2), (0.2, 0.2), (0.25, 0.3), (0.74, 0.4), (0.75, 0.5)]:
        wanted = np.nextafter(np.float32(first_rejected), np.float32(0))
        assert threshold_at(far, same, fmr=fmr) == wanted
    assert threshold_at(far, same, fmr=1) == np.inf
    assert threshold_at(FAR, np.eye(3, 4) == 1, fmr=0) < 0.2  # of any shape


@given(
    far=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    fmr=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_the_largest_threshold_that_keeps_the_rate(far: list[int], fmr: float, seed: int) -> None:
    values = np.float32(far)
    same = np.random.default_rng(seed).random(len(far)) < 0.3
    if same.all():
        with pytest.raises(ValueError, match="wanted pairs of two identities, got none"):
            threshold_at(values, same, fmr=fmr)
        return
    found = threshold_at(values, same, fmr=fmr)
    different = values[~same]
    assert (different <= found).mean() <= fmr + 1e-9
    if np.isfinite(found):
        assert (different <= np.nextafter(np.float32(found), np.float32(np.inf))).mean() > fmr - 1e-9


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"same: wanted \(2,\) truth values, one a distance, got \(2,\) int64"):
        threshold_at([0.1, 0.2], [0, 1])
    with pytest.raises(ValueError, match="fmr: wanted 0 to 1, got 2"):
        threshold_at([0.1], [False], fmr=2)
    with pytest.raises(ValueError, match="distances: wanted numbers, found NaN"):
        threshold_at([np.nan], [False])
    with pytest.raises(ValueError, match="thresholds: wanted one or more finite numbers in a row"):
        rates(*of(FAR, *PIDS), thresholds=[np.nan])
    with pytest.raises(ValueError, match="junk: wanted one of market, bot"):
        rates(*of(FAR, *PIDS), thresholds=[1], junk="mine")
    with pytest.raises(ValueError, match="gallery_pid: wanted 4 values"):
        rates(*of(FAR, [7, 8, 9], [7]), thresholds=[1])


# Against others


@each(("mode", "junk"), [("inter-camera", "cuhk03"), ("intra-camera", "intra"), ("all", "none")])
def test_precision_and_recall_of_lightreid(shared: Path, mode: str, junk: str) -> None:
    file = golden.load(shared, "lightreid")
    far = np.sqrt(((file["q"].astype(float)[:, None] - file["g"].astype(float)) ** 2).sum(axis=2))
    pid = np.where(file["g_pid"] == -1, 10**6, file["g_pid"])  # they have no rule for -1
    labels = file["q_pid"], pid, file["q_cam"], file["g_cam"]
    found = rates(*of(far.astype(np.float32), *labels), thresholds=np.linspace(1, 0, 21), junk=junk)
    assert_allclose(found.precision, file[f"prerec_euclidean_{mode}_precision"], atol=1e-6)
    assert_allclose(found.recall, file[f"prerec_euclidean_{mode}_recall"], atol=1e-6)


def test_rates_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import f1_score, precision_score, recall_score

    random = np.random.default_rng(0)
    far = random.random((20, 50), np.float32)
    pid, all_pid = random.integers(0, 5, 20), random.integers(0, 5, 50)
    same = (pid[:, None] == all_pid).ravel()
    found = rates(*of(far, pid, all_pid), thresholds=[0.2, 0.6])
    for n, threshold in enumerate(found.thresholds):
        told = far.ravel() <= threshold
        assert found.precision[n] == pytest.approx(precision_score(same, told))
        assert found.recall[n] == pytest.approx(recall_score(same, told))
        assert found.f1[n] == pytest.approx(f1_score(same, told))
        assert found.fmr[n] == pytest.approx(told[~same].mean())


def test_threads_change_no_bit_and_inputs_stay() -> None:
    random = np.random.default_rng(1)
    far = random.random((60, 90), np.float32)
    before, labels = far.copy(), [random.integers(-1, high, n) for high in (9, 3) for n in far.shape]
    found: list[Rates] = []
    for threads in (1, 3):
        with using(threads=threads):
            found.append(rates(*of(far, *labels), thresholds=[0.1, 0.4]))
    for name in NAMES:
        assert getattr(found[0], name).tobytes() == getattr(found[1], name).tobytes()
    different_pairs(*of(far, *labels)).sort()
    assert_array_equal(far, before)


def test_the_curve_of_answers_is_that_of_the_nearest_images() -> None:
    random = np.random.default_rng(2)
    gallery = np.repeat(np.arange(12), 3)
    query = random.integers(0, 20, 60)
    far = random.integers(0, 9, (60, 36)).astype(np.float32) / 8
    first = by_identity(far, gallery)
    curve = identification(first.distances[:, 0], first.pids[:, 0] == query, np.isin(query, gallery))
    labels = Labels.checked(far.shape, query, gallery)
    found = rates(far, labels, thresholds=curve.thresholds[1:], junk="none")
    np.testing.assert_allclose(curve.false_alarm[1:], found.false_alarm)
    np.testing.assert_allclose(curve.dir[1:], found.dir)
    assert (curve.false_alarm[0], curve.dir[0]) == (0, 0)
    assert curve.at(-1.0) == (0, 0)
    assert curve.at(9.0) == (found.false_alarm[-1], found.dir[-1])


def test_a_curve_of_nobody_and_refusals() -> None:
    curve = identification([np.inf, 0.5], [False, True], [True, True])
    assert np.isnan(curve.false_alarm).all()
    assert curve.dir.tolist() == [0, 0.5]  # who has no identity is never told one
    with pytest.raises(ValueError, match="first, right, mated: wanted three rows of one length"):
        identification([0.1], [True, False], [True])
