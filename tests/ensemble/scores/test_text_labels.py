"""Text is a label: only equality matters, and what is written back is what the user wrote."""

import csv
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ensemble import convert, io, run
from ensemble.base.labels import numbered, of_cells, of_values, same
from ensemble.scores import PROTOCOLS, score
from postproc import mask_same_camera
from tests.support.each import each
from tests.support.folders import names, pair, rows

WORDS: list[Callable[[np.ndarray], object]] = [
    lambda n: [f"id_{value:08d}" if value >= 0 else "" for value in n],
    lambda n: np.array([f"Dan {value}" if value >= 0 else None for value in n], object),
    lambda n: pd.Series([f"c{value}" if value >= 0 else None for value in n]).astype("category"),
    lambda n: pd.Series([int(value) if value >= 0 else None for value in n], dtype="Int64"),
    lambda n: np.where(n < 0, np.nan, n.astype(float)),
    lambda n: [str(10**18 * 9 + 10**20 + int(value)) if value >= 0 else "-1" for value in n],
    lambda n: np.array([2**63 + value for value in np.abs(n).tolist()], np.uint64),
]


@each("word", WORDS)
def test_scores_know_only_equality(word: Callable[[np.ndarray], object]) -> None:
    random = np.random.default_rng(3)
    far = random.random((6, 30), dtype=np.float32)
    pid, cam = (random.integers(0, high, 36) for high in (5, 3))
    if word is not WORDS[-1]:
        pid[:2] = pid[-4:] = -1
    for protocol in (PROTOCOLS["market1501"], PROTOCOLS["aicity"], PROTOCOLS["veri"]):
        wanted = score(far, pid[:6], pid[6:], cam[:6], cam[6:], protocol=protocol)
        found = score(far, word(pid[:6]), word(pid[6:]), word(cam[:6]), word(cam[6:]), protocol=protocol)
        assert_array_equal(found.ap, wanted.ap)
        assert_array_equal(found.unknown, wanted.unknown)


def test_numbers_and_text_by_hand() -> None:
    assert of_cells(["9223372036854775807"]).dtype == np.int64
    assert of_cells(["9223372036854775808"]).dtype == object
    found = numbered({"a": of_cells(["07", "x"]), "b": np.array([7, -1])})
    assert found["a"][0] == found["b"][0] != found["a"][1]
    assert found["b"][1] == -1
    assert same(np.array(["07", ""], object), np.array([7, -1])).all()
    assert of_cells(["-2", "x", "-1"]).tolist() == ["", "x", ""]  # below 0 is unknown, beside text too


def test_two_unicode_forms_of_a_name_are_one() -> None:
    composed, decomposed = (unicodedata.normalize(form, "Zo\u00eb") for form in ("NFC", "NFD"))
    assert composed != decomposed
    found = score(np.array([[0.1, 0.2, 0.3]], np.float32), [composed], ["Ann", decomposed, composed])
    assert found.mAP == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert of_values([True, False]) is None
    assert of_values(np.array([0.5])) is None


def test_steps_refuse_what_wraps() -> None:
    cams = np.array([2**63 + 5], np.uint64)
    with pytest.raises(
        ValueError, match="query_cam: wanted whole numbers up to 9223372036854775807, got 9223372036"
    ):
        mask_same_camera(np.zeros((1, 1), np.float32), cams, cams)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    vectors = dict(zip(names(4), rows(4), strict=True))
    pair(tmp_path, "a", vectors, vectors)
    for side, who in (("query", ["Ann", "Bob", "", "7"]), ("gallery", ["Bob", "Ann", "07", ""])):
        lines = [f"{name},{pid},cam_{at % 3}" for at, (name, pid) in enumerate(zip(names(4), who, strict=True))]
        (tmp_path / f"{side}.csv").write_text("\n".join(["name,pid,cam", *lines]))
    return tmp_path


def test_a_run_on_text(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "out"
    options = ["--recipe", "baseline", "--protocol", "veri", "--out", str(out), "--set", "submission=csv"]
    assert run.main(["--features", str(folder), *options]) == 0
    with (out / "queries.csv").open() as stream:
        assert [row["pid"] for row in csv.DictReader(stream)] == ["Ann", "Bob", "", "7"]
    assert "1 queries of unknown identity (pid -1) are not scored: 000003.jpg" in capsys.readouterr().out


def test_text_goes_through_our_own_format(folder: Path, tmp_path: Path) -> None:
    assert convert.main(["--features", str(folder), "--out", str(tmp_path / "own")]) == 0
    before, after = io.read_folder(folder)[0], io.read_folder(tmp_path / "own")[0]
    pd.testing.assert_frame_equal(before.query_table, after.query_table)
    for name, values in before.data().items():
        assert_array_equal(values, after.data()[name])
