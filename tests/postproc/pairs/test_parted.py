"""Lists made of pairs of parts have the bits of one walk."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import postproc
from postproc.pairs import parted, stored
from postproc.pairs.tiles import Lists
from tests.support.each import each


def features(count, width, seed=0, *, copies=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[rng.permutation(count)[:copies]] = rows[rng.integers(0, count, copies)]
    return rows.astype(dtype)


def in_parts(sides, k, most, seed=0):
    """The lists of all images from pairs of parts, in some order."""
    known = stored.known(sides)
    tiles = stored.tiles_of(sides, known)
    parts = parted.deal(known.layout, most)
    pairs = list(itertools.combinations_with_replacement(range(len(parts)), 2))
    found = {}
    for at in np.random.default_rng(seed).permutation(len(pairs)):
        i, j = pairs[at]
        both = parted.of_pair(tiles, parts[i], parts[j], k)
        for part, lists in zip((i,) if i == j else (i, j), both, strict=False):
            found[part] = lists if part not in found else parted.joined(found[part], lists, k)
    count = known.layout.count
    rows = np.full((count, min(k, count)), -9, np.int32)
    values, largest = np.zeros(rows.shape, np.float32), np.zeros(count, np.float32)
    for number, part in enumerate(parts):
        classes = slice(known.layout.blocks[part[0]].start, known.layout.blocks[part[-1]].stop)
        for images, lists in parted.of_images(found[number], known.layout, k, classes):
            rows[images], values[images], largest[images] = lists.rows, lists.values, lists.largest
    return Lists(rows, values, largest), len(parts)


def same(found, lists):
    np.testing.assert_array_equal(found.rows, lists.rows)
    np.testing.assert_array_equal(found.values, lists.distances)
    np.testing.assert_array_equal(found.largest, lists.largest)


@each("kind", ["unit", "copies", "common part", "half", "whole numbers", "few"])
@each("one_set", [True, False])
def test_the_bits_of_one_walk(kind, one_set):
    rows = {
        "unit": lambda: features(1300, 24),
        "copies": lambda: features(1300, 24, copies=400),
        "common part": lambda: features(1300, 24) * 2 + 40,
        "half": lambda: features(1300, 24, dtype=np.float16),
        "whole numbers": lambda: np.round(features(1300, 3) * 4),  # copies and ties everywhere
        "few": lambda: features(30, 8),
    }[kind]()
    sides = [rows] if one_set else [rows[: len(rows) // 5], rows[len(rows) // 5 :]]
    wanted = postproc.neighbours(*(side.astype(np.float32) for side in sides), k=11)
    for most, seed in ((200, 0), (500, 1), (10**6, 2)):
        found, parts = in_parts(sides, 12, most, seed)
        same(found, wanted)
        assert (parts > 1) == (stored.known(sides).layout.classes > most)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_joining_is_associative_and_commutative(seed, k):
    rng = np.random.default_rng(seed)

    def some(start):
        values = rng.integers(0, 3, (4, k)).astype(np.float32)  # ties
        rows = np.stack([rng.permutation(10)[:k] + start for _ in range(4)]).astype(np.int32)
        order = np.lexsort((rows, values), axis=1)
        return Lists(np.take_along_axis(rows, order, 1), np.take_along_axis(values, order, 1), values.max(axis=1))

    a, b, c = some(0), some(10), some(20)
    left = parted.joined(parted.joined(a, b, k), c, k)
    for other in (parted.joined(a, parted.joined(b, c, k), k), parted.joined(parted.joined(c, a, k), b, k)):
        for name in ("rows", "values", "largest"):
            np.testing.assert_array_equal(getattr(left, name), getattr(other, name))
    best = sorted(
        zip(*(np.concatenate([getattr(x, n)[0] for x in (a, b, c)]) for n in ("values", "rows")), strict=True)
    )
    assert left.rows[0].tolist() == [int(row) for _, row in best[:k]]


def test_who_is_in_both_lists_stands_once():
    """Of distances 1, 2, 4 and 2, 3, 5, where 2 is the same image, the nearest three are 1, 2, 3."""

    def one(rows, values):
        return Lists(np.array([rows], np.int32), np.array([values], np.float32), np.array(values[-1:], np.float32))

    found = parted.joined(one([7, 4, 1], [1, 2, 4]), one([4, 9, 8], [2, 3, 5]), 3)
    assert found.rows.tolist() == [[7, 4, 9]]
    assert found.values.tolist() == [[1, 2, 3]]
    assert found.largest.tolist() == [5]
    twice = parted.joined(one([7], [1]), one([7], [1]), 2)
    assert twice.rows.tolist() == [[7, 2**31 - 1]]
    assert twice.values.tolist() == [[1, np.inf]]


def test_rows_are_read_across_matrices():
    first, second = features(5, 3).astype(np.float16), features(4, 3, 1)
    whole = np.concatenate([first.astype(np.float32), second])
    rows = stored.Stored([first, second])
    np.testing.assert_array_equal(rows[0:9], whole)
    np.testing.assert_array_equal(rows[3:7], whole[3:7])
    np.testing.assert_array_equal(rows[np.array([8, 0, 5])], whole[[8, 0, 5]])
    np.testing.assert_array_equal(stored.Stored([first, second], np.array([6, 2]))[0:2], whole[[6, 2]])


def test_features_that_are_not_finite_are_refused():
    rows = features(300, 4)
    rows[7, 2] = np.nan
    with pytest.raises(ValueError, match=r"features: wanted finite numbers, found NaN or infinity in row 7"):
        stored.known([rows])
    with pytest.raises(ValueError, match=r"gallery: wanted finite numbers, .* in row 7"):
        stored.known([features(3, 4), rows])
