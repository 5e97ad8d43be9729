"""Agreement of models on the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ensemble import agreement
from ensemble.base.errors import InputError


def refused(arguments: list[str]) -> str:
    with pytest.raises(InputError) as caught:
        agreement.main(arguments)
    return "\n".join(caught.value.problems)


def save(folder: Path, model: str, query: np.ndarray, gallery: np.ndarray, **more: np.ndarray) -> None:
    np.savez(folder / f"{model}.npz", query=query.astype(np.float32), gallery=gallery.astype(np.float32), **more)


def test_command_prints_matrices(city, tmp_path, capsys):
    assert agreement.main(["--features", str(city), "--csv", str(tmp_path / "a.csv")]) == 0
    printed = capsys.readouterr().out
    assert "\n40 queries, 400 gallery images, k 10, p 0.9\n" in printed
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
    printed = capsys.readouterr()
    assert "k 10 takes all 4 gallery images: overlap is 1 whatever the models see" in printed.err
    found = json.loads(printed.out)
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
