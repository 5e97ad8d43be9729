"""Answers to "who is it?" as files: written, read back, looked through; rows as a sample has them."""

from pathlib import Path

import numpy as np
import pytest

from ensemble import submissions, validate
from ensemble.base.errors import InputError
from ensemble.submissions import identities
from ensemble.submissions.identities import FORMS, Form
from tests.support import folders
from tests.support.each import each

NAMES = ["b.jpg", "a, 1.jpg"]
TOLD = [["w_7", "new_individual"], ["new_individual", "w_8"]]


@each(
    ("form", "text"),
    [
        ("happywhale", 'image,predictions\nb.jpg,w_7 new_individual\n"a, 1.jpg",new_individual w_8\n'),
        ("animalclef", 'image_id,identity\nb.jpg,w_7\n"a, 1.jpg",new_individual\n'),
        ("hotel", 'image,hotels\nb.jpg,w_7 new_individual\n"a, 1.jpg",new_individual w_8\n'),
    ],
)
def test_known_forms_are_written_and_read_back(tmp_path: Path, form: str, text: str) -> None:
    used = FORMS[form]
    path = tmp_path / "any.csv"
    told = [row[: used.places] for row in TOLD]
    identities.write(path, used, NAMES, told)
    assert path.read_bytes() == text.encode()
    assert submissions.guess(path) == form
    read = submissions.read(path)
    assert read.query_names == NAMES
    assert [[read.gallery_names[row] for row in line] for line in read.lines()] == told


def test_how_sure_an_identity_is_stands_behind_it(tmp_path: Path) -> None:
    path, used = tmp_path / "submission.csv", FORMS["recognition"]
    identities.write(path, used, [*NAMES, "c"], [["7"], [], ["8"]], np.array([0.25, np.inf, 1.5]))
    assert path.read_text() == 'id,landmarks\nb.jpg,7 0.750000\n"a, 1.jpg",\nc,8 -0.500000\n'
    assert submissions.guess(path) == "recognition"
    read = submissions.read(path)
    assert [[read.gallery_names[row] for row in line] for line in read.lines()] == [["7"], [], ["8"]]
    assert "wanted identities without ' '" in used.refuse(["Big Ben"])[0]


def test_a_form_of_ones_own(tmp_path: Path) -> None:
    mine = Form("table", ("Foto", "Tier"), 2, word="neu", between="|", comma="\t")
    path = tmp_path / "own.tsv"
    identities.write(path, mine, NAMES, [["Ida", "neu"], ["neu", 'Max "M"\tx']])
    assert path.read_text() == 'Foto\tTier\nb.jpg\tIda|neu\n"a, 1.jpg"\t"neu|Max ""M""\tx"\n'
    read, problems = identities.parse(path, mine)
    assert problems == []
    assert [[read.gallery_names[row] for row in line] for line in read.lines()] == [
        ["Ida", "neu"],
        ["neu", 'Max "M"\tx'],
    ]


@each(
    ("form", "people", "wanted"),
    [
        (FORMS["happywhale"], ["a", "b"], []),
        (
            FORMS["happywhale"],
            ["Big Ben", "b"],
            ["wanted identities without ' ', which separates them, found Big Ben"],
        ),
        (FORMS["animalclef"], ["Big Ben", "b"], []),  # one identity a query: nothing separates
        (FORMS["animalclef"], ["new_individual"], ["wanted a word for the unknown that is no identity"]),
        (Form("table", ("a", "b"), between="|"), ["a|b"], ["wanted identities without '|'"]),
    ],
)
def test_identities_that_a_form_cannot_hold(form: Form, people: list[str], wanted: list[str]) -> None:
    found = form.refuse(people)
    assert len(found) == len(wanted)
    assert all(text in problem for text, problem in zip(wanted, found, strict=True))


def validated(tmp_path: Path, text: str, capsys: pytest.CaptureFixture) -> tuple[int, str]:
    path = tmp_path / "submission.csv"
    path.write_text(text)
    queries = folders.listed(tmp_path / "queries.txt", ["a.jpg", "b.jpg"])
    gallery = folders.listed(tmp_path / "identities.txt", ["w_7", "w_8"])
    status = validate.main([str(path), "--query-names", str(queries), "--gallery-names", str(gallery)])
    return status, capsys.readouterr().out


@each(
    ("text", "status", "said"),
    [
        ("image_id,identity\na.jpg,w_7\nb.jpg,new_individual\n", 0, "ok: 2 lists x 1 images"),
        ("image_id,identity\na.jpg,w_7\n", 1, "b.jpg"),
        ("image_id,identity\na.jpg,w_9\nb.jpg,w_7\n", 1, "w_9"),
        ("image_id,identity\na.jpg,w_7\nb.jpg,w_7\na.jpg,w_8\n", 1, "wanted every query once, found again a.jpg"),
        ("image_id,identity\na.jpg,\nb.jpg,w_7\n", 1, "found an empty cell in row 2"),
        ("image_id,identity\na.jpg,w_7,1\nb.jpg,w_7\n", 1, "wanted two values a row"),
        ("image,predictions\na.jpg,w_7 w_8 new_individual\nb.jpg,w_8 w_7 new_individual\n", 0, "ok: 2 lists x 3"),
        ("image,predictions\na.jpg,w_7 w_8\nb.jpg,w_8 w_7 new_individual\n", 1, "wanted 3 images for every query"),
        (
            "image,predictions\na.jpg,w_7 w_7 w_8\nb.jpg,w_8 w_7 new_individual\n",
            1,
            "wanted every image once in a list",
        ),
        (
            "image,hotels\na.jpg,w_7 new_individual\nb.jpg,w_8 w_7\n",
            1,
            "new_individual",
        ),  # hotels have no new ones
    ],
)
def test_validate(tmp_path: Path, capsys: pytest.CaptureFixture, text: str, status: int, said: str) -> None:
    found, printed = validated(tmp_path, text, capsys)
    assert said in printed
    assert found == status


def test_rows_of_a_sample(tmp_path: Path) -> None:
    path = folders.listed(tmp_path / "sample.csv", ["image,predictions", "b,x y", "a,x"])
    sample = identities.read_sample(path)
    assert sample.form == FORMS["happywhale"]
    notes: list[str] = []
    assert sample.order(["a", "b"], notes).tolist() == [1, 0]
    assert notes == []
    assert sample.order(["img/a.jpg", "img/b.jpg"], notes).tolist() == [1, 0]
    assert "differ from those of the queries by" in notes[0]
    own = folders.listed(tmp_path / "own.csv", ["Foto;Tier", "b;x", "a;x"])
    assert identities.read_sample(own).form.columns == ("Foto", "Tier")


def test_all_that_is_wrong_with_a_sample_in_one_error(tmp_path: Path) -> None:
    path = folders.listed(tmp_path / "sample.csv", ["image,predictions", "b,x", "a,x", "b,x", "z,x"])
    found = folders.problems(identities.read_sample(path).order, ["a", "b", "c"], [])
    assert len(found) == 3
    assert "wanted every query once, found again b" in found[0]
    assert "found 1 of other images (z)" in found[1]
    assert "found none for 1 (c)" in found[2]


@each(
    ("lines", "message"),
    [
        (["image,predictions,more", "a,b,c"], "wanted the columns two"),
        (["image", "a"], "wanted the columns two"),
        (["image,predictions", ",x"], "wanted a name in every row"),
        (["image,predictions"], "found only the first line"),
    ],
)
def test_what_is_no_sample(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        identities.read_sample(folders.listed(tmp_path / "sample.csv", lines))
    path = folders.listed(tmp_path / "other.csv", ["image,predictions", "a,x"])
    with pytest.raises(InputError, match="wanted the columns image_id and identity, found image, predictions"):
        identities.read_sample(path, ["image_id", "identity"])


@each(
    "text",
    ["", "image,predictions", 'image,predictions\n"a', "\x00", "image,predictions\n\x00,\x00\n", "a,b\nc,d"],
)
def test_hostile_files_end_in_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    read, problems = identities.parse(path, FORMS["happywhale"])
    assert problems or not len(read) or np.all(read.counts >= 0)
