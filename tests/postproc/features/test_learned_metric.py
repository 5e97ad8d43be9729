"""Learned metrics: by hand, against the definitions, against the released functions, on real features."""

import sys
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from bench import learned as bench
from postproc import Nearest, distances, learned_distances, learned_metric
from postproc.features.learned_metric import Method
from postproc.features.metrics import covariance, kissme, xqda
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import world

DATA = world()
SIDES = (DATA["query"], DATA["gallery"])
TRAIN = (DATA["train"], DATA["train_pid"], DATA["train_cam"])

# Two identities, each of two images, which differ by (2, 0) and by (0, 2): S = diag(2, 2). Images of two differ by
# (8, 1), (8, -1), (10, 1), (10, -1), up to sign: D = diag((64 + 64 + 100 + 100) / 4, 1) = diag(82, 1).
FOUR = np.array([[1, 0], [-1, 0], [9, 1], [9, -1]], np.float32)
TWO = np.array([0, 0, 1, 1])
ORIGIN, FAR = np.array([[0.0, 0.0]], np.float32), np.array([[41.0, 2.0], [0.0, 9.0]], np.float32)


def quadratic(query, gallery, matrix):
    """(q - g)ᵀ M (q - g) in float64."""
    away = query[:, None].astype(np.float64) - gallery
    return np.einsum("qgi,ij,qgj->qg", away, matrix, away)


def matrix_of(metric):
    return (metric.directions * metric.weights) @ metric.directions.T


def assert_near(found, wanted, share=1e-5):
    """Equal up to a share of the largest value."""
    assert_allclose(found, wanted, rtol=0, atol=share * np.abs(wanted).max())


def test_kissme_by_hand():
    # M = diag(1/2 - 1/82, 1/2 - 1) = diag(20/41, -1/2)
    # (41, 2): 20/41 * 41^2 - 1/2 * 2^2 = 820 - 2;  (0, 9): -81/2
    found = learned_distances(ORIGIN, FAR, FOUR, TWO, method="kissme")
    assert_allclose(found, [[818, -40.5]], rtol=1e-6)
    found = learned_distances(ORIGIN, FAR, FOUR, TWO, method="kissme", psd=True)
    assert_allclose(found, [[820, 0]], rtol=1e-6)
    # M = diag(1/2 - 1/164, 1/2 - 1/2): 81/164 * 41^2
    found = learned_distances(ORIGIN, FAR, FOUR, TWO, method="kissme", different_weight=0.5)
    assert_allclose(found, [[81 / 164 * 41**2, 0]], rtol=1e-6)
    # S + 2: diag(4, 4), M = diag(1/4 - 1/82, 1/4 - 1)
    found = learned_distances(ORIGIN, FAR, FOUR, TWO, method="kissme", ridge=2)
    assert_allclose(found, [[(1 / 4 - 1 / 82) * 41**2 - 3, -0.75 * 81]], rtol=1e-6)


def test_xqda_by_hand():
    # S^-1 D = diag(41, 1/2): only the first singular value is above 1, W = (1, 0), M = 1/2 - 1/82 = 20/41
    query, gallery = learned_metric(ORIGIN, FAR, FOUR, TWO, ridge=0)
    assert_allclose(query, [[0]])
    assert_allclose(gallery, [[41 * np.sqrt(20 / 41)], [0]], rtol=1e-6)
    assert_allclose(learned_distances(ORIGIN, FAR, FOUR, TWO, ridge=0), [[820, 0]], rtol=1e-6)
    # of cameras 0, 1 and 1, 0 the pairs of two identities are (1, 0), (9, 1) and (-1, 0), (9, -1), which differ by
    # (8, 1) and (10, -1): D = [[(64 + 100) / 2, (8 - 10) / 2], [-1, 1]], S = diag(2, 2) as before
    cam = np.array([0, 1, 1, 0])
    wanted, _ = reference.metrics.xqda(np.diag([2.0, 2.0]), np.array([[82.0, -1.0], [-1.0, 1.0]]), 0.5)
    assert_near(learned_distances(ORIGIN, FAR, FOUR, TWO, cam, ridge=0.5), quadratic(ORIGIN, FAR, wanted))


def test_xqda_refuses_features_that_its_ridge_outweighs():
    """At a scale of 1e-6 its S would be 0.001 I, whatever the images: a ranking by rounding."""
    small = [x * np.float32(1e-6) for x in (*SIDES, DATA["train"])]
    for step in (learned_metric, learned_distances):
        with pytest.raises(ValueError, match=r"^train: .*'xqda' .*too small for its ridge of 0.001; set ridge"):
            step(*small, *TRAIN[1:])
    found = learned_distances(*small, *TRAIN[1:], ridge=1e-15)
    assert_near(found, learned_distances(*SIDES, *TRAIN), share=1e-3)


def test_nfst_by_hand():
    # images of one identity differ in x alone, and nobody differs in z: what is left is y
    train = np.array([[0, 0, 0], [2, 0, 0], [0, 3, 0], [2, 3, 0]], np.float32)
    query, gallery = learned_metric(
        np.array([[5.0, 7.0, 9.0]]), np.array([[1.0, 2.0, 3.0]]), train, TWO, method="nfst"
    )
    assert_allclose(query, [[7]], rtol=1e-6)
    assert_allclose(gallery, [[2]], rtol=1e-6)


def test_lfda_by_hand():
    # scales are 2, A = exp(-4 / (2 * 2)) = 1/e.   within: two pairs, 4/e * 1/2 each, w = 4/e
    # between: the same pairs, 4/e * (1/4 - 1/2), and (10^2 + 12^2 + 8^2 + 10^2) / 4 = 102: b = 102 - 2/e
    # the direction of scatter 1 within is 1 / sqrt(w), its eigenvalue b/w: M = b / w^2
    train = np.array([[0], [2], [10], [12]], np.float32)
    within, between = 4 / np.e, 102 - 2 / np.e
    found = learned_distances(np.zeros((1, 1)), np.array([[3.0]]), train, TWO, method="lfda")
    assert_allclose(found, [[9 * between / within**2]], rtol=1e-6)


def test_sdml_by_hand():
    # one dimension: C is as small as it may be, 0.1, and M its inverse for images of variance 1; theirs is 26
    train = np.array([[0], [2], [10], [12]], np.float32)  # (36 + 16 + 16 + 36) / 4
    found = learned_distances(np.zeros((1, 1)), np.array([[3.0]]), train, TWO, method="sdml")
    assert_allclose(found, [[9 * 10 / 26]], rtol=1e-6)


@st.composite
def labelled(draw, dimensions):
    """Training images of 2 to 5 identities and up to 3 cameras, and -1 for cameras unknown."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    people = draw(st.integers(2, 5))
    pid = np.concatenate([np.repeat(np.arange(people), 2), rng.integers(0, people, draw(st.integers(0, 20)))])
    cam = np.concatenate([np.tile([0, 1], people), rng.integers(-1, 3, len(pid) - 2 * people)])
    train = 2 * rng.normal(size=(people, dimensions))[pid] + rng.normal(size=(len(pid), dimensions))
    order = rng.permutation(len(pid))
    sides = [rng.normal(size=(count, dimensions)).astype(np.float32) for count in (3, 8)]
    return sides, train.astype(np.float32)[order], 3 + 2 * pid[order], cam[order]


@settings(max_examples=40)
@given(drawn=labelled(dimensions=4), cross=st.booleans())
def test_sums_over_pairs_equal_the_definition(drawn, cross):
    _, train, pid, cam = drawn
    cam = cam if cross else np.full(len(cam), -1)
    wanted = reference.metrics.pair_covariances(train.astype(np.float64), pid, cam)
    numbers = np.unique(pid, return_inverse=True)[1]
    for found, expected in zip(covariance.of_pairs(train, numbers, cam), wanted, strict=True):
        assert_near(found, expected, 1e-12)
    apart = [pid[i] != pid[j] for i in range(len(pid)) for j in range(i) if cam[i] != cam[j] or cam[i] < 0]
    same, different, _ = covariance.count_pairs(numbers, cam)
    assert (same, different) == (apart.count(False), apart.count(True))


@settings(max_examples=40)
@given(
    drawn=labelled(dimensions=4),
    components=st.one_of(st.none(), st.integers(1, 6)),
    ridge=st.sampled_from([0.1, 1.0]),
)
def test_xqda_and_kissme_equal_the_definition(drawn, components, ridge):
    sides, train, pid, cam = drawn
    same, different = reference.metrics.pair_covariances(train.astype(np.float64), pid, cam)
    assume(np.linalg.cond(different) < 1e6)
    wanted, values = reference.metrics.xqda(same, different, ridge, components)
    assume(np.abs(values - 1).min() > 1e-6)
    found = learned_distances(*sides, train, pid, cam, ridge=ridge, components=components)
    assert_near(found, quadratic(*sides, wanted))
    wanted = reference.metrics.kissme(same + ridge * np.eye(4), different, 0.7)
    given = {"method": "kissme", "ridge": ridge, "pca": 4, "different_weight": 0.7}
    assert_near(learned_distances(*sides, train, pid, cam, **given), quadratic(*sides, wanted))


@settings(max_examples=25)
@given(drawn=labelled(dimensions=40))
def test_with_fewer_images_than_dimensions(drawn):
    """XQDA works in the space of the images: the same matrix. NFST has all the directions that it can have."""
    sides, train, pid, cam = drawn
    same, different = reference.metrics.pair_covariances(train.astype(np.float64), pid, cam)
    wanted, values = reference.metrics.xqda(same, different, 0.5)
    assume(np.abs(values - 1).min() > 1e-6)
    assume(len(train) > 6)
    assert_near(learned_distances(*sides, train, pid, cam, ridge=0.5), quadratic(*sides, wanted), 1e-4)
    wanted = reference.metrics.nfst(train.astype(np.float64), pid)
    assert_near(learned_distances(*sides, train, pid, method="nfst"), quadratic(*sides, wanted))
    images = learned_metric(train, sides[1], train, pid, method="nfst")[0]
    assert images.shape[1] == len(np.unique(pid)) - 1
    for person in np.unique(pid):
        assert_near(images[pid == person], images[pid == person][:1].repeat((pid == person).sum(), axis=0))


@settings(max_examples=25)
@given(drawn=labelled(dimensions=3))
def test_lfda_equals_the_definition(drawn):
    sides, train, pid, _ = drawn
    train = np.concatenate([train, np.eye(3, dtype=np.float32) + 2])
    pid = np.concatenate([pid, [pid[0]] * 3])
    wanted = reference.metrics.lfda(train.astype(np.float64), pid)
    assert_near(learned_distances(*sides, train, pid, method="lfda", pca=3), quadratic(*sides, wanted))


def test_closed_forms_of_the_package():
    train, pid, _ = TRAIN
    moved = train - np.array([train[pid == person].mean(axis=0) for person in pid])
    wanted = {
        "covariance": np.cov(train.T.astype(np.float64)),
        "rca": np.cov(moved.T.astype(np.float64), bias=True),
    }
    for method, expected in wanted.items():
        found = learned_distances(*SIDES, *TRAIN, method=method, pca=16)
        assert_near(found, quadratic(*SIDES, np.linalg.inv(expected)))


@each("method", sorted(set(get_args(Method)) - {"nfst", "mlkr", "lsml"}))
def test_methods_see_through_noise(method):
    """Identities differ in four dimensions, images of all of them far more in four others."""
    rng = np.random.default_rng(3)
    centre = np.concatenate([rng.normal(size=(40, 4)), np.zeros((40, 4))], axis=1)
    pid = np.arange(240) % 40
    images = (centre[pid] + rng.normal(size=(240, 8)) * ([0.3] * 4 + [3] * 4)).astype(np.float32)
    known, query, gallery = pid < 20, (pid >= 20) & (np.arange(240) < 40), (pid >= 20) & (np.arange(240) >= 40)
    right = {}
    for name, answer in (
        ("plain", distances(images[query], images[gallery])),
        (method, learned_distances(images[query], images[gallery], images[known], pid[known], method=method)),
    ):
        right[name] = (pid[gallery][answer.argmin(axis=1)] == pid[query]).mean()
    assert right["plain"] <= 0.25
    assert right[method] >= right["plain"] + 0.2, right


def test_the_positive_part_is_the_distance_of_mapped_features():
    for method in ("xqda", "kissme", "nfst_rbf", "itml"):
        query, gallery = learned_metric(*SIDES, *TRAIN, method=method)
        found = learned_distances(*SIDES, *TRAIN, method=method, psd=True)
        assert_near(found, distances(query, gallery), 1e-4)
        assert (found >= 0).all()


def test_components_are_the_first_of_all():
    for method in ("xqda", "nfst_rbf", "kissme", "lfda", "nca"):
        query, _ = learned_metric(*SIDES, *TRAIN, method=method, components=2)
        assert query.shape[1] <= 2
    everything, _ = learned_metric(*SIDES, *TRAIN, method="nfst_rbf")
    first, _ = learned_metric(*SIDES, *TRAIN, method="nfst_rbf", components=3)
    assert_array_equal(first, everything[:, :3])


def test_top_k_is_the_cut_of_the_full_answer():
    full = learned_distances(*SIDES, *TRAIN, method="kissme")
    found = learned_distances(*SIDES, *TRAIN, method="kissme", top_k=7)
    assert isinstance(found, Nearest)
    rows = np.argsort(full, axis=1, kind="stable")[:, :7]
    assert_array_equal(found.rows, rows)
    assert_array_equal(found.distances, np.take_along_axis(full, rows, axis=1))


def test_where_features_lie_changes_no_distance():
    moved = [side + np.float32(512) for side in SIDES]
    train, pid, cam = TRAIN
    found = learned_distances(*moved, train + np.float32(512), pid, cam)
    assert_near(found, learned_distances(*SIDES, *TRAIN), 1e-3)


def test_unknown_identities_are_left_out_and_unknown_cameras_are_their_own():
    train, pid, cam = TRAIN
    strangers = np.concatenate([pid, [-1, -1, -1]]), np.concatenate([cam, [0, 1, 2]])
    found = learned_distances(*SIDES, np.concatenate([train, 9 * train[:3]]), *strangers)
    wanted = learned_distances(*SIDES, *TRAIN)
    assert_array_equal(found, wanted)
    everybody = learned_distances(*SIDES, train, pid)
    assert_array_equal(learned_distances(*SIDES, train, pid, np.full(len(pid), -1)), everybody)
    assert_array_equal(learned_distances(*SIDES, *TRAIN, cross_camera=False), everybody)
    assert (wanted != everybody).any()


def test_alike_training_images_teach_nothing():
    train, pid, cam = TRAIN
    query, gallery = learned_metric(*SIDES, np.ones_like(train), pid, cam)
    assert_array_equal(query, SIDES[0])
    assert_array_equal(gallery, SIDES[1])


@each(
    ("pid", "cam", "message"),
    [
        (np.arange(4), None, r"pairs of images, some of one identity and some of two, got 0 and 6 among 4 images"),
        (np.zeros(4, int), None, r"pairs of images, some of one identity and some of two, got 6 and 0 among 4"),
        (
            np.array([0, 0, 1, 1]),
            np.array([0, 0, 1, 1]),
            r"pairs of images of two cameras, .* got 0 and 4 among 4",
        ),
        (np.full(4, -1), None, r"pairs of images, .* got 0 and 0 among 0 images of known identity"),
    ],
)
def test_without_pairs_there_is_nothing_to_learn(pid, cam, message):
    with pytest.raises(ValueError, match=rf"^train_pid: wanted {message}"):
        learned_metric(ORIGIN, FAR, FOUR, pid, cam)


def test_what_cannot_be_inverted_is_refused_with_a_way_out(capsys):
    rng = np.random.default_rng(0)
    train, pid = rng.normal(size=(8, 20)).astype(np.float32), np.arange(8) // 2
    sides = train[:2], train[2:]
    for method, reason in (
        ("xqda", "the covariance of differences of one identity has no inverse; set ridge, or a smaller pca"),
        ("kissme", "the covariance of differences of one identity has no inverse; set ridge, or a smaller pca"),
        ("lfda", "the local scatter within identities has no inverse; set ridge, or a smaller pca"),
        ("rca", ".*; set a smaller pca, or take another method"),
    ):
        with pytest.raises(
            ValueError, match=f"^train: wanted images that method '{method}' can learn from, got: {reason}$"
        ):
            learned_metric(*sides, train, pid, method=method, pca=7, ridge=0)
    assert capsys.readouterr() == ("", "")


def test_without_the_package_its_methods_are_refused_by_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "metric_learn", None)
    with pytest.raises(
        ValueError, match=r"^method: 'lmnn' needs the package metric-learn, .*-m pip install .metric-learn"
    ):
        learned_metric(*SIDES, *TRAIN, method="lmnn")
    learned_metric(*SIDES, *TRAIN, method="sdml")


@each(
    ("ridge", "components", "first"),
    [(0.001, None, None), (0.001, 12, None), (0.1, None, None), (0.001, None, 12)],
)
def test_xqda_as_released(shared, ridge, components, first):
    golden = np.load(shared / "golden" / "xqda.npz")
    view = golden["aux__is_probe_view"]
    rows = np.concatenate([np.flatnonzero(view == side)[:first] for side in (0, 1)])
    train, pid, cam = golden["train"][rows], golden["train_pid"][rows], view[rows]
    key = f"xqda_official__lambda={ridge}_qdaDims={components or -1}_first={first or 'all'}"
    given = {"ridge": ridge, "components": components}
    assert_near(learned_distances(golden["q"], golden["g"], train, pid, cam, **given), golden[f"dist__{key}"])
    metric = xqda.fit(train, np.unique(pid, return_inverse=True)[1], cam, **given)
    assert_allclose(matrix_of(metric), golden[f"aux__WMWt__{key}"], rtol=0, atol=1e-4)
    assert len(metric.weights) == golden[f"aux__dims__{key}"]
    if first is None and components is None and ridge == 0.001:  # a second implementation
        assert_near(golden["dist__xqda_reidlabs_py__lambda=0.001"], golden[f"dist__{key}"])
        assert_allclose(matrix_of(metric), golden["aux__WMWt__xqda_reidlabs_py__lambda=0.001"], rtol=0, atol=1e-4)


def test_the_kernel_form_of_xqda_is_another_method(shared):
    """Its ridge of 1e-7 acts in the space of the kernel, and eigenvalues decide: no ridge here gives that."""
    golden = np.load(shared / "golden" / "xqda.npz")
    data = [golden[name] for name in ("q", "g", "train", "train_pid", "aux__is_probe_view")]
    theirs = golden["dist__ek_xqda_linear_kernel"]
    for ridge in (0.0, 1e-7, 1e-3):
        away = np.abs(learned_distances(*data, ridge=ridge) - theirs).max()
        assert 0.01 < away / theirs.max() < 0.5


@each(("weight", "psd"), [(1, 0), (1, 1), (0.5, 1)])
def test_kissme_as_released(shared, weight, psd):
    """The pairs are given. Eigenvalues that the toolbox sets to 1e-6 are 0 here, which is inside the tolerance."""
    golden = np.load(shared / "golden" / "kissme.npz")
    first, second = golden["aux__official_pairs_i"], golden["aux__official_pairs_j"]
    found = kissme_of_pairs(golden, first, second, weight)
    if psd:
        values, vectors = np.linalg.eigh(found)
        found = (vectors * np.maximum(values, 0)) @ vectors.T
    key = f"official__lambda={weight}_psd={psd}"
    assert_allclose(found, golden[f"aux__M__{key}"], rtol=0, atol=2e-6)
    assert_near(quadratic(golden["q"], golden["g"], found), golden[f"dist__{key}"], 2e-6)


@each("seed", [0, 1])
def test_kissme_as_in_openreid(shared, seed):
    """All pairs of one identity, and those of two that were drawn; the matrix before its faulty repair."""
    golden = np.load(shared / "golden" / "kissme.npz")
    second, first = np.nonzero(np.tri(len(golden["train"]), k=-1))  # pairs (i, j), i < j, i running fastest
    same = golden["train_pid"][first] == golden["train_pid"][second]
    kept = np.concatenate([np.flatnonzero(same), np.flatnonzero(~same)[golden[f"aux__neg_choice__seed={seed}"]]])
    found = kissme_of_pairs(golden, first[kept], second[kept], 1)
    assert_allclose(found, golden[f"aux__Mraw__openreid__seed={seed}"], rtol=0, atol=2e-6)
    assert_near(quadratic(golden["q"], golden["g"], found), golden[f"dist__openreid_raw__seed={seed}"], 1e-6)
    assert bool(golden[f"aux__raw_is_pd__seed={seed}"]) == bool(np.linalg.eigvalsh(found)[0] > 0)


def kissme_of_pairs(golden, first, second, weight):
    train, pid = golden["train"], golden["train_pid"]
    same = pid[first] == pid[second]
    means = [covariance.of_chosen_pairs(train, first[kind], second[kind]) for kind in (same, ~same)]
    return kissme.matrix(*means, weight)


def test_kissme_of_all_pairs_is_kissme_of_pairs(shared):
    golden = np.load(shared / "golden" / "kissme.npz")
    wanted = kissme_of_pairs(golden, *np.tril_indices(len(golden["train"]), -1), 1.0)
    found = learned_distances(golden["q"], golden["g"], golden["train"], golden["train_pid"], method="kissme")
    assert_near(found, quadratic(golden["q"], golden["g"], wanted))


@each(("method", "kernel", "atol"), [("nfst", "linear", 1e-5), ("nfst_rbf", "rbf", 1e-6)])
def test_nfst_as_released(shared, method, kernel, atol):
    """The released code answers with Euclidean distances, not their squares."""
    golden = np.load(shared / "golden" / "nfst.npz")
    query, gallery, train, pid = (golden[name] for name in ("q", "g", "train", "train_pid"))
    found = learned_distances(query, gallery, train, pid, method=method)
    assert_allclose(np.sqrt(found), golden[f"dist__nfst_official__kernel={kernel}"], rtol=0, atol=atol)
    images, _ = learned_metric(query, gallery, train, pid, method=method)
    assert_near(images @ images.T, golden[f"aux__gram_q__kernel={kernel}"], 1e-6)
    assert images.shape[1] == golden[f"aux__nulldims__kernel={kernel}"].item()
    images, _ = learned_metric(train, gallery, train, pid, method=method)
    scatter = max(images[pid == person].std(axis=0).max() for person in np.unique(pid))
    assert scatter < golden[f"aux__max_within_class_std__kernel={kernel}"].item() + 1e-6


def test_real_features(shared):
    """Published for LOMO with XQDA on VIPeR: rank-1 40.0, as the mean over ten random halves."""
    rank1, precision = bench.evaluate(bench.viper(shared, "lomo_isometric"), "xqda")
    assert 37 < rank1 < 43
    assert 50 < precision < 54
    plain, _ = bench.evaluate(bench.cuhk01(shared, "omz0288"), "cosine")
    rank1, _ = bench.evaluate(bench.cuhk01(shared, "omz0288"), "xqda")
    assert 75 < plain < 77
    assert 80 < rank1 < 83
