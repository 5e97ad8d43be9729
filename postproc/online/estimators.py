"""Feature steps that are fitted once, by scikit-learn's conventions: ``fit``, ``transform``, Pipelines.

Each learns what the step function of its name learns of the same data, and gives the same numbers, to rounding::

    chain = make_pipeline(Normalize(), LearnedMetric(method="sdml"), Normalize()).fit(train, train_pid)
    index = GalleryIndex(gallery, transform=chain)

Whoever imports this needs scikit-learn; an index that was kept is loaded without it.
"""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from postproc.base import checks, settings
from postproc.base.vocabulary import Unchecked
from postproc.features.camera_whitening import camera_whitening
from postproc.features.camera_whitening import fit as fit_camera
from postproc.features.learned_metric import fit as fit_metric
from postproc.features.learned_metric import learned_metric
from postproc.features.learned_whitening import fit as fit_learned
from postproc.features.learned_whitening import learned_whitening
from postproc.features.linear import Map
from postproc.features.whiten import fit as fit_whitening
from postproc.features.whiten import whiten
from postproc.online.steps import ELSEWHERE, Fitted

Features = np.ndarray


class _Step(TransformerMixin, BaseEstimator):
    """What they have in common.

    ``fitted_``: the maps that were learned; ``n_features_in_``: how wide features are.
    """

    _function: Any = None  # whose settings these are

    def _images(self, X: Unchecked) -> Features:
        if self._function is not None and (wrong := _wrong(self._function, self.get_params())):
            raise ValueError(wrong)
        features = checks.images("X", X)
        self.n_features_in_ = features.shape[1]
        return features

    def _keep(self, maps: dict[int, Map]) -> Self:
        self.fitted_ = Fitted(maps)
        return self

    def transform(self, X: Unchecked, cam: Unchecked = None) -> Features:
        """(n, d) -> (n, c) float32. ``cam`` (n,): cameras, for a step that was fitted with some."""
        check_is_fitted(self, "fitted_")
        features = checks.features("X", X)
        if features.shape[1] != self.n_features_in_:
            raise ValueError(f"X: wanted {self.n_features_in_} numbers an image, got {features.shape[1]}")
        return self.fitted_.transform(features, cam)


def _wrong(function: Any, chosen: dict[str, Any]) -> str | None:
    known = settings.settings_of(function)
    return next((text for name, value in chosen.items() if (text := known[name].problem(value))), None)


class Normalize(_Step):
    """Unit length; nothing is learned. :func:`postproc.l2_normalize`."""

    def fit(self, X: Unchecked, y: Unchecked = None) -> Self:
        self._images(X)
        return self._keep({ELSEWHERE: Map(None, None, True)})


class Whiten(_Step):
    """:func:`postproc.whiten`, learned of the images that are fitted."""

    _function = staticmethod(whiten)

    def __init__(self, components: int | None = None, power: float = 1.0, renormalize: bool = True) -> None:
        self.components, self.power, self.renormalize = components, power, renormalize

    def fit(self, X: Unchecked, y: Unchecked = None) -> Self:
        features = self._images(X)
        return self._keep({ELSEWHERE: fit_whitening(features, self.components, self.power, self.renormalize)})


class LearnedWhitening(_Step):
    """:func:`postproc.learned_whitening`; ``y`` are identities, -1 unknown."""

    _function = staticmethod(learned_whitening)

    def __init__(self, components: int | None = None) -> None:
        self.components = components

    def fit(self, X: Unchecked, y: Unchecked) -> Self:
        return self._keep({ELSEWHERE: fit_learned(self._images(X), y, self.components)})


class LearnedMetric(_Step):
    """:func:`postproc.learned_metric` of the methods that are linear; ``y`` are identities, ``cam`` cameras."""

    _function = staticmethod(learned_metric)

    def __init__(
        self, method: str = "xqda", components: int | None = None, ridge: float | None = None,
        cross_camera: bool = True, different_weight: float = 1.0, pca: int | None = None,
        rounds: int | None = None, seed: int = 0,
    ) -> None:  # fmt: skip
        self.method, self.components, self.ridge, self.cross_camera = method, components, ridge, cross_camera
        self.different_weight, self.pca, self.rounds, self.seed = different_weight, pca, rounds, seed

    def fit(self, X: Unchecked, y: Unchecked, cam: Unchecked = None) -> Self:
        return self._keep({ELSEWHERE: fit_metric(self._images(X), y, cam, self.get_params())})


class CameraWhitening(_Step):
    """:func:`postproc.camera_whitening`: what is usual in a camera, of the gallery that is fitted.

    ``fit(gallery, cam=gallery_cam)``, ``transform(query, cam=query_cam)``; without cameras all images count as of
    an unknown one, which gets what is usual in all of the gallery.
    """

    _function = staticmethod(camera_whitening)

    def __init__(
        self, ridge: float = 0.18, center: bool = True, whiten: bool = True, per_camera: bool = True,
        min_images: int = 8,
    ) -> None:  # fmt: skip
        self.ridge, self.center, self.whiten = ridge, center, whiten
        self.per_camera, self.min_images = per_camera, min_images

    def fit(self, X: Unchecked, y: Unchecked = None, cam: Unchecked = None) -> Self:
        features = self._images(X)
        cams = checks.labels_or_none("cam", cam, len(features))
        maps = {ELSEWHERE: self._map(features)}
        cameras, counts = np.unique(cams[cams >= 0], return_counts=True)
        for camera in cameras[counts >= self.min_images] if self.per_camera else ():
            maps[int(camera)] = self._map(features[cams == camera])
        return self._keep(maps)

    def _map(self, images: Features) -> Map:
        return fit_camera(images, float(self.ridge), self.center, self.whiten)
