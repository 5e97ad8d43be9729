"""Joins that look at features of all models: graphs of neighbours, calibration, reliability, trained curves."""

import inspect
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fusion
from ensemble.fusion.across.calibrated import training_pairs
from postproc import distances
from postproc.base import runtime
from tests.support.each import each
from tests.support.worlds import world

ACROSS = sorted(fusion.ACROSS)
SETTINGS = {
    "graph_fusion": {
        "k": 5,
        "ranking": "pagerank",
        "reach": 6,
        "decay": 0.1,
        "damping": 0.5,
        "weights": [1, 9, 1],
        "metric": "sqeuclidean",
    },
    "calibrated": {
        "method": "logistic",
        "weights": [1, 9, 1],
        "metric": "euclidean",
        "pairs": 100,
        "seed": 1,
        "order": 0.0,
    },
    "stacked": {"method": "logistic", "metric": "euclidean", "pairs": 100, "seed": 1, "order": 0.0},
    "trained_query_adaptive": {
        "references": 3,
        "neighbours": 2,
        "tail": 0.9,
        "top": 5,
        "rule": "sum",
        "weights": [1, 9, 1],
        "metric": "sqeuclidean",
    },
    "unsupervised_reliability": {
        "k": 5,
        "effectiveness": "authority",
        "p": 0.5,
        "beta": 3.0,
        "select": 2,
        "metric": "sqeuclidean",
        "join": "ranks",
        "scaling": "z-score",
        "rank_k": 5.0,
    },
}
NEEDS = {
    ("graph_fusion", "damping"): {"ranking": "pagerank"},
    ("calibrated", "seed"): {"pairs": 100},
    ("stacked", "seed"): {"pairs": 100},
    ("unsupervised_reliability", "rank_k"): {"join": "ranks"},
}


@pytest.fixture(scope="module")
def models():
    """Three models of one world: a fair one, one with some noise, one with much; (query, gallery, train, pid)."""
    data = world(nq=14, ng=80, people=12)
    rng = np.random.default_rng(3)
    sides = []
    for side in ("query", "gallery", "train"):
        x = data[side]
        sides.append([(x + s * rng.normal(size=x.shape)).astype(np.float32) for s in (0.3, 0.6, 3.0)])
    return *sides, data["train_pid"]


def mean_ap(found):
    data = world(nq=14, ng=80, people=12)
    values = []
    for row, pid in zip(found, data["query_pid"], strict=True):
        hits = (data["gallery_pid"] == pid)[np.argsort(row, kind="stable")]
        if hits.any():
            values.append((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    return np.mean(values)


# ---- laws


@each("name", ACROSS)
def test_laws(name, models):
    join = fusion.ACROSS[name]
    query, gallery, train, pid = models
    before = [x.copy() for side in models[:3] for x in side]
    with runtime.using(threads=1):
        wanted = join(query, gallery, train, pid)
    assert wanted.dtype == np.float32
    assert wanted.shape == (14, 80)
    assert np.isfinite(wanted).all()
    assert all(map(np.array_equal, [x for side in models[:3] for x in side], before))
    with runtime.using(threads=2):
        assert join(query, gallery, train, pid).tobytes() == wanted.tobytes()
    order = np.random.default_rng(1).permutation(80)
    order = order[~np.isin(order, (5, 17, 60))]  # copies are ties
    shuffled = join(query, [g[order] for g in gallery], train, pid)
    plain = join(query, [g[np.sort(order)] for g in gallery], train, pid)
    assert_allclose(shuffled, plain[:, order.argsort().argsort()], atol=2e-5)
    one = join(query[:1], gallery[:1], train[:1], pid)
    assert mean_ap(one) > 0.97 * mean_ap(distances(query[0], gallery[0], metric="cosine"))
    assert mean_ap(wanted) > mean_ap(distances(query[1], gallery[1], metric="cosine")) + 0.05


@each("name", ACROSS)
def test_every_setting_matters(name, models):
    join = fusion.ACROSS[name]
    known = inspect.signature(join).parameters
    assert set(SETTINGS[name]) == {n for n, p in known.items() if p.kind is p.KEYWORD_ONLY}
    for setting, value in SETTINGS[name].items():
        base = NEEDS.get((name, setting), {})
        assert (join(*models, **base, **{setting: value}) != join(*models, **base)).any(), setting


@each(
    ("name", "settings", "message"),
    [
        ("graph_fusion", {"k": 0}, "k: wanted a whole number, 1 or more"),
        ("graph_fusion", {"ranking": "walk"}, "ranking: wanted one of density, pagerank"),
        ("graph_fusion", {"reach": 0}, "reach: wanted a whole number"),
        ("graph_fusion", {"decay": 0}, "decay: wanted more than 0"),
        ("graph_fusion", {"damping": 1}, "damping: wanted more than 0 and less than 1"),
        ("graph_fusion", {"weights": [1]}, "weights: wanted 3 numbers of 0 or more"),
        ("graph_fusion", {"weights": [0, 0, 0]}, "weights: wanted one other than 0"),
        ("graph_fusion", {"metric": "l1"}, "metric: wanted one of cosine, sqeuclidean"),
        ("calibrated", {"method": "platt"}, "method: wanted one of isotonic, isotonic-steps, logistic"),
        ("calibrated", {"pairs": 1}, "pairs: wanted a whole number, 2 or more"),
        ("calibrated", {"seed": -1}, "seed: wanted a whole number"),
        ("calibrated", {"order": 1}, "order: wanted 0 to 0.01"),
        ("calibrated", {"weights": [1, 1, -1]}, "weights: wanted 3 numbers of 0 or more"),
        ("calibrated", {"metric": "l1"}, "metric: wanted one of"),
        ("trained_query_adaptive", {"references": 0}, "references: wanted a whole number"),
        ("trained_query_adaptive", {"rule": "max"}, "rule: wanted one of product, sum"),
        ("trained_query_adaptive", {"weights": [0, 0, 0]}, "weights: wanted one other than 0"),
        ("unsupervised_reliability", {"k": 0}, "k: wanted a whole number"),
        ("unsupervised_reliability", {"effectiveness": "map"}, "effectiveness: wanted one of"),
        ("unsupervised_reliability", {"p": 1}, "p: wanted more than 0 and less than 1"),
        ("unsupervised_reliability", {"beta": 11}, "beta: wanted -10 to 10"),
        ("unsupervised_reliability", {"select": 0}, "select: wanted a whole number"),
        ("unsupervised_reliability", {"join": "mean"}, "join: wanted one of sum, ranks"),
        ("unsupervised_reliability", {"scaling": "max"}, "scaling: wanted one of"),
        ("unsupervised_reliability", {"rank_k": -1}, "rank_k: wanted 0 or more"),
    ],
)
def test_bad_settings_are_named(name, settings, message, models):
    with pytest.raises(ValueError, match=message):
        fusion.ACROSS[name](*models, **settings)


def test_what_is_learned_needs_training_features():
    for name, wanted in (("calibrated", {"train", "train_pid"}), ("trained_query_adaptive", {"train"})):
        parameters = inspect.signature(fusion.ACROSS[name]).parameters.values()
        required = {p.name for p in parameters if p.default is p.empty}
        assert required == {"query", "gallery"} | wanted


# ---- graphs

#  q a b are in each other's lists of two neighbours, and so are c d; b is in c's list, c not in b's
LINE = np.array([[0], [1], [1.9], [10], [10.5]], np.float32)


def test_graph_fusion_by_hand():
    setting = {"k": 2, "metric": "sqeuclidean"}
    found = fusion.graph_fusion([LINE[:1]], [LINE[1:]], **setting)
    #  the links q-a, q-b and a-b all have 3 of 3 neighbours in common; a comes first, then b, of three images
    behind = [(100 - 1) / (110.25 - 1), 1.0]
    assert_allclose(found, [[-1, -0.5, *behind]], rtol=1e-5)
    #  decay 0.8 for a-b does not part them
    walked = fusion.graph_fusion([LINE[:1]], [LINE[1:]], ranking="pagerank", **setting)
    assert_allclose(walked, [[-1, -1, *behind]], rtol=1e-5)


def test_a_second_graph_changes_the_order():
    other = np.array([[0], [8], [0.5], [9], [0.7]], np.float32)  # q, b and d are together, a and c
    setting = {"k": 2, "metric": "sqeuclidean", "decay": 1.0}
    found = fusion.graph_fusion([LINE[:1], other[:1]], [LINE[1:], other[1:]], **setting)
    #  links: q-b 1 + 1, q-a 1, a-b 1, q-d 1, b-d 1, c-d 1, c-a 3/5 or so: b first
    assert np.argmin(found[0]) == 1
    alone = fusion.graph_fusion([LINE[:1], other[:1]], [LINE[1:], other[1:]], weights=[1, 0], **setting)
    assert_array_equal(alone, fusion.graph_fusion([LINE[:1]], [LINE[1:]], **setting))


def test_pagerank_is_the_stationary_walk(models):
    """On the whole graph, without decay: the walk iterated by its definition."""
    query, gallery = models[0][:1], models[1][:1]
    x = np.concatenate([query[0], gallery[0]])
    keep = np.setdiff1d(np.arange(len(x)), 14 + np.array([17, 60]))  # copies of another image
    x = x[keep]
    k, nq = 4, 14
    square = ((x[:, None].astype(np.float64) - x) ** 2).sum(axis=2)
    lists = [set(np.argsort(row, kind="stable")[: k + 1].tolist()) for row in square]
    links = np.zeros((len(x), len(x)))
    for i, j in combinations(range(len(x)), 2):
        if i in lists[j] and j in lists[i]:
            links[i, j] = links[j, i] = len(lists[i] & lists[j]) / len(lists[i] | lists[j])
    found = fusion.graph_fusion(
        [x[:nq]], [x[nq:]], k=k, ranking="pagerank", reach=1000, decay=1.0, damping=0.9, metric="sqeuclidean"
    )
    reached = {0}
    for _ in range(len(x)):
        reached |= {int(j) for i in reached for j in np.flatnonzero(links[i])}
    nodes = np.array(sorted(reached))
    near = links[np.ix_(nodes, nodes)]
    share = np.full(len(nodes), 1 / len(nodes))
    for _ in range(500):
        share = 0.9 * (near / near.sum(axis=1, keepdims=True)).T @ share + 0.1 * (nodes == 0)
    inside = nodes >= nq
    assert_allclose(found[0, nodes[inside] - nq], -share[inside] / share[inside].max(), rtol=1e-5)
    outside = np.setdiff1d(np.arange(nq, len(x)), nodes) - nq
    assert (found[0, outside] >= 0).all()


# ---- calibration


def test_calibration_by_hand():
    scores, hits = np.array([1.0, 2, 3, 4, 5]), np.array([0, 1, 0, 1, 1])
    likely = fusion.calibration(scores, hits, method="isotonic-steps")
    assert_allclose(likely(np.arange(6.0)), [0, 0, 0.5, 0.5, 1, 1], atol=1e-12)
    #  weight 3 on the hit at 2: (3 + 0) / (3 + 1)
    weighted = fusion.calibration(scores, hits, method="isotonic-steps", weights=np.array([1, 3, 1, 1, 1]))
    assert_allclose(weighted(np.array([2.0, 3])), 0.75)
    smooth = fusion.calibration(scores, hits)
    assert_array_equal(smooth(np.array([0.0, 1, 5, 6])).round(9), [0, 0, 1, 1])
    grid = smooth(np.linspace(0, 6, 200))
    assert (np.diff(grid) >= 0).all()
    assert (np.diff(smooth(np.linspace(-3, 1, 50))) > 0).all()  # 2.2e-16 a unit keeps an order at 0
    for method in ("isotonic", "isotonic-steps", "logistic"):
        found = fusion.calibration(scores, hits, method=method)(np.zeros((2, 3), np.float32))
        assert found.shape == (2, 3)
        level = fusion.calibration(np.ones(4), np.array([0, 1, 1, 1]), method=method)
        assert 0.2 < level(np.ones(1))[0] < 0.9


@each(
    ("scores", "hits", "settings", "message"),
    [
        ([1, np.nan], [0, 1], {}, "scores: wanted a row of finite numbers"),
        ([1, 2], [0, 2], {}, "hits: wanted 2 times 0 or 1"),
        ([1, 2], [1, 1], {}, "hits: wanted pairs of one identity and of two, got 2 of one kind"),
        ([1, 2], [0, 1], {"weights": [1, 0]}, "weights: wanted 2 numbers above 0"),
        ([1, 2], [0, 1], {"method": "spline"}, "method: wanted one of"),
    ],
)
def test_calibration_refuses(scores, hits, settings, message):
    with pytest.raises(ValueError, match=message):
        fusion.calibration(np.array(scores, float), np.array(hits), **settings)


def test_calibrated_is_one_minus_the_mean_probability(models):
    query, gallery, train, pid = models
    left, right = np.triu_indices(len(pid), 1)
    wanted = np.zeros((14, 80))
    for q, g, t, weight in zip(query, gallery, train, (0.5, 0.25, 0.25), strict=True):
        among = distances(t, t, metric="cosine")
        likely = fusion.calibration(-among[left, right], pid[left] == pid[right], method="logistic")
        wanted += weight * (1 - likely(-distances(q, g, metric="cosine")))
    found = fusion.calibrated(query, gallery, train, pid, method="logistic", weights=[2, 1, 1], order=0)
    assert_allclose(found, wanted, atol=2e-5)
    ordered = fusion.calibrated(query, gallery, train, pid, method="logistic", weights=[2, 1, 1])
    assert (ordered >= found).all()
    assert_allclose(ordered, found, atol=1.1e-4)


def test_images_of_one_probability_keep_the_order_of_distances(models):
    query, gallery, train, pid = ([models[0][0]], [models[1][0]], [models[2][0]], models[3])
    found = fusion.calibrated(query, gallery, train, pid, method="isotonic-steps")
    tied = fusion.calibrated(query, gallery, train, pid, method="isotonic-steps", order=0)
    ties = [len(np.unique(row)) for row in tied]
    assert max(ties) < 60  # steps
    plain = distances(query[0], gallery[0], metric="cosine")
    for one, other in zip(found, plain, strict=True):
        assert (np.diff(one[np.argsort(other, kind="stable")]) >= 0).all()


def test_stacked_by_hand():
    """Two identities that the first column tells apart and the second does not."""
    train = [np.array([[0.0], [1], [9], [10]] * 20, np.float32), np.array([[0.0], [5], [1], [4]] * 20, np.float32)]
    pid = np.tile([0, 0, 1, 1], 20)
    query, gallery = (
        [np.zeros((1, 1), np.float32)] * 2,
        [np.array([[1.0], [9]], np.float32), np.array([[4.0], [0]], np.float32)],
    )
    for method in ("trees", "logistic"):
        found = fusion.stacked(query, gallery, train, pid, method=method, metric="sqeuclidean", order=0)
        assert found[0, 0] < 0.1, method  # near by the first, far by the second
        assert found[0, 1] > 0.9, method
    worse = [gallery[0] * 1.5, gallery[1]]
    trees = {"metric": "sqeuclidean", "order": 0}
    assert (
        fusion.stacked(query, worse, train, pid, **trees) >= fusion.stacked(query, gallery, train, pid, **trees)
    ).all()


def test_training_pairs():
    pid = np.array([3, -1, 3, 7, 3, 7, 9])
    left, right, hits, counts = training_pairs(pid, pairs=100, seed=0)
    assert len(left) == 15  # 6 images of known identity
    assert hits.sum() == 4
    assert_array_equal(hits, pid[left] == pid[right])
    assert (counts == 1).all()
    assert 1 not in {*left, *right}

    many = np.repeat(np.arange(30), np.arange(30) % 5 + 1)
    same = sum(n * (n - 1) // 2 for n in np.bincount(many))
    left, right, hits, counts = training_pairs(many, pairs=2 * same + 10, seed=0)
    assert {(a, b) for a, b in zip(left[hits], right[hits], strict=True)} == {
        (a, b) for a, b in combinations(range(len(many)), 2) if many[a] == many[b]
    }
    assert_array_equal(hits, many[left] == many[right])
    assert len(left) == 2 * same + 10
    assert_allclose(counts.sum(), len(many) * (len(many) - 1) / 2)  # they stand for all
    few = training_pairs(many, pairs=20, seed=0)
    assert few[2].sum() == 10
    assert_array_equal(few[2], many[few[0]] == many[few[1]])
    with pytest.raises(ValueError, match="train_pid: wanted pairs of one identity and of two, found 0 and 3"):
        training_pairs(np.arange(3), pairs=9, seed=0)


def test_a_sample_is_nearly_the_whole(models):
    query, gallery, train, pid = models
    whole = fusion.calibrated(query, gallery, train, pid, method="logistic")
    some = fusion.calibrated(query, gallery, train, pid, method="logistic", pairs=400)
    assert np.abs(whole - some).mean() < 0.03


# ---- reliability


def lists_of(query, gallery, k):
    x = np.concatenate([query, gallery]).astype(np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    square = np.maximum(((x[:, None] - x) ** 2).sum(axis=2), 0)
    return np.argsort(square.round(9), axis=1, kind="stable")[:, :k]


def authority(lists):
    k = lists.shape[1]
    return np.mean([sum(len({*lists[j]} & {*row}) for j in row) for row in lists]) / k**2


def reciprocal(lists):
    k = lists.shape[1]
    total = 0
    for row in lists:
        for a, j in enumerate(row):
            total += sum((k - a) * (k - b) for b, other in enumerate(lists[j]) if other in row)
    return total / len(lists) / k**4


def overlap(one, other, p):
    k = one.shape[1]
    shared = [
        np.mean([len({*a[:d]} & {*b[:d]}) for a, b in zip(one, other, strict=True)]) / d for d in range(1, k + 1)
    ]
    weight = p ** np.arange(k)
    return (weight * shared).sum() / weight.sum()


@each("kind", ["authority", "reciprocal"])
def test_reliability_by_its_definition(models, kind):
    keep = np.setdiff1d(np.arange(80), [17, 60])  # without copies
    query, gallery = models[0], [g[keep] for g in models[1]]
    k, p, beta = 6, 0.8, -2.0
    lists = [lists_of(q, g, k) for q, g in zip(query, gallery, strict=True)]
    own = [{"authority": authority, "reciprocal": reciprocal}[kind](rows) for rows in lists]
    cor = {pair: overlap(lists[pair[0]], lists[pair[1]], p) for pair in combinations(range(3), 2)}
    between = {**cor, **{(b, a): value for (a, b), value in cor.items()}}
    wanted = [own[m] * np.mean([(1 + between[m, j]) ** -beta for j in range(3) if j != m]) for m in range(3)]
    setting = {"k": k, "effectiveness": kind, "p": p, "beta": beta}
    found = fusion.reliability_weights(query, gallery, **setting)
    assert_allclose(found, np.array(wanted) / np.sum(wanted), rtol=1e-9)
    assert found[0] > found[1] > found[2]
    best = max(cor, key=lambda pair: own[pair[0]] * own[pair[1]] * (1 + cor[pair]) ** -beta)
    two = fusion.reliability_weights(query, gallery, select=2, **setting)
    assert set(np.flatnonzero(two)) == set(best)
    assert_array_equal(fusion.reliability_weights(query, gallery, select=1, **setting), [1, 0, 0])


def test_reliability_joins(models):
    query, gallery = models[:2]
    weights = fusion.reliability_weights(query, gallery, k=6)
    d = [distances(q, g, metric="cosine") for q, g in zip(query, gallery, strict=True)]
    found = fusion.unsupervised_reliability(query, gallery, k=6)
    assert_allclose(found, fusion.weighted_sum(d, weights=weights, scaling="min-max"), atol=1e-6)
    ranks = fusion.unsupervised_reliability(query, gallery, k=6, join="ranks")
    assert_allclose(ranks, fusion.reciprocal_rank_fusion(d, weights=weights), rtol=1e-5)
    assert_array_equal(fusion.reliability_weights(query[:1], gallery[:1]), [1])


# ---- trained curves


def test_trained_curves_are_those_of_images_without_a_match(models):
    query, gallery, train, pid = models
    d = [distances(q, g, metric="cosine") for q, g in zip(query, gallery, strict=True)]
    curves = []
    for t in train:
        among = distances(t, t, metric="cosine")
        among[pid[:, None] == pid] = np.nan
        curves.append(fusion.reference_curves(among, 80))
    found = fusion.trained_query_adaptive(query, gallery, train, pid)
    assert_allclose(found, fusion.query_adaptive(d, reference=curves), rtol=1e-5, atol=1e-6)
    unlabelled = fusion.trained_query_adaptive(query, gallery, train)
    assert (unlabelled != found).any()


@each("name", ["calibrated", "stacked", "trained_query_adaptive"])
def test_a_model_without_training_images_is_named(models, name):
    query, gallery, train, pid = models
    labels = () if name == "trained_query_adaptive" else (pid,)
    with pytest.raises(ValueError, match="train: wanted those of each of 3 parts, found none for part 2, 3; give"):
        fusion.ACROSS[name](query, gallery, train[:1], *labels)
