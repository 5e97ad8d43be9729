"""Functions of Python and commands give the same, one on arrays, the other on the folder that holds them."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import ensemble
import postproc
from ensemble.cluster.__main__ import main as cluster
from ensemble.identify.__main__ import main as identify
from ensemble.thresholds import main as thresholds
from ensemble.tune.__main__ import main as tune
from postproc.testing import world


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """The same images in a folder and in memory."""
    given, place = world(nq=40, ng=120, people=12), tmp_path_factory.mktemp("features")
    for side in ("query", "gallery"):
        np.save(place / f"{side}.npy", given[side])
        columns = {column: given[f"{side}_{column}"] for column in ("pid", "cam")}
        names = [f"{side}{row:03}.jpg" for row in range(len(given[side]))]
        pd.DataFrame({"name": names, **columns}).to_csv(place / f"{side}.csv", index=False)
        given[f"{side}_name"] = names
    held = {
        name: given[name]
        for side in ("query", "gallery")
        for name in (side, f"{side}_name", f"{side}_pid", f"{side}_cam")
    }
    return str(place), held


def test_thresholds(both, capsys):
    place, held = both
    assert thresholds(["--features", place, "--fmr", "0.01", "0.1", "--folds", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["thresholds"]
    found = ensemble.thresholds(held, fmr=[0.01, 0.1], folds=2)
    assert found.distances == [row["threshold"] for row in told]
    assert list(found.to_frame()["wanted_fmr"]) == [0.01, 0.1]
    assert "wanted fmr" in repr(found)
    assert "<table>" in found._repr_html_()
    with pytest.raises(ensemble.InputError, match="fmr: wanted shares"):
        ensemble.thresholds(held, fmr=2)


def test_clusters(both, tmp_path, capsys):
    place, held = both
    assert cluster(["--features", place, "--resamples", "100", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    found = ensemble.cluster(held, resamples=100)
    written = pd.read_csv(tmp_path / "submission.csv")
    assert list(written["image_id"]) == found.names
    alone = found.clusters < 0
    assert_array_equal(pd.factorize(written["cluster"][~alone])[0], pd.factorize(found.clusters[~alone])[0])
    record = json.loads((tmp_path / "clusters.json").read_text())
    assert record["sets"][""]["threshold"] == found.thresholds[""]
    assert found.scores is not None
    assert record["sets"][""]["clusters"] == found.clusters.max() + 1 + alone.sum()
    assert "average linkage" in repr(found)
    assert "average linkage" in found._repr_html_()
    with pytest.raises(ensemble.InputError, match="threshold: wanted a number"):
        ensemble.cluster(held, threshold="near")


def test_identities(both, tmp_path, capsys):
    place, held = both
    options = ("--unknown", "share=0.2", "--resamples", "100")
    assert identify(["--features", place, *options, "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    found = ensemble.identify(held, unknown="share=0.2", resamples=100)
    found.to_submission(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_bytes() == (tmp_path / "submission.csv").read_bytes()
    assert found.scores.as_json() == json.loads((tmp_path / "identify.json").read_text())["scores"]
    assert len(found.to_frame()) == sum(map(len, found.identities))
    assert "top-1" in repr(found)
    assert "unknown beyond" in found._repr_html_()
    with pytest.raises(
        ensemble.InputError, match=r"rule: wanted nearest[\s\S]*folds: wanted 2|folds: wanted 2[\s\S]*rule"
    ):
        ensemble.identify(held, rule="nearst", folds=1)


def test_distances_are_no_features_and_numbers_no_text():
    features = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    far = postproc.distances(features)
    np.fill_diagonal(far, 0)
    with pytest.raises(
        ensemble.InputError, match=r"found a symmetric square with zeros .*; give them as rankings"
    ):
        ensemble.cluster(far, threshold=0.4)
    with pytest.raises(ensemble.InputError, match=r"^unknown: wanted text, found 0.5$"):
        ensemble.identify((features, features[::-1]), unknown=0.5, query_pid=range(9), gallery_pid=range(9))  # type: ignore[arg-type]


def test_tuning(both, tmp_path, capsys):
    pytest.importorskip("optuna")
    place, held = both
    options = ("--recipe", "kreciprocal", "--on", "test", "--trials", "3", "--folds", "2")
    assert tune(["--features", place, *options, "--out", str(tmp_path / "command"), "--quiet"]) == 0
    capsys.readouterr()
    found = ensemble.tune(held, "kreciprocal", on="test", trials=3, folds=2)
    found.write(tmp_path / "mine")
    for name in ("recipe.toml", "tuning.json", "trials.csv"):
        assert (tmp_path / "mine" / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    assert len(found.to_frame()) == 3
    assert "held out" in repr(found)
    with pytest.raises(ensemble.InputError, match="wanted labels to tune on"):
        ensemble.tune({side: held[side] for side in ("query", "gallery")})
