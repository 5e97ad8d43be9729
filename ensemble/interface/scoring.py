"""Scores of distances or lists that somebody else has made."""

from typing import Any

import numpy as np

from ensemble.base.errors import InputError, refuse_if_any
from ensemble.base.labels import numbered, of_values
from ensemble.interface import arguments
from ensemble.interface.arguments import Data, Rules, in_python
from ensemble.interface.ranking import Ranking
from ensemble.io import in_memory, matrices
from ensemble.pipeline import turned
from ensemble.scores import Protocol, Scores, scoring
from postproc.base import arrays

REMEDY = {
    False: "if larger numbers are nearer, give similarity=True",
    True: "if smaller numbers are nearer, leave similarity=True out",
}


def score(
    answers: Data,
    query_pid: Data,
    gallery_pid: Data = None,
    query_cam: Data = None,
    gallery_cam: Data = None,
    query_track: Data = None,
    gallery_track: Data = None,
    *,
    protocol: Rules = "market1501",
    similarity: bool = False,
) -> Scores:
    """Score distances or lists.

    answers:  (nq, ng) distances, smaller is nearer; (nq, k) whole numbers, gallery rows nearest first, -1 none;
              the two together as steps return them for ``top_k``; lists of rows of any length; a :class:`Ranking`.
    labels:   (nq,) and (ng,), whole numbers or text, -1 and "" unknown. Without ``gallery_pid`` it is one set.
    protocol: a name, a file, a dictionary of rules or a :class:`Protocol`.
    similarity: larger numbers are nearer.
    Raises:   InputError for labels that do not fit, for lists too short for the protocol, and for distances whose
              images of other identities are nearer than those of the query's own, as similarities look: refused
              unless ``similarity`` says it, or distances go against the labels by less than chance allows.
    """
    with in_python():
        rules = _rules(protocol)
        columns = _columns(
            query_pid=query_pid,
            gallery_pid=gallery_pid,
            query_cam=query_cam,
            gallery_cam=gallery_cam,
            query_track=query_track,
            gallery_track=gallery_track,
        )
        found = _answers(answers)
        try:
            if found.dtype.kind in "iu":
                if similarity:
                    raise InputError(
                        ["similarity: wanted distances, found lists of rows, which have an order alone"]
                    )
                return scoring.score_ranking(found, protocol=rules, **columns)
            distances = -found if similarity else found
            _refuse_turned(distances, columns, similarity)
            return scoring.score(distances, protocol=rules, **columns)
        except (ValueError, TypeError) as error:
            raise error if isinstance(error, InputError) else InputError([str(error)]) from error


def _rules(given: Rules) -> Protocol:
    import argparse

    from ensemble.cli import protocols

    chosen = argparse.Namespace(protocol=arguments.protocol(given), junk=None, **protocols.NOT_GIVEN)
    return protocols.chosen(chosen, Protocol())


def _columns(**given: Data) -> dict[str, Any]:
    """Labels as numbers, text of one kind as the same ones."""
    known = {name: of_values(in_memory.plain(values)) for name, values in given.items() if values is not None}
    wrong = [name for name, values in known.items() if values is None]
    refuse_if_any([f"{name}: wanted labels, whole numbers or text, found something else" for name in wrong])
    read = {name: values for name, values in known.items() if values is not None}
    found: dict[str, Any] = dict.fromkeys(given)
    for kind in ("pid", "cam", "track"):
        found |= numbered({name: values for name, values in read.items() if name.endswith(kind)})
    return found


def _answers(given: Data) -> Any:
    """Distances as float32, or rows of lists as whole numbers, the short ones filled up with -1."""
    if isinstance(given, Ranking):
        return given.rows
    rows = getattr(given, "rows", None)
    if rows is not None and getattr(given, "distances", None) is not None:  # the nearest of each, as steps say it
        return np.asarray(arrays.host(rows))
    if arrays.on_cuda(given):
        return given
    if isinstance(given, (list, tuple)) and len({len(listed) for listed in given}) > 1:
        longest = max(len(listed) for listed in given)
        return np.array([[*listed, *[-1] * (longest - len(listed))] for listed in given], np.int64)
    held = in_memory.matrix(given)
    array = np.asarray(held["distances"] if isinstance(held, dict) and "distances" in held else held)
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise InputError(
            [f"answers: wanted (queries, images) distances or rows, found shape {array.shape} {array.dtype}"]
        )
    if array.dtype.kind != "f":
        return array
    matrices.refuse_places("answers", array, lists="give lists of rows as whole numbers")
    return matrices.single("answers", array)


def _refuse_turned(distances: Any, columns: dict[str, Any], similarity: bool) -> None:
    """Refuse what goes against the labels by more than chance."""
    if arrays.on_cuda(distances):
        distances = arrays.host(distances[: turned.QUERIES])
    asked = columns["query_pid"]
    there = asked if columns["gallery_pid"] is None else columns["gallery_pid"]
    if distances.shape != (min(len(asked), len(distances)), len(there)):
        return  # whoever scores says what does not fit
    share = turned.against_labels(distances, asked[: len(distances)], there)
    if share is not None:
        raise InputError(
            [
                f"answers: wanted {_kind(similarity)}, found that {share:.0%} of other images are nearer than one "
                f"of the query's own identity; {REMEDY[similarity]}"
            ]
        )


def _kind(similarity: bool) -> str:
    return "similarities, large where images are near" if similarity else "distances, small where images are near"
