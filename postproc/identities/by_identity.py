"""Who is it: from how far images are to how far identities are.

Sources: knshnb/kaggle-happywhale-1st-place (the largest similarity of each identity among the 500 nearest images);
WildlifeDatasets/wildlife-tools, ``KnnClassifier`` (vote, ties by mean score), ``TopkClassifier`` (different
identities); Landmark Recognition 2020, first places (sum over the nearest images). The released vote names one
identity; here all are put in order.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from postproc.base import checks
from postproc.base.vocabulary import Floats, Nearest
from postproc.pairs.rank import rank

Rule = Literal["nearest", "mean", "vote", "sum"]
RULES: tuple[Rule, ...] = ("nearest", "mean", "vote", "sum")
NONE = -2  # in the place of an identity: there is no further one
ENTRIES = 1 << 22  # of the lists that are looked at together


class Identities(NamedTuple):
    """The ``k`` best different identities of every query, best first.

    ``pids`` (nq, k) int64, :data:`NONE` behind the last; ``distances`` (nq, k) float64, +inf there.
    ``short`` (nq,) bool: the query's list of images ends too early to be sure of its first ``k``.
    """

    pids: np.ndarray
    distances: np.ndarray
    short: np.ndarray


class _Groups(NamedTuple):
    """Images of one identity in the list of one query, group by group."""

    query: np.ndarray  # (groups,)
    who: np.ndarray  # (groups,) numbers of identities
    start: np.ndarray  # (groups,) where each begins among the entries
    size: np.ndarray  # (groups,) entries
    far: np.ndarray  # (entries,) float64, ascending in each group
    place: np.ndarray  # (entries,) in the query's list, among images of known identity


def by_identity(
    distances: Floats | Nearest,
    gallery_pid: ArrayLike,
    *,
    rule: Rule = "nearest",
    images: int = 5,
    edge: float | None = None,
    top_k: int = 5,
    own: ArrayLike | None = None,
) -> Identities:
    """Put the identities of the gallery in order for every query.

    With d_1 <= d_2 <= … the distances of a query's nearest images and m = ``images``:

    nearest  D(I) = the least distance of an image of I
    mean     D(I) = mean of the m least distances of images of I, of all where it has fewer
    vote     the m nearest images vote: most votes first, ties by the mean distance of the voters, which is D(I);
             behind them, those without a vote by their nearest image, which is then D(I)
    sum      D(I) = edge - (1 / m) Σ max(edge - d_j, 0) over those of the m nearest images that are of I: the sum
             of similarities ``edge - d``, as a distance of ``edge`` at most; with m = 1 it is min(d, edge)

    What is equal goes by the nearest image, and that by gallery row. Images of unknown identity (below 0) are
    nobody's and are passed over.

    Takes:   distances (nq, ng) float32, +inf = never; or the nearest images as ``distances(…, top_k=…)`` gives
             them. gallery_pid (ng,) whole numbers, -1 unknown.
    Returns: :class:`Identities`. A list that ends before the last image leaves some of that open: the images that
             ``mean`` lacks count as far as the end of the list, and ``short`` tells for whom it may matter.
    images:  m, 1 or more.
    edge:    of ``sum`` alone, a finite number; None: the largest finite distance among all these lists.
    top_k:   identities a query, 1 or more.
    own:     (nq,) the gallery row that is the query itself and in no list, -1 none: ``mean`` does not wait for it.
    Raises:  ValueError for wrong lengths and settings, NaN, rows outside the gallery, lists that do not ascend or
             hold an image twice.
    Cost:    O(n log n) for lists with n entries; memory: a few times 4 million entries. A matrix is ranked first,
             a block of queries at a time.

    >>> far = np.array([[0.3, 0.1, 0.2, 0.9]], np.float32)
    >>> by_identity(far, [7, 8, 7, 9], top_k=2).pids, by_identity(far, [7, 8, 7, 9], rule="vote", images=3).pids
    (array([[8, 7]]), array([[ 7,  8,  9, -2, -2]]))
    """
    checks.one_of("rule", rule, RULES)
    checks.whole("images", images, 1)
    checks.whole("top_k", top_k, 1)
    if edge is not None:
        checks.finite("edge", edge)
    listed = distances if isinstance(distances, Nearest) else None
    values = np.asarray(listed.distances) if listed else checks.distances("distances", distances)
    nq, width = values.shape
    pids = checks.labels("gallery_pid", gallery_pid, np.size(gallery_pid) if listed else width)
    if listed:
        _refuse_lists(listed, len(pids))
    lacking = np.full(nq, -1) if own is None else checks.labels("own", own, nq)
    if (lacking >= len(pids)).any():
        raise ValueError(f"own: wanted gallery rows, 0 to {len(pids) - 1}, or -1, got {lacking.max()}")
    names, code = np.unique(pids, return_inverse=True)
    code = np.where(pids < 0, -1, code.reshape(-1))
    available = np.bincount(code[code >= 0], minlength=len(names))
    if edge is None and rule == "sum":
        finite = values[np.isfinite(values)]
        edge = float(finite.max()) if finite.size else 0.0
    out = Identities(np.full((nq, top_k), NONE, np.int64), np.full((nq, top_k), np.inf), np.zeros(nq, bool))
    step = max(1, ENTRIES // max(width, 1))
    for start in range(0, nq, step):
        block = slice(start, start + step)
        rows = listed.rows[block] if listed else rank(values[block])
        far = values[block] if listed else np.take_along_axis(values[block], np.maximum(rows, 0), axis=1)
        mine = np.where(lacking[block] >= 0, code[lacking[block]], NONE)  # -1: its own image is nobody's
        mine_out = Identities(*(part[block] for part in out))
        _block(Nearest(far, rows), code, available, mine, mine_out, rule, images, edge)
    out.pids[out.pids >= 0] = names[out.pids[out.pids >= 0]]
    return out


def _refuse_lists(listed: Nearest, gallery: int) -> None:
    rows, far = np.asarray(listed.rows), np.asarray(listed.distances)
    if rows.shape != far.shape or rows.ndim != 2:
        raise ValueError(f"distances: wanted lists of one shape, got {far.shape} and {rows.shape}")
    if np.isnan(far).any():
        raise ValueError("distances: wanted numbers, found NaN")
    if rows.dtype.kind not in "iu":
        raise TypeError(f"rows: wanted whole numbers, got {rows.dtype}")
    if rows.size and (rows.min() < -1 or rows.max() >= gallery):
        raise ValueError(f"rows: wanted -1 to {gallery - 1}, got {rows.min()} to {rows.max()}")
    there = (rows[:, 1:] >= 0) & (rows[:, :-1] >= 0)
    if (there & (far[:, 1:] < far[:, :-1])).any():
        raise ValueError("distances: wanted lists that ascend, found one that does not; sort it, nearest first")
    ordered = np.sort(rows, axis=1)
    if ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any():
        raise ValueError("rows: wanted every image once in a list, found one again")


def _block(
    lists: Nearest,
    code: np.ndarray,
    available: np.ndarray,
    mine: np.ndarray,
    out: Identities,
    rule: Rule,
    images: int,
    edge: float | None,
) -> None:
    """Fill in what is known of some queries; identities as their numbers."""
    nq, width = lists.rows.shape
    there = lists.rows >= 0
    complete = (width + (mine >= -1) >= len(code)) | ~there.all(axis=1)
    end = np.where(there.any(axis=1), np.where(there, lists.distances, -np.inf).max(axis=1, initial=-np.inf), 0)
    named = there & (code[np.where(there, lists.rows, 0)] >= 0)
    groups = _groups(lists, named, code, len(available))
    first = groups.place[groups.start]
    votes = np.zeros(len(groups.start), np.int64)
    open_ended = np.zeros(len(groups.start), bool)
    far = groups.far[groups.start]
    if rule == "mean":
        waited = np.minimum(images, available[groups.who] - (mine[groups.query] == groups.who))
        far, open_ended = _means(groups, images, np.where(complete[groups.query], 0, waited), end[groups.query])
    elif rule == "vote":
        votes, total = _voted(groups, groups.far, images)
        far = np.where(votes > 0, total / np.maximum(votes, 1), far)
    elif rule == "sum":
        assert edge is not None
        _, total = _voted(groups, np.maximum(edge - groups.far, 0), images)
        far = edge - total / images
    order = np.lexsort((first, far, -votes, groups.query))
    query = groups.query[order]
    place = np.arange(len(order)) - np.searchsorted(query, query)
    kept = place < out.pids.shape[1]
    at = query[kept], place[kept]
    out.pids[at], out.distances[at] = groups.who[order][kept], far[order][kept]
    out.short[:] = np.bincount(query, minlength=nq) < out.pids.shape[1]
    np.logical_or.at(out.short, query[kept], open_ended[order][kept])
    if rule in ("vote", "sum"):
        out.short[:] |= named.sum(axis=1) < images
    out.short[complete] = False


def _groups(lists: Nearest, named: np.ndarray, code: np.ndarray, people: int) -> _Groups:
    """The entries of known identity by query and identity, nearest first in each."""
    query, column = np.nonzero(named)
    place = np.cumsum(named, axis=1)[query, column] - 1
    who = code[lists.rows[query, column]]
    order = np.argsort(query * max(people, 1) + who, kind="stable")
    query, who = query[order], who[order]
    new = np.ones(len(order), bool)
    new[1:] = (query[1:] != query[:-1]) | (who[1:] != who[:-1])
    start = np.flatnonzero(new)
    far = lists.distances[named].astype(np.float64)[order]
    return _Groups(query[start], who[start], start, np.diff(np.append(start, len(order))), far, place[order])


def _means(groups: _Groups, images: int, waited: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the nearest of every group, and which of them are but a lower bound."""
    within = np.arange(len(groups.far)) - np.repeat(groups.start, groups.size)
    taken = np.minimum(groups.size, images)
    lacking = np.maximum(waited - taken, 0)
    total = _sums(np.where(within < images, groups.far, 0), groups)
    return (total + np.where(lacking > 0, lacking * end, 0)) / (taken + lacking), lacking > 0


def _voted(groups: _Groups, values: np.ndarray, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each group, how many of the query's nearest images are in it, and the sum of their values."""
    asked = groups.place < images
    return _sums(asked.astype(np.int64), groups), _sums(np.where(asked, values, 0), groups)


def _sums(values: np.ndarray, groups: _Groups) -> np.ndarray:
    return np.add.reduceat(values, groups.start) if len(values) else values
