"""Scores against a sorted definition, scikit-learn and the numbers of released evaluators."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.scores import PROTOCOLS, Protocol, cmc_all_shots, score, score_ranking
from ensemble.scores.protocol import AP_RULES, CMCS, CUTS, DENOMINATORS, DIVISORS
from ensemble.scores.rules import JUNK
from tests.support.each import each

LAYUMI = Protocol("trapezoid", "all", "market")
LIGHTREID = Protocol("rectangle", "all", "market")
OPENREID = Protocol("sklearn", "valid", "bot")
NOTHING_REMOVED = PROTOCOLS["none"]

# The definition: sort everything


def removed(junk: str, pid: int, all_pid: np.ndarray, cam: int, all_cam: np.ndarray | None) -> np.ndarray:
    """Which gallery images a rule removes for one query that is not in the gallery itself."""
    gone = np.zeros(len(all_pid), bool)
    if junk in ("market", "all", "intra"):
        gone |= all_pid == -1
    if all_cam is None:
        return gone
    one_camera = (all_cam == cam) & (all_cam != -1)  # an unknown camera is the same as no other
    if junk in ("market", "bot"):
        gone |= (all_pid == pid) & one_camera
    elif junk == "cuhk03":
        gone |= one_camera
    elif junk == "intra":
        gone |= ~one_camera
    elif junk in ("sysu", "sysu_indoor"):
        searched = {"sysu": [1, 2, 4, 5], "sysu_indoor": [1, 2]}[junk]
        gone |= ~np.isin(all_cam, [c for c in searched if not (c == 2 and cam == 3)])
    return gone


def definition(world: tuple[np.ndarray, ...], protocol: Protocol) -> tuple[list[float], list[float], list[int]]:
    """AP, INP and first place of each query."""
    distances, pid, all_pid, cam, all_cam = world
    out: tuple[list[float], list[float], list[int]] = ([], [], [])
    for i, row in enumerate(distances):
        same = (all_pid == pid[i]) & (all_pid != -1)  # unknown identities match nobody
        junk = removed(protocol.junk, pid[i], all_pid, -9 if cam is None else cam[i], all_cam)
        positives = int((same & ~junk).sum())
        order = [j for j in np.argsort(row, kind="stable") if row[j] < np.inf]
        if protocol.cut == "before":
            order = order[: protocol.top_k]
        order = [j for j in order if not junk[j]][: protocol.top_k]
        hits = [k for k, j in enumerate(order) if same[j]]
        precisions = []
        for n, k in enumerate(hits):
            if protocol.ap == "sklearn":
                tie = [m for m, j in enumerate(order) if row[j] == row[order[k]]]
                precisions.append(sum(h <= tie[-1] for h in hits) / (tie[-1] + 1))
            elif protocol.ap == "rectangle":
                precisions.append((n + 1) / (k + 1))
            else:
                precisions.append(((n / k if k else 1) + (n + 1) / (k + 1)) / 2)
        cut = min(positives, protocol.top_k or len(row), len(row))
        divisor = {"all": positives, "cut": cut, "found": len(hits)}[protocol.divide]
        out[0].append(sum(precisions) / divisor if divisor else np.nan)
        missed = len(hits) < positives
        out[1].append(np.nan if not divisor else 0 if missed else positives / (hits[-1] + 1))
        ranks = hits
        if protocol.cmc == "identities" and hits:
            ranks = [len({all_pid[j] if all_pid[j] >= 0 else -1 - j for j in order[: hits[0]]})]
        out[2].append(ranks[0] if ranks else -1)
    return out


@st.composite
def worlds(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    nq, ng = draw(st.integers(1, 5)), draw(st.integers(1, 14))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = draw(st.sampled_from([[0, 1], [0, 1, 2, np.inf], np.arange(40)]))
    distances = random.choice(np.asarray(values, np.float32), (nq, ng))
    labels = [random.integers(-1, high, n) for high in (4, draw(st.sampled_from([2, 7]))) for n in (nq, ng)]
    return distances, *(labels if draw(st.booleans()) else [*labels[:2], None, None])


def sound(**setting: object) -> Protocol:
    if setting["cut"] == "before" and setting["ap"] == "sklearn":
        setting["cut"] = "after"
    return Protocol(**setting)  # type: ignore[arg-type]


protocols = st.builds(
    sound,
    ap=st.sampled_from(AP_RULES),
    denominator=st.sampled_from(tuple(DENOMINATORS)),
    junk=st.sampled_from([name for name, junk in JUNK.items() if {*junk.columns} <= {"pid", "cam"}]),
    top_k=st.none() | st.integers(1, 20),
    divide=st.sampled_from(tuple(DIVISORS)),
    cut=st.sampled_from(tuple(CUTS)),
    cmc=st.sampled_from(tuple(CMCS)),
)


@settings(max_examples=400, deadline=None)
@given(world=worlds(), protocol=protocols)
def test_equals_the_definition(world: tuple[np.ndarray, ...], protocol: Protocol) -> None:
    ap, inp, first = definition(world, protocol)
    if np.isnan(ap).all():
        with pytest.raises(ValueError, match="wanted a query with a match, found none"):
            score(*world, protocol=protocol)
        return
    scores = score(*world, protocol=protocol, cmc_length=5)
    known = world[1] != -1
    count = np.count_nonzero(known if protocol.denominator == "all" else ~np.isnan(ap))
    assert_allclose(scores.ap, ap, atol=1e-12)
    assert_allclose(scores.inp, inp, atol=1e-12)
    assert_array_equal(scores.first_hit, first)
    assert_array_equal(scores.without_match, np.flatnonzero(np.isnan(ap) & known))
    assert_array_equal(scores.unknown, np.flatnonzero(~known))
    assert scores.mAP == pytest.approx(np.nansum(ap) / count)
    assert scores.mINP == pytest.approx(np.nansum(inp) / count)
    assert_allclose(scores.cmc, [sum(0 <= f <= r for f in first) / count for r in range(5)])
    assert (scores.rank1, scores.rank5) == (scores.cmc[0], scores.cmc[4])


@settings(max_examples=200, deadline=None)
@given(world=worlds(), ap=st.sampled_from(["rectangle", "trapezoid"]), protocol=protocols)
def test_a_list_scores_as_the_distances_it_came_from(
    world: tuple[np.ndarray, ...], ap: str, protocol: Protocol
) -> None:
    protocol = replace(protocol, ap=ap)
    distances, *labels = world
    rows = np.argsort(distances, axis=1, kind="stable").astype(np.int32)
    rows[np.isinf(np.take_along_axis(distances, rows, axis=1))] = -1
    try:
        wanted = score(*world, protocol=protocol)
    except ValueError:
        with pytest.raises(ValueError, match="wanted a query with a match, found none"):
            score_ranking(rows, *labels, protocol=protocol)
        return
    found = score_ranking(rows, *labels, protocol=protocol)
    for name in (
        "mAP",
        "mINP",
        "rank1",
        "rank5",
        "rank10",
        "cmc",
        "ap",
        "inp",
        "first_hit",
        "without_match",
        "unknown",
    ):
        assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)


def test_sklearn_rule_is_scikit_learns() -> None:
    from sklearn.metrics import average_precision_score

    random = np.random.default_rng(3)
    distances = random.integers(0, 6, (30, 80)).astype(np.float32)  # ties everywhere
    pid, all_pid = random.integers(0, 5, 30), random.integers(0, 5, 80)
    scores = score(distances, pid, all_pid, protocol=Protocol("sklearn", junk="none"))
    wanted = [average_precision_score(all_pid == pid[i], -distances[i]) for i in range(30)]
    assert_allclose(scores.ap, wanted, atol=1e-12)


# The numbers of released evaluators


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    return dict(np.load(shared / "golden" / "evaluation.npz"))


@pytest.fixture(params=["cam", "campred"])
def labels(request: pytest.FixtureRequest, golden: dict[str, np.ndarray]) -> tuple[str, list[np.ndarray]]:
    """True cameras, and the same with a tenth unknown."""
    cams = ["q_cam", "g_cam"] if request.param == "cam" else ["q_cam_pred", "g_cam_pred"]
    return request.param, [golden[name] for name in ["q_pid", "g_pid", *cams]]


def test_layumi(golden: dict[str, np.ndarray], labels: tuple[str, list[np.ndarray]]) -> None:
    cam, given_labels = labels
    scores = score(-golden["sim"], *given_labels, protocol=LAYUMI)
    assert_allclose(np.nan_to_num(scores.ap), golden[f"layumi_{cam}_ap"], atol=1e-6)
    assert_allclose(scores.mAP, golden[f"layumi_{cam}_mAP"], atol=1e-6)
    assert_allclose(scores.cmc, golden[f"layumi_{cam}_cmc"], atol=1e-6)
    assert_array_equal(scores.first_hit, golden[f"layumi_{cam}_firsthit0"])


def test_torchreid_and_fastreid(golden: dict[str, np.ndarray], labels: tuple[str, list[np.ndarray]]) -> None:
    cam, given_labels = labels
    scores = score(golden["dist"], *given_labels, protocol=PROTOCOLS["veri"], cmc_length=50)
    valid = np.setdiff1d(np.arange(len(scores.ap)), scores.without_match)
    assert_allclose(scores.mAP, golden[f"torchreid_market1501_{cam}_mAP"], atol=1e-6)
    assert_allclose(scores.cmc, golden[f"torchreid_market1501_{cam}_mr50_cmc"], atol=1e-6)
    assert_allclose(scores.mAP, golden[f"fastreid_{cam}_mAP"], atol=1e-6)
    assert_allclose(scores.mINP, golden[f"fastreid_{cam}_mINP"], atol=1e-6)
    assert_allclose(scores.cmc, golden[f"fastreid_{cam}_mr50_cmc"], atol=1e-6)
    assert_allclose(scores.ap[valid], golden[f"fastreid_{cam}_ap"], atol=1e-6)
    assert_allclose(scores.inp[valid], golden[f"fastreid_{cam}_inp"], atol=1e-6)


def test_market1501_is_what_they_report_once_their_loader_has_dropped_minus_one(
    golden: dict[str, np.ndarray], labels: tuple[str, list[np.ndarray]]
) -> None:
    pid, all_pid, cam, all_cam = labels[1]
    kept = all_pid != -1
    assert not kept.all()
    dropped = score(golden["dist"][:, kept], pid, all_pid[kept], cam, all_cam[kept], protocol=PROTOCOLS["veri"])
    market = score(golden["dist"], pid, all_pid, cam, all_cam)
    assert market.protocol == PROTOCOLS["market1501"]
    assert_array_equal(market.ap, dropped.ap)
    assert market.mINP == dropped.mINP


def test_openreid(golden: dict[str, np.ndarray], labels: tuple[str, list[np.ndarray]]) -> None:
    cam, given_labels = labels
    scores = score(golden["dist"], *given_labels, protocol=OPENREID, cmc_length=100)
    assert_allclose(scores.mAP, golden[f"openreid_{cam}_mean_ap"], atol=1e-6)
    assert_allclose(scores.cmc, golden[f"openreid_{cam}_cmc_market1501_top100"], atol=1e-6)
    tied = score(golden["dist_ties"], *given_labels, protocol=OPENREID)
    assert_allclose(tied.mAP, golden[f"openreid_{cam}_mean_ap_ties"], atol=1e-6)
    shares = cmc_all_shots(golden["dist"], *given_labels)
    assert_allclose(shares, golden[f"openreid_{cam}_cmc_allshots_top100"], atol=1e-6)


def test_protocols_without_cameras(golden: dict[str, np.ndarray]) -> None:
    pid, all_pid = golden["q_pid"], golden["g_pid"]
    scores = score(golden["dist"], pid, all_pid, protocol=NOTHING_REMOVED)
    assert_allclose(scores.mAP, golden["mangye_regdb_mAP"], atol=1e-6)
    assert_allclose(scores.mINP, golden["mangye_regdb_mINP"], atol=1e-6)
    assert_allclose(scores.cmc[:20], golden["mangye_regdb_mr20_cmc"], atol=1e-6)
    assert_allclose(scores.mAP, golden["vehicleid_fullworld_mAP"], atol=1e-6)
    assert_allclose(scores.cmc[:50], golden["vehicleid_fullworld_mr50_cmc"], atol=1e-6)


def test_vehicleid(golden: dict[str, np.ndarray]) -> None:
    query, gallery = golden["vehicleid_query_rows"], golden["vehicleid_gallery_rows"]
    features, pid = golden["g"].astype(np.float64), golden["g_pid"]
    distances = ((features[query, None] - features[None, gallery]) ** 2).sum(axis=2).astype(np.float32)
    scores = score(distances, pid[query], pid[gallery], protocol=NOTHING_REMOVED)
    assert_allclose(scores.mAP, golden["vehicleid_dist_mAP"], atol=1e-6)
    assert_allclose(scores.cmc[:20], golden["vehicleid_dist_mr20_cmc"], atol=1e-6)


def test_aicity_from_distances_and_from_the_submitted_list(golden: dict[str, np.ndarray]) -> None:
    pids = golden["q_pid"], golden["g_pid"]
    numbers = golden["aicity100_list"]  # 1-based
    for scores in (
        score(golden["dist"], *pids, protocol=PROTOCOLS["aicity"]),
        score_ranking(numbers - 1, *pids, protocol=PROTOCOLS["aicity"]),
    ):
        assert_allclose(scores.mAP, golden["aicity100_mAP"], atol=1e-6)
        assert_allclose(scores.cmc, golden["aicity100_cmc"], atol=1e-6)


@each(("kind", "query"), [("single", "q"), ("multi", "multi_query_mean")])
def test_layumi_from_its_mat_files(shared: Path, kind: str, query: str) -> None:
    golden = np.load(shared / "golden" / "mat_files_expected.npz")
    labels = [golden[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    scores = score(-(golden[query] @ golden["g"].T), *labels, protocol=LAYUMI)
    assert_allclose(np.nan_to_num(scores.ap), golden[f"layumi_{kind}_ap"], atol=1e-6)
    assert_allclose(scores.mAP, golden[f"layumi_{kind}_mAP"], atol=1e-6)
    assert_allclose(scores.cmc, golden[f"layumi_{kind}_cmc"], atol=1e-6)


def test_one_model_of_the_fusion_competition(shared: Path) -> None:
    golden = np.load(shared / "golden" / "s2_fusion.npz")
    labels = [golden[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    scores = score(golden["dist_rank"], *labels, protocol=PROTOCOLS["veri"], cmc_length=100)
    assert_allclose(scores.mAP, golden["single_model_mAP_flag0"], atol=1e-6)
    assert_allclose(scores.cmc, golden["single_model_cmc100_flag0"], atol=1e-6)


def test_streid(shared: Path) -> None:
    golden = np.load(shared / "golden" / "st_reid.npz")
    labels = [golden[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    (key,) = [name for name in golden.files if name.startswith("joint_s50") and name.endswith("_qg")]
    run = key.removeprefix("joint_").removesuffix("_qg")
    scores = score(1 - golden[key], *labels, protocol=PROTOCOLS["market1501_official"], cmc_length=50)
    assert_allclose(scores.mAP, golden[f"eval_{run}_mAP"], atol=1e-6)
    assert_allclose(scores.cmc, golden[f"eval_{run}_cmc"], atol=1e-6)
    assert_allclose(np.nan_to_num(scores.ap), golden[f"eval_{run}_ap"], atol=1e-6)


def test_lightreid(shared: Path) -> None:
    golden = np.load(shared / "golden" / "lightreid.npz")
    labels = [golden[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    shown = len(golden["lightreid_cosine_inter_cmc"])  # as long as the shortest list
    scores = score(-(golden["q"] @ golden["g"].T), *labels, protocol=LIGHTREID, cmc_length=shown)
    assert_allclose(scores.mAP, golden["lightreid_cosine_inter_mAP"], atol=1e-6)
    assert_allclose(scores.cmc, golden["lightreid_cosine_inter_cmc"], atol=1e-6)
    listed = score_ranking(golden["c2f_rank_gallery_index"], *labels, protocol=LIGHTREID, cmc_length=shown)
    assert_allclose(np.nan_to_num(listed.ap), golden["c2f_ap"], atol=1e-6)
    assert_allclose(listed.cmc, golden["c2f_cmc"], atol=1e-6)
