"""k-reciprocal re-ranking against the released code, the definition, and itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import (
    GalleryIndex,
    Nearest,
    ca_jaccard,
    distances,
    l2_normalize,
    rank,
    rerank,
    rerank_distances,
    same_camera,
    sqeuclidean,
    track_mean,
    using,
)
from postproc.compat import re_ranking, re_ranking_cosine
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import lattices, world

GOLDEN_SETTINGS = [(20, 6, 0.3), (15, 6, 0.5), (7, 3, 0.85), (6, 1, 0.3)]
GOLDEN_POWERS = {"zhong_d2": 2, "streid_2m2s": 2, "aicity5th_d4": 4, "layumi_d4": 4}


def halves(n_q, n_g):
    return st.tuples(lattices(n_q), lattices(n_g))


def matrix(query, gallery):
    images = np.concatenate([query, gallery]).astype(np.float64)
    return reference.basic.sqeuclidean(images, images)


@each(("k1", "k2", "lambda_value"), GOLDEN_SETTINGS)
@each("name", GOLDEN_POWERS)
def test_released_functions(shared, name, k1, k2, lambda_value):
    golden = np.load(shared / "golden" / "rerank.npz")
    wanted = golden[f"{name}_k{k1}_{k2}_{lambda_value}"]
    setting = {"k1": k1, "k2": k2, "lambda_value": lambda_value}
    found = rerank(golden["q"], golden["g"], power=GOLDEN_POWERS[name], **setting)
    assert_allclose(found, wanted, rtol=0, atol=1e-6)

    images = np.concatenate([golden["q"], golden["g"]])
    nq = len(golden["q"])
    if GOLDEN_POWERS[name] == 2:
        d = np.sqrt(matrix(golden["q"], golden["g"]))
        found = re_ranking(d[:nq, nq:], d[:nq, :nq], d[nq:, nq:], **setting)
    else:
        s = images @ images.T
        found = re_ranking_cosine(s[:nq, nq:], s[:nq, :nq], s[nq:, nq:], **setting)
    assert_allclose(found, wanted, rtol=0, atol=1e-6)


@each("key", ["unmerged_m1_k15_6_0.5", "unmerged_m1_k50_15_0.5", "merged_m1_k15_6_0.5_stable_argsort"])
def test_s1_rerank(shared, key):
    golden = np.load(shared / "golden" / "gggcy_rerank_extra.npz")
    gallery = golden["gallery_merge_T100"] if key.startswith("merged") else golden["g"]
    k1, k2, lambda_value = key.split("_k")[1].split("_")[:3]
    found = rerank(golden["q"], gallery, k1=int(k1), k2=int(k2), lambda_value=float(lambda_value), power=4)
    assert_allclose(found, golden[f"rerank_{key}"], rtol=0, atol=1e-6)


def test_s1_whole_chain_and_matrix_ensemble(shared):
    """Released with an unstable sort over exact ties: most entries agree to 1e-5, all to the size of a tie."""
    golden = np.load(shared / "golden" / "gggcy.npz")
    total = np.zeros_like(golden["ensemble_distmat_w1_0.75_0.5_1"])
    for model, (suffix, weight) in enumerate([("", 1), ("2", 0.75), ("3", 0.5), ("4", 1)], start=1):
        merged = track_mean(golden["g" + suffix], golden["g_track"])
        found = rerank(golden["q" + suffix], merged, k1=15, k2=6, lambda_value=0.5, power=4)
        away = abs(found - golden[f"rerank_merged_m{model}_k15_6_0.5"])
        assert away.max() < 0.1
        assert (away < 1e-5).mean() > 0.95
        total += np.float32(weight) * found
    released = golden["ensemble_distmat_w1_0.75_0.5_1"]
    listed = np.take_along_axis(released, golden["submission_top100"] - 1, axis=1)
    ours = np.take_along_axis(released, rank(released, top_k=100), axis=1)
    assert_array_equal(listed, ours)  # inside a track any order will do, so distances are compared
    assert abs(total - released).max() < 0.1


@each(("k1", "k2", "lambda_value"), [(5, 4, 0.8), (20, 6, 0.3)])
def test_s2_rerank(shared, k1, k2, lambda_value):
    golden = np.load(shared / "golden" / "s2_rerank.npz")
    found = rerank(golden["q"], golden["g"], k1=k1, k2=k2, lambda_value=lambda_value)
    key = f"rerank_k{k1}_{k2}_{lambda_value}"
    assert_allclose(found, golden[f"{key}_v32"], rtol=0, atol=1e-6)
    assert_allclose(found, golden[key], rtol=0, atol=5e-3)  # the original keeps V in float16


def test_published_vectors():
    i = np.arange(20.0)
    x = np.stack([np.cos(i), np.sin(1.7 * i), np.cos(0.3 * i**2), np.sin(0.9 * i + 0.5)], axis=1)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    setting = {"k1": 6, "k2": 3}
    layumi = [0.505609, 0.656416, 0.700717, 0.492704, 0.594580, 0.826650, 0.591998, 0.459422,
              0.316330, 0.788485, 0.638906, 0.645250, 0.746360, 0.769980, 0.478271]  # fmt: skip
    s1 = [0.435659, 0.511150, 0.550467, 0.372097, 0.504517, 0.759130, 0.545598, 0.358681,
          0.228742, 0.677311, 0.578394, 0.588968, 0.625313, 0.700424, 0.390096]  # fmt: skip
    wanggcong = [0.595492, 0.733163, 0.776480, 0.554846, 0.672166, 0.884296, 0.680469, 0.540345,
                 0.346792, 0.860287, 0.709664, 0.714460, 0.824216, 0.835444, 0.565859]  # fmt: skip
    found = rerank(x[:5], x[5:], power=4, **setting)
    assert_allclose(found[0], layumi, atol=2e-6)
    assert_array_equal(rank(found)[0], [8, 7, 14, 3, 0, 6, 4, 10, 11, 1, 2, 12, 13, 9, 5])
    assert_allclose(rerank(x[:5], x[5:], power=4, lambda_value=0.5, **setting)[0], s1, atol=2e-6)
    found = rerank(x[:5], x[5:], **setting)
    assert_allclose(found[0], wanggcong, atol=2e-6)
    assert_array_equal(rank(found)[0], [8, 7, 3, 14, 0, 4, 6, 10, 11, 1, 2, 12, 13, 9, 5])


def test_by_hand():
    x = np.array([[0, 0], [0, 1], [4, 0], [4, 1]], np.float32)
    # p from image 0: 0, 1/17, 16/17, 1.   Lists of two: 0-1, 1-0, 2-3, 3-2; nothing to expand.
    a, b = 1 / (1 + np.exp(-1 / 17)), np.exp(-1 / 17) / (1 + np.exp(-1 / 17))
    shared = 2 * min(a, b)  # V_0 = (a, b), V_1 = (b, a)
    near = 0.7 * (1 - shared / (2 - shared)) + 0.3 / 17
    assert_allclose(rerank(x[:1], x[1:], k1=1, k2=1), [[near, 0.7 + 0.3 * 16 / 17, 1.0]], rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    sides=halves(st.integers(1, 5), st.integers(1, 22)),
    k1=st.integers(1, 30),
    k2=st.integers(1, 9),
    lambda_value=st.sampled_from([0.0, 0.3, 1.0]),
    power=st.sampled_from([1.0, 2.0, 3.0, 4.0]),
)
def test_equals_the_definition(sides, k1, k2, lambda_value, power):
    query, gallery = sides
    wanted = reference.reciprocal.rerank(query, gallery, k1, k2, lambda_value, power)
    setting = {"k1": k1, "k2": k2, "lambda_value": lambda_value}
    assert_allclose(rerank(query, gallery, power=power, **setting), wanted, atol=2e-6)
    square, nq = matrix(query, gallery).astype(np.float32), len(query)
    parts = square[:nq, nq:], square[:nq, :nq], square[nq:, nq:]
    assert_allclose(rerank_distances(*parts, power=power / 2, **setting), wanted, atol=2e-6)


@settings(max_examples=40, deadline=None)
@given(
    sides=halves(st.integers(1, 6), st.integers(1, 25)),
    top_k=st.integers(1, 30),
    k1=st.integers(1, 8),
    power=st.sampled_from([2.0, 4.0]),
)
def test_top_k_is_the_head_of_the_full_answer(sides, top_k, k1, power):
    full = rerank(*sides, k1=k1, k2=2, power=power)
    head = rerank(*sides, k1=k1, k2=2, power=power, top_k=top_k)
    assert isinstance(head, Nearest)
    order = np.argsort(full, axis=1, kind="stable")[:, :top_k]
    assert_array_equal(head.rows, order)
    assert_array_equal(head.distances, np.take_along_axis(full, order, axis=1))


@settings(max_examples=40, deadline=None)
@given(
    sides=halves(st.integers(1, 5), st.integers(2, 20)),
    weight=st.sampled_from([0.0, 0.25, 1.0, -0.25]),
    penalty=st.sampled_from([0.0, 2.0, -1.0]),
    within=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_and_penalties_hold_between_all_images(sides, weight, penalty, within, seed):
    query, gallery = sides
    n, nq, rng = len(query) + len(gallery), len(query), np.random.default_rng(seed)
    other = rng.integers(-2, 3, (n, 2)).astype(np.float32) * 2
    cam, track = rng.integers(-1, 3, n), rng.integers(-1, 4, n)
    every = matrix(query, gallery) + weight * matrix(other[:nq], other[nq:])
    every += penalty * reference.basic.same_camera(cam, track)
    known = np.column_stack([np.concatenate(sides), other * bool(weight), cam * bool(penalty), track])
    every[(known[:, None] == known).all(axis=2)] = 0  # an image and its copies
    pairs = sqeuclidean(query, gallery) + weight * sqeuclidean(other[:nq], other[nq:])
    pairs = pairs + penalty * same_camera(cam[:nq], cam[nq:], track[:nq], track[nq:])
    if within:
        every[(track[:, None] == track) & (track >= 0)[:, None]] = 0
        pairs = pairs.zero_within_tracks(track[:nq], track[nq:])
    setting = {"k1": 4, "k2": 2, "lambda_value": 0.5}
    wanted = reference.reciprocal.rerank_matrix(every, nq, 4, 2, 0.5)
    assert_allclose(distances(pairs), every[:nq, nq:], atol=1e-5)
    assert_allclose(rerank(pairs, **setting), wanted, atol=3e-6)
    head = rerank(pairs, top_k=3, **setting)
    assert_array_equal(head.rows, rank(rerank(pairs, **setting), top_k=3))


def test_camera_penalty_is_the_same_as_the_sum():
    data = world()
    pairs = sqeuclidean(data["query"], data["gallery"]) + 3.0 * same_camera(data["query_cam"], data["gallery_cam"])
    found = rerank(
        data["query"], data["gallery"], data["query_cam"], data["gallery_cam"], camera_penalty=3.0, k1=6, k2=3
    )
    assert_array_equal(found, rerank(pairs, k1=6, k2=3))
    assert not np.array_equal(found, rerank(data["query"], data["gallery"], k1=6, k2=3))


@each("scale", [3e3, 1e-3])
def test_a_power_beyond_float32_is_refused(scale):
    images = np.float32(scale) * world()["gallery"]
    far = np.sqrt(((images[:, None] - images) ** 2).sum(axis=2))
    for call in (
        lambda: rerank(images, power=32),
        lambda: rerank(images, power=32, normalize=False, lambda_value=0.0, top_k=2),
        lambda: rerank_distances(far[:5, 5:], far[:5, :5], far[5:, 5:], power=32),
    ):
        with pytest.raises(ValueError, match="power: wanted distances whose power float32 can hold"):
            call()


def test_distances_of_which_no_weight_is_left_are_refused():
    images = 30 * world(ng=40)["gallery"]
    cam = np.arange(40) % 2
    plain = {"normalize": False, "lambda_value": 0.0}
    for call in (
        lambda: rerank(images, **plain),
        lambda: rerank(images, **plain, top_k=2),
        lambda: ca_jaccard(sqeuclidean(images), query_cam=cam),
        lambda: GalleryIndex(images, **plain),
    ):
        with pytest.raises(ValueError, match=r"^normalize: wanted distances of which exp\(-p\) is a weight"):
            call()
    rerank(images, normalize=False, lambda_value=1.0)  # weights do not count
    rerank(np.repeat(images[:20], 2, axis=0), **plain)  # copies do


@each("threads", [1, 2, 5])
def test_threads_change_no_bit(threads):
    data = world(nq=150, ng=1900, d=24, people=90)
    full = rerank(data["query"], data["gallery"], k1=8, k2=3)
    with using(threads=threads):
        assert_array_equal(rerank(data["query"], data["gallery"], k1=8, k2=3), full)
        head = rerank(data["query"], data["gallery"], k1=8, k2=3, top_k=20)
    assert_array_equal(head.rows, rank(full, top_k=20))
    assert_array_equal(head.distances, np.take_along_axis(full, head.rows, axis=1))


@each("copies", [1, 7])
def test_many_blocks_equal_the_definition(copies):
    """Large enough for several blocks of classes on both sides, with and without copies of images."""
    data = world(nq=140, ng=300, d=12, people=40)
    query, gallery = data["query"], np.concatenate([data["gallery"]] * copies)[:: max(1, copies - 2)]
    gallery = np.concatenate([gallery, query[:9]])
    wanted = reference.reciprocal.rerank(query[:140], gallery, 9, 3, 0.3)
    assert_allclose(rerank(query, gallery, k1=9, k2=3), wanted, atol=3e-6)


def test_one_image_and_zero_rows():
    one = np.zeros((1, 4), np.float32)
    assert_allclose(rerank(one, one), [[0.0]], atol=1e-7)
    gallery = np.vstack([np.zeros((3, 4)), np.eye(4)]).astype(np.float32)
    found = rerank(one, gallery, k1=3, k2=2)
    assert np.isfinite(found).all()
    assert_array_equal(found[0, 0], found[0, 1])


@each(
    ("setting", "message"),
    [
        ({"k1": 0}, "k1: wanted a whole number, 1 or more, got 0"),
        ({"k2": 1.5}, "k2: wanted a whole number, 1 or more, got 1.5"),
        ({"lambda_value": 1.1}, "lambda_value: wanted 0 to 1, got 1.1"),
        ({"power": 0}, "power: wanted"),
        ({"top_k": 0}, "top_k: wanted a whole number, 1 or more, got 0"),
        ({"camera_penalty": float("nan")}, "camera_penalty: wanted a finite number"),
        ({"camera_penalty": 1.0}, "camera_penalty: needs query_cam and gallery_cam"),
    ],
)
def test_refuses_settings(setting, message):
    x = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match=message):
        rerank(x, x, **setting)


def test_refuses_arrays():
    x = np.eye(3, dtype=np.float32)
    with pytest.raises(ValueError, match="gallery: wanted finite numbers, found NaN or infinity first in row 1"):
        rerank(x, np.array([[0, 0, 0], [0, np.nan, 0]], np.float32))
    with pytest.raises(ValueError, match="wanted the same width, got 3 and 2"):
        rerank(x, x[:, :2])
    with pytest.raises(TypeError, match="query: wanted a NumPy array, got str"):
        rerank("query.pkl", x)
    with pytest.raises(ValueError, match=r"gallery_distances: wanted 3 rows"):
        rerank_distances(x, x, x[:2])
    with pytest.raises(ValueError, match=r"gallery_distances: wanted shape \(3, 3\)"):
        rerank_distances(x, x, x[:, :2])


def test_matrices_that_are_not_symmetric():
    random = np.random.default_rng(0)
    nq, square = 9, matrix(*np.split(random.normal(size=(45, 4)), [9]))
    square *= 1 + 0.3 * random.random(square.shape)
    square[nq:, :nq] = square[:nq, nq:].T  # of queries and gallery there is one matrix
    square = square.astype(np.float32)
    parts = square[:nq, nq:], square[:nq, :nq], square[nq:, nq:]
    wanted = reference.reciprocal.rerank_matrix(square, nq, 6, 3, 0.3)
    assert_allclose(rerank_distances(*parts, k1=6, k2=3, power=1), wanted, atol=2e-6)


def test_refuses_lengths_beyond_float32():
    with pytest.raises(ValueError, match="features: wanted squared lengths that float32 can hold"):
        rerank(np.full((2, 3), 1e25, np.float32), np.eye(3, dtype=np.float32))


@each("who", ["openunreid", "clustercontrast", "spcl"])
def test_equals_the_jaccard_of_the_clustering_family(shared, who):
    golden = np.load(shared / "golden" / "jaccard_faiss.npz")
    keys = [key for key in golden if key.startswith(f"dist__{who}")]
    assert keys
    for key in keys:
        setting = dict(part.split("=") for part in key.split("__")[2].split("_"))
        found = rerank(
            golden["q"], golden["g"], k1=int(setting["k1"]), k2=int(setting["k2"]),
            lambda_value=0, count_self=True, normalize=False,
        )  # fmt: skip
        assert_allclose(found, golden[key], rtol=0, atol=1e-5 if setting["fp"] == "32" else 3e-3, err_msg=key)


def test_without_normalisation_the_mix_holds_one_minus_cosine():
    data = world()
    query, gallery = l2_normalize(data["query"]), l2_normalize(data["gallery"])
    found = rerank(query, gallery, lambda_value=1, normalize=False)
    assert_allclose(found, 1 - query @ gallery.T, rtol=0, atol=1e-6)
