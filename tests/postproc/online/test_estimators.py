"""Steps fitted once: the numbers of the step functions, scikit-learn's conventions, and a place in an index."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from postproc import (
    GalleryIndex,
    camera_whitening,
    l2_normalize,
    learned_metric,
    learned_whitening,
    rerank,
    whiten,
)
from postproc.online.estimators import CameraWhitening, LearnedMetric, LearnedWhitening, Normalize, Whiten
from tests.support.each import each
from tests.support.worlds import world

DRAWN = world()
QUERY, GALLERY, TRAIN, PID, CAM = (DRAWN[name] for name in ("query", "gallery", "train", "train_pid", "train_cam"))


@each(
    ("fitted", "wanted"),
    [
        (lambda: Whiten(5, 0.5).fit(GALLERY), lambda: whiten(QUERY, GALLERY, components=5, power=0.5)),
        (lambda: Whiten(renormalize=False).fit(TRAIN), lambda: whiten(QUERY, GALLERY, TRAIN, renormalize=False)),
        (
            lambda: LearnedWhitening(4).fit(TRAIN, PID),
            lambda: learned_whitening(QUERY, GALLERY, TRAIN, PID, components=4),
        ),
        (lambda: LearnedMetric().fit(TRAIN, PID, CAM), lambda: learned_metric(QUERY, GALLERY, TRAIN, PID, CAM)),
        (
            lambda: LearnedMetric("sdml").fit(TRAIN, PID),
            lambda: learned_metric(QUERY, GALLERY, TRAIN, PID, method="sdml"),
        ),
        (lambda: Normalize().fit(GALLERY), lambda: (l2_normalize(QUERY), l2_normalize(GALLERY))),
    ],
)
def test_the_numbers_of_the_step(fitted, wanted):
    step = fitted()
    for images, there in zip((QUERY, GALLERY), wanted(), strict=True):
        assert_allclose(step.transform(images), there, rtol=2e-5, atol=2e-5)
        assert step.transform(images).dtype == np.float32


@each("chosen", [{}, {"whiten": False}, {"per_camera": False}, {"min_images": 25}, {"center": False}])
def test_what_is_usual_in_a_camera(chosen):
    cams = DRAWN["query_cam"].copy(), DRAWN["gallery_cam"]
    cams[0][:3] = -1, 77, -1
    step = CameraWhitening(**chosen).fit(GALLERY, cam=cams[1])
    wanted = camera_whitening(QUERY, GALLERY, *cams, **chosen)
    for images, cam, there in zip((QUERY, GALLERY), cams, wanted, strict=True):
        assert_allclose(step.transform(images, cam=cam), there, rtol=1e-4, atol=1e-4)


@each("kind", [Normalize, Whiten, LearnedWhitening, LearnedMetric, CameraWhitening])
def test_conventions(kind):
    step = kind()
    with pytest.raises(NotFittedError):
        step.transform(QUERY)
    again = clone(step)
    assert again.get_params() == step.get_params()
    assert again.fit(TRAIN, PID) is again
    assert again.n_features_in_ == 16
    out = again.transform(QUERY)
    assert out.shape[0] == len(QUERY)
    assert_allclose(again.transform(QUERY[3:4]), out[3:4], rtol=0)  # each image alone
    assert_allclose(clone(again).fit_transform(TRAIN, PID), again.transform(TRAIN), rtol=0)
    with pytest.raises(ValueError, match="X: wanted 16 numbers an image, got 3"):
        again.transform(QUERY[:, :3])
    assert not hasattr(clone(again), "fitted_")


def test_settings_are_checked_as_those_of_the_step():
    with pytest.raises(ValueError, match="power: wanted 0 to 2, got 3"):
        Whiten(power=3).fit(GALLERY)
    with pytest.raises(ValueError, match="method: wanted one that is linear in features, got 'nfst_rbf'"):
        LearnedMetric("nfst_rbf").fit(TRAIN, PID)


class Nearest(ClassifierMixin, BaseEstimator):
    """The identity of the nearest training image."""

    def fit(self, X, y):
        self.classes_, self.X_, self.y_ = np.unique(y), X, np.asarray(y)
        return self

    def predict(self, X):
        return self.y_[((X[:, None] - self.X_) ** 2).sum(-1).argmin(axis=1)]


def test_in_a_grid_search():
    chain = make_pipeline(Normalize(), Whiten(), Nearest())
    search = GridSearchCV(chain, {"whiten__components": [1, 8], "whiten__power": [0.0, 1.0]}, cv=2)
    found = search.fit(np.tile(TRAIN, (2, 1)), np.tile(PID, 2))
    assert found.best_params_["whiten__components"] == 8


def test_an_index_with_a_chain():
    chain = make_pipeline(Normalize(), LearnedMetric("sdml"), Normalize()).fit(TRAIN, PID)
    index = GalleryIndex(GALLERY[:70], transform=chain)
    index.add(GALLERY[70:])
    sides = [l2_normalize(side) for side in (QUERY, GALLERY)]
    sides = learned_metric(*sides, l2_normalize(TRAIN), PID, method="sdml")
    query, gallery = map(l2_normalize, sides)
    for at, found in enumerate(index.rerank(QUERY, 90).distances):
        assert_allclose(found, rerank(query[at : at + 1], gallery, top_k=90).distances[0], rtol=0, atol=1e-4)


def test_an_index_that_looks_at_cameras(tmp_path):
    query_cam, gallery_cam = DRAWN["query_cam"], DRAWN["gallery_cam"]
    step = CameraWhitening(whiten=False).fit(GALLERY, cam=gallery_cam)
    index = GalleryIndex(GALLERY, transform=[step], gallery_cam=gallery_cam)
    query, gallery = camera_whitening(QUERY, GALLERY, query_cam, gallery_cam, whiten=False)
    index.save(tmp_path / "a")
    for one in (index, GalleryIndex.load(tmp_path / "a")):
        found = one.rerank(QUERY, 90, cam=query_cam)
        for at, distances in enumerate(found.distances):
            wanted = rerank(query[at : at + 1], gallery, top_k=90).distances[0]
            assert_allclose(distances, wanted, rtol=0, atol=1e-4)
