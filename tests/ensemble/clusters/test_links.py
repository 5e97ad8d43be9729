"""links.csv: pairs with yes or no, and travel times."""

import pytest

from ensemble.base.errors import InputError
from ensemble.clusters.links import read_links, read_windows
from tests.support.each import each

NAMES = ["a.png", "b.png", "c, d.png", "e.png"]


def read(tmp_path, text, notes=None):
    path = tmp_path / "links.csv"
    path.write_text(text)
    return read_links(path, NAMES, [] if notes is None else notes)


def test_answers_with_titles_and_without(tmp_path):
    found = read(tmp_path, 'image,other,answer\na.png,b.png,yes\n"c, d.png",a.png,no\nb.png,e.png,NO\n')
    assert found.must.tolist() == [[0, 1]]
    assert found.cannot.tolist() == [[0, 2], [1, 3]]
    assert read(tmp_path, "a.png,b.png,yes\n").must.tolist() == [[0, 1]]
    assert read(tmp_path, "a.png,b.png,1\nb.png,e.png,0\n").cannot.tolist() == [[1, 3]]


@each("title", ["same", "Must", "cannot", "different"])
def test_titles_that_are_words_for_answers(tmp_path, title):
    """They name no image of the set; a line that does is an answer, in another spelling too."""
    found = read(tmp_path, f"image_a,image_b,{title}\na.png,b.png,yes\n")
    assert (found.must.tolist(), found.cannot.tolist()) == ([[0, 1]], [])
    assert read(tmp_path, f"a,b,{title}\na,e,no\n").cannot.tolist()[-1] == [0, 3]
    assert (
        len(read(tmp_path, f"a.png,b.png,{title}\na.png,e.png,no\n").cannot)
        + len(read(tmp_path, f"a.png,b.png,{title}\na.png,e.png,no\n").must)
        == 2
    )


def test_names_in_another_spelling(tmp_path):
    notes = []
    assert read(tmp_path, "a,b,yes\n", notes).must.tolist() == [[0, 1]]
    assert "joined without that" in notes[0]


def test_the_last_answer_counts(tmp_path):
    notes = []
    found = read(tmp_path, "a.png,b.png,yes\nb.png,a.png,no\n", notes)
    assert (found.must.tolist(), found.cannot.tolist()) == ([], [[0, 1]])
    assert "a.png and b.png have two answers" in notes[0]


@each(
    ("text", "wanted"),
    [
        ("image,other\na.png,b.png\n", "wanted three columns"),
        ("image,other,answer\na.png,b.png,maybe\n", "wanted yes or no in the third column, found maybe"),
        ("a.png,z.png,yes\n", "found 1 others (z.png)"),
        ("y.png,z.png,yes\na.png,b.png,no\n", "found 2 others (y.png, z.png)"),
        ("a.png,a.png,yes\n", "found one twice (a.png)"),
        ("a.png,b.png,yes\na.png,b.png\n", "wanted 3 values a line"),
        ("", "found an empty file"),
    ],
)
def test_what_is_no_answer_is_refused(tmp_path, text, wanted):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert wanted in "\n".join(caught.value.problems)


def test_travel_times(tmp_path):
    path = tmp_path / "windows.csv"
    path.write_text("from,to,least,most\nA,B,10,20.5\nB,A,0,9\n")
    assert read_windows(path, {"A": 5, "B": 7}) == [(5, 7, 10.0, 20.5), (7, 5, 0.0, 9.0)]
    path.write_text("from,to,least,most\nA,C,10,20\nA,B,x,20\nA,B,30,20\n")
    with pytest.raises(InputError) as caught:
        read_windows(path, {"A": 5, "B": 7})
    text = "\n".join(caught.value.problems)
    assert all(part in text for part in ("line 2, found C", "line 3, found x, 20", "line 4, found 30 and 20"))
