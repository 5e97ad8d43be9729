"""A search without labels: on groups of images that look like one identity. A heuristic, and worse than labels.

Queries and gallery images together are clustered (DBSCAN on the Jaccard distance of reciprocal neighbours, the
camera-aware one where cameras are known), and clusters are taken for identities, as in pseudo-labels for training.
What the clusters get wrong nobody notices, hard images are in none, and pipelines that work like the clustering
are favoured. So no number of such a search is a score.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

import postproc
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from postproc import using

MOST = 6000  # images that are clustered: all pairs of them are compared
EPS, SMALLEST = 0.5, 3
FEWEST = 12  # clusters
WARNING = (
    "no labels: clusters of images stand for identities. Numbers compare pipelines with each other, roughly, and "
    "are no scores; pipelines that work like the clustering are favoured. Label a part, and search on that"
)


def as_train(sets: Mapping[str, ModelSet], *, seed: int, threads: int | None) -> tuple[dict[str, ModelSet], str]:
    """All images as a training set with a cluster for an identity, and what was found, in words.

    Raises InputError where models are distances already, or where nearly nothing clusters.
    """
    features = {name: found for name, found in sets.items() if isinstance(found, FeatureSet)}
    if len(features) < len(sets):
        raise InputError(["--unlabelled: wanted features, whose images are clustered, found distances"])
    first = next(iter(features.values()))
    tables = [first.gallery_table] if first.one_set else [first.query_table, first.gallery_table]
    images = {name: _images(found) for name, found in features.items()}
    count = len(first.gallery) if first.one_set else len(first.query) + len(first.gallery)
    rows = np.arange(count)
    if count > MOST:
        rows = np.sort(np.random.Generator(np.random.PCG64(seed)).permutation(count)[:MOST])
    import pandas as pd

    table = pd.concat(tables, ignore_index=True).iloc[rows].reset_index(drop=True)
    cam = table["cam"].to_numpy() if "cam" in table and table["cam"].notna().all() else None
    with using(threads=threads, progress=False):
        pid = _clusters({name: np.ascontiguousarray(found[rows]) for name, found in images.items()}, cam)
    found = int(pid.max()) + 1
    if found < FEWEST:
        raise InputError(
            [
                f"--unlabelled: wanted {FEWEST} clusters of images or more, in the place of identities, found "
                f"{found}; label a part of the images"
            ]
        )
    table = table.assign(pid=pid)
    made: dict[str, ModelSet] = {
        name: replace(one, train=images[name][rows], train_table=table) for name, one in features.items()
    }
    return made, f"{found} clusters of {int((pid >= 0).sum())} of {len(rows)} images stand for identities"


def _images(found: FeatureSet) -> np.ndarray:
    return np.asarray(found.gallery if found.one_set else np.concatenate([found.query, found.gallery]), np.float32)


def _clusters(images: Mapping[str, np.ndarray], cam: Ints | None) -> Ints:
    """(n,) who is like whom by all models together; -1 alone."""
    whole = np.concatenate([postproc.l2_normalize(found) for found in images.values()], axis=1)
    if cam is not None and len(np.unique(cam)) > 1 and np.issubdtype(cam.dtype, np.integer):
        far = postproc.ca_jaccard(whole, None, cam, cam)
    else:
        far = postproc.rerank(whole, count_self=True, normalize=False, lambda_value=0.0)
    return np.asarray(postproc.dbscan(far, eps=EPS, min_samples=SMALLEST, symmetric="mean"), np.int64)
