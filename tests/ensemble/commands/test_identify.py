"""Who is it, on the command line: worlds with known answers, every form, hostile input."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from ensemble import validate
from ensemble.base.errors import InputError
from ensemble.identify import __main__ as identify
from ensemble.identities import answers
from ensemble.report import PACKAGES
from ensemble.scores import Protocol, score
from tests.support import folders
from tests.support.each import each
from tests.support.worlds import herd


def written(
    folder: Path, *, noise: float = 0.1, labelled: bool = True, species: bool = False, seed: int = 0
) -> dict:
    """A herd as a folder; identities are called like ``w_07``, species are ``a`` and ``b`` by turns."""
    world = herd(people=30, strangers=6, most=30, noise=noise, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    for side in ("query", "gallery"):
        np.save(folder / f"{side}_m.npy", world[side])
        pid = world[f"{side}_pid"]
        lines = [
            f"{side}{i}.jpg,{f'w_{who:02d}' if labelled or side == 'gallery' else ''}" for i, who in enumerate(pid)
        ]
        if species:
            lines = [f"{line},{'ab'[who % 2]}" for line, who in zip(lines, pid, strict=True)]
        folders.listed(folder / f"{side}.csv", [f"name,pid{',species' if species else ''}", *lines])
    return world


def asked(folder: Path, out: Path, *options: str, what: str = "--features") -> dict:
    common = [what, str(folder), "--out", str(out), "--resamples", "100"]
    assert identify.main([*common, *options]) == 0
    found: dict = json.loads((out / "identify.json").read_text())
    return found


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_without_noise_everybody_is_told_rightly(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    world = written(tmp_path / "in", noise=0.0)
    found = asked(tmp_path / "in", tmp_path / "out", "--format", "animalclef")
    told = rows(tmp_path / "out" / "submission.csv")
    for row, who in zip(told, world["query_pid"], strict=True):
        assert row["identity"] == (f"w_{who:02d}" if who < 30 else "new_individual")
    for name in ("top1", "baks", "baus", "geometric", "balanced", "per_identity"):
        assert found["scores"][name] == 1
    assert found["scores"]["known_identities"] == 30
    assert found["scores"]["unknown_identities"] == 6
    printed = capsys.readouterr().out
    assert "best sqrt(BAKS BAUS), fitted on 30 identities of the gallery" in printed
    assert "mAP by identity                     1.0000" in printed


def test_noise_costs_and_the_fitted_threshold_is_near_the_best(tmp_path: Path) -> None:
    written(tmp_path / "in", noise=0.9)
    found = asked(tmp_path / "in", tmp_path / "out")
    assert 0.5 < found["scores"]["geometric"] < 1
    limit = found["thresholds"][""]["distance"]
    best = max(
        asked(tmp_path / "in", tmp_path / "other", "--unknown", f"distance={limit * share}")["scores"]["geometric"]
        for share in (0.8, 0.9, 1.1, 1.2)
    )
    assert found["scores"]["geometric"] > best - 0.1


def test_the_files_fit_each_other(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    written(tmp_path / "in", noise=0.8)
    out = tmp_path / "out"
    found = asked(tmp_path / "in", out, "--format", "happywhale", "--unknown", "share=0.2")
    names = ["--query-names", str(tmp_path / "in" / "query.csv"), "--gallery-names", str(out / "identities.txt")]
    assert validate.main([str(out / "submission.csv"), *names]) == 0
    assert "ok:" in capsys.readouterr().out
    told = {row["image"]: row["predictions"].split() for row in rows(out / "submission.csv")}
    table: dict[str, list[dict[str, str]]] = {}
    for row in rows(out / "identities.csv"):
        table.setdefault(row["query"], []).append(row)
    limit = found["thresholds"][""]["distance"]
    for query, answer in told.items():
        accepted = [row["identity"] for row in table[query] if row["accepted"] == "1"]
        rest = [row["identity"] for row in table[query] if row["accepted"] == "0"]
        assert answer == [*accepted, "new_individual", *rest][:5]
        assert all((float(row["distance"]) <= limit) == (row["accepted"] == "1") for row in table[query])
    share = np.mean([answer[0] == "new_individual" for answer in told.values()])
    assert share == pytest.approx(found["thresholds"][""]["share"])
    assert share == pytest.approx(0.2, abs=0.5 / len(told))
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    asked(tmp_path / "in", out, "--format", "happywhale", "--unknown", "share=0.2", "--threads", "3")
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


@each(
    ("rule", "unknown"),
    [
        *((rule, "geometric") for rule in ("mean=2", "vote=3", "sum=5")),
        *(
            ("nearest", unknown)
            for unknown in ("none", "distance=0.2", "share=0.1", "chance=0.6", "balanced", "map")
        ),
    ],
)
def test_every_rule(tmp_path: Path, rule: str, unknown: str) -> None:
    written(tmp_path / "in", noise=0.3)
    found = asked(tmp_path / "in", tmp_path / "out", "--rule", rule, "--unknown", unknown)
    assert found["unknown"].partition("=")[0] == unknown.partition("=")[0]
    assert found["scores"]["top5"] > 0.6
    answers = [row["identities"].split() for row in rows(tmp_path / "out" / "submission.csv")]
    assert any("new_individual" in row for row in answers) == (unknown != "none")


def test_sets_are_asked_by_themselves(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    world = written(tmp_path / "in", noise=0.8, species=True)
    found = asked(tmp_path / "in", tmp_path / "out", "--by", "species", "--format", "happywhale")
    assert set(found["thresholds"]) == set(found["scores"]["sets"]) == {"a", "b"}
    assert found["thresholds"]["a"]["distance"] != found["thresholds"]["b"]["distance"]
    assert found["scores"]["geometric"] == pytest.approx(
        np.mean([each["geometric"] for each in found["scores"]["sets"].values()])
    )
    printed = capsys.readouterr().out
    assert "mean of the sets" in printed
    for row, who in zip(rows(tmp_path / "out" / "submission.csv"), world["query_pid"], strict=True):
        others = [int(name[2:]) % 2 for name in row["predictions"].split() if name != "new_individual"]
        assert set(others) == {who % 2}


def test_a_set_that_the_gallery_lacks_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    written(tmp_path / "in", species=True)
    table = tmp_path / "in" / "query.csv"
    lines = table.read_text().splitlines()
    folders.listed(table, [lines[0], lines[1][:-1] + "c", *lines[2:]])
    asked(tmp_path / "in", tmp_path / "out", "--by", "species", "--format", "animalclef", "--unknown", "share=0.1")
    assert rows(tmp_path / "out" / "submission.csv")[0]["identity"] == "new_individual"
    assert "c: the gallery has nobody of it: all 1 queries are unknown" in capsys.readouterr().out


def test_rows_columns_and_words_of_ones_own(tmp_path: Path) -> None:
    world = written(tmp_path / "in", labelled=False, noise=0.0)
    names = [f"query{i}" for i in range(len(world["query"]))][::-1]
    sample = folders.listed(tmp_path / "sample.csv", ["Foto,Tier", *(f"{name},x" for name in names)])
    own = ["--sample", str(sample), "--word", "neu", "--places", "1", "--comma", "tab"]
    found = asked(tmp_path / "in", tmp_path / "out", *own)
    assert found["scores"] is None
    lines = (tmp_path / "out" / "submission.csv").read_text().splitlines()
    assert lines[0] == "Foto\tTier"
    expected = [f"w_{who:02d}" if who < 30 else "neu" for who in world["query_pid"]][::-1]
    assert [line.split("\t")[1] for line in lines[1:]] == expected
    assert lines[1].split("\t")[0] == f"query{len(names) - 1}.jpg"  # as the folder calls it


def test_rank_lists_in_the_place_of_features(tmp_path: Path) -> None:
    from ensemble import run

    written(tmp_path / "in", noise=0.5)
    ranked = ["--features", str(tmp_path / "in"), "--out", str(tmp_path / "run"), "--recipe", "baseline"]
    assert run.main([*ranked, "--set", "top_k=60"]) == 0
    lists = tmp_path / "lists"
    lists.mkdir()
    (lists / "ranking.csv").write_bytes((tmp_path / "run" / "ranking.csv").read_bytes())
    for side in ("query", "gallery"):
        (lists / f"{side}.csv").write_bytes((tmp_path / "in" / f"{side}.csv").read_bytes())
    options = ["--unknown", "share=0.2", "--out", str(tmp_path / "out"), "--resamples", "100"]
    recipe = folders.listed(
        tmp_path / "sum.toml", ["[[branch]]", 'join = { use = "weighted_sum" }']
    )  # keeps distances
    assert identify.main(["--rankings", str(lists), "--recipe", str(recipe), *options]) == 0
    assert (
        identify.main(["--features", str(tmp_path / "in"), *options[:-3], str(tmp_path / "same"), *options[-2:]])
        == 0
    )
    first, second = (
        [row["identities"] for row in rows(tmp_path / name / "submission.csv")] for name in ("out", "same")
    )
    assert [text.split()[0] for text in first] == [text.split()[0] for text in second]
    with pytest.raises(InputError, match="--rankings: wanted features, or distances of one set"):
        identify.main(["--rankings", str(lists), "--unknown", "geometric", "--out", str(tmp_path / "no")])
    assert not (tmp_path / "no").exists()


def test_a_threshold_of_training_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "in", noise=0.5)
    world = herd(people=40, strangers=4, most=12, noise=0.5, seed=9)
    np.save(tmp_path / "in" / "train_m.npy", world["gallery"])
    lines = [f"t{i}.jpg,t_{who}" for i, who in enumerate(world["gallery_pid"])]
    folders.listed(tmp_path / "in" / "train.csv", ["name,pid", *lines])
    found = asked(tmp_path / "in", tmp_path / "out", "--fit-on", "train")
    assert "fitted on 40 identities of the train" in found["thresholds"][""]["about"]
    assert not any("the recipe learns from" in note for note in found["notes"])
    monkeypatch.setattr(answers, "learns", lambda plan: True)
    found = asked(tmp_path / "in", tmp_path / "out", "--fit-on", "train")
    assert any(
        "the recipe learns from the training images that tell the threshold" in note for note in found["notes"]
    )
    (tmp_path / "in" / "train.csv").unlink()
    (tmp_path / "in" / "train_m.npy").unlink()
    with pytest.raises(InputError, match="--fit-on train: wanted training images with identities"):
        asked(tmp_path / "in", tmp_path / "out", "--fit-on", "train")


def test_pairs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    world = written(tmp_path / "in", noise=1.2)
    asking = [(f"query{q}.jpg", f"gallery{g}.jpg") for q in range(5) for g in range(0, len(world["gallery"]), 3)]
    test = folders.listed(
        tmp_path / "test.csv",
        ["row_id,query_image,gallery_image", *(f"{i},{q},{g}" for i, (q, g) in enumerate(asking))],
    )
    common = ["--features", str(tmp_path / "in"), "--pairs", str(test), "--out", str(tmp_path / "out")]
    assert identify.main(common) == 0
    queries, gallery = world["query_pid"][:5], world["gallery_pid"][::3]
    far = -(world["query"][:5] @ world["gallery"][::3].T)
    wanted = score(far, queries, gallery, protocol=Protocol(junk="none", average="identities"))
    assert f"mAP by identity {wanted.mAP:.4f}" in capsys.readouterr().out
    found = np.array([float(row["similarity"]) for row in rows(tmp_path / "out" / "submission.csv")])
    assert validate.main([str(tmp_path / "out" / "submission.csv"), "--pairs", str(test)]) == 0
    cosine = (world["query"][:5] @ world["gallery"][::3].T).ravel()
    scaled = (cosine - cosine.min()) / (cosine.max() - cosine.min())
    np.testing.assert_allclose(found, scaled, atol=1e-5)
    folders.listed(test, ["row_id,query_image,gallery_image", "0,query0.jpg,nobody.jpg"])
    with pytest.raises(InputError, match=r"wanted gallery images in gallery_image, found 1 others \(nobody.jpg"):
        identify.main(common)


def test_the_report(tmp_path: Path) -> None:
    for package in PACKAGES:
        pytest.importorskip(package)
    written(tmp_path / "in", noise=0.8, species=True)
    asked(tmp_path / "in", tmp_path / "out", "--by", "species", "--report")
    page = (tmp_path / "out" / "identities.html").read_text()
    assert "Known and unknown" in page
    assert page.count("<svg") == 1
    assert "<script" not in page
    assert (tmp_path / "out" / "open_set.svg").read_text().count("<svg") == 1


def test_json_alone_on_stdout(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    written(tmp_path / "in")
    asked(tmp_path / "in", tmp_path / "out", "--json")
    captured = capfd.readouterr()
    assert json.loads(captured.out) == json.loads((tmp_path / "out" / "identify.json").read_text())
    assert "unknown beyond" in captured.err


def test_refusals_come_together_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        identify.main(["--rule", "mean", "--unknown", "best", "--depth", "-1", "--folds", "1", "--edge", "3",
                       "--expected", "2", "--columns", "a", "--comma", "ab", "--level", "3"])  # fmt: skip
    said = [problem.split(":")[0] for problem in caught.value.problems]
    assert said == ["--depth", "--folds", "--level", "--rule", "--edge", "--expected", "--columns", "--comma"]
    with pytest.raises(InputError, match="--unknown: wanted one of none, distance"):
        identify.main(["--unknown", "best"])
    with pytest.raises(InputError, match="--unknown: wanted none, since hotel has no word for it"):
        identify.main(["--format", "hotel", "--unknown", "map"])
    with pytest.raises(InputError, match="--features: wanted a folder with feature files, found nothing"):
        identify.main([])
    written(tmp_path / "in")
    out = ["--features", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match="--by: wanted the column species of the query"):
        identify.main([*out, "--by", "species"])
    with pytest.raises(
        InputError, match="--word: wanted a word for the unknown that is no identity, found 'w_01'"
    ):
        identify.main([*out, "--word", "w_01"])
    sample = folders.listed(tmp_path / "sample.csv", ["image,predictions", "query0.jpg,x", "nobody.jpg,x"])
    with pytest.raises(
        InputError, match=r"(?s)found 1 of other images \(nobody.jpg.*wanted a row for every query"
    ):
        identify.main([*out, "--sample", str(sample)])
    assert not (tmp_path / "out").exists()


def test_a_gallery_of_singletons_cannot_tell_a_threshold(tmp_path: Path) -> None:
    written(tmp_path / "in")
    table = tmp_path / "in" / "gallery.csv"
    lines = table.read_text().splitlines()
    folders.listed(table, [lines[0], *(f"{line.split(',')[0]},{i}" for i, line in enumerate(lines[1:]))])
    with pytest.raises(
        InputError, match="--unknown geometric: wanted identities of the gallery with several images"
    ):
        asked(tmp_path / "in", tmp_path / "out")


def test_one_set_answers_about_itself(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Images without an identity are asked too, and every image is left out of its own answer."""
    world = herd(people=25, strangers=0, most=30, noise=0.3)
    pid = world["gallery_pid"]
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "images_m.npy", world["gallery"])
    unlabelled = [int(np.flatnonzero(pid == 0)[0])]
    lines = [f"i{row}.jpg,{'' if row in unlabelled else f'w_{who}'}" for row, who in enumerate(pid)]
    folders.listed(folder / "images.csv", ["name,pid", *lines])
    found = asked(folder, tmp_path / "out", "--format", "animalclef", "--unknown", "distance=0.5")
    assert "each image is compared with all others" in capsys.readouterr().out
    told = [row["identity"] for row in rows(tmp_path / "out" / "submission.csv")]
    assert [told[row] for row in unlabelled] == ["w_0"]
    count = np.bincount(pid)
    for who, answer in zip(pid, told, strict=True):
        assert answer != f"w_{who}" or count[who] > 1  # a singleton is never its own answer
    labelled = [row for row in range(len(pid)) if row not in unlabelled]
    truth = [f"w_{pid[row]}" if count[pid[row]] > 1 else "new_individual" for row in labelled]
    hits = [told[row] == right for row, right in zip(labelled, truth, strict=True)]
    assert found["scores"]["top1"] == pytest.approx(np.mean(hits))
    assert found["scores"]["unknown_identities"] == int((count == 1).sum())
    assert found["scores"]["unlabelled"] == 1


def test_a_recipe_with_neighbourhoods(tmp_path: Path) -> None:
    written(tmp_path / "in", noise=0.4)
    found = asked(tmp_path / "in", tmp_path / "out", "--recipe", "kreciprocal", "--set", "rerank.k1=6")
    assert found["recipe"]["name"] == "kreciprocal"
    assert found["scores"]["geometric"] > 0.5


def test_what_an_earlier_one_left_goes(tmp_path: Path) -> None:
    for package in PACKAGES:
        pytest.importorskip(package)
    written(tmp_path / "in", noise=0.5)
    out = tmp_path / "out"
    asked(tmp_path / "in", out, "--report")
    (out / "mine.txt").write_text("kept")
    before = {path.name for path in out.iterdir()}
    asked(tmp_path / "in", out)
    assert before - {path.name for path in out.iterdir()} == {"identities.html", "open_set.svg"}
    test = folders.listed(tmp_path / "test.csv", ["row_id,query_image,gallery_image", "7,query0.jpg,gallery1.jpg"])
    assert identify.main(["--features", str(tmp_path / "in"), "--pairs", str(test), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {"submission.csv", "identify.json", "mine.txt"}
    assert (out / "submission.csv").read_text() == "row_id,similarity\n7,1.0\n"


def test_queries_that_are_called_new_are_new(tmp_path: Path) -> None:
    """A truth that no gallery image has is the unknown, whatever it is called."""
    written(tmp_path / "in", noise=0.0)
    table = tmp_path / "in" / "query.csv"
    lines = table.read_text().splitlines()
    new = {f"w_{who}" for who in range(30, 36)}
    called = [f"{line.split(',')[0]},new_individual" if line.split(",")[1] in new else line for line in lines]
    folders.listed(table, called)
    found = asked(tmp_path / "in", tmp_path / "out", "--format", "animalclef")
    assert found["scores"]["baus"] == 1
    assert found["scores"]["unknown_identities"] == 1
    assert "new_individual" in (tmp_path / "out" / "identities.txt").read_text().split()


def test_a_set_that_cannot_be_fitted_is_named(tmp_path: Path) -> None:
    written(tmp_path / "in", species=True)
    for side in ("query", "gallery"):
        table = tmp_path / "in" / f"{side}.csv"
        lines = table.read_text().splitlines()
        folders.listed(
            table, [lines[0], *(line[:-1] + ("c" if "w_00" in line else line[-1]) for line in lines[1:])]
        )
    with pytest.raises(InputError, match=r"^c: --folds: wanted 10 identities"):
        asked(tmp_path / "in", tmp_path / "out", "--by", "species")


def test_a_recipe_whose_lists_are_shorter_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "in")
    recipe = folders.listed(
        tmp_path / "short.toml",
        [
            "top_k = 20",
            "[[branch]]",
            'each = [{ use = "l2_normalize" }]',
            'steps = [{ use = "distances", top_k = 20 }]',
        ],
    )
    with pytest.raises(
        InputError, match=r"top_k: wanted 500 images of every query, found 20; ask for fewer \(--depth"
    ):
        asked(tmp_path / "in", tmp_path / "out", "--recipe", str(recipe))
    asked(tmp_path / "in", tmp_path / "out", "--recipe", str(recipe), "--depth", "20", "--unknown", "none")


def test_matrices_in_the_place_of_features(tmp_path: Path) -> None:
    world = written(tmp_path / "in", noise=0.5)
    folder = tmp_path / "matrix"
    folder.mkdir()
    np.savez(folder / "m.npz", distances=1 - world["query"] @ world["gallery"].T)
    for side in ("query", "gallery"):
        (folder / f"{side}.csv").write_bytes((tmp_path / "in" / f"{side}.csv").read_bytes())
    found = asked(folder, tmp_path / "out", "--unknown", "share=0.2", what="--rankings")
    assert found["scores"] == asked(tmp_path / "in", tmp_path / "same", "--unknown", "share=0.2")["scores"]
    with pytest.raises(InputError, match=r"m: wanted features, or distances of one set, .* found distances of"):
        asked(folder, tmp_path / "no", what="--rankings")


def test_a_matrix_of_one_set_is_asked_about_itself(tmp_path: Path) -> None:
    world = herd(people=25, strangers=0, most=30, noise=0.3)
    folder = tmp_path / "in"
    folder.mkdir()
    np.savez(folder / "m.npz", distances=1 - world["gallery"] @ world["gallery"].T)
    lines = [f"i{row}.jpg,w_{who}" for row, who in enumerate(world["gallery_pid"])]
    folders.listed(folder / "images.csv", ["name,pid", *lines])
    found = asked(folder, tmp_path / "out", what="--rankings")
    assert "fitted on 25 identities of the gallery" in found["thresholds"][""]["about"]
    assert found["scores"]["geometric"] > 0.8


def test_identities_that_are_called_otherwise_are_said(tmp_path: Path) -> None:
    """Queries 7, a gallery of w_07: nobody can be right, and a score of 0 is no word about the features."""
    written(tmp_path / "in")
    queries = (tmp_path / "in" / "query.csv").read_text()
    assert not [note for note in asked(tmp_path / "in", tmp_path / "a")["notes"] if "labelled queries" in note]
    (tmp_path / "in" / "query.csv").write_text(queries.replace("w_", ""))
    found = asked(tmp_path / "in", tmp_path / "b")
    assert found["scores"]["top1"] < 1
    assert [note for note in found["notes"] if "identities called alike on both sides" in note]
