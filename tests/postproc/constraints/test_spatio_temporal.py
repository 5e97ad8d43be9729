"""Looks and time: by hand, against the definition, against the released functions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.parsers.sequences import STREID
from ensemble.scores import score
from ensemble.scores.protocol import Protocol
from postproc import (
    SpatioTemporalPrior,
    cumulative_frames,
    fit_prior,
    rank,
    rerank_spatio_temporal,
    spatio_temporal,
    sqeuclidean,
    using,
)
from postproc.kernels import reference
from tests.support.each import each
from tests.support.golden import load
from tests.support.worlds import cubes, world

NAMES = (
    "query", "gallery", "query_cam", "gallery_cam", "query_frame", "gallery_frame",
    "train_pid", "train_cam", "train_frame",
)  # fmt: skip
LAYUMI = Protocol("trapezoid", "all", "market")


def one(*values):
    return np.array(values)


def of_share(p, bin_frames=100):
    """A prior by which everybody goes from camera 1 to camera 2, a share ``p`` of them within one bin."""
    histograms = np.zeros((2, 2, 1), np.float32)
    histograms[1, 0] = p
    return SpatioTemporalPrior(one(1, 2), histograms, bin_frames)


# the prior


def test_prior_by_hand():
    pid = one(0, 0, 0, 1, 1, 2, 2, 3, -1, 4)
    cam = one(2, 2, 5, 2, 5, 5, 2, 7, 2, -1)
    frame = one(100, 140, 400, 10, 190, 0, 30, 5, 0, 0)
    # from 2 to 5: person 0 takes 400 - (100 + 140) / 2 = 280, person 1 180; from 5 to 2: person 2 takes 30
    prior = fit_prior(pid, cam, frame, bin_frames=100, bins=3, sigma=0)
    assert_array_equal(prior.cameras, [2, 5, 7])
    wanted = np.zeros((3, 3, 3))
    wanted[1, 0] = [0, 1 / 2, 1 / 2]
    wanted[0, 1] = [1, 0, 0]
    assert_allclose(prior.histograms, wanted, atol=1e-6)
    shorter = fit_prior(pid, cam, frame, bin_frames=100, bins=2, sigma=0)  # 280 is beyond
    assert_allclose(shorter.histograms[1, 0], [0, 1], atol=1e-6)


def test_means_of_one_frame_count_for_the_higher_camera():
    prior = fit_prior(one(0, 0), one(1, 2), one(50, 50), bins=2, sigma=0)
    assert_allclose(prior.histograms[1, 0], [1, 0], atol=1e-6)
    assert not prior.histograms[0, 1].any()


def test_smoothing_by_hand():
    spike = np.zeros((2, 2, 2000), np.float32)
    spike[1, 0, 1000] = 1
    smooth = SpatioTemporalPrior(one(1, 2), spike).smoothed(50).histograms
    total = 0.99738795457 + 1e-7  # of the density at -150 .. 150, whose largest value is 1 / (50 sqrt(2 pi))
    assert_allclose(smooth[1, 0, 1000], 0.007978845608 / total, rtol=1e-6)
    assert_allclose(smooth[1, 0, 1150], 0.007978845608 * math.exp(-4.5) / total, rtol=1e-6)
    assert not smooth[1, 0, :850].any()
    assert not smooth[1, 0, 1151:].any()
    assert not smooth[0, 1].any()


@each("origin", [0, 10**6, 1_700_000_000, 1_700_000_000_000_000_000])
def test_gaps_know_no_origin(origin):
    pid, cam = np.repeat(np.arange(40), 2), np.tile([1, 2], 40)
    frame = origin + 60_000_000 * pid + 250 * (cam == 2)  # everybody takes exactly 250
    prior = fit_prior(pid, cam, frame, bin_frames=100, bins=5, sigma=0)
    assert_allclose(prior.histograms[1, 0], [0, 0, 1, 0, 0], rtol=2e-7)
    x, one = np.eye(1, 2, dtype=np.float32), np.array([1])
    found, wanted = (
        spatio_temporal(x, x, one + 1, one, one * start + 230, one * start, prior, None, None)
        for start in (origin, 0)
    )
    assert_array_equal(found, wanted)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 999),
    bin_frames=st.sampled_from([1, 3, 10]),
    bins=st.integers(1, 12),
    sigma=st.sampled_from([0.0, 0.5, 2.0, 30.0]),
    cut=st.sampled_from([0.0, 1.0, 3.0]),
)
def test_prior_equals_the_definition(seed, bin_frames, bins, sigma, cut):
    rng = np.random.default_rng(seed)
    pid, cam, frame = rng.integers(-1, 6, 30), rng.choice([-1, 0, 3, 9], 30), rng.integers(0, 60, 30)
    found = fit_prior(pid, cam, frame, bin_frames=bin_frames, bins=bins, sigma=sigma, cut=cut)
    wanted = reference.spatio_temporal.time_prior(pid, cam, frame, bin_frames, bins, sigma, cut)
    for later, a in enumerate(found.cameras):
        for earlier, b in enumerate(found.cameras):
            curve = wanted.get((a, b), np.zeros(bins))
            assert_allclose(found.histograms[later, earlier], curve, rtol=0, atol=1e-7)


def test_nothing_to_learn_from():
    nobody = np.zeros(0, int)
    prior = fit_prior(nobody, nobody, nobody)
    assert prior.histograms.shape == (0, 0, 5000)
    x = np.eye(2, dtype=np.float32)
    found = spatio_temporal(x, x, one(1, 2), one(1, 2), one(0, 0), one(9, 9), prior, None, None)
    assert_allclose(found, 1 - (1 / (1 + np.exp(-5 * x))) / 3, rtol=1e-6)


# the joint score


@each(
    ("s", "p", "joint"),
    [
        (0.8, 0.01, 0.338338575),
        (0.8, 0, 0.327337930),
        (0.5, 0.2, 0.532413706),
        (1, 1, 0.980099433),
        (0, 0, 0.166666667),
    ],
)
def test_joint_score(s, p, joint):
    query, gallery = np.array([[1, 0]]), np.array([[s, math.sqrt(1 - s * s)]])
    found = spatio_temporal(query, gallery, one(1), one(2), one(0), one(99), of_share(p), None, None)
    assert_allclose(1 - found, [[joint]], atol=1e-7)


def test_when_time_says_nothing():
    """One query of camera 1 at frame 1000, by a prior of share 0.5 from 1 to 2 within 100 frames."""
    x = np.ones((8, 1), np.float32)
    cams = one(2, 2, 2, 2, 1, -1, 3, 2)
    frames = one(1000, 1099, 1100, 999, 1000, 1000, 1000, 1000)
    likely = [True, True, False, False, False, False, False, True]  # at a gap of 0 the gallery's image is later
    found = spatio_temporal(x[:1], x, one(1), cams, one(1000), frames, of_share(0.5), None, None)
    looks = 1 / (1 + math.exp(-5))
    wanted = [1 - looks / (1 + 2 * math.exp(-5 * 0.5 * now)) for now in likely]
    assert_allclose(found, [wanted], atol=1e-7)
    swapped = spatio_temporal(x, x[:1], cams, one(1), frames, one(1000), of_share(0.5), None, None)
    likely[0] = likely[7] = False
    wanted = [1 - looks / (1 + 2 * math.exp(-5 * 0.5 * now)) for now in likely]
    assert_allclose(swapped[:, 0], wanted, atol=1e-7)


def test_zero_rows_look_like_nobody():
    x = np.array([[0, 0], [1, 0]])
    found = spatio_temporal(x, x, one(1, 1), one(1, 1), one(0, 0), one(0, 0), of_share(1), None, None)
    none = 1 - 1 / 2 / 3
    assert_allclose(found, [[none, none], [none, 1 - 1 / (1 + math.exp(-5)) / 3]], atol=1e-6)


def drawn(seed, count):
    """Cameras and frames of ``count`` images and a training set: coincidences, unknown cameras, long gaps."""
    rng = np.random.default_rng(seed)
    train = rng.integers(-1, 6, 40), rng.choice([-1, 0, 3, 9], 40), rng.integers(0, 60, 40)
    return rng.choice([-1, 0, 3, 9, 12], count), rng.integers(0, 40, count), train


@settings(max_examples=40)
@given(
    images=cubes(st.integers(2, 16), (1.0, 2.0, 0.0)),
    nq=st.integers(1, 9),
    seed=st.integers(0, 999),
    bin_frames=st.sampled_from([1, 4]),
    bins=st.integers(1, 12),
    sigma=st.sampled_from([0.0, 1.5]),
    alpha=st.sampled_from([0.0, 5.0, 64.0]),
    gammas=st.sampled_from([(1.0, 2.0), (0.0, 3.0), (2.0, 0.0)]),
)
def test_joint_score_equals_the_definition(images, nq, seed, bin_frames, bins, sigma, alpha, gammas):
    nq = min(nq, len(images) - 1)
    cam, frame, train = drawn(seed, len(images))
    parts = [(x[:nq], x[nq:]) for x in (images, cam, frame)]
    prior = reference.spatio_temporal.time_prior(*train, bin_frames, bins, sigma)
    wanted = reference.spatio_temporal.spatio_temporal(*parts[0], *parts[1:], prior, bin_frames, alpha, gammas)
    setting = {
        "alpha": alpha, "gamma_similarity": gammas[0], "gamma_time": gammas[1],
        "bin_frames": bin_frames, "bins": bins, "sigma": sigma,
    }  # fmt: skip
    found = spatio_temporal(*parts[0], *parts[1], *parts[2], *train, **setting)
    assert_allclose(found, wanted, rtol=0, atol=2e-6)
    head = spatio_temporal(*parts[0], *parts[1], *parts[2], *train, **setting, top_k=3)
    assert_array_equal(head.rows, rank(found, top_k=3))
    assert_array_equal(head.distances, np.take_along_axis(found, head.rows, axis=1))


# re-ranking on it


@settings(max_examples=25)
@given(
    images=cubes(st.integers(2, 22)),
    nq=st.integers(1, 6),
    seed=st.integers(0, 999),
    k1=st.integers(1, 12),
    k2=st.integers(1, 5),
    lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
    spread=st.sampled_from([1, 100]),
)
def test_rerank_equals_the_definition(images, nq, seed, k1, k2, lambda_value, spread):
    nq = min(nq, len(images) - 1)
    cam, frame, train = drawn(seed, len(images))
    if spread > 1:  # no two images of one frame: scores are symmetric
        frame = np.random.default_rng(seed).permutation(len(images))
    setting = {"bin_frames": 4, "bins": 9, "sigma": 1.0}
    every = spatio_temporal(images, images, cam, cam, frame, frame, *train, **setting)
    wanted = reference.reciprocal.rerank_matrix(every, nq, k1, k2, lambda_value)
    data = [part for x in (images, cam, frame) for part in (x[:nq], x[nq:])]
    setting |= {"k1": k1, "k2": k2, "lambda_value": lambda_value}
    found = rerank_spatio_temporal(*data, *train, **setting)
    assert_allclose(found, wanted, rtol=0, atol=3e-6)
    head = rerank_spatio_temporal(*data, *train, **setting, top_k=3)
    assert_array_equal(head.rows, rank(found, top_k=3))
    assert_array_equal(head.distances, np.take_along_axis(found, head.rows, axis=1))


def test_many_blocks_equal_the_definition():
    data = world(nq=140, ng=300, d=12, people=40)
    data["gallery_frame"][:9] = data["query_frame"][:9]
    for frames in (None, np.random.default_rng(1).permutation(9000)[:440]):  # with coincidences and without
        if frames is not None:
            data |= {"query_frame": frames[:140], "gallery_frame": frames[140:]}
        every = [np.concatenate([data[f"query{what}"], data[f"gallery{what}"]]) for what in ("", "_cam", "_frame")]
        train = [data[name] for name in NAMES[6:]]
        scores = spatio_temporal(*[x for x in every for _ in range(2)], *train, sigma=2.0)
        wanted = reference.reciprocal.rerank_matrix(scores, 140, 9, 3, 0.3)
        setting = {"k1": 9, "k2": 3, "sigma": 2.0}
        found = rerank_spatio_temporal(*[data[name] for name in NAMES], **setting)
        assert_allclose(found, wanted, rtol=0, atol=3e-6)
        with using(threads=5):
            assert_array_equal(rerank_spatio_temporal(*[data[name] for name in NAMES], **setting), found)


def test_an_image_may_be_nearer_to_another_than_to_itself():
    """Its own camera says nothing about time; one of another camera at the right time does."""
    x = np.array([[1, 0], [0.96, 0.28]], np.float32)
    data = x[:1], x[1:], one(1), one(2), one(0), one(50)
    own = spatio_temporal(x[:1], x[:1], one(1), one(1), one(0), one(0), of_share(1), None, None)
    other = spatio_temporal(*data, of_share(1), None, None)
    assert other < own
    found = rerank_spatio_temporal(*data, of_share(1), None, None, k1=1, k2=1, lambda_value=1.0)
    assert_allclose(found, other / own, rtol=1e-6)  # the largest distance of the query is that to itself


# a Pairwise, a prior


def test_a_pairwise_and_a_prior_in_the_place_of_what_they_are_made_from():
    data = [world()[name] for name in NAMES]
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in data[:2]]
    prior = fit_prior(*data[6:], bin_frames=50, bins=70, sigma=3)
    for step in (spatio_temporal, rerank_spatio_temporal):
        wanted = step(*data, bin_frames=50, bins=70, sigma=3.0)
        assert_array_equal(step(*data[:6], prior, None, None), wanted)
        found = step(sqeuclidean(*unit), None, *data[2:6], prior, None, None)
        assert_allclose(found, wanted, rtol=0, atol=1e-6)


# frames


def test_cumulative_frames():
    camera, sequence = one(1, 1, 2, 1, -1, 1), one(1, 2, 3, 3, 1, -1)
    frame = one(7, 7, 7, 7, 7, 7)
    found = cumulative_frames(camera, sequence, frame, lengths=STREID)
    wanted = [7, 72681 + 7, 163691 + 164677 + 7, 72681 + 74546 + 7, 7, 7]
    assert_array_equal(found, wanted)
    #                                       c1s1 up to 50, c1s2 up to 20, c2s1 up to 9
    found = cumulative_frames([1, 1, 1, 1, 2, 2], [1, 1, 2, 3, 1, 4], [50, 3, 20, 1, 9, 2])
    assert_array_equal(found, [50, 3, 70, 71, 9, 11])


# released code


def golden_data(golden):
    return [golden[name] for name in ("q", "g", "q_cam", "g_cam", "q_frame", "g_frame")]


def golden_prior(golden, sigma):
    train = golden["train_label"], golden["train_cam"], golden["train_frame"]
    return fit_prior(*train, bins=int(golden["hist_shape"][2]), sigma=sigma)


def on_cameras_from_one(prior, shape):
    out = np.zeros(shape)
    out[np.ix_(prior.cameras - 1, prior.cameras - 1)] = prior.histograms
    return out


def versions(golden):
    """``joint_s50_a5_qg`` -> ("s50_a5", 50, 5)."""
    names = {"_".join(key.split("_")[1:3]) for key in golden if key.startswith("joint_")}
    assert names
    return [(name, *(float(part[1:]) for part in name.split("_"))) for name in sorted(names)]


def test_released_histograms(shared):
    golden = load(shared, "st_reid")
    wanted = np.zeros(golden["hist_shape"])
    wanted[tuple(golden["hist_nonzero_idx"].T)] = golden["hist_nonzero_val"]
    found = on_cameras_from_one(golden_prior(golden, 0.0), wanted.shape)
    assert_allclose(found, wanted, rtol=0, atol=1e-7)
    for name, sigma, _ in versions(golden):
        found = on_cameras_from_one(golden_prior(golden, sigma), wanted.shape)
        curves = found[tuple(golden[f"smooth_{name}_pairs"].T)]
        assert_allclose(curves, golden[f"smooth_{name}_curves"], rtol=0, atol=1e-7)
        assert_allclose(found.sum(axis=2), golden[f"smooth_{name}_rowsum"], rtol=0, atol=1e-6)
        assert_allclose(found.max(axis=2), golden[f"smooth_{name}_rowmax"], rtol=0, atol=1e-7)


def test_released_joint_scores(shared):
    golden = load(shared, "st_reid")
    data = golden_data(golden)
    for name, sigma, alpha in versions(golden):
        prior = golden_prior(golden, sigma)
        found = spatio_temporal(*data, prior, None, None, alpha=alpha)
        assert_allclose(1 - found, golden[f"joint_{name}_qg"], rtol=0, atol=1e-6)
        within = [part for part in data[::2] for _ in range(2)]
        found_within = spatio_temporal(*within, prior, None, None, alpha=alpha)
        assert_allclose(1 - found_within, golden[f"joint_{name}_qq"], rtol=0, atol=1e-6)
        every = [np.concatenate(pair) for pair in zip(data[::2], data[1::2], strict=True) for _ in range(2)]
        sums = (1 - spatio_temporal(*every, prior, None, None, alpha=alpha).astype(np.float64)).sum(axis=1)
        assert_allclose(sums, golden[f"joint_{name}_allrowsum"], rtol=1e-6)
        scores = score(found, golden["q_pid"], golden["g_pid"], golden["q_cam"], golden["g_cam"], protocol=LAYUMI)
        assert_allclose(np.nan_to_num(scores.ap), golden[f"eval_{name}_ap"], rtol=0, atol=1e-6)
        assert_allclose(scores.mAP, golden[f"eval_{name}_mAP"], rtol=0, atol=1e-6)
        assert_allclose(scores.cmc[:50], golden[f"eval_{name}_cmc"], rtol=0, atol=1e-6)


def test_released_reranking(shared):
    golden = load(shared, "st_reid")
    keys = [key for key in golden if key.startswith("rerank_") and not key.endswith("mAP")]
    assert keys
    for key in keys:
        _, sigma, alpha, k1, k2, lambda_value = key.split("_")
        found = rerank_spatio_temporal(
            *golden_data(golden), golden_prior(golden, float(sigma[1:])), None, None,
            alpha=float(alpha[1:]), k1=int(k1[1:]), k2=int(k2), lambda_value=float(lambda_value),
        )  # fmt: skip
        assert_allclose(found, golden[key], rtol=0, atol=1e-5, err_msg=key)
        scores = score(found, golden["q_pid"], golden["g_pid"], golden["q_cam"], golden["g_cam"], protocol=LAYUMI)
        assert_allclose(scores.mAP, golden[f"{key}_mAP"], rtol=0, atol=1e-6)


# refusals


@each(
    ("change", "message"),
    [
        ({"query_cam": one(1)}, "query_cam: wanted 12 values, one an image, got shape"),
        ({"gallery_frame": np.zeros(90)}, "gallery_frame: wanted whole numbers, got float64"),
        ({"train_pid": one(1)}, "train_pid: wanted 45 values"),
        ({"train_frame": one(1)}, "train_frame: wanted 45 values"),
        ({"train_pid": of_share(1)}, "train_cam, train_frame: a SpatioTemporalPrior is all that is learned"),
        ({"bins": 0}, "bins: wanted a whole number, 1 or more, got 0"),
        ({"bin_frames": 0.5}, "bin_frames: wanted a whole number, 1 or more, got 0.5"),
        ({"sigma": -1}, "sigma: wanted 0 to"),
        ({"alpha": 65}, "alpha: wanted 0 to 64, got 65"),
        ({"gamma_time": -0.1}, "gamma_time: wanted 0 to"),
    ],
)
@each("step", [spatio_temporal, rerank_spatio_temporal])
def test_refuses(step, change, message):
    data = world()
    settings = {name: value for name, value in change.items() if name not in NAMES}
    with pytest.raises((ValueError, TypeError), match=message):
        step(*[(data | change)[name] for name in NAMES], **settings)


@each(
    ("cameras", "histograms", "message"),
    [
        (one(2, 1), np.zeros((2, 2, 3)), "cameras: wanted ascending numbers"),
        (one(-1, 1), np.zeros((2, 2, 3)), "cameras: wanted ascending numbers"),
        (one(1, 2), np.zeros((2, 2)), "histograms: wanted shape"),
        (one(1, 2), np.zeros((2, 3, 3)), "histograms: wanted shape"),
        (one(1, 2), np.full((2, 2, 1), np.nan), "histograms: wanted finite shares"),
    ],
)
def test_a_prior_refuses(cameras, histograms, message):
    with pytest.raises(ValueError, match=message):
        SpatioTemporalPrior(cameras, histograms)
