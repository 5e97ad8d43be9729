"""A reader, a join and a submission format of somebody else's: from a folder of features to a checked file."""

import csv
import json
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
    for module in (joins, containers, formats):
        monkeypatch.setattr(module, "_added", [])
    containers.add(TABLE)
    joins.add(lowest_but)
    formats.add(ARROWS)


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
        "own, submission: wanted one of track2, visda, naic, trec, csv, json, parquet, npz, sysu, arrows, "
        "found 'arrow'"
    ]
    assert check(RECIPE.replace("{ one = 1, two = 0.5 }", "[1, -1]")) == [
        "own, branch 1, join (lowest_but), weights: wanted 2 numbers of 0 or more, one for each part, got [1, -1]"
    ]
    (problem,) = check(
        RECIPE.replace('"lowest_but"', '"lowest"').replace(", weights = { one = 1, two = 0.5 }", "")
    )
    assert problem.startswith("own, branch 1, join: wanted one of concat, ")
    assert "lowest_but" in problem


def test_names_and_suffixes_that_exist_are_refused() -> None:
    containers.add(TABLE)  # the same again, by another way
    formats.add(ARROWS)
    assert containers.all_readers().count(TABLE) == 1
    assert list(submissions.all_formats()).count("arrows") == 1
    reader = [
        (Reader("pickle", load, (".mine",)), "pickle: wanted a name of its own"),
        (Reader("bars", load, (".bars",)), "bars: wanted suffixes of its own, found .bars, which exists already"),
        (Reader("mine", load, (".npy",)), "mine: wanted suffixes of its own, found .npy"),
        (Reader("mine", load, (".csv",)), "mine: wanted suffixes of its own, found .csv"),
        (Reader("mine", load, ("NPY",)), "mine: wanted suffixes in small letters, as .mine, found 'NPY'"),
        (Reader("mine", load), "mine: wanted a suffix of its files, found none"),
    ]
    for value, wanted in reader:
        (problem,) = problems(containers.add, value)
        assert problem.startswith(f"reader {wanted}"), problem
    form = [
        (Format("csv", "x.csv", parse), "csv: wanted a name of its own, found one that exists already"),
        (Format("sysu", "x.csv", parse), "sysu: wanted a name of its own"),
        (Format("mine", "x.csv"), "mine: wanted parse or write, found neither"),
    ]
    for value, wanted in form:
        (problem,) = problems(formats.add, value)
        assert problem.startswith(f"submission format {wanted}"), problem


def test_a_format_that_is_only_written_is_not_read(tmp_path: Path) -> None:
    formats.add(Format("blind", "x.blind", write=write, suffixes=(".blind",)))
    assert "blind" in submissions.writable()
    (tmp_path / "x.blind").write_text("q1<a")
    assert submissions.guess(tmp_path / "x.blind") == "blind"
    (problem,) = problems(submissions.read, tmp_path / "x.blind")
    assert problem == "format: wanted one that can be read, found blind; choose csv or json"
    formats.add(Format("seen", "x.seen", parse, recognises=lambda head: head.start.startswith("q1")))
    (tmp_path / "other").write_text("q1<a")
    assert submissions.guess(tmp_path / "other") == "seen"
    assert "seen" not in submissions.writable()
