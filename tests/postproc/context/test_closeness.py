"""How far images lie in groups, by hand, and what re-ranking at several scales makes of it."""

import numpy as np
import pytest

from postproc import l2_normalize, rerank_multiscale
from postproc.base import remarks
from postproc.context.closeness import closeness, over_chance
from postproc.context.rerank_multiscale import SCALES, USUAL, _weighed
from postproc.pairs.nearest import Lists
from tests.support.each import each


def lists(rows):
    rows = np.array(rows, np.int32)
    return Lists(rows, np.zeros(rows.shape, np.float32), np.ones(len(rows), np.float32))


def test_two_groups_of_three():
    """Each names both others of its group, and each of those one of them: 1 of 2, by chance 1 of 5."""
    rows = [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 4, 5], [4, 3, 5], [5, 3, 4]]
    assert closeness(lists(rows)) == pytest.approx((1 / 2 - 1 / 5) / (1 - 1 / 5))


def test_a_ring_has_nothing_in_common():
    """Each names both beside it; of those one names it and another: 0 of 2, less than chance."""
    rows = [[i, (i - 1) % 6, (i + 1) % 6] for i in range(6)]
    assert closeness(lists(rows)) == 0


def test_two_images_and_no_lists():
    assert closeness(lists([[0, 1], [1, 0]])) == 0
    assert closeness(lists([[0]])) == 0


def test_everybody_in_every_list_says_nothing():
    assert over_chance(shared=4 * 3 * 2, images=4, k=3) == 0


def test_the_usual_changes_nothing():
    share, counts = _weighed(USUAL, 0.5, 1.0, [3, 40])
    assert (share, counts) == (0.5, [0.5, 0.5])


def test_groups_make_neighbourhoods_count_more_and_wide_scales_most():
    """x = 2: share 1 / (1 + 2 ** 2), scales as 4 and 16 to the power of ln(2) / 2, that is by 4 ** .35 = 1.62."""
    share, counts = _weighed(2 * USUAL, 0.5, 1.0, [4, 16])
    assert share == pytest.approx(0.2)
    assert counts[1] / counts[0] == pytest.approx(1.617, abs=1e-3)


@each("adapt", [0.0, 0.5, 1.0])
@each("close", [0.0, 0.01, 1.0])
def test_the_ends_stay_the_ends(close, adapt):
    assert _weighed(close, 1.0, adapt, [3])[0] == 1
    assert _weighed(close, 0.0, adapt, [3])[0] == 0
    share, counts = _weighed(close, 0.5, adapt, [k for k, _ in SCALES])
    assert 0 < share <= 1
    assert sum(counts) == pytest.approx(1)


def test_it_says_what_it_saw_to_who_listens():
    images = l2_normalize(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    with remarks.listening() as heard:
        found = rerank_multiscale(images[:20], images[20:])
    assert (found == rerank_multiscale(images[:20], images[20:])).all()
    (said,) = heard
    assert "of their 10 nearest in common" in said
    assert "from the nearest gallery images" in said
