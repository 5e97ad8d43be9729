"""Scoring a matrix of distances or lists of gallery rows."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.base.kinds import Floats, Ints
from ensemble.scores import averages, lists, remarks
from ensemble.scores.labels import Labels
from ensemble.scores.protocol import Protocol
from ensemble.scores.protocols import PROTOCOLS
from ensemble.scores.values import Scores
from postproc.base import arrays, checks
from postproc.base.one_set import is_one_set
from postproc.base.vocabulary import Distances, Ranking


def score(
    distances: Distances,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike | None = None,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    query_track: ArrayLike | None = None,
    gallery_track: ArrayLike | None = None,
    query_image: ArrayLike | None = None,
    gallery_image: ArrayLike | None = None,
    *,
    columns: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    protocol: Protocol = PROTOCOLS["market1501"],
    cmc_length: int | None = None,
    permutations: ArrayLike | None = None,
) -> Scores:
    """Score a matrix of distances.

    Takes:      distances (nq, ng) float32, any unit, +inf = never returned; pid and cam (nq,) and (ng,) whole
                numbers. Without cameras nothing is removed for the camera, and the scores say so. Tracks, -1 none,
                where the protocol's rows are tracks; without them every image is one. Numbers of images, -1 none,
                where the protocol removes the query's own: the gallery image of the same number. A CUDA tensor of
                distances stays on its device, labels are NumPy arrays. Without ``gallery_pid`` it is one set, each
                image against all others: columns are given once, and no image counts as its own answer. So is a
                square with +inf on the diagonal and the same labels on both sides.
    columns:    others that the protocol's rules name, ``{"clothes": (query, gallery)}``: whole numbers or text, -1
                and "" unknown.
    cmc_length: 1 or more places; None for the whole gallery, or the cut, or the identities of a CMC of these.
    permutations: (trials, ng) for a protocol that draws galleries: inside each group that is drawn from, in the
                order of rows, a permutation of 1 to its size, of which the first are taken, as SYSU-MM01's
                ``rand_perm_cam`` has them. None: by the protocol's seed.
    Raises:     ValueError for NaN, wrong lengths, a camera on one side only, a track of several identities, and
                where no query has a match.
    Cost:       nq * ng vectorised comparisons for each good image of a query: sorting catches up at about a
                thousand of them. Memory: one row a thread; for tracks the matrix by tracks. All of it for each
                trial.

    >>> score(np.array([[0.1, 0.2, 0.4, 0.3]], np.float32), [7], [7, 8, 8, 7]).mAP     # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    array = checks.distances("distances", distances, cuda=True)
    if gallery_pid is not None and is_one_set(array) and np.array_equal(query_pid, gallery_pid):
        gallery_pid = None  # the labels of one set, given twice
    labels = Labels.checked(
        array.shape,
        query_pid,
        gallery_pid,
        query_cam,
        gallery_cam,
        query_track,
        gallery_track,
        query_image,
        gallery_image,
        columns,
    )
    scores = averages.of_distances(array, labels, protocol, cmc_length=cmc_length, permutations=permutations)
    scores = _among_themselves(scores, array, labels, protocol)
    return replace(scores, remarks=(*remarks.of(labels, protocol, scores.without_match), *scores.remarks))


def score_ranking(
    rows: Ranking,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike | None = None,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    query_track: ArrayLike | None = None,
    gallery_track: ArrayLike | None = None,
    query_image: ArrayLike | None = None,
    gallery_image: ArrayLike | None = None,
    *,
    columns: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    protocol: Protocol = PROTOCOLS["market1501"],
    cmc_length: int | None = None,
    permutations: ArrayLike | None = None,
) -> Scores:
    """Score lists of gallery rows, nearest first: a top-k answer or a submission.

    Takes:  rows (nq, k) int32, -1 at the end where nothing more is returned; the rest as :func:`score`.
            A list knows no ties, so ``sklearn`` is ``rectangle`` here.
    Raises: as :func:`score`; InputError for rows that are unknown or listed twice, and for lists too short
            for the protocol: each must hold ``top_k`` places after removal, or all that may be returned.
    Cost:   time in the length of the lists; one gallery row of memory a thread. Where the protocol draws, pools
            tracks or counts identities: as :func:`score`, and a matrix of places.

    >>> score_ranking(np.array([[0, 1, 3, 2]], np.int32), [7], [7, 8, 8, 7]).mAP     # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    count = np.size(query_pid if gallery_pid is None else gallery_pid)
    listed = lists.checked(rows, count)
    labels = Labels.checked(
        (len(listed), count),
        query_pid,
        gallery_pid,
        query_cam,
        gallery_cam,
        query_track,
        gallery_track,
        query_image,
        gallery_image,
        columns,
    )
    scores = averages.of_ranking(listed, labels, protocol, cmc_length=cmc_length, permutations=permutations)
    scores = _listed_among_themselves(scores, listed, labels, protocol)
    return replace(scores, remarks=(*remarks.of(labels, protocol, scores.without_match), *scores.remarks))


def cmc_all_shots(
    distances: Distances,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    *,
    junk: str = "bot",
    length: int = 100,
) -> Floats:
    """The ``allshots`` CMC of open-reid: every good image is one shot, placed by the wrong images before it.

    ``out[w]`` (length,) float64 is the share of a query's good images with at most ``w`` wrong ones before
    them, averaged over the queries with a match. The rest as :func:`score`; ``length`` floats a query. Where one
    image an identity is drawn, as for CUHK03, the CMC is that of the protocol ``cuhk03``.
    """
    checks.whole("length", length, 1)
    protocol = Protocol(junk=junk)
    array = checks.distances("distances", distances, cuda=True)
    labels = Labels.checked(array.shape, query_pid, gallery_pid, query_cam, gallery_cam)
    return averages.all_shots(array, labels, protocol, length)


def score_labelled(distances: Distances, labels: Labels, protocol: Protocol) -> Scores:
    """:func:`score` with labels that are checked already."""
    array = checks.distances("distances", distances, cuda=True)
    labels.refuse_unless(array.shape)
    return _among_themselves(averages.of_distances(array, labels, protocol), array, labels, protocol)


def score_labelled_ranking(rows: Ranking, labels: Labels, protocol: Protocol) -> Scores:
    """:func:`score_ranking` with labels that are checked already."""
    listed = lists.checked(rows, len(labels.gallery_pid))
    labels.refuse_unless((len(listed), len(labels.gallery_pid)))
    return _listed_among_themselves(averages.of_ranking(listed, labels, protocol), listed, labels, protocol)


def score_labelled_lists(starts: Ints, rows: NDArray[np.int32], labels: Labels, protocol: Protocol) -> Scores:
    """:func:`score_ranking` of lists of any length, that of query ``i`` being ``rows[starts[i]:starts[i + 1]]``.

    What a list does not hold was not found, so none is too short. The protocol ranks the gallery image by image as
    it is given, and knows no ties (:attr:`~ensemble.scores.Protocol.takes_lists`).
    """
    labels.refuse_unless((len(starts) - 1, len(labels.gallery_pid)))
    return averages.of_lists(starts, rows, labels, protocol)


def _among_themselves(scores: Scores, distances: Distances, labels: Labels, protocol: Protocol) -> Scores:
    """The scores, with a remark where one set was handed over as both sides."""
    count = len(distances)
    if distances.shape != (count, count) or labels.one_set:
        return scores
    said = remarks.among_themselves(arrays.host(distances.argmin(1)), labels, protocol)
    return replace(scores, remarks=(*scores.remarks, *said))


def _listed_among_themselves(scores: Scores, listed: Ranking, labels: Labels, protocol: Protocol) -> Scores:
    """The same of lists."""
    if not listed.shape[1] or labels.one_set:
        return scores
    return replace(
        scores,
        remarks=(*scores.remarks, *remarks.among_themselves(listed[:, 0].astype(np.int64), labels, protocol)),
    )
