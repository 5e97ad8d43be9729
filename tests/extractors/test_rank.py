"""Pictures in, ranking out: which folder's features are ranked, with which recipe, and what is refused before."""

import csv
import importlib
import json
from pathlib import Path

import pytest

from extractors import rank
from extractors.models import extra_of
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import city, picture, save

Captured = pytest.CaptureFixture[str]
PIXELS = ["--model", "pixels,size=6x3", "--workers", "0"]


def people(folder: Path, first: int = 0, gallery: str = "gallery") -> Path:
    """Ordinary pictures: any names, no labels, no tracks."""
    for number in range(3):
        save(folder / "query" / f"who {number}.png", picture(first + number))
        save(folder / gallery / f"photo{number}.png", picture(first + number + 1))
    return folder


def ranked(out: Path) -> list[list[str]]:
    """Query, place and image of every answer."""
    with (out / "ranking.csv").open(newline="", encoding="utf-8") as stream:
        return [row[:3] for row in csv.reader(stream)][1:]


def features(out: Path) -> list[Path]:
    return sorted(out.glob("features-*"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both commands in this process, and without the report."""

    def call(command: str, words: list[str]) -> int:
        if "--report" in words:
            at = words.index("--report")
            words = [*words[:at], *words[at + 3 :]]
        status: int = importlib.import_module(command).main(words)
        return status

    monkeypatch.setattr(rank, "_call", call)


def test_ordinary_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Captured) -> None:
    monkeypatch.chdir(tmp_path)
    people(tmp_path / "my pictures", gallery="test")
    assert rank.main(["--images", "my pictures", *PIXELS]) == 0
    said = capfd.readouterr().out
    why = "structure wants tracks and cameras, and these pictures have no tracks and no cameras"
    assert f"recipe default: it needs features alone; {why}; --recipe takes another" in said
    assert "track2" not in said
    (out,) = (tmp_path / "runs" / "images").iterdir()
    assert out.name.startswith("my pictures-")
    assert (out / "report.html").exists()
    assert [row for row in ranked(out) if row[1] == "1"] == [
        ["who 0.png", "1", ranked(out)[0][2]], ["who 1.png", "1", "photo0.png"], ["who 2.png", "1", "photo1.png"]
    ]  # fmt: skip


def test_the_features_of_a_folder_are_its_own(here: None, tmp_path: Path, capfd: Captured) -> None:
    one, other, out = people(tmp_path / "a" / "set"), people(tmp_path / "b" / "set", first=5), tmp_path / "out"
    options = ["--recipe", "baseline", "--out", str(out), *PIXELS]
    assert rank.main(["--images", str(one), *options]) == 0
    first = (out / "ranking.csv").read_bytes()
    assert rank.main(["--images", str(other), *options]) == 0  # the same names and sizes
    assert len(features(out)) == 2
    assert (out / "ranking.csv").read_bytes() != first
    assert "already there" not in capfd.readouterr().out
    assert rank.main(["--images", str(one), *options]) == 0
    assert "pixels: already there, of the same images, model and options" in capfd.readouterr().out
    assert (out / "ranking.csv").read_bytes() == first


def test_changed_pictures_are_described_anew(here: None, tmp_path: Path, capfd: Captured) -> None:
    pictures, out = people(tmp_path / "set"), tmp_path / "out"
    options = ["--images", str(pictures), "--recipe", "baseline", "--out", str(out), *PIXELS]
    assert rank.main(options) == 0
    first = ranked(out)
    one, two = pictures / "gallery" / "photo0.png", pictures / "gallery" / "photo1.png"
    size = max(path.stat().st_size for path in (one, two))
    contents = [path.read_bytes().ljust(size, b"\0") for path in (one, two)]  # bytes behind a PNG are not read
    for path, content in zip((one, two), contents, strict=True):
        path.write_bytes(content)
    assert rank.main(options) == 0
    assert ranked(out) == first
    for path, content in zip((two, one), contents, strict=True):  # swapped: names and sizes stay
        path.write_bytes(content)
    capfd.readouterr()
    assert rank.main(options) == 0
    assert "already there" not in capfd.readouterr().out
    swapped = {"photo0.png": "photo1.png", "photo1.png": "photo0.png"}
    assert [row[2] for row in ranked(out)] == [swapped.get(row[2], row[2]) for row in first]


def test_another_model_is_ranked_alone(here: None, tmp_path: Path) -> None:
    pictures, out = people(tmp_path / "set"), tmp_path / "out"
    for model in ("pixels,size=6x3,name=small", "pixels,size=8x4,name=large"):
        options = ["--images", str(pictures), "--recipe", "baseline", "--out", str(out), "--workers", "0"]
        assert rank.main([*options, "--model", model]) == 0
    assert json.loads((out / "run.json").read_text())["models"] == [["large"]]


def test_tracks_and_cameras_bring_their_recipe(here: None, tmp_path: Path, capfd: Captured) -> None:
    pictures, out = city(tmp_path / "city"), tmp_path / "out"
    for side, folder in (("query", "image_query"), ("gallery", "image_test")):
        names = sorted(path.name for path in (pictures / folder).iterdir())
        lines = [f"{name},{number},{number}\n" for number, name in enumerate(names)]
        (pictures / f"{side}.csv").write_text("name,cam,track\n" + "".join(lines))
        (pictures / {"query": "name_query.txt", "gallery": "name_test.txt"}[side]).write_text("\n".join(names))
    assert rank.main(["--images", str(pictures), "--out", str(out), *PIXELS]) == 0
    assert "recipe structure: it is made of tracks and cameras" in capfd.readouterr().out
    assert len((out / "track2.txt").read_text().splitlines()) == 3  # the lists of names came along


@each(
    ("words", "said"),
    {
        "--images {set} --recipe bast": "did you mean 'best'?",
        "--images {set} --recipe kreciprocal --set k1=3": "did you mean 'rerank.k1'?",
        "--images {set} --modl x": "--modl: wanted an option, found another; did you mean '--model'?",
        "--images {set} --protocol market": "did you mean 'market1501'?",
        "--recipe best": "--images: wanted a folder with query and gallery pictures, found nothing",
        "--images {set} --packages --model none.pth": "wanted a file of weights, found none at none.pth",
    }.items(),
)
def test_what_is_wrong_is_said_before_a_picture_is_read(words: str, said: str, tmp_path: Path) -> None:
    people(tmp_path / "set")
    options = [word.format(set=tmp_path / "set") for word in words.split()]
    assert said in problems(rank.main, [*options, "--out", str(tmp_path / "out")])[0]
    assert not (tmp_path / "out").exists()


def test_a_flat_folder_is_one_set(here: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flat, out = tmp_path / "flat", tmp_path / "out"
    for number in range(3):
        save(flat / f"{number}.png", picture(number))
    alone = ["--images", str(flat), "--recipe", "baseline", "--out", str(out), *PIXELS]
    assert rank.main(alone) == 0
    assert "one set: nothing tells queries from gallery" in capsys.readouterr().out
    assert len(ranked(out)) == 3 * 2
    both = ["--query", str(flat), "--gallery", str(flat)]
    assert rank.main([*both, "--recipe", "baseline", "--out", str(out), *PIXELS]) == 0
    assert len(ranked(out)) == 9


@each(
    ("specs", "extras"),
    {
        "best.pth": "images,report,torch",
        "a.onnx,size=8x8 timm:resnet18": "images,onnx,report,timm",
        "open_clip:RN50:openai hog": "clip,images,report",
        "efficientnet_lite0": "cnn,images,report",
        "": "images,report",
    }.items(),
)
def test_the_packages_of_the_models(
    specs: str, extras: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("best.pth", "a.onnx"):
        Path(name).touch()
    words = [word for spec in specs.split() for word in ("--model", spec)]
    assert rank.main(["--packages", *words]) == 0
    assert capsys.readouterr().out == f"{extras}\n"


def test_a_model_that_needs_nothing() -> None:
    assert extra_of("pixels") is None
