"""An open-set gallery on the command line: identities as images come in, as a table."""

import csv
import json
from pathlib import Path

import numpy as np

from ensemble.build_gallery import main
from postproc import build_gallery
from tests.support.each import each
from tests.support.folders import problems

COMING = np.array([[1, 0], [0, 1], [0.8, 0.6], [0, -2], [0.6, 0.8], [0.28, -0.96]], np.float32)
NAMES = np.array([f"{letter}.jpg" for letter in "abcdef"])


def folder(path: Path, **more: np.ndarray) -> Path:
    path.mkdir(exist_ok=True)
    content = {"query": COMING[:2], "query_name": NAMES[:2], "gallery": COMING, "gallery_name": NAMES}
    np.savez(path / "net.npz", **content, **more)
    return path


def table(path: Path) -> list[list[str]]:
    with path.open() as stream:
        return list(csv.reader(stream))


def test_by_hand(tmp_path, capsys):
    path, out = folder(tmp_path / "a"), tmp_path / "made" / "identities.csv"
    assert main(["--features", str(path), "--out", str(out)]) == 0
    # image c is 0.8 from a, e 0.96 from c, f 0.96 from d; b and d are far from all before them
    assert table(out) == [["name", "pid"], *[[name, pid] for name, pid in zip(NAMES, "010303", strict=True)]]
    assert capsys.readouterr().out == "threshold 0.6: 3 identities, 1 of one image\n"


def test_thresholds_and_scores(tmp_path, capsys):
    truth = np.array([7, 8, 7, 9, 8, -1])
    path, out = folder(tmp_path / "a", gallery_pid=truth), tmp_path / "b.csv"
    assert main(["--features", str(path), "--out", str(out), "--threshold", "0.6", "0.9", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["images"] == 6
    first, second, last = found["thresholds"]
    # a, c, e together: 3 pairs, of which a with c is right; right pairs: a with c, b with e; f is nobody
    assert first == {"threshold": 0.6, "identities": 3, "alone": 1, "precision": 1 / 3, "recall": 1 / 2}
    assert (second["identities"], second["precision"], second["recall"]) == (4, 0, 0)  # c with e alone
    assert (last["identities"], last["precision"]) == (6, None)
    assert table(out)[0] == ["name", "pid_0.6", "pid_0.9", "pid_1"]
    assert [line[2] for line in table(out)[1:]] == ["0", "1", "2", "3", "2", "3"]


def test_the_order_and_the_sides(tmp_path):
    path, out = folder(tmp_path / "a", gallery_frame=np.array([5, 4, 3, 2, 1, 0])), tmp_path / "b.csv"
    assert main(["--features", str(path), "--by", "frame", "--out", str(out)]) == 0
    lines = table(out)[1:]
    assert [name for name, _ in lines] == NAMES[::-1].tolist()
    assert [int(pid) for _, pid in lines] == build_gallery(COMING[::-1]).tolist()
    assert main(["--features", str(path), "--of", "gallery", "query", "--out", str(out)]) == 0
    assert table(out)[0] == ["side", "name", "pid"]
    assert table(out)[7:] == [["query", "a.jpg", "0"], ["query", "b.jpg", "1"]]


def test_of_several_models_the_mean_of_their_cosines(tmp_path):
    path, out = folder(tmp_path / "a"), tmp_path / "b.csv"
    other = np.eye(6, dtype=np.float32) * 1000  # all at right angles, whatever their length
    np.savez(path / "apart.npz", query=other[:2], query_name=NAMES[:2], gallery=other, gallery_name=NAMES)
    assert main(["--features", str(path), "--out", str(out), "--threshold", "0.45"]) == 0
    assert [pid for _, pid in table(out)[1:]] == list("012323")  # 0.8 became 0.4, 0.96 became 0.48


def test_one_set(tmp_path):
    np.save(tmp_path / "gallery_net.npy", COMING)
    out = tmp_path / "b.csv"
    assert main(["--features", str(tmp_path), "--out", str(out)]) == 0
    assert [pid for _, pid in table(out)[1:]] == list("010303")
    message = problems(main, ["--features", str(tmp_path), "--of", "gallery", "query"])
    assert message == ["--of: wanted gallery for one set of images, found query too; each image counts once"]


@each(
    ("options", "message"),
    [
        (["--threshold", "0.5", "2"], "--threshold: wanted -1 to 1, found 2"),
        (["--of", "train"], "--of: wanted images of train, found none"),
        (["--by", "frame"], "--by: wanted the column frame of gallery, found none"),
    ],
)
def test_refusals(options, message, tmp_path):
    assert problems(main, ["--features", str(folder(tmp_path / "a")), *options]) == [message]
