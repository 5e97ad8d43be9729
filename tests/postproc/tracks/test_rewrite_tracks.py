"""Whole tracks in the ranking: by hand, against the definition, against released lists."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from ensemble.scores import score
from ensemble.scores.protocols import PROTOCOLS
from postproc import rank, rewrite_ranking, rewrite_tracks
from postproc.kernels import reference
from tests.support import golden
from tests.support.each import each
from tests.support.worlds import passages

FAR = np.array([[0.4, 0.2, 0.6, 0.1, 0.5, 0.3]], np.float32)
TRACK = np.array([7, 3, 3, 7, -1, 3])
SETTINGS = st.fixed_dictionaries(
    {
        "by": st.sampled_from(["first_hit", "vote"]),
        "inside": st.sampled_from(["nearest", "listed"]),
        "depth": st.integers(1, 12),
        "offset": st.sampled_from([0.5, 5.0]),
    }
)


@st.composite
def galleries(draw, values):
    """Distances, tracks and places of a few images; ``values`` (ng) draws a row of distances."""
    ng = draw(st.integers(1, 10))
    far = np.array([draw(values(ng)) for _ in range(draw(st.integers(1, 3)))], np.float32)
    track, place = (
        draw(arrays(np.int64, ng, elements=st.sampled_from(names))) for names in ([-1, 0, 1, 9], [-3, 0, 5])
    )
    return far, track, place


TIED = galleries(lambda ng: st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, np.inf]), min_size=ng, max_size=ng))
DISTINCT = galleries(lambda ng: st.permutations(range(ng)))


def test_by_hand():
    # the ranking is 3 1 5 0 4 2: track 7 is hit first, then track 3, then the image of none
    assert_array_equal(rank(rewrite_tracks(FAR, TRACK)), [[3, 0, 1, 5, 2, 4]])
    assert_array_equal(rewrite_tracks(FAR, TRACK), [[1, 2, 4, 0, 5, 3]])
    assert_array_equal(rewrite_ranking(rank(FAR), TRACK), [[3, 0, 1, 5, 2, 4]])


def test_votes_by_hand():
    # places from 0: track 7 has 0 and 3, track 3 has 1, 2 and 5, the image of none has 4
    # (1/5 + 1/8) / sqrt 2 = 0.230    (1/6 + 1/7 + 1/10) / sqrt 3 = 0.236    1/9 = 0.111
    assert_array_equal(rank(rewrite_tracks(FAR, TRACK, by="vote")), [[1, 5, 2, 3, 0, 4]])
    # the first two alone: 1/5 / sqrt 2 = 0.141, 1/6 / sqrt 3 = 0.096, nothing
    assert_array_equal(rank(rewrite_tracks(FAR, TRACK, by="vote", depth=2)), [[3, 0, 1, 5, 2, 4]])


def test_the_order_of_the_track_file():
    order = np.array([0, 2, 0, 1, 0, 1])
    assert_array_equal(rank(rewrite_tracks(FAR, TRACK, order, inside="listed")), [[0, 3, 2, 5, 1, 4]])
    assert_array_equal(rewrite_ranking(rank(FAR), TRACK, order, inside="listed"), [[0, 3, 2, 5, 1, 4]])
    assert_array_equal(rewrite_ranking(rank(FAR), TRACK, order, inside="listed", top_k=4), [[0, 3, 2, 5]])
    assert_array_equal(rank(rewrite_tracks(FAR, TRACK, inside="listed")), [[0, 3, 1, 2, 5, 4]])  # by row


def test_infinity_is_not_returned_and_hits_nothing():
    far = np.array([[np.inf, 0.4, 0.5, np.inf], [np.inf, np.inf, np.inf, 0.1]], np.float32)
    found = rewrite_tracks(far, np.array([7, 3, 7, 7]))
    assert_array_equal(found, [[np.inf, 0, 1, np.inf], [np.inf, np.inf, np.inf, 0]])


def test_what_is_level_shares_a_place():
    far = np.array([[1, 1, 1, 1, 2]], np.float32)
    # track 2 before track 4, whose two images share place 1, then two of no track share place 3
    assert_array_equal(rewrite_tracks(far, np.array([4, 2, -1, -1, 2])), [[2, 0, 3, 3, 1]])
    assert_array_equal(rewrite_tracks(far[:, :4], np.array([4, 4, 2, -1])), [[1, 1, 0, 3]])


def test_a_short_list_is_filled_up_from_its_tracks():
    track = np.array([5, 5, 6, 6, 5, -1])
    assert_array_equal(rewrite_ranking(np.array([[4, 2]]), track), [[4, 0]])
    assert_array_equal(rewrite_ranking(np.array([[4, 2]]), track, top_k=9), [[4, 0, 1, 2, 3, -1]])
    assert_array_equal(rewrite_ranking(np.array([[5, -1, -1]]), track), [[5, -1, -1]])
    assert_array_equal(rewrite_ranking(np.array([[2, 4, 2, 0]]), track), [[2, 3, 4, 0]])  # 2 counts once
    # (1/6) / sqrt 2 = 0.118 against (1/5 + 1/7) / sqrt 3 = 0.198
    assert_array_equal(rewrite_ranking(np.array([[0, 3, 4]]), track, by="vote"), [[0, 4, 1]])


@settings(max_examples=150)
@given(gallery=TIED, setting=SETTINGS)
def test_equals_the_definition(gallery, setting):
    far, track, place = gallery
    found = rewrite_tracks(far, track, place, **setting)
    assert_array_equal(np.isinf(found), np.isinf(far))
    wanted = reference.rewriting.rewrite_tracks(far, track, place, **setting)
    for places, distance, images in zip(found, far, wanted, strict=True):
        assert sorted(images) == np.flatnonzero(np.isfinite(distance)).tolist()
        for at, image in enumerate(images):
            before = images[at - 1]
            key = place if setting["inside"] == "listed" and track[image] >= 0 else distance
            level = at > 0 and track[image] == track[before] and key[image] == key[before]
            assert places[image] == (places[before] if level else at)


@settings(max_examples=100)
@given(gallery=DISTINCT, setting=SETTINGS, top_k=st.integers(1, 12))
def test_rankings_are_rewritten_alike(gallery, setting, top_k):
    far, track, place = gallery
    place = np.argsort(place, kind="stable")  # no two at one place
    wanted = rank(rewrite_tracks(far, track, place, **setting))
    assert_array_equal(rewrite_ranking(rank(far), track, place, **setting), wanted)
    assert_array_equal(rewrite_ranking(rank(far), track, place, **setting, top_k=top_k), wanted[:, :top_k])
    if setting["by"] == "first_hit" and setting["inside"] == "listed":  # then a list that is cut holds enough
        short = rewrite_ranking(rank(far, top_k=top_k), track, place, inside="listed")
        assert_array_equal(short, wanted[:, :top_k])


@each("seed", range(3))
def test_it_helps_where_tracks_are_right(seed):
    data = passages(seed)
    labels, protocol = (data["query_pid"], data["gallery_pid"]), PROTOCOLS["none"]
    scores = [
        score(far, *labels, protocol=protocol).mAP
        for far in (
            data["distances"],
            rewrite_tracks(data["distances"], data["gallery_track"]),
            rewrite_tracks(data["distances"], data["gallery_track"], by="vote"),
        )
    ]
    assert scores[0] + 0.1 < scores[1] < scores[2]


@each("top", [30, 100])
def test_voc_submissions(shared, top):
    file = golden.load(shared, "voc")
    order = np.argsort(file["track_file_order_ids"])  # image -> its place in the file
    ranking, track = file["voc_argsort_top100"], file["g_track"]
    released = file[f"voc_rewritten_top{top}"] - 1
    assert_array_equal(rewrite_ranking(ranking[:, :top], track, order, inside="listed"), released)
    assert_array_equal(rewrite_ranking(ranking, track, order, inside="listed", top_k=top), released)


def test_voc_whole_rankings(shared):
    file = golden.load(shared, "voc")
    order = np.argsort(file["track_file_order_ids"])
    ranking = rank(rewrite_tracks(file["voc_mean3"], file["g_track"], order, inside="listed"))
    assert_array_equal(ranking, file["voc_rerank_indice_by_track_full"])


def test_real_submissions_are_of_whole_tracks_already(shared):
    city = np.load(shared / "aicity2021_track2.npz")
    track = city["gallery_track"].astype(int)
    lists = city["submissions"].reshape(-1, 100).astype(int) - 1
    found = rewrite_ranking(lists, track)
    assert_array_equal(found, lists)


def test_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match=r"^ranking: wanted gallery rows 0 to 1, or -1, got 2$"):
        rewrite_ranking(np.array([[0, 2]]), np.array([0, 0]))
    with pytest.raises(TypeError, match=r"^ranking: wanted whole numbers, got float64$"):
        rewrite_ranking(np.array([[0.0, 1.0]]), np.array([0, 0]))
    with pytest.raises(ValueError, match=r"^ranking: wanted 2 dimensions, got shape \(2,\)$"):
        rewrite_ranking(np.array([0, 1]), np.array([0, 0]))
    with pytest.raises(ValueError, match=r"^top_k: wanted a whole number, 1 or more, got 0$"):
        rewrite_ranking(np.array([[0, 1]]), np.array([0, 0]), top_k=0)
    with pytest.raises(ValueError, match=r"^gallery_order: wanted 2 values"):
        rewrite_ranking(np.array([[0, 1]]), np.array([0, 0]), np.array([1]))
