"""IDF1 and HOTA through their packages: small worlds by hand, and real sequences with known scores."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.boxes import reading, scores
from ensemble.boxes.value import Boxes, ordered
from tests.support.each import each

motmetrics = pytest.importorskip("motmetrics", reason="the extra tracking is not installed")
pytest.importorskip("trackeval", reason="the extra tracking is not installed")


def boxes(*rows):
    """cam, identity, frame, x: boxes of 10 x 10."""
    table = np.array(rows, np.int64).reshape(-1, 4)
    box = np.column_stack([table[:, 3], 0 * table[:, 3], *[10 + 0 * table[:, 3]] * 2]).astype(float)
    return ordered(
        Boxes(table[:, 0], table[:, 1], table[:, 2], box, np.ones(len(table)), np.full((len(table), 2), 0.0))
    )


TRUTH = boxes((1, 7, 1, 0), (1, 7, 2, 0), (2, 7, 1, 50), (2, 7, 2, 50))


def test_all_right():
    found = scores.score(TRUTH, TRUTH)
    assert (found.idf1, found.idp, found.idr, found.hota, found.deta, found.assa) == (1, 1, 1, 1, 1, 1)
    assert (found.idtp, found.idfp, found.idfn) == (4, 0, 0)


def test_identities_hold_over_cameras():
    """One vehicle in two cameras, called 1 in one and 2 in the other: half of its boxes go with either.

    2 of 4 boxes are right: IDF1 = 2 * 2 / (4 + 4). Each found identity has 2 boxes, all of them of a truth of 4:
    the association of every box is 2 / (4 + 2 - 2) = 1/2, the detection 1, and HOTA the root of 1/2.
    """
    found = scores.score(TRUTH, boxes((1, 1, 1, 0), (1, 1, 2, 0), (2, 2, 1, 50), (2, 2, 2, 50)))
    assert found.idf1 == 0.5
    assert (found.idtp, found.idfp, found.idfn) == (2, 2, 2)
    assert found.assa == pytest.approx(0.5)
    assert found.deta == 1
    assert found.hota == pytest.approx(0.5**0.5)


def test_a_frame_of_another_camera_is_another_frame():
    """The same box, frame and identity, but in camera 3: nothing is right."""
    found = scores.score(TRUTH, boxes((3, 7, 1, 0), (3, 7, 2, 0)))
    assert (found.idf1, found.idtp, found.idfp, found.idfn) == (0, 0, 2, 4)


def test_boxes_that_overlap_by_half_are_the_same():
    """10 wide, moved by 3: 7 of 13 shared, above a half; by 4: 6 of 14, below."""
    assert scores.score(boxes((1, 1, 1, 0)), boxes((1, 1, 1, 3))).idf1 == 1
    assert scores.score(boxes((1, 1, 1, 0)), boxes((1, 1, 1, 4))).idf1 == 0


def test_nothing_found():
    found = scores.score(TRUTH, boxes())
    assert (found.idf1, found.idp, found.idr, found.hota, found.idfn) == (0, 0, 0, 0, 4)


def test_no_truth():
    with pytest.raises(InputError, match="wanted boxes, found none"):
        scores.score(boxes(), TRUTH)


def test_missing_packages_are_named_with_a_command(monkeypatch):
    monkeypatch.setattr(scores, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        scores.score(TRUTH, TRUTH)
    assert [problem.split()[4].rstrip(",") for problem in error.value.problems] == ["motmetrics", "trackeval"]
    assert "install" in error.value.problems[0]


@each(
    ("name", "wanted"),
    [
        ("TUD-Campus", (0.558, 0.730, 0.451, 0.391397)),  # the first three as the README of motmetrics has them
        ("TUD-Stadtmitte", (0.645, 0.820, 0.531, 0.397849)),
    ],
)
def test_real_sequences(tmp_path, name, wanted):
    """Sequences of motmetrics: IDF1, IDP, IDR as its authors publish them, HOTA as trackeval has it."""
    data = Path(motmetrics.__file__).parent / "data" / name
    for kind in ("gt", "test"):
        (tmp_path / kind / "c001").mkdir(parents=True)
        shutil.copy(data / f"{kind}.txt", tmp_path / kind / "c001")
    truth = reading.read([tmp_path / "gt"], ignored=True)
    found = scores.score(truth, reading.read([tmp_path / "test"]))
    assert (found.idf1, found.idp, found.idr) == pytest.approx(wanted[:3], abs=5e-4)
    assert found.hota == pytest.approx(wanted[3], abs=1e-6)


def test_a_sequence_seen_by_two_cameras_scores_the_same(tmp_path):
    """Two cameras that see the same with the same identities: every count doubles, no share moves."""
    data = Path(motmetrics.__file__).parent / "data" / "TUD-Campus"
    found = {}
    for cameras in ((1,), (1, 2)):
        for kind in ("gt", "test"):
            for camera in cameras:
                (tmp_path / f"{len(cameras)}{kind}" / f"c{camera}").mkdir(parents=True)
                shutil.copy(data / f"{kind}.txt", tmp_path / f"{len(cameras)}{kind}" / f"c{camera}")
        truth, seen = (reading.read([tmp_path / f"{len(cameras)}{kind}"]) for kind in ("gt", "test"))
        found[len(cameras)] = scores.score(truth, seen)
    assert found[2].idf1 == pytest.approx(found[1].idf1)
    assert found[2].hota == pytest.approx(found[1].hota)
    assert found[2].idtp == 2 * found[1].idtp
