"""Protocols with draws, tracks and several queries: by hand, against released evaluators, on the command line."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import evaluate
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline import multi_query
from ensemble.scores import Labels, labels_of, score, score_labelled_ranking, score_ranking
from ensemble.scores.protocol import DRAWS, ROWS, Draw, Protocol
from ensemble.scores.protocols import PROTOCOLS, SOURCES
from ensemble.scores.rules import Junk, Rule
from postproc import distances as squared
from postproc import rank, using
from tests.support import folders, golden
from tests.support.each import each

NONE = PROTOCOLS["none"]


def ranking(far: np.ndarray) -> np.ndarray:
    return np.argsort(far, axis=1, kind="stable").astype(np.int32)


# What every preset says of itself


@each("name", PROTOCOLS)
def test_every_preset_says_its_rules_and_its_source(name: str) -> None:
    protocol, text = PROTOCOLS[name], PROTOCOLS[name].describe()
    parts = [
        f"AP {protocol.ap}",
        f"denominator {protocol.denominator}",
        protocol.removes.what,
        ROWS[protocol.rows],
    ]
    parts.append("no cut" if protocol.top_k is None else f"top_k {protocol.top_k} {protocol.cut} removal")
    if protocol.draw:
        parts += [DRAWS[protocol.draw.each], f"{protocol.draw.trials} trials", f"seed {protocol.draw.seed}"]
    if protocol.final != "mAP":
        parts.append("final score")
    for part in parts:
        assert part in text
    assert re.search(r"et al\.|20\d\d|[\w-]+/[\w-]+|light-reid|torchreid|NAIC", SOURCES[name])
    assert set(SOURCES) == set(PROTOCOLS)


def test_descriptions_differ_where_the_rules_do() -> None:
    rules = set(PROTOCOLS.values())
    assert len({protocol.describe() for protocol in rules}) == len(rules)


def test_what_was_not_given_is_said() -> None:
    far = np.zeros((1, 2), np.float32)
    labels = [7], [7, 8]
    assert (
        "no tracks of queries or gallery given: there every image is a track"
        in score(far, *labels, protocol=PROTOCOLS["veri_track"]).describe()
    )
    assert "none removed" in score(far, *labels, protocol=PROTOCOLS["vehicleid"]).describe()
    known = score(far, *labels, query_image=[-1], gallery_image=[0, 1], protocol=PROTOCOLS["vehicleid"])
    assert "none removed" not in known.describe()
    tracks = score(far, *labels, gallery_track=[1, 2], protocol=PROTOCOLS["veri_track"])
    assert "no tracks" not in tracks.describe()


# Draws of a gallery


def test_one_image_of_each_identity_by_hand() -> None:
    # drawn: row 0 or 1, and row 2. The good image is nearer than row 2 if row 0 is drawn.
    far, pid = np.array([[1, 3, 2]], np.float32), [7, 7, 8]
    protocol = replace(PROTOCOLS["vehicleid"], draw=Draw("identity", trials=400))
    scores = score(far, [7], pid, protocol=protocol)
    drawn = [trial.rank1 for trial in scores.trials]
    assert set(drawn) == {0.0, 1.0}
    assert scores.rank1 == pytest.approx(np.mean(drawn))
    assert scores.rank1 == pytest.approx(1 / 2, abs=0.1)
    assert [trial.mAP for trial in scores.trials] == [1.0 if hit else 1 / 2 for hit in drawn]
    assert scores.sd("mAP") == pytest.approx(np.std([trial.mAP for trial in scores.trials], ddof=1))
    assert len(scores.cmc) == 2  # two identities, two images
    assert f"rank-1 {scores.rank1:.4f} ± {scores.sd('rank1'):.4f}" in scores.text([1])
    found = json.loads(json.dumps(scores.as_json(), allow_nan=False))
    assert found["trials"]["rank1"] == drawn
    assert found["sd"]["mAP"] == scores.sd("mAP")
    assert found["protocol"]["draw"] == {"each": "identity", "shots": 1, "trials": 400, "seed": 0}
    assert score(far, [7], pid, protocol=NONE).sd("mAP") is None


def test_a_query_that_is_drawn_sits_the_trial_out() -> None:
    random = np.random.default_rng(0)
    far = random.random((6, 6), np.float32)
    np.fill_diagonal(far, 0)  # every image is a query and in the gallery
    pid, rows = [1, 1, 1, 2, 2, 2], np.arange(6)
    scores = score(far, pid, pid, query_image=rows, gallery_image=rows, protocol=PROTOCOLS["vehicleid"])
    assert len(scores.trials) == 10
    for trial in scores.trials:
        assert len(trial.without_match) == 2  # one image of each identity is the gallery
        for query in np.flatnonzero(trial.first_hit == 0):
            mine, other = [
                [row for row in trial.without_match if (pid[row] == pid[query]) is same] for same in (True, False)
            ]
            assert far[query, mine[0]] < far[query, other[0]]
    unaware = score(far, pid, pid, protocol=PROTOCOLS["vehicleid"])
    assert unaware.rank1 > scores.rank1  # finds itself


def test_shots_of_each_identity_and_camera_by_permutation() -> None:
    far = np.arange(8, dtype=np.float32)[None]
    pid, cam = [8, 8, 8, 7, 7, 7, 8, 7], [1, 1, 1, 1, 1, 1, 4, 4]
    orders = np.array([[3, 1, 2, 2, 3, 1, 1, 1], [1, 2, 3, 3, 2, 1, 1, 1]])
    protocol = Protocol(junk="sysu", cmc="identities", draw=Draw("camera", shots=2, trials=2))
    scores = score(far, [7], pid, [6], cam, protocol=protocol, permutations=orders)
    # trial 1: rows 2, 0 of 8 and 4, 5 of 7, and 6, 7: ranking 0 2 4 5 6 7; trial 2: 0 1, 5 4, 6 7
    assert [trial.mAP for trial in scores.trials] == pytest.approx([(1 / 3 + 2 / 4 + 3 / 6) / 3] * 2)
    single = replace(protocol, draw=Draw("camera", shots=1, trials=2))
    scores = score(far, [7], pid, [6], cam, protocol=single, permutations=orders)
    # trial 1: rows 2, 4, 6, 7; trial 2: rows 0, 5, 6, 7
    assert [trial.ap[0] for trial in scores.trials] == [(1 / 2 + 2 / 4) / 2] * 2
    assert scores.cmc.tolist() == [0, 1]  # one wrong identity before
    listed = score_ranking(ranking(far), [7], pid, [6], cam, protocol=single, permutations=orders)
    assert_array_equal(listed.ap, scores.ap)


def test_draws_are_the_same_for_any_threads_and_another_for_another_seed() -> None:
    random = np.random.default_rng(1)
    far = random.random((40, 120), np.float32)
    labels = [random.integers(0, 8, n) for n in far.shape] + [random.integers(1, 3, n) for n in far.shape]
    for name in ("vehicleid", "cuhk03", "sysu_all_multi"):
        protocol = PROTOCOLS[name]
        found = []
        for threads in (1, 3):
            with using(threads=threads):
                found.append(score(far, *labels, protocol=protocol).cmc.tobytes())
        assert found[0] == found[1]
        assert protocol.draw
        other = replace(protocol, draw=replace(protocol.draw, seed=1))
        assert score(far, *labels, protocol=other).cmc.tobytes() != found[0]


def test_draws_of_each_query_by_hand() -> None:
    # the query's camera is removed: rows 1 to 4 are left; drawn: row 1 or 2 of 8, row 3 or 4 of 7
    far, pid, cam = np.arange(5, dtype=np.float32)[None], [7, 8, 8, 7, 7], [1, 2, 2, 2, 2]
    scores = score(far, [7], pid, [1], cam, protocol=PROTOCOLS["cuhk03"])
    assert scores.cmc.tolist() == [0, 1]
    assert scores.mAP == (1 / 3 + 2 / 4) / 2  # of the whole ranking
    far = np.array([[0, 1, 9, 3, 4]], np.float32)  # row 2 is far: right first if it is drawn
    many = replace(PROTOCOLS["cuhk03"], draw=Draw("query", trials=400))
    assert score(far, [7], pid, [1], cam, protocol=many).rank1 == pytest.approx(1 / 2, abs=0.1)
    missed = score(np.full((1, 5), np.inf, np.float32), [7], pid, [1], cam, protocol=many)
    assert (missed.rank10, missed.mAP) == (0, 0)


@each(
    ("wrong", "message"),
    [
        (lambda: Draw("query", shots=2), "shots: wanted 1 where every query has a draw of its own, got 2"),
        (lambda: Draw("identity", trials=0), "trials: wanted a whole number, 1 or more, got 0"),
        (lambda: Draw("somebody"), "each: wanted one of identity, camera, query, got 'somebody'"),
        (lambda: Protocol(divide="some"), "divide: wanted one of all, found, cut"),
        (lambda: Protocol(rows="videos"), "rows: wanted one of images, gallery_tracks, tracks"),
    ],
)
def test_refuses_settings(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()  # type: ignore[operator]


def test_refuses_data_that_does_not_fit_the_draw() -> None:
    far, labels = np.zeros((1, 3), np.float32), ([7], [7, 7, 8], [6], [1, 1, 1])
    sysu = PROTOCOLS["sysu_all_single"]
    with pytest.raises(ValueError, match=r"draw: wanted query_cam and gallery_cam"):
        score(far, *labels[:2], protocol=sysu)
    with pytest.raises(ValueError, match=r"permutations: wanted \(10, 3\), trials by gallery, got \(2, 3\)"):
        score(far, *labels, protocol=sysu, permutations=np.ones((2, 3), int))
    with pytest.raises(
        ValueError, match=r"permutations: wanted each of 1 to 2 once in the group of gallery row 0"
    ):
        score(far, *labels, protocol=sysu, permutations=np.ones((10, 3), int))
    with pytest.raises(ValueError, match="permutations: wanted a protocol that draws one gallery for all"):
        score(far, *labels, protocol=NONE, permutations=np.ones((10, 3), int))
    with pytest.raises(ValueError, match="gallery_image: wanted every number but -1 once"):
        score(far, *labels, query_image=[1], gallery_image=[1, 1, 2])
    with pytest.raises(
        ValueError, match="query_image and gallery_image: wanted both or neither, got only query_image"
    ):
        score(far, *labels, query_image=[1])
    with pytest.raises(InputError, match="wanted all 3 gallery rows"):
        score_ranking(np.array([[0, 1]]), *labels, protocol=sysu)


# Junk rules and labels as data


def test_rules_of_ones_own_are_a_value() -> None:
    far, pid, cam = np.float32([[0.1, 0.2, 0.3, 0.4]] * 2), [8, 7, 7, 8], [9, 4, 5, 5]
    mine = Junk((Rule(gallery_not={"cam": [4, 5]}), Rule(query={"cam": 1}, gallery={"cam": 4})))
    scores = score(far, [7, 7], pid, [1, 2], cam, protocol=Protocol(junk=mine))
    # camera 9 is not searched; camera 4 is removed for camera 1: 7, 8 are left for it, and 7, 7, 8 for camera 2
    assert_array_equal(scores.ap, [1, 1])
    assert_array_equal(scores.inp, [1, 1])
    some = score(far, [8, 8], pid, [1, 2], cam, protocol=Protocol(junk=mine))
    assert_array_equal(some.ap, [1 / 2, 1 / 3])
    assert "junk own (removed: camera none of 4, 5; query of camera 1 and camera 4)" in some.describe()
    assert "nothing removed for the camera" in score(far, [7, 7], pid, protocol=Protocol(junk=mine)).describe()


def test_labels_of_some_rows() -> None:
    labels = Labels.checked(
        (3, 4), [1, 2, 3], [1, 2, 3, 4], [0, 0, 1], [5, 6, 7, 8], query_image=[9, 7, 5], gallery_image=[7, 9, 0, 5]
    )
    assert_array_equal(labels.own, [1, 0, 3])
    part = labels.take(np.array([0, 2]), np.array([1, 2]))
    assert_array_equal(part.query_pid, [1, 3])
    assert_array_equal(part.gallery_cam, [6, 7])
    assert_array_equal(part.own, [0, -1])  # row 1 is the first now, row 3 is gone
    assert list(part.columns()) == ["query_pid", "gallery_pid", "query_cam", "gallery_cam"]
    with pytest.raises(ValueError, match="gallery_pid: wanted 5 values"):
        labels.refuse_unless((3, 5))


# Tracks as rows


def test_image_to_track_by_hand() -> None:
    far = np.array([[4, 1, 2, 3, 0, 5]], np.float32)
    pid, cam, track = [8, 8, 7, 9, 7, 7], [2, 2, 2, 2, 1, 2], [5, 5, 3, -1, 6, 3]
    protocol = PROTOCOLS["veri_track"]
    for scores in (
        score(far, [7], pid, [1], cam, gallery_track=track, protocol=protocol),
        score_ranking(ranking(far), [7], pid, [1], cam, gallery_track=track, protocol=protocol),
    ):
        # track 6 is of the query's camera; then come track 5 (1), track 3 (2) and row 3 (3)
        assert scores.ap.tolist() == [1 / 2]
        assert len(scores.cmc) == 4
    with pytest.raises(
        ValueError, match=r"gallery_cam: wanted one for all images of a track, found others in rows 1"
    ):
        score(far, [7], pid, [1], [2, 3, *cam[2:]], gallery_track=track, protocol=protocol)


def test_track_to_track_counts_every_track_once() -> None:
    far = np.array([[1, 5, 2], [9, 4, 3], [2, 1, 9]], np.float32)
    query_pid, query_track, pid = [7, 7, 8], [4, 4, 2], [8, 7, 7]
    protocol = PROTOCOLS["mars"]
    scores = score(far, query_pid, pid, query_track=query_track, gallery_track=[1, 0, 0], protocol=protocol)
    # query track 4 = rows 0, 1: to track 1 of 8: 1, to track 0 of 7: 2. Query track 2: to 8: 2, to 7: 1
    assert scores.ap.tolist() == [1 / 2, 1 / 2, 1 / 2]
    assert scores.mAP == 1 / 2
    far[2, 0] = 0
    scores = score(far, query_pid, pid, query_track=query_track, gallery_track=[1, 0, 0], protocol=protocol)
    assert scores.ap.tolist() == [1 / 2, 1 / 2, 1]
    assert scores.mAP == (1 / 2 + 1) / 2  # two tracks, not three images
    lone = score(far, [7, 7, 9], pid, query_track=query_track, gallery_track=[1, 0, 0], protocol=protocol)
    assert lone.without_match.tolist() == [2]


def test_rows_that_are_tracklets_already() -> None:
    random = np.random.default_rng(2)
    far, pid = random.random((9, 30), np.float32), random.integers(0, 4, 30)
    wanted = score(far, pid[:9], pid).mAP
    assert score(far, pid[:9], pid, protocol=PROTOCOLS["mars"]).mAP == wanted
    alone = {"query_track": np.full(9, -1), "gallery_track": np.full(30, -1)}
    assert score(far, pid[:9], pid, **alone, protocol=PROTOCOLS["mars"]).mAP == wanted


# Released evaluators


@pytest.fixture(scope="module")
def released(shared: Path) -> dict[str, np.ndarray]:
    return golden.load(shared, "evaluation")


def as_one(pid: np.ndarray) -> np.ndarray:
    """Images of unknown identity as one known one, which is what the released CMCs of identities take them for."""
    return np.where(pid == -1, 10**6, pid)


@each("search", ["all", "indoor"])
@each("shot", ["single", "multi"])
def test_sysu_with_the_official_draws(shared: Path, search: str, shot: str) -> None:
    file = golden.load(shared, "evaluation_sysu_mm01")
    tested = np.isin(file["pid"], file["test_id" if search == "all" else "test_id_indoor"])
    query = np.flatnonzero(tested & np.isin(file["cam"], [3, 6]))
    gallery = np.flatnonzero(tested & np.isin(file["cam"], [1, 2, 4, 5]))  # indoors, the protocol leaves 1 and 2
    unit = file["feat"] / np.linalg.norm(file["feat"], axis=1, keepdims=True)
    scores = score(
        -(unit[query] @ unit[gallery].T),
        *(file["pid"][query], file["pid"][gallery], file["cam"][query], file["cam"][gallery]),
        protocol=PROTOCOLS[f"sysu_{search}_{shot}"],
        permutations=file["rand_perm"][:, gallery],
    )
    assert_allclose(scores.mAP, file[f"jsia_{search}_{shot}_mAP"], atol=1e-6)
    assert_allclose(scores.cmc, file[f"jsia_{search}_{shot}_cmc"], atol=1e-6)


def test_sysu_rules_without_draws(released: dict[str, np.ndarray]) -> None:
    labels = [released[name] for name in ("q_pid", "g_pid", "sysu_q_cam", "sysu_g_cam")]
    labels[1] = as_one(labels[1])
    protocol = replace(PROTOCOLS["sysu_all_single"], draw=None)
    for scores in (
        score(released["dist"], *labels, protocol=protocol),
        score_ranking(ranking(released["dist"]), *labels, protocol=protocol),
    ):
        assert_allclose(scores.mAP, released["mangye_sysu_mAP"], atol=1e-6)
        assert_allclose(scores.mINP, released["mangye_sysu_mINP"], atol=1e-6)
        assert_allclose(scores.cmc[:20], released["mangye_sysu_mr20_cmc"], atol=1e-6)


@each(
    ("junk", "mean", "one"),
    [
        ("cuhk03", "openreid_cam_cmc_cuhk03_mc", "openreid_cam_cmc_cuhk03_npseed0_top100"),
        ("bot", "torchreid_cuhk03_cam_mr20_mc", "torchreid_cuhk03_cam_npseed0_mr20_cmc"),
    ],
)
def test_cuhk03_draws(released: dict[str, np.ndarray], junk: str, mean: str, one: str) -> None:
    labels = [released[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    labels[1] = as_one(labels[1])
    trials = 300
    protocol = replace(PROTOCOLS["cuhk03"], junk=junk, draw=Draw("query", trials=trials))
    wanted, spread = released[f"{mean}mean"], released[f"{mean}std1"]
    scores = score(released["dist"], *labels, protocol=protocol, cmc_length=len(wanted))
    single = np.sqrt(10) * spread  # theirs are means of ten repeats
    runs = int(released["mc_runs"])
    tolerance = 4 * np.sqrt(single**2 / trials + spread**2 / runs) + 1e-6
    assert np.all(np.abs(scores.cmc - wanted) <= tolerance)
    assert np.all(np.abs(scores.cmc - released[one]) <= 5 * np.sqrt(single**2 / trials + spread**2) + 1e-6)
    if junk == "bot":
        assert_allclose(scores.mAP, released["torchreid_cuhk03_cam_mAP"], atol=1e-6)


@each(
    ("junk", "name"),
    [
        ("cuhk03", "openreid_campred_cmc_cuhk03_npseed0_top100"),
        ("bot", "torchreid_cuhk03_campred_npseed0_mr20_cmc"),
    ],
)
def test_cuhk03_draws_with_unknown_cameras(released: dict[str, np.ndarray], junk: str, name: str) -> None:
    labels = [released[key] for key in ("q_pid", "g_pid", "q_cam_pred", "g_cam_pred")]
    labels[1] = as_one(labels[1])
    protocol = replace(PROTOCOLS["cuhk03"], junk=junk, draw=Draw("query", trials=100))
    wanted = released[name]
    scores = score(released["dist"], *labels, protocol=protocol, cmc_length=len(wanted))
    assert np.abs(scores.cmc - wanted).max() < 0.12  # one run of ten draws a query
    if junk == "bot":
        assert_allclose(scores.mAP, released["torchreid_cuhk03_campred_mAP"], atol=1e-6)


def test_vehicleid_draws_what_its_rows_say(released: dict[str, np.ndarray]) -> None:
    query, gallery = released["vehicleid_query_rows"], released["vehicleid_gallery_rows"]
    rows = np.flatnonzero(released["g_pid"] > 0)
    features, pid = released["g"][rows], released["g_pid"][rows]
    first = np.zeros(
        (1, len(rows)), np.int64
    )  # the drawn image of each identity is its first: the identity permutation
    for number in np.unique(pid):
        first[0, pid == number] = np.arange(1, (pid == number).sum() + 1)
    one = replace(PROTOCOLS["vehicleid"], draw=Draw("identity", trials=1))
    who = {"query_image": np.arange(len(rows)), "gallery_image": np.arange(len(rows))}
    scores = score(squared(features, features), pid, pid, **who, protocol=one, permutations=first)
    assert_allclose(scores.mAP, released["vehicleid_dist_mAP"], atol=1e-5)  # their distances are float64
    assert_allclose(scores.cmc[:20], released["vehicleid_dist_mr20_cmc"], atol=1e-5)
    assert_array_equal(rows[scores.without_match], gallery)
    assert_array_equal(np.setdiff1d(rows, gallery), query)


def test_top_200_of_the_fusion_competition(shared: Path) -> None:
    file = golden.load(shared, "s2_fusion")
    rows = file["row_order_of_text"]
    labels = [file[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    labels[0], labels[2] = labels[0][rows], labels[2][rows]
    protocol = Protocol(junk="bot", top_k=200, divide="found", cut="before")
    scores = score_ranking(file["fused_top200_gallery_row"], *labels, protocol=protocol, cmc_length=100)
    assert_allclose(scores.mAP, file["mAP_at200"], atol=1e-6)
    assert_allclose(scores.cmc, file["cmc_at200_first100"], atol=1e-6)


def test_a_list_as_ranx_judges_it(shared: Path) -> None:
    file = golden.load(shared, "ranx_fusion")
    top = int(file["top"])
    order = np.argsort(-file["score1"], axis=1, kind="stable")[:, :top]
    labels = file["q_pid"], file["g_pid"]
    found = {k: score_ranking(order, *labels, protocol=replace(NONE, top_k=k)) for k in (10, top)}
    assert_array_equal(np.flatnonzero(~np.isnan(found[top].ap)), file["eval_query_rows"])
    for value, key in [
        (found[top].mAP, "map"),
        (found[10].mAP, "map_at_10"),
        (found[top].mrr, "mrr"),
        (found[top].rank(1), "hit_rate_at_1"),
        (found[top].rank(5), "hit_rate_at_5"),
        (found[10].precision, "precision_at_10"),
    ]:
        assert_allclose(value, file[f"eval_model1_{key}"], rtol=1e-6, err_msg=key)
    at_50 = score_ranking(order, *labels, protocol=replace(NONE, top_k=50))
    assert_allclose(at_50.recall, file["eval_model1_recall_at_50"], rtol=1e-6)


@each("mode", ["intra-camera", "all"])
def test_lightreid_gallery_against_itself(shared: Path, mode: str) -> None:
    """They take the first of the ranking for the query itself, in mode all only if that is row 0 or 1, and with it
    strike the first row of its identity off the good images."""
    file = golden.load(shared, "lightreid")
    pid, cam, rows = file["g_pid"], file["g_cam"], np.arange(len(file["g_pid"]))
    wanted = file[f"lightreid_selfgallery_{mode}_cmc"]
    protocol = PROTOCOLS[mode.replace("-", "_").replace("all", "all_cameras")]
    far = squared(file["g"], file["g"])
    np.fill_diagonal(far, 0)
    ap, cmc = np.zeros(len(rows)), np.zeros((len(rows), len(wanted)))
    for i in rows:
        labels, removed = pid.copy(), mode == "intra-camera" or i < 2
        first = np.flatnonzero(pid == pid[i])[0]
        if removed and first != i:
            labels[first] = 10**6
        try:
            scores = score(
                *(far[i : i + 1], pid[i : i + 1], labels, cam[i : i + 1], cam),
                query_image=[i if removed else -1],
                gallery_image=rows,
                protocol=protocol,
                cmc_length=len(wanted),
            )
        except ValueError:
            continue
        ap[i], cmc[i] = scores.mAP, scores.cmc
    assert_allclose(ap.mean(), file[f"lightreid_selfgallery_{mode}_mAP"], atol=1e-6)
    assert_allclose(cmc.mean(axis=0), wanted, atol=1e-6)


def test_visda_judges_the_images_that_are_sent(shared: Path) -> None:
    with np.load(shared / "visda2020_val.npz") as file:
        names = ("query_id", "gallery_id", "query_cam", "gallery_cam")
        pid, all_pid, cam, all_cam = (file[name].astype(np.int64) for name in names)
        rows = file["submission"].astype(np.int32)
    wanted = np.zeros(len(rows))
    for i, row in enumerate(rows):
        kept = row[~((all_pid[row] == pid[i]) & (all_cam[row] == cam[i]))]
        places = np.flatnonzero(all_pid[kept] == pid[i])
        if len(places):
            wanted[i] = np.mean(np.arange(1, len(places) + 1) / (places + 1))
    scores = score_ranking(rows, pid, all_pid, cam, all_cam, protocol=PROTOCOLS["visda"])
    assert_allclose(np.nan_to_num(scores.ap), wanted, atol=1e-12)
    assert scores.mAP == pytest.approx(wanted.mean())


# Several images of one query


def features(pid: list[int], cam: list[int], values: np.ndarray, **gallery: object) -> FeatureSet:
    import pandas as pd

    table = pd.DataFrame({"name": [f"q{i}" for i in range(len(pid))], "pid": pid, "cam": cam})
    other = pd.DataFrame({"name": ["g0"], "pid": [7], "cam": [9]})
    return FeatureSet("m", values, np.ones((1, values.shape[1]), np.float32), table, other)


def test_multi_query_by_hand() -> None:
    values = np.array([[1, 0], [4, 4], [3, 2], [5, 5], [6, 6]], np.float32)
    images = features([7, 8, 7, -1, -1], [1, 1, 1, 2, 2], values)
    found = multi_query.pooled({"m": images})["m"]
    assert_array_equal(found.query, [[2, 1], [4, 4], [5, 5], [6, 6]])  # unknown ones stay alone
    assert list(found.query_table["name"]) == ["q0", "q1", "q3", "q4"]
    assert_array_equal(images.query, values)


def test_multi_query_of_a_partial_model() -> None:
    values = np.array([[1, 0], [np.nan, np.nan], [np.nan, np.nan]], np.float32)
    images = replace(features([7, 7, 8], [1, 1, 1], np.nan_to_num(values, nan=1)), partial=True)
    found = multi_query.pooled({"m": replace(images, query=values)})["m"]
    assert_array_equal(found.query, [[1, 0], [np.nan, np.nan]])


def test_multi_query_as_layumi_has_it(shared: Path) -> None:
    file = golden.load(shared, "mat_files_expected")
    images = features(file["mq_pid"].tolist(), file["mq_cam"].tolist(), file["mq"])
    found = multi_query.pooled({"m": images})["m"]
    table = found.query_table
    at = {(p, c): row for row, (p, c) in enumerate(zip(table["pid"], table["cam"], strict=True))}
    rows = [at[key] for key in zip(file["q_pid"].tolist(), file["q_cam"].tolist(), strict=True)]
    assert_allclose(found.query[rows], file["multi_query_mean"], atol=1e-6)
    labels = [file[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    scores = score(-(found.query[rows] @ file["g"].T), *labels, protocol=PROTOCOLS["market1501_official"])
    assert_allclose(scores.mAP, file["layumi_multi_mAP"], atol=1e-6)


# On the command line


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 identities under 3 cameras, tracks of two images; the queries stand in the gallery too."""
    folder = tmp_path_factory.mktemp("street")
    random = np.random.default_rng(5)
    pid = np.repeat(np.arange(12), 6)
    cam = np.tile([1, 1, 2, 2, 3, 3], 12)
    values = random.standard_normal((12, 8))[pid] + 0.9 * random.standard_normal((72, 8))
    names = folders.names(72)
    rows = np.arange(0, 72, 3)
    queries = [names[row] for row in rows]
    folders.pair(
        folder,
        "m",
        folders.keyed(queries, values[rows].astype(np.float32)),
        folders.keyed(names, values.astype(np.float32)),
    )
    tracks = np.arange(72) // 2
    columns = zip(names, pid, cam, tracks, 40 * tracks, (tracks // 2) % 2, pid % 3, strict=True)
    lines = ["name,pid,cam,track,frame,cloth_id,action_idx", *(",".join(map(str, line)) for line in columns)]
    folders.listed(folder / "gallery.csv", lines)
    folders.listed(folder / "query.csv", [lines[0], *(lines[row + 1] for row in rows)])
    return folder


def run(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    assert evaluate.main(["--features", str(folder), "--json", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


@each("name", [name for name in PROTOCOLS if not name.startswith("sysu")])
def test_evaluate_knows_every_protocol(street: Path, capsys: pytest.CaptureFixture, name: str) -> None:
    found = run(street, capsys, "--protocol", name)
    protocol = PROTOCOLS[name]
    assert 0 < found["mAP"] <= 1
    assert found["protocol"]["description"] == protocol.describe()  # cameras, tracks and names were all there
    assert ("sd" in found) == (protocol.draw is not None)
    assert found["final"] == pytest.approx((found["rank1"] + found["mAP"]) / 2 if name == "naic" else found["mAP"])


def test_evaluate_tells_a_query_from_its_own_image(street: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(street, capsys, "--protocol", "none")["rank1"] == 1  # itself
    assert run(street, capsys, "--protocol", "all_cameras")["rank1"] < 1


@each(
    ("options", "expected"),
    [
        (("--cut", "2"), 1 / 3),  # good images at the places 1, 4 and 6
        (("--cut", "2", "--divide", "all"), 1 / 3),
        (("--cut", "2", "--divide", "found"), 1),
        (("--cut", "2", "--divide", "cut"), 1 / 2),
        (("--cut", "4", "--divide", "found"), (1 + 2 / 4) / 2),
        (("--cut", "4", "--divide", "cut"), (1 + 2 / 4) / 3),
        (("--protocol", "landmarks", "--cut", "2", "--divide", "all"), 1 / 3),  # which has cut itself
    ],
)
def test_what_the_precisions_are_divided_by(
    tmp_path: Path, capsys: pytest.CaptureFixture, options: tuple, expected: float
) -> None:
    turned = np.arange(6) / 10
    gallery = np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)
    pids = {"query_pid": [7], "gallery_pid": [7, 1, 2, 7, 3, 7]}
    np.savez(tmp_path / "m.npz", query=np.float32([[1, 0.001]]), gallery=gallery, **pids)
    assert run(tmp_path, capsys, *options)["mAP"] == pytest.approx(expected, abs=1e-6)


def test_evaluate_draws_as_often_as_it_is_told(street: Path, capsys: pytest.CaptureFixture) -> None:
    found = run(
        street, capsys, "--protocol", "vehicleid", "--draws", "3", "--draw-seed", "4", "--ranks", "1", "2", "20"
    )
    assert len(found["trials"]["mAP"]) == 3
    assert "3 trials, seed 4" in found["protocol"]["description"]
    assert list(found["ranks"]) == ["1", "2", "20"]
    assert found["ranks"]["1"] < found["ranks"]["2"] < found["ranks"]["20"] == 1
    with pytest.raises(InputError, match="wanted a protocol that draws"):
        evaluate.main(["--features", str(street), "--draws", "3"])
    with pytest.raises(InputError, match="--draws: wanted 1 or more, found 0"):
        evaluate.main(["--features", str(street), "--protocol", "vehicleid", "--draws", "0"])
    with pytest.raises(InputError, match="--ranks: wanted places from 1, found 0"):
        evaluate.main(["--features", str(street), "--ranks", "0"])


def test_evaluate_prints_the_ranks_and_their_spread(street: Path, capsys: pytest.CaptureFixture) -> None:
    assert evaluate.main(["--features", str(street), "--protocol", "vehicleid", "--ranks", "3"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"mAP 0\.\d{4} ± 0\.\d{4}  rank-3 \d\.\d{4} ± 0\.\d{4}", printed)
    assert "rank-1 " not in printed


def test_evaluate_with_several_images_a_query(street: Path, capsys: pytest.CaptureFixture) -> None:
    single, several = run(street, capsys), run(street, capsys, "--multi-query")
    assert (single["multi_query"], several["multi_query"]) == (False, True)
    assert several["queries"] <= single["queries"]
    assert evaluate.main(["--features", str(street), "--multi-query"]) == 0
    assert multi_query.ABOUT in capsys.readouterr().out


def test_evaluate_lists_the_protocols(capsys: pytest.CaptureFixture) -> None:
    assert evaluate.main(["--list-protocols"]) == 0
    printed = capsys.readouterr().out
    assert all(f"{name}: " in printed and SOURCES[name] in printed for name in PROTOCOLS)


def test_labels_of_a_folder(street: Path) -> None:
    from ensemble import io

    images = io.read_folder(street)[0]
    found = labels_of(images)
    assert found is not None
    assert_array_equal(found.own, np.arange(0, 72, 3))
    assert labels_of(replace(images, query_table=images.query_table.drop(columns="pid"))) is None
    short = rank(squared(images.query, images.gallery), top_k=5)
    with pytest.raises(InputError, match="wanted all 72 gallery rows"):
        score_labelled_ranking(short, found, PROTOCOLS["vehicleid"])
