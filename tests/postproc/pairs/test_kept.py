"""Strips that are kept between walks: the same bits and the same order, wherever there is room or not."""

from unittest.mock import patch

import pytest
from numpy.testing import assert_array_equal

from postproc import sinkhorn, sqeuclidean, using
from postproc.base import machine
from postproc.pairs import answering, kept, layout
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=300, ng=150)
QUERY, GALLERY = DATA["query"], DATA["gallery"]


@pytest.fixture(autouse=True)
def short_strips():
    """So many as there are blocks, not one."""
    with patch.object(layout, "STRIP", 1), patch.object(layout, "tall_of", lambda ng, strip=1: 40):
        yield


def strips_of(tiles):
    """Of distances, where there is room."""
    return kept.Strips(lambda use, asked: answering.strips(tiles, use, what="strips", asked=asked), kept.room())


def walks(strips, count):
    """What each of some walks is handed."""
    found = []
    for _ in range(count):
        parts = []
        strips.walk(lambda strip, queries, parts=parts: parts.append((strip.copy(), queries)))
        found.append(parts)
    return found


@each("free", [0, 2 * 4 * 150 * 100, 1 << 40])
def test_every_walk_hands_out_the_same(free):
    with patch.object(machine, "free_memory", lambda: free):
        tiles = PairwiseTiles(sqeuclidean(QUERY, GALLERY))
        strips = strips_of(tiles)
        first, *others = walks(strips, 3)
    assert len(first) > 5
    assert {0: len(strips.kept) == 0, 1 << 40: len(strips.kept) == len(first)}.get(
        free, 0 < len(strips.kept) < len(first)
    )
    for other in others:
        assert len(other) == len(first)
        for ours, theirs in zip(other, first, strict=True):
            assert_array_equal(ours[1], theirs[1])
            assert_array_equal(ours[0], theirs[0])


@each("one_set", [False, True])
def test_room_changes_no_bit_of_an_answer(one_set):
    sides = (QUERY, None) if one_set else (QUERY, GALLERY)
    found = []
    for free in (0, 2 * 4 * 150 * 100, 1 << 40):
        with (
            patch.object(machine, "free_memory", lambda free=free: free),
            patch.dict("os.environ", {"REID_MEMORY_CHECK": "0"}),
        ):
            found.append([sinkhorn(*sides, half_rounds=rounds, top_k=7) for rounds in (5, 7)])
    for others in found[1:]:
        for other, first in zip(others, found[0], strict=True):
            assert_array_equal(other.rows, first.rows)
            assert_array_equal(other.distances, first.distances)


def test_distances_are_computed_once_where_there_is_room():
    with patch.object(machine, "free_memory", lambda: 1 << 40):
        with patch.object(answering, "_tile", wraps=answering._tile) as often:
            sinkhorn(QUERY, GALLERY, half_rounds=1, top_k=3)
            once = often.call_count
            sinkhorn(QUERY, GALLERY, half_rounds=20, top_k=3)
            assert often.call_count == 2 * once
        with (
            using(memory="1MB"),
            patch.object(kept, "MOST", 0),
            patch.object(answering, "_tile", wraps=answering._tile) as anew,
        ):
            sinkhorn(QUERY, GALLERY, half_rounds=20, top_k=3)
    assert anew.call_count == 11 * once


def test_room_is_what_is_free_wanted_and_allowed():
    with patch.object(machine, "free_memory", lambda: 1 << 40):
        assert kept.room() == kept.MOST
        with using(memory=5_000_000):
            assert kept.room() == 5_000_000
    with patch.object(machine, "free_memory", lambda: None):
        assert kept.room() == 0
