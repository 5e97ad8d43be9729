"""Lists joined by votes for tracks, for which all queries compete.

Source: our own, found on old rank lists of the AI City challenge, where nobody has the features any more.
"""

from collections.abc import Container, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from ensemble.fusion import parts
from ensemble.fusion.agreement import list_weights
from ensemble.fusion.join import Parts, join
from ensemble.fusion.kinds import AGREEMENT, FoundWeights, not_written
from postproc.base import checks, runtime
from postproc.base.settings import Neighbours, Share
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen
from postproc.base.vocabulary import Floats
from postproc.base.work import Work
from postproc.tracks.compete import How, Lend, Pool, Power, Rounds, claims, held_by, looks, without_own
from postproc.tracks.compete_tracks import cameras_of, spread
from postproc.tracks.track_lists import Tracks
from postproc.tracks.track_votes import Depth, Offset, own_cameras, votes_of_distances

LEAST = 0.1  # trust in a list that says nothing of what came out


def _tells(chosen: Chosen, there: Container[str]) -> str:
    """What the competition can do with the columns that are there."""
    gallery, query = "gallery_cam" in there, "query_cam" in there
    said = ["tracks" if "gallery_track" in there else "no tracks: each image is its own"]
    if gallery and query:
        said.append("cameras of both sides: no track of the own camera" + ", one a camera" * bool(chosen["once"]))
    elif gallery:
        said.append("cameras of the gallery alone: the own one is not left out")
    else:
        said.append("no cameras of the gallery: no lending, nobody has one track a camera")
    if chosen["pool"] == "camera" and not query:
        said.append("all queries pool")
    how = " and ".join(filter(None, ["votes", "weights by agreement" * (chosen["weights"] == AGREEMENT)]))
    return f"{how}, then queries compete, so that each answer depends on the other queries ({'; '.join(said)})"


def _held(sizes: Sizes, chosen: Chosen) -> int:
    """One list as a matrix and as places, votes of all lists, claims."""
    votes = 24 * sizes.nq * min(int(chosen["depth"]), sizes.ng) * (sizes.parts + 1)
    return 8 * sizes.nq * sizes.ng + votes + held_by(sizes, chosen)


def _work(sizes: Sizes, chosen: Chosen) -> Work:
    return Work(entries=(20 + 40 * sizes.parts) * sizes.nq * sizes.ng) + 2 * looks(sizes, chosen)


@join(
    lists="whole", weighs=True, host_only=True, loads=("scipy",), memory=_held, work=_work, tells=_tells,
    unit="claims on tracks, -1 the best of the query; 0 and more: no claim",
)  # fmt: skip
def compete_lists(
    distances: Parts,
    gallery_track: np.ndarray | None = None,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    *,
    weights: FoundWeights = "agreement",
    trust: bool = True,
    depth: Depth = 100,
    offset: Offset = 5.0,
    pool: Pool = "camera",
    power: Power = 8.0,
    neighbours: Neighbours = 1000,
    lend: Lend = 0.5,
    sharpen: Share = 0.5,
    once: bool = True,
    regroup: bool = True,
    rounds: Rounds = 4,
) -> Floats:
    """Add the votes of all parts for tracks, and let queries compete for them.

    ``v = sum_m w_m votes_m``, each as in :func:`postproc.track_votes`; then :func:`postproc.compete`. With
    ``trust``, for two parts or more, once again from ``v[q] = sum_m w_m (cos(claims[q], votes_m[q]) + 0.1)
    votes_m[q]``: a list counts more for the queries of which it says what came out.

    Takes:   distances, one (nq, n) float32 a part, of any units; NaN outside the list that a model gives. One part
             too. gallery_track (n,), query_cam (nq,), gallery_cam (n,) int, shared by all parts, -1 none or
             unknown; any of them may be missing, and what needs it is left out.
    Returns: (nq, n) float32 as :func:`postproc.compete_tracks`: the images of a track at minus the claim's share
             of the query's largest, -1 to 0; behind them what some part knows of images without a claim, by the
             smallest of the distances, each from 0 to 1 over its row; then what nobody knows, which of rank lists
             was not found: +inf. Ties go by gallery row. The answer of a query depends on the other queries.
    weights: one number of 0 or more a part, 0 leaves it out; not all 0. None: 1 each. "agreement": those of
             :func:`list_weights`, by the votes without those for the own camera.
    trust:   whether lists are weighed for every query, and all is done again.
    depth:   1 or more, how many images of a list vote, more where the last are as near as each other.
    offset:  0.001 to 1,000,000, added to ranks.
    pool:    "camera", "all" or "none": with whose queries a query pools, as in :func:`postproc.compete`.
    power:   0 to 100, of the cosine between queries that pool.
    neighbours: 1 or more: so many queries pool with a query, so many tracks lend to a track, the most alike ones.
    lend:    0 to 100, how much tracks of other cameras lend. 0: nothing.
    sharpen: 0 to 1, the exponent of shares. 0: no competition. 0.25 where many tracks are nobody's.
    once:    off where a camera may have several tracks of one vehicle.
    regroup: whether queries that pool are found again in every round.
    rounds:  0 to 1,000 of the competition.
    Raises:  ValueError for a wrong setting, parts of different shapes, -inf, lengths that do not fit.
    Cost:    O(parts nq n) and twice that of :func:`postproc.compete`; of lists one matrix at a time.

    >>> far = np.array([[0.1, 0.2], [0.1, 0.4]], np.float32)
    >>> compete_lists([far, far], np.array([7, 8]), depth=1).round(2)
    array([[-1.,  1.],
           [-1.,  1.]], dtype=float32)
    """
    if isinstance(distances, list | tuple | np.ndarray):  # rank lists become matrices one after the other
        distances = parts.checked(distances)
    count = len(distances)
    numbers = np.ones(count) if not_written(weights) else np.asarray(weights, np.float64)
    used = np.flatnonzero(numbers).tolist()
    nq, ng = distances[used[0]].shape
    track = np.full(ng, -1) if gallery_track is None else checks.labels("gallery_track", gallery_track, ng)
    tracks = Tracks.by(track)
    own_of = own_cameras(query_cam, gallery_cam, nq, ng)
    cameras = cameras_of(tracks, query_cam, gallery_cam, nq)
    behind, voted = np.full((nq, ng), np.nan, np.float32), []
    for number in used:
        given = distances[number]
        voted.append(votes_of_distances(given, tracks, own_of, int(depth), float(offset)))
        _add(given, behind)
    how = How(pool, float(power), int(neighbours), float(lend), float(sharpen), once, regroup, int(rounds))
    others = [without_own(votes, cameras) for votes in voted]
    found = list_weights(others) if isinstance(weights, str) else numbers[used]
    scale = [np.full(nq, weight) for weight in found]
    answer = claims(_sum(voted, scale), cameras, how)
    if trust and len(used) > 1:
        scale = [one * (_cosine(answer, votes) + LEAST) for one, votes in zip(scale, others, strict=True)]
        answer = claims(_sum(voted, scale), cameras, how)
    behind[np.isnan(behind)] = np.nextafter(np.float32(1), np.float32(2))  # farther than what anybody knows
    return spread(behind, answer, tracks)


def _add(given: np.ndarray, behind: np.ndarray) -> None:
    """Make ``behind`` the smaller of itself and of distances from 0 to 1 over their row; +inf where any is."""

    def fill(start: int, stop: int) -> None:
        for query in range(start, stop):
            row = given[query].astype(np.float64)
            known = np.isfinite(row)
            low, high = row.min(where=known, initial=np.inf), row.max(where=known, initial=-np.inf)
            row[known] = (row[known] - low) / (high - low if high > low else 1)
            never = np.isinf(row) | np.isinf(behind[query])
            behind[query] = np.where(never, np.inf, np.fmin(behind[query], row))

    runtime.over_rows(fill, len(given), what="claims")


def _sum(voted: Sequence[Any], scale: Sequence[np.ndarray]) -> Any:
    """Sparse votes of all lists, each times a number for every query."""
    parts_of = []
    for votes, factor in zip(voted, scale, strict=True):
        one = votes.copy()
        one.data *= np.repeat(factor, np.diff(votes.indptr))
        parts_of.append(one)
    return reduce(add, parts_of)


def _cosine(answer: np.ndarray, votes: Any) -> np.ndarray:
    """(nq,) between claims and votes; 0 where one of them is 0."""
    query = np.repeat(np.arange(len(answer)), np.diff(votes.indptr))
    product = np.bincount(query, votes.data * answer[query, votes.indices], len(answer))
    lengths = np.bincount(query, votes.data**2, len(answer)) * np.array([row @ row for row in answer])
    return product / np.sqrt(np.where(lengths > 0, lengths, np.inf))
