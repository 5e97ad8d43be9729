"""A made-up city of vehicles: what is in it, and that it is neither trivial nor hopeless."""

import numpy as np
import pytest

from ensemble.city import LONGEST, SHORTEST, SIZES, City, city


@pytest.fixture(scope="module")
def small() -> City:
    return city("small", 0)


@pytest.fixture(scope="module", params=["small", "aicity2020"])
def any_city(request: pytest.FixtureRequest) -> tuple[str, City]:
    return request.param, city(request.param, 3)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mean_ap(similarity: np.ndarray, made: City) -> float:
    """Plain mAP: true pairs of one camera left out, precision at every match averaged."""
    found = []
    for row, pid, cam in zip(similarity, made.query["pid"], made.query["cam"], strict=True):
        same, junk = made.gallery["pid"] == pid, (made.gallery["pid"] == pid) & (made.gallery["cam"] == cam)
        order = np.argsort(-row, kind="stable")
        match = same.to_numpy()[order][~junk.to_numpy()[order]]
        rank = 1 + np.flatnonzero(match)
        found.append(np.mean(np.arange(1, len(rank) + 1) / rank))
    return float(np.mean(found))


def test_the_counts_are_as_promised(any_city: tuple[str, City]) -> None:
    size, made = any_city
    scale = SIZES[size]
    assert len(made.query) == scale.queries
    assert len(made.gallery) == scale.gallery
    assert made.gallery["track"].nunique() == scale.tracks
    assert set(made.gallery["pid"]) == set(range(1, scale.vehicles + 1))
    assert set(made.gallery["cam"]) | set(made.query["cam"]) == set(range(1, scale.cameras + 1))
    assert list(made.features) == ["densenet", "densenet_ALL", "mgn", "senet152"]
    for query, gallery in made.features.values():
        assert query.shape == (scale.queries, scale.width)
        assert gallery.shape == (scale.gallery, scale.width)
        assert query.dtype == gallery.dtype == np.float32


def test_aicity2020_has_the_counts_of_the_competition() -> None:
    scale = SIZES["aicity2020"]
    assert (scale.queries, scale.gallery, scale.tracks) == (1052, 18290, 798)


def test_the_tracks_are_like_those_of_the_competition(any_city: tuple[str, City]) -> None:
    _, made = any_city
    lengths = made.gallery["track"].value_counts()
    assert (lengths.min(), lengths.max()) == (SHORTEST, LONGEST) == (2, 58)
    assert 22 <= lengths.median() <= 24
    assert (made.gallery.groupby("track")[["pid", "cam"]].nunique() == 1).all(axis=None)
    assert (made.gallery.groupby(["pid", "cam"])["track"].nunique() == 1).all()
    # The places in a track's line are 0, 1, 2 and so on, and the lines are sorted by their first image.
    places = made.gallery.groupby("track")["order"]
    assert all(sorted(order) == list(range(len(order))) for _, order in places)
    assert made.gallery.loc[made.gallery["order"] == 0, "track"].is_monotonic_increasing
    # Neighbouring names are of one track about as often as two names drawn by lot.
    by_lot = float(((lengths / lengths.sum()) ** 2).sum())
    assert (made.gallery["track"].diff() == 0).mean() < 3 * by_lot


def test_every_query_has_a_match_in_another_camera_and_hardly_one_in_its_own(
    any_city: tuple[str, City],
) -> None:
    _, made = any_city
    pairs = made.query.merge(made.gallery, on="pid", suffixes=("", "_gallery"))
    other = pairs[pairs["cam"] != pairs["cam_gallery"]]
    own = pairs[pairs["cam"] == pairs["cam_gallery"]]
    assert set(other["name"]) == set(made.query["name"])
    assert 1 <= own["name"].nunique() <= 0.02 * len(made.query)


def test_some_images_repeat_another_of_their_track_in_every_model(small: City) -> None:
    copies = None
    for _, gallery in small.features.values():
        _, group = np.unique(gallery, axis=0, return_inverse=True)
        copies = group if copies is None else copies
        assert len(np.unique(group)) == len(np.unique(copies))
    assert copies is not None
    repeated = small.gallery.assign(group=copies.ravel()).groupby("group").filter(lambda rows: len(rows) > 1)
    assert 0.02 < len(repeated) / len(small.gallery) < 0.06
    assert (repeated.groupby("group")["track"].nunique() == 1).all()


def test_lengths_are_just_below_one(small: City) -> None:
    for sides in small.features.values():
        lengths = np.linalg.norm(np.vstack(sides), axis=1)
        assert 0.5 < lengths.min() < 0.85
        assert 0.9 < lengths.max() < 1


def test_it_is_as_hard_as_a_real_one(small: City) -> None:
    single = {model: mean_ap(unit(q) @ unit(g).T, small) for model, (q, g) in small.features.items()}
    query = np.hstack([unit(q) for q, _ in small.features.values()])
    gallery = np.hstack([unit(g) for _, g in small.features.values()])
    joined = mean_ap(query @ gallery.T, small)
    track = small.gallery["track"].to_numpy()
    sums = np.zeros((track.max() + 1, gallery.shape[1]), np.float32)
    np.add.at(sums, track, gallery)
    averaged = mean_ap(query @ unit(sums)[track].T, small)
    cam = np.concatenate([small.query["cam"], small.gallery["cam"]])
    rows = np.vstack([query, gallery])
    means = np.array([rows[cam == one].mean(axis=0) if (cam == one).any() else rows[0] for one in range(13)])
    centred = unit(rows - means[cam])
    without_shift = mean_ap(centred[: len(query)] @ centred[len(query) :].T, small)

    assert all(0.25 < value < 0.6 for value in single.values())
    assert single["densenet_ALL"] - single["mgn"] > 0.1
    assert joined > max(single.values()) + 0.03
    assert averaged > joined + 0.1
    assert without_shift > joined + 0.05


def test_look_alikes_are_closer_than_strangers(small: City) -> None:
    _, gallery = small.features["densenet_ALL"]
    vehicles = np.array([unit(gallery)[small.gallery["pid"] == pid].mean(axis=0) for pid in range(1, 47)])
    similarity = unit(vehicles) @ unit(vehicles).T - 2 * np.eye(46)
    nearest = similarity.max(axis=1)
    usual = np.median(similarity, axis=1)
    assert np.median(nearest - usual) > 0.3


def test_the_models_are_different_views(small: City) -> None:
    """Their similarities agree, but not so much that a second model would add nothing."""
    pairs = [(unit(q) @ unit(g).T).ravel() for q, g in small.features.values()]
    correlation = np.corrcoef(pairs)[np.triu_indices(len(pairs), 1)]
    assert 0.4 < correlation.min() <= correlation.max() < 0.9


def test_another_seed_is_another_city(small: City) -> None:
    other = city("small", 1)
    assert not small.gallery["pid"].equals(other.gallery["pid"])
    assert not np.array_equal(small.features["mgn"][0], other.features["mgn"][0])


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="size: wanted one of small, aicity2020, got 'huge'"):
        city("huge")
    with pytest.raises(ValueError, match=r"kind: wanted one of city, two_scenes, .*, got 'village'"):
        city(kind="village")
    with pytest.raises(ValueError, match="width: wanted"):
        city(width=0)
    with pytest.raises(ValueError, match="wrong: wanted"):
        city(unknown=0.9, wrong=0.2)
    with pytest.raises(ValueError, match="seed: wanted a whole number, 0 or more, got -1"):
        city(seed=-1)
