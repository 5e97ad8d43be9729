"""Thresholds on the command line: fitted on identities that are not judged."""

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble import thresholds
from ensemble.base.errors import InputError
from ensemble.pipeline.operating_points import NAMES
from tests.support import folders


def street(folder: Path, *, labelled: bool = True, trained: bool = False, people: int = 40) -> Path:
    """Identities under three cameras; a fifth of the queries is of people whom the gallery lacks."""
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(3)
    centres = random.standard_normal((3 * people, 16))

    def images(pid: np.ndarray) -> np.ndarray:
        rows = centres[pid] + 0.5 * random.standard_normal((len(pid), 16))
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    sides = {"query": np.arange(people), "gallery": np.repeat(np.arange(people // 5, people), 3)}
    if trained:
        sides["train"] = np.repeat(np.arange(people, 3 * people), 3)
    for side, pid in sides.items():
        names = [f"{side}{i}.jpg" for i in range(len(pid))]
        folders.pickled(folder / f"{side}_m.pkl", folders.keyed(names, images(pid)))
        cam = np.arange(len(pid)) % 3 + (2 if side == "query" else 0)
        columns = [f"{name},{p},{c}" for name, p, c in zip(names, pid, cam, strict=True)]
        if labelled or side == "train":
            folders.listed(folder / f"{side}.csv", ["name,pid,cam", *columns])
    return folder


def asked(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> dict:
    assert thresholds.main(["--features", str(folder), "--json", *options]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_without_train_each_fold_is_judged_by_the_others(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    found = asked(street(tmp_path), capsys, "--fmr", "0.001", "0.01", "0.1")
    rows = found["thresholds"]
    assert [row["wanted_fmr"] for row in rows] == [0.001, 0.01, 0.1]
    assert [row["threshold"] for row in rows] == sorted(row["threshold"] for row in rows)
    assert rows[1]["fmr"] == pytest.approx(0.01, abs=0.01)
    assert rows[2]["fmr"] == pytest.approx(0.1, abs=0.03)
    assert rows[0]["recall"] < rows[2]["recall"]
    assert 0 <= rows[0]["false_alarm"] <= rows[2]["false_alarm"] <= 1
    assert all(set(NAMES) == set(row["sd"]) for row in rows)
    assert "query and gallery" in found["fitted_on"]
    assert "5 folds of identities" in found["rates_of"]
    assert "junk market" in found["pairs"]
    assert asked(tmp_path, capsys, "--fmr", "0.01", "--threads", "3")["thresholds"][0] == rows[1]
    other = asked(tmp_path, capsys, "--fmr", "0.01", "--seed", "1")["thresholds"][0]
    assert other["threshold"] == rows[1]["threshold"]  # of all identities
    assert other["fmr"] != rows[1]["fmr"]


def test_with_train_the_test_labels_are_only_judged(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = street(tmp_path, trained=True)
    found = asked(folder, capsys, "--fmr", "0.01")
    assert (found["fitted_on"], found["rates_of"]) == ("train", "query and gallery")
    assert found["thresholds"][0]["fmr"] == pytest.approx(0.01, abs=0.01)
    assert "sd" not in found["thresholds"][0]
    labels = (folder / "query.csv").read_text().splitlines()
    folders.listed(folder / "query.csv", [labels[0], *[line.replace(",", ",9", 1) for line in labels[1:]]])
    mixed = asked(folder, capsys, "--fmr", "0.01")
    assert mixed["thresholds"][0]["threshold"] == found["thresholds"][0]["threshold"]
    assert mixed["thresholds"][0]["recall"] != found["thresholds"][0]["recall"]


def test_with_train_alone_its_own_rates_are_said_to_be_that(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    found = asked(street(tmp_path, labelled=False, trained=True), capsys)
    assert found["fitted_on"] == "train"
    assert "on which they were fitted" in found["rates_of"]
    assert found["thresholds"][0]["fmr"] <= 0.01


def test_a_recipe_that_reranks_and_the_table(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = street(tmp_path)
    assert thresholds.main(["--features", str(folder), "--recipe", "default", "--fmr", "0.05", "1"]) == 0
    printed = capsys.readouterr().out
    assert "wanted fmr" in printed
    assert "±" in printed
    assert "fitted on: query and gallery, all 40 identities" in printed
    assert "junk market" in printed
    assert " inf " in printed  # fmr 1 accepts all


def test_hardest_pairs_in_batches(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = street(tmp_path / "a", trained=True)
    found = asked(folder, capsys, "--batches", "8", "3", "--csv", str(tmp_path / "pairs.csv"))["hardest"]
    assert (found["of"], found["identities"], found["images"]) == ("train", 8, 3)
    counts = found["models"]["m"]
    assert sum(counts["positive"]) == sum(counts["negative"]) == 240  # 80 identities of 3 images: 10 batches of 24
    assert len(counts["edges"]) == len(counts["positive"]) + 1
    best = counts["fewest_errors"]
    lines = [line.split(",") for line in (tmp_path / "pairs.csv").read_text().splitlines()]
    assert lines[0] == ["model", "batch", "name", "pid", "positive", "negative"]
    assert len(lines) == 1 + 240
    positive, negative = (np.array([float(line[column]) for line in lines[1:]]) for column in (4, 5))
    assert best["beyond"] == pytest.approx(np.mean(positive > best["threshold"] + 1e-6))
    assert best["within"] == pytest.approx(np.mean(negative < best["threshold"] - 1e-6))
    pids = {line[2]: line[3] for line in lines[1:]}
    assert pids["train5.jpg"] == "41"  # 40 + 5 // 3
    assert thresholds.main(["--features", str(folder), "--batches", "8", "3", "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    assert "hardest pairs in 10 batches of 8 identities with 3 images, of train" in printed
    assert f"fewest errors at {best['threshold']:.4f}" in printed
    unlabelled = asked(street(tmp_path / "b"), capsys, "--batches", "2", "2")["hardest"]
    assert unlabelled["of"] == "query and gallery"


def test_batches_that_cannot_be(tmp_path: Path) -> None:
    folder = street(tmp_path)
    with pytest.raises(InputError) as caught:
        thresholds.main(["--features", str(folder), "--batches", "1", "4"])
    assert caught.value.problems == ["--batches: wanted 2 identities and 2 images or more, found 1, 4"]
    with pytest.raises(InputError, match=r"--csv: wanted --batches too"):
        thresholds.main(["--features", str(folder), "--csv", str(tmp_path / "pairs.csv")])
    with pytest.raises(InputError, match="wanted at most the 32 with two images or more, got 99; ask for smaller"):
        thresholds.main(["--features", str(folder), "--batches", "99", "4"])


def test_refusals_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(InputError) as caught:
        thresholds.main(["--fmr", "2", "--folds", "1", "--seed", "-1"])
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "--features",
        "--fmr",
        "--folds",
        "--seed",
    ]
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"wanted labels .* found neither"):
        thresholds.main(["--features", str(street(tmp_path / "a", labelled=False))])
    (tmp_path / "b").mkdir()
    with pytest.raises(InputError, match="wanted 10 identities with a query and a gallery image for 5 folds"):
        thresholds.main(["--features", str(street(tmp_path / "b", people=5))])
