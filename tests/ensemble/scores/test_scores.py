"""Scores by hand, what they say of themselves, what they refuse, and how they run."""

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.base.errors import InputError
from ensemble.scores import PROTOCOLS, Protocol, Scores, cmc_all_shots, score, score_ranking
from ensemble.scores.rules import JUNK
from postproc.base import runtime
from tests.support.each import each

LAYUMI = Protocol("trapezoid", "all", "market")
OPENREID = Protocol("sklearn", "valid", "bot")
NOTHING_REMOVED = PROTOCOLS["none"]


def at_places(places: list[int], size: int = 10, **setting: Any) -> Scores:
    """One query whose good images stand at ``places``."""
    pid = np.zeros(size, int)
    pid[places] = 7
    protocol = Protocol(**{"junk": "none", **setting})
    return score(np.arange(size, dtype=np.float32)[None], [7], pid, protocol=protocol)


# By hand


@each(
    ("places", "trapezoid", "rectangle"),
    [
        # before: 1, 1/2, 2/5; at: 1/1, 2/3, 3/6
        ([0, 2, 5], (1 + 1 + 1 / 2 + 2 / 3 + 2 / 5 + 3 / 6) / 6, (1 + 2 / 3 + 3 / 6) / 3),
        ([1], (0 + 1 / 2) / 2, 1 / 2),
        ([3, 4, 9], (0 + 1 / 4 + 1 / 4 + 2 / 5 + 2 / 9 + 3 / 10) / 6, (1 / 4 + 2 / 5 + 3 / 10) / 3),
        ([0], 1, 1),
        ([0, 1, 2], 1, 1),
        ([0, 1, 3, 6], (1 + 1 + 1 + 1 + 2 / 3 + 3 / 4 + 3 / 6 + 4 / 7) / 8, (1 + 1 + 3 / 4 + 4 / 7) / 4),
    ],
)
def test_average_precision_by_hand(places: list[int], trapezoid: float, rectangle: float) -> None:
    assert at_places(places, ap="trapezoid").mAP == pytest.approx(trapezoid, abs=1e-12)
    assert at_places(places, ap="rectangle").mAP == pytest.approx(rectangle, abs=1e-12)
    assert at_places(places, ap="sklearn").mAP == pytest.approx(rectangle, abs=1e-12)  # no ties


def test_published_values() -> None:
    assert round(at_places([0, 2, 5], ap="trapezoid").mAP, 10) == 0.6777777778
    assert round(at_places([3, 4, 9], ap="trapezoid").mAP, 10) == 0.2370370370
    assert round(at_places([0, 1, 3, 6], ap="rectangle").mAP, 4) == 0.8304
    assert round(at_places([0, 1, 3, 6], ap="trapezoid").mAP, 4) == 0.8110


def test_ranks_and_penalty_by_hand() -> None:
    scores = at_places([2, 6])
    assert scores.mINP == 2 / 7  # two good images, the last is the seventh
    assert scores.first_hit.tolist() == [2]
    assert scores.cmc.tolist() == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1]
    assert (scores.rank1, scores.rank5, scores.rank10) == (0, 1, 1)


def test_ties_go_by_gallery_row_or_as_one_block() -> None:
    distances, pid = np.array([[1, 0, 1, 1]], np.float32), [7, 8, 7, 8]  # ranking 1, 0, 2, 3
    rectangle = score(distances, [7], pid, protocol=NOTHING_REMOVED)
    assert rectangle.mAP == (1 / 2 + 2 / 3) / 2
    block = score(distances, [7], pid, protocol=Protocol("sklearn", junk="none"))
    assert block.mAP == (2 / 4 + 2 / 4) / 2
    cut = score(distances, [7], pid, protocol=Protocol("sklearn", junk="none", top_k=3))
    assert cut.mAP == (2 / 3 + 2 / 3) / 2


def test_junk_rules_by_hand() -> None:
    distances = np.array([[0, 1, 2, 3, 4]], np.float32)
    pid, cam = [7, -1, 0, 7, 7], [1, 2, 2, 2, 1]  # rows 0 and 4: the query's own camera
    found = {
        junk: score(
            distances,
            [7],
            pid,
            [1],
            cam,
            query_image=[50],
            gallery_image=[50, 51, 52, 53, 54],
            protocol=Protocol(junk=junk),
        ).mAP
        for junk in JUNK
        if set(JUNK[junk].columns) <= {"pid", "cam"}
    }
    assert found == {
        "market": 1 / 2,  # rows 2, 3
        "bot": 1 / 3,  # rows 1, 2, 3
        "none": pytest.approx((1 / 1 + 2 / 4 + 3 / 5) / 3),
        "self": (1 / 3 + 2 / 4) / 2,  # rows 1 to 4
        "all": (1 / 2 + 2 / 3) / 2,  # rows 2, 3, 4
        "intra": 1,  # row 4
        "cuhk03": 1 / 3,  # rows 1, 2, 3
        "sysu": pytest.approx((1 / 1 + 2 / 4 + 3 / 5) / 3),  # the query is not of camera 3
        "sysu_indoor": pytest.approx((1 / 1 + 2 / 4 + 3 / 5) / 3),
    }


def test_sysu_rules_by_hand() -> None:
    distances = np.array([[0, 1, 2, 3, 4]], np.float32)
    pid, cam = [7, 8, 8, 8, 7], [2, 2, 4, 1, 1]
    found = {
        (camera, junk): score(distances, [7], pid, [camera], cam, protocol=Protocol(junk=junk)).mAP
        for camera in (3, 6)
        for junk in ("sysu", "sysu_indoor")
    }
    assert found == {
        (3, "sysu"): 1 / 3,  # rows 2, 3, 4: cameras 3 and 2 share a place
        (3, "sysu_indoor"): 1 / 2,  # rows 3, 4
        (6, "sysu"): (1 / 1 + 2 / 5) / 2,
        (6, "sysu_indoor"): (1 / 1 + 2 / 4) / 2,  # rows 0, 1, 3, 4
    }


def test_minus_one_is_a_distractor_unless_the_rule_is_market() -> None:
    distances, pid = np.array([[0, 1], [0, 1]], np.float32), [-1, 7]
    assert_array_equal(score(distances, [-1, 7], pid, protocol=PROTOCOLS["veri"]).ap, [np.nan, 1 / 2])
    market = score(distances, [-1, 7], pid)
    assert (market.without_match.tolist(), market.unknown.tolist()) == ([], [0])
    assert market.mAP == 1  # row 0 is removed


def test_denominators() -> None:
    distances = np.array([[1, 0], [0, 1]], np.float32)
    valid = score(distances, [7, 9], [7, 8], protocol=Protocol(denominator="valid"))
    whole = score(distances, [7, 9], [7, 8], protocol=Protocol(denominator="all"))
    assert (valid.mAP, valid.rank1, valid.rank5, valid.mINP) == (1 / 2, 0, 1, 1 / 2)
    assert (whole.mAP, whole.rank1, whole.rank5, whole.mINP) == (1 / 4, 0, 1 / 2, 1 / 4)
    assert valid.without_match.tolist() == whole.without_match.tolist() == [1]
    assert_array_equal(valid.ap, [1 / 2, np.nan])
    assert_array_equal(valid.first_hit, [1, -1])


def test_cut_divides_by_all_good_images() -> None:
    scores = at_places([0, 3, 5], top_k=4)
    assert scores.mAP == (1 + 2 / 4) / 3
    assert scores.mINP == 0  # the last one is never shown
    assert scores.cmc.tolist() == [1, 1, 1, 1]


def test_what_the_precisions_are_divided_by() -> None:
    found = {divide: at_places([0, 3, 5], top_k=4, divide=divide).mAP for divide in ("all", "found")}
    assert found == {"all": (1 + 2 / 4) / 3, "found": (1 + 2 / 4) / 2}
    assert at_places([0, 3, 5], top_k=2, divide="cut").mAP == 1 / 2  # three good images, two places
    assert at_places([0, 3, 5], top_k=8, divide="cut").mAP == pytest.approx((1 + 2 / 4 + 3 / 6) / 3)
    with pytest.raises(ValueError, match="wanted a query with a match, found none"):
        at_places([8], top_k=4, divide="found")


def test_a_cut_before_removal_counts_what_is_removed() -> None:
    distances, labels = np.array([[0, 1, 2, 3]], np.float32), ([7], [7, 7, 8, 7], [1], [1, 2, 2, 2])
    ranking = np.array([[0, 1, 2, 3]], np.int32)  # row 0 is removed
    for top_k, cut, wanted in [(3, "after", (1 + 2 / 3) / 2), (3, "before", 1 / 2), (2, "before", 1 / 2)]:
        protocol = Protocol(junk="bot", top_k=top_k, cut=cut)
        assert score(distances, *labels, protocol=protocol).mAP == wanted
        assert score_ranking(ranking, *labels, protocol=protocol).mAP == wanted
    short = Protocol(junk="bot", top_k=3, cut="before")
    assert score_ranking(ranking[:, :3], *labels, protocol=short).mAP == 1 / 2  # what a server is sent
    with pytest.raises(InputError, match="wanted 3 places before removal, found shorter lists"):
        score_ranking(ranking[:, :2], *labels, protocol=short)
    with pytest.raises(ValueError, match="cut: wanted after for ap sklearn"):
        Protocol("sklearn", cut="before")


def test_identities_before_the_first_good_image() -> None:
    pid = [8, 8, 9, 7, 8, 7]  # of 8 and 9 there are three images before
    identities = score(
        np.arange(6, dtype=np.float32)[None], [7], pid, protocol=Protocol(junk="none", cmc="identities")
    )
    assert identities.cmc.tolist() == [0, 0, 1]  # three identities
    assert identities.mAP == (1 / 4 + 2 / 6) / 2
    listed = score_ranking(np.arange(6)[None], [7], pid, protocol=identities.protocol)
    assert_array_equal(listed.cmc, identities.cmc)


def test_first_places_recall_and_precision() -> None:
    scores = at_places([1, 3, 8], top_k=4)
    assert (scores.mrr, scores.recall, scores.precision) == (1 / 2, 2 / 3, 2 / 4)
    assert [scores.rank(k) for k in (1, 2, 4, 99)] == [0, 1, 1, 1]
    found = at_places([1, 3, 8], top_k=4, divide="found")  # which says nothing of what the others are of
    assert (found.recall, found.precision, found.mINP) == (2 / 3, 2 / 4, 0)
    with pytest.raises(ValueError, match="k: wanted a whole number, 1 or more, got 0"):
        scores.rank(0)


def test_final_score() -> None:
    scores = at_places([1, 3], final="naic")
    assert scores.final == (0 + (1 / 2 + 2 / 4) / 2) / 2
    assert "final 0.2500" in scores.text()
    assert at_places([1, 3]).final == (1 / 2 + 2 / 4) / 2


def test_infinitely_far_is_never_returned() -> None:
    inf = np.inf
    scores = score(np.array([[inf, 0, 1], [inf, 0, 1]], np.float32), [7, 9], [7, 8, 7], protocol=LAYUMI)
    assert scores.ap[0] == (0 + 1 / 2) / 2 / 2
    assert scores.inp[0] == 0
    missed = score(np.array([[inf, 0, 1]], np.float32), [7], [7, 8, 8])
    assert (missed.mAP, missed.rank10, missed.mINP) == (0, 0, 0)
    assert missed.first_hit.tolist() == [-1]
    assert len(missed.without_match) == 0


def test_all_shots_by_hand() -> None:
    # 0 wrong ones before the first, 1 before the second and the third
    shares = cmc_all_shots(np.arange(4, dtype=np.float32)[None], [7], [7, 8, 7, 7], junk="none", length=3)
    assert_allclose(shares, [1 / 3, 1, 1])


# What is said


def test_description_names_every_setting_and_a_missing_camera() -> None:
    text = Protocol("trapezoid", "all", "bot", 100).describe()
    for part in (
        "trapezoid divided by all",
        "denominator all",
        "junk bot",
        "top_k 100 after removal",
        "of images",
    ):
        assert part in text
    assert "no cameras" not in text
    distances = np.zeros((1, 2), np.float32)
    assert "no cameras given: nothing removed for the camera" in score(distances, [7], [7, 8]).describe()
    assert "no cameras" not in score(distances, [7], [7, 8], [1], [2, 2]).describe()
    assert "no cameras" not in score(distances, [7], [7, 8], protocol=NOTHING_REMOVED).describe()


def test_json_is_plain_and_whole() -> None:
    random = np.random.default_rng(0)
    scores = score(random.random((3, 60), np.float32), [1, 2, 9], random.integers(1, 3, 60))
    found = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert [found[name] for name in ("mAP", "rank1", "rank5", "rank10", "mINP")] == [
        scores.mAP,
        scores.rank1,
        scores.rank5,
        scores.rank10,
        scores.mINP,
    ]
    assert found["cmc"] == scores.cmc[:50].tolist()
    assert (found["queries"], found["queries_without_match"]) == (3, 1)
    protocol = found["protocol"]
    assert [protocol[name] for name in ("ap", "denominator", "junk", "top_k")] == [
        "rectangle",
        "valid",
        "market",
        None,
    ]
    assert protocol["cameras"] is False
    assert protocol["description"] == scores.describe()


# What is refused


@each(
    ("setting", "message"),
    [
        ({"ap": "oxford"}, "ap: wanted one of rectangle, trapezoid, sklearn, got 'oxford'"),
        ({"denominator": "some"}, "denominator: wanted one of all, valid"),
        ({"junk": "duke"}, "junk: wanted one of market, bot, none"),
        ({"top_k": 0}, "top_k: wanted a whole number, 1 or more, got 0"),
    ],
)
def test_refuses_settings(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Protocol(**setting)


def test_refuses_bad_data() -> None:
    distances = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match="query_pid: wanted 2 values"):
        score(distances, [1], [1, 2, 3])
    with pytest.raises(ValueError, match="gallery_cam: wanted 3 values"):
        score(distances, [1, 2], [1, 2, 3], [1, 1], [1, 1])
    with pytest.raises(TypeError, match="gallery_pid: wanted whole numbers, got float64"):
        score(distances, [1, 2], [1.0, 2.0, 2.5])
    with pytest.raises(ValueError, match="wanted both or neither, got only query_cam"):
        score(distances, [1, 2], [1, 2, 3], [1, 1])
    with pytest.raises(ValueError, match="cmc_length: wanted a whole number, 1 or more, got 0"):
        score(distances, [1, 2], [1, 2, 3], cmc_length=0)
    distances[1, 2] = np.nan
    with pytest.raises(ValueError, match=r"distances: wanted numbers or \+inf, found NaN or -inf first in row 1"):
        score(distances, [1, 2], [1, 2, 3])


def test_no_match_at_all_gives_a_reason_and_no_number() -> None:
    with pytest.raises(
        ValueError,
        match=r"none among 2: 0 are of unknown identity \(-1\), 1 of one that the gallery lacks, 1 meet",
    ):
        score(np.zeros((2, 2), np.float32), [7, 9], [7, 8], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="none among 0"):
        score(np.zeros((0, 2), np.float32), np.zeros(0, int), [7, 8])
    with pytest.raises(ValueError, match="none among 1"):
        cmc_all_shots(np.zeros((1, 2), np.float32), [9], [7, 8])


def test_refuses_lists_that_cannot_be_scored() -> None:
    pids = [7, 7], [7, 8, 9, 7, 9]
    cut = Protocol(junk="none", top_k=2)
    with pytest.raises(InputError) as caught:
        score_ranking(np.array([[0, 0, 1], [1, -1, 0]]), *pids, protocol=cut)
    assert caught.value.problems == [
        "rows: wanted every gallery row once, found one again (queries 0)",
        "rows: wanted -1 only at the end, found a row behind it (queries 1)",
    ]
    with pytest.raises(InputError, match=r"wanted 0 to 4, or -1 for none, found others in queries 1"):
        score_ranking(np.array([[0, 1], [0, 5]]), *pids, protocol=cut)
    with pytest.raises(InputError, match="wanted all 5 gallery rows, because the protocol has no cut"):
        score_ranking(np.array([[0, 1], [1, 0]]), *pids)
    with pytest.raises(TypeError, match="rows: wanted whole numbers, got float64"):
        score_ranking(np.array([[0.0, 1.0]]), [7], pids[1], protocol=cut)
    with pytest.raises(ValueError, match=r"rows: wanted \(queries, places\), got shape"):
        score_ranking(np.array([0, 1]), [7], pids[1], protocol=cut)


def test_a_list_must_hold_the_cut_after_removal() -> None:
    pid, cam = [7, 8, 9, 7, 9], [1, 1, 1, 2, 2]
    cut = Protocol(junk="bot", top_k=2)
    with pytest.raises(InputError, match=r"wanted 2 places after removal, found shorter lists; .*\(queries 0\)"):
        score_ranking(np.array([[0, 3]]), [7], pid, [1], cam, protocol=cut)  # row 0 is removed, one place is left
    assert score_ranking(np.array([[0, 1, 3]]), [7], pid, [1], cam, protocol=cut).mAP == 1 / 2
    assert (
        score_ranking(np.array([[0, 3, -1]]), [7], pid, [1], cam, protocol=cut).mAP == 1
    )  # nothing else is returned


# How it runs


def test_threads_and_blocks_change_no_bit() -> None:
    random = np.random.default_rng(1)
    distances = random.integers(0, 50, (83, 200)).astype(np.float32)
    labels = [random.integers(-1, high, n) for high in (9, 3) for n in (83, 200)]
    before = distances.copy()
    found = []
    for threads in (1, 2, 7):  # the size of a block follows the number of threads
        with runtime.using(threads=threads):
            scores = score(distances, *labels, protocol=OPENREID)
            shares = cmc_all_shots(distances, *labels)
        found.append(
            [np.float64(scores.mAP).tobytes(), scores.ap.tobytes(), scores.inp.tobytes(), shares.tobytes()]
        )
    assert found[0] == found[1] == found[2]
    assert_array_equal(distances, before)


def test_gallery_order_does_not_matter_without_ties() -> None:
    random = np.random.default_rng(2)
    distances = random.permuted(np.tile(np.arange(90, dtype=np.float32), (20, 1)), axis=1)
    pid, all_pid, cam, all_cam = (random.integers(0, high, n) for high in (9, 3) for n in (20, 90))
    mixed = random.permutation(90)
    one = score(distances, pid, all_pid, cam, all_cam)
    other = score(distances[:, mixed], pid, all_pid[mixed], cam, all_cam[mixed])
    assert_array_equal(one.ap, other.ap)


def test_no_second_matrix() -> None:
    distances = np.random.default_rng(0).random((6000, 2000), np.float32)  # 48 MB
    labels = np.arange(6000) % 100, np.arange(2000) % 100
    score(distances[:1], labels[0][:1], labels[1])
    tracemalloc.start()
    score(distances, *labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < distances.nbytes / 8
