"""Joins of distances: by hand, what all of them owe (laws), and what they refuse."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fusion
from ensemble.fusion import parts, scaled
from postproc.base import runtime
from tests.support.each import each

NAN, INF = np.float32(np.nan), np.float32(np.inf)
# Those whose parts are not of one kind, or learn from more than distances, have files of their own.
LEARNED = {"calibrated_distances", "pos_fuse", "slide_fuse", "prob_fuse", "seg_fuse", "bayes_fuse"}
AFTER = sorted(set(fusion.AFTER) - {"local_evidence", "reorder_pairs", *LEARNED})
# every setting of every join, with a value that is not the default and that shows
SETTINGS = {
    "weighted_sum": {"weights": [1, 2, 0.5], "scaling": "min-max", "average": True},
    "product": {"weights": [1, 2, 0.5], "scaling": "rank", "floor": 0.3},
    "median": {"scaling": "min-max"},
    "smallest": {"scaling": "min-max"},
    "largest": {"scaling": "min-max"},
    "comb_mnz": {"weights": [1, 2, 0.5], "scaling": "sum", "exponent": 2.0, "weigh": "hits"},
    "reciprocal_rank_fusion": {"k": 5, "weights": [1, 2, 0.5]},
    "borda": {"weights": [1, 2, 0.5]},
    "inverse_square_rank": {"hits": "log", "sigma": 0.5, "weights": [1, 2, 0.5]},
    "rank_biased_centroid": {"phi": 0.7, "weights": [1, 2, 0.5]},
    "query_adaptive": {
        "reference": "queries",
        "neighbours": 2,
        "tail": 0.9,
        "top": 5,
        "rule": "sum",
        "weights": [1, 2, 0.5],
    },
    "released_query_adaptive": {
        "main": 0.5,
        "leader": 1,
        "references": 2,
        "top": 5,
        "similarities": [False, True, False],
    },
    "compete_lists": {
        "weights": [1, 2, 0.5],
        "trust": False,
        "depth": 3,
        "offset": 1.0,
        "pool": "all",
        "power": 2.0,
        "neighbours": 1,
        "lend": 0.0,
        "sharpen": 0.25,
        "once": False,
        "regroup": False,
        "rounds": 2,
    },
}
COLUMNS = {  # what a join looks at beside its parts
    "compete_lists": {
        "gallery_track": np.arange(30) // 2,
        "query_cam": np.arange(7) % 3,
        "gallery_cam": np.arange(30) // 2 % 4,
    }
}
NEEDS = {  # what else has to be set before this setting can matter
    ("comb_mnz", "weigh"): {"weights": [1, 2, 0.5]},
    ("inverse_square_rank", "sigma"): {"hits": "log"},
    ("query_adaptive", "neighbours"): {"reference": "queries"},
    ("query_adaptive", "tail"): {"reference": "queries", "neighbours": 2},
}


def some(nq=7, n=30, count=3, seed=0):
    rng = np.random.default_rng(seed)
    return [(3**m * rng.random((nq, n))).astype(np.float32) for m in range(count)]


def row(*values):
    return np.array([values], np.float32)


# ---- by hand


def test_weighted_sum_says_what_unknown_pairs_mean():
    d = [row(0, 2, 4), row(NAN, 1, 3)]
    #                                          0 / 1 * 2   2 + 1   4 + 3
    assert fusion.weighted_sum(d, missing="mean").tolist() == [[0, 3, 7]]
    assert fusion.weighted_sum(d, missing="mean", weights=[1, 3]).tolist() == [[0, 5, 13]]
    #                                          0 + 3, the farthest that part 2 knows
    assert fusion.weighted_sum(d, missing="worst").tolist() == [[3, 3, 7]]
    #                                          0 - 1, the nearest, because part 2 is subtracted
    assert fusion.weighted_sum(d, missing="worst", weights=[1, -1]).tolist() == [[-1, 1, 1]]
    #   z: -sqrt(3/2), 0, sqrt(3/2); and -, -1, 1
    root = np.sqrt(1.5)
    assert_allclose(fusion.weighted_sum(d, scaling="z-score", missing="none"), [[-root, -1, root + 1]], rtol=1e-6)
    #   places 0, 1, 2 of 3 and -, 0, 1 of 2; the unknown one behind the last: 2 of 2
    assert_allclose(
        fusion.weighted_sum(d, scaling="rank", missing="worst"), [[1, 1 / 3, 2 / 3 + 1 / 2]], rtol=1e-6
    )
    with pytest.raises(
        ValueError, match=r'part 2 lacks 1 of 3 pairs; choose missing = "mean" or missing = "worst"'
    ):
        fusion.weighted_sum(d)


def test_what_may_never_be_returned_and_what_nobody_knows():
    d = [row(0, 2, INF, NAN, INF), row(NAN, 1, 3, NAN, NAN)]
    behind = np.nextafter(np.float32(3), INF)
    assert fusion.weighted_sum(d, missing="mean").tolist() == [[0, 3, INF, behind, INF]]
    assert fusion.weighted_sum(d, weights=[0, 1], missing="mean")[0, 1:3].tolist() == [1, 3]  # weight 0: not there
    assert fusion.median(d, missing="known").tolist() == [[0, 1.5, INF, np.nextafter(np.float32(1.5), INF), INF]]
    for name in AFTER:
        if name == "released_query_adaptive":
            continue
        choices = {"weighted_sum": "mean", "product": "mean", "query_adaptive": "worst"}
        missing = choices.get(name, "known" if name in ("median", "smallest", "largest") else None)
        found = fusion.AFTER[name](d, **({"missing": missing} if missing else {}))
        assert np.isposinf(found[0, [2, 4]]).all(), name
        assert found[0, 3] > found[0, [0, 1]].max(), name
        assert np.isfinite(found[0, [0, 1, 3]]).all(), name
    everything = row(NAN, NAN)
    assert fusion.weighted_sum([everything] * 2, missing="worst").tolist() == [[0, 0]]


def test_scalings():
    d = row(2, 3, NAN, 6, INF)
    deviation = np.sqrt(((2 - 11 / 3) ** 2 + (3 - 11 / 3) ** 2 + (6 - 11 / 3) ** 2) / 3)
    wanted = {
        "none": [2, 3, 6],
        "min-max": [0, 0.25, 1],
        "z-score": [(x - 11 / 3) / deviation for x in (2, 3, 6)],
        "row-max": [1 / 3, 1 / 2, 1],
        "sum": [-4 / 7, -3 / 7, 0],
        "rank": [0, 1 / 3, 2 / 3],
        "rank-normal": [-0.9674216, 0, 0.9674216],  # of 1/6, 1/2, 5/6
    }
    for scaling, values in wanted.items():
        found = scaled(d, scaling)
        assert_allclose(found[0, [0, 1, 3]], values, rtol=1e-6, atol=1e-7)
        assert np.isnan(found[0, 2])
        assert np.isposinf(found[0, 4])
    two = np.concatenate([d, 2 * d])
    assert_allclose(scaled(two, "min-max-whole")[1, [0, 1, 3]], [0.2, 0.4, 1], rtol=1e-6)
    known = two[np.isfinite(two)]
    assert_allclose(scaled(two, "z-score-whole")[0, 0], (2 - known.mean()) / known.std(), rtol=1e-6)
    for offset in (1e3, 1e5, 1e7):
        far = (two + np.float32(offset)).astype(np.float32)
        for scaling, whole in (
            ("z-score", False),
            ("z-score-whole", True),
            ("min-max-whole", True),
            ("sum", False),
        ):
            part = far.astype(np.float64)[np.isfinite(two)] if whole else far[0].astype(np.float64)[[0, 1, 3]]
            exact = {
                "z-score": (part[0] - part.mean()) / part.std(),
                "min-max-whole": (part[0] - part.min()) / np.ptp(part),
                "sum": -(part.max() - part[0]) / (part.max() - part).sum(),
            }[scaling.replace("z-score-whole", "z-score")]
            assert_allclose(scaled(far, scaling)[0, 0], exact, rtol=1e-5, atol=1e-7)
    assert set(wanted) | {"min-max-whole", "z-score-whole"} == set(fusion.SCALINGS)
    for scaling in fusion.SCALINGS[1:]:
        level = scaled(np.zeros((2, 3), np.float32), scaling)
        assert np.isfinite(level).all()
        if not scaling.startswith("rank"):
            assert not level.any()


def test_product_by_hand():
    d = [row(4, 0, 1), row(9, 5, NAN)]
    assert_allclose(fusion.product(d, scaling="none", missing="mean"), [[6, 0, 1]], rtol=1e-6)
    assert_allclose(fusion.product(d, scaling="none", missing="worst"), [[6, 0, 3]], rtol=1e-6)
    weighted = fusion.product(d, scaling="none", missing="worst", weights=[1, 0.5], floor=0.01)
    assert_allclose(weighted, [[12, 0.01 * np.sqrt(5), 3]], rtol=1e-6)


def test_rank_fusions_by_hand():
    d = [row(0.1, 0.2, 0.3), row(0.5, 0.1, NAN)]  # places 0 1 2; 1 0 -
    rrf = fusion.reciprocal_rank_fusion
    assert_allclose(rrf(d, k=1), [[-(1 / 2 + 1 / 3), -(1 / 3 + 1 / 2), -1 / 4]], rtol=1e-6)
    assert_allclose(rrf(d, k=1, missing="worst")[0, 2], -(1 / 4 + 1 / 4), rtol=1e-6)
    assert_allclose(rrf(d, k=1, missing="mean")[0, 2], -1 / 4 * 2, rtol=1e-6)
    assert_allclose(rrf(d, k=1, weights=[3, 1])[0, 0], -(3 / 2 + 1 / 3), rtol=1e-6)
    #  the third image has the only place left in list 2: (3 candidates + 2 listed - 1) / 2 = 2
    assert fusion.borda(d).tolist() == [[1, 1, 4]]
    assert_allclose(fusion.inverse_square_rank(d), [[-2 * 1.25, -2 * 1.25, -1 / 9]], rtol=1e-6)
    log = np.log(2)
    assert_allclose(fusion.inverse_square_rank(d, hits="log"), [[-log * 1.25, -log * 1.25, 0]], rtol=1e-6)
    assert_allclose(fusion.inverse_square_rank(d, hits="none"), [[-1.25, -1.25, -1 / 9]], rtol=1e-6)
    assert_allclose(fusion.rank_biased_centroid(d, phi=0.5), [[-0.75, -0.75, -0.125]], rtol=1e-6)


def test_lists_of_other_teams_are_distances_too():
    one, other = fusion.of_ranking(np.array([[2, 0, -1]]), 4), fusion.of_ranking(np.array([[0, 1, 2]]), 4)
    assert_array_equal(one, row(1, NAN, 0, NAN))
    joined = fusion.reciprocal_rank_fusion([one, other], k=0)  # 1/2 + 1, 1/2, 1 + 1/3, nobody
    assert_array_equal(np.argsort(joined[0], kind="stable"), [0, 2, 1, 3])


def test_places_are_a_stable_sort():
    rng = np.random.default_rng(0)
    d = rng.integers(-2, 3, (20, 50)).astype(np.float32)
    d[d == 0] *= rng.choice([-1, 1], (d == 0).sum()).astype(np.float32)  # both zeros
    order = np.argsort(d, axis=1, kind="stable")
    assert_array_equal(np.take_along_axis(fusion.places(d), order, axis=1), np.tile(np.arange(50.0), (20, 1)))


def test_query_adaptive_trusts_the_steep_curve():
    sure, unsure = row(0, 10, 10, 10), row(9, 0, 1, 2)
    #  s: 1 0 0 0, mean 1/4, and sorted 1 8/9 7/9 0, mean 2/3; weights 4 and 1.5
    assert_allclose(fusion.query_adaptive_weights(sure), [4], rtol=1e-6)
    assert_allclose(fusion.query_adaptive_weights(unsure), [1.5], rtol=1e-6)
    found = fusion.query_adaptive([sure, unsure], rule="sum")
    v = 4 / 5.5
    assert_allclose(found, [[1 - v, v, v + (1 - v) / 9, v + (1 - v) * 2 / 9]], rtol=1e-5)
    #  less a reference that has the same plateau, the unsure curve is 0 0 0 but for its head
    reference = np.array([1 / 2, 8 / 9, 7 / 9, 0])
    assert_allclose(fusion.query_adaptive_weights(unsure, reference=reference), [4], rtol=1e-5)
    both = fusion.query_adaptive([sure, unsure], reference=[np.zeros(4), reference], rule="sum")
    assert_allclose(both, [[0.5, 0.5, 0.5 + 0.5 / 9, 0.5 + 1 / 9]], rtol=1e-5)
    product = fusion.query_adaptive([row(0, 1, 2), row(0, 1, 2)])
    assert_allclose(product, [[-1, -0.5, 0]], rtol=1e-6)


# ---- laws


@each("name", AFTER)
def test_laws(name, monkeypatch):
    join, d = fusion.AFTER[name], some()
    settings = {"references": 3} if name == "released_query_adaptive" else {}
    before = [part.copy() for part in d]
    with runtime.using(threads=1):
        wanted = join(d, **settings)
    assert wanted.dtype == np.float32
    assert wanted.shape == d[0].shape
    assert all(map(np.array_equal, d, before))
    with runtime.using(threads=2):
        monkeypatch.setattr(parts, "ENTRIES", 60)  # two rows at a time
        assert join(d, **settings).tobytes() == wanted.tobytes()
    if name != "released_query_adaptive":  # whose reference are the first queries, in the order of the gallery
        order = np.random.default_rng(1).permutation(d[0].shape[1])
        assert_allclose(join([part[:, order] for part in d]), wanted[:, order], rtol=1e-6, atol=1e-6)
        if name != "compete_lists":  # whose queries compete with each other
            assert join([part[2:4] for part in d]).tobytes() == wanted[2:4].tobytes()
    toys = join([np.zeros((1, 1), np.float32)] * 2)
    assert np.isfinite(toys).all()
    assert join([np.zeros((0, 4), np.float32)] * 2).shape == (0, 4)


@each("name", AFTER)
def test_every_setting_matters(name):
    join, d = fusion.AFTER[name], some()
    known = inspect.signature(join).parameters
    assert set(SETTINGS[name]) | {"missing"} >= {n for n, p in known.items() if p.kind is p.KEYWORD_ONLY}
    for setting, value in SETTINGS[name].items():
        base = NEEDS.get((name, setting), {})
        changed = {**base, setting: value}
        base = {key: item for key, item in base.items() if key != setting}
        beside = COLUMNS.get(name, {})
        assert (join(d, **beside, **changed) != join(d, **beside, **base)).any(), setting


@each("name", ["weighted_sum", "median", "smallest", "largest"])
def test_one_part_is_itself(name):
    d = some()[0]
    d[0, :3] = 0, -0.0, INF
    assert fusion.AFTER[name]([d]).tobytes() == d.tobytes()
    assert fusion.product([np.abs(d)], scaling="none").tobytes() == np.abs(d).tobytes()


@each("name", sorted(set(AFTER) - {"median", "smallest", "largest", "released_query_adaptive"}))
def test_weight_0_leaves_a_part_out(name):
    join, (a, b, c) = fusion.AFTER[name], some()
    b = b.copy()
    b[:, 3], b[:, 4] = INF, NAN
    missing = {"missing": "worst"} if name == "query_adaptive" else {}
    missing = {"missing": "mean"} if name in ("weighted_sum", "product") else missing
    assert join([a, b, c], weights=[1, 0, 2], **missing).tobytes() == join([a, c], weights=[1, 2]).tobytes()


@given(
    scaling=st.sampled_from(fusion.SCALINGS),
    weights=st.lists(st.sampled_from([1.0, 0.5, -0.25, 2.0]), min_size=3, max_size=3),
    gaps=st.booleans(),
)
def test_scaled_matrices_have_the_same_sum_to_the_bit(scaling, weights, gaps):
    d = some(4, 9)
    if gaps:
        d[1][0, 2], d[2][1, :], d[0][2, 3] = NAN, NAN, INF
    missing = "worst" if gaps else "refuse"
    once = [scaled(part, scaling) for part in d]
    if scaling == "rank" and gaps:  # where the worst is the place behind the last, which scaled distances lack
        return
    wanted = fusion.weighted_sum(d, weights=weights, scaling=scaling, missing=missing)
    assert fusion.weighted_sum(once, weights=weights, missing=missing).tobytes() == wanted.tobytes()


@given(st.integers(0, 50), st.sampled_from(["mean", "worst"]))
def test_complete_pairs_do_not_feel_the_gaps_of_others(seed, missing):
    d = some(4, 9, seed=seed)
    whole = fusion.weighted_sum(d, weights=[0.3, 1, 2])
    d[1][:, 4] = NAN
    found = fusion.weighted_sum(d, weights=[0.3, 1, 2], missing=missing)
    assert_array_equal(np.delete(found, 4, axis=1), np.delete(whole, 4, axis=1))


# ---- what is refused


@each(
    ("name", "settings", "message"),
    [
        ("weighted_sum", {"weights": [1, 2]}, "weights: wanted 3 numbers, one for each part"),
        ("weighted_sum", {"weights": [0, 0, 0]}, "weights: wanted one other than 0"),
        ("weighted_sum", {"weights": "abc"}, "weights: wanted 3 numbers"),
        ("weighted_sum", {"scaling": "minmax"}, "scaling: wanted one of none, min-max"),
        ("weighted_sum", {"missing": "zero"}, "missing: wanted one of refuse"),
        (
            "weighted_sum",
            {"missing": "none", "scaling": "min-max"},
            'missing: wanted "none" only with scaling z-score',
        ),
        ("weighted_sum", {"missing": "mean", "weights": [1, -1, 1]}, "missing: .* weights below 0"),
        ("product", {"weights": [1, -1, 1]}, "weights: wanted 3 numbers of 0 or more"),
        ("product", {"scaling": "z-score"}, "scaling: wanted one of"),
        ("product", {"floor": 2}, "floor: wanted 0 to 1"),
        ("median", {"missing": "mean"}, "missing: wanted one of refuse, known"),
        ("comb_mnz", {"scaling": "none"}, "scaling: wanted one of"),
        ("reciprocal_rank_fusion", {"k": -1}, "k: wanted 0 or more"),
        ("reciprocal_rank_fusion", {"k": "60"}, "k: wanted a finite number"),
        ("reciprocal_rank_fusion", {"weights": [1, 1, -1]}, "weights: wanted 3 numbers of 0 or more"),
        ("borda", {"missing": "none"}, "missing: wanted one of rest, refuse"),
        ("inverse_square_rank", {"hits": "all"}, "hits: wanted one of count, log, none"),
        ("inverse_square_rank", {"missing": "worst"}, "missing: wanted one of none, refuse"),
        ("rank_biased_centroid", {"phi": 1}, "phi: wanted more than 0 and less than 1"),
        ("query_adaptive", {"reference": "train"}, "reference: wanted one of none, queries"),
        ("query_adaptive", {"reference": [np.ones(3)]}, "reference: wanted curves for 3 parts, got 1"),
        ("query_adaptive", {"neighbours": 0}, "neighbours: wanted a whole number, 1 or more"),
        ("query_adaptive", {"tail": 2}, "tail: wanted 0 to 1"),
        ("query_adaptive", {"top": 1}, "top: wanted a whole number, 2 or more"),
        ("query_adaptive", {"rule": "max"}, "rule: wanted one of product, sum"),
        ("released_query_adaptive", {"main": 1.5}, "main: wanted 0 to 1"),
        ("released_query_adaptive", {"references": 0}, "references: wanted a whole number"),
        ("released_query_adaptive", {"top": 1}, "top: wanted a whole number, 2 or more"),
        ("released_query_adaptive", {"similarities": [True]}, "similarities: wanted 3 times true or false"),
    ],
)
def test_bad_settings_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        fusion.AFTER[name](some(), **settings)


@each("name", AFTER)
def test_bad_parts(name):
    join, (a, b, c) = fusion.AFTER[name], some()
    for parts_given, message in [
        ([], "distances: wanted one part or more"),
        ([a, b[:, 1:]], r"distances: wanted parts of one shape, got \(7, 30\), \(7, 29\)"),
        ([a, b[0]], "wanted a matrix of numbers for each part, .* for part 2"),
        ([a, np.where(b == b.min(), -INF, b)], "found -inf in part 2"),
        (a, "distances: wanted a list of matrices"),
    ]:
        with pytest.raises(ValueError, match=message):
            join(parts_given)
    gaps = [a, b, c.copy()]
    gaps[2][0, :2] = NAN
    if name == "compete_lists":  # which takes lists as they are
        assert np.isfinite(join(gaps)).all()
    elif "missing" not in inspect.signature(join).parameters:
        with pytest.raises(ValueError, match="part 3 lacks 2 of 210 pairs"):
            join(gaps)
    else:
        with pytest.raises(ValueError, match="part 3 lacks 2 of 210 pairs; choose missing = "):
            join(gaps, missing="refuse")


def test_row_max_refuses_what_it_would_turn_round():
    with pytest.raises(ValueError, match=r'scaling: wanted distances of 0 or more for "row-max", found -1'):
        fusion.weighted_sum([row(-1, 2)], scaling="row-max")
    with pytest.raises(ValueError, match="scaling: wanted distances of 0 or more"):
        fusion.product([row(-1, 2)], scaling="none")


@each("missing", ["none", "worst", "mean"])
@given(seed=st.integers(0, 1000), few=st.integers(0, 3))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_short_lists_are_joined_as_the_whole_gallery_is(
    monkeypatch: pytest.MonkeyPatch, missing: str, seed: int, few: int
) -> None:
    """Among the images that any list names: the same bits, ties, +inf and empty lists too."""
    random = np.random.default_rng(seed)
    lists = np.full((3, 5, 40), np.nan, np.float32)
    for query in lists.reshape(15, 40):
        named = random.choice(40, few, replace=False)
        query[named] = random.choice([0, 0.5, 1, np.inf], few)
    joins: list[Callable[[], np.ndarray]] = [
        lambda: fusion.reciprocal_rank_fusion(list(lists), missing=missing),  # type: ignore[arg-type]
        lambda: fusion.rank_biased_centroid(list(lists), missing=missing),  # type: ignore[arg-type]
        lambda: fusion.inverse_square_rank(list(lists), weights=[1, 0.5, 2]),
        lambda: fusion.borda(list(lists)),
    ]
    for join in joins:
        monkeypatch.setattr(parts, "FEW", 1)
        short = join()
        monkeypatch.setattr(parts, "FEW", 1000)
        assert_array_equal(short, join())
