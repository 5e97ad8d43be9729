"""Groups of images around centres (k-means), through scikit-learn: identities where nobody has given any.

Source: gggcy/AIC2020_ReID ``post_processing/kmeans/kmeans.py``, which labels a test set with 333 groups.
"""

import numpy as np

from postproc.base import blas, checks
from postproc.base.vocabulary import Ints, Unchecked
from postproc.pairs.layout import copies
from postproc.pairs.pairwise import among


def kmeans(features: Unchecked, *, clusters: int, starts: int = 1, rounds: int = 300, seed: int = 0) -> Ints:
    """Give each image the group of the nearest centre, where each centre is the mean of its group.

    Centres are drawn far from each other (k-means++), then moved in rounds (Lloyd) until none moves; of several
    starts the one with the smallest sum of squared distances counts.

    Takes:   features (n, d) float32; their length counts: make it one, where directions are meant.
    Returns: (n,) int64 groups 0, 1, ..., numbered by their first image; all of them have images, and images that
             are alike are in one group: of fewer different images than ``clusters`` come fewer groups.
    clusters: 1 to n.
    starts:  1 or more; more: a better sum, in as many times the time.
    rounds:  1 or more of a start, at most.
    seed:    0 or more, draws.
    Raises:  ValueError for a setting out of range, NaN or infinity.
    Cost:    n d clusters multiply-adds a round on one thread, so that the groups are those of any machine setting;
             memory: the features once more, 8 bytes a cluster and image of a block.

    >>> kmeans(np.array([[0, 9], [5, 0], [0, 8], [6, 0]], np.float32), clusters=2)
    array([0, 1, 0, 1])
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import ThreadpoolController

    rows = checks.features("features", features)
    checks.not_empty("features", rows)
    for name, value, least in (("clusters", clusters, 1), ("starts", starts, 1), ("rounds", rounds, 1)):
        checks.whole(name, value, least)
    checks.whole("seed", seed, 0)
    if clusters > len(rows):
        raise ValueError(f"clusters: wanted at most {len(rows)}, the number of images, got {clusters}")
    layout = copies(among(rows))
    groups = np.arange(layout.classes)
    if clusters < layout.classes:
        counts = np.bincount(layout.inverse, minlength=layout.classes)
        method = KMeans(clusters, n_init=starts, max_iter=rounds, random_state=seed % 2**32)
        with blas.one_thread(), ThreadpoolController().select(user_api="openmp").limit(limits=1):
            groups = method.fit_predict(rows[layout.first], sample_weight=counts)
    _, first, numbers = np.unique(groups[layout.inverse], return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[numbers].astype(np.int64)
