"""Principal components, and whitening along them: directions in which all images vary count less.

Source: Jégou and Chum, "Negative Evidences and Co-occurrences in Image Retrieval: the Benefit of PCA and
Whitening", ECCV 2012. The conventions of cnnimageretrieval (``pcawhitenlearn``), naver's deep-image-retrieval
(``whiten_features``) and VOC-ReID (``pca_whiten``) are settings.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.features import linear
from postproc.features.linear import Map
from postproc.pairs import held, spent
from postproc.pairs.layout import copies
from postproc.pairs.pairwise import sqeuclidean

NONE = 1e-12  # of the largest variance: about what float32 tells from zero


@step(
    leaves_on_disk=True,
    memory=held.covariance,
    work=spent.together(spent.covariance, spent.mapped(), spent.factored(14), spent.read(82)),
)
def whiten(
    query: Query,
    gallery: Gallery | None = None,
    train: np.ndarray | None = None,
    *,
    components: Annotated[Count, Within(1)] | None = None,
    power: Annotated[Weight, Within(0, 2)] = 1.0,
    renormalize: bool = True,
) -> Sides:
    """Express images in principal components, each divided by a power of its standard deviation.

    ``y = L^(-power / 2) Vᵀ (x - m)``, then ``y / |y|``: m the mean and ``V L Vᵀ`` the covariance of the images
    fitted, largest variance first.

    Takes:   query (nq, d), gallery (ng, d) float32; train (n, d): what is fitted, the gallery if not given.
             No labels are looked at. Or one set (n, d), which is fitted itself then, each image once.
    Returns: both, (nq, c) and (ng, c) float32, c = ``components``; of one set (n, c). The largest entry of
             each component (a column of V) is positive. A component without variance (1e-12 of the largest or
             less, as where fewer images than dimensions are fitted) is 0 in every image.
    components: 1 or more, cut to d, the components of largest variance; None: d of them.
    power:   0 to 2. 0: components as they are, a rotation and a reduction. 0.5: half way, the square root of
             whitening. 1: whitening, every component has variance 1. Above 1 small components count most.
    renormalize: bring the result to unit length. A row of length zero stays zero.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    n d^2 + (nq + ng) d c multiply-adds and O(d^3) for the components, all in float64; d by d numbers
             some times over beside the result. With n < d images fitted, O(n^2 d + n^3).

    Released code: cnnimageretrieval's ``pcawhitenlearn`` is the default, ``components`` its ``dimensions``;
    naver's ``whitenp`` p is ``power = 2 p``, its ``whitenv`` is ``components``, its ``whitenm`` cancels in the
    length; VOC-ReID's ``pca_whiten`` is ``power=0, renormalize=False``.

    >>> q, g = np.array([[4.0, 1.0]], np.float32), np.array([[3, 0], [-3, 0], [0, 1], [0, -1]], np.float32)
    >>> whiten(q, g, power=0, renormalize=False)[0]  # the axes are the components
    array([[4., 1.]], dtype=float32)
    >>> whiten(q, g, renormalize=False)[0].round(3)  # standard deviations sqrt(9 / 2) and sqrt(1 / 2)
    array([[1.886, 1.414]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    fitted = gallery
    if train is not None:
        other = "query" if one_set else "gallery"
        fitted = arrays.like(checks.of_same_width("train", train, other, gallery, cuda=True), gallery)
    layout = copies(sqeuclidean(query, None if one_set else gallery))
    change = fit(fitted, components, power, renormalize)
    width = min(components or gallery.shape[1], gallery.shape[1])
    out = linear.room(layout, width, query, gallery)
    linear.fill_classes(out, np.arange(layout.classes), change, layout, query, gallery)
    return linear.spread_to_images(out, layout)


def fit(fitted: np.ndarray, components: int | None, power: float, renormalize: bool) -> Map:
    """The map that :func:`whiten` learns of images (n, d)."""
    width = min(components or fitted.shape[1], fitted.shape[1])
    centre = linear.mean(fitted)
    variances, directions = _components(fitted, centre)
    matrix = arrays.full((fitted.shape[1], width), 0, np.float64, fitted)
    kept = min(width, len(variances))
    matrix[:, :kept] = directions[:, :kept] * variances[:kept] ** (-float(power) / 2)
    return Map(centre, matrix, renormalize)


def _components(fitted: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances that are not zero, falling, (r,), and their directions as columns, (d, r)."""
    count, width = fitted.shape
    xp = arrays.namespace(fitted)

    def load(rows: slice, columns: slice) -> np.ndarray:
        return fitted[rows, columns] - centre[columns]

    if count < width:  # the products of images have the same eigenvalues, and there are fewer of them
        products = linear.outer_sum(lambda rows, columns: load(columns, rows).T, width, count, fitted)
        values, vectors = linear.on_one_thread(xp.linalg.eigh, products / count)
        values, vectors = _not_zero(values, vectors, centre)
        everything = slice(None)
        directions = linear.on_one_thread(xp.matmul, load(everything, everything).T, vectors) / xp.sqrt(
            values * count
        )
    else:
        values, vectors = linear.on_one_thread(
            xp.linalg.eigh, linear.outer_sum(load, count, width, fitted) / count
        )
        values, directions = _not_zero(values, vectors, centre)
    return values, linear.with_fixed_signs(directions)


def _not_zero(values: np.ndarray, vectors: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors, falling, without those that rounding explains."""
    known = arrays.host(values)
    least = max(NONE * known[-1], NONE**2 * float(centre @ centre))
    kept = arrays.beside(np.flatnonzero(known > least)[::-1], values)
    return values[kept], vectors[:, kept]
