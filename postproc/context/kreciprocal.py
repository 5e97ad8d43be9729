"""The k-reciprocal method on tiles: from neighbour lists to sparse weight rows to Jaccard distances.

1. ``nearest.of_all``: neighbour lists and the largest distance of every row, one walk over the tiles.
2. :func:`encode`: expanded reciprocal sets, weights exp(-p) over their sum, their mean over k2 neighbours; all
   sparse, some hundred entries an image.
3. ``jaccard_change``: Jaccard distance by an inverted index over the gallery, mixed with the distance itself; or,
   where the ``top_k`` nearest are enough, :mod:`postproc.context.overlaps`, which looks at few pairs only.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from postproc import kernels
from postproc.base import arrays, temporary
from postproc.base.vocabulary import Floats, Nearest
from postproc.context import overlaps
from postproc.context.sparse import Sparse
from postproc.pairs import answering, long_lists, nearest
from postproc.pairs.layout import Layout
from postproc.pairs.nearest import Lists
from postproc.pairs.tiles import PairwiseTiles, Tiles


def rerank_tiles(
    tiles: Tiles,
    *,
    k1: int,
    k2: int,
    lambda_value: float,
    power: float,
    top_k: int | None,
    count_self: bool = False,
    normalize: bool = True,
    unit: float = 2.0,
) -> Floats | Nearest:
    """``(1 - lambda) * Jaccard + lambda * p`` for every query and gallery image, or the ``top_k`` smallest.

    ``p = D^(power / 2) / its largest value in the query's row``, D being what the tiles hold. Not ``normalize``:
    weights from ``D^(power / 2)`` itself, and ``(D / unit)^(power / 2)`` in the mix; 2 is OpenUnReID's.
    """
    layout = tiles.layout
    length = overlaps.length(tiles, top_k)
    if top_k is not None and length is not None:
        return _of_candidates(
            tiles, length, k1=k1, k2=k2, lambda_value=lambda_value, power=power, top_k=top_k,
            count_self=count_self, normalize=normalize, unit=unit,
        )  # fmt: skip
    kept = not arrays.on_cuda(layout.like) and long_lists.keeps_matrix(layout.nq, layout.ng, top_k)
    whole = top_k is None or kept
    answer = arrays.empty((layout.nq, layout.ng), np.float32, layout.like) if whole else None
    vectors, largest = neighbourhoods(
        tiles, k1=k1, k2=k2, power=power, count_self=count_self, normalize=normalize, answer=answer,
        weighed=lambda_value < 1,
    )  # fmt: skip
    scale = largest if normalize else arrays.namespace(largest).full_like(largest, unit)
    blend = jaccard_change(vectors, layout, scale, lambda_value, power)
    own = 0 if count_self and top_k is None else np.inf
    found = answering.answer(tiles, blend, top_k=None if whole else top_k, filled=answer, own=own)
    if top_k is None or isinstance(found, Nearest):
        return found
    return answering.smallest(found, min(top_k, max(1, layout.others)))


def neighbourhoods(
    tiles: Tiles,
    *,
    k1: int,
    k2: int,
    power: float,
    count_self: bool = False,
    normalize: bool = True,
    answer: Floats | None = None,
    weighed: bool = True,
) -> tuple[Sparse, Floats]:
    """V of every image, averaged over its k2 nearest, and the largest distance from it.

    ``answer`` (nq, ng) is filled with distances on the way; ``weighed``: whether V counts in it.
    """
    length = k1 if count_self else k1 + 1
    lists = nearest.of_all(tiles, max(length, k2), answer)
    refuse_power(lists.largest, power)
    if weighed and not normalize:
        refuse_weightless(lists.values[:, 1:2], power)
    vectors = encode(tiles, _scaled(lists, normalize), k1=k1, length=length, power=power)
    return vectors.mean(lists.rows[:, :k2]) if k2 > 1 else vectors, lists.largest


def refuse_power(largest: Floats, power: float) -> None:
    """Refuse distances whose largest, to the power / 2, is infinite or nothing in float32: shares are NaN or 0."""
    xp, kind = arrays.namespace(largest), np.finfo(np.float32)
    most = float(xp.max(xp.abs(largest)))
    if not 0 < most < np.inf:  # copies of one image, or none but it
        return
    exponent = power / 2 * np.log(most)
    if not np.log(kind.tiny) < exponent < np.log(kind.max):
        raise ValueError(
            f"power: wanted distances whose power float32 can hold, 1.2e-38 to 3.4e38, found {most:g} to the "
            f"{power / 2:g}; take a smaller power, or normalise what is compared before"
        )


def refuse_weightless(nearest: Floats, power: float) -> None:
    """Refuse plain distances, not normalised, of images to their nearest others (n, any number) by which most have
    none that counts: its weight exp(-p) is below 2^-24 of the image's own, 1.

    Neighbourhoods are empty then, and nearly all pairs of images equally far.
    """
    if not nearest.shape[1]:
        return
    longest = (24 * math.log(2)) ** (2 / power)
    lost, count = int((nearest > longest).all(1).sum()), len(nearest)
    if lost > count / 2:
        raise ValueError(
            f"normalize: wanted distances of which exp(-p) is a weight, up to {longest:.3g}, found {lost} of "
            f"{count} images whose nearest other is farther; normalise what is compared before, or set "
            "normalize=True"
        )


def _scaled(lists: Lists, normalize: bool) -> Lists:
    """The same lists with what their distances are divided by in the place of the largest ones."""
    return lists if normalize else replace(lists, largest=arrays.namespace(lists.largest).ones_like(lists.largest))


def _of_candidates(
    tiles: Tiles,
    wide: int,
    *,
    k1: int,
    k2: int,
    lambda_value: float,
    power: float,
    top_k: int,
    count_self: bool,
    normalize: bool,
    unit: float,
) -> Nearest:
    """:func:`rerank_tiles` by :mod:`postproc.context.overlaps`, from lists that are ``wide`` or longer."""
    length = k1 if count_self else k1 + 1
    short = max(length, k2)
    lists = nearest.of_all(tiles, max(short, wide))
    refuse_power(lists.largest, power)
    if lambda_value < 1 and not normalize:
        refuse_weightless(lists.values[:, 1:2], power)
    near = lists.rows[:, :k2].copy() if k2 > 1 else np.arange(len(lists.rows), dtype=np.int32)[:, None]
    head = Lists(lists.rows[:, :short].copy(), lists.values[:, :short].copy(), lists.largest)
    if isinstance(tiles, PairwiseTiles) and tiles.on_disk:
        tiles.look_here_and_there()
        # the long lists are only looked at again when answers are written into them
        rows, values = (temporary.aside(part, "neighbours") for part in (lists.rows, lists.values))
        lists = replace(lists, rows=rows, values=values)
    encoded = encode(tiles, _scaled(head, normalize), k1=k1, length=length, power=power)
    del head
    vectors = overlaps.Averaged(encoded, near, tiles.layout.one_set)
    scale = lists.largest if normalize else np.full_like(lists.largest, unit)
    return overlaps.Finish.of(tiles, vectors, scale, lambda_value, power).nearest(lists, top_k)


def encode(tiles: Tiles, lists: Lists, *, k1: int, length: int, power: float) -> Sparse:
    """The sparse vector V of every image (Zhong et al., equation 7); lists are ``length`` long.

    Every row sums to one, except near an image that more than k1 copies crowd out of its own list: its set is
    empty, as in the released code.
    """
    flags = mutual(lists.rows, lengths(len(lists.rows), k1, length), 0, len(lists.rows))
    return encode_rows(tiles, lists, flags, 0, len(lists.rows), power)


def lengths(images: int, k1: int, length: int) -> tuple[int, int]:
    """How much of a list is looked at for reciprocal neighbours, and for those that expand their sets."""
    whole = min(length, images)
    return whole, min(round(k1 / 2) + 1, whole)  # round: half to even, as released


def mutual(rows: np.ndarray, sizes: tuple[int, int], first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """For the rows ``first .. last`` of lists whether a neighbour has the image in its list too, of either length.

    Two arrays (images, length) bool, of which the other rows are not set, and not touched.
    """
    kernel = kernels.of(rows)
    flags = tuple(arrays.empty((len(rows), size), np.bool_, rows) for size in sizes)

    def find(start: int, stop: int) -> None:
        for size, found in zip(sizes, flags, strict=True):
            kernel.reciprocal.mutual(rows, size, first + start, first + stop, found)

    kernel.walk.over_rows(find, last - first, what="reciprocal neighbours")
    return flags[0], flags[1]


def encode_rows(
    tiles: Tiles, lists: Lists, flags: tuple[np.ndarray, np.ndarray], first: int, last: int, power: float
) -> Sparse:
    """The rows ``first .. last`` of :func:`encode`; ``flags`` of all images are those of :func:`mutual`.

    The same bits for any range.
    """
    kernel, xp = kernels.of(lists.values), arrays.namespace(lists.values)
    offsets, members = Sparse.in_pieces(
        lambda start, stop: kernel.reciprocal.reciprocal_sets(lists.rows, *flags, first + start, first + stop),
        last - first,
        lists.rows,
    )
    ends = offsets  # by the number of the image, as kernels ask
    if last - first < len(lists.rows):
        ends = arrays.empty(len(lists.rows) + 1, np.int64, offsets)
        ends[first : last + 1] = offsets
    weights = arrays.empty(len(members), np.float32, lists.values)
    kernel.walk.over_rows(
        lambda start, stop: kernel.reciprocal.fill_known(
            ends, members, lists.rows, lists.values, tiles.symmetric, first + start, first + stop, weights
        ),
        last - first,
        what="weights",
    )
    (unknown,) = xp.nonzero(xp.isnan(weights))
    for start in range(0, len(unknown), overlaps.PAIRS):
        some = unknown[start : start + overlaps.PAIRS]
        owners = first + xp.searchsorted(offsets, some, side="right") - 1
        weights[some] = tiles.between(arrays.as_type(owners, np.int32), members[some])
    kernel.walk.over_rows(
        lambda start, stop: kernel.reciprocal.to_weights(
            ends, weights, lists.largest, power / 2, first + start, first + stop
        ),
        last - first,
        what="weights",
    )
    return Sparse(offsets, members, weights)


def jaccard_change(
    vectors: Sparse, layout: Layout, largest: np.ndarray, lambda_value: float, power: float
) -> Callable[[np.ndarray, np.ndarray], None]:
    """A function that turns the distances of (queries, gallery) into the final ones, in place."""
    kernel = kernels.of(vectors.weights)
    least = arrays.full(layout.ng, 0, np.float32, vectors.weights)
    if layout.one_set:  # i and j share what j and i share, to the last bit
        vectors = vectors.in_order()
        kernel.walk.over_rows(
            lambda start, stop: kernel.reciprocal.row_sums(vectors.offsets, vectors.weights, start, stop, least),
            layout.ng,
            what="weights",
        )
    inverted = vectors.inverted(layout.border)

    def blend(strip: np.ndarray, queries: np.ndarray) -> None:
        kernel.walk.over_rows(
            lambda start, stop: kernel.reciprocal.finish_strip(
                strip, queries, vectors.offsets, vectors.members, vectors.weights, *inverted, least,
                largest, power / 2, np.float32(lambda_value), start, stop,
            ),
            len(strip),
            what="Jaccard distances",
            block=16,
        )  # fmt: skip

    return blend
