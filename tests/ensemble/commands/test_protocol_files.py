"""Protocols on the command line: columns of the tables, a user's own rules in a recipe and in a file."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from ensemble import compare, evaluate, rank, run
from ensemble.base.errors import InputError
from tests.support import folders

RECIPE = """protocol = {{ base = "ltcc", {} }}
[[branch]]
steps = [{{ use = "distances" }}]
"""
GALLERY = [(4, 2, 1), (5, 2, 1), (4, 2, 2), (4, 3, 1)]  # person, camera, clothes; nearest first


@pytest.fixture
def wardrobe(tmp_path: Path) -> Path:
    """Query 7 in red. The gallery, nearest first: 7 in red, 8, 7 in blue, 7 in red; all of other cameras."""
    (tmp_path / "in").mkdir()
    folders.pair(
        tmp_path / "in",
        "m",
        folders.keyed(["q.jpg"], np.float32([[1, 0]])),
        folders.keyed(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], np.float32([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3]])),
    )
    folders.listed(tmp_path / "in" / "query.csv", ["name,pid,cam,cloth_id,weather", "q.jpg,Dan,1,red,dry"])
    rows = ["a.jpg,Dan,2,red,wet", "b.jpg,Eve,2,red,wet", "c.jpg,Dan,2,blue,dry", "d.jpg,Dan,3,red,dry"]
    folders.listed(tmp_path / "in" / "gallery.csv", ["name,pid,cam,cloth_id,weather", *rows])
    return tmp_path / "in"


def scored(folder: Path, capsys: pytest.CaptureFixture, *options: str) -> tuple[dict, str]:
    assert evaluate.main(["--features", str(folder), "--json", *options]) == 0
    told = capsys.readouterr()
    return json.loads(told.out), told.err


def test_a_rule_looks_at_a_column_of_the_tables(wardrobe: Path, capsys: pytest.CaptureFixture) -> None:
    plain, told = scored(wardrobe, capsys)
    assert plain["mAP"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert "columns that are not used: weather\n" in told
    found, told = scored(wardrobe, capsys, "--protocol", "ltcc")
    assert found["mAP"] == 1 / 2  # Eve, then Dan in blue
    assert "columns that are not used: weather\n" in told
    assert "same identity and clothes" in found["protocol"]["description"]


def test_clothes_beside_features_and_in_names(
    wardrobe: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """The same score wherever clothes stand; where nobody looks at them, that is said."""
    names = {
        "query": ["004_1_c1_000001.png"],
        "gallery": [f"00{who}_{worn}_c{cam}_00000{at}.png" for at, (who, cam, worn) in enumerate(GALLERY)],
    }
    rows = np.float32([[1, 0]]), np.float32([[1, 0], [1, 0.1], [1, 0.2], [1, 0.3]])
    labels = {"query_pid": [4], "query_cam": [1], "query_clothes": [1]}
    labels |= {
        f"gallery_{name}": of
        for name, of in zip(("pid", "cam", "clothes"), zip(*GALLERY, strict=True), strict=True)
    }
    for place, content in {
        "keys": labels, "names": {f"{side}_name": of for side, of in names.items()},
    }.items():  # fmt: skip
        (tmp_path / place).mkdir()
        np.savez(tmp_path / place / "m.npz", query=rows[0], gallery=rows[1], **content)
    how = {"keys": (), "names": ("--names", "ltcc")}
    found = {place: scored(tmp_path / place, capsys, "--protocol", "ltcc", *given) for place, given in how.items()}
    assert [one[0]["mAP"] for one in found.values()] == [1 / 2, 1 / 2]
    assert rank(rows, **labels, protocol="ltcc").scores.mAP == 1 / 2
    assert not any("does not look at clothes" in told for _, told in found.values())
    plain, _ = scored(tmp_path / "keys", capsys, "--junk", "bot")
    assert plain["mAP"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert any("does not look at clothes" in note for note in plain["notes"])
    same, _ = scored(wardrobe, capsys, "--protocol", "ltcc_same")
    assert not any("does not look at clothes" in note for note in same["notes"])


def test_a_protocol_of_a_file(wardrobe: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text('junk = [{ same = ["pid"], other = ["weather"] }, { gallery = { clothes = "blue" } }]\n')
    found, _ = scored(wardrobe, capsys, "--protocol", str(mine))
    assert found["mAP"] == 1 / 2  # a.jpg was in the wet, c.jpg is blue: Eve, then d.jpg
    assert found["protocol"]["junk"] == [
        {"same": ["pid"], "other": ["weather"]},
        {"gallery": {"clothes": ["blue"]}},
    ]
    mine.write_text('[protocol]\nbase = "ltc"\n')
    with pytest.raises(InputError, match=r"mine\.toml, base: wanted one of .*, found 'ltc'; did you mean 'ltcc'"):
        scored(wardrobe, capsys, "--protocol", str(mine))
    with pytest.raises(
        InputError, match=r"--protocol: wanted a .toml file or one of .*, found 'lttc'; did you mean 'ltcc'"
    ):
        scored(wardrobe, capsys, "--protocol", "lttc")


def test_a_protocol_of_a_recipe(wardrobe: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    """It scores, stands in the resolved recipe and in the record, and both say the same again."""
    mine, out = tmp_path / "mine.toml", tmp_path / "out"
    mine.write_text(RECIPE.format('average = "identities"'))
    assert run.main(["--features", str(wardrobe), "--recipe", str(mine), "--out", str(out)]) == 0
    assert "mAP 0.5000" in capsys.readouterr().out
    record = json.loads((out / "run.json").read_text())
    assert record["recipe"]["protocol"] == {"base": "ltcc", "average": "identities"}
    assert record["scores"]["protocol"]["average"] == "identities"
    assert tomllib.loads((out / "recipe.toml").read_text())["protocol"] == record["recipe"]["protocol"]
    again = ["--recipe", str(out / "recipe.toml"), "--out", str(tmp_path / "again")]
    assert run.main(["--features", str(wardrobe), *again]) == 0
    assert (tmp_path / "again" / "queries.csv").read_bytes() == (out / "queries.csv").read_bytes()
    assert compare.main([str(out), str(tmp_path / "again"), "--json"]) == 0
    mine.write_text(RECIPE.format('avrage = "identities"'))
    with pytest.raises(InputError, match=r"mine, protocol: wanted any of .*'avrage'; did you mean 'average'"):
        scored(wardrobe, capsys, "--recipe", str(mine))


def test_a_column_that_lacks_is_said_before_the_run(wardrobe: Path, capsys: pytest.CaptureFixture) -> None:
    (wardrobe / "query.csv").write_text("name,pid,cam,clohtes\nq.jpg,Dan,1,red\n")
    wanted = (
        "wanted the column clothes in query.csv, as the protocol removes 'same identity and clothes', found none"
    )
    with pytest.raises(InputError, match=f"{wanted}; did you mean 'clohtes'"):
        scored(wardrobe, capsys, "--protocol", "ltcc")
    with pytest.raises(InputError, match=wanted):
        run.main(["--features", str(wardrobe), "--protocol", "ltcc", "--dry-run"])


def test_records_of_before_are_compared(wardrobe: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    """A record that does not name the average was of queries."""
    paths = [tmp_path / name for name in ("one", "two", "three")]
    for path, more in zip(paths, ((), (), ("--average", "identities")), strict=True):
        assert run.main(["--features", str(wardrobe), "--recipe", "baseline", "--out", str(path), *more]) == 0
    record = json.loads((paths[0] / "run.json").read_text())
    del record["scores"]["protocol"]["average"]
    (paths[0] / "run.json").write_text(json.dumps(record))
    assert compare.main([*map(str, paths[:2])]) == 0
    with pytest.raises(InputError, match=r"\(average queries\), found average identities"):
        compare.main([str(paths[0]), str(paths[2])])
