"""Recall of lists, worked by hand and against a search of everything."""

import re
from dataclasses import replace

import numpy as np
import pytest

from postproc import ApproximateNeighbours, NeighbourLists, neighbours, rerank, sqeuclidean, with_recall
from tests.postproc.pairs.test_listed import unit
from tests.support.each import each


def holed(lists, share, seed=0):
    """Lists in which a share of the entries other than the own image is nobody."""
    gone = np.random.default_rng(seed).random(lists.rows.shape) < share
    gone[:, 0] = False
    rows = np.where(gone, -1, lists.rows)
    return replace(lists, rows=rows, distances=np.where(gone, np.inf, lists.distances), exact=False), gone


@each("one_set", [False, True])
def test_the_share_that_is_there(one_set):
    x = unit(400)
    sides = (x,) if one_set else (x[:100], x[100:])
    lists, gone = holed(neighbours(*sides, k=10), 0.3)
    found = with_recall(lists, *sides)
    assert found.recall == pytest.approx(1 - gone[:, 1:].mean())
    assert (found.exact, found.rows is lists.rows) == (False, True)
    some = with_recall(lists, *sides, sample=50, seed=3)
    assert some.recall == with_recall(lists, *sides, sample=50, seed=3).recall != found.recall
    assert with_recall(neighbours(*sides, k=10), *sides).recall == 1


def test_ties_at_the_end_count_as_found():
    """From 0 both 1 and -1 are at distance 1: the list of one other may hold either."""
    x = np.array([[0.0], [1.0], [-1.0]], np.float32)
    for other in (1, 2):
        lists = NeighbourLists.given([[other], [0], [0]], [[1], [1], [1]], count_self=False, largest=4)
        assert with_recall(lists, x).recall == 1
    lists = NeighbourLists.given([[1], [2], [0]], [[1], [4], [1]], count_self=False, largest=4)
    assert with_recall(lists, x).recall == pytest.approx(2 / 3)


def test_copies_that_crowd_an_image_out_of_its_list():
    x = np.zeros((6, 2), np.float32)
    assert with_recall(neighbours(x, k=2), x).recall == 1


def test_one_image_has_nobody_to_miss():
    x = unit(1)
    assert with_recall(neighbours(x), x).recall == 1


@each(
    ("number", "message"),
    [
        (np.sqrt, "found Euclidean distances; give their squares"),
        (lambda d: d / 2, "found cosine distances; give twice these"),
        (lambda d: 1 - d / 2, "found similarities; give 2 - 2 s"),
    ],
)
def test_numbers_of_another_kind(number, message):
    x = unit(100)
    lists = neighbours(x, k=5)
    with pytest.raises(ValueError, match=re.escape(message)):
        with_recall(replace(lists, distances=number(lists.distances)), x)


def test_rough_distances_are_no_other_kind():
    x = unit(100)
    lists = neighbours(x, k=5)
    assert with_recall(replace(lists, distances=lists.distances * np.float32(1.05)), x).recall == 1


def test_lists_of_others():
    x = unit(50)
    for other, message in [(2 * x, "found lists of others"), (x[:40], "wanted lists of 40 images of one set")]:
        with pytest.raises(ValueError, match=message):
            with_recall(neighbours(x, k=5), other)
    with pytest.raises(ValueError, match="sample: wanted"):
        with_recall(neighbours(x, k=5), x, sample=-1)
    pairs = sqeuclidean(x) + 0.5 * sqeuclidean(x[:, ::-1].copy())
    assert with_recall(neighbours(pairs, k=5), pairs).recall == 1


@each(("recall", "said"), [(None, "of unmeasured recall"), (0.9768, "of recall 0.977 in a sample")])
def test_an_answer_from_approximate_lists_says_so(recall, said):
    x = unit(60)
    lists = replace(neighbours(x), exact=False, recall=recall)
    for call in (lambda: rerank(x, neighbours=lists), lambda: rerank(neighbours=lists)):
        with pytest.warns(ApproximateNeighbours, match=f"the lists are approximate, {said}, and so is the answer"):
            call()
