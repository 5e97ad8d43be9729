"""Several images of one query: every query gets the mean of its group.

Sources: layumi/AICIty-reID-2020 and Xuanmeng-Zhang/AICITY2021-Track2 (queries without tracks are clustered first,
eps 0.5 and 0.6); layumi/Person_reID_baseline_pytorch, ``evaluate_gpu.py`` (:func:`multi_query`).
"""

from typing import Annotated, Literal

import numpy as np

from postproc.base import checks
from postproc.base.settings import Count, Needs, Neutral, Number, Weight, Within
from postproc.base.step import step
from postproc.base.vocabulary import Floats, Query, QueryTrack, Unchecked
from postproc.pairs import held, spent
from postproc.pairs.dbscan import clusters
from postproc.pairs.l2_normalize import l2_normalize
from postproc.pairs.pairwise import among
from postproc.pairs.tiles import PairwiseTiles
from postproc.tracks.quality_track_mean import draw_to_means
from postproc.tracks.track_lists import Tracks


@step(
    memory=held.walk,
    work=spent.only("group", ("track",), spent.query_pairs(0.36)),
)
def query_mean(
    query: Query,
    query_track: np.ndarray | None = None,
    query_quality: np.ndarray | None = None,
    *,
    group: Annotated[
        Literal["track", "clusters"], Needs("query_track", instead='use "clusters"', when="track")
    ] = "track",
    eps: Annotated[Number, Within(0, 4), Neutral(0.0, (("group", "clusters"), ("renormalize", False)))] = 0.5,
    min_samples: Annotated[Count, Within(1)] = 2,
    threshold: Annotated[Weight | None, Needs("query_quality", instead="None")] = None,
    keep: Annotated[Number, Within(0, 1000)] = 0.0,
    add: Annotated[Number, Within(0, 1000)] = 1.0,
    renormalize: bool = True,
) -> Query:
    """Replace each query by the mean over its group, or draw it there; a query of no group is a group alone.

    ``x <- keep x + add mean(images of the group)``, as a rule ``mean`` alone, then ``x / |x|``.

    Takes:   query (nq, d) float32, or one set, averaged as given: normalise before if lengths should not count;
             query_track (nq,) int, -1 none, looked at only for groups by track; query_quality (nq,) float32,
             looked at only with a ``threshold``.
    Returns: (nq, d) float32; unless something is kept of each, the queries of one group are identical, so they get
             identical answers.
    group:   "track": the tracks given. "clusters": :func:`cluster_queries`, where nobody knows them.
    eps:     0 to 4, squared distance 2 - 2 cosine within which two queries are neighbours; 0: copies only, 4: all.
    min_samples: 1 or more, neighbours that make a cluster, the query itself counted.
    threshold, keep, add: as in ``quality_track_mean``; None: all images of a group count. layumi:
             ``group="clusters", threshold=15000``, to which Baidu 2021 adds ``eps=0.6, keep=1``.
    renormalize: bring all queries, alone or not, to unit length afterwards.
    Raises:  ValueError for lengths that do not fit, a setting out of range, NaN or infinity.
    Cost:    O(nq d); for clusters two products of all queries by all queries, a tile at a time.

    >>> query_mean(np.array([[1.0], [3.0], [8.0]], np.float32), np.array([0, 0, -1]), renormalize=False).ravel()
    array([2., 2., 8.], dtype=float32)
    """
    rows = checks.features("query", query, cuda=True)
    checks.not_empty("query", rows)
    good = None
    if threshold is not None:
        good = checks.values("query_quality", query_quality, len(rows)) >= threshold
    if group == "track":
        groups = checks.labels("query_track", query_track, len(rows))
    else:
        groups = cluster_queries(rows, eps=eps, min_samples=min_samples)
    out = draw_to_means(rows, Tracks.by(groups), good, keep, add)
    return l2_normalize(out) if renormalize else out


@step(
    memory=held.walk,
    work=spent.together(spent.query_pairs(4), spent.read(52)),
)
def cluster_queries(
    query: Query, *, eps: Annotated[Number, Within(0, 4)] = 0.5, min_samples: Annotated[Count, Within(1)] = 2
) -> QueryTrack:
    """Groups of queries by DBSCAN on the squared distance 2 - 2 cosine, as tracks of queries that have none.

    A query with ``min_samples`` queries within ``eps``, itself counted, is a core; cores within ``eps`` of each
    other are of one group, and a query that is no core joins the group of the nearest core within ``eps``.

    Takes:   query (nq, d) float32, or one set, of any length; the settings as in :func:`query_mean`.
    Returns: ``query_track`` (nq,) int64, groups numbered by their first core; -1 is in none.
    Raises:  ValueError for a setting out of range, NaN or infinity.
    Cost:    two products of all by all, half of each computed; memory: a tile a thread.
    Differs: of several groups within reach, a query that is no core joins the nearest; scikit-learn takes the one
             with the first core. With ``min_samples`` 1 or 2 there are no such queries.

    >>> cluster_queries(np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]], np.float32))
    array([ 0, -1,  0])
    """
    rows = checks.features("query", query, cuda=True)
    checks.not_empty("query", rows)
    return clusters(PairwiseTiles(among(l2_normalize(rows))), eps, min_samples)


def multi_query(
    query: Floats,
    query_pid: Unchecked,
    query_cam: Unchecked,
    images: Floats,
    images_pid: Unchecked,
    images_cam: Unchecked,
) -> Floats:
    """The mean of all images with the label and the camera of each query, for data sets that have several each.

    Takes:   query (nq, d), images (n, d) float32; labels and cameras of both, int. Labels decide which images
             belong together, as the protocol has it; so this is no step of a pipeline.
    Returns: (nq, d) float32, means as they are; a query without any such image stays itself, and so does one of
             unknown label or camera (-1).
    Differs: the released code gives NaN there.

    >>> x = np.array([[1.0], [3.0], [8.0]], np.float32)
    >>> multi_query(x[:2], [7, 7], [0, 5], x, [7, 7, 7], [0, 0, 1]).ravel()
    array([2., 3.], dtype=float32)
    """
    rows, images = checks.features("query", query), checks.features("images", images)
    checks.same_width("query", rows, "images", images)
    query_pid = checks.labels("query_pid", query_pid, len(rows))
    query_cam = checks.labels("query_cam", query_cam, len(rows))
    images_pid = checks.labels("images_pid", images_pid, len(images))
    images_cam = checks.labels("images_cam", images_cam, len(images))
    out = rows.copy()
    for i in range(len(rows)):
        same = (images_pid == query_pid[i]) & (images_cam == query_cam[i])
        if same.any() and query_pid[i] >= 0 and query_cam[i] >= 0:
            out[i] = images[same].mean(axis=0, dtype=np.float64)
    return out
