"""Coarse-to-fine search and its thresholds: by hand, against the definition, against the released numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtr

from ensemble.scores import score, score_ranking
from ensemble.scores.protocol import Protocol
from postproc import (
    binary_codes,
    coarse_to_fine,
    coarse_to_fine_codes,
    code_thresholds,
    hamming,
    hamming_codes,
    rank,
    using,
)
from postproc.codes.coarse_to_fine import gaussian, threshold
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load
from tests.support.worlds import lattices, world

Q = np.array([[1, 1, 1, 1, 1, 1, 1, 1]])
G = np.array(
    [
        [-1, -1, 1, 1, 1, 1, 1, 1],  # 2 of the first two bits differ, 2 of four, 2 of eight
        [1, -1, -1, 1, -1, 1, 1, 1],  # 1, 2, 3
        [1, 1, -1, -1, -1, -1, -1, -1],  # 0, 2, 6
        [-1, 1, 1, 1, -1, -1, -1, -1],  # 1, 1, 5
        [1, -1, 1, -1, 1, 1, 1, -1],  # 1, 2, 3
    ]
)


def test_by_hand():
    codes = [[binary_codes(side[:, :bits]) for bits in (2, 4, 8)] for side in (Q, G)]
    # Two bits: 2 | 1 3 4 | 0.  At most 1: 2 1 3 4.  Four bits: 3 (1), then 2, 1 and 4 (2), where 2 was before.
    # At most 1: image 3 alone, which its eight bits leave where it is
    assert_array_equal(coarse_to_fine_codes(*codes, [1, 1, 8]), [[4, 2, 1, 0, 2]])
    # At most 2 of four: the same go on.  Eight bits: 1 and 4 (3), 3 (5), 2 (6); image 0 has 2, but was left
    assert_array_equal(coarse_to_fine_codes(*codes, [1, 2, 8]), [[4, 0, 3, 2, 0]])
    assert_array_equal(coarse_to_fine(Q, G, shortest=2, growth=2, radius=0.5), [[4, 0, 3, 2, 0]])
    # radius 0: only image 2 is sorted again.  radius 1: all are, by eight bits; nothing tells 1 and 4 apart
    assert_array_equal(coarse_to_fine(Q, G, shortest=2, growth=2, radius=0.0), [[4, 1, 0, 1, 1]])
    assert_array_equal(coarse_to_fine(Q, G, shortest=2, growth=2, radius=1.0), [[0, 1, 4, 3, 1]])
    found = coarse_to_fine_codes(*codes, [1, 1, 8], top_k=4)
    assert_array_equal(found.rows, [[3, 2, 1, 4]])
    assert_array_equal(found.distances, [[0, 1, 2, 2]])


def test_one_length_is_a_search_by_hamming_distance():
    data = world()
    found = coarse_to_fine(data["query"], data["gallery"], radius=0.3, top_k=20)
    assert_array_equal(found.rows, hamming(data["query"], data["gallery"], top_k=20).rows)


PYRAMIDS = st.lists(st.integers(1, 11), min_size=1, max_size=4).flatmap(
    lambda widths: st.tuples(
        *(
            st.integers(1, n).flatmap(
                lambda count: st.tuples(*(arrays(np.uint8, (count, width)) for width in widths))
            )
            for n in (4, 25)
        ),
        st.tuples(*(st.integers(0, 5 * width) for width in widths)),
    )
)


@settings(max_examples=100)
@given(drawn=PYRAMIDS, mask=st.sampled_from([0b1100_0000, 0xFF]), k=st.integers(1, 30))
def test_equals_the_definition(drawn, mask, k):
    query, gallery, thresholds = ([part & np.uint8(mask) for part in drawn[0]], [*drawn[1]], [*drawn[2]])
    gallery = [part & np.uint8(mask) for part in gallery]
    order = sorted(range(len(query)), key=lambda at: query[at].shape[1])
    wanted, places = reference.codes.coarse_to_fine(
        [reference.codes.hamming(query[at], gallery[at]) for at in order], [thresholds[at] for at in order]
    )
    found = coarse_to_fine_codes(query, gallery, thresholds)
    assert found.dtype == np.float32
    assert_array_equal(found, places)
    assert_array_equal(rank(found), wanted)
    nearest = coarse_to_fine_codes(query, gallery, thresholds, top_k=k)
    assert_array_equal(nearest.rows, np.array(wanted)[:, :k])
    assert_array_equal(nearest.distances, np.take_along_axis(found, nearest.rows, axis=1))


@settings(max_examples=40)
@given(
    sides=st.tuples(*(lattices(st.integers(1, 12), width=11),) * 2),
    shortest=st.integers(1, 12),
    growth=st.integers(2, 4),
    radius=st.floats(0, 1),
)
def test_a_code_is_the_first_numbers(sides, shortest, growth, radius):
    lengths = [shortest * growth**n for n in range(4) if shortest * growth**n < 11] + [11]
    found = coarse_to_fine(*sides, shortest=shortest, growth=growth, cut=0.5, radius=radius)
    codes = [[binary_codes(side[:, :length], cut=0.5) for length in lengths] for side in sides]
    assert_array_equal(found, coarse_to_fine_codes(*codes, [int(radius * length) for length in lengths]))


def bell(mean, deviation, bits):
    return np.round(1e6 * np.exp(-(((np.arange(bits + 1) - mean) / deviation) ** 2) / 2))


@each("start", ["moments", "half"])
def test_a_gaussian_is_found_again(start):
    found = gaussian(bell(20.5, 4, 64), start=start)
    assert_allclose(found, (20.5, 4, 1), rtol=1e-4)


@each("beta", [0.5, 1.0, 2.0, 5.0])
def test_the_threshold_has_the_largest_f(beta):
    t = np.linspace(0, 128, 128 * 100 + 1)
    right, every = ndtr((t - 40) / 8), ndtr((t - 64) / 6)
    best = t[((1 + beta**2) * right / (beta**2 + right + every)).argmax()]
    assert threshold(bell(40, 8, 128), bell(64, 6, 128), beta=beta) == int(best)


def test_a_start_at_half_the_length_may_never_get_away():
    """Pairs around 600 of 2048 bits: from 1024 with deviation 1 nothing shows where they are."""
    counts = bell(600, 60, 2048)
    assert_allclose(gaussian(counts), (600, 60, 1), rtol=1e-4)
    assert abs(gaussian(counts, start="half").mean - 600) > 300


def test_a_histogram_of_one_entry_gives_a_threshold():
    for start in ("moments", "half"):
        for bits in (4, 64):
            same, every = np.zeros(bits + 1, int), np.zeros(bits + 1, int)
            same[0], every[bits // 2] = 7, 9
            assert 0 <= threshold(same, every, beta=2.0, start=start) <= bits


def test_thresholds_of_pairs():
    """Pairs of one set are those of two different images, each once; of two sets all across."""
    random = np.random.default_rng(3)
    codes, pid = random.integers(0, 256, (40, 4)).astype(np.uint8), random.integers(-1, 12, 40)
    far = reference.codes.hamming(codes, codes).astype(int)
    left, right = np.triu_indices(40, 1)
    alike = (pid[left] == pid[right]) & (pid[left] >= 0)
    counts = [np.bincount(far[left, right][kept], minlength=33) for kept in (alike, slice(None))]
    assert code_thresholds([codes], pid) == [threshold(*counts, beta=2.0)]
    alike = (pid[:15, None] == pid[15:]) & (pid[15:] >= 0)
    counts = [np.bincount(far[:15, 15:][kept].ravel(), minlength=33) for kept in (alike, slice(None))]
    found = code_thresholds([codes[:15]], pid[:15], [codes[15:]], pid[15:], beta=1.0)
    assert found == [threshold(*counts, beta=1.0)]


def test_thresholds_are_those_of_the_training_images():
    data = world(d=24)
    query, gallery, train, pid = (data[name] for name in ("query", "gallery", "train", "train_pid"))
    lengths = [8, 16, 24]
    thresholds = code_thresholds([binary_codes(train[:, :length]) for length in lengths], pid)
    codes = [[binary_codes(side[:, :length]) for length in lengths] for side in (query, gallery)]
    found = coarse_to_fine(query, gallery, train, pid, shortest=8, growth=2)
    assert_array_equal(found, coarse_to_fine_codes(*codes, thresholds))
    assert 0 < thresholds[0] < 8


def test_any_number_of_threads():
    data = world(nq=40, ng=400)
    arguments = [data[name] for name in ("query", "gallery", "train", "train_pid")]
    with using(threads=1):
        wanted = coarse_to_fine(*arguments, shortest=4, growth=2)
    with using(threads=4):
        assert_array_equal(coarse_to_fine(*arguments, shortest=4, growth=2), wanted)


def test_bad_input():
    data, codes = world(), [np.zeros((2, 1), np.uint8)]
    sides = data["query"], data["gallery"]
    with pytest.raises(ValueError, match=r"^radius: needs train and train_pid, or 0 to 1"):
        coarse_to_fine(*sides, data["train"])
    with pytest.raises(
        ValueError, match=r"^train_pid: wanted two images of one known identity, got none among 45"
    ):
        coarse_to_fine(*sides, data["train"], np.arange(45), shortest=4)
    with pytest.raises(ValueError, match=r"^query_codes, gallery_codes and thresholds: .* got 1, 1 and 2$"):
        coarse_to_fine_codes(codes, codes, [1, 2])
    with pytest.raises(ValueError, match=r"^thresholds: wanted a whole number, 0 or more, got -1$"):
        coarse_to_fine_codes(codes, codes, [-1])
    with pytest.raises(
        ValueError, match=r"^query_codes: wanted an array a length, all of the same images, got \[\]"
    ):
        coarse_to_fine_codes([], [], [])
    with pytest.raises(ValueError, match=r"^gallery_codes: wanted an array a length, .* got \[2, 1\] images"):
        coarse_to_fine_codes(codes * 2, [codes[0], codes[0][:1]], [0, 0])
    with pytest.raises(ValueError, match=r"^other_codes and other_pid: wanted both or none"):
        code_thresholds(codes, [1, 1], codes)
    with pytest.raises(ValueError, match=r"^other_codes: wanted 1 lengths as train_codes has, got 2"):
        code_thresholds(codes, [1, 1], codes * 2, [1, 1])
    with pytest.raises(ValueError, match=r"^start: wanted one of moments, half, got 'middle'"):
        code_thresholds(codes, [1, 1], start="middle")


def pyramid(golden):
    return [[golden[f"bits{length}_{side}_packed"] for length in golden["code_lengths"]] for side in "qg"]


def test_released_thresholds(shared):
    """light-reid fits them on the test set and starts at half the length."""
    golden = load(shared, "lightreid")
    query, gallery = pyramid(golden)
    found = code_thresholds(query, golden["q_pid"], gallery, golden["g_pid"], start="half")
    assert_allclose(found, golden["thresholds_beta2"], rtol=0, atol=1)
    same = golden["q_pid"][:, None] == golden["g_pid"]
    for length, wanted in zip(golden["code_lengths"], golden["gauss_a1_b1_c1_a2_b2_c2"], strict=True):
        far = hamming_codes(golden[f"bits{length}_q_packed"], golden[f"bits{length}_g_packed"]).astype(int)
        counts = [np.bincount(kept, minlength=length + 1) for kept in (far[same], far.ravel())]
        found = [value for count in counts for value in gaussian(count, start="half")]
        assert_allclose(found, wanted, rtol=1e-4)


@each(
    ("thresholds", "key"),
    [
        ("thresholds_beta2", "c2f_rank_gallery_index"),
        ("manual_thresholds", "c2f_rank_manual_thresholds"),
    ],
)
def test_released_rankings(shared, thresholds, key):
    golden = load(shared, "lightreid")
    query, gallery = pyramid(golden)
    found = coarse_to_fine_codes(query[::-1], gallery[::-1], golden[thresholds][::-1])
    assert_array_equal(rank(found), golden[key])
    nearest = coarse_to_fine_codes(query, gallery, golden[thresholds], top_k=found.shape[1])
    assert_array_equal(nearest.rows, golden[key])


def test_released_scores(shared):
    golden = load(shared, "lightreid")
    labels = [golden[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    protocol = Protocol("rectangle", "all", "market")
    places = coarse_to_fine_codes(*pyramid(golden), golden["thresholds_beta2"])
    for scores in (
        score(places, *labels, protocol=protocol),
        score_ranking(rank(places), *labels, protocol=protocol),
    ):
        assert_allclose(np.nan_to_num(scores.ap), golden["c2f_ap"], rtol=0, atol=1e-6)
        assert_allclose(scores.mAP, golden["c2f_mAP"], rtol=0, atol=1e-6)
        assert_allclose(scores.cmc[: len(golden["c2f_cmc"])], golden["c2f_cmc"], rtol=0, atol=1e-6)
