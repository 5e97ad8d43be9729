"""Clusters as a table: titles, names of clusters, the order of a sample."""

import pytest

from ensemble.base.errors import InputError
from ensemble.submissions import clusters
from ensemble.submissions.clusters import Form, form
from tests.support.each import each

NAMES = ["a.png", "b.png", "c.png"]


def sample(tmp_path, text):
    path = tmp_path / "sample.csv"
    path.write_text(text)
    return path


def problems(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return caught.value.problems


def test_written_as_animalclef_has_it(tmp_path):
    used = form(None, None, sets=True)
    path = tmp_path / "out.csv"
    clusters.write(path, used, NAMES, [used.called(0, "lynx"), used.called(1, "lynx"), used.called(0, "turtle")])
    assert path.read_text().splitlines() == [
        "image_id,cluster", "a.png,cluster_lynx_0", "b.png,cluster_lynx_1", "c.png,cluster_turtle_0",
    ]  # fmt: skip


def test_words_of_ones_own():
    assert form("id,who", "x{n}", sets=False) == Form(("id", "who"), "x{n}")
    assert form(None, None, sets=False).called(7) == "cluster_7"


@each(
    ("columns", "value", "sets", "message"),
    [
        ("id", None, False, "--columns: wanted IMAGE,CLUSTER"),
        ("id,id", None, False, "--columns: wanted IMAGE,CLUSTER"),
        (None, "cluster", False, "--value: wanted {n} in it, found 'cluster'"),
        (None, "c{n}", True, "--value: wanted {n} and {dataset} in it"),
    ],
)
def test_bad_words(columns, value, sets, message):
    with pytest.raises(InputError, match=message.replace("{", r"\{")):
        form(columns, value, sets=sets)


def test_rows_in_the_order_of_a_sample(tmp_path):
    notes = []
    path = sample(tmp_path, "image_id,cluster\nc,x\na,x\nb,x\n")
    rows, titles = clusters.order(path, NAMES, None, notes)
    assert (rows.tolist(), titles) == ([2, 0, 1], ("image_id", "cluster"))
    assert len(notes) == 1
    assert "suffix" in notes[0]


@each(
    ("text", "columns", "wanted"),
    [
        ("image_id,cluster\na.png,x\nb.png,x\n", None, ["found none for 1 (c.png)"]),
        ("image_id,cluster\na.png,x\nb.png,x\nc.png,x\nd.png,x\n", None, ["found 1 of none (d.png)"]),
        (
            "image_id,cluster\na.png,x\nz.png,x\n",
            None,
            ["found 1 of none (z.png)", "found none for 2 (b.png, c.png)"],
        ),
        ("image_id,cluster\na.png,x\na.png,x\n", None, ["found again a.png"]),
        ("image_id\na.png\n", None, ["wanted two columns"]),
        ("image_id,cluster\na.png,x\n", "id,who", ["wanted the columns id,who, found image_id,cluster"]),
        ("", None, ["found an empty file"]),
    ],
)
def test_a_sample_of_other_images_is_refused(tmp_path, text, columns, wanted):
    found = problems(clusters.order, sample(tmp_path, text), NAMES, columns, [])
    assert len(found) == len(wanted)
    for one, part in zip(found, wanted, strict=True):
        assert part in one
