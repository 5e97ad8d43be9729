"""Learned whitening: directions in which images of one identity differ count less.

Source: Mikolajczyk and Matas, "Improving Descriptors for Fast Tree Matching by Optimal Linear Projection",
ICCV 2007, as Radenović et al., "Fine-tuning CNN Image Retrieval with No Human Annotation", TPAMI 2018, use it
(cnnimageretrieval ``whitenlearn``).
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides, Unchecked
from postproc.features import linear
from postproc.features.linear import Load, Map
from postproc.pairs import held, spent
from postproc.pairs.layout import copies
from postproc.pairs.pairwise import FeatureTerm, Pairwise, sqeuclidean

NONE = 1e-12  # of the largest: a pivot this small is rounding


@step(
    leaves_on_disk=True,
    memory=held.together(held.times(2, held.train), held.covariance, held.times(2, held.square)),
    work=spent.together(spent.mapped(), spent.factored(9.3), spent.read(71), spent.times(8, spent.covariance)),
)
def learned_whitening(
    query: Query,
    gallery: Gallery | None,
    train: np.ndarray,
    train_pid: np.ndarray,
    *,
    components: Annotated[Count, Within(1)] | None = None,
) -> Sides:
    """Whiten what varies within identities, then keep what varies most between images.

    ``y = Vᵀ L^-1 (x - m)``, then ``y / |y|``: ``L Lᵀ`` is the mean of ``(a - b)(a - b)ᵀ`` over all pairs (a, b) of
    different training images of one identity, V the eigenvectors, largest first, of the sum of ``z zᵀ`` over all
    training images, ``z = L^-1 (x - m)``.

    Takes:   query (nq, d), gallery (ng, d), train (n, d) float32; train_pid (n,) int, -1 for an image of unknown
             identity, which is in no pair. Without a gallery one set (n, d).
    Returns: both, (nq, c) and (ng, c) float32 of unit length, c = ``components``; of one set (n, c). The largest
             entry of each row of ``Vᵀ L^-1`` is positive. A row of length zero stays zero.
    components: 1 or more, cut to d; None: d of them.
    m is the mean over the pairs: an image counts once for each other training image of its identity, so an
    identity of n images has n (n - 1) votes, here as in L.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity, or if no identity has two
             training images.
    Cost:    2 n d^2 + (nq + ng) d c multiply-adds and O(d^3), all in float64; d by d numbers some times over.
             Pairs are never formed: sums by identity say as much. Of CUDA tensors only the map runs on the device.

    Where L does not exist, because fewer pairs differ than there are dimensions, 1e-10, or 1e-9 and so on, is
    added to the diagonal; directions in which no pair differs then count most. Reduce with :func:`whiten` before.
    Differs: cnnimageretrieval takes the pairs it is given (:func:`whitening_of_pairs` does); it adds to the
    diagonal only where the factorisation breaks down, here also where it would go on with rounding errors.

    >>> t = np.array([[0, 2], [0, -2], [6, 2], [6, -2]], np.float32)  # identities differ in x, their images in y
    >>> q = np.array([[6.0, 2.0]], np.float32)
    >>> learned_whitening(q, q, t, np.array([0, 0, 1, 1]), components=1)[0]
    array([[1.]], dtype=float32)
    """
    pairs, train = _checked(query, gallery, train)
    return _mapped(pairs, fit(train, train_pid, components))


def fit(train: np.ndarray, train_pid: Unchecked, components: int | None) -> Map:
    """The map that :func:`learned_whitening` learns of images (n, d) and their identities."""
    pid = checks.labels("train_pid", train_pid, len(train))
    known = np.flatnonzero(pid >= 0)
    known = known[np.argsort(pid[known], kind="stable")]
    _, start, person, images = np.unique(pid[known], return_index=True, return_inverse=True, return_counts=True)
    known_pairs = float((images * (images - 1)).sum())
    if not known_pairs:
        raise ValueError(f"train_pid: wanted an identity with two images, got {len(images)} of one image each")
    sums = np.add.reduceat(train[known], start, axis=0, dtype=np.float64)
    centre = ((images - 1)[:, None] * sums).sum(axis=0) / known_pairs
    means = sums / images[:, None]
    root = np.sqrt(2 * images / known_pairs)  # all pairs of n images: 2 n (x - mean)

    def load(rows: slice, columns: slice) -> np.ndarray:
        who = person[rows]
        return (train[known[rows], columns] - means[who, columns]) * root[who, None]

    return _learned(train, centre, load, len(known), components)


def whitening_of_pairs(
    query: Query,
    gallery: Gallery | None,
    train: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    *,
    components: int | None = None,
) -> Sides:
    """:func:`learned_whitening` from chosen pairs: training rows ``first[i]`` and ``second[i]`` belong together.

    m is the mean of the rows ``first``.
    """
    pairs, train = _checked(query, gallery, train)
    first, second = np.asarray(first), np.asarray(second)
    root = np.sqrt(len(first))

    def load(rows: slice, columns: slice) -> np.ndarray:
        return (train[first[rows], columns] - train[second[rows], columns].astype(np.float64)) / root

    return _mapped(pairs, _learned(train, linear.mean(train[first]), load, len(first), components))


def _checked(query: np.ndarray, gallery: np.ndarray | None, train: np.ndarray) -> tuple[Pairwise, np.ndarray]:
    """The images that are mapped, of two sides or of one set, and the training images on the host."""
    one_set = gallery is None
    query, gallery = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    train = checks.of_same_width("train", arrays.host(train), "query" if one_set else "gallery", gallery)
    return sqeuclidean(query, None if one_set else gallery), train


def _learned(train: np.ndarray, centre: np.ndarray, differences: Load, count: int, components: int | None) -> Map:
    """The map, given m and the rows whose outer products add up to ``L Lᵀ``."""
    width = train.shape[1]
    within = linear.outer_sum(differences, count, width)
    total = linear.outer_sum(lambda rows, columns: train[rows, columns] - centre[columns], len(train), width)
    return Map(centre, linear.on_one_thread(_projection, within, total)[:, :components], True)


def _mapped(pairs: Pairwise, learned: Map) -> Sides:
    """All images, where they are."""
    centre, matrix = (arrays.beside(part, pairs.like) for part in (learned.centre, learned.matrix))
    layout = copies(pairs)
    (term,) = pairs.terms
    assert isinstance(term, FeatureTerm)
    out = linear.room(layout, matrix.shape[1], term.query, term.gallery)
    change = Map(centre, matrix, learned.unit)
    linear.fill_classes(out, np.arange(layout.classes), change, layout, term.query, term.gallery)
    return linear.spread_to_images(out, layout)


def _projection(within: np.ndarray, total: np.ndarray) -> np.ndarray:
    """(d, d) ``(Vᵀ L^-1)ᵀ``."""
    inverse = np.linalg.inv(_factor(within))
    _, vectors = np.linalg.eigh(inverse @ total @ inverse.T)
    return linear.with_fixed_signs(inverse.T @ vectors[:, ::-1])


def _factor(within: np.ndarray) -> np.ndarray:
    """The Cholesky factor of ``within``, with as little on its diagonal as makes one."""
    diagonal, ridge = within.diagonal().copy(), 0.0
    while True:
        np.fill_diagonal(within, diagonal + ridge)
        try:
            factor = np.linalg.cholesky(within)
        except np.linalg.LinAlgError:
            pass
        else:
            if factor.diagonal().min() ** 2 > NONE * diagonal.max():
                return factor
        ridge = max(10 * ridge, 1e-10)
