"""Labels of text, and of several columns or groups, through whole commands."""

from pathlib import Path

import numpy as np
import pytest

from ensemble import convert, evaluate, io, run
from ensemble.base.errors import InputError
from ensemble.names import __main__ as names_command
from ensemble.parsers import columns, custom
from ensemble.report import __main__ as report
from ensemble.report import history
from ensemble.report.submission import matched
from tests.support.each import each
from tests.support.folders import arrays, listed

WHO = [("lion", "Dan"), ("lion", "Eve"), ("tiger", "Dan"), ("tiger", "")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four animals of two species, one of them without a name, in cameras called a and b."""
    random = np.random.default_rng(0)
    path = tmp_path / "features"
    path.mkdir()
    animal = np.arange(16) % 4
    arrays(path, "m", *((np.eye(4)[animal[:n]] + 0.1 * random.random((n, 4))).astype(np.float32) for n in (4, 16)))
    for side, count, cam in (("query", 4, "a"), ("gallery", 16, "b")):
        lines = [f"{side[0]}{at}.jpg,{WHO[at % 4][0]},{WHO[at % 4][1]},cam_{cam},{at}" for at in range(count)]
        listed(path / f"{side}.csv", ["path,species,animal,camera,frame", *lines])
    return path


KEY = ["--key", "pid=species,animal"]


def test_an_identity_of_several_columns(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(InputError, match="no labels"):
        evaluate.main(["--features", str(folder)])
    assert evaluate.main(["--features", str(folder), *KEY]) == 0
    printed = capsys.readouterr().out
    assert "mAP 1.0000" in printed
    assert "1 queries of unknown identity (pid -1) are not scored: q3.jpg" in printed
    assert "not used" not in printed
    assert convert.main(["--features", str(folder), *KEY, "--out", str(tmp_path / "own")]) == 0
    assert io.read_folder(tmp_path / "own")[0].query_table["pid"].tolist() == [
        "lion+Dan",
        "lion+Eve",
        "tiger+Dan",
        "",
    ]


@each(
    ("key", "wanted"),
    [
        ("pid=species,nam", "wanted the columns species, nam for pid, as --key says, found no nam"),
        (
            "name=species",
            "--key: wanted one of pid, cam, cam_predicted, track, scene, clothes before the =, found 'name'",
        ),
        ("pid=", "--key: wanted pid=COLUMN,COLUMN, found 'pid='"),
    ],
)
def test_a_key_that_is_none(folder: Path, key: str, wanted: str) -> None:
    with pytest.raises(InputError) as caught:
        evaluate.main(["--features", str(folder), "--key", key])
    assert wanted in "\n".join(caught.value.problems)


def test_reports_show_what_the_user_has_written(folder: Path, tmp_path: Path) -> None:
    out, tables = tmp_path / "out", tmp_path / "tables"
    options = ["--features", str(folder), *KEY, "--recipe", "baseline", "--out", str(out), "--report"]
    assert run.main(options) == 0
    kept = history.read(out / history.FILE)
    for one in (kept, *matched([kept, kept])):
        assert one.queries["pid"].tolist() == ["lion+Dan", "lion+Eve", "tiger+Dan", ""]
        assert one.images["cam"].tolist() == ["cam_b"] * 16
        assert one.images["frame"].dtype == np.int64
        assert one.final.curves["cameras"].tolist() == ["cam_a", "cam_b"]
    assert report.main([str(out), "--export", str(tables)]) == 0
    files = [out / "report.html", *tables.iterdir()]
    text = "".join(path.read_text("utf-8") for path in files)
    assert "tiger+Dan" in text
    assert "100000" not in text


def test_a_branch_is_about_images_of_a_label(folder: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    text = """
    [[branch]]
    only = { track = %s }
    steps = [{ use = "distances" }]
    [[branch]]
    steps = [{ use = "distances" }]
    [join]
    use = "weighted_sum"
    missing = "mean"
    """
    out, keys = tmp_path / "out", ["--key", "track=species"]
    for labels in ('"lion"', '["lion", 7]'):
        recipe.write_text(text % labels)
        assert run.main(["--features", str(folder), *keys, "--recipe", str(recipe), "--out", str(out)]) == 0
        assert "lion" in (out / "recipe.toml").read_text()
    recipe.write_text(text % '"zebra"')
    with pytest.raises(InputError, match=r"where track \['zebra'\], found none"):
        run.main(["--features", str(folder), *keys, "--recipe", str(recipe), "--out", str(out)])
    recipe.write_text((text % '"x"').replace("track", "frame"))
    with pytest.raises(InputError, match="only frame: wanted whole numbers, found 'x'"):
        run.main(["--features", str(folder), *keys, "--recipe", str(recipe), "--out", str(out)])


# Names


def test_text_and_several_groups_in_names() -> None:
    names = ["lion_Dan_c1_3.jpg", "lion_Eve_c2_4.jpg", "tiger_Dan_cX_5.jpg"]
    found = columns(names, custom(r"(?P<pid1>[a-z]+)_(?P<pid_2>\w+)_c(?P<cam>\w)_(?P<frame>\d+)"))
    assert {name: values.tolist() for name, values in found.items()} == {
        "pid": ["lion+Dan", "lion+Eve", "tiger+Dan"],
        "cam": ["1", "2", "X"],
        "frame": [3, 4, 5],
    }
    found = columns(["1_2", "12_", "1_a"], custom("(?P<pid1>[0-9]+)_(?P<pid2>.*)"))
    assert len(set(found["pid"].tolist()) - {""}) == 2  # of the second nothing is known
    assert columns(["007_x", "7_x"], custom("(?P<pid>[0-9]+)_"))["pid"].tolist() == [7, 7]


def test_the_command_writes_text(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    images = listed(tmp_path / "query.txt", ["Ann-west-1.jpg", "Ann-east-2.jpg", "Bob-west-3.jpg"])
    pattern = "(?P<pid>[A-Za-z]+)-(?P<cam>[a-z]+)"
    assert names_command.main([str(images), "--pattern", pattern, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "2 cameras, images of each east: 1, west: 2" in printed
    assert "1 of 2 identities are seen by one camera only: Bob" in printed
    assert (tmp_path / "query.csv").read_text().splitlines()[1] == "Ann-west-1.jpg,Ann,west"
