"""Query expansion: average an image with its nearest neighbours, then search with that.

Sources: Chum et al., "Total Recall", ICCV 2007 (average); Radenovic et al., "Fine-tuning CNN Image Retrieval",
TPAMI 2018 (alpha); fast-reid ``aqe`` and S1's ``query_expansion_{cos,eu}.py``, both reproduced by settings.
"""

from functools import partial

import numpy as np

from postproc import checks, nearest, runtime
from postproc.l2_normalize import l2_normalize
from postproc.pairwise import sqeuclidean
from postproc.tiles import PairwiseTiles
from postproc.types import Gallery, Query

METRICS = ("cosine", "dot", "sqeuclidean")


def query_expansion(
    query: Query,
    gallery: Gallery,
    *,
    k: int = 10,
    alpha: float = 0.0,
    rounds: int = 1,
    metric: str = "cosine",
    expand: str = "query",
    find_anew: bool = True,
    renormalize: bool = True,
) -> tuple[Query, Gallery]:
    """Replace an image by the weighted mean of itself and its ``k`` nearest others.

    ``x <- (x + sum_{j in N_k(x)} max(s_j, 0)^alpha x_j) / (k + 1)``, s the similarity, then ``x / |x|``.

    Takes:   query (nq, d), gallery (ng, d) float32.
    Returns: both, (nq, d) and (ng, d) float32; the gallery is the one given unless ``expand`` is "both".
    k:       0 or more neighbours, the image itself not counted, cut to what there is; 0 changes nothing.
    alpha:   0 to 64. 0: all neighbours count alike; large: only the very similar count. 3 is usual.
    rounds:  0 or more; 0 changes nothing.
    metric:  what "nearest" is, and with it s: the cosine, or for "dot" and "sqeuclidean" the inner product. What
             is averaged are the features as they are.
    expand:  "query": queries from the gallery. "both": every image from all images, queries and gallery.
    find_anew: look for neighbours again in every round; if not, the first round's serve in all.
    renormalize: bring what was expanded to unit length after every round.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    a product a round (all by all for "both", half of it computed), k gathered rows an image.

    Released code: fast-reid's ``k`` counts the image itself, expands both sides and returns the plain mean:
    its ``k, alpha`` are ``k=k - 1, alpha=alpha, expand="both", renormalize=False`` here. S1's T nearest in its
    two forms: ``k=T, metric="dot", renormalize=False``; and ``k=T, metric="sqeuclidean", rounds=2,
    find_anew=False, renormalize=False``, whose second round meets the neighbours of the first.

    >>> q, g = np.array([[1.0, 0.0]], np.float32), np.array([[0.0, 1.0], [-1.0, 0.0]], np.float32)
    >>> query_expansion(q, g, k=1, renormalize=False)[0]
    array([[0.5, 0.5]], dtype=float32)
    """
    query, gallery = checks.features("query", query), checks.features("gallery", gallery)
    checks.same_width("query", query, "gallery", gallery)
    checks.not_empty("query", query)
    checks.not_empty("gallery", gallery)
    checks.whole("k", k, 0)
    checks.between("alpha", alpha, 0, 64)
    checks.whole("rounds", rounds, 0)
    checks.one_of("metric", metric, METRICS)
    checks.one_of("expand", expand, ("query", "both"))
    checks.flag("find_anew", find_anew)
    checks.flag("renormalize", renormalize)
    if k == 0 or rounds == 0:
        return query, gallery
    rows = None
    for _ in range(rounds):
        sides = (query, gallery)
        query_key, gallery_key = map(l2_normalize, sides) if metric == "cosine" else sides
        if rows is None or find_anew:
            rows = _neighbours(query_key, gallery_key, k, metric, expand)
        if expand == "query":
            query = _mean(query, gallery, query_key, gallery_key, rows, alpha)
        else:
            bank, key = np.concatenate(sides), np.concatenate([query_key, gallery_key])
            query, gallery = np.split(_mean(bank, bank, key, key, rows, alpha), [len(query)])
        if renormalize:
            query = l2_normalize(query)
            gallery = l2_normalize(gallery) if expand == "both" else gallery
    return query, gallery


def _neighbours(query: np.ndarray, bank: np.ndarray, k: int, metric: str, expand: str) -> np.ndarray:
    """(n, k) rows of the bank, or of queries and bank together, nearest first, never the image itself."""
    if expand == "both":
        if metric == "dot":
            raise ValueError('metric: "dot" has no self-distance to leave out, use it with expand="query"')
        found = nearest.of_all(PairwiseTiles(sqeuclidean(query, bank)), k + 1).rows
        return _without_self(found)
    if metric == "dot":
        rows = np.empty((len(query), min(k, len(bank))), np.int32)
        for start in range(0, len(query), 256):
            strip = np.empty((len(query[start : start + 256]), len(bank)), np.float32)
            runtime.over_rows(
                partial(_negative_products, query[start : start + 256], bank, strip),
                len(bank),
                what="neighbours",
                block=1024,
            )
            rows[start : start + 256] = nearest.smallest(strip, rows.shape[1]).rows
        return rows
    return nearest.of_queries(PairwiseTiles(sqeuclidean(query, bank)), k).rows


def _negative_products(query: np.ndarray, bank: np.ndarray, out: np.ndarray, start: int, stop: int) -> None:
    """``out[:, start:stop] = - query . bank``, so that the nearest are the smallest."""
    np.matmul(query, -bank[start:stop].T, out=out[:, start:stop])


def _without_self(lists: np.ndarray) -> np.ndarray:
    """Drop the image itself from its list; where copies crowd it out, drop the last."""
    own = lists == np.arange(len(lists))[:, None]
    own[~own.any(axis=1), -1] = True
    return lists[~own].reshape(len(lists), -1)


def _mean(
    images: np.ndarray,
    bank: np.ndarray,
    image_key: np.ndarray,
    bank_key: np.ndarray,
    rows: np.ndarray,
    alpha: float,
) -> np.ndarray:
    """``(x + sum_j w_j bank_j) / (1 + number of neighbours)``, weights from the keys' similarities."""
    out = np.empty_like(images)

    def expand(start: int, stop: int) -> None:
        total = images[start:stop].copy()
        for column in rows[start:stop].T:
            neighbour = bank[column]
            if alpha:
                similarity = np.einsum("ij,ij->i", image_key[start:stop], bank_key[column])
                with np.errstate(over="ignore", invalid="ignore"):
                    neighbour *= np.maximum(similarity, 0)[:, None] ** np.float32(alpha)
                if not np.isfinite(neighbour).all():
                    raise ValueError(
                        f"alpha: wanted weights that float32 can hold, got {alpha!r} with similarities up to "
                        f"{similarity.max():.3g}; normalise the features, or use a smaller alpha"
                    )
            total += neighbour
        out[start:stop] = total / np.float32(rows.shape[1] + 1)

    runtime.over_rows(expand, len(images), what="expansion", block=256)
    return out
