"""How good a ranking is: mAP, CMC and mINP under a named protocol, by counting instead of sorting.

Places are 0-based in the ranking without the removed images, ties broken by gallery row. An image at +inf is
never returned: it stands behind everything else, and a good one there is missed, yet counts as a good one.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ensemble.errors import InputError, examples, refuse_if_any
from ensemble.protocols import AP_RULES, PROTOCOLS, Protocol
from postproc import checks, runtime
from postproc.types import Distances, Ranking

if TYPE_CHECKING:
    from postproc.kernels.cpu.counting import Labels

CMC_SHOWN = 50  # places of the CMC in the JSON


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of one ranking, fractions of the protocol's denominator, and each query's own.

    ``cmc`` (length,) float64: ``cmc[r]`` is the share of queries with a good image in the first ``r + 1``.
    ``ap``, ``inp`` (nq,) float64: NaN where a query has no good image; ``inp`` is the number of good images
    over the 1-based place of the last, 0 if one is missed. ``first_hit`` (nq,) int64: 0-based, -1 for none.
    ``without_match``: rows of the queries for which the gallery holds no good image under this protocol.
    """

    protocol: Protocol
    cameras: bool
    mAP: float
    rank1: float
    rank5: float
    rank10: float
    mINP: float
    cmc: NDArray[np.float64]
    ap: NDArray[np.float64]
    inp: NDArray[np.float64]
    first_hit: NDArray[np.int64]
    without_match: NDArray[np.int64]

    def describe(self) -> str:
        """The protocol in one line, to be printed beside every number."""
        return self.protocol.describe(cameras=self.cameras)

    def as_json(self) -> dict[str, Any]:
        """Plain numbers, lists and text, the CMC up to place 50."""
        return {
            **{name: getattr(self, name) for name in ("mAP", "rank1", "rank5", "rank10", "mINP")},
            "cmc": self.cmc[:CMC_SHOWN].tolist(),
            "protocol": {**asdict(self.protocol), "cameras": self.cameras, "description": self.describe()},
            "queries": len(self.ap),
            "queries_without_match": len(self.without_match),
        }


def score(
    distances: Distances,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    *,
    protocol: Protocol = PROTOCOLS["market1501"],
    cmc_length: int | None = None,
) -> Scores:
    """Score a matrix of distances.

    Takes:      distances (nq, ng) float32, any unit, +inf = never returned; pid and cam (nq,) and (ng,) whole
                numbers. Without cameras nothing is removed for the camera, and the scores say so.
    cmc_length: 1 or more places; None for the whole gallery, or the cut.
    Raises:     ValueError for NaN, wrong lengths, a camera on one side only, and where no query has a match.
    Cost:       nq * ng vectorised comparisons for each good image of a query: sorting catches up at about a
                thousand of them. Memory: one row a thread.

    >>> score(np.array([[0.1, 0.2, 0.4, 0.3]], np.float32), [7], [7, 8, 8, 7]).mAP     # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    from postproc.kernels.cpu import counting

    array = checks.distances("distances", distances)
    labels = _labels(protocol, array.shape, query_pid, gallery_pid, query_cam, gallery_cam)
    return _scored(counting.score_rows, array, labels, protocol, query_cam is not None, cmc_length)


def score_ranking(
    rows: Ranking,
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None = None,
    gallery_cam: ArrayLike | None = None,
    *,
    protocol: Protocol = PROTOCOLS["market1501"],
    cmc_length: int | None = None,
) -> Scores:
    """Score lists of gallery rows, nearest first: a top-k answer or a submission.

    Takes:  rows (nq, k) int32, -1 at the end where nothing more is returned; the rest as :func:`score`.
            A list knows no ties, so ``sklearn`` is ``rectangle`` here.
    Raises: as :func:`score`; InputError for rows that are unknown or listed twice, and for lists too short
            for the protocol: each must hold ``top_k`` places after removal, or all that may be returned.
    Cost:   time in the length of the lists; one gallery row of memory a thread.

    >>> score_ranking(np.array([[0, 1, 3, 2]], np.int32), [7], [7, 8, 8, 7]).mAP     # (1/1 + 2/3) / 2
    0.8333333333333333
    """
    from postproc.kernels.cpu import counting

    ng = np.size(gallery_pid)
    listed = _listed(rows, ng)
    labels = _labels(protocol, (len(listed), ng), query_pid, gallery_pid, query_cam, gallery_cam)
    return _scored(counting.score_listed_rows, listed, labels, protocol, query_cam is not None, cmc_length)


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
    them, averaged over the queries with a match. The rest as :func:`score`; ``length`` floats a query. The
    variants that draw one gallery image an identity at random (CUHK03) are not offered.
    """
    from postproc.kernels.cpu import counting

    checks.whole("length", length, 1)
    protocol = Protocol(junk=junk)
    array = checks.distances("distances", distances)
    labels = _labels(protocol, array.shape, query_pid, gallery_pid, query_cam, gallery_cam)
    positives, shares = np.zeros(len(array), np.int64), np.zeros((len(array), length))

    def block(start: int, stop: int) -> None:
        counting.all_shots_rows(start, stop, array, labels, positives, shares)

    runtime.over_rows(block, len(array), what="scores")
    _refuse_no_match(positives, labels, protocol)
    summed: NDArray[np.float64] = np.cumsum(shares.sum(axis=0))
    return summed / np.count_nonzero(positives)


def _labels(
    protocol: Protocol,
    shape: tuple[int, ...],
    query_pid: ArrayLike,
    gallery_pid: ArrayLike,
    query_cam: ArrayLike | None,
    gallery_cam: ArrayLike | None,
) -> "Labels":
    """Checked labels with the gallery grouped by identity, and the protocol's junk rule as data."""
    from postproc.kernels.cpu.counting import Labels

    nq, ng = shape
    wanted, present = checks.labels("query_pid", query_pid, nq), checks.labels("gallery_pid", gallery_pid, ng)
    if (query_cam is None) != (gallery_cam is None):
        given = "gallery_cam" if query_cam is None else "query_cam"
        raise ValueError(f"query_cam and gallery_cam: wanted both or neither, got only {given}")
    cams = np.zeros(nq, np.int64), np.ones(ng, np.int64)  # no two the same, so that nothing is removed
    if query_cam is not None:
        given_cams = checks.labels("query_cam", query_cam, nq), checks.labels("gallery_cam", gallery_cam, ng)
        cams = cams if protocol.junk == "none" else given_cams
    members = np.argsort(present, kind="stable")
    starts = np.searchsorted(present, wanted, "left", sorter=members)
    stops = np.searchsorted(present, wanted, "right", sorter=members)
    removed = np.zeros(0, np.int64)
    if protocol.junk == "market":
        removed = np.flatnonzero(present == -1)
        stops = np.where(wanted == -1, starts, stops)
    return Labels(starts, stops, members, *cams, removed)


def _scored(
    kernel: Callable[..., None],
    data: NDArray[Any],
    labels: "Labels",
    protocol: Protocol,
    cameras: bool,
    cmc_length: int | None,
) -> Scores:
    """Let ``kernel`` find every query's own scores from its row of ``data``, and average."""
    from postproc.kernels.cpu.counting import Answer

    nq, ng = len(data), len(labels.gallery_cam)
    cut = min(protocol.top_k or ng, ng)
    length = cut if cmc_length is None else cmc_length
    checks.whole("cmc_length", length, 1)
    rule = AP_RULES.index(protocol.ap)
    answer = Answer(*(np.zeros(nq, dtype) for dtype in (np.int64, np.float64, np.float64, np.int64, np.int64)))

    def block(start: int, stop: int) -> None:
        kernel(start, stop, data, labels, cut, rule, answer)

    runtime.over_rows(block, nq, what="scores")
    _refuse_faults(answer.fault, ng, protocol)
    _refuse_no_match(answer.positives, labels, protocol)

    count = nq if protocol.denominator == "all" else np.count_nonzero(answer.positives)
    hits = np.bincount(answer.first_hit[answer.first_hit >= 0], minlength=max(length, 10))
    cmc = np.cumsum(hits) / count
    return Scores(
        protocol=protocol,
        cameras=cameras,
        mAP=float(np.nansum(answer.ap) / count),
        rank1=float(cmc[0]),
        rank5=float(cmc[4]),
        rank10=float(cmc[9]),
        mINP=float(np.nansum(answer.inp) / count),
        cmc=cmc[:length],
        ap=answer.ap,
        inp=answer.inp,
        first_hit=answer.first_hit,
        without_match=np.flatnonzero(answer.positives == 0),
    )


def _refuse_no_match(positives: NDArray[np.int64], labels: "Labels", protocol: Protocol) -> None:
    """A mean over nothing is no number: say why there is none."""
    if positives.any():
        return
    alone = np.count_nonzero(labels.stops == labels.starts)
    raise ValueError(
        f"query_pid and gallery_pid: wanted a query with a match, found none among {len(positives)}: "
        f"{alone} have no identity or one that the gallery lacks, {len(positives) - alone} meet theirs under "
        f"their own camera only ({protocol.describe()}); are these the labels of these images?"
    )


def _listed(rows: Ranking, ng: int) -> NDArray[np.int32]:
    """``rows`` as C-ordered int32, every one of them a gallery row or -1."""
    array = np.asarray(rows)
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
    from postproc.kernels.cpu import counting

    whole = f"all {ng} gallery rows, because the protocol has no cut"
    needed = whole if protocol.top_k is None else f"{protocol.top_k} places after removal"
    meaning = {
        counting.TWICE: "wanted every gallery row once, found one again",
        counting.GAP: "wanted -1 only at the end, found a row behind it",
        counting.SHORT: f"wanted {needed}, found shorter lists; give longer ones or set a smaller top_k",
    }
    found = {text: np.flatnonzero(fault == code).tolist() for code, text in meaning.items()}
    refuse_if_any([f"rows: {text} (queries {examples(who)})" for text, who in found.items() if who])
