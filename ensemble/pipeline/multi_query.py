"""Multi-query evaluation: all query images of an identity and a camera ask as one.

Source: Zheng et al., "Scalable person re-identification", ICCV 2015; layumi/Person_reID_baseline_pytorch,
``evaluate_gpu.py``. Labels say which images belong together, so this is for evaluation and no step of a recipe.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline.plan import Plan
from ensemble.scores.labels import apart
from postproc import multi_query

ABOUT = "multi-query: every query is the mean of the query images of its identity and camera"


def read(checked: Plan) -> dict[str, FeatureSet]:
    """The models of a plan with one query for each identity and camera."""
    sets = io.read(checked.folder, list(checked.all_models), missing=checked.recipe.missing)
    return pooled({features.model: features for features in sets})


def pooled(sets: Mapping[str, FeatureSet]) -> dict[str, FeatureSet]:
    """Replace the queries of one identity and camera by their mean, under the name of the first.

    Queries of unknown identity or camera (-1) stay alone.
    Raises InputError where the queries have no identity or no camera.
    """
    table = next(iter(sets.values())).query_table
    missing = [name for name in ("pid", "cam") if name not in table.columns]
    if missing:
        raise InputError(
            [f"--multi-query: wanted pid and cam of queries, found no {' and '.join(missing)}; see query.csv"]
        )
    pid, cam = table["pid"].to_numpy(np.int64), table["cam"].to_numpy(np.int64)
    first, group = np.unique(np.stack([apart(pid), apart(cam)]), axis=1, return_index=True, return_inverse=True)[
        1:
    ]
    order = np.argsort(first)  # the new queries in the order of their first images
    place = np.argsort(order)
    return {model: _pooled(found, first[order], place[group.reshape(-1)]) for model, found in sets.items()}


def _pooled(features: FeatureSet, first: np.ndarray, group: np.ndarray) -> FeatureSet:
    """``group`` (nq,) is the new query of each old one; of a partial model only known images count."""
    known = features.known("query")
    asked = np.unique(group[known])
    means = np.full((len(first), features.query.shape[1]), np.nan, np.float32)
    camera = np.zeros(len(group), np.int64)  # the groups tell cameras apart already
    means[asked] = multi_query(
        np.zeros_like(means[asked]), asked, camera[asked], features.query[known], group[known], camera[known]
    )
    return replace(features.take(query=first), query=means)
