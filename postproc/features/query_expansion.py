"""Query expansion: average an image with its nearest neighbours, then search with that.

Sources: Chum et al., "Total Recall", ICCV 2007 (average); Arandjelović and Zisserman, "Three things everyone
should know to improve object retrieval", CVPR 2012 (the gallery too); Gordo et al., "End-to-end Learning of Deep
Visual Representations for Image Retrieval", IJCV 2017 (decay); Radenovic et al., "Fine-tuning CNN Image
Retrieval", TPAMI 2018 (alpha). Reproduced by settings: fast-reid ``aqe``, S1's ``query_expansion_{cos,eu}.py``,
PyRetri, VOC-ReID, jifeiluo/reranking, naver/deep-image-retrieval.
"""

from functools import partial
from types import ModuleType
from typing import Annotated, Literal

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Count, Neighbours, Neutral, Weight, Within
from postproc.base.step import Chosen, step
from postproc.base.vocabulary import Gallery, Nearest, Query, Sides
from postproc.features.expansion import unexpanded
from postproc.pairs import answering, held, nearest, spent
from postproc.pairs.known import nearest_in_gallery, tiles_of, tiles_of_gallery
from postproc.pairs.l2_normalize import l2_normalize, unit_rows
from postproc.pairs.layout import STRIP_ON_CUDA
from postproc.pairs.listed import NeighbourLists
from postproc.pairs.nearest import Lists
from postproc.pairs.pairwise import among, of, of_checked, sqeuclidean
from postproc.pairs.tiles import PairwiseTiles

Metric = Literal["cosine", "dot", "sqeuclidean"]
QUERIES = 256  # of a strip of products


def _objection(chosen: Chosen) -> str | None:
    if chosen["metric"] == "dot" and chosen["expand"] != "query":
        return 'metric: "dot" has no self-distance to leave out, use it with expand="query"'
    return None


_ADDED = spent.together(spent.lists(65, "k"), spent.read(54))
_MORE = spent.together(spent.lists(65, "k"), spent.read(200))


@step(
    objection=_objection,
    memory=held.together(held.features, held.queries, held.walk, held.strips),
    keeps=unexpanded,
    work=spent.by(
        "expand",
        {
            "query": spent.for_setting("rounds", spent.together(spent.across(), spent.matrix(1.4), _ADDED)),
            "gallery": spent.for_setting(
                "rounds", spent.together(spent.gallery_pairs(), spent.gallery_looked(), _MORE)
            ),
            "both": spent.for_setting("rounds", spent.together(spent.pairs(), spent.looked(), _MORE)),
        },
    ),
)
def query_expansion(
    query: Query,
    gallery: Gallery | None = None,
    neighbours: NeighbourLists | None = None,
    *,
    k: Annotated[Neighbours, Within(0), Neutral(0)] = 10,
    alpha: Annotated[Weight, Within(0, 64)] = 0.0,
    decay: bool = False,
    rounds: Annotated[Count, Neutral(0)] = 1,
    metric: Metric = "cosine",
    expand: Literal["query", "gallery", "both"] = "query",
    find_anew: bool = True,
    include_self: bool = True,
    average: bool = True,
    renormalize: bool = True,
) -> Sides:
    """Replace an image by the weighted mean of itself and its ``k`` nearest others.

    ``x <- (x + sum_{j in N_k(x)} max(s_j, 0)^alpha x_j) / (k + 1)``, s the similarity, then ``x / |x|``.

    Takes:   query (nq, d), gallery (ng, d) float32; or one set (n, d), of which each image has its neighbours
             among the others.
    Returns: both, (nq, d) and (ng, d) float32; the side that ``expand`` leaves out is the one given. Of one set
             (n, d).
    neighbours: lists for the first round, of the images as they are given, for "cosine" of unit length: of
             queries and gallery, or of one set, as long as each holds k others, or gallery images, that are
             looked for; for expand="gallery" also of the gallery as one set.
    k:       0 or more neighbours, the image itself not counted, cut to what there is; 0 changes nothing.
    alpha:   0 to 64. 0: all neighbours count alike; large: only the very similar count. 3 is usual.
    decay:   weigh the r-th neighbour by ``(k + 1 - r) / (k + 1)`` besides; the image itself stays at 1.
    rounds:  0 or more; 0 changes nothing.
    metric:  what "nearest" is, and with it s: the cosine, or for "dot" and "sqeuclidean" the inner product. What
             is averaged are the features as they are.
    expand:  "query": queries from the gallery. "gallery": gallery images from the other gallery images (database
             augmentation). "both": every image from all images, queries and gallery. Of one set all images are
             expanded: "query" from the others as they were given, "gallery" and "both" from the others as the
             round before has left them.
    find_anew: look for neighbours again in every round; if not, the first round's serve in all.
    include_self: count the image itself; if not, neighbours alone stand for it.
    average: divide by the number of images, whatever their weights; if not, sums stay sums: they differ in length,
             and in a later round an image counts as often as it has been added up.
    renormalize: bring what was expanded to unit length after every round; in a later round it meets others as long
             as they were given, which are to be of unit length too.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product a round (gallery by gallery for "gallery", all by all for "both", half of it computed),
             k gathered rows an image.

    Released code, in our settings. To expand both sides, each from the gallery as it was, run "query", then
    "gallery".

    * fast-reid (its k counts the image itself): ``k=k - 1, alpha=alpha, expand="both", renormalize=False``.
    * S1: ``k=T, metric="dot", renormalize=False``; or ``k=T, metric="sqeuclidean", rounds=2, find_anew=False,
      renormalize=False``, whose second round meets the neighbours of the first.
    * naver, jifeiluo/reranking: ``k, alpha`` or ``k, decay=True`` as they are; for the gallery
      ``expand="gallery"``, where jifeiluo's k counts the image itself.
    * PyRetri: ``rounds=times, metric="sqeuclidean", average=False, renormalize=False``; its gallery as naver's.
    * VOC-ReID: ``include_self=False, renormalize=False``; its gallery ``k=k - 1, expand="gallery",
      renormalize=False``.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32)
    >>> query_expansion(q, g, k=1, renormalize=False)[0]
    array([[0.5, 0.5]], dtype=float32)
    """
    one_set = gallery is None
    query, gallery = arrays.together(*checks.sides_or_one(query, gallery, cuda=True))
    if k == 0 or rounds == 0:
        return query if one_set else (query, gallery)
    if one_set and expand == "both":
        expand = "gallery"
    images = query if expand == "query" else gallery if expand == "gallery" else arrays.joined(query, gallery)
    rows = None
    if neighbours is not None:
        rows = _known(query, None if one_set else gallery, neighbours, k, metric, expand)
    for round_ in range(rounds):
        bank = gallery if expand == "query" else images
        unit = l2_normalize if round_ else unit_rows  # sums may be more than float32 holds
        image_key = unit(images) if metric == "cosine" else images
        bank_key = image_key if bank is images else unit(bank) if metric == "cosine" else bank
        if rows is None or (find_anew and (round_ or neighbours is None)):
            rows = _neighbours(image_key, bank_key, k, metric, without_own=one_set or expand != "query")
        images = _expanded(images, bank, image_key, bank_key, rows, alpha, decay, include_self, average)
        if renormalize:
            images = l2_normalize(images)
    if one_set:
        return images
    if expand == "both":
        return images[: len(query)], images[len(query) :]
    return (images, gallery) if expand == "query" else (query, images)


def _known(
    query: np.ndarray, gallery: np.ndarray | None, lists: NeighbourLists, k: int, metric: str, expand: str
) -> np.ndarray:
    """(n, k) rows of the bank, as lists say them."""
    if metric == "dot":
        raise ValueError('neighbours: wanted the metric "cosine" or "sqeuclidean" with lists, got "dot"')
    unit = metric == "cosine"
    pairs = of(query, gallery, unit=unit, cuda=True)
    if expand == "query" or gallery is None:
        return nearest_in_gallery(pairs, lists, k, unit=unit).rows
    tiles = (tiles_of_gallery if expand == "gallery" else tiles_of)(pairs, lists, unit=unit)
    return nearest.of_others(tiles, k).rows


def _neighbours(images: np.ndarray, bank: np.ndarray, k: int, metric: str, without_own: bool) -> np.ndarray:
    """(n, k) rows of the bank, nearest first; ``without_own``: row i of the bank is image i, and never its own."""
    if without_own and bank is images and metric != "dot":
        return nearest.without_self(nearest.of_all(PairwiseTiles(among(images)), k + 1)).rows
    if metric == "dot":
        found = _largest_products(images, bank, k + without_own)
    else:
        pairs = (of_checked if metric == "cosine" else sqeuclidean)(images, bank)
        found = nearest.of_queries(PairwiseTiles(pairs), k + without_own)
    if not without_own:
        return found.rows
    return nearest.without_self(Lists(found.rows, found.distances, found.distances[:, -1])).rows


def _largest_products(images: np.ndarray, bank: np.ndarray, k: int) -> Nearest:
    """The rows of the bank with the largest inner products, the largest first, and these with the other sign."""
    kernel = kernels.of(images)
    tall = max(QUERIES, STRIP_ON_CUDA // (4 * len(bank))) if arrays.on_cuda(images) else QUERIES
    shape = len(images), min(k, len(bank))
    found = Nearest(arrays.empty(shape, np.float32, images), arrays.empty(shape, np.int32, images))
    for start in range(0, len(images), tall):
        opposite = -images[start : start + tall]  # the nearest are then the smallest
        strip = arrays.empty((len(opposite), len(bank)), np.float32, images)
        kernel.walk.over_rows(
            partial(_products, kernel, opposite, bank, strip), len(bank), what="neighbours", block=1024
        )
        for part, values in zip(found, answering.smallest(strip, shape[1]), strict=True):
            part[start : start + tall] = values
    return found


def _products(
    kernel: ModuleType, images: np.ndarray, bank: np.ndarray, out: np.ndarray, start: int, stop: int
) -> None:
    """``out[:, start:stop] = images . bank``."""
    kernel.tiles.multiply(images, bank[start:stop], out[:, start:stop])


def _expanded(
    images: np.ndarray,
    bank: np.ndarray,
    image_key: np.ndarray,
    bank_key: np.ndarray,
    rows: np.ndarray,
    alpha: float,
    decay: bool,
    include_self: bool,
    average: bool,
) -> np.ndarray:
    """``x + sum_r w_r bank_r`` over the number of images in the sum; weights from the keys' similarities."""
    n = rows.shape[1]
    if n == 0:
        return images
    xp, kernel = arrays.namespace(images), kernels.of(images)
    out = xp.empty_like(images)
    own = images if include_self else xp.zeros_like(images)
    by_rank = (np.arange(n, 0, -1) / (n + 1) if decay else np.ones(n)).astype(np.float32)
    by_rank = arrays.beside(by_rank, images)

    def expand(start: int, stop: int) -> None:
        weights = xp.tile(by_rank, (stop - start, 1))
        if alpha:
            weights *= _similar(image_key[start:stop], bank_key, rows[start:stop], alpha)
        kernel.expansion.add_neighbours(own[start:stop], bank, rows[start:stop], weights, out[start:stop])

    kernel.walk.over_rows(expand, len(images), what="expansion", block=256)
    return out / float(n + include_self) if average else out


def _similar(image_key: np.ndarray, bank_key: np.ndarray, rows: np.ndarray, alpha: float) -> np.ndarray:
    """(n, k) ``max(s, 0)^alpha`` of images and the rows of their neighbours."""
    xp = arrays.namespace(image_key)
    found = arrays.empty(tuple(rows.shape), np.float32, image_key)
    kernels.of(image_key).expansion.similarities(image_key, bank_key, rows, found)
    largest = xp.max(found)
    found[found < 0] = 0
    with np.errstate(over="ignore"):
        found = xp.pow(found, float(alpha))
    if not bool(xp.all(xp.isfinite(found))):
        raise ValueError(
            f"alpha: wanted weights that float32 can hold, got {alpha!r} with similarities up to "
            f"{float(largest):.3g}; normalise the features, or use a smaller alpha"
        )
    return found
