"""Camera whitening: what all images of a camera have in common says nothing about who is on them.

Source: the first places of VisDA 2020 (vimar-gu/Bias-Eliminate-DA-ReID) and of AI City 2021 track 2
(michuanhaohao/AICITY2021_Track2_DMT), who call it FIC, and GCRV (WesleyZhang1991/GCN_rerank), where it is PVG.
"""

from typing import Annotated

import numpy as np

from postproc.base import arrays, checks
from postproc.base.settings import Count, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Gallery, Query, Sides
from postproc.features import linear
from postproc.features.linear import Change, Map
from postproc.pairs import held, spent
from postproc.pairs.layout import copies
from postproc.pairs.pairwise import sqeuclidean

EVERYWHERE = -1  # in the place of a camera: the whole gallery


@step(
    leaves_on_disk=True,
    memory=held.together(held.square, held.times(0.25, held.gallery), held.block),
    work=spent.together(spent.covariance, spent.mapped(), spent.factored(21), spent.read(120), spent.images(680)),
)
def camera_whitening(
    query: Query,
    gallery: Gallery | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    *,
    ridge: Annotated[Weight, Within(1e-6, 1e9)] = 0.18,
    center: bool = True,
    whiten: bool = True,
    per_camera: bool = True,
    min_images: Annotated[Count, Within(1)] = 8,
) -> Sides:
    """Take from each image the mean of its camera, and whiten it by what is usual in that camera.

    ``y = (Xᵀ X + n ridge I)^-1 (x - m)``, then ``y / |y|``: X (n, d) the gallery images of the camera of x, as
    they are, and m their mean.

    Takes:   query (nq, d), gallery (ng, d) float32, as a rule of unit length, which is what ``ridge`` is measured
             against; query_cam (nq,), gallery_cam (ng,) int, -1 unknown. Or one set (n, d) and its cameras, given
             once: its images are gallery images, so each counts in the X and the m of its own camera.
    Returns: both, (nq, d) and (ng, d) float32 of unit length; of one set (n, d). A row of length zero stays zero.
             Images of an unknown camera, of one that the gallery does not have or of one with fewer than
             ``min_images`` images there get X and m of the whole gallery. Queries count in no X and no m.
    ridge:   1e-6 to 1e9. The smaller, the more the usual directions are flattened, and with few images noise is
             all that stays; large: nothing but centring. 0.18 (0.09 to 0.23 by model): AI City 2021; 0.02: VisDA.
    center:  subtract m; if not, the inverse alone acts.
    whiten:  apply the inverse; if not, only m is subtracted. Neither: rows are brought to unit length.
    per_camera: statistics of each camera; if not, those of the whole gallery for every image.
    min_images: 1 or more gallery images a camera needs for statistics of its own. With few an image is a large
             part of the mean that is taken from it; a camera's only image is its mean, and nothing stays of it.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    O(n d^2 + d^3) a camera of n images, or O(n^2 d) where n < d, in float64; one camera at a time, at
             most three d by d matrices beside the result.
    Differs: the released functions fail at a camera that the gallery does not have and know no ``min_images``.
             One of them rounds features, means and sums to float16 first: a difference of about 0.001.

    >>> g = np.array([[3, 1], [5, 1], [0, 0], [0, 2]], np.float32)
    >>> q, cams = np.array([[4, 3], [5, 1]], np.float32), np.array([0, 0, 1, 1])
    >>> camera_whitening(q, g, np.array([0, 1]), cams, whiten=False, min_images=2)[0]  # means (4, 1), (0, 1)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    pairs = sqeuclidean(query, None if one_set else gallery)
    query_cam, gallery_cam = checks.labels_of_sides("cam", query_cam, gallery_cam, (len(query), len(gallery)))
    cameras, counts = np.unique(gallery_cam[gallery_cam >= 0], return_counts=True)
    own = cameras[counts >= min_images] if per_camera else cameras[:0]
    query_cam, gallery_cam = (np.where(np.isin(cam, own), cam, EVERYWHERE) for cam in (query_cam, gallery_cam))
    layout = copies(pairs, (query_cam, gallery_cam))
    camera = (gallery_cam if one_set else np.concatenate([query_cam, gallery_cam]))[layout.first]
    out = linear.room(layout, gallery.shape[1], query, gallery)
    for one in np.unique(camera):
        images = gallery if one == EVERYWHERE else gallery[arrays.beside(gallery_cam == one, gallery)]
        change = _change(images, float(ridge), center, whiten)
        linear.fill_classes(out, np.flatnonzero(camera == one), change, layout, query, gallery)
    return linear.spread_to_images(out, layout)


def _change(images: np.ndarray, ridge: float, center: bool, whiten: bool) -> Change:
    """What is done to rows of a camera, given its gallery images."""
    centre = linear.mean(images) if center else arrays.full(images.shape[1], 0, np.float64, images)
    if not whiten:
        return lambda rows: linear.to_unit_length(linear.subtract_centre(rows, centre))
    whitening = _whitening(images, ridge)
    return lambda rows: linear.to_unit_length(whitening(linear.subtract_centre(rows, centre)))


def fit(images: np.ndarray, ridge: float, center: bool, whiten: bool) -> Map:
    """What is done to rows of a camera with these images (n, d), as one matrix, whatever n is."""
    matrix = _whitening(images, ridge)(np.eye(images.shape[1])) if whiten else None
    return Map(linear.mean(images) if center else None, matrix, True)


def _whitening(images: np.ndarray, ridge: float) -> Change:
    """The map ``x -> (Xᵀ X + n ridge I)^-1 x`` of rows, up to a factor that their length removes."""
    count, width = images.shape
    xp = arrays.namespace(images)
    if count >= width:
        products = linear.outer_sum(lambda r, c: arrays.as_type(images[r, c], np.float64), count, width, images)
        inverse = linear.on_one_thread(xp.linalg.inv, _with_ridge(products, count * ridge))
        return lambda rows: rows @ inverse
    # Woodbury: n ridge times the same is x - Xᵀ (n ridge I + X Xᵀ)^-1 X x, and X Xᵀ is the smaller
    rows64 = arrays.as_type(images, np.float64)
    products = _with_ridge(linear.outer_sum(lambda r, c: rows64[c, r].T, width, count, images), count * ridge)
    solved = linear.on_one_thread(xp.linalg.solve, products, rows64)
    return lambda rows: rows - (rows @ rows64.T) @ solved


def _with_ridge(square: np.ndarray, ridge: float) -> np.ndarray:
    """``square + ridge I``, in place."""
    diagonal = square.reshape(-1)[:: len(square) + 1]
    diagonal += ridge
    return square
