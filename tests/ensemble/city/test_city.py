"""What is in made-up cities of every kind, and that what is planted is worth something to those who use it."""

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest

import postproc
from ensemble.city import KINDS, City, city
from tests.support.each import each

VEHICLES = {"city", "two_scenes"}
SIDES = ("query", "gallery", "train")
pytestmark = pytest.mark.filterwarnings("error")


@cache
def made(kind: str = "city") -> City:
    return city(kind=kind)


of_every_kind = each("kind", KINDS)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@cache
def joined(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Query and gallery features of all models side by side, of unit length."""
    models = made(kind).features.values()
    query, gallery = (np.hstack([unit(model[i]) for model in models]) / len(models) ** 0.5 for i in (0, 1))
    return query.astype(np.float32), gallery.astype(np.float32)


def mean_ap(distances: np.ndarray, kind: str = "city") -> float:
    """Plain mAP in points: true pairs of one camera and spoilt images left out."""
    query, gallery = made(kind).query, made(kind).gallery
    pid = gallery["pid"].to_numpy()
    cam = gallery["cam"].to_numpy() if "cam" in gallery else np.full(len(gallery), -1)
    found = []
    for row, one in zip(distances, query.to_dict("records"), strict=True):
        match, junk = pid == one["pid"], (pid == -1) | ((pid == one["pid"]) & (cam == one.get("cam", -2)))
        order = np.argsort(row, kind="stable")
        rank = 1 + np.flatnonzero(match[order][~junk[order]])
        if len(rank):
            found.append(np.mean(np.arange(1, len(rank) + 1) / rank))
    return 100 * float(np.mean(found))


@cache
def plain(kind: str) -> np.ndarray:
    query, gallery = joined(kind)
    return 1 - query @ gallery.T


def column(kind: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    return made(kind).query[name].to_numpy(), made(kind).gallery[name].to_numpy()


# What is there


@of_every_kind
def test_every_kind_has_what_its_tables_promise(kind: str) -> None:
    one = made(kind)
    names = [name for side in SIDES[: 2 if kind in VEHICLES else 3] for name in getattr(one, side)["name"]]
    assert len(set(names)) == len(names) or kind in VEHICLES
    for side, table in zip(SIDES, (one.query, one.gallery, one.train), strict=True):
        assert table["name"].is_unique
        numbers = table.drop(columns="name")
        assert all(pd.api.types.is_integer_dtype(numbers[name]) for name in numbers)
        assert (numbers.drop(columns=["pid", "cam_predicted"], errors="ignore") >= 0).all(axis=None)
        for model, found in one.side.items():
            rows = found[SIDES.index(side)]
            assert rows.dtype == np.float32
            assert rows.shape == (len(table), one.side[model][0].shape[1])
            assert np.isfinite(rows).all()
    for model, (query, gallery) in one.features.items():
        widths = {array.shape[1] for array in (query, gallery, one.train_features[model])}
        assert widths == {KINDS[kind]["small"].width}
        assert [len(query), len(gallery), len(one.train_features[model])] == [
            len(getattr(one, side)) for side in SIDES
        ]


@of_every_kind
def test_others_are_learnt_from_in_the_same_cameras(kind: str) -> None:
    one = made(kind)
    assert not set(one.train["pid"]) & (set(one.query["pid"]) | set(one.gallery["pid"]))
    assert one.train["pid"].min() > 0
    if "cam" in one.query:
        assert set(one.train["cam"]) == set(one.query["cam"]) | set(one.gallery["cam"])


@of_every_kind
def test_every_query_can_be_answered(kind: str) -> None:
    pairs = made(kind).query.merge(made(kind).gallery, on="pid", suffixes=("", "_gallery"))
    if "cam" in pairs:
        pairs = pairs[pairs["cam"] != pairs["cam_gallery"]]
    assert set(pairs["name"]) == set(made(kind).query["name"])


@of_every_kind
def test_a_seed_is_a_city(kind: str) -> None:
    again = city(kind=kind)
    for side in SIDES:
        assert getattr(again, side).equals(getattr(made(kind), side))
    for model, found in made(kind).side.items():
        assert all(np.array_equal(a, b) for a, b in zip(found, again.side[model], strict=True))


def test_the_width_can_be_chosen() -> None:
    wide = city(width=16)
    assert wide.features["mgn"][0].shape == (150, 16)
    assert wide.query["frame"].equals(made().query["frame"])


def test_sizes_that_are_called_like_a_data_set_are_about_as_large() -> None:
    market = city("market1501", kind="people")
    assert len(market.query) == pytest.approx(3368, rel=0.15)
    assert len(market.gallery) == pytest.approx(15913, rel=0.15)
    assert len(market.train) == pytest.approx(12936, rel=0.2)


# Columns


@each("kind", ["city", "people"])
def test_cameras_are_told_with_errors(kind: str) -> None:
    true, told = (np.concatenate(column(kind, name)) for name in ("cam", "cam_predicted"))
    assert np.mean(told == -1) == pytest.approx(0.1, abs=0.03)
    assert np.mean((told != true) & (told != -1)) == pytest.approx(0.05, abs=0.02)
    assert set(told) == {-1, *true}


def test_errors_of_cameras_come_by_track() -> None:
    gallery = made().gallery
    unknown = (gallery["cam_predicted"] == -1).groupby(gallery["track"]).mean()
    by_chance = np.sqrt(0.1 * 0.9 / gallery["track"].value_counts().mean())
    assert unknown.std() > 1.5 * by_chance


def test_how_many_errors_can_be_chosen() -> None:
    known = city(unknown=0, wrong=0)
    assert (known.gallery["cam_predicted"] == known.gallery["cam"]).all()
    lost = city(unknown=0.5, wrong=0.3)
    assert (lost.gallery["cam_predicted"] == -1).mean() == pytest.approx(0.5, abs=0.06)
    for model in known.features:
        assert np.array_equal(known.features[model][1], lost.features[model][1])


@each("kind", ["city", "people", "campus", "two_scenes"])
def test_the_way_between_two_cameras_takes_its_time(kind: str) -> None:
    """Gaps of one identity are by far more alike than its distance to anybody else in time."""
    train = made(kind).train
    times = train.groupby(["pid", "cam"])["frame"].mean().unstack()
    gaps, strangers = [], []
    for a in times:
        for b in times.columns[times.columns > a]:
            gaps += list((times[a] - times[b]).abs().dropna())
            strangers += list((times[a] - times[b].sample(frac=1, random_state=0).to_numpy()).abs().dropna())
    assert np.median(gaps) < 0.6 * np.median(strangers)


def test_frames_run_on_within_a_track() -> None:
    for table in (made().gallery, made().train):
        spans = table.groupby("track")["frame"].agg(["min", "max"])
        assert (spans["max"] - spans["min"]).between(1, 100).all()


@of_every_kind
def test_small_crops_are_blurred(kind: str) -> None:
    model = next(iter(made(kind).train_features.values()))
    blur = (1 / np.linalg.norm(model, axis=1) - 1) / 0.15
    quality = np.log(made(kind).train["quality"])
    assert np.corrcoef(quality, np.log(blur))[0, 1] < -0.6
    usual = np.exp(np.median(np.log(made(kind).gallery["quality"])))
    assert 15_000 < usual < 80_000 if kind == "city" else 1_000 < usual < 80_000


def test_nobody_moves_between_two_scenes() -> None:
    both = pd.concat([made("two_scenes").query, made("two_scenes").gallery, made("two_scenes").train])
    assert (both.groupby("pid")["scene"].nunique() == 1).all()
    assert ((both["cam"] > 40) == (both["scene"] == 2)).all()
    assert both["scene"].value_counts(normalize=True)[1] > 0.4
    crops = both.groupby("scene")["quality"].median()
    assert 5 < crops[1] / crops[2] < 25
    assert set(made().gallery["scene"]) == {1}  # where anybody passes any camera


def test_market_names_say_who_and_where_and_when() -> None:
    for side in SIDES:
        table = getattr(made("people"), side)
        said = table["name"].str.extract(r"^(-1|\d{4})_c(\d)s(\d)_(\d{6})_(\d\d)\.jpg$").astype(int)
        assert (said[0] == table["pid"]).all()
        assert (said[1] == table["cam"]).all()
        assert (75_000 * (said[2] - 1) + said[3] == table["frame"]).all()


def test_duke_and_sysu_names_say_who_and_where() -> None:
    for kind, pattern in (
        ("campus", r"^(\d{4})_c(\d)_f(\d{7})\.jpg$"),
        ("infrared", r"^cam(\d)/(\d{4})/\d{4}\.jpg$"),
    ):
        for side in SIDES:
            table = getattr(made(kind), side)
            said = table["name"].str.extract(pattern).astype(int)
            assert (said[0 if kind == "campus" else 1] == table["pid"]).all()
            assert (said[1 if kind == "campus" else 0] == table["cam"]).all()
            assert all(re.fullmatch(pattern, name) for name in table["name"])


def test_people_have_junk_and_distractors_and_images_of_their_own_camera() -> None:
    one = made("people")
    pid = one.gallery["pid"]
    assert 0.05 < (pid == -1).mean() < 0.15
    assert 0.08 < (pid == 0).mean() < 0.2
    assert set(one.query["pid"]) <= set(pid)
    own = one.query.merge(one.gallery, on=["pid", "cam"])
    assert own["name_x"].nunique() > 0.8 * len(one.query)


def test_infrared_asks_and_light_answers() -> None:
    assert set(made("infrared").query["cam"]) == {3, 6}
    assert set(made("infrared").gallery["cam"]) == {1, 2, 4, 5}


def test_in_another_domain_not_every_way_leads() -> None:
    table = pd.concat([made("domain").query, made("domain").gallery, made("domain").train])
    seen = table.groupby("pid")["cam"].agg(set)
    assert all(cameras <= {1, 2} or cameras <= {3, 4, 5} for cameras in seen)


def test_a_crowd_tells_nothing_but_looks() -> None:
    one = made("crowd")
    assert list(one.query.columns) == ["name", "pid", "quality"]
    assert one.side == {}
    assert one.gallery["pid"].value_counts().max() <= 5
    assert len(one.gallery) > 20 * len(one.query)


def test_a_station_has_hubs_strangers_and_a_long_tail() -> None:
    query, gallery = made("station").query, made("station").gallery
    seen = gallery[gallery["pid"] > 0]
    assert set(gallery["cam"]) - set(seen["cam"]) == {6}  # this camera sees nobody who is asked for
    assert 6 not in set(query["cam"])
    assert 0.2 < (gallery["pid"] == 0).mean() < 0.35
    each_one = seen["pid"].value_counts()
    assert each_one.max() > 5 * each_one.median()
    assert _skewness("station") > 0.8 > _skewness("campus")


def _skewness(kind: str) -> float:
    """Of how often an image is among the ten nearest of others."""
    x = np.concatenate([unit(side) for side in next(iter(made(kind).features.values()))])
    far = -x @ x.T
    np.fill_diagonal(far, np.inf)
    often = np.bincount(np.argpartition(far, 10, axis=1)[:, :10].ravel(), minlength=len(x))
    return float(((often - often.mean()) ** 3).mean() / often.std() ** 3)


# Side models


@each("model", ["camera_a", "camera_b"])
def test_camera_models_know_cameras_and_nobody(model: str) -> None:
    one = made()
    query, gallery, _ = one.side[model]
    assert np.allclose(np.linalg.norm(gallery, axis=1), 1, atol=1e-5)
    nearest = (query @ gallery.T).argmax(axis=1)
    sure = (one.query["cam_predicted"] == one.query["cam"]).to_numpy()
    same = one.gallery["cam"].to_numpy()[nearest] == one.query["cam"].to_numpy()
    assert same[sure].mean() > 0.95
    assert same[~sure].mean() < 0.9
    assert mean_ap(-query @ gallery.T) < 12


def test_orientation_is_of_unit_length_and_knows_nobody() -> None:
    query, gallery, _ = made().side["orientation"]
    assert np.allclose(np.linalg.norm(query, axis=1), 1, atol=1e-5)
    assert mean_ap(-query @ gallery.T) < 12


def test_attributes_are_probabilities_and_mostly_true() -> None:
    one, start = made(), 0
    for attribute, classes in (("type", 7), ("brand", 30), ("colour", 9)):
        block = one.side["attributes"][2][:, start : start + classes]
        start += classes
        assert np.allclose(block.sum(axis=1), 1, atol=1e-5)
        assert 0.6 < (block.argmax(axis=1) == one.train[attribute]).mean() < 0.97
        assert (one.train.groupby("pid")[attribute].nunique() == 1).all()
    assert start == one.side["attributes"][2].shape[1]


def test_parts_are_seen_from_their_side_only() -> None:
    seen = np.array([made().side[f"parts_{part}"][1].any(axis=1) for part in ("front", "back", "side")])
    assert seen.any(axis=0).all()
    assert not (seen[0] & seen[1]).any()
    assert ((seen.mean(axis=1) > 0.1) & (seen.mean(axis=1) < 0.95)).all()
    lengths = np.linalg.norm(made().side["parts_front"][1], axis=1)
    assert np.allclose(lengths[seen[0]], 1, atol=1e-5)


# What it is worth


def reranked(kind: str, *auxiliary: tuple[str, float]) -> float:
    pairs = postproc.sqeuclidean(*joined(kind))
    for model, weight in auxiliary:
        query, gallery, _ = made(kind).side[model]
        pairs = pairs - weight * postproc.sqeuclidean(query, gallery)
    return mean_ap(postproc.rerank(pairs, None), kind)


def test_the_default_city_stays_as_hard_as_it_was() -> None:
    assert mean_ap(plain("city")) == pytest.approx(57.20, abs=0.05)


@each(
    ("kind", "level", "gain"),
    [
        ("city", (50, 65), 10),
        ("two_scenes", (50, 65), 10),
        ("people", (60, 75), 12),
        ("campus", (50, 65), 15),
        ("infrared", (50, 65), 8),
        ("domain", (38, 50), 20),
    ],
)
def test_re_ranking_helps(kind: str, level: tuple[int, int], gain: float) -> None:
    before = mean_ap(plain(kind), kind)
    assert level[0] < before < level[1]
    assert reranked(kind) > before + gain


def test_in_a_crowd_re_ranking_helps_with_care() -> None:
    before = mean_ap(plain("crowd"), "crowd")
    after = postproc.rerank(*joined("crowd"), k1=20, k2=3, lambda_value=0.8)
    assert 60 < before < 82
    assert mean_ap(after, "crowd") > before + 3


@each("kind", ["city", "two_scenes", "people", "campus", "domain"])
def test_what_looks_alike_by_its_camera_only_is_told(kind: str) -> None:
    assert reranked(kind, ("camera_a", 0.1)) > reranked(kind) + 1


@each("kind", ["city", "people", "campus"])
def test_what_looks_alike_by_its_angle_only_is_told(kind: str) -> None:
    assert reranked(kind, ("orientation", 0.1)) > reranked(kind) + 1


@each("kind", ["city", "people", "campus", "domain"])
def test_cameras_that_are_told_centre_features(kind: str) -> None:
    query, gallery = postproc.camera_whitening(*joined(kind), *column(kind, "cam_predicted"))
    assert mean_ap(1 - query @ gallery.T, kind) > mean_ap(plain(kind), kind) + 3


@each("kind", ["city", "two_scenes", "people", "campus"])
def test_times_help(kind: str) -> None:
    train = made(kind).train
    learnt = (train[name].to_numpy() for name in ("pid", "cam", "frame"))
    distances = postproc.spatio_temporal(*joined(kind), *column(kind, "cam"), *column(kind, "frame"), *learnt)
    assert mean_ap(distances, kind) > mean_ap(plain(kind), kind) + 4


def test_scenes_and_ways_help() -> None:
    gated = postproc.scene_gate(plain("two_scenes"), *column("two_scenes", "scene"))
    assert mean_ap(gated, "two_scenes") > mean_ap(plain("two_scenes"), "two_scenes") + 4
    near = postproc.mask_same_camera(postproc.rerank(*joined("domain")), *column("domain", "cam_predicted"))
    train = made("domain").train
    ways = postproc.camera_topology(
        near,
        *column("domain", "cam_predicted"),
        train["pid"].to_numpy(),
        train["cam"].to_numpy(),
        count="identities",
    )
    assert mean_ap(near, "domain") > reranked("domain") + 2
    assert mean_ap(ways, "domain") > mean_ap(near, "domain") + 1


def test_good_images_parts_and_attributes_help_vehicles() -> None:
    one = made()
    query, gallery = joined("city")
    quality = one.gallery["quality"].to_numpy(np.float32)
    track = one.gallery["track"].to_numpy()
    means = postproc.quality_track_mean(gallery, track, quality)
    assert mean_ap(1 - query @ unit(means).T) > mean_ap(plain("city")) + 4
    confusions = [counts.astype(np.float32) for counts in one.confusions.values()]
    likely = postproc.attribute_distances(*one.side["attributes"][:2], confusions)
    assert mean_ap(plain("city") + 0.02 * likely) > mean_ap(plain("city")) + 2
    parts = np.max(
        [one.side[f"parts_{part}"][0] @ one.side[f"parts_{part}"][1].T for part in ("front", "back", "side")],
        axis=0,
    )
    assert mean_ap(plain("city") - 0.1 * parts) > mean_ap(plain("city")) + 1
