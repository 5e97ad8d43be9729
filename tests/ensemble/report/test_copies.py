"""Copies in a data set: found with their names, leaks first, and none where there are none."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.report import copies as module
from ensemble.report import embedding, pictures
from ensemble.report.copies import Side, copies
from tests.support import pages

SIZES = {"query": 20, "gallery": 60, "train": 40}


def world(seed: int = 0) -> dict[str, Side]:
    """Images of nobody in particular: identities 0, 1, 2, … on every side."""
    random = np.random.default_rng(seed)
    return {
        side: Side(random.normal(size=(n, 32)).astype(np.float32), [f"{side}{i}" for i in range(n)], np.arange(n))
        for side, n in SIZES.items()
    }


def told(sides, **settings) -> list[tuple]:
    found = copies(sides, **settings)
    assert found["count"] == len(found["pairs"])
    return [(*pair["sides"], *pair["names"], pair["share"], pair["same"]) for pair in found["pairs"]]


def test_none_in_a_clean_set():
    found = copies(world())
    assert found["pairs"] == []
    assert found["asked"] == found["images"] == 120


def test_equal_rows_with_their_names_leaks_first():
    sides = world()
    sides["gallery"].rows[5] = sides["gallery"].rows[9]  # two identities in one side
    sides["gallery"].rows[7] = sides["query"].rows[7]  # the same identity on both sides
    sides["train"].rows[3] = sides["query"].rows[4]  # a leak, and of another identity
    assert told(sides) == [
        ("query", "train", "query4", "train3", 0.0, False),
        ("query", "gallery", "query7", "gallery7", 0.0, True),
        ("gallery", "gallery", "gallery5", "gallery9", 0.0, False),
    ]


def test_nearly_equal_rows_by_what_is_usual():
    """Rows of unit length at a fifth of the usual distance are copies, at a half they are not."""
    sides = world()
    usual = copies(sides)["usual"]
    row = sides["gallery"].rows[0] / np.linalg.norm(sides["gallery"].rows[0])
    aside = np.zeros(32, np.float32)
    aside[:2] = row[1], -row[0]
    aside /= np.linalg.norm(aside)  # at a right angle
    for share, count in ((0.2, 1), (0.5, 0)):
        sides["train"].rows[2] = 3 * (row + share * usual * aside)  # lengths do not count
        found = told(sides)
        assert len(found) == count
    sides["train"].rows[2] = row + 0.2 * usual * aside
    assert told(sides)[0][:4] == ("gallery", "train", "gallery0", "train2")
    assert told(sides)[0][4] == pytest.approx(0.2, abs=0.02)


def test_unknown_identities_are_no_two_identities():
    sides = world()
    sides["query"].rows[0] = sides["gallery"].rows[0]
    sides["query"] = Side(sides["query"].rows, sides["query"].names, np.full(20, -1))
    assert told(sides)[0][5] is None


def test_codes_are_not_copies():
    bits = np.random.default_rng(0).integers(0, 2, (200, 4)).astype(np.float32) + 0.5
    found = copies({"gallery": Side(bits, [str(i) for i in range(200)])})
    assert found["pairs"] == []
    assert "codes" in found["note"]


def test_of_large_sets_a_sample_and_still_every_equal_row(monkeypatch):
    monkeypatch.setattr(module, "NUMBERS", 32 * 30)
    monkeypatch.setattr(module, "WORK", 32 * 10.0**2)
    sides = world()
    sides["train"].rows[39] = sides["query"].rows[19]
    found = copies(sides)
    assert [pair["names"] for pair in found["pairs"]] == [["query19", "train39"]]
    assert found["asked"] < 10
    assert copies(sides) == found  # by a seed


def test_clean_real_sets_raise_no_alarm(shared):
    """CUHK01 has 15 pairs of equal pictures, two of them of two people; VIPeR and the lions have none."""
    for file, model, count, different in (
        ("viper_feats", "omz0277", 0, 0),
        ("lion_feats", "efficientnet_lite0", 0, 0),
        ("cuhk01_feats", "omz0277", 15, 2),
    ):
        with np.load(shared / f"{file}.npz") as data:
            rows, who = data[model].astype(np.float32), np.unique(data["id"], return_inverse=True)[1]
        found = copies({"gallery": Side(rows, [str(i) for i in range(len(rows))], who)})
        assert found["count"] == count, file
        assert [pair["same"] for pair in found["pairs"]].count(False) == different


def test_files_with_the_same_content(tmp_path):
    pages.draw(tmp_path / "query", ["q0.png", "q1.png"])
    pages.draw(tmp_path / "gallery", ["g0.png"])  # as q0
    album = pictures.Album([tmp_path])
    wanted = [("query", "q0.png"), ("query", "q1.png"), ("gallery", "g0.png"), ("gallery", "none.png")]
    assert pictures.same_files(album, wanted) == [[("query", "q0.png"), ("gallery", "g0.png")]]
    assert pictures.same_files(album, [("query", "q0.png"), ("gallery", "q0.png")]) == []  # one file


# ---- the map ----


def test_components_by_hand():
    """Points on a line of slope 3/4: all of the variance is in one component, whose largest weight is positive."""
    rows = np.array([[0, 0], [4, 3], [8, 6]], np.float32)
    points, shares = embedding.principal(rows)
    assert_allclose(points, [[-5, 0], [0, 0], [5, 0]], atol=1e-6)
    assert_allclose(shares, [1, 0], atol=1e-12)
    assert_allclose(embedding.principal(-rows)[0], points[::-1], atol=1e-6)


def test_a_map_is_the_same_twice_and_of_a_sample():
    rows = embedding.sample(500, 5000)
    assert {side: len(chosen) for side, chosen in rows.items()} == {"query": 200, "gallery": 400}
    assert_array_equal(rows["query"], embedding.sample(500, 5000)["query"])
    assert {side: len(chosen) for side, chosen in embedding.sample(0, 40).items()} == {"query": 0, "gallery": 40}
    features = np.random.default_rng(0).normal(size=(50, 8))
    one, about = embedding.mapped(features)
    assert_array_equal(one, embedding.mapped(features.copy())[0])
    assert np.abs(one).max() == 1
    assert "of the variance" in about or "UMAP" in about
