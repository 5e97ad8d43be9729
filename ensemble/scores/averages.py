"""From distances and checked labels to scores: rows of tracks, galleries that are drawn, the counting, means."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.base.kinds import Array, Bools, Floats, Ints
from ensemble.scores import counting, draws, lists, statistics, tracks, values
from ensemble.scores.labels import Labels, apart
from ensemble.scores.matching import matches
from ensemble.scores.protocol import AP_RULES, DIVISORS, Draw, Protocol
from ensemble.scores.remarks import by_chance, one_camera
from ensemble.scores.values import Scores
from postproc import kernels
from postproc.base import arrays, checks

if TYPE_CHECKING:
    from ensemble.scores.counting.cpu import Answer, Matches, Rules

Count = Callable[[int, int, Array, "Matches", "Rules", "Answer"], None]


class _Known(TypedDict):
    """What the rules of a protocol had to go by."""

    cameras: bool
    tracks: bool
    own: bool
    draws_given: bool


def of_distances(
    distances: Array,
    labels: Labels,
    protocol: Protocol,
    *,
    cmc_length: int | None = None,
    permutations: ArrayLike | None = None,
) -> Scores:
    """What :func:`ensemble.scores.score` says, for what is checked."""
    if permutations is not None and (protocol.draw is None or protocol.draw.each == "query"):
        raise ValueError("permutations: wanted a protocol that draws one gallery for all queries")
    return _of_matrix(distances, labels, protocol, cmc_length, permutations)


def of_ranking(
    listed: NDArray[np.int32],
    labels: Labels,
    protocol: Protocol,
    *,
    cmc_length: int | None = None,
    permutations: ArrayLike | None = None,
) -> Scores:
    """What :func:`ensemble.scores.score_ranking` says, for what is checked."""
    plain = Protocol(junk="none") if protocol.reshapes else protocol
    starts = np.arange(len(listed) + 1) * listed.shape[1]
    scores = _of_lists(starts, listed.ravel(), False, labels, plain, cmc_length)  # refuses wrong lists
    if not protocol.reshapes:
        return scores
    places = np.full((len(listed), len(labels.gallery_pid)), np.inf, np.float32)
    query, place = np.nonzero(listed >= 0)
    places[query, listed[query, place]] = place
    return _of_matrix(places, labels, protocol, cmc_length, permutations)


def of_lists(starts: Ints, listed: NDArray[np.int32], labels: Labels, protocol: Protocol) -> Scores:
    """Scores of lists of any length, that of query ``i`` being ``listed[starts[i]:starts[i + 1]]``.

    What a list does not hold was not found. The protocol ranks the gallery as it is given (no ``reshapes``).
    """
    return _of_lists(starts, listed, True, labels, protocol, None)


def all_shots(distances: Array, labels: Labels, protocol: Protocol, length: int) -> Floats:
    """What :func:`ensemble.scores.cmc_all_shots` says, for what is checked."""
    ready, plan = matches(protocol.removes, labels), rules(protocol, distances.shape[1])
    positives, shares = np.zeros(len(distances), np.int64), np.zeros((len(distances), length))
    kernel = counting.of(distances)

    def block(start: int, stop: int) -> None:
        kernel.all_shots_rows(start, stop, distances, ready, plan, positives, shares)

    kernels.of(distances).walk.over_rows(block, len(distances), what="scores")
    _refuse_no_match(positives > 0, protocol, labels)
    summed: Floats = np.cumsum(shares.sum(axis=0))
    return summed / np.count_nonzero(positives)


def _of_lists(
    starts: Ints,
    listed: NDArray[np.int32],
    ends: bool,
    labels: Labels,
    protocol: Protocol,
    cmc_length: int | None,
) -> Scores:
    from ensemble.scores.counting import cpu

    def count(start: int, stop: int, begins: Ints, ready: "Matches", plan: "Rules", answer: "Answer") -> None:
        cpu.score_listed_rows(start, stop, starts, listed, ends, ready, plan, answer)

    return _counted(count, starts[:-1], labels, protocol, cmc_length)


def rules(protocol: Protocol, ng: int) -> "Rules":
    """A protocol in numbers, for the kernels."""
    from ensemble.scores.counting.cpu import Rules

    return Rules(
        cut=min(protocol.top_k or ng, ng),
        before=protocol.cut == "before",
        ap=AP_RULES.index(protocol.ap),
        divide=list(DIVISORS).index(protocol.divide),
        identities=protocol.cmc == "identities",
    )


def _of_matrix(
    distances: Array, labels: Labels, protocol: Protocol, cmc_length: int | None, permutations: ArrayLike | None
) -> Scores:
    """Tracks, then trials, then the counting."""
    queries = None
    given = labels
    if protocol.rows != "images":
        distances, labels, queries = tracks.by_tracks(distances, labels, protocol)
    if isinstance(distances, np.ndarray):  # of one kind, whoever may write: kernels are compiled once
        distances = distances.view()
        distances.flags.writeable = False
    draw, count = protocol.draw, counting.of(distances).score_rows
    if draw is None:
        scores = _counted(count, distances, labels, protocol, cmc_length)
    elif draw.each == "query":
        whole = _counted(count, distances, labels, protocol, cmc_length)
        trials = [_single_shot(whole, distances, labels, draw, trial) for trial in range(draw.trials)]
        scores = values.mean(protocol, trials)
    else:
        galleries = draws.galleries(draw, labels, permutations)
        trials = [_counted(count, distances, labels, protocol, cmc_length, drawn) for drawn in galleries]
        scores = values.mean(protocol, trials)
    scores = replace(scores, **_known(given, protocol))
    if permutations is not None:
        scores = replace(scores, draws_given=True)
    return scores if queries is None else _for_images(scores, queries)


def _counted(
    count: Count,
    data: Array,
    labels: Labels,
    protocol: Protocol,
    cmc_length: int | None,
    drawn: Bools | None = None,
) -> Scores:
    """Let a kernel find every query's own scores from its row of ``data``, and average."""
    from ensemble.scores.counting.cpu import Answer

    ready = matches(protocol.removes, labels, drawn)
    nq, ng = len(data), len(labels.gallery_pid)
    kinds = (np.int64, np.int64, np.float64, np.float64, np.int64, np.int64)
    answer = Answer(*(np.zeros(nq, dtype) for dtype in kinds))
    plan = rules(protocol, ng)

    def block(start: int, stop: int) -> None:
        count(start, stop, data, ready, plan, answer)

    kernels.of(data).walk.over_rows(block, nq, what="scores")
    lists.refuse_faults(answer.fault, ng, protocol)
    matched = ~np.isnan(answer.ap)
    _refuse_no_match(matched, protocol, labels)

    unknown = labels.unknown
    weight = _weights(protocol, labels, matched)
    total = weight.sum()
    return Scores(
        protocol=protocol,
        **_known(labels, protocol),
        mAP=float(np.nansum(answer.ap * weight) / total),
        mINP=float(np.nansum(answer.inp * weight) / total),
        recall=float(np.sum(answer.found / np.maximum(answer.positives, 1) * weight) / total),
        precision=float(np.sum(answer.found * weight) / (total * plan.cut)),
        **_by_first_hit(answer.first_hit, weight, _length(protocol, labels, drawn, cmc_length)),
        ap=answer.ap,
        inp=answer.inp,
        without_match=np.flatnonzero(~matched & ~unknown),
        unknown=np.flatnonzero(unknown),
        remarks=by_chance(answer.ap, answer.positives, ng, protocol),
    )


def _known(labels: Labels, protocol: Protocol) -> _Known:
    needed = [labels.gallery_track, *([labels.query_track] if protocol.rows == "tracks" else [])]
    return _Known(
        cameras=labels.query_cam is not None,
        tracks=all(track is not None for track in needed),
        own=labels.own is not None,
        draws_given=draws.are_given(protocol.draw, labels),
    )


def _weights(protocol: Protocol, labels: Labels, matched: Bools) -> Floats:
    """(nq,) how much each query counts in the means; 0 for one that does not."""
    counted = ~labels.unknown if protocol.denominator == "all" else matched & ~labels.unknown
    weight = np.zeros(len(counted))
    weight[counted] = statistics.weights(protocol.average, labels.query_pid[counted])
    return weight


def _by_first_hit(first_hit: Ints, weight: Floats, length: int) -> dict[str, Any]:
    """The scores that look only at the first good image of each query."""
    hit = first_hit >= 0
    found, total = first_hit[hit], weight.sum()
    cmc = np.cumsum(np.bincount(found, weight[hit], minlength=max(length, 10))) / total
    ranks = {f"rank{k}": float(cmc[k - 1]) for k in (1, 5, 10)}
    mrr = float(np.sum(weight[hit] / (found + 1)) / total)
    return {**ranks, "mrr": mrr, "cmc": cmc[:length], "first_hit": first_hit}


def _length(protocol: Protocol, labels: Labels, drawn: Bools | None, wanted: int | None) -> int:
    """How many places the CMC has."""
    if wanted is not None:
        checks.whole("cmc_length", wanted, 1)
        return wanted
    single = protocol.draw is not None and protocol.draw.each == "query"
    if single or protocol.cmc == "identities":
        return len(np.unique(apart(labels.gallery_pid)))
    count = len(labels.gallery_pid) if drawn is None else np.count_nonzero(drawn)
    return int(min(protocol.top_k or count, count))


def _single_shot(whole: Scores, distances: Array, labels: Labels, draw: Draw, trial: int) -> Scores:
    """``whole`` with the CMC of one trial in which each query draws one image of each identity."""
    from ensemble.scores.counting import cpu

    protocol = whole.protocol
    ready = matches(protocol.removes, labels)
    first_hit = np.empty(len(distances), np.int64)

    def block(start: int, stop: int) -> None:
        rows = arrays.host(distances[start:stop])
        for i in range(start, stop):
            keys = draws.keys_of_query(draw, trial, i, distances.shape[1])
            first_hit[i] = cpu.single_shot(i, rows[i - start], ready, keys)

    kernels.of(distances).walk.over_rows(block, len(distances), what="scores")
    weight = _weights(protocol, labels, ~np.isnan(whole.ap))
    return replace(whole, **_by_first_hit(first_hit, weight, len(whole.cmc)))


def _for_images(scores: Scores, track: Ints) -> Scores:
    """The scores of query tracks with one row for every image of theirs."""
    return replace(
        scores,
        ap=scores.ap[track],
        inp=scores.inp[track],
        first_hit=scores.first_hit[track],
        without_match=np.flatnonzero(np.isin(track, scores.without_match)),
        unknown=np.flatnonzero(np.isin(track, scores.unknown)),
        trials=tuple(_for_images(trial, track) for trial in scores.trials),
    )


def _refuse_no_match(matched: Bools, protocol: Protocol, labels: Labels) -> None:
    """A mean over nothing is no number: say why there is none."""
    if matched.any():
        return
    unknown = np.count_nonzero(labels.unknown)
    alone = np.count_nonzero(~labels.unknown & ~np.isin(labels.query_pid, labels.gallery_pid))
    raise ValueError(
        f"query_pid and gallery_pid: wanted a query with a match, found none among {len(matched)}: "
        f"{unknown} are of unknown identity (-1), {alone} of one that the gallery lacks, "
        f"{len(matched) - unknown - alone} meet theirs only "
        f"in what is removed or cut ({protocol.describe()}); "
        f"{one_camera(labels, protocol) or 'are these the labels of these images?'}"
    )
