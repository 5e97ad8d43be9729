"""Pair scores that re-order what they know: by hand, on lists, and through a recipe's table of pairs."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.fusion import reorder_pairs
from ensemble.scores import score
from postproc import distances, l2_normalize

NAN, INF = np.nan, np.inf


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_by_hand():
    # the places .2, .3 and .4 are dealt to the scores 9, 7 and 5
    assert_array_equal(reorder_pairs([row(0.1, 0.2, 0.3, 0.4), -row(NAN, 5, 9, 7)]), row(0.1, 0.4, 0.2, 0.3))
    # the mean of two matchers, of which one knows more: 3, 2 and 8; ties by the leader, then by column
    found = reorder_pairs([row(0.3, 0.2, 0.1), -row(4, 2, 8), -row(2, NAN, NAN)])
    assert_array_equal(found, row(0.2, 0.3, 0.1))
    assert_array_equal(reorder_pairs([row(0.3, 0.2, 0.2), -row(1, 1, 1)]), row(0.3, 0.2, 0.2))
    assert_array_equal(reorder_pairs([-row(5, 9), row(0.1, 0.2)], leader=1), row(0.2, 0.1))


def test_what_is_not_known_stays():
    far = row(0.4, INF, NAN, 0.1, 0.2)
    found = reorder_pairs([far, row(-9, -9, -9, NAN, INF)])
    assert found[0, [0, 1, 3, 4]].tolist() == [np.float32(0.4), INF, np.float32(0.1), INF]
    assert found[0, 2] == np.nextafter(np.float32(0.4), INF)
    assert_array_equal(reorder_pairs([row(0.3, 0.2)]), row(0.3, 0.2))


def test_queries_stand_alone_and_what_is_behind_a_list_changes_nothing():
    far, scores = np.random.default_rng(0).random((2, 6, 20)).astype(np.float32)
    scores[far > np.sort(far, axis=1)[:, 7:8]] = NAN  # a shortlist of eight
    found = reorder_pairs([far, scores])
    assert_array_equal(np.sort(found, axis=1), np.sort(far, axis=1))
    padded = [np.pad(part[2:4], ((0, 0), (0, 3)), constant_values=INF) for part in (far, scores)]
    assert_array_equal(reorder_pairs(padded)[:, :20], found[2:4])


def test_another_model_re_orders_the_head_of_real_lists(shared):
    data = np.load(shared / "viper_feats.npz")
    first = data["cam"] == data["cam"].min()
    weak, strong = (
        distances(*(l2_normalize(data[model][rows].astype(np.float32)) for rows in (first, ~first)))
        for model in ("osnet_x0_25", "omz0277")
    )
    table = np.where(weak <= np.sort(weak, axis=1)[:, 24:25], strong, np.float32(NAN))  # the 25 nearest
    labels = [data[of][rows] for of in ("id", "cam") for rows in (first, ~first)]
    plain, found, whole = (score(far, *labels).mAP for far in (weak, reorder_pairs([weak, table]), strong))
    assert plain + 0.01 < found
    assert found < whole  # what the shortlist lacks, nobody brings back


def test_refuses():
    with pytest.raises(ValueError, match="leader: wanted the number of a part, 0 to 1, got 2"):
        reorder_pairs([row(1), row(2)], leader=2)
