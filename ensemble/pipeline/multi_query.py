"""Multi-query evaluation: all images of a query's identity and camera ask as one.

Source: Zheng et al., "Scalable person re-identification", ICCV 2015; layumi/Person_reID_baseline_pytorch,
``evaluate_gpu.py``. Labels say which images belong together, so this is for evaluation and no step of a recipe.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ensemble import io
from ensemble.base.errors import InputError, examples
from ensemble.base.features import FeatureSet
from ensemble.base.labels import numbered
from ensemble.pipeline.plan import Plan
from ensemble.scores.labels import apart
from postproc import multi_query

ABOUT = "multi-query: every query is the mean of the query images of its identity and camera"
FROM_FILE = "multi-query: every query is the mean of the images in {} of its identity and camera"


def read(checked: Plan) -> tuple[dict[str, FeatureSet], str]:
    """The models of a plan as multi-queries ask, and which images those are, in a sentence.

    Files of multi-query features beside the models keep the queries and change what they ask with; without them
    the queries of one identity and camera become one.
    """
    folder = checked.folder
    if folder.one_set:
        raise InputError([f"--multi-query: wanted queries, found one set in {folder.path}; leave it out"])
    given = [model for model in checked.all_models if model in folder.given]
    if given or "distances" in folder.columns:
        instead = f"distances in {examples(given)}" if given else "rank lists"
        raise InputError([f"--multi-query: wanted features, which have means, found {instead}; leave it out"])
    files = io.multi_queries_of(folder, checked.all_models) if folder.multi_queries else {}
    sets = io.read(folder, list(checked.all_models), missing=checked.recipe.missing)
    if not files:
        return pooled({features.model: features for features in sets}), ABOUT
    found = {features.model: features for features in sets}
    told = [FROM_FILE.format(examples([path.name for path in files.values()]))]
    for model, path in files.items():
        found[model], alone = asked_with(found[model], io.read_multi_queries(path, found[model]))
        names = list(found[model].query_table["name"][alone])
        if names:
            told.append(f"{path.name} has no image of {len(names)} queries ({examples(names)}), which ask alone")
    beside = [model for model in found if model not in files]
    told += [f"side models ask with the queries alone ({examples(beside)})"] if beside else []
    return found, "; ".join(told)


def asked_with(features: FeatureSet, images: FeatureSet) -> tuple[FeatureSet, np.ndarray]:
    """Every query as the mean of the ``images`` of its identity and camera, and which queries (nq,) have none.

    These ask alone, with their own features, as do queries of unknown identity or camera (-1).
    Raises InputError where the queries have no identity or camera, where none has an image, and for binary codes.
    """
    refuse_unlabelled(features)
    if features.codes:
        raise InputError(
            [f"{features.model}: wanted numbers for --multi-query, found binary codes; they have no mean"]
        )
    of: dict[str, list[np.ndarray]] = {}
    for column in ("pid", "cam"):
        both = {"query": features.query_table[column].to_numpy(), "images": images.query_table[column].to_numpy()}
        for name, values in numbered(both).items():
            of.setdefault(name, []).append(values)
    asking, there = np.stack(of["query"], axis=1), set(map(tuple, np.stack(of["images"], axis=1).tolist()))
    alone = np.array([min(key) < 0 or tuple(key) not in there for key in asking.tolist()])
    if alone.all():
        raise InputError(
            [
                f"{images.model}: wanted images of the queries' identities and cameras, found none; "
                "was it written for these queries, with labels and cameras numbered alike?"
            ]
        )
    (query_pid, query_cam), (pid, cam) = of["query"], of["images"]
    means = multi_query(np.zeros_like(features.query), query_pid, query_cam, images.query, pid, cam)
    return replace(features, query=np.where(alone[:, None], features.query, means)), alone


def pooled(sets: Mapping[str, FeatureSet]) -> dict[str, FeatureSet]:
    """Replace the queries of one identity and camera by their mean, under the name of the first.

    Queries of unknown identity or camera (-1) stay alone.
    Raises InputError where the queries have no identity or no camera.
    """
    refuse_unlabelled(next(iter(sets.values())))
    data = next(iter(sets.values())).data()
    pid, cam = data["query_pid"], data["query_cam"]
    first, group = np.unique(np.stack([apart(pid), apart(cam)]), axis=1, return_index=True, return_inverse=True)[
        1:
    ]
    order = np.argsort(first)  # the new queries in the order of their first images
    place = np.argsort(order)
    return {model: _pooled(found, first[order], place[group.reshape(-1)]) for model, found in sets.items()}


def refuse_unlabelled(features: FeatureSet) -> None:
    """InputError where the queries have no identity or no camera."""
    missing = [name for name in ("pid", "cam") if name not in features.query_table.columns]
    if missing:
        raise InputError(
            [f"--multi-query: wanted pid and cam of queries, found no {' and '.join(missing)}; see query.csv"]
        )


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
