"""The scores of whatever a run is at."""

from dataclasses import dataclass

import postproc
from ensemble.pipeline import partial
from ensemble.pipeline.images import Images
from ensemble.pipeline.state import State
from ensemble.scores import (
    Labels,
    Protocol,
    Scores,
    score_labelled,
    score_labelled_lists,
    score_labelled_ranking,
)

NO_LABELS = "these images have no labels (a pid column in query.csv and gallery.csv)"


@dataclass(frozen=True)
class Scored:
    """The scores, or where there are none, why."""

    scores: Scores | None
    unscored: str = ""


def scored(state: State, images: Images, protocol: Protocol) -> Scored:
    """Judge a state: a list or distances as they are, features by their squared Euclidean distances."""
    labels = images.labels
    if labels is None:
        return Scored(None, NO_LABELS)
    if state.rows is not None:
        labels = labels.take(state.rows.query, state.rows.gallery)
    try:
        return Scored(_scores(state, images, labels, protocol))
    except ValueError as error:  # labels that allow no score cost the scores, not the ranking
        return Scored(None, str(error))


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
    return score_labelled(postproc.distances(state.data["query"], state.data["gallery"]), labels, protocol)
