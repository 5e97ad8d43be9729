"""Looks and time together: a match that nobody could have walked is no match.

Source: Wang et al., "Spatial-Temporal Person Re-identification", AAAI 2019, and the code released with it
(st-ReID), whose re-ranking on joint scores is here too.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Count, Mutual, Neighbours, Neutral, Share, TopK, Weight, Within
from postproc.base.step import JACCARD, step
from postproc.base.vocabulary import Array, Distances, Floats, Gallery, Nearest, Query, Unchecked
from postproc.constraints.prior import SpatioTemporalPrior, fit_prior
from postproc.context.kreciprocal import rerank_tiles
from postproc.pairs import answering, held, pairwise, spent
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import Pairwise
from postproc.pairs.tiles import PairwiseTiles, Tiles

Steepness = Annotated[Weight, Within(0, 64)]
Factor = Annotated[Weight, Within(0, 1e6)]
AtLeastOne = Annotated[Count, Within(1)]


@step(
    range=(0, 1),
    memory=held.compared(held.images(500), unit=True),
    loads=("scipy",),
    work=spent.together(spent.across(), spent.nearest, spent.matrix(5.5), spent.images(3300)),
)
def spatio_temporal(
    query: Query | Pairwise,
    gallery: Gallery | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    *,
    alpha: Steepness = 5.0,
    gamma_similarity: Factor = 1.0,
    gamma_time: Annotated[Factor, Neutral(0.0)] = 2.0,
    bin_frames: AtLeastOne = 100,
    bins: AtLeastOne = 5000,
    sigma: Factor = 50.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Join how alike two images are with how likely the gap in time is between their two cameras.

    ``out = 1 - S``, ``S = 1 / (1 + gamma_similarity e^(-alpha s)) * 1 / (1 + gamma_time e^(-alpha p))``: s the
    cosine, p the share of identities that took as long from the camera of the earlier image to that of the later,
    as :func:`fit_prior` learns it. p is 0 within one camera, for a camera that is unknown (-1) or not in the
    training set, for two cameras between which nobody passed, and for gaps of ``bins * bin_frames`` or more. Of
    two images of one frame the gallery's counts as later.

    Takes:   query (nq, d), gallery (ng, d) float32, brought to unit length here; s is 0 where a row is zero. Or
             one :class:`Pairwise` and None, whose distance D gives s = 1 - D / 2. Cameras (n,) int; frames (n,)
             int, in one unit, comparable between cameras and between the three sets: see
             :func:`cumulative_frames`. train_pid, train_cam, train_frame (n,) int, in which people passed from
             camera to camera as queries do. Or a :class:`SpatioTemporalPrior` and None twice: bin_frames, bins
             and sigma are its own then. One set, None and its columns is each image against all others.
    Returns: (nq, ng) float32 in 0..1, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query
             instead: the first ``top_k`` of the full answer (ties by gallery row), which never exists. Of one set
             (n, n), +inf on the diagonal, symmetric but for two cameras' images of one frame.
    alpha:   0 to 64, how steep both factors are. 0: all distances alike; large: s below 0 counts as none.
    gamma_similarity, gamma_time: 0 to 1,000,000. 0 takes the factor out; large: it stays proportional to
             e^(alpha s), or e^(alpha p). Released: 1 and 2.
    bin_frames, bins, sigma: of :func:`fit_prior`. Shares are small where there are many bins, so fewer bins give
             time more weight.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    one product of queries by gallery, a number looked up and an exponential a pair; memory: the answer,
             the histograms, one 16 MB tile a thread.
    Differs: the released code fails on a gap beyond the last bin, and takes an unknown camera for another.

    >>> q, g = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [0.8, 0.6]], np.float32)
    >>> when = np.array([0]), np.array([150, 350])  # one identity took 100 to 200 frames from camera 1 to camera 2
    >>> prior = fit_prior(np.array([5, 5]), np.array([1, 2]), np.array([10, 130]), bins=9, sigma=0)
    >>> spatio_temporal(q, g, np.array([1]), np.array([2, 2]), *when, prior, None, None).round(3)
    array([[0.031, 0.673]], dtype=float32)
    """
    pairs, images = _described(query, gallery, (query_cam, gallery_cam), (query_frame, gallery_frame))
    prior = _prior((train_pid, train_cam, train_frame), bin_frames, bins, sigma)
    joint = _joint(images, prior, alpha, gamma_similarity, gamma_time, like=pairs.like)
    gallery_images = joint.images(np.arange(pairs.count - pairs.sizes[1], pairs.count))

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        query_images = joint.images(queries)
        kernels.of(strip).walk.over_rows(
            lambda start, stop: joint.join(strip, query_images, gallery_images, False, start, stop),
            len(strip),
            what="joint scores",
        )

    return answering.answer(PairwiseTiles(pairs), change, top_k=top_k)


@step(
    unit=JACCARD,
    memory=held.compared(held.encoded, unit=True),
    loads=("scipy",),
    work=spent.together(
        spent.pairs(),
        spent.nearest,
        spent.looked(8.9),
        spent.matrix(12),
        spent.lists(78, "k1", "k2"),
        spent.read(130),
    ),
)
def rerank_spatio_temporal(
    query: Query | Pairwise,
    gallery: Gallery | None,
    query_cam: np.ndarray,
    gallery_cam: np.ndarray,
    query_frame: np.ndarray,
    gallery_frame: np.ndarray,
    train_pid: np.ndarray | SpatioTemporalPrior,
    train_cam: np.ndarray | None,
    train_frame: np.ndarray | None,
    *,
    k1: Annotated[Neighbours, Mutual()] = 20,
    k2: Neighbours = 6,
    lambda_value: Share = 0.3,
    alpha: Steepness = 5.0,
    gamma_similarity: Factor = 1.0,
    gamma_time: Factor = 2.0,
    bin_frames: AtLeastOne = 100,
    bins: AtLeastOne = 5000,
    sigma: Factor = 50.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Re-rank by neighbourhoods in looks and time, the distance of any two images being one minus the joint score.

    ``out = (1 - lambda_value) * Jaccard + lambda_value * (1 - S) / its largest value from the query to all``, the
    Jaccard distance as in ``rerank`` at power 2; S is the joint score of :func:`spatio_temporal`, which holds
    between query and query, gallery and gallery too. It makes no metric: no time is likely within one camera, so
    an image of another camera may be nearer to an image than that is to itself. Of two images of one frame the
    one whose neighbours are looked for counts as later, hence the query in the end, as released.

    Takes:   as :func:`spatio_temporal`. Of one set each image is in the lists of neighbours once, itself where its
             own distance puts it.
    Returns: (nq, ng) float32 in 0..1, smaller is nearer; with ``top_k`` the :class:`Nearest` of every query. Of
             one set (n, n), +inf on the diagonal.
    k1, k2, lambda_value: as in ``rerank``. Other settings as in :func:`spatio_temporal`.
    Raises:  ValueError naming the setting or array and what was wanted.
    Cost:    half a product of all by all and half as many exponentials; all of it where two cameras have an image
             of one frame, because a gap of 0 reads two ways. Memory: the answer, the sparse vectors, one 16 MB
             tile a thread. The released code holds all by all several times.

    >>> q, g = np.array([[1, 0]], np.float32), np.array([[0.8, 0.6], [0.8, 0.6], [0, 1]], np.float32)
    >>> cams, when = (np.array([1]), np.array([2, 2, 2])), (np.array([0]), np.array([150, 350, 450]))
    >>> prior = fit_prior(np.array([5, 5]), np.array([1, 2]), np.array([10, 130]), bins=9, sigma=0)
    >>> rerank_spatio_temporal(q, g, *cams, *when, prior, None, None, k1=1, k2=1).round(3)
    array([[0.412, 0.942, 1.   ]], dtype=float32)
    """
    pairs, images = _described(query, gallery, (query_cam, gallery_cam), (query_frame, gallery_frame))
    prior = _prior((train_pid, train_cam, train_frame), bin_frames, bins, sigma)
    joint = _joint(images, prior, alpha, gamma_similarity, gamma_time, like=pairs.like)
    # power 2: 1 - S as it is; the double of it, as released, is the same share of its largest
    return rerank_tiles(JointTiles(pairs, joint), k1=k1, k2=k2, lambda_value=lambda_value, power=2, top_k=top_k)


Images = tuple[np.ndarray, np.ndarray, np.ndarray]  # norms, cams, times


@dataclass(frozen=True)
class Joint:
    """What the joint score of two images depends on, apart from their distance; in NumPy but for ``factors``.

    Of every image, queries first: ``norms`` float32, squared length; ``cams`` int32, place in the prior; ``times``
    float64. ``factors`` (C + 1, C + 1, bins + 1) float32: the factor of time, the last camera standing for unknown
    ones and the last bin for longer gaps.
    """

    norms: np.ndarray
    cams: np.ndarray
    times: np.ndarray
    factors: Floats
    bin_frames: int
    alpha: float
    gamma: float

    def images(self, rows: slice | np.ndarray) -> Images:
        """The rows of the three, as the kernels take them, where the factors are."""
        norms, cams, times = _part((self.norms, self.cams, self.times), rows)
        return (
            arrays.beside(norms, self.factors),
            arrays.beside(cams, self.factors),
            arrays.beside(times, self.factors),
        )

    def join(
        self, tile: np.ndarray, rows: Images, columns: Images, rows_later: bool, start: int, stop: int
    ) -> None:
        """Rows ``start:stop`` of squared distances -> 1 - S, in place; at a gap of 0 the row's image is the later
        if ``rows_later``."""
        kernels.of(tile).spatio_temporal.join_tile(
            tile, *rows, *columns, self.factors, self.bin_frames, self.alpha, self.gamma, rows_later, start, stop
        )


class JointTiles(Tiles):
    """Tiles of 1 - S between all images; at a gap of 0 the row's image counts as later, so S may be asymmetric."""

    def __init__(self, pairs: Pairwise, joint: Joint) -> None:
        nq = 0 if pairs.one_set else pairs.sizes[0]
        known = joint.cams < len(joint.factors) - 1
        times = np.where(known, joint.times, 0)  # without a camera, time tells nothing apart
        _, labels = np.unique(np.stack([times, joint.cams], axis=1), axis=0, return_inverse=True)
        labels = labels.reshape(-1)
        self.joint = joint
        self.plain = PairwiseTiles(pairs, (labels[nq:] if pairs.one_set else labels[:nq], labels[nq:]))
        self.layout = self.plain.layout
        self.images = joint.images(self.layout.first)
        passages = np.unique(np.stack([times, joint.cams], axis=1)[known], axis=0)
        self.symmetric = len(np.unique(passages[:, 0])) == len(passages)

    def tile(self, rows: slice, columns: slice, out: np.ndarray) -> np.ndarray:
        tile = self.plain.tile(rows, columns, out)
        self.joint.join(tile, _part(self.images, rows), _part(self.images, columns), True, 0, len(tile))
        return tile

    def between(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        values = self.plain.between(left, right)
        joint, kernel = self.joint, kernels.of(values)
        images = joint.images(slice(None))  # there, once for all ranges
        kernel.walk.over_rows(
            lambda start, stop: kernel.spatio_temporal.join_pairs(
                values, left, right, *images,
                joint.factors, joint.bin_frames, joint.alpha, joint.gamma, start, stop,
            ),
            len(values),
            what="joint scores",
        )  # fmt: skip
        return values


def _part(images: Images, rows: slice | np.ndarray) -> Images:
    norms, cams, times = images
    return norms[rows], cams[rows], times[rows]


def _described(
    query: Unchecked, gallery: Unchecked, cams: tuple[Unchecked, Unchecked], frames: tuple[Unchecked, Unchecked]
) -> tuple[Pairwise, Images]:
    """The distances, and of every image the squared length, the camera and the frame, checked."""
    sides: list[Array] = []
    if not isinstance(query, Pairwise):
        given = [("query", query)] if gallery is None else [("query", query), ("gallery", gallery)]
        sides = [l2_normalize(checks.features(name, side, cuda=True)) for name, side in given]
    pairs = pairwise.of(*(sides or (query, gallery)), cuda=True)
    norms = np.ones(pairs.count, np.float32)
    if sides:
        norms[:] = np.concatenate([arrays.host((side != 0).any(axis=1)) for side in sides])
    once = 1 if pairs.one_set else 0  # the columns of one set are the same on both sides
    cam, frame = (
        np.concatenate(checks.labels_of_sides(what, *both, pairs.sizes)[once:])
        for what, both in (("cam", cams), ("frame", frames))
    )
    return pairs, (norms, cam, frame)


def _joint(
    images: Images,
    prior: SpatioTemporalPrior,
    alpha: float,
    gamma_similarity: float,
    gamma_time: float,
    *,
    like: Array,
) -> Joint:
    norms, cam, frame = images
    factors = arrays.beside(_factors(prior, float(alpha), float(gamma_time)), like)
    since = frame - frame.min(initial=2**62)  # gaps know no origin, and float64 no nanoseconds since 1970
    cams, times = prior.codes(cam).astype(np.int32), since.astype(np.float64)
    return Joint(norms, cams, times, factors, prior.bin_frames, float(alpha), float(gamma_similarity))


def _prior(
    train: tuple[Unchecked, Unchecked, Unchecked], bin_frames: int, bins: int, sigma: float
) -> SpatioTemporalPrior:
    if not isinstance(train[0], SpatioTemporalPrior):
        return fit_prior(*train, bin_frames=bin_frames, bins=bins, sigma=sigma)
    if train[1] is not None or train[2] is not None:
        raise ValueError("train_cam, train_frame: a SpatioTemporalPrior is all that is learned, give None")
    return train[0]


def _factors(prior: SpatioTemporalPrior, alpha: float, gamma: float) -> Floats:
    """``1 / (1 + gamma e^(-alpha p))`` of all histograms, with a camera and a bin of p = 0 after the last."""
    cameras, _, bins = prior.histograms.shape
    factors = np.full((cameras + 1, cameras + 1, bins + 1), 1 / (1 + gamma), np.float32)
    for later, rows in enumerate(prior.histograms):
        factors[later, :cameras, :bins] = 1 / (1 + gamma * np.exp(-alpha * rows.astype(np.float64)))
    return factors
