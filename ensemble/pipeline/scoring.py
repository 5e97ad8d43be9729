"""The scores of whatever a run is at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import postproc
from ensemble.base.distances import ModelSet
from ensemble.base.errors import examples
from ensemble.base.features import FeatureSet
from ensemble.io.keys import tables_of
from ensemble.pipeline import partial
from ensemble.pipeline.images import Images
from ensemble.pipeline.rankings import Rankings
from ensemble.pipeline.state import State
from ensemble.scores import (
    Labels,
    Protocol,
    Scores,
    labels_of,
    remarks,
    score_labelled,
    score_labelled_lists,
    score_labelled_ranking,
)

SOME = 4096  # rows that are looked at
MANY, SHARE = 5, 0.02  # images of one vector from which on that is said, and their share of a side


def no_labels(*, one_set: bool) -> str:
    """Why there are no scores, and what there would have to be."""
    return f"these images have no labels (a pid column in {tables_of(one_set=one_set)})"


@dataclass(frozen=True)
class Scored:
    """The scores, or where there are none, why."""

    scores: Scores | None
    unscored: str = ""


def scored(state: State, images: Images, protocol: Protocol) -> Scored:
    """Judge a state: a list or distances as they are, features by their squared Euclidean distances."""
    labels = images.labels
    if labels is None:
        return Scored(None, no_labels(one_set=images.one_set))
    if state.rows is not None:
        labels = labels.take(state.rows.query, state.rows.gallery)
    try:
        return Scored(_scores(state, images, labels, protocol))
    except ValueError as error:  # labels that allow no score cost the scores, not the ranking
        return Scored(None, str(error))


def told(sets: Mapping[str, ModelSet], protocol: Protocol, lists: Rankings | None = None) -> tuple[str, ...]:
    """What to know before these models, or rank lists, are scored; empty without labels."""
    models = [
        features for features in sets.values() if isinstance(features, FeatureSet) and not features.auxiliary
    ]
    labels = labels_of(lists if lists is not None else next(iter(sets.values())))
    alike = (*_twice(models), *(said for features in models for said in _one_for_many(features)))
    if labels is None:
        return alike
    seen = (*_copies(models[0], labels, protocol), *_learned_from(models[0])) if models else ()
    return (*alike, *remarks.of(labels, protocol), *seen)


def _twice(models: Sequence[FeatureSet]) -> list[str]:
    """Models with the very features of another, as a copy of a file under another name has them."""
    first: dict[tuple[tuple[int, ...], bytes], FeatureSet] = {}
    said = []
    for features in models:
        other = first.setdefault((features.gallery.shape, features.gallery[0].tobytes()), features)
        if other is not features and np.array_equal(other.gallery, features.gallery):
            said.append(
                f"{features.model} has the very features of {other.model}, which then count twice: leave one out"
            )
    return said


def _one_for_many(features: FeatureSet) -> list[str]:
    """Sides in which many images have one and the same vector, as where pictures could not be read."""
    if features.codes:
        return []
    said = []
    for side in features.sides[:2] if not features.one_set else features.sides[:1]:
        rows = getattr(features, side)
        some = range(0, len(rows), -(-len(rows) // SOME))  # all, where they are few
        ((vector, count),) = Counter(rows[at].tobytes() for at in some).most_common(1)
        if count < max(MANY, SHARE * len(some)):
            continue
        alike = np.flatnonzero((rows == np.frombuffer(vector, rows.dtype)).all(axis=1))
        shown = list(getattr(features, f"{side}_table")["name"].iloc[alike[:4]])
        said.append(
            f"{features.model}, {side}: {len(alike)} of {len(rows)} images have one and the same vector, such as "
            f"{examples(shown)}; were their pictures read?"
        )
    return said


def _copies(features: FeatureSet, labels: Labels, protocol: Protocol) -> list[str]:
    """Queries with the very features of a gallery image of another name, which stays in their ranking."""
    names = features.query_table["name"], features.gallery_table["name"]
    pairs = [
        (query, image)
        for query, image in enumerate(_same_rows(features.query, features.gallery))
        if image >= 0 and labels.query_pid[query] >= 0
        and (names[0][query] != names[1][image] or not (features.named or features.one_set))
    ]  # fmt: skip
    query, gallery = np.array(pairs, np.int64).reshape(-1, 2).T
    stay = remarks.kept(labels, protocol, query, gallery)
    shown = [f"{names[0][i]} and {names[1][j]}" for i, j in zip(query[stay], gallery[stay], strict=True)]
    if not shown:
        return []
    who, other = ("images", "another one") if features.one_set else ("queries", "a gallery image of another name")
    other = other if features.named or features.one_set else "a gallery image"
    return [
        f"{features.model}: {len(shown)} of {len(features.query)} {who} have the very features of {other} "
        f"({examples(shown)}); where it is the same picture, leave one out"
    ]


def _learned_from(features: FeatureSet) -> list[str]:
    """Training images that are among those that are ranked: what learns from them is judged on them."""
    if features.train is None or features.train_table is None:
        return []
    found = [_same_rows(features.train, side) for side in (features.query, features.gallery)]
    again = np.flatnonzero((np.array(found) >= 0).any(axis=0))
    if not len(again):
        return []
    return [
        f"{features.model}: {len(again)} of {len(features.train)} training images have the very features of a "
        f"query or gallery image ({examples(list(features.train_table['name'][again]))}); scores of what learns "
        "from them are too good"
    ]


def _same_rows(rows: np.ndarray, others: np.ndarray) -> list[int]:
    """For each row the last of the others with the same numbers, -1 for none."""
    place = {hash(row.tobytes()): at for at, row in enumerate(others)}
    found = [place.get(hash(row.tobytes()), -1) for row in rows]
    return [at if at >= 0 and np.array_equal(row, others[at]) else -1 for row, at in zip(rows, found, strict=True)]


def _scores(state: State, images: Images, labels: Labels, protocol: Protocol) -> Scores:
    if state.nearest is not None:
        return score_labelled_ranking(state.nearest.rows, labels, protocol)
    if images.lists is not None:
        answer = images.lists.answer(state)
        if protocol.takes_lists:
            return score_labelled_lists(answer.starts, answer.rows, labels, protocol)
        return score_labelled(answer.matrix(len(images.gallery_names)), labels, protocol)
    if state.known:
        return score_labelled(partial.answer(state, images), labels, protocol)
    if "distances" in state.data:
        return score_labelled(state.data["distances"], labels, protocol)
    gallery = None if images.one_set else state.data["gallery"]
    return score_labelled(postproc.distances(state.data["query"], gallery), labels, protocol)
