"""Matchers calibrated on labelled pairs: ``train_MODEL`` and ``train.csv`` beside the files of ``--rankings``."""

import json
from pathlib import Path

import numpy as np
import pytest

import postproc
from ensemble import evaluate, run
from ensemble.base.errors import InputError
from tests.support.each import each
from tests.support.folders import listed

PEOPLE, SHORTLIST = 60, 20
RECIPE = Path(__file__).with_name("calibrated.toml")
RNG = np.random.default_rng


def world(seed: int) -> dict[str, np.ndarray]:
    """60 people seen by two cameras: how far a model says that they are, and the inliers of a matcher.

    Inliers of one person are many where the matcher works and few where it does not; those of two persons are few,
    now and then some.
    """
    rng = RNG(seed)
    centres = rng.normal(size=(PEOPLE, 16))
    first, second = (
        postproc.l2_normalize((centres + 0.9 * rng.normal(size=(PEOPLE, 16))).astype(np.float32)) for _ in range(2)
    )
    far = postproc.distances(first, second, metric="cosine")
    same = np.eye(PEOPLE, dtype=bool)
    rate = np.where(same, rng.gamma(1.2, 12, same.shape), rng.gamma(1.5, 2, same.shape))
    return {"query": first, "gallery": second, "far": far, "inliers": rng.poisson(rate)}


def names(letter: str) -> list[str]:
    return [f"{letter}{row:03d}.jpg" for row in range(PEOPLE)]


def table(path: Path, found: dict[str, np.ndarray], query: list[str], gallery: list[str]) -> None:
    """The matcher's table of pairs: the nearest of every query by the model."""
    nearest = np.argsort(found["far"], axis=1)[:, :SHORTLIST]
    rows = [f"{query[i]},{gallery[j]},{found['inliers'][i, j]}" for i, row in enumerate(nearest) for j in row]
    listed(path, ["query,gallery,inliers", *rows])


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model's matrix and a matcher's table, each with what it says of 60 other people."""
    return write(tmp_path_factory.mktemp("given"))


def write(folder: Path) -> Path:
    """Write these files into a folder that is there."""
    test, train = world(0), world(1)
    np.savez(folder / "net.npz", distances=test["far"], query_name=names("q"), gallery_name=names("g"))
    np.savez(folder / "train_net.npz", distances=train["far"], query_name=names("s"), gallery_name=names("t"))
    table(folder / "light.csv", test, names("q"), names("g"))
    table(folder / "train_light.csv", train, names("s"), names("t"))
    for side in ("query", "gallery"):
        listed(folder / f"{side}.csv", ["name,pid", *(f"{name},{row}" for row, name in enumerate(names(side[0])))])
    labels = [f"{name},p{row}" for letter in "st" for row, name in enumerate(names(letter))]
    listed(folder / "train.csv", ["name,pid", *labels])
    return folder


@pytest.fixture
def folder(real: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    place = tmp_path / "given"
    place.mkdir()
    for file in real.iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    return place


def own(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def scores(capsys: pytest.CaptureFixture, *options: object) -> dict:
    capsys.readouterr()
    assert evaluate.main([*map(str, options), "--json"]) == 0
    answer: dict = json.loads(capsys.readouterr().out)
    return answer


def refused(*options: object) -> str:
    with pytest.raises(InputError) as caught:
        run.main([*map(str, options), "--dry-run"])
    return "\n".join(caught.value.problems)


def test_probabilities_beat_every_model_and_what_knows_no_labels(real, tmp_path, capsys):
    def mean_ap(text: str) -> float:
        return float(scores(capsys, "--rankings", real, "--recipe", own(tmp_path / "own.toml", text))["mAP"])

    found = scores(capsys, "--rankings", real, "--recipe", RECIPE)
    alone = [mean_ap(f'[[branch]]\nmodels = ["{model}"]\n') for model in ("net", "light")]
    others = [
        mean_ap(f"[[branch]]\njoin = {{ use = {use} }}\n")
        for use in ('"reciprocal_rank_fusion"', '"weighted_sum", scaling = "min-max", missing = "worst"')
    ]
    assert found["mAP"] > max(*alone, *others) + 0.02
    notes = "\n".join(found["notes"])
    assert "train_light.csv: 1200 labelled pairs, " in notes
    assert "train_net.npz: 3600 labelled pairs, 60 of them of one identity (train.csv)" in notes
    assert "asked about too" not in notes


def test_a_table_alone_keeps_to_its_pairs_and_the_record_names_all_files(real, tmp_path):
    text = '[[branch]]\nmodels = ["light"]\njoin = { use = "calibrated_distances" }\n'
    recipe = own(tmp_path / "own.toml", text)
    assert run.main(["--rankings", str(real), "--recipe", str(recipe), "--out", str(tmp_path / "out")]) == 0
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert {Path(file).name for file in record["inputs"]} >= {"light.csv", "train_light.csv", "train.csv"}
    lines = (tmp_path / "out" / "ranking.csv").read_text().splitlines()
    assert len(lines) == 1 + PEOPLE * SHORTLIST
    far = np.array([float(line.rsplit(",", 1)[1]) for line in lines[1:]])
    assert far.min() >= 0
    assert far.max() <= 1.0001


def test_features_calibrated_on_train_beside_a_table(real, folder, tmp_path, capsys):
    features = tmp_path / "features"
    features.mkdir()
    test, train = world(0), world(1)
    learn = {
        "train": np.concatenate([train["query"], train["gallery"]]),
        "train_pid": np.arange(2 * PEOPLE) % PEOPLE,
    }
    sides = {side: test[side] for side in ("query", "gallery")}
    pid = {f"{side}_pid": np.arange(PEOPLE) for side in sides}
    called = {f"{side}_name": names(side[0]) for side in sides} | {"train_name": [*names("s"), *names("t")]}
    np.savez(features / "looks.npz", **sides, **pid, **learn, **called)
    (folder / "net.npz").unlink()
    (folder / "train_net.npz").unlink()
    text = (
        'join = { use = "weighted_sum", missing = "mean", average = true }\n'
        '[[branch]]\nmodels = ["looks"]\neach = [{ use = "l2_normalize" }]\njoin = { use = "calibrated" }\n'
        '[[branch]]\nmodels = ["light"]\njoin = { use = "calibrated_distances" }\n'
    )
    both = ["--features", features, "--rankings", folder]
    found = scores(capsys, *both, "--recipe", own(tmp_path / "own.toml", text))
    looks = scores(capsys, "--features", features)["mAP"]
    assert found["mAP"] > looks + 0.02
    assert evaluate.main(["--rankings", str(real), "--recipe", str(RECIPE), "--memory", "2GB"]) == 0


def test_what_is_missing_is_said_before_anything_is_read(folder, tmp_path):
    wrong = own(tmp_path / "wrong.toml", '[[branch]]\njoin = { use = "calibrated" }\n')
    said = refused("--rankings", folder, "--recipe", wrong)
    assert "matrices and tables of pairs are calibrated by calibrated_distances" in said
    late = 'each = [{ use = "local_scaling" }]\njoin = { use = "calibrated_distances" }\n'
    late = own(tmp_path / "late.toml", f"[[branch]]\n{late}")
    (folder / "train_light.csv").unlink()
    said = refused("--rankings", folder, "--recipe", RECIPE)
    assert "calibrated_distances): wanted train_distances, train_hits in every part; it learns what each" in said
    listed(folder / "train.csv", ["name,camera", "s000.jpg,1"])
    assert "wanted a column pid for the pairs in train_net.npz, found none" in refused("--rankings", folder)
    (folder / "train.csv").unlink()
    said = refused("--rankings", folder)
    assert "train.csv: wanted the identities of the images in train_net.npz (name, pid), found none" in said


def test_a_step_behind_the_distances_forgets_what_was_labelled(folder, tmp_path):
    """Other distances than those of which labelled pairs tell are not calibrated by them."""
    text = (
        'join = { use = "calibrated_distances" }\n'
        '[[branch]]\nmodels = ["net"]\nsteps = [{ use = "mask_same_camera" }]\n'
        '[[branch]]\nmodels = ["light"]\n'
    )
    for side in ("query", "gallery"):
        lines = (folder / f"{side}.csv").read_text().splitlines()
        listed(folder / f"{side}.csv", [lines[0] + ",cam", *(f"{line},{len(side)}" for line in lines[1:])])
    said = refused("--rankings", folder, "--recipe", own(tmp_path / "own.toml", text))
    assert "wanted train_distances, train_hits in every part" in said


@each(
    ("change", "message"),
    [
        (lambda lines: [*lines, "s000.jpg,nobody,3"], "wanted images of GIVEN/train.csv, found 1 others (nobody)"),
        (lambda lines: [lines[0], *(line for line in lines if line[1:4] == line[10:13])], "of two, found"),
        (lambda lines: ["query,gallery,distance", *lines[1:]], "found them farther"),
        (lambda lines: ["query,gallery,rank", "s000.jpg,t000.jpg,1"], "an order alone"),
        (lambda lines: [*lines, lines[1]], "wanted every image once in a list"),
    ],
)  # fmt: skip
def test_pairs_that_are_refused(real, folder, change, message):
    listed(folder / "train_light.csv", change((real / "train_light.csv").read_text().splitlines()))
    with pytest.raises(InputError) as caught:
        evaluate.main(["--rankings", str(folder), "--recipe", str(RECIPE)])
    said = "\n".join(caught.value.problems)
    assert message.replace("GIVEN", str(folder)) in said
    assert "train_light.csv" in said


def test_queries_among_the_labelled_images_are_named(folder, capsys):
    """Whoever labels the queries themselves is told what the scores are worth."""
    for name in ("light", "net"):
        file = next(folder.glob(f"{name}.*"))
        (folder / f"train_{file.name}").write_bytes(file.read_bytes())
    listed(folder / "train.csv", ["name,pid", *(f"{n},{row}" for of in "qg" for row, n in enumerate(names(of)))])
    found = scores(capsys, "--rankings", folder, "--recipe", RECIPE)
    notes = "\n".join(found["notes"])
    assert "train_light.csv: 60 of its labelled images are asked about too (q000.jpg, q001.jpg" in notes
    assert "scores on them are too good" in notes


def test_images_of_unknown_identity_and_a_square_without_names(folder, capsys):
    """A square in the order of train.csv; pairs of an image with itself or with a stranger are left out."""
    whole = np.zeros((6, 6), np.float32) + 5
    whole[[0, 1], [1, 0]] = 1
    np.save(folder / "train_net.npy", whole)
    (folder / "train_net.npz").unlink()
    (folder / "train_light.csv").unlink()
    (folder / "light.csv").unlink()
    listed(folder / "train.csv", ["name,pid", "a,1", "b,1", "c,2", "d,", "e,3", "f,-1"])
    notes = "\n".join(scores(capsys, "--rankings", folder, "--recipe", RECIPE)["notes"])
    # a, b, c, e are known: 12 pairs in both directions, a with b and b with a are one identity
    assert "train_net.npy: 12 labelled pairs, 2 of them of one identity (train.csv)" in notes
    assert f"train_net.npy: joined by position: no names inside, rows are those of {folder / 'train.csv'}" in notes
