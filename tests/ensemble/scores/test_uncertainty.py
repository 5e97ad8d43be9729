"""How uncertain first places are: by hand, and that it tells wrong ones on real sets."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import postproc
from ensemble.scores.uncertainty import uncertainty


def test_by_hand():
    """low = -1: (0 + 1) / ((1 + 3) / 2 + 1), no image, one image, one distance, and images of a track once."""
    distances = [[0, 1, 3], [np.inf, np.inf, np.inf], [2, np.nan, np.inf], [-1, -1, -1], [2, 2, 3]]
    assert_allclose(uncertainty(np.array(distances)), [1 / 3, np.nan, np.nan, np.nan, 3 / 4])
    assert np.isnan(uncertainty(np.full((2, 3), np.nan))).all()


def test_unit_and_zero_do_not_matter():
    distances = np.sort(np.random.default_rng(0).random((9, 30)), axis=1)
    assert_allclose(uncertainty(3 * distances - 7), uncertainty(distances))
    assert_allclose(uncertainty(distances[:, :20]), uncertainty(distances), rtol=1e-12)
    assert not np.array_equal(uncertainty(distances, places=5), uncertainty(distances))


def test_tells_wrong_first_places(shared):
    from sklearn.metrics import roc_auc_score

    with np.load(shared / "viper_feats.npz") as data:
        rows, pid = data["omz0277"].astype(np.float32), data["id"]
        one = data["cam"] == data["cam"].min()
    nearest = postproc.distances(rows[one], rows[~one], top_k=20)
    wrong = pid[~one][nearest.rows[:, 0]] != pid[one]
    assert roc_auc_score(wrong, uncertainty(nearest.distances)) == pytest.approx(0.82, abs=0.03)
