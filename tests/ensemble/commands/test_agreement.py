"""Agreement of models: the measures by hand, the matrices, the command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import agreement, demo, io
from ensemble.agreement import cosine_distance, matrices, overlap, rank_biased_overlap
from ensemble.base.errors import InputError
from postproc import distances, rank


@pytest.fixture(scope="session")
def city(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("agreement") / "city"
    demo.make(folder)
    return folder


def refused(arguments: list[str]) -> str:
    with pytest.raises(InputError) as caught:
        agreement.main(arguments)
    return "\n".join(caught.value.problems)


def save(folder: Path, model: str, query: np.ndarray, gallery: np.ndarray, **more: np.ndarray) -> None:
    np.savez(folder / f"{model}.npz", query=query.astype(np.float32), gallery=gallery.astype(np.float32), **more)


def test_overlap_by_hand():
    first, second = np.array([[0, 1, 2], [3, 4, 5]]), np.array([[0, 2, 9], [5, 4, 3]])
    assert overlap(first, second, k=1) == 0.5  # 0 and 0; 3 and 5
    assert overlap(first, second, k=2) == 0.5  # {0}; {4}
    assert overlap(first, second, k=3) == pytest.approx((2 / 3 + 1) / 2)
    assert overlap(first, second, k=50) == overlap(first, second, k=3)


def test_rank_biased_overlap_by_hand():
    #  X: 1 1 2; (1-p) sum p^(d-1) X_d/d = .2 (1 + .8/2 + .64 * 2/3); and .8^3 * 2/3 for what follows
    wanted = 0.2 * (1 + 0.8 / 2 + 0.64 * 2 / 3) + 0.8**3 * 2 / 3
    found = rank_biased_overlap(np.array([[0, 1, 2]]), np.array([[0, 2, 9]]), p=0.8)
    assert found == pytest.approx(wanted)


@given(seed=st.integers(0, 1000), p=st.floats(0.05, 0.95))
def test_rank_biased_overlap_equals_the_definition(seed, p):
    random = np.random.default_rng(seed)
    first, second = (np.stack([random.permutation(15)[:8] for _ in range(3)]) for _ in range(2))
    wanted = []
    for a, b in zip(first, second, strict=True):
        shared = [len(set(a[:d]) & set(b[:d])) for d in range(1, 9)]
        total = sum((1 - p) / p * p**d * x / d for d, x in enumerate(shared, 1))
        wanted.append(total + p**8 * shared[-1] / 8)
    assert_allclose(rank_biased_overlap(first, second, p=p), np.mean(wanted), rtol=1e-12)
    assert rank_biased_overlap(first, first, p=p) == pytest.approx(1)
    assert rank_biased_overlap(first, first + 100, p=p) == 0


def test_cosine_distance_is_the_probe_of_two_versions():
    random = np.random.default_rng(0)
    one, two = random.normal(size=(2, 50, 8))
    wanted = np.mean([1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(one, two, strict=True)])
    assert cosine_distance(one, two) == pytest.approx(wanted)
    assert cosine_distance(one, 3 * one) == pytest.approx(0)
    assert cosine_distance(one, -one) == pytest.approx(2)
    assert np.isnan(cosine_distance(one, two[:, :5]))


def test_matrices_of_the_demo(city):
    sets = io.read_folder(city)
    found = matrices(sets, k=5)
    assert list(found) == ["top1", "overlap", "rbo", "cosine", "ap"]
    for name, matrix in found.items():
        assert_array_equal(matrix, matrix.T)
        assert_allclose(np.diag(matrix), 0 if name == "cosine" else 1, atol=1e-6)
    lists = [rank(distances(one.query, one.gallery, metric="cosine"), top_k=5) for one in sets]
    assert found["top1"][0, 1] == pytest.approx(np.mean(lists[0][:, 0] == lists[1][:, 0]))
    shared = [len(set(a) & set(b)) / 5 for a, b in zip(lists[1], lists[3], strict=True)]
    assert found["overlap"][1, 3] == pytest.approx(np.mean(shared))
    assert 0.2 < found["ap"][0, 1] < 0.95


def test_command_prints_matrices(city, tmp_path, capsys):
    assert agreement.main(["--features", str(city), "--csv", str(tmp_path / "a.csv")]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("150 queries, 2500 gallery images, k 10, p 0.9\n")
    assert printed.count(" 4  senet152") == 5
    with (tmp_path / "a.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 6
    assert agreement.main(["--features", str(city), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["models"] == ["densenet", "densenet_ALL", "mgn", "senet152"]
    assert float(lines[0]["rbo"]) == found["rbo"][0][1]
    assert (lines[0]["first"], lines[0]["second"]) == ("densenet", "densenet_ALL")


def test_other_widths_no_labels_and_a_short_gallery(tmp_path, capsys):
    random = np.random.default_rng(0)
    query, gallery = random.normal(size=(6, 8)), random.normal(size=(4, 8))
    save(tmp_path, "a", query, gallery)
    save(tmp_path, "copy", query * 2, gallery * 3)
    save(tmp_path, "narrow", query[:, :3], gallery[:, :3])
    assert agreement.main(["--features", str(tmp_path), "--json", "--k", "10"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert "ap" not in found
    assert found["cosine"][0][2] is None
    assert found["cosine"][0][1] == pytest.approx(0, abs=1e-6)
    assert found["top1"][0][1] == found["overlap"][0][2] == 1  # a gallery of 4 is wholly among the 10 nearest
    assert found["rbo"][0][1] == pytest.approx(1)
    assert agreement.main(["--features", str(tmp_path)]) == 0
    assert "       -" in capsys.readouterr().out


def test_labels_without_a_match_have_no_correlation(tmp_path, capsys):
    random = np.random.default_rng(0)
    for model in "ab":
        labels = {"query_pid": np.arange(3), "gallery_pid": np.arange(9) + 50}
        save(tmp_path, model, random.normal(size=(3, 8)), random.normal(size=(9, 8)), **labels)
    assert agreement.main(["--features", str(tmp_path), "--json"]) == 0
    assert "ap" not in json.loads(capsys.readouterr().out)


def test_only_images_that_every_model_knows(tmp_path, capsys):
    random = np.random.default_rng(0)
    query, gallery = random.normal(size=(5, 8)), random.normal(size=(9, 8))
    names = {
        "query_name": np.array([f"q{i}" for i in range(5)]),
        "gallery_name": np.array([f"g{i}" for i in range(9)]),
    }
    save(tmp_path, "all", query, gallery, **names)
    fewer = {"query_name": names["query_name"], "gallery_name": names["gallery_name"][2:]}
    save(tmp_path, "some", query, gallery[2:], **fewer)
    assert agreement.main(["--features", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["queries"], found["gallery"]) == (5, 7)
    assert found["top1"][0][1] == 1


def test_refuses_bad_input(city, tmp_path):
    found = refused(["--k", "0", "--p", "1", "--threads", "0"])
    assert "--features: wanted a folder" in found
    assert "--k: wanted 1 or more, found 0" in found
    assert "--p: wanted a number above 0 and below 1, found 1.0" in found
    assert "--threads: wanted 1 or more, found 0" in found
    save(tmp_path, "alone", np.eye(3), np.eye(3))
    assert "wanted two models or more to compare, found 1" in refused(["--features", str(tmp_path)])
    assert "wanted a folder with feature files, found none" in refused(["--features", str(tmp_path / "no")])
    with pytest.raises(ValueError, match="p: wanted a number above 0 and below 1"):
        rank_biased_overlap(np.array([[1]]), np.array([[1]]), p=1)
