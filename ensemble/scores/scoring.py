"""Scoring a matrix of distances or lists of gallery rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.scores import counting, draws, labels, values
from ensemble.scores.labels import Given
from ensemble.scores.protocols import AP_RULES, DIVISORS, PROTOCOLS, Protocol
from ensemble.scores.values import Scores
from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.vocabulary import Distances, Ranking

if TYPE_CHECKING:
    from ensemble.scores.counting.cpu import Labels, Rules


def score(
    distances: Distances,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    query_track: ArrayLike | None = None,
    gallery_track: ArrayLike | None = None,
    query_image: ArrayLike | None = None,
    gallery_image: ArrayLike | None = None,
    *,
    protocol: Protocol = PROTOCOLS["market1501"],
    cmc_length: int | None = None,
    permutations: ArrayLike | None = None,
) -> Scores:
    """Score a matrix of distances.

    Takes:      distances (nq, ng) float32, any unit, +inf = never returned; pid and cam (nq,) and (ng,) whole
                numbers. Without cameras nothing is removed for the camera, and the scores say so. Tracks, -1 none,
                where the protocol's rows are tracks; without them every image is one. Numbers of images, -1 none,
                where the protocol removes the query's own: the gallery image of the same number. A CUDA tensor of
                distances stays on its device, labels are NumPy arrays.
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
    known = labels.given(
        array.shape,
        query_pid,
        gallery_pid,
        query_cam,
        gallery_cam,
        query_track,
        gallery_track,
        query_image,
        gallery_image,
    )
    if permutations is not None and (protocol.draw is None or protocol.draw.each == "query"):
        raise ValueError("permutations: wanted a protocol that draws one gallery for all queries")
    return _score(array, known, protocol, cmc_length, permutations)


def score_ranking(
    rows: Ranking,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    query_track: ArrayLike | None = None,
    gallery_track: ArrayLike | None = None,
    query_image: ArrayLike | None = None,
    gallery_image: ArrayLike | None = None,
    *,
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
    from ensemble.scores.counting import cpu

    ng = np.size(gallery_pid)
    listed = _listed(rows, ng)
    known = labels.given(
        (len(listed), ng),
        query_pid,
        gallery_pid,
        query_cam,
        gallery_cam,
        query_track,
        gallery_track,
        query_image,
        gallery_image,
    )
    plain = Protocol(junk="none") if protocol.reshapes else protocol
    scores = _scored(cpu.score_listed_rows, listed, known, plain, cmc_length)
    if not protocol.reshapes:
        return scores
    places = np.full((len(listed), ng), np.inf, np.float32)
    query, place = np.nonzero(listed >= 0)
    places[query, listed[query, place]] = place
    return _score(places, known, protocol, cmc_length, permutations)


def cmc_all_shots(
    distances: Distances,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    *,
    junk: str = "bot",
    length: int = 100,
) -> NDArray[np.float64]:
    """The ``allshots`` CMC of open-reid: every good image is one shot, placed by the wrong images before it.

    ``out[w]`` (length,) float64 is the share of a query's good images with at most ``w`` wrong ones before
    them, averaged over the queries with a match. The rest as :func:`score`; ``length`` floats a query. Where one
    image an identity is drawn, as for CUHK03, the CMC is that of the protocol ``cuhk03``.
    """
    checks.whole("length", length, 1)
    protocol = Protocol(junk=junk)
    array = checks.distances("distances", distances, cuda=True)
    known = labels.given(array.shape, query_pid, gallery_pid, query_cam, gallery_cam)
    ready = labels.ready(protocol, known)
    positives, shares = np.zeros(len(array), np.int64), np.zeros((len(array), length))
    rules = _rules(protocol, array.shape[1])

    kernel = counting.of(array)

    def block(start: int, stop: int) -> None:
        kernel.all_shots_rows(start, stop, array, ready, rules, positives, shares)

    kernels.of(array).walk.over_rows(block, len(array), what="scores")
    _refuse_no_match(positives, ready, protocol)
    summed: NDArray[np.float64] = np.cumsum(shares.sum(axis=0))
    return summed / np.count_nonzero(positives)


def _score(
    array: NDArray[np.float32],
    known: Given,
    protocol: Protocol,
    cmc_length: int | None,
    permutations: ArrayLike | None,
) -> Scores:
    """Tracks, then trials, then the counting."""
    queries = None
    given = known
    if protocol.rows != "images":
        array, known, queries = labels.by_tracks(array, known, protocol)
    draw, score_rows = protocol.draw, counting.of(array).score_rows
    if draw is None:
        scores = _scored(score_rows, array, known, protocol, cmc_length)
    elif draw.each == "query":
        whole = _scored(score_rows, array, known, protocol, cmc_length)
        scores = values.mean(protocol, [_single_shot(whole, array, known, trial) for trial in range(draw.trials)])
    else:
        masks = draws.galleries(draw, known, permutations)
        trials = [_scored(score_rows, array, known, protocol, cmc_length, kept) for kept in masks]
        scores = values.mean(protocol, trials)
    scores = replace(scores, **given.known(protocol))
    return scores if queries is None else _for_images(scores, queries)


def _scored(
    kernel: Callable[..., None],
    data: NDArray[Any],
    known: Given,
    protocol: Protocol,
    cmc_length: int | None,
    kept: NDArray[np.bool_] | None = None,
) -> Scores:
    """Let ``kernel`` find every query's own scores from its row of ``data``, and average."""
    from ensemble.scores.counting.cpu import Answer

    ready = labels.ready(protocol, known, kept)
    nq, ng = len(data), len(known.gallery_pid)
    cut = min(protocol.top_k or ng, ng)
    kinds = (np.int64, np.int64, np.float64, np.float64, np.int64, np.int64)
    answer = Answer(*(np.zeros(nq, dtype) for dtype in kinds))
    rules = _rules(protocol, ng)

    def block(start: int, stop: int) -> None:
        kernel(start, stop, data, ready, rules, answer)

    kernels.of(data).walk.over_rows(block, nq, what="scores")
    _refuse_faults(answer.fault, ng, protocol)
    _refuse_no_match(answer.positives, ready, protocol)

    count = nq if protocol.denominator == "all" else np.count_nonzero(answer.positives)
    with_match = np.maximum(answer.positives, 1)
    return Scores(
        protocol=protocol,
        **known.known(protocol),
        mAP=float(np.nansum(answer.ap) / count),
        mINP=float(np.nansum(answer.inp) / count),
        recall=float(np.sum(answer.found / with_match) / count),
        precision=float(answer.found.sum() / (count * cut)),
        **_by_first_hit(answer.first_hit, int(count), _length(protocol, known, kept, cmc_length)),
        ap=answer.ap,
        inp=answer.inp,
        without_match=np.flatnonzero(answer.positives == 0),
    )


def _by_first_hit(first_hit: NDArray[np.int64], count: int, length: int) -> dict[str, Any]:
    """The scores that look only at the first good image of each query."""
    found = first_hit[first_hit >= 0]
    cmc = np.cumsum(np.bincount(found, minlength=max(length, 10))) / count
    ranks = {f"rank{k}": float(cmc[k - 1]) for k in (1, 5, 10)}
    return {**ranks, "mrr": float(np.sum(1 / (found + 1)) / count), "cmc": cmc[:length], "first_hit": first_hit}


def _length(protocol: Protocol, known: Given, kept: NDArray[np.bool_] | None, wanted: int | None) -> int:
    """How many places the CMC has."""
    if wanted is not None:
        checks.whole("cmc_length", wanted, 1)
        return wanted
    ng = len(known.gallery_pid)
    single = protocol.draw is not None and protocol.draw.each == "query"
    if single or protocol.cmc == "identities":
        return len(np.unique(known.gallery_pid))
    drawn = ng if kept is None else np.count_nonzero(kept)
    return int(min(protocol.top_k or drawn, drawn))


def _single_shot(whole: Scores, array: NDArray[np.float32], known: Given, trial: int) -> Scores:
    """``whole`` with the CMC of one trial in which each query draws one image of each identity."""
    from ensemble.scores.counting import cpu

    protocol = whole.protocol
    assert protocol.draw is not None
    draw = protocol.draw
    ready = labels.ready(protocol, known)
    first_hit = np.empty(len(array), np.int64)

    def block(start: int, stop: int) -> None:
        rows = arrays.host(array[start:stop])
        for i in range(start, stop):
            keys = draws.keys_of_query(draw, trial, i, array.shape[1])
            first_hit[i] = cpu.single_shot(i, rows[i - start], ready, keys)

    kernels.of(array).walk.over_rows(block, len(array), what="scores")
    count = len(array) if protocol.denominator == "all" else len(array) - len(whole.without_match)
    return replace(whole, **_by_first_hit(first_hit, count, len(whole.cmc)))


def _for_images(scores: Scores, track: NDArray[np.int64]) -> Scores:
    """The scores of query tracks with one row for every image of theirs."""
    ap = scores.ap[track]
    return replace(
        scores,
        ap=ap,
        inp=scores.inp[track],
        first_hit=scores.first_hit[track],
        without_match=np.flatnonzero(np.isnan(ap)),
        trials=tuple(_for_images(trial, track) for trial in scores.trials),
    )


def _rules(protocol: Protocol, ng: int) -> "Rules":
    from ensemble.scores.counting.cpu import Rules

    return Rules(
        cut=min(protocol.top_k or ng, ng),
        before=protocol.cut == "before",
        ap=AP_RULES.index(protocol.ap),
        divide=list(DIVISORS).index(protocol.divide),
        identities=protocol.cmc == "identities",
    )


def _refuse_no_match(positives: NDArray[np.int64], ready: "Labels", protocol: Protocol) -> None:
    """A mean over nothing is no number: say why there is none."""
    if positives.any():
        return
    alone = np.count_nonzero(ready.stops == ready.starts)
    raise ValueError(
        f"query_pid and gallery_pid: wanted a query with a match, found none among {len(positives)}: "
        f"{alone} have no identity or one that the gallery lacks, {len(positives) - alone} meet theirs only "
        f"in what is removed or cut ({protocol.describe()}); are these the labels of these images?"
    )


def _listed(rows: Ranking, ng: int) -> NDArray[np.int32]:
    """``rows`` as C-ordered int32, every one of them a gallery row or -1."""
    array = np.asarray(arrays.host(rows))
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"rows: wanted (queries, places), got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"rows: wanted whole numbers, got {array.dtype}")
    bad = np.flatnonzero((array.min(axis=1) < -1) | (array.max(axis=1) >= ng))
    if len(bad):
        raise InputError(
            [f"rows: wanted 0 to {ng - 1}, or -1 for none, found others in queries {examples(bad.tolist())}"]
        )
    return np.ascontiguousarray(array, np.int32)


def _refuse_faults(fault: NDArray[np.int64], ng: int, protocol: Protocol) -> None:
    """One message for all that is wrong with the lists."""
    from ensemble.scores.counting import cpu

    whole = f"all {ng} gallery rows, because the protocol has no cut"
    needed = whole if protocol.top_k is None else f"{protocol.top_k} places {protocol.cut} removal"
    meaning = {
        cpu.TWICE: "wanted every gallery row once, found one again",
        cpu.GAP: "wanted -1 only at the end, found a row behind it",
        cpu.SHORT: f"wanted {needed}, found shorter lists; give longer ones or set a smaller top_k",
    }
    found = {text: np.flatnonzero(fault == code).tolist() for code, text in meaning.items()}
    refuse_if_any([f"rows: {text} (queries {examples(who)})" for text, who in found.items() if who])
