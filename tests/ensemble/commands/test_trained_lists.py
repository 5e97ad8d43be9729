"""Joins that learn from labelled lists, on the command line: ``train_MODEL`` and ``train.csv`` beside lists."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensemble import evaluate, fusion, run
from ensemble.base.errors import InputError
from postproc import rank
from tests.support.each import each
from tests.support.folders import listed

PEOPLE, PLACES = 24, 8
JOINS = {
    "pos_fuse": {}, "slide_fuse": {"window": 2}, "prob_fuse": {"segments": 3}, "seg_fuse": {}, "bayes_fuse": {},
}  # fmt: skip


def names(letter: str) -> list[str]:
    return [f"{letter}{row:02d}" for row in range(PEOPLE)]


def lists(seed: int) -> list[np.ndarray]:
    """The first 8 of two models, one better than the other; image i of the gallery is of query i."""
    rng = np.random.default_rng(seed)
    return [rank((rng.random((PEOPLE, PEOPLE)) - share * np.eye(PEOPLE)).astype(np.float32), top_k=PLACES)
            for share in (0.9, 0.4)]  # fmt: skip


def write(path: Path, ranking: np.ndarray, query: str, gallery: str) -> None:
    """An order alone, as a submission."""
    rows = [
        f"{names(query)[i]},{names(gallery)[j]},{place}"
        for i, row in enumerate(ranking)
        for place, j in enumerate(row, 1)
    ]
    listed(path, ["query,gallery,rank", *rows])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Lists of two models, and of each what it makes of other people; the last labelled query has no match."""
    place = tmp_path / "lists"
    place.mkdir()
    for model, asked, learned in zip(("net", "old"), lists(0), lists(1), strict=True):
        write(place / f"{model}.csv", asked, "q", "g")
        write(place / f"train_{model}.csv", learned, "s", "t")
    for side in ("query", "gallery"):
        listed(place / f"{side}.csv", ["name,pid", *(f"{name},{row}" for row, name in enumerate(names(side[0])))])
    pids = [f"{letter}{row:02d},{row if row < PEOPLE - 1 else letter}" for letter in "st" for row in range(PEOPLE)]
    listed(place / "train.csv", ["name,pid", *pids])
    return place


def recipe(path: Path, name: str, settings: dict) -> Path:
    chosen = "".join(f", {setting} = {value}" for setting, value in settings.items())
    path.write_text(f'[[branch]]\njoin = {{ use = "{name}"{chosen} }}\n')
    return path


@each(("name", "settings"), JOINS.items())
def test_lists_are_joined_by_what_their_labelled_lists_tell(folder, tmp_path, name, settings):
    own = recipe(tmp_path / "own.toml", name, settings)
    out = tmp_path / "out"
    assert run.main(["--rankings", str(folder), "--recipe", str(own), "--out", str(out)]) == 0
    pid = np.arange(PEOPLE)
    images = np.where(pid < PEOPLE - 1, pid, PEOPLE)
    wanted = fusion.AFTER[name](
        [fusion.of_ranking(rows, PEOPLE) for rows in lists(0)],
        [fusion.hit_lists(rows, pid, images) for rows in lists(1)],
        **settings,
    )
    known = np.any([~np.isnan(fusion.of_ranking(rows, PEOPLE)) for rows in lists(0)], axis=0)
    with (out / "ranking.csv").open() as file:
        lines = list(csv.DictReader(file))
    found = [(int(row["query"][1:]), int(row["gallery"][1:]), float(row["distance"])) for row in lines]
    assert len(found) == known.sum()
    for query in range(PEOPLE):
        rows = [image for asked, image, _ in found if asked == query]
        far = np.where(known[query], wanted[query], np.float32(np.inf))
        assert rows == rank(far[None])[0][: len(rows)].tolist()
        assert_allclose([d for asked, _, d in found if asked == query], far[rows], rtol=1e-5)
    record = json.loads((out / "run.json").read_text())
    assert {Path(file).name for file in record["inputs"]} >= {"net.csv", "train_net.csv", "train.csv"}


def test_what_is_learned_is_said_and_gains(folder, tmp_path, capsys):
    def scores(*options: object) -> dict:
        capsys.readouterr()
        assert evaluate.main(["--rankings", str(folder), *map(str, options), "--json"]) == 0
        answer: dict = json.loads(capsys.readouterr().out)
        return answer

    found = scores("--recipe", recipe(tmp_path / "own.toml", "pos_fuse", {}))
    plain = scores("--recipe", recipe(tmp_path / "plain.toml", "reciprocal_rank_fusion", {}))
    assert found["mAP"] > plain["mAP"] + 0.02
    notes = "\n".join(found["notes"])
    pairs = PEOPLE * PLACES
    assert f"train_net.csv: {pairs} labelled pairs, " in notes
    assert "of one identity (train.csv); 1 of its queries match nothing there and say nothing of places" in notes


def test_what_is_missing_and_what_is_no_order_to_learn_from(folder, tmp_path):
    def refused(name: str) -> str:
        with pytest.raises(InputError) as caught:
            evaluate.main(["--rankings", str(folder), "--recipe", str(recipe(tmp_path / "own.toml", name, {}))])
        return "\n".join(caught.value.problems)

    said = refused("calibrated_distances")
    assert "train_net.csv: wanted scores or distances of named pairs, found an order alone; write them" in said
    (folder / "train_old.csv").unlink()
    said = refused("pos_fuse")
    assert "(pos_fuse): wanted train_hit_lists in every part; it learns what each matrix, list or table" in said
