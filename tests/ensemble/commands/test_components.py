"""Features as points of three components: which images, which groups, and the numbers themselves."""

import csv

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("matplotlib")

from ensemble import components
from ensemble.base.features import FeatureSet
from ensemble.report.clouds import cloud
from tests.support.each import each
from tests.support.folders import problems


def folder(path, **more):
    """Four identities of 6, 5, 4 and 3 images along three axes, one image of nobody; cameras as text."""
    pid = np.repeat([7, 3, 9, 5, -1], [6, 5, 4, 3, 1])
    random = np.random.default_rng(0)
    rows = (np.eye(8)[pid % 5] * 9 + random.normal(size=(len(pid), 8))).astype(np.float32)
    cam = np.array([f"cam_{row % 2}" for row in range(len(pid))])
    path.mkdir(exist_ok=True)
    content = {"query": rows[:4], "query_pid": pid[:4], "gallery": rows, "gallery_pid": pid, "gallery_cam": cam}
    np.savez(path / "net.npz", **content, **more)
    return pid, rows


def read(path):
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_principal_components_by_identity(tmp_path, capsys):
    pid, rows = folder(tmp_path / "features")
    out = tmp_path / "plots"
    options = ["--features", str(tmp_path / "features"), "--out", str(out)]
    assert components.main([*options, "--groups", "3"]) == 0
    assert "net: 15 images by pid, 3 groups" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == [f"net_pca_pid.{kind}" for kind in ("csv", "png", "svg")]
    lines = read(out / "net_pca_pid.csv")
    assert [line["pid"] for line in lines] == [str(one) for one in pid if one in (7, 3, 9)]
    chosen = rows[np.isin(pid, [7, 3, 9])].astype(np.float64)
    centred = chosen - chosen.mean(axis=0)
    wanted = centred @ np.linalg.svd(centred, full_matrices=False)[2][:3].T
    found = np.array([[float(line[axis]) for axis in "xyz"] for line in lines])
    assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-6, atol=1e-9)  # the signs are scikit-learn's
    svg = (out / "net_pca_pid.svg").read_text()
    assert "component 1 (" in svg


def test_tsne_by_camera_and_centres(tmp_path):
    folder(tmp_path / "features")
    options = ["--features", str(tmp_path / "features"), "--method", "tsne", "--by", "cam", "--most", "12"]
    for out in ("one", "two"):
        assert components.main([*options, "--out", str(tmp_path / out)]) == 0
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()
    one = read(tmp_path / "one" / "net_tsne_cam.csv")
    assert len(one) == 12
    assert {line["cam"] for line in one} == {"cam_0", "cam_1"}


def test_centres():
    pid = np.repeat(np.arange(6), 2)
    rows = np.random.default_rng(1).normal(size=(12, 4)).astype(np.float32)
    table = pd.DataFrame({"name": [str(row) for row in range(12)], "pid": pid})
    found = cloud(FeatureSet("m", rows, rows, table, table), ["gallery"], "pid", centres=True)
    assert found.names == [f"pid {one}" for one in range(6)]
    means = rows.reshape(6, 2, 4).mean(axis=1)
    far = np.linalg.norm(found.points[:, None] - found.points, axis=2)
    wanted = np.linalg.norm(means[:, None] - means, axis=2)
    assert (far <= wanted + 1e-5).all()  # what three of four components leave of it
    assert far.sum() > 0.8 * wanted.sum()


def test_labels_that_are_spelt_otherwise_on_both_sides() -> None:
    rows = np.random.default_rng(1).normal(size=(4, 4)).astype(np.float32)
    names = [str(row) for row in range(4)]
    query = pd.DataFrame({"name": names, "cam": ["007", "c2", "c2", "c2"]})
    gallery = pd.DataFrame({"name": names, "cam": [7, 8, 8, 8]})
    found = cloud(FeatureSet("m", rows, rows, query, gallery), ["query", "gallery"], "cam")
    assert found.groups == ["007", "c2", "c2", "c2", "007", "8", "8", "8"]


@each(
    ("more", "piece"),
    [
        (["--by", "track"], "net: wanted gallery images with track, found no track of the gallery images"),
        (["--sides", "train"], "net: wanted train images with pid, found no such images"),
        (["--sides", "query"], "wanted 5 images or more of 3 values or more whose pid is known, found 4 of 8"),
        (["--centres"], "wanted 5 centres or more"),
        (["--model", "other"], "--model: wanted one of net, found other"),
        (["--groups", "0"], "--groups: wanted 1 or more, found 0"),
    ],
)
def test_what_is_refused(more, piece, tmp_path):
    folder(tmp_path / "features")
    options = ["--features", str(tmp_path / "features"), "--out", str(tmp_path / "plots"), *more]
    assert piece in "\n".join(problems(components.main, options))
    assert not (tmp_path / "plots").exists()
