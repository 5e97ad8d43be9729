"""Metric learning on features as they are: a distance in which two images of one identity are near.

Sources: XQDA, Liao et al., CVPR 2015; KISSME, Köstinger et al., CVPR 2012; NFST, Zhang et al., CVPR 2016; the
released MATLAB code of each. LFDA, Sugiyama, JMLR 2007; SDML, Qi et al., ICML 2009. RCA, ITML, LSML, MMC, LMNN,
NCA, MLKR, SCML and the covariance come from the package metric-learn. One file each in
:mod:`postproc.features.metrics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.settings import Count, Number, TopK, Weight, Within
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query, Sides, Unchecked
from postproc.features import linear
from postproc.features.linear import Map
from postproc.features.metrics import covariance, kissme, lfda, metric_learn, nfst, sdml, xqda
from postproc.features.metrics.metric import Metric, Unfit
from postproc.features.metrics.principal import principal_directions
from postproc.pairs import answering, held, spent
from postproc.pairs.layout import copies
from postproc.pairs.pairwise import FeatureTerm, Pairwise, sqeuclidean
from postproc.pairs.tiles import PairwiseTiles

WHOLE = ("xqda", "nfst", "nfst_rbf")  # make do with features of any width
Method = Literal[
    "xqda", "nfst", "nfst_rbf", "kissme", "lfda", "sdml",
    "covariance", "rca", "itml", "lsml", "mmc", "lmnn", "nca", "mlkr", "scml",
]  # fmt: skip
AtLeastOne = Annotated[Count, Within(1)]
Ridge = Annotated[Weight, Within(0, 1e9)]
DifferentWeight = Annotated[Number, Within(0, 1e9)]
REDUCED = 100  # dimensions that the others learn in, at most


def _loads(chosen: Chosen) -> tuple[str, ...]:
    return ("sklearn",) if chosen["method"] == "sdml" else ()


def _objection(chosen: Chosen) -> str | None:
    return metric_learn.objection(chosen["method"])


_XQDA = spent.together(spent.mapped(), spent.read(50), spent.times(20, spent.covariance))
_QUICKER = spent.together(spent.mapped(), spent.read(70), spent.times(3, spent.covariance), spent.factored(10))
_LEARNED = {"xqda": _XQDA, **dict.fromkeys(("nfst", "kissme", "lfda", "sdml", "covariance"), _QUICKER)}


@step(
    host_only=True,
    objection=_objection,
    leaves_on_disk=True,
    memory=held.together(held.times(4, held.train), held.covariance, held.times(5, held.square)),
    loads=_loads,
    work=spent.by("method", _LEARNED),
)
def learned_metric(
    query: Query,
    gallery: Gallery | None,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    *,
    method: Method = "xqda",
    components: AtLeastOne | None = None,
    ridge: Ridge | None = None,
    cross_camera: bool = True,
    different_weight: DifferentWeight = 1.0,
    pca: AtLeastOne | None = None,
    rounds: AtLeastOne | None = None,
    seed: Count = 0,
) -> Sides:
    """Map features so that their squared Euclidean distance is a distance learned from labelled images.

    ``y = Lᵀ x`` with ``L Lᵀ = M``, hence ``|y_a - y_b|² = (a - b)ᵀ M (a - b)``. Where M is indefinite, as KISSME's
    is and XQDA's may be, ``L Lᵀ`` is its positive semidefinite part, the nearest such matrix;
    :func:`learned_distances` takes all of M.

    Takes:   query (nq, d), gallery (ng, d), train (n, d) float32; train_pid (n,) int, -1 for an image of unknown
             identity, which is left out; train_cam (n,) int, -1 for a camera that no other image shares.
             Without a gallery one set (n, d).
    Returns: both, (nq, c) and (ng, c) float32, not centred and not of unit length; c is what the method finds. If
             all training images are the same, nothing is learned and features come back as they are. Of one set
             (n, c).
    method:  with S and D the means of (a - b)(a - b)ᵀ over pairs of one identity and of two:
             "xqda"      the subspace of the singular values above 1 of S^-1 D, at least one, and KISSME in it. The
                         one to begin with.
             "kissme"    M = S^-1 - different_weight D^-1.
             "nfst"      orthonormal directions in which all training images of an identity are one point, as
                         many as identities less one. They exist if n < d + identities; else one direction is
                         left, as in the released code, and ranks next to nothing.
             "nfst_rbf"  the same after x -> exp(-|x - t|² / w) for all training images t, w the mean of
                         |t - t'|²: not linear in x, never short of dimensions.
             "lfda", "sdml", "covariance", "rca", "itml", "lsml", "mmc", "lmnn", "nca", "mlkr", "scml": see the
             modules ``lfda``, ``sdml`` and ``metric_learn`` there.
    components: 1 or more; None: all that are found. Of XQDA the first singular vectors, of NFST the directions in
             which identities lie farthest apart, of LFDA, RCA, LMNN, NCA and MLKR the reduction that they learn,
             of the others the directions of largest weight in M.
    ridge:   0 to 1e9, added to the diagonal of S (XQDA, KISSME) or of the scatter within (LFDA), hence in squared
             units of the features; large: differences count as they are. None: 0.001 for XQDA, as released for
             features of about unit length, and refused where it outweighs all differences; otherwise 0.
    cross_camera: XQDA, KISSME and SDML learn from pairs of images of different cameras only, as XQDA was
             published: with two cameras, of a probe and a gallery image. If false, or without cameras, from all
             pairs, as KISSME was.
    different_weight: 0 to 1e9, KISSME's lambda. 0: the inverse of S alone.
    pca:     1 or more: learn in that many principal components, cut to those with variance. None: features as they
             are for XQDA and NFST; for the others 100 components, or half as many as there are independent
             differences within identities (n - identities) if these are fewer, or d.
    rounds:  1 or more, of what iterates. None: MMC 10, ITML, LMNN 20, NCA, MLKR 25, LSML 50, SCML 1000.
    seed:    0 or more, for what ITML, LSML, MMC and SCML draw; of the same features at another scale they draw
             others.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity; if there is no pair of one
             identity, or of two; if a method finds nothing in these images, with its reason; if it needs
             metric-learn and that is not installed.
    Cost:    n d^2 + (nq + ng) d c multiply-adds and O(d^3) in float64, some times d^2 numbers. With n < d XQDA
             takes n^2 d and O(n^3). nfst_rbf takes n^2 d and O(n^3), n^2 numbers, and n exponentials an image.
             NCA and MLKR hold several n by n matrices; they, LMNN, MMC and SCML take minutes for some thousand
             images.
    Differs: KISSME's toolbox raises eigenvalues of M below 1e-10 to 1e-6, here they become 0; open-reid's draws
             as many pairs of two identities as there are of one, here all count. LFDA and SDML are not
             metric-learn's, whose version 0.7 takes local scales along the wrong axis, which leaves nothing with
             two images an identity, and does not run its SDML with scikit-learn 1.7. The kernel form of XQDA
             (EK-XQDA) is another method with a linear kernel too: its ridge acts in the space of the kernel.

    >>> t = np.array([[1, 0], [-1, 0], [9, 1], [9, -1]], np.float32)  # S = diag(2, 2), D = diag(82, 1)
    >>> q, g = np.array([[0.0, 0.0]], np.float32), np.array([[41.0, 2.0], [0.0, 9.0]], np.float32)
    >>> learned_metric(q, g, t, np.array([0, 0, 1, 1]), ridge=0.0)[1].round(3)  # only x tells identities apart
    array([[28.636],
           [ 0.   ]], dtype=float32)
    """
    settings = Settings(method, components, ridge, cross_camera, different_weight, pca, rounds, seed)
    data = _checked(query, gallery, train, train_pid, train_cam, settings)
    return _mapped(data, positive=True, centred=False)[0]


@step(
    host_only=True,
    objection=_objection,
    memory=held.compared(held.train, held.covariance, held.times(5, held.square), unit=True),
    loads=_loads,
    work=spent.by(
        "method", {name: spent.together(part, spent.across(), spent.nearest) for name, part in _LEARNED.items()}
    ),
)
def learned_distances(
    query: Query,
    gallery: Gallery | None,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None = None,
    *,
    method: Method = "xqda",
    components: AtLeastOne | None = None,
    ridge: Ridge | None = None,
    cross_camera: bool = True,
    different_weight: DifferentWeight = 1.0,
    pca: AtLeastOne | None = None,
    rounds: AtLeastOne | None = None,
    seed: Count = 0,
    psd: bool = False,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Measure queries against gallery images by the learned M as it is, indefinite or not.

    ``out = (q - g)ᵀ M (q - g) = |Pᵀ(q - g)|² - |Nᵀ(q - g)|²``, P Pᵀ and N Nᵀ the positive and the negative part
    of M.

    Takes, and all settings but two: as :func:`learned_metric`.
    Returns: (nq, ng) float32, squared; below 0 where an indefinite M says so. With ``top_k`` the :class:`Nearest`
             of every query instead: the first ``top_k`` of the full answer (ties by gallery row), which never
             exists. Of one set (n, n), symmetric, with +inf on the diagonal.
    psd:     drop the negative part, which gives the squared distance after :func:`learned_metric`.
    top_k:   1 or more, cut to the gallery.
    Raises:  as :func:`learned_metric`. Cost: the same, and one product of nq ng c multiply-adds; the answer, the
             mapped features and one 16 MB tile a thread.

    >>> t = np.array([[1, 0], [-1, 0], [9, 1], [9, -1]], np.float32)  # S = diag(2, 2), D = diag(82, 1)
    >>> q, g = np.array([[0.0, 0.0]], np.float32), np.array([[41.0, 2.0], [0.0, 9.0]], np.float32)
    >>> learned_distances(q, g, t, np.array([0, 0, 1, 1]), method="kissme")  # M = diag(20 / 41, -1 / 2)
    array([[818. , -40.5]], dtype=float32)
    """
    settings = Settings(method, components, ridge, cross_camera, different_weight, pca, rounds, seed)
    data = _checked(query, gallery, train, train_pid, train_cam, settings)
    sides, positive = _mapped(data, positive=psd, centred=True)
    mapped = sides if isinstance(sides, tuple) else (sides,)
    parts = [
        sign * sqeuclidean(*(side[:, part] for side in mapped))
        for sign, part in ((1, slice(None, positive)), (-1, slice(positive, None)))
        if mapped[0][:, part].size
    ]
    distances = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    return answering.answer(PairwiseTiles(distances), lambda strip, queries: None, top_k=top_k)


@dataclass(frozen=True)
class Settings:
    """What :func:`learned_metric` and :func:`learned_distances` both take."""

    method: str
    components: int | None
    ridge: float | None
    cross_camera: bool
    different_weight: float
    pca: int | None
    rounds: int | None
    seed: int


@dataclass(frozen=True)
class Data:
    """What is learned from and what is mapped: images of known identity 0, 1, ... and cameras, -1 of its own.

    ``pairs``: those of queries and gallery, or of one set.
    """

    pairs: Pairwise
    train: np.ndarray
    pid: np.ndarray
    cam: np.ndarray
    settings: Settings


def _checked(
    query: np.ndarray,
    gallery: np.ndarray | None,
    train: np.ndarray,
    train_pid: np.ndarray,
    train_cam: np.ndarray | None,
    settings: Settings,
) -> Data:
    one_set = gallery is None
    query, gallery = checks.sides_or_one(query, gallery)
    train = checks.of_same_width("train", train, "query" if one_set else "gallery", gallery)
    pid = checks.labels("train_pid", train_pid, len(train))
    cam = np.full(len(train), -1)
    if train_cam is not None:
        given = checks.labels("train_cam", train_cam, len(train))
        cam = given if settings.cross_camera else cam
    pairs = sqeuclidean(query, None if one_set else gallery)
    return Data(pairs, *_in_order(train, pid, cam), settings)


def _in_order(train: np.ndarray, pid: np.ndarray, cam: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of known identity, by identity, camera and content, so that no result depends on their order."""
    key = np.zeros(len(train), np.uint64)
    bits = train.view(np.uint32)
    bits.flags.writeable = False
    runtime.over_rows(partial(kernels.of(train).rows.hash_rows, bits, key), len(train), what="order")
    order = np.lexsort((key, cam, pid))
    order = order[pid[order] >= 0]
    _, numbers = np.unique(pid[order], return_inverse=True)
    return train[order], numbers, np.maximum(cam[order], -1)


def fit(train: np.ndarray, train_pid: Unchecked, train_cam: Unchecked, chosen: Mapping[str, Any]) -> Map:
    """The map that :func:`learned_metric` learns with these settings; ValueError where it is not linear."""
    data = _checked(train, None, train, train_pid, train_cam, Settings(**chosen))
    metric = linear.on_one_thread(_learned, data)
    if metric.before is not None:
        raise ValueError(f"method: wanted one that is linear in features, got {data.settings.method!r}")
    return Map(None, _matrix(data, metric, positive=True), False)


def _learned(data: Data) -> Metric:
    """The metric for features as they are; ValueError with the reason where there is none."""
    train, method, width = data.train, data.settings.method, data.train.shape[1]
    same, different, differences = covariance.count_pairs(data.pid, data.cam)
    if not same or not different:
        cameras = " of two cameras" if data.cam.max(initial=-1) >= 0 else ""
        raise ValueError(
            f"train_pid: wanted pairs of images{cameras}, some of one identity and some of two, "
            f"got {same} and {different} among {len(train)} images of known identity"
        )
    if (train == train[0]).all():
        return Metric.of_map(np.eye(width)[:, : data.settings.components])
    largest = data.settings.pca or max(2, min(REDUCED, differences // 2))
    try:
        if method in WHOLE and data.settings.pca is None:
            return _fit(train, data)
        variances, basis = principal_directions(train)
        if min(largest, len(variances)) == width:
            return _fit(train, data)
        basis = basis[:, :largest]
        return _fit(train @ basis, data).after(basis)
    except (Unfit, np.linalg.LinAlgError) as reason:
        raise ValueError(_unfit(method, reason)) from None


def _fit(train: np.ndarray, data: Data) -> Metric:
    """The metric for these features of the training images."""
    pid, cam, given = data.pid, data.cam, data.settings
    ridge, components = given.ridge, given.components
    if given.method == "xqda":
        return xqda.fit(train, pid, cam, ridge=ridge, components=components)
    if given.method == "kissme":
        return kissme.fit(
            train, pid, cam, ridge=ridge or 0, different_weight=given.different_weight, components=components
        )
    if given.method == "nfst":
        return nfst.fit(train, pid, components=components)
    if given.method == "nfst_rbf":
        return nfst.fit_rbf(train, pid, components=components)
    if given.method == "lfda":
        return lfda.fit(train, pid, ridge=ridge or 0, components=components)
    if given.method == "sdml":
        return sdml.fit(train, pid, cam, components=components)
    return metric_learn.fit(
        train, pid, method=given.method, components=components, rounds=given.rounds, seed=given.seed
    )


def _mapped(data: Data, *, positive: bool, centred: bool) -> tuple[Sides, int]:
    """Both sides, or one set, after the learned map, and how many of its columns, the first, count positively.

    ``positive``: only these. ``centred``: less the mean training image, which changes no distance and spares
    digits.
    """
    metric = linear.on_one_thread(_learned, data)
    before, matrix = metric.before, _matrix(data, metric, positive=positive)
    count = int((metric.weights > 0).sum())
    centre = linear.mean(data.train) if centred and before is None else 0.0

    def change(rows: np.ndarray) -> np.ndarray:
        return (rows - centre if before is None else before(rows)) @ matrix

    layout = copies(data.pairs)
    (term,) = data.pairs.terms
    assert isinstance(term, FeatureTerm)
    out = linear.room(layout, matrix.shape[1], term.query, term.gallery)
    linear.fill_classes(out, np.arange(layout.classes), change, layout, term.query, term.gallery)
    return linear.spread_to_images(out, layout), count


def _matrix(data: Data, metric: Metric, *, positive: bool) -> np.ndarray:
    """(d, c) L of what was learned, its positive part alone or all of it."""
    matrix = metric.directions * np.sqrt(np.abs(metric.weights))
    if positive:
        matrix = matrix[:, : int((metric.weights > 0).sum())]
    if not matrix.shape[1]:
        raise ValueError(_unfit(data.settings.method, "a metric without a positive part"))
    return matrix


def _unfit(method: str, reason: object) -> str:
    return f"train: wanted images that method {method!r} can learn from, got: {reason}"
