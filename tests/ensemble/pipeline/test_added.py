"""A reader, a join and a submission format of somebody else's: from a folder of features to a checked file."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ensemble import inspect, io, run, submissions, validate
from ensemble.base.errors import InputError
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import Weights
from ensemble.io import containers
from ensemble.io.readers.reader import Reader
from ensemble.pipeline import joins, plan, recipe
from ensemble.submissions import Format, RankList, formats
from ensemble.submissions.ranklist import from_lists
from postproc.base.vocabulary import Floats
from tests.support.folders import listed, problems

QUERIES, GALLERY = ["q1", "q2"], ["a", "b", "c"]


def load(path, wanted):
    """A line an image: its name, its numbers."""
    with path.open() as lines:
        return {name: np.array(row, np.float32) for name, *row in csv.reader(lines, delimiter="|")}


TABLE = Reader("table of bars", load, (".bars",))


@join()
def lowest_but(distances: Parts, *, weights: Weights = None) -> Floats:
    """The smallest distance, each times its weight."""
    numbers = weights or [1] * len(distances)
    return np.min([np.float32(w) * part for w, part in zip(numbers, distances, strict=True)], axis=0)


def write(path: Path, ranking: RankList, *, top_k: int | None) -> None:
    best = ranking.first(top_k)
    lines = zip(best.query_names or (), best.lines(), strict=True)
    path.write_text("".join(f"{query}<{'<'.join(best.gallery_names[i] for i in rows)}\n" for query, rows in lines))


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    rows = [line.split("<") for line in path.read_text().splitlines()]
    return from_lists((query, images, None) for query, *images in rows), []


ARROWS = Format("arrows", "ranking.arrows", parse, write, suffixes=(".arrows",))


@pytest.fixture(autouse=True)
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "_ADDED", {})
    for module in (containers, formats):
        monkeypatch.setattr(module, "_ADDED", [])
    containers.add(TABLE, origin="mine")
    joins.add(lowest_but, origin="mine")
    formats.add(ARROWS, origin="mine")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models: distances to a, b, c are 1 4 9 and 4 1 0 for the first query, 0 1 4 and 1 4 9 for the second."""
    place = tmp_path / "features"
    place.mkdir()
    for model, query, gallery in (("one", (1, 2), (2, 3, 4)), ("two", (4, 1), (2, 3, 4))):
        listed(place / f"query_{model}.bars", [f"{name}|{x}" for name, x in zip(QUERIES, query, strict=True)])
        listed(place / f"gallery_{model}.bars", [f"{name}|{x}" for name, x in zip(GALLERY, gallery, strict=True)])
    return place


RECIPE = """
submission = "arrows"
top_k = 2
[[branch]]
each = [{ use = "distances" }]
join = { use = "lowest_but", weights = { one = 1, two = 0.5 } }
"""


def test_from_features_to_a_file_and_back(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, out = tmp_path / "own.toml", tmp_path / "out"
    own.write_text(RECIPE)
    assert run.main(["--features", str(folder), "--recipe", str(own), "--out", str(out)]) == 0
    # query 1: 1, 4 / 2, 0 of 4, 1, 0 halved: 1, 0.5, 0; query 2: 0, 1, 4 and 1, 4, 9 halved: 0, 1, 4
    assert (out / "ranking.arrows").read_text() == "q1<c<b\nq2<a<b\n"
    assert json.loads((out / "run.json").read_text())["submission"] == "ranking.arrows"
    capsys.readouterr()
    lists = ["--query-names", str(listed(tmp_path / "q.txt", QUERIES))]
    lists += ["--gallery-names", str(listed(tmp_path / "g.txt", GALLERY))]
    for options in ([], ["--format", "arrows"]):
        assert validate.main([str(out / "ranking.arrows"), *lists, "--top-k", "2", *options]) == 0
        assert capsys.readouterr().out.startswith("ok: 2 lists x 2 images")
    old = tmp_path / "old"
    old.mkdir()
    (old / "team.arrows").write_bytes((out / "ranking.arrows").read_bytes())
    again = ["--rankings", str(old), *lists, "--out", str(tmp_path / "again"), "--set", "submission=arrows"]
    assert run.main([*again, "--set", "top_k=2"]) == 0
    assert (tmp_path / "again" / "ranking.arrows").read_text() == "q1<c<b\nq2<a<b\n"


def test_a_reader_is_looked_for_in_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "three.bars").write_text("z|1\n")
    (problem,) = problems(io.scan, folder)
    assert "three.bars: wanted query_ or gallery_ before its name, found 1 vectors that could be either" in problem
    (folder / "three.bars").unlink()
    found = io.scan(folder)
    assert list(found.models) == ["one", "two"]
    assert io.read(found)[1].gallery.tolist() == [[2], [3], [4]]
    assert inspect.main([str(folder / "query_one.bars")]) == 0
    assert "query_one.bars: table of bars" in capsys.readouterr().out
    (folder / "query_two.bars").write_text("q1|x\n")
    problem = problems(io.read, io.scan(folder), ["two"])[0]
    assert "query_two.bars: wanted a whole feature file, found one that is empty, cut off or damaged" in problem


def test_what_a_recipe_says_of_them_is_checked(folder: Path) -> None:
    def check(text: str) -> list[str]:
        import tomllib

        with pytest.raises(InputError) as error:
            plan.check(recipe.parse(tomllib.loads(text), "own"), io.scan(folder))
        return error.value.problems

    assert check(RECIPE.replace('"arrows"', '"arrow"')) == [
        "own, submission: wanted one of track2, visda, naic, landmarks, trec, csv, json, parquet, npz, sysu, "
        "arrows, found 'arrow'; did you mean 'arrows'?"
    ]
    assert check(RECIPE.replace("{ one = 1, two = 0.5 }", "[1, -1]")) == [
        "own, branch 1, join (lowest_but), weights: wanted 2 numbers of 0 or more, one for each part, got [1, -1]"
    ]
    (problem,) = check(
        RECIPE.replace('"lowest_but"', '"lowest"').replace(", weights = { one = 1, two = 0.5 }", "")
    )
    assert problem.startswith("own, branch 1, join: wanted one of concat, ")
    assert "lowest_but" in problem


def test_what_is_taken_or_wrong_is_refused() -> None:
    containers.add(TABLE, origin="other")  # the same again, by another way
    formats.add(ARROWS, origin="other")
    assert containers.all_readers().count(TABLE) == 1
    assert list(submissions.all_formats()).count("arrows") == 1
    for reader, wanted in [
        (Reader("pickle", load, (".mine",)), "wanted a name of its own, found a reader of that name"),
        (Reader("bars", load, (".b", ".bars")), "wanted suffixes of its own, found .bars, which exists already"),
        (Reader("mine", load, (".npy",)), "wanted suffixes of its own, found .npy, which exists already"),
        (Reader("mine", load, (".csv",)), "wanted suffixes of its own, found .csv, which exists already"),
        (Reader("mine", load, ("NPY",)), "wanted suffixes in small letters, as .mine, found NPY"),
        (Reader("mine", load), "wanted suffixes in small letters, as .mine, found none"),
    ]:
        assert refusal(containers.add, reader) == f"us, {reader.name}: {wanted}"
    for form, wanted in [
        (Format("csv", "x.csv", parse), "wanted a name of its own, found a submission format of that name"),
        (Format("sysu", "x.csv", parse), "wanted a name of its own, found a submission format of that name"),
        (Format("mine", "x.csv"), "wanted parse or write, found neither"),
    ]:
        assert refusal(formats.add, form) == f"us, {form.name}: {wanted}"


def refusal(add: Callable[..., None], value: object) -> str:
    with pytest.raises(ValueError) as error:  # noqa: PT011
        add(value, origin="us")
    return str(error.value)


def test_a_format_that_is_only_written_is_not_read(tmp_path: Path) -> None:
    formats.add(Format("blind", "x.blind", write=write, suffixes=(".blind",)), origin="us")
    assert "blind" in submissions.writable()
    (tmp_path / "x.blind").write_text("q1<a")
    assert submissions.guess(tmp_path / "x.blind") == "blind"
    (problem,) = problems(submissions.read, tmp_path / "x.blind")
    assert problem == "format: wanted one that can be read, found blind; choose csv or json"
    formats.add(Format("seen", "x.seen", parse, recognises=lambda head: head.start.startswith("q1")), origin="us")
    (tmp_path / "other").write_text("q1<a")
    assert submissions.guess(tmp_path / "other") == "seen"
    assert "seen" not in submissions.writable()
